//! What is sent to the builder, and should not be.

mod archives;
mod duplicates;
mod folders;
mod heavy;
mod leak;
mod output;
mod place;
mod secret_kinds;
mod secrets;
mod vcs;

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[
    &vcs::RULE,
    &output::RULE,
    &secrets::RULE,
    &leak::RULE,
    &duplicates::RULE,
    &archives::RULE,
    &heavy::RULE,
];
