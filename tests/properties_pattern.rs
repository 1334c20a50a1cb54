//! Patterns against second implementations: the builder's walk written down literally over a
//! matcher that tries everything, and real builds kept in `corpus/ignore`.
//!
//! A corpus case is a folder with `ignore` (the ignore file), `tree` (one entry a line: `a/` is a
//! folder, `a -> b` a link, else a file that holds its own path) and `sent` (what a real builder
//! was sent: `d path`, `f bytes path`, `l path -> target`).

mod common;

use cacheplan::context::{EntryKind, WalkOptions, walk};
use cacheplan::pattern::path::display;
use cacheplan::pattern::{ExcludeRules, IgnoreRules, PathFilter, SourcePattern};
use cacheplan::source::SourceFile;
use common::random_history::Random;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

// --- the second implementation -------------------------------------------------------------

/// A piece of a pattern. Letters behind a backslash are those of regular expressions, which in
/// the alphabet below concerns `\a` (a bell) and `\b` (a word boundary).
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Literal(char),
    /// `?`
    NotSlash,
    /// `*`
    NotSlashes,
    /// `**` in front of something: nothing, or anything that ends in a slash.
    Folders,
    /// `**` at the end.
    Rest,
    /// `[ab]`, `[^a-c]`: whether it is turned round, and its ranges.
    Class(bool, Vec<(char, char)>),
    /// A `^` outside of brackets.
    Start,
    WordBoundary,
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let (token, width) = if let Some(after) = rest.strip_prefix("**") {
            let eaten = usize::from(after.starts_with('/'));
            match after[eaten..].is_empty() {
                true => (Token::Rest, 2 + eaten),
                false => (Token::Folders, 2 + eaten),
            }
        } else if let Some(inside) = rest.strip_prefix('[') {
            class(inside)
        } else if let Some(after) = rest.strip_prefix('\\') {
            let escaped = after
                .chars()
                .next()
                .expect("validated: no trailing backslash");
            let token = match escaped {
                'a' => Token::Literal('\u{7}'),
                'b' => Token::WordBoundary,
                c => Token::Literal(c),
            };
            (token, 1 + escaped.len_utf8())
        } else {
            let token = match c {
                '*' => Token::NotSlashes,
                '?' => Token::NotSlash,
                '^' => Token::Start,
                c => Token::Literal(c),
            };
            (token, c.len_utf8())
        };
        out.push(token);
        rest = &rest[width..];
    }
    out
}

/// Members behind a `[`, which here never are escapes, `*` or `?`.
fn class(inside: &str) -> (Token, usize) {
    let (turned, members) = match inside.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, inside),
    };
    // A bracket in the first place would be a member; the alphabets have none there.
    let end = members.find(']').expect("validated: closed");
    let all: Vec<char> = members[..end].chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let wide = all.get(at + 1) == Some(&'-') && at + 2 < all.len();
        ranges.push((all[at], all[if wide { at + 2 } else { at }]));
        at += if wide { 3 } else { 1 };
    }
    (
        Token::Class(turned, ranges),
        2 + usize::from(turned) + members[..end].len(),
    )
}

/// Tries every way to spread the path over the tokens.
fn spread(tokens: &[Token], path: &[char], at: usize) -> bool {
    let Some((first, rest)) = tokens.split_first() else {
        return at == path.len();
    };
    let here = path.get(at).copied();
    let word = |i: Option<usize>| {
        i.and_then(|i| path.get(i))
            .is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_')
    };
    let one = |fits: bool| fits && spread(rest, path, at + 1);
    match first {
        Token::Literal(c) => one(here == Some(*c)),
        Token::NotSlash => one(here.is_some_and(|c| c != '/')),
        Token::Class(turned, ranges) => one(here.is_some_and(|c| {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *turned
        })),
        Token::Start => at == 0 && spread(rest, path, at),
        Token::WordBoundary => word(at.checked_sub(1)) != word(Some(at)) && spread(rest, path, at),
        Token::Rest => (at..=path.len()).any(|i| spread(rest, path, i)),
        Token::NotSlashes => (at..=path.len())
            .take_while(|i| !path[at..*i].contains(&'/'))
            .any(|i| spread(rest, path, i)),
        Token::Folders => {
            spread(rest, path, at)
                || (at + 1..=path.len()).any(|i| path[i - 1] == '/' && spread(rest, path, i))
        }
    }
}

fn naive_match(pattern: &str, path: &str) -> bool {
    let special = |text: &str| text.contains(['*', '?', '[', ']', '\\']);
    if !special(pattern) {
        return path == pattern;
    }
    // A leading `**` alone is a plain suffix test, a trailing one alone a plain prefix test.
    if let Some(suffix) = pattern.strip_prefix("**").filter(|s| !special(s)) {
        return path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path);
    }
    if let Some(prefix) = pattern.strip_suffix("**").filter(|p| !special(p)) {
        return path.starts_with(prefix);
    }
    let path: Vec<char> = path.chars().collect();
    spread(&tokens(pattern), &path, 0)
}

fn naive_ancestors(path: &str) -> Vec<&str> {
    path.match_indices('/').map(|(i, _)| &path[..i]).collect()
}

type List = Vec<(bool, String)>;

/// The walk's step, letter by letter.
fn naive_step(list: &List, path: &str, parent: Option<&[bool]>) -> (bool, Vec<bool>) {
    let mut matched = false;
    let mut bits = vec![false; list.len()];
    for (i, (negated, pattern)) in list.iter().enumerate() {
        let mut m = parent.is_some_and(|bits| bits[i]);
        if !m {
            if *negated != matched {
                continue;
            }
            m = naive_match(pattern, path);
            if !m && parent.is_none() {
                m = naive_ancestors(path)
                    .iter()
                    .any(|a| naive_match(pattern, a));
            }
        }
        bits[i] = m;
        if m {
            matched = !negated;
        }
    }
    (matched, bits)
}

fn naive_prune(list: &List, dir: &str) -> bool {
    let without_tail = |p: &str| {
        let p = p.strip_suffix("/**").unwrap_or(p).to_owned();
        p.strip_suffix("/*").unwrap_or(&p).to_owned()
    };
    let exceptions: Vec<String> = list
        .iter()
        .filter(|(negated, _)| *negated)
        .map(|(_, p)| without_tail(p))
        .collect();
    let plain = !exceptions
        .iter()
        .any(|p| p.contains(['*', '[', ']', '?', '^', '\\']));
    plain
        && !exceptions
            .iter()
            .any(|p| format!("{p}/").starts_with(&format!("{dir}/")))
}

/// The walk down to one path, with or without leaving ignored folders unopened.
fn naive_walk(list: &List, path: &str, prune: bool) -> bool {
    let mut bits: Option<Vec<bool>> = None;
    for dir in naive_ancestors(path) {
        let (ignored, own) = naive_step(list, dir, bits.as_deref());
        if prune && ignored && naive_prune(list, dir) {
            return true;
        }
        bits = Some(own);
    }
    naive_step(list, path, bits.as_deref()).0
}

// --- generators ----------------------------------------------------------------------------

fn pattern_line() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a", "a", "b", "b", "/", "/", "/", "*", "**", "?", "!", ".", "\\", "[ab]",
    ]);
    let line = prop::collection::vec(token, 1..7).prop_map(|t| t.concat());
    prop_oneof![3 => line.clone(), 1 => line.prop_map(|l| format!("!{l}"))]
}

/// Lines without specials but with the tails that pruning looks at, so that it does something.
fn pruning_line() -> impl Strategy<Value = String> {
    let tail = prop::sample::select(vec!["", "", "/*", "/**", "/*/**"]);
    let dir = prop::collection::vec(prop::sample::select(vec!["a", "b"]), 1..4);
    let bang = prop::sample::select(vec!["", "!"]);
    (bang, dir, tail).prop_map(|(bang, dir, tail)| format!("{bang}{}{tail}", dir.join("/")))
}

fn lines() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop_oneof![2 => pattern_line(), 1 => pruning_line()], 1..6)
}

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "a", "a", "a", "b", "b", "ab", "ba", ".a", "a.b", "!a", "*", "\\", "a\\", "[", "...",
    ]);
    prop::collection::vec(name, 1..5).prop_map(|names| names.join("/"))
}

/// Parses what the builder takes; `None` when it refuses a line.
fn parse(lines: &[String]) -> Option<(IgnoreRules, List)> {
    let (rules, diagnostics) =
        IgnoreRules::parse(&SourceFile::new(".dockerignore", lines.join("\n")));
    let list = |rules: &IgnoreRules| {
        let pair = |p: &cacheplan::pattern::IgnorePattern| (p.negated, p.body.clone());
        rules.patterns().iter().map(pair).collect()
    };
    diagnostics.is_empty().then(|| {
        let list = list(&rules);
        (rules, list)
    })
}

/// A set of lines and paths with everything that patterns are made of; a path is often what a line
/// would be if its wildcards were filled in.
fn random_set(random: &mut Random) -> (Vec<String>, Vec<String>) {
    const PIECES: [&str; 26] = [
        "a", "a", "b", "c", "/", "/", "/", "*", "**", "**/", "?", "!", ".", "\\", "[ab]", "[^a]",
        "[a-c]", "[!a]", "[^/]", "é", "[é-ü]", "^", "+", "(", "$", " ",
    ];
    const NAMES: [&str; 22] = [
        "a", "a", "b", "b", "c", "ab", "ba", "abc", ".a", "a.b", "!a", "*", "\\", "[", "é", "ü",
        "aé", "^a", "a+", "(", "a$", "a b",
    ];
    let mut lines = Vec::new();
    for _ in 0..1 + random.below(5) {
        let mut line: String = (0..1 + random.below(6))
            .map(|_| *random.pick(&PIECES))
            .collect();
        match random.below(8) {
            0 => line = format!("{}/*", random.pick(&NAMES[..8])),
            1 => {
                line = format!(
                    "{}/{}/**",
                    random.pick(&NAMES[..8]),
                    random.pick(&NAMES[..8])
                )
            }
            2 => line = format!("{}/{}", random.pick(&NAMES[..8]), random.pick(&NAMES[..8])),
            _ => {}
        }
        if random.one_in(3) {
            line.insert(0, '!');
        }
        lines.push(line);
    }
    let mut paths = Vec::new();
    for _ in 0..4 {
        let names: Vec<&str> = (0..1 + random.below(4))
            .map(|_| *random.pick(&NAMES))
            .collect();
        paths.push(names.join("/"));
    }
    for line in &lines {
        let mut path = line
            .trim_start_matches('!')
            .replace("**", ["a/b", "a", "ab"][random.below(3)]);
        for (piece, filled) in [
            ("*", "ab"),
            ("?", "b"),
            ("[ab]", "b"),
            ("[a-c]", "c"),
            ("[^a]", "b"),
            ("[é-ü]", "ö"),
        ] {
            path = path.replace(piece, filled);
        }
        let cleaned = cacheplan::pattern::clean(&format!("/{path}"));
        if cleaned.len() > 1 {
            paths.push(cleaned[1..].to_owned());
        }
    }
    (lines, paths)
}

/// Sets compared in every run, refused ones not counted.
const SETS: usize = 20_000;

#[test]
fn twenty_thousand_sets_against_the_literal_walk() {
    let seed = std::env::var("CACHEPLAN_PATTERN_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let mut random = Random(seed.unwrap_or(1));
    let (mut sets, mut questions, mut ignored, mut unpruned) = (0, 0, 0, 0);
    while sets < SETS {
        let (lines, paths) = random_set(&mut random);
        let Some((rules, list)) = parse(&lines) else {
            continue;
        };
        sets += 1;
        let mut filter = PathFilter::new(&rules);
        for path in &paths {
            let own = rules.is_ignored(path.as_bytes());
            questions += 1;
            // Leaving folders unopened changes nothing but for `!x/*/**`.
            if !list
                .iter()
                .any(|(negated, p)| *negated && p.ends_with("/*/**"))
            {
                unpruned += 1;
                assert_eq!(
                    own,
                    naive_walk(&list, path, false),
                    "opened: {lines:?} on {path:?}"
                );
            }
            ignored += usize::from(own);
            assert_eq!(own, naive_walk(&list, path, true), "{lines:?} on {path:?}");
            assert_eq!(
                filter.ignored(path.as_bytes()),
                own,
                "memo: {lines:?} on {path:?}"
            );
            let flat = naive_step(&list, path, None).0;
            assert_eq!(
                rules.is_ignored_flat(path.as_bytes()),
                flat,
                "flat: {lines:?} on {path:?}"
            );
        }
    }
    // A generator that hits nothing would prove nothing.
    assert!(
        ignored * 10 > questions && ignored * 10 < questions * 9,
        "{ignored} of {questions}"
    );
    eprintln!(
        "{sets} sets, {questions} questions, {ignored} ignored, {unpruned} asked without pruning, too"
    );
}

// --- properties ----------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_global_rejects: 200_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn walk_is_the_literal_walk(lines in lines(), paths in prop::collection::vec(path(), 1..12)) {
        let Some((rules, list)) = parse(&lines) else { return Err(TestCaseError::reject("refused")) };
        let mut filter = PathFilter::new(&rules);
        for path in &paths {
            let ignored = rules.is_ignored(path.as_bytes());
            prop_assert_eq!(ignored, naive_walk(&list, path, true), "{:?}", path);
            prop_assert_eq!(filter.ignored(path.as_bytes()), ignored, "memo, {:?}", path);
            prop_assert_eq!(
                rules.is_ignored_flat(path.as_bytes()),
                naive_step(&list, path, None).0,
                "flat, {:?}", path
            );
            let (_, decided_by) = filter.verdict(path.as_bytes());
            let by_sign = decided_by.is_some_and(|i| !rules.patterns()[i].negated);
            prop_assert_eq!(by_sign, ignored, "the deciding pattern has the answer's sign");
        }
    }

    /// Leaving folders unopened changes nothing, `!x/*/**` aside: there the builder does lose what
    /// the pattern would bring back.
    #[test]
    fn pruning_changes_nothing(lines in prop::collection::vec(pruning_line(), 1..6), path in path()) {
        let Some((rules, list)) = parse(&lines) else { return Err(TestCaseError::reject("refused")) };
        prop_assume!(!list.iter().any(|(negated, p)| *negated && p.ends_with("/*/**")));
        prop_assert_eq!(rules.is_ignored(path.as_bytes()), naive_walk(&list, &path, false));
    }

    #[test]
    fn excludes_are_the_literal_walk_without_pruning(lines in lines(), path in path()) {
        // Lines that cleaning leaves alone mean the same in both places.
        prop_assume!(lines.iter().all(|l| !l.starts_with('/') && !l.starts_with("!/")));
        let (Some((_, list)), Ok(rules)) = (parse(&lines), ExcludeRules::new(&lines)) else {
            return Err(TestCaseError::reject("refused"))
        };
        prop_assume!(list.iter().zip(&lines).all(|((n, p), l)| *l == format!("{}{p}", if *n { "!" } else { "" })));
        prop_assert_eq!(rules.is_excluded(path.as_bytes()), naive_walk(&list, &path, false));
    }

    #[test]
    fn parsing_is_total(bytes in prop::collection::vec(any::<u8>(), 0..200), path in prop::collection::vec(any::<u8>(), 0..20)) {
        let (rules, _) = IgnoreRules::parse(&SourceFile::new("x", bytes.clone()));
        let _ = rules.is_ignored(&path);
        if let Ok(source) = SourcePattern::new(&String::from_utf8_lossy(&bytes))
            && let Some(s) = source.select(&path)
        {
            prop_assert!(path.starts_with(s.matched) && path.ends_with(s.relative));
        }
    }

    /// Element by element, with every way to spread a `*` tried.
    #[test]
    fn wildcards_match_element_by_element(
        elements in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "**", "a*", "*a*b", "?", "[ab]", "a?*", "\\*", "a[ab]*"]), 1..4),
        path in path(),
    ) {
        let text = elements.join("/");
        let source = SourcePattern::new(&text).unwrap();
        // Without any wildcard a backslash is a plain character.
        prop_assume!(elements.iter().any(|e| e.replace("\\*", "").contains(['*', '?', '['])));
        let names: Vec<&str> = path.split('/').collect();
        let fits = |(element, name): (&&str, &&str)| {
            let name: Vec<char> = name.chars().collect();
            spread(&tokens(&element.replace("**", "*")), &name, 0)
        };
        let want = names.len() >= elements.len() && elements.iter().zip(&names).all(fits);
        let got = source.select(path.as_bytes());
        prop_assert_eq!(got.is_some(), want);
        if let Some(selected) = got {
            let (above, below) = names.split_at(elements.len());
            prop_assert_eq!(display(selected.matched), above.join("/"));
            prop_assert_eq!(display(selected.relative), below.join("/"));
        }
    }
}

// --- real builds ---------------------------------------------------------------------------

#[test]
fn corpus_trees_are_sent_as_the_builder_sends_them() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/ignore");
    let mut cases: Vec<_> = fs::read_dir(corpus)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        let read = |name: &str| fs::read(case.join(name)).unwrap();
        let root = tempfile::tempdir().unwrap();
        make_tree(root.path(), &String::from_utf8(read("tree")).unwrap());
        let (rules, diagnostics) = IgnoreRules::parse(&SourceFile::new("ignore", read("ignore")));
        assert!(diagnostics.is_empty(), "{}", case.display());
        let context = walk(root.path(), &rules, WalkOptions::default()).unwrap();
        let mut sent = String::new();
        for entry in &context.entries {
            let path = display(&entry.path);
            sent += &match (entry.kind, &entry.link_target) {
                (EntryKind::Directory, _) => format!("d {path}\n"),
                (_, Some(target)) => format!("l {path} -> {}\n", display(target)),
                _ => format!("f {} {path}\n", entry.size),
            };
        }
        assert_eq!(
            sent,
            String::from_utf8(read("sent")).unwrap(),
            "{}",
            case.display()
        );
        for entry in &context.ignored {
            assert!(rules.is_ignored(&entry.path), "{}", display(&entry.path));
        }
    }
}

fn make_tree(root: &Path, tree: &str) {
    for line in tree.lines() {
        let (path, target) = line.split_once(" -> ").unwrap_or((line, ""));
        let full = root.join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        if !target.is_empty() {
            std::os::unix::fs::symlink(target, full).unwrap();
        } else if path.ends_with('/') {
            fs::create_dir_all(full).unwrap();
        } else {
            fs::write(full, path).unwrap();
        }
    }
}
