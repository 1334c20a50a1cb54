//! Physical lines and how they join to the one line an instruction is read from.
//!
//! Goes in: bytes. Comes out: line borders one after the other, and for one instruction the place of its
//! logical line in the [`Joined`] text of the file. Costs one pass. Invariant: physical lines tile the file
//! but for a byte order mark.

use super::text::{Joined, trim};
use std::ops::Range;
use wide::u8x64;

/// One physical line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// First byte; for the first line, the one after a byte order mark.
    pub(super) start: usize,
    /// One past the line feed, or the end of the file.
    pub(super) end: usize,
    /// One past the last byte that is not CR or LF at the end.
    pub(super) content: usize,
}

/// Where the text of a file starts: behind a byte order mark.
pub(super) fn after_mark(bytes: &[u8]) -> usize {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if bytes.starts_with(MARK) {
        MARK.len()
    } else {
        0
    }
}

/// The physical lines of a file; none of an empty one.
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    /// Where the line feeds of the block of bytes at `block` are, but for those that were taken.
    feeds: u64,
    block: usize,
    /// Where the next line starts.
    start: usize,
    /// How many lines were taken.
    pub(super) taken: u32,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            feeds: feeds(block(bytes, 0)),
            block: 0,
            start: after_mark(bytes),
            taken: 0,
        }
    }

    /// The whole file.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the next line starts, or the end of the file.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Takes the next line.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Line> {
        let start = self.start;
        if self.feeds == 0 {
            self.find_feeds();
        }
        let (mut content, end) = match self.feeds.trailing_zeros() as usize {
            // The last line may lack its line feed.
            BLOCK if start >= self.bytes.len() => return None,
            BLOCK => (self.bytes.len(), self.bytes.len()),
            n => (self.block + n, self.block + n + 1),
        };
        self.feeds &= self.feeds.wrapping_sub(1);
        // Before an empty line stands the line feed of another one.
        if self.bytes.get(content.wrapping_sub(1)) == Some(&b'\r') {
            content = without_returns(self.bytes, start..content);
        }
        self.start = end;
        self.taken = self.taken.saturating_add(1);
        Some(Line {
            start,
            end,
            content,
        })
    }

    /// Looks on until there is a line feed.
    #[inline(never)]
    fn find_feeds(&mut self) {
        while self.feeds == 0 && self.block < self.bytes.len() {
            self.block += BLOCK;
            self.feeds = feeds(block(self.bytes, self.block));
        }
    }
}

/// How many bytes are looked at together for line feeds. Lines are short: a search that starts anew for each
/// costs more than one mask of so many bytes, and its end is hard to foresee for a processor.
const BLOCK: usize = 64;

/// Those bytes at an offset; behind the end of the file they are 0.
#[inline]
fn block(bytes: &[u8], at: usize) -> [u8; BLOCK] {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or_else(|| {
        let mut out = [0; BLOCK];
        out[..rest.len()].copy_from_slice(rest);
        out
    })
}

/// The n-th bit says whether the n-th byte is a line feed.
#[inline]
fn feeds(block: [u8; BLOCK]) -> u64 {
    u8x64::new(block).simd_eq(u8x64::splat(b'\n')).to_bitmask()
}

/// The end of a line without the carriage returns there.
#[cold]
fn without_returns(bytes: &[u8], line: Range<usize>) -> usize {
    let last = bytes[line.clone()].iter().rposition(|b| *b != b'\r');
    last.map_or(line.start, |n| line.start + n + 1)
}

/// What a line is when no instruction is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    Blank,
    Comment,
    Text,
}

impl Line {
    /// Where its first character stands that is no white space, and what that makes of the line.
    #[inline(always)]
    pub(super) fn kind(self, bytes: &[u8]) -> (usize, LineKind) {
        match bytes[self.start..self.content].first() {
            None => return (self.start, LineKind::Blank),
            Some(b'!'..=b'"' | b'$'..=b'~') => return (self.start, LineKind::Text),
            _ => {}
        }
        self.kind_of_indented(bytes)
    }

    #[inline(never)]
    fn kind_of_indented(self, bytes: &[u8]) -> (usize, LineKind) {
        let at = indented(bytes, self.start..self.content);
        let kind = match bytes[at..self.content].first() {
            None => LineKind::Blank,
            Some(b'#') => LineKind::Comment,
            Some(_) => LineKind::Text,
        };
        (at, kind)
    }
}

/// Offset of the first character that is not (Unicode) white space.
fn indented(bytes: &[u8], line: Range<usize>) -> usize {
    let spaces = bytes[line.clone()].iter().position(|b| *b != b' ');
    let mut at = spaces.map_or(line.end, |n| line.start + n);
    while at < line.end {
        let width = match bytes[at] {
            b'!'..=b'~' => break,
            b if b.is_ascii() => usize::from(char::from(b).is_whitespace()),
            _ => {
                let window = &bytes[at..line.end.min(at + 4)];
                let first = window.utf8_chunks().next().map_or("", |c| c.valid());
                let first = first.chars().next().filter(|c| c.is_whitespace());
                first.map_or(0, char::len_utf8)
            }
        };
        if width == 0 {
            break;
        }
        at += width;
    }
    at
}

/// Joins a line, whose text starts at `indented`, with its continuations; they are taken from `lines`.
/// Returns the place in `joined`, trimmed. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn logical(
    (first, indented): (Line, usize),
    lines: &mut Lines,
    escape: char,
    joined: &mut Joined,
) -> Range<usize> {
    let bytes = lines.bytes;
    let (end, mut more) = continuation(bytes, indented..first.content, escape);
    if !more && joined.has_file() {
        return trim(joined.text(), indented..end);
    }
    let at = joined.len();
    // Of a file that is not UTF-8; its characters are put together at the end.
    let mut pieces = Vec::new();
    let mut take = |piece: Range<usize>| {
        if joined.has_file() {
            joined.push_file(piece);
        } else {
            pieces.push(piece);
        }
    };
    take(indented..end);
    while more && let Some(line) = lines.next() {
        if line.kind(bytes).1 == LineKind::Text {
            let (end, goes_on) = continuation(bytes, line.start..line.content, escape);
            take(line.start..end);
            more = goes_on;
        }
    }
    if !joined.has_file() {
        decode(bytes, &pieces, joined);
    }
    joined.end_line(at)
}

/// Where the kept part of a line ends, and whether the next line belongs to it: an escape character
/// not preceded by another one, with nothing but spaces and tabs after it.
fn continuation(bytes: &[u8], line: Range<usize>, escape: char) -> (usize, bool) {
    let body = &bytes[line.clone()];
    let is_escape = |b: &u8| char::from(*b) == escape;
    let is_blank = |b: &u8| matches!(b, b' ' | b'\t');
    // Most lines end without either.
    if body.last().is_none_or(|b| !is_escape(b) && !is_blank(b)) {
        return (line.end, false);
    }
    let last = body.iter().rposition(|b| !is_blank(b));
    match last.map(|n| &body[..=n]) {
        Some([.., before, last]) if is_escape(last) && is_escape(before) => (line.end, false),
        Some(text @ [.., last]) if is_escape(last) => (line.start + text.len() - 1, true),
        _ => (line.end, false),
    }
}

/// Pieces of a file that is not UTF-8 as one text; a character may be put together from two of them.
fn decode(bytes: &[u8], pieces: &[Range<usize>], joined: &mut Joined) {
    let mut all = Vec::new();
    // Offset in `all`, offset in the file.
    let mut starts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        starts.push((all.len(), piece.start));
        all.extend_from_slice(&bytes[piece.clone()]);
    }
    if all.is_empty() {
        // An instruction of nothing (a lone escape character) still has a place.
        joined.push("", starts.first().map_or(0, |p| p.1), 0);
    }
    let mut piece = 0;
    let mut at = 0;
    for chunk in all.utf8_chunks() {
        let (mut valid, invalid) = (chunk.valid(), chunk.invalid());
        // Cut where the file offsets jump. A character that straddles a jump goes with its first byte.
        while !valid.is_empty() {
            while starts.get(piece + 1).is_some_and(|p| p.0 <= at) {
                piece += 1;
            }
            let file = starts[piece].1 + (at - starts[piece].0);
            let mut cut = starts
                .get(piece + 1)
                .map_or(valid.len(), |p| valid.len().min(p.0 - at));
            while !valid.is_char_boundary(cut) {
                cut += 1;
            }
            joined.push(&valid[..cut], file, cut);
            valid = &valid[cut..];
            at += cut;
        }
        if !invalid.is_empty() {
            while starts.get(piece + 1).is_some_and(|p| p.0 <= at) {
                piece += 1;
            }
            let file = starts[piece].1 + (at - starts[piece].0);
            joined.push("\u{fffd}", file, invalid.len());
            at += invalid.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], escape: char) -> (Joined, Range<usize>, u32) {
        let mut lines = Lines::new(bytes);
        let mut joined = Joined::for_file(std::str::from_utf8(bytes).ok());
        let first = lines.next().unwrap();
        let at = first.kind(bytes).0;
        let line = logical((first, at), &mut lines, escape, &mut joined);
        (joined, line, lines.taken)
    }

    fn join(bytes: &[u8], escape: char) -> (String, u32) {
        let (joined, line, taken) = read(bytes, escape);
        (joined.text()[line].to_owned(), taken)
    }

    proptest::proptest! {
        #[test]
        fn every_line_feed_has_its_bit(bytes: [u8; 8], feeds_at: u64) {
            let block: [u8; BLOCK] = std::array::from_fn(|n| match feeds_at >> n & 1 {
                1 => b'\n',
                _ => bytes[n % 8] | u8::from(bytes[n % 8] == b'\n'),
            });
            proptest::prop_assert_eq!(feeds(block), feeds_at);
        }
    }

    #[test]
    fn continuations() {
        let rows: [(&[u8], &str, u32); 14] = [
            (b"RUN a && \\\n  b\nX", "RUN a &&   b", 2),
            (b"RUN foo\\\nbar", "RUN foobar", 2),
            (b"RUN a \\ \t\nb", "RUN a b", 2),
            (b"RUN a \\\\\nb", "RUN a \\\\", 1),
            (b"RUN a \\\\\\\nb", "RUN a \\\\\\", 1),
            (b"RUN a \\\n# c \\\n\n  \nb\nc", "RUN a b", 5),
            (b"RUN a \\\n", "RUN a", 1),
            (b"\\\nRUN a", "RUN a", 2),
            (b"\\\n  RUN a", "RUN a", 2),
            (b"\\\n", "", 1),
            (b"  RUN a  \r\n", "RUN a", 1),
            (b"RUN a \\\r\nb", "RUN a b", 2),
            (b"RUN a\\\n  \\\n b", "RUN a   b", 3),
            (b"\xc2\xa0RUN \xff\\\n\xfe", "RUN \u{fffd}\u{fffd}", 2),
        ];
        for (input, text, next) in rows {
            assert_eq!(join(input, '\\'), (text.to_owned(), next), "{input:?}");
        }
        assert_eq!(join(b"RUN a \\\nb", '`').0, "RUN a \\");
        assert_eq!(join(b"RUN a `\nb", '`').0, "RUN a b");
    }

    #[test]
    fn text_maps_back_to_the_file() {
        let bytes = b"RUN a\xff \\\n# c\n  b\xc3\\\n\xa9c\n";
        let (joined, line, _) = read(bytes, '\\');
        let text = &joined.text()[line];
        // The halves of the last character meet only after joining; it counts as the first half's.
        assert_eq!(text, "RUN a\u{fffd}   bé\u{63}");
        let find = |t: &str| {
            let at = text.find(t).unwrap();
            joined.span(at..at + t.len()).range()
        };
        assert_eq!(&bytes[find("RUN")], b"RUN");
        assert_eq!(&bytes[find("\u{fffd}")], b"\xff");
        assert_eq!(&bytes[find("b")], b"b");
        assert_eq!(&bytes[find("c")], b"c");
        assert_eq!(&bytes[find("a\u{fffd}   b")], b"a\xff \\\n# c\n  b");
    }
}
