//! From pairs of instructions to an order of lines.
//!
//! Goes in: what each pair of a stage's instructions allows, and an order of its steps. Comes out: which steps must
//! stay before which, and an order of all lines. Invariant: no pair that keeps its order changes places; lines that
//! make no step stay where they are if they can. Quadratic in lines, cubic where many make no step.

use super::precedence::{Lines, Relation, Scene};
use super::stage::Request;
use crate::footprint::Certainty;
use crate::rewrite::reorder;
use std::rc::Rc;

/// Relations of all pairs of a stage's instructions.
pub struct Pairs {
    n: usize,
    relation: Rc<Vec<Relation>>,
    certainty: Certainty,
}

impl Pairs {
    pub fn new(request: &Request<'_>, scene: &Scene<'_>, stage: usize, lines: Lines) -> Self {
        let list = scene.stage(stage);
        let n = list.len();
        let known = |relation| Self {
            n,
            relation,
            certainty: request.certainty,
        };
        // One text is looked at again and again: for other builds, with added lines for nothing.
        let key = request
            .memo
            .pairs_key(&request.evaluated.source, stage, lines);
        if let Some(relation) = request.memo.pairs(&key) {
            return known(relation);
        }
        let further: Vec<Option<Relation>> = list
            .iter()
            .map(|i| i.reads_more().map(Relation::Keep))
            .collect();
        let mut all = Vec::with_capacity(n * n);
        for (i, a) in list.iter().enumerate() {
            for (j, b) in list.iter().enumerate() {
                all.push(if a.at >= b.at {
                    Relation::Keep(String::new())
                } else {
                    further[i]
                        .clone()
                        .or_else(|| further[j].clone())
                        .unwrap_or_else(|| scene.relation_with(stage, i, j, lines))
                });
            }
        }
        let relation = Rc::new(all);
        request.memo.keep_pairs(key, Rc::clone(&relation));
        known(relation)
    }

    pub fn of(&self, first: usize, second: usize) -> &Relation {
        &self.relation[first * self.n + second]
    }

    fn keeps(&self, first: usize, second: usize) -> bool {
        match self.of(first, second) {
            Relation::Keep(_) => true,
            Relation::Commute { certainty, .. } => *certainty > self.certainty,
        }
    }
}

/// Transitive predecessors of each step among the steps.
pub fn masks(pairs: &Pairs, steps: &[usize]) -> Vec<u128> {
    // reach[j] holds every instruction that must stay before j.
    let mut reach: Vec<fixedbitset::FixedBitSet> = Vec::with_capacity(pairs.n);
    for j in 0..pairs.n {
        let mut set = fixedbitset::FixedBitSet::with_capacity(pairs.n);
        for i in (0..j).filter(|i| pairs.keeps(*i, j)) {
            set.insert(i);
            set.union_with(&reach[i]);
        }
        reach.push(set);
    }
    let mask = |j: &usize| {
        let before = steps.iter().take(super::order::MAX_STEPS).enumerate();
        before
            .filter(|(_, i)| reach[*j].contains(**i))
            .fold(0u128, |m, (bit, _)| m | 1 << bit)
    };
    steps.iter().map(mask).collect()
}

/// The active instructions in an order that has the steps as `chain` and leaves as many others as it can
/// where they are.
pub fn interleave(pairs: &Pairs, chain: &[usize], active: &[bool]) -> Vec<usize> {
    let n = active.len();
    let mut before = vec![fixedbitset::FixedBitSet::with_capacity(n); n];
    for j in (0..n).filter(|j| active[*j]) {
        let keeps = (0..j).filter(|i| active[*i] && pairs.keeps(*i, j));
        before[j].extend(keeps);
    }
    for two in chain.windows(2) {
        before[two[1]].insert(two[0]);
    }
    let Some(mut best) = in_order(&before, active) else {
        // The chain respects the closure of what must stay, so this is not met.
        return (0..n).filter(|i| active[*i]).collect();
    };
    let first = best.clone();
    let mut fewest = reorder::moved(&best).len();
    let least = reorder::moved(chain).len();
    let others = (0..n).filter(|i| active[*i] && !chain.contains(i));
    let others: Vec<usize> = others.collect();
    let backwards: Vec<usize> = others.iter().rev().copied().collect();
    let sets = match fewest > least {
        true => ascending(chain),
        false => Vec::new(),
    };
    for (steps, list) in sets.iter().flat_map(|s| [(s, &others), (s, &backwards)]) {
        if fewest == least {
            break;
        }
        let order = around(&before, active, &first, steps, list);
        let moved = reorder::moved(&order).len();
        if moved < fewest {
            (best, fewest) = (order, moved);
        }
    }
    best
}

/// How many sets of steps that stay are looked at.
const MOST: usize = 32;

/// The steps that may be said to stay: ascending parts of the chain, the longest first.
fn ascending(chain: &[usize]) -> Vec<Vec<usize>> {
    let away = reorder::moved(chain);
    let longest: Vec<usize> = chain
        .iter()
        .copied()
        .filter(|i| !away.contains(i))
        .collect();
    let mut out = vec![longest.clone()];
    let mut grown: Vec<Vec<usize>> = vec![Vec::new()];
    for (seen, i) in chain.iter().enumerate() {
        let rest = chain.len() - seen;
        let more = grown.iter().filter(|g| g.last().is_none_or(|l| l < i));
        let more: Vec<Vec<usize>> = more.map(|g| [g.as_slice(), &[*i]].concat()).collect();
        grown.extend(more);
        // Those that can still become about as long.
        grown.retain(|g| g.len() + rest > longest.len().saturating_sub(1));
        if grown.len() > 64 * MOST {
            return out;
        }
    }
    grown.sort_by_key(|g| std::cmp::Reverse(g.len()));
    out.extend(grown.into_iter().filter(|g| *g != longest));
    out.truncate(MOST);
    out
}

/// An order in which the steps stay, and as many of the others as can in turn; `first` is the one where none has to.
fn around(
    before: &[fixedbitset::FixedBitSet],
    active: &[bool],
    first: &[usize],
    steps: &[usize],
    others: &[usize],
) -> Vec<usize> {
    let (mut before, mut best) = (before.to_vec(), first.to_vec());
    let mut kept = steps.to_vec();
    for other in others {
        let at = kept.partition_point(|k| k < other);
        let mut tried = before.clone();
        if at > 0 {
            tried[*other].insert(kept[at - 1]);
        }
        if let Some(next) = kept.get(at) {
            tried[*next].insert(*other);
        }
        if let Some(order) = in_order(&tried, active) {
            kept.insert(at, *other);
            (before, best) = (tried, order);
        }
    }
    best
}

/// The first order, by the author's, in which everything comes behind what is before it; `None` where none is.
fn in_order(before: &[fixedbitset::FixedBitSet], active: &[bool]) -> Option<Vec<usize>> {
    let n = active.len();
    let mut open: Vec<usize> = before.iter().map(|b| b.count_ones(..)).collect();
    let mut ready: std::collections::BTreeSet<usize> =
        (0..n).filter(|i| active[*i] && open[*i] == 0).collect();
    let mut order = Vec::with_capacity(n);
    while let Some(i) = ready.pop_first() {
        order.push(i);
        for j in (0..n).filter(|j| before[*j].contains(i)) {
            open[j] -= 1;
            if open[j] == 0 {
                ready.insert(j);
            }
        }
    }
    (order.len() == active.iter().filter(|a| **a).count()).then_some(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(n: usize, kept: &[(usize, usize)]) -> Pairs {
        let relation = |k: usize| match kept.contains(&(k / n, k % n)) {
            true => Relation::Keep(String::new()),
            false => Relation::free("apart"),
        };
        Pairs {
            n,
            relation: Rc::new((0..n * n).map(relation).collect()),
            certainty: Certainty::Exact,
        }
    }

    /// Every order of 0..n that keeps the pairs and has the steps as told.
    fn all(n: usize, kept: &[(usize, usize)], chain: &[usize]) -> Vec<Vec<usize>> {
        let mut out = vec![Vec::new()];
        for _ in 0..n {
            let longer = |order: &Vec<usize>| {
                let fits = |j: &usize| {
                    let done = |i: &usize| order.contains(i);
                    let step = chain.iter().position(|c| c == j);
                    !done(j)
                        && kept.iter().all(|(a, b)| b != j || done(a))
                        && step.is_none_or(|s| chain[..s].iter().all(done))
                };
                let next: Vec<usize> = (0..n).filter(fits).collect();
                let one = |j| [order.as_slice(), &[j]].concat();
                next.into_iter().map(one).collect::<Vec<_>>()
            };
            out = out.iter().flat_map(longer).collect();
        }
        out
    }

    proptest! {
        #[test]
        fn the_fewest_lines_move(
            n in 1..8usize,
            kept in proptest::collection::vec((0..8usize, 0..8usize), 0..8),
            steps in proptest::collection::vec(any::<bool>(), 8),
            which in any::<prop::sample::Index>(),
        ) {
            let kept: Vec<_> = kept.into_iter().filter(|(a, b)| a < b && *b < n).collect();
            let orders = all(n, &kept, &[]);
            let drawn = &orders[which.index(orders.len())];
            let chain: Vec<usize> = drawn.iter().copied().filter(|i| steps[*i]).collect();
            let found = interleave(&pairs(n, &kept), &chain, &vec![true; n]);
            let orders = all(n, &kept, &chain);
            prop_assert!(orders.contains(&found), "{found:?}");
            let fewest = orders.iter().map(|o| reorder::moved(o).len()).min();
            prop_assert_eq!(Some(reorder::moved(&found).len()), fewest, "{:?} {:?}", found, chain);
        }
    }
}
