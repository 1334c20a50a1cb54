//! A CMD, ENTRYPOINT or HEALTHCHECK that a later one of its stage replaces.

use super::commands::Command;
use super::on_first_line;
use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};
use std::collections::BTreeMap;

/// `MultipleInstructionsDisallowed`.
pub static RULE: Rule = Rule {
    name: "MultipleInstructionsDisallowed",
    severity: Severity::Warning,
    summary: "a stage has two CMDs, ENTRYPOINTs or HEALTHCHECKs, and only the last counts",
    also: &["DL3012", "DL4003", "DL4004"],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let mut before: BTreeMap<(usize, &str), &Command<'_>> = BTreeMap::new();
    for command in view.commands() {
        let keyword = match command.ins.kind() {
            Kind::Cmd(_) => "CMD",
            Kind::Entrypoint(_) => "ENTRYPOINT",
            Kind::Healthcheck(_) => "HEALTHCHECK",
            _ => continue,
        };
        let Some(first) = before.insert((command.stage, keyword), command) else {
            continue;
        };
        let message = format!(
            "{} does nothing: that of line {} replaces it",
            first.called(),
            command.place.line
        );
        let span = on_first_line(view, first.place, first.place.keyword_span());
        let finding = out.at(span, message);
        finding.help("take one of them out");
        // A comment would be left above another instruction.
        if !first.is_trigger && first.ins.leading_comments.is_empty() {
            finding.fix(Safety::Proven, vec![FileEdit::here(first.ins.span, "")]);
        }
    }
}
