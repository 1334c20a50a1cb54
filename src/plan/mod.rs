//! The step graph of one Dockerfile under one set of build options.
//!
//! Goes in: a parsed [`crate::dockerfile::Dockerfile`] and [`BuildOptions`]. Comes out: a [`Plan`]: stages, steps (one
//! builder vertex each), what enters each step's cache key, and a petgraph of who depends on whom.
//! Costs one pass. Invariant: two steps get the same `definition` exactly when the builder's own
//! definition digest would be equal, as far as the base images' configuration is unknown but stable.

mod builder;
mod device;
mod flags;
mod footprints;
mod image;
mod key;
mod lower;
mod mount;
mod per_build;
mod platform;
mod run;
mod sent;
mod stages;
mod state;
mod title;
mod transfer;
mod words;
mod written;

pub use builder::{Builder, ContentRule, Lacks};
pub use flags::RunFlags;
pub use footprints::{is_posix_shell, with_recipes};
pub use image::{image_name, normalize_reference};
pub use lower::lower;
pub(crate) use mount::fields as mount_fields;
pub use mount::{Mount, MountType};
pub use per_build::names_a_build;
pub(crate) use platform::{arguments as platform_arguments, parse as parse_platform};
pub use state::{Origin, VOLATILE};
pub use written::{Written, WrittenVar};

use crate::diagnostic::Diagnostic;
use crate::footprint::{Class, Footprint};
use crate::pattern::{SourceKind, SourcePattern};
use crate::source::Span;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::FxHashMap;
use std::fmt;

/// What `docker build` is told beside the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOptions {
    /// `--target`, any case; the last stage without it.
    pub target: Option<String>,
    /// `--build-arg`, later ones win.
    pub args: Vec<(String, String)>,
    /// `--platform` of the result, `os/arch[/variant]`.
    pub platform: String,
    /// Build args that differ in every build.
    pub volatile_args: Vec<String>,
    /// `--build-context`: names, and what stands for them: `docker-image://reference`, or anything
    /// else, whose files this module does not look at. Later ones win.
    pub contexts: Vec<(String, String)>,
    /// `--no-cache-filter`: RUN, COPY and ADD of the stages with these names run whatever is stored
    /// (experiments row 99). Without names those of every stage, as with `--no-cache`.
    pub no_cache: Option<Vec<String>>,
    /// Flags that are in the key of every RUN.
    pub run: RunFlags,
    /// Whose rules.
    pub builder: Builder,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            target: None,
            args: Vec::new(),
            platform: "linux/amd64".to_owned(),
            volatile_args: Vec::new(),
            contexts: Vec::new(),
            no_cache: None,
            run: RunFlags::default(),
            builder: Builder::BUILDKIT,
        }
    }
}

/// `stage.instruction`, both 0-based, every instruction of the stage counted (FROM is 0). The ONBUILD
/// triggers that a FROM brings along are `1.0+1`, `1.0+2` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId {
    /// Index of the stage in the file.
    pub stage: u16,
    /// Index of the instruction in the stage.
    pub instruction: u16,
    /// Number of the ONBUILD trigger, from 1; 0 for an instruction of the stage itself.
    pub trigger: u16,
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stage, self.instruction)?;
        match self.trigger {
            0 => Ok(()),
            n => write!(f, "+{n}"),
        }
    }
}

/// What kind of vertex a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// FROM of an image.
    From,
    /// RUN.
    Run,
    /// COPY.
    Copy,
    /// ADD.
    Add,
    /// WORKDIR, unless it resolves to `/`.
    Workdir,
}

impl StepKind {
    /// The keyword.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Self::From => "FROM",
            Self::Run => "RUN",
            Self::Copy => "COPY",
            Self::Add => "ADD",
            Self::Workdir => "WORKDIR",
        }
    }
}

/// Files of the build context that a step's key depends on by content.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextInput {
    /// Expanded sources as written, in order.
    pub sources: Vec<String>,
    /// `--exclude` patterns.
    pub excludes: Vec<String>,
    /// The sources of a bind mount: `*`, `?` and `[` are ordinary characters in them.
    pub literal: bool,
    /// How the builder digests these files.
    pub rule: ContentRule,
    /// All sources of the build, where they decide which targets of links are sent; else nothing.
    pub beside: Vec<String>,
    /// Everything is sent, whatever the sources are.
    pub whole: bool,
}

/// Files of a named context that a step's key depends on by content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedInput {
    /// The context's name.
    pub context: String,
    /// What is taken from it.
    pub files: ContextInput,
}

/// An input of a step that the builder compares by content, beside the parent file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Files of the build context.
    Context(ContextInput),
    /// Files of another stage's result.
    Stage {
        /// Index of that stage.
        stage: usize,
        /// Expanded source paths.
        sources: Vec<String>,
        /// `--exclude` patterns.
        excludes: Vec<String>,
        /// How the builder digests these files.
        rule: ContentRule,
    },
    /// Files of an image that is no stage of this file (`COPY --from=nginx`): its normalised name.
    Image(String),
    /// Files of a named context that is no image.
    Named(NamedInput),
    /// A URL or git repository given to ADD: it moves without a commit here.
    Remote(String),
}

/// Parts of a definition, hashed one by one so that a report can name the part that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Command, paths, flags, mounts.
    pub instruction: u128,
    /// Variables whose value comes from an ARG.
    pub args: u128,
    /// Other variables, working directory, user, shell.
    pub env: u128,
}

/// One builder vertex.
#[derive(Clone, Debug)]
pub struct Step {
    /// `stage.instruction`.
    pub id: StepId,
    /// What it is.
    pub kind: StepKind,
    /// What the builder's progress prints, e.g. `[builder 4/7] RUN npm ci`.
    pub name: String,
    /// Index into [`crate::dockerfile::Dockerfile::instructions`]; for an ONBUILD trigger that of the
    /// ONBUILD in the base stage.
    pub instruction: usize,
    /// First line, 1-based.
    pub line: u32,
    /// Last line, 1-based.
    pub end_line: u32,
    /// The instruction's bytes.
    pub span: Span,
    /// Digest of everything in the key but the inputs.
    pub definition: u128,
    /// The same, by part.
    pub parts: Parts,
    /// A comment above the instruction says that its output depends on its inputs alone.
    pub reproducible: bool,
    /// The same, in words.
    pub written: Written,
    /// Of a RUN, which variables may stand among those of an image that is not known, as a number. Steps that differ in
    /// this alone may be the same.
    pub variable_places: Option<u128>,
    /// A per-build value is in the definition: it never equals an earlier one.
    pub volatile: bool,
    /// It runs whatever is stored: `--no-cache-filter` names its stage.
    pub forced: bool,
    /// Whether the parent file system is in the key; false for `COPY --link`.
    pub keyed_by_parent: bool,
    /// Ids of the cache mounts of a RUN: as given, else the target (cache keys 10).
    pub cache_mounts: Vec<String>,
    /// Where those mounts are, one each; `None` where the base image's working directory decides.
    pub cache_targets: Vec<Option<String>>,
    /// A mount takes the files of the very step that the RUN stands on: its file system is then an
    /// input by content, the whole of it, instead of by key (cache keys 3.1).
    pub own_base: bool,
    /// Where its mounts are; `None` where the base image's working directory decides.
    pub mount_targets: Vec<Option<String>>,
    /// A mount of it makes the client send all of the context, though nothing of that is an input.
    pub sends_context: bool,
    /// Content inputs in slot order.
    pub inputs: Vec<Input>,
    /// Text that cost rules match: the command of a RUN, else the arguments.
    pub text: String,
    /// What a RUN touches; `None` for other kinds.
    pub footprint: Option<Footprint>,
    /// Cost classes, never empty except for FROM.
    pub classes: Vec<Class>,
    /// What COPY, ADD and WORKDIR write: the resolved destination.
    pub dest: Option<Dest>,
    /// Text files among the sources of COPY and ADD: name and expanded content.
    pub inline: Vec<(String, String)>,
    /// `--parents`: sources keep their folders.
    pub parents: bool,
    /// The builder's message where the step fails whenever it is executed.
    pub fails: Option<&'static str>,
    /// The steps before and behind it in its stage.
    pub between: Between,
}

/// What stands right before a step in its stage and right behind it: keyword and text without flags, as the builder prints them. The
/// first FROM is its keyword alone, since an image's name goes with its version; a stage's end is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Between {
    /// Before it.
    pub above: String,
    /// Behind it.
    pub below: String,
}

impl Between {
    /// Of the titles of the steps before and behind, without the brackets.
    #[must_use]
    pub fn titles(above: Option<&str>, below: Option<&str>) -> Self {
        let of = |title: Option<&str>| title.map(without_flags).unwrap_or_default();
        Self {
            above: of(above),
            below: of(below),
        }
    }
}

/// `RUN --network=none make` as `RUN make`, and a FROM by its keyword alone.
fn without_flags(title: &str) -> String {
    let mut words = title.split([' ', '\t']);
    let keyword = words.next().unwrap_or_default();
    if keyword == "FROM" {
        return keyword.to_owned();
    }
    let rest: Vec<&str> = words
        .skip_while(|w| w.starts_with("--") || w.is_empty())
        .collect();
    format!("{keyword} {}", rest.join(" ").trim_end())
}

/// Tells every step what stands before and behind it.
fn note_neighbours(plan: &mut Plan) {
    fn text(name: &str) -> &str {
        name.split_once("] ").map_or(name, |(_, text)| text)
    }
    for stage in 0..plan.stages.len() {
        let steps = plan.stages[stage].steps.clone();
        for (i, node) in steps.iter().enumerate() {
            let name = |at: Option<usize>| Some(text(&plan.graph[*steps.get(at?)?].name));
            let between = Between::titles(name(i.checked_sub(1)), name(Some(i + 1)));
            plan.graph[*node].between = between;
        }
    }
}

/// Where COPY, ADD or WORKDIR writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dest {
    /// Absolute and clean, or `None` where the base image's working directory decides.
    pub path: Option<String>,
    /// Where it is then, most likely.
    pub likely: Option<Likely>,
    /// Ends with a slash (or is `.`): sources land inside it.
    pub is_dir: bool,
    /// Written, once variables are expanded, from the working directory on.
    pub is_relative: bool,
    /// It may lead elsewhere: a variable that nothing here sets expands to nothing, and the base image may set it.
    pub unsure: bool,
    /// `--chown`, or the USER for WORKDIR; `None` is root.
    pub owner: Option<String>,
    /// `--chmod`.
    pub mode: Option<String>,
}

/// A path that holds if the base image starts where images of its name do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likely {
    /// Absolute and clean.
    pub path: String,
    /// What it rests on, one sentence without a full stop.
    pub because: String,
}

impl Dest {
    /// The path, where nothing of the base image is part of it.
    #[must_use]
    pub fn sure(&self) -> Option<&str> {
        self.path.as_deref().filter(|_| !self.unsure)
    }

    /// The path, as sure as it gets; `None` where it may be another.
    #[must_use]
    pub fn best(&self) -> Option<&str> {
        if self.unsure {
            return None;
        }
        let likely = self.likely.as_ref().map(|l| l.path.as_str());
        self.path.as_deref().or(likely)
    }
}

/// Why one step waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depends {
    /// The parent file system: through the definition key only.
    Key,
    /// A stage's files: compared by content.
    Content,
}

/// What a stage starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// An image, as written after expansion.
    Image(String),
    /// An earlier stage.
    Stage(usize),
    /// A named context of the build: it stands in for the image or stage of that name.
    Context(String),
    /// Nothing.
    Scratch,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Name given with AS, lower-cased.
    pub name: Option<String>,
    /// What it starts from.
    pub base: Base,
    /// A named context has the stage's own name: its instructions are not run.
    pub replaced: bool,
    /// `--platform` after expansion.
    pub platform: Option<String>,
    /// Index of its FROM in the file's instructions.
    pub from: usize,
    /// One past its last instruction.
    pub end: usize,
    /// Whether the target needs it.
    pub reachable: bool,
    /// Its own steps in order (the FROM vertex first, if there is one).
    pub steps: Vec<NodeIndex>,
    /// The step whose result is the stage's result; `None` for scratch without steps.
    pub last: Option<NodeIndex>,
    /// The step whose result the stage starts from: its image, or the base stage's last.
    pub root: Option<NodeIndex>,
    /// Its instructions that change the image's configuration, expanded.
    pub configuration: Vec<String>,
}

/// The step graph.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Steps and why they wait for each other; edges point from what is needed to who needs it.
    pub graph: DiGraph<Step, Depends>,
    /// Stages in file order.
    pub stages: Vec<Stage>,
    /// Index of the target stage.
    pub target: usize,
    /// Steps the target needs, in conversion order (which is topological).
    pub order: Vec<NodeIndex>,
    /// For every instruction of the file, what its state was when it was lowered (RUN and COPY use it).
    pub states: Vec<Option<StateView>>,
    /// Sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// Whose rules it was lowered with.
    pub builder: Builder,
}

/// What an instruction sees of the state before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateView {
    /// Working directory; `None` when the base image decides.
    pub cwd: Option<String>,
    /// USER; `None` when the base image decides.
    pub user: Option<String>,
    /// Accounts that RUNs have made, and their home directories.
    pub homes: Vec<(String, String)>,
}

impl Plan {
    /// Whether an error stops the builder before any step.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The first step that makes the client send all of the context: it takes the root, or has a tmpfs mount, which asks
    /// for the root as any mount without `source` and `from` does, though the step reads nothing of it (seen on BuildKit
    /// 0.25).
    #[must_use]
    pub fn whole_context(&self) -> Option<StepId> {
        let is_root = |s: &String| SourcePattern::lenient(s).kind() == SourceKind::Root;
        let takes = |i: &Input| matches!(i, Input::Context(c) if c.sources.iter().any(is_root));
        let mut steps = self.order.iter().map(|n| &self.graph[*n]);
        let first = steps.find(|s| s.sends_context || s.inputs.iter().any(takes));
        first.map(|s| s.id)
    }

    /// Where each step stands in [`Self::order`].
    #[must_use]
    pub fn positions(&self) -> FxHashMap<NodeIndex, usize> {
        let order = self.order.iter().enumerate();
        order.map(|(position, node)| (*node, position)).collect()
    }

    /// The step with this id, if the instruction makes one.
    #[must_use]
    pub fn find(&self, id: StepId) -> Option<NodeIndex> {
        self.graph.node_indices().find(|n| self.graph[*n].id == id)
    }

    /// The step before `node` in its stage: where its file system comes from.
    #[must_use]
    pub fn parent(&self, node: NodeIndex) -> Option<NodeIndex> {
        let stage = &self.stages[self.graph[node].id.stage as usize];
        let i = stage.steps.iter().position(|n| *n == node)?;
        match i.checked_sub(1) {
            Some(before) => Some(stage.steps[before]),
            None if stage.root == Some(node) => None,
            None => stage.root,
        }
    }
}
