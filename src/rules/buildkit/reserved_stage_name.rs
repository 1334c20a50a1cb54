//! A stage that has the name of something that is no stage.

use super::{froms, on_first_line};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Rule, View};

/// `ReservedStageName`.
pub static RULE: Rule = Rule {
    name: "ReservedStageName",
    severity: Severity::Warning,
    summary: "a stage is called `scratch` or `context`, which mean other things to the builder",
    also: &["DL3063"],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for (_, ins, _, alias) in froms(view) {
        let Some(alias) = alias else { continue };
        let means = match alias.as_str() {
            "scratch" => "an empty image",
            "context" => "the build context",
            _ => continue,
        };
        let message =
            format!("`{alias}` is the builder's name of {means}, and here that of a stage");
        let span = on_first_line(view, ins, alias.span());
        out.at(span, message).help("give the stage another name");
    }
}
