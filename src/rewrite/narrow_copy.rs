//! A broad COPY behind which nothing runs, in a stage that is not the image: it goes.
//!
//! ```text
//! COPY go.mod go.sum ./             COPY go.mod go.sum ./
//! COPY cmd cmd                      COPY cmd cmd
//! RUN go build -o /app ./cmd   ->   RUN go build -o /app ./cmd
//! COPY . .
//! ```
//!
//! Precondition: no step of the stage comes behind the COPY, no stage stands on it, and nobody takes any of the files that it
//! brings. Safety: assumed. It is looked for in a file whose lines are in their best order already: once `split-copy` has
//! given every step what it reads, that is where a broad COPY has come to stand.

use super::flow::any_taken;
use super::layout::{brought_by, claim_of};
use super::reorder::block;
use super::{EditNote, Rewrite, Safety, StageView, View};
use crate::dockerfile::Kind;
use crate::footprint::PathClaim;
use crate::source::Edit;

/// One rewrite for every stage that ends with such lines.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    view.stages.iter().filter_map(|s| one(view, s)).collect()
}

fn one(view: &View<'_>, stage: &StageView<'_>) -> Option<Rewrite> {
    if stage.stage == view.plan.target {
        return None;
    }
    let line = stage.lines.last()?;
    let instruction = view.file.instructions().at(line.at);
    let step = line
        .step
        .filter(|_| matches!(instruction.kind(), Kind::Copy(_)))?;
    let brought = brought_by(step, &PathClaim::subtree("/"), view.files)?;
    // What earlier lines have brought stays.
    let there = stage.layout.first(line.layers).places(view.files, false);
    let new = |b: &&(String, String)| there.from(&b.0) != Some(&b.1);
    let places: Vec<PathClaim> = brought.iter().filter(new).map(claim_of).collect();
    // A list that says nothing is no proof; and of a stage that does nothing else something must be left.
    let does_more = stage.lines.len() > 1;
    if places.is_empty() || !does_more || any_taken(view.plan, stage.stage, &places) {
        return None;
    }
    let mut gone = block(view.source.bytes(), instruction);
    // Of two blank lines around it one goes along.
    let (before, after) = view.source.bytes().split_at(gone.end as usize);
    let above = before[..gone.start as usize].ends_with(b"\n\n");
    if above && after.starts_with(b"\n") {
        gone.end += 1;
    }
    Some(Rewrite {
        safety: Safety::Assumed,
        edits: vec![Edit {
            span: gone,
            text: Vec::new(),
        }],
        ignore: Vec::new(),
        caches: Vec::new(),
        note: EditNote {
            rewrite: "narrow-copy",
            safety: Safety::Assumed,
            line: instruction.line,
            end_line: instruction.end_line,
            why: format!(
                "{} goes: what the steps of its stage read is copied by itself, and nobody takes the rest",
                view.source
                    .text(instruction.original().span())
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .trim()
            ),
            assumptions: vec![
                "no link of the stage leads to what only this line brings, and nothing of it comes to lie in what other stages take"
                    .to_owned(),
            ],
        },
    })
}
