//! blake3 of file contents and link texts, many at a time.
//!
//! Goes in: entries without digests. Comes out: the same entries with digests, sizes as read, and
//! without files that vanished meanwhile. Costs one buffered read of every file, spread over all
//! cores. Invariant: a file that changes while it is read gives some digest or an error, never a
//! crash; hence no memory maps, which fault when a file is cut short.

use super::{ContextEntry, ContextError, EntryKind};
use rayon::prelude::*;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Fills in digests. The builder forgives files that disappear between walk and read, so they
/// drop out.
pub(super) fn fill_digests(
    root: &Path,
    entries: Vec<ContextEntry>,
) -> Result<Vec<ContextEntry>, ContextError> {
    let read: Vec<_> = entries
        .into_par_iter()
        .map(|entry| with_digest(root, entry))
        .collect();
    // Collected before they are looked at, so that the first error by path is the one reported.
    read.into_iter().filter_map(Result::transpose).collect()
}

fn with_digest(root: &Path, mut entry: ContextEntry) -> Result<Option<ContextEntry>, ContextError> {
    match (&entry.link_target, entry.kind) {
        (Some(target), _) => entry.digest = Some(*blake3::hash(target).as_bytes()),
        (None, EntryKind::File) if entry.emptied => {
            entry.digest = Some(*blake3::hash(b"").as_bytes());
        }
        (None, EntryKind::File) => {
            let path = root.join(OsStr::from_bytes(&entry.path));
            match digest(&path) {
                Ok((size, digest)) => {
                    entry.size = size;
                    entry.digest = Some(digest);
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(ContextError::Read { path, source }),
            }
        }
        (None, _) => {}
    }
    Ok(Some(entry))
}

fn digest(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((hasher.count(), *hasher.finalize().as_bytes()))
}
