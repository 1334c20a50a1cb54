//! In which builds a set of steps meets versions that it never met: one bit a build.
//!
//! Goes in: the versions of every step's inputs over the builds. Comes out: for a set of steps, grown one by one, how many
//! builds execute its last step. Costs a union of bits a step, and a look at each of the few builds in which something goes
//! back to what it was. Facts it stands on (architecture.md, "inputs × builds"): executed sets depend on the set of steps and
//! not on their order, and off the builds with a return they are the union of the rows of changes. Invariant: the count is
//! what comparing tuples of versions gives.

use super::partition::Partition;
use crate::simulate::{Horizon, Policy};

/// The versions of one step's inputs, over the columns.
#[derive(Clone, Debug, Default)]
struct Row {
    versions: Vec<u32>,
    /// Columns without a return in which the version is another one than in the column before.
    changed: Vec<u64>,
    /// Where each version's columns start in `columns`.
    starts: Vec<u32>,
    /// Columns by version, ascending.
    columns: Vec<u32>,
    /// The same as bits, for versions of so many columns that these are fewer words.
    bits: Vec<Vec<u64>>,
}

impl Row {
    fn columns(&self, version: u32) -> &[u32] {
        let version = version as usize;
        let range = self.starts[version] as usize..self.starts[version + 1] as usize;
        &self.columns[range]
    }
}

/// The rows of all steps of a stage, and of what lies below them.
///
/// Builds in which no step could be told from an earlier build are left out: none of them executes anything.
#[derive(Clone, Debug)]
pub struct Rows {
    rows: Vec<Row>,
    /// Columns in which some version is one that was there before, ascending.
    returns: Vec<u32>,
    words: usize,
    /// Every build executes every step.
    always: Option<usize>,
}

/// A set of steps, and the builds that execute the last of them.
#[derive(Clone, Debug, Default)]
pub struct Grown {
    members: u128,
    /// What lies below the stage is among them.
    based: bool,
    executed: Vec<u64>,
    /// Columns with a return that do not execute, each with an earlier one that looks the same.
    alike: Vec<(u32, u32)>,
}

impl Rows {
    /// The rows of steps (at most 128) on a base.
    #[must_use]
    pub fn new(rows: &[Vec<u32>], base: &Partition, policy: Policy) -> Self {
        let builds = base.len();
        let horizon = policy.horizon();
        let always = (horizon == Horizon::Nothing).then(|| builds.saturating_sub(1));
        let mut all = base.clone();
        for row in rows {
            all = all.refine(row);
        }
        let mut seen = 0;
        let mut new = |t: &usize| {
            let id = all.ids()[*t];
            let first = id >= seen;
            seen = seen.max(id + 1);
            match horizon {
                Horizon::All => first,
                Horizon::Last | Horizon::Nothing => *t == 0 || all.ids()[*t - 1] != id,
            }
        };
        let kept: Vec<usize> = (0..builds).filter(|t| new(t)).collect();
        let words = kept.len().div_ceil(64);
        let dense = |row: &[u32]| {
            let row: Vec<u32> = kept.iter().map(|t| row[*t]).collect();
            Partition::from_ids(row)
        };
        let mut out = Self {
            rows: rows.iter().map(|r| numbered(&dense(r))).collect(),
            returns: Vec::new(),
            words,
            always,
        };
        out.rows.push(numbered(&dense(base.ids())));
        if horizon == Horizon::All {
            out.find_returns();
        }
        out.find_changes();
        out
    }

    fn find_returns(&mut self) {
        let columns = self.rows[0].versions.len();
        let mut returns = vec![false; columns];
        for row in &self.rows {
            // Versions are numbered as they appear.
            let mut most = 0;
            for (t, pair) in row.versions.windows(2).enumerate() {
                returns[t + 1] |= pair[0] != pair[1] && pair[1] <= most;
                most = most.max(pair[1]);
            }
        }
        let returns = returns.iter().zip(0u32..).filter(|(is, _)| **is);
        self.returns = returns.map(|(_, t)| t).collect();
    }

    fn find_changes(&mut self) {
        for row in &mut self.rows {
            row.changed = vec![0; self.words];
            let mut returns = self.returns.iter().peekable();
            for (t, pair) in row.versions.windows(2).enumerate() {
                let t = t + 1;
                let is_return = returns.next_if(|r| **r as usize == t).is_some();
                if pair[0] != pair[1] && !is_return {
                    row.changed[t / 64] |= 1 << (t % 64);
                }
            }
        }
    }

    /// No steps on the base.
    #[must_use]
    pub fn start(&self) -> Grown {
        let mut out = self.nothing();
        out.based = true;
        self.add(&mut out, self.rows.len() - 1);
        out
    }

    /// No steps on nothing: what a step without a parent in its key stands on.
    #[must_use]
    pub fn nothing(&self) -> Grown {
        Grown {
            executed: vec![0; self.words],
            alike: self.returns.iter().map(|t| (*t, t - 1)).collect(),
            ..Grown::default()
        }
    }

    /// Adds a step.
    pub fn grow(&self, set: &mut Grown, step: usize) {
        set.members |= 1 << step;
        self.add(set, step);
    }

    fn add(&self, set: &mut Grown, row: usize) {
        for (word, more) in set.executed.iter_mut().zip(&self.rows[row].changed) {
            *word |= more;
        }
        let own = &self.rows[row];
        let versions = &own.versions;
        let (members, based) = (set.members, set.based);
        let executed = &mut set.executed;
        set.alike.retain_mut(|(t, like)| {
            if versions[*t as usize] == versions[*like as usize] {
                return true;
            }
            let is_new = own.columns(versions[*t as usize])[0] == *t;
            let other = (!is_new).then(|| self.alike(members, based, *t));
            match other.flatten() {
                Some(other) => {
                    *like = other;
                    true
                }
                None => {
                    executed[*t as usize / 64] |= 1 << (*t % 64);
                    false
                }
            }
        });
    }

    /// An earlier column that has the same versions of all members.
    fn alike(&self, members: u128, based: bool, column: u32) -> Option<u32> {
        let base = based.then(|| self.rows.len() - 1);
        let rows = || super::order::members(members).chain(base);
        let same = |row: usize| {
            let row = &self.rows[row];
            row.columns(row.versions[column as usize])
        };
        let fewest = rows().map(same).min_by_key(|list| list.len())?;
        let earlier = fewest.partition_point(|u| *u < column);
        if earlier > self.words {
            return self.alike_by_bits(rows, column);
        }
        let equal = |u: &&u32| {
            rows().all(|r| {
                let versions = &self.rows[r].versions;
                versions[**u as usize] == versions[column as usize]
            })
        };
        fewest[..earlier].iter().rev().find(equal).copied()
    }

    /// The same where every member has the version in more columns than there are words.
    fn alike_by_bits<I: Iterator<Item = usize>>(
        &self,
        rows: impl Fn() -> I,
        column: u32,
    ) -> Option<u32> {
        let (last, bit) = (column / 64, column % 64);
        (0..=last).rev().find_map(|word| {
            let before = if word == last {
                (1 << bit) - 1
            } else {
                u64::MAX
            };
            let both = rows().fold(before, |both, r| {
                let row = &self.rows[r];
                let version = row.versions[column as usize] as usize;
                both & row.bits[version][word as usize]
            });
            (both != 0).then(|| word * 64 + 63 - both.leading_zeros())
        })
    }

    /// Builds, the first left out, that execute the step added last.
    #[must_use]
    pub fn executed(&self, set: &Grown) -> usize {
        let bits = || set.executed.iter().map(|w| w.count_ones() as usize).sum();
        self.always.unwrap_or_else(bits)
    }

    /// Whether adding a step tells no more builds apart.
    #[must_use]
    pub fn is_idle(&self, set: &Grown, step: usize) -> bool {
        let mut grown = set.clone();
        self.grow(&mut grown, step);
        grown.executed == set.executed
    }
}

fn numbered(versions: &Partition) -> Row {
    let count = versions.class_count() as usize;
    let mut starts = vec![0u32; count + 1];
    for v in versions.ids() {
        starts[*v as usize + 1] += 1;
    }
    for v in 0..count {
        starts[v + 1] += starts[v];
    }
    let mut next = starts.clone();
    let mut columns = vec![0; versions.len()];
    for (v, t) in versions.ids().iter().zip(0u32..) {
        let at = &mut next[*v as usize];
        columns[*at as usize] = t;
        *at += 1;
    }
    let words = versions.len().div_ceil(64);
    let bits = |v: usize| {
        let list = &columns[starts[v] as usize..starts[v + 1] as usize];
        let mut bits = vec![0; if list.len() > words { words } else { 0 }];
        for t in list.iter().filter(|_| list.len() > words) {
            bits[*t as usize / 64] |= 1 << (t % 64);
        }
        bits
    };
    let bits = (0..count).map(bits).collect();
    Row {
        versions: versions.ids().to_vec(),
        changed: Vec::new(),
        starts,
        columns,
        bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_are_those_of_comparing_tuples(
            builds in 1usize..90,
            steps in 1usize..7,
            versions in prop::collection::vec(0u32..9, 90 * 8),
            stays in prop::collection::vec(prop::bool::weighted(0.7), 90 * 8),
            last in any::<bool>(),
        ) {
            let row = |s: usize| -> Vec<u32> {
                let mut out: Vec<u32> = Vec::new();
                for t in 0..builds {
                    let before = out.last().copied().filter(|_| stays[s * 90 + t]);
                    out.push(before.unwrap_or(versions[s * 90 + t]));
                }
                out
            };
            let rows: Vec<Vec<u32>> = (0..steps).map(row).collect();
            let base = row(steps);
            let policy = if last { Policy::Previous } else { Policy::Local };
            let found = Rows::new(&rows, &Partition::from_ids(base.clone()), policy);
            let executed = |based: bool, n: usize| {
                let tuple = |t: usize| -> Vec<u32> {
                    let own = rows[..n].iter().map(|r| r[t]);
                    based.then(|| base[t]).into_iter().chain(own).collect()
                };
                let is = |t: &usize| if last {
                    tuple(t - 1) != tuple(*t)
                } else {
                    (0..*t).all(|u| tuple(u) != tuple(*t))
                };
                (1..builds).filter(is).count()
            };
            for based in [true, false] {
                let mut set = if based { found.start() } else { found.nothing() };
                prop_assert_eq!(found.executed(&set), executed(based, 0));
                for s in 0..steps {
                    let idle = found.is_idle(&set, s);
                    found.grow(&mut set, s);
                    prop_assert_eq!(found.executed(&set), executed(based, s + 1));
                    prop_assert_eq!(idle, executed(based, s) == executed(based, s + 1));
                }
            }
        }
    }
}
