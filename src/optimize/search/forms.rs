//! COPY lines of the best candidate that can do with less: files in a mount, or a layer that stands by itself.
//!
//! Goes in: the candidate that a search ended with. Comes out: the same, or a cheaper one; and what no set of rewrites goes
//! below with that. Costs a look at the file and a replay per rewrite found, [`MOST_FORMS`] rounds at most. It stands at the end of the search and not inside of it, since what
//! it saves are seconds of a COPY, which decide between no two sets of other rewrites. Invariant: every round saves
//! what [`slight`] says, or is not made.

use super::{Candidate, Search, changed_lines};
use crate::optimize::judge::Evaluated;
use crate::optimize::precedence::Scene;
use crate::optimize::{Objective, paired_saving, slight, stage};
use crate::plan::StepKind;
use crate::rewrite::{self, Applied, Rewrite, View};
use std::rc::Rc;

/// Rewrites that are made one after the other.
const MOST_FORMS: usize = 8;

/// Whether a COPY costs enough that another form of it may pay; `whole` are the seconds of a build.
pub(super) fn has_dear_copies(evaluated: &Evaluated, whole: f64) -> bool {
    let plan = &evaluated.plan;
    let mut steps = plan.order.iter().zip(&evaluated.seconds);
    steps.any(|(n, seconds)| plan.graph[*n].kind == StepKind::Copy && *seconds >= slight(whole))
}

impl Search<'_, '_> {
    /// Whether mounts may stand for COPY lines, and of which class links may be.
    pub(super) fn forms(&self) -> stage::Forms {
        stage::Forms {
            bind: self.may_use("bind-mount"),
            link: self.may_use("link").then_some(self.safety),
        }
    }

    /// The candidate with every COPY in the form that costs least, as far as that pays.
    pub(super) fn in_best_forms(&mut self, candidate: &Rc<Candidate>) -> Rc<Candidate> {
        let mut best = Rc::clone(candidate);
        let least = slight(self.before);
        let objective = self.judge.setting().objective;
        let forms = self.forms();
        type Finder = fn(&View<'_>) -> Vec<Rewrite>;
        let mut finders: Vec<Finder> = Vec::new();
        if forms.bind {
            finders.push(rewrite::bind_mount::find);
        }
        if forms.link.is_some() {
            finders.push(rewrite::link::find);
        }
        for _ in 0..MOST_FORMS {
            let before = Rc::clone(&best.evaluated);
            if finders.is_empty() || !has_dear_copies(&before, self.before) {
                break;
            }
            let files = self.judge.setting().files;
            let scene = Scene::new(&before.file, &before.plan, Some(files));
            let Some(view) = scene.view(&before.source, &before.file) else {
                break;
            };
            let mut found: Vec<Rewrite> = finders.iter().flat_map(|f| f(&view)).collect();
            found.retain(|r| r.safety <= self.safety);
            let better = found.into_iter().find_map(|r| {
                let applied = rewrite::apply(&before.source, &before.file, &[&r])?;
                let after = self.judge.evaluate_with(applied.source, &best.ignore);
                let pays = objective.of(&after.summary) <= objective.of(&before.summary) - least;
                let saving = paired_saving(self.baseline, &after, objective, self.counted)?;
                let usable = !after.plan.has_errors() && pays && saving > best.saving;
                usable.then_some((r, after, saving))
            });
            let Some((rewrite, after, saving)) = better else {
                break;
            };
            let mut edits = best.edits.clone();
            edits.push(self.as_in_the_original(&before, rewrite.note));
            edits.sort_by(|a, b| (a.line, &a.rewrite).cmp(&(b.line, &b.rewrite)));
            let mut assumptions = best.assumptions.clone();
            assumptions.extend(edits.iter().flat_map(|e| e.assumptions.clone()));
            assumptions.sort();
            assumptions.dedup();
            best = Rc::new(Candidate {
                safety: best.safety.max(rewrite.safety),
                bound_s: best.bound_s.min(objective.of(&after.summary)),
                lines: changed_lines(&self.baseline.source, &after.source) + best.ignore.len(),
                evaluated: after,
                edits,
                assumptions,
                optimal: false,
                saving,
                ..Candidate::clone(&best)
            });
        }
        best
    }

    /// What no order of the file with these rewrites costs less than, lines they add for nothing; and the same with every
    /// COPY in the form that costs least.
    pub(super) fn granted(&mut self, set: &[usize]) -> (f64, f64) {
        let Some((applied, base)) = self.applied(set) else {
            return (0.0, 0.0);
        };
        let asked = self.judge.setting().policy;
        let forms = self.forms_of(&base);
        let ordered = self.order((&applied, &base), asked, (true, true), forms);
        let bound = self.seconds(&ordered);
        (bound, bound.min(self.seconds_in_forms(&ordered)))
    }

    /// The forms that a COPY of a file may take, where one costs enough for that.
    fn forms_of(&self, evaluated: &Evaluated) -> stage::Forms {
        match has_dear_copies(evaluated, self.before) {
            true => self.forms(),
            false => stage::Forms::default(),
        }
    }

    /// What no order of the file with just these rewrites costs less than, as its best order left it, every COPY in the form
    /// that costs least.
    pub(super) fn in_any_form(&mut self, set: &[usize]) -> f64 {
        let asked = self.judge.setting().policy;
        let found = self.at(set);
        let one = |c: &Rc<Candidate>| {
            let forms = self.forms_of(&c.evaluated);
            if forms == stage::Forms::default() {
                return f64::INFINITY;
            }
            let applied = Applied {
                source: c.evaluated.source.clone(),
                origin: (0..c.evaluated.file.instructions().len())
                    .map(Some)
                    .collect(),
                ignore: Vec::new(),
            };
            let ordered = self.order((&applied, &c.evaluated), asked, (true, false), forms);
            self.seconds_in_forms(&ordered)
        };
        found.iter().map(one).fold(f64::INFINITY, f64::min)
    }

    fn seconds_in_forms(&self, ordered: &stage::Ordered) -> f64 {
        let builds = self.counted.len().saturating_sub(1).max(1) as f64;
        match self.judge.setting().objective {
            Objective::Work => ordered.in_forms.bound / builds,
            Objective::CriticalPath => ordered.in_forms.critical_bound / builds,
        }
    }
}
