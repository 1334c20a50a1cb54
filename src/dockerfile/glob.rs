//! Shell patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*`, `?` and backslashes, nothing else.
//!
//! Goes in: a value and a pattern with its escapes. Comes out: the value cut or replaced. Patterns
//! become regular expressions, as in the builder, so a cut costs time linear in the value.
//! Invariant: brackets and all other signs stand for themselves; `*` and `?` match no line feed.

use regex::Regex;

/// Which of several matches to take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Shortest,
    Longest,
}

/// Why nothing was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplaceError {
    /// A backslash protects something that needs no protection.
    Pattern,
    /// The result would be too large.
    Size,
}

/// The value without the prefix that matches; `None` for a bad pattern.
pub(super) fn trim_prefix(value: &str, pattern: &str, extent: Extent) -> Option<String> {
    let parts = parts(pattern)?;
    let regex = compile(parts.iter(), extent, "^")?;
    let end = regex.find(value).map_or(0, |m| m.end());
    Some(value[end..].to_owned())
}

/// The value without the suffix that matches; `None` for a bad pattern.
pub(super) fn trim_suffix(value: &str, pattern: &str, extent: Extent) -> Option<String> {
    // A suffix is the prefix of the mirrored value.
    let parts = parts(pattern)?;
    let regex = compile(parts.iter().rev(), extent, "^")?;
    let mirrored: String = value.chars().rev().collect();
    let end = regex.find(&mirrored).map_or(0, |m| m.end());
    Some(value[..value.len() - end].to_owned())
}

/// The value with its first match replaced by exactly `replacement`.
pub(super) fn replace_first(
    value: &str,
    pattern: &str,
    replacement: &str,
) -> Result<String, ReplaceError> {
    let regex = anywhere(pattern)?;
    Ok(regex
        .replace(value, regex::NoExpand(replacement))
        .into_owned())
}

/// The value with every match replaced. `$0` in the replacement stands for the match and other
/// `$name`s for nothing: the builder hands the text to its regular expression library.
pub(super) fn replace_all(
    value: &str,
    pattern: &str,
    replacement: &str,
    limit: usize,
) -> Result<String, ReplaceError> {
    let regex = anywhere(pattern)?;
    let pieces = template(replacement);
    let fixed: usize = pieces.iter().map(String::len).sum();
    let mut out = String::new();
    let mut end = 0;
    for found in regex.find_iter(value) {
        out.push_str(&value[end..found.start()]);
        // One match alone must not blow the limit either.
        let size = fixed + (pieces.len() - 1) * found.len();
        if out.len().saturating_add(size) > limit {
            return Err(ReplaceError::Size);
        }
        for (n, piece) in pieces.iter().enumerate() {
            if n > 0 {
                out.push_str(found.as_str());
            }
            out.push_str(piece);
        }
        end = found.end();
    }
    out.push_str(&value[end..]);
    Ok(out)
}

/// The stretches of a replacement between places that stand for the match. The library's own reading
/// asks for groups at every match, and looks for the end of every `${` through the whole text.
fn template(replacement: &str) -> Vec<String> {
    let last_brace = replacement.rfind('}').unwrap_or(0);
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut at = 0;
    while let Some(n) = replacement[at..].find('$') {
        let sign = at + n;
        piece.push_str(&replacement[at..sign]);
        let rest = &replacement[sign + 1..];
        let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let (name, used) = match rest.chars().next() {
            Some('$') => {
                piece.push('$');
                at = sign + 2;
                continue;
            }
            Some('{') if sign < last_brace => {
                let end = rest.find('}').unwrap_or(rest.len());
                (rest.get(1..end).unwrap_or_default(), end + 1)
            }
            _ => {
                let end = rest.find(ends).unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        at = sign + 1 + used;
        if used == 0 {
            piece.push('$');
        } else if name.parse() == Ok(0_usize) {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    piece.push_str(&replacement[at..]);
    pieces.push(piece);
    pieces
}

fn anywhere(pattern: &str) -> Result<Regex, ReplaceError> {
    parts(pattern)
        .and_then(|p| compile(p.iter(), Extent::Longest, ""))
        .ok_or(ReplaceError::Pattern)
}

enum Part {
    Run,
    One,
    Literal(char),
}

fn parts(pattern: &str) -> Option<Vec<Part>> {
    let mut out = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        out.push(match c {
            // `**` says no more than `*`.
            '*' if matches!(out.last(), Some(Part::Run)) => continue,
            '*' => Part::Run,
            '?' => Part::One,
            '\\' => match rest.next()? {
                c @ ('*' | '?' | '\\' | '}' | '/') => Part::Literal(c),
                _ => return None,
            },
            c => Part::Literal(c),
        });
    }
    Some(out)
}

/// `None` when the expression exceeds the library's size limit.
fn compile<'a>(
    parts: impl Iterator<Item = &'a Part>,
    extent: Extent,
    anchor: &str,
) -> Option<Regex> {
    let mut text = anchor.to_owned();
    for part in parts {
        match (part, extent) {
            (Part::Run, Extent::Longest) => text.push_str("[^\n]*"),
            (Part::Run, Extent::Shortest) => text.push_str("[^\n]*?"),
            (Part::One, _) => text.push_str("[^\n]"),
            (Part::Literal(c), _) => {
                text.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
            }
        }
    }
    Regex::new(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the pattern matches the whole text, the slow and obvious way.
    fn matches(parts: &[Part], text: &[char]) -> bool {
        match (parts.first(), text.first()) {
            (None, t) => t.is_none(),
            (Some(Part::Run), t) => {
                matches(&parts[1..], text)
                    || t.is_some_and(|c| *c != '\n' && matches(parts, &text[1..]))
            }
            (Some(Part::One), Some(c)) => *c != '\n' && matches(&parts[1..], &text[1..]),
            (Some(Part::Literal(p)), Some(c)) => p == c && matches(&parts[1..], &text[1..]),
            (Some(_), None) => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn cuts_equal_brute_force(value in "[ab\n.]{0,7}", pattern in "[ab*?.]{0,5}") {
            let tokens = parts(&pattern).unwrap();
            let chars: Vec<char> = value.chars().collect();
            let fits: Vec<usize> = (0..=chars.len()).filter(|n| matches(&tokens, &chars[..*n])).collect();
            let head = |n: Option<&usize>| chars[*n.unwrap_or(&0)..].iter().collect::<String>();
            proptest::prop_assert_eq!(trim_prefix(&value, &pattern, Extent::Shortest).unwrap(), head(fits.first()));
            proptest::prop_assert_eq!(trim_prefix(&value, &pattern, Extent::Longest).unwrap(), head(fits.last()));
            let fits: Vec<usize> = (0..=chars.len()).filter(|n| matches(&tokens, &chars[*n..])).collect();
            let tail = |n: Option<&usize>| chars[..*n.unwrap_or(&chars.len())].iter().collect::<String>();
            proptest::prop_assert_eq!(trim_suffix(&value, &pattern, Extent::Shortest).unwrap(), tail(fits.last()));
            proptest::prop_assert_eq!(trim_suffix(&value, &pattern, Extent::Longest).unwrap(), tail(fits.first()));
        }
    }

    proptest::proptest! {
        #[test]
        fn replacements_equal_the_librarys(value in "[ab\n$é]{0,7}", pattern in "[ab*?]{0,4}", new in "[ab$0{}1]{0,7}") {
            let regex = anywhere(&pattern).unwrap();
            let wanted = regex.replace_all(&value, new.as_str()).into_owned();
            proptest::prop_assert_eq!(replace_all(&value, &pattern, &new, 1 << 20).unwrap(), wanted);
        }
    }

    #[test]
    fn replacement_size_is_bounded() {
        assert_eq!(
            replace_all("aaaa", "a", "bbbb", 10),
            Err(ReplaceError::Size)
        );
        assert_eq!(replace_all("aa", "a", "<$0>", 100).unwrap(), "<a><a>");
    }
}
