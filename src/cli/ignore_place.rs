//! Where the ignore file lies that a plan writes, and what comes to stand in it.
//!
//! Goes in: a subject and the lines of a plan. Comes out: a file name and its text. Reads the file that is there today.
//! Invariant: a new file is left out of the context by a line of it.

use super::subject::{Place, Subject};
use crate::context::IgnoreLookup;
use crate::optimize::with_lines;
use crate::pattern::{IgnoreRules, PathFilter};
use crate::source::SourceFile;

/// The ignore file that a plan writes.
pub struct IgnorePlace {
    /// Relative to PATH.
    pub file: String,
    /// What it holds today; nothing where it is not there.
    pub before: Vec<u8>,
}

/// The ignore file in force, or one beside the Dockerfile where other Dockerfiles share the one in force: theirs stay as
/// they are.
#[must_use]
pub fn of(place: &Place, subject: &Subject, shared: bool) -> IgnorePlace {
    let beside = format!("{}.dockerignore", subject.target.file);
    let own = subject.ignore_file.as_deref() == Some(&beside);
    let may = subject.ignore_lookup == IgnoreLookup::BuildKit && subject.target.inline.is_none();
    if shared && may && !own {
        return IgnorePlace {
            before: place.read(&beside).unwrap_or_default(),
            file: beside,
        };
    }
    let new = || match subject.context.trim_end_matches('/') {
        "." | "" => ".dockerignore".to_owned(),
        dir => format!("{dir}/.dockerignore"),
    };
    IgnorePlace {
        file: subject.ignore_file.clone().unwrap_or_else(new),
        before: subject
            .ignore_text
            .as_ref()
            .map_or(Vec::new(), |t| t.bytes().to_vec()),
    }
}

/// The text of the ignore file with the lines of a plan, and where it needs one a line of its own.
#[must_use]
pub fn with_own_line(
    place: &Place,
    subject: &Subject,
    at: &IgnorePlace,
    lines: &[String],
) -> Vec<u8> {
    let text = with_lines(subject.ignore_text.as_ref(), lines);
    match own_line(place, subject, at, &text) {
        Some(own) => {
            let all: Vec<String> = lines.iter().cloned().chain([own]).collect();
            with_lines(subject.ignore_text.as_ref(), &all)
        }
        None => text,
    }
}

/// A line that leaves a new ignore file out of the context itself: it would come with the folder it lies in wherever that is
/// copied. Nothing where it is not new, lies elsewhere or is left out already.
fn own_line(place: &Place, subject: &Subject, at: &IgnorePlace, text: &[u8]) -> Option<String> {
    if place.read(&at.file).is_some() {
        return None;
    }
    let path = match subject.context.trim_end_matches('/') {
        "." | "" => at.file.as_str(),
        dir => at.file.strip_prefix(dir)?.strip_prefix('/')?,
    };
    let path = path.strip_prefix("./").unwrap_or(path);
    let rules = IgnoreRules::parse(&SourceFile::new("", text.to_vec())).0;
    if PathFilter::new(&rules).ignored(path.as_bytes()) {
        return None;
    }
    let mut line = String::new();
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            line.push('\\');
        }
        line.push(c);
    }
    // A name may start like a comment or an exception.
    Some(match line.starts_with(['#', '!']) {
        true => format!("/{line}"),
        false => line,
    })
}
