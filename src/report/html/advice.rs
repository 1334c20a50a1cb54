//! What the rules found, and what is to be said about the files.

use super::super::findings::{self, FindingRow};
use super::super::model::{DiagnosticRow, TargetReport};
use super::super::number::count;
use super::super::wording;
use super::safe;
use maud::{Markup, html};

/// Rows of a table; the others are counted.
const MOST: usize = 200;

/// The section.
pub fn section(t: &TargetReport, prefix: &str) -> Markup {
    let (shown, more) = findings::dearest(&t.findings, MOST);
    html! {
        @if !shown.is_empty() {
            section aria-labelledby={ (prefix) "name " (prefix) "findings" } {
                h2 id={ (prefix) "findings" } { (count(t.findings.len(), "finding")) " of the rules" }
                (table(&shown, &t.file, Some(prefix)))
                @if more > 0 { p.muted { "and " (more) " more: " code { "cacheplan check" } " lists all" } }
            }
        }
        @if !t.diagnostics.is_empty() {
            section aria-labelledby={ (prefix) "name " (prefix) "notes" } {
                h2 id={ (prefix) "notes" } { "Notes about this replay" }
                ul { @for d in t.diagnostics.iter().take(MOST) { li { (diagnostic(d, &t.file)) } } }
                @if t.diagnostics.len() > MOST { p.muted { "and " (t.diagnostics.len() - MOST) " more" } }
            }
        }
    }
}

/// Findings as a table; lines of `own` are links where the file is shown under `prefix`.
pub fn table(rows: &[&FindingRow], own: &str, prefix: Option<&str>) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table of findings" {
            table {
                caption { "The worst first, and of those the dearest" }
                thead { tr {
                    th scope="col" { "severity" } th scope="col" { "where" } th scope="col" { "what" } th scope="col" { "rule" }
                } }
                tbody {
                    @for r in rows {
                        tr {
                            td { span.tag.(r.severity) { (r.severity) } }
                            td.nowrap {
                                @match prefix.filter(|_| r.file == own) {
                                    Some(p) => { a href={ "#" (p) "L" (r.line) } { "line " (r.line) } }
                                    None if r.file == own => { "line " (r.line) }
                                    None => { (safe::short(&r.file, 50)) ":" (r.line) }
                                }
                            }
                            td {
                                (safe::prose(&findings::sentence(r)))
                                @if let Some(help) = &r.help { br; span.muted { (safe::prose(help)) } }
                                @if let Some(fix) = &r.fix { " " span.tag { "has a fix, " (fix.safety) } }
                            }
                            td.nowrap { code { (r.rule) } }
                        }
                    }
                }
            }
        }
    }
}

/// One message.
pub fn diagnostic(d: &DiagnosticRow, file: &str) -> Markup {
    html! {
        span.tag.(d.severity) { (d.severity) } " " (safe::prose(&d.message))
        @if let Some(help) = &d.help { " (" (safe::prose(help)) ")" }
        " " span.muted { code { (safe::short(&wording::place(d, file), 80)) } }
    }
}
