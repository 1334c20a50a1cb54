//! What the commands of a RUN do to files that are there, and which of them bring bytes.
//!
//! Goes in: a step with its footprint. Comes out: one [`Command`] for each that writes, in order. One pass over the evidence. Invariant:
//! a command that is not known by its name writes whatever its footprint claims.

use crate::footprint::{Evidence, PathClaim};
use crate::plan::Step;

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Takes paths away.
    Delete,
    /// Gives files another owner, the layer holds them once more: who, and whether that is a group alone.
    Owner(String, bool),
    /// Gives files another mode.
    Mode(String),
    /// A second name: the layer holds the file once more.
    HardLink,
    /// Makes folders and symbolic links.
    Shape,
    /// Anything else.
    Write,
}

/// A command of a RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it does.
    pub act: Act,
    /// Where.
    pub claims: Vec<PathClaim>,
    /// As it is written.
    pub text: String,
}

/// The commands of a RUN that write, as far as they are known.
#[must_use]
pub fn commands(step: &Step) -> Vec<Command> {
    let Some(footprint) = &step.footprint else {
        return Vec::new();
    };
    let exec = footprint.commands.first().map_or("", String::as_str);
    let command = |e: &Evidence| {
        // In exec form there is one command, and nothing that it could be read in.
        let text = match step.text.starts_with('[') {
            true => words_of(&step.text),
            false => step
                .text
                .get(e.span.range())
                .unwrap_or_default()
                .trim()
                .to_owned(),
        };
        let name = text.split_whitespace().next().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or(name);
        Command {
            act: act(name, &text),
            claims: claims(name, &text, &e.writes),
            text,
        }
    };
    if footprint.evidence.iter().all(|e| e.writes.is_empty()) {
        let claims = footprint.writes.claims.clone();
        let one = Command {
            act: act(
                exec.rsplit('/').next().unwrap_or(exec),
                &words_of(&step.text),
            ),
            claims,
            text: step.text.clone(),
        };
        return match one.claims.is_empty() {
            true => Vec::new(),
            false => vec![one],
        };
    }
    let all = footprint.evidence.iter();
    let writes = all.filter(|e| !e.idle && !e.writes.is_empty());
    writes.map(command).collect()
}

fn act(name: &str, text: &str) -> Act {
    let flag = |letter: char| {
        let words = text.split_whitespace().skip(1);
        let mut short = words.filter(|w| w.starts_with('-') && !w.starts_with("--"));
        short.any(|w| w.contains(letter))
    };
    match name {
        "rm" | "rmdir" | "unlink" => Act::Delete,
        "chown" | "chgrp" => Act::Owner(operand(text, false), name == "chgrp"),
        "chmod" => Act::Mode(operand(text, true)),
        "ln" if flag('s') || text.contains("--symbolic") => Act::Shape,
        "ln" => Act::HardLink,
        "mkdir" => Act::Shape,
        _ => Act::Write,
    }
}

/// The first argument that is no option; `chmod -x` has a mode that looks like one.
fn operand(text: &str, mode: bool) -> String {
    let words = text.split_whitespace().skip(1);
    let is_mode = |w: &str| mode && w[1..].chars().all(|c| "rwxXst".contains(c)) && w.len() > 1;
    let mut own = words.filter(|w| !w.starts_with('-') || is_mode(w));
    own.next()
        .unwrap_or_default()
        .trim_matches(['"', '\''])
        .to_owned()
}

/// An exec form as words.
fn words_of(text: &str) -> String {
    let argv: Result<Vec<String>, _> = serde_json::from_str(text);
    argv.map_or_else(|_| text.to_owned(), |a| a.join(" "))
}

/// Where a command leaves what it writes: a download has the name that its URL ends with, and what tools note beside it is next to nothing.
fn claims(name: &str, text: &str, writes: &[PathClaim]) -> Vec<PathClaim> {
    let notes = |c: &&PathClaim| !c.path.ends_with("/.wget-hsts");
    let mut out: Vec<PathClaim> = writes.iter().filter(notes).cloned().collect();
    if name == "wget"
        && let [folder] = out.as_slice()
        && let Some(file) = downloaded(text)
    {
        let folder = folder.path.trim_end_matches('/');
        out = vec![PathClaim::exact(format!("{folder}/{file}"))];
    }
    out
}

/// The name that `wget URL` gives to the one file it fetches.
fn downloaded(text: &str) -> Option<&str> {
    let own_name = |w: &&str| w.starts_with("-O") || w.starts_with("--output-document");
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.iter().any(own_name) {
        return None;
    }
    let mut urls = words.iter().map(|w| w.trim_matches(['"', '\'']));
    let url = urls.find(|w| w.contains("://"))?;
    if urls.any(|w| w.contains("://")) || url.contains(['$', '`', '?', '*']) {
        return None;
    }
    let (_, rest) = url.split_once("://")?;
    let (_, file) = rest.rsplit_once('/')?;
    (!file.is_empty()).then_some(file)
}
