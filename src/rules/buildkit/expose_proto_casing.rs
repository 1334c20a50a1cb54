//! EXPOSE with a protocol in capital letters.

use super::commands::Command;
use super::{on_first_line, one_line};
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::{Kind, Text};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};

/// `ExposeProtoCasing`.
pub static RULE: Rule = Rule {
    name: "ExposeProtoCasing",
    severity: Severity::Warning,
    summary: "EXPOSE has a protocol in capital letters, and keeps it in lower case",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for (command, text, port) in ports(view) {
        let container = port.rsplit(':').next().unwrap_or_default();
        let Some((_, protocol)) = container.split_once('/') else {
            continue;
        };
        let lower = protocol.to_lowercase();
        if protocol == lower {
            continue;
        }
        let span = match command.is_trigger {
            true => command.place.keyword_span(),
            false => text.span(),
        };
        let message = format!(
            "the image says `{lower}` where `{}` is written",
            shorten(port)
        );
        let finding = out.at(on_first_line(view, command.place, span), message);
        finding.help(format!("write `{lower}`"));
        let at = text.len() - protocol.len().min(text.len());
        let place = text.span_of(at..text.len());
        let plain = !command.is_trigger && text.as_str() == port;
        if plain && one_line(view, place).is_some_and(|t| t == protocol) {
            finding.fix(Safety::Proven, vec![FileEdit::here(place, lower)]);
        }
    }
}

/// Every port of every EXPOSE: the command, the word as written, and one port that it stands for.
pub fn ports<'v, 'a>(
    view: &'v View<'a>,
) -> impl Iterator<Item = (&'v Command<'a>, Text<'a>, &'v str)> {
    view.commands().iter().flat_map(|command| {
        let list = match command.ins.kind() {
            Kind::Expose(list) => Some(list),
            _ => None,
        };
        let words = command.words.iter();
        words.filter_map(move |(i, port)| Some((command, list?.get(*i)?, port.as_str())))
    })
}
