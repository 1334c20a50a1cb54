//! What stands in the files: no expression in a script, no token but where it is needed, actions by their commit.

use crate::runner::{TOP, yaml};
use serde_json::Value;
use std::path::Path;

/// Every mapping of a document.
fn mappings<'a>(value: &'a Value, out: &mut Vec<&'a serde_json::Map<String, Value>>) {
    match value {
        Value::Object(map) => {
            out.push(map);
            map.values().for_each(|v| mappings(v, out));
        }
        Value::Array(list) => list.iter().for_each(|v| mappings(v, out)),
        _ => {}
    }
}

fn files() -> Vec<String> {
    let folder = Path::new(TOP).join(".github/workflows");
    let workflows = std::fs::read_dir(folder).expect("workflows").flatten();
    let names = workflows.map(|e| format!(".github/workflows/{}", e.file_name().to_string_lossy()));
    names.chain(["action.yml".to_owned()]).collect()
}

#[test]
fn no_expression_stands_in_a_script_and_actions_are_named_by_commit() {
    let mut scripts = 0;
    for file in files() {
        let document = yaml(&file);
        let mut all = Vec::new();
        mappings(&document, &mut all);
        for map in all {
            if let Some(run) = map.get("run").and_then(Value::as_str) {
                assert!(!run.contains("${{"), "{file}: {run}");
                scripts += 1;
            }
            let Some(uses) = map.get("uses").and_then(Value::as_str) else {
                continue;
            };
            let commit = uses.split_once('@').map(|(_, c)| c);
            let fixed =
                commit.is_some_and(|c| c.len() == 40 && c.bytes().all(|b| b.is_ascii_hexdigit()));
            assert!(fixed || uses == "./", "{file}: {uses}");
        }
    }
    assert!(scripts > 7);
}

#[test]
fn the_token_is_known_to_the_step_that_comments_alone() {
    let action = yaml("action.yml");
    for step in action["runs"]["steps"].as_array().expect("steps") {
        let knows =
            step.to_string().contains("inputs.token") || step.to_string().contains("github.token");
        assert_eq!(knows, step["name"] == "Comment", "{step}");
        // Of the event only numbers and commits are read, by jq.
        assert!(!step.to_string().contains("github.event"), "{step}");
    }
}

#[test]
fn workflows_ask_for_no_more_than_they_need() {
    for file in files().iter().filter(|f| *f != "action.yml") {
        let text = std::fs::read_to_string(Path::new(TOP).join(file)).expect("a workflow");
        assert!(!text.contains("pull_request_target"), "{file}");
        let document = yaml(file);
        let of = |job: &Value| job["permissions"].clone();
        assert_eq!(
            of(&document),
            serde_json::json!({}),
            "{file}: nothing for all jobs"
        );
        for (name, job) in document["jobs"].as_object().expect("jobs") {
            assert!(of(job).is_object(), "{file}: {name} says what it needs");
            // A release is written by the one job that builds nothing.
            let publishes = file.ends_with("release.yml") && name == "publish";
            let needed = if publishes { "write" } else { "read" };
            assert_eq!(of(job)["contents"], needed, "{file}: {name}");
        }
    }
}

#[test]
fn the_guide_names_every_input_and_output() {
    let guide =
        std::fs::read_to_string(Path::new(TOP).join("docs/ci/github.md")).expect("the guide");
    let action = yaml("action.yml");
    for part in ["inputs", "outputs"] {
        for (name, what) in action[part].as_object().expect(part) {
            assert!(
                guide.contains(&format!("`{name}`")),
                "docs/ci/github.md says what {name} is"
            );
            assert!(
                what["description"].as_str().is_some_and(|d| d.len() > 10),
                "{name}"
            );
        }
    }
}
