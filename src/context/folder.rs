//! One folder of a tree on disk: its names, and what each of them is.
//!
//! Goes in: the root, open, and a folder's path below it. Comes out: the names in it, sorted, and
//! stat data and link texts by name. Costs one open, the listing, and one call per name that
//! resolves nothing but the name, since it is relative to the open folder. Invariant: one
//! descriptor as long as the value lives and none for the folders above, so a deep tree needs no
//! more of them than a flat one; nothing but folders is opened, and no link in place of one.

use rustix::fs::{AtFlags, Mode, OFlags, Stat, openat, readlinkat, statat};
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

    /// What it holds, as far as it could be read.
    pub(super) fn names(&self) -> (Names, Option<io::Error>) {
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
    fn list(&self, names: &mut Names) -> Result<(), Errno> {
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
    fn list(&self, names: &mut Names) -> Result<(), Errno> {
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

/// The names in a folder, sorted bytewise, all in one buffer.
#[derive(Default)]
pub(super) struct Names {
    /// One behind the other, each with its NUL.
    bytes: Vec<u8>,
    all: Vec<Name>,
}

struct Name {
    start: usize,
    /// Behind the NUL.
    end: usize,
    /// As the listing says; some file systems never say it.
    is_dir: bool,
}

impl Names {
    fn push(&mut self, name: &CStr, is_dir: bool) {
        if matches!(name.to_bytes(), b"." | b"..") {
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.to_bytes_with_nul());
        let end = self.bytes.len();
        self.all.push(Name { start, end, is_dir });
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        // The NUL is below every other byte, so it changes no order.
        let key = |name: &Name| &bytes[name.start..name.end];
        self.all.sort_unstable_by(|a, b| key(a).cmp(key(b)));
        // A name that was moved away and back while the folder was read may be listed twice.
        self.all.dedup_by(|a, b| key(a) == key(b));
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The names from one on, at most so many, and whether the listing calls them folders.
    pub(super) fn some(&self, from: usize, most: usize) -> impl Iterator<Item = (&CStr, bool)> {
        let some = self.all.iter().skip(from).take(most);
        some.filter_map(|name| {
            let bytes = self.bytes.get(name.start..name.end)?;
            Some((CStr::from_bytes_with_nul(bytes).ok()?, name.is_dir))
        })
    }
}
