//! A broad COPY above an install or a build that looks at a few of its files.
//!
//! Two ways to know: where the files of the context are listed, what the tool looks at is worked out as the optimizer does it, and named. Else an install
//! behind a COPY of the whole context is found by its class, as long as no COPY before it brings its manifests.

use crate::diagnostic::Severity;
use crate::dockerfile::{Kind, Transfer};
use crate::footprint::Class;
use crate::plan::{Base, Input, StepKind};
use crate::rules::{Ask, Check, Findings, Rule, View};
use std::collections::BTreeMap;

/// `copy-before-install`.
pub static RULE: Rule = Rule {
    name: "copy-before-install",
    severity: Severity::Warning,
    summary: "a COPY brings more than the install or build behind it looks at, so any edit runs that again",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Names listed in a message.
const SHOWN: usize = 6;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let mut known: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut names: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for waiting in view.waiting() {
        let heavy = view.step(waiting.run).is_some_and(|s| {
            let heavy =
                |c: &Class| matches!(c, Class::Install | Class::Build | Class::SystemPackages);
            s.classes.iter().any(heavy)
        });
        if heavy {
            known.entry(waiting.copy).or_default().push(waiting.run);
            let list = names.entry(waiting.copy).or_default();
            list.extend(waiting.names.iter().cloned());
        }
    }
    for (copy, runs) in &known {
        let mut list = names.remove(copy).unwrap_or_default();
        list.sort();
        list.dedup();
        found(view, *copy, runs, &list, out);
    }
    for (copy, run) in by_class(view) {
        let named = known.values().any(|runs| runs.contains(&run));
        // Where the files are listed and nothing was found, the install needs what it waits for, or nobody knows.
        if !named && view.files().is_none() {
            found(view, copy, &[run], &[], out);
        }
    }
}

fn found(view: &View<'_>, copy: usize, runs: &[usize], names: &[String], out: &mut Findings<'_>) {
    let (Some(ins), Some(first)) = (view.tree.instructions.get(copy), runs.first()) else {
        return;
    };
    let Some(run) = view.tree.instructions.get(*first) else {
        return;
    };
    let more = match runs.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let command = crate::rules::quoted(&run.arguments);
    let what = crate::rules::quoted(&ins.original);
    let looks = match names {
        [] => "it looks at a few of them".to_owned(),
        list => format!("it looks at {}", listed(list)),
    };
    let message = format!(
        "{command} (line {}){more} runs again for every edit of a file that {what} brings: {looks}",
        run.line
    );
    let help = match names {
        [] => "copy the manifests first, then install, then copy the rest".to_owned(),
        list => format!(
            "copy {} above line {}, and the rest below it; `cacheplan optimize` writes that",
            listed(list),
            run.line
        ),
    };
    let ask = Ask::Behind {
        by: copy,
        pays: runs.to_vec(),
    };
    out.at(ins.original.span(), message).help(help).ask(ask);
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    match names.len().checked_sub(SHOWN + 1) {
        Some(more) => format!("{} and {} more", shown.join(", "), more + 1),
        None => shown.join(", "),
    }
}

/// Installs behind a COPY of the whole context in their stage, with nothing of the context copied before it.
fn by_class(view: &View<'_>) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    for stage in &view.plan.stages {
        if !stage.reachable || matches!(stage.base, Base::Stage(_)) {
            continue;
        }
        let mut broad = None;
        let mut narrow = false;
        for node in &stage.steps {
            let step = &view.plan.graph[*node];
            match step.kind {
                StepKind::Copy | StepKind::Add => {
                    let context = step.inputs.iter().any(|i| matches!(i, Input::Context(_)));
                    let whole = whole_context(view, step.instruction);
                    match (context, whole) {
                        (true, true) if broad.is_none() => broad = Some(step.instruction),
                        (true, false) => narrow = true,
                        _ => {}
                    }
                }
                StepKind::Run => {
                    if let Some(copy) = broad
                        && !narrow
                        && step.classes.contains(&Class::Install)
                        && !step.classes.contains(&Class::Build)
                    {
                        out.push((copy, step.instruction));
                    }
                }
                _ => {}
            }
        }
    }
    out
}

/// Whether an instruction takes all of the context.
fn whole_context(view: &View<'_>, at: usize) -> bool {
    let Some(Kind::Copy(Transfer { sources, .. }) | Kind::Add(Transfer { sources, .. })) =
        view.tree.instructions.get(at).map(|i| &i.kind)
    else {
        return false;
    };
    sources
        .iter()
        .any(|s| matches!(s.trim_end_matches('/'), "." | "" | "./."))
}
