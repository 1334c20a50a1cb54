//! How a Dockerfile reads; never advice that costs cache.

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[];
