//! What a history says that a layer was made by.
//!
//! Goes in: `RUN |1 A=b /bin/sh -c npm ci # buildkit` and the like, as BuildKit 0.25 and the classic builder write them. Comes out: keyword and
//! text as a rule of a costs file has them. One match. Invariant: what is no step with a layer, or does not tell its text, is `None`.

use regex::Regex;
use std::sync::LazyLock;

/// A shell up to its command.
static SHELL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let unix =
        r"(?:/\S*/)?(?:sh|bash|ash|dash|zsh|ksh)(?: +(?:-[A-Za-z]+|pipefail))*? +-[A-Za-z]*c +";
    let windows = r"(?:\S*[/\\])?(?:cmd(?:\.exe)?(?: +/\S+)*? +/[Cc] +|(?:powershell|pwsh)(?:\.exe)?(?: +-\w+)*? +-(?:Command|c) +)";
    Regex::new(&format!("(?:^| )(?:{unix}|{windows})")).ok()
});

/// Keyword and text of the step that made a layer.
#[must_use]
pub fn made_by(created_by: &str) -> Option<(String, String)> {
    let text = created_by.trim();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim();
    let (keyword, rest) = text.split_once([' ', '\t', '\n'])?;
    let found = |text: &str| Some((keyword.to_owned(), text.trim().to_owned()));
    match keyword {
        "RUN" => found(command(rest)?),
        "COPY" | "ADD" => found(without_flags(rest)),
        "WORKDIR" => found(rest),
        // The classic builder: `#(nop)` names no sources, and settings make no layer.
        _ if text.contains("#(nop)") => None,
        _ if keyword.starts_with('|') || shell(text) == Some(0) => {
            let command = command(text)?.trim();
            (!command.is_empty()).then(|| ("RUN".to_owned(), command.to_owned()))
        }
        _ => None,
    }
}

/// Where a text first calls a shell.
fn shell(text: &str) -> Option<usize> {
    SHELL.as_ref()?.find(text).map(|m| m.start())
}

/// The command without the values of build arguments before it, and without the shell; `None` where nothing tells where the values end.
fn command(text: &str) -> Option<&str> {
    let after_shell = |text: &str| SHELL.as_ref()?.find(text).map(|m| (m.start(), m.end()));
    let Some((count, rest)) = text.strip_prefix('|').and_then(|t| t.split_once(' ')) else {
        return match after_shell(text) {
            Some((0, end)) => Some(&text[end..]),
            _ => Some(text),
        };
    };
    // Values may have blanks in them: the shell tells where they end.
    if let Some((_, end)) = after_shell(rest) {
        return Some(&rest[end..]);
    }
    let count: usize = count.parse().ok()?;
    let mut rest = rest;
    for _ in 0..count.min(rest.len()) {
        let (value, behind) = rest.split_once(' ')?;
        rest = value.contains('=').then_some(behind)?;
    }
    Some(rest)
}

fn without_flags(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        rest = rest.split_once(' ').map_or("", |(_, r)| r).trim_start();
    }
    rest
}
