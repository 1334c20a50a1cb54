//! What builds changed, as it is kept in memory.
//!
//! Goes in: lists of changes, each with the builds that they belong to. Comes out: the changes of any build. Costs
//! nothing but the lists themselves: they stay where they were made, in whatever order. Invariant: a build has at most
//! one change of a path.

use super::checkout::Unread;
use super::{CommitId, Entry, EntryKind, PathId, PathTable};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Builds that one task looks through.
const BUILDS: usize = 256;

/// A build of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its id.
    pub id: CommitId,
    /// How many parents its commit object names (more than one: a merge).
    pub parent_count: u32,
    /// Those that are there, the first one first; none of a shallow clone's oldest, nor of what is no commit.
    pub parents: Vec<CommitId>,
    /// Commit time, seconds since 1970 UTC.
    pub seconds: i64,
    /// The first line of its message that is not blank; bytes that are not UTF-8 replaced.
    pub summary: String,
}

/// One path that differs from the build before; at least one of the two sides is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which path.
    pub path: PathId,
    /// In the build before.
    pub old: Option<Entry>,
    /// In this build.
    pub new: Option<Entry>,
}

/// The builds of a walk, oldest first, and what each one changed.
#[derive(Clone, Debug, Default)]
pub struct ChangeLog {
    /// The builds, oldest first.
    pub commits: Vec<CommitInfo>,
    /// Every path that any build has or had, within the prefixes of the walk.
    pub paths: PathTable,
    /// Whether the list is shorter than asked because the clone is shallow.
    pub truncated_by_shallow: bool,
    /// What was missing when conversions of `.gitattributes` were looked at.
    pub unread: Unread,
    lists: Vec<Arc<List>>,
    /// Of each build, its list and its part of that.
    parts: Vec<(usize, Range<usize>)>,
    /// Somebody writes it down.
    keeping: Option<Arc<Keeping>>,
}

/// A thread that writes a log down; whoever drops this waits for it.
#[derive(Debug)]
pub(super) struct Keeping(Option<JoinHandle<()>>);

impl Drop for Keeping {
    fn drop(&mut self) {
        // What went wrong there is no concern of the log: the next run does its work again.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

/// Changes of some builds.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    changes: Vec<Change>,
    /// Those to or from something that is no file, ascending.
    odd: Vec<usize>,
}

impl List {
    pub(super) fn new(changes: Vec<Change>) -> Self {
        let is_file = |e: Entry| matches!(e.kind, EntryKind::File | EntryKind::Executable);
        let is_odd = |c: &Change| !(c.old.is_none_or(is_file) && c.new.is_none_or(is_file));
        let odd = changes.iter().enumerate().filter(|(_, c)| is_odd(c));
        let odd = odd.map(|(at, _)| at).collect();
        Self { changes, odd }
    }
}

impl ChangeLog {
    /// How many builds there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commits.len()
    }

    /// Whether there is no build.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// What build `index` changed against the build before it in the list: in first-parent order
    /// its first parent. For build 0 that is its whole tree, all of it new. Every path at most once.
    ///
    /// # Panics
    /// When there is no such build.
    #[must_use]
    pub fn changes(&self, index: usize) -> &[Change] {
        let (list, part) = &self.parts[index];
        &self.lists[*list].changes[part.clone()]
    }

    /// Adds the next builds: a list of changes, and the part of each of them.
    pub(super) fn add(&mut self, changes: List, parts: impl IntoIterator<Item = Range<usize>>) {
        let list = self.lists.len();
        self.parts
            .extend(parts.into_iter().map(|part| (list, part)));
        self.lists.push(Arc::new(changes));
    }

    /// Lets another thread write it down as it is now; the lists are shared with that.
    pub(super) fn keep(&mut self, write: impl FnOnce(Self) + Send + 'static) {
        let now = self.clone();
        // Without a thread nothing is kept.
        let thread = std::thread::Builder::new().spawn(move || write(now));
        self.keeping = thread.ok().map(|t| Arc::new(Keeping(Some(t))));
    }

    /// Waits until it is written down, for those who will not drop it.
    pub fn kept(&mut self) {
        self.keeping = None;
    }

    /// The changes to or from something that is no file (a link, a submodule), each with its build.
    pub fn odd(&self) -> impl Iterator<Item = (usize, &Change)> {
        self.parts
            .iter()
            .enumerate()
            .flat_map(|(build, (list, part))| {
                let List { changes, odd } = &*self.lists[*list];
                let [from, to] =
                    [part.start, part.end].map(|end| odd.partition_point(|at| *at < end));
                odd[from..to].iter().map(move |at| (build, &changes[*at]))
            })
    }

    /// The changes that somebody looks for, each with its build, in their order.
    pub(super) fn filtered(&self, wanted: impl Fn(&Change) -> bool + Sync) -> Vec<(usize, Change)> {
        let builds: Vec<usize> = (0..self.parts.len()).collect();
        let some = |builds: &[usize]| {
            let all = builds
                .iter()
                .flat_map(|b| self.changes(*b).iter().map(|c| (*b, c)));
            let found = all.filter(|(_, c)| wanted(c));
            found.map(|(b, c)| (b, *c)).collect::<Vec<_>>()
        };
        builds
            .par_chunks(BUILDS)
            .map(some)
            .collect::<Vec<_>>()
            .concat()
    }

    /// Takes other changes of the same builds: all in one list, and where those of each end.
    pub(super) fn replace(&mut self, changes: Vec<Change>, ends: Vec<usize>) {
        debug_assert_eq!(ends.len(), self.len());
        (self.lists, self.parts) = (Vec::new(), Vec::new());
        self.add(List::new(changes), consecutive(ends));
    }

    /// Adds a path inside a submodule that is there with it and changes with it, under the submodule's kind
    /// and id. In builds where the submodule's place is taken by a folder, the path stays what it is.
    pub fn add_inside(&mut self, submodule: PathId, path: &[u8]) {
        let path = self.paths.insert(path);
        let gitlink = |side: Option<Entry>| side.filter(|e| e.kind == EntryKind::Submodule);
        let mut ends = Vec::with_capacity(self.len());
        let mut changes: Vec<Change> = Vec::with_capacity(self.total_changes());
        for build in 0..self.len() {
            let first = changes.len();
            changes.extend_from_slice(self.changes(build));
            let here = changes[first..].iter().find(|c| c.path == submodule);
            let sides = here.map_or((None, None), |c| (gitlink(c.old), gitlink(c.new)));
            if sides != (None, None) {
                match changes[first..].iter_mut().find(|c| c.path == path) {
                    Some(known) => {
                        known.old = known.old.or(sides.0);
                        known.new = known.new.or(sides.1);
                    }
                    None => changes.push(Change {
                        path,
                        old: sides.0,
                        new: sides.1,
                    }),
                }
            }
            ends.push(changes.len());
        }
        self.replace(changes, ends);
    }

    /// Leaves the changes of some paths out.
    pub(super) fn remove(&mut self, paths: &[Vec<u8>]) {
        let ids: Vec<PathId> = paths.iter().filter_map(|p| self.paths.get(p)).collect();
        if ids.is_empty() {
            return;
        }
        let mut ends = Vec::with_capacity(self.len());
        let mut changes = Vec::with_capacity(self.total_changes());
        for build in 0..self.len() {
            let kept = self
                .changes(build)
                .iter()
                .filter(|c| !ids.contains(&c.path));
            changes.extend(kept.copied());
            ends.push(changes.len());
        }
        self.replace(changes, ends);
    }

    /// The changes of all builds together.
    #[must_use]
    pub fn total_changes(&self) -> usize {
        self.parts.iter().map(|(_, part)| part.len()).sum()
    }
}

/// Parts that follow on one another, by where each ends.
pub(super) fn consecutive(ends: Vec<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    ends.into_iter()
        .map(move |end| std::mem::replace(&mut start, end)..end)
}
