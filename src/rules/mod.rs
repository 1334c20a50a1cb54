//! The advisor: rules that find what makes an image dear to build, large or hard to run.
//!
//! Goes in: a [`View`] of one Dockerfile, or a [`Project`] of the files beside it. Comes out: [`Finding`]s, sorted by place, each with the rule
//! that found it, what it may cost, and a fix where one can be given. One file per rule, all of them in [`FAMILIES`]. Costs one pass of each rule
//! over the instructions and over the commands of RUNs, which are parsed once. Invariants: rules read and never run anything; the same values
//! give the same findings; a fix touches no byte outside of its edits. What each rule is for stands in `docs/rules/`.

mod alone;
mod base;
pub mod baseline;
mod buildkit;
pub mod call;
mod chain;
mod contexts;
mod downloads;
mod finding;
mod fixes;
mod layers;
pub mod measured;
mod order;
mod packages;
mod project;
mod readability;
mod registry;
mod repository;
mod run;
mod services;
pub mod settings;
pub mod suppress;
mod toolchain;
mod view;
mod workflows;

pub use alone::{of_text, of_text_with};
pub use finding::{Ask, Evidence, FileEdit, Finding, Findings, Fix};
pub use fixes::{apply, choose};
pub use project::{Git, Project, ProjectFile};
pub use registry::{FAMILIES, all, known_as, rule};
pub use run::Run;
pub use view::{ContextDisk, ContextFiles, Parts, View};

use crate::diagnostic::Severity;

/// What a rule is.
#[derive(Debug)]
pub struct Rule {
    /// Its name, `kebab-case`; that of the builder's own check where there is one, `StageNameCasing`.
    pub name: &'static str,
    /// How bad it is where nothing is measured.
    pub severity: Severity,
    /// What it finds, one sentence without a full stop.
    pub summary: &'static str,
    /// What other tools call it: codes of hadolint such as `DL3008`. Their own comments for these silence it too.
    pub also: &'static [&'static str],
    /// How it looks.
    pub check: Check,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// One Dockerfile.
    Dockerfile(fn(&View<'_>, &mut Findings<'_>)),
    /// The files beside Dockerfiles: compose and bake files, workflows, manifests; and all Dockerfiles together.
    Project(fn(&Project<'_>, &mut Findings<'_>)),
}

/// What all rules that look at one Dockerfile find in it, sorted by place.
#[must_use]
pub fn of_dockerfile(view: &View<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    for rule in all() {
        if let Check::Dockerfile(check) = rule.check {
            check(view, &mut Findings::new(rule, &mut out));
        }
    }
    only_text(view, &mut out);
    finding::sort(&mut out);
    out
}

/// In a file that is not UTF-8, takes away fixes of it, and keeps places inside of it: what rules see has other places there,
/// and not the same bytes.
fn only_text(view: &View<'_>, out: &mut [Finding]) {
    let bytes = view.source.bytes();
    if std::str::from_utf8(bytes).is_ok() {
        return;
    }
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    for finding in out {
        let beside = |f: &Fix| f.edits.iter().all(|e| e.file.is_some());
        finding.fix = finding.fix.take().filter(beside);
        if finding.file.is_none() {
            finding.span.end = finding.span.end.min(length);
            finding.span.start = finding.span.start.min(finding.span.end);
        }
    }
}

/// What all rules find that look beside Dockerfiles, sorted by file and place.
#[must_use]
pub fn of_project(project: &Project<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    for rule in all() {
        if let Check::Project(check) = rule.check {
            check(project, &mut Findings::new(rule, &mut out));
        }
    }
    finding::sort(&mut out);
    out
}

/// A piece of the user's text in backticks, cut where it is long and on one line.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 48;
    let mut words = String::new();
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.chars().count() > MOST {
            break;
        }
    }
    let cut = words.char_indices().nth(MOST).map(|(at, _)| at);
    match cut {
        Some(at) => format!("`{}…`", words[..at].trim_end()),
        None => format!("`{words}`"),
    }
}
