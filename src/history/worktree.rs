//! The work tree as one more build behind a change log, and hypothetical builds behind that.
//!
//! Goes in: a [`ChangeLog`] whose newest build is the work tree's HEAD, and the folder. Comes out: the
//! log with one more build that holds what a build of that folder sees: untracked files count,
//! whether git ignores them or not. Cost: one look at every file, and one read of every file whose
//! content a build could be sent. Invariant: nothing is written, no filter runs, links are not followed.
//!
//! Blob ids are those of the bytes on disk. A file that differs from its blob only by line ends, or
//! that a Git LFS pointer stands for, counts as unchanged: a checkout of HEAD would hold the same
//! bytes. Other filters are taken as none, modes are git's two, and a submodule is what HEAD says.

use super::error::one_line;
use super::log::List;
use super::paths::{PathId, PathTable, ROOT};
use super::tree::{MAX_DEPTH, MAX_PATHS, too_many};
use super::{
    Change, ChangeLog, CommitId, CommitInfo, Entry, EntryKind, Follower, HistoryError,
    MAX_BLOB_BYTES, Oid, Repository,
};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use sha1::Digest as _;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Stands for the uncommitted work tree where a commit's id would be.
pub const WORK_TREE: CommitId = CommitId([0; 20]);

/// What a build can see of a path of the work tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It may be sent: its content counts.
    Sent,
    /// It is there, but its content is never sent; a folder is opened all the same.
    There,
    /// A folder nothing of which is ever sent: it is not opened.
    Closed,
}

/// Which part of a folder is read as a build.
pub struct WorkTree<'a> {
    /// The root of the work tree.
    pub root: &'a Path,
    /// Paths below the root that matter, as in [`super::Walk`]; none is everything.
    pub prefixes: &'a [Vec<u8>],
    /// What a build can see of a path (second: whether it is a folder).
    pub sight: &'a dyn Fn(&[u8], bool) -> Sight,
    /// Where the blobs of HEAD are; a plain folder has none.
    pub repository: Option<&'a Repository>,
}

impl ChangeLog {
    /// What is at every path, by [`PathId`], after the newest build.
    #[must_use]
    pub fn state(&self) -> Vec<Option<Entry>> {
        let mut state = vec![None; self.paths.len()];
        for change in (0..self.len()).flat_map(|build| self.changes(build)) {
            state[change.path.index()] = change.new;
        }
        state
    }

    /// Appends a build that differs from the newest one by these paths; those that do not differ are
    /// left out. Of several entries of one path the last counts.
    pub fn append(&mut self, build: CommitInfo, paths: Vec<(Vec<u8>, Option<Entry>)>) {
        let mut state = self.state();
        let mut changes: Vec<Change> = Vec::new();
        let mut at: FxHashMap<PathId, usize> = FxHashMap::default();
        for (path, new) in paths {
            let id = self.paths.intern(&path);
            if id.index() >= state.len() {
                state.resize(id.index() + 1, None);
            }
            if let Some(earlier) = at.get(&id) {
                changes[*earlier].new = new;
            } else if state[id.index()] != new {
                let old = state[id.index()];
                at.insert(id, changes.len());
                changes.push(Change { path: id, old, new });
            }
        }
        changes.retain(|c| c.old != c.new);
        let all = 0..changes.len();
        self.add(List::new(changes), [all]);
        self.commits.push(build);
    }
}

impl PathTable {
    /// The id of a path that may be new.
    fn intern(&mut self, path: &[u8]) -> PathId {
        let mut dir = ROOT;
        let (dirs, name) = match path.iter().rposition(|b| *b == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], path),
        };
        for part in dirs.split(|b| *b == b'/').filter(|p| !p.is_empty()) {
            dir = self.dir(dir, part);
        }
        self.file(dir, name)
    }
}

/// Appends the work tree to a log whose newest build is its HEAD (or that is empty). Returns the
/// texts of the links it holds, by object id.
///
/// # Errors
/// `WorkTree` of [`HistoryError`] when a folder or a file cannot be read, `TooManyPaths`.
pub fn append_work_tree(
    log: &mut ChangeLog,
    tree: &WorkTree<'_>,
) -> Result<Vec<(Oid, Vec<u8>)>, HistoryError> {
    let head = log.commits.last().map_or(WORK_TREE, |c| c.id);
    let state = log.state();
    let mut before: BTreeMap<Vec<u8>, Entry> = BTreeMap::new();
    for id in log.paths.ids() {
        if let Some(entry) = state[id.index()] {
            before.insert(log.paths.bytes(id), entry);
        }
    }
    let submodule = |path: &[u8]| {
        before
            .get(path)
            .is_some_and(|e| e.kind == EntryKind::Submodule)
    };
    let scan = scan(tree, &submodule)?;
    let repository = tree.repository;
    let entries: Vec<Result<Described, HistoryError>> = scan
        .files
        .par_iter()
        .map(|found| entry(repository, found, before.get(&found.path), head))
        .collect();
    let mut now: BTreeMap<&[u8], Entry> = BTreeMap::new();
    let mut links = Vec::new();
    for (found, entry) in scan.files.iter().zip(entries) {
        let (entry, link) = entry?;
        if let Some(text) = link {
            links.push((entry.oid, text));
        }
        now.insert(&found.path, entry);
    }
    // What lies in a folder that was not opened is taken to be as HEAD has it.
    for (path, entry) in &before {
        let kept = scan.submodules.contains(path) || above(path).any(|d| scan.closed.contains(d));
        if kept {
            now.insert(path, *entry);
        }
    }
    let mut paths: Vec<(Vec<u8>, Option<Entry>)> = Vec::new();
    for path in before.keys().filter(|p| !now.contains_key(p.as_slice())) {
        paths.push((path.clone(), None));
    }
    for (path, entry) in &now {
        paths.push((path.to_vec(), Some(*entry)));
    }
    let mut inner: FxHashSet<&[u8]> = FxHashSet::default();
    for path in now
        .keys()
        .copied()
        .chain(scan.dirs.iter().map(Vec::as_slice))
    {
        inner.extend(above(path));
    }
    // Last, so that the files that were in such a folder are gone before it counts as one of its own.
    for dir in &scan.dirs {
        if !inner.contains(dir.as_slice()) && !now.contains_key(dir.as_slice()) {
            let kind = EntryKind::Folder;
            let oid = Oid::default();
            paths.push((dir.clone(), Some(Entry { kind, oid })));
        }
    }
    let newest = log.commits.last().map_or(0, |c| c.seconds);
    let build = CommitInfo {
        id: WORK_TREE,
        parent_count: 1,
        parents: Vec::new(),
        seconds: newest,
        summary: "the work tree, with what is not committed".to_owned(),
    };
    log.append(build, paths);
    Ok(links)
}

/// A file, link or socket of the work tree.
struct Found {
    path: Vec<u8>,
    disk: PathBuf,
    metadata: Metadata,
    sent: bool,
}

#[derive(Default)]
struct Scan {
    files: Vec<Found>,
    /// Folders, opened or not, without those the prefixes name.
    dirs: Vec<Vec<u8>>,
    closed: FxHashSet<Vec<u8>>,
    submodules: FxHashSet<Vec<u8>>,
}

fn scan(tree: &WorkTree<'_>, submodule: &dyn Fn(&[u8]) -> bool) -> Result<Scan, HistoryError> {
    let mut out = Scan::default();
    let mut prefixes: Vec<&[u8]> = tree.prefixes.iter().map(Vec::as_slice).collect();
    if prefixes.is_empty() {
        prefixes.push(b"");
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    let all = prefixes.clone();
    prefixes.retain(|p| {
        let within = |other: &&[u8]| {
            other.len() < p.len()
                && p.strip_prefix(*other)
                    .is_some_and(|rest| other.is_empty() || rest.starts_with(b"/"))
        };
        !all.iter().any(within)
    });
    let mut open: Vec<(Vec<u8>, PathBuf, usize)> = Vec::new();
    for prefix in prefixes {
        let disk = match prefix {
            b"" => tree.root.to_owned(),
            p => tree.root.join(std::ffi::OsStr::from_bytes(p)),
        };
        match fs::symlink_metadata(&disk) {
            Ok(m) if m.is_dir() => open.push((prefix.to_vec(), disk, 0)),
            Ok(m) => visit(tree, &mut out, prefix.to_vec(), disk, m),
            Err(_) => {}
        }
    }
    while let Some((dir, disk, depth)) = open.pop() {
        let failed = |source| HistoryError::WorkTree {
            path: disk.clone(),
            source,
        };
        let listed = match fs::read_dir(&disk) {
            Ok(listed) => listed,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(failed(e)),
        };
        for entry in listed {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if dir.is_empty() && name == ".git" {
                continue;
            }
            let mut path = dir.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            let disk = entry.path();
            let metadata = match entry.metadata() {
                Ok(m) => m,
                // It went away while we looked.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(failed(e)),
            };
            if out.files.len() + out.dirs.len() > MAX_PATHS || depth > MAX_DEPTH {
                return Err(too_many(WORK_TREE));
            }
            if !metadata.is_dir() {
                visit(tree, &mut out, path, disk, metadata);
            } else if submodule(&path) {
                out.submodules.insert(path);
            } else {
                out.dirs.push(path.clone());
                match (tree.sight)(&path, true) {
                    Sight::Closed => drop(out.closed.insert(path)),
                    Sight::Sent | Sight::There => open.push((path, disk, depth + 1)),
                }
            }
        }
    }
    Ok(out)
}

fn visit(tree: &WorkTree<'_>, out: &mut Scan, path: Vec<u8>, disk: PathBuf, metadata: Metadata) {
    let kind = metadata.file_type();
    // Pipes and devices have no content that a key could see.
    if kind.is_file() || kind.is_symlink() || kind.is_socket() {
        let sent = (tree.sight)(&path, false) == Sight::Sent;
        out.files.push(Found {
            path,
            disk,
            metadata,
            sent,
        });
    }
}

/// Kind and blob id of a path, and the text of a link.
type Described = (Entry, Option<Vec<u8>>);

/// What is on disk.
fn entry(
    repository: Option<&Repository>,
    found: &Found,
    before: Option<&Entry>,
    head: CommitId,
) -> Result<Described, HistoryError> {
    let failed = |source| HistoryError::WorkTree {
        path: found.disk.clone(),
        source,
    };
    if found.metadata.file_type().is_symlink() {
        let text = fs::read_link(&found.disk).map_err(failed)?;
        let text = text.into_os_string().into_vec();
        let oid = blob_id(text.len() as u64, &mut text.as_slice()).map_err(failed)?;
        let kind = EntryKind::Symlink;
        return Ok((Entry { kind, oid }, Some(text)));
    }
    let kind = match found.metadata.permissions().mode() & 0o100 {
        0 => EntryKind::File,
        _ => EntryKind::Executable,
    };
    if !found.sent {
        // The bytes never count, so that equal is as good as anything.
        let oid = before.map_or(Oid::default(), |b| b.oid);
        return Ok((Entry { kind, oid }, None));
    }
    let nothing = || blob_id(0, &mut io::empty());
    let oid = match found.metadata.is_file() {
        false => nothing(),
        true => match File::open(&found.disk) {
            Ok(mut file) => blob_id(found.metadata.len(), &mut file),
            // The builder is sent an empty file in its place, and says nothing.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => nothing(),
            Err(e) => Err(e),
        },
    };
    let mut oid = oid.map_err(failed)?;
    if let (Some(before), Some(repository)) = (before, repository)
        && before.oid != oid
        && matches!(before.kind, EntryKind::File | EntryKind::Executable)
        && checked_out(repository, head, &before.oid, found).unwrap_or(false)
    {
        oid = before.oid;
    }
    Ok((Entry { kind, oid }, None))
}

/// The id git gives to these bytes, read to their end.
fn blob_id(length: u64, bytes: &mut dyn io::Read) -> io::Result<Oid> {
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("blob {length}\0").as_bytes());
    copy(bytes, |part| hasher.update(part))?;
    Ok(hasher.finalize().into())
}

fn copy(bytes: &mut dyn io::Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match bytes.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => take(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Whether a checkout of the blob gives the bytes on disk: with other line ends, or as the file that a
/// Git LFS pointer stands for.
fn checked_out(
    repository: &Repository,
    head: CommitId,
    blob: &Oid,
    found: &Found,
) -> Result<bool, String> {
    const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
    let entry = Entry {
        kind: EntryKind::File,
        oid: *blob,
    };
    // One that is not there was converted on checkout, or is missing: then the file counts as changed.
    let Ok(blob) = Follower::new(repository).read(head, entry) else {
        return Ok(false);
    };
    let blob = blob.bytes;
    let text = |e: io::Error| one_line(&e);
    let mut file = File::open(&found.disk).map_err(text)?;
    if blob.len() < 1024 && blob.starts_with(POINTER) {
        let mut hasher = sha2::Sha256::new();
        copy(&mut file, |part| hasher.update(part)).map_err(text)?;
        let hex: String = hasher
            .finalize()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let line = format!("oid sha256:{hex}");
        return Ok(blob.split(|b| *b == b'\n').any(|l| l == line.as_bytes()));
    }
    let size = found.metadata.len();
    // A line end on disk has one byte more, so a file that is shorter, or longer by more than half,
    // is another one.
    if size < blob.len() as u64 || size > 2 * blob.len() as u64 || size > MAX_BLOB_BYTES {
        return Ok(false);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(text)?;
    let mut short = Vec::with_capacity(bytes.len());
    for (i, byte) in bytes.iter().enumerate() {
        if !(*byte == b'\r' && bytes.get(i + 1) == Some(&b'\n')) {
            short.push(*byte);
        }
    }
    Ok(short == blob)
}

/// The folders above a path, without the root.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
    slashes.map(|(i, _)| &path[..i])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(oid: u8) -> Option<Entry> {
        let kind = EntryKind::File;
        Some(Entry {
            kind,
            oid: [oid; 20],
        })
    }

    fn build(summary: &str) -> CommitInfo {
        CommitInfo {
            id: WORK_TREE,
            parent_count: 0,
            parents: Vec::new(),
            seconds: 0,
            summary: summary.to_owned(),
        }
    }

    #[test]
    fn appended_builds_hold_what_differs() {
        let mut log = ChangeLog::default();
        let first = vec![(b"a/b".to_vec(), file(1)), (b"c".to_vec(), file(2))];
        log.append(build("one"), first);
        let second = vec![
            (b"a/b".to_vec(), file(1)),
            (b"c".to_vec(), None),
            (b"a/d".to_vec(), file(3)),
            (b"e".to_vec(), None),
        ];
        log.append(build("two"), second);
        let shown = |i: usize| -> Vec<String> {
            let line = |c: &Change| {
                let path = String::from_utf8_lossy(&log.paths.bytes(c.path)).into_owned();
                format!("{path} {} {}", c.old.is_some(), c.new.is_some())
            };
            log.changes(i).iter().map(line).collect()
        };
        assert_eq!(shown(0), ["a/b false true", "c false true"]);
        assert_eq!(shown(1), ["c true false", "a/d false true"]);
        assert_eq!(log.len(), 2);
    }

    #[test]
    fn ids_are_those_of_git() {
        // `git hash-object` of an empty file and of "hello\n".
        let hex = |oid: Oid| CommitId(oid).to_string();
        let empty = blob_id(0, &mut io::empty()).expect("reads");
        assert_eq!(hex(empty), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        let hello = blob_id(6, &mut &b"hello\n"[..]).expect("reads");
        assert_eq!(hex(hello), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
