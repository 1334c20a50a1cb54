//! What the builder itself reports with `docker build --check`, under the same names.

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[];
