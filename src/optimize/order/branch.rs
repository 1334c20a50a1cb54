//! Branch and bound over downsets, best first.
//!
//! Goes in: a task, a good order, how many downsets may be looked at. Comes out: the cheapest order, or what no order goes below.
//! Each downset is kept once, with the cheapest way to it. What is looked at is cut down by exchanges that never cost
//! anything, so that some cheapest order is always among the rest:
//!
//! - a step that tells no more builds apart runs at once, if it may: later prefixes stay, and it can't get cheaper;
//! - steps that cost nothing wait until a step that needs them, since they only add to prefixes;
//! - if `a` tells nothing apart once `b` has run, and may run whenever `b` may, it comes first: right before `b` it changes
//!   no prefix. Known for all downsets this is one more pair that must stay; within one downset `b` is not tried.

use super::bound::{Bound, Open};
use super::members;
use super::task::Task;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What the search came to.
pub struct Found {
    /// The cheapest order that was met.
    pub order: Vec<usize>,
    pub cost: u64,
    /// No order costs less.
    pub bound: u64,
}

struct Node {
    cost: u64,
    rest: u64,
    from: u128,
    /// The step after which the rest of the way from there is free or waits.
    step: usize,
    closed: bool,
}

struct Search<'a> {
    task: &'a Task,
    before: Vec<u128>,
    heavy: u128,
}

/// Searches from a known order, looking at about `budget` downsets.
pub fn search(task: &Task, known: Vec<usize>, budget: usize) -> Found {
    let heavy = task.heavy();
    let before = implied(task);
    let search = Search {
        task,
        before,
        heavy,
    };
    search.run(known, budget)
}

/// Precedence with the pairs that may be kept at no cost: `a` before `b` where `a` tells nothing apart once `b` has run.
fn implied(task: &Task) -> Vec<u128> {
    let mut before = task.before.clone();
    let heavy = task.heavy();
    let bound = Bound::new(task, &before, &[]);
    let open = bound.open(0);
    loop {
        let mut added = false;
        for b in 0..task.n {
            let below = before[b] | 1 << b;
            let adds = bound.look(&open, below).adds;
            for a in members(heavy & !below & !adds) {
                let may = before[a] >> b & 1 == 0 && before[a] & !below == 0;
                if !may || before[b] >> a & 1 == 1 {
                    continue;
                }
                let more = before[a] | 1 << a;
                for (s, mask) in before.iter_mut().enumerate() {
                    if s == b || *mask >> b & 1 == 1 {
                        *mask |= more;
                    }
                }
                added = true;
            }
        }
        if !added {
            return before;
        }
    }
}

impl Search<'_> {
    /// A downset with all that is free from there, how often it runs, and what is free costs.
    fn close(&self, bound: &Bound<'_>, open: &Open, mut done: u128) -> (u128, u64, u64) {
        let mut cost = 0;
        loop {
            let look = bound.look(open, done);
            let start = done;
            loop {
                let free = members(self.heavy & !done & !look.adds);
                let before = done;
                for s in free.filter(|s| self.before[*s] & !before == 0) {
                    done |= 1 << s;
                    cost += self.task.weights[s] * look.runs;
                }
                if done == before {
                    break;
                }
            }
            if done == start {
                return (done, look.runs, cost);
            }
        }
    }

    /// Ways to go on: the step, the downset after it, and what that costs.
    fn ways(&self, bound: &Bound<'_>, open: &Open, done: u128) -> Vec<(usize, u128, u64)> {
        let mut out = Vec::new();
        for s in members(self.heavy & !done) {
            let waits = self.before[s] & !done;
            if waits & self.heavy != 0 {
                continue;
            }
            let (closed, runs, cost) = self.close(bound, open, done | waits | 1 << s);
            out.push((s, closed, cost + self.task.weights[s] * runs));
        }
        let comes_first = |(a, small, _): &(usize, u128, u64),
                           (_, large, _): &(usize, u128, u64)| {
            large >> a & 1 == 1 && small != large
        };
        let keep: Vec<bool> = out
            .iter()
            .map(|way| !out.iter().any(|other| comes_first(other, way)))
            .collect();
        let mut keep = keep.into_iter();
        out.retain(|_| keep.next().unwrap_or(true));
        out
    }

    fn run(&self, known: Vec<usize>, budget: usize) -> Found {
        let task = self.task;
        let mut best = task.cost(&known);
        let mut bound = Bound::new(task, &self.before, &known);
        let open_at = bound.open(0);
        let (start, _, cost) = self.close(&bound, &open_at, 0);
        let mut nodes: FxHashMap<u128, Node> = FxHashMap::default();
        let mut open = BinaryHeap::new();
        let rest = bound.rest(&open_at, start);
        nodes.insert(
            start,
            Node {
                cost,
                rest,
                from: start,
                step: 0,
                closed: false,
            },
        );
        open.push(Reverse((cost + rest, Reverse(start.count_ones()), start)));
        let mut goal = None;
        let mut proven = None;
        let mut looked = 0;
        while let Some(Reverse((least, _, done))) = open.pop() {
            let Some(node) = nodes.get_mut(&done) else {
                continue;
            };
            if node.closed || least > node.cost + node.rest {
                continue;
            }
            if least >= best {
                break;
            }
            if looked >= budget {
                proven = Some(least);
                break;
            }
            let Some(node) = nodes.get_mut(&done) else {
                continue;
            };
            node.closed = true;
            let so_far = node.cost;
            let open_at = bound.open(done);
            for (step, next, cost) in self.ways(&bound, &open_at, done) {
                looked += 1;
                let cost = so_far + cost;
                let known = nodes.get(&next);
                if cost >= best || known.is_some_and(|k| k.cost <= cost) {
                    continue;
                }
                let rest = known.map_or_else(|| bound.rest(&open_at, next), |k| k.rest);
                if cost + rest >= best {
                    continue;
                }
                if self.heavy & !next == 0 {
                    best = cost;
                    goal = Some(next);
                }
                nodes.insert(
                    next,
                    Node {
                        cost,
                        rest,
                        from: done,
                        step,
                        closed: false,
                    },
                );
                open.push(Reverse((cost + rest, Reverse(next.count_ones()), next)));
            }
        }
        let order = goal.map_or(known, |g| self.way_to(&nodes, start, g));
        Found {
            order,
            cost: best,
            bound: proven.map_or(best, |p| p.min(best)),
        }
    }

    /// The steps of the cheapest way to a downset, and then all others.
    fn way_to(&self, nodes: &FxHashMap<u128, Node>, start: u128, goal: u128) -> Vec<usize> {
        let mut parts = vec![(goal, self.task.full(), None)];
        let mut at = goal;
        while at != start {
            let Some(node) = nodes.get(&at) else { break };
            parts.push((node.from, at, Some(node.step)));
            at = node.from;
        }
        parts.push((0, start, None));
        let mut order = Vec::with_capacity(self.task.n);
        for (from, to, step) in parts.into_iter().rev() {
            let mut done = from;
            let first = step.map_or(0, |s| self.before[s] & !from | 1 << s);
            for wanted in [first, to] {
                while let Some(s) = members(wanted & !done).find(|s| self.before[*s] & !done == 0) {
                    order.push(s);
                    done |= 1 << s;
                }
            }
        }
        order
    }
}
