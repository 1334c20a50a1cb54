//! `cacheplan replay --worktree`: the uncommitted work tree as the last build, seen as a builder would be sent it.

#[path = "common/git.rs"]
mod git;

use git::Repo;
use serde_json::Value;
use std::process::Command;

fn last(repo: &Repo, more: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args([
            "replay",
            "--worktree",
            "--format",
            "json",
            "--dot-git",
            "absent",
        ])
        .args(more)
        .arg(&repo.root)
        .output()
        .expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let line = text.lines().last().expect("a build");
    serde_json::from_str(line).expect("JSON")
}

fn paths(build: &Value) -> Vec<String> {
    assert_eq!(build["commit"], "worktree");
    let causes = build["causes"].as_array().expect("a list").iter();
    let all = causes.flat_map(|c| c["paths"].as_array().expect("a list"));
    all.map(|p| p.as_str().expect("text").to_owned()).collect()
}

fn repo() -> Repo {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM a\nCOPY . /src\nRUN make\n");
    repo.write(".dockerignore", "out\n*.log\n!keep.log\n");
    repo.write(".gitignore", "gen\nout\n");
    repo.write("src/a.c", "one\ntwo\n");
    repo.write("src/b.c", "b\n");
    repo.link("l", "src/a.c");
    repo.commit("first");
    repo
}

#[test]
fn a_clean_work_tree_is_cached() {
    let repo = repo();
    let build = last(&repo, &[]);
    assert_eq!(build["executed"], serde_json::json!([]));
    assert_eq!(build["cached"], serde_json::json!(["0.0", "0.1", "0.2"]));
    // What the build is not sent does not count, nor does a time stamp.
    repo.write("out/x", "1");
    repo.write("y.log", "1");
    repo.write("src/a.c", "one\ntwo\n");
    assert_eq!(last(&repo, &[])["executed"], serde_json::json!([]));
}

#[test]
fn what_a_build_would_be_sent_counts() {
    let repo = repo();
    repo.write("src/a.c", "one\nthree\n");
    repo.write("gen/new", "ignored by git, not by the build\n");
    repo.write("keep.log", "x");
    repo.write("lost.log", "x");
    repo.remove("src/b.c");
    repo.set_executable("Dockerfile", true);
    let build = last(&repo, &[]);
    assert_eq!(
        paths(&build),
        ["Dockerfile", "gen/new", "keep.log", "src/a.c", "src/b.c"]
    );
    assert_eq!(build["executed"], serde_json::json!(["0.1", "0.2"]));
}

#[test]
fn links_and_empty_folders_count() {
    let repo = repo();
    repo.remove("l");
    repo.link("l", "src/b.c");
    assert_eq!(paths(&last(&repo, &[])), ["l"]);
    repo.remove("l");
    repo.link("l", "src/a.c");
    assert_eq!(last(&repo, &[])["executed"], serde_json::json!([]));
    std::fs::create_dir_all(repo.root.join("empty/inner")).expect("writable");
    assert_eq!(paths(&last(&repo, &[])), ["empty/inner"]);
    // The files are gone, the folder stays.
    repo.remove("empty");
    repo.remove("src/a.c");
    repo.remove("src/b.c");
    let emptied = last(&repo, &[]);
    assert_eq!(paths(&emptied), ["src", "src/a.c", "src/b.c"]);
}

#[test]
fn line_ends_and_large_file_pointers_are_what_a_checkout_has() {
    let repo = repo();
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 5\n");
    repo.write("big.bin", &pointer);
    repo.commit("pointer");
    repo.write("big.bin", "hello");
    repo.write("src/a.c", "one\r\ntwo\r\n");
    assert_eq!(last(&repo, &[])["executed"], serde_json::json!([]));
    repo.write("big.bin", "hellO");
    assert_eq!(paths(&last(&repo, &[])), ["big.bin"]);
    repo.write("big.bin", "hello");
    repo.write("src/a.c", "one\r\ntwo\r\n\r\n");
    assert_eq!(paths(&last(&repo, &[])), ["src/a.c"]);
}

#[test]
fn each_takes_the_dockerfile_that_is_not_committed() {
    let repo = repo();
    repo.write("Dockerfile", "FROM a\nCOPY src /src\nRUN make all\n");
    let build = last(&repo, &["--dockerfile-from", "each"]);
    assert_eq!(build["executed"], serde_json::json!(["0.1", "0.2"]));
    repo.write("Dockerfile", "FROM a\nCOPY . /src\nRUN make\n");
    repo.write(".dockerignore", "out\n*.log\n!keep.log\nsrc/b.c\n");
    let build = last(&repo, &["--dockerfile-from", "each"]);
    assert_eq!(build["executed"], serde_json::json!(["0.1", "0.2"]));
}

#[test]
fn a_submodule_is_what_head_says() {
    let (inner, repo) = (repo(), repo());
    let commit = inner.rev("HEAD");
    repo.git([
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{commit},sub"),
    ]);
    repo.write("sub/file", "checked out");
    repo.tick();
    repo.git(["commit", "-q", "-m", "with a submodule"]);
    assert_eq!(last(&repo, &[])["executed"], serde_json::json!([]));
}

#[test]
fn a_history_that_ends_elsewhere_is_refused() {
    let repo = repo();
    for more in [&["--ref", "HEAD"][..], &["--range", "HEAD..HEAD"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
            .args(["replay", "--worktree"])
            .args(more)
            .arg(&repo.root)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(2));
    }
}
