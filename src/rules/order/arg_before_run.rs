//! An ARG or ENV that holds another value in every build, above RUNs that have no use for it.

use crate::diagnostic::Severity;
use crate::dockerfile::{Instruction, Kind, variables};
use crate::footprint::{Class, Variables};
use crate::plan::{Step, StepKind, names_a_build};
use crate::rewrite::Safety;
use crate::rules::{Ask, Check, FileEdit, Findings, Rule, View};
use crate::source::Span;

/// `arg-before-run`.
pub static RULE: Rule = Rule {
    name: "arg-before-run",
    severity: Severity::Warning,
    summary: "a build argument that differs in every build stands above RUNs that have no use for it",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for stage in 0..view.plan.stages.len() {
        if !view.plan.stages[stage].reachable {
            continue;
        }
        let list: Vec<(usize, Instruction<'_>)> = view.instructions(stage).collect();
        for (place, (_, ins)) in list.iter().enumerate() {
            let Kind::Arg(names) = ins.kind() else {
                continue;
            };
            // A line for several arguments can only be moved as one.
            for (name, _) in names {
                if differs(view, &name) {
                    look(view, stage, &list, place, &name, names.len() == 1, out);
                }
            }
        }
    }
}

/// Whether the value differs in every build: somebody says so, or its name does and nobody has set it.
fn differs(view: &View<'_>, name: &str) -> bool {
    let options = view.options;
    let said = options.volatile_args.iter().any(|n| n == name);
    let set = options.args.iter().any(|(n, _)| n == name);
    said || (!set && names_a_build(name))
}

fn look(
    view: &View<'_>,
    stage: usize,
    list: &[(usize, Instruction<'_>)],
    place: usize,
    name: &str,
    alone: bool,
    out: &mut Findings<'_>,
) {
    // ENV lines that take the value over make it one of theirs.
    let mut names = vec![name.to_owned()];
    let mut carriers = Vec::new();
    let mut first_use = None;
    let mut wasted = Vec::new();
    // The first line that makes no step and shows the value.
    let mut shown = None;
    for (at, (index, ins)) in list.iter().enumerate().skip(place + 1) {
        match ins.kind() {
            Kind::Arg(again) if again.iter().any(|(n, _)| *n == *name) => break,
            Kind::Env(pairs) => {
                let taken = pairs
                    .iter()
                    .filter(|(_, v)| mentions(v, &names))
                    .map(|(k, _)| k.to_string());
                let taken: Vec<String> = taken.collect();
                if !taken.is_empty() {
                    carriers.push(at);
                    names.extend(taken);
                }
            }
            _ => {}
        }
        let named = mentions(&ins.original(), &names)
            || ins.heredocs().iter().any(|h| mentions(&h.body, &names));
        let Some(step) = view.step(*index) else {
            if named && shown.is_none() && !carriers.contains(&at) {
                shown = Some(at);
            }
            continue;
        };
        let uses = named || (step.kind == StepKind::Run && may_look(step));
        if uses && first_use.is_none() {
            first_use = Some(at);
        }
        let heavy = |c: &Class| matches!(c, Class::Install | Class::SystemPackages);
        // Behind the first use every RUN runs again anyway.
        if first_use.is_none() && step.kind == StepKind::Run && step.classes.iter().any(heavy) {
            wasted.push(*index);
        }
    }
    let (Some(first), Some((_, ins))) = (wasted.first(), list.get(place)) else {
        return;
    };
    let run = view.tree.instructions().at(*first);
    let more = match wasted.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let message = format!(
        "`{name}` is part of the cache key of {} (line {}){more}, which has no use for it: each build with another value runs that again",
        crate::rules::quoted(&run.arguments()),
        run.line,
    );
    let used = first_use.map(|at| list[at].1.line);
    let along: Vec<String> = carriers
        .iter()
        .map(|at| list[*at].1.line.to_string())
        .collect();
    let along = match along.as_slice() {
        [] => String::new(),
        lines => format!(
            ", with what the ENV of line {} takes of it",
            lines.join(" and ")
        ),
    };
    let help = match used {
        Some(line) => {
            format!("declare it right above line {line}, the first that may look at it{along}")
        }
        None => format!("declare it behind the last RUN{along}"),
    };
    let finding = out.at(ins.keyword_span().to(ins.arguments().span()), message);
    finding.help(help).ask(Ask::Varies(name.to_owned()));
    // A LABEL that shows the value has to stay behind it.
    let stays = shown.is_some_and(|s| first_use.is_none_or(|f| s < f));
    if alone && carriers.is_empty() && !stays {
        let target = match first_use {
            Some(at) => Some(list[at].1),
            None => behind_last_step(view, stage, list),
        };
        if let Some(target) = target {
            finding.fix(
                Safety::Assumed,
                moved(view, *ins, target, first_use.is_none()),
            );
        }
    }
}

/// Whether a RUN may look at any variable: builds run scripts of the project, and what is not known may do anything.
fn may_look(step: &Step) -> bool {
    let Some(footprint) = &step.footprint else {
        return true;
    };
    footprint.opaque.is_some()
        || matches!(footprint.variables, Variables::Any)
        || step
            .classes
            .iter()
            .any(|c| matches!(c, Class::Build | Class::LightBuild))
}

/// The last instruction of a stage that makes a step.
fn behind_last_step<'a>(
    view: &View<'_>,
    stage: usize,
    list: &[(usize, Instruction<'a>)],
) -> Option<Instruction<'a>> {
    // A stage that stands on this one would see the argument earlier or later.
    let based = |s: &crate::plan::Stage| s.base == crate::plan::Base::Stage(stage);
    if view.plan.stages.iter().any(based) {
        return None;
    }
    let mut steps = list.iter().rev().filter(|(i, _)| view.step(*i).is_some());
    steps.next().map(|(_, ins)| *ins)
}

/// Takes an instruction's lines to another place.
fn moved(
    view: &View<'_>,
    ins: Instruction<'_>,
    target: Instruction<'_>,
    behind: bool,
) -> Vec<FileEdit> {
    let start = ins.leading_comments.start.min(ins.span.start);
    let block = Span {
        start,
        end: ins.span.end,
    };
    let mut text = view.source.text(block).into_owned();
    let end = view.source.line_end();
    if !text.ends_with('\n') {
        text.push_str(end);
    }
    let at = match behind {
        true => target.span.end,
        false => target.leading_comments.start.min(target.span.start),
    };
    let open = behind && !view.source.text(target.span).ends_with('\n');
    if open {
        text = format!("{end}{}", text.trim_end_matches(['\r', '\n']));
    }
    vec![FileEdit::here(block, ""), FileEdit::insert(at, text)]
}

/// Whether a text expands one of the variables, in any form a Dockerfile or a shell has.
fn mentions(text: &str, names: &[String]) -> bool {
    if !text.contains('$') {
        return names.iter().any(|n| word(text, n));
    }
    let expanded = variables(text, '\\');
    names.iter().any(|n| expanded.contains(n) || word(text, n))
}

/// Whether a name stands in a text as a word of its own: a script may ask for it in a way of its own (`printenv COMMIT`).
fn word(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
