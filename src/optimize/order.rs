//! The cheapest order of a stage's steps, exactly.
//!
//! Goes in: weights, version rows, precedence. Comes out: an order, its cost, a proven bound. Cost of
//! an order is the sum over steps of weight times the number of builds in which the prefix up to the
//! step meets a combination of versions it never met. DP over downsets; beyond the budget local
//! search, and then the bound is the dataflow bound. Invariant: `optimal` only when the cost equals
//! what is proven. Ties go to the author: fewest pairs that changed places.

use super::partition::Partition;
use super::rows::{Grown, Rows};
use crate::simulate::Policy;
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;

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

const EPSILON: f64 = 1e-9;

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

/// Finds the cheapest order; `budget` is the number of downsets the DP may visit.
#[must_use]
pub fn solve(problem: &Problem, budget: usize) -> Solution {
    let author: Vec<usize> = (0..problem.weights.len()).collect();
    if author.len() > MAX_STEPS {
        let cost = cost_of(problem, &author);
        return Solution {
            order: author,
            cost,
            bound: 0.0,
            optimal: false,
        };
    }
    let scorer = &Scorer::new(problem);
    let start = scorer.cost(&author);
    let bound = scorer.dataflow_bound();
    if start <= bound + EPSILON {
        return Solution {
            order: author,
            cost: start,
            bound,
            optimal: true,
        };
    }
    let found = downsets(scorer, budget, FreeSteps::Branch).or_else(|| {
        Some(polish(
            scorer,
            downsets(scorer, budget, FreeSteps::ScheduleNow)?,
        ))
    });
    if let Some(order) = found {
        let cost = scorer.cost(&order);
        // Sums in another order may differ in the last bit; the author wins such ties.
        if cost >= start - EPSILON {
            return Solution {
                order: author,
                cost: start,
                bound: start,
                optimal: true,
            };
        }
        return Solution {
            order,
            cost,
            bound: cost,
            optimal: true,
        };
    }
    let order = local_search(scorer, author);
    let cost = scorer.cost(&order);
    Solution {
        order,
        cost,
        bound,
        optimal: cost <= bound + EPSILON,
    }
}

/// One downset: the cheapest way to have run exactly these steps.
struct State {
    cost: f64,
    inversions: u32,
    last: usize,
    prefix: Grown,
}

/// What the DP does with an available step that tells no builds apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FreeSteps {
    /// Treats it as any other, so that ties go to the author exactly.
    Branch,
    /// Takes it at once and looks at nothing else: later prefixes stay as they are and its own cost
    /// can't fall by waiting, so some cheapest order does the same.
    ScheduleNow,
}

/// DP over downsets, by size. `None` when there are more than the budget.
fn downsets(scorer: &Scorer<'_>, budget: usize, free: FreeSteps) -> Option<Vec<usize>> {
    let (problem, rows) = (scorer.problem, &scorer.rows);
    let n = problem.weights.len();
    let full: u128 = if n == 128 {
        u128::MAX
    } else {
        (1u128 << n) - 1
    };
    let mut choice: FxHashMap<u128, usize> = FxHashMap::default();
    let mut layer: Vec<(u128, State)> = vec![(
        0,
        State {
            cost: 0.0,
            inversions: 0,
            last: 0,
            prefix: rows.start(),
        },
    )];
    for _ in 0..n {
        let mut next: FxHashMap<u128, State> = FxHashMap::default();
        for (mask, state) in &layer {
            let open = members(full & !mask).filter(|s| problem.before[*s] & !mask == 0);
            let mut open: Vec<usize> = open.collect();
            if free == FreeSteps::ScheduleNow {
                let mut idle = open.iter().copied();
                if let Some(s) = idle.find(|s| rows.is_idle(&state.prefix, *s)) {
                    open = vec![s];
                }
            }
            for s in open {
                let grown = mask | (1 << s);
                let inversions = state.inversions + (mask >> s).count_ones();
                match next.entry(grown) {
                    Entry::Occupied(mut known) => {
                        let known = known.get_mut();
                        let cost = state.cost + scorer.cost_of_step(&known.prefix, s);
                        let same = cost <= known.cost + EPSILON;
                        if cost < known.cost - EPSILON || same && inversions < known.inversions {
                            (known.cost, known.inversions, known.last) = (cost, inversions, s);
                        }
                    }
                    Entry::Vacant(new) => {
                        let mut prefix = state.prefix.clone();
                        rows.grow(&mut prefix, s);
                        new.insert(State {
                            cost: state.cost + scorer.cost_of_step(&prefix, s),
                            inversions,
                            last: s,
                            prefix,
                        });
                    }
                }
            }
        }
        if choice.len() + next.len() > budget {
            return None;
        }
        choice.extend(next.iter().map(|(m, s)| (*m, s.last)));
        layer = next.into_iter().collect();
        layer.sort_unstable_by_key(|(m, _)| *m);
    }
    let mut order = Vec::with_capacity(n);
    let mut mask = full;
    while mask != 0 {
        let s = *choice.get(&mask)?;
        order.push(s);
        mask &= !(1 << s);
    }
    order.reverse();
    Some(order)
}

/// Swaps neighbours back into the author's order where that costs nothing.
fn polish(scorer: &Scorer<'_>, mut order: Vec<usize>) -> Vec<usize> {
    let problem = scorer.problem;
    let cost = scorer.cost(&order);
    for _ in 0..order.len() {
        let mut swapped = false;
        for i in 1..order.len() {
            let (a, b) = (order[i - 1], order[i]);
            if a < b || problem.before[b] >> a & 1 == 1 {
                continue;
            }
            order.swap(i - 1, i);
            if scorer.cost(&order) <= cost + EPSILON {
                swapped = true;
            } else {
                order.swap(i - 1, i);
            }
        }
        if !swapped {
            break;
        }
    }
    order
}

/// Moves single steps while that helps. Deterministic; at most as many rounds as there are steps.
fn local_search(scorer: &Scorer<'_>, mut order: Vec<usize>) -> Vec<usize> {
    let mut cost = scorer.cost(&order);
    for _ in 0..order.len() {
        let mut improved = false;
        for from in 0..order.len() {
            for to in 0..order.len() {
                let mut moved = order.clone();
                let s = moved.remove(from);
                moved.insert(to, s);
                if from == to || !legal(scorer.problem, &moved) {
                    continue;
                }
                let c = scorer.cost(&moved);
                if c < cost - EPSILON {
                    (order, cost, improved) = (moved, c, true);
                }
            }
        }
        if !improved {
            break;
        }
    }
    order
}

fn legal(problem: &Problem, order: &[usize]) -> bool {
    let mut done = 0u128;
    order.iter().all(|s| {
        let ok = problem.before[*s] & !done == 0;
        done |= 1 << s;
        ok
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Horizon;
    use proptest::prelude::*;

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![vec![]];
        }
        let mut out = Vec::new();
        for shorter in permutations(n - 1) {
            for at in 0..n {
                let mut p = shorter.clone();
                p.insert(at, n - 1);
                out.push(p);
            }
        }
        out
    }

    /// Executed builds counted naively: a tuple of versions never seen before.
    fn naive_cost(problem: &Problem, order: &[usize]) -> f64 {
        let builds = problem.base.len();
        let mut cost = 0.0;
        for (i, s) in order.iter().enumerate() {
            let tuple = |t: usize| -> Vec<u32> {
                if problem.alone[*s] {
                    return vec![problem.rows[*s][t]];
                }
                let prefix = order[..=i].iter().map(|p| problem.rows[*p][t]);
                std::iter::once(problem.base.ids()[t])
                    .chain(prefix)
                    .collect()
            };
            let ran = (1..builds).filter(|t| match problem.policy.horizon() {
                Horizon::All => (0..*t).all(|u| tuple(u) != tuple(*t)),
                Horizon::Last => tuple(t - 1) != tuple(*t),
                Horizon::Nothing => true,
            });
            cost += problem.weights[*s] * ran.count() as f64;
        }
        cost
    }

    prop_compose! {
        fn problems()(n in 1usize..7, builds in 1usize..12)(
            weights in prop::collection::vec(0u8..9, n),
            rows in prop::collection::vec(prop::collection::vec(0u32..4, builds), n),
            edges in prop::collection::vec(prop::bool::weighted(0.25), n * n),
            alone in prop::collection::vec(prop::bool::weighted(0.15), n),
            base in prop::collection::vec(0u32..2, builds),
            previous in any::<bool>(),
        ) -> Problem {
            let n = weights.len();
            let mut before = vec![0u128; n];
            for j in 0..n {
                for i in 0..j {
                    if edges[i * n + j] {
                        before[j] |= before[i] | (1 << i);
                    }
                }
            }
            Problem {
                weights: weights.into_iter().map(f64::from).collect(),
                rows,
                before,
                alone,
                base: Partition::from_ids(base),
                policy: if previous { Policy::Previous } else { Policy::Local },
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn equals_brute_force(problem in problems()) {
            let n = problem.weights.len();
            let author: Vec<usize> = (0..n).collect();
            let inversions = |o: &[usize]| {
                (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).filter(|(i, j)| o[*i] > o[*j]).count()
            };
            let best = permutations(n)
                .into_iter()
                .filter(|o| legal(&problem, o))
                .map(|o| (naive_cost(&problem, &o), inversions(&o)))
                .min_by(|a, b| a.partial_cmp(b).unwrap())
                .unwrap();
            let found = solve(&problem, 1 << 16);
            prop_assert!(legal(&problem, &found.order));
            prop_assert!((found.cost - naive_cost(&problem, &found.order)).abs() < 1e-6);
            prop_assert!((found.cost - best.0).abs() < 1e-6, "{found:?} against {best:?}");
            prop_assert_eq!(inversions(&found.order), best.1);
            prop_assert!(found.optimal && found.bound <= found.cost + 1e-6);
            prop_assert!(Scorer::new(&problem).dataflow_bound() <= best.0 + 1e-6);
            prop_assert!(found.cost <= cost_of(&problem, &author) + 1e-6);
        }

        #[test]
        fn taking_free_steps_at_once_costs_nothing(problem in problems()) {
            let scorer = &Scorer::new(&problem);
            let order = downsets(scorer, 1 << 16, FreeSteps::ScheduleNow).unwrap();
            let best = solve(&problem, 1 << 16);
            prop_assert!((cost_of(&problem, &order) - best.cost).abs() < 1e-6);
            let polished = polish(scorer, order);
            prop_assert!(legal(&problem, &polished));
            prop_assert!((cost_of(&problem, &polished) - best.cost).abs() < 1e-6);
        }

        #[test]
        fn beyond_the_budget_it_stays_legal_and_says_so(problem in problems()) {
            let found = solve(&problem, 0);
            prop_assert!(legal(&problem, &found.order));
            let best = solve(&problem, 1 << 16);
            prop_assert!(found.bound <= best.cost + 1e-6);
            prop_assert!(!found.optimal || (found.cost - best.cost).abs() < 1e-6);
        }
    }
}
