//! The archives of a context that carry a Java runtime or sources.

use super::View;
use crate::context::archive::{Carries, kind_of, look_inside};
use crate::context::{ContextEntry, EntryKind};
use rayon::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Archives looked into, the largest first: what is small does not weigh.
const MAX_ARCHIVES: usize = 256;

/// Those that carry something, the largest first; with the index of the entry. A commit's archives
/// are not looked into.
pub fn archives<'a>(view: &'a View<'_>) -> Vec<(usize, &'a ContextEntry, Carries)> {
    if view.place.at.is_some() {
        return Vec::new();
    }
    let root = view.place.path.join(&view.subject.context);
    let mut candidates: Vec<(usize, &ContextEntry)> = view
        .shown()
        .filter(|(_, e)| e.kind == EntryKind::File && !e.emptied && e.size > 0)
        .filter(|(_, e)| kind_of(&e.path).is_some())
        .collect();
    candidates.sort_by(|a, b| (b.1.size, &a.1.path).cmp(&(a.1.size, &b.1.path)));
    candidates.truncate(MAX_ARCHIVES);
    let look = |(i, entry): (usize, &'a ContextEntry)| {
        let kind = kind_of(&entry.path)?;
        let path = root.join(OsStr::from_bytes(&entry.path));
        // A pipe that took the file's place meanwhile would make the look wait.
        let still_a_file = std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_file());
        let carries = still_a_file.then(|| look_inside(&path, kind))?;
        carries.is_something().then_some((i, entry, carries))
    };
    candidates.into_par_iter().filter_map(look).collect()
}
