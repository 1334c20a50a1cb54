//! What can be left out of a file whose lines are in order.
//!
//! Goes in: one candidate of the search. Comes out: the same with stages that stand on less and without lines that nobody
//! reads, and a note for each. Costs a look at the file and a replay per rewrite found, [`MOST_CUTS`] rounds at most.
//! Invariant: every round costs less than the one before.

use super::{Candidate, Search, WORTH_AN_EDIT, changed_lines};
use crate::dockerfile::{Instruction, Kind};
use crate::optimize::judge::Evaluated;
use crate::optimize::paired_saving;
use crate::optimize::precedence::Scene;
use crate::plan::Base;
use crate::rewrite::{self, EditNote, Rewrite, View};
use crate::source::{SourceFile, apply_edits};
use std::rc::Rc;

/// Rewrites that are made one after the other.
const MOST_CUTS: usize = 8;

impl Search<'_, '_> {
    /// What can be left out once all lines are in order: stages stand on the parts of others that they need, and what
    /// nobody reads goes, as long as that pays.
    pub(super) fn cut(
        &mut self,
        evaluated: &mut Rc<Evaluated>,
        ignore: &[String],
    ) -> Vec<EditNote> {
        let mut notes = Vec::new();
        let objective = self.judge.setting().objective;
        let stages = &evaluated.plan.stages;
        let stands = stages
            .iter()
            .any(|s| s.reachable && matches!(s.base, Base::Stage(_)));
        type Finder = fn(&View<'_>) -> Vec<Rewrite>;
        let mut finders: Vec<Finder> = Vec::new();
        if stands && self.may_use("move-to-stage") {
            finders.push(rewrite::move_to_stage::find);
        }
        if stages.len() > 1 && self.may_use("narrow-copy") {
            finders.push(rewrite::narrow_copy::find);
        }
        if finders.is_empty() {
            return notes;
        }
        for _ in 0..MOST_CUTS {
            let before = Rc::clone(evaluated);
            let files = self.judge.setting().files;
            let scene = Scene::new(&before.file, &before.plan, Some(files));
            let Some(view) = scene.view(&before.source, &before.file) else {
                break;
            };
            let found: Vec<Rewrite> = finders.iter().flat_map(|f| f(&view)).collect();
            let better = found.into_iter().find_map(|r| {
                let applied = rewrite::apply(&before.source, &before.file, &[&r])?;
                let after = self.judge.evaluate_with(applied.source, ignore);
                let least = self.before * WORTH_AN_EDIT;
                let pays = objective.of(&after.summary) < objective.of(&before.summary) - least;
                (!after.plan.has_errors() && pays).then_some((r, after))
            });
            let Some((rewrite, after)) = better else {
                break;
            };
            notes.push(self.as_in_the_original(&before, rewrite.note));
            *evaluated = after;
        }
        notes
    }

    /// The candidate without lines of its own that others of its lines bring once more.
    pub(super) fn without_covered(&mut self, candidate: &Rc<Candidate>) -> Rc<Candidate> {
        self.shorter(candidate)
            .unwrap_or_else(|| Rc::clone(candidate))
    }

    fn shorter(&mut self, candidate: &Rc<Candidate>) -> Option<Rc<Candidate>> {
        let before = Rc::clone(&candidate.evaluated);
        let files = self.judge.setting().files;
        let scene = Scene::new(&before.file, &before.plan, Some(files));
        let view = scene.view(&before.source, &before.file)?;
        let baseline = self.baseline.file.instructions();
        let is_added = |i: Instruction<'_>| !baseline.iter().any(|o| o.original() == i.original());
        let edits = rewrite::covered::find(&view, is_added);
        if edits.is_empty() {
            return None;
        }
        let text = apply_edits(before.source.bytes(), &edits).ok()?;
        let source = SourceFile::new(before.source.name().to_owned(), text);
        let after = self.judge.evaluate_with(source, &candidate.ignore);
        let objective = self.judge.setting().objective;
        let seconds = objective.of(&after.summary);
        if after.plan.has_errors() || seconds > objective.of(&before.summary) + 1e-9 {
            return None;
        }
        Some(Rc::new(Candidate {
            bound_s: candidate.bound_s.min(seconds),
            lines: changed_lines(&self.baseline.source, &after.source) + candidate.ignore.len(),
            saving: paired_saving(self.baseline, &after, objective, self.counted)?,
            evaluated: after,
            ..Candidate::clone(candidate)
        }))
    }

    /// A note on a rewritten file, its lines those of the original: of the stage for a FROM, of an instruction with the
    /// same text for any other.
    pub(super) fn as_in_the_original(&self, rewritten: &Evaluated, note: EditNote) -> EditNote {
        let mut own = rewritten.file.instructions().iter();
        let Some(own) = own.find(|i| i.line == note.line) else {
            return note;
        };
        let alias = |i: Instruction<'_>| match i.kind() {
            Kind::From { alias, .. } => alias.as_deref().map(str::to_owned),
            _ => None,
        };
        let same = |i: &Instruction<'_>| match alias(own) {
            Some(name) => alias(*i).as_deref() == Some(&*name),
            None => i.original() == own.original(),
        };
        let found = self.baseline.file.instructions().iter().find(same);
        let (line, end_line) = found.map_or((1, 1), |f| (f.line, f.end_line));
        EditNote {
            line,
            end_line,
            ..note
        }
    }
}
