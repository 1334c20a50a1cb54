//! A repository's own folder among the files of a stage, of which one file stands for all.
//!
//! Goes in: rules that take files away. Comes out: whether all of it goes or none, and what is left when only the files go.
//! Invariant: folders of objects that are left without their files may be others in every build, or the same: then the
//! answer is open.

use super::{Node, ROOT, above, join, rest};
use crate::footprint::{Action, Pruning, What};
use crate::history::Oid;
use crate::simulate::members::Header;

/// What the one file has in place of an object id: another one in every build.
pub(in crate::simulate) fn repository(build: u32) -> Oid {
    let mut oid = Oid::default();
    oid[..4].copy_from_slice(&build.to_le_bytes());
    oid[4..8].copy_from_slice(b".git");
    oid
}

/// The build that such a file is of.
fn build_of(oid: &Oid) -> Option<u32> {
    let [a, b, c, d, ..] = *oid;
    let build = u32::from_le_bytes([a, b, c, d]);
    (*oid == repository(build)).then_some(build)
}

/// Files of such a folder, at all depths.
const FILES: [&str; 17] = [
    "HEAD",
    "config",
    "description",
    "index",
    "packed-refs",
    "info/exclude",
    "hooks/update.sample",
    "logs/HEAD",
    "logs/refs/heads/main",
    "refs/heads/main",
    "refs/heads/of/a/user/or/of/a/tool/name",
    "refs/tags/v1",
    "refs/remotes/origin/HEAD",
    "objects/01/23456789abcdef0123456789abcdef01234567",
    "objects/pack/pack-01.pack",
    "objects/pack/pack-01.idx",
    "objects/pack/pack-01.rev",
];

/// Folders of such a folder.
const FOLDERS: [&str; 10] = [
    "objects",
    "objects/01",
    "objects/pack",
    "objects/info",
    "refs",
    "refs/heads",
    "refs/tags",
    "hooks",
    "info",
    "branches",
];

/// A repository, and what rules leave of it.
pub(super) struct Repository {
    /// Where it lies.
    folder: Vec<u8>,
    build: u32,
    /// Its files go, but not all its folders.
    is_emptied: bool,
}

impl Repository {
    /// The repository that a node stands for, if it does, below the start of some rules; `Err` where some of it would stay and
    /// some not.
    pub fn of(
        pruning: &Pruning,
        start: &[u8],
        path: &[u8],
        node: &Node,
    ) -> Option<Result<Self, ()>> {
        let Node::File(entry, _) = node else {
            return None;
        };
        let build = build_of(&entry.oid)?;
        let folder = above(path);
        Some(Self::left(pruning, start, folder, build).ok_or(()))
    }

    fn left(pruning: &Pruning, start: &[u8], folder: &[u8], build: u32) -> Option<Self> {
        let below = std::str::from_utf8(rest(folder, start)).ok()?;
        let takes = |inner: &&str, what: What| match below {
            "" => pruning.takes(inner, what),
            _ => pruning.takes(&format!("{below}/{inner}"), what),
        };
        let all = |names: &[&str], what: What, fate: bool| {
            names.iter().all(|n| takes(n, what) == Some(fate))
        };
        let goes = all(&FILES, What::File, true);
        let emptied = goes && pruning.action == Action::Empty;
        let is_clear = goes || all(&FILES, What::File, false);
        (is_clear && !emptied).then(|| Self {
            folder: folder.to_vec(),
            build,
            is_emptied: goes && !all(&FOLDERS, What::Folder, true),
        })
    }

    /// The folders that stay without their files, where any do.
    pub fn folders(&self) -> Option<[(Vec<u8>, Node); 2]> {
        // Of which mode they are is as open as their names.
        let open = Header {
            mode: "of a repository".to_owned(),
            owner: ROOT.to_owned(),
        };
        let objects = join(&self.folder, b"objects");
        let one = join(&objects, format!("{:08x}", self.build).as_bytes());
        self.is_emptied
            .then_some([(objects, Node::Dir(None)), (one, Node::Dir(Some(open)))])
    }

    /// Where it lies.
    pub fn place(&self) -> &[u8] {
        &self.folder
    }
}
