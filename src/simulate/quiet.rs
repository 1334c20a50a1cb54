//! Commits that can't change what steps take from a stage, though they change what that stage copies.
//!
//! Goes in: a view whose stage keeps some of the files it copies, or makes a file of some of them; the changes of one build.
//! Comes out: whether all of those are of files that do not count. Costs a look at each change, where evaluating the view
//! costs a pass over all files. Invariant: what is not sure to be without effect has one.

use super::inputs::Engine;
use super::program::{Copy, From, Op, View};
use crate::footprint::{Action, Derived, Pruning, Test, What};
use crate::history::{Change, Entry, EntryKind};

/// Which changes have no effect on a view.
pub(super) enum Quiet {
    /// Those of files that are taken away again, or emptied.
    Pruned {
        column: usize,
        prunings: Vec<Pruning>,
    },
    /// Those of files that the step does not look at.
    Derived {
        /// Columns in which nothing may change at all.
        below: Vec<usize>,
        /// Columns of what the stage copies.
        taken: Vec<usize>,
        derived: Derived,
    },
}

impl Quiet {
    /// `None` where any change may count. `column` finds a selection in the matrix.
    pub fn of(view: &View, column: impl Fn(&super::Selection) -> Option<usize>) -> Option<Self> {
        let (last, before) = view.program.split_last()?;
        if let Op::Derive(derive) = last {
            let plain = |op: &Op| match op {
                Op::Image(_) | Op::Anything | Op::Changes(_) | Op::Mkdir { .. } => true,
                Op::Copy(copy) => !copy.unpacks && matches!(copy.from, From::Context(_)),
                Op::Prune(..) | Op::Derive(_) => false,
            };
            let below = derive.below.iter().map(&column).collect::<Option<_>>()?;
            let mut taken = Vec::new();
            view.selections(&mut taken);
            let taken = taken.iter().map(&column).collect::<Option<_>>()?;
            return before.iter().all(plain).then(|| Self::Derived {
                below,
                taken,
                derived: derive.derived.clone(),
            });
        }
        let mut found: Option<(&Copy, &super::Selection)> = None;
        let mut prunings: Vec<Pruning> = Vec::new();
        for op in view.program.iter() {
            match op {
                Op::Image(_) | Op::Mkdir { .. } if found.is_none() => {}
                Op::Copy(copy) if found.is_none() && !copy.unpacks && copy.inline.is_empty() => {
                    let From::Context(selection) = &copy.from else {
                        return None;
                    };
                    found = Some((copy, selection));
                }
                Op::Prune(list, _) if found.is_some() => prunings.extend(list.iter().cloned()),
                _ => return None,
            }
        }
        let (copy, selection) = found?;
        // Without this a new folder stays, with nothing in it.
        let empties = Test::All(vec![Test::Folder, Test::Empty]);
        let ends = prunings.last().is_some_and(|p| {
            let goes = matches!(p.action, Action::Delete | Action::RemoveFolder);
            goes && p.depth == (1, usize::MAX) && p.test == empties
        });
        let same = prunings.iter().all(|p| p.folder == copy.dest);
        (ends && same).then(|| {
            Some(Self::Pruned {
                column: column(selection)?,
                prunings,
            })
        })?
    }

    fn allows(&self, engine: &Engine<'_>, change: &Change) -> bool {
        let plain = |e: &Entry| matches!(e.kind, EntryKind::File | EntryKind::Executable);
        let entries = [change.old, change.new];
        if !entries.iter().flatten().all(plain) {
            return false;
        }
        let kind = |e: Option<Entry>| e.map(|e| e.kind);
        let same_place = kind(change.old) == kind(change.new);
        match self {
            Self::Pruned { column, prunings } => {
                engine
                    .taken_as(*column, change.path)
                    .is_none_or(|relatives| {
                        relatives.iter().all(|relative| {
                            let Ok(relative) = std::str::from_utf8(relative) else {
                                return false;
                            };
                            let quiet =
                                |p: &Pruning| match (p.takes(relative, What::File), p.action) {
                                    (Some(true), Action::Empty) => same_place,
                                    (Some(taken), _) => taken,
                                    (None, _) => false,
                                };
                            !relative.is_empty() && prunings.iter().any(quiet)
                        })
                    })
            }
            Self::Derived { taken, derived, .. } => {
                let Some(path) = engine.name(change.path) else {
                    return true;
                };
                // Below a folder that is copied it keeps its name; a file that is copied by itself may get another.
                let inside = taken.iter().all(|column| {
                    let relatives = engine.taken_as(*column, change.path);
                    relatives.is_none_or(|list| list.iter().all(|r| !r.is_empty()))
                });
                let base = |p: &[u8]| p.rsplit(|b| *b == b'/').next().map(<[u8]>::to_vec);
                // What lies where it writes keeps its mode.
                let looked_at = derived
                    .content
                    .iter()
                    .copied()
                    .chain([derived.output.as_str()])
                    .any(|c| base(c.as_bytes()) == base(path));
                let listed = derived
                    .names
                    .iter()
                    .any(|end| path.ends_with(end.as_bytes()));
                inside && !looked_at && (same_place || !listed)
            }
        }
    }

    /// Whether the changes of a build have no effect.
    pub fn is_unmoved(&self, engine: &Engine<'_>, build: u32) -> bool {
        let (taken, below) = match self {
            Self::Pruned { column, .. } => (std::slice::from_ref(column), &[][..]),
            Self::Derived { taken, below, .. } => (&taken[..], &below[..]),
        };
        // Behind a link lie files of other names.
        if taken.iter().any(|c| engine.follows_links(*c)) {
            return false;
        }
        // A repository's own files differ in every build, and no change tells.
        let pruned = matches!(self, Self::Pruned { .. });
        if pruned && taken.iter().any(|c| engine.out.holds_git[*c]) {
            return false;
        }
        let changes = engine.changes(build);
        below.iter().all(|c| engine.is_as_before(*c))
            && changes.iter().all(|c| self.allows(engine, c))
    }
}
