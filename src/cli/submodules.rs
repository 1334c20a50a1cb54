//! Submodules as inputs of steps: the id of the submodule's commit stands for its files.
//!
//! Goes in: the change log and what the steps of a build take from the context. Comes out: a log in which
//! every path that a step may take from inside a submodule changes whenever the submodule's commit does,
//! and the submodules that some step takes from. Cost: one match per submodule, source and ignore line.
//! Invariant: a change of the submodule's commit is never overlooked by a step that could see it.
//!
//! A plain checkout has an empty folder there, and one with `submodules: true` files that no commit of this
//! repository holds. Which of them builds see is not known, so that neither is assumed.

use crate::history::{ChangeLog, EntryKind, Oid, PathId};
use crate::pattern::{IgnoreRules, PathFilter, SourceKind, SourcePattern, clean};
use crate::simulate::Selection;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

/// More sources than this are not followed through links.
const MAX_SOURCES: usize = 4096;

/// Every path that is or was a submodule.
#[must_use]
pub fn submodules(log: &ChangeLog) -> Vec<PathId> {
    let new = log.odd().map(|(_, c)| c);
    let new = new.filter(|c| c.new.is_some_and(|e| e.kind == EntryKind::Submodule));
    new.map(|c| c.path)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// What a build takes from its context.
pub struct Taken<'a> {
    /// The context in the repository, without slashes at the ends.
    pub prefix: &'a str,
    /// Sets of ignore rules.
    pub rules: &'a [IgnoreRules],
    /// Sources, each with the number of its rules.
    pub selections: &'a [Selection],
}

/// Adds the paths inside submodules that the selections may take; returns the submodules they take from, by
/// their paths in the repository.
pub fn expose(
    log: &mut ChangeLog,
    links: &FxHashMap<Oid, Vec<u8>>,
    submodules: &[PathId],
    taken: &Taken<'_>,
) -> Vec<Vec<u8>> {
    if submodules.is_empty() {
        return Vec::new();
    }
    let links = link_texts(log, links, taken.prefix);
    let mut sources: Vec<(Vec<SourcePattern>, usize)> = Vec::new();
    for selection in taken.selections {
        let mut patterns: Vec<SourcePattern> = Vec::new();
        for text in &selection.input.sources {
            let source = SourcePattern::lenient(text);
            // `--exclude=!x` brings back what an earlier one took away.
            let exceptions = selection.input.excludes.iter();
            let exceptions = exceptions.filter_map(|e| e.trim().strip_prefix('!'));
            let below = exceptions.map(|e| format!("{}/{e}", source.cleaned()));
            patterns.extend(below.map(|text| SourcePattern::lenient(&text)));
            patterns.push(source);
        }
        follow(&mut patterns, &links);
        sources.push((patterns, selection.rules));
    }
    let mut filters: Vec<PathFilter<'_>> = taken.rules.iter().map(PathFilter::new).collect();
    let mut seen = Vec::new();
    for id in submodules {
        let full = log.paths.bytes(*id);
        let Some(path) = below(&full, taken.prefix) else {
            continue;
        };
        let mut inside: BTreeSet<String> = BTreeSet::new();
        for rules in taken.rules {
            let exceptions = rules.patterns().iter().filter(|p| p.negated);
            inside.extend(exceptions.filter_map(|p| sample(&p.body, &path, true)));
        }
        for (patterns, _) in &sources {
            inside.extend(
                patterns
                    .iter()
                    .filter_map(|p| sample(p.cleaned(), &path, false)),
            );
        }
        let mut sees = |candidate: &str| {
            sources.iter().any(|(patterns, rules)| {
                patterns
                    .iter()
                    .any(|p| p.select(candidate.as_bytes()).is_some())
                    && !filters[*rules].ignored(candidate.as_bytes())
            })
        };
        let inside: Vec<String> = inside.into_iter().filter(|p| sees(p)).collect();
        if !inside.is_empty() || sees(&path) {
            seen.push(full);
        }
        for path in inside {
            let full = match taken.prefix {
                "" => path,
                prefix => format!("{prefix}/{path}"),
            };
            log.add_inside(*id, full.as_bytes());
        }
    }
    seen
}

/// The path below the prefix, as text.
fn below(full: &[u8], prefix: &str) -> Option<String> {
    let rest = match prefix {
        "" => full,
        p => full.strip_prefix(p.as_bytes())?.strip_prefix(b"/")?,
    };
    Some(String::from_utf8_lossy(rest).into_owned())
}

/// Every text that the links of the context ever had.
fn link_texts(
    log: &ChangeLog,
    links: &FxHashMap<Oid, Vec<u8>>,
    prefix: &str,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, change) in log.odd() {
        if let Some(entry) = change.new.filter(|e| e.kind == EntryKind::Symlink)
            && let Some(text) = links.get(&entry.oid)
            && let Some(path) = below(&log.paths.bytes(change.path), prefix)
        {
            let text = String::from_utf8_lossy(text).into_owned();
            out.entry(path).or_default().insert(text);
        }
    }
    out
}

/// Adds where plain sources lead through links, whichever text those had.
fn follow(patterns: &mut Vec<SourcePattern>, links: &BTreeMap<String, BTreeSet<String>>) {
    if links.is_empty() {
        return;
    }
    let mut known: FxHashSet<String> = FxHashSet::default();
    let mut at = 0;
    while at < patterns.len() && patterns.len() < MAX_SOURCES {
        let source = patterns[at].cleaned().to_owned();
        let plain = matches!(patterns[at].kind(), SourceKind::Plain(_));
        at += 1;
        if !plain {
            continue;
        }
        let ends = source.match_indices('/').map(|(end, _)| end);
        for end in ends.chain([source.len()]) {
            let (link, rest) = source.split_at(end);
            let dir = link.rsplit_once('/').map_or("", |(dir, _)| dir);
            for text in links.get(link).into_iter().flatten() {
                let to = match text.starts_with('/') {
                    true => format!("{text}{rest}"),
                    false => format!("/{dir}/{text}{rest}"),
                };
                let to = clean(&to).trim_start_matches('/').to_owned();
                if known.insert(to.clone()) {
                    patterns.push(SourcePattern::literal(&to));
                }
            }
        }
    }
}

/// A path below `dir` that the pattern can match, in words a person understands; none when it matches at
/// or above `dir` only, or nothing there. `deep`: `**` stands for any number of folders.
fn sample(pattern: &str, dir: &str, deep: bool) -> Option<String> {
    let elements: Vec<&str> = pattern.split('/').filter(|e| !e.is_empty()).collect();
    let any = |at: usize| deep && elements.get(at) == Some(&"**");
    // Where in the pattern one may stand in front of each folder.
    let close = |mut at: BTreeSet<usize>| {
        for i in 0..elements.len() {
            if at.contains(&i) && any(i) {
                at.insert(i + 1);
            }
        }
        at
    };
    let mut at = close(BTreeSet::from([0]));
    for folder in dir.split('/') {
        let mut next = BTreeSet::new();
        for i in at {
            if any(i) {
                next.insert(i);
            } else if elements
                .get(i)
                .is_some_and(|e| SourcePattern::lenient(e).matches(folder.as_bytes()))
            {
                next.insert(i + 1);
            }
        }
        at = close(next);
    }
    let from = at.into_iter().rfind(|i| *i < elements.len())?;
    let rest: Vec<String> = elements[from..].iter().map(|e| spelled_out(e)).collect();
    Some(format!("{dir}/{}", rest.join("/")))
}

/// A name that an element of a pattern matches.
fn spelled_out(element: &str) -> String {
    let mut out = String::new();
    let mut rest = element.chars();
    let mut star = false;
    while let Some(c) = rest.next() {
        match c {
            '*' if star => continue,
            '*' => out.push_str("(any)"),
            '?' => out.push('_'),
            '\\' => out.extend(rest.next()),
            '[' => {
                let inside: String = rest.by_ref().take_while(|c| *c != ']').collect();
                match inside.chars().next() {
                    Some('^' | '!') => out.push(if inside.contains('_') { '0' } else { '_' }),
                    first => out.extend(first),
                }
            }
            c => out.push(c),
        }
        star = c == '*';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_lie_below_the_folder_and_match() {
        let at = |pattern, deep| sample(pattern, "vendor/lib", deep);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(at("vendor/lib/src/a.c", false), some("vendor/lib/src/a.c"));
        assert_eq!(at("vendor/*/*.c", false), some("vendor/lib/(any).c"));
        assert_eq!(at("vendor/l[hi]b/?[xy]", false), some("vendor/lib/_x"));
        assert_eq!(at("**/*.go", true), some("vendor/lib/(any).go"));
        assert_eq!(at("vendor/**", true), some("vendor/lib/(any)"));
        assert_eq!(at("vendor/**/lib/**/x", true), some("vendor/lib/x"));
        for above in [
            "vendor",
            "vendor/lib",
            "*",
            "vendor/*",
            "other/lib/x",
            "lib/x",
        ] {
            assert_eq!(at(above, false), None, "{above}");
        }
        // A thousand ways to read the pattern, and one pass.
        let pattern = "**/a/".repeat(200) + "x";
        let dir = ["a"; 400].join("/");
        assert_eq!(sample(&pattern, &dir, true), Some(format!("{dir}/x")));
    }

    #[test]
    fn sources_are_followed_through_every_text_of_a_link() {
        let texts = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect();
        let links = BTreeMap::from([
            ("l".to_owned(), texts(&["vendor/lib", "../../vendor/old"])),
            ("vendor/old".to_owned(), texts(&["/l"])),
        ]);
        let mut patterns = vec![SourcePattern::lenient("l/x"), SourcePattern::lenient("*.c")];
        follow(&mut patterns, &links);
        let all: Vec<&str> = patterns.iter().map(SourcePattern::cleaned).collect();
        assert_eq!(all, ["l/x", "*.c", "vendor/old/x", "vendor/lib/x", "l/x"]);
    }
}
