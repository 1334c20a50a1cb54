//! Places in a file in the units that other programs count in, and edits as they want them.
//!
//! Goes in: a file and byte spans. Comes out: lines with columns in UTF-16 code units (SARIF, GitHub) and in bytes (reviewdog). Costs the length of
//! the lines that are asked for. Invariant: replacing what a place holds gives the same bytes as the edit it was made of.

use crate::source::{Edit, SourceFile, Span, apply_edits};
use std::ops::Range;

/// Most lines of one suggestion in a review: more is not read there.
const MOST_LINES: u32 = 100;

/// A byte order mark, which is no part of the text for whoever counts columns in UTF-16.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A place between two characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// 1-based line; lines end at a line feed.
    pub line: u32,
    /// 1-based column in UTF-16 code units.
    pub utf16: u32,
    /// 1-based column in bytes.
    pub utf8: u32,
}

impl Point {
    /// Of a byte offset; one behind the end of the file is its end.
    #[must_use]
    pub fn of(source: &SourceFile, offset: u32) -> Self {
        let line = source.line(offset);
        let start = source
            .line_span(line)
            .map_or(0, |s| s.start as usize)
            .min(source.bytes().len());
        let end = (offset as usize).clamp(start, source.bytes().len());
        let before = &source.bytes()[start..end];
        let text = before.strip_prefix(MARK).filter(|_| start == 0);
        let units = String::from_utf8_lossy(text.unwrap_or(before))
            .encode_utf16()
            .count();
        let column = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        Self {
            line,
            utf16: column(units),
            utf8: column(before.len()),
        }
    }
}

/// A stretch of a file, its end exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// Its first character.
    pub start: Point,
    /// Behind its last one.
    pub end: Point,
}

impl Extent {
    /// Of a span.
    #[must_use]
    pub fn of(source: &SourceFile, span: Span) -> Self {
        Self {
            start: Point::of(source, span.start),
            end: Point::of(source, span.end),
        }
    }

    /// Of a span without the line ends behind it: a reader who is shown the last line would be shown the next one too.
    #[must_use]
    pub fn shown(source: &SourceFile, span: Span) -> Self {
        let bytes = source.bytes().get(span.range()).unwrap_or_default();
        let line_ends = bytes.iter().rev().take_while(|b| b"\r\n".contains(b));
        let end = bytes.len() - line_ends.count();
        let cut = match end {
            0 => span,
            n => Span::new(span.start as usize, span.start as usize + n),
        };
        Self::of(source, cut)
    }
}

/// A stretch of a file and what stands there afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replacement {
    /// What is replaced.
    pub at: Extent,
    /// By what.
    pub text: String,
}

impl Replacement {
    /// Of an edit; `None` where it writes what is not UTF-8.
    #[must_use]
    pub fn of(source: &SourceFile, edit: &Edit) -> Option<Self> {
        Some(Self {
            at: Extent::of(source, edit.span),
            text: String::from_utf8(edit.text.clone()).ok()?,
        })
    }
}

/// All edits of one file as one, from the first to the last: reviews offer suggestions one by one, and half a fix is none. It ends inside of the
/// file's last line at the latest, since reviews know no line behind that. `None` where it is too long, or not UTF-8.
#[must_use]
pub fn joined(source: &SourceFile, edits: &[Edit]) -> Option<Replacement> {
    let start = edits.iter().map(|e| e.span.start).min()? as usize;
    let end = edits.iter().map(|e| e.span.end).max()? as usize;
    let inner = source.bytes().get(start..end)?;
    let shifted: Vec<Edit> = edits
        .iter()
        .map(|e| Edit {
            span: Span::new(e.span.start as usize - start, e.span.end as usize - start),
            text: e.text.clone(),
        })
        .collect();
    let text = apply_edits(inner, &shifted).ok()?;
    let (range, text) = without_last_line_end(source.bytes(), start..end, text);
    let at = Extent::of(source, Span::new(range.start, range.end));
    let lines = at.end.line - at.start.line;
    let written = text.iter().filter(|b| **b == b'\n').count();
    if lines > MOST_LINES || written > MOST_LINES as usize {
        return None;
    }
    Some(Replacement {
        at,
        text: String::from_utf8(text).ok()?,
    })
}

/// The same edit, with the line end at its end left where it is; at the end of the file the one before it takes its place.
fn without_last_line_end(
    bytes: &[u8],
    range: Range<usize>,
    text: Vec<u8>,
) -> (Range<usize>, Vec<u8>) {
    let line_end = |b: &[u8]| match b {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    let old = &bytes[range.clone()];
    let n = line_end(old);
    if n > 0 && line_end(&text) == n {
        let kept = text.len() - n;
        return (range.start..range.end - n, text[..kept].to_vec());
    }
    let n = line_end(&bytes[..range.start]);
    let same = n > 0 && line_end(&bytes[..range.end]) == n;
    if range.end < bytes.len() || !same {
        return (range, text);
    }
    let mut rotated = bytes[range.start - n..range.start].to_vec();
    rotated.extend_from_slice(&text);
    if line_end(&rotated) != n {
        return (range, text);
    }
    rotated.truncate(rotated.len() - n);
    (range.start - n..range.end - n, rotated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_count_what_each_format_counts() {
        let f = SourceFile::new("f", "\u{feff}a\n\u{10000}é=x\n");
        let at = |offset| {
            let p = Point::of(&f, offset);
            (p.line, p.utf16, p.utf8)
        };
        assert_eq!(at(3), (1, 1, 4));
        assert_eq!(at(4), (1, 2, 5));
        assert_eq!(at(11), (2, 4, 7));
        assert_eq!(at(14), (3, 1, 1));
        assert_eq!(at(99), (3, 1, 1));
    }

    #[test]
    fn what_is_shown_ends_before_the_line_end() {
        let f = SourceFile::new("f", "ab\r\ncd\r\n");
        let at = Extent::shown(&f, Span::new(0, 8));
        assert_eq!((at.end.line, at.end.utf16), (2, 3));
        let at = Extent::shown(&f, Span::new(2, 4));
        assert_eq!((at.end.line, at.end.utf16), (2, 1));
    }

    /// Applies a replacement by its lines and columns in bytes.
    fn by_columns(source: &SourceFile, r: &Replacement) -> Vec<u8> {
        let offset = |p: Point| {
            let line = source.line_span(p.line).expect("a line");
            line.start as usize + p.utf8 as usize - 1
        };
        let mut out = source.bytes().to_vec();
        out.splice(offset(r.at.start)..offset(r.at.end), r.text.bytes());
        out
    }

    proptest! {
        #[test]
        fn one_edit_does_what_all_do(
            text in "[a\u{e9}\u{10000}\r\n]{0,12}",
            cuts in prop::collection::vec((0usize..14, 0usize..4, "[b\n]{0,3}|\r\n|b\r\n"), 1..4),
        ) {
            let source = SourceFile::new("f", text.clone());
            let borders: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
            let mut at = 0;
            let mut edits = Vec::new();
            for (skip, take, new) in cuts {
                let from = (at + skip).min(borders.len() - 1);
                let to = (from + take).min(borders.len() - 1);
                edits.push(Edit { span: Span::new(borders[from], borders[to]), text: new.into_bytes() });
                at = to;
            }
            let expected = apply_edits(source.bytes(), &edits).expect("apart");
            let one = joined(&source, &edits).expect("short");
            prop_assert_eq!(by_columns(&source, &one), expected);
        }
    }
}
