//! The change log beside what git itself says of the same commits.
//!
//! Goes in: a repository made by a test. Comes out: both sides in the same shape, or a failed test.

#![allow(dead_code)] // Each test file uses its own part of this.

use super::git::Repo;
use cacheplan::history::{
    ChangeLog, CommitId, Entry, EntryKind, Limit, Repository, Walk, WalkMode, change_log,
};
use std::collections::BTreeMap;
use std::path::Path;

pub type Side = Option<(String, String)>;
pub type Changes = BTreeMap<Vec<u8>, (Side, Side)>;

pub fn side(entry: Option<Entry>) -> Side {
    entry.map(|entry| {
        let mode = match entry.kind {
            EntryKind::File => "100644",
            EntryKind::Executable => "100755",
            EntryKind::Symlink => "120000",
            EntryKind::Folder => unreachable!("commits have no folders"),
            EntryKind::Submodule => "160000",
        };
        (mode.to_owned(), CommitId(entry.oid).to_string())
    })
}

/// Everything a log says, paths by name.
pub fn told(log: &ChangeLog) -> Vec<String> {
    let builds = log.commits.iter().enumerate();
    let build = builds.map(|(i, commit)| {
        let changes = log.changes(i).iter();
        let rows = changes.map(|c| (c.path, log.paths.bytes(c.path), c.old, c.new));
        format!("{commit:?} {:?}", rows.collect::<Vec<_>>())
    });
    build.collect()
}

pub fn ours(log: &ChangeLog) -> Vec<(String, Changes)> {
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
pub fn raw(repo: &Repo, dir: &Path, old: Option<&str>, new: &str, paths: &[&str]) -> Changes {
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

pub fn rev_list(repo: &Repo, dir: &Path, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["rev-list"];
    all.extend(arguments);
    let output = repo.try_git_in(dir, all);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("hex");
    let mut ids: Vec<String> = text.lines().map(str::to_owned).collect();
    ids.reverse();
    ids
}

pub fn expected(repo: &Repo, dir: &Path, ids: &[String], paths: &[&str]) -> Vec<(String, Changes)> {
    let mut before: Option<&str> = None;
    let mut builds = Vec::new();
    for id in ids {
        builds.push((id.clone(), raw(repo, dir, before, id, paths)));
        before = Some(id);
    }
    builds
}

pub fn walk(repository: &Repository, limit: Limit, mode: WalkMode) -> Walk {
    Walk {
        tip: repository.head().expect("a commit"),
        limit,
        mode,
        prefixes: Vec::new(),
    }
}

/// Compares every kind of walk with git.
pub fn check(repo: &Repo, dir: &Path) {
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
pub fn eventful() -> Repo {
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
