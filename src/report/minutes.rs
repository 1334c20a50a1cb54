//! Sentences about the clock, runner minutes and money.
//!
//! Goes in: rows of the document. Comes out: plain sentences without anything of the repository in them. Invariant: an interval stands beside
//! every figure that was counted up to a month.

use super::model::{Baseline, JobRow, JobSetting, PlanRow, Wall};
use super::number::{amount, bytes, money, percent, seconds};

/// Bytes a build that are worth a sentence.
const LEAST_PUSHED: f64 = 1e6;
/// Differences below this share are not worth a sentence.
const SAME: f64 = 0.01;

fn differ(a: f64, b: f64) -> bool {
    (a - b).abs() > SAME * a.abs().max(b.abs())
}

/// Whether it makes a difference how many steps may be at work at a time.
fn is_parallel(wall: &Wall, work: f64) -> bool {
    differ(wall.unlimited, work)
}

fn by_workers(wall: &Wall) -> String {
    let two = format!("{} with 2 steps at a time", seconds(wall.two));
    match (
        differ(wall.two, wall.four),
        differ(wall.four, wall.unlimited),
    ) {
        (false, false) => format!("{} with 2 steps at a time or more", seconds(wall.two)),
        (_, false) => format!("{two}, {} with 4 or more", seconds(wall.four)),
        _ => format!(
            "{two}, {} with 4, {} without a limit",
            seconds(wall.four),
            seconds(wall.unlimited)
        ),
    }
}

/// What a build takes on the clock, with a blank before it; empty where its steps run one behind the other anyway.
#[must_use]
pub fn clock(b: &Baseline) -> String {
    match is_parallel(&b.wall_s_per_build, b.work_s_per_build) {
        true => format!(" On the clock: {}.", by_workers(&b.wall_s_per_build)),
        false => String::new(),
    }
}

/// What a plan makes of that, to stand behind `; `; empty where steps run one behind the other before and after.
fn clock_of_plan(base: &Baseline, plan: &PlanRow) -> String {
    let (before, after) = (&base.wall_s_per_build, &plan.wall_s_per_build);
    if !is_parallel(before, base.work_s_per_build) && !is_parallel(after, plan.work_s_per_build) {
        return String::new();
    }
    let change = |a: f64, b: f64| format!("{} -> {}", seconds(a), seconds(b));
    let two = change(before.two, after.two);
    let four = change(before.four, after.four);
    match four == two {
        true => format!("on the clock {two}"),
        false => format!("on the clock {two} with 2 steps at a time, {four} with 4"),
    }
}

/// What builds push again, with a blank before it; empty below a megabyte.
#[must_use]
pub fn pushed(b: &Baseline) -> String {
    match b.pushed_bytes_per_build {
        Some(n) if n >= LEAST_PUSHED => format!(
            " Each makes about {} of layers anew, to be pushed and pulled again (estimate, before compression).",
            bytes(n.round() as u64)
        ),
        _ => String::new(),
    }
}

fn pushed_by_plan(base: &Baseline, plan: &PlanRow) -> String {
    let pair = base.pushed_bytes_per_build.zip(plan.pushed_bytes_per_build);
    match pair.filter(|(a, b)| a.max(*b) >= LEAST_PUSHED && differ(*a, *b)) {
        Some((before, after)) => format!(
            "{} of layers made anew instead of {}",
            bytes(after.round() as u64),
            bytes(before.round() as u64)
        ),
        None => String::new(),
    }
}

fn range(interval: [f64; 2]) -> String {
    format!("{} .. {}", amount(interval[0]), amount(interval[1]))
}

fn rounding(setting: &JobSetting) -> &'static str {
    match setting.rounded_up_to_s >= 60.0 {
        true => "each job rounded up to a whole minute",
        false => "counted by the second",
    }
}

/// What the builds of a month cost.
#[must_use]
pub fn month(setting: &JobSetting, row: &JobRow) -> String {
    let [quiet, busy] = setting.builds_per_month_interval;
    let spread = match differ(quiet, busy) {
        true => format!(" ({})", range([quiet, busy])),
        false => String::new(),
    };
    let mut out = format!(
        "A month: {} builds{spread}, {} runner minutes ({}){}, {}",
        amount(setting.builds_per_month),
        amount(row.minutes_per_month),
        range(row.minutes_interval),
        match setting.job_s > 0.0 {
            true => "",
            false => " for the steps alone",
        },
        rounding(setting),
    );
    if setting.job_s > 0.0 {
        out.push_str(&format!(
            ", with {} beside the steps",
            seconds(setting.job_s)
        ));
    }
    if setting.cache_survives < 1.0 {
        let lost = percent(1.0 - setting.cache_survives);
        out.push_str(&format!(", {lost} of them from an empty cache"));
    }
    if let Some(price) = &setting.price
        && let (Some(cost), Some([low, high])) = (row.money_per_month, row.money_interval)
    {
        let of = |m| money(m, &price.currency);
        out.push_str(&format!(
            ": {} ({} .. {}) at {} a minute",
            of(cost),
            of(low),
            of(high),
            rate(price.rate, &price.currency),
        ));
        if let Some(runner) = &price.runner {
            out.push_str(&format!(" ({}, {})", runner.source, runner.dated));
        }
    }
    out.push('.');
    out
}

/// A price of a minute, in full.
fn rate(rate: f64, currency: &str) -> String {
    let digits = rate.to_string();
    match money(1.0, currency).split_once("1.00") {
        Some((before, after)) => format!("{before}{digits}{after}"),
        None => digits,
    }
}

/// What a plan makes of that, to stand behind `; `; empty without jobs.
fn month_of_plan(setting: Option<&JobSetting>, base: &Baseline, plan: &PlanRow) -> String {
    let (Some(setting), Some(before), Some(after)) = (setting, &base.jobs, &plan.jobs) else {
        return String::new();
    };
    if before.minutes_per_month <= 0.0 {
        return String::new();
    }
    if !differ(before.minutes_per_month, after.minutes_per_month) {
        return match setting.rounded_up_to_s >= 60.0 {
            true => "no fewer runner minutes, as each job is rounded up to a whole one".to_owned(),
            false => String::new(),
        };
    }
    let mut out = format!(
        "a month {} runner minutes instead of {} ({} instead of {})",
        amount(after.minutes_per_month),
        amount(before.minutes_per_month),
        range(after.minutes_interval),
        range(before.minutes_interval),
    );
    if let Some(price) = &setting.price
        && let (Some(before), Some(after)) = (before.money_per_month, after.money_per_month)
    {
        let of = |m| money(m, &price.currency);
        out.push_str(&format!(", {} instead of {}", of(after), of(before)));
    }
    out
}

/// All of a plan, joined; empty where there is nothing to say.
#[must_use]
pub fn of_plan(setting: Option<&JobSetting>, base: &Baseline, plan: &PlanRow) -> String {
    let parts = [
        clock_of_plan(base, plan),
        month_of_plan(setting, base, plan),
        pushed_by_plan(base, plan),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::model::{PriceRow, RunnerRow};
    use super::super::sample;
    use super::*;

    fn wall(two: f64, four: f64, unlimited: f64) -> Wall {
        Wall {
            two,
            four,
            unlimited,
        }
    }

    #[test]
    fn the_clock_is_told_where_steps_run_side_by_side() {
        let mut base = sample::baseline(73.2);
        assert_eq!(clock(&base), "");
        base.wall_s_per_build = wall(65.0, 60.0, 58.0);
        assert_eq!(
            clock(&base),
            " On the clock: 65 s with 2 steps at a time, 60 s with 4, 58 s without a limit."
        );
        base.wall_s_per_build = wall(65.0, 58.0, 58.0);
        assert_eq!(
            clock(&base),
            " On the clock: 65 s with 2 steps at a time, 58 s with 4 or more."
        );
        base.wall_s_per_build = wall(58.0, 58.0, 58.0);
        assert_eq!(
            clock(&base),
            " On the clock: 58 s with 2 steps at a time or more."
        );
        let mut plan = sample::plan();
        assert_eq!(clock_of_plan(&base, &plan), "on the clock 58 s -> 31 s");
        plan.wall_s_per_build = wall(30.0, 28.0, 28.0);
        assert_eq!(
            clock_of_plan(&base, &plan),
            "on the clock 58 s -> 30 s with 2 steps at a time, 58 s -> 28 s with 4"
        );
        assert_eq!(clock_of_plan(&sample::baseline(73.2), &sample::plan()), "");
    }

    #[test]
    fn what_is_pushed_again_is_told_from_a_megabyte_on() {
        let mut base = sample::baseline(73.2);
        let mut plan = sample::plan();
        assert_eq!(pushed(&base), "");
        base.pushed_bytes_per_build = Some(0.9e6);
        assert_eq!(pushed(&base), "");
        base.pushed_bytes_per_build = Some(79.5e6);
        assert_eq!(
            pushed(&base),
            " Each makes about 79.5 MB of layers anew, to be pushed and pulled again (estimate, before compression)."
        );
        plan.pushed_bytes_per_build = Some(79.4e6);
        assert_eq!(of_plan(None, &base, &plan), "");
        plan.pushed_bytes_per_build = Some(12e6);
        assert_eq!(
            of_plan(None, &base, &plan),
            "12.0 MB of layers made anew instead of 79.5 MB"
        );
    }

    fn row(minutes: f64, rate: Option<f64>) -> JobRow {
        let interval = [minutes / 2.0, minutes * 3.0];
        JobRow {
            minutes_per_month: minutes,
            minutes_interval: interval,
            minutes_per_month_cold: minutes * 4.0,
            money_per_month: rate.map(|r| r * minutes),
            money_interval: rate.map(|r| interval.map(|m| r * m)),
        }
    }

    fn setting() -> JobSetting {
        JobSetting {
            builds_per_month: 41.25,
            builds_per_month_interval: [22.0, 63.0],
            months: 11,
            workers: 2,
            job_s: 0.0,
            learned_s: std::collections::BTreeMap::new(),
            cache_survives: 1.0,
            rounded_up_to_s: 60.0,
            price: None,
        }
    }

    #[test]
    fn a_month_is_told_with_its_spread() {
        let free = setting();
        assert_eq!(
            month(&free, &row(62.0, None)),
            "A month: 41 builds (22 .. 63), 62 runner minutes (31 .. 186) for the steps alone, each job rounded up to a whole minute."
        );
        let paid = JobSetting {
            job_s: 40.0,
            cache_survives: 0.75,
            price: Some(PriceRow {
                rate: 0.006,
                currency: "USD".to_owned(),
                runner: Some(RunnerRow {
                    name: "r",
                    source: "a list",
                    dated: "2026-11",
                }),
            }),
            ..setting()
        };
        assert_eq!(
            month(&paid, &row(1000.0, Some(0.006))),
            "A month: 41 builds (22 .. 63), 1,000 runner minutes (500 .. 3,000), each job rounded up to a whole minute, with 40 s beside the steps, \
             25 % of them from an empty cache: $6.00 ($3.00 .. $18.00) at $0.006 a minute (a list, 2026-11)."
        );
        let mut base = sample::baseline(73.2);
        let mut plan = sample::plan();
        assert_eq!(month_of_plan(Some(&paid), &base, &plan), "");
        base.jobs = Some(row(1000.0, Some(0.006)));
        plan.jobs = Some(row(400.0, Some(0.006)));
        assert_eq!(
            month_of_plan(Some(&paid), &base, &plan),
            "a month 400 runner minutes instead of 1,000 (200 .. 1,200 instead of 500 .. 3,000), $2.40 instead of $6.00"
        );
        plan.jobs = base.jobs;
        assert_eq!(
            month_of_plan(Some(&paid), &base, &plan),
            "no fewer runner minutes, as each job is rounded up to a whole one"
        );
    }
}
