//! BuildKit 0.25 with the overlay2 graph driver, the default store of Docker up to 28.

use super::Builder;

impl Builder {
    /// It cannot merge file systems, so `COPY --link` is a plain COPY and shares its key (experiments
    /// rows 84 and 86).
    pub const BUILDKIT_OVERLAY2: Self = Self {
        name: "buildkit-overlay2",
        link: false,
        ..Self::BUILDKIT
    };
}
