//! Files that change from build to build and that no source is made of.

use super::folders::named;
use super::place::{ignore, instruction, line, swept_by, text};
use crate::context::EntryKind;
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::{Check, Findings, Rule, View};
use std::collections::BTreeMap;

/// `context-leak`.
pub static RULE: Rule = Rule {
    name: "context-leak",
    severity: Severity::Warning,
    summary: "files that git ignores and that change all the time are copied with the sources, and run the steps behind again",
    also: &[],
    check: Check::Dockerfile(check),
};

const FOLDERS: [&str; 14] = [
    "coverage",
    "htmlcov",
    ".nyc_output",
    ".turbo",
    ".cache",
    ".idea",
    ".vscode",
    ".vs",
    "logs",
    "log",
    "tmp",
    "test-results",
    "playwright-report",
    ".direnv",
];
const FILES: [&str; 7] = [
    ".DS_Store",
    "Thumbs.db",
    ".coverage",
    ".eslintcache",
    ".stylelintcache",
    "coverage.xml",
    "lcov.info",
];
const ENDINGS: [&str; 7] = [
    ".log",
    ".tsbuildinfo",
    ".swp",
    ".pid",
    ".pyc",
    ".orig",
    ".coverprofile",
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(files), Some(git)) = (view.files(), view.project.git) else {
        return;
    };
    let folders = named(view, &files.entries, &|name| FOLDERS.contains(&name));
    let folders = folders.iter().filter(|f| !f.tracked);
    let mut places: Vec<(usize, String)> = folders.map(|f| (f.first, f.path.clone())).collect();
    for (at, entry) in files
        .entries
        .iter()
        .enumerate()
        .filter(|(_, e)| e.kind == EntryKind::File)
    {
        let path = text(entry);
        let name = path.rsplit('/').next().unwrap_or_default();
        let known = FILES.contains(&name)
            || ENDINGS
                .iter()
                .any(|e| name.ends_with(e) && name.len() > e.len());
        let elsewhere = path.starts_with(".git/")
            || path.contains("node_modules/")
            || path.contains("__pycache__/");
        let inside = places.iter().any(|(_, p)| {
            path.strip_prefix(p.as_str())
                .is_some_and(|r| r.starts_with('/'))
        });
        if known && !elsewhere && !inside {
            places.push((at, path));
        }
        if places.len() > 100 {
            break;
        }
    }
    places.retain(|(at, _)| {
        files.entries.get(*at).is_some_and(|e| {
            git.is_ignored(&view.below_path(e)) && !git.is_tracked(&view.below_path(e))
        })
    });
    let mut by_step: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (at, path) in places {
        if let Some(step) = swept_by(view, at, &path) {
            by_step.entry(step.instruction).or_default().push(path);
        }
    }
    for (at, mut paths) in by_step {
        let step = view.step(at).and_then(|s| instruction(view, s));
        let Some((_, span, shown)) = step else {
            continue;
        };
        paths.sort();
        let named: Vec<String> = paths.iter().take(3).map(|p| format!("`{p}`")).collect();
        let more = match paths.len().saturating_sub(3) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let (it, change) = if paths.len() == 1 {
            ("it", "changes")
        } else {
            ("them", "change")
        };
        let message = format!(
            "`{shown}` takes {}{more} along: git ignores {it}, no source is made of {it}, and whenever {} {change} the step and those behind it run again",
            named.join(", "),
            if paths.len() == 1 { "it" } else { "they" },
        );
        let lines: Option<Vec<String>> = paths.iter().map(|p| line(p)).collect();
        let lines = lines.filter(|l| l.len() <= 10);
        let found = out.at(span, message);
        found.help("leave them out by lines of the ignore file");
        if let Some(edit) = lines.and_then(|l| ignore(view, &l)) {
            found.fix(Safety::Assumed, vec![edit]);
        }
    }
}
