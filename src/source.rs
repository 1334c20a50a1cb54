//! File text, byte spans, and lossless edits.
//!
//! Goes in: bytes of one file. Comes out: lines and columns for people, and the same bytes with
//! some spans replaced. Costs one pass over the text. Invariant: an edit never touches a byte
//! outside its span, and no edits give the input back.

use std::fmt;

/// A half-open range of byte offsets into the original file, `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte, 0-based.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Makes a span from `usize` offsets. Files over 4 GiB are refused before parsing, so the
    /// saturation never shows.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            start: clamp(start),
            end: clamp(end),
        }
    }

    /// From the start of this one to the end of another.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end.max(self.start),
        }
    }

    /// The span as an index into the file's bytes.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether the span holds no byte.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A position for people: both numbers start at 1, the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// 1-based line.
    pub line: u32,
    /// 1-based column in characters.
    pub column: u32,
}

/// One file: its name as reports print it, its bytes, and where its lines start.
#[derive(Clone, Debug)]
pub struct SourceFile {
    name: String,
    bytes: Vec<u8>,
    line_starts: Vec<u32>,
}

impl SourceFile {
    /// Takes the bytes of a file; `name` is what reports call it.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let mut line_starts = vec![0];
        for (i, b) in bytes.iter().enumerate() {
            if *b == b'\n' {
                line_starts.push(u32::try_from(i + 1).unwrap_or(u32::MAX));
            }
        }
        Self {
            name: name.into(),
            bytes,
            line_starts,
        }
    }

    /// The name reports print.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes as they are on disk.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text of a span; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self, span: Span) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes.get(span.range()).unwrap_or_default())
    }

    /// 1-based line that holds the byte at `offset`.
    #[must_use]
    pub fn line(&self, offset: u32) -> u32 {
        let n = self.line_starts.partition_point(|s| *s <= offset);
        u32::try_from(n.max(1)).unwrap_or(u32::MAX)
    }

    /// Line and column of a byte offset.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        let line = self.line(offset);
        let start = self.line_starts[line as usize - 1] as usize;
        let end = (offset as usize).clamp(start, self.bytes.len());
        let before = &self.bytes[start.min(end)..end];
        let characters = match before.is_ascii() {
            true => before.len(),
            false => String::from_utf8_lossy(before).chars().count(),
        };
        Position {
            line,
            column: u32::try_from(characters + 1).unwrap_or(u32::MAX),
        }
    }

    /// Number of lines; a file that ends in a line feed has no empty last line.
    #[must_use]
    pub fn line_count(&self) -> u32 {
        let n = self.line_starts.len();
        let open = self.line_starts.last().map(|s| *s as usize) == Some(self.bytes.len());
        u32::try_from(if open { n - 1 } else { n }).unwrap_or(u32::MAX)
    }

    /// Span of a 1-based line with its line end, if there is such a line.
    #[must_use]
    pub fn line_span(&self, line: u32) -> Option<Span> {
        let i = (line as usize).checked_sub(1)?;
        let start = *self.line_starts.get(i)? as usize;
        let end = self
            .line_starts
            .get(i + 1)
            .map_or(self.bytes.len(), |s| *s as usize);
        Some(Span::new(start, end))
    }

    /// The line end this file uses: CRLF when its first line ends so, else LF.
    #[must_use]
    pub fn line_end(&self) -> &'static str {
        match self.bytes.iter().position(|b| *b == b'\n') {
            Some(i) if i > 0 && self.bytes[i - 1] == b'\r' => "\r\n",
            _ => "\n",
        }
    }
}

/// One replacement: the bytes of `span` become `text`. An empty span inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub span: Span,
    /// What stands there afterwards.
    pub text: Vec<u8>,
}

impl Edit {
    /// Puts a text in before a byte.
    #[must_use]
    pub fn insert(at: u32, text: String) -> Self {
        Self {
            span: Span { start: at, end: at },
            text: text.into_bytes(),
        }
    }
}

/// Why edits could not be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError {
    /// Two edits share a byte, at this offset.
    Overlap(u32),
    /// An edit ends beyond the file.
    OutOfBounds(Span),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap(at) => write!(f, "two edits overlap at byte {at}"),
            Self::OutOfBounds(s) => write!(f, "edit {}..{} lies beyond the file", s.start, s.end),
        }
    }
}

impl std::error::Error for EditError {}

/// Applies edits that may come in any order; insertions at one place keep the order given.
///
/// # Errors
/// When two edits overlap or one lies beyond the bytes.
pub fn apply_edits(bytes: &[u8], edits: &[Edit]) -> Result<Vec<u8>, EditError> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|e| (e.span.start, e.span.end));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0usize;
    for edit in sorted {
        let range = edit.span.range();
        if range.end > bytes.len() || range.start > range.end {
            return Err(EditError::OutOfBounds(edit.span));
        }
        if range.start < at {
            return Err(EditError::Overlap(edit.span.start));
        }
        out.extend_from_slice(&bytes[at..range.start]);
        out.extend_from_slice(&edit.text);
        at = range.end;
    }
    out.extend_from_slice(&bytes[at..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let f = SourceFile::new("f", "ab\né=x\n");
        assert_eq!(f.position(0), Position { line: 1, column: 1 });
        assert_eq!(f.position(5), Position { line: 2, column: 2 });
        assert_eq!(f.line_count(), 2);
        assert_eq!(f.text(f.line_span(2).unwrap()), "é=x\n");
        assert_eq!(f.line_span(4), None);
    }

    #[test]
    fn line_end_is_the_first_one() {
        assert_eq!(SourceFile::new("f", "a\r\nb\n").line_end(), "\r\n");
        assert_eq!(SourceFile::new("f", "a").line_end(), "\n");
    }

    #[test]
    fn edits_apply_in_any_order_and_overlap_is_refused() {
        let edit = |s, e, t: &str| Edit {
            span: Span::new(s, e),
            text: t.into(),
        };
        let out = apply_edits(
            b"0123456789",
            &[edit(8, 9, "x"), edit(2, 2, "ab"), edit(2, 4, "")],
        );
        assert_eq!(out.unwrap(), b"01ab4567x9");
        assert_eq!(apply_edits(b"01", &[]).unwrap(), b"01");
        assert_eq!(
            apply_edits(b"0123", &[edit(0, 2, ""), edit(1, 3, "")]),
            Err(EditError::Overlap(1))
        );
        assert!(apply_edits(b"0", &[edit(0, 2, "")]).is_err());
    }
}
