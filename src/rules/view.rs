//! One Dockerfile as rules look at it: its tree, its steps, the commands of its RUNs, its context.

use super::Project;
use super::buildkit::commands::{self, Command};
use super::call::Call;
use super::run::Run;
use super::settings::Settings;
use crate::context::archive::Carries;
use crate::context::reader::{Reads, reads};
use crate::context::{Context, ContextEntry};
use crate::cost::CostSource;
use crate::dockerfile::{Dockerfile, Instruction, Kind, Text};
use crate::image::LossKind;
use crate::layers::{BytesSource, ImageLayers};
use crate::pattern::IgnoreRules;
use crate::plan::{Base, BuildOptions, Plan, Step, StepId};
use crate::rewrite::Rewrite;
use crate::rewrite::split_copy::Waiting;
use crate::source::SourceFile;
use petgraph::graph::NodeIndex;
use rustc_hash::FxHashMap;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The build context of a Dockerfile.
pub struct ContextFiles<'a> {
    /// Its folder relative to PATH, `.` for PATH itself.
    pub dir: &'a str,
    /// What is not sent.
    pub rules: &'a IgnoreRules,
    /// The ignore file, under its name relative to PATH.
    pub ignore_file: Option<&'a SourceFile>,
    /// Lists the files that are sent; `None` where that is not asked for, or can't be done.
    pub list: &'a dyn Fn() -> Option<Rc<Context>>,
    /// The layers of the target's image, as far as the costs and the files of the context tell; sizes of files are 0 where they are not listed.
    pub layers: &'a dyn Fn() -> Option<ImageLayers>,
    /// RUNs that wait for files which they do not look at; empty where the files are not listed.
    pub waiting: &'a dyn Fn() -> Vec<Waiting>,
    /// RUNs that the flags of COPYs can stand for; empty where the files are not listed.
    pub folds: &'a dyn Fn() -> Vec<Rewrite>,
    /// Looks into those files; `None` where they are not on disk.
    pub disk: Option<&'a dyn ContextDisk>,
}

/// Looks into files of a context. Paths are relative to its folder, and those of regular files.
pub trait ContextDisk {
    /// The first bytes of a file, so many at most.
    fn start(&self, path: &[u8], most: usize) -> Option<Vec<u8>>;
    /// blake3 of a file.
    fn digest(&self, path: &[u8]) -> Option<[u8; 32]>;
    /// What an archive carries; `None` for what is none by its name.
    fn archive(&self, path: &[u8]) -> Option<Carries>;
}

/// One Dockerfile.
pub struct View<'a> {
    /// Its name relative to PATH.
    pub path: &'a str,
    /// Its bytes.
    pub source: &'a SourceFile,
    /// Its tree.
    pub tree: &'a Dockerfile,
    /// Its steps.
    pub plan: &'a Plan,
    /// What the build is told.
    pub options: &'a BuildOptions,
    /// Its context.
    pub context: ContextFiles<'a>,
    /// The files beside it.
    pub project: &'a Project<'a>,
    /// What users set.
    pub settings: &'a Settings,
    /// Its RUNs in file order, those in ONBUILD too.
    pub runs: Vec<Run<'a>>,
    /// Step of each instruction; triggers of ONBUILD make steps of other stages and are not here.
    steps: Vec<Option<NodeIndex>>,
    files: OnceCell<Option<Rc<Context>>>,
    layers: OnceCell<Option<ImageLayers>>,
    waiting: OnceCell<Vec<Waiting>>,
    folds: OnceCell<Vec<Rewrite>>,
    commands: OnceCell<Vec<Command<'a>>>,
    reads: OnceCell<Option<Reads>>,
    hidden: OnceCell<Hidden>,
    /// Stage of each instruction.
    stage_of: Vec<Option<usize>>,
    /// The stages that the image is made of, the target first.
    image: Vec<usize>,
}

/// What layers hide of each other: by the step that hides, by the layer that is hidden, by kind; figures of our own table are left out.
pub(super) type Hidden = FxHashMap<StepId, BTreeMap<usize, BTreeMap<LossKind, u64>>>;

/// Everything a view is made of.
pub struct Parts<'a> {
    /// As in [`View`].
    pub path: &'a str,
    /// As in [`View`].
    pub source: &'a SourceFile,
    /// As in [`View`].
    pub tree: &'a Dockerfile,
    /// As in [`View`].
    pub plan: &'a Plan,
    /// As in [`View`].
    pub options: &'a BuildOptions,
    /// As in [`View`].
    pub context: ContextFiles<'a>,
    /// As in [`View`].
    pub project: &'a Project<'a>,
    /// As in [`View`].
    pub settings: &'a Settings,
}

impl<'a> View<'a> {
    /// Parses the scripts of all RUNs.
    #[must_use]
    pub fn new(parts: Parts<'a>) -> Self {
        let (tree, plan) = (parts.tree, parts.plan);
        let mut steps = vec![None; tree.instructions().len()];
        for node in plan.graph.node_indices() {
            let step = &plan.graph[node];
            if let Some(slot) = steps.get_mut(step.instruction)
                && step.id.trigger == 0
            {
                *slot = Some(node);
            }
        }
        let mut stage_of = vec![None; tree.instructions().len()];
        for (at, stage) in plan.stages.iter().enumerate() {
            // Where ranges overlap the first one counts.
            for slot in stage_of.iter_mut().take(stage.end).skip(stage.from) {
                *slot = slot.or(Some(at));
            }
        }
        let mut out = Self {
            path: parts.path,
            source: parts.source,
            tree,
            plan,
            options: parts.options,
            context: parts.context,
            project: parts.project,
            settings: parts.settings,
            runs: Vec::new(),
            steps,
            files: OnceCell::new(),
            layers: OnceCell::new(),
            waiting: OnceCell::new(),
            folds: OnceCell::new(),
            commands: OnceCell::new(),
            reads: OnceCell::new(),
            hidden: OnceCell::new(),
            stage_of,
            image: Vec::new(),
        };
        out.image = out.chain(plan.target);
        let runs = tree.instructions().iter().enumerate();
        out.runs = runs
            .filter_map(|(at, ins)| match ins.kind() {
                Kind::Run(form) => Some(Run::new(&out, at, ins, form)),
                Kind::Onbuild(inner) => match inner.kind() {
                    Kind::Run(form) => Some(Run::new(&out, at, inner, form)),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        out
    }

    /// The step that an instruction makes.
    #[must_use]
    pub fn step(&self, instruction: usize) -> Option<&'a Step> {
        let node = self.steps.get(instruction).copied().flatten()?;
        Some(&self.plan.graph[node])
    }

    /// Index of the stage that an instruction stands in.
    #[must_use]
    pub fn stage_of(&self, instruction: usize) -> Option<usize> {
        self.stage_of.get(instruction).copied().flatten()
    }

    /// A stage's instructions with their indices, FROM first.
    pub fn instructions(&self, stage: usize) -> impl Iterator<Item = (usize, Instruction<'a>)> {
        let tree = self.tree;
        let range = self.plan.stages.get(stage).map_or(0..0, |s| s.from..s.end);
        range.filter_map(move |i| Some((i, tree.instructions().get(i)?)))
    }

    /// The stages that the image is made of: the target and what it starts from, the target first.
    #[must_use]
    pub fn image_stages(&self) -> Vec<usize> {
        self.image.clone()
    }

    /// Whether the image is made of a stage.
    #[must_use]
    pub fn is_of_image(&self, stage: usize) -> bool {
        // A stage starts from one before it.
        self.image.binary_search_by(|s| stage.cmp(s)).is_ok()
    }

    /// The RUN that makes a step.
    #[must_use]
    pub fn run_of(&self, step: &Step) -> Option<&Run<'a>> {
        let at = self
            .runs
            .binary_search_by_key(&step.instruction, |r| r.instruction);
        let run = self.runs.get(at.ok()?)?;
        run.step.is_some_and(|s| s.id == step.id).then_some(run)
    }

    /// What the layers of the image hide of each other, worked out when first asked for.
    pub(super) fn hidden(&self) -> &Hidden {
        self.hidden.get_or_init(|| {
            let mut out = Hidden::default();
            let layers = self.layers().map_or(&[][..], |l| &l.layers);
            for (holder, layer) in layers.iter().enumerate() {
                // A figure of our own table says nothing of this file.
                if layer.source == BytesSource::Costs(CostSource::Prior) {
                    continue;
                }
                for lost in &layer.lost {
                    let Some(by) = layers.get(lost.by) else {
                        continue;
                    };
                    let by = out.entry(self.plan.graph[by.step].id).or_default();
                    let sum = by.entry(holder).or_default().entry(lost.kind).or_default();
                    *sum = sum.saturating_add(lost.bytes);
                }
            }
            out
        })
    }

    /// A stage and the stages that it starts from, itself first.
    #[must_use]
    pub fn chain(&self, stage: usize) -> Vec<usize> {
        let mut out = Vec::new();
        let mut at = Some(stage);
        while let Some(i) = at {
            let Some(stage) = self.plan.stages.get(i) else {
                break;
            };
            out.push(i);
            at = match stage.base {
                // A stage starts from one before it.
                Base::Stage(below) if below < i => Some(below),
                _ => None,
            };
        }
        out
    }

    /// The image at the bottom of a stage, as written after expansion; `None` for scratch and named contexts.
    #[must_use]
    pub fn base_image(&self, stage: usize) -> Option<&'a str> {
        let last = match stage == self.plan.target {
            true => *self.image.last()?,
            false => *self.chain(stage).last()?,
        };
        match &self.plan.stages.get(last)?.base {
            Base::Image(name) => Some(name),
            _ => None,
        }
    }

    /// Whether a COPY or ADD brings a folder, as far as its words tell: single files are small change.
    #[must_use]
    pub fn brings_folder(&self, instruction: usize) -> bool {
        let kind = self.tree.instructions().get(instruction).map(|i| i.kind());
        let Some(Kind::Copy(t) | Kind::Add(t)) = kind else {
            return false;
        };
        t.sources.iter().any(|s| {
            let name = s
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default();
            s.ends_with('/') || matches!(name, "" | "." | "*") || !name.contains(['.', '*'])
        })
    }

    /// Whether it builds an image of Windows: its name or its shell says so.
    #[must_use]
    pub fn is_windows(&self) -> bool {
        let named = |text: &str| {
            let text = text.to_lowercase();
            ["windows", "nanoserver", "servercore"]
                .iter()
                .any(|w| text.contains(w))
        };
        let shell = |ins: Instruction<'_>| match ins.kind() {
            Kind::Shell(argv) => argv.first().is_some_and(|a| {
                let a = a.to_lowercase();
                a.starts_with("powershell") || a.starts_with("pwsh") || a.starts_with("cmd")
            }),
            _ => false,
        };
        let bases = self
            .plan
            .stages
            .iter()
            .any(|s| matches!(&s.base, Base::Image(name) if named(name)));
        named(self.path) || bases || self.tree.instructions().iter().any(shell)
    }

    /// The image at the bottom of the target: as expanded, and as its FROM has it.
    #[must_use]
    pub fn bottom(&self) -> Option<(&'a str, Text<'a>)> {
        let base = self.base_image(self.plan.target)?;
        let from = self.plan.stages[*self.image_stages().last()?].from;
        match self.tree.instructions().get(from)?.kind() {
            Kind::From { image, .. } => Some((base, image)),
            _ => None,
        }
    }

    /// The files of the context, listed when first asked for.
    #[must_use]
    pub fn files(&self) -> Option<&Context> {
        self.files.get_or_init(|| (self.context.list)()).as_deref()
    }

    /// The layers of the image, worked out when first asked for.
    #[must_use]
    pub fn layers(&self) -> Option<&ImageLayers> {
        self.layers.get_or_init(|| (self.context.layers)()).as_ref()
    }

    /// RUNs that wait for files which they do not look at, worked out when first asked for.
    #[must_use]
    pub fn waiting(&self) -> &[Waiting] {
        self.waiting.get_or_init(|| (self.context.waiting)())
    }

    /// RUNs that the flags of COPYs can stand for, worked out when first asked for.
    #[must_use]
    pub fn folds(&self) -> &[Rewrite] {
        self.folds.get_or_init(|| (self.context.folds)())
    }

    /// The commands of all stages with their variables replaced, in the builder's order.
    pub(super) fn commands(&self) -> &[Command<'a>] {
        self.commands.get_or_init(|| commands::all(self))
    }

    /// Which steps read the files of the context, looked up when first asked for.
    #[must_use]
    pub fn reads(&self) -> Option<&Reads> {
        let reads = || self.files().map(|f| reads(self.plan, &f.entries));
        self.reads.get_or_init(reads).as_ref()
    }

    /// A path of the context relative to PATH, as git and reports know it.
    #[must_use]
    pub fn below_path(&self, entry: &ContextEntry) -> String {
        let path = String::from_utf8_lossy(&entry.path);
        match self.context.dir.trim_end_matches('/') {
            "." | "" => path.into_owned(),
            dir => format!("{dir}/{path}"),
        }
    }

    /// The commands of all RUNs, each with its RUN.
    pub fn calls(&self) -> impl Iterator<Item = (&Run<'a>, &Call)> {
        self.runs
            .iter()
            .flat_map(|run| run.calls.iter().map(move |call| (run, call)))
    }
}
