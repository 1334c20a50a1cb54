//! From plans to what the replay takes: their selections and views as columns of one matrix.

use super::inputs::{Context, InputMatrix, Selection, matrix};
use super::program::View;
use super::replay::PlanModel;
use super::views::ViewRequest;
use crate::plan::{Input, Plan};

/// The matrix of some plans, and where their inputs stand in it.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// Versions of everything the plans read.
    pub matrix: InputMatrix,
    /// By plan and step: columns of its context selections.
    pub selections: Vec<Vec<Vec<usize>>>,
    /// By plan and step: columns of its views of other stages.
    pub views: Vec<Vec<Vec<Option<usize>>>>,
}

impl Prepared {
    /// The plans as the replay takes them; they must be those it was made for.
    #[must_use]
    pub fn models<'a>(&self, plans: &'a [Plan]) -> Vec<PlanModel<'a>> {
        let mut selections = self.selections.iter();
        let mut views = self.views.iter();
        let model = |plan| PlanModel {
            plan,
            selections: selections.next().cloned().unwrap_or_default(),
            views: views.next().cloned().unwrap_or_default(),
        };
        plans.iter().map(model).collect()
    }
}

/// Computes what the plans read. `rules` is the index of each plan's ignore rules in the context,
/// `timeline` which plan each build runs.
#[must_use]
pub fn prepare(
    context: &Context<'_>,
    plans: &[Plan],
    rules: &[usize],
    timeline: &[Option<usize>],
) -> Prepared {
    let mut out = prepare_columns(plans, rules, Some(timeline));
    out.matrix = matrix(context, &out.matrix.selections, &out.matrix.requests);
    out
}

/// The columns alone, without any row; without a timeline any build may run any of the plans.
#[must_use]
pub fn prepare_columns(
    plans: &[Plan],
    rules: &[usize],
    timeline: Option<&[Option<usize>]>,
) -> Prepared {
    let pairs = || plans.iter().zip(rules);
    let wanted: Vec<_> = pairs().map(|(p, r)| selections_of(p, *r)).collect();
    let mut all: Vec<Selection> = wanted.iter().flatten().flatten().cloned().collect();
    all.sort();
    all.dedup();
    let views: Vec<_> = pairs().map(|(p, r)| views_of(p, *r)).collect();
    let matrix = InputMatrix::empty(all, view_requests(&views, timeline));
    Prepared {
        selections: wanted.iter().filter_map(|w| columns(w, &matrix)).collect(),
        views: views.iter().map(|v| view_columns(v, &matrix)).collect(),
        matrix,
    }
}

/// Every context selection of a plan, in step order.
#[must_use]
pub fn selections_of(plan: &Plan, rules: usize) -> Vec<Vec<Selection>> {
    let of_step = |n: &petgraph::graph::NodeIndex| {
        let inputs = plan.graph[*n].inputs.iter();
        let contexts = inputs.filter_map(|i| match i {
            Input::Context(c) => Some(Selection {
                input: c.clone(),
                rules,
            }),
            _ => None,
        });
        contexts.collect()
    };
    plan.order.iter().map(of_step).collect()
}

/// For every step in the plan's order, and every one of its inputs that is a stage's files, the view of them.
#[must_use]
pub fn views_of(plan: &Plan, rules: usize) -> Vec<Vec<Option<View>>> {
    let of_step = |n: &petgraph::graph::NodeIndex| {
        let step = &plan.graph[*n];
        let stages = step
            .inputs
            .iter()
            .filter(|i| matches!(i, Input::Stage { .. }));
        stages.map(|i| View::of(plan, rules, step, i)).collect()
    };
    plan.order.iter().map(of_step).collect()
}

/// Finds the columns of views in a matrix.
#[must_use]
pub fn view_columns(wanted: &[Vec<Option<View>>], matrix: &InputMatrix) -> Vec<Vec<Option<usize>>> {
    let find = |v: &Option<View>| {
        let v = v.as_ref()?;
        matrix.requests.iter().position(|r| r.view == *v)
    };
    wanted
        .iter()
        .map(|step| step.iter().map(find).collect())
        .collect()
}

/// Finds the columns of selections in a matrix.
#[must_use]
pub fn columns(wanted: &[Vec<Selection>], matrix: &InputMatrix) -> Option<Vec<Vec<usize>>> {
    let find = |s: &Selection| matrix.selections.iter().position(|m| m == s);
    wanted
        .iter()
        .map(|step| step.iter().map(find).collect())
        .collect()
}

/// Every view once, with the builds whose plan has it; all builds without a timeline.
fn view_requests(
    views: &[Vec<Vec<Option<View>>>],
    timeline: Option<&[Option<usize>]>,
) -> Vec<ViewRequest> {
    let mut out: Vec<ViewRequest> = Vec::new();
    for (p, plan) in views.iter().enumerate() {
        for view in plan.iter().flatten().flatten() {
            let at = out.iter().position(|r| r.view == *view).unwrap_or_else(|| {
                out.push(ViewRequest {
                    view: view.clone(),
                    builds: timeline.map(|t| vec![false; t.len()]),
                });
                out.len() - 1
            });
            if let (Some(builds), Some(timeline)) = (&mut out[at].builds, timeline) {
                for (build, plan) in builds.iter_mut().zip(timeline) {
                    *build |= *plan == Some(p);
                }
            }
        }
    }
    out
}
