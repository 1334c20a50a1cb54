//! An ARG or ENV whose name says that it holds a secret.

use super::on_first_line;
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::Kind;
use crate::rules::{Check, Findings, Rule, View};
use crate::source::Span;

/// `SecretsUsedInArgOrEnv`.
pub static RULE: Rule = Rule {
    name: "SecretsUsedInArgOrEnv",
    severity: Severity::Warning,
    summary: "an ARG or ENV has the name of a secret, and its value stays in the image",
    also: &["DL3064"],
    check: Check::Dockerfile(check),
};

const SECRET: &[&str] = &[
    "apikey",
    "auth",
    "credential",
    "credentials",
    "key",
    "password",
    "pword",
    "passwd",
    "secret",
    "token",
];
const HARMLESS: &[&str] = &["public", "file", "version"];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for command in view.commands() {
        let names: Vec<(String, Span)> = match &command.ins.kind {
            Kind::Arg(list) => {
                let names = list.iter().map(|(name, _)| (name.to_string(), name.span()));
                names.collect()
            }
            Kind::Env(list) => {
                let words = command.words.iter();
                let place = |i: usize| list.get(i).map_or(Span::default(), |(k, _)| k.span());
                words.map(|(i, name)| (name.clone(), place(*i))).collect()
            }
            _ => continue,
        };
        for (name, span) in names {
            if !is_secret(&name) {
                continue;
            }
            let keeps = match command.ins.kind {
                Kind::Arg(_) => "can be read from the image's history",
                _ => "is in the configuration of the stage and of all that start from it",
            };
            let message = format!("whatever `{}` holds {keeps}", shorten(&name));
            let span = match command.is_trigger {
                true => command.place.keyword_span(),
                false => span,
            };
            out.at(on_first_line(view, command.place, span), message)
                .help("hand a secret over with `RUN --mount=type=secret`, or when the container starts");
        }
    }
}

/// By the words of the name, parted by `_`.
fn is_secret(name: &str) -> bool {
    let one_of = |list: &[&str]| {
        let mut words = name.split('_');
        words.any(|w| list.iter().any(|s| w.eq_ignore_ascii_case(s)))
    };
    one_of(SECRET) && !one_of(HARMLESS)
}
