//! YAML with the place of every value, under a budget.
//!
//! Goes in: text. Comes out: a tree. Cost: one parse whose depth, aliases, nodes and bytes are bounded. Invariant: what can't be read, or is too
//! large, is nothing; whoever runs the file says what is wrong with it.

use crate::source::Span;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Yaml {
    pub kind: Kind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Null,
    /// Texts, and all other scalars as text.
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Yaml,
}

impl Yaml {
    /// Empty for anything but a mapping.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Empty for anything but a list.
    pub fn items(&self) -> &[Yaml] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key == key)
    }

    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.entry(key).map(|e| &e.value)
    }

    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a key's value.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::text)
    }

    /// The text itself, or all texts of a list.
    pub fn texts(&self) -> Vec<&Yaml> {
        match &self.kind {
            Kind::Text(_) => vec![self],
            Kind::List(items) => items.iter().filter(|i| i.text().is_some()).collect(),
            _ => Vec::new(),
        }
    }
}

/// Reads a file; `None` where it is none, or too large.
pub fn parse(text: &str) -> Option<Yaml> {
    let budget = serde_saphyr::budget! {
        max_depth: 64,
        enforce_alias_anchor_ratio: false,
        max_aliases: 2_000,
        max_anchors: 2_000,
        max_nodes: 100_000,
        max_events: 300_000,
        max_total_scalar_bytes: 4 << 20,
    };
    let options =
        serde_saphyr::options! { budget: budget, with_snippet: false, strict_booleans: true };
    let tree: Spanned<Kind> = serde_saphyr::from_str_with_options(text, options).ok()?;
    Some(placed(tree))
}

fn placed(value: Spanned<Kind>) -> Yaml {
    Yaml {
        span: span(value.referenced),
        kind: value.value,
    }
}

fn span(location: Location) -> Span {
    let bytes = location.span();
    let offset = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    let start = offset(bytes.byte_offset()).unwrap_or(0);
    Span::new(start, start + offset(bytes.byte_len()).unwrap_or(0))
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(Any)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Kind>>()? {
            items.push(placed(item));
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Spanned<String>, Spanned<Kind>>()? {
            entries.push(Entry {
                key_span: span(key.referenced),
                key: key.value,
                value: placed(value),
            });
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_text() {
        let text = "a: x y\nb:\n  - one\n  - \"two\"\nc: |\n  l1\n  l2\nd: 1\n";
        let tree = parse(text).expect("YAML");
        let at = |y: &Yaml| &text[y.span.range()];
        assert_eq!(at(tree.get("a").expect("a")), "x y");
        let items = tree.get("b").expect("b").items();
        assert_eq!(at(&items[0]), "one");
        assert_eq!(at(&items[1]), "\"two\"");
        assert_eq!(&text[tree.entries()[2].key_span.range()], "c");
        let c = tree.get("c").expect("c");
        assert_eq!(c.text(), Some("l1\nl2\n"));
        assert!(
            text[c.span.start as usize..].starts_with('|') || at(c).contains("l1"),
            "{:?}",
            c.span
        );
    }

    #[test]
    fn what_is_no_yaml_is_nothing() {
        assert!(parse("a: [").is_none());
        let deep = "[".repeat(200);
        assert!(parse(&deep).is_none());
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
            d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]\n";
        assert!(parse(bomb).is_none());
    }
}
