//! What makes steps run again that need not.

mod arg_before_run;
mod copy_before_install;
mod epoch_workdir;

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[
    &copy_before_install::RULE,
    &copy_before_install::TOO_BROAD,
    &arg_before_run::RULE,
    &epoch_workdir::RULE,
];
