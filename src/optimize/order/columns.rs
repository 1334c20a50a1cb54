//! In how many builds a set of steps is executed, as a sum over patterns of steps.
//!
//! Goes in: versions over the builds. Comes out: for every build what a set must hold to be executed in it. A set is not
//! executed when some earlier build looks the same to it, so it must tell the build from each earlier one: of the steps that
//! differ from that one it needs at least one. Off the returns one such list of steps is enough, the steps that changed,
//! since those differ from every earlier build. Builds with the same lists are counted once, with their number: thousands of
//! builds are a few hundred patterns. Invariant: the count is what comparing tuples of versions gives.

use super::members;
use crate::optimize::partition::Partition;
use crate::simulate::{Horizon, Policy};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Builds as patterns.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Builds that execute every set.
    pub always: u64,
    /// Builds that execute each set with one of these steps.
    pub single: Vec<(u128, u64)>,
    /// Builds that execute each set with a step of every one of these.
    pub several: Vec<(Vec<u128>, u64)>,
}

/// Whether a set tells a build from all earlier ones.
pub fn hits_all(masks: &[u128], set: u128) -> bool {
    masks.iter().all(|m| m & set != 0)
}

impl Columns {
    /// The patterns of at most 128 rows on a base; the first build does not count.
    pub fn new(rows: &[Vec<u32>], base: &Partition, policy: Policy) -> Self {
        let mut out = Self::default();
        match policy.horizon() {
            Horizon::Nothing => out.always = base.len().saturating_sub(1) as u64,
            Horizon::Last => out.neighbours(rows, base),
            Horizon::All => {
                let (different, groups) = alike(rows);
                out.first_times(&different, base);
                out.widen(&groups);
            }
        }
        out
    }

    /// Puts for each row all steps that have it.
    fn widen(&mut self, groups: &[u128]) {
        let wide = |mask: &mut u128| *mask = members(*mask).fold(0, |m, s| m | groups[s]);
        self.single.iter_mut().for_each(|(m, _)| wide(m));
        self.several
            .iter_mut()
            .for_each(|(masks, _)| masks.iter_mut().for_each(wide));
    }

    fn neighbours(&mut self, rows: &[Vec<u32>], base: &Partition) {
        let mut single: BTreeMap<u128, u64> = BTreeMap::new();
        for t in 1..base.len() {
            if base.ids()[t] != base.ids()[t - 1] {
                self.always += 1;
                continue;
            }
            let differs =
                |m, (s, row): (usize, &Vec<u32>)| m | u128::from(row[t] != row[t - 1]) << s;
            let mask = rows.iter().enumerate().fold(0u128, differs);
            if mask != 0 {
                *single.entry(mask).or_default() += 1;
            }
        }
        self.single = single.into_iter().collect();
    }

    fn first_times(&mut self, rows: &[&[u32]], base: &Partition) {
        let width = rows.len() + 1;
        let versions = by_build(rows, base);
        let mut most = vec![0u32; width];
        let mut kept = versions.get(..width).unwrap_or_default().to_vec();
        let mut single: BTreeMap<u128, u64> = BTreeMap::new();
        let mut several: BTreeMap<Vec<u128>, u64> = BTreeMap::new();
        for pair in versions.windows(2 * width).step_by(width) {
            let (before, now) = pair.split_at(width);
            if before == now {
                continue;
            }
            let mut returns = false;
            let mut is_new = false;
            for s in 0..width {
                let differs = now[s] != before[s];
                returns |= differs && now[s] <= most[s];
                is_new |= now[s] > most[s];
                most[s] = most[s].max(now[s]);
            }
            let same_base = now[width - 1] == before[width - 1];
            if !returns {
                match same_base {
                    true => *single.entry(differing(before, now)).or_default() += 1,
                    false => self.always += 1,
                }
                kept.extend_from_slice(now);
                continue;
            }
            let mut masks = needed(&kept, now);
            if masks.first() == Some(&0) && !is_new {
                // Some earlier build is the same all over.
                continue;
            }
            kept.extend_from_slice(now);
            match masks.len() {
                0 => self.always += 1,
                1 => *single.entry(masks[0]).or_default() += 1,
                _ => {
                    masks.sort_unstable();
                    *several.entry(masks).or_default() += 1;
                }
            }
        }
        self.single = single.into_iter().collect();
        self.several = several.into_iter().collect();
    }

    /// Builds that execute the last step of a set.
    pub fn executed(&self, set: u128) -> u64 {
        let single = self.single.iter().filter(|(m, _)| m & set != 0);
        let several = self.several.iter().filter(|(m, _)| hits_all(m, set));
        let single: u64 = single.map(|(_, n)| n).sum();
        let several: u64 = several.map(|(_, n)| n).sum();
        self.always + single + several
    }

    /// For each place of an order, builds that execute its step and did not execute the ones before.
    pub fn first_places(&self, place: &[usize], out: &mut [u64]) {
        let first = |mask: u128| members(mask).map(|s| place[s]).min().unwrap_or(0);
        for (mask, n) in &self.single {
            out[first(*mask)] += n;
        }
        for (masks, n) in &self.several {
            out[masks.iter().map(|m| first(*m)).max().unwrap_or(0)] += n;
        }
    }
}

/// Rows that change, each once, and the steps that have each of them.
fn alike(rows: &[Vec<u32>]) -> (Vec<&[u32]>, Vec<u128>) {
    let mut different: Vec<&[u32]> = Vec::new();
    let mut groups: Vec<u128> = Vec::new();
    for (s, row) in rows.iter().enumerate() {
        if row.windows(2).all(|w| w[0] == w[1]) {
            continue;
        }
        match different.iter().position(|d| d == row) {
            Some(i) => groups[i] |= 1 << s,
            None => {
                different.push(row);
                groups.push(1 << s);
            }
        }
    }
    (different, groups)
}

/// Versions build after build, in each the base's last; every row's are numbered as they appear.
fn by_build(rows: &[&[u32]], base: &Partition) -> Vec<u32> {
    let width = rows.len() + 1;
    let mut out = vec![0u32; base.len() * width];
    let all = rows.iter().copied().chain([base.ids()]);
    for (s, row) in all.enumerate() {
        let mut numbers: FxHashMap<u32, u32> = FxHashMap::default();
        let (mut last, mut number) = (None, 0);
        for (t, version) in row.iter().enumerate() {
            if last != Some(*version) {
                last = Some(*version);
                let next = numbers.len() as u32;
                number = *numbers.entry(*version).or_insert(next);
            }
            out[t * width + s] = number;
        }
    }
    out
}

/// Steps with another version; the base does not count.
fn differing(a: &[u32], b: &[u32]) -> u128 {
    let half = |a: &[u32], b: &[u32]| {
        let bits = a.iter().zip(b).enumerate();
        bits.fold(0u64, |m, (s, (x, y))| m | u64::from(x != y) << s)
    };
    let steps = a.len() - 1;
    let low = steps.min(64);
    let high = half(&a[low..steps], &b[low..steps]);
    u128::from(half(&a[..low], &b[..low])) | u128::from(high) << 64
}

/// For each earlier build the steps that differ, those left out for which fewer are among them. Builds with another base
/// are told apart by that.
fn needed(earlier: &[u32], now: &[u32]) -> Vec<u128> {
    let width = now.len();
    let mut out: Vec<u128> = Vec::new();
    for column in earlier.chunks_exact(width).rev() {
        if column[width - 1] != now[width - 1] {
            continue;
        }
        let mask = differing(column, now);
        if out.iter().any(|m| m & !mask == 0) {
            continue;
        }
        out.retain(|m| mask & !m != 0);
        out.push(mask);
    }
    out
}
