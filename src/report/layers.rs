//! `layers`: the document, and its text and Markdown.
//!
//! Goes in: a [`LayersReport`]. Comes out: text. Linear. Invariant: names of steps, paths and what an image says of itself are escaped.

use super::escape::{line, markdown_code, markdown_text, shortened, without_commands};
use super::number::{bytes, count, percent};
use super::wording::stage_and_instruction;
use serde::Serialize;
use std::fmt::Write as _;

/// Groups of equal files and lost files that text shows.
const MOST: usize = 8;

/// `cacheplan.layers/1`.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct LayersReport {
    /// Always the same.
    pub schema: &'static str,
    /// The Dockerfile.
    pub file: String,
    /// The build context.
    pub context: String,
    /// The stage that was asked for.
    pub target: Option<String>,
    /// The image that it stands on, whose layers are left out; none for `scratch`.
    pub base: Option<String>,
    /// How bytes are counted.
    pub store: StoreRow,
    /// First to last.
    pub layers: Vec<LayerRow>,
    /// Files with one content at several places of the image, the most wasteful first.
    pub duplicates: Vec<DuplicateRow>,
    /// Groups that are not listed.
    pub more_duplicates: usize,
    /// Sums.
    pub totals: Totals,
    /// Builds that were replayed; none without a history.
    pub history: Option<HistoryRow>,
    /// What is in the archive of `--image`.
    pub image: Option<ImageReport>,
}

/// How bytes are counted.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct StoreRow {
    /// The builder's profile.
    pub builder: &'static str,
    /// `blocks` or `file-bytes`.
    pub counts: &'static str,
    /// The file system whose blocks they are.
    pub disk: Option<&'static str>,
}

/// One layer.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct LayerRow {
    /// The step that makes it.
    pub id: String,
    /// As the builder prints it.
    pub name: String,
    /// First line, from 1.
    pub line: u32,
    /// Bytes that it adds; none where nobody knows.
    pub bytes: Option<u64>,
    /// `context`, `measured`, `learned`, `prior`, `derived` or `unknown`.
    pub bytes_source: &'static str,
    /// Files that it is known to hold.
    pub files: u64,
    /// What later layers hide of it.
    pub lost: Vec<LostRow>,
    /// Bytes of that.
    pub lost_bytes: u64,
    /// With what may be hidden.
    pub lost_bytes_max: u64,
    /// How often it is made anew.
    pub pushed: Option<PushedRow>,
    /// The same layer in the archive.
    pub image: Option<BesideRow>,
}

/// Bytes of a layer that a later one hides.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct LostRow {
    /// The step that does.
    pub by: String,
    /// Its first line.
    pub line: u32,
    /// `deleted`, `overwritten` or `attributes`.
    pub kind: &'static str,
    /// It may be less.
    pub at_most: bool,
    /// Bytes.
    pub bytes: u64,
}

/// How often a layer is made anew, the cold build left out.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct PushedRow {
    /// Builds that make it anew.
    pub anew: usize,
    /// Builds that may.
    pub maybe: usize,
    /// Mean bytes a build, where those that may do; none where the layer's are not known.
    pub bytes_per_build: Option<f64>,
    /// Where they do not.
    pub bytes_per_build_min: Option<f64>,
}

/// A layer of the archive beside the one that was worked out.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct BesideRow {
    /// Number of the layer in the archive, from 0; none for a step that left nothing.
    pub layer: Option<usize>,
    /// Bytes, counted in the same way.
    pub bytes: u64,
    /// Bytes in the archive.
    pub packed_bytes: u64,
    /// What was worked out less what is there.
    pub difference_bytes: Option<i64>,
    /// The same as a share of what is there.
    pub difference_share: Option<f64>,
}

/// Files with one content.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct DuplicateRow {
    /// Bytes of one.
    pub size: u64,
    /// Bytes of all but one.
    pub wasted: u64,
    /// Where they lie.
    pub places: Vec<PlaceRow>,
    /// Places that are not listed.
    pub more: usize,
}

/// A place in the image.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct PlaceRow {
    /// The step whose layer holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Number of that layer in an archive, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Absolute.
    pub path: String,
}

/// Sums over all layers.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Totals {
    /// Bytes above the base image, as far as they are known.
    pub image_bytes: u64,
    /// Layers whose bytes nobody knows.
    pub unknown_layers: usize,
    /// Bytes that later layers hide.
    pub wasted_bytes: u64,
    /// With what may be hidden.
    pub wasted_bytes_max: u64,
    /// Bytes of equal files, one of each left out.
    pub duplicate_bytes: u64,
    /// Mean bytes a build that are pushed again.
    pub pushed_bytes_per_build: Option<f64>,
    /// Without builds that may.
    pub pushed_bytes_per_build_min: Option<f64>,
}

/// What was replayed.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct HistoryRow {
    /// Builds counted, the cold one left out.
    pub builds: usize,
    /// Oldest commit.
    pub from: String,
    /// Newest commit.
    pub to: String,
    /// Cache policy.
    pub policy: String,
}

/// What is in an archive.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct ImageReport {
    /// The file.
    pub file: String,
    /// Every layer is of the step that it stands beside.
    pub matches: bool,
    /// Where that is not so.
    pub notes: Vec<String>,
    /// Layers of the base image.
    pub base_layers: usize,
    /// Their bytes.
    pub base_bytes: u64,
    /// Bytes of the other layers.
    pub bytes: u64,
    /// All layers, first to last.
    pub layers: Vec<ImageLayerRow>,
    /// Files that later layers delete or cover, the largest first.
    pub lost: Vec<ImageLossRow>,
    /// Those that are not listed.
    pub more_lost: usize,
    /// Bytes of all of them.
    pub lost_bytes: u64,
    /// Equal files.
    pub duplicates: Vec<DuplicateRow>,
    /// Bytes of all of them, one of each left out.
    pub duplicate_bytes: u64,
}

/// One layer of an archive.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct ImageLayerRow {
    /// From 0; none for a step that left nothing.
    pub number: Option<usize>,
    /// What the history says.
    pub created_by: String,
    /// Bytes, as the store counts.
    pub bytes: u64,
    /// Bytes in the archive.
    pub packed_bytes: u64,
    /// Files.
    pub files: u64,
    /// It is the base image's.
    pub base: bool,
    /// The step that it is of.
    pub step: Option<String>,
}

/// A file of an archive that a later layer deletes or covers.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct ImageLossRow {
    /// Absolute.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// The layer that holds it.
    pub layer: usize,
    /// The layer that hides it.
    pub by: usize,
    /// `deleted`, `overwritten` or `attributes`.
    pub kind: &'static str,
}

fn mean(n: f64) -> String {
    bytes(n.round().max(0.0) as u64)
}

fn size(n: Option<u64>) -> String {
    n.map_or("?".to_owned(), bytes)
}

/// `12/40`, or `12-14/40` with builds that may.
fn runs(p: &PushedRow, builds: usize) -> String {
    match p.maybe {
        0 => format!("{}/{builds}", p.anew),
        more => format!("{}-{}/{builds}", p.anew, p.anew + more),
    }
}

/// `+0.4 %`, `0 %`, or bytes where a share says nothing.
fn difference(b: &BesideRow) -> String {
    match (b.difference_bytes, b.difference_share) {
        (Some(0), _) => "0 %".to_owned(),
        (_, Some(share)) if share > 0.0 => format!("+{}", percent(share)),
        (_, Some(share)) => percent(share),
        (Some(more), None) => format!("+{}", bytes(more.unsigned_abs())),
        (None, None) => "?".to_owned(),
    }
}

/// Lines that are named where many may hide a part of a layer.
const MOST_LINES: usize = 3;

/// What later layers hide of one, a sentence each; those that may, in one for each way.
fn hidden(layer: &LayerRow) -> Vec<String> {
    let what = |kind: &str| match kind {
        "deleted" => "deleted",
        "overwritten" => "overwritten",
        _ => "there once more, with another owner or mode,",
    };
    let sure = layer.lost.iter().filter(|l| !l.at_most);
    let mut out: Vec<String> = sure
        .map(|l| {
            format!(
                "{} of it {} by line {}",
                bytes(l.bytes),
                what(l.kind),
                l.line
            )
        })
        .collect();
    for kind in ["deleted", "overwritten", "attributes"] {
        let may = layer.lost.iter().filter(|l| l.at_most && l.kind == kind);
        let may: Vec<&LostRow> = may.collect();
        let Some(most) = may.iter().map(|l| l.bytes).max() else {
            continue;
        };
        let named: Vec<String> = may
            .iter()
            .take(MOST_LINES)
            .map(|l| l.line.to_string())
            .collect();
        let lines = match (&named[..], may.len() - named.len()) {
            ([one], 0) => format!("line {one}"),
            ([all @ .., last], 0) => format!("lines {} and {last}", all.join(", ")),
            (all, more) => format!("lines {} and {more} more", all.join(", ")),
        };
        out.push(format!(
            "up to {} of it {} by {lines}",
            bytes(most),
            what(kind)
        ));
    }
    out
}

fn counted(r: &LayersReport) -> String {
    match r.store.disk {
        None => format!("bytes of files ({})", r.store.builder),
        Some(disk) => format!("blocks on {disk} ({})", r.store.builder),
    }
}

/// Sentences below the table.
fn sums(r: &LayersReport) -> Vec<String> {
    let t = &r.totals;
    let unknown = match t.unknown_layers {
        0 => String::new(),
        n => format!(", {} of unknown size left out", count(n, "layer")),
    };
    let mut out = vec![format!(
        "The image has {} above its base{unknown}.",
        bytes(t.image_bytes)
    )];
    if t.wasted_bytes_max > 0 {
        let more = t.wasted_bytes_max - t.wasted_bytes;
        let more = match more {
            0 => String::new(),
            more => format!(", perhaps {} more", bytes(more)),
        };
        out.push(format!(
            "Nobody sees {} of that: later layers delete or cover it{more}.",
            bytes(t.wasted_bytes)
        ));
    }
    if t.duplicate_bytes > 0 {
        out.push(format!(
            "Equal files at several places take {}.",
            bytes(t.duplicate_bytes)
        ));
    }
    if let (Some(most), Some(least), Some(h)) = (
        t.pushed_bytes_per_build,
        t.pushed_bytes_per_build_min,
        &r.history,
    ) && h.builds > 0
    {
        let range = match mean(most) == mean(least) {
            true => mean(most),
            false => format!("{} to {}", mean(least), mean(most)),
        };
        out.push(format!(
            "A build pushes {range} again, before compression (mean of {}, the cold one left out).",
            count(h.builds, "build")
        ));
    }
    out
}

/// The report for a terminal.
#[must_use]
pub fn text(r: &LayersReport, width: usize) -> String {
    let mut out = String::new();
    let target = r
        .target
        .as_ref()
        .map_or(String::new(), |t| format!(", target {}", line(t)));
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{} (context {}{target}), counted as {}",
        line(&r.file),
        line(&r.context),
        counted(r)
    );
    let base = match &r.base {
        Some(base) => format!("on {}, whose own layers are left out", shortened(base, 60)),
        None => "on nothing".to_owned(),
    };
    let _ = writeln!(out, "{base}\n");
    let builds = r.history.as_ref().map(|h| h.builds);
    let mut head = format!("{:>5}  {:>9}  {:<8}", "line", "bytes", "source");
    if builds.is_some() {
        head.push_str(&format!("  {:>9}  {:>9}", "anew in", "per build"));
    }
    if r.image.is_some() {
        head.push_str(&format!("  {:>9}  {:>8}", "image", "off"));
    }
    let _ = writeln!(out, "{head}  layer");
    for l in &r.layers {
        let mut row = format!("{:>5}  {:>9}  {:<8}", l.line, size(l.bytes), l.bytes_source);
        if let (Some(builds), Some(p)) = (builds, &l.pushed) {
            row.push_str(&format!(
                "  {:>9}  {:>9}",
                runs(p, builds),
                p.bytes_per_build.map_or("?".to_owned(), mean)
            ));
        }
        if r.image.is_some() {
            let (there, off) = l
                .image
                .as_ref()
                .map_or(("-".to_owned(), "-".to_owned()), |b| {
                    (bytes(b.bytes), difference(b))
                });
            row.push_str(&format!("  {there:>9}  {off:>8}"));
        }
        let room = width.saturating_sub(row.chars().count() + 2).max(24);
        let (_, step) = stage_and_instruction(&l.name);
        let _ = writeln!(out, "{row}  {}", shortened(step, room));
        for lost in hidden(l) {
            let _ = writeln!(out, "{:>5}  {lost}", "");
        }
    }
    let _ = writeln!(out);
    for sentence in sums(r) {
        let _ = writeln!(out, "{sentence}");
    }
    duplicates(&mut out, &r.duplicates, r.more_duplicates);
    if let Some(image) = &r.image {
        archive(&mut out, image);
    }
    without_commands(&out).into_owned()
}

fn duplicates(out: &mut String, list: &[DuplicateRow], more: usize) {
    for d in list.iter().take(MOST) {
        let places: Vec<String> = d
            .places
            .iter()
            .take(4)
            .map(|p| shortened(&p.path, 60))
            .collect();
        let others = d.places.len() + d.more - places.len();
        let others = match others {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let _ = writeln!(
            out,
            "  {:>9}  {} times {}: {}{others}",
            bytes(d.wasted),
            d.places.len() + d.more,
            bytes(d.size),
            places.join(", ")
        );
    }
    let left = list.len().saturating_sub(MOST) + more;
    if left > 0 {
        let _ = writeln!(out, "  and {}", count(left, "more group"));
    }
}

fn archive(out: &mut String, image: &ImageReport) {
    let _ = writeln!(
        out,
        "\n{}: {} in {} of the base, {} above",
        line(&image.file),
        bytes(image.base_bytes),
        count(image.base_layers, "layer"),
        bytes(image.bytes)
    );
    for note in image.notes.iter().take(MOST) {
        let _ = writeln!(out, "  {}", shortened(note, 160));
    }
    if image.lost_bytes > 0 {
        let _ = writeln!(
            out,
            "  later layers delete or cover {}:",
            bytes(image.lost_bytes)
        );
    }
    for l in image.lost.iter().take(MOST) {
        let _ = writeln!(
            out,
            "  {:>9}  {} of layer {}, {} in layer {}",
            bytes(l.bytes),
            shortened(&l.path, 60),
            l.layer,
            l.kind,
            l.by
        );
    }
    let left = image.lost.len().saturating_sub(MOST) + image.more_lost;
    if left > 0 && image.lost_bytes > 0 {
        let _ = writeln!(out, "  and {}", count(left, "more file"));
    }
    if image.duplicate_bytes > 0 {
        let _ = writeln!(
            out,
            "  equal files at several places take {}:",
            bytes(image.duplicate_bytes)
        );
        duplicates(out, &image.duplicates, 0);
    }
}

/// The report as Markdown.
#[must_use]
pub fn markdown(r: &LayersReport) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "### Layers of {}\n", markdown_code(&r.file));
    let builds = r.history.as_ref().map(|h| h.builds);
    let mut heads = vec!["line", "bytes", "source"];
    if builds.is_some() {
        heads.extend(["anew in", "per build"]);
    }
    if r.image.is_some() {
        heads.extend(["image", "off"]);
    }
    heads.extend(["layer", "hidden later"]);
    let _ = writeln!(out, "| {} |", heads.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(heads.len()));
    for l in &r.layers {
        let mut cells = vec![l.line.to_string(), size(l.bytes), l.bytes_source.to_owned()];
        if let (Some(builds), Some(p)) = (builds, &l.pushed) {
            cells.extend([
                runs(p, builds),
                p.bytes_per_build.map_or("?".to_owned(), mean),
            ]);
        }
        if r.image.is_some() {
            let there = l.image.as_ref();
            cells.push(there.map_or("–".to_owned(), |b| bytes(b.bytes)));
            cells.push(there.map_or("–".to_owned(), difference));
        }
        let (_, step) = stage_and_instruction(&l.name);
        cells.push(markdown_code(&shortened(step, 80)));
        cells.push(hidden(l).join("; "));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(out);
    for sentence in sums(r) {
        let _ = writeln!(out, "- {sentence}");
    }
    for d in r.duplicates.iter().take(MOST) {
        let places: Vec<String> = d
            .places
            .iter()
            .take(4)
            .map(|p| markdown_code(&shortened(&p.path, 60)))
            .collect();
        let _ = writeln!(out, "  - {}: {}", bytes(d.wasted), places.join(", "));
    }
    if let Some(image) = &r.image {
        let _ = writeln!(
            out,
            "- {}: {} of the base, {} above; later layers delete or cover {}.",
            markdown_code(&image.file),
            bytes(image.base_bytes),
            bytes(image.bytes),
            bytes(image.lost_bytes)
        );
        for note in image.notes.iter().take(MOST) {
            let _ = writeln!(out, "  - {}", markdown_text(&shortened(note, 160)));
        }
    }
    without_commands(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_hidden_is_one_sentence_for_each_way() {
        let lost = |line, kind, at_most, bytes| LostRow {
            by: "0.9".to_owned(),
            line,
            kind,
            at_most,
            bytes,
        };
        let layer = |lost: Vec<LostRow>| LayerRow {
            id: "0.1".to_owned(),
            name: "[1/1] RUN x".to_owned(),
            line: 1,
            bytes: Some(9000),
            bytes_source: "prior",
            files: 0,
            lost,
            lost_bytes: 0,
            lost_bytes_max: 0,
            pushed: None,
            image: None,
        };
        let many = [3, 4, 5, 6, 7].map(|n| lost(n, "deleted", true, 1000 * u64::from(n)));
        let mut all = vec![lost(2, "overwritten", false, 10)];
        all.extend(many);
        all.push(lost(8, "attributes", true, 9000));
        assert_eq!(
            hidden(&layer(all)),
            [
                "10 B of it overwritten by line 2",
                "up to 7.0 kB of it deleted by lines 3, 4, 5 and 2 more",
                "up to 9.0 kB of it there once more, with another owner or mode, by line 8"
            ]
        );
        let two = [3, 4].map(|n| lost(n, "deleted", true, 1000));
        assert_eq!(
            hidden(&layer(two.into())),
            ["up to 1.0 kB of it deleted by lines 3 and 4"]
        );
        assert!(hidden(&layer(Vec::new())).is_empty());
    }
}
