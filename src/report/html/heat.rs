//! The heat map as it stands without script: one strip a step, one column a build or a few of them.
//!
//! Goes in: the builds. Comes out: paths in a box of `columns` by [`HEIGHT`]. Linear in builds times steps; of many builds several share a
//! column, so a strip has at most [`MOST_COLUMNS`] bars. Invariant: what a bar means can be told by its height, or where a column is several
//! builds by its place: by itself at the bottom, then because of others, then in doubt.

use super::super::detail::{Detail, DetailBuild, State};
use crate::simulate::Verdict;
use std::fmt::Write as _;

/// Columns of a strip.
pub const MOST_COLUMNS: usize = 500;
/// Height of a strip's box: a step that runs by itself fills it.
pub const HEIGHT: usize = 20;
/// One that runs because another did.
const BEHIND: usize = 11;
/// One in doubt.
const DOUBT: usize = 5;

/// What a step did in a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The Dockerfile of the time had no such step, or the build is in no count.
    None,
    Cached,
    /// It ran because of its own inputs.
    Itself,
    /// It ran because another did.
    Behind,
    Doubt,
}

impl Cell {
    /// In the data.
    pub fn letter(self) -> char {
        match self {
            Self::None => '-',
            Self::Cached => '.',
            Self::Itself => 'D',
            Self::Behind => 'I',
            Self::Doubt => 'M',
        }
    }
}

/// One per step.
pub fn cells(build: &DetailBuild) -> Vec<Cell> {
    if build.state != State::Counted {
        return vec![Cell::None; build.verdicts.len()];
    }
    let itself = |step: usize| {
        let cause = build.causes.iter().find(|c| c.step == step);
        cause.is_none_or(|c| c.kind != "parent")
    };
    let one = |(step, verdict): (usize, &Option<Verdict>)| match verdict {
        None => Cell::None,
        Some(Verdict::Cached) => Cell::Cached,
        Some(Verdict::Maybe) => Cell::Doubt,
        Some(Verdict::Executed) if itself(step) => Cell::Itself,
        Some(Verdict::Executed) => Cell::Behind,
    };
    build.verdicts.iter().enumerate().map(one).collect()
}

/// The paths of one strip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strip {
    pub itself: String,
    pub behind: String,
    pub doubt: String,
}

/// Where the builds of a column start and end.
pub fn column(i: usize, columns: usize, builds: usize) -> std::ops::Range<usize> {
    i * builds / columns..(i + 1) * builds / columns
}

/// Strips of all steps; `cells` by build.
pub fn strips(d: &Detail, cells: &[Vec<Cell>]) -> (usize, Vec<Strip>) {
    let columns = cells.len().clamp(1, MOST_COLUMNS);
    let strip = |step: usize| {
        let heights = |kind: Cell, full: usize| -> Vec<usize> {
            let one = |i: usize| {
                let builds = &cells[column(i, columns, cells.len())];
                let n = builds.iter().filter(|b| b[step] == kind).count();
                (full * n).div_ceil(builds.len().max(1))
            };
            (0..columns).map(one).collect()
        };
        // Where a column is several builds, its height is their share.
        let [behind, doubt] = match cells.len() > columns {
            true => [HEIGHT; 2],
            false => [BEHIND, DOUBT],
        };
        let (a, b, c) = (
            heights(Cell::Itself, HEIGHT),
            heights(Cell::Behind, behind),
            heights(Cell::Doubt, doubt),
        );
        let ab: Vec<usize> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        Strip {
            itself: bars(&a, &vec![0; columns]),
            behind: bars(&b, &a),
            doubt: bars(&c, &ab),
        }
    };
    (columns, (0..d.steps.len()).map(strip).collect())
}

/// Bars of these heights upon others, equal neighbours as one.
fn bars(heights: &[usize], on: &[usize]) -> String {
    let mut out = String::new();
    let mut i = 0;
    while i < heights.len() {
        let (height, below) = (heights[i], on[i]);
        let same = |(h, b): &(&usize, &usize)| **h == height && **b == below;
        let run = heights[i..].iter().zip(&on[i..]).take_while(same).count();
        if height > 0 {
            let top = HEIGHT.saturating_sub(height + below);
            let _ = write!(
                out,
                "M{i} {top}h{run}v{}h-{run}z",
                height.min(HEIGHT - below.min(HEIGHT))
            );
        }
        i += run;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_one_bar() {
        assert_eq!(
            bars(&[20, 20, 0, 11], &[0; 4]),
            "M0 0h2v20h-2zM3 9h1v11h-1z"
        );
        assert_eq!(bars(&[5], &[11]), "M0 4h1v5h-1z");
    }

    #[test]
    fn columns_cover_every_build_once() {
        for (columns, builds) in [(1, 1), (500, 500), (500, 501), (500, 5000), (3, 7)] {
            let all: Vec<usize> = (0..columns)
                .flat_map(|i| column(i, columns, builds))
                .collect();
            assert_eq!(all, (0..builds).collect::<Vec<_>>());
        }
    }
}
