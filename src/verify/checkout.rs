//! A fresh checkout of a commit, without git and without running anything.
//!
//! Goes in: a commit and a folder that does not exist yet. Comes out: the folder with the commit's
//! files, modes under a umask. Costs one read of every blob. Invariant: nothing is written outside of
//! the folder: names that could lead out are refused, every folder is made by us, and links, which
//! could lead anywhere, are made last. Filters (line ends, Git LFS) are not applied.

use crate::history::{CommitId, Entry, EntryKind, Follower, HistoryError, Repository};
use crate::pattern::display;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Blobs held in memory at once.
const AT_ONCE: usize = 128;

/// Why a checkout was not made.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// A name that no checkout may have.
    #[error("commit {commit} has the path {path}, which is not written to disk: {reason}")]
    Name {
        /// The commit.
        commit: CommitId,
        /// As reports show it.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// An object is missing or damaged.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A blob is missing from the repository or too large.
    #[error("commit {commit}: the content of {path} cannot be read from the repository")]
    Blob {
        /// The commit.
        commit: CommitId,
        /// As reports show it.
        path: String,
    },
    /// The disk says no.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Writes the files of a commit to a new folder. With `dot_git` there is a `.git` folder with nothing
/// but a HEAD that names the commit, so that it differs from every other checkout's. A submodule is a
/// folder with a `.git` file that names its commit. A file that a partial clone lacks is left out where it is not
/// `needed`.
///
/// # Errors
/// [`CheckoutError`]; what is written until then stays.
pub fn check_out(
    repository: &Repository,
    commit: CommitId,
    folder: &Path,
    umask: u32,
    dot_git: bool,
    needed: &dyn Fn(&[u8]) -> bool,
) -> Result<(), CheckoutError> {
    let entries = repository.list(commit, b"")?;
    for (path, _) in &*entries {
        if let Some(reason) = refused(path) {
            return Err(CheckoutError::Name {
                commit,
                path: display(path),
                reason,
            });
        }
    }
    let mut out = Folder {
        root: folder,
        umask,
        made: BTreeSet::new(),
    };
    out.make(b"")?;
    let files: Vec<_> = entries
        .iter()
        .filter(|(_, e)| matches!(e.kind, EntryKind::File | EntryKind::Executable))
        .collect();
    let blob = |path: &[u8]| CheckoutError::Blob {
        commit,
        path: display(path),
    };
    for part in files.chunks(AT_ONCE) {
        let owned: Vec<(Vec<u8>, Entry)> = part.iter().map(|f| (*f).clone()).collect();
        let blobs = repository.map_checked_out(commit, &owned, <[u8]>::to_vec)?;
        for ((path, entry), bytes) in part.iter().zip(blobs) {
            let bytes = match bytes {
                Some(bytes) => bytes,
                None if !needed(path) => continue,
                None => return Err(blob(path)),
            };
            let mode = match entry.kind {
                EntryKind::Executable => 0o777,
                _ => 0o666,
            };
            out.file(path, &bytes, mode)?;
        }
    }
    for (path, entry) in entries
        .iter()
        .filter(|(_, e)| e.kind == EntryKind::Submodule)
    {
        let head = format!("{}\n", CommitId(entry.oid));
        out.file(&[path, &b"/.git"[..]].concat(), head.as_bytes(), 0o666)?;
    }
    if dot_git {
        out.file(b".git/HEAD", format!("{commit}\n").as_bytes(), 0o666)?;
    }
    for (path, entry) in entries.iter().filter(|(_, e)| e.kind == EntryKind::Symlink) {
        let text = Follower::new(repository).read(commit, *entry)?.bytes;
        let at = out.above(path)?;
        symlink(OsStr::from_bytes(&text), &at).map_err(|source| failed(&at, source))?;
    }
    Ok(())
}

/// Why a path is not written.
fn refused(path: &[u8]) -> Option<&'static str> {
    for part in path.split(|b| *b == b'/') {
        if matches!(part, b"" | b"." | b"..") {
            return Some("it leads out of the folder, or nowhere");
        }
        if part.contains(&0) {
            return Some("it holds a NUL");
        }
        if part.eq_ignore_ascii_case(b".git") {
            return Some("it is git's own");
        }
    }
    None
}

fn failed(path: &Path, source: io::Error) -> CheckoutError {
    CheckoutError::Write {
        path: path.to_owned(),
        source,
    }
}

struct Folder<'a> {
    root: &'a Path,
    umask: u32,
    made: BTreeSet<Vec<u8>>,
}

impl Folder<'_> {
    /// Makes one folder; one that is there and not ours is refused.
    fn make(&mut self, path: &[u8]) -> Result<(), CheckoutError> {
        if self.made.contains(path) {
            return Ok(());
        }
        let disk = self.root.join(OsStr::from_bytes(path));
        let made = DirBuilder::new().mode(0o700).create(&disk);
        made.map_err(|source| failed(&disk, source))?;
        let mode = Permissions::from_mode(0o777 & !self.umask);
        fs::set_permissions(&disk, mode).map_err(|source| failed(&disk, source))?;
        self.made.insert(path.to_vec());
        Ok(())
    }

    /// The place of a path on disk, all folders above it made.
    fn above(&mut self, path: &[u8]) -> Result<PathBuf, CheckoutError> {
        for (i, _) in path.iter().enumerate().filter(|(_, b)| **b == b'/') {
            self.make(&path[..i])?;
        }
        Ok(self.root.join(OsStr::from_bytes(path)))
    }

    fn file(&mut self, path: &[u8], bytes: &[u8], mode: u32) -> Result<(), CheckoutError> {
        let disk = self.above(path)?;
        let mut open = OpenOptions::new();
        open.write(true).create_new(true).mode(0o600);
        let written = open.open(&disk).and_then(|mut f| f.write_all(bytes));
        written.map_err(|source| failed(&disk, source))?;
        let mode = Permissions::from_mode(mode & !self.umask);
        fs::set_permissions(&disk, mode).map_err(|source| failed(&disk, source))
    }
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn names_that_lead_out_are_refused() {
        for bad in [
            &b"../x"[..],
            b"a/../b",
            b"/etc/passwd",
            b"a//b",
            b"./a",
            b".git/hooks/x",
            b"a/.GIT/x",
            b"a\0b",
        ] {
            assert!(refused(bad).is_some(), "{}", String::from_utf8_lossy(bad));
        }
        for good in [
            &b"a/b"[..],
            b"..a",
            b"a..",
            b".gitignore",
            b".github/x",
            b"a\\b",
        ] {
            assert!(refused(good).is_none(), "{}", String::from_utf8_lossy(good));
        }
    }
}
