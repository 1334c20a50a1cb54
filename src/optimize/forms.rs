//! What a stage costs at least where a COPY may take another form: files in a mount, or a layer that stands by itself.
//!
//! Goes in: the problem of a stage's order. Comes out: the same where such a COPY costs nothing, or does not depend on what
//! stands above it. Costs a look at every pair with such a line. Invariant: no order of the lines in any of those forms costs
//! less than the cheapest order of that problem. A mount stands where its COPY could stand, right above the RUN, and
//! puts the same content into the key there; a linked COPY counts for those behind it as before.

use super::lines::Pairs;
use super::order::Problem;
use super::precedence::{Relation, Scene};
use super::stage::{Forms, Request};
use crate::plan::StepKind;
use crate::rewrite::{bind_mount, link};

/// The problem of a stage where every COPY has the form that costs least; `None` where none may have another, or where that is
/// not asked for.
pub fn in_forms(
    request: &Request<'_>,
    (scene, index): (&Scene<'_>, usize),
    pairs: &Pairs,
    (steps, problem): (&[usize], &Problem),
    seconds: &dyn Fn(&usize) -> f64,
) -> Option<Problem> {
    let evaluated = request.evaluated;
    let list = scene.stage(index);
    let dear = |i: &usize| {
        let copies = list[*i].step.is_some_and(|(_, s)| s.kind == StepKind::Copy);
        copies && seconds(i) >= request.worth
    };
    if request.forms == Forms::default() || !steps.iter().any(dear) {
        return None;
    }
    let mut view = scene.view(&evaluated.source, &evaluated.file)?;
    // They are known for all pairs of this stage, and no others are asked for.
    view.commute = Box::new(|_, i, j| match pairs.of(i, j) {
        Relation::Keep(_) => None,
        Relation::Commute { assumptions, .. } => Some(assumptions.clone()),
    });
    let stage = view.stages.iter().find(|s| s.stage == index)?;
    let links = |i: usize| {
        let promised = link::may_link(&view, stage, i);
        promised.is_some_and(|p| request.forms.link.is_some_and(|l| p <= l))
    };
    let mut out = problem.clone();
    let mut changed = false;
    for (s, i) in steps.iter().enumerate().filter(|(_, i)| dear(i)) {
        if request.forms.bind && bind_mount::may_replace(&view, stage, *i) {
            out.weights[s] = 0.0;
            changed = true;
        } else if !out.alone[s] && links(*i) {
            out.alone[s] = true;
            changed = true;
        }
    }
    changed.then_some(out)
}
