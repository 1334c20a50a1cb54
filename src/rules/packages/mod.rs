//! Package managers: what they leave behind, and what they leave open.

mod around;
mod assume_yes;
mod cache_mount_cleaned;
mod install_recommends;
pub(super) mod manager;
mod package_cache;
mod package_lists;
mod package_version;
mod update_apart;
mod upgrade;
mod words;

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[
    &install_recommends::RULE,
    &package_lists::RULE,
    &package_cache::RULE,
    &cache_mount_cleaned::RULE,
    &update_apart::RULE,
    &upgrade::RULE,
    &package_version::RULE,
    &assume_yes::RULE,
];
