//! Which earlier results a build can still find.

use std::fmt;

/// The cache between one build and the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// A builder that keeps everything it ever built: the store is content-addressed, so a revert
    /// hits again (cache keys 4.5, experiments row 81).
    #[default]
    Local,
    /// Only what the build before used or made is there.
    Previous,
    /// Nothing survives a build.
    None,
}

impl Policy {
    /// The name on the command line and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Previous => "previous",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
