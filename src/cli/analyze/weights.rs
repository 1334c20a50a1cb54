//! What weighs in the context and how often it changes: the files of the newest commit as a tree, heavy folders opened.

use crate::cli::subject::{Place, Subject};
use crate::cli::timeline::Builds;
use crate::cli::tip_files::TipFiles;
use crate::history::PathId;
use crate::pattern::PathFilter;
use crate::report::detail::{ContextNode, ContextTree};
use anyhow::Result;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Nodes shown.
const MOST_NODES: usize = 160;
/// Children of one folder shown; the lighter ones are one node together.
const MOST_CHILDREN: usize = 24;
/// Stands behind a folder's name for what is not shown of it.
const REST: &str = "…";

/// Lists the context.
///
/// # Errors
/// When trees are missing from the repository.
pub fn context(place: &Place, builds: &Builds, subject: &Subject) -> Result<ContextTree> {
    let repository = place.repository()?;
    let files = TipFiles::new(repository, builds.tip, subject)?;
    let oids: Vec<_> = files.entries.values().map(|e| e.oid).collect();
    let sizes = repository.blob_sizes(&oids);
    let sizes = sizes.into_iter().map(|s| s.unwrap_or(0));
    let folders = Folders::of(files.entries.keys().map(String::as_str).zip(sizes));
    let mut nodes = folders.opened();
    count_changes(&mut nodes, builds, subject);
    Ok(ContextTree {
        nodes,
        git: files.holds_git,
    })
}

/// A folder or file, summed up.
#[derive(Clone, Copy, Default)]
struct Sum {
    bytes: u64,
    files: usize,
}

/// Children of every folder, by path; a folder's ends in `/`, the root's is empty.
struct Folders<'a> {
    children: FxHashMap<&'a str, Vec<(&'a str, Sum)>>,
}

impl<'a> Folders<'a> {
    fn of(files: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
        for (path, bytes) in files {
            let ends = path.match_indices('/').map(|(i, _)| i + 1);
            for end in std::iter::once(0).chain(ends).chain([path.len()]) {
                let sum = sums.entry(&path[..end]).or_default();
                sum.bytes = sum.bytes.saturating_add(bytes);
                sum.files += 1;
            }
        }
        let mut children: FxHashMap<&str, Vec<(&str, Sum)>> = FxHashMap::default();
        for (path, sum) in &sums {
            if !path.is_empty() {
                children.entry(above(path)).or_default().push((path, *sum));
            }
        }
        for list in children.values_mut() {
            list.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then(a.0.cmp(b.0)));
        }
        Self { children }
    }

    /// The root and below it what is heavy, the heaviest folder opened first.
    fn opened(&self) -> Vec<ContextNode> {
        let Some(top) = self.children.get("") else {
            return Vec::new();
        };
        let sum = |list: &[(&str, Sum)]| Sum {
            bytes: list.iter().map(|c| c.1.bytes).fold(0, u64::saturating_add),
            files: list.iter().map(|c| c.1.files).sum(),
        };
        let mut nodes = vec![node("", sum(top), 0)];
        while nodes.len() < MOST_NODES {
            let closed = nodes
                .iter()
                .enumerate()
                .filter(|(_, n)| is_closed_folder(n));
            let heaviest = closed.max_by_key(|(i, n)| (n.bytes, std::cmp::Reverse(*i)));
            let Some((at, folder)) = heaviest.map(|(i, n)| (i, n.path.clone())) else {
                break;
            };
            nodes[at].open = true;
            let list = self.children.get(folder.as_str());
            let list = list.map_or(&[][..], Vec::as_slice);
            let (shown, rest) = list.split_at(match list.len() > MOST_CHILDREN {
                true => MOST_CHILDREN - 1,
                false => list.len(),
            });
            nodes.extend(shown.iter().map(|(path, sum)| node(path, *sum, at)));
            if !rest.is_empty() {
                nodes.push(node(&format!("{folder}{REST}"), sum(rest), at));
            }
        }
        nodes
    }
}

fn node(path: &str, sum: Sum, parent: usize) -> ContextNode {
    ContextNode {
        path: path.to_owned(),
        bytes: sum.bytes,
        files: sum.files,
        builds: 0,
        parent,
        open: false,
    }
}

fn is_closed_folder(n: &ContextNode) -> bool {
    !n.open && n.bytes > 0 && (n.path.is_empty() || n.path.ends_with('/'))
}

/// The folder that a path lies in.
fn above(path: &str) -> &str {
    let inner = path.strip_suffix('/').unwrap_or(path);
    inner.rfind('/').map_or("", |i| &path[..=i])
}

/// In how many builds something of each node changed; the oldest build changes everything and is left out.
fn count_changes(nodes: &mut [ContextNode], builds: &Builds, subject: &Subject) {
    let places: FxHashMap<String, usize> = nodes
        .iter()
        .enumerate()
        .map(|(i, n)| (n.path.clone(), i))
        .collect();
    let open: Vec<bool> = nodes.iter().map(|n| n.open).collect();
    let mut filter = PathFilter::new(&subject.rules);
    let mut touched = |path: PathId| -> Vec<usize> {
        let full = builds.log.paths.bytes(path);
        let below = subject.in_context(&full).filter(|p| !filter.ignored(p));
        let Some(path) = below.and_then(|p| std::str::from_utf8(p).ok()) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        let mut folder = "";
        let ends = path.match_indices('/').map(|(i, _)| i + 1);
        for end in std::iter::once(0).chain(ends).chain([path.len()]) {
            match places.get(&path[..end]) {
                Some(at) => {
                    out.push(*at);
                    if !open[*at] {
                        break;
                    }
                    folder = &path[..end];
                }
                None => {
                    out.extend(places.get(&format!("{folder}{REST}")));
                    break;
                }
            }
        }
        out
    };
    let mut known: FxHashMap<PathId, Vec<usize>> = FxHashMap::default();
    let mut last = vec![0; nodes.len()];
    for build in 1..builds.log.len() {
        for change in builds.log.changes(build) {
            let at = known
                .entry(change.path)
                .or_insert_with(|| touched(change.path));
            for node in at.iter().copied() {
                if std::mem::replace(&mut last[node], build) != build {
                    nodes[node].builds += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_folders_are_opened_and_light_files_stand_together() {
        let many: Vec<String> = (0..40).map(|i| format!("many/{i:02}")).collect();
        let mut files: Vec<(&str, u64)> = many.iter().map(|p| (p.as_str(), 10)).collect();
        files.extend([("a/b/big", 1000), ("a/small", 1), ("top", 5)]);
        let nodes = Folders::of(files.into_iter()).opened();
        let shown = |path: &str| {
            nodes
                .iter()
                .find(|n| n.path == path)
                .map(|n| (n.bytes, n.files))
        };
        assert_eq!(shown(""), Some((1406, 43)));
        assert_eq!(shown("a/b/big"), Some((1000, 1)));
        assert_eq!(shown("many/"), Some((400, 40)));
        assert_eq!(shown("many/…"), Some((170, 17)));
        assert!(nodes.iter().enumerate().all(|(i, n)| n.parent <= i));
        assert_eq!(above("a/b/"), "a/");
        assert_eq!(above("a"), "");
    }
}
