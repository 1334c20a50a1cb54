//! A work tree as the builder would be sent it: which entries, with which modes and bytes.
//!
//! Goes in: a folder and its ignore rules. Comes out: the entries that are sent and those that are
//! not, each sorted bytewise by path. Costs one parallel walk that stays out of pruned folders,
//! and one read of every regular file when hashes are asked for. Invariant: equal trees give equal
//! values, whatever the number of threads. `.git` is an ordinary folder here.

pub mod archive;
pub mod digest;
mod digest_file;
mod digest_list;
#[cfg(test)]
mod digest_tests;
mod digest_tree;
mod folder;
mod hash;
mod ignore_file;
mod listing;
mod names;
pub mod reader;
#[cfg(test)]
mod remembered_tests;
mod sorted;
mod stat_cache;
#[cfg(test)]
mod tests;
pub mod transfer;
mod walk;
pub mod weight;

pub use ignore_file::{IgnoreLookup, ignore_file_candidates, ignore_file_for};
pub use listing::from_listing;
pub use walk::{walk, walk_cached};

use crate::pattern::path::display;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Whether [`walk`] reads file contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hashing {
    /// Every regular file and link text gets a digest.
    #[default]
    Digest,
    /// Only files that share their size with another one get a digest, and what others may not
    /// read is opened to see whether it can be: enough for duplicates and problems.
    SameSize,
    /// Names, kinds, modes and sizes only; nothing is opened but folders.
    None,
}

/// How to walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkOptions {
    /// Whether contents are read.
    pub hashing: Hashing,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A regular file, or a socket, which arrives as an empty one.
    File,
    /// A folder.
    Directory,
    /// A symbolic link, whatever it points to.
    Symlink,
    /// A pipe or device; the builder makes it anew (a block device as a character device) and
    /// reads nothing from it.
    Other,
}

/// Something that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextEntry {
    /// Slash-separated, relative to the context root, no leading slash.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky (`0o7777`).
    pub mode: u32,
    /// Bytes of a regular file as sent; 0 for everything else.
    pub size: u64,
    /// blake3 of the bytes of a file or of the text of a link, when hashes were asked for.
    pub digest: Option<[u8; 32]>,
    /// Where a link points, as written.
    pub link_target: Option<Vec<u8>>,
    /// The file is sent **without its bytes**. Size and digest are those of no bytes. Confirmed
    /// with real builds: the walk keeps it, but the builder's flat check at reading time ignores
    /// it (`foo`, `!foo/x`, `foo`); it is a socket; or it cannot be read (then there is a
    /// [`Problem`] too).
    pub emptied: bool,
}

/// Something that is not sent. An ignored folder in which nothing survives is one entry; what lies
/// below it is not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredEntry {
    /// Slash-separated, relative to the context root, no leading slash.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Index into [`crate::pattern::IgnoreRules::patterns`] of the pattern that decided.
    pub pattern: usize,
    /// 1-based line of that pattern in the ignore file.
    pub line: u32,
}

/// A work tree as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// What is sent, sorted bytewise by path. Ignored folders with a survivor inside are here.
    pub entries: Vec<ContextEntry>,
    /// What is not sent, sorted bytewise by path.
    pub ignored: Vec<IgnoredEntry>,
    /// Ignored entries that had to be visited all the same, because the folder around them could
    /// not be pruned: the price of `!` patterns with a glob character.
    pub visited_in_vain: u64,
    /// What the builder would stumble over if it is among what is sent, sorted.
    pub problems: Vec<Problem>,
}

/// Something that is not ignored and that the builder cannot send as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Slash-separated, relative to the context root, no leading slash.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub kind: ProblemKind,
}

/// What is wrong; each was seen with a real build (BuildKit v0.25, buildx 0.29).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The folder cannot be listed: the build fails ("error from sender: … permission denied").
    UnreadableFolder,
    /// The file cannot be read: it arrives empty, and the build says nothing.
    UnreadableFile,
    /// The name is not UTF-8: the build fails ("string field contains invalid UTF-8").
    NameNotUtf8,
    /// The link's text is not UTF-8: the build fails in the same way.
    LinkNotUtf8,
}

impl ProblemKind {
    /// Whether the build fails when this is among what is sent.
    #[must_use]
    pub fn fails_build(self) -> bool {
        self != Self::UnreadableFile
    }
}

/// Why a context could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The root is no folder.
    #[error("{} is not a folder", shown(path))]
    NotADirectory {
        /// The root as given.
        path: PathBuf,
    },
    /// A folder, file or link that is part of the context cannot be read.
    #[error("cannot read {}", shown(path))]
    Read {
        /// What could not be read.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl ContextError {
    /// The path concerned.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::NotADirectory { path } | Self::Read { path, .. } => path,
        }
    }
}

fn shown(path: &Path) -> String {
    display(path.as_os_str().as_bytes())
}
