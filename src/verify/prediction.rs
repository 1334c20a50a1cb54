//! The builds of a verification, one behind the other.
//!
//! What can be claimed of a cache that may hold results of other builds: a step that was to be cached
//! and ran is a wrong prediction, whatever else is in the cache, since more results only make more hits
//! (unless the builder collected garbage meanwhile). A step that was to run and was cached is one only
//! where the cache is known to have been empty. So the first build runs every step, to leave fresh
//! results of all of them, and is not compared; and what is cached against the prediction afterwards is
//! told apart. The same goes for builds behind one that failed half way, whose results nobody knows.

use super::compare::{Difference, Predicted, Tally};
use super::{Builder, BuilderError, Request};
use std::time::Duration;

/// What is built.
pub trait Job {
    /// Why a build cannot be prepared.
    type Error;

    /// How many builds there are.
    fn builds(&self) -> usize;

    /// Predicts all builds; those in `without` are taken out, as if they had never been.
    ///
    /// # Errors
    /// As the job says.
    fn predict(&self, without: &[usize]) -> Result<Vec<Predicted>, Self::Error>;

    /// Puts a build's files in place; what is returned with the request is dropped behind the build.
    ///
    /// # Errors
    /// As the job says.
    fn prepare(&self, build: usize) -> Result<(Request, Box<dyn std::any::Any>), Self::Error>;
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nothing else is in the cache: the first build is compared too.
    pub empty_cache: bool,
    /// Go on behind a build that did not come to an end.
    pub keep_going: bool,
    /// How long one build may take.
    pub timeout: Duration,
}

/// How one build went, for progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildLine {
    /// It begins.
    Begins,
    /// It was made to fill the cache.
    Filled,
    /// It was compared; so many differences.
    Compared(usize),
    /// Both sides refuse it.
    Refused,
    /// It has no Dockerfile.
    Skipped,
    /// It came to no end to compare.
    Failed,
}

/// How the whole ended.
#[derive(Debug)]
pub enum Ended<E> {
    /// All builds were made.
    Done(Tally),
    /// The builder gave up at this build; what was compared until then.
    Builder(usize, BuilderError, Tally),
    /// A build could not be prepared or predicted.
    Job(E),
}

/// Builds and compares.
pub fn run<J: Job>(
    builder: &dyn Builder,
    job: &J,
    limits: Limits,
    progress: &mut dyn FnMut(usize, BuildLine),
) -> Ended<J::Error> {
    let mut tally = Tally::default();
    let mut without: Vec<usize> = Vec::new();
    let mut predicted = match job.predict(&without) {
        Ok(predicted) => predicted,
        Err(e) => return Ended::Job(e),
    };
    // Whether a build has filled the cache, and whether it may hold what nobody predicts.
    let (mut filled, mut older) = (limits.empty_cache, !limits.empty_cache);
    for build in 0..job.builds() {
        let Some(expected) = predicted.get(build).cloned() else {
            break;
        };
        if expected.skipped {
            tally.skipped += 1;
            progress(build, BuildLine::Skipped);
            continue;
        }
        progress(build, BuildLine::Begins);
        let (mut request, guard) = match job.prepare(build) {
            Ok(prepared) => prepared,
            Err(e) => return Ended::Job(e),
        };
        request.no_cache = !filled;
        request.timeout = limits.timeout;
        let outcome = builder.build(&request);
        drop(guard);
        let mut lost = |why: String, wrong: bool, tally: &mut Tally| {
            let difference = Difference {
                build,
                step: None,
                name: String::new(),
                predicted: "built".to_owned(),
                seen: why,
            };
            match wrong {
                true => tally.wrong.push(difference),
                false => tally.failed.push(difference),
            }
            without.push(build);
            older = true;
            progress(build, BuildLine::Failed);
            job.predict(&without)
        };
        let again = match outcome {
            Err(error @ BuilderError::NotStarted { .. }) => {
                return Ended::Builder(build, error, tally);
            }
            Err(error) if !limits.keep_going => return Ended::Builder(build, error, tally),
            Err(error) => lost(error.to_string(), false, &mut tally),
            Ok(outcome) => match (&expected.fails, outcome.error) {
                (Some(_), Some(_)) => {
                    tally.refused += 1;
                    progress(build, BuildLine::Refused);
                    continue;
                }
                (Some(says), None) => {
                    let difference = Difference {
                        build,
                        step: None,
                        name: String::new(),
                        predicted: format!("refused: {says}"),
                        seen: "built".to_owned(),
                    };
                    // An older result of the step that fails keeps it from being run at all.
                    match older && expected.fails_when_run {
                        true => tally.older_records.push(difference),
                        false => tally.wrong.push(difference),
                    }
                    filled = true;
                    older = true;
                    progress(build, BuildLine::Compared(1));
                    continue;
                }
                // A command that fails is the user's business, and nothing a cache is asked about.
                (None, Some(error)) => lost(error.clone(), !command_failed(&error), &mut tally),
                (None, None) if !filled => {
                    filled = true;
                    progress(build, BuildLine::Filled);
                    continue;
                }
                (None, None) => {
                    let before = tally.wrong.len();
                    tally.add(build, &expected, &outcome.log, older);
                    let more = tally.wrong.len() - before;
                    progress(build, BuildLine::Compared(more));
                    continue;
                }
            },
        };
        match again {
            Ok(again) => predicted = again,
            Err(e) => return Ended::Job(e),
        }
    }
    Ended::Done(tally)
}

/// A RUN that ended with an error, an image or a file of the net that could not be fetched.
fn command_failed(error: &str) -> bool {
    [
        "did not complete successfully",
        "failed to resolve source metadata",
        "failed to do request",
        "pull access denied",
        "failed to load cache key",
    ]
    .iter()
    .any(|mark| error.contains(mark))
}
