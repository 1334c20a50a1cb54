//! Builds that bake files describe.
//!
//! Goes in: `docker-bake.json`, `docker-bake.hcl` and their overrides at the root, later ones over
//! earlier ones. Comes out: one build per target, by name, and notes on what was left out. Cost: one
//! parse a file and one bounded evaluation an attribute. Invariant: inheritance may be circular and
//! values may grow, but neither runs away; functions are never called.

mod evaluate;

use super::files::Files;
use super::{Build, Located, note, read_text, warning};
use crate::source::Span;
use evaluate::{Evaluator, Value};
use hcl::Expression;
use hcl::edit::Span as _;
use hcl::expr::ObjectKey;
use std::collections::{BTreeMap, BTreeSet};

/// In the order in which they are merged.
const NAMES: [&str; 4] = [
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
];

/// More targets than this are not looked at.
const MAX_TARGETS: usize = 1_000;

/// All bake files as one.
#[derive(Default)]
struct Bake {
    variables: BTreeMap<String, Expression>,
    targets: BTreeMap<String, Definition>,
    groups: Vec<Expression>,
}

/// A target as written, over all files.
#[derive(Default)]
struct Definition {
    /// The first file that defines it, and where.
    file: String,
    span: Span,
    attributes: BTreeMap<String, Expression>,
    args: BTreeMap<String, Expression>,
}

/// Every build of the bake files, with the name of the file that defines it.
pub(super) fn read(files: &dyn Files, diagnostics: &mut Vec<Located>) -> Vec<(String, Build)> {
    let mut bake = Bake::default();
    for file in NAMES.into_iter().filter(|name| files.is_file(name)) {
        let Some(text) = read_text(files, file, diagnostics) else {
            continue;
        };
        let problem = match file.ends_with(".json") {
            true => bake.add_json(file, &text),
            false => bake.add_hcl(file, &text),
        };
        if let Err((message, span)) = problem {
            let message = format!("no target is taken from {file}: {message}");
            diagnostics.push(warning(file, message, span));
        }
    }
    let mut evaluator = Evaluator::new(&bake.variables);
    let internal = internal(&bake, &mut evaluator);
    let mut builds = Vec::new();
    for (name, target) in &bake.targets {
        if internal.contains(name) {
            continue;
        }
        let mut notes = Vec::new();
        let mut say = |code, message| notes.push(note(&target.file, code, message, target.span));
        let origin = format!("{}: target {name}", target.file);
        match build(&bake, name, origin, &mut evaluator, &mut say) {
            Ok(mut build) => {
                build.span = target.span;
                builds.push((target.file.clone(), build));
            }
            Err(reason) => {
                let message = format!("{}: target {name} is left out: {reason}", target.file);
                say("project/unsupported-bake-target", message);
            }
        }
        diagnostics.extend(notes);
    }
    builds
}

/// Targets that only serve others: called `_…`, or inherited, in no group, and without a Dockerfile,
/// context or stage of their own.
fn internal(bake: &Bake, evaluator: &mut Evaluator<'_>) -> BTreeSet<String> {
    let mut inherited = BTreeSet::new();
    for target in bake.targets.values() {
        if let Some(names) = target.attributes.get("inherits") {
            inherited.extend(evaluator.texts(names).unwrap_or_default());
        }
    }
    for group in &bake.groups {
        for name in evaluator.texts(group).unwrap_or_default() {
            inherited.remove(&name);
        }
    }
    let own = ["dockerfile", "dockerfile-inline", "context", "target"];
    let serves = |(name, target): &(&String, &Definition)| {
        name.starts_with('_')
            || inherited.contains(*name) && !own.iter().any(|a| target.attributes.contains_key(*a))
    };
    let names = bake.targets.iter().filter(serves);
    names.map(|(name, _)| name.clone()).collect()
}

/// The target and what it inherits from, strongest first: itself, then its parents from the last to
/// the first, each followed by its own. Of two places of one target the stronger counts, which also
/// ends every circle.
fn lineage<'a>(
    bake: &'a Bake,
    name: &str,
    evaluator: &mut Evaluator<'_>,
) -> Result<Vec<&'a Definition>, String> {
    let mut seen = BTreeSet::new();
    let mut line = Vec::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        let Some(target) = bake.targets.get(&name) else {
            return Err(format!("it inherits from {name}, which does not exist"));
        };
        if !seen.insert(name) {
            continue;
        }
        line.push(target);
        if let Some(parents) = target.attributes.get("inherits") {
            open.extend(evaluator.texts(parents)?);
        }
    }
    Ok(line)
}

fn build(
    bake: &Bake,
    name: &str,
    origin: String,
    evaluator: &mut Evaluator<'_>,
    say: &mut dyn FnMut(&'static str, String),
) -> Result<Build, String> {
    let line = lineage(bake, name, evaluator)?;
    let attribute = |name: &str| line.iter().find_map(|target| target.attributes.get(name));
    if attribute("matrix").is_some() {
        return Err("it is a matrix of targets".to_owned());
    }
    let mut text = |name: &str| -> Result<Option<String>, String> {
        let Some(expression) = attribute(name) else {
            return Ok(None);
        };
        let value = evaluator.text(expression);
        value.map_err(|reason| format!("its {name} depends on {reason}"))
    };
    let mut build = Build {
        context: text("context")?,
        dockerfile: text("dockerfile")?,
        inline: text("dockerfile-inline")?,
        stage: text("target")?,
        ..Build::default()
    };
    let mut args: BTreeMap<&str, &Expression> = BTreeMap::new();
    for target in &line {
        if target.attributes.contains_key("args") {
            return Err("its arguments are not a plain list of names and values".to_owned());
        }
        for (name, value) in &target.args {
            args.entry(name).or_insert(value);
        }
    }
    for (name, value) in args {
        match evaluator.text(value) {
            Ok(Some(value)) => build.args.push((name.to_owned(), value)),
            Ok(None) => {}
            Err(reason) => say(
                "project/unknown-argument",
                format!("{origin}: the argument {name} is left out: it depends on {reason}"),
            ),
        }
    }
    // A platform that cannot be told is the default one.
    build.platform = attribute("platforms")
        .and_then(|platforms| evaluator.texts(platforms).ok()?.into_iter().next());
    build.origin = origin;
    Ok(build)
}

type Problem = (String, Span);

impl Bake {
    fn add_hcl(&mut self, file: &str, text: &str) -> Result<(), Problem> {
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
            // `matrix` can be written as a block as well.
            let blocks = block.body.blocks();
            let blocks = blocks.map(|inner| (inner.ident.as_str().to_owned(), Expression::Null));
            self.add(
                file,
                block.ident.as_str(),
                name,
                attributes.chain(blocks),
                span,
            )?;
        }
        Ok(())
    }

    fn add_json(&mut self, file: &str, text: &str) -> Result<(), Problem> {
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
            for (name, block) in members(blocks) {
                let attributes = members(block).into_iter();
                let attributes = attributes.map(|(name, value)| (name, from_json(value)));
                self.add(file, &keyword, name, attributes, Span::default())?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        file: &str,
        keyword: &str,
        name: String,
        attributes: impl Iterator<Item = (String, Expression)>,
        span: Span,
    ) -> Result<(), Problem> {
        match keyword {
            "variable" => {
                let mut attributes = attributes;
                let default = attributes.find(|(name, _)| name == "default");
                // Without a default a variable is empty, unless an earlier file gave it one.
                let empty = Expression::String(String::new());
                match default {
                    Some((_, default)) => drop(self.variables.insert(name, default)),
                    None => drop(self.variables.entry(name).or_insert(empty)),
                }
            }
            "group" => {
                let targets = attributes.filter(|(name, _)| name == "targets");
                self.groups.extend(targets.map(|(_, value)| value));
            }
            "target" => {
                if self.targets.len() >= MAX_TARGETS && !self.targets.contains_key(&name) {
                    return Err((format!("it has more than {MAX_TARGETS} targets"), span));
                }
                let target = self.targets.entry(name).or_insert_with(|| Definition {
                    file: file.to_owned(),
                    span,
                    ..Definition::default()
                });
                for (name, value) in attributes {
                    match (name.as_str(), value) {
                        ("args", Expression::Object(object)) => {
                            for (key, value) in object {
                                match key {
                                    ObjectKey::Identifier(name) => {
                                        target.args.insert(name.to_string(), value);
                                    }
                                    ObjectKey::Expression(Expression::String(name)) => {
                                        target.args.insert(name, value);
                                    }
                                    // Kept as an attribute, which marks the target.
                                    _ => {
                                        let mark = Expression::Null;
                                        target.attributes.insert("args".to_owned(), mark);
                                    }
                                }
                            }
                        }
                        (_, value) => drop(target.attributes.insert(name, value)),
                    }
                }
            }
            _ => {}
        }
        Ok(())
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

impl Evaluator<'_> {
    /// A text, or none where the value is null.
    fn text(&mut self, expression: &Expression) -> Result<Option<String>, String> {
        match self.value(expression)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            Value::Bool(value) => Ok(Some(value.to_string())),
            Value::List(_) => Err("a list in place of a text".to_owned()),
        }
    }

    /// A list of texts; null is the empty one.
    fn texts(&mut self, expression: &Expression) -> Result<Vec<String>, String> {
        let items = match self.value(expression)? {
            Value::Null => Vec::new(),
            Value::List(items) => items,
            _ => return Err("a text in place of a list".to_owned()),
        };
        let text = |item| match item {
            Value::Text(text) => Ok(text),
            _ => Err("a list of something else than texts".to_owned()),
        };
        items.into_iter().map(text).collect()
    }
}
