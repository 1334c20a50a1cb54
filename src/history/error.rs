//! What can go wrong while reading history: one variant per cause, each message one line that names
//! the revision, commit or path.

use super::CommitId;
use std::path::PathBuf;

/// Why a history could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// No repository at the path or above it; commands that need none go on without.
    #[error("{} is not in a git repository", path.display())]
    NotARepository {
        /// The path as given.
        path: PathBuf,
    },
    /// The path is missing, unreadable, or not a directory.
    #[error("cannot read the directory {}", path.display())]
    Directory {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is a repository, but it cannot be opened.
    #[error("cannot open the git repository at {}: {reason}", path.display())]
    Open {
        /// The path as given.
        path: PathBuf,
        /// One line.
        reason: String,
    },
    /// The repository does not use SHA-1 object ids.
    #[error("the git repository at {} uses {format} object ids; only sha1 is supported", path.display())]
    ObjectFormat {
        /// The path as given.
        path: PathBuf,
        /// The value of `extensions.objectFormat`.
        format: String,
    },
    /// HEAD names a branch that has no commit yet.
    #[error("the git repository has no commits yet (HEAD points to {branch})")]
    UnbornHead {
        /// The full name of the branch.
        branch: String,
    },
    /// A revision does not name exactly one commit.
    #[error("`{rev}` does not name a commit{reason}")]
    Revision {
        /// As the user wrote it.
        rev: String,
        /// One line with `: ` before it; empty where there is just no such name.
        reason: String,
    },
    /// A range that is not of the form `A..B`.
    #[error("`{range}` is not a range of the form A..B")]
    Range {
        /// As the user wrote it.
        range: String,
    },
    /// An object that history needs is not in the repository.
    #[error(
        "commit {commit}: the {what} {oid} is missing from the repository (a partial or damaged clone? `git fetch --refetch` brings it)"
    )]
    Missing {
        /// The commit that needs it.
        commit: CommitId,
        /// `commit`, `tree` or `blob`.
        what: &'static str,
        /// 40 hex digits.
        oid: String,
    },
    /// An object or the file that holds it is damaged.
    #[error("commit {commit}: cannot read the {what} {oid}: {reason}")]
    Damaged {
        /// The commit that needs it.
        commit: CommitId,
        /// `commit`, `tree` or `blob`.
        what: &'static str,
        /// 40 hex digits.
        oid: String,
        /// One line.
        reason: String,
    },
    /// A file larger than [`super::MAX_BLOB_BYTES`].
    #[error("commit {commit}: {path} has {bytes} bytes, more than is read")]
    FileTooLarge {
        /// The commit.
        commit: CommitId,
        /// The path, not UTF-8 bytes replaced.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// A folder or file of the work tree that cannot be read.
    #[error("cannot read {} of the work tree: {source}", path.display())]
    WorkTree {
        /// What could not be read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A commit with more paths, or deeper ones, than any real repository has.
    #[error("commit {commit}: {reason}")]
    TooManyPaths {
        /// The commit.
        commit: CommitId,
        /// One line.
        reason: &'static str,
    },
    /// Git's own bookkeeping (the shallow file) cannot be read.
    #[error("cannot read {what} of the git repository: {reason}")]
    Bookkeeping {
        /// Which file.
        what: &'static str,
        /// One line.
        reason: String,
    },
}

/// The message of an error and its sources on one line, repeated parts once.
pub(super) fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() && !parts.iter().any(|seen| seen.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}
