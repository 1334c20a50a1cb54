//! A variable in a FROM that no ARG before the first FROM declares.

use super::globals::Globals;
use super::{froms, on_first_line};
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::{Flag, nearest};
use crate::rules::{Check, Findings, Rule, View};
use std::collections::BTreeSet;

/// `UndefinedArgInFrom`.
pub static RULE: Rule = Rule {
    name: "UndefinedArgInFrom",
    severity: Severity::Warning,
    summary: "a FROM uses a variable that no ARG before the first FROM declares, so nothing can set it",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let used = |text: &str| text.contains('$');
    if !froms(view).any(|(_, ins, image, _)| used(&image) || ins.flag("platform").is_some_and(used))
    {
        return;
    }
    let Some(globals) = Globals::new(view, true) else {
        return;
    };
    for (_, ins, image, _) in froms(view) {
        let platform = ins.flag("platform").filter(|p| !p.is_empty());
        let words = [
            Some((image.as_str(), image.span())),
            platform.zip(ins.flags().first().map(Flag::span)),
        ];
        let mut told: BTreeSet<String> = BTreeSet::new();
        for (text, span) in words.into_iter().flatten() {
            let Some(word) = globals.word(text) else {
                continue;
            };
            for name in word.unknown {
                if globals.declared.contains(&name) || !told.insert(name.clone()) {
                    continue;
                }
                let near = nearest(&name, globals.names().filter(|n| **n != name).take(200));
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "declare it with ARG before the first FROM".to_owned(),
                };
                let short = shorten(&name);
                let message = format!(
                    "no ARG before the first FROM declares `{short}`, so nothing can set it"
                );
                out.at(on_first_line(view, ins, span), message).help(help);
            }
        }
    }
}
