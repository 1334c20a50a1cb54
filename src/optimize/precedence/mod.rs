//! Which instructions of a stage may change places, and why.
//!
//! Goes in: a file, its plan, the context. Comes out: for every pair of instructions of a stage either a
//! reason to keep their order or why they commute. Cost: O(pairs · claims). Invariant: what is not
//! understood keeps its place; a pair that commutes says what that rests on. docs/proofs.md has the theorem.

mod commute;
mod ecosystems;
mod links;
mod plain;
mod project;
mod settings;

use super::carry;
use super::effect::{self, Around, Effect, Standing};
use super::ground::{BaseImage, Ground};
use super::observed::observed;
use crate::dockerfile::{Dockerfile, Flag, Instruction, Kind, variables};
use crate::footprint::{Certainty, PathClaim, PathSet, Variables, steers};
use crate::plan::{Base, Plan, Stage, Step, StepKind, names_a_build};
use crate::rewrite::layout::{Arrivals, Layout, Places};
use crate::rewrite::needs::Needs;
use crate::rewrite::{Bottom, ContextFiles, Leaves, Line, StageView, View, move_to_stage};
use crate::source::SourceFile;
use links::Left;
use petgraph::graph::NodeIndex;
pub(super) use project::NEEDS_LITTLE;
use rustc_hash::FxHashMap;
pub(super) use settings::names_set;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

/// How two instructions of a stage stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The first must stay first.
    Keep(String),
    /// They may change places.
    Commute {
        /// How sure that is.
        certainty: Certainty,
        /// What it rests on, when not exact.
        assumptions: Vec<String>,
        /// Why: which sets have nothing in common.
        because: String,
    },
}

/// Whether lines that set the state of a stage stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// They do: what needs them does not pass them.
    Stay,
    /// They are repeated where a step needs them ([`super::carry`]).
    Repeat,
}

impl Relation {
    fn keep(why: impl Into<String>) -> Self {
        Self::Keep(why.into())
    }

    pub(super) fn free(because: impl Into<String>) -> Self {
        Self::Commute {
            certainty: Certainty::Exact,
            assumptions: Vec::new(),
            because: because.into(),
        }
    }

    /// The same where it rests on more, for a reason of its own; `None` where the order is kept.
    fn resting_on(self, more: impl IntoIterator<Item = String>, because: &str) -> Option<Self> {
        let Self::Commute {
            mut assumptions, ..
        } = self
        else {
            return None;
        };
        assumptions.extend(more);
        assumptions.sort();
        assumptions.dedup();
        Some(Self::Commute {
            certainty: Certainty::Assumed,
            assumptions,
            because: because.to_owned(),
        })
    }
}

/// One instruction of a stage, FROM left out.
pub struct Item<'a> {
    /// Index into the file's instructions.
    pub at: usize,
    /// The instruction.
    pub instruction: Instruction<'a>,
    /// Its step, where it makes one.
    pub step: Option<(NodeIndex, &'a Step)>,
    /// What the step does, or why that is not known.
    pub effect: Option<Result<Effect, String>>,
    /// What a RUN needs of the project it works on, or why that is not known.
    pub needs: Option<Result<Needs, String>>,
    /// Layers of files below it.
    layers: usize,
    /// The files that it brings, where it is a COPY, once somebody asks.
    brings: OnceCell<Option<Rc<Arrivals>>>,
    /// The files below it, once somebody asks for all of them.
    below: OnceCell<Rc<Places>>,
    /// Where its paths lead.
    led: OnceCell<Rc<commute::Led>>,
}

impl Item<'_> {
    pub(super) fn is_opaque(&self) -> bool {
        matches!(self.effect, Some(Err(_)))
    }

    /// Whether it is a COPY, an ADD or a WORKDIR whose path starts from the working directory, once its variables are expanded.
    pub(super) fn is_relative(&self) -> bool {
        let written = match self.instruction.kind() {
            Kind::Copy(t) | Kind::Add(t) => t.dest,
            Kind::Workdir(path) => path,
            _ => return false,
        };
        let dest = self.step.and_then(|(_, s)| s.dest.as_ref());
        dest.map_or(!written.starts_with('/'), |d| d.is_relative)
    }
}

/// The stages of a file with what their steps do.
pub struct Scene<'a> {
    plan: &'a Plan,
    escape: char,
    bases: Vec<BaseImage>,
    stages: Vec<Vec<Item<'a>>>,
    left: Vec<Left>,
    /// For each stage, the places whose times or order may show.
    observed: Vec<PathSet>,
    /// For each stage, where its files come from.
    layouts: Vec<Layout>,
    files: Option<&'a dyn ContextFiles>,
    /// Pairs that were looked at: by stage, first and second.
    known: RefCell<FxHashMap<(usize, usize, usize), Known>>,
}

/// What was found of a pair.
#[derive(Default)]
struct Known {
    /// With lines that stay, and with lines that are repeated.
    relations: [Option<Relation>; 2],
    /// What the needs of a RUN say of it.
    needs: Option<Option<Relation>>,
}

impl<'a> Scene<'a> {
    /// Looks at every stage.
    #[must_use]
    pub fn new(file: &'a Dockerfile, plan: &'a Plan, files: Option<&'a dyn ContextFiles>) -> Self {
        let mut scene = Self {
            plan,
            escape: file.directives.escape,
            bases: Vec::new(),
            stages: Vec::new(),
            left: Vec::new(),
            observed: Vec::new(),
            layouts: Vec::new(),
            files,
            known: RefCell::default(),
        };
        for stage in &plan.stages {
            let base = match &stage.base {
                Base::Stage(b) => scene.bases[*b].clone(),
                Base::Scratch => BaseImage::Empty,
                Base::Image(name) => {
                    let from = file.instructions().get(stage.from);
                    BaseImage::of(name, from.is_some_and(|f| f.plain_base))
                }
                Base::Context(name) => BaseImage::Unknown(name.clone()),
            };
            let mut layout = match stage.base {
                Base::Stage(b) => scene.layouts[b].clone(),
                _ => Layout::default(),
            };
            // What ONBUILD triggers of the base stage leave is not looked into.
            if stage.steps.iter().any(|n| plan.graph[*n].id.trigger > 0) {
                layout.lose();
            }
            let items = scene.items(file, stage, &base, &mut layout);
            scene.layouts.push(layout);
            let left = scene.links_left(stage, &items, &base);
            scene.bases.push(base);
            scene.stages.push(items);
            scene.left.push(left);
        }
        let follow = |stage: usize, set: PathSet| {
            let left = &scene.left[stage];
            let ground = Ground {
                base: &scene.bases[stage],
                links: left.links.iter().map(|(_, l)| l).collect(),
            };
            match ground.follow(&set) {
                (places, true) if !left.anywhere_below => places,
                _ if set.is_empty() => set,
                _ => PathSet::new(vec![PathClaim::subtree("/")]),
            }
        };
        scene.observed = observed(plan, &scene.stages, &follow);
        scene
    }

    /// The instructions of a stage in order.
    #[must_use]
    pub fn stage(&self, stage: usize) -> &[Item<'a>] {
        &self.stages[stage]
    }

    /// What rewrites look at; `None` without the context.
    #[must_use]
    pub fn view<'s>(&'s self, source: &'s SourceFile, file: &'s Dockerfile) -> Option<View<'s>> {
        let files = self.files?;
        let line = |item: &'s Item<'a>| Line {
            at: item.at,
            step: item.step.map(|(_, s)| s),
            needs: item.needs.as_ref(),
            leaves: item
                .effect
                .as_ref()
                .and_then(|e| e.as_ref().ok())
                .map(leaves),
            layers: item.layers,
            barrier: item.is_opaque() || item.reads_more().is_some(),
        };
        let one = |(stage, items): (usize, &'s Vec<Item<'a>>)| StageView {
            stage,
            layout: &self.layouts[stage],
            lines: items.iter().map(line).collect(),
            bottom: match &self.bases[stage] {
                BaseImage::Empty => Bottom::Empty,
                BaseImage::Plain { .. } => Bottom::Plain,
                BaseImage::Unknown(name) => Bottom::Unknown(name),
            },
        };
        let needed = |(stage, _): &(usize, &'s Vec<Item<'a>>)| self.plan.stages[*stage].reachable;
        let commute = |stage, a, b| match self.relation(stage, a, b) {
            Relation::Keep(_) => None,
            Relation::Commute { assumptions, .. } => Some(assumptions),
        };
        Some(View {
            commute: Box::new(commute),
            source,
            file,
            plan: self.plan,
            files,
            stages: self
                .stages
                .iter()
                .enumerate()
                .filter(needed)
                .map(one)
                .collect(),
        })
    }

    /// The stages that `move-to-stage` may let stand on less.
    pub(super) fn may_stand_on_less(&self, source: &SourceFile, file: &Dockerfile) -> Vec<usize> {
        let Some(view) = self.view(source, file) else {
            return Vec::new();
        };
        let stages = view.stages.iter();
        let open = stages.filter(|s| move_to_stage::may_stand_on_less(&view, s));
        open.map(|s| s.stage).collect()
    }

    fn items(
        &self,
        file: &'a Dockerfile,
        stage: &Stage,
        base: &BaseImage,
        layout: &mut Layout,
    ) -> Vec<Item<'a>> {
        let plan = self.plan;
        let files = self.files;
        let links_in = |from: usize, sources: &[String]| self.links_held(from, sources);
        let given = |folder: &str| base.has(folder);
        let around = Around {
            files,
            given: &given,
            links_in: &links_in,
        };
        let one = |at: usize| {
            let mut steps = stage.steps.iter().copied();
            let own = steps.find(|n| {
                plan.graph[*n].instruction == at && plan.graph[*n].kind != StepKind::From
            });
            let step = own.map(|n| (n, &plan.graph[n]));
            let view = plan.states.get(at).and_then(Option::as_ref);
            let standing = Standing {
                cwd: view.and_then(|s| s.cwd.as_deref()),
                user: view.and_then(|s| s.user.as_deref()),
            };
            let layers = layout.len();
            let footprint = step.and_then(|(_, s)| s.footprint.as_ref());
            let needs = footprint.and_then(|f| project::needs_of(f, layout, files));
            let mut effect = step.map(|(_, s)| effect::of(s, standing, &around));
            let mut left = None;
            match (&mut effect, step, footprint, &needs) {
                (Some(effect), Some((_, step)), Some(footprint), Some(needs))
                    if footprint.builds =>
                {
                    *effect = project::of_build(step, footprint, standing, needs);
                    left = project::left_by_build(effect.as_ref().ok(), footprint, needs);
                }
                (Some(Ok(effect)), _, Some(footprint), Some(Ok(needs))) => {
                    project::narrow(effect, footprint, needs);
                }
                (Some(effect), _, Some(footprint), Some(Err(_))) => {
                    left = ecosystems::left_by_install(effect, &needs, footprint);
                }
                _ => {}
            }
            if let Some((_, step)) = step {
                let known = effect.as_ref().and_then(|e| e.as_ref().ok());
                layout.add(self.plan, step, left.as_ref().or(known.map(|e| &e.writes)));
            }
            Item {
                at,
                instruction: file.instructions().at(at),
                step,
                effect,
                needs,
                layers,
                brings: OnceCell::new(),
                below: OnceCell::new(),
                led: OnceCell::new(),
            }
        };
        let mut items: Vec<Item<'a>> = (stage.from + 1..stage.end).map(one).collect();
        look_into_listed_libraries(&mut items);
        items
    }

    /// The files of the context that a COPY brings.
    fn arrivals(&self, stage: usize, at: usize, files: &dyn ContextFiles) -> Option<Rc<Arrivals>> {
        let item = &self.stages[stage][at];
        let (_, step) = item.step?;
        let find = || Arrivals::of(step, files).map(Rc::new);
        item.brings.get_or_init(find).clone()
    }

    /// The files of the context below an instruction.
    fn below(&self, stage: usize, at: usize, files: &dyn ContextFiles) -> Rc<Places> {
        let item = &self.stages[stage][at];
        let find = || {
            let layout = self.layouts[stage].first(item.layers);
            Rc::new(layout.places(files, false))
        };
        Rc::clone(item.below.get_or_init(find))
    }

    /// How two instructions of a stage stand to each other; `first` stands first.
    #[must_use]
    pub fn relation(&self, stage: usize, first: usize, second: usize) -> Relation {
        self.relation_with(stage, first, second, Lines::Stay)
    }

    /// The same where lines that say who runs, where and in which shell may be repeated.
    #[must_use]
    pub fn relation_with(
        &self,
        stage: usize,
        first: usize,
        second: usize,
        lines: Lines,
    ) -> Relation {
        let pair = (stage, first, second);
        let slot = usize::from(lines == Lines::Repeat);
        let known = self.known.borrow();
        if let Some(known) = known.get(&pair).and_then(|k| k.relations[slot].clone()) {
            return known;
        }
        drop(known);
        let found = match self.by_kind(stage, first, second, lines) {
            Relation::Keep(why) => {
                let little = self.reads_little(stage, first, second);
                little.unwrap_or(Relation::Keep(why))
            }
            free => free,
        };
        let mut known = self.known.borrow_mut();
        known.entry(pair).or_default().relations[slot] = Some(found.clone());
        found
    }

    /// What the needs of the second say, which is the same with all lines.
    fn by_needs(&self, stage: usize, first: usize, second: usize) -> Option<Relation> {
        let pair = (stage, first, second);
        if let Some(found) = self.known.borrow().get(&pair).and_then(|k| k.needs.clone()) {
            return found;
        }
        let found = self.needs_little(stage, first, second);
        let mut known = self.known.borrow_mut();
        known.entry(pair).or_default().needs = Some(found.clone());
        found
    }

    fn by_kind(&self, stage: usize, first: usize, second: usize, lines: Lines) -> Relation {
        let items = &self.stages[stage];
        let (a, b) = (&items[first], &items[second]);
        if let Some(free) = self.by_needs(stage, first, second) {
            return free;
        }
        if let Some(free) = self.two_ecosystems(stage, first, second) {
            return free;
        }
        if lines == Lines::Stay {
            return self.as_they_stand(stage, first, second);
        }
        let setter = |i: &Item<'_>| carry::is_setter(&i.instruction.kind());
        if setter(a) || setter(b) {
            return Relation::free("the line is repeated wherever a step needs it");
        }
        let folder = |i: &Item<'_>| matches!(i.instruction.kind(), Kind::Workdir(_));
        let effects = match (&a.effect, &b.effect) {
            (Some(Ok(x)), Some(Ok(y))) if folder(a) || folder(b) => (x, y),
            _ => return self.as_they_stand(stage, first, second),
        };
        // Whoever starts in a folder comes behind the WORKDIR that makes it.
        let made = |w: &Effect, cwd: &str| w.makes.iter().any(|m| m.path == cwd);
        if folder(a)
            && effects
                .1
                .cwd
                .as_deref()
                .is_some_and(|cwd| made(effects.0, cwd))
        {
            return Relation::keep("its working directory is made there");
        }
        self.steps(stage, (first, effects.0), (second, effects.1))
    }

    /// The instructions of a stage that one must stay behind, whatever is assumed, and why.
    #[must_use]
    pub fn stays_behind(&self, stage: usize, place: usize) -> Vec<(usize, String)> {
        let kept = |first: usize| match self.relation(stage, first, place) {
            Relation::Keep(why) => Some((first, why)),
            Relation::Commute { .. } => None,
        };
        (0..place).filter_map(kept).collect()
    }

    fn as_they_stand(&self, stage: usize, first: usize, second: usize) -> Relation {
        use Kind::{Add, Arg, Copy, Env, Run, Shell, User, Volume, Workdir};
        let items = &self.stages[stage];
        let (a, b) = (&items[first], &items[second]);
        match (a.instruction.kind(), b.instruction.kind()) {
            (Kind::Invalid, _) | (_, Kind::Invalid) => {
                Relation::keep("an instruction is not understood")
            }
            (Run(_), Env(_) | Arg(_)) => self.sees_variables(b, a),
            (Env(_) | Arg(_), Run(_)) => self.sees_variables(a, b),
            (Run(_), User(_) | Shell(_) | Workdir(_))
            | (User(_) | Shell(_) | Workdir(_), Run(_)) => {
                Relation::keep("a RUN sees the user, the shell and the working directory")
            }
            (Copy(_) | Add(_) | Workdir(_), Env(_) | Arg(_)) => self.expands(b, a),
            (Env(_) | Arg(_), Copy(_) | Add(_) | Workdir(_)) => self.expands(a, b),
            (Workdir(_), User(_)) | (User(_), Workdir(_)) => {
                Relation::keep("WORKDIR creates its folder as the current user")
            }
            (Workdir(_), Workdir(_)) => Relation::keep("each WORKDIR sets the working directory"),
            (Workdir(_), Copy(_) | Add(_)) if b.is_relative() => {
                Relation::keep("the destination is relative to the working directory")
            }
            (Copy(_) | Add(_), Workdir(_)) if a.is_relative() => {
                Relation::keep("the destination is relative to the working directory")
            }
            (Run(_) | Copy(_) | Add(_) | Workdir(_), Volume(_))
            | (Volume(_), Run(_) | Copy(_) | Add(_) | Workdir(_))
                if self.plan.builder.chained =>
            {
                Relation::keep(
                    "this builder drops what is written to a volume after it is declared",
                )
            }
            (Copy(_) | Add(_) | Run(_) | Workdir(_), Copy(_) | Add(_) | Run(_) | Workdir(_)) => {
                match (&a.effect, &b.effect) {
                    (Some(Err(why)), _) | (_, Some(Err(why))) => Relation::keep(why),
                    (Some(Ok(x)), Some(Ok(y))) => self.steps(stage, (first, x), (second, y)),
                    _ => Relation::free("`WORKDIR /` makes no step and touches nothing"),
                }
            }
            // Metadata makes no vertex and is in no key (experiments row 44).
            (Copy(_) | Add(_) | Run(_) | Workdir(_), _)
            | (_, Copy(_) | Add(_) | Run(_) | Workdir(_)) => Relation::free(
                "one only changes the image's configuration, the other only its files",
            ),
            _ => self.settings(a, b),
        }
    }

    /// A variable and a RUN that may look at it.
    fn sees_variables(&self, setter: &Item<'_>, run: &Item<'_>) -> Relation {
        if let keep @ Relation::Keep(_) = self.expands(setter, run) {
            return keep;
        }
        let footprint = run.step.and_then(|(_, s)| s.footprint.as_ref());
        let (expanded, tools) = match footprint.map(|f| &f.variables) {
            Some(Variables::Only(names)) => (names, false),
            Some(Variables::AndThoseOfTools(names)) => (names, true),
            Some(Variables::Any) | None => {
                return Relation::keep("a command may look at any variable");
            }
        };
        let names = names_set(setter.instruction);
        for name in &names {
            if steers(name) || name.starts_with("BUILDKIT_") || *name == "SOURCE_DATE_EPOCH" {
                return Relation::keep(format!("{name} counts for every command"));
            }
            if expanded.contains(*name) {
                return Relation::keep(format!("the command looks at {name}"));
            }
            if tools && !names_a_build(name) {
                return Relation::keep(format!("a command may look at {name}"));
            }
        }
        if tools {
            // Package managers and their like have no use for the number of a build.
            let sentence = format!(
                "no command of line {} looks at {}",
                run.instruction.line,
                names.join(", ")
            );
            return Relation::Commute {
                certainty: Certainty::Assumed,
                assumptions: vec![sentence],
                because:
                    "its commands are known, and the variable only tells one build from another"
                        .to_owned(),
            };
        }
        Relation::free("no command of the RUN looks at the variable")
    }

    /// An ENV or ARG and an instruction that may expand one of its names.
    fn expands(&self, setter: &Item<'_>, user: &Item<'_>) -> Relation {
        let names = names_set(setter.instruction);
        let is_run = matches!(user.instruction.kind(), Kind::Run(_));
        let mut texts: Vec<&str> = Vec::new();
        if !is_run {
            texts.push(user.instruction.arguments().as_str());
        }
        texts.extend(user.instruction.flags().iter().filter_map(Flag::value));
        // The heredocs of a RUN are read by its shell.
        let heredoc = !is_run && user.instruction.heredocs().iter().any(|h| h.expand);
        let mut used = texts.iter().flat_map(|t| variables(t, self.escape));
        if heredoc || used.any(|v| names.contains(&v.as_str())) {
            Relation::keep("it expands a variable set there")
        } else if names.contains(&"SOURCE_DATE_EPOCH") {
            Relation::keep("the builder gives files that time")
        } else {
            Relation::free("it does not expand the variable")
        }
    }
}

/// What rewrites see of an effect.
fn leaves(effect: &Effect) -> Leaves<'_> {
    Leaves {
        writes: &effect.writes,
        makes: effect
            .makes
            .iter()
            .map(|m| (m.path.as_str(), m.is_roots()))
            .collect(),
        links: effect.links.iter().map(|l| &l.at).collect(),
    }
}

/// Behind a file of `/etc/ld.so.conf.d` an installation of packages looks into the folders that it lists, wherever they are: `ldconfig`
/// runs at its end and keeps what it found in `/etc/ld.so.cache`.
fn look_into_listed_libraries(items: &mut [Item<'_>]) {
    let mut listed = false;
    for item in items {
        let Some(Ok(effect)) = &mut item.effect else {
            continue;
        };
        if listed && effect.beside_packages.is_some() {
            let everywhere = PathSet::new(vec![PathClaim::subtree("/")]);
            effect.reads = effect.reads.union(&everywhere);
        }
        let lists = |c: &PathClaim| c.path.starts_with("/etc/ld.so.conf");
        listed |= effect.writes.claims.iter().any(lists);
    }
}

#[cfg(test)]
mod tests;
