//! Sizes of layers, as `docker history` and image archives tell them.
//!
//! Goes in: the output of `docker history --no-trunc` as a table or as JSON, or an image that was read. Comes out: a [`LayerSize`] for every
//! step whose layer is told, first to last, and what can be told of the store that counted. Linear. Invariant: a step that does not say whole what it
//! was made by teaches nothing; sizes are what the source says, rounded where it rounds; those of an archive are
//! counted as a containerd store does.

mod created_by;
mod table;

pub use created_by::made_by;

use super::learn::LayerSize;
use crate::image::{BLOCK, Disk, Image, Store};
use serde_json::Value;

/// What one image tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Layers of RUN, COPY, ADD and WORKDIR, first to last.
    pub layers: Vec<LayerSize>,
    /// The file system below a containerd store that counted them, where that shows.
    pub disk: Option<Disk>,
    /// What was left out, one sentence each without a full stop.
    pub notes: Vec<String>,
}

/// One row of a history: what the layer was made by, and how large it is said to be.
struct Row {
    created_by: String,
    bytes: u64,
    /// The figure is rounded to three digits.
    rounded: bool,
}

/// The output of `docker history`; `None` where a text is none.
#[must_use]
pub fn read(text: &str) -> Option<Sizes> {
    let rows = json(text).or_else(|| table::read(text))?;
    Some(of_rows(rows))
}

/// The layers of an image with their sizes as a store would count them.
#[must_use]
pub fn of_image(image: &Image, store: Store) -> Sizes {
    let layer = |layer: &crate::image::ImageLayer| {
        let (keyword, text) = made_by(&layer.created_by)?;
        // A step whose layer holds nothing may have none.
        Some(LayerSize {
            keyword,
            text,
            bytes: store.bytes(&layer.amount),
        })
    };
    Sizes {
        layers: image.made_of().iter().filter_map(layer).collect(),
        ..Sizes::default()
    }
}

fn of_rows(mut rows: Vec<Row>) -> Sizes {
    // The newest comes first.
    rows.reverse();
    let mut out = Sizes::default();
    let mut counted = Vec::new();
    let mut cut = 0;
    for row in rows {
        if row.created_by.ends_with(['…']) {
            cut += 1;
            continue;
        }
        let Some((keyword, text)) = made_by(&row.created_by) else {
            continue;
        };
        counted.push((row.bytes, row.rounded));
        out.layers.push(LayerSize {
            keyword,
            text,
            bytes: row.bytes,
        });
    }
    if cut > 0 {
        out.notes.push(format!(
            "{cut} of its steps are cut off: write it with `docker history --no-trunc`"
        ));
    }
    out.disk = disk(&counted);
    out
}

/// The file system behind sizes of layers: blocks tell a containerd store, and a layer of nothing whether folders count.
fn disk(counted: &[(u64, bool)]) -> Option<Disk> {
    const FEWEST: usize = 3;
    let in_blocks = |&(bytes, rounded): &(u64, bool)| {
        let off = bytes.abs_diff(bytes.saturating_add(BLOCK / 2) / BLOCK * BLOCK);
        off == 0 || rounded && off <= bytes / 100
    };
    let filled = counted.iter().filter(|(bytes, _)| *bytes > 0).count();
    if counted.len() < FEWEST || filled == 0 || !counted.iter().all(in_blocks) {
        return None;
    }
    Some(match filled == counted.len() {
        true => Disk::Ext4,
        false => Disk::Tmpfs,
    })
}

/// `--format json`: an object a line; podman writes one list.
fn json(text: &str) -> Option<Vec<Row>> {
    let start = text.trim_start();
    let row = |value: &Value| {
        let of = |names: [&str; 2]| names.iter().find_map(|n| value.get(n));
        let (bytes, rounded) = match of(["Size", "size"])? {
            Value::String(text) => size(text)?,
            number => (number.as_u64()?, false),
        };
        Some(Row {
            created_by: of(["CreatedBy", "createdBy"])?.as_str()?.to_owned(),
            bytes,
            rounded,
        })
    };
    let rows: Option<Vec<Row>> = match start.starts_with('[') {
        true => {
            let list: Vec<Value> = serde_json::from_str(start).ok()?;
            list.iter().map(row).collect()
        }
        false => {
            // Other logs are of JSON lines too: the first that is none of these ends the look.
            let mut lines = start.lines().filter(|l| !l.trim().is_empty());
            lines.try_fold(Vec::new(), |mut rows, line| {
                rows.push(row(&serde_json::from_str(line).ok()?)?);
                Some(rows)
            })
        }
    };
    rows.filter(|r| !r.is_empty())
}

/// `12.4kB`, `0B`, `12389`: bytes, and whether digits may be missing.
fn size(text: &str) -> Option<(u64, bool)> {
    const UNITS: [(&str, f64); 6] = [
        ("PB", 1e15),
        ("TB", 1e12),
        ("GB", 1e9),
        ("MB", 1e6),
        ("kB", 1e3),
        ("B", 1.0),
    ];
    let text = text.trim();
    if let Ok(bytes) = text.parse() {
        return Some((bytes, false));
    }
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(name, by)| Some((text.strip_suffix(name)?, *by)))?;
    let number: f64 = digits.trim().parse().ok()?;
    let bytes = number * unit;
    // No layer is larger, and any figure below is exact enough.
    (number.is_finite() && (0.0..1e16).contains(&bytes)).then(|| (bytes.round() as u64, unit > 1.0))
}

#[cfg(test)]
mod tests;
