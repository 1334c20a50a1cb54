//! The images that stages start from.

mod digest;
mod tag;
mod variant;

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[&tag::RULE, &digest::RULE, &variant::RULE];
