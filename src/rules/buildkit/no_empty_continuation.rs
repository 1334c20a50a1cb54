//! A blank line inside of a continued instruction.

use crate::diagnostic::Severity;
use crate::dockerfile::Instruction;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};
use crate::source::Span;

/// `NoEmptyContinuation`.
pub static RULE: Rule = Rule {
    name: "NoEmptyContinuation",
    severity: Severity::Warning,
    summary: "a blank line stands inside of an instruction, which builders to come will refuse",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for ins in view.tree.instructions() {
        if ins.end_line == ins.line {
            continue;
        }
        let last = last_line(view, ins);
        let blank: Vec<Span> = (ins.line + 1..=last)
            .filter_map(|n| view.source.line_span(n))
            .filter(|span| view.source.text(*span).trim().is_empty())
            .collect();
        let (Some(first), Some(place)) = (blank.first(), view.source.line_span(last)) else {
            continue;
        };
        let line = view.source.line(first.start);
        let keyword = &ins.keyword;
        let message = match blank.len() {
            1 => format!("line {line} is blank inside of this {keyword}"),
            n => format!("{n} lines are blank inside of this {keyword}, the first is line {line}"),
        };
        // The builder names the instruction's last line.
        let text = view.source.text(place);
        let place = Span::new(
            place.start as usize,
            place.start as usize + text.trim_end().len().max(1),
        );
        let finding = out.at(place, message);
        finding.help("take the blank lines out, or make them comments");
        let edits = blank.into_iter().map(|span| FileEdit::here(span, ""));
        finding.fix(Safety::Proven, edits.collect());
    }
}

/// The last line before the heredocs.
fn last_line(view: &View<'_>, ins: Instruction<'_>) -> u32 {
    match ins.heredocs().first() {
        Some(doc) => view.source.line(doc.body_span.start).saturating_sub(1),
        None => ins.end_line,
    }
}
