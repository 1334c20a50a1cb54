//! What each build changed against the build before it.
//!
//! Goes in: a [`Walk`]. Comes out: a [`ChangeLog`]. Cost: two decoded trees per directory that
//! differs and build; contiguous pieces of the walk run in parallel, each with its own handle.
//! Invariant: the result does not depend on the number of threads, and replaying the changes of
//! builds 0 to t from nothing gives the tree of build t (within the prefixes).

use super::attributes::FILE_NAME;
use super::error::one_line;
use super::paths::{DirId, Merge, ROOT};
use super::repository::bytes_of;
use super::stored::{Pair, Stored};
use super::tree::{MAX_DEPTH, MAX_PATHS, Node, Reader, node, too_many};
use super::walk::{Chosen, Commit, choose};
use super::{
    CommitId, Entry, EntryKind, HistoryError, PathId, PathTable, Repository, Unread, Walk, checkout,
};
use gix::ObjectId;
use gix::objs::tree::{EntryRef, name_order};
use gix::objs::{TreeRefIter, tree};
use rayon::prelude::*;
use std::cmp::Ordering;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

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
    /// Where the changes of each build start in `changes`; one more entry than builds.
    pub(super) starts: Vec<usize>,
    pub(super) changes: Vec<Change>,
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
        &self.changes[self.starts[index]..self.starts[index + 1]]
    }

    /// Takes other changes of the same builds; `starts` as the field has it.
    pub(super) fn replace(&mut self, starts: Vec<usize>, changes: Vec<Change>) {
        debug_assert_eq!(starts.len(), self.len() + 1);
        self.starts = starts;
        self.changes = changes;
    }

    /// Adds a path inside a submodule that is there with it and changes with it, under the submodule's kind
    /// and id. In builds where the submodule's place is taken by a folder, the path stays what it is.
    pub fn add_inside(&mut self, submodule: PathId, path: &[u8]) {
        let path = self.paths.insert(path);
        let gitlink = |side: Option<Entry>| side.filter(|e| e.kind == EntryKind::Submodule);
        let mut starts = vec![0];
        let mut changes: Vec<Change> = Vec::with_capacity(self.changes.len());
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
            starts.push(changes.len());
        }
        self.replace(starts, changes);
    }

    /// Leaves the changes of some paths out.
    fn remove(&mut self, paths: &[Vec<u8>]) {
        let ids: Vec<PathId> = paths.iter().filter_map(|p| self.paths.get(p)).collect();
        if ids.is_empty() {
            return;
        }
        let mut starts = vec![0];
        let mut changes = Vec::with_capacity(self.changes.len());
        for build in 0..self.len() {
            let kept = self
                .changes(build)
                .iter()
                .filter(|c| !ids.contains(&c.path));
            changes.extend(kept.copied());
            starts.push(changes.len());
        }
        self.replace(starts, changes);
    }

    /// The changes of all builds together.
    #[must_use]
    pub fn total_changes(&self) -> usize {
        self.changes.len()
    }
}

/// Lists the builds of a walk and what each of them changed. Renames are a deletion and an addition.
///
/// # Errors
/// `Missing` and `Damaged` of [`HistoryError`] name a commit that needs the object (where several
/// objects are missing, which one is met first is not fixed); `TooManyPaths`.
pub fn change_log(repository: &Repository, walk: &Walk) -> Result<ChangeLog, HistoryError> {
    change_log_kept(repository, walk, None)
}

/// The same, with a folder of the tool's own in which comparisons of trees are remembered: another run compares only
/// what is new. What is remembered needs no objects, so in a partial clone more may be known than is there.
///
/// # Errors
/// As [`change_log`].
pub fn change_log_kept(
    repository: &Repository,
    walk: &Walk,
    cache_dir: Option<&Path>,
) -> Result<ChangeLog, HistoryError> {
    let chosen = choose(repository, walk.tip, walk.limit, walk.mode)?;
    change_log_of(repository, chosen, &walk.prefixes, cache_dir)
}

/// What builds that were chosen before changed below the prefixes.
///
/// # Errors
/// As [`change_log`].
pub fn change_log_of(
    repository: &Repository,
    selected: Chosen,
    prefixes: &[Vec<u8>],
    cache_dir: Option<&Path>,
) -> Result<ChangeLog, HistoryError> {
    let mut prefixes = normal_prefixes(prefixes);
    // What is above the prefixes says how files below them are checked out.
    let above = attribute_files_above(&prefixes);
    let wanted = prefixes.len();
    prefixes.extend(above);
    let scope = match prefixes.iter().any(Vec::is_empty) || prefixes.is_empty() {
        true => Scope::All,
        false => Scope::Some(prefixes.iter().map(Vec::as_slice).collect()),
    };
    let commits = &selected.commits;
    let stored = cache_dir.map(|dir| Stored::open(dir, name(repository, &prefixes)));
    let known = stored.as_ref().map(Stored::known).unwrap_or_default();
    let before = |i: usize| i.checked_sub(1).map(|i| bytes_of(&commits[i].id));
    let pair = |i: usize| (before(i), bytes_of(&commits[i].id));
    let pairs: Vec<Pair> = (0..commits.len()).map(pair).collect();
    // More pieces than threads even out pieces of unequal weight; below 64 builds a piece is not
    // worth its handle.
    let pieces = (rayon::current_num_threads() * 8).min(commits.len() / 64 + 1);
    let size = commits.len().div_ceil(pieces).max(1);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for i in (0..pairs.len()).filter(|i| !known.has(&pairs[*i])) {
        match ranges.last_mut() {
            Some(last) if last.end == i && last.len() < size => last.end += 1,
            _ => ranges.push(i..i + 1),
        }
    }
    let starts: Vec<usize> = ranges.iter().map(|r| r.start).collect();
    let pieces: Vec<Result<Piece, HistoryError>> = ranges
        .into_par_iter()
        .map(|range| piece(repository, commits, range, &scope))
        .collect();
    let mut log = ChangeLog {
        truncated_by_shallow: selected.truncated_by_shallow,
        starts: vec![0],
        ..ChangeLog::default()
    };
    let fresh = pieces.iter().flatten().map(|p| p.changes.len());
    let kept = pairs.iter().map(|pair| known.count(pair));
    log.changes.reserve_exact(fresh.chain(kept).sum());
    let mut ids = Vec::new();
    let mut next = 0;
    for (at, piece) in starts
        .iter()
        .zip(pieces)
        .map(|(at, p)| (*at, Some(p)))
        .chain([(commits.len(), None)])
    {
        for pair in &pairs[next..at] {
            known.changes(pair, &mut log.paths, &mut ids, &mut log.changes);
            log.starts.push(log.changes.len());
        }
        let Some(piece) = piece else { break };
        let piece = piece?;
        next = at + piece.ends.len();
        let mut merge = Merge::new(&piece.paths);
        for build in (0..piece.ends.len()).rev() {
            let start = build.checked_sub(1).map_or(0, |before| piece.ends[before]);
            for change in &piece.changes[start..piece.ends[build]] {
                let path = merge.add(change.path, &mut log.paths);
                log.changes.push(Change { path, ..*change });
            }
            log.starts.push(log.changes.len());
        }
    }
    if let Some(stored) = stored.as_ref().filter(|_| !starts.is_empty()) {
        stored.keep(&pairs, &log, &known);
    }
    let commits = selected.commits.into_iter().map(|commit| CommitInfo {
        id: CommitId(bytes_of(&commit.id)),
        parent_count: commit.parent_count,
        parents: commit
            .parents
            .iter()
            .map(|p| CommitId(bytes_of(p)))
            .collect(),
        seconds: commit.seconds,
        summary: commit.summary,
    });
    log.commits = commits.collect();
    checkout::as_checked_out(repository, &mut log);
    log.remove(&prefixes[wanted..]);
    Ok(log)
}

/// What a memory belongs to: one repository, and the part of it that is looked at.
fn name(repository: &Repository, prefixes: &[Vec<u8>]) -> Vec<u8> {
    let dir = repository.git_dir();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mut out = dir.into_os_string().into_encoded_bytes();
    for prefix in prefixes {
        out.push(0);
        out.extend_from_slice(prefix);
    }
    out
}

/// The `.gitattributes` in directories above the prefixes, as far as no prefix holds them.
fn attribute_files_above(prefixes: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    if prefixes.iter().any(Vec::is_empty) {
        return found;
    }
    for prefix in prefixes {
        let slashes = prefix.iter().enumerate().filter(|(_, b)| **b == b'/');
        for length in std::iter::once(0).chain(slashes.map(|(at, _)| at + 1)) {
            let path = [&prefix[..length], FILE_NAME].concat();
            let inside = |p: &Vec<u8>| {
                let rest = path.strip_prefix(p.as_slice());
                rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
            };
            if !prefixes.iter().any(inside) && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// The builds of one contiguous piece of the walk, newest first, with path ids of their own.
#[derive(Default)]
struct Piece {
    paths: PathTable,
    ends: Vec<usize>,
    changes: Vec<Change>,
}

fn piece(
    repository: &Repository,
    commits: &[Commit],
    range: Range<usize>,
    scope: &Scope<'_>,
) -> Result<Piece, HistoryError> {
    let mut reader = Reader::new(repository);
    let mut piece = Piece::default();
    // Newest first, because git stores an older version as a delta against the newer one: 5000 builds
    // of a generated repository of 10 000 files took 0.58 s this way and 1.2 s the other way round.
    for index in range.rev() {
        let before = index.checked_sub(1).map(|before| &commits[before]);
        compare(&mut reader, before, &commits[index], scope, &mut piece)?;
        piece.ends.push(piece.changes.len());
    }
    Ok(piece)
}

/// Which part of a directory matters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope<'a> {
    All,
    /// Only these paths, relative to the directory; never empty strings.
    Some(Vec<&'a [u8]>),
}

impl<'a> Scope<'a> {
    /// What of `name` matters; none when nothing does. A path that goes on below `name` does not
    /// select a file of that name.
    fn child(&self, name: &[u8], is_tree: bool) -> Option<Self> {
        let Self::Some(paths) = self else {
            return Some(Self::All);
        };
        let mut inside: Vec<&'a [u8]> = Vec::new();
        for path in paths {
            match path.strip_prefix(name) {
                Some([]) => return Some(Self::All),
                Some([b'/', rest @ ..]) if is_tree => inside.push(rest),
                _ => {}
            }
        }
        (!inside.is_empty()).then_some(Self::Some(inside))
    }
}

/// A directory that differs between two builds.
struct Differing<'a> {
    dir: DirId,
    depth: usize,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
    scope: Scope<'a>,
}

/// Appends the changes from one root tree to another: the files of a directory first, then its
/// directories, each in the order of the tree. An explicit stack keeps deep trees off the call stack
/// and wide ones out of memory.
fn compare(
    reader: &mut Reader,
    before: Option<&Commit>,
    now: &Commit,
    scope: &Scope<'_>,
    piece: &mut Piece,
) -> Result<(), HistoryError> {
    let old = before.map(|commit| commit.tree);
    if old == Some(now.tree) {
        return Ok(());
    }
    // Errors name the commit whose tree could not be read.
    let owner = |commit: &Commit| CommitId(bytes_of(&commit.id));
    let (old_owner, new_owner) = (owner(before.unwrap_or(now)), owner(now));
    let mut stack = vec![Differing {
        dir: ROOT,
        depth: 0,
        old,
        new: Some(now.tree),
        scope: scope.clone(),
    }];
    let mut work = 0;
    while let Some(pair) = stack.pop() {
        reader.commit = old_owner;
        let old = decode(reader, pair.old)?;
        reader.commit = new_owner;
        let new = decode(reader, pair.new)?;
        let mut old_entries = Entries::new(&old);
        let mut new_entries = Entries::new(&new);
        let first_child = stack.len();
        loop {
            if old_entries.next.is_none() && new_entries.next.is_none() {
                skip_equal(&mut old_entries.rest, &mut new_entries.rest);
            }
            let left = old_entries.peek(reader, pair.old)?;
            let right = new_entries.peek(reader, pair.new)?;
            let order = match (&left, &right) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                // A file and a directory of one name have different places in a tree, so that what
                // is equal here is of the same sort on both sides.
                (Some(a), Some(b)) => {
                    name_order(a.filename, a.mode.is_tree(), b.filename, b.mode.is_tree())
                }
            };
            let left = left.filter(|_| {
                old_entries.skip(order != Ordering::Greater);
                order != Ordering::Greater
            });
            let right = right.filter(|_| {
                new_entries.skip(order != Ordering::Less);
                order != Ordering::Less
            });
            if let (Some(a), Some(b)) = (&left, &right)
                && a.oid == b.oid
                && a.mode.kind() == b.mode.kind()
            {
                continue;
            }
            let Some(entry) = left.or(right) else { break };
            let Some(scope) = pair.scope.child(entry.filename, entry.mode.is_tree()) else {
                continue;
            };
            work += 1;
            if work > MAX_PATHS || pair.depth > MAX_DEPTH {
                return Err(too_many(reader.commit));
            }
            if entry.filename.is_empty() || entry.filename.contains(&b'/') {
                let tree = pair.new.or(pair.old).unwrap_or(entry.oid.to_owned());
                return Err(reader.malformed(tree, "an entry without a proper name"));
            }
            let left = left.map(|entry| node(entry.mode, entry.oid));
            let right = right.map(|entry| node(entry.mode, entry.oid));
            let (old_tree, old_file) = split(left);
            let (new_tree, new_file) = split(right);
            if old_tree.is_some() || new_tree.is_some() {
                stack.push(Differing {
                    dir: piece.paths.dir(pair.dir, entry.filename),
                    depth: pair.depth + 1,
                    old: old_tree,
                    new: new_tree,
                    scope,
                });
            }
            if old_file.is_some() || new_file.is_some() {
                piece.changes.push(Change {
                    path: piece.paths.file(pair.dir, entry.filename),
                    old: old_file,
                    new: new_file,
                });
            }
        }
        stack[first_child..].reverse();
    }
    Ok(())
}

fn split(node: Option<Node>) -> (Option<ObjectId>, Option<Entry>) {
    match node {
        None => (None, None),
        Some(Node::Tree(tree)) => (Some(tree), None),
        Some(Node::Entry(entry)) => (None, Some(entry)),
    }
}

fn decode(reader: &mut Reader, tree: Option<ObjectId>) -> Result<Rc<[u8]>, HistoryError> {
    tree.map_or_else(|| Ok(Rc::from([])), |tree| reader.tree(tree))
}

/// The entries of a tree with one entry of look-ahead.
struct Entries<'a> {
    rest: &'a [u8],
    next: Option<EntryRef<'a>>,
}

impl<'a> Entries<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            next: None,
        }
    }

    fn peek(
        &mut self,
        reader: &Reader,
        tree: Option<ObjectId>,
    ) -> Result<Option<tree::EntryRef<'a>>, HistoryError> {
        if self.next.is_none() {
            let mut entries = TreeRefIter::from_bytes(self.rest, gix::hash::Kind::Sha1);
            self.next = entries.next().transpose().map_err(|error| {
                let tree = tree.unwrap_or(ObjectId::null(gix::hash::Kind::Sha1));
                reader.malformed(tree, &one_line(&error))
            })?;
            self.rest = &self.rest[first_entry(self.rest).unwrap_or(self.rest.len())..];
        }
        Ok(self.next)
    }

    fn skip(&mut self, taken: bool) {
        if taken {
            self.next = None;
        }
    }
}

/// Where the first entry of a tree's bytes ends: mode, a blank, the name, a NUL, and an object id.
fn first_entry(tree: &[u8]) -> Option<usize> {
    let end = memchr::memchr(0, tree)? + 1 + size_of::<super::Oid>();
    (end <= tree.len()).then_some(end)
}

/// Passes entries with which both sides go on in the same way: nobody has to read them.
fn skip_equal(old: &mut &[u8], new: &mut &[u8]) {
    if old == new {
        (*old, *new) = (&[], &[]);
        return;
    }
    let common = common_length(old, new);
    let mut at = 0;
    while let Some(end) = first_entry(&old[at..common]) {
        at += end;
    }
    (*old, *new) = (&old[at..], &new[at..]);
}

/// How many bytes both start with.
fn common_length(a: &[u8], b: &[u8]) -> usize {
    let (words, _) = a.as_chunks::<16>();
    let (others, _) = b.as_chunks::<16>();
    let equal = words.iter().zip(others).take_while(|(a, b)| a == b).count() * 16;
    let rest = a[equal..].iter().zip(&b[equal..]);
    equal + rest.take_while(|(a, b)| a == b).count()
}

/// Slashes at the ends, doubled ones and `.` parts taken out.
fn normal_prefixes(prefixes: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let normal = |prefix: &Vec<u8>| {
        let parts = prefix.split(|b| *b == b'/');
        let parts = parts.filter(|part| !part.is_empty() && *part != b".");
        parts.collect::<Vec<_>>().join(&b'/')
    };
    prefixes.iter().map(normal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_selects_files_and_subtrees() {
        let scope = Scope::Some(vec![b"a/b", b"a/c", b"x"]);
        assert_eq!(scope.child(b"x", false), Some(Scope::All));
        assert_eq!(scope.child(b"x", true), Some(Scope::All));
        assert_eq!(scope.child(b"xy", true), None);
        assert_eq!(scope.child(b"a", false), None);
        assert_eq!(scope.child(b"a", true), Some(Scope::Some(vec![b"b", b"c"])));
        assert_eq!(Scope::All.child(b"q", true), Some(Scope::All));
    }

    #[test]
    fn prefixes_are_normalised() {
        let given = [b"./a//b/".to_vec(), b"/".to_vec(), b".".to_vec()];
        let expected = [b"a/b".to_vec(), Vec::new(), Vec::new()];
        assert_eq!(normal_prefixes(&given), expected);
    }
}
