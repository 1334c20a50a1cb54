//! Which layers are made anew, and so pushed and pulled again, over a history.
//!
//! Goes in: the verdicts of a replay and the bytes of each layer. Comes out: builds and bytes for each. Linear in builds times layers.
//! Invariant: the cold build is left out, as in every mean; a step that may have run counts in the upper figure alone. Every build is taken to
//! have the sizes of the newest: what is pushed is the layer that is made anew, whatever changed in it.

use super::ImageLayers;
use crate::plan::Plan;
use crate::simulate::{Outcome, Verdict};

/// Builds that made a layer anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// For sure.
    pub anew: usize,
    /// Perhaps.
    pub maybe: usize,
}

impl Pushed {
    /// Bytes a build, at most and at least.
    #[must_use]
    pub fn per_build(self, bytes: u64, builds: usize) -> (f64, f64) {
        let mean = |n: usize| bytes as f64 * n as f64 / builds.max(1) as f64;
        (mean(self.anew + self.maybe), mean(self.anew))
    }
}

/// For each layer in how many builds it is made anew, and how many builds were counted. `plan` is the one of all builds.
#[must_use]
pub fn pushed(layers: &ImageLayers, plan: &Plan, outcome: &Outcome) -> (Vec<Pushed>, usize) {
    let positions = plan.positions();
    let places = layers
        .layers
        .iter()
        .map(|l| positions.get(&l.step).copied());
    let places: Vec<Option<usize>> = places.collect();
    let mut out = vec![Pushed::default(); places.len()];
    let mut builds = 0;
    for build in outcome.counted() {
        let verdicts = &outcome.builds[build].verdicts;
        builds += 1;
        for (pushed, place) in out.iter_mut().zip(&places) {
            match place.and_then(|p| verdicts.get(p)) {
                Some(Verdict::Executed) => pushed.anew += 1,
                Some(Verdict::Maybe) => pushed.maybe += 1,
                Some(Verdict::Cached) | None => {}
            }
        }
    }
    (out, builds)
}
