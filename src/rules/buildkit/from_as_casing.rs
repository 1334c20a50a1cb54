//! `FROM` and `as` in different letter cases.

use super::{casing, froms, on_first_line};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::{Check, Findings, Rule, View};

/// `FromAsCasing`.
pub static RULE: Rule = Rule {
    name: "FromAsCasing",
    severity: Severity::Warning,
    summary: "`FROM` and the `AS` behind it have different letter cases",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let (majority, _) = casing::majority(view);
    for (_, ins, _, _) in froms(view) {
        let Some(range) = casing::as_word(ins) else {
            continue;
        };
        let (from, word) = (casing::keyword(ins), &ins.arguments()[range.clone()]);
        let wanted = match from {
            _ if from == from.to_lowercase() => word.to_lowercase(),
            _ if from == from.to_uppercase() => word.to_uppercase(),
            // `From` is another rule's finding.
            _ => continue,
        };
        if word == wanted {
            continue;
        }
        let span = on_first_line(view, ins, ins.arguments().span_of(range));
        let finding = out.at(span, format!("`{from}` and `{word}` differ in capitals"));
        finding.help(format!("write `{wanted}`"));
        // Both as the rest of the file has it, so that nothing is found afterwards.
        if let Some(edits) = casing::edits(view, ins, majority) {
            finding.fix(Safety::Proven, edits);
        }
    }
}
