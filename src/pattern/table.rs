//! The table of `.dockerignore` answers, as data: every row was produced by the builder's own
//! matcher driven as its walk drives it.

use super::{IgnoreRules, PathFilter};
use crate::source::SourceFile;

/// The answers of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Ignored,
    Sent,
    /// Ignored by the walk, not by the flat question.
    IgnoredFlatSent,
    /// Sent by the walk, ignored by the flat question.
    SentFlatIgnored,
    Refused,
}
use Answer::{Ignored, IgnoredFlatSent, Refused, Sent, SentFlatIgnored};

/// Number of the row, lines of the ignore file, path, answer.
#[rustfmt::skip]
const ROWS: [(u32, &str, &str, Answer); 162] = [
    (1, "foo", "foo/bar", Ignored),
    (2, "foo", "a/foo", Sent),
    (3, "foo", "foobar", Sent),
    (4, "/foo", "foo", Ignored),
    (5, "/foo", "a/foo", Sent),
    (6, "foo/", "foo", Ignored),
    (7, "foo/", "foo/x", Ignored),
    (8, "./foo", "foo", Ignored),
    (9, "../foo", "foo", Sent),
    (10, "a/../foo", "foo", Ignored),
    (11, "a//b", "a/b", Ignored),
    (12, "a/./b", "a/b", Ignored),
    (13, "*", "foo", Ignored),
    (14, "*", ".git", Ignored),
    (15, "*", "a/b", Ignored),
    (16, ".", "foo", Sent),
    (17, "/", "foo", Sent),
    (18, "*.txt", "a.txt", Ignored),
    (19, "*.txt", "d/a.txt", Sent),
    (20, "*.txt", "a.txt/b", Ignored),
    (21, "*/*.txt", "d/a.txt", Ignored),
    (22, "*/*.txt", "d/e/a.txt", Sent),
    (23, "**/*.txt", "a.txt", Ignored),
    (24, "**/*.txt", "d/e/a.txt", Ignored),
    (25, "**", "a/b/c", Ignored),
    (26, "**/", "a/b", Ignored),
    (27, "**/foo", "foo", Ignored),
    (28, "**/foo", "a/b/foo", Ignored),
    (29, "**/foo", "a/b/foobar", Sent),
    (30, "**/foo", "barfoo", Sent),
    (31, "**foo", "barfoo", Ignored),
    (32, "**foo", "a/barfoo", Ignored),
    (33, "**foo", "foo/x", Ignored),
    (34, "**foo", "barfoo/x", Ignored),
    (35, "foo/**", "foo", Sent),
    (36, "foo/**", "foo/a", Ignored),
    (37, "foo/**", "foo/a/b", Ignored),
    (38, "foo**", "foobar", Ignored),
    (39, "foo**", "foobar/baz", Ignored),
    (40, "foo**", "foo", Ignored),
    (41, "foo/*", "foo", Sent),
    (42, "foo/*", "foo/a", Ignored),
    (43, "foo/*", "foo/a/b", Ignored),
    (44, "a/**/z", "a/z", Ignored),
    (45, "a/**/z", "a/b/z", Ignored),
    (46, "a/**/z", "a/b/c/z", Ignored),
    (47, "a/**/z", "a/bz", Sent),
    (48, "a**/z", "ab/c/z", Ignored),
    (49, "a**z", "abz", Sent),
    (50, "a**z", "a/z", Ignored),
    (51, "a**z", "a/b/z", Ignored),
    (52, "a**z", "az", Ignored),
    (53, "a/**/**/z", "a/z", Ignored),
    (54, "**/a/**", "a", Sent),
    (55, "**/a/**", "x/a/b", Ignored),
    (56, "**/a/**", "a/b", Ignored),
    (57, "**/*", "a", Ignored),
    (58, "**/*", "a/b", Ignored),
    (59, "**/.*", ".env", Ignored),
    (60, "**/.*", "a/b.c", Sent),
    (61, "?oo", "foo", Ignored),
    (62, "fo?", "foo", Ignored),
    (63, "f?o", "f/o", Sent),
    (64, "[a-c]x", "bx", Ignored),
    (65, "[a-c]x", "dx", Sent),
    (66, "[^a]x", "bx", Ignored),
    (67, "[^a]x", "ax", Sent),
    (68, "[!a]x", "bx", Sent),
    (69, "[!a]x", "ax", Ignored),
    (70, "[!a]x", "!x", Ignored),
    (71, "[a", "a", Refused),
    (72, "a]", "a]", Ignored),
    (73, "\\*", "*", Ignored),
    (74, "\\*", "a", Sent),
    (75, "foo\\", "foo", Refused),
    (76, "\\#foo", "#foo", Ignored),
    (77, "#foo", "#foo", Sent),
    (78, " #foo", "#foo", Ignored),
    (79, "foo #c", "foo", Sent),
    (80, "foo #c", "foo #c", Ignored),
    (81, "!foo", "foo", Sent),
    (82, "!", "foo", Refused),
    (83, "! foo", "foo", Sent),
    (84, "*\n!foo", "foo", Sent),
    (85, "*\n!foo", "foo/x", Sent),
    (86, "*\n!foo", "bar", Ignored),
    (87, "*\n!foo/x", "foo/x", Sent),
    (88, "*\n!foo/x", "foo", Ignored),
    (89, "*\n!foo/x", "foo/y", Ignored),
    (90, "foo\n!foo/x", "foo", Ignored),
    (91, "foo\n!foo/x", "foo/x", Sent),
    (92, "foo\n!foo/x", "foo/y", Ignored),
    (93, "foo\n!foo/x\nfoo", "foo/x", SentFlatIgnored),
    (94, "!foo/x\nfoo", "foo/x", Ignored),
    (95, "foo/*\n!foo/keep", "foo/keep/a", Sent),
    (96, "foo/*\n!foo/keep", "foo/keep", Sent),
    (97, "foo/*\n!foo/keep", "foo/drop", Ignored),
    (98, "foo/*\n!foo/keep", "foo", Sent),
    (99, "**\n!src\nsrc/*.tmp", "src/a.tmp", Ignored),
    (100, "**\n!src\nsrc/*.tmp", "src/a.c", Sent),
    (101, "**\n!src\nsrc/*.tmp", "src/d/a.tmp", Sent),
    (102, "**\n!**/*.go", "a.go", Sent),
    (103, "**\n!**/*.go", "p/q/a.go", Sent),
    (104, "**\n!**/*.go", "p/q/a.c", Ignored),
    (105, "**\n!*.go", "p/a.go", Ignored),
    (106, "*.md\n!README.md", "README.md", Sent),
    (107, "*.md\n!README*.md\nREADME-secret.md", "README-secret.md", Ignored),
    (108, "*.md\n!README*.md\nREADME-secret.md", "README.md", Sent),
    (109, "*.md\nREADME-secret.md\n!README*.md", "README-secret.md", Sent),
    (110, "foo\n!foo\nfoo/bar", "foo/bar", Ignored),
    (111, "foo\n!foo\nfoo/bar", "foo/baz", Sent),
    (112, "a/b\n!a", "a/b/c", IgnoredFlatSent),
    (113, "a/b\n!a", "a/b", IgnoredFlatSent),
    (114, "a\n!a/b/c", "a/b", Ignored),
    (115, "a\n!a/b/c", "a/b/c", Sent),
    (116, "a\n!a/b/c", "a/b/c/d", Sent),
    (117, "a\n!**/c", "a/b/c", Sent),
    (118, "FOO", "foo", Sent),
    (119, "foo.", "fooX", Sent),
    (120, "f.o", "fxo", Sent),
    (121, "a+b", "a+b", Ignored),
    (122, "a+b", "aab", Sent),
    (123, "a(b)", "a(b)", Ignored),
    (124, "a{b,c}", "ab", Sent),
    (125, "été", "été", Ignored),
    (126, "é*", "était", Ignored),
    (127, "a b", "a b", Ignored),
    (128, "  foo  ", "foo", Ignored),
    (129, "node_modules", "a/node_modules/x", Sent),
    (130, "**/node_modules", "a/node_modules/x", Ignored),
    (131, "**/node_modules/**", "a/node_modules/x", Ignored),
    (132, "**/node_modules/", "a/node_modules/x", Ignored),
    (133, "/**/x", "x", Ignored),
    (134, "/**/x", "a/x", Ignored),
    (135, "/*", "a", Ignored),
    (136, "//foo", "foo", Ignored),
    (137, "///foo", "foo", Ignored),
    (138, "*\n!/foo", "foo", Sent),
    (139, "*\n! /foo", "foo", Sent),
    (140, "*\n!./foo", "foo", Sent),
    (141, "*\n!foo/", "foo/a", Sent),
    (142, "***", "a/b", Ignored),
    (143, "***/x", "a/x", Ignored),
    (144, "a/***/z", "a/b/z", Ignored),
    (145, "a*b*c", "axxbyyc", Ignored),
    (146, "a*b*c", "ax/by/c", Sent),
    (147, "**/a*", "x/abc", Ignored),
    (148, "**/a*", "x/abc/d", Ignored),
    (149, "*a", "b/a", Sent),
    (150, "**.", "a.", Ignored),
    (151, "**/..", "..", Sent),
    (152, "x/**/", "x/y", Ignored),
    (153, "x/**/", "x", Sent),
    (154, "dir/**/*.log", "dir/a.log", Ignored),
    (155, "dir/**/*.log", "dir/s/t/a.log", Ignored),
    (156, "dir/*/**/*.log", "dir/a.log", Sent),
    (157, "dir/*/**/*.log", "dir/s/a.log", Ignored),
    (158, "a[/]b", "a/b", Ignored),
    (159, "a?b", "a/b", Sent),
    (160, ".git", ".gitignore", Sent),
    (161, ".git*", ".gitignore", Ignored),
    (162, ".git*", "a/.gitignore", Sent),
];

#[test]
fn every_row_of_the_table() {
    for (number, text, path, want) in ROWS {
        let (rules, diagnostics) = IgnoreRules::parse(&SourceFile::new(".dockerignore", text));
        let refused = diagnostics.iter().any(|d| d.is_error());
        let path = path.as_bytes();
        let got = match (rules.is_ignored(path), rules.is_ignored_flat(path)) {
            _ if refused => Refused,
            (true, true) => Ignored,
            (false, false) => Sent,
            (true, false) => IgnoredFlatSent,
            (false, true) => SentFlatIgnored,
        };
        assert_eq!(got, want, "row {number}: {text:?} on {path:?}");
        let filtered = PathFilter::new(&rules).ignored(path);
        assert_eq!(filtered, rules.is_ignored(path), "row {number}, memo");
    }
}

/// Ignore file and what is left of `foo/{x,y,sub/} a/{z,b/{f,c/q}}`, confirmed with real builds.
const TREES: [(&str, &[&str]); 8] = [
    (
        "foo\n!foo/x\nfoo",
        &[
            "a", "a/b", "a/b/c", "a/b/c/q", "a/b/f", "a/z", "foo", "foo/x",
        ],
    ),
    ("a/b\n!a", &["a", "a/z", "foo", "foo/sub", "foo/x", "foo/y"]),
    ("**\n!**/q", &["a", "a/b", "a/b/c", "a/b/c/q"]),
    ("*\n!foo\nfoo/x", &["foo", "foo/sub", "foo/y"]),
    (
        "foo/**",
        &["a", "a/b", "a/b/c", "a/b/c/q", "a/b/f", "a/z", "foo"],
    ),
    ("*/", &[]),
    (".", &TREE),
    ("/", &TREE),
];

const TREE: [&str; 10] = [
    "a", "a/b", "a/b/c", "a/b/c/q", "a/b/f", "a/z", "foo", "foo/sub", "foo/x", "foo/y",
];

#[test]
fn confirmed_trees() {
    for (text, want) in TREES {
        let (rules, _) = IgnoreRules::parse(&SourceFile::new(".dockerignore", text));
        let kept = |path: &str| !rules.is_ignored(path.as_bytes());
        let sent: Vec<&str> = TREE
            .into_iter()
            .filter(|p| {
                kept(p)
                    || TREE
                        .iter()
                        .any(|q| kept(q) && q.starts_with(&format!("{p}/")))
            })
            .collect();
        assert_eq!(sent, want, "{text:?}");
    }
}
