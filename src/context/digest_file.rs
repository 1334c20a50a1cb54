//! The digest of one entry: its metadata in the form of an old tar checksum, then its bytes.
//!
//! Goes in: an entry, and what only its place can tell (bytes, extended attributes, device numbers).
//! Comes out: a sha256. Costs one `lstat`, one listing of attributes and one read. Invariant: owner is 0
//! and no name, time or link count is in it, since the client sends none or the builder leaves them out.

use super::digest::Digest;
use super::{ContextEntry, ContextError, EntryKind};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// What an entry that is neither file, folder nor link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Special {
    /// A named pipe.
    #[default]
    Pipe,
    /// A character device with its numbers.
    Character(u64, u64),
    /// A block device with its numbers.
    Block(u64, u64),
}

/// What is sent of an entry beside what [`ContextEntry`] has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Size of a regular file on disk, in bytes. It is in the digest even where the bytes are not sent.
    pub size: u64,
    /// Extended attributes in any order: name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Only for [`EntryKind::Other`].
    pub special: Special,
}

/// Where the bytes of entries are.
pub trait Contents: Sync {
    /// Metadata that the walk did not need.
    ///
    /// # Errors
    /// When the entry is gone or cannot be read.
    fn sent(&self, entry: &ContextEntry) -> io::Result<Sent>;

    /// The bytes of a regular file.
    ///
    /// # Errors
    /// When the entry is gone or cannot be read.
    fn open(&self, entry: &ContextEntry) -> io::Result<Box<dyn Read + '_>>;

    /// The place to name in an error.
    fn place(&self, entry: &ContextEntry) -> PathBuf {
        Path::new(OsStr::from_bytes(&entry.path)).to_owned()
    }
}

/// The work tree that was walked.
#[derive(Clone, Debug)]
pub struct OnDisk {
    /// The context root.
    pub root: PathBuf,
}

impl Contents for OnDisk {
    fn sent(&self, entry: &ContextEntry) -> io::Result<Sent> {
        let path = self.place(entry);
        let metadata = fs::symlink_metadata(&path)?;
        let (file_type, device) = (metadata.file_type(), metadata.rdev());
        // The client's own arithmetic, not the system's macros.
        let numbers = (
            (device >> 8) & 0xfff,
            (device & 0xff) | ((device >> 12) & 0xf_ff00),
        );
        Ok(Sent {
            size: metadata.len(),
            xattrs: xattrs(&path)?,
            special: match file_type {
                t if t.is_char_device() => Special::Character(numbers.0, numbers.1),
                t if t.is_block_device() => Special::Block(numbers.0, numbers.1),
                _ => Special::Pipe,
            },
        })
    }

    fn open(&self, entry: &ContextEntry) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(File::open(self.place(entry))?))
    }

    fn place(&self, entry: &ContextEntry) -> PathBuf {
        self.root.join(OsStr::from_bytes(&entry.path))
    }
}

/// All attributes of a path itself; none where the file system has no such thing. One that cannot be
/// read is left out, as the client does.
fn xattrs(path: &Path) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let names = match xattr::list(path) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::Unsupported => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let pair = |name: std::ffi::OsString| {
        let value = xattr::get(path, &name).ok().flatten()?;
        Some((name.into_vec(), value))
    };
    Ok(names.filter_map(pair).collect())
}

/// Whether an attribute is sent and in the digest.
fn counts(name: &[u8]) -> bool {
    let starts = |prefix: &str| name.starts_with(prefix.as_bytes());
    name == b"security.capability"
        || !(starts("security.") || starts("system.") || starts("com.apple."))
}

/// The digest of a file, link or special entry, or the header of a folder.
pub(super) fn entry_digest(
    entry: &ContextEntry,
    contents: &dyn Contents,
) -> Result<Digest, ContextError> {
    let read = |source: io::Error| ContextError::Read {
        path: contents.place(entry),
        source,
    };
    let sent = contents.sent(entry).map_err(read)?;
    let mut hasher = Sha256::new();
    hasher.update(header(entry, &sent));
    if entry.kind == EntryKind::File && !entry.emptied && sent.size > 0 {
        let mut reader = contents.open(entry).map_err(read)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => hasher.update(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(read(e)),
            }
        }
    }
    Ok(Digest(hasher.finalize().into()))
}

fn header(entry: &ContextEntry, sent: &Sent) -> Vec<u8> {
    let (flag, numbers) = match (entry.kind, sent.special) {
        (EntryKind::File, _) => ('0', (0, 0)),
        (EntryKind::Directory, _) => ('5', (0, 0)),
        (EntryKind::Symlink, _) => ('2', (0, 0)),
        (EntryKind::Other, Special::Pipe) => ('6', (0, 0)),
        (EntryKind::Other, Special::Character(major, minor)) => ('3', (major, minor)),
        (EntryKind::Other, Special::Block(major, minor)) => ('4', (major, minor)),
    };
    let mode = match entry.kind {
        EntryKind::Symlink => 0o777,
        _ => entry.mode,
    };
    let size = match entry.kind {
        EntryKind::File => sent.size,
        _ => 0,
    };
    let mut out = format!("namemode{mode}uid0gid0size{size}typeflag{flag}linkname").into_bytes();
    out.extend_from_slice(entry.link_target.as_deref().unwrap_or_default());
    let (major, minor) = numbers;
    out.extend_from_slice(format!("unamegnamedevmajor{major}devminor{minor}").as_bytes());
    let mut kept: Vec<_> = sent
        .xattrs
        .iter()
        .filter(|(name, _)| counts(name))
        .collect();
    kept.sort();
    for (name, value) in kept {
        out.extend_from_slice(name);
        out.extend_from_slice(value);
    }
    out
}
