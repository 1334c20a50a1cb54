//! Small git histories written as text (`history.txt`).
//!
//! In: the text. Out: the tree after every commit, a `git fast-import` stream, or a repository made with the system's `git`.
//! Cost: one `git` process however many commits there are. Invariant: the same text gives the same commit ids everywhere.
//!
//! The format, line by line (blank lines and lines starting with `#` between directives are skipped):
//!
//! ```text
//! replay FLAGS…            how this history is meant to be replayed: flags of `cacheplan replay`, any number of lines
//! on BRANCH                commits that follow belong to BRANCH, which starts at the latest commit if it is new (default: main)
//! orphan BRANCH            as `on`, but the branch, which must be new, starts from nothing
//! commit MESSAGE           starts a commit; the lines below change the tree of its parent. Commits are numbered from 1
//!   write PATH = TEXT      the file holds this one line (a newline is added); an existing file keeps its mode
//!   write PATH <<TAG       the file holds the lines up to the one that equals TAG
//!   append PATH = TEXT     one more line at the end; `append PATH <<TAG` for several
//!   replace PATH OLD => NEW  the text OLD, which must stand in the file exactly once, becomes NEW
//!   delete PATH            a file or a whole folder
//!   move PATH TO           a file or a whole folder
//!   chmod +x PATH          or `chmod -x PATH`
//!   link PATH TARGET       a symbolic link with this text
//!   submodule PATH DIGIT   a submodule whose commit id is this hex digit 40 times
//!   restore PATH N         the file as it was after commit N (absent if it was absent)
//!   revert N               every file that commit N changed, as it was before it
//!   merge BRANCH           a second parent; takes over what changed on BRANCH since it started
//!   build FLAGS…           flags of this one build, `--flag=value` each (read by `scenario.rs` alone)
//!   base IMAGE TEXT        before this build, IMAGE is made anew from busybase and a file that holds TEXT
//!   expect VERDICTS…       what the builder did (see `scenario.rs`)
//! ```
//!
//! Leading blanks of a directive are ignored, those of file content are not. Paths hold no blanks.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// One path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What git records as the mode.
    pub kind: Kind,
    /// The file's bytes, the text of a link, or the id of a submodule's commit.
    pub bytes: Vec<u8>,
}

/// The kinds of entries a history may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 100644
    File,
    /// 100755
    Executable,
    /// 120000
    Link,
    /// 160000
    Submodule,
}

/// All files of a commit by path, `/` between folders.
pub type Tree = BTreeMap<String, Entry>;

/// One commit with its whole tree.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The message, one line.
    pub message: String,
    /// The branch whose tip it became.
    pub branch: String,
    /// Indices into `History::commits`; the first is the one before it on its branch.
    pub parents: Vec<usize>,
    /// Every file.
    pub tree: Tree,
    /// Flags of this one build.
    pub flags: Vec<String>,
    /// Images made anew before this build, and what they hold.
    pub bases: Vec<(String, String)>,
    /// What the builder did.
    pub expect: Option<String>,
}

/// A parsed history, commits in the order of the text.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The words of all `replay` lines.
    pub replay: Vec<String>,
    /// Oldest first; parents come before children.
    pub commits: Vec<Commit>,
}

/// Where a branch stands and where it began.
struct Branch {
    base: Option<usize>,
    tip: Option<usize>,
}

/// Reads the format above. An error names the line.
pub fn parse(text: &str) -> Result<History, String> {
    let mut history = History::default();
    let mut branches: BTreeMap<String, Branch> = BTreeMap::new();
    let mut current = "main".to_string();
    branches.insert(
        current.clone(),
        Branch {
            base: None,
            tip: None,
        },
    );
    let mut open = false;
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while at < lines.len() {
        let number = at + 1;
        let line = lines[at].trim_start();
        at += 1;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fail = |message: &str| format!("line {number}: {message}: {line}");
        match word {
            "replay" => history
                .replay
                .extend(rest.split_whitespace().map(str::to_string)),
            "on" => {
                let start = branches[&current].tip;
                current = rest.trim().to_string();
                branches.entry(current.clone()).or_insert(Branch {
                    base: start,
                    tip: start,
                });
                open = false;
            }
            "orphan" => {
                current = rest.trim().to_string();
                let new = Branch {
                    base: None,
                    tip: None,
                };
                if branches.insert(current.clone(), new).is_some() {
                    return Err(fail("the branch is not new"));
                }
                open = false;
            }
            "commit" => {
                let branch = branches.get_mut(&current).expect("`on` made it");
                let tree = branch.tip.map(|tip| history.commits[tip].tree.clone());
                history.commits.push(Commit {
                    message: rest.trim().to_string(),
                    branch: current.clone(),
                    parents: branch.tip.into_iter().collect(),
                    tree: tree.unwrap_or_default(),
                    flags: Vec::new(),
                    bases: Vec::new(),
                    expect: None,
                });
                branch.tip = Some(history.commits.len() - 1);
                open = true;
            }
            _ if !open => return Err(fail("stands outside a commit")),
            "build" | "base" | "expect" => {
                let commit = history.commits.last_mut().expect("a commit is open");
                match (word, rest.trim().split_once(' ')) {
                    ("base", Some((image, text))) => {
                        commit.bases.push((image.to_string(), text.to_string()));
                    }
                    ("base", None) => return Err(fail("wants IMAGE TEXT")),
                    ("build", _) => commit
                        .flags
                        .extend(rest.split_whitespace().map(str::to_string)),
                    _ => commit.expect = Some(rest.trim().to_string()),
                }
            }
            "merge" => {
                let side = branches
                    .get_mut(rest.trim())
                    .ok_or_else(|| fail("no such branch"))?;
                let tip = side.tip.ok_or_else(|| fail("an empty branch"))?;
                let none = Tree::new();
                let base = side.base.map_or(&none, |base| &history.commits[base].tree);
                let changes = differences(base, &history.commits[tip].tree);
                side.base = Some(tip);
                let commit = history.commits.last_mut().expect("a commit is open");
                commit.parents.push(tip);
                apply(&mut commit.tree, changes);
            }
            "revert" => {
                let n =
                    earlier(rest, history.commits.len()).ok_or_else(|| fail("no such commit"))?;
                let none = Tree::new();
                let before = history.commits[n].parents.first();
                let before = before.map_or(&none, |&parent| &history.commits[parent].tree);
                let changes = differences(&history.commits[n].tree, before);
                let commit = history.commits.last_mut().expect("a commit is open");
                apply(&mut commit.tree, changes);
            }
            "restore" => {
                let (path, n) = rest
                    .trim()
                    .split_once(' ')
                    .ok_or_else(|| fail("wants PATH N"))?;
                let n = earlier(n, history.commits.len()).ok_or_else(|| fail("no such commit"))?;
                let old = history.commits[n].tree.get(path).cloned();
                let commit = history.commits.last_mut().expect("a commit is open");
                apply(&mut commit.tree, vec![(path.to_string(), old)]);
            }
            "write" | "append" => {
                let (path, body) = rest.split_once(' ').ok_or_else(|| fail("wants content"))?;
                let mut bytes = Vec::new();
                if let Some(tag) = body.strip_prefix("<<") {
                    loop {
                        let line = lines
                            .get(at)
                            .ok_or_else(|| fail("the content has no end"))?;
                        at += 1;
                        if *line == tag {
                            break;
                        }
                        bytes.extend_from_slice(line.as_bytes());
                        bytes.push(b'\n');
                    }
                } else {
                    let text = body
                        .strip_prefix('=')
                        .ok_or_else(|| fail("wants `= TEXT` or `<<TAG`"))?;
                    bytes.extend_from_slice(text.strip_prefix(' ').unwrap_or(text).as_bytes());
                    bytes.push(b'\n');
                }
                let tree = &mut history.commits.last_mut().expect("a commit is open").tree;
                write(tree, path, bytes, word == "append");
            }
            _ => {
                let tree = &mut history.commits.last_mut().expect("a commit is open").tree;
                edit(tree, word, rest).map_err(|message| fail(&message))?;
            }
        }
    }
    Ok(history)
}

/// A commit number of the text as an index; it must be older than the open commit, the last of `count`.
fn earlier(word: &str, count: usize) -> Option<usize> {
    let n: usize = word.trim().parse().ok()?;
    (1..count).contains(&n).then(|| n - 1)
}

fn write(tree: &mut Tree, path: &str, bytes: Vec<u8>, append: bool) {
    let old = tree.get(path).filter(|entry| entry.kind != Kind::Link);
    let kind = old.map_or(Kind::File, |entry| entry.kind);
    let mut all = if append {
        old.map_or_else(Vec::new, |entry| entry.bytes.clone())
    } else {
        Vec::new()
    };
    all.extend(bytes);
    apply(
        tree,
        vec![(path.to_string(), Some(Entry { kind, bytes: all }))],
    );
}

/// The directives that need nothing but the tree.
fn edit(tree: &mut Tree, word: &str, rest: &str) -> Result<(), String> {
    let rest = rest.trim();
    let pair = || {
        rest.split_once(' ')
            .ok_or_else(|| "wants two words".to_string())
    };
    match word {
        "replace" => {
            let (path, texts) = pair()?;
            let (old, new) = texts.split_once(" => ").ok_or("wants OLD => NEW")?;
            let entry = tree.get_mut(path).ok_or("no such file")?;
            let text = String::from_utf8(entry.bytes.clone()).map_err(|_| "not text")?;
            if text.matches(old).count() != 1 {
                return Err(format!(
                    "`{old}` stands {} times in the file",
                    text.matches(old).count()
                ));
            }
            entry.bytes = text.replacen(old, new, 1).into_bytes();
        }
        "delete" => {
            let gone = below(tree, rest);
            if gone.is_empty() {
                return Err("no such path".to_string());
            }
            for path in gone {
                tree.remove(&path);
            }
        }
        "move" => {
            let (from, to) = pair()?;
            let moved = below(tree, from);
            if moved.is_empty() {
                return Err("no such path".to_string());
            }
            let mut changes = Vec::new();
            for path in moved {
                let entry = tree.remove(&path);
                changes.push((format!("{to}{}", &path[from.len()..]), entry));
            }
            apply(tree, changes);
        }
        "chmod" => {
            let (mode, path) = pair()?;
            let kind = match mode {
                "+x" => Kind::Executable,
                "-x" => Kind::File,
                _ => return Err("wants +x or -x".to_string()),
            };
            let entry = tree.get_mut(path).filter(|entry| entry.kind != Kind::Link);
            entry.ok_or("no such file")?.kind = kind;
        }
        "submodule" => {
            let (path, digit) = pair()?;
            if digit.len() != 1 || !digit.chars().all(|c| c.is_ascii_hexdigit()) {
                return Err("wants one hex digit".to_string());
            }
            let entry = Entry {
                kind: Kind::Submodule,
                bytes: digit.repeat(40).into_bytes(),
            };
            apply(tree, vec![(path.to_string(), Some(entry))]);
        }
        "link" => {
            let (path, target) = pair()?;
            let entry = Entry {
                kind: Kind::Link,
                bytes: target.as_bytes().to_vec(),
            };
            apply(tree, vec![(path.to_string(), Some(entry))]);
        }
        _ => return Err("unknown directive".to_string()),
    }
    Ok(())
}

/// The file of this name, or all files of the folder of this name.
fn below(tree: &Tree, path: &str) -> Vec<String> {
    let folder = format!("{path}/");
    tree.keys()
        .filter(|key| *key == path || key.starts_with(&folder))
        .cloned()
        .collect()
}

/// What turns `old` into `new`; `None` is a deletion.
fn differences(old: &Tree, new: &Tree) -> Vec<(String, Option<Entry>)> {
    let gone = old
        .keys()
        .filter(|path| !new.contains_key(*path))
        .map(|path| (path.clone(), None));
    let changed = new
        .iter()
        .filter(|(path, entry)| old.get(*path) != Some(entry));
    gone.chain(changed.map(|(path, entry)| (path.clone(), Some(entry.clone()))))
        .collect()
}

/// Puts entries into a tree as git would: a file replaces a folder of its name, and a folder a file.
fn apply(tree: &mut Tree, changes: Vec<(String, Option<Entry>)>) {
    for (path, entry) in changes {
        let Some(entry) = entry else {
            tree.remove(&path);
            continue;
        };
        for inside in below(tree, &path) {
            tree.remove(&inside);
        }
        for (slash, _) in path.match_indices('/') {
            tree.remove(&path[..slash]);
        }
        tree.insert(path, entry);
    }
}

/// Seconds since 1970 of the first commit; each later one is an hour on.
const FIRST_COMMIT_TIME: usize = 1_767_261_600;

/// The history as input of `git fast-import`. Commit ids follow from it alone.
pub fn fast_import(history: &History) -> Vec<u8> {
    fast_import_as(history, "")
}

/// The same with a prefix before the names of branches, so that one repository may hold many histories.
pub fn fast_import_as(history: &History, prefix: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let none = Tree::new();
    for (index, commit) in history.commits.iter().enumerate() {
        let time = FIRST_COMMIT_TIME + 3600 * index;
        let mark = index + 1;
        if commit.parents.is_empty() && index > 0 {
            // Else a branch of this name from before would be the parent.
            out.extend(format!("reset refs/heads/{prefix}{}\n\n", commit.branch).into_bytes());
        }
        let mut head = format!(
            "commit refs/heads/{prefix}{}\nmark :{mark}\n",
            commit.branch
        );
        for role in ["author", "committer"] {
            head += &format!("{role} Ada Example <ada@example.com> {time} +0000\n");
        }
        head += &format!("data {}\n{}\n\n", commit.message.len() + 1, commit.message);
        for (nth, parent) in commit.parents.iter().enumerate() {
            let word = if nth == 0 { "from" } else { "merge" };
            head += &format!("{word} :{}\n", parent + 1);
        }
        out.extend(head.into_bytes());
        let before = commit
            .parents
            .first()
            .map_or(&none, |&parent| &history.commits[parent].tree);
        // Deletions come first, so that a folder may take the place of a file.
        for (path, entry) in differences(before, &commit.tree) {
            let Some(entry) = entry else {
                out.extend(format!("D {path}\n").into_bytes());
                continue;
            };
            let mode = match entry.kind {
                Kind::File => "100644",
                Kind::Executable => "100755",
                Kind::Link => "120000",
                Kind::Submodule => {
                    let id = String::from_utf8_lossy(&entry.bytes);
                    out.extend(format!("M 160000 {id} {path}\n").into_bytes());
                    continue;
                }
            };
            out.extend(
                format!("M {mode} inline {path}\ndata {}\n", entry.bytes.len()).into_bytes(),
            );
            out.extend(entry.bytes);
            out.push(b'\n');
        }
    }
    out
}

/// A `git` command that reads no configuration of the user or the system.
pub fn git(repository: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository);
    command.args([
        "-c",
        "init.defaultBranch=main",
        "-c",
        "core.autocrlf=false",
        "-c",
        "commit.gpgsign=false",
    ]);
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("HOME", repository);
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_CEILING_DIRECTORIES",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end and hands back what it printed; an error holds what it said.
pub fn output_of(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Makes the repository in an existing empty folder and checks `main` out.
pub fn create_repository(history: &History, folder: &Path) -> Result<(), String> {
    output_of(git(folder).args(["init", "-q", "."]))?;
    import(folder, &fast_import(history))?;
    output_of(git(folder).args(["reset", "-q", "--hard", "main"])).map(drop)
}

/// Reads a `git fast-import` stream into a repository.
pub fn import(folder: &Path, stream: &[u8]) -> Result<(), String> {
    let mut import = git(folder);
    import
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = import
        .spawn()
        .map_err(|error| format!("git fast-import: {error}"))?;
    let sent = child.stdin.take().expect("piped").write_all(stream);
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    if sent.is_err() || !output.status.success() {
        return Err(format!(
            "git fast-import: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(())
}

/// The commits a replay builds: first parents of `main`, oldest first.
pub fn first_parents(folder: &Path) -> Result<Vec<String>, String> {
    commits(folder, "--first-parent")
}

/// The commits that `git rev-list` gives with one more option, oldest first.
pub fn commits(folder: &Path, option: &str) -> Result<Vec<String>, String> {
    let list = output_of(git(folder).args(["rev-list", option, "--reverse", "main"]))?;
    Ok(list.lines().map(str::to_string).collect())
}
