//! The regular expression behind an ignore pattern: from the builder's dialect (Go's `regexp`)
//! to ours.
//!
//! Goes in: an ignore pattern that holds `*`, `?`, `[` or `\`. Comes out: the text of an anchored
//! expression for the `regex` crate. Costs one pass. Invariant: what the builder's compiler
//! refuses is refused here. The builder replaces `*` and `?` inside brackets too and leaves
//! letters behind `\` to its regular expressions (`\d` is a digit), so the translation first
//! writes what the builder would compile and then reads that in the builder's dialect.

use super::PatternError;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::vec::IntoIter;

/// Character names of classes in brackets that both dialects share.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

type Chars = Peekable<IntoIter<char>>;

/// The expression for a pattern, anchored at both ends unless the pattern says otherwise.
///
/// # Errors
/// [`PatternError::Syntax`] where the builder's compiler fails, [`PatternError::Unsupported`] for
/// Unicode classes.
pub(super) fn to_regex(pattern: &str) -> Result<String, PatternError> {
    let mut chars = builder_regex(pattern).into_iter().peekable();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        match c {
            // Operators: all others are behind a backslash by now.
            '^' | '$' | '(' | ')' | '.' | '*' | '?' => out.push(c),
            '[' => class(&mut chars, &mut out)?,
            '\\' => match chars.next().ok_or(PatternError::Syntax)? {
                'A' => out.push('^'),
                'z' => out.push('$'),
                'b' => out.push_str(r"(?-u:\b)"),
                'B' => out.push_str(r"(?-u:\B)"),
                'Q' => quoted(&mut chars, &mut out),
                c => match perl_class(c, &mut chars)? {
                    Some(class) => out.push_str(class),
                    None => literal(&mut out, escaped(c, &mut chars)?),
                },
            },
            _ => literal(&mut out, c),
        }
    }
    Ok(out)
}

/// What the builder compiles. Its scanner drops a byte order mark at the start.
fn builder_regex(pattern: &str) -> Vec<char> {
    let mut out = vec!['^'];
    let pattern = pattern.strip_prefix('\u{feff}').unwrap_or(pattern);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                let _ = chars.next_if_eq(&'/');
                let any_depth = if chars.peek().is_none() {
                    ".*"
                } else {
                    "(.*/)?"
                };
                out.extend(any_depth.chars());
            }
            '*' => out.extend("[^/]*".chars()),
            '?' => out.extend("[^/]".chars()),
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => out.extend(['\\', c]),
            '\\' => {
                out.push('\\');
                out.extend(chars.next());
            }
            _ => out.push(c),
        }
    }
    out.push('$');
    out
}

/// Everything up to `\E`, or to the end, is literal: the closing anchor as well.
fn quoted(chars: &mut Chars, out: &mut String) {
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next_if_eq(&'E').is_some() {
            return;
        }
        literal(out, c);
    }
}

/// The rest of a class behind its `[`.
fn class(chars: &mut Chars, out: &mut String) -> Result<(), PatternError> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        let c = chars.next().ok_or(PatternError::Syntax)?;
        if c == ']' && !first {
            out.push(']');
            return Ok(());
        }
        first = false;
        if c == '[' && chars.peek() == Some(&':') && posix_class(chars, out)? {
            continue;
        }
        let low = if c == '\\' {
            let c = chars.next().ok_or(PatternError::Syntax)?;
            if let Some(class) = perl_class(c, chars)? {
                out.push_str(class);
                continue;
            }
            escaped(c, chars)?
        } else {
            c
        };
        literal(out, low);
        let mut ahead = chars.clone();
        if ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') {
            chars.next();
            let high = match chars.next().ok_or(PatternError::Syntax)? {
                '\\' => {
                    let c = chars.next().ok_or(PatternError::Syntax)?;
                    escaped(c, chars)?
                }
                c => c,
            };
            if high < low {
                return Err(PatternError::Syntax);
            }
            out.push('-');
            literal(out, high);
        }
    }
}

/// `[:name:]`, when there is a `:]` further on; without one the bracket is a plain member.
fn posix_class(chars: &mut Chars, out: &mut String) -> Result<bool, PatternError> {
    let rest: String = chars.clone().skip(1).collect();
    let Some((name, _)) = rest.split_once(":]") else {
        return Ok(false);
    };
    if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(PatternError::Syntax);
    }
    let _ = write!(out, "[:{name}:]");
    chars.by_ref().take(name.chars().count() + 3).for_each(drop);
    Ok(true)
}

/// `\d` and its kin, which know ASCII only. Unicode classes need tables that we do not carry.
fn perl_class(c: char, chars: &mut Chars) -> Result<Option<&'static str>, PatternError> {
    Ok(Some(match c {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        'p' | 'P' => {
            return Err(match chars.peek() {
                Some('C' | 'L' | 'M' | 'N' | 'P' | 'S' | 'Z') => PatternError::Unsupported,
                _ => PatternError::Syntax,
            });
        }
        _ => return Ok(None),
    }))
}

/// The character that `\c…` stands for.
fn escaped(c: char, chars: &mut Chars) -> Result<char, PatternError> {
    let octal = |c: &char| ('0'..='7').contains(c);
    let mut code = match c {
        'a' => 7,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        '0' => 0,
        // One digit alone is a back reference, which the builder's expressions do not have.
        '1'..='7' if chars.peek().is_some_and(octal) => u32::from(c) - u32::from('0'),
        'x' => {
            let mut hex = || chars.next().and_then(|c| c.to_digit(16));
            let (high, low) = (hex(), hex());
            high.zip(low)
                .map(|(h, l)| h * 16 + l)
                .ok_or(PatternError::Syntax)?
        }
        c if c.is_ascii_punctuation() || c.is_ascii_control() || c == ' ' => return Ok(c),
        _ => return Err(PatternError::Syntax),
    };
    if c.is_ascii_digit() {
        for _ in 0..2 {
            let Some(digit) = chars.next_if(octal) else {
                break;
            };
            code = code * 8 + (u32::from(digit) - u32::from('0'));
        }
    }
    char::from_u32(code).ok_or(PatternError::Syntax)
}

/// A character that is nothing but itself, in and outside of brackets.
fn literal(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || c == '/' {
        out.push(c);
    } else {
        let _ = write!(out, "\\x{{{:X}}}", u32::from(c));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_those_of_the_builder() {
        for (pattern, want) in [
            ("*.c", Ok(r"^[^/]*\x{2E}c$")),
            ("a/**/z", Ok("^a/(.*/)?z$")),
            ("**/a/**", Ok("^(.*/)?a/.*$")),
            ("[a-c]?", Ok("^[a-c][^/]$")),
            ("[!a]", Ok(r"^[\x{21}a]$")),
            (r"\*", Ok(r"^\x{2A}$")),
            // Replaced inside brackets too, so this is a class, a star and a bracket.
            ("x[*]", Ok(r"^x[\x{5B}\x{5E}/]*\x{5D}$")),
            ("[[:alpha:]]", Ok("^[[:alpha:]]$")),
            (r"x\d", Ok("^x[0-9]$")),
            (r"\x41\101\n", Ok(r"^AA\x{A}$")),
            (r"a\Qb*", Ok(r"^ab\x{5B}\x{5E}/\x{5D}\x{2A}\x{24}")),
            (r"x\q", Err(PatternError::Syntax)),
            (r"x\1", Err(PatternError::Syntax)),
            (r"x\é", Err(PatternError::Syntax)),
            (r"x\x{41}", Err(PatternError::Syntax)),
            ("[b-a]", Err(PatternError::Syntax)),
            ("[[:foo:]]", Err(PatternError::Syntax)),
            (r"\pL", Err(PatternError::Unsupported)),
        ] {
            assert_eq!(to_regex(pattern).as_deref(), want.as_deref(), "{pattern:?}");
        }
    }
}
