//! What runs in the container: how many programs, and which of them is the first process.

mod copied;
mod init;
mod manifest;
mod pid1;
mod pods;
mod script;
mod several;
mod start;

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[&several::RULE, &pid1::RULE, &init::RULE, &pods::RULE];
