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
    /// It is, where an image has certain variables: only that tells it from a forced one.
    perhaps: Vec<bool>,
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
        let exact = Self::numbers(plan, parent, true);
        let loose = Self::numbers(plan, parent, false);
        let of_forced = |number: &[usize]| -> FxHashSet<usize> {
            let forced = steps().zip(number).filter(|(s, _)| s.forced);
            forced.map(|(_, n)| *n).collect()
        };
        let (same, like) = (of_forced(&exact), of_forced(&loose));
        Self {
            own: exact.iter().map(|n| same.contains(n)).collect(),
            perhaps: loose.iter().map(|n| like.contains(n)).collect(),
            fresh: Vec::new(),
            unsure: Vec::new(),
        }
    }

    /// A number for every step, the same for those that are one vertex; `exact`: for certain.
    fn numbers(plan: &Plan, parent: &[Option<usize>], exact: bool) -> Vec<usize> {
        let mut numbers: FxHashMap<String, usize> = FxHashMap::default();
        let mut number: Vec<usize> = Vec::with_capacity(plan.order.len());
        let steps = plan.order.iter().map(|n| &plan.graph[*n]);
        for (position, step) in steps.enumerate() {
            let below = parent[position].filter(|_| step.keyed_by_parent);
            let mut text = format!("{:x} {:?}", step.definition, below.map(|p| number[p]));
            let _ = write!(text, " {:?}", step.inputs);
            if exact {
                let _ = write!(text, " {:?}", step.variable_places);
            }
            let next = numbers.len();
            number.push(*numbers.entry(text).or_insert(next));
        }
        number
    }

    /// Whether any step is.
    pub fn any(&self) -> bool {
        !self.own.is_empty()
    }

    /// The verdict of the next step in order, given what the store says.
    pub fn verdict(&mut self, at: Standing<'_>, stored: Verdict) -> Verdict {
        let position = self.fresh.len();
        let Some(own) = self.own.get(position).copied() else {
            return stored;
        };
        let parent = |list: &[bool]| at.parent.is_some_and(|p| list[p]);
        let below = at.keyed_by_parent && parent(&self.fresh);
        let doubt = self.perhaps[position]
            || at.taken.iter().any(|p| self.fresh[*p] || self.unsure[*p])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;
    use crate::plan::{BuildOptions, StepKind, lower};
    use crate::source::SourceFile;

    /// Where the image has the variable, the RUN of `b` is another vertex than that of `c`.
    #[test]
    fn what_only_the_image_tells_apart_is_in_doubt() {
        let text = "FROM i AS a\nENV X=1\nFROM a AS b\nRUN y\nFROM i AS c\nENV X=1\nRUN y\nFROM i\nCOPY --from=b /f /b\nCOPY --from=c /f /c\n";
        let options = BuildOptions {
            no_cache: Some(vec!["c".to_owned()]),
            ..BuildOptions::default()
        };
        let plan = lower(&parse(&SourceFile::new("Dockerfile", text)).tree, &options);
        // All stand on the FROM, which is one for all stages.
        let kinds: Vec<StepKind> = plan.order.iter().map(|n| plan.graph[*n].kind).collect();
        let parent: Vec<Option<usize>> = kinds
            .iter()
            .map(|k| (*k != StepKind::From).then_some(0))
            .collect();
        let forced = Forced::new(&plan, &parent);
        let runs = (0..kinds.len()).filter(|i| kinds[*i] == StepKind::Run);
        let said: Vec<(bool, bool)> = runs.map(|i| (forced.own[i], forced.perhaps[i])).collect();
        assert_eq!(said, [(false, true), (true, true)]);
    }
}
