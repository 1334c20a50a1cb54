//! What git says of files of the work tree: in the index, or ignored.
//!
//! Goes in: a repository. Comes out: a [`GitView`] for rules. Costs one read of the index, and one of each ignore file above the paths that are
//! asked for. Invariant: only files of the work tree and `.git` are read, no configuration of the user, and nothing is run.

use super::subject::Place;
use crate::rules::Git;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A larger ignore file counts as none.
const MOST_BYTES: u64 = 1 << 20;

/// A work tree as git sees it.
pub struct GitView {
    /// Paths in the index, relative to the root of the work tree.
    index: FxHashSet<Vec<u8>>,
    /// Submodules, the same way.
    submodules: FxHashSet<Vec<u8>>,
    root: PathBuf,
    /// PATH below the root.
    prefix: String,
    /// `info/exclude` of the repository.
    exclude: Gitignore,
    /// The ignore file of each folder that was asked for.
    rules: RefCell<FxHashMap<PathBuf, Rc<Gitignore>>>,
}

impl GitView {
    /// Of the work tree at a place; `None` outside of one, where a commit is read, and before anything is in the index.
    #[must_use]
    pub fn open(place: &Place) -> Option<Self> {
        let repository = place.repository.as_ref().filter(|_| place.at.is_none())?;
        let root = repository.work_tree()?.to_owned();
        let index = repository.index().filter(|i| !i.files.is_empty())?;
        Some(Self {
            index: index.files.into_iter().collect(),
            submodules: index.submodules.into_iter().collect(),
            exclude: rules(&root, &repository.git_dir().join("info/exclude")),
            root,
            prefix: place.prefix.clone(),
            rules: RefCell::default(),
        })
    }

    fn below_root(&self, path: &str) -> String {
        match self.prefix.as_str() {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        }
    }

    fn rules_in(&self, dir: &Path) -> Rc<Gitignore> {
        let mut known = self.rules.borrow_mut();
        let own = known
            .entry(dir.to_owned())
            .or_insert_with(|| Rc::new(rules(dir, &dir.join(".gitignore"))));
        Rc::clone(own)
    }

    /// What the ignore files say of one entry, those of the nearest folder first.
    fn decides(&self, path: &Path, is_dir: bool) -> bool {
        let mut dir = path.parent();
        while let Some(d) = dir.filter(|d| d.starts_with(&self.root)) {
            match self.rules_in(d).matched(path, is_dir) {
                Match::None => dir = d.parent(),
                found => return found.is_ignore(),
            }
        }
        self.exclude.matched(path, is_dir).is_ignore()
    }
}

fn rules(dir: &Path, file: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(dir);
    // As git does, a link of that name is not followed.
    let meta = std::fs::symlink_metadata(file);
    let small = meta.is_ok_and(|m| m.is_file() && m.len() <= MOST_BYTES);
    if small {
        // A line that can't be read is no rule, as for git.
        let _ = builder.add(file);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

impl Git for GitView {
    fn is_tracked(&self, path: &str) -> bool {
        let path = self.below_root(path);
        let mut above = path
            .match_indices('/')
            .map(|(at, _)| &path.as_bytes()[..at]);
        self.index.contains(path.as_bytes()) || above.any(|d| self.submodules.contains(d))
    }

    fn is_ignored(&self, path: &str) -> bool {
        let path = self.below_root(path);
        // What is in an ignored folder can't be taken back.
        let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
        above.any(|d| self.decides(&self.root.join(d), true))
            || self.decides(&self.root.join(&path), false)
    }
}
