//! Listings that are remembered: what is seen all the same, and what is not asked for again.

use super::*;
use crate::pattern::IgnoreRules;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A tree `a/x`, `a/y`, `b/z` older than the store's grain, and a place for its store.
fn settled() -> (TempDir, TempDir) {
    let root = tempfile::tempdir().unwrap();
    for path in ["a/x", "a/y", "b/z"] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "one").unwrap();
    }
    settle();
    (root, tempfile::tempdir().unwrap())
}

/// Waits until what was written before is older than the store's grain.
fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(2100));
}

/// A walk with the store is one without; how many listings it leaves behind.
fn compare(root: &TempDir, store: &TempDir) -> usize {
    let rules = IgnoreRules::default();
    let options = WalkOptions::default();
    let plain = walk(root.path(), &rules, options).unwrap();
    let with = walk_cached(root.path(), &rules, options, Some(store.path())).unwrap();
    assert_eq!(with, plain);
    let real = fs::canonicalize(root.path()).unwrap();
    let cache = stat_cache::StatCache::open(store.path(), &real);
    cache.remembered().listings()
}

/// Whether listings are remembered on the file system of temporary files.
fn remembers(listings: usize) -> bool {
    if listings == 0 {
        eprintln!("skipped: no listings are remembered on this file system");
    }
    listings > 0
}

#[test]
fn names_that_come_and_go_are_seen() {
    let (root, store) = settled();
    let at = |path: &str| root.path().join(path);
    if !remembers(compare(&root, &store)) {
        return;
    }
    let changes: [&dyn Fn() -> std::io::Result<()>; 8] = [
        &|| fs::write(at("a/new"), "two"),
        &|| fs::remove_file(at("a/x")),
        &|| fs::rename(at("a/y"), at("a/w")),
        &|| fs::rename(at("a/w"), at("b/w")),
        &|| fs::rename(at("b"), at("c")),
        // Another folder, of the same name and with other files.
        &|| fs::create_dir(at("b")).and_then(|()| fs::write(at("b/other"), "")),
        // A file where a folder was, and the other way round.
        &|| fs::remove_dir_all(at("b")).and_then(|()| fs::write(at("b"), "")),
        &|| fs::remove_file(at("c/z")).and_then(|()| fs::create_dir(at("c/z"))),
    ];
    for change in changes {
        change().unwrap();
        compare(&root, &store);
        compare(&root, &store);
    }
    settle();
    for _ in 0..2 {
        assert_eq!(compare(&root, &store), 4, "the root, a, c and c/z");
    }
}

#[test]
fn a_folder_as_young_as_the_run_is_listed_again() {
    let (root, store) = settled();
    if !remembers(compare(&root, &store)) {
        return;
    }
    fs::write(root.path().join("a/new"), "").unwrap();
    assert_eq!(compare(&root, &store), 2, "the root and b");
    // Set back to what it was: the time of the last status change cannot be.
    let folder = fs::File::open(root.path().join("a")).unwrap();
    let before = fs::metadata(root.path().join("b")).unwrap();
    let times = fs::FileTimes::new().set_modified(before.modified().unwrap());
    folder.set_times(times).unwrap();
    assert_eq!(compare(&root, &store), 2);
    settle();
    assert_eq!(compare(&root, &store), 3);
}

#[test]
fn a_remembered_folder_is_not_listed_again() {
    let (root, store) = settled();
    if !remembers(compare(&root, &store)) {
        return;
    }
    // A store that leaves a name out shows where the names are from.
    let real = fs::canonicalize(root.path()).unwrap();
    let cache = stat_cache::StatCache::open(store.path(), &real);
    let stamp = |path: &Path| stat_cache::Stamp::of(&rustix::fs::stat(path).unwrap());
    let mut names = names::Names::default();
    names.push(c"x", false);
    let listing = stat_cache::Listing {
        path: b"a".to_vec(),
        fresh: Some((stamp(&real.join("a")), std::sync::Arc::new(names))),
    };
    cache.save(&[listing], std::iter::empty());
    let rules = IgnoreRules::default();
    let options = WalkOptions::default();
    let walked = walk_cached(&real, &rules, options, Some(store.path())).unwrap();
    let paths: Vec<&[u8]> = walked.entries.iter().map(|e| &e.path[..]).collect();
    assert_eq!(paths, [&b"a"[..], b"a/x", b"b", b"b/z"]);
}

#[test]
fn listings_of_folders_that_rules_hide_do_not_stay_in_the_way() {
    let (root, store) = settled();
    if !remembers(compare(&root, &store)) {
        return;
    }
    let text = crate::source::SourceFile::new(".dockerignore", "a\n!**/none");
    let rules = IgnoreRules::parse(&text).0;
    for _ in 0..2 {
        let options = WalkOptions::default();
        let plain = walk(root.path(), &rules, options).unwrap();
        let with = walk_cached(root.path(), &rules, options, Some(store.path())).unwrap();
        assert_eq!(with, plain);
    }
    assert_eq!(compare(&root, &store), 3);
}
