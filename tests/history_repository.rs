//! Opening repositories, naming commits and reading files, against git itself.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;
#[path = "common/raw_log.rs"]
mod raw_log;

use cacheplan::history::{EntryKind, HistoryError, Limit, Repository, WalkMode, change_log};
use git::Repo;
use raw_log::{check, eventful, walk};

#[test]
fn shallow_clone_has_fewer_commits_and_says_so() {
    let repo = eventful();
    let clone = repo.cloned("shallow", ["--depth", "3"]);
    check(&repo, &clone);
    let repository = Repository::discover(&clone).expect("a repository");
    assert!(repository.is_shallow());
    for (count, length, truncated) in [(2, 2, false), (3, 3, false), (50, 3, true)] {
        let log = change_log(
            &repository,
            &walk(&repository, Limit::Count(count), WalkMode::FirstParent),
        );
        let log = log.expect("readable");
        assert_eq!((log.len(), log.truncated_by_shallow), (length, truncated));
    }
}

#[test]
fn a_missing_tree_names_the_commit() {
    let repo = Repo::new();
    repo.write("d/f", "1");
    repo.commit("one");
    repo.write("d/f", "2");
    let second = repo.commit("two");
    let tree = repo.rev("HEAD:d");
    repo.write("d/f", "3");
    repo.commit("three");
    let object = format!(".git/objects/{}/{}", &tree[..2], &tree[2..]);
    std::fs::remove_file(repo.root.join(&object)).expect("it is loose");
    let repository = Repository::discover(&repo.root).expect("a repository");
    let failed = |mode| {
        let log = change_log(&repository, &walk(&repository, Limit::Count(9), mode));
        log.expect_err("a tree is missing").to_string()
    };
    let message = failed(WalkMode::FirstParent);
    assert!(
        message.starts_with(&format!("commit {second}: the tree {tree} is missing")),
        "{message}"
    );
    assert!(!message.contains('\n'));
    std::fs::write(repo.root.join(&object), b"not zlib").expect("writable");
    let message = failed(WalkMode::All);
    assert!(
        message.starts_with(&format!("commit {second}: cannot read the tree {tree}")),
        "{message}"
    );
    assert!(!message.contains('\n'));
}

#[test]
fn a_missing_commit_names_its_child() {
    let repo = Repo::new();
    let first = repo.commit("one");
    let second = repo.commit("two");
    let object = format!(".git/objects/{}/{}", &first[..2], &first[2..]);
    std::fs::remove_file(repo.root.join(object)).expect("it is loose");
    let repository = Repository::discover(&repo.root).expect("a repository");
    for mode in [WalkMode::FirstParent, WalkMode::All] {
        let log = change_log(&repository, &walk(&repository, Limit::Count(9), mode));
        let message = log.expect_err("a commit is missing").to_string();
        let start = format!("commit {second}: the commit {first} is missing");
        assert!(message.starts_with(&start), "{message}");
        let log = change_log(&repository, &walk(&repository, Limit::Count(1), mode));
        assert_eq!(log.expect("not needed").len(), 1);
    }
}

#[test]
fn no_repository_unborn_head_and_other_formats() {
    let plain = Repo::without_git();
    let error = Repository::discover(&plain.root).expect_err("no repository");
    assert!(
        matches!(error, HistoryError::NotARepository { .. }),
        "{error}"
    );
    let error = Repository::discover(&plain.root.join("nowhere")).expect_err("no directory");
    assert!(matches!(error, HistoryError::Directory { .. }), "{error}");
    std::fs::create_dir(plain.root.join(".git")).expect("writable");
    let error = Repository::discover(&plain.root).expect_err("an empty .git");
    assert!(matches!(error, HistoryError::Open { .. }), "{error}");

    let unborn = Repo::new();
    let repository = Repository::discover(&unborn.root).expect("a repository");
    let error = repository.head().expect_err("no commit");
    assert_eq!(
        error.to_string(),
        "the git repository has no commits yet (HEAD points to refs/heads/main)"
    );

    let other = Repo::without_git();
    other.git(["init", "-q", "--object-format=sha256", "."]);
    let error = Repository::discover(&other.root).expect_err("sha256");
    assert!(
        matches!(error, HistoryError::ObjectFormat { .. }),
        "{error}"
    );
}

#[test]
fn revisions_resolve_or_say_why_not() {
    let repo = eventful();
    repo.git(["tag", "-a", "-m", "annotated", "v1", "HEAD~2"]);
    let repository = Repository::discover(&repo.root).expect("a repository");
    for rev in ["HEAD", "main", "v1", "HEAD~3", "main^{commit}", "side"] {
        let commit = repository.resolve(rev).expect("a commit");
        assert_eq!(
            commit.to_string(),
            repo.rev(&format!("{rev}^{{commit}}")),
            "{rev}"
        );
    }
    for rev in ["nope", "HEAD~999", "", "HEAD:src", "-x", "a..b"] {
        let message = repository.resolve(rev).expect_err("no commit").to_string();
        assert!(
            message.starts_with(&format!("`{rev}` does not name a commit")),
            "{message}"
        );
        assert!(!message.contains('\n'), "{message}");
    }
    let (from, to) = repository.resolve_range("v1..").expect("a range");
    assert_eq!(from, repository.resolve("v1").expect("a commit"));
    assert_eq!(to, repository.head().expect("a commit"));
    for range in ["main", "a...b", ""] {
        let error = repository.resolve_range(range).expect_err("no range");
        assert!(matches!(error, HistoryError::Range { .. }), "{error}");
    }
}

#[test]
fn files_lists_links_and_sizes() {
    let repo = Repo::new();
    repo.write("dir/file", "hello");
    repo.write("dir/sub/x", "x");
    repo.link("link", "dir/file");
    repo.link("dirlink", "dir/sub");
    repo.link("dir/up", "../dirlink/./../sub/x");
    repo.link("loop", "loop");
    repo.link("out", "../outside");
    repo.link("absolute", "/etc/passwd");
    repo.commit("one");
    let repository = Repository::discover(&repo.root.join("dir/sub")).expect("a repository");
    assert_eq!(repository.prefix(), b"dir/sub");
    assert_eq!(repository.work_tree(), Some(repo.root.as_path()));
    assert_eq!(repository.git_dir(), repo.root.join(".git"));
    let head = repository.head().expect("a commit");
    let read = |path: &str| {
        let blob = repository.read(head, path.as_bytes()).expect("readable");
        blob.map(|blob| {
            (
                blob.entry.kind,
                String::from_utf8(blob.bytes).expect("text"),
            )
        })
    };
    assert_eq!(read("dir/file"), Some((EntryKind::File, "hello".into())));
    assert_eq!(read("./dir//file"), Some((EntryKind::File, "hello".into())));
    assert_eq!(read("link"), Some((EntryKind::Symlink, "dir/file".into())));
    for path in ["dir", "nothing", "dir/file/x", "dirlink/x", ""] {
        assert_eq!(read(path), None, "{path}");
    }
    let follow = |path: &str| {
        let blob = repository
            .read_following(head, path.as_bytes())
            .expect("readable");
        blob.map(|blob| String::from_utf8(blob.bytes).expect("text"))
    };
    assert_eq!(follow("link").as_deref(), Some("hello"));
    assert_eq!(follow("dirlink/x").as_deref(), Some("x"));
    assert_eq!(follow("dir/up").as_deref(), Some("x"));
    assert_eq!(follow("dir/file").as_deref(), Some("hello"));
    for path in ["loop", "out", "absolute", "dir", "nothing", "../dir/file"] {
        assert_eq!(follow(path), None, "{path}");
    }
    let list = repository.list(head, b"").expect("readable");
    let names: Vec<_> = list
        .iter()
        .map(|(path, _)| String::from_utf8_lossy(path))
        .collect();
    let tracked = repo.git(["ls-files", "-z"]);
    let tracked = String::from_utf8(tracked).expect("text");
    assert_eq!(names, tracked.split_terminator('\0').collect::<Vec<_>>());
    let below = repository.list(head, b"/dir/sub/").expect("readable");
    assert_eq!(below.len(), 1);
    assert_eq!(below[0].0, b"dir/sub/x");
    assert!(
        repository
            .list(head, b"nothing")
            .expect("readable")
            .is_empty()
    );
    let sizes = repository.blob_sizes(&[below[0].1.oid, [7; 20], list[0].1.oid, head.0]);
    assert_eq!(sizes, [Some(1), None, Some(11), None]);
}

#[test]
fn linked_work_trees_and_git_directories_open() {
    let repo = eventful();
    let linked = repo.root.parent().expect("below the home").join("linked");
    repo.git([
        "worktree",
        "add",
        "-q",
        &linked.display().to_string(),
        "side",
    ]);
    let repository = Repository::discover(&linked.join("src")).expect("a repository");
    assert_eq!(repository.work_tree(), Some(linked.as_path()));
    assert_eq!(repository.prefix(), b"src");
    assert_eq!(
        repository.head().expect("a commit").to_string(),
        repo.rev("side")
    );
    let inside = Repository::discover(&repo.root.join(".git")).expect("a repository");
    assert_eq!(
        inside.head().expect("a commit").to_string(),
        repo.rev("main")
    );
    assert_eq!(inside.prefix(), b"");
}

#[test]
fn nothing_the_configuration_names_is_started() {
    let repo = eventful();
    let marker = repo.root.join("../started");
    let script = repo.root.join("../evil.sh");
    std::fs::write(&script, format!("#!/bin/sh\ntouch {}\n", marker.display())).expect("writable");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("exists");
    let evil = script.display();
    let outside = repo.root.parent().expect("a parent").display().to_string();
    let config = format!(
        "[core]\nrepositoryformatversion = 0\nbare = false\nfsmonitor = {evil}\nhooksPath = {outside}\n\
         sshCommand = {evil}\npager = {evil}\neditor = {evil}\nworktree = {outside}\ngitProxy = {evil}\n\
         alternateRefsCommand = {evil}\n[filter \"x\"]\nsmudge = {evil}\nclean = {evil}\nprocess = {evil}\nrequired = true\n\
         [diff]\nexternal = {evil}\n[diff \"x\"]\ntextconv = {evil}\ncommand = {evil}\n[credential]\nhelper = {evil}\n\
         [gpg]\nprogram = {evil}\n[include]\npath = {outside}/no-such-file\n[uploadpack]\npackObjectsHook = {evil}\n"
    );
    repo.write(".gitattributes", "* filter=x diff=x\n");
    repo.commit("Attributes");
    std::fs::write(repo.root.join(".git/config"), config).expect("writable");
    let repository = Repository::discover(&repo.root).expect("a repository");
    assert_eq!(repository.work_tree(), Some(repo.root.as_path()));
    let head = repository.head().expect("a commit");
    let walk = walk(&repository, Limit::Count(100), WalkMode::All);
    assert!(change_log(&repository, &walk).expect("readable").len() > 10);
    assert!(
        repository
            .read(head, b"Dockerfile")
            .expect("readable")
            .is_some()
    );
    assert!(!repository.list(head, b"").expect("readable").is_empty());
    assert!(!marker.exists(), "something was started");
}

#[test]
fn broken_configuration_is_an_error_or_ignored_but_never_a_panic() {
    let repo = eventful();
    for config in [
        "[core\n",
        "[core]\nbare = maybe\n",
        "",
        "\0\0\0",
        "[extensions]\nobjectFormat = sha512\n",
    ] {
        std::fs::write(repo.root.join(".git/config"), config).expect("writable");
        if let Err(error) = Repository::discover(&repo.root) {
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
