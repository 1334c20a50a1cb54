//! The JSON Schemas in `docs/schemas` are those of the types (`UPDATE_SCHEMAS=1` writes them anew), and real output holds to them.

#[path = "common/git.rs"]
mod git;

use git::Repo;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

#[test]
fn published_schemas_are_those_of_the_types() {
    let update = std::env::var("UPDATE_SCHEMAS").is_ok_and(|v| v == "1");
    let mut names = Vec::new();
    for (name, schema) in cacheplan::report::schemas::all() {
        let file = folder().join(format!("{name}.json"));
        let mut text = serde_json::to_string_pretty(&schema).expect("JSON");
        text.push('\n');
        if update {
            std::fs::create_dir_all(folder()).expect("a folder");
            std::fs::write(&file, &text).expect("written");
        }
        let there = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            there == text,
            "docs/schemas/{name}.json is not up to date: run with UPDATE_SCHEMAS=1"
        );
        names.push(format!("{name}.json"));
    }
    let entries = std::fs::read_dir(folder()).expect("a folder");
    for entry in entries {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy().into_owned();
        assert!(
            names.contains(&name),
            "docs/schemas/{name} is of no document"
        );
    }
}

/// The published schema, but no field that it does not name may be there: real output has none.
fn closed(name: &str) -> Validator {
    let file = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut schema: Value = serde_json::from_str(&text).expect("JSON");
    close(&mut schema);
    jsonschema::validator_for(&schema).expect("a schema")
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            // What a definition is made of is closed with it.
            let parts = ["allOf", "anyOf", "oneOf"]
                .iter()
                .any(|k| map.contains_key(*k));
            for value in map.values_mut() {
                close(value);
            }
            let of_objects = map.get("type") == Some(&json!("object"));
            if of_objects && map.contains_key("properties") && !parts {
                map.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// The document that a command writes.
fn document(words: &[&str], repo: &Path) -> Value {
    let out = tempfile::NamedTempFile::new().expect("a file");
    let mut all: Vec<OsString> = ["cacheplan", "--quiet", "--cache-dir", "none"]
        .map(OsString::from)
        .into();
    all.extend(words.iter().map(OsString::from));
    all.extend([OsString::from("-o"), out.path().into(), repo.into()]);
    let code = cacheplan::cli::run_from(all);
    assert!(code == 0 || code == 2, "{words:?}: exit code {code}");
    let bytes = std::fs::read(out.path()).expect("the document");
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{words:?}: {e}"))
}

fn holds(name: &str, document: &Value) {
    let schema = closed(name);
    let errors: Vec<String> = schema
        .iter_errors(document)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
    let mut other = document.clone();
    other["schema"] = json!("cacheplan.other/1");
    assert!(!schema.is_valid(&other), "{name}: any name would do");
    other["schema"] = document["schema"].clone();
    other["no such field"] = json!(1);
    assert!(!schema.is_valid(&other), "{name}: any field would do");
}

fn repository() -> Repo {
    let repo = Repo::new();
    repo.write("package.json", "{}");
    repo.write("package-lock.json", "{}");
    repo.write(
        "Dockerfile",
        "FROM node:22\nARG GIT_SHA\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN npm run build\n",
    );
    repo.write("broken/Dockerfile", "FROM node:22\nNONSENSE\n");
    for n in 0..30 {
        repo.write("src/a.js", &n.to_string());
        if n == 20 {
            repo.write(
                "Dockerfile",
                "FROM node:22\nARG GIT_SHA\nWORKDIR /app\nCOPY . .\nRUN npm ci && npm run build\n",
            );
        }
        repo.git(["add", "-A"]);
        repo.git(["commit", "-qm", "Sources"]);
    }
    repo
}

#[test]
fn real_output_holds_to_the_schemas() {
    let repo = repository();
    let root = &repo.root;
    let analysis = document(
        &[
            "analyze",
            "--no-timing",
            "--base",
            "HEAD~15",
            "-f",
            "Dockerfile",
            "-f",
            "broken/Dockerfile",
            "--builds-per-month",
            "40",
            "--price",
            "0.008",
            "--format",
            "json",
        ],
        root,
    );
    assert_eq!(analysis["targets"].as_array().map(Vec::len), Some(2));
    assert!(
        analysis["targets"][0]["base"].is_object() && analysis["targets"][1]["steps"].is_null()
    );
    holds("analyze", &analysis);
    holds("analyze", &document(&["analyze", "--format", "json"], root));
    holds(
        "check",
        &document(&["check", "--all", "--format", "json"], root),
    );
    holds(
        "optimize",
        &document(&["optimize", "--format", "json"], root),
    );
    holds("trend", &document(&["trend", "--format", "json"], root));
    holds(
        "explain",
        &document(&["explain", "--from", "HEAD~1", "--format", "json"], root),
    );
    holds(
        "affected",
        &document(&["affected", "--from", "HEAD~1", "--format", "json"], root),
    );
    holds("layers", &document(&["layers", "--format", "json"], root));
    let words = "compare HEAD:Dockerfile HEAD~20:Dockerfile --format json";
    let words: Vec<&str> = words.split(' ').collect();
    let out = cacheplan(&words, root);
    assert!(out.status.success(), "{out:?}");
    holds(
        "compare",
        &serde_json::from_slice(&out.stdout).expect("JSON"),
    );
    let baseline = root.join("baseline.json");
    let out = cacheplan(
        &["check", "--quiet", "--write-baseline", "baseline.json"],
        root,
    );
    assert!(out.status.success(), "{out:?}");
    let text = std::fs::read(&baseline).expect("written");
    holds("baseline", &serde_json::from_slice(&text).expect("JSON"));
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/log/warm/plain.txt");
    let log = log.to_string_lossy().into_owned();
    let out = cacheplan(&["calibrate", &log, "--format", "json"], root);
    assert!(out.status.success(), "{out:?}");
    holds(
        "calibrate",
        &serde_json::from_slice(&out.stdout).expect("JSON"),
    );
}

/// A call of its own, in a folder.
fn cacheplan(words: &[&str], dir: &Path) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    command.args(words).current_dir(dir);
    command.output().expect("it runs")
}
