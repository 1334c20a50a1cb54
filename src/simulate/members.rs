//! The digest of what one source selects, grown and shrunk file by file.
//!
//! Goes in: members with their path below the source. Comes out: a number that is equal exactly when
//! the builder's content digest would be (cache keys 4.2, 4.3), for files of the context and for files
//! of a stage alike: the two may share a key (experiments row 77b). Costs one hash a member.

use crate::history::{Entry, EntryKind};
use crate::pattern::{DirState, ExcludeRules, SourceKind, SourcePattern};
use crate::plan::ContentRule;
use std::collections::BTreeMap;

/// Who a file belongs to and what may be done with it, where that is not what a copy from the context gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Header {
    /// Permission bits, or a symbolic change of them.
    pub mode: String,
    /// `uid:gid`, or names that only the image's own files can tell.
    pub owner: String,
}

/// What a member adds to its source's digest.
#[derive(Clone, Copy)]
pub(super) enum Term<'a> {
    /// A file or link as the context has it.
    File(Entry),
    /// A folder as the context has it.
    Dir,
    /// A file or link with a header of its own.
    Marked(Entry, &'a Header),
    /// A folder with a header of its own.
    MarkedDir(&'a Header),
}

impl Term<'_> {
    /// Only a work tree has folders that no file implies.
    pub fn of(entry: Entry) -> Self {
        match entry.kind {
            EntryKind::Folder => Self::Dir,
            _ => Self::File(entry),
        }
    }
}

/// The members of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// Sum of the members' terms: order-free, so a change costs O(1).
    sum: u128,
    /// How many there are.
    pub count: u32,
    /// Members by path, where the builder hashes a sorted list of base names.
    list: Option<BTreeMap<Vec<u8>, u128>>,
    /// `--exclude=*` and the like: the digest of a file given as the source does not see its content,
    /// though the file is copied (seen on BuildKit 0.25).
    hides_itself: bool,
    /// Paths count from behind this part on, not base names alone (BuildKit 0.32).
    fixed: Option<Vec<u8>>,
}

impl Members {
    /// No members yet of a source under these excludes.
    pub fn new(pattern: &SourcePattern, exclude: Option<&ExcludeRules>, rule: ContentRule) -> Self {
        let (wild, fixed) = match pattern.kind() {
            SourceKind::Wildcard { prefix_dir } => (true, prefix_dir),
            _ => (false, pattern.cleaned()),
        };
        Self {
            list: (wild || exclude.is_some()).then(BTreeMap::new),
            hides_itself: exclude.is_some_and(|e| e.test(&DirState::root(), b"").ignored),
            fixed: (rule == ContentRule::Relative).then(|| fixed.as_bytes().to_vec()),
            ..Self::default()
        }
    }

    /// The same source without its members.
    pub fn emptied(&self) -> Self {
        Self {
            sum: 0,
            count: 0,
            list: self.list.as_ref().map(|_| BTreeMap::new()),
            hides_itself: self.hides_itself,
            fixed: self.fixed.clone(),
        }
    }

    /// Whether the builder hashes a list, in which every folder has a place.
    pub fn is_list(&self) -> bool {
        self.list.is_some()
    }

    /// Adds or removes a member: `name` in full, `relative` below what the source names.
    pub fn apply(&mut self, name: &[u8], relative: &[u8], term: Term<'_>, add: bool) {
        let value = self.value(name, relative, term);
        self.put(name, value, add);
    }

    /// The name that a member counts by, and whether its content does not count.
    fn named<'n>(&self, name: &'n [u8], relative: &'n [u8]) -> (&'n [u8], bool) {
        // BuildKit 0.25 hashes base names in the filtered form (experiments row 23).
        let named = match (&self.list, &self.fixed) {
            (Some(_), Some(fixed)) => name.strip_prefix(&fixed[..]).unwrap_or(name),
            (Some(_), None) => name.rsplit(|b| *b == b'/').next().unwrap_or(name),
            (None, _) => relative.strip_prefix(b"/").unwrap_or(relative),
        };
        (named, self.hides_itself && relative.is_empty())
    }

    /// What a member counts as; depends on the source, not on its other members.
    pub fn value(&self, name: &[u8], relative: &[u8], term: Term<'_>) -> u128 {
        let (named, hidden) = self.named(name, relative);
        match term {
            Term::File(_) | Term::Marked(..) if hidden => hash(&[b"hidden"]),
            Term::File(e) => file(named, e),
            Term::Dir => hash(&[b"dir", named]),
            Term::Marked(e, h) => {
                // The mode replaces the kind's own, so that both kinds of file are one.
                let kind: &[u8] = if e.kind == EntryKind::Symlink {
                    b"l"
                } else {
                    b"m"
                };
                let (mode, owner) = (h.mode.as_bytes(), h.owner.as_bytes());
                hash(&[b"file", named, kind, &e.oid, mode, owner])
            }
            Term::MarkedDir(h) => hash(&[b"dir", named, h.mode.as_bytes(), h.owner.as_bytes()]),
        }
    }

    /// Adds or removes a member of this value.
    pub fn put(&mut self, name: &[u8], value: u128, add: bool) {
        if add {
            self.sum = self.sum.wrapping_add(value);
            self.count += 1;
        } else {
            self.sum = self.sum.wrapping_sub(value);
            self.count = self.count.saturating_sub(1);
        }
        if let Some(list) = &mut self.list {
            if add {
                list.insert(name.to_vec(), value);
            } else {
                list.remove(name);
            }
        }
    }

    /// The digest of all of them.
    pub fn digest(&self) -> u128 {
        match &self.list {
            None => self.sum,
            Some(list) => {
                let bytes: Vec<[u8; 16]> = list.values().map(|v| v.to_le_bytes()).collect();
                let slices: Vec<&[u8]> = bytes.iter().map(<[u8; 16]>::as_slice).collect();
                hash(&slices)
            }
        }
    }
}

/// Digests of several sources as one, joined in descending order of their paths (cache keys 3.2).
pub(super) fn joined(mut parts: Vec<(String, u128)>) -> u128 {
    parts.sort_by(|a, b| b.0.cmp(&a.0));
    let bytes: Vec<[u8; 16]> = parts.iter().map(|(_, d)| d.to_le_bytes()).collect();
    let slices: Vec<&[u8]> = bytes.iter().map(<[u8; 16]>::as_slice).collect();
    hash(&slices)
}

/// What files of one path and content count as in sources that name them in the same way; it is worked out once.
#[derive(Default)]
pub(super) struct Shared<'n> {
    last: Option<(&'n [u8], Entry, u128)>,
}

impl<'n> Shared<'n> {
    /// As [`Members::value`] of a file.
    pub fn value(&mut self, of: &Members, name: &'n [u8], relative: &'n [u8], e: Entry) -> u128 {
        let (named, hidden) = of.named(name, relative);
        match (self.last, Term::of(e)) {
            (Some((n, known, value)), Term::File(_)) if !hidden && n == named && known == e => {
                value
            }
            (_, Term::File(_)) if !hidden => {
                let value = file(named, e);
                self.last = Some((named, e, value));
                value
            }
            (_, term) => of.value(name, relative, term),
        }
    }
}

/// A file as a member: no other hash begins with such a byte, and all but the name has a fixed length, so that most
/// fit into one block.
fn file(named: &[u8], e: Entry) -> u128 {
    let mut short = [0_u8; 256];
    let length = 1 + e.oid.len() + named.len();
    let Some(all) = short.get_mut(..length) else {
        return hash(&[b"file", named, &[kind_byte(e.kind)], &e.oid]);
    };
    all[0] = 0x80 | kind_byte(e.kind);
    all[1..=e.oid.len()].copy_from_slice(&e.oid);
    all[1 + e.oid.len()..].copy_from_slice(named);
    half(&blake3::hash(all))
}

fn half(digest: &blake3::Hash) -> u128 {
    let mut half = [0u8; 16];
    half.copy_from_slice(&digest.as_bytes()[..16]);
    u128::from_le_bytes(half)
}

fn kind_byte(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::File => b'f',
        EntryKind::Executable => b'x',
        EntryKind::Symlink => b'l',
        EntryKind::Submodule => b's',
        EntryKind::Folder => b'd',
    }
}

/// 128 bits of blake3 over length-prefixed parts.
pub(super) fn hash(parts: &[&[u8]]) -> u128 {
    // Most are a path and an id: in one piece they take half the time.
    let mut short = [0_u8; 256];
    let digest = match joined_in(&mut short, parts) {
        Some(all) => blake3::hash(all),
        None => {
            let mut hasher = blake3::Hasher::new();
            for part in parts {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
            hasher.finalize()
        }
    };
    half(&digest)
}

/// The parts with their lengths before them, where there is room.
fn joined_in<'b>(room: &'b mut [u8], parts: &[&[u8]]) -> Option<&'b [u8]> {
    let mut at = 0;
    for part in parts {
        for bytes in [&(part.len() as u64).to_le_bytes()[..], part] {
            room.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
            at += bytes.len();
        }
    }
    Some(&room[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_does_not_depend_on_the_way_it_is_made() {
        for length in [0, 1, 200, 231, 232, 233, 240, 300, 5000] {
            let long = vec![7; length];
            let mut whole = Vec::new();
            for part in [&b"file"[..], &long, b""] {
                whole.extend((part.len() as u64).to_le_bytes());
                whole.extend(part);
            }
            let expected = blake3::hash(&whole);
            let digest = hash(&[b"file", &long, b""]);
            assert_eq!(digest.to_le_bytes(), expected.as_bytes()[..16]);
        }
    }
}
