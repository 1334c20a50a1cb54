//! Builder profiles: what differs between builders as far as keys go.
//!
//! A profile is a value, handed to [`super::lower`] in the build options and through the plan to the
//! simulation. One file per builder says what its value is and which experiments it comes from; what
//! a chain of instructions means to a key is in `chain.rs`.

mod buildah;
mod buildkit;
mod buildkit_0_32;
mod buildkit_overlay2;
mod chain;
mod classic;

pub use chain::fresh_scope;

/// How a builder digests the files that a step takes from the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentRule {
    /// BuildKit 0.25: behind wildcards and with `--exclude` of every path only the base name counts
    /// (experiments row 23).
    #[default]
    BaseNames,
    /// BuildKit 0.32: there the path counts from the first wildcard element on.
    Relative,
    /// Classic: every file counts with its whole path in the context, links by what they lead to.
    WholePaths,
    /// buildah: files and folders below the source, with their paths from there on.
    BelowSource,
}

/// Something in a Dockerfile that a builder has no idea of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// A flag of an instruction: `RUN --mount`. The builder says so and stops.
    Flag(&'static str, &'static str),
    /// Heredocs.
    Heredocs,
}

/// The rules of one builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builder {
    /// As `--builder-profile` names it.
    pub name: &'static str,
    /// `COPY --link` does not stand on the step before it.
    pub link: bool,
    /// `--exclude` is heeded.
    pub exclude: bool,
    /// Every instruction is a part of the chain, those without a step too: what LABEL says is in the
    /// key of all that follows.
    pub chained: bool,
    /// ARGs of a base stage are known to a stage built on it.
    pub args_inherited: bool,
    /// Proxies given as build arguments are in the key of every RUN.
    pub proxies: bool,
    /// TARGETARCH and the like have values where they are declared.
    pub platform_args: bool,
    /// Instructions are compared by their text before variables are expanded.
    pub unexpanded: bool,
    /// Steps are made one after another, so that one finds what another stage made in the same build.
    pub sequential: bool,
    /// Every stage up to the target is built, needed or not (experiments row 78).
    pub all_stages: bool,
    /// How files are digested.
    pub content: ContentRule,
    /// What it does not know.
    pub lacks: &'static [Lacks],
}

impl Default for Builder {
    fn default() -> Self {
        Self::BUILDKIT
    }
}

impl Builder {
    /// Whether it is the builder of Docker before BuildKit, which knows `.dockerignore` alone.
    #[must_use]
    pub fn is_classic(self) -> bool {
        self == Self::CLASSIC
    }
}
