//! What layers hold that nobody sees.

mod chown_layer;
mod deleted_later;
mod empty_layer;
mod lost_state;
mod overwritten_later;
mod removes_nothing;
mod repeated_step;

use super::{Rule, View};
use crate::image::LossKind;
use crate::plan::Step;
use crate::source::Span;
use petgraph::graph::NodeIndex;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[
    &deleted_later::RULE,
    &overwritten_later::RULE,
    &chown_layer::RULE,
    &removes_nothing::RULE,
    &lost_state::RULE,
    &empty_layer::RULE,
    &repeated_step::RULE,
];

/// The steps of the image, first to last, those of stages below the target's included.
fn image_steps<'a>(view: &View<'a>) -> Vec<(NodeIndex, &'a Step)> {
    let plan = view.plan;
    let stages = view.image_stages();
    let nodes = stages.iter().rev().flat_map(|s| &plan.stages[*s].steps);
    nodes.map(|n| (*n, &plan.graph[*n])).collect()
}

/// Bytes of what one step holds and another hides, by kind; `None` where the model knows of none.
fn hidden(view: &View<'_>, holder: &Step, by: &Step, kinds: &[LossKind]) -> Option<u64> {
    let mut all = hidden_by(view, by, kinds);
    all.find(|(s, _)| s.id == holder.id).map(|(_, bytes)| bytes)
}

/// The steps that hold what one hides, first to last, each with the bytes.
fn hidden_by<'v>(
    view: &'v View<'_>,
    by: &Step,
    kinds: &'v [LossKind],
) -> impl Iterator<Item = (&'v Step, u64)> {
    let layers = view.layers().map_or(&[][..], |l| &l.layers);
    let holders = view.hidden().get(&by.id).into_iter().flatten();
    holders.filter_map(move |(holder, lost)| {
        let step = &view.plan.graph[layers.get(*holder)?.step];
        let bytes = lost.iter().filter(|(k, _)| kinds.contains(k));
        let bytes = bytes.map(|(_, b)| *b).fold(0, u64::saturating_add);
        (bytes > 0).then_some((step, bytes))
    })
}

/// Where a step's instruction stands, without the line end.
fn place(view: &View<'_>, step: &Step) -> Span {
    let ins = view.tree.instructions().get(step.instruction);
    ins.map_or(step.span, |i| i.original().span())
}
