//! Orders every stage of one candidate.
//!
//! Goes in: an evaluated Dockerfile and the builds that count. Comes out: new instruction orders
//! with a note per moved instruction, what they rest on, and the bound over all stages. Stages
//! separate: what a stage hands on does not depend on the order inside it, so each is solved alone.

use super::carry;
use super::certificate::{Proof, swaps};
use super::forms::in_forms;
use super::lines::{Pairs, interleave, masks};
use super::memo::Memo;
use super::notes::{Noted, note};
use super::order::Problem;
use super::partition::Partition;
use super::precedence::{Item, Lines, Relation, Scene};
use super::sink::Sinking;
use super::{Evaluated, Objective, Setting};
use crate::dockerfile::Dockerfile;
use crate::footprint::Certainty;
use crate::plan::{Base, Input};
use crate::rewrite::reorder::{self, Placed};
use crate::rewrite::{EditNote, Safety};
use crate::simulate::{Content, Horizon, InputMatrix, Policy};
use petgraph::graph::NodeIndex;
use rustc_hash::FxHashMap;

/// What is to be ordered.
pub struct Request<'a> {
    pub evaluated: &'a Evaluated,
    pub matrix: &'a InputMatrix,
    pub setting: &'a Setting<'a>,
    /// The file before rewrites changed it.
    pub original: &'a Dockerfile,
    /// For every instruction, the one of that file that it was; `None` for one that a rewrite added.
    pub origin: &'a [Option<usize>],
    /// Least certain pair that may change places.
    pub certainty: Certainty,
    /// Builds in order, the cold one first.
    pub counted: &'a [usize],
    /// What prefixes are counted by: the asked policy, or one that bounds it.
    pub policy: Policy,
    /// Downsets per stage.
    pub budget: usize,
    /// Whether plain reordering is allowed (moves that a rewrite needs always are).
    pub may_reorder: bool,
    /// Whether variables that differ in every build may go below steps that have no use for them.
    pub may_sink: bool,
    /// Whether lines that set the state may be repeated.
    pub may_repeat: bool,
    /// What was solved before.
    pub memo: &'a Memo,
    /// Steps that rewrites added cost nothing, and those that were one step no more than that: for what bounds all plans
    /// with fewer of them. A stage that may come to stand on less stands on nothing then.
    pub added_are_free: bool,
    /// `move-to-stage` may be used.
    pub may_cut: bool,
    /// `narrow-copy` may be used.
    pub may_narrow: bool,
    /// Where it allows any, the second bounds are asked for.
    pub forms: Forms,
    /// Seconds of a COPY below which it takes none of them.
    pub worth: f64,
    /// Seconds of the steps of that file, by their instructions.
    pub whole: &'a FxHashMap<usize, f64>,
}

/// The forms that a COPY may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    /// A mount in its place.
    pub bind: bool,
    /// A layer by itself, as far as that promises this.
    pub link: Option<Safety>,
}

/// The result over all stages.
#[derive(Default)]
pub struct Ordered {
    /// New order of each stage that changes.
    pub orders: Vec<Vec<Placed>>,
    pub edits: Vec<EditNote>,
    pub assumptions: Vec<String>,
    /// Why each pair that changed places commutes.
    pub proofs: Vec<Proof>,
    /// Lines that set the state are repeated.
    pub repeats: bool,
    /// Every stage's order is proven to be the cheapest.
    pub optimal: bool,
    /// Step-seconds over all builds but the first that no order goes below.
    pub bound: f64,
    /// The same for the critical path.
    pub critical_bound: f64,
    /// Both where every COPY that a mount may stand for costs nothing, and one that may be linked does not depend on what
    /// stands above it.
    pub in_forms: Bounds,
}

/// What no order goes below.
#[derive(Clone, Copy, Default)]
pub struct Bounds {
    /// Step-seconds over all builds but the first.
    pub bound: f64,
    /// The same for the critical path.
    pub critical_bound: f64,
}

pub fn order_stages(request: &Request<'_>) -> Ordered {
    let plan = &request.evaluated.plan;
    let position = plan.positions();
    let rows = Rows {
        request,
        position: &position,
    };
    let files = Some(request.setting.files);
    let scene = Scene::new(&request.evaluated.file, plan, files);
    let cut = match request.may_cut && request.added_are_free {
        true => scene.may_stand_on_less(&request.evaluated.source, &request.evaluated.file),
        false => Vec::new(),
    };
    let builds = request.counted.len();
    let mut full: Vec<Partition> = Vec::new();
    let mut out = Ordered {
        optimal: true,
        ..Ordered::default()
    };
    let mut longest = vec![[0.0f64; 2]; builds];
    for (index, stage) in plan.stages.iter().enumerate() {
        let mut base = match stage.base {
            Base::Stage(b) if !cut.contains(&index) => full[b].clone(),
            _ => Partition::trivial(builds),
        };
        if !stage.reachable {
            full.push(base);
            continue;
        }
        if matches!(stage.base, Base::Image(_))
            && let Some(from) = stage.steps.first()
        {
            base = base.refine(&rows.row(*from, &full));
        }
        // ONBUILD triggers of the base stage come first, in their own order.
        for trigger in stage
            .steps
            .iter()
            .filter(|n| plan.graph[**n].id.trigger > 0)
        {
            base = base.refine(&rows.row(*trigger, &full));
            let seconds = position
                .get(trigger)
                .map_or(0.0, |p| request.evaluated.seconds[*p]);
            out.bound += seconds * base.executed(request.policy) as f64;
            out.in_forms.bound += seconds * base.executed(request.policy) as f64;
        }
        let (solved, formed) = one_stage(&rows, (&scene, index), base.clone(), &full, &mut out);
        let mut whole = base;
        for row in &solved.rows {
            whole = whole.refine(row);
        }
        full.push(whole);
        if request.setting.objective == Objective::CriticalPath {
            let plain = least_per_build(&solved);
            let formed = formed.as_ref().map(least_per_build);
            for (t, seconds) in plain.into_iter().enumerate() {
                let other = formed.as_ref().map_or(seconds, |f| f[t]);
                longest[t] = [longest[t][0].max(seconds), longest[t][1].max(other)];
            }
        }
    }
    out.critical_bound = longest.iter().skip(1).map(|l| l[0]).sum();
    out.in_forms.critical_bound = longest.iter().skip(1).map(|l| l[1]).sum();
    out
}

struct Rows<'a> {
    request: &'a Request<'a>,
    position: &'a FxHashMap<NodeIndex, usize>,
}

impl Rows<'_> {
    /// Versions of a step's own inputs over the builds that count.
    fn row(&self, node: NodeIndex, full: &[Partition]) -> Vec<u32> {
        let volatile = self.request.evaluated.plan.graph[node].volatile;
        self.row_that_differs(node, full, volatile)
    }

    /// The same, told whether something of it differs in every build.
    fn row_that_differs(&self, node: NodeIndex, full: &[Partition], volatile: bool) -> Vec<u32> {
        let request = self.request;
        let step = &request.evaluated.plan.graph[node];
        let builds = request.counted.len();
        let mut row = Partition::trivial(builds);
        let position = self.position.get(&node).copied();
        let selections = position.map_or(&[][..], |p| &request.evaluated.selections[p]);
        for s in selections {
            let versions = &request.matrix.version[*s];
            row = row.refine(&dense(request.counted.iter().map(|b| versions[*b])));
        }
        let views = position.map_or(&[][..], |p| &request.evaluated.views[p]);
        let mut views = views.iter();
        for input in &step.inputs {
            match input {
                Input::Stage { stage, .. } => {
                    let view = views.next().copied().flatten();
                    let known = view.and_then(|v| known_versions(request, v));
                    match known {
                        Some(versions) => row = row.refine(&dense(versions.into_iter())),
                        None => row = row.refine(full[*stage].ids()),
                    }
                }
                Input::Image(reference) => {
                    let changes = request.setting.base_changes;
                    let version = |b: &usize| {
                        let at = u32::try_from(*b).unwrap_or(u32::MAX);
                        changes
                            .iter()
                            .filter(|(r, when)| r == reference && *when <= at)
                            .count() as u128
                    };
                    row = row.refine(&dense(request.counted.iter().map(version)));
                }
                Input::Context(_) | Input::Named(_) | Input::Remote(_) => {}
            }
        }
        if volatile {
            row = row.refine(&every_build(builds));
        }
        row.ids().to_vec()
    }
}

/// What a view of another stage is in the builds that count, where that is known in all of them.
fn known_versions(request: &Request<'_>, view: usize) -> Option<Vec<u128>> {
    let images = request.matrix.requests[view].view.images();
    let moved = |(r, _): &(String, u32)| images.contains(r);
    let fixed = !request.setting.base_changes.iter().any(moved);
    let known = |b: &usize| match request.matrix.views[view][*b] {
        Content::Known {
            digest,
            places: None,
        } => Some(digest),
        Content::Known {
            digest,
            places: Some(places),
        } if fixed => Some(digest ^ places),
        Content::Derived { digest } if fixed && request.setting.policy == Policy::Local => {
            Some(digest)
        }
        _ => None,
    };
    request.counted.iter().map(known).collect()
}

/// The row of what is another in every build.
fn every_build(builds: usize) -> Vec<u32> {
    dense((0..builds).map(|t| t as u128))
}

fn dense(values: impl Iterator<Item = u128>) -> Vec<u32> {
    let mut seen: FxHashMap<u128, u32> = FxHashMap::default();
    let number = |v| {
        let next = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        *seen.entry(v).or_insert(next)
    };
    values.map(number).collect()
}

fn one_stage(
    rows: &Rows<'_>,
    (scene, index): (&Scene<'_>, usize),
    base: Partition,
    full: &[Partition],
    out: &mut Ordered,
) -> (Problem, Option<Problem>) {
    let request = rows.request;
    let evaluated = request.evaluated;
    let stage = &evaluated.plan.stages[index];
    let list = scene.stage(index);
    let pairs = Pairs::new(request, scene, index, Lines::Stay);
    let mut steps: Vec<usize> = (0..list.len())
        .filter(|i| list[*i].step.is_some())
        .collect();
    let sinking = match request.may_sink {
        true => Sinking::of(list, &pairs, &steps),
        false => Sinking::default(),
    };
    steps.extend(&sinking.between);
    steps.sort_unstable();
    let node = |i: &usize| list[*i].step.map(|(n, _)| n).unwrap_or_default();
    let gone = may_go(request, scene, index);
    let seconds = |i: &usize| {
        let position = rows.position.get(&node(i));
        position.map_or(0.0, |p| evaluated.seconds[*p])
    };
    let row = |i: &usize| match list[*i].step {
        _ if gone[*i] => vec![0; request.counted.len()],
        None => every_build(base.len()),
        Some((node, step)) => {
            let volatile = step.volatile && !sinking.explains(step);
            rows.row_that_differs(node, full, volatile)
        }
    };
    let mut problem = Problem {
        weights: steps
            .iter()
            .map(|i| {
                if list[*i].step.is_none() {
                    return 0.0;
                }
                let added = request.added_are_free && (request.is_added(list[*i].at) || gone[*i]);
                let own = match added {
                    true => 0.0,
                    false => seconds(i),
                };
                match request.added_are_free {
                    true => own * together(request, list, rows, *i),
                    false => own,
                }
            })
            .collect(),
        rows: steps.iter().map(row).collect(),
        before: masks(&pairs, &steps),
        alone: steps
            .iter()
            .map(|i| list[*i].step.is_some_and(|(_, s)| !s.keyed_by_parent))
            .collect(),
        base,
        policy: request.policy,
    };
    let needed = list
        .iter()
        .any(|i| request.is_added(i.at) || request.halves(list, i.at).count() > 1);
    let may_move = request.may_reorder || needed;
    let sinks_only = !may_move && !sinking.is_empty();
    if sinks_only {
        keep_steps(&mut problem, &steps, list);
    }
    let formed = in_forms(
        request,
        (scene, index),
        &pairs,
        (&steps, &problem),
        &seconds,
    );
    if !may_move && !sinks_only {
        let author: Vec<usize> = (0..steps.len()).collect();
        let cost = super::order::cost_of(&problem, &author);
        out.bound += cost;
        out.in_forms.bound += match &formed {
            Some(formed) => super::order::cost_of(formed, &author),
            None => cost,
        };
        return (problem, formed);
    }
    let solution = request.memo.solve(&problem, request.budget);
    let chain_of = |order: &[usize]| -> Vec<usize> {
        let chain = order.iter().map(|s| steps[*s]);
        chain.chain(sinking.last.iter().copied()).collect()
    };
    let chain = chain_of(&solution.order);
    let order = interleave(&pairs, &chain, &vec![true; list.len()]);
    let mut best = Found {
        lines: order.iter().map(|i| Placed::new(list[*i].at)).collect(),
        order,
        pairs,
    };
    let (mut bound, mut optimal) = (solution.bound, solution.optimal);
    let in_other = |before: Option<&Vec<u128>>| {
        let mut formed = formed.clone()?;
        formed.before.clone_from(before.unwrap_or(&problem.before));
        Some(request.memo.solve(&formed, request.budget).bound)
    };
    let mut other = in_other(None);
    if request.may_repeat && request.may_reorder && carry::may_help(list) {
        let freed = Pairs::new(request, scene, index, Lines::Repeat);
        let wider = Problem {
            before: masks(&freed, &steps),
            ..problem.clone()
        };
        let further = request.memo.solve(&wider, request.budget);
        // What repeated lines cost themselves is not in it, so that it bounds all such plans.
        bound = bound.min(further.bound);
        other = in_other(Some(&wider.before))
            .into_iter()
            .chain(other)
            .reduce(f64::min);
        if further.cost < solution.cost - 1e-9 {
            optimal = false;
            let chain = chain_of(&further.order);
            let active = |i: &Item<'_>| !carry::is_setter(&i.instruction.kind());
            let active: Vec<bool> = list.iter().map(active).collect();
            let order = interleave(&freed, &chain, &active);
            if let Some(lines) = carry::compose(&evaluated.plan, stage, list, &order) {
                out.repeats = true;
                best = Found {
                    lines,
                    order,
                    pairs: freed,
                };
            }
        }
    }
    out.bound += bound;
    out.in_forms.bound += other.map_or(bound, |o| o.min(bound));
    out.optimal &= optimal;
    let Found {
        lines,
        order,
        pairs,
    } = best;
    let moved = reorder::moved(&order);
    let relation = |i: usize, j: usize| pairs.of(i, j).clone();
    let swaps = swaps(&order, &|i| list[i].at, &relation, request.certainty);
    // Without a reason for every swap there is no new order.
    if let Some(swaps) = swaps.filter(|_| !moved.is_empty()) {
        let line = |at: usize| original_line(request, at);
        out.proofs.extend(swaps.iter().map(|s| Proof::of(s, &line)));
        repeated(request, &lines, out);
        let lines = lines.into_iter().map(|p| Placed {
            added: request.is_added(p.at),
            ..p
        });
        out.orders.push(lines.collect());
        note(
            &Noted {
                request,
                list,
                pairs: &pairs,
                order: &order,
                steps: &steps,
                problem: &problem,
                sinking: &sinking,
            },
            &moved,
            out,
        );
    }
    (problem, formed)
}

/// Which instructions `narrow-copy` may take away in some order: those of a stage that is not the image that can come to
/// stand behind all others. None where it is no bound that is asked for.
fn may_go(request: &Request<'_>, scene: &Scene<'_>, index: usize) -> Vec<bool> {
    let list = scene.stage(index);
    let mut gone = vec![false; list.len()];
    let plan = &request.evaluated.plan;
    let on_it = |s: &crate::plan::Stage| matches!(s.base, Base::Stage(b) if b == index);
    if !(request.may_narrow && request.added_are_free)
        || index == plan.target
        || plan.stages.iter().any(on_it)
    {
        return gone;
    }
    let lines = match request.may_repeat {
        true => Lines::Repeat,
        false => Lines::Stay,
    };
    let pairs = Pairs::new(request, scene, index, lines);
    for i in (0..list.len()).rev() {
        let copies = matches!(list[i].instruction.kind(), crate::dockerfile::Kind::Copy(_));
        let passes = |j: usize| gone[j] || !matches!(pairs.of(i, j), Relation::Keep(_));
        gone[i] = copies && (i + 1..list.len()).all(passes);
    }
    gone
}

/// Lets no step pass another, whatever is no step.
fn keep_steps(problem: &mut Problem, steps: &[usize], list: &[Item<'_>]) {
    let mut above = 0u128;
    for (s, i) in steps.iter().enumerate() {
        problem.before[s] |= above;
        if list[*i].step.is_some() {
            above |= problem.before[s] | 1 << s;
        }
    }
}

/// What steps that were one may cost of what they do, so that together they cost no more than it did.
fn together(request: &Request<'_>, list: &[Item<'_>], rows: &Rows<'_>, i: usize) -> f64 {
    let at = list[i].at;
    let old = request.origin.get(at).copied().flatten();
    let Some(whole) = old.and_then(|o| request.whole.get(&o)) else {
        return 1.0;
    };
    let seconds = |i: &Item<'_>| {
        let node = i.step.map(|(n, _)| n).unwrap_or_default();
        let position = rows.position.get(&node);
        position.map_or(0.0, |p| request.evaluated.seconds[*p])
    };
    let halves: Vec<f64> = request.halves(list, at).map(seconds).collect();
    let sum: f64 = halves.iter().sum();
    match halves.len() > 1 && sum > *whole {
        true => whole / sum,
        false => 1.0,
    }
}

/// An order, and the lines it is printed as.
struct Found {
    lines: Vec<Placed>,
    order: Vec<usize>,
    pairs: Pairs,
}

/// One note per line that is said again.
fn repeated(request: &Request<'_>, lines: &[Placed], out: &mut Ordered) {
    for placed in lines {
        let line = original_line(request, placed.at);
        for text in placed.before.iter().chain(&placed.after) {
            out.edits.push(EditNote {
                rewrite: "reorder",
                safety: Safety::Proven,
                line: line.unwrap_or(1),
                end_line: line.unwrap_or(1),
                why: format!("says `{text}` again, so that every step runs as before"),
                assumptions: Vec::new(),
            });
        }
    }
}

impl Request<'_> {
    /// Whether a rewrite added an instruction.
    pub fn is_added(&self, at: usize) -> bool {
        self.origin.get(at).copied().flatten().is_none()
    }

    /// The instructions of a stage that were one with this, itself among them.
    fn halves<'l, 'a>(
        &self,
        list: &'l [Item<'a>],
        at: usize,
    ) -> impl Iterator<Item = &'l Item<'a>> {
        let of = |at: usize| self.origin.get(at).copied().flatten();
        let own = of(at);
        list.iter()
            .filter(move |i| i.at == at || own.is_some() && of(i.at) == own)
    }
}

/// The lines of an instruction in the file before rewrites changed it; `None` for an added one.
pub fn original_lines(request: &Request<'_>, at: usize) -> Option<(u32, u32)> {
    let old = request.origin.get(at).copied().flatten()?;
    let instruction = request.original.instructions().get(old)?;
    Some((instruction.line, instruction.end_line))
}

/// The first of them.
pub fn original_line(request: &Request<'_>, at: usize) -> Option<u32> {
    original_lines(request, at).map(|(first, _)| first)
}

/// Seconds each build spends in a stage at least, whatever the order: steps that must run.
fn least_per_build(problem: &Problem) -> Vec<f64> {
    let builds = problem.base.len();
    let mut out = vec![0.0; builds];
    for (s, weight) in problem.weights.iter().enumerate() {
        if problem.alone[s] {
            continue;
        }
        let mut partition = problem.base.refine(&problem.rows[s]);
        for a in super::order::members(problem.before[s]) {
            partition = partition.refine(&problem.rows[a]);
        }
        let mut seen = 0;
        for (t, id) in partition.ids().iter().enumerate() {
            let runs = match problem.policy.horizon() {
                Horizon::All => *id >= seen,
                Horizon::Last => t > 0 && partition.ids()[t - 1] != *id,
                Horizon::Nothing => true,
            };
            seen = seen.max(id + 1);
            if runs {
                out[t] += weight;
            }
        }
    }
    out
}
