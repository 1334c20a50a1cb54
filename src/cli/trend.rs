//! `cacheplan trend`, and the trend of `analyze`: seconds over the months of a history, and which commits changed them.
//!
//! What a commit did to the Dockerfile and its ignore file is told on the same builds, those around it, with the files before it and those behind it.

use super::analyze::{self, shared_builds};
use super::args::{Cli, DockerfileFrom, ReplayFormat, TrendArgs, WalkArg};
use super::epochs::each;
use super::progress::phase;
use super::subject::{Place, load_one_replayed};
use super::timeline::{ReplaySetting, Replays, read_builds, times};
use super::{Done, history_notes, output, worktree};
use crate::history::{ChangeLog, CommitId, CommitInfo};
use crate::optimize::Evaluated;
use crate::plan::Plan;
use crate::report::model::{Trend, TrendChange, TrendMonth};
use crate::report::{text::Style, trend};
use crate::simulate::{BuildCost, Month, Outcome, day, months};
use anyhow::{Result, bail};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// Changes looked at, the newest.
const MOST_CHANGES: usize = 60;
/// Builds before a change, and from it on, over which the files before and behind it are compared.
const AROUND: usize = 100;

/// What a replay says of each build.
pub struct Course<'a> {
    pub outcome: &'a Outcome,
    pub costs: &'a [BuildCost],
}

impl<'a> Course<'a> {
    /// That of a candidate.
    pub fn of(evaluated: &'a Evaluated) -> Self {
        Self {
            outcome: &evaluated.outcome,
            costs: &evaluated.costs,
        }
    }

    /// Mean seconds of work over those of some builds that count.
    fn mean(&self, builds: &[usize]) -> Option<f64> {
        let first = self.outcome.cold()?;
        let counts = |b: &&usize| {
            let build = &self.outcome.builds[**b];
            **b != first && build.plan.is_some() && build.fails.is_none()
        };
        let (mut sum, mut n) = (0.0, 0u32);
        for b in builds.iter().filter(counts) {
            sum += self.costs[*b].work_s;
            n += 1;
        }
        (n > 0).then(|| sum / f64::from(n))
    }
}

pub fn run(cli: &Cli, args: &TrendArgs) -> Result<Done> {
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    if args.history.dockerfile_from == DockerfileFrom::Each {
        bail!(
            "--dockerfile-from each: trend has the Dockerfile of each commit in a column of its own"
        );
    }
    place.repository()?;
    let costs = analyze::costs(&place, &args.history)?;
    let (subject, about) = load_one_replayed(&place, &args.place.build, &args.history)?;
    output::diagnostics(cli, &about);
    output::diagnostics(cli, &subject.diagnostics);
    if subject.failed() {
        return Ok(Done::WrongInput);
    }
    let builds = read_builds(cli, &place, &args.history, &[&subject])?;
    output::diagnostics(cli, &history_notes::about(&builds, &[&subject]));
    let _busy = phase(cli, "replaying every version of the Dockerfile");
    let searched = analyze::search(
        &place,
        &args.history,
        &args.search,
        &builds,
        &subject,
        &costs,
    )?;
    let setting = (&place, &args.history, &builds, &subject, &costs);
    let plan = searched.best().map(|p| Course::of(&p.evaluated));
    let trend = of(setting, &Course::of(&searched.baseline), plan.as_ref())?;
    let document = trend::Document {
        schema: "cacheplan.trend/1",
        file: subject.file.clone(),
        context: place.shown(&subject.context),
        target: subject.options.target.clone(),
        policy: args.history.cache_policy.to_string(),
        trend,
    };
    let text = match args.format {
        ReplayFormat::Json => output::json(&document)?,
        ReplayFormat::Text => {
            let color = args.output.is_none() && output::color_stdout(cli);
            let width = output::width();
            trend::text(&document, Style { color, width }).into_bytes()
        }
    };
    output::write(args.output.as_deref(), &text)?;
    Ok(Done::Fine)
}

/// The trend of a subject; `today` is the replay of its files as they are, `plan` that of the best plan.
///
/// # Errors
/// When an older file can't be read from the repository.
pub fn of(
    setting: ReplaySetting<'_>,
    today: &Course<'_>,
    plan: Option<&Course<'_>>,
) -> Result<Trend> {
    let (place, flags, builds, subject, _) = setting;
    if subject.target.inline.is_some() {
        let all = months(&times(builds), today.outcome.counted());
        let month = |m: &Month| month_of(m, None, today, plan);
        return Ok(Trend {
            months: all.iter().map(month).collect(),
            changes: Vec::new(),
            changes_left_out: 0,
            versions: 0,
        });
    }
    let epochs = each(place, builds, subject)?;
    let count = epochs.plans.len();
    let timeline = epochs.timeline.clone();
    // A commit with a file that the builder refuses is no version: what it began is judged with the one that mends it.
    let refused: Vec<bool> = epochs.plans.iter().map(Plan::has_errors).collect();
    let taken = timeline.iter().map(|v| v.filter(|v| !refused[*v]));
    let taken: Vec<Option<usize>> = taken.collect();
    let steps = changes_of(&taken, &parents(&builds.log, flags.walk));
    let versions = Replays::new(setting, epochs, None)?;
    let own = versions.of(timeline.clone());
    let own_course = Course {
        outcome: &own.0,
        costs: &own.1,
    };
    let seconds = times(builds);
    let all = months(&seconds, today.outcome.counted());
    let month = |m: &Month| {
        let own = own_course.mean(&m.builds);
        month_of(m, own, today, plan)
    };
    let left_out = steps.len().saturating_sub(MOST_CHANGES);
    let change = |(at, before, after): &(usize, usize, usize)| {
        let around = at.saturating_sub(AROUND)..(at + AROUND).min(timeline.len());
        let with = |version: usize| {
            let of = |i: usize| around.contains(&i).then_some(version);
            versions.of((0..timeline.len()).map(of).collect())
        };
        let (a, b) = (with(*before), with(*after));
        let both = shared_builds(&[&a.0, &b.0]);
        let mean = |costs: &[BuildCost]| {
            both.iter().map(|i| costs[*i].work_s).sum::<f64>() / both.len() as f64
        };
        let commit = &builds.log.commits[*at];
        (!both.is_empty()).then(|| TrendChange {
            commit: worktree::name(commit.id),
            date: day(commit.seconds).unwrap_or_default(),
            summary: commit.summary.clone(),
            before_s_per_build: mean(&a.1),
            after_s_per_build: mean(&b.1),
            builds: both.len(),
        })
    };
    let changes: Vec<TrendChange> = steps[left_out..].par_iter().filter_map(change).collect();
    Ok(Trend {
        months: all.iter().map(month).collect(),
        changes,
        changes_left_out: left_out,
        versions: count,
    })
}

fn month_of(
    month: &Month,
    own: Option<f64>,
    today: &Course<'_>,
    plan: Option<&Course<'_>>,
) -> TrendMonth {
    TrendMonth {
        month: month.to_string(),
        builds: month.builds.len(),
        own_work_s_per_build: own,
        work_s_per_build: today.mean(&month.builds),
        plan_work_s_per_build: plan.and_then(|p| p.mean(&month.builds)),
    }
}

/// For every build those that it was made from; of every commit in an order of their own, neighbours need not be kin.
fn parents(log: &ChangeLog, walk: WalkArg) -> Vec<Vec<usize>> {
    if walk == WalkArg::FirstParent {
        return (0..log.len())
            .map(|i| i.checked_sub(1).into_iter().collect())
            .collect();
    }
    let commits = log.commits.iter().enumerate();
    let places: FxHashMap<CommitId, usize> = commits.map(|(i, c)| (c.id, i)).collect();
    let of = |(i, c): (usize, &CommitInfo)| {
        let found = c.parents.iter().filter_map(|p| places.get(p).copied());
        found.filter(|p| *p < i).collect()
    };
    log.commits.iter().enumerate().map(of).collect()
}

/// Builds at which a version of the files begins that none of their parents has, with the first parent's version and this one; commits without
/// one stand for none.
fn changes_of(timeline: &[Option<usize>], parents: &[Vec<usize>]) -> Vec<(usize, usize, usize)> {
    let mut out = Vec::new();
    let mut last: Vec<Option<usize>> = Vec::new();
    for (i, (version, parents)) in timeline.iter().zip(parents).enumerate() {
        let before = parents.iter().find_map(|p| last[*p]);
        if let (Some(now), Some(before)) = (*version, before)
            && parents.iter().all(|p| last[*p] != Some(now))
        {
            out.push((i, before, now));
        }
        last.push(version.or(before));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::changes_of;

    fn in_line(timeline: &[Option<usize>]) -> Vec<(usize, usize, usize)> {
        let before = |i: usize| i.checked_sub(1).into_iter().collect();
        let parents: Vec<Vec<usize>> = (0..timeline.len()).map(before).collect();
        changes_of(timeline, &parents)
    }

    #[test]
    fn a_change_is_where_another_version_begins() {
        let none: Vec<(usize, usize, usize)> = Vec::new();
        assert_eq!(in_line(&[]), none);
        assert_eq!(in_line(&[None, Some(0), Some(0), None, Some(0)]), none);
        assert_eq!(
            in_line(&[Some(0), Some(1), None, Some(0), Some(0), Some(2)]),
            [(1, 0, 1), (3, 1, 0), (5, 0, 2)]
        );
    }

    #[test]
    fn branches_side_by_side_change_nothing() {
        // Build 1 begins a branch with another version, 3 is on it, 2 and 4 are not; 5 merges.
        let versions = [0, 1, 0, 1, 0, 1].map(Some);
        let parents = [vec![], vec![0], vec![0], vec![1], vec![2], vec![4, 3]];
        assert_eq!(changes_of(&versions, &parents), [(1, 0, 1)]);
    }
}
