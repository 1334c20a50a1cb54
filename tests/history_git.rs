//! Walks of the history reader against `git rev-list` and `git diff-tree`, on repositories built for the purpose.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;
#[path = "common/raw_log.rs"]
mod raw_log;

use cacheplan::history::{Limit, Repository, Walk, WalkMode, change_log};
use git::Repo;
use raw_log::{check, eventful, expected, ours, rev_list, walk};

#[test]
fn every_walk_equals_git() {
    let repo = eventful();
    check(&repo, &repo.root);
}

#[test]
fn packed_and_bare_equal_git() {
    let repo = eventful();
    let bare = repo.cloned("bare.git", ["--bare"]);
    repo.try_git_in(&bare, ["gc", "-q"]);
    check(&repo, &bare);
    let repository = Repository::discover(&bare).expect("a repository");
    assert!(repository.is_bare() && repository.work_tree().is_none());
    assert_eq!(repository.prefix(), b"");
    assert!(!repository.is_shallow());
}

#[test]
fn octopus_and_lying_dates_equal_git() {
    let repo = Repo::new();
    repo.write("f", "0");
    repo.commit("root");
    for branch in ["a", "b", "c"] {
        repo.git(["checkout", "-q", "-b", branch, "main"]);
        repo.write(branch, branch);
        repo.commit(branch);
        repo.write(branch, "again");
        repo.commit(branch);
    }
    repo.git(["checkout", "-q", "main"]);
    repo.set_clock(1_500_000_000);
    repo.write("f", "1");
    repo.commit("older than its parent");
    repo.tick();
    repo.git(["merge", "-q", "--no-edit", "a", "b", "c"]);
    repo.write("f", "2");
    repo.commit("after");
    let repository = Repository::discover(&repo.root).expect("a repository");
    let log = change_log(
        &repository,
        &walk(&repository, Limit::Count(100), WalkMode::All),
    );
    let log = log.expect("readable");
    let ids: Vec<_> = log.commits.iter().map(|c| c.id.to_string()).collect();
    assert_eq!(ids, rev_list(&repo, &repo.root, &["--date-order", "HEAD"]));
    assert_eq!(ours(&log), expected(&repo, &repo.root, &ids, &[]));
    assert_eq!(
        log.commits.iter().filter(|c| c.parent_count == 4).count(),
        1
    );
    for base in &ids {
        let range = format!("{base}..HEAD");
        let (from, to) = repository.resolve_range(&range).expect("a range");
        let walk = Walk {
            tip: to,
            limit: Limit::After(from),
            mode: WalkMode::All,
            prefixes: Vec::new(),
        };
        let log = change_log(&repository, &walk).expect("readable");
        let found: Vec<_> = log.commits.iter().map(|c| c.id.to_string()).collect();
        let order = ["--date-order", range.as_str()];
        assert_eq!(found, rev_list(&repo, &repo.root, &order), "{range}");
    }
}

#[test]
fn generated_histories_equal_git() {
    for seed in 1..5_u64 {
        let repo = Repo::new();
        let mut state = seed;
        let mut next = |n: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % n
        };
        for commit in 0..25 {
            for _ in 0..next(4) {
                let name = |n: u64| ["a", "b", "a.x", "ab", "c-d"][n as usize];
                let depth = 1 + next(3);
                let path: Vec<&str> = (0..depth).map(|_| name(next(5))).collect();
                // What is in the way of the path goes first.
                for end in 1..=path.len() {
                    let part = path[..end].join("/");
                    let at = repo.root.join(&part).symlink_metadata();
                    if at.is_ok_and(|at| !at.is_dir() || end == path.len()) {
                        repo.remove(&part);
                    }
                }
                let path = path.join("/");
                match next(5) {
                    0 => {}
                    1 => repo.link(&path, "target"),
                    2 => {
                        repo.write(&path, "tool");
                        repo.set_executable(&path, true);
                    }
                    n => repo.write(&path, &format!("text {n}")),
                }
            }
            repo.commit(&format!("Commit {commit}"));
        }
        let ids = rev_list(&repo, &repo.root, &["--first-parent", "HEAD"]);
        let repository = Repository::discover(&repo.root).expect("a repository");
        let mut walk = walk(&repository, Limit::Count(1000), WalkMode::FirstParent);
        let log = change_log(&repository, &walk).expect("readable");
        assert_eq!(
            ours(&log),
            expected(&repo, &repo.root, &ids, &[]),
            "seed {seed}"
        );
        walk.prefixes = vec![b"a/b".to_vec(), b"./c-d/".to_vec(), b"a.x".to_vec()];
        let log = change_log(&repository, &walk).expect("readable");
        let paths = ["a/b", "c-d", "a.x"];
        assert_eq!(
            ours(&log),
            expected(&repo, &repo.root, &ids, &paths),
            "seed {seed}"
        );
    }
}

#[test]
fn long_history_is_the_same_in_pieces_and_whole() {
    let repo = Repo::new();
    // fast-import makes hundreds of commits in one go.
    let mut script = String::new();
    for n in 0..700 {
        let text = format!("{n}");
        script += &format!(
            "commit refs/heads/main\ncommitter A <a@b> {} +0000\ndata 1\nx\nM 100644 inline d{}/f{}\ndata {}\n{text}\n",
            1_600_000_000 + n,
            n % 13,
            n % 17,
            text.len(),
        );
    }
    std::fs::write(repo.root.join("../import"), script).expect("writable");
    let status = std::process::Command::new("sh")
        .args(["-c", "git fast-import --quiet < ../import"])
        .current_dir(&repo.root)
        .status();
    assert!(status.expect("git runs").success());
    let repository = Repository::discover(&repo.root).expect("a repository");
    let wanted = walk(&repository, Limit::Count(600), WalkMode::FirstParent);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool")
            .install(|| change_log(&repository, &wanted).expect("readable"))
    };
    let (one, four) = (run(1), run(4));
    assert_eq!(one.len(), 600);
    assert_eq!(one.paths.len(), 13 * 17);
    // The oldest build is commit 100, whose tree has 101 files; then one change a build.
    assert_eq!(one.total_changes(), 101 + 599);
    for t in 0..600 {
        assert_eq!(one.changes(t), four.changes(t));
    }
    for id in one.paths.ids() {
        assert_eq!(one.paths.bytes(id), four.paths.bytes(id));
    }
}
