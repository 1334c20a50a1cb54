//! One file of the tool's own, kept from one run to the next.
//!
//! Goes in: a folder, a name, bytes. Comes out: the bytes that were kept last, or nothing. Costs one read and one
//! checksum. Invariant: a torn, stale or foreign file is nothing; a file is replaced all or not at all; only files that
//! this module may have written are ever removed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const CHECKSUM: usize = 32;

/// A larger file is neither written nor read.
const MAX_BYTES: u64 = 256 << 20;
/// What all files of a folder together may hold; the ones written longest ago go first.
pub(crate) const MAX_FILES: usize = 128;
const MAX_TOTAL_BYTES: u64 = 1 << 30;
/// A temporary file as old as this is what a killed run left.
const STALE_TEMPORARY: Duration = Duration::from_secs(24 * 3600);

/// A kept file.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    file: PathBuf,
    /// Changes with the format; an older file is a miss.
    magic: &'static [u8],
}

impl Kept {
    /// The file for a name, which may be any bytes, in a folder that need not exist.
    #[must_use]
    pub fn new(folder: PathBuf, name: &[u8], magic: &'static [u8]) -> Self {
        let file = folder.join(blake3::hash(name).to_hex().as_str());
        Self {
            folder,
            file,
            magic,
        }
    }

    /// What was kept; empty when there is none that can be used.
    #[must_use]
    pub fn read(&self) -> Vec<u8> {
        read_checked(&self.file, self.magic).unwrap_or_default()
    }

    /// Keeps these bytes instead. Failure is silent: the next run does its work again.
    pub fn write(&self, body: &[u8]) {
        let mut bytes = [self.magic, body].concat();
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        if bytes.len() as u64 > MAX_BYTES {
            return;
        }
        if write_atomically(&self.folder, &self.file, &bytes).is_ok() {
            prune(&self.folder, &self.file);
        }
    }

    /// Where it is.
    #[cfg(test)]
    pub fn path(&self) -> &Path {
        &self.file
    }
}

/// What lies between magic and checksum, if both are right. The magic is read for itself, so that nothing has to be moved.
fn read_checked(file: &Path, magic: &[u8]) -> Option<Vec<u8>> {
    // A regular file only: anything else was not written here, and opening a pipe would wait.
    let size = fs::metadata(file).ok().filter(fs::Metadata::is_file)?.len();
    let size = size.checked_sub((magic.len() + CHECKSUM) as u64)?;
    let mut file = (size <= MAX_BYTES).then(|| File::open(file).ok())??;
    let mut begins = vec![0; magic.len()];
    file.read_exact(&mut begins).ok()?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).ok()? + CHECKSUM);
    file.take(size + CHECKSUM as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    let split = bytes.len().checked_sub(CHECKSUM)?;
    let (body, checksum) = bytes.split_at(split);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&begins).update_rayon(body);
    let sound = begins == magic && hasher.finalize().as_bytes() == checksum;
    bytes.truncate(split);
    sound.then_some(bytes)
}

fn write_atomically(folder: &Path, file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut temporary = tempfile::Builder::new()
        .prefix("new-")
        .tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.persist(file)?;
    Ok(())
}

/// Keeps the folder small: the newest stores, and no leftovers.
fn prune(folder: &Path, keep: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let now = SystemTime::now();
    let mut stores = Vec::new();
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let name = entry.file_name();
        if name.as_bytes().starts_with(b"new-") {
            let age = now.duration_since(written).unwrap_or_default();
            if age > STALE_TEMPORARY {
                let _ = fs::remove_file(entry.path());
            }
        } else if is_store_name(&name) && entry.path() != keep {
            stores.push((written, metadata.len(), entry.path()));
        }
    }
    stores.sort_unstable_by(|a, b| b.cmp(a));
    let mut total = fs::metadata(keep).map_or(0, |m| m.len());
    for (i, (_, size, path)) in stores.into_iter().enumerate() {
        total += size;
        if i + 2 > MAX_FILES || total > MAX_TOTAL_BYTES {
            let _ = fs::remove_file(path);
        }
    }
}

/// Only files that this module may have written are ever removed.
fn is_store_name(name: &OsStr) -> bool {
    name.len() == 64 && name.as_bytes().iter().all(u8::is_ascii_hexdigit)
}
