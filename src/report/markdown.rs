//! The report as a comment on a pull request.
//!
//! Goes in: the document. Comes out: GitHub-flavoured Markdown of at most [`LIMIT`] characters that
//! starts with a marker, so that a later run can find and replace its comment. Linear in the
//! document. Invariant: nothing from the repository mentions, links, or breaks out of its place,
//! and a cut is said.

use super::escape::{fence, line, markdown_code, markdown_text, shortened, without_commands};
use super::model::{
    Analysis, BaseComparison, DiagnosticRow, FailedTarget, PlanRow, StepChange, StepRow,
    TargetReport,
};
use super::number::{count, percent, seconds};
use super::{findings, issue, minutes, trend, wording};

/// What GitHub takes as one comment, in characters.
pub const LIMIT: usize = 65_536;
/// First line of an analysis.
pub const MARKER: &str = "<!-- cacheplan -->";
/// First line of a comparison, another one so that both can stand at one pull request.
pub const COMPARISON_MARKER: &str = "<!-- cacheplan compare -->";

const CUT: &str =
    "\n_Some parts were left out to fit into a comment; the text and JSON reports have them._\n";
const MOST_STEPS: usize = 10;
const MOST_ROWS_BELOW: usize = 20;
/// Assumptions that need no fold.
const MOST_OPEN: usize = 4;
/// Characters of a name or instruction.
const NAME: usize = 120;
/// Characters of a sentence.
const SENTENCE: usize = 600;

/// What is given up first when the comment is too long, last in this order first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Head,
    Row,
    Plan,
    Message,
    Steps,
    Diff,
}

pub(super) type Piece = (Rank, String);

/// The whole analysis.
#[must_use]
pub fn analysis(a: &Analysis) -> String {
    let (done, failed) = wording::split(a);
    let mut pieces = vec![(
        Rank::Head,
        format!("{MARKER}\n### What builds cost in the layer cache\n\n"),
    )];
    if !done.is_empty() {
        summary(&mut pieces, &done);
    }
    for f in failed {
        pieces.push((Rank::Row, format!("\n{}", failure(f))));
    }
    if a.targets.is_empty() {
        pieces.push((Rank::Head, "No Dockerfile found.\n".to_owned()));
    }
    for t in wording::dearest(&done) {
        target(&mut pieces, t, &done);
    }
    if !a.not_analysed.is_empty() {
        let names: Vec<String> = a.not_analysed.iter().take(5).map(|n| name(n)).collect();
        let more = a.not_analysed.len() - names.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        pieces.push((
            Rank::Message,
            format!("\nNot analysed: {}{more}\n", names.join(", ")),
        ));
    }
    assemble(pieces)
}

/// Joins the pieces, without the least important ones where the whole would be too long. Every
/// piece starts at a line's start, so CI commands can be taken out of each before it is measured.
pub(super) fn assemble(mut pieces: Vec<Piece>) -> String {
    let mut lengths: Vec<usize> = pieces
        .iter_mut()
        .map(|(_, text)| {
            *text = without_commands(text).into_owned();
            text.chars().count()
        })
        .collect();
    let mut total: usize = lengths.iter().sum();
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse((pieces[*i].0, *i)));
    let mut cut = false;
    if total > LIMIT {
        for i in order {
            if total + CUT.chars().count() <= LIMIT {
                break;
            }
            if pieces[i].0 == Rank::Head {
                continue;
            }
            total -= std::mem::take(&mut lengths[i]);
            pieces[i].1.clear();
            cut = true;
        }
    }
    let mut out: String = pieces.into_iter().map(|(_, text)| text).collect();
    if cut {
        out.push_str(CUT);
    }
    out
}

pub(super) fn name(text: &str) -> String {
    markdown_code(&shortened(text, NAME))
}

pub(super) fn sentence(text: &str) -> String {
    markdown_text(&shortened(text, SENTENCE))
}

fn title(t: &TargetReport) -> String {
    match &t.target {
        Some(stage) => format!("{} target {}", name(&t.file), name(stage)),
        None => name(&t.file),
    }
}

/// The same with the origin, where another target has that title.
fn own_title(t: &TargetReport, all: &[&TargetReport]) -> String {
    match wording::is_ambiguous(t, all) {
        true => format!("{} ({})", title(t), sentence(&t.origin)),
        false => title(t),
    }
}

/// What the rules found, the dearest first.
fn advice(pieces: &mut Vec<Piece>, t: &TargetReport) {
    let (all, _) = findings::dearest(&t.findings, usize::MAX);
    let groups = findings::by_rule(&all);
    let shown = &groups[..groups.len().min(MOST_ROWS_BELOW)];
    if shown.is_empty() {
        return;
    }
    let told: usize = shown.iter().map(|(_, others)| 1 + others).sum();
    let more = all.len() - told;
    let mut text = "\n**Findings**\n\n".to_owned();
    for (row, others) in shown {
        let place = match row.file == t.file {
            true => format!("line {}", row.line),
            false => format!("{} line {}", name(&row.file), row.line),
        };
        text.push_str(&format!(
            "- {} {place}: {} ({}){}\n",
            row.severity,
            issue::markdown(&shortened(&findings::sentence(row), SENTENCE)),
            markdown_code(row.rule),
            findings::and_more(*others)
        ));
    }
    if more > 0 {
        text.push_str(&format!("- and {more} more: `cacheplan check` lists all\n"));
    }
    pieces.push((Rank::Message, text));
}

/// One row a target: base and present with `--base`, else present and best plan.
fn summary(pieces: &mut Vec<Piece>, done: &[&TargetReport]) {
    let head = if done.iter().any(|t| t.base.is_some()) {
        "| Dockerfile | before | after | saving per build | 95 % interval | with the best plan |\n|---|--:|--:|--:|--:|--:|\n"
    } else {
        "| Dockerfile | now | with the plan | saving per build | on builds it was not chosen on |\n|---|--:|--:|--:|--:|\n"
    };
    let with_base = done.iter().any(|t| t.base.is_some());
    pieces.push((Rank::Head, head.to_owned()));
    for t in wording::dearest(done) {
        let plan = wording::best(&t.plans).filter(|p| !p.edits.is_empty());
        let measure = plan.map(|p| wording::measure(&t.baseline, p));
        let now = seconds(t.baseline.work_s_per_build);
        let row = if with_base {
            let best =
                measure.map_or_else(|| "no better one".to_owned(), |m| seconds(m.after) + m.unit);
            match &t.base {
                Some(b) => format!(
                    "| {} | {} | {} | {} | {} | {best} |\n",
                    own_title(t, done),
                    seconds(b.baseline.work_s_per_build),
                    seconds(b.work_s_per_build),
                    percent(b.saving),
                    wording::range(b.interval).trim_start_matches("95 % interval "),
                ),
                None => format!("| {} | – | {now} | – | – | {best} |\n", own_title(t, done)),
            }
        } else if let (Some(p), Some(m)) = (plan, measure) {
            format!(
                "| {} | {}{} | {} | {} | {} |\n",
                own_title(t, done),
                seconds(m.before),
                m.unit,
                seconds(m.after),
                percent(p.saving),
                p.held_out_saving.map_or_else(|| "–".to_owned(), percent),
            )
        } else {
            format!(
                "| {} | {now} | no better one | – | – |\n",
                own_title(t, done)
            )
        };
        pieces.push((Rank::Row, row));
    }
}

fn target(pieces: &mut Vec<Piece>, t: &TargetReport, all: &[&TargetReport]) {
    let mut head = format!(
        "\n#### {}\n\n{}.",
        own_title(t, all),
        wording::history(&t.history)
    );
    let costs = wording::cost_source(&t.steps);
    let clock = minutes::clock(&t.baseline) + &minutes::pushed(&t.baseline);
    head.push_str(&format!(" {}{clock} {costs}\n", wording::cost(&t.baseline)));
    if let (Some(setting), Some(row)) = (&t.jobs, &t.baseline.jobs) {
        let month = markdown_text(&minutes::month(setting, row));
        head.push_str(&format!("\n{month}\n"));
    }
    if let Some(text) = t.trend.as_ref().and_then(trend::in_short) {
        head.push_str(&format!("\n{}\n", sentence(&text)));
    }
    if let Some(base) = &t.base {
        head.push_str(&format!(
            "\nAgainst {}: {}.\n",
            name(&base.rev),
            markdown_text(&wording::against(base))
        ));
    }
    if let Some(text) = wording::few(&t.history) {
        head.push_str(&format!("\n{}\n", markdown_text(&text)));
    }
    pieces.push((Rank::Plan, head));
    // What figures rest on stands before them.
    for d in t.diagnostics.iter().take(MOST_ROWS_BELOW) {
        pieces.push((Rank::Message, format!("\n{}", diagnostic(d, &t.file))));
    }
    if let Some(base) = &t.base {
        changes(pieces, base);
    }
    if t.history.builds > 0 {
        steps(pieces, &t.steps, t.history.builds);
    }
    plan(pieces, t);
    advice(pieces, t);
}

/// What the change does to single steps, in two lists.
fn changes(pieces: &mut Vec<Piece>, base: &BaseComparison) {
    let dearer = |c: &&StepChange| c.after_s_per_build > c.before_s_per_build;
    let (more, less): (Vec<_>, Vec<_>) = base.steps.iter().partition(dearer);
    for (title, list) in [("dearer", more), ("cheaper", less)] {
        if list.is_empty() {
            continue;
        }
        let mut out = format!(
            "\n**What this change makes {title}**\n\n| line | step | before | after | why |\n|--:|---|--:|--:|---|\n"
        );
        for c in list.iter().take(MOST_STEPS) {
            let (stage, text) = wording::stage_and_instruction(&c.name);
            let stage = match stage.is_empty() {
                true => String::new(),
                false => format!("{} ", name(stage)),
            };
            let place = c.line.map_or_else(|| "–".to_owned(), |l| l.to_string());
            out.push_str(&format!(
                "| {place} | {stage}{} | {} | {} | {} |\n",
                name(text),
                seconds(c.before_s_per_build),
                seconds(c.after_s_per_build),
                sentence(&c.why)
            ));
        }
        if list.len() > MOST_STEPS {
            out.push_str(&format!("\n… and {} more.\n", list.len() - MOST_STEPS));
        }
        pieces.push((Rank::Plan, out));
    }
}

fn steps(pieces: &mut Vec<Piece>, steps: &[StepRow], builds: usize) {
    let (running, rest) = wording::worth_showing(steps, MOST_STEPS);
    let silent = steps.len() - running.len() - rest.len();
    if running.is_empty() {
        return;
    }
    let mut out = "\n| line | step | runs in | rate | cost | per build | because of |\n|--:|---|--:|--:|--:|--:|---|\n".to_owned();
    for s in running.into_iter().map(|i| &steps[i]) {
        let (stage, text) = wording::stage_and_instruction(&s.name);
        let stage = if stage.is_empty() {
            String::new()
        } else {
            format!("{} ", name(stage))
        };
        let doubt = if s.maybe > 0 {
            format!(" (+{} in doubt)", s.maybe)
        } else {
            String::new()
        };
        out.push_str(&format!(
            "| {} | {stage}{} | {}/{builds}{doubt} | {} | {} | {} | {} |\n",
            s.line,
            name(text),
            s.executed,
            percent(s.rate),
            seconds(s.cost_s),
            seconds(wording::per_build(s)),
            because(s),
        ));
    }
    let mut left_out = Vec::new();
    if !rest.is_empty() {
        let sum: f64 = rest.iter().map(|i| wording::per_build(&steps[*i])).sum();
        left_out.push(format!(
            "{} that cost {} a build",
            count(rest.len(), "step"),
            seconds(sum)
        ));
    }
    if silent > 0 {
        left_out.push(format!("{} always cached", count(silent, "step")));
    }
    if !left_out.is_empty() {
        out.push_str(&format!("\nNot shown: {}.\n", left_out.join(", ")));
    }
    pieces.push((Rank::Steps, out));
}

fn because(s: &StepRow) -> String {
    if s.direct == 0 {
        return if s.inherited > 0 {
            "a step before it".to_owned()
        } else {
            String::new()
        };
    }
    let mut parts: Vec<String> = s
        .hot_paths
        .iter()
        .take(3)
        .map(|p| format!("{} {}", name(&p.path), p.builds))
        .collect();
    if parts.is_empty() {
        parts.push(format!("itself {}", s.direct));
    }
    if s.inherited > 0 {
        parts.push(format!("steps before it {}", s.inherited));
    }
    parts.join(", ")
}

fn plan(pieces: &mut Vec<Piece>, t: &TargetReport) {
    let Some(plan) = wording::best(&t.plans) else {
        return;
    };
    // A warning says why there is nothing to compare.
    if t.history.builds == 0 {
        return;
    }
    if plan.edits.is_empty() {
        pieces.push((
            Rank::Plan,
            format!("\n{}\n", wording::nothing(&t.baseline, plan)),
        ));
        return;
    }
    if let Some(text) = wording::not_worth(&t.baseline, plan) {
        pieces.push((Rank::Plan, format!("\n{}\n", markdown_text(&text))));
        return;
    }
    let mut out = format!(
        "\n**Plan** ({}: {}): {}.\n\n",
        plan.safety,
        wording::safety(plan.safety),
        wording::saves(&t.baseline, plan)
    );
    let time = minutes::of_plan(t.jobs.as_ref(), &t.baseline, plan);
    if !time.is_empty() {
        out.push_str(&format!("In time: {}.\n\n", markdown_text(&time)));
    }
    for edit in plan.edits.iter().take(MOST_ROWS_BELOW) {
        out.push_str(&format!(
            "- line {}: {} ({}, {})\n",
            edit.line,
            sentence(&edit.why),
            edit.rewrite,
            edit.safety
        ));
    }
    more(&mut out, plan.edits.len());
    if !plan.assumptions.is_empty() {
        let many = plan.assumptions.len() > MOST_OPEN;
        out.push_str(&match many {
            true => format!(
                "\n<details><summary>It assumes {} things</summary>\n\n",
                plan.assumptions.len()
            ),
            false => "\nIt assumes:\n\n".to_owned(),
        });
        for assumption in plan.assumptions.iter().take(MOST_ROWS_BELOW) {
            out.push_str(&format!("- {}\n", sentence(assumption)));
        }
        more(&mut out, plan.assumptions.len());
        if many {
            out.push_str("\n</details>\n");
        }
    }
    pieces.push((Rank::Plan, out));
    if !plan.diff.is_empty() {
        pieces.push((Rank::Diff, details(plan)));
    }
}

fn more(out: &mut String, all: usize) {
    if all > MOST_ROWS_BELOW {
        out.push_str(&format!("- … and {} more\n", all - MOST_ROWS_BELOW));
    }
}

fn details(plan: &PlanRow) -> String {
    format!(
        "\n<details><summary>Suggested diff</summary>\n\n{}\n</details>\n",
        fence(&plan.diff, "diff")
    )
}

fn diagnostic(d: &DiagnosticRow, file: &str) -> String {
    let place = line(&wording::place(d, file));
    format!(
        "{}: {} ({})\n",
        d.severity,
        sentence(&d.message),
        name(&place)
    )
}

fn failure(f: &FailedTarget) -> String {
    match f
        .diagnostics
        .iter()
        .find(|d| d.severity == "error")
        .or(f.diagnostics.first())
    {
        Some(d) => diagnostic(d, &f.file),
        None => format!("error: {} could not be analysed\n", name(&f.file)),
    }
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
