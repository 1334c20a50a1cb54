//! Folders of a context by their names, each with all that is in it.

use crate::context::{ContextEntry, EntryKind};
use crate::rules::View;
use rustc_hash::FxHashMap;

/// A folder with everything below it.
pub struct Folder {
    /// Relative to the context.
    pub path: String,
    pub bytes: u64,
    pub files: u64,
    /// Index of the first file in it.
    pub first: usize,
    /// A file in it is in git's index.
    pub tracked: bool,
}

/// The outermost folders whose names are asked for, in order of their paths.
pub fn named(
    view: &View<'_>,
    entries: &[ContextEntry],
    wanted: &dyn Fn(&str) -> bool,
) -> Vec<Folder> {
    let mut out: Vec<Folder> = Vec::new();
    let mut at: FxHashMap<&[u8], Option<usize>> = FxHashMap::default();
    for (index, entry) in entries
        .iter()
        .enumerate()
        .filter(|(_, e)| e.kind != EntryKind::Directory)
    {
        let Some(slash) = entry.path.iter().rposition(|b| *b == b'/') else {
            continue;
        };
        let folder = &entry.path[..slash];
        let place = *at.entry(folder).or_insert_with(|| {
            let path = outermost(folder, wanted)?;
            // Sorted by path, but names like `a-b` may stand between `a` and `a/b`.
            let found = out.iter().rposition(|f| f.path == path);
            found.or_else(|| {
                out.push(Folder {
                    path: path.to_owned(),
                    bytes: 0,
                    files: 0,
                    first: index,
                    tracked: false,
                });
                Some(out.len() - 1)
            })
        });
        let Some(place) = place else { continue };
        let sum = &mut out[place];
        sum.bytes = sum.bytes.saturating_add(entry.size);
        sum.files += 1;
        // Links in them are often made by hand; the first few files tell.
        if sum.files <= 50 && !sum.tracked {
            sum.tracked = view
                .project
                .git
                .is_some_and(|g| g.is_tracked(&view.below_path(entry)));
        }
    }
    out
}

fn outermost<'p>(folder: &'p [u8], wanted: &dyn Fn(&str) -> bool) -> Option<&'p str> {
    let path = std::str::from_utf8(folder).ok()?;
    let mut from = 0;
    for part in path.split('/') {
        let end = from + part.len();
        if wanted(part) {
            return Some(&path[..end]);
        }
        // What git keeps is its own.
        if part == ".git" {
            return None;
        }
        from = end + 1;
    }
    None
}
