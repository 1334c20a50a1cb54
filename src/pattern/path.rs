//! Paths as text: the lexical clean-up that builders apply, and a form fit for printing.
//!
//! Goes in: a path as written, or the bytes of a path on disk. Comes out: the shortest equal path,
//! or printable text. Costs one pass. Invariant: `clean` is idempotent, and nothing here looks at
//! a disk.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The shortest path that means the same without looking at a disk: `//` and `/./` collapse,
/// `a/..` disappears, a trailing `/` goes; `..` survives only at the start of a relative path, and
/// an empty path is `.`. (Same results as Go's `path.Clean`, which builders use throughout.)
#[must_use]
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// A path for people: bytes that are not UTF-8 and control characters become `\xNN`, everything
/// else stays as it is (a backslash too, so this is for reading and not for parsing back).
#[must_use]
pub fn display(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((c, width)) = next_char(rest) {
        let (bytes, tail) = rest.split_at(width);
        if c.is_control() || (c == char::REPLACEMENT_CHARACTER && width == 1) {
            for b in bytes {
                let _ = write!(out, "\\x{b:02X}");
            }
        } else {
            out.push(c);
        }
        rest = tail;
    }
    out
}

/// The folder a path lies in; empty for a top-level path.
#[must_use]
pub fn parent(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
    &path[..end]
}

/// The folders above a path, outermost first, without the path itself and without the root.
pub fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter()
        .enumerate()
        .filter(|(_, b)| **b == b'/')
        .map(|(i, _)| &path[..i])
}

/// First character and its width; a byte that starts no valid character counts as U+FFFD of width
/// one. Builders decode names so, and `?` or a class in a pattern then takes exactly that byte.
pub(super) fn next_char(bytes: &[u8]) -> Option<(char, usize)> {
    let width = match bytes.first()? {
        b if b.is_ascii() => return Some((char::from(*b), 1)),
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    };
    let valid = bytes
        .get(..width)
        .and_then(|b| std::str::from_utf8(b).ok())
        .and_then(|s| s.chars().next());
    Some(match valid {
        Some(c) if c.len_utf8() == width => (c, width),
        _ => (char::REPLACEMENT_CHARACTER, 1),
    })
}

/// The bytes as text, one U+FFFD for each byte that [`next_char`] calls invalid. (The standard
/// library replaces a truncated character by a single U+FFFD, which would shift `?`.)
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    let mut rest = bytes;
    while let Some((c, width)) = next_char(rest) {
        out.push(c);
        rest = &rest[width..];
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_table() {
        for (given, want) in [
            ("", "."),
            (".", "."),
            ("/", "/"),
            ("//", "/"),
            ("/..", "/"),
            ("/../a", "/a"),
            ("..", ".."),
            ("../..", "../.."),
            ("../a/..", ".."),
            ("a/..", "."),
            ("a/../..", ".."),
            ("./a//b/", "a/b"),
            ("a/./b/../c", "a/c"),
            ("/a/b/", "/a/b"),
            ("...", "..."),
        ] {
            assert_eq!(clean(given), want, "{given:?}");
            assert_eq!(clean(want), want, "{want:?} again");
        }
    }

    #[test]
    fn display_escapes_what_is_not_text() {
        assert_eq!(display("é/a b".as_bytes()), "é/a b");
        assert_eq!(display(b"a\xFFb\xC3"), "a\\xFFb\\xC3");
        assert_eq!(display(b"a\n\x1b[m\x7f"), "a\\x0A\\x1B[m\\x7F");
        assert_eq!(display("\u{fffd}\u{85}".as_bytes()), "\u{fffd}\\xC2\\x85");
    }

    #[test]
    fn parents_and_ancestors() {
        assert_eq!(parent(b"a"), b"");
        assert_eq!(parent(b"a/b/c"), b"a/b");
        assert_eq!(ancestors(b"a/b/c").collect::<Vec<_>>(), [&b"a"[..], b"a/b"]);
        assert_eq!(ancestors(b"a").count(), 0);
    }

    #[test]
    fn every_invalid_byte_is_one_character() {
        assert_eq!(lossy(b"\xE2\x82a"), "\u{fffd}\u{fffd}a");
        assert_eq!(lossy(b"\xF0\x9F\x98"), "\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(lossy("€".as_bytes()), "€");
    }
}
