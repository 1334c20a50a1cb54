//! What `compare` says beyond sums: the builds in which two variants differ, and builds that were measured.
//!
//! Goes in: nothing; these are rows of [`super::model::Comparison`]. Comes out: JSON, and what the formats
//! below render. Durations are seconds. Invariant: what is measured and what is modelled never share a field.

pub mod markdown;
pub mod plot;
pub mod text;

use super::model::{Comparison, Pair, Variant};
use super::number::{count, percent, seconds};
use super::wording;
use serde::Serialize;

/// One build that counts, and what it costs every variant.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct BuildRow {
    /// The commit.
    pub commit: String,
    /// Modelled seconds of work, in the order of the variants.
    pub work_s: Vec<f64>,
}

/// Builds in which two variants differ by the same steps.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct DifferenceRow {
    /// The newest of these builds.
    pub commit: String,
    /// The first line of that commit's message.
    pub summary: String,
    /// Modelled seconds of work of the first variant in that build.
    pub a_s: f64,
    /// Those of the second.
    pub b_s: f64,
    /// How many builds these are.
    pub builds: usize,
    /// Their commits, newest first.
    pub commits: Vec<String>,
    /// The steps that make the difference, what differs most first.
    pub steps: Vec<StepDifference>,
}

/// An instruction that costs two variants differently in a build.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct StepDifference {
    /// The instruction, without its stage and number: these differ between variants.
    pub text: String,
    /// The step's id in the first variant; none where it does not run there.
    pub a_step: Option<String>,
    /// The same in the second.
    pub b_step: Option<String>,
    /// Its modelled seconds in the first variant, 0 where it does not run.
    pub a_s: f64,
    /// Those in the second.
    pub b_s: f64,
    /// Where the seconds come from: `prior`, `learned` or `measured`.
    pub cost_source: &'static str,
    /// Whether it runs in one of them is in doubt; it counts as running.
    pub maybe: bool,
}

/// A mean with its spread.
#[derive(Clone, Copy, Debug, Default, Serialize, schemars::JsonSchema)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub median: f64,
    /// 10th and 90th percentile, between neighbours where they fall between two.
    pub spread: [f64; 2],
}

impl Spread {
    /// Of any number of values; zeros of none.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |q: f64| {
            let place = q * sorted.len().saturating_sub(1) as f64;
            let (low, high) = (place.floor() as usize, place.ceil() as usize);
            match (sorted.get(low), sorted.get(high)) {
                (Some(a), Some(b)) => a + (b - a) * place.fract(),
                _ => 0.0,
            }
        };
        Self {
            // The sum of nothing is -0.
            mean: (values.iter().sum::<f64>() + 0.0) / values.len().max(1) as f64,
            median: at(0.5),
            spread: [at(0.1), at(0.9)],
        }
    }
}

/// Builds of one variant that a real builder made. The oldest met an empty cache and is in no mean.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct MeasuredVariant {
    /// The builder, with its version.
    pub builder: String,
    /// Which steps cannot have met results of other builds: `all steps`, or `RUN steps` where the builder keeps no images that stand
    /// in for base images.
    pub apart: &'static str,
    /// Steps that the model runs and that were found in the cache all the same: results of other builds, or a wrong prediction.
    pub found_cached: usize,
    /// Builds that count.
    pub builds: usize,
    /// Seconds at which the steps that ran were at work, summed up in each build.
    pub work_s: Spread,
    /// Seconds on the clock, from the start of the client to its end.
    pub wall_s: Spread,
    /// Seconds at work of the build with the empty cache.
    pub cold_s: Option<f64>,
    /// Its seconds on the clock.
    pub cold_wall_s: Option<f64>,
    /// Every build that was made, oldest first.
    pub per_build: Vec<MeasuredBuild>,
}

/// One build that was made.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct MeasuredBuild {
    /// The commit.
    pub commit: String,
    /// Seconds at which the steps that ran were at work, summed up.
    pub work_s: f64,
    /// Seconds on the clock.
    pub wall_s: f64,
    /// Why it came to no image; such a build counts nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The steps that ran.
    pub steps: Vec<MeasuredStep>,
}

/// A step that ran.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct MeasuredStep {
    /// As the builder printed it, its number may differ from that in `replay`.
    pub name: String,
    /// Seconds at work.
    pub seconds: f64,
}

/// What the model says of the very builds that were measured: those commits from an empty cache that keeps everything.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct ModelledVariant {
    /// Modelled seconds of work in the builds that count.
    pub work_s: Spread,
    /// Modelled seconds of the build with the empty cache.
    pub cold_s: Option<f64>,
    /// Modelled seconds of every build in `measured.per_build`, in its order.
    pub per_build: Vec<f64>,
}

/// Two variants on the builds that were measured with both.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct MeasuredPair {
    /// Builds that count.
    pub builds: usize,
    /// `1 - b / a` by seconds at work.
    pub saving: f64,
    /// 95 % bootstrap interval of that, over builds; each was made once.
    pub interval: [f64; 2],
    /// `1 - b / a` by seconds on the clock.
    pub wall_saving: f64,
    /// 95 % bootstrap interval of that.
    pub wall_interval: [f64; 2],
}

/// What the model says of the very builds of a [`MeasuredPair`].
#[derive(Clone, Copy, Debug, Serialize, schemars::JsonSchema)]
pub struct ModelledPair {
    /// `1 - b / a` by modelled seconds.
    pub saving: f64,
    /// 95 % bootstrap interval of that.
    pub interval: [f64; 2],
}

/// Whether two variants differ in one thing only, Dockerfile or policy.
fn is_close(c: &Comparison, p: &Pair) -> bool {
    let find = |name: &str| c.variants.iter().find(|v| v.name == name);
    match (find(&p.a), find(&p.b)) {
        (Some(a), Some(b)) => a.file == b.file || a.policy == b.policy,
        _ => true,
    }
}

/// The pairs that are worth a row, and how many are not: those that differ in Dockerfile and policy.
#[must_use]
pub fn worth_showing(c: &Comparison) -> (Vec<&Pair>, usize) {
    let shown: Vec<&Pair> = c.pairs.iter().filter(|p| is_close(c, p)).collect();
    let more = c.pairs.len() - shown.len();
    (shown, more)
}

/// The groups of a pair that are shown: those that make most of the difference, and the first that goes the other way.
#[must_use]
pub fn chosen(p: &Pair, most: usize) -> Vec<&DifferenceRow> {
    let mut out: Vec<&DifferenceRow> = p.differing.iter().take(most).collect();
    let dearer = |d: &DifferenceRow| d.b_s > d.a_s;
    if let (Some(first), true) = (out.first().map(|d| dearer(d)), out.len() == most)
        && out.iter().all(|d| dearer(d) == first)
        && let Some(other) = p.differing.iter().find(|d| dearer(d) != first)
    {
        out.pop();
        out.push(other);
    }
    out
}

/// How many builds of how many variants, and under which policy where it is one.
#[must_use]
pub fn title(c: &Comparison) -> String {
    let policies: std::collections::BTreeSet<&str> =
        c.variants.iter().map(|v| v.policy.as_str()).collect();
    let under = match policies.len() {
        0 | 1 => wording::under(&c.policy),
        n => format!(", {n} cache policies"),
    };
    format!(
        "{} on {}{under}",
        count(c.variants.len(), "variant"),
        count(c.builds, "build")
    )
}

/// Where the modelled seconds come from, over the steps of all variants.
#[must_use]
pub fn source(c: &Comparison) -> String {
    let of = |word: &str| -> usize {
        let counts = c.variants.iter().map(|v| v.cost_sources.get(word));
        counts.map(|n| n.copied().unwrap_or(0)).sum()
    };
    let (measured, learned, prior) = (of("measured"), of("learned"), of("prior"));
    let lead = "Modelled: the steps that would run, with seconds for each.";
    if measured + learned + prior == 0 {
        return lead.to_owned();
    }
    if measured + learned == 0 {
        return format!("{lead} The seconds are priors, measured on other projects: see --costs.");
    }
    let kinds = [
        (measured, "measured"),
        (learned, "learned"),
        (prior, "prior"),
    ];
    let kinds: Vec<String> = kinds
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    let steps = count(measured + learned + prior, "step");
    format!("{lead} The seconds of {steps}: {}.", kinds.join(", "))
}

/// What the averages would be if every step in doubt were cached; nothing where none is.
#[must_use]
pub fn doubt(c: &Comparison) -> Option<String> {
    let least = |v: &Variant| seconds(v.figures.work_s_per_build_min);
    let differs = |v: &&Variant| least(v) != seconds(v.figures.work_s_per_build);
    c.variants.iter().find(differs)?;
    let all: Vec<String> = c.variants.iter().map(least).collect();
    Some(format!(
        "Steps in doubt count as running; if all of them were cached, a build would cost {}, in this order.",
        all.join(" · ")
    ))
}

/// `cheaper in 40 builds, dearer in 2, the same in 457`.
#[must_use]
pub fn tally(p: &Pair) -> String {
    format!(
        "cheaper in {}, dearer in {}, the same in {}",
        count(p.wins, "build"),
        p.losses,
        p.ties
    )
}

/// What one step does to the difference: `15 s instead of 0 s`.
#[must_use]
pub fn step_change(s: &StepDifference) -> String {
    let runs = |step: &Option<String>, s: f64| match step {
        Some(_) => seconds(s),
        None => "not run".to_owned(),
    };
    let doubt = if s.maybe { ", in doubt" } else { "" };
    format!(
        "{} -> {} ({}{doubt})",
        runs(&s.a_step, s.a_s),
        runs(&s.b_step, s.b_s),
        s.cost_source
    )
}

/// `12 s (11 .. 15 s)`: the median, and the percentiles around it.
#[must_use]
pub fn spread(s: &Spread) -> String {
    format!("{} ({})", seconds(s.median), range(s))
}

/// The percentiles of a spread: `11 .. 15 s`.
#[must_use]
pub fn range(s: &Spread) -> String {
    let [low, high] = s.spread.map(seconds);
    let unit = |text: &str| text.rsplit_once(' ').map(|(_, unit)| unit.to_owned());
    let low = match unit(&low) == unit(&high) {
        true => low.rsplit_once(' ').map_or(low.as_str(), |(n, _)| n),
        false => &low,
    };
    format!("{low} .. {high}")
}

/// What was measured, how, and what that leaves open.
#[must_use]
pub fn measured_how(c: &Comparison) -> Option<String> {
    let m = c.variants.iter().find_map(|v| v.measured.as_ref())?;
    let apart = match m.apart {
        "all steps" => "from an empty cache of each variant's own",
        _ => {
            "with RUN steps and cache mounts of each variant's own; COPY and ADD may have been found in the builder's cache"
        }
    };
    Some(format!(
        "Measured with {}: {} of each variant, {apart}; base images were there before. Steps: the seconds at work of those that ran, summed up; clock: from the start of the client to its end. \
         Median (10 .. 90 % of the builds); the oldest build, with the empty cache, is left out of both. Every build was made once, one variant after the other.",
        m.builder,
        count(m.per_build.len(), "commit"),
    ))
}

/// Fewer builds than these say little about other builds.
const FEW: usize = 8;

/// The measured saving of a pair beside the modelled one.
#[must_use]
pub fn measured_change(p: &Pair) -> Option<String> {
    let m = p.measured.as_ref()?;
    let modelled = p.modelled_beside.map_or_else(String::new, |d| {
        format!(
            "; modelled on the same builds: {}",
            wording::change(d.saving, d.interval)
        )
    });
    let few = match m.builds < FEW {
        true => " (few: another run may well leave the intervals)",
        false => "",
    };
    Some(format!(
        "measured on {}{few}: {} by steps, {} by the clock{modelled}",
        count(m.builds, "build"),
        wording::change(m.saving, m.interval),
        wording::change(m.wall_saving, m.wall_interval),
    ))
}

/// What else is to be said of the measured builds of a variant.
#[must_use]
pub fn measured_notes(v: &Variant) -> Vec<String> {
    let Some(m) = &v.measured else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let failed: Vec<&MeasuredBuild> = m.per_build.iter().filter(|b| b.failed.is_some()).collect();
    if let Some(first) = failed.first() {
        out.push(format!(
            "{} came to no image and count{} nowhere; {}: {}",
            count(failed.len(), "build"),
            if failed.len() == 1 { "s" } else { "" },
            wording::short_commit(&first.commit),
            first.failed.as_deref().unwrap_or_default()
        ));
    }
    if m.found_cached > 0 {
        out.push(format!(
            "{} that would have run from an empty cache {} found in the builder's",
            count(m.found_cached, "step"),
            if m.found_cached == 1 { "was" } else { "were" },
        ));
    }
    out
}

/// A share for a table: `58 %`.
#[must_use]
pub fn share(saving: f64) -> String {
    percent(saving)
}

/// Cuts the middle out of a name that is too long: its end says which policy it is.
#[must_use]
pub fn middle(text: &str, width: usize) -> String {
    let whole = super::escape::line(text);
    let n = whole.chars().count();
    if n <= width {
        return whole;
    }
    let head = width / 2;
    let tail = width.saturating_sub(head + 1);
    let start: String = whole.chars().take(head).collect();
    let end: String = whole.chars().skip(n - tail).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_lies_between_neighbours() {
        let s = Spread::of(&[4.0, 1.0, 2.0, 3.0, 5.0]);
        assert_eq!((s.mean, s.median), (3.0, 3.0));
        assert!((s.spread[0] - 1.4).abs() < 1e-12 && (s.spread[1] - 4.6).abs() < 1e-12);
        let one = Spread::of(&[7.0]);
        assert_eq!((one.median, one.spread), (7.0, [7.0, 7.0]));
        let none = Spread::of(&[]);
        assert_eq!(
            (none.mean, none.median, none.spread),
            (0.0, 0.0, [0.0, 0.0])
        );
        assert!(none.mean.is_sign_positive());
    }

    #[test]
    fn a_spread_names_its_unit_once() {
        assert_eq!(spread(&Spread::of(&[1.0, 1.0])), "1 s (1 .. 1 s)");
        let wide = Spread {
            mean: 0.0,
            median: 590.0,
            spread: [580.0, 660.0],
        };
        assert_eq!(spread(&wide), "590 s (580 s .. 11 min)");
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(
            middle("a/very/long/Dockerfile · none", 15),
            "a/very/… · none"
        );
        assert_eq!(middle("short", 15), "short");
    }
}
