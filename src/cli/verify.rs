//! `cacheplan verify`: the prediction against the user's own builder.

use super::args::{
    BuilderArg, Cli, DockerfileFrom, DotGit, HistoryFlags, PairFlags, ReplayFormat, VerifyArgs,
};
use super::scenario::history_flags;
use super::subject::{Place, Subject, load_replayed, only};
use super::timeline::{Builds, epochs, read_builds, replay_epochs};
use super::{Done, output};
use crate::cost::CostTable;
use crate::report::verify::{DifferenceRow, PredictionRow, Verified, text};
use crate::verify::{
    BuildLine, Builder, BuilderError, Difference, Docker, Ended, Job, Limits, Predicted,
    PredictedStep, Request, Tally, check_out, run as run_builds,
};
use anyhow::{Context as _, Result, bail};
use std::any::Any;
use std::path::PathBuf;
use std::time::Duration;

pub fn run(cli: &Cli, args: &VerifyArgs) -> Result<Done> {
    let reference = args.place.build.reference.as_deref();
    let place = Place::open(&args.place.path, reference)?;
    place.repository()?;
    let builder: Box<dyn Builder> = match args.builder {
        BuilderArg::Docker => Box::new(Docker),
    };
    let flags = flags(args)?;
    let subject = only(load_replayed(&place, &args.place.build, &flags)?)?;
    output::diagnostics(cli, &subject.diagnostics);
    if subject.failed() && args.dockerfile_from == DockerfileFrom::Frozen {
        return Ok(Done::WrongInput);
    }
    if subject.target.inline.is_some() && args.dockerfile_from == DockerfileFrom::Each {
        bail!(
            "the Dockerfile is inside {}: only --dockerfile-from frozen can build it",
            subject.file
        );
    }
    let builds = read_builds(cli, &place, &flags, &[&subject])?;
    if builds.log.len() < 2 && !args.empty_cache {
        bail!(
            "one commit cannot be verified: the first build only fills the cache (--empty-cache compares it too)"
        );
    }
    let version = match builder.version() {
        Ok(version) => version,
        Err(error) => return Ok(gone(&error)),
    };
    let temp = tempfile::Builder::new()
        .prefix("cacheplan-verify-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let commits = Commits {
        place: &place,
        args,
        flags: &flags,
        subject: &subject,
        builds: &builds,
        temp: temp.path().to_owned(),
        tag: temp
            .path()
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
    };
    commits.write_frozen()?;
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
    let ended = run_builds(builder.as_ref(), &commits, limits, &mut progress);
    let (tally, gave_up) = match ended {
        Ended::Job(error) => return Err(error),
        Ended::Done(tally) => (tally, None),
        Ended::Builder(build, error, tally) => (tally, Some((build, error))),
    };
    let document = document(&tally, &builds, version, filled_by);
    let bytes = match args.format {
        ReplayFormat::Json => output::json(&document)?,
        ReplayFormat::Text => text(&document, output::width()).into_bytes(),
    };
    output::write(args.output.as_deref(), &bytes)?;
    if let Some((build, error)) = gave_up {
        output::say(&format!("note: at the build of {}", name(build)));
        return Ok(gone(&error));
    }
    if !tally.wrong.is_empty() {
        return Ok(Done::GateFailed);
    }
    if tally.builds == 0 && !tally.failed.is_empty() {
        output::say("error: no build could be compared");
        return Ok(Done::BuilderFailed);
    }
    Ok(Done::Fine)
}

fn gone(error: &BuilderError) -> Done {
    output::say(&format!("error: {error}"));
    Done::BuilderFailed
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
fn flags(args: &VerifyArgs) -> Result<HistoryFlags> {
    let pair = PairFlags {
        dot_git: args.dot_git,
        volatile_args: Vec::new(),
        costs: None,
    };
    let mut flags = history_flags(&pair, args.dockerfile_from)?;
    flags.history = args.prediction as usize + usize::from(!args.empty_cache);
    flags.walk = args.walk;
    flags.umask = args.umask;
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

    /// Today's Dockerfile, with today's ignore rules beside it, where they win over the context's.
    fn write_frozen(&self) -> Result<()> {
        let folder = self.frozen();
        let ignore = self.subject.ignore_file.as_ref();
        let ignore = ignore.and_then(|f| self.place.read(f)).unwrap_or_default();
        std::fs::create_dir(&folder)
            .and_then(|()| std::fs::write(folder.join("Dockerfile"), self.subject.source.bytes()))
            .and_then(|()| std::fs::write(folder.join("Dockerfile.dockerignore"), ignore))
            .with_context(|| format!("cannot write to {}", folder.display()))
    }

    /// What the build is told.
    fn build_flags(&self, build: usize) -> Vec<String> {
        let options = &self.subject.options;
        let mut out = Vec::new();
        let mut push = |flag: &str, value: String| out.extend([flag.to_owned(), value]);
        for (name, value) in &options.args {
            push("--build-arg", format!("{name}={value}"));
        }
        for name in &options.volatile_args {
            push("--build-arg", format!("{name}={}-{build}", self.tag));
        }
        if let Some(stage) = &options.target {
            push("--target", stage.clone());
        }
        for (name, value) in &options.contexts {
            push("--build-context", format!("{name}={value}"));
        }
        // Without one the builder takes its own, which is most likely the one that is predicted.
        let named = self.args.place.build.platform.as_ref();
        if let Some(platform) = named.or(self.subject.target.platform.as_ref()) {
            push("--platform", platform.clone());
        }
        out.extend(self.args.builder_flags.iter().cloned());
        out
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
        let dot_git = self.args.dot_git == DotGit::Present;
        let repository = self.place.repository()?;
        check_out(repository, commit, &tree, self.args.umask, dot_git)?;
        let dockerfile = match self.args.dockerfile_from {
            DockerfileFrom::Frozen => self.frozen().join("Dockerfile"),
            DockerfileFrom::Each => tree.join(self.place.shown(&self.subject.target.file)),
        };
        let context = match self.subject.context_prefix.as_str() {
            "" => tree,
            prefix => tree.join(prefix),
        };
        let request = Request {
            context,
            dockerfile,
            flags: self.build_flags(build),
            ..Request::default()
        };
        Ok((request, Box::new(folder)))
    }
}

fn document(
    tally: &Tally,
    builds: &Builds,
    builder: String,
    filled_by: Option<String>,
) -> Verified {
    let row = |d: &Difference| DifferenceRow {
        commit: builds.log.commits[d.build].id.to_string(),
        step: d.step.clone(),
        name: d.name.clone(),
        predicted: d.predicted.clone(),
        seen: d.seen.clone(),
    };
    let rows = |list: &[Difference]| list.iter().map(row).collect();
    Verified {
        schema: "cacheplan.verify/1",
        prediction: PredictionRow {
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
        },
    }
}
