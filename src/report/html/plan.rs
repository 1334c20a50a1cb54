//! The plan: its edits, what it rests on, the diff, and the other plans.
//!
//! Goes in: the rows of the plans. Comes out: lists and a diff. Linear.

use super::super::model::{PlanRow, TargetReport};
use super::super::number::count;
use super::super::{minutes, wording};
use super::safe;
use super::safe::{percent, seconds};
use maud::{Markup, html};

/// Pairs of lines that are shown.
const MOST_PAIRS: usize = 100;

/// The section.
pub fn section(t: &TargetReport, prefix: &str) -> Markup {
    let Some(best) = wording::best(&t.plans).filter(|_| t.history.builds > 0) else {
        return html! {};
    };
    let heading = format!("{prefix}plan");
    let others: Vec<&PlanRow> = t
        .plans
        .iter()
        .filter(|p| !std::ptr::eq(*p, best) && !p.edits.is_empty())
        .collect();
    html! {
        section aria-labelledby={ (prefix) "name " (heading) } {
            h2 id=(heading) { "The plan" }
            @if best.edits.is_empty() {
                p { (wording::nothing(&t.baseline, best)) }
            } @else {
                p { b { (best.safety) ": " (wording::safety(best.safety)) "." } " " (safe::text(&wording::saves(&t.baseline, best))) "." }
                @let time = minutes::of_plan(t.jobs.as_ref(), &t.baseline, best);
                @if !time.is_empty() { p { "In time: " (safe::text(&time)) "." } }
                (body(best, &format!("{prefix}p0"), Some(&format!("{prefix}assumptions")), prefix))
                p.muted { code { "cacheplan optimize --write" } " makes this change in place; " code { "cacheplan verify --plan" } " builds both versions and compares the images." }
            }
            @if !others.is_empty() {
                h3 { "Other plans" }
                @for (i, p) in others.iter().enumerate() {
                    @let m = wording::measure(&t.baseline, p);
                    details {
                        summary { (p.safety) ": " (seconds(m.after)) (m.unit) " per build, saves " (percent(p.saving)) " with " (count(p.edits.len(), "edit")) }
                        (body(p, &format!("{prefix}p{}", i + 1), None, prefix))
                    }
                }
            }
        }
    }
}

fn body(p: &PlanRow, id: &str, anchor: Option<&str>, prefix: &str) -> Markup {
    html! {
        h3 { "What it changes" }
        ol {
            @for e in &p.edits {
                li {
                    a href={ "#" (prefix) "L" (e.line) } {
                        @if e.end_line > e.line { "Lines " (e.line) "–" (e.end_line) } @else { "Line " (e.line) }
                    }
                    ": " (safe::text(&e.why)) " " span.tag { (e.rewrite) } " " span.tag { (e.safety) }
                }
            }
        }
        @if !p.assumptions.is_empty() {
            h3 id=[anchor] { "What it takes for granted" }
            ul { @for a in &p.assumptions { li { (safe::text(a)) } } }
        }
        @if !p.diff.is_empty() { (diff(&p.diff, id)) }
        @if !p.certificate.is_empty() {
            details.proof {
                summary { "Why lines may change places: " (count(p.certificate.len(), "pair")) }
                ul {
                    @for proof in p.certificate.iter().take(MOST_PAIRS) {
                        li { (pair(proof.first, proof.second)) ": " (safe::text(&proof.because)) " " span.tag { (proof.safety) } }
                    }
                }
                @if p.certificate.len() > MOST_PAIRS { p.muted { "and " (p.certificate.len() - MOST_PAIRS) " more: the JSON document has all" } }
            }
        }
    }
}

fn pair(first: Option<u32>, second: Option<u32>) -> Markup {
    let name =
        |line: Option<u32>| line.map_or_else(|| "a new line".to_owned(), |n| format!("line {n}"));
    html! { (name(first)) " and " (name(second)) }
}

/// A unified diff. The signs stay, so that colour is not the only mark.
pub fn diff(text: &str, id: &str) -> Markup {
    let class = |line: &str| match line.as_bytes() {
        [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => "file",
        [b'-', ..] => "del",
        [b'+', ..] => "ins",
        [b'@', ..] => "hunk",
        _ => "same",
    };
    html! {
        h3 id={ (id) "-diff" } { "As a diff" }
        div.scroll.diff tabindex="0" role="group" aria-labelledby={ (id) "-diff" } {
            pre { @for line in text.split_terminator('\n') { code.(class(line)) { (safe::source(line)) "\n" } } }
        }
    }
}
