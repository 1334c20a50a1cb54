//! `verify --prediction`: cached and executed, step by step, against the user's own builder.

use super::{build_flags, cache_flags, gone, write_build};
use crate::cli::args::{Cli, DockerfileFrom, DotGit, HistoryFlags, PairFlags, VerifyArgs};
use crate::cli::scenario::history_flags;
use crate::cli::subject::{Place, Subject};
use crate::cli::timeline::{Builds, epochs, read_builds, replay_epochs};
use crate::cli::{Done, output};
use crate::cost::CostTable;
use crate::report::verify::{DifferenceRow, PredictionRow};
use crate::verify::{
    BuildLine, Builder, Difference, Ended, Job, Limits, Predicted, PredictedStep, Request, Tally,
    check_out, run as run_builds,
};
use anyhow::{Context as _, Result, bail};
use std::any::Any;
use std::path::PathBuf;
use std::time::Duration;

/// Builds the last `n` commits. No row where the builder could not be started.
///
/// # Errors
/// When the repository or a flag is at fault.
pub fn run(
    cli: &Cli,
    args: &VerifyArgs,
    n: u32,
    place: &Place,
    subject: &Subject,
    builder: &dyn Builder,
) -> Result<(Option<PredictionRow>, Done)> {
    let from = args.history.dockerfile_from;
    let flags = flags(args, n)?;
    if subject.target.inline.is_some() && from == DockerfileFrom::Each {
        bail!(
            "the Dockerfile is inside {}: only --dockerfile-from frozen can build it",
            subject.file
        );
    }
    let builds = read_builds(cli, place, &flags, &[subject])?;
    if builds.log.len() < 2 && !args.empty_cache {
        bail!(
            "one commit cannot be verified: the first build only fills the cache (--empty-cache compares it too)"
        );
    }
    let version = match builder.version() {
        Ok(version) => version,
        Err(error) => return Ok((None, gone(&error))),
    };
    let temp = tempfile::Builder::new()
        .prefix("cacheplan-verify-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let commits = Commits {
        place,
        args,
        flags: &flags,
        subject,
        builds: &builds,
        temp: temp.path().to_owned(),
        tag: temp
            .path()
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
    };
    write_build(subject, &commits.frozen(), subject.source.bytes(), &[])?;
    let limits = Limits {
        empty_cache: args.empty_cache,
        keep_going: args.keep_going,
        timeout: Duration::from_secs(args.timeout),
    };
    let name = |build: usize| builds.log.commits[build].id.to_string();
    let mut filled_by = None;
    let mut progress = |build: usize, what: BuildLine| {
        if what == BuildLine::Filled {
            filled_by = Some(name(build));
        }
        if let Some(word) = word(what) {
            let (n, of) = (build + 1, builds.log.len());
            let commit = &name(build)[..10];
            output::note(cli, &format!("build {n} of {of}, {commit}: {word}"));
        }
    };
    let ended = run_builds(builder, &commits, limits, &mut progress);
    let (tally, gave_up) = match ended {
        Ended::Job(error) => return Err(error),
        Ended::Done(tally) => (tally, None),
        Ended::Builder(build, error, tally) => (tally, Some((build, error))),
    };
    let row = row(&tally, &builds, version, filled_by);
    let done = if let Some((build, error)) = gave_up {
        output::say(&format!("note: at the build of {}", name(build)));
        gone(&error)
    } else if !tally.wrong.is_empty() {
        Done::GateFailed
    } else if tally.builds == 0 && !tally.failed.is_empty() {
        output::say("error: no build could be compared");
        Done::BuilderFailed
    } else {
        Done::Fine
    };
    Ok((Some(row), done))
}

fn word(what: BuildLine) -> Option<String> {
    Some(match what {
        BuildLine::Begins => return None,
        BuildLine::Filled => "filled the cache".to_owned(),
        BuildLine::Compared(0) => "as predicted".to_owned(),
        BuildLine::Compared(n) => crate::report::number::count(n, "difference"),
        BuildLine::Refused => "refused, as predicted".to_owned(),
        BuildLine::Skipped => "nothing to build".to_owned(),
        BuildLine::Failed => "came to no end to compare".to_owned(),
    })
}

/// The flags of the replay: N builds, and one in front of them that fills the cache.
fn flags(args: &VerifyArgs, n: u32) -> Result<HistoryFlags> {
    let pair = PairFlags {
        dot_git: args.history.dot_git,
        volatile_args: args.history.volatile_args.clone(),
        costs: None,
    };
    let mut flags = history_flags(&pair, args.history.dockerfile_from)?;
    flags.history = n as usize + usize::from(!args.empty_cache);
    flags.walk = args.history.walk;
    flags.umask = args.history.umask;
    Ok(flags)
}

struct Commits<'a> {
    place: &'a Place,
    args: &'a VerifyArgs,
    flags: &'a HistoryFlags,
    subject: &'a Subject,
    builds: &'a Builds,
    temp: PathBuf,
    /// In the name of every context: a builder knows a context again by its folder's name.
    tag: String,
}

impl Commits<'_> {
    fn frozen(&self) -> PathBuf {
        self.temp.join("frozen")
    }
}

impl Job for Commits<'_> {
    type Error = anyhow::Error;

    fn builds(&self) -> usize {
        self.builds.log.len()
    }

    fn predict(&self, without: &[usize]) -> Result<Vec<Predicted>> {
        let mut epochs = epochs(self.place, self.flags, self.builds, self.subject)?;
        for build in without {
            epochs.timeline[*build] = None;
        }
        let costs = CostTable::priors();
        let (place, flags) = (self.place, self.flags);
        let replayed = replay_epochs(place, flags, self.builds, self.subject, &costs, epochs)?;
        let one = |build: &crate::simulate::BuildOutcome| {
            let Some(p) = build.plan else {
                return Predicted {
                    skipped: true,
                    ..Predicted::default()
                };
            };
            let plan = &replayed.plans[p];
            let step =
                |(node, verdict): (&petgraph::graph::NodeIndex, &crate::simulate::Verdict)| {
                    let step = &plan.graph[*node];
                    PredictedStep {
                        id: step.id.to_string(),
                        name: step.name.clone(),
                        verdict: *verdict,
                    }
                };
            Predicted {
                steps: plan.order.iter().zip(&build.verdicts).map(step).collect(),
                fails_when_run: build
                    .fails
                    .as_ref()
                    .is_some_and(|f| f.message.starts_with("lstat ")),
                fails: build.fails.as_ref().map(|f| f.message.clone()),
                skipped: false,
            }
        };
        Ok(replayed.outcome.builds.iter().map(one).collect())
    }

    fn prepare(&self, build: usize) -> Result<(Request, Box<dyn Any>)> {
        let commit = self.builds.log.commits[build].id;
        let folder = tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(&self.temp)
            .context("cannot make a temporary folder")?;
        let tree = folder.path().join(format!("{}-{build}", self.tag));
        let dot_git = self.args.history.dot_git == DotGit::Present;
        let repository = self.place.repository()?;
        let file = self.place.shown(&self.subject.target.file);
        let each = self.args.history.dockerfile_from == DockerfileFrom::Each;
        let needed = |path: &[u8]| {
            path.starts_with(self.subject.context_prefix.as_bytes())
                || (each && path.starts_with(file.as_bytes()))
        };
        let umask = self.args.history.umask;
        check_out(repository, commit, &tree, umask, dot_git, &needed)?;
        let dockerfile = match each {
            false => self.frozen().join("Dockerfile"),
            true => tree.join(file),
        };
        let context = match self.subject.context_prefix.as_str() {
            "" => tree,
            prefix => tree.join(prefix),
        };
        let volatile = format!("{}-{build}", self.tag);
        let mut flags = build_flags(self.args.into(), self.subject, &volatile);
        flags.extend(cache_flags(self.subject));
        let request = Request {
            context,
            dockerfile,
            flags,
            ..Request::default()
        };
        Ok((request, Box::new(folder)))
    }
}

fn row(
    tally: &Tally,
    builds: &Builds,
    builder: String,
    filled_by: Option<String>,
) -> PredictionRow {
    let row = |d: &Difference| DifferenceRow {
        commit: builds.log.commits[d.build].id.to_string(),
        step: d.step.clone(),
        name: d.name.clone(),
        predicted: d.predicted.clone(),
        seen: d.seen.clone(),
    };
    let rows = |list: &[Difference]| list.iter().map(row).collect();
    PredictionRow {
        builder,
        filled_by,
        builds: tally.builds,
        refused: tally.refused,
        skipped: tally.skipped,
        steps: tally.steps,
        agree: tally.agree,
        maybe: tally.maybe,
        wrong: rows(&tally.wrong),
        older_records: rows(&tally.older_records),
        failed: rows(&tally.failed),
    }
}
