//! What a RUN's script does about the caches of its tools: flags that switch them off, commands that empty them, and
//! everything else that names their folders.
//!
//! Goes in: a script, the uses of one tool in it, the folders. Comes out: [`Cleaning`], what to cut so that a mount may stand in
//! for the folder; or why it may not. Costs one parse of the script. Invariant: a cut is a whole flag, a whole path, or a whole
//! `&&` part of a chain, so that what is left runs as before.

use super::{Folder, Kept};
use crate::footprint::{Use, is_below};
use crate::pattern::clean;
use crate::shell::{self, Command, CommandKind, ListOperator, Redirect, Simple};
use std::collections::BTreeMap;
use std::ops::Range;

/// What stands for something else in a script.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The home directory.
    pub home: Option<String>,
    /// Variables with known values.
    pub variables: BTreeMap<String, String>,
}

/// What has to go, and what that means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaning {
    /// Bytes of the script, in order.
    pub cuts: Vec<Range<usize>>,
    /// The RUN leaves nothing of the cache as it is.
    pub cleaned: bool,
    /// A command does that, which takes away what earlier steps left as well.
    pub sweeps: bool,
    /// The folder that it takes away is one around those of the tool.
    pub whole: Option<String>,
}

/// Commands that move or hand over what is below a folder they are given.
const WHOLE_FOLDERS: &[&str] = &[
    "cp", "mv", "tar", "rsync", "chown", "chmod", "chgrp", "find", "ln", "zip",
];

/// What a command of a script does to the folders.
enum Deed {
    Nothing,
    /// It empties them, all of them or a part.
    Cleans {
        all: bool,
    },
    /// `rm` of them: which of its words, and whether others stay.
    Removes {
        words: Vec<usize>,
        others: bool,
        whole: Option<String>,
        all: bool,
    },
    /// Something else.
    Names(String),
}

/// Looks at the script of a RUN that a mount is to be put over.
///
/// # Errors
/// Something in it would not work, or not do the same, with a mount there.
pub fn cleaning(script: &str, uses: &[(&Use, &Kept)], look: &Look) -> Result<Cleaning, String> {
    let parsed = shell::parse(script);
    let folders: Vec<&Folder> = uses.iter().flat_map(|(_, k)| &k.folders).collect();
    let whole = uses.iter().find_map(|(_, k)| k.whole.as_deref());
    let tool = uses.first().map_or("", |(_, k)| k.tool);
    let last_use = uses.iter().map(|(u, _)| u.span.start).max().unwrap_or(0);
    let mut out = Cleaning::default();
    let mut simple = Vec::new();
    parsed.visit(&mut |c| {
        if let CommandKind::Simple(s) = &c.kind {
            simple.push((c, s));
        }
    });
    for (command, words) in simple {
        let (start, end) = (command.span.start, command.span.end);
        let own = uses
            .iter()
            .find(|(u, _)| u.span.start >= start && u.span.end <= end);
        if let Some((_, kept)) = own {
            flags(script, words, &kept.off, &mut out.cuts)?;
            continue;
        }
        match deed(
            script,
            (words, &command.redirects),
            tool,
            &folders,
            whole,
            look,
            true,
        ) {
            Deed::Nothing => {}
            Deed::Names(place) => return Err(format!("a command of the RUN names {place}")),
            Deed::Cleans { all } => {
                let part = part(&parsed.commands, command)
                    .ok_or("the cache is emptied by no plain part of a chain")?;
                in_order(start, last_use)?;
                out.cuts.push(part);
                out.cleaned |= all;
                out.sweeps = true;
            }
            Deed::Removes {
                words: gone,
                others,
                whole,
                all,
            } => {
                let part = part(&parsed.commands, command)
                    .ok_or("the cache is emptied by no plain part of a chain")?;
                in_order(start, last_use)?;
                if others {
                    out.cuts
                        .extend(gone.iter().filter_map(|n| cut_word(words, *n)));
                } else {
                    out.cuts.push(part);
                }
                out.cleaned |= all;
                out.sweeps = true;
                out.whole = out.whole.or(whole);
            }
        }
    }
    let off = |(_, k): &(&Use, &Kept)| !k.off.is_empty();
    let switched = uses.iter().filter(|u| off(u)).count();
    let flagged = uses.iter().flat_map(|(_, k)| &k.off).count();
    let found = out.cuts.len();
    if !out.sweeps && found < flagged {
        return Err("a flag that switches the cache off is not found in the script".to_owned());
    }
    out.cleaned |= switched == uses.len();
    out.cuts.sort_by_key(|r| r.start);
    Ok(out)
}

fn in_order(start: u32, last_use: u32) -> Result<(), String> {
    match start > last_use {
        true => Ok(()),
        false => Err("the cache is emptied before it is filled again".to_owned()),
    }
}

/// Where a script that no mount is put over names one of the folders, removing them aside.
#[must_use]
pub fn named(script: &str, folders: &[Folder], look: &Look) -> Option<String> {
    let parsed = shell::parse(script);
    let folders: Vec<&Folder> = folders.iter().collect();
    let mut found = None;
    parsed.visit(&mut |c| {
        let CommandKind::Simple(words) = &c.kind else {
            return;
        };
        if let Deed::Names(place) = deed(
            script,
            (words, &c.redirects),
            "",
            &folders,
            None,
            look,
            false,
        ) {
            found.get_or_insert(place);
        }
    });
    found
}

/// Cuts flags out of a command.
fn flags(
    script: &str,
    words: &Simple,
    off: &[String],
    cuts: &mut Vec<Range<usize>>,
) -> Result<(), String> {
    for (n, word) in words.words.iter().enumerate() {
        let text = script.get(word.span.range()).unwrap_or_default();
        if off.iter().any(|o| o == text) {
            let cut = cut_word(words, n).ok_or("a flag stands where a command should")?;
            cuts.push(cut);
        }
    }
    Ok(())
}

/// A word with the blanks before it.
fn cut_word(words: &Simple, n: usize) -> Option<Range<usize>> {
    let before = words.words.get(n.checked_sub(1)?)?.span.range().end;
    Some(before..words.words.get(n)?.span.range().end)
}

/// The part of a chain that a command is, with the `&&` before it.
fn part(commands: &[Command], wanted: &Command) -> Option<Range<usize>> {
    let [only] = commands else {
        return None;
    };
    let CommandKind::List { first, rest } = &only.kind else {
        return None;
    };
    let plain = rest.iter().all(|(o, _)| *o == ListOperator::And);
    if !plain || only.background || !only.redirects.is_empty() {
        return None;
    }
    let at = rest.iter().position(|(_, c)| c.span == wanted.span)?;
    let (_, command) = rest.get(at)?;
    let CommandKind::Simple(simple) = &command.kind else {
        return None;
    };
    if !command.redirects.is_empty() || !simple.assignments.is_empty() || command.background {
        return None;
    }
    let before = match at {
        0 => first.span.range().end,
        _ => rest[at - 1].1.span.range().end,
    };
    Some(before..command.span.range().end)
}

fn deed(
    script: &str,
    (simple, redirects): (&Simple, &[Redirect]),
    tool: &str,
    folders: &[&Folder],
    whole: Option<&str>,
    look: &Look,
    own: bool,
) -> Deed {
    let texts: Vec<String> = simple
        .words
        .iter()
        .map(|w| expand(script.get(w.span.range()).unwrap_or_default(), look))
        .collect();
    let written = redirects.iter().map(|r| &r.target.span);
    for span in written {
        let text = expand(script.get(span.range()).unwrap_or_default(), look);
        if let Some(folder) = folders.iter().find(|f| holds(&text, &f.path)) {
            return Deed::Names(folder.path.clone());
        }
    }
    let Some((name, arguments)) = texts.split_first() else {
        return Deed::Nothing;
    };
    let name = name.rsplit('/').next().unwrap_or(name);
    if own && let Some(all) = empties(tool, name, arguments) {
        return Deed::Cleans { all };
    }
    if name == "rm" {
        return removes(arguments, folders, whole, look, own);
    }
    for text in &texts {
        let inside = folders.iter().find(|f| holds(text, &f.path));
        if let Some(folder) = inside {
            return Deed::Names(folder.path.clone());
        }
        let path = clean_path(text);
        let around = |f: &&&Folder| path.as_deref().is_some_and(|p| is_below(&f.path, p));
        let root = path.as_deref() == Some("/") && !own;
        if WHOLE_FOLDERS.contains(&name) && !root && folders.iter().any(|f| around(&f)) {
            return Deed::Names(text.clone());
        }
    }
    Deed::Nothing
}

/// Whether a text names a path, or one below it.
fn holds(text: &str, path: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mut places = text.match_indices(path);
    places.any(|(at, _)| !text[at + path.len()..].starts_with(goes_on))
}

/// Whether a command is the tool's own way to empty its cache, and whether nothing is left then.
fn empties(tool: &str, name: &str, arguments: &[String]) -> Option<bool> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let all = match (tool, name, words.as_slice()) {
        ("npm", "npm", ["cache", "clean" | "clear" | "rm", ..]) => true,
        ("yarn", "yarn" | "yarnpkg", ["cache", "clean", rest @ ..]) => {
            rest.iter().all(|w| w.starts_with('-'))
        }
        ("pnpm", "pnpm", ["store", "prune", ..]) => false,
        ("bun", "bun", ["pm", "cache", "rm", ..]) => true,
        ("pip", "pip" | "pip3", ["cache", "purge"]) => true,
        ("pip", _, ["-m", "pip", "cache", "purge"]) if name.starts_with("python") => true,
        ("uv", "uv", ["cache", "clean"]) => true,
        ("uv", "uv", ["cache", ..]) => false,
        ("poetry", "poetry", ["cache", "clear", ..]) => false,
        ("composer", "composer", ["clear-cache" | "clearcache" | "cc", ..]) => true,
        ("go", "go", ["clean", rest @ ..]) => {
            rest.contains(&"-cache") && rest.contains(&"-modcache")
        }
        ("dotnet", "dotnet", ["nuget", "locals", ..]) => words.contains(&"all"),
        _ => return None,
    };
    Some(all)
}

fn removes(
    arguments: &[String],
    folders: &[&Folder],
    whole: Option<&str>,
    look: &Look,
    own: bool,
) -> Deed {
    let (mut gone, mut others, mut widest) = (Vec::new(), false, None);
    let mut all = true;
    for (n, text) in arguments.iter().enumerate() {
        if text.starts_with('-') {
            continue;
        }
        let Some(path) = clean_path(text) else {
            others = true;
            continue;
        };
        let home = look.home.as_deref().unwrap_or("/root");
        let caches = format!("{home}/.cache");
        let inside = folders.iter().find(|f| is_below(&path, &f.path));
        let around = folders.iter().any(|f| is_below(&f.path, &path));
        match (inside, around) {
            (_, true) | (Some(_), _) if !own => {}
            (None, false) => others = true,
            // The whole of it, or what npm and the like keep in it.
            (Some(f), _) if path == f.path || path.ends_with("/_cacache") => {
                all &= folders.len() == 1 || folders.iter().all(|o| o.path == f.path);
                gone.push(n + 1);
            }
            (None, true) if path == caches || Some(path.as_str()) == whole => {
                if !folders.iter().all(|f| is_below(&f.path, &path)) {
                    return Deed::Names(text.clone());
                }
                widest = Some(path);
                gone.push(n + 1);
            }
            _ => return Deed::Names(text.clone()),
        }
    }
    match gone.is_empty() {
        true => Deed::Nothing,
        false => Deed::Removes {
            all: all || widest.is_some(),
            words: gone,
            others,
            whole: widest,
        },
    }
}

/// An absolute path, a pattern at its end taken off; `None` for a text that is none, or not known.
fn clean_path(text: &str) -> Option<String> {
    if !text.starts_with('/') || text.contains(['$', '`']) {
        return None;
    }
    let fixed = text.split(['*', '?', '[', '{']).next().unwrap_or_default();
    let path = match fixed.len() == text.len() {
        true => fixed,
        false => fixed.rsplit_once('/').map_or("/", |(folder, _)| folder),
    };
    Some(clean(&format!("/{path}")))
}

/// A word without its quotes, `~` and variables as far as they are known.
fn expand(raw: &str, look: &Look) -> String {
    if raw.starts_with('\'') {
        return raw.trim_matches('\'').to_owned();
    }
    let text: String = raw.chars().filter(|c| !matches!(c, '"' | '\\')).collect();
    let home = look.home.as_deref();
    let text = match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            format!("{home}{rest}")
        }
        _ => text,
    };
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let braces = after.starts_with('{');
        let body = after.strip_prefix('{').unwrap_or(after);
        let end = body
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(body.len());
        let (name, tail) = body.split_at(end);
        let closed = !braces || tail.starts_with('}');
        let value = match name {
            "HOME" => look.variables.get(name).map(String::as_str).or(home),
            _ => look.variables.get(name).map(String::as_str),
        };
        match value.filter(|_| closed) {
            Some(value) => {
                out.push_str(value);
                rest = if braces { &tail[1..] } else { tail };
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[path = "cleaning_tests.rs"]
mod tests;
