//! The report for a terminal on one screen: what a build costs, what makes it cost that, and what to change.
//!
//! Goes in: the document and a style. Comes out: about [`SCREEN`] lines of the given width; with several targets a table of all and the one where most
//! is to be saved. Linear in the document. Invariant: what is left out is counted, and `--details` has it.

use super::escape::{line, shortened};
use super::findings::FindingRow;
use super::model::{Analysis, PlanRow, RootRow, StepChange, StepRow, TargetReport};
use super::number::{count, percent, seconds, spark};
use super::page::{BOLD, CYAN, DIM, GREEN, Page, RED, Style, YELLOW};
use super::{findings, minutes, snippet, text, trend, wording};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::{SourceFile, Span};

/// Lines of a screen.
pub const SCREEN: usize = 50;
/// Steps in the table.
const MOST_STEPS: usize = 5;
/// Steps behind the cause that the snippet points at.
const MOST_BEHIND: usize = 3;
/// Edits named one by one.
const MOST_EDITS: usize = 4;
/// Findings named one by one.
const MOST_FINDINGS: usize = 3;
/// Messages about the files.
const MOST_DIAGNOSTICS: usize = 3;
/// Steps named that `--base` makes dearer or cheaper.
const MOST_CHANGES: usize = 3;
/// Targets in the table.
const MOST_TARGETS: usize = 12;
/// A diff that has less room than this is not begun.
const LEAST_DIFF: usize = 6;
/// Columns of the sparkline.
const SPARK: usize = 60;

/// The whole analysis.
#[must_use]
pub fn analysis(a: &Analysis, style: Style) -> String {
    let mut page = Page::new(style);
    let (done, failed) = wording::split(a);
    if done.len() > 1 {
        targets(&mut page, &done);
    }
    if let Some(first) = wording::dearest(&done).first() {
        target(&mut page, first);
    }
    if !done.is_empty() && !failed.is_empty() {
        page.gap();
    }
    text::rest(&mut page, a, &failed);
    if !done.is_empty() {
        let others = match done.len() {
            1 => "",
            _ => " -f FILE shows another Dockerfile.",
        };
        let more = format!(
            "--details shows all steps, assumptions and findings; --format html=FILE is a page to click through.{others}"
        );
        page.wrapped(DIM, "", "", &more);
    }
    page.done()
}

fn name(t: &TargetReport) -> String {
    let stage = t.target.as_ref();
    line(&t.file) + &stage.map_or_else(String::new, |s| format!(" ({})", line(s)))
}

/// A name that no other target of the table has, where it can be.
fn own_name(t: &TargetReport, all: &[&TargetReport]) -> String {
    match wording::is_ambiguous(t, all) {
        true => format!("{} · {}", name(t), line(&t.origin)),
        false => name(t),
    }
}

/// One line a target.
fn targets(page: &mut Page, done: &[&TargetReport]) {
    let list = wording::dearest(done);
    let shown = &list[..list.len().min(MOST_TARGETS)];
    let longest = shown.iter().map(|t| own_name(t, done).chars().count());
    let longest = longest.max();
    let width = longest.unwrap_or(0).clamp(10, page.style.width - 42);
    let head = format!(
        "{:width$}  {:>9}  {:>13}  {:>6}  {:>8}",
        "Dockerfile", "per build", "with the plan", "saves", "findings"
    );
    page.painted(DIM, &head);
    for t in shown {
        let plan = wording::best(&t.plans).filter(|p| !p.edits.is_empty());
        let after = plan.map(|p| wording::measure(&t.baseline, p));
        let row = format!(
            "{:width$}  {:>9}  {:>13}  {:>6}  {:>8}",
            shortened(&own_name(t, done), width),
            seconds(t.baseline.work_s_per_build),
            after.map_or_else(|| "–".to_owned(), |m| seconds(m.after)),
            plan.map_or_else(|| "–".to_owned(), |p| percent(p.saving)),
            t.findings.len(),
        );
        page.line(&row);
    }
    if list.len() > shown.len() {
        let more = count(list.len() - shown.len(), "more target");
        page.painted(DIM, &format!("… {more}"));
    }
    page.gap();
}

fn target(page: &mut Page, t: &TargetReport) {
    let start = page.lines();
    text::title(page, t);
    facts(page, t);
    page.gap();
    if !t.steps.is_empty() && t.history.builds > 0 {
        text::steps(page, &t.steps, t.history.builds, MOST_STEPS);
        page.gap();
        why(page, t);
    }
    plan(page, t, start);
    advice(page, &t.findings, &t.file);
    for d in t.diagnostics.iter().take(MOST_DIAGNOSTICS) {
        let severity = page.paint(text::severity_color(d.severity), d.severity);
        let help = d
            .help
            .as_ref()
            .map_or(String::new(), |h| format!("; {}", line(h)));
        let place = line(&wording::place(d, &t.file));
        let told = format!("{severity}: {}{help} ({place})", line(&d.message));
        page.wrapped(anstyle::Style::new(), "", "  ", &told);
    }
    if let Some(more) = t.diagnostics.len().checked_sub(MOST_DIAGNOSTICS + 1) {
        page.painted(DIM, &format!("… {}", count(more + 1, "more message")));
    }
    page.gap();
}

/// What a build costs, over which builds, and how sure that is.
fn facts(page: &mut Page, t: &TargetReport) {
    let plain = anstyle::Style::new();
    let h = &t.history;
    if h.builds > 0 {
        let cost = wording::cost(&t.baseline) + &minutes::clock(&t.baseline);
        page.wrapped(BOLD, "", "  ", &cost);
    }
    let commit = |c: &str| line(wording::short_commit(c));
    let range = match h.builds {
        0 => String::new(),
        _ => format!(" ({} .. {})", commit(&h.from), commit(&h.to)),
    };
    let source = wording::cost_source(&t.steps);
    let text = format!("{}{range}. {source}", wording::history(h));
    page.wrapped(plain, "", "  ", &text);
    if let (Some(setting), Some(row)) = (&t.jobs, &t.baseline.jobs) {
        page.wrapped(plain, "", "  ", &line(&minutes::month(setting, row)));
    }
    if let Some(text) = t.trend.as_ref().and_then(trend::in_short) {
        page.wrapped(plain, "", "  ", &line(&text));
    }
    if let Some(base) = &t.base {
        let against = wording::against(base);
        let text = format!("Against {}: {against}.", line(&base.rev));
        let color = if base.saving < 0.0 { RED } else { GREEN };
        page.wrapped(color, "", "  ", &text);
        for c in base.steps.iter().take(MOST_CHANGES) {
            page.wrapped(plain, "  - ", "    ", &change(c));
        }
    }
    if let Some(text) = wording::few(h) {
        page.wrapped(YELLOW, "", "  ", &text);
    }
    course(page, &t.course);
}

/// A step that costs more or less than with the other Dockerfile.
fn change(c: &StepChange) -> String {
    let (_, step) = wording::stage_and_instruction(&c.name);
    let place = match c.line {
        Some(n) => format!("line {n} {}", shortened(step, 40)),
        None => shortened(step, 40),
    };
    format!(
        "{place}: {} -> {} per build: {}",
        seconds(c.before_s_per_build),
        seconds(c.after_s_per_build),
        line(&c.why)
    )
}

/// The builds as a line of bars.
fn course(page: &mut Page, seconds_of: &[f64]) {
    let most = seconds_of.iter().copied().fold(0.0, f64::max);
    if seconds_of.len() < 2 || most <= 0.0 {
        return;
    }
    let least = seconds_of.iter().copied().fold(f64::INFINITY, f64::min);
    // Bars of one height say nothing.
    if least > most * 0.9 {
        return;
    }
    let width = SPARK.min(page.style.width - 34);
    let bars = spark(seconds_of, width);
    let text = format!(
        "{}  builds, oldest first: {} .. {}",
        page.paint(CYAN, &bars),
        seconds(least),
        seconds(most),
    );
    page.line(&text);
}

/// The line whose changes make most of the work, and what runs again behind it.
fn why(page: &mut Page, t: &TargetReport) {
    let dear = |s: &&StepRow| s.direct > 0 && s.caused_s_per_build > 0.0;
    let all = t.steps.iter().filter(dear);
    let Some(first) = all.max_by(|a, b| a.caused_s_per_build.total_cmp(&b.caused_s_per_build))
    else {
        return;
    };
    let Some(place) = first_word(&t.source, first.line) else {
        return;
    };
    let mut labels = vec![Label {
        span: place,
        text: changed(first, t.history.builds),
    }];
    let of = |s: &StepRow| s.roots.iter().find(|r| r.step == first.id).cloned();
    let mut behind: Vec<(RootRow, &StepRow)> = t
        .steps
        .iter()
        .filter_map(|s| of(s).map(|r| (r, s)))
        .collect();
    behind.sort_by(|(a, s), (b, t)| {
        let cost = b.work_s_per_build.total_cmp(&a.work_s_per_build);
        cost.then(s.line.cmp(&t.line))
    });
    for (root, step) in behind.iter().take(MOST_BEHIND) {
        if let Some(span) = first_word(&t.source, step.line).filter(|s| *s != place) {
            let text = format!(
                "runs again behind it in {}, {} per build",
                count(root.builds, "build"),
                seconds(root.work_s_per_build)
            );
            labels.push(Label { span, text });
        }
    }
    let message = format!(
        "line {} makes {} of work run again per build",
        first.line,
        seconds(first.caused_s_per_build)
    );
    let shown = Diagnostic {
        code: "why",
        severity: Severity::Note,
        message,
        labels,
        help: None,
    };
    let text = snippet::diagnostics_at(&t.source, &[shown], page.style.color, page.style.width);
    page.out.push_str(&text);
    page.gap();
}

/// How often a step changes, and the paths behind it.
fn changed(step: &StepRow, builds: usize) -> String {
    let paths = step.hot_paths.iter().take(3);
    let paths: Vec<String> = paths
        .map(|p| format!("{} {}", shortened(&p.path, 30), p.builds))
        .collect();
    let of = match paths.is_empty() {
        true => String::new(),
        false => format!(": {}", paths.join(", ")),
    };
    format!("changed in {} of {builds} builds{of}", step.direct)
}

/// The word that a line starts with: marks of whole lines would leave no room beside them.
fn first_word(source: &SourceFile, number: u32) -> Option<Span> {
    let span = source.line_span(number)?;
    let bytes = source.bytes().get(span.range())?;
    let lead = bytes.len() - bytes.trim_ascii_start().len();
    let word = bytes[lead..].split(u8::is_ascii_whitespace).next()?;
    let start = span.start as usize + lead;
    (!word.is_empty()).then(|| Span::new(start, start + word.len()))
}

fn plan(page: &mut Page, t: &TargetReport, start: usize) {
    // A warning says why there is nothing to compare.
    let Some(plan) = wording::best(&t.plans).filter(|_| t.history.builds > 0) else {
        return;
    };
    if plan.edits.is_empty() {
        page.wrapped(BOLD, "", "  ", &wording::nothing(&t.baseline, plan));
        return;
    }
    if let Some(text) = wording::not_worth(&t.baseline, plan) {
        page.wrapped(BOLD, "", "  ", &text);
        page.gap();
        return;
    }
    let head = format!(
        "Plan: {} · {}",
        plan.safety,
        wording::saves(&t.baseline, plan)
    );
    page.wrapped(BOLD, "", "  ", &head);
    let time = minutes::of_plan(t.jobs.as_ref(), &t.baseline, plan);
    if !time.is_empty() {
        page.wrapped(anstyle::Style::new(), "  ", "  ", &line(&time));
    }
    for edit in plan.edits.iter().take(MOST_EDITS) {
        let text = format!("{}: {}", text::lines(edit), line(&edit.why));
        page.wrapped(anstyle::Style::new(), "  - ", "    ", &text);
    }
    let more = match plan.edits.len().saturating_sub(MOST_EDITS) {
        0 => String::new(),
        n => format!("{}; ", count(n, "more edit")),
    };
    let rests = match plan.assumptions.len() {
        0 => String::new(),
        n => format!(" ({})", count(n, "assumption")),
    };
    page.painted(
        DIM,
        &format!("  {more}{}{rests}", wording::safety(plan.safety)),
    );
    diff(
        page,
        plan,
        SCREEN.saturating_sub(page.lines() - start + advised(&t.findings)),
    );
}

/// The diff where it fits on the screen, and how to get it where it does not.
fn diff(page: &mut Page, plan: &PlanRow, room: usize) {
    let total = plan.diff.lines().count();
    if total == 0 {
        return;
    }
    if total <= room.max(LEAST_DIFF) {
        page.gap();
        text::diff_lines(page, &plan.diff, total);
    } else {
        let text = format!(
            "  cacheplan optimize prints the diff ({}), --write applies it",
            count(total, "line")
        );
        page.painted(DIM, &text);
    }
    page.gap();
}

/// Lines that the findings will take.
fn advised(rows: &[FindingRow]) -> usize {
    match rows.len() {
        0 => 0,
        n => 2 * n.min(MOST_FINDINGS) + 3,
    }
}

/// The worst findings, one line each.
fn advice(page: &mut Page, rows: &[FindingRow], file: &str) {
    if rows.is_empty() {
        return;
    }
    let kinds = findings::kinds(|k| rows.iter().filter(|r| r.severity == k).count());
    page.painted(BOLD, &format!("Findings: {}", kinds.join(", ")));
    let (shown, _) = findings::dearest(rows, usize::MAX);
    for (row, others) in findings::by_rule(&shown).iter().take(MOST_FINDINGS) {
        let place = match row.file == file {
            true => format!("line {}", row.line),
            false => format!("{}:{}", shortened(&row.file, 30), row.line),
        };
        let severity = page.paint(text::severity_color(row.severity), row.severity);
        let sentence = line(&findings::sentence(row));
        let more = findings::and_more(*others);
        let text = format!("{severity} {place}: {sentence} [{}]{more}", row.rule);
        page.wrapped(anstyle::Style::new(), "  ", "    ", &text);
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
