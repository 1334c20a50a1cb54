//! An archive that is downloaded, unpacked and left in the image.

use super::fetch::{MOST, Output, base, fetches, is_archive, name, same, takes_away, unpacks};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::call::Call;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};

/// `archive-kept`.
pub static RULE: Rule = Rule {
    name: "archive-kept",
    severity: Severity::Warning,
    summary: "a download stays in the image beside what was unpacked from it",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let stages = view.image_stages();
    if is_for_a_check(view) {
        return;
    }
    let runs: Vec<&Run<'_>> = view
        .runs
        .iter()
        .filter(|r| r.step.is_some() && r.stage.is_some_and(|s| stages.contains(&s)))
        .collect();
    let mut seen = 0;
    for (i, run) in runs.iter().enumerate() {
        for fetch in fetches(run) {
            let Output::File(file) = &fetch.output else {
                continue;
            };
            if !is_archive(file) || !fetch.call.always {
                continue;
            }
            seen += 1;
            if seen > MOST {
                return;
            }
            judge(view, &runs[i..], fetch.at, file, out);
        }
    }
}

fn judge(view: &View<'_>, runs: &[&Run<'_>], at: usize, file: &str, out: &mut Findings<'_>) {
    let Some((run, later)) = runs.split_first() else {
        return;
    };
    if elsewhere(run, at, file) || run.calls.iter().any(|c| takes_away(c, file)) {
        return;
    }
    let fetched = &run.calls[at];
    let here = run.calls.iter().skip(at).rev().find_map(|c| {
        let word = unpacks(c, file)?;
        Some((c, word))
    });
    let then = later.iter().find_map(|r| {
        let call = r.calls.iter().find(|c| unpacks(c, file).is_some())?;
        Some((*r, call))
    });
    let shown = base(file);
    let line = |c: &Call| view.source.line(c.span.start);
    let verb = |c: &Call| match c.program.as_str() {
        "tar" | "bsdtar" | "unzip" | "7z" | "7za" => "unpacked",
        _ => "installed",
    };
    match (here, then) {
        (Some((call, word)), _) => {
            let message = format!(
                "`{shown}` is {} in line {} and stays in the image beside what came out of it",
                verb(call),
                line(call)
            );
            let finding = out.at(fetched.span, message);
            finding.help("remove it in the same RUN: a later one only hides it");
            let behind = run.calls.iter().filter(|c| c.span.start >= call.span.end);
            let simple = call.always
                && !call.guarded
                && !call.background
                && call.pipes_into == 0
                && call.piped_from == 0
                && call.through.is_empty()
                && !run.text.is_empty()
                && !run.is_heredoc()
                && behind.clone().all(|c| !names(c, file))
                && !named_later(view, run.instruction, shown);
            if simple {
                let text = format!(" && rm {}", word.text);
                finding.fix(Safety::Assumed, vec![FileEdit::insert(call.span.end, text)]);
            }
        }
        (None, Some((other, call))) => {
            let gone = other.calls.iter().any(|c| takes_away(c, file));
            let end = match gone {
                true => "removing it there does not make this layer smaller",
                false => "the image holds it twice",
            };
            let message = format!(
                "`{shown}` gets a layer of its own here and is {} in line {}: {end}",
                verb(call),
                line(call)
            );
            out.at(fetched.span, message)
                .help("download, unpack and remove it in one RUN");
        }
        (None, None) => {}
    }
}

/// Whether it lands in a mount, in memory or where it can't be followed.
fn elsewhere(run: &Run<'_>, at: usize, file: &str) -> bool {
    let mut inside = None;
    for call in run.calls.iter().take(at) {
        if matches!(call.program.as_str(), "cd" | "pushd") {
            inside = call.operands().next().map(name);
        }
    }
    let path = match (&inside, file.starts_with('/')) {
        (_, true) => file.to_owned(),
        (Some(dir), false) => format!("{}/{file}", dir.trim_end_matches('/')),
        (None, false) => file.to_owned(),
    };
    // A folder that `mktemp` made is removed by a name that is not known here.
    path.contains("mktemp") || run.is_mounted(&path) || path.starts_with("/dev/")
}

fn names(call: &Call, file: &str) -> bool {
    call.arguments
        .iter()
        .any(|a| same(&name(a), file) || a.pattern)
}

/// Whether an instruction behind it speaks of the file.
fn named_later(view: &View<'_>, instruction: usize, shown: &str) -> bool {
    let mut later = view.tree.instructions().iter().skip(instruction + 1);
    later.any(|i| {
        i.original().contains(shown) || i.heredocs().iter().any(|h| h.body.contains(shown))
    })
}

/// Whether the last stage is a check or a tool of developers by its name: nobody keeps that image.
fn is_for_a_check(view: &View<'_>) -> bool {
    const NAMES: &[&str] = &[
        "validate", "lint", "test", "check", "vendor", "generate", "update", "ci",
    ];
    let target = view.plan.stages.get(view.plan.target);
    let name = target.and_then(|s| s.name.as_deref()).unwrap_or_default();
    name.split(['-', '_', '.'])
        .any(|part| NAMES.contains(&part))
}
