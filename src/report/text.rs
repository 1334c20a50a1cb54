//! The whole report for a terminal (`--details`): what a build costs, which steps run how often and why, what to do.
//!
//! Goes in: the document and a style. Comes out: lines of about the given width. Linear in the document. Invariant: everything from the repository passes through
//! [`super::escape`], and without colour there is no escape sequence.

use super::escape::{line, shortened, terminal};
use super::model::{
    Analysis, DiagnosticRow, EditRow, FailedTarget, PlanRow, StepRow, TargetReport,
};
use super::number::{bar, count, percent, seconds};
pub use super::page::Style;
use super::page::{BOLD, CYAN, DIM, GREEN, Page, RED, YELLOW};
use super::{findings, minutes, trend, wording};
use std::collections::BTreeSet;

/// Running steps shown; the others are summed up.
const MOST_STEPS: usize = 15;
/// Paths shown under a step.
const MOST_PATHS: usize = 3;
/// Lines of a diff shown; `optimize` prints all of it.
const MOST_DIFF_LINES: usize = 60;
/// Findings shown for a target; `check` lists all of them.
const MOST_FINDINGS: usize = 8;
/// Diagnostics shown for a target.
const MOST_DIAGNOSTICS: usize = 10;

/// The whole analysis.
#[must_use]
pub fn analysis(a: &Analysis, style: Style) -> String {
    let mut page = Page::new(style);
    let (done, failed) = wording::split(a);
    for (i, target) in done.iter().enumerate() {
        if i > 0 {
            page.line("");
        }
        self::target(&mut page, target);
    }
    if !done.is_empty() && !failed.is_empty() {
        page.line("");
    }
    rest(&mut page, a, &failed);
    page.done()
}

/// Targets that could not be analysed, and files that were left alone.
pub(super) fn rest(page: &mut Page, a: &Analysis, failed: &[&FailedTarget]) {
    for f in failed {
        match f
            .diagnostics
            .iter()
            .find(|d| d.severity == "error")
            .or(f.diagnostics.first())
        {
            Some(d) => diagnostic(page, d, &f.file),
            None => page.line(&format!("error: {} could not be analysed", line(&f.file))),
        }
    }
    if a.targets.is_empty() {
        page.line("No Dockerfile found.");
    }
    if !a.not_analysed.is_empty() {
        let names: Vec<String> = a.not_analysed.iter().take(5).map(|n| line(n)).collect();
        let more = a.not_analysed.len() - names.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        page.wrapped(
            DIM,
            "",
            "  ",
            &format!("Not analysed: {}{more}", names.join(", ")),
        );
    }
}

fn target(page: &mut Page, t: &TargetReport) {
    title(page, t);
    let h = &t.history;
    let range = if h.builds > 0 {
        let commit = |c: &str| line(wording::short_commit(c));
        format!(" · oldest {} .. newest {}", commit(&h.from), commit(&h.to))
    } else {
        String::new()
    };
    page.wrapped(
        anstyle::Style::new(),
        "",
        "  ",
        &(wording::history(h) + &range),
    );
    let cost = format!(
        "{}{}{} {}",
        wording::cost(&t.baseline),
        minutes::clock(&t.baseline),
        minutes::pushed(&t.baseline),
        wording::cost_source(&t.steps)
    );
    page.wrapped(anstyle::Style::new(), "", "  ", &cost);
    if let (Some(setting), Some(row)) = (&t.jobs, &t.baseline.jobs) {
        let month = line(&minutes::month(setting, row));
        page.wrapped(anstyle::Style::new(), "", "  ", &month);
    }
    if let Some(text) = t.trend.as_ref().and_then(trend::in_short) {
        page.wrapped(anstyle::Style::new(), "", "  ", &line(&text));
    }
    if let Some(base) = &t.base {
        let text = format!("against {}: {}", line(&base.rev), wording::against(base));
        let color = if base.saving < 0.0 { RED } else { GREEN };
        page.wrapped(color, "", "  ", &text);
    }
    page.line("");
    if !t.steps.is_empty() && h.builds > 0 {
        steps(page, &t.steps, h.builds, MOST_STEPS);
        page.line("");
    }
    plans(page, t);
    advice(page, t);
    if !t.diagnostics.is_empty() {
        page.line("");
    }
    for d in t.diagnostics.iter().take(MOST_DIAGNOSTICS) {
        diagnostic(page, d, &t.file);
    }
    if let Some(more) = t.diagnostics.len().checked_sub(MOST_DIAGNOSTICS + 1) {
        page.line(&format!("… {} like these", count(more + 1, "more message")));
    }
}

pub(super) fn title(page: &mut Page, t: &TargetReport) {
    let stage = t
        .target
        .as_ref()
        .map_or_else(String::new, |s| format!(", target {}", line(s)));
    let name = line(&t.file);
    let about = format!(" (context {}{stage})", line(&t.context));
    let origin = line(&t.origin);
    let used = name.chars().count() + about.chars().count() + origin.chars().count();
    let gap = page.style.width.saturating_sub(used).max(2);
    let text = format!(
        "{}{about}{}{}",
        page.paint(BOLD, &name),
        " ".repeat(gap),
        page.paint(DIM, &origin)
    );
    page.line(&text);
}

/// Columns after the instruction: runs, bar, rate, cost, seconds a build, with their gaps.
const BAR: usize = 10;

pub(super) fn steps(page: &mut Page, steps: &[StepRow], builds: usize, most: usize) {
    let (running, small) = wording::worth_showing(steps, most);
    let always_cached = steps.len() - running.len() - small.len();
    let stages: BTreeSet<&str> = steps
        .iter()
        .map(|s| wording::stage_and_instruction(&s.name).0)
        .collect();
    let runs_width = 2 * builds.to_string().len() + 1;
    let runs_width = runs_width.max("runs in".len());
    // Line number 6, gaps 2 each, rate 6, cost 8, per build 9.
    let name_width = page
        .style
        .width
        .saturating_sub(6 + 2 + 2 + runs_width + 2 + BAR + 1 + 6 + 2 + 8 + 2 + 9)
        .clamp(16, 60);
    if !running.is_empty() {
        let head = format!(
            "{:>4}  {:name_width$}  {:<runs_width$}  {:<rate$}  {:>8}  {:>9}",
            "line",
            "step",
            "runs in",
            "rate",
            "cost",
            "per build",
            rate = BAR + 1 + 6
        );
        page.painted(DIM, &head);
    }
    let mut stage = None;
    let mut behind = false;
    for i in running {
        let s = &steps[i];
        let (of, text) = wording::stage_and_instruction(&s.name);
        if stages.len() > 1 && stage != Some(of) {
            let name = if of.is_empty() {
                "(unnamed)".to_owned()
            } else {
                line(of)
            };
            let heading = format!("stage {}", shortened(&name, page.style.width - 6));
            page.painted(CYAN, &heading);
            stage = Some(of);
        }
        let inherited_only = s.direct == 0 && s.inherited > 0;
        behind |= inherited_only;
        let mark = if inherited_only { " ↑" } else { "" };
        let text = wording::without_mounts(text);
        let name = shortened(&text, name_width - mark.chars().count()) + mark;
        let runs = format!("{}/{builds}", s.executed);
        let color = match s.rate {
            r if r >= 0.5 => RED,
            r if r >= 0.1 => YELLOW,
            _ => GREEN,
        };
        let row = format!(
            "{:>4}  {}{}  {runs:>runs_width$}  {} {:>6}  {:>8}  {:>9}",
            s.line,
            page.paint(BOLD, &name),
            " ".repeat(name_width.saturating_sub(name.chars().count())),
            page.paint(color, &bar(s.rate, BAR)),
            percent(s.rate),
            seconds(s.cost_s),
            seconds(wording::per_build(s)),
        );
        page.line(&row);
        causes(page, s);
    }
    if behind {
        page.painted(DIM, "      ↑ runs only because a step before it ran");
    }
    if steps.iter().any(|s| s.maybe > 0) {
        let text = "      in doubt: only running a step before it can tell; counted as running";
        page.painted(DIM, text);
    }
    if steps.iter().any(wording::is_warm) {
        let text =
            "      per build: with what cache mounts keep, and a step that two stages share once";
        page.painted(DIM, text);
    }
    if !small.is_empty() {
        let sum: f64 = small.iter().map(|i| wording::per_build(&steps[*i])).sum();
        let (n, one) = (small.len(), small.len() == 1);
        let text = format!(
            "      {} run{}, {} a build{}",
            count(n, "more step"),
            if one { "s" } else { "" },
            seconds(sum),
            if one { "" } else { " together" },
        );
        page.painted(DIM, &text);
    }
    if always_cached > 0 {
        let verb = if always_cached == 1 { "is" } else { "are" };
        let text = format!(
            "      {} {verb} always cached",
            count(always_cached, "step")
        );
        page.painted(DIM, &text);
    }
}

/// Why a step runs of itself, and in how many builds nobody can tell.
fn causes(page: &mut Page, s: &StepRow) {
    let mut parts = Vec::new();
    if s.direct > 0 {
        let mut text = format!("itself {}", s.direct);
        if s.inherited > 0 {
            text.push_str(&format!(", behind others {}", s.inherited));
        }
        let paths: Vec<String> = s
            .hot_paths
            .iter()
            .take(MOST_PATHS)
            .map(|p| format!("{} {}", shortened(&p.path, 40), p.builds))
            .collect();
        if !paths.is_empty() {
            text.push_str(&format!(": {}", paths.join(" · ")));
        }
        parts.push(text);
    }
    if s.maybe > 0 {
        parts.push(format!("in doubt in {}", count(s.maybe, "build")));
    }
    if !parts.is_empty() {
        let hang = " ".repeat(8);
        page.wrapped(DIM, &hang, &hang, &parts.join("; "));
    }
}

fn plans(page: &mut Page, t: &TargetReport) {
    let Some(plan) = wording::best(&t.plans) else {
        return;
    };
    // A warning says why there is nothing to compare.
    if t.history.builds == 0 {
        return;
    }
    if plan.edits.is_empty() {
        page.wrapped(BOLD, "", "  ", &wording::nothing(&t.baseline, plan));
        return;
    }
    let head = format!(
        "Plan: {} · {}",
        plan.safety,
        wording::saves(&t.baseline, plan)
    );
    page.wrapped(BOLD, "", "  ", &head);
    let more = minutes::of_plan(t.jobs.as_ref(), &t.baseline, plan);
    if !more.is_empty() {
        page.wrapped(anstyle::Style::new(), "  ", "  ", &line(&more));
    }
    for edit in &plan.edits {
        let text = format!(
            "{}: {} ({}, {})",
            lines(edit),
            line(&edit.why),
            edit.rewrite,
            edit.safety
        );
        page.wrapped(anstyle::Style::new(), "  - ", "    ", &text);
    }
    let head = format!("  {}", wording::safety(plan.safety));
    if plan.assumptions.is_empty() {
        page.line(&head);
    } else {
        page.line(&format!("{head}; assumptions:"));
    }
    for assumption in &plan.assumptions {
        page.wrapped(anstyle::Style::new(), "  - ", "    ", &line(assumption));
    }
    diff(page, &plan.diff);
    for other in t
        .plans
        .iter()
        .filter(|p| !std::ptr::eq(*p, plan) && !p.edits.is_empty())
    {
        also(page, t, other);
    }
}

/// What the rules found, the dearest first.
fn advice(page: &mut Page, t: &TargetReport) {
    if t.findings.is_empty() {
        return;
    }
    let (all, _) = findings::dearest(&t.findings, usize::MAX);
    let groups = findings::by_rule(&all);
    let shown = &groups[..groups.len().min(MOST_FINDINGS)];
    let told: usize = shown.iter().map(|(_, others)| 1 + others).sum();
    let more = all.len() - told;
    page.line("");
    page.painted(BOLD, "Findings");
    for (row, others) in shown {
        let color = severity_color(row.severity);
        let place = match row.file == t.file {
            true => format!("line {}", row.line),
            false => format!("{}:{}", line(&row.file), row.line),
        };
        let severity = page.paint(color, row.severity);
        let text = format!(
            "{severity} {place}: {} [{}]{}",
            line(&findings::sentence(row)),
            row.rule,
            findings::and_more(*others)
        );
        page.wrapped(anstyle::Style::new(), "  ", "    ", &text);
    }
    if more > 0 {
        let text = format!(
            "  … {}: cacheplan check lists all",
            count(more, "more finding")
        );
        page.painted(DIM, &text);
    }
}

pub(super) fn severity_color(severity: &str) -> anstyle::Style {
    match severity {
        "error" => RED,
        "warning" => YELLOW,
        _ => CYAN,
    }
}

fn also(page: &mut Page, t: &TargetReport, plan: &PlanRow) {
    let m = wording::measure(&t.baseline, plan);
    let text = format!(
        "Also: {} · {}{} per build, saves {} with {}{}",
        plan.safety,
        seconds(m.after),
        m.unit,
        percent(plan.saving),
        count(plan.edits.len(), "edit"),
        wording::image(&t.baseline, plan),
    );
    page.wrapped(DIM, "", "  ", &text);
}

pub(super) fn lines(edit: &EditRow) -> String {
    if edit.end_line > edit.line {
        format!("lines {}-{}", edit.line, edit.end_line)
    } else {
        format!("line {}", edit.line)
    }
}

fn diff(page: &mut Page, diff: &str) {
    if diff.is_empty() {
        return;
    }
    page.line("");
    diff_lines(page, diff, MOST_DIFF_LINES);
    page.line("");
}

/// The first lines of a diff, and how many more there are.
pub(super) fn diff_lines(page: &mut Page, diff: &str, most: usize) {
    let total = diff.lines().count();
    for one in diff.lines().take(most) {
        let color = match one.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => BOLD,
            [b'-', ..] => RED,
            [b'+', ..] => GREEN,
            [b'@', ..] => CYAN,
            _ => anstyle::Style::new(),
        };
        page.painted(color, &format!("    {}", terminal(one)));
    }
    if total > most {
        let text = format!(
            "    … {}: cacheplan optimize prints all",
            count(total - most, "more line")
        );
        page.painted(DIM, &text);
    }
}

pub(super) fn diagnostic(page: &mut Page, d: &DiagnosticRow, file: &str) {
    let severity = page.paint(severity_color(d.severity), d.severity);
    let text = format!(
        "{severity}: {} ({})",
        line(&d.message),
        line(&wording::place(d, file))
    );
    page.line(&text);
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
