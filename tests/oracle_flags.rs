//! Flags that compose and bake files give a build, against a real builder: which change of the file runs which RUN again.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the test says so and passes (with
//! `CACHEPLAN_REQUIRE_BUILDER=1` it fails). Out: `explain` of the second of two commits beside what
//! `docker buildx bake` did with the same file. Invariant: every case has a RUN of its own, so nothing is in the cache.

mod common;
#[path = "common/git.rs"]
mod git;

use common::builder::{self, Built};
use git::Repo;
use serde_json::Value;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

fn compose(keys: &str) -> (&'static str, String) {
    let text = format!("services:\n  x:\n    build:\n      context: app\n{keys}");
    ("compose.yaml", text)
}

fn bake(keys: &str) -> (&'static str, String) {
    let text = format!("target \"x\" {{\n  context = \"app\"\n  {keys}\n}}\n");
    ("docker-bake.hcl", text)
}

/// One build as the project's file has it.
fn build(repo: &Repo, file: &str) -> Built {
    let mut docker = Command::new("docker");
    docker.args(["buildx", "bake", "-f", file, "--progress=rawjson"]);
    docker.args(["--provenance=false", "--allow=network.host"]);
    docker.args(["--set=*.output=type=cacheonly", "x"]);
    docker
        .current_dir(&repo.root)
        .env_remove("SOURCE_DATE_EPOCH");
    let output = docker.output().expect("docker starts");
    let progress = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file}: {progress}");
    builder::built(&progress)
}

/// Names of steps that run in the second build, without FROM.
fn predicted(repo: &Repo) -> Vec<String> {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    tool.args([
        "explain",
        "--from=HEAD~1",
        "--to=HEAD",
        "--dot-git=absent",
        "--format=json",
    ]);
    let output = tool.current_dir(&repo.root).output().expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let steps = document["steps"].as_array().expect("steps").iter();
    let ran = steps.filter(|s| s["verdict"] != "cached");
    ran.map(|s| s["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_changed_key_runs_what_is_predicted() {
    if builder::version_or_skip().is_none() {
        return;
    }
    // Both RUNs ask for no network, but for the rows about it: there is none on some machines.
    let both = |of: fn(&str) -> (&'static str, String), was: &str, now: &str| (of(was), of(now));
    let c = |was: &str, now: &str| both(compose, was, now);
    let b = |was: &str, now: &str| both(bake, was, now);
    let rows = [
        (2, c("", "      extra_hosts: ['a=1.1.1.1']\n")),
        (
            0,
            c(
                "      extra_hosts: ['a=1.1.1.1']\n",
                "      extra_hosts: {A: '::1'}\n",
            ),
        ),
        (
            2,
            c(
                "      extra_hosts: ['a=1.1.1.1']\n",
                "      extra_hosts: {a: [1.1.1.1, 2.2.2.2]}\n",
            ),
        ),
        (2, c("", "      shm_size: 128m\n")),
        (
            0,
            c("      shm_size: 128m\n", "      shm_size: 134217728\n"),
        ),
        (0, c("", "      shm_size: 0\n")),
        (2, c("", "      ulimits: {core: {soft: 1, hard: 2}}\n")),
        (
            0,
            c(
                "      ulimits: {core: {soft: 1, hard: 2}}\n",
                "      ulimits:\n        core:\n          hard: 2\n          soft: 1\n",
            ),
        ),
        (2, c("", "      no_cache: true\n")),
        (0, c("      no_cache: true\n", "")),
        (
            0,
            c(
                "",
                "      labels: {a: b}\n      network: default\n      isolation: default\n",
            ),
        ),
        (1, c("      network: none\n", "      network: host\n")),
        (2, b("", "extra-hosts = { a = \"1.1.1.1\" }")),
        (
            0,
            b(
                "extra-hosts = { a = \"1.1.1.1\" }",
                "extra-hosts = { a = \"2.2.2.2\" }",
            ),
        ),
        (2, b("", "shm-size = \"128m\"")),
        (
            2,
            b(
                "ulimits = [\"nofile=1024\"]",
                "ulimits = [\"nofile=1024:2048\"]",
            ),
        ),
        (
            0,
            b(
                "ulimits = [\"nofile=1024\", \"core=0\"]",
                "ulimits = [\"core=0\", \"nofile=1000\", \"nofile=1024:1024\"]",
            ),
        ),
        (2, b("", "no-cache-filter = [\"S\"]")),
        (0, b("", "no-cache-filter = [\"t\"]")),
        (2, b("no-cache-filter = [\"t\"]", "no-cache = true")),
        (1, b("network = \"none\"", "network = \"host\"")),
    ];
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    for (n, (expected, ((file, was), (_, now)))) in rows.into_iter().enumerate() {
        let repo = Repo::new();
        let open = if was.contains("network") && expected > 0 {
            ""
        } else {
            "--network=none "
        };
        let text = format!(
            "FROM busybase AS s\nWORKDIR /w\nRUN --network=none : {n} {}\nRUN {open}: second\n",
            since.as_nanos()
        );
        repo.write("app/Dockerfile", &text);
        repo.write(file, &was);
        repo.commit("before");
        build(&repo, file);
        repo.write(file, &now);
        repo.commit("after");
        let mut built = build(&repo, file).executed;
        let mut ours = predicted(&repo);
        built.sort();
        ours.sort();
        assert_eq!(ours, built, "{was}\n{now}");
        assert_eq!(built.len(), expected, "{was}\n{now}");
    }
}

#[test]
fn verify_hands_the_flags_on() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let repo = Repo::new();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.expect("a clock").as_nanos();
    // A step that another test builds at the same moment goes by the other one's number.
    let text =
        format!("FROM busybase\nWORKDIR /verified\nRUN grep -q 1.1.1.1 /etc/hosts && : {nanos}\n");
    repo.write("app/Dockerfile", &text);
    let keys = "      network: none\n      extra_hosts: ['a=1.1.1.1']\n      shm_size: 128m\n      no_cache: true\n";
    let (file, text) = compose(keys);
    repo.write(file, &text);
    repo.commit("first");
    repo.write("app/f", "1\n");
    repo.commit("second");
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    tool.args([
        "verify",
        "--prediction=2",
        "--dot-git=absent",
        "--format=json",
    ]);
    let output = tool.current_dir(&repo.root).output().expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let p = &document["prediction"];
    assert_eq!(output.status.code(), Some(0), "{p:#} {errors}");
    // The first one fills the cache; without `--no-cache` the RUN of the second would be cached.
    assert_eq!((&p["builds"], &p["agree"]), (&1.into(), &2.into()), "{p:#}");
}
