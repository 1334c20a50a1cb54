//! Shell globs as Go's `filepath.Match` reads them: COPY sources use them to match, ignore files
//! only to check the syntax of a pattern.
//!
//! Goes in: a pattern, then whole slash-separated paths. Comes out: match or not. Costs at most
//! path length × pattern length. Invariant: `*` and `?` never take a `/`; a class may.

use super::PatternError;
use super::path::next_char;

/// A compiled glob: pieces, each with or without a `*` in front of it.
#[derive(Clone, Debug)]
pub(super) struct Glob {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, Default)]
struct Piece {
    star: bool,
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Byte(u8),
    AnyChar,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`PatternError::Syntax`] for an open `[`, an empty or dangling range, or a trailing `\`.
    pub(super) fn new(pattern: &str) -> Result<Self, PatternError> {
        let mut pieces = vec![Piece::default()];
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            let piece = pieces.last_mut().expect("there is always a last piece");
            match c {
                // A run of stars is one star.
                '*' if piece.items.is_empty() => piece.star = true,
                '*' => pieces.push(Piece {
                    star: true,
                    items: Vec::new(),
                }),
                '?' => piece.items.push(Item::AnyChar),
                '[' => piece.items.push(class(&mut chars)?),
                '\\' => push_literal(piece, chars.next().ok_or(PatternError::Syntax)?),
                _ => push_literal(piece, c),
            }
        }
        Ok(Self { pieces })
    }

    /// Whether the whole of `name` matches. A piece behind a `*` takes the first place where it
    /// fits; there is no second try, which is the builder's behaviour too.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        let mut rest = name;
        for (i, piece) in self.pieces.iter().enumerate() {
            let last = i + 1 == self.pieces.len();
            if last && piece.star && piece.items.is_empty() {
                return !rest.contains(&b'/');
            }
            let mut at = 0;
            rest = loop {
                match take(&piece.items, &rest[at..]) {
                    Some(tail) if !last || tail.is_empty() => break tail,
                    _ if !piece.star => return false,
                    _ => {}
                }
                match rest.get(at) {
                    None | Some(b'/') => return false,
                    Some(_) => at += 1,
                }
            };
        }
        rest.is_empty()
    }
}

fn push_literal(piece: &mut Piece, c: char) {
    let mut buffer = [0; 4];
    let bytes = c.encode_utf8(&mut buffer).bytes();
    piece.items.extend(bytes.map(Item::Byte));
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Item, PatternError> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
        let low = class_member(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() {
            class_member(chars)?
        } else {
            low
        };
        ranges.push((low, high));
    }
    Ok(Item::Class { negated, ranges })
}

fn class_member(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<char, PatternError> {
    match chars.next() {
        None | Some('-' | ']') => Err(PatternError::Syntax),
        Some('\\') => chars.next().ok_or(PatternError::Syntax),
        Some(c) => Ok(c),
    }
}

/// What is left of `name` when `items` match its beginning.
fn take<'a>(items: &[Item], name: &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = name;
    for item in items {
        let width = match item {
            Item::Byte(b) if rest.first() == Some(b) => 1,
            Item::Byte(_) => return None,
            Item::AnyChar => match next_char(rest)? {
                ('/', _) => return None,
                (_, width) => width,
            },
            Item::Class { negated, ranges } => {
                let (c, width) = next_char(rest)?;
                if ranges.iter().any(|(l, h)| (*l..=*h).contains(&c)) == *negated {
                    return None;
                }
                width
            }
        };
        rest = &rest[width..];
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn match_table() {
        for (pattern, name, want) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*", "", true),
            ("*", "a/b", false),
            ("**", "a/b", false),
            ("*c", "abc", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("ab[b-d]", "abe", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[\\]a]", "]", true),
            ("[\\-x]", "-", true),
            ("a?b", "a/b", false),
            ("d[^a]b", "d/b", true),
            (".*", ".env", true),
            ("*x", "xxx", true),
            ("", "", true),
            ("", "a", false),
            ("[!a]", "!", true),
        ] {
            let glob = Glob::new(pattern).unwrap();
            assert_eq!(glob.matches(name.as_bytes()), want, "{pattern:?} {name:?}");
        }
        assert!(Glob::new("a?b").unwrap().matches(b"a\xFFb"));
        assert!(!Glob::new("a?b").unwrap().matches(b"a\xFF\xFFb"));
    }

    #[test]
    fn malformed() {
        for pattern in [
            "[", "[a", "[]a]", "[-]", "[a-]", "[x-", "[^", "[^bc", "a\\", "*[", "[\\",
        ] {
            assert!(Glob::new(pattern).is_err(), "{pattern:?}");
        }
    }
}
