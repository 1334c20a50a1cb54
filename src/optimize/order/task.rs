//! One ordering problem in whole numbers: what all searches work on.

use super::columns::Columns;
use super::units::Units;
use super::{Problem, members};
use crate::optimize::partition::Partition;

/// A problem of at most 128 steps.
pub struct Task {
    pub n: usize,
    /// Units a run; 0 for steps whose runs do not depend on where they stand.
    pub weights: Vec<u64>,
    pub before: Vec<u128>,
    pub columns: Columns,
    pub units: Units,
    /// Seconds of the steps that stand on nothing, wherever they are.
    pub fixed: f64,
}

impl Task {
    pub fn new(problem: &Problem) -> Self {
        let n = problem.weights.len();
        let units = Units::new(&problem.weights, problem.base.len());
        let mut weights = units.weights.clone();
        let mut fixed = 0.0;
        for s in (0..n).filter(|s| problem.alone[*s]) {
            let own = Partition::trivial(problem.base.len()).refine(&problem.rows[s]);
            fixed += problem.weights[s] * own.executed(problem.policy) as f64;
            weights[s] = 0;
        }
        Self {
            n,
            weights,
            before: problem.before.clone(),
            columns: Columns::new(&problem.rows, &problem.base, problem.policy),
            units,
            fixed,
        }
    }

    /// All steps.
    pub fn full(&self) -> u128 {
        full(self.n)
    }

    /// Steps that cost something wherever they stand on something.
    pub fn heavy(&self) -> u128 {
        let heavy = (0..self.n).filter(|s| self.weights[*s] > 0);
        heavy.fold(0, |m, s| m | 1 << s)
    }

    /// Units of an order.
    pub fn cost(&self, order: &[usize]) -> u64 {
        let runs = self.runs(order);
        let step = |(s, runs): (&usize, u64)| self.weights[*s] * runs;
        order.iter().zip(runs).map(step).sum()
    }

    /// Builds that execute each step of an order, by place.
    pub fn runs(&self, order: &[usize]) -> Vec<u64> {
        let mut place = vec![0; self.n];
        for (p, s) in order.iter().enumerate() {
            place[*s] = p;
        }
        let mut out = vec![0; self.n];
        self.columns.first_places(&place, &mut out);
        let mut runs = self.columns.always;
        for new in &mut out {
            runs += *new;
            *new = runs;
        }
        out
    }

    /// Seconds that no order goes below when none goes below so many units.
    pub fn seconds(&self, units: u64) -> f64 {
        let seconds = self.units.seconds(units);
        // What was rounded is off by half a unit a run at most.
        let slack = if self.units.exact {
            seconds * 1e-12
        } else {
            let runs = self.columns.executed(self.full()) as f64 * self.n as f64;
            seconds * 1e-12 + runs / self.units.scale
        };
        (seconds - slack).max(0.0) + self.fixed
    }
}

/// The first `n` steps.
pub fn full(n: usize) -> u128 {
    match n {
        0 => 0,
        _ => u128::MAX >> (128 - n),
    }
}

/// Whether each step comes after those that must precede it.
pub fn legal(before: &[u128], order: &[usize]) -> bool {
    let mut done = 0u128;
    order.iter().all(|s| {
        let ok = before[*s] & !done == 0;
        done |= 1 << s;
        ok
    })
}

/// For each step those that must come after it.
pub fn after(before: &[u128]) -> Vec<u128> {
    let mut out = vec![0u128; before.len()];
    for (s, mask) in before.iter().enumerate() {
        for a in members(*mask) {
            out[a] |= 1 << s;
        }
    }
    out
}
