//! What a store keeps, and what of a damaged one is believed.

use super::*;
use proptest::prelude::*;
use std::ffi::CStr;
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

fn save(cache: &StatCache, paths: &[&[u8]]) {
    let files = paths.iter().map(|path| File {
        path,
        stamp: stamp(),
        digest: [7; 32],
    });
    cache.save(&[], files);
}

fn count(dir: &Path, root: &str) -> usize {
    let cache = StatCache::open(dir, Path::new(root));
    cache.remembered().files()
}

/// The digest of a file that has these stat data.
fn digest(all: &Remembered<'_>, path: &[u8], stamp: &Stamp) -> Option<[u8; 32]> {
    let records = all.folder(parent(path))?.records;
    let name = [name_in(parent(path), path), b"\0"].concat();
    let mut names = Names::default();
    names.push(CStr::from_bytes_with_nul(&name).ok()?, false);
    names.recall(records);
    let known = names.some(0, 1).next()?.known;
    known?.digest_at(stamp)
}

#[test]
fn what_is_saved_is_known_for_that_root_only() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(count(dir.path(), "/a"), 0);
    let cache = StatCache::open(dir.path(), Path::new("/a"));
    save(&cache, &[b"d", b"d/e/f", b"d/g", b"x", b"\xFF"]);
    let again = StatCache::open(dir.path(), Path::new("/a"));
    let all = again.remembered();
    assert_eq!((all.files(), all.listings()), (5, 0));
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
        let digest = digest(&all, path, &stamp);
        assert_eq!(digest, found.then_some([7; 32]), "{path:?}");
    }
    assert_eq!(count(dir.path(), "/b"), 0);
    // A store under another root's name is not believed.
    let b = StatCache::open(dir.path(), Path::new("/b"));
    fs::copy(again.kept.path(), b.kept.path()).unwrap();
    assert_eq!(count(dir.path(), "/b"), 0);
}

#[test]
fn a_listing_is_known_for_a_folder_with_the_times_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let cache = StatCache::open(dir.path(), Path::new("/a"));
    let mut names = Names::default();
    for (name, is_dir) in [(c"e", true), (c"b", false), (c"a", false)] {
        names.push(name, is_dir);
    }
    names.sort();
    let fresh = vec![Listing {
        path: b"d".to_vec(),
        fresh: Some((stamp(), Arc::new(names))),
    }];
    let file = File {
        path: b"d/b",
        stamp: stamp(),
        digest: [7; 32],
    };
    let known = |cache: &StatCache| {
        let all = cache.remembered();
        assert_eq!((all.files(), all.listings()), (1, 1));
        let folder = all.folder(b"d").unwrap();
        let other = Stamp {
            changed: at(1),
            ..stamp()
        };
        assert!(folder.names_at(&other).is_none());
        let names = folder.names_at(&stamp()).unwrap();
        let all = names.some(0, 9);
        let all = all.map(|n| (n.name.to_owned(), n.is_dir, n.known.is_some()));
        all.collect::<Vec<_>>()
    };
    let want = [
        (c"a", false, false),
        (c"b", false, true),
        (c"e", true, false),
    ];
    let want = want.map(|(name, is_dir, known)| (name.to_owned(), is_dir, known));
    cache.save(&fresh, std::iter::once(file));
    let second = StatCache::open(dir.path(), Path::new("/a"));
    assert_eq!(known(&second), want);
    // What is remembered already is taken over from there.
    let again = vec![Listing {
        path: b"d".to_vec(),
        fresh: None,
    }];
    second.save(&again, std::iter::once(file));
    let third = StatCache::open(dir.path(), Path::new("/a"));
    assert_eq!(known(&third), want);
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
        for path in [&b""[..], b"\x01", b"\x01/\x02", b"\x02"] {
            let _ = digest(&all, path, &Stamp::default());
            if let Some(folder) = all.folder(path) {
                let names = folder.names();
                prop_assert!(names.some(0, names.len()).count() <= names.len());
            }
        }
        if !sealed {
            prop_assert_eq!(all.files() + all.listings(), 0);
        }
    }
}
