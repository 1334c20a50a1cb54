//! Dependencies and build output of this machine that go into the image's build.

use super::folders::{Folder, named};
use super::place::{ignore, instruction, size, swept_by};
use crate::diagnostic::Severity;
use crate::footprint::Class;
use crate::rewrite::Safety;
use crate::rules::{Check, Findings, Rule, View};
use std::collections::BTreeMap;

/// `context-output`.
pub static RULE: Rule = Rule {
    name: "context-output",
    severity: Severity::Warning,
    summary: "dependencies or build output of this machine are sent to the builder and copied with the sources",
    also: &[],
    check: Check::Dockerfile(check),
};

/// What a folder of that name is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// What a tool of the image's build fetches again.
    Dependencies,
    /// Nobody's source.
    Cache,
    /// Output where git ignores it.
    Output,
}

const NAMES: &[(&str, Sort)] = &[
    ("node_modules", Sort::Dependencies),
    ("bower_components", Sort::Dependencies),
    (".venv", Sort::Dependencies),
    ("venv", Sort::Dependencies),
    ("__pycache__", Sort::Cache),
    (".tox", Sort::Cache),
    (".nox", Sort::Cache),
    (".mypy_cache", Sort::Cache),
    (".pytest_cache", Sort::Cache),
    (".ruff_cache", Sort::Cache),
    (".gradle", Sort::Cache),
    (".parcel-cache", Sort::Cache),
    (".terraform", Sort::Cache),
    (".next", Sort::Output),
    (".nuxt", Sort::Output),
    (".svelte-kit", Sort::Output),
    (".output", Sort::Output),
    ("target", Sort::Output),
    ("dist", Sort::Output),
    ("build", Sort::Output),
    ("out", Sort::Output),
    ("_build", Sort::Output),
    ("deps", Sort::Output),
    ("obj", Sort::Output),
];

fn sort(name: &str) -> Option<Sort> {
    NAMES.iter().find(|(n, _)| *n == name).map(|(_, s)| *s)
}

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(files) = view.files() else { return };
    let makes = |classes: &[Class]| {
        let mut steps = view.plan.order.iter().map(|n| &view.plan.graph[*n]);
        steps.any(|s| s.classes.iter().any(|c| classes.contains(c)))
    };
    let installs = makes(&[Class::Install]);
    let builds = makes(&[Class::Build, Class::LightBuild]);
    let mut by_name: BTreeMap<String, Vec<Folder>> = BTreeMap::new();
    for folder in named(view, &files.entries, &|name| sort(name).is_some()) {
        let name = folder
            .path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        // Without a step that makes it anew, the image lives on what is copied.
        let needed = match sort(&name) {
            Some(Sort::Dependencies) => !installs,
            Some(Sort::Output) => !builds || !is_ignored(view, &folder),
            _ => false,
        };
        if !needed && !folder.tracked {
            by_name.entry(name).or_default().push(folder);
        }
    }
    for (name, mut folders) in by_name {
        folders.retain(|f| swept_by(view, f.first, &f.path).is_some());
        let Some(first) = folders.first() else {
            continue;
        };
        let step = swept_by(view, first.first, &first.path);
        let Some((_, span, line)) = step.and_then(|s| instruction(view, s)) else {
            continue;
        };
        let bytes = folders.iter().map(|f| f.bytes).sum();
        let count: u64 = folders.iter().map(|f| f.files).sum();
        let files = if count == 1 {
            "1 file".to_owned()
        } else {
            format!("{count} files")
        };
        let (what, verb) = match folders.len() {
            1 => (format!("`{}`", first.path), "is"),
            n => (format!("{n} folders `{name}`"), "are"),
        };
        let says = match sort(&name) {
            Some(Sort::Dependencies) => {
                "what this machine has installed lies over or beside what the image installs"
            }
            Some(Sort::Cache) => "it differs from machine to machine",
            _ => "what this machine has built lies among the sources of the image's build",
        };
        let message = format!(
            "{what} ({}, {files}) {verb} sent to the builder and taken by `{line}`: {says}, and whenever it changes that step runs again",
            size(bytes)
        );
        let found = out.at(span, message).bytes(bytes);
        if bytes < 1_000_000 {
            found.severity(Severity::Note);
        }
        let line = match folders.len() == 1 && first.path == name {
            true => name.clone(),
            false => format!("**/{name}"),
        };
        found.help(format!("leave it out: a line `{line}` in the ignore file"));
        // A pattern for all folders of a name takes those that git has too.
        let safe = line == name || !matches!(sort(&name), Some(Sort::Output));
        if safe && let Some(edit) = ignore(view, &[line]) {
            found.fix(Safety::Assumed, vec![edit]);
        }
    }
}

fn is_ignored(view: &View<'_>, folder: &Folder) -> bool {
    let Some(git) = view.project.git else {
        return false;
    };
    let files = view.files().and_then(|f| f.entries.get(folder.first));
    files.is_some_and(|e| git.is_ignored(&view.below_path(e)))
}
