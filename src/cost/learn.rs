//! Costs learned from builds.
//!
//! Goes in: logs, in the order in which the builds ran, and maybe a costs file that they are added to. Comes out: rules, one for each step
//! that ran and one for each class of work, with how many runs stand behind each. Sorting aside linear in the runs. Invariant: only
//! steps that ran and ended well count; what is not seen to have run teaches nothing.

use super::log::{Log, MAX_SECONDS, Seen, Title, title};
use super::overhead::{Overhead, Spent};
use crate::footprint::{self, Class, RunState};
use crate::plan::Between;
use std::collections::BTreeMap;

/// Runs that a rule of the file stands for when more are added: newer builds must be able to move it.
const MOST_OLD: u64 = 50;

/// Seconds of one rule: median and 90th percentile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
}

/// What a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matches {
    /// One step, by its keyword and what follows it, flags left out.
    Text {
        /// Upper case.
        keyword: String,
        /// Trimmed.
        text: String,
    },
    /// All steps that do this and nothing else.
    Class(Class),
    /// Work beside the steps.
    Overhead(Overhead),
}

/// A rule of a costs file.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// What it is for.
    pub matches: Matches,
    /// Without what a cache mount may hold; `None` where only bytes are known.
    pub cold: Option<Quantiles>,
    /// With it.
    pub warm: Option<Quantiles>,
    /// Bytes that the layer adds.
    pub bytes: Option<u64>,
    /// Runs that stand behind it; layers, where only bytes are known.
    pub n: u64,
    /// Layers that stand behind the bytes.
    pub bytes_n: u64,
    /// Where the step stood when it was seen last.
    pub between: Option<Between>,
}

/// What a log tells of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Upper case.
    pub keyword: String,
    /// What follows it, flags left out.
    pub text: String,
    /// Seconds it was at work.
    pub seconds: f64,
    /// A cache mount may have held what its tools keep.
    pub mounted: bool,
    /// Where it stands in its stage.
    pub between: Between,
}

/// A layer of an image, and the step that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSize {
    /// Upper case.
    pub keyword: String,
    /// What follows it, flags left out.
    pub text: String,
    /// Bytes that the layer adds.
    pub bytes: u64,
}

/// The steps of a log that ran and ended well, stage by stage in their order. FROM is left out: a pull depends on what the builder has.
#[must_use]
pub fn runs(log: &Log) -> Vec<Run> {
    let mut places: BTreeMap<(&str, u32), &str> = BTreeMap::new();
    for step in &log.steps {
        if let Some(at) = title(&step.name).filter(|t| !t.text.starts_with("LINK ")) {
            places.entry((at.stage, at.number)).or_insert(at.text);
        }
    }
    let run = |at: Title<'_>, seconds: f64| {
        let (keyword, flags, text) = at.instruction()?;
        let keyword = keyword.to_ascii_uppercase();
        let place = |number: Option<u32>| places.get(&(at.stage, number?)).copied();
        matches!(keyword.as_str(), "RUN" | "COPY" | "ADD" | "WORKDIR").then(|| Run {
            mounted: flags.iter().any(|f| f.contains("type=cache")),
            keyword,
            text: text.to_owned(),
            seconds: seconds.min(MAX_SECONDS),
            between: Between::titles(
                place(at.number.checked_sub(1)),
                place(at.number.checked_add(1)),
            ),
        })
    };
    let mut stages: Vec<&str> = Vec::new();
    let mut out = Vec::new();
    for step in log.steps.iter().filter(|s| s.seen == Seen::Ran) {
        let Some((at, run)) = title(&step.name)
            .zip(step.seconds)
            .and_then(|(at, seconds)| Some((at, run(at, seconds)?)))
        else {
            continue;
        };
        let known = stages.iter().position(|s| *s == at.stage);
        let stage = known.unwrap_or_else(|| {
            stages.push(at.stage);
            stages.len() - 1
        });
        out.push(((stage, at.number), run));
    }
    // A builder announces them in any order.
    out.sort_by_key(|(place, _)| *place);
    out.into_iter().map(|(_, run)| run).collect()
}

/// Seconds of runs, cold and warm.
#[derive(Clone, Debug, Default)]
struct Samples {
    cold: Vec<f64>,
    warm: Vec<f64>,
    /// Bytes of layers, those of the file as often as it says, up to [`MOST_OLD`] times.
    bytes: Vec<u64>,
    bytes_n: u64,
    between: Option<Between>,
    /// Runs that stand behind them.
    n: u64,
}

/// Learns from one build after the other.
#[derive(Clone, Debug, Default)]
pub struct Learner {
    /// In order of first mention.
    order: Vec<Matches>,
    samples: BTreeMap<Matches, Samples>,
    /// Every builder began with empty cache mounts.
    pub always_cold: bool,
}

impl Learner {
    /// One that goes on where a costs file has ended.
    #[must_use]
    pub fn after(rules: Vec<Learned>) -> Self {
        let mut out = Self::default();
        for rule in rules {
            let count = rule.n.clamp(1, MOST_OLD);
            let layers = rule.bytes_n.clamp(1, MOST_OLD);
            let bytes = rule.bytes.into_iter();
            let samples = Samples {
                cold: rule.cold.map(|c| spread(c, count)).unwrap_or_default(),
                warm: rule.warm.map(|w| spread(w, count)).unwrap_or_default(),
                bytes: bytes.flat_map(|b| (0..layers).map(move |_| b)).collect(),
                bytes_n: rule.bytes.map_or(0, |_| rule.bytes_n.max(1)),
                between: rule.between,
                n: rule.cold.map_or(0, |_| rule.n.max(1)),
            };
            out.order.push(rule.matches.clone());
            out.samples.insert(rule.matches, samples);
        }
        out
    }

    /// Takes the runs of one build. The first run of a step with a cache mount counts as cold, those behind it as warm: its builder lives on.
    pub fn add(&mut self, runs: &[Run]) {
        for run in runs {
            let matches = Matches::Text {
                keyword: run.keyword.clone(),
                text: run.text.clone(),
            };
            let always_cold = self.always_cold;
            let own = self.entry(matches);
            let warm = run.mounted && own.n > 0 && !always_cold;
            own.n = own.n.saturating_add(1);
            own.between = Some(run.between.clone());
            match warm {
                true => own.warm.push(run.seconds),
                false => own.cold.push(run.seconds),
            }
            let Some(class) = class_of(&run.keyword, &run.text) else {
                continue;
            };
            // A rule for a class has figures without mounts alone: what a mount leaves depends on the step.
            if !warm {
                let all = self.entry(Matches::Class(class));
                all.n = all.n.saturating_add(1);
                all.cold.push(run.seconds);
            }
        }
    }

    /// Takes what one build spent beside its steps.
    pub fn add_overheads(&mut self, spent: &[Spent]) {
        for one in spent {
            let samples = self.entry(Matches::Overhead(one.kind));
            samples.n = samples.n.saturating_add(1);
            samples.cold.push(one.seconds.min(MAX_SECONDS));
            if let Some(bytes) = one.bytes {
                samples.bytes.push(bytes);
                samples.bytes_n = samples.bytes_n.saturating_add(1);
            }
        }
    }

    /// Takes the layers of one image.
    pub fn add_layers(&mut self, layers: &[LayerSize]) {
        // What a WORKDIR adds is known.
        for layer in layers.iter().filter(|l| l.keyword != "WORKDIR") {
            let matches = Matches::Text {
                keyword: layer.keyword.clone(),
                text: layer.text.clone(),
            };
            // What COPY brings is different in every image: the files tell.
            let class = class_of(&layer.keyword, &layer.text);
            let class = class.filter(|c| !matches!(c, Class::Copy | Class::Workdir));
            for matches in std::iter::once(matches).chain(class.map(Matches::Class)) {
                let samples = self.entry(matches);
                samples.bytes.push(layer.bytes);
                samples.bytes_n = samples.bytes_n.saturating_add(1);
            }
        }
    }

    fn entry(&mut self, matches: Matches) -> &mut Samples {
        if !self.samples.contains_key(&matches) {
            self.order.push(matches.clone());
        }
        self.samples.entry(matches).or_default()
    }

    /// The rules: those for steps in order of first mention, then those for classes and for work beside the steps.
    #[must_use]
    pub fn rules(&self) -> Vec<Learned> {
        let of = |m: &Matches| {
            let samples = self.samples.get(m)?;
            let (cold, bytes) = (quantiles(&samples.cold), median(&samples.bytes));
            (cold.is_some() || bytes.is_some()).then(|| Learned {
                matches: m.clone(),
                cold,
                warm: quantiles(&samples.warm),
                bytes,
                between: samples.between.clone(),
                n: match cold {
                    Some(_) => samples.n,
                    None => samples.bytes_n,
                },
                bytes_n: samples.bytes_n,
            })
        };
        let is_text = |m: &&Matches| matches!(m, Matches::Text { .. });
        let texts = self.order.iter().filter(is_text);
        let mut others: Vec<&Matches> = self.order.iter().filter(|m| !is_text(m)).collect();
        others.sort();
        texts.chain(others).filter_map(of).collect()
    }
}

/// The class of a step that does work of one class alone.
fn class_of(keyword: &str, text: &str) -> Option<Class> {
    match keyword {
        "COPY" | "ADD" => return Some(Class::Copy),
        "WORKDIR" => return Some(Class::Workdir),
        _ => {}
    }
    // A title shows no more of a heredoc than its first line, and may be cut off.
    if text.starts_with("<<") || text.ends_with("...") {
        return None;
    }
    match footprint::of_script(text, &RunState::default()).classes[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// The middle one, the lower of two.
fn median(samples: &[u64]) -> Option<u64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len().checked_sub(1)? / 2;
    sorted.get(middle).copied()
}

/// Median and 90th percentile, the figures between two runs in proportion.
fn quantiles(samples: &[f64]) -> Option<Quantiles> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = |q: f64| {
        let place = q * last as f64;
        let below = place.floor() as usize;
        let above = (below + 1).min(last);
        let part = place - below as f64;
        // Exact where both are the same.
        match sorted[below] == sorted[above] {
            true => sorted[below],
            false => sorted[below] + (sorted[above] - sorted[below]) * part,
        }
    };
    Some(Quantiles {
        p50: at(0.5),
        p90: at(0.9),
    })
}

/// So many runs that have these quantiles: the file keeps no others.
fn spread(quantiles: Quantiles, count: u64) -> Vec<f64> {
    let Quantiles { p50, p90 } = quantiles;
    let low = match p90 > 0.0 {
        true => p50 * (p50 / p90),
        false => 0.0,
    };
    let last = count.saturating_sub(1).max(1) as f64;
    let at = |i: u64| {
        let q = match count {
            1 => 0.5,
            _ => i as f64 / last,
        };
        match q {
            q if q <= 0.5 => low + (p50 - low) * (q / 0.5),
            q if q <= 0.9 => p50 + (p90 - p50) * ((q - 0.5) / 0.4),
            _ => p90,
        }
    };
    (0..count).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::log;

    fn run(text: &str, seconds: f64, mounted: bool) -> Run {
        Run {
            keyword: "RUN".to_owned(),
            text: text.to_owned(),
            seconds,
            mounted,
            between: Between::default(),
        }
    }

    fn shown(learner: &Learner) -> Vec<String> {
        let one = |r: &Learned| {
            let name = match &r.matches {
                Matches::Text { keyword, text } => format!("{keyword} {text}"),
                Matches::Class(class) => class.to_string(),
                Matches::Overhead(kind) => kind.to_string(),
            };
            let warm = r
                .warm
                .map_or(String::new(), |w| format!(" warm {:.1}", w.p50));
            let cold = r
                .cold
                .map_or(String::new(), |c| format!(" {:.1}-{:.1}", c.p50, c.p90));
            let bytes = r
                .bytes
                .map_or(String::new(), |b| format!(" {b} B of {}", r.bytes_n));
            format!("{name}:{cold}{warm} n {}{bytes}", r.n)
        };
        learner.rules().iter().map(one).collect()
    }

    #[test]
    fn what_ran_teaches_and_the_rest_does_not() {
        let text = "#1 [internal] load build definition from Dockerfile\n#1 DONE 0.1s\n#2 [a 1/5] FROM docker.io/x\n#2 DONE 9.0s\n\
                    #3 [a 2/5] WORKDIR /app\n#3 DONE 0.1s\n#4 [a 3/5] COPY --link --chown=1:2 . .\n#4 CACHED\n\
                    #5 [a 4/5] RUN --mount=type=cache,target=/c --network=none npm ci\n#5 DONE 12.5s\n#6 [a 5/5] RUN make\n#6 ERROR: no\n\
                    #7 [b 1/2] ONBUILD RUN x\n#7 DONE 1.0s\n#8 exporting to image\n#8 DONE 3.0s\n";
        let log = log::read(text).unwrap();
        let found: Vec<String> = runs(&log)
            .iter()
            .map(|r| format!("{} {} {} {}", r.keyword, r.text, r.seconds, r.mounted))
            .collect();
        assert_eq!(
            found,
            [
                "WORKDIR /app 0.1 false",
                "RUN npm ci 12.5 true",
                "RUN x 1 false"
            ]
        );
    }

    #[test]
    fn steps_know_their_neighbours() {
        let text = "#2 [a 1/4] FROM docker.io/x@sha256:1\n#2 CACHED\n#3 [a 2/4] COPY --link package.json ./\n#3 CACHED\n\
                    #4 [a 3/4] RUN --network=none npm ci\n#4 DONE 1.0s\n#5 [a 4/4] COPY . .\n#5 DONE 0.1s\n#6 [b 1/1] RUN x\n#6 DONE 0.1s\n";
        let shown: Vec<String> = runs(&log::read(text).unwrap())
            .iter()
            .map(|r| format!("{} | {} | {}", r.between.above, r.text, r.between.below))
            .collect();
        assert_eq!(
            shown,
            [
                "COPY package.json ./ | npm ci | COPY . .",
                "RUN npm ci | . . | ",
                " | x | "
            ]
        );
    }

    #[test]
    fn work_beside_the_steps_is_a_rule_of_its_own() {
        let text = |s: &str| {
            format!(
                "#4 [internal] load build context\n#4 transferring context: 2MB 0.2s done\n#4 DONE {s}s\n"
            )
        };
        let mut learner = Learner::default();
        for s in ["1.0", "3.0"] {
            learner.add_overheads(&super::super::overhead::spent(
                &log::read(&text(s)).unwrap(),
            ));
        }
        assert_eq!(shown(&learner), ["transfer: 2.0-2.8 n 2 2000000 B of 2"]);
    }

    #[test]
    fn quantiles_lie_between_runs() {
        let mut learner = Learner::default();
        for seconds in [10.0, 30.0, 20.0] {
            learner.add(&[
                run("npm ci", seconds, false),
                run("npm ci && npm run build", 1.0, false),
            ]);
        }
        assert_eq!(
            shown(&learner),
            [
                "RUN npm ci: 20.0-28.0 n 3",
                "RUN npm ci && npm run build: 1.0-1.0 n 3",
                "install: 20.0-28.0 n 3"
            ]
        );
    }

    #[test]
    fn a_mount_is_empty_once() {
        let mut learner = Learner::default();
        for seconds in [30.0, 10.0, 12.0] {
            learner.add(&[run("npm ci", seconds, true)]);
        }
        assert_eq!(
            shown(&learner),
            [
                "RUN npm ci: 30.0-30.0 warm 11.0 n 3",
                "install: 30.0-30.0 n 1"
            ]
        );
        let mut cold = Learner {
            always_cold: true,
            ..Learner::default()
        };
        cold.add(&[run("npm ci", 30.0, true)]);
        cold.add(&[run("npm ci", 34.0, true)]);
        assert_eq!(
            shown(&cold),
            ["RUN npm ci: 32.0-33.6 n 2", "install: 32.0-33.6 n 2"]
        );
    }

    #[test]
    fn a_file_is_gone_on_with() {
        for n in [1, 2, 3, 5, 11, 400] {
            let rule = Learned {
                matches: Matches::Class(Class::Build),
                cold: Some(Quantiles {
                    p50: 20.0,
                    p90: 30.0,
                }),
                warm: Some(Quantiles { p50: 8.0, p90: 8.0 }),
                bytes: Some(7),
                n,
                between: None,
                bytes_n: 2,
            };
            let again = Learner::after(vec![rule.clone()]).rules();
            assert_eq!(again[0].n, n);
            let cold = again[0].cold.expect("seconds");
            assert!((cold.p50 - 20.0).abs() < 4.0, "{n}: {again:?}");
            assert_eq!(again[0].bytes, Some(7));
            let mut more = Learner::after(vec![rule]);
            for _ in 0..200 {
                more.add(&[run("make", 100.0, false)]);
            }
            let found = more
                .rules()
                .into_iter()
                .find(|r| r.matches == Matches::Class(Class::Build));
            let cold = found.and_then(|r| r.cold).expect("seconds");
            assert!((cold.p50 - 100.0).abs() < 1e-9, "{n}");
        }
    }

    #[test]
    fn no_count_is_too_large_to_go_on_with() {
        let rule = Learned {
            matches: Matches::Text {
                keyword: "RUN".to_owned(),
                text: "make".to_owned(),
            },
            cold: Some(Quantiles { p50: 1.0, p90: 1.0 }),
            warm: None,
            bytes: Some(7),
            n: u64::MAX,
            bytes_n: u64::MAX,
            between: None,
        };
        let mut learner = Learner::after(vec![rule]);
        learner.add(&[run("make", 1.0, false)]);
        learner.add_layers(&[LayerSize {
            keyword: "RUN".to_owned(),
            text: "make".to_owned(),
            bytes: 7,
        }]);
        let found = &learner.rules()[0];
        assert_eq!((found.n, found.bytes_n), (u64::MAX, u64::MAX));
    }

    #[test]
    fn layers_teach_bytes_and_leave_seconds_alone() {
        let layer = |keyword: &str, text: &str, bytes| LayerSize {
            keyword: keyword.to_owned(),
            text: text.to_owned(),
            bytes,
        };
        let mut learner = Learner::default();
        learner.add(&[run("npm ci", 30.0, false)]);
        for bytes in [300, 100, 200] {
            learner.add_layers(&[
                layer("RUN", "npm ci", bytes),
                layer("RUN", "npm ci && make", 1),
                layer("COPY", "/a /b", 5),
            ]);
        }
        let expected = [
            "RUN npm ci: 30.0-30.0 n 1 200 B of 3",
            "RUN npm ci && make: n 3 1 B of 3",
            "COPY /a /b: n 3 5 B of 3",
            "install: 30.0-30.0 n 1 200 B of 3",
        ];
        assert_eq!(shown(&learner), expected);
        // And go on from a file.
        let mut again = Learner::after(learner.rules());
        assert_eq!(shown(&again), expected);
        again.add_layers(&[layer("COPY", "/a /b", 7)]);
        (0..4).for_each(|_| again.add_layers(&[layer("COPY", "/a /b", 9)]));
        assert_eq!(shown(&again)[2], "COPY /a /b: n 8 7 B of 8");
    }
}
