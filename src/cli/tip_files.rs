//! The build context at the newest commit: what rewrites and recipes look at.
//!
//! Goes in: a commit and a subject. Comes out: the files that are sent, read from the repository when they are asked for.
//! Costs one pass over the trees of the commit. Invariant: nothing that the ignore file leaves out is in it.

use super::subject::Subject;
use crate::history::{CommitId, Entry, EntryKind, Follower, Repository};
use crate::rewrite::ContextFiles;
use crate::rewrite::needs::Memo;
use anyhow::Result;
use std::collections::BTreeMap;

/// The context at the newest commit, ignore rules applied.
pub struct TipFiles<'a> {
    repository: &'a Repository,
    tip: CommitId,
    prefix: &'a str,
    /// Context-relative paths of what is sent.
    pub entries: BTreeMap<String, Entry>,
    /// Those of them that are symbolic links or submodules; asked for again and again.
    special: BTreeMap<String, EntryKind>,
    /// There is a symbolic link whose name is no text.
    odd_links: bool,
    /// The checkout's `.git` lies in the context, and nothing ignores it.
    pub holds_git: bool,
    /// What was found in them.
    memo: Memo,
    /// There are other Dockerfiles in the context, which may be built from it too.
    pub shared: bool,
}

impl<'a> TipFiles<'a> {
    /// Lists the context.
    ///
    /// # Errors
    /// When trees are missing from the repository.
    pub fn new(repository: &'a Repository, tip: CommitId, subject: &'a Subject) -> Result<Self> {
        let prefix = subject.context_prefix.as_str();
        let mut filter = crate::pattern::PathFilter::new(&subject.rules);
        let (mut entries, mut special) = (BTreeMap::new(), BTreeMap::new());
        let (mut odd_links, mut shared) = (false, false);
        let own = subject.file.as_bytes();
        for (path, entry) in &*repository.list(tip, prefix.as_bytes())? {
            let below = match prefix {
                "" => &path[..],
                p => match path
                    .strip_prefix(p.as_bytes())
                    .and_then(|r| r.strip_prefix(b"/"))
                {
                    Some(rest) => rest,
                    None => continue,
                },
            };
            let name = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
            shared |= path != own && is_dockerfile(name);
            if filter.ignored(below) {
                continue;
            }
            match String::from_utf8(below.to_vec()) {
                Ok(text) => {
                    if matches!(entry.kind, EntryKind::Symlink | EntryKind::Submodule) {
                        special.insert(text.clone(), entry.kind);
                    }
                    entries.insert(text, *entry);
                }
                Err(_) => odd_links |= entry.kind == EntryKind::Symlink,
            }
        }
        Ok(Self {
            repository,
            tip,
            prefix,
            entries,
            special,
            odd_links,
            shared,
            holds_git: prefix.is_empty() && !filter.ignored(b".git/HEAD"),
            memo: Memo::default(),
        })
    }

    fn full(&self, path: &str) -> String {
        match self.prefix {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        }
    }
}

/// What a list has below a folder, all of it for an empty one: path, path relative to the folder, what it is.
fn below<'l, T>(
    list: &'l BTreeMap<String, T>,
    dir: &str,
) -> impl Iterator<Item = (&'l str, &'l str, &'l T)> {
    let start = match dir {
        "" => String::new(),
        dir => format!("{dir}/"),
    };
    let rest = list.range(start.clone()..);
    rest.map_while(move |(path, one)| Some((path.as_str(), path.strip_prefix(&start)?, one)))
}

/// Whether a file is a Dockerfile by its name.
fn is_dockerfile(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let start = name.starts_with(b"dockerfile") || name.starts_with(b"containerfile");
    (start || name.ends_with(b".dockerfile")) && !name.ends_with(b".dockerignore")
}

impl ContextFiles for TipFiles<'_> {
    fn is_file(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    fn is_link(&self, path: &str) -> bool {
        let entry = self.entries.get(path);
        entry.is_some_and(|e| e.kind == EntryKind::Symlink)
    }

    fn links_in(&self, dir: &str) -> Option<Vec<String>> {
        if self.odd_links {
            return None;
        }
        let mut links = Vec::new();
        for (_, relative, kind) in below(&self.special, dir) {
            match kind {
                EntryKind::Symlink => links.push(relative.to_owned()),
                // What it holds is not listed here.
                _ => return None,
            }
        }
        Some(links)
    }

    fn has_below(&self, dir: &str) -> bool {
        let start = format!("{dir}/");
        self.entries
            .range(start.clone()..)
            .next()
            .is_some_and(|(p, _)| p.starts_with(&start))
    }

    fn below(&self, dir: &str) -> Vec<String> {
        below(&self.entries, dir)
            .map(|(path, ..)| path.to_owned())
            .collect()
    }

    fn holds_git(&self) -> bool {
        self.holds_git
    }

    fn memo(&self) -> Option<&Memo> {
        Some(&self.memo)
    }

    fn link_text(&self, path: &str) -> Option<String> {
        let entry = self.entries.get(path)?;
        let blob = Follower::new(self.repository).read(self.tip, *entry).ok()?;
        String::from_utf8(blob.bytes).ok()
    }

    fn is_executable(&self, path: &str) -> Option<bool> {
        match self.entries.get(path)?.kind {
            EntryKind::Executable => Some(true),
            EntryKind::File => Some(false),
            _ => None,
        }
    }

    fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
        // A link's own size says nothing about what it leads to.
        let known = |p: &String| self.entries.get(p).filter(|_| !self.is_link(p));
        let file = |p: &String| Some((self.full(p).into_bytes(), *known(p)?));
        let files: Vec<_> = paths.iter().filter_map(file).collect();
        let sizes = self.repository.sizes_checked_out(self.tip, &files);
        let mut sizes = sizes.unwrap_or_default().into_iter();
        let one = |p: &String| known(p).and_then(|_| sizes.next().flatten());
        paths.iter().map(one).collect()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        if !self.is_file(path) {
            return None;
        }
        let full = self.full(path);
        let found = self.repository.read_following(self.tip, full.as_bytes());
        Some(found.ok()??.bytes)
    }
}
