//! blake3 of file contents and link texts, many at a time.
//!
//! Goes in: entries, those that the stat cache knows with digests. Comes out: the same entries all
//! with digests, sizes as read, and which of them vanished meanwhile. Costs one read of every other
//! regular file, spread over all cores, large files by parts. Invariant: a file that changes while
//! it is read gives some digest or an error, never a crash and never a wait; hence no memory maps,
//! which fault when a file is cut short, and no blocking open.

use super::stat_cache::{File as KnownFile, Listing, Moment, Remembered, Stamp, StatCache};
use super::{Context, ContextEntry, ContextError, EntryKind, Hashing, Problem, ProblemKind};
use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, left_subtree_len, merge_subtrees_non_root,
    merge_subtrees_root,
};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use rustix::fs::{FileType, fstat};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Bytes of one read: what is read is hashed while it is still in the core's own cache.
const BUFFER: usize = 256 << 10;
/// Files from this size on are read by several threads.
const PARALLEL_FROM: u64 = 2 << 20;
/// What one thread takes of a large file; a power of two, as the hash's tree wants it.
const PART: u64 = 1 << 20;

thread_local! {
    static BUFFERS: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// What is to be read.
pub(super) struct Contents<'a> {
    pub(super) root: &'a Path,
    pub(super) hashing: Hashing,
    /// Stat data of the entries, one each.
    pub(super) stamps: Vec<Stamp>,
    /// When the run began; before any file was looked at.
    pub(super) started: Moment,
}

/// How it stands with the entries after they were read.
pub(super) struct Read {
    /// One each.
    states: Vec<State>,
    /// Stat data that the digests belong to.
    stamps: Vec<Stamp>,
    started: Moment,
    any_gone: bool,
}

/// Fills in the digests that are not there yet.
pub(super) fn fill_digests(
    contents: Contents<'_>,
    context: &mut Context,
) -> Result<Read, ContextError> {
    let Contents {
        root,
        hashing,
        mut stamps,
        started,
    } = contents;
    let entries = &mut context.entries;
    let mut states = wanted(entries, hashing);
    let odd: Vec<(usize, Odd)> = entries
        .par_iter_mut()
        .zip(&mut stamps)
        .zip(&mut states)
        .enumerate()
        .filter_map(|(number, ((entry, stamp), state))| {
            Some((number, read(root, entry, stamp, state)?))
        })
        .collect();
    // In the order of the paths, so that the first error by path is the one reported.
    let mut any_gone = false;
    for (number, odd) in odd {
        match odd {
            Odd::Unreadable => context.problems.push(Problem {
                path: entries[number].path.clone(),
                kind: ProblemKind::UnreadableFile,
            }),
            Odd::Gone => any_gone = true,
            Odd::Failed(error) => return Err(error),
        }
    }
    Ok(Read {
        states,
        stamps,
        started,
        any_gone,
    })
}

impl Read {
    /// Remembers digests and listings, unless nothing changed.
    pub(super) fn remember(
        &self,
        context: &Context,
        listings: &[Listing<'_>],
        cache: &StatCache,
        remembered: &Remembered<'_>,
    ) {
        let lasting = || {
            let all = context.entries.iter().zip(&self.stamps).zip(&self.states);
            all.filter(|((entry, stamp), state)| {
                // What was only opened has none.
                entry.digest.is_some() && state.is_of_content() && stamp.settled(self.started)
            })
        };
        let changed = listings.iter().any(|listing| listing.fresh.is_some())
            || listings.len() != remembered.listings()
            || lasting().any(|(_, state)| *state == State::Read)
            || lasting().count() != remembered.files();
        if changed {
            let files = lasting().filter_map(|((entry, stamp), _)| {
                Some(KnownFile {
                    path: &entry.path,
                    stamp: *stamp,
                    digest: entry.digest?,
                })
            });
            cache.save(listings, files);
        }
    }

    /// Takes out what vanished, and digests that nobody asked for. The builder forgives files that disappear
    /// between walk and read.
    pub(super) fn finish(&self, context: &mut Context) {
        let entries = &mut context.entries;
        for (entry, state) in entries.iter_mut().zip(&self.states) {
            if *state == State::Unwanted {
                entry.digest = None;
            }
        }
        if self.any_gone {
            let mut states = self.states.iter();
            entries.retain(|_| states.next() != Some(&State::Gone));
        }
    }
}

/// How it stands with one entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is wanted of it.
    Nothing,
    /// It is to be opened, only to know whether it can be read.
    Open,
    /// It is to have a digest.
    Digest,
    /// It has a remembered digest.
    Recalled,
    /// It has one that this run does not ask for.
    Unwanted,
    /// It was read.
    Read,
    /// It is not there any more.
    Gone,
}

impl State {
    /// Whether the digest is that of a file's bytes with the stat data at hand.
    fn is_of_content(self) -> bool {
        matches!(self, Self::Recalled | Self::Unwanted | Self::Read)
    }
}

/// Whether there are bytes on disk that are sent.
fn has_bytes(entry: &ContextEntry) -> bool {
    entry.kind == EntryKind::File && !entry.emptied
}

/// What is to be done with each entry.
fn wanted(entries: &[ContextEntry], hashing: Hashing) -> Vec<State> {
    let unless_known = |entry: &ContextEntry, state| match entry.digest {
        Some(_) => State::Recalled,
        None => state,
    };
    if hashing == Hashing::Digest {
        let states = entries.iter().map(|e| unless_known(e, State::Digest));
        return states.collect();
    }
    let mut of_size: FxHashMap<u64, u32> = FxHashMap::default();
    for entry in entries.iter().filter(|e| has_bytes(e) && e.size > 0) {
        *of_size.entry(entry.size).or_default() += 1;
    }
    let one = |entry: &ContextEntry| match entry {
        e if !has_bytes(e) => State::Nothing,
        e if of_size.get(&e.size).is_some_and(|n| *n > 1) => unless_known(e, State::Digest),
        e if e.mode & 0o004 == 0 => unless_known(e, State::Open),
        e if e.digest.is_some() => State::Unwanted,
        _ => State::Nothing,
    };
    entries.iter().map(one).collect()
}

/// What became of an entry, where it is not as it should be.
enum Odd {
    /// It arrives empty.
    Unreadable,
    Gone,
    Failed(ContextError),
}

/// Reads what is left to be read; the stat data become those that the digest belongs to.
fn read(
    root: &Path,
    entry: &mut ContextEntry,
    stamp: &mut Stamp,
    state: &mut State,
) -> Option<Odd> {
    if entry.emptied {
        entry.digest = Some(*blake3::hash(b"").as_bytes());
        return None;
    }
    let wanted = *state;
    if !matches!(wanted, State::Open | State::Digest) {
        return None;
    }
    if let Some(target) = &entry.link_target {
        entry.digest = Some(*blake3::hash(target).as_bytes());
        return None;
    }
    if entry.kind != EntryKind::File {
        return None;
    }
    let path = root.join(OsStr::from_bytes(&entry.path));
    let done = open(&path).and_then(|file| match (file, wanted) {
        (Some((_, stamp, size)), State::Open) => Ok((stamp, size, None)),
        (Some((file, stamp, size)), _) => {
            let (size, digest) = digest(&file, size)?;
            Ok((stamp, size, Some(digest)))
        }
        (None, _) => Err(io::ErrorKind::NotFound.into()),
    });
    match done {
        Ok((now, size, digest)) => {
            *stamp = now;
            *state = State::Read;
            entry.size = size;
            entry.digest = digest;
            None
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            *state = State::Gone;
            Some(Odd::Gone)
        }
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            entry.emptied = true;
            entry.size = 0;
            entry.digest = Some(*blake3::hash(b"").as_bytes());
            Some(Odd::Unreadable)
        }
        Err(source) => Some(Odd::Failed(ContextError::Read { path, source })),
    }
}

/// Opens what was a regular file a moment ago; `None` when it is something else by now. Without
/// the flags a pipe in its place would make this wait, and a link would lead out of the context.
fn open(path: &Path) -> io::Result<Option<(File, Stamp, u64)>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(e)
            if matches!(
                e.raw_os_error(),
                Some(libc::ELOOP | libc::ENXIO | libc::ENOTDIR)
            ) =>
        {
            return Ok(None);
        }
        other => other?,
    };
    let stat = fstat(&file)?;
    let stamp = Stamp::of(&stat);
    let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
    Ok(is_file.then_some((file, stamp, stamp.size())))
}

/// Number of bytes read, and their hash. `size` is what the file claims to hold.
fn digest(file: &File, size: u64) -> io::Result<(u64, [u8; 32])> {
    if size >= PARALLEL_FROM {
        match tree(file, size) {
            Ok(digest) => return Ok((size, digest)),
            // Cut short meanwhile: what is there now is read from the start.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(e) => return Err(e),
        }
    }
    let mut hasher = Hasher::new();
    with_buffer(|buffer| {
        let mut reader = file;
        loop {
            match reader.read(buffer) {
                Ok(0) => break,
                Ok(n) => {
                    hasher.update(&buffer[..n]);
                    // A short read at the size the file claims is its end.
                    if n < buffer.len() && hasher.count() == size {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    })?;
    Ok((hasher.count(), *hasher.finalize().as_bytes()))
}

fn with_buffer<T>(work: impl FnOnce(&mut [u8]) -> io::Result<T>) -> io::Result<T> {
    BUFFERS.with(|cell| match cell.try_borrow_mut() {
        Ok(mut buffer) => work(&mut buffer),
        // Not reached: no work gives way to another job while it holds the buffer.
        Err(_) => work(&mut vec![0; BUFFER]),
    })
}

/// The hash of a file of more than one part.
fn tree(file: &File, size: u64) -> io::Result<[u8; 32]> {
    let left = left_subtree_len(size);
    let (l, r) = rayon::join(
        || subtree(file, 0, left),
        || subtree(file, left, size - left),
    );
    Ok(*merge_subtrees_root(&l?, &r?, Mode::Hash).as_bytes())
}

fn subtree(file: &File, start: u64, size: u64) -> io::Result<ChainingValue> {
    if size > PART {
        let left = left_subtree_len(size);
        let (l, r) = rayon::join(
            || subtree(file, start, left),
            || subtree(file, start + left, size - left),
        );
        return Ok(merge_subtrees_non_root(&l?, &r?, Mode::Hash));
    }
    let mut hasher = Hasher::new();
    hasher.set_input_offset(start);
    with_buffer(|buffer| {
        let (mut at, end) = (start, start + size);
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(BUFFER).min(BUFFER);
            file.read_exact_at(&mut buffer[..want], at)?;
            hasher.update(&buffer[..want]);
            at += want as u64;
        }
        Ok(())
    })?;
    Ok(hasher.finalize_non_root())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_plain_hash() {
        let (part, from) = (PART as usize, PARALLEL_FROM as usize);
        for size in [
            0,
            1,
            BUFFER,
            BUFFER + 1,
            from - 1,
            from,
            from + 1,
            from + 1024,
            from + part,
            from + part + 1025,
            5 * part + 3,
        ] {
            let bytes: Vec<u8> = (0..size).map(|i| (i * 31 + i / 255) as u8).collect();
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, &bytes).unwrap();
            io::Seek::rewind(&mut file).unwrap();
            let want = (size as u64, *blake3::hash(&bytes).as_bytes());
            assert_eq!(digest(&file, size as u64).unwrap(), want, "{size}");
            // A file that turns out shorter, and one that turns out longer.
            io::Seek::rewind(&mut file).unwrap();
            if size > 0 {
                let claim = (size as u64 + 1).max(PARALLEL_FROM);
                assert_eq!(digest(&file, claim.max(size as u64 + 1)).unwrap(), want);
            }
        }
    }
}
