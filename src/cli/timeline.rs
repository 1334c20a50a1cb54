//! From a subject and a repository to what a replay needs: the change log, the texts of links, the
//! Dockerfile and ignore rules of every build.

use super::args::{DockerfileFrom, DotGit, HistoryFlags, WalkArg};
use super::subject::{Place, Subject};
use crate::context::ignore_file_candidates;
use crate::cost::CostTable;
use crate::dockerfile;
use crate::history::{
    ChangeLog, CommitId, EntryKind, Limit, Oid, Repository, Walk, WalkMode, change_log,
};
use crate::optimize::{columns, selections_of, step_seconds};
use crate::pattern::IgnoreRules;
use crate::plan::{self, Plan, normalize_reference};
use crate::rewrite::ContextFiles;
use crate::simulate::{
    BuildCost, Context, InputMatrix, Outcome, PlanModel, Timeline, build_costs, matrix, replay,
};
use crate::source::SourceFile;
use anyhow::{Context as _, Result, bail};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// More links than this are not read; a source reached through a later one counts as missing.
const MAX_LINKS: usize = 10_000;

/// The commits of a replay.
pub struct Builds {
    /// The newest commit.
    pub tip: CommitId,
    /// What each changed.
    pub log: ChangeLog,
    /// Link texts by object id.
    pub links: FxHashMap<Oid, Vec<u8>>,
}

/// Reads the history that the flags ask for, as far as it lies in the contexts.
///
/// # Errors
/// When a revision is not known, the history is empty, or objects are missing.
pub fn read_builds(place: &Place, flags: &HistoryFlags, subjects: &[&Subject]) -> Result<Builds> {
    let repository = place.repository()?;
    let head = || match place.at {
        Some(c) => Ok(c),
        None => repository.head(),
    };
    let (tip, limit) = match (&flags.range, &flags.since) {
        (Some(range), _) => {
            let (from, to) = repository.resolve_range(range)?;
            (to, Limit::After(from))
        }
        (None, Some(rev)) => (head()?, Limit::After(repository.resolve(rev)?)),
        (None, None) => (head()?, Limit::Count(flags.history)),
    };
    let mut prefixes: Vec<Vec<u8>> = Vec::new();
    for s in subjects {
        prefixes.push(s.context_prefix.clone().into_bytes());
        prefixes.push(place.shown(&s.target.file).into_bytes());
        prefixes.push(format!("{}.dockerignore", place.shown(&s.target.file)).into_bytes());
    }
    if prefixes.iter().any(Vec::is_empty) {
        prefixes.clear();
    }
    let mode = match flags.walk {
        WalkArg::FirstParent => WalkMode::FirstParent,
        WalkArg::All => WalkMode::All,
    };
    let log = change_log(
        repository,
        &Walk {
            tip,
            limit,
            mode,
            prefixes,
        },
    )?;
    if log.commits.is_empty() {
        bail!("there are no commits to replay");
    }
    let links = read_links(repository, &log);
    Ok(Builds { tip, log, links })
}

fn read_links(repository: &Repository, log: &ChangeLog) -> FxHashMap<Oid, Vec<u8>> {
    let mut out: FxHashMap<Oid, Vec<u8>> = FxHashMap::default();
    let mut tried: FxHashSet<Oid> = FxHashSet::default();
    for (i, commit) in log.commits.iter().enumerate() {
        for change in log.changes(i) {
            let Some(entry) = change.new.filter(|e| e.kind == EntryKind::Symlink) else {
                continue;
            };
            if tried.len() < MAX_LINKS && tried.insert(entry.oid)
                // A link that can't be read is treated as dangling: the build is called refused, never cached.
                && let Ok(Some(blob)) = repository.read(commit.id, &log.paths.bytes(change.path))
            {
                out.insert(entry.oid, blob.bytes);
            }
        }
    }
    out
}

/// `IMAGE@COMMIT` flags as builds of the log.
///
/// # Errors
/// When a commit is not known or not among the builds.
pub fn base_changes(
    place: &Place,
    builds: &Builds,
    flags: &HistoryFlags,
) -> Result<Vec<(String, u32)>> {
    let one = |text: &String| {
        let (image, rev) = text
            .rsplit_once('@')
            .with_context(|| format!("--base-change {text}: write IMAGE@COMMIT"))?;
        let id = place.repository()?.resolve(rev)?;
        let at = builds.log.commits.iter().position(|c| c.id == id);
        let at = at.with_context(|| {
            format!("--base-change {text}: that commit is not among the builds replayed")
        })?;
        Ok((normalize_reference(image), u32::try_from(at)?))
    };
    flags.base_changes.iter().map(one).collect()
}

/// Whether the checkout's `.git` lies in the context.
#[must_use]
pub fn dot_git(flags: &HistoryFlags) -> bool {
    flags.dot_git == DotGit::Present
}

/// A replay with everything it was made from.
pub struct Replayed {
    /// Distinct Dockerfiles, in order of first use.
    pub plans: Vec<Plan>,
    /// Versions of inputs.
    pub matrix: InputMatrix,
    /// Columns of each plan's steps.
    pub selections: Vec<Vec<Vec<usize>>>,
    /// Verdicts.
    pub outcome: Outcome,
    /// Seconds of each plan's steps.
    pub seconds: Vec<Vec<f64>>,
    /// Seconds of every build.
    pub costs: Vec<BuildCost>,
}

impl Replayed {
    /// The plans as the simulation takes them.
    #[must_use]
    pub fn models(&self) -> Vec<PlanModel<'_>> {
        let pairs = self.plans.iter().zip(&self.selections);
        pairs
            .map(|(plan, s)| PlanModel {
                plan,
                selections: s.clone(),
            })
            .collect()
    }
}

/// Replays a subject over the builds.
///
/// # Errors
/// When an older Dockerfile can't be read from the repository.
pub fn replay_subject(
    place: &Place,
    flags: &HistoryFlags,
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
) -> Result<Replayed> {
    let (plans, rules, plan_rules, timeline) = match flags.dockerfile_from {
        DockerfileFrom::Frozen => {
            let all = vec![Some(0); builds.log.commits.len()];
            (
                vec![subject.plan.clone()],
                vec![subject.rules.clone()],
                vec![0],
                all,
            )
        }
        DockerfileFrom::Each => each(place, builds, subject)?,
    };
    let wanted: Vec<_> = plans
        .iter()
        .zip(&plan_rules)
        .map(|(p, r)| selections_of(p, *r))
        .collect();
    let mut all: Vec<_> = wanted.iter().flatten().flatten().cloned().collect();
    all.sort();
    all.dedup();
    let context = Context {
        log: &builds.log,
        prefix: subject.context_prefix.as_bytes(),
        rules: &rules,
        links: &builds.links,
        dot_git: dot_git(flags),
    };
    let matrix = matrix(&context, &all);
    let selections: Option<Vec<_>> = wanted.iter().map(|w| columns(w, &matrix)).collect();
    let selections = selections.context("a selection was not computed")?;
    let seconds: Vec<Vec<f64>> = plans.iter().map(|p| step_seconds(p, costs)).collect();
    let mut replayed = Replayed {
        plans,
        matrix,
        selections,
        outcome: Outcome::default(),
        seconds,
        costs: Vec::new(),
    };
    let timeline = Timeline {
        plan: timeline,
        base_changes: base_changes(place, builds, flags)?,
        policy: flags.cache_policy.into(),
    };
    replayed.outcome = replay(&replayed.models(), &timeline, &replayed.matrix);
    replayed.costs = build_costs(&replayed.outcome, &replayed.models(), &replayed.seconds);
    Ok(replayed)
}

type Epochs = (Vec<Plan>, Vec<IgnoreRules>, Vec<usize>, Vec<Option<usize>>);

/// Each commit's own Dockerfile and ignore file.
fn each(place: &Place, builds: &Builds, subject: &Subject) -> Result<Epochs> {
    let repository = place.repository()?;
    let file = place.shown(&subject.target.file);
    let ignore_files =
        ignore_file_candidates(Some(&file), &subject.context_prefix, subject.ignore_lookup);
    let ignore_root = ignore_files.last().cloned().unwrap_or_default();
    let names: Vec<&str> = std::iter::once(&file)
        .chain(&ignore_files)
        .map(String::as_str)
        .collect();
    let mut texts: Vec<Option<Vec<u8>>> = vec![None; names.len()];
    let mut linked = false;
    let mut known: BTreeMap<(Vec<u8>, Vec<u8>), usize> = BTreeMap::new();
    let (mut plans, mut rules, mut plan_rules, mut timeline) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (i, commit) in builds.log.commits.iter().enumerate() {
        let touched = builds.log.changes(i).iter().any(|c| {
            let path = builds.log.paths.bytes(c.path);
            names.iter().any(|n| n.as_bytes() == path)
                || c.new.is_some_and(|e| e.kind == EntryKind::Symlink)
        });
        if touched || linked || i == 0 {
            linked = false;
            for (text, name) in texts.iter_mut().zip(&names) {
                let here = repository.read(commit.id, name.as_bytes())?;
                // What a link leads to can change without the link: look again at every build.
                linked |= here
                    .as_ref()
                    .is_none_or(|b| b.entry.kind == EntryKind::Symlink)
                    && !builds.links.is_empty();
                *text = repository
                    .read_following(commit.id, name.as_bytes())?
                    .map(|b| b.bytes);
            }
        }
        let Some(dockerfile) = texts[0].clone() else {
            timeline.push(None);
            continue;
        };
        let ignore = texts[1..].iter().flatten().next().cloned();
        let ignore = ignore.unwrap_or_default();
        let next = plans.len();
        let index = *known
            .entry((dockerfile.clone(), ignore.clone()))
            .or_insert(next);
        if index == next {
            let source = SourceFile::new(file.clone(), dockerfile);
            let parsed = dockerfile::parse(&source);
            let mut plan = plan::lower(&parsed.tree, &subject.options);
            plan.diagnostics.extend(parsed.diagnostics);
            let (set, found) = IgnoreRules::parse(&SourceFile::new(ignore_root.clone(), ignore));
            plan.diagnostics.extend(found);
            plan_rules.push(rules.len());
            rules.push(set);
            plans.push(plan);
        }
        timeline.push(Some(index));
    }
    if plans.is_empty() {
        bail!("no commit of the range has {file}");
    }
    Ok((plans, rules, plan_rules, timeline))
}

/// The context at the newest commit, ignore rules applied.
pub struct TipFiles<'a> {
    repository: &'a Repository,
    tip: CommitId,
    prefix: &'a str,
    /// Context-relative paths of what is sent, with their object ids.
    pub entries: BTreeMap<String, Oid>,
}

impl<'a> TipFiles<'a> {
    /// Lists the context.
    ///
    /// # Errors
    /// When trees are missing from the repository.
    pub fn new(repository: &'a Repository, tip: CommitId, subject: &'a Subject) -> Result<Self> {
        let prefix = subject.context_prefix.as_str();
        let mut filter = crate::pattern::PathFilter::new(&subject.rules);
        let mut entries = BTreeMap::new();
        for (path, entry) in repository.list(tip, prefix.as_bytes())? {
            let below = match prefix {
                "" => &path[..],
                p => match path
                    .strip_prefix(p.as_bytes())
                    .and_then(|r| r.strip_prefix(b"/"))
                {
                    Some(rest) => rest,
                    None => continue,
                },
            };
            if !filter.ignored(below)
                && let Ok(text) = String::from_utf8(below.to_vec())
            {
                entries.insert(text, entry.oid);
            }
        }
        Ok(Self {
            repository,
            tip,
            prefix,
            entries,
        })
    }
}

impl ContextFiles for TipFiles<'_> {
    fn is_file(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    fn has_below(&self, dir: &str) -> bool {
        let start = format!("{dir}/");
        self.entries
            .range(start.clone()..)
            .next()
            .is_some_and(|(p, _)| p.starts_with(&start))
    }

    fn named(&self, name: &str) -> Vec<String> {
        let same = |p: &&String| p.rsplit('/').next() == Some(name);
        self.entries.keys().filter(same).cloned().collect()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        if !self.is_file(path) {
            return None;
        }
        let full = if self.prefix.is_empty() {
            path.to_owned()
        } else {
            format!("{}/{path}", self.prefix)
        };
        Some(
            self.repository
                .read_following(self.tip, full.as_bytes())
                .ok()??
                .bytes,
        )
    }
}
