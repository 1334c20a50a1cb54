//! Files of the context that come by way of a stage which takes some of them away again.
//!
//! Goes in: a COPY from a stage that consists of COPYs of the context and of `find`s behind them that take files away or empty them.
//! Comes out: which files of the context are left, and where, and of which the name alone is. One pass over the files, once.
//! Invariant: what is not sure to be left is not answered.

use super::{Brought, ContextFiles};
use crate::footprint::{Action, Outcome, Pruning, What};
use crate::plan::{Base, Dest, Input, Plan, Step, StepKind};
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// A folder of another stage.
pub(super) struct Cut {
    /// The folder that is copied on, absolute.
    folder: String,
    /// The COPYs to it, or into it.
    inner: Vec<Brought>,
    prunings: Vec<Pruning>,
    left: OnceCell<Left>,
}

/// What is left: path below the folder, path in the context.
#[derive(Default)]
pub(super) struct Left {
    /// Files as they are in the context.
    pub whole: BTreeMap<String, String>,
    /// Files with nothing in them.
    pub emptied: BTreeMap<String, String>,
}

impl Brought {
    /// A COPY of all that such a stage has left.
    pub(super) fn through(plan: &Plan, step: &Step) -> Option<Self> {
        if step.kind != StepKind::Copy || step.parents || !step.inline.is_empty() {
            return None;
        }
        let [
            Input::Stage {
                stage,
                sources,
                excludes,
                ..
            },
        ] = step.inputs.as_slice()
        else {
            return None;
        };
        let ([folder], true) = (sources.as_slice(), excludes.is_empty()) else {
            return None;
        };
        let from = plan.stages.get(*stage)?;
        if from.replaced || !matches!(from.base, Base::Image(_) | Base::Scratch) {
            return None;
        }
        let mut inner = Vec::new();
        let mut prunings = Vec::new();
        for step in from.steps.iter().map(|n| &plan.graph[*n]) {
            match step.kind {
                StepKind::From | StepKind::Workdir => {}
                // An owner or a mode that it gives would go along.
                StepKind::Copy
                    if prunings.is_empty() && step.dest.as_ref().is_some_and(is_plain) =>
                {
                    inner.push(Self::of(step)?);
                }
                StepKind::Run => match &step.footprint.as_ref()?.outcome {
                    Some(Outcome::Less(list)) => prunings.extend(list.iter().cloned()),
                    _ => return None,
                },
                StepKind::Copy | StepKind::Add => return None,
            }
        }
        let top = crate::pattern::clean(&format!("/{folder}"));
        let below = |b: &Self| crate::footprint::is_below(&b.dest, &top) || b.dest == top;
        let same = inner.iter().all(below) && prunings.iter().all(|p| p.folder == top);
        if prunings.is_empty() || inner.is_empty() || !same || top == "/" {
            return None;
        }
        Some(Self {
            dest: step.dest.as_ref()?.best()?.trim_end_matches('/').to_owned(),
            is_dir: true,
            sources: Vec::new(),
            excludes: None,
            cut: Some(Cut {
                folder: top,
                inner,
                prunings,
                left: OnceCell::new(),
            }),
        })
    }
}

fn is_plain(dest: &Dest) -> bool {
    dest.owner.is_none() && dest.mode.is_none()
}

impl Cut {
    pub(super) fn is_unclear(&self, files: &dyn ContextFiles) -> bool {
        self.inner.iter().any(|b| b.is_unclear(files))
    }

    /// The file of the context at a path below the folder.
    pub(super) fn origin(&self, rest: &str, files: &dyn ContextFiles) -> Option<String> {
        self.all(files).whole.get(rest).cloned()
    }

    /// All that is left.
    pub(super) fn all(&self, files: &dyn ContextFiles) -> &Left {
        self.left.get_or_init(|| {
            let mut left = Left::default();
            let mut all = BTreeMap::new();
            for inner in &self.inner {
                all.extend(inner.laid(files));
            }
            for (place, from) in all {
                let rest = place.strip_prefix(&self.folder);
                let Some(rest) = rest.and_then(|r| r.strip_prefix('/')) else {
                    continue;
                };
                let what = match files.is_link(&from) {
                    true => What::Link,
                    false => What::File,
                };
                let takes = |p: &&Pruning| p.takes(rest, what) != Some(false);
                let taken: Vec<&Pruning> = self.prunings.iter().filter(takes).collect();
                let empties =
                    |p: &&Pruning| p.action == Action::Empty && p.takes(rest, what) == Some(true);
                if taken.is_empty() {
                    left.whole.insert(rest.to_owned(), from);
                } else if taken.iter().all(empties) {
                    left.emptied.insert(rest.to_owned(), from);
                }
            }
            left
        })
    }
}
