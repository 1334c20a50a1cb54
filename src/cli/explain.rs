//! `cacheplan explain`: why each step of one build runs again behind another.

use super::args::{Cli, DockerfileFrom, ExplainArgs, ExplainFormat};
use super::progress::phase;
use super::scenario::{self, Ends, Pair, before, found_at, history_flags, pair, read_ends, twin};
use super::subject::{Place, Subject, load_one_replayed};
use super::{Done, analyze, log_file, output, worktree};
use crate::cost::CostTable;
use crate::cost::log::{Log, Seen};
use crate::history::{CommitId, WORK_TREE};
use crate::pattern::display;
use crate::report::explain::{
    CauseRow, Explanation, Fails, LogRow, LogSummary, PathRow, RuleRow, StepWhy, Titles, markdown,
    text,
};
use crate::report::number::count;
use crate::report::wording::short_commit;
use crate::simulate::Verdict;
use crate::simulate::explain::FileChange;
use anyhow::{Context as _, Result, bail};
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};

/// Most files listed per cause.
const PATHS: usize = 50;

pub fn run(cli: &Cli, args: &ExplainArgs) -> Result<Done> {
    let reference = args.place.build.reference.as_deref();
    let mut ends = Ends::new(&args.place.path, reference, &args.from, args.to.as_deref())?;
    let flags = history_flags(&args.pair, args.dockerfile_from)?;
    let costs = analyze::costs(&ends.place, &flags)?;
    let subject = load_one_replayed(&ends.place, &args.place.build, &flags)?.0;
    output::diagnostics(cli, &subject.diagnostics);
    if subject.failed() {
        return Ok(Done::WrongInput);
    }
    let busy = phase(cli, "comparing two builds");
    let builds = read_ends(&mut ends, &[&subject])?;
    let old = match args.dockerfile_from {
        DockerfileFrom::Each => found_at(&args.place.path, ends.from, &args.place.build, &flags),
        DockerfileFrom::Frozen => None,
    };
    let was = before(twin(old.as_ref(), &subject), &subject, args.dockerfile_from);
    let bases = known_bases(&subject, &args.base_changes)?;
    let pair = pair(
        &ends.place,
        &flags,
        &builds,
        &subject,
        (&was, &bases),
        &costs,
    )?;
    let mut document = document(&ends.place, &subject, &pair, &costs);
    document.from = ends.from.to_string();
    document.to = ends.name();
    commits(&ends, &pair, &mut document)?;
    drop(busy);
    if let Some(file) = &args.log {
        read_log(cli, file, &pair, &mut document)?;
    }
    let to = match ends.to == WORK_TREE {
        true => "the work tree".to_owned(),
        false => short_commit(&document.to).to_owned(),
    };
    let between = format!("from {} to {to}", short_commit(&document.from));
    let shape = Shape {
        step: args.step.as_deref(),
        format: args.format,
        output: args.output.as_ref(),
        between,
    };
    print(cli, document, &shape)
}

/// Names of `--base-change` that no FROM has.
///
/// # Errors
/// When one is no image of the target.
pub fn known_bases(subject: &Subject, names: &[String]) -> Result<Vec<String>> {
    let plan = &subject.plan;
    let images: Vec<&str> = plan
        .order
        .iter()
        .flat_map(|n| &plan.graph[*n].inputs)
        .filter_map(|i| match i {
            crate::plan::Input::Image(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    for name in names {
        let wanted = crate::plan::normalize_reference(name);
        if !images.contains(&wanted.as_str()) {
            let mut known = images.clone();
            known.sort_unstable();
            known.dedup();
            bail!(
                "--base-change {name}: {} has no such image (it has {})",
                subject.file,
                known.join(", ")
            );
        }
    }
    Ok(names.to_vec())
}

/// What is printed, and where.
pub struct Shape<'a> {
    /// Only this step.
    pub step: Option<&'a str>,
    /// How.
    pub format: ExplainFormat,
    /// Where.
    pub output: Option<&'a PathBuf>,
    /// Both builds in words.
    pub between: String,
}

/// Prints the document, or one step of it.
///
/// # Errors
/// When there is no such step, or the output cannot be written.
pub fn print(cli: &Cli, mut document: Explanation, shape: &Shape<'_>) -> Result<Done> {
    if let Some(id) = shape.step {
        if !document.steps.iter().any(|s| s.id == id) {
            let ids: Vec<&str> = document.steps.iter().map(|s| s.id.as_str()).collect();
            bail!(
                "--step {id}: there is no such step, there are {}",
                ids.join(", ")
            );
        }
        document.steps.retain(|s| s.id == id);
        // The sums are those of the steps that are listed.
        let of = |sure: bool| {
            let ran = document.steps.iter().filter(|s| match s.verdict {
                "executed" => true,
                verdict => verdict == "maybe" && !sure,
            });
            // The sum of nothing would be -0.
            ran.fold(0.0, |sum, s| sum + s.cost_s)
        };
        (document.work_s, document.work_s_min) = (of(false), of(true));
    }
    let titles = Titles {
        between: shape.between.clone(),
        color: shape.output.is_none() && output::color_stdout(cli),
        width: output::width(),
    };
    let bytes = match shape.format {
        ExplainFormat::Json => output::json(&document)?,
        ExplainFormat::Text => text(&document, &titles).into_bytes(),
        ExplainFormat::Markdown => markdown(&document, &titles).into_bytes(),
    };
    output::write(shape.output.map(PathBuf::as_path), &bytes)?;
    Ok(Done::Fine)
}

/// The document without the names of the two builds and the commits behind files.
#[must_use]
pub fn document(place: &Place, subject: &Subject, pair: &Pair, costs: &CostTable) -> Explanation {
    let build = &pair.replayed.outcome.builds[1];
    let plan = &pair.replayed.plans[0];
    let id = |at: usize| plan.graph[plan.order[at]].id.to_string();
    let ignore_file = subject.ignore_file.as_deref().map(|f| place.shown(f));
    let path = |f: &FileChange| PathRow {
        path: display(&f.path),
        change: f.change.as_str(),
        commit: None,
        source: f.source.clone(),
        rule: f.rule.as_ref().map(|r| RuleRow {
            file: ignore_file.clone().unwrap_or_default(),
            line: r.line,
            text: r.text.clone(),
        }),
    };
    let steps = pair.steps.iter().map(|s| {
        let step = &plan.graph[plan.order[s.step]];
        let cost = costs.of(step);
        let cause = s.why.as_ref().map(|why| CauseRow {
            kind: why.kind.as_str(),
            detail: why.detail.clone(),
            paths: why.files.iter().take(PATHS).map(path).collect(),
            more: why.files.len().saturating_sub(PATHS),
        });
        StepWhy {
            id: step.id.to_string(),
            name: step.name.clone(),
            line: step.line,
            verdict: verdict(s.verdict),
            cause,
            because_of: s.why.as_ref().and_then(|w| w.because_of).map(id),
            cost_s: cost.seconds,
            cost_source: cost.source.as_str(),
            log: None,
        }
    });
    let cost = &pair.replayed.costs[1];
    Explanation {
        schema: "cacheplan.explain/1",
        file: subject.file.clone(),
        target: subject.options.target.clone(),
        from: String::new(),
        to: String::new(),
        cold: pair.cold.clone(),
        fails: build.fails.as_ref().map(|f| Fails {
            step: Some(id(f.step)),
            message: f.message.clone(),
        }),
        steps: steps.collect(),
        work_s: cost.work_s,
        work_s_min: cost.work_s_min,
        without_effect: Vec::new(),
        log: None,
    }
}

/// A verdict in JSON.
#[must_use]
pub fn verdict(v: Verdict) -> &'static str {
    match v {
        Verdict::Executed => "executed",
        Verdict::Cached => "cached",
        Verdict::Maybe => "maybe",
    }
}

/// Fills in which commit changed each file last.
fn commits(ends: &Ends, pair: &Pair, document: &mut Explanation) -> Result<()> {
    let repository = ends.place.repository()?;
    let files = || {
        let steps = pair.steps.iter().zip(&document.steps);
        steps.flat_map(|(s, row)| {
            let shown = row.cause.as_ref().map_or(0, |c| c.paths.len());
            let files = s.why.iter().flat_map(|w| &w.files);
            files.take(shown).map(|f| f.path.clone())
        })
    };
    let mut paths: Vec<Vec<u8>> = files().filter(|p| p != b".git").collect();
    paths.sort_unstable();
    paths.dedup();
    let tip = match ends.to == WORK_TREE {
        true => repository.head()?,
        false => ends.to,
    };
    let touched = repository.last_touched(ends.from, tip, &paths)?;
    let mut names: FxHashMap<String, String> = FxHashMap::default();
    let here = uncommitted(ends, &paths, tip)?;
    for ((path, commit), uncommitted) in paths.iter().zip(touched).zip(here) {
        let name = match (uncommitted, commit) {
            (true, _) => worktree::NAME.to_owned(),
            (false, Some(commit)) => commit.to_string(),
            (false, None) => continue,
        };
        names.insert(display(path), name);
    }
    for row in document.steps.iter_mut().filter_map(|s| s.cause.as_mut()) {
        for path in &mut row.paths {
            path.commit = names.get(&path.path).cloned();
        }
    }
    Ok(())
}

/// Of each path, whether the work tree differs from HEAD there.
fn uncommitted(ends: &Ends, paths: &[Vec<u8>], head: CommitId) -> Result<Vec<bool>> {
    if ends.to != WORK_TREE {
        return Ok(vec![false; paths.len()]);
    }
    let repository = ends.place.repository()?;
    let mut links = FxHashMap::default();
    let committed = scenario::commit_files(repository, head, paths, &mut links)?;
    Ok(paths
        .iter()
        .map(|p| ends.files.get(p) != committed.get(p))
        .collect())
}

/// Compares a real build's output with the prediction.
fn read_log(cli: &Cli, file: &Path, pair: &Pair, document: &mut Explanation) -> Result<()> {
    let (shown, mut logs) = log_file::read(cli, file)?;
    if logs.len() > 1 {
        let count = logs.len();
        output::note(
            cli,
            &format!("note: {shown} holds {count} builds; the last one is looked at"),
        );
    }
    let log = logs.pop().context("there is no build in it")?;
    let plan = &pair.replayed.plans[0];
    let mut summary = LogSummary {
        format: log.format.as_str(),
        agree: 0,
        should_have_hit: Vec::new(),
        disagree: Vec::new(),
        missing: Vec::new(),
        lost_s: 0.0,
        verdict: String::new(),
    };
    for (at, row) in document.steps.iter_mut().enumerate() {
        let step = &plan.graph[plan.order[at]];
        // The builder's word on FROM says nothing: an image it has is looked at in every build.
        if step.kind == crate::plan::StepKind::From {
            continue;
        }
        let found = log.find(&row.name);
        let judged = judge(row.verdict, found.map(|f| f.seen));
        match judged {
            "agrees" => summary.agree += 1,
            "should-have-hit" => {
                summary.should_have_hit.push(row.id.clone());
                summary.lost_s += found.and_then(|f| f.seconds).unwrap_or_default();
            }
            "disagrees" => summary.disagree.push(row.id.clone()),
            _ if found.is_none() => summary.missing.push(row.id.clone()),
            _ => {}
        }
        row.log = Some(LogRow {
            seen: found.map_or("missing", |f| f.seen.as_str()),
            verdict: judged,
            seconds: found.and_then(|f| f.seconds),
        });
    }
    if summary.agree == 0 && summary.should_have_hit.is_empty() && summary.disagree.is_empty() {
        bail!("{shown}: no step of {} is in this log", document.file);
    }
    summary.verdict = log_verdict(&log, &summary);
    document.log = Some(summary);
    Ok(())
}

fn judge(predicted: &str, seen: Option<Seen>) -> &'static str {
    let Some(seen) = seen else {
        return "unknown";
    };
    match (predicted, seen) {
        (_, Seen::NotStarted | Seen::Canceled) => "unknown",
        ("maybe", _) => "decided",
        ("cached", Seen::Cached) | ("executed", Seen::Ran | Seen::Failed) => "agrees",
        ("cached", _) => "should-have-hit",
        _ => "disagrees",
    }
}

fn log_verdict(log: &Log, s: &LogSummary) -> String {
    let mut said = Vec::new();
    if !s.should_have_hit.is_empty() {
        let lost = crate::report::number::seconds(s.lost_s);
        let n = count(s.should_have_hit.len(), "step");
        said.push(format!(
            "{n} ran that should have hit, {lost}: the cache that build used did not hold what the build of --from left"
        ));
    }
    if !s.disagree.is_empty() {
        let n = count(s.disagree.len(), "step");
        said.push(format!(
            "{n} cached although the prediction is that they run"
        ));
    }
    if said.is_empty() {
        said.push("nothing to explain, the build did what was predicted".to_owned());
    }
    if !s.missing.is_empty() {
        said.push(format!("{} not in the log", count(s.missing.len(), "step")));
    }
    if log.error.is_some() {
        said.push("the build failed".to_owned());
    }
    format!("The log ({}): {}.", s.format, said.join("; "))
}
