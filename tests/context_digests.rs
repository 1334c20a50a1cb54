//! `context --digests buildkit` and `--builder-profile` as a user meets them.

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

fn cacheplan(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env_remove("CACHEPLAN_BUILDER_PROFILE")
        .output()
        .expect("the program starts")
}

fn project(dockerfile: &str, ignore: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("d")).expect("a folder");
    let files = [
        ("f", "1\n"),
        ("d/g", "2\n"),
        ("Dockerfile", dockerfile),
        (".dockerignore", ignore),
    ];
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::write(&path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("a mode");
    }
    dir
}

const FILE: &str = "sha256:3e08e8586ec5870bc7f0b072ea6aad226d1823220ef84ce7027bd7bab43a5cc6";

#[test]
fn digests_are_rows_of_steps() {
    let dockerfile = "FROM scratch\nENV A=1\nCOPY f /x\nCOPY absent /y\nRUN --mount=type=bind,source=f,target=/a --mount=type=bind,source=d,target=/b true\n";
    let dir = project(dockerfile, "Dockerfile\n");
    let shown = cacheplan(
        dir.path(),
        &["context", "--digests", "buildkit", "--format", "json"],
    );
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let document: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let rows = document["digests"].as_array().expect("rows");
    let steps: Vec<&str> = rows.iter().filter_map(|r| r["step"].as_str()).collect();
    assert_eq!(steps, ["0.2", "0.3", "0.4"]);
    assert_eq!(rows[0]["sources"], json!([{"source": "f", "digest": FILE}]));
    // Of a slot with one source the key is the sha256 of its digest's text.
    let key = "sha256:4c341251034f1931b1b00b08a7ba31c5fa8b376badb77a03318eb27dd3fbed4c";
    assert_eq!(
        (&rows[0]["input"], &rows[0]["key"]),
        (&json!(0), &json!(key))
    );
    assert_eq!(
        (&rows[1]["key"], &rows[1]["error"]),
        (&Value::Null, &json!("\"/absent\": not found"))
    );
    // Both bind mounts are one slot.
    assert_eq!(rows[2]["sources"].as_array().map(Vec::len), Some(2));
    let only = cacheplan(
        dir.path(),
        &["context", "--digests", "buildkit", "--step", "0.2"],
    );
    let text = String::from_utf8_lossy(&only.stdout).into_owned();
    assert!(
        text.contains(&format!("  step 0.2  {key}\n")) && !text.contains("step 0.4  "),
        "{text}"
    );
    let without = cacheplan(dir.path(), &["context", "--format", "json"]);
    assert!(!String::from_utf8_lossy(&without.stdout).contains("digests"));
}

/// A named folder is sent as a context of its own, under its own ignore file; a file's key is the same wherever it
/// comes from.
#[test]
fn named_folders_have_keys_too() {
    let dockerfile = "FROM scratch\nCOPY f /a\nCOPY --from=n f /b\nCOPY --from=n g /c\nCOPY --from=u x /d\nRUN --mount=from=n,source=f,target=/m --mount=source=f,target=/o true\n";
    let dir = project(dockerfile, "d\n");
    let inner = dir.path().join("d");
    fs::copy(dir.path().join("f"), inner.join("f")).expect("copied");
    fs::write(inner.join(".dockerignore"), "g\n").expect("written");
    let flags = [
        "--build-context",
        "n=./d",
        "--build-context",
        "u=https://example.org/x.git",
    ];
    let args = ["context", "--digests", "buildkit", "--format", "json"];
    let shown = cacheplan(dir.path(), &[&args[..], &flags[..]].concat());
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let document: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let rows = document["digests"].as_array().expect("rows");
    let ids: Vec<(&str, &Value)> = rows
        .iter()
        .map(|r| (r["step"].as_str().expect("an id"), &r["context"]))
        .collect();
    let (none, n, u) = (Value::Null, json!("n"), json!("u"));
    assert_eq!(
        ids,
        [
            ("0.1", &none),
            ("0.2", &n),
            ("0.3", &n),
            ("0.4", &u),
            ("0.5", &n),
            ("0.5", &none)
        ]
    );
    assert_eq!(rows[1]["sources"], json!([{"source": "f", "digest": FILE}]));
    assert_eq!(rows[1]["key"], rows[0]["key"]);
    assert_eq!(rows[2]["error"], json!("\"/g\": not found"));
    assert_eq!(
        rows[3]["error"],
        json!("the named context u is no folder here")
    );
    assert_eq!(rows[4]["sources"], rows[5]["sources"]);
    let text = cacheplan(dir.path(), &[&args[..3], &flags[..]].concat());
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("  (context n)\n") && text.contains("  step 0.3  no key: "),
        "{text}"
    );
}

#[test]
fn a_profile_chooses_the_ignore_file_and_stops_the_search() {
    let dir = project("FROM scratch\nCOPY . /\n", "f\n");
    fs::write(dir.path().join(".containerignore"), "d\n").expect("written");
    let paths = |profile: &str| {
        let args = ["context", "--format", "paths", "--builder-profile", profile];
        let shown = cacheplan(dir.path(), &args);
        assert_eq!(shown.status.code(), Some(0), "{shown:?}");
        String::from_utf8_lossy(&shown.stdout).into_owned()
    };
    assert_eq!(
        paths("buildkit"),
        ".containerignore\n.dockerignore\nDockerfile\nd/g\n"
    );
    assert_eq!(
        paths("buildah"),
        ".containerignore\n.dockerignore\nDockerfile\nf\n"
    );
    for command in ["analyze", "optimize"] {
        let refused = cacheplan(dir.path(), &[command, "--builder-profile", "buildah"]);
        assert_eq!(refused.status.code(), Some(2));
        let said = "error: --builder-profile buildah: better Dockerfiles are only looked for where BuildKit builds; replay knows this builder\n";
        assert_eq!(String::from_utf8_lossy(&refused.stderr), said, "{command}");
    }
}

#[test]
fn a_bad_ignore_line_is_shown_with_line_and_column() {
    let dir = project("FROM scratch\nCOPY . /\n", "ok\n  x[b-a]c\n! \n");
    let refused = cacheplan(dir.path(), &["context"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains(".dockerignore:2:4") && said.contains(".dockerignore:3:1"),
        "{said}"
    );
    assert_eq!(said.matches("error[").count(), 2, "{said}");
}
