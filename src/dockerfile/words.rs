//! How arguments split into words, before any expansion.
//!
//! Goes in: the arguments of one instruction. Comes out: words as written. Costs one pass.
//! Invariant: nothing is unquoted here; a word is a piece of the text (a lone escape at the very
//! end is dropped, as the builder does).

/// The blanks that part words: ASCII white space without the line feed.
const BLANK: [char; 5] = ['\t', '\u{b}', '\u{c}', '\r', ' '];

/// Splits at blanks, without regard to quotes.
pub(super) fn blanks(text: &str) -> Vec<String> {
    text.split(BLANK)
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The text up to the first blank, and the offset of what follows the blanks, if there are any.
pub(super) fn first(text: &str) -> (&str, Option<usize>) {
    match text.find(BLANK) {
        None => (text, None),
        Some(end) => {
            let rest = text[end..].trim_start_matches(BLANK);
            (&text[..end], Some(text.len() - rest.len()))
        }
    }
}

/// Splits at white space outside quotes; quotes and escapes stay in the words (ENV, LABEL, ARG).
pub(super) fn quoted(text: &str, escape: char) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match quote {
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(q) if c == q => quote = None,
            _ => {}
        }
        if c == escape && quote != Some('\'') {
            let Some(protected) = chars.next() else { break };
            word.push(c);
            word.push(protected);
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
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
            assert_eq!(quoted(text, escape), words, "{text}");
        }
    }

    #[test]
    fn first_word_ends_at_ascii_blanks_only() {
        assert_eq!(first("RUN \t a b"), ("RUN", Some(6)));
        assert_eq!(first("RUN\u{a0}a"), ("RUN\u{a0}a", None));
        assert_eq!(blanks("\"a b\" \u{b}c"), ["\"a", "b\"", "c"]);
    }
}
