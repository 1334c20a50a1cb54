//! The rows of `context --digests buildkit`: the builder's own content keys, step by step.
//!
//! Goes in: the analysed build and its context as walked. Comes out: one row for each input slot that
//! takes files of the context. Costs a sha256 of every file that some step takes. Invariant: the bind
//! mounts of one RUN are one slot, as they are to the builder.

use super::subject::Subject;
use crate::context::digest::{
    Digest, DigestError, OnDisk, Parents, Release, Selector, SentTree, copy_selectors,
    mount_selectors, selector_digest, slot_key,
};
use crate::context::transfer::transferred;
use crate::context::{Context, ContextError};
use crate::plan::{ContextInput, Input, Step, StepKind};
use crate::report::escape;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// One input slot.
pub struct DigestRow {
    /// Id of the step.
    step: String,
    /// Position of the slot among the step's inputs.
    input: usize,
    /// Sources as written, each with its digest, or why it has none.
    sources: Vec<(String, Result<Digest, String>)>,
    /// The key, or why the builder refuses the step.
    key: Result<Digest, String>,
}

/// Rows for every step that the target needs, or for one of them.
///
/// # Errors
/// When a file that a step takes cannot be read.
pub fn rows(
    subject: &Subject,
    root: &Path,
    context: &Context,
    release: Release,
    only: Option<&str>,
) -> Result<Vec<DigestRow>, ContextError> {
    let slots: Vec<(&Step, usize, ContextInput)> = subject
        .plan
        .order
        .iter()
        .filter_map(|node| slot(&subject.plan.graph[*node]))
        .collect();
    let named: Vec<String> = slots
        .iter()
        .flat_map(|(_, _, c)| c.sources.clone())
        .collect();
    let entries = transferred(&context.entries, &named);
    let disk = OnDisk {
        root: root.to_owned(),
    };
    let tree = SentTree::new(&entries, &disk);
    let mut out = Vec::new();
    for (step, input, wanted) in slots {
        let id = step.id.to_string();
        if only.is_some_and(|only| only != id) {
            continue;
        }
        let selectors = match step.kind {
            StepKind::Run => Ok(mount_selectors(&wanted.sources)),
            _ => copy_selectors(&wanted.sources, &wanted.excludes, parents(subject, step)),
        };
        let (sources, key) = match selectors {
            Ok(selectors) => {
                let one = |s: &Selector| told(selector_digest(&tree, s, release));
                let digests: Result<Vec<_>, _> = selectors.iter().map(one).collect();
                let key = told(slot_key(&tree, &selectors, release))?;
                (wanted.sources.into_iter().zip(digests?).collect(), key)
            }
            Err(error) => (Vec::new(), Err(error.to_string())),
        };
        out.push(DigestRow {
            step: id,
            input,
            sources,
            key,
        });
    }
    Ok(out)
}

/// The slot of a step that takes files of the context.
fn slot(step: &Step) -> Option<(&Step, usize, ContextInput)> {
    let mut inputs = step
        .inputs
        .iter()
        .enumerate()
        .filter_map(|(i, input)| match input {
            Input::Context(c) => Some((i, c)),
            _ => None,
        });
    let (at, first) = inputs.next()?;
    let mut all = first.clone();
    all.sources
        .extend(inputs.flat_map(|(_, c)| c.sources.clone()));
    Some((step, at, all))
}

fn parents(subject: &Subject, step: &Step) -> Parents {
    let instruction = subject.parsed.tree.instructions.get(step.instruction);
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
        let _ = match &row.key {
            Ok(key) => writeln!(out, "  step {}  {key}", row.step),
            Err(why) => writeln!(
                out,
                "  step {}  refused: {}",
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
