//! One ignore pattern, compiled: exact, prefix and suffix compares where they do, a regular
//! expression only for mixed patterns.
//!
//! Goes in: a cleaned pattern without its `!`. Comes out: match or not for a whole path; parents
//! are the walk's business. Costs a compare of at most the pattern's length, or one regex search.
//! Invariant: kinds are chosen as the builder chooses them, because they differ in corners (a `^`
//! is literal in a compare and an anchor in an expression).

use super::PatternError;
use super::escape::to_regex;
use super::glob::Glob;
use super::path::lossy;
use regex::bytes::Regex;

#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// The path is this text.
    Exact(Box<[u8]>),
    /// The path starts with this text.
    Prefix(Box<[u8]>),
    /// The path ends with this text, or is this text without its leading slash.
    Suffix(Box<[u8]>),
    /// Everything else.
    Mixed(Box<Regex>),
    /// Reported as unusable; kept so that positions in the list stay true.
    Never,
}

impl Matcher {
    /// Compiles a cleaned pattern.
    ///
    /// # Errors
    /// What the builder refuses, and what only this program cannot evaluate.
    pub(super) fn new(pattern: &str) -> Result<Self, PatternError> {
        Glob::new(pattern)?;
        let special = |text: &str| text.contains(['*', '?', '[', ']', '\\']);
        let bytes = |text: &str| Box::from(text.as_bytes());
        if !special(pattern) {
            return Ok(Self::Exact(bytes(pattern)));
        }
        if let Some(suffix) = pattern.strip_prefix("**")
            && !special(suffix)
        {
            return Ok(Self::Suffix(bytes(suffix)));
        }
        if let Some(prefix) = pattern.strip_suffix("**")
            && !special(prefix)
        {
            return Ok(Self::Prefix(bytes(prefix)));
        }
        let regex = Regex::new(&to_regex(pattern)?).map_err(|_| PatternError::Unsupported)?;
        Ok(Self::Mixed(Box::new(regex)))
    }

    /// Whether the whole path matches.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact(text) => path == &**text,
            Self::Prefix(text) => path.starts_with(text),
            Self::Suffix(text) => {
                path.ends_with(text) || text.strip_prefix(b"/").is_some_and(|t| t == path)
            }
            // The builder reads a name that is not UTF-8 with U+FFFD for each stray byte.
            Self::Mixed(regex) => regex.is_match(lossy(path).as_bytes()),
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_pattern() {
        let kind = |p: &str| match Matcher::new(p) {
            Ok(Matcher::Exact(_)) => "exact",
            Ok(Matcher::Prefix(_)) => "prefix",
            Ok(Matcher::Suffix(_)) => "suffix",
            Ok(Matcher::Mixed(_)) => "mixed",
            Ok(Matcher::Never) => "never",
            Err(PatternError::Syntax) => "syntax",
            Err(_) => "unsupported",
        };
        for (pattern, want) in [
            ("a.b/^c", "exact"),
            ("foo/**", "prefix"),
            ("**", "suffix"),
            ("**/foo", "suffix"),
            ("***", "mixed"),
            ("**/foo/**", "mixed"),
            ("foo*", "mixed"),
            ("a]", "mixed"),
            ("[a", "syntax"),
            ("a\\", "syntax"),
            ("[b-a]", "syntax"),
            ("\\pL", "unsupported"),
        ] {
            assert_eq!(kind(pattern), want, "{pattern:?}");
        }
    }

    #[test]
    fn names_that_are_not_utf8_match_byte_by_byte() {
        let m = |p: &str, path: &[u8]| Matcher::new(p).unwrap().matches(path);
        assert!(m("a?", b"a\xFF"));
        assert!(!m("a?", b"a\xE2\x82"));
        assert!(m("a??", b"a\xE2\x82"));
        assert!(m("*.c", b"\xFF.c"));
        assert!(!m("a?", b"a/"));
    }

    #[test]
    fn a_line_feed_stops_double_stars_in_expressions_only() {
        let m = |p: &str, path: &[u8]| Matcher::new(p).unwrap().matches(path);
        assert!(!m("**/a*", b"x\ny/ab"));
        assert!(m("**/ab", b"x\ny/ab"));
        assert!(m("*b", b"x\nb"));
    }

    #[test]
    fn an_oversized_pattern_is_an_error_and_no_panic() {
        let huge = "?".repeat(60_000);
        assert!(matches!(
            Matcher::new(&huge),
            Err(PatternError::Unsupported) | Ok(Matcher::Mixed(_))
        ));
    }
}
