//! Among the cheapest orders the one that changes least.
//!
//! Goes in: a task, a cheapest order and what it costs. Comes out: an order of that cost with the fewest steps moved (all but
//! a longest ascending subsequence), and among those the fewest pairs that changed places.
//!
//! Exact: a DP over the downsets through which a cheapest order can go, by size, and within each over the last step that was
//! kept, not moved. Free steps with a weight run at once, since in a cheapest order they come before the next step that adds
//! builds; sorting such a run changes no cost and neither breaks up what is ascending nor adds pairs, so the first of it is
//! the lowest. Beyond the budget: single steps are moved, and neighbours changed, while that costs nothing and changes less.

use super::bound::{Bound, Open};
use super::local::places;
use super::members;
use super::task::{Task, after};
use rustc_hash::FxHashMap;

/// How much an order changes: steps moved, and pairs that changed places. Less is better, in this order.
pub fn change(order: &[usize]) -> (usize, usize) {
    let mut tails: Vec<usize> = Vec::new();
    let mut pairs = 0;
    for (i, s) in order.iter().enumerate() {
        let at = tails.partition_point(|t| t < s);
        match tails.get_mut(at) {
            Some(tail) => *tail = *s,
            None => tails.push(*s),
        }
        pairs += order[..i].iter().filter(|o| *o > s).count();
    }
    (order.len() - tails.len(), pairs)
}

/// The best way to a downset with one last kept step.
#[derive(Clone, Copy)]
struct Way {
    moved: u8,
    pairs: u16,
    step: u8,
    /// Last kept step before, one more than its number; 0 is none.
    kept: u8,
}

struct State {
    cost: u64,
    rest: u64,
    /// By last kept step, as in [`Way`].
    ways: Vec<Option<Way>>,
}

/// The cheapest order that changes least; `None` beyond the budget. `cost` is the least there is.
pub fn exact(task: &Task, order: &[usize], cost: u64, budget: usize) -> Option<Vec<usize>> {
    let n = task.n;
    let mut bound = Bound::new(task, &task.before, order);
    let mut start = vec![None; n + 1];
    start[0] = Some(Way {
        moved: 0,
        pairs: 0,
        step: 0,
        kept: 0,
    });
    let state = State {
        cost: 0,
        rest: 0,
        ways: start,
    };
    let mut layers: Vec<FxHashMap<u128, State>> = vec![FxHashMap::from_iter([(0, state)])];
    let mut looked = 0;
    for size in 0..n {
        let mut next: FxHashMap<u128, State> = FxHashMap::default();
        for (done, state) in &layers[size] {
            if state.cost + state.rest > cost {
                continue;
            }
            let open = bound.open(*done);
            for (s, runs) in candidates(task, &bound, &open, *done) {
                let grown = done | 1 << s;
                let so_far = state.cost + task.weights[s] * runs;
                looked += 1;
                let known = next.entry(grown).or_insert_with(|| State {
                    cost: u64::MAX,
                    rest: bound.rest(&open, grown),
                    ways: Vec::new(),
                });
                if so_far > known.cost || so_far + known.rest > cost {
                    continue;
                }
                if so_far < known.cost {
                    known.cost = so_far;
                    known.ways = vec![None; n + 1];
                }
                go_on(&state.ways, &mut known.ways, s, *done);
            }
            if looked > budget {
                return None;
            }
        }
        next.retain(|_, s| s.cost != u64::MAX);
        layers.push(next);
    }
    back(&layers, task.full())
}

/// Steps that may come next in a cheapest order, and builds that execute them then.
fn candidates(task: &Task, bound: &Bound<'_>, open: &Open, done: u128) -> Vec<(usize, u64)> {
    let may = members(task.full() & !done).filter(|s| task.before[*s] & !done == 0);
    let runs = |s: usize| (s, bound.look(open, done | 1 << s).runs);
    let mut out: Vec<(usize, u64)> = may.map(runs).collect();
    let free = |(s, runs): &&(usize, u64)| *runs == open.runs && task.weights[*s] > 0;
    if let Some((lowest, _)) = out.iter().find(free).copied() {
        out.retain(|(s, runs)| *runs == open.runs && *s <= lowest);
    }
    out
}

/// Ways to a downset by all ways to the one before it and step `s`.
fn go_on(from: &[Option<Way>], to: &mut [Option<Way>], s: usize, done: u128) {
    let pairs = (done >> s).count_ones() as u16;
    for (kept, way) in from.iter().enumerate() {
        let Some(way) = way else { continue };
        let mut offer = |kept_now: usize, moved: u8| {
            let new = Way {
                moved,
                pairs: way.pairs + pairs,
                step: s as u8,
                kept: kept as u8,
            };
            let known = &mut to[kept_now];
            let key = |w: &Way| (w.moved, w.pairs, w.step, w.kept);
            if known.is_none_or(|k| key(&new) < key(&k)) {
                *known = Some(new);
            }
        };
        if s + 1 > kept {
            offer(s + 1, way.moved);
        }
        offer(kept, way.moved + 1);
    }
}

fn back(layers: &[FxHashMap<u128, State>], full: u128) -> Option<Vec<usize>> {
    let last = layers.last()?.get(&full)?;
    let ways = last.ways.iter().enumerate();
    let best = ways.filter_map(|(kept, w)| w.map(|w| (w.moved, w.pairs, kept)));
    let mut kept = best.min()?.2;
    let mut done = full;
    let mut order = Vec::with_capacity(layers.len());
    for layer in layers.iter().skip(1).rev() {
        let way = layer.get(&done)?.ways[kept]?;
        order.push(way.step as usize);
        done &= !(1 << way.step);
        kept = way.kept as usize;
    }
    order.reverse();
    Some(order)
}

/// Moves single steps where that costs nothing and changes less.
pub fn polish(task: &Task, mut order: Vec<usize>) -> Vec<usize> {
    let after = after(&task.before);
    let mut cost = task.cost(&order);
    let mut now = change(&order);
    for _ in 0..order.len() {
        let start = (cost, now);
        for s in 0..task.n {
            let from = order.iter().position(|o| *o == s).unwrap_or(0);
            let found = places(task, &after, &order, from);
            for to in found.legal.0..=found.legal.1 {
                if found.costs[to] > cost {
                    continue;
                }
                let mut moved = order.clone();
                moved.remove(from);
                moved.insert(to, s);
                let less = change(&moved);
                if (found.costs[to], less) < (cost, now) {
                    (cost, now, order) = (found.costs[to], less, moved);
                    break;
                }
            }
        }
        if (cost, now) == start {
            break;
        }
    }
    order
}
