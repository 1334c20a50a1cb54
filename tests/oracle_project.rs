//! Targets of compose and bake files beside those that `docker buildx bake --print` resolves.
//!
//! A case is a folder under `corpus/compose` or `corpus/bake`; `expected.json` in it keeps the answer, so that every
//! run checks it. The builder's own answer is asked for where there is one; with `CACHEPLAN_REQUIRE_BUILDER=1` its
//! absence is a failure. `CACHEPLAN_KEEP_ANSWERS=1` writes the builder's answer down.

mod common;

use cacheplan::plan::RunFlags;
use cacheplan::project::{self, WorkTree, join, normalize};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut cases = Vec::new();
    for kind in ["compose", "bake"] {
        for entry in std::fs::read_dir(root.join(kind)).expect("corpus is there") {
            cases.push(entry.expect("an entry").path());
        }
    }
    cases.sort();
    cases
}

/// What both sides say: the Dockerfile below the root, the context, and so on. Of several platforms the first.
fn ours(case: &Path) -> Map<String, Value> {
    let found = project::discover(&WorkTree::new(case), &[]).expect("nothing is named");
    let mut out = Map::new();
    for target in found.targets {
        for id in &target.ids {
            let name = id.split_once(':').expect("a kind and a name").1;
            let args: Map<String, Value> = target
                .args
                .iter()
                .map(|(n, v)| (n.clone(), json!(v)))
                .collect();
            let contexts: Map<String, Value> = target
                .contexts
                .iter()
                .map(|(n, v)| (n.clone(), json!(v.replace("service:", "target:"))))
                .collect();
            let file = target.inline.is_none().then(|| target.file.clone());
            let mut value = json!({
                "file": file, "inline": target.inline, "context": target.context, "stage": target.stage,
                "args": args, "contexts": contexts, "platform": target.platform,
            });
            note_flags(&mut value, &target.run, target.no_cache.as_deref());
            out.insert(name.to_owned(), value);
        }
    }
    out
}

/// Flags of the build, where there are any.
fn note_flags(value: &mut Value, run: &RunFlags, no_cache: Option<&[String]>) {
    let mut hosts = Map::new();
    for host in &run.hosts {
        let (name, address) = host.split_once('=').expect("a name and an address");
        let address = address.trim_matches(['[', ']']);
        let all = hosts.entry(name).or_insert_with(|| json!(""));
        let before = all.as_str().filter(|all| !all.is_empty());
        *all = json!(before.map_or(address.to_owned(), |b| format!("{b},{address}")));
    }
    let network = Some(&run.network).filter(|n| !n.is_empty());
    let flags = json!({
        "network": network, "hosts": hosts, "shm": run.shared_memory(), "ulimits": run.limits(),
        "no-cache": no_cache.map(|names| if names.is_empty() { json!(true) } else { json!(names) }),
    });
    let none = json!({"network": null, "hosts": {}, "shm": null, "ulimits": [], "no-cache": null});
    if flags != none {
        value["flags"] = flags;
    }
}

/// What the builder printed of them.
fn printed_flags(target: &Value) -> (RunFlags, Option<Vec<String>>) {
    let list = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items
            .filter_map(|i| i.as_str().map(str::to_owned))
            .collect()
    };
    let text = |key: &str| target[key].as_str().map(str::to_owned);
    let hosts = target["extra-hosts"].as_object().into_iter().flatten();
    let host = |(name, address): (&String, &Value)| {
        format!("{name}={}", address.as_str().unwrap_or_default())
    };
    let run = RunFlags {
        network: text("network").unwrap_or_default(),
        hosts: hosts.map(host).collect(),
        shm_size: text("shm-size"),
        ulimits: list(&target["ulimits"]),
    };
    let names = list(&target["no-cache-filter"]);
    let no_cache = match target["no-cache"] == true {
        true => Some(Vec::new()),
        false => Some(names).filter(|names| !names.is_empty()),
    };
    (run, no_cache)
}

/// The builder's answer in the same form, or why there is none.
fn theirs(case: &Path, names: &[String]) -> Result<Map<String, Value>, String> {
    let candidates = [
        "compose.yaml",
        "compose.yml",
        "docker-compose.yml",
        "docker-compose.yaml",
        "compose.override.yml",
        "compose.override.yaml",
        "docker-bake.json",
        "docker-bake.hcl",
        "docker-bake.override.json",
        "docker-bake.override.hcl",
    ];
    let mut docker = Command::new("docker");
    docker
        .args(["buildx", "bake", "--print"])
        .current_dir(case)
        .env_clear();
    for name in ["PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG"] {
        if let Some(value) = std::env::var_os(name) {
            docker.env(name, value);
        }
    }
    for file in candidates.iter().filter(|file| case.join(file).is_file()) {
        docker.args(["-f", file]);
    }
    let output = docker
        .args(names)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let root = case.canonicalize().map_err(|error| error.to_string())?;
    let below = |path: &str| {
        let path = Path::new(path);
        let path = path
            .strip_prefix(&root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned();
        normalize(&path).unwrap_or(path)
    };
    let plain = |value: &Value| match value.as_str() {
        Some(text) => json!(text.replace("$${", "${").replace("%%{", "%{")),
        None => value.clone(),
    };
    let printed: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let mut out = Map::new();
    for (name, target) in printed["target"].as_object().ok_or("no targets")? {
        let context = below(target["context"].as_str().unwrap_or("."));
        let file = target["dockerfile"].as_str().unwrap_or("Dockerfile");
        let pairs = |key: &str| target[key].as_object().cloned().unwrap_or_default();
        let args: Map<String, Value> = pairs("args")
            .iter()
            .map(|(n, v)| (n.clone(), plain(v)))
            .collect();
        let contexts: Map<String, Value> = pairs("contexts")
            .iter()
            .map(|(n, v)| {
                let value = v.as_str().unwrap_or_default();
                let remote = value.contains(':');
                (
                    n.clone(),
                    json!(if remote {
                        value.to_owned()
                    } else {
                        below(value)
                    }),
                )
            })
            .collect();
        let inline = plain(&target["dockerfile-inline"]);
        let file = inline.is_null().then(|| join(&context, file));
        // An empty name is the last stage, as none is.
        let stage = target["target"].as_str().filter(|stage| !stage.is_empty());
        let mut value = json!({
            "file": file.flatten(), "inline": inline, "context": context, "stage": stage,
            "args": args, "contexts": contexts, "platform": target["platforms"][0],
        });
        let (run, no_cache) = printed_flags(target);
        note_flags(&mut value, &run, no_cache.as_deref());
        out.insert(name.clone(), value);
    }
    Ok(out)
}

#[test]
fn targets_are_those_kept_beside_each_case() {
    let cases = cases();
    assert!(cases.len() >= 2, "the corpus was not found");
    for case in cases {
        let kept = std::fs::read_to_string(case.join("expected.json")).expect("expected.json");
        let kept: Value = serde_json::from_str(&kept).expect("JSON");
        let found = Value::Object(ours(&case));
        assert_eq!(found, kept, "{}:\n{found:#}\n{kept:#}", case.display());
    }
}

#[test]
fn targets_are_those_of_the_builder() {
    if common::builder::version_or_skip().is_none() {
        return;
    }
    for case in cases() {
        let found = ours(&case);
        let names: Vec<String> = found.keys().cloned().collect();
        let printed = theirs(&case, &names).unwrap_or_else(|e| panic!("{}: {e}", case.display()));
        if std::env::var_os("CACHEPLAN_KEEP_ANSWERS").is_some() {
            let text = serde_json::to_string_pretty(&printed).expect("JSON") + "\n";
            std::fs::write(case.join("expected.json"), text).expect("a file");
        }
        let (found, printed) = (Value::Object(found), Value::Object(printed));
        assert_eq!(
            found,
            printed,
            "{}:\n{found:#}\n{printed:#}",
            case.display()
        );
    }
}

/// Counts agreement over folders that hold real compose and bake files, one project each.
#[test]
fn real_projects() {
    let Some(root) = std::env::var_os("CACHEPLAN_PROJECTS") else {
        return eprintln!("skipped: CACHEPLAN_PROJECTS names no folder of projects");
    };
    let (mut projects, mut refused, mut agree, mut differ) = (0, 0, 0, 0);
    for entry in std::fs::read_dir(root).expect("a folder") {
        let case = entry.expect("an entry").path();
        let found = ours(&case);
        let names: Vec<String> = found.keys().cloned().collect();
        if names.is_empty() {
            continue;
        }
        projects += 1;
        let printed = match theirs(&case, &names) {
            Ok(printed) => printed,
            Err(why) => {
                refused += 1;
                eprintln!(
                    "refused {}: {}",
                    case.display(),
                    why.lines().last().unwrap_or_default()
                );
                continue;
            }
        };
        for (name, target) in &found {
            if printed.get(name) == Some(target) {
                agree += 1;
            } else {
                differ += 1;
                let theirs = printed.get(name).unwrap_or(&Value::Null);
                eprintln!("differs {} {name}:\n  {target}\n  {theirs}", case.display());
            }
        }
    }
    eprintln!("{projects} projects, {refused} refused, {agree} targets agree, {differ} differ");
}
