//! One file of the tool's own, kept from one run to the next.
//!
//! Goes in: a folder, a name, bytes, all at once or in pieces. Comes out: the bytes that were kept last, or nothing. Costs
//! one read and one checksum. Invariant: a torn, stale or foreign file is nothing; a file is replaced all or not at all;
//! only files that this module may have written are ever removed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

const CHECKSUM: usize = 32;

/// What all files of a folder together may hold; the ones written longest ago go first.
pub(crate) const MAX_FILES: usize = 128;
const MAX_TOTAL_BYTES: u64 = 1 << 30;
/// One file may take this part of it; a larger one is neither written nor read.
const LARGEST: u64 = 4;
/// Bytes that are read at once where a file is read in pieces.
const PIECE: usize = 1 << 18;
/// A temporary file as old as this is what a killed run left.
const STALE_TEMPORARY: Duration = Duration::from_secs(24 * 3600);

/// A kept file.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    file: PathBuf,
    /// Changes with the format; an older file is a miss.
    magic: &'static [u8],
    /// Bytes that the folder may hold.
    room: u64,
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
            room: MAX_TOTAL_BYTES,
        }
    }

    /// The same in a folder that may hold so many bytes.
    #[must_use]
    pub fn with_room(self, room: u64) -> Self {
        Self { room, ..self }
    }

    fn largest(&self) -> u64 {
        self.room / LARGEST
    }

    /// Whether something is there, which may be of no use.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.file.is_file()
    }

    /// What was kept; empty when there is none that can be used.
    #[must_use]
    pub fn read(&self) -> Vec<u8> {
        self.read_checked().unwrap_or_default()
    }

    /// What was kept, for those who take it in pieces; `None` when there is none that can be used.
    #[must_use]
    pub fn open(&self) -> Option<Reading> {
        let (mut file, size) = self.opened()?;
        let mut left = size.checked_sub(CHECKSUM as u64)?;
        let mut piece = vec![0; PIECE];
        let mut hasher = blake3::Hasher::new();
        let mut is_first = true;
        while left > 0 {
            let part = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            file.read_exact(&mut piece[..part]).ok()?;
            if std::mem::take(&mut is_first) && !piece[..part].starts_with(self.magic) {
                return None;
            }
            hasher.update(&piece[..part]);
            left -= part as u64;
        }
        file.read_exact(&mut piece[..CHECKSUM]).ok()?;
        if is_first || piece[..CHECKSUM] != *hasher.finalize().as_bytes() {
            return None;
        }
        let start = self.magic.len() as u64;
        Some(Reading {
            file,
            start,
            len: size - CHECKSUM as u64 - start,
            piece,
        })
    }

    fn opened(&self) -> Option<(File, u64)> {
        // A regular file only: anything else was not written here, and opening a pipe would wait.
        let found = fs::metadata(&self.file).ok()?;
        let file =
            (found.is_file() && found.len() <= self.largest()).then(|| File::open(&self.file));
        let file = file?.ok()?;
        let size = file.metadata().ok()?.len();
        Some((file, size))
    }

    /// What lies between magic and checksum, if both are right. The magic is read for itself, so that nothing has to be
    /// moved.
    fn read_checked(&self) -> Option<Vec<u8>> {
        let (mut file, size) = self.opened()?;
        let size = size.checked_sub((self.magic.len() + CHECKSUM) as u64)?;
        let mut begins = vec![0; self.magic.len()];
        file.read_exact(&mut begins).ok()?;
        let mut bytes = Vec::with_capacity(usize::try_from(size).ok()? + CHECKSUM);
        let rest = size + CHECKSUM as u64;
        file.take(rest).read_to_end(&mut bytes).ok()?;
        let split = bytes.len().checked_sub(CHECKSUM)?;
        let (body, checksum) = bytes.split_at(split);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&begins).update_rayon(body);
        let sound = begins == self.magic && hasher.finalize().as_bytes() == checksum;
        bytes.truncate(split);
        sound.then_some(bytes)
    }

    /// Keeps these bytes instead. Failure is silent: the next run does its work again.
    pub fn write(&self, body: &[u8]) {
        if let Some(mut writing) = self.begin() {
            writing.add(body);
            writing.finish();
        }
    }

    /// Begins to keep other bytes, which come in pieces; `None` where nothing can be written.
    #[must_use]
    pub fn begin(&self) -> Option<Writing<'_>> {
        fs::create_dir_all(&self.folder).ok()?;
        let file = tempfile::Builder::new()
            .prefix("new-")
            .tempfile_in(&self.folder);
        let mut writing = Writing {
            kept: self,
            file: Some(file.ok()?),
            hasher: blake3::Hasher::new(),
            bytes: CHECKSUM as u64,
        };
        writing.add(self.magic);
        Some(writing)
    }

    /// Where it is.
    #[cfg(test)]
    pub fn path(&self) -> &Path {
        &self.file
    }
}

/// A kept file, found sound.
pub struct Reading {
    file: File,
    start: u64,
    len: u64,
    piece: Vec<u8>,
}

impl Reading {
    /// How many bytes were kept.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.len
    }

    /// Gives the bytes of a range, in pieces, to somebody who may not want any more.
    ///
    /// # Errors
    /// Those of reading, and what the taker says.
    pub fn pieces<E: From<std::io::Error>>(
        &mut self,
        range: std::ops::Range<u64>,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.file.seek(SeekFrom::Start(self.start + range.start))?;
        let mut left = range.end.saturating_sub(range.start);
        while left > 0 {
            let part = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            self.file.read_exact(&mut self.piece[..part])?;
            take(&self.piece[..part])?;
            left -= part as u64;
        }
        Ok(())
    }
}

/// Bytes on their way into a kept file. Dropped before its end, there was nothing.
pub struct Writing<'a> {
    kept: &'a Kept,
    /// None once something failed, which is silent: the next run does its work again.
    file: Option<NamedTempFile>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Writing<'_> {
    /// Adds a piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        let Some(file) = self
            .file
            .as_mut()
            .filter(|_| self.bytes <= self.kept.largest())
        else {
            self.file = None;
            return;
        };
        self.hasher.update(piece);
        if file.write_all(piece).is_err() {
            self.file = None;
        }
    }

    /// Puts the file in its place.
    pub fn finish(self) {
        let Some(mut file) = self.file else { return };
        let checksum = self.hasher.finalize();
        let written = file.write_all(checksum.as_bytes());
        if written.is_ok() && file.persist(&self.kept.file).is_ok() {
            prune(&self.kept.folder, &self.kept.file, self.kept.room);
        }
    }
}

/// Keeps the folder small: the newest stores, and no leftovers.
fn prune(folder: &Path, keep: &Path, room: u64) {
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
        if i + 2 > MAX_FILES || total > room {
            let _ = fs::remove_file(path);
        }
    }
}

/// Only files that this module may have written are ever removed.
fn is_store_name(name: &OsStr) -> bool {
    name.len() == 64 && name.as_bytes().iter().all(u8::is_ascii_hexdigit)
}
