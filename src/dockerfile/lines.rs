//! Physical lines and how they join to the one line an instruction is read from.
//!
//! Goes in: bytes. Comes out: line borders, and for one instruction its [`Logical`] line, added to the
//! [`Joined`] text of the file. Costs one pass. Invariant: physical lines tile the file but for a byte
//! order mark.

use super::text::Joined;
use std::ops::Range;

/// One physical line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// First byte; for the first line, the one after a byte order mark.
    pub(super) start: usize,
    /// One past the line feed, or the end of the file.
    pub(super) end: usize,
    /// One past the last byte that is not CR or LF at the end.
    pub(super) content: usize,
    /// The first character that is not (Unicode) white space, or `content`.
    pub(super) indented: usize,
    /// What it is when no instruction is open.
    pub(super) kind: LineKind,
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

/// All physical lines; nothing for an empty file.
pub(super) fn physical(bytes: &[u8]) -> Vec<Line> {
    // About as long as lines are; growing the list costs more than what is left over.
    let mut lines = Vec::with_capacity(bytes.len() / 24 + 1);
    let mut start = after_mark(bytes);
    let ends = memchr::memchr_iter(b'\n', bytes).map(|feed| feed + 1);
    // The last line may lack its line feed.
    let open = bytes.len() > start && !bytes.ends_with(b"\n");
    for end in ends.chain(open.then_some(bytes.len())) {
        let mut content = end;
        while content > start && matches!(bytes[content - 1], b'\r' | b'\n') {
            content -= 1;
        }
        let indented = indented(bytes, start..content);
        lines.push(Line {
            start,
            end,
            content,
            indented,
            kind: match bytes[indented..content].first() {
                None => LineKind::Blank,
                Some(b'#') => LineKind::Comment,
                Some(_) => LineKind::Text,
            },
        });
        start = end;
    }
    lines
}

/// What a line is when no instruction is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    Blank,
    Comment,
    Text,
}

/// Offset of the first character that is not (Unicode) white space.
fn indented(bytes: &[u8], line: Range<usize>) -> usize {
    let mut at = line.start;
    while at < line.end {
        let width = match bytes[at] {
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

/// One logical line and the physical lines it takes, heredocs not included.
pub(super) struct Logical {
    /// Its place in the joined text; trimmed.
    pub(super) range: Range<usize>,
    /// Index of the first line after it.
    pub(super) next: usize,
}

/// Joins the line at `first` with its continuations, to the end of `joined`. Bytes that are not UTF-8
/// become U+FFFD. `text` is the whole file if it is UTF-8.
pub(super) fn logical(
    (bytes, text): (&[u8], Option<&str>),
    lines: &[Line],
    first: usize,
    escape: char,
    joined: &mut Joined,
) -> Logical {
    let at = joined.len();
    let mut pieces = Vec::new();
    let mut next = first;
    let mut take = |start: usize, line: Line| -> bool {
        let (end, more) = continuation(bytes, start, line.content, escape);
        match text {
            // Lines begin and end between characters.
            Some(text) => joined.push(text.get(start..end).unwrap_or_default(), start, end - start),
            None => pieces.push(start..end),
        }
        more
    };
    if let Some(line) = lines.get(first).copied() {
        next += 1;
        let mut more = take(line.indented, line);
        while more && let Some(line) = lines.get(next).copied() {
            next += 1;
            if line.kind == LineKind::Text {
                more = take(line.start, line);
            }
        }
    }
    if text.is_none() {
        decode(bytes, &pieces, joined);
    }
    Logical {
        range: joined.end_line(at),
        next,
    }
}

/// Where the kept part of a line ends, and whether the next line belongs to it: an escape character
/// not preceded by another one, with nothing but spaces and tabs after it.
fn continuation(bytes: &[u8], start: usize, end: usize, escape: char) -> (usize, bool) {
    let body = &bytes[start..end];
    let trimmed = body
        .iter()
        .rposition(|b| !matches!(b, b' ' | b'\t'))
        .map_or(0, |n| n + 1);
    let is_escape = |b: Option<&u8>| b.is_some_and(|b| char::from(*b) == escape);
    let (before, last) = match trimmed.checked_sub(1) {
        Some(n) => (n.checked_sub(1).and_then(|m| body.get(m)), body.get(n)),
        None => (None, None),
    };
    if is_escape(last) && !is_escape(before) {
        (start + trimmed - 1, true)
    } else {
        (end, false)
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

    fn read(bytes: &[u8], escape: char) -> (Joined, Logical) {
        let mut joined = Joined::default();
        let text = std::str::from_utf8(bytes).ok();
        let line = logical((bytes, text), &physical(bytes), 0, escape, &mut joined);
        (joined, line)
    }

    fn join(bytes: &[u8], escape: char) -> (String, usize) {
        let (joined, line) = read(bytes, escape);
        (joined.text()[line.range].to_owned(), line.next)
    }

    #[test]
    fn continuations() {
        let rows: [(&[u8], &str, usize); 14] = [
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
        let (joined, line) = read(bytes, '\\');
        let text = &joined.text()[line.range];
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
