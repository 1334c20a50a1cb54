//! Where the times of files and their order in a folder may show.
//!
//! Goes in: the effects of all steps, and where paths lead. Comes out: for each stage the places whose times or order
//! may be in what the stage, or one built from it, leaves. Linear in claims for each round of copies. Invariant: a copy
//! that takes times along, and a link, never hide a place.

use super::precedence::Item;
use crate::footprint::{PathClaim, PathSet};
use crate::plan::{Base, Input, Plan};

/// The places, stage by stage; `follow` says where paths of a stage lead. A step that is not understood counts
/// for the stages below its own: within one its place is asked for.
pub(super) fn observed(
    plan: &Plan,
    stages: &[Vec<Item<'_>>],
    follow: &dyn Fn(usize, PathSet) -> PathSet,
) -> Vec<PathSet> {
    let mut out: Vec<Vec<PathClaim>> = vec![Vec::new(); stages.len()];
    // Stages come before those that use them.
    for (s, items) in stages.iter().enumerate().rev() {
        let seen = of_stage(items, std::mem::take(&mut out[s]), &|set| follow(s, set));
        out[s].clone_from(&seen.claims);
        let mut below = seen;
        if items.iter().any(|i| matches!(i.effect, Some(Err(_)))) {
            below = PathSet::new(vec![PathClaim::subtree("/")]);
        }
        if let Base::Stage(b) = plan.stages[s].base {
            out[b].extend(below.claims.iter().cloned());
        }
        for (stage, _) in taken_from(items, &below) {
            out[stage].push(PathClaim::subtree("/"));
        }
    }
    out.into_iter().map(PathSet::new).collect()
}

/// What shows at the end of a stage, as far as its own steps bring it there.
fn of_stage(
    items: &[Item<'_>],
    mut seen: Vec<PathClaim>,
    follow: &dyn Fn(PathSet) -> PathSet,
) -> PathSet {
    let known = || items.iter().filter_map(|i| i.effect.as_ref()).flatten();
    seen.extend(known().flat_map(|e| e.observes.claims.iter().cloned()));
    let mut carries: Vec<&(PathClaim, PathClaim)> = known().flat_map(|e| &e.carries).collect();
    loop {
        let set = follow(PathSet::new(seen.clone()));
        let meets = |to: &PathClaim| {
            let places = follow(PathSet::new(vec![to.clone()]));
            set.overlaps(&places).is_some()
        };
        let (taken, rest): (Vec<_>, Vec<_>) = carries.into_iter().partition(|c| meets(&c.1));
        if taken.is_empty() {
            return set;
        }
        carries = rest;
        seen.extend(taken.into_iter().map(|(from, _)| from.clone()));
    }
}

/// The stages whose files come to one of the places, each with the step that takes them.
fn taken_from<'i>(
    items: &'i [Item<'_>],
    places: &'i PathSet,
) -> impl Iterator<Item = (usize, usize)> + 'i {
    let looks = |item: &Item<'_>| {
        let Some((_, step)) = item.step else {
            return false;
        };
        match &item.effect {
            Some(Ok(e)) if e.run => {
                // A mount is looked at where it is.
                let at = step.mount_targets.iter();
                let known: Option<Vec<PathClaim>> =
                    at.map(|t| t.as_deref().map(PathClaim::subtree)).collect();
                known.is_none_or(|at| PathSet::new(at).overlaps(places).is_some())
            }
            Some(Ok(e)) => e.changes().overlaps(places).is_some(),
            _ => true,
        }
    };
    let from = |item: &'i Item<'_>| {
        let step = item.step.map(|(_, step)| step);
        let inputs = step.into_iter().flat_map(|step| &step.inputs);
        inputs.filter_map(move |input| match input {
            Input::Stage { stage, .. } => Some((*stage, item.at)),
            _ => None,
        })
    };
    items.iter().filter(move |i| looks(i)).flat_map(from)
}
