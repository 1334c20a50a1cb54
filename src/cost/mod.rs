//! Seconds and bytes per step.
//!
//! Goes in: a step's keyword, text and classes. Comes out: a [`StepCost`] that says where it comes
//! from. Priors are one table with reasons; a costs file (`cacheplan.costs/1`) overrides them by text
//! or by class. Invariant: a prior is never called anything else.

use crate::footprint::Class;
use serde::Deserialize;

/// Where a cost comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CostSource {
    /// For this very step, from a costs file.
    Measured,
    /// For steps of its class, from a costs file.
    Learned,
    /// From our own table.
    Prior,
}

impl CostSource {
    /// The name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Learned => "learned",
            Self::Prior => "prior",
        }
    }
}

/// What one run of a step costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepCost {
    /// Seconds, the middle of what is expected, nothing cached.
    pub seconds: f64,
    /// Low end, seconds.
    pub seconds_low: f64,
    /// High end, seconds.
    pub seconds_high: f64,
    /// Bytes it adds to the image, where anything is known.
    pub bytes: Option<u64>,
    /// Where the figures come from: the weakest of those summed.
    pub source: CostSource,
}

/// One row of the table of priors.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    /// Which class.
    pub class: Class,
    /// Seconds: low, middle, high.
    pub seconds: [f64; 3],
    /// Bytes a run adds to the image; zero where the files copied say it.
    pub bytes: u64,
    /// Why these figures.
    pub reason: &'static str,
}

const MB: u64 = 1_000_000;

/// The priors: invented from experience with CI runners of two to four cores, not measured. The same
/// table with its reasoning is in `docs/costs.md`; a test keeps them equal.
pub const PRIORS: [Prior; 7] = [
    Prior { class: Class::SystemPackages, seconds: [5.0, 20.0, 60.0], bytes: 60 * MB, reason: "an index of some 10 MB, then a few to a few dozen packages unpacked one after the other" },
    Prior { class: Class::Install, seconds: [8.0, 30.0, 120.0], bytes: 150 * MB, reason: "hundreds of small archives over the network; native modules sometimes compile" },
    Prior { class: Class::Build, seconds: [10.0, 60.0, 300.0], bytes: 50 * MB, reason: "compilers and bundlers are bound by the two to four cores of a runner" },
    Prior { class: Class::LightBuild, seconds: [2.0, 10.0, 30.0], bytes: 5 * MB, reason: "one start of an interpreter and some file writing" },
    Prior { class: Class::Copy, seconds: [0.1, 0.5, 3.0], bytes: 0, reason: "milliseconds for the files, more for the layer and a large context" },
    Prior { class: Class::Workdir, seconds: [0.0, 0.05, 0.1], bytes: 0, reason: "one folder in one layer" },
    Prior { class: Class::Other, seconds: [0.2, 2.0, 10.0], bytes: MB, reason: "a container start (about 0.1 s) and a short command" },
];

/// Why a costs file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// Not JSON, or not of the form.
    #[error("line {line}, column {column}: {message}")]
    Json {
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
        /// One line.
        message: String,
    },
    /// A value that can't be.
    #[error("steps[{index}]: {message}")]
    Value {
        /// 0-based entry.
        index: usize,
        /// One line.
        message: String,
    },
    /// Another document.
    #[error("the schema is \"{0}\", not \"cacheplan.costs/1\"")]
    Schema(String),
}

#[derive(Deserialize)]
struct File {
    schema: String,
    steps: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "match")]
    rule: Rule,
    seconds: Option<Seconds>,
    bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Rule {
    keyword: Option<String>,
    text: Option<String>,
    class: Option<String>,
}

#[derive(Deserialize)]
struct Seconds {
    cold: Option<[f64; 2]>,
    warm: Option<[f64; 2]>,
}

/// Rules and priors.
#[derive(Clone, Debug, Default)]
pub struct CostTable {
    by_text: Vec<(Option<String>, String, StepCost)>,
    by_class: Vec<(Class, StepCost)>,
}

impl CostTable {
    /// Our own table alone.
    #[must_use]
    pub fn priors() -> Self {
        Self::default()
    }

    /// Reads a costs file; classes it does not name keep their priors.
    ///
    /// # Errors
    /// One message with its place: not JSON, another schema, a negative number, an unknown class.
    pub fn from_json(text: &str) -> Result<Self, CostError> {
        let file: File = serde_json::from_str(text).map_err(|e| CostError::Json {
            line: e.line(),
            column: e.column(),
            message: e.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        })?;
        if file.schema != "cacheplan.costs/1" {
            return Err(CostError::Schema(file.schema.chars().filter(|c| !c.is_control()).take(80).collect()));
        }
        let mut table = Self::default();
        for (index, entry) in file.steps.into_iter().enumerate() {
            let bad = |message: String| CostError::Value { index, message };
            let given = entry.seconds.as_ref().and_then(|s| s.cold.or(s.warm));
            let Some([p50, p90]) = given else { return Err(bad("seconds.cold is missing".to_owned())) };
            if !(p50.is_finite() && p90.is_finite() && p50 >= 0.0 && p90 >= 0.0) {
                return Err(bad("seconds must be numbers of zero or more".to_owned()));
            }
            let cost = |source| StepCost { seconds: p50, seconds_low: p50.min(p90), seconds_high: p90.max(p50), bytes: entry.bytes, source };
            match (entry.rule.text, entry.rule.class) {
                (Some(text), None) => {
                    let keyword = entry.rule.keyword.map(|k| k.to_uppercase());
                    table.by_text.push((keyword, text.trim().to_owned(), cost(CostSource::Measured)));
                }
                (None, Some(name)) => {
                    let class = Class::from_name(&name).ok_or_else(|| bad(format!("unknown class {name:?}")))?;
                    table.by_class.push((class, cost(CostSource::Learned)));
                }
                _ => return Err(bad("match needs either text or class".to_owned())),
            }
        }
        Ok(table)
    }

    /// What a step costs when it runs. A rule by text beats rules by class; a RUN of several classes
    /// costs their sum; FROM costs nothing (pulling a base image is not modelled).
    #[must_use]
    pub fn step(&self, keyword: &str, text: &str, classes: &[Class]) -> StepCost {
        let same = |(k, t, _): &&(Option<String>, String, StepCost)| k.as_deref().is_none_or(|k| k == keyword) && t == text.trim();
        if let Some((_, _, cost)) = self.by_text.iter().rev().find(same) {
            return *cost;
        }
        let mut sum = StepCost { seconds: 0.0, seconds_low: 0.0, seconds_high: 0.0, bytes: Some(0), source: CostSource::Measured };
        for class in classes {
            let cost = self.class(*class);
            sum.seconds += cost.seconds;
            sum.seconds_low += cost.seconds_low;
            sum.seconds_high += cost.seconds_high;
            sum.bytes = sum.bytes.zip(cost.bytes).map(|(a, b)| a + b);
            sum.source = sum.source.max(cost.source);
        }
        if classes.is_empty() {
            sum.source = CostSource::Prior;
        }
        sum
    }

    fn class(&self, class: Class) -> StepCost {
        let prior = PRIORS.iter().find(|p| p.class == class).unwrap_or(&PRIORS[6]);
        let own = self.by_class.iter().rev().find(|(c, _)| *c == class);
        own.map_or(
            StepCost {
                seconds: prior.seconds[1],
                seconds_low: prior.seconds[0],
                seconds_high: prior.seconds[2],
                bytes: Some(prior.bytes),
                source: CostSource::Prior,
            },
            |(_, cost)| StepCost { bytes: cost.bytes.or(Some(prior.bytes)), ..*cost },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beats_class_and_classes_add_up() {
        let table = CostTable::from_json(
            r#"{"schema":"cacheplan.costs/1","steps":[
            {"match":{"class":"install"},"seconds":{"cold":[45,50]}},
            {"match":{"keyword":"RUN","text":"npm ci"},"seconds":{"cold":[7,9]},"n":5}]}"#,
        )
        .unwrap();
        let exact = table.step("RUN", "npm ci", &[Class::Install]);
        assert_eq!((exact.seconds, exact.source), (7.0, CostSource::Measured));
        let class = table.step("RUN", "npm ci --x", &[Class::Install]);
        assert_eq!((class.seconds, class.seconds_high, class.source), (45.0, 50.0, CostSource::Learned));
        let both = table.step("RUN", "x", &[Class::Install, Class::Build]);
        assert_eq!((both.seconds, both.source), (105.0, CostSource::Prior));
        assert_eq!(table.step("FROM", "x", &[]).seconds, 0.0);
    }

    #[test]
    fn bad_files_get_one_message() {
        for (text, message) in [
            ("{", "line 1, column 1"),
            (r#"{"schema":"x","steps":[]}"#, "the schema is"),
            (r#"{"schema":"cacheplan.costs/1","steps":[{"match":{"class":"install"},"seconds":{"cold":[-1,2]}}]}"#, "steps[0]"),
            (r#"{"schema":"cacheplan.costs/1","steps":[{"match":{"class":"nope"},"seconds":{"cold":[1,2]}}]}"#, "unknown class"),
            (r#"{"schema":"cacheplan.costs/1","steps":[{"match":{},"seconds":{"cold":[1,2]}}]}"#, "either text or class"),
        ] {
            let error = CostTable::from_json(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let docs = include_str!("../../docs/costs.md");
        for p in PRIORS {
            let row = format!("| `{}` | {} | {} | {} | {} |", p.class.as_str(), p.seconds[0], p.seconds[1], p.seconds[2], p.reason);
            assert!(docs.contains(&row), "docs/costs.md lacks: {row}");
        }
    }
}
