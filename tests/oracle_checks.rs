//! What `docker build --check` finds: our rules of the same names beside a real builder.
//!
//! In: the cases of `corpus/checks/cases.txt`, a few forms for every rule, and generated files (seeds). The builder's answers are kept in
//! `answers.json` beside them and checked in every run; with a `docker` that has buildx and `busybase:latest`, all cases are asked for again, and
//! `CACHEPLAN_ORACLE_FILES` (60) more seeds from `CACHEPLAN_ORACLE_SEED` on. What fixes leave of an image is looked at there too, with the files of
//! `fixes.txt`. `CACHEPLAN_REQUIRE_BUILDER=1` makes the builder's absence a failure, `CACHEPLAN_KEEP_ANSWERS=1` writes the answers.
//!
//! Not compared: `InvalidBaseImagePlatform`, which is about the image that was pulled; `# check=` above an instruction, which BuildKit 0.25 does not
//! know; ignore files with `!`, sources that are no clean paths, and names of secrets with `FILE` or `VERSION`, where 0.25 has other rules than later releases.

mod common;

use cacheplan::dockerfile::{Dockerfile, Kind, expand_word, parse};
use cacheplan::plan::BuildOptions;
use cacheplan::rewrite::Safety;
use cacheplan::rules::suppress::Suppressions;
use cacheplan::rules::{self, Finding};
use cacheplan::source::SourceFile;
use common::{builder, fingerprint};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Raised whenever the generator's output for a seed changes: kept answers must then be made again.
const GENERATOR: u32 = 1;

/// Seeds with kept answers.
const KEPT: std::ops::Range<u64> = 1..301;

/// Found here and there, as `Rule line`.
type Found = BTreeSet<String>;

/// A file and the ignore file beside it.
struct Case {
    label: String,
    text: String,
    ignore: Option<String>,
    /// Build arguments.
    arguments: Vec<(String, String)>,
}

// --- our side --------------------------------------------------------------------------------

fn is_check(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

fn read(text: &str) -> (SourceFile, Dockerfile) {
    let source = SourceFile::new("Dockerfile", text);
    let tree = parse(&source).tree;
    (source, tree)
}

fn findings(text: &str) -> Vec<Finding> {
    let case = Case {
        label: String::new(),
        text: text.to_owned(),
        ignore: None,
        arguments: Vec::new(),
    };
    findings_of(&case)
}

fn findings_of(case: &Case) -> Vec<Finding> {
    let (source, tree) = read(&case.text);
    let options = BuildOptions {
        args: case.arguments.clone(),
        ..BuildOptions::default()
    };
    let ignore = case.ignore.as_deref();
    let file = ignore.map(|text| SourceFile::new(".dockerignore", text));
    let (mut found, _) = rules::of_text_with(&source, &options, file.as_ref());
    found.retain(|f| is_check(f.rule.name));
    let today = jiff::civil::date(2026, 11, 1);
    Suppressions::of_dockerfile(&source, &tree).apply(&mut found, today);
    found
}

fn ours(case: &Case) -> Found {
    let source = SourceFile::new("Dockerfile", case.text.as_str());
    let found = findings_of(case);
    let row = |f: &Finding| format!("{} {}", f.rule.name, source.line(f.span.start));
    found.iter().map(row).collect()
}

/// A line for the report where the two disagree.
fn disagreement(case: &Case, found: &Found) -> Option<String> {
    let ours = ours(case);
    (ours != *found).then(|| {
        let only = |a: &Found, b: &Found| a.difference(b).cloned().collect::<Vec<_>>().join(", ");
        format!(
            "---- {}\nbuilder only: {}\nhere only: {}\n{}",
            case.label,
            only(found, &ours),
            only(&ours, found),
            case.text
        )
    })
}

// --- the builder's side ----------------------------------------------------------------------

/// `Ok(None)` where the file is refused, `Err` where the builder could not tell.
fn ask(case: &Case, folder: &Path) -> Result<Option<Found>, String> {
    let put = |name: &str, text: &str| fs::write(folder.join(name), text);
    put("Dockerfile", &case.text).map_err(|e| e.to_string())?;
    put(".dockerignore", case.ignore.as_deref().unwrap_or_default()).map_err(|e| e.to_string())?;
    let mut docker = Command::new("docker");
    docker.args([
        "buildx",
        "build",
        "--call=check,format=json",
        "--progress=plain",
    ]);
    for (name, value) in &case.arguments {
        docker.args(["--build-arg", &format!("{name}={value}")]);
    }
    let output = docker.arg(folder).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|_| said.into_owned())?;
    if let Some(message) = answer["buildError"]["message"].as_str() {
        let unsure = [
            "failed to resolve source metadata",
            "rpc error",
            "context deadline",
        ];
        if unsure.iter().any(|u| message.contains(u)) {
            return Err(message.to_owned());
        }
        // `# check=error=true` is no refusal of the file.
        if !message.starts_with("lint violation found") {
            return Ok(None);
        }
    }
    let warnings = answer["warnings"].as_array().into_iter().flatten();
    let row = |w: &Value| {
        let name = w["ruleName"].as_str().unwrap_or_default();
        let line = &w["location"]["ranges"][0]["start"]["line"];
        (name != "InvalidBaseImagePlatform").then(|| format!("{name} {line}"))
    };
    Ok(Some(warnings.filter_map(row).collect()))
}

/// Asks for all, a few at a time.
fn ask_all(all: &[Case]) -> Vec<Result<Option<Found>, String>> {
    let lanes = 4;
    let run = |lane: usize| {
        let own = all.iter().skip(lane).step_by(lanes);
        own.map(|case| {
            // A folder each: a builder takes a file of one size and time for unchanged.
            let folder = tempfile::tempdir().expect("a folder");
            ask(case, folder.path())
        })
        .collect::<Vec<_>>()
    };
    let mut answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..lanes)
            .map(|lane| scope.spawn(move || run(lane)))
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("no panic").into_iter())
            .collect()
    });
    (0..all.len())
        .map(|i| answers[i % lanes].next().expect("one answer a case"))
        .collect()
}

// --- kept answers ----------------------------------------------------------------------------

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/checks")
        .join(name)
}

/// `=== label`, maybe with ` crlf` or ` mark`; lines of the ignore file with `| ` in front, build arguments with `$ `; the Dockerfile.
fn cases(file: &str) -> Vec<Case> {
    let text = fs::read_to_string(corpus(file)).expect("the cases");
    let mut out = Vec::new();
    for block in text.split("=== ").skip(1) {
        let (label, body) = block.split_once('\n').expect("a label");
        let (mut text, mut ignore, mut arguments) = (String::new(), String::new(), Vec::new());
        for line in body.split_inclusive('\n') {
            if let Some(line) = line.strip_prefix("| ") {
                ignore.push_str(line);
            } else if let Some(line) = line.strip_prefix("$ ") {
                let (name, value) = line.trim_end().split_once('=').expect("a value");
                arguments.push((name.to_owned(), value.to_owned()));
            } else {
                text.push_str(line);
            }
        }
        if label.ends_with(" crlf") {
            text = text.replace('\n', "\r\n");
        }
        if label.ends_with(" mark") {
            text.insert(0, '\u{feff}');
        }
        out.push(Case {
            label: label.to_owned(),
            text,
            ignore: Some(ignore).filter(|i| !i.is_empty()),
            arguments,
        });
    }
    let labels: BTreeSet<&str> = out.iter().map(|c| c.label.as_str()).collect();
    assert_eq!(labels.len(), out.len(), "two cases have one label");
    out
}

fn hash(case: &Case) -> String {
    let ignore = case.ignore.as_deref().unwrap_or_default();
    fingerprint(&format!("{}\0{ignore}\0{:?}", case.text, case.arguments))
}

fn kept_cases() -> Vec<Case> {
    let mut all = cases("cases.txt");
    all.extend(KEPT.map(generate));
    all
}

#[test]
fn kept_answers_are_ours() {
    let text = fs::read_to_string(corpus("answers.json")).expect("kept answers");
    let kept: Value = serde_json::from_str(&text).expect("kept answers");
    assert_eq!(kept["generator"], GENERATOR, "answers of another generator");
    let (mut wrong, mut refused, mut seen) = (Vec::new(), 0, BTreeMap::new());
    let all = kept_cases();
    for case in &all {
        let answer = &kept["answers"][&case.label];
        assert_eq!(
            answer["file"],
            hash(case),
            "{} is another file now",
            case.label
        );
        let Some(found) = answer["found"].as_array() else {
            assert!(case.label.starts_with("seed "), "{} is refused", case.label);
            refused += 1;
            continue;
        };
        let found = found.iter().filter_map(Value::as_str).map(str::to_owned);
        let found: Found = found.collect();
        for row in &found {
            let name = row.split(' ').next().unwrap_or_default().to_owned();
            *seen.entry(name).or_insert(0) += 1;
        }
        wrong.extend(disagreement(case, &found));
    }
    eprintln!(
        "checks: {} files, {refused} refused, found {seen:?}",
        all.len()
    );
    assert!(refused * 4 < all.len(), "{refused} refused");
    for rule in rules::all().filter(|r| is_check(r.name)) {
        assert!(
            seen.get(rule.name) >= Some(&4),
            "{} is hardly seen",
            rule.name
        );
    }
    assert!(
        wrong.is_empty(),
        "{} disagree\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn findings_equal_a_real_builders() {
    let keep = builder::is_on("CACHEPLAN_KEEP_ANSWERS");
    let Some(version) = builder::version_or_skip() else {
        return;
    };
    let first = builder::number("CACHEPLAN_ORACLE_SEED", 1_000_000);
    let more = builder::number("CACHEPLAN_ORACLE_FILES", 60);
    let all: Vec<Case> = if keep {
        kept_cases()
    } else {
        let mut all = cases("cases.txt");
        all.extend((first..first + more).map(generate));
        all
    };
    let (mut wrong, mut unsure, mut refused) = (Vec::new(), 0, 0);
    let mut answers = serde_json::Map::new();
    for (case, answer) in all.iter().zip(ask_all(&all)) {
        match answer {
            Err(why) => {
                unsure += 1;
                eprintln!("{}: left out, {why}", case.label);
            }
            Ok(found) => {
                refused += usize::from(found.is_none());
                wrong.extend(found.iter().filter_map(|f| disagreement(case, f)));
                let kept = json!({ "file": hash(case), "found": found });
                answers.insert(case.label.clone(), kept);
            }
        }
    }
    if keep {
        let rows = answers
            .iter()
            .map(|(label, kept)| format!("{}: {kept}", json!(label)));
        let rows: Vec<String> = rows.collect();
        let text = format!(
            "{{\"generator\": {GENERATOR}, \"builder\": {}, \"answers\": {{\n{}\n}}}}\n",
            json!(version),
            rows.join(",\n")
        );
        fs::write(corpus("answers.json"), text).expect("corpus/checks is writable");
    }
    eprintln!(
        "checks: builder {version}, {} files, {refused} refused, {unsure} left out",
        all.len()
    );
    assert!(
        unsure * 10 <= all.len(),
        "the builder could not tell {unsure} times"
    );
    assert!(
        wrong.is_empty(),
        "{} disagree\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

// --- fixes -----------------------------------------------------------------------------------

/// The file with all fixes applied that need no person, again and again.
fn fixed(case: &Case) -> String {
    let mut text = case.text.clone();
    for _ in 0..8 {
        let found = findings(&text);
        let chosen = rules::choose(&found, Safety::Assumed);
        if chosen.is_empty() {
            break;
        }
        let bytes = rules::apply(text.as_bytes(), &chosen, None).expect("fixes");
        text = String::from_utf8(bytes).expect("UTF-8");
    }
    text
}

/// Configuration, layers and author of what a Dockerfile builds.
fn image(text: &str) -> Result<Value, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    fs::write(folder.path().join("Dockerfile"), text).map_err(|e| e.to_string())?;
    fs::write(folder.path().join("file"), "one\n").map_err(|e| e.to_string())?;
    let run = |args: &[&str]| {
        let output = Command::new("docker").args(args).output();
        let output = output.map_err(|e| e.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    };
    let dir = folder.path().to_string_lossy().into_owned();
    let name = format!("cacheplan-checks:{}", fingerprint(text));
    let flags = [
        "buildx",
        "build",
        "-q",
        "--provenance=false",
        "--network=none",
    ];
    run(&[flags.as_slice(), &["--load", "-t", &name, &dir]].concat())?;
    let format = "[{{json .Config}},{{json .RootFS}},{{json .Author}}]";
    let shown = run(&["image", "inspect", "--format", format, &name])?;
    run(&["image", "rm", "-f", &name])?;
    serde_json::from_str(&shown).map_err(|e| e.to_string())
}

#[test]
fn fixes_leave_the_image_as_it_is() {
    if builder::version_or_skip().is_none() {
        return;
    }
    const LABEL: &str = "org.opencontainers.image.authors";
    let mut wrong = Vec::new();
    for case in cases("fixes.txt") {
        let after = fixed(&case);
        assert_ne!(after, case.text, "{}: nothing is fixed", case.label);
        let (old, mut new) = match (image(&case.text), image(&after)) {
            (Ok(old), Ok(new)) => (old, new),
            other => panic!("{}: {other:?}\n{after}", case.label),
        };
        if case.label.starts_with("author") {
            let label = new[0]["Labels"]
                .as_object_mut()
                .and_then(|l| l.remove(LABEL));
            let label = label.unwrap_or_default();
            assert_eq!(label, case.label["author ".len()..], "{after}");
            new[2] = old[2].clone();
            let config = new[0].as_object_mut().expect("a configuration");
            if config["Labels"]
                .as_object()
                .is_some_and(serde_json::Map::is_empty)
            {
                config.remove("Labels");
            }
        }
        if old != new {
            wrong.push(format!("---- {}\n{old:#}\n{new:#}\n{after}", case.label));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `ENV name value` and what its fix writes mean the same.
#[test]
fn the_new_form_of_a_pair_has_the_same_value() {
    const SIGNS: &[&str] = &[
        "a",
        "b",
        " ",
        " ",
        "\t",
        "\"",
        "'",
        "\\",
        "$a",
        "${b:-c d}",
        "=",
        "\u{e9}",
        "\\\n",
        "  ",
        "#",
        "\\$",
    ];
    let value = |text: &str| {
        let (_, tree) = read(text);
        let Kind::Env(list) = tree.instructions().get(1)?.kind() else {
            return None;
        };
        let (name, value) = list.only()?;
        let lookup = |name: &str| (name == "a").then(|| "x  y\"z".to_owned());
        let value = expand_word(&value, '\\', &lookup).ok()?;
        Some((name.to_string(), value))
    };
    let mut random = Random(7);
    let (mut fixes, mut quoted) = (0, 0);
    for _ in 0..20_000 {
        let mut text = "FROM scratch\nENV k".to_owned();
        text.push_str(random.pick(&[" ", "  ", "\t"]));
        for _ in 0..1 + random.below(7) {
            text.push_str(random.pick(SIGNS));
        }
        text.push('\n');
        let Some(before) = value(&text) else { continue };
        let found = findings(&text);
        let old_form = found
            .iter()
            .filter(|f| f.rule.name == "LegacyKeyValueFormat");
        let chosen: Vec<&Finding> = old_form.filter(|f| f.fix.is_some()).collect();
        if chosen.is_empty() {
            continue;
        }
        let after = rules::apply(text.as_bytes(), &chosen, None).expect("fixes");
        let after = String::from_utf8(after).expect("UTF-8");
        assert_eq!(
            value(&after).as_ref(),
            Some(&before),
            "{text:?} became {after:?}"
        );
        fixes += 1;
        quoted += usize::from(text.contains(['"', '\'', '\\']));
    }
    assert!(
        fixes > 3_000 && quoted > 500,
        "{fixes} fixes, {quoted} of them of quotes"
    );
}

// --- the generator ---------------------------------------------------------------------------

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).expect("31 bits") % limit
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const HEADS: &[&str] = &[
    "",
    "# check=skip=all;experimental=InvalidDefinitionDescription\n",
    "# check=skip=FromAsCasing,UndefinedVar;experimental=CopyIgnoredFile\n",
    "# escape=`\n# check=experimental=all\n",
    "# check = experimental=CopyIgnoredFile\n",
    "# check=experimental=InvalidDefinitionDescription\n# check-note\n",
    "# escape=\\\n",
    "# check=error=true\n",
];

const GLOBALS: &[&str] = &[
    "ARG B=busybase\n",
    "ARG B=busybase P\n# P is the platform\nARG P=linux/amd64\n",
    "# not its name\n\nARG V=latest\n",
    "arg EMPTY\n",
    "ARG BAD=Busy_Base!\nARG B=${BAD:+busybase}\n",
    "ARG D\nARG SECRET=x\n",
];

const FROMS: &[&str] = &[
    "FROM busybase",
    "FROM busybase AS one",
    "from busybase as one",
    "FROM scratch as Two",
    "From busybase As two",
    "FROM one AS three",
    "FROM one",
    "FROM three AS Three",
    "FROM busybase aS context",
    "from scratch AS scratch",
    "FROM ${B:-busybase}",
    "FROM busybase:${V:-latest} AS v",
    "FROM ${NOPE:-busybase} as x",
    "FROM --platform=$TARGETPLATFORM busybase AS t",
    "FROM --platform=${TARGETPLATFORM:-$Q} busybase",
    "FROM --platform=${P:-linux/amd64} busybase",
    "FROM --platform=linux/amd64 busybase AS one-amd64",
    "FROM --platform=linux busybase",
    "FROM --platform='linux/arm64' busybase AS one",
    "FROM --platform=$TARGETOS/$TARGETARCH busybase",
    "FROM \\\n  busybase \\\n\n  AS one",
];

const LINES: &[&str] = &[
    "RUN true",
    "run true \\\n\n  false",
    "RUN true \\\n# comment\n  false",
    "RUN <<E\n\ntrue\nE",
    "RUN cat \\\n \n  <<E\n\ntext\nE",
    "RUN --mount=type=cache,target=$DIR/x,id=${ID:-a} true $NOT",
    "Run echo $X",
    "COPY a b",
    "COPY $SRC/a ${DST:-/b}/",
    "COPY dist /d",
    "copy dist/a ./src/b *.md /d/",
    "ADD --chown=$WHO notes.md d",
    "ADD https://example.com/dist d",
    "COPY --from=busybase dist d",
    "COPY <<E /d\n$BODY \\$E 'x'\nE",
    "COPY <<\"E\" /d\n$BODY\nE",
    "ENV A=1",
    "ENV A=$A B=$A",
    "ENV A 1",
    "env A one  two",
    "ENV DIR=${A}/x TOKEN=y",
    "ENV API_KEY=x PUBLIC_KEY=y",
    "ENV my_$A=1",
    "ENV PATH=$PATH:/x",
    "ENV Q='$NONE' R=\"$NONE\" S=\\$NONE",
    "ARG A",
    "ARG A=1 PASSWORD",
    "ARG C=$A D=$C",
    "ARG TARGETARCH\nENV T=$TARGETARCH$TARGETOS",
    "# A is one\nARG A=1",
    "# other\nARG A=$Z",
    "ARG B\nENV E=$B",
    "LABEL a=$A b=$UNSET",
    "LABEL note some text",
    "LABEL token=x",
    "WORKDIR /w",
    "WORKDIR w",
    "workdir $DIR",
    "WORKDIR ${DIR:-/x}",
    "USER $WHO",
    "USER 1:2",
    "VOLUME /v $V",
    "STOPSIGNAL ${SIG:-9}",
    "EXPOSE 80",
    "EXPOSE 80/TCP 53/Udp",
    "EXPOSE 8080:80 :90 $PORTS",
    "EXPOSE 127.0.0.1:8080:80/UDP \\\n  [::1]:53:53",
    "ENV PORTS=\"80/TCP 8080:81\"\nEXPOSE $PORTS",
    "CMD x",
    "cmd [\"x\"]",
    "CMD x $Y \\\n\n  z",
    "ENTRYPOINT x",
    "ENTRYPOINT [\"x\"]",
    "SHELL [\"/bin/sh\", \"-c\"]",
    "HEALTHCHECK NONE",
    "HEALTHCHECK --interval=1m CMD x",
    "MAINTAINER me",
    "maintainer \"me\"",
    "ONBUILD CMD x",
    "ONBUILD ENV T $T",
    "ONBUILD WORKDIR o",
    "onbuild EXPOSE 80/TCP",
    "ONBUILD ARG KEY=$KEYS",
    "ONBUILD COPY dist $WHERE",
    "ONBUILD RUN true \\\n\n  false",
    "# comment",
    "",
];

const IGNORED: &[&str] = &[
    "dist\n",
    "*.md\n# note\nsrc/b\n",
    "**/a\n",
    "nothing\n",
    "d*\n",
];

fn generate(seed: u64) -> Case {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut text = random.pick(HEADS).to_owned();
    for _ in 0..random.below(3) {
        text += random.pick(GLOBALS);
    }
    for stage in 0..1 + random.below(3) {
        let from = match stage {
            0 => random.pick(&FROMS[..5]),
            _ => random.pick(FROMS),
        };
        // What is no stage so far would be an image, which the builder does not have.
        let known = text.to_lowercase();
        let missing = ["one", "three"].iter().any(|name| {
            from.starts_with(&format!("FROM {name}")) && !known.contains(&format!(" as {name}\n"))
        });
        text += if missing {
            "FROM busybase AS one"
        } else {
            from
        };
        text += "\n";
        for _ in 0..random.below(6) {
            text += random.pick(LINES);
            text += "\n";
        }
    }
    let ignore = random.pick(IGNORED).to_owned();
    // The check is on in new releases alone, unless a file asks for it.
    let asks = text.contains("=all\n") || text.contains("CopyIgnoredFile");
    if random.below(6) == 0 {
        text = text.replace('\n', "\r\n");
    }
    if text.starts_with("# escape=`") {
        text = text.replace('\\', "`");
    }
    Case {
        label: format!("seed {seed}"),
        text,
        ignore: asks.then_some(ignore),
        arguments: Vec::new(),
    }
}
