//! What a command leaves behind in the shell that ran it, by its text alone.
//!
//! Goes in: commands. Comes out: names and directories that may have changed, and whether anything can
//! follow. Linear in the commands. Invariant: a change that may happen is never left out.

use super::argument::Argument;
use super::shell_state::Shell;
use crate::shell::{self, Command, CommandKind, Word};

/// Forgets every variable and the directory if these commands may change them, and all folders made.
pub(super) fn forget(bodies: &[&[Command]], shell: &mut Shell) {
    shell.made.clear();
    for body in bodies {
        for command in *body {
            forget_one(command, shell);
        }
    }
}

fn forget_one(command: &Command, shell: &mut Shell) {
    let script = shell::Script {
        commands: vec![command.clone()],
        span: command.span,
    };
    script.visit(&mut |c| match &c.kind {
        CommandKind::Simple(simple) => {
            for a in &simple.assignments {
                shell.variables.insert(a.name.clone(), None);
            }
            match simple.words.first().and_then(Word::literal).as_deref() {
                Some("cd" | "command" | "builtin" | "pushd" | "popd") => shell.cwd = None,
                Some(
                    "read" | "export" | "unset" | "local" | "readonly" | "declare" | "typeset"
                    | "printf" | "getopts",
                ) => {
                    for word in &simple.words[1..] {
                        let name = Argument::of_word(word, shell);
                        for n in name {
                            let n = n.start().split('=').next().unwrap_or_default().to_string();
                            shell.variables.insert(n, None);
                        }
                    }
                }
                // A name that is not literal may be any of these.
                None if !simple.words.is_empty() => shell.cwd = None,
                _ => {}
            }
        }
        CommandKind::For {
            variable: Some(name),
            ..
        } => {
            shell.variables.insert(name.clone(), None);
        }
        _ => {}
    });
}

/// Commands that do not fail in practice. `cd` is taken to succeed: a RUN whose directory is missing
/// is broken.
pub(super) fn cannot_fail(command: &Command) -> bool {
    let CommandKind::Simple(simple) = &command.kind else {
        return false;
    };
    match simple.words.first() {
        None => simple
            .assignments
            .iter()
            .all(|a| a.value.substitutions().is_empty()),
        Some(word) => matches!(
            word.literal().as_deref(),
            Some("cd" | "set" | "export" | "true" | ":" | "echo" | "unset" | "umask")
        ),
    }
}

/// Commands after which nothing follows.
pub(super) fn leaves(command: &Command) -> bool {
    match &command.kind {
        CommandKind::Simple(simple) => {
            let name = simple.words.first().and_then(Word::literal);
            matches!(name.as_deref(), Some("exit"))
        }
        CommandKind::Group(commands) => commands.last().is_some_and(leaves),
        _ => false,
    }
}
