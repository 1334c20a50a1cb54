//! Objects in packs of every form: the log is the one that loose objects give, or damage is an error.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;
#[path = "common/raw_log.rs"]
mod raw_log;

use cacheplan::history::{ChangeLog, HistoryError, Limit, Repository, Walk, WalkMode, change_log};
use git::Repo;
use raw_log::told;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A hundred commits that change files in folders of forty, some of them back and forth.
fn repository() -> Repo {
    let repo = Repo::new();
    let mut stream = String::new();
    for n in 0..100_u32 {
        let who = format!("A <a@example.com> {} +0000", 1_600_000_000 + n * 60);
        let _ = write!(
            stream,
            "commit refs/heads/main\nmark :{}\ncommitter {who}\ndata 5\nnext\n",
            n + 1
        );
        if n > 0 {
            let _ = writeln!(stream, "from :{n}");
        }
        let mut put = |path: String, text: String| {
            let _ = write!(
                stream,
                "M 100644 inline {path}\ndata {}\n{text}\n",
                text.len()
            );
        };
        let first = if n == 0 { 0..160 } else { 0..0 };
        for file in first {
            put(
                format!("src/d{}/file-{file}.rs", file % 4),
                format!("text {file}"),
            );
        }
        put(
            format!("src/d{}/file-{}.rs", n % 4, n % 160 / 4 * 4 + n % 4),
            format!("text {}", n % 7),
        );
        put(format!("docs/page-{}.md", n % 13), format!("page {n}"));
    }
    repo.import(stream.as_bytes());
    repo
}

fn log(root: &Path) -> Result<ChangeLog, HistoryError> {
    let repository = Repository::discover(root)?;
    let walk = Walk {
        tip: repository.resolve("main")?,
        limit: Limit::Count(500),
        mode: WalkMode::FirstParent,
        prefixes: Vec::new(),
    };
    change_log(&repository, &walk)
}

fn packs(root: &Path, extension: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(root.join(".git/objects/pack")).expect("a folder");
    let mut paths: Vec<PathBuf> = files.map(|f| f.expect("a file").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == extension));
    paths
}

#[test]
fn packs_of_every_form_give_the_log_of_loose_objects() {
    let repo = repository();
    repo.unpack();
    let loose = told(&log(&repo.root).expect("readable"));
    assert_eq!(loose.len(), 100);
    let repack = |options: &[&str], arguments: &[&str]| {
        let all = [options, &["repack", "-q", "-a", "-d", "-f"], arguments].concat();
        repo.git(all);
        assert_eq!(
            told(&log(&repo.root).expect("readable")),
            loose,
            "{options:?} {arguments:?}"
        );
    };
    repack(&[], &[]);
    repack(&[], &["--depth=4000", "--window=250"]);
    // Bases by their ids.
    repack(
        &["-c", "repack.useDeltaBaseOffset=false"],
        &["--depth=50", "--window=250"],
    );
    repack(&["-c", "pack.indexVersion=1"], &["--depth=50"]);
    repack(&["-c", "pack.compression=0"], &["--depth=0"]);
    repack(&["-c", "pack.packSizeLimit=1m"], &[]);
    // Several packs, and loose objects beside them.
    repo.git(["reset", "-q", "--hard"]);
    for n in 0..3 {
        repo.write("docs/new", &n.to_string());
        repo.commit("more");
        if n < 2 {
            repo.git(["repack", "-q", "-d"]);
        }
    }
    assert_eq!(packs(&repo.root, "pack").len(), 3);
    let more = told(&log(&repo.root).expect("readable"));
    assert_eq!(more[..100], loose[..]);
    assert_eq!(more.len(), 103);
    // The objects of another repository.
    let shared = repo.cloned("shared", ["--shared"]);
    assert_eq!(told(&log(&shared).expect("readable")), more);
}

/// Whatever a byte becomes, the log is the same or there is an error: some bytes nobody looks at.
#[test]
fn damage_is_an_error_or_nobody_sees_it() {
    let repo = repository();
    repo.git([
        "repack",
        "-q",
        "-a",
        "-d",
        "-f",
        "--depth=50",
        "--window=250",
    ]);
    let whole = told(&log(&repo.root).expect("readable"));
    let mut errors = 0;
    for extension in ["pack", "idx"] {
        let path = packs(&repo.root, extension).remove(0);
        let bytes = std::fs::read(&path).expect("readable");
        let mode = std::fs::metadata(&path).expect("there").permissions();
        std::fs::remove_file(&path).expect("removed");
        let steps = 150;
        for step in 0..steps {
            let mut damaged = bytes.clone();
            let at = bytes.len() * step / steps;
            damaged[at] ^= 0x55;
            std::fs::write(&path, &damaged).expect("written");
            match log(&repo.root) {
                Ok(log) => assert_eq!(told(&log), whole, "{extension} at {at}"),
                Err(_) => errors += 1,
            }
            std::fs::remove_file(&path).expect("removed");
        }
        std::fs::write(&path, &bytes).expect("written");
        std::fs::set_permissions(&path, mode).expect("set");
    }
    assert!(errors > 20, "{errors} errors");
    assert_eq!(told(&log(&repo.root).expect("readable")), whole);
}
