//! `verify --plan`: the image of the Dockerfile as it is against the one that the best plan builds.

use super::{build_flags, gone, write_build};
use crate::cli::args::{Cli, DotGit, VerifyArgs};
use crate::cli::subject::{Place, Subject};
use crate::cli::timeline::read_builds;
use crate::cli::{Done, analyze, history_notes, optimize, output, worktree};
use crate::report::verify_plan::PlanVerified;
use crate::verify::{Builder, PlanError, PlanOutcome, Request, Which, check_out, verify_plan};
use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::time::Duration;

/// Searches as `optimize` does and builds both. No row where the builder failed.
///
/// # Errors
/// When the repository or a flag is at fault.
pub fn run(
    cli: &Cli,
    args: &VerifyArgs,
    place: &Place,
    subject: &Subject,
    builder: &dyn Builder,
) -> Result<(Option<PlanVerified>, Done)> {
    args.place.build.builder_profile.simulated()?;
    let costs = analyze::costs(place, &args.history)?;
    let builds = read_builds(cli, place, &args.history, &[subject])?;
    output::diagnostics(cli, &history_notes::about(&builds, &[subject]));
    let searched = analyze::search(place, &args.history, &args.search, &builds, subject, &costs)?;
    let judged = &searched.baseline;
    if let Some(d) = history_notes::of_no_builds(&judged.outcome, &judged.summary) {
        output::diagnostics(cli, &[(subject.source.clone(), d)]);
        return Ok((None, Done::WrongInput));
    }
    let rows = analyze::plan_rows(place, subject, &searched, &costs, None);
    let best = optimize::best(&rows).and_then(|i| Some((&rows[i], searched.plans.get(i)?)));
    let context_of = match args.worktree {
        true => worktree::NAME.to_owned(),
        false => builds.tip.to_string(),
    };
    let mut row = PlanVerified {
        file: subject.file.clone(),
        context_of,
        ..PlanVerified::default()
    };
    let Some((plan, advice)) = best else {
        row.equal = true;
        row.nothing_to_verify = true;
        return Ok((Some(row), Done::Fine));
    };
    row.safety = plan.safety;
    row.saving = plan.saving;
    row.edits.clone_from(&plan.edits);
    row.assumptions.clone_from(&plan.assumptions);
    if plan.edits.is_empty() {
        row.equal = true;
        row.nothing_to_verify = true;
        return Ok((Some(row), Done::Fine));
    }
    row.builder = match builder.version() {
        Ok(version) => Some(version),
        Err(error) => return Ok((None, gone(&error))),
    };
    let temp = tempfile::Builder::new()
        .prefix("cacheplan-verify-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let root = match args.worktree {
        true => worktree::root(place)?,
        false => {
            // A builder knows a context again by its folder's name.
            let name = temp.path().file_name().context("a folder without a name")?;
            let tree: PathBuf = temp.path().join(name);
            let dot_git = args.history.dot_git == DotGit::Present;
            let repository = place.repository()?;
            let needed = |path: &[u8]| path.starts_with(subject.context_prefix.as_bytes());
            check_out(
                repository,
                builds.tip,
                &tree,
                args.history.umask,
                dot_git,
                &needed,
            )?;
            tree
        }
    };
    let context = match subject.context_prefix.as_str() {
        "" => root,
        prefix => root.join(prefix),
    };
    let request = |name: &str, dockerfile: &[u8], ignored: &[String]| -> Result<Request> {
        let folder = temp.path().join(name);
        write_build(subject, &folder, dockerfile, ignored)?;
        Ok(Request {
            context: context.clone(),
            dockerfile: folder.join("Dockerfile"),
            ignore_file: Some(folder.join("Dockerfile.dockerignore")),
            // The same value in all builds: what differs in every build is no doing of a plan.
            flags: build_flags(args.into(), subject, "cacheplan"),
            no_cache: false,
            timeout: Duration::from_secs(args.timeout),
        })
    };
    let original = request("original", subject.source.bytes(), &[])?;
    let planned = request("plan", advice.evaluated.source.bytes(), &advice.ignore)?;
    let mut progress = |which: Which| output::note(cli, &format!("building {}", which.name()));
    let ended = verify_plan(builder, &original, &planned, temp.path(), &mut progress);
    match ended {
        Err(PlanError::Builder(which, error)) => {
            output::say(&format!("note: while building {}", which.name()));
            return Ok((None, gone(&error)));
        }
        Err(error) => {
            output::say(&format!("error: {error}"));
            return Ok((None, Done::BuilderFailed));
        }
        Ok(PlanOutcome::Refused { message, builds }) => {
            row.builds = builds;
            row.refused(message);
        }
        Ok(PlanOutcome::Compared {
            comparison,
            builds,
            not_again,
        }) => {
            row.builds = builds;
            row.not_again = not_again;
            row.compared(&comparison);
        }
    }
    let done = match row.equal {
        true => Done::Fine,
        false => Done::GateFailed,
    };
    Ok((Some(row), done))
}
