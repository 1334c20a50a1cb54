//! The layers of an image without a build: what each adds, what later ones hide of it, what is in it twice.
//!
//! Goes in: a plan, the files of the context, costs and a store's way of counting. Comes out: [`ImageLayers`], a layer for every step of the target's
//! image, first to last. Linear in the files that are taken, with a look-up by path for each. Invariants: what COPY and ADD bring of the
//! context counts as the store counts it; the base image's own layers are left out; bytes of RUNs that nobody can tell from files are those of
//! [`CostTable`], and say so. The rules and the builds they were seen in are in `docs/layers.md`.

mod attributes;
mod commands;
mod draft;
mod ground;
mod pushed;
mod run;
pub mod sent;
mod taken;
#[cfg(test)]
mod tests;
mod unpack;

pub use attributes::with_mode;
pub use pushed::{Pushed, pushed};
pub use sent::Sent;
pub use taken::Origin;

use crate::cost::{CostSource, CostTable};
use crate::image::{Amount, Disk, LossKind, Store};
use crate::pattern::IgnoreRules;
use crate::plan::{Base, Builder, Input, Plan, Step, StepId, StepKind};
use attributes::Attributes;
use draft::Draft;
use ground::{Ground, Held, MAX_HELD};
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use taken::{Brought, Taken, destination, taken};

/// Where the bytes of a layer come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BytesSource {
    /// Nobody knows them: files of another image or stage, a URL.
    Unknown,
    /// From the files, as far as they are known, and figures of other layers.
    Derived,
    /// From costs: a prior, a rule for something like it, a rule for this very step.
    Costs(CostSource),
    /// From the files of the context alone.
    Context,
}

impl BytesSource {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Derived => "derived",
            Self::Costs(source) => source.as_str(),
            Self::Context => "context",
        }
    }
}

/// Bytes of a layer that a later one hides: they are in the image, and nobody sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// Number of the layer that hides them.
    pub by: usize,
    /// How.
    pub kind: LossKind,
    /// It may be less: how much of the layer lies there is not known.
    pub at_most: bool,
    /// Bytes.
    pub bytes: u64,
}

/// One layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The step that makes it.
    pub step: NodeIndex,
    /// Bytes that it adds, as the store counts; `None` where nobody knows.
    pub bytes: Option<u64>,
    /// Where they come from.
    pub source: BytesSource,
    /// Files that it is known to hold.
    pub files: u64,
    /// What later layers hide of it, by layer and kind.
    pub lost: Vec<Lost>,
}

/// Files of the image with the same content, at several places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicates {
    /// Bytes of one of them, as the store counts.
    pub size: u64,
    /// Number of the layer and place, sorted by place; two or more.
    pub places: Vec<(usize, String)>,
}

impl Duplicates {
    /// Bytes of all but one.
    #[must_use]
    pub fn wasted(&self) -> u64 {
        self.size.saturating_mul(self.places.len() as u64 - 1)
    }
}

/// The layers of a target's image above its base.
#[derive(Clone, Debug, Default)]
pub struct ImageLayers {
    /// First to last.
    pub layers: Vec<Layer>,
    /// Equal files, the most wasteful first.
    pub duplicates: Vec<Duplicates>,
}

impl ImageLayers {
    /// Bytes of all layers of which they are known.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let known = self.layers.iter().filter_map(|l| l.bytes);
        known.fold(0, u64::saturating_add)
    }
}

/// How the store of a builder counts; `disk` is what lies below a containerd store.
#[must_use]
pub fn store_of(builder: Builder, disk: Disk) -> Store {
    let containerd = [Builder::BUILDKIT, Builder::BUILDKIT_0_32];
    match containerd.contains(&builder) {
        true => Store::Containerd(disk),
        false => Store::Overlay2,
    }
}

/// Everything that layers are worked out from.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    /// The steps.
    pub plan: &'a Plan,
    /// The build context.
    pub sent: &'a Sent<'a>,
    /// What RUNs add.
    pub costs: &'a CostTable,
    /// How it is counted.
    pub store: Store,
    /// Further lines of the ignore file.
    pub ignored: Option<&'a IgnoreRules>,
}

impl<'a> Model<'a> {
    /// The layers of the target's image.
    #[must_use]
    pub fn layers(&self) -> ImageLayers {
        let plan = self.plan;
        let mut stages: BTreeMap<usize, Rc<Ground>> = BTreeMap::new();
        // Stages are built on, or copied from, in their order.
        for stage in needed(plan) {
            if stage == plan.target {
                continue;
            }
            let mut pile = self.pile(&stages, stage);
            let own = &plan.stages[stage].steps;
            own.iter().for_each(|n| pile.add(*n));
            stages.insert(stage, Rc::new(pile.ground));
        }
        let mut pile = self.pile(&stages, plan.target);
        // The target's own image holds the layers of the stages it stands on.
        pile.ground = Ground {
            stages,
            bare: stands_on_nothing(plan, plan.target),
            ..Ground::default()
        };
        steps(plan).for_each(|n| pile.add(n));
        let duplicates = duplicates(&pile.ground, self.store);
        ImageLayers {
            layers: pile.layers,
            duplicates,
        }
    }

    /// A pile that stands where a stage starts.
    fn pile(&self, stages: &BTreeMap<usize, Rc<Ground>>, stage: usize) -> Pile<'a> {
        let below = match self.plan.stages[stage].base {
            Base::Stage(below) => stages.get(&below),
            _ => None,
        };
        let bare = stands_on_nothing(self.plan, stage);
        let new = || Ground {
            bare,
            ..Ground::default()
        };
        let held: usize = stages.values().map(|g| g.own()).sum();
        // Of more than is held nothing is known, as of a base image.
        let below = below.filter(|g| held + g.own() <= MAX_HELD);
        let mut ground = below.map_or_else(new, |g| Ground::clone(g));
        ground.stages.clone_from(stages);
        Pile {
            model: *self,
            ground,
            layers: Vec::new(),
        }
    }
}

/// Whether a stage has no base image.
fn stands_on_nothing(plan: &Plan, stage: usize) -> bool {
    let mut at = stage;
    while let Base::Stage(below) = plan.stages[at].base {
        if below >= at {
            return false;
        }
        at = below;
    }
    plan.stages[at].base == Base::Scratch
}

/// The steps that the target's image consists of, first to last, without those that make no layer.
fn steps(plan: &Plan) -> impl Iterator<Item = NodeIndex> + '_ {
    let mut chain = vec![plan.target];
    while let Some(Base::Stage(below)) = chain.last().map(|at| &plan.stages[*at].base) {
        if chain.last().is_some_and(|at| below >= at) {
            break;
        }
        chain.push(*below);
    }
    let steps = chain.into_iter().rev().flat_map(|s| &plan.stages[s].steps);
    steps
        .copied()
        .filter(|n| plan.graph[*n].kind != StepKind::From)
}

/// Stages whose files the target's image has a part of, in their order.
fn needed(plan: &Plan) -> BTreeSet<usize> {
    let mut out = BTreeSet::from([plan.target]);
    let mut open = vec![plan.target];
    while let Some(stage) = open.pop() {
        let steps = plan.stages[stage].steps.iter().map(|n| &plan.graph[*n]);
        let taken = steps.flat_map(|s| &s.inputs).filter_map(|i| match i {
            Input::Stage { stage, .. } => Some(*stage),
            _ => None,
        });
        let base = match plan.stages[stage].base {
            Base::Stage(below) => Some(below),
            _ => None,
        };
        let below = taken.chain(base).filter(|s| *s < stage);
        open.extend(below.filter(|s| out.insert(*s)).collect::<Vec<_>>());
    }
    out
}

/// Layers as they are put one upon the other.
struct Pile<'a> {
    model: Model<'a>,
    ground: Ground,
    layers: Vec<Layer>,
}

impl Pile<'_> {
    fn add(&mut self, node: NodeIndex) {
        let step = &self.model.plan.graph[node];
        let number = self.layers.len();
        self.layers.push(Layer {
            step: node,
            bytes: None,
            source: BytesSource::Unknown,
            files: 0,
            lost: Vec::new(),
        });
        let (bytes, source, amount) = match step.kind {
            StepKind::From => return drop(self.layers.pop()),
            StepKind::Copy | StepKind::Add => self.copy(step, number),
            StepKind::Workdir => self.workdir(step),
            StepKind::Run => self.run(step, number),
        };
        let layer = &mut self.layers[number];
        (layer.bytes, layer.source, layer.files) = (bytes, source, amount.files);
    }

    fn copy(&mut self, step: &Step, number: usize) -> (Option<u64>, BytesSource, Amount) {
        let store = self.model.store;
        let containerd = store != Store::Overlay2;
        let apart = containerd && !step.keyed_by_parent;
        let Taken {
            brought,
            incomplete,
        } = taken(
            step,
            self.model.sent,
            self.model.ignored,
            &self.ground,
            apart,
        );
        // The last one at a place stays.
        let brought = brought
            .into_iter()
            .map(|(place, what, mode)| (place, (what, mode)));
        let brought: BTreeMap<String, (Brought, Option<u32>)> = brought.collect();
        let mut draft = Draft::default();
        for (place, (brought, mode)) in brought {
            let attributes = Attributes::brought(step.dest.as_ref(), mode);
            if brought == Brought::Folder {
                if self.ground.add_folder(&place, &attributes) || apart {
                    draft.folder(&place);
                }
                continue;
            }
            let held = Held {
                layer: number,
                brought,
                attributes,
                changed: false,
            };
            let same = |old: &Held| {
                let origin = held.origin();
                let equal = origin.is_some() && old.origin() == origin && !old.changed;
                equal && old.attributes == held.attributes
            };
            if containerd && !apart && self.ground.files.get(&place).is_some_and(same) {
                continue;
            }
            draft.put(&place, &held.brought);
            if let Some(old) = self.ground.put(&place, held) {
                self.lose(&old, number, LossKind::Overwritten);
            }
        }
        let amount = draft.finish();
        if !incomplete {
            return (Some(store.bytes(&amount)), BytesSource::Context, amount);
        }
        let to = match destination(step, &self.ground) {
            root if root.is_empty() => "/".to_owned(),
            path => path,
        };
        self.ground.written.push(ground::Written {
            layer: number,
            bytes: 0,
            claims: vec![crate::footprint::PathClaim::subtree(to)],
        });
        let cost = self.model.costs.of(step);
        match cost.bytes {
            Some(bytes) => (Some(bytes), BytesSource::Costs(cost.bytes_source), amount),
            None => (None, BytesSource::Unknown, amount),
        }
    }

    fn workdir(&mut self, step: &Step) -> (Option<u64>, BytesSource, Amount) {
        let mut draft = Draft::default();
        let path = destination(step, &self.ground);
        self.ground.folder.clone_from(&path);
        let attributes = Attributes::brought(step.dest.as_ref(), Some(0o755));
        if self
            .ground
            .add_folder(path.trim_end_matches('/'), &attributes)
        {
            draft.folder(&path);
        }
        let amount = draft.finish();
        (
            Some(self.model.store.bytes(&amount)),
            BytesSource::Context,
            amount,
        )
    }

    /// Notes that a layer hides what a lower one holds.
    fn lose(&mut self, old: &Held, by: usize, kind: LossKind) {
        let bytes = self.model.store.file(old.size());
        self.lose_bytes(old.layer, by, kind, bytes, false);
    }

    fn lose_bytes(&mut self, holder: usize, by: usize, kind: LossKind, bytes: u64, at_most: bool) {
        // A layer that other stages share has another number there, and is not in this pile.
        let Some(layer) = self
            .layers
            .get_mut(holder)
            .filter(|_| holder < by && bytes > 0)
        else {
            return;
        };
        let same = |l: &&mut Lost| (l.by, l.kind, l.at_most) == (by, kind, at_most);
        match layer.lost.iter_mut().find(same) {
            Some(lost) => lost.bytes = lost.bytes.saturating_add(bytes),
            None => layer.lost.push(Lost {
                by,
                kind,
                at_most,
                bytes,
            }),
        }
    }
}

/// Files with one content at several places.
fn duplicates(ground: &Ground, store: Store) -> Vec<Duplicates> {
    /// What is in a file, or where it comes from.
    type Content = (Option<[u8; 32]>, Option<Origin>);
    let mut groups: BTreeMap<Content, Vec<(usize, String, u64)>> = BTreeMap::new();
    for (place, held) in &ground.files {
        if let Brought::File {
            origin,
            size,
            again: false,
            digest,
        } = held.brought
            && size > 0
            && !held.changed
        {
            let key = (digest, digest.is_none().then_some(origin));
            let group = groups.entry(key).or_default();
            group.push((held.layer, place.clone(), size));
        }
    }
    let groups = groups.into_values().filter(|g| g.len() > 1);
    let mut out: Vec<Duplicates> = groups
        .map(|group| Duplicates {
            size: store.file(group[0].2),
            places: group.into_iter().map(|(l, p, _)| (l, p)).collect(),
        })
        .collect();
    out.sort_by(|a, b| (b.wasted(), &a.places).cmp(&(a.wasted(), &b.places)));
    out
}

/// The id of the step of a layer.
#[must_use]
pub fn id(plan: &Plan, layer: &Layer) -> StepId {
    plan.graph[layer.step].id
}
