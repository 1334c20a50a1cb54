//! COPY or ADD of a file that an ignore file keeps out of the context.

use super::on_first_line;
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::{Kind, check};
use crate::pattern::clean;
use crate::rules::{Check, Findings, Rule, View};

/// `CopyIgnoredFile`.
pub static RULE: Rule = Rule {
    name: "CopyIgnoredFile",
    severity: Severity::Warning,
    summary: "COPY or ADD takes a file that the ignore file keeps out of the context, so that the step fails",
    also: &[],
    check: Check::Dockerfile(look),
};

fn look(view: &View<'_>, out: &mut Findings<'_>) {
    let rules = view.context.rules;
    // With exceptions it can't be told by a path alone what is left of a folder.
    if rules.is_empty() || rules.patterns().iter().any(|p| p.negated) {
        return;
    }
    let mut patterns = rules.patterns().iter();
    let nothing_is_left = patterns.any(|p| matches!(p.body.as_str(), "*" | "**" | "**/*"));
    for command in view.commands() {
        let (Kind::Copy(transfer) | Kind::Add(transfer)) = command.ins.kind() else {
            continue;
        };
        if command.ins.flag("from").is_some_and(|f| !f.is_empty()) {
            continue;
        }
        for (i, source) in &command.words {
            if check::remote(source).is_some() || command.is_unsure {
                continue;
            }
            let path = clean(source);
            let left_out = match path.as_str() {
                "." | "/" => nothing_is_left,
                path => rules.is_ignored_flat(path.as_bytes()),
            };
            if !left_out {
                continue;
            }
            let file = view
                .context
                .ignore_file
                .map_or(".dockerignore", |f| f.name());
            let what = command.called();
            let message = match path.as_str() {
                "." | "/" => format!(
                    "`{file}` keeps everything out of the context, so {what} brings nothing"
                ),
                path => format!(
                    "`{file}` keeps `{}` out of the context, so {what} does not find it",
                    shorten(path)
                ),
            };
            let span = match (command.is_trigger, transfer.sources.get(*i)) {
                (false, Some(text)) => text.span(),
                _ => command.place.keyword_span(),
            };
            out.at(on_first_line(view, command.place, span), message)
                .help("take the line out of the ignore file, or copy something else");
        }
    }
}
