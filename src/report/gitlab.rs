//! GitLab's Code Quality report.
//!
//! Goes in: issues. Comes out: a JSON array of them. Linear. Invariants: no two have one fingerprint; descriptions are plain text on one line.

use super::issue::{Issue, Level};
use serde::Serialize;

#[derive(Serialize)]
struct Entry<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: &'a str,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

/// The document.
#[must_use]
pub fn render(issues: &[Issue]) -> Vec<u8> {
    let entries: Vec<Entry<'_>> = issues.iter().map(entry).collect();
    // Our own types always serialize.
    let mut out = serde_json::to_vec_pretty(&entries).unwrap_or_default();
    out.push(b'\n');
    out
}

fn entry(issue: &Issue) -> Entry<'_> {
    let (begin, end) = issue.lines();
    Entry {
        description: issue.text(),
        check_name: &issue.rule,
        fingerprint: &issue.fingerprint,
        severity: match issue.level {
            Level::Error => "critical",
            Level::Warning => "major",
            Level::Note => "info",
        },
        location: Location {
            // Relative to the root, without a dot in front of it.
            path: issue.file.strip_prefix("./").unwrap_or(&issue.file),
            lines: Lines { begin, end },
        },
    }
}
