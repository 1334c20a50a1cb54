//! blake3 of file contents and link texts, many at a time.
//!
//! Goes in: entries without digests. Comes out: the same entries with digests, sizes as read, and
//! without files that vanished meanwhile. Costs one read of every regular file that the stat cache
//! does not know, spread over all cores, large files by parts. Invariant: a file that changes while
//! it is read gives some digest or an error, never a crash and never a wait; hence no memory maps,
//! which fault when a file is cut short, and no blocking open.

use super::stat_cache::{Known, Moment, Stamp, StatCache};
use super::{Context, ContextEntry, ContextError, EntryKind, Hashing, Problem, ProblemKind};
use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, left_subtree_len, merge_subtrees_non_root,
    merge_subtrees_root,
};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
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
    /// When the run began; before any file was read.
    pub(super) started: Moment,
}

/// Fills in digests, and gives what may be remembered, unless that is remembered already. The builder
/// forgives files that disappear between walk and read, so they drop out.
pub(super) fn fill_digests<'a>(
    contents: Contents<'_>,
    context: &'a mut Context,
    cache: Option<&StatCache>,
) -> Result<Option<Vec<Known<'a>>>, ContextError> {
    let entries = std::mem::take(&mut context.entries);
    let known = cache.map(StatCache::known).unwrap_or_default();
    let wanted = wanted(&entries, contents.hashing);
    let remembered = remembered(&entries, &contents.stamps, &known);
    let read: Vec<Read> = entries
        .into_par_iter()
        .zip(contents.stamps)
        .zip(remembered)
        .zip(wanted)
        .map(|(((entry, stamp), known), wanted)| {
            let job = Job {
                stamp,
                known,
                wanted,
            };
            with_digest(contents.root, entry, job)
        })
        .collect();
    // Collected before they are looked at, so that the first error by path is the one reported.
    let mut stamps = Vec::with_capacity(read.len());
    for one in read {
        match one {
            Read::Done(entry, stamp) => {
                context.entries.push(entry);
                stamps.push(stamp);
            }
            Read::Unreadable(entry) => {
                context.problems.push(Problem {
                    path: entry.path.clone(),
                    kind: ProblemKind::UnreadableFile,
                });
                context.entries.push(entry);
                stamps.push(None);
            }
            Read::Gone => {}
            Read::Failed(error) => return Err(error),
        }
    }
    if cache.is_none() {
        return Ok(None);
    }
    let remember = |(entry, stamp): (&'a ContextEntry, Option<Stamp>)| {
        let (stamp, digest) = (stamp?, entry.digest?);
        stamp.settled(contents.started).then_some(Known {
            path: &entry.path,
            stamp,
            digest,
        })
    };
    let pairs = context.entries.iter().zip(stamps);
    let fresh: Vec<Known<'a>> = pairs.filter_map(remember).collect();
    Ok((fresh != known).then_some(fresh))
}

/// What one entry needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    /// Only to know whether it can be read.
    Open,
    Digest,
}

fn wanted(entries: &[ContextEntry], hashing: Hashing) -> Vec<Wanted> {
    if hashing == Hashing::Digest {
        return vec![Wanted::Digest; entries.len()];
    }
    let is_read = |e: &ContextEntry| e.kind == EntryKind::File && !e.emptied;
    let mut of_size: FxHashMap<u64, u32> = FxHashMap::default();
    for entry in entries.iter().filter(|e| is_read(e) && e.size > 0) {
        *of_size.entry(entry.size).or_default() += 1;
    }
    let one = |entry: &ContextEntry| match entry {
        e if !is_read(e) => Wanted::Nothing,
        e if of_size.get(&e.size).is_some_and(|n| *n > 1) => Wanted::Digest,
        e if e.mode & 0o004 == 0 => Wanted::Open,
        _ => Wanted::Nothing,
    };
    entries.iter().map(one).collect()
}

/// The remembered digest of each entry; both lists are sorted by path.
fn remembered(
    entries: &[ContextEntry],
    stamps: &[Stamp],
    known: &[Known<'_>],
) -> Vec<Option<[u8; 32]>> {
    let mut rest = known.iter().peekable();
    let mut of = |entry: &ContextEntry, stamp: &Stamp| {
        while rest.next_if(|k| k.path < entry.path.as_slice()).is_some() {}
        let found = rest.peek().filter(|k| k.path == entry.path)?;
        (found.stamp == *stamp).then_some(found.digest)
    };
    entries.iter().zip(stamps).map(|(e, s)| of(e, s)).collect()
}

struct Job {
    stamp: Stamp,
    known: Option<[u8; 32]>,
    wanted: Wanted,
}

enum Read {
    /// With the stat data the digest belongs to, where it may be remembered.
    Done(ContextEntry, Option<Stamp>),
    /// It arrives empty.
    Unreadable(ContextEntry),
    Gone,
    Failed(ContextError),
}

fn with_digest(root: &Path, mut entry: ContextEntry, job: Job) -> Read {
    if let Some(target) = &entry.link_target {
        entry.digest = (job.wanted == Wanted::Digest).then(|| *blake3::hash(target).as_bytes());
        return Read::Done(entry, None);
    }
    if entry.kind != EntryKind::File {
        return Read::Done(entry, None);
    }
    if entry.emptied {
        entry.digest = Some(*blake3::hash(b"").as_bytes());
        return Read::Done(entry, None);
    }
    if job.wanted == Wanted::Nothing {
        return Read::Done(entry, None);
    }
    if let Some(digest) = job.known {
        entry.digest = Some(digest);
        return Read::Done(entry, Some(job.stamp));
    }
    let path = root.join(OsStr::from_bytes(&entry.path));
    match open(&path).and_then(|file| match (file, job.wanted) {
        (Some((_, stamp, size)), Wanted::Open) => Ok(Some((stamp, size, None))),
        (Some((file, stamp, size)), _) => {
            let (size, digest) = digest(&file, size)?;
            Ok(Some((stamp, size, Some(digest))))
        }
        (None, _) => Ok(None),
    }) {
        Ok(Some((stamp, size, digest))) => {
            entry.size = size;
            entry.digest = digest;
            Read::Done(entry, Some(stamp))
        }
        Ok(None) => Read::Gone,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Read::Gone,
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            entry.emptied = true;
            entry.size = 0;
            entry.digest = Some(*blake3::hash(b"").as_bytes());
            Read::Unreadable(entry)
        }
        Err(source) => Read::Failed(ContextError::Read { path, source }),
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
    let metadata = file.metadata()?;
    let stamp = Stamp::of(&metadata);
    Ok(metadata.is_file().then_some((file, stamp, metadata.len())))
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
