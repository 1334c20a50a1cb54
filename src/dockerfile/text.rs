//! The text of a file's instructions, in one buffer that all of its pieces share.
//!
//! Goes in: logical lines as they are joined. Comes out: [`Text`]s, which read like `&str`, cost no
//! copy, and know where they stand in the file. Costs one copy of the joined lines per file, a search
//! over its runs per place. Invariant: every byte of a piece maps to the byte of the file it came from.

use crate::source::Span;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A stretch of joined text and the stretch of the file it came from.
#[derive(Clone, Copy, Debug)]
struct Run {
    text: u32,
    text_len: u32,
    file: u32,
    file_len: u32,
}

/// Joined lines, one after the other, with a line feed after each so that no two places meet.
#[derive(Debug, Default)]
pub(super) struct Joined {
    text: String,
    /// In order of `text`.
    runs: Vec<Run>,
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Joined {
    /// A buffer that takes the lines of a file of so many bytes without growing.
    pub(super) fn for_file(bytes: usize, lines: usize) -> Self {
        Self {
            text: String::with_capacity(bytes + 1),
            runs: Vec::with_capacity(lines),
        }
    }

    /// All text so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where the next text will stand.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Adds text that stands for `file_len` bytes of the file at `file`.
    pub(super) fn push(&mut self, text: &str, file: usize, file_len: usize) {
        self.runs.push(Run {
            text: small(self.text.len()),
            text_len: small(text.len()),
            file: small(file),
            file_len: small(file_len),
        });
        self.text.push_str(text);
    }

    /// Ends a logical line; returns what of it is left when white space around it is dropped.
    pub(super) fn end_line(&mut self, start: usize) -> Range<usize> {
        let line = trim(&self.text, start..self.text.len());
        self.text.push('\n');
        line
    }

    /// The smallest span of the file that holds a range of the text; comments and line ends inside
    /// a continued line are in it when the range crosses them.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let (from, to) = (small(range.start), small(range.end));
        let start = self.run(from).map_or(0, |r| r.place(from));
        if range.is_empty() {
            return Span { start, end: start };
        }
        let end = self.run(to - 1).map_or(start, |r| r.place(to));
        Span {
            start,
            end: end.max(start),
        }
    }

    /// The run that holds this byte, or the last one before it.
    fn run(&self, text: u32) -> Option<&Run> {
        let n = self.runs.partition_point(|r| r.text <= text);
        self.runs.get(n.saturating_sub(1))
    }
}

/// A part of the text without the white space around it.
pub(super) fn trim(text: &str, part: Range<usize>) -> Range<usize> {
    let body = &text[part.clone()];
    // Nearly all start and end with a sign that is none.
    let plain = |b: Option<&u8>| b.is_some_and(u8::is_ascii_graphic);
    if plain(body.as_bytes().first()) && plain(body.as_bytes().last()) {
        return part;
    }
    let end = part.start + body.trim_end().len();
    let start = part.end - body.trim_start().len();
    start.min(end)..end
}

impl Run {
    fn place(&self, text: u32) -> u32 {
        // Only a run of a character that was mended is shorter or longer than its bytes.
        let into = if text.saturating_sub(self.text) >= self.text_len {
            self.file_len
        } else {
            (text - self.text).min(self.file_len)
        };
        self.file.saturating_add(into)
    }
}

/// A piece of a Dockerfile's text. It reads like a `&str`, is cheap to clone, and knows the span of the
/// file it came from; of text that was unquoted or unescaped, the span of all of it. Texts are equal
/// when they read the same, wherever they stand.
#[derive(Clone)]
pub struct Text {
    joined: Arc<Joined>,
    start: u32,
    end: u32,
}

impl Text {
    /// A range of the joined text. Beyond 4 GiB it reads as empty.
    pub(super) fn piece(joined: &Arc<Joined>, range: Range<usize>) -> Self {
        Self {
            joined: Arc::clone(joined),
            start: small(range.start),
            end: small(range.end),
        }
    }

    /// Text that does not stand in the file as it reads, made from the bytes at `span`.
    pub(super) fn derived(text: String, span: Span) -> Self {
        let run = Run {
            text: 0,
            text_len: small(text.len()),
            file: span.start,
            file_len: span.end.saturating_sub(span.start),
        };
        let end = run.text_len;
        let joined = Joined {
            text,
            runs: vec![run],
        };
        Self {
            joined: Arc::new(joined),
            start: 0,
            end,
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self
    }

    /// A part of it, by byte offsets; empty where they are no character borders.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        Self {
            joined: Arc::clone(&self.joined),
            start: self.start.saturating_add(small(start)),
            end: self.start.saturating_add(small(end)),
        }
    }

    /// Where it stands in the file: from its first byte to its last, line ends and comments between
    /// continued lines included.
    #[must_use]
    pub fn span(&self) -> Span {
        self.joined.span(self.start as usize..self.end as usize)
    }

    /// Where a byte range of it stands in the file, as [`Text::span`].
    #[must_use]
    pub fn span_of(&self, range: Range<usize>) -> Span {
        self.slice(range).span()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        let range = self.start as usize..self.end as usize;
        self.joined.text.get(range).unwrap_or_default()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// Text that stands in no file; its span is empty.
impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::derived(text.to_owned(), Span::default())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl From<&Text> for String {
    fn from(text: &Text) -> Self {
        text.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_know_their_place() {
        let mut joined = Joined::default();
        let at = joined.len();
        joined.push("RUN a ", 10, 6);
        joined.push("\u{fffd}", 16, 1);
        joined.push("  b", 20, 3);
        let line = joined.end_line(at);
        let at = joined.len();
        joined.push("", 40, 0);
        let nothing = joined.end_line(at);
        let joined = Arc::new(joined);
        let text = Text::piece(&joined, line);
        assert_eq!(text, "RUN a \u{fffd}  b");
        assert_eq!(text.span().range(), 10..23);
        assert_eq!(text.slice(4..5).span().range(), 14..15);
        assert_eq!(text.span_of(6..9).range(), 16..17);
        assert_eq!(text.span_of(6..12).range(), 16..23);
        assert_eq!(text.slice(7..8), "", "inside a character");
        assert_eq!(text.slice(100..200), "");
        let nothing = Text::piece(&joined, nothing);
        assert_eq!((nothing.as_str(), nothing.span().range()), ("", 40..40));
        let derived = Text::derived("x".to_owned(), text.span_of(4..8));
        assert_eq!(
            (derived.span().range(), derived.slice(0..1)),
            (14..17, "x".into())
        );
    }
}
