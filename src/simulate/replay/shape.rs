//! What of a plan is the same in every build, worked out once.

use super::{Failure, PlanModel, text_digest};
use crate::plan::{Base, Depends, Input, Plan, Stage, Step, StepKind};
use crate::simulate::forced::Forced;
use crate::simulate::inputs::InputMatrix;
use crate::simulate::stage_tree::Content;
use petgraph::Direction;
use petgraph::visit::EdgeRef as _;

/// Positions of a plan's steps, and what they may ever lack.
pub struct Shape {
    /// Position of the parent of each step.
    pub parent: Vec<Option<usize>>,
    /// The steps that are made anew, before any of them is looked at.
    pub forced: Forced,
    /// Position of the last step of every stage.
    stage_last: Vec<Option<usize>>,
    /// For every step, positions of the last steps of the stages whose files it takes.
    pub taken: Vec<Vec<usize>>,
    /// By stage: its files come from RUNs, and the output of each depends on its inputs alone.
    pub reproducible: Vec<bool>,
    /// For every step, and every one of its inputs that is a stage's files: digest of the paths it takes.
    pub paths: Vec<Vec<u128>>,
    /// Steps and those of their selections that lack something in some build.
    pub absent: Vec<(usize, usize)>,
    /// Steps and those of their views that lack something in some build.
    pub missing: Vec<(usize, usize)>,
    /// The first step that fails whenever it is executed.
    pub fails: Option<Failure>,
}

impl Shape {
    /// Without what the steps lack: see [`Shape::note_lacks`].
    pub fn new(model: &PlanModel<'_>) -> Self {
        let plan = model.plan;
        let position = plan.positions();
        let steps = || plan.order.iter().map(|n| &plan.graph[*n]);
        let parent = plan.order.iter().map(|n| {
            let mut keys = plan.graph.edges_directed(*n, Direction::Incoming);
            let edge = keys.find(|e| *e.weight() == Depends::Key)?;
            position.get(&edge.source()).copied()
        });
        let last = |s: &Stage| s.last.and_then(|n| position.get(&n).copied());
        let stage_last: Vec<Option<usize>> = plan.stages.iter().map(last).collect();
        let taken = |s: &Step| {
            let stages = s.inputs.iter().filter_map(|i| match i {
                Input::Stage { stage, .. } => stage_last.get(*stage).copied().flatten(),
                _ => None,
            });
            stages.collect()
        };
        let paths = |s: &Step| {
            let digest = |i: &Input| match i {
                Input::Stage { sources, .. } => Some(text_digest(sources)),
                _ => None,
            };
            s.inputs.iter().filter_map(digest).collect()
        };
        let fails = |(step, s): (usize, &Step)| {
            let message = s.fails?.to_owned();
            Some(Failure { step, message })
        };
        let parent: Vec<Option<usize>> = parent.collect();
        Self {
            forced: Forced::new(plan, &parent),
            parent,
            taken: steps().map(taken).collect(),
            reproducible: reproducible(plan),
            paths: steps().map(paths).collect(),
            absent: Vec::new(),
            missing: Vec::new(),
            fails: steps().enumerate().find_map(fails),
            stage_last,
        }
    }

    /// Takes over what steps lack in the builds that the matrix has. `lacking`: for every view of it, whether it lacks
    /// something in some build.
    pub fn note_lacks(&mut self, model: &PlanModel<'_>, matrix: &InputMatrix, lacking: &[bool]) {
        let lacks = |s: &usize| !matrix.absent[*s].is_empty();
        let selections = model.selections.iter().enumerate();
        let selections = selections.flat_map(|(p, list)| list.iter().map(move |s| (p, *s)));
        let views = model.views.iter().enumerate();
        let views = views.flat_map(|(p, list)| list.iter().flatten().map(move |v| (p, *v)));
        self.absent = selections.filter(|(_, s)| lacks(s)).collect();
        self.missing = views.filter(|(_, v)| lacking[*v]).collect();
    }

    /// For every view, whether it lacks something in some build.
    pub fn lacking(matrix: &InputMatrix) -> Vec<bool> {
        let is_missing = |c: &Content| {
            matches!(
                c,
                Content::Missing { .. } | Content::MissingAtExecution { .. }
            )
        };
        let views = matrix.views.iter();
        views.map(|v| v.iter().any(is_missing)).collect()
    }

    /// Position of the last step of a stage.
    pub fn last(&self, stage: usize) -> Option<usize> {
        self.stage_last.get(stage).copied().flatten()
    }
}

/// Whether all RUNs behind a stage's files are marked as reproducible, and there is one at all.
fn reproducible(plan: &Plan) -> Vec<bool> {
    let mut behind: Vec<(bool, bool)> = Vec::with_capacity(plan.stages.len());
    for stage in &plan.stages {
        let (mut marked, mut any) = match stage.base {
            Base::Stage(b) => behind[b],
            _ => (true, false),
        };
        for step in stage.steps.iter().map(|n| &plan.graph[*n]) {
            if step.kind == StepKind::Run {
                (marked, any) = (marked && step.reproducible, true);
            }
            for input in &step.inputs {
                let taken = match input {
                    Input::Stage { stage, .. } => behind.get(*stage),
                    _ => None,
                };
                let (m, a) = taken.copied().unwrap_or((true, false));
                (marked, any) = (marked && m, any || a);
            }
        }
        behind.push((marked, any));
    }
    let both = |(marked, any)| marked && any;
    behind.into_iter().map(both).collect()
}
