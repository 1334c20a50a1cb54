//! The files that a step takes in two builds, and what differs.

use super::{Case, Side};
use crate::context::reader::{Reads, reads};
use crate::context::{Context, ContextEntry, EntryKind, from_listing};
use crate::history::{Entry, EntryKind as GitKind};
use crate::pattern::{ExcludeRules, IgnoreRules, PathFilter, SourcePattern};
use crate::plan::{ContextInput, Input, Plan, StepId};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What became of a file that a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileChangeKind {
    /// It was not there.
    Added,
    /// Its content changed.
    Modified,
    /// It is not there any more.
    Deleted,
    /// Only its executable bit changed.
    Mode,
    /// A link became a file, or the other way round.
    Type,
    /// It is there, and an ignore rule leaves it out now.
    Ignored,
    /// It was there, and an ignore rule does not leave it out any more.
    Unignored,
}

impl FileChangeKind {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Mode => "mode",
            Self::Type => "type",
            Self::Ignored => "ignored",
            Self::Unignored => "unignored",
        }
    }
}

/// A line of an ignore file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreLine {
    /// 1-based.
    pub line: u32,
    /// As written.
    pub text: String,
}

/// One file behind a content cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Relative to the repository's root.
    pub path: Vec<u8>,
    /// What became of it.
    pub change: FileChangeKind,
    /// The source that takes it, as written after expansion; none where it is only reached through a
    /// symbolic link.
    pub source: Option<String>,
    /// The `!` line that lets it in, or, of a file that is ignored now, the line that leaves it out.
    pub rule: Option<IgnoreLine>,
}

/// The context of one build.
struct Sent<'a> {
    plan: &'a Plan,
    rules: &'a IgnoreRules,
    /// Every file, ignored or not.
    all: BTreeMap<Vec<u8>, Entry>,
    context: Context,
    /// Entries by the step that reads them.
    of_step: FxHashMap<StepId, Vec<usize>>,
}

/// The contexts of both.
pub struct Members<'a> {
    case: &'a Case<'a>,
    old: Sent<'a>,
    new: Sent<'a>,
}

impl<'a> Members<'a> {
    pub fn new(case: &'a Case<'a>, before: &Side<'a>) -> Self {
        Self {
            case,
            old: Sent::new(case, before, 0),
            new: Sent::new(case, &case.after, 1),
        }
    }

    /// What differs in the files of a step, by path.
    pub fn changed(&self, old_at: usize, new_at: usize, git: bool) -> Vec<FileChange> {
        let id = |plan: &Plan, at: usize| plan.graph[plan.order[at]].id;
        let old = self.old.taken(id(self.old.plan, old_at));
        let new = self.new.taken(id(self.new.plan, new_at));
        let inputs = |plan: &Plan, at: usize| -> Vec<ContextInput> {
            let step = &plan.graph[plan.order[at]];
            let context = step.inputs.iter().filter_map(|i| match i {
                Input::Context(c) => Some(c.clone()),
                _ => None,
            });
            context.collect()
        };
        let (old_inputs, new_inputs) =
            (inputs(self.old.plan, old_at), inputs(self.new.plan, new_at));
        let mut filter = PathFilter::new(self.new.rules);
        let mut found: Vec<(FileChange, bool)> = Vec::new();
        let mut paths: Vec<&[u8]> = old.keys().chain(new.keys()).copied().collect();
        paths.sort_unstable();
        paths.dedup();
        for path in paths {
            let (was, is) = (old.get(path), new.get(path));
            let folder = [was, is]
                .into_iter()
                .flatten()
                .all(|e| e.kind == EntryKind::Directory);
            let Some(change) = self.change(path, was.copied(), is.copied()) else {
                continue;
            };
            let (ignored, decided) = filter.verdict(path);
            let decided = decided.map(|i| &self.new.rules.patterns()[i]);
            let told = decided.filter(|p| p.negated != ignored);
            let told = told.filter(|_| change != FileChangeKind::Deleted);
            let source = match is {
                Some(_) => source(&new_inputs, path),
                None => source(&old_inputs, path),
            };
            let change = FileChange {
                path: self.full(path),
                change,
                source,
                rule: told.map(|p| IgnoreLine {
                    line: p.line,
                    text: p.text.clone(),
                }),
            };
            found.push((change, folder));
        }
        // Folders are implied by their files.
        if found.iter().any(|(_, folder)| !folder) {
            found.retain(|(_, folder)| !folder);
        }
        let mut out: Vec<FileChange> = found.into_iter().map(|(c, _)| c).collect();
        if git {
            out.push(FileChange {
                path: b".git".to_vec(),
                change: FileChangeKind::Modified,
                source: source(&new_inputs, b".git"),
                rule: None,
            });
        }
        out
    }

    fn full(&self, path: &[u8]) -> Vec<u8> {
        match self.case.prefix {
            b"" => path.to_vec(),
            prefix => [prefix, b"/", path].concat(),
        }
    }

    fn change(
        &self,
        path: &[u8],
        was: Option<&ContextEntry>,
        is: Option<&ContextEntry>,
    ) -> Option<FileChangeKind> {
        let (old, new) = (self.old.all.get(path), self.new.all.get(path));
        match (was, is) {
            (None, None) => None,
            (None, Some(_)) if old.is_some() => Some(FileChangeKind::Unignored),
            (None, Some(_)) => Some(FileChangeKind::Added),
            (Some(_), None) if new.is_some() => Some(FileChangeKind::Ignored),
            (Some(_), None) => Some(FileChangeKind::Deleted),
            (Some(was), Some(is)) => {
                if was.kind != is.kind {
                    return Some(FileChangeKind::Type);
                }
                let (old, new) = (old?, new?);
                let emptied = was.emptied && is.emptied;
                if old.oid != new.oid && !emptied || was.emptied != is.emptied {
                    return Some(FileChangeKind::Modified);
                }
                (old.kind != new.kind).then_some(FileChangeKind::Mode)
            }
        }
    }
}

impl<'a> Sent<'a> {
    fn new(case: &Case<'a>, side: &Side<'a>, build: usize) -> Self {
        let mut state = vec![None; case.log.paths.len()];
        for build in 0..=build {
            for change in case.log.changes(build) {
                state[change.path.index()] = change.new;
            }
        }
        let mut all = BTreeMap::new();
        let mut listed = Vec::new();
        for id in case.log.paths.ids() {
            let Some(entry) = state[id.index()] else {
                continue;
            };
            let full = case.log.paths.bytes(id);
            let below = match case.prefix {
                b"" => Some(full.as_slice()),
                prefix => full.strip_prefix(prefix).and_then(|r| r.strip_prefix(b"/")),
            };
            let Some(below) = below else { continue };
            all.insert(below.to_vec(), entry);
            let link_target = match entry.kind {
                GitKind::Symlink => case.links.get(&entry.oid).cloned(),
                _ => None,
            };
            listed.push(ContextEntry {
                path: below.to_vec(),
                kind: match entry.kind {
                    GitKind::File | GitKind::Executable | GitKind::Submodule => EntryKind::File,
                    GitKind::Symlink => EntryKind::Symlink,
                    GitKind::Folder => EntryKind::Directory,
                },
                mode: 0o644,
                size: 0,
                digest: None,
                link_target,
                emptied: false,
            });
        }
        let context = from_listing(listed, 0o755, side.rules);
        let Reads { steps, .. } = reads(side.plan, &context.entries);
        let mut of_step: FxHashMap<StepId, Vec<usize>> = FxHashMap::default();
        for (i, readers) in steps.into_iter().enumerate() {
            for step in readers {
                of_step.entry(step).or_default().push(i);
            }
        }
        Self {
            plan: side.plan,
            rules: side.rules,
            all,
            context,
            of_step,
        }
    }

    fn taken(&self, step: StepId) -> FxHashMap<&[u8], &ContextEntry> {
        let list = self.of_step.get(&step).map_or(&[][..], Vec::as_slice);
        let entries = list.iter().map(|i| &self.context.entries[*i]);
        entries.map(|e| (e.path.as_slice(), e)).collect()
    }
}

/// The source that takes a path.
fn source(inputs: &[ContextInput], path: &[u8]) -> Option<String> {
    inputs.iter().find_map(|input| {
        let exclude = ExcludeRules::new(&input.excludes).ok();
        let takes = |text: &&String| {
            SourcePattern::lenient(text)
                .select(path)
                .is_some_and(|s| !exclude.as_ref().is_some_and(|e| e.is_excluded(s.relative)))
        };
        input.sources.iter().find(takes).cloned()
    })
}
