//! Judges a Dockerfile over a whole history.
//!
//! Goes in: a text, and lines for the ignore file. Comes out: [`Evaluated`], its plan, verdicts and seconds. Costs a
//! replay for every text that was not seen before; versions of inputs are kept. Invariant: equal texts are judged alike.

use super::Setting;
use super::memo::Memo;
use crate::cost::{CostTable, WarmCost};
use crate::dockerfile::{self, Dockerfile};
use crate::pattern::IgnoreRules;
use crate::plan::{self, ContextInput, Input, Plan, Step, StepKind};
use crate::rewrite::caches::filled;
use crate::rewrite::recipes;
use crate::simulate::{
    BuildCost, Context, Facts, InputMatrix, Outcome, PlanModel, Selection, Summary, Timeline,
    ViewRequest, build_costs, columns, matrix, replay_with, selections_of, summarize, view_columns,
    views_of,
};
use crate::source::SourceFile;
use rustc_hash::FxHashMap;
use std::rc::Rc;

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

/// Seconds of every step in a plan's order.
#[must_use]
pub fn step_seconds(plan: &Plan, costs: &CostTable) -> Vec<f64> {
    let one = |n: &petgraph::graph::NodeIndex| {
        let step = &plan.graph[*n];
        costs.of(step).seconds
    };
    plan.order.iter().map(one).collect()
}

/// The same where its cache mounts were filled by an earlier build.
#[must_use]
pub fn warm_seconds(plan: &Plan, costs: &CostTable) -> Vec<f64> {
    let one = |n: &petgraph::graph::NodeIndex| {
        let step = &plan.graph[*n];
        let cold = costs.of(step).seconds;
        warm(plan, step, costs).map_or(cold, |w| w.seconds)
    };
    plan.order.iter().map(one).collect()
}

/// What a step costs where its cache mounts hold what its tools keep; `None` where that is no less.
pub(super) fn warm(plan: &Plan, step: &Step, costs: &CostTable) -> Option<WarmCost> {
    if step.cache_mounts.is_empty() {
        return None;
    }
    let filled = filled(plan, step);
    costs.warm(step, &filled)
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
        let said = costs.of(step).bytes;
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
    /// The ignore rules in force, then those of candidates.
    rules: Vec<IgnoreRules>,
    /// What each of them adds to the ignore file.
    added: Vec<Vec<String>>,
    /// What the first file takes from the context: sources and excludes. Lines that a rewrite adds are judged as if they
    /// had always named the files of the time, where some were missing then.
    own: Option<Vec<(Vec<String>, Vec<String>)>>,
    /// Orders that were found.
    memo: Memo,
    /// What was judged already.
    known: FxHashMap<(Vec<u8>, usize), Rc<Evaluated>>,
}

impl<'a> Judge<'a> {
    /// A judge that has seen nothing yet.
    #[must_use]
    pub fn new(setting: Setting<'a>) -> Self {
        Self {
            rules: setting.context.rules.to_vec(),
            added: vec![Vec::new(); setting.context.rules.len()],
            setting,
            matrix: InputMatrix::default(),
            own: None,
            memo: Memo::default(),
            known: FxHashMap::default(),
        }
    }

    /// Orders that were found.
    pub(super) fn memo(&self) -> &Memo {
        &self.memo
    }

    /// What Dockerfiles are judged by.
    #[must_use]
    pub fn setting(&self) -> Setting<'a> {
        self.setting
    }

    /// The versions seen so far.
    #[must_use]
    pub fn matrix(&self) -> &InputMatrix {
        &self.matrix
    }

    /// Makes sure the matrix has what a plan reads.
    fn learn(&mut self, plan: &Plan, wanted: &[Vec<Selection>], rules: usize) {
        let mut views: Vec<ViewRequest> = Vec::new();
        for view in views_of(plan, rules).into_iter().flatten().flatten() {
            let request = ViewRequest { view, builds: None };
            if !self.matrix.requests.contains(&request) && !views.contains(&request) {
                views.push(request);
            }
        }
        let mut needed: Vec<Selection> = wanted.iter().flatten().cloned().collect();
        needed.retain(|s| !self.matrix.selections.contains(s));
        for request in &views {
            request.view.selections(&mut needed);
        }
        needed.sort();
        needed.dedup();
        let new = self.matrix.builds == 0 || !needed.is_empty() || !views.is_empty();
        if new {
            let context = Context {
                rules: &self.rules,
                ..self.setting.context
            };
            let mut more = matrix(&context, &needed, &views);
            let own = self.own.get_or_insert_with(|| {
                let all = needed.iter().map(|s| &s.input);
                all.map(|i| (i.sources.clone(), i.excludes.clone()))
                    .collect()
            });
            let newest = u32::try_from(more.builds.saturating_sub(1)).unwrap_or(u32::MAX);
            for (selection, absent) in more.selections.iter().zip(&mut more.absent) {
                let input = &selection.input;
                let added = !own
                    .iter()
                    .any(|(s, e)| *s == input.sources && *e == input.excludes);
                if added && absent.last().is_none_or(|(build, _)| *build != newest) {
                    absent.clear();
                }
            }
            self.matrix.extend(more);
        }
    }

    /// The rules with some lines behind those in force.
    fn rules_with(&mut self, lines: &[String]) -> usize {
        if lines.is_empty() {
            return 0;
        }
        if let Some(at) = self.added.iter().position(|a| a == lines) {
            return at;
        }
        let text = with_lines(self.setting.ignore, lines);
        let file = SourceFile::new("", text);
        self.rules.push(IgnoreRules::parse(&file).0);
        self.added.push(lines.to_vec());
        self.rules.len() - 1
    }

    /// Parses, lowers and replays a Dockerfile.
    #[must_use]
    pub fn evaluate(&mut self, source: SourceFile) -> Evaluated {
        Rc::unwrap_or_clone(self.evaluate_with(source, &[]))
    }

    /// The same with lines added to the ignore file.
    #[must_use]
    pub fn evaluate_with(&mut self, source: SourceFile, ignore: &[String]) -> Rc<Evaluated> {
        let rules = self.rules_with(ignore);
        let key = (source.bytes().to_vec(), rules);
        if let Some(known) = self.known.get(&key) {
            return Rc::clone(known);
        }
        let evaluated = Rc::new(self.replay(source, rules));
        self.known.insert(key, Rc::clone(&evaluated));
        evaluated
    }

    fn replay(&mut self, source: SourceFile, rules: usize) -> Evaluated {
        let parsed = dockerfile::parse(&source);
        let mut plan = plan::lower(&parsed.tree, self.setting.options);
        recipes::note(&mut plan, self.setting.files);
        let wanted = selections_of(&plan, rules);
        self.learn(&plan, &wanted, rules);
        let selections = columns(&wanted, &self.matrix).unwrap_or_default();
        let views = view_columns(&views_of(&plan, rules), &self.matrix);
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

/// An ignore file with lines at its end.
#[must_use]
pub fn with_lines(file: Option<&SourceFile>, lines: &[String]) -> Vec<u8> {
    let mut text = file.map_or(Vec::new(), |f| f.bytes().to_vec());
    let end = file.map_or("\n", SourceFile::line_end);
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.extend_from_slice(end.as_bytes());
    }
    for line in lines {
        text.extend_from_slice(line.as_bytes());
        text.extend_from_slice(end.as_bytes());
    }
    text
}
