//! Fixes that are applied together.
//!
//! Goes in: findings of one file, its bytes, the weakest class allowed. Comes out: its bytes with the fixes applied that do not stand in each
//! other's way. Invariant: a fix is applied as a whole or not at all; the first of two that overlap wins.

use super::{FileEdit, Finding};
use crate::rewrite::Safety;
use crate::source::{Edit, apply_edits};
use std::collections::BTreeMap;

/// The findings whose fixes can be applied at once, each with its fix; `other` findings with the very same edits count as fixed too.
#[must_use]
pub fn choose(findings: &[Finding], weakest: Safety) -> Vec<&Finding> {
    let mut out: Vec<&Finding> = Vec::new();
    // Stretches of files that are taken: they do not touch each other, so the last one that starts at or before a place decides.
    let mut taken: BTreeMap<(Option<&str>, u32), u32> = BTreeMap::new();
    for finding in findings {
        let Some(fix) = finding.fix.as_ref().filter(|f| f.safety <= weakest) else {
            continue;
        };
        if fix.edits.iter().any(|e| touches(&taken, e)) {
            continue;
        }
        for edit in &fix.edits {
            let end = taken.entry((edit.file.as_deref(), edit.span.start));
            let end = end.or_insert(edit.span.end);
            *end = edit.span.end.max(*end);
        }
        out.push(finding);
    }
    out
}

/// Whether an edit touches a stretch that is taken.
fn touches(taken: &BTreeMap<(Option<&str>, u32), u32>, edit: &FileEdit) -> bool {
    let file = edit.file.as_deref();
    let mut before = taken.range((file, 0)..=(file, edit.span.end));
    before
        .next_back()
        .is_some_and(|(_, end)| *end >= edit.span.start)
}

/// The bytes of a file with the edits of fixes that are in it; `name` is `None` for the file the findings are in.
///
/// # Errors
/// When edits overlap, which those of [`choose`] do not.
pub fn apply(
    bytes: &[u8],
    findings: &[&Finding],
    name: Option<&str>,
) -> Result<Vec<u8>, crate::source::EditError> {
    let edits = findings.iter().filter_map(|f| f.fix.as_ref());
    let edits: Vec<Edit> = edits
        .flat_map(|f| &f.edits)
        .filter(|e| e.file.as_deref() == name)
        .map(|e| Edit {
            span: e.span,
            text: e.text.clone().into_bytes(),
        })
        .collect();
    apply_edits(bytes, &edits)
}
