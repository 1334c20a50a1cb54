//! CMD and ENTRYPOINT in shell form: a shell is the first process, and signals do not reach the program.

use super::commands::Command;
use super::on_first_line;
use crate::diagnostic::Severity;
use crate::dockerfile::{CommandForm, Kind, Text};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};
use crate::shell::{self, CommandKind};
use std::collections::BTreeSet;

/// `JSONArgsRecommended`.
pub static RULE: Rule = Rule {
    name: "JSONArgsRecommended",
    severity: Severity::Warning,
    summary: "CMD or ENTRYPOINT starts a shell, which does not pass signals on to the program",
    also: &["DL3025"],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let is_cmd = |c: &&Command<'_>| matches!(c.ins.kind(), Kind::Cmd(_));
    let cmds = view.commands().iter().filter(is_cmd);
    let with_cmd: BTreeSet<usize> = cmds.map(|c| c.stage).collect();
    for command in view.commands() {
        let (keyword, text) = match command.ins.kind() {
            Kind::Cmd(CommandForm::Shell(text)) => ("CMD", text),
            Kind::Entrypoint(CommandForm::Shell(text)) => ("ENTRYPOINT", text),
            _ => continue,
        };
        // Whoever sets one wants it.
        if command.has_shell {
            continue;
        }
        let message = format!(
            "{} is run by `/bin/sh -c`, and the signal that ends the container stops at that shell unless it says `exec`",
            command.called()
        );
        let span = on_first_line(view, command.place, command.place.keyword_span());
        let finding = out.at(span, message);
        finding.help(format!("write `{keyword} [\"program\", \"argument\"]`"));
        if let Some(edit) = edit(
            view,
            command,
            keyword == "ENTRYPOINT" && with_cmd.contains(&command.stage),
            &text,
        ) {
            finding.fix(Safety::Review, vec![edit]);
        }
    }
}

/// The same words as a JSON array, where they hold nothing that a shell is needed for. An ENTRYPOINT in JSON form takes the CMD as its arguments,
/// one in shell form does not.
fn edit(view: &View<'_>, command: &Command<'_>, takes_cmd: bool, text: &Text) -> Option<FileEdit> {
    if command.is_trigger || takes_cmd {
        return None;
    }
    let words = words(text)?;
    let span = text.span();
    let mut lines = view.source.text(span).into_owned();
    lines.retain(|c| !matches!(c, ' ' | '\t'));
    if lines.contains("\n#") {
        return None;
    }
    let words: Option<Vec<String>> = words
        .iter()
        .map(|w| serde_json::to_string(w).ok())
        .collect();
    Some(FileEdit::here(span, format!("[{}]", words?.join(", "))))
}

/// What a shell does itself, or changes for what comes after it.
#[rustfmt::skip]
const BUILT_IN: &[&str] = &[
    ".", ":", "[", "alias", "bg", "cd", "command", "eval", "exec", "exit", "export", "fg", "jobs", "read", "return", "set", "shift", "source", "times",
    "trap", "type", "ulimit", "umask", "unset", "wait",
];

fn words(text: &str) -> Option<Vec<String>> {
    let script = shell::parse(text);
    let [only] = script.commands.as_slice() else {
        return None;
    };
    let CommandKind::Simple(simple) = &only.kind else {
        return None;
    };
    if !only.redirects.is_empty() || only.background || !simple.assignments.is_empty() {
        return None;
    }
    let words: Option<Vec<String>> = simple.words.iter().map(shell::Word::literal).collect();
    let words = words?;
    let program = words.first()?;
    (!program.is_empty() && !BUILT_IN.contains(&program.as_str())).then_some(words)
}
