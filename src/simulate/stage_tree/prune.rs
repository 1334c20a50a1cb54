//! `find` that takes files away, held against the files that are known.
//!
//! Goes in: rules. Comes out: the files without what they take away, or false and nothing is done. Costs a pass over what
//! lies below the start. Invariant: what a rule asks and the tree can't tell is never guessed. Rules are those of GNU find
//! and BusyBox (`-delete` looks at what is below first, and can't take away its own start when that is `.`).

use super::{IMAGE, Node, Tree, in_every_image, inside, join, rest};
use crate::footprint::{Action, Pruning, Test};
use crate::history::EntryKind;
use crate::simulate::links::prefixes;
use crate::simulate::members::hash;

/// Names that a repository's own folder holds beside branches and hashes.
const OF_GIT: [&[u8]; 12] = [
    b"HEAD",
    b"config",
    b"description",
    b"index",
    b"packed-refs",
    b"exclude",
    b"main",
    b"0123456789abcdef0123456789abcdef012345",
    b"pack-01.pack",
    b"pack-01.idx",
    b"pack-01.rev",
    b"update.sample",
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
        if listed.iter().any(|p| p.ends_with(IMAGE)) || !git_goes(pruning, &listed) {
            return false;
        }
        let mut after = self.clone();
        for path in listed.iter().rev() {
            match after.found(pruning, &folder, path) {
                Some(false) => {}
                Some(true) if after.take_away(pruning.action, &folder, path) => {}
                _ => return false,
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
        let name = match depth {
            0 => pruning.start.as_bytes(),
            _ => below.rsplit(|b| *b == b'/').next().unwrap_or(below),
        };
        let is_empty = || match node {
            Node::Dir(_) => Some(!self.below(path).any(|(p, _)| p.len() > path.len())),
            // Nobody has looked into it.
            _ => None,
        };
        holds(&pruning.test, node, name, &is_empty)
    }

    /// False where it would fail.
    fn take_away(&mut self, action: Action, folder: &[u8], path: &[u8]) -> bool {
        if path == folder {
            return false;
        }
        let inner: Vec<Vec<u8>> = self.below(path).map(|(p, _)| p.clone()).collect();
        let is_folder = !matches!(self.nodes.get(path), Some(Node::File(..)));
        let fails = match action {
            Action::Delete => inner.len() > 1,
            Action::RemoveFile => is_folder,
            Action::RemoveTree => false,
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

/// Whether nothing of a repository that is copied along may be left: of that, one file stands for all.
fn git_goes(pruning: &Pruning, listed: &[Vec<u8>]) -> bool {
    let is_git = |p: &Vec<u8>| p.ends_with(b"/.git/HEAD") || p == b".git/HEAD";
    if !listed.iter().any(is_git) {
        return true;
    }
    let file = Node::File(
        crate::history::Entry {
            kind: EntryKind::File,
            oid: crate::history::Oid::default(),
        },
        None,
    );
    let goes = |name: &&[u8]| holds(&pruning.test, &file, name, &|| None) == Some(true);
    let only_folders = |name: &&[u8]| holds(&pruning.test, &file, name, &|| None) == Some(false);
    // Either every file goes, or none does.
    OF_GIT.iter().all(goes) || OF_GIT.iter().all(only_folders)
}

fn holds(
    test: &Test,
    node: &Node,
    name: &[u8],
    is_empty: &dyn Fn() -> Option<bool>,
) -> Option<bool> {
    let is = |kind: fn(EntryKind) -> bool| matches!(node, Node::File(e, _) if kind(e.kind));
    Some(match test {
        Test::All(list) => {
            for one in list {
                if !holds(one, node, name, is_empty)? {
                    return Some(false);
                }
            }
            true
        }
        Test::Any(list) => {
            for one in list {
                if holds(one, node, name, is_empty)? {
                    return Some(true);
                }
            }
            false
        }
        Test::Not(one) => !holds(one, node, name, is_empty)?,
        Test::Name(pattern) => fits(pattern.as_bytes(), name),
        Test::File => is(|k| matches!(k, EntryKind::File | EntryKind::Executable)),
        Test::Link => is(|k| k == EntryKind::Symlink),
        Test::Folder => match node {
            // What a submodule holds is not known.
            Node::File(e, _) if matches!(e.kind, EntryKind::Submodule | EntryKind::Folder) => {
                return None;
            }
            Node::Dir(_) => true,
            _ => false,
        },
        Test::Empty => return is_empty(),
    })
}

/// A name with `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            fits(&pattern[1..], name) || (!name.is_empty() && fits(pattern, &name[1..]))
        }
        (Some(b'?'), Some(_)) => fits(&pattern[1..], &name[1..]),
        (Some(p), Some(n)) => p == n && fits(&pattern[1..], &name[1..]),
        _ => false,
    }
}
