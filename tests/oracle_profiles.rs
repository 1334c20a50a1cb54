//! The profiles `buildkit-overlay2`, `classic` and `buildah` against their builders.
//!
//! In: the scenarios of `corpus/experiments` that a builder can build, and random histories without what it does not know;
//! what it did is kept in `corpus/profiles`, one file a builder. Where it is at hand, new histories are built:
//! `CACHEPLAN_OVERLAY2_HOST` names a Docker daemon with the overlay2 graph driver, which has the classic builder too;
//! `buildah` is looked for on PATH. `CACHEPLAN_KEEP_ANSWERS=1` writes the files anew (`CACHEPLAN_PROFILE` chooses one),
//! `CACHEPLAN_ORACLE_SEED` and `CACHEPLAN_PROFILE_HISTORIES` choose what is built live.
//! Invariant: each history starts on an emptied cache.

mod common;

use cacheplan::plan::{BuildOptions, Builder};
use common::builder;
use common::history::{self, History};
use common::other_builders::{self, Buildah};
use common::random_history;
use common::scenario;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const SEEDS: std::ops::Range<u64> = 1..61;

fn kept(builder: Builder) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/profiles")
        .join(format!("{}.txt", builder.name))
}

/// The scenarios that a builder can build, by name.
fn scenarios(builder: Builder) -> Vec<(String, History)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/experiments");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("corpus/experiments")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    let mut out = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        for one in scenario::read(&text) {
            if can_build(&one.history, builder) {
                out.push((one.name, one.history));
            }
        }
    }
    out
}

/// Kept random histories, by name; they outlive changes of the generator.
fn kept_histories(builder: Builder) -> Vec<(String, History)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/profiles/histories.txt");
    if builder::is_on("CACHEPLAN_KEEP_HISTORIES") {
        let one = |seed| format!("\n== seed {seed}\n{}", random_history::generate(seed));
        let all: String = SEEDS.map(one).collect();
        let head = "Random histories that the profiles are compared on; made with CACHEPLAN_KEEP_HISTORIES=1.\n";
        std::fs::write(&file, format!("{head}{all}")).expect("writable");
    }
    let text = std::fs::read_to_string(&file).expect("corpus/profiles/histories.txt");
    let named = text
        .split("\n== ")
        .skip(1)
        .filter_map(|p| p.split_once('\n'));
    named
        .map(|(name, text)| (name.to_owned(), other_builders::history(text, builder)))
        .collect()
}

/// Whether a scenario says anything to this builder.
fn can_build(history: &History, builder: Builder) -> bool {
    let text = |commit: &history::Commit| {
        let file = commit.tree.get("Dockerfile").map(|e| e.bytes.clone());
        String::from_utf8_lossy(&file.unwrap_or_default()).into_owned()
    };
    let commits = &history.commits;
    if commits.iter().any(|c| !c.bases.is_empty()) {
        return false;
    }
    if !builder.chained {
        // Where it differs from the containerd store, and the beginning of each chapter.
        return commits.iter().any(|c| text(c).contains("--link"));
    }
    let strange = [
        "<<",
        "--chmod",
        "--mount",
        "--network",
        "--link",
        "--exclude",
        "ONBUILD",
    ];
    let no_flag = |f: &String| {
        let known = ["--build-arg=", "--target="];
        !known.iter().any(|k| f.starts_with(k)) || f.contains("BUILDKIT")
    };
    commits.iter().all(|c| {
        let text = text(c);
        // Both look the name up and refuse one that is not there (experiments row 83f).
        // To buildah blanks at the end of a line count, which our parser drops (row 26).
        let left_out = text.contains("nobody-")
            || (builder == Builder::BUILDAH && text.contains(" \n"))
            || strange.iter().any(|s| text.contains(s))
            || c.flags.iter().any(no_flag);
        !left_out
    })
}

fn options(builder: Builder) -> BuildOptions {
    BuildOptions {
        builder,
        ..BuildOptions::default()
    }
}

/// Counts of one comparison, and every difference.
#[derive(Default)]
struct Total {
    builds: usize,
    verdicts: usize,
    open: usize,
    refused: usize,
    wrong: Vec<String>,
}

fn compare(label: &str, model: &[scenario::Result], answers: &[String], total: &mut Total) {
    assert_eq!(model.len(), answers.len(), "{label}");
    for (n, (answer, build)) in answers.iter().zip(model).enumerate() {
        total.builds += 1;
        if answer.starts_with("refused") {
            total.refused += 1;
        } else {
            total.verdicts += answer.split_whitespace().count();
            total.open += answer.matches('?').count();
        }
        let found = scenario::differences(answer, build);
        let said = found
            .iter()
            .map(|d| format!("{label}, build {}: {d}", n + 1));
        total.wrong.extend(said);
    }
}

fn finish(builder: Builder, what: &str, total: &Total) {
    eprintln!(
        "{}, {what}: {} builds, {} refused, {} verdicts, {} of them may be left open, {} differences",
        builder.name,
        total.builds,
        total.refused,
        total.verdicts,
        total.open,
        total.wrong.len()
    );
    assert!(total.wrong.is_empty(), "{}", total.wrong.join("\n"));
}

fn check_kept(builder: Builder) {
    if builder::is_on("CACHEPLAN_KEEP_ANSWERS") {
        return eprintln!("skipped: the answers are being written");
    }
    let mut list = scenarios(builder);
    list.extend(kept_histories(builder));
    let text = std::fs::read_to_string(kept(builder)).expect("corpus/profiles");
    let mut answers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for part in text.split("\n== ").skip(1) {
        let (name, lines) = part.split_once('\n').unwrap_or((part, ""));
        let lines = lines.lines().filter(|l| !l.trim().is_empty());
        answers.insert(name, lines.map(str::to_owned).collect());
    }
    let mut total = Total::default();
    let mut compared = 0;
    for (name, history) in list {
        let Some(answers) = answers.get(name.as_str()) else {
            continue;
        };
        compared += 1;
        let model = scenario::model(&history, &options(builder));
        compare(&name, &model, answers, &mut total);
    }
    assert_eq!(compared, answers.len(), "answers without a history");
    finish(builder, "kept", &total);
    assert!(compared >= 25, "only {compared} answers");
}

/// Builds histories and keeps or compares what comes of it.
fn check_live(builder: Builder, prune: &dyn Fn() -> Result<(), String>, build: &scenario::Build) {
    let keep = builder::is_on("CACHEPLAN_KEEP_ANSWERS");
    let only = std::env::var("CACHEPLAN_PROFILE");
    if keep && only.is_ok_and(|o| o != builder.name) {
        return;
    }
    let first = builder::number("CACHEPLAN_ORACLE_SEED", 1000);
    let count = builder::number("CACHEPLAN_PROFILE_HISTORIES", 4);
    let fresh = |seed| {
        let text = random_history::generate(seed);
        (
            format!("seed {seed}"),
            other_builders::history(&text, builder),
        )
    };
    let list: Vec<(String, History)> = match keep {
        // buildah takes about a second a step.
        true => scenarios(builder)
            .into_iter()
            .chain(kept_histories(builder))
            .step_by(if builder == Builder::BUILDAH { 2 } else { 1 })
            .collect(),
        false => (first..first + count).map(fresh).collect(),
    };
    let wanted = std::env::var("CACHEPLAN_SCENARIO").unwrap_or_default();
    let (mut total, mut faults) = (Total::default(), 0);
    let mut text = format!(
        "What {} did, build by build; the notation is that of corpus/experiments.\n",
        builder.name
    );
    for (name, history) in list.iter().filter(|(name, _)| name.contains(&wanted)) {
        prune().expect("the cache can be emptied");
        let model = scenario::model(history, &options(builder));
        match scenario::real(history, build) {
            Ok(built) => {
                let pairs = built.iter().zip(&model);
                let answers: Vec<String> =
                    pairs.map(|(b, m)| scenario::answer(b, Some(m))).collect();
                compare(name, &model, &answers, &mut total);
                text += &format!("\n== {name}\n{}\n", answers.join("\n"));
                if keep {
                    std::fs::write(kept(builder), &text).expect("writable");
                }
            }
            Err(why) => {
                eprintln!("{name}: left out, {why}");
                faults += 1;
            }
        }
    }
    if keep {
        for line in &total.wrong {
            eprintln!("{line}");
        }
        return;
    }
    assert!(
        faults * 10 <= list.len(),
        "the builder failed by itself {faults} times"
    );
    finish(builder, "live", &total);
}

#[test]
fn overlay2_kept() {
    check_kept(Builder::BUILDKIT_OVERLAY2);
}

#[test]
fn classic_kept() {
    check_kept(Builder::CLASSIC);
}

#[test]
fn buildah_kept() {
    check_kept(Builder::BUILDAH);
}

/// One daemon has both builders, so they take turns.
#[test]
fn overlay2_and_classic_live() {
    let Ok(host) = std::env::var("CACHEPLAN_OVERLAY2_HOST") else {
        return eprintln!("skipped: CACHEPLAN_OVERLAY2_HOST names no daemon");
    };
    let docker = |args: &[&str]| {
        history::output_of(Command::new("docker").env("DOCKER_HOST", &host).args(args)).map(drop)
    };
    let on_host = |flags: &[String]| {
        let mut all = vec!["--network=none".to_string()];
        all.extend(flags.iter().cloned());
        all
    };
    check_live(
        Builder::BUILDKIT_OVERLAY2,
        // What an image of the classic builder shares with the cache is not pruned from it.
        &|| docker(&["image", "prune", "-f"]).and_then(|()| docker(&["builder", "prune", "-af"])),
        &|tree, flags| {
            builder::build_on(Some(&host), tree, &tree.join("Dockerfile"), &on_host(flags))
        },
    );
    check_live(
        Builder::CLASSIC,
        &|| docker(&["image", "prune", "-f"]),
        &|tree, flags| other_builders::classic(&host, tree, flags),
    );
}

#[test]
fn buildah_live() {
    let version = Command::new("buildah").arg("--version").output();
    if !version.is_ok_and(|v| v.status.success()) {
        return eprintln!("skipped: no buildah");
    }
    let store = match Buildah::new() {
        Ok(store) => store,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    check_live(Builder::BUILDAH, &|| store.prune(), &|tree, flags| {
        store.build(tree, flags)
    });
}
