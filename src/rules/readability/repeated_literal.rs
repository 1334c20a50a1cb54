//! A version that is written again and again.

use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::rules::{Check, Findings, Rule, View};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// `repeated-literal`.
pub static RULE: Rule = Rule {
    name: "repeated-literal",
    severity: Severity::Note,
    summary: "one version is written in several places, and an update has to find them all",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Fewer are seen at a glance.
const OFTEN: usize = 3;

/// Versions that are looked at in one word.
const MOST_IN_WORD: usize = 8;

/// Lines that a message names.
const SHOWN: usize = 12;

/// One place.
struct Place {
    span: Span,
    instruction: usize,
    /// Words around it, without those that all addresses have.
    names: BTreeSet<String>,
}

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for stage in 0..view.plan.stages.len() {
        let mut places: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for (at, ins) in view.instructions(stage) {
            if matches!(
                ins.kind(),
                Kind::Run(_) | Kind::Copy(_) | Kind::Add(_) | Kind::Workdir(_)
            ) {
                collect(view, at, ins.span, &mut places);
            }
        }
        for (version, places) in &places {
            found(view, version, places, out);
        }
    }
}

/// Notes the versions in an instruction's lines, comments aside.
fn collect(view: &View<'_>, at: usize, span: Span, out: &mut BTreeMap<String, Vec<Place>>) {
    let text = view.source.text(span);
    // Places are bytes of the file: text that is not UTF-8 has others.
    if text.len() != span.len() {
        return;
    }
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        if line.trim_start().starts_with('#') {
            continue;
        }
        let mut from = 0;
        for token in line.split([
            ' ', '\t', '"', '\'', ';', '&', '|', '(', ')', '\n', '\r', '\\',
        ]) {
            let found = versions(token);
            // Words of this kind are lists that a program wrote.
            let found = found.iter().take(MOST_IN_WORD);
            for &(n, version) in found {
                let at_byte = u32::try_from(start + from + n)
                    .unwrap_or(0)
                    .saturating_add(span.start);
                out.entry(version.to_owned()).or_default().push(Place {
                    span: Span {
                        start: at_byte,
                        end: at_byte.saturating_add(u32::try_from(version.len()).unwrap_or(0)),
                    },
                    instruction: at,
                    names: names(token),
                });
            }
            from += token.len() + 1;
        }
    }
}

/// Versions of three numbers or more in a word, with where they start; no addresses of hosts.
fn versions(token: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut at = 0;
    let bytes = token.as_bytes();
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let mut end = at;
        while end < bytes.len() && (bytes[end].is_ascii_digit() || bytes[end] == b'.') {
            end += 1;
        }
        let text = token[at..end].trim_end_matches('.');
        let inside = at > 0 && bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'v';
        let parts: Vec<&str> = text.split('.').collect();
        let plain = parts.iter().all(|p| !p.is_empty() && p.len() < 5);
        if parts.len() == 3 && plain && !inside && text.len() > 4 {
            out.push((at, text));
        }
        at = end;
    }
    out
}

/// Words of letters in a word, without those that say nothing.
fn names(token: &str) -> BTreeSet<String> {
    const COMMON: &[&str] = &[
        "http",
        "https",
        "ftp",
        "www",
        "com",
        "org",
        "net",
        "io",
        "tar",
        "gz",
        "tgz",
        "xz",
        "bz",
        "zip",
        "deb",
        "rpm",
        "github",
        "releases",
        "release",
        "download",
        "downloads",
        "linux",
        "amd",
        "arm",
        "src",
        "usr",
        "local",
        "opt",
        "bin",
        "lib",
        "tmp",
        "home",
        "archive",
        "refs",
        "tags",
        "version",
        "dist",
        "files",
        "stable",
        "all",
        "any",
        "cp",
        "none",
        "manylinux",
        "whl",
        "x",
        "v",
        "node",
        "modules",
        "package",
        "packages",
        "pkg",
        "share",
        "etc",
        "var",
        "app",
        "build",
        "latest",
        "master",
        "main",
        "blob",
        "raw",
        "bz2",
        "jar",
        "maven",
        "repo",
        "unknown",
        "musl",
        "gnu",
        "darwin",
        "apple",
        "windows",
    ];
    // Of an address, the host says nothing about what is fetched.
    let token = match token.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => token,
    };
    token
        .split(|c: char| !c.is_ascii_alphabetic())
        .map(str::to_lowercase)
        .filter(|w| w.len() > 1 && !COMMON.contains(&w.as_str()))
        .collect()
}

fn found(view: &View<'_>, version: &str, places: &[Place], out: &mut Findings<'_>) {
    // What most of the places are about.
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for name in places.iter().flat_map(|p| &p.names) {
        *count.entry(name.as_str()).or_default() += 1;
    }
    let best = count.iter().max_by_key(|(name, n)| (**n, name.len()));
    let Some((name, _)) = best.filter(|(_, n)| **n >= OFTEN) else {
        return;
    };
    let own: Vec<&Place> = places.iter().filter(|p| p.names.contains(*name)).collect();
    let Some(first) = own.first() else { return };
    let mut lines: Vec<u32> = own.iter().map(|p| view.source.line(p.span.start)).collect();
    lines.dedup();
    // In one line they are changed together.
    if lines.len() < 2 {
        return;
    }
    let shown: Vec<String> = lines.iter().take(SHOWN).map(u32::to_string).collect();
    let more = match lines.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let message = format!(
        "version `{version}` of `{name}` is written {} times (lines {}{more}): an update has to change them all",
        own.len(),
        shown.join(", ")
    );
    let line = view
        .tree
        .instructions()
        .get(first.instruction)
        .map_or(0, |i| i.line);
    let variable = format!("{}_VERSION", name.to_uppercase());
    out.at(first.span, message).help(format!(
        "write `ARG {variable}={version}` right above line {line} and `${{{variable}}}` in its places: higher up it would run steps again that have nothing to do with it"
    ));
}
