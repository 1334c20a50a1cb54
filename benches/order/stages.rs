//! Generated stages, the same in every run.

use cacheplan::optimize::order::Problem;
use cacheplan::optimize::partition::Partition;
use cacheplan::simulate::Policy;

/// A small generator.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, n: u64) -> u64 {
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

/// A row that changes in one of so many builds; one of `back` changes takes back the one before, 0 is none.
pub fn row(chance: &mut Chance, builds: usize, one_in: u64, back: u64) -> Vec<u32> {
    let (mut now, mut last, mut most) = (0, 0, 0);
    let mut next = |_| {
        if chance.one_in(one_in) {
            if back > 0 && now > 0 && chance.one_in(back) {
                std::mem::swap(&mut now, &mut last);
            } else {
                most += 1;
                last = std::mem::replace(&mut now, most);
            }
        }
        now
    };
    (0..builds).map(&mut next).collect()
}

fn problem(weights: Vec<f64>, rows: Vec<Vec<u32>>, before: Vec<u128>) -> Problem {
    Problem {
        alone: vec![false; weights.len()],
        base: Partition::trivial(rows.first().map_or(0, Vec::len)),
        weights,
        rows,
        before,
        policy: Policy::Local,
    }
}

/// A stage as people write them: installs, files copied for them, more files, builds. A RUN reads files copied above it, keeps
/// its place against one RUN in three, and has no inputs of its own; a COPY takes little time.
pub fn dockerfile(seed: u64, steps: usize, builds: usize) -> Problem {
    let chance = &mut Chance(seed);
    let (mut weights, mut rows, mut before) = (Vec::new(), Vec::new(), Vec::new());
    let mut copies: Vec<usize> = Vec::new();
    for s in 0..steps {
        let mut mask = 0u128;
        let mut keep = |a: usize, before: &[u128]| mask |= before[a] | 1 << a;
        if chance.below(10) < 4 {
            let one_in = chance.pick(&[3, 10, 40, 150, 600]);
            rows.push(row(chance, builds, one_in, 60));
            weights.push(0.1 * (1 + chance.below(8)) as f64);
            copies.push(s);
        } else {
            rows.push(vec![0; builds]);
            weights.push(chance.pick(&[0.3, 1.0, 4.5, 12.0, 38.0, 95.0]));
            for _ in 0..2 {
                if !copies.is_empty() {
                    let a = chance.pick(&copies);
                    keep(a, &before);
                }
            }
            for a in 0..s {
                if !copies.contains(&a) && chance.one_in(3) {
                    keep(a, &before);
                }
            }
        }
        before.push(mask);
    }
    problem(weights, rows, before)
}

/// Little precedence: of three rows one never changes, one is that of an earlier step, one changes by chance.
pub fn idle(seed: u64, steps: usize, builds: usize) -> Problem {
    let chance = &mut Chance(seed);
    let mut rows: Vec<Vec<u32>> = Vec::new();
    for s in 0..steps {
        let own = match (s % 3, s) {
            (0, _) => vec![0; builds],
            (1, 3..) => rows[s - 3].clone(),
            _ => {
                let one_in = chance.pick(&[3, 10, 40, 150, 600]);
                row(chance, builds, one_in, 60)
            }
        };
        rows.push(own);
    }
    let weights = (0..steps).map(|_| chance.pick(&[0.2, 1.0, 4.5, 12.0, 38.0]));
    let weights = weights.collect();
    let mut before = vec![0u128; steps];
    for s in 1..steps {
        if chance.one_in(4) {
            let a = chance.below(s as u64) as usize;
            before[s] = before[a] | 1 << a;
        }
    }
    problem(weights, rows, before)
}

/// No precedence, and every row changes by chance: each one's own rate, one of `back` changes taken back.
pub fn free(seed: u64, steps: usize, builds: usize, back: u64) -> Problem {
    let chance = &mut Chance(seed);
    let mut rows = Vec::new();
    for _ in 0..steps {
        let one_in = 4 + chance.below(300);
        rows.push(row(chance, builds, one_in, back));
    }
    let weights = (0..steps).map(|_| 0.1 * (1 + chance.below(300)) as f64);
    problem(weights.collect(), rows, vec![0; steps])
}

/// The same, but rows have changes in common: each takes those of one of four sources, and some of its own.
pub fn shared(seed: u64, steps: usize, builds: usize) -> Problem {
    let chance = &mut Chance(seed);
    let sources: Vec<Vec<u32>> = (0..4).map(|_| row(chance, builds, 30, 0)).collect();
    let mut rows = Vec::new();
    for _ in 0..steps {
        let source = &sources[chance.below(4) as usize];
        let one_in = 20 + chance.below(200);
        let own = row(chance, builds, one_in, 0);
        rows.push(source.iter().zip(own).map(|(a, b)| a + b).collect());
    }
    let weights = (0..steps).map(|_| 0.1 * (1 + chance.below(300)) as f64);
    problem(weights.collect(), rows, vec![0; steps])
}
