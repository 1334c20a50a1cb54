//! What of a build is asked for, and so has to run.
//!
//! Goes in: the vertices of a build and what the store knows of each. Comes out: a verdict for each, and after a
//! refused build what it left. Linear in vertices and their inputs. Source: cache keys 8 and 9; a step whose result nobody
//! asks for is skipped, and reported as cached.

use super::replay::BuildOutcome;
use super::store::{Afterwards, Key, Node, RecordId, Store, Used, Verdict};
use rustc_hash::FxHashMap;

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

/// The vertices of one build, looked up.
#[derive(Default)]
pub struct Visited {
    /// In the order of conversion: inputs come first.
    pub nodes: Vec<Node>,
    by_record: FxHashMap<RecordId, usize>,
    /// The vertex of every step of the plan's order.
    pub steps: Vec<usize>,
    /// The vertex whose result is the image.
    pub target: Option<usize>,
}

impl Visited {
    /// Looks a key up in the store; `below` and `sources` are vertices added before.
    pub fn look_up(
        &self,
        store: &mut Store,
        key: Key,
        below: Vec<usize>,
        sources: Vec<usize>,
    ) -> Node {
        let records: Vec<RecordId> = sources.iter().map(|s| self.nodes[*s].record).collect();
        let found = store.find(key, &records);
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

    /// Adds a vertex; an equal one that is there already is the same (experiments row 80).
    pub fn add(&mut self, node: Node) -> usize {
        if let Some(same) = self.by_record.get(&node.record) {
            return *same;
        }
        self.by_record.insert(node.record, self.nodes.len());
        self.nodes.push(node);
        self.nodes.len() - 1
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
        for i in (0..self.nodes.len()).rev() {
            let node = &self.nodes[i];
            let verdict = match (node.needed, node.found.layer) {
                (Verdict::Cached, _) | (_, Verdict::Cached) => Verdict::Cached,
                (Verdict::Executed, Verdict::Executed) => Verdict::Executed,
                _ => Verdict::Maybe,
            };
            let records: Vec<RecordId> =
                node.sources.iter().map(|s| self.nodes[*s].record).collect();
            let compared = |source: RecordId| -> Verdict {
                // Files are compared where the way to a key is not known: someone must have them.
                match &node.found {
                    found if found.linked => Verdict::Cached,
                    found if store.may_be_linked(found, &records, source) => Verdict::Maybe,
                    _ => Verdict::Executed,
                }
            };
            let mut asks: Vec<(usize, Verdict)> = Vec::new();
            asks.extend(node.below.iter().map(|b| (*b, verdict)));
            for s in &node.sources {
                asks.push((*s, verdict.max(compared(self.nodes[*s].record))));
            }
            self.nodes[i].verdict = verdict;
            for (input, how) in asks {
                let needed = &mut self.nodes[input].needed;
                *needed = (*needed).max(how);
            }
        }
    }

    /// Marks what a refused build can't be relied on to have stored (cache keys 8).
    pub fn withdraw(&self, store: &mut Store, failed: usize, kept: Kept) {
        if kept == Kept::Before {
            // What an equal step before it made is there.
            let (made, rest) = self.steps.split_at(failed.min(self.steps.len()));
            for s in rest.iter().filter(|s| !made.contains(s)) {
                store.withdraw(self.nodes[*s].record, Afterwards::Gone);
            }
            return;
        }
        let failed = self.steps[failed];
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
    pub fn outcome(&self, sequential: bool) -> BuildOutcome {
        let ids: Vec<_> = self
            .steps
            .iter()
            .map(|s| Some(self.nodes[*s].record))
            .collect();
        let first = Store::first_visits(&ids);
        let verdict = |(s, first): (&usize, &bool)| match self.nodes[*s].verdict {
            _ if sequential && !first => Verdict::Cached,
            verdict => verdict,
        };
        BuildOutcome {
            verdicts: self.steps.iter().zip(&first).map(verdict).collect(),
            first,
            ..BuildOutcome::default()
        }
    }
}
