//! `compare --measure` against a real builder.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the live tests say so and pass (with
//! `CACHEPLAN_REQUIRE_BUILDER=1` they fail). Out: signs and fields, never timings. Invariant: no cache is emptied, and
//! no image is left behind.

mod common;

use common::{builder, history};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// One builder, whose images are counted: one test at a time.
static BUILDER: Mutex<()> = Mutex::new(());

/// Two Dockerfiles of which the first runs its dear step for every commit.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    let git = |args: &[&str]| history::output_of(history::git(folder.path()).args(args));
    git(&["init", "-q", "-b", "main"]).expect("git works");
    let dear = "RUN --mount=type=cache,target=/c sleep 1; test ! -e /c/x; echo x > /c/y";
    file(
        "dear.Dockerfile",
        &format!("FROM busybase\nWORKDIR /app\nCOPY . .\n{dear}\n"),
    );
    file(
        "cheap.Dockerfile",
        &format!("FROM busybase\nWORKDIR /app\n{dear}\nCOPY . .\n"),
    );
    for n in 0..5 {
        file("source", &format!("{n}\n"));
        git(&["add", "-A"]).expect("git works");
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        git(&[&who[..], &["commit", "-q", "-m", "one"]].concat()).expect("git works");
    }
    folder
}

fn compare(folder: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args([
            "compare",
            "dear.Dockerfile",
            "cheap.Dockerfile",
            "--measure",
            "3",
        ])
        .args(["--context", ".", "--dot-git", "absent"])
        .args(more)
        .args(["--", "--network=none"])
        .current_dir(folder)
        .env("CACHEPLAN_CACHE_DIR", "none")
        .output()
        .expect("runs")
}

fn images() -> String {
    history::output_of(Command::new("docker").args(["image", "ls", "-q"])).expect("lists")
}

fn seconds(v: &Value) -> f64 {
    v.as_f64().expect("seconds")
}

#[test]
fn the_dearer_dockerfile_is_measured_as_dearer_from_an_empty_cache_each() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = repository();
    let before = images();
    // The second run meets all that the first one left.
    for _ in 0..2 {
        let out = compare(folder.path(), &["--format", "json"]);
        let errors = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{errors}");
        assert!(
            errors.contains("cheap.Dockerfile: build 3 of 3"),
            "{errors}"
        );
        let c: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        for v in c["variants"].as_array().expect("a list") {
            let m = &v["measured"];
            assert_eq!(m["apart"], "all steps");
            assert_eq!(m["found_cached"], 0, "{m:#}");
            assert_eq!(m["builds"], 2);
            assert!(
                m["builder"]
                    .as_str()
                    .is_some_and(|b| b.starts_with("docker "))
            );
            let builds = m["per_build"].as_array().expect("a list");
            assert_eq!(builds.len(), 3);
            // The first one ran everything.
            let steps = builds[0]["steps"].as_array().expect("a list");
            assert_eq!(steps.len(), 3, "{m:#}");
            assert!(seconds(&m["cold_s"]) >= 1.0, "{m:#}");
            for b in builds {
                assert!(b.get("failed").is_none());
                assert!(seconds(&b["wall_s"]) > 0.0 && seconds(&b["work_s"]) > 0.0);
            }
            assert_eq!(
                v["modelled_beside"]["per_build"].as_array().map(Vec::len),
                Some(3)
            );
        }
        let ran = |v: usize, b: usize| {
            let steps = &c["variants"][v]["measured"]["per_build"][b]["steps"];
            let names = steps.as_array().expect("a list").iter();
            let mut names: Vec<String> = names
                .map(|s| {
                    let name = s["name"].as_str().expect("a name");
                    let text = name.split_once("] ").expect("a title").1;
                    text.split(' ').next().unwrap_or_default().to_owned()
                })
                .collect();
            names.sort();
            names
        };
        for b in [1, 2] {
            assert_eq!(ran(0, b), ["COPY", "RUN"]);
            assert_eq!(ran(1, b), ["COPY"]);
        }
        let p = &c["pairs"][0];
        assert_eq!(p["measured"]["builds"], 2);
        assert!(seconds(&p["measured"]["saving"]) > 0.0, "{p:#}");
        assert!(seconds(&p["measured"]["wall_saving"]) > 0.0, "{p:#}");
        let range = p["measured"]["interval"].as_array().expect("two");
        assert!(seconds(&range[0]) <= seconds(&p["measured"]["saving"]));
        assert!(seconds(&p["measured"]["saving"]) <= seconds(&range[1]));
        assert!(seconds(&p["modelled_beside"]["saving"]) > 0.0, "{p:#}");
        assert_eq!(images(), before, "an image was left behind");
    }
    for (format, words) in [
        ("text", ["Measured with docker", "steps, modelled"]),
        (
            "markdown",
            ["**Measured beside modelled.**", "steps, modelled"],
        ),
        ("html", ["Measured beside modelled", "steps, modelled"]),
    ] {
        let out = compare(folder.path(), &["--quiet", "--format", format]);
        let shown = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(words.iter().all(|w| shown.contains(w)), "{shown}");
        assert!(
            out.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

#[test]
fn a_dockerfile_that_does_not_build_ends_with_3() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = repository();
    std::fs::write(
        folder.path().join("cheap.Dockerfile"),
        "FROM busybase\nCOPY . /app\nRUN false\n",
    )
    .expect("writable");
    let out = compare(folder.path(), &["--format", "json"]);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(3), "{errors}");
    assert!(
        errors.contains("no build of cheap.Dockerfile came to its end"),
        "{errors}"
    );
    let c: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(c["variants"][0]["measured"]["builds"], 2);
    let failed = &c["variants"][1]["measured"]["per_build"][0]["failed"];
    assert!(
        failed.as_str().is_some_and(|f| f.contains("exit code: 1")),
        "{failed}"
    );
    assert!(c["pairs"][0].get("measured").is_none());
}
