//! Variables that differ in every build, below the steps that have no use for them.
//!
//! ```text
//! ARG COMMIT                   COPY package.json package-lock.json ./
//! COPY package.json … ./   ->  RUN npm ci
//! RUN npm ci                   ARG COMMIT
//! RUN ./build $COMMIT          RUN ./build $COMMIT
//! ```
//!
//! Every RUN below such a line has another key in every build, whether it looks at the variable or not (experiments
//! row 55). Goes in: the instructions of a stage and what each pair of them allows. Comes out: the lines, those among
//! them that some step must follow, and whether a step runs in every build because of them alone. They are ordered as
//! steps are that cost nothing and change in every build; those that no step must follow come last. Linear in lines and
//! variables. Invariant: a variable that is set twice, or that a stage below has set, keeps its steps where they are.

use super::lines::{Pairs, masks};
use super::order::MAX_STEPS;
use super::precedence::{Item, names_set};
use crate::plan::{Step, StepKind};
use std::collections::BTreeSet;

/// The lines of a stage that set what differs in every build.
#[derive(Clone, Debug, Default)]
pub struct Sinking {
    /// Those that a step must stay behind, by their places in the stage.
    pub between: Vec<usize>,
    /// The others: nothing that runs has to see them.
    pub last: Vec<usize>,
    names: BTreeSet<String>,
}

impl Sinking {
    /// Those of a stage; `steps` are the places of its steps.
    pub fn of(list: &[Item<'_>], pairs: &Pairs, steps: &[usize]) -> Self {
        let differing: BTreeSet<&str> = list
            .iter()
            .filter_map(|i| i.step)
            .flat_map(|(_, step)| differing(step))
            .collect();
        let mut lines = Vec::new();
        let mut names = BTreeSet::new();
        for (at, item) in list.iter().enumerate() {
            let set = names_set(item.instruction);
            if !set.iter().any(|n| differing.contains(n)) {
                continue;
            }
            lines.push(at);
            names.extend(set.into_iter().map(str::to_owned));
        }
        let all = || list.iter().flat_map(|i| names_set(i.instruction));
        let twice = |name: &String| all().filter(|n| n == name).count() > 1;
        if lines.is_empty() || names.iter().any(twice) || steps.len() + lines.len() > MAX_STEPS {
            return Self::default();
        }
        let mut both = [steps, &lines].concat();
        both.sort_unstable();
        let before = masks(pairs, &both);
        let followed = |line: &usize| {
            let bit = both.iter().position(|b| b == line).unwrap_or_default();
            let behind = |(n, b): (&usize, &u128)| steps.contains(n) && b >> bit & 1 == 1;
            both.iter().zip(&before).any(behind)
        };
        let (between, last) = lines.into_iter().partition(followed);
        Self {
            between,
            last,
            names,
        }
    }

    /// Whether a line is one of them.
    pub fn has(&self, at: usize) -> bool {
        self.between.contains(&at) || self.last.contains(&at)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.between.is_empty() && self.last.is_empty()
    }

    /// Whether it is for these lines alone that a step differs in every build.
    pub fn explains(&self, step: &Step) -> bool {
        let mut all = differing(step).peekable();
        all.peek().is_some() && all.all(|n| self.names.contains(n))
    }
}

/// The variables of a RUN that have another value in every build.
fn differing(step: &Step) -> impl Iterator<Item = &str> {
    let run = step.kind == StepKind::Run;
    let vars = step.written.vars.iter().filter(move |_| run);
    vars.filter(|v| v.value.is_none()).map(|v| v.name.as_str())
}
