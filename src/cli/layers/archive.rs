//! An image archive held against the layers that were worked out.
//!
//! Goes in: the archive and the layers. Comes out: what is in it, layer by layer, and beside each step the layer that it made. Costs one read of the
//! archive. Invariant: layers are paired from the last one back, since the base image's come first; a pair whose texts differ is said.

use crate::cli::calibrate::image_archive;
use crate::cost::sizes::made_by;
use crate::image::{Image, ImageLayer, Inode, Kind, LossKind, Store};
use crate::layers::ImageLayers;
use crate::pattern::display;
use crate::plan::{Plan, Step, StepKind};
use crate::report::layers::{
    BesideRow, DuplicateRow, ImageLayerRow, ImageLossRow, ImageReport, LayerRow, PlaceRow,
};
use anyhow::{Context as _, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Lost files and groups of equal ones that are listed.
const MOST: usize = 50;
/// Places listed of one group.
const MOST_PLACES: usize = 20;

/// Reads the archive.
pub fn report(file: &Path, plan: &Plan, store: Store, layers: &ImageLayers) -> Result<ImageReport> {
    let shown = file.display().to_string();
    std::fs::metadata(file).with_context(|| format!("cannot read {shown}"))?;
    let Some(image) = image_archive(file)? else {
        bail!("{shown} is no image archive: write one with `docker save` or `--output type=oci`");
    };
    let image = image.with_context(|| shown.clone())?;
    let pairs = pairs(&image, layers);
    let step_of = |entry: usize| pairs.iter().position(|p| *p == Some(entry));
    let first = pairs.iter().flatten().min().copied();
    let mut rows = Vec::new();
    for (n, layer) in image.made_of().iter().enumerate() {
        let step = step_of(n);
        if layer.layer.is_none() && step.is_none() {
            continue;
        }
        rows.push(ImageLayerRow {
            number: layer.layer,
            created_by: layer.created_by.clone(),
            bytes: store.bytes(&layer.amount),
            packed_bytes: layer.packed,
            files: layer.amount.files,
            base: step.is_none() && first.is_none_or(|f| n < f),
            step: step.map(|s| crate::layers::id(plan, &layers.layers[s]).to_string()),
        });
    }
    let mut notes = Vec::new();
    for (s, entry) in pairs.iter().enumerate() {
        let step = &plan.graph[layers.layers[s].step];
        match entry.map(|e| &image.made_of()[e]) {
            None => notes.push(format!("the image has no layer for {}", step.name)),
            Some(made) if !is_of(made, step) => notes.push(format!(
                "the image is of another Dockerfile: in the place of {} it has {}",
                step.name, made.created_by
            )),
            Some(_) => {}
        }
    }
    let base: Vec<&ImageLayerRow> = rows.iter().filter(|r| r.base).collect();
    let sum = |all: &mut dyn Iterator<Item = u64>| all.fold(0, u64::saturating_add);
    let (base_layers, base_bytes) = (base.len(), sum(&mut base.iter().map(|r| r.bytes)));
    let own = rows.iter().filter(|r| !r.base);
    let bytes = sum(&mut own.map(|r| r.bytes));
    let (lost, lost_bytes) = lost(&image, store);
    let (duplicates, duplicate_bytes) = duplicates(&image, store);
    Ok(ImageReport {
        file: shown,
        matches: notes.is_empty(),
        notes,
        base_layers,
        base_bytes,
        bytes,
        layers: rows,
        more_lost: image.losses().len().saturating_sub(lost.len()),
        lost,
        lost_bytes,
        duplicates,
        duplicate_bytes,
    })
}

/// Puts what the image has beside each step.
pub fn beside(rows: &mut [LayerRow], image: &ImageReport) {
    for row in rows {
        let made = image
            .layers
            .iter()
            .find(|l| l.step.as_ref() == Some(&row.id));
        row.image = made.map(|l| BesideRow {
            layer: l.number,
            bytes: l.bytes,
            packed_bytes: l.packed_bytes,
            difference_bytes: row
                .bytes
                .and_then(|b| i64::try_from(i128::from(b) - i128::from(l.bytes)).ok()),
            difference_share: row
                .bytes
                .filter(|_| l.bytes > 0)
                .map(|b| b as f64 / l.bytes as f64 - 1.0),
        });
    }
}

/// For each layer that was worked out the entry of the image's history that is it: the last steps of both.
fn pairs(image: &Image, layers: &ImageLayers) -> Vec<Option<usize>> {
    let all = image.made_of().iter().enumerate();
    let is_step = |l: &ImageLayer| match l.created_by.is_empty() {
        true => l.layer.is_some(),
        false => l.layer.is_some() || made_by(&l.created_by).is_some(),
    };
    let steps: Vec<usize> = all.filter(|(_, l)| is_step(l)).map(|(n, _)| n).collect();
    let mut out: Vec<Option<usize>> = vec![None; layers.layers.len()];
    for (slot, entry) in out.iter_mut().rev().zip(steps.iter().rev()) {
        *slot = Some(*entry);
    }
    out
}

/// Whether a layer says that it was made by this step; one that says nothing may be.
fn is_of(made: &ImageLayer, step: &Step) -> bool {
    let words = |t: &str| -> Vec<String> { t.split_whitespace().map(str::to_owned).collect() };
    let title = crate::cost::log::title(&step.name).and_then(|t| t.instruction());
    let printed = title.map_or("", |(_, _, text)| text);
    let texts = [step.text.as_str(), printed];
    // An exec form behind values of arguments: nothing tells where it begins.
    let created = made.created_by.trim_end_matches(" # buildkit");
    if created.starts_with("RUN |") && step.kind == StepKind::Run {
        let created = words(created);
        let ends = |t: &&str| !t.is_empty() && created.ends_with(&words(t));
        if texts.iter().any(ends) {
            return true;
        }
    }
    let Some((keyword, text)) = made_by(&made.created_by) else {
        return made.created_by.is_empty();
    };
    let own = texts.iter().any(|t| words(t) == words(&text));
    // Paths are printed as they are written, a working directory resolved.
    let of_place = keyword == "WORKDIR" || text.starts_with("<<");
    keyword == step.kind.keyword() && (own || of_place)
}

fn lost(image: &Image, store: Store) -> (Vec<ImageLossRow>, u64) {
    let of = |l: &crate::image::Loss| store.file(l.size);
    let total = image.losses().iter().map(of).fold(0, u64::saturating_add);
    let mut all: Vec<_> = image.losses().iter().filter(|l| l.size > 0).collect();
    all.sort_by(|a, b| (b.size, &a.path, a.by).cmp(&(a.size, &b.path, b.by)));
    let row = |l: &&crate::image::Loss| ImageLossRow {
        path: format!("/{}", display(&l.path)),
        bytes: of(l),
        layer: l.holder,
        by: l.by,
        kind: LossKind::as_str(l.kind),
    };
    (all.iter().take(MOST).map(row).collect(), total)
}

fn duplicates(image: &Image, store: Store) -> (Vec<DuplicateRow>, u64) {
    type Group<'i> = (u64, Vec<&'i [u8]>);
    let mut groups: BTreeMap<[u8; 32], Group<'_>> = BTreeMap::new();
    // Names of one file are no duplicates.
    let mut seen: BTreeSet<*const Inode> = BTreeSet::new();
    for (path, inode) in image.iter() {
        if let Kind::File { size, digest, .. } = inode.kind
            && size > 0
            && seen.insert(std::ptr::from_ref(inode))
        {
            let group = groups.entry(digest).or_insert((size, Vec::new()));
            group.1.push(path);
        }
    }
    let several = groups.into_values().filter(|(_, g)| g.len() > 1);
    let mut rows: Vec<DuplicateRow> = several
        .map(|(size, places)| {
            let size = store.file(size);
            let listed = places.iter().take(MOST_PLACES);
            let place = |path: &&[u8]| PlaceRow {
                step: None,
                layer: image.holder(path),
                path: format!("/{}", display(path)),
            };
            DuplicateRow {
                size,
                wasted: size.saturating_mul(places.len() as u64 - 1),
                places: listed.map(place).collect(),
                more: places.len().saturating_sub(MOST_PLACES),
            }
        })
        .collect();
    let total = rows.iter().map(|r| r.wasted).fold(0, u64::saturating_add);
    rows.sort_by_key(|r| std::cmp::Reverse(r.wasted));
    rows.truncate(MOST);
    (rows, total)
}
