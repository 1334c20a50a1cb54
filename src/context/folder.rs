//! One folder of a tree on disk: its names, and what each of them is.
//!
//! Goes in: the root, open, and a folder's path below it. Comes out: the names in it, sorted, and
//! stat data and link texts by name. Costs one open, the listing, and one call per name that
//! resolves nothing but the name, since it is relative to the open folder. Invariant: one
//! descriptor as long as the value lives and none for the folders above, so a deep tree needs no
//! more of them than a flat one; nothing but folders is opened, and no link in place of one.

use super::names::Names;
use rustix::fs::{AtFlags, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Without waiting, where a pipe has taken the folder's place.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

/// An open folder.
pub(super) struct Folder {
    fd: OwnedFd,
}

impl Folder {
    /// The root of a tree.
    pub(super) fn top(path: &Path) -> io::Result<Self> {
        let fd = openat(rustix::fs::CWD, path, FLAGS, Mode::empty())?;
        Ok(Self { fd })
    }

    /// A folder below this one; empty for this one itself. `None` when there is no folder (any
    /// more) of that name.
    pub(super) fn open(&self, path: &[u8]) -> io::Result<Option<Self>> {
        let path = OsStr::from_bytes(if path.is_empty() { b"." } else { path });
        match openat(&self.fd, path, FLAGS | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd })),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The folder's own stat data.
    pub(super) fn own_stat(&self) -> io::Result<Stat> {
        Ok(fstat(&self.fd)?)
    }

    /// Whether the file system moves a folder's times with every name that comes or goes. Those
    /// that are known to are named; many that programs make up have the same times for ever.
    #[cfg(target_os = "linux")]
    pub(super) fn times_tell_names(&self) -> bool {
        /// As `statfs` has them: ext2 to ext4, xfs, btrfs, tmpfs, f2fs, overlayfs, zfs, bcachefs.
        const TELLING: [u32; 8] = [
            0xEF53,
            0x5846_5342,
            0x9123_683E,
            0x0102_1994,
            0xF2F5_2010,
            0x794C_7630,
            0x2FC1_2FC1,
            0xCA45_1A4E,
        ];
        // The type is as wide as a word, and on some machines signed; all magic numbers have 32 bits.
        rustix::fs::fstatfs(&self.fd).is_ok_and(|fs| TELLING.contains(&(fs.f_type as u32)))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn times_tell_names(&self) -> bool {
        false
    }

    /// What it holds, as far as it could be read.
    pub(super) fn names(&self) -> (Names<'static>, Option<io::Error>) {
        let mut names = Names::default();
        let error = match self.list(&mut names) {
            // It was removed meanwhile.
            Ok(()) | Err(Errno::NOENT) => None,
            Err(error) => Some(error.into()),
        };
        names.sort();
        (names, error)
    }

    /// One buffer for all entries; the names are copied out of it.
    #[cfg(target_os = "linux")]
    fn list(&self, names: &mut Names<'_>) -> Result<(), Errno> {
        let mut buffer = Vec::with_capacity(32 << 10);
        let mut listing = rustix::fs::RawDir::new(&self.fd, buffer.spare_capacity_mut());
        while let Some(entry) = listing.next() {
            match entry {
                Ok(entry) => names.push(entry.file_name(), entry.file_type().is_dir()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn list(&self, names: &mut Names<'_>) -> Result<(), Errno> {
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            names.push(entry.file_name(), entry.file_type().is_dir());
        }
        Ok(())
    }

    /// What a name stands for; a link is looked at and not followed.
    pub(super) fn stat(&self, name: &CStr) -> io::Result<Stat> {
        Ok(statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The text of a link. What is no link any more counts as removed.
    pub(super) fn link(&self, name: &CStr) -> io::Result<Vec<u8>> {
        match readlinkat(&self.fd, name, Vec::new()) {
            Ok(text) => Ok(text.into_bytes()),
            Err(Errno::INVAL) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error.into()),
        }
    }
}
