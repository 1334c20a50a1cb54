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
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("s")).unwrap();
    let context = walked(&root, "");
    assert_eq!(sent(&context), ["f", "s"]);
    let s = &context.entries[1];
    assert_eq!((s.kind, s.size, s.emptied), (EntryKind::File, 0, true));
}

#[test]
fn unreadable_entries_fail_unless_ignored() {
    let root = tree(&["locked/f", "ok"]);
    let locked = root.path().join("locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&locked).is_ok() {
        eprintln!("skipped: permissions do not bind this user");
        return;
    }
    let error = walk(root.path(), &rules(""), WalkOptions::default()).unwrap_err();
    assert!(error.path().ends_with("locked"));
    assert_eq!(sent(&walked(&root, "locked")), ["ok"]);
    assert_eq!(sent(&walked(&root, "locked\n!**/g")), ["ok"]);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
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
