//! Comparisons of trees that are kept from one run to the next: the log is the same as without.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;
#[path = "common/raw_log.rs"]
mod raw_log;

use cacheplan::history::{Limit, Repository, Walk, WalkMode, change_log, change_log_kept};
use git::Repo;
use raw_log::{eventful, told, walk};
use std::path::Path;

fn same(repository: &Repository, walk: &Walk, store: &Path) {
    let plain = told(&change_log(repository, walk).expect("readable"));
    for time in ["first", "again"] {
        let kept = change_log_kept(repository, walk, Some(store)).expect("readable");
        assert_eq!(told(&kept), plain, "{time}: {walk:?}");
    }
}

/// The repository without one of its objects.
fn without(repo: &Repo, object: &str) -> Repository {
    let file = format!(".git/objects/{}/{}", &object[..2], &object[2..]);
    std::fs::remove_file(repo.root.join(file)).expect("it is loose");
    Repository::discover(&repo.root).expect("a repository")
}

fn files(store: &Path) -> Vec<std::path::PathBuf> {
    files_of(store, "history")
}

fn files_of(store: &Path, folder: &str) -> Vec<std::path::PathBuf> {
    let list = std::fs::read_dir(store.join(folder)).expect("a store");
    list.map(|e| e.expect("an entry").path()).collect()
}

#[test]
fn a_log_from_the_store_is_the_log() {
    let repo = eventful();
    let repository = Repository::discover(&repo.root).expect("a repository");
    let store = tempfile::tempdir().expect("a folder");
    for mode in [WalkMode::FirstParent, WalkMode::All] {
        for count in [2, 5, 500, 3, 1] {
            same(
                &repository,
                &walk(&repository, Limit::Count(count), mode),
                store.path(),
            );
        }
        let mut part = walk(&repository, Limit::Count(500), mode);
        part.prefixes = vec![b"src".to_vec()];
        same(&repository, &part, store.path());
    }
    assert_eq!(files(store.path()).len(), 2, "one file a scope");
    assert_eq!(files_of(store.path(), "commits").len(), 1, "one for all");
}

#[test]
fn new_commits_are_added_to_what_is_known() {
    let repo = Repo::new();
    let store = tempfile::tempdir().expect("a folder");
    for n in 0..6 {
        repo.write("f", &n.to_string());
        repo.write(&format!("d{}/g", n % 2), &n.to_string());
        repo.commit("next");
        let repository = Repository::discover(&repo.root).expect("a repository");
        let all = walk(&repository, Limit::Count(4), WalkMode::FirstParent);
        same(&repository, &all, store.path());
    }
}

/// With every pair known no tree is read: the log is there when the trees are gone.
#[test]
fn what_is_known_needs_no_trees() {
    let repo = Repo::new();
    for n in 0..3 {
        repo.write("d/f", &n.to_string());
        repo.commit("next");
    }
    let store = tempfile::tempdir().expect("a folder");
    let repository = Repository::discover(&repo.root).expect("a repository");
    let all = walk(&repository, Limit::Count(9), WalkMode::FirstParent);
    let before = change_log_kept(&repository, &all, Some(store.path())).expect("readable");
    let repository = without(&repo, &repo.rev("HEAD~1:d"));
    change_log(&repository, &all).expect_err("a tree is missing");
    let after = change_log_kept(&repository, &all, Some(store.path())).expect("remembered");
    assert_eq!(told(&before), told(&after));
}

/// Nor any commit, where those are known too. Where a clone ends is looked at anew.
#[test]
fn what_commits_say_is_known_and_where_a_clone_ends_is_not() {
    let repo = Repo::new();
    for n in 0..6 {
        repo.write("f", &n.to_string());
        repo.commit("next");
    }
    let store = tempfile::tempdir().expect("a folder");
    let clone = repo.cloned("shallow", ["--depth", "3"]);
    let count = |modes: [WalkMode; 2]| {
        let repository = Repository::discover(&clone).expect("a repository");
        let counts = modes.map(|mode| {
            let walk = walk(&repository, Limit::Count(9), mode);
            same(&repository, &walk, store.path());
            let log = change_log_kept(&repository, &walk, Some(store.path())).expect("readable");
            (log.len(), log.truncated_by_shallow)
        });
        assert_eq!(counts[0], counts[1]);
        counts[0]
    };
    let modes = [WalkMode::FirstParent, WalkMode::All];
    assert_eq!(count(modes), (3, true));
    assert!(
        repo.try_git_in(&clone, ["fetch", "-q", "--unshallow"])
            .status
            .success()
    );
    assert_eq!(count(modes), (6, false));
    assert!(
        repo.try_git_in(&clone, ["fetch", "-q", "--depth", "2"])
            .status
            .success()
    );
    assert_eq!(count(modes), (2, true));

    let whole = Repository::discover(&repo.root).expect("a repository");
    let all = walk(&whole, Limit::Count(9), WalkMode::FirstParent);
    let before = change_log_kept(&whole, &all, Some(store.path())).expect("readable");
    let whole = without(&repo, &repo.rev("HEAD~2"));
    change_log(&whole, &all).expect_err("a commit is missing");
    let after = change_log_kept(&whole, &all, Some(store.path())).expect("remembered");
    assert_eq!(told(&before), told(&after));
}

#[test]
fn a_damaged_store_is_no_store() {
    for folder in ["history", "commits"] {
        damaged(folder);
    }
}

fn damaged(folder: &str) {
    let repo = eventful();
    let repository = Repository::discover(&repo.root).expect("a repository");
    let all = walk(&repository, Limit::Count(500), WalkMode::FirstParent);
    let store = tempfile::tempdir().expect("a folder");
    change_log_kept(&repository, &all, Some(store.path())).expect("readable");
    let file = files_of(store.path(), folder).pop().expect("one file");
    let whole = std::fs::read(&file).expect("readable");
    for at in (0..whole.len()).step_by(whole.len() / 40 + 1) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).expect("writable");
        same(&repository, &all, store.path());
        // The checksum made right again: the decoder meets it, and must not fall over.
        let body = whole.len() - 32;
        let mut bytes = whole.clone();
        bytes[at.min(body - 1)] ^= 1;
        let sum = blake3::hash(&bytes[..body]);
        bytes[body..].copy_from_slice(sum.as_bytes());
        std::fs::write(&file, bytes).expect("writable");
        let _ = change_log_kept(&repository, &all, Some(store.path()));
        std::fs::write(&file, &whole[..at]).expect("writable");
        same(&repository, &all, store.path());
    }
}
