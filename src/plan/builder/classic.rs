//! The builder of Docker before BuildKit (`DOCKER_BUILDKIT=0`).
//!
//! Each instruction makes an image from the one before; a step hits where an image with the same
//! parent and the same configuration is there. So everything that is written counts for all that
//! follows, and nothing else does (experiments, column classic; compared with Docker 28.5).

use super::{Builder, ContentRule, Lacks};

impl Builder {
    /// Docker's classic builder. It takes `--link`, `--exclude`, `--unpack` and `--keep-git-dir` and heeds
    /// none of them; heredocs it misreads in silence, which is an error here.
    pub const CLASSIC: Self = Self {
        name: "classic",
        link: false,
        exclude: false,
        chained: true,
        args_inherited: false,
        proxies: true,
        platform_args: false,
        unexpanded: false,
        sequential: true,
        all_stages: true,
        content: ContentRule::WholePaths,
        lacks: &[
            Lacks::Flag("RUN", "mount"),
            Lacks::Flag("RUN", "network"),
            Lacks::Flag("RUN", "security"),
            Lacks::Flag("RUN", "device"),
            Lacks::Flag("COPY", "chmod"),
            Lacks::Flag("ADD", "chmod"),
            Lacks::Flag("ADD", "checksum"),
            Lacks::Heredocs,
        ],
    };
}
