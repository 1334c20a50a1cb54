//! `compare` as a user meets it: Dockerfiles and policies, wins and losses, every format with hostile names.
//!
//! In: small histories made here. Out: the documents, held against a count over `replay`'s own lines, and read by an
//! HTML parser. Costs a few runs of the program. Invariant: no builder is started here (`tests/oracle_compare.rs` does).

#[path = "common/git.rs"]
mod git;

use git::Repo;
use html5ever::tendril::TendrilSink as _;
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn cacheplan(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "80")
        .env_remove("CACHEPLAN_COSTS")
        .env_remove("CACHEPLAN_CACHE_POLICY")
        .env("CACHEPLAN_CACHE_DIR", "none")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(dir: &Path, args: &[&str]) -> Value {
    let args = [&["compare"], args, &["--format", "json"]].concat();
    let out = cacheplan(dir, &args);
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&out.stderr)))
}

const FIRST: &str = "FROM debian:bookworm\nCOPY lock /lock\nCOPY . /src\nRUN make -C /src\nRUN apt-get update && apt-get install -y wget\n";
const SECOND: &str = "FROM debian:bookworm\nRUN apt-get update && apt-get install -y wget\nCOPY lock /lock\nRUN npm ci\nCOPY . /src\nRUN make -C /src\n";

/// A history in which either Dockerfile is the cheaper one in some builds, with a revert and an empty commit.
fn history() -> Repo {
    let repo = Repo::new();
    repo.write("Dockerfile", FIRST);
    repo.write("second.Dockerfile", SECOND);
    repo.write(
        ".dockerignore",
        ".git\nDockerfile\nsecond.Dockerfile\n.dockerignore\nnotes\n",
    );
    repo.write("lock", "1");
    for i in 0..9 {
        match i {
            2 | 6 => repo.write("lock", &i.to_string()),
            4 => repo.write("notes", "not in the context"),
            7 => repo.write("src/a", "1"),
            _ => repo.write("src/a", &i.to_string()),
        }
        repo.commit(&format!("change {i}"));
    }
    repo
}

/// Seconds of work of every build that counts, as `replay` has them.
fn replayed(repo: &Repo, file: &str, policy: &str) -> Vec<(String, f64)> {
    let args = [
        "replay",
        ".",
        "-f",
        file,
        "--context",
        ".",
        "--format",
        "json",
        "--cache-policy",
        policy,
    ];
    let out = cacheplan(&repo.root, &args);
    let lines = text(&out.stdout);
    let lines = lines
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
    let builds = lines.filter(|l| l.get("commit").is_some());
    let one = |l: Value| {
        let commit = l["commit"].as_str().expect("a commit").to_owned();
        (commit, l["work_s"].as_f64().expect("seconds"))
    };
    // The first one meets the empty cache.
    builds.map(one).skip(1).collect()
}

fn close(a: &Value, b: f64) -> bool {
    (a.as_f64().expect("a number") - b).abs() < 1e-9
}

#[test]
fn wins_and_losses_are_those_of_the_replays() {
    let repo = history();
    for policy in ["local", "none", "registry-min"] {
        let (a, b) = (
            replayed(&repo, "Dockerfile", policy),
            replayed(&repo, "second.Dockerfile", policy),
        );
        let args = ["Dockerfile", "second.Dockerfile", "--cache-policy", policy];
        let c = json(&repo.root, &args);
        assert_eq!(c["builds"], a.len());
        let count = |f: fn(f64) -> bool| a.iter().zip(&b).filter(|(x, y)| f(y.1 - x.1)).count();
        let p = &c["pairs"][0];
        assert_eq!(p["wins"], count(|d| d < -1e-9), "{policy}");
        assert_eq!(p["losses"], count(|d| d > 1e-9), "{policy}");
        assert_eq!(p["ties"], count(|d| d.abs() <= 1e-9), "{policy}");
        let sums = [&a, &b].map(|l| l.iter().map(|x| x.1).sum::<f64>());
        assert!(close(&p["saving"], 1.0 - sums[1] / sums[0]), "{policy}");
        // Every build, and in the lines that the plot draws.
        for (i, row) in c["per_build"]
            .as_array()
            .expect("a list")
            .iter()
            .enumerate()
        {
            assert_eq!(row["commit"], a[i].0.as_str());
            assert!(close(&row["work_s"][0], a[i].1) && close(&row["work_s"][1], b[i].1));
        }
        // Each build that differs is in one row, and the steps of a row are its difference.
        let mut told: Vec<&str> = Vec::new();
        for d in p["differing"].as_array().expect("a list") {
            let steps = d["steps"].as_array().expect("a list");
            let number = |v: &Value, field: &str| v[field].as_f64().expect("a number");
            let sum: f64 = steps
                .iter()
                .map(|s| number(s, "b_s") - number(s, "a_s"))
                .sum();
            assert!(
                (sum - (number(d, "b_s") - number(d, "a_s"))).abs() < 1e-9,
                "{d:#}"
            );
            assert!(steps.iter().all(|s| s["cost_source"] == "prior"));
            let commits = d["commits"].as_array().expect("a list");
            assert_eq!(d["builds"], commits.len());
            assert_eq!(d["commit"], commits[0]);
            for commit in commits {
                let commit = commit.as_str().expect("a commit");
                let at = a.iter().position(|x| x.0 == commit).expect("a build");
                assert!((b[at].1 - a[at].1 - sum).abs() < 1e-9, "{d:#}");
                told.push(commit);
            }
        }
        let mut wanted: Vec<&str> = a
            .iter()
            .zip(&b)
            .filter(|(x, y)| (x.1 - y.1).abs() > 1e-9)
            .map(|(x, _)| x.0.as_str())
            .collect();
        told.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(told, wanted, "{policy}");
        assert_eq!(p["differing_left_out"], 0);
    }
}

#[test]
fn every_dockerfile_under_every_policy_is_a_variant() {
    let repo = history();
    let two = ["Dockerfile", "second.Dockerfile"];
    let lists = [
        "--cache-policy",
        "local,none",
        "--cache-policy",
        "registry-max",
    ];
    let c = json(&repo.root, &[&two[..], &lists].concat());
    let names: Vec<&str> = c["variants"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|v| v["name"].as_str().expect("a name"))
        .collect();
    let wanted = [
        "Dockerfile · local",
        "Dockerfile · none",
        "Dockerfile · registry-max",
        "second.Dockerfile · local",
        "second.Dockerfile · none",
        "second.Dockerfile · registry-max",
    ];
    assert_eq!(names, wanted);
    assert_eq!(c["policy"], "local,none,registry-max");
    assert_eq!(c["pairs"].as_array().map(Vec::len), Some(15));
    for (i, v) in c["variants"].as_array().expect("a list").iter().enumerate() {
        let (file, policy) = (two[i / 3], ["local", "none", "registry-max"][i % 3]);
        assert_eq!(
            (v["file"].as_str(), v["policy"].as_str()),
            (Some(file), Some(policy))
        );
        let all = replayed(&repo, file, policy);
        let mean = all.iter().map(|x| x.1).sum::<f64>() / all.len() as f64;
        assert!(close(&v["work_s_per_build"], mean), "{}: {v:#}", names[i]);
    }
    // Whoever loses its cache never gains by it.
    for p in c["pairs"].as_array().expect("a list") {
        if p["a"] == "Dockerfile · local" && p["b"] == "Dockerfile · none" {
            assert_eq!(p["wins"], 0);
            assert!(p["losses"].as_u64() > Some(0), "{p:#}");
        }
    }
    let shown = cacheplan(&repo.root, &[&["compare"], &two[..], &lists].concat());
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("3 cache policies") && shown.contains("6 more pairs"),
        "{shown}"
    );
}

#[test]
fn two_variants_are_the_least_there_can_be() {
    let repo = history();
    let code = |args: &[&str]| {
        cacheplan(&repo.root, &[&["compare"], args].concat())
            .status
            .code()
    };
    assert_eq!(code(&["Dockerfile"]), Some(2));
    assert_eq!(
        code(&["Dockerfile", "--cache-policy", "none,none"]),
        Some(2)
    );
    assert_eq!(
        code(&["Dockerfile", "--cache-policy", "none,previous"]),
        Some(0)
    );
    assert_eq!(
        code(&["Dockerfile", "--cache-policy", "nine,none"]),
        Some(2)
    );
    assert_eq!(code(&[]), Some(2));
    // A name that can only be said once stays what it was.
    let one = json(&repo.root, &["Dockerfile", "second.Dockerfile"]);
    assert_eq!(one["variants"][0]["name"], "Dockerfile");
    assert_eq!(one["policy"], "local");
    assert!(one["variants"][0].get("measured").is_none());
}

#[test]
fn what_cannot_be_measured_is_said_at_once() {
    let repo = history();
    let said = |args: &[&str]| {
        let all = [&["compare", "Dockerfile", "second.Dockerfile"], args].concat();
        let out = cacheplan(&repo.root, &all);
        (out.status.code(), text(&out.stderr))
    };
    for (args, word) in [
        (&["--measure", "2", "--cache-policy", "none"][..], "local"),
        (
            &["--measure", "2", "--builder", "buildah"],
            "--builder docker",
        ),
        (&["--measure", "2", "--dockerfile-from", "each"], "frozen"),
        (&["--measure", "1"], "--measure"),
        (&["--", "--network=none"], "--measure"),
    ] {
        let (code, errors) = said(args);
        assert_eq!(code, Some(2), "{args:?}: {errors}");
        assert!(errors.contains(word), "{args:?}: {errors}");
    }
}

#[test]
fn without_a_builder_measuring_exits_with_3_and_keeps_what_was_modelled() {
    let repo = history();
    let empty = tempfile::tempdir().expect("a folder");
    let out = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(["compare", "Dockerfile", "second.Dockerfile"])
        .args(["--measure", "2", "--format", "json"])
        .current_dir(&repo.root)
        .env("PATH", empty.path())
        .env("CACHEPLAN_CACHE_DIR", "none")
        .output()
        .expect("runs");
    assert_eq!(out.status.code(), Some(3));
    assert!(
        text(&out.stderr).contains("docker cannot be used"),
        "{}",
        text(&out.stderr)
    );
    let c: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert!(c["variants"][0].get("measured").is_none());
}

#[test]
fn the_plot_and_its_table_fit_the_width() {
    let repo = history();
    for columns in [60, 80, 100] {
        let out = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
            .args(["compare", "Dockerfile", "second.Dockerfile"])
            .current_dir(&repo.root)
            .env("COLUMNS", columns.to_string())
            .env("CACHEPLAN_CACHE_DIR", "none")
            .output()
            .expect("runs");
        let shown = text(&out.stdout);
        let widest = shown.lines().map(|l| l.chars().count()).max().unwrap_or(0);
        assert!(widest <= columns, "{columns}: {shown}");
        assert!(shown.contains('█') && shown.contains("added up"), "{shown}");
    }
}

#[test]
fn a_report_is_the_same_twice() {
    let repo = history();
    for format in ["text", "json", "markdown", "html"] {
        let run = || {
            let args = [
                "compare",
                "Dockerfile",
                "second.Dockerfile",
                "--format",
                format,
            ];
            cacheplan(&repo.root, &args).stdout
        };
        assert_eq!(run(), run());
    }
}

fn elements(node: &Handle, out: &mut Vec<(String, Vec<String>)>, all: &mut String) {
    match &node.data {
        NodeData::Element { name, attrs, .. } => {
            let attrs = attrs.borrow();
            let names = attrs.iter().map(|a| a.name.local.to_string()).collect();
            out.push((name.local.to_string(), names));
        }
        NodeData::Text { contents } => all.push_str(&contents.borrow()),
        _ => {}
    }
    for child in node.children.borrow().iter() {
        elements(child, out, all);
    }
}

#[test]
fn hostile_names_are_inert_in_every_format() {
    let hostile = "x|@team <img src=x onerror=a>\u{1b}[31m\u{202e}&`**#1 ##[error] [a](http://b)";
    let repo = Repo::new();
    let file = format!("{hostile}.Dockerfile").replace('/', "_");
    // An instruction, a file name, a commit's first line, an argument's name.
    repo.write(
        "Dockerfile",
        &format!("FROM debian\nCOPY . /x\nRUN echo '{hostile}'\n"),
    );
    repo.write(
        &file,
        &format!("FROM debian\nRUN echo '{hostile}'\nCOPY . /x\n"),
    );
    for i in 0..3 {
        repo.write("f", &i.to_string());
        repo.commit(&format!("::error::{hostile}"));
    }
    for format in ["text", "json", "markdown", "html"] {
        let policies = ["--cache-policy", "local,none"];
        let args = [
            &["compare", "Dockerfile", &file, "--format", format][..],
            &policies,
        ]
        .concat();
        let out = cacheplan(&repo.root, &args);
        let shown = text(&out.stdout);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        assert!(!shown.contains('\u{1b}'), "{format}: {shown}");
        assert!(
            !shown.lines().any(|l| l.trim_start().starts_with("::")),
            "{format}: {shown}"
        );
        if format == "json" {
            // What JSON shows is data; it has to be the name itself.
            let c: Value = serde_json::from_str(&shown).expect("JSON");
            assert_eq!(c["variants"][2]["file"], file);
            continue;
        }
        assert!(
            !shown.contains('\u{202e}') && !shown.contains("##["),
            "{format}: {shown}"
        );
        if format == "markdown" {
            assert!(
                !shown.contains("@team") && !shown.contains("<img") && !shown.contains("http://"),
                "{shown}"
            );
        }
        if format == "html" {
            let dom = html5ever::parse_document(RcDom::default(), html5ever::ParseOpts::default())
                .one(shown);
            assert!(dom.errors.borrow().is_empty(), "{:?}", dom.errors.borrow());
            let (mut found, mut words) = (Vec::new(), String::new());
            elements(&dom.document, &mut found, &mut words);
            assert!(found.iter().all(|(name, attributes)| name != "img"
                && name != "script"
                && name != "a"
                && attributes.iter().all(|a| !a.starts_with("on"))));
            assert!(words.contains("<img src=x onerror=a>"), "{words}");
        }
    }
}
