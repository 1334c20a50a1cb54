//! The commits of a git repository and what each of them changed, read without running git.
//!
//! Goes in: a directory and a [`Walk`]. Comes out: a [`ChangeLog`], oldest build first, with interned
//! paths and no file contents; and single files as of a commit. Cost: one decoded tree per changed
//! directory and build, spread over the thread pool. Invariant: nothing from the repository is
//! executed and nothing is written; its configuration is treated as untrusted.

mod ahead;
mod attributes;
mod changes;
mod checkout;
mod convert;
mod error;
mod follow;
mod log;
mod packs;
mod paths;
mod repository;
mod stored;
mod stored_commits;
mod touched;
mod tree;
mod walk;
mod worktree;

pub use ahead::{Ahead, Listed, Stretches, compare_ahead, listing};
pub use changes::{change_log, change_log_kept, change_log_of};
pub use checkout::Unread;
pub use error::HistoryError;
pub use follow::{Followed, Follower, Found};
pub use log::{Change, ChangeLog, CommitInfo};
pub use paths::{PathId, PathTable};
pub use repository::{Index, Listing, Repository};
pub use tree::{Blob, MAX_BLOB_BYTES};
pub use walk::{Chosen, Limit, Walk, WalkMode, choose};
pub use worktree::{Sight, WORK_TREE, WorkTree, append_work_tree};

use std::fmt;

/// An object id of a SHA-1 repository.
pub type Oid = [u8; 20];

/// The id of a commit; shown as 40 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub Oid);

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 2 * size_of::<Oid>()];
        for (two, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *two = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a path of a commit is. Directories are not entries: git stores none without files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A file without the executable bit.
    File,
    /// A file with the executable bit.
    Executable,
    /// A symbolic link; the blob is its target.
    Symlink,
    /// The commit of a submodule; there is no blob.
    Submodule,
    /// A folder of the work tree that holds no file a build could see. Commits have none.
    Folder,
}

/// One path's kind and content id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// The blob, or the submodule's commit. In a [`ChangeLog`], where `.gitattributes` make a checkout
    /// write other bytes than the blob's, the id of those.
    pub oid: Oid,
}
