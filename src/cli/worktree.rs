//! The uncommitted work tree as the newest build of a log.

use super::subject::{Place, Subject};
use crate::history::{ChangeLog, CommitId, Oid, Sight, WORK_TREE, WorkTree, append_work_tree};
use crate::pattern::PathFilter;
use anyhow::{Result, bail};
use std::cell::RefCell;
use std::path::PathBuf;

/// The word for the work tree where a commit's id would be.
pub const NAME: &str = "worktree";

/// A build's name in reports: the commit's id, or [`NAME`].
#[must_use]
pub fn name(id: CommitId) -> String {
    match id == WORK_TREE {
        true => NAME.to_owned(),
        false => id.to_string(),
    }
}

/// The root of the work tree, or PATH where there is no repository.
///
/// # Errors
/// When files are looked at as of a commit, or the repository is bare.
pub fn root(place: &Place) -> Result<PathBuf> {
    match (&place.repository, place.at) {
        (_, Some(_)) => bail!("there is no work tree to look at: the files are those of a commit"),
        (None, None) => Ok(place.path.clone()),
        (Some(r), None) => match r.work_tree() {
            Some(root) => Ok(root.to_owned()),
            None => bail!("a bare repository has no work tree"),
        },
    }
}

/// Appends the work tree, as far as it lies in the prefixes, to a log that ends at HEAD (or is
/// empty). What the ignore rules of all subjects keep out is not read. Returns link texts.
///
/// # Errors
/// When there is no work tree, or a part of it that a build is sent cannot be read.
pub fn append(
    place: &Place,
    log: &mut ChangeLog,
    prefixes: &[Vec<u8>],
    subjects: &[&Subject],
) -> Result<Vec<(Oid, Vec<u8>)>> {
    let root = root(place)?;
    let filters: Vec<RefCell<PathFilter<'_>>> = subjects
        .iter()
        .map(|s| RefCell::new(PathFilter::new(&s.rules)))
        .collect();
    let sight = |path: &[u8], folder: bool| {
        let (mut sent, mut closed) = (false, true);
        for (subject, filter) in subjects.iter().zip(&filters) {
            let prefix = subject.context_prefix.as_bytes();
            let Some(below) = below(path, prefix) else {
                // A context may lie inside this folder.
                closed &= self::below(prefix, path).is_none();
                continue;
            };
            let ignored = !below.is_empty() && filter.borrow_mut().ignored(below);
            sent |= !ignored;
            closed &= ignored && subject.rules.can_prune(below);
        }
        match (sent, folder && closed) {
            (true, _) => Sight::Sent,
            (false, true) => Sight::Closed,
            (false, false) => Sight::There,
        }
    };
    let tree = WorkTree {
        root: &root,
        prefixes,
        sight: &sight,
        repository: place.repository.as_ref(),
    };
    Ok(append_work_tree(log, &tree)?)
}

/// The part of a path below a folder; the folder itself has an empty one.
fn below<'a>(path: &'a [u8], dir: &[u8]) -> Option<&'a [u8]> {
    if dir.is_empty() {
        return Some(path);
    }
    match path.strip_prefix(dir)? {
        [] => Some(&[]),
        [b'/', rest @ ..] => Some(rest),
        _ => None,
    }
}
