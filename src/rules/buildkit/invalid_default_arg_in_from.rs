//! A FROM that names no image unless a build argument is given.

use super::globals::Globals;
use super::{froms, on_first_line};
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::check;
use crate::rules::{Check, Findings, Rule, View};

/// `InvalidDefaultArgInFrom`.
pub static RULE: Rule = Rule {
    name: "InvalidDefaultArgInFrom",
    severity: Severity::Warning,
    summary: "with the defaults of its ARGs a FROM names no image, so that a build without build arguments fails",
    also: &[],
    check: Check::Dockerfile(look),
};

fn look(view: &View<'_>, out: &mut Findings<'_>) {
    if !froms(view).any(|(_, _, image, _)| image.contains('$')) {
        return;
    }
    let Some(globals) = Globals::new(view, false) else {
        return;
    };
    for (_, ins, image, _) in froms(view) {
        let Some(word) = globals.word(&image) else {
            return;
        };
        if !word.value.is_empty() && check::image(&word.value).is_none() {
            continue;
        }
        let message = match word.value.as_str() {
            "" => format!("`{}` is empty without build arguments", shorten(&image)),
            name => format!(
                "`{}` is `{}` without build arguments, and that is no image",
                shorten(&image),
                shorten(name)
            ),
        };
        let span = on_first_line(view, ins, image.span());
        out.at(span, message)
            .help("give the ARG a default that works");
    }
}
