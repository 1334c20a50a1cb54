//! Builds of a variant, timed, on a cache that holds nothing but its own results.
//!
//! Goes in: builds of one Dockerfile, oldest first, and a builder. Comes out: for each the steps that ran with their
//! seconds, and its seconds on the clock. Costs one build each, and a small one for each base image.
//!
//! How a builder that keeps everything is made to have nothing: no cache is emptied. Every base image gets a twin with
//! one small file more, `/.cacheplan-measure`, and a named context puts the twin in its place, so that the key of every
//! step on it is one that no build had before. Cache mounts get a namespace (`BUILDKIT_CACHE_MOUNT_NS`).
//! Making the twin fetches and unpacks the image, so no variant waits for that. Where a twin cannot be made (the builder
//! keeps no images, or the image brings ONBUILD triggers along), the host name inside RUN is another one instead
//! (`BUILDKIT_SANDBOX_HOSTNAME`), which is in the keys of RUN alone. Invariant: the twins are gone afterwards.

use super::{BuilderError, Request, Store};
use crate::cost::log::{Log, Seen, Title, title};
use std::any::Any;
use std::path::Path;
use std::time::{Duration, Instant};

/// The file that a twin has and its image has not.
const FILE: &str = "/.cacheplan-measure";

/// What is built.
pub trait Series {
    /// Why a build cannot be prepared.
    type Error;

    /// How many builds there are.
    fn builds(&self) -> usize;

    /// Puts a build's files in place; what is returned with the request is dropped behind the build. `None`: there is
    /// nothing to build.
    ///
    /// # Errors
    /// As the series says.
    #[allow(clippy::type_complexity)]
    fn prepare(&self, build: usize) -> Result<Option<(Request, Box<dyn Any>)>, Self::Error>;
}

/// One build that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// Which, counted from 0.
    pub build: usize,
    /// From the start of the client to its end.
    pub wall_s: f64,
    /// Steps that ran, as printed, and the seconds they were at work; FROM, transfers and exports are none.
    pub ran: Vec<(String, f64)>,
    /// Texts of the steps that were found in the cache.
    pub cached: Vec<String>,
    /// The builder's message, where it refused the build or a step failed.
    pub failed: Option<String>,
}

/// Why the builds did not come to their end.
#[derive(Debug)]
pub enum Stopped<E> {
    /// The builder gave up.
    Builder(BuilderError),
    /// A build could not be prepared.
    Series(E),
}

/// What keeps a variant's results apart from all others, while it lives.
pub struct Apart<'a> {
    store: &'a dyn Store,
    twins: Vec<String>,
    flags: Vec<String>,
    /// Whether every step is, not RUN alone.
    pub complete: bool,
}

/// What a variant stands on.
#[derive(Clone, Copy)]
pub struct Bases<'a> {
    /// Images that it stands on or copies from.
    pub images: &'a [String],
    /// A word that no other series has: lower-case letters and digits.
    pub mark: &'a str,
    /// Flags of the user's for the builder.
    pub flags: &'a [String],
    /// A folder to write in.
    pub temp: &'a Path,
    /// How long fetching one of them may take.
    pub timeout: Duration,
    /// All of them are for the platform that is built.
    pub one_platform: bool,
}

impl<'a> Apart<'a> {
    /// Makes twins of the images that a variant stands on or copies from.
    ///
    /// # Errors
    /// When an image can't be fetched, or the builder is gone.
    pub fn new(store: &'a dyn Store, bases: &Bases<'_>) -> Result<Self, BuilderError> {
        let Bases {
            images,
            mark,
            flags,
            temp,
            timeout,
            one_platform,
        } = *bases;
        let mut apart = Self {
            store,
            twins: Vec::new(),
            flags: Vec::new(),
            complete: one_platform && store.keeps_images(flags),
        };
        apart.told("BUILDKIT_CACHE_MOUNT_NS", mark);
        for (i, image) in images.iter().enumerate() {
            if !is_reference(image) {
                apart.complete = false;
                continue;
            }
            let name = format!("cacheplan-measure:{mark}-{i}");
            let folder = temp.join(format!("twin-{mark}-{i}"));
            let mut request = twin(&folder, image, mark)?;
            request.flags = flags.to_vec();
            request.timeout = timeout;
            let made = match apart.complete {
                true => store.keep(&request, &name)?,
                // Fetched all the same.
                false => store.build(&request)?,
            };
            if apart.complete {
                apart.twins.push(name.clone());
            }
            if let Some(error) = made.error {
                return Err(BuilderError::Fault(format!("{image}: {error}")));
            }
            // Triggers of the image ran here, and would not run in its children.
            if !apart.complete || steps(&made.log).count() != 1 {
                apart.complete = false;
                continue;
            }
            let context = format!("{image}=docker-image://{name}");
            apart.flags.extend(["--build-context".to_owned(), context]);
        }
        if !apart.complete {
            apart.told("BUILDKIT_SANDBOX_HOSTNAME", mark);
        }
        Ok(apart)
    }

    fn told(&mut self, name: &str, value: &str) {
        let value = format!("{name}={value}");
        self.flags.extend(["--build-arg".to_owned(), value]);
    }
}

impl Drop for Apart<'_> {
    fn drop(&mut self) {
        for name in &self.twins {
            self.store.discard(name);
        }
    }
}

/// Whether a name can stand in a line of a Dockerfile and be nothing but a name.
fn is_reference(image: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    image.starts_with(|c: char| c.is_ascii_alphanumeric()) && image.chars().all(part)
}

/// The build of a twin: the image, and one file that holds the mark. (A folder with a time of its own would not do:
/// the builder writes layers without the times of folders.)
fn twin(folder: &Path, image: &str, mark: &str) -> Result<Request, BuilderError> {
    let text = format!("FROM {image}\nCOPY mark {FILE}\n");
    std::fs::create_dir(folder)
        .and_then(|()| std::fs::write(folder.join("mark"), mark))
        .and_then(|()| std::fs::write(folder.join("Dockerfile"), text))
        .map_err(|e| BuilderError::Fault(format!("cannot write a build: {e}")))?;
    Ok(Request {
        context: folder.to_owned(),
        dockerfile: folder.join("Dockerfile"),
        ..Request::default()
    })
}

/// Steps of a log that did or might have done work: FROM is none.
fn steps(log: &Log) -> impl Iterator<Item = (&crate::cost::log::LogStep, Title<'_>)> {
    let titled = log.steps.iter().filter_map(|s| Some((s, title(&s.name)?)));
    titled.filter(|(_, t)| !t.text.starts_with("FROM "))
}

/// Builds, one behind the other, and takes the time of each.
///
/// # Errors
/// [`Stopped`]; builds until then were handed over.
pub fn measure<S: Series>(
    apart: &Apart<'_>,
    series: &S,
    timeout: Duration,
    each: &mut dyn FnMut(Timed),
) -> Result<(), Stopped<S::Error>> {
    for build in 0..series.builds() {
        let prepared = series.prepare(build).map_err(Stopped::Series)?;
        let Some((mut request, guard)) = prepared else {
            continue;
        };
        request.flags.splice(0..0, apart.flags.iter().cloned());
        request.timeout = timeout;
        let start = Instant::now();
        let outcome = apart.store.build(&request);
        let wall_s = start.elapsed().as_secs_f64();
        drop(guard);
        let outcome = outcome.map_err(Stopped::Builder)?;
        each(timed(build, wall_s, &outcome.log, outcome.error));
    }
    Ok(())
}

fn timed(build: usize, wall_s: f64, log: &Log, failed: Option<String>) -> Timed {
    let mut timed = Timed {
        build,
        wall_s,
        ran: Vec::new(),
        cached: Vec::new(),
        failed,
    };
    for (step, title) in steps(log) {
        match step.seen {
            Seen::Ran | Seen::Failed => {
                let seconds = step.seconds.unwrap_or(0.0);
                timed.ran.push((step.name.clone(), seconds));
            }
            Seen::Cached => timed.cached.push(title.text.to_owned()),
            Seen::NotStarted | Seen::Canceled => {}
        }
    }
    timed
}
