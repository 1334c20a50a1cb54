//! The tables of `moby/patternmatcher`'s own tests, read from a checked-out copy and answered by ours.
//!
//! Goes in: `CACHEPLAN_PATTERNMATCHER`, a work tree of that project; without it the test says that it
//! is skipped. Comes out: agreement row by row. Nothing of that project is kept here, so a small reader
//! takes the tables out of its Go files. Invariant: a table that was not found fails the test.

use super::exclude::ExcludeRules;
use super::ignore::IgnoreRules;
use super::matcher::Matcher;
use super::path::clean;
use super::walk::DirState;
use crate::source::SourceFile;
use std::path::{Path, PathBuf};

/// A value in a Go table.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    List(Vec<Value>),
    Word(String),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Word(text) => text.clone(),
            Self::List(_) => panic!("a list where a text should be: {self:?}"),
        }
    }

    fn texts(&self) -> Vec<String> {
        match self {
            Self::List(list) => list.iter().map(Self::text).collect(),
            one => vec![one.text()],
        }
    }
}

/// Reads a value at the start of the text and returns the rest.
fn value(text: &str) -> (Value, &str) {
    let text = skip(text);
    if let Some(inside) = text.strip_prefix('`') {
        let (raw, rest) = inside.split_once('`').expect("a closed raw string");
        return (Value::Text(raw.to_owned()), rest);
    }
    if let Some(inside) = text.strip_prefix('"') {
        let mut out = String::new();
        let mut chars = inside.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return (Value::Text(out), &inside[at + 1..]),
                '\\' => match chars.next().expect("an escape").1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    c => out.push(c),
                },
                c => out.push(c),
            }
        }
        panic!("a string without end");
    }
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || "._[]".contains(c)))
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let Some(mut rest) = rest.strip_prefix('{') else {
        assert!(
            !word.is_empty(),
            "no value: {:?}",
            text.chars().take(40).collect::<String>()
        );
        return (Value::Word(word.to_owned()), rest);
    };
    let mut list = Vec::new();
    loop {
        rest = skip(rest);
        if let Some(rest) = rest.strip_prefix('}') {
            return (Value::List(list), rest);
        }
        let (one, after) = value(rest);
        list.push(one);
        rest = skip(after);
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// Without blanks and comments in front.
fn skip(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        match text.strip_prefix("//") {
            Some(comment) => text = comment.split_once('\n').map_or("", |(_, rest)| rest),
            None => return text,
        }
    }
}

/// The rows of every table that starts with these words.
fn rows(file: &str, start: &str) -> Vec<Vec<Value>> {
    let mut out = Vec::new();
    for (at, _) in file.match_indices(start) {
        let (Value::List(list), _) = value(&file[at..]) else {
            panic!("{start} is no table");
        };
        out.extend(list.into_iter().map(|row| match row {
            Value::List(row) => row,
            other => panic!("{other:?} is no row"),
        }));
    }
    assert!(!out.is_empty(), "{start} was not found");
    out
}

/// The walk's answer and the flat one; an error where the patterns are refused.
fn answers(patterns: &[String], path: &str) -> Result<[bool; 2], String> {
    let rules = ExcludeRules::new(patterns).map_err(|e| e.to_string())?;
    let path = path.as_bytes();
    let flat = rules.walk.decide(&DirState::root(), path).0;
    Ok([rules.walk.decide_path(path).0, flat])
}

fn suite() -> Option<PathBuf> {
    let folder = std::env::var_os("CACHEPLAN_PATTERNMATCHER").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: CACHEPLAN_PATTERNMATCHER names no copy of moby/patternmatcher");
    }
    folder
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn upstream_tables() {
    let Some(folder) = suite() else { return };
    let file = read(&folder.join("patternmatcher_test.go"));
    let (mut wrong, mut count) = (Vec::new(), [0; 4]);
    for start in ["[]matchesTestCase{", "[]multiPatternTestCase{"] {
        for row in rows(&file, start) {
            count[0] += 1;
            let (patterns, path, want) = (row[0].texts(), row[1].text(), row[2].text() == "true");
            if answers(&patterns, &path) != Ok([want; 2]) {
                wrong.push(format!(
                    "{patterns:?} on {path:?}: {:?}",
                    answers(&patterns, &path)
                ));
            }
        }
    }
    for row in rows(&file, "[]matchTest{") {
        count[1] += 1;
        let (patterns, path) = (row[0].texts(), row[1].text());
        let refused = row[3].text() != "nil";
        let right = match answers(&patterns, &path) {
            Ok([_, flat]) => !refused && flat == (row[2].text() == "true"),
            Err(_) => refused,
        };
        if !right {
            wrong.push(format!(
                "{patterns:?} on {path:?}: {:?}",
                answers(&patterns, &path)
            ));
        }
    }
    for row in rows(&file, "[]compileTestCase{") {
        count[2] += 1;
        let kind = match Matcher::new(&clean(&row[0].text())) {
            Ok(Matcher::Exact(_)) => "exactMatch",
            Ok(Matcher::Prefix(_)) => "prefixMatch",
            Ok(Matcher::Suffix(_)) => "suffixMatch",
            Ok(Matcher::Mixed(_)) => "regexpMatch",
            Ok(Matcher::Never) | Err(_) => "refused",
        };
        if kind != row[1].text() {
            wrong.push(format!("{:?} is {kind}", row[0]));
        }
    }
    // Single questions: what the failure message is about tells the answer they want.
    for (at, call) in file.match_indices("= Matches(\"") {
        let rest = &file[at + call.len() - 1..];
        let (Value::Text(path), rest) = value(rest) else {
            continue;
        };
        let (list, rest) = value(skip(rest).trim_start_matches(','));
        let check = rest.split_once("if ").map_or("", |(_, check)| check);
        let got = answers(&list.texts(), &path);
        count[3] += 1;
        let right = if check.starts_with("!match ") {
            matches!(got, Ok([_, true]))
        } else if check.starts_with("match ") || check.starts_with("err != nil") {
            matches!(got, Ok([_, false]))
        } else {
            got.is_err()
        };
        if !right {
            wrong.push(format!(
                "{list:?} on {path:?}: {got:?}, {:?}",
                check.lines().next()
            ));
        }
    }
    eprintln!(
        "rows: {} matches, {} of Match, {} kinds, {} single",
        count[0], count[1], count[2], count[3]
    );
    assert!(count.iter().all(|n| *n > 8), "{count:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn upstream_file_reader() {
    let Some(folder) = suite() else { return };
    let file = read(&folder.join("ignorefile/ignorefile_test.go"));
    let at = |start: &str| {
        let (_, rest) = file
            .split_once(start)
            .unwrap_or_else(|| panic!("no {start}"));
        value(rest).0
    };
    let (rules, _) = IgnoreRules::parse(&SourceFile::new("ignore", at("const content = ").text()));
    let own: Vec<String> = rules
        .patterns()
        .iter()
        .map(|p| format!("{}{}", if p.negated { "!" } else { "" }, p.body))
        .collect();
    assert_eq!(own, at("expected := ").texts());
}
