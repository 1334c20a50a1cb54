//! Every folder `corpus/rules/RULE/CASE`: what the rule finds in it, and what its fix makes of it.
//!
//! A case is a small project. In `found…` the rule finds something, in `clean…` it finds nothing, though it looks like it. What is found stands in
//! `findings.snap` beside the case, with the fix as a diff. A file `GIT` in a case makes it a repository: what its lines name is left untracked;
//! with a file `BUILDABLE`, `oracle_fixes.rs` builds it before and after its fixes.

#[path = "common/cases.rs"]
mod cases;

use cases::*;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// Applies the edits of one finding; gives a diff of every file.
fn apply(dir: &Path, fix: &Value) -> String {
    let mut out = String::new();
    let mut edits: Vec<&Value> = fix["edits"].as_array().expect("edits").iter().collect();
    edits.sort_by_key(|e| {
        (
            e["file"].as_str().map(str::to_owned),
            std::cmp::Reverse((number(&e["start"]), number(&e["end"]))),
        )
    });
    let mut before: Vec<(String, Vec<u8>)> = Vec::new();
    for edit in edits {
        let file = edit["file"].as_str().expect("a file").to_owned();
        let path = dir.join(&file);
        let mut bytes = std::fs::read(&path).unwrap_or_default();
        if before.last().is_none_or(|(f, _)| *f != file) {
            before.push((file, bytes.clone()));
        }
        let text = edit["text"].as_str().expect("text").bytes();
        bytes.splice(number(&edit["start"])..number(&edit["end"]), text);
        std::fs::write(&path, bytes).expect("written");
    }
    for (file, old) in before {
        let new = std::fs::read(dir.join(&file)).expect("there");
        out.push_str(&cacheplan::report::diff::unified(&old, &new, &file));
    }
    out
}

/// One finding as the snapshot has it, its fix tried on a fresh copy.
fn shown(case: &Path, rule: &str, finding: &Value) -> String {
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let n = |key: &str| finding[key].as_u64().unwrap_or_default();
    let mut out = format!(
        "{}:{}:{}-{}:{} {} {}\n",
        text("file"),
        n("line"),
        n("column"),
        n("end_line"),
        n("end_column"),
        text("severity"),
        text("message")
    );
    if let Some(help) = finding["help"].as_str() {
        let _ = writeln!(out, "  help: {help}");
    }
    if let Some(bytes) = finding["evidence"]["bytes"].as_u64() {
        let _ = writeln!(out, "  bytes: {bytes}");
    }
    let fix = &finding["fix"];
    if fix.is_object() {
        let dir = copy(case);
        let before = count(&check(dir.path()), rule);
        let diff = apply(dir.path(), fix);
        let _ = writeln!(out, "  fix: {}", fix["safety"].as_str().expect("a class"));
        for line in diff.lines() {
            let _ = writeln!(out, "    {line}");
        }
        let after = check(dir.path());
        assert!(
            count(&after, rule) < before,
            "{}: the fix leaves the finding:\n{out}",
            case.display()
        );
        assert!(
            !refused(&after) || refused(&check(copy(case).path())),
            "{}: the fix breaks the file:\n{out}",
            case.display()
        );
    }
    out
}

fn refused(document: &Value) -> bool {
    let files = document["files"].as_array().expect("files").iter();
    let mut all = files.flat_map(|f| f["diagnostics"].as_array().expect("diagnostics"));
    all.any(|d| d["severity"] == "error")
}

fn count(document: &Value, rule: &str) -> usize {
    findings(document)
        .iter()
        .filter(|f| f["rule"] == rule)
        .count()
}

#[test]
fn every_case_is_as_it_was_read() {
    let only = std::env::var("CACHEPLAN_RULE").ok();
    for rule in folders(&corpus()) {
        let rule_name = name(&rule);
        if only.as_ref().is_some_and(|o| *o != rule_name) {
            continue;
        }
        for case in folders(&rule) {
            let dir = copy(&case);
            let all = findings(&check(dir.path()));
            let own: Vec<&Value> = all
                .iter()
                .filter(|f| f["rule"] == rule_name.as_str())
                .collect();
            let case_name = name(&case);
            if case_name.starts_with("clean") {
                assert!(
                    own.is_empty(),
                    "{rule_name}/{case_name} is not clean: {own:#?}"
                );
                continue;
            }
            assert!(
                case_name.starts_with("found"),
                "{rule_name}/{case_name}: call it found… or clean…"
            );
            assert!(!own.is_empty(), "{rule_name}/{case_name}: nothing is found");
            let listing: String = own.iter().map(|f| shown(&case, &rule_name, f)).collect();
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(&case);
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_snapshot!("findings", listing));
        }
    }
}

#[test]
fn every_rule_has_cases_of_both_kinds_and_a_page() {
    let mut missing = Vec::new();
    for rule in cacheplan::rules::all() {
        let dir = corpus().join(rule.name);
        let cases: Vec<String> = match dir.is_dir() {
            true => folders(&dir).iter().map(|c| name(c)).collect(),
            false => Vec::new(),
        };
        for kind in ["found", "clean"] {
            if !cases.iter().any(|c| c.starts_with(kind)) {
                missing.push(format!("corpus/rules/{}/{kind}-…", rule.name));
            }
        }
        let page =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/rules/{}.md", rule.name));
        if !page.is_file() {
            missing.push(format!("docs/rules/{}.md", rule.name));
        }
    }
    assert!(missing.is_empty(), "missing: {missing:#?}");
    for dir in folders(&corpus()) {
        let known = cacheplan::rules::rule(&name(&dir)).is_some();
        assert!(known, "corpus/rules/{} is no rule", name(&dir));
    }
}

/// All fixes of a case, applied again and again, come to an end, and no rule finds what none found before.
#[test]
fn fixes_come_to_an_end_and_do_not_contradict_each_other() {
    for rule in folders(&corpus()) {
        for case in folders(&rule) {
            let dir = copy(&case);
            let rules_of = |d: &Value| -> std::collections::BTreeSet<String> {
                findings(d)
                    .iter()
                    .map(|f| f["rule"].as_str().expect("a name").to_owned())
                    .collect()
            };
            let first = check(dir.path());
            let before = rules_of(&first);
            let mut rounds = 0;
            loop {
                let words = [
                    "cacheplan",
                    "check",
                    "--all",
                    "--quiet",
                    "--write",
                    "--safety",
                    "review",
                    "--today",
                    "2026-11-01",
                ];
                let mut words: Vec<std::ffi::OsString> = words.iter().map(Into::into).collect();
                words.push(dir.path().into());
                let old = check(dir.path());
                let code = cacheplan::cli::run_from(words);
                assert!(code == 0 || code == 2, "{}: {code}", case.display());
                let new = check(dir.path());
                let added: Vec<String> = rules_of(&new).difference(&before).cloned().collect();
                assert!(
                    added.is_empty(),
                    "{}: fixes make {added:?} find something",
                    case.display()
                );
                assert!(
                    refused(&first) || !refused(&new),
                    "{}: fixes break a file",
                    case.display()
                );
                if old == new {
                    break;
                }
                rounds += 1;
                assert!(
                    rounds < 8,
                    "{}: fixes do not come to an end",
                    case.display()
                );
            }
        }
    }
}

/// The article's example: an archive of 80 MiB downloaded in one RUN and removed in the next makes an image of 234 MB, both in one RUN one of
/// 151 MB. From the size of the download the layer model gives that difference.
#[test]
fn a_download_removed_in_a_run_of_its_own_costs_its_bytes() {
    let sum = |text: &str, bytes: u64| {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("Dockerfile"), text).expect("written");
        let run = text
            .lines()
            .nth(1)
            .expect("a RUN")
            .trim_start_matches("RUN ");
        let costs = serde_json::json!({"schema": "cacheplan.costs/1", "steps": [
            {"match": {"keyword": "RUN", "text": run}, "seconds": {"cold": [1, 1]}, "bytes": bytes, "n": 1}]});
        std::fs::write(dir.path().join("cacheplan.costs.json"), costs.to_string())
            .expect("written");
        let out = tempfile::NamedTempFile::new().expect("a file");
        let words = [
            "cacheplan",
            "layers",
            "--quiet",
            "--format",
            "json",
            "--disk",
            "tmpfs",
            "-o",
        ];
        let mut words: Vec<std::ffi::OsString> = words.iter().map(Into::into).collect();
        words.extend([out.path().into(), dir.path().into()]);
        assert_eq!(cacheplan::cli::run_from(words), 0);
        let text = std::fs::read(out.path()).expect("the document");
        let document: Value = serde_json::from_slice(&text).expect("JSON");
        let layers = document["layers"].as_array().expect("layers").iter();
        layers.filter_map(|l| l["bytes"].as_u64()).sum::<u64>()
    };
    let download = 80 << 20;
    let apart = sum(
        "FROM debian:12\nRUN wget -q https://example.com/a.tgz\nRUN rm a.tgz\n",
        download,
    );
    let together = sum(
        "FROM debian:12\nRUN wget -q https://example.com/a.tgz && rm a.tgz\n",
        0,
    );
    let difference = apart - together;
    let article = 234_000_000 - 151_000_000;
    assert!(
        difference.abs_diff(article) * 50 < article,
        "{difference} is not {article}"
    );
}

/// The table of `docs/rules/README.md`, made from the rules themselves; `UPDATE_RULES=1` writes it.
#[test]
fn the_table_of_rules_is_up_to_date() {
    let mut table = String::new();
    for (family, rules) in cacheplan::rules::FAMILIES {
        let _ = writeln!(
            table,
            "\n## {}{}\n\n| rule | severity | finds | elsewhere |\n| --- | --- | --- | --- |",
            family[..1].to_uppercase(),
            &family[1..]
        );
        for rule in *rules {
            let (name, severity) = (rule.name, rule.severity.as_str());
            let summary = rule.summary.replace('|', "\\|");
            let _ = writeln!(
                table,
                "| [{name}]({name}.md) | {severity} | {summary} | {} |",
                rule.also.join(", ")
            );
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules/README.md");
    let text = std::fs::read_to_string(&path).expect("the page");
    let (head, rest) = text
        .split_once("<!-- rules -->\n")
        .expect("a mark before the table");
    let (_, tail) = rest
        .split_once("<!-- end -->\n")
        .expect("a mark behind the table");
    let wanted = format!("{head}<!-- rules -->\n{table}\n<!-- end -->\n{tail}");
    if std::env::var_os("UPDATE_RULES").is_some() {
        std::fs::write(&path, &wanted).expect("written");
        return;
    }
    assert!(
        text == wanted,
        "docs/rules/README.md is out of date: UPDATE_RULES=1 cargo test --test rules"
    );
}
