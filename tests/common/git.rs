//! A throw-away git repository for tests, driven by the system's `git` without any configuration
//! of the machine, with dates that advance by one hour a commit.

#![allow(dead_code)] // Each test file uses its own part of this.

use std::cell::Cell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A repository in a temporary directory, removed when dropped.
pub struct Repo {
    home: TempDir,
    pub root: PathBuf,
    clock: Cell<i64>,
}

impl Repo {
    /// An empty repository with a work tree, on branch `main`.
    pub fn new() -> Self {
        let repo = Self::without_git();
        repo.git(["-c", "init.defaultBranch=main", "init", "-q", "."]);
        repo
    }

    /// An empty folder that is no repository.
    pub fn without_git() -> Self {
        let home = TempDir::new().expect("a temporary directory");
        let root = home.path().canonicalize().expect("it exists").join("work");
        std::fs::create_dir(&root).expect("a new directory");
        Self {
            home,
            root,
            clock: Cell::new(1_600_000_000),
        }
    }

    /// A clone of this one made with further arguments of `git clone`; its root is returned.
    pub fn cloned<const N: usize>(&self, name: &str, arguments: [&str; N]) -> PathBuf {
        let target = self
            .home
            .path()
            .canonicalize()
            .expect("it exists")
            .join(name);
        let url = format!("file://{}", self.root.display());
        let mut all = vec!["clone".to_owned(), "-q".to_owned()];
        all.extend(arguments.iter().map(|a| (*a).to_owned()));
        all.extend([url, target.display().to_string()]);
        self.git(all);
        target
    }

    pub fn try_git_in<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
        &self,
        dir: &Path,
        arguments: I,
    ) -> Output {
        let date = format!("@{} +0000", self.clock.get());
        Command::new("git")
            .args(arguments)
            .current_dir(dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "Author")
            .env("GIT_AUTHOR_EMAIL", "author@example.com")
            .env("GIT_COMMITTER_NAME", "Author")
            .env("GIT_COMMITTER_EMAIL", "author@example.com")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .expect("git is installed")
    }

    /// Runs git in the repository and returns what it printed; fails the test when git fails.
    pub fn git<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Vec<u8> {
        let output = self.try_git_in(&self.root, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git failed: {errors}");
        output.stdout
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
        std::fs::write(path, text).expect("writable");
    }

    /// Removes a file or a whole directory.
    pub fn remove(&self, path: &str) {
        let path = self.root.join(path);
        let removed = match path.symlink_metadata().expect("exists").is_dir() {
            true => std::fs::remove_dir_all(path),
            false => std::fs::remove_file(path),
        };
        removed.expect("removable");
    }

    #[cfg(unix)]
    pub fn link(&self, path: &str, target: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
        std::os::unix::fs::symlink(target, path).expect("writable");
    }

    #[cfg(unix)]
    pub fn set_executable(&self, path: &str, executable: bool) {
        use std::os::unix::fs::PermissionsExt;
        let mode = if executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(self.root.join(path), PermissionsExt::from_mode(mode))
            .expect("exists");
    }

    /// Commits everything in the work tree, also when nothing changed, and returns the id.
    pub fn commit(&self, message: &str) -> String {
        self.tick();
        self.git(["add", "-A"]);
        self.git(["commit", "-q", "--allow-empty", "-m", message]);
        self.rev("HEAD")
    }

    /// Makes the next commit one hour later.
    pub fn tick(&self) {
        self.clock.set(self.clock.get() + 3600);
    }

    /// Sets the clock, for histories whose dates lie.
    pub fn set_clock(&self, seconds: i64) {
        self.clock.set(seconds);
    }

    /// Feeds a `git fast-import` stream.
    pub fn import(&self, stream: &[u8]) {
        let file = self.home.path().join("stream");
        std::fs::write(&file, stream).expect("writable");
        let mut command = Command::new("git");
        command
            .args(["fast-import", "--quiet", "--force"])
            .current_dir(&self.root)
            .stdin(std::fs::File::open(&file).expect("just written"));
        let output = command.output().expect("git is installed");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git failed: {errors}");
    }

    /// Makes every packed object a loose one, which a test can take away.
    pub fn unpack(&self) {
        let dir = self.root.join(".git/objects/pack");
        for entry in std::fs::read_dir(dir).expect("readable") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|e| e == "pack") {
                let aside = self.home.path().join("aside.pack");
                std::fs::rename(&path, &aside).expect("movable");
                std::fs::remove_file(path.with_extension("idx")).expect("beside it");
                let mut command = Command::new("git");
                command
                    .args(["unpack-objects", "-q"])
                    .current_dir(&self.root);
                command.stdin(std::fs::File::open(&aside).expect("moved"));
                assert!(command.status().expect("git is installed").success());
            }
        }
    }

    /// Writes a commit into an empty folder as a fresh checkout has it, without `.git`.
    pub fn check_out(&self, commit: &str, folder: &Path) {
        let index = self.home.path().join("index");
        let _ = std::fs::remove_file(&index);
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(self.root.join(".git"))
            .arg("--work-tree")
            .arg(folder)
            .args(["read-tree", "--reset", "-u", commit])
            .current_dir(folder)
            .env("GIT_INDEX_FILE", &index)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git is installed");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git failed: {errors}");
    }

    pub fn rev(&self, rev: &str) -> String {
        let out = self.git(["rev-parse", rev]);
        String::from_utf8(out).expect("hex").trim().to_owned()
    }
}
