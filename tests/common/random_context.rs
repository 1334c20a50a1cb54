//! Random context trees with ignore files, and COPY sources over them, from a seed.
//!
//! In: a seed. Out: trees, their ignore files and copies; the same for the same seed. Names of folders, files and links
//! come from different lists, so that copying several sources into one folder never puts a file over a folder.

use super::random_history::Random;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Folder,
    File(String),
    Link(String),
    /// Another name of a file.
    HardLink(String),
    Pipe,
    Socket,
}

/// One node; the mode is none of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub what: What,
    pub mode: u32,
    pub xattrs: Vec<(String, String)>,
}

/// A context folder. Paths sort folders before what is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    pub nodes: BTreeMap<String, Node>,
    /// Text of `.dockerignore`, if there is one.
    pub ignore: Option<String>,
}

/// Sources and excludes of one COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    pub sources: Vec<String>,
    pub excludes: Vec<String>,
}

const FOLDERS: [&str; 8] = ["a", "b", "a.d", "a-d", "é", ".h", "b b", "[c]"];
const FILES: [&str; 9] = [
    "f", "g", "f.txt", "g.txt", "a.txt", "ü.txt", ".env", "x y", "Z",
];
const LINKS: [&str; 4] = ["l", "m", "l.txt", "k"];

/// A tree of a few folders, files and links, with or without an ignore file.
pub fn tree(random: &mut Random) -> Tree {
    let mut tree = Tree::default();
    let mut folders = vec![String::new()];
    for _ in 0..random.below(5) {
        let path = join(random.pick(&folders), random.pick(&FOLDERS));
        if path.matches('/').count() < 3 && !tree.nodes.contains_key(&path) {
            let mode = *random.pick(&[0o755, 0o755, 0o755, 0o700, 0o775, 0o2755, 0o1777]);
            put(&mut tree, random, &path, What::Folder, mode);
            folders.push(path);
        }
    }
    for _ in 0..2 + random.below(9) {
        let path = join(random.pick(&folders), random.pick(&FILES));
        let mode = *random.pick(&[0o644, 0o644, 0o644, 0o755, 0o600, 0o4755, 0o444]);
        let text = "abc\n".repeat(random.below(4)) + *random.pick(&["", "x", "y"]);
        put(&mut tree, random, &path, What::File(text), mode);
    }
    if random.one_in(8) {
        let path = join(random.pick(&folders), "p");
        put(&mut tree, random, &path, What::Pipe, 0o640);
    }
    if random.one_in(8) {
        let path = join(random.pick(&folders), "s");
        put(&mut tree, random, &path, What::Socket, 0o750);
    }
    let known: Vec<String> = tree.nodes.keys().cloned().collect();
    if random.one_in(6) {
        let first = random.pick(&known).clone();
        if let What::File(_) = tree.nodes[&first].what {
            let path = join(random.pick(&folders), "hard");
            let mode = tree.nodes[&first].mode;
            put(&mut tree, random, &path, What::HardLink(first), mode);
        }
    }
    for _ in 0..random.below(4) {
        let path = join(random.pick(&folders), random.pick(&LINKS));
        let up = "../".repeat(path.matches('/').count());
        let to = random.pick(&known).clone();
        let target = match random.below(9) {
            0..=3 => format!("{up}{to}"),
            4 => format!("/{to}"),
            5 => "nowhere".to_owned(),
            6 => format!("{up}../{to}"),
            7 => (*random.pick(&[".", "..", "/", "../..", "l", "m"])).to_owned(),
            _ => format!("./{up}./{to}"),
        };
        put(&mut tree, random, &path, What::Link(target), 0o777);
    }
    if random.below(10) < 7 {
        tree.ignore = Some(ignore(random, &tree));
    }
    tree
}

fn put(tree: &mut Tree, random: &mut Random, path: &str, what: What, mode: u32) {
    let plain = matches!(what, What::File(_) | What::Folder);
    let xattrs = match random.below(12) {
        0 if plain => vec![
            ("user.b".to_owned(), "2".to_owned()),
            ("user.a".to_owned(), String::new()),
        ],
        1 if plain => vec![("user.a".to_owned(), path.to_owned())],
        _ => Vec::new(),
    };
    tree.nodes
        .entry(path.to_owned())
        .or_insert(Node { what, mode, xattrs });
}

fn join(folder: impl AsRef<str>, name: impl AsRef<str>) -> String {
    let name = name.as_ref();
    match folder.as_ref() {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

/// Lines about the tree's own paths, with wildcards, exceptions, comments and odd spellings.
fn ignore(random: &mut Random, tree: &Tree) -> String {
    let paths: Vec<&String> = tree.nodes.keys().collect();
    let mut lines = Vec::new();
    for _ in 0..1 + random.below(5) {
        let path = plain(random.pick(&paths));
        let parent = path.rsplit_once('/').map_or("", |(p, _)| p);
        let name = path.rsplit('/').next().unwrap_or_default();
        let line = match random.below(22) {
            0..=4 => path.clone(),
            5 => format!("{path}/**"),
            6 => format!("{path}/*"),
            7 => format!("**/{name}"),
            8 => join(parent, "*"),
            9 => join(parent, "*.txt"),
            10 => "*".to_owned(),
            11 => "**".to_owned(),
            12 => format!("**/{}*", name.chars().next().unwrap_or('a')),
            13 => join(parent, "?"),
            14 => format!("/{path}/"),
            15 => format!("./{path}/x/.."),
            16 => "[a-f]*".to_owned(),
            17 => "**/*.txt".to_owned(),
            18 => format!("# {path}"),
            19 => "*/*".to_owned(),
            20 => format!("{path}/*/**"),
            _ => format!("**{name}"),
        };
        let bang = if random.below(5) < 2 {
            *random.pick(&["!", "!", "! "])
        } else {
            ""
        };
        lines.push(format!("{bang}{line}"));
    }
    if random.one_in(4) {
        // The walk keeps such a file and its bytes are not sent.
        let path = plain(random.pick(&paths));
        let parent = path.rsplit_once('/').map_or("*", |(p, _)| p);
        lines.extend([parent.to_owned(), format!("!{path}"), parent.to_owned()]);
    }
    let end = *random.pick(&["\n", "\n", "\r\n"]);
    lines.join(end) + end
}

/// A path as a pattern that means it: brackets are the only special characters in names.
fn plain(path: impl AsRef<str>) -> String {
    path.as_ref().replace('[', "\\[")
}

/// Sources over a tree: its paths, wildcards, the root, and now and then something that is not there.
pub fn copy(random: &mut Random, tree: &Tree, with_root: bool) -> Copy {
    let paths: Vec<&String> = tree.nodes.keys().filter(|p| !p.contains('[')).collect();
    let mut sources = Vec::new();
    let count = *random.pick(&[1, 1, 1, 2, 3]);
    while sources.len() < count {
        let path = match paths.is_empty() {
            true => String::new(),
            false => (*random.pick(&paths)).clone(),
        };
        let parent = path.rsplit_once('/').map_or("", |(p, _)| p);
        let first = path
            .rsplit('/')
            .next()
            .and_then(|n| n.chars().next())
            .unwrap_or('a');
        sources.push(match random.below(20) {
            0..=6 => path,
            7 => format!("/{path}/"),
            8 => join(parent, "*"),
            9 => join(parent, "*.txt"),
            10 => join(parent, "?*"),
            11 => join(parent, format!("{first}*")),
            12 => join(&path, "*"),
            13 => "*/*".to_owned(),
            14 => join(parent, "[a-g]*"),
            15 if with_root => ".".to_owned(),
            16 if with_root => "/".to_owned(),
            17 => join("l", "f*"),
            18 => join("*", "f*"),
            _ if random.one_in(6) => join(parent, "absent"),
            _ => path,
        });
        if sources
            .last()
            .is_some_and(|s| !with_root && s.trim_matches('/').is_empty())
        {
            sources.pop();
            sources.push("*".to_owned());
        }
    }
    let mut excludes = Vec::new();
    if random.below(3) == 0 {
        for _ in 0..1 + random.below(2) {
            let name = paths
                .last()
                .and_then(|p| p.rsplit('/').next())
                .unwrap_or("f");
            excludes.push(match random.below(12) {
                0 => "*".to_owned(),
                1 => "**".to_owned(),
                2 | 3 => "*.txt".to_owned(),
                4 => "**/*.txt".to_owned(),
                5 => "**/f".to_owned(),
                6 => format!("!{}", name.replace(' ', "?")),
                7 => "a/**".to_owned(),
                8 => "*/*".to_owned(),
                9 => "l".to_owned(),
                10 => "/f".to_owned(),
                _ => name.replace(' ', "?"),
            });
        }
    }
    Copy { sources, excludes }
}

/// Writes a tree into an empty folder. Returns whether extended attributes could be set.
pub fn write(tree: &Tree, folder: &Path) -> bool {
    let mut attributes = true;
    for (path, node) in &tree.nodes {
        let full = folder.join(path);
        match &node.what {
            What::Folder => fs::create_dir(&full).expect("a folder"),
            What::File(text) => fs::write(&full, text).expect("a file"),
            What::Link(target) => symlink(target, &full).expect("a link"),
            // Made below, when its file is there.
            What::HardLink(_) => continue,
            What::Socket => drop(UnixListener::bind(&full).expect("a socket")),
            What::Pipe => {
                let made = Command::new("mkfifo").arg(&full).status();
                assert!(made.is_ok_and(|s| s.success()), "mkfifo");
            }
        }
        for (name, value) in &node.xattrs {
            attributes &= xattr::set(&full, name, value.as_bytes()).is_ok();
        }
    }
    for (path, node) in &tree.nodes {
        if let What::HardLink(first) = &node.what {
            fs::hard_link(folder.join(first), folder.join(path)).expect("a hard link");
        }
    }
    for (path, node) in tree.nodes.iter().rev() {
        if !matches!(node.what, What::Link(_)) {
            let mode = fs::Permissions::from_mode(node.mode);
            fs::set_permissions(folder.join(path), mode).expect("a mode");
        }
    }
    if let Some(text) = &tree.ignore {
        let path = folder.join(".dockerignore");
        fs::write(&path, text).expect("an ignore file");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("a mode");
    }
    attributes
}
