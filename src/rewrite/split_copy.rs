//! What a RUN needs first: copy that before the rest, so that the RUN survives every other edit.
//!
//! ```text
//! COPY . .                 COPY package.json package-lock.json ./
//! RUN npm ci        ->     RUN npm ci
//!                          COPY . .
//! ```
//!
//! Precondition: what the RUN needs of the project is known ([`super::needs`], or the footprint of commands that only read), a COPY above it brings that and more, and no
//! step between them is a barrier. Safety: assumed. That the COPY may then come behind the RUN is for `optimize` to find.

use super::flow::chain;
use super::layout::{Laid, brought_by};
use super::needs::Needs;
use super::{EditNote, Line, Rewrite, Safety, StageView, View};
use crate::dockerfile::Kind;
use crate::footprint::{Extent, PathClaim};
use crate::plan::{Base, StepKind};
use crate::source::{Edit, Span};
use std::collections::{BTreeMap, BTreeSet};

/// Most lines that are worth a reader's time.
pub(super) const MOST_LINES: usize = 24;

/// One rewrite for every RUN that something above it makes wait.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    let mut out: Vec<Rewrite> = Vec::new();
    for stage in &view.stages {
        for (at, run) in stage.lines.iter().enumerate() {
            let plain;
            let needs = match run.needs {
                // Those that ask for every file by its name are for `projection`.
                Some(Ok(needs)) if needs.names.is_empty() => needs,
                None if let Some(found) = looks_at(run) => {
                    plain = found;
                    &plain
                }
                _ => continue,
            };
            let Some(first) =
                manifests_first(view, stage, at, &needs.reads, !needs.adds.is_empty())
            else {
                continue;
            };
            let First {
                mut edits,
                names,
                copy,
            } = first;
            let instruction = view.file.instructions().at(copy);
            let mut assumptions = needs.assumptions.clone();
            if let Some(assignment) = needs.afterwards {
                if chain(view.plan, view.plan.target).any(|s| s == stage.stage) {
                    // The image would hold the variable.
                    continue;
                }
                edits.push(environment(view, copy, assignment));
                assumptions.push(format!(
                    "{assignment}: what comes behind line {} takes its install for good, as it does today",
                    view.file.instructions().at(run.at).line
                ));
            }
            let rewrite = Rewrite {
                safety: Safety::Assumed,
                edits,
                ignore: Vec::new(),
                caches: Vec::new(),
                note: EditNote {
                    rewrite: "split-copy",
                    safety: Safety::Assumed,
                    line: instruction.line,
                    end_line: instruction.end_line,
                    why: why(&names, view.file.instructions().at(run.at).line),
                    assumptions,
                },
            };
            if !out.iter().any(|r| r.edits == rewrite.edits) {
                out.push(rewrite);
            }
        }
    }
    out
}

/// A RUN that waits for more files than it looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The RUN, as an index into the file's instructions.
    pub run: usize,
    /// The first instruction that brings what it looks at together with more.
    pub copy: usize,
    /// What it looks at of that, relative to the context; folders end in a slash.
    pub names: Vec<String>,
    /// What that rests on.
    pub assumptions: Vec<String>,
}

/// Every RUN whose tool is known and that waits for files which it does not look at.
#[must_use]
pub fn waiting(view: &View<'_>) -> Vec<Waiting> {
    let mut out = Vec::new();
    for stage in &view.stages {
        for (at, run) in stage.lines.iter().enumerate() {
            let Some(Ok(needs)) = run.needs else {
                continue;
            };
            let seen = needs.sees().cloned().collect();
            if let Some(first) = manifests_first(view, stage, at, &seen, true) {
                out.push(Waiting {
                    run: run.at,
                    copy: first.copy,
                    names: first.names.into_iter().collect(),
                    assumptions: needs.assumptions.clone(),
                });
            }
        }
    }
    out
}

/// What a RUN of plain commands looks at, that changes none of it: `cat a.cnf > /etc/a.cnf`.
fn looks_at(run: &Line<'_>) -> Option<Needs> {
    let step = run.step.filter(|s| s.kind == StepKind::Run)?;
    let footprint = step.footprint.as_ref()?;
    let plain = footprint.opaque.is_none() && footprint.uses.is_empty();
    let changes = footprint.reads.overlaps(&footprint.changes()).is_some();
    (plain && !changes).then(|| Needs {
        reads: footprint.reads.claims.iter().cloned().collect(),
        assumptions: footprint.assumptions.clone(),
        ..Needs::default()
    })
}

/// A line that sets a variable before an instruction.
pub(super) fn environment(view: &View<'_>, before: usize, assignment: &str) -> Edit {
    let instruction = view.file.instructions().at(before);
    let start = instruction
        .leading_comments
        .start
        .min(instruction.span.start);
    let word = match view.source.text(instruction.keyword_span()).as_ref() {
        "copy" => "env",
        _ => "ENV",
    };
    let text = format!("{word} {assignment}{}", view.source.line_end());
    Edit {
        span: Span { start, end: start },
        text: text.into_bytes(),
    }
}

/// COPY lines for what some instruction needs, before those that bring it with more.
pub(super) struct First {
    pub edits: Vec<Edit>,
    /// What they bring.
    pub names: BTreeSet<String>,
    /// The first instruction that brings it today.
    pub copy: usize,
}

/// The lines that bring what is read, before the first COPYs above an instruction that bring it with more; `None` where
/// there are none up to the next barrier. `deep` looks into the stages below too.
pub(super) fn manifests_first(
    view: &View<'_>,
    stage: &StageView<'_>,
    at: usize,
    reads: &BTreeSet<PathClaim>,
    deep: bool,
) -> Option<First> {
    let mut edits = Vec::new();
    let mut names = BTreeSet::new();
    let mut first = None;
    let mut place = Some((stage, at));
    // What the stages below have brought is there as well.
    'all: while let Some((own, until)) = place {
        for copy in own.lines[..until].iter().rev() {
            if copy.barrier {
                break 'all;
            }
            let Some((edit, brought)) = one(view, own.layout, copy, reads) else {
                continue;
            };
            edits.push(edit);
            names.extend(brought);
            first = Some(copy.at);
        }
        place = match view.plan.stages[own.stage].base {
            Base::Stage(below) if deep => {
                let found = view.stages.iter().find(|s| s.stage == below);
                found.map(|s| (s, s.lines.len()))
            }
            _ => None,
        };
    }
    edits.reverse();
    Some(First {
        edits,
        names,
        copy: first?,
    })
}

fn why(names: &BTreeSet<String>, line: u32) -> String {
    const SHOWN: usize = 4;
    let mut list: Vec<&str> = names.iter().map(String::as_str).take(SHOWN).collect();
    let rest = names.len() - list.len();
    let more = format!("{rest} more");
    if rest > 0 {
        list.push(&more);
    }
    let verb = if names.len() == 1 { "comes" } else { "come" };
    format!(
        "{} {verb} first, so that line {line} no longer runs for every source edit",
        list.join(", ")
    )
}

/// What is needed of one COPY: files and whole folders, each by its place with its path in the context.
pub(super) struct Wanted {
    pub files: BTreeMap<String, String>,
    pub folders: BTreeMap<String, String>,
}

/// What is needed of one COPY; `None` where the COPY brings nothing of it, or nothing else.
pub(super) fn wanted(
    view: &View<'_>,
    layout: &super::layout::Layout,
    copy: &Line<'_>,
    reads: &BTreeSet<PathClaim>,
) -> Option<Wanted> {
    let step = copy.step?;
    let instruction = view.file.instructions().at(copy.at);
    let excludes = instruction
        .flags()
        .iter()
        .any(|f| f.raw.starts_with("--exclude"));
    if !matches!(instruction.kind(), Kind::Copy(_)) || excludes {
        return None;
    }
    let below = layout.first(copy.layers);
    let laid = Laid {
        layout: &below,
        files: view.files,
    };
    let mut needed: BTreeMap<String, String> = BTreeMap::new();
    let mut folders: BTreeMap<String, String> = BTreeMap::new();
    for claim in reads {
        let brought = brought_by(step, claim, view.files)?;
        let new =
            |(place, from): &&(String, String)| laid.context_path(place).as_deref() != Some(from);
        let missing: Vec<_> = brought.iter().filter(new).cloned().collect();
        if claim.extent == Extent::Subtree
            && !missing.is_empty()
            && let Some(folder) = folder_of(claim, &missing)
        {
            folders.insert(claim.path.clone(), folder);
        } else {
            needed.extend(missing);
        }
    }
    // A line for the repository would bring what is in it, and it differs in every build.
    let git = needed.values().any(|from| from == ".git");
    if git || (needed.is_empty() && folders.is_empty()) {
        return None;
    }
    let all = brought_by(step, &PathClaim::subtree("/"), view.files)?;
    let inside = |place: &String| {
        let covers = |f: &String| PathClaim::subtree(&**f).covers(&PathClaim::exact(&**place));
        needed.contains_key(place) || folders.keys().any(covers)
    };
    if all.iter().all(|(place, _)| inside(place)) {
        return None;
    }
    Some(Wanted {
        files: needed,
        folders,
    })
}

/// The lines that bring what is needed of one COPY, and the names of that.
fn one(
    view: &View<'_>,
    layout: &super::layout::Layout,
    copy: &Line<'_>,
    reads: &BTreeSet<PathClaim>,
) -> Option<(Edit, BTreeSet<String>)> {
    let instruction = view.file.instructions().at(copy.at);
    let Wanted {
        files: needed,
        folders,
    } = wanted(view, layout, copy, reads)?;
    let lines = lines(view, copy, &needed, &folders)?;
    let line_end = view.source.line_end();
    let start = instruction
        .leading_comments
        .start
        .min(instruction.span.start);
    let mut names: BTreeSet<String> = needed.values().cloned().collect();
    names.extend(folders.values().map(|f| format!("{f}/")));
    let text: String = lines.iter().map(|l| format!("{l}{line_end}")).collect();
    Some((
        Edit {
            span: Span { start, end: start },
            text: text.into_bytes(),
        },
        names,
    ))
}

/// The folder of the context that all of these files come from.
fn folder_of(claim: &PathClaim, files: &[(String, String)]) -> Option<String> {
    let of = |(place, from): &(String, String)| {
        let rest = place.strip_prefix(&*claim.path)?;
        let folder = from.strip_suffix(rest)?;
        (!folder.is_empty() && !rest.is_empty()).then(|| folder.to_owned())
    };
    let first = of(files.first()?)?;
    files
        .iter()
        .all(|f| of(f).as_ref() == Some(&first))
        .then_some(first)
}

/// COPY lines that put files and folders where they belong, with the flags of the COPY that brought them; `None` where
/// they are too many, or a name would need quotes.
pub(super) fn lines(
    view: &View<'_>,
    copy: &Line<'_>,
    needed: &BTreeMap<String, String>,
    folders: &BTreeMap<String, String>,
) -> Option<Vec<String>> {
    let instruction = view.file.instructions().at(copy.at);
    let cwd = view.plan.states.get(copy.at)?.as_ref()?.cwd.clone();
    let mut start = vec![view.source.text(instruction.keyword_span()).into_owned()];
    start.extend(
        instruction
            .flags()
            .iter()
            .map(|f| f.raw.as_str().to_owned()),
    );
    let start = start.join(" ");
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut out = Vec::new();
    for (place, from) in needed {
        let (dir, name) = place.rsplit_once('/')?;
        if from.rsplit('/').next() == Some(name) {
            groups.entry(dir.to_owned()).or_default().push(from);
        } else {
            out.push((place.clone(), format!("{start} {from} {place}")));
        }
    }
    for (dir, mut files) in groups {
        files.sort_unstable();
        let dest = shown(&dir, cwd.as_deref());
        out.push((dir, format!("{start} {} {dest}", files.join(" "))));
    }
    for (dir, from) in folders {
        out.push((
            dir.clone(),
            format!("{start} {from} {}", shown(dir, cwd.as_deref())),
        ));
    }
    out.sort();
    let words = needed.iter().chain(folders).flat_map(|(a, b)| [a, b]);
    if out.len() > MOST_LINES || !words.clone().all(|w| is_plain(w)) {
        return None;
    }
    Some(out.into_iter().map(|(_, line)| line).collect())
}

/// A folder as the destination of a COPY.
fn shown(dir: &str, cwd: Option<&str>) -> String {
    let dir = if dir.is_empty() { "/" } else { dir };
    match cwd {
        Some(cwd) if cwd == dir => "./".to_owned(),
        Some(cwd) if cwd != "/" => match dir.strip_prefix(cwd).and_then(|r| r.strip_prefix('/')) {
            Some(rest) => format!("{rest}/"),
            None => format!("{}/", dir.trim_end_matches('/')),
        },
        _ => format!("{}/", dir.trim_end_matches('/')),
    }
}

/// A path that means itself in a COPY line.
pub(super) fn is_plain(word: &str) -> bool {
    word.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-/@+".contains(&b))
}
