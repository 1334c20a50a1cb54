//! Which sources take which paths, found for every path of a log before the first build.
//!
//! Goes in: paths relative to the context, sources, sets of ignore rules. Comes out: [`Matches`] of the
//! files and of the folders above them. Cost: one match per path, source and set of rules, spread over
//! the thread pool. Invariant: a path's answers depend on nothing but the path, so that the number of
//! threads changes nothing.

use crate::pattern::{ExcludeRules, IgnoreRules, PathFilter, SourcePattern};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// Paths handled by one thread at a time: neighbours share folders, whose states are remembered.
const CHUNK: usize = 512;

/// A source as far as matching goes.
pub(super) trait Matcher: Sync {
    /// What it names or matches.
    fn pattern(&self) -> &SourcePattern;
    /// What it leaves out.
    fn exclude(&self) -> Option<&ExcludeRules>;
    /// The index of its ignore rules.
    fn rules(&self) -> usize;
}

/// Answers for a list of paths.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// Sources that take the path, ascending; for folders without regard to ignore rules.
    pub sources: Vec<Box<[u32]>>,
    /// `ignored[path * rules + set]`.
    ignored: Vec<bool>,
    rules: usize,
}

impl Matches {
    /// Whether each set of rules leaves the path out.
    pub fn ignored(&self, path: usize) -> &[bool] {
        &self.ignored[path * self.rules..(path + 1) * self.rules]
    }
}

/// Matches paths; `None` stands for one outside the context, which nothing takes. `sent`: sources take
/// only what their rules let through.
pub(super) fn matches<S: Matcher, P: AsRef<[u8]> + Sync>(
    paths: &[Option<P>],
    sources: &[S],
    rules: &[IgnoreRules],
    sent: bool,
) -> Matches {
    let chunk = |paths: &[Option<P>]| {
        let mut filters: Vec<PathFilter<'_>> = rules.iter().map(PathFilter::new).collect();
        let mut taken = Vec::with_capacity(paths.len());
        let mut ignored = Vec::with_capacity(paths.len() * rules.len());
        for path in paths {
            let first = ignored.len();
            let Some(path) = path.as_ref().map(AsRef::as_ref) else {
                ignored.resize(first + rules.len(), true);
                taken.push(Box::default());
                continue;
            };
            ignored.extend(filters.iter_mut().map(|f| f.ignored(path)));
            let through = |s: &S| !sent || !ignored[first + s.rules()];
            let mut found: Vec<u32> = Vec::new();
            for (i, source) in sources.iter().enumerate() {
                if takes(source, path) && through(source) {
                    found.push(u32::try_from(i).unwrap_or(u32::MAX));
                }
            }
            taken.push(found.into_boxed_slice());
        }
        (taken, ignored)
    };
    let chunks: Vec<_> = paths.par_chunks(CHUNK).map(chunk).collect();
    let mut out = Matches {
        rules: rules.len(),
        ..Matches::default()
    };
    for (taken, ignored) in chunks {
        out.sources.extend(taken);
        out.ignored.extend(ignored);
    }
    out
}

fn takes<S: Matcher>(source: &S, path: &[u8]) -> bool {
    let Some(found) = source.pattern().select(path) else {
        return false;
    };
    let excluded = |e: &ExcludeRules| e.is_excluded(found.relative);
    !source.exclude().is_some_and(excluded)
}

/// The folders above some paths, and what is in them now.
#[derive(Debug, Default)]
pub(super) struct Folders {
    /// Relative to the context; the root has no entry.
    pub names: Vec<Option<Vec<u8>>>,
    /// What takes them.
    pub matches: Matches,
    /// The folder above each; none below the root.
    parent: Vec<Option<u32>>,
    /// The folder each path lies in.
    of_path: Vec<Option<u32>>,
    by_name: FxHashMap<Vec<u8>, u32>,
    /// Files in the folder itself and folders in it that hold files, ignored or not.
    children: Vec<u32>,
    /// As above, of those that a set of rules lets through: `through[folder * rules + set]`.
    through: Vec<u32>,
}

/// What of a folder can matter: it is there, and for each set of rules something in it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub there: bool,
    pub sends: Vec<bool>,
}

impl Folders {
    pub fn new<S: Matcher>(
        paths: &[Option<Vec<u8>>],
        sources: &[S],
        rules: &[IgnoreRules],
    ) -> Self {
        let mut out = Self::default();
        for path in paths {
            let folder = path.as_ref().and_then(|p| out.above(p));
            out.of_path.push(folder);
        }
        out.matches = matches(&out.names, sources, rules, false);
        out.children = vec![0; out.names.len()];
        out.through = vec![0; out.names.len() * rules.len()];
        out
    }

    /// The folder a path lies in, made if it is new.
    fn above(&mut self, path: &[u8]) -> Option<u32> {
        let mut new = Vec::new();
        let mut end = path.len();
        let mut at = loop {
            let Some(slash) = path[..end].iter().rposition(|b| *b == b'/') else {
                break None;
            };
            end = slash;
            if let Some(known) = self.by_name.get(&path[..end]) {
                break Some(*known);
            }
            new.push(end);
        };
        for end in new.into_iter().rev() {
            let id = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
            self.by_name.insert(path[..end].to_vec(), id);
            self.names.push(Some(path[..end].to_vec()));
            self.parent.push(at);
            at = Some(id);
        }
        at
    }

    /// The folder of that name, if any path lies in it.
    pub fn get(&self, name: &[u8]) -> Option<usize> {
        self.by_name.get(name).map(|id| *id as usize)
    }

    /// Whether the folder holds files now.
    pub fn is_there(&self, folder: usize) -> bool {
        self.children[folder] > 0
    }

    /// Whether it holds files that the rules let through.
    pub fn sends(&self, folder: usize, rules: usize) -> bool {
        self.through[folder * self.matches.rules + rules] > 0
    }

    /// Every folder that holds files now.
    pub fn there(&self) -> impl Iterator<Item = (usize, &Vec<u8>)> {
        let all = self.names.iter().enumerate();
        let there = all.filter(|(i, _)| self.is_there(*i));
        there.filter_map(|(i, name)| Some((i, name.as_ref()?)))
    }

    fn shape(&self, folder: usize) -> Shape {
        let n = self.matches.rules;
        let sends = &self.through[folder * n..(folder + 1) * n];
        Shape {
            there: self.is_there(folder),
            sends: sends.iter().map(|c| *c > 0).collect(),
        }
    }

    /// Counts a file that came or went, which some sets of rules let through. `changed` is told about
    /// every folder whose shape is another one now, the innermost first, with the shape it had.
    pub fn count(
        &mut self,
        path: usize,
        ignored: &[bool],
        add: bool,
        mut changed: impl FnMut(&Self, usize, &Shape, &Shape),
    ) {
        let mut at = self.of_path[path];
        let mut moves = Shape {
            there: true,
            sends: ignored.iter().map(|i| !i).collect(),
        };
        while let Some(folder) = at {
            let index = folder as usize;
            let before = self.shape(index);
            let step = |n: &mut u32| *n = if add { *n + 1 } else { n.saturating_sub(1) };
            if moves.there {
                step(&mut self.children[index]);
            }
            let n = self.matches.rules;
            let counts = &mut self.through[index * n..(index + 1) * n];
            for (count, _) in counts.iter_mut().zip(&moves.sends).filter(|(_, m)| **m) {
                step(count);
            }
            let after = self.shape(index);
            if before == after {
                break;
            }
            changed(self, index, &before, &after);
            // Above, the folder itself is what came or went.
            moves.there = before.there != after.there;
            for (i, moved) in moves.sends.iter_mut().enumerate() {
                *moved = before.sends[i] != after.sends[i];
            }
            at = self.parent[index];
        }
    }
}
