//! The first screen: what is slow, why, what to change, and how sure that is.

use super::super::model::{PlanRow, StepRow, TargetReport};
use super::super::number::count;
use super::super::{minutes, trend, wording};
use super::safe::{percent, seconds};
use super::{causes, safe};
use maud::{Markup, html};

/// Steps named as slow.
const MOST_SLOW: usize = 3;
/// Steps named that `--base` makes dearer or cheaper.
const MOST_CHANGES: usize = 5;
/// A step that costs less than this share of a build's work is not named.
const LEAST_SHARE: f64 = 0.05;
/// Another cause is named from this share of a step's builds on.
const LEAST_ROOT: f64 = 0.15;

/// The section.
pub fn section(t: &TargetReport, prefix: &str) -> Markup {
    let best = wording::best(&t.plans).filter(|p| !p.edits.is_empty());
    html! {
        section.summary aria-labelledby={ (prefix) "name " (prefix) "summary" } {
            span id={ (prefix) "summary" } hidden { "summary" }
            @if t.history.builds > 0 { (figures(t, best)) }
            dl.answers {
                dt { "What is slow" } dd { (slow(t, prefix)) }
                @if t.history.builds > 0 {
                    dt { "Why" } dd { (why(t, prefix)) }
                    dt { "What to change" } dd { (change(t, best, prefix)) }
                    dt { "How sure" } dd { (sure(t, best, prefix)) }
                }
            }
        }
    }
}

/// The steps that cost most, dearest first.
fn dearest(t: &TargetReport) -> Vec<usize> {
    let all = t.baseline.work_s_per_build;
    let cost = |i: &usize| t.steps[*i].work_s_per_build;
    let mut list: Vec<usize> = (0..t.steps.len()).collect();
    list.retain(|i| all > 0.0 && cost(i) >= all * LEAST_SHARE);
    list.sort_by(|a, b| cost(b).total_cmp(&cost(a)).then(a.cmp(b)));
    list.truncate(MOST_SLOW);
    list
}

fn figures(t: &TargetReport, best: Option<&PlanRow>) -> Markup {
    let m = best.map(|p| wording::measure(&t.baseline, p));
    let now = m.as_ref().map_or(t.baseline.work_s_per_build, |m| m.before);
    let top = now.max(m.as_ref().map_or(0.0, |m| m.after)).max(1e-9);
    let unit = m.as_ref().map_or("", |m| m.unit);
    let chain = !unit.is_empty();
    html! {
        div.figures {
            (figure(if chain { "longest chain of a build now" } else { "of work in a build now, on average" }, now, top, "now"))
            @if let (Some(p), Some(m)) = (best, &m) {
                (figure("with the plan below", m.after, top, "plan"))
                div.figure {
                    p.value.saved { (percent(p.saving)) }
                    p { "saved" @if let Some(h) = p.held_out_saving { " (" (percent(h)) " on builds that the plan was not chosen on)" } }
                }
            }
        }
    }
}

fn figure(what: &str, value: f64, top: f64, class: &str) -> Markup {
    html! {
        div.figure {
            p.value { (seconds(value)) }
            (bar(value / top, class))
            p { (what) }
        }
    }
}

/// A share as a bar. It says nothing that no figure beside it says.
pub fn bar(share: f64, class: &str) -> Markup {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let width = format!(
        "{:.1}",
        if share > 0.0 {
            (share * 100.0).max(1.0)
        } else {
            0.0
        }
    );
    html! {
        svg.bar.(class) viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.track width="100" height="8" {}
            rect.fill width=(width) height="8" {}
        }
    }
}

/// In how many builds a step runs.
fn runs_in(t: &TargetReport, step: usize) -> usize {
    t.steps[step].executed + t.steps[step].maybe
}

/// `236 of the 354 builds in which line 8 runs`.
fn share(t: &TargetReport, builds: usize, step: usize) -> String {
    match runs_in(t, step) {
        all if all > builds => format!(
            "{builds} of the {all} builds in which line {} runs",
            t.steps[step].line
        ),
        _ => count(builds, "build"),
    }
}

/// The same with the share of all.
fn runs(t: &TargetReport, s: &StepRow) -> String {
    let n = s.executed + s.maybe;
    format!(
        "{n} of {} ({})",
        count(t.history.builds, "build"),
        percent(s.rate)
    )
}

fn slow(t: &TargetReport, prefix: &str) -> Markup {
    if t.history.builds == 0 {
        return html! { p { (wording::history(&t.history)) "." } };
    }
    let work = t.baseline.work_s_per_build;
    let list = dearest(t);
    html! {
        @if list.is_empty() {
            p { "Nothing: a build does " (seconds(work)) " of work on average; almost all steps come from the cache." }
        } @else {
            p { "Of the " (seconds(work)) " of work in an average build:" }
            ol {
                @for i in list {
                    @let s = &t.steps[i];
                    @let cost = t.steps[i].work_s_per_build;
                    @let (takes, _) = causes::when_it_runs(t, i);
                    li {
                        b { (seconds(cost)) " (" (percent(cost / work)) ")" } " in " (causes::link(t, prefix, i))
                        ", which runs again in " (runs(t, s)) " and takes " (seconds(takes)) " (" (s.cost_source) ") each time."
                    }
                }
            }
        }
        p.muted { (wording::history(&t.history)) ". From an empty cache a build does " (seconds(t.baseline.cold_s)) " of work." }
    }
}

fn why(t: &TargetReport, prefix: &str) -> Markup {
    let list = dearest(t);
    let roots = t.detail.as_deref().map(causes::roots).unwrap_or_default();
    if list.is_empty() {
        return html! {
            p {
                @if t.history.builds_with_any_change == 0 { "None of these commits changes what a step reads." }
                @else { "Few commits change what a step with any cost reads." }
            }
        };
    }
    // Steps that run for the same reason are told of together.
    let mut groups: Vec<(Option<usize>, usize, Vec<usize>)> = Vec::new();
    for i in list {
        let first = roots.get(i).and_then(|r| r.first());
        let root = first.map(|r| r.0);
        match groups.iter_mut().find(|g| g.0 == root) {
            Some(g) => g.2.push(i),
            None => groups.push((root, first.map_or(0, |r| r.1), vec![i])),
        }
    }
    html! {
        @for (root, builds, steps) in &groups {
            p {
                @match root {
                    Some(r) if steps.as_slice() == [*r] => {
                        "The step at " (causes::link(t, prefix, *r)) " runs again because of what it reads itself, in " (share(t, *builds, steps[0]))
                    }
                    Some(r) => {
                        @for (i, s) in steps.iter().filter(|s| *s != r).enumerate() {
                            @if i > 0 { " and " }
                            a href={ "#" (prefix) "L" (t.steps[*s].line) } { @if i == 0 { "Line " } @else { "line " } (t.steps[*s].line) }
                        }
                        @if steps.iter().filter(|s| *s != r).count() == 1 { " runs" } @else { " run" }
                        " again because " (causes::link(t, prefix, *r)) " did before, in " (share(t, *builds, steps[0]))
                    }
                    None => {
                        "The step at " (causes::link(t, prefix, steps[0])) " runs again because a step before it did"
                    }
                }
                @if let Some(r) = root.filter(|r| !t.steps[*r].hot_paths.is_empty()) {
                    ". What changed there most often: " (causes::hot_paths(t, r, 4))
                }
                @for (other, n) in roots.get(steps[0]).map_or(&[][..], Vec::as_slice).iter().skip(1).take(2) {
                    @if *n as f64 >= runs_in(t, steps[0]) as f64 * LEAST_ROOT {
                        @if *other == steps[0] { ". In " (count(*n, "build")) " it is its own doing" }
                        @else { ". In " (count(*n, "build")) " it was " (causes::link(t, prefix, *other)) }
                    }
                }
                "."
            }
        }
        @if t.detail.as_deref().is_some_and(|d| !d.builds.is_empty()) {
            p.muted { a href={ "#" (prefix) "builds" } { "Every build with its causes" } }
        }
    }
}

fn change(t: &TargetReport, best: Option<&PlanRow>, prefix: &str) -> Markup {
    let Some(plan) = best else {
        let plan = wording::best(&t.plans);
        return html! {
            @if let Some(p) = plan { p { (wording::nothing(&t.baseline, p)) } }
            @if !t.findings.is_empty() {
                p { "The rules have " a href={ "#" (prefix) "findings" } { (count(t.findings.len(), "finding")) } " about the file." }
            }
        };
    };
    if let Some(text) = wording::not_worth(&t.baseline, plan) {
        return html! { p { (safe::prose(&text)) } };
    }
    const SHOWN: usize = 4;
    html! {
        p { b { "Apply " a href={ "#" (prefix) "plan" } { "the plan" } } ", " (count(plan.edits.len(), "edit")) ": " (safe::text(&wording::saves(&t.baseline, plan))) "." }
        ul {
            @for e in plan.edits.iter().take(SHOWN) {
                li { a href={ "#" (prefix) "L" (e.line) } { "Line " (e.line) } ": " (safe::short(&e.why, 300)) }
            }
        }
        @if plan.edits.len() > SHOWN { p.muted { "and " (count(plan.edits.len() - SHOWN, "more edit")) " that belong to it" } }
    }
}

fn sure(t: &TargetReport, best: Option<&PlanRow>, prefix: &str) -> Markup {
    let dear = dearest(t);
    html! {
        @if let Some(text) = wording::few(&t.history) { p { span.tag.warning { "warning" } " " (safe::prose(&text)) } }
        ul {
            li { (wording::cost_source(&t.steps)) " Nothing was built for this report; sums over builds are modelled." }
            @if let Some(i) = dear.first().copied() {
                @let s = &t.steps[i];
                @let (_, range) = causes::when_it_runs(t, i);
                li {
                    "For the dearest step the seconds lie between " (seconds(range[0])) " and " (seconds(range[1]))
                    "; the share of builds in which it runs, " (percent(s.rate)) ", has a 95 % interval of " (percent(s.rate_interval[0])) " to "
                    (percent(s.rate_interval[1])) "."
                }
            }
            @if t.baseline.work_s_per_build_min < t.baseline.work_s_per_build - 0.005 {
                li { "Some steps are in doubt: if all of them came from the cache, a build would do " (seconds(t.baseline.work_s_per_build_min)) " of work." }
            }
            @if let Some(p) = best {
                li {
                    "The plan is " b { (p.safety) } ": " (wording::safety(p.safety))
                    @if !p.assumptions.is_empty() { " (" a href={ "#" (prefix) "assumptions" } { (count(p.assumptions.len(), "assumption")) } ")" }
                    @if let Some(h) = p.held_out_saving {
                        ". Chosen on the older 70 % of the builds, a plan saves " (percent(h)) " on the newer 30 %"
                    }
                    "."
                }
            }
            @if !t.diagnostics.is_empty() {
                li { a href={ "#" (prefix) "notes" } { (count(t.diagnostics.len(), "note")) } " about what was taken for granted: the first is “" (safe::prose(&t.diagnostics[0].message)) "”." }
            }
            @if let (Some(setting), Some(row)) = (&t.jobs, &t.baseline.jobs) { li { (safe::text(&minutes::month(setting, row))) } }
            @if let Some(text) = t.trend.as_ref().and_then(trend::in_short) { li { (safe::text(&text)) } }
            @if let Some(b) = &t.base {
                li {
                    "Against " code { (safe::text(&b.rev)) } ": " (wording::against(b)) "."
                    @if !b.steps.is_empty() { ul { @for c in b.steps.iter().take(MOST_CHANGES) { li {
                        code { (safe::short(wording::stage_and_instruction(&c.name).1, 80)) } ": "
                        (seconds(c.before_s_per_build)) " to " (seconds(c.after_s_per_build)) " per build: " (safe::text(&c.why))
                    } } } }
                }
            }
        }
    }
}
