//! Every Dockerfile of real repositories: the builder's verdict and step names against those of `inspect`.
//!
//! In: `CACHEPLAN_REPOSITORIES`, a folder with git directories at any depth up to two (nothing of them is kept here),
//! and a builder with `busybase:latest`; without either the test says so and passes. Bases are stood in for by an
//! image without a shell, so that no RUN of a stranger runs; `# syntax=` lines are taken out of the copy. Out: counts, and
//! every file whose verdict or names differ. Results are in `docs/conformance.md`.

mod common;

use common::builder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn verdicts_and_names_equal_a_real_builder() {
    let Some(folder) = std::env::var_os("CACHEPLAN_REPOSITORIES") else {
        return eprintln!("skipped: CACHEPLAN_REPOSITORIES names no folder of repositories");
    };
    if builder::version_or_skip().is_none() {
        return;
    }
    stand_in();
    let mut tagged = BTreeSet::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    for file in dockerfiles(Path::new(&folder)) {
        let outcome = judge(&file, &mut tagged);
        *counts.entry(outcome.0).or_default() += 1;
        if let (kind @ ("verdict differs" | "names differ"), what) = &outcome {
            differences.push(format!(
                "{kind}: {} {}\n    {what}",
                file.repository, file.path
            ));
        }
    }
    eprintln!("{counts:?}\n{}", differences.join("\n"));
    let of = |kind: &str| counts.get(kind).copied().unwrap_or(0);
    assert!(of("same steps") > 0, "no files were compared");
    assert_eq!(of("verdict differs"), 0, "see above");
    // Variables of a base image, which the stand-in does not have, can make a name differ.
    assert!(of("names differ") * 50 <= of("same steps"), "see above");
}

/// An image that holds nothing, so that no command of a file can run.
fn stand_in() {
    let script = "tar cf - -T /dev/null | docker import - cacheplan-empty:latest";
    let made = Command::new("sh").args(["-c", script]).output();
    assert!(made.is_ok_and(|o| o.status.success()), "docker import");
}

struct File {
    repository: String,
    path: String,
    bytes: Vec<u8>,
}

/// Files that are named like Dockerfiles at the newest commit, each text once.
fn dockerfiles(folder: &Path) -> Vec<File> {
    let mut repositories = Vec::new();
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|e| Some(e.ok()?.path())).collect()
    };
    for outer in below(folder) {
        repositories.extend([outer.clone()].into_iter().chain(below(&outer)));
    }
    repositories.retain(|path| path.join("HEAD").is_file());
    repositories.sort();
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for repository in repositories {
        let git = |arguments: &[&str]| -> Vec<u8> {
            let mut git = Command::new("git");
            let output = git
                .arg("--git-dir")
                .arg(&repository)
                .args(arguments)
                .output();
            output.map(|o| o.stdout).unwrap_or_default()
        };
        let name = repository.strip_prefix(folder).unwrap_or(&repository);
        for line in String::from_utf8_lossy(&git(&["ls-tree", "-r", "-z", "HEAD"])).split('\0') {
            let Some((head, path)) = line.split_once('\t') else {
                continue;
            };
            let mut fields = head.split(' ');
            let plain_file = fields.next().is_some_and(|mode| mode.starts_with("100"));
            let blob = fields.nth(1).unwrap_or_default().to_owned();
            if plain_file && is_dockerfile(path) && seen.insert(blob.clone()) {
                out.push(File {
                    repository: name.display().to_string(),
                    path: path.to_owned(),
                    bytes: git(&["cat-file", "blob", &blob]),
                });
            }
        }
    }
    out
}

fn is_dockerfile(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let stem = ["dockerfile", "containerfile"];
    !name.ends_with(".dockerignore")
        && stem.iter().any(|s| {
            name == *s
                || name.starts_with(&format!("{s}."))
                || name.starts_with(&format!("{s}-"))
                || name.ends_with(&format!(".{s}"))
        })
}

/// The copy without its `# syntax=` line.
fn without_syntax(bytes: &[u8]) -> Vec<u8> {
    let is_syntax = |line: &[u8]| {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        text.strip_prefix('#')
            .is_some_and(|t| t.trim_start().to_lowercase().starts_with("syntax"))
    };
    let mut out = Vec::new();
    let mut directives = true;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        directives &= line
            .iter()
            .find(|b| !b.is_ascii_whitespace())
            .is_some_and(|b| *b == b'#' || *b == 0xef);
        if !(directives && is_syntax(line)) {
            out.extend_from_slice(line);
        }
    }
    out
}

fn judge(file: &File, tagged: &mut BTreeSet<String>) -> (&'static str, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = without_syntax(&file.bytes);
    std::fs::write(folder.path().join("Dockerfile"), text).expect("writable");
    let inspect = |flags: &[String]| {
        let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
        tool.args(["inspect", "--format", "json"]).args(flags);
        let output = tool.arg(folder.path()).output().expect("the tool starts");
        let json: Value = serde_json::from_slice(&output.stdout).expect("a document");
        (output.status.code() == Some(0), json)
    };
    let (ours, json) = inspect(&[]);
    let mut flags = Vec::new();
    for image in images(&json) {
        if image.contains('@') {
            flags.push(format!(
                "--build-context={image}=docker-image://cacheplan-empty"
            ));
        } else if tagged.insert(image.clone()) {
            let mut docker = Command::new("docker");
            // A name the daemon does not take is one the builder has to refuse.
            let _ = docker
                .args(["tag", "cacheplan-empty:latest", &image])
                .output();
        }
    }
    let docker = |arguments: &[&str]| {
        let mut docker = Command::new("timeout");
        docker
            .args(["60", "docker", "buildx", "build"])
            .args(arguments)
            .args(&flags);
        docker
            .arg(".")
            .current_dir(folder.path())
            .env_remove("SOURCE_DATE_EPOCH");
        docker.output().expect("docker starts")
    };
    let outline = docker(&["--call=outline"]);
    let said = String::from_utf8_lossy(&outline.stderr);
    let said = said
        .lines()
        .rev()
        .find(|l| l.starts_with("ERROR: "))
        .unwrap_or_default();
    // The grammar here is the newest, the builder's frontend may be older.
    if said.contains("unknown flag: --parents") && ours {
        return ("newer than the builder", String::new());
    }
    if outline.status.success() != ours {
        let messages = json["diagnostics"].to_string();
        return (
            "verdict differs",
            format!("we: {messages}\n    builder: {said:?}"),
        );
    }
    if !ours {
        return ("both refuse it", String::new());
    }
    let built = docker(&[
        "--network=none",
        "--output=type=cacheonly",
        "--provenance=false",
        "--progress=rawjson",
    ]);
    let progress = String::from_utf8_lossy(&built.stderr);
    let built = builder::announced(&progress);
    // A pinned base is stood in for by a named context, which has titles of its own.
    let named = builder::inspected(&inspect(&flags).1);
    match builder::name_difference(&built, &named) {
        None => ("same steps", String::new()),
        Some(what) => ("names differ", what),
    }
}

/// Images the file names in FROM, `--from` and mounts.
fn images(json: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for stage in json["stages"].as_array().into_iter().flatten() {
        if stage["base"]["kind"] == "image" {
            out.insert(stage["base"]["ref"].as_str().unwrap_or_default().to_owned());
        }
        for instruction in stage["instructions"].as_array().into_iter().flatten() {
            for flag in instruction["flags"].as_array().into_iter().flatten() {
                let flag = flag.as_str().unwrap_or_default();
                let fields = flag
                    .trim_start_matches("--mount=")
                    .trim_start_matches("--")
                    .split(',');
                for field in fields {
                    if let Some(image) = field.strip_prefix("from=") {
                        out.insert(image.to_owned());
                    }
                }
            }
        }
    }
    let stages: Vec<&str> = json["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| s["name"].as_str())
        .collect();
    out.retain(|image| {
        !image.is_empty()
            && !stages.contains(&image.to_lowercase().as_str())
            && image.parse::<u32>().is_err()
    });
    out
}
