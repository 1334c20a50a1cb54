//! Where all files lie at once, for those who ask for many.
//!
//! Goes in: the layers of a stage, or one COPY. Comes out: the same answers that [`super::Laid`] and [`super::brought_by`]
//! give, looked up once. One pass over the files of every COPY.

use super::super::needs::{Facts, Project};
use super::{Brought, ContextFiles, Layer, Layout, brought_by, folder_of};
use crate::footprint::{Extent, PathClaim};
use crate::plan::Step;
use std::collections::BTreeMap;
use std::rc::Rc;

/// All files of the context at their places, looked up once: place in the image and path in the context.
#[derive(Debug, Default)]
pub struct Places {
    whole: BTreeMap<String, String>,
    /// Those of which the name alone is there.
    emptied: BTreeMap<String, String>,
}

/// The same with the context they were found in: what needs are asked of.
pub struct Snapshot<'a> {
    places: Places,
    files: &'a dyn ContextFiles,
}

impl Places {
    /// The file of the context at a place.
    #[must_use]
    pub fn from(&self, place: &str) -> Option<&String> {
        self.whole.get(place)
    }

    /// The same where it may have nothing in it.
    #[must_use]
    pub fn named(&self, place: &str) -> Option<&String> {
        self.from(place).or_else(|| self.emptied.get(place))
    }

    /// Whether anything lies below a folder.
    #[must_use]
    pub fn has_below(&self, dir: &str) -> bool {
        let start = format!("{}/", dir.trim_end_matches('/'));
        let mut rest = self.whole.range(start.clone()..);
        rest.next().is_some_and(|(p, _)| p.starts_with(&start))
    }

    fn below(&self, dir: &str) -> Vec<String> {
        below_of(&self.whole, dir)
    }

    /// Takes away what lies at a claim.
    fn lose(&mut self, claim: &PathClaim) {
        for places in [&mut self.whole, &mut self.emptied] {
            places.remove(&claim.path);
            if claim.extent == Extent::Subtree {
                for path in below_of(places, &claim.path) {
                    places.remove(&path);
                }
            }
        }
    }

    /// A file of the context comes to lie at a place.
    fn lay(&mut self, place: String, from: String) {
        self.emptied.remove(&place);
        self.whole.insert(place, from);
    }

    /// An empty file of the same name does.
    fn lay_emptied(&mut self, place: String, from: String) {
        self.whole.remove(&place);
        self.emptied.insert(place, from);
    }
}

fn below_of(places: &BTreeMap<String, String>, dir: &str) -> Vec<String> {
    let start = format!("{}/", dir.trim_end_matches('/'));
    let all = places.range(start.clone()..).map(|(p, _)| p.clone());
    all.take_while(|p| p.starts_with(&start)).collect()
}

impl Layout {
    /// Where all files lie: the same as asking for each of them. `bytes` asks only for what is in them, whoever owns them
    /// since and may run them, and takes it that nobody's temporary files lie over them.
    #[must_use]
    pub fn places(&self, files: &dyn ContextFiles, bytes: bool) -> Places {
        let mut places = Places::default();
        for layer in &self.layers {
            match layer {
                Layer::Other(_, true) if bytes => {}
                Layer::Other(set, _) => {
                    let temporary = |c: &PathClaim| matches!(c.path.as_str(), "/tmp" | "/var/tmp");
                    for claim in set.claims.iter().filter(|c| !bytes || !temporary(c)) {
                        places.lose(claim);
                    }
                }
                Layer::Context(brought) if brought.is_unclear(files) => {
                    places.lose(&PathClaim::subtree(brought.top()));
                }
                Layer::Context(brought) => brought.lay(files, &mut places),
            }
        }
        places
    }
}

/// Whether a RUN changes who owns files and may run them, and nothing else.
pub(super) fn keeps_bytes(step: &Step) -> bool {
    let kept = |c: &String| matches!(c.as_str(), "chmod" | "chown" | "chgrp");
    let footprint = step.footprint.as_ref();
    footprint.is_some_and(|f| {
        f.opaque.is_none() && !f.commands.is_empty() && f.commands.iter().all(kept)
    })
}

impl<'a> Snapshot<'a> {
    /// What lies in the image below some instruction, as far as bytes go.
    #[must_use]
    pub fn of(layout: &Layout, files: &'a dyn ContextFiles) -> Self {
        let places = layout.places(files, true);
        Self { places, files }
    }

    /// A digest of which files lie where.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = blake3::Hasher::new();
        for (place, from) in &self.places.whole {
            for text in [place, from] {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
        hash.finalize().into()
    }
}

impl Project for Snapshot<'_> {
    fn is_file(&self, path: &str) -> bool {
        self.places.from(path).is_some()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.read(self.places.from(path)?)
    }

    fn facts(&self, path: &str) -> Option<Rc<Facts>> {
        let from = self.places.from(path)?;
        let read = || Facts::of(&self.files.read(from)?).map(Rc::new);
        match self.files.memo() {
            Some(memo) => memo.facts(from, read),
            None => read(),
        }
    }

    fn is_link(&self, path: &str) -> bool {
        let from = self.places.from(path);
        from.is_some_and(|p| self.files.is_link(p))
    }

    fn is_executable(&self, path: &str) -> Option<bool> {
        self.files.is_executable(self.places.from(path)?)
    }

    fn has_below(&self, dir: &str) -> bool {
        self.places.has_below(dir)
    }

    fn below(&self, dir: &str) -> Vec<String> {
        self.places.below(dir)
    }
}

/// All files that a COPY of the context brings, to be asked for one part of the image after the other.
#[derive(Debug)]
pub struct Arrivals {
    /// Place in the image and path in the context, sorted.
    all: Vec<(String, String)>,
    /// The repository among them.
    git: Option<usize>,
}

impl Arrivals {
    /// `None` as in [`brought_by`].
    #[must_use]
    pub fn of(step: &Step, files: &dyn ContextFiles) -> Option<Self> {
        let mut all = brought_by(step, &PathClaim::subtree("/"), files)?;
        all.sort();
        let git = all.iter().position(|(_, from)| from == ".git");
        Some(Self { all, git })
    }

    /// What [`brought_by`] says of a claim.
    pub fn at<'s>(&'s self, claim: &PathClaim) -> impl Iterator<Item = &'s (String, String)> {
        let start = format!("{}/", claim.path.trim_end_matches('/'));
        let from = |text: &str| self.all.partition_point(|(p, _)| p.as_str() < text);
        let own = self.all.get(from(&claim.path));
        let own = own.filter(|(p, _)| *p == claim.path);
        let below = match claim.extent {
            Extent::Subtree => &self.all[from(&start)..],
            Extent::Exact => &[],
        };
        // Of the repository no file is listed.
        let git = self.git.and_then(|at| self.all.get(at));
        let git = git.filter(|(p, _)| {
            claim
                .path
                .strip_prefix(&**p)
                .is_some_and(|r| r.starts_with('/'))
        });
        let below = below.iter().take_while(move |(p, _)| p.starts_with(&start));
        own.into_iter().chain(below).chain(git)
    }
}

impl Brought {
    /// Puts its files where they belong.
    fn lay(&self, files: &dyn ContextFiles, places: &mut Places) {
        if let Some(cut) = &self.cut {
            let left = cut.all(files);
            let place = |rest: &String| format!("{}/{rest}", self.dest);
            for (rest, from) in &left.whole {
                places.lay(place(rest), from.clone());
            }
            for (rest, from) in &left.emptied {
                places.lay_emptied(place(rest), from.clone());
            }
            return;
        }
        for (place, from) in self.laid(files) {
            places.lay(place, from);
        }
    }

    /// Files that come straight from the context: path in the image, path in the context.
    pub(super) fn laid(&self, files: &dyn ContextFiles) -> BTreeMap<String, String> {
        let all = self.sources.iter();
        all.flat_map(|s| self.placed(s, folder_of(s).to_owned(), files))
            .collect()
    }
}
