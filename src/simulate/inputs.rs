//! What each context input of a plan looked like in each build.
//!
//! Goes in: the change log, ignore rules and the selections of COPY, ADD and bind mounts. Comes out:
//! an [`InputMatrix`]: one content version per selection and build, the paths behind each change,
//! and the builds in which a source is missing. Cost: each distinct path is matched once, then
//! O(changed files) a build. Invariant: two versions of one selection are equal exactly when the
//! builder's content key of it would be (cache keys 4.2, 4.3; modes are git's, under one umask).

mod followed;
mod rows;
mod taking;

pub use rows::{Absence, InputMatrix, Selection};
use taking::Listed;
pub(super) use taking::Taking;

use super::matching::{Folders, Matcher, Matches, Shape, matches};
use super::members::{Members, Shared, Term, hash, joined};
use super::views::{ViewRequest, Watched};
use super::walked::{Node as Item, View as Sent};
use crate::context::transfer::Reach;
use crate::history::{Change, ChangeLog, Entry, EntryKind, Oid, PathId};
use crate::pattern::{ExcludeRules, IgnoreRules, PathFilter, SourceKind, SourcePattern};
use crate::plan::ContentRule;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

/// What the matrix is computed from, beside the selections.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The builds.
    pub log: &'a ChangeLog,
    /// The context's folder in the repository, without slashes at the ends; empty for the root.
    pub prefix: &'a [u8],
    /// Every set of ignore rules a selection may name.
    pub rules: &'a [IgnoreRules],
    /// The text of symbolic links by object id (those that could be read).
    pub links: &'a FxHashMap<Oid, Vec<u8>>,
    /// The checkout's `.git` lies in the context.
    pub dot_git: bool,
    /// Under which umask it was checked out.
    pub umask: u32,
    /// Whether a file is an archive that ADD unpacks; one that is not listed may be.
    pub archives: &'a FxHashMap<Oid, bool>,
}

/// Computes the matrix. The selections behind the views must be among those given.
#[must_use]
pub fn matrix(
    context: &Context<'_>,
    selections: &[Selection],
    views: &[ViewRequest],
) -> InputMatrix {
    computed(context, selections, views, |_, _| {})
}

/// The same in pieces, for those who can begin with the first builds: each piece holds the rows of some builds, which
/// follow on those of the piece before.
pub fn matrix_in_pieces(
    context: &Context<'_>,
    selections: &[Selection],
    views: &[ViewRequest],
    mut piece: impl FnMut(InputMatrix),
) {
    computed(context, selections, views, |rows, builds| {
        piece(rows.of(builds));
    });
}

/// `done` is given the rows so far, and which builds are new in them.
fn computed(
    context: &Context<'_>,
    selections: &[Selection],
    views: &[ViewRequest],
    mut done: impl FnMut(&InputMatrix, Range<usize>),
) -> InputMatrix {
    let mut engine = Engine::new(context, selections);
    engine.watched = views.iter().map(|v| Watched::new(v, selections)).collect();
    engine.out.views = vec![Vec::with_capacity(engine.out.builds); views.len()];
    engine.out.requests = views.to_vec();
    let builds = context.log.commits.len();
    let mut next = 0;
    while next < builds {
        let batch = engine.batch(next);
        let mut values = engine.values(next..batch).into_iter().flatten();
        for build in next..batch {
            let build = u32::try_from(build).unwrap_or(u32::MAX);
            engine.build(build, &mut values);
            engine.watch(build);
        }
        done(&engine.out, next..batch);
        next = batch;
    }
    engine.out
}

/// One source of one selection, followed through the builds.
struct Source {
    pattern: SourcePattern,
    exclude: Option<ExcludeRules>,
    selection: usize,
    /// Index of the selection's ignore rules.
    rules: usize,
    members: Members,
    /// A symbolic link is involved: evaluated afresh in every build that changes anything.
    through_link: bool,
    /// Members found by the last evaluation through links.
    linked_count: u32,
    /// A link that the source names or matches leads nowhere: the key can't be computed.
    dangling: bool,
    /// Names something in the checkout's own `.git`, which no commit holds: it counts as there, and as
    /// different in every build.
    in_git: bool,
    digest: u128,
}

impl Matcher for Source {
    fn pattern(&self) -> &SourcePattern {
        &self.pattern
    }

    fn exclude(&self) -> Option<&ExcludeRules> {
        self.exclude.as_ref()
    }

    fn rules(&self) -> usize {
        self.rules
    }
}

/// Changes whose digests are computed ahead, in parallel: some megabytes.
const AHEAD: usize = 1 << 13;

pub(super) struct Engine<'a> {
    pub(super) context: &'a Context<'a>,
    filters: Vec<PathFilter<'a>>,
    sources: Vec<Source>,
    by_selection: Vec<Vec<usize>>,
    /// Context-relative path of every known path; `None` outside the context.
    names: Vec<Option<Vec<u8>>>,
    /// Sources each path belongs to.
    members: Matches,
    /// Sources that get the path without its bytes: the walk keeps it, but the builder's flat check at
    /// reading time ignores it (seen with `foo`, `!foo/x`, `foo`).
    emptied: FxHashSet<(u32, u32)>,
    current: Vec<Option<Entry>>,
    /// What each path adds to each of its sources now; those of a path begin at `first_held`.
    held: Vec<u128>,
    first_held: Vec<usize>,
    /// What is in each folder.
    dirs: Folders,
    links: BTreeMap<Vec<u8>, Oid>,
    /// What links bring along, by ignore rules, as long as no link changes.
    reached: FxHashMap<usize, Reach>,
    pub(super) watched: Vec<Watched>,
    /// The build whose files `current` holds.
    now: u32,
    /// Work done for views.
    pub(super) spent: usize,
    /// What each source may take, once somebody has asked.
    listed: Vec<OnceLock<Vec<Listed>>>,
    /// Files that stand for what a step made of others.
    pub(super) derived: FxHashSet<Oid>,
    /// What is missing from selections of builders that walk what they copy.
    walked: Vec<Option<Absence>>,
    pub(super) out: InputMatrix,
}

impl<'a> Engine<'a> {
    fn new(context: &'a Context<'a>, selections: &[Selection]) -> Self {
        let mut filters: Vec<PathFilter<'a>> = context.rules.iter().map(PathFilter::new).collect();
        let mut sources = Vec::new();
        let mut by_selection = Vec::new();
        let mut holds_git = Vec::new();
        for (index, selection) in selections.iter().enumerate() {
            let first = sources.len();
            for text in &selection.input.sources {
                let pattern = SourcePattern::taken(text, selection.input.literal);
                let filtered = !selection.input.excludes.is_empty();
                let exclude = filtered
                    .then(|| ExcludeRules::new(&selection.input.excludes).ok())
                    .flatten();
                sources.push(Source {
                    selection: index,
                    rules: selection.rules,
                    members: Members::new(&pattern, exclude.as_ref(), selection.input.rule),
                    exclude,
                    through_link: false,
                    linked_count: 0,
                    dangling: false,
                    in_git: context.dot_git
                        && context.prefix.is_empty()
                        && below_git(&pattern)
                        && !filters[selection.rules].ignored(pattern.cleaned().as_bytes()),
                    digest: 0,
                    pattern,
                });
            }
            by_selection.push((first..sources.len()).collect::<Vec<_>>());
            let git = context.dot_git && context.prefix.is_empty();
            let reads = git
                && sources[first..]
                    .iter()
                    .any(|s| reads_git(s, &mut filters[selection.rules]));
            holds_git.push(reads);
        }
        let n = selections.len();
        let builds = context.log.commits.len();
        let ids: Vec<PathId> = context.log.paths.ids().collect();
        let names: Vec<Option<Vec<u8>>> = ids
            .par_iter()
            .map(|id| context_name(context, *id))
            .collect();
        let members = matches(&names, &sources, context.rules, true);
        let mut held = 0;
        let first_held = members.sources.iter().map(|taken| {
            held += taken.len();
            held - taken.len()
        });
        let first_held: Vec<usize> = first_held.collect();
        Self {
            emptied: emptied(context, &names, &sources, &members),
            listed: sources.iter().map(|_| OnceLock::new()).collect(),
            dirs: Folders::new(&names, &sources, context.rules),
            context,
            filters,
            sources,
            by_selection,
            names,
            members,
            current: vec![None; context.log.paths.len()],
            held: vec![0; held],
            first_held,
            links: BTreeMap::new(),
            reached: FxHashMap::default(),
            watched: Vec::new(),
            now: 0,
            spent: 0,
            derived: FxHashSet::default(),
            walked: vec![None; n],
            out: InputMatrix {
                selections: selections.to_vec(),
                version: vec![Vec::with_capacity(builds); n],
                absent: vec![Vec::new(); n],
                changed: vec![Vec::new(); n],
                holds_git,
                builds,
                views: Vec::new(),
                requests: Vec::new(),
            },
        }
    }

    /// The end of a piece of the builds whose changes are worth looking at ahead.
    fn batch(&self, start: usize) -> usize {
        let log = self.context.log;
        let mut changes = 0;
        let mut end = start;
        while end < log.len() && (end == start || changes + log.changes(end).len() <= AHEAD) {
            changes += log.changes(end).len();
            end += 1;
        }
        end
    }

    /// What every change of some builds adds to its sources, in order.
    fn values(&self, builds: std::ops::Range<usize>) -> Vec<Vec<u128>> {
        let log = self.context.log;
        let changes: Vec<&Change> = builds.flat_map(|b| log.changes(b)).collect();
        let chunk = |changes: &[&Change]| {
            let mut out = Vec::with_capacity(changes.len());
            for change in changes {
                let index = change.path.index();
                let Some(name) = &self.names[index] else {
                    continue;
                };
                if let Some(entry) = change.new {
                    let mut shared = Shared::default();
                    let sources = self.members.sources[index].iter();
                    out.extend(sources.map(|s| self.value(index, name, *s, entry, &mut shared)));
                }
            }
            out
        };
        changes.par_chunks(128).map(chunk).collect()
    }

    fn value<'n>(
        &self,
        index: usize,
        name: &'n [u8],
        s: u32,
        mut entry: Entry,
        shared: &mut Shared<'n>,
    ) -> u128 {
        let source = &self.sources[s as usize];
        let path = u32::try_from(index).unwrap_or(u32::MAX);
        if !self.emptied.is_empty() && self.emptied.contains(&(path, s)) {
            entry.oid = Oid::default();
        }
        // A member is selected, or it would be none.
        let found = source.pattern.select(name);
        let relative = found.map_or(&name[..0], |f| f.relative);
        shared.value(&source.members, name, relative, entry)
    }

    /// `values` as [`Engine::values`] gives them, from this build on.
    fn build(&mut self, build: u32, values: &mut impl Iterator<Item = u128>) {
        self.now = build;
        let log = self.context.log;
        let mut touched = vec![false; self.by_selection.len()];
        let mut links_changed = false;
        let changes = log.changes(build as usize);
        for change in changes {
            let index = change.path.index();
            let before = std::mem::replace(&mut self.current[index], change.new);
            let Some(name) = &self.names[index] else {
                continue;
            };
            for (entry, add) in [(change.old, false), (change.new, true)] {
                let Some(entry) = entry else { continue };
                if entry.kind == EntryKind::Symlink {
                    links_changed = true;
                    if add {
                        self.links.insert(name.clone(), entry.oid);
                    } else {
                        self.links.remove(name);
                    }
                }
                let first = self.first_held[index];
                for (i, s) in self.members.sources[index].iter().enumerate() {
                    let value = if add {
                        let value = values.next().unwrap_or_default();
                        self.held[first + i] = value;
                        value
                    } else if before == change.old {
                        self.held[first + i]
                    } else {
                        self.value(index, name, *s, entry, &mut Shared::default())
                    };
                    self.sources[*s as usize].members.put(name, value, add);
                }
            }
            if change.old.is_none() != change.new.is_none() {
                self.directories(index, change.new.is_some(), &mut touched);
            }
            for s in &*self.members.sources[index] {
                let selection = self.sources[*s as usize].selection;
                touched[selection] = true;
                let list = &mut self.out.changed[selection];
                if list.last() != Some(&(build, change.path)) {
                    list.push((build, change.path));
                }
            }
        }
        if links_changed {
            self.reached.clear();
            self.find_links();
        }
        self.versions(build, &touched, !changes.is_empty());
    }

    /// A folder exists in a checkout while it holds a file, ignored or not (cache keys 5); in the
    /// context it is there when it is not ignored itself, or has a survivor below it.
    fn directories(&mut self, path: usize, add: bool, touched: &mut [bool]) {
        let sources = &mut self.sources;
        let ignored = self.members.ignored(path);
        self.dirs
            .count(path, ignored, add, |dirs, folder, before, after| {
                let Some(dir) = &dirs.names[folder] else {
                    return;
                };
                let ignored = dirs.matches.ignored(folder);
                for s in &*dirs.matches.sources[folder] {
                    let source = &mut sources[*s as usize];
                    let rules = source.rules;
                    // A list names every folder; a sum only those that no file below them implies.
                    let listed = source.members.is_list();
                    let is = |shape: &Shape| {
                        let (ignored, sends) = (ignored[rules], shape.sends[rules]);
                        shape.there
                            && if listed {
                                !ignored || sends
                            } else {
                                !ignored && !sends
                            }
                    };
                    let (was, now) = (is(before), is(after));
                    if was != now
                        && let Some(found) = source.pattern.select(dir)
                    {
                        source.members.apply(dir, found.relative, Term::Dir, now);
                        touched[source.selection] = true;
                    }
                }
            });
    }

    fn versions(&mut self, build: u32, touched: &[bool], any_change: bool) {
        for (selection, touched) in touched.iter().enumerate() {
            let linked = any_change
                && (self.is_walked(selection) && !self.links.is_empty()
                    || self.by_selection[selection]
                        .iter()
                        .any(|s| self.sources[*s].through_link));
            let last = self.out.version[selection].last().copied();
            let mut version = match last {
                Some(v) if !touched && !linked => v,
                _ => self.selection_version(selection),
            };
            if self.out.holds_git[selection] {
                version = hash(&[b"git", &build.to_le_bytes(), &version.to_le_bytes()]);
            }
            self.out.version[selection].push(version);
            if let Some(absence) = self.absence(selection) {
                self.out.absent[selection].push((build, absence));
            }
        }
    }

    /// Digest per source, joined in descending order of the source paths (cache keys 3.2).
    fn selection_version(&mut self, selection: usize) -> u128 {
        if self.is_walked(selection) {
            let digest = self.view(selection);
            let digest = digest.digest(&self.out.selections[selection].input);
            self.walked[selection] = digest.err();
            return digest.unwrap_or(0);
        }
        let mut parts: Vec<(String, u128)> = Vec::new();
        for s in self.by_selection[selection].clone() {
            if self.sources[s].through_link {
                let (digest, count, dangling) = self.evaluate(s);
                self.sources[s].digest = digest;
                self.sources[s].linked_count = count;
                self.sources[s].dangling = dangling;
            } else {
                self.sources[s].digest = self.sources[s].members.digest();
            }
            parts.push((
                self.sources[s].pattern.cleaned().to_owned(),
                self.sources[s].digest,
            ));
        }
        joined(parts)
    }

    /// Whether the builder walks what it copies, as classic and buildah do.
    fn is_walked(&self, selection: usize) -> bool {
        let rule = self.out.selections[selection].input.rule;
        matches!(rule, ContentRule::WholePaths | ContentRule::BelowSource)
    }

    /// Everything that is sent in this build.
    fn view(&mut self, selection: usize) -> Sent {
        let filter = &mut self.filters[self.out.selections[selection].rules];
        let mut view = Sent::default();
        for (entry, name) in self.current.iter().zip(&self.names) {
            let (Some(entry), Some(name)) = (entry, name) else {
                continue;
            };
            if filter.ignored(name) {
                continue;
            }
            let node = match (entry.kind, self.context.links.get(&entry.oid)) {
                (EntryKind::Symlink, text) => Item::Link(*entry, text.cloned().unwrap_or_default()),
                (EntryKind::Folder, _) => Item::Folder,
                _ => Item::File(*entry),
            };
            view.insert(name.clone(), node);
        }
        // buildah walks an ignored folder too, for what may be kept in it.
        let walks = self.out.selections[selection].input.rule == ContentRule::BelowSource;
        let rules = self.out.selections[selection].rules;
        for (folder, name) in self.dirs.there() {
            if !filter.ignored(name) || (walks && self.dirs.sends(folder, rules)) {
                view.insert(name.clone(), Item::Folder);
            }
        }
        view
    }

    fn absence(&mut self, selection: usize) -> Option<Absence> {
        if self.is_walked(selection) {
            return self.walked[selection];
        }
        for (i, s) in self.by_selection[selection].clone().iter().enumerate() {
            let source = &self.sources[*s];
            if source.through_link && source.dangling {
                return Some(Absence::NotFound { source: i });
            }
            if source.count() > 0 || source.in_git {
                continue;
            }
            match source.pattern.kind() {
                SourceKind::Root => {}
                SourceKind::Plain(_) if source.exclude.is_some() => {
                    return Some(Absence::AtExecution { source: i });
                }
                SourceKind::Plain(_) => return Some(Absence::NotFound { source: i }),
                SourceKind::Wildcard { prefix_dir } if !prefix_dir.is_empty() => {
                    let dir = prefix_dir.as_bytes().to_vec();
                    if !self.sent(*s, &dir) {
                        return Some(Absence::AtExecution { source: i });
                    }
                }
                SourceKind::Wildcard { .. } => {}
            }
        }
        None
    }

    /// Whether some other source brings the folder into the context that is sent (experiments 83c).
    fn sent(&mut self, source: usize, dir: &[u8]) -> bool {
        let rules = self.out.selections[self.sources[source].selection].rules;
        let ignored = self.filters[rules].ignored(dir);
        let there = self
            .dirs
            .get(dir)
            .is_some_and(|f| self.dirs.is_there(f) && (!ignored || self.dirs.sends(f, rules)));
        // A file of that name will do: nothing below it matches, and nothing is missing.
        let is_file = || {
            let mut all = self.names.iter().zip(&self.current);
            !ignored && all.any(|(n, e)| e.is_some() && n.as_deref() == Some(dir))
        };
        if !there && !is_file() {
            return false;
        }
        if self.out.selections[self.sources[source].selection]
            .input
            .whole
        {
            return true;
        }
        let named = self.sources.iter().enumerate().any(|(i, other)| {
            let same_rules = self.out.selections[other.selection].rules == rules;
            let below = || {
                let base = other.pattern.cleaned().as_bytes();
                base.strip_prefix(dir)
                    .is_some_and(|r| r.first() == Some(&b'/'))
            };
            i != source
                && same_rules
                && other.count() > 0
                && (other.pattern.select(dir).is_some() || below())
        });
        named || self.reached(rules, dir)
    }
}

impl Source {
    fn count(&self) -> u32 {
        if self.through_link {
            self.linked_count
        } else {
            self.members.count
        }
    }
}

/// Members that arrive empty.
fn emptied(
    context: &Context<'_>,
    names: &[Option<Vec<u8>>],
    sources: &[Source],
    members: &Matches,
) -> FxHashSet<(u32, u32)> {
    let reinstates = |r: &IgnoreRules| r.patterns().iter().any(|p| p.negated);
    let reinstates: Vec<bool> = context.rules.iter().map(reinstates).collect();
    let mut out = FxHashSet::default();
    if !reinstates.contains(&true) {
        return out;
    }
    for (index, name) in names.iter().enumerate() {
        let Some(name) = name else { continue };
        for s in &*members.sources[index] {
            let rules = sources[*s as usize].rules;
            if reinstates[rules] && context.rules[rules].is_ignored_flat(name) {
                out.insert((u32::try_from(index).unwrap_or(u32::MAX), *s));
            }
        }
    }
    out
}

fn context_name(context: &Context<'_>, id: PathId) -> Option<Vec<u8>> {
    let full = context.log.paths.bytes(id);
    if context.prefix.is_empty() {
        return Some(full);
    }
    let rest = full.strip_prefix(context.prefix)?.strip_prefix(b"/")?;
    Some(rest.to_vec())
}

/// Whether a source takes anything of `.git` that the rules let through. What is in there cannot be
/// known from the history, so any of it counts.
fn reads_git(source: &Source, filter: &mut PathFilter<'_>) -> bool {
    const SAMPLES: [&[u8]; 8] = [
        b".git/HEAD",
        b".git/index",
        b".git/config",
        b".git/refs/heads/main",
        b".git/logs/HEAD",
        b".git/packed-refs",
        b".git/ORIG_HEAD",
        b".git/objects/00/0",
    ];
    let selected = |path: &[u8]| {
        source.pattern.select(path).is_some_and(|s| {
            !source
                .exclude
                .as_ref()
                .is_some_and(|e| e.is_excluded(s.relative))
        })
    };
    if below_git(&source.pattern) {
        return !filter.ignored(source.pattern.cleaned().as_bytes());
    }
    SAMPLES.iter().any(|p| selected(p) && !filter.ignored(p))
}

fn below_git(pattern: &SourcePattern) -> bool {
    let path = pattern.cleaned();
    path == ".git" || path.starts_with(".git/")
}
