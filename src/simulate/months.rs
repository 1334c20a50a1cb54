//! The builds of a history by calendar month.
//!
//! Goes in: when builds were made. Comes out: those of each month (UTC) in order of time, and how many a month there are. Linear in the builds.
//! Invariant: a build is in one month, or in none where its time is no date.

use std::collections::BTreeMap;

/// A month and the builds made in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Month {
    /// Year.
    pub year: i16,
    /// 1 to 12.
    pub month: i8,
    /// Indices of the builds, in the order given.
    pub builds: Vec<usize>,
}

impl std::fmt::Display for Month {
    /// `2026-03`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// How many builds a month has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Mean.
    pub mean: f64,
    /// A quiet month: the 10th percentile.
    pub low: f64,
    /// A busy one: the 90th.
    pub high: f64,
    /// Whole months looked at; 0 where the history holds none, and the mean is that of its days.
    pub months: usize,
}

/// Days of a month, on average.
const DAYS: f64 = 30.436_875;
const DAY_S: f64 = 86400.0;

/// The date of a time in seconds since 1970, UTC.
fn date_of(seconds: i64) -> Option<jiff::civil::Date> {
    let at = jiff::Timestamp::from_second(seconds).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).date())
}

fn month_of(seconds: i64) -> Option<(i16, i8)> {
    date_of(seconds).map(|d| (d.year(), d.month()))
}

/// The day of a time in seconds since 1970, `2026-03-02` (UTC); `None` where it is no date.
#[must_use]
pub fn day(seconds: i64) -> Option<String> {
    date_of(seconds).map(|d| d.to_string())
}

/// The months that have builds; `seconds` is when each build of the history was made, `builds` which of them count.
#[must_use]
pub fn months(seconds: &[i64], builds: impl Iterator<Item = usize>) -> Vec<Month> {
    let mut by: BTreeMap<(i16, i8), Vec<usize>> = BTreeMap::new();
    for build in builds {
        if let Some(at) = seconds.get(build).and_then(|s| month_of(*s)) {
            by.entry(at).or_default().push(build);
        }
    }
    let month = |((year, month), builds)| Month {
        year,
        month,
        builds,
    };
    by.into_iter().map(month).collect()
}

/// Builds a month: over whole months where there are two or more of them, else by the days between the first build and the last. `None`
/// where that is less than a week.
#[must_use]
pub fn pace(seconds: &[i64], builds: impl Iterator<Item = usize>) -> Option<Pace> {
    let builds: Vec<usize> = builds.collect();
    let months = months(seconds, builds.iter().copied());
    let number = |m: &Month| i32::from(m.year) * 12 + i32::from(m.month);
    let (first, last) = (number(months.first()?), number(months.last()?));
    // The first month and the last are not whole.
    let whole = usize::try_from(last - first - 1).unwrap_or(0);
    if whole >= 2 {
        let inner = &months[1..months.len() - 1];
        let mut counts: Vec<usize> = inner.iter().map(|m| m.builds.len()).collect();
        counts.sort_unstable();
        // Months without a build are not in the list.
        let none = whole - counts.len();
        let at = |q: f64| {
            let place = (q * (whole - 1) as f64).round() as usize;
            place.checked_sub(none).map_or(0, |p| counts[p]) as f64
        };
        let sum: usize = counts.iter().sum();
        // All builds in the two that are not whole: their days tell more.
        if sum == 0 {
            return by_days(seconds, &builds);
        }
        let mean = sum as f64 / whole as f64;
        // A few months with nearly all of the builds lift the mean above the percentile.
        return Some(Pace {
            mean,
            low: at(0.1).min(mean),
            high: at(0.9).max(mean),
            months: whole,
        });
    }
    by_days(seconds, &builds)
}

fn by_days(seconds: &[i64], builds: &[usize]) -> Option<Pace> {
    let times = || builds.iter().filter_map(|b| seconds.get(*b));
    let span = times().max()?.checked_sub(*times().min()?)? as f64 / DAY_S;
    let mean = builds.len() as f64 / span * DAYS;
    (span >= 7.0).then_some(Pace {
        mean,
        low: mean,
        high: mean,
        months: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 January 2026.
    const START: i64 = 1_767_225_600;

    fn at(n: i64) -> i64 {
        START + n * 86400
    }

    #[test]
    fn builds_stand_in_their_months() {
        let times = [at(0), at(31) - 1, at(31), at(400), i64::MAX];
        let found = months(&times, 0..9);
        let shown: Vec<String> = found
            .iter()
            .map(|m| format!("{m} {:?}", m.builds))
            .collect();
        assert_eq!(shown, ["2026-01 [0, 1]", "2026-02 [2]", "2027-02 [3]"]);
        assert_eq!(months(&[-1], 0..1)[0].to_string(), "1969-12");
        assert_eq!(day(START).as_deref(), Some("2026-01-01"));
        assert_eq!(day(i64::MAX), None);
    }

    #[test]
    fn only_whole_months_are_counted() {
        // January to April: 1, 2, 4, 1 builds.
        let times = [
            at(20),
            at(32),
            at(33),
            at(60),
            at(61),
            at(62),
            at(63),
            at(90),
        ];
        let found = pace(&times, 0..times.len()).unwrap();
        assert_eq!(
            found,
            Pace {
                mean: 3.0,
                low: 2.0,
                high: 4.0,
                months: 2
            }
        );
        // A year in which nothing happened between two builds.
        let found = pace(&[at(0), at(380)], 0..2).unwrap();
        assert!((found.mean - 2.0 / 380.0 * DAYS).abs() < 1e-9 && found.months == 0);
        // Twelve days, 7 builds.
        let times: Vec<i64> = (0..7).map(|n| at(2 * n)).collect();
        let found = pace(&times, 0..7).unwrap();
        assert!((found.mean - 7.0 / 12.0 * DAYS).abs() < 1e-9 && found.months == 0);
        assert_eq!(pace(&times[..3], 0..3), None);
        assert_eq!(pace(&[], 0..0), None);
        assert_eq!(pace(&[i64::MIN, i64::MAX], 0..2), None);
    }
}
