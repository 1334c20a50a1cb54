//! `--progress=plain`: numbered vertices whose lines interleave.
//!
//! `#N` numbers vertices in the order they are printed. The first line of a number is its title, which
//! may go on over lines without a number; the last `CACHED`, `DONE`, `ERROR` or `CANCELED` of it counts.
//! A time stamp that a CI system puts in front of every line is taken off, colours too.

use super::{Log, LogError, LogFormat, LogStep, MAX_SECONDS, Parts, Seen};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The line without a time stamp in front of it, colours and a carriage return at its end.
pub(super) fn bare(line: &str) -> Cow<'_, str> {
    let line = line.trim_end_matches('\r');
    let line = match line.contains('\u{1b}') {
        true => Cow::Owned(without_colour(line)),
        false => Cow::Borrowed(line),
    };
    if line.starts_with('#') {
        return line;
    }
    let Some((first, rest)) = line.split_once(' ') else {
        // A blank line with a stamp.
        return match stamp(&line) {
            true => Cow::Borrowed(""),
            false => line,
        };
    };
    match stamp(first) {
        true => Cow::Owned(rest.to_owned()),
        false => line,
    }
}

/// `2026-01-02T10:00:00.1234567Z` and the like, in brackets or not.
fn stamp(word: &str) -> bool {
    let word = word
        .trim_start_matches(['[', '\u{feff}'])
        .trim_end_matches(']');
    let bytes = word.as_bytes();
    bytes.len() >= 19
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[10] == b'T'
        && bytes[13] == b':'
}

fn without_colour(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("\u{1b}[") {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 2..];
        let end = tail.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |e| &tail[e + 1..]);
    }
    out.push_str(rest);
    out
}

/// The number of a `#N …` line, and what follows it.
pub(super) fn number(line: &str) -> Option<(u32, &str)> {
    let rest = line.strip_prefix('#')?;
    let end = rest.find(' ')?;
    let number = rest[..end].parse().ok()?;
    Some((number, &rest[end + 1..]))
}

/// What a line says of its vertex.
enum Said {
    Cached,
    Done(Option<f64>),
    Failed,
    Canceled,
    Other,
}

fn said(text: &str, line: usize) -> Result<Said, LogError> {
    if text == "CACHED" {
        return Ok(Said::Cached);
    }
    if text == "CANCELED" {
        return Ok(Said::Canceled);
    }
    if text.starts_with("ERROR: ") || text == "ERROR" {
        return Ok(Said::Failed);
    }
    let Some(time) = text.strip_prefix("DONE") else {
        return Ok(Said::Other);
    };
    if time.is_empty() {
        return Ok(Said::Done(None));
    }
    let seconds = time
        .strip_prefix(' ')
        .and_then(|t| t.strip_suffix('s'))
        .and_then(|t| t.parse::<f64>().ok())
        .filter(|s| (0.0..=MAX_SECONDS).contains(s));
    match seconds {
        Some(s) => Ok(Said::Done(Some(s))),
        None => Err(LogError::Line {
            line,
            reason: format!("`{text}` ends a step, but not with seconds"),
        }),
    }
}

/// `sha256:… 1.14MB / 1.14MB 0.3s done`, `transferring context: 1.2MB done`, `pushing layers 1.5s done`: a piece of a step's work, its size and the
/// seconds it took so far. Anything else, such as what a step prints, is nothing.
fn part(text: &str, parts: &mut Parts) {
    let known = [
        "sha256:",
        "extracting sha256:",
        "transferring context",
        "pushing ",
    ];
    if !known.iter().any(|k| text.starts_with(k)) {
        return;
    }
    let mut words: Vec<&str> = text.split(' ').collect();
    if words.last() == Some(&"done") {
        words.pop();
    }
    let seconds = words.last().and_then(|w| w.strip_suffix('s'));
    let seconds = seconds
        .filter(|s| !s.ends_with(|c: char| c.is_ascii_alphabetic()))
        .and_then(|s| s.parse::<f64>().ok())
        .filter(|s| (0.0..=MAX_SECONDS).contains(s));
    if seconds.is_some() {
        words.pop();
    }
    let size = words.last().and_then(|w| size(w));
    if size.is_some() {
        words.pop();
        if words.last() == Some(&"/") {
            words.truncate(words.len().saturating_sub(2));
        }
    }
    let Some(part) = parts.of(&words.join(" ")) else {
        return;
    };
    part.bytes = part.bytes.max(size.unwrap_or(0));
    part.seconds = seconds.or(part.seconds);
}

/// `30.01MB`, in decimal units as the builder prints them.
fn size(word: &str) -> Option<u64> {
    let at = word.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = word.split_at(at);
    let factor = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * factor) as u64)
}

pub(super) fn read(text: &str) -> Result<Log, LogError> {
    let mut steps: Vec<LogStep> = Vec::new();
    let mut parts: Vec<Parts> = Vec::new();
    let mut by_number: FxHashMap<u32, usize> = FxHashMap::default();
    let mut error = None;
    let mut mixed: BTreeSet<usize> = BTreeSet::new();
    // The step whose title may go on in the next line.
    let mut open: Option<usize> = None;
    for (i, line) in text.lines().enumerate() {
        let line = bare(line);
        let Some((n, rest)) = number(&line) else {
            match open {
                Some(at) if !line.is_empty() => {
                    steps[at].name.push('\n');
                    steps[at].name.push_str(&line);
                }
                _ => open = None,
            }
            if line.starts_with("ERROR: ") {
                error = Some(line.into_owned());
            }
            continue;
        };
        open = None;
        let Some(at) = by_number.get(&n).copied() else {
            by_number.insert(n, steps.len());
            open = Some(steps.len());
            steps.push(LogStep {
                name: rest.to_owned(),
                seen: Seen::NotStarted,
                seconds: None,
                line: i + 1,
                parts: Vec::new(),
            });
            parts.push(Parts::default());
            continue;
        };
        let step = &mut steps[at];
        if let Some(first) = step.name.split('\n').next()
            && first == rest
        {
            continue;
        }
        // Two builds that write at the same time use the same numbers.
        if super::title(rest).is_some() && super::title(&step.name).is_some() {
            mixed.insert(at);
            continue;
        }
        match said(rest, i + 1)? {
            Said::Cached => step.seen = Seen::Cached,
            Said::Failed => step.seen = Seen::Failed,
            Said::Canceled => step.seen = Seen::Canceled,
            Said::Done(seconds) => {
                step.seen = Seen::Ran;
                step.seconds = seconds;
            }
            Said::Other => part(rest, &mut parts[at]),
        }
    }
    Ok(Log {
        format: LogFormat::Plain,
        notes: match mixed.len() {
            0 => Vec::new(),
            n => vec![format!(
                "{n} numbers stand for steps of two builds that wrote at the same time: these steps are left out"
            )],
        },
        steps: {
            let told = steps.into_iter().zip(parts);
            let told = told.map(|(step, parts)| LogStep {
                parts: parts.all,
                ..step
            });
            let kept = told.enumerate();
            let kept = kept.filter(|(at, _)| !mixed.contains(at));
            kept.map(|(_, step)| step).collect()
        },
        error,
        last_words: Vec::new(),
    })
}
