//! Step names and numbers, and which Dockerfiles are refused, against a real builder.
//!
//! In: random Dockerfiles by seed. The builder announces every vertex of a build before it runs one, so the names are
//! known however the build ends. Out: `inspect` gives the same names, or an error where the builder refuses the file.
//! `CACHEPLAN_KEEP_ANSWERS=1` writes the builder's names to `corpus/names`, which the second test compares without one.
//! Invariant: nothing random but the seed; every RUN has a text of its own, since equal vertices are announced once.

mod common;

use common::builder;
use common::random_history::Random;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Raised whenever the generator's output for a seed changes: kept answers must then be made again.
const GENERATOR: u64 = 2;

/// What a builder or `inspect` makes of a file: the names of its steps, or nothing where it is refused.
type Names = Option<BTreeSet<String>>;

#[test]
fn names_equal_a_real_builder() {
    let keep = builder::is_on("CACHEPLAN_KEEP_ANSWERS");
    if builder::version_or_skip().is_none() {
        return;
    }
    // Names that the files use for images; the builder looks them up before anything else.
    for name in ["named", "0", "7"] {
        let mut docker = Command::new("docker");
        let tag = docker.args(["tag", "busybase:latest", name]).status();
        assert!(tag.is_ok_and(|status| status.success()), "docker tag");
    }
    let number = builder::number;
    let first = number("CACHEPLAN_ORACLE_SEED", 1);
    let count = number("CACHEPLAN_ORACLE_FILES", 100);
    let (mut kept, mut wrong, mut steps, mut refused) = (BTreeMap::new(), Vec::new(), 0, 0);
    for seed in first..first + count {
        let case = Case::new(seed);
        let built = case.built();
        compare(seed, &case, &built, &mut wrong);
        steps += built.as_ref().map_or(0, BTreeSet::len);
        refused += usize::from(built.is_none());
        kept.insert(seed, built);
    }
    eprintln!("{count} files, {steps} steps, {refused} files refused");
    if keep {
        // One file a line, so that a change can be read.
        let lines: Vec<String> = kept
            .iter()
            .map(|(seed, names)| {
                let names = serde_json::to_string(names).expect("plain data");
                format!("\"{seed}\":{names}")
            })
            .collect();
        let text = format!(
            "{{\"generator\":{GENERATOR},\"names\":{{\n{}\n}}}}\n",
            lines.join(",\n")
        );
        std::fs::write(answers(), text).expect("corpus/names is writable");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        refused * 2 < count as usize,
        "most files are refused: {refused}"
    );
}

#[test]
fn names_equal_kept_answers() {
    if std::env::var("CACHEPLAN_KEEP_ANSWERS").is_ok_and(|value| value == "1") {
        return eprintln!("skipped: the answers are being written");
    }
    let text = std::fs::read_to_string(answers()).expect("corpus/names/answers.json");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        json["generator"], GENERATOR,
        "run with CACHEPLAN_KEEP_ANSWERS=1"
    );
    let names = json["names"].as_object().expect("an object");
    assert!(names.len() >= 100, "only {} kept answers", names.len());
    let mut wrong = Vec::new();
    for (seed, answer) in names {
        let seed = seed.parse().expect("a number");
        let built: Names = serde_json::from_value(answer.clone()).expect("a list or null");
        compare(seed, &Case::new(seed), &built, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn answers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/names/answers.json")
}

fn compare(seed: u64, case: &Case, built: &Names, wrong: &mut Vec<String>) {
    let (ours, diagnostics) = case.inspected();
    let difference = match (built, &ours) {
        (None, None) => return,
        (Some(_), None) => format!("the builder takes it, we refuse it: {diagnostics}"),
        (None, Some(_)) => "the builder refuses it, we take it".to_owned(),
        (Some(built), Some(ours)) => match builder::name_difference(built, ours) {
            None => return,
            Some(what) => what,
        },
    };
    wrong.push(format!(
        "seed {seed}: {difference}\n{:?}\n{}",
        case.flags, case.text
    ));
}

/// A Dockerfile and how it is built.
struct Case {
    text: String,
    flags: Vec<String>,
}

impl Case {
    fn built(&self) -> Names {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("Dockerfile"), &self.text).expect("writable");
        std::fs::create_dir(folder.path().join("other")).expect("writable");
        let mut docker = Command::new("docker");
        docker.args([
            "buildx",
            "build",
            "--network=none",
            "--output=type=cacheonly",
        ]);
        docker.args(["--provenance=false", "--progress=rawjson"]);
        docker.args(&self.flags).arg(".").current_dir(folder.path());
        docker.env_remove("SOURCE_DATE_EPOCH");
        let output = docker.output().expect("docker starts");
        let progress = String::from_utf8_lossy(&output.stderr);
        let names = builder::announced(&progress);
        (!names.is_empty() || output.status.success()).then_some(names)
    }

    fn inspected(&self) -> (Names, String) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("Dockerfile"), &self.text).expect("writable");
        let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
        tool.args(["inspect", "--format", "json"]).args(&self.flags);
        let output = tool.arg(folder.path()).output().expect("the tool starts");
        let json: Value = serde_json::from_slice(&output.stdout).expect("a document");
        if output.status.code() == Some(2) {
            return (None, json["diagnostics"].to_string());
        }
        (
            Some(builder::inspected(&json)),
            json["diagnostics"].to_string(),
        )
    }

    fn new(seed: u64) -> Self {
        let mut g = Generator {
            random: Random::new(seed),
            counter: 0,
            names: Vec::new(),
        };
        let mut text = String::new();
        for _ in 0..g.random.below(3) {
            let lines = [
                "ARG BASE=busybase\n",
                "ARG P='a b'\n",
                "ARG BASE\n",
                "arg E=\n",
            ];
            text += *g.random.pick(&lines);
        }
        for stage in 0..1 + g.random.below(4) {
            g.stage(stage, &mut text);
        }
        // Fails before a RUN starts, mostly; the names are announced all the same.
        text += "COPY not-there /nowhere\n";
        let mut flags = Vec::new();
        let choices = [
            ["--build-arg", "A=from flag"],
            ["--build-arg", "BASE=busybase"],
            ["--target", "S0"],
            ["--target", "s1"],
            ["--target", "0"],
            ["--platform", "linux/amd64"],
            ["--build-context", "s0=docker-image://busybase:latest"],
            ["--build-context", "named=docker-image://busybase"],
            ["--build-context", "named=other"],
            [
                "--build-context",
                "docker.io/library/busybase:latest=docker-image://busybase",
            ],
        ];
        while g.random.one_in(3) {
            let pair = g.random.pick(&choices);
            if pair[0] == "--target" && !g.random.one_in(4) {
                continue;
            }
            if !flags.contains(&pair[0].to_owned()) || pair[0] == "--build-arg" {
                flags.extend(pair.iter().map(|word| (*word).to_owned()));
            }
        }
        Self { text, flags }
    }
}

struct Generator {
    random: Random,
    counter: usize,
    names: Vec<String>,
}

impl Generator {
    fn stage(&mut self, index: usize, text: &mut String) {
        let mut bases = vec![
            "busybase",
            "busybase",
            "busybase",
            "busybase:latest",
            "scratch",
            "$BASE",
            "${BASE:-busybase}",
            "docker.io/library/busybase",
            "named",
            "--platform=$BUILDPLATFORM busybase",
            "Busybase",
            "--platform=linux busybase",
            "--platform=$NOPE busybase",
            "${BASE",
        ];
        let names = self.names.clone();
        bases.extend(names.iter().map(String::as_str));
        bases.extend(names.iter().map(String::as_str));
        // Mistakes are rare, or no file would be left to compare names of.
        let mut base = *self.random.pick(&bases);
        if [
            "Busybase",
            "--platform=$NOPE busybase",
            "${BASE",
            "named",
            "$BASE",
        ]
        .contains(&base)
            && !self.random.one_in(8)
        {
            base = "busybase";
        }
        let name = match self.random.below(5) {
            0 => String::new(),
            1 => format!(" AS S{index}"),
            2 if self.random.one_in(6) => " as s0".to_owned(),
            3 if self.random.one_in(8) => format!(" AS s{index}-"),
            _ => format!(" AS s{index}"),
        };
        *text += &format!("FROM {base}{name}\n");
        // A stage that names itself is refused.
        let own = (!name.is_empty()).then(|| name[4..].to_lowercase());
        let early = self.random.one_in(30);
        self.names.extend(own.clone().filter(|_| early));
        for _ in 0..self.random.below(7) {
            let line = self.instruction();
            *text += &line;
            text.push('\n');
        }
        self.names.extend(own.filter(|_| !early));
    }

    fn instruction(&mut self) -> String {
        match self.random.below(16) {
            0..=4 => self.run(),
            5..=7 => self.copy(),
            8 | 9 => {
                let lines = [
                    "WORKDIR /w",
                    "WORKDIR w/$A",
                    "workdir  \"/q q\"",
                    "WORKDIR /",
                    "WORKDIR $NONE/x",
                    "WORKDIR ../up",
                    "WORKDIR /in/.",
                    "WORKDIR /a\\ b",
                    "WORKDIR ${A",
                ];
                self.rarely(&lines, 1)
            }
            10 => self.rarely(
                &[
                    "ENV A='x  y' B=\"$A z\"",
                    "ENV C legacy  value",
                    "ENV A=1",
                    "ENV Q=\\\"",
                    "ENV X=${A",
                ],
                1,
            ),
            11 => self.rarely(
                &[
                    "ARG A",
                    "ARG A=default",
                    "ARG P",
                    "ARG TARGETARCH TARGETVARIANT",
                    "ARG D=${D",
                ],
                1,
            ),
            12 => {
                let trigger = match self.random.below(3) {
                    0 => self.run(),
                    1 => self.copy(),
                    _ => "LABEL on=build".to_owned(),
                };
                format!("ONBUILD {trigger}")
            }
            13 => self.rarely(
                &[
                    "USER app",
                    "USER $A",
                    "SHELL [\"/bin/sh\", \"-ec\"]",
                    "STOPSIGNAL 9",
                    "STOPSIGNAL SIGNOPE",
                ],
                1,
            ),
            14 => self.rarely(
                &[
                    "EXPOSE 80 443/udp",
                    "EXPOSE $NONE",
                    "VOLUME /v",
                    "LABEL a=$A b='$A'",
                    "CMD [\"x\"]",
                    "EXPOSE http",
                    "VOLUME [\"\"]",
                ],
                2,
            ),
            _ => self.rarely(
                &[
                    "# a comment",
                    "ENTRYPOINT run me",
                    "HEALTHCHECK NONE",
                    "MAINTAINER me",
                    "HEALTHCHECK SOMETIMES",
                ],
                1,
            ),
        }
    }

    /// One of the lines; the last `bad` of them seldom.
    fn rarely(&mut self, lines: &[&str], bad: usize) -> String {
        let good = lines.len() - bad;
        let list = if self.random.one_in(40) {
            &lines[good..]
        } else {
            &lines[..good]
        };
        (*self.random.pick(list)).to_owned()
    }

    fn from(&mut self) -> String {
        let mut names: Vec<String> = self.names.clone();
        names.extend(names.clone().iter().map(|n| n.to_uppercase()));
        names.extend(["busybase", "named", "0", "0", "+1"].map(str::to_owned));
        if self.random.one_in(30) {
            names.extend(["7", "s3", "$A", "Nope", "-1", "\"s0\""].map(str::to_owned));
        }
        self.random.pick(&names).clone()
    }

    fn run(&mut self) -> String {
        self.counter += 1;
        let n = self.counter;
        let keyword = self.random.pick(&["RUN", "RUN", "RUN", "run", "Run "]);
        let mount = match self.random.below(10) {
            0 => "--mount=type=cache,target=/c ".to_owned(),
            1 => format!("--mount=from={},target=/m ", self.from()),
            2 => "--mount=type=secret,id=s,env=SECRET ".to_owned(),
            3 => "--network=none ".to_owned(),
            4 => "--mount=type=bind,source=other,target=/m$A ".to_owned(),
            5 => self.rarely(
                &[
                    "--mount=type=tmpfs,target=/t,size=1m ",
                    "--mount=type=cache,target=/c,sharing=locked,id=$A ",
                    "--mount=type=tmpfs,target=/t,mode=0700 ",
                    "--mount=type=bind,target=/ ",
                    "--mount=type=cache,target=/c,sharing=no ",
                    "--mount=required,type=secret,id=a ",
                    "--mount=type=secret ",
                    "--mount=type=ssh,source=x ",
                    "--mount=type=cache,target=/x,colour=red ",
                ],
                7,
            ),
            _ => String::new(),
        };
        let body = match self.random.below(12) {
            0 => format!("echo {n} \"$A\" '$A' ${{A}} $NONE ${{NONE}}"),
            1 => format!("echo {n} \\$A \"\\$A\" \\\"q\\\" \\\\ a\\ b"),
            2 => format!("echo {n} && \\\n    echo $B"),
            3 => format!("<<EOF\necho {n} $A\n  more\nEOF"),
            4 => format!("<<-\"EOF\"\n\techo {n} \"$A\"\n\tEOF"),
            5 => format!("cat <<ONE <<TWO\n{n}\nONE\n$A\nTWO"),
            6 => format!("[\"echo\", \"{n}\", \"$A\", \"a\\\"b\"]"),
            7 => format!("echo {n} ${{A:-x$B}} ${{A:+y}} ${{A#f}} $SECRET $$ $"),
            8 => format!("echo {n} ${{A:-\"q\"}} '${{NONE'"),
            9 => format!("echo {n} 'unclosed ${{A}}"),
            10 => format!("echo {n} ${{NONE:-a\\ b}} ${{NONE:-'q $A'}}\t$A"),
            _ => format!("true {n}"),
        };
        format!("{keyword} {mount}{body}")
    }

    fn copy(&mut self) -> String {
        self.counter += 1;
        let n = self.counter;
        let keyword = self.random.pick(&["COPY", "COPY", "copy", "ADD"]);
        let mut flags = String::new();
        if keyword.eq_ignore_ascii_case("copy") && self.random.one_in(2) {
            flags += &format!("--from={} ", self.from());
        }
        if self.random.one_in(4) {
            flags += &self.rarely(
                &[
                    "--chown=$A:1 ",
                    "--chmod=0644 ",
                    "--chmod=u=rw,go= ",
                    "--link ",
                    "--exclude=*.$A ",
                    "--chown= ",
                    "--chmod=9 ",
                    "--chmod=rw ",
                    "--checksum=sha256:00 ",
                    "--link=maybe ",
                ],
                4,
            );
        }
        let arguments = match self.random.below(8) {
            0 => format!("[\"f {n}\", \"/d $A\"]"),
            1 => format!("f{n} \"/quoted\"$A"),
            2 => format!("<<EOF /inline{n}\n$A\nEOF"),
            3 => format!("f{n} g$A /dir/"),
            4 => format!("f\\ {n} /x\\y"),
            5 => format!("f{n}*   /star"),
            6 => format!("[\"f{n}\",\"/$NONE\"]"),
            _ => format!("f{n} /f"),
        };
        let arguments = if self.random.one_in(25) {
            let bad = ["f", "https://example.org/a.git /x", "f <<EOF\nx\nEOF"];
            (*self.random.pick(&bad)).to_owned()
        } else {
            arguments
        };
        format!("{keyword} {flags}{arguments}")
    }
}
