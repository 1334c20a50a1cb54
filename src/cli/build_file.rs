//! The Dockerfile and the ignore files as the builder's client finds them.
//!
//! Goes in: a place, a folder and a name in it. Comes out: the bytes, or why there is no such file. Cost:
//! one look at each part of the path. Invariant: as [`Follower`], in a work tree and in a commit: a link
//! never leads out of the folder, where `..` stops and absolute links start.

use super::subject::Place;
use crate::history::{Followed, Follower};
use crate::project::MAX_FILE_BYTES;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

/// Longer chains of links lead nowhere.
const MAX_LINKS: usize = 40;

/// What the client finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildFile {
    /// A file that can be read.
    Bytes(Vec<u8>),
    /// Nothing, or nothing that can be read.
    Missing,
    /// A folder, or a link that leads to no file of the folder; in words that follow the name.
    Odd(&'static str),
}

const FOLDER: BuildFile = BuildFile::Odd("is a folder");
const LEADS_OUT: BuildFile = BuildFile::Odd(
    "is a link that leads to no file in its folder, and the builder follows no other",
);

impl BuildFile {
    /// The bytes of a file.
    #[must_use]
    pub fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Missing | Self::Odd(_) => None,
        }
    }
}

/// The folder and the name of a path with slashes.
#[must_use]
pub fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some(pair) => pair,
        None => (".", path),
    }
}

/// Reads a file of a build; `root` is relative to PATH, or absolute.
#[must_use]
pub fn read(place: &Place, root: &str, name: &str) -> BuildFile {
    let outside = root.starts_with('/') || root.split('/').any(|part| part == "..");
    match (&place.repository, place.at) {
        (Some(repository), Some(commit)) if !outside => {
            let root = match place.shown(root) {
                dot if dot == "." => String::new(),
                root => root,
            };
            let mut reader = Follower::new(repository);
            let Ok(found) = reader.find(commit, root.as_bytes(), name.as_bytes()) else {
                return BuildFile::Missing;
            };
            match found.what {
                Followed::File(entry) => {
                    let bytes = reader.read_checked_out(commit, &found.path, entry);
                    let bytes = bytes.ok().filter(|b| b.len() as u64 <= MAX_FILE_BYTES);
                    bytes.map_or(BuildFile::Missing, BuildFile::Bytes)
                }
                Followed::Folder => FOLDER,
                Followed::Nothing if found.linked => LEADS_OUT,
                Followed::Nothing => BuildFile::Missing,
            }
        }
        _ => on_disk(&place.path.join(root), name),
    }
}

fn on_disk(root: &Path, name: &str) -> BuildFile {
    let Ok(root) = root.canonicalize() else {
        return BuildFile::Missing;
    };
    let mut way: Vec<PathBuf> = vec![root];
    let mut left: Vec<PathBuf> = parts(Path::new(name));
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == Path::new("..") {
            if way.len() > 1 {
                way.pop();
            }
            continue;
        }
        let here = way.last().map(|dir| dir.join(&part)).unwrap_or_default();
        let Ok(found) = here.symlink_metadata() else {
            return if links > 0 {
                LEADS_OUT
            } else {
                BuildFile::Missing
            };
        };
        if !found.is_symlink() {
            way.push(here);
            continue;
        }
        links += 1;
        let target = match here.read_link() {
            Ok(target) if links <= MAX_LINKS => target,
            _ => return LEADS_OUT,
        };
        if target.is_absolute() {
            way.truncate(1);
        }
        left.extend(parts(&target));
    }
    let path = way.pop().unwrap_or_default();
    if path.is_dir() {
        return FOLDER;
    }
    if !path.is_file() {
        return BuildFile::Missing;
    }
    let mut bytes = Vec::new();
    // One byte over the limit tells a file at the limit from a larger one.
    let limit = MAX_FILE_BYTES + 1;
    let read = std::fs::File::open(&path).and_then(|f| f.take(limit).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 <= MAX_FILE_BYTES => BuildFile::Bytes(bytes),
        _ => BuildFile::Missing,
    }
}

/// The parts of a path, last one first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().filter_map(|part| match part {
        Component::ParentDir => Some(PathBuf::from("..")),
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    let mut parts: Vec<_> = parts.collect();
    parts.reverse();
    parts
}
