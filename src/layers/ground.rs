//! What lies in the image below a step, as far as its layers tell.
//!
//! Goes in: what steps bring, write and take away. Comes out: the files at every place and the layer that holds each, and what RUNs wrote.
//! A look-up by path. Invariant: the base image's own files are not here; what a RUN may have written is never taken for a file of the
//! context.

use super::attributes::Attributes;
use super::taken::{Brought, Origin};
use crate::footprint::{Extent, PathClaim};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Folders that images have without being told.
const OF_BASES: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/share",
    "/usr/sbin",
    "/usr/share",
    "/usr/src",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/tmp",
];

/// Files and folders held of all stages together: stages that copy from one another twice double theirs each time.
pub const MAX_HELD: usize = if cfg!(test) { 20_000 } else { 2_000_000 };

/// A file or link that a layer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Number of the layer.
    pub layer: usize,
    /// What was brought.
    pub brought: Brought,
    /// Owner and mode.
    pub attributes: Attributes,
    /// Its content may be another since it was brought.
    pub changed: bool,
}

impl Held {
    /// Bytes of its content.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self.brought {
            Brought::File {
                size, again: false, ..
            } => size,
            _ => 0,
        }
    }

    /// What it comes from.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        match self.brought {
            Brought::File { origin, .. } | Brought::Link { origin, .. } => Some(origin),
            Brought::Folder | Brought::Other => None,
        }
    }
}

/// What a RUN wrote, somewhere in these places.
#[derive(Clone, Debug)]
pub struct Written {
    /// Number of the layer.
    pub layer: usize,
    /// Bytes.
    pub bytes: u64,
    /// Where.
    pub claims: Vec<PathClaim>,
}

/// Files by place.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// Absolute places.
    pub files: BTreeMap<String, Held>,
    /// Folders that layers made; absolute, the root is not among them.
    pub folders: BTreeMap<String, Attributes>,
    /// The working directory, without a slash at its end; where only the base image knows where it begins, as if that were the root.
    pub folder: String,
    /// There is no base image, and so none of its folders.
    pub bare: bool,
    /// What RUNs wrote and nobody took away.
    pub written: Vec<Written>,
    /// What lies in other stages, by their numbers.
    pub stages: BTreeMap<usize, Rc<Ground>>,
}

/// Whether one of two claims may hold a path of the other.
fn meet(a: &PathClaim, b: &PathClaim) -> bool {
    a.covers(&PathClaim::exact(&*b.path)) || b.covers(&PathClaim::exact(&*a.path))
}

impl Ground {
    /// Files and folders that are held, other stages' too.
    #[must_use]
    pub fn held(&self) -> usize {
        self.own() + self.stages.values().map(|g| g.own()).sum::<usize>()
    }

    /// Files and folders of this stage.
    #[must_use]
    pub fn own(&self) -> usize {
        self.files.len() + self.folders.len()
    }

    /// Whether a place is a folder, as far as that is known.
    #[must_use]
    pub fn is_folder(&self, path: &str) -> bool {
        self.folders.contains_key(path) || !self.bare && OF_BASES.contains(&path)
    }

    /// Notes a folder and those above it; gives whether it is new.
    pub fn add_folder(&mut self, path: &str, attributes: &Attributes) -> bool {
        let new = !self.is_folder(path) && !path.is_empty();
        let mut at = path;
        let mut own = attributes.clone();
        while !at.is_empty() && !self.folders.contains_key(at) {
            self.folders.insert(at.to_owned(), own.clone());
            // Those on the way there get the usual mode.
            own.mode = Some(0o755);
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        new
    }

    /// Puts something at a place; gives what stood there.
    pub fn put(&mut self, place: &str, held: Held) -> Option<Held> {
        if let Some((above, _)) = place.rsplit_once('/') {
            let attributes = Attributes {
                mode: Some(0o755),
                ..held.attributes.clone()
            };
            self.add_folder(above, &attributes);
        }
        self.files.insert(place.to_owned(), held)
    }

    /// Places at and below a claim that layers hold something at.
    #[must_use]
    pub fn covered(&self, claim: &PathClaim) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        if self.files.contains_key(&claim.path) {
            out.push(claim.path.clone());
        }
        if claim.extent == Extent::Subtree {
            out.extend(self.below(&claim.path).map(|(place, _)| place.clone()));
        }
        out
    }

    fn below(&self, folder: &str) -> impl Iterator<Item = (&String, &Held)> {
        let start = format!("{}/", folder.trim_end_matches('/'));
        let rest = self.files.range(start.clone()..);
        rest.take_while(move |(place, _)| place.starts_with(&start))
    }

    /// Folders at and below a claim.
    #[must_use]
    pub fn folders_in(&self, claim: &PathClaim) -> Vec<String> {
        let all = self.folders.keys();
        let inside = all.filter(|f| claim.covers(&PathClaim::exact(f.as_str())));
        inside.cloned().collect()
    }

    /// Takes away what a claim covers; gives what is gone.
    pub fn take_away(&mut self, claim: &PathClaim) -> Vec<Held> {
        for folder in self.folders_in(claim) {
            self.folders.remove(&folder);
        }
        let places = self.covered(claim);
        places.iter().filter_map(|p| self.files.remove(p)).collect()
    }

    /// Whether nothing is at and below a place but what is held here.
    #[must_use]
    pub fn knows(&self, claim: &PathClaim) -> bool {
        let own = self.files.contains_key(&claim.path)
            || self.folders.contains_key(&claim.path)
                && (self.bare || !OF_BASES.contains(&&*claim.path));
        own && !self.is_written(claim)
    }

    /// Whether a RUN may have left something there.
    #[must_use]
    pub fn is_written(&self, claim: &PathClaim) -> bool {
        let mut claims = self.written.iter().flat_map(|w| &w.claims);
        claims.any(|c| meet(c, claim))
    }

    /// What a COPY from another stage brings; `None` where that is not known, or more than `most`.
    #[must_use]
    pub fn of_stage(
        &self,
        stage: usize,
        sources: &[String],
        dest: &str,
        is_dir: bool,
        most: usize,
    ) -> Option<Vec<(String, Brought, Option<u32>)>> {
        let from = self.stages.get(&stage)?;
        let mut out = Vec::new();
        for source in sources {
            if source.contains(['*', '?', '[', '\\']) {
                return None;
            }
            let path = crate::pattern::clean(&format!("/{source}"));
            let claim = PathClaim::subtree(&*path);
            if path == "/" || !from.knows(&claim) {
                return None;
            }
            if let Some(held) = from.files.get(&path) {
                // A link is followed there.
                if matches!(held.brought, Brought::Link { .. }) {
                    return None;
                }
                let name = path.rsplit('/').next().unwrap_or_default();
                let place = match is_dir {
                    true => format!("{dest}/{name}"),
                    false => dest.to_owned(),
                };
                out.push((place, held.brought.clone(), held.attributes.mode));
                continue;
            }
            let mode = |at: &str| from.folders.get(at).and_then(|a| a.mode);
            out.push((dest.to_owned(), Brought::Folder, mode(&path)));
            let place = |at: &String| format!("{dest}{}", &at[path.len()..]);
            for folder in from.folders_in(&claim).iter().filter(|f| **f != path) {
                out.push((place(folder), Brought::Folder, mode(folder)));
            }
            let below = from.below(&path);
            let one = |(at, held): (&String, &Held)| {
                (place(at), held.brought.clone(), held.attributes.mode)
            };
            out.extend(below.map(one));
            if out.len() > most {
                return None;
            }
        }
        Some(out)
    }
}
