//! EXPOSE with an address or a port of the host, as `docker run -p` has them.

use super::expose_proto_casing::ports;
use super::{on_first_line, one_line};
use crate::diagnostic::{Severity, shorten};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};

/// `ExposeInvalidFormat`.
pub static RULE: Rule = Rule {
    name: "ExposeInvalidFormat",
    severity: Severity::Warning,
    summary: "EXPOSE names an address or a port of the host, which an image can't keep",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for (command, text, port) in ports(view) {
        let mut parts = port.rsplitn(3, ':');
        let container = parts.next().unwrap_or_default();
        if !parts.any(|p| !p.is_empty()) {
            continue;
        }
        let span = match command.is_trigger {
            true => command.place.keyword_span(),
            false => text.span(),
        };
        let (short, kept) = (shorten(port), shorten(container));
        let message = format!(
            "of `{short}` the image keeps `{kept}` alone, and builders to come will refuse it"
        );
        let finding = out.at(on_first_line(view, command.place, span), message);
        finding.help(format!(
            "write `EXPOSE {kept}`, and the rest in `docker run -p`"
        ));
        let plain = !command.is_trigger && text.as_str() == port;
        if plain && one_line(view, text.span()).is_some_and(|t| t == port) {
            finding.fix(
                Safety::Assumed,
                vec![FileEdit::here(text.span(), container)],
            );
        }
    }
}
