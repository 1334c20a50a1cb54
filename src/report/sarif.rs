//! SARIF 2.1.0, for code scanning and editors.
//!
//! Goes in: issues. Comes out: one run with the rules they are of, and one result for each. Costs the size of the output; above 10 MB it is compressed
//! to see whether it may be uploaded. Invariants: valid against the published schema; places are in UTF-16 code units and files relative to the root of
//! the repository; the replacements of a fix are in order and apart from each other.

use super::escape::line;
use super::issue::{HOME, Issue, Level, PLAN_RULE, PLAN_SUMMARY, dearest_order, page_of};
use super::number::count;
use super::place::{Extent, Replacement};
use super::rule_pages;
use crate::rules::{FAMILIES, rule};
use flate2::Compression;
use flate2::write::GzEncoder;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactChange, ArtifactContent, ArtifactLocation, Fix, Invocation, Location, Message,
    MultiformatMessageString, Notification, PhysicalLocation, PropertyBag, Region,
    Replacement as Change, ReportingConfiguration, ReportingDescriptor, Result as Found,
    ResultLevel, Run, Sarif, Tool, ToolComponent,
};
use std::collections::BTreeMap;
use std::io::Write as _;

/// Where the schema is published.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Most results of a run that GitHub takes.
const MOST_RESULTS: usize = 25_000;

/// Most bytes that GitHub takes, compressed.
const MOST_BYTES: usize = 10 * 1000 * 1000;

/// The root of the repository; where that is on this machine is nobody's business.
const ROOT: &str = "%SRCROOT%";

/// The name of our fingerprints, with the version of what goes in.
const FINGERPRINT: &str = "cacheplan/v1";

/// The document. `about` is what holds for all of it, such as where its seconds come from; it may be empty.
#[must_use]
pub fn render(issues: &[Issue], about: &str) -> Vec<u8> {
    render_within(issues, about, MOST_RESULTS, MOST_BYTES)
}

/// As [`render`], within other limits: what does not fit is left out, the least important first, and a notification says so.
fn render_within(issues: &[Issue], about: &str, results: usize, bytes: usize) -> Vec<u8> {
    let mut most = results.min(issues.len());
    loop {
        let out = document(&kept(issues, most), issues.len() - most, about);
        if most == 0 || fits(&out, bytes) {
            return out;
        }
        most /= 2;
    }
}

/// The dearest ones, in their order.
fn kept(issues: &[Issue], most: usize) -> Vec<&Issue> {
    let mut list = dearest_order(issues);
    list.truncate(most);
    list.sort_unstable();
    list.into_iter().map(|i| &issues[i]).collect()
}

fn fits(document: &[u8], most: usize) -> bool {
    if document.len() <= most {
        return true;
    }
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    let packed = gz.write_all(document).and_then(|()| gz.finish());
    // Nothing but memory is written to.
    packed.is_ok_and(|p| p.len() <= most)
}

fn document(issues: &[&Issue], left_out: usize, about: &str) -> Vec<u8> {
    let mut index: BTreeMap<&str, i64> = BTreeMap::new();
    for issue in issues {
        index.entry(&issue.rule).or_default();
    }
    for (at, place) in (0..).zip(index.values_mut()) {
        *place = at;
    }
    let rules: Vec<ReportingDescriptor> = index.keys().map(|r| descriptor(r)).collect();
    let results = issues.iter();
    let results: Vec<Found> = results.map(|i| result(i, index[i.rule.as_str()])).collect();
    let mut run = Run::builder()
        .tool(Tool::builder().driver(driver(rules)).build())
        .results(results)
        .column_kind(json!("utf16CodeUnits"))
        .original_uri_base_ids(BTreeMap::from([(ROOT.to_owned(), root())]))
        .invocations(vec![invocation(left_out)])
        .build();
    if !about.is_empty() {
        run.properties = Some(bag([("costs", json!(about))]));
    }
    let log = Sarif::builder()
        .schema(SCHEMA)
        .version(json!("2.1.0"))
        .runs(vec![run])
        .build();
    // Our own types always serialize.
    let mut out = serde_json::to_vec_pretty(&log).unwrap_or_default();
    out.push(b'\n');
    out
}

fn driver(rules: Vec<ReportingDescriptor>) -> ToolComponent {
    let mut driver = ToolComponent::builder()
        .name(env!("CARGO_PKG_NAME"))
        .version(env!("CARGO_PKG_VERSION"))
        .semantic_version(env!("CARGO_PKG_VERSION"))
        .short_description(text(concat!(env!("CARGO_PKG_DESCRIPTION"), ".")))
        .rules(rules)
        .build();
    driver.information_uri = (!HOME.is_empty()).then(|| HOME.to_owned());
    driver
}

fn root() -> ArtifactLocation {
    let words = "The root of the repository.";
    let description = Message::builder().text(words).build();
    ArtifactLocation::builder().description(description).build()
}

fn invocation(left_out: usize) -> Invocation {
    let mut out = Invocation::builder().execution_successful(true).build();
    if left_out > 0 {
        let words = format!(
            "{} left out, the least important ones: code scanning takes no more.",
            count(left_out, "result")
        );
        let said = Notification::builder()
            .message(Message::builder().text(words).build())
            .level(json!("warning"))
            .build();
        out.tool_execution_notifications = Some(vec![said]);
    }
    out
}

/// A rule, or whoever else has something to say.
fn descriptor(id: &str) -> ReportingDescriptor {
    let known = rule(id);
    let (short, level, tags) = match known {
        Some(r) => (r.summary.to_owned(), r.severity.as_str(), tags(id)),
        None if id == PLAN_RULE => (PLAN_SUMMARY.to_owned(), "note", vec!["cost".to_owned()]),
        None => {
            let area = id.split('/').next().unwrap_or_default();
            (area_summary(area).to_owned(), "warning", vec![])
        }
    };
    let short = sentence(&short);
    let full = rule_pages::description(id).unwrap_or_else(|| short.clone());
    let help = match (rule_pages::page(id), id) {
        (Some(page), _) => page.into_owned(),
        (None, PLAN_RULE) => PLAN_HELP.to_owned(),
        (None, _) => short.clone(),
    };
    let mut all = vec!["docker".to_owned(), "dockerfile".to_owned()];
    all.extend(tags);
    let mut properties = bag([
        ("precision", json!("high")),
        ("problem.severity", json!(problem(level))),
    ]);
    properties.tags = Some(all);
    let mut out = ReportingDescriptor::builder()
        .id(id)
        .name(pascal(id))
        .short_description(text(&short))
        .full_description(text(&full))
        .help(
            MultiformatMessageString::builder()
                .text(help.replace("**", ""))
                .markdown(&help)
                .build(),
        )
        .default_configuration(
            ReportingConfiguration::builder()
                .level(json!(level))
                .build(),
        )
        .properties(properties)
        .build();
    out.help_uri = page_of(id);
    out
}

/// What stands behind [`PLAN_RULE`].
const PLAN_HELP: &str = "\
`cacheplan analyze` replays the commits of the repository as builds and works out which steps run in each of them. Then it looks for an order of the \
instructions, and for other forms of them, that builds the same image while fewer steps run again; every candidate is replayed over the same commits. \
The fix is the whole of the best one it found, as `cacheplan optimize` prints it.

Seconds are modelled: from the costs file where builds were measured (`cacheplan calibrate`), else from priors. `proven` means that no other image \
can come of it, `assumed` that the assumptions named must hold, `review` that a person has to look. `cacheplan verify --plan` builds both and compares \
the images.";

fn area_summary(area: &str) -> &'static str {
    match area {
        "parse" => "The builder's parser refuses this",
        "build" => "The builder refuses this, or builds something else than it looks like",
        "history" => "About the commits that are replayed",
        "project" => "About where Dockerfiles, contexts and targets are found",
        "ignore" => "About the ignore file",
        "rules" | "suppress" => "About comments that silence rules",
        _ => "About how this file was read",
    }
}

/// Names of the families a rule is in.
fn tags(id: &str) -> Vec<String> {
    let of = FAMILIES
        .iter()
        .filter(|(_, rules)| rules.iter().any(|r| r.name == id));
    of.map(|(family, _)| family.replace(' ', "-").replace('\'', ""))
        .collect()
}

/// The word of code scanning.
fn problem(level: &str) -> &str {
    match level {
        "note" => "recommendation",
        other => other,
    }
}

/// `ArgBeforeRun` of `arg-before-run`.
fn pascal(id: &str) -> String {
    let mut out = String::new();
    for word in id.split(['-', '/']) {
        let mut chars = word.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

fn result(issue: &Issue, rule_index: i64) -> Found {
    let mut properties = BTreeMap::new();
    let evidence = issue.evidence;
    let known = [
        ("builds", evidence.builds.map(|n| json!(n))),
        ("seconds", evidence.seconds.map(|n| json!(n))),
        ("bytes", evidence.bytes.map(|n| json!(n))),
        ("safety", issue.fix.as_ref().map(|f| json!(f.safety))),
        (
            "assumptions",
            Some(&issue.assumptions)
                .filter(|a| !a.is_empty())
                .map(|a| json!(a)),
        ),
    ];
    for (name, value) in known {
        properties.extend(value.map(|v| (name.to_owned(), v)));
    }
    let level = match issue.level {
        Level::Error => ResultLevel::Error,
        Level::Warning => ResultLevel::Warning,
        Level::Note => ResultLevel::Note,
    };
    let message = Message::builder()
        .text(without_links(&sentence(&issue.text())))
        .markdown(issue.markdown())
        .build();
    // Code scanning shows nothing that has no line.
    let whole = || Region::builder().start_line(1).build();
    let place = PhysicalLocation::builder()
        .artifact_location(artifact(&issue.file))
        .region(issue.at.map_or_else(whole, region))
        .build();
    let mut out = Found::builder()
        .rule_id(&issue.rule)
        .rule_index(rule_index)
        .level(level)
        .message(message)
        .locations(vec![Location::builder().physical_location(place).build()])
        .partial_fingerprints(BTreeMap::from([(
            FINGERPRINT.to_owned(),
            issue.fingerprint.clone(),
        )]))
        .build();
    if !properties.is_empty() {
        out.properties = Some(PropertyBag {
            tags: None,
            additional_properties: properties,
        });
    }
    out.fixes = issue.fix.as_ref().map(|f| {
        let words = format!("{}: {}", f.safety, super::wording::safety(f.safety));
        let changes = f.files.iter().map(|(file, edits)| change(file, edits));
        let description = Message::builder().text(words).build();
        vec![
            Fix::builder()
                .description(description)
                .artifact_changes(changes.collect::<Vec<_>>())
                .build(),
        ]
    });
    out
}

fn change(file: &str, edits: &[Replacement]) -> ArtifactChange {
    let mut sorted: Vec<&Replacement> = edits.iter().collect();
    // Insertions at one place keep their order.
    sorted.sort_by_key(|e| e.at);
    let one = |e: &&Replacement| {
        let mut out = Change::builder().deleted_region(region(e.at)).build();
        if !e.text.is_empty() {
            out.inserted_content = Some(ArtifactContent::builder().text(&e.text).build());
        }
        out
    };
    ArtifactChange::builder()
        .artifact_location(artifact(file))
        .replacements(sorted.iter().map(one).collect::<Vec<_>>())
        .build()
}

fn region(at: Extent) -> Region {
    Region::builder()
        .start_line(i64::from(at.start.line))
        .start_column(i64::from(at.start.utf16))
        .end_line(i64::from(at.end.line))
        .end_column(i64::from(at.end.utf16))
        .build()
}

fn artifact(file: &str) -> ArtifactLocation {
    let mut out = ArtifactLocation::builder().uri(uri(file)).build();
    if !file.starts_with('/') {
        out.uri_base_id = Some(ROOT.to_owned());
    }
    out
}

/// What may stand in the path of an address as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// A file name as an address: relative to the root, or `file://` for one that was named from the machine's root.
#[must_use]
pub fn uri(file: &str) -> String {
    let mut path = file;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.trim_start_matches('/');
    }
    let path = utf8_percent_encode(path, PATH).to_string();
    match path.starts_with('/') {
        true => format!("file:///{}", path.trim_start_matches('/')),
        false => path,
    }
}

/// `[text](where)` in a plain message is a link; nothing of ours is one.
fn without_links(message: &str) -> String {
    message.replace("](", "\\](")
}

fn sentence(words: &str) -> String {
    let words = line(words);
    let mut chars = words.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    let mut out: String = first.into_iter().collect();
    out.push_str(chars.as_str());
    if !out.ends_with(['.', '!', '?']) {
        out.push('.');
    }
    out
}

fn text(words: &str) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(words).build()
}

fn bag<const N: usize>(pairs: [(&str, Value); N]) -> PropertyBag {
    let pairs = pairs.into_iter().map(|(k, v)| (k.to_owned(), v));
    PropertyBag {
        tags: None,
        additional_properties: pairs.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::findings::EvidenceRow;

    fn issue(n: usize, seconds: f64) -> Issue {
        Issue {
            rule: "base-tag".to_owned(),
            level: Level::Warning,
            file: "Dockerfile".to_owned(),
            at: None,
            message: format!("finding {n}"),
            help: Vec::new(),
            evidence: EvidenceRow {
                seconds: Some(seconds),
                ..EvidenceRow::default()
            },
            fix: None,
            assumptions: Vec::new(),
            fingerprint: n.to_string(),
        }
    }

    fn read(document: &[u8]) -> Value {
        serde_json::from_slice(document).expect("JSON")
    }

    #[test]
    fn the_least_important_go_first_and_that_is_said() {
        let list: Vec<Issue> = [1.0, 9.0, 5.0, 7.0]
            .iter()
            .enumerate()
            .map(|(i, s)| issue(i, *s))
            .collect();
        let all = read(&render_within(&list, "", 9, 1 << 20));
        assert_eq!(all["runs"][0]["results"].as_array().map(Vec::len), Some(4));
        assert!(all["runs"][0]["invocations"][0]["toolExecutionNotifications"].is_null());
        let some = read(&render_within(&list, "", 2, 1 << 20));
        let results = some["runs"][0]["results"].as_array().expect("results");
        let texts: Vec<&str> = results
            .iter()
            .map(|r| r["message"]["text"].as_str().expect("text"))
            .collect();
        assert_eq!(texts, ["Finding 1.", "Finding 3."]);
        let said = &some["runs"][0]["invocations"][0]["toolExecutionNotifications"][0];
        assert_eq!(
            said["message"]["text"],
            "2 results left out, the least important ones: code scanning takes no more."
        );
        let small = render_within(&list, "", 9, 100);
        assert_eq!(read(&small)["runs"][0]["results"], json!([]));
    }

    #[test]
    fn names_become_addresses() {
        assert_eq!(uri("a b/é#?.Dockerfile"), "a%20b/%C3%A9%23%3F.Dockerfile");
        assert_eq!(uri("./x:y"), "x%3Ay");
        assert_eq!(uri("/tmp/D%"), "file:///tmp/D%25");
        assert_eq!(uri("../Dockerfile"), "../Dockerfile");
    }

    #[test]
    fn links_are_only_words() {
        assert_eq!(without_links("see [a](http://x)"), "see [a\\](http://x)");
        assert_eq!(pascal("parse/no-from"), "ParseNoFrom");
        assert_eq!(pascal("StageNameCasing"), "StageNameCasing");
    }
}
