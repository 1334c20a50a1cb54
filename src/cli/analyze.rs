//! `cacheplan analyze`: parse, replay, search, report.

mod against;
mod detail;
mod findings;
mod gates;
mod plans;
mod steps;
mod weights;

use super::advice::{self, Advisor, Around};
use super::args::{AnalyzeArgs, Cli, DockerfileFrom, HistoryFlags};
use super::clock::Jobs;
use super::commits::beside_commits;
use super::git_view::GitView;
use super::progress::part;
use super::subject::{Found, Place, Subject, load_replayed};
use super::timeline::{Builds, Replayed, read_builds_of, replay_subject};
use super::tip_files::TipFiles;
use super::trend::{self, Course};
use super::{Done, history_notes, output};
use crate::context::{Hashing, weight};
use crate::cost::CostTable;
use crate::diagnostic::{Diagnostic, Severity};
use crate::optimize::{Bytes, Evaluated, Scales};
use crate::report::model::{
    Analysis, Baseline, FailedTarget, History, Target, TargetReport, Timing, Trend, Wall,
};
use crate::report::{html, issue, markdown, summary, text};
use crate::rules::{Git, ProjectFile};
use crate::simulate::{Summary, summarize};
use crate::source::SourceFile;
use against::against;
pub use against::shared_builds;
use anyhow::{Context as _, Result, bail};
use findings::Measured;
pub use gates::formats_of;
use gates::{Gate, gate};
pub use plans::{Searched, plan_rows, search};
use std::io::Read as _;
use std::path::Path;
use std::time::Instant;
use steps::steps;

/// A costs file that can be read is shorter.
const MAX_COSTS_BYTES: u64 = 64 << 20;

pub fn run(cli: &Cli, args: &AnalyzeArgs) -> Result<Done> {
    let outputs = formats_of(&args.format, args.output.as_deref())?;
    let gates: Vec<Gate> = args
        .fail_on
        .iter()
        .map(|g| gate(g, args))
        .collect::<Result<_>>()?;
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    let asked = Asked {
        detail: outputs.iter().any(|(format, _)| format == "html"),
        context: gates.iter().any(|g| matches!(g, Gate::Context(_))),
    };
    let (analysis, worst) = analysis(cli, &place, args, &asked)?;
    for (format, file) in outputs {
        let issues = || issue::of_analysis(&analysis);
        let about = issue::cost_source(&analysis);
        if let Some(text) = output::for_program(&format, &issues, &about) {
            output::write(file.as_deref(), &text)?;
            continue;
        }
        let text = match format.as_str() {
            "json" => output::json(&analysis)?,
            "markdown" => markdown::analysis(&analysis).into_bytes(),
            "html" => html::analysis(&analysis).into_bytes(),
            _ => {
                let style = text::Style {
                    color: file.is_none() && output::color_stdout(cli),
                    width: output::width(),
                };
                match args.details {
                    true => text::analysis(&analysis, style).into_bytes(),
                    false => summary::analysis(&analysis, style).into_bytes(),
                }
            }
        };
        output::write(file.as_deref(), &text)?;
    }
    if analysis
        .targets
        .iter()
        .all(|t| matches!(t, Target::Failed(_)))
        || worst
    {
        return Ok(Done::WrongInput);
    }
    let mut done = Done::Fine;
    for (gate, asked) in gates.iter().zip(&args.fail_on) {
        if let Some(why) = gate.failure(&analysis) {
            output::say(&format!("--fail-on {asked}: {why}"));
            done = Done::GateFailed;
        }
    }
    Ok(done)
}

/// What some formats and gates need and others do not.
struct Asked {
    /// What the page shows beside the document.
    detail: bool,
    /// Bytes of build contexts.
    context: bool,
}

fn good(found: &Result<Found>) -> Vec<&Subject> {
    found.as_ref().map_or_else(|_| Vec::new(), good_of)
}

/// The targets without an error.
fn good_of(found: &Found) -> Vec<&Subject> {
    found.subjects.iter().filter(|s| !s.failed()).collect()
}

/// The document, and whether a target named with `-f` failed.
fn analysis(
    cli: &Cli,
    place: &Place,
    args: &AnalyzeArgs,
    asked: &Asked,
) -> Result<(Analysis, bool)> {
    place.repository()?;
    let costs = costs(place, &args.history)?;
    let load = || load_replayed(place, &args.place.build, &args.history);
    let (found, commits) = beside_commits(cli, place, &args.history, load, good)?;
    let found = found?;
    output::diagnostics(cli, &found.diagnostics);
    let good = good_of(&found);
    let builds = if good.is_empty() {
        None
    } else {
        Some(read_builds_of(cli, place, &args.history, &good, commits?)?)
    };
    if let Some(builds) = &builds {
        output::diagnostics(cli, &history_notes::about(builds, &good));
    }
    let top = place.repository()?.work_tree().map(Path::to_owned);
    let settings = advice::settings(&place.path, top.as_deref())?;
    let mut advisor = Advisor::new(&args.rules)?;
    let once = |(i, s): &(usize, &&Subject)| !good[..*i].iter().any(|o| o.same_file(s));
    let dockerfiles = good.iter().enumerate().filter(once);
    let dockerfiles = dockerfiles.map(|(_, s)| ProjectFile {
        path: &s.target.file,
        source: &s.source,
        tree: &s.parsed.tree,
    });
    let git = GitView::open(place);
    let git = git.as_ref().map(|g| g as &dyn Git);
    let project = advice::project(place, dockerfiles.collect(), git, &settings);
    let around = Around {
        place,
        project: &project,
        settings: &settings,
        costs: &costs,
        listed: true,
    };
    let mut targets = Vec::new();
    let mut named_failed = false;
    let mut first = true;
    let (mut at, of) = (0, found.subjects.len());
    for subject in &found.subjects {
        at += 1;
        let start = Instant::now();
        let rows = output::rows(&subject.file, &subject.diagnostics);
        let failed = |diagnostics| {
            Target::Failed(FailedTarget {
                file: subject.file.clone(),
                diagnostics,
            })
        };
        let Some(builds) = builds.as_ref().filter(|_| !subject.failed()) else {
            output::diagnostics(cli, &subject.diagnostics);
            named_failed |= subject.target.origin == "-f";
            targets.push(failed(rows));
            continue;
        };
        output::diagnostics(cli, &subject.diagnostics);
        let what = format!("replaying and searching {}", subject.file);
        let busy = part(cli, &what, at - 1, of);
        let told = (&mut advisor, first);
        let result = report(&around, args, builds, subject, told, asked.detail);
        drop(busy);
        match result {
            Ok(mut report) => {
                if asked.context {
                    report.context_bytes = Some(context_bytes(cli, place, subject)?);
                }
                let notes = history_notes::about(builds, &[subject]);
                let notes = output::rows(&subject.file, &notes);
                report
                    .diagnostics
                    .splice(0..0, rows.into_iter().chain(notes));
                if subject.target.inline.is_some() {
                    without_places(&mut report);
                }
                report.timing = (!args.no_timing).then(|| Timing {
                    total_s: start.elapsed().as_secs_f64(),
                });
                first = false;
                targets.push(Target::Done(Box::new(report)));
            }
            Err(e) => {
                let why = format!("{e:#}");
                let d = Diagnostic::whole(Severity::Error, "history/failed", why);
                let list = [(subject.source.clone(), d)];
                output::diagnostics(cli, &list);
                named_failed |= subject.target.origin == "-f";
                targets.push(failed(output::rows(&subject.file, &list)));
            }
        }
    }
    let analysis = Analysis {
        schema: "cacheplan.analyze/1",
        targets,
        not_analysed: found.not_analysed,
    };
    Ok((analysis, named_failed))
}

/// Bytes of the files that the builder may be sent.
fn context_bytes(cli: &Cli, place: &Place, subject: &Subject) -> Result<u64> {
    let context = super::context::source::context(cli, place, subject, Hashing::None)?;
    Ok(weight::total(context.entries.iter()).bytes)
}

/// The costs the flags name, or `cacheplan.costs.json` in PATH, or the priors.
///
/// # Errors
/// When the file can't be read or used.
pub fn costs(place: &Place, flags: &HistoryFlags) -> Result<CostTable> {
    costs_of(place, flags.costs.as_deref())
}

/// As [`costs`], by the file that is named.
///
/// # Errors
/// When the file can't be read or used.
pub fn costs_of(place: &Place, named: Option<&Path>) -> Result<CostTable> {
    let (path, named) = match named {
        Some(file) => (place.path.join(file), true),
        None => (place.path.join("cacheplan.costs.json"), false),
    };
    // The repository may hold anything under that name, a pipe too.
    if !named && !std::fs::metadata(&path).is_ok_and(|m| m.is_file()) {
        return Ok(CostTable::priors());
    }
    let mut text = String::new();
    let read = std::fs::File::open(&path)
        .and_then(|f| f.take(MAX_COSTS_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MAX_COSTS_BYTES => bail!(
            "{} is larger than {MAX_COSTS_BYTES} bytes, more than is read",
            path.display()
        ),
        Ok(_) => CostTable::from_json(&text).with_context(|| path.display().to_string()),
        Err(e) if named => Err(e).with_context(|| format!("cannot read {}", path.display())),
        Err(_) => Ok(CostTable::priors()),
    }
}

fn report(
    around: &Around<'_>,
    args: &AnalyzeArgs,
    builds: &Builds,
    subject: &Subject,
    (advisor, first): (&mut Advisor, bool),
    detailed: bool,
) -> Result<TargetReport> {
    let (place, costs) = (around.place, around.costs);
    let replayed = replay_subject(place, &args.history, builds, subject, costs)?;
    let summary = summarize(&replayed.outcome, &replayed.costs);
    let frozen = args.history.dockerfile_from == DockerfileFrom::Frozen;
    let refused =
        history_notes::of_refusals(&history_notes::Refusals::of(&replayed.outcome), frozen);
    let refused = refused.filter(|_| summary.builds > 0);
    let refused = refused.map(|d| (subject.source.clone(), d));
    let mut extra: Vec<(SourceFile, Diagnostic)> = refused.into_iter().collect();
    let none = history_notes::of_no_builds(&replayed.outcome, &summary);
    extra.extend(none.map(|d| (subject.source.clone(), d)));
    if !frozen {
        let message = "plans are judged with today's Dockerfile over all commits; the baseline uses each commit's own";
        let d = Diagnostic::whole(Severity::Note, "history/each", message);
        extra.push((subject.source.clone(), d));
    }
    let counted: Vec<usize> = replayed.outcome.counted().collect();
    let searched = search(place, &args.history, &args.search, builds, subject, costs)?;
    let base = match &args.base {
        Some(rev) => match against(place, args, builds, subject, costs, rev, &replayed)? {
            Ok(base) => Some(base),
            Err(why) => {
                let message = format!("nothing to compare with at --base {rev}: {why}");
                let d = Diagnostic::whole(Severity::Note, "history/no-base", message);
                extra.push((subject.source.clone(), d));
                None
            }
        },
        None => None,
    };
    let commits = &builds.log.commits;
    let id = |i: Option<&crate::history::CommitInfo>| i.map_or(String::new(), |c| c.id.to_string());
    let bytes = weight(place, builds, subject, costs, Some(&searched.baseline))?;
    let trend = trend_of(place, args, builds, subject, costs, &searched);
    let jobs = Jobs::new(
        &args.jobs,
        args.history.cache_policy,
        builds,
        &replayed.outcome,
        costs,
    );
    let asked = args.jobs.price.is_some() || args.jobs.workers.is_some();
    if asked && jobs.is_none() && summary.builds > 0 {
        let message = "no runner minutes: the builds span less than a week, which tells nothing of a month; --builds-per-month says how many it has";
        let d = Diagnostic::whole(Severity::Note, "history/no-month", message);
        extra.push((subject.source.clone(), d));
    }
    let watch = replayed.watch(costs);
    let measured = Measured {
        args,
        builds,
        costs,
        replayed: &replayed,
        summary: &summary,
    };
    let found = findings::rows(around, advisor, subject, first, &measured);
    extra.extend(found.said);
    let mut baseline = figures(&summary, watch.wall_of_counted(), bytes);
    baseline.jobs = jobs.as_ref().map(|j| watch.jobs(j));
    let detail = || Box::new(detail::of(place, builds, subject, &replayed, &searched));
    Ok(TargetReport {
        file: subject.file.clone(),
        context: place.shown(&subject.context),
        target: subject.options.target.clone(),
        origin: subject.target.origin.clone(),
        context_bytes: None,
        history: History {
            commits: commits.len(),
            builds: summary.builds,
            from: id(commits.first()),
            to: id(commits.last()),
            builds_with_any_change: summary.builds_with_any_change,
            refused: summary.refused,
            skipped: summary.skipped,
            policy: args.history.cache_policy.to_string(),
        },
        baseline,
        jobs: jobs.as_ref().map(Jobs::row),
        trend,
        base,
        steps: steps(builds, subject, costs, &replayed, &counted),
        plans: plan_rows(place, subject, &searched, costs, jobs.as_ref()),
        findings: found.findings,
        diagnostics: output::rows(&subject.file, &extra),
        timing: None,
        source: subject.source.clone(),
        course: course(&replayed),
        detail: detailed.then(detail),
    })
}

/// Seconds of work of every build that counts.
fn course(replayed: &Replayed) -> Vec<f64> {
    let counted = replayed.outcome.counted();
    counted.map(|i| replayed.costs[i].work_s).collect()
}

/// The months of the history, and what commits did to the Dockerfile; nothing where an older one can't be read or replayed.
fn trend_of(
    place: &Place,
    args: &AnalyzeArgs,
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
    searched: &Searched,
) -> Option<Trend> {
    let setting = (place, &args.history, builds, subject, costs);
    let plan = searched.best().map(|p| Course::of(&p.evaluated));
    let found = trend::of(setting, &Course::of(&searched.baseline), plan.as_ref()).ok()?;
    (!found.months.is_empty()).then_some(found)
}

/// A summary as the document has it.
#[must_use]
pub fn figures(summary: &Summary, wall: Wall, weight: Weight) -> Baseline {
    Baseline {
        work_s_per_build: summary.work_s_per_build,
        work_s_per_build_min: summary.work_s_per_build_min,
        critical_path_s_per_build: summary.critical_path_s_per_build,
        wall_s_per_build: wall,
        cold_s: summary.cold_s,
        image_bytes_estimate: weight.image_bytes,
        pushed_bytes_per_build: weight.pushed_bytes,
        hit_rate: summary.hit_rate,
        jobs: None,
    }
}

/// Lines of a text that is part of another file are not that file's.
fn without_places(report: &mut TargetReport) {
    for finding in report.findings.iter_mut().filter(|f| f.file == report.file) {
        finding.without_places();
    }
    for d in report.diagnostics.iter_mut().filter(|d| d.file.is_none()) {
        d.spot.at = None;
    }
}

/// What an image weighs, an estimate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weight {
    /// Bytes above its base image.
    pub image_bytes: Option<u64>,
    /// Mean bytes a build that are pushed again.
    pub pushed_bytes: Option<f64>,
}

/// What the image weighs above its base image, and where its builds were replayed what they push again.
///
/// # Errors
/// When trees are missing.
pub fn weight(
    place: &Place,
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
    replayed: Option<&Evaluated>,
) -> Result<Weight> {
    let files = TipFiles::new(place.repository()?, builds.tip, subject)?;
    let files = Bytes(&files);
    let scales = Scales::new(&files, costs);
    Ok(Weight {
        image_bytes: Some(scales.bytes(&subject.plan, &[])),
        pushed_bytes: replayed.map(|r| scales.pushed(&r.plan, &r.outcome, &[])),
    })
}
