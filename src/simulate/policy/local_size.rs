//! `local:SIZE`: the builder's own garbage collection after every build (cache keys 11).
//!
//! While the store is as large as SIZE or larger, one layer is deleted. Candidates are layers that no
//! other layer stands on. They are ranked by last use and, apart from that, by number of uses; the
//! least sum of the two ranks, each over its largest, goes first (experiments row 104, and
//! `corpus/policies/eviction.json` from a builder). Ties: fewer uses, then longer ago.

use super::Size;
use crate::simulate::store::{RecordId, Store, Used};

/// A layer that may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub id: RecordId,
    /// When it was used last, any unit that grows.
    pub last_used: u64,
    /// How many builds loaded or made it.
    pub uses: u32,
}

/// Evicts down to the size.
pub fn after(store: &mut Store, _: &Used<'_>, size: Size) {
    let mut total = store.total_bytes();
    let mut evicted = false;
    while total >= size.0 {
        let Some(id) = first_to_go(store.unused_layers()) else {
            break;
        };
        total -= store.bytes(id);
        store.evict(id);
        evicted = true;
    }
    if evicted {
        store.forget_unreachable_keys();
    }
}

/// The candidate that the builder deletes next.
pub fn first_to_go(mut list: Vec<Candidate>) -> Option<RecordId> {
    list.sort_by_key(|c| c.last_used);
    let recency = ranks(list.iter().map(|c| c.last_used));
    let mut ranked: Vec<(Candidate, f64)> = list.into_iter().zip(recency).collect();
    ranked.sort_by_key(|(c, _)| c.uses);
    let frequency = ranks(ranked.iter().map(|(c, _)| u64::from(c.uses)));
    let scores = ranked
        .iter()
        .zip(frequency)
        .map(|((c, r), f)| (c.id, r + f));
    let best = scores.reduce(|best, next| if next.1 < best.1 { next } else { best });
    best.map(|(id, _)| id)
}

/// Dense ranks of an ascending list from 2 on, over the largest: 1 is for what was never used.
fn ranks(values: impl Iterator<Item = u64>) -> Vec<f64> {
    let mut rank = 1.0f64;
    let mut last = 0;
    let list: Vec<f64> = values
        .map(|v| {
            if v > last {
                last = v;
                rank += 1.0;
            }
            rank
        })
        .collect();
    list.into_iter().map(|r| r / rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The rule written down candidate by candidate: both ranks counted from 2.
    fn naive(list: &[Candidate]) -> Option<RecordId> {
        let score = |c: &Candidate| {
            let recent: BTreeSet<u64> = list.iter().map(|o| o.last_used).collect();
            let often: BTreeSet<u32> = list.iter().map(|o| o.uses).collect();
            let place = |below: usize, all: usize| (below + 1) as f64 / (all + 1) as f64;
            place(recent.range(..=c.last_used).count(), recent.len())
                + place(often.range(..=c.uses).count(), often.len())
        };
        let order = |a: &&Candidate, b: &&Candidate| {
            let by_score = score(a).total_cmp(&score(b));
            by_score.then((a.uses, a.last_used).cmp(&(b.uses, b.last_used)))
        };
        list.iter().min_by(order).map(|c| c.id)
    }

    proptest! {
        #[test]
        fn first_to_go_is_the_least_by_the_rule(
            uses in prop::collection::vec(1u32..5, 0..9),
            shift in 0usize..9,
        ) {
            let n = uses.len();
            let one = |(i, uses): (usize, &u32)| Candidate {
                id: RecordId(u32::try_from(i).unwrap()),
                last_used: 1 + ((i * 5 + shift) % 9) as u64,
                uses: *uses,
            };
            let list: Vec<Candidate> = uses.iter().enumerate().map(one).collect();
            prop_assert_eq!(list.len(), n);
            prop_assert_eq!(first_to_go(list.clone()), naive(&list));
        }
    }

    #[test]
    fn rare_goes_before_old() {
        let c = |id, last_used, uses| Candidate {
            id: RecordId(id),
            last_used,
            uses,
        };
        // Ranks 2/4 + 4/4, 3/4 + 2/4, 4/4 + 3/4.
        let list = vec![c(0, 10, 9), c(1, 20, 1), c(2, 30, 2)];
        assert_eq!(first_to_go(list), Some(RecordId(1)));
        // A tie of 2/3 + 3/3 goes to what was used less.
        assert_eq!(first_to_go(vec![c(0, 1, 2), c(1, 2, 1)]), Some(RecordId(1)));
        assert_eq!(first_to_go(Vec::new()), None);
    }
}
