//! A cache that is read and never written, or written and never read.

use super::ci;
use super::facts::{Ci, Item, is_fixed};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Project, Rule};

/// `cache-one-sided`.
pub static RULE: Rule = Rule {
    name: "cache-one-sided",
    severity: Severity::Warning,
    summary: "a cache is read that nothing writes, or written that nothing reads",
    also: &[],
    check: Check::Project(check),
};

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let ci = ci(project);
    // Bake files and options that are not written here may have the other half.
    if ci.bakes || ci.builds.iter().any(|b| b.opaque) {
        return;
    }
    for build in &ci.builds {
        let file = &ci.job(build).file;
        // An action is a part of what it is used in.
        if is_action(file) {
            continue;
        }
        for item in &build.cache_from {
            if let Some((kind, place)) = lone(ci, item, &|b| &b.cache_to) {
                let message = format!(
                    "nothing writes the cache {}, so there is never anything to read",
                    words(kind, place, item)
                );
                let help = match kind {
                    "gha" => {
                        "write it in one build: `cache-to: type=gha,mode=max`, with the scope of `cache-from` if it has one"
                    }
                    _ => {
                        "write it in one build with `cache-to`, and keep the folder with actions/cache"
                    }
                };
                out.at(item.span, message).in_file(file).help(help);
            }
        }
        for item in &build.cache_to {
            if let Some((kind, place)) = lone(ci, item, &|b| &b.cache_from) {
                let message = format!(
                    "nothing reads the cache {}, so writing it only takes time",
                    words(kind, place, item)
                );
                out.at(item.span, message)
                    .in_file(file)
                    .help("read it in the builds that start from nothing: `cache-from: type=gha`, with the scope of `cache-to` if it has one");
            }
        }
    }
}

fn is_action(file: &str) -> bool {
    file.ends_with("action.yml") || file.ends_with("action.yaml")
}

/// The kind and place of an item that nothing on the other side has.
fn lone<'i>(
    ci: &Ci,
    item: &'i Item,
    other: &dyn Fn(&super::facts::Build) -> &Vec<Item>,
) -> Option<(&'i str, &'i str)> {
    let (kind, place) = item.cache_place()?;
    if !matches!(kind, "gha" | "local") || !is_fixed(place) || item.is_open() {
        return None;
    }
    let same = |o: &Item| {
        // What is not written here may be the same.
        o.cache_type().is_empty()
            || o.cache_place().is_some_and(|(k, p)| {
                k == kind && (p == place || !is_fixed(p) || related(p, place))
            })
    };
    (!ci.builds.iter().flat_map(other).any(same)).then_some((kind, place))
}

/// `/tmp/cache-new` is moved to `/tmp/cache` by a later step.
fn related(a: &str, b: &str) -> bool {
    a.starts_with('/') && b.starts_with('/') && (a.starts_with(b) || b.starts_with(a))
}

fn words(kind: &str, place: &str, item: &Item) -> String {
    match kind {
        "gha" if item.attribute("scope").is_none() => "of the default scope".to_owned(),
        "gha" => format!("of the scope `{place}`"),
        _ => format!("in `{place}`"),
    }
}
