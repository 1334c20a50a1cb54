//! The builder's store of results, as far as keys go.
//!
//! A record is one result under one key: definition, parent record, content slots. A step whose slot
//! holds files of a stage that ran again may or may not equal an earlier record; it gets a record of
//! its own that is remembered as perhaps equal to those (prediction model, section 2). Cost: one hash
//! look-up a step, and a scan over records of one definition where a stage ran again.

use super::policy::Policy;
use rustc_hash::{FxHashMap, FxHashSet};

/// What a build does with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is reported as cached.
    Cached,
    /// Only running an earlier RUN can tell.
    Maybe,
    /// It runs.
    Executed,
}

/// One content input in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Content that is known: files of the context, a base image's identity.
    Known(u128),
    /// Files of the result of a record, selected by these paths (as a digest).
    Stage(RecordId, u128),
    /// Files of an image under one of its contents: another content may hold the same files.
    Image(u128),
    /// A result as a whole, by its own key: what the merge of `COPY --link` takes.
    Record(RecordId),
}

/// Index of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub u32);

/// A complete key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Everything that is written down.
    pub definition: u128,
    /// The file system below; `None` for the first step and for `COPY --link`.
    pub parent: Option<RecordId>,
    /// Content inputs in order.
    pub slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Record {
    key: Key,
    /// The result is certainly in the store (it may not be after a refused build).
    certain: bool,
    /// The result is certainly not in the store: its step failed, or stood behind one that did.
    gone: bool,
    created: u32,
    /// What the build that created it said.
    verdict: Verdict,
    last_used: u32,
    /// Records that may hold the same result.
    perhaps: Vec<RecordId>,
}

/// All results so far.
#[derive(Clone, Debug, Default)]
pub struct Store {
    records: Vec<Record>,
    exact: FxHashMap<Key, RecordId>,
    by_definition: FxHashMap<u128, Vec<RecordId>>,
}

/// What a build is to the store.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Number of this build.
    pub build: u32,
    /// The last build before it that was not refused.
    pub previous: Option<u32>,
    /// What survives.
    pub policy: Policy,
    /// Steps are made one after another: what one made, the next finds in the same build.
    pub sequential: bool,
}

/// What is known of a result after a refused build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It is not there.
    Gone,
    /// It may be there.
    Unsure,
}

impl Store {
    /// Looks a key up and records its result.
    pub fn visit(&mut self, key: Key, now: Moment) -> (RecordId, Verdict) {
        if let Some(id) = self.exact.get(&key).copied() {
            return (id, self.revisit(id, now));
        }
        let candidates = self.possible(&key, now);
        let verdict = if candidates.is_empty() {
            Verdict::Executed
        } else {
            Verdict::Maybe
        };
        let id = RecordId(u32::try_from(self.records.len()).unwrap_or(u32::MAX));
        for c in &candidates {
            self.records[c.0 as usize].perhaps.push(id);
        }
        self.records.push(Record {
            key: key.clone(),
            certain: true,
            gone: false,
            created: now.build,
            verdict,
            last_used: now.build,
            perhaps: candidates,
        });
        self.by_definition
            .entry(key.definition)
            .or_default()
            .push(id);
        self.exact.insert(key, id);
        (id, verdict)
    }

    fn revisit(&mut self, id: RecordId, now: Moment) -> Verdict {
        let alive = self.alive(id, now);
        let record = &mut self.records[id.0 as usize];
        if record.created == now.build && now.sequential {
            return Verdict::Cached;
        }
        if record.created == now.build {
            // The same vertex a second time in one build: run once, same verdict (experiments row 80).
            return record.verdict;
        }
        let verdict = match (alive && !record.gone, record.certain) {
            (false, _) => Verdict::Executed,
            (true, true) => Verdict::Cached,
            (true, false) => Verdict::Maybe,
        };
        record.certain = true;
        record.gone = false;
        record.last_used = now.build;
        if verdict != Verdict::Cached {
            record.created = now.build;
            record.verdict = verdict;
        }
        verdict
    }

    /// Takes back what a refused build seemed to store.
    pub fn withdraw(&mut self, id: RecordId, to: Afterwards) {
        let record = &mut self.records[id.0 as usize];
        match to {
            Afterwards::Gone => record.gone = true,
            Afterwards::Unsure => record.certain = false,
        }
    }

    fn alive(&self, id: RecordId, now: Moment) -> bool {
        let record = &self.records[id.0 as usize];
        match now.policy {
            Policy::Local => true,
            Policy::Previous => {
                Some(record.last_used) == now.previous || record.last_used == now.build
            }
            Policy::None => false,
        }
    }

    /// Earlier records that this key would hit if unknown files turned out equal.
    fn possible(&self, key: &Key, now: Moment) -> Vec<RecordId> {
        let unsure_parent = key
            .parent
            .is_some_and(|p| !self.records[p.0 as usize].perhaps.is_empty());
        let with_stage = key.slots.iter().any(|s| match s {
            Slot::Stage(..) | Slot::Image(_) => true,
            Slot::Record(id) => !self.records[id.0 as usize].perhaps.is_empty(),
            Slot::Known(_) => false,
        });
        let Some(same) = self.by_definition.get(&key.definition) else {
            return Vec::new();
        };
        // A context copy can equal an earlier copy from a stage under the same definition (row 77b).
        let earlier_stage = |r: &Record| r.key.slots.iter().any(|s| matches!(s, Slot::Stage(..)));
        let may_be = |r: &Record| {
            (now.sequential || r.created != now.build)
                && !r.gone
                && (unsure_parent || with_stage || earlier_stage(r))
                && self.parents_may_equal(key.parent, r.key.parent)
                && key.slots.len() == r.key.slots.len()
                && key
                    .slots
                    .iter()
                    .zip(&r.key.slots)
                    .all(|(a, b)| self.slots_may_equal(a, b))
        };
        let ids = same.iter().copied();
        ids.filter(|id| self.alive(*id, now) && may_be(&self.records[id.0 as usize]))
            .collect()
    }

    fn parents_may_equal(&self, a: Option<RecordId>, b: Option<RecordId>) -> bool {
        match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => a == b || self.records[a.0 as usize].perhaps.contains(&b),
            _ => false,
        }
    }

    /// Unknown files may equal anything; known content only itself.
    fn slots_may_equal(&self, a: &Slot, b: &Slot) -> bool {
        match (a, b) {
            (Slot::Known(a), Slot::Known(b)) => a == b,
            (Slot::Image(_), Slot::Known(_)) | (Slot::Known(_), Slot::Image(_)) => false,
            (Slot::Record(a), Slot::Record(b)) => self.parents_may_equal(Some(*a), Some(*b)),
            _ => true,
        }
    }

    /// Ids visited twice in one build count once; this tells which those are.
    #[must_use]
    pub fn first_visits(ids: &[Option<RecordId>]) -> Vec<bool> {
        let mut seen = FxHashSet::default();
        ids.iter()
            .map(|id| id.is_none_or(|id| seen.insert(id)))
            .collect()
    }
}
