//! From a replay to seconds on the clock and runner minutes.

use super::args::JobFlags;
use super::timeline::{Builds, times};
use crate::cost::CostTable;
use crate::cost::overhead::Overhead;
use crate::optimize::{Evaluated, warm_seconds};
use crate::plan::Plan;
use crate::report::model::{JobRow, JobSetting, PriceRow, RunnerRow, Wall};
use crate::simulate::{Clock, Clocks, JobModel, Outcome, Pace, Policy, Workers, pace};

/// Workers that jobs are counted with where nothing is said: the cores of an ordinary runner.
const WORKERS: u32 = 2;

/// A replay whose time is taken.
pub struct Watch<'a> {
    /// The plans of its builds.
    pub plans: Vec<&'a Plan>,
    /// Their verdicts.
    pub outcome: &'a Outcome,
    /// Step costs.
    pub costs: &'a CostTable,
}

/// A place in the range of a step's seconds.
#[derive(Clone, Copy)]
enum End {
    Low,
    Median,
    High,
}

impl<'a> Watch<'a> {
    /// Of a candidate.
    pub fn of(evaluated: &'a Evaluated, costs: &'a CostTable) -> Self {
        Self {
            plans: vec![&evaluated.plan],
            outcome: &evaluated.outcome,
            costs,
        }
    }

    /// Mean seconds on the clock over all builds that count.
    pub fn wall_of_counted(&self) -> Wall {
        let counted: Vec<usize> = self.outcome.counted().collect();
        self.wall(&counted)
    }

    /// Seconds of each plan's steps, without and with what their cache mounts hold.
    fn seconds(&self, end: End) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let one = |plan: &&Plan| {
            let (mut cold, mut warm) = (Vec::new(), warm_seconds(plan, self.costs));
            for (node, warm) in plan.order.iter().zip(&mut warm) {
                let cost = self.costs.of(&plan.graph[*node]);
                let seconds = match end {
                    End::Low => cost.seconds_low,
                    End::Median => cost.seconds,
                    End::High => cost.seconds_high,
                };
                // In proportion: nothing is known of the range with a filled mount.
                if cost.seconds > 0.0 {
                    *warm *= seconds / cost.seconds;
                }
                cold.push(seconds);
            }
            (cold, warm)
        };
        self.plans.iter().map(one).unzip()
    }

    fn builds(&self, end: End, workers: Workers) -> Vec<f64> {
        let (cold, warm) = self.seconds(end);
        Clock::new(&self.plans, &cold, &warm).builds(self.outcome, workers)
    }

    /// Mean seconds on the clock over some builds.
    pub fn wall(&self, counted: &[usize]) -> Wall {
        let (cold, warm) = self.seconds(End::Median);
        let clock = Clock::new(&self.plans, &cold, &warm);
        let mean = |workers| {
            let all = clock.builds(self.outcome, workers);
            // The sum of nothing is -0.
            let sum = counted.iter().map(|b| all[*b]).sum::<f64>() + 0.0;
            sum / counted.len().max(1) as f64
        };
        Wall {
            two: mean(Workers::Some(2)),
            four: mean(Workers::Some(4)),
            unlimited: mean(Workers::Unlimited),
        }
    }

    /// Runner minutes.
    pub fn jobs(&self, jobs: &Jobs) -> JobRow {
        let workers = Workers::Some(jobs.workers);
        let [low, median, high] =
            [End::Low, End::Median, End::High].map(|end| self.builds(end, workers));
        let clocks = Clocks {
            low: &low,
            median: &median,
            high: &high,
        };
        let minutes = jobs.model.minutes(self.outcome, clocks, jobs.pace);
        let interval = [minutes.low, minutes.high];
        let rate = jobs.model.price.rate;
        JobRow {
            minutes_per_month: minutes.mean,
            minutes_interval: interval,
            minutes_per_month_cold: minutes.cold,
            money_per_month: rate.map(|r| r * minutes.mean),
            money_interval: rate.map(|r| interval.map(|m| r * m)),
        }
    }
}

/// What jobs are counted by.
pub struct Jobs {
    model: JobModel,
    pace: Pace,
    workers: u32,
    /// Seconds that each kind of work beside the steps takes, as builds taught them.
    overheads: Vec<(Overhead, f64)>,
}

impl Jobs {
    /// What the flags, the history and the costs say; nothing where the history is shorter than a week and no number of builds was given, or without a build that counts.
    pub fn new(
        flags: &JobFlags,
        policy: Policy,
        builds: &Builds,
        outcome: &Outcome,
        costs: &CostTable,
    ) -> Option<Self> {
        // Nothing tells what a job takes.
        outcome.counted().next()?;
        let given = |n: f64| Pace {
            mean: n,
            low: n,
            high: n,
            months: 0,
        };
        let pace = match flags.builds_per_month {
            Some(n) => given(n),
            None => pace(&times(builds), outcome.counted())?,
        };
        let price = flags.price.clone().unwrap_or_default();
        // A builder that lives on has its base images.
        let pulls = !policy.is_persistent();
        let kinds = Overhead::ALL.into_iter();
        let kinds = kinds.filter(|k| pulls || *k != Overhead::Pull);
        let overheads: Vec<(Overhead, f64)> = kinds
            .filter_map(|k| Some((k, costs.overhead(k)?.p50)))
            .collect();
        let learned: f64 = overheads.iter().map(|(_, s)| s).sum();
        let cores = price.runner.map(|r| r.cores);
        Some(Self {
            workers: flags.workers.or(cores).unwrap_or(WORKERS),
            model: JobModel {
                price,
                job_s: flags.job_seconds + learned,
                cache_survives: flags.cache_survives,
            },
            pace,
            overheads,
        })
    }

    /// The same as the document has it.
    pub fn row(&self) -> JobSetting {
        let price = &self.model.price;
        JobSetting {
            builds_per_month: self.pace.mean,
            builds_per_month_interval: [self.pace.low, self.pace.high],
            months: self.pace.months,
            workers: self.workers,
            job_s: self.model.job_s,
            learned_s: self
                .overheads
                .iter()
                .map(|(k, s)| (k.as_str(), *s))
                .collect(),
            cache_survives: self.model.cache_survives,
            rounded_up_to_s: price.unit_s(),
            price: price.rate.map(|rate| PriceRow {
                rate,
                currency: price.currency.clone(),
                runner: price.runner.map(|r| RunnerRow {
                    name: r.name,
                    source: r.source,
                    dated: crate::cost::price::DATED,
                }),
            }),
        }
    }
}
