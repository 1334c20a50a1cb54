//! Digests remembered from one run to the next, one file per context root.
//!
//! Goes in: a folder of the tool's own, the canonical root, files with their stat data. Comes out:
//! the digest a file had when it had exactly these stat data. Costs one read and one checksum of a
//! file of about 100 bytes per remembered path, and a look at each record of the folders asked for:
//! records lie by folder, are compared as they lie, and none is copied. Invariant: a torn, stale or
//! foreign store remembers nothing, and a file as young as the run that read it is not remembered,
//! since a write within the clock's grain would leave its stat data as they are.

use crate::disk::Kept;
use crate::pattern::path::parent;
use rustc_hash::FxHashMap;
use rustix::fs::Stat;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::SystemTime;

/// Changes with the format; an older store is a miss.
const MAGIC: &[u8] = b"cacheplan stat cache\x002";
/// Coarsest time stamps of file systems in use (FAT: two seconds), in nanoseconds.
const GRAIN: i128 = 2_000_000_000;

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
pub(super) struct Known<'a> {
    /// Relative to the root.
    pub(super) path: &'a [u8],
    pub(super) stamp: Stamp,
    pub(super) digest: [u8; 32],
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
            let (path, files) = (part(&mut rest)?, number(&mut rest)?);
            all.folders.insert(path, part(&mut rest)?);
            all.files += files as usize;
        }
        Some(all)
    }

    /// Replaces the store, all or nothing; the files are sorted by path. Failure is silent: the
    /// next run reads the files again.
    pub(super) fn save<'a>(&self, known: impl Iterator<Item = Known<'a>>) {
        // The files of a folder do not lie side by side: what is in `a/b` is between `a/a` and `a/c`.
        let mut folders: Vec<(&[u8], u32, Vec<u8>)> = Vec::new();
        let mut places: FxHashMap<&[u8], usize> = FxHashMap::default();
        for known in known {
            let folder = parent(known.path);
            let place = *places.entry(folder).or_insert_with(|| {
                folders.push((folder, 0, Vec::new()));
                folders.len() - 1
            });
            let name = name_in(folder, known.path);
            // No file system has such names; the file would be read again.
            let (Ok(length), Some(out)) = (u16::try_from(name.len()), folders.get_mut(place))
            else {
                continue;
            };
            out.1 += 1;
            out.2.extend_from_slice(&length.to_le_bytes());
            out.2.extend_from_slice(name);
            out.2.extend_from_slice(&known.stamp.stored());
            out.2.extend_from_slice(&known.digest);
        }
        let mut bytes = Vec::new();
        let mut whole = put_part(&mut bytes, &self.root);
        for (path, files, records) in &folders {
            whole &= put_part(&mut bytes, path);
            bytes.extend_from_slice(&files.to_le_bytes());
            whole &= put_part(&mut bytes, records);
        }
        if whole {
            self.kept.write(&bytes);
        }
    }
}

/// The records of a store by folder.
#[derive(Debug, Default)]
pub(super) struct Remembered<'a> {
    folders: FxHashMap<&'a [u8], &'a [u8]>,
    files: usize,
}

impl<'a> Remembered<'a> {
    /// How many files it holds.
    pub(super) fn len(&self) -> usize {
        self.files
    }

    /// For files that are asked for in the order of their paths.
    pub(super) fn look_up(&self) -> LookUp<'_, 'a> {
        LookUp {
            all: self,
            begun: FxHashMap::default(),
            folder: None,
            rest: &[],
        }
    }
}

/// A look-up that goes through each folder's records once, beside the folder's files.
pub(super) struct LookUp<'r, 'a> {
    all: &'r Remembered<'a>,
    /// What is left of folders that were left for one below.
    begun: FxHashMap<&'a [u8], &'a [u8]>,
    /// The folder of the last file, `None` where nothing of it is remembered.
    folder: Option<&'a [u8]>,
    rest: &'a [u8],
}

impl<'a> LookUp<'_, 'a> {
    /// The digest of a file that has the stat data it had.
    pub(super) fn digest(&mut self, path: &[u8], stamp: &Stamp) -> Option<[u8; 32]> {
        let folder = parent(path);
        if self.folder != Some(folder) {
            let (key, records) = self.all.folders.get_key_value(folder)?;
            if let Some(left) = self.folder.replace(key) {
                self.begun.insert(left, self.rest);
            }
            self.rest = self.begun.get(key).unwrap_or(records);
        }
        let name = name_in(folder, path);
        loop {
            let mut behind = self.rest;
            let record = Record::read(&mut behind)?;
            if record.name > name {
                return None;
            }
            self.rest = behind;
            if record.name == name {
                return (*record.stamp == stamp.stored()).then_some(*record.digest);
            }
        }
    }
}

/// A file's record as it lies in the store.
struct Record<'a> {
    name: &'a [u8],
    stamp: &'a Stored,
    digest: &'a [u8; 32],
}

impl<'a> Record<'a> {
    fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let length = u16::from_le_bytes(*array(rest)?);
        Some(Self {
            name: rest.split_off(..usize::from(length))?,
            stamp: array(rest)?,
            digest: array(rest)?,
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn at(seconds: i64) -> Time {
        Time {
            seconds,
            nanoseconds: 0,
        }
    }

    fn stamp() -> Stamp {
        Stamp {
            size: 3,
            modified: at(-5),
            ..Stamp::default()
        }
    }

    fn save<'a>(cache: &StatCache, paths: &[&'a [u8]]) {
        let known = |path: &&'a [u8]| Known {
            path,
            stamp: stamp(),
            digest: [7; 32],
        };
        cache.save(paths.iter().map(known));
    }

    fn count(dir: &Path, root: &str) -> usize {
        StatCache::open(dir, Path::new(root)).remembered().len()
    }

    #[test]
    fn what_is_saved_is_known_for_that_root_only() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(count(dir.path(), "/a"), 0);
        let cache = StatCache::open(dir.path(), Path::new("/a"));
        save(&cache, &[b"d", b"d/e/f", b"d/g", b"x", b"\xFF"]);
        let again = StatCache::open(dir.path(), Path::new("/a"));
        let all = again.remembered();
        assert_eq!(all.len(), 5);
        let mut look_up = all.look_up();
        let other = Stamp { size: 4, ..stamp() };
        for (path, stamp, found) in [
            (&b"a"[..], stamp(), false),
            (b"d", stamp(), true),
            (b"d/a", stamp(), false),
            (b"d/e/a", stamp(), false),
            (b"d/e/f", stamp(), true),
            (b"d/e/g", stamp(), false),
            (b"d/e/g/h", stamp(), false),
            (b"d/g", stamp(), true),
            (b"x", other, false),
            (b"\xFF", stamp(), true),
        ] {
            let digest = look_up.digest(path, &stamp);
            assert_eq!(digest, found.then_some([7; 32]), "{path:?}");
        }
        assert_eq!(count(dir.path(), "/b"), 0);
        // A store under another root's name is not believed.
        let b = StatCache::open(dir.path(), Path::new("/b"));
        fs::copy(again.kept.path(), b.kept.path()).unwrap();
        assert_eq!(count(dir.path(), "/b"), 0);
    }

    #[test]
    fn every_torn_or_flipped_store_is_a_miss() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StatCache::open(dir.path(), Path::new("/a"));
        save(&cache, &[b"x", b"y"]);
        let whole = fs::read(cache.kept.path()).unwrap();
        let none = |bytes: &[u8]| {
            fs::write(cache.kept.path(), bytes).unwrap();
            count(dir.path(), "/a") == 0
        };
        for cut in 0..whole.len() {
            assert!(none(&whole[..cut]), "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(none(&bytes), "flipped at {at}");
        }
        assert!(!none(&whole));
    }

    #[test]
    fn the_folder_stays_small_and_strangers_stay() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..crate::disk::MAX_FILES + 5 {
            save(
                &StatCache::open(dir.path(), Path::new(&format!("/{i}"))),
                &[b"x"],
            );
        }
        let folder = dir.path().join("stat");
        fs::write(folder.join("stranger"), "x").unwrap();
        save(&StatCache::open(dir.path(), Path::new("/last")), &[b"x"]);
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            crate::disk::MAX_FILES + 1
        );
        assert_eq!(count(dir.path(), "/last"), 1);
        assert!(folder.join("stranger").exists());
    }

    #[test]
    fn a_store_that_is_no_file_or_cannot_be_written_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StatCache::open(dir.path(), Path::new("/a"));
        fs::create_dir_all(cache.kept.path()).unwrap();
        save(&cache, &[b"x"]);
        assert_eq!(count(dir.path(), "/a"), 0);
        let blocked = dir.path().join("file");
        fs::write(&blocked, "x").unwrap();
        save(&StatCache::open(&blocked, Path::new("/a")), &[b"x"]);
    }

    #[test]
    fn a_file_younger_than_the_grain_is_not_settled() {
        let times = |modified, changed| Stamp {
            modified,
            changed,
            ..Stamp::default()
        };
        assert!(times(at(0), at(0)).settled(GRAIN + 1));
        assert!(!times(at(0), at(0)).settled(GRAIN));
        let later = Time {
            seconds: 0,
            nanoseconds: 5,
        };
        assert!(!times(at(0), later).settled(GRAIN + 1));
        assert!(!times(later, at(0)).settled(GRAIN + 1));
        assert!(!times(at(i64::MAX), at(0)).settled(0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_miss_or_searched(bytes in proptest::collection::vec(0..8_u8, 0..400), sealed in any::<bool>()) {
            let dir = tempfile::tempdir().unwrap();
            let cache = StatCache::open(dir.path(), Path::new("/a"));
            fs::create_dir_all(dir.path().join("stat")).unwrap();
            // Sealed: right magic, root and checksum around any body, so that the reader meets it.
            let bytes = if sealed {
                let mut all = [MAGIC, &2_u32.to_le_bytes(), b"/a", &bytes].concat();
                let sum = blake3::hash(&all);
                all.extend_from_slice(sum.as_bytes());
                all
            } else {
                bytes
            };
            fs::write(cache.kept.path(), bytes).unwrap();
            let again = StatCache::open(dir.path(), Path::new("/a"));
            let all = again.remembered();
            let mut look_up = all.look_up();
            for path in [&b""[..], b"\x00", b"\x00/\x01", b"\x01"] {
                let _ = look_up.digest(path, &Stamp::default());
            }
            if !sealed {
                prop_assert_eq!(all.len(), 0);
            }
        }
    }
}
