//! A repository with a pull request, checked out as `actions/checkout` does.
//!
//! In: nothing, or hostile names. Out: an origin with a branch and the merge commit of a pull request, and a checkout of that.

use std::path::{Path, PathBuf};
use std::process::Command;

pub const DOCKERFILE: &str =
    "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN npm run build\n";
/// The same with what changes rarely before what changes always.
pub const BETTER: &str = "FROM node:22\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build\n";

pub fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_DATE", "2026-01-05T10:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-05T10:00:00Z")
        .output()
        .expect("git");
    assert!(
        out.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// What `.git` of the job's workspace is a checkout of.
pub struct Origin {
    pub path: PathBuf,
    /// The newest commit of `main`, which the pull request starts from, and its own.
    pub base: String,
    pub head: String,
    /// What the pull request is checked out as.
    pub merge: String,
}

/// Four builds on `main`, whose Dockerfile is `before` (none if empty), and a pull request with a commit of `subject` that makes it `after`.
pub fn origin(path: &Path, before: &str, after: &str, subject: &str) -> Origin {
    origin_of(path, before, after, subject, "src/a.js")
}

/// The same; every build edits this file.
pub fn origin_of(path: &Path, before: &str, after: &str, subject: &str, edited: &str) -> Origin {
    let write = |name: &str, text: &str| {
        let file = path.join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("written");
    };
    std::fs::create_dir_all(path).expect("a folder");
    git(path, &["init", "-q"]);
    write("package.json", "{\"name\":\"a\"}");
    write("package-lock.json", "{}");
    write(".dockerignore", ".git\n");
    if !before.is_empty() {
        write("Dockerfile", before);
    }
    let commit = |subject: &str| {
        git(path, &["add", "-A"]);
        git(path, &["commit", "-q", "--allow-empty", "-m", subject]);
        git(path, &["rev-parse", "HEAD"])
    };
    for n in 0..4 {
        write(edited, &format!("a({n})\n"));
        commit("an edit");
    }
    git(path, &["checkout", "-q", "-b", "change"]);
    write("Dockerfile", after);
    write("src/b.js", "b()\n");
    let head = commit(subject);
    git(path, &["checkout", "-q", "main"]);
    write("src/c.js", "c()\n");
    let base = commit("meanwhile");
    git(path, &["checkout", "-q", "--detach"]);
    git(path, &["merge", "-q", "--no-ff", "-m", "merge", "change"]);
    let merge = git(path, &["rev-parse", "HEAD"]);
    git(path, &["update-ref", "refs/pull/7/merge", &merge]);
    git(path, &["checkout", "-q", "main"]);
    Origin {
        path: path.to_owned(),
        base,
        head,
        merge,
    }
}

/// As `actions/checkout` does with this depth, 0 for all.
pub fn check_out(origin: &Origin, workspace: &Path, commit: &str, depth: usize) {
    git(workspace, &["init", "-q"]);
    let url = format!("file://{}", origin.path.display());
    git(workspace, &["remote", "add", "origin", &url]);
    let depth = format!("--depth={depth}");
    let mut args = vec!["fetch", "-q", "--no-tags"];
    if depth != "--depth=0" {
        args.push(&depth);
    }
    let spec = format!("+{commit}:refs/remotes/pull/7/merge");
    args.extend(["origin", &spec]);
    git(workspace, &args);
    git(
        workspace,
        &["checkout", "-q", "--force", "refs/remotes/pull/7/merge"],
    );
}
