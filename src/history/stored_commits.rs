//! What commit objects say, remembered from one run to the next.
//!
//! Goes in: an id. Comes out: the commit, if an earlier run read it. Costs one read of some 110 bytes per commit.
//! Invariant: an id names its commit by content, so what was read once is true for ever; where a shallow clone ends
//! is not in here.

use super::Oid;
use super::repository::{bytes_of, object_id};
use super::walk::Commit;
use crate::disk::Kept;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Changes with the format; an older file is a miss.
const MAGIC: &[u8] = b"cacheplan commits\x001";

/// Commits kept beside those of the last run.
const MAX_OTHERS: usize = 50_000;

/// Columns with a row for each commit.
#[derive(Default, Serialize, Deserialize)]
struct Body<'a> {
    /// The repository.
    #[serde(borrow)]
    name: &'a [u8],
    /// Id and tree of each, 20 bytes both.
    ids: &'a [u8],
    /// Ids of all parents, 20 bytes each, and how many are whose.
    parents: &'a [u8],
    parent_counts: Vec<u32>,
    seconds: Vec<i64>,
    /// All summaries, and where each ends.
    summaries: &'a str,
    summary_ends: Vec<u32>,
}

/// The commits of one repository, as an earlier run left them.
#[derive(Debug)]
pub(super) struct StoredCommits {
    kept: Kept,
    name: Vec<u8>,
    bytes: Vec<u8>,
}

impl StoredCommits {
    /// Whether there are any, sound or not.
    pub fn are_there(cache_dir: &Path, name: &[u8]) -> bool {
        kept(cache_dir, name).is_there()
    }

    /// Opens them; the folder need not exist.
    pub fn open(cache_dir: &Path, name: Vec<u8>) -> Self {
        let kept = kept(cache_dir, &name);
        let bytes = kept.read();
        Self { kept, name, bytes }
    }

    /// What is remembered.
    pub fn known(&self) -> KnownCommits<'_> {
        let body = postcard::from_bytes::<Body>(&self.bytes).ok();
        let body = body.filter(|b| b.name == self.name);
        body.and_then(KnownCommits::new).unwrap_or_default()
    }

    /// Remembers the commits that a run met, and of what was known as much as there is room for.
    pub fn keep(&self, met: &[Commit], known: &KnownCommits<'_>) {
        let mut own: FxHashSet<Oid> = FxHashSet::default();
        let met = met.iter().filter(|c| own.insert(bytes_of(&c.id)));
        let met: Vec<&Commit> = met.collect();
        let mut others: Vec<(&Oid, &usize)> = known.rows.iter().collect();
        others.retain(|(id, _)| !own.contains(*id));
        others.sort_unstable_by_key(|(_, row)| **row);
        others.truncate(MAX_OTHERS);
        let others = others.into_iter().filter_map(|(id, _)| known.get(id));
        let mut out = Writer::default();
        met.into_iter().for_each(|c| out.row(c));
        others.for_each(|c| out.row(&c));
        if let Some(bytes) = out.finish(&self.name) {
            self.kept.write(&bytes);
        }
    }
}

fn kept(cache_dir: &Path, name: &[u8]) -> Kept {
    Kept::new(cache_dir.join("commits"), name, MAGIC)
}

/// What is remembered, by id.
#[derive(Default)]
pub(super) struct KnownCommits<'a> {
    body: Body<'a>,
    rows: FxHashMap<Oid, usize>,
    /// Where the parents of each begin.
    first_parents: Vec<usize>,
}

impl<'a> KnownCommits<'a> {
    /// `None` where the columns do not belong together.
    fn new(body: Body<'a>) -> Option<Self> {
        let count = body.seconds.len();
        let ids = body.ids.as_chunks::<40>();
        let columns = [
            ids.0.len(),
            body.parent_counts.len(),
            body.summary_ends.len(),
        ];
        if columns != [count; 3] || !ids.1.is_empty() {
            return None;
        }
        let mut rows = FxHashMap::with_capacity_and_hasher(count, rustc_hash::FxBuildHasher);
        for (row, id) in ids.0.iter().enumerate() {
            rows.insert(*id.first_chunk()?, row);
        }
        let mut next = 0_usize;
        let first_parents = body.parent_counts.iter().map(|n| {
            let first = next;
            next = next.saturating_add(*n as usize);
            first
        });
        let first_parents: Vec<usize> = first_parents.collect();
        (next.checked_mul(20)? == body.parents.len()).then_some(Self {
            body,
            rows,
            first_parents,
        })
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A commit, as if its clone were whole.
    pub fn get(&self, id: &Oid) -> Option<Commit> {
        let row = *self.rows.get(id)?;
        let tree: Oid = self
            .body
            .ids
            .get(row * 40 + 20..row * 40 + 40)?
            .try_into()
            .ok()?;
        let parent_count = self.body.parent_counts[row];
        let first = self.first_parents[row];
        let parents = self.body.parents.as_chunks::<20>().0;
        let parents = parents.get(first..first + parent_count as usize)?;
        let start = row.checked_sub(1).map_or(0, |r| self.body.summary_ends[r]);
        let summary = start as usize..self.body.summary_ends[row] as usize;
        Some(Commit {
            id: object_id(id),
            tree: object_id(&tree),
            parents: parents.iter().map(object_id).collect(),
            parent_count,
            seconds: self.body.seconds[row],
            summary: self.body.summaries.get(summary)?.to_owned(),
            at_boundary: false,
        })
    }
}

#[derive(Default)]
struct Writer {
    ids: Vec<u8>,
    parents: Vec<u8>,
    parent_counts: Vec<u32>,
    seconds: Vec<i64>,
    summaries: String,
    summary_ends: Vec<usize>,
}

impl Writer {
    fn row(&mut self, commit: &Commit) {
        self.ids.extend_from_slice(commit.id.as_bytes());
        self.ids.extend_from_slice(commit.tree.as_bytes());
        for parent in &commit.parents {
            self.parents.extend_from_slice(parent.as_bytes());
        }
        self.parent_counts.push(commit.parent_count);
        self.seconds.push(commit.seconds);
        self.summaries.push_str(&commit.summary);
        self.summary_ends.push(self.summaries.len());
    }

    fn finish(self, name: &[u8]) -> Option<Vec<u8>> {
        let ends = self.summary_ends.into_iter().map(u32::try_from);
        let body = Body {
            name,
            ids: &self.ids,
            parents: &self.parents,
            parent_counts: self.parent_counts,
            seconds: self.seconds,
            summaries: &self.summaries,
            summary_ends: ends.collect::<Result<_, _>>().ok()?,
        };
        postcard::to_stdvec(&body).ok()
    }
}
