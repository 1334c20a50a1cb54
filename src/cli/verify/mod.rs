//! `cacheplan verify`: what is predicted and what is planned, against the user's own builder.

mod plan;
mod prediction;

use super::args::{BuilderArg, Cli, DockerfileFrom, ReplayFormat, VerifyArgs};
use super::subject::{Place, Subject, load_one_replayed};
use super::{Done, output};
use crate::optimize::with_lines;
use crate::report::verify::{Verified, text};
use crate::verify::{Buildah, Builder, BuilderError, Docker};
use anyhow::{Context as _, Result, bail};
use std::path::Path;

pub fn run(cli: &Cli, args: &VerifyArgs) -> Result<Done> {
    check(args)?;
    let reference = args.place.build.reference.as_deref();
    let place = Place::open(&args.place.path, reference)?;
    place.repository()?;
    let builder: Box<dyn Builder> = match args.builder {
        BuilderArg::Docker => Box::new(Docker),
        BuilderArg::Buildah => Box::new(Buildah),
    };
    let subject = load_one_replayed(&place, &args.place.build, &args.history)?.0;
    output::diagnostics(cli, &subject.diagnostics);
    let frozen = args.history.dockerfile_from == DockerfileFrom::Frozen;
    if subject.failed() && (frozen || args.plan) {
        return Ok(Done::WrongInput);
    }
    let mut document = Verified {
        schema: "cacheplan.verify/1",
        prediction: None,
        plan: None,
    };
    let mut done = Done::Fine;
    if let Some(n) = args.prediction {
        let (row, ended) = prediction::run(cli, args, n, &place, &subject, builder.as_ref())?;
        document.prediction = row;
        done = ended;
    }
    // A builder that cannot be started is not asked twice.
    if args.plan && (args.prediction.is_none() || document.prediction.is_some()) {
        let (row, ended) = plan::run(cli, args, &place, &subject, builder.as_ref())?;
        document.plan = row;
        done = match (done, ended) {
            (Done::Fine, other) | (Done::GateFailed, other @ Done::BuilderFailed) => other,
            (done, _) => done,
        };
    }
    if document.prediction.is_some() || document.plan.is_some() {
        let bytes = match args.format {
            ReplayFormat::Json => output::json(&document)?,
            ReplayFormat::Text => text(&document, output::width()).into_bytes(),
        };
        output::write(args.output.as_deref(), &bytes)?;
        // Whoever has the document elsewhere sees how it ended.
        if args.output.is_some() {
            let told = text(&document, output::width());
            output::note(cli, told.lines().next().unwrap_or_default());
        }
    }
    Ok(done)
}

/// Flags that do not go together.
fn check(args: &VerifyArgs) -> Result<()> {
    if args.prediction.is_none() && !args.plan {
        bail!("say what to verify: --prediction N, --plan, or both");
    }
    if args.prediction.is_some() && args.builder == BuilderArg::Buildah {
        bail!(
            "--prediction needs --builder docker: what buildah prints about its steps is not read (--plan knows both builders)"
        );
    }
    let h = &args.history;
    let of_plan = [
        ("--since", h.since.is_some()),
        ("--range", h.range.is_some()),
        ("--base-change", !h.base_changes.is_empty()),
        ("--assume-reproducible", h.assume_reproducible),
        ("--rewrites", !args.search.rewrites.is_empty()),
    ];
    if let Some((flag, _)) = of_plan.iter().find(|(_, given)| *given && !args.plan) {
        bail!("{flag} is about the plan: it needs --plan");
    }
    Ok(())
}

pub(in crate::cli) fn gone(error: &BuilderError) -> Done {
    output::say(&format!("error: {error}"));
    Done::BuilderFailed
}

/// A Dockerfile in a folder of its own, with today's ignore rules and some lines more beside it, where they win over the
/// context's.
pub(in crate::cli) fn write_build(
    subject: &Subject,
    folder: &Path,
    dockerfile: &[u8],
    ignored: &[String],
) -> Result<()> {
    let ignore = with_lines(subject.ignore_text.as_ref(), ignored);
    std::fs::create_dir(folder)
        .and_then(|()| std::fs::write(folder.join("Dockerfile"), dockerfile))
        .and_then(|()| std::fs::write(folder.join("Dockerfile.dockerignore"), ignore))
        .with_context(|| format!("cannot write to {}", folder.display()))
}

/// What a user tells the builder beside the Dockerfile's own.
#[derive(Clone, Copy, Default)]
pub(in crate::cli) struct Told<'a> {
    /// `--network`.
    pub network: Option<&'a str>,
    /// `--platform`.
    pub platform: Option<&'a str>,
    /// Flags behind `--`.
    pub more: &'a [String],
}

impl<'a> From<&'a VerifyArgs> for Told<'a> {
    fn from(args: &'a VerifyArgs) -> Self {
        Self {
            network: args.place.build.network.as_deref(),
            platform: args.place.build.platform.as_deref(),
            more: &args.builder_flags,
        }
    }
}

/// The stages that run whatever is stored, for builders that have a cache at all.
pub(in crate::cli) fn cache_flags(subject: &Subject) -> Vec<String> {
    match &subject.options.no_cache {
        None => Vec::new(),
        Some(names) if names.is_empty() => vec!["--no-cache".to_owned()],
        Some(names) => vec!["--no-cache-filter".to_owned(), names.join(",")],
    }
}

/// What a build is told; arguments that differ in every build get `volatile` as their value.
pub(in crate::cli) fn build_flags(
    told: Told<'_>,
    subject: &Subject,
    volatile: &str,
) -> Vec<String> {
    let options = &subject.options;
    let mut out = Vec::new();
    let mut push = |flag: &str, value: String| out.extend([flag.to_owned(), value]);
    for (name, value) in &options.args {
        push("--build-arg", format!("{name}={value}"));
    }
    for name in &options.volatile_args {
        push("--build-arg", format!("{name}={volatile}"));
    }
    if let Some(stage) = &options.target {
        push("--target", stage.clone());
    }
    for (name, value) in &options.contexts {
        push("--build-context", format!("{name}={value}"));
    }
    let run = &options.run;
    let project = Some(run.network.as_str()).filter(|mode| !mode.is_empty());
    if let Some(mode) = told.network.or(project) {
        push("--network", mode.to_owned());
    }
    for host in &run.hosts {
        push("--add-host", host.clone());
    }
    if let Some(size) = &run.shm_size {
        push("--shm-size", size.clone());
    }
    for limit in &run.ulimits {
        push("--ulimit", limit.clone());
    }
    // Without one the builder takes its own, which is most likely the one that is predicted.
    if let Some(platform) = told.platform.or(subject.target.platform.as_deref()) {
        push("--platform", platform.to_owned());
    }
    out.extend(told.more.iter().cloned());
    out
}
