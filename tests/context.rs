//! `cacheplan context` as a user meets it: the report, the document, dependency files for make, the
//! store, and what a build would stumble over.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn cacheplan(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .arg("context")
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env("CACHEPLAN_CACHE_DIR", "none")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn fine(dir: &Path, args: &[&str]) -> String {
    let out = cacheplan(dir, args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

/// Files with so many bytes each; `(path, size)`.
fn folder(dockerfile: &str, files: &[(&str, usize)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("Dockerfile"), dockerfile).expect("written");
    for (i, (path, size)) in files.iter().enumerate() {
        let full = dir.path().join(path);
        fs::create_dir_all(full.parent().expect("a parent")).expect("made");
        fs::write(full, vec![u8::try_from(i).unwrap_or(0); *size]).expect("written");
    }
    dir
}

#[test]
fn the_report_says_what_weighs_and_who_reads_it() {
    let dir = folder(
        "FROM a AS b\nCOPY src /src\nCOPY --exclude=*.md docs /docs\n",
        &[
            ("src/deep/er/a", 300_000),
            ("src/deep/er/b", 100_000),
            ("src/c", 1),
            ("docs/x.md", 5_000),
            ("docs/y.html", 2_000),
            ("data/dump", 2_000_000),
            (".hg/requires", 20),
            ("target/out", 9),
            ("x.log", 9),
            ("y.log", 9),
        ],
    );
    fs::write(dir.path().join(".dockerignore"), "target\n*.log\n").expect("written");
    fs::copy(dir.path().join("data/dump"), dir.path().join("data/copy")).expect("copied");
    insta::assert_snapshot!("report", fine(dir.path(), &[]));
    insta::assert_snapshot!("ignored", fine(dir.path(), &["--ignored", "--step", "0.1"]));
}

#[test]
fn the_document_has_the_fields_of_its_contract() {
    let dir = folder(
        "FROM a\nCOPY a /\nRUN --mount=type=bind,target=/w true\n",
        &[("a", 12), ("b", 5)],
    );
    fs::write(dir.path().join(".dockerignore"), "b\n").expect("written");
    let value: Value =
        serde_json::from_str(&fine(dir.path(), &["--format", "json"])).expect("JSON");
    assert_eq!(value["schema"], "cacheplan.context/1");
    assert_eq!(value["ignore_file"], ".dockerignore");
    let a = &value["files"][2];
    assert_eq!(a["path"], "a");
    assert_eq!((&a["kind"], &a["size"]), (&"file".into(), &12.into()));
    assert_eq!(a["steps"], serde_json::json!(["0.1", "0.2"]));
    assert_eq!(
        a["digest"],
        blake3::hash(&[0; 12]).to_hex().as_str(),
        "blake3 of the bytes"
    );
    assert_eq!(value["ignored"][0]["pattern"], "b");
    assert_eq!(value["ignored"][0]["line"], 1);
    assert_eq!(value["sent_bytes"], value["total_bytes"]);
}

#[test]
fn a_step_that_is_not_there_or_not_needed_is_refused() {
    let dir = folder("FROM a AS x\nCOPY a /\nFROM a\nCOPY a /\n", &[("a", 1)]);
    for (step, want) in [
        ("7.7", "there is no such step"),
        ("0.1", "the target does not need"),
    ] {
        let out = cacheplan(dir.path(), &["--step", step]);
        assert_eq!(out.status.code(), Some(2));
        assert!(text(&out.stderr).contains(want), "{}", text(&out.stderr));
    }
    assert_eq!(
        fine(dir.path(), &["--step", "1.1", "--format", "paths"]),
        "a\n"
    );
}

#[test]
fn make_rebuilds_for_what_a_step_reads_and_for_nothing_else() {
    if Command::new("make").arg("--version").output().is_err() {
        eprintln!("skipped: there is no make");
        return;
    }
    let odd = [
        "s/a b", "s/a#b", "s/a$b", "s/a:b", "s/a\\b", "s/a\\", "s/[ab]", "s/a*", "s/a=b", "s/%",
        "s/~x", "s/(g)/p", "s/é",
    ];
    let files: Vec<(&str, usize)> = odd.iter().map(|n| (*n, 1)).collect();
    let dir = folder("FROM a\nCOPY s /\n", &files);
    let at = |name: &str| dir.path().join(name);
    fs::write(at("other"), "x").expect("written");
    fs::write(at("Makefile"), "stamp:\n\t@touch stamp\ninclude deps.mk\n").expect("written");
    let args = [
        "--format",
        "make-deps",
        "--deps-target",
        "stamp",
        "-o",
        "deps.mk",
    ];
    fine(dir.path(), &args);
    let make = |args: &[&str]| {
        let out = Command::new("make")
            .args(args)
            .current_dir(dir.path())
            .env_remove("MAKEFLAGS")
            .output()
            .expect("make starts");
        (out.status.code(), text(&out.stderr))
    };
    let set = |name: &str, seconds: u64| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let file = fs::File::options()
            .append(true)
            .open(at(name))
            .expect("opened");
        file.set_modified(time).expect("set");
    };
    for name in odd.iter().chain(&["Dockerfile", "other"]) {
        set(name, 1_000_000_000);
    }
    assert_eq!(make(&[]), (Some(0), String::new()));
    assert_eq!(make(&["-q"]).0, Some(0));
    set("stamp", 1_100_000_000);
    for name in odd.iter().chain(&["Dockerfile"]) {
        set(name, 1_200_000_000);
        assert_eq!(make(&["-q"]).0, Some(1), "{name} is newer");
        set(name, 1_000_000_000);
    }
    set("other", 1_200_000_000);
    assert_eq!(make(&["-q"]).0, Some(0), "no step reads `other`");
    fs::remove_file(at("s/a b")).expect("removed");
    assert_eq!(make(&["-q"]).0, Some(1), "a file is gone");
}

#[test]
fn what_make_cannot_say_is_refused() {
    let dir = folder("FROM a\nCOPY . /\n", &[("a\nb", 1)]);
    let out = cacheplan(dir.path(), &["--format", "make-deps"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("a\\x0Ab: a line end"));
}

#[test]
fn names_that_fail_a_build_are_errors_where_they_are_sent() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = folder("FROM a\nCOPY s /\n", &[("s/x", 1), ("t/y", 1)]);
    let odd = |folder: &str| {
        let name = std::ffi::OsStr::from_bytes(b"b\xFF");
        dir.path().join(folder).join(name)
    };
    fs::write(odd("t"), "").expect("written");
    let out = cacheplan(dir.path(), &[]);
    assert_eq!(out.status.code(), Some(0));
    assert!(text(&out.stderr).contains("note: t/b\\xFF is not sent"));
    fs::write(odd("s"), "").expect("written");
    let out = cacheplan(dir.path(), &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("error: the name s/b\\xFF is not UTF-8"));
    assert!(!out.stdout.is_empty());
}

#[test]
fn the_store_stays_out_of_the_repository() {
    let dir = folder("FROM a\nCOPY . /\n", &[("a", 1)]);
    let inside = cacheplan(dir.path(), &["--format", "json", "--cache-dir", "store"]);
    assert_eq!(inside.status.code(), Some(2));
    assert!(text(&inside.stderr).contains("inside of what is analysed"));
    assert!(!dir.path().join("store").exists());
    let outside = tempfile::tempdir().expect("a folder");
    let store = outside.path().join("new/store");
    let args = [
        "--format",
        "json",
        "--cache-dir",
        store.to_str().expect("text"),
    ];
    // Files as young as the run are not remembered, and there is no store of nothing.
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    let first = fine(dir.path(), &args);
    assert!(store.join("stat").is_dir());
    assert_eq!(fine(dir.path(), &args), first);
}

#[test]
fn a_commit_is_listed_as_its_checkout_is_walked() {
    let dir = folder(
        "FROM a\nCOPY . /\n",
        &[("a", 3), ("d/e", 4), ("d/skip", 5), (".dockerignore", 0)],
    );
    fs::write(dir.path().join(".dockerignore"), ".git\nd/skip\n").expect("written");
    std::os::unix::fs::symlink("d/e", dir.path().join("l")).expect("linked");
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let out = Command::new("git")
            .args(identity)
            .args(args)
            .current_dir(dir.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", dir.path())
            .output()
            .expect("git starts");
        assert!(out.status.success(), "{}", text(&out.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "c"]);
    let files = |args: &[&str]| {
        let value: Value = serde_json::from_str(&fine(dir.path(), args)).expect("JSON");
        // Modes of the work tree are those of this process's umask.
        let mut files = value["files"].as_array().expect("a list").clone();
        for file in &mut files {
            file["mode"] = Value::Null;
        }
        (files, value["ignored"].clone())
    };
    let (walked, mut ignored) = files(&["--format", "json"]);
    let (listed, ignored_there) = files(&["--format", "json", "--ref", "HEAD"]);
    assert_eq!(listed, walked);
    // `.git` is no file of the commit.
    ignored.as_array_mut().expect("a list").remove(0);
    assert_eq!(ignored_there, ignored);
}
