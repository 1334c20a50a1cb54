//! The rows of `context --digests buildkit`: the builder's own content keys, step by step.
//!
//! Goes in: the analysed build and its context as walked. Comes out: one row for each input slot that
//! takes files of the build context or of a named one. Costs a sha256 of every file that some step
//! takes. Invariant: the bind mounts of one RUN from one context are one slot, as they are to the
//! builder.

use super::subject::{Place, Subject};
use crate::context::digest::{
    Digest, DigestError, OnDisk, Parents, Release, Selector, SentTree, copy_selectors,
    mount_selectors, selector_digest, slot_key,
};
use crate::context::transfer::transferred;
use crate::context::{
    Context, ContextEntry, ContextError, Hashing, IgnoreLookup, WalkOptions, walk,
};
use crate::plan::{ContextInput, Input, Step, StepKind};
use crate::project::normalize;
use crate::report::escape;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// One input slot.
pub struct DigestRow {
    /// Id of the step.
    step: String,
    /// Position of the slot among the step's inputs.
    input: usize,
    /// The named context it takes from; none is the build context.
    context: Option<String>,
    /// Sources as written, each with its digest, or why it has none.
    sources: Vec<(String, Result<Digest, String>)>,
    /// The key, or why the builder refuses the step.
    key: Result<Digest, String>,
}

/// Files that a step takes from one context.
struct Slot<'a> {
    step: &'a Step,
    input: usize,
    context: Option<&'a str>,
    wanted: ContextInput,
}

/// Rows for every step that the target needs, or for one of them.
///
/// # Errors
/// When a file that a step takes cannot be read.
pub fn rows(
    subject: &Subject,
    place: &Place,
    context: &Context,
    release: Release,
    only: Option<&str>,
) -> Result<Vec<DigestRow>, ContextError> {
    let graph = &subject.plan.graph;
    let order = subject.plan.order.iter();
    let slots: Vec<Slot<'_>> = order.flat_map(|node| slots(&graph[*node])).collect();
    let asked = |slot: &Slot<'_>| only.is_none_or(|id| slot.step.id.to_string() == id);
    let mut contexts: BTreeMap<Option<&str>, Vec<(usize, &Slot<'_>)>> = BTreeMap::new();
    for (n, slot) in slots.iter().enumerate().filter(|(_, slot)| asked(slot)) {
        contexts.entry(slot.context).or_default().push((n, slot));
    }
    // By position, as the contexts are gone through one by one.
    let mut out: BTreeMap<usize, DigestRow> = BTreeMap::new();
    for (name, rows) in contexts {
        let sent = match name {
            None => Ok((
                place.path.join(&subject.context),
                Cow::Borrowed(&context.entries[..]),
            )),
            Some(name) => folder(subject, place, name)?,
        };
        let (root, entries) = match sent {
            Ok(found) => found,
            Err(why) => {
                let row =
                    |(n, slot): (usize, &Slot<'_>)| (n, slot.row(Vec::new(), Err(why.clone())));
                out.extend(rows.into_iter().map(row));
                continue;
            }
        };
        // What one step asks for is sent to all.
        let in_it = slots.iter().filter(|s| s.context == name);
        let mut named: Vec<String> = in_it.flat_map(|s| s.wanted.sources.clone()).collect();
        if name.is_none() && subject.plan.whole_context().is_some() {
            named.push("/".to_owned());
        }
        let entries = transferred(&entries, &named);
        let disk = OnDisk { root };
        let tree = SentTree::new(&entries, &disk);
        for (n, slot) in rows {
            let wanted = &slot.wanted;
            let selectors = match slot.step.kind {
                StepKind::Run => Ok(mount_selectors(&wanted.sources)),
                _ => {
                    let parents = parents(subject, slot.step);
                    copy_selectors(&wanted.sources, &wanted.excludes, parents)
                }
            };
            let row = match selectors {
                Ok(selectors) => {
                    let one = |s: &Selector| told(selector_digest(&tree, s, release));
                    let digests: Result<Vec<_>, _> = selectors.iter().map(one).collect();
                    let key = told(slot_key(&tree, &selectors, release))?;
                    let sources = wanted.sources.iter().cloned();
                    slot.row(sources.zip(digests?).collect(), key)
                }
                Err(error) => slot.row(Vec::new(), Err(error.to_string())),
            };
            out.insert(n, row);
        }
    }
    Ok(out.into_values().collect())
}

impl Slot<'_> {
    fn row(
        &self,
        sources: Vec<(String, Result<Digest, String>)>,
        key: Result<Digest, String>,
    ) -> DigestRow {
        DigestRow {
            step: self.step.id.to_string(),
            input: self.input,
            context: self.context.map(str::to_owned),
            sources,
            key,
        }
    }
}

/// The slots of a step that take files of contexts, one for each context.
fn slots(step: &Step) -> Vec<Slot<'_>> {
    let mut out: Vec<Slot<'_>> = Vec::new();
    for (input, taken) in step.inputs.iter().enumerate() {
        let (context, files) = match taken {
            Input::Context(files) => (None, files),
            Input::Named(named) => (Some(named.context.as_str()), &named.files),
            _ => continue,
        };
        match out.iter_mut().find(|slot| slot.context == context) {
            Some(slot) => slot.wanted.sources.extend(files.sources.clone()),
            None => out.push(Slot {
                step,
                input,
                context,
                wanted: files.clone(),
            }),
        }
    }
    out
}

type Sent<'a> = (PathBuf, Cow<'a, [ContextEntry]>);

/// What the builder is sent of a named context, before it asks for less: a folder under its own
/// `.dockerignore`. The inner error says why there is nothing to look at.
fn folder<'a>(
    subject: &Subject,
    place: &Place,
    name: &str,
) -> Result<Result<Sent<'a>, String>, ContextError> {
    let value = subject.options.contexts.iter().rfind(|(n, _)| n == name);
    let Some((root, value)) = value.map(|(_, value)| (place.path.join(value), value)) else {
        return Ok(Err(format!("the named context {name} is not there")));
    };
    if !root.is_dir() {
        let why = format!("the named context {name} is no folder here");
        return Ok(Err(why));
    }
    let below = normalize(value).filter(|_| !value.starts_with('/'));
    let dir = below.as_deref().unwrap_or(value);
    let ignore = place.ignore(None, dir, IgnoreLookup::BuildKit);
    if let Some((_, error)) = ignore.said.iter().find(|(_, d)| d.is_error()) {
        let why = format!("the .dockerignore of {name}: {}", error.message);
        return Ok(Err(why));
    }
    let options = WalkOptions {
        hashing: Hashing::None,
    };
    let found = walk(&root, &ignore.rules, options)?;
    Ok(Ok((root, Cow::Owned(found.entries))))
}

fn parents(subject: &Subject, step: &Step) -> Parents {
    let instruction = subject.parsed.tree.instructions().get(step.instruction);
    match instruction.is_some_and(|i| i.has_flag("parents")) {
        true => Parents::Kept,
        false => Parents::Dropped,
    }
}

/// A refusal by the builder is part of the answer, a file that cannot be read here is not.
fn told(result: Result<Digest, DigestError>) -> Result<Result<Digest, String>, ContextError> {
    match result {
        Ok(digest) => Ok(Ok(digest)),
        Err(DigestError::Read(error)) => Err(error),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// As the `digests` member of the JSON document. Where there is no digest it is null, and `error` says why.
pub fn document(rows: &[DigestRow]) -> Value {
    let text = |digest: &Result<Digest, String>| digest.as_ref().ok().map(Digest::to_string);
    let source = |(source, digest): &(String, Result<Digest, String>)| json!({"source": source, "digest": text(digest)});
    let row = |row: &DigestRow| {
        let sources: Vec<Value> = row.sources.iter().map(source).collect();
        let mut value = json!({"step": row.step, "input": row.input, "sources": sources, "key": text(&row.key)});
        if let Some(name) = &row.context {
            value["context"] = json!(name);
        }
        if let Err(why) = &row.key {
            value["error"] = json!(why);
        }
        value
    };
    rows.iter().map(row).collect()
}

/// As a section of the text report.
pub fn section(rows: &[DigestRow]) -> String {
    let mut out = "\ncontent keys of the builder\n".to_owned();
    for row in rows {
        let from = row.context.as_deref().map_or(String::new(), |name| {
            format!("  (context {})", escape::terminal(name))
        });
        let _ = match &row.key {
            Ok(key) => writeln!(out, "  step {}  {key}{from}", row.step),
            Err(why) => writeln!(
                out,
                "  step {}  no key: {}{from}",
                row.step,
                escape::terminal(why)
            ),
        };
        for (source, digest) in row.sources.iter().filter(|_| row.sources.len() > 1) {
            let shown = match digest {
                Ok(digest) => digest.to_string(),
                Err(why) => escape::terminal(why).to_string(),
            };
            let _ = writeln!(out, "    {}  {shown}", escape::terminal(source));
        }
    }
    out
}
