//! An ignore file (`.dockerignore`), parsed and compiled.
//!
//! Goes in: the file. Comes out: its patterns with line numbers, a matcher for paths, and
//! diagnostics for what the builder refuses. Costs one pass and one compilation per pattern.
//! Invariant: parsing is total; a pattern that cannot be used is reported and matches nothing.

use super::PatternError;
use super::matcher::Matcher;
use super::path::{clean, lossy};
use super::walk::{DirState, Prune, Rule, Verdict, Walk, prune_rule};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{SourceFile, Span};

/// The builder's line reader gives up at this many bytes in one line.
const LINE_LIMIT: usize = 64 * 1024;

/// One pattern of an ignore file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnorePattern {
    /// 1-based line.
    pub line: u32,
    /// The line without its line end.
    pub span: Span,
    /// The line as written, without blanks at its ends; bytes that are not UTF-8 are U+FFFD.
    pub text: String,
    /// Whether it brings back what earlier lines ignore.
    pub negated: bool,
    /// What is matched: cleaned, without `!` and without the leading slash.
    pub body: String,
}

/// The patterns of one ignore file, in file order.
#[derive(Clone, Debug)]
pub struct IgnoreRules {
    patterns: Vec<IgnorePattern>,
    pub(super) walk: Walk,
}

impl Default for IgnoreRules {
    fn default() -> Self {
        Self::empty()
    }
}

impl IgnoreRules {
    /// No patterns: nothing is ignored.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            patterns: Vec::new(),
            walk: Walk::new(Vec::new(), Prune::Unless(Vec::new())),
        }
    }

    /// Reads an ignore file. Errors among the diagnostics mean that the builder refuses the build:
    /// `build/ignore-pattern` (syntax), `build/ignore-exclusion` (a bare `!`),
    /// `build/ignore-line-too-long`. The warning `ignore/unsupported-pattern` marks a pattern that
    /// the builder takes and this program cannot evaluate; it matches nothing here.
    #[must_use]
    pub fn parse(file: &SourceFile) -> (Self, Vec<Diagnostic>) {
        let (mut patterns, mut rules, mut diagnostics) = (Vec::new(), Vec::new(), Vec::new());
        for number in 1..=file.line_count() {
            let Some(span) = file.line_span(number) else {
                break;
            };
            let (span, line) = without_line_end(file, span);
            if line.len() >= LINE_LIMIT {
                // Its start is enough to find it; nobody wants to see all of it.
                let start = span.start as usize;
                diagnostics.push(Diagnostic::error(
                    "build/ignore-line-too-long",
                    format!(
                        "this line has {} bytes, and the builder refuses lines of 65,536 and more",
                        line.len()
                    ),
                    Span::new(start, start + 1),
                ));
                break;
            }
            let line = match number {
                1 => line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line),
                _ => line,
            };
            if line.starts_with(b"#") {
                continue;
            }
            // The builder sends patterns as text: stray bytes are U+FFFD before anything matches.
            let written = lossy(line);
            let text = written.trim();
            if text.is_empty() {
                continue;
            }
            let as_sent = normalize(text);
            let (negated, body, matcher) = compile(&as_sent);
            let matcher = matcher.unwrap_or_else(|error| {
                diagnostics.push(complaint(error, text, place_of(error, line, text, span)));
                Matcher::Never
            });
            rules.push(Rule { negated, matcher });
            patterns.push(IgnorePattern {
                line: number,
                span,
                text: text.to_owned(),
                negated,
                body,
            });
        }
        let exceptions = patterns.iter().filter(|p| p.negated);
        let prune = prune_rule(exceptions.map(|p| p.body.as_str()));
        let walk = Walk::new(rules, prune);
        (Self { patterns, walk }, diagnostics)
    }

    /// The patterns in file order; [`Verdict::decided_by`] indexes this list.
    #[must_use]
    pub fn patterns(&self) -> &[IgnorePattern] {
        &self.patterns
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The state above the top-level entries.
    #[must_use]
    pub fn root(&self) -> DirState {
        DirState::root()
    }

    /// The answer for a path whose parent folder has the state `parent`. Below a folder that the
    /// builder does not open everything is ignored by the pattern that ignores the folder.
    #[must_use]
    pub fn test(&self, parent: &DirState, path: &[u8]) -> Verdict {
        self.walk.test(parent, path)
    }

    /// [`Self::test`] without the state: cheaper, and enough for anything that is not a folder.
    #[must_use]
    pub fn decide(&self, parent: &DirState, path: &[u8]) -> (bool, Option<usize>) {
        self.walk.decide(parent, path)
    }

    /// Whether the builder does not look inside this folder, given that it is ignored: there is
    /// no `!` pattern, or none has a glob character (a trailing `/**` or `/*` aside) and none
    /// leads into the folder.
    #[must_use]
    pub fn can_prune(&self, dir: &[u8]) -> bool {
        self.walk.can_prune(dir)
    }

    /// Whether a path is left out of the context. Walks the path's ancestors each time; use a
    /// [`super::PathFilter`] for many paths.
    #[must_use]
    pub fn is_ignored(&self, path: &[u8]) -> bool {
        self.walk.decide_path(path).0
    }

    /// The older, flat question: does each pattern match the path or any of its parents? The
    /// answer differs from [`Self::is_ignored`] where a pattern was skipped at a folder. The
    /// builder asks it in two places: for its own check of COPY sources, and when the bytes of a
    /// file are read, so that a file that only the walk keeps arrives **empty** (confirmed with a
    /// real build of `foo`, `!foo/x`, `foo`).
    #[must_use]
    pub fn is_ignored_flat(&self, path: &[u8]) -> bool {
        !path.is_empty() && self.walk.decide(&DirState::root(), path).0
    }
}

/// A line's bytes up to its line feed; the span leaves out a carriage return as well.
fn without_line_end(file: &SourceFile, span: Span) -> (Span, &[u8]) {
    let line = file.bytes().get(span.range()).unwrap_or_default();
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    let start = span.start as usize;
    (Span::new(start, start + text.len()), line)
}

/// What the file reader hands to the matcher: cleaned, one leading slash off, `!` in front again.
fn normalize(text: &str) -> String {
    let (bang, body) = match text.strip_prefix('!') {
        Some(body) => ("!", body.trim()),
        None => ("", text),
    };
    if body.is_empty() {
        return bang.to_owned();
    }
    let body = clean(body);
    let body = match body.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => &body,
    };
    format!("{bang}{body}")
}

/// What the matcher makes of one entry of its list. It cleans once more, now with the `!` as part
/// of the first element: `!/` ends up as a bare `!`, and `/!x` as an exception.
pub(super) fn compile(entry: &str) -> (bool, String, Result<Matcher, PatternError>) {
    let cleaned = clean(entry.trim());
    match cleaned.strip_prefix('!') {
        Some("") => (true, String::new(), Err(PatternError::LoneExclusion)),
        Some(body) => (true, body.to_owned(), Matcher::new(body)),
        None => {
            let matcher = Matcher::new(&cleaned);
            (false, cleaned, matcher)
        }
    }
}

/// Where in the line the fault is: the bracket or backslash, else the text without blanks around it.
fn place_of(error: PatternError, line: &[u8], text: &str, span: Span) -> Span {
    let Ok(written) = std::str::from_utf8(line) else {
        return span;
    };
    let bytes_before = written.len() - written.trim_start().len();
    // The byte order mark was taken off the line, not off the span.
    let mark = (span.end as usize - span.start as usize)
        .saturating_sub(written.trim_end_matches('\r').len());
    let start = span.start as usize + mark + bytes_before;
    let (from, to) = match error {
        PatternError::Syntax => fault(text),
        PatternError::LoneExclusion | PatternError::Unsupported => (0, text.len()),
    };
    Span::new(start + from, start + to)
}

/// The first bracket that is open or holds nonsense, or a backslash at the end.
fn fault(text: &str) -> (usize, usize) {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                None => return (at, text.len()),
                Some((next, c)) => {
                    let pair = &text[at..next + c.len_utf8()];
                    if Matcher::new(&format!("{pair}*")).is_err_and(|e| e == PatternError::Syntax) {
                        return (at, at + pair.len());
                    }
                }
            },
            '[' => {
                let Some(end) = bracket_end(&text[at..]) else {
                    return (at, text.len());
                };
                if Matcher::new(&text[at..at + end]).is_err_and(|e| e == PatternError::Syntax) {
                    return (at, at + end);
                }
                while chars.as_str().len() > text.len() - at - end {
                    chars.next();
                }
            }
            _ => {}
        }
    }
    (0, text.len())
}

/// One past the `]` that closes the bracket at the start.
fn bracket_end(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            ']' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn complaint(error: PatternError, text: &str, span: Span) -> Diagnostic {
    match error {
        PatternError::Syntax => Diagnostic::error(
            "build/ignore-pattern",
            format!("syntax error in pattern `{text}`"),
            span,
        )
        .with_help("close every `[`, and write `\\\\` for a backslash"),
        PatternError::LoneExclusion => Diagnostic::error(
            "build/ignore-exclusion",
            format!("`{text}` brings nothing back, and the builder refuses it"),
            span,
        )
        .with_help("name a path behind the `!`"),
        PatternError::Unsupported => Diagnostic::new(
            Severity::Warning,
            "ignore/unsupported-pattern",
            format!("`{text}` cannot be evaluated here and is taken to match nothing"),
            span,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: impl Into<Vec<u8>>) -> (IgnoreRules, Vec<&'static str>) {
        let (rules, diagnostics) = IgnoreRules::parse(&SourceFile::new(".dockerignore", text));
        (rules, diagnostics.iter().map(|d| d.code).collect())
    }

    #[test]
    fn lines_keep_number_and_text() {
        let (rules, codes) = parse("\u{feff}#c\n\n  /a//b/ \r\n#d\n! ./x \n #y");
        assert!(codes.is_empty());
        let seen: Vec<_> = rules
            .patterns()
            .iter()
            .map(|p| (p.line, p.text.as_str(), p.negated, p.body.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (3, "/a//b/", false, "a/b"),
                (5, "! ./x", true, "x"),
                (6, "#y", false, "#y"),
            ]
        );
        assert_eq!(rules.patterns()[0].span, Span::new(7, 16));
    }

    #[test]
    fn what_the_builder_refuses_is_an_error() {
        for (text, want) in [
            ("[a", "build/ignore-pattern"),
            ("foo\\", "build/ignore-pattern"),
            ("[b-a]", "build/ignore-pattern"),
            ("x\\q", "build/ignore-pattern"),
            ("!", "build/ignore-exclusion"),
            ("! ", "build/ignore-exclusion"),
            ("!/", "build/ignore-exclusion"),
            ("x\\pL", "ignore/unsupported-pattern"),
        ] {
            assert_eq!(parse(text).1, [want], "{text:?}");
        }
        let long = |n: usize| parse(["a".repeat(n).as_str(), "\nb\n"].concat()).1;
        assert_eq!(long(65536), ["build/ignore-line-too-long"]);
        assert!(long(65535).is_empty());
    }

    #[test]
    fn a_complaint_points_at_the_fault() {
        for (text, want) in [
            ("ok\n  a[b", "[b"),
            ("a\\", "\\"),
            ("\u{feff} é[b-a]c\r\n", "[b-a]"),
            ("[a-c]x[]y", "[]"),
            ("a/x\\q*", "\\q"),
            ("  ! \r\n", "!"),
            ("\\[a/[z", "[z"),
            ("é x\\pL", "é x\\pL"),
        ] {
            let file = SourceFile::new(".dockerignore", text);
            let (_, diagnostics) = IgnoreRules::parse(&file);
            let span = diagnostics[0].labels[0].span;
            assert_eq!(&text[span.range()], want, "{text:?}");
        }
    }

    #[test]
    fn a_bang_behind_a_slash_is_still_an_exception() {
        let (rules, _) = parse("x*\n/!x3");
        assert!(!rules.is_ignored(b"x3"));
        assert!(rules.is_ignored(b"x4"));
    }

    #[test]
    fn stray_bytes_in_a_pattern_match_stray_bytes_only_in_expressions() {
        let (rules, _) = parse(&b"\xFFa\n\xFFb*"[..]);
        assert!(!rules.is_ignored(b"\xFFa"));
        assert!(rules.is_ignored(b"\xFFb"));
        assert!(rules.is_ignored(b"\xFEbc"));
    }

    #[test]
    fn the_deciding_pattern_is_the_last_one_that_applied() {
        let (rules, _) = parse("*\n!foo\nfoo/x");
        let foo = rules.test(&rules.root(), b"foo");
        assert_eq!((foo.ignored, foo.decided_by), (false, Some(1)));
        let x = rules.test(&foo.state, b"foo/x");
        assert_eq!((x.ignored, x.decided_by), (true, Some(2)));
        assert!(x.state.is_pruned());
    }

    #[test]
    fn pruning_looks_at_exceptions_only() {
        let prunes = |text: &str, dir: &str| parse(text).0.can_prune(dir.as_bytes());
        assert!(prunes("a*", "ab"));
        assert!(prunes("a\n!b/c", "a"));
        assert!(!prunes("a\n!a/c", "a"));
        assert!(!prunes("a\n!a", "a"));
        assert!(prunes("a\n!ab/c", "a"));
        assert!(!prunes("a\n!*.c", "x"));
        assert!(!prunes("a\n!a/b/**", "a/b"));
        assert!(prunes("a\n!a/b/**", "a/b/c"));
    }

    #[test]
    fn an_exception_below_a_trailing_star_is_lost_to_pruning() {
        let (rules, _) = parse("foo/*\n!foo/*/**");
        assert!(rules.is_ignored(b"foo/bar/x"));
        assert!(!rules.is_ignored_flat(b"foo/bar/x"));
    }
}
