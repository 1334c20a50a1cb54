//! The history reader against git itself, on repositories built for the purpose.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;

use cacheplan::history::{
    ChangeLog, CommitId, Entry, EntryKind, HistoryError, Limit, Repository, Walk, WalkMode,
    change_log,
};
use git::Repo;
use std::collections::BTreeMap;
use std::path::Path;

type Side = Option<(String, String)>;
type Changes = BTreeMap<Vec<u8>, (Side, Side)>;

fn side(entry: Option<Entry>) -> Side {
    entry.map(|entry| {
        let mode = match entry.kind {
            EntryKind::File => "100644",
            EntryKind::Executable => "100755",
            EntryKind::Symlink => "120000",
            EntryKind::Submodule => "160000",
            EntryKind::Folder => unreachable!("commits have no folders"),
        };
        (mode.to_owned(), CommitId(entry.oid).to_string())
    })
}

fn ours(log: &ChangeLog) -> Vec<(String, Changes)> {
    let build = |index: usize| {
        let mut changes = Changes::new();
        for change in log.changes(index) {
            let path = log.paths.bytes(change.path);
            let sides = (side(change.old), side(change.new));
            assert!(changes.insert(path, sides).is_none(), "a path twice");
        }
        (log.commits[index].id.to_string(), changes)
    };
    (0..log.len()).map(build).collect()
}

/// `git diff-tree --raw -z` between two commits, or a commit and nothing.
fn raw(repo: &Repo, dir: &Path, old: Option<&str>, new: &str, paths: &[&str]) -> Changes {
    let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    let mut arguments = vec![
        "diff-tree",
        "-r",
        "--raw",
        "--no-renames",
        "--no-abbrev",
        "-z",
    ];
    arguments.extend([old.unwrap_or(empty), new, "--"]);
    arguments.extend(paths);
    let output = repo.try_git_in(dir, arguments);
    assert!(output.status.success());
    let mut fields = output.stdout.split(|b| *b == 0);
    let mut changes = Changes::new();
    while let Some(head) = fields.next().filter(|head| !head.is_empty()) {
        let head = String::from_utf8(head[1..].to_vec()).expect("ASCII");
        let [mode_a, mode_b, a, b, _] = head.split(' ').collect::<Vec<_>>()[..] else {
            panic!("unexpected line {head}");
        };
        let side =
            |mode: &str, oid: &str| (mode != "000000").then(|| (mode.to_owned(), oid.to_owned()));
        let path = fields.next().expect("a path follows").to_vec();
        changes.insert(path, (side(mode_a, a), side(mode_b, b)));
    }
    changes
}

fn rev_list(repo: &Repo, dir: &Path, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["rev-list"];
    all.extend(arguments);
    let output = repo.try_git_in(dir, all);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("hex");
    let mut ids: Vec<String> = text.lines().map(str::to_owned).collect();
    ids.reverse();
    ids
}

fn expected(repo: &Repo, dir: &Path, ids: &[String], paths: &[&str]) -> Vec<(String, Changes)> {
    let mut before: Option<&str> = None;
    let mut builds = Vec::new();
    for id in ids {
        builds.push((id.clone(), raw(repo, dir, before, id, paths)));
        before = Some(id);
    }
    builds
}

fn walk(repository: &Repository, limit: Limit, mode: WalkMode) -> Walk {
    Walk {
        tip: repository.head().expect("a commit"),
        limit,
        mode,
        prefixes: Vec::new(),
    }
}

/// Compares every kind of walk with git.
fn check(repo: &Repo, dir: &Path) {
    let repository = Repository::discover(dir).expect("a repository");
    for count in [1, 2, 5, 1000] {
        let number = count.to_string();
        let counted = ["--max-count", number.as_str(), "HEAD"];
        for (mode, order) in [
            (WalkMode::FirstParent, "--first-parent"),
            (WalkMode::All, "--date-order"),
        ] {
            let ids = rev_list(repo, dir, &[&[order], &counted[..]].concat());
            let log = change_log(&repository, &walk(&repository, Limit::Count(count), mode));
            let log = log.expect("readable");
            assert_eq!(ours(&log), expected(repo, dir, &ids, &[]));
        }
    }
    let all = rev_list(repo, dir, &["HEAD"]);
    for base in &all {
        let from = repository.resolve(base).expect("a commit");
        for (mode, order) in [
            (WalkMode::FirstParent, "--first-parent"),
            (WalkMode::All, "--date-order"),
        ] {
            let ids = rev_list(repo, dir, &[order, &format!("{base}..HEAD")]);
            let log = change_log(&repository, &walk(&repository, Limit::After(from), mode));
            let log = log.expect("readable");
            let found: Vec<_> = log.commits.iter().map(|c| c.id.to_string()).collect();
            assert_eq!(found, ids, "{mode:?} from {base}");
        }
    }
}

/// Adds, edits, deletions, renames, modes, links, submodules, swaps of file and directory, merges,
/// reverts and empty commits.
fn eventful() -> Repo {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM scratch\n");
    repo.write("src/main.rs", "fn main() {}\n");
    repo.write("src/deep/er/file", "1");
    repo.write("a", "file");
    repo.write("a.b", "between a and a/");
    repo.commit("Start");
    repo.write("src/main.rs", "fn main() { print() }\n");
    repo.write("src/main.c", "");
    repo.commit("Edit and add");
    repo.git(["mv", "src/deep", "src/moved"]);
    repo.set_executable("Dockerfile", true);
    repo.commit("Rename a directory, change a mode");
    repo.remove("a");
    repo.write("a/inner", "now a directory");
    repo.remove("src/moved");
    repo.write("src/moved", "now a file");
    repo.commit("Swap files and directories");
    repo.git(["revert", "--no-edit", "HEAD"]);
    repo.link("link", "src/main.rs");
    repo.commit("Link");
    repo.commit("Nothing");
    repo.git(["checkout", "-q", "-b", "side", "HEAD~3"]);
    repo.write("side.txt", "one");
    repo.commit("Side one");
    repo.write("side.txt", "two");
    repo.commit("Side two");
    repo.git(["checkout", "-q", "main"]);
    repo.write("Dockerfile", "FROM alpine\n");
    repo.commit("Main goes on");
    repo.tick();
    repo.git(["merge", "-q", "--no-ff", "--no-edit", "-X", "ours", "side"]);
    repo.remove("link");
    repo.write("link", "a file in place of a link");
    repo.write("bytes", "x");
    repo.commit("Type change");
    let commit = repo.rev("HEAD~1");
    repo.git([
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{commit},sub"),
    ]);
    repo.tick();
    repo.git(["commit", "-q", "-m", "Submodule"]);
    repo.git(["rm", "-q", "--cached", "sub"]);
    repo.write("\u{e9}/space in name", "x");
    repo.commit("Odd names");
    repo
}

#[test]
fn every_walk_equals_git() {
    let repo = eventful();
    check(&repo, &repo.root);
}

#[test]
fn packed_and_bare_equal_git() {
    let repo = eventful();
    let bare = repo.cloned("bare.git", ["--bare"]);
    repo.try_git_in(&bare, ["gc", "-q"]);
    check(&repo, &bare);
    let repository = Repository::discover(&bare).expect("a repository");
    assert!(repository.is_bare() && repository.work_tree().is_none());
    assert_eq!(repository.prefix(), b"");
    assert!(!repository.is_shallow());
}

#[test]
fn octopus_and_lying_dates_equal_git() {
    let repo = Repo::new();
    repo.write("f", "0");
    repo.commit("root");
    for branch in ["a", "b", "c"] {
        repo.git(["checkout", "-q", "-b", branch, "main"]);
        repo.write(branch, branch);
        repo.commit(branch);
        repo.write(branch, "again");
        repo.commit(branch);
    }
    repo.git(["checkout", "-q", "main"]);
    repo.set_clock(1_500_000_000);
    repo.write("f", "1");
    repo.commit("older than its parent");
    repo.tick();
    repo.git(["merge", "-q", "--no-edit", "a", "b", "c"]);
    repo.write("f", "2");
    repo.commit("after");
    let repository = Repository::discover(&repo.root).expect("a repository");
    let log = change_log(
        &repository,
        &walk(&repository, Limit::Count(100), WalkMode::All),
    );
    let log = log.expect("readable");
    let ids: Vec<_> = log.commits.iter().map(|c| c.id.to_string()).collect();
    assert_eq!(ids, rev_list(&repo, &repo.root, &["--date-order", "HEAD"]));
    assert_eq!(ours(&log), expected(&repo, &repo.root, &ids, &[]));
    assert_eq!(
        log.commits.iter().filter(|c| c.parent_count == 4).count(),
        1
    );
    for base in &ids {
        let range = format!("{base}..HEAD");
        let (from, to) = repository.resolve_range(&range).expect("a range");
        let walk = Walk {
            tip: to,
            limit: Limit::After(from),
            mode: WalkMode::All,
            prefixes: Vec::new(),
        };
        let log = change_log(&repository, &walk).expect("readable");
        let found: Vec<_> = log.commits.iter().map(|c| c.id.to_string()).collect();
        let order = ["--date-order", range.as_str()];
        assert_eq!(found, rev_list(&repo, &repo.root, &order), "{range}");
    }
}

#[test]
fn generated_histories_equal_git() {
    for seed in 1..5_u64 {
        let repo = Repo::new();
        let mut state = seed;
        let mut next = |n: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % n
        };
        for commit in 0..25 {
            for _ in 0..next(4) {
                let name = |n: u64| ["a", "b", "a.x", "ab", "c-d"][n as usize];
                let depth = 1 + next(3);
                let path: Vec<&str> = (0..depth).map(|_| name(next(5))).collect();
                // What is in the way of the path goes first.
                for end in 1..=path.len() {
                    let part = path[..end].join("/");
                    let at = repo.root.join(&part).symlink_metadata();
                    if at.is_ok_and(|at| !at.is_dir() || end == path.len()) {
                        repo.remove(&part);
                    }
                }
                let path = path.join("/");
                match next(5) {
                    0 => {}
                    1 => repo.link(&path, "target"),
                    2 => {
                        repo.write(&path, "tool");
                        repo.set_executable(&path, true);
                    }
                    n => repo.write(&path, &format!("text {n}")),
                }
            }
            repo.commit(&format!("Commit {commit}"));
        }
        let ids = rev_list(&repo, &repo.root, &["--first-parent", "HEAD"]);
        let repository = Repository::discover(&repo.root).expect("a repository");
        let mut walk = walk(&repository, Limit::Count(1000), WalkMode::FirstParent);
        let log = change_log(&repository, &walk).expect("readable");
        assert_eq!(
            ours(&log),
            expected(&repo, &repo.root, &ids, &[]),
            "seed {seed}"
        );
        walk.prefixes = vec![b"a/b".to_vec(), b"./c-d/".to_vec(), b"a.x".to_vec()];
        let log = change_log(&repository, &walk).expect("readable");
        let paths = ["a/b", "c-d", "a.x"];
        assert_eq!(
            ours(&log),
            expected(&repo, &repo.root, &ids, &paths),
            "seed {seed}"
        );
    }
}

#[test]
fn long_history_is_the_same_in_pieces_and_whole() {
    let repo = Repo::new();
    // fast-import makes hundreds of commits in one go.
    let mut script = String::new();
    for n in 0..700 {
        let text = format!("{n}");
        script += &format!(
            "commit refs/heads/main\ncommitter A <a@b> {} +0000\ndata 1\nx\nM 100644 inline d{}/f{}\ndata {}\n{text}\n",
            1_600_000_000 + n,
            n % 13,
            n % 17,
            text.len(),
        );
    }
    std::fs::write(repo.root.join("../import"), script).expect("writable");
    let status = std::process::Command::new("sh")
        .args(["-c", "git fast-import --quiet < ../import"])
        .current_dir(&repo.root)
        .status();
    assert!(status.expect("git runs").success());
    let repository = Repository::discover(&repo.root).expect("a repository");
    let wanted = walk(&repository, Limit::Count(600), WalkMode::FirstParent);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool")
            .install(|| change_log(&repository, &wanted).expect("readable"))
    };
    let (one, four) = (run(1), run(4));
    assert_eq!(one.len(), 600);
    assert_eq!(one.paths.len(), 13 * 17);
    // The oldest build is commit 100, whose tree has 101 files; then one change a build.
    assert_eq!(one.total_changes(), 101 + 599);
    for t in 0..600 {
        assert_eq!(one.changes(t), four.changes(t));
    }
    for id in one.paths.ids() {
        assert_eq!(one.paths.bytes(id), four.paths.bytes(id));
    }
}

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
            message.starts_with(&format!("`{rev}` does not name a commit: ")),
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
    assert_eq!(repository.list(head, b"nothing").expect("readable"), []);
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
