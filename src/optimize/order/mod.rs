//! The cheapest order of a stage's steps, exactly.
//!
//! Goes in: weights, version rows, precedence. Comes out: an order, its cost, a proven bound. Cost of
//! an order is the sum over steps of weight times the number of builds in which the prefix up to the
//! step meets a combination of versions it never met. `local.rs` finds a good order, `branch.rs`
//! proves or betters it over downsets, `ties.rs` takes the one nearest to the author's among equals,
//! all in whole numbers (`task.rs`, `units.rs`) on patterns of builds (`columns.rs`). Invariant:
//! `optimal` only when the cost equals what is proven. Ties go to the author: fewest steps moved,
//! then fewest pairs that changed places.

mod bound;
mod branch;
mod columns;
mod local;
mod task;
mod ties;
mod units;

#[cfg(test)]
mod tests;

use super::partition::Partition;
use super::rows::{Grown, Rows};
use crate::simulate::Policy;
use bound::Bound;
use task::Task;

/// Largest number of steps the bit masks hold.
pub const MAX_STEPS: usize = 128;

/// One stage's ordering problem. Steps are numbered in the author's order.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Seconds each step costs when it runs.
    pub weights: Vec<f64>,
    /// Version of each step's own inputs in every build.
    pub rows: Vec<Vec<u32>>,
    /// Steps that must stay before each step, as a mask; closed under transitivity.
    pub before: Vec<u128>,
    /// Steps whose key does not hold what is below them (`COPY --link`).
    pub alone: Vec<bool>,
    /// What the stage starts from, over the builds.
    pub base: Partition,
    /// What survives between builds.
    pub policy: Policy,
}

/// An order and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// Step numbers in their new order.
    pub order: Vec<usize>,
    /// Step-seconds over all builds but the first.
    pub cost: f64,
    /// No order costs less.
    pub bound: f64,
    /// `cost` is the least there is.
    pub optimal: bool,
}

impl Solution {
    /// Seconds that another order may save at most, over all builds; 0 for the cheapest.
    #[must_use]
    pub fn gap(&self) -> f64 {
        (self.cost - self.bound).max(0.0)
    }
}

/// A problem with its builds as bits, so that an order is scored in microseconds.
#[derive(Clone, Debug)]
pub struct Scorer<'a> {
    problem: &'a Problem,
    rows: Rows,
    /// Builds in which each step runs that stands on nothing.
    alone: Vec<f64>,
}

impl<'a> Scorer<'a> {
    /// Takes a problem of at most [`MAX_STEPS`] steps.
    #[must_use]
    pub fn new(problem: &'a Problem) -> Self {
        let rows = Rows::new(&problem.rows, &problem.base, problem.policy);
        let alone = |s: usize| {
            let mut own = rows.nothing();
            rows.grow(&mut own, s);
            rows.executed(&own) as f64
        };
        let alone = (0..problem.weights.len()).map(alone).collect();
        Self {
            problem,
            rows,
            alone,
        }
    }

    /// Seconds of step `s` over all builds but the first, when `prefix` is its prefix, itself included.
    fn cost_of_step(&self, prefix: &Grown, s: usize) -> f64 {
        let runs = match self.problem.alone[s] {
            true => self.alone[s],
            false => self.rows.executed(prefix) as f64,
        };
        self.problem.weights[s] * runs
    }

    /// Seconds of an order over all builds but the first.
    #[must_use]
    pub fn cost(&self, order: &[usize]) -> f64 {
        let mut prefix = self.rows.start();
        let mut cost = 0.0;
        for s in order {
            self.rows.grow(&mut prefix, *s);
            cost += self.cost_of_step(&prefix, *s);
        }
        cost
    }

    /// Every step pays at least for its own inputs and those of the steps that must come before it.
    #[must_use]
    pub fn dataflow_bound(&self) -> f64 {
        let step = |s: usize| {
            let mut prefix = self.rows.start();
            for a in members(self.problem.before[s]) {
                self.rows.grow(&mut prefix, a);
            }
            self.rows.grow(&mut prefix, s);
            self.cost_of_step(&prefix, s)
        };
        (0..self.problem.weights.len()).map(step).sum()
    }
}

/// Seconds of a given order over all builds but the first, from tuples of versions numbered step by step, for any number
/// of steps; [`Scorer`] gives the same for many orders of few.
#[must_use]
pub fn cost_of(problem: &Problem, order: &[usize]) -> f64 {
    let mut partition = problem.base.clone();
    let mut cost = 0.0;
    for s in order {
        partition = partition.refine(&problem.rows[*s]);
        let runs = match problem.alone[*s] {
            true => Partition::trivial(problem.base.len())
                .refine(&problem.rows[*s])
                .executed(problem.policy),
            false => partition.executed(problem.policy),
        };
        cost += problem.weights[*s] * runs as f64;
    }
    cost
}

/// The steps of a mask, ascending.
pub(super) fn members(mask: u128) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
        rest &= rest - 1;
        Some(bit)
    })
}

/// Steps up to which a downset costs about as much as in small stages.
const FEW_STEPS: usize = 32;

/// Finds the cheapest order; `budget` is the number of downsets the search may look at, and as many again to choose among
/// equals. Above 32 steps, where each takes longer, fewer: by the square of the steps.
#[must_use]
pub fn solve(problem: &Problem, budget: usize) -> Solution {
    let author: Vec<usize> = (0..problem.weights.len()).collect();
    if author.len() > MAX_STEPS {
        return beyond_masks(problem, author);
    }
    let task = &Task::new(problem);
    let large = task.n.max(FEW_STEPS).pow(2);
    let budget = budget.saturating_mul(FEW_STEPS.pow(2)) / large;
    let own = task.cost(&author);
    let least = Bound::new(task, &task.before, &author).least();
    if own <= least {
        return told(problem, task, author, least, true);
    }
    let known = local::search(task, &author);
    let found = branch::search(task, known, budget);
    let proven = found.bound >= found.cost;
    let bound = found.bound.max(least);
    if own <= found.cost {
        return told(problem, task, author, bound, proven);
    }
    let exact = proven.then(|| ties::exact(task, &found.order, found.cost, budget));
    let order = exact.flatten();
    let order = order.unwrap_or_else(|| ties::polish(task, found.order));
    told(problem, task, order, bound, proven)
}

/// A solution in seconds; `bound` is in units.
fn told(problem: &Problem, task: &Task, order: Vec<usize>, bound: u64, optimal: bool) -> Solution {
    let runs = task.runs(&order);
    let step = |(s, runs): (&usize, u64)| match problem.alone[*s] {
        true => 0.0,
        false => problem.weights[*s] * runs as f64,
    };
    let cost = task.fixed + order.iter().zip(runs).map(step).sum::<f64>();
    let bound = match optimal {
        true => cost,
        false => task.seconds(bound).min(cost),
    };
    Solution {
        order,
        cost,
        bound,
        optimal,
    }
}

/// The author's order of too many steps, and what each must pay for itself and those among the first that precede it.
fn beyond_masks(problem: &Problem, author: Vec<usize>) -> Solution {
    let step = |s: &usize| {
        let own = &problem.rows[*s];
        let runs = if problem.alone[*s] {
            Partition::trivial(problem.base.len())
                .refine(own)
                .executed(problem.policy)
        } else {
            members(problem.before[*s])
                .fold(problem.base.refine(own), |p, a| p.refine(&problem.rows[a]))
                .executed(problem.policy)
        };
        problem.weights[*s] * runs as f64
    };
    let cost = cost_of(problem, &author);
    let bound = author.iter().map(step).sum::<f64>().min(cost);
    Solution {
        optimal: cost - bound <= cost * 1e-12,
        order: author,
        cost,
        bound,
    }
}
