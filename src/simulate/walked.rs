//! Content of context files for builders that walk what they copy: classic and buildah.
//!
//! Goes in: every path of the context in one build, and a selection. Comes out: a digest that is equal
//! in two builds exactly when the builder's own is, or what is missing. Costs a walk over the paths a
//! source selects. Source: experiments, columns classic and buildah; other-builders page.

use super::inputs::Absence;
use super::links::{self, prefixes};
use super::members::hash;
use crate::history::{Entry, EntryKind};
use crate::pattern::{ExcludeRules, SourceKind, SourcePattern};
use crate::plan::{ContentRule, ContextInput};
use std::collections::BTreeMap;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A folder that is sent itself, not only for what is in it.
    Folder,
    /// A file.
    File(Entry),
    /// A symbolic link with its text.
    Link(Entry, Vec<u8>),
}

/// The context of one build as it is sent.
#[derive(Clone, Debug, Default)]
pub struct View {
    nodes: BTreeMap<Vec<u8>, Node>,
}

impl View {
    /// Adds a path.
    pub fn insert(&mut self, path: Vec<u8>, node: Node) {
        self.nodes.insert(path, node);
    }

    /// Digest of a selection.
    pub fn digest(&self, input: &ContextInput) -> Result<u128, Absence> {
        let exclude = ExcludeRules::new(&input.excludes).ok();
        let exclude = exclude.filter(|_| !input.excludes.is_empty());
        let mut parts: Vec<u128> = Vec::new();
        for (source, text) in input.sources.iter().enumerate() {
            let pattern = SourcePattern::taken(text, input.literal);
            let missing = Absence::NotFound { source };
            match pattern.kind() {
                SourceKind::Wildcard { .. } => {
                    for path in self.ordered(&pattern) {
                        let part = self.part(path, input.rule, exclude.as_ref());
                        parts.push(part.ok_or(missing)?);
                    }
                }
                _ => {
                    let path = pattern.cleaned().as_bytes();
                    let part = self.part(path, input.rule, exclude.as_ref());
                    parts.push(part.ok_or(missing)?);
                }
            }
        }
        match parts.as_slice() {
            // One wildcard of several may match nothing.
            [] => Err(Absence::NotFound { source: 0 }),
            [one] => Ok(*one),
            all => {
                let bytes: Vec<[u8; 16]> = all.iter().map(|p| p.to_le_bytes()).collect();
                let slices: Vec<&[u8]> = bytes.iter().map(<[u8; 16]>::as_slice).collect();
                Ok(hash(&[&[&b"multi"[..]], slices.as_slice()].concat()))
            }
        }
    }

    /// What a wildcard matches, folder by folder.
    fn ordered(&self, pattern: &SourcePattern) -> Vec<&[u8]> {
        let matches = self.nodes.keys().filter(|p| pattern.matches(p));
        let mut list: Vec<&[u8]> = matches.map(Vec::as_slice).collect();
        list.sort_by(|a, b| a.split(|c| *c == b'/').cmp(b.split(|c| *c == b'/')));
        list
    }

    /// One file or folder given as a source, links on the way and the source itself followed.
    fn part(&self, path: &[u8], rule: ContentRule, exclude: Option<&ExcludeRules>) -> Option<u128> {
        let real = self.follow(path)?;
        if let Some(Node::File(entry)) = self.nodes.get(&real) {
            let name: &[u8] = match rule {
                ContentRule::WholePaths => &real,
                _ => b"",
            };
            return Some(hash(&[b"file", &file(name, *entry)]));
        }
        let mut start = real.clone();
        if !start.is_empty() {
            start.push(b'/');
        }
        let inside = self.nodes.range(start.clone()..);
        let mut list: Vec<Vec<u8>> = Vec::new();
        let mut found = real.is_empty() || self.nodes.contains_key(&real);
        if !real.is_empty() && found {
            list.push(self.entry(&real, &real, rule));
        }
        for (path, _) in inside.take_while(|(p, _)| p.starts_with(&start)) {
            found = true;
            let relative = &path[start.len()..];
            if exclude.is_none_or(|e| !e.is_excluded(relative)) {
                list.push(self.entry(path, &real, rule));
            }
        }
        list.retain(|item| !item.is_empty());
        list.sort();
        let slices: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
        found.then(|| hash(&[&[&b"dir"[..]], slices.as_slice()].concat()))
    }

    /// One item of a folder's list; empty for a link that leads nowhere, which the classic builder
    /// leaves out.
    fn entry(&self, path: &[u8], root: &[u8], rule: ContentRule) -> Vec<u8> {
        match rule {
            ContentRule::WholePaths => {
                let Some(real) = self.follow(path) else {
                    return Vec::new();
                };
                match self.nodes.get(&real) {
                    Some(Node::File(e)) => file(&real, *e),
                    Some(Node::Folder) => [b"d".as_slice(), &real].concat(),
                    _ => Vec::new(),
                }
            }
            _ => {
                let name = path.get(root.len()..).unwrap_or_default();
                match self.nodes.get(path) {
                    Some(Node::File(e)) => file(name, *e),
                    Some(Node::Link(_, text)) => [b"l", name, b"\0", text.as_slice()].concat(),
                    _ => [b"d".as_slice(), name].concat(),
                }
            }
        }
    }

    /// Resolves every link on the way, inside the context; `None` where it leads nowhere.
    fn follow(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut path = path.to_vec();
        for _ in 0..links::MOST {
            let link = prefixes(&path).find_map(|p| match self.nodes.get(p) {
                Some(Node::Link(_, text)) => Some((p.len(), text)),
                _ => None,
            });
            let Some((end, text)) = link else {
                let start = [path.as_slice(), b"/"].concat();
                let below = self.nodes.range(start.clone()..).next();
                let there = path.is_empty()
                    || self.nodes.contains_key(&path)
                    || below.is_some_and(|(p, _)| p.starts_with(&start));
                return there.then_some(path);
            };
            path = links::behind(&path, end, text)?;
        }
        None
    }
}

fn file(name: &[u8], entry: Entry) -> Vec<u8> {
    let kind = match entry.kind {
        EntryKind::Executable => b'x',
        _ => b'f',
    };
    let oid = hash(&[&entry.oid[..]]);
    [&[kind][..], name, b"\0", &oid.to_le_bytes()].concat()
}
