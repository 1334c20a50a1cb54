//! `previous`: a builder that has what the build before used or made, and nothing older.

use super::Keep;
use crate::simulate::store::{Store, Used};

/// Every record of this build stays, with its layer if it has one.
pub fn after(store: &mut Store, used: &Used<'_>) {
    let kept: Vec<_> = used.nodes.iter().map(|n| (n.record, Keep::Layer)).collect();
    store.replace(kept);
}
