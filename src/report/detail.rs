//! What the HTML report shows beside the document: every build, the stages, the files of the context, the Dockerfile's text.
//!
//! Goes in: nothing; the command gathers it, and only when a format asks for it. Comes out: plain values. Invariant: steps are those of the
//! document, in its order; builds are oldest first; nothing is escaped here.

use crate::simulate::Verdict;

/// What is known of a target beside its figures.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// The Dockerfile's text.
    pub dockerfile: String,
    /// The steps, as in [`super::model::TargetReport::steps`].
    pub steps: Vec<DetailStep>,
    /// The stages in file order.
    pub stages: Vec<DetailStage>,
    /// Who needs whose files: needed stage, stage that needs it.
    pub edges: Vec<StageEdge>,
    /// Index of the stage that is built.
    pub target: usize,
    /// The builds, oldest first.
    pub builds: Vec<DetailBuild>,
    /// The context at the newest commit.
    pub context: ContextTree,
    /// Builds whose steps are not all among those of today's file (`--dockerfile-from each`).
    pub other_files: usize,
}

/// A step's place.
#[derive(Clone, Debug)]
pub struct DetailStep {
    /// Its stage.
    pub stage: usize,
    /// Keyword, `RUN`.
    pub keyword: &'static str,
    /// First line, 1-based.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
}

/// A stage.
#[derive(Clone, Debug)]
pub struct DetailStage {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it starts from, where that is no stage.
    pub image: Option<String>,
    /// Line of its FROM, 1-based.
    pub line: u32,
    /// Whether the target needs it.
    pub reachable: bool,
}

/// One stage needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StageEdge {
    /// What is needed.
    pub from: usize,
    /// Who needs it.
    pub to: usize,
    /// It starts from it; else it takes files.
    pub base: bool,
}

/// What became of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It counts.
    Counted,
    /// It met an empty cache.
    Cold,
    /// The builder refuses it, with what message.
    Refused(String),
    /// The commit has no Dockerfile.
    Skipped,
}

/// A build.
#[derive(Clone, Debug)]
pub struct DetailBuild {
    /// The commit, in hex, or `worktree`.
    pub commit: String,
    /// The day of it, UTC; empty where its time is no date.
    pub date: String,
    /// The first line of its message.
    pub summary: String,
    /// What became of it.
    pub state: State,
    /// One per step of [`Detail::steps`]; `None` where the Dockerfile of the time had no such step.
    pub verdicts: Vec<Option<Verdict>>,
    /// Why steps are not cached.
    pub causes: Vec<DetailCause>,
    /// Seconds of work.
    pub work_s: f64,
    /// The same with the best plan, where there is one and it can be built.
    pub plan_s: Option<f64>,
}

/// Why a step of a build is not cached.
#[derive(Clone, Debug)]
pub struct DetailCause {
    /// Position in [`Detail::steps`].
    pub step: usize,
    /// As in `replay`.
    pub kind: &'static str,
    /// The first changed files.
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: usize,
    /// Position of the step that it follows from.
    pub because_of: Option<usize>,
}

/// The files of the context, folders with little in them as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextTree {
    /// Nodes; the root first, children behind their parent. Empty where the files can't be listed.
    pub nodes: Vec<ContextNode>,
    /// The checkout's `.git` is in it, which differs in every build and whose size is not known.
    pub git: bool,
}

/// A folder or file of the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextNode {
    /// Relative to the context; a folder ends in `/`, the root is empty.
    pub path: String,
    /// Bytes of it and what is below.
    pub bytes: u64,
    /// Files.
    pub files: usize,
    /// Builds in which any of that changed, the oldest build left out.
    pub builds: usize,
    /// Its parent's index; the root is its own.
    pub parent: usize,
    /// Whether its children are nodes too.
    pub open: bool,
}
