//! Predictions and plans against a real builder: the only module that starts processes.
//!
//! Goes in: a repository's commits, what is predicted of each build, a [`Builder`]. Comes out: a
//! [`Tally`] of steps that agree and of every difference. Costs one checkout and one build a commit.
//! For a plan ([`verify_plan`]): two builds, out come the differences of their images. For a variant ([`measure`]): its
//! builds, timed.
//! Invariants: nothing from the repository is executed on this machine (its builds run where the
//! builder runs them), nothing is written into it, and no cache is ever emptied.

mod buildah;
mod checkout;
mod compare;
mod docker;
mod images;
mod measure;
mod noise;
mod plan;
mod prediction;
mod process;
pub mod record;

pub use crate::image::{Image, ImageError, Inode, Kind};
pub use buildah::Buildah;
pub use checkout::{CheckoutError, check_out};
pub use compare::{Difference, Predicted, PredictedStep, Tally};
pub use docker::Docker;
pub use images::{
    Archive, Comparison, Field, ImageDifference, compare_archives, compare_files, shown,
};
pub use measure::{Apart, Bases, Series, Stopped, Timed, measure};
pub use noise::{NOT_REPRODUCIBLE, Noise};
pub use plan::{PlanError, PlanOutcome, Which, verify_plan};
pub use prediction::{BuildLine, Ended, Job, Limits, run};

use crate::cost::log::Log;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One build.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The context's folder.
    pub context: PathBuf,
    /// The Dockerfile.
    pub dockerfile: PathBuf,
    /// Ignore rules of a builder that does not find them beside the Dockerfile.
    pub ignore_file: Option<PathBuf>,
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

/// What came of a build whose image is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// The image is in the file.
    Image,
    /// The builder refused the build, or a step failed; its message.
    Refused(String),
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

    /// Builds, and writes the image to `dest` as an archive that [`Image::read`] reads. No image stays in the
    /// builder's store.
    ///
    /// # Errors
    /// When the build did not come to an end, or the image cannot be written.
    fn image(&self, request: &Request, dest: &Path) -> Result<Made, BuilderError>;
}

/// A builder with a store of images that its builds can stand on.
pub trait Store: Builder {
    /// Whether the builder that these flags choose has one.
    fn keeps_images(&self, flags: &[String]) -> bool;

    /// Builds, and keeps the image under a name.
    ///
    /// # Errors
    /// When the build did not come to an end.
    fn keep(&self, request: &Request, name: &str) -> Result<Outcome, BuilderError>;

    /// Takes an image out again; one that is not there is no error.
    fn discard(&self, name: &str);
}

/// A name that no other image has, for a builder that can only write an image it has a name for.
fn image_name(dest: &Path) -> String {
    let hash = blake3::hash(dest.as_os_str().as_encoded_bytes()).to_hex();
    format!("cacheplan-verify:{}-{}", std::process::id(), &hash[..16])
}

#[cfg(test)]
mod images_tests;
#[cfg(test)]
mod measure_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod tests;
