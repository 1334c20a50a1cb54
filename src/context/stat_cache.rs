//! Digests remembered from one run to the next, one file per context root.
//!
//! Goes in: a folder of the tool's own, the canonical root, files with their stat data. Comes out:
//! the digest a file had when it had exactly these stat data. Costs one read and one checksum of a
//! file of about 100 bytes per remembered path. Invariant: a torn, stale or foreign store remembers
//! nothing, and a file as young as the run that read it is not remembered, since a write within the
//! clock's grain would leave its stat data as they are.

use crate::disk::Kept;
use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

/// Changes with the format; an older store is a miss.
const MAGIC: &[u8] = b"cacheplan stat cache\x001";
/// Coarsest time stamps of file systems in use (FAT: two seconds), in nanoseconds.
const GRAIN: i128 = 2_000_000_000;

/// What tells one state of a file from another without reading it. Times are nanoseconds since
/// 1970. The time of the last status change moves with every write and cannot be set back, so an
/// edit that keeps size and modification time is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    modified: i128,
    changed: i128,
    inode: u64,
    device: u64,
    mode: u32,
}

/// A moment, in nanoseconds since 1970.
pub(super) type Moment = i128;

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let nanoseconds = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
        Self {
            size: metadata.len(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
            mode: metadata.mode(),
        }
    }

    pub(super) fn now() -> Moment {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |d| i128::try_from(d.as_nanos()).unwrap_or(0))
    }

    /// Whether the file was at rest when a run that started at `start` read it.
    pub(super) fn settled(&self, start: Moment) -> bool {
        self.modified.max(self.changed).saturating_add(GRAIN) < start
    }
}

/// One remembered file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known<'a> {
    /// Relative to the root.
    #[serde(borrow)]
    pub(super) path: &'a [u8],
    pub(super) stamp: Stamp,
    pub(super) digest: [u8; 32],
}

/// The body of a store. Entries are sorted by path.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Store<'a> {
    #[serde(borrow)]
    root: &'a [u8],
    #[serde(borrow)]
    known: Vec<Known<'a>>,
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

    /// Everything remembered, sorted by path.
    pub(super) fn known(&self) -> Vec<Known<'_>> {
        let store = postcard::from_bytes::<Store>(&self.bytes).ok();
        let Some(store) = store.filter(|s| s.root == self.root) else {
            return Vec::new();
        };
        // What was not written by `save` cannot be searched.
        if store.known.is_sorted_by(|a, b| a.path < b.path) {
            store.known
        } else {
            Vec::new()
        }
    }

    /// Replaces the store, all or nothing. Failure is silent: the next run reads the files again.
    pub(super) fn save(&self, known: &[Known<'_>]) {
        let store = Store {
            root: &self.root,
            known: known.to_vec(),
        };
        if let Ok(bytes) = postcard::to_stdvec(&store) {
            self.kept.write(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn known(path: &[u8]) -> Known<'_> {
        Known {
            path,
            stamp: Stamp {
                size: 3,
                modified: -5,
                ..Stamp::default()
            },
            digest: [7; 32],
        }
    }

    #[test]
    fn what_is_saved_is_known_for_that_root_only() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StatCache::open(dir.path(), Path::new("/a"));
        assert!(cache.known().is_empty());
        cache.save(&[known(b"x"), known(b"\xFF")]);
        let again = StatCache::open(dir.path(), Path::new("/a"));
        assert_eq!(again.known(), [known(b"x"), known(b"\xFF")]);
        assert!(
            StatCache::open(dir.path(), Path::new("/b"))
                .known()
                .is_empty()
        );
        // A store under another root's name is not believed.
        let b = StatCache::open(dir.path(), Path::new("/b"));
        fs::copy(again.kept.path(), b.kept.path()).unwrap();
        assert!(
            StatCache::open(dir.path(), Path::new("/b"))
                .known()
                .is_empty()
        );
    }

    #[test]
    fn every_torn_or_flipped_store_is_a_miss() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StatCache::open(dir.path(), Path::new("/a"));
        cache.save(&[known(b"x"), known(b"y")]);
        let whole = fs::read(cache.kept.path()).unwrap();
        let none = |bytes: &[u8]| {
            fs::write(cache.kept.path(), bytes).unwrap();
            StatCache::open(dir.path(), Path::new("/a"))
                .known()
                .is_empty()
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
            StatCache::open(dir.path(), Path::new(&format!("/{i}"))).save(&[known(b"x")]);
        }
        let folder = dir.path().join("stat");
        fs::write(folder.join("stranger"), "x").unwrap();
        StatCache::open(dir.path(), Path::new("/last")).save(&[known(b"x")]);
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            crate::disk::MAX_FILES + 1
        );
        assert_eq!(
            StatCache::open(dir.path(), Path::new("/last"))
                .known()
                .len(),
            1
        );
        assert!(folder.join("stranger").exists());
    }

    #[test]
    fn a_store_that_is_no_file_or_cannot_be_written_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StatCache::open(dir.path(), Path::new("/a"));
        fs::create_dir_all(cache.kept.path()).unwrap();
        cache.save(&[known(b"x")]);
        assert!(
            StatCache::open(dir.path(), Path::new("/a"))
                .known()
                .is_empty()
        );
        let blocked = dir.path().join("file");
        fs::write(&blocked, "x").unwrap();
        StatCache::open(&blocked, Path::new("/a")).save(&[known(b"x")]);
    }

    #[test]
    fn a_file_younger_than_the_grain_is_not_settled() {
        let at = |modified, changed| Stamp {
            modified,
            changed,
            ..Stamp::default()
        };
        assert!(at(0, 0).settled(GRAIN + 1));
        assert!(!at(0, 0).settled(GRAIN));
        assert!(!at(0, 5).settled(GRAIN + 1));
        assert!(!at(5, 0).settled(GRAIN + 1));
        assert!(!at(i128::MAX, 0).settled(0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_miss_or_sorted(bytes in proptest::collection::vec(any::<u8>(), 0..400), sealed in any::<bool>()) {
            let dir = tempfile::tempdir().unwrap();
            let cache = StatCache::open(dir.path(), Path::new("/a"));
            fs::create_dir_all(dir.path().join("stat")).unwrap();
            // Sealed: right magic and checksum around any body, so that the decoder meets it.
            let bytes = if sealed {
                let mut all = [MAGIC, &bytes].concat();
                let sum = blake3::hash(&all);
                all.extend_from_slice(sum.as_bytes());
                all
            } else {
                bytes
            };
            fs::write(cache.kept.path(), bytes).unwrap();
            let again = StatCache::open(dir.path(), Path::new("/a"));
            prop_assert!(again.known().is_sorted_by(|a, b| a.path < b.path));
            if !sealed {
                prop_assert!(again.known().is_empty());
            }
        }
    }
}
