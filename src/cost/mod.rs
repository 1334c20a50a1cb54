//! Seconds and bytes per step: a prior for every class of work, or what a costs file says.
//!
//! Goes in: a step's keyword, text and classes, and maybe a `cacheplan.costs/1` file. Comes out: a
//! [`StepCost`]. Costs one look-up per step. Invariant: every number is finite and not negative, and
//! `seconds_low <= seconds <= seconds_high`.

mod file;
pub mod learn;
pub mod log;

use std::collections::BTreeMap;

use crate::footprint::{self, Class, RunState};
use crate::plan::Step;

pub use file::{CostError, write};

/// Where a step's cost comes from, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CostSource {
    /// Our own table: what such steps cost in other projects, not a measurement of this one.
    Prior,
    /// A rule of the costs file for the step's class.
    Learned,
    /// A rule of the costs file for this very step.
    Measured,
}

impl CostSource {
    /// The word in every report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prior => "prior",
            Self::Learned => "learned",
            Self::Measured => "measured",
        }
    }
}

/// What running a step once costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepCost {
    /// Median seconds without a warm cache mount.
    pub seconds: f64,
    /// Low end of the likely range, seconds.
    pub seconds_low: f64,
    /// High end of the likely range, seconds.
    pub seconds_high: f64,
    /// Bytes the layer adds, if there is an estimate.
    pub bytes: Option<u64>,
    /// Where the seconds come from.
    pub source: CostSource,
}

/// What running a step costs where cache mounts hold what its tools keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmCost {
    /// Median seconds.
    pub seconds: f64,
    /// A figure of our own table is in it, not one of this step.
    pub assumed: bool,
}

/// One row of the table of priors.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    /// The class.
    pub class: Class,
    /// Median seconds.
    pub seconds: f64,
    /// Low end, seconds.
    pub low: f64,
    /// High end, seconds.
    pub high: f64,
    /// Median seconds where a cache mount holds what its tools keep; `None` for work that keeps nothing.
    pub warm: Option<f64>,
    /// Bytes the layer adds; `None` where the files themselves tell.
    pub bytes: Option<u64>,
    /// Why these figures.
    pub reason: &'static str,
}

const MB: u64 = 1_000_000;

/// The priors: medians of real projects that were built for them, as `docs/costs.md` says, to rank plans with until a
/// costs file replaces them. They are not measurements of the steps at hand. That page states the same rows.
pub const PRIORS: [Prior; 7] = [
    Prior {
        class: Class::SystemPackages,
        seconds: 9.4,
        low: 3.6,
        high: 17.0,
        warm: None,
        bytes: Some(187 * MB),
        reason: "package lists and downloads, then unpacking, which is mostly disk; long lists of libraries make the high end",
    },
    Prior {
        class: Class::Install,
        seconds: 12.0,
        low: 2.2,
        high: 31.0,
        warm: Some(6.0),
        bytes: Some(515 * MB),
        reason: "downloading and unpacking tens to hundreds of packages; native modules that are compiled on the spot make the high end",
    },
    Prior {
        class: Class::Build,
        seconds: 22.0,
        low: 8.3,
        high: 160.0,
        warm: Some(18.0),
        bytes: Some(14 * MB),
        reason: "from one small bundle to a cold compile of all dependencies: the widest range of all",
    },
    Prior {
        class: Class::LightBuild,
        seconds: 0.41,
        low: 0.32,
        high: 1.0,
        warm: None,
        bytes: Some(MB),
        reason: "one process that starts an interpreter and writes generated files",
    },
    Prior {
        class: Class::Copy,
        seconds: 0.041,
        low: 0.018,
        high: 0.27,
        warm: None,
        bytes: None,
        reason: "copying and committing the layer; it grows with the files, whose sizes the context tells",
    },
    Prior {
        class: Class::Workdir,
        seconds: 0.027,
        low: 0.0094,
        high: 0.052,
        warm: None,
        bytes: Some(0),
        reason: "one directory, one layer to commit",
    },
    Prior {
        class: Class::Other,
        seconds: 0.28,
        low: 0.086,
        high: 3.4,
        warm: None,
        bytes: Some(18 * MB),
        reason: "starting the container and some file work; a `chown` or `chmod` of a large tree makes the high end",
    },
];

/// Costs of all steps: rules for single steps and for classes over the priors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CostTable {
    by_text: BTreeMap<(String, String), Rule>,
    by_class: BTreeMap<Class, Rule>,
    /// Rules for RUNs as they may have been written in other versions of the file.
    likely: Vec<Likely>,
}

/// A RUN that a rule is for, to be held against others.
#[derive(Clone, Debug, PartialEq)]
struct Likely {
    words: Vec<String>,
    commands: usize,
    classes: Vec<Class>,
    rule: Rule,
}

/// How much of the words of two RUNs has to be the same for one to be a version of the other.
const LIKELY: f64 = 0.8;

impl Likely {
    fn of(text: &str, classes: &[Class], rule: Rule) -> Self {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.sort();
        Self {
            commands: text.split("&&").count(),
            classes: classes.to_vec(),
            words,
            rule,
        }
    }

    /// Share of the words of both that both have.
    fn likeness(&self, other: &Self) -> f64 {
        let (mut a, mut b, mut same) = (
            self.words.iter().peekable(),
            other.words.iter().peekable(),
            0,
        );
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            match x.cmp(y) {
                std::cmp::Ordering::Less => drop(a.next()),
                std::cmp::Ordering::Greater => drop(b.next()),
                std::cmp::Ordering::Equal => {
                    same += 1;
                    a.next();
                    b.next();
                }
            }
        }
        2.0 * f64::from(same) / (self.words.len() + other.words.len()).max(1) as f64
    }
}

/// The rules of a `cacheplan.costs/1` document, in their order.
///
/// # Errors
/// As [`CostTable::from_json`].
pub fn rules(text: &str) -> Result<Vec<learn::Learned>, CostError> {
    file::read(text)
}

/// Figures of one rule of a costs file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rule {
    p50: f64,
    p90: f64,
    /// Median with warm cache mounts.
    warm: Option<f64>,
    bytes: Option<u64>,
}

impl Rule {
    fn cost(self, source: CostSource) -> StepCost {
        StepCost {
            seconds: self.p50,
            // As far below the median as the 90th percentile is above it, in proportion.
            seconds_low: if self.p90 > 0.0 {
                (self.p50 * (self.p50 / self.p90)).min(self.p50)
            } else {
                0.0
            },
            seconds_high: self.p90,
            bytes: self.bytes,
            source,
        }
    }
}

impl CostTable {
    /// The table without a costs file.
    #[must_use]
    pub fn priors() -> Self {
        Self::default()
    }

    /// Reads a `cacheplan.costs/1` document. Classes it does not name keep their priors.
    ///
    /// # Errors
    /// One error, with line and column where there is one: not JSON, another schema, an unknown field
    /// or class, a number that is negative or not finite, a p90 below its p50, or two rules for one
    /// match.
    pub fn from_json(text: &str) -> Result<Self, CostError> {
        file::read(text).map(Self::of_rules)
    }

    fn of_rules(rules: Vec<learn::Learned>) -> Self {
        let mut table = Self::default();
        for learned in rules {
            let rule = Rule {
                p50: learned.cold.p50,
                p90: learned.cold.p90,
                warm: learned.warm.map(|w| w.p50),
                bytes: learned.bytes,
            };
            match learned.matches {
                learn::Matches::Class(class) => {
                    table.by_class.insert(class, rule);
                }
                learn::Matches::Text { keyword, text } => {
                    if keyword == "RUN" {
                        let classes = footprint::of_script(&text, &RunState::default()).classes;
                        table.likely.push(Likely::of(&text, &classes, rule));
                    }
                    table.by_text.insert((keyword, text), rule);
                }
            }
        }
        table
    }

    /// The cost of a step of a plan: by its text as it is written, or as the builder prints it, with variables expanded; else as
    /// [`Self::step`] has it.
    #[must_use]
    pub fn of(&self, step: &Step) -> StepCost {
        let keyword = step.kind.keyword();
        let printed = printed(step);
        let by_title = printed.filter(|t| self.by_text.contains_key(&key(keyword, t)));
        self.step(keyword, by_title.unwrap_or(&step.text), &step.classes)
    }

    /// What the rules say of a step that none of them is for: those for its commands together, or for one that is written much
    /// like it and does the same kinds of work.
    fn by_likeness(&self, keyword: &str, text: &str, classes: &[Class]) -> Option<Rule> {
        if keyword != "RUN" || self.likely.is_empty() {
            return None;
        }
        let parts: Vec<&str> = text.split("&&").map(str::trim).collect();
        if parts.len() > 1 {
            let rule = |part: &&str| self.by_text.get(&key(keyword, part)).copied();
            let rules: Option<Vec<Rule>> = parts.iter().map(rule).collect();
            if let Some(rules) = rules {
                return rules.into_iter().reduce(|a, b| Rule {
                    p50: a.p50 + b.p50,
                    p90: a.p90 + b.p90,
                    warm: a.warm.zip(b.warm).map(|(a, b)| a + b),
                    bytes: a.bytes.zip(b.bytes).map(|(a, b)| a.saturating_add(b)),
                });
            }
        }
        let own = Likely::of(text, classes, Rule::default());
        let alike =
            |other: &&Likely| other.commands == own.commands && other.classes == own.classes;
        let likeness = |other: &Likely| (other.likeness(&own), other.rule);
        let all = self.likely.iter().filter(alike).map(likeness);
        // The first of those that are equally like it.
        let best = all.fold(None, |best: Option<(f64, Rule)>, one| match best {
            Some((much, _)) if much >= one.0 => best,
            _ => Some(one),
        });
        best.filter(|(much, _)| *much >= LIKELY)
            .map(|(_, rule)| rule)
    }

    /// The cost of a step. `text` is what follows the keyword, flags left out; blanks around it do not
    /// count, nor does the keyword's case. A rule for the text wins; else the costs of the distinct
    /// `classes` are summed. Without classes the keyword decides; FROM costs nothing.
    #[must_use]
    pub fn step(&self, keyword: &str, text: &str, classes: &[Class]) -> StepCost {
        let key = key(keyword, text);
        let classes = distinct(&key.0, classes);
        let mut costs = classes.iter().map(|c| self.class(*c));
        let nothing = StepCost {
            seconds: 0.0,
            seconds_low: 0.0,
            seconds_high: 0.0,
            bytes: Some(0),
            source: CostSource::Prior,
        };
        let first = costs.next().unwrap_or(nothing);
        let sum = costs.fold(first, |sum, c| StepCost {
            seconds: sum.seconds + c.seconds,
            seconds_low: sum.seconds_low + c.seconds_low,
            seconds_high: sum.seconds_high + c.seconds_high,
            bytes: sum.bytes.zip(c.bytes).map(|(a, b)| a.saturating_add(b)),
            source: sum.source.min(c.source),
        });
        match self.by_text.get(&key) {
            Some(rule) => {
                let bytes = rule.bytes.or(sum.bytes);
                Rule { bytes, ..*rule }.cost(CostSource::Measured)
            }
            None => match self.by_likeness(&key.0, &key.1, &classes) {
                Some(rule) => {
                    let bytes = rule.bytes.or(sum.bytes);
                    Rule { bytes, ..rule }.cost(CostSource::Learned)
                }
                None => sum,
            },
        }
    }

    /// The cost of a step with cache mounts that an earlier build has filled; `filled` are the classes whose caches they
    /// hold. A rule for the text knows by itself; `None` where nobody says that it is any less.
    #[must_use]
    pub fn warm(&self, step: &Step, filled: &[Class]) -> Option<WarmCost> {
        let (keyword, classes) = (step.kind.keyword(), &step.classes);
        let titled = printed(step).and_then(|t| self.by_text.get(&key(keyword, t)));
        let rule = self
            .by_text
            .get(&key(keyword, &step.text))
            .or(titled)
            .copied();
        if let Some(rule) =
            rule.or_else(|| self.by_likeness(keyword, &step.text, &distinct(keyword, classes)))
        {
            return rule.warm.map(|seconds| WarmCost {
                seconds,
                assumed: false,
            });
        }
        let mut less = false;
        let mut sum = WarmCost {
            seconds: 0.0,
            assumed: false,
        };
        for class in distinct(keyword, classes) {
            let warm = match self.by_class.get(&class) {
                Some(rule) => rule.warm.map(|w| (w, false)),
                None => {
                    let prior = PRIORS.iter().find(|p| p.class == class);
                    prior.and_then(|p| p.warm).map(|w| (w, true))
                }
            };
            match warm.filter(|_| filled.contains(&class)) {
                Some((seconds, assumed)) => {
                    less = true;
                    sum.seconds += seconds;
                    sum.assumed |= assumed;
                }
                None => sum.seconds += self.class(class).seconds,
            }
        }
        less.then_some(sum)
    }

    /// The cost of one class.
    fn class(&self, class: Class) -> StepCost {
        let prior = PRIORS.iter().find(|p| p.class == class);
        let bytes = prior.and_then(|p| p.bytes);
        if let Some(rule) = self.by_class.get(&class) {
            let bytes = rule.bytes.or(bytes);
            return Rule { bytes, ..*rule }.cost(CostSource::Learned);
        }
        StepCost {
            seconds: prior.map_or(0.0, |p| p.seconds),
            seconds_low: prior.map_or(0.0, |p| p.low),
            seconds_high: prior.map_or(0.0, |p| p.high),
            bytes,
            source: CostSource::Prior,
        }
    }
}

fn key(keyword: &str, text: &str) -> (String, String) {
    (keyword.to_ascii_uppercase(), text.trim().to_owned())
}

/// What a builder prints behind the keyword of a step, flags left out.
fn printed(step: &Step) -> Option<&str> {
    let (_, _, text) = log::title(&step.name)?.instruction()?;
    Some(text)
}

/// The classes of a step, each once; without any the keyword decides.
fn distinct(keyword: &str, classes: &[Class]) -> Vec<Class> {
    let mut classes: Vec<Class> = match keyword {
        _ if !classes.is_empty() => classes.to_vec(),
        "FROM" => Vec::new(),
        "COPY" | "ADD" => vec![Class::Copy],
        "WORKDIR" => vec![Class::Workdir],
        _ => vec![Class::Other],
    };
    classes.sort();
    classes.dedup();
    classes
}

#[cfg(test)]
mod tests;
