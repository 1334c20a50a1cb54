//! Layers as they are worked out against `docker history`.
//!
//! In: the images of `corpus/layers/cases.txt`, each built twice: what the history says of the first build is learned, that of the second is foreseen:
//! COPY, ADD and WORKDIR to the byte, RUN within [`MOST_OFF`]. Answers are kept in `corpus/layers`, one file for each store, and every run checks
//! them without a builder. Live: the `docker` on PATH, and the daemons that `CACHEPLAN_OVERLAY2_HOST` and `CACHEPLAN_EXT4_HOST` name (the overlay2
//! graph driver; a containerd store on ext4); where there is none the tests say so and pass. `CACHEPLAN_KEEP_ANSWERS=1` writes the answers anew,
//! `CACHEPLAN_LAYERS_CASE` chooses cases by name.

mod common;

use common::builder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Share that the figure of a RUN may be off by.
const MOST_OFF: f64 = 0.05;

/// Copies of what a RUN or another image holds.
const LEARNED: [&str; 3] = ["COPY /big", "COPY /bin/busybox", "COPY /app/out"];

/// A store: profile, file system, and the variable that names its daemon.
const STORES: [(&str, &str, &str); 3] = [
    ("buildkit", "tmpfs", ""),
    ("buildkit-overlay2", "", "CACHEPLAN_OVERLAY2_HOST"),
    ("buildkit", "ext4", "CACHEPLAN_EXT4_HOST"),
];

/// One image, built twice.
struct Case {
    name: String,
    /// Sections by name.
    parts: BTreeMap<String, String>,
}

/// A layer's size and what it was made by.
type Said = (u64, String);

fn cases() -> Vec<Case> {
    let text = include_str!("../corpus/layers/cases.txt");
    let wanted = std::env::var("CACHEPLAN_LAYERS_CASE").unwrap_or_default();
    let case = |part: &str| {
        let (name, rest) = part.split_once('\n').expect("a name");
        let part = |section: &str| {
            let (head, body) = section.split_once('\n').unwrap_or((section, ""));
            (head.trim().to_owned(), body.to_owned())
        };
        Case {
            name: name.trim().to_owned(),
            parts: format!("\n{rest}")
                .split("\n-- ")
                .skip(1)
                .map(part)
                .collect(),
        }
    };
    let all = text.split("\n== ").skip(1).map(case);
    all.filter(|c| c.name.contains(&wanted)).collect()
}

/// Bytes that no other file has.
fn content(path: &str, size: usize) -> Vec<u8> {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in path.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// A tar of a folder, compressed where its name says so.
fn archive(root: &Path, name: &str, folder: &str) {
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    tar.append_dir_all(".", root.join(folder)).expect("a tar");
    let bytes = tar.into_inner().expect("a tar");
    let file = std::fs::File::create(root.join(name)).expect("a file");
    match name.ends_with(".gz") {
        true => flate2::write::GzEncoder::new(file, flate2::Compression::fast())
            .write_all(&bytes)
            .expect("written"),
        false => (&file).write_all(&bytes).expect("written"),
    }
}

/// Writes files as a section says.
fn write(root: &Path, section: &str) {
    let mut archives = Vec::new();
    for line in section.lines().filter(|l| !l.trim().is_empty()) {
        let made = |path: &str| {
            let full = root.join(path);
            std::fs::create_dir_all(full.parent().expect("a folder")).expect("a folder");
            // Another name of a file must not get its new content.
            if full.symlink_metadata().is_ok_and(|m| !m.is_dir()) {
                std::fs::remove_file(&full).expect("removed");
            }
            full
        };
        if let Some((path, target)) = line.split_once(" -> ") {
            std::os::unix::fs::symlink(target, made(path)).expect("a link");
        } else if let Some((path, text)) = line.split_once(" = text ") {
            std::fs::write(made(path), text.replace("\\n", "\n")).expect("a file");
        } else if let Some((path, other)) = line.split_once(" = ") {
            std::fs::hard_link(root.join(other), made(path)).expect("a name");
        } else if let Some((path, folder)) = line.split_once(" < ") {
            archives.push((path, folder));
        } else if let Some(folder) = line.strip_suffix('/') {
            std::fs::create_dir_all(root.join(folder)).expect("a folder");
        } else {
            let (path, size) = line.rsplit_once(' ').expect("a size");
            let bytes = content(path, size.parse().expect("a size"));
            std::fs::write(made(path), bytes).expect("a file");
        }
    }
    for (name, folder) in archives {
        archive(root, name, folder);
    }
}

impl Case {
    fn part(&self, name: &str) -> &str {
        self.parts.get(name).map_or("", String::as_str)
    }

    /// Makes the context of the first or the second build.
    fn lay(&self, root: &Path, second: bool) {
        let first = self.part("Dockerfile");
        let dockerfile = match second {
            true => self.parts.get("Dockerfile 2").map_or(first, String::as_str),
            false => first,
        };
        std::fs::write(root.join("Dockerfile"), format!("{dockerfile}\n")).expect("a file");
        write(root, self.part("files"));
        if second {
            write(root, self.part("files 2"));
            // Archives hold what is there now.
            let archives = self.part("files").lines().filter(|l| l.contains(" < "));
            archives.for_each(|l| write(root, l));
        }
    }
}

fn docker(host: Option<&str>, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("docker");
    if let Some(host) = host {
        command.env("DOCKER_HOST", host);
    }
    let out = command.args(args).output().map_err(|e| e.to_string())?;
    match out.status.success() {
        true => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
    }
}

/// Builds, and asks for the history: layers of steps, first to last.
fn built(host: Option<&str>, root: &Path) -> Result<Vec<Said>, String> {
    let tag = format!("cacheplan-layers:{}", std::process::id());
    let context = root.to_string_lossy().into_owned();
    let build = ["build", "--network=none", "-q", "-t", &tag, &context];
    docker(host, &build)?;
    let history = [
        "history",
        "--human=false",
        "--no-trunc",
        "--format",
        "json",
        &tag,
    ];
    let text = docker(host, &history);
    // The cache stays; the image's name must go.
    docker(host, &["image", "rm", "-f", &tag])?;
    let mut said = Vec::new();
    for line in text?.lines() {
        let row: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let by = row["CreatedBy"].as_str().unwrap_or_default().to_owned();
        let size = row["Size"].as_str().and_then(|s| s.parse().ok());
        if matches!(
            by.split(' ').next(),
            Some("RUN" | "COPY" | "ADD" | "WORKDIR")
        ) {
            said.push((size.ok_or("a size that is none")?, by));
        }
    }
    said.reverse();
    Ok(said)
}

fn cacheplan(root: &Path, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(args)
        .arg("--quiet")
        .current_dir(root)
        .env("CACHEPLAN_CACHE_DIR", "none")
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{args:?}: {errors}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Counts of a comparison, and what was wrong.
#[derive(Default)]
struct Total {
    images: usize,
    exact: usize,
    learned: usize,
    learned_exact: usize,
    worst: f64,
    wrong: Vec<String>,
}

/// Learns from the first history and holds what is foreseen against the second.
fn compare(store: (&str, &str), case: &Case, first: &[Said], second: &[Said], total: &mut Total) {
    let dir = tempfile::tempdir().expect("a folder");
    let (root, beside) = (dir.path().join("context"), dir.path());
    std::fs::create_dir(&root).expect("a folder");
    let (profile, disk) = store;
    for (build, said) in [(false, first), (true, second)] {
        total.images += 1;
        case.lay(&root, build);
        let mut lines = String::new();
        for (size, by) in first.iter().rev() {
            let row = serde_json::json!({"CreatedBy": by, "Size": size.to_string()});
            let _ = writeln!(lines, "{row}");
        }
        std::fs::write(beside.join("history.json"), lines).expect("a file");
        cacheplan(beside, &["calibrate", "history.json", "-o", "costs.json"]);
        let mut args = vec![
            "layers",
            "context",
            "--format",
            "json",
            "--builder-profile",
            profile,
        ];
        args.extend(["--costs", "../costs.json"]);
        if !disk.is_empty() {
            args.extend(["--disk", disk]);
        }
        let document: Value = serde_json::from_str(&cacheplan(beside, &args)).expect("JSON");
        let layers = document["layers"].as_array().expect("layers");
        let label = format!(
            "{} {disk}, {}, build {}",
            profile,
            case.name,
            u8::from(build) + 1
        );
        if layers.len() != said.len() {
            let found = layers.len();
            total
                .wrong
                .push(format!("{label}: {found} layers, {} built", said.len()));
            continue;
        }
        for (layer, (size, by)) in layers.iter().zip(said) {
            let bytes = layer["bytes"].as_u64();
            let off = bytes.map(|b| b.abs_diff(*size));
            let share = off.map_or(1.0, |o| o as f64 / (*size).max(1) as f64);
            let source = layer["bytes_source"].as_str().unwrap_or_default();
            // Files that a RUN made, or another image has, are learned wherever they are copied from.
            let learned = by.starts_with("RUN") || LEARNED.iter().any(|l| by.starts_with(l));
            let fits = match learned {
                true => {
                    // What was learned from is no proof.
                    total.learned += usize::from(build);
                    total.learned_exact += usize::from(build && off == Some(0));
                    total.worst = total.worst.max(share);
                    share <= MOST_OFF
                }
                false => {
                    total.exact += usize::from(off == Some(0));
                    off == Some(0) && source == "context"
                }
            };
            if !fits {
                total.wrong.push(format!(
                    "{label}: {bytes:?} ({source}) for {size} of {by:?}"
                ));
            }
        }
    }
}

fn finish(what: &str, total: &Total) {
    eprintln!(
        "{what}: {} images; {} COPY, ADD and WORKDIR layers to the byte; {} learned layers, {} to the byte, the worst {:.1} % off; {} wrong",
        total.images,
        total.exact,
        total.learned,
        total.learned_exact,
        total.worst * 100.0,
        total.wrong.len()
    );
    assert!(total.wrong.is_empty(), "{}", total.wrong.join("\n"));
}

fn kept(store: (&str, &str)) -> PathBuf {
    let name = match store.1 {
        "ext4" => "buildkit-ext4".to_owned(),
        _ => store.0.to_owned(),
    };
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/layers")
        .join(format!("{name}.txt"))
}

/// Answers as they are kept: a line a layer, `SIZE "CREATED BY"`, first and second build parted by an empty line.
fn written(said: &[Said]) -> String {
    let line = |(size, by): &Said| format!("{size} {}\n", Value::from(by.as_str()));
    said.iter().map(line).collect()
}

fn read(text: &str) -> Vec<Said> {
    let one = |line: &str| {
        let (size, by) = line.split_once(' ').expect("a size");
        let by: String = serde_json::from_str(by).expect("a text");
        (size.parse().expect("a size"), by)
    };
    text.lines().filter(|l| !l.is_empty()).map(one).collect()
}

#[test]
fn layers_equal_kept_histories() {
    if builder::is_on("CACHEPLAN_KEEP_ANSWERS") {
        return eprintln!("skipped: the answers are being written");
    }
    let all = cases();
    for (profile, disk, _) in STORES {
        let store = (profile, disk);
        let text = std::fs::read_to_string(kept(store)).expect("corpus/layers");
        let answers: BTreeMap<&str, &str> = text
            .split("\n== ")
            .skip(1)
            .filter_map(|p| p.split_once('\n'))
            .collect();
        let mut total = Total::default();
        for case in &all {
            let answer = answers.get(case.name.as_str());
            let answer = answer.unwrap_or_else(|| panic!("no answer for {}", case.name));
            let (first, second) = answer.split_once("\n\n").expect("two builds");
            compare(store, case, &read(first), &read(second), &mut total);
        }
        finish(&format!("{profile} {disk}, kept"), &total);
        assert!(
            total.images >= 40 || all.len() < 20,
            "only {} images",
            total.images
        );
    }
}

#[test]
fn layers_equal_a_real_builder() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let keep = builder::is_on("CACHEPLAN_KEEP_ANSWERS");
    for (profile, disk, variable) in STORES {
        let host = match variable {
            "" => None,
            name => match std::env::var(name) {
                Ok(host) => Some(host),
                Err(_) => {
                    eprintln!("skipped: {name} names no daemon");
                    continue;
                }
            },
        };
        let host = host.as_deref();
        // The daemon on PATH may have another store.
        let driver =
            docker(host, &["info", "--format", "{{json .DriverStatus}}"]).expect("a daemon");
        if driver.contains("io.containerd.snapshotter") != (profile == "buildkit") {
            eprintln!("skipped: the daemon's store is not that of {profile}");
            continue;
        }
        let mut text = format!("Sizes of layers by `docker history`, {profile} {disk}.\n");
        let mut total = Total::default();
        for case in cases() {
            let dir = tempfile::tempdir().expect("a folder");
            let build = |second: bool| {
                case.lay(dir.path(), second);
                built(host, dir.path()).unwrap_or_else(|e| panic!("{}: {e}", case.name))
            };
            let (first, second) = (build(false), build(true));
            let _ = write!(
                text,
                "\n== {}\n{}\n{}",
                case.name,
                written(&first),
                written(&second)
            );
            // Without a figure of its own the file system below is told by the sizes.
            compare((profile, disk), &case, &first, &second, &mut total);
        }
        if keep {
            std::fs::write(kept((profile, disk)), &text).expect("writable");
            total.wrong.iter().for_each(|w| eprintln!("{w}"));
            continue;
        }
        finish(&format!("{profile} {disk}, live"), &total);
    }
}
