//! `registry-min`: as `registry-max` with `mode=min`, the default of every exporter.
//!
//! The keys of all steps are exported. Layers are there for the file systems that the result stands
//! on, and for steps whose layers were imported: those need no packing, so they stay in the export
//! as long as each build uses them (cache keys 9; measured, `docs/policies.md`).

use super::Keep;
use crate::simulate::store::{Store, Used, Verdict};

/// The ref holds the keys of this build and the layers of its result.
pub fn after(store: &mut Store, used: &Used<'_>) {
    let result = used.result_chain();
    let kept: Vec<_> = used
        .nodes
        .iter()
        .zip(result)
        .map(|(n, on_chain)| match n.found.layer {
            _ if on_chain => (n.record, Keep::Layer),
            Verdict::Cached => (n.record, Keep::Layer),
            Verdict::Maybe => (n.record, Keep::Perhaps),
            Verdict::Executed => (n.record, Keep::Key),
        })
        .collect();
    store.replace(kept);
}
