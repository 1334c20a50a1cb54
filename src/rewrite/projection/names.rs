//! Files of which only the names count come with nothing in them.
//!
//! ```text
//!                                  FROM python AS skeleton
//!                                  WORKDIR /skeleton
//!                                  COPY . ./
//!                                  RUN find . -type f ! -path ./pyproject.toml -exec truncate -s 0 {} +
//! FROM python               ->     FROM python
//! COPY . .                         COPY --from=skeleton /skeleton ./
//! RUN pip install -e .             RUN pip install -e .
//!                                  COPY . .
//! ```
//!
//! Goes in: a RUN that asks of most files of the project only whether they are there, such as an install that links to the
//! project's folder. Comes out: the stage that empties them, and the line that copies from it. Invariant: no file is emptied whose
//! content the RUN looks at; the COPYs behind the RUN bring all of them again, with the same owner and mode.

use super::super::flow::is_plain;
use super::super::layout::brought_by;
use super::super::needs::Needs;
use super::super::{Line, StageView, View};
use super::{MOST_NAMES, Projected, Through, flags_taken_over};
use crate::dockerfile::Kind;
use crate::footprint::{Extent, PathClaim};
use std::collections::BTreeSet;

/// The folder in the stage.
const FOLDER: &str = "/skeleton";

/// A COPY that brings some of the files.
struct Bringing {
    instruction: usize,
    /// Absolute, without a slash at the end.
    dest: String,
    /// Place in the image and path in the context.
    files: Vec<(String, String)>,
}

/// The stage that empties the files of which only the names count.
pub(super) fn emptied(
    view: &View<'_>,
    stage: &StageView<'_>,
    at: usize,
    needs: &Needs,
) -> Option<Projected> {
    let above = stage.lines[..at].iter().rev().take_while(|l| !l.barrier);
    let mut copies = Vec::new();
    for line in above {
        if let Some(step) = line.step
            && matches!(view.file.instructions().at(line.at).kind(), Kind::Copy(_))
            && let Some(found) = bringing(view, line, needs, step)?
        {
            copies.push(found);
        }
    }
    copies.reverse();
    let first = copies.first()?;
    // Where all of it goes: to one folder that every COPY copies to, or into.
    let [claim] = needs.names.iter().collect::<Vec<_>>()[..] else {
        return None;
    };
    let top = match copies.as_slice() {
        [one] => one.dest.clone(),
        _ => claim.path.clone(),
    };
    let relative = |path: &str| {
        path.strip_prefix(&*top)?
            .strip_prefix('/')
            .map(str::to_owned)
    };
    let instruction = view.file.instructions().at(first.instruction);
    let flags = flags_taken_over(instruction)?;
    let mut lines = Vec::new();
    for copy in &copies {
        let own = view.file.instructions().at(copy.instruction);
        let Kind::Copy(copied) = own.kind() else {
            return None;
        };
        let sources: Vec<String> = copied
            .sources
            .iter()
            .map(|s| view.source.text(s.span()).into_owned())
            .collect();
        let whole = view.source.text(copied.dest.span());
        let dest = match copy.dest == top {
            true => "./".to_owned(),
            false => {
                let slash = if whole.ends_with('/') { "/" } else { "" };
                format!("{}{slash}", relative(&copy.dest)?)
            }
        };
        let plain = sources.iter().all(|s| is_plain(s)) && is_plain(&dest);
        if !plain || flags_taken_over(own)? != flags {
            return None;
        }
        lines.push(format!("{} {dest}", sources.join(" ")));
    }
    let all: Vec<&(String, String)> = copies.iter().flat_map(|c| &c.files).collect();
    // The repository differs in every build.
    if all
        .iter()
        .any(|(_, from)| from == ".git" || from.starts_with(".git/"))
    {
        return None;
    }
    let looked_at = |place: &str| {
        let place = PathClaim::exact(place);
        needs.reads.iter().any(|c| c.covers(&place))
    };
    let mut kept = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut tests = BTreeSet::new();
    for (place, from) in all.iter().filter(|(place, _)| looked_at(place)) {
        let tree = needs
            .reads
            .iter()
            .find(|c| c.extent == Extent::Subtree && c.covers(&PathClaim::exact(&**place)));
        let path = relative(tree.map_or(place, |t| &t.path))?;
        if !is_plain(&path) {
            return None;
        }
        tests.insert(match tree {
            Some(_) => format!("! -path './{path}/*'"),
            None => format!("! -path ./{path}"),
        });
        kept.insert(path);
        names.insert(from.clone());
    }
    let some_left = all.iter().any(|(place, _)| !looked_at(place));
    if tests.is_empty() || tests.len() > MOST_NAMES || !some_left {
        return None;
    }
    let tests: Vec<String> = tests.into_iter().collect();
    let cwd = view
        .plan
        .states
        .get(first.instruction)?
        .as_ref()?
        .cwd
        .clone();
    let through = Through {
        view,
        stage,
        before: instruction,
        name: "skeleton",
        folder: FOLDER,
        copies: lines,
        script: vec![format!(
            "find . -type f {} -exec truncate -s 0 {{}} +",
            tests.join(" ")
        )],
        flags,
        dest: match cwd.as_deref() == Some(&*top) {
            true => "./".to_owned(),
            false => format!("{top}/"),
        },
    };
    let (new_stage, copied, told) = through.edits()?;
    Some(Projected {
        stage: new_stage,
        copied,
        copy: first.instruction,
        names,
        assumptions: vec![format!(
            "{told} runs commands as root, has the usual tools (find, truncate), and nothing in {FOLDER}"
        )],
        kept,
        emptied: true,
    })
}

/// What a COPY brings of the files; nothing where it brings none, `None` where that is not known.
fn bringing(
    view: &View<'_>,
    line: &Line<'_>,
    needs: &Needs,
    step: &crate::plan::Step,
) -> Option<Option<Bringing>> {
    let takes_context = step
        .inputs
        .iter()
        .any(|i| matches!(i, crate::plan::Input::Context(_)));
    if !takes_context {
        return Some(None);
    }
    let all = brought_by(step, &PathClaim::subtree("/"), view.files)?;
    let meets = |(place, _): &(String, String)| {
        let place = PathClaim::exact(&**place);
        needs.sees().any(|c| c.covers(&place))
    };
    if !all.iter().any(meets) {
        return Some(None);
    }
    let dest = step.dest.as_ref()?.best()?.trim_end_matches('/').to_owned();
    // A file that gets the name of the destination itself has no folder of its own.
    if dest.is_empty() || all.iter().any(|(place, _)| *place == dest) {
        return None;
    }
    Some(Some(Bringing {
        instruction: line.at,
        dest,
        files: all,
    }))
}
