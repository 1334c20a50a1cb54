//! Cache keys over time: which steps each build of a history executes, and what that costs.
//!
//! Goes in: plans, the inputs of every build, a cache policy, step costs. Comes out: per build and
//! step executed, cached or maybe, with a cause; and sums over them. Cost: O(steps) look-ups a build.
//! Invariant: nothing is called cached that the builder would run; what only a RUN's output can
//! decide is `maybe`.

mod classes;
mod demand;
mod derived;
pub mod explain;
mod forced;
mod inputs;
mod jobs;
mod links;
mod matching;
#[cfg(test)]
mod matching_tests;
mod members;
mod months;
mod policy;
mod prepare;
mod program;
mod quiet;
mod replay;
mod score;
mod stage_tree;
mod store;
mod views;
mod walked;
mod wall;

pub use inputs::{Absence, Context, InputMatrix, Selection, matrix, matrix_in_pieces};
pub use jobs::{Clocks, JobModel, Minutes};
pub use months::{Month, Pace, day, months, pace};
pub use policy::{Horizon, InvalidPolicy, Policy, Size};
pub use prepare::{
    Prepared, columns, prepare, prepare_columns, selections_of, view_columns, views_of,
};
pub use program::View;
pub use replay::{
    BuildOutcome, Cause, CauseKind, Facts, Failure, Outcome, PlanModel, Timeline, replay,
    replay_growing, replay_with,
};
pub use score::{BuildCost, Costing, Summary, build_costs, summarize, wilson};
pub use stage_tree::Content;
pub use store::Verdict;
pub use views::ViewRequest;
pub use wall::{Clock, Workers};
