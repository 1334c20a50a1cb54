//! What builds changed, remembered from one run to the next.
//!
//! Goes in: pairs of commits. Comes out: the changes from the first to the second, if an earlier run compared their trees.
//! Costs one read of some 15 bytes per change. Invariant: a commit names its tree by content, so what was true of a
//! pair once is true for ever; nothing of the checkout's conversions is in here.

use super::log::{Change, ChangeLog};
use super::paths::{PathId, PathTable};
use super::{Entry, EntryKind, Oid};
use crate::disk::Kept;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Changes with the format; an older file is a miss.
const MAGIC: &[u8] = b"cacheplan change log\x002";

/// Builds kept beside those of the last run.
const MAX_OTHERS: usize = 20_000;

/// A pair of commits: the build before, and the build. The first build of a list has none before it.
pub(super) type Pair = (Option<Oid>, Oid);

#[derive(Default, Serialize, Deserialize)]
struct Body<'a> {
    /// The repository and the part of it that was compared.
    #[serde(borrow)]
    name: &'a [u8],
    #[serde(borrow)]
    paths: Vec<&'a [u8]>,
    /// Object ids, 20 bytes each.
    #[serde(borrow)]
    oids: &'a [u8],
    /// Object ids of the pair by number, 0 for none, and how many rows are its own.
    builds: Vec<(u32, u32, u32)>,
    /// Path, and both sides: 0 for none, else the number of the object id times eight and the kind.
    rows: Vec<(u32, u32, u32)>,
}

/// The memory of one repository and scope.
pub(super) struct Stored {
    kept: Kept,
    name: Vec<u8>,
    bytes: Vec<u8>,
}

impl Stored {
    /// Opens it; the folder need not exist.
    pub fn open(cache_dir: &Path, name: Vec<u8>) -> Self {
        let kept = Kept::new(cache_dir.join("history"), &name, MAGIC);
        let bytes = kept.read();
        Self { kept, name, bytes }
    }

    /// What is remembered.
    pub fn known(&self) -> Known<'_> {
        let body = postcard::from_bytes::<Body>(&self.bytes).ok();
        let body = body.filter(|b| b.name == self.name && b.oids.len() % 20 == 0);
        body.and_then(Known::new).unwrap_or_default()
    }

    /// Remembers the builds of a log, and of what was known as much as there is room for.
    pub fn keep(&self, pairs: &[Pair], log: &ChangeLog, known: &Known<'_>) {
        // Paths of the log keep their numbers, and of what else is known those that are needed are added.
        let mut paths: Vec<Vec<u8>> = log.paths.ids().map(|id| log.paths.bytes(id)).collect();
        let mut added: FxHashMap<PathId, PathId> = FxHashMap::default();
        let mut out = Writer::default();
        for (build, pair) in pairs.iter().enumerate() {
            out.build(*pair, log.changes(build).iter().copied());
        }
        let own: rustc_hash::FxHashSet<&Pair> = pairs.iter().collect();
        let mut others: Vec<_> = known.builds.iter().collect();
        others.retain(|(pair, _)| pair.0.is_some() && !own.contains(pair));
        others.sort_unstable_by_key(|(_, rows)| rows.start);
        for (pair, rows) in others.into_iter().take(MAX_OTHERS) {
            let rows = known.body.rows[rows.clone()].iter();
            let changes: Option<Vec<Change>> =
                rows.map(|r| known.change(*r, PathId(r.0))).collect();
            let mut changes = changes.unwrap_or_default();
            for change in &mut changes {
                change.path = *added.entry(change.path).or_insert_with_key(|id| {
                    let path = known.body.paths[id.index()];
                    log.paths.get(path).unwrap_or_else(|| {
                        paths.push(path.to_vec());
                        PathId(u32::try_from(paths.len() - 1).unwrap_or(u32::MAX))
                    })
                });
            }
            out.build(*pair, changes.into_iter());
        }
        if let Some(bytes) = out.finish(&self.name, &paths) {
            self.kept.write(&bytes);
        }
    }
}

/// What is remembered, by pair.
#[derive(Default)]
pub(super) struct Known<'a> {
    body: Body<'a>,
    builds: FxHashMap<Pair, std::ops::Range<usize>>,
}

impl<'a> Known<'a> {
    /// `None` where the parts do not belong together.
    fn new(body: Body<'a>) -> Option<Self> {
        let mut builds = FxHashMap::default();
        let mut start = 0;
        for (before, id, count) in &body.builds {
            let end = start + usize::try_from(*count).ok()?;
            body.rows.get(start..end)?;
            let before = match before {
                0 => None,
                n => Some(oid(body.oids, n - 1)?),
            };
            builds.insert((before, oid(body.oids, id.checked_sub(1)?)?), start..end);
            start = end;
        }
        let paths = u32::try_from(body.paths.len()).ok()?;
        let known = Self { body, builds };
        let reads = |r: &(u32, u32, u32)| r.0 < paths && known.change(*r, PathId(r.0)).is_some();
        known.body.rows.iter().all(reads).then_some(known)
    }

    /// Whether the changes of a pair are known.
    pub fn has(&self, pair: &Pair) -> bool {
        self.builds.contains_key(pair)
    }

    /// How many changes of a pair are known.
    pub fn count(&self, pair: &Pair) -> usize {
        self.builds.get(pair).map_or(0, ExactSizeIterator::len)
    }

    /// Adds the changes of a pair, with paths of another table; none where they are not known.
    pub fn changes(
        &self,
        pair: &Pair,
        paths: &mut PathTable,
        ids: &mut Vec<Option<PathId>>,
        changes: &mut Vec<Change>,
    ) {
        let Some(rows) = self.builds.get(pair) else {
            return;
        };
        let rows = &self.body.rows[rows.clone()];
        ids.resize(self.body.paths.len(), None);
        let mut one = |row: &(u32, u32, u32)| {
            let at = row.0 as usize;
            let id = *ids[at].get_or_insert_with(|| paths.insert(self.body.paths[at]));
            self.change(*row, id)
        };
        // Checked when the memory was opened: every row can be read.
        changes.extend(rows.iter().filter_map(&mut one));
    }

    fn change(&self, row: (u32, u32, u32), path: PathId) -> Option<Change> {
        let side = |n: u32| -> Option<Option<Entry>> {
            if n == 0 {
                return Some(None);
            }
            let kind = match n % 8 {
                1 => EntryKind::File,
                2 => EntryKind::Executable,
                3 => EntryKind::Symlink,
                4 => EntryKind::Submodule,
                _ => return None,
            };
            let oid = oid(self.body.oids, n / 8)?;
            Some(Some(Entry { kind, oid }))
        };
        let (old, new) = (side(row.1)?, side(row.2)?);
        Some(Change { path, old, new })
    }
}

fn oid(all: &[u8], n: u32) -> Option<Oid> {
    let start = usize::try_from(n).ok()?.checked_mul(20)?;
    all.get(start..start + 20)?.try_into().ok()
}

#[derive(Default)]
struct Writer {
    oids: Vec<u8>,
    /// What each path had last. A file changes from what it was: that is looked at, and no other object ids.
    last: Vec<Option<(Oid, u32)>>,
    commits: FxHashMap<Oid, u32>,
    builds: Vec<(u32, u32, u32)>,
    rows: Vec<(u32, u32, u32)>,
    /// Something has no number: nothing is written.
    full: bool,
}

impl Writer {
    fn build(&mut self, pair: Pair, changes: impl ExactSizeIterator<Item = Change>) {
        let before = pair.0.map_or(0, |id| self.commit(id) + 1);
        let id = self.commit(pair.1) + 1;
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        self.builds.push((before, id, count));
        for change in changes {
            let [old, new] = [change.old, change.new].map(|side| self.side(change.path, side));
            self.rows.push((change.path.0, old, new));
        }
    }

    fn oid(&mut self, oid: Oid) -> u32 {
        let next = u32::try_from(self.oids.len() / 20).unwrap_or(u32::MAX);
        self.oids.extend_from_slice(&oid);
        next
    }

    fn commit(&mut self, id: Oid) -> u32 {
        if let Some(known) = self.commits.get(&id) {
            return *known;
        }
        let number = self.oid(id);
        self.commits.insert(id, number);
        number
    }

    fn side(&mut self, path: PathId, side: Option<Entry>) -> u32 {
        let Some(entry) = side else { return 0 };
        let kind = match entry.kind {
            EntryKind::File => 1,
            EntryKind::Executable => 2,
            EntryKind::Symlink => 3,
            EntryKind::Submodule => 4,
            // Trees have none.
            EntryKind::Folder => {
                self.full = true;
                0
            }
        };
        if self.last.len() <= path.index() {
            self.last.resize(path.index() + 1, None);
        }
        let n = match self.last[path.index()] {
            Some((oid, n)) if oid == entry.oid => n,
            _ => {
                let n = self.oid(entry.oid);
                self.last[path.index()] = Some((entry.oid, n));
                n
            }
        };
        self.full |= n > u32::MAX / 8 - 1;
        n.wrapping_mul(8) + kind
    }

    fn finish(self, name: &[u8], paths: &[Vec<u8>]) -> Option<Vec<u8>> {
        let body = Body {
            name,
            paths: paths.iter().map(Vec::as_slice).collect(),
            oids: &self.oids,
            builds: self.builds,
            rows: self.rows,
        };
        let bytes = postcard::to_stdvec(&body).ok();
        bytes.filter(|_| !self.full)
    }
}
