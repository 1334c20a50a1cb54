//! The vertices of one build, with what the store knows of each.
//!
//! Costs one look-up a step whose inputs changed since the build before; for the others the record is known already.
//! Invariant: what a look-up by the whole key would find, and in the same order.

use super::{Run, text_digest};
use crate::plan::{Input, Step, StepKind};
use crate::simulate::demand::Visited;
use crate::simulate::forced::{Forced, Standing};
use crate::simulate::policy::Policy;
use crate::simulate::stage_tree::Content;
use crate::simulate::store::{Key, Slot, Store, Verdict};

/// Definition of the merge vertex of `COPY --link`: its inputs are all of its key.
const MERGE: u128 = 0x006d_6572_6765;

/// What a step's key is made of in one build.
struct Parts {
    slots: Vec<Slot>,
    /// Vertices whose files it takes without knowing them.
    sources: Vec<usize>,
    /// Positions of the last steps of stages of whose files too little is known.
    unknown: Vec<usize>,
}

impl Run<'_> {
    fn is_reproducible(&self, stage: usize) -> bool {
        let marked = self.shape.reproducible.get(stage).copied();
        self.timeline.assume_reproducible || marked.unwrap_or(false)
    }

    /// What a view of another stage is in this build, where that is known.
    fn viewed(&self, view: Option<usize>) -> Option<Slot> {
        let view = view?;
        match self.matrix.views[view][self.build as usize] {
            Content::Known {
                digest,
                places: None,
            } => Some(Slot::Known(digest)),
            Content::Known {
                digest,
                places: Some(places),
            } => {
                // The image's own files there may be the same after it changed, or not.
                let images = self.matrix.requests[view].view.images();
                let of = |i: &String| self.base_version(i, self.build).to_string();
                let mut parts: Vec<String> = images.iter().map(of).collect();
                parts.push(places.to_string());
                Some(Slot::Placed(digest, text_digest(&parts)))
            }
            Content::Unsure { digest } => Some(Slot::Unsure(digest)),
            // On a builder that loses nothing, what lies below the step that made it was made once.
            Content::Derived { digest } if self.timeline.policy == Policy::Local => {
                let images = self.matrix.requests[view].view.images();
                let of = |i: &String| self.base_version(i, self.build).to_string();
                let mut parts: Vec<String> = images.iter().map(of).collect();
                parts.push(digest.to_string());
                Some(Slot::Unsure(text_digest(&parts)))
            }
            Content::Derived { .. } => None,
            Content::Made | Content::Missing { .. } | Content::MissingAtExecution { .. } => None,
        }
    }

    pub fn base_version(&self, reference: &str, build: u32) -> u128 {
        let changes = &self.timeline.base_changes;
        changes
            .iter()
            .filter(|(r, b)| r == reference && *b <= build)
            .count() as u128
    }

    /// Looks every step up. `all` holds an earlier build, or nothing.
    pub fn visit(&self, store: &mut Store, all: &mut Visited) {
        let plan = self.model.plan;
        let mut forced = self.shape.forced.clone();
        let earlier = all.begin(self.plan, self.build, plan.order.len());
        // Base images count in many ways, forced steps in the order of the others: then nothing is left out.
        let earlier = earlier.filter(|before| {
            let moved = |b: u32| *before < b && b <= self.build;
            !forced.any() && !self.timeline.base_changes.iter().any(|(_, b)| moved(*b))
        });
        for (position, node) in plan.order.iter().enumerate() {
            let step = &plan.graph[*node];
            if let Some(before) = earlier
                && self.is_as_before(position, step, before, all)
                && all.again(store)
            {
                self.settle(position, step, &mut forced, &[], store, all);
                continue;
            }
            let parts = self.parts(position, step, all);
            let parent = self.shape.parent[position].map(|p| all.chain(p));
            let below = parent.filter(|_| step.keyed_by_parent);
            let key = Key {
                definition: step.definition,
                parent: below.map(|p| all.nodes[p].record),
                slots: parts.slots,
            };
            let stands_on = parent.filter(|_| step.keyed_by_parent || step.own_base);
            let mut made = all.look_up(store, key, stands_on.into_iter().collect(), parts.sources);
            made.is_from = step.kind == StepKind::From;
            made.bytes = self.bytes.get(position).copied().unwrap_or(0);
            all.put(made);
            self.settle(position, step, &mut forced, &parts.unknown, store, all);
            if let (None, Some(parent)) = (stands_on, parent) {
                self.merge(position, parent, &forced, store, all);
            }
        }
        let last = self.shape.last(plan.target);
        all.finish(last.map(|p| all.chain(p)));
    }

    /// What the step next in order stands on: for `COPY --link` the merge of the copy and its parent.
    fn merge(
        &self,
        position: usize,
        parent: usize,
        forced: &Forced,
        store: &mut Store,
        all: &mut Visited,
    ) {
        let id = all.step(position);
        let key = Key {
            definition: MERGE,
            parent: Some(all.nodes[parent].record),
            slots: vec![Slot::Record(all.nodes[id].record)],
        };
        let mut merge = all.look_up(store, key, vec![parent, id], Vec::new());
        if forced.any() {
            let of = |i: usize| all.nodes[i].found.layer;
            merge.found.layer = merge.found.layer.max(of(parent)).max(of(id));
        }
        all.put_merge(position, merge);
    }

    /// Whether nothing in the step's key changed since an earlier build of the plan.
    fn is_as_before(&self, position: usize, step: &Step, before: u32, all: &Visited) -> bool {
        let (now, before) = (self.build as usize, before as usize);
        let stands = self.shape.parent[position].iter();
        let inputs = stands.chain(&self.shape.taken[position]);
        let versions = |s: &usize| {
            let versions = &self.matrix.version[*s];
            versions[now] == versions[before]
        };
        let views = |v: &usize| {
            let views = &self.matrix.views[*v];
            views[now] == views[before]
        };
        !step.volatile
            && inputs.into_iter().all(|p| all.is_as_before(*p))
            && self.model.selections[position].iter().all(versions)
            && self.model.views[position].iter().flatten().all(views)
    }

    fn parts(&self, position: usize, step: &Step, all: &Visited) -> Parts {
        let mut context = self.model.selections[position].iter();
        let mut views = self.model.views[position].iter();
        let mut paths = self.shape.paths[position].iter().copied();
        let mut parts = Parts {
            slots: Vec::with_capacity(step.inputs.len()),
            sources: Vec::new(),
            unknown: Vec::new(),
        };
        for input in &step.inputs {
            let slot = match input {
                Input::Context(_) => {
                    let version = |s: &usize| self.matrix.version[*s][self.build as usize];
                    Slot::Known(context.next().map_or(0, version))
                }
                Input::Stage { stage, .. } => {
                    let paths = paths.next().unwrap_or_default();
                    let view = views.next().copied().flatten();
                    let position = self.shape.last(*stage);
                    let last = position.map(|p| all.chain(p));
                    parts.sources.extend(last);
                    match (self.viewed(view), last) {
                        (Some(slot), _) => slot,
                        (None, Some(last)) if self.is_reproducible(*stage) => {
                            // Then the files are those of the same record, and no others.
                            let record = all.nodes[last].record;
                            let parts = [paths, u128::from(record.0)];
                            Slot::Known(text_digest(&parts.map(|p| p.to_string())))
                        }
                        (None, Some(last)) => {
                            parts.unknown.extend(position);
                            Slot::Stage(all.nodes[last].record, paths)
                        }
                        (None, None) => Slot::Known(0),
                    }
                }
                Input::Image(reference) => {
                    let version = self.base_version(reference, self.build);
                    match step.kind {
                        StepKind::From => Slot::Known(version),
                        // Only some of its files count (experiments row 96).
                        _ => Slot::Image(version),
                    }
                }
                // Where files of these enter, the command line declines to replay.
                Input::Named(_) | Input::Remote(_) => Slot::Known(0),
            };
            parts.slots.push(slot);
        }
        parts.slots.extend(step.variable_places.map(Slot::Unsure));
        if step.volatile {
            parts.slots.push(Slot::Known(u128::from(self.build) + 1));
        }
        parts
    }

    /// What policy, flags and builder make of what was found.
    fn settle(
        &self,
        position: usize,
        step: &Step,
        forced: &mut Forced,
        unknown: &[usize],
        store: &mut Store,
        all: &mut Visited,
    ) {
        let id = all.step(position);
        let is_new = all.is_first(position);
        let mut layer = all.nodes[id].found.layer;
        if step.kind == StepKind::From && self.timeline.policy.is_exported() {
            // A fresh runner fetches the image, which is no step that runs (the contract's words:
            // executed only in the first build and when its identity changes).
            layer = match store.seen_in(all.nodes[id].record, self.previous) {
                true => Verdict::Cached,
                false => Verdict::Executed,
            };
        }
        let standing = Standing {
            parent: self.shape.parent[position],
            keyed_by_parent: step.keyed_by_parent,
            own_base: step.own_base,
            taken: unknown,
        };
        layer = forced.verdict(standing, layer);
        if self.model.plan.builder.sequential {
            store.made(all.nodes[id].record);
        }
        let node = &mut all.nodes[id];
        if is_new {
            node.found.layer = layer;
            // Files that are made anew have to be compared.
            node.found.linked &= !forced.any() || node.sources.is_empty();
        }
    }
}
