//! A stage that stands on more of another than it needs: it stands on a part of it.
//!
//! ```text
//! FROM node AS build                FROM node AS build-dependencies
//! COPY package.json ./              COPY package.json ./
//! RUN npm ci                  ->    RUN npm ci
//! COPY . .                          FROM build-dependencies AS build
//! FROM build AS production          COPY . .
//! RUN npm prune --omit=dev          FROM build-dependencies AS production
//!                                   RUN npm prune --omit=dev
//! ```
//!
//! Precondition: what every RUN of the stage needs of the project is known, the last lines of the stage below it only bring
//! files that are not among that, and nobody takes any of those files from it. Safety: assumed. It is looked for in a file
//! whose lines are in their best order already: that is where such lines have come to stand last.

use super::flow::{
    any_taken, free_name, gap, leaves_triggers, loses_command, names_stages_by_number,
};
use super::layout::{brought_by, claim_of};
use super::{EditNote, Line, Rewrite, Safety, StageView, View};
use crate::dockerfile::Kind;
use crate::footprint::PathClaim;
use crate::plan::{Base, Plan, StepKind};
use crate::source::{Edit, Span};
use std::collections::BTreeSet;

/// One rewrite for every stage that can stand on less.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    if names_stages_by_number(view) {
        return Vec::new();
    }
    view.stages.iter().filter_map(|s| one(view, s)).collect()
}

/// Whether a stage may turn out to stand on less, in some order of the stages below: what its RUNs need is known.
#[must_use]
pub fn may_stand_on_less(view: &View<'_>, stage: &StageView<'_>) -> bool {
    let known = |l: &Line<'_>| !l.barrier && l.needs.is_some_and(Result::is_ok);
    let runs = stage
        .lines
        .iter()
        .filter(|l| l.step.is_some_and(|s| s.kind == StepKind::Run));
    matches!(view.plan.stages[stage.stage].base, Base::Stage(_))
        && stage.stage != view.plan.target
        && runs.clone().count() > 0
        && runs.clone().all(known)
}

fn one(view: &View<'_>, stage: &StageView<'_>) -> Option<Rewrite> {
    let plan = view.plan;
    let Base::Stage(below) = plan.stages[stage.stage].base else {
        return None;
    };
    if !may_stand_on_less(view, stage) || plan.stages[below].platform.is_some() {
        return None;
    }
    let base = view.stages.iter().find(|s| s.stage == below)?;
    // The last lines that bring what this stage has no use for.
    let mut first = None;
    for (at, line) in base.lines.iter().enumerate().rev() {
        match is_idle(view, stage, base, line) {
            true => first = Some(at),
            false => break,
        }
    }
    let first = first?;
    let own = view.file.instructions().at(plan.stages[stage.stage].from);
    let from = view.file.instructions().at(plan.stages[below].from);
    let (
        Kind::From { image, .. },
        Kind::From {
            alias: Some(alias), ..
        },
    ) = (own.kind(), from.kind())
    else {
        return None;
    };
    let at = view.file.instructions().at(base.lines[first].at);
    let end = view.source.line_end();
    let place = at.leading_comments.start.min(at.span.start);
    let mut edits = Vec::new();
    let name = match (first, &plan.stages[below].base) {
        // All of it: the stage stands on what that one stands on.
        (0, Base::Stage(further)) => plan.stages[*further].name.clone()?,
        (0, _) => return None,
        _ if leaves_triggers(view, &base.lines) || loses_command(view, &base.lines, first) => {
            return None;
        }
        _ => {
            // Of a stage that was cut before, what is left below.
            let wanted = match alias.strip_suffix("-dependencies") {
                Some(stem) => format!("{stem}-base"),
                None => format!("{alias}-dependencies"),
            };
            let name = free_name(view, &wanted)?;
            edits.push(Edit {
                span: alias.span(),
                text: name.clone().into_bytes(),
            });
            let gap = gap(view, place);
            let text = format!("{gap}FROM {name} AS {}{end}", alias);
            edits.push(Edit {
                span: Span {
                    start: place,
                    end: place,
                },
                text: text.into_bytes(),
            });
            name
        }
    };
    edits.push(Edit {
        span: image.span(),
        text: name.clone().into_bytes(),
    });
    edits.sort_by_key(|e| e.span);
    let mut assumptions: BTreeSet<String> = BTreeSet::new();
    for needs in stage.lines.iter().filter_map(|l| l.needs) {
        assumptions.extend(needs.as_ref().ok()?.assumptions.iter().cloned());
    }
    assumptions.insert(format!(
        "{} looks at no file that {} brings last, no link of it leads there, and no such file comes to lie in what is taken from it",
        told(plan, stage.stage),
        told(plan, below)
    ));
    Some(Rewrite {
        safety: Safety::Assumed,
        edits,
        ignore: Vec::new(),
        caches: Vec::new(),
        note: EditNote {
            rewrite: "move-to-stage",
            safety: Safety::Assumed,
            line: own.line,
            end_line: own.end_line,
            why: format!(
                "{} stands on the part of {} that it needs, {name}: what comes to lie there last no longer runs it again",
                told(plan, stage.stage),
                told(plan, below)
            ),
            assumptions: assumptions.into_iter().collect(),
        },
    })
}

fn told(plan: &Plan, stage: usize) -> String {
    match &plan.stages[stage].name {
        Some(name) => format!("stage {name}"),
        None => format!("stage {stage}"),
    }
}

/// Whether a line only brings files of the context that a stage behind it neither looks at nor hands on.
fn is_idle(view: &View<'_>, stage: &StageView<'_>, base: &StageView<'_>, line: &Line<'_>) -> bool {
    let copies = matches!(view.file.instructions().at(line.at).kind(), Kind::Copy(_));
    let Some(step) = line.step.filter(|_| copies) else {
        return false;
    };
    let Some(brought) = brought_by(step, &PathClaim::subtree("/"), view.files) else {
        return false;
    };
    let all: Vec<PathClaim> = brought.iter().map(claim_of).collect();
    // A list that says nothing is no proof.
    if all.is_empty() || any_taken(view.plan, stage.stage, &all) {
        return false;
    }
    // The same files may have come before, by themselves.
    let below = base.layout.first(line.layers);
    let laid = below.places(view.files, false);
    let new = |b: &&(String, String)| laid.from(&b.0) != Some(&b.1);
    let places: Vec<PathClaim> = brought.iter().filter(new).map(claim_of).collect();
    let met = |claims: &[PathClaim]| {
        claims
            .iter()
            .any(|c| places.iter().any(|p| c.covers(p) || p.covers(c)))
    };
    for own in &stage.lines {
        let Some(run) = own.step.filter(|s| s.kind == StepKind::Run) else {
            continue;
        };
        let (Some(footprint), Some(Ok(needs))) = (&run.footprint, own.needs) else {
            return false;
        };
        let claims: Vec<PathClaim> = needs.sees().chain(&needs.writes).cloned().collect();
        let others = footprint.beside_uses();
        let mut others = others.flat_map(|e| [&e.reads, &e.writes]);
        if met(&claims) || others.any(|c| met(c)) {
            return false;
        }
    }
    true
}
