//! What the steps of a stage leave that another step may notice: links, times, and the order of folders.
//!
//! Goes in: the effects of all steps. Comes out: the links that may be in a stage's file system, and the places whose
//! times or order a later step may show. Invariant: a link whose place is not known for certain makes all of them unknown.

use super::ground::{on_the_way, through};
use super::precedence::Item;
use crate::footprint::{Link, PathClaim, PathSet};
use crate::plan::{Base, Input, Plan};

/// Links that may be in a stage's file system, those of the base image left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Left {
    /// Those of steps that are understood.
    pub(super) links: Vec<Link>,
    /// A step of a stage below, or a trigger, may have left any.
    pub(super) anywhere_below: bool,
    /// The first instruction of this stage that is not understood, which may leave any.
    pub(super) unknown_from: Option<usize>,
}

/// Rounds in which links are looked for behind links.
const MAX_ROUNDS: usize = 8;

impl Left {
    /// A link whose folder is reached through another link is at a second place too, and a relative text may
    /// lead elsewhere from there.
    pub(super) fn places_of_links(&mut self) {
        let mut from = 0;
        for _ in 0..MAX_ROUNDS {
            let mut more: Vec<Link> = Vec::new();
            let all = self.links.clone();
            for (n, link) in all.iter().enumerate() {
                let Some((folder, _)) = link.at.path.rsplit_once('/') else {
                    continue;
                };
                let folder = PathClaim::exact(folder);
                for (m, other) in all.iter().enumerate() {
                    // Of two that stand for each other only one is there.
                    let either = link.instead && m + 1 == n;
                    if n.max(m) < from || other.hard || either || !on_the_way(other, &folder) {
                        continue;
                    }
                    self.links[n].to = None;
                    let Some(to) = &other.to else {
                        self.anywhere_below = true;
                        continue;
                    };
                    let at = through(other, to, &link.at);
                    let second = Link {
                        at,
                        to: None,
                        hard: link.hard,
                        instead: false,
                    };
                    if !all.contains(&second) && !more.contains(&second) {
                        more.push(second);
                    }
                }
            }
            if more.is_empty() || self.anywhere_below {
                return;
            }
            from = self.links.len();
            self.links.append(&mut more);
        }
        self.anywhere_below = true;
    }
}

/// For each stage, the places whose times or order may show in what it or a later stage leaves. What a step does
/// that is not understood counts for later stages alone.
pub(super) fn observed(plan: &Plan, stages: &[Vec<Item<'_>>]) -> Vec<PathSet> {
    let everything = || PathClaim::subtree("/");
    let mut out: Vec<Vec<PathClaim>> = vec![Vec::new(); stages.len()];
    // Stages come before those that use them.
    for (s, items) in stages.iter().enumerate().rev() {
        let effects = || items.iter().filter_map(|i| i.effect.as_ref());
        let known = || effects().filter_map(|e| e.as_ref().ok());
        let mut seen = std::mem::take(&mut out[s]);
        seen.extend(known().flat_map(|e| e.observes.claims.iter().cloned()));
        // What is taken along keeps its times, and a tree its order.
        let mut carries: Vec<&(PathClaim, PathClaim)> = known().flat_map(|e| &e.carries).collect();
        loop {
            let set = PathSet::new(seen.clone());
            let meets = |to: &PathClaim| set.overlaps(&PathSet::new(vec![to.clone()])).is_some();
            let (taken, rest): (Vec<_>, Vec<_>) = carries.into_iter().partition(|c| meets(&c.1));
            carries = rest;
            if taken.is_empty() {
                break;
            }
            seen.extend(taken.into_iter().map(|(from, _)| from.clone()));
        }
        out[s].clone_from(&seen);
        if effects().any(Result::is_err) {
            seen.push(everything());
        }
        let set = PathSet::new(seen);
        if let Base::Stage(b) = plan.stages[s].base {
            out[b].extend(set.claims.iter().cloned());
        }
        for item in items {
            let Some((_, step)) = item.step else { continue };
            let looks = match &item.effect {
                // A mount is looked at where it is.
                Some(Ok(e)) => e.run || e.changes().overlaps(&set).is_some(),
                _ => true,
            };
            for input in step.inputs.iter().filter(|_| looks) {
                let Input::Stage { stage, .. } = input else {
                    continue;
                };
                let mounted = item.effect.as_ref().and_then(|e| e.as_ref().ok());
                let mounted = mounted.filter(|e| e.run);
                let at = step.mount_targets.iter().flatten().map(PathClaim::subtree);
                let targets = PathSet::new(at.collect());
                if mounted.is_none() || targets.overlaps(&set).is_some() {
                    out[*stage].push(everything());
                }
            }
        }
    }
    out.into_iter().map(PathSet::new).collect()
}
