//! What plans may do.

use super::{ObjectiveArg, SafetyArg};
use crate::optimize::Objective;
use crate::rewrite::Safety;
use clap::{Args, ValueEnum};

/// What plans may do.
#[derive(Clone, Debug, Args)]
pub struct SearchFlags {
    /// What plans minimise.
    #[arg(long, value_enum, default_value_t = ObjectiveArg::Work)]
    pub objective: ObjectiveArg,
    /// The weakest class of edit allowed.
    #[arg(long, value_enum, default_value_t = SafetyArg::Assumed)]
    pub safety: SafetyArg,
    /// Rewrites that may be used, separated by commas; all without it.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub rewrites: Vec<RewriteArg>,
}

/// Rewrites that exist so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RewriteArg {
    /// Another order of the same instructions.
    Reorder,
    /// Manifests first.
    SplitCopy,
    /// Downloads before builds.
    Prefetch,
    /// Manifests of many packages by way of a stage that keeps nothing else.
    Projection,
    /// Small RUNs in one, or in the COPY whose files they change.
    MergeRun,
    /// A COPY in a stage that is not the image brings what its commands read, and no more.
    NarrowCopy,
    /// A stage stands on what it needs of another.
    MoveToStage,
    /// One RUN in two.
    SplitRun,
    /// Variables that differ in every build, below the steps that have no use for them.
    Sink,
    /// Folders that tools keep between builds.
    CacheMount,
    /// Lines for the ignore file: files that no step reads are not sent.
    IgnoreLines,
    /// Files that one RUN reads are shown to it in a mount, in place of a COPY.
    BindMount,
    /// Layers of COPYs that do not depend on the lines above.
    Link,
}

impl RewriteArg {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reorder => "reorder",
            Self::SplitCopy => "split-copy",
            Self::Prefetch => "prefetch",
            Self::Projection => "projection",
            Self::MergeRun => "merge-run",
            Self::NarrowCopy => "narrow-copy",
            Self::MoveToStage => "move-to-stage",
            Self::SplitRun => "split-run",
            Self::Sink => "sink",
            Self::CacheMount => "cache-mount",
            Self::IgnoreLines => "ignore-lines",
            Self::BindMount => "bind-mount",
            Self::Link => "link",
        }
    }
}

impl From<ObjectiveArg> for Objective {
    fn from(o: ObjectiveArg) -> Self {
        match o {
            ObjectiveArg::Work => Self::Work,
            ObjectiveArg::CriticalPath => Self::CriticalPath,
        }
    }
}

impl From<SafetyArg> for Safety {
    fn from(s: SafetyArg) -> Self {
        match s {
            SafetyArg::Proven => Self::Proven,
            SafetyArg::Assumed => Self::Assumed,
            SafetyArg::Review => Self::Review,
        }
    }
}
