//! Clones that lack something, or hold something no other clone has: what is replayed, and what is said.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;
#[path = "common/raw_log.rs"]
mod raw_log;

use cacheplan::history::{Limit, Repository, WalkMode, change_log};
use git::Repo;
use raw_log::{check, eventful, ours, rev_list, walk};
use std::path::Path;
use std::process::Command;

/// Runs the program; stdout, stderr, exit code.
fn cacheplan(dir: &Path, arguments: &[&str]) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    // A git that is started, or a network that is asked, would be noticed.
    let output = command
        .args(arguments)
        .current_dir(dir)
        .env("PATH", "/nowhere")
        .output()
        .expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("no signal");
    (text(output.stdout), text(output.stderr), code)
}

fn project() -> Repo {
    let repo = Repo::new();
    repo.git(["config", "uploadpack.allowFilter", "true"]);
    repo.git(["config", "uploadpack.allowAnySHA1InWant", "true"]);
    repo.write(
        "Dockerfile",
        "FROM scratch\nCOPY src /src\nCOPY current/x /x\n",
    );
    repo.write("src/a", "1");
    repo.write("v1/x", "1");
    repo.link("current", "v1");
    repo.link("src/inside", "a");
    repo.commit("one");
    repo.write("src/a", "2");
    repo.remove("src/inside");
    repo.link("src/inside", "./a");
    repo.commit("two");
    repo.write("Dockerfile", "FROM scratch\nCOPY src /src\n");
    repo.write("v2/x", "2");
    repo.remove("current");
    repo.link("current", "v2");
    repo.commit("three");
    repo
}

/// What a clone without a file system's or network's help can be asked for stays away.
fn cut_off(clone: &Path) {
    let config = clone.join(".git/config");
    let text = std::fs::read_to_string(&config).expect("readable");
    assert!(text.contains("promisor = true"), "{text}");
    let text = text.replace("file://", "file:///nowhere");
    std::fs::write(config, text).expect("writable");
}

#[test]
fn a_clone_without_blobs_replays_where_none_is_needed() {
    let repo = project();
    let clone = repo.cloned("blobless", ["--filter=blob:none"]);
    cut_off(&clone);
    let objects = || {
        let mut names = Vec::new();
        let packs = std::fs::read_dir(clone.join(".git/objects/pack")).expect("readable");
        names.extend(packs.map(|e| e.expect("readable").file_name()));
        names.sort();
        names
    };
    let before = objects();
    let (full, _, code) = cacheplan(&repo.root, &["replay", "--format", "json"]);
    assert_eq!(code, 0);
    let (partial, said, code) = cacheplan(&clone, &["replay", "--format", "json"]);
    assert_eq!((partial, said.as_str(), code), (full, "", 0));
    // Today's Dockerfile does not look behind the link, that of the first two commits does.
    repo.write(
        "Dockerfile",
        "FROM scratch\nCOPY src /src\nCOPY current/x /x\n",
    );
    repo.commit("four");
    let clone2 = repo.cloned("blobless2", ["--filter=blob:none"]);
    cut_off(&clone2);
    let link = repo.rev("HEAD~2:current");
    let (_, said, code) = cacheplan(&clone2, &["replay"]);
    let first = repo.rev("HEAD~3");
    assert_eq!(
        said,
        format!(
            "error: the source current/x leads through the symbolic link current: commit {first}: the blob {link} is missing from the repository (a partial or damaged clone? `git fetch --refetch` brings it)\n"
        )
    );
    assert_eq!(code, 2);
    let old = repo.rev("HEAD~1:Dockerfile");
    let (_, said, code) = cacheplan(&clone2, &["replay", "--dockerfile-from", "each"]);
    assert!(
        said.contains(&format!("the blob {old} is missing")) && code == 2,
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    let (_, said, code) = cacheplan(&clone2, &["replay", "--history", "1"]);
    assert_eq!((said.as_str(), code), ("", 0));
    assert_eq!(objects(), before);
}

#[test]
fn a_clone_without_trees_names_the_first_one_it_needs() {
    let repo = project();
    let clone = repo.cloned("treeless", ["--filter=tree:0"]);
    cut_off(&clone);
    let (_, said, code) = cacheplan(&clone, &["replay"]);
    assert!(
        said.starts_with("error: commit ") && said.contains(": the tree "),
        "{said}"
    );
    assert!(said.contains("is missing from the repository"), "{said}");
    assert_eq!((said.lines().count(), code), (1, 2), "{said}");
    let (_, said, code) = cacheplan(&clone, &["replay", "--history", "1"]);
    assert_eq!((said.as_str(), code), ("", 0));
}

#[test]
fn old_attributes_that_a_partial_clone_lacks_are_said() {
    let repo = project();
    repo.write(".gitattributes", "* text=auto\n");
    repo.commit("attributes");
    repo.write(".gitattributes", "* text=auto eol=lf\n");
    repo.commit("other attributes");
    let clone = repo.cloned("blobless", ["--filter=blob:none"]);
    cut_off(&clone);
    let (_, said, code) = cacheplan(&clone, &["replay"]);
    assert!(
        said.starts_with("warning: 1 older .gitattributes are not in this partial clone"),
        "{said}"
    );
    assert_eq!((said.lines().count(), code), (1, 0), "{said}");
}

#[test]
fn a_shallow_clone_says_so_once() {
    let repo = eventful();
    let clone = repo.cloned("shallow", ["--depth", "3"]);
    for command in [
        &["replay"][..],
        &["replay", "--walk", "all"],
        &["optimize"],
        &["analyze", "--format", "json"],
    ] {
        let (out, said, code) = cacheplan(&clone, command);
        assert_eq!(code, 0, "{said}");
        let notes = said.lines().filter(|line| line.contains("shallow")).count();
        assert_eq!(notes, 1, "{command:?}: {said}");
        if command[0] == "analyze" {
            assert_eq!(out.matches("history/shallow").count(), 1, "{out}");
        }
    }
    let (_, said, _) = cacheplan(&clone, &["replay", "--history", "3"]);
    assert_eq!(said, "");
}

#[test]
fn replacements_and_grafts_are_the_machines_own_and_do_not_count() {
    let repo = eventful();
    let repository = Repository::discover(&repo.root).expect("a repository");
    let run = |repository: &Repository, mode| {
        let log = change_log(repository, &walk(repository, Limit::Count(100), mode));
        ours(&log.expect("readable"))
    };
    let before = run(&repository, WalkMode::All);
    repo.git(["replace", "HEAD~1", "HEAD~3"]);
    repo.git([
        "replace",
        &repo.rev("HEAD:Dockerfile"),
        &repo.rev("HEAD~4:Dockerfile"),
    ]);
    repo.git([
        "replace",
        &format!("{}^{{tree}}", repo.rev("HEAD")),
        &format!("{}^{{tree}}", repo.rev("HEAD~5")),
    ]);
    let graft = format!("{} {}\n", repo.rev("HEAD"), repo.rev("HEAD~4"));
    repo.write(".git/info/grafts", &graft);
    let repository = Repository::discover(&repo.root).expect("a repository");
    assert_eq!(run(&repository, WalkMode::All), before);
    let order = ["--no-replace-objects", "rev-list", "--date-order", "HEAD"];
    std::fs::remove_file(repo.root.join(".git/info/grafts")).expect("just written");
    let output = repo.try_git_in(&repo.root, order);
    let ids = String::from_utf8(output.stdout).expect("hex");
    let mut ids: Vec<&str> = ids.lines().collect();
    ids.reverse();
    assert_eq!(
        before.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        ids
    );
}

#[test]
fn objects_of_alternates_are_found() {
    let repo = eventful();
    let clone = repo.cloned("borrower", ["--shared", "--no-local"]);
    // `--no-local` copies; the alternate alone must do.
    let _ = std::fs::remove_dir_all(clone.join(".git/objects/pack"));
    std::fs::create_dir(clone.join(".git/objects/pack")).expect("just removed");
    let alternates = clone.join(".git/objects/info/alternates");
    std::fs::write(
        alternates,
        format!("{}\n", repo.root.join(".git/objects").display()),
    )
    .expect("writable");
    check(&repo, &clone);
}

#[test]
fn a_detached_head_in_the_middle_of_a_merge_is_what_is_replayed() {
    let repo = eventful();
    repo.git(["checkout", "-q", "--detach", "main~2"]);
    repo.write("Dockerfile", "FROM busybox\n");
    repo.commit("On no branch");
    check(&repo, &repo.root);
    // Stopped on the way: HEAD is still the commit.
    repo.git(["merge", "-q", "--no-commit", "main"]);
    assert!(repo.root.join(".git/MERGE_HEAD").exists());
    check(&repo, &repo.root);
    let linked = repo.root.parent().expect("below the home").join("linked");
    repo.git([
        "worktree",
        "add",
        "-q",
        "--detach",
        &linked.display().to_string(),
        "side",
    ]);
    let repository = Repository::discover(&linked).expect("a repository");
    let log = change_log(
        &repository,
        &walk(&repository, Limit::Count(9), WalkMode::FirstParent),
    );
    let found: Vec<_> = log
        .expect("readable")
        .commits
        .iter()
        .map(|c| c.id.to_string())
        .collect();
    assert_eq!(
        found,
        rev_list(&repo, &linked, &["--first-parent", "--max-count=9", "HEAD"])
    );
}

#[test]
fn other_object_formats_are_one_clear_error() {
    let repo = Repo::without_git();
    repo.git(["init", "-q", "--object-format=sha256", "."]);
    repo.write("Dockerfile", "FROM scratch\n");
    repo.commit("one");
    let (_, said, code) = cacheplan(&repo.root, &["replay"]);
    assert_eq!(
        said,
        "error: the git repository at . uses sha256 object ids; only sha1 is supported\n"
    );
    assert_eq!(code, 2);
}

#[test]
fn a_checkout_needs_the_files_of_the_context_alone() {
    let repo = project();
    repo.write("docs/film", "not here");
    repo.commit("four");
    let clone = repo.cloned("sparse", ["--filter=blob:none", "--no-checkout"]);
    // The sources are fetched, the film is not.
    let fetched = repo.try_git_in(
        &clone,
        [
            "checkout",
            "-q",
            "HEAD",
            "--",
            "src",
            "Dockerfile",
            "v1",
            "v2",
            "current",
        ],
    );
    assert!(fetched.status.success(), "{fetched:?}");
    cut_off(&clone);
    let repository = Repository::discover(&clone).expect("opens");
    let tip = repository.resolve("HEAD").expect("a commit");
    let folder = tempfile::tempdir().expect("a folder");
    let made = |needed: &dyn Fn(&[u8]) -> bool, name: &str| {
        let root = folder.path().join(name);
        cacheplan::verify::check_out(&repository, tip, &root, 0o022, false, needed).map(|()| root)
    };
    let root = made(&|path| path.starts_with(b"src"), "some").expect("all that is needed is there");
    assert!(root.join("src/a").exists() && !root.join("docs/film").exists());
    let missing = made(&|_| true, "all")
        .expect_err("the film is missing")
        .to_string();
    assert!(missing.contains("docs/film"), "{missing}");
}
