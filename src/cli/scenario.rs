//! Two builds, one behind the other: the cache holds the first and nothing else. What `explain`,
//! `affected` and `what-if` replay.

use super::args::{BuildFlags, DockerfileFrom, HistoryFlags, PairFlags};
use super::commits::prefixes;
use super::epochs::Epochs;
use super::subject::{Found, Place, Subject, load_replayed};
use super::timeline::{Builds, Replayed, replay_epochs};
use super::worktree;
use crate::cost::CostTable;
use crate::history::{
    ChangeLog, CommitId, CommitInfo, Entry, EntryKind, Oid, Repository, WORK_TREE,
};
use crate::plan::normalize_reference;
use crate::simulate::explain::{Case, Explained, Side, explain};
use anyhow::{Context as _, Result};
use clap::Parser;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::path::Path;

/// More links than this are not read; a source reached through a later one counts as missing.
const MAX_LINKS: usize = 10_000;

/// The flags of a replay with nothing on the command line.
#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    history: HistoryFlags,
}

/// What a replay of builds behind each other is told: everything that was built is kept.
///
/// # Errors
/// When a variable of the environment holds no value of its flag.
pub fn history_flags(pair: &PairFlags, from: DockerfileFrom) -> Result<HistoryFlags> {
    let words = ["cacheplan", "--cache-policy", "local", "--history", "1"];
    let mut flags = Defaults::try_parse_from(words)?.history;
    flags.dockerfile_from = from;
    flags.dot_git = pair.dot_git;
    flags.volatile_args.clone_from(&pair.volatile_args);
    flags.costs.clone_from(&pair.costs);
    Ok(flags)
}

/// The two ends of `--from` and `--to`.
pub struct Ends {
    /// The commit the cache was filled by.
    pub from: CommitId,
    /// The commit that is built, or [`WORK_TREE`].
    pub to: CommitId,
    /// `to` was not given: it is HEAD where the work tree is no different.
    pub open: bool,
    /// What `to` finds.
    pub place: Place,
    /// The files of `to`, once they are read.
    pub files: Files,
}

impl Ends {
    /// Reads the flags; the place is opened at `to`.
    ///
    /// # Errors
    /// When a revision is not known, or there is no repository or no work tree to look at.
    pub fn new(path: &Path, reference: Option<&str>, from: &str, to: Option<&str>) -> Result<Self> {
        let rev = match to {
            Some(worktree::NAME) => None,
            Some(rev) => Some(rev),
            None => reference,
        };
        let place = Place::open(path, rev)?;
        let repository = place.repository()?;
        let from = repository.resolve(from).context("--from")?;
        if to == Some(worktree::NAME) {
            worktree::root(&place)?;
        }
        Ok(Self {
            from,
            to: place.at.unwrap_or(WORK_TREE),
            open: to.is_none() && place.at.is_none(),
            place,
            files: Files::new(),
        })
    }

    /// A build's name in reports.
    #[must_use]
    pub fn name(&self) -> String {
        worktree::name(self.to)
    }
}

/// Every path of a build that lies in the prefixes.
pub type Files = BTreeMap<Vec<u8>, Entry>;

/// The files of a commit, and the texts of its links.
///
/// # Errors
/// When objects are missing.
pub fn commit_files(
    repository: &Repository,
    commit: CommitId,
    prefixes: &[Vec<u8>],
    links: &mut FxHashMap<Oid, Vec<u8>>,
) -> Result<Files> {
    let all = [Vec::new()];
    let prefixes = if prefixes.is_empty() {
        &all[..]
    } else {
        prefixes
    };
    let mut out = Files::new();
    for prefix in prefixes {
        out.extend(repository.list(commit, prefix)?.iter().cloned());
    }
    for (path, entry) in &out {
        if entry.kind == EntryKind::Symlink
            && !links.contains_key(&entry.oid)
            && links.len() < MAX_LINKS
            // A link that can't be read is treated as dangling: the build is called refused, never cached.
            && let Ok(Some(blob)) = repository.read(commit, path)
        {
            links.insert(entry.oid, blob.bytes);
        }
    }
    Ok(out)
}

/// The files of the work tree, and whether they differ from those of HEAD.
///
/// # Errors
/// When a part of it that a build is sent cannot be read.
pub fn work_tree_files(
    place: &Place,
    subjects: &[&Subject],
    links: &mut FxHashMap<Oid, Vec<u8>>,
) -> Result<(Files, bool)> {
    let prefixes = prefixes(place, subjects);
    let mut log = ChangeLog::default();
    if let Some(repository) = &place.repository
        && let Ok(head) = repository.head()
    {
        let files = commit_files(repository, head, &prefixes, links)?;
        log.append(build(head), present(&files));
    }
    let last = log.len();
    links.extend(worktree::append(place, &mut log, &prefixes, subjects)?);
    let state = log.state();
    let files = log.paths.ids().filter_map(|id| {
        let entry = state[id.index()]?;
        Some((log.paths.bytes(id), entry))
    });
    Ok((files.collect(), !log.changes(last).is_empty()))
}

/// A build of a hand-made log.
#[must_use]
pub fn build(id: CommitId) -> CommitInfo {
    CommitInfo {
        id,
        parent_count: 0,
        parents: Vec::new(),
        seconds: 0,
        summary: String::new(),
    }
}

fn present(files: &Files) -> Vec<(Vec<u8>, Option<Entry>)> {
    files.iter().map(|(p, e)| (p.clone(), Some(*e))).collect()
}

/// Two builds as a log.
#[must_use]
pub fn two_builds(
    (from, before): (CommitId, &Files),
    (to, after): (CommitId, &Files),
    links: FxHashMap<Oid, Vec<u8>>,
) -> Builds {
    let mut log = ChangeLog::default();
    log.append(build(from), present(before));
    let gone = before.keys().filter(|p| !after.contains_key(*p));
    let mut changes: Vec<(Vec<u8>, Option<Entry>)> = gone.map(|p| (p.clone(), None)).collect();
    // Empty folders last: their files have to be gone before they count.
    let (folders, files): (Vec<_>, Vec<_>) = present(after)
        .into_iter()
        .partition(|(_, e)| e.is_some_and(|e| e.kind == EntryKind::Folder));
    changes.extend(files);
    changes.extend(folders);
    log.append(build(to), changes);
    Builds {
        tip: to,
        log,
        links,
        missing_links: Vec::new(),
        notes: Vec::new(),
    }
}

/// Reads both ends. What is left open is decided: HEAD where the work tree is no different.
///
/// # Errors
/// When objects are missing, or the work tree cannot be read.
pub fn read_ends(ends: &mut Ends, subjects: &[&Subject]) -> Result<Builds> {
    let repository = ends.place.repository()?;
    let prefixes = prefixes(&ends.place, subjects);
    let mut links = FxHashMap::default();
    let before = commit_files(repository, ends.from, &prefixes, &mut links)?;
    let (to, after) = if ends.to == WORK_TREE {
        let (files, differs) = work_tree_files(&ends.place, subjects, &mut links)?;
        match ends.open && !differs {
            true => (repository.head()?, files),
            false => (WORK_TREE, files),
        }
    } else {
        let files = commit_files(repository, ends.to, &prefixes, &mut links)?;
        (ends.to, files)
    };
    let builds = two_builds((ends.from, &before), (to, &after), links);
    ends.to = to;
    ends.files = after;
    Ok(builds)
}

/// The targets as they were at a commit; none where nothing was found there.
#[must_use]
pub fn found_at(
    path: &Path,
    rev: CommitId,
    flags: &BuildFlags,
    history: &HistoryFlags,
) -> Option<Found> {
    let place = Place::open(path, Some(&rev.to_string())).ok()?;
    let mut flags = flags.clone();
    // A named file that was not there is a new target, and no reason to find none at all.
    let named = flags.files.len();
    flags.files.retain(|f| place.files.is_file(f));
    if flags.files.is_empty() && named > 0 {
        return None;
    }
    load_replayed(&place, &flags, history).ok()
}

/// What a target was in an older discovery: a build of the same Dockerfile, if there are several the
/// one that the same service or target asked for, or that builds the same stage.
#[must_use]
pub fn twin<'a>(found: Option<&'a Found>, of: &Subject) -> Option<&'a Subject> {
    let all = found?.subjects.iter();
    let same_file = all.filter(|s| s.target.file == of.target.file);
    same_file.max_by_key(|s| {
        let origin = s.target.origin == of.target.origin;
        let stage = s.target.stage == of.target.stage;
        2 * u8::from(origin) + u8::from(stage)
    })
}

/// One target in two builds.
pub struct Pair {
    /// The replay; the explained build is the last.
    pub replayed: Replayed,
    /// One a step of that build.
    pub steps: Vec<Explained>,
    /// Whether the cache holds a build of this target at all; where not, why.
    pub cold: Option<String>,
}

/// What the first of two builds was.
pub enum Before<'a> {
    /// The same Dockerfile, arguments and ignore rules.
    Same,
    /// Others.
    Other(&'a Subject),
    /// There is none, because of this.
    Nothing(String),
}

/// Decides what the build before was, from the subject as it was then.
#[must_use]
pub fn before<'a>(old: Option<&'a Subject>, new: &Subject, from: DockerfileFrom) -> Before<'a> {
    if from == DockerfileFrom::Frozen {
        return Before::Same;
    }
    let Some(old) = old else {
        return Before::Nothing("there is no such target".to_owned());
    };
    if old
        .diagnostics
        .iter()
        .any(|(_, d)| d.code == "project/unreadable")
    {
        return Before::Nothing(format!("there is no {}", old.file));
    }
    if let Some((_, d)) = old.diagnostics.iter().find(|(_, d)| d.is_error()) {
        return Before::Nothing(format!("the builder refuses that build: {}", d.message));
    }
    if old.context_prefix != new.context_prefix {
        let was = format!("its context is the folder `{}`", old.context);
        return Before::Nothing(was);
    }
    let rules = |s: &Subject| -> Vec<(String, bool)> {
        let patterns = s.rules.patterns().iter();
        patterns.map(|p| (p.body.clone(), p.negated)).collect()
    };
    let same = old.source.bytes() == new.source.bytes()
        && old.options == new.options
        && rules(old) == rules(new);
    match same {
        true => Before::Same,
        false => Before::Other(old),
    }
}

/// Replays two builds of a target and explains the second.
///
/// # Errors
/// Never for logs made by [`two_builds`].
pub fn pair(
    place: &Place,
    flags: &HistoryFlags,
    builds: &Builds,
    subject: &Subject,
    (before, bases): (&Before<'_>, &[String]),
    costs: &CostTable,
) -> Result<Pair> {
    let bases: Vec<String> = bases.iter().map(|b| normalize_reference(b)).collect();
    let (mut plans, mut rules) = (vec![subject.plan.clone()], vec![subject.rules.clone()]);
    let mut cold = None;
    let timeline = match before {
        Before::Same => vec![Some(0), Some(0)],
        Before::Other(old) => {
            plans.push(old.plan.clone());
            rules.push(old.rules.clone());
            vec![Some(1), Some(0)]
        }
        Before::Nothing(why) => {
            cold = Some(why.clone());
            vec![None, Some(0)]
        }
    };
    let epochs = Epochs {
        plan_rules: (0..plans.len()).collect(),
        plans,
        rules: rules.clone(),
        timeline,
        new_bases: bases.iter().map(|b| (b.clone(), 1)).collect(),
        notes: Vec::new(),
    };
    let replayed = replay_epochs(place, flags, builds, subject, costs, epochs)?;
    let [first, second] = replayed.outcome.builds.as_slice() else {
        anyhow::bail!(
            "two builds were replayed as {}",
            replayed.outcome.builds.len()
        );
    };
    if let Some(fails) = &first.fails {
        cold = Some(format!("the builder refuses that build: {}", fails.message));
    }
    let side = |p: usize| Side {
        plan: &replayed.plans[p],
        rules: &rules[p],
        selections: &replayed.prepared.selections[p],
    };
    let steps = explain(&Case {
        log: &builds.log,
        prefix: subject.context_prefix.as_bytes(),
        links: &builds.links,
        before: first.plan.filter(|_| cold.is_none()).map(side),
        after: side(0),
        outcome: second,
        matrix: &replayed.prepared.matrix,
        new_bases: &bases,
    });
    Ok(Pair {
        replayed,
        steps,
        cold,
    })
}
