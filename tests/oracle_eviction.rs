//! `local:SIZE` against a real builder that is pruned to a size after every build.
//!
//! Histories are random chains of COPY on `scratch` with files of known sizes: layers on an image that the engine holds are
//! shared with it, and neither counted nor pruned. `CACHEPLAN_KEEP_ANSWERS=1` writes what the builder did to
//! `corpus/policies/eviction`, which the second test replays without one. A layer is a block or two larger than its
//! file, so limits lie half a unit above a multiple of the unit that all files are sized in.

mod common;

use common::builder::{self, Between, Built, Comparison};
use common::history;
use common::random_history::Random;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Bytes; files are multiples of it.
const UNIT: usize = 98_304;
/// Histories whose answers are kept.
const KEPT: std::ops::RangeInclusive<u64> = 1..=14;

#[derive(Serialize, Deserialize)]
struct Answer {
    seed: u64,
    fingerprint: String,
    builder: String,
    limit: usize,
    builds: Vec<Built>,
}

/// A history and the size that the store is pruned to after each of its builds.
fn generate(seed: u64) -> (String, usize) {
    let mut random = Random::new(seed + 900);
    let files = 2 + random.below(3);
    let units: Vec<usize> = (0..files).map(|_| 1 + random.below(3)).collect();
    let all: usize = units.iter().sum();
    let limit = all + random.below(all + 2);
    let mut text = String::from("replay --dockerfile-from frozen\n");
    let mut versions = vec![usize::MAX; files];
    for build in 0..9 {
        let _ = writeln!(text, "commit {build}\nwrite number = {build}");
        if build == 0 {
            text += "write .dockerignore = number\nwrite Dockerfile <<END\nFROM scratch\n";
            for f in 0..files {
                let _ = writeln!(text, "COPY f{f} /");
            }
            text += "END\n";
        }
        for f in 0..files {
            if versions[f] == usize::MAX || random.one_in(2) {
                let version = random.below(3);
                if versions[f] != version {
                    // The line end is the last byte.
                    let line = format!("{version}").repeat(units[f] * UNIT - 1);
                    let _ = writeln!(text, "write f{f} = {line}");
                }
                versions[f] = version;
            }
        }
    }
    (text, limit * UNIT + UNIT / 2)
}

#[test]
fn eviction_equals_a_real_builder() {
    let Some(version) = builder::version_or_skip() else {
        return;
    };
    if let Ok(host) = std::env::var("CACHEPLAN_CLEAN_HOST") {
        builder::use_host(host);
    }
    let keep = builder::is_on("CACHEPLAN_KEEP_ANSWERS");
    let first = builder::number("CACHEPLAN_ORACLE_SEED", *KEPT.start());
    let all = KEPT.end() - KEPT.start() + 1;
    let count = builder::number("CACHEPLAN_ORACLE_HISTORIES", if keep { all } else { 3 });
    let mut total = Comparison::default();
    for seed in first..first + count {
        let (text, limit) = generate(seed);
        let parsed = history::parse(&text).expect("parses");
        let setup = builder::setup(&parsed.replay).expect("known flags");
        let builds = builder::build_between(&parsed, &setup, Between::Pruned(limit));
        let builds = builds.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        total.add(compare(seed, &parsed, limit, &builds));
        if keep {
            let answer = Answer {
                seed,
                fingerprint: common::fingerprint(&text),
                builder: version.clone(),
                limit,
                builds,
            };
            let json = serde_json::to_string_pretty(&answer).expect("plain data") + "\n";
            std::fs::write(folder().join(format!("seed-{seed:04}.json")), json).expect("writable");
        }
    }
    report(&total);
}

#[test]
fn eviction_equals_kept_answers() {
    if builder::is_on("CACHEPLAN_KEEP_ANSWERS") {
        return eprintln!("skipped: the answers are being written");
    }
    let mut total = Comparison::default();
    let (mut seeds, mut differs) = (0, 0);
    for entry in std::fs::read_dir(folder()).expect("corpus/policies/eviction") {
        let json = std::fs::read_to_string(entry.expect("readable").path()).expect("readable");
        let answer: Answer = serde_json::from_str(&json).expect("an answer");
        let (text, limit) = generate(answer.seed);
        let stale = "the generator changed: run with CACHEPLAN_KEEP_ANSWERS=1";
        assert_eq!(answer.fingerprint, common::fingerprint(&text), "{stale}");
        assert_eq!(answer.limit, limit, "{stale}");
        let parsed = history::parse(&text).expect("parses");
        total.add(compare(answer.seed, &parsed, limit, &answer.builds));
        let kept = builder::replay_under(&parsed, "local").expect("replays");
        let without = builder::compare(&kept, &answer.builds);
        differs += usize::from(!without.wrong.is_empty());
        seeds += 1;
    }
    assert!(seeds >= 14, "only {seeds} kept answers");
    // Else nothing was evicted that mattered.
    assert!(differs * 2 >= seeds, "{differs} of {seeds} see an eviction");
    report(&total);
}

fn compare(seed: u64, parsed: &history::History, limit: usize, builds: &[Built]) -> Comparison {
    let predicted = builder::replay_under(parsed, &format!("local:{limit}"));
    let mut result = builder::compare(&predicted.expect("replays"), builds);
    for line in &mut result.wrong {
        *line = format!("seed {seed}: {line}");
    }
    result
}

fn report(total: &Comparison) {
    let wrong = &total.wrong;
    eprintln!(
        "{} builds; steps: {} agree, {} wrong",
        total.builds,
        total.agree,
        wrong.len()
    );
    let open = total.open.join("\n");
    assert_eq!(total.maybe, 0, "nothing here depends on a RUN:\n{open}");
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/policies/eviction")
}
