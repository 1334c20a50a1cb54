//! `cacheplan replay`: every build, step by step.

use super::args::{Cli, DockerfileFrom, HistoryFlags, ReplayArgs, ReplayFormat};
use super::subject::{Place, load_replayed, only};
use super::timeline::{Builds, Replayed, read_builds, replay_subject};
use super::{Done, analyze, history_notes, output, worktree};
use crate::cost::CostTable;
use crate::plan::Plan;
use crate::report::escape;
use crate::simulate::{BuildOutcome, Cause, Verdict};
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write as _;

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
    let builds = read_builds(&place, &history, &[&subject])?;
    output::diagnostics(cli, &history_notes::about(&builds, &[&subject]));
    let replayed = replay_subject(&place, &history, &builds, &subject, &costs)?;
    let text = match args.format {
        ReplayFormat::Json => lines(args, &builds, &replayed, &costs)?,
        ReplayFormat::Text => table(&builds, &replayed),
    };
    output::write(args.output.as_deref(), text.as_bytes())?;
    Ok(Done::Fine)
}

fn steps(plan: &Plan, costs: &CostTable) -> Vec<Value> {
    let one = |n: &petgraph::graph::NodeIndex| {
        let s = &plan.graph[*n];
        let cost = costs.step(s.kind.keyword(), &s.text, &s.classes);
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
) -> Result<String> {
    let mut out = String::new();
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
    let mut shown = first;
    for (i, build) in replayed.outcome.builds.iter().enumerate() {
        let commit = worktree::name(builds.log.commits[i].id);
        let Some(p) = build.plan else {
            writeln!(
                out,
                "{}",
                json!({"commit": commit, "skipped": "no Dockerfile"})
            )?;
            continue;
        };
        if p != shown {
            writeln!(
                out,
                "{}",
                json!({"steps": steps(&replayed.plans[p], costs)})
            )?;
            shown = p;
        }
        writeln!(
            out,
            "{}",
            line(&commit, build, &replayed.plans[p], builds, replayed, i)
        )?;
    }
    Ok(out)
}

fn line(
    commit: &str,
    build: &BuildOutcome,
    plan: &Plan,
    builds: &Builds,
    replayed: &Replayed,
    i: usize,
) -> Value {
    let id = |position: usize| plan.graph[plan.order[position]].id.to_string();
    if let Some(d) = plan.diagnostics.iter().find(|d| d.is_error()) {
        return json!({"commit": commit, "executed": [], "cached": [], "maybe": [], "causes": [], "fails": {"step": null, "message": d.message}});
    }
    let with = |v: Verdict| -> Vec<String> {
        (0..build.verdicts.len())
            .filter(|p| build.verdicts[*p] == v)
            .map(id)
            .collect()
    };
    let cause = |c: &Cause| {
        let mut paths: Vec<String> = c
            .paths
            .iter()
            .map(|p| crate::pattern::display(&builds.log.paths.bytes(*p)))
            .collect();
        if c.git {
            paths.push(".git".to_owned());
        }
        paths.sort();
        let more = paths.len().saturating_sub(PATHS);
        paths.truncate(PATHS);
        let mut value =
            json!({"step": id(c.step), "kind": c.kind.as_str(), "paths": paths, "more": more});
        if let Some(b) = c.because_of {
            value["because_of"] = json!(id(b));
        }
        value
    };
    let cost = &replayed.costs[i];
    let mut value = json!({
        "commit": commit, "executed": with(Verdict::Executed), "cached": with(Verdict::Cached), "maybe": with(Verdict::Maybe),
        "causes": build.causes.iter().map(cause).collect::<Vec<_>>(),
        "work_s": cost.work_s, "work_s_min": cost.work_s_min,
        "critical_path_s": cost.critical_path_s, "critical_path_s_min": cost.critical_path_s_min,
    });
    if let Some(f) = &build.fails {
        value["fails"] = json!({"step": id(f.step), "message": f.message});
    }
    value
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
