//! `--platform=$TARGETPLATFORM`, which is what a FROM takes anyway.

use super::globals::Globals;
use super::{froms, on_first_line};
use crate::diagnostic::Severity;
use crate::dockerfile::{Flag, Instruction};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};
use crate::source::Span;
use std::cell::OnceCell;

/// `RedundantTargetPlatform`.
pub static RULE: Rule = Rule {
    name: "RedundantTargetPlatform",
    severity: Severity::Warning,
    summary: "`--platform=$TARGETPLATFORM` says what a FROM does without it",
    also: &["DL3065"],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    const NAME: &str = "TARGETPLATFORM";
    let globals = OnceCell::new();
    for (_, ins, _, _) in froms(view) {
        let Some(text) = ins.flag("platform").filter(|p| p.contains(NAME)) else {
            continue;
        };
        let Some(globals) = globals.get_or_init(|| Globals::new(view, true)) else {
            return;
        };
        let Some(word) = globals.word(text) else {
            continue;
        };
        let only = word.known.len() == 1 && word.known.contains(NAME) && word.unknown.is_empty();
        if !only || Some(word.value.as_str()) != globals.value(NAME) {
            continue;
        }
        let mut flags = ins.flags().iter();
        let Some(flag) = flags.find(|f| f.name() == "platform") else {
            continue;
        };
        let message = format!("`{}` is what this FROM takes without it", flag.raw);
        let finding = out.at(on_first_line(view, ins, flag.span()), message);
        finding.help("take the flag out");
        if let Some(edit) = without(view, ins, &flag) {
            finding.fix(Safety::Proven, vec![edit]);
        }
    }
}

/// Takes a flag out, and the blanks behind it.
fn without(view: &View<'_>, ins: Instruction<'_>, flag: &Flag) -> Option<FileEdit> {
    let start = flag.span().start;
    let later = ins.flags().iter().map(|f| f.span().start);
    let end = later
        .filter(|s| *s > start)
        .min()
        .unwrap_or(ins.arguments().span().start);
    let span = Span { start, end };
    super::one_line(view, span)?;
    Some(FileEdit::here(span, ""))
}
