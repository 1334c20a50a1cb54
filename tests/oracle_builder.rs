//! The replay's prediction against a real builder, on random small histories and on those of `corpus/history`.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the live test says so and passes (with
//! `CACHEPLAN_REQUIRE_BUILDER=1` it fails). `CACHEPLAN_HISTORIES` random histories from `CACHEPLAN_HISTORY_SEED` on.
//! `CACHEPLAN_KEEP_ANSWERS=1` writes what the builder did to `corpus/answers`, which the second test replays without one;
//! with `2` nothing is compared, for recording alone.
//! Invariant: nothing random but the seed; equal steps of one build differ in text or are equal by definition, since which
//! of two steps that only meet by content runs is a race (experiments row 83g).

mod common;

use common::builder::{self, Built, Comparison, Predicted};
use common::history::{self, Kind, Tree};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Raised whenever the generator's output for a seed changes: kept answers must then be made again.
const GENERATOR: u32 = 4;

/// What the builder did to a folder of `corpus/history`.
#[derive(Serialize, Deserialize)]
struct Answer {
    case: String,
    /// Of the history's text, to see that answer and history belong together.
    fingerprint: String,
    builder: String,
    builds: Vec<Built>,
}

/// What the builder did to a hundred random histories: a line for each, as [`builder::compact`] has it.
#[derive(Default)]
struct Pack {
    builder: String,
    /// By seed: fingerprint and builds.
    lines: BTreeMap<u64, (String, Vec<String>)>,
}

impl Pack {
    fn path(seed: u64) -> PathBuf {
        corpus("answers").join(format!("seeds-{:05}.txt", seed / 100 * 100))
    }

    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut lines = text.lines();
        let head = lines.next().unwrap_or_default();
        let (generator, builder) = head.split_once(" builder ").unwrap_or_default();
        if generator != format!("generator {GENERATOR}") {
            return Self::default();
        }
        let line = |line: &str| {
            let (seed, rest) = line.split_once(' ')?;
            let (fingerprint, builds) = rest.split_once(' ')?;
            let builds = builds.split('|').map(str::to_string).collect();
            Some((seed.parse().ok()?, (fingerprint.to_string(), builds)))
        };
        Self {
            builder: builder.to_string(),
            lines: lines
                .map(|l| line(l).unwrap_or_else(|| panic!("{}: {l}", path.display())))
                .collect(),
        }
    }

    fn keep(seed: u64, version: &str, text: &str, builds: &[Built]) {
        let path = Self::path(seed);
        let mut pack = Self::read(&path);
        let builds = builds.iter().map(builder::compact).collect();
        pack.lines.insert(seed, (common::fingerprint(text), builds));
        let mut out = format!("generator {GENERATOR} builder {version}\n");
        for (seed, (fingerprint, builds)) in &pack.lines {
            let _ = writeln!(out, "{seed} {fingerprint} {}", builds.join("|"));
        }
        std::fs::write(path, out).expect("corpus/answers is writable");
    }
}

#[test]
fn prediction_equals_a_real_builder() {
    let keep = std::env::var("CACHEPLAN_KEEP_ANSWERS").unwrap_or_default();
    let Some(version) = builder::version_or_skip() else {
        return;
    };
    let first = builder::number("CACHEPLAN_HISTORY_SEED", 1);
    let count = builder::number("CACHEPLAN_HISTORIES", 30);
    eprintln!("random histories: seeds {first} to {}", first + count - 1);
    let cases = cases().into_iter().map(|(name, text)| (name, None, text));
    let cases = cases.filter(|_| builder::number("CACHEPLAN_ORACLE_CASES", 1) == 1);
    let seeds =
        (first..first + count).map(|seed| (format!("seed {seed}"), Some(seed), generate(seed)));
    let mut texts = Vec::new();
    let (mut total, mut faults) = (Comparison::default(), 0);
    for (label, seed, text) in cases.chain(seeds) {
        if keep == "2"
            && (seed.is_none()
                || seed.is_some_and(|s| Pack::read(&Pack::path(s)).lines.contains_key(&s)))
        {
            continue;
        }
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
        match (seed, keep.as_str()) {
            (_, "") => {}
            (Some(seed), _) => Pack::keep(seed, &version, &text, &builds),
            (None, _) => {
                let answer = Answer {
                    case: label.clone(),
                    fingerprint: common::fingerprint(&text),
                    builder: version.clone(),
                    builds: builds.clone(),
                };
                let json = serde_json::to_string_pretty(&answer).expect("plain data") + "\n";
                std::fs::write(corpus("answers").join(format!("{label}.json")), json)
                    .expect("corpus/answers is writable");
            }
        }
        if keep != "2" {
            let predicted = builder::replay(&parsed);
            let result = compare(&label, predicted, &builds);
            if !result.wrong.is_empty() {
                eprintln!("---- {label}\n{text}----");
            }
            total.add(result);
        }
        texts.push(text);
    }
    report(&total, &texts, faults);
    assert!(
        faults * 10 <= texts.len(),
        "the builder failed by itself {faults} times"
    );
    none_wrong(&total);
}

fn none_wrong(total: &Comparison) {
    assert!(
        total.wrong.is_empty(),
        "{} differences:\n{}",
        total.wrong.len(),
        total.wrong.join("\n")
    );
}

fn kept(extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus("answers"))
        .expect("corpus/answers")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn prediction_of_written_histories_equals_kept_answers() {
    if builder::is_on("CACHEPLAN_KEEP_ANSWERS") {
        return eprintln!("skipped: the answers are being written");
    }
    let (mut total, mut texts) = (Comparison::default(), Vec::new());
    let mut cases: BTreeMap<String, String> = cases().into_iter().collect();
    for file in kept("json") {
        let json = std::fs::read_to_string(&file).expect("readable");
        let answer: Answer = serde_json::from_str(&json)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let label = &answer.case;
        let text = cases
            .remove(label)
            .unwrap_or_else(|| panic!("{label}: an answer without its history"));
        assert_eq!(
            answer.fingerprint,
            common::fingerprint(&text),
            "{label}: {STALE}"
        );
        let parsed = history::parse(&text).unwrap_or_else(|error| panic!("{label}: {error}"));
        total.add(compare(label, builder::replay(&parsed), &answer.builds));
        texts.push(text);
    }
    assert!(
        cases.is_empty(),
        "no answer is kept for {:?}: {STALE}",
        cases.keys()
    );
    report(&total, &texts, 0);
    none_wrong(&total);
}

const STALE: &str =
    "the history changed after the answer was kept: run with CACHEPLAN_KEEP_ANSWERS=1";

/// The answers of one file against the prediction: their builder, what was found, and the histories.
fn check(file: &Path) -> (String, Comparison, Vec<String>) {
    let (mut total, mut texts) = (Comparison::default(), Vec::new());
    let pack = Pack::read(file);
    assert!(
        !pack.lines.is_empty(),
        "{}: of another generator: {STALE}",
        file.display()
    );
    let mut parsed = Vec::new();
    for (seed, (kept, _)) in &pack.lines {
        let text = generate(*seed);
        assert_eq!(*kept, common::fingerprint(&text), "seed {seed}: {STALE}");
        parsed.push(history::parse(&text).unwrap_or_else(|error| panic!("{seed}: {error}")));
        texts.push(text);
    }
    let predicted = builder::replay_many(&parsed).expect("git works");
    for ((seed, (_, builds)), predicted) in pack.lines.iter().zip(predicted) {
        let builds = predicted.as_ref().map_or(Vec::new(), |predicted| {
            let pairs = builds.iter().zip(predicted);
            pairs
                .map(|(text, p)| builder::expand(text, p).expect("a kept answer"))
                .collect()
        });
        total.add(compare(&format!("seed {seed}"), predicted, &builds));
    }
    (pack.builder, total, texts)
}

#[test]
fn prediction_of_random_histories_equals_kept_answers() {
    let packs: Vec<_> = kept("txt").into_par_iter().map(|f| check(&f)).collect();
    let (mut total, mut texts) = (Comparison::default(), Vec::new());
    let mut builders = BTreeSet::new();
    for (builder, result, histories) in packs {
        builders.insert(builder);
        total.add(result);
        texts.extend(histories);
    }
    eprintln!("answers of {builders:?}");
    report(&total, &texts, 0);
    if let Ok(file) = std::env::var("CACHEPLAN_DIFFERENCES") {
        let lines = [&total.wrong[..], &total.open].concat().join("\n");
        std::fs::write(file, lines).expect("writable");
    }
    none_wrong(&total);
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
                Kind::Submodule => "/",
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
{"vertexes":[{"digest":"a","inputs":["x"],"name":"[b 2/3] COPY f /f"},{"digest":"n","inputs":["x"],"name":"[b 3/3] RUN never"}]}
{"vertexes":[{"digest":"w","name":"[c 1/3] WORKDIR /w","started":"1","completed":"1"},{"digest":"v","name":"[d 1/3] WORKDIR /w","started":"1","completed":"1"}]}
{"vertexes":[{"digest":"a","inputs":["x"],"name":"[b 2/3] COPY f /f","started":"1","completed":"1"},{"digest":"i","name":"[internal] load build context","started":"1"}]}
{"vertexes":[{"digest":"w","name":"[c 1/3] WORKDIR /w","started":"2"},{"digest":"w","name":"[c 1/3] WORKDIR /w","started":"2","completed":"3"}]}
{"vertexes":[{"digest":"a","inputs":["x"],"name":"[b 2/3] COPY f /f","started":"2","completed":"2","cached":true},{"digest":"l","inputs":["x"],"name":"[3/3] LINK COPY f /f","started":"1"}]}"#;
    let expected = Built {
        executed: vec!["[c 1/3] WORKDIR /w".to_string()],
        cached: vec![
            "[b 2/3] COPY f /f".to_string(),
            "[d 1/3] WORKDIR /w".to_string(),
        ],
        ..Built::default()
    };
    assert_eq!(builder::built(progress), expected);
    let replay = r#"{"steps":[{"id":"0.1","name":"[b 2/3] COPY f /f"},{"id":"0.2","name":"[c 1/3] WORKDIR /w"},{"id":"0.3","name":"[d 1/3] WORKDIR /w"}]}
{"commit":"c","executed":["0.1","0.2"],"cached":["0.3"],"maybe":[]}"#;
    let predicted = builder::predictions(replay).expect("reads");
    let result = builder::compare(&predicted, &[expected]);
    assert_eq!(
        result.wrong,
        ["build 1: predicted executed, was cached: [b 2/3] COPY f /f"]
    );
}

fn compare(label: &str, predicted: Result<Vec<Predicted>, String>, builds: &[Built]) -> Comparison {
    let mut result = match predicted {
        Ok(predicted) => builder::compare(&predicted, builds),
        Err(why) => Comparison {
            wrong: vec![why],
            ..Comparison::default()
        },
    };
    result
        .wrong
        .iter_mut()
        .chain(&mut result.open)
        .for_each(|line| *line = format!("{label}: {line}"));
    result
}

/// What a history may hold, and how many do.
fn counts(texts: &[String]) -> Vec<(&'static str, usize)> {
    const FEATURES: [&str; 57] = [
        " AS s2",
        " AS s3",
        "--build-arg",
        "--base-change",
        "--chmod",
        "--chown",
        "--dockerfile-from each",
        "--dot-git present",
        "--exclude",
        "--from=",
        "--link",
        "--network",
        "--no-cache-filter",
        "--target",
        "--umask",
        "--volatile-arg V",
        "type=bind",
        "type=bind,from",
        "type=bind,rw",
        "type=bind,source=src,target",
        "type=cache",
        "type=secret",
        "type=tmpfs",
        "sharing=",
        "#!/bin/sh",
        "!**",
        "*",
        "<<SCRIPT",
        "ADD ",
        "ARG",
        "COPY . ",
        "COPY <<",
        "COPY --exclude=*.md --from|--exclude=",
        "Dockerfile.dockerignore",
        "ENV",
        "EXPOSE",
        "FROM s",
        "FROM scratch",
        "HEALTHCHECK",
        "LABEL",
        "ONBUILD",
        "RUN [|RUN --mount",
        "SHELL",
        "SOURCE_DATE_EPOCH",
        "USER",
        "VOLUME",
        "WORKDIR",
        "[\"/bin/sh",
        "chmod +x",
        "delete ",
        "from=busybase|from=basechange",
        "--mount=from=s",
        "link ",
        "move ",
        "restore ",
        "revert ",
        "write .dockerignore",
    ];
    let has = |text: &str, feature: &str| feature.split('|').any(|f| text.contains(f));
    let count = |f: &'static str| (f, texts.iter().filter(|text| has(text, f)).count());
    FEATURES.into_iter().map(count).collect()
}

/// `maybe` is for what a RUN made, and for what stands behind it: without one everything is decided, until a build is
/// refused, which leaves unknown what it had stored.
#[test]
fn nothing_is_open_where_nothing_ran() {
    let texts = (1..=150).map(|seed| common::random_history::generate_with(seed, false));
    let parsed: Vec<_> = texts
        .map(|text| history::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")))
        .collect();
    let predicted = builder::replay_many(&parsed).expect("git works");
    let mut decided = 0;
    for (seed, builds) in (1..).zip(predicted) {
        let builds = builds.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        for build in builds.iter().take_while(|build| !build.is_refused()) {
            assert!(build.open().is_empty(), "seed {seed}: {:?}", build.open());
            decided += build.decided_from_stages();
        }
    }
    assert!(decided > 300, "{decided} steps that take files of a stage");
}

/// What is left by `find` is worked out; a recipe is known where nothing that it is made of has changed, and is open elsewhere.
#[test]
fn what_a_run_leaves_is_open_only_where_its_inputs_changed() {
    let open = |name: &str| -> Vec<usize> {
        let parsed = history::parse(&read_case(name)).expect("a history");
        let builds = builder::replay(&parsed).expect("git works");
        builds.iter().map(|b| b.open().len()).collect()
    };
    assert_eq!(open("pruned"), [0; 13]);
    let recipe = open("recipe");
    let settled: Vec<usize> = (0..recipe.len()).filter(|b| recipe[*b] == 0).collect();
    // First, sources, another kind, back, all that it stands on, sources again, back.
    assert_eq!(settled, [0, 1, 2, 6, 7, 8, 9], "{recipe:?}");
}

#[test]
fn every_feature_is_in_one_history_of_twenty() {
    let texts: Vec<String> = (1..=600).map(generate).collect();
    let rare: Vec<_> = counts(&texts)
        .into_iter()
        .filter(|(_, count)| count * 20 < texts.len())
        .collect();
    assert!(rare.is_empty(), "{rare:?} of {}", texts.len());
}

fn report(total: &Comparison, texts: &[String], faults: usize) {
    let Comparison {
        builds,
        refused,
        agree,
        maybe,
        merged,
        wrong,
        ..
    } = total;
    eprintln!(
        "{} histories, {builds} builds ({refused} refused); steps: {agree} agree, {maybe} maybe, {} wrong, {merged} merged; {faults} builder faults",
        texts.len(),
        wrong.len()
    );
    let mut line = String::from("histories with");
    for (feature, count) in counts(texts) {
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

/// Prints one random history, to look at a difference: `CACHEPLAN_SHOW=SEED`; with `CACHEPLAN_SHOW_IN=FOLDER` it makes
/// the repository there, too.
#[test]
fn show_a_history() {
    let Some(seed) = std::env::var("CACHEPLAN_SHOW")
        .ok()
        .and_then(|s| s.parse().ok())
    else {
        return;
    };
    let text =
        common::random_history::generate_with(seed, !builder::is_on("CACHEPLAN_SHOW_NO_RUNS"));
    println!("{text}");
    if let Ok(folder) = std::env::var("CACHEPLAN_SHOW_IN") {
        std::fs::create_dir_all(&folder).expect("a new folder");
        let parsed = history::parse(&text).expect("parses");
        history::create_repository(&parsed, Path::new(&folder)).expect("git works");
    }
}
