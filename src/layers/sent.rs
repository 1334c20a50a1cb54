//! The files of a build context, as COPY finds them.
//!
//! Goes in: entries, and where their sizes come from. Comes out: look-ups by path, folder and wildcard, links followed. A look-up costs a
//! binary search; sizes are asked for once each. Invariants: entries are sorted by path, and every entry's folders are entries.

use crate::pattern::{SourceKind, SourcePattern, clean};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Read;

/// As many links as the builder follows in one path.
const MAX_LINKS: usize = 40;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link with its text, empty where that is not known.
    Link(String),
    /// A pipe or a device.
    Other,
}

/// One entry of the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the context.
    pub path: String,
    /// What it is.
    pub what: What,
    /// Digest of a file's content, where that is known.
    pub digest: Option<[u8; 32]>,
    /// Permission bits, where they are known.
    pub mode: Option<u32>,
    /// What all names of one file have in common, where it has several.
    pub same: Option<(u64, u64)>,
}

/// Where bytes of entries come from.
pub trait Source {
    /// How many bytes files have, where that is known.
    fn sizes(&self, paths: &[String]) -> Vec<Option<u64>>;

    /// The content of a file; `None` where it cannot be read.
    fn open(&self, _path: &str) -> Option<Box<dyn Read + '_>> {
        None
    }
}

/// A context.
pub struct Sent<'a> {
    entries: Vec<Entry>,
    sizes: RefCell<Vec<Option<Option<u64>>>>,
    source: &'a dyn Source,
}

impl<'a> Sent<'a> {
    /// Entries in any order; folders that are missing are added.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>, source: &'a dyn Source) -> Self {
        let known: BTreeSet<&str> = entries.iter().map(|e| e.path.as_str()).collect();
        let mut missing: BTreeSet<String> = BTreeSet::new();
        for entry in &entries {
            let mut at = entry.path.as_str();
            while let Some((folder, _)) = at.rsplit_once('/') {
                if known.contains(folder) || !missing.insert(folder.to_owned()) {
                    break;
                }
                at = folder;
            }
        }
        drop(known);
        entries.extend(missing.into_iter().map(|path| Entry {
            path,
            what: What::Folder,
            digest: None,
            mode: None,
            same: None,
        }));
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let sizes = RefCell::new(vec![None; entries.len()]);
        Self {
            entries,
            sizes,
            source,
        }
    }

    /// An entry by its number.
    #[must_use]
    pub fn entry(&self, number: usize) -> &Entry {
        &self.entries[number]
    }

    /// The content of a file.
    #[must_use]
    pub fn open(&self, number: usize) -> Option<Box<dyn Read + '_>> {
        self.source.open(&self.entries[number].path)
    }

    /// Sizes of files, 0 where they are not known.
    #[must_use]
    pub fn sizes(&self, numbers: &[usize]) -> Vec<u64> {
        let mut sizes = self.sizes.borrow_mut();
        let new = numbers.iter().copied().filter(|n| sizes[*n].is_none());
        let new: Vec<usize> = new.collect();
        if !new.is_empty() {
            let paths: Vec<String> = new.iter().map(|n| self.entries[*n].path.clone()).collect();
            let found = self.source.sizes(&paths);
            for (number, size) in new.iter().zip(found) {
                sizes[*number] = Some(size);
            }
        }
        let known = |n: &usize| sizes[*n].flatten().unwrap_or(0);
        numbers.iter().map(known).collect()
    }

    fn find(&self, path: &str) -> Option<usize> {
        let found = self.entries.binary_search_by(|e| e.path.as_str().cmp(path));
        found.ok()
    }

    /// Numbers of all entries below a folder; empty is the whole context.
    #[must_use]
    pub fn below(&self, folder: &str) -> std::ops::Range<usize> {
        if folder.is_empty() {
            return 0..self.entries.len();
        }
        // `0` comes right behind `/`.
        let from = format!("{folder}/");
        let to = format!("{folder}0");
        let at = |bound: &str| self.entries.partition_point(|e| e.path.as_str() < bound);
        at(&from)..at(&to)
    }

    /// What a source names or matches: the path as it is named there, and the entry that it leads to, links followed;
    /// no entry for the whole context.
    #[must_use]
    pub fn nodes(&self, source: &SourcePattern) -> Vec<(String, Option<usize>)> {
        match source.kind() {
            SourceKind::Root => vec![(String::new(), None)],
            SourceKind::Plain(path) => {
                let found = self.follow(path);
                found
                    .map(|n| (path.to_owned(), Some(n)))
                    .into_iter()
                    .collect()
            }
            SourceKind::Wildcard { prefix_dir } => {
                let real = match prefix_dir {
                    "" => Some(String::new()),
                    dir => self.follow(dir).map(|n| self.entries[n].path.clone()),
                };
                let Some(real) = real else {
                    return Vec::new();
                };
                let rest = |n: usize| {
                    let path = self.entries[n].path.strip_prefix(&real)?;
                    let named = match prefix_dir {
                        "" => path.trim_start_matches('/').to_owned(),
                        dir => format!("{dir}{path}"),
                    };
                    let hit = source.matches(named.as_bytes());
                    hit.then(|| Some((self.follow(&self.entries[n].path)?, named)))?
                };
                let found = self.below(&real).filter_map(rest);
                found.map(|(n, named)| (named, Some(n))).collect()
            }
        }
    }

    /// The entry that a path leads to when every link on it is resolved inside the context.
    fn follow(&self, path: &str) -> Option<usize> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let ends = path.match_indices('/').map(|(i, _)| i).chain([path.len()]);
            let link = ends.into_iter().find_map(|end| {
                let number = self.find(&path[..end])?;
                match &self.entries[number].what {
                    What::Link(text) if !text.is_empty() => Some((end, text)),
                    _ => None,
                }
            });
            let Some((end, text)) = link else {
                return self.find(&path);
            };
            let folder = path[..end].rsplit_once('/').map_or("", |(d, _)| d);
            let rest = &path[end..];
            let joined = match text.strip_prefix('/') {
                Some(text) => format!("/{text}{rest}"),
                None => format!("/{folder}/{text}{rest}"),
            };
            path = clean(&joined)[1..].to_owned();
        }
        None
    }
}
