//! What the steps that are left cost at least.
//!
//! Goes in: a downset that has run. Comes out: a sum below every way to go on. Two parts. Each step pays for what has run, for
//! the steps that must precede it and for itself. Then of any two steps that may stand either way round, one pays for the
//! other: a build that only one of them executes is *owned* by it (by one step, so that nothing is paid twice), and whoever
//! comes later pays for the builds of the other; the cheaper way round is a lower bound. For steps with nothing in common
//! that is the ratio rule for one machine, and exact. Owner of a build is the step that meets it first in the best order
//! known: with the order that is the cheapest, each build is owned by the one that makes it run.

use super::columns::hits_all;
use super::members;
use super::task::{Task, after};

struct Single {
    mask: u128,
    count: u64,
    /// Steps that pay for it, whatever the order: they are in it, or follow one that is.
    paid: u128,
    owner: usize,
}

/// The bound of one task.
pub struct Bound<'a> {
    task: &'a Task,
    before: &'a [u128],
    /// Steps with neither order given.
    free: Vec<u128>,
    rank: Vec<usize>,
    singles: Vec<Single>,
    /// `[owner][later]`: builds that `later` pays for if it follows `owner`.
    pays: Vec<u64>,
    most: u64,
}

impl<'a> Bound<'a> {
    /// `before` may hold more than the task's own pairs; `known` is a good legal order.
    pub fn new(task: &'a Task, before: &'a [u128], known: &[usize]) -> Self {
        let n = task.n;
        let after = after(before);
        let mut rank = vec![0; n];
        for (r, s) in known.iter().enumerate() {
            rank[*s] = r;
        }
        let single = |(mask, count): &(u128, u64)| Single {
            mask: *mask,
            count: *count,
            paid: members(*mask).fold(*mask, |m, s| m | after[s]),
            owner: members(*mask).min_by_key(|s| rank[*s]).unwrap_or(0),
        };
        let mut singles: Vec<Single> = task.columns.single.iter().map(single).collect();
        singles.sort_by_key(|s| (s.owner, s.paid));
        let heavy = task.heavy();
        let free = (0..n).map(|s| heavy & !(before[s] | after[s] | 1 << s));
        Self {
            task,
            before,
            free: free.collect(),
            rank,
            singles,
            pays: vec![0; n * n],
            most: task.columns.executed(task.full()),
        }
    }

    /// Units that the steps outside a downset cost at least.
    pub fn rest(&mut self, done: u128) -> u64 {
        let n = self.task.n;
        let left = self.task.heavy() & !done;
        if left == 0 {
            return 0;
        }
        self.pays.fill(0);
        let mut unpaid = [0u64; 128];
        for single in self.singles.iter().filter(|s| s.mask & done == 0) {
            let row = &mut self.pays[single.owner * n..(single.owner + 1) * n];
            for s in members(left & !single.paid) {
                row[s] += single.count;
                unpaid[s] += single.count;
            }
        }
        for (masks, count) in &self.task.columns.several {
            if hits_all(masks, done) {
                continue;
            }
            let pays = |s: &usize| hits_all(masks, done | self.before[*s] | 1 << *s);
            let owner = members(self.task.full() & !done).filter(pays);
            let owner = owner.min_by_key(|s| self.rank[*s]);
            for s in members(left).filter(|s| !pays(s)) {
                unpaid[s] += count;
                if let Some(owner) = owner {
                    self.pays[owner * n + s] += count;
                }
            }
        }
        let weights = &self.task.weights;
        let mut sum = 0;
        for s in members(left) {
            sum += weights[s] * (self.most - unpaid[s]);
            for other in members(self.free[s] & left & (u128::MAX << s)) {
                let first = weights[other] * self.pays[s * n + other];
                let second = weights[s] * self.pays[other * n + s];
                sum += first.min(second);
            }
        }
        sum
    }
}
