//! Which builds look alike to a set of inputs.
//!
//! A partition numbers, for every build, the combination of versions seen by a set of steps. Adding a
//! step refines it in O(builds). The number of builds in which a step runs follows from it: under
//! `local` a build runs when its combination is new, so it is the number of classes less one.

use crate::simulate::{Horizon, Policy};
use rustc_hash::FxHashMap;

/// Class of every build, dense from 0 in order of first appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    ids: std::sync::Arc<[u32]>,
    classes: u32,
}

impl Partition {
    /// All builds alike.
    #[must_use]
    pub fn trivial(builds: usize) -> Self {
        Self {
            ids: vec![0; builds].into(),
            classes: u32::from(builds > 0),
        }
    }

    /// From any numbering.
    #[must_use]
    pub fn from_ids(ids: Vec<u32>) -> Self {
        Self::trivial(ids.len()).refine(&ids)
    }

    /// Number of builds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no builds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Class of every build.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Number of classes.
    #[must_use]
    pub fn class_count(&self) -> u32 {
        self.classes
    }

    /// The partition by this one and one more row of versions.
    #[must_use]
    pub fn refine(&self, row: &[u32]) -> Self {
        let mut seen: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        let mut fresh = 0;
        let number = |pair: (u32, u32)| {
            *seen.entry(pair).or_insert_with(|| {
                fresh += 1;
                fresh - 1
            })
        };
        let ids: std::sync::Arc<[u32]> = self
            .ids
            .iter()
            .copied()
            .zip(row.iter().copied())
            .map(number)
            .collect();
        if fresh == self.classes {
            // Nothing was told apart: share the memory.
            return self.clone();
        }
        Self {
            ids,
            classes: fresh,
        }
    }

    /// Builds, the first left out, in which a step with this prefix runs; at least so many, where the
    /// policy depends on more than prefixes.
    #[must_use]
    pub fn executed(&self, policy: Policy) -> usize {
        match policy.horizon() {
            Horizon::All => (self.classes as usize).saturating_sub(1),
            Horizon::Last => self.ids.windows(2).filter(|w| w[0] != w[1]).count(),
            Horizon::Nothing => self.ids.len().saturating_sub(1),
        }
    }
}
