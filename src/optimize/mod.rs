//! The search for a cheaper Dockerfile that builds the same image.
//!
//! Goes in: a Dockerfile, the inputs of every build, costs, files at the newest commit. Comes out:
//! the best plan of each safety class with its proven bound. Candidates are subsets of the
//! applicable rewrites, each with the exact order inside; every candidate is printed, parsed and
//! replayed again, and only what that replay says is reported. Invariant: no plan scores worse than
//! the input.

pub mod carry;
pub mod certificate;
pub mod effect;
pub mod ground;
mod lines;
mod observed;
pub mod order;
pub mod partition;
pub mod precedence;
pub mod rows;
mod stage;

use crate::cost::CostTable;
use crate::dockerfile::{self, Dockerfile};
use crate::footprint::Certainty;
use crate::optimize::precedence::Scene;
use crate::plan::{self, BuildOptions, ContextInput, Input, Plan, StepKind};
use crate::rewrite::reorder::Placed;
use crate::rewrite::{self, ContextFiles, EditNote, Rewrite, Safety};
use crate::simulate::{
    BuildCost, Context, Facts, InputMatrix, Outcome, PlanModel, Policy, Selection, Summary,
    Timeline, ViewRequest, build_costs, columns, matrix, replay_with, selections_of, summarize,
    view_columns, views_of,
};
use crate::source::SourceFile;
use certificate::Proof;
use std::ops::Range;

/// What plans minimise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// Seconds summed over executed steps.
    #[default]
    Work,
    /// Seconds of the longest chain.
    CriticalPath,
}

impl Objective {
    /// The figure of a summary that this objective minimises.
    #[must_use]
    pub fn of(self, summary: &Summary) -> f64 {
        match self {
            Self::Work => summary.work_s_per_build,
            Self::CriticalPath => summary.critical_path_s_per_build,
        }
    }

    fn of_build(self, cost: &BuildCost) -> f64 {
        match self {
            Self::Work => cost.work_s,
            Self::CriticalPath => cost.critical_path_s,
        }
    }
}

/// Everything a Dockerfile is judged by, the Dockerfile itself aside.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// Target, arguments, platform.
    pub options: &'a BuildOptions,
    /// The builds and the context; the ignore rules in force are the first.
    pub context: Context<'a>,
    /// Step costs.
    pub costs: &'a CostTable,
    /// What survives between builds.
    pub policy: Policy,
    /// When each build was made, seconds since 1970; empty where that does not matter.
    pub seconds: &'a [i64],
    /// Bytes that a selection of context files adds to a layer.
    pub copied: &'a dyn Fn(&ContextInput) -> u64,
    /// Equal inputs give equal output in every RUN.
    pub assume_reproducible: bool,
    /// Base images that changed: normalised reference, build.
    pub base_changes: &'a [(String, u32)],
    /// What plans minimise.
    pub objective: Objective,
    /// Weakest class of edit allowed.
    pub safety: Safety,
    /// Names of the rewrites that may be used; empty is all.
    pub rewrites: &'a [String],
    /// The context at the newest commit, as rewrites look at it.
    pub files: &'a dyn ContextFiles,
}

/// A Dockerfile parsed, lowered and replayed over the whole history.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Its text.
    pub source: SourceFile,
    /// Its tree.
    pub file: Dockerfile,
    /// Its steps.
    pub plan: Plan,
    /// For every step in the plan's order, its selections in the matrix of the replay.
    pub selections: Vec<Vec<usize>>,
    /// The same for views of other stages.
    pub views: Vec<Vec<Option<usize>>>,
    /// Verdicts.
    pub outcome: Outcome,
    /// Seconds of every step in the plan's order, cache mounts as they are in every build but the first.
    pub seconds: Vec<f64>,
    /// Seconds of every build.
    pub costs: Vec<BuildCost>,
    /// Sums.
    pub summary: Summary,
}

/// One plan.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The weakest class among its edits.
    pub safety: Safety,
    /// The rewritten Dockerfile, evaluated.
    pub evaluated: Evaluated,
    /// What was done, in file order.
    pub edits: Vec<EditNote>,
    /// All assumptions, sorted.
    pub assumptions: Vec<String>,
    /// Why each pair of instructions that changed places commutes.
    pub proofs: Vec<Proof>,
    /// `1 - plan / baseline` by the objective, over all builds.
    pub saving: f64,
    /// The same on the newer 30 % of the builds for the plan chosen on the older 70 %.
    pub held_out_saving: Option<f64>,
    /// No plan with the allowed rewrites costs less, seconds a build in the objective's unit.
    pub bound_s: f64,
    /// No order with these footprints and these edits costs less.
    pub optimal: bool,
}

/// Number of downsets that the search for a stage's order may look at.
const DOWNSETS: usize = 1 << 16;
/// Number of splits tried in all combinations.
const COMBINED_REWRITES: usize = 4;
/// Plans that save less than this share are not worth anybody's review.
const LEAST_SAVING: f64 = 0.005;
/// Share of the builds that plans are chosen on for the held-out figure.
const CHOSEN_ON: f64 = 0.7;

/// Seconds of every step in a plan's order.
#[must_use]
pub fn step_seconds(plan: &Plan, costs: &CostTable) -> Vec<f64> {
    let one = |n: &petgraph::graph::NodeIndex| {
        let step = &plan.graph[*n];
        costs
            .step(step.kind.keyword(), &step.text, &step.classes)
            .seconds
    };
    plan.order.iter().map(one).collect()
}

/// The same where its cache mounts were filled by an earlier build.
#[must_use]
pub fn warm_seconds(plan: &Plan, costs: &CostTable) -> Vec<f64> {
    let one = |n: &petgraph::graph::NodeIndex| {
        let step = &plan.graph[*n];
        let cost = costs.step(step.kind.keyword(), &step.text, &step.classes);
        let warm = cost.warm.filter(|_| !step.cache_mounts.is_empty());
        warm.unwrap_or(cost.seconds)
    };
    plan.order.iter().map(one).collect()
}

/// Bytes of the layer of every step in a plan's order: of RUN what the costs say, of COPY and ADD
/// the files of the context, `copied` saying how much they are. Files of other stages count as 0
/// unless a costs file knows the step, and base images do.
#[must_use]
pub fn step_bytes(
    plan: &Plan,
    costs: &CostTable,
    copied: &dyn Fn(&ContextInput) -> u64,
) -> Vec<u64> {
    let one = |n: &petgraph::graph::NodeIndex| {
        let step = &plan.graph[*n];
        let said = costs
            .step(step.kind.keyword(), &step.text, &step.classes)
            .bytes;
        if !matches!(step.kind, StepKind::Copy | StepKind::Add) {
            return said.unwrap_or(0);
        }
        said.unwrap_or_else(|| {
            let files = step.inputs.iter().map(|i| match i {
                Input::Context(c) => copied(c),
                _ => 0,
            });
            files.fold(0, u64::saturating_add)
        })
    };
    plan.order.iter().map(one).collect()
}

/// Judges Dockerfiles over one history, keeping what it learned of the context.
pub struct Judge<'a> {
    setting: Setting<'a>,
    matrix: InputMatrix,
}

impl<'a> Judge<'a> {
    /// A judge that has seen nothing yet.
    #[must_use]
    pub fn new(setting: Setting<'a>) -> Self {
        Self {
            setting,
            matrix: InputMatrix::default(),
        }
    }

    /// The versions seen so far.
    #[must_use]
    pub fn matrix(&self) -> &InputMatrix {
        &self.matrix
    }

    /// Makes sure the matrix has what a plan reads.
    fn learn(&mut self, plan: &Plan, wanted: &[Vec<Selection>]) {
        let mut all = self.matrix.selections.clone();
        for s in wanted.iter().flatten() {
            if !all.contains(s) {
                all.push(s.clone());
            }
        }
        let mut views = self.matrix.requests.clone();
        for view in views_of(plan, 0).into_iter().flatten().flatten() {
            let request = ViewRequest { view, builds: None };
            if !views.contains(&request) {
                views.push(request);
            }
        }
        let known = &self.matrix;
        let more = all.len() > known.selections.len() || views.len() > known.requests.len();
        if more || self.matrix.builds == 0 {
            self.matrix = matrix(&self.setting.context, &all, &views);
        }
    }

    /// Parses, lowers and replays a Dockerfile.
    #[must_use]
    pub fn evaluate(&mut self, source: SourceFile) -> Evaluated {
        let parsed = dockerfile::parse(&source);
        let plan = plan::lower(&parsed.tree, self.setting.options);
        let wanted = selections_of(&plan, 0);
        self.learn(&plan, &wanted);
        let selections = columns(&wanted, &self.matrix).unwrap_or_default();
        let views = view_columns(&views_of(&plan, 0), &self.matrix);
        let cold = step_seconds(&plan, self.setting.costs);
        let warm = warm_seconds(&plan, self.setting.costs);
        let policy = self.setting.policy;
        let mut facts = Facts {
            seconds: self.setting.seconds.to_vec(),
            ..Facts::default()
        };
        if policy.needs_sizes() {
            facts.bytes = vec![step_bytes(&plan, self.setting.costs, self.setting.copied)];
        }
        let models = [PlanModel {
            plan: &plan,
            selections: selections.clone(),
            views: views.clone(),
        }];
        let timeline = Timeline {
            plan: vec![Some(0); self.matrix.builds],
            base_changes: self.setting.base_changes.to_vec(),
            policy,
            assume_reproducible: self.setting.assume_reproducible,
        };
        let outcome = replay_with(&models, &timeline, &self.matrix, &facts);
        let one = std::slice::from_ref;
        let costs = build_costs(&outcome, &models, one(&cold), one(&warm));
        let summary = summarize(&outcome, &costs);
        let seconds = if policy.is_persistent() { warm } else { cold };
        Evaluated {
            source,
            file: parsed.tree,
            plan,
            selections,
            views,
            outcome,
            seconds,
            costs,
            summary,
        }
    }
}

/// One way to rewrite the file, ordered and judged.
struct Candidate {
    evaluated: Evaluated,
    edits: Vec<EditNote>,
    safety: Safety,
    assumptions: Vec<String>,
    proofs: Vec<Proof>,
    optimal: bool,
    /// Nothing with these rewrites costs less, seconds a build by the objective.
    bound_s: f64,
}

/// Searches for plans; never empty when the baseline has no errors.
#[must_use]
pub fn advise(judge: &mut Judge<'_>, baseline: &Evaluated) -> Vec<Advice> {
    let setting = judge.setting;
    let counted: Vec<usize> = baseline
        .outcome
        .cold()
        .into_iter()
        .chain(baseline.outcome.counted())
        .collect();
    let rewrites = find_rewrites(&setting, baseline);
    let before = setting.objective.of(&baseline.summary);
    let mut plans: Vec<Advice> = Vec::new();
    for safety in [Safety::Proven, Safety::Assumed] {
        if safety > setting.safety {
            continue;
        }
        let all = candidates(judge, baseline, &rewrites, safety, &counted);
        let bound_s = all.iter().map(|c| c.bound_s).fold(before, f64::min);
        let Some(best) = pick(all, baseline, setting.objective) else {
            continue;
        };
        let after = setting.objective.of(&best.evaluated.summary);
        let saving = paired_saving(baseline, &best.evaluated, setting.objective).unwrap_or(0.0);
        let worthless = saving < LEAST_SAVING || best.edits.is_empty();
        if worthless || plans.iter().any(|p| p.saving >= saving - 1e-9) {
            continue;
        }
        let held_out_saving = held_out(judge, baseline, &rewrites, safety, &counted);
        plans.push(Advice {
            safety: best.safety,
            saving,
            held_out_saving,
            bound_s: bound_s.min(after),
            optimal: best.optimal,
            edits: best.edits,
            assumptions: best.assumptions,
            proofs: best.proofs,
            evaluated: best.evaluated,
        });
    }
    if plans.is_empty() {
        plans.push(nothing_to_do(judge, baseline, &rewrites, &counted));
    }
    plans
}

/// Saving over the builds that work with both files, the first of them left out; `None` when fewer
/// than two do, or the newest build does not.
fn paired_saving(baseline: &Evaluated, plan: &Evaluated, objective: Objective) -> Option<f64> {
    let works = |e: &Evaluated, i: usize| {
        e.outcome.builds[i].plan.is_some() && e.outcome.builds[i].fails.is_none()
    };
    let n = baseline.outcome.builds.len();
    let newest = (0..n).rev().find(|i| works(baseline, *i))?;
    if !works(plan, newest) {
        return None;
    }
    let cold = baseline.outcome.cold()?.max(plan.outcome.cold()?);
    let shared = || (cold + 1..n).filter(|i| works(baseline, *i) && works(plan, *i));
    let sum = |e: &Evaluated| {
        shared()
            .map(|i| objective.of_build(&e.costs[i]))
            .sum::<f64>()
    };
    shared().next()?;
    let before = sum(baseline);
    Some(if before <= 0.0 {
        0.0
    } else {
        1.0 - sum(plan) / before
    })
}

fn nothing_to_do(
    judge: &mut Judge<'_>,
    baseline: &Evaluated,
    rewrites: &[Rewrite],
    counted: &[usize],
) -> Advice {
    let objective = judge.setting.objective;
    let safety = judge.setting.safety.min(Safety::Assumed);
    let before = objective.of(&baseline.summary);
    let all = candidates(judge, baseline, rewrites, safety, counted);
    let own = all
        .iter()
        .find(|c| c.edits.is_empty() || c.evaluated.source.bytes() == baseline.source.bytes());
    Advice {
        safety: Safety::Proven,
        saving: 0.0,
        held_out_saving: None,
        bound_s: all.iter().map(|c| c.bound_s).fold(before, f64::min),
        optimal: own.is_some_and(|c| c.optimal),
        edits: Vec::new(),
        assumptions: Vec::new(),
        proofs: Vec::new(),
        evaluated: baseline.clone(),
    }
}

fn find_rewrites(setting: &Setting<'_>, baseline: &Evaluated) -> Vec<Rewrite> {
    let allowed =
        |name: &str| setting.rewrites.is_empty() || setting.rewrites.iter().any(|r| r == name);
    if !allowed("split-copy") || setting.safety < Safety::Assumed {
        return Vec::new();
    }
    let scene = Scene::new(&baseline.file, &baseline.plan, Some(setting.files));
    let Some(view) = scene.view(&baseline.source, &baseline.file) else {
        return Vec::new();
    };
    let mut found = rewrite::split_copy::find(&view);
    found.truncate(COMBINED_REWRITES);
    found
}

/// All subsets of the rewrites, each with its best order.
fn candidates(
    judge: &mut Judge<'_>,
    baseline: &Evaluated,
    rewrites: &[Rewrite],
    safety: Safety,
    counted: &[usize],
) -> Vec<Candidate> {
    let usable: Vec<&Rewrite> = rewrites.iter().filter(|r| r.safety <= safety).collect();
    let subsets = 0..1usize << usable.len();
    let picked = |mask: usize| -> Vec<&Rewrite> {
        usable
            .iter()
            .enumerate()
            .filter(|(i, _)| mask >> i & 1 == 1)
            .map(|(_, r)| *r)
            .collect()
    };
    let asked = judge.setting.policy;
    let mut all = Vec::new();
    for mask in subsets {
        let used = picked(mask);
        let Some(best) = candidate(judge, baseline, &used, safety, counted, asked) else {
            continue;
        };
        if !asked.is_set_function() {
            // An export holds one build, so the best order for that is worth a replay too. What
            // bounds all orders is still the search under a store that keeps everything.
            let other = candidate(judge, baseline, &used, safety, counted, Policy::Previous);
            all.extend(other.map(|c| Candidate {
                bound_s: best.bound_s.min(c.bound_s),
                optimal: false,
                ..c
            }));
        }
        all.push(best);
    }
    for c in all.iter_mut().filter(|_| !asked.is_set_function()) {
        let reached = judge.setting.objective.of(&c.evaluated.summary);
        c.optimal = reached <= c.bound_s + 1e-9;
    }
    all
}

fn candidate(
    judge: &mut Judge<'_>,
    baseline: &Evaluated,
    rewrites: &[&Rewrite],
    safety: Safety,
    counted: &[usize],
    policy: Policy,
) -> Option<Candidate> {
    let setting = judge.setting;
    let applied = rewrite::apply(&baseline.source, &baseline.file, rewrites)?;
    let base = if rewrites.is_empty() {
        baseline.clone()
    } else {
        judge.evaluate(applied.source)
    };
    if base.plan.has_errors() || base.outcome.builds.len() != baseline.outcome.builds.len() {
        return None;
    }
    let may_reorder =
        setting.rewrites.is_empty() || setting.rewrites.iter().any(|r| r == "reorder");
    let certainty = if safety == Safety::Proven {
        Certainty::Exact
    } else {
        Certainty::Assumed
    };
    let order = |may_repeat: bool| {
        stage::order_stages(&stage::Request {
            evaluated: &base,
            matrix: &judge.matrix,
            setting: &setting,
            original: &baseline.file,
            origin: &applied.origin,
            certainty,
            counted,
            policy,
            budget: DOWNSETS,
            may_reorder,
            may_repeat,
        })
    };
    let mut ordered = order(true);
    // Repeated lines may cost more than the order saves.
    let plain = ordered.repeats.then(|| order(false));
    let mut evaluated = reordered(judge, &base, &ordered)?;
    if let Some(plain) = plain
        && let Some(other) = reordered(judge, &base, &plain)
        && setting.objective.of(&other.summary) <= setting.objective.of(&evaluated.summary) + 1e-9
    {
        evaluated = other;
        ordered = stage::Ordered {
            bound: ordered.bound,
            critical_bound: ordered.critical_bound,
            optimal: false,
            ..plain
        };
    }
    let mut edits = ordered.edits;
    let mut assumptions = ordered.assumptions;
    for r in rewrites {
        edits.push(r.note.clone());
        assumptions.extend(r.note.assumptions.iter().cloned());
    }
    edits.sort_by(|a, b| (a.line, &a.rewrite).cmp(&(b.line, &b.rewrite)));
    assumptions.sort();
    assumptions.dedup();
    let builds = counted.len().saturating_sub(1).max(1) as f64;
    let bound_s = match setting.objective {
        Objective::Work => ordered.bound / builds,
        Objective::CriticalPath => ordered.critical_bound / builds,
    };
    let reached = setting.objective.of(&evaluated.summary);
    Some(Candidate {
        safety: edits
            .iter()
            .map(|e| e.safety)
            .max()
            .unwrap_or(Safety::Proven),
        optimal: ordered.optimal
            && (setting.objective == Objective::Work || reached <= bound_s + 1e-9),
        bound_s: bound_s.min(reached),
        evaluated,
        edits,
        assumptions,
        proofs: ordered.proofs,
    })
}

/// A file with its stages in new orders, judged; `None` where a step would not see what it saw before.
fn reordered(
    judge: &mut Judge<'_>,
    base: &Evaluated,
    ordered: &stage::Ordered,
) -> Option<Evaluated> {
    let text = rewrite::reorder::print(&base.source, &base.file, &ordered.orders)?;
    if text == base.source.bytes() {
        return Some(base.clone());
    }
    let evaluated = judge.evaluate(SourceFile::new(base.source.name().to_owned(), text));
    let same = !evaluated.plan.has_errors() && sees_the_same(base, &evaluated, &ordered.orders);
    same.then_some(evaluated)
}

/// Whether every step has the command, flags, folder, user and shell it had; variables aside, which may
/// pass a step that does not look at them. A second look at what the orders were made for.
fn sees_the_same(base: &Evaluated, new: &Evaluated, orders: &[Vec<Placed>]) -> bool {
    let mut place: Vec<usize> = (0..base.file.instructions.len()).collect();
    let mut shift = 0;
    let mut at = 0;
    while at < place.len() {
        let order = orders
            .iter()
            .find(|o| o.iter().map(|p| p.at).min() == Some(at));
        let Some(order) = order else {
            place[at] = at + shift;
            at += 1;
            continue;
        };
        for (n, placed) in order.iter().enumerate() {
            shift += placed.before.len();
            place[placed.at] = at + n + shift;
            shift += placed.after.len();
        }
        at += order.len();
    }
    let stated = |e: &Evaluated, n: petgraph::graph::NodeIndex| {
        let step = &e.plan.graph[n];
        (step.kind, step.written.fields.clone(), step.dest.clone())
    };
    base.plan.graph.node_indices().all(|n| {
        let step = &base.plan.graph[n];
        let stage = step.id.stage as usize;
        if step.id.trigger > 0 {
            return true;
        }
        let wanted = place[step.instruction];
        let mut there = new.plan.stages[stage].steps.iter().copied();
        let found = there.find(|m| {
            let other = &new.plan.graph[*m];
            other.instruction == wanted && other.id.trigger == 0 && other.kind == step.kind
        });
        found.is_some_and(|m| stated(base, n) == stated(new, m))
    })
}

/// The one that saves most; among equals the one with fewest edits. A file may be missing from old
/// commits, so plans are compared with the baseline build by build.
fn pick(all: Vec<Candidate>, baseline: &Evaluated, objective: Objective) -> Option<Candidate> {
    let judged = all.into_iter().filter_map(|c| {
        let saving = paired_saving(baseline, &c.evaluated, objective).filter(|s| *s >= -1e-9)?;
        Some((saving, c))
    });
    let best = judged.min_by(|(x, a), (y, b)| {
        let by_saving = if (x - y).abs() < 1e-9 {
            std::cmp::Ordering::Equal
        } else {
            y.total_cmp(x)
        };
        by_saving.then(a.edits.len().cmp(&b.edits.len()))
    });
    best.map(|(_, c)| c)
}

/// Chooses on the older part of the history, scores on the newer.
fn held_out(
    judge: &mut Judge<'_>,
    baseline: &Evaluated,
    rewrites: &[Rewrite],
    safety: Safety,
    counted: &[usize],
) -> Option<f64> {
    let cut = (counted.len() as f64 * CHOSEN_ON) as usize;
    if cut < 2 || counted.len() - cut < 5 {
        return None;
    }
    let objective = judge.setting.objective;
    let (older, newer) = counted.split_at(cut);
    let sum = |costs: &[BuildCost], builds: &[usize]| -> f64 {
        builds.iter().map(|b| objective.of_build(&costs[*b])).sum()
    };
    let mut all = candidates(judge, baseline, rewrites, safety, older);
    let older_range: Range<usize> = 1..older.len();
    all.sort_by(|a, b| {
        let cost = |c: &Candidate| sum(&c.evaluated.costs, &older[older_range.clone()]);
        cost(a)
            .total_cmp(&cost(b))
            .then(a.edits.len().cmp(&b.edits.len()))
    });
    let chosen = all.first()?;
    let before = sum(&baseline.costs, newer);
    (before > 0.0).then(|| 1.0 - sum(&chosen.evaluated.costs, newer) / before)
}
