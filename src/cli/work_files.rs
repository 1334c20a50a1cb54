//! The build context as it lies on disk: what rewrites look at where no commit is meant.
//!
//! Goes in: a context that was walked. Comes out: its files, read when they are asked for. Invariant: what the ignore file leaves out is not in it, and
//! no more than a manifest's worth of a file is read.

use crate::context::{Context, ContextEntry, EntryKind};
use crate::project::WorkTree;
use crate::rewrite::ContextFiles;
use crate::rewrite::needs::Memo;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A context on disk.
pub struct WorkFiles<'a> {
    root: PathBuf,
    files: BTreeMap<&'a str, &'a ContextEntry>,
    /// There is a name that is no text.
    odd: bool,
    memo: Memo,
}

impl<'a> WorkFiles<'a> {
    /// Of a context that was walked at a folder. A checkout's `.git` is left out of the list, as it is in no commit.
    #[must_use]
    pub fn new(context: &'a Context, root: PathBuf) -> Self {
        let mut odd = false;
        let mut files = BTreeMap::new();
        let entries = context.entries.iter();
        for entry in entries.filter(|e| e.kind != EntryKind::Directory) {
            match std::str::from_utf8(&entry.path) {
                Ok(path) if path.starts_with(".git/") => {}
                Ok(path) => {
                    files.insert(path, entry);
                }
                Err(_) => odd = true,
            }
        }
        Self {
            root,
            files,
            odd,
            memo: Memo::default(),
        }
    }

    fn within<'s>(&'s self, dir: &str) -> impl Iterator<Item = (&'a str, &'a ContextEntry)> + 's {
        let start = match dir {
            "" => String::new(),
            dir => format!("{dir}/"),
        };
        let from: &str = &start;
        let rest = self
            .files
            .range::<str, _>((std::ops::Bound::Included(from), std::ops::Bound::Unbounded));
        rest.map(|(path, entry)| (*path, *entry))
            .take_while(move |(path, _)| path.starts_with(&start))
    }
}

impl ContextFiles for WorkFiles<'_> {
    fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn is_link(&self, path: &str) -> bool {
        let entry = self.files.get(path);
        entry.is_some_and(|e| e.kind == EntryKind::Symlink)
    }

    fn links_in(&self, dir: &str) -> Option<Vec<String>> {
        if self.odd {
            return None;
        }
        let skip = if dir.is_empty() { 0 } else { dir.len() + 1 };
        let links = self
            .within(dir)
            .filter(|(_, e)| e.kind == EntryKind::Symlink);
        Some(links.map(|(path, _)| path[skip..].to_owned()).collect())
    }

    fn has_below(&self, dir: &str) -> bool {
        self.within(dir).next().is_some()
    }

    fn below(&self, dir: &str) -> Vec<String> {
        self.within(dir).map(|(path, _)| path.to_owned()).collect()
    }

    fn is_executable(&self, path: &str) -> Option<bool> {
        let entry = self.files.get(path)?;
        (entry.kind == EntryKind::File).then_some(entry.mode & 0o100 != 0)
    }

    fn link_text(&self, path: &str) -> Option<String> {
        String::from_utf8(self.files.get(path)?.link_target.clone()?).ok()
    }

    fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
        let size = |p: &String| self.files.get(p.as_str()).map(|e| e.size);
        paths.iter().map(size).collect()
    }

    fn memo(&self) -> Option<&Memo> {
        Some(&self.memo)
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.get(path)?;
        let root = self.root.canonicalize().ok()?;
        let real = root.join(path).canonicalize().ok()?;
        // A link leads nowhere outside of the context, as for the builder.
        WorkTree::read_below(Some(real).filter(|r| r.starts_with(&root))?)
    }
}
