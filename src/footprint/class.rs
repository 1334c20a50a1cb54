//! The class of work a command line is: what the costs file prices.
//!
//! Goes in: argument texts, where an unknown rest is `$`. Comes out: classes, none for commands that
//! cost next to nothing. Works on commands whose paths nobody knows, and looks into wrappers, inline
//! scripts and task runners. Costs one look at the words. Invariant: never depends on anything but them.

use std::fmt;
use std::str::FromStr;

use super::argument::Argument;
use super::command::{is_python, wrapper};
use super::shell_state::Shell;
use super::{Class, RunState, class_table};
use crate::shell::{self, CommandKind};

/// Wrappers in wrappers and scripts in scripts that are looked into.
const MAX_NESTING: usize = 8;

impl Class {
    /// All classes in their order.
    pub const ALL: [Self; 7] = [
        Self::SystemPackages,
        Self::Install,
        Self::Build,
        Self::LightBuild,
        Self::Copy,
        Self::Workdir,
        Self::Other,
    ];

    /// The name in costs files and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SystemPackages => "system-packages",
            Self::Install => "install",
            Self::Build => "build",
            Self::LightBuild => "light-build",
            Self::Copy => "copy",
            Self::Workdir => "workdir",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownClass(pub String);

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Class::ALL.iter().map(|c| c.as_str()).collect();
        write!(
            f,
            "unknown class `{}`, expected one of {}",
            self.0,
            names.join(", ")
        )
    }
}

impl std::error::Error for UnknownClass {}

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        let found = Self::ALL.into_iter().find(|c| c.as_str() == text);
        found.ok_or_else(|| UnknownClass(text.to_string()))
    }
}

/// Classes of one command line.
pub(super) fn classify(argv: &[String]) -> Vec<Class> {
    let mut out = Vec::new();
    at_depth(argv, 0, &mut out);
    out.sort();
    out.dedup();
    out
}

fn at_depth(argv: &[String], depth: usize, out: &mut Vec<Class>) {
    let mut argv = argv;
    // Wrappers are taken off in a loop, so their number does not matter.
    loop {
        match argv.first().map(String::as_str) {
            None => return,
            Some("$") if argv.get(1).is_some_and(|a| a == "-m") => {
                argv = &argv[1..];
                break;
            }
            Some("$") => argv = &argv[1..],
            Some(_) => match wrapper::start(argv) {
                Some(at) => argv = &argv[at..],
                None => break,
            },
        }
    }
    if depth > MAX_NESTING {
        return;
    }
    let Some((first, rest)) = argv.split_first() else {
        return;
    };
    let mut name = first.rsplit('/').next().unwrap_or(first);
    // `npx package@1.2`
    if let Some((before, _)) = name.split_once('@')
        && !before.is_empty()
    {
        name = before;
    }
    match name {
        "sh" | "ash" | "dash" | "bash" | "zsh" | "su" | "runuser" => {
            let flag = rest.iter().position(|a| is_command_flag(a));
            if let Some(script) = flag.and_then(|at| rest.get(at + 1)) {
                of_script(script, depth, out);
            }
        }
        "eval" => of_script(&rest.join(" "), depth, out),
        _ => {
            let python = name == "-m" || is_python(name);
            let mut args: Vec<&str> = rest.iter().map(String::as_str).collect();
            if python && let Some(at) = argv.iter().position(|a| a == "-m") {
                let inner = argv.get(at + 1..).unwrap_or_default();
                name = inner.first().map_or("", String::as_str);
                args = inner.iter().skip(1).map(String::as_str).collect();
                if name == "build" {
                    out.push(Class::LightBuild);
                    return;
                }
            }
            match class_table::of_command(name, &args) {
                class_table::Found::Classes(classes) => out.extend(classes),
                class_table::Found::Command(at) => {
                    let skip = rest.len() - args.len() + at;
                    at_depth(rest.get(skip..).unwrap_or_default(), depth + 1, out);
                }
            }
        }
    }
}

/// `-c`, alone or in a cluster such as `-exc`.
fn is_command_flag(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|t| t.contains('c') && t.bytes().all(|b| b.is_ascii_alphabetic()))
}

fn of_script(text: &str, depth: usize, out: &mut Vec<Class>) {
    for (_, line) in words_of_script(text) {
        at_depth(&line, depth + 1, out);
    }
}

/// The words of every command of a script, as they are written where they hold variables, and where it starts. They come
/// in no order.
pub(super) fn words_of_script(text: &str) -> Vec<(u32, Vec<String>)> {
    let script = shell::parse(text);
    let empty = Shell::new(&RunState::default());
    let mut lines: Vec<(u32, Vec<String>)> = Vec::new();
    script.visit(&mut |command| {
        let at = command.span.start;
        match &command.kind {
            CommandKind::Simple(simple) => {
                let words = simple.words.iter();
                let arguments = words.flat_map(|w| Argument::of_word(w, &empty));
                lines.push((at, arguments.map(|a| a.shown()).collect()));
            }
            CommandKind::Unknown => {
                let rough = words_of_commands(text.get(command.span.range()).unwrap_or_default());
                lines.extend(rough.into_iter().map(|words| (at, words)));
            }
            _ => {}
        }
    });
    lines
}

/// A rough reading of a text that could not be parsed: split at operators and blanks.
pub(super) fn words_of_commands(text: &str) -> Vec<Vec<String>> {
    text.replace("\\\n", " ")
        .split([';', '&', '|', '\n', '(', ')', '{', '}', '`'])
        .map(|command| {
            command
                .split_whitespace()
                .map(|w| w.trim_matches(['"', '\'']).to_string())
                .skip_while(|w| {
                    w.contains('=')
                        || w == "!"
                        || matches!(w.as_str(), "if" | "then" | "elif" | "else" | "do" | "while")
                })
                .collect()
        })
        .filter(|words: &Vec<String>| !words.is_empty())
        .collect()
}

/// The script of `sh -c script`, where nothing else changes what the shell does.
pub(super) fn inline_script(arguments: &[Argument]) -> Option<String> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let flags = argument.known()?.strip_prefix('-')?;
        let harmless = |b: u8| matches!(b, b'e' | b'u' | b'x' | b'v' | b'c' | b'o');
        if flags.is_empty() || !flags.bytes().all(harmless) {
            return None;
        }
        if flags.contains('o') {
            let option = rest.next()?.known()?;
            if !matches!(option, "pipefail" | "errexit" | "nounset" | "xtrace") {
                return None;
            }
        }
        if flags.contains('c') {
            return rest.next()?.known().map(str::to_string);
        }
    }
    None
}
