//! What a build takes on the clock where only so many steps are at work at a time.
//!
//! Goes in: a replay and the seconds of its steps. Comes out: seconds of every build for a number of workers. A step is ready when all that it
//! waits for is done, and steps that are ready start in the order in which they became so, as the builder's queue has it (its
//! `max-parallelism`); what is cached takes no worker. Costs a sort of the steps that run for every build unlike those before. Invariant: with one
//! worker it is the work, with no limit the longest chain of steps, and with any number it lies between.

use super::replay::{BuildOutcome, Outcome};
use super::score::predecessors;
use super::store::Verdict;
use crate::plan::Plan;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// How many steps may be at work at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Workers {
    /// So many; one at least.
    Some(u32),
    /// As many as are ready, which is BuildKit's default.
    Unlimited,
}

impl Workers {
    fn most(self) -> usize {
        match self {
            Self::Some(n) => n.max(1) as usize,
            Self::Unlimited => usize::MAX,
        }
    }
}

/// Seconds on the clock of builds, by number of workers.
pub struct Clock<'a> {
    before: Vec<Vec<Vec<usize>>>,
    one_by_one: Vec<bool>,
    seconds: &'a [Vec<f64>],
    warm: &'a [Vec<f64>],
}

impl<'a> Clock<'a> {
    /// A clock for builds of these plans; `seconds` and `warm` as [`super::build_costs`] has them.
    #[must_use]
    pub fn new(plans: &[&Plan], seconds: &'a [Vec<f64>], warm: &'a [Vec<f64>]) -> Self {
        Self {
            before: plans.iter().map(|p| predecessors(p)).collect(),
            one_by_one: plans.iter().map(|p| p.builder.sequential).collect(),
            seconds,
            warm,
        }
    }

    /// Seconds of every build; what may run is counted as running, and a build without a plan as nothing.
    #[must_use]
    pub fn builds(&self, outcome: &Outcome, workers: Workers) -> Vec<f64> {
        // Most builds of a history are alike.
        let mut known: FxHashMap<(usize, Vec<u64>), f64> = FxHashMap::default();
        let mut one = |b: &BuildOutcome| {
            let Some(plan) = b.plan else {
                return 0.0;
            };
            let takes = self.takes(b, plan);
            let key = (plan, takes.iter().map(|s| s.to_bits()).collect());
            *known.entry(key).or_insert_with(|| {
                let workers = match self.one_by_one[plan] {
                    true => Workers::Some(1),
                    false => workers,
                };
                makespan(&self.before[plan], &b.same_as, &takes, workers)
            })
        };
        outcome.builds.iter().map(&mut one).collect()
    }

    /// What each step of a build takes, in seconds.
    fn takes(&self, build: &BuildOutcome, plan: usize) -> Vec<f64> {
        let one = |(i, verdict): (usize, &Verdict)| match verdict {
            Verdict::Cached => 0.0,
            _ => build.takes(i, &self.seconds[plan], &self.warm[plan]),
        };
        build.verdicts.iter().enumerate().map(one).collect()
    }
}

/// A moment, to be sorted by.
#[derive(Clone, Copy, PartialEq)]
struct At(f64);

impl Eq for At {}

impl PartialOrd for At {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for At {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// When the last step is done. `before` are the steps that each waits for, all of lower positions; `same_as` the one
/// that does its work.
fn makespan(before: &[Vec<usize>], same_as: &[u32], takes: &[f64], workers: Workers) -> f64 {
    let of = |i: usize| same_as.get(i).map_or(i, |s| *s as usize);
    let mut waits = vec![0usize; before.len()];
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); before.len()];
    for (i, list) in before.iter().enumerate().filter(|(i, _)| of(*i) == *i) {
        let mut list: Vec<usize> = list.iter().map(|b| of(*b)).collect();
        list.sort_unstable();
        list.dedup();
        waits[i] = list.len();
        for b in list {
            behind[b].push(i);
        }
    }
    let mut ready: Vec<usize> = (0..before.len())
        .filter(|i| of(*i) == *i && waits[*i] == 0)
        .collect();
    let mut running: BinaryHeap<Reverse<(At, usize)>> = BinaryHeap::new();
    // Steps that wait for a worker, in the order in which they became ready, and those of one moment in that of the file.
    let mut queue: VecDeque<usize> = VecDeque::new();
    let mut now = 0.0;
    loop {
        while !ready.is_empty() {
            ready.sort_unstable();
            for i in std::mem::take(&mut ready) {
                if takes[i] > 0.0 {
                    queue.push_back(i);
                } else {
                    done(i, &behind, &mut waits, &mut ready);
                }
            }
        }
        while running.len() < workers.most()
            && let Some(i) = queue.pop_front()
        {
            running.push(Reverse((At(now + takes[i]), i)));
        }
        let Some(Reverse((At(end), i))) = running.pop() else {
            return now;
        };
        now = end;
        done(i, &behind, &mut waits, &mut ready);
        // All that ends in this moment, before anything else begins.
        while let Some(Reverse((_, i))) = running.peek().filter(|Reverse((at, _))| at.0 == end) {
            done(*i, &behind, &mut waits, &mut ready);
            running.pop();
        }
    }
}

/// A step is done: those that waited for it alone are ready.
fn done(i: usize, behind: &[Vec<usize>], waits: &mut [usize], ready: &mut Vec<usize>) {
    for next in &behind[i] {
        waits[*next] -= 1;
        if waits[*next] == 0 {
            ready.push(*next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wall(before: &[&[usize]], takes: &[f64], workers: u32) -> f64 {
        let before: Vec<Vec<usize>> = before.iter().map(|b| b.to_vec()).collect();
        let own: Vec<u32> = (0..before.len() as u32).collect();
        let workers = match workers {
            0 => Workers::Unlimited,
            n => Workers::Some(n),
        };
        makespan(&before, &own, takes, workers)
    }

    #[test]
    fn steps_wait_for_a_worker_in_the_order_in_which_they_are_ready() {
        // Three branches of 10, 6 and 5 seconds, and a step of 1 that waits for all.
        let before: [&[usize]; 4] = [&[], &[], &[], &[0, 1, 2]];
        let takes = [10.0, 6.0, 5.0, 1.0];
        assert_eq!(wall(&before, &takes, 1), 22.0);
        assert_eq!(wall(&before, &takes, 2), 12.0);
        assert_eq!(wall(&before, &takes, 0), 11.0);
        // The longest comes last and finds no worker: the queue knows no better.
        assert_eq!(wall(&before, &[5.0, 6.0, 10.0, 1.0], 2), 16.0);
        // What is cached takes none, and what waits for it is ready at once.
        assert_eq!(wall(&before, &[0.0, 6.0, 10.0, 1.0], 2), 11.0);
        assert_eq!(wall(&before, &[0.0; 4], 2), 0.0);
    }

    #[test]
    fn a_vertex_of_two_stages_runs_once() {
        let before = [vec![], vec![], vec![0], vec![1]];
        let takes = [4.0, 4.0, 1.0, 2.0];
        let wall = |w| makespan(&before, &[0, 0, 2, 3], &takes, w);
        assert_eq!(wall(Workers::Some(1)), 7.0);
        assert_eq!(wall(Workers::Unlimited), 6.0);
    }

    /// Up to 9 steps: for each the ones before it that it waits for, the step it is the same as, and its seconds.
    fn graphs() -> impl Strategy<Value = (Vec<Vec<usize>>, Vec<f64>)> {
        let step = (any::<u16>(), 0u8..6);
        proptest::collection::vec(step, 1..10).prop_map(|steps| {
            let before = |(i, (mask, _)): (usize, &(u16, u8))| {
                (0..i).filter(|b| mask >> b & 1 == 1).collect::<Vec<_>>()
            };
            let takes = steps.iter().map(|(_, s)| f64::from(*s)).collect();
            (steps.iter().enumerate().map(before).collect(), takes)
        })
    }

    /// Second by second: every step that can start does, the earliest ready first.
    fn ticked(before: &[Vec<usize>], takes: &[f64], workers: usize) -> f64 {
        let n = before.len();
        let (mut ready, mut start, mut end) = (vec![None; n], vec![None::<u32>; n], vec![None; n]);
        let mut order: Vec<usize> = Vec::new();
        for now in 0u32..1000 {
            // What ends now frees others, which may take no time at all.
            let mut ends: Vec<usize> = (0..n)
                .filter(|i| end[*i].is_none())
                .filter(|i| start[*i].is_some_and(|s| s + takes[*i] as u32 == now))
                .collect();
            ends.sort_unstable();
            for i in ends {
                end[i] = Some(now);
            }
            loop {
                let free: Vec<usize> = (0..n)
                    .filter(|i| ready[*i].is_none() && before[*i].iter().all(|b| end[*b].is_some()))
                    .collect();
                if free.is_empty() {
                    break;
                }
                for i in free {
                    ready[i] = Some(now);
                    match takes[i] > 0.0 {
                        true => order.push(i),
                        false => end[i] = Some(now),
                    }
                }
            }
            if end.iter().all(Option::is_some) {
                return f64::from(now);
            }
            let at_work = |start: &[Option<u32>]| {
                (0..n)
                    .filter(|i| start[*i].is_some() && end[*i].is_none())
                    .count()
            };
            while at_work(&start) < workers && !order.is_empty() {
                start[order.remove(0)] = Some(now);
            }
        }
        unreachable!("every graph comes to an end")
    }

    proptest! {
        #[test]
        fn more_than_the_chain_and_less_than_the_work((before, takes) in graphs()) {
            let own: Vec<u32> = (0..before.len() as u32).collect();
            let wall = |w| makespan(&before, &own, &takes, w);
            let work: f64 = takes.iter().sum();
            prop_assert_eq!(wall(Workers::Some(1)), work);
            let mut chain = vec![0.0f64; before.len()];
            for i in 0..before.len() {
                chain[i] = before[i].iter().map(|b| chain[*b]).fold(0.0, f64::max) + takes[i];
            }
            let chain = chain.into_iter().fold(0.0, f64::max);
            prop_assert_eq!(wall(Workers::Unlimited), chain);
            prop_assert_eq!(wall(Workers::Some(9)), chain);
            for n in 2..5u32 {
                let some = wall(Workers::Some(n));
                prop_assert!(chain <= some && some <= work);
                // Graham: no worker idles while a step is ready.
                prop_assert!(some <= work / f64::from(n) + chain + 1e-9);
            }
        }

        #[test]
        fn as_second_by_second((before, takes) in graphs(), workers in 1usize..4) {
            let own: Vec<u32> = (0..before.len() as u32).collect();
            let found = makespan(&before, &own, &takes, Workers::Some(workers as u32));
            prop_assert_eq!(found, ticked(&before, &takes, workers));
        }
    }
}
