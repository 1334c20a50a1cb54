//! `find` that takes files away, held against the files that are known.
//!
//! Goes in: rules. Comes out: the files without what they take away, or false and nothing is done. Costs a pass over what
//! lies below the start. Invariant: what a rule asks and the tree can't tell is never guessed. Rules are those of GNU find
//! and BusyBox (`-delete` looks at what is below first, and can't take away its own start when that is `.`).

use super::repository::Repository;
use super::{IMAGE, Node, Tree, in_every_image, inside, join, rest};
use crate::footprint::{Action, Pruning, What};
use crate::history::{EntryKind, Oid};
use crate::simulate::links::prefixes;
use crate::simulate::members::hash;

/// Git's name of a file with nothing in it.
const EMPTY: Oid = [
    0xe6, 0x9d, 0xe2, 0x9b, 0xb2, 0xd1, 0xd6, 0x43, 0x4b, 0x8b, 0x29, 0xae, 0x77, 0x5a, 0xd8, 0xc2,
    0xe4, 0x8c, 0x53, 0x91,
];

impl Tree {
    /// Takes away what a `find` does; false where that can't be told, or where it would fail.
    #[must_use]
    pub fn prune(&mut self, pruning: &Pruning) -> bool {
        let folder = inside(&pruning.folder).to_vec();
        let is_file = |p: &[u8]| matches!(self.nodes.get(p), Some(Node::File(..)));
        if prefixes(&folder).any(is_file) || self.unknown_below(&folder) {
            return false;
        }
        let images = self.images_at(&folder);
        // A folder is empty only where the image has nothing there.
        let may_be_full = !images.is_empty() && (folder.is_empty() || in_every_image(&folder));
        if may_be_full && pruning.test.asks_for_emptiness() {
            return false;
        }
        let own = join(&folder, IMAGE);
        let listed: Vec<Vec<u8>> = self
            .below(&folder)
            .map(|(p, _)| p.clone())
            .filter(|p| *p != own)
            .collect();
        if listed.iter().any(|p| p.ends_with(IMAGE)) {
            return false;
        }
        let repositories = listed.iter().filter_map(|p| {
            let node = self.nodes.get(p)?;
            Repository::of(pruning, &folder, p, node)
        });
        let Ok(repositories) = repositories.collect::<Result<Vec<_>, ()>>() else {
            return false;
        };
        let mut after = self.clone();
        for path in listed.iter().rev() {
            match after.found(pruning, &folder, path) {
                Some(false) => {}
                Some(true) if after.take_away(pruning.action, &folder, path) => {}
                _ => return false,
            }
        }
        for repository in &repositories {
            let is_there = after.below(repository.place()).next().is_some();
            if let Some(folders) = repository.folders().filter(|_| is_there) {
                after.nodes.extend(folders);
            }
        }
        if !images.is_empty() {
            // What the image has there goes by the same rules.
            let parts: Vec<u8> = images.iter().flat_map(|p| p.to_le_bytes()).collect();
            let id = hash(&[format!("{pruning:?}").as_bytes(), &parts]);
            after.nodes.insert(own, Node::Image(id));
        }
        *self = after;
        true
    }

    /// Whether the rules find this path; `None` where that is not known.
    fn found(&self, pruning: &Pruning, folder: &[u8], path: &[u8]) -> Option<bool> {
        let Some(node) = self.nodes.get(path) else {
            // It went with a folder above it.
            return Some(false);
        };
        let below = rest(path, folder);
        let depth = match below.is_empty() {
            true => 0,
            false => 1 + below.iter().filter(|b| **b == b'/').count(),
        };
        if depth < pruning.depth.0 || depth > pruning.depth.1 {
            return Some(false);
        }
        let is_empty = || match node {
            Node::Dir(_) => Some(!self.below(path).any(|(p, _)| p.len() > path.len())),
            // Nobody has looked into it.
            _ => None,
        };
        pruning
            .test
            .holds(&pruning.path_of(below), what(node), &is_empty)
    }

    /// False where it would fail.
    fn take_away(&mut self, action: Action, folder: &[u8], path: &[u8]) -> bool {
        if path == folder {
            return false;
        }
        if action == Action::Empty {
            return match self.nodes.get_mut(path) {
                Some(Node::File(e, _))
                    if matches!(e.kind, EntryKind::File | EntryKind::Executable) =>
                {
                    e.oid = EMPTY;
                    true
                }
                // A link leads to what may be anywhere.
                _ => false,
            };
        }
        let inner: Vec<Vec<u8>> = self.below(path).map(|(p, _)| p.clone()).collect();
        let is_folder = !matches!(self.nodes.get(path), Some(Node::File(..)));
        let fails = match action {
            Action::Delete => inner.len() > 1,
            Action::RemoveFile => is_folder,
            Action::RemoveFolder => !is_folder || inner.len() > 1,
            Action::RemoveTree | Action::Empty => false,
        };
        if fails {
            return false;
        }
        for p in inner {
            self.nodes.remove(&p);
        }
        true
    }
}

fn what(node: &Node) -> What {
    match node {
        Node::Dir(_) => What::Folder,
        Node::File(e, _) => match e.kind {
            EntryKind::File | EntryKind::Executable => What::File,
            EntryKind::Symlink => What::Link,
            EntryKind::Submodule | EntryKind::Folder => What::Unknown,
        },
        Node::Image(_) => What::Unknown,
    }
}
