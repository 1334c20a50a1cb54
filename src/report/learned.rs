//! What builds have taught.
//!
//! Goes in: rules and the logs they come from. Comes out: one screen of text; the JSON is the document itself. Names of steps come from logs
//! and are escaped. Linear.

use super::escape;
use super::number::count;
use crate::cost::learn::{Learned, Matches};
use serde::Serialize;

/// Rules that text shows.
const MOST: usize = 20;

/// `cacheplan.calibrate/1`.
#[derive(Serialize, schemars::JsonSchema)]
pub struct LearnedReport {
    /// Always the same.
    pub schema: &'static str,
    /// The costs file that was written.
    pub file: String,
    /// What was read.
    pub logs: Vec<LogRow>,
    /// All rules of the file now.
    pub rules: Vec<RuleRow>,
}

/// One log.
#[derive(Serialize, schemars::JsonSchema)]
pub struct LogRow {
    /// Where it was read from.
    pub log: String,
    /// Its format.
    pub format: &'static str,
    /// Steps that ran and taught something.
    pub executed: usize,
    /// Steps that were cached.
    pub cached: usize,
    /// Steps that failed, or were stopped because another one did.
    pub failed: usize,
    /// Seconds of those that ran, together.
    pub seconds: f64,
    /// Layers with their sizes, where the source tells those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Their bytes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_bytes: Option<u64>,
}

/// One rule.
#[derive(Serialize, schemars::JsonSchema)]
pub struct RuleRow {
    /// Keyword, where it is for one step.
    pub keyword: Option<String>,
    /// What follows the keyword, where it is for one step.
    pub text: Option<String>,
    /// The class, where it is for one.
    pub class: Option<&'static str>,
    /// The kind of work beside the steps, where it is for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead: Option<&'static str>,
    /// Seconds, median and 90th percentile.
    pub cold: Option<[f64; 2]>,
    /// The same with filled cache mounts.
    pub warm: Option<[f64; 2]>,
    /// Bytes that the layer adds, the median.
    pub bytes: Option<u64>,
    /// Runs behind it.
    pub n: u64,
    /// It was not in the file before.
    pub new: bool,
}

impl RuleRow {
    /// The row of a rule.
    #[must_use]
    pub fn of(rule: &Learned, new: bool) -> Self {
        let (mut keyword, mut text, mut class, mut overhead) = (None, None, None, None);
        match &rule.matches {
            Matches::Text {
                keyword: k,
                text: t,
            } => (keyword, text) = (Some(k.clone()), Some(t.clone())),
            Matches::Class(of) => class = Some(of.as_str()),
            Matches::Overhead(kind) => overhead = Some(kind.as_str()),
        }
        Self {
            keyword,
            text,
            class,
            overhead,
            cold: rule.cold.map(|c| [c.p50, c.p90]),
            warm: rule.warm.map(|w| [w.p50, w.p90]),
            bytes: rule.bytes,
            n: rule.n,
            new,
        }
    }
}

/// The report for a terminal.
#[must_use]
pub fn text(report: &LearnedReport, width: usize) -> String {
    let mut out = String::new();
    for log in &report.logs {
        if let (Some(layers), Some(all)) = (log.layers, log.layer_bytes) {
            out.push_str(&format!(
                "{} ({}): {}, {}\n",
                escape::line(&log.log),
                log.format,
                count(layers, "layer"),
                super::number::bytes(all)
            ));
            continue;
        }
        let mut said = vec![format!("{} ran", count(log.executed, "step"))];
        said.extend((log.cached > 0).then(|| format!("{} cached", log.cached)));
        said.extend((log.failed > 0).then(|| format!("{} failed or stopped", log.failed)));
        out.push_str(&format!(
            "{} ({}): {}, {} of work\n",
            escape::line(&log.log),
            log.format,
            said.join(", "),
            seconds(log.seconds)
        ));
    }
    let of_step = |r: &&RuleRow| r.keyword.is_some();
    let mut own: Vec<&RuleRow> = report.rules.iter().filter(of_step).collect();
    // The dearest first.
    let weight = |r: &RuleRow| (r.cold.map_or(-1.0, |c| c[0]), r.bytes.unwrap_or(0));
    own.sort_by(|a, b| {
        let (a, b) = (weight(a), weight(b));
        b.0.total_cmp(&a.0).then(b.1.cmp(&a.1))
    });
    // Bytes have a column where there are any.
    let layer = |r: &RuleRow| r.bytes.is_some() && r.overhead.is_none();
    let sized = report.rules.iter().any(layer);
    let column = |text: String| match sized {
        true => format!("  {text:>8}"),
        false => String::new(),
    };
    let head = column("layer".to_owned());
    out.push_str(&format!(
        "\n  median      90 %      warm{head}  runs  step\n"
    ));
    let figure = |s: Option<f64>| s.map_or("-".to_owned(), seconds);
    let others = report.rules.iter().filter(|r| r.keyword.is_none());
    for rule in own.iter().take(MOST).copied().chain(others) {
        let name = match (&rule.keyword, &rule.text, rule.class, rule.overhead) {
            (Some(keyword), Some(text), _, _) => format!("{keyword} {text}"),
            (_, _, Some(class), _) => format!("any `{class}` step"),
            (_, _, _, overhead) => {
                let moved = rule.bytes.map(super::number::bytes);
                let moved = moved.map_or(String::new(), |b| format!(" of {b}"));
                format!("{}{moved}, once a build", overhead.unwrap_or_default())
            }
        };
        let row = format!(
            "{:>8}  {:>8}  {:>8}{}  {:>4}  ",
            figure(rule.cold.map(|c| c[0])),
            figure(rule.cold.map(|c| c[1])),
            figure(rule.warm.map(|w| w[0])),
            column(
                rule.bytes
                    .filter(|_| rule.overhead.is_none())
                    .map_or("-".to_owned(), super::number::bytes)
            ),
            rule.n
        );
        let room = width.saturating_sub(row.len()).max(20);
        out.push_str(&format!(
            "{row}{}\n",
            escape::shortened(&escape::line(&name), room)
        ));
    }
    if own.len() > MOST {
        out.push_str(&format!("  and {} more steps\n", own.len() - MOST));
    }
    let new = report.rules.iter().filter(|r| r.new).count();
    out.push_str(&format!(
        "\n{}: {}, {new} of them new\n",
        escape::line(&report.file),
        count(report.rules.len(), "rule")
    ));
    out
}

/// With a fixed number of decimals, to stand in a column.
fn seconds(s: f64) -> String {
    match s {
        s if s >= 100.0 => format!("{s:.0} s"),
        s if s >= 10.0 => format!("{s:.1} s"),
        s => format!("{s:.2} s"),
    }
}
