//! Manifests of many packages by way of a stage that keeps nothing else, where naming each would take too many lines.
//!
//! ```text
//!                              FROM rust AS manifests
//!                              WORKDIR /manifests
//!                              COPY . .
//!                              RUN find . ! -type d ! -name Cargo.toml ! -name Cargo.lock -exec rm -f {} + && …
//! FROM rust AS build     ->    FROM rust AS build
//! COPY . .                     COPY --from=manifests /manifests ./
//! RUN cargo build              RUN cargo fetch
//!                              COPY . .
//!                              RUN cargo build
//! ```
//!
//! Some commands ask for most files only whether they are there (`projection/names.rs`): these come emptied.
//!
//! Precondition: that of `split-copy` or `prefetch`, whose lines would be too many; one COPY brings all that
//! is needed under its own names, and the stage stands on an image that has a shell. Safety: assumed. The stage runs in every build; what
//! is copied from it is the same as long as the manifests are, which is worked out exactly (`simulate/stage_tree/prune.rs`).

mod names;

use super::flow::{bottom, flags_of, free_name, is_plain, names_stages_by_number};
use super::layout::Laid;
use super::needs::Needs;
use super::prefetch::{self, Way};
use super::split_copy::{MOST_LINES, Wanted, lines, wanted};
use super::split_run;
use super::{EditNote, Line, Rewrite, Safety, StageView, View};
use crate::dockerfile::{Instruction, Kind};
use crate::footprint::PathClaim;
use crate::plan::{Base, Plan};
use crate::source::Edit;
use std::collections::BTreeSet;

/// Most names that a `find` keeps: more are no pattern that a reader can check.
const MOST_NAMES: usize = 8;

/// The folder in the stage.
const FOLDER: &str = "/manifests";

/// One rewrite for every RUN that waits for more manifests than are worth naming.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    let mut out: Vec<Rewrite> = Vec::new();
    if names_stages_by_number(view) {
        return out;
    }
    for stage in &view.stages {
        for (at, line) in stage.lines.iter().enumerate() {
            out.extend(prefetch::one(view, stage, at, Way::Stage));
            let found = split(view, stage, at, line);
            out.extend(found.filter(|f| !out.iter().any(|r| r.edits == f.edits)));
        }
    }
    out.extend(split_run::find_by_stage(view));
    out
}

/// What is needed before a RUN by way of a stage: the manifests, or every file by its name.
pub(super) fn first(
    view: &View<'_>,
    stage: &StageView<'_>,
    at: usize,
    needs: &Needs,
) -> Option<Projected> {
    match needs.names.is_empty() {
        true => manifests(view, stage, at, &needs.reads, None),
        false => names::emptied(view, stage, at, needs),
    }
}

/// What a RUN needs first, and so before the rest.
fn split(view: &View<'_>, stage: &StageView<'_>, at: usize, run: &Line<'_>) -> Option<Rewrite> {
    let needs = run.needs?.as_ref().ok()?;
    let cut = first(view, stage, at, needs)?;
    // Later commands would need a variable.
    if needs.afterwards.is_some() {
        return None;
    }
    let instruction = view.file.instructions().at(cut.copy);
    let mut assumptions = needs.assumptions.clone();
    assumptions.extend(cut.assumptions.iter().cloned());
    Some(Rewrite {
        safety: Safety::Assumed,
        note: EditNote {
            rewrite: "projection",
            safety: Safety::Assumed,
            line: instruction.line,
            end_line: instruction.end_line,
            why: format!(
                "{}, so that line {} no longer runs for every source edit",
                cut.told_first(),
                view.file.instructions().at(run.at).line
            ),
            assumptions,
        },
        edits: vec![cut.stage, cut.copied],
        ignore: Vec::new(),
        caches: Vec::new(),
    })
}

/// Manifests by way of a stage.
pub(super) struct Projected {
    /// The stage.
    pub stage: Edit,
    /// The line that copies from it, before [`Self::copy`].
    pub copied: Edit,
    /// The instruction that brings the manifests today.
    pub copy: usize,
    /// The files, by their paths in the context.
    pub names: BTreeSet<String>,
    pub assumptions: Vec<String>,
    /// File names that are kept, of those whose content counts.
    kept: BTreeSet<String>,
    /// All others come too, with nothing in them.
    emptied: bool,
}

impl Projected {
    /// What it brings, for people.
    pub fn told(&self) -> String {
        let kept: Vec<&str> = self.kept.iter().map(String::as_str).collect();
        format!("{} files ({})", self.names.len(), kept.join(", "))
    }

    /// That it comes first, and how, for people.
    pub fn told_first(&self) -> String {
        match self.emptied {
            false => format!(
                "{} come first, by way of a stage that keeps nothing else",
                self.told()
            ),
            true => format!(
                "{} come first, and all others by their names alone, by way of a stage that empties them",
                self.told()
            ),
        }
    }
}

/// The flags that a line from another stage takes over; `None` where there are others.
fn flags_taken_over(instruction: Instruction<'_>) -> Option<String> {
    let mut flags = String::new();
    for flag in instruction.flags() {
        match flag.raw.as_str() {
            raw if raw.starts_with("--chown=") || raw.starts_with("--chmod=") => {
                flags.push_str(&format!("{raw} "));
            }
            _ => return None,
        }
    }
    Some(flags)
}

/// A stage that copies and takes away, and the line that copies from it.
struct Through<'a> {
    view: &'a View<'a>,
    stage: &'a StageView<'a>,
    /// The first line that brings the files today: the new one comes before it.
    before: Instruction<'a>,
    /// What the stage is called, where that is free.
    name: &'static str,
    folder: &'static str,
    /// What it copies, behind the keyword.
    copies: Vec<String>,
    /// What it runs, a command a line.
    script: Vec<String>,
    flags: String,
    dest: String,
}

impl Through<'_> {
    /// Both edits, and the image that the stage stands on.
    fn edits(self) -> Option<(Edit, Edit, String)> {
        let Self { view, before, .. } = self;
        let (image, options, told) = image(view, self.stage)?;
        let name = free_name(view, self.name)?;
        let end = view.source.line_end();
        let lower = view.source.text(before.keyword_span()).as_ref() == "copy";
        let keyword = |word: &str| match lower {
            true => word.to_ascii_lowercase(),
            false => word.to_owned(),
        };
        let folder = self.folder;
        let mut text = vec![
            format!(
                "{} {options}{image} {} {name}",
                keyword("FROM"),
                keyword("AS")
            ),
            format!("{} {folder}", keyword("WORKDIR")),
        ];
        let copy = keyword("COPY");
        text.extend(self.copies.iter().map(|c| format!("{copy} {c}")));
        let more = format!(" && {}", view.file.directives.escape);
        for (n, line) in self.script.iter().enumerate() {
            let start = match n {
                0 => keyword("RUN") + " ",
                _ => "    ".to_owned(),
            };
            let more = if n + 1 < self.script.len() {
                &*more
            } else {
                ""
            };
            text.push(format!("{start}{line}{more}"));
        }
        text.push(String::new());
        let text: String = text.iter().map(|l| format!("{l}{end}")).collect();
        let own = view
            .file
            .instructions()
            .at(view.plan.stages[self.stage.stage].from);
        let place = own.leading_comments.start.min(own.span.start);
        let line = format!(
            "{copy} {}--from={name} {folder} {}{end}",
            self.flags, self.dest
        );
        let first = before.leading_comments.start.min(before.span.start);
        Some((Edit::insert(place, text), Edit::insert(first, line), told))
    }
}

/// The stage that brings what is read, where a list of lines would be too long; `emptied` are files of which nothing counts
/// but that they are there.
pub(super) fn manifests(
    view: &View<'_>,
    stage: &StageView<'_>,
    at: usize,
    reads: &BTreeSet<PathClaim>,
    emptied: Option<&BTreeSet<String>>,
) -> Option<Projected> {
    let above = stage.lines[..at].iter().rev().take_while(|l| !l.barrier);
    let mut all = above.filter_map(|l| Some((l, wanted(view, stage.layout, l, reads)?)));
    let (copy, Wanted { files, folders }) = all.next()?;
    let few = files.len() <= MOST_LINES || lines(view, copy, &files, &folders).is_some();
    if all.next().is_some() || few {
        return None;
    }
    let instruction = view.file.instructions().at(copy.at);
    let Kind::Copy(copied) = instruction.kind() else {
        return None;
    };
    let source = copied.sources.only()?;
    // All keep the names that they have in the context.
    let kept: BTreeSet<String> = files.values().map(|f| base_name(f)).collect();
    let same = files
        .iter()
        .all(|(place, from)| base_name(place) == base_name(from));
    let plain = |n: &String| {
        n.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let is_link = files.values().any(|f| view.files.is_link(f));
    if kept.len() > MOST_NAMES || !same || !kept.iter().all(plain) || is_link {
        return None;
    }
    let step = copy.step?;
    // The folder is copied on as a whole: it must be a folder that was copied.
    let dest = step.dest.as_ref()?.best()?.trim_end_matches('/').to_owned();
    let inside = |place: &String| place.starts_with(&format!("{dest}/"));
    if !files.keys().all(inside) {
        return None;
    }
    let mut trees = Vec::new();
    for place in folders.keys() {
        trees.push(place.strip_prefix(&format!("{dest}/"))?.to_owned());
    }
    if trees.len() > MOST_NAMES || !trees.iter().all(|t| is_plain(t)) {
        return None;
    }
    let flags = flags_taken_over(instruction)?;
    // Of these the stage empties all that have the same end.
    let mut empty = BTreeSet::new();
    let below = stage.layout.first(copy.layers + 1);
    let laid = Laid {
        layout: &below,
        files: view.files,
    };
    for file in emptied.into_iter().flatten() {
        let name = base_name(file);
        let known = inside(file) && laid.context_path(file).is_some();
        if !known || !name.ends_with(".rs") || kept.contains(&name) {
            return None;
        }
        empty.insert(name);
    }
    if kept.len() + empty.len() > MOST_NAMES || !empty.iter().all(plain) {
        return None;
    }
    let named = kept.iter().chain(&empty).map(|n| format!("! -name {n}"));
    let whole = trees.iter().map(|t| format!("! -path './{t}/*'"));
    let names: Vec<String> = named.chain(whole).collect();
    let taken = view.source.text(source.span());
    if !is_plain(&taken) {
        return None;
    }
    let mut script = vec![format!(
        "find . ! -type d {} -exec rm -f {{}} +",
        names.join(" ")
    )];
    if !empty.is_empty() {
        script.push("find . -name '*.rs' -exec truncate -s 0 {} +".to_owned());
    }
    script.push("find . -mindepth 1 -depth -type d -empty -exec rmdir {} \\;".to_owned());
    let dest = match view.source.text(copied.dest.span()).as_ref() {
        "." => "./".to_owned(),
        text if text.ends_with('/') => text.to_owned(),
        text => format!("{text}/"),
    };
    let through = Through {
        view,
        stage,
        before: instruction,
        name: "manifests",
        folder: FOLDER,
        copies: vec![format!("{taken} ./")],
        script,
        flags,
        dest,
    };
    let (new_stage, line, told) = through.edits()?;
    Some(Projected {
        stage: new_stage,
        copied: line,
        copy: copy.at,
        names: files
            .into_values()
            .chain(folders.values().map(|f| format!("{f}/")))
            .collect(),
        assumptions: vec![format!(
            "{told} runs commands as root, has the usual tools (find, rm), and nothing in {FOLDER}"
        )],
        kept,
        emptied: false,
    })
}

fn base_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// The image that a stage stands on as its FROM writes it, the flags of that FROM, and the image's name.
fn image(view: &View<'_>, stage: &StageView<'_>) -> Option<(String, String, String)> {
    let plan: &Plan = view.plan;
    let index = bottom(plan, stage.stage);
    let Base::Image(name) = &plan.stages[index].base else {
        return None;
    };
    let from = view.file.instructions().at(plan.stages[index].from);
    let Kind::From { image, .. } = from.kind() else {
        return None;
    };
    let flags = flags_of(from);
    let written = view.source.text(image.span()).into_owned();
    // Images that are known to have no shell.
    let bare = ["distroless", "chainguard", "scratch"]
        .iter()
        .any(|b| name.contains(b));
    (!bare).then(|| (written, flags, name.clone()))
}
