//! The replay itself: every build of a history against the store, oldest first.

use super::forced::{Forced, Standing};
use super::inputs::{Absence, InputMatrix};
use super::policy::Policy;
use super::store::{Afterwards, Key, Moment, RecordId, Slot, Store, Verdict};
use crate::history::PathId;
use crate::plan::{Depends, Input, Parts, Plan, StepKind};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use rustc_hash::FxHashMap;

/// A plan prepared for replay: where its content inputs stand in the matrix.
#[derive(Clone, Debug)]
pub struct PlanModel<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// For every step in `plan.order` and every one of its inputs that is a context selection, the
    /// selection's index in the matrix, in input order.
    pub selections: Vec<Vec<usize>>,
}

/// Which plan each build runs, and what else moves.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Index into the plan models for every build; `None` where the commit has no Dockerfile.
    pub plan: Vec<Option<usize>>,
    /// Base images whose content changed before a build: `(normalised reference, build)`.
    pub base_changes: Vec<(String, u32)>,
    /// What survives between builds.
    pub policy: Policy,
}

/// Why a step ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// Files it reads changed.
    Content,
    /// Its own text changed.
    Instruction,
    /// A build arg in its environment changed.
    Arg,
    /// Environment, user, shell or working directory changed.
    Env,
    /// Its base image changed.
    BaseImage,
    /// A step before it ran.
    Parent,
    /// It was in the store once.
    Evicted,
    /// The store was empty.
    FirstBuild,
    /// `--no-cache-filter` names its stage.
    NoCache,
}

impl CauseKind {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Instruction => "instruction",
            Self::Arg => "arg",
            Self::Env => "env",
            Self::BaseImage => "base-image",
            Self::Parent => "parent",
            Self::Evicted => "evicted",
            Self::FirstBuild => "first-build",
            Self::NoCache => "no-cache",
        }
    }
}

/// Why one step of one build is not cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Position in the plan's order.
    pub step: usize,
    /// Kind.
    pub kind: CauseKind,
    /// Changed files behind a content cause.
    pub paths: Vec<PathId>,
    /// The checkout's `.git` is among what changed.
    pub git: bool,
    /// For `Parent`: position of the step that it follows from.
    pub because_of: Option<usize>,
}

/// A build the builder refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Position in the plan's order.
    pub step: usize,
    /// Like the builder's own message.
    pub message: String,
}

/// One build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildOutcome {
    /// Index of its plan model; `None`: skipped.
    pub plan: Option<usize>,
    /// One verdict per step of the plan's order.
    pub verdicts: Vec<Verdict>,
    /// False where a step is the same vertex as an earlier one of this build: its cost counts once.
    pub first: Vec<bool>,
    /// Causes of everything not cached, in order.
    pub causes: Vec<Cause>,
    /// The builder refuses this build.
    pub fails: Option<Failure>,
}

/// All builds.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// In the order of the matrix.
    pub builds: Vec<BuildOutcome>,
}

/// Replays a history.
#[must_use]
pub fn replay(models: &[PlanModel<'_>], timeline: &Timeline, matrix: &InputMatrix) -> Outcome {
    let mut store = Store::default();
    let mut out = Outcome::default();
    let mut previous: Option<u32> = None;
    let shapes: Vec<Shape> = models.iter().map(Shape::new).collect();
    for (build, plan) in timeline.plan.iter().enumerate() {
        let build = u32::try_from(build).unwrap_or(u32::MAX);
        let Some(p) = *plan else {
            out.builds.push(BuildOutcome::default());
            continue;
        };
        let mut run = Run {
            model: &models[p],
            shape: &shapes[p],
            timeline,
            matrix,
            build,
            previous,
        };
        if let Some(d) = models[p].plan.diagnostics.iter().find(|d| d.is_error()) {
            // A file the builder refuses runs nothing and stores nothing.
            let fails = Some(Failure {
                step: 0,
                message: d.message.clone(),
            });
            out.builds.push(BuildOutcome {
                plan: Some(p),
                fails,
                ..BuildOutcome::default()
            });
            continue;
        }
        let now = Moment {
            build,
            previous,
            policy: timeline.policy,
            sequential: models[p].plan.builder.sequential,
        };
        let (mut outcome, ids) = run.visit(&mut store, now);
        let at_key = run.absent_at_key();
        let kept = match at_key {
            _ if now.sequential => Kept::Before,
            Some(_) => Kept::Unknown,
            None => Kept::Ancestors,
        };
        outcome.fails = at_key.or_else(|| run.absent_at_execution(&outcome));
        if let Some(failure) = &outcome.fails {
            run.withdraw(&mut store, &outcome, &ids, failure.step, kept);
        }
        outcome.plan = Some(p);
        let before = previous.map(|b| &out.builds[b as usize]);
        outcome.causes = run.causes(&outcome, before, models);
        if outcome.fails.is_none() {
            previous = Some(build);
        }
        out.builds.push(outcome);
    }
    out
}

/// What a refused build keeps of the steps that ran.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It failed while keys were computed: nothing is known.
    Unknown,
    /// A step failed: what that step stands on is kept.
    Ancestors,
    /// Steps are made one after another: all before the failed one are kept.
    Before,
}

/// Positions of a plan's steps, resolved once.
struct Shape {
    /// Position of the parent of each step.
    parent: Vec<Option<usize>>,
    /// For every `Input::Stage`: position of that stage's last step.
    stage_last: FxHashMap<usize, Option<usize>>,
}

impl Shape {
    fn new(model: &PlanModel<'_>) -> Self {
        let plan = model.plan;
        let position: FxHashMap<NodeIndex, usize> = plan
            .order
            .iter()
            .enumerate()
            .map(|(i, n)| (*n, i))
            .collect();
        let parent = plan.order.iter().map(|n| {
            let mut keys = plan.graph.edges_directed(*n, Direction::Incoming);
            let edge = keys.find(|e| *e.weight() == Depends::Key)?;
            position
                .get(&petgraph::visit::EdgeRef::source(&edge))
                .copied()
        });
        let last = |s: &crate::plan::Stage| s.last.and_then(|n| position.get(&n).copied());
        Self {
            parent: parent.collect(),
            stage_last: plan
                .stages
                .iter()
                .enumerate()
                .map(|(i, s)| (i, last(s)))
                .collect(),
        }
    }
}

struct Run<'a> {
    model: &'a PlanModel<'a>,
    shape: &'a Shape,
    timeline: &'a Timeline,
    matrix: &'a InputMatrix,
    build: u32,
    previous: Option<u32>,
}

impl Run<'_> {
    /// A source missing while keys are computed refuses the build wherever its step stands.
    fn absent_at_key(&self) -> Option<Failure> {
        let mut failures = self
            .absences()
            .filter(|(_, _, a)| matches!(a, Absence::NotFound { .. }));
        let (step, selection, absence) = failures.next()?;
        Some(self.failure(step, selection, absence))
    }

    fn absent_at_execution(&self, outcome: &BuildOutcome) -> Option<Failure> {
        let mut failures = self
            .absences()
            .filter(|(step, _, _)| outcome.verdicts[*step] != Verdict::Cached);
        let (step, selection, absence) = failures.next()?;
        Some(self.failure(step, selection, absence))
    }

    fn absences(&self) -> impl Iterator<Item = (usize, usize, Absence)> {
        self.model
            .selections
            .iter()
            .enumerate()
            .flat_map(move |(step, selections)| {
                selections
                    .iter()
                    .filter_map(move |s| Some((step, *s, self.matrix.absence(*s, self.build)?)))
            })
    }

    fn failure(&self, step: usize, selection: usize, absence: Absence) -> Failure {
        let (Absence::NotFound { source } | Absence::AtExecution { source }) = absence;
        let text = &self.matrix.selections[selection].input.sources[source];
        let path = crate::pattern::clean(&format!("/{text}"));
        let message = match absence {
            Absence::NotFound { .. } => {
                format!("failed to compute cache key: \"{path}\": not found")
            }
            Absence::AtExecution { .. } => format!("lstat {path}: no such file or directory"),
        };
        Failure { step, message }
    }

    fn base_version(&self, reference: &str, build: u32) -> u128 {
        let changes = &self.timeline.base_changes;
        changes
            .iter()
            .filter(|(r, b)| r == reference && *b <= build)
            .count() as u128
    }

    /// Marks what a refused build can't be relied on to have stored (cache keys 8).
    fn withdraw(
        &self,
        store: &mut Store,
        outcome: &BuildOutcome,
        ids: &[Option<RecordId>],
        failed: usize,
        kept: Kept,
    ) {
        let n = outcome.verdicts.len();
        if kept == Kept::Before {
            // What an equal step before it made is there.
            let (made, rest) = ids.split_at(failed.min(ids.len()));
            for id in rest.iter().filter(|id| !made.contains(id)).flatten() {
                store.withdraw(*id, Afterwards::Gone);
            }
            return;
        }
        let inputs = |p: usize| -> Vec<usize> {
            let step = &self.model.plan.graph[self.model.plan.order[p]];
            let stages = step.inputs.iter().filter_map(|i| match i {
                Input::Stage { stage, .. } => self.shape.stage_last.get(stage).copied().flatten(),
                _ => None,
            });
            self.shape.parent[p].into_iter().chain(stages).collect()
        };
        let (mut behind, mut below) = (vec![false; n], vec![false; n]);
        behind[failed] = true;
        for p in failed + 1..n {
            behind[p] = inputs(p).iter().any(|i| behind[*i]);
        }
        below[failed] = true;
        for p in (0..=failed).rev().filter(|p| *p < n) {
            if below[p] {
                for i in inputs(p) {
                    below[i] = true;
                }
            }
        }
        for p in 0..n {
            let Some(id) = ids[p].filter(|_| outcome.verdicts[p] != Verdict::Cached) else {
                continue;
            };
            if behind[p] {
                store.withdraw(id, Afterwards::Gone);
            } else if kept == Kept::Unknown || !below[p] {
                store.withdraw(id, Afterwards::Unsure);
            }
        }
    }

    fn visit(&mut self, store: &mut Store, now: Moment) -> (BuildOutcome, Vec<Option<RecordId>>) {
        let plan = self.model.plan;
        let mut ids: Vec<Option<RecordId>> = Vec::with_capacity(plan.order.len());
        // What the next step stands on: for `COPY --link` the merge of the copy and its parent.
        let mut chain: Vec<RecordId> = Vec::with_capacity(plan.order.len());
        let mut verdicts = Vec::with_capacity(plan.order.len());
        let mut forced = Forced::new(plan, &self.shape.parent);
        for (position, node) in plan.order.iter().enumerate() {
            let step = &plan.graph[*node];
            let parent = self.shape.parent[position].map(|p| chain[p]);
            let mut context = self.model.selections[position].iter();
            let mut slots = Vec::new();
            for input in &step.inputs {
                slots.push(match input {
                    Input::Context(_) => {
                        let s = context
                            .next()
                            .map_or(0, |s| self.matrix.version[*s][now.build as usize]);
                        Slot::Known(s)
                    }
                    Input::Stage { stage, sources } => {
                        let selector = text_digest(sources);
                        match self.shape.stage_last.get(stage).copied().flatten() {
                            Some(last) => Slot::Stage(chain[last], selector),
                            None => Slot::Known(0),
                        }
                    }
                    Input::Image(reference) => {
                        let version = self.base_version(reference, now.build);
                        match step.kind {
                            StepKind::From => Slot::Known(version),
                            // Only some of its files count (experiments row 96).
                            _ => Slot::Image(version),
                        }
                    }
                    // Where files of these enter, the command line declines to replay.
                    Input::Named(_) | Input::Remote(_) => Slot::Known(0),
                });
            }
            if step.volatile {
                slots.push(Slot::Known(u128::from(now.build) + 1));
            }
            let key = Key {
                definition: step.definition,
                parent: if step.keyed_by_parent { parent } else { None },
                slots,
            };
            let (id, verdict) = store.visit(key, now);
            ids.push(Some(id));
            let standing = Standing {
                parent: self.shape.parent[position],
                keyed_by_parent: step.keyed_by_parent,
                taken: &self.taken(step),
            };
            verdicts.push(forced.verdict(standing, verdict));
            chain.push(match (step.keyed_by_parent || step.own_base, parent) {
                (false, Some(parent)) => {
                    let merge = Key {
                        definition: MERGE,
                        parent: Some(parent),
                        slots: vec![Slot::Record(id)],
                    };
                    store.visit(merge, now).0
                }
                _ => id,
            });
        }
        let outcome = BuildOutcome {
            plan: None,
            first: Store::first_visits(&ids),
            verdicts,
            causes: Vec::new(),
            fails: None,
        };
        (outcome, ids)
    }

    /// Positions of the last steps of the stages whose files a step takes.
    fn taken(&self, step: &crate::plan::Step) -> Vec<usize> {
        let of = |input: &Input| match input {
            Input::Stage { stage, .. } => self.shape.stage_last.get(stage).copied().flatten(),
            _ => None,
        };
        step.inputs.iter().filter_map(of).collect()
    }

    fn causes(
        &self,
        outcome: &BuildOutcome,
        before: Option<&BuildOutcome>,
        models: &[PlanModel<'_>],
    ) -> Vec<Cause> {
        let mut causes = Vec::new();
        for (position, verdict) in outcome.verdicts.iter().enumerate() {
            if *verdict != Verdict::Cached {
                causes.push(self.cause(position, outcome, before, models));
            }
        }
        causes
    }

    fn cause(
        &self,
        position: usize,
        outcome: &BuildOutcome,
        before: Option<&BuildOutcome>,
        models: &[PlanModel<'_>],
    ) -> Cause {
        let plan = self.model.plan;
        let step = &plan.graph[plan.order[position]];
        let mut cause = Cause {
            step: position,
            kind: CauseKind::FirstBuild,
            paths: Vec::new(),
            git: false,
            because_of: None,
        };
        let (Some(before), Some(previous)) = (before, self.previous) else {
            return cause;
        };
        if self.timeline.policy == Policy::None {
            return cause;
        }
        if let Some(kind) = self.edited(step, before, models) {
            cause.kind = kind;
            return cause;
        }
        if step.volatile {
            cause.kind = CauseKind::Arg;
            return cause;
        }
        for input in &step.inputs {
            if let Input::Image(r) = input
                && self.base_version(r, self.build) != self.base_version(r, previous)
            {
                cause.kind = CauseKind::BaseImage;
                return cause;
            }
        }
        if step.forced {
            cause.kind = CauseKind::NoCache;
            return cause;
        }
        let selections = &self.model.selections[position];
        let moved = selections.iter().filter(|s| {
            let versions = &self.matrix.version[**s];
            versions[self.build as usize] != versions[previous as usize]
        });
        for s in moved {
            cause.kind = CauseKind::Content;
            cause.git |= self.matrix.holds_git[*s];
            cause
                .paths
                .extend(self.matrix.changes(*s, previous, self.build));
        }
        if cause.kind == CauseKind::Content {
            cause.paths.sort_unstable();
            cause.paths.dedup();
            return cause;
        }
        let mut sources = self.shape.parent[position]
            .filter(|_| step.keyed_by_parent)
            .into_iter()
            .chain(step.inputs.iter().filter_map(|i| match i {
                Input::Stage { stage, .. } => self.shape.stage_last.get(stage).copied().flatten(),
                _ => None,
            }));
        cause.because_of = sources.find(|p| outcome.verdicts[*p] != Verdict::Cached);
        cause.kind = if cause.because_of.is_some() {
            CauseKind::Parent
        } else {
            CauseKind::Evicted
        };
        cause
    }

    /// What changed in the step's own definition since the build before, if anything.
    fn edited(
        &self,
        step: &crate::plan::Step,
        before: &BuildOutcome,
        models: &[PlanModel<'_>],
    ) -> Option<CauseKind> {
        let old_model = &models[before.plan?];
        if std::ptr::eq(old_model.plan, self.model.plan) {
            return None;
        }
        let old = &old_model.plan;
        let same = old.order.iter().map(|n| &old.graph[*n]);
        if same.clone().any(|s| s.definition == step.definition) {
            return None;
        }
        let was: Vec<&Parts> = same
            .filter(|s| s.kind == step.kind)
            .map(|s| &s.parts)
            .collect();
        if step.kind == StepKind::From {
            return Some(CauseKind::BaseImage);
        }
        if was
            .iter()
            .any(|p| p.instruction == step.parts.instruction && p.env == step.parts.env)
        {
            return Some(CauseKind::Arg);
        }
        if was.iter().any(|p| p.instruction == step.parts.instruction) {
            return Some(CauseKind::Env);
        }
        Some(CauseKind::Instruction)
    }
}

/// Definition of the merge vertex of `COPY --link`: its inputs are all of its key.
const MERGE: u128 = 0x006d_6572_6765;

fn text_digest(items: &[String]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for item in items {
        hasher.update(&(item.len() as u64).to_le_bytes());
        hasher.update(item.as_bytes());
    }
    let mut half = [0u8; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(half)
}
