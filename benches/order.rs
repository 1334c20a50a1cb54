//! Orders of a stage's steps: the score of one, and the exact search.
//!
//! `order` is 8 and 12 free steps, stages of 30 steps over 5,000 builds of every generated family (`order/stages.rs`; each
//! iteration is the next of 20 stages), and 59 stages of 2 to 15 steps in one iteration. Before that every stage of 30 steps
//! is solved once, and it is printed how many are proven, how long they took and how large the largest gap is.
//!
//! `score` is one candidate of 20 steps over 5,000 builds, beside it the same sum from tuples of versions, numbered step by
//! step. `history` is what repositories look like (three builds in four change nothing that counts, five in a thousand take
//! something back); in `worst` no two builds are alike.

#[path = "order/stages.rs"]
mod stages;

use cacheplan::optimize::order::{Problem, Scorer, cost_of, solve};
use cacheplan::optimize::partition::Partition;
use cacheplan::simulate::Policy;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn problem(steps: usize) -> Problem {
    let builds = 500;
    let row = |s: usize| {
        (0..builds)
            .map(|t| u32::try_from(t / (3 + 7 * s)).unwrap_or(0))
            .collect()
    };
    Problem {
        weights: (0..steps).map(|s| (s * 7 % 5 + 1) as f64).collect(),
        rows: (0..steps).map(row).collect(),
        before: vec![0; steps],
        alone: vec![false; steps],
        base: Partition::trivial(builds),
        policy: Policy::Local,
    }
}

fn of_rows(rows: Vec<Vec<u32>>) -> Problem {
    let steps = rows.len();
    Problem {
        base: Partition::trivial(rows[0].len()),
        rows,
        ..problem(steps)
    }
}

/// Rows that change by chance, the later ones less often, and now and then back.
fn history(steps: u32, builds: usize) -> Vec<Vec<u32>> {
    let mut state = 1u32;
    let mut chance = |one_in: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8).is_multiple_of(one_in)
    };
    let mut row = |s: u32| {
        let (mut now, mut most) = (0, 0);
        let mut next = |_| {
            if chance(10 * (s + 1)) {
                let back = chance(70) && now > 0;
                most += u32::from(!back);
                now = if back { now - 1 } else { most };
            }
            now
        };
        (0..builds).map(&mut next).collect()
    };
    (0..steps).map(&mut row).collect()
}

/// Rows that change every build, every second, every fourth ...; `returns` builds of 500 go back.
fn worst(steps: usize, builds: u32, returns: u32) -> Vec<Vec<u32>> {
    let row = |s: usize| {
        let every = 1u32 << s.min(12);
        let version = |t: u32| match (t % 500 < returns, s % 3) {
            (true, 0) => t.saturating_sub(every) / every,
            _ => t / every,
        };
        (0..builds).map(version).collect()
    };
    (0..steps).map(row).collect()
}

fn score(c: &mut Criterion) {
    let mut group = c.benchmark_group("score");
    for (name, rows) in [
        ("history", history(20, 5000)),
        ("worst without returns", worst(20, 5000, 0)),
        ("worst", worst(20, 5000, 25)),
    ] {
        let p = of_rows(rows);
        let order: Vec<usize> = (0..20).rev().collect();
        let scorer = Scorer::new(&p);
        assert!((scorer.cost(&order) - cost_of(&p, &order)).abs() < 1e-6);
        group.bench_function(BenchmarkId::new("bits", name), |b| {
            b.iter(|| scorer.cost(std::hint::black_box(&order)));
        });
        group.bench_function(BenchmarkId::new("tuples", name), |b| {
            b.iter(|| cost_of(&p, std::hint::black_box(&order)));
        });
    }
    group.finish();
}

type Family = (&'static str, fn(u64) -> Problem);

const FAMILIES: [Family; 5] = [
    ("like a Dockerfile", |seed| {
        stages::dockerfile(seed, 30, 5000)
    }),
    ("idle and equal rows", |seed| stages::idle(seed, 30, 5000)),
    ("free", |seed| stages::free(seed, 30, 5000, 0)),
    ("free with returns", |seed| stages::free(seed, 30, 5000, 70)),
    ("free with changes in common", |seed| {
        stages::shared(seed, 30, 5000)
    }),
];
/// As much as `analyze` allows itself.
const BUDGET: usize = 1 << 16;

fn twenty(family: fn(u64) -> Problem) -> Vec<Problem> {
    (1..=20).map(|n| family(n * 7919)).collect()
}

/// Milliseconds that this thread had of a processor, so that busy neighbours count little; elapsed ones where that is not known.
fn processor_ms(since: std::time::Instant) -> f64 {
    let kept = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = kept.and_then(|s| s.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| since.elapsed().as_secs_f64() * 1e3, |n| n / 1e6)
}

/// How many of a family are proven, and how long each takes.
fn tell(name: &str, problems: &[Problem]) {
    let (mut times, mut proven, mut gap) = (Vec::new(), 0, 0.0f64);
    let since = std::time::Instant::now();
    for p in problems {
        let start = processor_ms(since);
        let found = solve(p, BUDGET);
        times.push(processor_ms(since) - start);
        proven += usize::from(found.optimal);
        gap = gap.max(found.gap() / found.cost);
    }
    times.sort_by(f64::total_cmp);
    let soon = times.iter().filter(|t| **t < 50.0).count();
    println!(
        "{name}: {proven} of {} proven, {soon} under 50 ms, median {:.1} ms, longest {:.1} ms, all {:.0} ms, largest gap {:.2} %",
        times.len(),
        times[times.len() / 2],
        times[times.len() - 1],
        times.iter().sum::<f64>(),
        100.0 * gap
    );
}

fn order(c: &mut Criterion) {
    let mut group = c.benchmark_group("order");
    group.sample_size(10);
    for steps in [8, 12] {
        let p = problem(steps);
        group.bench_with_input(BenchmarkId::new("free steps", steps), &p, |b, p| {
            b.iter(|| solve(p, BUDGET))
        });
    }
    for (name, family) in FAMILIES {
        let problems = twenty(family);
        tell(name, &problems);
        let mut next = problems.iter().cycle();
        group.bench_function(BenchmarkId::new("30 steps", name), |b| {
            b.iter(|| next.next().map(|p| solve(p, BUDGET)))
        });
    }
    let steps = |n: u64| 2 + stages::Chance(n * 7919).below(14) as usize;
    let stages: Vec<Problem> = (1..=59)
        .map(|n| stages::dockerfile(n * 7919, steps(n), 5000))
        .collect();
    tell("59 stages", &stages);
    group.bench_function("59 stages", |b| {
        b.iter(|| stages.iter().map(|p| solve(p, BUDGET).cost).sum::<f64>())
    });
    group.finish();
}

criterion_group!(benches, score, order);
criterion_main!(benches);
