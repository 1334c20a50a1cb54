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
        // Name, value as written, place.
        let names: Vec<(String, Option<&str>, Span)> = match command.ins.kind() {
            Kind::Arg(list) => list
                .iter()
                .map(|(n, v)| (n.to_string(), v.as_ref().map(|v| v.as_str()), n.span()))
                .collect(),
            Kind::Env(list) => {
                let words = command.words.iter();
                let pair = |(i, name): &(usize, String)| {
                    let (key, value) = list.get(*i)?;
                    Some((name.clone(), Some(value.as_str()), key.span()))
                };
                words.filter_map(pair).collect()
            }
            _ => continue,
        };
        for (name, value, span) in names {
            if !is_secret(&name) {
                continue;
            }
            let short = shorten(&name);
            let span = match command.is_trigger {
                true => command.place.keyword_span(),
                false => span,
            };
            let span = on_first_line(view, command.place, span);
            // An ARG that is empty here is filled by whoever builds.
            let filled = |v: &str| {
                matches!(command.ins.kind(), Kind::Arg(_)) && v.trim_matches(['"', '\'']).is_empty()
            };
            if let Some(value) = value.filter(|v| holds_nothing(v) && !filled(v)) {
                let what = command.called();
                let message = match value.trim_matches(['"', '\'']) {
                    "" => format!("`{short}` has the name of a secret, and is empty in {what}"),
                    value => {
                        format!("`{short}` has the name of a secret, and is `{value}` in {what}")
                    }
                };
                out.at(span, message)
                    .severity(Severity::Note)
                    .help("nothing to do, unless somebody writes a secret here");
                continue;
            }
            let keeps = match command.ins.kind() {
                Kind::Arg(_) => "can be read from the image's history",
                _ => "is in the configuration of the stage and of all that start from it",
            };
            out.at(span, format!("whatever `{short}` holds {keeps}"))
                .help("hand a secret over with `RUN --mount=type=secret`, or when the container starts");
        }
    }
}

/// A value that is plainly no secret: none, or a switch.
fn holds_nothing(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    let switches = ["", "0", "1", "true", "false", "yes", "no", "on", "off"];
    switches.iter().any(|s| value.eq_ignore_ascii_case(s))
}

/// By the words of the name, parted by `_`.
fn is_secret(name: &str) -> bool {
    let one_of = |list: &[&str]| {
        let mut words = name.split('_');
        words.any(|w| list.iter().any(|s| w.eq_ignore_ascii_case(s)))
    };
    one_of(SECRET) && !one_of(HARMLESS)
}
