//! Answers that are kept from one run to the next: each is what a run without a store says, and nothing that an answer is
//! made from can change without a new one.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;

use git::Repo;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const DOCKERFILE: &str = "FROM alpine:3 AS a\nARG V\nCOPY . /src\nRUN make -C /src\nFROM alpine:3\nCOPY --from=a /src/out /out\nCOPY list.txt /\n";

/// A few commits that touch different files.
fn project() -> Repo {
    let repo = Repo::new();
    repo.write("Dockerfile", DOCKERFILE);
    repo.write("Makefile", "all:\n\tgo build\n");
    repo.write(".dockerignore", "*.md\n");
    for n in 0..4 {
        repo.write("list.txt", &n.to_string());
        repo.write(&format!("docs{n}.md"), "x");
        repo.commit("next");
        repo.write("src.c", &n.to_string());
        repo.commit("source");
    }
    repo
}

fn replay(dir: &Path, store: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .arg("replay")
        .args(flags)
        .arg(".")
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env_remove("CACHEPLAN_COSTS")
        .env("CACHEPLAN_CACHE_DIR", store)
        .output()
        .expect("the program starts")
}

fn told(out: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// The answers in a store.
fn answers(store: &Path) -> Vec<PathBuf> {
    let list = std::fs::read_dir(store.join("answers"));
    let list = list.into_iter().flatten();
    list.map(|e| e.expect("an entry").path()).collect()
}

/// Asks without a store, then with one until the answer comes from there; how many new answers were kept.
fn asked(dir: &Path, store: &Path, flags: &[&str]) -> usize {
    let before = answers(store).len();
    let plain = told(&replay(dir, Path::new("none"), flags));
    for time in ["new", "kept", "kept again"] {
        let out = told(&replay(dir, store, flags));
        assert_eq!(out, plain, "{time}: {flags:?}");
    }
    answers(store).len() - before
}

#[test]
fn an_answer_is_what_was_said_before() {
    let repo = project();
    let store = tempfile::tempdir().expect("a folder");
    for flags in [
        &["--format", "json"][..],
        &[],
        &["--history", "3"],
        &["--walk", "all", "--format", "json"],
        &["--cache-policy", "previous"],
        &["--dockerfile-from", "each", "--format", "json"],
        &["--range", "HEAD~3..HEAD"],
        &["--build-arg", "V=1"],
        &["--target", "a"],
        &["--assume-reproducible"],
        &["--ref", "HEAD~2"],
        &["--quiet"],
    ] {
        let new = asked(&repo.root, store.path(), flags);
        let same = flags == ["--quiet"];
        assert_eq!(new, usize::from(!same), "{flags:?}");
    }
    // What is in no commit is looked at anew each time.
    repo.write("src.c", "edited");
    assert_eq!(asked(&repo.root, store.path(), &["--worktree"]), 0);
    repo.write("src.c", "again");
    assert_eq!(asked(&repo.root, store.path(), &["--worktree"]), 0);
    let base = ["--base-change", "alpine:3@HEAD~1"];
    assert_eq!(asked(&repo.root, store.path(), &base), 0);
}

#[test]
fn whatever_changes_there_is_a_new_answer() {
    let repo = project();
    let store = tempfile::tempdir().expect("a folder");
    let ask = || asked(&repo.root, store.path(), &["--format", "json"]);
    assert_eq!(ask(), 1);
    assert_eq!(ask(), 0);
    // Edits that nobody commits: today's files count.
    repo.write(
        "Dockerfile",
        &DOCKERFILE.replace("COPY . /src", "COPY src.c Makefile /src/"),
    );
    assert_eq!(ask(), 1);
    repo.write(".dockerignore", "src.c\n");
    assert_eq!(ask(), 1);
    std::fs::remove_file(repo.root.join(".dockerignore")).expect("it is there");
    assert_eq!(ask(), 1);
    let costs = |seconds: u32| {
        format!(
            r#"{{"schema":"cacheplan.costs/1","steps":[{{"match":{{"class":"install"}},"seconds":{{"cold":[{seconds},{seconds}]}}}}]}}"#
        )
    };
    repo.write("cacheplan.costs.json", &costs(7));
    assert_eq!(ask(), 1);
    repo.write("cacheplan.costs.json", &costs(8));
    assert_eq!(ask(), 1);
    repo.write(
        "compose.yaml",
        "services:\n  x:\n    build:\n      context: .\n      args: {V: \"2\"}\n",
    );
    let new = ask();
    assert!(new <= 1, "the Dockerfile at the root is asked about");
    // A commit, and going back behind it.
    repo.write("src.c", "new");
    repo.commit("new");
    assert_eq!(ask(), 1);
    repo.git(["reset", "-q", "--soft", "HEAD~1"]);
    // The commit's objects are still there, which an answer may depend on.
    assert_eq!(ask(), 1);
    assert_eq!(ask(), 0);
    repo.git(["gc", "-q", "--prune=now"]);
    assert_eq!(ask(), 1);
}

#[test]
fn a_clone_that_gets_the_rest_is_asked_anew() {
    let repo = project();
    let store = tempfile::tempdir().expect("a folder");
    let clone = repo.cloned("shallow", ["--depth", "3"]);
    assert_eq!(asked(&clone, store.path(), &[]), 1);
    let out = repo.try_git_in(&clone, ["fetch", "-q", "--unshallow"]);
    assert!(out.status.success());
    assert_eq!(asked(&clone, store.path(), &[]), 1);
    let out = told(&replay(&clone, store.path(), &[]));
    assert!(!out.2.contains("shallow"), "{}", out.2);
    assert_eq!(out.1.lines().count(), 9);
}

#[test]
fn a_damaged_answer_is_no_answer() {
    let repo = project();
    let store = tempfile::tempdir().expect("a folder");
    let plain = told(&replay(&repo.root, store.path(), &[]));
    let file = answers(store.path()).pop().expect("one answer");
    let whole = std::fs::read(&file).expect("readable");
    let same = |bytes: &[u8]| {
        std::fs::write(&file, bytes).expect("writable");
        assert_eq!(told(&replay(&repo.root, store.path(), &[])), plain);
        assert!(
            std::fs::read(&file).expect("readable") == whole,
            "it is mended"
        );
    };
    for at in (0..whole.len()).step_by(whole.len() / 12 + 1) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        same(&bytes);
        same(&whole[..at]);
    }
    // Who can write there can make up an answer: this one comes from the store, then.
    let body = whole.len() - 32;
    let mut bytes = whole.clone();
    let at = bytes
        .windows(7)
        .position(|w| w == b"refused" || w == b"# execu");
    bytes[at.expect("the first line")] = b'%';
    let sum = blake3::hash(&bytes[..body]);
    bytes[body..].copy_from_slice(sum.as_bytes());
    std::fs::write(&file, bytes).expect("writable");
    let made_up = told(&replay(&repo.root, store.path(), &[]));
    assert_eq!(made_up.1, plain.1.replacen("# execu", "% execu", 1));
    // The checksum made right again around lengths that lie.
    for byte in [body - 1, body - 8] {
        let mut bytes = whole.clone();
        bytes[byte] ^= 0x41;
        let sum = blake3::hash(&bytes[..body]);
        bytes[body..].copy_from_slice(sum.as_bytes());
        std::fs::write(&file, bytes).expect("writable");
        let out = replay(&repo.root, store.path(), &[]);
        assert_eq!(out.status.code(), Some(0), "{:?}", told(&out));
    }
}
