//! `explain` and `affected` over commits that change a flag in a compose or bake file. What a builder makes of such
//! edits is in `oracle_flags.rs`.

#[path = "common/git.rs"]
mod git;

use git::Repo;
use serde_json::Value;
use std::process::Command;

fn json_of(repo: &Repo, arguments: &[&str]) -> Value {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    tool.args(arguments)
        .args(["--dot-git=absent", "--format=json"]);
    let output = tool.current_dir(&repo.root).output().expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// `id verdict kind detail` of every step that is not cached.
fn ran(document: &Value) -> Vec<String> {
    let steps = document["steps"].as_array().expect("steps").iter();
    let shown = |v: &Value| v.as_str().unwrap_or("-").to_owned();
    let line = |s: &Value| {
        let cause = &s["cause"];
        let parts = [&s["id"], &s["verdict"], &cause["kind"], &cause["detail"]];
        parts.map(shown).join(" ")
    };
    steps
        .filter(|s| s["verdict"] != "cached")
        .map(line)
        .collect()
}

#[test]
fn flags_of_a_project_file_run_steps_again() {
    let repo = Repo::new();
    repo.write(
        "app/Dockerfile",
        "FROM a\nWORKDIR /w\nRUN --network=none x\nRUN y\n",
    );
    let compose = |keys: &str| format!("services:\n  a:\n    build:\n      context: app\n{keys}");
    let bake = |keys: &str| format!("target \"a\" {{\n  context = \"app\"\n{keys}}}\n");
    let edits = [
        (
            "compose.yaml",
            compose(""),
            compose("      network: host\n"),
            "0.3",
            "the build's network `host` is new",
        ),
        (
            "compose.yaml",
            compose("      extra_hosts: [\"a=1.1.1.1\"]\n"),
            compose("      extra_hosts: {b: 1.1.1.1}\n"),
            "0.2",
            "extra host changed from `a` to `b`",
        ),
        (
            "compose.yaml",
            compose("      extra_hosts: [\"a=1.1.1.1\"]\n      shm_size: 1g\n"),
            compose("      extra_hosts: [\"A:2.2.2.2\"]\n      shm_size: 1024m\n"),
            "",
            "",
        ),
        (
            "docker-bake.hcl",
            bake("  ulimits = [\"core=1\"]\n"),
            bake("  ulimits = [\"core=1:2\"]\n"),
            "0.2",
            "ulimit changed from `core=1:1` to `core=1:2`",
        ),
        (
            "docker-bake.hcl",
            bake("  shm-size = \"1g\"\n"),
            bake(""),
            "0.2",
            "the build's shared memory `1073741824` is gone",
        ),
    ];
    for (file, was, now, id, words) in edits {
        repo.write(file, &was);
        repo.commit("before");
        repo.write(file, &now);
        repo.commit("after");
        let document = json_of(&repo, &["explain", "--from", "HEAD~1"]);
        let found = ran(&document);
        match id {
            "" => assert!(found.is_empty(), "{now}: {found:?}"),
            id => {
                assert_eq!(
                    found[0],
                    format!("{id} executed instruction {words}"),
                    "{now}"
                );
            }
        }
        let affected = json_of(&repo, &["affected", "--from", "HEAD~1"]);
        assert_eq!(affected["targets"][0]["affected"], !id.is_empty(), "{now}");
        repo.remove(file);
        repo.commit("between");
    }
}
