//! Seconds of a replay: per build, and over all builds.

use super::replay::{BuildOutcome, Outcome, PlanModel};
use super::store::Verdict;
use crate::plan::Plan;
use petgraph::Direction;
use petgraph::visit::EdgeRef;

/// Modelled seconds of one build; the `_min` figures count `maybe` as cached.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BuildCost {
    /// Sum over executed steps.
    pub work_s: f64,
    /// The same, `maybe` as cached.
    pub work_s_min: f64,
    /// Longest chain of executed steps.
    pub critical_path_s: f64,
    /// The same, `maybe` as cached.
    pub critical_path_s_min: f64,
}

/// A replay in figures. The oldest build meets an empty cache and is left out of every mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Builds counted: not skipped, not refused, not the first.
    pub builds: usize,
    /// Builds refused.
    pub refused: usize,
    /// Commits without a Dockerfile.
    pub skipped: usize,
    /// Builds counted in which any step ran or might have.
    pub builds_with_any_change: usize,
    /// Mean seconds of work a build.
    pub work_s_per_build: f64,
    /// Mean with `maybe` as cached.
    pub work_s_per_build_min: f64,
    /// Mean critical path a build.
    pub critical_path_s_per_build: f64,
    /// The first build: everything runs.
    pub cold_s: f64,
    /// Cached over all steps, all builds counted.
    pub hit_rate: f64,
}

/// Seconds of every build. `seconds[plan][position]` is what a step costs when it runs, and
/// `warm[plan][position]` what it costs where its cache mounts were filled by an earlier build.
#[must_use]
pub fn build_costs(
    outcome: &Outcome,
    models: &[PlanModel<'_>],
    seconds: &[Vec<f64>],
    warm: &[Vec<f64>],
) -> Vec<BuildCost> {
    let costing = Costing::new(models.iter().map(|m| m.plan), seconds, warm);
    outcome.builds.iter().map(|b| costing.of(b)).collect()
}

/// Seconds of single builds.
#[derive(Clone, Debug)]
pub struct Costing<'a> {
    /// By plan and step: what it waits for.
    before: Vec<Vec<Vec<usize>>>,
    seconds: &'a [Vec<f64>],
    warm: &'a [Vec<f64>],
}

impl<'a> Costing<'a> {
    /// For builds of these plans; `seconds` and `warm` as [`build_costs`] has them.
    #[must_use]
    pub fn new<'p>(
        plans: impl Iterator<Item = &'p Plan>,
        seconds: &'a [Vec<f64>],
        warm: &'a [Vec<f64>],
    ) -> Self {
        Self {
            before: plans.map(predecessors).collect(),
            seconds,
            warm,
        }
    }

    /// Seconds of a build; none of a commit that has no plan.
    ///
    /// # Panics
    /// When the build is of another list of plans.
    #[must_use]
    pub fn of(&self, build: &BuildOutcome) -> BuildCost {
        match build.plan {
            Some(p) => one(build, &self.before[p], &self.seconds[p], &self.warm[p]),
            None => BuildCost::default(),
        }
    }
}

/// For every step in the plan's order, the positions of those that it waits for.
pub(super) fn predecessors(plan: &Plan) -> Vec<Vec<usize>> {
    let position = plan.positions();
    let before = |n| {
        let edges = plan.graph.edges_directed(n, Direction::Incoming);
        edges
            .filter_map(|e| position.get(&e.source()).copied())
            .collect()
    };
    plan.order.iter().map(|n| before(*n)).collect()
}

fn one(build: &BuildOutcome, before: &[Vec<usize>], seconds: &[f64], warm: &[f64]) -> BuildCost {
    let mut cost = BuildCost::default();
    if build.verdicts.iter().all(|v| *v == Verdict::Cached) {
        return cost;
    }
    let mut path = vec![0.0f64; before.len()];
    let mut path_min = vec![0.0f64; before.len()];
    for (i, verdict) in build.verdicts.iter().enumerate() {
        let takes = build.takes(i, seconds, warm);
        let (most, least) = match verdict {
            Verdict::Executed => (takes, takes),
            Verdict::Maybe => (takes, 0.0),
            Verdict::Cached => (0.0, 0.0),
        };
        if build.is_first(i) {
            cost.work_s += most;
            cost.work_s_min += least;
        }
        // Inputs come earlier in the order, so their paths are final.
        let longest = |p: &[f64]| before[i].iter().map(|b| p[*b]).fold(0.0, f64::max);
        path[i] = longest(&path) + most;
        path_min[i] = longest(&path_min) + least;
    }
    cost.critical_path_s = path.iter().copied().fold(0.0, f64::max);
    cost.critical_path_s_min = path_min.iter().copied().fold(0.0, f64::max);
    cost
}

/// Whether a build counts: it ran a plan and was not refused.
fn counts(build: &BuildOutcome) -> bool {
    build.plan.is_some() && build.fails.is_none()
}

impl Outcome {
    /// Indices of the builds that count, the first (cold) one left out.
    pub fn counted(&self) -> impl Iterator<Item = usize> + '_ {
        let counted = self.builds.iter().enumerate().filter(|(_, b)| counts(b));
        counted.map(|(i, _)| i).skip(1)
    }

    /// Index of the cold build.
    #[must_use]
    pub fn cold(&self) -> Option<usize> {
        self.builds.iter().position(counts)
    }
}

/// Sums a replay up.
#[must_use]
pub fn summarize(outcome: &Outcome, costs: &[BuildCost]) -> Summary {
    let mut sum = Summary {
        refused: outcome.builds.iter().filter(|b| b.fails.is_some()).count(),
        skipped: outcome.builds.iter().filter(|b| b.plan.is_none()).count(),
        cold_s: outcome.cold().map_or(0.0, |i| costs[i].work_s),
        ..Summary::default()
    };
    let (mut cached, mut steps) = (0usize, 0usize);
    for i in outcome.counted() {
        let build = &outcome.builds[i];
        let hits = build
            .verdicts
            .iter()
            .filter(|v| **v == Verdict::Cached)
            .count();
        cached += hits;
        steps += build.verdicts.len();
        sum.builds += 1;
        sum.builds_with_any_change += usize::from(hits < build.verdicts.len());
        sum.work_s_per_build += costs[i].work_s;
        sum.work_s_per_build_min += costs[i].work_s_min;
        sum.critical_path_s_per_build += costs[i].critical_path_s;
    }
    let n = sum.builds.max(1) as f64;
    sum.work_s_per_build /= n;
    sum.work_s_per_build_min /= n;
    sum.critical_path_s_per_build /= n;
    sum.hit_rate = if steps == 0 {
        1.0
    } else {
        cached as f64 / steps as f64
    };
    sum
}

/// Wilson's 95 % interval for `hits` of `n`; `(0, 1)` when nothing was seen.
#[must_use]
pub fn wilson(hits: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let z = 1.959_963_984_540_054_f64;
    let (n, p) = (n as f64, hits as f64 / n as f64);
    let denominator = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / denominator;
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / denominator;
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn wilson_matches_published_values() {
        // 210 of 499, computed by hand from the formula with z = 1.96.
        let (lo, hi) = wilson(210, 499);
        assert!(
            (lo - 0.3783).abs() < 1e-3 && (hi - 0.4646).abs() < 1e-3,
            "{lo} {hi}"
        );
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        let (lo, hi) = wilson(0, 10);
        assert!(lo == 0.0 && (hi - 0.2775).abs() < 1e-3);
    }
}
