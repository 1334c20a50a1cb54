//! The parallel walk of a work tree under ignore rules.
//!
//! Goes in: a root and rules. Comes out: entries sent and not sent. Costs one look at each visited
//! entry, by its name in an open folder, one evaluation of the rules and one allocation for the
//! path; each folder is a task and sorts its own names. Invariant: a folder is listed with the
//! state that the rules gave it, and the answer does not depend on the order in which tasks run.

use super::folder::Folder;
use super::hash::{Contents, fill_digests};
use super::names::{Named, Names};
use super::sorted::{in_order, revived, sort_out};
use super::stat_cache::{Listing, Moment, Remembered, Stamp, StatCache};
use super::{
    Context, ContextEntry, ContextError, EntryKind, Hashing, Problem, ProblemKind, WalkOptions,
};
use crate::pattern::{DirState, IgnoreRules};
use rayon::Scope;
use rayon::prelude::*;
use rustix::fs::{FileType, Stat};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    let started = Stamp::now();
    let cache = cache_dir.filter(|_| options.hashing != Hashing::None);
    let cache = cache.map(|dir| StatCache::open(dir, &real));
    let remembered = cache.as_ref().map(StatCache::remembered);
    let visited = visit_all(&real, rules, started, remembered.as_ref())?;
    let revived = revived(visited.parts.iter().flatten());
    let (mut context, stamps) = sort_out(in_order(visited.parts), &revived, rules);
    context.problems = visited.problems;
    if options.hashing != Hashing::None {
        let contents = Contents {
            root: &real,
            hashing: options.hashing,
            stamps,
            started,
        };
        let read = fill_digests(contents, &mut context)?;
        if let (Some(cache), Some(remembered)) = (&cache, &remembered) {
            read.remember(&context, &visited.listings, cache, remembered);
        }
        read.finish(&mut context);
    }
    names(&mut context);
    Ok(context)
}

/// What the wire cannot carry: the builder's protocol has names and link texts as UTF-8.
fn names(context: &mut Context) {
    let not_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_err();
    let problem = |entry: &ContextEntry| {
        let kind = match &entry.link_target {
            _ if not_text(&entry.path) => ProblemKind::NameNotUtf8,
            Some(target) if not_text(target) => ProblemKind::LinkNotUtf8,
            _ => return None,
        };
        let path = entry.path.clone();
        Some(Problem { path, kind })
    };
    let entries = context.entries.par_iter();
    context.problems.par_extend(entries.filter_map(problem));
    context.problems.sort_unstable();
    context.problems.dedup();
}

/// An entry with what the rules say about it. `ignored_by` is the index of the deciding pattern.
pub(super) struct Found {
    pub(super) entry: ContextEntry,
    pub(super) stamp: Stamp,
    pub(super) ignored_by: Option<usize>,
}

/// Names that one task looks at. The other tasks look at the rest of a large folder.
const NAMES: usize = 1024;

/// A folder that is listed.
struct Dir {
    /// Relative to the root.
    path: Vec<u8>,
    state: DirState,
    /// Whether the folder itself is ignored.
    ignored: bool,
}

/// What all tasks share.
struct Walk<'a> {
    root: &'a Path,
    top: Folder,
    rules: &'a IgnoreRules,
    has_exceptions: bool,
    /// When the run began.
    started: Moment,
    /// What earlier runs found out; `None` when nothing is to be remembered either.
    remembered: Option<&'a Remembered<'a>>,
    /// The device whose folders have other times when they have other names, if the root's does.
    telling: Option<u64>,
    out: Mutex<Gathered<'a>>,
}

#[derive(Default)]
struct Gathered<'a> {
    /// Of one folder each, sorted by path.
    parts: Vec<Vec<Found>>,
    listings: Vec<Listing<'a>>,
    problems: Vec<Problem>,
    errors: Vec<ContextError>,
}

/// What one task found, sorted by path.
#[derive(Default)]
struct Part {
    found: Vec<Found>,
    problems: Vec<Problem>,
    errors: Vec<ContextError>,
}

impl Part {
    fn append(&mut self, mut other: Self) {
        self.found.append(&mut other.found);
        self.problems.append(&mut other.problems);
        self.errors.append(&mut other.errors);
    }
}

/// A folder of so many names that several tasks look at them.
struct Large<'a> {
    dir: Dir,
    names: Arc<Names<'a>>,
    /// What is done, by the first name of each.
    done: Mutex<Vec<(usize, Part)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything visited; the parts in any order.
fn visit_all<'a>(
    root: &'a Path,
    rules: &'a IgnoreRules,
    started: Moment,
    remembered: Option<&'a Remembered<'a>>,
) -> Result<Gathered<'a>, ContextError> {
    let failed = |source| ContextError::Read {
        path: root.to_owned(),
        source,
    };
    let top = Folder::top(root).map_err(failed)?;
    let telling = match remembered.filter(|_| top.times_tell_names()) {
        Some(_) => Some(Stamp::of(&top.own_stat().map_err(failed)?).device()),
        None => None,
    };
    let walk = Walk {
        root,
        top,
        rules,
        has_exceptions: rules.patterns().iter().any(|p| p.negated),
        started,
        remembered,
        telling,
        out: Mutex::default(),
    };
    let top = Dir {
        path: Vec::new(),
        state: rules.root(),
        ignored: false,
    };
    rayon::scope(|scope| walk.list(scope, top));
    let out = walk.out.into_inner();
    let mut out = out.unwrap_or_else(PoisonError::into_inner);
    // Tasks end in any order; the answer must not depend on it.
    let errors = out.errors.drain(..);
    match errors.min_by(|a, b| a.path().cmp(b.path())) {
        Some(error) => Err(error),
        None => Ok(out),
    }
}

impl<'a> Walk<'a> {
    /// Lists a folder and looks at what is in it.
    fn list<'s>(&'s self, scope: &Scope<'s>, dir: Dir) {
        let mut part = Part::default();
        match self.top.open(&dir.path) {
            Ok(None) => {}
            Err(error) => self.failed(&dir, error, &mut part),
            Ok(Some(folder)) => {
                let names = self.names(&dir, &folder, &mut part);
                if names.len() > NAMES {
                    self.share(scope, dir, names, part);
                    return;
                }
                self.look(scope, &dir, &folder, names.some(0, NAMES), &mut part);
            }
        }
        self.hand_over(part);
    }

    /// The names in a folder. A listing that is remembered is as good as another one if the folder
    /// has the times it had, but opening the folder still tells whether it may be listed.
    fn names(&self, dir: &Dir, folder: &Folder, part: &mut Part) -> Arc<Names<'a>> {
        // Looked at before the names are: who adds one meanwhile makes the folder a younger one.
        let stamp = self.telling.and_then(|device| {
            let stamp = Stamp::of(&folder.own_stat().ok()?);
            (stamp.device() == device).then_some(stamp)
        });
        let known = self.remembered.and_then(|all| all.folder(&dir.path));
        let again = stamp.and_then(|stamp| known?.names_at(&stamp));
        if let Some(names) = again {
            self.remember(&dir.path, None);
            return Arc::new(names);
        }
        let (mut names, error) = folder.names();
        if let Some(known) = known {
            names.recall(known.records);
        }
        let names = Arc::new(names);
        match (error, stamp) {
            (Some(error), _) => self.failed(dir, error, part),
            (None, Some(stamp)) if stamp.settled(self.started) => {
                self.remember(&dir.path, Some((stamp, Arc::clone(&names))));
            }
            _ => {}
        }
        names
    }

    fn remember(&self, path: &[u8], fresh: Option<(Stamp, Arc<Names<'a>>)>) {
        let path = path.to_vec();
        lock(&self.out).listings.push(Listing { path, fresh });
    }

    /// Has several tasks look at a large folder.
    fn share<'s>(&'s self, scope: &Scope<'s>, dir: Dir, names: Arc<Names<'a>>, begun: Part) {
        let firsts = (0..names.len()).step_by(NAMES);
        let large = Arc::new(Large {
            dir,
            names,
            done: Mutex::new(Vec::with_capacity(firsts.len())),
        });
        self.hand_over(begun);
        for from in firsts {
            let large = Arc::clone(&large);
            scope.spawn(move |scope| self.look_from(scope, &large, from));
        }
    }

    /// Looks at some of a large folder's names. The folder is opened once more, since keeping it
    /// open until all of its tasks are done could take any number of descriptors.
    fn look_from<'s>(&'s self, scope: &Scope<'s>, large: &Large<'a>, from: usize) {
        let mut part = Part::default();
        match self.top.open(&large.dir.path) {
            Ok(None) => {}
            Err(error) => self.failed(&large.dir, error, &mut part),
            Ok(Some(folder)) => {
                let names = large.names.some(from, NAMES);
                self.look(scope, &large.dir, &folder, names, &mut part);
            }
        }
        let mut done = lock(&large.done);
        done.push((from, part));
        if done.len() == large.names.len().div_ceil(NAMES) {
            done.sort_unstable_by_key(|(from, _)| *from);
            let mut whole = Part::default();
            done.drain(..).for_each(|(_, part)| whole.append(part));
            drop(done);
            self.hand_over(whole);
        }
    }

    fn hand_over(&self, mut part: Part) {
        let mut out = lock(&self.out);
        out.problems.append(&mut part.problems);
        out.errors.append(&mut part.errors);
        if !part.found.is_empty() {
            out.parts.push(part.found);
        }
    }

    /// Looks at names of a folder, and has the folders among them listed.
    fn look<'s, 'n>(
        &'s self,
        scope: &Scope<'s>,
        dir: &Dir,
        folder: &Folder,
        names: impl Iterator<Item = Named<'n, 'a>>,
        part: &mut Part,
    ) where
        'a: 'n,
    {
        part.found.reserve(names.size_hint().1.unwrap_or(0));
        for Named {
            name,
            is_dir: listed_as_dir,
            known,
        } in names
        {
            let path = below(&dir.path, name.to_bytes());
            let stat = folder.stat(name);
            let is_dir = match &stat {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode).is_dir(),
                Err(_) => listed_as_dir,
            };
            let judged = self.judge(dir, &path, is_dir);
            let described = stat.and_then(|stat| {
                let is_link = FileType::from_raw_mode(stat.st_mode).is_symlink();
                let target = is_link.then(|| folder.link(name)).transpose()?;
                Ok((stat, target))
            });
            match described {
                Ok((stat, target)) => {
                    let stamp = Stamp::of(&stat);
                    let mut entry = describe(path, &stat, stamp, target, judged.emptied);
                    if entry.kind == EntryKind::File && !entry.emptied {
                        entry.digest = known.and_then(|known| known.digest_at(&stamp));
                    }
                    part.found.push(Found {
                        entry,
                        stamp,
                        ignored_by: judged.ignored_by,
                    });
                    if let Some(below) = judged.below {
                        scope.spawn(move |scope| self.list(scope, below));
                    }
                }
                Err(e) if judged.ignored_by.is_some() || e.kind() == io::ErrorKind::NotFound => {}
                // The folder may be listed but not entered, nor may a folder in it.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                    let kind = ProblemKind::UnreadableFolder;
                    let within = judged.below.map(|below| below.path);
                    let paths = [Some(dir.path.clone()), within].into_iter().flatten();
                    part.problems
                        .extend(paths.map(|path| Problem { path, kind }));
                }
                Err(source) => part.errors.push(self.error(&path, source)),
            }
        }
    }

    /// What the rules say of an entry.
    fn judge(&self, above: &Dir, path: &[u8], is_dir: bool) -> Judged {
        let rules = self.rules;
        if rules.is_empty() {
            return Judged {
                ignored_by: None,
                emptied: false,
                below: is_dir.then(|| Dir {
                    path: path.to_vec(),
                    state: rules.root(),
                    ignored: false,
                }),
            };
        }
        let mut below = None;
        let (ignored, decided_by) = if is_dir {
            let verdict = rules.test(&above.state, path);
            if !verdict.state.is_pruned() {
                below = Some(Dir {
                    path: path.to_vec(),
                    state: verdict.state,
                    ignored: verdict.ignored,
                });
            }
            (verdict.ignored, verdict.decided_by)
        } else {
            rules.decide(&above.state, path)
        };
        Judged {
            ignored_by: decided_by.filter(|_| ignored),
            emptied: self.has_exceptions && !ignored && !is_dir && rules.is_ignored_flat(path),
            below,
        }
    }

    /// A folder that could not be listed, unless that is forgiven.
    fn failed(&self, dir: &Dir, source: io::Error, part: &mut Part) {
        match source.kind() {
            io::ErrorKind::PermissionDenied if dir.ignored => {}
            io::ErrorKind::PermissionDenied if !dir.path.is_empty() => {
                part.problems.push(Problem {
                    path: dir.path.clone(),
                    kind: ProblemKind::UnreadableFolder,
                });
            }
            _ => part.errors.push(self.error(&dir.path, source)),
        }
    }

    fn error(&self, path: &[u8], source: io::Error) -> ContextError {
        let path = match path {
            b"" => self.root.to_owned(),
            _ => self.root.join(OsStr::from_bytes(path)),
        };
        ContextError::Read { path, source }
    }
}

struct Judged {
    ignored_by: Option<usize>,
    emptied: bool,
    /// The folder, if it is to be listed.
    below: Option<Dir>,
}

fn below(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(dir.len() + 1 + name.len());
    if !dir.is_empty() {
        path.extend_from_slice(dir);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The entry without its digest. What arrives for a socket is an empty regular file with the
/// socket's permissions, and its key is that of such a file (confirmed with real builds).
fn describe(
    path: Vec<u8>,
    stat: &Stat,
    stamp: Stamp,
    link_target: Option<Vec<u8>>,
    emptied: bool,
) -> ContextEntry {
    let file_type = FileType::from_raw_mode(stat.st_mode);
    let kind = match file_type {
        FileType::RegularFile | FileType::Socket => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        _ => EntryKind::Other,
    };
    let emptied = emptied && kind == EntryKind::File || file_type == FileType::Socket;
    ContextEntry {
        path,
        kind,
        mode: stamp.permissions(),
        size: match kind {
            EntryKind::File if !emptied => stamp.size(),
            _ => 0,
        },
        digest: None,
        link_target,
        emptied,
    }
}
