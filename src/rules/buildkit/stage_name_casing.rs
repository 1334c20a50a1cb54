//! A stage name with capital letters: the builder knows it in lower case only.

use super::{froms, on_first_line, one_line, words};
use crate::diagnostic::{Severity, shorten};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};

/// `StageNameCasing`.
pub static RULE: Rule = Rule {
    name: "StageNameCasing",
    severity: Severity::Warning,
    summary: "a stage's name has capital letters, and a FROM finds the stage in lower case only",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for (_, ins, _, _) in froms(view) {
        let Some(range) = words(ins).nth(2) else {
            continue;
        };
        let name = &ins.arguments()[range.clone()];
        let lower = name.to_lowercase();
        if name == lower {
            continue;
        }
        let place = ins.arguments().span_of(range);
        let short = shorten(name);
        let message =
            format!("stage `{short}` has capital letters, and `FROM {short}` would not find it");
        let finding = out.at(on_first_line(view, ins, place), message);
        finding.help(format!("write `{}`", shorten(&lower)));
        // `--from` and `--target` find stages in any case, and FROM has to write lower case already.
        if name.is_ascii() && one_line(view, place).is_some_and(|text| text == name) {
            finding.fix(Safety::Proven, vec![FileEdit::here(place, lower)]);
        }
    }
}
