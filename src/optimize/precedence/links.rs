//! Links that steps of a stage may leave, and the places that they make of others.
//!
//! Goes in: what the steps of a stage do, and what the stages below left. Comes out: links, or that there may be any. Costs
//! O(links²) for at most [`MAX_ROUNDS`] rounds. Invariant: a link that may be there is in the list, or any is.

use super::super::ground::{BaseImage, Ground, Reach, on_the_way, through};
use super::{Item, Scene};
use crate::footprint::{Extent, Link, PathClaim, PathSet};
use crate::plan::{Base, Stage};
use crate::rewrite::flow::place_of;

/// Links that may be in a stage's file system, those of the base image left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Left {
    /// Those of steps that are understood, each with the instruction of this stage that leaves it.
    pub(super) links: Vec<(Option<usize>, Link)>,
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
    fn places_of_links(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let all = self.links.clone();
            let mut more = Vec::new();
            for (n, (by, link)) in all.iter().enumerate() {
                let Some((folder, _)) = link.at.path.rsplit_once('/') else {
                    continue;
                };
                let folder = PathClaim::exact(folder);
                for (m, (_, other)) in all.iter().enumerate() {
                    // Of two that stand for each other only one is there.
                    let either = link.instead && m + 1 == n;
                    if other.hard || either || !on_the_way(other, &folder) {
                        continue;
                    }
                    self.links[n].1.to = None;
                    let Some(to) = &other.to else {
                        self.anywhere_below = true;
                        continue;
                    };
                    let second = Link {
                        at: through(other, to, &link.at),
                        to: None,
                        hard: link.hard,
                        instead: false,
                    };
                    let known = |(_, l): &(Option<usize>, Link)| l.at == second.at;
                    if !all.iter().any(known) && !more.iter().any(known) {
                        more.push((*by, second));
                    }
                }
            }
            if more.is_empty() || self.anywhere_below {
                return;
            }
            self.links.append(&mut more);
        }
        self.anywhere_below = true;
    }
}

impl Scene<'_> {
    /// The links that steps of a stage, and of those it starts from, may leave.
    pub(super) fn links_left(&self, stage: &Stage, items: &[Item<'_>], base: &BaseImage) -> Left {
        let mut left = match stage.base {
            Base::Stage(b) => {
                let below = &self.left[b];
                Left {
                    links: below.links.iter().map(|(_, l)| (None, l.clone())).collect(),
                    anywhere_below: below.anywhere_below || below.unknown_from.is_some(),
                    unknown_from: None,
                }
            }
            _ => Left::default(),
        };
        let mut steps = stage.steps.iter();
        left.anywhere_below |= steps.any(|n| self.plan.graph[*n].id.trigger > 0);
        left.unknown_from = items.iter().position(Item::is_opaque);
        let mut carries: Vec<&(PathClaim, PathClaim)> = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let Some(Ok(effect)) = &item.effect else {
                continue;
            };
            left.links
                .extend(effect.links.iter().map(|l| (Some(at), l.clone())));
            carries.extend(&effect.carries);
        }
        // Copies and moves take links along, also those of an unknown step.
        let unknown = left.anywhere_below || left.unknown_from.is_some();
        while !carries.is_empty() {
            let links = &left.links;
            let meets = |from: &PathClaim| {
                let ground = Ground {
                    base,
                    links: Vec::new(),
                };
                let set = PathSet::new(vec![from.clone()]);
                let touched = |l: &Link| {
                    let place = PathSet::new(vec![PathClaim::subtree(&*l.at.path)]);
                    place.overlaps(&set).is_some()
                };
                unknown
                    || ground.reach(from) != Reach::Plain
                    || links.iter().any(|(_, l)| touched(l))
            };
            let (taken, rest): (Vec<_>, Vec<_>) =
                carries.iter().copied().partition(|c| meets(&c.0));
            if taken.is_empty() {
                break;
            }
            let more = taken.iter().map(|(_, to)| {
                let at = to.clone();
                let to = None;
                (
                    None,
                    Link {
                        at,
                        to,
                        hard: false,
                        instead: false,
                    },
                )
            });
            let more: Vec<_> = more.collect();
            left.links.extend(more);
            carries = rest;
        }
        left.places_of_links();
        left
    }

    /// The links at or below some paths of a stage that has been looked at, relative to the path.
    pub(super) fn links_held(&self, stage: usize, sources: &[String]) -> Option<Vec<String>> {
        if stage >= self.stages.len() || self.plan.stages[stage].replaced {
            return None;
        }
        let left = &self.left[stage];
        if left.anywhere_below || left.unknown_from.is_some() {
            return None;
        }
        let ground = Ground {
            base: &self.bases[stage],
            links: left.links.iter().map(|(_, l)| l).collect(),
        };
        let mut out = Vec::new();
        for source in sources {
            let (claim, plain) = place_of(source);
            if ground.reach(&claim) != Reach::Plain {
                return None;
            }
            for link in ground.links.iter().filter(|l| on_the_way(l, &claim)) {
                // One at the path itself, or above it, leads elsewhere.
                let rest = link.at.path.strip_prefix(&*claim.path)?;
                let rest = rest.strip_prefix('/').filter(|r| !r.is_empty())?;
                if !plain || link.at.extent == Extent::Subtree {
                    return None;
                }
                out.push(rest.to_owned());
            }
        }
        Some(out)
    }
}
