//! Why a new order of a stage's instructions builds the same image: one line for each pair that changed
//! places.
//!
//! Goes in: relations of pairs and an order. Comes out: [`Swap`]s, or a random order that has them. Costs
//! one look at each pair. Invariant: an order without a swap for each of its inversions does not leave
//! this module. docs/proofs.md says why pairs are enough.

use super::precedence::{Relation, Scene};
use crate::footprint::Certainty;
use crate::rewrite::Safety;
use crate::rewrite::reorder::Placed;

/// Two instructions that changed places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Index into the file's instructions of the one that stood first.
    pub first: usize,
    /// Of the one that stands first now.
    pub second: usize,
    /// How sure it is that they commute.
    pub certainty: Certainty,
    /// Which sets have nothing in common, one sentence.
    pub because: String,
    /// What it rests on where it is not exact.
    pub assumptions: Vec<String>,
}

/// A swap as a report tells it: lines are the original file's, `None` for an instruction that the plan adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Line of the one that stood first.
    pub first: Option<u32>,
    /// Line of the one that stands first now.
    pub second: Option<u32>,
    /// How sure it is that they commute.
    pub safety: Safety,
    /// Why they do.
    pub because: String,
    /// What that rests on where it is not proven.
    pub assumptions: Vec<String>,
}

impl Proof {
    /// Tells a swap; `line` gives the original line of an instruction.
    #[must_use]
    pub fn of(swap: &Swap, line: &dyn Fn(usize) -> Option<u32>) -> Self {
        Self {
            first: line(swap.first),
            second: line(swap.second),
            safety: match swap.certainty {
                Certainty::Exact => Safety::Proven,
                Certainty::Assumed => Safety::Assumed,
            },
            because: swap.because.clone(),
            assumptions: swap.assumptions.clone(),
        }
    }
}

/// The swaps of an order of a stage's instructions, given as places in the author's order; `None` where
/// a pair may not change places as surely as asked.
pub fn swaps(
    order: &[usize],
    at: &dyn Fn(usize) -> usize,
    relation: &dyn Fn(usize, usize) -> Relation,
    least: Certainty,
) -> Option<Vec<Swap>> {
    let mut out = Vec::new();
    for (place, second) in order.iter().enumerate() {
        for first in order[place + 1..].iter().filter(|f| *f < second) {
            match relation(*first, *second) {
                Relation::Commute {
                    certainty,
                    assumptions,
                    because,
                } if certainty <= least => out.push(Swap {
                    first: at(*first),
                    second: at(*second),
                    certainty,
                    because,
                    assumptions,
                }),
                _ => return None,
            }
        }
    }
    out.sort_by_key(|s| (s.first, s.second));
    Some(out)
}

/// Orders of all stages that keep what has to be kept, chosen by `pick`, which is given how many
/// instructions could come next and says which. Each is a list of indices into the file's instructions,
/// as [`crate::rewrite::reorder::print`] takes them, for the stages that change.
pub fn some_orders(
    scene: &Scene<'_>,
    stages: usize,
    least: Certainty,
    pick: &mut dyn FnMut(usize) -> usize,
) -> (Vec<Vec<Placed>>, Vec<Swap>) {
    let (mut orders, mut all) = (Vec::new(), Vec::new());
    for stage in 0..stages {
        let items = scene.stage(stage);
        let n = items.len();
        let mut relations = vec![None; n * n];
        for j in 0..n {
            for i in 0..j {
                relations[i * n + j] = Some(scene.relation(stage, i, j));
            }
        }
        let keeps = |i: usize, j: usize| match &relations[i * n + j] {
            Some(Relation::Commute { certainty, .. }) => *certainty > least,
            _ => true,
        };
        let mut order: Vec<usize> = Vec::with_capacity(n);
        while order.len() < n {
            let ready: Vec<usize> = (0..n)
                .filter(|j| !order.contains(j))
                .filter(|j| (0..*j).all(|i| order.contains(&i) || !keeps(i, *j)))
                .collect();
            order.push(ready[pick(ready.len()) % ready.len()]);
        }
        let relation = |i: usize, j: usize| {
            relations[i * n + j]
                .clone()
                .unwrap_or_else(|| Relation::Keep(String::new()))
        };
        let found = swaps(&order, &|i| items[i].at, &relation, least);
        if let Some(found) = found.filter(|f| !f.is_empty()) {
            orders.push(order.iter().map(|i| Placed::new(items[*i].at)).collect());
            all.extend(found);
        }
    }
    (orders, all)
}
