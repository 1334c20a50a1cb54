//! BuildKit 0.25 with the containerd image store: the builder that every rule was compared with.

use super::{Builder, ContentRule};

impl Builder {
    /// BuildKit 0.25 (Docker 28.5, containerd store).
    pub const BUILDKIT: Self = Self {
        name: "buildkit",
        link: true,
        exclude: true,
        chained: false,
        args_inherited: true,
        proxies: false,
        platform_args: true,
        unexpanded: false,
        sequential: false,
        all_stages: false,
        content: ContentRule::BaseNames,
        lacks: &[],
    };
}
