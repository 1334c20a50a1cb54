//! Which rewrites to take, each set of them with its best order.
//!
//! Goes in: a baseline, rewrites, builds. Comes out: the set that saves most, the others that were looked at, and what no
//! set goes below. All rewrites are taken first, then what does not pay is left out again; branch and bound over the rest,
//! where a node is bounded by the order of a file with everything undecided granted and added lines for nothing. Costs a
//! replay per set looked at, [`MOST_SETS`] at most. Invariant: the bound holds whether the search ended or was cut short.

mod cut;
mod forms;

use super::judge::{Evaluated, Judge, warm};
use super::precedence::Scene;
use super::{LEAST_SAVING, Objective, certificate::Proof, paired_saving, slight, stage};
use crate::footprint::Certainty;
use crate::plan::StepKind;
use crate::rewrite::reorder::Placed;
use crate::rewrite::{self, Applied, EditNote, Rewrite, Safety, View};
use crate::simulate::Policy;
use crate::source::{SourceFile, apply_edits};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// Number of downsets that the search for a stage's order may look at.
const DOWNSETS: usize = 1 << 16;
/// Sets of rewrites that are ordered and replayed.
const MOST_SETS: usize = 64;
/// Rewrites that are searched over.
const MOST_REWRITES: usize = 32;
/// Seconds a build, as a share of the baseline, that are not worth an edit.
const WORTH_AN_EDIT: f64 = 0.0005;

/// One way to rewrite the file, ordered and judged.
#[derive(Clone)]
pub(super) struct Candidate {
    pub evaluated: Rc<Evaluated>,
    pub ignore: Vec<String>,
    pub edits: Vec<EditNote>,
    pub safety: Safety,
    pub assumptions: Vec<String>,
    pub proofs: Vec<Proof>,
    pub optimal: bool,
    /// No order with these rewrites costs less, seconds a build by the objective.
    pub bound_s: f64,
    /// Share saved over the builds of the search that work with both files.
    pub saving: f64,
    /// Lines that a reader of the diff sees added or taken away.
    pub lines: usize,
}

/// The rewrites there are for a file.
pub(super) fn find_rewrites(judge: &mut Judge<'_>, baseline: &Evaluated) -> Vec<Rewrite> {
    let setting = judge.setting();
    if setting.safety < Safety::Assumed {
        return Vec::new();
    }
    let scene = Scene::new(&baseline.file, &baseline.plan, Some(setting.files));
    let Some(view) = scene.view(&baseline.source, &baseline.file) else {
        return Vec::new();
    };
    type Finder = fn(&View<'_>) -> Vec<Rewrite>;
    let finders: [(&str, Finder); 6] = [
        ("split-copy", rewrite::split_copy::find),
        ("prefetch", rewrite::prefetch::find),
        ("projection", rewrite::projection::find),
        ("move-to-stage", rewrite::own_stage::find),
        ("merge-run", rewrite::merge_run::find),
        ("split-run", rewrite::split_run::find),
    ];
    let mut found: Vec<Rewrite> = Vec::new();
    if setting.allows("merge-run") {
        found.extend(copy_flags(judge, baseline, &view));
    }
    for (_, find) in finders.iter().filter(|(name, _)| setting.allows(name)) {
        found.extend(find(&view));
    }
    if setting.allows("cache-mount") && setting.policy.is_persistent() {
        found.extend(cache_mounts(judge, baseline, &view));
    }
    if setting.allows("ignore-lines") {
        found.extend(ignore_lines(judge, baseline, &view));
    }
    found.retain(|r| r.safety <= setting.safety);
    found.truncate(MOST_REWRITES);
    found
}

/// RUNs that COPYs can do, each stage's with what that lets the others become.
fn copy_flags(judge: &mut Judge<'_>, baseline: &Evaluated, view: &View<'_>) -> Vec<Rewrite> {
    let mut found = Vec::new();
    for fold in rewrite::copy_flags::find(view) {
        let mut with_merges = || {
            let applied = rewrite::apply(&baseline.source, &baseline.file, &[&fold])?;
            let after = judge.evaluate_with(applied.source, &applied.ignore);
            let scene = Scene::new(&after.file, &after.plan, Some(judge.setting().files));
            let folded = scene.view(&after.source, &after.file)?;
            rewrite::copy_flags::with_merges(view, &fold, &folded)
        };
        let more = with_merges();
        found.push(more.unwrap_or(fold));
    }
    found
}

/// Cache mounts that pay by themselves: where nobody says that a filled one saves anything, there are none.
fn cache_mounts(judge: &mut Judge<'_>, baseline: &Evaluated, view: &View<'_>) -> Vec<Rewrite> {
    let (objective, safety) = (judge.setting().objective, judge.setting().safety);
    let all: Vec<usize> = (0..baseline.outcome.builds.len()).collect();
    let mut saving = |r: &Rewrite| {
        let applied = rewrite::apply(&baseline.source, &baseline.file, &[r])?;
        let with = judge.evaluate_with(applied.source, &applied.ignore);
        let usable = !with.plan.has_errors();
        paired_saving(baseline, &with, objective, &all).filter(|_| usable)
    };
    let mut found = rewrite::cache_mount::find(view);
    found.retain(|r| r.safety <= safety && saving(r).is_some_and(|s| s > WORTH_AN_EDIT));
    found
}

/// Lines for the ignore file; whether anything mentions the files is only looked into where that would pay.
fn ignore_lines(judge: &mut Judge<'_>, baseline: &Evaluated, view: &View<'_>) -> Vec<Rewrite> {
    let holds_git = |s: &usize| judge.matrix().holds_git[*s];
    let dot_git = baseline.selections.iter().flatten().any(holds_git);
    let lines = rewrite::ignore_lines::candidates(view, dot_git);
    if lines.is_empty() {
        return Vec::new();
    }
    let without = judge.evaluate_with(baseline.source.clone(), &lines);
    let objective = judge.setting().objective;
    let all: Vec<usize> = (0..baseline.outcome.builds.len()).collect();
    match paired_saving(baseline, &without, objective, &all) {
        Some(saving) if saving >= LEAST_SAVING => rewrite::ignore_lines::justified(view, &lines),
        _ => Vec::new(),
    }
}

/// What a search found.
pub(super) struct Outcome {
    pub best: Option<Rc<Candidate>>,
    /// No set costs less, seconds a build by the objective.
    pub bound_s: f64,
}

/// The search over sets of rewrites.
pub(super) struct Search<'s, 'a> {
    judge: &'s mut Judge<'a>,
    baseline: &'s Evaluated,
    rewrites: Vec<Rewrite>,
    safety: Safety,
    counted: &'s [usize],
    /// Seconds a build of the baseline.
    before: f64,
    /// Seconds of its steps, by their instructions.
    whole: FxHashMap<usize, f64>,
    seen: FxHashMap<Vec<usize>, Vec<Rc<Candidate>>>,
    best: Option<Rc<Candidate>>,
}

impl<'s, 'a> Search<'s, 'a> {
    /// A search that has looked at nothing yet.
    pub fn new(
        judge: &'s mut Judge<'a>,
        baseline: &'s Evaluated,
        rewrites: Vec<Rewrite>,
        safety: Safety,
        counted: &'s [usize],
    ) -> Self {
        let objective = judge.setting().objective;
        let seconds = counted
            .iter()
            .skip(1)
            .map(|b| objective.of_build(&baseline.costs[*b]));
        let before = seconds.sum::<f64>() / counted.len().saturating_sub(1).max(1) as f64;
        let own = |(n, seconds): (&petgraph::graph::NodeIndex, &f64)| {
            let step = &baseline.plan.graph[*n];
            (step.id.trigger == 0 && step.kind != StepKind::From)
                .then_some((step.instruction, *seconds))
        };
        let steps = baseline.plan.order.iter().zip(&baseline.seconds);
        Self {
            whole: steps.filter_map(own).collect(),
            judge,
            baseline,
            rewrites,
            safety,
            counted,
            before,
            seen: FxHashMap::default(),
            best: None,
        }
    }

    /// Everything that was looked at.
    pub fn pool(&self) -> Vec<Rc<Candidate>> {
        let mut sets: Vec<_> = self.seen.iter().collect();
        sets.sort_by(|a, b| a.0.cmp(b.0));
        sets.into_iter()
            .flat_map(|(_, c)| c.iter().cloned())
            .collect()
    }

    /// Whether the order of the file as it is is proven to be the cheapest.
    pub fn baseline_is_optimal(&mut self) -> bool {
        let own = self.at(&[]);
        let same = |c: &Rc<Candidate>| {
            c.edits.is_empty() || c.evaluated.source.bytes() == self.baseline.source.bytes()
        };
        own.iter().any(|c| same(c) && c.optimal)
    }

    /// Searches.
    pub fn run(&mut self) -> Outcome {
        let everything = self.compatible();
        self.at(&[]);
        self.at(&everything);
        let mut set = self.without_the_useless(everything.clone());
        for left in 0..self.rewrites.len() {
            if set.contains(&left) || everything.contains(&left) {
                continue;
            }
            // One that is in the way of others, in their place.
            let mut other: Vec<usize> = set.clone();
            other.retain(|r| !self.conflict(*r, left));
            other.push(left);
            other.sort_unstable();
            if self.cost(&other) < self.cost(&set) - 1e-9 {
                set = other;
            }
        }
        for one in 0..self.rewrites.len() {
            self.at(&[one]);
        }
        let mut bound_s = self.branch(Vec::new(), everything.clone());
        for left in (0..self.rewrites.len()).filter(|r| !everything.contains(r)) {
            let mut other = everything.clone();
            other.retain(|r| !self.conflict(*r, left));
            other.push(left);
            bound_s = bound_s.min(self.granted(&other).1);
        }
        let least = self
            .pool()
            .iter()
            .map(|c| c.bound_s)
            .fold(self.before, f64::min);
        let best = self.best.clone().map(|b| self.without_covered(&b));
        let best = best.map(|b| self.in_best_forms(&b));
        let reached = best.as_ref().map_or(least, |b| b.bound_s);
        Outcome {
            best,
            bound_s: bound_s.min(least).min(reached),
        }
    }

    /// As many rewrites as fit together, the first ones first.
    fn compatible(&self) -> Vec<usize> {
        let mut out: Vec<usize> = Vec::new();
        for r in 0..self.rewrites.len() {
            if !out.iter().any(|o| self.conflict(*o, r)) {
                out.push(r);
            }
        }
        out
    }

    fn conflict(&self, a: usize, b: usize) -> bool {
        let (x, y) = (&self.rewrites[a], &self.rewrites[b]);
        // A mount would hide what the other fetches into the layer.
        let hides =
            x.note.rewrite != y.note.rewrite && x.caches.iter().any(|c| y.caches.contains(c));
        let edits = [&x.edits[..], &y.edits[..]].concat();
        a != b && (hides || apply_edits(self.baseline.source.bytes(), &edits).is_err())
    }

    /// Leaves out, one by one, what does not pay for its lines.
    fn without_the_useless(&mut self, mut set: Vec<usize>) -> Vec<usize> {
        let mut at = set.len();
        while at > 0 {
            at -= 1;
            let mut less = set.clone();
            less.remove(at);
            if self.cost(&less) <= self.cost(&set) + self.before * WORTH_AN_EDIT {
                set = less;
            }
        }
        set
    }

    /// What no set between two costs less than: everything included, anything undecided.
    fn branch(&mut self, included: Vec<usize>, undecided: Vec<usize>) -> f64 {
        let mut all = [&included[..], &undecided[..]].concat();
        all.sort_unstable();
        let (bound, least) = self.granted(&all);
        let reached = |s: &Self| {
            s.best
                .as_ref()
                .map_or(s.before, |b| s.before * (1.0 - b.saving))
        };
        let enough = self.before * WORTH_AN_EDIT;
        if bound >= reached(self) - enough || self.seen.len() >= MOST_SETS {
            return least;
        }
        let own = self.cost(&all);
        let Some((next, rest)) = undecided.split_first() else {
            return own.min(self.in_any_form(&all));
        };
        if own <= bound + 1e-9 {
            return least;
        }
        let without = self.branch(included.clone(), rest.to_vec());
        let with = self.branch([&included[..], &[*next]].concat(), rest.to_vec());
        without.min(with).max(least)
    }

    /// Seconds a build of the best order with these rewrites.
    fn cost(&mut self, set: &[usize]) -> f64 {
        let saving = self
            .at(set)
            .iter()
            .map(|c| c.saving)
            .fold(None, |m: Option<f64>, s| Some(m.map_or(s, |m| m.max(s))));
        saving.map_or(f64::INFINITY, |s| self.before * (1.0 - s))
    }

    /// The file with these rewrites in its best orders.
    fn at(&mut self, set: &[usize]) -> Vec<Rc<Candidate>> {
        if let Some(known) = self.seen.get(set) {
            return known.clone();
        }
        let asked = self.judge.setting().policy;
        let mut found: Vec<Candidate> = Vec::new();
        let best = self.candidate(set, asked);
        if !asked.is_set_function()
            && let Some(best) = &best
        {
            // An export holds one build, so the best order for that is worth a replay too. What bounds all orders is
            // still the search under a store that keeps everything.
            let other = self.candidate(set, Policy::Previous);
            found.extend(other.map(|c| Candidate {
                bound_s: best.bound_s.min(c.bound_s),
                optimal: false,
                ..c
            }));
        }
        found.extend(best);
        let objective = self.judge.setting().objective;
        for c in found.iter_mut().filter(|_| !asked.is_set_function()) {
            c.optimal = objective.of(&c.evaluated.summary) <= c.bound_s + 1e-9;
        }
        let found: Vec<Rc<Candidate>> = found.into_iter().map(Rc::new).collect();
        for c in &found {
            let better = |b: &Rc<Candidate>| {
                let equal = (b.saving - c.saving).abs() < 1e-9;
                (equal && c.edits.len() < b.edits.len()) || (!equal && c.saving > b.saving)
            };
            if c.saving >= -1e-9 && self.best.as_ref().is_none_or(better) {
                self.best = Some(Rc::clone(c));
            }
        }
        self.seen.insert(set.to_vec(), found.clone());
        found
    }

    /// The file with the edits of a set, judged; its order is that of the author still.
    fn applied(&mut self, set: &[usize]) -> Option<(Applied, Rc<Evaluated>)> {
        let used: Vec<&Rewrite> = set.iter().map(|r| &self.rewrites[*r]).collect();
        let applied = rewrite::apply(&self.baseline.source, &self.baseline.file, &used)?;
        let base = self
            .judge
            .evaluate_with(applied.source.clone(), &applied.ignore);
        let usable = !base.plan.has_errors()
            && base.outcome.builds.len() == self.baseline.outcome.builds.len();
        usable.then_some((applied, base))
    }

    fn ordered(
        &self,
        file: (&Applied, &Evaluated),
        policy: Policy,
        may_repeat: bool,
        added_are_free: bool,
    ) -> stage::Ordered {
        self.order(
            file,
            policy,
            (may_repeat, added_are_free),
            stage::Forms::default(),
        )
    }

    fn order(
        &self,
        (applied, base): (&Applied, &Evaluated),
        policy: Policy,
        (may_repeat, added_are_free): (bool, bool),
        forms: stage::Forms,
    ) -> stage::Ordered {
        let setting = self.judge.setting();
        let certainty = match self.safety {
            Safety::Proven => Certainty::Exact,
            _ => Certainty::Assumed,
        };
        stage::order_stages(&stage::Request {
            evaluated: base,
            matrix: self.judge.matrix(),
            setting: &setting,
            original: &self.baseline.file,
            origin: &applied.origin,
            certainty,
            counted: self.counted,
            policy,
            budget: DOWNSETS,
            may_reorder: setting.allows("reorder"),
            may_sink: setting.allows("sink"),
            may_repeat,
            memo: self.judge.memo(),
            added_are_free,
            may_cut: self.may_use("move-to-stage"),
            may_narrow: self.may_use("narrow-copy"),
            forms,
            worth: slight(self.before),
            whole: &self.whole,
        })
    }

    fn may_use(&self, rewrite: &str) -> bool {
        self.judge.setting().allows(rewrite) && self.safety >= Safety::Assumed
    }

    /// What plans say that save by a figure of our own for filled cache mounts.
    fn assumed_warm(&self, evaluated: &Evaluated) -> Option<String> {
        let costs = self.judge.setting().costs;
        let plan = &evaluated.plan;
        let mut steps = plan.order.iter().map(|n| &plan.graph[*n]);
        steps
            .any(|s| warm(plan, s, costs).is_some_and(|w| w.assumed))
            .then(crate::cost::warm_shares)
    }

    fn seconds(&self, ordered: &stage::Ordered) -> f64 {
        let builds = self.counted.len().saturating_sub(1).max(1) as f64;
        match self.judge.setting().objective {
            Objective::Work => ordered.bound / builds,
            Objective::CriticalPath => ordered.critical_bound / builds,
        }
    }

    fn candidate(&mut self, set: &[usize], policy: Policy) -> Option<Candidate> {
        let objective = self.judge.setting().objective;
        let (applied, base) = self.applied(set)?;
        let mut ordered = self.ordered((&applied, &base), policy, true, false);
        // Repeated lines may cost more than the order saves.
        let plain = ordered
            .repeats
            .then(|| self.ordered((&applied, &base), policy, false, false));
        let mut evaluated = reordered(self.judge, &base, &applied.ignore, &ordered)?;
        if let Some(plain) = plain
            && let Some(other) = reordered(self.judge, &base, &applied.ignore, &plain)
            && objective.of(&other.summary) <= objective.of(&evaluated.summary) + 1e-9
        {
            evaluated = other;
            ordered = stage::Ordered {
                bound: ordered.bound,
                critical_bound: ordered.critical_bound,
                optimal: false,
                ..plain
            };
        }
        let bound_s = self.seconds(&ordered);
        let mut edits = ordered.edits;
        let mut assumptions = ordered.assumptions;
        let cuts = self.cut(&mut evaluated, &applied.ignore);
        ordered.optimal &= cuts.is_empty();
        for note in cuts {
            assumptions.extend(note.assumptions.iter().cloned());
            edits.push(note);
        }
        for r in set.iter().map(|r| &self.rewrites[*r]) {
            edits.push(r.note.clone());
            assumptions.extend(r.note.assumptions.iter().cloned());
        }
        edits.sort_by(|a, b| (a.line, &a.rewrite).cmp(&(b.line, &b.rewrite)));
        if edits.iter().any(|e| e.rewrite == "cache-mount") {
            assumptions.extend(self.assumed_warm(&evaluated));
        }
        assumptions.sort();
        assumptions.dedup();
        let saving = paired_saving(self.baseline, &evaluated, objective, self.counted)?;
        let reached = objective.of(&evaluated.summary);
        let lines = changed_lines(&self.baseline.source, &evaluated.source) + applied.ignore.len();
        Some(Candidate {
            safety: edits
                .iter()
                .map(|e| e.safety)
                .max()
                .unwrap_or(Safety::Proven),
            optimal: ordered.optimal && (objective == Objective::Work || reached <= bound_s + 1e-9),
            bound_s: bound_s.min(reached),
            ignore: applied.ignore,
            evaluated,
            edits,
            assumptions,
            proofs: ordered.proofs,
            saving,
            lines,
        })
    }
}

/// Lines that a diff of the two takes away or adds.
fn changed_lines(before: &SourceFile, after: &SourceFile) -> usize {
    let lines = |f: &SourceFile| -> Vec<Vec<u8>> {
        let all = f.bytes().split_inclusive(|b| *b == b'\n');
        all.map(<[u8]>::to_vec).collect()
    };
    let (old, new) = (lines(before), lines(after));
    let ops = similar::capture_diff_slices(similar::Algorithm::Myers, &old, &new);
    let changed = ops.iter().filter(|o| o.tag() != similar::DiffTag::Equal);
    changed
        .map(|o| o.old_range().len() + o.new_range().len())
        .sum()
}

/// A file with its stages in new orders, judged; `None` where a step would not see what it saw before.
fn reordered(
    judge: &mut Judge<'_>,
    base: &Rc<Evaluated>,
    ignore: &[String],
    ordered: &stage::Ordered,
) -> Option<Rc<Evaluated>> {
    let text = rewrite::reorder::print(&base.source, &base.file, &ordered.orders)?;
    if text == base.source.bytes() {
        return Some(Rc::clone(base));
    }
    let source = SourceFile::new(base.source.name().to_owned(), text);
    let evaluated = judge.evaluate_with(source, ignore);
    let same = !evaluated.plan.has_errors() && sees_the_same(base, &evaluated, &ordered.orders);
    same.then_some(evaluated)
}

/// Whether every step has the command, flags, folder, user and shell it had; variables aside, which may
/// pass a step that does not look at them. A second look at what the orders were made for.
fn sees_the_same(base: &Evaluated, new: &Evaluated, orders: &[Vec<Placed>]) -> bool {
    let mut place: Vec<usize> = (0..base.file.instructions().len()).collect();
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
