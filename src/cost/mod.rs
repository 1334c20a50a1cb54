//! Seconds and bytes per step: a prior for every class of work, or what a costs file says.
//!
//! Goes in: a step's keyword, text and classes, and maybe a `cacheplan.costs/1` file. Comes out: a
//! [`StepCost`]. Costs one look-up per step. Invariant: every number is finite and not negative, and
//! `seconds_low <= seconds <= seconds_high`.

mod file;
pub mod learn;
mod likely;
pub mod log;
pub mod overhead;
pub mod price;
pub mod sizes;

use std::collections::BTreeMap;

use crate::footprint::Class;
use crate::image::Disk;
use crate::plan::{Between, Step};
use overhead::Overhead;

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
    /// Where the bytes come from.
    pub bytes_source: CostSource,
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
    /// Median seconds where a cache mount holds what its tools keep; `None` for work that keeps nothing, or gained nothing by it.
    pub warm: Option<f64>,
    /// Bytes the layer adds; `None` where the files themselves tell.
    pub bytes: Option<u64>,
    /// Why these figures.
    pub reason: &'static str,
}

const MB: u64 = 1_000_000;

/// Tools that keep what they compiled, so that a build with filled mounts compiles what changed and no more: cargo's `target`, go's build cache.
const KEEP_OBJECTS: [&str; 2] = ["cargo", "go"];
/// What is left of such a build then; builds of other tools took as long with filled mounts as without. The median of measured projects, as `docs/costs.md`
/// says.
const OBJECTS_WARM: f64 = 0.016;

/// The priors: medians of real projects that were built for them, as `docs/costs.md` says, to rank plans with until a
/// costs file replaces them. They are not measurements of the steps at hand. That page states the same rows.
pub const PRIORS: [Prior; 7] = [
    Prior {
        class: Class::SystemPackages,
        seconds: 11.0,
        low: 4.3,
        high: 18.0,
        warm: None,
        bytes: Some(250 * MB),
        reason: "package lists and downloads, then unpacking, which is mostly disk; long lists of libraries make the high end",
    },
    Prior {
        class: Class::Install,
        seconds: 15.0,
        low: 2.2,
        high: 37.0,
        warm: Some(8.0),
        bytes: Some(593 * MB),
        reason: "downloading and unpacking tens to hundreds of packages; native modules that are compiled on the spot make the high end",
    },
    Prior {
        class: Class::Build,
        seconds: 25.0,
        low: 6.0,
        high: 150.0,
        warm: None,
        bytes: Some(11 * MB),
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
        seconds: 0.077,
        low: 0.02,
        high: 0.33,
        warm: None,
        bytes: None,
        reason: "copying and committing the layer; it grows with the files, whose sizes the context tells",
    },
    Prior {
        class: Class::Workdir,
        seconds: 0.027,
        low: 0.01,
        high: 0.089,
        warm: None,
        bytes: Some(0),
        reason: "one directory, one layer to commit",
    },
    Prior {
        class: Class::Other,
        seconds: 0.21,
        low: 0.09,
        high: 3.3,
        warm: None,
        bytes: Some(0),
        reason: "starting the container and some file work; a `chown` or `chmod` of a large tree makes the high end",
    },
];

/// What a saving by filled cache mounts rests on where no costs file has figures for them, one sentence without a full stop.
#[must_use]
pub fn warm_shares() -> String {
    let of = |class: Class| PRIORS.iter().find(|p| p.class == class);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let install = of(Class::Install).and_then(|p| Some(p.warm? / p.seconds));
    format!(
        "a filled cache mount leaves {} of an install, and {} of a build by cargo or go (seen on other projects, docs/costs.md)",
        percent(install.unwrap_or(1.0)),
        percent(OBJECTS_WARM),
    )
}

/// Costs of all steps: rules for single steps and for classes over the priors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CostTable {
    by_text: BTreeMap<(String, String), Rule>,
    by_class: BTreeMap<Class, Rule>,
    /// Rules for RUNs as they may have been written in other versions of the file.
    likely: Vec<likely::Likely>,
    /// The file system below the store whose sizes were learned.
    disk: Option<Disk>,
    /// Seconds of a build beside its steps.
    overheads: BTreeMap<Overhead, learn::Quantiles>,
}

/// The rules of a `cacheplan.costs/1` document, in their order.
///
/// # Errors
/// As [`CostTable::from_json`].
pub fn rules(text: &str) -> Result<CostFile, CostError> {
    file::read(text)
}

/// A costs file as it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CostFile {
    /// Its rules, in their order.
    pub rules: Vec<learn::Learned>,
    /// The file system below the containerd store whose sizes are in it, where that was seen.
    pub disk: Option<Disk>,
}

/// Figures of one rule of a costs file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rule {
    seconds: Option<learn::Quantiles>,
    /// Median with warm cache mounts.
    warm: Option<f64>,
    bytes: Option<u64>,
}

impl Rule {
    fn has_seconds(&self) -> bool {
        self.seconds.is_some()
    }

    fn has_bytes(&self) -> bool {
        self.bytes.is_some()
    }
}

impl StepCost {
    /// The same with the seconds of a rule.
    fn taking(self, seconds: learn::Quantiles, source: CostSource) -> Self {
        let learn::Quantiles { p50, p90 } = seconds;
        Self {
            seconds: p50,
            // As far below the median as the 90th percentile is above it, in proportion.
            seconds_low: if p90 > 0.0 {
                (p50 * (p50 / p90)).min(p50)
            } else {
                0.0
            },
            seconds_high: p90,
            source,
            ..self
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
        file::read(text).map(Self::of_file)
    }

    fn of_file(file: CostFile) -> Self {
        let mut table = Self {
            disk: file.disk,
            ..Self::default()
        };
        for learned in file.rules {
            let rule = Rule {
                seconds: learned.cold,
                warm: learned.warm.map(|w| w.p50),
                bytes: learned.bytes,
            };
            match learned.matches {
                learn::Matches::Class(class) => {
                    table.by_class.insert(class, rule);
                }
                learn::Matches::Overhead(kind) => {
                    table.overheads.extend(rule.seconds.map(|s| (kind, s)));
                }
                learn::Matches::Text { keyword, text } => {
                    if keyword == "RUN" {
                        let likely = likely::Likely::of(&text, learned.between, rule);
                        table.likely.push(likely);
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
        let mut texts: Vec<&str> = printed(step).into_iter().collect();
        texts.push(&step.text);
        self.by_texts(keyword, &texts, &step.classes, Some(&step.between))
    }

    /// The file system below the containerd store whose sizes were learned, where that was seen.
    #[must_use]
    pub fn disk(&self) -> Option<Disk> {
        self.disk
    }

    /// Seconds of a kind of work beside the steps, where builds taught them.
    #[must_use]
    pub fn overhead(&self, kind: Overhead) -> Option<learn::Quantiles> {
        self.overheads.get(&kind).copied()
    }

    /// Bytes that a rule for this very text states.
    #[must_use]
    pub fn bytes_of_text(&self, keyword: &str, text: &str) -> Option<u64> {
        self.by_text.get(&key(keyword, text))?.bytes
    }

    /// The rule for a step that states what is asked for, by one of its texts, the better one first, or by its likeness to others.
    fn rule(
        &self,
        keyword: &str,
        texts: &[&str],
        classes: &[Class],
        between: Option<&Between>,
        states: fn(&Rule) -> bool,
    ) -> Option<(Rule, CostSource)> {
        let own = |text: &&str| self.by_text.get(&key(keyword, text)).copied();
        let mut measured = texts.iter().filter_map(own);
        if let Some(rule) = measured.find(states) {
            return Some((rule, CostSource::Measured));
        }
        let likely =
            (keyword == "RUN").then(|| likely::find(self, texts, classes, between, states));
        likely.flatten().map(|rule| (rule, CostSource::Learned))
    }

    /// The cost of a step. `text` is what follows the keyword, flags left out; blanks around it do not
    /// count, nor does the keyword's case. A rule for the text wins; else the costs of the distinct
    /// `classes` are summed. Without classes the keyword decides; FROM costs nothing.
    #[must_use]
    pub fn step(&self, keyword: &str, text: &str, classes: &[Class]) -> StepCost {
        self.by_texts(keyword, &[text], classes, None)
    }

    fn by_texts(
        &self,
        keyword: &str,
        texts: &[&str],
        classes: &[Class],
        between: Option<&Between>,
    ) -> StepCost {
        let keyword = keyword.to_ascii_uppercase();
        let classes = distinct(&keyword, classes);
        let mut costs = classes.iter().map(|c| self.class(*c));
        let nothing = StepCost {
            seconds: 0.0,
            seconds_low: 0.0,
            seconds_high: 0.0,
            bytes: Some(0),
            source: CostSource::Prior,
            bytes_source: CostSource::Prior,
        };
        let first = costs.next().unwrap_or(nothing);
        let sum = costs.fold(first, |sum, c| StepCost {
            seconds: sum.seconds + c.seconds,
            seconds_low: sum.seconds_low + c.seconds_low,
            seconds_high: sum.seconds_high + c.seconds_high,
            bytes: sum.bytes.zip(c.bytes).map(|(a, b)| a.saturating_add(b)),
            source: sum.source.min(c.source),
            bytes_source: sum.bytes_source.min(c.bytes_source),
        });
        let mut cost = sum;
        let find = |states| self.rule(&keyword, texts, &classes, between, states);
        if let Some((
            Rule {
                seconds: Some(seconds),
                ..
            },
            source,
        )) = find(Rule::has_seconds)
        {
            cost = cost.taking(seconds, source);
        }
        if let Some((rule, source)) = find(Rule::has_bytes) {
            (cost.bytes, cost.bytes_source) = (rule.bytes, source);
        }
        cost
    }

    /// The cost of a step with cache mounts that an earlier build has filled; `filled` are the classes whose caches they
    /// hold. A rule for the text knows by itself; `None` where nobody says that it is any less.
    #[must_use]
    pub fn warm(&self, step: &Step, filled: &[Class]) -> Option<WarmCost> {
        let (keyword, classes) = (step.kind.keyword(), &step.classes);
        let mut texts: Vec<&str> = printed(step).into_iter().collect();
        texts.push(&step.text);
        let own = distinct(keyword, classes);
        if let Some((rule, _)) = self.rule(
            keyword,
            &texts,
            &own,
            Some(&step.between),
            Rule::has_seconds,
        ) {
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
            let warm = match self.by_class.get(&class).filter(|r| r.has_seconds()) {
                Some(rule) => rule.warm.map(|w| (w, false)),
                None => {
                    let prior = PRIORS.iter().find(|p| p.class == class);
                    let objects = class == Class::Build && keeps_objects(step);
                    let warm = |p: &Prior| match objects {
                        true => Some(p.seconds * OBJECTS_WARM),
                        false => p.warm,
                    };
                    prior.and_then(warm).map(|w| (w, true))
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
        let rule = self.by_class.get(&class).copied().unwrap_or_default();
        let of_prior = StepCost {
            seconds: prior.map_or(0.0, |p| p.seconds),
            seconds_low: prior.map_or(0.0, |p| p.low),
            seconds_high: prior.map_or(0.0, |p| p.high),
            bytes: rule.bytes.or(bytes),
            source: CostSource::Prior,
            bytes_source: match rule.bytes {
                Some(_) => CostSource::Learned,
                None => CostSource::Prior,
            },
        };
        match rule.seconds {
            Some(seconds) => of_prior.taking(seconds, CostSource::Learned),
            None => of_prior,
        }
    }
}

/// Whether all tools of a step keep what they compiled.
fn keeps_objects(step: &Step) -> bool {
    let uses = step.footprint.iter().flat_map(|f| &f.uses);
    let mut tools = uses.map(|u| u.tool.as_str()).peekable();
    tools.peek().is_some() && tools.all(|t| KEEP_OBJECTS.contains(&t))
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
