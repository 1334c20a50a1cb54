//! Files of a build as the builder's client finds them: links followed, but never out of the folder that
//! is sent.
//!
//! Goes in: a commit, the folder, a path in it. Comes out: the file, or that there is none. Cost: one decoded
//! tree per directory on the way; kept from one commit to the next. Invariant: nothing outside the folder is
//! ever found through a link inside it.
//!
//! Seen with BuildKit 0.25 (Engine 28.5): the Dockerfile and the ignore file beside it are looked up with
//! the Dockerfile's folder as the root, `.dockerignore` with the context's. `..` stops at that root and an
//! absolute link starts at it, so `ci/Dockerfile -> ../docker/real` is looked for at `ci/docker/real`. The
//! folder itself may be reached through links.

use super::attributes::AttributeFile;
use super::tree::{MAX_DEPTH, MAX_LINKS, Node, Reader, components};
use super::{Blob, CommitId, Entry, EntryKind, HistoryError, Oid, Repository};
use gix::ObjectId;
use rustc_hash::FxHashMap;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// A file.
    File(Entry),
    /// A folder, or a submodule.
    Folder,
    /// Nothing is there, or a link on the way leads nowhere.
    Nothing,
}

/// What was found, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What is there.
    pub what: Followed,
    /// Where links lead to in the end, relative to the repository's root; of a file only.
    pub path: Vec<u8>,
    /// Whether a symbolic link was met on the way: then it can change without a change of the path.
    pub linked: bool,
}

/// Looks paths up in one commit after another; one per thread.
pub struct Follower {
    pub(super) reader: Reader,
    /// Parsed `.gitattributes` by object id.
    pub(super) attributes: FxHashMap<Oid, AttributeFile>,
}

/// Trees from the root on, each with its name.
type Way = Vec<(ObjectId, Vec<u8>)>;

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}

impl Follower {
    /// Takes a handle of its own.
    #[must_use]
    pub fn new(repository: &Repository) -> Self {
        Self {
            reader: Reader::new(repository),
            attributes: FxHashMap::default(),
        }
    }

    /// What `path` in the folder `root` is as of a commit. Both with `/`, the root relative to the
    /// repository's.
    ///
    /// # Errors
    /// `Missing`, `Damaged` or `FileTooLarge` of [`HistoryError`].
    pub fn find(
        &mut self,
        commit: CommitId,
        root: &[u8],
        path: &[u8],
    ) -> Result<Found, HistoryError> {
        let mut way = vec![(self.reader.enter(commit)?, Vec::new())];
        let mut links = 0;
        let what = match self.walk(&mut way, &mut links, None, root)? {
            Followed::Folder => {
                let base = way.len();
                self.walk(&mut way, &mut links, Some(base), path)?
            }
            _ => Followed::Nothing,
        };
        let names = way.iter().skip(1).map(|(_, name)| name.as_slice());
        let path = names.collect::<Vec<_>>().join(&b'/');
        Ok(Found {
            what,
            path,
            linked: links > 0,
        })
    }

    /// Goes on from the last tree of `way`, whose first `root` trees no link leads out of. Without a root a
    /// link that leads out of the repository leads nowhere.
    fn walk(
        &mut self,
        way: &mut Way,
        links: &mut usize,
        root: Option<usize>,
        path: &[u8],
    ) -> Result<Followed, HistoryError> {
        let mut left = components(path);
        while let Some(name) = left.pop() {
            if name == b".." {
                if way.len() > root.unwrap_or(1) {
                    way.pop();
                } else if root.is_none() {
                    return Ok(Followed::Nothing);
                }
                continue;
            }
            let Some(tree) = way.last().map(|(tree, _)| *tree) else {
                return Ok(Followed::Nothing);
            };
            match self.reader.child(tree, &name)? {
                Some(Node::Tree(tree)) if way.len() < MAX_DEPTH => way.push((tree, name)),
                None | Some(Node::Tree(_)) => return Ok(Followed::Nothing),
                Some(Node::Entry(entry)) if entry.kind == EntryKind::Symlink => {
                    *links += 1;
                    let target = self.reader.blob(entry, path)?.bytes;
                    if *links > MAX_LINKS || target.len() > 4096 {
                        return Ok(Followed::Nothing);
                    }
                    if target.first() == Some(&b'/') {
                        match root {
                            Some(root) => way.truncate(root),
                            None => return Ok(Followed::Nothing),
                        }
                    }
                    left.extend(components(&target));
                }
                Some(Node::Entry(entry)) => {
                    return Ok(match (left.is_empty(), entry.kind) {
                        (true, EntryKind::Submodule) => Followed::Folder,
                        (true, _) => {
                            // Not a tree, but the end of the way.
                            way.push((tree, name));
                            Followed::File(entry)
                        }
                        (false, _) => Followed::Nothing,
                    });
                }
            }
        }
        Ok(Followed::Folder)
    }

    /// The content of a file that [`Follower::find`] gave for the commit.
    ///
    /// # Errors
    /// `Missing`, `Damaged` or `FileTooLarge` of [`HistoryError`].
    pub fn read(&mut self, commit: CommitId, entry: Entry) -> Result<Blob, HistoryError> {
        self.reader.commit = commit;
        let shown = CommitId(entry.oid).to_string();
        self.reader.blob(entry, shown.as_bytes())
    }
}
