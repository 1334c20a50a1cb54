//! The formats of `check` and `analyze` that other programs read: valid by their schemas, with fixes that give the bytes of ours, with fingerprints
//! that stay, and harmless whatever stands in a repository.
//!
//! The schema of SARIF is the one that the crate `serde-sarif` was made from, in its sources; reviewdog's are read from a fetched copy of its
//! repository where `CACHEPLAN_REVIEWDOG` names one (a folder with `proto/rdf/jsonschema`), and its fields are checked one by one in any case.
//! `CACHEPLAN_CHECKOUTS` names a folder of checkouts that are looked at too.

#[path = "common/cases.rs"]
mod cases;
#[path = "common/git.rs"]
mod git;

use git::Repo;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One document in every format.
struct Formats {
    own: Value,
    sarif: Value,
    rdjson: Value,
    gitlab: Value,
    github: String,
}

const FORMATS: [&str; 5] = ["json", "sarif", "rdjson", "gitlab", "github"];

fn formats(command: &str, words: &[&str], paths: &[PathBuf]) -> Formats {
    let out = tempfile::tempdir().expect("a folder");
    let file = |format: &str| out.path().join(format);
    let mut all: Vec<OsString> = [
        "cacheplan",
        "--cache-dir",
        "none",
        command,
        "--today",
        "2026-11-01",
    ]
    .map(OsString::from)
    .into();
    all.extend(words.iter().map(OsString::from));
    for format in FORMATS {
        all.push("--format".into());
        all.push(format!("{format}={}", file(format).display()).into());
    }
    all.push("--quiet".into());
    all.extend(paths.iter().map(|p| p.clone().into_os_string()));
    let code = cacheplan::cli::run_from(all);
    assert!(code == 0 || code == 2, "{paths:?}: exit code {code}");
    let read = |format: &str| std::fs::read(file(format)).expect("it was written");
    let value = |format: &str| -> Value {
        serde_json::from_slice(&read(format)).unwrap_or_else(|e| panic!("{format}: {e}"))
    };
    Formats {
        own: value("json"),
        sarif: value("sarif"),
        rdjson: value("rdjson"),
        gitlab: value("gitlab"),
        github: String::from_utf8(read("github")).expect("UTF-8"),
    }
}

fn check(dir: &Path) -> Formats {
    formats("check", &["--all"], &[dir.to_owned()])
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}

fn number(value: &Value, pointer: &str) -> usize {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    let found = found.unwrap_or_else(|| panic!("no {pointer} in {value:#}"));
    usize::try_from(found).expect("small")
}

fn results(f: &Formats) -> &[Value] {
    list(&f.sarif["runs"][0]["results"])
}

/// The published schema of SARIF 2.1.0, as the sources of `serde-sarif` hold it.
fn sarif_schema() -> Validator {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let metadata: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let mut packages = list(&metadata["packages"]).iter();
    let package = packages.find(|p| p["name"] == "serde-sarif");
    let manifest = text(package.expect("a dependency"), "/manifest_path").to_owned();
    let file = Path::new(&manifest)
        .with_file_name("src")
        .join("schema.json");
    let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut schema: Value = serde_json::from_slice(&bytes).expect("JSON");
    // A bracket too many, which strict readers of patterns refuse; the property is none of ours.
    for kind in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][kind]["properties"]["language"];
        language
            .as_object_mut()
            .expect("a property")
            .remove("pattern");
    }
    assert_eq!(
        schema["title"],
        "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"
    );
    strict(&schema)
}

fn strict(schema: &Value) -> Validator {
    let options = jsonschema::options().should_validate_formats(true);
    options.build(schema).expect("a schema")
}

fn valid(schema: &Validator, document: &Value, what: &str) {
    let errors: Vec<String> = schema
        .iter_errors(document)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

/// The fields that reviewdog's definition has, and no others.
fn rdjson_schema() -> Validator {
    let position = json!({"type": "object", "required": ["line", "column"], "additionalProperties": false,
        "properties": {"line": {"type": "integer", "minimum": 1}, "column": {"type": "integer", "minimum": 1}}});
    let range = json!({"type": "object", "required": ["start", "end"], "additionalProperties": false,
        "properties": {"start": position, "end": position}});
    let severity = json!({"enum": ["ERROR", "WARNING", "INFO"]});
    strict(
        &json!({"type": "object", "required": ["source", "diagnostics"], "additionalProperties": false, "properties": {
        "source": {"type": "object", "required": ["name"], "additionalProperties": false,
            "properties": {"name": {"const": "cacheplan"}, "url": {"type": "string", "format": "uri"}}},
        "severity": severity,
        "diagnostics": {"type": "array", "items": {"type": "object", "required": ["message", "location", "severity", "code"],
            "additionalProperties": false, "properties": {
                "message": {"type": "string", "minLength": 1},
                "severity": severity,
                "code": {"type": "object", "required": ["value"], "additionalProperties": false,
                    "properties": {"value": {"type": "string", "minLength": 1}, "url": {"type": "string", "format": "uri"}}},
                "location": {"type": "object", "required": ["path"], "additionalProperties": false,
                    "properties": {"path": {"type": "string", "minLength": 1}, "range": range}},
                "suggestions": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["range", "text"],
                    "additionalProperties": false, "properties": {"range": range, "text": {"type": "string"}}}}}}}}}),
    )
}

/// The fields that GitLab's documentation names.
fn gitlab_schema() -> Validator {
    strict(&json!({"type": "array", "items": {"type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"], "additionalProperties": false, "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {"type": "object", "required": ["path", "lines"], "additionalProperties": false, "properties": {
                "path": {"type": "string", "pattern": "^[^./]|^\\.[^/]"},
                "lines": {"type": "object", "required": ["begin"], "additionalProperties": false, "properties": {
                    "begin": {"type": "integer", "minimum": 1}, "end": {"type": "integer", "minimum": 1}}}}}}}}))
}

/// reviewdog's own schema, where a copy of its repository is at hand.
fn reviewdog_schema() -> Option<Validator> {
    let root = std::env::var_os("CACHEPLAN_REVIEWDOG")?;
    let file = Path::new(&root).join("proto/rdf/jsonschema/DiagnosticResult.json");
    let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    Some(strict(&serde_json::from_slice(&bytes).expect("JSON")))
}

struct Schemas {
    sarif: Validator,
    rdjson: Validator,
    reviewdog: Option<Validator>,
    gitlab: Validator,
}

impl Schemas {
    fn new() -> Self {
        Self {
            sarif: sarif_schema(),
            rdjson: rdjson_schema(),
            reviewdog: reviewdog_schema(),
            gitlab: gitlab_schema(),
        }
    }

    /// All that holds for any document.
    fn hold(&self, f: &Formats, what: &str) {
        valid(&self.sarif, &f.sarif, what);
        valid(&self.rdjson, &f.rdjson, what);
        valid(&self.gitlab, &f.gitlab, what);
        if let Some(own) = &self.reviewdog {
            valid(own, &f.rdjson, what);
        }
        let rules = list(&f.sarif["runs"][0]["tool"]["driver"]["rules"]);
        let mut prints = BTreeSet::new();
        for r in results(f) {
            let rule = &rules[number(r, "/ruleIndex")];
            assert_eq!(rule["id"], r["ruleId"], "{what}");
            let print = text(r, "/partialFingerprints/cacheplan~1v1").to_owned();
            assert!(prints.insert(print), "{what}: twice one fingerprint: {r:#}");
            let place = &r["locations"][0]["physicalLocation"];
            assert!(number(place, "/region/startLine") > 0);
        }
        let others: BTreeSet<&str> = list(&f.gitlab)
            .iter()
            .map(|e| text(e, "/fingerprint"))
            .collect();
        assert_eq!(others.len(), list(&f.gitlab).len(), "{what}");
        assert!(others.iter().eq(prints.iter()), "{what}");
        let n = results(f).len();
        assert_eq!(list(&f.rdjson["diagnostics"]).len(), n, "{what}");
        let commands: Vec<Annotation> = runner(&f.github);
        assert!(
            commands.len() <= 30 && (n == 0) == commands.is_empty(),
            "{what}"
        );
    }
}

/// A command as the runner reads it off a line.
#[derive(Debug)]
struct Annotation {
    command: String,
    properties: BTreeMap<String, String>,
    message: String,
}

/// Reads a log as the runner does: `::command name=value,…::message` at the start of a line, `##[command name=value;…]message` anywhere in it.
fn runner(log: &str) -> Vec<Annotation> {
    let mut out = Vec::new();
    for line in log.split(['\n', '\r']) {
        let data = |s: &str| {
            s.replace("%0D", "\r")
                .replace("%0A", "\n")
                .replace("%25", "%")
        };
        let property = |s: &str| {
            let s = s.replace("%0D", "\r").replace("%0A", "\n");
            s.replace("%3A", ":")
                .replace("%2C", ",")
                .replace("%25", "%")
        };
        let trimmed = line.trim_start();
        let Some(rest) = trimmed.strip_prefix("::") else {
            assert!(!line.contains("##["), "an old command: {line}");
            continue;
        };
        let (head, message) = rest.split_once("::").expect("a command");
        let (command, properties) = head.split_once(' ').unwrap_or((head, ""));
        assert!(["error", "warning", "notice"].contains(&command), "{line}");
        let pairs = properties.split(',').filter(|p| !p.is_empty());
        let pairs = pairs.map(|p| {
            let (name, value) = p.split_once('=').unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), property(value))
        });
        out.push(Annotation {
            command: command.to_owned(),
            properties: pairs.collect(),
            message: data(message),
        });
    }
    out
}

/// Byte offset of a place whose column counts UTF-16 code units behind a byte order mark, as SARIF has it.
fn utf16(bytes: &[u8], line: usize, column: usize) -> usize {
    let mut start = line_start(bytes, line);
    if start == 0 && bytes.starts_with(b"\xef\xbb\xbf") {
        start = 3;
    }
    let mut units = 0;
    for (i, c) in String::from_utf8_lossy(&bytes[start..]).char_indices() {
        if units == column - 1 {
            return start + i;
        }
        units += c.len_utf16();
    }
    assert_eq!(units, column - 1, "no such column");
    bytes.len()
}

fn line_start(bytes: &[u8], line: usize) -> usize {
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
    let mut starts = std::iter::once(0).chain(ends.map(|(i, _)| i + 1));
    starts.nth(line - 1).expect("such a line")
}

fn decoded(uri: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = uri.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'%' => {
                let digits = [
                    bytes.next().expect("two digits"),
                    bytes.next().expect("two digits"),
                ];
                let digits = std::str::from_utf8(&digits).expect("ASCII");
                out.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
            }
            b => out.push(b),
        }
    }
    String::from_utf8(out).expect("UTF-8")
}

/// The files that the fix of a result leaves.
fn fixed(root: &Path, result: &Value) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for change in list(&result["fixes"][0]["artifactChanges"]) {
        let file = decoded(text(change, "/artifactLocation/uri"));
        let bytes = std::fs::read(root.join(&file)).unwrap_or_default();
        let mut new = Vec::new();
        let mut at = 0;
        for one in list(&change["replacements"]) {
            let region = &one["deletedRegion"];
            let place = |line, column| utf16(&bytes, number(region, line), number(region, column));
            let (start, end) = (
                place("/startLine", "/startColumn"),
                place("/endLine", "/endColumn"),
            );
            assert!(
                at <= start && start <= end,
                "in order and apart: {change:#}"
            );
            new.extend_from_slice(&bytes[at..start]);
            new.extend_from_slice(
                one["insertedContent"]["text"]
                    .as_str()
                    .unwrap_or_default()
                    .as_bytes(),
            );
            at = end;
        }
        new.extend_from_slice(&bytes[at..]);
        assert!(out.insert(file, new).is_none(), "each file once");
    }
    out
}

/// The same by the byte offsets of our own document.
fn expected(root: &Path, finding: &Value) -> BTreeMap<String, Vec<u8>> {
    use cacheplan::source::{Edit, Span, apply_edits};
    let mut edits: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
    for edit in list(&finding["fix"]["edits"]) {
        edits
            .entry(text(edit, "/file").to_owned())
            .or_default()
            .push(Edit {
                span: Span::new(number(edit, "/start"), number(edit, "/end")),
                text: text(edit, "/text").as_bytes().to_vec(),
            });
    }
    let apply = |(file, edits): (String, Vec<Edit>)| {
        let bytes = std::fs::read(root.join(&file)).unwrap_or_default();
        let new = apply_edits(&bytes, &edits).expect("edits apart");
        (file, new)
    };
    edits.into_iter().map(apply).collect()
}

/// What the suggestions of a comment leave of its file.
fn suggested(root: &Path, diagnostic: &Value) -> Option<Vec<u8>> {
    let suggestion = diagnostic.pointer("/suggestions/0")?;
    let mut bytes = std::fs::read(root.join(text(diagnostic, "/location/path"))).expect("a file");
    let offset = |which: &str| {
        let line = number(suggestion, &format!("/range/{which}/line"));
        let start = line_start(&bytes, line);
        // Reviews know no line behind the last one.
        assert!(start < bytes.len() || bytes.is_empty(), "{diagnostic:#}");
        start + number(suggestion, &format!("/range/{which}/column")) - 1
    };
    let (start, end) = (offset("start"), offset("end"));
    bytes.splice(start..end, text(suggestion, "/text").bytes());
    Some(bytes)
}

/// Compares the fixes of all formats; gives how many there were.
fn same_fixes(root: &Path, f: &Formats) -> (usize, usize) {
    let (mut fixes, mut suggestions) = (0, 0);
    let files = list(&f.own["files"]).iter();
    let findings: Vec<&Value> = files.flat_map(|x| list(&x["findings"])).collect();
    let of_rules = |r: &&Value| !text(r, "/ruleId").contains('/');
    let found: Vec<&Value> = results(f).iter().filter(of_rules).collect();
    let comments = list(&f.rdjson["diagnostics"]).iter();
    let comments = comments.filter(|d| !text(d, "/code/value").contains('/'));
    assert_eq!(findings.len(), found.len());
    for ((finding, result), comment) in findings.iter().zip(&found).zip(comments) {
        assert_eq!(finding["rule"], result["ruleId"]);
        assert_eq!(finding["rule"], comment["code"]["value"]);
        if finding["fix"].is_null() {
            assert!(result["fixes"].is_null() && comment["suggestions"].is_null());
            continue;
        }
        let new = expected(root, finding);
        assert_eq!(fixed(root, result), new, "{finding:#}");
        assert_eq!(result["properties"]["safety"], finding["fix"]["safety"]);
        fixes += 1;
        if let Some(bytes) = suggested(root, comment) {
            assert_eq!(new.len(), 1, "all of a fix or nothing: {comment:#}");
            assert_eq!(Some(&bytes), new.get(text(finding, "/file")), "{comment:#}");
            suggestions += 1;
        }
    }
    (fixes, suggestions)
}

#[test]
fn every_case_of_every_rule_is_valid_and_its_fixes_are_the_same_bytes() {
    let schemas = Schemas::new();
    let (mut fixes, mut suggestions) = (0, 0);
    let mut rules = BTreeSet::new();
    for rule in cases::folders(&cases::corpus()) {
        let found = cases::folders(&rule);
        for case in found.iter().filter(|c| cases::name(c).starts_with("found")) {
            for change in [as_it_is, with_crlf_and_wide_characters] {
                let dir = cases::copy(case);
                change(dir.path());
                let f = check(dir.path());
                schemas.hold(&f, &case.display().to_string());
                let (a, b) = same_fixes(dir.path(), &f);
                fixes += a;
                suggestions += b;
                let all = list(&f.sarif["runs"][0]["tool"]["driver"]["rules"]);
                rules.extend(all.iter().map(|r| text(r, "/id").to_owned()));
            }
        }
    }
    assert!(
        fixes > 300 && suggestions > 200,
        "{fixes} fixes, {suggestions} suggestions"
    );
    for rule in cacheplan::rules::all() {
        assert!(rules.contains(rule.name), "{} was never found", rule.name);
    }
}

#[test]
fn real_projects_are_no_different() {
    let Some(root) = std::env::var_os("CACHEPLAN_CHECKOUTS") else {
        return;
    };
    let schemas = Schemas::new();
    let (mut fixes, mut suggestions) = (0, 0);
    for dir in cases::folders(Path::new(&root)) {
        let f = check(&dir);
        schemas.hold(&f, &dir.display().to_string());
        let (a, b) = same_fixes(&dir, &f);
        fixes += a;
        suggestions += b;
    }
    println!("{fixes} fixes, {suggestions} suggestions");
    assert!(suggestions > 0);
}

fn as_it_is(_: &Path) {}

/// Lines end in CRLF, and whatever stands behind an `&&` stands behind wide characters.
fn with_crlf_and_wide_characters(dir: &Path) {
    let file = dir.join("Dockerfile");
    let Ok(text) = std::fs::read_to_string(&file) else {
        return;
    };
    let wide = text.replace(" && ", " && : 'é𐀀' && ");
    let wide = wide.replace("\r\n", "\n").replace('\n', "\r\n");
    std::fs::write(file, format!("\u{feff}{wide}")).expect("written");
}

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    dir
}

#[test]
fn columns_behind_wide_characters_are_each_formats_own() {
    let dir = project(&[(
        "Dockerfile",
        "FROM debian:12\nRUN : 'é𐀀' && apt-get update && apt-get install curl\n",
    )]);
    let f = check(dir.path());
    let of = |r: &&Value| r["ruleId"] == "assume-yes";
    let result = results(&f).iter().find(of).expect("found");
    let mut comments = list(&f.rdjson["diagnostics"]).iter();
    let comment = comments.find(|d| d["code"]["value"] == "assume-yes");
    let files = list(&f.own["files"]).iter();
    let mut findings = files.flat_map(|x| list(&x["findings"]));
    let finding = findings.find(|x| x["rule"] == "assume-yes").expect("found");
    let column = number(finding, "/column");
    assert!(column > 10, "behind the wide ones: {finding:#}");
    assert_eq!(
        number(result, "/locations/0/physicalLocation/region/startColumn"),
        column + 1
    );
    assert_eq!(
        number(comment.expect("found"), "/location/range/start/column"),
        column + 4
    );
    let (fixes, _) = same_fixes(dir.path(), &f);
    assert!(fixes > 0);
}

#[test]
fn rules_explain_themselves() {
    let f = check(cases::copy(&cases::corpus().join("base-tag/found-none")).path());
    let driver = &f.sarif["runs"][0]["tool"]["driver"];
    assert_eq!(driver["name"], "cacheplan");
    assert_eq!(driver["version"], env!("CARGO_PKG_VERSION"));
    let rules = list(&driver["rules"]);
    let rule = rules
        .iter()
        .find(|r| r["id"] == "base-tag")
        .expect("the rule");
    assert_eq!(rule["name"], "BaseTag");
    assert_eq!(rule["defaultConfiguration"]["level"], "warning");
    assert_eq!(rule["properties"]["problem.severity"], "warning");
    assert!(list(&rule["properties"]["tags"]).contains(&json!("base-image")));
    let help = text(rule, "/help/markdown");
    assert!(
        help.contains("**Why.**") && help.contains("| bad | good |"),
        "{help}"
    );
    assert!(
        !help.contains("](base-digest.md)"),
        "a link to nowhere: {help}"
    );
    let full = text(rule, "/fullDescription/text");
    assert!(
        full.starts_with("A base image without a tag means `latest`")
            && full.chars().count() < 1024,
        "{full}"
    );
}

fn prints(f: &Formats) -> BTreeSet<(String, String)> {
    let of = |r: &Value| {
        let print = text(r, "/partialFingerprints/cacheplan~1v1");
        (text(r, "/ruleId").to_owned(), print.to_owned())
    };
    results(f).iter().map(of).collect()
}

#[test]
fn fingerprints_survive_moved_lines_and_other_orders_of_files() {
    const DOCKERFILE: &str = "FROM debian\nRUN apt-get update && apt-get install -y curl\nRUN cd /tmp\nRUN cd /tmp\nCMD node x.js\n";
    let dir = project(&[("a.Dockerfile", DOCKERFILE), ("b.Dockerfile", DOCKERFILE)]);
    let paths = ["a.Dockerfile", "b.Dockerfile"].map(|n| dir.path().join(n));
    let before = prints(&formats("check", &[], &paths));
    assert!(before.len() > 8, "{before:?}");
    let mut turned = paths.clone();
    turned.reverse();
    assert_eq!(prints(&formats("check", &[], &turned)), before);
    let moved = format!(
        "# one\n\n#two\n{}",
        DOCKERFILE
            .replace("RUN cd", "\n\nRUN   cd")
            .replace('\n', "\r\n")
    );
    std::fs::write(&paths[0], moved).expect("written");
    assert_eq!(prints(&formats("check", &[], &paths)), before);
    // Another text is another finding, and the others stay.
    std::fs::write(&paths[0], DOCKERFILE.replace("curl", "wget")).expect("written");
    let after = prints(&formats("check", &[], &paths));
    assert!(after != before && after.intersection(&before).count() > before.len() / 2);
}

/// A repository with a plan: every change of the sources installs again.
fn with_plan(dockerfile: &str) -> Repo {
    let repo = Repo::new();
    repo.write("package.json", "{}");
    repo.write("package-lock.json", "{}");
    repo.write("Dockerfile", dockerfile);
    for n in 0..40 {
        repo.write("src/a.js", &n.to_string());
        repo.git(["add", "-A"]);
        repo.git(["commit", "-qm", "Sources | @octo\n\n::error::x"]);
    }
    repo
}

#[test]
fn a_plan_is_a_result_and_its_fix_is_the_plan() {
    let schemas = Schemas::new();
    let plain =
        "# é𐀀\nFROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN : 'é' && npm run build\n";
    for dockerfile in [
        plain.to_owned(),
        plain.replace('\n', "\r\n"),
        plain.trim_end().to_owned(),
    ] {
        let repo = with_plan(&dockerfile);
        let f = formats(
            "analyze",
            &["--no-timing"],
            std::slice::from_ref(&repo.root),
        );
        schemas.hold(&f, "a plan");
        let of = |r: &&Value| r["ruleId"] == "better-dockerfile";
        let found: Vec<&Value> = results(&f).iter().filter(of).collect();
        let [result] = found.as_slice() else {
            panic!("one plan: {:#}", f.sarif);
        };
        assert_eq!(result["level"], "note");
        let plans = list(&f.own["targets"][0]["plans"]);
        let saving = |p: &&Value| p["saving"].as_f64();
        let all = plans.iter().filter_map(|p| saving(&p));
        let best = Some(all.fold(0.0, f64::max));
        let new = fixed(&repo.root, result);
        let chosen = plans.iter().find(|p| {
            Some(text(p, "/dockerfile").as_bytes()) == new.get("Dockerfile").map(Vec::as_slice)
        });
        let chosen = chosen.expect("the text of a plan");
        assert_eq!(saving(&chosen), best);
        assert_eq!(result["properties"]["assumptions"], chosen["assumptions"]);
        if let Some(ignore) = chosen["dockerignore"].as_str() {
            assert_eq!(new[text(chosen, "/dockerignore_file")], ignore.as_bytes());
        }
        let message = text(result, "/message/text");
        assert!(
            message.contains("per build instead of") && message.contains("Seconds are priors"),
            "{message}"
        );
        assert!(
            message.contains("on builds it was not chosen on"),
            "{message}"
        );
        let mut comments = list(&f.rdjson["diagnostics"]).iter();
        let comment = comments.find(|d| d["code"]["value"] == "better-dockerfile");
        if let Some(bytes) = suggested(&repo.root, comment.expect("a comment")) {
            assert_eq!(new.len(), 1);
            assert_eq!(Some(&bytes), new.get("Dockerfile"));
        }
        let notice = runner(&f.github);
        let notice = notice
            .iter()
            .find(|a| a.properties["title"].ends_with("better-dockerfile"));
        let notice = notice.expect("an annotation");
        assert_eq!(
            (notice.command.as_str(), notice.properties["file"].as_str()),
            ("notice", "Dockerfile")
        );
    }
}

#[test]
fn findings_have_what_the_replay_measured() {
    let repo = with_plan("FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\n");
    let f = formats(
        "analyze",
        &["--no-timing"],
        std::slice::from_ref(&repo.root),
    );
    let of = |r: &&Value| r["ruleId"] == "copy-before-install";
    let result = results(&f).iter().find(of).expect("found");
    assert!(
        result["properties"]["builds"].as_u64() > Some(5),
        "{result:#}"
    );
    assert!(result["properties"]["seconds"].as_f64() > Some(1.0));
    assert!(
        text(result, "/message/text").contains(" builds)"),
        "{result:#}"
    );
}

#[test]
fn a_file_that_is_refused_is_a_result_too() {
    let schemas = Schemas::new();
    let dir = project(&[("Dockerfile", "FROM debian:12\n\nNONSENSE é\n")]);
    let f = check(dir.path());
    schemas.hold(&f, "refused");
    let error = results(&f)
        .iter()
        .find(|r| r["level"] == "error")
        .expect("an error");
    assert_eq!(
        number(error, "/locations/0/physicalLocation/region/startLine"),
        3
    );
    assert_eq!(list(&f.gitlab)[0]["severity"], "critical");
    assert_eq!(runner(&f.github)[0].command, "error");
}

#[test]
fn a_dockerfile_in_a_compose_file_claims_no_lines_of_it() {
    let compose = "services:\n  web:\n    build:\n      context: .\n      dockerfile_inline: |\n        FROM debian\n        RUN cd /tmp\n";
    let dir = project(&[("compose.yaml", compose)]);
    let f = check(dir.path());
    Schemas::new().hold(&f, "inline");
    let of = |r: &&Value| r["ruleId"] == "lost-state";
    let result = results(&f).iter().find(of).expect("found");
    assert_eq!(
        result["locations"][0]["physicalLocation"]["region"],
        json!({"startLine": 1})
    );
    assert!(result["fixes"].is_null());
    assert!(
        text(result, "/message/text").contains("line 2 of the Dockerfile that stands in this file")
    );
}

#[test]
fn nothing_found_is_an_empty_document() {
    let dir = project(&[("Dockerfile", "FROM scratch\n")]);
    let f = check(dir.path());
    Schemas::new().hold(&f, "nothing");
    assert_eq!(f.sarif["runs"][0]["results"], json!([]));
    assert_eq!(f.gitlab, json!([]));
    assert_eq!(f.github, "");
}

/// Words that do something where they are not made harmless.
const HOSTILE: &[&str] = &[
    "a|b`c`",
    "@octocat",
    "<script>alert(1)</script>",
    "\u{1b}[31mred\u{1b}]0;t\u{7}",
    "\n::set-output name=x::y",
    "##[error]old",
    "::stop-commands::all",
    "\u{202e}txt.exe\u{200b}",
    "%0A::error::x%2C,a:b",
    "[click](http://evil.example)",
    "![i](http://evil.example/x.png) https://evil.example",
];

#[test]
fn names_and_texts_of_strangers_act_on_nothing() {
    let schemas = Schemas::new();
    for word in HOSTILE {
        let inside = word.replace('\n', " ");
        let dockerfile = format!(
            "FROM debian AS base\nRUN cd '{inside}'\nRUN curl http://x/{inside}.tar.gz | sh\nENV PASSWORD={inside}\nFROM '{inside}' AS Xy\nNONSENSE{inside}\nCOPY {inside} {inside}\nRUN apt-get install '{inside}'\n"
        );
        let file = format!("{}.Dockerfile", word.replace('/', "_"));
        let dir = project(&[
            (&file, &dockerfile),
            ("Dockerfile", &dockerfile.replace("NONSENSE", "RUN ")),
        ]);
        let f = check(dir.path());
        schemas.hold(&f, word);
        assert!(results(&f).len() > 4, "{word:?}");
        let mut read: Vec<&str> = Vec::new();
        for r in results(&f) {
            read.extend([text(r, "/message/text"), text(r, "/message/markdown")]);
            let uri = text(r, "/locations/0/physicalLocation/artifactLocation/uri");
            assert!(
                uri.is_ascii() && !uri.contains(['<', '`', '|', ' ', '\n']),
                "{uri}"
            );
            assert!(dir.path().join(decoded(uri)).is_file(), "{uri}");
        }
        for e in list(&f.gitlab) {
            read.push(text(e, "/description"));
            assert!(dir.path().join(text(e, "/location/path")).is_file());
        }
        for d in list(&f.rdjson["diagnostics"]) {
            read.push(text(d, "/message"));
            assert!(dir.path().join(text(d, "/location/path")).is_file());
        }
        for words in &read {
            let odd = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{200b}".contains(c);
            assert!(!words.contains(odd), "{words:?}");
        }
        let markdown = results(&f).iter().map(|r| text(r, "/message/markdown"));
        let comments = list(&f.rdjson["diagnostics"])
            .iter()
            .map(|d| text(d, "/message"));
        for one in markdown.chain(comments) {
            let bare = outside_of_code(one);
            for bad in [
                "@octocat",
                "<script",
                "](http",
                "https://evil",
                "##[",
                "\n::",
            ] {
                assert!(!bare.contains(bad), "{bad} in {one:?}");
            }
        }
        for r in results(&f) {
            assert!(!text(r, "/message/text").contains("[click](http"), "{r:#}");
        }
        for annotation in runner(&f.github) {
            let properties: Vec<&str> = annotation.properties.keys().map(String::as_str).collect();
            let known = ["col", "endLine", "file", "line", "title"];
            assert!(
                properties.iter().all(|p| known.contains(p)),
                "{annotation:?}"
            );
            assert!(
                !annotation.message.contains(['\r', '\u{1b}', '\u{202e}']),
                "{annotation:?}"
            );
            assert!(
                annotation
                    .message
                    .lines()
                    .all(|l| !l.trim_start().starts_with("::")),
                "{annotation:?}"
            );
        }
    }
}

/// Markdown without its code spans and elements.
fn outside_of_code(markdown: &str) -> String {
    let mut out = String::new();
    let mut rest = markdown;
    while let Some(at) = rest.find('`') {
        if rest[..at].ends_with('\\') {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        }
        out.push_str(&rest[..at]);
        let ticks = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        let fence = "`".repeat(ticks);
        let tail = &rest[at + ticks..];
        let end = tail
            .find(&fence)
            .unwrap_or_else(|| panic!("open code in {markdown:?}"));
        rest = &tail[end + ticks..];
    }
    out.push_str(rest);
    out
}
