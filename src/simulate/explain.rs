//! Why each step of one build runs again behind another build: the first part of its key that
//! changed, the files behind that, and the step it follows from.
//!
//! Goes in: the replay of two builds, where the cache holds the first and nothing else, and both
//! plans with their ignore rules. Comes out: one [`Explained`] a step. Costs one listing of the context
//! a side and one look at every file and source. Invariant: a reason is given for every step that is
//! not cached, and for no other; names and values in `detail` are shown by [`words::quoted`].

mod files;
mod pairs;
pub use pairs::pairs;
mod words;

pub use files::{FileChange, FileChangeKind, IgnoreLine};
pub use words::quoted;

use super::inputs::InputMatrix;
use super::replay::{BuildOutcome, CauseKind};
use super::store::Verdict;
use crate::history::{ChangeLog, Oid};
use crate::pattern::IgnoreRules;
use crate::plan::{Depends, Input, Plan, Step, StepKind};
use files::Members;
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef as _;
use rustc_hash::FxHashMap;
use std::cell::OnceCell;

/// One of the two builds.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its steps.
    pub plan: &'a Plan,
    /// Its ignore rules.
    pub rules: &'a IgnoreRules,
    /// Columns of its steps in the matrix.
    pub selections: &'a [Vec<usize>],
}

/// Two builds, 0 and 1 of a log.
pub struct Case<'a> {
    /// The log; no other builds are looked at.
    pub log: &'a ChangeLog,
    /// The context's folder in the repository.
    pub prefix: &'a [u8],
    /// Link texts by object id.
    pub links: &'a FxHashMap<Oid, Vec<u8>>,
    /// The build whose results the cache holds; none where it has no Dockerfile or is refused.
    pub before: Option<Side<'a>>,
    /// The build that is explained.
    pub after: Side<'a>,
    /// Its replay.
    pub outcome: &'a BuildOutcome,
    /// Versions of all inputs.
    pub matrix: &'a InputMatrix,
    /// Base images whose content changed between the two, by normalised name.
    pub new_bases: &'a [String],
}

/// Why a step is not cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The kind `replay` has for it.
    pub kind: CauseKind,
    /// One line for people. What is quoted in it cannot move a cursor, but it is not Markdown.
    pub detail: String,
    /// Files behind a content cause, by path.
    pub files: Vec<FileChange>,
    /// Position of the step it follows from.
    pub because_of: Option<usize>,
}

/// One step of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Position in the plan's order.
    pub step: usize,
    /// What the builder does with it.
    pub verdict: Verdict,
    /// Why, unless it is cached.
    pub why: Option<Why>,
}

/// Explains build 1.
#[must_use]
pub fn explain(case: &Case<'_>) -> Vec<Explained> {
    let plan = case.after.plan;
    let reasons = Reasons {
        case,
        position: plan.positions(),
        pairs: case.before.map(|b| pairs(b.plan, plan)),
        members: OnceCell::new(),
    };
    let one = |(step, verdict): (usize, &Verdict)| Explained {
        step,
        verdict: *verdict,
        why: (*verdict != Verdict::Cached).then(|| reasons.why(step)),
    };
    case.outcome.verdicts.iter().enumerate().map(one).collect()
}

struct Reasons<'a> {
    case: &'a Case<'a>,
    position: FxHashMap<NodeIndex, usize>,
    pairs: Option<Vec<Option<usize>>>,
    /// Listed only where a step's files changed.
    members: OnceCell<Members<'a>>,
}

fn because(kind: CauseKind, detail: String) -> Why {
    Why {
        kind,
        detail,
        files: Vec::new(),
        because_of: None,
    }
}

impl<'a> Reasons<'a> {
    fn why(&self, at: usize) -> Why {
        let plan = self.case.after.plan;
        let step = &plan.graph[plan.order[at]];
        let (Some(before), Some(pairs)) = (&self.case.before, &self.pairs) else {
            let detail = "the cache holds nothing of this build".to_owned();
            return because(CauseKind::FirstBuild, detail);
        };
        let steps = || before.plan.order.iter().map(|n| &before.plan.graph[*n]);
        // A step that only moved keeps its definition.
        let same = |p: &usize| steps().nth(*p).map(|s| s.definition) == Some(step.definition);
        let moved = || steps().position(|s| s.definition == step.definition);
        let old_at = pairs[at].filter(same).or_else(moved).or(pairs[at]);
        let Some(old_at) = old_at else {
            let detail = match step.kind {
                StepKind::From => format!("{} is not among the bases before", quoted(&step.text)),
                _ => "this instruction is new".to_owned(),
            };
            let kind = match step.kind {
                StepKind::From => CauseKind::BaseImage,
                _ => CauseKind::Instruction,
            };
            return because(kind, detail);
        };
        let old = &before.plan.graph[before.plan.order[old_at]];
        if old.definition != step.definition {
            return because(edited(old, step), words::differences(old, step));
        }
        if old.variable_places != step.variable_places {
            let detail = "variables that the base image may have, too, are set in another stage";
            return because(CauseKind::Env, detail.to_owned());
        }
        if step.volatile {
            return because(CauseKind::Arg, words::volatile(step));
        }
        if let Some(detail) = words::sources(old, step, before.plan, plan) {
            return because(CauseKind::Instruction, detail);
        }
        let new_base = step.inputs.iter().find_map(|i| match i {
            Input::Image(name) if self.case.new_bases.contains(name) => Some(name),
            _ => None,
        });
        if let Some(name) = new_base {
            let detail = format!("the content of {} changed", quoted(name));
            return because(CauseKind::BaseImage, detail);
        }
        if let Some(why) = self.content(at, old_at, before) {
            return why;
        }
        self.behind(at, old_at)
    }

    /// Files that the step takes and that changed.
    fn content(&self, at: usize, old_at: usize, before: &Side<'a>) -> Option<Why> {
        let case = self.case;
        let (old, new) = (&before.selections[old_at], &case.after.selections[at]);
        let version = |s: &usize, build: usize| case.matrix.version[*s].get(build).copied();
        let pairs = || old.iter().zip(new);
        if old.len() == new.len() && pairs().all(|(o, n)| version(o, 0) == version(n, 1)) {
            return None;
        }
        let git = new.iter().any(|s| case.matrix.holds_git[*s]);
        let members = self.members.get_or_init(|| Members::new(case, before));
        let files = members.changed(old_at, at, git);
        let mut why = because(CauseKind::Content, words::content(&files, git));
        why.files = files;
        Some(why)
    }

    /// What a step follows from that has itself not changed.
    fn behind(&self, at: usize, old_at: usize) -> Why {
        let plan = self.case.after.plan;
        let verdicts = &self.case.outcome.verdicts;
        let node = plan.order[at];
        let step = &plan.graph[node];
        let incoming = |wanted: Depends| {
            let edges = plan.graph.edges_directed(node, Direction::Incoming);
            let edges = edges.filter(move |e| *e.weight() == wanted);
            edges.filter_map(|e| self.position.get(&e.source()).copied())
        };
        let parent = incoming(Depends::Key)
            .filter(|_| step.keyed_by_parent)
            .find_map(|p| self.source_of_change(p));
        let stages = incoming(Depends::Content).filter_map(|p| self.source_of_change(p));
        let mut stages: Vec<usize> = stages.collect();
        stages.sort_unstable();
        let Some(because_of) = parent.or(stages.first().copied()) else {
            return because(CauseKind::Instruction, self.elsewhere(at, old_at));
        };
        let other = &plan.graph[plan.order[because_of]].id;
        let unsure = verdicts[at] == Verdict::Maybe;
        let detail = match (parent.is_some(), unsure) {
            (true, false) => format!("it stands on step {other}, which runs again"),
            (true, true) => format!("it stands on step {other}, which may run again"),
            (false, false) => format!("it takes files from step {other}, which runs again"),
            (false, true) => format!(
                "it takes files from step {other}, which runs again: cached if they turn out the same"
            ),
        };
        Why {
            because_of: Some(because_of),
            ..because(CauseKind::Parent, detail)
        }
    }

    /// The step that ran, of those whose result this one's is made of: a `COPY --link` is cached by
    /// itself, and what it is merged with may be new all the same.
    fn source_of_change(&self, mut at: usize) -> Option<usize> {
        let plan = self.case.after.plan;
        loop {
            if self.case.outcome.verdicts[at] != Verdict::Cached {
                return Some(at);
            }
            let node = plan.order[at];
            if plan.graph[node].keyed_by_parent {
                return None;
            }
            at = self.position.get(&plan.parent(node)?).copied()?;
        }
    }

    /// The same step at another place: what it stands on is another result.
    fn elsewhere(&self, at: usize, old_at: usize) -> String {
        let name = |plan: &Plan, at: usize| {
            let parent = plan.parent(plan.order[at]);
            parent.map(|p| words::shown_step(&plan.graph[p]))
        };
        let before = self.case.before.as_ref();
        let was = before.and_then(|b| name(b.plan, old_at));
        match (was, name(self.case.after.plan, at)) {
            (Some(was), Some(now)) if was != now => {
                format!("it stands on {now} now, and stood on {was} before")
            }
            _ => "the steps before it are in another order, or some are gone".to_owned(),
        }
    }
}

/// Which part of a definition changed first.
fn edited(old: &Step, new: &Step) -> CauseKind {
    if new.kind == StepKind::From {
        return CauseKind::BaseImage;
    }
    if old.parts.instruction != new.parts.instruction {
        return CauseKind::Instruction;
    }
    match old.parts.env == new.parts.env {
        true => CauseKind::Arg,
        false => CauseKind::Env,
    }
}

#[cfg(test)]
mod tests;
