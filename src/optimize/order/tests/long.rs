//! Longer stages, where not every order can be looked at.

use super::*;

/// A long stage of rows that change by chance, each step with one of the steps above before it.
fn long(seed: u64, n: usize) -> Problem {
    let mut chance = Chance(seed);
    let builds = 60;
    let mut rows = Vec::new();
    let mut before = vec![0u128; n];
    for s in 0..n {
        let mut now = 0;
        let every = 2 + chance.below(20);
        let mut next = |_| {
            now += u32::from(chance.one_in(every));
            now
        };
        rows.push((0..builds).map(&mut next).collect());
        if s > 0 && chance.one_in(2) {
            let a = chance.below(s as u64) as usize;
            if a < MAX_STEPS {
                before[s] = before[a] | 1 << a;
            }
        }
    }
    Problem {
        weights: (0..n).map(|_| chance.below(90) as f64 / 10.0).collect(),
        rows,
        before,
        alone: (0..n).map(|_| chance.one_in(9)).collect(),
        base: Partition::trivial(builds),
        policy: Policy::Local,
    }
}

/// The least an order of a dozen steps costs, by all downsets and nothing left out.
fn by_all_downsets(problem: &Problem) -> f64 {
    let n = problem.weights.len();
    let mut partitions = vec![problem.base.clone()];
    let mut least = vec![0.0f64];
    for set in 1u128..1 << n {
        let low = set.trailing_zeros() as usize;
        let rest = (set & (set - 1)) as usize;
        let partition = partitions[rest].refine(&problem.rows[low]);
        let runs = partition.executed(problem.policy) as f64;
        partitions.push(partition);
        let last = |s: usize| {
            let rest = set & !(1 << s);
            let own = match problem.alone[s] {
                true => executed(problem, 1 << s, false) as f64,
                false => runs,
            };
            let may = problem.before[s] & !rest == 0;
            may.then(|| least[rest as usize] + problem.weights[s] * own)
        };
        least.push(members(set).filter_map(last).fold(f64::INFINITY, f64::min));
    }
    least[(1 << n) - 1]
}

#[test]
fn a_dozen_steps_agree_with_all_downsets() {
    let mut chance = Chance(4242);
    let mut searched = 0;
    for number in 0..60 {
        let mut problem = long(1 + chance.below(1 << 40), 11);
        for (s, row) in problem.rows.iter_mut().enumerate() {
            // Some go back to what they were.
            row.truncate(24);
            if chance.one_in(2) {
                row.iter_mut().for_each(|v| *v %= 3 + s as u32 % 3);
            }
        }
        if chance.one_in(2) {
            problem.before.fill(0);
        }
        problem.base = Partition::trivial(24);
        problem.policy = chance.pick(&[Policy::Local, Policy::Local, Policy::Previous]);
        let least = by_all_downsets(&problem);
        let found = solve(&problem, 1 << 16);
        assert!(
            found.optimal && near(found.cost, least),
            "{number}: {found:?} {least}"
        );
        assert!(near(cost_of(&problem, &found.order), least), "{number}");
        for budget in [0, 10, 100, 1000] {
            let cut = solve(&problem, budget);
            assert!(
                cut.bound <= least * (1.0 + 1e-9),
                "{number}: {cut:?} {least}"
            );
            assert!(
                cut.cost >= least * (1.0 - 1e-9),
                "{number}: {cut:?} {least}"
            );
            assert!(!cut.optimal || near(cut.cost, least), "{number}");
            searched += usize::from(!cut.optimal);
        }
    }
    eprintln!(
        "60 stages of 11 steps agree with all downsets; {searched} of 240 searches were cut short"
    );
    assert!(searched > 20);
}

#[test]
fn as_many_steps_as_masks_hold() {
    for seed in 1..4 {
        let problem = long(seed * 77, MAX_STEPS);
        let author: Vec<usize> = (0..MAX_STEPS).collect();
        let found = solve(&problem, 300);
        assert!(legal(&problem.before, &found.order));
        assert!(found.cost < cost_of(&problem, &author));
        assert!(near(found.cost, cost_of(&problem, &found.order)));
        assert!(found.bound <= found.cost && found.bound > 0.0);
        let scorer = Scorer::new(&problem);
        assert!(found.bound >= scorer.dataflow_bound() * (1.0 - 1e-9));
    }
}

#[test]
fn more_steps_than_masks_hold_stay_with_an_honest_bound() {
    let problem = long(5, 140);
    let author: Vec<usize> = (0..140).collect();
    let found = solve(&problem, 1 << 10);
    assert_eq!(found.order, author);
    assert!(near(found.cost, cost_of(&problem, &author)));
    assert!(found.bound > 0.0 && found.bound < found.cost && !found.optimal);
    assert!(near(found.gap(), found.cost - found.bound));
    // Another legal order that is cheaper is not below it.
    let mut other = author.clone();
    other.sort_by_key(|s| (problem.before[*s] != 0, problem.rows[*s].last().copied()));
    let mut done = Vec::new();
    while done.len() < other.len() {
        let ready = |s: &&usize| {
            !done.contains(*s) && members(problem.before[**s]).all(|a| done.contains(&a))
        };
        let next = other.iter().find(ready).copied();
        done.extend(next);
    }
    assert!(found.bound <= cost_of(&problem, &done));
}

#[test]
fn small_and_large_weights_are_compared_alike() {
    for scale in [1e-6, 1e-3, 1.0, 1e3, 1e7, 1.0 / 3.0] {
        let problem = Problem {
            weights: [1.0, 1.0, 2.0].iter().map(|w| w * scale).collect(),
            rows: vec![
                vec![0, 1, 2, 3, 4],
                vec![0, 0, 0, 0, 1],
                vec![0, 0, 0, 1, 2],
            ],
            before: vec![0; 3],
            alone: vec![false; 3],
            base: Partition::trivial(5),
            policy: Policy::Local,
        };
        let found = solve(&problem, 1000);
        assert_eq!(found.order, [1, 2, 0], "{scale}");
        assert!(found.optimal);
        // With equal rows nothing is gained, however the sums are rounded.
        let problem = Problem {
            weights: (1..9).map(|w| w as f64 * scale * 0.1).collect(),
            rows: vec![vec![0, 1, 1, 2, 0]; 8],
            before: vec![0; 8],
            alone: vec![false; 8],
            base: Partition::trivial(5),
            policy: Policy::Local,
        };
        assert_eq!(solve(&problem, 1000).order, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
