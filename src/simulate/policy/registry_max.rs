//! `registry-max`: `--cache-to type=registry,mode=max` and `--cache-from` the same ref on fresh runners.
//!
//! One ref is one manifest, and every export overwrites it with what this build used or made,
//! wherever that came from: records that were only skipped keep the layers they were imported with.
//! Keys of other ways to the same records are exported too, without layers (cache keys 9;
//! `docs/policies.md`).

use super::Keep;
use crate::simulate::store::{Store, Used};

/// The ref holds this build.
pub fn after(store: &mut Store, used: &Used<'_>) {
    let kept: Vec<_> = used.nodes.iter().map(|n| (n.record, Keep::Layer)).collect();
    store.replace(kept);
}
