//! Bake files as blocks, groups and definitions.
//!
//! Goes in: the text of one file, HCL or JSON. Comes out: what it adds to those before. Costs one parse
//! of bounded depth. Invariant: a file that cannot be read adds nothing, and says where it fails.

use super::evaluate::Function;
use super::{Bake, Block};
use crate::source::Span;
use hcl::Expression;
use hcl::edit::Span as _;
use hcl::expr::ObjectKey;
use std::collections::BTreeMap;

/// Brackets open at once; the parser goes back and forth over deeper ones for seconds (found by
/// fuzzing).
const MAX_OPEN: usize = 16;

type Problem = (String, Span);

/// Where too many brackets are open, strings and comments counted too.
fn too_deep(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN {
            return Some(at);
        }
    }
    None
}

impl Bake {
    pub(super) fn add_hcl(&mut self, file: &str, text: &str) -> Result<(), Problem> {
        if let Some(at) = too_deep(text) {
            let message = format!("more than {MAX_OPEN} brackets are open here");
            return Err((message, Span::new(at, at)));
        }
        let body = hcl::edit::parser::parse_body(text).map_err(|error| {
            let at = error.location();
            let text = format!(
                "line {}, column {}: {}",
                at.line(),
                at.column(),
                error.message()
            );
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            (text, Span::new(at.offset(), at.offset()))
        })?;
        for attribute in body.attributes() {
            let value = Expression::from(attribute.value.clone());
            let name = attribute.key.as_str().to_owned();
            self.definitions.variables.insert(name, value);
        }
        for block in body.blocks() {
            let Some(name) = block.labels.first().map(|label| label.as_str().to_owned()) else {
                continue;
            };
            let span = block
                .span()
                .map_or(Span::default(), |range| Span::new(range.start, range.end));
            let attributes = block.body.attributes().map(|attribute| {
                let value = Expression::from(attribute.value.clone());
                (attribute.key.as_str().to_owned(), value)
            });
            let attributes = attributes.collect();
            self.add(file, block.ident.as_str(), name, attributes, span);
        }
        Ok(())
    }

    pub(super) fn add_json(&mut self, file: &str, text: &str) -> Result<(), Problem> {
        let document: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            let lines = text
                .split_inclusive('\n')
                .take(error.line().saturating_sub(1));
            let start = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
            let start = start.min(text.len());
            (error.to_string(), Span::new(start, start))
        })?;
        let serde_json::Value::Object(document) = document else {
            return Err(("it is not an object".to_owned(), Span::default()));
        };
        for (keyword, blocks) in document {
            if !["variable", "function", "group", "target"].contains(&keyword.as_str()) {
                self.definitions
                    .variables
                    .insert(keyword, from_json(blocks));
                continue;
            }
            for (name, block) in members(blocks) {
                let attributes = members(block).into_iter();
                let attributes = attributes.map(|(name, value)| (name, from_json(value)));
                self.add(file, &keyword, name, attributes.collect(), Span::default());
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        file: &str,
        keyword: &str,
        name: String,
        mut attributes: BTreeMap<String, Expression>,
        span: Span,
    ) {
        match keyword {
            "variable" => {
                // Without a default a variable is empty (null where it has a type), unless an
                // earlier file gave it one. `validation` says nothing about the value.
                let empty = match attributes.contains_key("type") {
                    true => Expression::Null,
                    false => Expression::String(String::new()),
                };
                let variables = &mut self.definitions.variables;
                match attributes.remove("default") {
                    Some(default) => drop(variables.insert(name, default)),
                    None => drop(variables.entry(name).or_insert(empty)),
                }
            }
            "function" => {
                let word = |expression: &Expression| match expression {
                    Expression::Variable(name) => Some(name.to_string()),
                    Expression::String(name) => Some(name.clone()),
                    _ => None,
                };
                let parameters = match attributes.get("params") {
                    Some(Expression::Array(items)) => items.iter().filter_map(word).collect(),
                    _ => Vec::new(),
                };
                let variadic = attributes.get("variadic_params").and_then(word);
                if let Some(result) = attributes.remove("result") {
                    let function = Function {
                        parameters,
                        variadic,
                        result,
                    };
                    self.definitions.functions.insert(name, function);
                }
            }
            "group" => {
                if let Some(targets) = attributes.remove("targets") {
                    self.groups.insert(name, targets);
                }
            }
            "target" => self.blocks.push(Block {
                file: file.to_owned(),
                name,
                span,
                attributes,
            }),
            _ => {}
        }
    }
}

/// The members of an object, or of a list of objects, which JSON allows in place of blocks.
fn members(value: serde_json::Value) -> Vec<(String, serde_json::Value)> {
    match value {
        serde_json::Value::Object(object) => object.into_iter().collect(),
        serde_json::Value::Array(list) => list
            .into_iter()
            .filter_map(|item| match item {
                serde_json::Value::Object(object) => Some(object),
                _ => None,
            })
            .flatten()
            .collect(),
        _ => Vec::new(),
    }
}

/// Strings may hold templates. The JSON parser bounds the depth.
fn from_json(value: serde_json::Value) -> Expression {
    match value {
        serde_json::Value::Null => Expression::Null,
        serde_json::Value::Bool(value) => Expression::Bool(value),
        serde_json::Value::Number(number) => Expression::String(number.to_string()),
        serde_json::Value::String(text) if text.contains("${") || text.contains("%{") => {
            Expression::TemplateExpr(Box::new(text.into()))
        }
        serde_json::Value::String(text) => Expression::String(text),
        serde_json::Value::Array(list) => {
            Expression::Array(list.into_iter().map(from_json).collect())
        }
        serde_json::Value::Object(object) => Expression::Object(
            object
                .into_iter()
                .map(|(name, value)| (ObjectKey::from(name), from_json(value)))
                .collect(),
        ),
    }
}
