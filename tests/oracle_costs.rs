//! What a real builder writes about its builds, in every format that is learned from.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the tests say so and pass (with `CACHEPLAN_REQUIRE_BUILDER=1`
//! they fail). Invariant: one build is written in all formats, so that they can be held against each other and against the builder's own total.

mod common;

use cacheplan::cost::learn::runs;
use cacheplan::cost::log::{Log, read_file};
use cacheplan::cost::overhead::{Overhead, Spent, spent};
use common::builder;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Seconds that steps sleep: what the builder does beside them is little of the whole.
const DOCKERFILE: &str = "FROM busybase\nWORKDIR /w\nCOPY src .\nARG WHAT=b\nRUN sleep 1.2 && cat a > $WHAT\nRUN --mount=type=cache,target=/c sleep 0.9\n\
                          RUN <<END\nsleep 0.7\necho c > c\nEND\nONBUILD RUN x\n";

/// Share of the total that a sum may be off by.
const MOST_OFF: f64 = 0.05;

fn context() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path();
    std::fs::create_dir(root.join("src")).expect("a folder");
    std::fs::write(
        root.join("src/a"),
        format!("{:?}\n", std::time::SystemTime::now()),
    )
    .expect("a file");
    std::fs::write(root.join("Dockerfile"), DOCKERFILE).expect("a file");
    dir
}

fn docker(dir: &Path, args: &[&str]) -> Output {
    let out = Command::new("docker")
        .args(args)
        .current_dir(dir)
        .output()
        .expect("docker starts");
    assert!(
        out.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    out
}

/// Builds without a cache; gives what it wrote to stderr, and the builder and the record of it.
fn build(dir: &Path, progress: &str) -> (Vec<u8>, String, String) {
    let progress = format!("--progress={progress}");
    let args = [
        "buildx",
        "build",
        "--no-cache",
        "--network=none",
        "--output=type=cacheonly",
        "--metadata-file=meta.json",
        &progress,
        ".",
    ];
    let out = docker(dir, &args);
    let meta: Value =
        serde_json::from_slice(&std::fs::read(dir.join("meta.json")).expect("metadata"))
            .expect("JSON");
    let reference = meta["buildx.build.ref"]
        .as_str()
        .expect("a record")
        .to_owned();
    let mut parts = reference.split('/').map(str::to_owned);
    let (builder, record) = (
        parts.next().expect("a builder"),
        parts.next_back().expect("a record"),
    );
    (out.stderr, builder, record)
}

/// Seconds of the whole build by the builder's own word.
fn total(dir: &Path, builder: &str, record: &str) -> f64 {
    let out = docker(
        dir,
        &[
            "buildx",
            "--builder",
            builder,
            "history",
            "inspect",
            record,
            "--format",
            "json",
        ],
    );
    let document: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    document["Duration"].as_f64().expect("a duration") / 1e9
}

fn only(bytes: &[u8]) -> Log {
    let mut logs =
        read_file(bytes).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(bytes)));
    assert_eq!(logs.len(), 1);
    logs.remove(0)
}

/// Seconds of all vertices, the builder's own among them: this build does one thing after the other.
fn sum(log: &Log) -> f64 {
    log.steps.iter().filter_map(|s| s.seconds).sum()
}

/// What ran. WORKDIR may have been cached, which `--no-cache` does not prevent.
fn texts(log: &Log) -> Vec<String> {
    let found = runs(log).into_iter().filter(|r| r.keyword != "WORKDIR");
    found
        .map(|r| format!("{} {} {}", r.keyword, r.text, r.mounted))
        .collect()
}

fn agrees(format: &str, log: &Log, total: f64) {
    let expected = [
        "COPY src . false",
        "RUN sleep 1.2 && cat a > b false",
        "RUN sleep 0.9 true",
        "RUN <<END (sleep 0.7...) false",
    ];
    assert_eq!(texts(log), expected, "{format}");
    let off = (sum(log) - total).abs() / total;
    assert!(
        off <= MOST_OFF,
        "{format}: {} of {total} s: {log:?}",
        sum(log)
    );
}

#[test]
fn every_format_says_what_the_builder_says() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let dir = context();
    let root = dir.path();
    let (plain, builder, record) = build(root, "plain");
    let seconds = total(root, &builder, &record);
    agrees("plain", &only(&plain), seconds);
    let stamped: String = String::from_utf8_lossy(&plain)
        .lines()
        .map(|l| format!("2026-01-02T10:00:00.1234567Z {l}\n"))
        .collect();
    agrees("plain with time stamps", &only(stamped.as_bytes()), seconds);
    let logs = |format: &str| {
        let out = docker(
            root,
            &[
                "buildx",
                "--builder",
                &builder,
                "history",
                "logs",
                "--progress",
                format,
                &record,
            ],
        );
        [out.stdout, out.stderr].concat()
    };
    agrees("history as plain", &only(&logs("plain")), seconds);
    agrees("history as rawjson", &only(&logs("rawjson")), seconds);
    docker(
        root,
        &[
            "buildx",
            "--builder",
            &builder,
            "history",
            "export",
            "-o",
            "one.dockerbuild",
            &record,
        ],
    );
    let exported = std::fs::read(root.join("one.dockerbuild")).expect("a record");
    agrees("record", &only(&exported), seconds);
    // What was sent, in both formats that tell bytes.
    let sent = |log: &Log| {
        let all = spent(log).into_iter();
        let sent: Vec<Spent> = all.filter(|s| s.kind == Overhead::Transfer).collect();
        assert!(
            matches!(&sent[..], [one] if one.bytes.is_some_and(|b| b > 0)),
            "{sent:?}"
        );
        sent
    };
    assert_eq!(sent(&only(&exported)), sent(&only(&logs("rawjson"))));
    let (trace, otlp) = traces(root, &builder, &record);
    agrees("trace as it is kept", &only(&trace), seconds);
    agrees("trace as OTLP", &only(&otlp), seconds);
    // What is cut off keeps what stands before; the end of the archive is its index.
    let raw = logs("rawjson");
    let whole = texts(&only(&raw)).len();
    for cut in [raw.len() - 1, raw.len() / 2, raw.len() / 4] {
        match read_file(&raw[..cut]) {
            Ok(logs) => assert!(texts(&logs[0]).len() <= whole),
            Err(e) => assert!(e.to_string().starts_with("line "), "{e}"),
        }
    }
    let cut = read_file(&exported[..exported.len() / 2]).expect_err("the index is missing");
    assert!(
        cut.to_string()
            .starts_with("this archive is no build record: "),
        "{cut}"
    );
    // Two builds in one file.
    let (raw, builder, record) = build(root, "rawjson");
    agrees("rawjson", &only(&raw), total(root, &builder, &record));
    for two in [[&plain[..], &plain].concat(), [&raw[..], &raw].concat()] {
        let logs = read_file(&two).expect("reads");
        assert_eq!(logs.len(), 2);
        assert_eq!(texts(&logs[0]), texts(&logs[1]));
    }
}

/// The trace of a record, and the same as OTLP has it. The builder keeps it some seconds after the build.
fn traces(root: &Path, builder: &str, record: &str) -> (Vec<u8>, Vec<u8>) {
    let find = |n: u32| {
        let (archive, folder) = (format!("{n}.dockerbuild"), format!("unpacked-{n}"));
        docker(
            root,
            &[
                "buildx",
                "--builder",
                builder,
                "history",
                "export",
                "-o",
                &archive,
                record,
            ],
        );
        std::fs::create_dir(root.join(&folder)).expect("a folder");
        let tar = Command::new("tar")
            .args(["-xzf", &archive, "-C", &folder])
            .current_dir(root)
            .status();
        assert!(tar.expect("tar").success());
        let blobs = std::fs::read_dir(root.join(&folder).join("blobs/sha256")).expect("blobs");
        let paths: Vec<PathBuf> = blobs.map(|b| b.expect("a blob").path()).collect();
        let mut contents = paths.iter().map(|p| std::fs::read(p).expect("a blob"));
        let found = contents.find(|b| b.starts_with(b"{\n  \"Name\""));
        if found.is_none() {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        found
    };
    let trace = (0..30).find_map(find).expect("a trace");
    let spans = serde_json::Deserializer::from_slice(&trace).into_iter::<Value>();
    let nanos = |v: &Value| {
        let text = v.as_str().expect("a time");
        let out = Command::new("date")
            .args(["-u", "-d", text, "+%s%N"])
            .output()
            .expect("date");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    };
    let span = |v: Value| {
        let attributes = v["Attributes"].as_array().cloned().unwrap_or_default();
        let attributes: Vec<Value> = attributes
            .iter()
            .map(|a| serde_json::json!({"key": a["Key"], "value": {"stringValue": a["Value"]["Value"]}}))
            .collect();
        serde_json::json!({"name": v["Name"], "startTimeUnixNano": nanos(&v["StartTime"]), "endTimeUnixNano": nanos(&v["EndTime"]), "attributes": attributes})
    };
    let spans: Vec<Value> = spans.map(|s| span(s.expect("a span"))).collect();
    let otlp = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    (trace, otlp.to_string().into_bytes())
}

#[test]
fn a_recorded_build_shows_its_own_progress_and_teaches() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let dir = context();
    let record = |more: &[&str]| {
        let build = [
            "docker",
            "buildx",
            "build",
            "--network=none",
            "--output=type=cacheonly",
            "--progress=plain",
        ];
        Command::new(env!("CARGO_BIN_EXE_cacheplan"))
            .args(["record", "--"])
            .args(build)
            .args(more)
            .arg(".")
            .current_dir(dir.path())
            .output()
            .expect("the program starts")
    };
    let out = record(&["--no-cache"]);
    let (told, progress) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    assert_eq!(out.status.code(), Some(0), "{progress}");
    assert!(
        progress.contains("RUN sleep 1.2") && progress.contains("DONE"),
        "{progress}"
    );
    assert!(told.starts_with("this build (rawjson): "), "{told}");
    let costs =
        std::fs::read_to_string(dir.path().join("cacheplan.costs.json")).expect("a costs file");
    assert!(
        costs.contains("\"text\":\"sleep 1.2 && cat a > b\""),
        "{costs}"
    );
    // A file of the user's own for the metadata is used, and kept.
    let out = record(&["--metadata-file=mine.json"]);
    assert_eq!(out.status.code(), Some(0));
    assert!(
        String::from_utf8_lossy(&out.stdout).contains(": 0 steps ran, "),
        "{}",
        String::from_utf8_lossy(&out.stdout)
    );
    assert!(dir.path().join("mine.json").exists());
    // A build that fails fails.
    std::fs::write(dir.path().join("Dockerfile"), "FROM busybase\nRUN false\n").expect("a file");
    let out = record(&[]);
    assert_eq!(out.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&out.stderr)
            .contains("nothing is learned from a build that failed")
    );
}
