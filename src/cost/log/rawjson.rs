//! `--progress=rawjson`: one status batch a line.
//!
//! A vertex is known by its digest; its last `cached` and `error` count, and its seconds are the sum
//! of its merged intervals, since key computation, load and execution are reported one by one.

use super::{Log, LogError, LogFormat, LogStep, Seen};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    vertexes: Option<Vec<Vertex>>,
    #[serde(default)]
    logs: Option<Vec<Printed>>,
}

#[derive(Deserialize)]
struct Printed {
    #[serde(default)]
    vertex: String,
    #[serde(default)]
    data: String,
}

/// Bytes that are kept of what a step prints.
const KEPT: usize = 2 << 10;

/// Lines of them that are told.
const LAST: usize = 4;

#[derive(Deserialize)]
struct Vertex {
    digest: String,
    #[serde(default)]
    name: String,
    started: Option<String>,
    completed: Option<String>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    error: String,
}

struct Known {
    step: LogStep,
    /// Start and end of every stretch of work, in nanoseconds.
    spans: BTreeMap<i128, i128>,
}

const KEYS: [&str; 4] = ["vertexes", "statuses", "logs", "warnings"];

/// Whether a line is a status batch.
pub(super) fn is_batch(line: &str) -> bool {
    if !line.starts_with('{') {
        return false;
    }
    let Ok(value) = serde_json::from_str::<serde_json::Value>(line) else {
        return false;
    };
    KEYS.iter()
        .any(|k| value.get(k).is_some_and(|v| v.is_array()))
}

pub(super) fn read(text: &str) -> Result<Log, LogError> {
    let mut order: Vec<Known> = Vec::new();
    let mut by_digest: FxHashMap<String, usize> = FxHashMap::default();
    let mut printed: FxHashMap<String, Vec<u8>> = FxHashMap::default();
    let (mut error, mut failed_one) = (None, None);
    for (i, line) in text.lines().enumerate() {
        if !line.starts_with('{') {
            // Lines of the client are mixed in.
            if line.starts_with("ERROR: ") {
                error = Some(line.to_owned());
            }
            continue;
        }
        let failed = |reason: String| LogError::Line {
            line: i + 1,
            reason,
        };
        let batch: Batch = serde_json::from_str(line)
            .map_err(|e| failed(format!("this is no status batch of a build: {e}")))?;
        for part in batch.logs.unwrap_or_default() {
            let bytes = BASE64_STANDARD.decode(part.data).unwrap_or_default();
            let kept = printed.entry(part.vertex).or_default();
            kept.extend(bytes);
            kept.drain(..kept.len().saturating_sub(KEPT));
        }
        for vertex in batch.vertexes.unwrap_or_default() {
            if !vertex.error.is_empty() && !vertex.error.contains("context canceled") {
                failed_one = Some(vertex.digest.clone());
            }
            let next = order.len();
            let at = *by_digest.entry(vertex.digest).or_insert(next);
            if at == next {
                order.push(Known {
                    step: LogStep {
                        name: vertex.name,
                        seen: Seen::NotStarted,
                        seconds: None,
                        line: i + 1,
                    },
                    spans: BTreeMap::new(),
                });
            }
            let known = &mut order[at];
            let Some(started) = vertex.started else {
                continue;
            };
            let canceled = vertex.error.contains("context canceled");
            known.step.seen = match (vertex.error.is_empty(), vertex.cached) {
                (false, _) if canceled => Seen::Canceled,
                (false, _) => Seen::Failed,
                (true, true) => Seen::Cached,
                (true, false) => Seen::Ran,
            };
            let start = nanoseconds(&started)
                .ok_or_else(|| failed(format!("`{started}` is no point in time")))?;
            if let Some(completed) = vertex.completed {
                let end = nanoseconds(&completed)
                    .ok_or_else(|| failed(format!("`{completed}` is no point in time")))?;
                known.spans.insert(start, end);
            }
        }
    }
    let steps = order.into_iter().map(|known| {
        let seconds = (!known.spans.is_empty()).then(|| merged(&known.spans));
        LogStep {
            seconds,
            ..known.step
        }
    });
    Ok(Log {
        format: LogFormat::RawJson,
        steps: steps.collect(),
        error,
        last_words: last_lines(failed_one.and_then(|f| printed.remove(&f))),
    })
}

fn last_lines(bytes: Option<Vec<u8>>) -> Vec<String> {
    let bytes = bytes.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    lines[lines.len().saturating_sub(LAST)..].to_vec()
}

/// Seconds covered by the spans together.
fn merged(spans: &BTreeMap<i128, i128>) -> f64 {
    let (mut total, mut covered) = (0i128, i128::MIN);
    for (start, end) in spans {
        let from = (*start).max(covered);
        total += (*end - from).max(0);
        covered = covered.max(*end);
    }
    total as f64 / 1e9
}

/// RFC 3339 to nanoseconds since 1970.
fn nanoseconds(text: &str) -> Option<i128> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (time, zone) = match time.strip_suffix('Z') {
        Some(time) => (time, 0),
        None => {
            let at = time.rfind(['+', '-'])?;
            let (hours, minutes) = time.get(at + 1..)?.split_once(':')?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            let sign = if time.as_bytes()[at] == b'-' { -1 } else { 1 };
            (&time[..at], sign * minutes)
        }
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut clock = clock.splitn(3, ':').map(str::parse::<i64>);
    let (h, m, s) = (
        clock.next()?.ok()?,
        clock.next()?.ok()?,
        clock.next()?.ok()?,
    );
    if !(0..24).contains(&h) || !(0..60).contains(&m) || !(0..=60).contains(&s) {
        return None;
    }
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: i128 = format!("{fraction:0<9}").parse().ok()?;
    // Days since 1970 of a civil date, with years that begin in March.
    let (y, m0) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let day_of_year = (153 * m0 + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    let seconds = days * 86_400 + h * 3600 + m * 60 + s - zone * 60;
    Some(i128::from(seconds) * 1_000_000_000 + nanos)
}
