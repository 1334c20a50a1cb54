//! Random graphs of commits: merges of two and more, criss-cross merges, several roots, reverts, dates that
//! lie. Every build's state must be its own commit's tree, in the order of `git rev-list`.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;
#[path = "common/raw_log.rs"]
mod raw_log;

use cacheplan::history::{ChangeLog, CommitId, Limit, Repository, Walk, WalkMode, change_log};
use git::Repo;
use raw_log::{Side, rev_list, side};
use std::collections::BTreeMap;
use std::fmt::Write as _;

type Tree = BTreeMap<Vec<u8>, Side>;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from((self.0 >> 33) % n as u64).expect("below n")
    }
}

/// A graph with one tip, as a `git fast-import` stream.
fn graph(seed: u64, commits: usize) -> String {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut stream = String::new();
    let mut trees: Vec<BTreeMap<String, String>> = Vec::new();
    let mut heads: Vec<usize> = Vec::new();
    for n in 0..=commits {
        let mut parents: Vec<usize> = Vec::new();
        if n == commits {
            // The tip, reaching everything.
            parents.extend(&heads);
        } else if n > 0 && random.below(12) > 0 {
            let wanted = [1, 1, 1, 1, 2, 2, 3][random.below(7)];
            for _ in 0..wanted {
                // Mostly recent ones, so that branches grow and cross.
                let back = 1 + random.below(n.min(5));
                if !parents.contains(&(n - back)) {
                    parents.push(n - back);
                }
            }
        }
        heads.retain(|h| !parents.contains(h));
        heads.push(n);
        let mut tree = match (parents.first(), random.below(8)) {
            // A revert, in one go.
            (Some(_), 0) => trees[random.below(n)].clone(),
            (Some(first), _) => trees[*first].clone(),
            (None, _) => BTreeMap::new(),
        };
        for other in parents.iter().skip(1) {
            // A merge that takes some of the other side.
            let theirs = trees[*other].iter().filter(|_| random.below(2) == 0);
            tree.extend(theirs.map(|(p, t)| (p.clone(), t.clone())));
        }
        for _ in 0..random.below(3) {
            let path = ["a", "b", "d/a", "d/b", "d/e/x", "f.txt"][random.below(6)];
            match random.below(4) {
                0 => drop(tree.remove(path)),
                _ => drop(tree.insert(path.to_owned(), format!("text {}", random.below(4)))),
            }
        }
        let time = 1_600_000_000 + n * 60 + random.below(400);
        let _ = write!(
            stream,
            "commit refs/heads/{}\nmark :{}\ncommitter A <a@b> {time} +0000\ndata 1\nx\n",
            if n == commits { "main" } else { "other" },
            n + 1
        );
        for (i, parent) in parents.iter().enumerate() {
            let word = if i == 0 { "from" } else { "merge" };
            let _ = writeln!(stream, "{word} :{}", parent + 1);
        }
        if parents.is_empty() && n > 0 {
            // Else the branch's last commit would be the parent.
            stream.insert_str(
                stream.rfind("commit refs").expect("just written"),
                "reset refs/heads/other\n\n",
            );
        }
        stream.push_str("deleteall\n");
        for (path, text) in &tree {
            let _ = writeln!(
                stream,
                "M 100644 inline {path}\ndata {}\n{text}",
                text.len()
            );
        }
        trees.push(tree);
    }
    stream
}

fn ls_tree(repo: &Repo, commit: &str, paths: &[&str]) -> Tree {
    let arguments = [&["ls-tree", "-r", "-z", "--full-tree", commit, "--"], paths].concat();
    let out = repo.git(arguments);
    let lines = out.split(|b| *b == 0).filter(|line| !line.is_empty());
    let entry = |line: &[u8]| {
        let tab = line.iter().position(|b| *b == b'\t').expect("a tab");
        let head = String::from_utf8(line[..tab].to_vec()).expect("ASCII");
        let [mode, _, oid] = head.split(' ').collect::<Vec<_>>()[..] else {
            panic!("unexpected line {head}");
        };
        (
            line[tab + 1..].to_vec(),
            Some((mode.to_owned(), oid.to_owned())),
        )
    };
    lines.map(entry).collect()
}

/// Replays the changes and compares the state after every build with the commit's tree.
fn states_equal_trees(
    repo: &Repo,
    log: &ChangeLog,
    paths: &[&str],
    known: &mut BTreeMap<String, Tree>,
) {
    let mut now = Tree::new();
    for build in 0..log.len() {
        for change in log.changes(build) {
            let path = log.paths.bytes(change.path);
            let old = now.remove(&path).flatten();
            assert_eq!(old, side(change.old));
            if change.new.is_some() {
                now.insert(path, side(change.new));
            }
        }
        let id = log.commits[build].id.to_string();
        let tree = known
            .entry(id.clone())
            .or_insert_with(|| ls_tree(repo, &id, paths));
        assert_eq!(now, *tree, "after {id}");
    }
}

fn found(log: &ChangeLog) -> Vec<String> {
    log.commits.iter().map(|c| c.id.to_string()).collect()
}

#[test]
fn every_state_is_its_own_commits_tree() {
    let (mut merges, mut roots, mut octopuses) = (0, 0, 0);
    for seed in 1..=12 {
        let repo = Repo::new();
        repo.import(graph(seed, 24).as_bytes());
        let repository = Repository::discover(&repo.root).expect("a repository");
        let tip = repository.head().expect("a commit");
        let run = |limit, mode, prefixes: &[&str]| {
            let prefixes = prefixes.iter().map(|p| p.as_bytes().to_vec()).collect();
            let walk = Walk {
                tip,
                limit,
                mode,
                prefixes,
            };
            change_log(&repository, &walk).expect("readable")
        };
        let all = rev_list(&repo, &repo.root, &["--date-order", "HEAD"]);
        let whole = run(Limit::Count(usize::MAX), WalkMode::All, &[]);
        assert_eq!(found(&whole), all, "seed {seed}");
        merges += whole.commits.iter().filter(|c| c.parent_count == 2).count();
        octopuses += whole.commits.iter().filter(|c| c.parent_count > 2).count();
        roots += whole.commits.iter().filter(|c| c.parent_count == 0).count();
        let (mut known, mut below) = (BTreeMap::new(), BTreeMap::new());
        states_equal_trees(&repo, &whole, &[], &mut known);
        let family = rev_list(&repo, &repo.root, &["--parents", "HEAD"]);
        for count in [1, 3, 10] {
            let number = count.to_string();
            let log = run(Limit::Count(count), WalkMode::FirstParent, &[]);
            let counted = ["--max-count", &number, "HEAD"];
            let ids = rev_list(
                &repo,
                &repo.root,
                &[&["--first-parent"], &counted[..]].concat(),
            );
            assert_eq!(found(&log), ids, "seed {seed}, the last {count}");
            states_equal_trees(&repo, &log, &[], &mut known);
            // Git counts before it sorts, unless it is asked for a topological order: where clocks lie the
            // last so many of that order are others, and finding them would take the whole history.
            let log = run(Limit::Count(count), WalkMode::All, &[]);
            let (mut ids, mut ours) = (rev_list(&repo, &repo.root, &counted), found(&log));
            for (at, id) in ours.iter().enumerate() {
                let line = family.iter().find(|line| line.starts_with(id.as_str()));
                let mut parents = line.expect("a commit").split(' ').skip(1);
                let late = |p: &&str| ours[at..].iter().any(|later| later == p);
                assert_eq!(parents.find(late), None, "seed {seed}, {id}");
            }
            ids.sort();
            ours.sort();
            assert_eq!(ours, ids, "seed {seed}, the last {count}");
            states_equal_trees(&repo, &log, &[], &mut known);
        }
        let log = run(Limit::Count(usize::MAX), WalkMode::All, &["d", "f.txt"]);
        states_equal_trees(&repo, &log, &["d", "f.txt"], &mut below);
        for base in all.iter().step_by(3) {
            let from = repository.resolve(base).expect("a commit");
            for (mode, order) in [
                (WalkMode::All, "--date-order"),
                (WalkMode::FirstParent, "--first-parent"),
            ] {
                let log = run(Limit::After(from), mode, &[]);
                let ids = rev_list(&repo, &repo.root, &[order, &format!("{base}..HEAD")]);
                assert_eq!(found(&log), ids, "seed {seed}, {base}..HEAD");
                states_equal_trees(&repo, &log, &[], &mut known);
            }
        }
    }
    eprintln!("{merges} merges of two, {octopuses} of more, {roots} roots");
    assert!(merges > 40 && octopuses > 15 && roots > 20);
}

#[test]
fn a_side_that_the_tip_does_not_reach_is_a_base_too() {
    let repo = Repo::new();
    repo.write("f", "0");
    repo.commit("root");
    repo.git(["checkout", "-q", "-b", "side"]);
    repo.write("g", "1");
    repo.commit("side");
    repo.git(["checkout", "-q", "main"]);
    repo.write("f", "1");
    repo.commit("main");
    repo.git(["checkout", "-q", "--orphan", "other"]);
    repo.write("h", "1");
    repo.commit("another root");
    let repository = Repository::discover(&repo.root).expect("a repository");
    for range in [
        "side..main",
        "other..main",
        "main..side",
        "main..main",
        "main..other",
        "side..",
        "main~1..main",
    ] {
        let (from, tip) = repository.resolve_range(range).expect("a range");
        for (mode, order) in [
            (WalkMode::All, "--date-order"),
            (WalkMode::FirstParent, "--first-parent"),
        ] {
            let walk = Walk {
                tip,
                limit: Limit::After(from),
                mode,
                prefixes: Vec::new(),
            };
            let log = change_log(&repository, &walk).expect("readable");
            assert_eq!(
                found(&log),
                rev_list(&repo, &repo.root, &[order, range]),
                "{range}"
            );
        }
    }
    let nothing = Walk {
        tip: CommitId(repository.head().expect("a commit").0),
        limit: Limit::Count(0),
        mode: WalkMode::All,
        prefixes: Vec::new(),
    };
    assert!(
        change_log(&repository, &nothing)
            .expect("readable")
            .is_empty()
    );
}
