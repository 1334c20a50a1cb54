//! The Dockerfile with what its steps cost beside the lines.
//!
//! Goes in: the text and the rows of the steps. Comes out: a table with one row a line of the file. Linear in both.

use super::super::detail::Detail;
use super::super::model::TargetReport;
use super::super::number::count;
use super::super::wording;
use super::safe::{percent, seconds};
use super::{causes, safe, summary};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The section; without the text, the steps alone.
pub fn section(t: &TargetReport, detail: Option<&Detail>, prefix: &str) -> Markup {
    let text = detail.map_or("", |d| d.dockerfile.as_str());
    let heading = format!("{prefix}dockerfile");
    html! {
        section aria-labelledby={ (prefix) "name " (heading) } {
            h2 id=(heading) { "The Dockerfile and what its steps cost" }
            @if t.steps.is_empty() {
                p { "No step could be replayed." }
            } @else {
                div.scroll tabindex="0" role="group" aria-label="Dockerfile with figures" {
                    table.dockerfile {
                        caption {
                            "Builds in which the step of a line runs again, seconds when it does (source and range), and what that makes in a build on average. "
                            "Lines without figures are not steps, or always come from the cache."
                        }
                        thead { tr {
                            th.num scope="col" { "line" } th scope="col" { (safe::text(&t.file)) }
                            th.num scope="col" { "runs again in" } th.num scope="col" { "when it runs" } th.num scope="col" { "per build" }
                        } }
                        tbody {
                            @if text.is_empty() { (steps_alone(t, prefix)) } @else { (lines(t, text, detail, prefix)) }
                        }
                    }
                }
            }
        }
    }
}

fn lines(t: &TargetReport, text: &str, detail: Option<&Detail>, prefix: &str) -> Markup {
    let roots = detail.map(causes::roots).unwrap_or_default();
    let mut by_line: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut ends: BTreeMap<usize, usize> = BTreeMap::new();
    for (i, s) in t.steps.iter().enumerate() {
        by_line.entry(s.line as usize).or_default().push(i);
        let end = detail
            .and_then(|d| d.steps.get(i))
            .map_or(s.line, |d| d.end_line);
        ends.insert(s.line as usize, end as usize);
    }
    let mut inside = 0;
    let rows: Vec<(usize, &str, Option<usize>, bool)> = text
        .trim_start_matches('\u{feff}')
        .split_terminator('\n')
        .enumerate()
        .map(|(i, line)| {
            let n = i + 1;
            let steps = by_line.get(&n).and_then(|s| {
                s.iter().max_by(|a, b| {
                    t.steps[**a]
                        .work_s_per_build
                        .total_cmp(&t.steps[**b].work_s_per_build)
                })
            });
            if let Some(end) = ends.get(&n) {
                inside = *end;
            }
            (n, line, steps.copied(), n <= inside)
        })
        .collect();
    let hot: Vec<std::ops::RangeInclusive<usize>> = (0..t.steps.len())
        .filter(|i| is_hot(t, *i))
        .map(|i| {
            let start = t.steps[i].line as usize;
            start..=ends.get(&start).copied().unwrap_or(start)
        })
        .collect();
    let hot_line = |n: usize| hot.iter().any(|r| r.contains(&n));
    html! {
        @for (n, line, step, of_step) in rows {
            @let s = step.map(|i| &t.steps[i]);
            tr id={ (prefix) "L" (n) } .step[s.is_some()] .hot[hot_line(n)] .other[!of_step] {
                td.num.lineno { (n) }
                td.code {
                    code { (safe::source(line)) }
                    @if let Some(i) = step { (because(t, &roots, i, prefix)) }
                }
                @match step { Some(i) => { (figures(t, i)) } None => { td {} td {} td {} } }
            }
        }
    }
}

fn steps_alone(t: &TargetReport, prefix: &str) -> Markup {
    html! {
        @for (i, s) in t.steps.iter().enumerate() {
            tr id={ (prefix) "L" (s.line) } .step {
                td.num.lineno { (s.line) }
                td.code { code { (safe::text(wording::stage_and_instruction(&s.name).1)) } }
                (figures(t, i))
            }
        }
    }
}

/// Whether a step takes a tenth of the work or more.
fn is_hot(t: &TargetReport, step: usize) -> bool {
    let cost = t.steps[step].work_s_per_build;
    cost > 0.0 && cost >= t.baseline.work_s_per_build * 0.1
}

fn figures(t: &TargetReport, i: usize) -> Markup {
    let s = &t.steps[i];
    let work = t.steps[i].work_s_per_build;
    let runs = s.executed + s.maybe;
    let (takes, [low, high]) = causes::when_it_runs(t, i);
    let share = match t.baseline.work_s_per_build {
        w if w > 0.0 => work / w,
        _ => 0.0,
    };
    html! {
        td.num.rate {
            @if runs > 0 {
                span title={ "95 % interval " (percent(s.rate_interval[0])) " to " (percent(s.rate_interval[1])) } { (runs) " (" (percent(s.rate)) ")" }
                (summary::bar(s.rate, "rate"))
                @if s.maybe > 0 { span.muted { (s.maybe) " in doubt" } }
            } @else { span.muted { "cached" } }
        }
        td.num {
            @if runs > 0 {
                (seconds(takes))
                @if takes < s.cost_s * 0.99 { br; span.muted { (seconds(s.cost_s)) " with an empty mount" } }
                @if takes > 0.0 { br; span.muted { (s.cost_source) " " (seconds(low).trim_end_matches("\u{a0}s")) "–" (seconds(high)) } }
            }
        }
        td.num.cost { @if runs > 0 { (seconds(work)) (summary::bar(share, "work")) } }
    }
}

/// Why a step runs, under its first line.
fn because(t: &TargetReport, roots: &[Vec<(usize, usize)>], i: usize, prefix: &str) -> Markup {
    let s = &t.steps[i];
    if s.executed + s.maybe == 0 {
        return html! {};
    }
    let others: Vec<&(usize, usize)> = roots
        .get(i)
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter(|r| r.0 != i)
        .collect();
    html! {
        span.because {
            @if s.direct > 0 {
                "by itself in " (count(s.direct, "build"))
                @if !s.hot_paths.is_empty() { ": " (causes::hot_paths(t, i, 3)) }
            }
            @if s.direct > 0 && !others.is_empty() { "; " }
            @for (k, (root, n)) in others.iter().take(2).enumerate() {
                @if k > 0 { ", " }
                "because of " a href={ "#" (prefix) "L" (t.steps[*root].line) } { "line " (t.steps[*root].line) } " in " (n)
            }
            @if s.direct == 0 && others.is_empty() && s.inherited > 0 { "because a step before it ran" }
        }
    }
}
