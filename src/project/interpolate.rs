//! Variables in compose files, and the `.env` files that give them values.
//!
//! Goes in: a text with `$NAME`, `${NAME:-default}` and the like, and values. Comes out: the text.
//! The process environment is never read: the same files give the same targets everywhere. Cost:
//! linear in text and values; nesting and the result's size are bounded.

use std::collections::{BTreeMap, BTreeSet};

/// More levels of `${A:-${B:-…}}` than this are refused.
const MAX_NESTING: usize = 16;

/// Longer results than this, in bytes, are refused.
const MAX_RESULT: usize = 1 << 20;

/// Values by name.
pub(super) type Environment = BTreeMap<String, String>;

/// Replaces variables. One that has no value and no default is empty, as for the compose command,
/// and its name is added to `unset`.
///
/// # Errors
/// Why the text means nothing: a required variable without value, or a broken form.
pub(super) fn interpolate(
    text: &str,
    environment: &Environment,
    unset: &mut BTreeSet<String>,
) -> Result<String, String> {
    expand(text, environment, unset, 0)
}

fn expand(
    text: &str,
    environment: &Environment,
    unset: &mut BTreeSet<String>,
    depth: usize,
) -> Result<String, String> {
    if depth > MAX_NESTING {
        return Err("variables nested too deeply".to_owned());
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inner) = after.strip_prefix('{') {
            let end = closing(inner).ok_or_else(|| format!("{text:?}, which is not closed"))?;
            out.push_str(&braced(&inner[..end], environment, unset, depth)?);
            rest = &inner[end + 1..];
        } else {
            let name = name(after);
            match (name, environment.get(name)) {
                ("", _) => out.push('$'),
                (_, Some(value)) => out.push_str(value),
                (name, None) => drop(unset.insert(name.to_owned())),
            }
            rest = &after[name.len()..];
        }
        if out.len() > MAX_RESULT {
            return Err("values that are too large".to_owned());
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn braced(
    inner: &str,
    environment: &Environment,
    unset: &mut BTreeSet<String>,
    depth: usize,
) -> Result<String, String> {
    let name = name(inner);
    let operator = &inner[name.len()..];
    if name.is_empty() {
        return Err(format!("${{{inner}}}, which is not understood"));
    }
    let value = environment.get(name);
    let (filled, operator) = match operator.strip_prefix(':') {
        // With a colon an empty value counts as none.
        Some(operator) => (value.filter(|value| !value.is_empty()), operator),
        None => (value, operator),
    };
    let word = operator.get(1..).unwrap_or_default();
    match (operator.chars().next(), filled) {
        (None, _) if inner == name => {
            if value.is_none() {
                unset.insert(name.to_owned());
            }
            Ok(value.cloned().unwrap_or_default())
        }
        (Some('-' | '?'), Some(value)) => Ok(value.clone()),
        (Some('-'), None) => expand(word, environment, unset, depth + 1),
        (Some('?'), None) => Err(format!("{name}, which must be set")),
        (Some('+'), Some(_)) => expand(word, environment, unset, depth + 1),
        (Some('+'), None) => Ok(String::new()),
        _ => Err(format!("${{{inner}}}, which is not understood")),
    }
}

fn name(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    match text.starts_with(|c: char| c.is_ascii_digit()) {
        true => "",
        false => &text[..end],
    }
}

/// Where the brace that was opened before the text closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if at > 0 && text.as_bytes()[at - 1] == b'$' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Reads a `.env` file: `NAME=value` lines, comments, `export`, quotes; values may use earlier names.
/// Names that are set already keep their value. Lines that are not understood are passed over.
pub(super) fn read_env(text: &str, environment: &mut Environment) {
    let mut known = environment.clone();
    // Values can double from line to line, so what they add up to is bounded.
    let mut left = 4 * MAX_RESULT;
    let mut rest = text.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let (line, next) = rest.split_once('\n').unwrap_or((rest, ""));
        let line_text = line.strip_prefix("export ").unwrap_or(line);
        let name = line_text.split(['=', ':']).next().unwrap_or_default();
        if line.starts_with('#') || name.len() == line_text.len() {
            rest = next;
            continue;
        }
        let skipped = line.len() - line_text.len() + name.len() + 1;
        let after = rest[skipped..].trim_start_matches([' ', '\t']);
        let (value, next) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => quoted(&after[1..], quote).unwrap_or(("".into(), next)),
            _ => {
                let (value, next) = after.split_once('\n').unwrap_or((after, ""));
                let value = value.split(" #").next().unwrap_or_default();
                (value.trim_end().to_owned(), next)
            }
        };
        let value = match after.starts_with('\'') {
            true => Ok(value),
            false if value.contains('$') => expand(&value, &known, &mut BTreeSet::new(), 0),
            false => Ok(value),
        };
        let name = name.trim();
        if let Ok(value) = value
            && !name.is_empty()
            && !environment.contains_key(name)
        {
            let Some(rest) = left.checked_sub(name.len() + value.len()) else {
                break;
            };
            left = rest;
            known.insert(name.to_owned(), value);
        }
        rest = next;
    }
    *environment = known;
}

/// The text up to the closing quote, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            c if c == quote && !escaped => return Some((out, &text[at + c.len_utf8()..])),
            'n' if escaped && quote == '"' => out.push('\n'),
            't' if escaped && quote == '"' => out.push('\t'),
            '\\' if quote == '"' => out.push('\\'),
            '$' if escaped && quote == '"' => out.push_str("$$"),
            c if c == quote => out.push(c),
            c => {
                if escaped {
                    out.push('\\');
                }
                out.push(c);
            }
        }
        escaped = false;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Environment, interpolate, read_env};
    use std::collections::BTreeSet;

    fn environment() -> Environment {
        let pairs = [("SET", "v"), ("EMPTY", "")];
        pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn values_and_defaults() {
        let table = [
            ("plain", Some("plain"), ""),
            ("${A:-x}", Some("x"), ""),
            ("${A-x}y", Some("xy"), ""),
            ("${A:-}", Some(""), ""),
            ("${A:-${B:-c}}/d", Some("c/d"), ""),
            ("$$A $${A}", Some("$A ${A}"), ""),
            ("${A:+x}y", Some("y"), ""),
            ("${SET:+x}y", Some("xy"), ""),
            ("${EMPTY:+x}${EMPTY+z}", Some("z"), ""),
            ("${EMPTY:-x}${EMPTY-z}", Some("x"), ""),
            ("$SET-${SET}", Some("v-v"), ""),
            ("100$", Some("100$"), ""),
            ("$ 5", Some("$ 5"), ""),
            ("a$B.c", Some("a.c"), "B"),
            ("${A}", Some(""), "A"),
            ("${A:-${B}}", Some(""), "B"),
            ("${SET:?needed}", Some("v"), ""),
            ("${A:?needed}", None, ""),
            ("${A", None, ""),
            ("${}", None, ""),
            ("é${A:-ü}", Some("éü"), ""),
            ("${é}", None, ""),
            ("${A:é}", None, ""),
        ];
        for (text, expected, missing) in table {
            let mut unset = BTreeSet::new();
            let value = interpolate(text, &environment(), &mut unset);
            assert_eq!(value.ok().as_deref(), expected, "{text}");
            assert_eq!(Vec::from_iter(unset).join(","), missing, "{text}");
        }
    }

    #[test]
    fn deep_nesting_ends() {
        let deep = "${A:-".repeat(10_000) + &"}".repeat(10_000);
        assert!(interpolate(&deep, &environment(), &mut BTreeSet::new()).is_err());
    }

    #[test]
    fn env_files() {
        let mut read = environment();
        let text = "# c\nexport A=1\nB = two # x\nC='$A'\nD=\"$A \\\"q\\\"\"\nSET=other\nE=${B}\nbad line\n\nF=a#b\n";
        read_env(text, &mut read);
        let shown: Vec<String> = read.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let expected = [
            "A=1",
            "B=two",
            "C=$A",
            "D=1 \"q\"",
            "E=two",
            "EMPTY=",
            "F=a#b",
            "SET=v",
        ];
        assert_eq!(shown, expected);
    }
}
