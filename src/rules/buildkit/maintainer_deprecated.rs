//! MAINTAINER.

use super::on_first_line;
use crate::diagnostic::Severity;
use crate::dockerfile::{Instruction, Kind};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};
use crate::source::Span;

/// `MaintainerDeprecated`.
pub static RULE: Rule = Rule {
    name: "MaintainerDeprecated",
    severity: Severity::Warning,
    summary: "MAINTAINER is out of use since Docker 1.13, a label takes its place",
    also: &["DL4000"],
    check: Check::Dockerfile(check),
};

const LABEL: &str = "org.opencontainers.image.authors";

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let mut labelled = None;
    for (at, ins) in view.tree.instructions().iter().enumerate() {
        let Kind::Maintainer(who) = ins.kind() else {
            continue;
        };
        let span = on_first_line(view, ins, ins.keyword_span());
        let message = "MAINTAINER sets a field that few tools show, and is deprecated";
        let finding = out.at(span, message);
        finding.help(format!("write `LABEL {LABEL}=\"…\"`"));
        if !is_labelled(view, at, &mut labelled)
            && let Some(edit) = edit(view, ins, &who)
        {
            finding.fix(Safety::Assumed, vec![edit]);
        }
    }
}

/// The stage has such a label already; `known` is the answer for the last stage that was asked about.
fn is_labelled(view: &View<'_>, at: usize, known: &mut Option<(usize, bool)>) -> bool {
    let Some(stage) = view.stage_of(at) else {
        return true;
    };
    if let Some((_, answer)) = known.filter(|(s, _)| *s == stage) {
        return answer;
    }
    let mut all = view.instructions(stage);
    let answer = all.any(|(_, ins)| match ins.kind() {
        Kind::Label(list) => list.iter().any(|(key, _)| key.contains(LABEL)),
        _ => false,
    });
    *known = Some((stage, answer));
    answer
}

fn edit(view: &View<'_>, ins: Instruction<'_>, who: &str) -> Option<FileEdit> {
    let span = Span {
        start: ins.keyword_span().start,
        end: ins.arguments().span().end,
    };
    super::one_line(view, span)?;
    // Quotes around all of it were meant as quotes, and are part of the field.
    let bare = ['"', '\'']
        .iter()
        .find_map(|q| who.strip_prefix(*q)?.strip_suffix(*q));
    let escape = view.tree.directives.escape;
    if bare.is_some_and(|b| b.contains(escape)) {
        return None;
    }
    let mut value = String::new();
    for c in bare.unwrap_or(who).chars() {
        if c == '"' || c == '$' || c == escape {
            value.push(escape);
        }
        value.push(c);
    }
    let keyword = match super::casing::keyword(ins) {
        "maintainer" => "label",
        _ => "LABEL",
    };
    Some(FileEdit::here(
        span,
        format!("{keyword} {LABEL}=\"{value}\""),
    ))
}
