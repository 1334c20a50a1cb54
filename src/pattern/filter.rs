//! Many paths against one list of patterns, with the folders' states remembered.
//!
//! Goes in: paths in any order; sorted ones are fastest. Comes out: the same answers as
//! [`IgnoreRules::is_ignored`]. Costs one state per distinct folder once, then one evaluation per
//! path. Invariant: the cache never changes an answer.

use super::exclude::ExcludeRules;
use super::ignore::IgnoreRules;
use super::path::parent;
use super::walk::{DirState, Walk};
use rustc_hash::FxHashMap;

/// A memo over an [`IgnoreRules`] or an [`ExcludeRules`]; memory grows with the number of distinct
/// folders asked about.
#[derive(Debug)]
pub struct PathFilter<'a> {
    walk: &'a Walk,
    states: Vec<DirState>,
    by_dir: FxHashMap<Box<[u8]>, usize>,
    /// The folder of the last path, which is nearly always the next one's too.
    last: (Vec<u8>, usize),
}

impl<'a> PathFilter<'a> {
    /// An empty memo for an ignore file.
    #[must_use]
    pub fn new(rules: &'a IgnoreRules) -> Self {
        Self::over(&rules.walk)
    }

    /// An empty memo for an `--exclude` list; paths are relative to the matched node.
    #[must_use]
    pub fn for_excludes(rules: &'a ExcludeRules) -> Self {
        Self::over(&rules.walk)
    }

    fn over(walk: &'a Walk) -> Self {
        Self {
            walk,
            states: vec![DirState::root()],
            by_dir: FxHashMap::default(),
            last: (Vec::new(), 0),
        }
    }

    /// Whether the path is left out.
    pub fn ignored(&mut self, path: &[u8]) -> bool {
        self.verdict(path).0
    }

    /// Whether the path is left out, and the index of the pattern that decided, if any did.
    pub fn verdict(&mut self, path: &[u8]) -> (bool, Option<usize>) {
        if path.is_empty() {
            return (false, None);
        }
        let state = self.state_of(parent(path));
        self.walk.decide(&self.states[state], path)
    }

    /// Index of a folder's state; computes those of its ancestors that are not there yet.
    fn state_of(&mut self, dir: &[u8]) -> usize {
        if dir == self.last.0 {
            return self.last.1;
        }
        let mut missing = Vec::new();
        let mut above = dir;
        let mut state = loop {
            if above.is_empty() && !dir.starts_with(b"/") {
                break 0;
            }
            if let Some(known) = self.by_dir.get(above) {
                break *known;
            }
            missing.push(above);
            if above.is_empty() {
                break 0;
            }
            above = parent(above);
        };
        for folder in missing.into_iter().rev() {
            let next = self.walk.test(&self.states[state], folder).state;
            state = self.states.len();
            self.states.push(next);
            self.by_dir.insert(folder.into(), state);
        }
        self.last.0.clear();
        self.last.0.extend_from_slice(dir);
        self.last.1 = state;
        state
    }
}
