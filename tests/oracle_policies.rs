//! Cache policies that live by exports, against a real builder: the builder is emptied before every build, imports what
//! the last good build exported, and exports anew, with `mode=max` and with `mode=min`.
//!
//! In: the histories of `corpus/policies/histories` and `CACHEPLAN_ORACLE_HISTORIES` random ones from
//! `CACHEPLAN_ORACLE_SEED` on. `CACHEPLAN_KEEP_ANSWERS=1` writes what the builder did to `corpus/policies/answers`, which
//! the second test replays without a builder. An export to a folder has the rules of one to a registry: what is exported
//! is decided before the backend sees it. With `CACHEPLAN_ORACLE_REGISTRY=localhost:PORT` the cache inside of pushed images
//! is compared too.

mod common;

use common::builder::{self, Between, Built, Comparison};
use common::history;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Random histories whose answers are kept.
const KEPT: std::ops::RangeInclusive<u64> = 1..=12;

#[derive(Serialize, Deserialize)]
struct Answer {
    /// Of a file of `corpus/policies/histories`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    case: Option<String>,
    /// Of a random history, and its text: what the generator makes of a seed changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<String>,
    fingerprint: String,
    builder: String,
    between: Between,
    builds: Vec<Built>,
}

#[test]
fn exports_equal_a_real_builder() {
    let Some(version) = builder::version_or_skip() else {
        return;
    };
    let keep = builder::is_on("CACHEPLAN_KEEP_ANSWERS");
    let first = builder::number("CACHEPLAN_ORACLE_SEED", *KEPT.start());
    let all = KEPT.end() - KEPT.start() + 1;
    let count = builder::number("CACHEPLAN_ORACLE_HISTORIES", if keep { all } else { 4 });
    let last = first + count - 1;
    let random = (first..=last).map(|s| (None, Some(s), common::random_history::generate(s)));
    let cases = cases().into_iter().map(|(n, t)| (Some(n), None, t));
    let (mut total, mut histories, mut faults) = (Comparison::default(), 0, 0);
    let mut unsteady = 0;
    for (case, seed, text) in cases.chain(random) {
        let parsed = history::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let setup = builder::setup(&parsed.replay).expect("flags both sides know");
        let ways = [Between::Max, Between::Min, Between::Inline];
        let here = |way: &Between| *way != Between::Inline || builder::registry().is_some();
        for between in ways.into_iter().filter(here) {
            let label = label(case.as_deref(), seed, between);
            eprintln!("history: {label}");
            histories += 1;
            let mut made = builder::build_between(&parsed, &setup, between);
            let differs = |made: &Result<Vec<Built>, String>| match made {
                Ok(builds) => !compare(&label, &parsed, between, builds).wrong.is_empty(),
                Err(_) => true,
            };
            if differs(&made) {
                // Rarely the builder runs a copy whose layer it has: a real difference shows again.
                made = builder::build_between(&parsed, &setup, between);
                unsteady += usize::from(!differs(&made));
            }
            let builds = match made {
                Ok(builds) => builds,
                Err(why) => {
                    eprintln!("{label}: left out, {why}");
                    faults += 1;
                    continue;
                }
            };
            let result = compare(&label, &parsed, between, &builds);
            if !result.wrong.is_empty() {
                let wrong = result.wrong.join("\n");
                eprintln!("---- {label}\n{text}\n{wrong}\n----");
            }
            total.add(result);
            if keep {
                let answer = Answer {
                    case: case.clone(),
                    seed,
                    history: seed.map(|_| text.clone()),
                    fingerprint: common::fingerprint(&text),
                    builder: version.clone(),
                    between,
                    builds,
                };
                let json = serde_json::to_string_pretty(&answer).expect("plain data") + "\n";
                std::fs::write(folder("answers").join(label + ".json"), json).expect("writable");
            }
        }
    }
    report(&total, histories, faults);
    eprintln!("{unsteady} histories came out otherwise the second time");
    assert!(
        (faults + unsteady) * 10 <= histories,
        "the builder failed {faults} times and was unsteady {unsteady} times"
    );
    let wrong = &total.wrong;
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn exports_equal_kept_answers() {
    if builder::is_on("CACHEPLAN_KEEP_ANSWERS") {
        return eprintln!("skipped: the answers are being written");
    }
    let entries = std::fs::read_dir(folder("answers")).expect("corpus/policies/answers");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("readable").path()).collect();
    files.sort();
    assert!(files.len() >= 30, "only {} kept answers", files.len());
    let (mut total, histories) = (Comparison::default(), files.len());
    for file in files {
        let json = std::fs::read_to_string(&file).expect("readable");
        let answer: Answer = serde_json::from_str(&json).expect("an answer");
        let label = label(answer.case.as_deref(), answer.seed, answer.between);
        let text = match (&answer.case, &answer.history) {
            (Some(case), _) => read_case(case),
            (None, Some(text)) => text.clone(),
            (None, None) => panic!("{label}: neither case nor history"),
        };
        let stale =
            "the history changed after the answer was kept: run with CACHEPLAN_KEEP_ANSWERS=1";
        assert_eq!(
            answer.fingerprint,
            common::fingerprint(&text),
            "{label}: {stale}"
        );
        let parsed = history::parse(&text).unwrap_or_else(|e| panic!("{label}: {e}"));
        total.add(compare(&label, &parsed, answer.between, &answer.builds));
    }
    report(&total, histories, 0);
    let wrong = &total.wrong;
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // Else a prediction of nothing but `maybe` would pass.
    assert!(
        total.agree > 4 * total.maybe,
        "{} maybe of {}",
        total.maybe,
        total.agree
    );
}

fn policy(between: Between) -> &'static str {
    match between {
        Between::Everything | Between::Pruned(_) => "local",
        Between::Max => "registry-max",
        Between::Min => "registry-min",
        Between::Inline => "inline",
    }
}

fn label(case: Option<&str>, seed: Option<u64>, between: Between) -> String {
    let name = case.map_or_else(|| format!("seed-{:04}", seed.unwrap_or(0)), str::to_owned);
    let mode = match between {
        Between::Everything | Between::Pruned(_) => "everything",
        Between::Max => "max",
        Between::Min => "min",
        Between::Inline => "inline",
    };
    format!("{name}.{mode}")
}

fn compare(
    label: &str,
    parsed: &history::History,
    between: Between,
    builds: &[Built],
) -> Comparison {
    let mut result = match builder::replay_under(parsed, policy(between)) {
        Ok(predicted) => builder::compare(&predicted, builds),
        Err(why) => Comparison {
            wrong: vec![why],
            ..Comparison::default()
        },
    };
    for line in &mut result.wrong {
        *line = format!("{label}: {line}");
    }
    result
}

fn report(total: &Comparison, histories: usize, faults: usize) {
    eprintln!(
        "{histories} histories, {} builds ({} refused); steps: {} agree, {} maybe, {} wrong, {} merged; {faults} builder faults",
        total.builds,
        total.refused,
        total.agree,
        total.maybe,
        total.wrong.len(),
        total.merged
    );
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/policies")
        .join(name)
}

fn read_case(name: &str) -> String {
    let file = folder("histories").join(name).with_extension("txt");
    std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn cases() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder("histories")).expect("corpus/policies/histories");
    let mut names: Vec<String> = entries
        .map(|e| e.expect("readable").path())
        .filter_map(|p| Some(p.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|n| (n.clone(), read_case(&n)))
        .collect()
}
