//! Two stages of one name: the first can't be copied from, nor built by name.

use super::{froms, on_first_line};
use crate::diagnostic::{Severity, shorten};
use crate::rules::{Check, Findings, Rule, View};
use std::collections::BTreeMap;

/// `DuplicateStageName`.
pub static RULE: Rule = Rule {
    name: "DuplicateStageName",
    severity: Severity::Warning,
    summary: "two stages have one name, and the name means the last of them",
    also: &["DL3024"],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let mut lines: BTreeMap<&str, u32> = BTreeMap::new();
    for (_, ins, _, alias) in froms(view) {
        let Some(alias) = alias else { continue };
        if let Some(first) = lines.get(alias.as_str()) {
            let name = shorten(&alias);
            let message = format!(
                "the stage in line {first} is called `{name}` too, and `--from={name}` means the last one"
            );
            let span = on_first_line(view, ins, alias.span());
            out.at(span, message).help("give one of them another name");
        }
        lines.entry(alias.as_str()).or_insert(ins.line);
    }
}
