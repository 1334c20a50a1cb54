//! Patterns against second implementations: the builder's walk written down literally over a
//! matcher that tries everything, and real builds kept in `corpus/ignore`.
//!
//! A corpus case is a folder with `ignore` (the ignore file), `tree` (one entry a line: `a/` is a
//! folder, `a -> b` a link, else a file that holds its own path) and `sent` (what a real builder
//! was sent: `d path`, `f bytes path`, `l path -> target`).

use cacheplan::context::{EntryKind, WalkOptions, walk};
use cacheplan::pattern::path::display;
use cacheplan::pattern::{ExcludeRules, IgnoreRules, PathFilter, SourcePattern};
use cacheplan::source::SourceFile;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

// --- the second implementation -------------------------------------------------------------

/// A piece of a pattern. Letters behind a backslash are those of regular expressions, which in
/// the alphabet below concerns `\a` (a bell) and `\b` (a word boundary).
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// `[ab]`
    AOrB,
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
        } else if rest.starts_with("[ab]") {
            (Token::AOrB, 4)
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
            (token, 2)
        } else {
            let token = match c {
                '*' => Token::NotSlashes,
                '?' => Token::NotSlash,
                c => Token::Literal(c),
            };
            (token, 1)
        };
        out.push(token);
        rest = &rest[width..];
    }
    out
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
        Token::AOrB => one(matches!(here, Some('a' | 'b'))),
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

// --- properties ----------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_global_rejects: 200_000, failure_persistence: None, ..ProptestConfig::default() })]

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
