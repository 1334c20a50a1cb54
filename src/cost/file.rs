//! The costs file, `cacheplan.costs/1`.
//!
//! Goes in: JSON text. Comes out: a [`CostTable`] or one error. Every check is part of the decoding,
//! so the JSON reader adds line and column. Linear in the text.

use serde::Deserialize;
use thiserror::Error;

use super::{CostTable, Rule};
use crate::footprint::Class;

/// The only schema read.
const SCHEMA: &str = "cacheplan.costs/1";

/// Why a costs file cannot be used.
#[derive(Debug, Error)]
pub enum CostError {
    /// Not JSON, or not a costs file; the text ends with line and column.
    #[error("costs file: {0}")]
    Invalid(#[from] serde_json::Error),
    /// Two rules match the same steps.
    #[error("costs file: two rules for {0}")]
    Duplicate(String),
}

impl CostError {
    /// 1-based line and column, where they are known.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        match self {
            Self::Invalid(e) if e.line() > 0 => Some((e.line(), e.column())),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "schema")]
    _schema: Schema,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Schema;

impl TryFrom<String> for Schema {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == SCHEMA {
            Ok(Self)
        } else {
            Err(format!("the schema is `{text}`, expected `{SCHEMA}`"))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(rename = "match")]
    matches: Match,
    seconds: Seconds,
    bytes: Option<u64>,
    #[serde(rename = "n")]
    _samples: Option<u64>,
}

#[derive(Deserialize)]
#[serde(try_from = "RawMatch")]
enum Match {
    Text { keyword: String, text: String },
    Class(Class),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMatch {
    keyword: Option<String>,
    text: Option<String>,
    class: Option<String>,
}

impl TryFrom<RawMatch> for Match {
    type Error = String;

    fn try_from(raw: RawMatch) -> Result<Self, String> {
        match (raw.keyword, raw.text, raw.class) {
            (Some(keyword), Some(text), None) => Ok(Self::Text {
                keyword: keyword.to_ascii_uppercase(),
                text: text.trim().to_string(),
            }),
            (None, None, Some(class)) => class
                .parse()
                .map(Self::Class)
                .map_err(|e: crate::footprint::UnknownClass| e.to_string()),
            _ => Err("a match is either `keyword` and `text`, or `class`".to_string()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seconds {
    cold: Percentiles,
    warm: Option<Percentiles>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "[f64; 2]")]
struct Percentiles([f64; 2]);

impl TryFrom<[f64; 2]> for Percentiles {
    type Error = String;

    fn try_from(pair: [f64; 2]) -> Result<Self, String> {
        let [p50, p90] = pair;
        match pair
            .iter()
            .find(|s| !s.is_finite() || s.is_sign_negative() && **s != 0.0)
        {
            Some(bad) => Err(format!("{bad} is no number of seconds")),
            None if p90 < p50 => Err(format!(
                "the 90th percentile {p90} is below the median {p50}"
            )),
            None => Ok(Self([p50, p90])),
        }
    }
}

/// Reads the file.
pub(super) fn read(text: &str) -> Result<CostTable, CostError> {
    let document: Document = serde_json::from_str(text)?;
    let mut table = CostTable::default();
    for step in document.steps {
        let [p50, p90] = step.seconds.cold.0;
        let rule = Rule {
            p50,
            p90,
            warm: step.seconds.warm.map(|w| w.0[0]),
            bytes: step.bytes,
        };
        let (name, before) = match step.matches {
            Match::Class(class) => (
                format!("class `{class}`"),
                table.by_class.insert(class, rule),
            ),
            Match::Text { keyword, text } => (
                format!("`{keyword} {text}`"),
                table.by_text.insert((keyword, text), rule),
            ),
        };
        if before.is_some() {
            return Err(CostError::Duplicate(name));
        }
    }
    Ok(table)
}
