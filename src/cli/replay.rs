//! `cacheplan replay`: every build, step by step.

use super::args::{Cli, DockerfileFrom, HistoryFlags, ReplayArgs, ReplayFormat};
use super::progress::phase;
use super::subject::{Place, load_replayed, only};
use super::timeline::{Builds, Replayed, read_builds, replay_subject};
use super::{Done, analyze, history_notes, output, worktree};
use crate::cost::CostTable;
use crate::history::PathId;
use crate::plan::Plan;
use crate::report::escape;
use crate::simulate::{BuildOutcome, Cause, Verdict};
use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

/// Most paths listed per cause.
const PATHS: usize = 20;

pub fn run(cli: &Cli, args: &ReplayArgs) -> Result<Done> {
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    place.repository()?;
    let costs = analyze::costs(&place, &args.history)?;
    let subject = only(load_replayed(&place, &args.place.build, &args.history)?)?;
    output::diagnostics(cli, &subject.diagnostics);
    // With `each` a broken file of today is one refused build, no more.
    if subject.failed() && args.history.dockerfile_from == DockerfileFrom::Frozen {
        return Ok(Done::WrongInput);
    }
    let history = HistoryFlags {
        worktree: args.worktree,
        ..args.history.clone()
    };
    let builds = read_builds(cli, &place, &history, &[&subject])?;
    output::diagnostics(cli, &history_notes::about(&builds, &[&subject]));
    let busy = phase(cli, "replaying");
    let replayed = replay_subject(&place, &history, &builds, &subject, &costs)?;
    drop(busy);
    let frozen = args.history.dockerfile_from == DockerfileFrom::Frozen;
    if let Some(refused) = history_notes::of_refusals(&replayed.outcome, frozen) {
        output::diagnostics(cli, &[(subject.source.clone(), refused)]);
    }
    let text = match args.format {
        ReplayFormat::Json => lines(args, &builds, &replayed, &costs)?,
        ReplayFormat::Text => table(&builds, &replayed).into_bytes(),
    };
    output::write(args.output.as_deref(), &text)?;
    // The process ends: taking long histories apart is time that nobody gains by.
    std::mem::forget((text, builds, replayed));
    Ok(Done::Fine)
}

fn steps(plan: &Plan, costs: &CostTable) -> Vec<Value> {
    let one = |n: &petgraph::graph::NodeIndex| {
        let s = &plan.graph[*n];
        let cost = costs.of(s);
        json!({
            "id": s.id.to_string(), "name": s.name, "stage": s.id.stage, "instruction": s.kind.keyword(), "line": s.line,
            "cost_s": cost.seconds, "cost_source": cost.source.as_str(),
        })
    };
    plan.order.iter().map(one).collect()
}

fn lines(
    args: &ReplayArgs,
    builds: &Builds,
    replayed: &Replayed,
    costs: &CostTable,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let first = replayed
        .outcome
        .builds
        .iter()
        .find_map(|b| b.plan)
        .unwrap_or(0);
    let walk = match args.history.walk {
        super::args::WalkArg::FirstParent => "first-parent",
        super::args::WalkArg::All => "all",
    };
    let head = json!({
        "schema": "cacheplan.replay/1", "steps": steps(&replayed.plans[first], costs),
        "policy": args.history.cache_policy.to_string(), "walk": walk,
    });
    writeln!(out, "{head}")?;
    let files: Vec<Written> = replayed.plans.iter().map(Written::new).collect();
    let all = &replayed.outcome.builds;
    let plans: Vec<usize> = shown(first, all);
    let line = |i: usize| -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let commit = worktree::name(builds.log.commits[i].id);
        let Some(p) = all[i].plan else {
            let line = json!({"commit": commit, "skipped": "no Dockerfile"});
            writeln!(out, "{line}")?;
            return Ok(out);
        };
        let before = i.checked_sub(1).map_or(first, |i| plans[i]);
        if p != before {
            let line = json!({"steps": steps(&replayed.plans[p], costs)});
            writeln!(out, "{line}")?;
        }
        write(&mut out, &commit, &files[p], builds, replayed, i)?;
        Ok(out)
    };
    // Lines do not depend on each other, and paths of large changes take time to spell out.
    let lines: Vec<Result<Vec<u8>>> = (0..all.len()).into_par_iter().map(line).collect();
    for line in lines {
        out.append(&mut line?);
    }
    Ok(out)
}

/// The plan whose steps were listed last, after each build.
fn shown(first: usize, all: &[BuildOutcome]) -> Vec<usize> {
    let mut shown = first;
    let mut after = |b: &BuildOutcome| {
        shown = b.plan.unwrap_or(shown);
        shown
    };
    all.iter().map(&mut after).collect()
}

/// What the lines of a plan's builds have in common.
struct Written<'a> {
    /// Names of the steps by position.
    ids: Vec<String>,
    /// Why the builder refuses the file.
    refused: Option<&'a str>,
}

impl<'a> Written<'a> {
    fn new(plan: &'a Plan) -> Self {
        let ids = plan.order.iter().map(|n| plan.graph[*n].id.to_string());
        let refused = plan.diagnostics.iter().find(|d| d.is_error());
        Self {
            ids: ids.collect(),
            refused: refused.map(|d| d.message.as_str()),
        }
    }
}

/// One build. Fields are in the order of their names, as everywhere in this output.
#[derive(Serialize)]
struct Line<'a> {
    cached: Vec<&'a str>,
    causes: Vec<CauseRow<'a>>,
    commit: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical_path_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical_path_s_min: Option<f64>,
    executed: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fails: Option<Fails<'a>>,
    maybe: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    work_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    work_s_min: Option<f64>,
}

#[derive(Serialize)]
struct CauseRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    because_of: Option<&'a str>,
    kind: &'a str,
    more: usize,
    paths: Vec<String>,
    step: &'a str,
}

#[derive(Serialize)]
struct Fails<'a> {
    message: &'a str,
    step: Option<&'a str>,
}

fn write(
    out: &mut Vec<u8>,
    commit: &str,
    file: &Written<'_>,
    builds: &Builds,
    replayed: &Replayed,
    i: usize,
) -> Result<()> {
    let build = &replayed.outcome.builds[i];
    let refused = |message| Fails {
        message,
        step: None,
    };
    let cost = Some(&replayed.costs[i]).filter(|_| file.refused.is_none());
    let id = |position: usize| file.ids[position].as_str();
    let with = |v: Verdict| -> Vec<&str> {
        let positions = build.verdicts.iter().enumerate();
        let same = positions.filter(|(_, verdict)| **verdict == v);
        same.map(|(p, _)| id(p)).collect()
    };
    let cause = |c: &Cause| {
        let (paths, more) = paths(c, builds);
        CauseRow {
            because_of: c.because_of.map(id),
            kind: c.kind.as_str(),
            more,
            paths,
            step: id(c.step),
        }
    };
    let fails = build.fails.as_ref().map(|f| Fails {
        message: &f.message,
        step: file.ids.get(f.step).map(String::as_str),
    });
    let line = Line {
        cached: with(Verdict::Cached),
        causes: build.causes.iter().map(cause).collect(),
        commit,
        critical_path_s: cost.map(|c| c.critical_path_s),
        critical_path_s_min: cost.map(|c| c.critical_path_s_min),
        executed: with(Verdict::Executed),
        fails: file.refused.map(refused).or(fails),
        maybe: with(Verdict::Maybe),
        work_s: cost.map(|c| c.work_s),
        work_s_min: cost.map(|c| c.work_s_min),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}

/// The first changed paths behind a cause, sorted as they are shown, and how many more there are.
fn paths(cause: &Cause, builds: &Builds) -> (Vec<String>, usize) {
    let shown = |p: &PathId| crate::pattern::display(&builds.log.paths.bytes(*p));
    let mut paths: Vec<String> = cause.paths.iter().map(shown).collect();
    if cause.git {
        paths.push(".git".to_owned());
    }
    let more = paths.len().saturating_sub(PATHS);
    if more > 0 {
        paths.select_nth_unstable(PATHS);
        paths.truncate(PATHS);
    }
    paths.sort_unstable();
    (paths, more)
}

/// One line a build: commit, a mark per step, seconds, subject.
fn table(builds: &Builds, replayed: &Replayed) -> String {
    let mut out = String::from("# executed, . cached, ? maybe; one mark a step in build order\n");
    for (i, build) in replayed.outcome.builds.iter().enumerate() {
        let commit = &builds.log.commits[i];
        let marks: String = build
            .verdicts
            .iter()
            .map(|v| match v {
                Verdict::Executed => '#',
                Verdict::Cached => '.',
                Verdict::Maybe => '?',
            })
            .collect();
        let short: String = worktree::name(commit.id).chars().take(10).collect();
        let what = match (&build.fails, build.plan) {
            (_, None) => "skipped: no Dockerfile".to_owned(),
            (Some(f), _) => format!("refused: {}", f.message),
            _ => format!("{:8.1} s", replayed.costs[i].work_s),
        };
        let _ = writeln!(
            out,
            "{short} {marks} {}  {}",
            escape::terminal(&what),
            escape::terminal(&commit.summary)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines read as maps and written again are the same: fields stand in the order of their names.
    #[test]
    fn lines_are_as_maps_would_be_written() {
        let cause = CauseRow {
            because_of: Some("0.1"),
            kind: "parent",
            more: 0,
            paths: vec!["é \"q\"\n".to_owned()],
            step: "1.0",
        };
        let line = |cost: Option<f64>, fails| Line {
            cached: vec!["0.0"],
            causes: vec![cause_of(&cause)],
            commit: "c",
            critical_path_s: cost,
            critical_path_s_min: cost,
            executed: vec!["1.0"],
            fails,
            maybe: Vec::new(),
            work_s: cost,
            work_s_min: cost,
        };
        let fails = Fails {
            message: "no",
            step: None,
        };
        for line in [line(Some(1.5), None), line(None, Some(fails))] {
            let text = serde_json::to_string(&line).expect("writes");
            let value: Value = serde_json::from_str(&text).expect("reads");
            assert_eq!(value.to_string(), text);
        }
    }

    fn cause_of<'a>(c: &CauseRow<'a>) -> CauseRow<'a> {
        CauseRow {
            paths: c.paths.clone(),
            ..*c
        }
    }
}
