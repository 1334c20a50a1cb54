//! The same COPY twice in one image, with nothing between that changes what it brought.

use super::image_steps;
use crate::diagnostic::Severity;
use crate::plan::StepKind;
use crate::rules::{Check, Findings, Rule, View};

/// `repeated-step`.
pub static RULE: Rule = Rule {
    name: "repeated-step",
    severity: Severity::Warning,
    summary: "the same COPY or RUN stands twice behind one another",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let steps = image_steps(view);
    for pair in steps.windows(2) {
        let [(_, first), (_, second)] = pair else {
            continue;
        };
        let known = matches!(first.kind, StepKind::Copy | StepKind::Add | StepKind::Run);
        let texts = [first, second].map(|s| view.tree.instructions().get(s.instruction));
        let [Some(a), Some(b)] = texts else { continue };
        // Variables between them may have changed what they do.
        let same = first.definition == second.definition
            && a.original() == b.original()
            && a.heredocs() == b.heredocs();
        if known && same && first.id != second.id && second.id.trigger == 0 {
            let message = format!("this does what line {} has just done", first.line);
            out.at(b.original().span(), message)
                .help("leave one of them out")
                .pays(second.instruction);
        }
    }
}
