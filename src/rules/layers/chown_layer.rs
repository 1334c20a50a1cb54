//! `chown -R` and `chmod -R` in a RUN of their own: every file whose owner or mode changes is in the image once more.

use super::deleted_later::absolute;
use super::{hidden_by, image_steps};
use crate::diagnostic::Severity;
use crate::footprint::is_below;
use crate::image::LossKind;
use crate::layers::with_mode;
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
        let Some(run) = view.run_of(by) else {
            continue;
        };
        let mut calls = run.calls.iter().filter(|c| c.always && is_recursive(c));
        // One is enough: the files are written once for all changes of a RUN.
        calls.any(|call| look(view, run, call, by, &steps[..at], out));
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
) -> bool {
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
        .filter(|s| changes(view, s, call))
        .collect();
    let Some(first) = holders.iter().find(|s| view.brings_folder(s.instruction)) else {
        return false;
    };
    let kinds = [LossKind::Attributes, LossKind::Overwritten];
    let sizes = hidden_by(view, by, &kinds).map(|(_, bytes)| bytes);
    let bytes: u64 = sizes.fold(0, u64::saturating_add);
    let least = view.settings.least_bytes(&RULE, LEAST_BYTES);
    let known = view.files().is_some() && holders.iter().all(|s| only_context(s));
    if known && bytes < least {
        return false;
    }
    // What else the RUN does to files of such trees would be left out with it.
    let of = |c: &Call| match c.program.as_str() {
        "chmod" => "`--chmod`",
        _ => "`--chown`",
    };
    let asked = run.calls.iter().filter(|c| c.always && is_recursive(c));
    let mut flags: Vec<&str> = asked.map(of).collect();
    flags.sort_unstable_by(|a, b| b.cmp(a));
    flags.dedup();
    let flag = flags.join(" and ");
    const SHOWN: usize = 12;
    let lines = holders.iter().take(SHOWN).map(|s| s.line.to_string());
    let lines = lines.collect::<Vec<_>>().join(", ");
    let more = match holders.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let many = if holders.len() == 1 { "line" } else { "lines" };
    let source = view.tree.instructions().get(first.instruction);
    let source = source.map_or_else(String::new, |i| quoted(&i.original()));
    let message = format!(
        "{} puts every file whose owner or mode it changes into a second layer: those of {source} (line {}) are in the image twice",
        quoted(view.source.text(call.span).as_ref()),
        first.line,
    );
    let finding = out.at(call.span, message);
    finding.help(format!(
        "give {many} {lines}{more} {flag}, and leave this out"
    ));
    match bytes {
        // How large it is nobody knows.
        0 => finding.severity(Severity::Note),
        _ => finding
            .bytes(bytes)
            .severity(by_bytes(bytes, RULE.severity)),
    };
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
    true
}

/// Whether the files of a COPY become others: an owner that they have already is left out of the layer by containerd (`docs/layers.md`).
fn changes(view: &View<'_>, step: &Step, call: &Call) -> bool {
    let Some(ins) = view.tree.instructions().get(step.instruction) else {
        return false;
    };
    let Some(wanted) = call.verb().and_then(|a| a.value.as_deref()) else {
        return true;
    };
    if call.program == "chmod" {
        // Git has two modes for files, and folders have one: what leaves those as they are changes nothing.
        let usual = [(0o644, false), (0o755, false), (0o755, true)];
        let kept = usual
            .iter()
            .all(|(mode, folder)| with_mode(*mode, wanted, *folder) == Some(*mode));
        return ins.flag("chmod") != Some(wanted) && !kept;
    }
    let whole = |owner: &str| match owner.split_once(':') {
        Some((user, group)) => (user.to_owned(), group.to_owned()),
        None => (owner.to_owned(), String::new()),
    };
    let name = |n: &str| {
        if n == "root" {
            "0".to_owned()
        } else {
            n.to_owned()
        }
    };
    let (user, group) = whole(ins.flag("chown").unwrap_or("0:0"));
    let (new_user, new_group) = whole(wanted);
    let same_group = new_group.is_empty() || name(&new_group) == name(&group);
    name(&user) != name(&new_user) || !same_group
}

/// Whether a COPY takes files of the context alone.
fn only_context(step: &Step) -> bool {
    step.inputs.iter().all(|i| matches!(i, Input::Context(_)))
}
