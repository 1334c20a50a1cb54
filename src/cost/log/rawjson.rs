//! `--progress=rawjson`: one status batch a line.
//!
//! Goes in: the text. Comes out: what [`Vertices`] make of it. A last line that is cut off is told and left out.

use super::plain::bare;
use super::vertices::{PartUpdate, Update, Vertices};
use super::{Log, LogError, LogFormat};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustc_hash::FxHashMap;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Batch {
    #[serde(default)]
    pub vertexes: Option<Vec<Vertex>>,
    #[serde(default)]
    statuses: Option<Vec<Status>>,
    #[serde(default)]
    logs: Option<Vec<Printed>>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    id: String,
    #[serde(default)]
    vertex: String,
    #[serde(default)]
    current: i64,
    #[serde(default)]
    total: i64,
    started: Option<String>,
    completed: Option<String>,
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
pub(super) struct Vertex {
    pub digest: String,
    #[serde(default)]
    name: String,
    pub started: Option<String>,
    pub completed: Option<String>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    error: String,
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
    let mut vertices = Vertices::default();
    let mut notes = Vec::new();
    let mut statuses: Vec<Status> = Vec::new();
    let mut printed: FxHashMap<String, Vec<u8>> = FxHashMap::default();
    let (mut error, mut failed_one) = (None, None);
    let count = text.lines().count();
    for (i, line) in text.lines().enumerate() {
        let line = bare(line);
        let line = line.as_ref();
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
        let batch: Batch = match serde_json::from_str(line) {
            Ok(batch) => batch,
            // What was written last may be cut off, where the builder or the log was stopped.
            Err(e) if e.is_eof() && i + 1 == count && !vertices.is_empty() => {
                notes.push(format!("line {}, the last one, is cut off", i + 1));
                continue;
            }
            Err(e) => return Err(failed(format!("this is no status batch of a build: {e}"))),
        };
        // One may come before its vertex.
        statuses.extend(batch.statuses.unwrap_or_default());
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
            let time = |text: Option<String>| match text {
                None => Ok(None),
                Some(text) => nanoseconds(&text)
                    .map(Some)
                    .ok_or_else(|| failed(format!("`{text}` is no point in time"))),
            };
            let (started, completed) = (time(vertex.started)?, time(vertex.completed)?);
            vertices.update(
                Update {
                    digest: vertex.digest,
                    name: vertex.name,
                    started,
                    completed,
                    cached: vertex.cached,
                    error: vertex.error,
                },
                i + 1,
            );
        }
    }
    for status in statuses {
        let time = |t: Option<String>| t.as_deref().and_then(nanoseconds);
        let bytes = status.current.max(status.total);
        vertices.part(PartUpdate {
            vertex: status.vertex,
            id: status.id,
            bytes: u64::try_from(bytes).unwrap_or(0),
            started: time(status.started),
            completed: time(status.completed),
        });
    }
    Ok(Log {
        format: LogFormat::RawJson,
        steps: vertices.steps(),
        error,
        notes,
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

/// RFC 3339 to nanoseconds since 1970.
pub(super) fn nanoseconds(text: &str) -> Option<i128> {
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
            let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
            let minutes = i64::from(hours) * 60 + i64::from(minutes);
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
