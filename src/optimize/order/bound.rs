//! What the steps that are left cost at least.
//!
//! Goes in: a downset that has run. Comes out: a sum below every way to go on. Two parts. Each step pays for what has run, for
//! the steps that must precede it and for itself. Then of any two steps that may stand either way round, one pays for the
//! other: a build that only one of them executes is *owned* by it (by one step, so that nothing is paid twice), and whoever
//! comes later pays for the builds of the other; the cheaper way round is a lower bound. For steps with nothing in common
//! that is the ratio rule for one machine, and exact. Owner of a build is the step that meets it first in the best order
//! known: with the order that is the cheapest, each build is owned by the one that makes it run.
//!
//! Sums are kept by owner and payer. Those of a downset are those of the one before it, less the builds that the step in
//! between executes.

use super::members;
use super::task::{Task, after};
use std::ops::Range;

struct Single {
    mask: u128,
    count: u64,
    owner: usize,
}

/// The bound of one task.
pub struct Bound<'a> {
    task: &'a Task,
    /// Steps with neither order given, of those with a weight.
    free: Vec<u128>,
    /// Steps, the first in the order known first.
    known: Vec<usize>,
    singles: Vec<Single>,
    /// For each of them how many builds each step does not pay for anyhow.
    unpaid: Vec<u32>,
    /// Steps of each step's list, and what must follow it.
    reach: Vec<u128>,
    lanes: usize,
    most: u64,
    scratch: Vec<u32>,
}

/// A downset and the builds that don't execute it yet.
pub struct Open {
    pub runs: u64,
    singles: Vec<u32>,
    /// Lists not met yet, each with the steps that pay for meeting it; and the builds that need all of a range of them.
    lists: Vec<(u128, u128)>,
    several: Vec<(Range<usize>, u64)>,
    /// `[owner][payer]`
    pays: Vec<u32>,
}

/// What executes a downset.
pub struct Look {
    pub runs: u64,
    /// Steps that would add builds.
    pub adds: u128,
}

impl<'a> Bound<'a> {
    /// `before` may hold more than the task's own pairs; `known` is a good legal order.
    pub fn new(task: &'a Task, before: &[u128], known: &[usize]) -> Self {
        let n = task.n;
        let after = after(before);
        let mut rank = vec![0; n];
        for (r, s) in known.iter().enumerate() {
            rank[*s] = r;
        }
        let reach: Vec<u128> = (0..n).map(|s| after[s] | 1 << s).collect();
        let single = |(mask, count): &(u128, u64)| Single {
            mask: *mask,
            count: *count,
            owner: members(*mask).min_by_key(|s| rank[*s]).unwrap_or(0),
        };
        let singles: Vec<Single> = task.columns.single.iter().map(single).collect();
        let lanes = n.next_multiple_of(8);
        let mut unpaid = vec![0; singles.len() * lanes];
        for (single, row) in singles.iter().zip(unpaid.chunks_exact_mut(lanes.max(1))) {
            let paid = members(single.mask).fold(0, |m, s| m | reach[s]);
            for s in members(task.full() & !paid) {
                row[s] = single.count as u32;
            }
        }
        let heavy = task.heavy();
        let free = (0..n).map(|s| heavy & !(before[s] | after[s] | 1 << s));
        Self {
            task,
            free: free.collect(),
            known: known.to_vec(),
            singles,
            unpaid,
            reach,
            lanes,
            most: task.columns.executed(task.full()),
            scratch: Vec::new(),
        }
    }

    /// Units that every order costs at least.
    pub fn least(&mut self) -> u64 {
        let open = self.open(0);
        self.rest(&open, 0)
    }

    /// A downset, for what follows it.
    pub fn open(&self, done: u128) -> Open {
        let lanes = self.lanes;
        let mut out = Open {
            runs: self.most,
            singles: Vec::new(),
            lists: Vec::new(),
            several: Vec::new(),
            pays: vec![0; (self.task.n + 1) * lanes],
        };
        for (single, i) in self.singles.iter().zip(0u32..) {
            if single.mask & done == 0 {
                out.runs -= single.count;
                out.singles.push(i);
                let to = &mut out.pays[single.owner * lanes..][..lanes];
                for (sum, n) in to.iter_mut().zip(self.unpaid(i)) {
                    *sum += n;
                }
            }
        }
        for (masks, count) in &self.task.columns.several {
            let start = out.lists.len();
            for mask in masks.iter().filter(|m| *m & done == 0) {
                let reach = members(*mask).fold(0, |m, s| m | self.reach[s]);
                out.lists.push((*mask, reach));
            }
            if out.lists.len() > start {
                out.runs -= count;
                out.several.push((start..out.lists.len(), *count));
            }
        }
        out
    }

    fn unpaid(&self, single: u32) -> &[u32] {
        &self.unpaid[single as usize * self.lanes..][..self.lanes]
    }

    /// Builds that execute a downset that holds an open one.
    pub fn look(&self, open: &Open, done: u128) -> Look {
        let (mut runs, mut adds) = (open.runs, 0);
        for i in &open.singles {
            let single = &self.singles[*i as usize];
            if single.mask & done == 0 {
                adds |= single.mask;
            } else {
                runs += single.count;
            }
        }
        for (range, count) in &open.several {
            let mut each = u128::MAX;
            let lists = &open.lists[range.clone()];
            for (mask, _) in lists.iter().filter(|(m, _)| m & done == 0) {
                each &= mask;
            }
            if each == u128::MAX {
                runs += count;
            } else {
                adds |= each;
            }
        }
        Look { runs, adds }
    }

    /// Units that the steps outside a downset, which holds an open one, cost at least.
    pub fn rest(&mut self, open: &Open, done: u128) -> u64 {
        let (n, lanes) = (self.task.n, self.lanes);
        let left = self.task.heavy() & !done;
        if left == 0 {
            return 0;
        }
        let mut pays = std::mem::take(&mut self.scratch);
        pays.clear();
        pays.extend_from_slice(&open.pays);
        for i in &open.singles {
            let single = &self.singles[*i as usize];
            if single.mask & done != 0 {
                let to = &mut pays[single.owner * lanes..][..lanes];
                for (sum, n) in to.iter_mut().zip(self.unpaid(*i)) {
                    *sum -= n;
                }
            }
        }
        for (range, count) in &open.several {
            let mut payers = u128::MAX;
            for (mask, reach) in &open.lists[range.clone()] {
                if mask & done == 0 {
                    payers &= reach;
                }
            }
            if payers == u128::MAX {
                continue;
            }
            let owner = match payers {
                0 => None,
                _ => self.known.iter().find(|s| payers >> **s & 1 == 1),
            };
            let to = &mut pays[owner.map_or(n, |s| *s) * lanes..][..lanes];
            for s in members(left & !payers) {
                to[s] += *count as u32;
            }
        }
        let mut unpaid = [0u32; 128];
        for row in pays.chunks_exact(lanes) {
            for (sum, n) in unpaid.iter_mut().zip(row) {
                *sum += n;
            }
        }
        let weights = &self.task.weights;
        let mut sum = 0;
        for s in members(left) {
            sum += weights[s] * (self.most - u64::from(unpaid[s]));
            for other in members(self.free[s] & left & (u128::MAX << s)) {
                let first = weights[other] * u64::from(pays[s * lanes + other]);
                let second = weights[s] * u64::from(pays[other * lanes + s]);
                sum += first.min(second);
            }
        }
        self.scratch = pays;
        sum
    }
}
