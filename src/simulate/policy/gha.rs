//! `gha`: the GitHub Actions cache with `mode=max`.
//!
//! A scope holds one manifest, overwritten by every build, and layers by digest. GitHub deletes what
//! was not used for seven days, and beyond the repository's limit what was used longest ago. Every
//! build looks at all layers of the manifest it imports, so what goes first is what no manifest
//! names, which no build would find anyway; only then layers in use, the imported before the new.

use super::{Keep, Size};
use crate::simulate::store::{Store, Used};

/// Entries not used for this long are deleted, seconds.
const EXPIRY: i64 = 7 * 24 * 3600;

/// Drops everything after a week without a build.
pub fn before(store: &mut Store, idle: Option<i64>) {
    if idle.is_some_and(|s| s > EXPIRY) {
        store.replace([]);
    }
}

/// The scope holds this build, as far as its layers fit.
pub fn after(store: &mut Store, used: &Used<'_>, size: Size) {
    let mut order: Vec<usize> = (0..used.nodes.len())
        .filter(|i| store.has_layer(used.nodes[*i].record))
        .collect();
    order.sort_by_key(|i| (!used.nodes[*i].is_imported(), *i));
    let mut total: u64 = order
        .iter()
        .map(|i| used.nodes[*i].bytes)
        .fold(0, u64::saturating_add);
    let mut fits = vec![true; used.nodes.len()];
    for i in order {
        if total <= size.0 {
            break;
        }
        // A base image is not among what is exported.
        if !used.nodes[i].is_from && used.nodes[i].bytes > 0 {
            fits[i] = false;
            total -= used.nodes[i].bytes;
        }
    }
    let kept: Vec<_> = used
        .nodes
        .iter()
        .zip(fits)
        .map(|(n, fits)| (n.record, Keep::layer_if(fits)))
        .collect();
    store.replace(kept);
}
