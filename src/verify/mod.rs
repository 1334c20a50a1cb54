//! Predictions against a real builder: the only module that starts processes.
//!
//! Goes in: a repository's commits, what is predicted of each build, a [`Builder`]. Comes out: a
//! [`Tally`] of steps that agree and of every difference. Costs one checkout and one build a commit.
//! Invariants: nothing from the repository is executed on this machine (its builds run where the
//! builder runs them), nothing is written into it, and no cache is ever emptied.

mod checkout;
mod compare;
mod docker;
mod image;
mod images;
mod noise;
mod prediction;

pub use checkout::{CheckoutError, check_out};
pub use compare::{Difference, Predicted, PredictedStep, Tally};
pub use docker::Docker;
pub use image::{Image, ImageError, Inode, Kind};
pub use images::{
    Archive, Comparison, Field, ImageDifference, compare_archives, compare_files, shown,
};
pub use noise::{NOT_REPRODUCIBLE, Noise};
pub use prediction::{BuildLine, Ended, Job, Limits, run};

use crate::cost::log::Log;
use std::path::PathBuf;
use std::time::Duration;

/// One build.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The context's folder.
    pub context: PathBuf,
    /// The Dockerfile.
    pub dockerfile: PathBuf,
    /// Flags of the build: target, arguments, and what the user adds.
    pub flags: Vec<String>,
    /// Run every step, whatever is in the cache.
    pub no_cache: bool,
    /// How long it may take.
    pub timeout: Duration,
}

/// A build that came to an end.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Its progress.
    pub log: Log,
    /// The builder's message, where it refused the build or a step failed.
    pub error: Option<String>,
}

/// Why a build did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum BuilderError {
    /// The builder cannot be started, or there is none to talk to.
    #[error("{builder} cannot be used: {reason}")]
    NotStarted {
        /// Its name.
        builder: &'static str,
        /// One line.
        reason: String,
    },
    /// It took too long and was stopped.
    #[error("the build took longer than {0} s and was stopped")]
    Timeout(u64),
    /// The builder failed by itself.
    #[error("the builder failed: {0}")]
    Fault(String),
}

/// A builder that can be started.
pub trait Builder {
    /// What it is, with its version.
    ///
    /// # Errors
    /// [`BuilderError::NotStarted`] when there is none to talk to.
    fn version(&self) -> Result<String, BuilderError>;

    /// Builds, without keeping an image.
    ///
    /// # Errors
    /// When the build did not come to an end.
    fn build(&self, request: &Request) -> Result<Outcome, BuilderError>;
}

#[cfg(test)]
mod images_tests;
#[cfg(test)]
mod tests;
