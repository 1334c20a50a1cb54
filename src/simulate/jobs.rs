//! Runner minutes of a month.
//!
//! Goes in: seconds on the clock of every build, how many builds a month has, what a job takes beside its steps. Comes out: minutes a month as they are
//! billed. Linear in the builds. Invariant: every job is rounded up by itself, so a saving that stays within its unit saves nothing.

use super::months::Pace;
use super::replay::Outcome;
use crate::cost::price::Price;

/// What is known of jobs.
#[derive(Clone, Debug, PartialEq)]
pub struct JobModel {
    /// What is billed, and how.
    pub price: Price,
    /// Seconds that a job takes beside the steps of the build: checkout, set-up, push.
    pub job_s: f64,
    /// Share of builds that find the cache which the policy says they have; the others find an empty one.
    pub cache_survives: f64,
}

/// Minutes a month.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Minutes {
    /// With steps at their median, in a month as the mean of them.
    pub mean: f64,
    /// With all steps at the low end of their ranges, in a quiet month.
    pub low: f64,
    /// With all steps at the high end, in a busy month.
    pub high: f64,
    /// With steps at their median where no build finds a cache.
    pub cold: f64,
}

/// Seconds on the clock of every build of a replay, with the steps at the low end, the median and the high end of their ranges.
#[derive(Clone, Copy, Debug)]
pub struct Clocks<'a> {
    /// Low end.
    pub low: &'a [f64],
    /// Median.
    pub median: &'a [f64],
    /// High end.
    pub high: &'a [f64],
}

impl JobModel {
    /// The minutes of a month.
    #[must_use]
    pub fn minutes(&self, outcome: &Outcome, clocks: Clocks<'_>, pace: Pace) -> Minutes {
        let cold = |clock: &[f64]| outcome.cold().map_or(0.0, |i| self.job(clock[i]));
        let one = |clock: &[f64]| {
            let (mut sum, mut n) = (0.0, 0usize);
            for i in outcome.counted() {
                sum += self.job(clock[i]);
                n += 1;
            }
            let warm = if n == 0 { 0.0 } else { sum / n as f64 };
            self.cache_survives * warm + (1.0 - self.cache_survives) * cold(clock)
        };
        Minutes {
            mean: one(clocks.median) * pace.mean,
            low: one(clocks.low) * pace.low,
            high: one(clocks.high) * pace.high,
            cold: cold(clocks.median) * pace.mean,
        }
    }

    /// Minutes of one job whose steps take so many seconds.
    fn job(&self, seconds: f64) -> f64 {
        self.price.billed(seconds + self.job_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::BuildOutcome;

    #[test]
    fn every_job_is_rounded_up_by_itself() {
        let build = || BuildOutcome {
            plan: Some(0),
            ..BuildOutcome::default()
        };
        let outcome = Outcome {
            builds: (0..4).map(|_| build()).collect(),
        };
        let pace = Pace {
            mean: 30.0,
            low: 10.0,
            high: 50.0,
            months: 3,
        };
        let clocks = Clocks {
            low: &[100.0, 5.0, 10.0, 20.0],
            median: &[200.0, 10.0, 61.0, 100.0],
            high: &[400.0, 61.0, 61.0, 121.0],
        };
        let model = JobModel {
            price: Price::default(),
            job_s: 0.0,
            cache_survives: 1.0,
        };
        let found = model.minutes(&outcome, clocks, pace);
        // 1, 2 and 2 minutes; the cold build, 4, is not in the mean.
        assert_eq!(found.mean, 5.0 / 3.0 * 30.0);
        assert_eq!(found.low, 10.0);
        assert_eq!(found.high, 7.0 / 3.0 * 50.0);
        assert_eq!(found.cold, 120.0);
        let half = JobModel {
            cache_survives: 0.5,
            job_s: 50.0,
            ..model
        };
        // 1, 2, 3 and cold 5.
        let found = half.minutes(&outcome, clocks, pace);
        assert_eq!(found.mean, (2.0 * 0.5 + 5.0 * 0.5) * 30.0);
    }
}
