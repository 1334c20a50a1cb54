//! The Diagnostic Format of reviewdog (`rdjson`), for comments in reviews.
//!
//! Goes in: issues. Comes out: one `DiagnosticResult`. Linear. Invariants: columns count bytes of UTF-8 and ends are exclusive, as its definition has
//! it; messages are Markdown, since they end up in comments; a suggestion is the whole of a fix.

use super::issue::{HOME, Issue, Level, page_of};
use super::place::{Extent, Point, Replacement};
use serde::Serialize;

#[derive(Serialize)]
struct DiagnosticResult<'a> {
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    diagnostics: Vec<Diagnostic<'a>>,
}

#[derive(Serialize)]
struct Source {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'static str>,
}

#[derive(Serialize)]
struct Diagnostic<'a> {
    message: String,
    location: Location<'a>,
    severity: &'static str,
    code: Code<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suggestions: Vec<Suggestion<'a>>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<Range>,
}

#[derive(Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Serialize)]
struct Position {
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Code<'a> {
    value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Serialize)]
struct Suggestion<'a> {
    range: Range,
    text: &'a str,
}

/// The document.
#[must_use]
pub fn render(issues: &[Issue]) -> Vec<u8> {
    let document = DiagnosticResult {
        source: Source {
            name: env!("CARGO_PKG_NAME"),
            url: Some(HOME).filter(|h| !h.is_empty()),
        },
        severity: issues.iter().map(|i| i.level).min().map(severity),
        diagnostics: issues.iter().map(diagnostic).collect(),
    };
    // Our own types always serialize.
    let mut out = serde_json::to_vec_pretty(&document).unwrap_or_default();
    out.push(b'\n');
    out
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warning => "WARNING",
        Level::Note => "INFO",
    }
}

fn diagnostic(issue: &Issue) -> Diagnostic<'_> {
    let joined = issue.fix.iter().filter_map(|f| f.joined.as_ref());
    Diagnostic {
        message: issue.markdown(),
        location: Location {
            path: issue.file.strip_prefix("./").unwrap_or(&issue.file),
            range: issue.at.map(range),
        },
        severity: severity(issue.level),
        code: Code {
            value: &issue.rule,
            url: page_of(&issue.rule),
        },
        suggestions: joined.map(suggestion).collect(),
    }
}

fn suggestion(one: &Replacement) -> Suggestion<'_> {
    Suggestion {
        range: range(one.at),
        text: &one.text,
    }
}

fn range(at: Extent) -> Range {
    let position = |p: Point| Position {
        line: p.line,
        column: p.utf8,
    };
    Range {
        start: position(at.start),
        end: position(at.end),
    }
}
