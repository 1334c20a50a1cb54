//! Rewrites of a Dockerfile: find, justify, edit. One file per rewrite.
//!
//! Goes in: a parsed file, its plan, the context at the newest commit. Comes out: [`Rewrite`]s with
//! their edits and what they rest on. Invariant: a rewrite without a justification does not exist;
//! edits never overlap.

pub mod bind_mount;
pub mod cache_mount;
pub mod caches;
mod chain;
pub mod copy_flags;
pub mod covered;
mod finders;
pub mod flow;
pub mod ignore_lines;
pub mod layout;
pub mod link;
mod live;
mod mention;
pub mod merge_run;
pub mod move_to_stage;
pub mod narrow_copy;
pub mod needs;
pub mod own_stage;
pub mod prefetch;
pub mod projection;
pub mod recipes;
pub mod reorder;
pub mod split_copy;
pub mod split_run;

use crate::dockerfile::{Dockerfile, parse};
use crate::footprint::{PathClaim, PathSet, RunState};
use crate::plan::{Plan, Step, WrittenVar, is_posix_shell};
use crate::source::{Edit, SourceFile, apply_edits};
use std::fmt;

/// How much a rewrite promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Safety {
    /// The same image, always.
    Proven,
    /// The same image under the assumptions named.
    Assumed,
    /// A person has to look.
    Review,
}

impl Safety {
    /// The name on the command line and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Assumed => "assumed",
            Self::Review => "review",
        }
    }
}

impl fmt::Display for Safety {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one edit does, for people. Lines are the original file's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditNote {
    /// Name of the rewrite.
    pub rewrite: &'static str,
    /// What it promises.
    pub safety: Safety,
    /// First line it concerns, 1-based.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// One sentence, no full stop.
    pub why: String,
    /// What it rests on.
    pub assumptions: Vec<String>,
}

/// A change of the Dockerfile or its ignore file that leaves the image as it is. What it gains may take a new order
/// of the instructions, which is found afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// What it promises.
    pub safety: Safety,
    /// Changes of the Dockerfile's text.
    pub edits: Vec<Edit>,
    /// Lines for the end of the ignore file.
    pub ignore: Vec<String>,
    /// Stages and tools whose caches it fills or hides: of two that do either, one is in the way of the other.
    pub caches: Vec<(usize, String)>,
    /// For reports.
    pub note: EditNote,
}

/// A Dockerfile with rewrites applied, their order not yet.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The new text.
    pub source: SourceFile,
    /// For every instruction of it, the one of the original that it was, or was part of; `None` for one that was added.
    pub origin: Vec<Option<usize>>,
    /// Lines for the end of the ignore file.
    pub ignore: Vec<String>,
}

/// A Dockerfile as rewrites look at it.
pub struct View<'a> {
    /// Its text.
    pub source: &'a SourceFile,
    /// Its tree.
    pub file: &'a Dockerfile,
    /// Its steps.
    pub plan: &'a Plan,
    /// The context.
    pub files: &'a dyn ContextFiles,
    /// The stages that the target needs.
    pub stages: Vec<StageView<'a>>,
    /// What it rests on that two lines of a stage change places, given as places in [`StageView::lines`], the first one
    /// first; `None` where they must not.
    pub commute: Box<dyn Fn(usize, usize, usize) -> Option<Vec<String>> + 'a>,
}

impl<'a> View<'a> {
    /// What is found at any line of any stage, in order.
    fn at_every_line<'v, R>(
        &'v self,
        find: impl Fn(&'v StageView<'a>, usize) -> Option<R>,
    ) -> Vec<R> {
        let of_stage = |stage: &'v StageView<'a>| {
            let find = &find;
            (0..stage.lines.len()).filter_map(move |at| find(stage, at))
        };
        self.stages.iter().flat_map(of_stage).collect()
    }
}

/// One stage of it.
pub struct StageView<'a> {
    /// Index of the stage.
    pub stage: usize,
    /// Where its files come from.
    pub layout: &'a layout::Layout,
    /// Its instructions, FROM left out.
    pub lines: Vec<Line<'a>>,
    /// What the image at the bottom of it is known to be.
    pub bottom: Bottom<'a>,
}

/// The image at the bottom of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bottom<'a> {
    /// Nothing.
    Empty,
    /// An image whose links are known: they lie in system folders.
    Plain,
    /// Nothing is known of the image with this name.
    Unknown(&'a str),
}

/// What a step leaves in the files that it stands on.
pub struct Leaves<'a> {
    /// Places that it creates, changes or deletes.
    pub writes: &'a PathSet,
    /// Folders that it makes where they are missing, and whether they are root's then and have mode 0755.
    pub makes: Vec<(&'a str, bool)>,
    /// Where it may leave links.
    pub links: Vec<&'a PathClaim>,
}

/// What the shell of a RUN sees; `None` where that is not known.
fn run_state(plan: &Plan, at: usize, step: &Step) -> Option<RunState> {
    let stated = plan.states.get(at)?.as_ref()?;
    let known = |v: &WrittenVar| Some((v.name.clone(), v.value.clone()?));
    Some(RunState {
        cwd: stated.cwd.clone(),
        user: stated.user.clone(),
        vars: step.written.vars.iter().filter_map(known).collect(),
        homes: stated.homes.clone(),
    })
}

/// Whether a RUN's shell is one that reads scripts as POSIX has them.
fn runs_in_posix_shell(step: &Step) -> bool {
    let mut fields = step.written.fields.iter();
    let shell = fields.find(|(name, _)| *name == "shell");
    shell.is_some_and(|(_, shell)| {
        let words: Vec<String> = shell.split(' ').map(str::to_owned).collect();
        is_posix_shell(&words)
    })
}

/// One instruction of a stage.
pub struct Line<'a> {
    /// Index into the file's instructions.
    pub at: usize,
    /// Its step, where it makes one.
    pub step: Option<&'a Step>,
    /// What a RUN needs of the project, or why that is not known.
    pub needs: Option<&'a Result<needs::Needs, String>>,
    /// What its step leaves; `None` where it makes none, or where that is not known.
    pub leaves: Option<Leaves<'a>>,
    /// Layers of files below it.
    pub layers: usize,
    /// What it does is not known: nothing passes it.
    pub barrier: bool,
}

/// The build context at the newest commit, as rewrites look at it. Paths are relative to the
/// context; files that ignore rules leave out are not there.
pub trait ContextFiles {
    /// Whether this is a file that the builder is sent.
    fn is_file(&self, path: &str) -> bool;
    /// Whether it is a symbolic link.
    fn is_link(&self, path: &str) -> bool;
    /// The symbolic links that are sent from below this folder, relative to it; empty is the whole context.
    /// `None` where there may be others.
    fn links_in(&self, dir: &str) -> Option<Vec<String>>;
    /// Whether anything is sent from below this folder.
    fn has_below(&self, dir: &str) -> bool;
    /// Every file that is sent from below this folder, sorted; empty is the whole context.
    fn below(&self, dir: &str) -> Vec<String>;
    /// Whether its owner may run a file as a program; `None` where that is not known.
    fn is_executable(&self, _path: &str) -> Option<bool> {
        None
    }
    /// Whether the checkout's own `.git`, which is in no commit, is sent along.
    fn holds_git(&self) -> bool {
        false
    }
    /// Where a symbolic link leads, as it says; `None` where that is not known.
    fn link_text(&self, _path: &str) -> Option<String> {
        None
    }
    /// How many bytes files have, where that is known without reading them.
    fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
        vec![None; paths.len()]
    }
    /// Where what was found in its files is kept; `None` to look anew each time.
    fn memo(&self) -> Option<&needs::Memo> {
        None
    }
    /// The bytes of a file, if it is sent and can be read.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
}

/// Lines put in at one place, without those that another edit puts in there.
fn without_repeated(edit: &Edit, others: &[Edit]) -> Edit {
    let lines = |e: &Edit| -> Vec<Vec<u8>> {
        let lines = e.text.split_inclusive(|b| *b == b'\n');
        lines.map(<[u8]>::to_vec).collect()
    };
    let copies = |line: &Vec<u8>| line.to_ascii_uppercase().starts_with(b"COPY ");
    let same = others
        .iter()
        .filter(|o| o.span == edit.span && o.span.is_empty());
    let known: Vec<Vec<u8>> = same.flat_map(lines).filter(copies).collect();
    let mut own = lines(edit);
    if edit.span.is_empty() && own.iter().all(copies) {
        own.retain(|l| !known.contains(l));
    }
    Edit {
        span: edit.span,
        text: own.concat(),
    }
}

/// Applies the edits of all rewrites; `None` where two of them touch the same bytes.
#[must_use]
pub fn apply(source: &SourceFile, file: &Dockerfile, rewrites: &[&Rewrite]) -> Option<Applied> {
    let mut edits: Vec<Edit> = Vec::new();
    for edit in rewrites.iter().flat_map(|r| &r.edits) {
        // Two of them may ask for the same line.
        let edit = without_repeated(edit, &edits);
        let nothing = edit.text.is_empty() && edit.span.is_empty();
        if !nothing && !edits.contains(&edit) {
            edits.push(edit);
        }
    }
    let text = apply_edits(source.bytes(), &edits).ok()?;
    let new = SourceFile::new(source.name().to_owned(), text);
    let after = parse(&new).tree;
    // An instruction is the old one where its keyword is at the place that the old one has moved to.
    let moved = |start: u32| {
        let before = edits.iter().filter(|e| e.span.end <= start);
        let by: i64 = before
            .map(|e| e.text.len() as i64 - e.span.len() as i64)
            .sum();
        u32::try_from(i64::from(start) + by).ok()
    };
    let replaced = |start: u32| {
        edits
            .iter()
            .any(|e| e.span.start <= start && start < e.span.end)
    };
    let mut origin = vec![None; after.instructions().len()];
    for (at, old) in file.instructions().iter().enumerate() {
        let start = old.keyword_span().start;
        let place = moved(start).filter(|_| !replaced(start));
        let found = after
            .instructions()
            .iter()
            .position(|i| Some(i.keyword_span().start) == place);
        if let Some(found) = found {
            origin[found] = Some(at);
        }
        // One that an edit begins in the middle of another is part of that.
        let inside = |e: &&Edit| start < e.span.start && e.span.end < old.span.end;
        for edit in edits.iter().filter(inside) {
            let Some(from) = moved(edit.span.start) else {
                continue;
            };
            let new = from..from + u32::try_from(edit.text.len()).unwrap_or(0);
            for (found, i) in after.instructions().iter().enumerate() {
                if new.contains(&i.keyword_span().start) {
                    origin[found] = Some(at);
                }
            }
        }
    }
    Some(Applied {
        source: new,
        origin,
        ignore: rewrites.iter().flat_map(|r| r.ignore.clone()).collect(),
    })
}
