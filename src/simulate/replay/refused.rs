//! Builds that the builder refuses, and at which step.

use super::{BuildOutcome, Failure, Run};
use crate::simulate::inputs::Absence;
use crate::simulate::stage_tree::Content;
use crate::simulate::store::Verdict;

impl Run<'_> {
    /// A source missing while keys are computed refuses the build wherever its step stands.
    pub fn absent_at_key(&self) -> Option<Failure> {
        let mut failures = self
            .absences()
            .filter(|(_, _, a)| matches!(a, Absence::NotFound { .. }));
        let (step, selection, absence) = failures.next()?;
        Some(self.failure(step, selection, absence))
    }

    /// A source missing when a step that is not cached runs.
    pub fn absent_at_execution(&self, outcome: &BuildOutcome) -> Option<Failure> {
        let mut failures = self
            .absences()
            .filter(|(step, _, _)| outcome.verdicts[*step] != Verdict::Cached);
        let context = failures
            .next()
            .map(|(step, selection, absence)| self.failure(step, selection, absence));
        let stage = || {
            let mut found = self.stage_absences(&outcome.verdicts);
            found.next().map(|(step, text)| Failure {
                step,
                message: format!("lstat {text}: no such file or directory"),
            })
        };
        context.or_else(stage)
    }

    /// A source that another stage certainly does not have.
    pub fn absent_in_stage(&self) -> Option<Failure> {
        let (step, text) = self.stage_absences(&[]).next()?;
        let message = format!("failed to compute cache key: \"{text}\": not found");
        Some(Failure { step, message })
    }

    /// Steps whose source a stage does not have, and that source: those that show when keys are
    /// computed, or with verdicts those that show when a step that is not cached runs.
    fn stage_absences<'a>(
        &'a self,
        verdicts: &'a [Verdict],
    ) -> impl Iterator<Item = (usize, String)> + 'a {
        self.shape.missing.iter().filter_map(move |(step, view)| {
            let source = match self.matrix.views[*view][self.build as usize] {
                Content::Missing { source } if verdicts.is_empty() => source,
                Content::MissingAtExecution { source } if !verdicts.is_empty() => {
                    (verdicts[*step] != Verdict::Cached).then_some(source)?
                }
                _ => return None,
            };
            let text = self.matrix.requests[*view].view.source(source)?;
            Some((*step, crate::pattern::clean(&format!("/{text}"))))
        })
    }

    fn absences(&self) -> impl Iterator<Item = (usize, usize, Absence)> {
        let lists = self.shape.absent.iter();
        lists.filter_map(|(step, s)| Some((*step, *s, self.matrix.absence(*s, self.build)?)))
    }

    fn failure(&self, step: usize, selection: usize, absence: Absence) -> Failure {
        let (Absence::NotFound { source } | Absence::AtExecution { source }) = absence;
        let text = &self.matrix.selections[selection].input.sources[source];
        let path = crate::pattern::clean(&format!("/{text}"));
        let message = match absence {
            Absence::NotFound { .. } => {
                format!("failed to compute cache key: \"{path}\": not found")
            }
            Absence::AtExecution { .. } => format!("lstat {path}: no such file or directory"),
        };
        Failure { step, message }
    }
}
