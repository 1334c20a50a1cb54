//! `cacheplan optimize`: the best plan as a diff, a file, a document, or in place.

use super::args::{Cli, OptimizeArgs, OptimizeFormat};
use super::subject::{Place, Subject, load_replayed};
use super::timeline::read_builds;
use super::{Done, analyze, history_notes, output};
use crate::report::model::{FailedTarget, Optimized, OptimizedTarget, PlanRow};
use crate::report::wording;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;
use std::io::Write as _;

pub fn run(cli: &Cli, args: &OptimizeArgs) -> Result<Done> {
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    place.repository()?;
    if args.write && place.at.is_some() {
        bail!("--write needs a work tree");
    }
    let costs = analyze::costs(&place, &args.history)?;
    let found = load_replayed(&place, &args.place.build, &args.history)?;
    output::diagnostics(cli, &found.diagnostics);
    let good: Vec<&Subject> = found.subjects.iter().filter(|s| !s.failed()).collect();
    let builds = if good.is_empty() {
        None
    } else {
        Some(read_builds(cli, &place, &args.history, &good)?)
    };
    if let Some(builds) = &builds {
        output::diagnostics(cli, &history_notes::about(builds, &good));
    }
    let mut text = Vec::new();
    let mut told = BTreeSet::new();
    let mut targets = Vec::new();
    let (mut failed, mut named_failed) = (0, false);
    for subject in &found.subjects {
        output::diagnostics(cli, &subject.diagnostics);
        let Some(builds) = builds.as_ref().filter(|_| !subject.failed()) else {
            failed += 1;
            named_failed |= subject.target.origin == "-f";
            let diagnostics = output::rows(&subject.file, &subject.diagnostics);
            targets.push(OptimizedTarget::Failed(FailedTarget {
                file: subject.file.clone(),
                diagnostics,
            }));
            continue;
        };
        let searched =
            analyze::search(&place, &args.history, &args.search, builds, subject, &costs)?;
        let judged = &searched.baseline;
        let none = history_notes::of_no_builds(&judged.outcome, &judged.summary);
        let compared = none.is_none();
        let none: Vec<_> = none
            .map(|d| (subject.source.clone(), d))
            .into_iter()
            .collect();
        output::diagnostics(cli, &none);
        let plans = analyze::plan_rows(&place, subject, &searched);
        let bytes = analyze::image_bytes(&place, builds, subject, &costs)?;
        let baseline = analyze::figures(&searched.baseline.summary, bytes);
        let best = best(&plans).map(|i| &plans[i]);
        if let Some(p) = best {
            match args.format {
                // Targets that share a Dockerfile may share its plan, which is told once.
                OptimizeFormat::Diff if !told.insert(p.diff.clone()) => {}
                OptimizeFormat::Diff => text.extend_from_slice(p.diff.as_bytes()),
                OptimizeFormat::Dockerfile => text.extend_from_slice(p.dockerfile.as_bytes()),
                OptimizeFormat::Json => {}
            }
            if p.edits.is_empty() && compared {
                output::note(
                    cli,
                    &format!("{}: {}", subject.file, wording::nothing(&baseline, p)),
                );
            } else if args.write && !p.edits.is_empty() {
                rewrite(&place, subject, p)?;
                output::note(
                    cli,
                    &format!(
                        "{}: rewritten, {:.0} % of the modelled rebuild seconds saved",
                        subject.file,
                        p.saving * 100.0
                    ),
                );
            }
        }
        targets.push(OptimizedTarget::Done {
            file: subject.file.clone(),
            baseline,
            plans,
        });
    }
    if args.format == OptimizeFormat::Json {
        text = output::json(&Optimized {
            schema: "cacheplan.optimize/1",
            targets,
        })?;
    }
    if !args.write || args.format == OptimizeFormat::Json {
        output::write(args.output.as_deref(), &text)?;
    }
    Ok(if named_failed || failed == found.subjects.len() {
        Done::WrongInput
    } else {
        Done::Fine
    })
}

/// The plan that saves most, by its place in the list.
#[must_use]
pub fn best(plans: &[PlanRow]) -> Option<usize> {
    (0..plans.len()).max_by(|a, b| plans[*a].saving.total_cmp(&plans[*b].saving))
}

/// Replaces the file in one step, unless it changed since it was read.
fn rewrite(place: &Place, subject: &Subject, plan: &PlanRow) -> Result<()> {
    if subject.target.inline.is_some() {
        bail!(
            "{}: an inline Dockerfile can't be rewritten in place",
            subject.file
        );
    }
    if std::str::from_utf8(subject.source.bytes()).is_err() {
        bail!(
            "{}: the file is not UTF-8, so it is not rewritten in place",
            subject.file
        );
    }
    // Through a link to the file itself, so that the link stays a link.
    let path = place
        .path
        .join(&subject.target.file)
        .canonicalize()
        .with_context(|| format!("cannot find {}", subject.file))?;
    let root = place
        .repository()?
        .work_tree()
        .context("there is no work tree")?
        .canonicalize()?;
    if !path.starts_with(&root) {
        bail!("{} lies outside of the work tree", path.display());
    }
    let dir = path.parent().context("the file has no folder")?;
    let mut new = tempfile::NamedTempFile::new_in(dir)
        .with_context(|| format!("cannot write in {}", dir.display()))?;
    new.write_all(plan.dockerfile.as_bytes())?;
    new.as_file()
        .set_permissions(std::fs::metadata(&path)?.permissions())?;
    if std::fs::read(&path)? != subject.source.bytes() {
        bail!(
            "{} changed while it was analysed: nothing is written",
            subject.file
        );
    }
    new.persist(&path)
        .with_context(|| format!("cannot replace {}", path.display()))?;
    Ok(())
}
