//! buildah and podman with `--layers`.

use super::{Builder, ContentRule, Lacks};

impl Builder {
    /// A chain of instructions as in the classic builder, whose history entries are compared, with
    /// mounts; version 1.28 has no heredocs.
    pub const BUILDAH: Self = Self {
        name: "buildah",
        link: false,
        exclude: true,
        chained: true,
        args_inherited: false,
        proxies: false,
        platform_args: true,
        unexpanded: true,
        sequential: true,
        all_stages: false,
        content: ContentRule::BelowSource,
        lacks: &[Lacks::Heredocs],
    };
}
