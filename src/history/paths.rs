//! Interned paths: each distinct path once, as a directory number and a name.
//!
//! Goes in: names as trees spell them. Comes out: dense [`PathId`]s in order of first appearance,
//! and full paths on demand. Cost: one hash of the name per look-up, about 30 bytes plus the name
//! per path. Invariant: ids depend on the order of insertion only, never on the hash.

use foldhash::quality::RandomState;
use std::hash::BuildHasher;

/// A path of the history, dense from 0 in order of first appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

impl PathId {
    /// The id as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A directory of the table; 0 is the root. Directories have no [`PathId`]: the same name may be a
/// file in one commit and a directory in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DirId(pub(super) u32);

pub(super) const ROOT: DirId = DirId(0);

/// The distinct paths of a change log.
#[derive(Clone, Debug, Default)]
pub struct PathTable {
    dirs: Names,
    files: Names,
}

impl PathTable {
    /// How many paths there are; ids are below this.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.nodes.len()
    }

    /// Whether there is no path.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.nodes.is_empty()
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = PathId> + use<> {
        (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).map(PathId)
    }

    /// The path, relative to the repository root, with `/`, as the bytes git stores.
    ///
    /// # Panics
    /// When the id is of another table.
    #[must_use]
    pub fn bytes(&self, id: PathId) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(id, &mut out);
        out
    }

    /// Like [`PathTable::bytes`], into a buffer that is cleared first.
    ///
    /// # Panics
    /// When the id is of another table.
    pub fn write(&self, id: PathId, out: &mut Vec<u8>) {
        let (mut dir, name) = self.files.get(id.0);
        let mut length = name.len();
        let mut up = dir;
        while up != 0 {
            let (parent, component) = self.dirs.get(up - 1);
            length += component.len() + 1;
            up = parent;
        }
        out.clear();
        out.resize(length, b'/');
        let mut end = length - name.len();
        out[end..].copy_from_slice(name);
        while dir != 0 {
            let (parent, component) = self.dirs.get(dir - 1);
            let start = end - 1 - component.len();
            out[start..end - 1].copy_from_slice(component);
            end = start;
            dir = parent;
        }
    }

    /// The id of a path, if any commit of the log has or had a file there.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<PathId> {
        let mut dir = ROOT.0;
        let mut components = path.split(|byte| *byte == b'/').peekable();
        while let Some(component) = components.next() {
            if components.peek().is_none() {
                return self.files.find(dir, component).map(PathId);
            }
            dir = self.dirs.find(dir, component)? + 1;
        }
        None
    }

    /// The id of a path, new where no commit has or had it.
    pub(super) fn insert(&mut self, path: &[u8]) -> PathId {
        let (dirs, name) = match path.iter().rposition(|b| *b == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], path),
        };
        let mut dir = ROOT;
        for component in dirs.split(|b| *b == b'/').filter(|c| !c.is_empty()) {
            dir = self.dir(dir, component);
        }
        self.file(dir, name)
    }

    /// Adds all paths of this table to another one, in an order that names each of them once; what each is there.
    pub(super) fn take_over(&self, order: &[PathId], to: &mut Self) -> Vec<PathId> {
        let mut dirs = vec![None; self.dirs.nodes.len() + 1];
        dirs[0] = Some(ROOT);
        let mut merge = Merge { from: self, dirs };
        let mut ids = vec![PathId(u32::MAX); self.len()];
        for id in order {
            ids[id.index()] = merge.add(*id, to);
        }
        ids
    }

    pub(super) fn dir(&mut self, parent: DirId, name: &[u8]) -> DirId {
        DirId(self.dirs.intern(parent.0, name) + 1)
    }

    pub(super) fn file(&mut self, dir: DirId, name: &[u8]) -> PathId {
        PathId(self.files.intern(dir.0, name))
    }
}

/// Takes paths of one table over into another.
struct Merge<'a> {
    from: &'a PathTable,
    dirs: Vec<Option<DirId>>,
}

impl Merge<'_> {
    fn add(&mut self, id: PathId, to: &mut PathTable) -> PathId {
        let (dir, name) = self.from.files.get(id.0);
        let dir = self.dir(dir, to);
        to.file(dir, name)
    }

    fn dir(&mut self, dir: u32, to: &mut PathTable) -> DirId {
        // Up to the nearest directory that is known, then down again.
        let mut unknown = Vec::new();
        let mut up = dir;
        let mut at = loop {
            if let Some(known) = self.dirs[up as usize] {
                break known;
            }
            unknown.push(up);
            up = self.from.dirs.get(up - 1).0;
        };
        while let Some(dir) = unknown.pop() {
            at = to.dir(at, self.from.dirs.get(dir - 1).1);
            self.dirs[dir as usize] = Some(at);
        }
        at
    }
}

/// (parent, name) pairs with dense ids: the names end to end, and an open-addressing index whose
/// hash is seeded per process, so that names made to collide do not help anybody.
#[derive(Clone, Debug, Default)]
struct Names {
    nodes: Vec<Node>,
    text: Vec<u8>,
    /// Id plus one; 0 is free. The length is a power of two, at most half full.
    slots: Vec<u32>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    hash: u32,
    start: usize,
    len: u32,
}

impl Names {
    fn get(&self, id: u32) -> (u32, &[u8]) {
        let node = self.nodes[id as usize];
        (node.parent, &self.text[node.start..][..node.len as usize])
    }

    fn hash(&self, parent: u32, name: &[u8]) -> u32 {
        // The upper half of the hash; the lower one is thrown away.
        (self.hasher.hash_one((parent, name)) >> 32) as u32
    }

    fn find(&self, parent: u32, name: &[u8]) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        self.probe(self.hash(parent, name), parent, name).ok()
    }

    /// The id, or the free slot where it belongs.
    fn probe(&self, hash: u32, parent: u32, name: &[u8]) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let Some(id) = self.slots[slot].checked_sub(1) else {
                return Err(slot);
            };
            if self.nodes[id as usize].hash == hash && self.get(id) == (parent, name) {
                return Ok(id);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn intern(&mut self, parent: u32, name: &[u8]) -> u32 {
        if self.slots.len() < (self.nodes.len() + 1) * 2 {
            self.grow();
        }
        let hash = self.hash(parent, name);
        match self.probe(hash, parent, name) {
            Ok(id) => id,
            Err(slot) => {
                let id = u32::try_from(self.nodes.len()).expect("fewer than 4 billion paths");
                self.nodes.push(Node {
                    parent,
                    hash,
                    start: self.text.len(),
                    len: u32::try_from(name.len()).expect("a name is shorter than its tree object"),
                });
                self.text.extend_from_slice(name);
                self.slots[slot] = id + 1;
                id
            }
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        self.slots.clear();
        self.slots.resize(size, 0);
        for (id, node) in self.nodes.iter().enumerate() {
            let mut slot = node.hash as usize & (size - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = u32::try_from(id + 1).expect("fewer than 4 billion paths");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(table: &mut PathTable, path: &str) -> PathId {
        table.insert(path.as_bytes())
    }

    #[test]
    fn paths_come_back_and_ids_are_dense() {
        let mut table = PathTable::default();
        let paths: Vec<String> = (0..500)
            .map(|i| format!("d{}/e{}/f{}", i % 7, i % 3, i))
            .chain(["a".into(), "a/a".into(), "a/a/a".into()])
            .collect();
        for (i, path) in paths.iter().enumerate() {
            assert_eq!(insert(&mut table, path).index(), i);
        }
        for (i, path) in paths.iter().enumerate() {
            assert_eq!(insert(&mut table, path).index(), i);
            let id = table.get(path.as_bytes()).expect("was inserted");
            assert_eq!(id.index(), i);
            assert_eq!(table.bytes(id), path.as_bytes());
        }
        assert_eq!(table.len(), paths.len());
        assert_eq!(table.get(b"d1"), None);
        assert_eq!(table.get(b"a/b"), None);
        assert_eq!(table.get(b""), None);
    }

    #[test]
    fn merging_pieces_equals_one_pass() {
        let words = ["x", "a/x", "a/b/x", "x", "b/x", "a/x", "c/d/e", "a/y"];
        for cut in 0..=words.len() {
            let mut whole = PathTable::default();
            let expected: Vec<_> = words.iter().map(|w| insert(&mut whole, w)).collect();
            let mut merged = PathTable::default();
            let mut ids = Vec::new();
            for piece in [&words[..cut], &words[cut..]] {
                let mut table = PathTable::default();
                // The order inside a piece does not matter.
                let local: Vec<_> = piece.iter().rev().map(|w| insert(&mut table, w)).collect();
                let mut order: Vec<PathId> = Vec::new();
                let by_age = local.iter().rev();
                by_age.for_each(|id| match order.contains(id) {
                    true => {}
                    false => order.push(*id),
                });
                let map = table.take_over(&order, &mut merged);
                ids.extend(local.iter().rev().map(|id| map[id.index()]));
            }
            assert_eq!(ids, expected);
            assert_eq!(merged.len(), whole.len());
            for id in whole.ids() {
                assert_eq!(whole.bytes(id), merged.bytes(id));
            }
        }
    }
}
