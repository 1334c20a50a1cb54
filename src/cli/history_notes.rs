//! What a user must know about the history that is replayed, beside the figures.
//!
//! Goes in: the change log and what was read with it. Comes out: diagnostics without a place in a file.

use super::args::{DockerfileFrom, HistoryFlags};
use super::subject::{Place, Subject};
use super::timeline::Builds;
use crate::diagnostic::{Diagnostic, Severity};
use crate::dockerfile::Kind;
use crate::footprint::Outcome as Outcomes;
use crate::history::{ChangeLog, CommitId, Entry, EntryKind, Follower, PathId, Repository};
use crate::pattern::{IgnoreRules, PathFilter, SourcePattern, display};
use crate::plan::{Input, Plan, Step, normalize_reference};
use crate::simulate::{BuildOutcome, Outcome, Policy, Selection, Summary};
use crate::source::{SourceFile, Span};
use anyhow::{Result, bail};
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};

/// A diagnostic about one target, by its file as shown, or about the whole history.
pub type Note = (Option<String>, Diagnostic);

/// Most submodules named in one note.
const NAMED: usize = 5;

/// One refused build in so many is said a word about.
const WORTH_A_WORD: usize = 20;

/// Larger Dockerfiles are not compared line by line, in bytes.
const COMPARED: usize = 256 << 10;

/// The notes about some targets, as the printer takes them; those about the whole history first.
#[must_use]
pub fn about(builds: &Builds, subjects: &[&Subject]) -> Vec<(SourceFile, Diagnostic)> {
    let mut out = Vec::new();
    for (file, d) in &builds.notes {
        let mut named = subjects
            .iter()
            .filter(|s| file.as_ref().is_none_or(|f| *f == s.file));
        out.extend(named.next().map(|s| (s.source.clone(), d.clone())));
    }
    out
}

/// Of a clone that is not whole.
#[must_use]
pub fn of_log(log: &ChangeLog) -> Vec<Note> {
    let mut out = Vec::new();
    if log.truncated_by_shallow {
        let message = "the clone is shallow: only the commits it holds are replayed";
        let d = Diagnostic::whole(Severity::Warning, "history/shallow", message);
        out.push((None, d.with_help("`git fetch --unshallow` brings the rest")));
    }
    let unread = log.unread;
    if unread.attribute_files > 0 {
        let message = format!(
            "{} older .gitattributes are not in this partial clone and are taken for empty: a change of line ends that they make is not seen",
            unread.attribute_files
        );
        let d = Diagnostic::whole(Severity::Warning, "history/partial-clone", message);
        out.push((None, d.with_help("`git fetch --refetch` brings them")));
    }
    if unread.files > 0 {
        let message = format!(
            "{} files that .gitattributes convert are not in this partial clone: each is taken for changed where the conversion is",
            unread.files
        );
        let d = Diagnostic::whole(Severity::Note, "history/partial-clone", message);
        out.push((None, d));
    }
    out
}

/// That there is nothing to compare, and why.
#[must_use]
pub fn of_no_builds(outcome: &Outcome, summary: &Summary) -> Option<Diagnostic> {
    if summary.builds > 0 {
        return None;
    }
    let mut failures = outcome.builds.iter().rev().filter_map(|b| b.fails.as_ref());
    let why = failures.next().map(|f| format!(": {}", f.message));
    let message = format!(
        "fewer than two of the {} commits can be built with this Dockerfile, so there is nothing to compare{}",
        outcome.builds.len(),
        why.unwrap_or_default()
    );
    let d = Diagnostic::whole(Severity::Warning, "history/no-builds", message);
    Some(d)
}

/// Builds that the builder refuses.
#[derive(Default)]
pub struct Refusals {
    /// How many builds there are, refused or not.
    ran: usize,
    /// How many are refused with which message.
    counts: BTreeMap<String, usize>,
}

impl Refusals {
    /// Those of a whole replay.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        let mut out = Self::default();
        outcome.builds.iter().for_each(|b| out.count(b));
        out
    }

    /// Counts one more build.
    pub fn count(&mut self, build: &BuildOutcome) {
        self.ran += usize::from(build.plan.is_some());
        let Some(failure) = &build.fails else { return };
        match self.counts.get_mut(&failure.message) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(failure.message.clone(), 1)),
        }
    }
}

/// Why the builder refuses so many of the builds; `frozen`: all of them use today's Dockerfile.
#[must_use]
pub fn of_refusals(refusals: &Refusals, frozen: bool) -> Option<Diagnostic> {
    let Refusals { ran, counts } = refusals;
    let refused: usize = counts.values().sum();
    if refused * WORTH_A_WORD < *ran || refused == 0 {
        return None;
    }
    // The first of equals, by their text.
    let (message, most) = counts.iter().rev().max_by_key(|(_, n)| **n)?;
    let share = match most {
        n if *n == refused => "all of them".to_owned(),
        n => format!("{n} of them"),
    };
    let text =
        format!("{refused} of {ran} builds are refused by the builder, {share} with: {message}");
    let d = Diagnostic::whole(Severity::Note, "history/refused", text);
    Some(match frozen {
        true => d.with_help(
            "today's Dockerfile is replayed over old commits, which may lack what it copies; --dockerfile-from each takes each commit's own",
        ),
        false => d,
    })
}

/// Of flags that name what no Dockerfile has, most likely by a slip of the pen. Older Dockerfiles may have it.
#[must_use]
pub fn of_flags(flags: &HistoryFlags, subjects: &[&Subject]) -> Vec<Note> {
    if flags.dockerfile_from == DockerfileFrom::Each {
        return Vec::new();
    }
    let mut out = Vec::new();
    let mut warn = |message: String| {
        let d = Diagnostic::whole(Severity::Warning, "history/flag-without-effect", message);
        out.push((None, d));
    };
    let inputs = subjects.iter().flat_map(|s| {
        let steps = s.plan.order.iter();
        steps.flat_map(|n| &s.plan.graph[*n].inputs)
    });
    let images: BTreeSet<&str> = inputs
        .filter_map(|i| match i {
            Input::Image(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    for text in &flags.base_changes {
        let image = text.rsplit_once('@').map_or(text.as_str(), |(i, _)| i);
        if !images.contains(normalize_reference(image).as_str()) {
            let known: Vec<&str> = images.iter().copied().collect();
            let known = known.join(", ");
            warn(format!(
                "--base-change {text}: no step takes from that image (they take from {known})"
            ));
        }
    }
    let declared = |wanted: &str| {
        let files = subjects.iter().map(|s| &s.parsed.tree);
        files
            .flat_map(|f| f.instructions())
            .any(|i| match i.kind() {
                Kind::Arg(list) => list.iter().any(|(name, _)| name == wanted),
                _ => false,
            })
    };
    for name in &flags.volatile_args {
        if !declared(name) {
            warn(format!(
                "--volatile-arg {name}: no ARG declares it, so nothing depends on it"
            ));
        }
    }
    out
}

/// What is taken for granted of steps that were said to leave the same where only files have changed that they do not
/// look at.
#[must_use]
pub fn of_outcomes(plan: &Plan, policy: Policy) -> Vec<Diagnostic> {
    let steps = plan.order.iter().map(|n| &plan.graph[*n]);
    let one = |step: &Step| {
        let Some(Outcomes::File(made)) = step.footprint.as_ref()?.outcome.as_ref() else {
            return None;
        };
        let name = made.output.rsplit('/').next().unwrap_or(&made.output);
        let message = format!(
            "`{}` is taken to leave the same {name} where no manifest, lock file or setting has changed and no source was added or taken away",
            made.tool
        );
        let keyword = Span {
            start: step.span.start,
            end: step.span.start + 3,
        };
        Some(Diagnostic::new(
            Severity::Note,
            "history/taken-for-granted",
            message,
            keyword,
        ))
    };
    // Where layers are lost the step runs again on other ground, and nothing is said of it.
    let all = steps.filter_map(one);
    all.filter(|_| policy == Policy::Local).collect()
}

/// Of submodules that steps take from.
#[must_use]
pub fn of_submodules(paths: &[Vec<u8>]) -> Option<Diagnostic> {
    if paths.is_empty() {
        return None;
    }
    let mut names: Vec<String> = paths.iter().map(|p| display(p)).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let and = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let message = format!(
        "steps take files from submodules, which this history does not hold: {}{and}; a change of a submodule's commit counts as a change of all its files",
        names.join(", ")
    );
    let d = Diagnostic::whole(Severity::Note, "history/submodule", message);
    Some(d.with_help("a checkout without submodules has empty folders there, and these steps stay cached or fail"))
}

/// Of names that the builder cannot be sent: it refuses a build whose steps take a file with such a name
/// from the context, or a folder that holds one (seen with BuildKit 0.25).
#[must_use]
pub fn of_names(
    log: &ChangeLog,
    subject: &Subject,
    rules: &[IgnoreRules],
    selections: &[Selection],
) -> Option<Diagnostic> {
    let mut filters: Vec<PathFilter<'_>> = rules.iter().map(PathFilter::new).collect();
    let mut sent: FxHashSet<PathId> = FxHashSet::default();
    let mut full = Vec::new();
    for id in log.paths.ids() {
        log.paths.write(id, &mut full);
        if std::str::from_utf8(&full).is_ok() {
            continue;
        }
        let Some(name) = subject.in_context(&full) else {
            continue;
        };
        let takes = |s: &Selection| {
            let mut sources = s.input.sources.iter().map(|t| SourcePattern::lenient(t));
            sources.any(|p| p.select(name).is_some())
        };
        let mut taken = selections.iter().filter(|s| takes(s));
        if taken.any(|s| !filters[s.rules].ignored(name)) {
            sent.insert(id);
        }
    }
    let (mut there, mut builds, mut example) = (FxHashSet::default(), 0, None);
    for build in 0..log.len() {
        for change in log.changes(build).iter().filter(|c| sent.contains(&c.path)) {
            match change.new {
                Some(_) => there.insert(change.path),
                None => there.remove(&change.path),
            };
        }
        builds += usize::from(!there.is_empty());
        example = example.or_else(|| there.iter().min().copied());
    }
    let example = display(&log.paths.bytes(example?));
    let message = format!(
        "in {builds} of the commits steps take files whose names are not UTF-8, {example} for one: the builder refuses such a build, which is replayed as if it did not"
    );
    let d = Diagnostic::whole(Severity::Warning, "history/name-not-utf8", message);
    Some(d)
}

/// A context or a Dockerfile inside a submodule has no history here.
///
/// # Errors
/// One that names the submodule; those of the repository.
pub fn refuse_other_repositories(
    repository: &Repository,
    tip: CommitId,
    place: &Place,
    subject: &Subject,
) -> Result<()> {
    let file = place.shown(&subject.target.file);
    let mut asked = vec![("context", subject.context_prefix.as_str())];
    if subject.target.inline.is_none() {
        asked.push(("Dockerfile", &file));
    }
    for (what, path) in asked {
        let ends = path.match_indices('/').map(|(end, _)| end);
        for end in ends.chain([path.len()]).filter(|end| *end > 0) {
            let found = repository.entry(tip, &path.as_bytes()[..end])?;
            if found.is_some_and(|e| e.kind == EntryKind::Submodule) {
                bail!(
                    "the {what} {path} lies in the submodule {}, whose history is in another repository: run this command there",
                    &path[..end]
                );
            }
        }
    }
    Ok(())
}

/// A Dockerfile that a commit brings while it takes away one of nearly the same lines had that name before.
/// What cannot be read is no such file.
#[must_use]
pub fn renamed(
    reader: &mut Follower,
    builds: &Builds,
    file: &[u8],
    start: usize,
) -> Option<Diagnostic> {
    let log = &builds.log;
    let is_file = |e: &Entry| matches!(e.kind, EntryKind::File | EntryKind::Executable);
    let changes = log.changes(start);
    let new = changes.iter().find(|c| log.paths.bytes(c.path) == file)?;
    let new = new.new.filter(is_file)?;
    let commit = log.commits[start].id;
    let text = reader.read(commit, new).ok()?.bytes;
    let mut best: Option<(usize, Vec<u8>)> = None;
    for change in changes.iter().filter(|c| c.new.is_none()) {
        let Some(old) = change.old.filter(is_file) else {
            continue;
        };
        let path = log.paths.bytes(change.path);
        let lower = path.to_ascii_lowercase();
        let says_so = |word: &[u8]| memchr::memmem::find(&lower, word).is_some();
        let share = if old.oid == new.oid {
            100
        } else if says_so(b"dockerfile") || says_so(b"containerfile") {
            let old = reader.read(commit, old);
            old.map_or(0, |old| alike(&old.bytes, &text))
        } else {
            0
        };
        if share >= 50 && best.as_ref().is_none_or(|(known, _)| share > *known) {
            best = Some((share, path));
        }
    }
    let (_, old) = best?;
    let message = format!(
        "{} was called {} before commit {commit}: the {start} builds before it are skipped",
        display(file),
        display(&old)
    );
    let d = Diagnostic::whole(Severity::Note, "history/renamed", message);
    Some(d)
}

/// Hundredths of the lines of the longer text that the two share.
fn alike(a: &[u8], b: &[u8]) -> usize {
    if a.len().max(b.len()) > COMPARED {
        return 0;
    }
    let lines = |text: &[u8]| {
        text.split(|c| *c == b'\n')
            .filter(|l| !l.is_empty())
            .count()
    };
    let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
    for line in a.split(|c| *c == b'\n').filter(|l| !l.is_empty()) {
        *counts.entry(line).or_default() += 1;
    }
    let mut shared = 0;
    for line in b.split(|c| *c == b'\n') {
        if let Some(left) = counts.get_mut(line).filter(|left| **left > 0) {
            *left -= 1;
            shared += 1;
        }
    }
    shared * 100 / lines(a).max(lines(b)).max(1)
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn texts_are_alike_by_the_lines_they_share() {
        assert_eq!(alike(b"a\nb\nc\nd\n", b"a\nb\nx\nd\n"), 75);
        assert_eq!(alike(b"a\na\n", b"a\nb\n"), 50);
        assert_eq!(alike(b"", b""), 0);
        assert_eq!(alike(b"a\n", b"b\nc\n"), 0);
    }
}
