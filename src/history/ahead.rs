//! Comparing trees while older commits are still being listed.
//!
//! Goes in: commits, as a walk along first parents meets them, in stretches. Comes out: what each stretch changed, ready
//! for the log. Costs what it costs later, but listing keeps one core busy and this the others. Invariant: a
//! stretch is compared like any other piece of the log.

use super::changes::{Piece, normal_prefixes, piece, scope_of};
use super::walk::Mark;
use super::{HistoryError, Repository};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Builds of one stretch: enough to be worth a handle of the repository, and few enough that the first one is soon full.
const STRETCH: usize = 200;

/// Commits of a walk as they come, newest first.
pub struct Listed(Sender<Stretch>);

/// What [`Listed`] tells.
pub struct Stretches(Receiver<Stretch>);

/// Builds that follow on one another, oldest first.
struct Stretch {
    /// How many builds are newer.
    newer: usize,
    marks: Vec<Mark>,
    /// The first one is no build of the stretch, but the one before it.
    has_before: bool,
}

/// Two ends, one for [`super::choose`] and one for [`compare_ahead`].
#[must_use]
pub fn listing() -> (Listed, Stretches) {
    let (send, receive) = channel();
    (Listed(send), Stretches(receive))
}

impl Listed {
    /// Looks at the commits so far, newest first, whenever there is one more.
    pub(super) fn one_more<T>(&self, commits: &[T], mark: impl Fn(&T) -> Mark) {
        let full = commits.len().saturating_sub(1);
        if full > 0 && full.is_multiple_of(STRETCH) {
            self.tell(&commits[full - STRETCH..], full - STRETCH, true, mark);
        }
    }

    /// There are no more.
    pub(super) fn end<T>(&self, commits: &[T], mark: impl Fn(&T) -> Mark) {
        let told = commits.len().saturating_sub(1) / STRETCH * STRETCH;
        if told < commits.len() {
            self.tell(&commits[told..], told, false, mark);
        }
    }

    fn tell<T>(&self, commits: &[T], newer: usize, has_before: bool, mark: impl Fn(&T) -> Mark) {
        // Nobody may be listening.
        let _ = self.0.send(Stretch {
            newer,
            marks: commits.iter().rev().map(mark).collect(),
            has_before,
        });
    }
}

/// What was compared ahead.
pub struct Ahead {
    prefixes: Vec<Vec<u8>>,
    pieces: Vec<Done>,
}

/// A piece, and its builds counted from the newest.
type Done = (Range<usize>, Result<Piece, HistoryError>);

/// Compares stretches below the prefixes until there are no more.
#[must_use]
pub fn compare_ahead(repository: &Repository, prefixes: &[Vec<u8>], listing: Stretches) -> Ahead {
    let prefixes = normal_prefixes(prefixes);
    let scope = scope_of(&prefixes);
    let pieces: Mutex<Vec<Done>> = Mutex::default();
    rayon::in_place_scope(|tasks| {
        for stretch in listing.0 {
            let (scope, pieces) = (&scope, &pieces);
            tasks.spawn(move |_| {
                let Stretch {
                    newer,
                    marks,
                    has_before,
                } = stretch;
                let builds = usize::from(has_before)..marks.len();
                let range = newer..newer + builds.len();
                let found = piece(repository, &marks, builds, scope);
                let mut all = pieces
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                all.push((range, found));
            });
        }
    });
    let pieces = pieces.into_inner();
    let mut pieces = pieces.unwrap_or_else(std::sync::PoisonError::into_inner);
    // The oldest first.
    pieces.sort_unstable_by_key(|(range, _)| std::cmp::Reverse(range.start));
    Ahead { prefixes, pieces }
}

impl Ahead {
    /// The pieces of a log of so many builds, oldest first, each with its first build; `None` where it is of other
    /// builds or prefixes.
    pub(super) fn pieces(
        self,
        builds: usize,
        prefixes: &[Vec<u8>],
    ) -> Option<Vec<(usize, Result<Piece, HistoryError>)>> {
        let mut out = Vec::with_capacity(self.pieces.len());
        let mut next = 0;
        for (range, piece) in self.pieces {
            let start = builds.checked_sub(range.end)?;
            if start != next {
                return None;
            }
            next += range.len();
            out.push((start, piece));
        }
        (next == builds && self.prefixes == prefixes).then_some(out)
    }
}
