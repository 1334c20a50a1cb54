//! The files of a stage, as far as its steps say what they are.
//!
//! Goes in: copies, folders made, and what could not be followed. Comes out: the digest of what a
//! source list takes from them, or why there is none. Costs O(files · log files). Invariant: a digest
//! is given only where every file behind it is known, or stands in an image that is named beside it.
//!
//! Rules of copying are BuildKit's (`docopy`, fsutil `copy.go`): a folder's contents are merged, its own
//! header counts only where the folder is new or lies below the one copied, folders made on the way
//! get `--chown` and `--chmod`. Taken for granted: no link of an image leads from one path that a stage
//! writes to another that is read (docs/limits.md).

mod digest;
mod prune;
mod repository;
mod take;

pub(super) use repository::repository;

use super::links::prefixes;
use super::members::{Header, hash};
use crate::footprint::{Extent, PathClaim};
use crate::history::{Entry, EntryKind};
use crate::pattern::ExcludeRules;
use std::collections::BTreeMap;

/// What a source list takes from a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// All of it is known.
    Known {
        /// Equal exactly when the files are.
        digest: u128,
        /// Where files of an image may be among them: a number that is equal where image and place are. Other
        /// places may hold the same files, or none.
        places: Option<u128>,
    },
    /// Equal digests are equal files; different ones may be equal, too.
    Unsure {
        /// As above.
        digest: u128,
    },
    /// The same, where a step made some of it of files that are known: as long as nothing below that step is made anew.
    Derived {
        /// As above.
        digest: u128,
    },
    /// A step made some of it that can't be followed.
    Made,
    /// A source is not there: the build is refused while keys are computed.
    Missing {
        /// Its index.
        source: usize,
    },
    /// A source is not there, which shows when the step is executed.
    MissingAtExecution {
        /// Its index.
        source: usize,
    },
}

/// One path of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(Entry, Option<Header>),
    Dir(Option<Header>),
    /// Whatever an image has in the folder, under the name [`IMAGE`]: a number for the image, the place in it, and
    /// what a copy did to it. What was written before lies below it nowhere, what was written later lies on top.
    Image(u128),
}

/// No file has this name.
const IMAGE: &[u8] = b"\0";

/// `--exclude`, and the words it was written in.
pub(super) struct Exclude {
    rules: ExcludeRules,
    text: String,
}

impl Exclude {
    /// `None` where nothing is excluded.
    pub fn new(values: &[String]) -> Option<Self> {
        let rules = ExcludeRules::new(values).ok()?;
        (!values.is_empty()).then(|| Self {
            rules,
            text: values.join("\n"),
        })
    }

    fn takes_out(exclude: Option<&Self>, relative: &[u8]) -> bool {
        !relative.is_empty() && exclude.is_some_and(|e| e.rules.is_excluded(relative))
    }

    /// The number of what is left of an image's folder.
    fn of_image(exclude: Option<&Self>, parts: &[u128]) -> u128 {
        match (parts, exclude) {
            ([one], None) => *one,
            _ => {
                let text = exclude.map_or("", |e| e.text.as_str());
                let parts: Vec<u8> = parts.iter().flat_map(|p| p.to_le_bytes()).collect();
                hash(&[text.as_bytes(), &parts])
            }
        }
    }
}

/// One path that a COPY takes.
pub(super) struct Taken {
    /// What its source names or matches, without slashes in front.
    pub matched: Vec<u8>,
    /// Below that; empty when it is the very node.
    pub relative: Vec<u8>,
    pub node: Node,
}

/// How a COPY writes.
pub(super) struct Target<'a> {
    /// Absolute and clean.
    pub dest: &'a str,
    pub is_dir: bool,
    pub owner: Option<&'a str>,
    pub mode: Option<&'a str>,
}

/// A file system.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// By path without a slash in front.
    nodes: BTreeMap<Vec<u8>, Node>,
    /// Paths that something changed in a way that is not known.
    unknown: Vec<PathClaim>,
    /// How often something became unknown.
    losses: usize,
    /// File modes of a checkout.
    umask: u32,
}

impl Tree {
    pub fn new(umask: u32) -> Self {
        Self {
            umask,
            ..Self::default()
        }
    }

    /// How many nodes are known; what evaluations are charged by.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// An image lies below: any path may hold files of it.
    pub fn start_from_image(&mut self, reference: &str) {
        let id = hash(&[b"image", reference.as_bytes()]);
        self.nodes.insert(IMAGE.to_vec(), Node::Image(id));
    }

    /// How often something became unknown so far.
    pub fn losses(&self) -> usize {
        self.losses
    }

    /// All that is known, by path without a slash in front.
    pub fn known(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(p, n)| (&p[..], n))
    }

    /// The node at an absolute path.
    pub fn at(&self, path: &str) -> Option<&Node> {
        self.nodes.get(inside(path))
    }

    /// Puts a node at an absolute path, whatever is there.
    pub fn put(&mut self, path: &str, node: Node) {
        self.nodes.insert(inside(path).to_vec(), node);
    }

    /// The images that may have files at the path, as numbers for what they have there.
    fn images_at(&self, path: &[u8]) -> Vec<u128> {
        let folders = std::iter::once(&path[..0]).chain(prefixes(path));
        let part = |folder: &[u8]| match self.nodes.get(&join(folder, IMAGE)) {
            Some(Node::Image(id)) if folder.len() == path.len() => Some(*id),
            Some(Node::Image(id)) => Some(hash(&[&id.to_le_bytes(), rest(path, folder)])),
            _ => None,
        };
        folders.filter_map(part).collect()
    }

    /// Something happened that may have changed everything.
    pub fn forget(&mut self) {
        self.losses += 1;
        self.nodes.clear();
        self.unknown = vec![PathClaim::subtree("/")];
    }

    /// Something changed these paths only. Claims are lexical, so a link in the way voids them.
    pub fn change(&mut self, claims: &[PathClaim]) {
        let linked = |c: &PathClaim| {
            let path = inside(&c.path);
            let is_link = |p: &[u8]| matches!(self.nodes.get(p), Some(Node::File(e, _)) if e.kind == EntryKind::Symlink);
            let below = c.extent == Extent::Subtree
                && self
                    .below(path)
                    .any(|(_, n)| matches!(n, Node::File(e, _) if e.kind == EntryKind::Symlink));
            prefixes(path).any(is_link) || below
        };
        if claims.iter().any(linked) {
            return self.forget();
        }
        for claim in claims {
            self.taint(claim.clone());
        }
    }

    fn taint(&mut self, claim: PathClaim) {
        self.losses += 1;
        let path = inside(&claim.path).to_vec();
        match claim.extent {
            Extent::Exact => {
                self.nodes.remove(&path);
            }
            Extent::Subtree => {
                let gone: Vec<Vec<u8>> = self.below(&path).map(|(p, _)| p.clone()).collect();
                for p in gone {
                    self.nodes.remove(&p);
                }
            }
        }
        if !self.unknown.contains(&claim) {
            self.unknown.push(claim);
        }
    }

    fn taint_below(&mut self, path: &[u8]) {
        let path = format!("/{}", String::from_utf8_lossy(path));
        self.taint(PathClaim::subtree(path));
    }

    /// A node and everything below it.
    fn below<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = (&'a Vec<u8>, &'a Node)> {
        let start = path.to_vec();
        self.nodes
            .range(start..)
            .take_while(move |(p, _)| p.starts_with(path))
            .filter(move |(p, _)| is_below(p, path))
    }

    /// WORKDIR: the folder, and those above it.
    pub fn make_dir(&mut self, path: &str, owner: Option<&str>) {
        let header = self.dir_header(None, owner);
        self.ensure_dir(inside(path), header.as_ref());
    }

    /// Makes a folder and those above it where they are not known to be there; false when something
    /// else is in the way, which takes everything below it out of what is known.
    fn ensure_dir(&mut self, path: &[u8], header: Option<&Header>) -> bool {
        if path.is_empty() {
            return true;
        }
        let paths: Vec<Vec<u8>> = prefixes(path).map(<[u8]>::to_vec).collect();
        for p in paths {
            match self.nodes.get(&p) {
                Some(Node::Dir(_)) => {}
                Some(Node::File(..) | Node::Image(_)) => {
                    self.taint_below(&p);
                    return false;
                }
                None => {
                    self.nodes.insert(p, Node::Dir(header.cloned()));
                }
            }
        }
        true
    }

    /// COPY or ADD of these nodes, folders before what is in them.
    pub fn copy(&mut self, taken: &[Taken], to: &Target<'_>) {
        let dest = inside(to.dest).to_vec();
        let made = self.dir_header(to.mode, to.owner);
        // The folder of the file before: many lie in one.
        let mut last: Option<Vec<u8>> = None;
        for t in taken {
            let whole = t.relative.is_empty();
            if let Node::Image(_) = t.node {
                last = None;
                let folder = join(&dest, above(&t.relative));
                let folder = folder.strip_suffix(b"/").unwrap_or(&folder).to_vec();
                if self.ensure_dir(&folder, made.as_ref()) {
                    // Over what is there already it would lie in an order that is not kept.
                    let is_full = self.below(&folder).any(|(p, _)| p.len() > folder.len());
                    if is_full {
                        self.taint_below(&folder);
                    } else {
                        let node = self.written(&t.node, to);
                        self.nodes.insert(join(&folder, IMAGE), node);
                    }
                }
                continue;
            }
            let (at, parent) = match &t.node {
                Node::File(..) if whole => {
                    let Some(at) = self.file_target(&dest, t, to.is_dir) else {
                        self.taint_below(&dest);
                        last = None;
                        continue;
                    };
                    (at.clone(), above(&at).to_vec())
                }
                Node::Dir(_) if whole => (dest.clone(), dest.clone()),
                _ => {
                    let at = join(&dest, &t.relative);
                    (at.clone(), above(&at).to_vec())
                }
            };
            let known = last.as_ref() == Some(&parent);
            if !known && !self.ensure_dir(&parent, made.as_ref()) {
                last = None;
                continue;
            }
            last = Some(parent);
            if last.as_ref() == Some(&at) {
                continue;
            }
            let is_file = matches!(t.node, Node::File(..));
            match self.nodes.get(&at) {
                // Not merged but refused by the builder.
                Some(Node::Dir(_)) if is_file => self.taint_below(&at),
                Some(Node::File(..)) if !is_file => self.taint_below(&at),
                _ => {
                    let node = self.written(&t.node, to);
                    self.nodes.insert(at, node);
                }
            }
        }
    }

    /// Where a file goes: into a folder, or under the name given. `None` where only the image knows.
    fn file_target(&self, dest: &[u8], t: &Taken, is_dir: bool) -> Option<Vec<u8>> {
        let name = base_name(&t.matched);
        if is_dir || dest.is_empty() {
            return Some(join(dest, name));
        }
        match self.nodes.get(dest) {
            Some(Node::Dir(_)) => Some(join(dest, name)),
            Some(Node::File(..) | Node::Image(_)) => Some(dest.to_vec()),
            // An image may have a folder of that name; hardly one of the file's own name.
            None if !self.images_at(dest).is_empty() || self.is_unknown(dest) => {
                (base_name(dest) == name).then(|| dest.to_vec())
            }
            None => Some(dest.to_vec()),
        }
    }

    /// A node as it is after `--chown` and `--chmod`.
    fn written(&self, node: &Node, to: &Target<'_>) -> Node {
        let as_it_is = to.owner.is_none() && to.mode.is_none() && self.umask & 0o111 != 0o111;
        match node {
            // Nearly all of a checkout.
            Node::File(_, None) | Node::Dir(None) if as_it_is => node.clone(),
            Node::File(entry, header) => {
                let mut entry = *entry;
                let is_link = entry.kind == EntryKind::Symlink;
                let owner = match (to.owner, header) {
                    (Some(owner), _) => numbers(owner),
                    (None, Some(h)) => h.owner.clone(),
                    (None, None) => ROOT.to_owned(),
                };
                let own = header.as_ref().map(|h| h.mode.clone());
                let own = own.unwrap_or_else(|| self.file_mode(entry.kind));
                let mode = match to.mode {
                    Some(mode) if !is_link => changed_mode(mode, &own),
                    _ => own,
                };
                if !is_link && mode == self.file_mode(EntryKind::Executable) {
                    entry.kind = EntryKind::Executable;
                } else if !is_link && mode == self.file_mode(EntryKind::File) {
                    entry.kind = EntryKind::File;
                }
                let plain = owner == ROOT && mode == self.file_mode(entry.kind);
                Node::File(entry, (!plain).then_some(Header { mode, owner }))
            }
            Node::Dir(header) => {
                let owner = match (to.owner, header) {
                    (Some(owner), _) => numbers(owner),
                    (None, Some(h)) => h.owner.clone(),
                    (None, None) => ROOT.to_owned(),
                };
                let own = header.as_ref().map(|h| h.mode.clone());
                let own = own.unwrap_or_else(|| octal(0o777 & !self.umask));
                let mode = to.mode.map_or(own.clone(), |m| changed_mode(m, &own));
                Node::Dir(self.header(mode, owner))
            }
            Node::Image(id) if to.owner.is_none() && to.mode.is_none() => Node::Image(*id),
            Node::Image(id) => {
                let [owner, mode] = [to.owner, to.mode].map(|t| t.unwrap_or_default().as_bytes());
                Node::Image(hash(&[&id.to_le_bytes(), owner, mode]))
            }
        }
    }

    /// Of a folder that a step makes by itself: 0755, whatever the umask of the checkout.
    fn dir_header(&self, mode: Option<&str>, owner: Option<&str>) -> Option<Header> {
        let own = octal(0o755);
        let mode = mode.map_or(own.clone(), |m| changed_mode(m, &own));
        self.header(mode, owner.map_or_else(|| ROOT.to_owned(), numbers))
    }

    /// Nothing where it is what a folder of the context has.
    fn header(&self, mode: String, owner: String) -> Option<Header> {
        let plain = owner == ROOT && mode == octal(0o777 & !self.umask);
        (!plain).then_some(Header { mode, owner })
    }

    fn file_mode(&self, kind: EntryKind) -> String {
        match kind {
            EntryKind::File => octal(0o666 & !self.umask),
            EntryKind::Executable => octal(0o777 & !self.umask),
            EntryKind::Symlink | EntryKind::Submodule | EntryKind::Folder => octal(0o777),
        }
    }

    fn is_unknown(&self, path: &[u8]) -> bool {
        let path = format!("/{}", String::from_utf8_lossy(path));
        self.unknown
            .iter()
            .any(|c| c.covers(&PathClaim::exact(&path)))
    }

    /// Whether anything at or below the path is not known.
    fn unknown_below(&self, path: &[u8]) -> bool {
        let all = PathClaim::subtree(format!("/{}", String::from_utf8_lossy(path)));
        let meets = |c: &PathClaim| all.covers(c) || c.covers(&PathClaim::exact(all.path.clone()));
        self.unknown.iter().any(meets)
    }

    /// Whether a folder above the path may be another one than it was.
    fn unknown_above(&self, path: &[u8]) -> bool {
        prefixes(path).any(|p| p.len() < path.len() && self.is_unknown(p))
    }

    /// The same of what is in a folder: its own mode and owner do not count.
    fn unknown_inside(&self, folder: &[u8]) -> bool {
        let all = PathClaim::subtree(format!("/{}", String::from_utf8_lossy(folder)));
        let itself = PathClaim::exact(&all.path);
        let meets = |c: &PathClaim| match c.extent {
            Extent::Subtree => all.covers(c) || c.covers(&itself),
            Extent::Exact => all.covers(c) && *c != itself,
        };
        self.unknown.iter().any(meets)
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unknown,
    Missing,
    /// The folder before a wildcard is not there.
    NoFolder,
}

const ROOT: &str = "0:0";

/// Whether images have files of their own in the path's first folder as a rule. A link that leads anywhere else
/// leads to what the steps put there, or nowhere.
fn in_every_image(path: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 18] = [
        b"bin", b"boot", b"dev", b"etc", b"home", b"lib", b"lib64", b"media", b"mnt", b"opt",
        b"proc", b"root", b"run", b"sbin", b"srv", b"sys", b"usr", b"var",
    ];
    let first = path.split(|b| *b == b'/').next().unwrap_or_default();
    FOLDERS.contains(&first)
}

/// `--chown` as `uid:gid` where it says so; a lone number is both.
fn numbers(owner: &str) -> String {
    let id = |s: &str| {
        if s == "root" || s.is_empty() {
            "0".to_owned()
        } else {
            s.to_owned()
        }
    };
    match owner.split_once(':') {
        Some((user, group)) => format!("{}:{}", id(user), id(group)),
        None => format!("{0}:{0}", id(owner)),
    }
}

fn octal(mode: u32) -> String {
    format!("{mode:o}")
}

fn changed_mode(text: &str, own: &str) -> String {
    match u32::from_str_radix(text, 8) {
        Ok(mode) => octal(mode),
        Err(_) => format!("{own} {text}"),
    }
}

fn inside(path: &str) -> &[u8] {
    path.trim_start_matches('/').as_bytes()
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = dir.to_vec();
    if !out.is_empty() {
        out.push(b'/');
    }
    out.extend_from_slice(name);
    out
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

fn above(path: &[u8]) -> &[u8] {
    path.iter()
        .rposition(|b| *b == b'/')
        .map_or(&[], |at| &path[..at])
}

fn is_below(path: &[u8], top: &[u8]) -> bool {
    top.is_empty() || path.len() == top.len() || path.get(top.len()) == Some(&b'/')
}

/// The path below `top`, without a slash in front.
fn rest<'a>(path: &'a [u8], top: &[u8]) -> &'a [u8] {
    let rest = &path[top.len()..];
    rest.strip_prefix(b"/").unwrap_or(rest)
}
