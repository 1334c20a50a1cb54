//! `cacheplan optimize`: the best plan as a diff, a file, a document, or in place.

use super::args::{Cli, OptimizeArgs, OptimizeFormat};
use super::clock::Watch;
use super::progress::phase;
use super::subject::{Place, Subject, load_replayed};
use super::timeline::read_builds;
use super::{Done, analyze, history_notes, ignore_place, output};
use crate::report::model::{FailedTarget, Optimized, OptimizedTarget, PlanRow};
use crate::report::wording;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;
use std::path::PathBuf;

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
        let busy = phase(cli, &format!("searching {}", subject.file));
        let searched =
            analyze::search(&place, &args.history, &args.search, builds, subject, &costs)?;
        drop(busy);
        let judged = &searched.baseline;
        let none = history_notes::of_no_builds(&judged.outcome, &judged.summary);
        let compared = none.is_none();
        let none: Vec<_> = none
            .map(|d| (subject.source.clone(), d))
            .into_iter()
            .collect();
        output::diagnostics(cli, &none);
        let plans = analyze::plan_rows(&place, subject, &searched, &costs, None);
        let bytes = analyze::weight(&place, builds, subject, &costs, Some(&searched.baseline))?;
        let baseline = analyze::figures(
            &searched.baseline.summary,
            Watch::of(&searched.baseline, &costs).wall_of_counted(),
            bytes,
        );
        let best = best(&plans).map(|i| &plans[i]);
        if let Some(p) = best {
            match args.format {
                // Targets that share a Dockerfile may share its plan, which is told once.
                OptimizeFormat::Diff if !told.insert(p.diff.clone()) => {}
                OptimizeFormat::Diff => text.extend_from_slice(p.diff.as_bytes()),
                OptimizeFormat::Dockerfile => text.extend_from_slice(p.dockerfile.as_bytes()),
                OptimizeFormat::Json => {}
            }
            if let Some(file) = p
                .dockerignore_file
                .as_ref()
                .filter(|_| args.format == OptimizeFormat::Dockerfile && !args.write)
            {
                let note = format!(
                    "{}: the plan changes {file} too, which is not in this output",
                    subject.file
                );
                output::note(cli, &note);
            }
            if p.edits.is_empty() && compared {
                output::note(
                    cli,
                    &format!("{}: {}", subject.file, wording::nothing(&baseline, p)),
                );
            } else if args.write && !p.edits.is_empty() {
                rewrite(&place, subject, p, searched.shared)?;
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

/// Replaces the file, and the ignore file where the plan changes that, each in one step, unless one changed since it was
/// read.
fn rewrite(place: &Place, subject: &Subject, plan: &PlanRow, shared: bool) -> Result<()> {
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
    let ignore = plan.dockerignore.as_ref();
    let old = subject.ignore_text.as_ref();
    if let Some(old) = old.filter(|t| ignore.is_some() && std::str::from_utf8(t.bytes()).is_err()) {
        bail!(
            "{}: the file is not UTF-8, so it is not rewritten in place",
            old.name()
        );
    }
    let ignore = ignore.map(|text| (ignore_place::of(place, subject, shared), text));
    let mut files = Vec::new();
    if let Some((at, text)) = &ignore {
        files.push(Replaced::new(place, &at.file, &at.before, text)?);
    }
    if plan.dockerfile.as_bytes() != subject.source.bytes() {
        let (file, before) = (&subject.target.file, subject.source.bytes());
        files.push(Replaced::new(place, file, before, &plan.dockerfile)?);
    }
    files.into_iter().try_for_each(Replaced::put)
}

/// A file that is ready to take the place of another.
struct Replaced {
    new: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Replaced {
    /// Writes the text beside the file.
    fn new(place: &Place, file: &str, before: &[u8], text: &str) -> Result<Self> {
        let named = place.path.join(file);
        let there = named.exists();
        // Through a link to the file itself, so that the link stays a link.
        let dir = match there {
            true => named.canonicalize(),
            false => named.parent().unwrap_or(&place.path).canonicalize(),
        };
        let found = dir.with_context(|| format!("cannot find {}", place.shown(file)))?;
        let path = match (there, named.file_name()) {
            (false, Some(name)) => found.join(name),
            _ => found,
        };
        let root = place
            .repository()?
            .work_tree()
            .context("there is no work tree")?
            .canonicalize()?;
        if !path.starts_with(&root) {
            bail!("{} lies outside of the work tree", path.display());
        }
        let new = output::beside(&path, text.as_bytes())?;
        let now = match there {
            true => std::fs::read(&path)?,
            false => Vec::new(),
        };
        if now != before {
            bail!(
                "{} changed while it was analysed: nothing is written",
                place.shown(file)
            );
        }
        Ok(Self { new, path })
    }

    fn put(self) -> Result<()> {
        output::put(self.new, &self.path)
    }
}
