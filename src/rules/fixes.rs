//! Fixes that are applied together.
//!
//! Goes in: findings of one file, its bytes, the weakest class allowed. Comes out: its bytes with the fixes applied that do not stand in each
//! other's way. Invariant: a fix is applied as a whole or not at all; the first of two that overlap wins.

use super::{Finding, Fix};
use crate::rewrite::Safety;
use crate::source::{Edit, apply_edits};

/// The findings whose fixes can be applied at once, each with its fix; `other` findings with the very same edits count as fixed too.
#[must_use]
pub fn choose(findings: &[Finding], weakest: Safety) -> Vec<&Finding> {
    let mut out: Vec<&Finding> = Vec::new();
    for finding in findings {
        let Some(fix) = finding.fix.as_ref().filter(|f| f.safety <= weakest) else {
            continue;
        };
        let taken = |other: &&Finding| other.fix.as_ref().is_some_and(|o| overlap(o, fix));
        if !out.iter().any(taken) {
            out.push(finding);
        }
    }
    out
}

/// Whether two fixes touch one place of a file.
fn overlap(a: &Fix, b: &Fix) -> bool {
    a.edits.iter().any(|x| {
        b.edits
            .iter()
            .any(|y| x.file == y.file && x.span.start <= y.span.end && y.span.start <= x.span.end)
    })
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
