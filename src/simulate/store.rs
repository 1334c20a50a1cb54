//! The builder's store of results, as far as keys go.
//!
//! A record is one result under one key: definition, parent record, content slots. A step whose slot
//! holds files of a stage that ran again may or may not equal an earlier record; it gets a record of
//! its own, in one class with those (`classes.rs`; prediction model, section 2). A key can be
//! known without its layer: what stands on it may still be found (cache keys 9). Records are never
//! removed, only their flags change. Cost: two hash look-ups a step.

use super::classes::{ClassId, Classes, Counts};
use super::policy::{Candidate, Keep};
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::hash::BuildHasher as _;

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
    /// Files of which equal numbers are equal files, and different ones may be.
    Unsure(u128),
    /// Files that are known, and those that images have in some places: other places may have the same, or none.
    Placed(u128, u128),
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

impl RecordId {
    fn at(self) -> usize {
        self.0 as usize
    }
}

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

/// What the cache has of a record. Classes count these: only [`Store::change`] changes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct There {
    /// The key.
    known: bool,
    /// The layer.
    layer: bool,
    /// The layer is certainly there (it may not be after a refused build).
    certain: bool,
}

impl There {
    const ALL: Self = Self {
        known: true,
        layer: true,
        certain: true,
    };

    fn counts(self) -> Counts {
        Counts::of(self.known, self.layer, self.certain)
    }
}

#[derive(Clone, Debug)]
struct Record {
    key: Key,
    there: There,
    /// A build had it, however long ago.
    once: bool,
    /// FROM of an image.
    is_from: bool,
    /// Whether it stands in `present`.
    listed: bool,
    /// The last build that succeeded with it, under a policy that lives by exports.
    seen: Option<u32>,
    last_used: u64,
    uses: u32,
    bytes: u64,
    /// Records whose layers it stands on, as the last build had it.
    below: Vec<RecordId>,
    /// With all that may hold the same result.
    class: ClassId,
    /// Other records than those of the key's slots whose files were found equal: from these too the
    /// way to this record is known without comparing files.
    links: FxHashSet<Vec<RecordId>>,
}

impl Record {
    fn has_link(&self, sources: &[RecordId]) -> bool {
        self.links.contains(sources)
    }

    /// The records whose files it is known to be made from.
    fn made_from(&self) -> impl Iterator<Item = RecordId> {
        let slots = self.key.slots.iter().filter_map(|s| match s {
            Slot::Stage(id, _) => Some(*id),
            _ => None,
        });
        slots.chain(self.links.iter().flatten().copied())
    }
}

/// All results so far.
#[derive(Clone, Debug, Default)]
pub struct Store {
    records: Vec<Record>,
    /// Records by their keys, which stand in them.
    exact: HashTable<RecordId>,
    classes: Classes,
    /// Records whose key is known, under policies that drop some.
    present: Vec<RecordId>,
    /// Counts look-ups that used a record.
    clock: u64,
}

/// What a look-up says of a key before anything runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The record, made now if there was none.
    pub id: RecordId,
    /// `Cached`: its layer is there. `Maybe`: that depends. `Executed`: it is not.
    pub layer: Verdict,
    /// The way here from these very inputs is known, so no files need to be compared.
    pub linked: bool,
    /// The record was there in an earlier build.
    pub once: bool,
    /// Whether there are earlier records that it may turn out to be.
    pub may_be_earlier: bool,
    /// There are, and the layers of all of them are there for certain.
    pub all_there: bool,
}

/// A vertex of one build.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its record.
    pub record: RecordId,
    /// Vertices whose file systems it stands on: the one below, for a merge also the copy.
    pub below: Vec<usize>,
    /// Vertices whose files it reads.
    pub sources: Vec<usize>,
    /// FROM of an image.
    pub is_from: bool,
    /// What its own layer holds, bytes; 0 where that is not known.
    pub bytes: u64,
    /// What the look-up found.
    pub found: Found,
    /// Whether its result is asked for: `Executed` is yes.
    pub needed: Verdict,
    /// What happens to it.
    pub verdict: Verdict,
}

impl Node {
    /// Whether an earlier build had this very result, and its layer is in the cache no more.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.found.once && self.found.layer == Verdict::Executed
    }

    /// Whether its layer was, or may have been, in the cache when the build started.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.found.layer != Verdict::Executed
    }
}

/// What one build used and made, in the order of conversion.
pub struct Used<'a> {
    /// Its vertices; inputs come first.
    pub nodes: &'a [Node],
    /// The vertex whose result is the image.
    pub target: Option<usize>,
}

impl Used<'_> {
    /// For every vertex, whether the result stands on its layer.
    #[must_use]
    pub fn result_chain(&self) -> Vec<bool> {
        let mut on = vec![false; self.nodes.len()];
        if let Some(t) = self.target {
            on[t] = true;
        }
        for i in (0..self.nodes.len()).rev() {
            if on[i] {
                for b in &self.nodes[i].below {
                    on[*b] = true;
                }
            }
        }
        on
    }
}

fn layer_of_any(earlier: Counts) -> Verdict {
    match earlier.layer {
        0 => Verdict::Executed,
        _ => Verdict::Maybe,
    }
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
    /// How many results there are and were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Looks a key up; a key that is new gets a record that no build has yet. `sources` are the records
    /// whose files the key was made from.
    pub fn find(&mut self, key: Key, sources: &[RecordId]) -> Found {
        let hash = FxBuildHasher.hash_one(&key);
        let records = &self.records;
        let is = |id: &RecordId| records[id.at()].key == key;
        if let Some(id) = self.exact.find(hash, is).copied() {
            return self.find_again(id, sources);
        }
        let class = self.classes.of(&key, |id| records[id.at()].class);
        let earlier = self.classes.counts(class);
        let id = RecordId(u32::try_from(self.records.len()).unwrap_or(u32::MAX));
        self.records.push(Record {
            key,
            there: There::default(),
            once: false,
            is_from: false,
            listed: false,
            seen: None,
            last_used: 0,
            uses: 0,
            bytes: 0,
            below: Vec::new(),
            class,
            links: FxHashSet::default(),
        });
        let records = &self.records;
        let again = |id: &RecordId| FxBuildHasher.hash_one(&records[id.at()].key);
        self.exact.insert_unique(hash, id, again);
        Found {
            id,
            layer: layer_of_any(earlier),
            linked: sources.is_empty(),
            once: false,
            may_be_earlier: earlier.known > 0,
            all_there: earlier.known > 0 && earlier.certain == earlier.known,
        }
    }

    /// Looks up a record whose key is known.
    pub fn find_again(&self, id: RecordId, sources: &[RecordId]) -> Found {
        let record = &self.records[id.at()];
        let there = record.there;
        // A key that the cache lost may still be another name for one that it has.
        let earlier = match there.known {
            true => Counts::default(),
            false => self.classes.counts(record.class),
        };
        let layer = match (there.layer, there.certain) {
            (true, true) => Verdict::Cached,
            (true, false) => Verdict::Maybe,
            (false, _) => layer_of_any(earlier),
        };
        Found {
            id,
            layer,
            linked: sources.is_empty() || there.known && record.has_link(sources),
            once: record.once,
            may_be_earlier: earlier.known > 0,
            all_there: earlier.known > 0 && earlier.certain == earlier.known,
        }
    }

    /// Changes what there is of a record, and what its class is counted by; what there was.
    fn change(&mut self, id: RecordId, how: impl FnOnce(&mut There)) -> There {
        let record = &mut self.records[id.at()];
        let before = record.there;
        how(&mut record.there);
        let (class, after) = (record.class, record.there);
        if before == after {
            return before;
        }
        self.classes.change(class, before.counts(), after.counts());
        if before.known != after.known {
            let record = &self.records[id.at()];
            for source in record.made_from() {
                let source = self.records[source.at()].class;
                self.classes.made_from(class, source, after.known);
            }
        }
        before
    }

    /// The step was made before the next one is looked at: builders that make one after another.
    pub fn made(&mut self, id: RecordId) {
        self.change(id, |there| *there = There::ALL);
    }

    /// Whether files of `source`, the last of `sources` or any other, need no comparing where what was
    /// found turns out to be one of its candidates: the way from them may be known already.
    #[must_use]
    pub fn may_be_linked(&self, found: &Found, sources: &[RecordId], source: RecordId) -> bool {
        if !found.may_be_earlier {
            return false;
        }
        let record = &self.records[found.id.at()];
        let source = self.records[source.at()].class;
        record.has_link(sources) || self.classes.may_be_made_from(record.class, source)
    }

    /// Whether the build before, under a policy that lives by exports, had this record.
    #[must_use]
    pub fn seen_in(&self, id: RecordId, build: Option<u32>) -> bool {
        build.is_some() && self.records[id.at()].seen == build
    }

    /// Writes down what a build did. In a build that is `refused` nobody knows which files were
    /// compared before it stopped, so no new ways to earlier results are learned.
    pub fn commit(&mut self, used: &Used<'_>, build: u32, refused: bool) {
        let (mut sources, mut below) = (Vec::new(), Vec::new());
        for node in used.nodes {
            self.clock += 1;
            sources.clear();
            sources.extend(node.sources.iter().map(|s| used.nodes[*s].record));
            below.clear();
            below.extend(node.below.iter().map(|b| used.nodes[*b].record));
            let record = &self.records[node.record.at()];
            if !(refused || sources.is_empty() || record.has_link(&sources)) {
                for source in sources.iter().filter(|_| record.there.known) {
                    let source = self.records[source.at()].class;
                    self.classes.made_from(record.class, source, true);
                }
                let links = &mut self.records[node.record.at()].links;
                links.insert(sources.clone());
            }
            let record = &mut self.records[node.record.at()];
            record.seen = Some(build);
            record.bytes = node.bytes;
            record.is_from = node.is_from;
            if record.below != below {
                record.below.clone_from(&below);
            }
            let asked = node.needed != Verdict::Cached;
            if asked {
                record.last_used = self.clock;
                record.uses = record.uses.saturating_add(1);
                record.once = true;
            }
            self.change(node.record, |there| {
                there.known = true;
                // It turned out to be one of the earlier ones, or it is new: then whatever is made of it is
                // new as well, and it was asked for and ran.
                if asked && (node.needed == Verdict::Executed || node.found.all_there) {
                    *there = There::ALL;
                } else if asked && !there.layer {
                    (there.layer, there.certain) = (true, false);
                }
            });
        }
    }

    /// Behind a build that passed, on a cache that loses nothing: whoever made a layer had what its
    /// key stands on, so where the layer is there, that is too (cache keys 8 leaves it open for a refused build).
    pub fn settle(&mut self, used: &Used<'_>) {
        let mut there = vec![false; used.nodes.len()];
        for (i, node) in used.nodes.iter().enumerate().rev() {
            if !there[i] && node.needed != Verdict::Executed {
                continue;
            }
            self.change(node.record, |there| {
                (there.layer, there.certain) = (true, true);
            });
            let record = &mut self.records[node.record.at()];
            record.once = true;
            for b in &node.below {
                let below = used.nodes[*b].record;
                there[*b] |= record.key.parent == Some(below)
                    || record.key.slots.contains(&Slot::Record(below));
            }
        }
    }

    /// Takes back what a refused build seemed to store.
    pub fn withdraw(&mut self, id: RecordId, to: Afterwards) {
        if to == Afterwards::Gone {
            self.records[id.at()].once = false;
        }
        self.change(id, |there| match to {
            Afterwards::Gone => (there.known, there.layer) = (false, false),
            Afterwards::Unsure => there.certain = false,
        });
    }

    /// The cache is now these records and the keys that lead to them.
    pub fn replace(&mut self, kept: impl IntoIterator<Item = (RecordId, Keep)>) {
        let kept: Vec<(RecordId, Keep, bool)> = kept
            .into_iter()
            .map(|(id, keep)| (id, keep, self.has_layer(id)))
            .collect();
        let before = std::mem::take(&mut self.present);
        for id in before.into_iter().chain(kept.iter().map(|k| k.0)) {
            self.records[id.at()].listed = false;
            self.change(id, |there| (there.known, there.layer) = (false, false));
        }
        for (id, keep, layer) in &kept {
            self.change(*id, |there| {
                there.layer = *layer && *keep != Keep::Key;
                there.certain &= *keep == Keep::Layer;
            });
        }
        self.reach(kept.into_iter().map(|k| k.0).collect());
    }

    /// Adds a build's records to those that may go one by one.
    pub fn enlist(&mut self, used: &Used<'_>) {
        for node in used.nodes {
            let record = &mut self.records[node.record.at()];
            if !std::mem::replace(&mut record.listed, true) {
                self.present.push(node.record);
            }
        }
    }

    /// Marks the keys that lead to these records as known and lists them.
    fn reach(&mut self, mut open: Vec<RecordId>) {
        while let Some(id) = open.pop() {
            if self.change(id, |there| there.known = true).known {
                continue;
            }
            let record = &mut self.records[id.at()];
            record.listed = true;
            self.present.push(id);
            open.extend(record.below.iter().chain(&record.key.parent));
            open.extend(record.key.slots.iter().filter_map(|s| match s {
                Slot::Stage(id, _) | Slot::Record(id) => Some(*id),
                Slot::Known(_) | Slot::Unsure(_) | Slot::Placed(..) | Slot::Image(_) => None,
            }));
            open.extend(record.links.iter().flatten().copied());
        }
    }

    /// Whether the layer is, or may be, in the cache.
    #[must_use]
    pub fn has_layer(&self, id: RecordId) -> bool {
        self.records[id.at()].there.layer
    }

    /// Bytes of a record's own layer.
    #[must_use]
    pub fn bytes(&self, id: RecordId) -> u64 {
        self.records[id.at()].bytes
    }

    /// Layers of the list that may go, base images left out: they are the image store's.
    fn layers(&self) -> impl Iterator<Item = (RecordId, &Record)> {
        let listed = self.present.iter().map(|id| (*id, &self.records[id.at()]));
        listed.filter(|(_, r)| r.there.layer && !r.is_from)
    }

    /// Bytes of all layers.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.layers()
            .map(|l| l.1.bytes)
            .fold(0, u64::saturating_add)
    }

    /// Layers that no other layer stands on.
    #[must_use]
    pub fn unused_layers(&self) -> Vec<Candidate> {
        let mut below: FxHashSet<RecordId> = FxHashSet::default();
        for (_, record) in self.layers() {
            below.extend(&record.below);
        }
        self.layers()
            .filter(|(id, _)| !below.contains(id))
            .map(|(id, r)| Candidate {
                id,
                last_used: r.last_used,
                uses: r.uses,
            })
            .collect()
    }

    /// Deletes a layer; one made anew starts counting its uses anew.
    pub fn evict(&mut self, id: RecordId) {
        self.records[id.at()].uses = 0;
        self.change(id, |there| there.layer = false);
    }

    /// Drops keys that lead to no layer.
    pub fn forget_unreachable_keys(&mut self) {
        let mut layers = Vec::new();
        for id in std::mem::take(&mut self.present) {
            self.records[id.at()].listed = false;
            self.change(id, |there| there.known = false);
            if self.has_layer(id) {
                layers.push(id);
            }
        }
        self.reach(layers);
    }
}
