//! The JSON array form of arguments.
//!
//! Goes in: the text after keyword and flags. Comes out: its strings, or that the text is no JSON
//! array, or that it is one of other things than strings. Costs one pass. Invariant: any mistake of
//! syntax means "not JSON", since the builder then silently reads the shell form.

/// What the text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Array {
    /// No valid JSON array; read it in the other form.
    None,
    /// An array of strings.
    Strings(Vec<String>),
    /// A valid array with a number, null, object or array in it; the builder refuses it.
    Mixed,
}

/// Reads the whole text as one array.
pub(super) fn array(text: &str) -> Array {
    let text = text.trim_start();
    let Some(inner) = text.strip_prefix('[') else {
        return Array::None;
    };
    if let Some(strings) = strings(inner) {
        return Array::Strings(strings);
    }
    match serde_json::from_str::<Vec<serde::de::IgnoredAny>>(text) {
        Ok(_) => Array::Mixed,
        Err(_) => Array::None,
    }
}

/// Strings and commas up to the closing bracket that ends the text.
fn strings(inner: &str) -> Option<Vec<String>> {
    let blank = [' ', '\t', '\r', '\n'];
    let mut out = Vec::new();
    let mut rest = inner.trim_start_matches(blank);
    if let Some(end) = rest.strip_prefix(']') {
        return end.trim_start_matches(blank).is_empty().then_some(out);
    }
    loop {
        let (value, after) = string(rest)?;
        out.push(value);
        rest = after.trim_start_matches(blank);
        if let Some(more) = rest.strip_prefix(',') {
            rest = more.trim_start_matches(blank);
        } else {
            let end = rest.strip_prefix(']')?;
            return end.trim_start_matches(blank).is_empty().then_some(out);
        }
    }
}

/// One string and the text after it. Half a surrogate pair becomes U+FFFD, as in the builder.
fn string(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut out = String::new();
    loop {
        let stop = rest.find(|c: char| c == '"' || c == '\\' || c < ' ')?;
        out.push_str(&rest[..stop]);
        let sign = rest[stop..].chars().next()?;
        rest = &rest[stop + 1..];
        match sign {
            '"' => return Some((out, rest)),
            '\\' => {
                let c = rest.chars().next()?;
                rest = &rest[c.len_utf8()..];
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

    #[test]
    fn arrays() {
        let strings = |s: &[&str]| Array::Strings(s.iter().map(|s| (*s).to_owned()).collect());
        let rows = [
            ("[]", strings(&[])),
            (" [ \"a\" , \"b\" ] ", strings(&["a", "b"])),
            (
                r#"["\u00e9\n\ud83d\ude00\ud800x\/"]"#,
                strings(&["é\n😀\u{fffd}x/"]),
            ),
            ("[\"\"]", strings(&[""])),
            ("[1]", Array::Mixed),
            ("[\"a\", null]", Array::Mixed),
            ("[[\"a\"], {}]", Array::Mixed),
            ("a", Array::None),
            ("['a']", Array::None),
            (r#"["\w"]"#, Array::None),
            (r#"["\u+123"]"#, Array::None),
            ("[\"a\"] b", Array::None),
            ("[\"a\",]", Array::None),
            ("[\"a\"", Array::None),
            ("[\"a\tb\"]", Array::None),
            ("[", Array::None),
        ];
        for (text, array) in rows {
            assert_eq!(super::array(text), array, "{text}");
        }
        assert_eq!(array(&"[".repeat(100_000)), Array::None);
        assert_eq!(
            array(&("[".repeat(50_000) + &"]".repeat(50_000))),
            Array::Mixed
        );
    }

    proptest::proptest! {
        #[test]
        fn strings_equal_serde(text in r#"\[("([a-c\\"nu0-9 ]|\\n|\\u00e9){0,6}"(, ?)?){0,3}\]?"#) {
            match serde_json::from_str::<Vec<String>>(&text) {
                Ok(v) => proptest::prop_assert_eq!(array(&text), Array::Strings(v)),
                // Only half surrogates may differ, and this text cannot write one.
                Err(_) => proptest::prop_assert!(!matches!(array(&text), Array::Strings(_))),
            }
        }
    }
}
