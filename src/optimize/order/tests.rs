//! The brute-force twin: every legal order of small stages, with executed builds counted by comparing tuples of versions.

mod long;

use super::*;
use crate::simulate::Horizon;
use task::legal;

/// A small generator with a fixed seed, so that the number of cases is exact.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// A problem, its weights as whole numbers and what one of them is in seconds.
struct Case {
    problem: Problem,
    whole: Vec<u64>,
    unit: f64,
}

fn case(chance: &mut Chance, policy: Policy) -> Case {
    let n = 1 + chance.below(8) as usize;
    let builds = 1 + chance.below(12) as usize;
    let stay = chance.pick(&[0, 1, 2, 5]);
    let versions = chance.pick(&[2, 4, 12]);
    let row = |chance: &mut Chance, versions: u64| -> Vec<u32> {
        let mut now = 0;
        let mut next = |_| {
            if chance.below(stay + 1) == 0 {
                now = chance.below(versions) as u32;
            }
            now
        };
        (0..builds).map(&mut next).collect()
    };
    let mut rows: Vec<Vec<u32>> = (0..n).map(|_| row(chance, versions)).collect();
    for s in 1..n {
        match chance.below(8) {
            0 => rows[s] = rows[s - 1].clone(),
            1 => rows[s] = vec![0; builds],
            // Coarser than another one.
            2 => rows[s] = rows[s - 1].iter().map(|v| v / 2).collect(),
            _ => {}
        }
    }
    let few = chance.pick(&[0, 10, 4, 2]);
    let mut before = vec![0u128; n];
    for j in 0..n {
        for i in 0..j {
            if few > 0 && chance.one_in(few) {
                before[j] |= before[i] | (1 << i);
            }
        }
    }
    let largest = chance.pick(&[2, 4, 20, 3000]);
    let whole: Vec<u64> = (0..n).map(|_| chance.below(largest)).collect();
    let unit = chance.pick(&[1.0, 0.1, 0.001, 1000.0, 0.25]);
    let base = match chance.one_in(2) {
        true => Partition::trivial(builds),
        false => Partition::from_ids(row(chance, 2)),
    };
    Case {
        problem: Problem {
            weights: whole.iter().map(|w| *w as f64 * unit).collect(),
            rows,
            before,
            alone: (0..n).map(|_| chance.one_in(7)).collect(),
            base,
            policy,
        },
        whole,
        unit,
    }
}

/// Builds, the first left out, whose tuple of versions was not there before, for the steps of a mask.
fn executed(problem: &Problem, mask: u128, based: bool) -> u64 {
    let same = |t: usize, u: usize| {
        let base = problem.base.ids();
        (!based || base[t] == base[u])
            && members(mask).all(|s| problem.rows[s][t] == problem.rows[s][u])
    };
    let runs = |t: &usize| match problem.policy.horizon() {
        Horizon::All => !(0..*t).any(|u| same(*t, u)),
        Horizon::Last => !same(*t, t - 1),
        Horizon::Nothing => true,
    };
    (1..problem.base.len()).filter(runs).count() as u64
}

/// What the best of all legal orders costs and changes. Orders that have already cost more than another are not followed to
/// their end.
struct Brute<'a> {
    case: &'a Case,
    sets: Vec<u64>,
    alone: Vec<u64>,
    best: (u64, usize, usize),
    order: Vec<usize>,
}

fn brute(case: &Case) -> Brute<'_> {
    let problem = &case.problem;
    let n = problem.weights.len();
    let mut brute = Brute {
        case,
        sets: (0..1 << n).map(|m| executed(problem, m, true)).collect(),
        alone: (0..n).map(|s| executed(problem, 1 << s, false)).collect(),
        best: (u64::MAX, 0, 0),
        order: Vec::new(),
    };
    brute.go_on(0, 0);
    brute
}

impl Brute<'_> {
    fn step(&self, done: u128, s: usize) -> u64 {
        let runs = match self.case.problem.alone[s] {
            true => self.alone[s],
            false => self.sets[(done | 1 << s) as usize],
        };
        self.case.whole[s] * runs
    }

    fn cost(&self, order: &[usize]) -> u64 {
        let mut done = 0;
        let step = |s: &usize| {
            let cost = self.step(done, *s);
            done |= 1 << s;
            cost
        };
        order.iter().map(step).sum()
    }

    fn go_on(&mut self, done: u128, cost: u64) {
        let n = self.case.whole.len();
        if cost > self.best.0 {
            return;
        }
        if self.order.len() == n {
            let moved = crate::rewrite::reorder::moved(&self.order).len();
            let places = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
            let pairs = places.filter(|(i, j)| self.order[*i] > self.order[*j]);
            self.best = self.best.min((cost, moved, pairs.count()));
            return;
        }
        for s in 0..n {
            if done >> s & 1 == 1 || self.case.problem.before[s] & !done != 0 {
                continue;
            }
            self.order.push(s);
            self.go_on(done | 1 << s, cost + self.step(done, s));
            self.order.pop();
        }
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Compares the exact answer with all orders, and what a search cut short says.
fn compare(seed: u64, count: usize, policy: Policy) {
    let mut chance = Chance(seed);
    let (mut moved, mut cut_short, mut gaps) = (0, 0, 0);
    for number in 0..count {
        let case = case(&mut chance, policy);
        let problem = &case.problem;
        let again = brute(&case);
        let best = again.best;
        let least = best.0 as f64 * case.unit;
        let found = solve(problem, 1 << 15);
        assert!(
            legal(&problem.before, &found.order),
            "{number}: {problem:?}"
        );
        let answer = (again.cost(&found.order), ties::change(&found.order));
        assert_eq!(
            answer,
            (best.0, (best.1, best.2)),
            "{number}: {found:?} {problem:?}"
        );
        assert!(found.optimal && found.gap() == 0.0, "{number}: {found:?}");
        assert!(near(found.cost, least), "{number}: {found:?} {least}");
        assert!(Scorer::new(problem).dataflow_bound() <= found.cost * (1.0 + 1e-9) + 1e-12);
        moved += usize::from(best.1 > 0);

        for budget in [[0], [3]][number % 2] {
            let cut = solve(problem, budget);
            assert!(legal(&problem.before, &cut.order), "{number}");
            let cost = again.cost(&cut.order);
            assert!(
                cost >= best.0 && near(cut.cost, cost as f64 * case.unit),
                "{number}"
            );
            assert!(
                cut.bound <= least * (1.0 + 1e-9),
                "{number}: {cut:?} {least} {problem:?}"
            );
            assert!(near(cut.cost - cut.bound, cut.gap()), "{number}");
            assert!(!cut.optimal || cost == best.0, "{number}");
            let author: Vec<usize> = (0..case.whole.len()).collect();
            assert!(cost <= again.cost(&author), "{number}");
            cut_short += 1;
            gaps += usize::from(cut.gap() > 0.0);
            assert_eq!(cut.optimal, cut.gap() == 0.0, "{number}");
        }
    }
    eprintln!(
        "{count} stages under {policy:?}: all orders agree; {moved} change; of {cut_short} searches cut short {gaps} tell a gap"
    );
}

#[test]
fn all_orders_agree_under_local() {
    compare(0x9e37_79b9_7f4a_7c15, 5000, Policy::Local);
}

#[test]
fn all_orders_agree_under_previous() {
    compare(0x2545_f491_4f6c_dd1d, 2000, Policy::Previous);
}

#[test]
fn ties_beyond_the_budget_are_moved_back_one_by_one() {
    let mut chance = Chance(99);
    let (mut same, mut all) = (0, 0);
    while all < 300 {
        let case = case(&mut chance, Policy::Local);
        let best = brute(&case).best;
        if best.1 == 0 {
            continue;
        }
        let task = &Task::new(&case.problem);
        let author: Vec<usize> = (0..task.n).collect();
        let found = branch::search(task, local::search(task, &author), 1 << 15);
        assert!(ties::exact(task, &found.order, found.cost, 0).is_none());
        let order = ties::polish(task, found.order.clone());
        assert!(legal(&task.before, &order) && task.cost(&order) == found.cost);
        assert!(ties::change(&order) <= ties::change(&found.order));
        all += 1;
        same += usize::from(ties::change(&order) == (best.1, best.2));
    }
    eprintln!("{same} of {all} stages that change end with the least change all the same");
    assert!(same * 10 >= all * 8);
}
