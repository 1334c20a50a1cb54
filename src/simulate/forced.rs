//! Steps that run whatever is stored: `--no-cache-filter`.
//!
//! Goes in: a plan. Comes out: what the flag makes of a verdict. Cost: one pass over the steps of a
//! plan that has forced ones. Source: experiments rows 99 and 100, cache keys 3.4: results are stored
//! under their usual keys, but the step shows no earlier key to what stands on it.

use super::store::Verdict;
use crate::plan::Plan;
use rustc_hash::{FxHashMap, FxHashSet};
use std::fmt::Write as _;

/// Which steps of one build are made anew.
#[derive(Clone, Debug, Default)]
pub struct Forced {
    /// The step itself runs whatever is stored, per position; empty where nothing is forced.
    own: Vec<bool>,
    /// Its file system is made anew: it or a step before it is forced.
    fresh: Vec<bool>,
    /// It may be: it takes files of such a stage.
    unsure: Vec<bool>,
}

/// How the step at a position hangs together with others.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Position of the step below it.
    pub parent: Option<usize>,
    /// That step's file system is in its key.
    pub keyed_by_parent: bool,
    /// It has that step's files among its inputs by content, and so shows a key of its own.
    pub own_base: bool,
    /// Positions of the last steps of stages whose files it takes, where those are not known.
    pub taken: &'a [usize],
}

impl Forced {
    /// Equal steps of several stages are one vertex: where one of them is forced, all are.
    pub fn new(plan: &Plan, parent: &[Option<usize>]) -> Self {
        let steps = || plan.order.iter().map(|n| &plan.graph[*n]);
        if !steps().any(|s| s.forced) {
            return Self::default();
        }
        let mut numbers: FxHashMap<String, usize> = FxHashMap::default();
        let mut number: Vec<usize> = Vec::with_capacity(plan.order.len());
        for (position, step) in steps().enumerate() {
            let below = parent[position].filter(|_| step.keyed_by_parent);
            let mut text = format!("{:x} {:?}", step.definition, below.map(|p| number[p]));
            let _ = write!(text, " {:?}", step.inputs);
            let next = numbers.len();
            number.push(*numbers.entry(text).or_insert(next));
        }
        let forced: FxHashSet<usize> = steps()
            .zip(&number)
            .filter(|(s, _)| s.forced)
            .map(|(_, n)| *n)
            .collect();
        Self {
            own: number.iter().map(|n| forced.contains(n)).collect(),
            fresh: Vec::new(),
            unsure: Vec::new(),
        }
    }

    /// Whether any step is.
    pub fn any(&self) -> bool {
        !self.own.is_empty()
    }

    /// The verdict of the next step in order, given what the store says.
    pub fn verdict(&mut self, at: Standing<'_>, stored: Verdict) -> Verdict {
        let Some(own) = self.own.get(self.fresh.len()).copied() else {
            return stored;
        };
        let parent = |list: &[bool]| at.parent.is_some_and(|p| list[p]);
        let below = at.keyed_by_parent && parent(&self.fresh);
        let doubt = at.taken.iter().any(|p| self.fresh[*p] || self.unsure[*p])
            || (at.keyed_by_parent && parent(&self.unsure));
        let verdict = match stored {
            _ if own || below => Verdict::Executed,
            Verdict::Cached if doubt => Verdict::Maybe,
            other => other,
        };
        let rests = !at.own_base;
        let fresh = own || (rests && parent(&self.fresh));
        let unsure = !fresh && (doubt || (rests && parent(&self.unsure)));
        self.fresh.push(fresh);
        self.unsure.push(unsure);
        verdict
    }
}
