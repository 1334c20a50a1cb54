//! Which results may be one and the same, in groups.
//!
//! Goes in: keys, one after another. Comes out: the class of each, and what is known of all members of a class and of
//! the classes that it may equal. Two keys whose known parts are the same are of one class: what sets them apart is only
//! what nobody knows. Classes of one definition may equal each other where one knows what the other does not. Costs a
//! look-up per key, and for a new class one more per shape and ground; shapes beyond
//! [`MOST_SHAPES`] share one list that is gone through.
//! Invariant: `may_equal` is what comparing the keys part by part would say.

use super::store::{Key, Slot};
use fixedbitset::FixedBitSet;
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher as _;

/// A class of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(u32);

impl ClassId {
    fn at(self) -> usize {
        self.0 as usize
    }
}

/// What is known of one input of every member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Known(u128),
    Anything,
    /// Files of an image, which no known files are.
    Image,
    Result(ClassId),
}

impl Part {
    fn kind(self) -> u8 {
        match self {
            Self::Known(_) => 0,
            Self::Anything => 1,
            Self::Image => 2,
            Self::Result(_) => 3,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Signature {
    definition: u128,
    parent: Option<ClassId>,
    parts: Vec<Part>,
}

/// How many members are there, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Their key is in the cache.
    pub known: usize,
    /// So is their layer, perhaps.
    pub layer: usize,
    /// So is their layer, for certain.
    pub certain: usize,
}

impl Counts {
    /// The counts of one record.
    pub fn of(known: bool, layer: bool, certain: bool) -> Self {
        let count = usize::from;
        Self {
            known: count(known),
            layer: count(known && layer),
            certain: count(known && layer && certain),
        }
    }
}

#[derive(Clone, Debug)]
struct Class {
    signature: Signature,
    /// Classes of the results whose files known members were made from, and how often.
    made_from: FxHashMap<ClassId, usize>,
}

/// The kind of every part; without any, all that found no room in the list of shapes.
type Shape = Vec<u8>;

/// Shapes of one definition that have an index of their own for each other.
const MOST_SHAPES: usize = 32;

/// The parts that have to be equal, or to be results that may equal each other.
type Values = Box<[Part]>;

/// Classes of one definition and shape whose values are equal.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Each with its parent, in order.
    all: Vec<(ClassId, Option<ClassId>)>,
    by_parent: FxHashMap<Option<ClassId>, Vec<ClassId>>,
}

/// Members of a group that are looked at in the time of one look-up by a parent.
const LOOKED_AT: usize = 16;

impl Group {
    fn add(&mut self, id: ClassId, parent: Option<ClassId>) {
        self.all.push((id, parent));
        self.by_parent.entry(parent).or_default().push(id);
    }

    /// Adds those whose parent is one of some, which are marked; in order where all are looked at.
    fn below(&self, grounds: &[Option<ClassId>], marked: &FixedBitSet, out: &mut Vec<ClassId>) {
        if grounds.len() * LOOKED_AT < self.all.len() {
            let lists = grounds.iter().filter_map(|g| self.by_parent.get(g));
            out.extend(lists.flatten());
            return;
        }
        let is_in = |parent: &Option<ClassId>| match parent {
            Some(p) => marked.contains(p.at()),
            None => grounds.contains(&None),
        };
        let found = self.all.iter().filter(|(_, parent)| is_in(parent));
        out.extend(found.map(|(id, _)| *id));
    }
}

/// The classes of one definition.
#[derive(Clone, Debug, Default)]
struct Siblings {
    shapes: Vec<Shape>,
    /// Classes by shape, in order.
    classes: Vec<Vec<ClassId>>,
    /// `by_values[a][b]`: classes of shape `a` by what has to be equal in one of shape `b`.
    by_values: Vec<Vec<FxHashMap<Values, Group>>>,
}

impl Siblings {
    /// The number of a shape, and whether it is new.
    fn shape(&mut self, parts: &[Part]) -> (usize, bool) {
        let is = |s: &Shape| s.iter().copied().eq(parts.iter().map(|p| p.kind()));
        if let Some(known) = self.shapes.iter().position(is) {
            return (known, false);
        }
        let mut new: Shape = parts.iter().map(|p| p.kind()).collect();
        if self.shapes.len() >= MOST_SHAPES {
            new.clear();
            if let Some(rest) = self.shapes.iter().position(Vec::is_empty) {
                return (rest, false);
            }
        }
        self.shapes.push(new);
        self.classes.push(Vec::new());
        for row in &mut self.by_values {
            row.push(FxHashMap::default());
        }
        let columns = self.shapes.len();
        self.by_values.push(vec![FxHashMap::default(); columns]);
        (self.shapes.len() - 1, true)
    }
}

/// All classes.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    classes: Vec<Class>,
    /// By class, other classes that may equal it, ascending. Many are gone through at once, as are the counts.
    near: Vec<Vec<ClassId>>,
    counts: Vec<Counts>,
    /// Classes by their signatures, which stand in them.
    by_signature: HashTable<ClassId>,
    siblings: FxHashMap<u128, Siblings>,
    /// Classes, for a moment; none are left in it.
    marked: FixedBitSet,
}

impl Classes {
    /// The class of a key; `of` gives that of a record.
    pub fn of(&mut self, key: &Key, of: impl Fn(super::store::RecordId) -> ClassId) -> ClassId {
        let part = |slot: &Slot| match slot {
            Slot::Known(n) | Slot::Placed(n, _) => Part::Known(*n),
            Slot::Unsure(_) | Slot::Stage(..) => Part::Anything,
            Slot::Image(_) => Part::Image,
            Slot::Record(id) => Part::Result(of(*id)),
        };
        let signature = Signature {
            definition: key.definition,
            parent: key.parent.map(&of),
            parts: key.slots.iter().map(part).collect(),
        };
        let hash = FxBuildHasher.hash_one(&signature);
        let is = |id: &ClassId| self.class(*id).signature == signature;
        if let Some(known) = self.by_signature.find(hash, is) {
            return *known;
        }
        let id = ClassId(u32::try_from(self.classes.len()).unwrap_or(u32::MAX));
        let mut siblings = self
            .siblings
            .remove(&signature.definition)
            .unwrap_or_default();
        let (shape, is_new) = siblings.shape(&signature.parts);
        if is_new {
            // What there is gets an index for those of the new shape.
            for (of, classes) in siblings.classes.iter().enumerate() {
                for c in classes {
                    let shapes = [of, shape].map(|s| &siblings.shapes[s]);
                    let signature = &self.class(*c).signature;
                    let index = &mut siblings.by_values[of][shape];
                    let group = index.entry(common(signature, shapes)).or_default();
                    group.add(*c, signature.parent);
                }
            }
        }
        let near = self.near(&signature, shape, &siblings);
        for n in &near {
            // It is the newest, so the list stays in order.
            self.near[n.at()].push(id);
        }
        siblings.classes[shape].push(id);
        for (other, index) in siblings.by_values[shape].iter_mut().enumerate() {
            let values = common(&signature, [shape, other].map(|s| &siblings.shapes[s]));
            index.entry(values).or_default().add(id, signature.parent);
        }
        self.siblings.insert(signature.definition, siblings);
        self.near.push(near);
        self.counts.push(Counts::default());
        self.classes.push(Class {
            signature,
            made_from: FxHashMap::default(),
        });
        let classes = &self.classes;
        let again = |id: &ClassId| FxBuildHasher.hash_one(&classes[id.at()].signature);
        self.by_signature.insert_unique(hash, id, again);
        id
    }

    /// The classes so far that a new one may equal.
    fn near(&mut self, new: &Signature, shape: usize, siblings: &Siblings) -> Vec<ClassId> {
        let mut out = Vec::new();
        let others = new.parent.iter().flat_map(|p| &self.near[p.at()]);
        let grounds = std::iter::once(new.parent).chain(others.map(|p| Some(*p)));
        let grounds: Vec<Option<ClassId>> = grounds.collect();
        let mut marked = std::mem::take(&mut self.marked);
        marked.grow(self.classes.len());
        let places = || grounds.iter().flatten().map(|g| g.at());
        places().for_each(|at| marked.insert(at));
        for (other, row) in siblings.by_values.iter().enumerate() {
            let shapes = [shape, other].map(|s| &siblings.shapes[s]);
            // Until there are many, no shape stands for others.
            let apart = siblings.shapes.len() < MOST_SHAPES;
            let decided = is_decided_by_values(shapes, apart);
            if decided == Some(false) {
                continue;
            }
            let first = out.len();
            for values in self.alternatives(common(new, shapes)) {
                if let Some(group) = row[shape].get(&values) {
                    group.below(&grounds, &marked, &mut out);
                }
            }
            if decided.is_none() {
                let fits = |c: &ClassId| self.unify(&new.parts, &self.class(*c).signature.parts);
                let fitting: Vec<ClassId> = out.drain(first..).filter(fits).collect();
                out.extend(fitting);
            }
        }
        places().for_each(|at| marked.remove(at));
        self.marked = marked;
        if !out.is_sorted() {
            out.sort_unstable();
        }
        out.dedup();
        out
    }

    /// The values that may be the same as these: with other results in the places of those that they may equal.
    fn alternatives(&self, values: Values) -> Vec<Values> {
        let mut out = vec![values];
        for at in 0..out[0].len() {
            let Part::Result(result) = out[0][at] else {
                continue;
            };
            for n in &self.near[result.at()] {
                for i in 0..out.len() {
                    // Those that have the result itself there are behind each other.
                    if out[i][at] == Part::Result(result) {
                        let mut other = out[i].clone();
                        other[at] = Part::Result(*n);
                        out.push(other);
                    }
                }
            }
        }
        out
    }

    /// Unknown files may equal anything but results as a whole; known content only itself.
    fn unify(&self, a: &[Part], b: &[Part]) -> bool {
        let pair = |(a, b): (&Part, &Part)| match (a, b) {
            (Part::Known(a), Part::Known(b)) => a == b,
            (Part::Image, Part::Known(_)) | (Part::Known(_), Part::Image) => false,
            (Part::Result(a), Part::Result(b)) => self.may_equal(*a, *b),
            (Part::Result(_), _) | (_, Part::Result(_)) => false,
            _ => true,
        };
        a.len() == b.len() && a.iter().zip(b).all(pair)
    }

    fn class(&self, id: ClassId) -> &Class {
        &self.classes[id.at()]
    }

    /// Whether members of the two may be the same result.
    pub fn may_equal(&self, a: ClassId, b: ClassId) -> bool {
        a == b || self.near[a.at()].binary_search(&b).is_ok()
    }

    fn with_near(&self, id: ClassId) -> impl Iterator<Item = ClassId> {
        std::iter::once(id).chain(self.near[id.at()].iter().copied())
    }

    /// All members of a class and of those that it may equal.
    pub fn counts(&self, id: ClassId) -> Counts {
        let all = self.with_near(id).map(|c| self.counts[c.at()]);
        all.fold(Counts::default(), |sum, c| Counts {
            known: sum.known + c.known,
            layer: sum.layer + c.layer,
            certain: sum.certain + c.certain,
        })
    }

    /// A member changes.
    pub fn change(&mut self, id: ClassId, from: Counts, to: Counts) {
        let counts = &mut self.counts[id.at()];
        counts.known = counts.known - from.known + to.known;
        counts.layer = counts.layer - from.layer + to.layer;
        counts.certain = counts.certain - from.certain + to.certain;
    }

    /// A known member was made from files of a result of that class, or it is known no more.
    pub fn made_from(&mut self, id: ClassId, source: ClassId, known: bool) {
        let from = &mut self.classes[id.at()].made_from;
        let count = from.entry(source).or_default();
        if known {
            *count += 1;
        } else {
            *count = count.saturating_sub(1);
        }
        if *count == 0 {
            from.remove(&source);
        }
    }

    /// Whether something that a member may be was made from something that the source may be.
    pub fn may_be_made_from(&self, id: ClassId, source: ClassId) -> bool {
        let near = &self.near[source.at()];
        self.with_near(id).any(|c| {
            let from = &self.class(c).made_from;
            from.contains_key(&source) || near.iter().any(|n| from.contains_key(n))
        })
    }
}

/// Whether classes of two shapes may equal each other if what both know is equal, results up to those that they may equal;
/// `None` where each pair has to be compared.
/// `apart`: no shape stands for all that found no room.
fn is_decided_by_values([a, b]: [&Shape; 2], apart: bool) -> Option<bool> {
    if !apart && (a.is_empty() || b.is_empty()) {
        return None;
    }
    if a.len() != b.len() {
        return Some(false);
    }
    let [known, image, result] =
        [Part::Known(0), Part::Image, Part::Result(ClassId(0))].map(Part::kind);
    let differ = |(a, b): (&u8, &u8)| {
        let image_and_file = (*a, *b) == (known, image) || (*a, *b) == (image, known);
        image_and_file || (*a == result) != (*b == result)
    };
    Some(!a.iter().zip(b).any(differ))
}

/// What has to be equal in classes of two shapes that may equal each other beside their parents: what both know.
fn common(signature: &Signature, shapes: [&Shape; 2]) -> Values {
    let strict = |kind: u8| kind != Part::Anything.kind();
    let kinds = shapes[0].iter().zip(shapes[1]);
    let parts = signature.parts.iter().zip(kinds);
    let parts = parts.filter(|(_, (a, b))| strict(**a) && strict(**b));
    parts.map(|(part, _)| *part).collect()
}

#[cfg(test)]
mod tests {
    use super::super::store::RecordId;
    use super::*;
    use proptest::prelude::*;

    /// The rule, part by part.
    fn brute(keys: &[Key], a: usize, b: usize) -> bool {
        let (x, y) = (&keys[a], &keys[b]);
        let same = |a: RecordId, b: RecordId| brute(keys, a.0 as usize, b.0 as usize);
        let parents = match (x.parent, y.parent) {
            (None, None) => true,
            (Some(a), Some(b)) => same(a, b),
            _ => false,
        };
        let slot = |(a, b): (&Slot, &Slot)| match (a, b) {
            (Slot::Known(a) | Slot::Placed(a, _), Slot::Known(b) | Slot::Placed(b, _)) => a == b,
            (Slot::Image(_), Slot::Known(_) | Slot::Placed(..)) => false,
            (Slot::Known(_) | Slot::Placed(..), Slot::Image(_)) => false,
            (Slot::Record(a), Slot::Record(b)) => same(*a, *b),
            (Slot::Record(_), _) | (_, Slot::Record(_)) => false,
            _ => true,
        };
        a == b
            || x.definition == y.definition
                && parents
                && x.slots.len() == y.slots.len()
                && x.slots.iter().zip(&y.slots).all(slot)
    }

    /// Definition, parent, and kind and number of every slot.
    type Raw = (u8, u8, Vec<(u8, u8)>);

    /// Few keys of up to two slots, or many of up to four and so of more shapes than have an index.
    fn keys() -> impl Strategy<Value = Vec<Raw>> {
        let many = |slots: usize, keys: usize| {
            let slot = (0..7u8, 0..3u8);
            let key = (0..2u8, 0..6u8, proptest::collection::vec(slot, 0..=slots));
            proptest::collection::vec(key, 1..keys)
        };
        prop_oneof![5 => many(2, 14), 1 => many(4, 120)]
    }

    proptest! {
        #[test]
        fn classes_say_what_comparing_keys_says(raw in keys()) {
            let mut keys: Vec<Key> = Vec::new();
            let (mut classes, mut of): (Classes, Vec<ClassId>) = Default::default();
            for (definition, parent, slots) in raw {
                let earlier = |n: u8| (!keys.is_empty()).then(|| RecordId(u32::from(n) % keys.len() as u32));
                let slot = |(kind, n): &(u8, u8)| match kind {
                    0 | 1 => Slot::Known(u128::from(*n)),
                    2 => Slot::Unsure(u128::from(*n)),
                    3 => Slot::Placed(u128::from(*n), u128::from(*kind)),
                    4 => earlier(*n).map_or(Slot::Known(0), |id| Slot::Stage(id, 0)),
                    5 => Slot::Image(u128::from(*n)),
                    _ => earlier(*n).map_or(Slot::Known(0), Slot::Record),
                };
                let key = Key {
                    definition: u128::from(definition),
                    parent: if parent < 2 { None } else { earlier(parent) },
                    slots: slots.iter().map(slot).collect(),
                };
                of.push(classes.of(&key, |id| of[id.0 as usize]));
                keys.push(key);
            }
            for a in 0..keys.len() {
                for b in 0..keys.len() {
                    prop_assert_eq!(classes.may_equal(of[a], of[b]), brute(&keys, a, b), "{:?} {:?}", &keys[a], &keys[b]);
                }
            }
        }
    }
}
