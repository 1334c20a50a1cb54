//! Fixes of rules on a real builder.
//!
//! Every case `corpus/rules/RULE/found-…` with an empty file `BUILDABLE` is built as it is, and again after each fix of its own rule, without a
//! network. Each base image is stood in for by one made of `tests/tools`: a busybox with scripts for the package managers and other tools, which
//! fail where the real ones fail. Of `base-variant` and `jdk-base`, whose other image is stood in for too, that tries the line alone. The fixed one
//! has to build, the last stage and the stage that is fixed; where the fix calls itself proven, its files and its configuration have to be those of
//! the original. Costs two builds of a tiny Dockerfile a finding. Where there is no builder the test says so and passes.

#[path = "common/cases.rs"]
mod cases;
mod common;

use cacheplan::verify::{Builder as _, Docker, Field, Made, Request, compare_files, shown};
use cases::*;
use common::builder;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The image that stands in for every other.
const TOOLS: &str = "cacheplan-test-tools";

/// What a rule finds in a folder and can fix.
fn fixes(dir: &Path, rule: &str) -> Vec<Value> {
    let mut all = findings(&check(dir));
    all.retain(|f| f["rule"] == rule && f["fix"].is_object());
    all
}

fn apply(dir: &Path, fix: &Value) {
    let mut edits: Vec<&Value> = fix["edits"].as_array().expect("edits").iter().collect();
    // From the end, so that the places before stay what they are.
    edits.sort_by_key(|e| std::cmp::Reverse((number(&e["start"]), number(&e["end"]))));
    for edit in edits {
        let path = dir.join(edit["file"].as_str().expect("a file"));
        let mut bytes = std::fs::read(&path).unwrap_or_default();
        let text = edit["text"].as_str().expect("text").bytes();
        bytes.splice(number(&edit["start"])..number(&edit["end"]), text);
        std::fs::write(&path, bytes).expect("written");
    }
}

/// Whether a path of the image ends as a file that is edited.
fn is_edited(fix: &Value, path: &str) -> bool {
    let mut edits = fix["edits"].as_array().expect("edits").iter();
    edits.any(|e| path.ends_with(&format!("/{}", e["file"].as_str().expect("a file"))))
}

/// The FROM lines of a Dockerfile with what continues them, and where each starts.
fn froms(dir: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(dir.join("Dockerfile")).expect("a Dockerfile");
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut at, mut open) = (0, false);
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        let starts = words
            .get(..5)
            .is_some_and(|w| w.eq_ignore_ascii_case("from "));
        if starts && !open {
            found.push((at, String::new()));
        }
        if let Some((_, from)) = found.last_mut().filter(|_| starts || open) {
            from.push_str(words.trim_end_matches(['\\', '`']));
        }
        open = (starts || open) && words.ends_with(['\\', '`']);
        at += line.len();
    }
    found
}

/// Where the stage ends that a fix edits, if another follows it.
fn stage_end(dir: &Path, fix: &Value) -> Option<usize> {
    let edit = &fix["edits"][0];
    let own = edit["file"] == "Dockerfile";
    let next = froms(dir).into_iter().map(|(at, _)| at);
    let mut next = next.filter(|at| own && *at > number(&edit["start"]));
    next.next()
}

/// The images that a folder's Dockerfile starts from.
fn images(dir: &Path) -> BTreeSet<String> {
    let (mut images, mut stages) = (BTreeSet::new(), BTreeSet::new());
    for (_, from) in froms(dir) {
        let words: Vec<&str> = from.split_whitespace().skip(1).collect();
        let image = words.iter().find(|w| !w.starts_with("--"));
        let image = (*image.expect("an image")).to_owned();
        if !stages.contains(&image.to_lowercase()) && image != "busybase" && image != "scratch" {
            images.insert(image);
        }
        stages.extend(words.last().map(|w| w.to_lowercase()));
    }
    images
}

/// Builds a folder's Dockerfile, or what of it stands before a place, into an archive.
fn build(dir: &Path, end: Option<usize>, dest: &Path) -> Result<(), String> {
    let path = dir.join("Dockerfile");
    let whole = std::fs::read(&path).expect("a Dockerfile");
    std::fs::write(&path, &whole[..end.unwrap_or(whole.len())]).expect("written");
    let other = |image: String| format!("--build-context={image}=docker-image://{TOOLS}");
    let mut flags: Vec<String> = images(dir).into_iter().map(other).collect();
    flags.push("--network=none".to_owned());
    let request = Request {
        context: dir.to_owned(),
        dockerfile: path.clone(),
        flags,
        timeout: Duration::from_secs(60),
        ..Request::default()
    };
    let made = Docker.image(&request, dest);
    std::fs::write(&path, whole).expect("written");
    match made {
        Ok(Made::Image) => Ok(()),
        Ok(Made::Refused(why)) => Err(why),
        Err(e) => Err(e.to_string()),
    }
}

/// Makes a `# syntax` line a plain comment of the same length: its frontend can't be fetched.
fn without_frontend(dir: &Path) {
    let path = dir.join("Dockerfile");
    let text = std::fs::read_to_string(&path).expect("a Dockerfile");
    std::fs::write(&path, text.replace("# syntax=", "# syntax ")).expect("written");
}

fn make_tools() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    let mut docker = Command::new("docker");
    docker.args([
        "buildx",
        "build",
        "--network=none",
        "--load",
        "-q",
        "-t",
        TOOLS,
    ]);
    let out = docker.arg(&dir).output().expect("docker runs");
    assert!(out.status.success(), "{out:?}");
}

/// What differs between the archives `a` and `b` but for what is fixed.
fn differences(archives: &Path, fix: &Value) -> Vec<String> {
    let compared = compare_files(&archives.join("a"), &archives.join("b"));
    let mut found = Vec::new();
    for d in compared.expect("both images are read").differences {
        let path = shown(&d.path);
        // What is fixed may itself be copied in.
        if d.field == Field::Content && is_edited(fix, &path) {
            continue;
        }
        let (field, was, is) = (d.field.name(), d.original, d.plan);
        found.push(format!("{path}: {field}: {was} -> {is}"));
    }
    found
}

/// What is wrong with a fix of a case, after a build of all and one of the stages up to what is fixed.
fn tried(case: &Path, fix: &Value, archives: &Path) -> Vec<String> {
    let (original, fixed) = (copy(case), copy(case));
    let mut ends = vec![(None, None)];
    let old = stage_end(original.path(), fix);
    apply(fixed.path(), fix);
    ends.extend(old.map(|_| (old, stage_end(fixed.path(), fix))));
    without_frontend(original.path());
    without_frontend(fixed.path());
    let mut wrong = Vec::new();
    for (old, new) in ends {
        let proven = fix["safety"] == "proven";
        if let Err(why) = build(fixed.path(), new, &archives.join("b")) {
            wrong.push(format!("breaks the build: {why}"));
        } else if proven && let Err(why) = build(original.path(), old, &archives.join("a")) {
            wrong.push(format!("is of what does not build: {why}"));
        } else if proven {
            wrong.extend(differences(archives, fix));
        }
    }
    wrong
}

/// What is wrong with a case, and how many fixes it has.
fn case_tried(case: &Path, rule: &str) -> (Vec<String>, usize) {
    let archives = tempfile::tempdir().expect("a folder");
    let original = copy(case);
    let list = fixes(original.path(), rule);
    without_frontend(original.path());
    let place = &case.display();
    if let Err(why) = build(original.path(), None, &archives.path().join("a")) {
        return (vec![format!("{place}: it does not build: {why}")], 0);
    }
    if list.is_empty() {
        return (vec![format!("{place}: nothing is fixed in it")], 0);
    }
    let of_one = |f: &Value| {
        let line = f["line"].clone();
        let wrong = tried(case, &f["fix"], archives.path()).into_iter();
        wrong.map(move |w| format!("{place}: the fix of line {line} {w}"))
    };
    (list.iter().flat_map(of_one).collect(), list.len())
}

/// The cases to be built.
fn buildable() -> Vec<PathBuf> {
    let all = folders(&corpus()).into_iter().flat_map(|r| folders(&r));
    all.filter(|c| c.join("BUILDABLE").is_file()).collect()
}

fn rule_of(case: &Path) -> String {
    name(case.parent().expect("a rule"))
}

#[test]
fn every_fix_keeps_the_build_working() {
    if builder::version_or_skip().is_none() {
        return;
    }
    make_tools();
    let only = std::env::var("CACHEPLAN_RULE").ok();
    let mut cases = buildable();
    cases.retain(|c| only.as_ref().is_none_or(|o| *o == rule_of(c)));
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Vec::new(), 0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (wrong, fixes) = case_tried(case, &rule_of(case));
                    let mut found = found.lock().expect("no other one failed");
                    found.0.extend(wrong);
                    found.1 += fixes;
                }
            });
        }
    });
    let (wrong, fixes) = found.into_inner().expect("no thread failed");
    eprintln!("{} cases, {fixes} fixes", cases.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(only.is_some() || fixes > 0, "nothing was tried");
}

/// A rule that edits a Dockerfile, a script or an ignore file is tried on a builder, and so is each that calls a fix proven.
#[test]
fn every_rule_with_a_fix_has_a_case_to_build() {
    let mut missing = BTreeSet::new();
    let mut fixed = BTreeSet::new();
    for case in folders(&corpus()).iter().flat_map(|r| folders(r)) {
        let Ok(listing) = std::fs::read_to_string(case.join("findings.snap")) else {
            continue;
        };
        let built = case.join("BUILDABLE").is_file();
        let mut safety = "";
        for line in listing.lines() {
            safety = line.strip_prefix("  fix: ").unwrap_or(safety);
            let Some(file) = line.strip_prefix("    --- a/") else {
                continue;
            };
            let elsewhere = file.ends_with(".yml") || file.ends_with(".yaml");
            if !elsewhere && !file.ends_with(".hcl") && !file.ends_with(".json") {
                for of in ["any", safety]
                    .into_iter()
                    .filter(|o| ["any", "proven"].contains(o))
                {
                    let fix = (rule_of(&case), of.to_owned());
                    if built {
                        missing.remove(&fix);
                        fixed.insert(fix);
                    } else if !fixed.contains(&fix) {
                        missing.insert(fix);
                    }
                }
            }
        }
    }
    assert!(missing.is_empty(), "without a case to build: {missing:?}");
}
