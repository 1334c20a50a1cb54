//! `cacheplan context`: what the builder would be sent.

use super::args::{Cli, ContextArgs, ContextFormat};
use super::subject::{Place, Subject, load, only};
use super::{Done, context_digests, output};
use crate::context::{EntryKind, Hashing, WalkOptions, walk};
use crate::pattern::{ExcludeRules, SourcePattern, display};
use crate::plan::{ContextInput, Input};
use crate::report::escape;
use crate::report::number;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rows of the text report's two lists.
const ROWS: usize = 10;

pub fn run(cli: &Cli, args: &ContextArgs) -> Result<Done> {
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    if place.at.is_some() {
        bail!(
            "context walks a work tree: there is none to walk at a revision or in a bare repository"
        );
    }
    let subject = only(load(&place, &args.place.build, &[])?)?;
    output::diagnostics(cli, &subject.diagnostics);
    if subject.failed() {
        return Ok(Done::WrongInput);
    }
    let root = place.path.join(&subject.context);
    let hashing = if args.format == ContextFormat::Json {
        Hashing::Digest
    } else {
        Hashing::None
    };
    let context = walk(&root, &subject.rules, WalkOptions { hashing })?;
    let readers = readers(&subject);
    if let Some(id) = &args.step
        && !subject
            .plan
            .graph
            .node_weights()
            .any(|s| s.id.to_string() == *id)
    {
        bail!("--step {id}: there is no such step");
    }
    let rows: Vec<Row> = context
        .entries
        .iter()
        .map(|e| Row {
            path: display(&e.path),
            kind: kind(e.kind),
            mode: e.mode,
            size: e.size,
            digest: e
                .digest
                .map(|d| blake3::Hash::from_bytes(d).to_hex().to_string()),
            steps: readers
                .iter()
                .filter(|r| r.takes(&e.path))
                .map(|r| r.step.clone())
                .collect(),
        })
        .filter(|r| args.step.as_ref().is_none_or(|id| r.steps.contains(id)))
        .collect();
    let digests = match args.digests {
        Some(_) => Some(context_digests::rows(
            &subject,
            &root,
            &context,
            args.place.build.builder_profile.release(),
            args.step.as_deref(),
        )?),
        None => None,
    };
    let text = match args.format {
        ContextFormat::Paths => rows
            .iter()
            .filter(|r| r.kind != "dir")
            .map(|r| format!("{}\n", r.path))
            .collect::<String>()
            .into_bytes(),
        ContextFormat::Json => {
            let mut value = document(&subject, args, &rows, &context, &place);
            if let Some(digests) = &digests {
                value["digests"] = context_digests::document(digests);
            }
            output::json(&value)?
        }
        ContextFormat::Text => {
            let mut text = summary(&subject, args, &rows, &context);
            if let Some(digests) = &digests {
                text += &context_digests::section(digests);
            }
            text.into_bytes()
        }
    };
    output::write(args.output.as_deref(), &text)?;
    Ok(Done::Fine)
}

struct Row {
    path: String,
    kind: &'static str,
    mode: u32,
    size: u64,
    digest: Option<String>,
    steps: Vec<String>,
}

/// One context input of one step.
struct Reader {
    step: String,
    sources: Vec<SourcePattern>,
    exclude: Option<ExcludeRules>,
}

impl Reader {
    fn takes(&self, path: &[u8]) -> bool {
        self.sources.iter().any(|s| {
            let found = s.select(path);
            found.is_some_and(|f| {
                !self
                    .exclude
                    .as_ref()
                    .is_some_and(|e| e.is_excluded(f.relative))
            })
        })
    }
}

fn readers(subject: &Subject) -> Vec<Reader> {
    let plan = &subject.plan;
    let reader = |step: String, c: &ContextInput| Reader {
        step,
        sources: c
            .sources
            .iter()
            .map(|s| SourcePattern::lenient(s))
            .collect(),
        exclude: (!c.excludes.is_empty())
            .then(|| ExcludeRules::new(&c.excludes).ok())
            .flatten(),
    };
    let mut out = Vec::new();
    for node in &plan.order {
        let step = &plan.graph[*node];
        for input in &step.inputs {
            if let Input::Context(c) = input {
                out.push(reader(step.id.to_string(), c));
            }
        }
    }
    out
}

fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "dir",
        EntryKind::Symlink => "symlink",
        _ => "other",
    }
}

fn ignored(
    subject: &Subject,
    context: &crate::context::Context,
) -> Vec<(String, &'static str, u32, String)> {
    let patterns = subject.rules.patterns();
    let one = |e: &crate::context::IgnoredEntry| {
        let text = patterns
            .get(e.pattern)
            .map_or(String::new(), |p| p.text.clone());
        (display(&e.path), kind(e.kind), e.line, text)
    };
    context.ignored.iter().map(one).collect()
}

fn document(
    subject: &Subject,
    args: &ContextArgs,
    rows: &[Row],
    context: &crate::context::Context,
    place: &Place,
) -> Value {
    let files: Vec<Value> = rows
        .iter()
        .map(|r| json!({"path": r.path, "kind": r.kind, "mode": r.mode, "size": r.size, "digest": r.digest, "steps": r.steps}))
        .collect();
    let mut value = json!({
        "schema": "cacheplan.context/1", "ignore_file": subject.ignore_file.as_ref().map(|f| place.shown(f)), "files": files,
        "total_bytes": rows.iter().map(|r| r.size).sum::<u64>(),
    });
    if args.ignored {
        let list = ignored(subject, context).into_iter();
        let list: Vec<Value> = list.map(|(p, k, line, pattern)| json!({"path": p, "kind": k, "line": line, "pattern": pattern})).collect();
        value["ignored"] = json!(list);
    }
    value
}

fn summary(
    subject: &Subject,
    args: &ContextArgs,
    rows: &[Row],
    context: &crate::context::Context,
) -> String {
    let mut out = String::new();
    let total: u64 = rows.iter().map(|r| r.size).sum();
    let files = rows.iter().filter(|r| r.kind != "dir").count();
    let _ = writeln!(
        out,
        "{files} files, {} are sent from {}",
        number::bytes(total),
        escape::terminal(&subject.context)
    );
    let mut folders: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
    for r in rows.iter().filter(|r| r.kind != "dir") {
        let top = r.path.split_once('/').map_or(".", |(d, _)| d);
        let entry = folders.entry(top).or_default();
        entry.0 += r.size;
        entry.1 += 1;
    }
    let mut folders: Vec<_> = folders.into_iter().collect();
    folders.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let _ = writeln!(out, "\nlargest folders");
    for (name, (size, count)) in folders.iter().take(ROWS) {
        let _ = writeln!(
            out,
            "{:>10}  {:>6} files  {}",
            number::bytes(*size),
            count,
            escape::terminal(name)
        );
    }
    let mut largest: Vec<&Row> = rows.iter().filter(|r| r.kind == "file").collect();
    largest.sort_by(|a, b| b.size.cmp(&a.size).then(a.path.cmp(&b.path)));
    let _ = writeln!(out, "\nlargest files");
    for r in largest.iter().take(ROWS) {
        let steps = if r.steps.is_empty() {
            "no step reads it".to_owned()
        } else {
            format!("steps {}", r.steps.join(" "))
        };
        let _ = writeln!(
            out,
            "{:>10}  {}  ({steps})",
            number::bytes(r.size),
            escape::terminal(&r.path)
        );
    }
    if args.ignored {
        let _ = writeln!(out, "\nleft out");
        for (path, kind, line, pattern) in ignored(subject, context) {
            let _ = writeln!(
                out,
                "  {} ({kind}): line {line} `{}`",
                escape::terminal(&path),
                escape::terminal(&pattern)
            );
        }
    }
    out
}
