//! The replay itself: every build of a history against the store, oldest first.

use super::demand::{Kept, Visited};
use super::forced::{Forced, Standing};
use super::inputs::{Absence, InputMatrix};
use super::policy::Policy;
use super::stage_tree::Content;
use super::store::{Key, Slot, Store, Verdict};
use crate::history::PathId;
use crate::plan::{Base, Depends, Input, Parts, Plan, Step, StepKind};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use rustc_hash::{FxHashMap, FxHashSet};

/// A plan prepared for replay: where its content inputs stand in the matrix.
#[derive(Clone, Debug)]
pub struct PlanModel<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// For every step in `plan.order` and every one of its inputs that is a context selection, the
    /// selection's index in the matrix, in input order.
    pub selections: Vec<Vec<usize>>,
    /// The same for inputs that are a stage's files: their view in the matrix, in input order.
    pub views: Vec<Vec<Option<usize>>>,
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
    /// Equal inputs give equal output in every RUN, not only in those whose comment says so.
    pub assume_reproducible: bool,
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
    /// Where every cache mount of the step was written to by an earlier build and is still there.
    pub warm: Vec<bool>,
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

/// What some policies look at beside keys.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Bytes of the layer of every step, by plan and position; what is missing counts as 0.
    pub bytes: Vec<Vec<u64>>,
    /// When each build was made, seconds since 1970; empty where that is not known.
    pub seconds: Vec<i64>,
}

/// Replays a history under a policy that looks at keys alone.
#[must_use]
pub fn replay(models: &[PlanModel<'_>], timeline: &Timeline, matrix: &InputMatrix) -> Outcome {
    replay_with(models, timeline, matrix, &Facts::default())
}

/// Replays a history.
#[must_use]
pub fn replay_with(
    models: &[PlanModel<'_>],
    timeline: &Timeline,
    matrix: &InputMatrix,
    facts: &Facts,
) -> Outcome {
    let policy = timeline.policy;
    let mut mounts = Mounts::default();
    let mut last_time: Option<i64> = None;
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
            bytes: facts.bytes.get(p).map_or(&[], Vec::as_slice),
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
        let time = facts.seconds.get(build as usize).copied();
        policy.before(&mut store, last_time.zip(time).map(|(a, b)| b - a));
        last_time = time.or(last_time);
        let mut visited = run.visit(&mut store);
        visited.demand(&store, models[p].plan.builder.sequential);
        let mut outcome = visited.outcome(models[p].plan.builder.sequential);
        let sequential = models[p].plan.builder.sequential;
        let kept = |kept| if sequential { Kept::Before } else { kept };
        let context = run.absent_at_key().map(|f| (f, kept(Kept::Unknown)));
        let stage = || run.absent_in_stage().map(|f| (f, kept(Kept::Sources)));
        let late = || {
            let absent = run.absent_at_execution(&outcome);
            absent
                .or_else(|| run.refused_at_execution())
                .map(|f| (f, kept(Kept::Ancestors)))
        };
        let failed = context.or_else(stage).or_else(late);
        let used = visited.used();
        match &failed {
            None => {
                store.commit(&used, build, false);
                if policy == Policy::Local {
                    store.settle(&used);
                }
                policy.after(&mut store, &used);
            }
            // Nothing is exported by a build that fails.
            Some(_) if policy.is_exported() => {}
            Some((failure, kept)) => {
                store.commit(&used, build, true);
                visited.withdraw(&mut store, failure.step, *kept);
            }
        }
        outcome.fails = failed.map(|(failure, _)| failure);
        outcome.warm = mounts.warm(run.model.plan, policy);
        if outcome.fails.is_none() {
            mounts.fill(run.model.plan, &outcome);
        }
        outcome.plan = Some(p);
        let before = previous.map(|b| &out.builds[b as usize]);
        outcome.causes = run.causes(&outcome, &visited, before, models);
        if outcome.fails.is_none() {
            previous = Some(build);
        }
        out.builds.push(outcome);
    }
    out
}

/// Cache mounts that some RUN has written to.
#[derive(Default)]
struct Mounts {
    filled: FxHashSet<String>,
}

impl Mounts {
    /// For every step whether it would find its cache mounts filled (cache keys 10).
    fn warm(&self, plan: &Plan, policy: Policy) -> Vec<bool> {
        let warm = |s: &Step| {
            policy.is_persistent()
                && !s.cache_mounts.is_empty()
                && s.cache_mounts.iter().all(|id| self.filled.contains(id))
        };
        plan.order.iter().map(|n| warm(&plan.graph[*n])).collect()
    }

    fn fill(&mut self, plan: &Plan, outcome: &BuildOutcome) {
        for (node, verdict) in plan.order.iter().zip(&outcome.verdicts) {
            if *verdict != Verdict::Cached {
                let ids = &plan.graph[*node].cache_mounts;
                self.filled.extend(ids.iter().cloned());
            }
        }
    }
}

/// Positions of a plan's steps, resolved once.
struct Shape {
    /// Position of the parent of each step.
    parent: Vec<Option<usize>>,
    /// For every `Input::Stage`: position of that stage's last step.
    stage_last: FxHashMap<usize, Option<usize>>,
    /// By stage: its files come from RUNs, and the output of each depends on its inputs alone.
    reproducible: Vec<bool>,
    /// For every step, and every one of its inputs that is a stage's files: digest of the paths it takes.
    paths: Vec<Vec<u128>>,
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
        // Whether all RUNs behind a stage's files are marked, and whether there is one at all.
        let mut behind: Vec<(bool, bool)> = Vec::with_capacity(plan.stages.len());
        for stage in &plan.stages {
            let (mut marked, mut any) = match stage.base {
                Base::Stage(b) => behind[b],
                _ => (true, false),
            };
            for step in stage.steps.iter().map(|n| &plan.graph[*n]) {
                if step.kind == StepKind::Run {
                    (marked, any) = (marked && step.reproducible, true);
                }
                for input in &step.inputs {
                    let taken = match input {
                        Input::Stage { stage, .. } => behind.get(*stage),
                        _ => None,
                    };
                    let (m, a) = taken.copied().unwrap_or((true, false));
                    (marked, any) = (marked && m, any || a);
                }
            }
            behind.push((marked, any));
        }
        let reproducible = behind.into_iter().map(|(marked, any)| marked && any);
        let taken = |n: &NodeIndex| {
            let inputs = plan.graph[*n].inputs.iter();
            let digest = |i: &Input| match i {
                Input::Stage { sources, .. } => Some(text_digest(sources)),
                _ => None,
            };
            inputs.filter_map(digest).collect()
        };
        let last = |s: &crate::plan::Stage| s.last.and_then(|n| position.get(&n).copied());
        Self {
            parent: parent.collect(),
            stage_last: plan
                .stages
                .iter()
                .enumerate()
                .map(|(i, s)| (i, last(s)))
                .collect(),
            reproducible: reproducible.collect(),
            paths: plan.order.iter().map(taken).collect(),
        }
    }
}

struct Run<'a> {
    model: &'a PlanModel<'a>,
    shape: &'a Shape,
    timeline: &'a Timeline,
    matrix: &'a InputMatrix,
    bytes: &'a [u64],
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
        let context = failures
            .next()
            .map(|(step, selection, absence)| self.failure(step, selection, absence));
        let stage = || {
            let mut found = self.stage_absences(&outcome.verdicts);
            found.next().map(|(step, text)| Failure {
                step,
                message: format!("lstat {text}: no such file or directory"),
            })
        };
        context.or_else(stage)
    }

    /// A step that fails whenever it is executed, and so has no result that anything could be cached behind.
    fn refused_at_execution(&self) -> Option<Failure> {
        let plan = self.model.plan;
        let fails = |(step, n): (usize, &NodeIndex)| {
            let message = plan.graph[*n].fails?.to_owned();
            Some(Failure { step, message })
        };
        plan.order.iter().enumerate().find_map(fails)
    }

    /// A source that another stage certainly does not have.
    fn absent_in_stage(&self) -> Option<Failure> {
        let (step, text) = self.stage_absences(&[]).next()?;
        let message = format!("failed to compute cache key: \"{text}\": not found");
        Some(Failure { step, message })
    }

    /// Steps whose source a stage does not have, and that source: those that show when keys are
    /// computed, or with verdicts those that show when a step that is not cached runs.
    fn stage_absences<'a>(
        &'a self,
        verdicts: &'a [Verdict],
    ) -> impl Iterator<Item = (usize, String)> + 'a {
        let views = self.model.views.iter().enumerate();
        let all = views.flat_map(|(step, list)| list.iter().flatten().map(move |v| (step, *v)));
        all.filter_map(move |(step, view)| {
            let source = match self.matrix.views[view][self.build as usize] {
                Content::Missing { source } if verdicts.is_empty() => source,
                Content::MissingAtExecution { source } if !verdicts.is_empty() => {
                    (verdicts[step] != Verdict::Cached).then_some(source)?
                }
                _ => return None,
            };
            let text = self.matrix.requests[view].view.source(source)?;
            Some((step, crate::pattern::clean(&format!("/{text}"))))
        })
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

    fn is_reproducible(&self, stage: usize) -> bool {
        let marked = self.shape.reproducible.get(stage).copied();
        self.timeline.assume_reproducible || marked.unwrap_or(false)
    }

    /// What a view of another stage is in this build, where that is known.
    fn viewed(&self, view: Option<usize>) -> Option<Slot> {
        let view = view?;
        match self.matrix.views[view][self.build as usize] {
            Content::Known {
                digest,
                places: None,
            } => Some(Slot::Known(digest)),
            Content::Known {
                digest,
                places: Some(places),
            } => {
                // The image's own files there may be the same after it changed, or not.
                let images = self.matrix.requests[view].view.images();
                let of = |i: &String| self.base_version(i, self.build).to_string();
                let mut parts: Vec<String> = images.iter().map(of).collect();
                parts.push(places.to_string());
                Some(Slot::Placed(digest, text_digest(&parts)))
            }
            Content::Unsure { digest } => Some(Slot::Unsure(digest)),
            Content::Made | Content::Missing { .. } | Content::MissingAtExecution { .. } => None,
        }
    }

    fn base_version(&self, reference: &str, build: u32) -> u128 {
        let changes = &self.timeline.base_changes;
        changes
            .iter()
            .filter(|(r, b)| r == reference && *b <= build)
            .count() as u128
    }

    /// Positions of the steps whose results are in a step's key.
    fn inputs(&self, position: usize, outcome: &BuildOutcome) -> impl Iterator<Item = usize> {
        let step = &self.model.plan.graph[self.model.plan.order[position]];
        let stages = step.inputs.iter().filter_map(|i| match i {
            Input::Stage { stage, .. } => self.shape.stage_last.get(stage).copied().flatten(),
            _ => None,
        });
        let below = self.foundation(position, outcome);
        let below = below.filter(|_| step.keyed_by_parent);
        below.into_iter().chain(stages)
    }

    fn visit(&mut self, store: &mut Store) -> Visited {
        let plan = self.model.plan;
        let mut all = Visited::default();
        // What the next step stands on: for `COPY --link` the merge of the copy and its parent.
        let mut chain: Vec<usize> = Vec::with_capacity(plan.order.len());
        let mut forced = Forced::new(plan, &self.shape.parent);
        for (position, node) in plan.order.iter().enumerate() {
            let step = &plan.graph[*node];
            let parent = self.shape.parent[position].map(|p| chain[p]);
            let mut context = self.model.selections[position].iter();
            let mut views = self.model.views[position].iter();
            let mut paths = self.shape.paths[position].iter().copied();
            // Stages of whose files too little is known.
            let mut unknown = Vec::new();
            let mut slots = Vec::new();
            let mut sources = Vec::new();
            for input in &step.inputs {
                slots.push(match input {
                    Input::Context(_) => {
                        let s = context
                            .next()
                            .map_or(0, |s| self.matrix.version[*s][self.build as usize]);
                        Slot::Known(s)
                    }
                    Input::Stage { stage, .. } => {
                        let paths = paths.next().unwrap_or_default();
                        let view = views.next().copied().flatten();
                        let last = self.shape.stage_last.get(stage).copied().flatten();
                        let last = last.map(|p| chain[p]);
                        sources.extend(last);
                        match (self.viewed(view), last) {
                            (Some(slot), _) => slot,
                            (None, Some(last)) if self.is_reproducible(*stage) => {
                                // Then the files are those of the same record, and no others.
                                let record = all.nodes[last].record;
                                let parts = [paths, u128::from(record.0)];
                                Slot::Known(text_digest(&parts.map(|p| p.to_string())))
                            }
                            (None, Some(last)) => {
                                unknown.extend(self.shape.stage_last.get(stage).copied().flatten());
                                Slot::Stage(all.nodes[last].record, paths)
                            }
                            (None, None) => Slot::Known(0),
                        }
                    }
                    Input::Image(reference) => {
                        let version = self.base_version(reference, self.build);
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
                slots.push(Slot::Known(u128::from(self.build) + 1));
            }
            let below = parent.filter(|_| step.keyed_by_parent);
            let key = Key {
                definition: step.definition,
                parent: below.map(|p| all.nodes[p].record),
                slots,
            };
            let stands_on = parent.filter(|_| step.keyed_by_parent || step.own_base);
            let mut made = all.look_up(store, key, stands_on.into_iter().collect(), sources);
            made.is_from = step.kind == StepKind::From;
            made.bytes = self.bytes.get(position).copied().unwrap_or(0);
            if made.is_from && self.timeline.policy.is_exported() {
                // A fresh runner fetches the image, which is no step that runs (the contract's words:
                // executed only in the first build and when its identity changes).
                made.found.layer = if store.seen_in(made.record, self.previous) {
                    Verdict::Cached
                } else {
                    Verdict::Executed
                };
            }
            let compares = !made.sources.is_empty();
            let standing = Standing {
                parent: self.shape.parent[position],
                keyed_by_parent: step.keyed_by_parent,
                own_base: step.own_base,
                taken: &unknown,
            };
            made.found.layer = forced.verdict(standing, made.found.layer);
            // Files that are made anew have to be compared.
            made.found.linked &= !(forced.any() && compares);
            if plan.builder.sequential {
                store.made(made.record);
            }
            let id = all.add(made);
            all.steps.push(id);
            chain.push(match (stands_on, parent) {
                (None, Some(parent)) => {
                    let merge = Key {
                        definition: MERGE,
                        parent: Some(all.nodes[parent].record),
                        slots: vec![Slot::Record(all.nodes[id].record)],
                    };
                    let mut merge = all.look_up(store, merge, vec![parent, id], Vec::new());
                    if forced.any() {
                        let of = |i: usize| all.nodes[i].found.layer;
                        merge.found.layer = merge.found.layer.max(of(parent)).max(of(id));
                    }
                    all.add(merge)
                }
                _ => id,
            });
        }
        let last = self.shape.stage_last.get(&plan.target).copied().flatten();
        all.target = last.map(|p| chain[p]);
        all
    }

    fn causes(
        &self,
        outcome: &BuildOutcome,
        visited: &Visited,
        before: Option<&BuildOutcome>,
        models: &[PlanModel<'_>],
    ) -> Vec<Cause> {
        let mut causes = Vec::new();
        for (position, verdict) in outcome.verdicts.iter().enumerate() {
            if *verdict != Verdict::Cached {
                causes.push(self.cause(position, outcome, visited, before, models));
            }
        }
        causes
    }

    fn cause(
        &self,
        position: usize,
        outcome: &BuildOutcome,
        visited: &Visited,
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
        cause.because_of = self
            .inputs(position, outcome)
            .find(|p| outcome.verdicts[*p] != Verdict::Cached);
        // On a builder that is never cleaned nothing is lost.
        let loses = self.timeline.policy != Policy::Local;
        if step.forced {
            cause.because_of = None;
            cause.kind = CauseKind::NoCache;
            return cause;
        }
        if visited.nodes[visited.steps[position]].is_lost() {
            // The very same result was there once: nothing changed but what the cache holds, or
            // an equal step of another stage is made to run.
            cause.kind = match cause.because_of {
                Some(_) => CauseKind::Parent,
                None if loses => CauseKind::Evicted,
                None => CauseKind::NoCache,
            };
            return cause;
        }
        let follows_from = cause.because_of.take();
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
        // Nothing of its own changed: a step before it ran, or went back to what it was in a build
        // that had other things behind it.
        cause.because_of = follows_from.or_else(|| self.inputs(position, outcome).next());
        cause.kind = match cause.because_of {
            Some(_) => CauseKind::Parent,
            None if loses => CauseKind::Evicted,
            // Only refused builds had it so far, and what they left is not known.
            None => CauseKind::FirstBuild,
        };
        cause
    }

    /// The step below, or, where that is a `COPY --link` which did not run, the first one below it that did: what a
    /// step stands on is the merge of them all.
    fn foundation(&self, position: usize, outcome: &BuildOutcome) -> Option<usize> {
        let plan = self.model.plan;
        let mut below = self.shape.parent[position]?;
        while outcome.verdicts[below] == Verdict::Cached
            && !plan.graph[plan.order[below]].keyed_by_parent
            && let Some(next) = self.shape.parent[below]
        {
            below = next;
        }
        Some(below)
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
    let bytes: Vec<&[u8]> = items.iter().map(String::as_bytes).collect();
    super::members::hash(&bytes)
}
