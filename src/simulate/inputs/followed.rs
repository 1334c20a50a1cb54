//! Sources that lead through symbolic links, or match them.
//!
//! Goes in: the files of a build. Comes out: what such a source selects, and its digest. Costs a pass over all paths
//! in every build that changes any. Invariant: the builder's own ways (cache keys 4.3): what is digested is what
//! links lead to, and only what the client sent is there.

use super::{Engine, Term};
use crate::context::ContextEntry;
use crate::context::transfer::Reach;
use crate::history::{Entry, EntryKind, Oid};
use crate::pattern::{PathFilter, SourceKind, SourcePattern};
use crate::plan::ContextInput;
use crate::simulate::links::{self, prefixes};
use crate::simulate::members::hash;
use std::collections::BTreeSet;

impl Engine<'_> {
    /// Notes which sources are reached through a symbolic link.
    pub(super) fn find_links(&mut self) {
        for source in &mut self.sources {
            let rules = self.out.selections[source.selection].rules;
            let filter = &mut self.filters[rules];
            source.through_link = match source.pattern.kind() {
                SourceKind::Root => source.exclude.as_ref().is_some_and(|exclude| {
                    let counts = |l: &Vec<u8>| is_in_root(l) && !exclude.is_excluded(l);
                    self.links.keys().any(|l| counts(l) && !filter.ignored(l))
                }),
                SourceKind::Plain(_) => {
                    let path = source.pattern.cleaned().as_bytes();
                    prefixes(path).any(|p| self.links.contains_key(p))
                }
                SourceKind::Wildcard { prefix_dir } => {
                    prefixes(prefix_dir.as_bytes()).any(|p| self.links.contains_key(p))
                        || self.links.keys().any(|l| {
                            source
                                .pattern
                                .select(l)
                                .is_some_and(|s| s.relative.is_empty())
                                && !filter.ignored(l)
                        })
                }
            };
        }
    }

    /// Digest and number of members from scratch, following links.
    pub(super) fn evaluate(&self, s: usize) -> (u128, u32, bool) {
        let source = &self.sources[s];
        let found = self.resolved(s);
        let (dangling, mut members) = (found.dangling, source.members.emptied());
        let mut folders = BTreeSet::new();
        for f in found.files {
            members.apply(&f.name, &f.relative, Term::File(f.entry), true);
            if members.is_list() && !f.relative.is_empty() {
                // A folder behind a link is one digest, one that is there by itself is a row for each path in it.
                let term = if f.linked { None } else { Some(Term::Dir) };
                let top = f.name.len() - f.relative.len();
                let slashes = (top..f.name.len()).filter(|i| f.name[*i] == b'/');
                let own = top.saturating_sub(1);
                for end in std::iter::once(own).chain(slashes).filter(|end| *end > 0) {
                    let name = f.name[..end].to_vec();
                    if folders.insert(name.clone()) {
                        let relative = name.get(top..).unwrap_or_default();
                        let value = match term {
                            Some(term) => members.value(&name, relative, term),
                            None => hash(&[b"behind a link", relative]),
                        };
                        members.put(&name, value, true);
                        members.count -= 1;
                    }
                }
            }
        }
        for name in found.empty {
            members.put(&name, hash(&[b"behind a link", b""]), true);
        }
        (members.digest(), members.count, dangling)
    }

    /// What a source selects now, links followed: of a source without wildcard in every component,
    /// of a wildcard in its folder and in what it matches (cache keys 4.3), and with `--exclude` of
    /// the root in what lies in it directly (seed 1801).
    pub(super) fn resolved(&self, s: usize) -> Resolved {
        let source = &self.sources[s];
        let rules = self.out.selections[source.selection].rules;
        let mut filter = PathFilter::new(&self.context.rules[rules]);
        let excluded = |relative: &[u8]| {
            let rules = source.exclude.as_ref();
            rules.is_some_and(|e| e.is_excluded(relative))
        };
        let mut out = Resolved::default();
        let roots: Vec<(Vec<u8>, Option<Vec<u8>>)> = match source.pattern.kind() {
            SourceKind::Plain(_) => {
                let path = source.pattern.cleaned().as_bytes();
                vec![(path.to_vec(), self.follow(path, &mut filter))]
            }
            SourceKind::Root => {
                let mut links = Vec::new();
                for (entry, name) in self.current.iter().zip(&self.names) {
                    let (Some(entry), Some(name)) = (entry, name) else {
                        continue;
                    };
                    if excluded(name) || filter.ignored(name) {
                        continue;
                    }
                    if entry.kind == EntryKind::Symlink && is_in_root(name) {
                        links.push((name.clone(), self.follow(name, &mut filter)));
                        continue;
                    }
                    out.files.push(Found {
                        name: name.clone(),
                        matched: Vec::new(),
                        relative: name.clone(),
                        entry: *entry,
                        linked: false,
                    });
                }
                links
            }
            SourceKind::Wildcard { .. } => {
                let mut nodes = BTreeSet::new();
                for (i, entry) in self.current.iter().enumerate() {
                    if let (Some(_), Some(name)) = (entry, &self.names[i])
                        && let Some(found) = source.pattern.select(name)
                        && !filter.ignored(name)
                    {
                        nodes.insert(found.matched.to_vec());
                    }
                }
                nodes
                    .into_iter()
                    .map(|n| (n.clone(), self.follow(&n, &mut filter)))
                    .collect()
            }
        };
        let reach = self.reach(&self.out.selections[source.selection].input);
        let is_plain = matches!(source.pattern.kind(), SourceKind::Plain(_));
        let is_link = is_plain && self.is_link(source.pattern.cleaned().as_bytes(), &mut filter);
        for (as_named, target) in roots {
            let Some(target) = target else {
                out.dangling = true;
                continue;
            };
            let before = out.files.len();
            // What a link leads to that is a source itself is digested whole, whatever is excluded.
            let linked = if is_plain {
                is_link
            } else {
                target != as_named
            };
            let under = SourcePattern::literal(&String::from_utf8_lossy(&target));
            for i in 0..self.current.len() {
                let (Some(entry), Some(name)) = (self.current[i], &self.names[i]) else {
                    continue;
                };
                let Some(found) = under.select(name) else {
                    continue;
                };
                if (!linked && excluded(found.relative)) || filter.ignored(name) {
                    continue;
                }
                // The client follows links only where it looks for them.
                if linked && !reach.as_ref().is_none_or(|r| r.includes(name)) {
                    continue;
                }
                let relative = found.relative.to_vec();
                let mut name = as_named.clone();
                if !relative.is_empty() {
                    name.push(b'/');
                    name.extend_from_slice(&relative);
                }
                let matched = as_named.clone();
                out.files.push(Found {
                    name,
                    matched,
                    relative,
                    entry,
                    linked,
                });
            }
            // What a link leads to may be missing, or ignored and so not sent; a folder is sent without its files.
            if out.files.len() == before && target != as_named {
                let reached = reach.as_ref().is_none_or(|r| r.includes(&target));
                let empty = self.dirs.get(&target).is_some_and(|folder| {
                    self.dirs.is_there(folder) && !filter.ignored(&target) && reached
                });
                if empty {
                    out.empty.push(as_named);
                } else {
                    out.dangling = true;
                }
            }
        }
        out
    }

    /// What the client sends, where its own way of following links counts.
    fn reach(&self, input: &ContextInput) -> Option<Reach> {
        (!input.beside.is_empty()).then(|| self.reach_of(&input.beside))
    }

    fn reach_of(&self, sources: &[String]) -> Reach {
        let link = |(path, oid): (&Vec<u8>, &Oid)| ContextEntry {
            path: path.clone(),
            kind: crate::context::EntryKind::Symlink,
            mode: 0,
            size: 0,
            digest: None,
            link_target: self.context.links.get(oid).cloned(),
            emptied: false,
        };
        let links: Vec<ContextEntry> = self.links.iter().map(link).collect();
        Reach::new(&links, sources)
    }

    /// Whether a link that some source names or matches leads to the folder: the client asks for what links lead to, even
    /// where an ignore rule leaves the link itself out (seed 1530).
    pub(super) fn reached(&mut self, rules: usize, folder: &[u8]) -> bool {
        if self.links.is_empty() {
            return false;
        }
        if !self.reached.contains_key(&rules) {
            let selections = self.out.selections.iter().filter(|s| s.rules == rules);
            let sources = selections.flat_map(|s| s.input.sources.iter().cloned());
            let mut sources: Vec<String> = sources.collect();
            sources.sort();
            sources.dedup();
            let reach = self.reach_of(&sources);
            self.reached.insert(rules, reach);
        }
        self.reached[&rules].includes(folder)
    }

    /// Whether the path is a link itself, whatever leads to it.
    fn is_link(&self, path: &[u8], filter: &mut PathFilter<'_>) -> bool {
        let (folder, name) = match path.iter().rposition(|b| *b == b'/') {
            Some(at) => (&path[..at], &path[at..]),
            None => (&path[..0], path),
        };
        let real = self.follow(folder, filter).map(|f| [&f, name].concat());
        real.is_some_and(|path| self.links.contains_key(&path))
    }

    /// Resolves every link on the way, inside the context; `None` when it dangles, loops or is not sent.
    fn follow(&self, path: &[u8], filter: &mut PathFilter<'_>) -> Option<Vec<u8>> {
        let mut path = path.to_vec();
        for _ in 0..links::MOST {
            let Some(link) = prefixes(&path).find(|p| self.links.contains_key(*p)) else {
                return Some(path);
            };
            if filter.ignored(link) {
                return None;
            }
            let target = self.context.links.get(&self.links[link])?;
            path = links::behind(&path, link.len(), target)?;
        }
        None
    }
}

/// One file that a source selects.
pub(super) struct Found {
    /// Its path, below the name that the source gives.
    pub name: Vec<u8>,
    /// What the source names or matches.
    pub matched: Vec<u8>,
    /// The path below that; empty when it is the file itself.
    pub relative: Vec<u8>,
    pub entry: Entry,
    /// It stands behind a link that the source matches.
    pub linked: bool,
}

fn is_in_root(path: &[u8]) -> bool {
    !path.contains(&b'/')
}

/// What a source selects.
#[derive(Default)]
pub(super) struct Resolved {
    pub files: Vec<Found>,
    /// Links to folders of which no file is sent.
    pub empty: Vec<Vec<u8>>,
    /// A link on the way leads nowhere.
    pub dangling: bool,
}
