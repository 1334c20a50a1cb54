//! Variables in compose files, with the defaults written in the file only.
//!
//! Goes in: a text with `$NAME`, `${NAME:-default}` and the like. Comes out: the text, or the name
//! of a variable that has no default here. The environment and `.env` are not read: the same files
//! give the same targets everywhere. Cost: linear in the text; nesting is bounded.

/// More levels of `${A:-${B:-…}}` than this are taken as unknown.
const MAX_NESTING: usize = 16;

/// Replaces variables by their defaults, treating every variable as unset.
///
/// # Errors
/// The name of the first variable that has no default, or what stands in its place.
pub(super) fn interpolate(text: &str) -> Result<String, String> {
    expand(text, 0)
}

fn expand(text: &str, depth: usize) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inner) = after.strip_prefix('{') {
            let end = closing(inner).ok_or_else(|| format!("${{{inner}"))?;
            out.push_str(&braced(&inner[..end], depth)?);
            rest = &inner[end + 1..];
        } else {
            let name = name(after);
            if name.is_empty() {
                out.push('$');
                rest = after;
            } else {
                return Err(name.to_owned());
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn braced(inner: &str, depth: usize) -> Result<String, String> {
    let name = name(inner);
    let operator = &inner[name.len()..];
    let default = operator
        .strip_prefix(":-")
        .or_else(|| operator.strip_prefix('-'));
    // With the variable unset, `+` stands for nothing at all.
    let replacement = operator.starts_with(":+") || operator.starts_with('+');
    match default {
        _ if name.is_empty() => Err(format!("${{{inner}}}")),
        Some(default) if depth < MAX_NESTING => expand(default, depth + 1),
        None if replacement => Ok(String::new()),
        _ => Err(name.to_owned()),
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

#[cfg(test)]
mod tests {
    use super::interpolate;

    #[test]
    fn defaults_are_taken_and_unknown_names_reported() {
        let table = [
            ("plain", Ok("plain")),
            ("${A:-x}", Ok("x")),
            ("${A-x}y", Ok("xy")),
            ("${A:-}", Ok("")),
            ("${A:-${B:-c}}/d", Ok("c/d")),
            ("$$A $${A}", Ok("$A ${A}")),
            ("${A:+x}y", Ok("y")),
            ("100$", Ok("100$")),
            ("$ 5", Ok("$ 5")),
            ("a$B.c", Err("B")),
            ("${A}", Err("A")),
            ("${A:?needed}", Err("A")),
            ("${A:-${B}}", Err("B")),
            ("${A", Err("${A")),
            ("${}", Err("${}")),
            ("é${A:-ü}", Ok("éü")),
        ];
        for (text, expected) in table {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(interpolate(text), expected, "{text}");
        }
    }

    #[test]
    fn deep_nesting_ends() {
        let deep = "${A:-".repeat(10_000) + &"}".repeat(10_000);
        assert!(interpolate(&deep).is_err());
    }
}
