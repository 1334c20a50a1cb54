//! What layers hold that nobody sees.

mod chown_layer;
mod deleted_later;
mod empty_layer;
mod lost_state;
mod overwritten_later;
mod removes_nothing;
mod repeated_step;

use super::{Rule, View};
use crate::cost::CostSource;
use crate::layers::BytesSource;
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
fn hidden(
    view: &View<'_>,
    holder: &Step,
    by: &Step,
    kinds: &[crate::image::LossKind],
) -> Option<u64> {
    let found = view.layers()?;
    let number = |step: &Step| {
        let of = |l: &crate::layers::Layer| view.plan.graph[l.step].id == step.id;
        found.layers.iter().position(of)
    };
    let by = number(by)?;
    let holder = &found.layers[number(holder)?];
    // A figure of our own table says nothing of this file.
    if holder.source == BytesSource::Costs(CostSource::Prior) {
        return None;
    }
    let lost = &holder.lost;
    let bytes = lost
        .iter()
        .filter(|l| l.by == by && kinds.contains(&l.kind));
    Some(bytes.map(|l| l.bytes).fold(0, u64::saturating_add)).filter(|b| *b > 0)
}

/// Where a step's instruction stands, without the line end.
fn place(view: &View<'_>, step: &Step) -> Span {
    let ins = view.tree.instructions.get(step.instruction);
    ins.map_or(step.span, |i| i.original.span())
}
