//! A broad COPY above an install or a build that looks at a few of its files.
//!
//! Two ways to know: where the files of the context are listed, what the tool looks at is worked out as the optimizer does it, and named. Else an install
//! behind a COPY of the whole context is found by its class, as long as no COPY before it brings its manifests.

use crate::diagnostic::Severity;
use crate::dockerfile::{Kind, Transfer};
use crate::footprint::Class;
use crate::plan::{Base, Input, StepKind};
use crate::rewrite::split_copy::Waiting;
use crate::rules::{Ask, Check, Findings, Rule, View, quoted};

/// `copy-before-install`.
pub static RULE: Rule = Rule {
    name: "copy-before-install",
    severity: Severity::Warning,
    summary: "a COPY brings more than the install behind it looks at, so any edit runs that again",
    also: &[],
    check: Check::Dockerfile(install),
};

/// `copy-too-broad`.
pub static TOO_BROAD: Rule = Rule {
    name: "copy-too-broad",
    severity: Severity::Note,
    summary: "a COPY brings more than the build behind it looks at, so edits of other files run that again",
    also: &[],
    check: Check::Dockerfile(build),
};

/// Names listed in a message, and in a help line.
const SHOWN: usize = 4;
const LISTED: usize = 24;

fn install(view: &View<'_>, out: &mut Findings<'_>) {
    let known: Vec<&Waiting> = waiting(view, &[Class::Install, Class::SystemPackages]).collect();
    for waiting in known.iter().filter(|w| !again(view, w.run)) {
        found(view, waiting.copy, waiting.run, &waiting.names, out);
    }
    // Where the files are listed and nothing was found, the install needs what it waits for, or nobody knows.
    for (copy, run) in by_class(view) {
        if !known.iter().any(|w| w.run == run) && view.files().is_none() {
            found(view, copy, run, &[], out);
        }
    }
}

fn build(view: &View<'_>, out: &mut Findings<'_>) {
    for waiting in waiting(view, &[Class::Build]) {
        let install = view
            .step(waiting.run)
            .is_some_and(|s| s.classes.contains(&Class::Install));
        if !install {
            found(view, waiting.copy, waiting.run, &waiting.names, out);
        }
    }
}

/// Whether an earlier stage has the very same install: what it made is copied, and this one only adds the project.
fn again(view: &View<'_>, run: usize) -> bool {
    let words = |at: usize| -> Vec<Vec<String>> {
        let uses = view.step(at).and_then(|s| s.footprint.as_ref());
        let uses = uses.into_iter().flat_map(|f| &f.uses);
        // The folder aside.
        let of = |mut words: Vec<String>| {
            words.remove(1);
            words
        };
        uses.filter_map(|u| u.installs().map(of)).collect()
    };
    let own = words(run);
    let stage = view.stage_of(run);
    let mut earlier = view
        .runs
        .iter()
        .filter(|r| r.instruction < run && r.stage != stage);
    !own.is_empty() && earlier.any(|r| words(r.instruction).iter().any(|w| own.contains(w)))
}

/// RUNs of a class that wait for more than they look at.
fn waiting<'v>(view: &'v View<'_>, classes: &'v [Class]) -> impl Iterator<Item = &'v Waiting> {
    view.waiting().iter().filter(move |w| {
        let step = view.step(w.run);
        // A tool for all of the image is no dependency of the project.
        let global = view.tree.instructions().get(w.run).is_some_and(|i| {
            let mut words = i.arguments().as_str().split_ascii_whitespace();
            words.any(|w| matches!(w, "-g" | "--global"))
        });
        !global
            && view.brings_folder(w.copy)
            && step.is_some_and(|s| s.classes.iter().any(|c| classes.contains(c)))
    })
}

fn found(view: &View<'_>, copy: usize, run: usize, names: &[String], out: &mut Findings<'_>) {
    let get = |at: usize| view.tree.instructions().get(at);
    let (Some(ins), Some(ran)) = (get(copy), get(run)) else {
        return;
    };
    let looks = match names {
        [] => "it looks at a few of them".to_owned(),
        list => format!("all it may look at is {}", listed(list, SHOWN)),
    };
    let message = format!(
        "{} (line {}) runs again for every edit of a file that {} brings: {looks}",
        quoted(&ran.arguments()),
        ran.line,
        quoted(&ins.original()),
    );
    let help = match names {
        [] => "copy the manifests first, then install, then copy the rest".to_owned(),
        list => format!(
            "copy {} above line {}, and the rest below it; `cacheplan optimize` writes that",
            listed(list, LISTED),
            ran.line
        ),
    };
    out.at(ins.original().span(), message)
        .help(help)
        .ask(Ask::Behind {
            by: copy,
            pays: vec![run],
            reads: names.to_vec(),
        });
}

fn listed(names: &[String], most: usize) -> String {
    let shown: Vec<String> = names.iter().take(most).map(|n| format!("`{n}`")).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
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
                    match (context, whole_context(view, step.instruction)) {
                        (true, true) if broad.is_none() => broad = Some(step.instruction),
                        (true, false) => narrow = true,
                        _ => {}
                    }
                }
                StepKind::Run => {
                    let installs = step.classes.contains(&Class::Install);
                    if let Some(copy) = broad
                        && !narrow
                        && installs
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
    let kind = view.tree.instructions().get(at).map(|i| i.kind());
    let Some(Kind::Copy(Transfer { sources, .. }) | Kind::Add(Transfer { sources, .. })) = kind
    else {
        return false;
    };
    let mut sources = sources.iter();
    sources.any(|s| matches!(s.trim_end_matches('/'), "." | "" | "./."))
}
