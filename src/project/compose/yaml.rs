//! A compose file as a tree, under a budget.
//!
//! Goes in: text. Comes out: values with the places of mapping entries, merge keys and aliases
//! resolved, and the paths that `!reset` and `!override` take away from the files before. Cost: one
//! parse whose depth, aliases, nodes and bytes are bounded. Invariant: numbers are written as the
//! compose command writes them (`1.20` is `1.2`).

use crate::source::Span;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Null,
    /// Texts, and all other scalars as text.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: Node,
    /// Of the value.
    pub(super) span: Span,
}

impl Node {
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a key; none where it is null.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let value = self.entry(key).map(|entry| &entry.value);
        value.filter(|value| !matches!(value, Node::Null))
    }

    /// Empty for anything but a mapping.
    pub(super) fn entries(&self) -> &[Entry] {
        match self {
            Node::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn scalar(&self) -> Option<&str> {
        match self {
            Node::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

/// A file.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Without the entries that are tagged `!reset`.
    pub(super) node: Node,
    /// Keys from the root to what is tagged `!reset` or `!override`.
    pub(super) cleared: Vec<Vec<String>>,
}

/// Reads a file.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn parse(text: &str) -> Result<Document, (String, Span)> {
    let mut node = read(text)?;
    let mut cleared = Vec::new();
    let tags = tags(text);
    if !tags.is_empty() {
        take_out(&mut node, &tags, &mut Vec::new(), &mut cleared);
    }
    Ok(Document { node, cleared })
}

/// A `!reset` or `!override` in the text; the reader drops tags.
struct Tag {
    reset: bool,
    start: usize,
    /// Where its value starts at the latest.
    value: usize,
}

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// All tags that stand in no comment, in order. Comments and anchors may stand before their values.
fn tags(text: &str) -> Vec<Tag> {
    let mut out: Vec<Tag> = Vec::new();
    let mut waits = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let code = match line.find(" #") {
            _ if line.trim_start().starts_with('#') => "",
            Some(comment) => &line[..comment],
            None => line,
        };
        let mut place = at;
        for word in code.split(BLANK) {
            let reset = word.trim_end_matches([',', '}']) == "!reset";
            if reset || word == "!override" {
                out.push(Tag {
                    reset,
                    start: place,
                    value: text.len(),
                });
                waits = true;
            } else if waits && !word.is_empty() && !word.starts_with('&') {
                out.last_mut().into_iter().for_each(|tag| tag.value = place);
                waits = false;
            }
            place += word.len() + 1;
        }
        at += line.len();
    }
    out
}

/// Takes out what is tagged `!reset`, and notes the paths of all that is tagged.
fn take_out(node: &mut Node, tags: &[Tag], path: &mut Vec<String>, cleared: &mut Vec<Vec<String>>) {
    let Node::Map(entries) = node else { return };
    entries.retain_mut(|entry| {
        let start = entry.span.range().start;
        let before = tags.partition_point(|tag| tag.start <= start);
        let tag = tags[..before].last().filter(|tag| start <= tag.value);
        path.push(entry.key.clone());
        if tag.is_some() {
            cleared.push(path.clone());
        }
        let stays = tag.is_none_or(|tag| !tag.reset);
        if stays {
            take_out(&mut entry.value, tags, path, cleared);
        }
        path.pop();
        stays
    });
}

fn read(text: &str) -> Result<Node, (String, Span)> {
    let budget = serde_saphyr::budget! {
        max_depth: 64,
        // The files of large projects repeat a few anchors in every service.
        enforce_alias_anchor_ratio: false,
        max_aliases: 5_000,
        max_anchors: 5_000,
        max_nodes: 100_000,
        max_events: 300_000,
        max_total_scalar_bytes: 8 << 20,
    };
    let options =
        serde_saphyr::options! { budget: budget, with_snippet: false, strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().map_or(Span::default(), |at| {
            // Some errors have a line and a column only.
            match (span(at), at.line()) {
                (Span { start: 0, .. }, line) if line > 1 => place(text, line, at.column()),
                (span, _) => span,
            }
        });
        let text = error.without_snippet().to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (text, at)
    })
}

/// A line and a column, from one on, as a place in the text.
fn place(text: &str, line: u64, column: u64) -> Span {
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let line = text.get(start..).unwrap_or_default().lines().next();
    let column = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let inside = line.unwrap_or_default().chars().take(column);
    let start = start + inside.map(char::len_utf8).sum::<usize>();
    Span::new(start, start)
}

fn span(location: Location) -> Span {
    let bytes = location.span();
    let offset = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    let start = offset(bytes.byte_offset()).unwrap_or(0);
    Span::new(start, start + offset(bytes.byte_len()).unwrap_or(0))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(Any)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        // Go's `%v`: an exponent of two digits at least from 1e21 on, and below 1e-4.
        let size = value.abs();
        let text = match size != 0.0 && value.is_finite() && !(1e-4..1e21).contains(&size) {
            false => value.to_string(),
            true => {
                let text = format!("{value:e}");
                match text.split_once('e') {
                    Some((digits, power)) => match power.strip_prefix('-') {
                        Some(power) => format!("{digits}e-{power:0>2}"),
                        None => format!("{digits}e+{power:0>2}"),
                    },
                    None => text,
                }
            }
        };
        Ok(Node::Scalar(text))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Spanned<Node>>()? {
            entries.push(Entry {
                key,
                span: span(value.referenced),
                value: value.value,
            });
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_entries() {
        let rows: [(&str, &[&str], &[&str]); 9] = [
            ("a: !reset null\nb: 1\n", &["a"], &["b"]),
            ("a: !reset\nb: 1\n", &["a"], &["b"]),
            ("b: 1\na: !reset", &["a"], &["b"]),
            ("{a: !reset, b: !reset {}, c: 1}", &["a", "b"], &["c"]),
            ("a: !override\n  # no\n  x: 1\nb: 1", &["a"], &["a", "b"]),
            ("a: !override &y # !reset\n  x: 1", &["a"], &["a"]),
            ("a: # !reset\n  1", &[], &["a"]),
            ("a: \"x !reset y\"\nb: '!reset'", &[], &["a", "b"]),
            ("a:\n  - !reset x\nb: 1", &[], &["a", "b"]),
        ];
        for (text, cleared, left) in rows {
            let found = parse(text).unwrap();
            let paths: Vec<String> = found.cleared.iter().map(|p| p.join(".")).collect();
            assert_eq!(paths, cleared, "{text}");
            let keys = found.node.entries().iter().map(|e| e.key.as_str());
            assert!(keys.eq(left.iter().copied()), "{text}");
        }
    }
}
