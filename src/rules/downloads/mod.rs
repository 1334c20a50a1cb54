//! Files fetched from elsewhere, and files that the program writes while it runs.

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[];
