//! The parallel walk of a work tree under ignore rules.
//!
//! Goes in: a root and rules. Comes out: entries sent and not sent. Costs one look at each visited
//! entry, by its name in an open folder, one evaluation of the rules and one allocation for the
//! path; each folder is a task and sorts its own names. Invariant: a folder is listed with the
//! state that the rules gave it, and the answer does not depend on the order in which tasks run.

use super::folder::{Folder, Names};
use super::hash::{Contents, fill_digests};
use super::stat_cache::{Stamp, StatCache};
use super::{
    Context, ContextEntry, ContextError, EntryKind, Hashing, IgnoredEntry, Problem, ProblemKind,
    WalkOptions,
};
use crate::pattern::path::{ancestors, parent};
use crate::pattern::{DirState, IgnoreRules};
use rayon::Scope;
use rustc_hash::FxHashSet;
use rustix::fs::{FileType, Stat};
use std::ffi::{CStr, OsStr};
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
    let open = || {
        let dir = cache_dir.filter(|_| options.hashing != Hashing::None)?;
        Some(StatCache::open(dir, &real))
    };
    let (cache, visited) = rayon::join(open, || visit_all(&real, rules));
    let (found, problems) = visited?;
    let (mut context, stamps) = sort_out(found, rules);
    context.problems = problems;
    if options.hashing != Hashing::None {
        let contents = Contents {
            root: &real,
            hashing: options.hashing,
            stamps,
            started,
        };
        fill_digests(contents, &mut context, cache.as_ref())?;
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
    out: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    /// Of one folder each, sorted by path.
    parts: Vec<Vec<Found>>,
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
struct Large {
    dir: Dir,
    names: Names,
    /// What is done, by the first name of each.
    done: Mutex<Vec<(usize, Part)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything visited, sorted by path, and what could not be opened.
fn visit_all(root: &Path, rules: &IgnoreRules) -> Result<(Vec<Found>, Vec<Problem>), ContextError> {
    let top = Folder::top(root).map_err(|source| ContextError::Read {
        path: root.to_owned(),
        source,
    })?;
    let walk = Walk {
        root,
        top,
        rules,
        has_exceptions: rules.patterns().iter().any(|p| p.negated),
        out: Mutex::default(),
    };
    let top = Dir {
        path: Vec::new(),
        state: rules.root(),
        ignored: false,
    };
    rayon::scope(|scope| walk.list(scope, top));
    let Gathered {
        parts,
        problems,
        errors,
    } = walk
        .out
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    // Tasks end in any order; the answer must not depend on it.
    match errors.into_iter().min_by(|a, b| a.path().cmp(b.path())) {
        Some(error) => Err(error),
        None => Ok((in_order(parts), problems)),
    }
}

/// Where, in the order of all paths, entries of other folders lie between those of one: what is in
/// `a` comes behind `a-b` and before `a0`.
fn cuts(found: &[Found]) -> Vec<usize> {
    let cut = |folder: &ContextEntry| {
        let inside = [&folder.path, &b"/"[..]].concat();
        found.partition_point(|f| f.entry.path < inside)
    };
    let entries = found.iter().map(|f| &f.entry);
    let folders = entries.filter(|e| e.kind == EntryKind::Directory);
    let mut cuts: Vec<usize> = folders.map(cut).collect();
    cuts.sort_unstable();
    cuts
}

/// All that was found, sorted by path. Only the stretches that nothing comes between are sorted;
/// of those there are about as many as folders.
fn in_order(parts: Vec<Vec<Found>>) -> Vec<Found> {
    let mut stretches: Vec<(&[u8], usize, usize)> = Vec::with_capacity(2 * parts.len());
    for (number, part) in parts.iter().enumerate() {
        let (mut start, mut cuts) = (0, cuts(part));
        cuts.push(part.len());
        for end in cuts {
            if let Some([first, ..]) = part.get(start..end) {
                stretches.push((&first.entry.path, number, end - start));
                start = end;
            }
        }
    }
    stretches.sort_unstable();
    let order: Vec<(usize, usize)> = stretches.into_iter().map(|(_, n, l)| (n, l)).collect();
    let mut all = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
    for (number, length) in order {
        all.extend(parts.get_mut(number).into_iter().flatten().take(length));
    }
    all
}

impl Walk<'_> {
    /// Lists a folder and looks at what is in it.
    fn list<'s>(&'s self, scope: &Scope<'s>, dir: Dir) {
        let mut part = Part::default();
        match self.top.open(&dir.path) {
            Ok(None) => {}
            Err(error) => self.failed(&dir, error, &mut part),
            Ok(Some(folder)) => {
                let (names, error) = folder.names();
                if let Some(error) = error {
                    self.failed(&dir, error, &mut part);
                }
                if names.len() > NAMES {
                    self.share(scope, dir, names, part);
                    return;
                }
                self.look(scope, &dir, &folder, names.some(0, NAMES), &mut part);
            }
        }
        self.hand_over(part);
    }

    /// Has several tasks look at a large folder.
    fn share<'s>(&'s self, scope: &Scope<'s>, dir: Dir, names: Names, begun: Part) {
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
    fn look_from<'s>(&'s self, scope: &Scope<'s>, large: &Large, from: usize) {
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
        names: impl Iterator<Item = (&'n CStr, bool)>,
        part: &mut Part,
    ) {
        part.found.reserve(names.size_hint().1.unwrap_or(0));
        for (name, listed_as_dir) in names {
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
                    part.found.push(Found {
                        entry: describe(path, &stat, stamp, target, judged.emptied),
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
