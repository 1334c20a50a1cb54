//! Small repositories with a history, and the plans that the program has for them.

#![allow(dead_code)] // Each test file uses its own part of this.

#[path = "git.rs"]
mod git;

pub use git::Repo;
pub use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

pub fn cacheplan(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env("CACHEPLAN_CACHE_DIR", "none")
        .output()
        .expect("the program starts")
}

/// A repository with these files, and a commit for each of some edits: a path that gets another line.
pub fn repository(files: &[(&str, &str)], edits: &[&str]) -> Repo {
    let repo = Repo::new();
    for (path, text) in files {
        repo.write(path, text);
    }
    repo.commit("first");
    for (n, edit) in edits.iter().enumerate() {
        let old = std::fs::read_to_string(repo.root.join(edit)).unwrap_or_default();
        repo.write(edit, &format!("{old}# {n}\n"));
        repo.commit(edit);
    }
    repo
}

pub fn target(dir: &Path, more: &[&str]) -> Value {
    let args = [
        &[
            "analyze",
            "--format",
            "json",
            "--quiet",
            "--dot-git",
            "absent",
        ],
        more,
    ]
    .concat();
    let out = cacheplan(dir, &args);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{errors}");
    let document: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    document["targets"][0].clone()
}

pub fn plans(dir: &Path, more: &[&str]) -> Vec<Value> {
    let target = target(dir, more);
    target["plans"].as_array().expect("plans").clone()
}

pub fn best(dir: &Path, more: &[&str]) -> Value {
    let saving = |p: &Value| p["saving"].as_f64().expect("a number");
    let all = plans(dir, more).into_iter();
    all.max_by(|a, b| saving(a).total_cmp(&saving(b)))
        .expect("a plan")
}

pub fn text<'v>(plan: &'v Value, field: &str) -> &'v str {
    plan[field].as_str().unwrap_or_default()
}

pub fn names(plan: &Value) -> Vec<&str> {
    let edits = plan["edits"].as_array().expect("edits");
    edits.iter().map(|e| text(e, "rewrite")).collect()
}

/// Fails where a real builder makes another image of the best plan than of the file as it is; `shown` is said with it.
pub fn builds_the_same_image(dir: &Path, flags: &[&str], shown: &str) {
    let base = [
        "verify",
        "--plan",
        "--dot-git",
        "absent",
        "--timeout",
        "300",
    ];
    let args = [&base[..], flags, &[".", "--", "--network=none"]].concat();
    let out = cacheplan(dir, &args);
    let told = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{shown}{told}{errors}");
}
