//! What runs in the container, and how it is started.

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[];
