//! A comment above an ARG or a stage that does not start with its name. Looked for only where the file asks for it.

use super::on_first_line;
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::{Instruction, Kind, PieceKind};
use crate::rules::{Check, Findings, Rule, View};

/// `InvalidDefinitionDescription`.
pub static RULE: Rule = Rule {
    name: "InvalidDefinitionDescription",
    severity: Severity::Warning,
    summary: "the comment above an ARG or a stage does not start with its name (only with `# check=experimental=`)",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let directive = view.tree.directives.check.as_ref();
    if !directive.is_some_and(|(value, _)| asks(value)) {
        return;
    }
    // The last comment since the instruction before; a bare `#` takes them away, a blank line does not.
    let mut last: Option<String> = None;
    for piece in view.tree.pieces() {
        match piece.kind {
            PieceKind::Comment => {
                let text = view.source.text(piece.span);
                // The builder cuts one character off, indented or not.
                let text = text.trim_start_matches('\u{feff}');
                let text: String = text.chars().skip(1).collect();
                last = Some(text.trim().to_owned()).filter(|t| !t.is_empty());
            }
            PieceKind::Instruction(at) => {
                if let (Some(ins), Some(comment)) = (view.tree.instructions().get(at), last.take())
                {
                    describe(view, ins, &comment, out);
                }
            }
            _ => {}
        }
    }
}

fn describe(view: &View<'_>, ins: Instruction<'_>, comment: &str, out: &mut Findings<'_>) {
    let (names, what): (Vec<&str>, _) = match ins.kind() {
        Kind::From {
            alias: Some(alias), ..
        } => (vec![alias.as_str()], "stage"),
        Kind::Arg(list) => (list.iter().map(|(n, _)| n.as_str()).collect(), "ARG"),
        _ => return,
    };
    let first = comment.split(' ').next().unwrap_or_default();
    if names.contains(&first) {
        return;
    }
    let name = shorten(names.first().copied().unwrap_or_default());
    let message = format!(
        "the comment above {what} `{name}` does not start with that name, so that it describes nothing"
    );
    let help = format!("write `# {name} …`, or a line `#` below the comment");
    let span = on_first_line(view, ins, ins.keyword_span());
    out.at(span, message).help(help);
}

/// Whether the value of a `# check=` directive asks for this rule.
fn asks(value: &str) -> bool {
    // The builder reads up to the first blank.
    let value = value.split(' ').next().unwrap_or_default();
    value.split(';').any(|part| match part.split_once('=') {
        Some((key, names)) if key.trim() == "experimental" => {
            let mut names = names.split(',').map(str::trim);
            names.any(|n| n == RULE.name || n == "all")
        }
        _ => false,
    })
}
