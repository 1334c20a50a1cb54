//! Times of bake files: `timeadd` and `formatdate`.
//!
//! Goes in: a time as RFC 3339 has it, and a duration or a format. Comes out: a text; none where bake
//! refuses the call. Cost: linear in the texts. Invariant: no clock, and no zone but the one that is
//! written. The rules are those of go-cty (`datetime.go`) and were tried with buildx 0.29.

use crate::dockerfile::check::duration;
use jiff::SignedDuration;
use jiff::civil::DateTime;
use std::fmt::Write as _;

/// A time where its zone has it, and minutes from there to UTC.
struct Time {
    local: DateTime,
    offset: i32,
}

/// Digits from a place on, of which there are so many.
fn digits(text: &str, at: usize, many: usize) -> Option<i32> {
    let part = text.get(at..at + many)?;
    let all = part.bytes().all(|b| b.is_ascii_digit());
    part.parse().ok().filter(|_| all)
}

impl Time {
    /// Stricter than most readers: large letters, all parts, no leap second.
    fn parse(text: &str) -> Option<Self> {
        let marks = [(4, '-'), (7, '-'), (10, 'T'), (13, ':'), (16, ':')];
        if marks
            .iter()
            .any(|(at, mark)| text.as_bytes().get(*at) != Some(&(*mark as u8)))
        {
            return None;
        }
        let part = |at| digits(text, at, 2).and_then(|n| i8::try_from(n).ok());
        let year = i16::try_from(digits(text, 0, 4)?).ok()?;
        let mut rest = text.get(19..)?;
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let end = fraction.find(|c: char| !c.is_ascii_digit())?;
            let (kept, behind) = fraction.split_at(end);
            let kept: String = kept.chars().chain("000000000".chars()).take(9).collect();
            nanos = kept.parse().ok().filter(|_| end > 0)?;
            rest = behind;
        }
        let offset = match rest.strip_prefix(['+', '-']) {
            None if rest == "Z" => 0,
            Some(zone) if zone.len() == 5 && zone.as_bytes()[2] == b':' => {
                let (hours, minutes) = (digits(zone, 0, 2)?, digits(zone, 3, 2)?);
                let minutes = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
                if rest.starts_with('-') {
                    -minutes
                } else {
                    minutes
                }
            }
            _ => return None,
        };
        let second = part(17).filter(|s| *s < 60)?;
        let local = DateTime::new(
            year,
            part(5)?,
            part(8)?,
            part(11)?,
            part(14)?,
            second,
            nanos,
        );
        Some(Self {
            local: local.ok()?,
            offset,
        })
    }

    /// `+05:30` with that text between hours and minutes.
    fn zone(&self, between: &str) -> String {
        let (sign, minutes) = match self.offset < 0 {
            true => ('-', -self.offset),
            false => ('+', self.offset),
        };
        format!("{sign}{:02}{between}{:02}", minutes / 60, minutes % 60)
    }

    fn zone_or(&self, utc: &str, between: &str) -> String {
        match self.offset {
            0 => utc.to_owned(),
            _ => self.zone(between),
        }
    }

    /// One run of a letter in a format.
    fn verb(&self, verb: &str) -> Option<String> {
        let t = &self.local;
        let padded = |n: i8| match verb.len() {
            1 => Some(n.to_string()),
            2 => Some(format!("{n:02}")),
            _ => None,
        };
        let month = MONTHS.get(usize::try_from(t.month() - 1).ok()?)?;
        let day = DAYS.get(usize::try_from(t.weekday().to_monday_zero_offset()).ok()?)?;
        let noon = if t.hour() < 12 { "am" } else { "pm" };
        match verb {
            "YY" => Some(format!("{:02}", t.year() % 100)),
            "YYYY" => Some(format!("{:04}", t.year())),
            "MMM" => Some(month[..3].to_owned()),
            "MMMM" => Some((*month).to_owned()),
            "EEE" => Some(day[..3].to_owned()),
            "EEEE" => Some((*day).to_owned()),
            "M" | "MM" => padded(t.month()),
            "D" | "DD" => padded(t.day()),
            "h" | "hh" => padded(t.hour()),
            "H" | "HH" => padded((t.hour() + 11) % 12 + 1),
            "AA" => Some(noon.to_uppercase()),
            "aa" => Some(noon.to_owned()),
            "m" | "mm" => padded(t.minute()),
            "s" | "ss" => padded(t.second()),
            "Z" => Some(self.zone_or("Z", ":")),
            "ZZZ" => Some(self.zone_or("UTC", "")),
            "ZZZZ" => Some(self.zone("")),
            "ZZZZZ" => Some(self.zone(":")),
            _ => None,
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// A time so much later, without fractions of its seconds.
pub(super) fn add(time: &str, later: &str) -> Option<String> {
    let mut time = Time::parse(time)?;
    let later = SignedDuration::from_nanos(duration(later)?);
    time.local = time.local.checked_add(later).ok()?;
    let zone = time.zone_or("Z", ":");
    Some(format!(
        "{}{zone}",
        time.local.strftime("%Y-%m-%dT%H:%M:%S")
    ))
}

/// Runs of a letter stand for a part of the time; text between quotes and all else is itself.
pub(super) fn format(format: &str, time: &str) -> Option<String> {
    let time = Time::parse(time)?;
    let mut out = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_alphabetic() {
            let end = rest.find(|c| c != first).unwrap_or(rest.len());
            let _ = write!(out, "{}", time.verb(&rest[..end])?);
            rest = &rest[end..];
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            rest = literal(quoted, &mut out)?;
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Some(out)
}

/// What stands up to the closing quote, two of which are one; then what is behind.
fn literal<'t>(mut text: &'t str, out: &mut String) -> Option<&'t str> {
    loop {
        let (part, behind) = text.split_once('\'')?;
        out.push_str(part);
        match behind.strip_prefix('\'') {
            None => return Some(behind),
            Some(behind) => {
                out.push('\'');
                text = behind;
            }
        }
    }
}
