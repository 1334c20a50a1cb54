//! BuildKit 0.32, from the experiments page alone: no such builder was compared.

use super::{Builder, ContentRule};

impl Builder {
    /// Behind wildcards and with `--exclude` paths count from the first wildcard element on, so that a
    /// move between folders is noticed (experiments row 23). What a stage that `--no-cache-filter`
    /// names hands on may stay the old result (row 99); that is not modelled.
    pub const BUILDKIT_0_32: Self = Self {
        name: "buildkit-0.32",
        content: ContentRule::Relative,
        ..Self::BUILDKIT
    };
}
