//! Tables of bake files: `csvdecode`.
//!
//! Goes in: a text with a header line. Comes out: one object a line; none where bake refuses the text.
//! Cost: linear in the text and in what comes out of it, which is bounded. The rules are those of Go's
//! `encoding/csv`, and were tried with buildx 0.29.

use super::evaluate::Value;
use std::collections::BTreeMap;

/// The rows of a table, as long as they take at most `limit` bytes.
pub(super) fn decode(text: &str, limit: usize) -> Option<Vec<Value>> {
    let mut rows = records(text)?.into_iter();
    let header = rows.next()?;
    let mut names = header.clone();
    names.sort();
    names.dedup();
    if names.len() < header.len() {
        return None;
    }
    let head: usize = header.iter().map(|name| name.len() + 48).sum();
    let mut out = Vec::new();
    for row in rows {
        if row.len() != header.len() || head.saturating_mul(out.len() + 1) > limit {
            return None;
        }
        let cells = header.iter().cloned().zip(row.into_iter().map(Value::Text));
        out.push(Value::Object(cells.collect::<BTreeMap<_, _>>()));
    }
    Some(out)
}

/// Lines as fields; empty lines are none.
fn records(text: &str) -> Option<Vec<Vec<String>>> {
    let text = text.replace("\r\n", "\n");
    // One at the very end of the text goes too.
    let mut rest = text.strip_suffix('\r').unwrap_or(&text);
    let mut out = Vec::new();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('\n') {
            rest = behind;
            continue;
        }
        let mut fields = Vec::new();
        loop {
            let (field, behind) = match rest.strip_prefix('"') {
                Some(quoted) => quoted_field(quoted)?,
                None => {
                    let end = rest.find([',', '\n']).unwrap_or(rest.len());
                    (rest[..end].to_owned(), &rest[end..])
                }
            };
            // A plain field has no quotes.
            if !rest.starts_with('"') && field.contains('"') {
                return None;
            }
            fields.push(field);
            match behind.strip_prefix(',') {
                Some(behind) => rest = behind,
                None => {
                    rest = behind.strip_prefix('\n').unwrap_or(behind);
                    break;
                }
            }
        }
        out.push(fields);
    }
    Some(out)
}

/// A field up to its closing quote, two of which are one, and what is behind: a comma or an end.
fn quoted_field(mut text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    loop {
        let (part, behind) = text.split_once('"')?;
        out.push_str(part);
        match behind.strip_prefix('"') {
            Some(behind) => {
                out.push('"');
                text = behind;
            }
            None if behind.is_empty() || behind.starts_with([',', '\n']) => {
                return Some((out, behind));
            }
            None => return None,
        }
    }
}
