//! The file system of a stage while it is generated, and what each step touches in it.
//!
//! In: paths as steps write them. Out: the places they lead to, physically, as the kernel would. Invariant: nothing here
//! is taken from the tool that is tested.

use std::collections::{BTreeMap, BTreeSet};

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A folder; whether `app` may write in it.
    Folder { open: bool },
    /// A file.
    File,
    /// A symbolic link and its text.
    Link(String),
}

/// The file system of a stage.
#[derive(Clone, Debug, Default)]
pub struct Files(pub BTreeMap<String, Node>);

/// A place, and whether all below it is meant as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub deep: bool,
}

/// What a step looks at and changes, whichever way its tests go.
#[derive(Clone, Debug, Default)]
pub struct Touch {
    pub reads: Vec<Place>,
    pub writes: Vec<Place>,
    /// Folders it creates where they are missing, and surely did.
    pub makes: BTreeSet<String>,
    /// Who they belong to.
    pub owner: String,
    /// Nobody knows without running it: it counts as meeting everything.
    pub all: bool,
}

/// Where a path leads.
pub struct Led {
    pub path: String,
    /// Links that were followed.
    pub links: Vec<String>,
}

/// The folders above a path.
pub fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .skip(1)
        .map(move |(at, _)| &path[..at])
}

/// The folder a path is in.
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    }
}

/// A name in a folder.
pub fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

fn below(path: &str, top: &str) -> bool {
    let rest = path.strip_prefix(top.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Files {
    /// What the base image has.
    pub fn base() -> Self {
        let mut files = Self::default();
        for folder in [
            "/",
            "/bin",
            "/dev",
            "/etc",
            "/proc",
            "/root",
            "/sbin",
            "/sys",
            "/usr",
            "/usr/bin",
            "/usr/sbin",
        ] {
            files
                .0
                .insert(folder.to_string(), Node::Folder { open: false });
        }
        files
            .0
            .insert("/tmp".to_string(), Node::Folder { open: true });
        for file in ["/etc/passwd", "/etc/group"] {
            files.0.insert(file.to_string(), Node::File);
        }
        files
    }

    /// Where a path leads; `last` says whether a link at its end is followed.
    pub fn lead(&self, cwd: &str, text: &str, last: bool) -> Option<Led> {
        let mut rest: Vec<String> = Vec::new();
        let push = |rest: &mut Vec<String>, text: &str| {
            rest.extend(
                text.split('/')
                    .rev()
                    .filter(|p| !p.is_empty() && *p != ".")
                    .map(str::to_string),
            );
        };
        push(&mut rest, text);
        if !text.starts_with('/') {
            push(&mut rest, cwd);
        }
        let (mut path, mut links, mut hops) = (String::new(), Vec::new(), 0);
        while let Some(part) = rest.pop() {
            if part == ".." {
                path.truncate(path.rfind('/').unwrap_or(0));
                continue;
            }
            let next = format!("{path}/{part}");
            match self.0.get(&next) {
                Some(Node::Link(to)) if last || !rest.is_empty() => {
                    hops += 1;
                    if hops > 20 {
                        return None;
                    }
                    links.push(next);
                    push(&mut rest, to);
                    if to.starts_with('/') {
                        path.clear();
                    }
                }
                _ => path = next,
            }
        }
        if path.is_empty() {
            path.push('/');
        }
        Some(Led { path, links })
    }

    pub fn is_folder(&self, path: &str) -> bool {
        matches!(self.0.get(path), Some(Node::Folder { .. }))
    }

    pub fn is_file(&self, path: &str) -> bool {
        matches!(self.0.get(path), Some(Node::File))
    }

    pub fn is_there(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Paths below one, itself left out.
    pub fn below(&self, top: &str) -> Vec<String> {
        let all = self.0.keys().filter(|p| *p != top && below(p, top));
        all.cloned().collect()
    }

    pub fn remove(&mut self, top: &str) {
        self.0.retain(|p, _| !below(p, top));
    }

    /// Copies a tree to a new name; what is there stays.
    pub fn copy(&mut self, from: &str, to: &str, open: bool) {
        let tree: Vec<(String, Node)> = self
            .0
            .iter()
            .filter(|(p, _)| below(p, from))
            .map(|(p, n)| (format!("{to}{}", &p[from.len()..]), n.clone()))
            .collect();
        for (path, node) in tree {
            let node = match node {
                Node::Folder { .. } => Node::Folder { open },
                other => other,
            };
            self.0.entry(path).or_insert(node);
        }
    }
}

fn meet(a: &Place, b: &Place) -> bool {
    a.path == b.path || a.deep && below(&b.path, &a.path) || b.deep && below(&a.path, &b.path)
}

impl Touch {
    /// Folders that have to be there.
    fn needs(&self) -> BTreeSet<&str> {
        let all = self.reads.iter().chain(&self.writes);
        let mut out: BTreeSet<&str> = all.flat_map(|p| above(&p.path)).collect();
        out.retain(|p| !self.makes.contains(*p));
        out
    }

    /// Whether the two commute, whatever else there is.
    pub fn apart(&self, other: &Self) -> bool {
        let at = |path: &str| Place {
            path: path.to_string(),
            deep: false,
        };
        let one_way = |a: &Self, b: &Self| {
            let needs = b.needs();
            let clash = |w: &Place| {
                b.reads.iter().chain(&b.writes).any(|p| meet(w, p))
                    || b.makes.iter().any(|m| meet(w, &at(m)))
                    || needs.iter().any(|n| meet(w, &at(n)))
            };
            let late =
                |m: &String| needs.contains(m.as_str()) || b.reads.iter().any(|r| meet(&at(m), r));
            !a.writes.iter().any(clash) && !a.makes.iter().any(late)
        };
        let owners = self.owner == other.owner || self.makes.is_disjoint(&other.makes);
        !self.all && !other.all && owners && one_way(self, other) && one_way(other, self)
    }
}
