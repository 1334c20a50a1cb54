//! Targets of a bake file, as far as rules ask for them: tags and labels.
//!
//! Goes in: the text of a `docker-bake.hcl`. Comes out: its targets. Costs one parse of bounded depth. Invariant: what can't be read is nothing.

use super::facts::Item;
use crate::source::Span;
use hcl::edit::Span as _;
use hcl::edit::expr::Expression;

/// A target block.
pub struct Target {
    /// None where they are not a plain list of texts.
    pub tags: Option<Vec<Item>>,
    pub labelled: bool,
}

/// Brackets open at once that the parser is trusted with.
const MAX_OPEN: usize = 16;

/// The targets of a file.
pub fn targets(text: &str) -> Vec<Target> {
    let mut open = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN {
            return Vec::new();
        }
    }
    let Ok(body) = hcl::edit::parser::parse_body(text) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for block in body.blocks().filter(|b| b.ident.as_str() == "target") {
        let value = |key: &str| {
            block
                .body
                .attributes()
                .find(|a| a.key.as_str() == key)
                .map(|a| &a.value)
        };
        out.push(Target {
            tags: value("tags").and_then(texts),
            labelled: value("labels").is_some()
                || value("annotations").is_some()
                || value("inherits").is_some(),
        });
    }
    out
}

fn texts(list: &Expression) -> Option<Vec<Item>> {
    let one = |e: &Expression| {
        let text = e.as_str()?;
        let range = e.span()?;
        Some(Item {
            text: text.to_owned(),
            value: text.to_owned(),
            span: Span::new(range.start, range.end),
        })
    };
    list.as_array()?.iter().map(one).collect()
}
