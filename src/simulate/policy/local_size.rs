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
pub fn after(store: &mut Store, used: &Used<'_>, size: Size) {
    store.enlist(used);
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
