//! A keyword that is not written in the letter case of the others.

use super::{casing, on_first_line};
use crate::diagnostic::{Severity, shorten};
use crate::rewrite::Safety;
use crate::rules::{Check, Findings, Rule, View};

/// `ConsistentInstructionCasing`.
pub static RULE: Rule = Rule {
    name: "ConsistentInstructionCasing",
    severity: Severity::Warning,
    summary: "a keyword has another letter case than most of the file's",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let (case, counted) = casing::majority(view);
    for ins in counted {
        let word = casing::keyword(ins);
        let wanted = case.of(word);
        if word == wanted {
            continue;
        }
        let (word, wanted) = (shorten(word), shorten(&wanted));
        let message = format!("`{word}` stands among instructions in {}", case.name());
        let span = on_first_line(view, ins, ins.keyword_span());
        let finding = out.at(span, message);
        finding.help(format!("write `{wanted}`"));
        if let Some(edits) = casing::edits(view, ins, case) {
            finding.fix(Safety::Proven, edits);
        }
    }
}
