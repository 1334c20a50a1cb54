//! A context that is large as a whole.

use super::place::{instruction, number, size};
use crate::context::weight::{folders, largest_folders, total};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Rule, View};

/// `context-heavy`.
pub static RULE: Rule = Rule {
    name: "context-heavy",
    severity: Severity::Warning,
    summary: "the build context is large, and all of it is sent",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Bytes from which on a context is large.
const LARGE: u64 = 100_000_000;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(files), Some(reads)) = (view.files(), view.reads()) else {
        return;
    };
    let Some(whole) = reads.whole else { return };
    let sent = || files.entries.iter().filter(|e| !is_elsewhere(&e.path));
    let all = total(sent());
    if all.bytes < number(view, &RULE, "bytes", LARGE) {
        return;
    }
    let mut steps = view.plan.order.iter().map(|n| &view.plan.graph[*n]);
    let Some((_, span, line)) = steps
        .find(|s| s.id == whole)
        .and_then(|s| instruction(view, s))
    else {
        return;
    };
    let sums = folders(sent());
    let largest = largest_folders(&sums, 20);
    // One in another says nothing new.
    let mut told: Vec<(String, u64)> = Vec::new();
    for folder in &largest {
        let path = String::from_utf8_lossy(&folder.path).into_owned();
        let inside = told.iter().any(|(t, _)| {
            path.strip_prefix(t.as_str())
                .is_some_and(|r| r.starts_with('/'))
        });
        if !inside && told.len() < 3 && folder.weight.bytes >= all.bytes / 20 {
            told.push((path, folder.weight.bytes));
        }
    }
    let named: Vec<String> = told
        .iter()
        .map(|(p, b)| format!("`{p}` ({})", size(*b)))
        .collect();
    let most = match named.is_empty() {
        true => "no folder stands out".to_owned(),
        false => format!("most of it is in {}", named.join(", ")),
    };
    let message = format!(
        "`{line}` sends all of the context, {} in {} files: {most}",
        size(all.bytes),
        all.files
    );
    out.at(span, message)
        .bytes(all.bytes)
        .help("leave out by the ignore file what no step needs, or copy only the folders that the build is made of");
}

/// Git's own folder has a rule of its own, and libraries that lie among the sources are there to be built.
fn is_elsewhere(path: &[u8]) -> bool {
    let top = path.split(|b| *b == b'/').next().unwrap_or_default();
    matches!(top, b".git" | b"vendor" | b"third_party" | b"third-party")
}
