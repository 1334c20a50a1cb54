//! Which commits count as builds, oldest first.
//!
//! Goes in: a [`Walk`]. Comes out: the commits with their trees, and whether a shallow clone cut the
//! list short. Cost: one decoded commit per commit met. Invariant: the set is the one `git rev-list`
//! prints for the same limits, and no commit comes before its parents.

use super::ahead::Listed;
use super::error::one_line;
use super::repository::{bytes_of, object_id};
use super::stored_commits::{KnownCommits, StoredCommits};
use super::tree::Reader;
use super::{CommitId, HistoryError, Repository};
use gix::ObjectId;
use gix::objs::Kind;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Which commits are replayed, and which part of their trees matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The newest build.
    pub tip: CommitId,
    /// Where to stop.
    pub limit: Limit,
    /// Which parents are followed.
    pub mode: WalkMode,
    /// Only these directories and files are compared, relative to the repository root; none at all
    /// means everything. Commits that change nothing of it stay in the list.
    pub prefixes: Vec<Vec<u8>>,
}

/// How far back a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The last so many commits, as `git rev-list --max-count` counts them.
    Count(usize),
    /// The commits that cannot be reached from this one: `--since REV` is `REV..tip`, and `A..B` is
    /// this with `A` and tip `B`. `REV` itself is not a build, so the oldest build of the log is the
    /// first one after it.
    After(CommitId),
}

/// Which commits count as builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalkMode {
    /// The tip, its first parent, that one's first parent, and so on.
    FirstParent,
    /// Every commit, in topological order and by commit time where that leaves a choice.
    All,
}

/// A commit object, decoded.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) id: ObjectId,
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    /// What the commit object says, also where a shallow clone has not got them.
    pub(super) parent_count: u32,
    pub(super) seconds: i64,
    pub(super) summary: String,
    /// A shallow clone ends here: it has parents, and they are not in there.
    pub(super) at_boundary: bool,
}

/// All of a commit that comparing its tree takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) id: ObjectId,
    pub(super) tree: ObjectId,
}

impl Commit {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            id: self.id,
            tree: self.tree,
        }
    }
}

/// The builds of a walk, before anybody looks at what they changed.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Oldest first.
    pub(super) commits: Vec<Commit>,
    pub(super) truncated_by_shallow: bool,
}

impl Chosen {
    /// Names the list to a hash: what commits are follows from their ids, where a shallow clone ends does not.
    pub fn name(&self, mut part: impl FnMut(&[u8])) {
        part(&[u8::from(self.truncated_by_shallow)]);
        for commit in &self.commits {
            part(commit.id.as_bytes());
            part(&[u8::from(commit.at_boundary)]);
        }
    }
}

/// Lists the builds of a walk: the fields of [`Walk`] but for its prefixes, which need not be known yet. What
/// commits say is remembered in the tool's own store, where there is one. Along first parents they are told to `listed` as they
/// come.
///
/// # Errors
/// `Missing`, `Damaged` and `Bookkeeping` of [`HistoryError`].
pub fn choose(
    repository: &Repository,
    (tip, limit, mode): (CommitId, Limit, WalkMode),
    cache_dir: Option<&Path>,
    listed: Option<&Listed>,
) -> Result<Chosen, HistoryError> {
    let stored = cache_dir.map(|dir| StoredCommits::open(dir, repository.name()));
    let known = stored.as_ref().map(StoredCommits::known);
    let known = known.unwrap_or_default();
    let scout = (mode == WalkMode::All && known.is_empty()).then(Scout::default);
    let mut source = Source::new(repository, known)?;
    source.scout = scout.as_ref();
    let tip = object_id(&tip.0);
    let (mut commits, complete) = std::thread::scope(|scope| {
        if let Some(scout) = &scout {
            scope.spawn(|| scout.go(Reader::new(repository), tip));
        }
        let found = walk(&mut source, (tip, limit, mode), listed);
        scout.iter().for_each(Scout::come_back);
        found
    })?;
    commits.reverse();
    if let Some(stored) = stored.as_ref().filter(|_| !source.fresh.is_empty()) {
        stored.keep(&source.fresh, &source.known);
    }
    Ok(Chosen {
        truncated_by_shallow: !complete && commits.iter().any(|commit| commit.at_boundary),
        commits,
    })
}

/// The commits, newest first, and whether they are as many as were asked for.
fn walk(
    source: &mut Source<'_>,
    (tip, limit, mode): (ObjectId, Limit, WalkMode),
    listed: Option<&Listed>,
) -> Result<(Vec<Commit>, bool), HistoryError> {
    Ok(match (mode, limit) {
        (WalkMode::FirstParent, Limit::Count(count)) => {
            let commits = first_parents(source, tip, count, |_| false, listed)?;
            let complete = commits.len() >= count;
            (commits, complete)
        }
        (WalkMode::FirstParent, Limit::After(base)) => {
            let painted = paint(source, tip, Some(object_id(&base.0)), mode, None)?;
            let inside: FxHashSet<_> = painted.iter().map(|commit| commit.id).collect();
            let outside = |id: &ObjectId| !inside.contains(id);
            let commits = first_parents(source, tip, usize::MAX, outside, listed)?;
            (commits, false)
        }
        (WalkMode::All, Limit::Count(count)) => {
            let commits = paint(source, tip, None, mode, Some(count))?;
            let complete = commits.len() >= count;
            (newest_first(commits), complete)
        }
        (WalkMode::All, Limit::After(base)) => {
            let base = Some(object_id(&base.0));
            let commits = paint(source, tip, base, mode, None)?;
            (newest_first(commits), false)
        }
    })
}

/// Reads commits along first parents ahead of a walk over all of them, which meets them later: half the work for another
/// core. It goes on beyond what the walk wants until it is called back.
#[derive(Default)]
struct Scout {
    found: Mutex<FxHashMap<ObjectId, Commit>>,
    is_back: AtomicBool,
}

impl Scout {
    fn go(&self, mut reader: Reader, tip: ObjectId) {
        let mut next = Some((tip, tip));
        while let Some((id, child)) = next.take()
            && !self.is_back.load(Ordering::Relaxed)
            // Who needs the commit will meet the same error, and tell it.
            && let Ok(commit) = decode(&mut reader, id, child)
        {
            next = commit.parents.first().map(|parent| (*parent, id));
            let found = self.found.lock();
            let mut found = found.unwrap_or_else(PoisonError::into_inner);
            found.insert(id, commit);
        }
    }

    fn come_back(&self) {
        self.is_back.store(true, Ordering::Relaxed);
    }

    fn take(&self, id: &ObjectId) -> Option<Commit> {
        let found = self.found.lock();
        found.unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

/// Reads commits, cutting parents off where the clone is shallow.
struct Source<'a> {
    reader: Reader,
    boundary: FxHashSet<ObjectId>,
    known: KnownCommits<'a>,
    /// Those that were not known.
    fresh: Vec<Commit>,
    scout: Option<&'a Scout>,
}

impl<'a> Source<'a> {
    fn new(repository: &Repository, known: KnownCommits<'a>) -> Result<Self, HistoryError> {
        let shallow = repository.handle().shallow_commits();
        let shallow = shallow.map_err(|error| HistoryError::Bookkeeping {
            what: "the shallow file",
            reason: one_line(&error),
        })?;
        Ok(Self {
            reader: Reader::new(repository),
            boundary: shallow.map_or_else(FxHashSet::default, |commits| {
                commits.iter().copied().collect()
            }),
            known,
            fresh: Vec::new(),
            scout: None,
        })
    }

    /// `child` is who needs the commit; errors name it.
    fn read(&mut self, id: ObjectId, child: ObjectId) -> Result<Commit, HistoryError> {
        let known = self.known.get(&bytes_of(&id));
        let mut commit = match known {
            Some(commit) => commit,
            None => {
                let ahead = self.scout.and_then(|scout| scout.take(&id));
                let commit = match ahead {
                    Some(commit) => commit,
                    None => decode(&mut self.reader, id, child)?,
                };
                self.fresh.push(commit.clone());
                commit
            }
        };
        if !commit.parents.is_empty() && self.boundary.contains(&id) {
            commit.at_boundary = true;
            commit.parents.clear();
        }
        Ok(commit)
    }
}

/// `child` is who needs the commit; errors name it.
fn decode(reader: &mut Reader, id: ObjectId, child: ObjectId) -> Result<Commit, HistoryError> {
    let child = CommitId(bytes_of(&child));
    reader.commit = child;
    let bytes = reader.object(id, Kind::Commit)?;
    let decoded = gix::objs::CommitRef::from_bytes(bytes, gix::hash::Kind::Sha1);
    let commit = decoded.map_err(|error| HistoryError::Damaged {
        commit: child,
        what: "commit",
        oid: id.to_string(),
        reason: one_line(&error),
    })?;
    let parents: Vec<_> = commit.parents().collect();
    let summary = commit.message.split(|b| *b == b'\n');
    let summary = summary
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty());
    Ok(Commit {
        id,
        tree: commit.tree(),
        parent_count: u32::try_from(parents.len()).unwrap_or(u32::MAX),
        parents,
        // A time that does not parse sorts as the oldest, which is what git does with it.
        seconds: commit
            .committer()
            .ok()
            .and_then(|who| who.time().ok())
            .map_or(0, |time| time.seconds),
        summary: String::from_utf8_lossy(summary.unwrap_or_default()).into_owned(),
        at_boundary: false,
    })
}

fn first_parents(
    source: &mut Source<'_>,
    tip: ObjectId,
    count: usize,
    outside: impl Fn(&ObjectId) -> bool,
    listed: Option<&Listed>,
) -> Result<Vec<Commit>, HistoryError> {
    let mut commits: Vec<Commit> = Vec::new();
    let mut next = Some((tip, tip));
    while let Some((id, child)) = next.take() {
        if commits.len() >= count || outside(&id) {
            break;
        }
        let commit = source.read(id, child)?;
        next = commit.parents.first().map(|parent| (*parent, id));
        commits.push(commit);
        if let Some(listed) = listed {
            listed.one_more(&commits, Commit::mark);
        }
    }
    if let Some(listed) = listed {
        listed.end(&commits, Commit::mark);
    }
    Ok(commits)
}

/// What is known of a commit met by [`paint`].
struct Met {
    hidden: bool,
    queued: bool,
    parents: Vec<ObjectId>,
}

/// How many commits git still looks at after everything open is hidden, for clocks that were wrong.
const SLOP: u32 = 5;

/// The commits reachable from the tip and not from `base`, newest commit time first. Two colours
/// spread through one queue ordered by time, as in `git rev-list`.
fn paint(
    source: &mut Source<'_>,
    tip: ObjectId,
    base: Option<ObjectId>,
    mode: WalkMode,
    count: Option<usize>,
) -> Result<Vec<Commit>, HistoryError> {
    let mut queue = Queue::default();
    let mut met: FxHashMap<ObjectId, Met> = FxHashMap::default();
    let mut shown: Vec<Commit> = Vec::new();
    // Commits in the queue that may still be wanted.
    let mut open = 0_usize;
    let mut slop = SLOP;
    for (id, hidden) in [(tip, false)].into_iter().chain(base.map(|id| (id, true))) {
        if let Some(known) = met.get_mut(&id) {
            known.hidden |= hidden;
            open = 0;
            continue;
        }
        queue.push(source.read(id, id)?);
        met.insert(id, Met::queued(hidden));
        open += usize::from(!hidden);
    }
    while count.is_none_or(|count| shown.len() < count) {
        let Some(mut commit) = queue.pop() else { break };
        let known = met
            .get_mut(&commit.id)
            .expect("what is queued has been met");
        known.queued = false;
        known.parents.clone_from(&commit.parents);
        let hidden = known.hidden;
        if hidden {
            for parent in std::mem::take(&mut commit.parents) {
                open -= hide(&mut met, parent);
                if let Entry::Vacant(unmet) = met.entry(parent) {
                    unmet.insert(Met::queued(true));
                    // Behind the base nothing has to be there.
                    if let Ok(parent) = source.read(parent, commit.id) {
                        queue.push(parent);
                    }
                }
            }
            let oldest = shown.last().map_or(i64::MAX, |commit| commit.seconds);
            let undecided = open > 0 || queue.newest().is_some_and(|seconds| oldest <= seconds);
            slop = if undecided { SLOP } else { slop - 1 };
            if slop == 0 || queue.newest().is_none() {
                break;
            }
            continue;
        }
        open -= 1;
        if count.is_some_and(|count| shown.len() + 1 >= count) {
            // The last one wanted: its parents need not even be there.
            shown.push(commit);
            break;
        }
        let followed = match mode {
            WalkMode::FirstParent => 1,
            WalkMode::All => commit.parents.len(),
        };
        for parent in commit.parents.iter().take(followed) {
            if let Entry::Vacant(unmet) = met.entry(*parent) {
                unmet.insert(Met::queued(false));
                queue.push(source.read(*parent, commit.id)?);
                open += 1;
            }
        }
        shown.push(commit);
    }
    shown.retain(|commit| !met[&commit.id].hidden);
    Ok(shown)
}

impl Met {
    fn queued(hidden: bool) -> Self {
        Self {
            hidden,
            queued: true,
            parents: Vec::new(),
        }
    }
}

/// Hides a commit and what has been met behind it; returns how many of them were open in the queue.
fn hide(met: &mut FxHashMap<ObjectId, Met>, id: ObjectId) -> usize {
    let mut closed = 0;
    let mut stack = vec![id];
    while let Some(id) = stack.pop() {
        if let Some(known) = met.get_mut(&id)
            && !known.hidden
        {
            known.hidden = true;
            closed += usize::from(known.queued);
            stack.extend_from_slice(&known.parents);
        }
    }
    closed
}

/// Orders a set so that no commit comes before its children, newest time first where there is a
/// choice, as `git rev-list --date-order` does.
fn newest_first(commits: Vec<Commit>) -> Vec<Commit> {
    let index: FxHashMap<_, _> = commits
        .iter()
        .enumerate()
        .map(|(i, commit)| (commit.id, i))
        .collect();
    let parents_of = |commit: &Commit| -> Vec<usize> {
        let inside = commit.parents.iter().filter_map(|id| index.get(id));
        inside.copied().collect()
    };
    let mut children = vec![0_u32; commits.len()];
    for commit in &commits {
        for parent in parents_of(commit) {
            children[parent] += 1;
        }
    }
    let mut slots: Vec<Option<Commit>> = commits.iter().cloned().map(Some).collect();
    let mut queue = Queue::default();
    for (i, commit) in commits.iter().enumerate() {
        if children[i] == 0 {
            queue.push(slots[i].take().unwrap_or_else(|| commit.clone()));
        }
    }
    let mut ordered = Vec::with_capacity(commits.len());
    while let Some(commit) = queue.pop() {
        for parent in parents_of(&commit) {
            children[parent] -= 1;
            if children[parent] == 0
                && let Some(parent) = slots[parent].take()
            {
                queue.push(parent);
            }
        }
        ordered.push(commit);
    }
    ordered
}

/// Commits by time, newest first; equal times in the order they were put in.
#[derive(Default)]
struct Queue {
    heap: BinaryHeap<(i64, Reverse<usize>)>,
    commits: Vec<Option<Commit>>,
}

impl Queue {
    fn push(&mut self, commit: Commit) {
        self.heap
            .push((commit.seconds, Reverse(self.commits.len())));
        self.commits.push(Some(commit));
    }

    fn pop(&mut self) -> Option<Commit> {
        let (_, Reverse(slot)) = self.heap.pop()?;
        self.commits[slot].take()
    }

    fn newest(&self) -> Option<i64> {
        self.heap.peek().map(|(seconds, _)| *seconds)
    }
}
