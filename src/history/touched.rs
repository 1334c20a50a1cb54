//! Which commit of a range changed a path last.
//!
//! Goes in: two commits and paths. Comes out: a commit for each path that one of the range changed.
//! Costs the trees on the way to the paths, once per commit of the range. Invariant: the answer is in the
//! range, and what it holds at the path is what the range's tip holds.

use super::repository::object_id;
use super::tree::{Node, Reader};
use super::{CommitId, Entry, HistoryError, Limit, Repository, Walk, WalkMode, change_log};
use gix::objs::Kind;

/// Commits behind a merge that are looked at for one path before the merge itself is the answer.
const MOST_BEHIND_A_MERGE: usize = 2000;

impl Repository {
    /// The commit in `from..to` that gave each path what it has at `to`: along first parents, and where
    /// that is a merge, along the parent it took the path from. None where the range did not change it.
    ///
    /// # Errors
    /// As [`change_log`].
    pub fn last_touched(
        &self,
        from: CommitId,
        to: CommitId,
        paths: &[Vec<u8>],
    ) -> Result<Vec<Option<CommitId>>, HistoryError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let log = change_log(
            self,
            &Walk {
                tip: to,
                limit: Limit::After(from),
                mode: WalkMode::FirstParent,
                prefixes: paths.to_vec(),
            },
        )?;
        let Some(oldest) = log.commits.first() else {
            return Ok(vec![None; paths.len()]);
        };
        // Of the oldest commit the log has its whole tree; what it changed takes its parent.
        let mut reader = Reader::new(self);
        let parent = parents(&mut reader, oldest.id)?.first().copied();
        let mut out = Vec::with_capacity(paths.len());
        for path in paths {
            let changed = |i: &usize| {
                let mut changes = log.changes(*i).iter();
                changes.any(|c| log.paths.bytes(c.path) == *path)
            };
            let mut last = (1..log.len()).rev().find(changed);
            if last.is_none() {
                let now = at(&mut reader, oldest.id, path)?;
                let before = match parent {
                    Some(parent) => at(&mut reader, parent, path)?,
                    None => None,
                };
                last = (now != before).then_some(0);
            }
            out.push(match last {
                None => None,
                Some(i) if log.commits[i].parent_count < 2 => Some(log.commits[i].id),
                Some(i) => Some(behind(&mut reader, log.commits[i].id, path)?),
            });
        }
        Ok(out)
    }
}

/// From a merge along the parents that have the same at the path.
fn behind(reader: &mut Reader, merge: CommitId, path: &[u8]) -> Result<CommitId, HistoryError> {
    let wanted = at(reader, merge, path)?;
    let mut commit = merge;
    for _ in 0..MOST_BEHIND_A_MERGE {
        let mut same = None;
        for parent in parents(reader, commit)? {
            // Behind the end of a shallow clone nothing is there.
            if same.is_none() && at(reader, parent, path).ok() == Some(wanted) {
                same = Some(parent);
            }
        }
        match same {
            Some(parent) => commit = parent,
            None => return Ok(commit),
        }
    }
    Ok(merge)
}

fn at(reader: &mut Reader, commit: CommitId, path: &[u8]) -> Result<Option<Entry>, HistoryError> {
    let root = reader.enter(commit)?;
    Ok(match reader.find(root, path)? {
        Some(Node::Entry(entry)) => Some(entry),
        _ => None,
    })
}

fn parents(reader: &mut Reader, commit: CommitId) -> Result<Vec<CommitId>, HistoryError> {
    reader.commit = commit;
    let id = object_id(&commit.0);
    let bytes = reader.object(id, Kind::Commit)?;
    let ids = gix::objs::CommitRefIter::from_bytes(bytes, gix::hash::Kind::Sha1).parent_ids();
    Ok(ids
        .map(|p| CommitId(super::repository::bytes_of(&p)))
        .collect())
}
