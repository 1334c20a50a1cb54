//! Trees and files of one commit: decoded trees with a small memory of recent ones, single files,
//! listings, and symbolic links followed inside the tree.
//!
//! Goes in: a commit and a path. Comes out: bytes and kinds. Cost: one decoded tree per directory on
//! the way. Invariant: a link never leads out of the commit's tree, and what is missing from the
//! object store is an error naming the commit, never an empty answer.

use super::error::one_line;
use super::packs::Unpacker;
use super::repository::{bytes_of, object_id};
use super::{CommitId, Entry, EntryKind, HistoryError, Listing, Oid, Repository};
use gix::ObjectId;
use gix::objs::tree::EntryKind as Mode;
use gix::objs::{Find, Kind, TreeRefIter};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

/// The largest file [`Repository::read`] returns, in bytes.
pub const MAX_BLOB_BYTES: u64 = 64 << 20;

/// More paths than this in one listing or one change is taken for an attack on memory.
pub(super) const MAX_PATHS: usize = 4_000_000;

/// Deeper directories than this are refused, as git itself does.
pub(super) const MAX_DEPTH: usize = 2048;

/// A chain of more links leads nowhere, as to any system.
pub(super) const MAX_LINKS: usize = 40;

/// Bytes of decoded trees in each of the two generations of the memory. A walk meets each tree
/// twice, as new and, one build later, as old.
const GENERATION_BYTES: usize = 8 << 20;

/// A file as of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The content; of a symbolic link, its target; of a submodule, nothing.
    pub bytes: Vec<u8>,
    /// Kind and content id.
    pub entry: Entry,
}

/// What a name in a tree stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Tree(ObjectId),
    Entry(Entry),
}

pub(super) fn node(mode: gix::objs::tree::EntryMode, oid: &gix::oid) -> Node {
    let kind = match mode.kind() {
        Mode::Tree => return Node::Tree(oid.to_owned()),
        Mode::Blob => EntryKind::File,
        Mode::BlobExecutable => EntryKind::Executable,
        Mode::Link => EntryKind::Symlink,
        Mode::Commit => EntryKind::Submodule,
    };
    Node::Entry(Entry {
        kind,
        oid: bytes_of(oid),
    })
}

/// Decodes objects on behalf of one commit after another; one per thread.
pub(super) struct Reader {
    repo: gix::Repository,
    unpacker: Unpacker,
    /// Who asks; named in errors.
    pub(super) commit: CommitId,
    buffer: Vec<u8>,
    unpacked: Rc<[u8]>,
    recent: FxHashMap<ObjectId, Rc<[u8]>>,
    older: FxHashMap<ObjectId, Rc<[u8]>>,
    recent_bytes: usize,
}

impl Reader {
    pub(super) fn new(repository: &Repository) -> Self {
        Self {
            repo: repository.handle(),
            unpacker: Unpacker::new(repository.packs()),
            commit: CommitId([0; 20]),
            buffer: Vec::new(),
            unpacked: Rc::from([]),
            recent: FxHashMap::default(),
            older: FxHashMap::default(),
            recent_bytes: 0,
        }
    }

    /// The bytes of a tree object.
    pub(super) fn tree(&mut self, oid: ObjectId) -> Result<Rc<[u8]>, HistoryError> {
        if let Some(bytes) = self.recent.get(&oid) {
            return Ok(Rc::clone(bytes));
        }
        let bytes = match self.older.remove(&oid) {
            Some(bytes) => bytes,
            None if oid.is_empty_tree() => Rc::from([]),
            None => match self.unpacker.get(&oid) {
                Some((Kind::Tree, bytes)) => bytes,
                _ => Rc::from(self.object(oid, Kind::Tree)?),
            },
        };
        self.recent_bytes += bytes.len() + 64;
        if self.recent_bytes > GENERATION_BYTES {
            self.older = std::mem::take(&mut self.recent);
            self.recent_bytes = bytes.len() + 64;
        }
        self.recent.insert(oid, Rc::clone(&bytes));
        Ok(bytes)
    }

    /// The decoded bytes of an object, which must be of the kind.
    pub(super) fn object(&mut self, oid: ObjectId, kind: Kind) -> Result<&[u8], HistoryError> {
        let commit = self.commit;
        let what = kind_name(kind);
        let damaged = |reason| HistoryError::Damaged {
            commit,
            what,
            oid: oid.to_string(),
            reason,
        };
        // Blobs may be large, and few are read.
        if kind == Kind::Commit
            && let Some((Kind::Commit, bytes)) = self.unpacker.get(&oid)
        {
            self.unpacked = bytes;
            return Ok(&self.unpacked);
        }
        match self.repo.objects.try_find(&oid, &mut self.buffer) {
            Ok(Some(data)) if data.kind == kind => Ok(data.data),
            Ok(Some(data)) => Err(damaged(format!("it is a {}", kind_name(data.kind)))),
            Ok(None) => Err(HistoryError::Missing {
                commit,
                what,
                oid: oid.to_string(),
            }),
            Err(error) => Err(damaged(one_line(&error))),
        }
    }

    /// The error for a tree whose bytes do not decode.
    pub(super) fn malformed(&self, oid: ObjectId, reason: &str) -> HistoryError {
        HistoryError::Damaged {
            commit: self.commit,
            what: "tree",
            oid: oid.to_string(),
            reason: reason.to_owned(),
        }
    }

    /// The tree of the commit, which becomes the one named in errors.
    pub(super) fn enter(&mut self, commit: CommitId) -> Result<ObjectId, HistoryError> {
        self.commit = commit;
        let id = object_id(&commit.0);
        let bytes = self.object(id, Kind::Commit)?;
        let tree = gix::objs::CommitRefIter::from_bytes(bytes, gix::hash::Kind::Sha1).tree_id();
        tree.map_err(|error| HistoryError::Damaged {
            commit,
            what: "commit",
            oid: id.to_string(),
            reason: one_line(&error),
        })
    }

    pub(super) fn child(
        &mut self,
        tree: ObjectId,
        name: &[u8],
    ) -> Result<Option<Node>, HistoryError> {
        let bytes = self.tree(tree)?;
        for entry in TreeRefIter::from_bytes(&bytes, gix::hash::Kind::Sha1) {
            let entry = entry.map_err(|error| self.malformed(tree, &one_line(&error)))?;
            if entry.filename == name {
                return Ok(Some(node(entry.mode, entry.oid)));
            }
        }
        Ok(None)
    }

    pub(super) fn find(
        &mut self,
        tree: ObjectId,
        path: &[u8],
    ) -> Result<Option<Node>, HistoryError> {
        let mut at = Node::Tree(tree);
        for name in path
            .split(|b| *b == b'/')
            .filter(|n| !n.is_empty() && n != b".")
        {
            let Node::Tree(tree) = at else {
                return Ok(None);
            };
            match self.child(tree, name)? {
                Some(node) => at = node,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// The size of a blob in bytes, from its header; none when it is missing, damaged or no blob.
    pub(super) fn size(&self, oid: Oid) -> Option<u64> {
        let header = self.repo.try_find_header(object_id(&oid)).ok()??;
        (header.kind() == Kind::Blob).then(|| header.size())
    }

    pub(super) fn blob(&mut self, entry: Entry, path: &[u8]) -> Result<Blob, HistoryError> {
        if entry.kind == EntryKind::Submodule {
            let bytes = Vec::new();
            return Ok(Blob { bytes, entry });
        }
        let id = object_id(&entry.oid);
        if let Ok(Some(header)) = self.repo.try_find_header(id)
            && header.size() > MAX_BLOB_BYTES
        {
            return Err(HistoryError::FileTooLarge {
                commit: self.commit,
                path: String::from_utf8_lossy(path).into_owned(),
                bytes: header.size(),
            });
        }
        let bytes = self.object(id, Kind::Blob)?.to_vec();
        Ok(Blob { bytes, entry })
    }
}

impl Repository {
    /// A file as of a commit; none where there is no file or a directory. `path` is relative to the
    /// repository root, with `/`. A symbolic link is returned as such.
    ///
    /// # Errors
    /// `Missing`, `Damaged` or `FileTooLarge` of [`HistoryError`].
    pub fn read(&self, commit: CommitId, path: &[u8]) -> Result<Option<Blob>, HistoryError> {
        let mut reader = Reader::new(self);
        let root = reader.enter(commit)?;
        match reader.find(root, path)? {
            Some(Node::Entry(entry)) => reader.blob(entry, path).map(Some),
            _ => Ok(None),
        }
    }

    /// Kind and id of what is at a path as of a commit, unless it is a directory or nothing. A symbolic link
    /// is given as such.
    ///
    /// # Errors
    /// `Missing` or `Damaged` of [`HistoryError`].
    pub fn entry(&self, commit: CommitId, path: &[u8]) -> Result<Option<Entry>, HistoryError> {
        let mut reader = Reader::new(self);
        let root = reader.enter(commit)?;
        match reader.find(root, path)? {
            Some(Node::Entry(entry)) => Ok(Some(entry)),
            _ => Ok(None),
        }
    }

    /// Like [`Repository::read`], following symbolic links in every part of the path, at most 40 of
    /// them. A link to an absolute path or out of the tree leads nowhere: none.
    ///
    /// # Errors
    /// As [`Repository::read`].
    pub fn read_following(
        &self,
        commit: CommitId,
        path: &[u8],
    ) -> Result<Option<Blob>, HistoryError> {
        let mut reader = Reader::new(self);
        let mut way = vec![reader.enter(commit)?];
        let mut left: Vec<Vec<u8>> = components(path);
        let mut links = 0;
        while let Some(name) = left.pop() {
            if name == b".." {
                if way.len() == 1 {
                    return Ok(None);
                }
                way.pop();
                continue;
            }
            let tree = *way.last().expect("the root is never popped");
            match reader.child(tree, &name)? {
                None => return Ok(None),
                Some(Node::Tree(tree)) if way.len() < MAX_DEPTH => way.push(tree),
                Some(Node::Tree(_)) => return Ok(None),
                Some(Node::Entry(entry)) if entry.kind == EntryKind::Symlink => {
                    links += 1;
                    let target = reader.blob(entry, path)?.bytes;
                    // A target longer than any system takes is not worth splitting.
                    if links > MAX_LINKS || target.len() > 4096 || target.first() == Some(&b'/') {
                        return Ok(None);
                    }
                    left.extend(components(&target));
                }
                Some(Node::Entry(entry)) if left.is_empty() => {
                    return reader.blob(entry, path).map(Some);
                }
                Some(Node::Entry(_)) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Every path at or below `prefix` as of a commit, sorted by bytes, full paths relative to the
    /// repository root. An empty prefix is everything; one that does not exist gives nothing. For
    /// sizes see [`Repository::blob_sizes`]. The last listing is remembered: several look at the newest commit.
    ///
    /// # Errors
    /// `Missing`, `Damaged` or `TooManyPaths` of [`HistoryError`].
    pub fn list(&self, commit: CommitId, prefix: &[u8]) -> Result<Arc<Listing>, HistoryError> {
        let last = || self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last()
            .clone()
            .filter(|l| l.commit == commit && l.prefix == prefix);
        if let Some(known) = known {
            return Ok(known.listing);
        }
        // Not under the lock: a thread that waits for the others may begin a listing of its own.
        let listing = Arc::new(self.read_list(commit, prefix)?);
        *last() = Some(Listed {
            commit,
            prefix: prefix.to_vec(),
            listing: Arc::clone(&listing),
        });
        Ok(listing)
    }

    fn read_list(&self, commit: CommitId, prefix: &[u8]) -> Result<Listing, HistoryError> {
        let mut reader = Reader::new(self);
        let root = reader.enter(commit)?;
        let mut top = components(prefix);
        top.reverse();
        let top = top.join(&b'/');
        let counted = Counted {
            commit,
            seen: AtomicUsize::new(0),
        };
        let mut found = Vec::new();
        let mut open = VecDeque::new();
        match reader.find(root, &top)? {
            None => {}
            Some(Node::Entry(entry)) => found.push((top, entry)),
            Some(Node::Tree(tree)) => open.push_back((top, tree, 0)),
        }
        // The outer folders first, until there are enough of them for all cores.
        while open.len() < SHARED_FOLDERS
            && let Some(folder) = open.pop_front()
        {
            counted.folder(&mut reader, folder, &mut open, &mut found)?;
        }
        let below = |reader: &mut Reader, folder: Folder| -> Result<_, HistoryError> {
            reader.commit = commit;
            let (mut open, mut found) = (VecDeque::from([folder]), Vec::new());
            while let Some(folder) = open.pop_back() {
                counted.folder(reader, folder, &mut open, &mut found)?;
            }
            Ok(found)
        };
        let rest: Vec<Folder> = open.into();
        let rest: Vec<Result<Listing, HistoryError>> = rest
            .into_par_iter()
            .map_init(|| Reader::new(self), below)
            .collect();
        for part in rest {
            found.append(&mut part?);
        }
        found.par_sort_unstable();
        Ok(found)
    }
}

/// Folders that are listed before the others are shared out.
const SHARED_FOLDERS: usize = 128;

/// A folder's path, its tree, and how many folders it lies in.
type Folder = (Vec<u8>, ObjectId, usize);

/// What was listed last.
#[derive(Clone)]
pub(super) struct Listed {
    commit: CommitId,
    prefix: Vec<u8>,
    listing: Arc<Listing>,
}

/// A listing of a commit that is being made.
struct Counted {
    commit: CommitId,
    /// Names met so far.
    seen: AtomicUsize,
}

impl Counted {
    /// Adds what is in a folder to what was found, and to the folders to look into.
    fn folder(
        &self,
        reader: &mut Reader,
        (dir, tree, depth): Folder,
        open: &mut VecDeque<Folder>,
        found: &mut Listing,
    ) -> Result<(), HistoryError> {
        let bytes = reader.tree(tree)?;
        for entry in TreeRefIter::from_bytes(&bytes, gix::hash::Kind::Sha1) {
            let entry = entry.map_err(|error| reader.malformed(tree, &one_line(&error)))?;
            let seen = self.seen.fetch_add(1, Ordering::Relaxed);
            if seen >= MAX_PATHS || depth > MAX_DEPTH {
                return Err(too_many(self.commit));
            }
            let mut path = Vec::with_capacity(dir.len() + 1 + entry.filename.len());
            path.extend_from_slice(&dir);
            if !dir.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(entry.filename);
            match node(entry.mode, entry.oid) {
                Node::Tree(tree) => open.push_back((path, tree, depth + 1)),
                Node::Entry(entry) => found.push((path, entry)),
            }
        }
        Ok(())
    }
}

pub(super) fn too_many(commit: CommitId) -> HistoryError {
    HistoryError::TooManyPaths {
        commit,
        reason: "more than four million paths, or directories nested more than 2048 deep",
    }
}

/// The parts of a path, last one first, as a stack wants them.
pub(super) fn components(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|b| *b == b'/');
    let parts = parts.filter(|part| !part.is_empty() && part != b".");
    parts.rev().map(<[u8]>::to_vec).collect()
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Tree => "tree",
        Kind::Blob => "blob",
        Kind::Commit => "commit",
        Kind::Tag => "tag",
    }
}
