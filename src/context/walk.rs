//! The parallel walk of a work tree under ignore rules.
//!
//! Goes in: a root and rules. Comes out: entries sent and not sent. Costs one `lstat` and one path
//! per visited entry and one evaluation of the rules. Invariant: a folder's state is stored before
//! any of its children is visited, because the walker visits a folder before it lists it.

use super::hash::{Contents, fill_digests};
use super::stat_cache::{Stamp, StatCache};
use super::{
    Context, ContextEntry, ContextError, EntryKind, Hashing, IgnoredEntry, Problem, ProblemKind,
    WalkOptions,
};
use crate::pattern::path::{ancestors, parent};
use crate::pattern::{DirState, IgnoreRules};
use ignore::{DirEntry, WalkBuilder, WalkState};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Walks `root` and returns what the builder would be sent. Symlinks are never followed (`root`
/// itself may be one). Entries that vanish during the walk are left out, as are unreadable ones
/// that are ignored; what is not ignored and cannot be read is in [`Context::problems`].
///
/// # Errors
/// When the root is no folder or cannot be read, or reading fails for another reason than
/// permissions; of several failures the first by path is reported.
pub fn walk(
    root: &Path,
    rules: &IgnoreRules,
    options: WalkOptions,
) -> Result<Context, ContextError> {
    walk_cached(root, rules, options, None)
}

/// [`walk`] with digests remembered in a folder of the tool's own: files whose stat data have not
/// changed since are not read again. An unusable store costs time, never an error.
///
/// # Errors
/// As [`walk`].
pub fn walk_cached(
    root: &Path,
    rules: &IgnoreRules,
    options: WalkOptions,
    cache_dir: Option<&Path>,
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
    let (found, problems) = visit_all(&real, rules)?;
    let (mut context, stamps) = sort_out(found, rules);
    context.problems = problems;
    if options.hashing != Hashing::None {
        // A walk that reads only a few files would throw the digests of the others away.
        let store = options.hashing == Hashing::Digest;
        let mut cache = cache_dir.map(|dir| StatCache::open(dir, &real));
        let contents = Contents {
            root: &real,
            hashing: options.hashing,
            stamps,
            started: Stamp::now(),
        };
        let fresh = fill_digests(contents, &mut context, cache.as_ref())?;
        if let (true, Some(cache), Some(fresh)) = (store, &mut cache, fresh) {
            cache.save(&fresh);
        }
    }
    names(&mut context);
    Ok(context)
}

/// What the wire cannot carry: the builder's protocol has names and link texts as UTF-8.
fn names(context: &mut Context) {
    let not_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_err();
    for entry in &context.entries {
        let kind = match &entry.link_target {
            _ if not_text(&entry.path) => ProblemKind::NameNotUtf8,
            Some(target) if not_text(target) => ProblemKind::LinkNotUtf8,
            _ => continue,
        };
        context.problems.push(Problem {
            path: entry.path.clone(),
            kind,
        });
    }
    context.problems.sort_unstable();
    context.problems.dedup();
}

/// An entry with what the rules say about it. `ignored_by` is the index of the deciding pattern.
pub(super) struct Found {
    pub(super) entry: ContextEntry,
    pub(super) stamp: Stamp,
    pub(super) ignored_by: Option<usize>,
}

/// A folder's state and whether the folder itself is ignored.
#[derive(Clone)]
struct Dir {
    state: Arc<DirState>,
    ignored: bool,
}

/// What all threads share. States of visited folders are asked for once per folder and thread in a
/// row, so a lock is enough.
struct Shared<'a> {
    rules: &'a IgnoreRules,
    has_exceptions: bool,
    /// Bytes of a visited path in front of its relative part.
    strip: usize,
    dirs: Mutex<FxHashMap<Vec<u8>, Dir>>,
    out: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    found: Vec<Found>,
    problems: Vec<Problem>,
    errors: Vec<ContextError>,
}

/// One thread's share; handed over when the thread is done.
struct Worker<'a> {
    shared: &'a Shared<'a>,
    own: Gathered,
    /// The folder of the last entry, which is mostly the next one's too.
    last: Option<(Vec<u8>, Dir)>,
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        let mut out = lock(&self.shared.out);
        out.found.append(&mut self.own.found);
        out.problems.append(&mut self.own.problems);
        out.errors.append(&mut self.own.errors);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything visited, sorted by path, and what could not be opened.
fn visit_all(root: &Path, rules: &IgnoreRules) -> Result<(Vec<Found>, Vec<Problem>), ContextError> {
    let top = Dir {
        state: Arc::new(rules.root()),
        ignored: false,
    };
    let shared = Shared {
        rules,
        has_exceptions: rules.patterns().iter().any(|p| p.negated),
        strip: match root.as_os_str().as_bytes() {
            b"/" => 1,
            path => path.len() + 1,
        },
        dirs: Mutex::new(FxHashMap::from_iter([(Vec::new(), top)])),
        out: Mutex::default(),
    };
    WalkBuilder::new(root)
        .standard_filters(false)
        .hidden(false)
        .follow_links(false)
        .build_parallel()
        .run(|| {
            let mut worker = Worker {
                shared: &shared,
                own: Gathered::default(),
                last: None,
            };
            Box::new(move |entry| match entry {
                Ok(entry) => worker.visit(&entry),
                Err(error) => {
                    worker.failed(root, error);
                    WalkState::Continue
                }
            })
        });
    let Gathered {
        mut found,
        problems,
        errors,
    } = shared
        .out
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    // Threads report in any order; the answer must not depend on it.
    if let Some(error) = errors
        .into_iter()
        .min_by(|a: &ContextError, b| a.path().cmp(b.path()))
    {
        return Err(error);
    }
    found.par_sort_unstable_by(|a: &Found, b| a.entry.path.cmp(&b.entry.path));
    Ok((found, problems))
}

impl Worker<'_> {
    fn dir(&mut self, path: &[u8]) -> Option<Dir> {
        if let Some((last, dir)) = &self.last
            && last == path
        {
            return Some(dir.clone());
        }
        let dir = lock(&self.shared.dirs).get(path)?.clone();
        self.last = Some((path.to_vec(), dir.clone()));
        Some(dir)
    }

    fn visit(&mut self, entry: &DirEntry) -> WalkState {
        let full = entry.path();
        let bytes = full.as_os_str().as_bytes();
        let Some(path) = bytes.get(self.shared.strip..).filter(|p| !p.is_empty()) else {
            return WalkState::Continue;
        };
        let is_dir = entry.file_type().is_some_and(|t| t.is_dir());
        let rules = self.shared.rules;
        let (mut next, mut ignored_by, mut emptied) = (WalkState::Continue, None, false);
        if !rules.is_empty() {
            let Some(above) = self.dir(parent(path)) else {
                // Only reachable if the walker broke its promise; skipping is the safe way out.
                return WalkState::Skip;
            };
            let (ignored, decided_by) = if is_dir {
                let verdict = rules.test(&above.state, path);
                if verdict.state.is_pruned() {
                    next = WalkState::Skip;
                } else {
                    let dir = Dir {
                        state: Arc::new(verdict.state),
                        ignored: verdict.ignored,
                    };
                    lock(&self.shared.dirs).insert(path.to_vec(), dir);
                }
                (verdict.ignored, verdict.decided_by)
            } else {
                rules.decide(&above.state, path)
            };
            ignored_by = decided_by.filter(|_| ignored);
            emptied =
                self.shared.has_exceptions && !ignored && !is_dir && rules.is_ignored_flat(path);
        }
        let described = fs::symlink_metadata(full).and_then(|metadata| {
            let entry = describe(path, full, &metadata, emptied)?;
            Ok((entry, Stamp::of(&metadata)))
        });
        match described {
            Ok((entry, stamp)) => self.own.found.push(Found {
                entry,
                stamp,
                ignored_by,
            }),
            Err(e) if ignored_by.is_some() || e.kind() == io::ErrorKind::NotFound => {}
            // The folder may be listed but not entered.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                self.own.problems.push(Problem {
                    path: parent(path).to_vec(),
                    kind: ProblemKind::UnreadableFolder,
                });
            }
            Err(source) => self.own.errors.push(ContextError::Read {
                path: full.to_owned(),
                source,
            }),
        }
        next
    }

    /// A folder that could not be listed, unless that is forgiven.
    fn failed(&mut self, root: &Path, error: ignore::Error) {
        let path = path_of(&error).unwrap_or(root).to_owned();
        let source = error
            .into_io_error()
            .unwrap_or_else(|| io::ErrorKind::Other.into());
        let bytes = path.as_os_str().as_bytes();
        let relative = bytes.get(self.shared.strip..).unwrap_or_default().to_vec();
        let ignored = !relative.is_empty() && self.dir(&relative).is_some_and(|d| d.ignored);
        match source.kind() {
            io::ErrorKind::NotFound => {}
            io::ErrorKind::PermissionDenied if ignored => {}
            io::ErrorKind::PermissionDenied if !relative.is_empty() => {
                self.own.problems.push(Problem {
                    path: relative,
                    kind: ProblemKind::UnreadableFolder,
                });
            }
            _ => self.own.errors.push(ContextError::Read { path, source }),
        }
    }
}

/// The entry without its digest. What arrives for a socket is an empty regular file with the
/// socket's permissions, and its key is that of such a file (confirmed with real builds).
fn describe(
    path: &[u8],
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
    let emptied = emptied && kind == EntryKind::File || file_type.is_socket();
    let link_target = match kind {
        EntryKind::Symlink => Some(fs::read_link(on_disk)?.into_os_string().into_vec()),
        _ => None,
    };
    Ok(ContextEntry {
        path: path.to_vec(),
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

/// Splits what was visited into sent and not sent: a survivor brings back every folder above it,
/// and an ignored folder without one hides what is below it. The stamps are those of the entries.
pub(super) fn sort_out(found: Vec<Found>, rules: &IgnoreRules) -> (Context, Vec<Stamp>) {
    let mut revived: FxHashSet<Vec<u8>> = FxHashSet::default();
    if found.iter().any(|f| f.ignored_by.is_some()) {
        for survivor in found.iter().filter(|f| f.ignored_by.is_none()) {
            let above = parent(&survivor.entry.path);
            if !above.is_empty() && !revived.contains(above) {
                revived.extend(ancestors(&survivor.entry.path).map(<[u8]>::to_vec));
            }
        }
    }
    let mut context = Context::default();
    let mut stamps = Vec::with_capacity(found.len());
    let mut lost: FxHashSet<Vec<u8>> = FxHashSet::default();
    for Found {
        entry,
        stamp,
        ignored_by,
    } in found
    {
        let Some(pattern) = ignored_by.filter(|_| !revived.contains(&entry.path)) else {
            context.entries.push(entry);
            stamps.push(stamp);
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
    (context, stamps)
}
