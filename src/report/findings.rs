//! What rules found: rows of `analyze` and `check`, and the formats of `check`.
//!
//! Goes in: findings with the files they are in. Comes out: JSON rows, a listing in the look of rustc, Markdown. Linear. Invariant: whatever comes
//! from the repository is escaped.

use super::escape::{line, markdown_code, markdown_text, without_commands};
use super::model::DiagnosticRow;
use super::number::{bytes, count, seconds};
use super::place::{Extent, Replacement, joined};
use super::snippet;
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::rules::{Evidence, Finding};
use crate::source::{Edit, SourceFile, Span};
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A finding, as JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct FindingRow {
    /// The rule's name.
    pub rule: &'static str,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// The file.
    pub file: String,
    /// 1-based; 1 where the file as a whole is meant.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// 1-based.
    pub end_line: u32,
    /// 1-based, in characters.
    pub end_column: u32,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What it costs.
    pub evidence: EvidenceRow,
    /// What to write instead.
    pub fix: Option<FixRow>,
    /// Stays the same when lines move.
    pub fingerprint: String,
    /// The place as other programs count; nothing where the file as a whole is meant, or the file is part of another.
    #[serde(skip)]
    pub at: Option<Extent>,
}

/// What a finding costs.
#[derive(Clone, Copy, Debug, Default, Serialize, schemars::JsonSchema)]
pub struct EvidenceRow {
    /// Builds of the history that it makes dearer; null without a history.
    pub builds: Option<usize>,
    /// Seconds in all of those.
    pub seconds: Option<f64>,
    /// Bytes, an estimate.
    pub bytes: Option<u64>,
}

/// Edits that do away with a finding.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct FixRow {
    /// `proven`, `assumed` or `review`.
    pub safety: &'static str,
    /// All of them or none.
    pub edits: Vec<EditRow>,
    /// All of them in one, where they are in the file of the finding and close together.
    #[serde(skip)]
    pub joined: Option<Replacement>,
}

/// One replacement.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "FixEdit")]
pub struct EditRow {
    /// The file.
    pub file: String,
    /// First byte, 0-based.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// What stands there afterwards.
    pub text: String,
    /// The place as other programs count.
    #[serde(skip)]
    pub at: Option<Extent>,
}

impl FindingRow {
    /// A row; `shown` gives the name under which reports show a file of a fix.
    #[must_use]
    pub fn new(
        finding: &Finding,
        file: &str,
        source: &SourceFile,
        fingerprint: &str,
        shown: &dyn Fn(&str) -> String,
    ) -> Self {
        let (from, to) = (
            source.position(finding.span.start),
            source.position(finding.span.end),
        );
        let edit = |e: &crate::rules::FileEdit| EditRow {
            file: e.file.as_deref().map_or_else(|| file.to_owned(), shown),
            start: e.span.start,
            end: e.span.end,
            text: e.text.clone(),
            at: e.file.is_none().then(|| Extent::of(source, e.span)),
        };
        Self {
            rule: finding.rule.name,
            severity: finding.severity.as_str(),
            file: file.to_owned(),
            line: from.line,
            column: from.column,
            end_line: to.line,
            end_column: to.column,
            message: finding.message.clone(),
            help: finding.help.clone(),
            evidence: finding.evidence.into(),
            fix: finding.fix.as_ref().map(|f| FixRow {
                safety: f.safety.as_str(),
                edits: f.edits.iter().map(edit).collect(),
                joined: joined_fix(source, &f.edits),
            }),
            fingerprint: fingerprint.to_owned(),
            at: (finding.span != Span::default()).then(|| Extent::shown(source, finding.span)),
        }
    }

    /// Finds the places of edits in other files; `read` gives such a file by the name that the finding has for it.
    pub fn locate(&mut self, finding: &Finding, read: &dyn Fn(&str) -> SourceFile) {
        let fixes = self.fix.iter_mut().zip(&finding.fix);
        for (row, edit) in fixes.flat_map(|(r, f)| r.edits.iter_mut().zip(&f.edits)) {
            if let Some(file) = &edit.file {
                row.at = Some(Extent::of(&read(file), edit.span));
            }
        }
    }

    /// Forgets places as other programs count: the text is part of another file, whose lines are others.
    pub fn without_places(&mut self) {
        self.at = None;
        if let Some(fix) = &mut self.fix {
            fix.joined = None;
            for edit in &mut fix.edits {
                edit.at = None;
            }
        }
    }
}

fn joined_fix(source: &SourceFile, edits: &[crate::rules::FileEdit]) -> Option<Replacement> {
    if edits.iter().any(|e| e.file.is_some()) {
        return None;
    }
    let edit = |e: &crate::rules::FileEdit| Edit {
        span: e.span,
        text: e.text.clone().into_bytes(),
    };
    joined(source, &edits.iter().map(edit).collect::<Vec<Edit>>())
}

impl EvidenceRow {
    /// The order in which what costs more stands first: by seconds, then by bytes.
    #[must_use]
    pub fn dearer(&self, other: &Self) -> Ordering {
        let seconds = |e: &Self| e.seconds.unwrap_or(0.0);
        let bytes = |e: &Self| e.bytes.unwrap_or(0);
        let by_seconds = seconds(other).total_cmp(&seconds(self));
        by_seconds.then(bytes(other).cmp(&bytes(self)))
    }
}

impl From<Evidence> for EvidenceRow {
    fn from(e: Evidence) -> Self {
        Self {
            builds: e.builds,
            seconds: e.seconds,
            bytes: e.bytes,
        }
    }
}

/// `cacheplan.check/1`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Checked {
    /// The schema's name.
    pub schema: &'static str,
    /// One per file that was looked at, or in which something was found.
    pub files: Vec<CheckedFile>,
}

/// One file.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct CheckedFile {
    /// Its name.
    pub file: String,
    /// Sorted by place.
    pub findings: Vec<FindingRow>,
    /// What is to be said about the file beside findings; with an error the builder refuses it.
    pub diagnostics: Vec<DiagnosticRow>,
    /// Its text, for the formats that show lines.
    #[serde(skip)]
    pub source: SourceFile,
    /// What text shows.
    #[serde(skip)]
    pub shown: Vec<Diagnostic>,
}

/// What a finding costs, in words; empty where nothing is known.
#[must_use]
pub fn cost(e: &EvidenceRow) -> String {
    let mut parts = Vec::new();
    match (e.builds, e.seconds) {
        (Some(builds), Some(s)) if builds > 0 => {
            parts.push(format!("{} in {}", seconds(s), count(builds, "build")));
        }
        (Some(builds), None) if builds > 0 => parts.push(count(builds, "build")),
        _ => {}
    }
    if let Some(n) = e.bytes.filter(|n| *n > 0) {
        parts.push(bytes(n));
    }
    parts.join(", ")
}

/// The findings of a target, those that cost most first, and among equals the worst; how many are not among the first `most`.
#[must_use]
pub fn dearest(rows: &[FindingRow], most: usize) -> (Vec<&FindingRow>, usize) {
    let rank = |severity: &str| match severity {
        "error" => 0,
        "warning" => 1,
        _ => 2,
    };
    let mut list: Vec<&FindingRow> = rows.iter().collect();
    list.sort_by(|a, b| {
        // What the builder reports too, by its names, is mostly about style.
        let style = |r: &FindingRow| r.rule.starts_with(|c: char| c.is_ascii_uppercase());
        let bad = rank(a.severity).cmp(&rank(b.severity));
        bad.then(a.evidence.dearer(&b.evidence))
            .then(style(a).cmp(&style(b)))
    });
    let more = list.len().saturating_sub(most);
    list.truncate(most);
    (list, more)
}

/// The first finding of each rule and file, with how many others there are of that rule there.
#[must_use]
pub fn by_rule<'a>(rows: &[&'a FindingRow]) -> Vec<(&'a FindingRow, usize)> {
    let mut out: Vec<(&FindingRow, usize)> = Vec::new();
    for row in rows {
        // What was measured is told one by one.
        let measured = row.evidence.seconds.is_some();
        let same = |o: &&mut (&FindingRow, usize)| {
            !measured
                && o.0.rule == row.rule
                && o.0.file == row.file
                && o.0.evidence.seconds.is_none()
        };
        match out.iter_mut().find(same) {
            Some(first) => first.1 += 1,
            None => out.push((row, 0)),
        }
    }
    out
}

/// ` and 3 more like it`.
#[must_use]
pub fn and_more(others: usize) -> String {
    match others {
        0 => String::new(),
        n => format!(" and {n} more like it"),
    }
}

/// `2 errors`, `1 note`: how many there are of each severity, the worst first, those left out of which there are none.
pub(super) fn kinds(of: impl Fn(&str) -> usize) -> Vec<String> {
    let all = [Severity::Error, Severity::Warning, Severity::Note];
    let all = all.map(|s| (of(s.as_str()), s.as_str()));
    let some = all.into_iter().filter(|(n, _)| *n > 0);
    some.map(|(n, what)| count(n, what)).collect()
}

/// A finding in one sentence with what it costs.
#[must_use]
pub fn sentence(row: &FindingRow) -> String {
    // The replay holds such an argument for constant, unless it is told otherwise.
    let if_so = match row.rule {
        "arg-before-run" => " if it differs in every build",
        _ => "",
    };
    match cost(&row.evidence) {
        cost if cost.is_empty() => row.message.clone(),
        cost => format!("{} ({cost}{if_so})", row.message),
    }
}

/// A finding as the listing shows it.
#[must_use]
pub fn diagnostic(finding: &Finding) -> Diagnostic {
    let cost = cost(&finding.evidence.into());
    let message = match cost.is_empty() {
        true => finding.message.clone(),
        false => format!("{} ({cost})", finding.message),
    };
    let labels = match finding.span == Span::default() {
        true => Vec::new(),
        false => vec![Label {
            span: finding.span,
            text: String::new(),
        }],
    };
    Diagnostic {
        code: finding.rule.name,
        severity: finding.severity,
        message,
        labels,
        help: finding.help.clone(),
    }
}

/// Findings of one rule that a listing shows in full for a file.
const IN_FULL: usize = 3;

/// What a listing shows of a file: the first ones of each rule, and for each rule with more the lines of the others.
fn shortened(file: &CheckedFile) -> (Vec<&Diagnostic>, Vec<(&'static str, Vec<u32>)>) {
    let mut shown = Vec::new();
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut others: BTreeMap<&'static str, Vec<u32>> = BTreeMap::new();
    let mut all: BTreeMap<&'static str, usize> = BTreeMap::new();
    for d in &file.shown {
        *all.entry(d.code).or_default() += 1;
    }
    let of = |code: &str| all.get(code).copied().unwrap_or_default();
    for d in &file.shown {
        let n = seen.entry(d.code).or_default();
        *n += 1;
        // One more is no longer than saying that there is one more.
        match *n > IN_FULL && of(d.code) > IN_FULL + 1 && !d.is_error() {
            true => {
                let line = d.span().map_or(1, |s| file.source.line(s.start));
                others.entry(d.code).or_default().push(line);
            }
            false => shown.push(d),
        }
    }
    (shown, others.into_iter().collect())
}

/// The others of a rule, in one line.
fn more_like_this(lines: &[u32]) -> String {
    const MOST: usize = 12;
    let shown: Vec<String> = lines.iter().take(MOST).map(u32::to_string).collect();
    let rest = match lines.len() - shown.len() {
        0 => String::new(),
        n => format!(" and {n} more places"),
    };
    format!(
        "{} more like these: lines {}{rest}",
        lines.len(),
        shown.join(", ")
    )
}

/// The listing for a terminal.
#[must_use]
pub fn text(checked: &Checked, color: bool) -> String {
    let mut out = String::new();
    for file in &checked.files {
        let (shown, others) = shortened(file);
        for d in shown {
            if !out.is_empty() {
                out.push('\n');
            }
            if d.labels.is_empty() {
                let _ = writeln!(
                    out,
                    "{}[{}]: {}\n --> {}",
                    d.severity.as_str(),
                    d.code,
                    line(&d.message),
                    line(&file.file)
                );
                if let Some(help) = &d.help {
                    let _ = writeln!(out, "  = help: {}", line(help));
                }
            } else {
                let one = std::slice::from_ref(d);
                out.push_str(&snippet::diagnostics(&file.source, one, color));
            }
        }
        for (code, lines) in others {
            let _ = writeln!(
                out,
                "\n{} [{code}] {}",
                line(&file.file),
                more_like_this(&lines)
            );
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&summary(checked));
    out.push('\n');
    without_commands(&out).into_owned()
}

/// One line: how many of what.
fn summary(checked: &Checked) -> String {
    let files = count(checked.files.len(), "file");
    let rows = || checked.files.iter().flat_map(|f| &f.findings);
    let of = |severity: &str| {
        let found = rows().filter(|r| r.severity == severity).count();
        let said = checked.files.iter().flat_map(|f| &f.diagnostics);
        let said = said.filter(|d| d.severity == severity).count();
        found + said
    };
    let parts = kinds(of);
    if parts.is_empty() {
        return format!("nothing found in {files}");
    }
    let class = |safety: &str| {
        rows()
            .filter(|r| r.fix.as_ref().is_some_and(|f| f.safety == safety))
            .count()
    };
    let sure = class("proven") + class("assumed");
    let fixes = match sure {
        0 => String::new(),
        n => format!("; --write fixes {n}"),
    };
    format!("{} in {files}{fixes}", parts.join(", "))
}

/// Tables for a comment, one for each file with findings.
#[must_use]
pub fn markdown(checked: &Checked) -> String {
    let mut out = format!(
        "**cacheplan check**: {}\n",
        markdown_text(&summary(checked))
    );
    for file in &checked.files {
        if file.shown.is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "\n{}\n\n| line | rule | what |\n| ---: | --- | --- |",
            markdown_code(&file.file)
        );
        let (shown, others) = shortened(file);
        for d in shown {
            let place = d
                .span()
                .map_or(String::new(), |s| file.source.line(s.start).to_string());
            let help = d.help.as_ref();
            let help = help.map_or(String::new(), |h| format!("<br>{}", markdown_text(h)));
            let _ = writeln!(
                out,
                "| {place} | {} {} | {}{help} |",
                d.severity.as_str(),
                markdown_code(d.code),
                markdown_text(&d.message)
            );
        }
        for (code, lines) in others {
            let _ = writeln!(
                out,
                "|  | {} | {} |",
                markdown_code(code),
                markdown_text(&more_like_this(&lines))
            );
        }
    }
    out
}
