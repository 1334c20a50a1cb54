//! `chown -R` and `chmod -R` in a RUN of their own: every file whose owner or mode changes is in the image once more.

use super::deleted_later::absolute;
use super::{hidden, image_steps};
use crate::diagnostic::Severity;
use crate::footprint::is_below;
use crate::image::LossKind;
use crate::plan::{Input, Step, StepKind};
use crate::rules::call::Call;
use crate::rules::measured::by_bytes;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View, quoted};

/// `chown-layer`.
pub static RULE: Rule = Rule {
    name: "chown-layer",
    severity: Severity::Warning,
    summary: "a RUN changes owner or mode of a tree that another layer holds, so the image has every file twice",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Less is not worth a line.
const LEAST_BYTES: u64 = 1_000_000;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let steps = image_steps(view);
    for (at, (_, by)) in steps.iter().enumerate() {
        let Some(run) = view
            .runs
            .iter()
            .find(|r| r.step.is_some_and(|s| s.id == by.id))
        else {
            continue;
        };
        for call in run.calls.iter().filter(|c| c.always && is_recursive(c)) {
            look(view, run, call, by, &steps[..at], out);
        }
    }
}

fn is_recursive(call: &Call) -> bool {
    matches!(call.program.as_str(), "chown" | "chgrp" | "chmod")
        && (call.has_letter('R') || call.has("--recursive"))
}

fn look(
    view: &View<'_>,
    run: &Run<'_>,
    call: &Call,
    by: &Step,
    before: &[(petgraph::graph::NodeIndex, &Step)],
    out: &mut Findings<'_>,
) {
    let state = view
        .plan
        .states
        .get(run.instruction)
        .and_then(Option::as_ref);
    let dir = state.and_then(|s| s.cwd.clone());
    // A `cd` before it would change what relative paths mean.
    let moved = run
        .calls
        .iter()
        .take_while(|c| !std::ptr::eq(*c, call))
        .any(|c| c.program == "cd");
    let paths: Vec<String> = call
        .operands_behind_verb()
        .filter_map(|a| a.value.as_deref())
        .filter(|p| p.starts_with('/') || !moved)
        .filter_map(|p| absolute(dir.as_deref(), p))
        .collect();
    let in_tree = |p: &str| paths.iter().any(|t| t != "/" && (p == t || is_below(p, t)));
    let holders: Vec<&Step> = before
        .iter()
        .map(|(_, s)| *s)
        .filter(|s| matches!(s.kind, StepKind::Copy | StepKind::Add))
        .filter(|s| s.dest.as_ref().and_then(|d| d.best()).is_some_and(in_tree))
        .collect();
    let Some(first) = holders.first() else { return };
    let kinds = [LossKind::Attributes, LossKind::Overwritten];
    let sizes = before.iter().map(|(_, s)| hidden(view, s, by, &kinds));
    let bytes: u64 = sizes.flatten().fold(0, u64::saturating_add);
    let known = view.files().is_some() && holders.iter().all(|s| only_context(s));
    if known && bytes < LEAST_BYTES {
        return;
    }
    let flag = match call.program.as_str() {
        "chmod" => "--chmod",
        _ => "--chown",
    };
    let lines: Vec<String> = holders.iter().map(|s| s.line.to_string()).collect();
    let many = if lines.len() == 1 { "line" } else { "lines" };
    let source = view.tree.instructions.get(first.instruction);
    let source = source.map_or_else(String::new, |i| quoted(&i.original));
    let message = format!(
        "{} writes every file whose owner or mode changes once more: the image holds what {source} brought twice",
        quoted(view.source.text(call.span).as_ref()),
    );
    let finding = out.at(call.span, message);
    finding.help(format!(
        "give {many} {} `{flag}`, and leave this out",
        lines.join(", ")
    ));
    if bytes > 0 {
        finding
            .bytes(bytes)
            .severity(by_bytes(bytes, RULE.severity));
    }
    // The optimizer knows where the flags do the same, and what becomes of the rest of the RUN.
    let span = run.ins.span;
    let inside = |f: &&crate::rewrite::Rewrite| {
        f.ignore.is_empty()
            && f.edits
                .iter()
                .any(|e| e.span.start >= span.start && e.span.end <= span.end)
    };
    if let Some(fold) = view.folds().iter().find(inside) {
        let edits = fold
            .edits
            .iter()
            .map(|e| FileEdit::here(e.span, String::from_utf8_lossy(&e.text)));
        let edits = edits.collect();
        finding.fix(fold.safety, edits);
    }
}

/// Whether a COPY takes files of the context alone.
fn only_context(step: &Step) -> bool {
    step.inputs.iter().all(|i| matches!(i, Input::Context(_)))
}
