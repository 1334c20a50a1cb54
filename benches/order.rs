//! The exact order of a stage: 8, 12 and 16 free steps over 500 builds.

use cacheplan::optimize::order::{Problem, solve};
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

fn order(c: &mut Criterion) {
    let mut group = c.benchmark_group("order");
    group.sample_size(10);
    for steps in [8, 12] {
        let p = problem(steps);
        group.bench_with_input(BenchmarkId::new("free steps", steps), &p, |b, p| {
            b.iter(|| solve(p, 1 << 15))
        });
    }
    group.finish();
}

criterion_group!(benches, order);
criterion_main!(benches);
