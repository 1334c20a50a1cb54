//! Which step takes a file or folder of the context, and the line that would leave it out.

use crate::context::ContextEntry;
use crate::dockerfile::Kind;
use crate::footprint::PathClaim;
use crate::pattern::{SourceKind, SourcePattern, clean};
use crate::plan::{Dest, Input, Step, StepId, StepKind};
use crate::rewrite::flow::reaches_image;
use crate::rules::{FileEdit, Rule, View};
use crate::source::{SourceFile, Span};

/// A path as text.
pub fn text(entry: &ContextEntry) -> String {
    String::from_utf8_lossy(&entry.path).into_owned()
}

/// A step by its id.
fn step<'v>(view: &'v View<'_>, id: StepId) -> Option<&'v Step> {
    let stage = view.plan.stages.get(usize::from(id.stage))?;
    let own = stage.from + usize::from(id.instruction);
    match view.step(own).filter(|s| s.id == id) {
        Some(step) => Some(step),
        // A trigger of an ONBUILD.
        None => {
            let mut steps = stage.steps.iter().map(|n| &view.plan.graph[*n]);
            steps.find(|s| s.id == id)
        }
    }
}

/// The steps that read an entry and copy it.
pub fn copies<'v>(view: &'v View<'_>, entry: usize) -> impl Iterator<Item = &'v Step> {
    let ids = view
        .reads()
        .and_then(|r| r.steps.get(entry))
        .map_or(&[][..], Vec::as_slice);
    let steps = ids.iter().filter_map(|id| step(view, *id));
    steps.filter(|s| matches!(s.kind, StepKind::Copy | StepKind::Add))
}

/// Sources of a step, as clean paths; those with a pattern for file names as they are.
fn sources(step: &Step) -> impl Iterator<Item = (&String, String)> {
    let contexts = step.inputs.iter().filter_map(|i| match i {
        Input::Context(c) => Some(&c.sources),
        _ => None,
    });
    contexts
        .flatten()
        .map(|s| (s, clean(s.trim_start_matches('/'))))
}

/// The first step that takes a path along with others, given that no step names the path or something in it.
pub fn swept_by<'v>(view: &'v View<'_>, entry: usize, path: &str) -> Option<&'v Step> {
    let named = |s: &Step| {
        sources(s).any(|(_, source)| {
            source == path
                || source
                    .strip_prefix(path)
                    .is_some_and(|r| r.starts_with('/'))
        })
    };
    let mut all = view.plan.graph.node_weights();
    if all.any(named) {
        return None;
    }
    copies(view, entry).find(|s| {
        sources(s).any(|(source, plain)| {
            let root = SourcePattern::lenient(source).kind() == SourceKind::Root;
            root || path
                .strip_prefix(plain.as_str())
                .is_some_and(|r| r.starts_with('/'))
                || source.contains('*')
        })
    })
}

/// The instruction of a step: its index, where it stands, and its first line.
pub fn instruction(view: &View<'_>, step: &Step) -> Option<(usize, Span, String)> {
    let ins = view.tree.instructions().get(step.instruction)?;
    let line: String = ins
        .original()
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(60)
        .collect();
    Some((step.instruction, ins.keyword_span(), line))
}

/// Whether a file or folder that a step brings may be in the image.
pub fn is_in_image(view: &View<'_>, step: &Step, path: &str) -> bool {
    let stage = step.id.stage as usize;
    if view.is_of_image(stage) {
        return true;
    }
    match step.dest.as_ref().and_then(Dest::best) {
        Some(dest) => reaches_image(view.plan, stage, &lands(step, dest, path)),
        None => true,
    }
}

/// Where a step puts a file or folder of the context.
fn lands(step: &Step, dest: &str, path: &str) -> PathClaim {
    let top = dest.trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or(path);
    let below = sources(step).find_map(|(source, plain)| {
        if source.contains(['*', '?', '[']) || step.parents {
            None
        } else if SourcePattern::lenient(source).kind() == SourceKind::Root {
            Some(path)
        } else if plain == path {
            Some(name)
        } else {
            path.strip_prefix(plain.as_str())?.strip_prefix('/')
        }
    });
    PathClaim::subtree(match below {
        Some(below) => format!("{top}/{below}"),
        None => top.to_owned(),
    })
}

/// A number that is set for a rule.
pub fn number(view: &View<'_>, rule: &Rule, option: &str, default: u64) -> u64 {
    let set = view.settings.list(rule, option).and_then(|l| l.first());
    set.and_then(|s| s.parse().ok()).unwrap_or(default)
}

/// The edit that adds lines to the ignore file, or makes one; `None` where another Dockerfile of the same context may need what they leave out.
pub fn ignore(view: &View<'_>, lines: &[String]) -> Option<FileEdit> {
    let own = format!("{}.dockerignore", view.path);
    let file = view.context.ignore_file;
    let shared = file.is_none_or(|f| f.name() != own);
    if shared && lines.iter().any(|l| others_name(view, l)) {
        return None;
    }
    Some(match file {
        Some(file) => FileEdit::elsewhere(file.name(), end(file), appended(file, lines)),
        None => {
            let name = match view.context.dir.trim_end_matches('/') {
                "." | "" => ".dockerignore".to_owned(),
                dir => format!("{dir}/.dockerignore"),
            };
            // A new file would itself be copied with the rest.
            let lines: String = lines.iter().map(|l| format!("{l}\n")).collect();
            FileEdit::elsewhere(name, Span::default(), format!("{lines}.dockerignore\n"))
        }
    })
}

fn end(file: &SourceFile) -> Span {
    let len = file.bytes().len();
    Span::new(len, len)
}

fn appended(file: &SourceFile, lines: &[String]) -> String {
    let end = file.line_end();
    let before = if file.bytes().is_empty() || file.bytes().ends_with(b"\n") {
        ""
    } else {
        end
    };
    let lines: String = lines.iter().map(|l| format!("{l}{end}")).collect();
    format!("{before}{lines}")
}

/// Whether another Dockerfile copies something by the name that a line leaves out.
fn others_name(view: &View<'_>, line: &str) -> bool {
    let name = line.trim_start_matches("**/");
    let others = view
        .project
        .dockerfiles
        .iter()
        .filter(|f| f.path != view.path);
    let mut all = others.flat_map(|f| f.tree.instructions());
    all.any(|i| match i.kind() {
        Kind::Copy(t) | Kind::Add(t) if i.flag("from").is_none() => t
            .sources
            .iter()
            .any(|s| s.split('/').any(|part| part == name) || s.trim_start_matches("./") == name),
        _ => false,
    })
}

/// A path as a line of an ignore file; `None` for names that a line can't say plainly.
pub fn line(path: &str) -> Option<String> {
    let odd = |c: char| "*?[]\\\n\r".contains(c);
    let plain = !path.contains(odd) && !path.starts_with(['#', '!', ' ']) && !path.ends_with(' ');
    plain.then(|| path.to_owned())
}

/// Bytes in words.
pub fn size(bytes: u64) -> String {
    match bytes {
        n if n >= 1_000_000_000 => format!("{}.{} GB", n / 1_000_000_000, n / 100_000_000 % 10),
        n if n >= 1_000_000 => format!("{} MB", n / 1_000_000),
        n if n >= 1_000 => format!("{} kB", n / 1_000),
        n => format!("{n} bytes"),
    }
}
