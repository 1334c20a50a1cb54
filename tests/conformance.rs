//! BuildKit's own parser suite, read from a copy of its repository.
//!
//! In: `CACHEPLAN_BUILDKIT`, a folder that holds `frontend/dockerfile` of moby/buildkit; without it the tests say so and
//! pass. Checked: its parser's dumps, refusals and line numbers, and every row of its tables of word expansion. Invariant:
//! nothing of the suite is part of this repository; counts are printed, and kept in `docs/conformance.md`.

use cacheplan::diagnostic::Diagnostic;
use cacheplan::dockerfile::{
    CommandForm, Dockerfile, Instruction, Kind, Parsed, Text, Texts, expand_word, expand_words,
    parse,
};
use cacheplan::source::SourceFile;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// `frontend/dockerfile` of the copy.
fn suite() -> Option<PathBuf> {
    let Some(root) = std::env::var_os("CACHEPLAN_BUILDKIT") else {
        eprintln!("skipped: CACHEPLAN_BUILDKIT names no copy of moby/buildkit");
        return None;
    };
    let folder = Path::new(&root).join("frontend/dockerfile");
    assert!(folder.is_dir(), "{} is no folder", folder.display());
    Some(folder)
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).expect("a folder of the suite");
    let mut all: Vec<PathBuf> = entries.map(|e| e.expect("readable").path()).collect();
    all.sort();
    all
}

fn read(path: &Path) -> Parsed<Dockerfile> {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    parse(&SourceFile::new("Dockerfile", bytes))
}

// --- files -----------------------------------------------------------------------------------

#[test]
fn trees_equal_the_suites_dumps() {
    let Some(suite) = suite() else { return };
    let all = folders(&suite.join("parser/testfiles"));
    let mut wrong = Vec::new();
    for folder in &all {
        let parsed = read(&folder.join("Dockerfile"));
        let expected = fs::read_to_string(folder.join("result")).expect("a dump");
        let dump: String = parsed
            .tree
            .instructions()
            .iter()
            .map(|i| show(i) + "\n")
            .collect();
        if dump != expected {
            let codes: Vec<_> = parsed.diagnostics.iter().map(|d| d.code).collect();
            let lines = dump.lines().zip(expected.lines()).find(|(a, b)| a != b);
            wrong.push(format!("{}: {codes:?} {lines:#?}", folder.display()));
        }
    }
    eprintln!("dumps: {} files, {} differ", all.len(), wrong.len());
    assert!(all.len() >= 33 && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_the_suite_refuses_are_refused() {
    let Some(suite) = suite() else { return };
    let all = folders(&suite.join("parser/testfiles-negative"));
    for folder in &all {
        let parsed = read(&folder.join("Dockerfile"));
        let refused = parsed.diagnostics.iter().any(Diagnostic::is_error);
        assert!(refused, "{}", folder.display());
    }
    eprintln!("refusals: {} files agree", all.len());
    assert!(all.len() >= 4);
}

/// The lines are those of the suite's `TestParseIncludesLineNumbers`.
#[test]
fn instructions_stand_on_the_suites_lines() {
    let Some(suite) = suite() else { return };
    let tree = read(&suite.join("parser/testfile-line/Dockerfile")).tree;
    let lines: Vec<_> = tree
        .instructions()
        .iter()
        .map(|i| (i.line, i.end_line))
        .collect();
    assert_eq!(lines, [(5, 5), (11, 12), (17, 31)]);
}

/// One instruction in the suite's notation.
fn show(instruction: Instruction<'_>) -> String {
    format!("({})", content(instruction))
}

fn content(instruction: Instruction<'_>) -> String {
    let mut out = instruction.keyword.to_lowercase();
    if !instruction.flags().is_empty() {
        let flag = |f: cacheplan::dockerfile::Flag<'_>| match f.value() {
            Some(value) => quote(&format!("--{}={value}", f.name())),
            None => quote(&format!("--{}", f.name())),
        };
        let flags: Vec<String> = instruction.flags().iter().map(flag).collect();
        write!(out, " [{}]", flags.join(" ")).expect("a string");
    }
    for value in values(instruction) {
        out += " ";
        out += &value;
    }
    out
}

/// Arguments as the suite's parser keeps them: before anything is looked into.
fn values(instruction: Instruction<'_>) -> Vec<String> {
    let arguments = instruction.arguments().as_str();
    let texts = |list: Texts<'_>| list.iter().map(|s| quote(&s)).collect();
    let command = |form: CommandForm<'_>| match form {
        CommandForm::Exec(list) => texts(list),
        CommandForm::Shell(text) if text.is_empty() => Vec::new(),
        CommandForm::Shell(text) => vec![quote(&text)],
    };
    match instruction.kind() {
        Kind::From { .. } => arguments.split_ascii_whitespace().map(quote).collect(),
        Kind::Run(form) | Kind::Cmd(form) | Kind::Entrypoint(form) => command(form),
        Kind::Shell(list) | Kind::Expose(list) | Kind::Volume(list) => texts(list),
        Kind::Copy(transfer) | Kind::Add(transfer) => {
            let dest = std::iter::once(transfer.dest);
            transfer
                .sources
                .iter()
                .chain(dest)
                .map(|s| quote(&s))
                .collect()
        }
        Kind::Workdir(text)
        | Kind::User(text)
        | Kind::Stopsignal(text)
        | Kind::Maintainer(text) => {
            vec![quote(&text)]
        }
        Kind::Env(pairs) | Kind::Label(pairs) => {
            let first = arguments
                .split_ascii_whitespace()
                .next()
                .unwrap_or_default();
            let sign = if first.contains('=') { "=" } else { "" };
            let triple =
                |(key, value): (Text<'_>, Text<'_>)| [quote(&key), quote(&value), quote(sign)];
            pairs.iter().flat_map(triple).collect()
        }
        Kind::Arg(list) => {
            let word = |(name, value): (Text<'_>, Option<Text<'_>>)| match value {
                Some(value) => quote(&format!("{name}={value}")),
                None => quote(&name),
            };
            list.iter().map(word).collect()
        }
        Kind::Healthcheck(None) => vec![quote(arguments)],
        Kind::Healthcheck(Some(form)) => {
            let word = arguments
                .split_ascii_whitespace()
                .next()
                .unwrap_or_default();
            std::iter::once(quote(word)).chain(command(form)).collect()
        }
        Kind::Onbuild(trigger) => vec![show(trigger)],
        // Refused by the second look at instructions, which the dump comes before: for its flags
        // most of all, so look at it without them.
        Kind::Invalid if !instruction.flags().is_empty() => {
            let text = format!("FROM a\n{} {arguments}\n", instruction.keyword);
            let again = parse(&SourceFile::new("Dockerfile", text)).tree;
            values(again.instructions().at(1))
        }
        Kind::Invalid if arguments.is_empty() => Vec::new(),
        Kind::Invalid if instruction.keyword == "HEALTHCHECK" => {
            let (word, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
            let rest = Some(rest).filter(|rest| !rest.is_empty());
            std::iter::once(word).chain(rest).map(quote).collect()
        }
        Kind::Invalid => vec!["(invalid)".to_owned()],
    }
}

/// A string as Go quotes it.
fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\u{8}' => out += "\\b",
            '\u{c}' => out += "\\f",
            c if c.is_control() => write!(out, "\\x{:02x}", u32::from(c)).expect("a string"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

// --- words -----------------------------------------------------------------------------------

#[test]
fn words_expand_as_in_the_suites_tables() {
    let Some(suite) = suite() else { return };
    let env = |name: &str| {
        let pairs = [
            ("PWD", "/home"),
            ("SHELL", "bash"),
            ("KOREAN", "한국어"),
            ("NULL", ""),
        ];
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let table = fs::read_to_string(suite.join("shell/envVarTest")).expect("a table");
    let (mut rows, mut others) = (0, 0);
    for line in table
        .lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
    {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [platform, word, expected] = cells[..] else {
            panic!("no row of three cells: {line}")
        };
        if platform == "W" {
            others += 1;
            continue;
        }
        rows += 1;
        let got = expand_word(word, '\\', &env);
        let agree = match (&got, expected) {
            (Err(_), "error") => true,
            (got, value) => got.as_deref() == Ok(value),
        };
        assert!(agree, "{word}: {expected} is expected, not {got:?}");
    }
    eprintln!("expansion: {rows} rows agree, {others} are for another platform");
    assert!(rows >= 200);
}

#[test]
fn words_split_as_in_the_suites_table() {
    let Some(suite) = suite() else { return };
    let table = fs::read_to_string(suite.join("shell/wordsTest")).expect("a table");
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    let mut rows = 0;
    for line in table.lines().filter(|l| !l.starts_with('#')) {
        if let Some(pair) = line.strip_prefix("ENV ") {
            let (key, value) = pair.trim_start().split_once('=').expect("name=value");
            env.insert(key.to_owned(), value.to_owned());
            continue;
        }
        let (word, expected) = line.split_once('|').expect("two cells");
        let expected: Vec<&str> = expected.trim_start_matches(' ').split(',').collect();
        let got = expand_words(word.trim(), '\\', &|name| env.get(name).cloned());
        let got = got.unwrap_or_else(|_| vec!["error".to_owned()]);
        assert_eq!(got, expected, "{word}");
        rows += 1;
    }
    eprintln!("splitting: {rows} rows agree");
    assert!(rows >= 24);
}

/// The rows of `TestProcessWithMatches`, read out of its source.
#[test]
fn operators_work_as_in_the_suites_cases() {
    let Some(suite) = suite() else { return };
    let source = fs::read_to_string(suite.join("shell/lex_test.go")).expect("the source");
    let start = source
        .find("func TestProcessWithMatches(")
        .expect("the function");
    let end = source[start..]
        .find("for _, c := range tc")
        .expect("its loop")
        + start;
    let mut rows = 0;
    for case in source[start..end].split("\n\t\t{\n").skip(1) {
        let input = go_strings(case.split("input:").nth(1).expect("an input")).remove(0);
        let fails = case.contains("expectedErr: ") && case.contains("true");
        let env = case
            .split("map[string]string{")
            .nth(1)
            .expect("an environment");
        let env = go_strings(&env[..closing(env)]);
        let env: BTreeMap<&str, &str> = env.chunks(2).map(|p| (&*p[0], &*p[1])).collect();
        let got = expand_word(&input, '\\', &|n| env.get(n).map(|v| (*v).to_owned()));
        let expected = case
            .split("expected:")
            .nth(1)
            .map(|rest| go_strings(rest).remove(0));
        match (fails, expected) {
            (true, _) => assert!(got.is_err(), "{input}: {got:?}"),
            (false, expected) => {
                assert_eq!(got.as_deref(), Ok(&*expected.expect("a value")), "{input}");
            }
        }
        rows += 1;
    }
    eprintln!("operators: {rows} rows agree");
    assert!(rows >= 45);
}

/// The double-quoted strings of a piece of Go.
fn go_strings(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '"' {
            continue;
        }
        let mut value = String::new();
        while let Some(c) = chars.next().filter(|c| *c != '"') {
            value.push(match c {
                '\\' => match chars.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    other => other.expect("an escaped character"),
                },
                c => c,
            });
        }
        out.push(value);
    }
    out
}

/// Where the literal that starts before `text` is closed: the first `}` outside a string.
fn closing(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            '}' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}
