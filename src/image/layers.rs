//! Layers one upon the other.
//!
//! Goes in: the members of a layer. Comes out: the tree as it is with that layer on top. Costs a look-up a member, and a
//! pass over what is taken away. Invariants: a path that is there has folders all the way up; what a layer
//! takes away is what lower layers put there, in whatever order its members stand.

use super::made_of::{Loss, LossKind};
use super::members::{Member, MemberKind, Members};
use super::store::{Amount, Folder};
use super::{ImageError, Inode, Kind, MAX_HELD, Slot};
use crate::pattern::display;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::ops::Bound;

/// A layer's names for what it takes away.
const WHITEOUT: &[u8] = b".wh.";
/// And for a folder of which nothing below shows through.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Longer paths no system opens.
const MAX_PATH: usize = 4096;
/// More links on the way lead nowhere.
const MAX_LINKS: usize = 64;
/// What an entry costs beside its names.
const ENTRY: u64 = 192;

/// Paths and what they name.
#[derive(Default)]
pub struct Tree {
    paths: BTreeMap<Vec<u8>, Slot>,
    inodes: Vec<Inode>,
    /// How many paths name each of them.
    names: Vec<u32>,
    /// What is in each layer.
    amounts: Vec<Amount>,
    /// The folders of the layer at hand, with the names in them.
    folders: BTreeMap<Vec<u8>, Folder>,
    losses: Vec<Loss>,
    held: u64,
}

/// What the layers come to.
pub struct Finished {
    /// Paths and what they name.
    pub paths: BTreeMap<Vec<u8>, Slot>,
    /// What is named.
    pub inodes: Vec<Inode>,
    /// What is in each layer.
    pub amounts: Vec<Amount>,
    /// What later layers take away or cover.
    pub losses: Vec<Loss>,
}

/// An error in a layer.
pub fn damaged(layer: usize, member: &[u8], reason: &str) -> ImageError {
    let at = match member.is_empty() {
        true => String::new(),
        false => format!(", {}", display(&member[..member.len().min(300)])),
    };
    ImageError::Damaged {
        place: format!("layer {}{at}", layer + 1),
        reason: reason.to_owned(),
    }
}

impl Tree {
    /// Puts a layer on top.
    ///
    /// # Errors
    /// When it is damaged, names what is not there, or is more than is held.
    pub fn apply<R: Read>(
        &mut self,
        layer: usize,
        members: &mut Members<R>,
    ) -> Result<(), ImageError> {
        let mut gone = Gone::default();
        let mut last = Vec::new();
        let mut number = 0;
        self.amounts.push(Amount::default());
        self.folders.clear();
        self.folders.insert(Vec::new(), Folder::default());
        loop {
            let next = members.next_member();
            let next = next.map_err(|e| match last.is_empty() {
                true => damaged(layer, b"", &e.to_string()),
                false => damaged(layer, &last, &format!("behind this member: {e}")),
            });
            let Some(member) = next? else { break };
            let said = |why: &str| damaged(layer, &member.name, why);
            let path = clean(&member.name).map_err(said)?;
            let path = self.follow(path).map_err(said)?;
            let (folder, name) = split(&path);
            if name == OPAQUE {
                self.hold(folder.len())?;
                gone.inside.insert(folder.to_vec());
            } else if let Some(name) = name.strip_prefix(WHITEOUT) {
                // Other names that start so are a union file system's own.
                if !name.starts_with(WHITEOUT) && !name.is_empty() {
                    self.hold(path.len())?;
                    self.count_name(folder, name)?;
                    gone.whole.insert(join(folder, name));
                }
            } else {
                let said = |e: io::Error| damaged(layer, &member.name, &e.to_string());
                let kind = kind(&member, members).map_err(said)?;
                self.put(layer, number, path, &member, kind)?;
            }
            number += 1;
            last = member.name;
        }
        self.take_away(layer, &gone)?;
        let folders = std::mem::take(&mut self.folders);
        if let Some(amount) = self.amounts.last_mut() {
            folders.into_values().for_each(|f| amount.folder(f));
        }
        Ok(())
    }

    /// All there is to say.
    #[must_use]
    pub fn finish(self) -> Finished {
        Finished {
            paths: self.paths,
            inodes: self.inodes,
            amounts: self.amounts,
            losses: self.losses,
        }
    }

    /// Counts a name in a folder of the layer at hand, and the way there.
    fn count_name(&mut self, folder: &[u8], name: &[u8]) -> Result<(), ImageError> {
        let (mut at, mut name) = (folder, name);
        loop {
            let length = name.len();
            if let Some(known) = self.folders.get_mut(at) {
                known.name(length);
                return Ok(());
            }
            self.hold(at.len())?;
            let mut new = Folder::default();
            new.name(length);
            self.folders.insert(at.to_vec(), new);
            (at, name) = split(at);
        }
    }

    /// Counts what a member adds to the layer at hand.
    fn count(&mut self, path: &[u8], inode: usize, new: bool) -> Result<(), ImageError> {
        let (folder, name) = split(path);
        match &self.inodes[inode].kind {
            Kind::Folder => {
                if !self.folders.contains_key(path) {
                    self.hold(path.len())?;
                    self.folders.insert(path.to_vec(), Folder::default());
                    self.count_name(folder, name)?;
                }
                return Ok(());
            }
            kind if new => {
                if let Some(amount) = self.amounts.last_mut() {
                    match kind {
                        Kind::File { size, .. } => amount.file(*size),
                        Kind::Symlink(text) => amount.link(text.len()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        self.count_name(folder, name)
    }

    /// One name less; where it was the last of a file of a lower layer, those bytes are lost.
    fn lose(
        &mut self,
        by: usize,
        path: &[u8],
        inode: usize,
        above: Option<usize>,
    ) -> Result<(), ImageError> {
        self.names[inode] = self.names[inode].saturating_sub(1);
        let old = &self.inodes[inode];
        let Kind::File { size, digest, .. } = old.kind else {
            return Ok(());
        };
        let holder = old.source.0;
        if self.names[inode] > 0 || holder >= by {
            return Ok(());
        }
        let kind = match above.map(|i| &self.inodes[i].kind) {
            None => LossKind::Deleted,
            Some(Kind::File { digest: new, .. }) if *new == digest => LossKind::Attributes,
            Some(_) => LossKind::Overwritten,
        };
        self.hold(path.len())?;
        self.losses.push(Loss {
            path: path.to_vec(),
            size,
            holder,
            by,
            kind,
        });
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), ImageError> {
        self.held += bytes as u64 + ENTRY;
        match self.held > MAX_HELD {
            true => Err(ImageError::TooMuch("paths and attributes")),
            false => Ok(()),
        }
    }

    fn is_folder(&self, path: &[u8]) -> bool {
        let slot = self.paths.get(path);
        slot.is_some_and(|s| self.inodes[s.inode].kind == Kind::Folder)
    }

    /// A path with the links in its folders followed, inside the image.
    fn follow(&self, path: Vec<u8>) -> Result<Vec<u8>, &'static str> {
        let (folder, _) = split(&path);
        if folder.is_empty() || self.is_folder(folder) {
            return Ok(path);
        }
        // What is still to walk, the next part last.
        let mut left: Vec<Vec<u8>> = parts(&path).map(<[u8]>::to_vec).rev().collect();
        let mut at = Vec::new();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == b".." {
                at = split(&at).0.to_vec();
                continue;
            }
            let next = join(&at, &part);
            if next.len() > MAX_PATH {
                return Err("a path that is too long");
            }
            let slot = self.paths.get(&next).filter(|_| !left.is_empty());
            match slot.map(|s| &self.inodes[s.inode].kind) {
                None | Some(Kind::Folder) => at = next,
                Some(Kind::Symlink(text)) => {
                    links += 1;
                    if links > MAX_LINKS || text.len() > MAX_PATH {
                        return Err("links in its folders lead nowhere");
                    }
                    if text.starts_with(b"/") {
                        at.clear();
                    }
                    left.extend(parts(text).map(<[u8]>::to_vec).rev());
                    if left.len() > MAX_PATH {
                        return Err("links in its folders lead nowhere");
                    }
                }
                Some(_) => return Err("what should be its folder is none"),
            }
        }
        Ok(at)
    }

    fn put(
        &mut self,
        layer: usize,
        number: u64,
        path: Vec<u8>,
        member: &Member,
        kind: Option<Kind>,
    ) -> Result<(), ImageError> {
        let said = |why: &str| damaged(layer, &member.name, why);
        let Some(kind) = kind else {
            let target = clean(&member.target).map_err(said)?;
            let target = self.follow(target).map_err(said)?;
            let Some(inode) = self.paths.get(&target).map(|s| s.inode) else {
                return Err(said("a hard link to what is not there"));
            };
            if self.inodes[inode].kind == Kind::Folder {
                return Err(said("a hard link to a folder"));
            }
            if target == path {
                return Err(said("a hard link to itself"));
            }
            self.count(&path, inode, false)?;
            return self.set(layer, path, inode);
        };
        let xattrs = member.xattrs.iter().map(|(k, v)| k.len() + v.len() + 64);
        let more: usize = xattrs.sum();
        self.hold(member.target.len() + more)?;
        self.inodes.push(Inode {
            kind,
            mode: member.mode,
            uid: member.uid,
            gid: member.gid,
            xattrs: member.xattrs.clone(),
            source: (layer, number),
        });
        self.names.push(0);
        self.count(&path, self.inodes.len() - 1, true)?;
        self.set(layer, path, self.inodes.len() - 1)
    }

    fn set(&mut self, layer: usize, path: Vec<u8>, inode: usize) -> Result<(), ImageError> {
        let above = split(&path).0;
        if !path.is_empty() && !self.is_folder(above) {
            // As containerd makes a folder that no layer describes.
            self.inodes.push(Inode {
                kind: Kind::Folder,
                mode: 0o755,
                uid: 0,
                gid: 0,
                xattrs: BTreeMap::new(),
                source: (layer, 0),
            });
            self.names.push(0);
            self.set(layer, above.to_vec(), self.inodes.len() - 1)?;
        }
        if self.is_folder(&path) && self.inodes[inode].kind != Kind::Folder {
            for below in self.below(&path) {
                if let Some(old) = self.paths.remove(&below) {
                    self.lose(layer, &below, old.inode, None)?;
                }
            }
        }
        self.hold(path.len())?;
        self.names[inode] += 1;
        if let Some(old) = self.paths.insert(path.clone(), Slot { inode, layer }) {
            self.lose(layer, &path, old.inode, Some(inode))?;
        }
        Ok(())
    }

    /// Paths inside a folder, at any depth.
    fn below(&self, folder: &[u8]) -> Vec<Vec<u8>> {
        let all = self.range(folder);
        all.map(|(path, _)| path.clone()).collect()
    }

    fn range(&self, folder: &[u8]) -> impl Iterator<Item = (&Vec<u8>, &Slot)> {
        let (from, to) = match folder {
            [] => (Bound::Excluded(Vec::new()), Bound::Unbounded),
            // `0` comes right behind `/`.
            _ => (
                Bound::Included(join(folder, b"")),
                Bound::Excluded([folder, b"0"].concat()),
            ),
        };
        self.paths.range((from, to))
    }

    fn take_away(&mut self, layer: usize, gone: &Gone) -> Result<(), ImageError> {
        let mut lost: Vec<Vec<u8>> = Vec::new();
        for path in gone.whole.iter().filter(|p| !gone.covers(p)) {
            let own = self.paths.get_key_value(path);
            let all = own.into_iter().chain(self.range(path));
            lost.extend(all.filter(|(_, s)| s.layer < layer).map(|(p, _)| p.clone()));
        }
        let inside = gone.inside.iter();
        for path in inside.filter(|p| !gone.covers(p) && !gone.whole.contains(*p)) {
            let all = self.range(path);
            lost.extend(all.filter(|(_, s)| s.layer < layer).map(|(p, _)| p.clone()));
        }
        // From below: a folder that holds something of this layer stays.
        lost.sort_unstable();
        for path in lost.iter().rev() {
            if self.range(path).next().is_none()
                && let Some(old) = self.paths.remove(path)
            {
                self.lose(layer, path, old.inode, None)?;
            }
        }
        Ok(())
    }
}

/// What a layer takes away of those below it.
#[derive(Default)]
struct Gone {
    /// Paths, with all below them.
    whole: BTreeSet<Vec<u8>>,
    /// Folders that stay, without what they held.
    inside: BTreeSet<Vec<u8>>,
}

impl Gone {
    /// Whether a folder above the path loses all it holds, so that nobody looks at the same paths twice.
    fn covers(&self, path: &[u8]) -> bool {
        let mut at = path;
        while !at.is_empty() {
            at = split(at).0;
            if self.inside.contains(at) || !at.is_empty() && self.whole.contains(at) {
                return true;
            }
        }
        false
    }
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let parts = path.split(|b| *b == b'/');
    parts.filter(|p| !p.is_empty() && *p != b".")
}

/// A member's name as a path of the image.
fn clean(name: &[u8]) -> Result<Vec<u8>, &'static str> {
    if name.len() > MAX_PATH {
        return Err("a path that is too long");
    }
    if name.contains(&0) {
        return Err("a path with a zero byte");
    }
    let mut out = Vec::with_capacity(name.len());
    for part in parts(name) {
        if part == b".." {
            return Err("a path that leads out");
        }
        if !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(part);
    }
    Ok(out)
}

/// The folder and the name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match folder {
        [] => name.to_vec(),
        _ => [folder, b"/", name].concat(),
    }
}

/// What a member is, its content read; none for a hard link.
fn kind<R: Read>(member: &Member, members: &mut Members<R>) -> io::Result<Option<Kind>> {
    let (major, minor) = member.device;
    Ok(Some(match member.kind {
        MemberKind::HardLink => return Ok(None),
        MemberKind::Folder => Kind::Folder,
        MemberKind::Symlink => Kind::Symlink(member.target.clone()),
        MemberKind::Character => Kind::Character(major, minor),
        MemberKind::Block => Kind::Block(major, minor),
        MemberKind::Pipe => Kind::Pipe,
        MemberKind::File => file(member, members)?,
    }))
}

/// Bytes 4 to 16 of compiled Python: flags, and where those are zero the source's time and size.
const PYTHON_HEAD: usize = 16;

fn file<R: Read>(member: &Member, members: &mut Members<R>) -> io::Result<Kind> {
    let mut content = members.content();
    let mut hasher = blake3::Hasher::new();
    let mut head = [0; PYTHON_HEAD];
    let mut timeless = None;
    let mut read = 0;
    if member.name.ends_with(b".pyc") && member.size >= PYTHON_HEAD as u64 {
        content.read_exact(&mut head)?;
        hasher.update(&head);
        read += PYTHON_HEAD as u64;
        if head[4..8] == [0; 4] {
            head[8..12].fill(0);
            let mut without = blake3::Hasher::new();
            without.update(&head);
            timeless = Some(without);
        }
    }
    let mut buffer = vec![0; 16 << 10];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                read += n as u64;
                hasher.update(&buffer[..n]);
                if let Some(without) = &mut timeless {
                    without.update(&buffer[..n]);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    if read != member.size {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "its content ends early",
        ));
    }
    let digest = |h: blake3::Hasher| *h.finalize().as_bytes();
    Ok(Kind::File {
        size: member.size,
        digest: digest(hasher),
        timeless: timeless.map(|h| Box::new(digest(h))),
    })
}
