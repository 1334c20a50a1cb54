//! A variable that nothing has set where it is used.

use super::on_first_line;
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::{Kind, nearest};
use crate::rules::{Check, Findings, Rule, View};

/// `UndefinedVar`.
pub static RULE: Rule = Rule {
    name: "UndefinedVar",
    severity: Severity::Warning,
    summary: "a variable is used that no ARG and no ENV has set up to there, so it is empty",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for command in view.commands() {
        for (name, span) in &command.missing {
            let short = shorten(name);
            let message = format!("nothing has set the `${short}` of {}", command.called());
            let span = match command.is_trigger {
                true => command.place.keyword_span(),
                false => *span,
            };
            out.at(on_first_line(view, command.place, span), message)
                .help(help(view, name));
        }
    }
}

fn help(view: &View<'_>, name: &str) -> String {
    let mut own: Vec<&str> = Vec::new();
    let mut is_global = false;
    let mut seen_from = false;
    for ins in &view.tree.instructions {
        match &ins.kind {
            Kind::From { .. } => seen_from = true,
            Kind::Arg(list) => {
                is_global |= !seen_from && list.iter().any(|(n, _)| *n == name);
                own.extend(list.iter().map(|(n, _)| n.as_str()));
            }
            Kind::Env(list) => own.extend(list.iter().map(|(n, _)| n.as_str())),
            _ => {}
        }
    }
    let short = shorten(name);
    if is_global {
        return format!(
            "write `ARG {short}` in this stage: an ARG before the first FROM is for FROM lines alone"
        );
    }
    if own.contains(&name) {
        return format!("set `{short}` in this stage, before this line");
    }
    match nearest(name, own.into_iter()) {
        Some(near) => format!("did you mean `${near}`?"),
        None => {
            format!("declare it with `ARG {short}`, or write `\\$` where the sign itself is meant")
        }
    }
}
