//! `none`: a fresh runner without an import.

use crate::simulate::store::{Store, Used};

/// Nothing stays.
pub fn after(store: &mut Store, _: &Used<'_>) {
    store.replace([]);
}
