//! What of a build is asked for, and so has to run.
//!
//! Goes in: the vertices of a build and what the store knows of each. Comes out: a verdict for each, and after a
//! refused build what it left. Linear in vertices and their inputs. Source: cache keys 8 and 9; a step whose result nobody
//! asks for is skipped, and reported as cached.

use super::replay::BuildOutcome;
use super::store::{Afterwards, Key, Node, RecordId, Store, Used, Verdict};
use std::sync::Arc;

/// What a refused build keeps of the steps that ran.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It failed while keys were computed: nothing is known.
    Unknown,
    /// A step failed: what that step stands on is kept.
    Ancestors,
    /// The key of a step failed on another stage's files: that stage is kept.
    Sources,
    /// Steps are made one after another: all before the failed one are kept.
    Before,
}

/// Where a step of the plan's order ended up.
#[derive(Clone, Copy)]
struct Place {
    step: usize,
    record: RecordId,
    /// What the next step stands on: for `COPY --link` the merge of the copy and its parent.
    chain: usize,
    /// The record of that merge.
    merged: Option<RecordId>,
    /// No step before it is the same vertex.
    first: bool,
    /// Vertices and records are those of the build before.
    steady: bool,
}

/// The vertices of one build, looked up. Used again for the next one, which mostly has the same.
#[derive(Default)]
pub struct Visited {
    /// In the order of conversion: inputs come first.
    pub nodes: Vec<Node>,
    /// The vertex whose result is the image.
    pub target: Option<usize>,
    places: Vec<Place>,
    /// The places of the build before.
    old: Vec<Place>,
    /// How many of `nodes` are this build's so far; the rest are those of the build before.
    filled: usize,
    /// All vertices so far have the numbers that they had in the build before.
    aligned: bool,
    /// By record: the visit that met it last, and its vertex then.
    at: Vec<(u32, usize)>,
    visit: u32,
    /// Plan and build that this is of.
    of: Option<(usize, u32)>,
    /// Records of a vertex's sources, for a moment.
    scratch: Vec<RecordId>,
    /// What the last outcome had, of the places that are `old` now.
    same_as: Arc<[u32]>,
}

impl Visited {
    /// Starts a build of a plan; the number of the build that this held, if it was of the same plan.
    pub fn begin(&mut self, plan: usize, build: u32, steps: usize) -> Option<u32> {
        self.visit += 1;
        self.filled = 0;
        self.target = None;
        std::mem::swap(&mut self.old, &mut self.places);
        self.places.clear();
        let before = self.of.filter(|(p, _)| *p == plan);
        let before = before.filter(|_| self.old.len() == steps);
        self.aligned = before.is_some();
        self.of = Some((plan, build));
        before.map(|(_, build)| build)
    }

    /// The build is complete; the image is the result of that vertex.
    pub fn finish(&mut self, target: Option<usize>) {
        self.nodes.truncate(self.filled);
        self.target = target;
    }

    /// The vertex of a step.
    pub fn step(&self, position: usize) -> usize {
        self.places[position].step
    }

    /// The vertex that the step next in the stage stands on.
    pub fn chain(&self, position: usize) -> usize {
        self.places[position].chain
    }

    /// Whether no step before it is the same vertex.
    pub fn is_first(&self, position: usize) -> bool {
        self.places[position].first
    }

    /// Whether a step of this build has the vertices and records that it had in the build before.
    pub fn is_as_before(&self, position: usize) -> bool {
        self.places[position].steady
    }

    /// Looks a key up in the store; `below` and `sources` are vertices added before.
    pub fn look_up(
        &mut self,
        store: &mut Store,
        key: Key,
        below: Vec<usize>,
        sources: Vec<usize>,
    ) -> Node {
        self.scratch.clear();
        let records = sources.iter().map(|s| self.nodes[*s].record);
        self.scratch.extend(records);
        let found = store.find(key, &self.scratch);
        Node {
            record: found.id,
            below,
            sources,
            is_from: false,
            bytes: 0,
            found,
            needed: Verdict::Cached,
            verdict: Verdict::Cached,
        }
    }

    /// The vertex of a record, if this build has it already.
    fn met(&self, record: RecordId) -> Option<usize> {
        let (visit, node) = self.at.get(record.0 as usize)?;
        (*visit == self.visit).then_some(*node)
    }

    fn meet(&mut self, record: RecordId, node: usize) {
        let at = record.0 as usize;
        if self.at.len() <= at {
            self.at.resize((at + 1).next_power_of_two(), (0, 0));
        }
        self.at[at] = (self.visit, node);
    }

    /// Adds a vertex; an equal one that is there already is the same (experiments row 80).
    fn add(&mut self, node: Node) -> usize {
        if let Some(same) = self.met(node.record) {
            return same;
        }
        let id = self.filled;
        self.meet(node.record, id);
        match self.nodes.get_mut(id) {
            Some(place) => *place = node,
            None => self.nodes.push(node),
        }
        self.filled += 1;
        id
    }

    /// Adds the vertex of the step that is next in order.
    pub fn put(&mut self, node: Node) {
        let record = node.record;
        let first = self.met(record).is_none();
        let step = self.add(node);
        let old = self.old.get(self.places.len()).filter(|_| self.aligned);
        let steady = old.is_some_and(|old| old.step == step && old.record == record);
        self.aligned &= old.is_some_and(|old| old.step == step);
        self.places.push(Place {
            step,
            record,
            chain: step,
            merged: None,
            first,
            steady,
        });
    }

    /// Adds the merge that stands on the step added last.
    pub fn put_merge(&mut self, position: usize, node: Node) {
        let record = node.record;
        let chain = self.add(node);
        let old = self.old.get(position).filter(|_| self.aligned);
        let steady = old.is_some_and(|o| o.chain == chain && o.merged == Some(record));
        self.aligned &= old.is_some_and(|old| old.chain == chain);
        let place = &mut self.places[position];
        place.steady &= steady;
        (place.chain, place.merged) = (chain, Some(record));
    }

    /// Adds the step that is next in order as the build before had it, its key being the same. False, and nothing
    /// is done, where its vertex would be another one.
    pub fn again(&mut self, store: &Store) -> bool {
        let Some(old) = self.old.get(self.places.len()).filter(|_| self.aligned) else {
            return false;
        };
        let old = *old;
        let mut next = self.filled;
        let mut fits = |record: RecordId, node: usize| match self.met(record) {
            Some(met) => met == node,
            None => std::mem::replace(&mut next, node + 1) == node,
        };
        let merges = old.merged.map(|m| (m, old.chain));
        if !fits(old.record, old.step) || !merges.is_none_or(|(m, node)| fits(m, node)) {
            return false;
        }
        let first = self.met(old.record).is_none();
        for (record, node) in std::iter::once((old.record, old.step)).chain(merges) {
            if self.met(record).is_none() {
                self.renew(store, node);
                self.meet(record, node);
                self.filled += 1;
            }
        }
        self.places.push(Place {
            first,
            steady: true,
            ..old
        });
        true
    }

    /// What the store says now of a vertex of the build before.
    fn renew(&mut self, store: &Store, node: usize) {
        self.scratch.clear();
        let records = self.nodes[node].sources.iter();
        let records = records.map(|s| self.nodes[*s].record);
        self.scratch.extend(records);
        let node = &mut self.nodes[node];
        node.found = store.find_again(node.record, &self.scratch);
        (node.needed, node.verdict) = (Verdict::Cached, Verdict::Cached);
    }

    /// Decides from the result down what is asked for, and what of that has to run: a step whose
    /// result nobody asks for is skipped, which the builder reports as cached (cache keys 8 and 9).
    /// `sequential`: the builder makes every step it knows of, asked for or not.
    pub fn demand(&mut self, store: &Store, sequential: bool) {
        if sequential {
            for node in &mut self.nodes {
                node.needed = Verdict::Executed;
            }
        }
        if let Some(t) = self.target {
            self.nodes[t].needed = Verdict::Executed;
        }
        let mut records = std::mem::take(&mut self.scratch);
        for i in (0..self.nodes.len()).rev() {
            let (inputs, rest) = self.nodes.split_at_mut(i);
            let node = &mut rest[0];
            let verdict = match (node.needed, node.found.layer) {
                (Verdict::Cached, _) | (_, Verdict::Cached) => Verdict::Cached,
                (Verdict::Executed, Verdict::Executed) => Verdict::Executed,
                _ => Verdict::Maybe,
            };
            node.verdict = verdict;
            // Files are compared where the way to a key is not known: someone must have them.
            let compares = !node.found.linked;
            if verdict == Verdict::Cached && !compares {
                continue;
            }
            records.clear();
            records.extend(node.sources.iter().map(|s| inputs[*s].record));
            let mut ask = |input: usize, how: Verdict| {
                let needed = &mut inputs[input].needed;
                *needed = (*needed).max(how);
            };
            node.below.iter().for_each(|b| ask(*b, verdict));
            for (source, record) in node.sources.iter().zip(&records) {
                let compared = match compares {
                    false => Verdict::Cached,
                    true if store.may_be_linked(&node.found, &records, *record) => Verdict::Maybe,
                    true => Verdict::Executed,
                };
                ask(*source, verdict.max(compared));
            }
        }
        self.scratch = records;
    }

    /// Marks what a refused build can't be relied on to have stored (cache keys 8).
    pub fn withdraw(&self, store: &mut Store, failed: usize, kept: Kept) {
        if kept == Kept::Before {
            // What an equal step before it made is there.
            for place in self.places.iter().skip(failed).filter(|p| p.first) {
                store.withdraw(place.record, Afterwards::Gone);
            }
            return;
        }
        let failed = self.step(failed);
        let n = self.nodes.len();
        let inputs = |i: usize| {
            let node = &self.nodes[i];
            node.below.iter().chain(&node.sources).copied()
        };
        let (mut behind, mut below) = (vec![false; n], vec![false; n]);
        behind[failed] = true;
        for i in failed + 1..n {
            behind[i] = inputs(i).any(|b| behind[b]);
        }
        match kept {
            Kept::Sources => self.nodes[failed]
                .sources
                .iter()
                .for_each(|s| below[*s] = true),
            Kept::Unknown | Kept::Ancestors | Kept::Before => below[failed] = true,
        }
        for i in (0..=failed).rev() {
            if below[i] {
                inputs(i).for_each(|b| below[b] = true);
            }
        }
        for (i, node) in self.nodes.iter().enumerate() {
            if node.verdict == Verdict::Cached {
                continue;
            }
            if behind[i] {
                store.withdraw(node.record, Afterwards::Gone);
            } else if kept == Kept::Unknown || !below[i] {
                store.withdraw(node.record, Afterwards::Unsure);
            }
        }
    }

    /// The build as the store and the policies see it.
    pub fn used(&self) -> Used<'_> {
        Used {
            nodes: &self.nodes,
            target: self.target,
        }
    }

    /// The verdicts of the steps, in the plan's order.
    ///
    /// `sequential`: steps are made one after another, so what one made an equal one finds.
    pub fn outcome(&mut self, sequential: bool) -> BuildOutcome {
        let verdict = |p: &Place| match self.nodes[p.step].verdict {
            _ if sequential && !p.first => Verdict::Cached,
            verdict => verdict,
        };
        let verdicts = self.places.iter().map(verdict).collect();
        let vertex = |p: &Place| (p.step, p.first);
        let as_before = self
            .places
            .iter()
            .map(vertex)
            .eq(self.old.iter().map(vertex));
        if !as_before || self.same_as.len() != self.places.len() {
            let same_as = |(i, p): (usize, &Place)| {
                let first = match p.first {
                    true => Some(i),
                    false => self.places.iter().position(|o| o.step == p.step),
                };
                u32::try_from(first.unwrap_or(i)).unwrap_or(u32::MAX)
            };
            self.same_as = self.places.iter().enumerate().map(same_as).collect();
        }
        BuildOutcome {
            verdicts,
            same_as: Arc::clone(&self.same_as),
            ..BuildOutcome::default()
        }
    }
}
