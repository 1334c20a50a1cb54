//! The Dockerfile as a file of its repository, and Dockerfiles that repeat each other.

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[];
