//! Differences in words. Values are the repository's to choose: each is quoted and cut.

use super::files::{FileChange, FileChangeKind};
use crate::plan::{Input, Origin, Plan, Step, Written, WrittenVar};
use std::fmt::Write as _;

/// Characters of a value that are shown.
const WIDTH: usize = 72;
/// Differences that are named.
const MOST: usize = 3;

/// A value between back quotes on one line: what would not be seen is shown as a code, and what is too
/// long is cut.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("`");
    for (n, c) in text.chars().enumerate() {
        if n == WIDTH {
            out.push('…');
            break;
        }
        push(&mut out, c);
    }
    out.push('`');
    out
}

fn push(out: &mut String, c: char) {
    match c {
        '\'' | '"' | '\\' => out.push(c),
        '`' => out.push_str("\\`"),
        _ => out.extend(c.escape_debug()),
    }
}

/// Two values that differ, each cut around the first place where they do.
fn apart(old: &str, new: &str) -> (String, String) {
    let common = old
        .chars()
        .zip(new.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let short = |text: &str| text.chars().count() <= WIDTH;
    if short(old) && short(new) || common < WIDTH / 2 {
        return (quoted(old), quoted(new));
    }
    let from = common - WIDTH / 4;
    let cut = |text: &str| {
        let rest: String = text.chars().skip(from).collect();
        let shown = quoted(&rest);
        format!("`…{}", &shown[1..])
    };
    (cut(old), cut(new))
}

/// What differs between two definitions, the first few parts of it.
pub fn differences(old: &Step, new: &Step) -> String {
    let mut found = fields(&old.written, &new.written);
    found.extend(vars(&old.written.vars, &new.written.vars));
    if found.is_empty() {
        return "its definition changed in form only".to_owned();
    }
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    let mut out = found.join("; ");
    if more > 0 {
        let _ = write!(out, "; and {more} more");
    }
    out
}

fn fields(old: &Written, new: &Written) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in new.fields.iter().chain(&old.fields) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let mut out = Vec::new();
    for name in names {
        let of = |w: &Written| -> Vec<String> {
            let with = w.fields.iter().filter(|(n, _)| *n == name);
            with.map(|(_, v)| v.clone()).collect()
        };
        let (was, now) = (of(old), of(new));
        if was == now {
            continue;
        }
        if let ([a], [b]) = (was.as_slice(), now.as_slice()) {
            let (a, b) = apart(a, b);
            out.push(format!("{name} changed from {a} to {b}"));
            continue;
        }
        let gone = was.iter().filter(|v| !now.contains(v));
        let fresh = now.iter().filter(|v| !was.contains(v));
        let before = out.len();
        out.extend(fresh.map(|v| format!("{name} {} is new", quoted(v))));
        out.extend(gone.map(|v| format!("{name} {} is gone", quoted(v))));
        if out.len() == before {
            out.push(format!("the order of {name} changed"));
        }
    }
    out
}

fn keyword(origin: Origin) -> &'static str {
    match origin {
        Origin::Arg => "ARG",
        Origin::Env => "ENV",
    }
}

fn vars(old: &[WrittenVar], new: &[WrittenVar]) -> Vec<String> {
    let find = |list: &[WrittenVar], name: &str| list.iter().find(|v| v.name == name).cloned();
    let value = |v: &WrittenVar| match &v.value {
        Some(value) => quoted(value),
        None => "a value of its own in every build".to_owned(),
    };
    let mut out = Vec::new();
    for now in new {
        let name = quoted(&now.name);
        match find(old, &now.name) {
            None => out.push(format!(
                "{} {name} = {} is new",
                keyword(now.origin),
                value(now)
            )),
            Some(was) if was.value != now.value => {
                let (a, b) = match (&was.value, &now.value) {
                    (Some(a), Some(b)) => apart(a, b),
                    _ => (value(&was), value(now)),
                };
                out.push(format!(
                    "{} {name} changed from {a} to {b}",
                    keyword(now.origin)
                ));
            }
            Some(was) if was.origin != now.origin => out.push(format!(
                "{name} was an {} and is an {} now",
                keyword(was.origin),
                keyword(now.origin)
            )),
            Some(_) => {}
        }
    }
    for was in old {
        if find(new, &was.name).is_none() {
            out.push(format!(
                "{} {} is gone",
                keyword(was.origin),
                quoted(&was.name)
            ));
        }
    }
    let names =
        |list: &[WrittenVar]| -> Vec<String> { list.iter().map(|v| v.name.clone()).collect() };
    if out.is_empty() && names(old) != names(new) {
        out.push("the order of the variables changed".to_owned());
    }
    out
}

/// Which variable makes a step differ in every build.
pub fn volatile(step: &Step) -> String {
    let names: Vec<String> = step
        .written
        .vars
        .iter()
        .filter(|v| v.value.is_none())
        .map(|v| quoted(&v.name))
        .collect();
    match names.as_slice() {
        [] => "a build arg in its text differs in every build".to_owned(),
        [one] => format!("{one} differs in every build"),
        many => format!("{} differ in every build", many.join(", ")),
    }
}

/// Sources that changed without the definition, in which only their last elements are.
pub fn sources(old: &Step, new: &Step, old_plan: &Plan, new_plan: &Plan) -> Option<String> {
    let list = |step: &Step, plan: &Plan| -> Vec<String> {
        let one = |i: &Input| match i {
            Input::Context(c) => c.sources.clone(),
            Input::Stage { stage, sources, .. } => {
                let stage = plan.stages.get(*stage).and_then(|s| s.name.clone());
                let stage = stage.unwrap_or_else(|| "another stage".to_owned());
                sources.iter().map(|s| format!("{s} of {stage}")).collect()
            }
            Input::Image(name) => vec![name.clone()],
            Input::Named(n) => n.files.sources.clone(),
            Input::Remote(url) => vec![url.clone()],
        };
        step.inputs.iter().flat_map(one).collect()
    };
    let (was, now) = (list(old, old_plan), list(new, new_plan));
    if was == now {
        return None;
    }
    let gone: Vec<String> = was
        .iter()
        .filter(|s| !now.contains(s))
        .map(|s| quoted(s))
        .collect();
    let fresh: Vec<String> = now
        .iter()
        .filter(|s| !was.contains(s))
        .map(|s| quoted(s))
        .collect();
    Some(match (gone.is_empty(), fresh.is_empty()) {
        (true, true) => "its sources are in another order".to_owned(),
        (false, true) => format!("it does not take {} any more", gone.join(", ")),
        (true, false) => format!("it takes {} too", fresh.join(", ")),
        (false, false) => format!(
            "it takes {} instead of {}",
            fresh.join(", "),
            gone.join(", ")
        ),
    })
}

/// A content cause in one line.
pub fn content(files: &[FileChange], git: bool) -> String {
    let real: Vec<&FileChange> = files
        .iter()
        .filter(|f| !(git && f.path == b".git"))
        .collect();
    let verb = |kind: FileChangeKind| match kind {
        FileChangeKind::Added => "is new",
        FileChangeKind::Modified => "changed",
        FileChangeKind::Deleted => "is gone",
        FileChangeKind::Mode => "has another mode",
        FileChangeKind::Type => "is of another type",
        FileChangeKind::Ignored => "is ignored now",
        FileChangeKind::Unignored => "is not ignored any more",
    };
    let text = match real.as_slice() {
        [] if git => {
            return "it takes the checkout's `.git`, which differs in every build".to_owned();
        }
        [] => "files that it takes changed".to_owned(),
        [one] => {
            let path = quoted(&crate::pattern::display(&one.path));
            format!("{path} {}", verb(one.change))
        }
        many => format!("{} files that it takes changed", many.len()),
    };
    match git {
        true => format!("{text}, and it takes the checkout's `.git`, which differs in every build"),
        false => text,
    }
}

/// A step as a sentence names it.
pub fn shown_step(step: &Step) -> String {
    quoted(&step.name)
}
