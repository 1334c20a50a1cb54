//! What the steps that are left cost at least.
//!
//! Goes in: a downset that has run. Comes out: a sum below every way to go on. Two parts. Each step pays for what has run, for
//! the steps that must precede it and for itself. Then of any two steps that may stand either way round, one pays for the
//! other: a build that only one of them executes is *owned* by it (by one step, so that nothing is paid twice), and whoever
//! comes later pays for the builds of the other; the cheaper way round is a lower bound. For steps with nothing in common
//! that is the ratio rule for one machine, and exact. Owner of a build is the step that meets it first in the best order
//! known: with the order that is the cheapest, each build is owned by the one that makes it run.
//!
//! A build that runs only when several lists are met has no owner. There a step pays unless it comes before the first step of
//! some list, which is the same sum written the other way: it pays, and any of those pairs the other way round takes that
//! back. That is done for the steps that pay in the best order known.
//!
//! Where `j` must follow `a`, whatever comes before `a` comes before `j`, so what `j` pays for `i` may be claimed of the pair of
//! `i` and `a` instead. That is how a cheap COPY whose RUN is dear gets the weight that keeps it in front: each payment is
//! claimed of that step, among those that precede the payer, which owns most builds, if the best order known agrees.
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
    before: Vec<u128>,
    /// Steps with neither order given.
    free: Vec<u128>,
    /// Steps later in the order known.
    later: Vec<u128>,
    /// Builds that each step owns.
    owned: Vec<u64>,
    /// Place of each step in the order known.
    rank: Vec<usize>,
    singles: Vec<Single>,
    /// For each of them how many builds each step does not pay for anyhow.
    unpaid: Vec<u32>,
    /// Steps of each step's list, and what must follow it.
    reach: Vec<u128>,
    lanes: usize,
    most: u64,
    scratch: Sums,
    /// `[step][step]`: units if the first comes before the second.
    pairs: Vec<i64>,
}

/// Builds by `[step][payer]`, with as many lanes for payers as `lanes`.
#[derive(Clone, Default)]
struct Sums {
    /// What the payer pays if the step comes before it. The last row is of nobody: not paid, as far as is known.
    pays: Vec<u32>,
    /// What the payer gets back if it comes before the step.
    back: Vec<u32>,
}

enum Row {
    Pays,
    Back,
}

/// Steps one of which must have run before a build does.
#[derive(Clone, Copy)]
struct List {
    mask: u128,
    /// With those that follow one of them.
    reach: u128,
    /// The first of them in the order known.
    first: usize,
}

/// A downset and the builds that don't execute it yet.
pub struct Open {
    pub runs: u64,
    singles: Vec<u32>,
    /// Lists not met yet, and the builds that need all of a range of them.
    lists: Vec<List>,
    several: Vec<(Range<usize>, u32)>,
    sums: Sums,
    left: u128,
    /// `[step][payer]`: of whom the payment is claimed.
    claims: Vec<u8>,
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
        let free = (0..n).map(|s| task.full() & !(before[s] | after[s] | 1 << s));
        let later = |s: usize| {
            (0..n)
                .filter(|o| rank[*o] > rank[s])
                .fold(0, |m, o| m | 1 << o)
        };
        let mut owned = vec![0; n];
        for single in &singles {
            owned[single.owner] += single.count;
        }
        Self {
            task,
            before: before.to_vec(),
            free: free.collect(),
            later: (0..n).map(later).collect(),
            owned,
            rank,
            singles,
            unpaid,
            reach,
            lanes,
            most: task.columns.executed(task.full()),
            scratch: Sums::default(),
            pairs: vec![0; n * n],
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
            sums: Sums {
                pays: vec![0; (self.task.n + 1) * lanes],
                back: vec![0; self.task.n * lanes],
            },
            left: self.task.full() & !done,
            claims: vec![0; self.task.n * lanes],
        };
        for s in members(self.task.heavy() & out.left) {
            for i in members(self.free[s] & out.left) {
                out.claims[i * lanes + s] = self.claim(i, s, out.left) as u8;
            }
        }
        for (single, i) in self.singles.iter().zip(0u32..) {
            if single.mask & done == 0 {
                out.runs -= single.count;
                out.singles.push(i);
                let to = &mut out.sums.pays[single.owner * lanes..][..lanes];
                for (sum, n) in to.iter_mut().zip(self.unpaid(i)) {
                    *sum += n;
                }
            }
        }
        for (masks, count) in &self.task.columns.several {
            let start = out.lists.len();
            for mask in masks.iter().filter(|m| *m & done == 0) {
                let reach = members(*mask).fold(0, |m, s| m | self.reach[s]);
                let first = members(*mask).min_by_key(|s| self.rank[*s]);
                out.lists.push(List {
                    mask: *mask,
                    reach,
                    first: first.unwrap_or(0),
                });
            }
            if out.lists.len() > start {
                out.runs -= count;
                let count = *count as u32;
                self.charge(&out.lists[start..], count, out.left, &mut out.sums);
                out.several.push((start..out.lists.len(), count));
            }
        }
        out
    }

    /// Adds what is paid for builds that need all of some lists, none of them met. Sums wrap, so that `count` may be taken
    /// away again.
    fn charge(&self, lists: &[List], count: u32, left: u128, sums: &mut Sums) {
        let lanes = self.lanes;
        let payers = lists.iter().fold(u128::MAX, |m, l| m & l.reach);
        let mut add = |to: Row, step: usize, payers: u128| {
            let to = match to {
                Row::Pays => &mut sums.pays,
                Row::Back => &mut sums.back,
            };
            let to = &mut to[step * lanes..][..lanes];
            for s in members(payers) {
                to[s] = to[s].wrapping_add(count);
            }
        };
        let mut rest = left & !payers;
        let owner = members(payers).min_by_key(|s| self.rank[*s]);
        if let Some(owner) = owner {
            add(Row::Pays, owner, rest & self.later[owner]);
            rest &= !self.later[owner];
        }
        let each = |m, l: &List| m & (l.reach | self.later[l.first] & self.free[l.first]);
        let by_lists = lists.iter().fold(rest, each);
        add(Row::Pays, owner.unwrap_or(self.task.n), rest & !by_lists);
        if by_lists == 0 {
            return;
        }
        for (i, list) in lists.iter().enumerate() {
            // Lists with one and the same first step are one pair.
            let same = |l: &&List| l.first == list.first;
            if !lists[..i].iter().any(|l| same(&l)) {
                let met = lists[i..]
                    .iter()
                    .filter(same)
                    .fold(u128::MAX, |m, l| m & l.reach);
                add(Row::Back, list.first, by_lists & !met);
            }
        }
    }

    /// Of whom it is claimed what `payer` pays if `step` comes before it.
    fn claim(&self, step: usize, payer: usize, left: u128) -> usize {
        let mut may = self.before[payer] & left & self.free[step];
        if self.later[step] >> payer & 1 == 1 {
            may &= self.later[step];
        }
        members(may).fold(payer, |best, s| match self.owned[s] > self.owned[best] {
            true => s,
            false => best,
        })
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
            for list in lists.iter().filter(|l| l.mask & done == 0) {
                each &= list.mask;
            }
            if each == u128::MAX {
                runs += u64::from(*count);
            } else {
                adds |= each;
            }
        }
        Look { runs, adds }
    }

    /// Units that the steps outside a downset, which holds an open one, cost at least.
    pub fn rest(&mut self, open: &Open, done: u128) -> u64 {
        let lanes = self.lanes;
        let left = open.left & !done;
        if left == 0 {
            return 0;
        }
        let mut sums = std::mem::take(&mut self.scratch);
        sums.pays.clone_from(&open.sums.pays);
        sums.back.clone_from(&open.sums.back);
        for i in &open.singles {
            let single = &self.singles[*i as usize];
            if single.mask & done != 0 {
                let to = &mut sums.pays[single.owner * lanes..][..lanes];
                for (sum, n) in to.iter_mut().zip(self.unpaid(*i)) {
                    *sum -= n;
                }
            }
        }
        let mut unmet = Vec::new();
        for (range, count) in &open.several {
            let lists = &open.lists[range.clone()];
            if lists.iter().all(|l| l.mask & done == 0) {
                continue;
            }
            self.charge(lists, count.wrapping_neg(), open.left, &mut sums);
            unmet.clear();
            unmet.extend(lists.iter().filter(|l| l.mask & done == 0));
            if !unmet.is_empty() {
                self.charge(&unmet, *count, open.left, &mut sums);
            }
        }
        let sum = self.sum(open, &sums, left);
        self.scratch = sums;
        sum
    }

    fn sum(&mut self, open: &Open, sums: &Sums, left: u128) -> u64 {
        let (n, lanes) = (self.task.n, self.lanes);
        let mut unpaid = [0u32; 128];
        for row in sums.pays.chunks_exact(lanes) {
            for (sum, n) in unpaid.iter_mut().zip(row) {
                *sum += n;
            }
        }
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.fill(0);
        let mut sum = 0i64;
        for s in members(self.task.heavy() & left) {
            let weight = self.task.weights[s] as i64;
            sum += weight * i64::from(self.most as u32 - unpaid[s]);
            for i in members(self.free[s] & left) {
                let at = i * lanes + s;
                let (pays, back) = (sums.pays[at], sums.back[at]);
                if pays == 0 && back == 0 {
                    continue;
                }
                let mut of = usize::from(open.claims[at]);
                if left >> of & 1 == 0 {
                    of = self.claim(i, s, left);
                }
                pairs[i * n + of] += weight * i64::from(pays);
                pairs[of * n + i] -= weight * i64::from(back);
            }
        }
        for s in members(left) {
            for other in members(self.free[s] & left & (u128::MAX << s)) {
                sum += pairs[s * n + other].min(pairs[other * n + s]);
            }
        }
        self.pairs = pairs;
        sum.max(0) as u64
    }
}
