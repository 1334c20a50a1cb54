//! The files that a source takes, for those who copy them on.
//!
//! Goes in: a selection. Comes out: its files and folders as they are now. Costs a pass over all paths. Invariant:
//! where a link can't be followed there is no list.

use super::followed::Found;
use super::{Engine, Selection};
use crate::history::{Change, Entry, EntryKind, Oid, PathId};
use crate::pattern::SourceKind;
use crate::simulate::stage_tree::{Node, Taken, repository};

impl Engine<'_> {
    /// The nodes that a selection takes now, folders before what is in them.
    pub(in crate::simulate) fn taking(&self, selection: &Selection) -> Taking {
        let all = &self.out.selections;
        let Some(column) = all.iter().position(|s| s == selection) else {
            return Taking::Linked;
        };
        let mut out = Vec::new();
        for s in &self.by_selection[column] {
            let source = &self.sources[*s];
            if source.in_git {
                // What is in there is not known.
                return Taking::Linked;
            }
            // Links in the root are copied as links, though their targets are in the key.
            let is_root = matches!(source.pattern.kind(), SourceKind::Root);
            let mut part = if source.through_link && !is_root {
                let mut found = self.resolved(*s);
                let excluded = |f: &Found| {
                    let rules = source.exclude.as_ref();
                    rules.is_some_and(|e| e.is_excluded(&f.relative))
                };
                found.files.retain(|f| !excluded(f));
                if found.dangling {
                    return Taking::Linked;
                }
                let mut part: Vec<Taken> = found
                    .files
                    .into_iter()
                    .flat_map(taken_with_folders)
                    .collect();
                part.sort_by(|a, b| (&a.matched, &a.relative).cmp(&(&b.matched, &b.relative)));
                part
            } else {
                self.selected(*s)
            };
            part.dedup_by(|a, b| (&a.matched, &a.relative) == (&b.matched, &b.relative));
            if let Some(found) = source.pattern.select(b".git/HEAD")
                && self.out.holds_git[column]
            {
                // One file stands for all of it: another one in every build.
                let entry = Entry {
                    kind: EntryKind::File,
                    oid: repository(self.now),
                };
                part.extend(taken_with_folders(Found {
                    name: Vec::new(),
                    matched: found.matched.to_vec(),
                    relative: found.relative.to_vec(),
                    entry,
                    linked: false,
                }));
            }
            out.extend(part);
        }
        Taking::Nodes(out)
    }

    /// The path in the context of a file of the log, if it is one of the context's.
    pub(in crate::simulate) fn name(&self, path: PathId) -> Option<&[u8]> {
        self.names[path.index()].as_deref()
    }

    /// What a build changes.
    pub(in crate::simulate) fn changes(&self, build: u32) -> &[Change] {
        self.context.log.changes(build as usize)
    }

    /// Below which of a selection's sources a file lies, if any takes it: its path there, empty where it is the source.
    pub(in crate::simulate) fn taken_as(&self, column: usize, path: PathId) -> Option<Vec<&[u8]>> {
        let name = self.name(path)?;
        let members = &self.members.sources[path.index()];
        let of = |s: &usize| {
            let index = u32::try_from(*s).unwrap_or(u32::MAX);
            let found = self.sources[*s].pattern.select(name)?;
            members.contains(&index).then_some(found.relative)
        };
        let all: Vec<&[u8]> = self.by_selection[column].iter().filter_map(of).collect();
        (!all.is_empty()).then_some(all)
    }

    /// Whether a source of a selection leads through a link.
    pub(in crate::simulate) fn follows_links(&self, column: usize) -> bool {
        let mut sources = self.by_selection[column].iter();
        sources.any(|s| self.sources[*s].through_link)
    }

    /// Whether a selection is what it was in the build before.
    pub(in crate::simulate) fn is_as_before(&self, column: usize) -> bool {
        match self.out.version[column].as_slice() {
            [.., before, now] => before == now,
            _ => false,
        }
    }

    /// The files and folders that a source takes, no link being involved, in order.
    fn selected(&self, s: usize) -> Vec<Taken> {
        let source = &self.sources[s];
        let rules = self.out.selections[source.selection].rules;
        let index = u32::try_from(s).unwrap_or(u32::MAX);
        let mut out = Vec::new();
        for listed in self.listed[s].get_or_init(|| self.list(s)) {
            let node = match listed.what {
                What::File(i) => {
                    let Some(mut entry) = self.current[i] else {
                        continue;
                    };
                    let path = u32::try_from(i).unwrap_or(u32::MAX);
                    if !self.emptied.is_empty() && self.emptied.contains(&(path, index)) {
                        entry.oid = Oid::default();
                    }
                    match entry.kind {
                        EntryKind::Folder => Node::Dir(None),
                        _ => Node::File(entry, None),
                    }
                }
                What::Folder(folder) => {
                    let ignored = self.dirs.matches.ignored(folder)[rules];
                    let sent = !ignored || self.dirs.sends(folder, rules);
                    if !self.dirs.is_there(folder) || !sent {
                        continue;
                    }
                    Node::Dir(None)
                }
                What::Root => Node::Dir(None),
            };
            out.push(Taken {
                matched: listed.matched.clone(),
                relative: listed.relative.clone(),
                node,
            });
        }
        out
    }

    /// Everything that a source takes in some build, in the order of what it is called there.
    fn list(&self, s: usize) -> Vec<Listed> {
        let source = &self.sources[s];
        let index = u32::try_from(s).unwrap_or(u32::MAX);
        let listed = |name: &[u8], what| {
            let found = source.pattern.select(name)?;
            Some(Listed {
                matched: found.matched.to_vec(),
                relative: found.relative.to_vec(),
                what,
            })
        };
        let file = |(i, name): (usize, &Option<Vec<u8>>)| {
            let member = self.members.sources[i].contains(&index);
            listed(name.as_ref().filter(|_| member)?, What::File(i))
        };
        let mut all: Vec<Listed> = self.names.iter().enumerate().filter_map(file).collect();
        let folder = |(i, name): (usize, &Option<Vec<u8>>)| {
            let excluded = |l: &Listed| {
                let rules = source.exclude.as_ref();
                rules.is_some_and(|e| e.is_excluded(&l.relative))
            };
            listed(name.as_ref()?, What::Folder(i)).filter(|l| !excluded(l))
        };
        all.extend(self.dirs.names.iter().enumerate().filter_map(folder));
        if matches!(source.pattern.kind(), SourceKind::Root) {
            all.push(Listed {
                matched: Vec::new(),
                relative: Vec::new(),
                what: What::Root,
            });
        }
        all.sort_by(|a, b| (&a.matched, &a.relative).cmp(&(&b.matched, &b.relative)));
        all
    }
}

/// A path that a source takes while it is there.
#[derive(Debug)]
pub(super) struct Listed {
    matched: Vec<u8>,
    relative: Vec<u8>,
    what: What,
}

#[derive(Debug)]
enum What {
    File(usize),
    Folder(usize),
    Root,
}

/// What a selection takes.
pub(in crate::simulate) enum Taking {
    Nodes(Vec<Taken>),
    /// Something in the way can't be followed.
    Linked,
}

/// A file that was found through links, with the folders between what was named and it.
fn taken_with_folders(found: Found) -> Vec<Taken> {
    let mut out = Vec::new();
    if !found.relative.is_empty() {
        let slashes = found.relative.iter().enumerate();
        let ends = slashes.filter(|(_, b)| **b == b'/').map(|(i, _)| i);
        for end in std::iter::once(0).chain(ends) {
            out.push(Taken {
                matched: found.matched.clone(),
                relative: found.relative[..end].to_vec(),
                node: Node::Dir(None),
            });
        }
    }
    out.push(Taken {
        matched: found.matched,
        relative: found.relative,
        node: Node::File(found.entry, None),
    });
    out
}
