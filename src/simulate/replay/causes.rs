//! Why steps are not cached.

use super::{BuildOutcome, Cause, CauseKind, PlanModel, Run};
use crate::plan::{Input, Parts, Step, StepKind};
use crate::simulate::demand::Visited;
use crate::simulate::policy::Policy;
use crate::simulate::store::Verdict;

impl Run<'_> {
    /// Positions of the steps whose results are in a step's key.
    fn inputs(&self, position: usize, outcome: &BuildOutcome) -> impl Iterator<Item = usize> {
        let step = &self.model.plan.graph[self.model.plan.order[position]];
        let stages = self.shape.taken[position].iter().copied();
        let below = self.foundation(position, outcome);
        let below = below.filter(|_| step.keyed_by_parent);
        below.into_iter().chain(stages)
    }

    /// Causes of everything not cached, in order.
    pub fn causes(
        &self,
        outcome: &BuildOutcome,
        visited: &Visited,
        before: Option<&PlanModel<'_>>,
    ) -> Vec<Cause> {
        let mut causes = Vec::new();
        for (position, verdict) in outcome.verdicts.iter().enumerate() {
            if *verdict != Verdict::Cached {
                causes.push(self.cause(position, outcome, visited, before));
            }
        }
        causes
    }

    fn cause(
        &self,
        position: usize,
        outcome: &BuildOutcome,
        visited: &Visited,
        before: Option<&PlanModel<'_>>,
    ) -> Cause {
        let plan = self.model.plan;
        let step = &plan.graph[plan.order[position]];
        let mut cause = Cause {
            step: position,
            kind: CauseKind::FirstBuild,
            paths: Vec::new(),
            git: false,
            because_of: None,
        };
        let (Some(before), Some(previous)) = (before, self.previous) else {
            return cause;
        };
        if self.timeline.policy == Policy::None {
            return cause;
        }
        cause.because_of = self
            .inputs(position, outcome)
            .find(|p| outcome.verdicts[*p] != Verdict::Cached);
        // On a builder that is never cleaned nothing is lost.
        let loses = self.timeline.policy != Policy::Local;
        if step.forced {
            cause.because_of = None;
            cause.kind = CauseKind::NoCache;
            return cause;
        }
        if visited.nodes[visited.step(position)].is_lost() {
            // The very same result was there once: nothing changed but what the cache holds, or
            // an equal step of another stage is made to run.
            cause.kind = match cause.because_of {
                Some(_) => CauseKind::Parent,
                None if loses => CauseKind::Evicted,
                None => CauseKind::NoCache,
            };
            return cause;
        }
        let follows_from = cause.because_of.take();
        if let Some(kind) = self.edited(step, before) {
            cause.kind = kind;
            return cause;
        }
        if step.volatile {
            cause.kind = CauseKind::Arg;
            return cause;
        }
        for input in &step.inputs {
            if let Input::Image(r) = input
                && self.base_version(r, self.build) != self.base_version(r, previous)
            {
                cause.kind = CauseKind::BaseImage;
                return cause;
            }
        }
        let selections = &self.model.selections[position];
        let moved = selections.iter().filter(|s| {
            let versions = &self.matrix.version[**s];
            versions[self.build as usize] != versions[previous as usize]
        });
        for s in moved {
            cause.kind = CauseKind::Content;
            cause.git |= self.matrix.holds_git[*s];
            cause
                .paths
                .extend(self.matrix.changes(*s, previous, self.build));
        }
        if cause.kind == CauseKind::Content {
            cause.paths.sort_unstable();
            cause.paths.dedup();
            return cause;
        }
        // Nothing of its own changed: a step before it ran, or went back to what it was in a build
        // that had other things behind it.
        cause.because_of = follows_from.or_else(|| self.inputs(position, outcome).next());
        cause.kind = match cause.because_of {
            Some(_) => CauseKind::Parent,
            None if loses => CauseKind::Evicted,
            // Only refused builds had it so far, and what they left is not known.
            None => CauseKind::FirstBuild,
        };
        cause
    }

    /// The step below, or, where that is a `COPY --link` which did not run, the first one below it that did: what a
    /// step stands on is the merge of them all.
    fn foundation(&self, position: usize, outcome: &BuildOutcome) -> Option<usize> {
        let plan = self.model.plan;
        let mut below = self.shape.parent[position]?;
        while outcome.verdicts[below] == Verdict::Cached
            && !plan.graph[plan.order[below]].keyed_by_parent
            && let Some(next) = self.shape.parent[below]
        {
            below = next;
        }
        Some(below)
    }

    /// What changed in the step's own definition since the build before, if anything.
    fn edited(&self, step: &Step, before: &PlanModel<'_>) -> Option<CauseKind> {
        if std::ptr::eq(before.plan, self.model.plan) {
            return None;
        }
        let old = &before.plan;
        let same = old.order.iter().map(|n| &old.graph[*n]);
        let mut equal = same.clone().filter(|s| s.definition == step.definition);
        if let Some(one) = equal.next() {
            // Where a variable stands in the list that the image begins is part of the environment.
            let mut places = std::iter::once(one).chain(equal).map(|s| s.variable_places);
            let moved = places.all(|p| p != step.variable_places);
            return moved.then_some(CauseKind::Env);
        }
        let was: Vec<&Parts> = same
            .filter(|s| s.kind == step.kind)
            .map(|s| &s.parts)
            .collect();
        if step.kind == StepKind::From {
            return Some(CauseKind::BaseImage);
        }
        if was
            .iter()
            .any(|p| p.instruction == step.parts.instruction && p.env == step.parts.env)
        {
            return Some(CauseKind::Arg);
        }
        if was.iter().any(|p| p.instruction == step.parts.instruction) {
            return Some(CauseKind::Env);
        }
        Some(CauseKind::Instruction)
    }
}
