//! The table that `docker history --no-trunc` prints.
//!
//! Goes in: text. Comes out: its rows. One match a row. Invariant: columns are told by their form, not by their place: a step of several lines
//! breaks the places.

use super::{Row, size};
use regex::Regex;
use std::sync::LazyLock;

/// IMAGE, CREATED, CREATED BY, SIZE, COMMENT, three blanks or more between.
static ROW: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let size = r"[0-9.]+(?:[kMGTP]?B)?";
    Regex::new(&format!(
        r"(?s)^\S+ {{2,}}.+?(?: {{3,}}(.*?))? {{3,}}({size})(?: {{2,}}[^\n]*)?\s*$"
    ))
    .ok()
});

/// The rows; `None` where the text is no such table.
pub(super) fn read(text: &str) -> Option<Vec<Row>> {
    let head = text.lines().find(|l| !l.trim().is_empty())?;
    let columns: Vec<&str> = head.split_whitespace().collect();
    if !columns.starts_with(&["IMAGE", "CREATED"]) || !columns.contains(&"SIZE") {
        return None;
    }
    let starts = |line: &str| {
        let first = line.split(' ').next().unwrap_or_default();
        let id = first.strip_prefix("sha256:").unwrap_or(first);
        let is_id = id.len() >= 12 && id.bytes().all(|b| b.is_ascii_hexdigit());
        (first == "<missing>" || is_id) && line[first.len()..].starts_with("  ")
    };
    let mut rows: Vec<String> = Vec::new();
    let mut lines = text.lines();
    lines.by_ref().find(|l| *l == head);
    for line in lines {
        match rows.last_mut() {
            Some(row) if !starts(line) => {
                row.push('\n');
                row.push_str(line);
            }
            _ => rows.push(line.to_owned()),
        }
    }
    let regex = ROW.as_ref()?;
    let row = |row: &String| {
        let found = regex.captures(row)?;
        let (bytes, rounded) = size(found.get(2)?.as_str())?;
        Some(Row {
            created_by: found.get(1).map_or("", |m| m.as_str()).to_owned(),
            bytes,
            rounded,
        })
    };
    Some(rows.iter().filter_map(row).collect())
}
