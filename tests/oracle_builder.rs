//! The replay's prediction against a real builder, on random small histories and on those of `corpus/history`.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the live test says so and passes (with
//! `CACHEPLAN_REQUIRE_BUILDER=1` it fails). `CACHEPLAN_ORACLE_HISTORIES` random histories from `CACHEPLAN_ORACLE_SEED` on.
//! `CACHEPLAN_KEEP_ANSWERS=1` writes what the builder did to `corpus/answers`, which the second test replays without one.
//! Invariant: nothing random but the seed; equal steps of one build differ in text or are equal by definition, since which
//! of two steps that only meet by content runs is a race (experiments row 83g).

mod common;

use common::builder::{self, Built, Comparison};
use common::history::{self, Kind, Tree};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Raised whenever the generator's output for a seed changes: kept answers must then be made again.
const GENERATOR: u32 = 2;

#[derive(Serialize, Deserialize)]
struct Answer {
    /// Of a random history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// Of a folder of `corpus/history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    case: Option<String>,
    generator: u32,
    /// Of the history's text, to see that answer and history belong together.
    fingerprint: String,
    builder: String,
    builds: Vec<Built>,
}

#[test]
fn prediction_equals_a_real_builder() {
    let required = builder::is_on("CACHEPLAN_REQUIRE_BUILDER");
    let keep = builder::is_on("CACHEPLAN_KEEP_ANSWERS");
    let Some(version) = builder::version_or_skip() else {
        return;
    };
    let has_replay = builder::has_replay();
    assert!(
        has_replay || keep || !required,
        "this cacheplan has no replay to compare"
    );
    if !has_replay {
        eprintln!("skipped: this cacheplan has no replay yet; histories are only built");
    }
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(default)
    };
    let first = number("CACHEPLAN_ORACLE_SEED", 1);
    let seeds = (first..first + number("CACHEPLAN_ORACLE_HISTORIES", 30))
        .map(|seed| (Some(seed), generate(seed)));
    let cases: Vec<_> = cases()
        .into_iter()
        .map(|(name, text)| (Some(name), text))
        .collect();
    let all = cases.into_iter().map(|(name, text)| (name, None, text));
    let mut texts = Vec::new();
    let (mut total, mut faults) = (Comparison::default(), 0);
    for (case, seed, text) in all.chain(seeds.map(|(seed, text)| (None, seed, text))) {
        let label = case
            .clone()
            .unwrap_or_else(|| format!("seed {}", seed.unwrap_or_default()));
        eprintln!("history: {label}");
        let parsed =
            history::parse(&text).unwrap_or_else(|error| panic!("{label}: {error}\n{text}"));
        let setup = builder::setup(&parsed.replay).expect("flags both sides know");
        let builds = match builder::build_all(&parsed, &setup) {
            Ok(builds) => builds,
            Err(why) => {
                eprintln!("{label}: left out, {why}");
                faults += 1;
                continue;
            }
        };
        if keep {
            let fingerprint = common::fingerprint(&text);
            let builder = version.clone();
            let name = case
                .clone()
                .unwrap_or_else(|| format!("seed-{:04}", seed.unwrap_or_default()));
            let generator = GENERATOR;
            let answer = Answer {
                seed,
                case,
                generator,
                fingerprint,
                builder,
                builds: builds.clone(),
            };
            let json = serde_json::to_string_pretty(&answer).expect("plain data") + "\n";
            std::fs::write(corpus("answers").join(name + ".json"), json)
                .expect("corpus/answers is writable");
        }
        if has_replay {
            let result = compare(&label, &parsed, &builds);
            if !result.wrong.is_empty() {
                eprintln!("---- {label}\n{text}----");
            }
            total.add(result);
        } else {
            total.builds += builds.len();
            total.refused += builds.iter().filter(|built| built.fails.is_some()).count();
        }
        texts.push(text);
    }
    report(&total, &texts, faults);
    assert!(
        faults * 10 <= texts.len(),
        "the builder failed by itself {faults} times"
    );
    assert!(
        total.wrong.is_empty(),
        "{} differences:\n{}",
        total.wrong.len(),
        total.wrong.join("\n")
    );
}

#[test]
fn prediction_equals_kept_answers() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus("answers"))
        .expect("corpus/answers")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    assert!(files.len() >= 40, "only {} kept answers", files.len());
    let keeping = std::env::var("CACHEPLAN_KEEP_ANSWERS").is_ok_and(|value| value == "1");
    if keeping {
        return eprintln!("skipped: the answers are being written");
    }
    let has_replay = builder::has_replay();
    let (mut total, mut texts) = (Comparison::default(), Vec::new());
    for file in files {
        let label = file
            .file_stem()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        let json = std::fs::read_to_string(&file).expect("readable");
        let answer: Answer =
            serde_json::from_str(&json).unwrap_or_else(|error| panic!("{label}: {error}"));
        let text = match (&answer.case, answer.seed) {
            (Some(case), _) => read_case(case),
            (None, Some(seed)) => generate(seed),
            (None, None) => panic!("{label}: neither case nor seed"),
        };
        let stale =
            "the history changed after the answer was kept: run with CACHEPLAN_KEEP_ANSWERS=1";
        assert!(
            answer.case.is_some() || answer.generator == GENERATOR,
            "{label}: {stale}"
        );
        assert_eq!(
            answer.fingerprint,
            common::fingerprint(&text),
            "{label}: {stale}"
        );
        let parsed = history::parse(&text).unwrap_or_else(|error| panic!("{label}: {error}"));
        if has_replay {
            total.add(compare(&label, &parsed, &answer.builds));
        }
        texts.push(text);
    }
    if !has_replay {
        return eprintln!("skipped: this cacheplan has no replay yet");
    }
    report(&total, &texts, 0);
    assert!(
        total.wrong.is_empty(),
        "{} differences:\n{}",
        total.wrong.len(),
        total.wrong.join("\n")
    );
}

#[test]
fn demo_is_the_same_repository_from_sh_and_from_rust() {
    let demo = corpus("demo");
    let text = std::fs::read_to_string(demo.join("history.txt")).expect("history.txt");
    let parsed = history::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let stream = history::fast_import(&parsed);
    if std::env::var("CACHEPLAN_KEEP_ANSWERS").is_ok_and(|value| value == "1") {
        std::fs::write(demo.join("history.fi"), &stream).expect("corpus/demo is writable");
    }
    let kept = std::fs::read(demo.join("history.fi")).expect("history.fi");
    assert!(
        kept == stream,
        "history.fi is not history.txt's: run with CACHEPLAN_KEEP_ANSWERS=1"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let [rust, shell] = ["rust", "shell"].map(|name| folder.path().join(name));
    std::fs::create_dir(&rust).expect("a new folder");
    history::create_repository(&parsed, &rust).expect("git works");
    history::output_of(Command::new("sh").arg(demo.join("make")).arg(&shell))
        .expect("corpus/demo/make works");
    let commits = history::first_parents(&rust).expect("a history");
    assert_eq!(commits, history::first_parents(&shell).expect("a history"));
    assert!(
        (35..60).contains(&commits.len()),
        "{} commits",
        commits.len()
    );
}

#[test]
fn merges_reverts_and_restores_give_the_trees_they_say() {
    let text = "commit a\nwrite f = 1\nwrite d/g = 2\ncommit b\nappend f = 3\nlink l f\ncommit c\nrevert 2\nmove d e\n\
                on side\ncommit d\nwrite s <<END\n  x\nEND\nchmod +x s\non main\ncommit e\nwrite e = 9\ncommit m\nmerge side\nrestore d/g 2\n";
    let parsed = history::parse(text).expect("parses");
    let shown = |tree: &Tree| -> Vec<String> {
        let line = |(path, entry): (&String, &history::Entry)| {
            let kind = match entry.kind {
                Kind::File => "",
                Kind::Executable => "*",
                Kind::Link => "@",
            };
            format!("{path}{kind} {:?}", String::from_utf8_lossy(&entry.bytes))
        };
        tree.iter().map(line).collect()
    };
    assert_eq!(
        shown(&parsed.commits[1].tree),
        [r#"d/g "2\n""#, r#"f "1\n3\n""#, r#"l@ "f""#]
    );
    assert_eq!(
        shown(&parsed.commits[2].tree),
        [r#"e/g "2\n""#, r#"f "1\n""#]
    );
    assert_eq!(
        shown(&parsed.commits[5].tree),
        [r#"d/g "2\n""#, r#"e "9\n""#, r#"f "1\n""#, r#"s* "  x\n""#]
    );
    assert_eq!(parsed.commits[5].parents, [4, 3]);
    let folder = tempfile::tempdir().expect("a folder");
    history::create_repository(&parsed, folder.path()).expect("git works");
    let list = history::output_of(history::git(folder.path()).args([
        "ls-tree",
        "-r",
        "--name-only",
        "HEAD",
    ]));
    assert_eq!(list.expect("git works"), "d/g\ne\nf\ns\n");
    assert_eq!(
        history::parse("commit a\ndelete x").unwrap_err(),
        "line 2: no such path: delete x"
    );
}

#[test]
fn last_flag_of_a_vertex_counts() {
    let progress = r#"#0 noise
{"vertexes":[{"digest":"a","name":"[b 2/3] COPY f /f"},{"digest":"n","name":"[b 3/3] RUN never"}]}
{"vertexes":[{"digest":"a","name":"[b 2/3] COPY f /f","started":"1","completed":"1"},{"digest":"i","name":"[internal] load build context","started":"1"}]}
{"vertexes":[{"digest":"a","name":"[b 2/3] COPY f /f","started":"2","completed":"2","cached":true},{"digest":"l","name":"[3/3] LINK COPY f /f","started":"1"}]}"#;
    let expected = Built {
        cached: vec!["[b 2/3] COPY f /f".to_string()],
        ..Built::default()
    };
    assert_eq!(builder::built(progress), expected);
    let replay = r#"{"steps":[{"id":"0.1","name":"[b 2/3] COPY f /f"}]}
{"commit":"c","executed":["0.1"],"cached":[],"maybe":[]}"#;
    let predicted = builder::predictions(replay).expect("reads");
    let result = builder::compare(&predicted, &[expected]);
    assert_eq!(
        result.wrong,
        ["build 1: predicted executed, was cached: [b 2/3] COPY f /f"]
    );
}

fn compare(label: &str, parsed: &history::History, builds: &[Built]) -> Comparison {
    let mut result = match builder::replay(parsed) {
        Ok(predicted) => builder::compare(&predicted, builds),
        Err(why) => Comparison {
            wrong: vec![why],
            ..Comparison::default()
        },
    };
    result
        .wrong
        .iter_mut()
        .for_each(|line| *line = format!("{label}: {line}"));
    result
}

fn report(total: &Comparison, texts: &[String], faults: usize) {
    let Comparison {
        builds,
        refused,
        agree,
        maybe,
        merged,
        wrong,
    } = total;
    eprintln!(
        "{} histories, {builds} builds ({refused} refused); steps: {agree} agree, {maybe} maybe, {} wrong, {merged} merged; {faults} builder faults",
        texts.len(),
        wrong.len()
    );
    let features = [
        "--link",
        "--chown",
        "--chmod",
        "--exclude",
        "--from=",
        "type=bind",
        "type=bind,from",
        "type=cache",
        "RUN <<",
        "COPY <<",
        "ADD ",
        "FROM scratch",
        "FROM s",
        "WORKDIR",
        "USER",
        "ENV",
        "ARG",
        "--build-arg",
        "COPY . ",
        "*",
        "link ",
        "chmod +x",
        "move ",
        "restore ",
        "revert ",
        "write .dockerignore",
        "!",
        "Dockerfile.dockerignore",
        "--dockerfile-from each",
        "--dot-git present",
        "--target",
        "--umask",
    ];
    let mut line = String::from("histories with");
    for feature in features {
        let count = texts.iter().filter(|text| text.contains(feature)).count();
        let _ = write!(line, "  {}: {count}", feature.trim());
    }
    eprintln!("{line}");
}

fn corpus(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(folder)
}

fn read_case(name: &str) -> String {
    let file = corpus("history").join(name).join("history.txt");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn cases() -> Vec<(String, String)> {
    let folders = std::fs::read_dir(corpus("history")).expect("corpus/history");
    let mut names: Vec<String> = folders
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| (name.clone(), read_case(&name)))
        .collect()
}

fn generate(seed: u64) -> String {
    common::random_history::generate(seed)
}
