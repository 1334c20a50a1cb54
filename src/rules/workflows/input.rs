//! Texts of a workflow and where they stand in the file.
//!
//! Goes in: the inputs of an action, or a piece of a script. Comes out: texts with places. Costs a search from where they may start. Invariant: a
//! place is inside of the file, and empty where the text is not found.

use super::facts::Item;
use super::matrix::Values;
use super::yaml::Yaml;
use crate::source::Span;

/// The texts of an input, one a line, and without it of a list.
pub struct Input<'a> {
    pub with: &'a Yaml,
    pub text: &'a str,
    pub values: &'a Values,
}

impl Input<'_> {
    /// A text that is not empty.
    pub fn one(&self, key: &str) -> Option<&str> {
        let text = self.with.text_of(key)?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The lines of a text, or the texts of a list.
    pub fn lines(&self, key: &str) -> Vec<Item> {
        let Some(node) = self.with.get(key) else {
            return Vec::new();
        };
        let mut from = node.span.start as usize;
        let texts = node.texts().into_iter().filter_map(Yaml::text);
        let lines = texts.flat_map(str::lines).map(str::trim);
        let lines = lines.filter(|l| !l.is_empty() && !l.starts_with('#'));
        let place = |line: &str| {
            let found = self.text.get(from..).and_then(|t| t.find(line));
            let span = match found {
                Some(n) => Span::new(from + n, from + n + line.len()),
                None => node.span,
            };
            from = (span.end as usize).max(from);
            Item {
                value: self.values.with_variables(line),
                text: line.to_owned(),
                span,
            }
        };
        lines.map(place).collect()
    }
}

/// Where a piece of a script stands in the file, from a byte on: its first line, as the script may be indented there.
pub fn place(text: &str, piece: &str, from: &mut usize) -> Span {
    let found = nth(text, piece, *from, 0);
    *from = (found.end as usize).max(*from);
    found
}

/// Where an item of a call stands in the file, the call starting at a byte of it.
pub fn place_item(text: &str, script: &str, call: Span, item: Span, from: usize) -> Span {
    let piece = script.get(item.range()).unwrap_or_default();
    let before = script.get(call.start as usize..item.start as usize);
    let before = before.map_or(0, |b| b.matches(first_line(piece)).count());
    nth(text, piece, from, before)
}

fn first_line(piece: &str) -> &str {
    let line = piece.lines().next().unwrap_or_default();
    line.trim_end_matches(['\\', ' '])
}

fn nth(text: &str, piece: &str, from: usize, n: usize) -> Span {
    let line = first_line(piece);
    let found = text.get(from..).filter(|_| !line.is_empty());
    match found.and_then(|t| t.match_indices(line).nth(n)) {
        Some((at, _)) => Span::new(from + at, from + at + line.len()),
        None => Span::new(from, from),
    }
}
