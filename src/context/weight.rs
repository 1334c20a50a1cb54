//! What weighs in a context: folders at any depth, equal files, version control folders.
//!
//! Goes in: the entries of a context. Comes out: sums. Costs one pass over the entries and one over
//! the folders. Invariant: orders are total, so equal contexts give equal lists.

use super::{ContextEntry, EntryKind};
use crate::pattern::path::parent;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Bytes and files below something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Bytes of regular files.
    pub bytes: u64,
    /// Everything but folders.
    pub files: u64,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.files += other.files;
    }
}

/// A folder with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Relative to the context root.
    pub path: Vec<u8>,
    /// The sum.
    pub weight: Weight,
}

/// The sum of some entries.
#[must_use]
pub fn total<'a>(entries: impl Iterator<Item = &'a ContextEntry>) -> Weight {
    let mut out = Weight::default();
    entries.for_each(|e| out.add(own(e)));
    out
}

fn own(entry: &ContextEntry) -> Weight {
    Weight {
        bytes: entry.size,
        files: u64::from(entry.kind != EntryKind::Directory),
    }
}

/// Every folder with its sum; the context root is not among them.
#[must_use]
pub fn folders<'a>(entries: impl Iterator<Item = &'a ContextEntry>) -> FxHashMap<&'a [u8], Weight> {
    let mut sums: FxHashMap<&[u8], Weight> = FxHashMap::default();
    for entry in entries {
        if entry.kind == EntryKind::Directory {
            sums.entry(&entry.path).or_default();
        } else {
            sums.entry(parent(&entry.path)).or_default().add(own(entry));
        }
    }
    // From the leaves up, one addition a folder: paths can be thousands of folders deep.
    let mut open: Vec<&[u8]> = sums.keys().copied().collect();
    open.sort_unstable_by_key(|p| std::cmp::Reverse(p.len()));
    let mut by_length: BTreeMap<usize, Vec<&[u8]>> = BTreeMap::new();
    for path in open {
        by_length.entry(path.len()).or_default().push(path);
    }
    while let Some((_, paths)) = by_length.pop_last() {
        for path in paths.into_iter().filter(|p| !p.is_empty()) {
            let weight = sums.get(path).copied().unwrap_or_default();
            let above = parent(path);
            if !sums.contains_key(above) {
                by_length.entry(above.len()).or_default().push(above);
            }
            sums.entry(above).or_default().add(weight);
        }
    }
    sums.remove(&b""[..]);
    sums
}

/// The folders that tell something, heaviest first: one in which a single folder holds nearly
/// everything (nineteen twentieths) stands back for that folder.
#[must_use]
pub fn largest_folders(folders: &FxHashMap<&[u8], Weight>, count: usize) -> Vec<Folder> {
    let mut heaviest_child: FxHashMap<&[u8], u64> = FxHashMap::default();
    for (path, weight) in folders {
        let child = heaviest_child.entry(parent(path)).or_default();
        *child = (*child).max(weight.bytes);
    }
    let mut out: Vec<Folder> = folders
        .iter()
        .filter(|(path, weight)| {
            let child = heaviest_child.get(*path).copied().unwrap_or(0);
            weight.bytes > 0 && child <= weight.bytes - weight.bytes / 20
        })
        .map(|(path, weight)| Folder {
            path: path.to_vec(),
            weight: *weight,
        })
        .collect();
    out.sort_unstable_by(|a, b| (b.weight.bytes, &a.path).cmp(&(a.weight.bytes, &b.path)));
    out.truncate(count);
    out
}

/// Regular files with the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicates {
    /// blake3 of the bytes.
    pub digest: [u8; 32],
    /// Bytes of one of them.
    pub size: u64,
    /// Sorted, two or more.
    pub paths: Vec<Vec<u8>>,
}

impl Duplicates {
    /// Bytes of all but one.
    #[must_use]
    pub fn wasted(&self) -> u64 {
        self.size.saturating_mul(self.paths.len() as u64 - 1)
    }
}

/// Groups of equal files that are not empty, the most wasteful first. Entries without a digest are
/// taken as different from all others.
#[must_use]
pub fn duplicates<'a>(entries: impl Iterator<Item = &'a ContextEntry>) -> Vec<Duplicates> {
    let mut groups: FxHashMap<[u8; 32], Vec<&ContextEntry>> = FxHashMap::default();
    for entry in entries.filter(|e| e.kind == EntryKind::File && e.size > 0) {
        if let Some(digest) = entry.digest {
            groups.entry(digest).or_default().push(entry);
        }
    }
    let mut out: Vec<Duplicates> = groups
        .into_iter()
        .filter(|(_, group)| group.len() > 1)
        .map(|(digest, group)| Duplicates {
            digest,
            size: group[0].size,
            paths: group.iter().map(|e| e.path.clone()).collect(),
        })
        .collect();
    out.sort_unstable_by(|a, b| (b.wasted(), &a.paths).cmp(&(a.wasted(), &b.paths)));
    out
}

/// What version control systems keep beside the files, by name.
const VCS: [&str; 10] = [
    ".git", ".hg", ".svn", ".bzr", ".jj", "_darcs", ".pijul", ".sl", "CVS", ".fossil",
];

/// Folders (or, for a linked work tree, files) of version control systems, sorted by path. One
/// inside another is not listed.
#[must_use]
pub fn vcs<'a>(
    entries: impl Iterator<Item = &'a ContextEntry>,
    folders: &FxHashMap<&[u8], Weight>,
) -> Vec<Folder> {
    let mut out: Vec<Folder> = Vec::new();
    for entry in entries {
        let name = &entry.path[parent(&entry.path).len()..];
        let name = name.strip_prefix(b"/").unwrap_or(name);
        let is_one = VCS.iter().any(|v| v.as_bytes() == name)
            && (entry.kind == EntryKind::Directory
                || entry.kind == EntryKind::File && name != b"CVS");
        let inside = out.last().is_some_and(|f| {
            entry
                .path
                .strip_prefix(f.path.as_slice())
                .is_some_and(|rest| rest.starts_with(b"/"))
        });
        if is_one && !inside {
            let weight = folders.get(entry.path.as_slice()).copied();
            out.push(Folder {
                path: entry.path.clone(),
                weight: weight.unwrap_or_else(|| own(entry)),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: EntryKind, size: u64) -> ContextEntry {
        ContextEntry {
            path: path.as_bytes().to_vec(),
            kind,
            mode: 0o644,
            size,
            digest: (kind == EntryKind::File).then_some([size as u8; 32]),
            link_target: None,
            emptied: false,
        }
    }

    fn file(path: &str, size: u64) -> ContextEntry {
        entry(path, EntryKind::File, size)
    }

    fn names(folders: &[Folder]) -> Vec<(String, u64, u64)> {
        let one = |f: &Folder| {
            let path = String::from_utf8_lossy(&f.path).into_owned();
            (path, f.weight.bytes, f.weight.files)
        };
        folders.iter().map(one).collect()
    }

    #[test]
    fn a_folder_that_is_just_its_child_stands_back() {
        let entries = [
            file("a/b/c/x", 100),
            file("a/b/d/y", 60),
            file("a/z", 1),
            file("e/f", 7),
            file("top", 900),
        ];
        let folders = folders(entries.iter());
        assert_eq!(folders[&b"a"[..]].bytes, 161);
        assert_eq!(
            names(&largest_folders(&folders, 10)),
            [
                ("a/b".to_owned(), 160, 2),
                ("a/b/c".to_owned(), 100, 1),
                ("a/b/d".to_owned(), 60, 1),
                ("e".to_owned(), 7, 1),
            ]
        );
        assert_eq!(
            total(entries.iter()),
            Weight {
                bytes: 1068,
                files: 5
            }
        );
    }

    #[test]
    fn deep_trees_cost_one_addition_a_folder() {
        let deep = vec!["d"; 2000].join("/");
        let entries: Vec<ContextEntry> =
            (0..2000).map(|i| file(&format!("{deep}/{i}"), 1)).collect();
        let folders = folders(entries.iter());
        assert_eq!(folders.len(), 2000);
        assert!(folders.values().all(|w| w.bytes == 2000));
    }

    #[test]
    fn equal_files_are_grouped_by_waste() {
        let entries = [
            file("a", 5),
            file("b", 5),
            file("c", 4),
            file("d", 4),
            file("e", 4),
            file("f", 0),
            file("g", 0),
            file("h", 9),
        ];
        let groups = duplicates(entries.iter());
        let shown: Vec<(u64, usize)> = groups.iter().map(|g| (g.wasted(), g.paths.len())).collect();
        assert_eq!(shown, [(8, 3), (5, 2)]);
    }

    #[test]
    fn version_control_is_found_at_any_depth_once() {
        let entries = [
            entry(".git", EntryKind::Directory, 0),
            file(".git/HEAD", 3),
            entry(".git/modules/x/.git", EntryKind::Directory, 0),
            file("CVS", 2),
            file("sub/.git", 5),
            entry("v/.hg", EntryKind::Directory, 0),
        ];
        let folders = folders(entries.iter());
        assert_eq!(
            names(&vcs(entries.iter(), &folders)),
            [
                (".git".to_owned(), 3, 1),
                ("sub/.git".to_owned(), 5, 1),
                ("v/.hg".to_owned(), 0, 0)
            ]
        );
    }
}
