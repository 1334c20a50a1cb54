//! What of a context is transferred: only what the build's COPY, ADD and bind sources name.
//!
//! Goes in: the entries that no ignore rule leaves out, and every source of the build. Comes out: the
//! entries that reach the builder. Costs a walk along the sources' links and one evaluation per entry.
//! Invariant: the client's own resolution (BuildKit v0.25, fsutil `followlinks.go` and `filter.go`) with
//! its gaps: a link below a wildcard folder, or met a second time with another rest, is not followed.

use super::{ContextEntry, EntryKind};
use crate::pattern::path::{ancestors, clean, parent};
use crate::pattern::{DirState, IncludeRules, SourcePattern};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// The patterns that are sent beside the ignore rules; `None` when everything is transferred. Sorted,
/// without what lies below another one.
#[must_use]
pub fn transfer_patterns(entries: &[ContextEntry], sources: &[String]) -> Option<Vec<String>> {
    let mut wanted = BTreeSet::new();
    for source in sources {
        let cleaned = clean(&format!("/{source}"));
        match cleaned.trim_start_matches('/') {
            "" => return None,
            path => wanted.insert(path.to_owned()),
        };
    }
    let mut links = Links {
        entries,
        resolved: BTreeSet::new(),
    };
    for path in wanted {
        links.append(path);
    }
    let mut out: Vec<String> = Vec::new();
    for path in links.resolved {
        if path == "." {
            // A link leads to the root.
            return None;
        }
        let below = |last: &String| {
            path.strip_prefix(&**last)
                .is_some_and(|r| r.starts_with('/'))
        };
        if !out.last().is_some_and(below) {
            out.push(path);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The entries that reach the builder when these sources are all that the build names. Patterns that
/// cannot be compiled, with which a build fails, leave everything in.
#[must_use]
pub fn transferred(entries: &[ContextEntry], sources: &[String]) -> Vec<ContextEntry> {
    let Some(rules) =
        transfer_patterns(entries, sources).and_then(|patterns| IncludeRules::new(&patterns).ok())
    else {
        return entries.to_vec();
    };
    let mut states: FxHashMap<&[u8], DirState> = FxHashMap::default();
    states.insert(b"", DirState::root());
    let mut wanted: FxHashSet<&[u8]> = FxHashSet::default();
    for entry in entries {
        // A folder that was not opened has no state, and nothing below it is looked at.
        let Some(above) = states.get(parent(&entry.path)) else {
            continue;
        };
        let verdict = rules.test(above, &entry.path);
        if verdict.ignored {
            wanted.insert(&entry.path);
            wanted.extend(ancestors(&entry.path));
        }
        let open = verdict.ignored || !rules.leads_nowhere(&entry.path);
        if entry.kind == EntryKind::Directory && open {
            states.insert(&entry.path, verdict.state);
        }
    }
    let kept = entries.iter().filter(|e| wanted.contains(&e.path[..]));
    kept.cloned().collect()
}

/// Whether paths reach the builder, where links and sources are known.
pub struct Reach(Option<IncludeRules>);

impl Reach {
    /// `links` are the links of the context; what else is in it does not matter.
    #[must_use]
    pub fn new(links: &[ContextEntry], sources: &[String]) -> Self {
        let patterns = transfer_patterns(links, sources);
        Self(patterns.and_then(|p| IncludeRules::new(&p).ok()))
    }

    /// Whether a path is sent, if no ignore rule leaves it out.
    #[must_use]
    pub fn includes(&self, path: &[u8]) -> bool {
        let Some(rules) = &self.0 else {
            return true;
        };
        let mut state = DirState::root();
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
        for end in slashes.map(|(i, _)| i).chain([path.len()]) {
            let verdict = rules.test(&state, &path[..end]);
            if end == path.len() {
                return verdict.ignored;
            }
            if !verdict.ignored && rules.leads_nowhere(&path[..end]) {
                return false;
            }
            state = verdict.state;
        }
        false
    }
}

struct Links<'a> {
    entries: &'a [ContextEntry],
    resolved: BTreeSet<String>,
}

impl Links<'_> {
    /// Adds a path and the targets of links on the way. A link that was met before ends the walk,
    /// whatever is still ahead; this is also what ends loops.
    fn append(&mut self, path: String) {
        let mut open = vec![path];
        while let Some(path) = open.pop() {
            let path = clean(&format!("/{path}"));
            let mut rest = path.trim_start_matches('/').to_owned();
            let mut current = String::new();
            loop {
                let (first, behind) = match rest.split_once('/') {
                    Some((first, behind)) => (first.to_owned(), behind.to_owned()),
                    None => (rest, String::new()),
                };
                current = match &current[..] {
                    "" => first,
                    above => format!("{above}/{first}"),
                };
                rest = behind;
                let targets = self.targets(&current);
                if rest.is_empty() || !targets.is_empty() {
                    let name = if current.is_empty() { "." } else { &current };
                    if !self.resolved.insert(name.to_owned()) {
                        break;
                    }
                    // The first target is followed to its end before the next one.
                    open.extend(targets.iter().rev().map(|t| format!("{t}/{rest}")));
                    break;
                }
            }
        }
    }

    /// Where a link leads, or every link that a wildcard in the last element matches.
    fn targets(&self, path: &str) -> Vec<String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_wildcard = matches!(
            SourcePattern::lenient(name).kind(),
            crate::pattern::SourceKind::Wildcard { .. }
        );
        if !is_wildcard {
            return self.target(path.as_bytes()).into_iter().collect();
        }
        let pattern = SourcePattern::lenient(name);
        let inside = |e: &&ContextEntry| {
            parent(&e.path) == folder.as_bytes()
                && pattern.matches(
                    e.path
                        .get(folder.len() + usize::from(!folder.is_empty())..)
                        .unwrap_or_default(),
                )
        };
        self.entries
            .iter()
            .filter(inside)
            .filter_map(|e| self.target(&e.path))
            .collect()
    }

    fn target(&self, path: &[u8]) -> Option<String> {
        let at = self
            .entries
            .binary_search_by(|e| (*e.path).cmp(path))
            .ok()?;
        let entry = &self.entries[at];
        let link = String::from_utf8_lossy(entry.link_target.as_deref()?).into_owned();
        if link.starts_with('/') {
            return Some(clean(&link));
        }
        let folder = String::from_utf8_lossy(parent(path)).into_owned();
        // The link's own text is cleaned first: `..` in front survives that.
        Some(clean(&format!("/{folder}/{}", clean(&link))))
    }
}
