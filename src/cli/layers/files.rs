//! The files of a context for layers: their sizes, the names that are one file, and the content of archives.

use crate::cli::subject::{Place, Subject};
use crate::context::{Context, EntryKind};
use crate::layers::sent::{Entry, Source, What};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read};
use std::os::unix::fs::MetadataExt as _;

/// A context that was walked or listed.
pub struct Files<'a> {
    place: &'a Place,
    subject: &'a Subject,
    context: &'a Context,
    sizes: BTreeMap<&'a [u8], u64>,
}

impl<'a> Files<'a> {
    pub fn new(place: &'a Place, subject: &'a Subject, context: &'a Context) -> Self {
        let sizes = context.entries.iter().map(|e| (e.path.as_slice(), e.size));
        Self {
            place,
            subject,
            context,
            sizes: sizes.collect(),
        }
    }

    /// What is sent. Names that are no text are left out: no build gets that far.
    pub fn entries(&self) -> Vec<Entry> {
        let root = self.place.path.join(&self.subject.context);
        let several = |path: &str| {
            if self.place.at.is_some() {
                return None;
            }
            let meta = std::fs::symlink_metadata(root.join(path)).ok()?;
            (meta.nlink() > 1).then(|| (meta.dev(), meta.ino()))
        };
        let entry = |e: &crate::context::ContextEntry| {
            let path = String::from_utf8(e.path.clone()).ok()?;
            let (what, same) = match e.kind {
                EntryKind::File => (What::File, several(&path)),
                EntryKind::Directory => (What::Folder, None),
                EntryKind::Symlink => {
                    let text = e.link_target.clone().unwrap_or_default();
                    (What::Link(String::from_utf8(text).ok()?), None)
                }
                EntryKind::Other => (What::Other, None),
            };
            Some(Entry {
                path,
                what,
                mode: Some(e.mode),
                digest: e.digest.filter(|_| e.kind == EntryKind::File),
                same,
            })
        };
        self.context.entries.iter().filter_map(entry).collect()
    }
}

impl Source for Files<'_> {
    fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
        let size = |p: &String| self.sizes.get(p.as_bytes()).copied();
        paths.iter().map(size).collect()
    }

    fn open(&self, path: &str) -> Option<Box<dyn Read + '_>> {
        if let (Some(commit), Some(repository)) = (self.place.at, &self.place.repository) {
            let full = match self.subject.context_prefix.as_str() {
                "" => path.to_owned(),
                prefix => format!("{prefix}/{path}"),
            };
            let blob = repository.read(commit, full.as_bytes()).ok()??;
            return Some(Box::new(Cursor::new(blob.bytes)));
        }
        let file = self.place.path.join(&self.subject.context).join(path);
        // What the walk saw as a file may be a pipe by now.
        let opened = File::open(&file).ok()?;
        let is_file = opened.metadata().is_ok_and(|m| m.is_file());
        is_file.then(|| Box::new(opened) as Box<dyn Read>)
    }
}
