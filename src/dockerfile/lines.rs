//! Physical lines and how they join to the one line an instruction is read from.
//!
//! Goes in: bytes. Comes out: line borders, and for one instruction its [`Logical`] text with a
//! [`TextMap`] back to the file. Costs one pass. Invariant: every byte of the joined text maps to
//! the byte of the file it came from.

use crate::source::Span;
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
}

const MARK: &[u8] = b"\xef\xbb\xbf";

/// All physical lines; nothing for an empty file.
pub(super) fn physical(bytes: &[u8]) -> Vec<Line> {
    // About as long as lines are; growing the list costs more than what is left over.
    let mut lines = Vec::with_capacity(bytes.len() / 24 + 1);
    let mut at = if bytes.starts_with(MARK) {
        MARK.len()
    } else {
        0
    };
    while at < bytes.len() {
        let end = bytes[at..]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(bytes.len(), |n| at + n + 1);
        let content = bytes[at..end]
            .iter()
            .rposition(|b| !matches!(b, b'\r' | b'\n'))
            .map_or(at, |n| at + n + 1);
        lines.push(Line {
            start: at,
            end,
            content,
        });
        at = end;
    }
    lines
}

/// What a line is when no instruction is open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    Blank,
    Comment,
    Text,
}

/// Looks at the first character that is not white space.
pub(super) fn classify(bytes: &[u8], line: Line) -> LineKind {
    match bytes[indented(bytes, line)..line.content].first() {
        None => LineKind::Blank,
        Some(b'#') => LineKind::Comment,
        Some(_) => LineKind::Text,
    }
}

/// Offset of the first character of the line that is not (Unicode) white space.
pub(super) fn indented(bytes: &[u8], line: Line) -> usize {
    let mut at = line.start;
    while at < line.content {
        let width = match bytes[at] {
            b if b.is_ascii() => usize::from(char::from(b).is_whitespace()),
            _ => {
                let window = &bytes[at..line.content.min(at + 4)];
                let first = window.utf8_chunks().next().map_or("", |c| c.valid());
                first
                    .chars()
                    .next()
                    .filter(|c| c.is_whitespace())
                    .map_or(0, char::len_utf8)
            }
        };
        if width == 0 {
            break;
        }
        at += width;
    }
    at
}

/// Where each byte of a joined text stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TextMap {
    /// In order of `text`, without gaps in it.
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    text: usize,
    text_len: usize,
    file: usize,
    file_len: usize,
}

impl TextMap {
    /// The smallest span of the file that holds a range of the text; comments and line ends inside
    /// a continued line are in it when the range crosses them.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let start = self.at(range.start);
        if range.is_empty() {
            return Span::new(start, start);
        }
        let last = self.run(range.end - 1);
        let end = last.map_or(start, |r| r.file + (range.end - r.text).min(r.file_len));
        Span::new(start, end.max(start))
    }

    fn at(&self, text: usize) -> usize {
        self.run(text)
            .map_or(0, |r| r.file + (text - r.text).min(r.file_len))
    }

    /// The run that holds this byte, or the last one before it.
    fn run(&self, text: usize) -> Option<&Run> {
        let n = self.runs.partition_point(|r| r.text <= text);
        self.runs.get(n.saturating_sub(1))
    }
}

/// The text of one instruction and the lines it takes, heredocs not included.
pub(super) struct Logical {
    /// Trimmed; bytes that are not UTF-8 are U+FFFD.
    pub(super) text: String,
    pub(super) map: TextMap,
    /// Index of the first line after it.
    pub(super) next: usize,
}

/// Joins the line at `first` with its continuations.
pub(super) fn logical(bytes: &[u8], lines: &[Line], first: usize, escape: char) -> Logical {
    if let Some(one) = single(bytes, lines, first, escape) {
        return one;
    }
    let mut joined = Vec::new();
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    let mut next = first;
    let mut take = |start: usize, line: Line| -> bool {
        let (end, more) = continuation(bytes, start, line.content, escape);
        pieces.push((joined.len(), start));
        joined.extend_from_slice(&bytes[start..end]);
        more
    };
    if let Some(line) = lines.get(first).copied() {
        next += 1;
        let mut more = take(indented(bytes, line), line);
        while more && let Some(line) = lines.get(next).copied() {
            next += 1;
            if classify(bytes, line) == LineKind::Text {
                more = take(line.start, line);
            }
        }
    }
    let (text, map) = match String::from_utf8(joined) {
        Ok(text) if !text.starts_with(char::is_whitespace) && !text.is_empty() => {
            whole(text, &pieces)
        }
        Ok(text) => decode(text.as_bytes(), &pieces),
        Err(e) => decode(e.as_bytes(), &pieces),
    };
    Logical { text, map, next }
}

/// The line at `first` where it stands alone and is UTF-8, as nearly all do.
fn single(bytes: &[u8], lines: &[Line], first: usize, escape: char) -> Option<Logical> {
    let line = lines.get(first).copied()?;
    let start = indented(bytes, line);
    let (end, more) = continuation(bytes, start, line.content, escape);
    if more {
        return None;
    }
    let text = std::str::from_utf8(bytes.get(start..end)?).ok()?.trim_end();
    let run = Run {
        text: 0,
        text_len: text.len(),
        file: start,
        file_len: text.len(),
    };
    (!text.is_empty()).then(|| Logical {
        text: text.to_owned(),
        map: TextMap { runs: vec![run] },
        next: first + 1,
    })
}

/// Text that is UTF-8 as a whole and starts with no blank: it maps piece by piece.
fn whole(mut text: String, pieces: &[(usize, usize)]) -> (String, TextMap) {
    let mut runs = Vec::with_capacity(pieces.len());
    for (i, (start, file)) in pieces.iter().copied().enumerate() {
        let end = pieces.get(i + 1).map_or(text.len(), |p| p.0);
        if end > start {
            runs.push(Run {
                text: start,
                text_len: end - start,
                file,
                file_len: end - start,
            });
        }
    }
    text.truncate(text.trim_end().len());
    (text, TextMap { runs })
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

/// Bytes to trimmed text; `pieces` are (offset in `joined`, offset in the file), ascending.
fn decode(joined: &[u8], pieces: &[(usize, usize)]) -> (String, TextMap) {
    let mut text = String::with_capacity(joined.len());
    // Stretches of `joined` that became text: valid ones one to one, others one U+FFFD each.
    let mut runs = Vec::new();
    let mut piece = 0;
    let mut at = 0;
    let mut push = |text: usize, text_len: usize, at: usize, len: usize| {
        // Cut where the file offsets jump. A broken character that straddles a jump stays whole.
        let (mut text, mut at, end) = (text, at, at + len);
        while at < end {
            while pieces.get(piece + 1).is_some_and(|p| p.0 <= at) {
                piece += 1;
            }
            let file = pieces[piece].1 + (at - pieces[piece].0);
            let cut = pieces
                .get(piece + 1)
                .map_or(end, |p| if text_len == len { p.0.min(end) } else { end });
            let run_len = if text_len == len { cut - at } else { text_len };
            runs.push(Run {
                text,
                text_len: run_len,
                file,
                file_len: cut - at,
            });
            text += run_len;
            at = cut;
        }
    };
    for chunk in joined.utf8_chunks() {
        let valid = chunk.valid();
        push(text.len(), valid.len(), at, valid.len());
        text.push_str(valid);
        at += valid.len();
        let broken = chunk.invalid().len();
        if broken > 0 {
            let mark = char::REPLACEMENT_CHARACTER;
            push(text.len(), mark.len_utf8(), at, broken);
            text.push(mark);
            at += broken;
        }
    }
    if runs.is_empty() {
        // An instruction of nothing (a lone escape character) still has a place.
        runs.extend(pieces.first().map(|p| Run {
            text: 0,
            text_len: 0,
            file: p.1,
            file_len: 0,
        }));
    }
    let mut map = TextMap { runs };
    let lead = text.len() - text.trim_start().len();
    if lead > 0 {
        // Only after an escape character alone on the first line.
        map = shift(&map, lead);
        text.drain(..lead);
    }
    text.truncate(text.trim_end().len());
    (text, map)
}

fn shift(map: &TextMap, lead: usize) -> TextMap {
    let runs = map
        .runs
        .iter()
        .filter(|r| r.text + r.text_len > lead)
        .map(|r| {
            let skip = lead.saturating_sub(r.text);
            Run {
                text: r.text.saturating_sub(lead),
                text_len: r.text_len - skip,
                file: r.file + skip.min(r.file_len),
                file_len: r.file_len - skip.min(r.file_len),
            }
        })
        .collect::<Vec<_>>();
    if runs.is_empty() {
        map.clone()
    } else {
        TextMap { runs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(text: &[u8], escape: char) -> (String, usize) {
        let lines = physical(text);
        let l = logical(text, &lines, 0, escape);
        (l.text, l.next)
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
        let lines = physical(bytes);
        let l = logical(bytes, &lines, 0, '\\');
        // The halves of the last character meet only after joining; it counts as the first half's.
        assert_eq!(l.text, "RUN a\u{fffd}   bé\u{63}");
        let find = |t: &str| {
            let at = l.text.find(t).unwrap();
            l.map.span(at..at + t.len()).range()
        };
        assert_eq!(&bytes[find("RUN")], b"RUN");
        assert_eq!(&bytes[find("\u{fffd}")], b"\xff");
        assert_eq!(&bytes[find("b")], b"b");
        assert_eq!(&bytes[find("c")], b"c");
        assert_eq!(&bytes[find("a\u{fffd}   b")], b"a\xff \\\n# c\n  b");
    }
}
