//! Flags of runner minutes and money.

use crate::cost::price::Price;
use clap::Args;

/// What runner minutes are counted by.
#[derive(Clone, Debug, Args)]
pub struct JobFlags {
    /// Money a runner minute: a rate (0.008, 0.008USD), a runner of the table in docs/time-and-money.md (github-2), or free, which is the default.
    #[arg(long, value_name = "RATE", env = "CACHEPLAN_PRICE")]
    pub price: Option<Price>,
    /// Steps that may be at work at a time in a job; 2, or the cores of the runner that --price names.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub workers: Option<u32>,
    /// Seconds that a job takes beside the steps of the build: checkout, set-up, push.
    #[arg(long = "job-seconds", value_name = "S", default_value = "0", value_parser = not_negative)]
    pub job_seconds: f64,
    /// Share of builds that find the cache which the policy says they have, 0.9 or 90%; the others find an empty one.
    #[arg(long = "cache-survives", value_name = "SHARE", default_value = "1", value_parser = share)]
    pub cache_survives: f64,
    /// Builds a month, in place of those of the history.
    #[arg(long = "builds-per-month", value_name = "N", value_parser = not_negative)]
    pub builds_per_month: Option<f64>,
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    let number = number.filter(|n| n.is_finite() && *n >= 0.0);
    number.ok_or_else(|| "write a number, 0 or more".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|p| p / 100.0),
        None => text.parse(),
    };
    let number = number.ok().filter(|n| (0.0..=1.0).contains(n));
    number.ok_or_else(|| "write a share from 0 to 1, or a percentage".to_owned())
}
