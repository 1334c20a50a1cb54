//! A rewrite upon a rewrite: edits of a text that others have made, as edits of the text before.
//!
//! Goes in: two sets of edits, one after the other. Comes out: one set. Quadratic in the edits. Invariant: both ways give the same
//! text, or there is none.

use crate::rewrite::reorder::block;
use crate::rewrite::{Line, Rewrite, StageView, View, merge_run};
use crate::source::{Edit, Span, apply_edits};

/// A rewrite of [`super::find`] with what [`merge_run`] finds in the file that it makes, in the stages that it changes: where RUNs
/// have gone, those that are left may stand closer together. `None` where that is nothing.
#[must_use]
pub fn with_merges(view: &View<'_>, fold: &Rewrite, folded: &View<'_>) -> Option<Rewrite> {
    let inside = |edits: &[Edit], view: &View<'_>, stage: &StageView<'_>| {
        let span = |l: &Line<'_>| block(view.source.bytes(), view.file.instructions().at(l.at));
        let first = stage.lines.first().map_or(0, |l| span(l).start);
        let last = stage.lines.last().map_or(0, |l| span(l).end);
        edits
            .iter()
            .all(|e| first <= e.span.start && e.span.end <= last)
    };
    let mut own = view.stages.iter();
    let own = own.find(|s| inside(&fold.edits, view, s))?.stage;
    let stage = folded.stages.iter().find(|s| s.stage == own)?;
    let mut merges = merge_run::find(folded);
    merges.retain(|m| inside(&m.edits, folded, stage));
    let mut after: Vec<Edit> = merges.iter().flat_map(|m| m.edits.clone()).collect();
    if after.is_empty() {
        return None;
    }
    let there = apply_edits(folded.source.bytes(), &after).ok()?;
    // From the end, so that places before an edit stay where they are.
    after.sort_by_key(|e| std::cmp::Reverse((e.span.start, e.span.end)));
    let mut all = fold.clone();
    for edit in &after {
        compose(&mut all.edits, edit)?;
    }
    let here = apply_edits(view.source.bytes(), &all.edits).ok()?;
    let assumptions = merges.iter().flat_map(|m| m.note.assumptions.clone());
    all.note.assumptions.extend(assumptions);
    all.note.assumptions.sort();
    all.note.assumptions.dedup();
    all.note.why.push_str("; small RUNs that are left are one");
    (there == here).then_some(all)
}

/// Adds an edit of the text that others have made to those; `None` where it covers a part of theirs.
fn compose(made: &mut Vec<Edit>, edit: &Edit) -> Option<()> {
    made.sort_by_key(|e| (e.span.start, e.span.end));
    let (start, end) = (i64::from(edit.span.start), i64::from(edit.span.end));
    let mut shift = 0;
    // How far the two places have moved, and the edits between them.
    let (mut from, mut to) = (0, 0);
    let mut covered = Vec::new();
    for (n, e) in made.iter_mut().enumerate() {
        let first = i64::from(e.span.start) + shift;
        let last = first + i64::try_from(e.text.len()).ok()?;
        shift += last - first - (i64::from(e.span.end) - i64::from(e.span.start));
        let touches =
            first < last && first <= start && end <= last && (start < last || start < end);
        if touches {
            let inside = usize::try_from(start - first).ok()?..usize::try_from(end - first).ok()?;
            e.text.splice(inside, edit.text.iter().copied());
            return Some(());
        }
        if last <= start {
            from = shift;
            to = shift;
        } else if start <= first && last <= end {
            covered.push(n);
            to = shift;
        } else if first < end {
            return None;
        }
    }
    for n in covered.into_iter().rev() {
        made.remove(n);
    }
    made.push(Edit {
        span: Span {
            start: u32::try_from(start - from).ok()?,
            end: u32::try_from(end - to).ok()?,
        },
        text: edit.text.clone(),
    });
    Some(())
}
