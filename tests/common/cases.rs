//! The cases `corpus/rules/RULE/CASE`, for the tests that read or build them.
//!
//! In: a folder of the corpus. Out: a copy of it as a project of its own, and what `check` says of that. Invariant: what belongs to the tests alone
//! (`findings.snap`, `GIT`, `BUILDABLE`) is in no copy.
#![allow(dead_code)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/rules")
}

pub fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let mut out: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    out.retain(|p| p.is_dir());
    out.sort();
    out
}

pub fn name(path: &Path) -> String {
    let name = path.file_name().expect("a name");
    name.to_str().expect("UTF-8").to_owned()
}

/// A copy of a case outside of this repository; a folder `dot-git…` is renamed, as git takes none called `.git`.
pub fn copy(case: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    copy_into(case, dir.path());
    let untracked = std::fs::read_to_string(case.join("GIT")).ok();
    if let Some(untracked) = untracked {
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=a", "-c", "user.email=a@b.c"]);
            let out = git.args(args).current_dir(dir.path()).output();
            let out = out.expect("git runs");
            assert!(out.status.success(), "git {args:?}: {out:?}");
        };
        git(&["init", "-q", "-b", "main"]);
        git(&["add", "-A"]);
        for file in untracked.lines().filter(|l| !l.is_empty()) {
            git(&["rm", "-q", "--cached", "--ignore-unmatch", file]);
        }
        git(&["commit", "-q", "--allow-empty", "-m", "all"]);
    }
    dir
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let called = name(&path);
        if ["findings.snap", "GIT", "BUILDABLE"].contains(&called.as_str()) {
            continue;
        }
        let target = to.join(
            called
                .strip_prefix("dot-")
                .map_or(called.clone(), |n| format!(".{n}")),
        );
        if path.is_dir() {
            std::fs::create_dir_all(&target).expect("a folder");
            copy_into(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// The document of `check`.
pub fn check(dir: &Path) -> Value {
    let out = tempfile::NamedTempFile::new().expect("a file");
    let words = "cacheplan check --all --quiet --format json --today 2026-11-01 -o";
    let mut words: Vec<std::ffi::OsString> = words.split(' ').map(Into::into).collect();
    words.extend([out.path().into(), dir.into()]);
    let code = cacheplan::cli::run_from(words);
    let place = dir.display();
    assert!(code == 0 || code == 2, "{place}: exit code {code}");
    let text = std::fs::read(out.path()).expect("the document");
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{place}: {e}"))
}

pub fn findings(document: &Value) -> Vec<Value> {
    let files = document["files"].as_array().expect("files").iter();
    let all = files.flat_map(|f| f["findings"].as_array().expect("findings"));
    all.cloned().collect()
}

/// A place in a file, as the document has it.
pub fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a number")).expect("a place")
}
