//! `cacheplan context`: what the build context holds, what of it is sent, and who reads it.

mod archives;
mod deps;
mod document;
pub(super) mod source;
mod text;

use super::args::{Cli, ContextArgs, ContextFormat};
use super::subject::{Place, Subject, load_one};
use super::{Done, context_digests, output};
use crate::context::reader::{Reads, reads};
use crate::context::{Context, ContextEntry, EntryKind, Hashing, IgnoredEntry, ProblemKind};
use crate::diagnostic::{Diagnostic, Severity};
use crate::pattern::display;
use crate::plan::StepId;
use crate::source::SourceFile;
use anyhow::{Result, bail};

/// The context with everything reports say about it.
struct View<'a> {
    place: &'a Place,
    subject: &'a Subject,
    context: &'a Context,
    reads: &'a Reads,
    /// The step of `--step`.
    step: Option<StepId>,
    /// Whether `--ignored` was given.
    list_ignored: bool,
}

impl View<'_> {
    /// The entries that are shown: all, or those that the step of `--step` reads.
    fn shown(&self) -> impl Iterator<Item = (usize, &ContextEntry)> {
        let entries = self.context.entries.iter().enumerate();
        entries.filter(|(i, _)| {
            self.step
                .is_none_or(|step| self.reads.steps[*i].contains(&step))
        })
    }

    /// The shown ones that the predicate on their index takes.
    fn only(&self, keep: impl Fn(usize) -> bool) -> impl Iterator<Item = &ContextEntry> {
        let shown = self.shown().filter(move |(i, _)| keep(*i));
        shown.map(|(_, entry)| entry)
    }

    fn pattern(&self, ignored: &IgnoredEntry) -> &str {
        let pattern = self.subject.rules.patterns().get(ignored.pattern);
        pattern.map_or("", |p| p.text.as_str())
    }
}

pub fn run(cli: &Cli, args: &ContextArgs) -> Result<Done> {
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    let mut subject = load_one(&place, &args.place.build, &[])?;
    if subject.failed() {
        output::diagnostics(cli, &subject.diagnostics);
        return Ok(Done::WrongInput);
    }
    let hashing = match args.format {
        ContextFormat::Json => Hashing::Digest,
        ContextFormat::Text => Hashing::SameSize,
        ContextFormat::Paths | ContextFormat::MakeDeps => Hashing::None,
    };
    let context = source::context(cli, &place, &subject, hashing)?;
    let reads = reads(&subject.plan, &context.entries);
    let problems = problems(&subject, &context, &reads);
    subject.diagnostics.extend(problems);
    output::diagnostics(cli, &subject.diagnostics);
    let view = View {
        place: &place,
        subject: &subject,
        context: &context,
        reads: &reads,
        step: step(&subject, args.step.as_deref())?,
        list_ignored: args.ignored,
    };
    let digests = match args.digests {
        Some(_) if place.at.is_some() => {
            bail!("--digests reads the files themselves: it needs a work tree")
        }
        Some(_) => Some(context_digests::rows(
            &subject,
            &place,
            &context,
            args.place.build.builder_profile.release(),
            args.step.as_deref(),
        )?),
        None => None,
    };
    let text = match args.format {
        ContextFormat::Paths => view
            .shown()
            .filter(|(_, e)| e.kind != EntryKind::Directory)
            .map(|(_, e)| format!("{}\n", display(&e.path)))
            .collect::<String>()
            .into_bytes(),
        ContextFormat::Json => {
            let mut value = serde_json::to_value(document::document(&view))?;
            if let Some(digests) = &digests {
                value["digests"] = context_digests::document(digests);
            }
            output::json(&value)?
        }
        ContextFormat::Text => {
            let mut text = text::text(&view);
            if let Some(digests) = &digests {
                text += &context_digests::section(digests);
            }
            text.into_bytes()
        }
        ContextFormat::MakeDeps => deps::make_deps(cli, &view, args.deps_target.as_deref())?,
    };
    output::write(args.output.as_deref(), &text)?;
    Ok(if subject.failed() {
        Done::WrongInput
    } else {
        Done::Fine
    })
}

/// The step of `--step`.
fn step(subject: &Subject, id: Option<&str>) -> Result<Option<StepId>> {
    let Some(id) = id else {
        return Ok(None);
    };
    let steps = &subject.plan.graph;
    match steps.node_weights().find(|s| s.id.to_string() == id) {
        None => bail!("--step {id}: there is no such step"),
        Some(step) if !subject.plan.order.iter().any(|n| steps[*n].id == step.id) => {
            bail!("--step {id}: the target does not need this step")
        }
        Some(step) => Ok(Some(step.id)),
    }
}

/// What the builder would stumble over, as far as it gets there.
fn problems(subject: &Subject, context: &Context, reads: &Reads) -> Vec<(SourceFile, Diagnostic)> {
    let sent = |path: &[u8]| {
        let found = context
            .entries
            .binary_search_by(|e| e.path.as_slice().cmp(path));
        found.is_ok_and(|i| reads.sent[i])
    };
    let one = |problem: &crate::context::Problem| {
        let path = display(&problem.path);
        let (code, message) = match problem.kind {
            ProblemKind::UnreadableFolder => (
                "context/unreadable-folder",
                format!("{path} cannot be listed: the build fails"),
            ),
            ProblemKind::UnreadableFile => (
                "context/unreadable-file",
                format!("{path} cannot be read: it arrives empty, and the build says nothing"),
            ),
            ProblemKind::NameNotUtf8 => (
                "context/name-not-utf8",
                format!("the name {path} is not UTF-8: the build fails"),
            ),
            ProblemKind::LinkNotUtf8 => (
                "context/link-not-utf8",
                format!("what the link {path} holds is not UTF-8: the build fails"),
            ),
        };
        let severity = match (sent(&problem.path), problem.kind.fails_build()) {
            (true, true) => Severity::Error,
            (true, false) => Severity::Warning,
            // Nothing asks for it, so nothing fails; but whoever adds a COPY will want to know.
            (false, _) => Severity::Note,
        };
        let message = match severity {
            Severity::Note => format!("{path} is not sent; if a step named it: {message}"),
            _ => message,
        };
        let diagnostic = Diagnostic::whole(severity, code, message)
            .with_help("leave it out with a line in the ignore file");
        (subject.source.clone(), diagnostic)
    };
    context.problems.iter().map(one).collect()
}

fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "dir",
        EntryKind::Symlink => "symlink",
        EntryKind::Other => "other",
    }
}
