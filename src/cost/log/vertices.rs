//! Vertices of a build as word of them comes in, one piece after the other.
//!
//! Goes in: updates, by digest. Comes out: the vertices in order of first mention. A vertex's last `cached` and `error` count, and its
//! seconds are those that its stretches of work cover together, since key computation, load and execution are reported one by one.

use super::{LogStep, Parts, Seen};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What is said of a vertex.
#[derive(Clone, Debug, Default)]
pub(super) struct Update {
    pub digest: String,
    pub name: String,
    /// Nanoseconds since 1970.
    pub started: Option<i128>,
    /// The same.
    pub completed: Option<i128>,
    pub cached: bool,
    /// Empty where it has none.
    pub error: String,
}

/// What is said of a piece of a vertex's work.
#[derive(Clone, Debug, Default)]
pub(super) struct PartUpdate {
    /// Digest of the vertex.
    pub vertex: String,
    pub id: String,
    pub bytes: u64,
    /// Nanoseconds since 1970.
    pub started: Option<i128>,
    /// The same.
    pub completed: Option<i128>,
}

struct Known {
    parts: Parts,
    step: LogStep,
    /// Start and end of every stretch of work, in nanoseconds.
    spans: BTreeMap<i128, i128>,
}

/// All that is known so far.
#[derive(Default)]
pub(super) struct Vertices {
    order: Vec<Known>,
    by_digest: FxHashMap<String, usize>,
}

impl Vertices {
    /// Takes note; `line` is where it is said.
    pub fn update(&mut self, update: Update, line: usize) {
        let next = self.order.len();
        let at = *self.by_digest.entry(update.digest).or_insert(next);
        if at == next {
            self.order.push(Known {
                parts: Parts::default(),
                step: LogStep {
                    name: update.name,
                    seen: Seen::NotStarted,
                    seconds: None,
                    line,
                    parts: Vec::new(),
                },
                spans: BTreeMap::new(),
            });
        }
        let known = &mut self.order[at];
        let Some(start) = update.started else {
            return;
        };
        let canceled = update.error.contains("context canceled");
        known.step.seen = match (update.error.is_empty(), update.cached) {
            (false, _) if canceled => Seen::Canceled,
            (false, _) => Seen::Failed,
            (true, true) => Seen::Cached,
            (true, false) => Seen::Ran,
        };
        if let Some(end) = update.completed {
            known.spans.insert(start, end);
        }
    }

    /// Takes note of a part; one of a vertex that nothing was said of is left out.
    pub fn part(&mut self, update: PartUpdate) {
        let known = self.by_digest.get(&update.vertex);
        let known = known.and_then(|at| self.order.get_mut(*at));
        let Some(part) = known.and_then(|k| k.parts.of(&update.id)) else {
            return;
        };
        part.bytes = part.bytes.max(update.bytes);
        if let (Some(start), Some(end)) = (update.started, update.completed) {
            part.span = Some((start, end));
        }
    }

    /// Whether nothing was said of any.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The vertices.
    pub fn steps(self) -> Vec<LogStep> {
        let step = |known: Known| LogStep {
            seconds: (!known.spans.is_empty()).then(|| merged(&known.spans)),
            parts: known.parts.all,
            ..known.step
        };
        self.order.into_iter().map(step).collect()
    }
}

/// Seconds covered by the spans together.
fn merged(spans: &BTreeMap<i128, i128>) -> f64 {
    let (mut total, mut covered) = (0i128, i128::MIN);
    for (start, end) in spans {
        let from = (*start).max(covered);
        total += (*end - from).max(0);
        covered = covered.max(*end);
    }
    total as f64 / 1e9
}
