//! The text of a file's instructions, in one buffer that all of its pieces share.
//!
//! Goes in: the file and logical lines as they are joined. Comes out: [`Text`]s, which read like `&str`, cost
//! no copy, and know where they stand in the file. Costs one copy of the file and of its joined lines, a
//! search over their runs per place in one. Invariant: every byte of a piece maps to the byte of the file
//! it came from.

use crate::source::Span;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};

/// A stretch of joined text and the stretch of the file it came from.
#[derive(Clone, Copy, Debug)]
struct Run {
    text: u32,
    text_len: u32,
    file: u32,
    file_len: u32,
}

/// The file, if it is UTF-8, then joined lines, one after the other, with a line feed after each so that no
/// two places meet. Most instructions are one line, which stands in the file as it reads.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    text: String,
    /// Places below are those of the file; 0 where the file is not in the text.
    file: u32,
    /// Of the joined lines, in order of `text`.
    runs: Vec<Run>,
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Joined {
    pub(super) const NOTHING: Self = Self {
        text: String::new(),
        file: 0,
        runs: Vec::new(),
    };

    /// A buffer for a file; `file` is its text if it is UTF-8.
    pub(super) fn for_file(file: Option<&str>) -> Self {
        // Joined lines stand in the text a second time and must find room below 4 GiB.
        let Some(file) = file.filter(|file| file.len() < 1 << 31) else {
            return Self::default();
        };
        let mut text = String::with_capacity(2 * file.len() + 2);
        text.push_str(file);
        text.push('\n');
        Self {
            file: small(text.len()),
            text,
            runs: Vec::new(),
        }
    }

    /// Whether the text starts with the file, so that places of the file are places of the text.
    pub(super) fn has_file(&self) -> bool {
        self.file > 0
    }

    /// A stretch of the file, if the text starts with it.
    pub(super) fn of_file(&self, range: Range<usize>) -> Option<&str> {
        if !self.has_file() {
            return None;
        }
        self.text.get(range)
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

    /// Adds a stretch of the file, which the text starts with. Lines begin and end between characters.
    pub(super) fn push_file(&mut self, range: Range<usize>) {
        let (at, file, len) = (self.text.len(), range.start, range.len());
        if self.runs.is_empty() {
            // Many files have none.
            self.runs.reserve(self.file as usize / 64 + 4);
        }
        self.text.extend_from_within(range);
        self.runs.push(Run {
            text: small(at),
            text_len: small(len),
            file: small(file),
            file_len: small(len),
        });
    }

    /// Adds text that does not stand in the file as it reads, made from the bytes at `span`.
    pub(super) fn derive(&mut self, text: &str, span: Span) -> Part {
        let start = self.text.len();
        self.push(text, span.range().start, span.len());
        let part = Part::new(start..self.text.len());
        self.text.push('\n');
        part
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
        if from < self.file {
            return Span {
                start: from,
                end: to.max(from),
            };
        }
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
#[inline]
pub(super) fn trim(text: &str, part: Range<usize>) -> Range<usize> {
    // Nearly all start and end with a sign that is none.
    if let [first, .., last] = &text.as_bytes()[part.clone()]
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return part;
    }
    let body = &text[part.clone()];
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

/// A stretch of the text that a file's instructions share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Part {
    /// Stands where there is no text, not even an empty one.
    pub(super) const NONE: Self = Self {
        start: u32::MAX,
        end: 0,
    };

    pub(super) fn new(range: Range<usize>) -> Self {
        Self {
            start: small(range.start),
            end: small(range.end),
        }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }
}

/// A piece of a Dockerfile's text. It reads like a `&str` and knows the span of the file it came from; of
/// text that was unquoted or unescaped, the span of all of it. Texts are equal when they read the same,
/// wherever they stand.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    text: &'a str,
    joined: &'a Joined,
    part: Part,
}

/// What text stands in that is of no file.
static NOWHERE: Joined = Joined::NOTHING;

impl<'a> Text<'a> {
    /// A part of the joined text. Beyond 4 GiB it reads as empty.
    pub(super) fn piece(joined: &'a Joined, part: Part) -> Self {
        Self {
            text: joined.text.get(part.range()).unwrap_or_default(),
            joined,
            part,
        }
    }

    /// The text, for as long as the file is there.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// A part of it, by byte offsets; empty where they are no character borders.
    #[must_use]
    pub fn slice(self, range: Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        Self {
            text: self.text.get(start..end).unwrap_or_default(),
            joined: self.joined,
            part: Part {
                start: self.part.start.saturating_add(small(start)),
                end: self.part.start.saturating_add(small(end)),
            },
        }
    }

    /// Where it stands in the file: from its first byte to its last, line ends and comments between
    /// continued lines included.
    #[must_use]
    pub fn span(self) -> Span {
        self.joined.span(self.part.range())
    }

    /// Where a byte range of it stands in the file, as [`Text::span`].
    #[must_use]
    pub fn span_of(self, range: Range<usize>) -> Span {
        self.slice(range).span()
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.text
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text<'_> {}

impl PartialEq<Text<'_>> for &str {
    fn eq(&self, other: &Text<'_>) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// Text that stands in no file; its span is empty.
impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self {
            text,
            joined: &NOWHERE,
            part: Part::default(),
        }
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.as_str().to_owned()
    }
}

impl From<&Text<'_>> for String {
    fn from(text: &Text<'_>) -> Self {
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
        let line = Part::new(line);
        let derived = joined.derive("x", joined.span(4..8));
        let text = Text::piece(&joined, line);
        assert_eq!(text, "RUN a \u{fffd}  b");
        assert_eq!(text.span().range(), 10..23);
        assert_eq!(text.slice(4..5).span().range(), 14..15);
        assert_eq!(text.span_of(6..9).range(), 16..17);
        assert_eq!(text.span_of(6..12).range(), 16..23);
        assert_eq!(text.slice(7..8), "", "inside a character");
        assert_eq!(text.slice(100..200), "");
        let nothing = Text::piece(&joined, Part::new(nothing));
        assert_eq!((nothing.as_str(), nothing.span().range()), ("", 40..40));
        let derived = Text::piece(&joined, derived);
        assert_eq!(
            (derived.span().range(), derived.slice(0..1)),
            (14..17, "x".into())
        );
    }

    #[test]
    fn lines_of_the_file_stand_where_they_read() {
        let mut joined = Joined::for_file(Some("USER é\nRUN a\\\nb"));
        let at = joined.len();
        joined.push_file(8..13);
        joined.push_file(15..16);
        let line = joined.end_line(at);
        assert_eq!(joined.of_file(5..7), Some("é"));
        let piece = |range| Text::piece(&joined, Part::new(range));
        let user = piece(0..7);
        assert_eq!(user, "USER é");
        assert_eq!(user.slice(5..7).span().range(), 5..7);
        assert_eq!(user.slice(7..7).span().range(), 7..7);
        let end = piece(16..16);
        assert_eq!(
            end.span().range(),
            16..16,
            "not the start of the first joined line"
        );
        let run = piece(line);
        assert_eq!((run.as_str(), run.span().range()), ("RUN ab", 8..16));
        assert_eq!(run.slice(5..6).span().range(), 15..16);
    }
}
