//! A good order, fast.
//!
//! Goes in: a task and an order. Comes out: a legal order no dearer, which no move of one step and no change of two makes
//! cheaper. All places for one step are scored in one pass over the patterns of builds: with the step taken out, each prefix
//! is executed in so many builds without it and in so many with it. Deterministic.

use super::members;
use super::task::{Task, after, legal};

/// The better of two starts, improved: the given order, and steps by weight for what they add.
pub fn search(task: &Task, author: &[usize]) -> Vec<usize> {
    let greedy = improve(task, greedy(task));
    let author = improve(task, author.to_vec());
    if task.cost(&greedy) < task.cost(&author) {
        greedy
    } else {
        author
    }
}

/// Takes again and again the step that with what it waits for has the most weight for the builds it adds.
fn greedy(task: &Task) -> Vec<usize> {
    let mut done = 0u128;
    let mut order = Vec::with_capacity(task.n);
    let mut runs = task.columns.always;
    while order.len() < task.n {
        let mut best: Option<(u64, u64, u128)> = None;
        for s in members(task.full() & !done) {
            let group = task.before[s] & !done | 1 << s;
            let adds = task.columns.executed(done | group) - runs;
            let weight: u64 = members(group).map(|s| task.weights[s]).sum();
            let better = best.is_none_or(|(w, a, _)| {
                u128::from(weight) * u128::from(a) > u128::from(w) * u128::from(adds)
                    || adds == 0 && a > 0
            });
            if better {
                best = Some((weight, adds, group));
            }
        }
        let Some((_, adds, group)) = best else { break };
        runs += adds;
        // The author's order is legal, so the members of a group in it are too.
        order.extend(members(group));
        done |= group;
    }
    order
}

/// What an order costs with one step at each place.
pub struct Places {
    /// First and last legal place among the others.
    pub legal: (usize, usize),
    /// By place.
    pub costs: Vec<u64>,
}

/// Scores all places of the step at `from`; `after` is for each step those that must follow.
pub fn places(task: &Task, after: &[u128], order: &[usize], from: usize) -> Places {
    let n = order.len();
    let s = order[from];
    let mut others = order.to_vec();
    others.remove(from);
    // The place of the step taken out is that of all others, so it is never the first.
    let mut place = vec![n - 1; n];
    for (p, o) in others.iter().enumerate() {
        place[*o] = p;
    }
    let mut without = vec![0; n];
    task.columns.first_places(&place, &mut without);
    // With the step in front of all: what is left to each of the others.
    let mut shifted: Vec<usize> = place.iter().map(|p| p + 1).collect();
    shifted[s] = 0;
    let mut with = vec![0; n];
    task.columns.first_places(&shifted, &mut with);
    let (mut runs, mut both) = (task.columns.always, task.columns.always + with[0]);
    let own = task.weights[s];
    // With the step at place 0 every other one pays for it too.
    let mut costs = vec![0; n];
    let (mut less, mut more) = (vec![0; n], vec![0; n]);
    let mut own_runs = vec![both; n];
    for p in 0..n - 1 {
        runs += without[p];
        both += with[p + 1];
        let weight = task.weights[others[p]];
        less[p] = weight * runs;
        more[p] = weight * both;
        own_runs[p + 1] = both;
    }
    let mut cost: u64 = more.iter().sum();
    for p in 0..n {
        costs[p] = cost + own * own_runs[p];
        cost = cost + less[p] - more[p];
    }
    let needs = |p: &usize| task.before[s] >> others[*p] & 1 == 1;
    let first = (0..n - 1).rev().find(needs).map_or(0, |p| p + 1);
    let follows = |p: &usize| after[s] >> others[*p] & 1 == 1;
    let last = (0..n - 1).find(follows).unwrap_or(n - 1);
    Places {
        legal: (first, last),
        costs,
    }
}

/// Moves and changes of two while that helps; at most as many rounds as there are steps.
fn improve(task: &Task, mut order: Vec<usize>) -> Vec<usize> {
    let after = after(&task.before);
    let mut cost = task.cost(&order);
    for _ in 0..order.len() {
        let start = cost;
        for s in 0..task.n {
            let from = order.iter().position(|o| *o == s).unwrap_or(0);
            let found = places(task, &after, &order, from);
            let best = (found.legal.0..=found.legal.1).min_by_key(|p| (found.costs[*p], *p));
            let Some(to) = best.filter(|p| found.costs[*p] < cost) else {
                continue;
            };
            cost = found.costs[to];
            order.remove(from);
            order.insert(to, s);
        }
        if cost == start {
            for i in 0..order.len() {
                for j in i + 2..order.len() {
                    order.swap(i, j);
                    let changed = match legal(&task.before, &order) {
                        true => task.cost(&order),
                        false => u64::MAX,
                    };
                    if changed < cost {
                        cost = changed;
                    } else {
                        order.swap(i, j);
                    }
                }
            }
        }
        if cost == start {
            break;
        }
    }
    order
}
