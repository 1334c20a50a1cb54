//! Whether a condition holds, where the values in it are known before the command runs.
//!
//! Goes in: a command and the state of the shell around it. Comes out: its verdict, `None` where only running it can tell.
//! Linear in the words. Invariant: only texts are compared; what lies in the file system is never known.

use super::super::argument::Argument;
use super::super::shell_state::Shell;
use crate::shell::{Command, CommandKind, ListOperator};

/// The verdict of a list with another command behind it, which is only asked for where it counts.
pub(super) fn joined(
    so_far: Option<bool>,
    operator: ListOperator,
    next: impl FnOnce() -> Option<bool>,
) -> Option<bool> {
    // `false &&` and `true ||` end a list, whatever stood before.
    let ends = operator == ListOperator::Or;
    match so_far {
        Some(holds) if holds == ends => so_far,
        Some(_) => next(),
        None => next().filter(|holds| *holds == ends),
    }
}

/// The verdict of a condition: that of its one command.
pub(super) fn of_all(commands: &[Command], shell: &Shell) -> Option<bool> {
    match commands {
        [one] => of(one, shell),
        _ => None,
    }
}

/// The verdict of one command.
pub(super) fn of(command: &Command, shell: &Shell) -> Option<bool> {
    if command.background || !command.redirects.is_empty() {
        return None;
    }
    match &command.kind {
        CommandKind::Simple(simple) => {
            if !simple.assignments.is_empty() {
                return None;
            }
            let words = simple.words.iter();
            let words: Vec<Argument> = words.flat_map(|w| Argument::of_word(w, shell)).collect();
            let known: Option<Vec<&str>> = words.iter().map(Argument::known).collect();
            simple_test(known?.as_slice())
        }
        CommandKind::List { first, rest } => {
            let join = |so_far, (operator, next): &(ListOperator, Command)| {
                joined(so_far, *operator, || of(next, shell))
            };
            rest.iter().fold(of(first, shell), join)
        }
        _ => None,
    }
}

/// `[ a = b ]` and the like.
fn simple_test(words: &[&str]) -> Option<bool> {
    let inner = match words {
        ["true" | ":"] => return Some(true),
        ["false"] => return Some(false),
        ["[", inner @ .., "]"] | ["[[", inner @ .., "]]"] | ["test", inner @ ..] => inner,
        _ => return None,
    };
    // In double brackets the right side is a pattern.
    let plain = |text: &str| words[0] != "[[" || !text.contains(['*', '?', '[', '\\', '(']);
    match inner {
        ["!", rest @ ..] => {
            let bare: Vec<&str> = std::iter::once("test")
                .chain(rest.iter().copied())
                .collect();
            (words[0] != "[[").then(|| simple_test(&bare))?.map(|v| !v)
        }
        [a, "=" | "==", b] if plain(b) => Some(a == b),
        [a, "!=", b] if plain(b) => Some(a != b),
        ["-z", a] => Some(a.is_empty()),
        ["-n", a] => Some(!a.is_empty()),
        _ => None,
    }
}
