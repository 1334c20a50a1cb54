//! The replay itself: every build of a history against the store, oldest first.

mod causes;
mod refused;
mod shape;
mod visit;

use super::demand::{Kept, Visited};
use super::inputs::InputMatrix;
use super::policy::Policy;
use super::store::{Store, Verdict};
use crate::history::PathId;
use crate::plan::{Plan, Step};
use rustc_hash::FxHashSet;
use shape::Shape;
use std::borrow::Cow;
use std::sync::Arc;

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
    /// Position of the first step that is the same vertex, which is mostly the step itself: the cost of a vertex counts once.
    /// Most builds have the same list.
    pub same_as: Arc<[u32]>,
    /// Where every cache mount of the step was written to by an earlier build and is still there. Most builds have the same.
    pub warm: Arc<[bool]>,
    /// Causes of everything not cached, in order.
    pub causes: Vec<Cause>,
    /// The builder refuses this build.
    pub fails: Option<Failure>,
}

impl BuildOutcome {
    /// What a step takes when it runs: the seconds of `warm` where an earlier build filled its cache mounts, else those of `cold`.
    #[must_use]
    pub fn takes(&self, position: usize, cold: &[f64], warm: &[f64]) -> f64 {
        match self.warm.get(position) {
            Some(true) => warm[position],
            _ => cold[position],
        }
    }

    /// The cause at the start of the chain that made a step run; nothing for one that is cached.
    #[must_use]
    pub fn root(&self, position: usize) -> Option<&Cause> {
        let of = |step: usize| {
            let found = self.causes.binary_search_by_key(&step, |c| c.step);
            found.ok().map(|i| &self.causes[i])
        };
        let mut cause = of(position)?;
        // Each follows from a step before it.
        while let Some(before) = cause.because_of.filter(|b| *b < cause.step) {
            cause = of(before)?;
        }
        Some(cause)
    }

    /// Whether no step before this one is the same vertex.
    #[must_use]
    pub fn is_first(&self, position: usize) -> bool {
        self.same_as[position] as usize == position
    }
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
    let matrix = Cow::Borrowed(matrix);
    let mut out = Outcome::default();
    let tell = |build| out.builds.push(build);
    replayed(models, timeline, matrix, facts, || None, tell);
    out
}

/// The same with a matrix that is still being computed: `more` gives the rows of the builds that follow, as
/// [`super::matrix_in_pieces`] does, for all builds of the timeline in the end. `tell` gets every build as soon as it is
/// decided, in order.
pub fn replay_growing(
    models: &[PlanModel<'_>],
    timeline: &Timeline,
    matrix: InputMatrix,
    facts: &Facts,
    more: impl FnMut() -> Option<InputMatrix>,
    tell: impl FnMut(BuildOutcome),
) {
    let matrix = Cow::Owned(matrix);
    replayed(models, timeline, matrix, facts, more, tell);
}

/// Results of a replay that take long to take apart.
const LARGE: usize = 10_000;

fn replayed(
    models: &[PlanModel<'_>],
    timeline: &Timeline,
    mut matrix: Cow<'_, InputMatrix>,
    facts: &Facts,
    mut more: impl FnMut() -> Option<InputMatrix>,
    mut tell: impl FnMut(BuildOutcome),
) {
    let policy = timeline.policy;
    let mut mounts = Mounts::default();
    let mut last_time: Option<i64> = None;
    let mut store = Store::default();
    // The last build that passed, and its plan.
    let mut previous: Option<(u32, usize)> = None;
    let mut visited = Visited::default();
    let mut shapes: Vec<Shape> = models.iter().map(Shape::new).collect();
    let mut lacking = Shape::lacking(&matrix);
    note_lacks(&mut shapes, models, &matrix, &lacking);
    for (build, plan) in timeline.plan.iter().enumerate() {
        while matrix.builds <= build
            && let Some(piece) = more()
        {
            for (lacks, more) in lacking.iter_mut().zip(Shape::lacking(&piece)) {
                *lacks |= more;
            }
            matrix.to_mut().append(piece);
            note_lacks(&mut shapes, models, &matrix, &lacking);
        }
        let build = u32::try_from(build).unwrap_or(u32::MAX);
        let Some(p) = *plan else {
            tell(BuildOutcome::default());
            continue;
        };
        let run = Run {
            plan: p,
            model: &models[p],
            shape: &shapes[p],
            timeline,
            matrix: &matrix,
            bytes: facts.bytes.get(p).map_or(&[], Vec::as_slice),
            build,
            previous: previous.map(|(build, _)| build),
        };
        if let Some(d) = models[p].plan.diagnostics.iter().find(|d| d.is_error()) {
            // A file the builder refuses runs nothing and stores nothing.
            let fails = Some(Failure {
                step: 0,
                message: d.message.clone(),
            });
            let refused = BuildOutcome {
                plan: Some(p),
                fails,
                ..BuildOutcome::default()
            };
            tell(refused);
            continue;
        }
        let time = facts.seconds.get(build as usize).copied();
        policy.before(&mut store, last_time.zip(time).map(|(a, b)| b - a));
        last_time = time.or(last_time);
        let sequential = models[p].plan.builder.sequential;
        run.visit(&mut store, &mut visited);
        visited.demand(&store, sequential);
        let mut outcome = visited.outcome(sequential);
        let kept = |kept| if sequential { Kept::Before } else { kept };
        let context = run.absent_at_key().map(|f| (f, kept(Kept::Unknown)));
        let stage = || run.absent_in_stage().map(|f| (f, kept(Kept::Sources)));
        let late = || {
            let absent = run.absent_at_execution(&outcome);
            absent
                .or_else(|| run.shape.fails.clone())
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
        outcome.warm = mounts.warm(p, run.model.plan, policy);
        if outcome.fails.is_none() {
            mounts.fill(run.model.plan, &outcome);
        }
        outcome.plan = Some(p);
        let before = previous.map(|(_, plan)| &models[plan]);
        outcome.causes = run.causes(&outcome, &visited, before);
        if outcome.fails.is_none() {
            previous = Some((build, p));
        }
        tell(outcome);
    }
    if store.len() >= LARGE {
        // Nobody has to wait until it is taken apart.
        let own = match matrix {
            Cow::Owned(matrix) => Some(matrix),
            Cow::Borrowed(_) => None,
        };
        rayon::spawn(move || drop((store, own)));
    }
}

fn note_lacks(
    shapes: &mut [Shape],
    models: &[PlanModel<'_>],
    matrix: &InputMatrix,
    lacking: &[bool],
) {
    for (shape, model) in shapes.iter_mut().zip(models) {
        shape.note_lacks(model, matrix, lacking);
    }
}

/// Cache mounts that some RUN has written to.
#[derive(Default)]
struct Mounts {
    filled: FxHashSet<String>,
    /// What was answered last: the plan, how many were filled, and the answer.
    last: Option<(usize, usize, Arc<[bool]>)>,
}

impl Mounts {
    /// For every step whether it would find its cache mounts filled (cache keys 10).
    fn warm(&mut self, number: usize, plan: &Plan, policy: Policy) -> Arc<[bool]> {
        let filled = self.filled.len();
        if let Some((p, f, warm)) = &self.last
            && (*p, *f) == (number, filled)
        {
            return Arc::clone(warm);
        }
        let warm = |s: &Step| {
            policy.is_persistent()
                && !s.cache_mounts.is_empty()
                && s.cache_mounts.iter().all(|id| self.filled.contains(id))
        };
        let warm: Arc<[bool]> = plan.order.iter().map(|n| warm(&plan.graph[*n])).collect();
        self.last = Some((number, filled, Arc::clone(&warm)));
        warm
    }

    fn fill(&mut self, plan: &Plan, outcome: &BuildOutcome) {
        for (node, verdict) in plan.order.iter().zip(&outcome.verdicts) {
            if *verdict != Verdict::Cached {
                let ids = plan.graph[*node].cache_mounts.iter();
                let new = ids.filter(|id| !self.filled.contains(*id));
                let new: Vec<String> = new.cloned().collect();
                self.filled.extend(new);
            }
        }
    }
}

/// One build of the history.
struct Run<'a> {
    /// Index of its plan.
    plan: usize,
    model: &'a PlanModel<'a>,
    shape: &'a Shape,
    timeline: &'a Timeline,
    matrix: &'a InputMatrix,
    bytes: &'a [u64],
    build: u32,
    previous: Option<u32>,
}

fn text_digest(items: &[String]) -> u128 {
    let bytes: Vec<&[u8]> = items.iter().map(String::as_bytes).collect();
    super::members::hash(&bytes)
}
