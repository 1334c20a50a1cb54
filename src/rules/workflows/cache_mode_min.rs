//! A cache of the final stage alone, though what takes long is in other stages.

use super::facts::{Build, Item};
use super::{ci, dear_steps, dockerfiles_of, plan, shown};
use crate::diagnostic::Severity;
use crate::plan::{Base, Input, Plan, Step};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Project, Rule};
use petgraph::graph::NodeIndex;
use petgraph::visit::Dfs;

/// `cache-mode-min`.
pub static RULE: Rule = Rule {
    name: "cache-mode-min",
    severity: Severity::Warning,
    summary: "a cache is written without `mode=max`, so it has no layers of the stages that take long",
    also: &[],
    check: Check::Project(check),
};

/// Kinds that have the mode; `inline` has none.
const KINDS: [&str; 5] = ["gha", "registry", "local", "s3", "azblob"];

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let ci = ci(project);
    for build in ci.builds.iter().filter(|b| !b.opaque) {
        for item in &build.cache_to {
            let kind = item.cache_type();
            // A bare reference is not a cache that is written.
            let typed = item.attribute("type").is_some() && KINDS.contains(&kind);
            if !typed || item.value.contains("mode=") || item.value.ends_with('\\') {
                continue;
            }
            if let Some(lost) = lost(project, build) {
                tell(&ci.job(build).file, item, kind, &lost, out);
            }
        }
    }
}

/// What the cache does not have.
struct Lost {
    stage: String,
    step: String,
    others: usize,
}

fn lost(project: &Project<'_>, build: &Build) -> Option<Lost> {
    if build.target.as_deref().is_some_and(super::facts::is_open) {
        return None;
    }
    let files = dockerfiles_of(project, build);
    files.into_iter().find_map(|file| {
        let plan = plan(file, build.target.as_deref());
        let kept = chain(&plan);
        let is_lost = |s: &Step| !kept.contains(&(s.id.stage as usize));
        let dear = dear_steps(&plan).into_iter().filter(|(s, _)| is_lost(s));
        let again: Vec<(&Step, f64)> = dear.filter(|(s, _)| wakes(&plan, s, &is_lost)).collect();
        let (first, _) = again.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let stage = &plan.stages[first.id.stage as usize];
        Some(Lost {
            stage: stage
                .name
                .clone()
                .unwrap_or_else(|| first.id.stage.to_string()),
            step: shown(first),
            others: again.len() - 1,
        })
    })
}

/// The target and what it starts from.
fn chain(plan: &Plan) -> Vec<usize> {
    let mut out = vec![plan.target];
    while let Some(Base::Stage(below)) = out
        .last()
        .and_then(|s| plan.stages.get(*s))
        .map(|s| &s.base)
    {
        if out.contains(below) {
            break;
        }
        out.push(*below);
    }
    out
}

/// Whether a file of the context comes in behind a step: then it runs again though nothing of its own has changed.
fn wakes(plan: &Plan, step: &Step, is_lost: &dyn Fn(&Step) -> bool) -> bool {
    let own = plan
        .order
        .iter()
        .copied()
        .find(|n| plan.graph[*n].id == step.id);
    let Some(own) = own else { return false };
    let takes = |n: NodeIndex| {
        let s = &plan.graph[n];
        n != own && is_lost(s) && s.inputs.iter().any(|i| matches!(i, Input::Context(_)))
    };
    let mut walk = Dfs::new(&plan.graph, own);
    while let Some(n) = walk.next(&plan.graph) {
        if takes(n) {
            return true;
        }
    }
    false
}

fn tell(file: &str, item: &Item, kind: &str, lost: &Lost, out: &mut Findings<'_>) {
    let others = match lost.others {
        0 => String::new(),
        1 => " and 1 other step".to_owned(),
        n => format!(" and {n} other steps"),
    };
    let runs = if lost.others == 0 { "runs" } else { "run" };
    let message = format!(
        "`type={kind}` without `mode=max` keeps no layer of stage `{}`: `{}`{others} {runs} again whenever a file changes that is copied behind it",
        lost.stage, lost.step
    );
    let found = out.at(item.span, message).in_file(file);
    found.help("add `mode=max`, which keeps the layers of all stages");
    if item.span.len() == item.text.len() {
        found.fix(
            Safety::Assumed,
            vec![FileEdit::insert(item.span.end, ",mode=max")],
        );
    }
}
