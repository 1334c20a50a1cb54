//! How often each step ran, and what changed most.

use crate::cli::subject::Subject;
use crate::cli::timeline::{Builds, Replayed};
use crate::cost::CostTable;
use crate::history::PathId;
use crate::optimize::{step_seconds, warm_seconds};
use crate::plan::Plan;
use crate::report::model::{HotPath, RootRow, StepRow};
use crate::simulate::{BuildOutcome, CauseKind, Verdict, wilson};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Most hot paths listed per step.
const HOT_PATHS: usize = 5;

/// The rows of the steps of the newest build's Dockerfile, over the builds that are named.
pub fn steps(
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
    replayed: &Replayed,
    counted: &[usize],
) -> Vec<StepRow> {
    let Some(last) = replayed.outcome.builds.iter().rev().find_map(|b| b.plan) else {
        return Vec::new();
    };
    let plan = &replayed.plans[last];
    let position = |p: &Plan, name: &str| p.order.iter().position(|n| p.graph[*n].name == name);
    let mut rows = Vec::new();
    let roots = Roots::of(plan, costs, replayed, counted);
    for (row, node) in plan.order.iter().enumerate() {
        let step = &plan.graph[*node];
        // In the `each` mode an older Dockerfile may have the step elsewhere, or not at all.
        let at: Vec<Option<usize>> = replayed
            .plans
            .iter()
            .map(|p| position(p, &step.name))
            .collect();
        let mut tally = Tally::default();
        for &i in counted {
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
            run_s: match roots.runs[row] {
                (_, 0) => cost.seconds,
                (sum, runs) => sum / runs as f64,
            },
            work_s_per_build: roots.per_build(roots.own[row]),
            caused_s_per_build: roots.per_build(roots.caused[row]),
            roots: roots.of_step(plan, row),
            hot_paths: tally.hot_paths(),
        });
    }
    rows
}

/// Roots shown for a step.
const ROOTS: usize = 5;

/// Which steps' own changes made which steps run, by positions in the newest plan's order.
struct Roots {
    /// Builds and their seconds, by step that ran and step that made it run.
    pairs: FxHashMap<(usize, usize), (usize, f64)>,
    /// Seconds in all builds, by step that ran.
    own: Vec<f64>,
    /// Seconds of all its runs, and how many, by step that ran, those that it shares with another included.
    runs: Vec<(f64, usize)>,
    /// Seconds in all builds, by step that made others run.
    caused: Vec<f64>,
    counted: usize,
}

impl Roots {
    fn of(plan: &Plan, costs: &CostTable, replayed: &Replayed, counted: &[usize]) -> Self {
        let names = plan.order.iter().enumerate();
        let names: FxHashMap<&str, usize> = names
            .map(|(i, n)| (plan.graph[*n].name.as_str(), i))
            .collect();
        let rows = |p: &Plan| -> Vec<Option<usize>> {
            let names = p.order.iter().map(|n| names.get(p.graph[*n].name.as_str()));
            names.map(Option::<&usize>::copied).collect()
        };
        let rows: Vec<Vec<Option<usize>>> = replayed.plans.iter().map(rows).collect();
        let cost = |p: &Plan| (step_seconds(p, costs), warm_seconds(p, costs));
        let cost: Vec<_> = replayed.plans.iter().map(cost).collect();
        let mut out = Self {
            pairs: FxHashMap::default(),
            own: vec![0.0; plan.order.len()],
            runs: vec![(0.0, 0); plan.order.len()],
            caused: vec![0.0; plan.order.len()],
            counted: 0,
        };
        for &i in counted {
            let build = &replayed.outcome.builds[i];
            let Some((rows, (cold, warm))) = build.plan.map(|p| (&rows[p], &cost[p])) else {
                continue;
            };
            out.counted += 1;
            for cause in &build.causes {
                let takes = build.takes(cause.step, cold, warm);
                // Steps that are one vertex to the builder cost once.
                let seconds = match build.is_first(cause.step) {
                    true => takes,
                    false => 0.0,
                };
                let Some(step) = rows[cause.step] else {
                    continue;
                };
                out.own[step] += seconds;
                let ran = &mut out.runs[step];
                *ran = (ran.0 + takes, ran.1 + 1);
                if let Some(root) = build.root(cause.step).and_then(|r| rows[r.step]) {
                    let pair = out.pairs.entry((step, root)).or_default();
                    pair.0 += 1;
                    pair.1 += seconds;
                    out.caused[root] += seconds;
                }
            }
        }
        out
    }

    fn per_build(&self, seconds: f64) -> f64 {
        seconds / self.counted.max(1) as f64
    }

    fn of_step(&self, plan: &Plan, row: usize) -> Vec<RootRow> {
        let others = self
            .pairs
            .iter()
            .filter(|((s, r), _)| *s == row && *r != row);
        let mut list: Vec<(usize, usize, f64)> =
            others.map(|((_, r), (n, s))| (*n, *r, *s)).collect();
        list.sort_by_key(|(n, r, _)| (std::cmp::Reverse(*n), *r));
        list.truncate(ROOTS);
        let shown = |(builds, r, seconds): (usize, usize, f64)| RootRow {
            step: plan.graph[plan.order[r]].id.to_string(),
            builds,
            work_s_per_build: self.per_build(seconds),
        };
        list.into_iter().map(shown).collect()
    }
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
    fn add(&mut self, build: &BuildOutcome, position: usize, builds: &Builds, subject: &Subject) {
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
