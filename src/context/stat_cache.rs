//! Digests and listings remembered from one run to the next, one file per context root.
//!
//! Goes in: a folder of the tool's own, the canonical root, files and folders with their stat data.
//! Comes out: the digest a file had when it had exactly these stat data, and the names a folder
//! held. Costs one read and one checksum of a file of about 100 bytes per remembered path, and a
//! look at each record of the folders asked for: records lie by folder, are compared as they lie,
//! and none is copied. Invariant: a torn, stale or foreign store remembers nothing, and a file or
//! folder as young as the run that read it is not remembered, since a change within the clock's
//! grain would leave its stat data as they are.

use super::names::Names;
use crate::disk::Kept;
use crate::pattern::path::parent;
use rustc_hash::FxHashMap;
use rustix::fs::Stat;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// Changes with the format; an older store is a miss.
const MAGIC: &[u8] = b"cacheplan stat cache\x003";
/// Coarsest time stamps of file systems in use (FAT: two seconds), in nanoseconds.
const GRAIN: i128 = 2_000_000_000;

/// What a record is of: a name of a listing, a folder's name in one, a file that has a digest.
const NAME: u8 = 0;
const FOLDER: u8 = 1;
const FILE: u8 = 2;

/// What tells one state of a file from another without reading it. The time of the last status
/// change moves with every write and cannot be set back, so an edit that keeps size and
/// modification time is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified: Time,
    changed: Time,
    inode: u64,
    device: u64,
    mode: u32,
}

/// Seconds since 1970, and nanoseconds on top of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Time {
    seconds: i64,
    nanoseconds: u32,
}

/// A moment, in nanoseconds since 1970.
pub(super) type Moment = i128;

/// A stamp as it is stored.
type Stored = [u8; 52];

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        // The fields have other types on other systems. Equal values stay equal, which is enough.
        fn wide(value: impl Into<i128>) -> i128 {
            value.into()
        }
        let time = |seconds: i128, nanoseconds: i128| Time {
            seconds: seconds as i64,
            nanoseconds: nanoseconds as u32,
        };
        Self {
            size: wide(stat.st_size) as u64,
            modified: time(wide(stat.st_mtime), wide(stat.st_mtime_nsec)),
            changed: time(wide(stat.st_ctime), wide(stat.st_ctime_nsec)),
            inode: wide(stat.st_ino) as u64,
            device: wide(stat.st_dev) as u64,
            mode: wide(stat.st_mode) as u32,
        }
    }

    pub(super) fn now() -> Moment {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |d| i128::try_from(d.as_nanos()).unwrap_or(0))
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn device(&self) -> u64 {
        self.device
    }

    /// Permission bits with setuid, setgid and sticky.
    pub(super) fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// Whether the file was at rest when a run that started at `start` read it.
    pub(super) fn settled(&self, start: Moment) -> bool {
        let Time {
            seconds,
            nanoseconds,
        } = self.modified.max(self.changed);
        i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds) + GRAIN < start
    }

    fn stored(&self) -> Stored {
        let mut out = [0; 52];
        let mut rest = &mut out[..];
        let mut put = |bytes: &[u8]| {
            if let Some(to) = rest.split_off_mut(..bytes.len()) {
                to.copy_from_slice(bytes);
            }
        };
        put(&self.size.to_le_bytes());
        for time in [self.modified, self.changed] {
            put(&time.seconds.to_le_bytes());
            put(&time.nanoseconds.to_le_bytes());
        }
        put(&self.inode.to_le_bytes());
        put(&self.device.to_le_bytes());
        put(&self.mode.to_le_bytes());
        out
    }
}

/// One file to remember.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'a> {
    /// Relative to the root.
    pub(super) path: &'a [u8],
    pub(super) stamp: Stamp,
    pub(super) digest: [u8; 32],
}

/// The names of one folder, to remember.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    /// Relative to the root.
    pub(super) path: Vec<u8>,
    /// Of before it was listed, and its names; `None` for those that are remembered already.
    pub(super) fresh: Option<(Stamp, Arc<Names<'a>>)>,
}

/// What is remembered of one root.
#[derive(Debug)]
pub(super) struct StatCache {
    kept: Kept,
    root: Vec<u8>,
    /// The store as read, checked; empty when there is none that can be used.
    bytes: Vec<u8>,
}

impl StatCache {
    /// The store of `root` in `cache_dir`; neither needs to hold anything yet.
    pub(super) fn open(cache_dir: &Path, root: &Path) -> Self {
        let root = root.as_os_str().as_bytes().to_vec();
        let kept = Kept::new(cache_dir.join("stat"), &root, MAGIC);
        let bytes = kept.read();
        Self { kept, root, bytes }
    }

    /// Everything remembered; nothing at all where the store was not written by [`Self::save`].
    pub(super) fn remembered(&self) -> Remembered<'_> {
        self.folders().unwrap_or_default()
    }

    fn folders(&self) -> Option<Remembered<'_>> {
        let mut rest = self.bytes.as_slice();
        let mut all = Remembered::default();
        if part(&mut rest)? != self.root {
            return None;
        }
        while !rest.is_empty() {
            let path = part(&mut rest)?;
            let listed = match array(&mut rest)? {
                [0] => None,
                _ => Some(array(&mut rest)?),
            };
            let (files, names) = (number(&mut rest)?, number(&mut rest)?);
            let records = Records {
                bytes: part(&mut rest)?,
                at: 0,
            };
            all.files += files as usize;
            all.listings += usize::from(listed.is_some());
            all.folders.insert(
                path,
                KnownFolder {
                    listed,
                    names: (names as usize).min(records.bytes.len()),
                    records,
                },
            );
        }
        Some(all)
    }

    /// Replaces the store, all or nothing; the files are sorted by path. Failure is silent: the
    /// next run reads the files again.
    pub(super) fn save<'a>(&self, listings: &[Listing<'_>], files: impl Iterator<Item = File<'a>>) {
        // The files of a folder do not lie side by side: what is in `a/b` is between `a/a` and `a/c`.
        let mut folders: FxHashMap<&[u8], Group<'_, '_>> = FxHashMap::default();
        for file in files {
            let group = folders.entry(parent(file.path)).or_default();
            group.files.push(file);
        }
        for listing in listings {
            folders.entry(&listing.path).or_default().listing = Some(listing);
        }
        let remembered = self.remembered();
        let mut folders: Vec<_> = folders.into_iter().collect();
        folders.sort_unstable_by_key(|(path, _)| *path);
        let mut bytes = Vec::new();
        let mut whole = put_part(&mut bytes, &self.root);
        for (path, group) in &folders {
            whole &= group.put(&mut bytes, path, &remembered).is_some();
        }
        if whole {
            self.kept.write(&bytes);
        }
    }
}

/// What there is to remember of one folder.
#[derive(Default)]
struct Group<'g, 'a> {
    listing: Option<&'g Listing<'a>>,
    files: Vec<File<'g>>,
}

impl Group<'_, '_> {
    /// Adds the folder to a store; `None` where it cannot be said in this format.
    fn put(&self, out: &mut Vec<u8>, path: &[u8], remembered: &Remembered<'_>) -> Option<()> {
        let (known, again);
        let listed = match self.listing {
            None => None,
            Some(Listing { fresh, .. }) => match fresh {
                Some((stamp, names)) => Some((stamp.stored(), &**names)),
                None => {
                    known = remembered.folder(path)?;
                    again = known.names();
                    Some((*known.listed?, &again))
                }
            },
        };
        let mut records = Vec::new();
        let mut names = 0_u32;
        let mut put = |name: &[u8], kind: u8, file: Option<&File<'_>>| {
            names += 1;
            let length = u16::try_from(name.len()).ok()?;
            records.extend_from_slice(&length.to_le_bytes());
            records.push(kind);
            records.extend_from_slice(name);
            if let Some(file) = file {
                records.extend_from_slice(&file.stamp.stored());
                records.extend_from_slice(&file.digest);
            }
            Some(())
        };
        let mut files = self.files.iter().peekable();
        for named in listed
            .iter()
            .flat_map(|(_, names)| names.some(0, names.len()))
        {
            let name = named.name.to_bytes();
            // The listing has every file that was found, so none is passed over.
            match files.next_if(|file| name_in(path, file.path) == name) {
                Some(file) => put(named.name.to_bytes_with_nul(), FILE, Some(file))?,
                None if named.is_dir => put(named.name.to_bytes_with_nul(), FOLDER, None)?,
                None => put(named.name.to_bytes_with_nul(), NAME, None)?,
            }
        }
        for file in files {
            let name = [name_in(path, file.path), b"\0"].concat();
            put(&name, FILE, Some(file))?;
        }
        let mut whole = put_part(out, path);
        match &listed {
            None => out.push(0),
            Some((stamp, _)) => {
                out.push(1);
                out.extend_from_slice(stamp);
            }
        }
        out.extend_from_slice(&u32::try_from(self.files.len()).ok()?.to_le_bytes());
        out.extend_from_slice(&names.to_le_bytes());
        whole &= put_part(out, &records);
        whole.then_some(())
    }
}

/// The records of a store by folder.
#[derive(Debug, Default)]
pub(super) struct Remembered<'a> {
    folders: FxHashMap<&'a [u8], KnownFolder<'a>>,
    files: usize,
    listings: usize,
}

impl<'a> Remembered<'a> {
    /// How many files it holds.
    pub(super) fn files(&self) -> usize {
        self.files
    }

    /// Of how many folders it holds all names.
    pub(super) fn listings(&self) -> usize {
        self.listings
    }

    pub(super) fn folder(&self, path: &[u8]) -> Option<KnownFolder<'a>> {
        self.folders.get(path).copied()
    }
}

/// What is remembered of one folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownFolder<'a> {
    /// The stat data it had when its listing was read, if all its names are here.
    listed: Option<&'a Stored>,
    names: usize,
    /// Of its files, or of all its names.
    pub(super) records: Records<'a>,
}

impl<'a> KnownFolder<'a> {
    /// All names, if it has the stat data it had.
    pub(super) fn names_at(&self, stamp: &Stamp) -> Option<Names<'a>> {
        (*self.listed? == stamp.stored()).then(|| self.names())
    }

    fn names(&self) -> Names<'a> {
        Names::remembered(self.records, self.names)
    }
}

/// What is remembered of one file, as it lies in the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownFile<'a> {
    stamp: &'a Stored,
    digest: &'a [u8; 32],
}

impl KnownFile<'_> {
    /// The digest, if the file has the stat data it had.
    pub(super) fn digest_at(&self, stamp: &Stamp) -> Option<[u8; 32]> {
        (*self.stamp == stamp.stored()).then_some(*self.digest)
    }
}

/// Records of one folder, sorted by name, as they lie in the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// One record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// Where the name is among the bytes.
    pub(super) start: usize,
    /// Behind its NUL.
    pub(super) end: usize,
    pub(super) is_dir: bool,
    pub(super) known: Option<KnownFile<'a>>,
}

impl<'a> Records<'a> {
    /// All bytes, those of records that are passed already too.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The name of one of these records, with its NUL.
    pub(super) fn name(&self, record: &Record<'_>) -> Option<&'a [u8]> {
        self.bytes.get(record.start..record.end)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let mut rest = self.bytes.get(self.at..)?;
        let length = u16::from_le_bytes(*array(&mut rest)?);
        let [kind] = *array(&mut rest)?;
        let start = self.bytes.len() - rest.len();
        rest.split_off(..usize::from(length))?;
        let end = self.bytes.len() - rest.len();
        let known = match kind {
            FILE => Some(KnownFile {
                stamp: array(&mut rest)?,
                digest: array(&mut rest)?,
            }),
            _ => None,
        };
        self.at = self.bytes.len() - rest.len();
        let is_dir = kind == FOLDER;
        Some(Record {
            start,
            end,
            is_dir,
            known,
        })
    }
}

fn name_in<'a>(folder: &[u8], path: &'a [u8]) -> &'a [u8] {
    let slash = usize::from(!folder.is_empty());
    path.get(folder.len() + slash..).unwrap_or_default()
}

fn array<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (array, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(array)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*array(rest)?))
}

/// Adds bytes with their number in front, unless there are too many to say.
fn put_part(out: &mut Vec<u8>, part: &[u8]) -> bool {
    let Ok(length) = u32::try_from(part.len()) else {
        return false;
    };
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(part);
    true
}

/// What [`put_part`] added.
fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)?;
    rest.split_off(..usize::try_from(length).ok()?)
}

#[cfg(test)]
#[path = "stat_cache_tests.rs"]
mod tests;
