//! Advice does not contradict the optimizer: whatever plan it has for the projects of `corpus/rewrites`, no rule finds in the planned Dockerfile
//! what no rule found in the original.

#[path = "common/planned.rs"]
mod planned;

use planned::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/rewrites")
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            std::fs::create_dir_all(&target).expect("a folder");
            copy_into(&path, &target);
        } else if !path.to_string_lossy().contains("/Dockerfile") {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// Rules that find something in the Dockerfile of a folder.
fn rules(dir: &Path) -> BTreeSet<String> {
    let out = cacheplan(
        dir,
        &[
            "check",
            "--quiet",
            "--format",
            "json",
            "--today",
            "2026-11-01",
            ".",
        ],
    );
    let document: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
    let files = document["files"].as_array().expect("files").iter();
    let findings = files.flat_map(|f| f["findings"].as_array().expect("findings"));
    // A RUN that installs and builds waits for too much; so may the build that is left of it.
    let name = |f: &Value| match text(f, "rule") {
        "copy-too-broad" => "copy-before-install".to_owned(),
        other => other.to_owned(),
    };
    findings.map(name).collect()
}

#[test]
fn no_rule_asks_for_the_opposite_of_a_plan() {
    let cases = std::fs::read_to_string(corpus().join("cases")).expect("the list");
    let mut wrong = Vec::new();
    let mut planned = 0;
    for case in cases
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
    {
        let words: Vec<&str> = case.split_whitespace().collect();
        let [project, dockerfile, rewrites] = words.as_slice() else {
            panic!("{case}: a project, a Dockerfile, rewrites");
        };
        // Rewrites that a wanted one goes along with.
        let allowed = format!("{rewrites},reorder");
        let folder = corpus().join(project);
        let original = std::fs::read_to_string(folder.join(dockerfile)).expect("a Dockerfile");
        let repo = Repo::new();
        copy_into(&folder, &repo.root);
        repo.write("Dockerfile", &original);
        repo.commit("first");
        for n in 0..4 {
            repo.write("docs/more.md", &format!("{n}\n"));
            repo.write("more.txt", &format!("{n}\n"));
            repo.commit("an edit");
        }
        let costs = corpus().join("costs.json");
        let costs = costs.to_str().expect("UTF-8");
        let flags = [
            "--rewrites",
            &allowed,
            "--costs",
            costs,
            "--volatile-arg",
            "COMMIT",
        ];
        let plan = best(&repo.root, &flags);
        if text(&plan, "diff").is_empty() {
            continue;
        }
        planned += 1;
        let before = rules(&repo.root);
        repo.write("Dockerfile", text(&plan, "dockerfile"));
        if let Some(ignore) = plan["dockerignore"].as_str() {
            repo.write(text(&plan, "dockerignore_file"), ignore);
        }
        let added: Vec<String> = rules(&repo.root).difference(&before).cloned().collect();
        if !added.is_empty() {
            wrong.push(format!("{case}: {added:?}\n{}", text(&plan, "diff")));
        }
    }
    assert!(planned > 20, "only {planned} plans");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
