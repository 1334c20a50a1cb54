//! From a subject and a repository to what a replay needs: the change log, the texts of links, the
//! Dockerfile and ignore rules of every build.

use super::archives::archives;
use super::args::{Cli, DockerfileFrom, DotGit, HistoryFlags};
use super::cache_dir::cache_dir;
use super::clock::Watch;
use super::commits::{Commits, commits, ends, prefixes};
use super::epochs::{Epochs, each};
use super::history_notes::{self, Note};
use super::progress::phase;
use super::subject::{Place, Subject};
use super::submodules::{self, Taken};
use super::tip_files::TipFiles;
use super::worktree;
use crate::cost::CostTable;
use crate::history::{
    ChangeLog, CommitId, EntryKind, Follower, Oid, Repository, WORK_TREE, change_log_of,
};
use crate::optimize::{step_bytes, step_seconds, warm_seconds};
use crate::pattern::{IgnoreRules, SourceKind, SourcePattern, display};
use crate::plan::{ContextInput, Plan, normalize_reference};
use crate::rewrite::recipes;
use crate::simulate::{
    BuildCost, BuildOutcome, Context, Costing, Facts, Outcome, Policy, Prepared, Selection,
    Timeline, build_costs, matrix, matrix_in_pieces, prepare_columns, replay_growing, replay_with,
};
use anyhow::{Context as _, Result, bail};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::mpsc::sync_channel;

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
    /// Links whose text a partial clone lacks: path in the repository, and the error.
    pub missing_links: Vec<(Vec<u8>, String)>,
    /// What there is to say about this history.
    pub notes: Vec<Note>,
}

/// Reads the history that the flags ask for, as far as it lies in the contexts.
///
/// # Errors
/// When a revision is not known, the history is empty, or objects are missing.
pub fn read_builds(
    cli: &Cli,
    place: &Place,
    flags: &HistoryFlags,
    subjects: &[&Subject],
) -> Result<Builds> {
    let store = cache_dir(cli, place)?;
    let commits = commits(place.repository()?, place.at, flags, store.as_deref(), None)?;
    read_builds_of(cli, place, flags, subjects, commits)
}

/// The same of commits listed before.
///
/// # Errors
/// As [`read_builds`].
pub fn read_builds_of(
    cli: &Cli,
    place: &Place,
    flags: &HistoryFlags,
    subjects: &[&Subject],
    commits: Commits,
) -> Result<Builds> {
    let repository = place.repository()?;
    let Commits { tip, chosen, ahead } = commits;
    let prefixes = prefixes(place, subjects);
    for subject in subjects {
        history_notes::refuse_other_repositories(repository, tip, place, subject)?;
    }
    let store = cache_dir(cli, place)?;
    let _phase = phase(cli, "reading the history");
    let mut log = change_log_of(repository, chosen, &prefixes, store.as_deref(), ahead)?;
    if log.commits.is_empty() && !flags.worktree {
        match (&flags.range, &flags.since) {
            (Some(range), _) => bail!("--range {range} holds no commits to replay"),
            (None, Some(rev)) => bail!("there are no commits to replay since {rev}"),
            (None, None) => bail!("--history {} leaves no commits to replay", flags.history),
        }
    }
    let (mut links, missing_links) = read_links(repository, &log);
    if flags.worktree {
        if place.at.is_some() || tip != repository.head()? {
            bail!("--worktree needs a history that ends at the HEAD of a work tree");
        }
        links.extend(worktree::append(place, &mut log, &prefixes, subjects)?);
    }
    let mut builds = Builds {
        tip,
        log,
        links,
        missing_links,
        notes: Vec::new(),
    };
    builds.notes = history_notes::of_log(&builds.log);
    builds
        .notes
        .extend(history_notes::of_flags(flags, subjects));
    let submodules = submodules::submodules(&builds.log);
    for subject in subjects {
        let epochs = epochs(place, flags, &builds, subject)?;
        let file = || Some(subject.file.clone());
        let said = epochs.notes.iter().cloned();
        builds.notes.extend(said.map(|d| (file(), d)));
        let selections: Vec<Selection> = epochs
            .selections()
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        let names = history_notes::of_names(&builds.log, subject, &epochs.rules, &selections);
        builds.notes.extend(names.map(|d| (file(), d)));
        let taken = Taken {
            prefix: &subject.context_prefix,
            rules: &epochs.rules,
            selections: &selections,
        };
        let taken_for_granted = history_notes::of_outcomes(&subject.plan, flags.cache_policy);
        let taken_for_granted = taken_for_granted.into_iter();
        builds.notes.extend(taken_for_granted.map(|d| (file(), d)));
        let seen = submodules::expose(&mut builds.log, &builds.links, &submodules, &taken);
        if let Some(note) = history_notes::of_submodules(&seen) {
            builds.notes.push((file(), note));
        }
    }
    Ok(builds)
}

/// Today's Dockerfile for all builds, or each commit's own.
///
/// # Errors
/// When an older Dockerfile can't be read from the repository.
pub fn epochs(
    place: &Place,
    flags: &HistoryFlags,
    builds: &Builds,
    subject: &Subject,
) -> Result<Epochs> {
    match flags.dockerfile_from {
        DockerfileFrom::Frozen => Ok(Epochs::frozen(subject, builds.log.len())),
        DockerfileFrom::Each => each(place, builds, subject),
    }
}

type Links = (FxHashMap<Oid, Vec<u8>>, Vec<(Vec<u8>, String)>);

fn read_links(repository: &Repository, log: &ChangeLog) -> Links {
    let mut out: FxHashMap<Oid, Vec<u8>> = FxHashMap::default();
    let mut missing = Vec::new();
    let mut tried: FxHashSet<Oid> = FxHashSet::default();
    let mut reader = Follower::new(repository);
    for (build, change) in log.odd() {
        let Some(entry) = change.new.filter(|e| e.kind == EntryKind::Symlink) else {
            continue;
        };
        if tried.len() >= MAX_LINKS || !tried.insert(entry.oid) {
            continue;
        }
        match reader.read(log.commits[build].id, entry) {
            Ok(blob) => drop(out.insert(entry.oid, blob.bytes)),
            Err(e) => missing.push((log.paths.bytes(change.path), e.to_string())),
        }
    }
    (out, missing)
}

/// A link that a source leads through, or matches, must be known; of all others the id is enough.
fn need_links(builds: &Builds, subject: &Subject, selections: &[Selection]) -> Result<()> {
    for (path, error) in &builds.missing_links {
        let Some(link) = subject.in_context(path) else {
            continue;
        };
        let sources = selections.iter().flat_map(|s| &s.input.sources);
        for source in sources {
            let pattern = SourcePattern::lenient(source);
            let way = match pattern.kind() {
                SourceKind::Root => continue,
                SourceKind::Plain(path) => path,
                SourceKind::Wildcard { prefix_dir } => prefix_dir,
            };
            let rest = way.as_bytes().strip_prefix(link);
            if rest.is_some_and(|r| r.is_empty() || r[0] == b'/') || pattern.matches(link) {
                bail!(
                    "the source {source} leads through the symbolic link {}: {error}",
                    display(link)
                );
            }
        }
    }
    Ok(())
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
    /// What they read.
    pub prepared: Prepared,
    /// Verdicts.
    pub outcome: Outcome,
    /// Seconds of every build.
    pub costs: Vec<BuildCost>,
}

impl Replayed {
    /// Takes its time.
    #[must_use]
    pub fn watch<'a>(&'a self, costs: &'a CostTable) -> Watch<'a> {
        Watch {
            plans: self.plans.iter().collect(),
            outcome: &self.outcome,
            costs,
        }
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
    let epochs = epochs(place, flags, builds, subject)?;
    replay_epochs(place, flags, builds, subject, costs, epochs)
}

/// Adds what the Makefiles of a commit run to the plans that run `make`. Where its files can't be listed, a
/// `make` is only itself.
fn note_recipes(repository: &Repository, newest: CommitId, subject: &Subject, plans: &mut [Plan]) {
    if !plans.iter().any(recipes::any) {
        return;
    }
    if let Ok(mut files) = TipFiles::new(repository, newest, subject) {
        // No Makefile is in there.
        files.holds_git = false;
        plans.iter_mut().for_each(|p| recipes::note(p, &files));
    }
}

/// Does already what is to be done with a subject whose own file all builds use, for those who have nothing else to do:
/// whose commits are not known yet, and have to be listed one after another.
pub fn prepare(cli: &Cli, place: &Place, flags: &HistoryFlags, subject: &mut Subject) {
    let frozen = flags.dockerfile_from == DockerfileFrom::Frozen;
    let (Some(repository), true) = (&place.repository, frozen) else {
        return;
    };
    let store = cache_dir(cli, place).ok().flatten();
    if store.is_some_and(|dir| repository.knows_commits(&dir)) {
        return;
    }
    let Ok((tip, _)) = ends(repository, place.at, flags) else {
        return;
    };
    if recipes::any(&subject.plan) {
        let mut plans = [subject.plan.clone()];
        note_recipes(repository, tip, subject, &mut plans);
        [subject.plan] = plans;
    }
    subject.recipes_noted = true;
}

/// Replays builds of several Dockerfiles in the context of a subject.
///
/// # Errors
/// When a link that a source leads through can't be read, or a commit of `--base-change` is not among the builds.
pub fn replay_epochs(
    place: &Place,
    flags: &HistoryFlags,
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
    epochs: Epochs,
) -> Result<Replayed> {
    let timeline = epochs.timeline.clone();
    let setting = (place, flags, builds, subject, costs);
    let replays = Replays::new(setting, epochs, Some(&timeline))?;
    let (outcome, costs) = replays.of(timeline);
    Ok(Replayed {
        plans: replays.plans,
        prepared: replays.prepared,
        outcome,
        costs,
    })
}

/// Dockerfiles in the context of a subject, ready to be replayed.
pub struct Replays {
    plans: Vec<Plan>,
    prepared: Prepared,
    seconds: Vec<Vec<f64>>,
    warm: Vec<Vec<f64>>,
    facts: Facts,
    base_changes: Vec<(String, u32)>,
    policy: Policy,
    assume_reproducible: bool,
}

/// Where, by which flags, over which builds, of what, at what costs.
pub type ReplaySetting<'a> = (
    &'a Place,
    &'a HistoryFlags,
    &'a Builds,
    &'a Subject,
    &'a CostTable,
);

impl Replays {
    /// Computes what the Dockerfiles read: those of a timeline in its builds, without one all of them in every build.
    ///
    /// # Errors
    /// As [`replay_epochs`].
    pub fn new(
        setting: ReplaySetting<'_>,
        epochs: Epochs,
        timeline: Option<&[Option<usize>]>,
    ) -> Result<Self> {
        let (mut replays, ground) = Self::open(setting, epochs, timeline)?;
        let columns = &replays.prepared.matrix;
        let whole = matrix(&ground.context(), &columns.selections, &columns.requests);
        replays.prepared.matrix = whole;
        Ok(replays)
    }

    /// The same without a look at any build, and what is needed for that.
    ///
    /// # Errors
    /// As [`replay_epochs`].
    pub fn open<'a>(
        (place, flags, builds, subject, costs): ReplaySetting<'a>,
        epochs: Epochs,
        timeline: Option<&[Option<usize>]>,
    ) -> Result<(Self, Ground<'a>)> {
        let all: Vec<Selection> = epochs
            .selections()
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        need_links(builds, subject, &all)?;
        let archives = archives(place, builds, subject, &epochs)?;
        let Epochs {
            mut plans,
            rules,
            plan_rules,
            new_bases,
            ..
        } = epochs;
        let mut commits = builds.log.commits.iter().rev().map(|c| c.id);
        let newest = commits.find(|id| *id != WORK_TREE);
        if let (Some(repository), Some(newest)) = (&place.repository, newest)
            && !subject.recipes_noted
        {
            note_recipes(repository, newest, subject, &mut plans);
        }
        let prepared = prepare_columns(&plans, &plan_rules, timeline);
        let ground = Ground {
            builds,
            subject,
            flags,
            rules,
            archives,
        };
        let mut facts = Facts {
            seconds: times(builds),
            ..Facts::default()
        };
        if flags.cache_policy.needs_sizes() {
            let sizes = Sizes::new(place, builds, subject, flags.cache_policy)?;
            let bytes = |p| step_bytes(p, costs, &|c| sizes.of(c));
            facts.bytes = plans.iter().map(bytes).collect();
        }
        let replays = Self {
            seconds: plans.iter().map(|p| step_seconds(p, costs)).collect(),
            warm: plans.iter().map(|p| warm_seconds(p, costs)).collect(),
            plans,
            prepared,
            facts,
            base_changes: [base_changes(place, builds, flags)?, new_bases].concat(),
            policy: flags.cache_policy,
            assume_reproducible: flags.assume_reproducible,
        };
        Ok((replays, ground))
    }

    /// Replays them, each in the builds that a timeline says.
    #[must_use]
    pub fn of(&self, timeline: Vec<Option<usize>>) -> (Outcome, Vec<BuildCost>) {
        let models = self.prepared.models(&self.plans);
        let timeline = self.timeline(timeline);
        let outcome = replay_with(&models, &timeline, &self.prepared.matrix, &self.facts);
        let costs = build_costs(&outcome, &models, &self.seconds, &self.warm);
        (outcome, costs)
    }

    /// The Dockerfiles.
    #[must_use]
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// What their builds take.
    #[must_use]
    pub fn costing(&self) -> Costing<'_> {
        Costing::new(self.plans.iter(), &self.seconds, &self.warm)
    }

    /// Replays what was opened while another core computes what is read; `tell` gets every build as soon as it is
    /// decided, in order.
    pub fn growing(
        &self,
        ground: &Ground<'_>,
        timeline: Vec<Option<usize>>,
        tell: impl FnMut(BuildOutcome),
    ) {
        let models = self.prepared.models(&self.plans);
        let timeline = self.timeline(timeline);
        let columns = &self.prepared.matrix;
        // A worker that waits for the other thread would keep from it the workers that it needs.
        if rayon::current_thread_index().is_some() {
            let whole = matrix(&ground.context(), &columns.selections, &columns.requests);
            replay_growing(&models, &timeline, whole, &self.facts, || None, tell);
            return;
        }
        let (send, receive) = sync_channel(4);
        std::thread::scope(|scope| {
            let computing = scope.spawn(move || {
                let (selections, views) = (&columns.selections, &columns.requests);
                matrix_in_pieces(&ground.context(), selections, views, |piece| {
                    // Nobody takes it when the replay has ended in a panic.
                    let _ = send.send(piece);
                });
            });
            let more = || receive.recv().ok();
            let columns = columns.clone();
            replay_growing(&models, &timeline, columns, &self.facts, more, tell);
            if let Err(panic) = computing.join() {
                std::panic::resume_unwind(panic);
            }
        });
    }

    fn timeline(&self, plan: Vec<Option<usize>>) -> Timeline {
        Timeline {
            plan,
            base_changes: self.base_changes.clone(),
            policy: self.policy,
            assume_reproducible: self.assume_reproducible,
        }
    }
}

/// What the files that Dockerfiles read are computed from.
pub struct Ground<'a> {
    builds: &'a Builds,
    subject: &'a Subject,
    flags: &'a HistoryFlags,
    rules: Vec<IgnoreRules>,
    archives: FxHashMap<Oid, bool>,
}

impl Ground<'_> {
    fn context(&self) -> Context<'_> {
        Context {
            log: &self.builds.log,
            prefix: self.subject.context_prefix.as_bytes(),
            rules: &self.rules,
            links: &self.builds.links,
            dot_git: dot_git(self.flags),
            umask: self.flags.umask,
            archives: &self.archives,
        }
    }
}

/// When the builds were made: the times of their commits.
#[must_use]
pub fn times(builds: &Builds) -> Vec<i64> {
    builds.log.commits.iter().map(|c| c.seconds).collect()
}

/// Sizes of the context's files at the newest commit; empty for policies that don't look at sizes.
pub struct Sizes {
    files: Vec<(String, u64)>,
}

impl Sizes {
    /// Looks the sizes up.
    ///
    /// # Errors
    /// When trees are missing from the repository.
    pub fn new(place: &Place, builds: &Builds, subject: &Subject, policy: Policy) -> Result<Self> {
        if !policy.needs_sizes() {
            return Ok(Self { files: Vec::new() });
        }
        let repository = place.repository()?;
        let files = TipFiles::new(repository, builds.tip, subject)?;
        let oids: Vec<Oid> = files.entries.values().map(|e| e.oid).collect();
        let sizes = repository.blob_sizes(&oids);
        let pairs = files.entries.into_keys().zip(sizes);
        Ok(Self {
            files: pairs
                .map(|(path, size)| (path, size.unwrap_or(0)))
                .collect(),
        })
    }

    /// Bytes of what a COPY takes.
    #[must_use]
    pub fn of(&self, input: &ContextInput) -> u64 {
        let sources = input.sources.iter();
        let patterns: Vec<_> = sources
            .map(|s| crate::pattern::SourcePattern::lenient(s))
            .collect();
        let taken = self
            .files
            .iter()
            .filter(|(path, _)| patterns.iter().any(|s| s.select(path.as_bytes()).is_some()));
        taken.map(|(_, size)| *size).fold(0, u64::saturating_add)
    }
}
