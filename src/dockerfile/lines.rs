//! Physical lines, and logical lines put together from them.
//!
//! The rules are grammar section 1: lines split on LF, a run of CR/LF at their end is no part of
//! them, a line that ends in the escape character goes on with the next one, comments and blank
//! lines inside a continuation vanish, and what is joined keeps its leading blanks.

use crate::source::{SourceFile, Span};

/// One physical line.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The line with its line end.
    pub span: Span,
    /// Without the line end and, on the first line, without a byte order mark.
    pub content: Span,
}

/// Splits a file into physical lines.
pub fn physical(source: &SourceFile) -> Vec<Line> {
    let bytes = source.bytes();
    let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let line = |n: u32| {
        let span = source.line_span(n)?;
        let start = if n == 1 { bom } else { span.start as usize };
        let mut end = span.end as usize;
        while end > start && matches!(bytes[end - 1], b'\n' | b'\r') {
            end -= 1;
        }
        Some(Line { span, content: Span::new(start, end) })
    };
    (1..=source.line_count()).filter_map(line).collect()
}

/// Bytes without leading white space (Unicode's, as far as the bytes are UTF-8).
pub fn trim_start(bytes: &[u8]) -> &[u8] {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default(),
    };
    &bytes[valid.len() - valid.trim_start().len()..]
}

/// What stands before the escape character at the end of a line, if the line goes on.
pub fn continued(content: &[u8], escape: u8) -> Option<&[u8]> {
    let end = content.iter().rposition(|b| !matches!(b, b' ' | b'\t'))?;
    let goes_on = content[end] == escape && (end == 0 || content[end - 1] != escape);
    goes_on.then(|| &content[..end])
}

/// A logical line.
#[derive(Clone, Debug)]
pub struct Logical {
    /// Joined text, heredoc bodies not included.
    pub text: Vec<u8>,
    /// Index of the physical line after it.
    pub next: usize,
    /// A blank line inside a continuation, 0-based.
    pub blank_inside: Option<usize>,
}

/// Joins the logical line that starts at physical line `first`.
pub fn logical(bytes: &[u8], lines: &[Line], first: usize, escape: u8) -> Logical {
    let mut text = Vec::new();
    let mut blank_inside = None;
    let mut at = first;
    let mut content = trim_start(&bytes[lines[at].content.range()]);
    loop {
        at += 1;
        match continued(content, escape) {
            None => {
                text.extend_from_slice(content);
                break;
            }
            Some(kept) => text.extend_from_slice(kept),
        }
        loop {
            let Some(line) = lines.get(at) else {
                return Logical { text, next: at, blank_inside };
            };
            content = &bytes[line.content.range()];
            let trimmed = trim_start(content);
            if trimmed.is_empty() {
                blank_inside.get_or_insert(at);
            } else if trimmed[0] != b'#' {
                break;
            }
            at += 1;
        }
    }
    Logical { text, next: at, blank_inside }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(text: &str) -> (String, usize) {
        let source = SourceFile::new("f", text);
        let lines = physical(&source);
        let l = logical(source.bytes(), &lines, 0, b'\\');
        (String::from_utf8(l.text).unwrap(), l.next)
    }

    #[test]
    fn continuation_table() {
        assert_eq!(join("RUN a && \\\n  b\nX"), ("RUN a &&   b".to_owned(), 2));
        assert_eq!(join("RUN a && \\\n# note \\\n\n  b\n"), ("RUN a &&   b".to_owned(), 4));
        assert_eq!(join("RUN foo\\\nbar\n"), ("RUN foobar".to_owned(), 2));
        assert_eq!(join("RUN foo \\\\\nbar"), ("RUN foo \\\\".to_owned(), 1));
        assert_eq!(join("RUN foo \\ \t\r\nbar"), ("RUN foo bar".to_owned(), 2));
        assert_eq!(join("RUN foo \\"), ("RUN foo ".to_owned(), 1));
        assert_eq!(join("  RUN x"), ("RUN x".to_owned(), 1));
        assert_eq!(join("\\\nRUN x"), ("RUN x".to_owned(), 2));
    }
}
