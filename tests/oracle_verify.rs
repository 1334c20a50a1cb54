//! `verify --prediction` against a real builder, on histories of `corpus/history`.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the live tests say so and
//! pass (with `CACHEPLAN_REQUIRE_BUILDER=1` they fail). Invariant: the cache that is emptied is the test
//! builder's; the command itself empties none.

mod common;

use common::{builder, history};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// One builder, whose cache the tests empty: one test at a time.
static BUILDER: Mutex<()> = Mutex::new(());

fn repository(name: &str) -> (tempfile::TempDir, history::History) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/history")
        .join(name);
    let text = std::fs::read_to_string(file.join("history.txt")).expect("a history");
    let parsed = history::parse(&text).expect("parses");
    let folder = tempfile::tempdir().expect("a folder");
    history::create_repository(&parsed, folder.path()).expect("git works");
    (folder, parsed)
}

fn verify(folder: &Path, flags: &[String], more: &[&str]) -> Output {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    tool.args(["verify", "--format", "json", "--timeout", "300"]);
    if !flags.iter().any(|f| f == "--dot-git") {
        tool.args(["--dot-git", "absent"]);
    }
    if !flags.iter().any(|f| f == "--context") {
        tool.args(["--context", "."]);
    }
    tool.args(flags)
        .args(more)
        .arg(".")
        .args(["--", "--network=none"]);
    tool.current_dir(folder).output().expect("runs")
}

fn document(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice::<Value>(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {errors}"))["prediction"]
        .clone()
}

#[test]
fn predictions_of_whole_histories_hold() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    for name in [
        "revert-and-merge",
        "dockerfile-edits",
        "context-rules",
        "missing-source",
    ] {
        let (folder, parsed) = repository(name);
        history::output_of(Command::new("docker").args(["builder", "prune", "-af"]))
            .expect("prunes");
        let all = ["--prediction", "500", "--empty-cache"];
        let output = verify(folder.path(), &parsed.replay, &all);
        let p = document(&output);
        assert_eq!(output.status.code(), Some(0), "{name}: {p:#}");
        assert_eq!(p["wrong"], serde_json::json!([]), "{name}");
        assert_eq!(p["older_records"], serde_json::json!([]), "{name}");
        let builds =
            p["builds"].as_u64().expect("a number") + p["refused"].as_u64().expect("a number");
        assert!(builds >= 4, "{name}: {p:#}");
        assert!(p["agree"].as_u64() > Some(0), "{name}: {p:#}");
        // Again, on a cache that holds all of it: nothing is wrong, and what was to run is told apart.
        let output = verify(folder.path(), &parsed.replay, &["--prediction", "500"]);
        let p = document(&output);
        assert_eq!(output.status.code(), Some(0), "{name}: {p:#}");
        assert_eq!(p["wrong"], serde_json::json!([]), "{name}");
        assert_ne!(p["older_records"], serde_json::json!([]), "{name}");
        assert!(p["filled_by"].is_string(), "{name}: {p:#}");
    }
}

#[test]
fn a_wrong_prediction_is_found() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    let (folder, parsed) = repository("revert-and-merge");
    history::output_of(Command::new("docker").args(["builder", "prune", "-af"])).expect("prunes");
    let first = verify(
        folder.path(),
        &parsed.replay,
        &["--prediction", "1", "--empty-cache"],
    );
    assert_eq!(first.status.code(), Some(0), "{:#}", document(&first));
    let again = verify(
        folder.path(),
        &parsed.replay,
        &["--prediction", "1", "--empty-cache"],
    );
    let p = document(&again);
    // The cache was not empty, whatever the flag says: everything was to run, and is cached.
    assert_eq!(again.status.code(), Some(1), "{p:#}");
    assert_ne!(p["wrong"], serde_json::json!([]), "{p:#}");
    assert_eq!(p["wrong"][0]["predicted"], "executed");
    assert_eq!(p["wrong"][0]["seen"], "cached");
}

#[test]
fn without_a_builder_it_exits_with_3() {
    let (folder, _) = repository("revert-and-merge");
    let empty = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(["verify", "--prediction", "2", "."])
        .current_dir(folder.path())
        .env("PATH", empty.path())
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(3));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("docker cannot be used"), "{errors}");
}

#[test]
fn a_tree_that_leads_out_of_its_folder_is_refused() {
    // `git fast-import` refuses such names, so the tree is written by hand: a link `a`, and a folder `a`.
    let (folder, _) = repository("revert-and-merge");
    let docker = tempfile::tempdir().expect("a folder");
    let fake = docker.path().join("docker");
    std::fs::write(&fake, "#!/bin/sh\necho 1\n").expect("writable");
    history::output_of(Command::new("chmod").arg("+x").arg(&fake)).expect("chmod works");
    let git = |args: &[&str], input: &[u8]| {
        use std::io::Write as _;
        let mut command = history::git(folder.path());
        command
            .args(args)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "a")
                .env(format!("GIT_{role}_EMAIL"), "a@example.com");
        }
        let mut child = command.spawn().expect("git works");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(input)
            .expect("sent");
        let output = child.wait_with_output().expect("ends");
        assert!(output.status.success());
        String::from_utf8(output.stdout)
            .expect("hex")
            .trim()
            .to_owned()
    };
    let outside = docker.path().join("outside");
    std::fs::create_dir(&outside).expect("writable");
    let bytes = |hex: &str| -> Vec<u8> {
        (0..20)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
            .collect()
    };
    let object = |kind: &str, content: &[u8]| {
        git(
            &["hash-object", "-t", kind, "-w", "--stdin", "--literally"],
            content,
        )
    };
    let entry = |mode: &str, name: &str, oid: &str| {
        [format!("{mode} {name}\0").as_bytes(), &bytes(oid)].concat()
    };
    let link = object("blob", outside.display().to_string().as_bytes());
    let text = object("blob", b"FROM busybase\nCOPY . /\n");
    let inner = object("tree", &entry("100644", "owned", &text));
    for (names, complaint) in [
        (
            [("120000", "a", &link), ("40000", "a", &inner)],
            "cannot write",
        ),
        (
            [("40000", "..", &inner), ("100644", "z", &text)],
            "is not written to disk",
        ),
        (
            [("40000", ".git", &inner), ("100644", "z", &text)],
            "is not written to disk",
        ),
    ] {
        let mut tree: Vec<u8> = entry("100644", "Dockerfile", &text);
        for (mode, name, oid) in names {
            tree.extend(entry(mode, name, oid));
        }
        let tree = object("tree", &tree);
        let commit = git(&["commit-tree", &tree, "-m", "hostile"], b"");
        git(&["update-ref", "refs/heads/hostile", &commit], b"");
        let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
            .args([
                "verify",
                "--prediction",
                "1",
                "--empty-cache",
                "--ref",
                "hostile",
                ".",
            ])
            .current_dir(folder.path())
            .env("PATH", docker.path())
            .output()
            .expect("runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(complaint), "{errors}");
        let left = std::fs::read_dir(&outside).expect("readable").count();
        assert_eq!(left, 0, "something was written outside");
    }
}
