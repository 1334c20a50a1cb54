//! The functions of bake files that depend on nothing but their arguments.
//!
//! Goes in: a name and values. Comes out: a value, or what is wrong, to be read after "depends on".
//! Cost: linear in arguments and result; results that would pass the limit are refused before they
//! are made. Invariant: no clock, no random numbers, no environment: such functions are unknown.

use super::evaluate::{Value, number, text, truth};
use super::{derived, encoding};
use std::collections::BTreeMap;

/// More bytes than this are not compiled into a pattern.
const MAX_PATTERN: usize = 1 << 16;

/// Starts the reason why an expression has no value where bake knows a function that is not here.
pub(super) const UNKNOWN: &str = "the function ";

/// Ends the reason why an expression has no value where it has another one in every build.
pub(super) const VARIES: &str = "which differs in every build";

/// Calls a built-in function; the result has at most `limit` bytes.
pub(super) fn call(name: &str, arguments: &[Value], limit: usize) -> Result<Value, String> {
    let odd = || format!("a call of {name} that is not understood");
    let string = |at: usize| match arguments.get(at) {
        Some(value) => text(value.clone()).map_err(|_| odd()),
        None => Err(odd()),
    };
    let num = |at: usize| arguments.get(at).and_then(number).ok_or_else(odd);
    let yes = |at: usize| arguments.get(at).and_then(truth).ok_or_else(odd);
    let list = |at: usize| match arguments.get(at) {
        Some(Value::List(items)) => Ok(items),
        _ => Err(odd()),
    };
    let flag = |value: bool| Ok(Value::Bool(value));
    let word = |value: String| Ok(Value::Text(value));
    let first = |at: usize| arguments.get(at).ok_or_else(odd);
    match name {
        "upper" => word(string(0)?.to_uppercase()),
        "lower" => word(string(0)?.to_lowercase()),
        "title" => word(title(&string(0)?)),
        "chomp" => word(string(0)?.trim_end_matches(['\r', '\n']).to_owned()),
        "trimspace" => word(string(0)?.trim().to_owned()),
        "trim" => {
            let set: Vec<char> = string(1)?.chars().collect();
            word(string(0)?.trim_matches(set.as_slice()).to_owned())
        }
        "trimprefix" => {
            let (all, part) = (string(0)?, string(1)?);
            word(all.strip_prefix(&part).unwrap_or(&all).to_owned())
        }
        "trimsuffix" => {
            let (all, part) = (string(0)?, string(1)?);
            word(all.strip_suffix(&part).unwrap_or(&all).to_owned())
        }
        "replace" => {
            let (all, old, new) = (string(0)?, string(1)?, string(2)?);
            let times = all.matches(old.as_str()).count();
            bounded(
                all.len().saturating_add(times.saturating_mul(new.len())),
                limit,
            )?;
            word(all.replace(&old, &new))
        }
        "regex_replace" => {
            let (all, pattern, new) = (string(0)?, pattern(&string(1)?)?, string(2)?);
            let worst = all.len().saturating_add(1).saturating_mul(new.len());
            bounded(all.len().saturating_add(worst), limit)?;
            let new = new.replace("$$", "\u{0}").replace('\u{0}', "$$");
            let out = pattern.replace_all(&all, new.as_str()).into_owned();
            bounded(out.len(), limit)?;
            word(out)
        }
        "sanitize" => {
            let safe = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let map = |c: char| if safe(c) { c } else { '_' };
            word(string(0)?.chars().map(map).collect())
        }
        "basename" => {
            let path = string(0)?;
            word(
                path.trim_end_matches('/')
                    .rsplit('/')
                    .next()
                    .unwrap_or("")
                    .to_owned(),
            )
        }
        "split" => {
            let (separator, all) = (string(0)?, string(1)?);
            let parts: Vec<Value> = match separator.as_str() {
                "" => all.chars().map(|c| Value::Text(c.to_string())).collect(),
                s => all.split(s).map(|p| Value::Text(p.to_owned())).collect(),
            };
            Ok(Value::List(parts))
        }
        "join" => {
            let separator = string(0)?;
            let mut parts = Vec::new();
            for at in 1..arguments.len() {
                for item in list(at)? {
                    parts.push(text(item.clone()).map_err(|_| odd())?);
                }
            }
            bounded(separator.len().saturating_mul(parts.len()), limit)?;
            word(parts.join(&separator))
        }
        "format" => word(format(
            &string(0)?,
            arguments.get(1..).unwrap_or(&[]),
            limit,
        )?),
        "strlen" => Ok(count(string(0)?.chars().count())),
        "substr" => {
            let all: Vec<char> = string(0)?.chars().collect();
            let from = position(num(1)?, all.len());
            let length = num(2)?;
            let to = match length < 0.0 {
                true => all.len(),
                false => from
                    .saturating_add(position(length, usize::MAX))
                    .min(all.len()),
            };
            word(all.get(from..to).unwrap_or(&[]).iter().collect())
        }
        "reverse" => word(string(0)?.chars().rev().collect()),
        "reverselist" => Ok(Value::List(list(0)?.iter().rev().cloned().collect())),
        "concat" | "setunion" => {
            let mut out: Vec<Value> = Vec::new();
            for at in 0..arguments.len() {
                out.extend(list(at)?.iter().cloned());
            }
            match name {
                "setunion" => set(out),
                _ => Ok(Value::List(out)),
            }
        }
        "flatten" => {
            let mut out = Vec::new();
            flatten(list(0)?, &mut out);
            Ok(Value::List(out))
        }
        "distinct" => unique(list(0)?),
        "compact" => {
            let empty = |v: &&Value| !matches!(v, Value::Null) && **v != Value::Text(String::new());
            Ok(Value::List(
                list(0)?.iter().filter(empty).cloned().collect(),
            ))
        }
        "contains" => flag(list(0)?.contains(first(1)?)),
        "sort" => {
            let items = list(0)?.iter().map(|item| text(item.clone()));
            let mut items: Vec<String> = items.collect::<Result<_, _>>()?;
            items.sort();
            Ok(Value::List(items.into_iter().map(Value::Text).collect()))
        }
        "slice" => {
            let items = list(0)?;
            let (from, to) = (
                position(num(1)?, items.len()),
                position(num(2)?, items.len()),
            );
            Ok(Value::List(items.get(from..to).ok_or_else(odd)?.to_vec()))
        }
        "element" => {
            let items = list(0)?;
            let at = position(num(1)?, usize::MAX).checked_rem(items.len());
            at.and_then(|at| items.get(at)).cloned().ok_or_else(odd)
        }
        "index" => index(first(0)?, first(1)?),
        "indexof" => {
            let found = list(0)?
                .iter()
                .position(|item| Some(item) == arguments.get(1));
            found.map(count).ok_or_else(odd)
        }
        "length" => match first(0)? {
            Value::List(items) => Ok(count(items.len())),
            Value::Object(object) => Ok(count(object.len())),
            _ => Err(odd()),
        },
        "keys" | "values" => match (first(0)?, name) {
            (Value::Object(object), "keys") => Ok(Value::List(
                object.keys().cloned().map(Value::Text).collect(),
            )),
            (Value::Object(object), _) => Ok(Value::List(object.values().cloned().collect())),
            _ => Err(odd()),
        },
        "lookup" => match (first(0)?, arguments.get(2)) {
            (Value::Object(object), default) => {
                object.get(&string(1)?).or(default).cloned().ok_or_else(odd)
            }
            _ => Err(odd()),
        },
        "merge" => {
            let mut out = BTreeMap::new();
            for value in arguments {
                match value {
                    Value::Object(object) => out.extend(object.clone()),
                    Value::Null => {}
                    _ => return Err(odd()),
                }
            }
            Ok(Value::Object(out))
        }
        "zipmap" => {
            let keys = list(0)?.iter().map(|key| text(key.clone()));
            let keys: Vec<String> = keys.collect::<Result<_, _>>()?;
            Ok(Value::Object(
                keys.into_iter().zip(list(1)?.iter().cloned()).collect(),
            ))
        }
        "hasindex" => flag(index(first(0)?, first(1)?).is_ok()),
        "setproduct" => product(arguments, limit),
        "coalesce" => {
            let found = arguments.iter().find(|value| **value != Value::Null);
            found.cloned().ok_or_else(odd)
        }
        "coalescelist" => {
            let filled = |v: &&Value| matches!(v, Value::List(items) if !items.is_empty());
            arguments.iter().find(filled).cloned().ok_or_else(odd)
        }
        "range" => range(arguments, limit).ok_or_else(odd),
        "equal" => flag(first(0)? == first(1)?),
        "notequal" => flag(first(0)? != first(1)?),
        "not" => flag(!yes(0)?),
        "and" => flag(yes(0)? && yes(1)?),
        "or" => flag(yes(0)? || yes(1)?),
        "greaterthan" => flag(num(0)? > num(1)?),
        "greaterthanorequalto" => flag(num(0)? >= num(1)?),
        "lessthan" => flag(num(0)? < num(1)?),
        "lessthanorequalto" => flag(num(0)? <= num(1)?),
        "add" => Ok(Value::Number(num(0)? + num(1)?)),
        "subtract" => Ok(Value::Number(num(0)? - num(1)?)),
        "multiply" => Ok(Value::Number(num(0)? * num(1)?)),
        "divide" if num(1)? != 0.0 => Ok(Value::Number(num(0)? / num(1)?)),
        "modulo" if num(1)? != 0.0 => Ok(Value::Number(num(0)? % num(1)?)),
        "negate" => Ok(Value::Number(-num(0)?)),
        "absolute" => Ok(Value::Number(num(0)?.abs())),
        "floor" => Ok(Value::Number(num(0)?.floor())),
        "ceil" => Ok(Value::Number(num(0)?.ceil())),
        "int" => Ok(Value::Number(num(0)?.trunc())),
        "min" | "max" => {
            let numbers: Option<Vec<f64>> = arguments.iter().map(number).collect();
            let fold = if name == "min" { f64::min } else { f64::max };
            let found = numbers.and_then(|numbers| numbers.into_iter().reduce(fold));
            found.map(Value::Number).ok_or_else(odd)
        }
        "jsonencode" => word(json(first(0)?).to_string()),
        "jsondecode" => {
            let parsed = serde_json::from_str(&string(0)?).map_err(|_| odd())?;
            from_json(parsed).ok_or_else(odd)
        }
        "dirname" => word(dirname(&string(0)?)),
        "indent" => {
            let (pad, all) = (position(num(0)?, 0), string(1)?);
            let lines = all.matches('\n').count();
            bounded(
                all.len().saturating_add(pad.saturating_mul(lines + 1)),
                limit,
            )?;
            word(all.replace('\n', &format!("\n{}", " ".repeat(pad))))
        }
        "formatlist" => format_list(&string(0)?, arguments.get(1..).unwrap_or(&[]), limit),
        "chunklist" => {
            let (items, size) = (list(0)?, position(num(1)?, 0));
            let size = if size == 0 { items.len().max(1) } else { size };
            let parts = items.chunks(size).map(|part| Value::List(part.to_vec()));
            Ok(Value::List(parts.collect()))
        }
        "regex" | "regexall" => {
            let (pattern, all) = (pattern(&string(0)?)?, string(1)?);
            // Every group may match in every place, and a text takes some bytes even if it is empty.
            let places = (all.len() + 1).saturating_mul(pattern.captures_len());
            bounded(places.saturating_mul(size_of::<Value>()), limit)?;
            let mut found = pattern.captures_iter(&all).map(|c| captured(&pattern, &c));
            if name == "regexall" {
                return Ok(Value::List(found.collect()));
            }
            found
                .next()
                .ok_or_else(|| "a pattern that does not match".to_owned())
        }
        "setintersection" | "setsubtract" | "setsymmetricdifference" => {
            let (a, b) = (list(0)?, list(1)?);
            bounded(a.len().saturating_mul(b.len()), 4_000_000)?;
            let both = name == "setintersection";
            let mut out: Vec<Value> = a
                .iter()
                .filter(|v| b.contains(v) == both)
                .cloned()
                .collect();
            if name == "setsymmetricdifference" {
                out.extend(b.iter().filter(|v| !a.contains(v)).cloned());
            }
            set(out)
        }
        "sethaselement" => flag(list(0)?.contains(first(1)?)),
        "signum" => Ok(Value::Number(match num(0)? {
            n if n > 0.0 => 1.0,
            n if n < 0.0 => -1.0,
            _ => 0.0,
        })),
        "pow" => finite(num(0)?.powf(num(1)?)).ok_or_else(odd),
        "log" => finite(num(0)?.ln() / num(1)?.ln()).ok_or_else(odd),
        "parseint" => {
            let base = position(num(1)?, 0);
            parse_int(&string(0)?, base).ok_or_else(odd)
        }
        "base64encode" => word(encoding::base64(&string(0)?)),
        "base64decode" => encoding::from_base64(&string(0)?)
            .map(Value::Text)
            .ok_or_else(odd),
        "urlencode" => word(encoding::url(&string(0)?)),
        "md5" | "sha1" | "sha256" | "sha512" => word(encoding::hash(name, &string(0)?)),
        "timestamp" | "uuidv4" | "bcrypt" => Err(format!("{UNKNOWN}{name}, {VARIES}")),
        _ => match derived::call(name, arguments, limit) {
            Some(value) => value.ok_or_else(odd),
            None => Err(format!("{UNKNOWN}{name}")),
        },
    }
}

fn finite(number: f64) -> Option<Value> {
    number.is_finite().then_some(Value::Number(number))
}

/// Whole numbers a float holds exactly, in a base from 2 to 36.
#[allow(clippy::cast_precision_loss)]
fn parse_int(text: &str, base: usize) -> Option<Value> {
    let base = u32::try_from(base).ok().filter(|b| (2..=36).contains(b))?;
    let number = i64::from_str_radix(text, base).ok()?;
    (number.abs() < 1 << 53).then_some(Value::Number(number as f64))
}

/// `path.Dir` of Go.
fn dirname(path: &str) -> String {
    let folder = path.rfind('/').map_or("", |n| &path[..=n]);
    let clean = crate::pattern::clean(folder);
    match clean.as_str() {
        "" => ".".to_owned(),
        _ => clean,
    }
}

/// What a match is: the text, a list of its groups, or an object if they have names.
fn captured(pattern: &regex::Regex, found: &regex::Captures<'_>) -> Value {
    let text = |group: Option<regex::Match<'_>>| match group {
        Some(group) => Value::Text(group.as_str().to_owned()),
        None => Value::Null,
    };
    let names: Vec<&str> = pattern.capture_names().flatten().collect();
    if !names.is_empty() {
        let pairs = names.iter().map(|n| ((*n).to_owned(), text(found.name(n))));
        return Value::Object(pairs.collect());
    }
    match found.len() {
        1 => text(found.get(0)),
        n => Value::List((1..n).map(|i| text(found.get(i))).collect()),
    }
}

/// One text for each row of the lists; what is no list is in every row.
fn format_list(template: &str, arguments: &[Value], limit: usize) -> Result<Value, String> {
    let mut lengths = arguments.iter().filter_map(|a| match a {
        Value::List(items) => Some(items.len()),
        _ => None,
    });
    let count = lengths.next().unwrap_or(1);
    if lengths.any(|n| n != count) {
        return Err("lists of different lengths".to_owned());
    }
    let mut left = limit;
    let mut out = Vec::new();
    for row in 0..count {
        let cell = |a: &Value| match a {
            Value::List(items) => items[row].clone(),
            other => other.clone(),
        };
        let cells: Vec<Value> = arguments.iter().map(cell).collect();
        let text = format(template, &cells, left)?;
        left = left.saturating_sub(text.len() + 32);
        out.push(Value::Text(text));
    }
    Ok(Value::List(out))
}

fn bounded(bytes: usize, limit: usize) -> Result<(), String> {
    match bytes <= limit {
        true => Ok(()),
        false => Err("values that are too large".to_owned()),
    }
}

fn pattern(text: &str) -> Result<regex::Regex, String> {
    let builder = regex::RegexBuilder::new(text)
        .size_limit(1 << 20)
        .build()
        .ok();
    let builder = builder.filter(|_| text.len() <= MAX_PATTERN);
    builder.ok_or_else(|| "a pattern that is not understood".to_owned())
}

#[allow(clippy::cast_precision_loss)]
fn count(n: usize) -> Value {
    Value::Number(n as f64)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)]
fn position(number: f64, length: usize) -> usize {
    match number < 0.0 {
        true => length.saturating_sub(number.abs() as usize),
        // A cast saturates.
        false => number as usize,
    }
}

/// An item of a list, or a member of an object.
pub(super) fn index(value: &Value, at: &Value) -> Result<Value, String> {
    let found = match value {
        Value::List(items) => number(at)
            .filter(|n| *n >= 0.0 && n.fract() == 0.0)
            .and_then(|n| items.get(position(n, 0))),
        Value::Object(object) => text(at.clone()).ok().and_then(|key| object.get(&key)),
        _ => None,
    };
    found
        .cloned()
        .ok_or_else(|| "a part that is not there".to_owned())
}

fn title(text: &str) -> String {
    let mut start = true;
    let mut out = String::new();
    for c in text.chars() {
        match start {
            true => out.extend(c.to_uppercase()),
            false => out.push(c),
        }
        start = !c.is_alphanumeric() && c != '_' && c != '\'';
    }
    out
}

fn flatten(items: &[Value], out: &mut Vec<Value>) {
    // Values are no deeper than the expressions that made them.
    for item in items {
        match item {
            Value::List(inner) => flatten(inner, out),
            other => out.push(other.clone()),
        }
    }
}

fn unique(items: &[Value]) -> Result<Value, String> {
    bounded(items.len(), 2_000)?;
    let mut out: Vec<Value> = Vec::new();
    for item in items {
        if !out.contains(item) {
            out.push(item.clone());
        }
    }
    Ok(Value::List(out))
}

/// A set of texts is sorted.
fn set(items: Vec<Value>) -> Result<Value, String> {
    let items = items
        .into_iter()
        .map(text)
        .collect::<Result<std::collections::BTreeSet<_>, _>>()?;
    Ok(Value::List(items.into_iter().map(Value::Text).collect()))
}

fn product(arguments: &[Value], limit: usize) -> Result<Value, String> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for argument in arguments {
        let Value::List(items) = argument else {
            return Err("a call of setproduct that is not understood".to_owned());
        };
        let cells = rows.len().saturating_mul(items.len());
        bounded(cells.saturating_mul(64 * arguments.len()), limit)?;
        let bytes: usize = items.iter().map(super::evaluate::size).sum();
        bounded(bytes.saturating_mul(rows.len()), limit)?;
        rows = rows
            .iter()
            .flat_map(|row| {
                items.iter().map(|item| {
                    let mut row = row.clone();
                    row.push(item.clone());
                    row
                })
            })
            .collect();
    }
    Ok(Value::List(rows.into_iter().map(Value::List).collect()))
}

fn range(arguments: &[Value], limit: usize) -> Option<Value> {
    let numbers: Vec<f64> = arguments.iter().map(number).collect::<Option<_>>()?;
    let (start, end, step) = match numbers.as_slice() {
        [end] => (0.0, *end, if *end < 0.0 { -1.0 } else { 1.0 }),
        [start, end] => (*start, *end, if end < start { -1.0 } else { 1.0 }),
        [start, end, step] => (*start, *end, *step),
        _ => return None,
    };
    let steps = (end - start) / step;
    if !steps.is_finite() || steps > 1024.0 || limit < 1 << 15 {
        return None;
    }
    let mut out = Vec::new();
    let mut at = start;
    while (step > 0.0 && at < end) || (step < 0.0 && at > end) {
        out.push(Value::Number(at));
        at += step;
    }
    Some(Value::List(out))
}

/// The verbs `%s %d %v %q %%` without flags, and zero-padded `%0Nd`.
fn format(template: &str, arguments: &[Value], limit: usize) -> Result<String, String> {
    let odd = || "a format that is not understood".to_owned();
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(odd)?;
        let width = &rest[..end];
        let verb = rest[end..].chars().next().ok_or_else(odd)?;
        rest = &rest[end + verb.len_utf8()..];
        let padding: usize = match width {
            "" => 0,
            digits => digits.parse().ok().filter(|n| *n <= 64).ok_or_else(odd)?,
        };
        let zeros = width.starts_with('0');
        let mut next = || arguments.next().cloned().ok_or_else(odd);
        let word = match verb {
            '%' => "%".to_owned(),
            's' | 'v' => text(next()?)?,
            'd' => number(&next()?)
                .map(f64::trunc)
                .ok_or_else(odd)?
                .to_string(),
            'q' => json(&Value::Text(text(next()?)?)).to_string(),
            _ => return Err(odd()),
        };
        bounded(out.len() + word.len() + padding, limit)?;
        let missing = padding.saturating_sub(word.chars().count());
        out.push_str(&if zeros { "0" } else { " " }.repeat(missing));
        out.push_str(&word);
    }
    out.push_str(rest);
    Ok(out)
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        #[allow(clippy::cast_possible_truncation)]
        Value::Number(n) if n.fract() == 0.0 && n.abs() < 9e15 => (*n as i64).into(),
        Value::Number(n) => (*n).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Object(object) => {
            let pairs = object.iter().map(|(key, value)| (key.clone(), json(value)));
            serde_json::Value::Object(pairs.collect())
        }
    }
}

fn from_json(value: serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => Value::Number(number.as_f64()?),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => {
            Value::List(items.into_iter().map(from_json).collect::<Option<_>>()?)
        }
        serde_json::Value::Object(object) => {
            let pairs = object
                .into_iter()
                .map(|(key, value)| Some((key, from_json(value)?)));
            Value::Object(pairs.collect::<Option<_>>()?)
        }
    })
}
