//! Builder profiles: what differs between builders as far as keys go.
//!
//! A profile is a value, handed to [`super::lower`] in the build options and through the plan to the
//! simulation. One file per builder says what its value is and which experiments it comes from.

mod buildkit;

/// How a builder digests the files that a step takes from the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentRule {
    /// BuildKit 0.25: behind wildcards and with `--exclude` of every path only the base name counts
    /// (experiments row 23).
    #[default]
    BaseNames,
    /// BuildKit 0.32: there the path counts from the first wildcard element on.
    Relative,
}

/// The rules of one builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builder {
    /// As `--builder-profile` names it.
    pub name: &'static str,
    /// `COPY --link` does not stand on the step before it.
    pub link: bool,
    /// Every instruction is part of the chain, those without a step too.
    pub chained: bool,
    /// How files are digested.
    pub content: ContentRule,
}

impl Default for Builder {
    fn default() -> Self {
        Self::BUILDKIT
    }
}

impl Builder {
    /// Whether it is the builder of Docker before BuildKit.
    #[must_use]
    pub fn is_classic(self) -> bool {
        self.name == "classic"
    }
}
