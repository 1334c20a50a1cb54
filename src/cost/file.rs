//! The costs file, `cacheplan.costs/1`.
//!
//! Goes in: JSON text. Comes out: its rules, in their order, or one error. Every check is part of the decoding,
//! so the JSON reader adds line and column. Written, it has seconds to the millisecond. Linear in the text.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::CostFile;
use super::learn::{Learned, Matches, Quantiles};
use super::log::MAX_SECONDS;
use super::overhead::Overhead;
use crate::footprint::Class;
use crate::image::Disk;
use crate::plan::Between;
use std::collections::BTreeSet;

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
    disk: Option<KnownDisk>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct KnownDisk(Disk);

impl TryFrom<String> for KnownDisk {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let all = [Disk::Ext4, Disk::Tmpfs];
        let found = all.into_iter().find(|d| d.as_str() == text);
        found
            .map(Self)
            .ok_or_else(|| format!("the disk is `{text}`, expected `ext4` or `tmpfs`"))
    }
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
#[serde(try_from = "RawStep")]
struct Step {
    matches: Match,
    seconds: Option<Seconds>,
    bytes: Option<u64>,
    n: Option<u64>,
    bytes_n: Option<u64>,
    between: Option<[String; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    #[serde(rename = "match")]
    matches: Match,
    seconds: Option<Seconds>,
    bytes: Option<u64>,
    n: Option<u64>,
    bytes_n: Option<u64>,
    between: Option<[String; 2]>,
}

impl TryFrom<RawStep> for Step {
    type Error = &'static str;

    fn try_from(raw: RawStep) -> Result<Self, Self::Error> {
        if raw.seconds.is_none() && raw.bytes.is_none() {
            return Err("a rule states `seconds`, `bytes` or both");
        }
        Ok(Self {
            matches: raw.matches,
            seconds: raw.seconds,
            bytes: raw.bytes,
            n: raw.n,
            bytes_n: raw.bytes_n,
            between: raw.between,
        })
    }
}

#[derive(Deserialize)]
#[serde(try_from = "RawMatch")]
enum Match {
    Text { keyword: String, text: String },
    Class(Class),
    Overhead(Overhead),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMatch {
    keyword: Option<String>,
    text: Option<String>,
    class: Option<String>,
    overhead: Option<String>,
}

impl TryFrom<RawMatch> for Match {
    type Error = String;

    fn try_from(raw: RawMatch) -> Result<Self, String> {
        match (raw.keyword, raw.text, raw.class, raw.overhead) {
            (Some(keyword), Some(text), None, None) => Ok(Self::Text {
                keyword: keyword.to_ascii_uppercase(),
                text: text.trim().to_string(),
            }),
            (None, None, None, Some(kind)) => kind
                .parse()
                .map(Self::Overhead)
                .map_err(|e: super::overhead::UnknownOverhead| e.to_string()),
            (None, None, Some(class), None) => class
                .parse()
                .map(Self::Class)
                .map_err(|e: crate::footprint::UnknownClass| e.to_string()),
            _ => {
                Err("a match is either `keyword` and `text`, or `class`, or `overhead`".to_string())
            }
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
        match pair.iter().find(|s| !(0.0..=MAX_SECONDS).contains(*s)) {
            Some(bad) => Err(format!("{bad} is no number of seconds")),
            None if p90 < p50 => Err(format!(
                "the 90th percentile {p90} is below the median {p50}"
            )),
            None => Ok(Self([p50, p90])),
        }
    }
}

impl From<Percentiles> for Quantiles {
    fn from(Percentiles([p50, p90]): Percentiles) -> Self {
        Self { p50, p90 }
    }
}

/// Reads the file.
pub(super) fn read(text: &str) -> Result<CostFile, CostError> {
    let document: Document = serde_json::from_str(text)?;
    let mut known = BTreeSet::new();
    let mut rules = Vec::new();
    for step in document.steps {
        let matches = match step.matches {
            Match::Class(class) => Matches::Class(class),
            Match::Overhead(kind) => Matches::Overhead(kind),
            Match::Text { keyword, text } => Matches::Text { keyword, text },
        };
        if !known.insert(matches.clone()) {
            return Err(CostError::Duplicate(match matches {
                Matches::Class(class) => format!("class `{class}`"),
                Matches::Overhead(kind) => format!("overhead `{kind}`"),
                Matches::Text { keyword, text } => format!("`{keyword} {text}`"),
            }));
        }
        rules.push(Learned {
            matches,
            cold: step.seconds.as_ref().map(|s| s.cold.into()),
            warm: step.seconds.and_then(|s| s.warm).map(Quantiles::from),
            bytes: step.bytes,
            n: step.n.unwrap_or(1),
            bytes_n: step.bytes_n.unwrap_or(1),
            between: step.between.map(|[above, below]| Between { above, below }),
        });
    }
    Ok(CostFile {
        rules,
        disk: document.disk.map(|d| d.0),
    })
}

#[derive(Serialize)]
struct Written<'a> {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<&'static str>,
    steps: Vec<WrittenStep<'a>>,
}

#[derive(Serialize)]
struct WrittenStep<'a> {
    #[serde(rename = "match")]
    matches: WrittenMatch<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<WrittenSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_n: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    between: Option<[&'a str; 2]>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenMatch<'a> {
    Text { keyword: &'a str, text: &'a str },
    Class { class: &'static str },
    Overhead { overhead: &'static str },
}

#[derive(Serialize)]
struct WrittenSeconds {
    cold: [f64; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    warm: Option<[f64; 2]>,
}

/// Neighbours are looked at for RUNs alone.
fn is_run(matches: &Matches) -> bool {
    matches!(matches, Matches::Text { keyword, .. } if keyword == "RUN")
}

/// The text of a file with these rules, one a line.
///
/// # Errors
/// A number that is not finite.
pub fn write(file: &CostFile) -> Result<String, serde_json::Error> {
    let rounded = |s: f64| (s * 1000.0).round() / 1000.0;
    let pair = |q: Quantiles| [rounded(q.p50), rounded(q.p90)];
    let step = |rule: &Learned| {
        serde_json::to_string(&WrittenStep {
            matches: match &rule.matches {
                Matches::Text { keyword, text } => WrittenMatch::Text { keyword, text },
                Matches::Class(class) => WrittenMatch::Class {
                    class: class.as_str(),
                },
                Matches::Overhead(kind) => WrittenMatch::Overhead {
                    overhead: kind.as_str(),
                },
            },
            seconds: rule.cold.map(|cold| WrittenSeconds {
                cold: pair(cold),
                warm: rule.warm.map(pair),
            }),
            bytes: rule.bytes,
            n: rule.n,
            bytes_n: rule.bytes.and(Some(rule.bytes_n)).filter(|n| *n > 1),
            between: rule
                .between
                .as_ref()
                .filter(|_| is_run(&rule.matches))
                .map(|b| [b.above.as_str(), b.below.as_str()]),
        })
    };
    let lines: Vec<String> = file.rules.iter().map(step).collect::<Result<_, _>>()?;
    let head = serde_json::to_string(&Written {
        schema: SCHEMA,
        disk: file.disk.map(Disk::as_str),
        steps: Vec::new(),
    })?;
    let head = head.trim_end_matches("]}");
    Ok(match lines.is_empty() {
        true => format!("{head}]}}\n"),
        false => format!("{head}\n{}\n]}}\n", lines.join(",\n")),
    })
}
