//! Different builds that write one cache: each throws away what the other has written.

use super::ci;
use super::facts::{Build, Ci, Item, is_fixed};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Finding, Findings, Project, Rule};

/// `cache-scope-clash`.
pub static RULE: Rule = Rule {
    name: "cache-scope-clash",
    severity: Severity::Warning,
    summary: "different builds write their cache to one place, so that each overwrites the other's",
    also: &[],
    check: Check::Project(check),
};

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let ci = ci(project);
    let mut earlier: Vec<(&Build, &Item)> = Vec::new();
    for build in &ci.builds {
        for item in &build.cache_to {
            let Some((kind, place)) = item.cache_place() else {
                continue;
            };
            if kind == "local" || !is_fixed(place) {
                continue;
            }
            let said = match build.chosen_by.is_empty() {
                false => {
                    tell_matrix(ci, build, item, (kind, place), out);
                    true
                }
                true => {
                    let clash = earlier.iter().find(|(b, i)| clashes(ci, b, i, build, item));
                    if let Some((other, at)) = clash {
                        tell_pair(project, ci, (other, at), (build, item), (kind, place), out);
                    }
                    clash.is_some()
                }
            };
            if !said {
                earlier.push((build, item));
            }
        }
    }
}

fn clashes(ci: &Ci, a: &Build, i: &Item, b: &Build, j: &Item) -> bool {
    if i.cache_place() != j.cache_place() || a.what == b.what {
        return false;
    }
    let (x, y) = (ci.job(a), ci.job(b));
    if !x.triggers.meet(y.triggers) {
        return false;
    }
    // One after the other on one builder: the last one writes what both have.
    let same_file = !a.dockerfiles.is_empty() && a.dockerfiles == b.dockerfiles;
    if a.job == b.job && same_file {
        return false;
    }
    // Names that are not written here may be the same build after all.
    let known = |b: &Build| b.dockerfiles.len() == 1 && !b.opaque && !b.what.contains("${{");
    let different = a.dockerfiles != b.dockerfiles || what_without_file(a) != what_without_file(b);
    known(a) && known(b) && different
}

/// Target and platforms.
fn what_without_file(build: &Build) -> Vec<&str> {
    build.what.lines().skip(2).collect()
}

fn place_in_words(kind: &str, place: &str, item: &Item) -> String {
    match kind {
        "gha" if item.attribute("scope").is_none() => "the default scope".to_owned(),
        "gha" => format!("the scope `{place}`"),
        _ => format!("`{place}`"),
    }
}

fn tell_matrix(
    ci: &Ci,
    build: &Build,
    item: &Item,
    (kind, place): (&str, &str),
    out: &mut Findings<'_>,
) {
    let keys: Vec<String> = build
        .chosen_by
        .iter()
        .map(|k| format!("`matrix.{k}`"))
        .collect();
    let message = format!(
        "every job of the matrix ({}) writes its cache to {}: the last one to end overwrites the others'",
        keys.join(", "),
        place_in_words(kind, place, item)
    );
    let found = out.at(item.span, message).in_file(&ci.job(build).file);
    let parts: Vec<String> = build
        .chosen_by
        .iter()
        .map(|k| format!("${{{{ matrix.{k} }}}}"))
        .collect();
    let name = parts.join("-");
    found.help(match kind {
        "gha" => format!("give each job a scope of its own in cache-from and cache-to: `scope={name}`"),
        _ => format!("give each job a reference of its own in cache-from and cache-to, with `{name}` in its tag"),
    });
    scope(found, build, item, kind, &name);
}

fn tell_pair(
    project: &Project<'_>,
    ci: &Ci,
    (other, at): (&Build, &Item),
    (build, item): (&Build, &Item),
    (kind, place): (&str, &str),
    out: &mut Findings<'_>,
) {
    let (there, here) = (ci.job(other), ci.job(build));
    let line = project.files.read(&there.file).map(|text| {
        let before = text.get(..at.span.start as usize).unwrap_or_default();
        1 + memchr::memchr_iter(b'\n', before).count()
    });
    let line = line.map_or(String::new(), |l| format!(" line {l}"));
    let what = |b: &Build| b.dockerfiles.first().cloned().unwrap_or_default();
    let both = match what(build) == what(other) {
        true => "another target or platform of it".to_owned(),
        false => format!("`{}`", what(other)),
    };
    let message = format!(
        "the build of `{}` writes its cache to {}, and that of {both} ({}{line}) does so too: each overwrites the other's",
        what(build),
        place_in_words(kind, place, item),
        there.file
    );
    let found = out.at(item.span, message).in_file(&here.file);
    let stem = here.file.rsplit('/').next().unwrap_or_default();
    let stem = stem.split('.').next().unwrap_or_default();
    let name = match (here.file == there.file, build.job == other.job) {
        (false, _) => format!("{stem}-{}", here.id),
        (true, false) => here.id.clone(),
        (true, true) => {
            let dir = what(build);
            let dir: String = dir
                .chars()
                .map(|c| if c.is_alphanumeric() { c } else { '-' })
                .collect();
            dir.trim_matches('-').to_owned()
        }
    };
    found.help(match kind {
        "gha" => format!("give it a scope of its own in cache-from and cache-to: `scope={name}`"),
        _ => "give it a reference of its own in cache-from and cache-to".to_owned(),
    });
    scope(found, build, item, kind, &name);
}

/// The scope in both, where neither has one.
fn scope(found: &mut Finding, build: &Build, item: &Item, kind: &str, name: &str) {
    let reads = build.cache_from.iter().filter(|i| i.cache_type() == "gha");
    let all: Vec<&Item> = reads.chain([item]).collect();
    let plain = |i: &&Item| {
        i.attribute("scope").is_none()
            && i.span.len() == i.text.len()
            && i.attribute("type").is_some()
    };
    if kind == "gha" && build.plain && all.len() > 1 && all.iter().all(plain) {
        let edits = all
            .iter()
            .map(|i| FileEdit::insert(i.span.end, format!(",scope={name}")));
        found.fix(Safety::Review, edits.collect());
    }
}
