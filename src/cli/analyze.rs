//! `cacheplan analyze`: parse, replay, search, report.

mod detail;
mod findings;
mod gates;
mod steps;
mod weights;

use super::advice::{self, Advisor, Around};
use super::archives::archives;
use super::args::{AnalyzeArgs, Cli, DockerfileFrom, HistoryFlags, SearchFlags};
use super::clock::{Jobs, Watch};
use super::epochs::Epochs;
use super::git_view::GitView;
use super::progress::part;
use super::subject::{Place, Subject, load_replayed};
use super::timeline::{
    Builds, Replayed, Sizes, base_changes, beside_commits, dot_git, read_builds_of, replay_subject,
    times,
};
use super::tip_files::TipFiles;
use super::trend::{self, Course};
use super::{Done, history_notes, ignore_place, output};
use crate::context::{Hashing, weight};
use crate::cost::CostTable;
use crate::diagnostic::{Diagnostic, Severity};
use crate::optimize::{Advice, Bytes, Evaluated, Judge, Scales, Setting, advise};
use crate::report::bootstrap::saving_interval;
use crate::report::model::{
    Analysis, BaseComparison, Baseline, EditRow, FailedTarget, FileChange, History, PlanChanges,
    PlanRow, ProofRow, Target, TargetReport, Timing, Trend, Wall,
};
use crate::report::place::{Extent, Replacement, joined};
use crate::report::{diff, html, issue, markdown, step_changes, summary, text};
use crate::rules::{Git, ProjectFile};
use crate::simulate::explain::pairs;
use crate::simulate::{Context, Outcome, Summary, summarize};
use crate::source::{Edit, SourceFile};
use anyhow::{Context as _, Result, bail};
use findings::Measured;
pub use gates::formats_of;
use gates::{Gate, gate};
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
    let (found, commits) = beside_commits(place, &args.history, load)?;
    let found = found?;
    output::diagnostics(cli, &found.diagnostics);
    let good: Vec<&Subject> = found.subjects.iter().filter(|s| !s.failed()).collect();
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

/// A baseline evaluated, its plans, and what they were judged by.
pub struct Searched {
    pub baseline: Evaluated,
    pub plans: Vec<Advice>,
    /// The class that plans might have.
    pub allowed: crate::rewrite::Safety,
    /// Other Dockerfiles may be built from the same context.
    pub shared: bool,
}

impl Searched {
    /// The plan that saves most, if any changes something.
    #[must_use]
    pub fn best(&self) -> Option<&Advice> {
        let changed = self.plans.iter().filter(|p| !p.edits.is_empty());
        changed.reduce(|a, b| if b.saving > a.saving + 1e-9 { b } else { a })
    }
}

/// Replays the Dockerfile as it is and searches for plans.
///
/// # Errors
/// When the repository can't be read.
pub fn search(
    place: &Place,
    flags: &HistoryFlags,
    search: &SearchFlags,
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
) -> Result<Searched> {
    let changes = base_changes(place, builds, flags)?;
    let rules = [subject.rules.clone()];
    let today = Epochs::frozen(subject, builds.log.len());
    let archives = archives(place, builds, subject, &today)?;
    let mut files = TipFiles::new(place.repository()?, builds.tip, subject)?;
    files.holds_git &= dot_git(flags);
    let sizes = Sizes::new(place, builds, subject, flags.cache_policy)?;
    let rewrites: Vec<String> = search
        .rewrites
        .iter()
        .map(|r| r.name().to_owned())
        .collect();
    let setting = Setting {
        options: &subject.options,
        context: Context {
            log: &builds.log,
            prefix: subject.context_prefix.as_bytes(),
            rules: &rules,
            links: &builds.links,
            dot_git: dot_git(flags),
            umask: flags.umask,
            archives: &archives,
        },
        costs,
        policy: flags.cache_policy,
        seconds: &times(builds),
        copied: &|c| sizes.of(c),
        assume_reproducible: flags.assume_reproducible,
        base_changes: &changes,
        objective: search.objective.into(),
        safety: search.safety.into(),
        rewrites: &rewrites,
        files: &files,
        ignore: subject.ignore_text.as_ref(),
    };
    let mut judge = Judge::new(setting);
    let baseline = judge.evaluate(subject.source.clone());
    let plans = advise(&mut judge, &baseline);
    Ok(Searched {
        baseline,
        plans,
        allowed: search.safety.into(),
        shared: files.shared,
    })
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
    let refused = history_notes::of_refusals(&replayed.outcome, frozen);
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

/// Plans as the document has them.
#[must_use]
pub fn plan_rows(
    place: &Place,
    subject: &Subject,
    searched: &Searched,
    costs: &CostTable,
    jobs: Option<&Jobs>,
) -> Vec<PlanRow> {
    let source = &subject.source;
    let one = |p: &Advice| {
        let new = p.evaluated.source.bytes();
        let ignore =
            (!p.ignore.is_empty()).then(|| ignore_place::of(place, subject, searched.shared));
        let ignore = ignore.map(|at| {
            let after = ignore_place::with_own_line(place, subject, &at, &p.ignore);
            (at, after)
        });
        let mut change = diff::unified(source.bytes(), new, source.name());
        if let Some((at, after)) = &ignore {
            change.push_str(&diff::unified(&at.before, after, &place.shown(&at.file)));
        }
        let watch = Watch::of(&p.evaluated, costs);
        PlanRow {
            safety: p.safety.as_str(),
            work_s_per_build: p.evaluated.summary.work_s_per_build,
            critical_path_s_per_build: p.evaluated.summary.critical_path_s_per_build,
            wall_s_per_build: watch.wall_of_counted(),
            jobs: jobs.map(|j| watch.jobs(j)),
            cold_s: p.evaluated.summary.cold_s,
            image_bytes_estimate: Some(p.image_bytes),
            pushed_bytes_per_build: Some(p.pushed_bytes),
            saving: p.saving,
            held_out_saving: p.held_out_saving,
            bound_s: p.bound_s,
            optimal: p.optimal,
            edits: p.edits.iter().map(edit_row).collect(),
            assumptions: p.assumptions.clone(),
            certificate: p.proofs.iter().map(proof_row).collect(),
            dockerfile: String::from_utf8_lossy(new).into_owned(),
            dockerignore_file: ignore.as_ref().map(|(at, _)| place.shown(&at.file)),
            dockerignore: ignore
                .as_ref()
                .map(|(_, text)| String::from_utf8_lossy(text).into_owned()),
            diff: change,
            allowed: searched.allowed.as_str(),
            changes: changes_of(place, subject, new, ignore.as_ref()),
        }
    };
    searched.plans.iter().map(one).collect()
}

/// What a plan changes, for the formats of other programs; nothing where the Dockerfile is part of another file.
fn changes_of(
    place: &Place,
    subject: &Subject,
    new: &[u8],
    ignore: Option<&(ignore_place::IgnorePlace, Vec<u8>)>,
) -> PlanChanges {
    if subject.target.inline.is_some() {
        return PlanChanges::default();
    }
    let source = &subject.source;
    let own = diff::edits(source.bytes(), new);
    let at = own.first().map(|e| Extent::shown(source, e.span));
    let beside = ignore.map(|(at, after)| {
        let shown = place.shown(&at.file);
        let edits = diff::edits(&at.before, after);
        (SourceFile::new(shown, at.before.clone()), edits)
    });
    let joined = joined(source, &own).filter(|_| beside.is_none());
    let both = std::iter::once((source.clone(), own)).chain(beside);
    let one = |(source, edits): (SourceFile, Vec<Edit>)| {
        let edits = edits.iter().map(|e| Replacement::of(&source, e));
        Some(FileChange {
            edits: edits.collect::<Option<_>>()?,
            file: source.name().to_owned(),
        })
    };
    let files: Option<Vec<FileChange>> = both.filter(|(_, e)| !e.is_empty()).map(one).collect();
    PlanChanges {
        at,
        files: files.unwrap_or_default(),
        joined,
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

fn proof_row(p: &crate::optimize::certificate::Proof) -> ProofRow {
    ProofRow {
        first: p.first,
        second: p.second,
        safety: p.safety.as_str(),
        because: p.because.clone(),
        assumptions: p.assumptions.clone(),
    }
}

fn edit_row(e: &crate::rewrite::EditNote) -> EditRow {
    EditRow {
        rewrite: e.rewrite,
        safety: e.safety.as_str(),
        line: e.line,
        end_line: e.end_line,
        why: e.why.clone(),
        assumptions: e.assumptions.clone(),
    }
}

fn against(
    place: &Place,
    args: &AnalyzeArgs,
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
    rev: &str,
    present: &Replayed,
) -> Result<std::result::Result<BaseComparison, String>> {
    let commit = place.repository()?.resolve(rev)?;
    let older = Place::open(&args.place.path, Some(rev))?;
    let mut flags = args.place.build.clone();
    flags.files = vec![subject.target.file.clone()];
    flags.context = Some(subject.context.clone());
    flags.target.clone_from(&subject.options.target);
    // A change that adds the Dockerfile, or mends it, is no reason to say nothing about it.
    let found = load_replayed(&older, &flags, &args.history).and_then(super::subject::only);
    let mut other = match found {
        Ok(other) if other.failed() => {
            return Ok(Err("the Dockerfile there has errors".to_owned()));
        }
        Ok(other) => other,
        Err(e) => return Ok(Err(format!("{e:#}"))),
    };
    other.options.args.clone_from(&subject.options.args);
    let replayed = replay_subject(place, &args.history, builds, &other, costs)?;
    let both = shared_builds(&[&replayed.outcome, &present.outcome]);
    if both.is_empty() {
        let why = "no build of the history works with both Dockerfiles";
        return Ok(Err(why.to_owned()));
    }
    let sums = super::compare::over(&replayed, &both);
    let pick = |r: &Replayed| -> Vec<f64> { both.iter().map(|b| r.costs[*b].work_s).collect() };
    let (a, b) = (pick(&replayed), pick(present));
    let before: f64 = a.iter().sum();
    let saving = if before > 0.0 {
        1.0 - b.iter().sum::<f64>() / before
    } else {
        0.0
    };
    let rows = |s: &Subject, r: &Replayed| steps(builds, s, costs, r, &both);
    let (old, new) = (rows(&other, &replayed), rows(subject, present));
    let newest = |r: &Replayed| r.outcome.builds.iter().rev().find_map(|b| b.plan);
    let was = match (newest(&replayed), newest(present)) {
        (Some(o), Some(n)) => pairs(&replayed.plans[o], &present.plans[n]),
        _ => Vec::new(),
    };
    Ok(Ok(BaseComparison {
        steps: step_changes::of(&old, &new, &was),
        rev: rev.to_owned(),
        commit: commit.to_string(),
        baseline: figures(&sums, replayed.watch(costs).wall(&both), Weight::default()),
        work_s_per_build: b.iter().sum::<f64>() / both.len() as f64,
        saving,
        interval: saving_interval(&a, &b),
    }))
}

/// Builds that count for every outcome: the first such build of all is the cold one and is left out.
#[must_use]
pub fn shared_builds(outcomes: &[&Outcome]) -> Vec<usize> {
    let n = outcomes.first().map_or(0, |o| o.builds.len());
    let counts = |i: &usize| {
        outcomes
            .iter()
            .all(|o| o.builds[*i].plan.is_some() && o.builds[*i].fails.is_none())
    };
    let cold = outcomes.iter().filter_map(|o| o.cold()).max().unwrap_or(0);
    (0..n).filter(counts).filter(|i| *i > cold).collect()
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
