//! The entries as the builder keeps them while it hashes: one sorted list, folders with two records.
//!
//! Goes in: sorted entries and where their bytes are. Comes out: digests of paths, links followed.
//! Costs one sorted list in memory, and every record is hashed at most once. Invariant: keys sort with
//! `/` below every other byte, so a folder is followed by all that is in it.

use super::digest::{Digest, DigestError};
use super::digest_file::{Contents, entry_digest};
use super::{ContextEntry, ContextError, EntryKind};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use std::sync::OnceLock;

/// The builder's limit for links on the way to one path.
const LINK_LIMIT: u32 = 255;

/// What a record stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A folder with all that is in it.
    Folder,
    /// The metadata of a folder.
    Header,
    /// A file, pipe or device.
    File,
    /// A link.
    Link,
}

/// One record.
#[derive(Debug)]
pub(super) struct Record {
    /// The absolute path with a zero byte for each slash; a header has one more at its end.
    pub(super) key: Box<[u8]>,
    pub(super) what: What,
    /// Index of the entry; none for the root.
    entry: Option<usize>,
    digest: OnceLock<Digest>,
}

/// A context ready to be hashed. Digests are computed when they are asked for, and kept.
pub struct SentTree<'a> {
    entries: &'a [ContextEntry],
    contents: &'a dyn Contents,
    records: Vec<Record>,
}

/// Whether a link in the last place is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastLink {
    Followed,
    Taken,
}

/// `/a/b` as a key; the root is empty.
pub(super) fn key_of(path: &[u8]) -> Vec<u8> {
    let zero = |b: &u8| if *b == b'/' { 0 } else { *b };
    match path {
        b"/" => Vec::new(),
        _ => path.iter().map(zero).collect(),
    }
}

/// The path of a key.
pub(super) fn path_of(key: &[u8]) -> Vec<u8> {
    let slash = |b: &u8| if *b == 0 { b'/' } else { *b };
    key.iter().map(slash).collect()
}

impl<'a> SentTree<'a> {
    /// Takes entries as [`super::walk()`] gives them: every folder above an entry is there.
    #[must_use]
    pub fn new(entries: &'a [ContextEntry], contents: &'a dyn Contents) -> Self {
        let record = |key: Vec<u8>, what, entry| Record {
            key: key.into(),
            what,
            entry,
            digest: OnceLock::new(),
        };
        let mut records = vec![
            record(Vec::new(), What::Folder, None),
            record(vec![0], What::Header, None),
        ];
        for (i, entry) in entries.iter().enumerate() {
            let mut key = vec![0];
            key.extend(key_of(&entry.path));
            match entry.kind {
                EntryKind::Directory => {
                    let header = [&key[..], &[0]].concat();
                    records.push(record(key, What::Folder, Some(i)));
                    records.push(record(header, What::Header, Some(i)));
                }
                EntryKind::Symlink => records.push(record(key, What::Link, Some(i))),
                EntryKind::File | EntryKind::Other => {
                    records.push(record(key, What::File, Some(i)));
                }
            }
        }
        if entries.is_empty() {
            // With nothing sent the builder has no records, looks at its own folder instead, and the
            // metadata of that one does count (confirmed with a real build of an empty context).
            let own = "namemode493uid0gid0size0typeflag5linknameunamegnamedevmajor0devminor0";
            let _ = records[1].digest.set(Digest::of(own.as_bytes()));
        }
        records.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Self {
            entries,
            contents,
            records,
        }
    }

    pub(super) fn record(&self, index: usize) -> Option<&Record> {
        self.records.get(index)
    }

    /// Index of the first record with this key or a later one.
    pub(super) fn lower_bound(&self, key: &[u8]) -> usize {
        self.records.partition_point(|r| &*r.key < key)
    }

    fn get(&self, key: &[u8]) -> Option<usize> {
        self.records.binary_search_by(|r| (*r.key).cmp(key)).ok()
    }

    /// The digest of an absolute path: all of a folder, what a link leads to.
    pub(super) fn digest_at(&self, path: &[u8]) -> Result<Digest, DigestError> {
        match self.follow(&key_of(path), LastLink::Followed)? {
            (_, Some(index)) => {
                self.prepare_below(index);
                Ok(self.digest(index)?)
            }
            (_, None) => Err(DigestError::NotFound {
                path: path.to_vec(),
            }),
        }
    }

    /// The key that a key leads to through links, and its record, if there is one. Nothing leads
    /// out of the root.
    pub(super) fn follow(
        &self,
        key: &[u8],
        last: LastLink,
    ) -> Result<(Vec<u8>, Option<usize>), DigestError> {
        let direct = self.get(key);
        let is_link = |i: usize| self.records[i].what == What::Link;
        if let Some(i) = direct
            && (last == LastLink::Taken || !is_link(i))
        {
            return Ok((key.to_vec(), direct));
        }
        // Elements still to be looked up, the next one last.
        let mut ahead: Vec<Vec<u8>> = elements(&path_of(key)).rev().map(<[u8]>::to_vec).collect();
        let (mut current, mut found, mut links): (Vec<u8>, _, _) = (Vec::new(), None, 0);
        while let Some(element) = ahead.pop() {
            let above = current.len();
            match &element[..] {
                b"" | b"." => {}
                b".." => current.truncate(current.iter().rposition(|b| *b == 0).unwrap_or(0)),
                name => {
                    current.push(0);
                    current.extend_from_slice(name);
                }
            }
            found = self.get(&current);
            let Some(link) = found.filter(|i| is_link(*i)) else {
                continue;
            };
            if last == LastLink::Taken && ahead.is_empty() {
                break;
            }
            links += 1;
            if links > LINK_LIMIT {
                return Err(DigestError::TooManyLinks);
            }
            let target = self.link_target(link);
            ahead.extend(elements(target).rev().map(<[u8]>::to_vec));
            current.truncate(if target.starts_with(b"/") { 0 } else { above });
        }
        Ok((current, found))
    }

    fn link_target(&self, index: usize) -> &[u8] {
        let entry = self.records[index].entry.map(|e| &self.entries[e]);
        entry
            .and_then(|e| e.link_target.as_deref())
            .unwrap_or_default()
    }

    /// The digest of a record.
    pub(super) fn digest(&self, index: usize) -> Result<Digest, ContextError> {
        let record = &self.records[index];
        if let Some(digest) = record.digest.get() {
            return Ok(*digest);
        }
        let digest = match (record.what, record.entry) {
            (What::Folder, _) => self.folder_digest(index)?,
            (_, Some(entry)) => entry_digest(&self.entries[entry], self.contents)?,
            // The root's own metadata never counts.
            (_, None) => Digest::of(b""),
        };
        Ok(*record.digest.get_or_init(|| digest))
    }

    fn folder_digest(&self, index: usize) -> Result<Digest, ContextError> {
        let own = self.records[index].key.len();
        let inside = [&*self.records[index].key, &[0]].concat();
        let mut hasher = Sha256::new();
        let mut next = self.lower_bound(&inside);
        while let Some(record) = self
            .records
            .get(next)
            .filter(|r| r.key.starts_with(&inside))
        {
            hasher.update(&record.key[own..]);
            hasher.update(self.digest(next)?.to_string());
            next = match record.what {
                What::Folder => self.lower_bound(&[&*record.key, &[0, 0xff]].concat()),
                _ => next + 1,
            };
        }
        Ok(Digest(hasher.finalize().into()))
    }

    /// Hashes everything in a folder on all cores. Errors come again, and in order, when the digests
    /// are put together.
    fn prepare_below(&self, index: usize) {
        if self.records[index].what == What::Folder {
            let inside = [&*self.records[index].key, &[0]].concat();
            let end = self.lower_bound(&[&inside[..], &[0xff]].concat());
            self.prepare(index + 1..end);
        }
    }

    /// Hashes these records on all cores, folders aside.
    pub(super) fn prepare(&self, indices: impl IntoParallelIterator<Item = usize>) {
        indices
            .into_par_iter()
            .filter(|i| self.records[*i].what != What::Folder)
            .for_each(|i| drop(self.digest(i)));
    }
}

/// Elements of a path, empty ones too: they matter in no way but cost nothing.
fn elements(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|b| *b == b'/')
}
