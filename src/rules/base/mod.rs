//! The images that stages start from.

mod tag;

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[&tag::RULE];
