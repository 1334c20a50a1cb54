//! Accepted or refused: our parser and plan beside a real builder, on small odd Dockerfiles.
//!
//! In: generated files (seeds), those of `corpus/verdicts/cases.txt`, and those of `grammar.txt` beside it, which go through
//! the rules of the grammar one after the other. The builder's answers to them are kept in
//! `corpus/verdicts` and checked in every run; with a `docker` that has buildx and `busybase:latest`,
//! `CACHEPLAN_ORACLE_FILES` (60) more are asked for, from `CACHEPLAN_ORACLE_SEED` on, and all cases again.
//! `CACHEPLAN_REQUIRE_BUILDER=1` makes its absence a failure, `CACHEPLAN_KEEP_ANSWERS=1` writes the answers. The builder is
//! asked with `--call=outline`, which evaluates the file and builds nothing.

mod common;

use cacheplan::diagnostic::Diagnostic;
use cacheplan::dockerfile::parse;
use cacheplan::plan::{self, BuildOptions};
use cacheplan::source::SourceFile;
use common::builder;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Raised whenever the generator's output for a seed changes: kept answers must then be made again.
const GENERATOR: u32 = 1;

/// Seeds with kept answers.
const KEPT: std::ops::Range<u64> = 1..401;

/// Refusals that are not compared: `RUN []`, which the outline lets pass and the build itself does not, and mounts whose
/// target depends on what the base image says of itself.
const NOT_COMPARED: [&str; 5] = [
    "RUN []",
    "--mount=type=cache a",
    "--mount=type=tmpfs a",
    "target=$x a",
    "target=${x:?no} a",
];

/// A file and what it is built with.
struct Case {
    label: String,
    text: String,
    target: Option<String>,
}

// --- our side --------------------------------------------------------------------------------

/// The codes of all errors; none means accepted.
fn errors(case: &Case) -> Vec<&'static str> {
    let source = SourceFile::new("Dockerfile", case.text.as_str());
    let parsed = parse(&source);
    let options = BuildOptions {
        target: case.target.clone(),
        ..BuildOptions::default()
    };
    let plan = plan::lower(&parsed.tree, &options);
    let all = parsed.diagnostics.iter().chain(&plan.diagnostics);
    all.filter(|d| d.is_error())
        .map(|d: &Diagnostic| d.code)
        .collect()
}

/// Compares one file; a line for the report when the two disagree.
fn disagreement(case: &Case, refusal: Option<&str>) -> Option<String> {
    if NOT_COMPARED.iter().any(|text| case.text.contains(text)) {
        return None;
    }
    let errors = errors(case);
    (errors.is_empty() == refusal.is_some()).then(|| {
        format!(
            "---- {}, target {:?}\nbuilder: {refusal:?}\nhere: {errors:?}\n{}",
            case.label, case.target, case.text
        )
    })
}

// --- the builder's side ----------------------------------------------------------------------

/// `Ok(None)` for accepted, the message where refused, `Err` where the builder could not tell.
fn ask(case: &Case, folder: &Path) -> Result<Option<String>, String> {
    fs::write(folder.join("Dockerfile"), &case.text).map_err(|e| e.to_string())?;
    let mut command = Command::new("docker");
    command.args(["buildx", "build", "--call=outline", "--progress=plain"]);
    if let Some(target) = &case.target {
        command.args(["--target", target]);
    }
    let output = command.arg(folder).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let message = text
        .lines()
        .rev()
        .find_map(|l| l.strip_prefix("ERROR: "))
        .unwrap_or_default();
    let message = message.trim_start_matches("failed to build: failed to solve: ");
    // A name that only a registry knows, or a builder in trouble.
    let unsure = [
        "failed to resolve source metadata",
        "Cannot connect",
        "rpc error",
        "context deadline",
    ];
    if message.is_empty() || unsure.iter().any(|u| message.contains(u)) {
        return Err(text.into_owned());
    }
    Ok(Some(message.to_owned()))
}

// --- kept answers ----------------------------------------------------------------------------

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/verdicts")
        .join(name)
}

/// FNV-1a, to see that an answer and a generated text belong together.
fn fingerprint(case: &Case) -> String {
    let text = format!("{}\0{:?}", case.text, case.target);
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Written cases: `=== accepted` or `=== refused: message` (maybe `=== --target=x accepted`), then the file. The newline
/// before the next `===` belongs to the file.
fn cases() -> Vec<(Case, Option<String>)> {
    let mut out = Vec::new();
    for file in ["cases.txt", "grammar.txt"] {
        let text = fs::read_to_string(corpus(file)).expect("the cases");
        read_cases(file, &text, &mut out);
    }
    out
}

fn read_cases(file: &str, text: &str, out: &mut Vec<(Case, Option<String>)>) {
    for (number, block) in text.split("=== ").skip(1).enumerate() {
        let (head, body) = block.split_once('\n').expect("a head line");
        let (target, verdict) = match head.strip_prefix("--target=") {
            Some(rest) => {
                let (target, verdict) = rest.split_once(' ').expect("a verdict");
                (Some(target.to_owned()), verdict)
            }
            None => (None, head),
        };
        let refusal = match verdict {
            "accepted" => None,
            other => Some(
                other
                    .strip_prefix("refused: ")
                    .expect("a known verdict")
                    .to_owned(),
            ),
        };
        let label = format!("{file} case {}", number + 1);
        out.push((
            Case {
                label,
                text: body.to_owned(),
                target,
            },
            refusal,
        ));
    }
}

#[test]
fn kept_verdicts_are_ours() {
    let mut wrong = Vec::new();
    let cases = cases();
    for (case, refusal) in &cases {
        wrong.extend(disagreement(case, refusal.as_deref()));
    }
    let text = fs::read_to_string(corpus("generated.txt")).expect("kept answers");
    let head = text.lines().next().unwrap_or_default();
    assert!(
        head.contains(&format!("generator {GENERATOR},")),
        "answers of another generator: {head}"
    );
    let (mut count, mut refused) = (0, 0);
    for line in text.lines().skip(1) {
        let mut cells = line.splitn(3, '\t');
        let mut cell = || cells.next().expect("three cells");
        let (seed, hash, message) = (cell(), cell(), cell());
        let case = generate(seed.parse().expect("a seed"));
        assert_eq!(fingerprint(&case), hash, "seed {seed} is another file now");
        let refusal = Some(message).filter(|m| *m != "accepted");
        refused += usize::from(refusal.is_some());
        wrong.extend(disagreement(&case, refusal));
        count += 1;
    }
    eprintln!(
        "verdicts: {} cases, {count} generated files, {refused} of them refused",
        cases.len()
    );
    assert!(
        count >= 300 && refused * 5 > count && refused * 5 < count * 4,
        "{refused} of {count}"
    );
    assert!(
        wrong.is_empty(),
        "{} disagree\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn verdicts_equal_a_real_builders() {
    let keep = builder::is_on("CACHEPLAN_KEEP_ANSWERS");
    let Some(version) = builder::version_or_skip() else {
        return;
    };
    let number = builder::number;
    let first = number("CACHEPLAN_ORACLE_SEED", 1_000_000);
    let seeds = if keep {
        KEPT
    } else {
        first..first + number("CACHEPLAN_ORACLE_FILES", 60)
    };
    let all: Vec<Case> = cases()
        .into_iter()
        .map(|c| c.0)
        .chain(seeds.clone().map(generate))
        .collect();
    let answers = ask_all(&all);

    let (mut wrong, mut unsure, mut refused) = (Vec::new(), 0, 0);
    let mut kept = format!("generator {GENERATOR}, builder {version}\n");
    let written = all.len() - seeds.clone().count();
    for (index, (case, answer)) in all.iter().zip(&answers).enumerate() {
        let Ok(refusal) = answer else {
            unsure += 1;
            eprintln!("{}: left out, {answer:?}", case.label);
            continue;
        };
        refused += usize::from(refusal.is_some());
        wrong.extend(disagreement(case, refusal.as_deref()));
        if index >= written {
            let message = refusal
                .as_deref()
                .unwrap_or("accepted")
                .replace(['\t', '\n'], " ");
            let seed = seeds.start + (index - written) as u64;
            let short: String = message.chars().take(90).collect();
            writeln!(kept, "{seed}\t{}\t{short}", fingerprint(case)).expect("a string");
        }
    }
    if keep {
        fs::write(corpus("generated.txt"), kept).expect("corpus/verdicts is writable");
    }
    eprintln!(
        "verdicts: builder {version}, {} files, {refused} refused, {unsure} left out",
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

/// Asks for all, a few at a time.
fn ask_all(all: &[Case]) -> Vec<Result<Option<String>, String>> {
    let lanes = 4;
    let run = |lane: usize| {
        let folder = tempfile::tempdir().expect("a folder");
        let own = all.iter().skip(lane).step_by(lanes);
        own.map(|case| ask(case, folder.path())).collect::<Vec<_>>()
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

const HEADS: [&str; 12] = [
    "",
    "",
    "",
    "",
    "ARG B=busybase\n",
    "ARG B=busybase P=linux/amd64\n",
    "# escape=`\n",
    "# check=skip=all\n",
    "# note\n\n",
    "# escape=\\\n# check=error=false\n",
    "\u{feff}",
    "ARG V\nARG W=${V:-x}\n",
];

const FROMS: [&str; 14] = [
    "FROM busybase",
    "FROM busybase AS one",
    "FROM busybase as Two",
    "FROM scratch AS one",
    "from busybase",
    "FROM --platform=linux/amd64 busybase AS one",
    "FROM one",
    "FROM one AS two",
    "FROM ${B:-busybase}",
    "FROM --platform=${P:-linux/amd64} busybase",
    "FROM $B AS one",
    "FROM busybase AS a.b-c_1",
    "FROM Two",
    "FROM two AS one",
];

const LINES: [&str; 74] = [
    "RUN true",
    "RUN [\"true\", \"x\"]",
    "RUN --network=none true",
    "RUN --mount=type=cache,target=/c true",
    "RUN --mount=from=one,target=/m ls",
    "RUN --mount=type=bind,source=a,target=/b,rw x",
    "RUN --mount=type=secret,id=s,required=true x",
    "RUN --mount=type=tmpfs,target=/t,size=1m x",
    "RUN --mount=type=ssh x",
    "RUN <<E\ntrue\nE",
    "RUN cat <<A <<-'B'\na\nA\n\tb\n\tB",
    "RUN a && \\\n  b",
    "RUN a \\\n# c\n\n  b",
    "RUN echo \"it's\" $((1 << 2))",
    "RUN",
    "RUN []",
    "COPY a b",
    "COPY a b c/",
    "COPY [\"a b\", \"c\"]",
    "COPY --from=one a b",
    "COPY --from=0 a b",
    "COPY --from=busybase a b",
    "COPY --from=ONE a b",
    "COPY --from=1 a b",
    "COPY --from=+0 a b",
    "COPY --from=-1 a b",
    "COPY --link --chown=1:2 a b",
    "COPY --chmod=755 a b",
    "COPY --chmod=u+x,g-w a b",
    "COPY --chmod=$M a b",
    "COPY --link=false a b",
    "COPY --exclude=*.md --exclude=x a b",
    "COPY <<E <<F /d/\n$a\nE\nf\nF",
    "COPY <<-\"E\" x /d/\n\t${a\n\tE",
    "COPY ${a:-x} $b /d",
    "COPY <<E /d\n${a:-b} \\$x 'it\nE",
    "ADD a b",
    "ADD https://example.com/x.tgz /d",
    "ADD --checksum=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 https://example.com/x /d",
    "ADD --unpack=true a b",
    "ADD --keep-git-dir=true https://github.com/a/b.git#v1 /d",
    "ADD [\"a\", \"b\"]",
    "ENV a=1",
    "ENV a=1 b='2 3' c=\"$a\"",
    "ENV a b c",
    "ENV a=${b:-c} d=e\\ f",
    "ENV $a=1",
    "ARG a",
    "ARG a=1 b",
    "ARG a=${b:?no}",
    "ARG a='x y'",
    "ARG one=1 two=$one",
    "LABEL a=b",
    "LABEL \"a b\"=c d='e'",
    "LABEL a b",
    "WORKDIR /a",
    "WORKDIR $a/b",
    "USER 1:2",
    "USER ${u:-root}",
    "EXPOSE 80",
    "EXPOSE 80/tcp 1000-1002/udp $P",
    "EXPOSE 8080:80",
    "VOLUME /a /b",
    "VOLUME [\"/a\"]",
    "STOPSIGNAL SIGTERM",
    "STOPSIGNAL 9",
    "CMD x",
    "CMD [\"x\", \"y\"]",
    "ENTRYPOINT [\"x\"]",
    "SHELL [\"/bin/sh\", \"-c\"]",
    "HEALTHCHECK --interval=1m30s --retries=3 CMD x",
    "HEALTHCHECK NONE",
    "ONBUILD RUN x",
    "MAINTAINER me",
];

const PIECES: [&str; 40] = [
    "\"",
    "'",
    "\\",
    "`",
    "$",
    "${",
    "}",
    "${x",
    "${x:?no}",
    "${x:-",
    "<<E",
    "--",
    "--x",
    "--link",
    "--from=0",
    "--from=$a",
    "--mount=",
    "--network=",
    "--chmod=9",
    "--chown=",
    "--platform=",
    "=",
    "[",
    "]",
    ",",
    "\n",
    " ",
    "\t",
    "#",
    "\\\n",
    "\\\n\n",
    "\u{e9}",
    "/",
    "..",
    "0",
    "AS",
    "-",
    ":",
    "99999",
    "\u{a0}",
];

/// One small file: a stage or more of plausible lines, most with a fault or two.
fn generate(seed: u64) -> Case {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut text = random.pick(&HEADS).to_owned();
    for stage in 0..1 + random.below(3) {
        let from = if stage == 0 {
            random.pick(&FROMS[..6])
        } else {
            random.pick(&FROMS)
        };
        text += from;
        text += "\n";
        for _ in 0..random.below(4) {
            text += random.pick(&LINES);
            text += "\n";
        }
    }
    for _ in 0..random.below(4).min(2) {
        mutate(&mut text, &mut random);
    }
    let target = match random.below(12) {
        0 => Some(random.pick(&["one", "ONE", "two", "none", "0"]).to_owned()),
        _ => None,
    };
    Case {
        label: format!("seed {seed}"),
        text,
        target,
    }
}

/// A place between two characters, behind the first few.
fn place(text: &str, random: &mut Random) -> usize {
    let places: Vec<usize> = text
        .char_indices()
        .map(|c| c.0)
        .chain([text.len()])
        .collect();
    places[random.below(places.len())]
}

fn mutate(text: &mut String, random: &mut Random) {
    match random.below(8) {
        0..=2 => {
            let at = place(text, random);
            text.insert_str(at, random.pick(&PIECES));
        }
        3 => {
            let at = place(text, random);
            if at < text.len() {
                text.remove(at);
            }
        }
        4 => {
            // A word twice.
            let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
            let index = random.below(words.len());
            let twice = [&words[..=index], &words[index..]].concat().concat();
            *text = twice;
        }
        5 => {
            let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
            let index = random.below(words.len());
            let without = [&words[..index], &words[index + 1..]].concat().concat();
            *text = without;
        }
        6 => {
            let at = place(text, random);
            let line = text[at..].find('\n').map_or(text.len(), |n| at + n);
            text.insert_str(
                line,
                random.pick(&[" \\", " \"", " '", "=", " <<E", " ]", ", \"x\"]", "`", "\r"]),
            );
        }
        _ => {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let index = random.below(lines.len());
            let flag = random.pick(&[
                "--link ",
                "--x=1 ",
                "--network=host ",
                "--chown=$u ",
                "--from=one ",
                "--interval=1 ",
                "--platform=linux/arm64 ",
            ]);
            let changed = match lines[index].split_once(' ') {
                Some((keyword, rest)) => format!("{keyword} {flag}{rest}"),
                None => lines[index].to_lowercase(),
            };
            let out = [&lines[..index], &[changed.as_str()], &lines[index + 1..]]
                .concat()
                .concat();
            *text = out;
        }
    }
}
