//! Cache and output settings in workflows, compose and bake files.

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[];
