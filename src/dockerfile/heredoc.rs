//! Heredocs: finding `<<EOF` words in a logical line and reading their bodies.
//!
//! Goes in: the joined line, then physical lines. Comes out: [`Heredoc`]s. Costs one pass over the
//! line and one over the bodies. Invariant: inside a body no line is a comment, a continuation or an
//! instruction.

use super::Heredoc;
use super::bytes::{Bytes, byte_set};
use super::expand;
use super::lines::Lines;
use super::text::Joined;
use crate::source::Span;

/// A word such as `<<-"EOF"`, without its body yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) name: String,
    pub(super) word: String,
    pub(super) fd: String,
    pub(super) strip_tabs: bool,
    pub(super) expand: bool,
}

/// Where the next `<<` from `at` on starts.
pub(super) fn next(line: &[u8], at: usize) -> Option<usize> {
    let mut signs = memchr::memchr_iter(b'<', line.get(at..)?);
    let found = signs.find(|n| line.get(at + n + 1) == Some(&b'<'))?;
    Some(at + found)
}

/// All heredoc words of a line. A line that does not lex (one apostrophe is enough) has none, and
/// the builder takes what follows for instructions.
pub(super) fn words(line: &str) -> Vec<Word> {
    if !is_plain(line.as_bytes()) {
        let words = expand::raw_words(line).unwrap_or_default();
        return words.iter().filter_map(|w| word(w)).collect();
    }
    let bytes = line.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(signs) = next(bytes, at) {
        let before = bytes[at..signs].iter().rposition(|b| is_blank(*b));
        let start = before.map_or(at, |n| at + n + 1);
        let after = bytes[signs..].iter().position(|b| is_blank(*b));
        at = after.map_or(bytes.len(), |n| signs + n);
        out.extend(word(&line[start..at]));
    }
    out
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// Nothing but blanks parts such a line, and nothing in it is more than it looks: most lines.
fn is_plain(line: &[u8]) -> bool {
    let mut at = 0;
    while let Some(n) = line[at..].iter().position(|b| SIGNS.has(*b)) {
        let next = line.get(at + n + 1).copied();
        let plain = match line[at + n] {
            // Blanks behind `<<` belong to the word.
            b'<' => !next.is_some_and(is_blank),
            // A name; it stays as it is written.
            b'$' => next.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_'),
            b'\'' | b'"' => match quoted_name(&line[..at + n], &line[at + n..]) {
                Some(len) => {
                    at += n + len;
                    continue;
                }
                None => false,
            },
            _ => false,
        };
        if !plain {
            return false;
        }
        at += n + 1;
    }
    true
}

/// The length of a quoted name of plain letters that is all of a word behind `<<` or `<<-`.
fn quoted_name(before: &[u8], text: &[u8]) -> Option<usize> {
    let sign = before.strip_suffix(b"-").unwrap_or(before);
    let (quote, rest) = text.split_first()?;
    let len = rest.iter().position(|b| !is_plain_letter(*b))?;
    let ends = rest.get(len + 1).is_none_or(|b| is_blank(*b));
    (sign.ends_with(b"<<") && rest[len] == *quote && ends).then_some(len + 2)
}

fn is_plain_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// What may make more of a line than it looks.
static SIGNS: Bytes = byte_set!(b'<' | b'$' | b'\'' | b'"' | b'\\' | 0x80..);

/// Reads one word: digits, `<<`, maybe `-`, blanks, then exactly one shell word without `<`.
pub(super) fn word(text: &str) -> Option<Word> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (fd, rest) = text.split_at(digits);
    let rest = rest.strip_prefix("<<")?;
    let (strip_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.as_bytes().contains(&b'<') {
        return None;
    }
    let quoted = |q: char| rest.strip_prefix(q).and_then(|r| r.strip_suffix(q));
    let bare = quoted('"').or_else(|| quoted('\'')).unwrap_or(rest);
    let name = if !bare.is_empty() && bare.bytes().all(is_plain_letter) {
        bare.to_owned()
    } else {
        expand::heredoc_name(rest)?
    };
    Some(Word {
        word: text.to_owned(),
        fd: fd.to_owned(),
        strip_tabs,
        expand: !rest.bytes().any(|b| matches!(b, b'"' | b'\'')),
        name,
    })
}

/// Reads the body that starts at the next line, up to its terminator or, when there is none, to the end
/// of the file (then the flag is false).
pub(super) fn body(joined: &Joined, lines: &mut Lines, word: Word) -> (Heredoc, bool) {
    let bytes = lines.bytes();
    let start = lines.start();
    let mut end = start;
    let mut found = false;
    while let Some(line) = lines.next() {
        if is_terminator(&bytes[line.start..line.content], &word) {
            found = true;
            break;
        }
        end = line.end;
    }
    let heredoc = Heredoc {
        body: match joined.of_file(start..end) {
            Some(text) => text.to_owned(),
            None => String::from_utf8_lossy(&bytes[start..end]).into_owned(),
        },
        body_span: Span::new(start, end),
        name: word.name,
        word: word.word,
        fd: word.fd,
        strip_tabs: word.strip_tabs,
        expand: word.expand,
    };
    (heredoc, found)
}

fn is_terminator(mut line: &[u8], word: &Word) -> bool {
    if word.strip_tabs {
        let tabs = line.iter().take_while(|b| **b == b'\t').count();
        line = &line[tabs..];
    }
    // Bytes that are not UTF-8 became U+FFFD in the name, so compare the same reading of the line.
    line == word.name.as_bytes()
        || (!word.name.is_ascii()
            && word.name.contains(char::REPLACEMENT_CHARACTER)
            && String::from_utf8_lossy(line) == word.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<String> {
        words(line)
            .into_iter()
            .map(|w| {
                let dash = if w.strip_tabs { "-" } else { "" };
                let raw = if w.expand { "" } else { "!" };
                format!("{}{dash}{raw}{}", w.fd, w.name)
            })
            .collect()
    }

    /// Every row was put to the real builder.
    #[test]
    fn words_in_lines() {
        let rows: [(&str, &[&str]); 56] = [
            ("<<EOF", &["EOF"]),
            ("<< EOF", &["EOF"]),
            ("<<  EOF", &["EOF"]),
            ("<<\tEOF", &["EOF"]),
            ("<< \"EOF\"", &["!EOF"]),
            ("<<-EOF", &["-EOF"]),
            ("<<- EOF", &[]),
            ("<<- \"EOF\"", &[]),
            ("3<< EOF", &["3EOF"]),
            ("3<<EOF <&3", &["3EOF"]),
            ("a1<<A", &[]),
            ("foo<< EOF", &[]),
            ("<<A <<-'B' | x", &["A", "-!B"]),
            ("<< EOF <<A", &["EOF", "A"]),
            ("<<E'O'F", &["!EOF"]),
            (r"<<E\OF", &["EOF"]),
            ("<<\"a b\"", &["!a b"]),
            (r"<<a\ b", &["a b"]),
            ("<<<word", &[]),
            ("1<<<A", &[]),
            ("\"<<EOF\"", &[]),
            ("<<\"\" <<A", &["A"]),
            ("<<", &[]),
            ("<<-", &[]),
            ("<< <<A", &[]),
            ("foo<< <<A", &[]),
            ("3<< <<A", &[]),
            ("<<< <<A", &["A"]),
            ("<<<< <<A", &[]),
            ("<<b<< <<A", &[]),
            ("<<- <<A", &["A"]),
            ("a<< b <<A", &["A"]),
            ("a<<b c <<A", &["A"]),
            ("\"<<\" <<A", &["A"]),
            (r"\<< <<A", &["A"]),
            ("$x<< <<A", &[]),
            (r"<<\ A", &[" A"]),
            (r"<< \ A", &[" A"]),
            ("<<$X", &["$X"]),
            ("<<${X}", &["${X}"]),
            ("<<\"$X\"", &["!$X"]),
            ("<<${X:-A}", &[]),
            ("<<x${X+A}", &[]),
            ("<<'${X:-A}'", &["!${X:-A}"]),
            (r"<<\${X:-A}", &["${X:-A}"]),
            ("<<${X:-} <<A", &["A"]),
            ("${X:-<<A}", &[]),
            ("${X:- <<A }", &["A"]),
            ("${X/a/ <<A }", &["A"]),
            ("<<A ${x:?no} ${x#\\d} ${x:1:2} ${x:=y}", &["A"]),
            ("<<A ${x^^}", &[]),
            ("<<A ${#x}", &[]),
            ("<<A # don't", &[]),
            ("<<EOF>/x", &["EOF>/x"]),
            ("(cat <<EOF)", &["EOF)"]),
            (r"<<A \' # \", &["A"]),
        ];
        for (line, expected) in rows {
            assert_eq!(names(&format!("RUN cat {line}")), expected, "{line}");
        }
        assert_eq!(words("RUN cat <<  E")[0].word, "<<  E");
    }

    proptest::proptest! {
        #[test]
        fn plain_lines_part_as_others_do(line in "[ \t\u{b}<a1$-]{0,12}(<<-?(E|'E'|\"E\"|'')['x]?)?[ <b$'-]{0,6}") {
            let slow = expand::raw_words(&line).unwrap_or_default();
            let slow: Vec<_> = slow.iter().filter_map(|w| word(w)).collect();
            proptest::prop_assert_eq!(words(&line), slow);
        }
    }

    #[test]
    fn bodies_end_at_the_bare_name() {
        let text = b"a\nEOF \n\tEOF\n EOF\nEOF\r\nrest\n";
        let read = |w: &str| {
            let mut lines = Lines::new(text);
            let (heredoc, found) = body(&Joined::default(), &mut lines, word(w).unwrap());
            (heredoc, lines.taken, found)
        };
        let (h, taken, found) = read("<<EOF");
        assert_eq!(
            (h.body.as_str(), taken, found),
            ("a\nEOF \n\tEOF\n EOF\n", 5, true)
        );
        assert_eq!(h.body_span, Span::new(0, 17));
        let (h, taken, found) = read("<<-EOF");
        assert_eq!((h.body.as_str(), taken, found), ("a\nEOF \n", 3, true));
        let (h, taken, found) = read("<<NO");
        assert_eq!((h.body.len(), taken, found), (text.len(), 6, false));
    }
}
