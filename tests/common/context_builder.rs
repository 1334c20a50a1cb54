//! Builds over several contexts, and what is read out of the builder: files, content keys, errors.
//!
//! In: folders and a Dockerfile of one chain of steps. Out: the image as listing lines, the content keys out of the cache
//! export (a key K is there as the record sha256("K@-1")), and answers kept under `corpus`. Cost: 1 to 3 s a build.
//! Invariant: no two runs share a name of a context, since the builder keeps what it was sent under it.

use super::history;
use super::random_context::Copy;
use cacheplan::context::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Raised whenever the generator's output for a seed changes: kept answers must then be made again.
pub const GENERATOR: u32 = 1;

/// Copies of one named context, beside that of all of it.
pub const COPIES: usize = 3;

/// The same of a folder that the builder wrote.
pub fn listing_on_disk(folder: &Path) -> Vec<String> {
    fn visit(root: &Path, folder: &Path, out: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let full = entry.path();
            let path = full
                .strip_prefix(root)
                .expect("below")
                .to_string_lossy()
                .into_owned();
            let metadata = fs::symlink_metadata(&full).expect("metadata");
            let (file_type, mode) = (metadata.file_type(), metadata.mode() & 0o7777);
            let line = match file_type {
                t if t.is_dir() => format!("d {mode:o} {path}"),
                t if t.is_symlink() => {
                    let target = fs::read_link(&full).expect("a link");
                    format!("l {path} -> {}", target.display())
                }
                t if t.is_fifo() => format!("p {mode:o} {path}"),
                _ => format!("f {mode:o} {} {path}", metadata.len()),
            };
            out.push((path, line));
            if file_type.is_dir() {
                visit(root, &full, out);
            }
        }
    }
    let mut out = Vec::new();
    visit(folder, folder, &mut out);
    out.sort();
    out.into_iter().map(|(_, line)| line).collect()
}

/// The client tells contexts apart by the last element of their path, so that has to differ from run to run, too: under
/// a name used before, the builder would only look at what changed since.
pub fn context_folder(run: &str, i: usize) -> String {
    format!("{run}c{i}")
}

/// A COPY of one of the contexts into a folder of its own. The n-th COPY of a named context has a name of its own for it:
/// under one name the second transfer would meet what the first one left, be it of another folder in another build.
pub fn instruction(run: &str, context: usize, n: usize, copy: &Copy, dest: &str) -> String {
    let mut line = "COPY".to_owned();
    if context > 0 {
        let _ = write!(line, " --from={run}c{context}n{n}");
    }
    for exclude in &copy.excludes {
        let _ = write!(line, " --exclude={exclude}");
    }
    let mut words = copy.sources.clone();
    words.push(format!("{dest}/"));
    line + " " + &serde_json::to_string(&words).expect("text") + "\n"
}

/// Builds with the main context `c0` and the others by name; the image and the exported cache land in `out` and `cache`.
/// Its only error text is the last part of what the builder says.
pub fn build(run: &str, folder: &Path, contexts: usize, dockerfile: &str) -> Result<(), String> {
    fs::write(folder.join("Dockerfile"), dockerfile).map_err(|e| e.to_string())?;
    let at = |name: &str| folder.join(name).display().to_string();
    let mut docker = Command::new("docker");
    docker.args([
        "buildx",
        "build",
        "--network=none",
        "--provenance=false",
        "--progress=plain",
    ]);
    docker.args(["-f", &at("Dockerfile")]);
    docker.args(["--output", &format!("type=local,dest={}", at("out"))]);
    docker.args([
        "--cache-to",
        &format!("type=local,dest={},mode=max", at("cache")),
    ]);
    for i in 1..contexts {
        let named = |n: &usize| dockerfile.contains(&format!("{run}c{i}n{n} "));
        for n in (0..=COPIES).filter(named) {
            docker.args([
                "--build-context",
                &format!("{run}c{i}n{n}={}", at(&context_folder(run, i))),
            ]);
        }
    }
    docker
        .arg(at(&context_folder(run, 0)))
        .env_remove("SOURCE_DATE_EPOCH");
    let said = history::output_of(&mut docker).map(drop);
    said.map_err(|why| why.rsplit("------\n").next().unwrap_or_default().to_owned())
}

/// The record digests of the content keys along a chain of copies, in order.
pub fn exported_keys(cache: &Path) -> Vec<String> {
    let json = |path: PathBuf| -> Value {
        serde_json::from_slice(&fs::read(path).expect("a blob")).expect("JSON")
    };
    let blob = |digest: &Value| {
        let hex = digest
            .as_str()
            .and_then(|d| d.strip_prefix("sha256:"))
            .expect("a digest");
        json(cache.join("blobs/sha256").join(hex))
    };
    let index = json(cache.join("index.json"));
    let manifest = blob(&index["manifests"][0]["digest"]);
    let config = blob(&manifest["config"]["digest"]);
    let records = config["records"].as_array().expect("records");
    let links = |slot: &Value| -> Vec<usize> {
        let all = slot.as_array().into_iter().flatten();
        all.map(|l| {
            l["link"]
                .as_u64()
                .map_or(0, |n| usize::try_from(n).expect("an index"))
        })
        .collect()
    };
    let is_root = |i: &usize| records[*i]["inputs"].is_null();
    let slots = |i: usize| -> Vec<Vec<usize>> {
        records[i]["inputs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(links)
            .collect()
    };
    let mut out = Vec::new();
    let mut current: Option<usize> = None;
    loop {
        let next = (0..records.len())
            .filter(|i| !is_root(i))
            .find(|i| match current {
                None => slots(*i).iter().flatten().all(is_root),
                Some(c) => slots(*i).first().is_some_and(|s| s.contains(&c)),
            });
        let Some(next) = next else { break };
        let all = slots(next);
        let content = all.last().expect("a source");
        assert_eq!(content.len(), 1, "several content keys at one step");
        out.push(
            records[content[0]]["digest"]
                .as_str()
                .expect("a digest")
                .to_owned(),
        );
        current = Some(next);
    }
    out
}

/// What is kept of one build.
#[derive(Serialize, Deserialize)]
pub struct Kept<T> {
    pub seed: u64,
    pub generator: u32,
    pub fingerprint: String,
    pub builder: String,
    pub answers: Vec<T>,
}

pub fn kept_file(folder: &str, seed: u64) -> PathBuf {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    corpus.join(folder).join(format!("seed-{seed:02}.json"))
}

pub fn keep<T: Serialize>(
    folder: &str,
    seed: u64,
    fingerprint: &str,
    builder: &str,
    answers: Vec<T>,
) {
    let kept = Kept {
        seed,
        generator: GENERATOR,
        fingerprint: fingerprint.to_owned(),
        builder: builder.to_owned(),
        answers,
    };
    let path = kept_file(folder, seed);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(
        path,
        serde_json::to_string_pretty(&kept).expect("JSON") + "\n",
    )
    .expect("written");
}

/// The start of the record digest of a key: 64 bits are plenty to tell.
pub fn short(record: &str) -> String {
    record
        .trim_start_matches("sha256:")
        .chars()
        .take(16)
        .collect()
}

pub fn record_of(key: &Digest) -> String {
    short(&Digest::of(format!("{key}@-1").as_bytes()).to_string())
}

/// What was kept of a build.
pub fn kept<T: for<'a> Deserialize<'a>>(folder: &str, seed: u64) -> Kept<T> {
    let path = kept_file(folder, seed);
    let text = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// A name that no earlier run had.
pub fn new_name() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("r{}", since.map_or(0, |n| n.as_nanos()))
}
