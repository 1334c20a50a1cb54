//! Lines for manifests that another line brings once more before anybody looks: they go.
//!
//! ```text
//! COPY ui/package.json ui/     ->     COPY ui ui/
//! COPY ui ui/
//! ```
//!
//! Two rewrites may each want a part of one folder, and the best order may bring their lines together. Precondition: both are
//! COPYs of the context with the same flags, nothing but such lines and variables stands between, and all files of the first are
//! among those of the second, at the same places. It is no rewrite that anybody asks for: only lines that a plan has added go.

use super::layout::brought_by;
use super::reorder::block;
use super::{Line, View};
use crate::dockerfile::{Instruction, Kind};
use crate::footprint::PathClaim;
use crate::source::Edit;
use std::collections::BTreeSet;

/// The edits that take such lines away; `is_added` says which lines are the plan's own.
#[must_use]
pub fn find(view: &View<'_>, is_added: impl Fn(Instruction<'_>) -> bool) -> Vec<Edit> {
    let all = PathClaim::subtree("/");
    let brings = |line: &Line<'_>| -> Option<BTreeSet<(String, String)>> {
        let copies = matches!(view.file.instructions().at(line.at).kind(), Kind::Copy(_));
        let step = line.step.filter(|_| copies)?;
        Some(brought_by(step, &all, view.files)?.into_iter().collect())
    };
    let flags = |line: &Line<'_>| -> Vec<&str> {
        let flags = view.file.instructions().at(line.at).flags().iter();
        flags.map(|f| f.raw.as_str()).collect()
    };
    let mut edits = Vec::new();
    for stage in &view.stages {
        for (at, line) in stage.lines.iter().enumerate() {
            let instruction = view.file.instructions().at(line.at);
            if !is_added(instruction) {
                continue;
            }
            let Some(own) = brings(line).filter(|b| !b.is_empty()) else {
                continue;
            };
            let behind = stage.lines[at + 1..].iter().take_while(|l| {
                matches!(
                    view.file.instructions().at(l.at).kind(),
                    Kind::Copy(_) | Kind::Env(_) | Kind::Arg(_) | Kind::Label(_)
                )
            });
            let covers = |l: &Line<'_>| {
                flags(l) == flags(line) && brings(l).is_some_and(|more| own.is_subset(&more))
            };
            if behind.into_iter().any(covers) {
                edits.push(Edit {
                    span: block(view.source.bytes(), instruction),
                    text: Vec::new(),
                });
            }
        }
    }
    edits
}
