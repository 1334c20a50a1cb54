//! `ENV name value` and `LABEL name value`.

use super::on_first_line;
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::{Instruction, Kind, Text};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};
use crate::source::Span;

/// `LegacyKeyValueFormat`.
pub static RULE: Rule = Rule {
    name: "LegacyKeyValueFormat",
    severity: Severity::Warning,
    summary: "ENV or LABEL has a blank between name and value, an old form that takes one pair only",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for command in view.commands() {
        let list = match command.ins.kind() {
            Kind::Env(list) | Kind::Label(list) => list,
            _ => continue,
        };
        let Some((key, value)) = list.only() else {
            continue;
        };
        let rest = command.ins.arguments().as_str().get(key.len()..);
        if rest.is_none_or(|r| r.starts_with('=')) {
            continue;
        }
        let keyword = &command.ins.keyword;
        let name = shorten(&key);
        let message =
            format!("`{keyword} {name} …` is the old form: all the rest of the line is the value");
        let finding = out.at(
            on_first_line(view, command.place, command.place.keyword_span()),
            message,
        );
        finding.help(format!("write `{keyword} {name}=…`"));
        if !command.is_trigger
            && let Some(edits) = edits(view, command.ins, key, value)
        {
            finding.fix(Safety::Proven, edits);
        }
    }
}

/// The very same name and value in the new form, where no more than a `=` and two quotes have to be written for that.
fn edits(
    view: &View<'_>,
    ins: Instruction<'_>,
    key: Text<'_>,
    value: Text<'_>,
) -> Option<Vec<FileEdit>> {
    let escape = view.tree.directives.escape;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !key.chars().all(plain) || value.is_empty() {
        return None;
    }
    let gap = Span {
        start: key.span().end,
        end: value.span().start,
    };
    super::one_line(view, gap)?;
    let quoted = value.contains(['"', '\'', escape]);
    let blank = value.contains(char::is_whitespace);
    let mut out = vec![FileEdit::here(gap, "=")];
    match (blank, quoted) {
        (false, false) => {}
        // Inside of double quotes `$` means the same, and there is nothing else that means something.
        (true, false) => {
            out[0].text.push('"');
            out.push(FileEdit::insert(value.span().end, "\""));
        }
        // One word already, however it is quoted.
        (_, true) if is_one_word(&value, escape) => {}
        (_, true) => return None,
    }
    // The value must stand in the file as it reads, or its quotes would not surround all of it.
    (ins.arguments().span().end == value.span().end).then_some(out)
}

/// Whether a text is one word to `ENV name=word`: no blank outside of quotes, quotes closed, no escape at the end.
fn is_one_word(text: &str, escape: char) -> bool {
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match quote {
            None if c.is_whitespace() => return false,
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(q) if c == q => quote = None,
            _ => {}
        }
        if c == escape && quote != Some('\'') && chars.next().is_none() {
            return false;
        }
    }
    quote.is_none()
}
