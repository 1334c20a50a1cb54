//! How arguments split into words, before any expansion.
//!
//! Goes in: the arguments of one instruction. Comes out: where its words stand. Costs one pass.
//! Invariant: nothing is unquoted here; a word is a piece of the text (a lone escape at the very
//! end is dropped, as the builder does).

use super::bytes::{Bytes, byte_set};
use super::flags::SPECIAL;
use std::ops::Range;

/// The blanks that part words: ASCII white space without the line feed.
fn is_blank(byte: u8) -> bool {
    static BLANK: Bytes = byte_set!(b'\t' | 0xb | 0xc | b'\r' | b' ');
    BLANK.has(byte)
}

/// Splits at blanks, without regard to quotes.
pub(super) fn blanks(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(|b| !is_blank(*b))?;
        let rest = &bytes[start..];
        at = start + rest.iter().position(|b| is_blank(*b)).unwrap_or(rest.len());
        Some(start..at)
    })
}

/// The text up to the first blank, and the offset of what follows the blanks, if there are any.
pub(super) fn first(text: &str) -> (&str, Option<usize>) {
    let bytes = text.as_bytes();
    let mut end = 0;
    while end < bytes.len() && !is_blank(bytes[end]) {
        end += 1;
    }
    if end == bytes.len() {
        return (text, None);
    }
    let mut rest = end + 1;
    while rest < bytes.len() && is_blank(bytes[rest]) {
        rest += 1;
    }
    (&text[..end], Some(rest))
}

/// The first word and the rest without the white space between them.
pub(super) fn split(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Splits at white space outside quotes; quotes and escapes stay in the words (ENV, LABEL, ARG). With each word
/// comes where its first `=` is.
pub(super) fn quoted(
    text: &str,
    escape: char,
) -> impl Iterator<Item = (Range<usize>, Option<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        // Nearly always one blank is between words.
        let start = match rest.as_bytes() {
            [b' ', b'!'..=b'~', ..] => at + 1,
            [b'!'..=b'~', ..] => at,
            _ => at + rest.len() - rest.trim_start().len(),
        };
        let word = quoted_word(&text[start..], escape);
        at = start + word.end;
        // A word of nothing but an escape at the very end is none.
        (word.len > 0).then(|| (start..start + word.len, word.equals))
    })
}

/// The first word of text that starts with one.
struct QuotedWord {
    len: usize,
    /// Where the next word may start.
    end: usize,
    equals: Option<usize>,
}

fn quoted_word(text: &str, escape: char) -> QuotedWord {
    let bytes = text.as_bytes();
    // Nearly all start with a name, and go on with `=` where they have one.
    let name = bytes
        .iter()
        .position(|b| *b == b'=' || SPECIAL.has(*b))
        .unwrap_or(bytes.len());
    let (len, end) = quoted_end(text, name, escape);
    let equals = match bytes.get(name) {
        Some(b'=') => Some(name),
        _ => bytes[..len].iter().position(|b| *b == b'='),
    };
    QuotedWord { len, end, equals }
}

/// Where the word ends that is plain up to `at`, and where the next one may start.
fn quoted_end(text: &str, mut at: usize, escape: char) -> (usize, usize) {
    let mut quote = None;
    while let Some(byte) = text.as_bytes().get(at) {
        if !SPECIAL.has(*byte) {
            at += 1;
            continue;
        }
        let mut chars = text[at..].chars();
        let Some(c) = chars.next() else { break };
        match quote {
            None if c.is_whitespace() => return (at, at),
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(q) if c == q => quote = None,
            _ => {}
        }
        if c == escape && quote != Some('\'') && chars.next().is_none() {
            // An escape with nothing after it is no part of the word.
            return (at, text.len());
        }
        at = text.len() - chars.as_str().len();
    }
    (text.len(), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_words_keep_quotes_and_escapes() {
        let rows: [(&str, char, &[&str]); 10] = [
            ("a=1 b=2", '\\', &["a=1", "b=2"]),
            (" a='1 2'  b=\"3 4\" ", '\\', &["a='1 2'", "b=\"3 4\""]),
            (r"a=1\ 2 b", '\\', &[r"a=1\ 2", "b"]),
            (r#"a="\" " b"#, '\\', &[r#"a="\" ""#, "b"]),
            (r"a='\' b", '\\', &[r"a='\'", "b"]),
            (r"a=b\", '\\', &["a=b"]),
            ("a=` b", '`', &["a=` b"]),
            ("a=\\ b", '`', &["a=\\", "b"]),
            ("a='x y", '\\', &["a='x y"]),
            ("''\u{a0}\"\"", '\\', &["''", "\"\""]),
        ];
        for (text, escape, words) in rows {
            let found: Vec<&str> = quoted(text, escape).map(|(r, _)| &text[r]).collect();
            assert_eq!(found, words, "{text}");
        }
    }

    #[test]
    fn first_word_ends_at_ascii_blanks_only() {
        assert_eq!(first("RUN \t a b"), ("RUN", Some(6)));
        assert_eq!(first("RUN\u{a0}a"), ("RUN\u{a0}a", None));
        let text = "\"a b\" \u{b}c";
        assert!(blanks(text).map(|r| &text[r]).eq(["\"a", "b\"", "c"]));
    }
}
