//! Files that one layer holds and a later one deletes: they are still in the image that is pushed and pulled.

use super::{hidden, image_steps};
use crate::diagnostic::Severity;
use crate::footprint::is_below;
use crate::image::LossKind;
use crate::plan::{Step, StepKind};
use crate::rules::call::{Argument, Call};
use crate::rules::measured::by_bytes;
use crate::rules::{Check, Findings, Rule, Run, View, quoted};
use crate::source::Span;
use rustc_hash::FxHashSet;

/// `deleted-later`.
pub static RULE: Rule = Rule {
    name: "deleted-later",
    severity: Severity::Warning,
    summary: "a file is deleted in another layer than the one that holds it, so the image keeps its bytes",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Less is not worth a line.
const LEAST_BYTES: u64 = 100_000;

/// Steps and commands that are looked at, all removals together: no file that a person writes comes near.
const MOST_LOOKS: usize = 1_000_000;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let steps = image_steps(view);
    let mut looked = 0_usize;
    let least = view.settings.least_bytes(&RULE, LEAST_BYTES);
    for (at, (_, by)) in steps.iter().enumerate() {
        if by.kind != StepKind::Run {
            continue;
        }
        let Some(run) = view.run_of(by) else {
            continue;
        };
        for removed in removals(view, run) {
            // Who holds it: the last step before that writes it, not one that only makes a folder around it.
            let mut before = steps[..at].iter().rev().map(|(_, s)| *s);
            let holder = before.find(|s| {
                let calls = view.run_of(s).map_or(0, |r| r.calls.len());
                looked = looked.saturating_add(1 + calls);
                looked > MOST_LOOKS || holds(view, s, &removed.path)
            });
            if looked > MOST_LOOKS {
                return;
            }
            let Some(holder) = holder else { continue };
            let bytes = hidden(view, holder, by, &[LossKind::Deleted]);
            if bytes.is_some_and(|b| b < least) || left_to_others(&removed.path) {
                continue;
            }
            let made = view.tree.instructions().get(holder.instruction);
            let made = made.map_or_else(String::new, |i| quoted(&i.original()));
            let message = format!(
                "`{}` is deleted here, but the layer of {made} (line {}) still holds it",
                removed.text, holder.line
            );
            let finding = out.at(removed.span, message);
            let help = match holder.kind {
                StepKind::Run => {
                    format!("delete it in the RUN of line {}, at its end", holder.line)
                }
                _ => format!(
                    "mount it into the RUN that reads it, and leave out this rm and the COPY of line {}",
                    holder.line
                ),
            };
            finding.help(help);
            match bytes {
                Some(bytes) => {
                    let severity = by_bytes(bytes, RULE.severity);
                    finding.bytes(bytes).severity(severity);
                }
                // Of what was not downloaded nobody knows how much it is.
                None if !downloads(view, holder, &removed.path) => {
                    finding.severity(Severity::Note);
                }
                None => {}
            }
        }
    }
}

/// Lists and caches of package managers have a rule of their own.
fn left_to_others(path: &str) -> bool {
    const THEIRS: [&str; 6] = [
        "/var/lib/apt",
        "/var/cache",
        "/var/lib/dnf",
        "/var/lib/yum",
        "/root/.cache",
        "/root/.npm",
    ];
    THEIRS.iter().any(|t| path == *t || is_below(path, t))
}

/// A path that an `rm` takes away.
struct Removed {
    path: String,
    text: String,
    span: Span,
}

/// What a RUN deletes for sure.
fn removals(view: &View<'_>, run: &Run<'_>) -> Vec<Removed> {
    let mut dir = start(view, run);
    let mut out = Vec::new();
    let mut made = FxHashSet::default();
    for call in &run.calls {
        if !call.always {
            makes(call, &mut made);
            continue;
        }
        if call.program == "cd" {
            let to = call.operands().next().and_then(|a| a.value.as_deref());
            dir = to.and_then(|t| absolute(dir.as_deref(), t));
        }
        if !matches!(call.program.as_str(), "rm" | "unlink" | "rmdir") {
            makes(call, &mut made);
            continue;
        }
        for operand in operands(call) {
            let Some(text) = &operand.value else { continue };
            // `dir/*` is what is in the folder.
            let bare = text.strip_suffix("/*").unwrap_or(text);
            if bare.contains(['*', '?', '[']) || bare.is_empty() {
                continue;
            }
            if let Some(path) = absolute(dir.as_deref(), bare).filter(|p| p != "/")
                && !made.contains(base(text))
                && !run.is_mounted(&path)
            {
                out.push(Removed {
                    path,
                    text: text.clone(),
                    span: operand.span,
                });
            }
        }
        makes(call, &mut made);
    }
    out
}

fn operands(call: &Call) -> impl Iterator<Item = &Argument> {
    call.operands()
}

/// The last part of a path; all of it where that is empty.
fn base(path: &str) -> &str {
    let last = path.rsplit('/').next().unwrap_or(path);
    if last.is_empty() { path } else { last }
}

/// The files that a command may have made, by the last part of their names.
fn makes<'r>(call: &'r Call, made: &mut FxHashSet<&'r str>) {
    const MAKERS: &[&str] = &[
        "cp", "mv", "touch", "tee", "install", "ln", "mkdir", "git", "wget", "curl", "dd", "gpg",
        "openssl", "mktemp", "unzip", "tar",
    ];
    let written = call.redirects.iter().filter_map(|r| r.target.as_deref());
    made.extend(written.map(base));
    if MAKERS.contains(&call.program.as_str()) {
        made.extend(call.known().map(base));
    }
}

/// Where a RUN starts; a place of its own where the base image decides, the same for all of them.
fn start(view: &View<'_>, run: &Run<'_>) -> Option<String> {
    let state = view.plan.states.get(run.instruction)?.as_ref()?;
    Some(state.cwd.clone().unwrap_or_else(|| "/?".to_owned()))
}

/// A path seen from a folder.
pub(super) fn absolute(dir: Option<&str>, path: &str) -> Option<String> {
    let full = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{path}", dir?.trim_end_matches('/')),
    };
    if full.contains('$') || full.contains('~') {
        return None;
    }
    let clean = crate::pattern::clean(&full);
    Some(match clean.starts_with('/') {
        true => clean,
        false => format!("/{clean}"),
    })
}

/// Whether a step is known to put something at or below a path.
fn holds(view: &View<'_>, step: &Step, path: &str) -> bool {
    let at = |p: &str| p == path || is_below(p, path);
    match step.kind {
        StepKind::Copy | StepKind::Add => copied(view, step, path),
        StepKind::Run => step.footprint.as_ref().is_some_and(|f| {
            // A mount is no part of the layer.
            let mut writes = f.writes.claims.iter();
            f.opaque.is_none() && writes.any(|c| at(&c.path) && c.path != "/")
                || downloads(view, step, path)
        }),
        StepKind::From | StepKind::Workdir => false,
    }
}

/// Whether a COPY has this very path, or a folder below it, as its destination.
fn copied(view: &View<'_>, step: &Step, path: &str) -> bool {
    let Some(dest) = step
        .dest
        .as_ref()
        .and_then(|d| d.best().map(|p| (p, d.is_dir)))
    else {
        return false;
    };
    let Some(ins) = view.tree.instructions().get(step.instruction) else {
        return false;
    };
    let (crate::dockerfile::Kind::Copy(t) | crate::dockerfile::Kind::Add(t)) = ins.kind() else {
        return false;
    };
    let (to, is_dir) = dest;
    if is_below(to, path) || (to == path && !is_dir) {
        return true;
    }
    // A file of its own name in the folder, or the folder as a whole.
    let name = path.rsplit('/').next().unwrap_or_default();
    let inside = path.strip_suffix(name).map(|d| d.trim_end_matches('/'));
    let here = inside.is_some_and(|d| d == to.trim_end_matches('/'));
    let named = |s: crate::dockerfile::Text<'_>| {
        let source = s.trim_end_matches('/');
        !source.contains('*') && source.rsplit('/').next() == Some(name) && source != "."
    };
    (here && t.sources.iter().any(named)) || (to == path && t.sources.iter().all(|s| s != "."))
}

/// Whether a download of the RUN is kept under this path.
fn downloads(view: &View<'_>, step: &Step, path: &str) -> bool {
    let Some(run) = view.run_of(step) else {
        return false;
    };
    let mut dir = start(view, run);
    for call in &run.calls {
        if call.program == "cd" {
            let to = call.operands().next().and_then(|a| a.value.as_deref());
            dir = to.and_then(|t| absolute(dir.as_deref(), t));
        }
        if let Some(file) = download(call)
            && absolute(dir.as_deref(), &file).as_deref() == Some(path)
        {
            return true;
        }
    }
    false
}

/// The file that `wget` or `curl` leaves.
pub(super) fn download(call: &Call) -> Option<String> {
    let words: Vec<&Argument> = call.arguments.iter().collect();
    let value = |i: usize| words.get(i).and_then(|a| a.value.clone());
    let url = || {
        let mut urls = words.iter().filter_map(|a| a.value.as_deref());
        urls.find(|v| v.contains("://")).map(str::to_owned)
    };
    let base = |url: String| {
        let path = url.split(['?', '#']).next().unwrap_or_default().to_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        (!name.is_empty()).then_some(name)
    };
    match call.program.as_str() {
        "wget" => {
            for (i, word) in words.iter().enumerate() {
                let text = word.shown();
                if let Some(file) = text.strip_prefix("--output-document=") {
                    return Some(file.to_owned()).filter(|f| f != "-");
                }
                let short = text.starts_with('-') && !text.starts_with("--") && text.ends_with('O');
                if short || text == "--output-document" {
                    return value(i + 1).filter(|f| f != "-");
                }
            }
            url().and_then(base)
        }
        "curl" => {
            for (i, word) in words.iter().enumerate() {
                let text = word.shown();
                if let Some(file) = text.strip_prefix("--output=") {
                    return Some(file.to_owned());
                }
                let short = text.starts_with('-') && !text.starts_with("--");
                if text == "--output" || short && text.ends_with('o') {
                    return value(i + 1).filter(|f| f != "-");
                }
                if text == "--remote-name" || short && text.contains('O') {
                    return url().and_then(base);
                }
            }
            None
        }
        _ => None,
    }
}
