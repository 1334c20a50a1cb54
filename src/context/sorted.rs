//! From what the tasks of a walk found to what is sent and what is not, sorted by path.
//!
//! Goes in: what was found, a folder at a time, each sorted. Comes out: the entries sent and those
//! not sent. Costs a sort of about as many stretches as there are folders, and one move of each
//! entry. Invariant: the answer does not depend on the order of the folders.

use super::stat_cache::Stamp;
use super::walk::Found;
use super::{Context, ContextEntry, EntryKind, IgnoredEntry};
use crate::pattern::IgnoreRules;
use crate::pattern::path::{ancestors, parent};
use rustc_hash::FxHashSet;

/// Where, in the order of all paths, entries of other folders lie between those of one: what is in
/// `a` comes behind `a-b` and before `a0`.
fn cuts(found: &[Found]) -> Vec<usize> {
    let cut = |folder: &ContextEntry| {
        let inside = [&folder.path, &b"/"[..]].concat();
        found.partition_point(|f| f.entry.path < inside)
    };
    let entries = found.iter().map(|f| &f.entry);
    let folders = entries.filter(|e| e.kind == EntryKind::Directory);
    let mut cuts: Vec<usize> = folders.map(cut).collect();
    cuts.sort_unstable();
    cuts
}

/// All that was found, sorted by path. Only the stretches that nothing comes between are sorted;
/// of those there are about as many as folders.
pub(super) fn in_order(parts: Vec<Vec<Found>>) -> impl ExactSizeIterator<Item = Found> {
    let mut stretches: Vec<(&[u8], usize, usize)> = Vec::with_capacity(2 * parts.len());
    for (number, part) in parts.iter().enumerate() {
        let (mut start, mut cuts) = (0, cuts(part));
        cuts.push(part.len());
        for end in cuts {
            if let Some([first, ..]) = part.get(start..end) {
                stretches.push((&first.entry.path, number, end - start));
                start = end;
            }
        }
    }
    stretches.sort_unstable();
    let order: Vec<(usize, usize)> = stretches.into_iter().map(|(_, n, l)| (n, l)).collect();
    InOrder {
        left: parts.iter().map(Vec::len).sum(),
        parts: parts.into_iter().map(Vec::into_iter).collect(),
        order: order.into_iter(),
        stretch: (0, 0),
    }
}

/// Takes stretches out of parts, each found thing straight from where its folder's task left it.
struct InOrder {
    parts: Vec<std::vec::IntoIter<Found>>,
    /// The part of each stretch that is left, and its length.
    order: std::vec::IntoIter<(usize, usize)>,
    /// What is left of the stretch at hand.
    stretch: (usize, usize),
    left: usize,
}

impl Iterator for InOrder {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while self.stretch.1 == 0 {
            self.stretch = self.order.next()?;
        }
        self.stretch.1 -= 1;
        self.left = self.left.saturating_sub(1);
        self.parts.get_mut(self.stretch.0)?.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for InOrder {}

/// Ignored folders in which something survives: a survivor brings back every folder above it.
pub(super) fn revived<'f>(found: impl Iterator<Item = &'f Found> + Clone) -> FxHashSet<Vec<u8>> {
    let mut revived: FxHashSet<Vec<u8>> = FxHashSet::default();
    if found.clone().any(|f| f.ignored_by.is_some()) {
        for survivor in found.filter(|f| f.ignored_by.is_none()) {
            let above = parent(&survivor.entry.path);
            if !above.is_empty() && !revived.contains(above) {
                revived.extend(ancestors(&survivor.entry.path).map(<[u8]>::to_vec));
            }
        }
    }
    revived
}

/// Splits what was visited, sorted by path, into sent and not sent: an ignored folder that is not
/// revived hides what is below it. The stamps are those of the entries.
pub(super) fn sort_out(
    found: impl ExactSizeIterator<Item = Found>,
    revived: &FxHashSet<Vec<u8>>,
    rules: &IgnoreRules,
) -> (Context, Vec<Stamp>) {
    let mut context = Context::default();
    context.entries.reserve(found.len());
    let mut stamps = Vec::with_capacity(found.len());
    let mut lost: FxHashSet<Vec<u8>> = FxHashSet::default();
    for Found {
        entry,
        stamp,
        ignored_by,
    } in found
    {
        let Some(pattern) = ignored_by.filter(|_| !revived.contains(&entry.path)) else {
            context.entries.push(entry);
            stamps.push(stamp);
            continue;
        };
        let below_lost = lost.contains(parent(&entry.path));
        if entry.kind == EntryKind::Directory {
            lost.insert(entry.path.clone());
        }
        if below_lost {
            context.visited_in_vain += 1;
            continue;
        }
        context.ignored.push(IgnoredEntry {
            path: entry.path,
            kind: entry.kind,
            pattern,
            line: rules.patterns().get(pattern).map_or(0, |p| p.line),
        });
    }
    (context, stamps)
}
