//! Cache keys over time: which steps each build of a history executes, and what that costs.
//!
//! Goes in: plans, the inputs of every build, a cache policy, step costs. Comes out: per build and
//! step executed, cached or maybe, with a cause; and sums over them. Cost: O(steps) look-ups a build.
//! Invariant: nothing is called cached that the builder would run; what only a RUN's output can
//! decide is `maybe`.

mod forced;
mod inputs;
mod policy;
mod replay;
mod score;
mod store;
mod walked;

pub use inputs::{Absence, Context, InputMatrix, Selection, matrix};
pub use policy::Policy;
pub use replay::{BuildOutcome, Cause, CauseKind, Failure, Outcome, PlanModel, Timeline, replay};
pub use score::{BuildCost, Summary, build_costs, summarize, wilson};
pub use store::Verdict;
