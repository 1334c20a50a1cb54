//! Package managers: what they leave behind, and what they leave open.

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[];
