//! Trees on disk, and what is sent of them.

use super::*;
use crate::pattern::IgnoreRules;
use crate::source::SourceFile;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use tempfile::TempDir;

/// Makes a tree: a trailing `/` is a folder, `a -> b` a link, everything else a file that holds
/// its own name.
fn tree(paths: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for path in paths {
        let (path, target) = match path.split_once(" -> ") {
            Some((path, target)) => (path, Some(target)),
            None => (*path, None),
        };
        let full = root.path().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        match target {
            Some(target) => symlink(target, full).unwrap(),
            None if path.ends_with('/') => fs::create_dir_all(full).unwrap(),
            None => fs::write(full, path).unwrap(),
        }
    }
    root
}

fn rules(text: &str) -> IgnoreRules {
    IgnoreRules::parse(&SourceFile::new(".dockerignore", text)).0
}

fn walked(root: &TempDir, ignore: &str) -> Context {
    walk(root.path(), &rules(ignore), WalkOptions::default()).unwrap()
}

fn sent(context: &Context) -> Vec<String> {
    context.entries.iter().map(|e| display(&e.path)).collect()
}

fn ignored(context: &Context) -> Vec<(String, u32)> {
    let shown = |e: &IgnoredEntry| (display(&e.path), e.line);
    context.ignored.iter().map(shown).collect()
}

#[test]
fn entries_carry_kind_mode_size_and_digest() {
    let root = tree(&["a/f", "a/l -> ../nowhere", "e/", ".git/HEAD"]);
    let mode = |path: &str, mode| {
        let path = root.path().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("a/f", 0o4640);
    mode("e", 0o1777);
    let context = walked(&root, "");
    assert_eq!(
        sent(&context),
        [".git", ".git/HEAD", "a", "a/f", "a/l", "e"]
    );
    let entry = |path: &str| {
        let found = context.entries.iter().find(|e| e.path == path.as_bytes());
        found.unwrap().clone()
    };
    let file = entry("a/f");
    assert_eq!(
        (file.kind, file.mode, file.size),
        (EntryKind::File, 0o4640, 3)
    );
    assert_eq!(file.digest, Some(*blake3::hash(b"a/f").as_bytes()));
    let link = entry("a/l");
    assert_eq!(link.kind, EntryKind::Symlink);
    assert_eq!(link.link_target.as_deref(), Some(&b"../nowhere"[..]));
    assert_eq!(link.digest, Some(*blake3::hash(b"../nowhere").as_bytes()));
    let dir = entry("e");
    assert_eq!(
        (dir.kind, dir.mode, dir.digest),
        (EntryKind::Directory, 0o1777, None)
    );
}

#[test]
fn no_hashing_opens_no_file() {
    let root = tree(&["f", "l -> f"]);
    let options = WalkOptions {
        hashing: Hashing::None,
    };
    let context = walk(root.path(), &rules(""), options).unwrap();
    assert!(context.entries.iter().all(|e| e.digest.is_none()));
    assert_eq!(context.entries[0].size, 1);
}

#[test]
fn a_survivor_brings_its_folders_back() {
    let root = tree(&["d/x/keep", "d/x/drop", "d/y/z", "e/"]);
    let context = walked(&root, "d\n!d/x/keep");
    assert_eq!(sent(&context), ["d", "d/x", "d/x/keep", "e"]);
    assert_eq!(
        ignored(&context),
        [("d/x/drop".to_owned(), 1), ("d/y".to_owned(), 1)]
    );
    assert_eq!(context.visited_in_vain, 0);
}

#[test]
fn an_ignored_folder_without_survivor_is_one_entry() {
    let root = tree(&["d/x/f", "d/g", "k.c"]);
    let pruned = walked(&root, "\nd\n*.c");
    assert_eq!(
        ignored(&pruned),
        [("d".to_owned(), 2), ("k.c".to_owned(), 3)]
    );
    assert_eq!((sent(&pruned).len(), pruned.visited_in_vain), (0, 0));
    // With a glob behind `!` nothing is pruned, and the answer is the same.
    let visited = walked(&root, "\nd\n*.c\n!**/nothing");
    assert_eq!(visited.ignored, pruned.ignored);
    assert_eq!(visited.visited_in_vain, 3);
}

#[test]
fn an_empty_folder_is_sent_and_links_are_matched_by_their_own_path() {
    let root = tree(&["foo/a", "bar/b", "l -> foo", "foo/e/"]);
    let context = walked(&root, "foo/**");
    assert_eq!(sent(&context), ["bar", "bar/b", "foo", "l"]);
    assert_eq!(sent(&walked(&root, "foo")), ["bar", "bar/b", "l"]);
    assert_eq!(
        sent(&walked(&root, "l/a")),
        ["bar", "bar/b", "foo", "foo/a", "foo/e", "l"]
    );
}

#[test]
fn a_file_that_only_the_walk_keeps_arrives_empty() {
    let root = tree(&["foo/x", "foo/y", "z"]);
    let context = walked(&root, "foo\n!foo/x\nfoo");
    assert_eq!(sent(&context), ["foo", "foo/x", "z"]);
    let x = &context.entries[1];
    assert!(x.emptied && !context.entries[2].emptied);
    assert_eq!(x.size, 0);
    assert_eq!(x.digest, Some(*blake3::hash(b"").as_bytes()));
}

#[test]
fn names_need_not_be_utf8() {
    let root = tree(&["a"]);
    fs::write(root.path().join(OsStr::from_bytes(b"b\xFF")), "x").unwrap();
    fs::create_dir(root.path().join(OsStr::from_bytes(b"\xFEd"))).unwrap();
    fs::write(root.path().join(OsStr::from_bytes(b"\xFEd/f")), "x").unwrap();
    assert_eq!(
        sent(&walked(&root, "")),
        ["a", "b\\xFF", "\\xFEd", "\\xFEd/f"]
    );
    assert_eq!(sent(&walked(&root, "b?\n?d")), ["a"]);
}

#[test]
fn a_socket_arrives_as_an_empty_file() {
    let root = tree(&["f"]);
    let at = root.path().join("s");
    let _socket = std::os::unix::net::UnixListener::bind(&at).unwrap();
    fs::set_permissions(&at, fs::Permissions::from_mode(0o751)).unwrap();
    let context = walked(&root, "");
    assert_eq!(sent(&context), ["f", "s"]);
    let s = &context.entries[1];
    assert_eq!((s.kind, s.mode, s.size), (EntryKind::File, 0o751, 0));
    assert_eq!(s.digest, Some(*blake3::hash(b"").as_bytes()));
    assert!(s.emptied && context.problems.is_empty());
}

#[test]
fn a_pipe_is_listed_and_never_opened() {
    let root = tree(&["f"]);
    let made = std::process::Command::new("mkfifo")
        .arg(root.path().join("p"))
        .status();
    if !made.is_ok_and(|s| s.success()) {
        eprintln!("skipped: no mkfifo");
        return;
    }
    let context = walked(&root, "");
    assert_eq!(context.entries[1].kind, EntryKind::Other);
    assert_eq!(context.entries[1].digest, None);
}

#[test]
fn names_and_link_texts_that_are_no_text_are_problems() {
    let root = tree(&["a"]);
    let at = |name: &[u8]| root.path().join(OsStr::from_bytes(name));
    fs::write(at(b"b\xFF"), "").unwrap();
    symlink(OsStr::from_bytes(b"\xFE"), at(b"l")).unwrap();
    let problem = |path: &[u8], kind| Problem {
        path: path.to_vec(),
        kind,
    };
    assert_eq!(
        walked(&root, "").problems,
        [
            problem(b"b\xFF", ProblemKind::NameNotUtf8),
            problem(b"l", ProblemKind::LinkNotUtf8)
        ]
    );
    assert_eq!(walked(&root, "b?\nl").problems, []);
}

/// Whether this user is kept out by permissions; root is not.
fn permissions_bind(locked: &std::path::Path) -> bool {
    let bind = fs::read_dir(locked).is_err();
    if !bind {
        eprintln!("skipped: permissions do not bind this user");
    }
    bind
}

#[test]
fn unreadable_entries_are_problems_unless_ignored() {
    let root = tree(&["locked/f", "ok", "secret"]);
    let mode = |path: &str, mode| {
        fs::set_permissions(root.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("locked", 0o000);
    mode("secret", 0o000);
    if permissions_bind(&root.path().join("locked")) {
        let context = walked(&root, "");
        assert_eq!(sent(&context), ["locked", "ok", "secret"]);
        let kinds: Vec<ProblemKind> = context.problems.iter().map(|p| p.kind).collect();
        assert_eq!(
            kinds,
            [ProblemKind::UnreadableFolder, ProblemKind::UnreadableFile]
        );
        let secret = &context.entries[2];
        assert!(secret.emptied && secret.size == 0);
        assert_eq!(walked(&root, "locked\nsecret").problems, []);
        assert_eq!(walked(&root, "locked\n!**/g\nsecret").problems, []);
    }
    mode("locked", 0o755);
}

#[test]
fn equal_sizes_are_enough_to_find_duplicates() {
    let root = tree(&["a", "b", "cc"]);
    let options = WalkOptions {
        hashing: Hashing::SameSize,
    };
    let context = walk(root.path(), &rules(""), options).unwrap();
    let hashed: Vec<bool> = context.entries.iter().map(|e| e.digest.is_some()).collect();
    assert_eq!(hashed, [true, true, false]);
}

#[test]
fn a_very_deep_tree_is_walked() {
    let root = tempfile::tempdir().unwrap();
    // As deep as one path can say.
    let deep = vec!["d"; 1500].join("/");
    fs::create_dir_all(root.path().join(&deep)).unwrap();
    fs::write(root.path().join(&deep).join("f"), "x").unwrap();
    let context = walk(root.path(), &rules("nothing"), WalkOptions::default()).unwrap();
    assert_eq!(context.entries.len(), 1501);
}

#[test]
fn entries_are_in_the_order_of_their_whole_paths() {
    let root = tree(&[
        "a/b/c", "a/b-/x", "a/b.c", "a-/x", "a.c", "a0", "a/bc/", "b",
    ]);
    let mut paths: Vec<String> = [
        "a", "a-", "a-/x", "a.c", "a/b", "a/b-", "a/b-/x", "a/b.c", "a/b/c", "a/bc", "a0", "b",
    ]
    .map(str::to_owned)
    .to_vec();
    assert_eq!(sent(&walked(&root, "")), paths);
    // So many names that several tasks share them; what is in `a` lies behind those of the first.
    for i in 0..2500 {
        let name = format!("a-{i}");
        fs::write(root.path().join(&name), "").unwrap();
        paths.push(name);
    }
    paths.sort_unstable();
    assert_eq!(sent(&walked(&root, "")), paths);
    assert_eq!(sent(&walked(&root, "*\n!a-7")), ["a-7"]);
}

#[test]
fn a_link_is_not_opened_in_place_of_a_folder() {
    let root = tree(&["d/f", "l -> d", "d/up -> ..", "f"]);
    let top = folder::Folder::top(root.path()).unwrap();
    let opened = |path: &[u8]| top.open(path).unwrap().is_some();
    assert!(opened(b"") && opened(b"d"));
    for path in [&b"l"[..], b"d/up", b"f", b"d/f", b"f/f", b"none"] {
        assert!(!opened(path));
    }
}

/// A walk with a store, and the digest of `f`.
fn with_store(root: &TempDir, store: &TempDir) -> [u8; 32] {
    let options = WalkOptions::default();
    let context = walk_cached(root.path(), &rules(""), options, Some(store.path())).unwrap();
    let f = context.entries.iter().find(|e| e.path == b"f").unwrap();
    f.digest.unwrap()
}

/// Waits until files written before are older than the store's grain.
fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(2100));
}

#[test]
fn an_edit_that_keeps_size_and_time_is_seen() {
    let (root, store) = (tree(&[]), tempfile::tempdir().unwrap());
    let f = root.path().join("f");
    fs::write(&f, "one").unwrap();
    let times = || {
        let modified = fs::metadata(&f).unwrap().modified().unwrap();
        fs::FileTimes::new().set_modified(modified)
    };
    settle();
    assert_eq!(with_store(&root, &store), *blake3::hash(b"one").as_bytes());
    assert!(store.path().join("stat").exists());
    let kept = times();
    fs::write(&f, "two").unwrap();
    let file = fs::OpenOptions::new().append(true).open(&f).unwrap();
    file.set_times(kept).unwrap();
    assert_eq!(with_store(&root, &store), *blake3::hash(b"two").as_bytes());
}

#[test]
fn a_file_that_is_known_is_not_read_again() {
    let (root, store) = (tree(&[]), tempfile::tempdir().unwrap());
    fs::write(root.path().join("f"), "one").unwrap();
    settle();
    let first = with_store(&root, &store);
    // A store that says something else about the same stat data shows where the answer is from.
    let real = fs::canonicalize(root.path()).unwrap();
    let cache = stat_cache::StatCache::open(store.path(), &real);
    assert_eq!(cache.remembered().files(), 1);
    let stamp = stat_cache::Stamp::of(&rustix::fs::lstat(root.path().join("f")).unwrap());
    let remembered = cache.remembered();
    let mut records = remembered.folder(b"").unwrap().records;
    let known = records.next().unwrap().known.unwrap();
    assert_eq!(known.digest_at(&stamp), Some(first));
    let other = stat_cache::File {
        path: b"f",
        stamp,
        digest: [9; 32],
    };
    cache.save(&[], std::iter::once(other));
    assert_eq!(with_store(&root, &store), [9; 32]);
}

#[test]
fn a_run_that_reads_few_files_remembers_them_and_keeps_the_others() {
    let (root, store) = (tree(&["a", "b", "cc"]), tempfile::tempdir().unwrap());
    settle();
    let real = fs::canonicalize(root.path()).unwrap();
    let known = || {
        let cache = stat_cache::StatCache::open(store.path(), &real);
        cache.remembered().files()
    };
    let run = |hashing| {
        let options = WalkOptions { hashing };
        walk_cached(root.path(), &rules(""), options, Some(store.path())).unwrap()
    };
    let digests = |context: &Context| -> Vec<bool> {
        context.entries.iter().map(|e| e.digest.is_some()).collect()
    };
    let few = run(Hashing::SameSize);
    assert_eq!((digests(&few), known()), (vec![true, true, false], 2));
    assert_eq!(digests(&run(Hashing::Digest)), [true, true, true]);
    assert_eq!(known(), 3);
    assert_eq!((run(Hashing::SameSize), known()), (few, 3));
    // What was read before the edit is read again, what was not touched is kept.
    fs::write(root.path().join("a"), "x").unwrap();
    settle();
    run(Hashing::SameSize);
    assert_eq!(known(), 3);
}

#[test]
fn a_file_as_young_as_the_run_is_not_remembered() {
    let (root, store) = (tree(&[]), tempfile::tempdir().unwrap());
    fs::write(root.path().join("f"), "one").unwrap();
    with_store(&root, &store);
    let real = fs::canonicalize(root.path()).unwrap();
    let known = |store: &TempDir| {
        let cache = stat_cache::StatCache::open(store.path(), &real);
        cache.remembered().files()
    };
    assert_eq!(known(&store), 0);
    // Nor is one from the future.
    let file = fs::OpenOptions::new()
        .append(true)
        .open(root.path().join("f"))
        .unwrap();
    settle();
    let future = std::time::SystemTime::now() + std::time::Duration::from_secs(1000);
    file.set_times(fs::FileTimes::new().set_modified(future))
        .unwrap();
    settle();
    with_store(&root, &store);
    assert_eq!(known(&store), 0);
}

#[test]
fn concurrent_runs_with_one_store_agree() {
    let (root, store) = (tree(&["f", "g/h", "g/i"]), tempfile::tempdir().unwrap());
    settle();
    let plain = walked(&root, "");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let options = WalkOptions::default();
                    let dir = Some(store.path());
                    let found = walk_cached(root.path(), &rules(""), options, dir).unwrap();
                    assert_eq!(found, plain);
                }
            });
        }
    });
}

#[test]
fn a_listing_gives_what_a_walk_gives() {
    let paths = ["a/b/c", "a/d", "e/f/g", "e/h", "k.c", "l -> a", "z/y/x/w"];
    let root = tree(&paths);
    for ignore in [
        "",
        "a",
        "a\n!a/b/c",
        "*\n!**/*.c",
        "e/f\nz\n!z/y",
        "foo\n!e/h\ne",
        "**/x\nl",
        "e\n!e/h\ne",
    ] {
        let walked = walk(root.path(), &rules(ignore), WalkOptions::default()).unwrap();
        let everything = walk(root.path(), &rules(""), WalkOptions::default()).unwrap();
        let files = everything.entries.into_iter();
        let files = files.filter(|e| e.kind != EntryKind::Directory).collect();
        let mode = walked
            .entries
            .iter()
            .find(|e| e.kind == EntryKind::Directory);
        let listed = from_listing(files, mode.map_or(0, |d| d.mode), &rules(ignore));
        assert_eq!(listed, walked, "{ignore:?}");
    }
}

#[test]
fn a_root_that_is_no_folder_is_an_error() {
    let root = tree(&["f"]);
    let at = |name: &str| walk(&root.path().join(name), &rules(""), WalkOptions::default());
    assert!(matches!(at("f"), Err(ContextError::NotADirectory { .. })));
    assert!(matches!(at("missing"), Err(ContextError::Read { .. })));
}

#[test]
fn a_root_may_be_a_link() {
    let root = tree(&["d/f", "l -> d"]);
    let context = walk(&root.path().join("l"), &rules(""), WalkOptions::default()).unwrap();
    assert_eq!(sent(&context), ["f"]);
}

#[test]
fn files_may_change_while_they_are_read() {
    let root = tree(&["keep"]);
    let churn = root.path().join("churn");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..300 {
                fs::write(&churn, vec![b'x'; (i % 7) * 50_000]).unwrap();
                if i % 3 == 0 {
                    fs::remove_file(&churn).unwrap();
                }
            }
        });
        for _ in 0..60 {
            assert!(sent(&walked(&root, "")).contains(&"keep".to_owned()));
        }
    });
}
