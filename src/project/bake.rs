//! Builds that bake files describe.
//!
//! Goes in: `docker-bake.json`, `docker-bake.hcl` and their overrides at the root, later ones over
//! earlier ones. Comes out: one build per target, by name, and notes on what was left out. Cost: one
//! parse a file and one bounded evaluation an attribute. Invariant: inheritance may be circular and
//! values may grow, but neither runs away; a target that is not understood spoils no other one.

mod address;
mod calendar;
mod derived;
mod encoding;
mod evaluate;
mod flags;
mod functions;
mod read;
mod table;

use super::files::Files;
use super::{Build, Located, note, read_text, warning};
use crate::source::Span;
use evaluate::{Definitions, Evaluator, Layer, Scope, Value};
use flags::Flags;
use hcl::Expression;
use hcl::expr::ObjectKey;
use std::collections::{BTreeMap, BTreeSet};

/// In the order in which buildx merges them. It reads compose files before them, as bake targets;
/// here those are builds of their own.
const NAMES: [&str; 4] = [
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
];

/// More targets than this, those of matrices included, are not looked at.
const MAX_TARGETS: usize = 1_000;

/// Parents of parents end here.
const MAX_INHERITANCE: usize = 64;

/// All bake files as one.
#[derive(Default)]
struct Bake {
    definitions: Definitions,
    /// Where each target is defined first.
    places: BTreeMap<String, (String, Span)>,
    groups: BTreeMap<String, Expression>,
    blocks: Vec<Block>,
}

/// A target block as written, before its matrix.
struct Block {
    file: String,
    name: String,
    span: Span,
    attributes: BTreeMap<String, Expression>,
}

/// A target with all it inherits, or only one of its blocks.
#[derive(Clone, Debug, Default)]
struct Resolved {
    /// Those of [`TEXTS`].
    texts: BTreeMap<&'static str, Result<String, String>>,
    args: BTreeMap<String, Result<String, String>>,
    contexts: BTreeMap<String, String>,
    platforms: Option<Vec<String>>,
    flags: Flags,
    /// What makes it impossible to say what the target is.
    broken: Option<String>,
}

/// A name, and its value or what that depends on.
type Pair = (String, Result<String, String>);

const TEXTS: [&str; 6] = [
    "context",
    "dockerfile",
    "dockerfile-inline",
    "target",
    "network",
    "shm-size",
];

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
    // Built-in values of buildx (bake.md, "built-in variables"), the machine being Linux on x86-64.
    let builtin = [
        ("BAKE_CMD_CONTEXT", "."),
        ("BAKE_LOCAL_PLATFORM", "linux/amd64"),
    ];
    let builtin = builtin.map(|(name, value)| (name.to_owned(), Value::Text(value.to_owned())));
    bake.definitions.builtin = builtin.into_iter().collect();
    let left = bake.expand(diagnostics);
    let mut evaluator = Evaluator::with_budget(&bake.definitions, left);
    let members = memberships(&bake, &mut evaluator);
    let mut resolved: BTreeMap<String, Option<Resolved>> = BTreeMap::new();
    for name in bake.definitions.layers.keys() {
        resolve(&bake, name, 0, &mut evaluator, &mut resolved);
    }
    let hidden = internal(&bake, &members, &resolved, &mut evaluator);
    let mut builds = Vec::new();
    for (name, target) in &resolved {
        let (Some(target), Some((file, span))) = (target, bake.places.get(name)) else {
            continue;
        };
        if hidden.contains(name) {
            continue;
        }
        let groups = members.get(name).map(|groups| groups.join(", "));
        let origin = match groups {
            Some(groups) => format!("{file}: target {name} (group {groups})"),
            None => format!("{file}: target {name}"),
        };
        let mut say = |code, message| diagnostics.push(note(file, code, message, *span));
        match build(target, name, origin, &mut say) {
            Ok(mut build) => {
                build.span = *span;
                builds.push((file.clone(), build));
            }
            Err(reason) => {
                let message = format!("{file}: target {name} is left out: {reason}");
                say("project/unsupported-bake-target", message);
            }
        }
    }
    builds
}

/// The groups that each target belongs to, directly or through other groups.
fn memberships(bake: &Bake, evaluator: &mut Evaluator<'_>) -> BTreeMap<String, Vec<String>> {
    let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, targets) in &bake.groups {
        let targets = evaluator.texts(&Scope::new(), targets).unwrap_or_default();
        lists.insert(name, targets);
    }
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in lists.keys() {
        let mut seen = BTreeSet::new();
        let mut open = vec![(*name).to_owned()];
        while let Some(next) = open.pop() {
            if !seen.insert(next.clone()) {
                continue;
            }
            match lists.get(next.as_str()) {
                Some(targets) => open.extend(targets.iter().cloned()),
                None => members.entry(next).or_default().push((*name).to_owned()),
            }
        }
    }
    members
}

/// Targets that only serve others: called `_…`, or inherited, in no group, and without a Dockerfile,
/// context or stage of their own. One that another target links to is built with it.
fn internal(
    bake: &Bake,
    members: &BTreeMap<String, Vec<String>>,
    resolved: &BTreeMap<String, Option<Resolved>>,
    evaluator: &mut Evaluator<'_>,
) -> BTreeSet<String> {
    let layers = || bake.definitions.layers.iter();
    let mut inherited = BTreeSet::new();
    for layer in layers().flat_map(|(_, layers)| layers) {
        if let Some(names) = layer.attributes.get("inherits") {
            inherited.extend(evaluator.texts(&layer.scope, names).unwrap_or_default());
        }
    }
    let values = resolved.values().flatten();
    let links: BTreeSet<&str> = values
        .flat_map(|target| target.contexts.values())
        .filter_map(|value| value.strip_prefix("target:"))
        .collect();
    let own = ["dockerfile", "dockerfile-inline", "context", "target"];
    let serves = |(name, layers): &(&String, &Vec<Layer>)| {
        let has = |attribute: &&str| layers.iter().any(|l| l.attributes.contains_key(*attribute));
        let base = inherited.contains(*name) && !members.contains_key(*name);
        !links.contains(name.as_str()) && (name.starts_with('_') || base && !own.iter().any(has))
    };
    let names = layers().filter(serves);
    names.map(|(name, _)| name.clone()).collect()
}

/// Resolves a target into the map. A parent that is being resolved already adds nothing, which is
/// how the builder ends circles too (`target` in its `bake.go`).
fn resolve(
    bake: &Bake,
    name: &str,
    depth: usize,
    evaluator: &mut Evaluator<'_>,
    resolved: &mut BTreeMap<String, Option<Resolved>>,
) {
    if resolved.contains_key(name) {
        return;
    }
    let Some(layers) = bake.definitions.layers.get(name) else {
        return;
    };
    resolved.insert(name.to_owned(), None);
    let mut all = Resolved::default();
    let mut own = Resolved::default();
    for layer in layers {
        if let Some(parents) = layer.attributes.get("inherits") {
            match evaluator.texts(&layer.scope, parents) {
                Err(reason) => all.broken = Some(format!("its parents depend on {reason}")),
                Ok(_) if depth >= MAX_INHERITANCE => {
                    all.broken = Some("it has too many generations of parents".to_owned());
                }
                Ok(parents) => {
                    for parent in parents {
                        resolve(bake, &parent, depth + 1, evaluator, resolved);
                        match resolved.get(&parent) {
                            Some(Some(parent)) => all.merge(parent.clone()),
                            Some(None) => {}
                            None => {
                                let reason =
                                    format!("inherits from {parent}, which does not exist");
                                all.broken = Some(format!("it {reason}"));
                            }
                        }
                        let bytes = all.args.keys().chain(all.contexts.values());
                        let bytes = bytes.chain(all.flags.texts());
                        let bytes = bytes.map(String::len).sum::<usize>();
                        if let Err(reason) = evaluator.spend(bytes) {
                            all.broken = Some(format!("its parents depend on {reason}"));
                        }
                    }
                }
            }
        }
        own.merge(Resolved::of(layer, evaluator));
    }
    all.merge(own);
    resolved.insert(name.to_owned(), Some(all));
}

impl Resolved {
    /// What one block says.
    fn of(layer: &Layer, evaluator: &mut Evaluator<'_>) -> Self {
        let mut out = Self::default();
        for name in TEXTS {
            if let Some(expression) = layer.attributes.get(name) {
                match evaluator.value_in(&layer.scope, expression) {
                    Ok(Value::Null) => {}
                    Ok(value) => drop(out.texts.insert(name, evaluate::text(value))),
                    Err(reason) => drop(out.texts.insert(name, Err(reason))),
                }
            }
        }
        if let Some(args) = layer.attributes.get("args") {
            match pairs(args, &layer.scope, evaluator) {
                Ok(pairs) => out.args.extend(pairs),
                Err(reason) => out.broken = Some(format!("its args depend on {reason}")),
            }
        }
        if let Some(contexts) = layer.attributes.get("contexts") {
            match pairs(contexts, &layer.scope, evaluator) {
                Ok(pairs) => {
                    for (name, value) in pairs {
                        match value {
                            Ok(value) => drop(out.contexts.insert(name, value)),
                            Err(reason) => {
                                out.broken =
                                    Some(format!("its context {name} depends on {reason}"));
                            }
                        }
                    }
                }
                Err(reason) => out.broken = Some(format!("its contexts depend on {reason}")),
            }
        }
        if let Some(platforms) = layer.attributes.get("platforms") {
            // A platform that cannot be told is the default one.
            out.platforms = match evaluator.value_in(&layer.scope, platforms) {
                Ok(Value::List(items)) => {
                    let items = items.into_iter().map(evaluate::text);
                    items.collect::<Result<_, _>>().ok()
                }
                _ => None,
            };
        }
        match Flags::of(layer, evaluator) {
            Ok(flags) => out.flags = flags,
            Err(reason) => out.broken = Some(reason),
        }
        out
    }

    /// Per attribute the other one wins; args and contexts are merged by name.
    fn merge(&mut self, over: Self) {
        self.texts.extend(over.texts);
        self.args.extend(over.args);
        self.contexts.extend(over.contexts);
        self.platforms = over.platforms.or(self.platforms.take());
        self.flags.merge(over.flags);
        self.broken = self.broken.take().or(over.broken);
    }
}

/// Names and values of an object, each evaluated by itself where it is written out, so that one
/// unknown argument spoils no other. Null stands for no value.
fn pairs(
    expression: &Expression,
    scope: &Scope,
    evaluator: &mut Evaluator<'_>,
) -> Result<Vec<Pair>, String> {
    let mut out = Vec::new();
    if let Expression::Object(object) = expression {
        for (key, value) in object {
            let key = match key {
                ObjectKey::Identifier(name) => name.to_string(),
                ObjectKey::Expression(Expression::Variable(name)) => name.to_string(),
                ObjectKey::Expression(key) => evaluate::text(evaluator.value_in(scope, key)?)?,
                _ => return Err("a key that is not understood".to_owned()),
            };
            match evaluator.value_in(scope, value) {
                Ok(Value::Null) => {}
                Ok(value) => out.push((key, evaluate::text(value))),
                Err(reason) => out.push((key, Err(reason))),
            }
        }
        return Ok(out);
    }
    match evaluator.value_in(scope, expression)? {
        Value::Null => Ok(out),
        Value::Object(object) => {
            let set = object
                .into_iter()
                .filter(|(_, value)| *value != Value::Null);
            Ok(set
                .map(|(name, value)| (name, evaluate::text(value)))
                .collect())
        }
        _ => Err("something else than names and values".to_owned()),
    }
}

fn build(
    target: &Resolved,
    name: &str,
    origin: String,
    say: &mut dyn FnMut(&'static str, String),
) -> Result<Build, String> {
    if let Some(reason) = &target.broken {
        return Err(reason.clone());
    }
    let text = |name: &str| match target.texts.get(name) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.clone())),
        Some(Err(reason)) => Err(format!("its {name} depends on {reason}")),
    };
    let mut build = Build {
        id: format!("target:{name}"),
        context: text("context")?,
        dockerfile: text("dockerfile")?.filter(|file| !file.is_empty()),
        inline: text("dockerfile-inline")?,
        stage: text("target")?,
        ..Build::default()
    };
    for (name, value) in &target.args {
        match value {
            Ok(value) => build.args.push((name.clone(), value.clone())),
            Err(reason) if reason.ends_with(functions::VARIES) => {
                build.volatile.push(name.clone());
            }
            Err(reason) => say(
                "project/unknown-argument",
                format!("{origin}: the argument {name} is left out: it depends on {reason}"),
            ),
        }
    }
    let contexts = target
        .contexts
        .iter()
        .filter(|(_, value)| !value.is_empty());
    build.contexts = contexts
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    build.platforms = target.platforms.clone().unwrap_or_default();
    build.run = target.flags.run(text("network")?, text("shm-size")?);
    build.no_cache = target.flags.stages_without_cache();
    build.origin = origin;
    Ok(build)
}

/// All combinations of a matrix.
fn rows(matrix: BTreeMap<String, Value>) -> Result<Vec<Scope>, String> {
    let mut rows = vec![Scope::new()];
    for (name, values) in matrix {
        let Value::List(values) = values else {
            return Err("its matrix holds something else than lists".to_owned());
        };
        if rows.len().saturating_mul(values.len()) > MAX_TARGETS {
            return Err(format!("its matrix has more than {MAX_TARGETS} targets"));
        }
        let with = |row: &Scope, value: &Value| {
            let mut row = row.clone();
            row.insert(name.clone(), value.clone());
            row
        };
        rows = rows
            .iter()
            .flat_map(|row| values.iter().map(move |value| (row, value)))
            .map(|(row, value)| with(row, value))
            .collect();
    }
    Ok(rows)
}

fn is_target_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= 1024 && name.chars().all(fits)
}

impl Bake {
    /// Makes layers of the target blocks, one for each row of a matrix. What is left of the budget
    /// comes back.
    fn expand(&mut self, diagnostics: &mut Vec<Located>) -> usize {
        let mut named = Vec::new();
        let mut count = 0_usize;
        let mut evaluator = Evaluator::new(&self.definitions);
        for block in std::mem::take(&mut self.blocks) {
            let mut leave_out = |reason: String| {
                let message = format!(
                    "{}: target {} is left out: {reason}",
                    block.file, block.name
                );
                let code = "project/unsupported-bake-target";
                diagnostics.push(note(&block.file, code, message, block.span));
            };
            let names = names(&block, &mut evaluator);
            let names = match names {
                Ok(names) => names,
                Err(reason) => {
                    leave_out(reason);
                    continue;
                }
            };
            count += names.len();
            if count > MAX_TARGETS {
                leave_out(format!("there are more than {MAX_TARGETS} targets"));
                break;
            }
            named.push((block, names));
        }
        let left = evaluator.left();
        for (block, names) in named {
            let matrix = block.attributes.contains_key("matrix");
            let renamed: Vec<Expression> = names
                .iter()
                .map(|(name, _)| Expression::String(name.clone()))
                .collect();
            // A matrix can be named as the group of its targets.
            if matrix {
                let group = self.groups.entry(block.name.clone());
                group.or_insert(Expression::Array(renamed));
            }
            for (name, scope) in names {
                let place = (block.file.clone(), block.span);
                self.places.entry(name.clone()).or_insert(place);
                let attributes = block.attributes.clone();
                let layers = self.definitions.layers.entry(name).or_default();
                layers.push(Layer { attributes, scope });
            }
        }
        left
    }
}

/// The targets that a block stands for, each with its row of the matrix.
fn names(block: &Block, evaluator: &mut Evaluator<'_>) -> Result<Vec<(String, Scope)>, String> {
    let Some(matrix) = block.attributes.get("matrix") else {
        return match (block.attributes.get("name"), is_target_name(&block.name)) {
            (None, true) => Ok(vec![(block.name.clone(), Scope::new())]),
            (Some(_), _) => Err("it has a name of its own, but no matrix".to_owned()),
            (None, false) => Err("its name has other characters than a target can have".to_owned()),
        };
    };
    let because = |reason| format!("its matrix depends on {reason}");
    let matrix = match evaluator.value_in(&Scope::new(), matrix).map_err(because)? {
        Value::Object(matrix) => matrix,
        _ => return Err("its matrix is not a list of names and values".to_owned()),
    };
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for row in rows(matrix)? {
        evaluator.spend(row.values().map(evaluate::size).sum())?;
        let name = match block.attributes.get("name") {
            None => block.name.clone(),
            Some(name) => {
                let name = evaluator.value_in(&row, name).and_then(evaluate::text);
                name.map_err(|reason| format!("its name depends on {reason}"))?
            }
        };
        if !is_target_name(&name) {
            return Err(format!("{name:?} is not a name a target can have"));
        }
        if !seen.insert(name.clone()) {
            return Err(format!("its matrix gives the name {name} twice"));
        }
        out.push((name, row));
    }
    Ok(out)
}

impl Evaluator<'_> {
    /// A list of texts; null is the empty one.
    fn texts(&mut self, scope: &Scope, expression: &Expression) -> Result<Vec<String>, String> {
        match self.value_in(scope, expression)? {
            Value::Null => Ok(Vec::new()),
            Value::List(items) => items.into_iter().map(evaluate::text).collect(),
            _ => Err("a text in place of a list".to_owned()),
        }
    }
}
