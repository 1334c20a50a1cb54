//! Files fetched from elsewhere, and files that the program writes while it runs.

mod add;
mod checked;
mod copied;
mod fetch;
mod insecure;
mod kept;
mod runtime;

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[
    &kept::RULE,
    &copied::RULE,
    &checked::RULE,
    &insecure::RULE,
    &add::RULE,
    &runtime::RULE,
];
