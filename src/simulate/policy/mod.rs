//! Which earlier results a build can still find: one file per cache policy.
//!
//! Goes in: what a build used and made, as [`Used`]. Comes out: the flags of the store's records, a
//! key known or not and its layer there or not. Cost: O(steps) a build, plus the records that are
//! dropped. Invariant: a policy only takes away; nothing becomes known that no build had.

mod gha;
mod inline;
mod local;
mod local_size;
mod none;
mod previous;
mod registry_max;
mod registry_min;
mod size;

use super::store::{Store, Used};
use std::fmt;
use std::str::FromStr;

pub use size::{InvalidSize, Size};

pub(super) use local_size::Candidate;

/// Size of a GitHub Actions cache if none is given: what a repository may hold.
pub const GHA_SIZE: Size = Size(10_000_000_000);

/// The cache between one build and the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// A builder that keeps everything it ever built: the store is content-addressed, so a revert
    /// hits again (cache keys 4.5, experiments row 81).
    #[default]
    Local,
    /// The same with the builder's garbage collection down to a size after every build.
    LocalSize(Size),
    /// Only what the build before used or made is there.
    Previous,
    /// A fresh runner that imports what the build before exported with `mode=max`.
    RegistryMax,
    /// The same with `mode=min`: keys of all stages, layers of the result.
    RegistryMin,
    /// The same with the cache inside the image: keys of all stages, layers of the image.
    Inline,
    /// A fresh runner with the GitHub Actions cache, `mode=max`.
    Gha(Size),
    /// Nothing survives a build.
    None,
}

/// What stays of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Key and layer.
    Layer,
    /// The key, and maybe the layer.
    Perhaps,
    /// The key.
    Key,
}

impl Keep {
    fn layer_if(yes: bool) -> Self {
        if yes { Self::Layer } else { Self::Key }
    }
}

/// How far back a prefix of keys can be found, where that is all a policy depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// Any earlier build.
    All,
    /// The build before.
    Last,
    /// None.
    Nothing,
}

impl Policy {
    /// The name on the command line, without a size.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local | Self::LocalSize(_) => "local",
            Self::Previous => "previous",
            Self::RegistryMax => "registry-max",
            Self::RegistryMin => "registry-min",
            Self::Inline => "inline",
            Self::Gha(_) => "gha",
            Self::None => "none",
        }
    }

    /// Whether the builder itself lives on, and with it the cache mounts (cache keys 10).
    #[must_use]
    pub fn is_persistent(self) -> bool {
        matches!(self, Self::Local | Self::LocalSize(_) | Self::Previous)
    }

    /// Whether what survives depends on the sizes of layers.
    #[must_use]
    pub fn needs_sizes(self) -> bool {
        matches!(self, Self::LocalSize(_) | Self::Gha(_))
    }

    /// Whether the number of builds in which a step runs follows from the versions of its key prefix
    /// alone. Where it does not, [`Self::horizon`] is a lower bound.
    #[must_use]
    pub fn is_set_function(self) -> bool {
        matches!(self, Self::Local | Self::Previous | Self::None)
    }

    /// What a search over orders reckons with: for policies that are no set function the one that
    /// executes least, which is a builder that keeps everything.
    #[must_use]
    pub fn horizon(self) -> Horizon {
        match self {
            Self::Previous => Horizon::Last,
            Self::None => Horizon::Nothing,
            _ => Horizon::All,
        }
    }

    /// Whether builds start on an empty machine and only an export outlives them.
    pub(super) fn is_exported(self) -> bool {
        !matches!(self, Self::Local | Self::LocalSize(_))
    }

    /// Before a build: what is lost by waiting. `idle` is the time since the build before, seconds.
    pub(super) fn before(self, store: &mut Store, idle: Option<i64>) {
        if let Self::Gha(_) = self {
            gha::before(store, idle);
        }
    }

    /// After a build that succeeded: what of it the next one finds.
    pub(super) fn after(self, store: &mut Store, used: &Used<'_>) {
        if self != Self::Local {
            store.enlist(used);
        }
        match self {
            Self::Local => local::after(store, used),
            Self::LocalSize(size) => local_size::after(store, used, size),
            Self::Previous => previous::after(store, used),
            Self::RegistryMax => registry_max::after(store, used),
            Self::RegistryMin => registry_min::after(store, used),
            Self::Inline => inline::after(store, used),
            Self::Gha(size) => gha::after(store, used, size),
            Self::None => none::after(store, used),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self {
            Self::LocalSize(size) => write!(f, ":{size}"),
            Self::Gha(size) if *size != GHA_SIZE => write!(f, ":{size}"),
            _ => Ok(()),
        }
    }
}

/// A word that names no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// Not a name.
    #[error(
        "write local, local:SIZE, previous, registry-max, registry-min, inline, gha, gha:SIZE or none"
    )]
    Name,
    /// A policy that takes no size.
    #[error("{0} takes no size")]
    TakesNone(&'static str),
    /// A bad size.
    #[error(transparent)]
    Size(#[from] InvalidSize),
}

impl FromStr for Policy {
    type Err = InvalidPolicy;

    /// Reads a name as the command line has it.
    ///
    /// # Errors
    /// When it is no policy, or a size is bad or out of place.
    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        let (name, size) = match text.split_once(':') {
            Some((name, size)) => (name, Some(size)),
            None => (text, None),
        };
        let plain = match name {
            "local" => Self::Local,
            "previous" => Self::Previous,
            "registry-max" => Self::RegistryMax,
            "registry-min" => Self::RegistryMin,
            "inline" => Self::Inline,
            "gha" => Self::Gha(GHA_SIZE),
            "none" => Self::None,
            _ => return Err(InvalidPolicy::Name),
        };
        match (plain, size) {
            (plain, None) => Ok(plain),
            (Self::Local, Some(size)) => Ok(Self::LocalSize(size.parse()?)),
            (Self::Gha(_), Some(size)) => Ok(Self::Gha(size.parse()?)),
            (plain, Some(_)) => Err(InvalidPolicy::TakesNone(plain.as_str())),
        }
    }
}
