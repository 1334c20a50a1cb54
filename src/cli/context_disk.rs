//! The files of a context on disk, for rules that look into some of them.
//!
//! Goes in: the folder. Comes out: first bytes, digests and what archives carry, of files that a walk of the same folder has listed. Costs one
//! open a question. Invariant: nothing but regular files is opened, and links are not followed.

use crate::context::archive::{Carries, kind_of, look_inside};
use crate::rules::ContextDisk;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// The folder of a context.
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// For a folder.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// A regular file of it.
    fn place(&self, path: &[u8]) -> Option<PathBuf> {
        let place = self.root.join(OsStr::from_bytes(path));
        let meta = std::fs::symlink_metadata(&place).ok()?;
        meta.is_file().then_some(place)
    }
}

impl ContextDisk for Disk {
    fn start(&self, path: &[u8], most: usize) -> Option<Vec<u8>> {
        let file = File::open(self.place(path)?).ok()?;
        let mut bytes = Vec::new();
        file.take(most as u64).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn digest(&self, path: &[u8]) -> Option<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_mmap_rayon(self.place(path)?).ok()?;
        Some(*hasher.finalize().as_bytes())
    }

    fn archive(&self, path: &[u8]) -> Option<Carries> {
        let kind = kind_of(path)?;
        Some(look_inside(&self.place(path)?, kind))
    }
}
