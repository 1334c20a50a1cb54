//! A file that a step makes of others: a number that is equal where those are.
//!
//! Goes in: the files that the step finds, and what of them it looks at. Comes out: the files it leaves, of which only the
//! one it made is known. One pass over the files. Invariant: where anything that the step may look at is not known, neither
//! is what it made. That equal files give an equal result rests on what the tool is said to depend on (`docs/limits.md`).

use super::inputs::Engine;
use super::members::{Header, hash};
use super::program::Derive;
use super::stage_tree::{Node, Tree};
use crate::history::{Entry, EntryKind, Oid};

impl Engine<'_> {
    /// What such a step leaves. `settled`: all files since those of [`Derive::below`] could be followed.
    pub(super) fn derive(&mut self, tree: &mut Tree, derive: &Derive, settled: bool) {
        let made = settled.then(|| self.made(tree, derive)).flatten();
        tree.forget();
        if let Some(oid) = made {
            self.derived.insert(oid);
            let entry = Entry {
                kind: EntryKind::File,
                oid,
            };
            // Who owns it and may read it depends on the step alone.
            let by_step = format!("as {:x} left it", derive.id);
            let header = Header {
                mode: by_step.clone(),
                owner: by_step,
            };
            tree.put(&derive.derived.output, Node::File(entry, Some(header)));
        }
    }

    fn made(&self, tree: &Tree, derive: &Derive) -> Option<Oid> {
        let is_file = |p: &String| {
            let plain = |e: &Entry| matches!(e.kind, EntryKind::File | EntryKind::Executable);
            matches!(tree.at(p), Some(Node::File(e, _)) if plain(e))
        };
        if !derive.derived.requires.iter().all(is_file) {
            return None;
        }
        let mut text: Vec<u8> = derive.id.to_le_bytes().to_vec();
        for selection in &derive.below {
            let column = self.out.selections.iter().position(|s| s == selection)?;
            let version = self.out.version[column].last()?;
            text.extend(version.to_le_bytes());
        }
        let output = derive.derived.output.trim_start_matches('/').as_bytes();
        for (path, node) in tree.known() {
            let told = match node {
                Node::Dir(_) if path == output => return None,
                Node::Dir(_) => continue,
                Node::Image(id) => id.to_le_bytes().to_vec(),
                Node::File(entry, header) => {
                    let plain = matches!(entry.kind, EntryKind::File | EntryKind::Executable);
                    let content = ends_with_any(path, derive.derived.content, b"/");
                    // What a link says is not what it leads to, nor what lies behind it under such a name.
                    let is_link = entry.kind == EntryKind::Symlink;
                    let hides = content || is_link && derive.derived.may_be(path);
                    if !plain && (path == output || hides) {
                        return None;
                    }
                    if content || !plain || path == output {
                        format!("{:?} {header:?}", entry).into_bytes()
                    } else if ends_with_any(path, derive.derived.names, b"") {
                        Vec::new()
                    } else {
                        continue;
                    }
                }
            };
            for part in [path, &told] {
                text.extend((part.len() as u64).to_le_bytes());
                text.extend(part);
            }
        }
        let mut oid = Oid::default();
        for (to, from) in oid.iter_mut().zip(hash(&[b"made", &text]).to_le_bytes()) {
            *to = from;
        }
        Some(oid)
    }
}

/// Whether a path is one of these, or ends with one of them behind this.
fn ends_with_any(path: &[u8], ends: &[&str], behind: &[u8]) -> bool {
    ends.iter().any(|end| {
        path == end.as_bytes()
            || path
                .strip_suffix(end.as_bytes())
                .is_some_and(|rest| rest.ends_with(behind))
    })
}
