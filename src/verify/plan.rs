//! Whether a plan builds the same image.
//!
//! Goes in: a builder, the build as it is and the build as planned, on one context. Comes out: a [`Comparison`], or that the plan does
//! not build. Costs two builds where the images are equal and three where they are not. Which of them share a cache:
//! the original is built first and may use all there is; the plan next, and may use what the original left, as it would in
//! practice (an equal step of the same inputs has one result, so that sharing it hides nothing); the original once
//! more last, from nothing. What differs between its two builds is no doing of the plan.

use super::images::{Archive, Comparison, compare_archives};
use super::{Builder, BuilderError, ImageError, Made, Request};
use std::path::Path;

/// Which build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The Dockerfile as it is.
    Original,
    /// As planned.
    Plan,
    /// The Dockerfile as it is, once more and without a cache.
    Again,
}

impl Which {
    /// In sentences.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "the original",
            Self::Plan => "the plan",
            Self::Again => "the original once more, without a cache",
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanOutcome {
    /// Both build.
    Compared {
        /// Their images.
        comparison: Comparison,
        /// How many builds were made.
        builds: usize,
        /// What the builder said when the original did not build once more, so that there is no evidence of noise.
        not_again: Option<String>,
    },
    /// The original builds, twice, and the plan does not.
    Refused {
        /// What the builder says.
        message: String,
        /// How many builds were made.
        builds: usize,
    },
}

/// Why there is nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The original does not build.
    #[error("building {} failed: {message}", .which.name())]
    Refused {
        /// Which of its builds.
        which: Which,
        /// What the builder says.
        message: String,
    },
    /// The builder gave up.
    #[error("building {}: {source}", .0.name(), source = .1)]
    Builder(Which, BuilderError),
    /// What it wrote is not understood.
    #[error("building {}: {source}", .0.name(), source = .1)]
    Image(Which, ImageError),
}

/// Builds both and compares. Archives are written to `folder`, each as large as an image without compression.
///
/// # Errors
/// When nothing can be said of the plan.
pub fn verify_plan(
    builder: &dyn Builder,
    original: &Request,
    plan: &Request,
    folder: &Path,
    progress: &mut dyn FnMut(Which),
) -> Result<PlanOutcome, PlanError> {
    let mut make = |which: Which| {
        progress(which);
        let (request, name) = match which {
            Which::Original => (original.clone(), "original.tar"),
            Which::Plan => (plan.clone(), "plan.tar"),
            Which::Again => {
                let mut request = original.clone();
                request.no_cache = true;
                (request, "again.tar")
            }
        };
        let file = folder.join(name);
        match builder.image(&request, &file) {
            Err(e) => Err(PlanError::Builder(which, e)),
            Ok(Made::Refused(message)) => Ok(Err(message)),
            Ok(Made::Image) => match Archive::open(&file) {
                Ok(archive) => Ok(Ok(archive)),
                Err(e) => Err(PlanError::Image(which, e)),
            },
        }
    };
    let refused = |which, message| PlanError::Refused { which, message };
    let mut first = make(Which::Original)?.map_err(|m| refused(Which::Original, m))?;
    let mut planned = match make(Which::Plan)? {
        Ok(archive) => archive,
        Err(message) => {
            // A net that is down since the cache was filled fails both.
            make(Which::Again)?.map_err(|m| refused(Which::Again, m))?;
            return Ok(PlanOutcome::Refused { message, builds: 3 });
        }
    };
    let wrong = |e| PlanError::Image(Which::Plan, e);
    let comparison = compare_archives(&mut first, &mut planned, None).map_err(wrong)?;
    if comparison.differences.is_empty() {
        return Ok(PlanOutcome::Compared {
            comparison,
            builds: 2,
            not_again: None,
        });
    }
    let (comparison, not_again) = match make(Which::Again)? {
        Err(message) => (comparison, Some(message)),
        Ok(again) => {
            let all = compare_archives(&mut first, &mut planned, Some(&again.image));
            (all.map_err(wrong)?, None)
        }
    };
    Ok(PlanOutcome::Compared {
        comparison,
        builds: 3,
        not_again,
    })
}
