//! The Dockerfile of another revision on the same builds.

use super::steps::steps;
use super::{Weight, figures};
use crate::cli::args::AnalyzeArgs;
use crate::cli::compare::over;
use crate::cli::subject::{Place, Subject, load_one_replayed};
use crate::cli::timeline::{Builds, Replayed, replay_subject};
use crate::cost::CostTable;
use crate::report::bootstrap::saving_interval;
use crate::report::model::BaseComparison;
use crate::report::step_changes;
use crate::simulate::Outcome;
use crate::simulate::explain::pairs;
use anyhow::Result;

/// What the Dockerfile at a revision takes beside the present one; or why that can't be said.
///
/// # Errors
/// When there is no such revision, or the repository can't be read.
pub fn against(
    place: &Place,
    args: &AnalyzeArgs,
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
    rev: &str,
    present: &Replayed,
) -> Result<std::result::Result<BaseComparison, String>> {
    let commit = place.repository()?.resolve(rev)?;
    let older = Place::open(&args.place.path, Some(rev))?;
    let mut flags = args.place.build.clone();
    flags.files = vec![subject.target.file.clone()];
    flags.context = Some(subject.context.clone());
    flags.target.clone_from(&subject.options.target);
    // A change that adds the Dockerfile, or mends it, is no reason to say nothing about it.
    let found = load_one_replayed(&older, &flags, &args.history);
    let mut other = match found {
        Ok((other, _)) if other.failed() => {
            return Ok(Err("the Dockerfile there has errors".to_owned()));
        }
        Ok((other, _)) => other,
        Err(e) => return Ok(Err(format!("{e:#}"))),
    };
    other.options.args.clone_from(&subject.options.args);
    let replayed = replay_subject(place, &args.history, builds, &other, costs)?;
    let both = shared_builds(&[&replayed.outcome, &present.outcome]);
    if both.is_empty() {
        let why = "no build of the history works with both Dockerfiles";
        return Ok(Err(why.to_owned()));
    }
    let sums = over(&replayed, &both);
    let pick = |r: &Replayed| -> Vec<f64> { both.iter().map(|b| r.costs[*b].work_s).collect() };
    let (a, b) = (pick(&replayed), pick(present));
    let before: f64 = a.iter().sum();
    let saving = if before > 0.0 {
        1.0 - b.iter().sum::<f64>() / before
    } else {
        0.0
    };
    let rows = |s: &Subject, r: &Replayed| steps(builds, s, costs, r, &both);
    let (old, new) = (rows(&other, &replayed), rows(subject, present));
    let newest = |r: &Replayed| r.outcome.builds.iter().rev().find_map(|b| b.plan);
    let was = match (newest(&replayed), newest(present)) {
        (Some(o), Some(n)) => pairs(&replayed.plans[o], &present.plans[n]),
        _ => Vec::new(),
    };
    Ok(Ok(BaseComparison {
        steps: step_changes::of(&old, &new, &was),
        rev: rev.to_owned(),
        commit: commit.to_string(),
        baseline: figures(&sums, replayed.watch(costs).wall(&both), Weight::default()),
        work_s_per_build: b.iter().sum::<f64>() / both.len() as f64,
        saving,
        interval: saving_interval(&a, &b),
    }))
}

/// Builds that count for every outcome: the first such build of all is the cold one and is left out.
#[must_use]
pub fn shared_builds(outcomes: &[&Outcome]) -> Vec<usize> {
    let n = outcomes.first().map_or(0, |o| o.builds.len());
    let counts = |i: &usize| {
        outcomes
            .iter()
            .all(|o| o.builds[*i].plan.is_some() && o.builds[*i].fails.is_none())
    };
    let cold = outcomes.iter().filter_map(|o| o.cold()).max().unwrap_or(0);
    (0..n).filter(counts).filter(|i| *i > cold).collect()
}
