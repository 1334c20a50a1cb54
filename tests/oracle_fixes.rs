//! Fixes of rules on a real builder.
//!
//! Every case `corpus/rules/RULE/found-…` with an empty file `BUILDABLE` is built as it is, and again after each fix of its own rule, on local base
//! images and without a network. The fixed one has to build; where the fix calls itself proven, its files and its configuration have to be those of
//! the original. Costs two builds of a tiny Dockerfile a finding. Where there is no builder the test says so and passes.

mod common;

use cacheplan::verify::{Builder as _, Docker, Field, Made, Request, compare_files, shown};
use common::builder;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let mut out: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    out.retain(|p| p.is_dir());
    out.sort();
    out
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        if ["findings.snap", "GIT", "BUILDABLE"].contains(&name) {
            continue;
        }
        let target = match name.strip_prefix("dot-") {
            Some(rest) => to.join(format!(".{rest}")),
            None => to.join(name),
        };
        if path.is_dir() {
            std::fs::create_dir_all(&target).expect("a folder");
            copy_into(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

fn copy(case: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    copy_into(case, dir.path());
    dir
}

/// What a rule finds in a folder and can fix.
fn fixes(dir: &Path, rule: &str) -> Vec<Value> {
    let out = tempfile::NamedTempFile::new().expect("a file");
    let words = "cacheplan check --all --quiet --format json --today 2026-11-01 -o";
    let mut words: Vec<std::ffi::OsString> = words.split(' ').map(Into::into).collect();
    words.extend([out.path().into(), dir.into()]);
    let code = cacheplan::cli::run_from(words);
    assert!(code == 0 || code == 2, "{}: {code}", dir.display());
    let text = std::fs::read(out.path()).expect("the document");
    let document: Value = serde_json::from_slice(&text).expect("JSON");
    let files = document["files"].as_array().expect("files").iter();
    let all = files.flat_map(|f| f["findings"].as_array().expect("findings"));
    let own = all.filter(|f| f["rule"] == rule && f["fix"].is_object());
    own.cloned().collect()
}

fn apply(dir: &Path, fix: &Value) {
    let number = |v: &Value| usize::try_from(v.as_u64().expect("a number")).expect("a place");
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

/// Builds a folder's Dockerfile into an archive.
fn build(dir: &Path, dest: &Path) -> Result<(), String> {
    let request = Request {
        context: dir.to_owned(),
        dockerfile: dir.join("Dockerfile"),
        flags: vec!["--network=none".to_owned()],
        timeout: Duration::from_secs(60),
        ..Request::default()
    };
    match Docker.image(&request, dest) {
        Ok(Made::Image) => Ok(()),
        Ok(Made::Refused(why)) => Err(why),
        Err(e) => Err(e.to_string()),
    }
}

#[test]
fn every_fix_keeps_the_build_working() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let only = std::env::var("CACHEPLAN_RULE").ok();
    let archives = tempfile::tempdir().expect("a folder");
    let (a, b) = (archives.path().join("a"), archives.path().join("b"));
    let mut wrong = Vec::new();
    let (mut cases, mut tried, mut proven) = (0, 0, 0);
    for rule in folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/rules")) {
        let name = rule.file_name().and_then(|n| n.to_str()).expect("a name");
        if only.as_ref().is_some_and(|o| o != name) {
            continue;
        }
        for case in folders(&rule) {
            if !case.join("BUILDABLE").is_file() {
                continue;
            }
            cases += 1;
            let original = copy(&case);
            if let Err(why) = build(original.path(), &a) {
                wrong.push(format!("{}: it does not build: {why}", case.display()));
                continue;
            }
            let list = fixes(original.path(), name);
            if list.is_empty() {
                wrong.push(format!("{}: nothing is fixed in it", case.display()));
            }
            for finding in list {
                let fixed = copy(&case);
                apply(fixed.path(), &finding["fix"]);
                tried += 1;
                let place = format!("{}: the fix of line {}", case.display(), finding["line"]);
                if let Err(why) = build(fixed.path(), &b) {
                    wrong.push(format!("{place} breaks the build: {why}"));
                    continue;
                }
                if finding["fix"]["safety"] != "proven" {
                    continue;
                }
                proven += 1;
                let compared = compare_files(&a, &b).expect("both images are read");
                for d in compared.differences {
                    let path = shown(&d.path);
                    // What is fixed may itself be copied in.
                    if d.field == Field::Content && is_edited(&finding["fix"], &path) {
                        continue;
                    }
                    let (field, was, is) = (d.field.name(), d.original, d.plan);
                    wrong.push(format!("{place}: {path}: {field}: {was} -> {is}"));
                }
            }
        }
    }
    eprintln!("{cases} cases, {tried} fixes, {proven} of them proven");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(only.is_some() || tried > 0, "nothing was tried");
}
