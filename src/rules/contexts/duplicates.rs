//! The same large file twice among what is copied into the image.

use super::place::{copies, instruction, is_in_image, number, size, text};
use crate::context::{ContextEntry, EntryKind};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Rule, View};
use std::collections::BTreeMap;

/// `context-duplicates`.
pub static RULE: Rule = Rule {
    name: "context-duplicates",
    severity: Severity::Note,
    summary: "the same large file is copied into the image under several names",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Bytes from which on a file counts.
const LARGE: u64 = 1_000_000;
/// Files that are read at most.
const MOST: usize = 500;

/// Bytes read, all files together.
const MOST_BYTES: u64 = 8 << 30;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(files), Some(disk)) = (view.files(), view.context.disk) else {
        return;
    };
    let least = number(view, &RULE, "bytes", LARGE);
    let mut by_size: BTreeMap<u64, Vec<(usize, &ContextEntry)>> = BTreeMap::new();
    let own = |path: &[u8]| {
        path.starts_with(b".git/") || memchr::memmem::find(path, b"node_modules/").is_some()
    };
    for (at, entry) in files.entries.iter().enumerate() {
        let large = entry.kind == EntryKind::File && entry.size >= least && entry.size > 0;
        if large
            && !own(&entry.path)
            && copies(view, at).any(|s| is_in_image(view, s, &text(entry)))
        {
            by_size.entry(entry.size).or_default().push((at, entry));
        }
    }
    let (mut read, mut hashed) = (0, 0_u64);
    for (bytes, list) in by_size.into_iter().rev().filter(|(_, l)| l.len() > 1) {
        let mut by_digest: BTreeMap<[u8; 32], Vec<(usize, &ContextEntry)>> = BTreeMap::new();
        for (at, entry) in list {
            read += 1;
            hashed = bytes.saturating_add(hashed);
            if read > MOST || hashed > MOST_BYTES {
                return;
            }
            if let Some(digest) = disk.digest(&entry.path) {
                by_digest.entry(digest).or_default().push((at, entry));
            }
        }
        for same in by_digest.into_values().filter(|s| s.len() > 1) {
            let step = copies(view, same[0].0).next();
            let Some((_, span, line)) = step.and_then(|s| instruction(view, s)) else {
                continue;
            };
            let wasted = bytes.saturating_mul(same.len() as u64 - 1);
            let names: Vec<String> = same
                .iter()
                .take(3)
                .map(|(_, e)| format!("`{}`", text(e)))
                .collect();
            let more = match same.len().saturating_sub(3) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let message = format!(
                "`{line}` copies one file of {} {} times, as {}{more}: {} of that is for nothing",
                size(bytes),
                same.len(),
                names.join(", "),
                size(wasted)
            );
            out.at(span, message).bytes(wasted).help(
                "keep one of them and make the others links, or leave them out by the ignore file",
            );
        }
    }
}
