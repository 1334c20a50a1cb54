//! The commits that flags ask for.
//!
//! Goes in: a repository and the flags of a history. Comes out: the newest commit and those that are builds, listed while
//! something else is loaded. Costs a walk over the commits that no earlier run has listed.

use super::args::{Cli, HistoryFlags, WalkArg};
use super::cache_dir::cache_dir;
use super::subject::{Place, Subject};
use crate::history::{
    Ahead, Chosen, CommitId, Limit, Listed, Repository, WalkMode, choose, compare_ahead, listing,
};
use anyhow::Result;
use std::path::Path;

/// The commits that flags ask for.
pub struct Commits {
    pub(super) tip: CommitId,
    pub(super) chosen: Chosen,
    /// Trees that were compared while they were listed.
    pub(super) ahead: Option<Ahead>,
}

/// The newest commit that the flags ask for, and how far back they go; HEAD is `at` where that is given.
pub(super) fn ends(
    repository: &Repository,
    at: Option<CommitId>,
    flags: &HistoryFlags,
) -> Result<(CommitId, Limit)> {
    let head = || at.map_or_else(|| repository.head(), Ok);
    Ok(match (&flags.range, &flags.since) {
        (Some(range), _) => {
            let (from, to) = repository.resolve_range(range)?;
            (to, Limit::After(from))
        }
        (None, Some(rev)) => (head()?, Limit::After(repository.resolve(rev)?)),
        (None, None) => (head()?, Limit::Count(flags.history)),
    })
}

/// Lists the commits that the flags ask for.
pub(super) fn commits(
    repository: &Repository,
    at: Option<CommitId>,
    flags: &HistoryFlags,
    store: Option<&Path>,
    listed: Option<&Listed>,
) -> Result<Commits> {
    let (tip, limit) = ends(repository, at, flags)?;
    let mode = match flags.walk {
        WalkArg::FirstParent => WalkMode::FirstParent,
        WalkArg::All => WalkMode::All,
    };
    let chosen = choose(repository, (tip, limit, mode), store, listed)?;
    Ok(Commits {
        tip,
        chosen,
        ahead: None,
    })
}

/// Loads something while another core lists the commits that the flags ask for. Where those are not known from an earlier
/// run, their trees are then compared while older ones are listed.
///
/// # Errors
/// When PATH is in no repository, or the store was asked for in a place that is analysed; listing has its own result.
pub fn beside_commits<T>(
    cli: &Cli,
    place: &Place,
    flags: &HistoryFlags,
    load: impl FnOnce() -> T,
    subjects: impl FnOnce(&T) -> Vec<&Subject>,
) -> Result<(T, Result<Commits>)> {
    let (repository, at) = (place.repository()?, place.at);
    let store = cache_dir(cli, place)?;
    let store = store.as_deref();
    let (listed, listing) = listing();
    Ok(std::thread::scope(|scope| {
        let task = scope.spawn(move || commits(repository, at, flags, store, Some(&listed)));
        let loaded = load();
        let subjects = subjects(&loaded);
        let is_known = store.is_some_and(|dir| repository.knows_commits(dir));
        let ahead = (!subjects.is_empty() && !is_known)
            .then(|| compare_ahead(repository, &prefixes(place, &subjects), listing));
        let found = task.join();
        let found = found.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let found = found.map(|commits| Commits { ahead, ..commits });
        (loaded, found)
    }))
}

/// What of the repository builds see: contexts, and the files that decide about them. None is everything.
#[must_use]
pub fn prefixes(place: &Place, subjects: &[&Subject]) -> Vec<Vec<u8>> {
    let mut prefixes: Vec<Vec<u8>> = Vec::new();
    for s in subjects {
        prefixes.push(s.context_prefix.clone().into_bytes());
        prefixes.push(place.shown(&s.target.file).into_bytes());
        prefixes.push(format!("{}.dockerignore", place.shown(&s.target.file)).into_bytes());
    }
    if prefixes.iter().any(Vec::is_empty) {
        prefixes.clear();
    }
    prefixes
}
