//! The search for a cheaper Dockerfile that builds the same image.
//!
//! Goes in: a Dockerfile, the inputs of every build, costs, files at the newest commit. Comes out:
//! the best plan of each safety class with its proven bound. Candidates are subsets of the
//! applicable rewrites, each with the exact order inside; every candidate is printed, parsed and
//! replayed again, and only what that replay says is reported. Invariant: no plan scores worse than
//! the input.

mod bytes;
pub mod carry;
pub mod certificate;
pub mod effect;
mod forms;
pub mod ground;
mod judge;
mod lines;
mod memo;
mod notes;
mod observed;
pub mod order;
pub mod partition;
pub mod precedence;
pub mod rows;
mod search;
mod sink;
mod stage;
mod waiting;

use crate::cost::CostTable;
use crate::plan::{BuildOptions, ContextInput};
use crate::rewrite::{ContextFiles, EditNote, Safety};
use crate::simulate::{BuildCost, Context, Policy, Summary};
use crate::source::SourceFile;
pub use bytes::{Bytes, Scales};
use certificate::Proof;
pub use judge::{Evaluated, Judge, step_bytes, step_seconds, warm_seconds, with_lines};
use search::{Candidate, Search};
use std::rc::Rc;
pub use waiting::{folded_runs, waiting_runs};

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
    /// The ignore file in force.
    pub ignore: Option<&'a SourceFile>,
}

impl Setting<'_> {
    /// Whether plans may use a rewrite.
    #[must_use]
    pub fn allows(&self, rewrite: &str) -> bool {
        self.rewrites.is_empty() || self.rewrites.iter().any(|r| r == rewrite)
    }
}

/// One plan.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The weakest class among its edits.
    pub safety: Safety,
    /// The rewritten Dockerfile, evaluated.
    pub evaluated: Evaluated,
    /// Lines that the ignore file gets at its end.
    pub ignore: Vec<String>,
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
    /// Bytes of the image above its base image, an estimate ([`Scales`]).
    pub image_bytes: u64,
    /// Mean bytes a build of layers that are made anew, an estimate.
    pub pushed_bytes: f64,
}

/// Plans that save less than this share are not worth anybody's review.
const LEAST_SAVING: f64 = 0.005;
/// Share of the builds that plans are chosen on for the held-out figure.
const CHOSEN_ON: f64 = 0.7;
/// Plans shown beyond the best of each class.
const FURTHER_PLANS: usize = 2;
/// What a further plan may save at most of what the best one does: else it says nothing new.
const FURTHER_SAVES: f64 = 0.95;

/// Bytes by which an image has to be smaller before anybody cares, beside a share of one in a hundred.
const NOTICEABLE: u64 = 1_000_000;

/// Whether bytes are more of an image than an estimate of it may be wrong by.
#[must_use]
pub fn is_noticeable(bytes: u64, of: u64) -> bool {
    bytes > NOTICEABLE.max(of / 100)
}

/// Whether an image is smaller than another by more than an estimate of either is worth.
fn is_smaller(bytes: u64, than: u64) -> bool {
    is_noticeable(than.saturating_sub(bytes), than)
}

/// Seconds a build that give no line another form, and send nobody to look for more; `whole` are those of a build. What a
/// COPY of a few files costs is known no better.
#[must_use]
pub fn slight(whole: f64) -> f64 {
    const SHARE: f64 = 0.01;
    const SECONDS: f64 = 0.1;
    (whole * SHARE).max(SECONDS)
}

/// Searches for plans; never empty when the baseline has no errors.
#[must_use]
pub fn advise(judge: &mut Judge<'_>, baseline: &Evaluated) -> Vec<Advice> {
    let setting = judge.setting();
    let objective = setting.objective;
    let cold = baseline.outcome.cold().into_iter();
    let counted: Vec<usize> = cold.chain(baseline.outcome.counted()).collect();
    let files = Bytes(setting.files);
    let scales = Scales::new(&files, setting.costs);
    let bytes = |c: &Candidate| scales.bytes(&c.evaluated.plan, &c.ignore);
    let rewrites = search::find_rewrites(judge, baseline);
    let mut plans: Vec<Advice> = Vec::new();
    let mut further = Vec::new();
    let mut nothing = None;
    for safety in [Safety::Proven, Safety::Assumed, Safety::Review] {
        let usable = || rewrites.iter().filter(|r| r.safety <= safety);
        // Without a rewrite of its own a class is no other than the one before.
        let own = safety != Safety::Review
            || setting.allows("link")
            || rewrites.iter().any(|r| r.safety == safety);
        if safety > setting.safety || !own {
            continue;
        }
        let mut search = Search::new(
            judge,
            baseline,
            usable().cloned().collect(),
            safety,
            &counted,
        );
        let found = search.run();
        nothing = Some((found.bound_s, search.baseline_is_optimal()));
        let pool = search.pool();
        let Some(best) = found.best.filter(|c| is_worth_it(c)) else {
            continue;
        };
        if plans.iter().any(|p| p.saving >= best.saving - 1e-9) {
            continue;
        }
        let held_out_saving = held_out(judge, baseline, &rewrites, safety, &counted);
        if held_out_saving.is_some_and(|s| s < 0.0) {
            // What was right for the older builds was wrong for the newer ones.
            continue;
        }
        let weight = bytes(&best);
        let more = pool.into_iter().filter(|c| may_say_more(c, &best));
        let more = more.map(|c| (bytes(&c), c));
        further = more
            .filter(|(b, c)| says_more(c, *b, &best, weight))
            .collect();
        plans.push(advice(
            &best,
            weight,
            found.bound_s,
            held_out_saving,
            objective,
        ));
    }
    let bound_s = plans.last().map_or(0.0, |p| p.bound_s);
    let mut shown: Vec<(u64, Rc<Candidate>)> = Vec::new();
    further.sort_by(|(_, a): &(u64, Rc<Candidate>), (_, b)| b.saving.total_cmp(&a.saving));
    for (weight, candidate) in further {
        // Those before it save as much or more.
        let dominated = |(bytes, o): &(u64, Rc<Candidate>)| {
            o.lines <= candidate.lines
                && o.safety <= candidate.safety
                && !is_smaller(weight, *bytes)
        };
        let old = |p: &Advice| {
            p.saving >= candidate.saving - 1e-9
                && p.safety <= candidate.safety
                && p.edits.len() <= candidate.edits.len()
                && !is_smaller(weight, p.image_bytes)
        };
        if shown.len() < FURTHER_PLANS && !shown.iter().any(dominated) && !plans.iter().any(old) {
            shown.push((weight, candidate));
        }
    }
    let shown = shown
        .iter()
        .map(|(weight, c)| advice(c, *weight, bound_s, None, objective));
    plans.extend(shown);
    if plans.is_empty() {
        let (bound_s, optimal) = nothing.unwrap_or((objective.of(&baseline.summary), false));
        let weight = scales.bytes(&baseline.plan, &[]);
        plans.push(nothing_to_do(baseline, weight, bound_s, optimal));
    }
    for plan in &mut plans {
        let of = &plan.evaluated;
        plan.pushed_bytes = scales.pushed(&of.plan, &of.outcome, &plan.ignore);
    }
    plans
}

fn is_worth_it(candidate: &Candidate) -> bool {
    candidate.saving >= LEAST_SAVING && !candidate.edits.is_empty()
}

/// Whether a plan saves enough of what the best one does to be shown beside it.
fn may_say_more(candidate: &Candidate, best: &Candidate) -> bool {
    is_worth_it(candidate) && candidate.saving > best.saving * 0.25
}

/// Whether a plan is better than the best one in something else: fewer lines to read, or a smaller image.
fn says_more(candidate: &Candidate, bytes: u64, best: &Candidate, of_best: u64) -> bool {
    let shorter = candidate.lines < best.lines && candidate.saving < best.saving * FURTHER_SAVES;
    shorter || is_smaller(bytes, of_best)
}

fn advice(
    candidate: &Candidate,
    image_bytes: u64,
    bound_s: f64,
    held_out_saving: Option<f64>,
    objective: Objective,
) -> Advice {
    let after = objective.of(&candidate.evaluated.summary);
    Advice {
        safety: candidate.safety,
        saving: candidate.saving,
        held_out_saving,
        bound_s: bound_s.min(after),
        optimal: candidate.optimal,
        image_bytes,
        pushed_bytes: 0.0,
        ignore: candidate.ignore.clone(),
        edits: candidate.edits.clone(),
        assumptions: candidate.assumptions.clone(),
        proofs: candidate.proofs.clone(),
        evaluated: (*candidate.evaluated).clone(),
    }
}

fn nothing_to_do(baseline: &Evaluated, image_bytes: u64, bound_s: f64, optimal: bool) -> Advice {
    Advice {
        safety: Safety::Proven,
        saving: 0.0,
        held_out_saving: None,
        bound_s,
        optimal,
        image_bytes,
        pushed_bytes: 0.0,
        ignore: Vec::new(),
        edits: Vec::new(),
        assumptions: Vec::new(),
        proofs: Vec::new(),
        evaluated: baseline.clone(),
    }
}

/// Saving over those of some builds that work with both files, the first of them left out; `None` when fewer
/// than two do, or the newest build of all does not.
fn paired_saving(
    baseline: &Evaluated,
    plan: &Evaluated,
    objective: Objective,
    builds: &[usize],
) -> Option<f64> {
    let works = |e: &Evaluated, i: usize| {
        e.outcome.builds[i].plan.is_some() && e.outcome.builds[i].fails.is_none()
    };
    let n = baseline.outcome.builds.len();
    let newest = (0..n).rev().find(|i| works(baseline, *i))?;
    if !works(plan, newest) {
        return None;
    }
    let cold = baseline.outcome.cold()?.max(plan.outcome.cold()?);
    let shared = || {
        let counted = builds.iter().copied().filter(|i| *i > cold);
        counted.filter(|i| works(baseline, *i) && works(plan, *i))
    };
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

/// Chooses on the older part of the history, scores on the newer.
fn held_out(
    judge: &mut Judge<'_>,
    baseline: &Evaluated,
    rewrites: &[crate::rewrite::Rewrite],
    safety: Safety,
    counted: &[usize],
) -> Option<f64> {
    let cut = (counted.len() as f64 * CHOSEN_ON) as usize;
    if cut < 2 || counted.len() - cut < 5 {
        return None;
    }
    let objective = judge.setting().objective;
    let (older, newer) = counted.split_at(cut);
    let usable = rewrites.iter().filter(|r| r.safety <= safety).cloned();
    let mut search = Search::new(judge, baseline, usable.collect(), safety, older);
    let chosen = search.run().best?;
    let before: f64 = newer
        .iter()
        .map(|b| objective.of_build(&baseline.costs[*b]))
        .sum();
    (before > 0.0).then(|| paired_saving(baseline, &chosen.evaluated, objective, newer))?
}

#[cfg(test)]
mod cache_mount_tests;
#[cfg(test)]
mod form_tests;
