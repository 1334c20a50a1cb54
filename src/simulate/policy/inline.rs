//! `inline`: the cache inside the image (`--cache-to type=inline`), imported from the image pushed last.
//!
//! The keys of all steps are in it, the layers are those of the image (cache keys 9). Unlike with
//! `registry-min` nothing else stays, since a result that is not made of the image's layers is left out.

use super::Keep;
use crate::simulate::store::{Store, Used};

/// The image holds the keys of this build and its own layers.
pub fn after(store: &mut Store, used: &Used<'_>) {
    let result = used.result_chain();
    let kept: Vec<_> = used
        .nodes
        .iter()
        .zip(result)
        .map(|(n, on_chain)| (n.record, Keep::layer_if(on_chain)))
        .collect();
    store.replace(kept);
}
