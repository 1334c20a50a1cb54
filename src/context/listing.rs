//! A context from a list of files, such as those of a commit, instead of a folder on disk.
//!
//! Goes in: files with what is known about them. Comes out: what a walk of a checkout of them gives,
//! without problems and stat data. Costs one evaluation of the rules per path. Invariant: the
//! answer is that of [`super::walk`] over the same files.

use super::sorted::{revived, sort_out};
use super::stat_cache::Stamp;
use super::walk::Found;
use super::{Context, ContextEntry, EntryKind};
use crate::pattern::path::{ancestors, parent};
use crate::pattern::{DirState, IgnoreRules};
use rustc_hash::FxHashMap;

/// Applies ignore rules to files; folders between them are added with the given mode. Paths are
/// relative to the context root.
#[must_use]
pub fn from_listing(files: Vec<ContextEntry>, folder_mode: u32, rules: &IgnoreRules) -> Context {
    let mut all: FxHashMap<Vec<u8>, ContextEntry> = FxHashMap::default();
    for file in files {
        for dir in ancestors(&file.path) {
            if !all.contains_key(dir) {
                all.insert(dir.to_vec(), folder(dir, folder_mode));
            }
        }
        all.insert(file.path.clone(), file);
    }
    let mut all: Vec<ContextEntry> = all.into_values().collect();
    all.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let has_exceptions = rules.patterns().iter().any(|p| p.negated);
    let mut states: FxHashMap<Vec<u8>, DirState> = FxHashMap::default();
    states.insert(Vec::new(), rules.root());
    let mut found = Vec::with_capacity(all.len());
    for mut entry in all {
        // A folder sorts before what is below it. What is below one that is not opened is not seen.
        let Some(above) = states.get(parent(&entry.path)) else {
            continue;
        };
        let (ignored, decided_by) = if entry.kind == EntryKind::Directory {
            let verdict = rules.test(above, &entry.path);
            if !verdict.state.is_pruned() {
                states.insert(entry.path.clone(), verdict.state);
            }
            (verdict.ignored, verdict.decided_by)
        } else {
            rules.decide(above, &entry.path)
        };
        if has_exceptions
            && !ignored
            && entry.kind == EntryKind::File
            && rules.is_ignored_flat(&entry.path)
        {
            entry.emptied = true;
            entry.size = 0;
            entry.digest = entry.digest.map(|_| *blake3::hash(b"").as_bytes());
        }
        found.push(Found {
            entry,
            stamp: Stamp::default(),
            ignored_by: decided_by.filter(|_| ignored),
        });
    }
    let revived = revived(found.iter());
    sort_out(found.into_iter(), &revived, rules).0
}

fn folder(path: &[u8], mode: u32) -> ContextEntry {
    ContextEntry {
        path: path.to_vec(),
        kind: EntryKind::Directory,
        mode,
        size: 0,
        digest: None,
        link_target: None,
        emptied: false,
    }
}
