//! The builds in which two variants differ, and the steps that make the difference.

use super::SAME_S;
use crate::cli::timeline::{Builds, Replayed};
use crate::cli::worktree;
use crate::cost::CostTable;
use crate::optimize::{step_seconds, warm_seconds};
use crate::report::comparison::{DifferenceRow, StepDifference};
use crate::report::wording::stage_and_instruction;
use crate::simulate::Verdict;
use std::collections::BTreeMap;

/// Rows of a pair; further ones are counted.
const MOST_ROWS: usize = 100;

/// A replay with the seconds of its steps.
pub struct Ran<'a> {
    pub replayed: &'a Replayed,
    cold: Vec<Vec<f64>>,
    warm: Vec<Vec<f64>>,
    sources: Vec<Vec<&'static str>>,
}

/// What an instruction costs in one build; equal instructions of several stages are one.
#[derive(Clone, Default)]
struct Spent {
    first: Option<String>,
    seconds: f64,
    source: &'static str,
    maybe: bool,
}

impl<'a> Ran<'a> {
    /// Looks the seconds up.
    pub fn new(replayed: &'a Replayed, costs: &CostTable) -> Self {
        let plans = &replayed.plans;
        let source = |p: &crate::plan::Plan| {
            let steps = p.order.iter().map(|n| &p.graph[*n]);
            steps.map(|s| costs.of(s).source.as_str()).collect()
        };
        Self {
            replayed,
            cold: plans.iter().map(|p| step_seconds(p, costs)).collect(),
            warm: plans.iter().map(|p| warm_seconds(p, costs)).collect(),
            sources: plans.iter().map(source).collect(),
        }
    }

    /// What ran in a build, by instruction.
    fn spent(&self, build: usize) -> BTreeMap<&str, Spent> {
        let outcome = &self.replayed.outcome.builds[build];
        let mut out: BTreeMap<&str, Spent> = BTreeMap::new();
        let Some(p) = outcome.plan else {
            return out;
        };
        let plan = &self.replayed.plans[p];
        for (i, (node, verdict)) in plan.order.iter().zip(&outcome.verdicts).enumerate() {
            if *verdict == Verdict::Cached || !outcome.is_first(i) {
                continue;
            }
            let step = &plan.graph[*node];
            let spent = out.entry(stage_and_instruction(&step.name).1).or_default();
            spent.first.get_or_insert_with(|| step.id.to_string());
            spent.seconds += outcome.takes(i, &self.cold[p], &self.warm[p]);
            spent.source = self.sources[p][i];
            spent.maybe |= *verdict == Verdict::Maybe;
        }
        out
    }
}

/// Instructions that cost two variants differently in a build, what differs most first.
fn steps([a, b]: [&Ran<'_>; 2], build: usize) -> Vec<StepDifference> {
    let (mut a, mut b) = (a.spent(build), b.spent(build));
    let mut texts: Vec<&str> = a.keys().chain(b.keys()).copied().collect();
    texts.sort_unstable();
    texts.dedup();
    let one = |text: &str| {
        let (x, y) = (
            a.remove(text).unwrap_or_default(),
            b.remove(text).unwrap_or_default(),
        );
        StepDifference {
            text: text.to_owned(),
            cost_source: if x.first.is_some() {
                x.source
            } else {
                y.source
            },
            a_step: x.first,
            b_step: y.first,
            a_s: x.seconds,
            b_s: y.seconds,
            maybe: x.maybe || y.maybe,
        }
    };
    let all = texts.into_iter().map(one);
    let mut out: Vec<StepDifference> = all.filter(|s| size(s) > SAME_S).collect();
    out.sort_by(|x, y| size(y).total_cmp(&size(x)));
    out
}

fn size(s: &StepDifference) -> f64 {
    (s.a_s - s.b_s).abs()
}

/// What makes two builds alike: the same instructions with the same seconds and doubts.
type Kind = Vec<(String, u64, u64, bool)>;

fn kind(steps: &[StepDifference]) -> Kind {
    let one = |s: &StepDifference| (s.text.clone(), s.a_s.to_bits(), s.b_s.to_bits(), s.maybe);
    steps.iter().map(one).collect()
}

/// The builds that differ, those alike in one row; and how many are in no row.
pub fn differing(
    ran: [&Ran<'_>; 2],
    builds: &Builds,
    shared: &[usize],
) -> (Vec<DifferenceRow>, usize) {
    let work = |r: &Ran<'_>, build: usize| r.replayed.costs[build].work_s;
    let mut by_kind: BTreeMap<Kind, (Vec<usize>, Vec<StepDifference>)> = BTreeMap::new();
    // Newest first.
    for build in shared.iter().rev().copied() {
        if (work(ran[0], build) - work(ran[1], build)).abs() <= SAME_S {
            continue;
        }
        let steps = steps(ran, build);
        let entry = by_kind.entry(kind(&steps));
        entry.or_insert_with(|| (Vec::new(), steps)).0.push(build);
    }
    let row = |(alike, steps): (Vec<usize>, Vec<StepDifference>)| {
        let newest = alike[0];
        let commit = |b: &usize| worktree::name(builds.log.commits[*b].id);
        let row = DifferenceRow {
            commit: commit(&newest),
            summary: builds.log.commits[newest].summary.clone(),
            a_s: work(ran[0], newest),
            b_s: work(ran[1], newest),
            builds: alike.len(),
            commits: alike.iter().map(commit).collect(),
            steps,
        };
        (newest, row)
    };
    let mut rows: Vec<(usize, DifferenceRow)> = by_kind.into_values().map(row).collect();
    let all = |d: &DifferenceRow| (d.a_s - d.b_s).abs() * d.builds as f64;
    rows.sort_by(|(i, x), (j, y)| all(y).total_cmp(&all(x)).then(j.cmp(i)));
    let left_out = rows.iter().skip(MOST_ROWS).map(|(_, r)| r.builds).sum();
    rows.truncate(MOST_ROWS);
    (rows.into_iter().map(|(_, row)| row).collect(), left_out)
}
