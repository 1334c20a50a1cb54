//! How a Dockerfile reads; never advice that costs cache.

mod cd_workdir;
mod package_list_order;
mod repeated_literal;
mod swallowed_instruction;

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[
    &swallowed_instruction::RULE,
    &cd_workdir::RULE,
    &package_list_order::RULE,
    &repeated_literal::RULE,
];
