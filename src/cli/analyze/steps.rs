//! How often each step ran, and what changed most.

use crate::cli::subject::Subject;
use crate::cli::timeline::{Builds, Replayed};
use crate::cost::CostTable;
use crate::history::PathId;
use crate::plan::Plan;
use crate::report::model::{HotPath, StepRow};
use crate::simulate::{CauseKind, Verdict, wilson};
use std::collections::BTreeMap;

/// Most hot paths listed per step.
const HOT_PATHS: usize = 5;

/// The rows of the steps of the newest build's Dockerfile.
pub fn steps(
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
    replayed: &Replayed,
) -> Vec<StepRow> {
    let Some(last) = replayed.outcome.builds.iter().rev().find_map(|b| b.plan) else {
        return Vec::new();
    };
    let plan = &replayed.plans[last];
    let position = |p: &Plan, name: &str| p.order.iter().position(|n| p.graph[*n].name == name);
    let mut rows = Vec::new();
    for node in &plan.order {
        let step = &plan.graph[*node];
        // In the `each` mode an older Dockerfile may have the step elsewhere, or not at all.
        let at: Vec<Option<usize>> = replayed
            .plans
            .iter()
            .map(|p| position(p, &step.name))
            .collect();
        let mut tally = Tally::default();
        for i in replayed.outcome.counted() {
            let build = &replayed.outcome.builds[i];
            if let Some(p) = build.plan.and_then(|p| at[p]) {
                tally.add(build, p, builds, subject);
            }
        }
        let cost = costs.of(step);
        let n = tally.executed + tally.cached + tally.maybe;
        let (lo, hi) = wilson(tally.executed + tally.maybe, n);
        rows.push(StepRow {
            id: step.id.to_string(),
            name: step.name.clone(),
            line: step.line,
            executed: tally.executed,
            cached: tally.cached,
            maybe: tally.maybe,
            rate: if n == 0 {
                0.0
            } else {
                (tally.executed + tally.maybe) as f64 / n as f64
            },
            rate_interval: [lo, hi],
            cost_s: cost.seconds,
            cost_interval: [cost.seconds_low, cost.seconds_high],
            cost_source: cost.source.as_str(),
            direct: tally.direct,
            inherited: tally.inherited,
            hot_paths: tally.hot_paths(),
        });
    }
    rows
}

#[derive(Default)]
struct Tally {
    executed: usize,
    cached: usize,
    maybe: usize,
    direct: usize,
    inherited: usize,
    paths: BTreeMap<String, usize>,
}

impl Tally {
    fn add(
        &mut self,
        build: &crate::simulate::BuildOutcome,
        position: usize,
        builds: &Builds,
        subject: &Subject,
    ) {
        match build.verdicts[position] {
            Verdict::Executed => self.executed += 1,
            Verdict::Cached => self.cached += 1,
            Verdict::Maybe => self.maybe += 1,
        }
        let Some(cause) = build.causes.iter().find(|c| c.step == position) else {
            return;
        };
        if cause.kind == CauseKind::Parent {
            self.inherited += 1;
        } else {
            self.direct += 1;
        }
        let mut seen: Vec<String> = cause
            .paths
            .iter()
            .map(|p| group(builds, subject, *p))
            .collect();
        if cause.git {
            seen.push(".git/".to_owned());
        }
        seen.sort();
        seen.dedup();
        for path in seen {
            *self.paths.entry(path).or_default() += 1;
        }
    }

    fn hot_paths(&self) -> Vec<HotPath> {
        let mut list: Vec<HotPath> = self
            .paths
            .iter()
            .map(|(path, builds)| HotPath {
                path: path.clone(),
                builds: *builds,
            })
            .collect();
        list.sort_by(|a, b| b.builds.cmp(&a.builds).then(a.path.cmp(&b.path)));
        list.truncate(HOT_PATHS);
        list
    }
}

/// A changed file as people look for it: the folder right below the context, or the file itself.
fn group(builds: &Builds, subject: &Subject, path: PathId) -> String {
    let full = builds.log.paths.bytes(path);
    let skip = if subject.context_prefix.is_empty() {
        0
    } else {
        subject.context_prefix.len() + 1
    };
    let cut = full
        .get(skip..)
        .and_then(|r| r.iter().position(|b| *b == b'/'));
    let shown = cut.map_or(&full[..], |i| &full[..=skip + i]);
    crate::pattern::display(shown)
}
