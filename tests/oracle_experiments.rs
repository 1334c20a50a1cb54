//! Every row of the experiments page that the model covers, and the micro-scenarios beside it: the model against what a real
//! builder did, and where one is at hand against what it does.
//!
//! In: `corpus/experiments/*.txt`, whose format `tests/common/scenario.rs` describes. `CACHEPLAN_KEEP_ANSWERS=1` writes the
//! `expect` lines anew; a live run takes every sixth scenario, `CACHEPLAN_SCENARIO=A|B` all scenarios with A or B in their name or their file's.
//! Invariant: each scenario starts on an emptied cache.

mod common;

use cacheplan::plan::{BuildOptions, Builder};
use common::builder::{self, Built};
use common::history;
use common::scenario::{self, Scenario};
use std::path::{Path, PathBuf};
use std::process::Command;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/experiments");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("corpus/experiments")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    files
}

fn left_out(scenario: &Scenario, file: &Path) -> bool {
    let file = file.to_string_lossy();
    let wanted = |texts: String| {
        let mut texts = texts.split('|');
        texts.any(|t| scenario.name.contains(t) || file.contains(t))
    };
    std::env::var("CACHEPLAN_SCENARIO").is_ok_and(|texts| !wanted(texts))
}

#[test]
fn model_says_what_the_builder_did() {
    if builder::is_on("CACHEPLAN_KEEP_ANSWERS") {
        return eprintln!("skipped: the answers are being written");
    }
    let (mut count, mut steps, mut open, mut wrong) = (0, 0, 0, Vec::new());
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("readable");
        for one in scenario::read(&text) {
            if left_out(&one, &file) {
                continue;
            }
            count += 1;
            let model = scenario::model(&one.history, &BuildOptions::default());
            for (n, (commit, build)) in one.history.commits.iter().zip(&model).enumerate() {
                let label = format!("{}, build {} ({})", one.name, n + 1, commit.message);
                let Some(expect) = &commit.expect else {
                    wrong.push(format!("{label}: no answer is kept"));
                    continue;
                };
                steps += expect.split_whitespace().count();
                open += expect.matches('?').count();
                let found = scenario::differences(expect, build);
                wrong.extend(found.into_iter().map(|d| format!("{label}: {d}")));
            }
        }
    }
    eprintln!("{count} scenarios, {steps} verdicts, {open} of them may be left open");
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// No such builder is at hand: its column of the experiments is all there is (row 23).
#[test]
fn release_0_32_notices_a_move_that_0_25_misses() {
    let file = files().into_iter().next().expect("the chapter on files");
    let text = std::fs::read_to_string(file).expect("readable");
    let scenarios = scenario::read(&text);
    let missed = scenarios.iter().find(|s| s.name.ends_with(": missed"));
    let missed = missed.expect("row 23");
    let second = |builder| {
        let options = BuildOptions {
            builder,
            ..BuildOptions::default()
        };
        let builds = scenario::model(&missed.history, &options);
        scenario::differences("2C 3C", &builds[1])
    };
    assert!(second(Builder::BUILDKIT).is_empty());
    assert_eq!(second(Builder::BUILDKIT_0_32).len(), 2);
}

fn build(tree: &Path, flags: &[String]) -> Result<Built, String> {
    let mut all: Vec<String> = flags.to_vec();
    if !flags.iter().any(|f| f.starts_with("--network=")) {
        all.push("--network=none".to_string());
    }
    builder::build_with(tree, &tree.join("Dockerfile"), &all)
}

fn unchanged(scenario: &Scenario) -> String {
    format!("\n== {}\n{}\n", scenario.name, scenario.text.trim_end())
}

#[test]
fn builder_still_does_what_is_kept() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let keep = builder::is_on("CACHEPLAN_KEEP_ANSWERS");
    let all = keep || std::env::var("CACHEPLAN_SCENARIO").is_ok();
    let (mut seen, mut count, mut faults, mut wrong) = (0, 0, 0, Vec::new());
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("readable");
        let head = text.split("\n== ").next().unwrap_or_default();
        let mut again = head.trim_end().to_string() + "\n";
        for one in scenario::read(&text) {
            seen += 1;
            if left_out(&one, &file) || !(all || seen % 6 == 0) {
                again += &unchanged(&one);
                continue;
            }
            history::output_of(Command::new("docker").args(["builder", "prune", "-af"]))
                .expect("docker works");
            let built = match scenario::real(&one.history, &build) {
                Ok(built) => built,
                Err(why) => {
                    eprintln!("{}: left out, {why}", one.name);
                    again += &unchanged(&one);
                    faults += 1;
                    continue;
                }
            };
            count += built.len();
            if keep {
                let model = scenario::model(&one.history, &BuildOptions::default());
                let pairs = built.iter().zip(&model);
                let answers: Vec<String> =
                    pairs.map(|(b, m)| scenario::answer(b, Some(m))).collect();
                again += &scenario::with_answers(&one, &answers);
                continue;
            }
            for (n, (commit, built)) in one.history.commits.iter().zip(&built).enumerate() {
                let kept = commit.expect.clone().unwrap_or_default().replace('?', "");
                let now = scenario::answer(built, None);
                let refused = kept.starts_with("refused") && now.starts_with("refused");
                if kept != now && !refused {
                    let label = format!("{}, build {} ({})", one.name, n + 1, commit.message);
                    wrong.push(format!("{label}: kept {kept:?}, now {now:?}"));
                }
            }
        }
        if keep {
            std::fs::write(&file, again).expect("writable");
        }
    }
    eprintln!("{count} builds, {faults} scenarios left out");
    assert!(faults < 5, "the builder failed by itself {faults} times");
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
