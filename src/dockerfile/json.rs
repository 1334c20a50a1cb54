//! The JSON array form of arguments.
//!
//! Goes in: the text after keyword and flags. Comes out: where its strings stand, or that the text is no JSON
//! array, or that it is one of other things than strings. Costs one pass. Invariant: any mistake of
//! syntax means "not JSON", since the builder then silently reads the shell form.

use std::ops::Range;

/// What the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Array {
    /// No valid JSON array; read it in the other form.
    None,
    /// An array of strings.
    Strings,
    /// A valid array with a number, null, object or array in it; the builder refuses it.
    Mixed,
}

/// Whether text is no array by its first byte, as nearly all is.
#[inline]
pub(super) fn is_none(text: &str) -> bool {
    let first = text.as_bytes().first();
    matches!(first, None | Some(b'!'..=b'Z' | b'\\'..=b'~'))
}

/// Reads the whole text as one array. `each` gets every string: its place between the quotes, and the
/// text without escapes where it had some. What it got is worth nothing if the answer is not
/// [`Array::Strings`].
pub(super) fn array(whole: &str, each: impl FnMut(Range<usize>, Option<String>)) -> Array {
    if is_none(whole) {
        return Array::None;
    }
    let text = whole.trim_start();
    let Some(inner) = text.strip_prefix('[') else {
        return Array::None;
    };
    if strings(inner, whole.len(), each).is_some() {
        return Array::Strings;
    }
    match serde_json::from_str::<Vec<serde::de::IgnoredAny>>(text) {
        Ok(_) => Array::Mixed,
        Err(_) => Array::None,
    }
}

/// Strings and commas up to the closing bracket that ends the text of `whole` bytes.
fn strings(
    inner: &str,
    whole: usize,
    mut each: impl FnMut(Range<usize>, Option<String>),
) -> Option<()> {
    let blank = [' ', '\t', '\r', '\n'];
    let mut rest = match inner.as_bytes().first() {
        Some(b'"') => inner,
        _ => inner.trim_start_matches(blank),
    };
    if let Some(end) = rest.strip_prefix(']') {
        return end.trim_start_matches(blank).is_empty().then_some(());
    }
    loop {
        let (cooked, after) = string(rest)?;
        let start = whole - rest.len() + 1;
        each(start..whole - after.len() - 1, cooked);
        rest = match after.as_bytes() {
            // The usual ways to go on.
            [b']'] => return Some(()),
            [b',', b'"', ..] => {
                rest = &after[1..];
                continue;
            }
            [b',', b' ', b'"', ..] => {
                rest = &after[2..];
                continue;
            }
            _ => after.trim_start_matches(blank),
        };
        if let Some(more) = rest.strip_prefix(',') {
            rest = more.trim_start_matches(blank);
        } else {
            let end = rest.strip_prefix(']')?;
            return end.trim_start_matches(blank).is_empty().then_some(());
        }
    }
}

/// One string without its escapes, if it has any, and the text after it. Half a surrogate pair becomes
/// U+FFFD, as in the builder.
fn string(text: &str) -> Option<(Option<String>, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut cooked: Option<String> = None;
    loop {
        let special = |b: u8| b == b'"' || b == b'\\' || b < b' ';
        let stop = rest.bytes().position(special)?;
        if let Some(out) = &mut cooked {
            out.push_str(&rest[..stop]);
        }
        let sign = rest.as_bytes()[stop];
        let before = &rest[..stop];
        rest = &rest[stop + 1..];
        match sign {
            b'"' => return Some((cooked, rest)),
            b'\\' => {
                let c = rest.chars().next()?;
                rest = &rest[c.len_utf8()..];
                let out = cooked.get_or_insert_with(|| before.to_owned());
                out.push(match c {
                    '"' | '\\' | '/' => c,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => {
                        let high = unit(rest)?;
                        rest = &rest[4..];
                        let low = rest.strip_prefix("\\u").and_then(unit);
                        match (high, low) {
                            (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                                rest = &rest[6..];
                                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                            }
                            _ => char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER),
                        }
                    }
                    _ => return None,
                });
            }
            _ => return None,
        }
    }
}

fn unit(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The strings of an array, or what else the text is.
    fn read(text: &str) -> Result<Vec<String>, Array> {
        let mut out = Vec::new();
        let found = array(text, |range, cooked| {
            out.push(cooked.unwrap_or_else(|| text[range].to_owned()));
        });
        match found {
            Array::Strings => Ok(out),
            other => Err(other),
        }
    }

    #[test]
    fn arrays() {
        let strings = |s: &[&str]| Ok(s.iter().map(|s| (*s).to_owned()).collect());
        let rows = [
            ("[]", strings(&[])),
            (" [ \"a\" , \"b\" ] ", strings(&["a", "b"])),
            (
                r#"["\u00e9\n\ud83d\ude00\ud800x\/"]"#,
                strings(&["é\n😀\u{fffd}x/"]),
            ),
            ("[\"\"]", strings(&[""])),
            ("\t[\t\"a\",\t\"b\"\t]\t", strings(&["a", "b"])),
            (
                r#"["abc 123", "♥", "\" \\ \/ \b \f \n \r \t \u0000"]"#,
                strings(&["abc 123", "♥", "\" \\ / \u{8} \u{c} \n \r \t \0"]),
            ),
            (r#"["a",123.456,"b"]"#, Err(Array::Mixed)),
            (r#"["a",true,"b"]"#, Err(Array::Mixed)),
            (r#"["a",{"c": "d"},"b"]"#, Err(Array::Mixed)),
            ("[1]", Err(Array::Mixed)),
            ("[\"a\", null]", Err(Array::Mixed)),
            ("[[\"a\"], {}]", Err(Array::Mixed)),
            ("a", Err(Array::None)),
            ("['a']", Err(Array::None)),
            (r#"["\w"]"#, Err(Array::None)),
            (r#"["\u+123"]"#, Err(Array::None)),
            ("[\"a\"] b", Err(Array::None)),
            ("[\"a\",]", Err(Array::None)),
            ("[\"a\"", Err(Array::None)),
            ("[\"a\tb\"]", Err(Array::None)),
            ("[", Err(Array::None)),
        ];
        for (text, array) in rows {
            assert_eq!(read(text), array, "{text}");
        }
        assert_eq!(read(&"[".repeat(100_000)), Err(Array::None));
        assert_eq!(
            read(&("[".repeat(50_000) + &"]".repeat(50_000))),
            Err(Array::Mixed)
        );
    }

    proptest::proptest! {
        #[test]
        fn strings_equal_serde(text in r#"\[("([a-c\\"nu0-9 ]|\\n|\\u00e9){0,6}"(, ?)?){0,3}\]?"#) {
            match serde_json::from_str::<Vec<String>>(&text) {
                Ok(v) => proptest::prop_assert_eq!(read(&text), Ok(v)),
                // Only half surrogates may differ, and this text cannot write one.
                Err(_) => proptest::prop_assert!(read(&text).is_err()),
            }
        }
    }
}
