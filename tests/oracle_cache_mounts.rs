//! Cache mounts against a real builder: what is left of a mount point, and that plans with cache mounts build the same image.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the live tests say so and pass (with
//! `CACHEPLAN_REQUIRE_BUILDER=1` they fail). The tools are scripts that fill a cache, and fail where something is amiss: no
//! registry is asked. Out: nothing is left but the builder's own cache.

mod common;

use cacheplan::verify::{Builder as _, Docker, Made, Request, compare_files, shown};
use common::{builder, history};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The image of the tools has one name.
static IMAGE: Mutex<()> = Mutex::new(());

/// What stands in for the image with the tools.
const TOOLS: &str = "cacheplan-tools:1";

/// An npm: `ci` makes `node_modules` with the help of its cache, and says whether that was filled.
const NPM: &str = r#"#!/bin/sh
set -e
cache=$HOME/.npm
case "$1 $2" in
  "ci ") mkdir -p $cache/_cacache
    if [ -e $cache/_cacache/left-pad ]; then echo 'npm found its cache filled'; else echo pad > $cache/_cacache/left-pad; fi
    mkdir -p node_modules && cat package.json $cache/_cacache/left-pad > node_modules/left-pad
    echo seen > $cache/last ;;
  "cache clean") rm -rf $cache ;;
  *) exit 1 ;;
esac
"#;

/// A pip: with `--no-cache-dir` it leaves nothing.
const PIP: &str = r#"#!/bin/sh
set -e
[ "$1" = install ]
cache=$HOME/.cache/pip
case "$*" in *--no-cache-dir*) ;; *) mkdir -p $cache && echo wheel > $cache/wheel ;; esac
mkdir -p /usr/lib/python && echo installed > /usr/lib/python/flask
"#;

fn build(context: &Path, dest: &Path) {
    let request = Request {
        dockerfile: context.join("Dockerfile"),
        context: context.to_owned(),
        flags: vec!["--network=none".to_owned()],
        timeout: Duration::from_secs(300),
        ..Request::default()
    };
    let made = Docker.image(&request, dest).expect("builds");
    assert_eq!(made, Made::Image);
}

/// The image of a Dockerfile's lines on a base that has a folder with a file.
fn image_of(folder: &Path, name: &str, lines: &str) -> PathBuf {
    let context = folder.join(name);
    std::fs::create_dir(&context).expect("writable");
    let text =
        format!("FROM busybase\nRUN mkdir -p /k/c && chmod 700 /k && echo old > /k/c/f\n{lines}\n");
    std::fs::write(context.join("Dockerfile"), text).expect("writable");
    let dest = folder.join(format!("{name}.tar"));
    build(&context, &dest);
    dest
}

#[test]
fn nothing_is_left_of_a_mount_point() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let plain = image_of(folder.path(), "plain", "RUN true");
    for (name, run, expected) in [
        // Folders above it that were not there go with it.
        (
            "made",
            "RUN --mount=type=cache,target=/root/.cache/x echo 1 > /root/.cache/x/f",
            &[][..],
        ),
        // What was there stays as it was, and is hidden meanwhile.
        (
            "there",
            "RUN --mount=type=cache,target=/k/c test ! -e /k/c/f && echo 1 > /k/c/g",
            &[],
        ),
        (
            "owner",
            "RUN --mount=type=cache,target=/h/c,uid=1000,gid=1000 true",
            &[],
        ),
        // A folder above it that the RUN puts something into is root's, as everything that the builder makes.
        (
            "used",
            "RUN --mount=type=cache,target=/u/c,uid=1000,gid=1000 touch /u/f",
            &["/u presence", "/u/f presence"],
        ),
        // A mount point cannot be removed.
        (
            "busy",
            "RUN --mount=type=cache,target=/b/c ! rm -rf /b 2>/dev/null",
            &[],
        ),
    ] {
        let other = image_of(folder.path(), name, run);
        let compared = compare_files(&plain, &other).expect("reads");
        let rows = compared.differences.iter();
        let rows: Vec<String> = rows
            .map(|d| format!("{} {}", shown(&d.path), d.field.name()))
            .collect();
        assert_eq!(rows, expected, "{name}");
    }
}

/// A repository of a Dockerfile on the tools' image and a project whose sources change.
fn repository(lines: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    let git = |args: &[&str]| history::output_of(history::git(folder.path()).args(args));
    git(&["init", "-q", "-b", "main"]).expect("git works");
    file(
        "Dockerfile",
        &format!("FROM {TOOLS} AS build\nWORKDIR /app\nCOPY . .\n{lines}"),
    );
    file("package.json", "{}\n");
    file("requirements.txt", "flask==3\n");
    for n in 0..4 {
        file("source.js", &format!("{n}\n"));
        git(&["add", "-A"]).expect("git works");
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let commit = [&who[..], &["commit", "-q", "-m", "one"]].concat();
        git(&commit).expect("git works");
    }
    folder
}

/// With the image of the tools, which is taken away again.
fn with_tools(test: impl FnOnce()) {
    let _one = IMAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    file("npm", NPM);
    file("pip", PIP);
    file(
        "Dockerfile",
        "FROM busybase\nENV HOME=/root\nRUN mkdir -p /root\nCOPY --chmod=755 npm pip /bin/\n",
    );
    let docker = |args: &[&str]| history::output_of(Command::new("docker").args(args));
    let path = folder.path().display().to_string();
    docker(&[
        "buildx",
        "build",
        "-q",
        "--load",
        "-t",
        TOOLS,
        "--network=none",
        &path,
    ])
    .expect("builds");
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test));
    docker(&["image", "rm", "-f", TOOLS]).expect("is removed");
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// What `verify --plan` says of the cache mounts it finds, and its exit code.
fn verified(folder: &Path, safety: &str) -> (Option<i32>, Value) {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    tool.args([
        "verify",
        "--plan",
        "--format",
        "json",
        "--dot-git",
        "absent",
        "--rewrites",
        "cache-mount",
    ]);
    tool.args(["--safety", safety, ".", "--", "--network=none"]);
    let output = tool.current_dir(folder).output().expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_slice::<Value>(&output.stdout);
    let plan = document.unwrap_or_else(|e| panic!("{e}: {errors}"))["plan"].clone();
    (output.status.code(), plan)
}

#[test]
fn plans_with_cache_mounts_build_the_same_image() {
    if builder::version_or_skip().is_none() {
        return;
    }
    with_tools(|| {
        for lines in [
            // The cache stays behind in the stage.
            "RUN npm ci\nFROM busybase\nCOPY --from=build /app/node_modules /x\n",
            // It is cleaned, or not filled, in the image itself.
            "RUN npm ci \\\n  && npm cache clean --force\n",
            "RUN npm ci && rm -rf ~/.npm && ls node_modules\n",
            "RUN pip install --no-cache-dir -r requirements.txt\n",
            "RUN pip install -r requirements.txt && rm -rf /root/.cache\n",
        ] {
            let folder = repository(lines);
            let (code, plan) = verified(folder.path(), "assumed");
            assert_eq!(code, Some(0), "{lines}{plan:#}");
            assert_eq!(plan["equal"], true, "{lines}{plan:#}");
            assert_eq!(
                plan["edits"][0]["rewrite"], "cache-mount",
                "{lines}{plan:#}"
            );
            assert_eq!(plan["edits"][0]["safety"], "assumed", "{lines}{plan:#}");
        }
    });
}

#[test]
fn what_the_image_loses_is_found() {
    if builder::version_or_skip().is_none() {
        return;
    }
    with_tools(|| {
        let folder = repository("RUN npm ci\n");
        let (code, plan) = verified(folder.path(), "review");
        assert_eq!(code, Some(1), "{plan:#}");
        assert_eq!(plan["edits"][0]["safety"], "review", "{plan:#}");
        assert_eq!(plan["equal"], false, "{plan:#}");
        let text = plan["differences"].to_string();
        assert!(text.contains("/root/.npm/last"), "{plan:#}");
    });
}

#[test]
fn the_next_build_finds_the_cache_filled() {
    if builder::version_or_skip().is_none() {
        return;
    }
    with_tools(|| {
        let folder =
            repository("RUN npm ci\nFROM busybase\nCOPY --from=build /app/node_modules /x\n");
        let out = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
            .args([
                "optimize",
                "--write",
                "--quiet",
                "--dot-git",
                "absent",
                "--rewrites",
                "cache-mount",
                ".",
            ])
            .current_dir(folder.path())
            .output()
            .expect("runs");
        assert!(out.status.success(), "{out:?}");
        let text = std::fs::read_to_string(folder.path().join("Dockerfile")).expect("there");
        // Its own mount, so that no other test has filled it.
        let id = format!("type=cache,id=cacheplan-{}", std::process::id());
        assert!(
            text.contains("RUN --mount=type=cache,target=/root/.npm npm ci"),
            "{text}"
        );
        std::fs::write(
            folder.path().join("Dockerfile"),
            text.replace("type=cache", &id),
        )
        .expect("writable");
        let said = |source: &str| {
            std::fs::write(folder.path().join("source.js"), source).expect("writable");
            let out = Command::new("docker")
                .args([
                    "buildx",
                    "build",
                    "--progress=plain",
                    "--network=none",
                    "--output",
                    "type=cacheonly",
                    ".",
                ])
                .current_dir(folder.path())
                .output()
                .expect("runs");
            let text = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(out.status.success(), "{text}");
            // The step's own text is printed as well.
            text.lines()
                .any(|l| l.ends_with("npm found its cache filled"))
        };
        let unique = format!("{:?}", std::time::SystemTime::now());
        assert_eq!(
            (said(&unique), said(&format!("{unique} again"))),
            (false, true)
        );
    });
}
