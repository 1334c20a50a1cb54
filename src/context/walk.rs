//! The parallel walk of a work tree under ignore rules.
//!
//! Goes in: a root and rules. Comes out: entries sent and not sent. Costs one `lstat` per visited
//! entry and one evaluation of the rules. Invariant: a folder's state is stored before any of its
//! children is visited, because the walker visits a folder before it lists it.

use super::hash::fill_digests;
use super::{Context, ContextEntry, ContextError, EntryKind, Hashing, IgnoredEntry, WalkOptions};
use crate::pattern::path::{ancestors, parent};
use crate::pattern::{DirState, IgnoreRules};
use ignore::{DirEntry, WalkBuilder, WalkState};
use rustc_hash::{FxHashMap, FxHashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// Walks `root` and returns what the builder would be sent. Symlinks are never followed (`root`
/// itself may be one). Entries that vanish during the walk are left out, as are unreadable ones
/// that are ignored. A socket arrives as an empty file with the socket's mode (confirmed with a real
/// build, BuildKit v0.25), so that is what it is here.
///
/// # Errors
/// When the root is no folder, or something that is not ignored cannot be read; of several
/// failures the first by path is reported.
pub fn walk(
    root: &Path,
    rules: &IgnoreRules,
    options: WalkOptions,
) -> Result<Context, ContextError> {
    let real = fs::canonicalize(root).map_err(|source| ContextError::Read {
        path: root.to_owned(),
        source,
    })?;
    if !real.is_dir() {
        return Err(ContextError::NotADirectory {
            path: root.to_owned(),
        });
    }
    let mut context = sort_out(visit_all(&real, rules)?, rules);
    if options.hashing == Hashing::Digest {
        context.entries = fill_digests(&real, context.entries)?;
    }
    Ok(context)
}

/// An entry with what the rules say about it. `ignored_by` is the index of the deciding pattern.
struct Found {
    entry: ContextEntry,
    ignored_by: Option<usize>,
}

/// A folder's state and whether the folder itself is ignored.
#[derive(Clone)]
struct Dir {
    state: Arc<DirState>,
    ignored: bool,
}

/// States of visited folders. A lock is enough: it is held for one look-up per entry, next to an
/// `lstat` of the same entry.
struct Dirs(Mutex<FxHashMap<Vec<u8>, Dir>>);

impl Dirs {
    fn get(&self, path: &[u8]) -> Option<Dir> {
        let dirs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dirs.get(path).cloned()
    }

    fn insert(&self, path: Vec<u8>, dir: Dir) {
        let mut dirs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dirs.insert(path, dir);
    }
}

/// Everything visited, sorted by path.
fn visit_all(root: &Path, rules: &IgnoreRules) -> Result<Vec<Found>, ContextError> {
    let top = Dir {
        state: Arc::new(rules.root()),
        ignored: false,
    };
    let dirs = Dirs(Mutex::new(FxHashMap::from_iter([(Vec::new(), top)])));
    let has_exceptions = rules.patterns().iter().any(|p| p.negated);
    let (send, receive) = mpsc::channel();
    WalkBuilder::new(root)
        .standard_filters(false)
        .hidden(false)
        .follow_links(false)
        .build_parallel()
        .run(|| {
            let send = send.clone();
            let (dirs, root) = (&dirs, root);
            Box::new(move |entry| {
                let (visited, next) = match entry {
                    Ok(entry) => visit(root, rules, has_exceptions, dirs, &entry),
                    Err(error) => (failed(root, dirs, error).map(Err), WalkState::Continue),
                };
                // The receiver outlives the walk, so this cannot fail.
                let _ = visited.map(|v| send.send(v));
                next
            })
        });
    drop(send);
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for visited in receive {
        match visited {
            Ok(f) => found.push(f),
            Err(e) => errors.push(e),
        }
    }
    // Threads report in any order; the answer must not depend on it.
    if let Some(error) = errors
        .into_iter()
        .min_by(|a: &ContextError, b| a.path().cmp(b.path()))
    {
        return Err(error);
    }
    found.sort_unstable_by(|a: &Found, b| a.entry.path.cmp(&b.entry.path));
    Ok(found)
}

type Visited = Option<Result<Found, ContextError>>;

fn visit(
    root: &Path,
    rules: &IgnoreRules,
    has_exceptions: bool,
    dirs: &Dirs,
    entry: &DirEntry,
) -> (Visited, WalkState) {
    let path = relative(root, entry.path());
    if path.is_empty() {
        return (None, WalkState::Continue);
    }
    let Some(above) = dirs.get(parent(&path)) else {
        // Only reachable if the walker broke its promise; skipping is the safe way out.
        return (None, WalkState::Skip);
    };
    let is_dir = entry.file_type().is_some_and(|t| t.is_dir());
    let mut next = WalkState::Continue;
    let (ignored, decided_by) = if is_dir {
        let verdict = rules.test(&above.state, &path);
        if verdict.state.is_pruned() {
            next = WalkState::Skip;
        } else {
            let dir = Dir {
                state: Arc::new(verdict.state),
                ignored: verdict.ignored,
            };
            dirs.insert(path.clone(), dir);
        }
        (verdict.ignored, verdict.decided_by)
    } else {
        rules.decide(&above.state, &path)
    };
    let emptied = has_exceptions && !ignored && !is_dir && rules.is_ignored_flat(&path);
    let described = entry
        .metadata()
        .map_err(|e| {
            e.into_io_error()
                .unwrap_or_else(|| io::ErrorKind::Other.into())
        })
        .and_then(|metadata| describe(path, entry.path(), &metadata, emptied));
    let visited = match described {
        Ok(entry) => Some(Ok(Found {
            entry,
            ignored_by: decided_by.filter(|_| ignored),
        })),
        Err(e) if ignored || e.kind() == io::ErrorKind::NotFound => None,
        Err(source) => Some(Err(ContextError::Read {
            path: entry.path().to_owned(),
            source,
        })),
    };
    (visited, next)
}

/// The entry without its digest.
fn describe(
    path: Vec<u8>,
    on_disk: &Path,
    metadata: &Metadata,
    emptied: bool,
) -> io::Result<ContextEntry> {
    let file_type = metadata.file_type();
    let kind = match file_type {
        t if t.is_file() || t.is_socket() => EntryKind::File,
        t if t.is_dir() => EntryKind::Directory,
        t if t.is_symlink() => EntryKind::Symlink,
        _ => EntryKind::Other,
    };
    let emptied = file_type.is_socket() || emptied && kind == EntryKind::File;
    let link_target = match kind {
        EntryKind::Symlink => Some(fs::read_link(on_disk)?.into_os_string().into_vec()),
        _ => None,
    };
    Ok(ContextEntry {
        path,
        kind,
        mode: metadata.mode() & 0o7777,
        size: match kind {
            EntryKind::File if !emptied => metadata.len(),
            _ => 0,
        },
        digest: None,
        link_target,
        emptied,
    })
}

/// A folder that could not be listed, unless that is forgiven.
fn failed(root: &Path, dirs: &Dirs, error: ignore::Error) -> Option<ContextError> {
    let path = path_of(&error).unwrap_or(root).to_owned();
    let source = error
        .into_io_error()
        .unwrap_or_else(|| io::ErrorKind::Other.into());
    let ignored = dirs.get(&relative(root, &path)).is_some_and(|d| d.ignored);
    match source.kind() {
        io::ErrorKind::NotFound => None,
        io::ErrorKind::PermissionDenied if ignored => None,
        _ => Some(ContextError::Read { path, source }),
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    let mut error = error;
    loop {
        match error {
            ignore::Error::WithPath { path, .. } => return Some(path),
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
                error = err;
            }
            _ => return None,
        }
    }
}

fn relative(root: &Path, path: &Path) -> Vec<u8> {
    let below = path.strip_prefix(root).map(PathBuf::from);
    below.unwrap_or_default().into_os_string().into_vec()
}

/// Splits what was visited into sent and not sent: a survivor brings back every folder above it,
/// and an ignored folder without one hides what is below it.
fn sort_out(found: Vec<Found>, rules: &IgnoreRules) -> Context {
    let mut revived: FxHashSet<Vec<u8>> = FxHashSet::default();
    for survivor in found.iter().filter(|f| f.ignored_by.is_none()) {
        let above = parent(&survivor.entry.path);
        if !above.is_empty() && !revived.contains(above) {
            revived.extend(ancestors(&survivor.entry.path).map(<[u8]>::to_vec));
        }
    }
    let mut context = Context::default();
    let mut lost: FxHashSet<Vec<u8>> = FxHashSet::default();
    for Found { entry, ignored_by } in found {
        let Some(pattern) = ignored_by.filter(|_| !revived.contains(&entry.path)) else {
            context.entries.push(entry);
            continue;
        };
        let below_lost = lost.contains(parent(&entry.path));
        if entry.kind == EntryKind::Directory {
            lost.insert(entry.path.clone());
        }
        if below_lost {
            context.visited_in_vain += 1;
            continue;
        }
        context.ignored.push(IgnoredEntry {
            path: entry.path,
            kind: entry.kind,
            pattern,
            line: rules.patterns().get(pattern).map_or(0, |p| p.line),
        });
    }
    context
}
