//! What the HTML report shows beside the document: every build of the replay, stages, files of the context.

use super::Searched;
use crate::cli::subject::{Place, Subject};
use crate::cli::timeline::{Builds, Replayed};
use crate::cli::worktree;
use crate::plan::{Base, Depends, Plan};
use crate::report::detail::{
    ContextTree, Detail, DetailBuild, DetailCause, DetailStage, DetailStep, StageEdge, State,
};
use crate::simulate::{BuildOutcome, Cause, Verdict, day};
use std::collections::BTreeSet;

use super::weights;

/// Paths of a cause that are kept, and with how many builds fewer of them.
const PATHS: usize = 5;
const MANY_BUILDS: usize = 1500;
const PATHS_OF_MANY: usize = 3;

/// Gathers it.
pub fn of(
    place: &Place,
    builds: &Builds,
    subject: &Subject,
    replayed: &Replayed,
    searched: &Searched,
) -> Detail {
    let last = replayed.outcome.builds.iter().rev().find_map(|b| b.plan);
    let Some(last) = last else {
        return Detail::default();
    };
    let plan = &replayed.plans[last];
    let to_today: Vec<Vec<Option<usize>>> = replayed
        .plans
        .iter()
        .enumerate()
        .map(|(i, p)| places(p, plan, i == last))
        .collect();
    let gather = Gather {
        builds,
        subject,
        replayed,
        searched,
        to_today: &to_today,
        steps: plan.order.len(),
        cold: replayed.outcome.cold(),
        most_paths: match builds.log.len() > MANY_BUILDS {
            true => PATHS_OF_MANY,
            false => PATHS,
        },
    };
    let of_builds = replayed.outcome.builds.iter().enumerate();
    let context =
        weights::context(place, builds, subject).unwrap_or_else(|_| ContextTree::default());
    Detail {
        dockerfile: String::from_utf8_lossy(subject.source.bytes()).into_owned(),
        steps: steps(plan),
        stages: stages(plan, subject),
        edges: edges(plan),
        target: plan.target,
        builds: of_builds.map(|(i, b)| gather.build(i, b)).collect(),
        context,
        other_files: to_today
            .iter()
            .enumerate()
            .filter(|(_, map)| map.iter().any(Option::is_none))
            .map(|(i, _)| {
                let all = replayed.outcome.builds.iter();
                all.filter(|b| b.plan == Some(i)).count()
            })
            .sum(),
    }
}

/// Where the steps of an older Dockerfile stand in today's; those it has no more are `None`.
fn places(older: &Plan, today: &Plan, same: bool) -> Vec<Option<usize>> {
    let place = |(i, n): (usize, &petgraph::graph::NodeIndex)| {
        if same {
            return Some(i);
        }
        let name = &older.graph[*n].name;
        today
            .order
            .iter()
            .position(|t| today.graph[*t].name == *name)
    };
    older.order.iter().enumerate().map(place).collect()
}

/// The steps of today.
fn steps(plan: &Plan) -> Vec<DetailStep> {
    let one = |n: &petgraph::graph::NodeIndex| {
        let s = &plan.graph[*n];
        DetailStep {
            stage: usize::from(s.id.stage),
            keyword: s.kind.keyword(),
            line: s.line,
            end_line: s.end_line,
        }
    };
    plan.order.iter().map(one).collect()
}

fn stages(plan: &Plan, subject: &Subject) -> Vec<DetailStage> {
    let one = |s: &crate::plan::Stage| {
        let from = subject.parsed.tree.instructions().get(s.from);
        DetailStage {
            name: s.name.clone(),
            image: match &s.base {
                Base::Image(name) | Base::Context(name) => Some(name.clone()),
                Base::Scratch => Some("scratch".to_owned()),
                Base::Stage(_) => None,
            },
            line: from.map_or(1, |i| subject.source.line(i.span.start)),
            reachable: s.reachable,
        }
    };
    plan.stages.iter().map(one).collect()
}

fn edges(plan: &Plan) -> Vec<StageEdge> {
    let mut out: BTreeSet<StageEdge> = BTreeSet::new();
    for (to, stage) in plan.stages.iter().enumerate() {
        if let Base::Stage(from) = stage.base {
            let base = true;
            out.insert(StageEdge { from, to, base });
        }
    }
    for edge in plan.graph.edge_indices() {
        let (Some((a, b)), Some(Depends::Content)) = (
            plan.graph.edge_endpoints(edge),
            plan.graph.edge_weight(edge),
        ) else {
            continue;
        };
        let stage = |n: petgraph::graph::NodeIndex| usize::from(plan.graph[n].id.stage);
        let (from, to) = (stage(a), stage(b));
        if from != to {
            let base = false;
            out.insert(StageEdge { from, to, base });
        }
    }
    out.into_iter().collect()
}

struct Gather<'a> {
    builds: &'a Builds,
    subject: &'a Subject,
    replayed: &'a Replayed,
    searched: &'a Searched,
    to_today: &'a [Vec<Option<usize>>],
    steps: usize,
    cold: Option<usize>,
    most_paths: usize,
}

impl Gather<'_> {
    fn build(&self, i: usize, build: &BuildOutcome) -> DetailBuild {
        let commit = &self.builds.log.commits[i];
        let state = match (&build.fails, build.plan) {
            (_, None) => State::Skipped,
            (Some(f), _) => State::Refused(f.message.clone()),
            _ if self.cold == Some(i) => State::Cold,
            _ => State::Counted,
        };
        let mut verdicts: Vec<Option<Verdict>> = vec![None; self.steps];
        let mut causes = Vec::new();
        let runs = matches!(state, State::Counted | State::Cold);
        if let Some(map) = build.plan.map(|p| &self.to_today[p]).filter(|_| runs) {
            for (at, verdict) in map.iter().zip(&build.verdicts) {
                if let Some(at) = at {
                    verdicts[*at] = Some(*verdict);
                }
            }
            // Everything runs in the first build, for one reason.
            if state == State::Counted {
                causes = build
                    .causes
                    .iter()
                    .filter_map(|c| self.cause(c, map))
                    .collect();
            }
        }
        DetailBuild {
            commit: worktree::name(commit.id),
            date: day(commit.seconds).unwrap_or_default(),
            summary: commit.summary.clone(),
            state,
            verdicts,
            causes,
            work_s: self.replayed.costs[i].work_s,
            plan_s: self.plan_s(i),
        }
    }

    fn plan_s(&self, i: usize) -> Option<f64> {
        let plan = &self.searched.best()?.evaluated;
        let build = &plan.outcome.builds[i];
        (build.plan.is_some() && build.fails.is_none()).then(|| plan.costs[i].work_s)
    }

    fn cause(&self, c: &Cause, map: &[Option<usize>]) -> Option<DetailCause> {
        let shown = |p: &crate::history::PathId| {
            let full = self.builds.log.paths.bytes(*p);
            let below = self.subject.in_context(&full).unwrap_or(&full);
            crate::pattern::display(below)
        };
        let mut paths: Vec<String> = c.paths.iter().take(self.most_paths).map(shown).collect();
        if c.git {
            paths.insert(0, ".git".to_owned());
        }
        paths.truncate(self.most_paths);
        Some(DetailCause {
            step: map[c.step]?,
            kind: c.kind.as_str(),
            more: c.paths.len() + usize::from(c.git) - paths.len(),
            paths,
            because_of: c.because_of.and_then(|b| map[b]),
        })
    }
}
