//! What selections and views are in each build, in rows.

use crate::history::PathId;
use crate::plan::ContextInput;
use crate::simulate::stage_tree::Content;
use crate::simulate::views::ViewRequest;
use std::ops::Range;

/// A selection of the context under one set of ignore rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selection {
    /// Sources and excludes.
    pub input: ContextInput,
    /// Index into the list of ignore rules.
    pub rules: usize,
}

/// Why a selection has no content in a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// A source without wildcard is not there: the build is refused while keys are computed.
    NotFound {
        /// Index of the source.
        source: usize,
    },
    /// As above with `--exclude`, or the folder before a wildcard was not sent: refused when the
    /// step is executed.
    AtExecution {
        /// Index of the source.
        source: usize,
    },
}

/// Versions of every selection in every build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputMatrix {
    /// The selections, in the order given.
    pub selections: Vec<Selection>,
    /// `version[selection][build]`.
    pub version: Vec<Vec<u128>>,
    /// Builds in which something is absent, ascending, per selection.
    pub absent: Vec<Vec<(u32, Absence)>>,
    /// Member paths that changed, `(build, path)` ascending by build, per selection.
    pub changed: Vec<Vec<(u32, PathId)>>,
    /// Whether the selection holds the repository's `.git`, which differs in every build.
    pub holds_git: Vec<bool>,
    /// `views[view][build]`: what steps take from other stages.
    pub views: Vec<Vec<Content>>,
    /// What the views are, in the same order.
    pub requests: Vec<ViewRequest>,
    /// Number of builds.
    pub builds: usize,
}

impl InputMatrix {
    /// A matrix of these columns without any row.
    #[must_use]
    pub fn empty(selections: Vec<Selection>, requests: Vec<ViewRequest>) -> Self {
        let (n, views) = (selections.len(), requests.len());
        Self {
            selections,
            requests,
            version: vec![Vec::new(); n],
            absent: vec![Vec::new(); n],
            changed: vec![Vec::new(); n],
            holds_git: vec![false; n],
            views: vec![Vec::new(); views],
            builds: 0,
        }
    }

    /// The rows of some builds, to be added to those of the builds before by [`InputMatrix::append`]. The columns are not
    /// told again.
    ///
    /// # Panics
    /// When there are no such builds.
    #[must_use]
    pub fn of(&self, builds: Range<usize>) -> Self {
        let row = |row: &Vec<u128>| row[builds.clone()].to_vec();
        Self {
            version: self.version.iter().map(row).collect(),
            absent: inside(&self.absent, &builds),
            changed: inside(&self.changed, &builds),
            views: self
                .views
                .iter()
                .map(|v| v[builds.clone()].to_vec())
                .collect(),
            holds_git: self.holds_git.clone(),
            builds: builds.len(),
            ..Self::default()
        }
    }

    /// Adds the rows of the builds that follow.
    pub fn append(&mut self, piece: Self) {
        for (rows, more) in self.version.iter_mut().zip(piece.version) {
            rows.extend(more);
        }
        for (rows, more) in self.absent.iter_mut().zip(piece.absent) {
            rows.extend(more);
        }
        for (rows, more) in self.changed.iter_mut().zip(piece.changed) {
            rows.extend(more);
        }
        for (rows, more) in self.views.iter_mut().zip(piece.views) {
            rows.extend(more);
        }
        self.holds_git = piece.holds_git;
        self.builds += piece.builds;
    }

    /// Member paths of a selection that changed in builds `after + 1 ..= build`.
    pub fn changes(
        &self,
        selection: usize,
        after: u32,
        build: u32,
    ) -> impl Iterator<Item = PathId> {
        let list = &self.changed[selection];
        let start = list.partition_point(|(b, _)| *b <= after);
        list[start..]
            .iter()
            .take_while(move |(b, _)| *b <= build)
            .map(|(_, p)| *p)
    }

    /// Takes over what another matrix of the same builds knows beyond this one.
    pub fn extend(&mut self, more: Self) {
        self.builds = more.builds;
        let rows = more.selections.into_iter().zip(more.version);
        let rest = more
            .absent
            .into_iter()
            .zip(more.changed)
            .zip(more.holds_git);
        for ((selection, version), ((absent, changed), git)) in rows.zip(rest) {
            if !self.selections.contains(&selection) {
                self.selections.push(selection);
                self.version.push(version);
                self.absent.push(absent);
                self.changed.push(changed);
                self.holds_git.push(git);
            }
        }
        for (request, view) in more.requests.into_iter().zip(more.views) {
            if !self.requests.contains(&request) {
                self.requests.push(request);
                self.views.push(view);
            }
        }
    }

    /// What is absent from a selection in a build.
    #[must_use]
    pub fn absence(&self, selection: usize, build: u32) -> Option<Absence> {
        let list = &self.absent[selection];
        let i = list.binary_search_by_key(&build, |(b, _)| *b).ok()?;
        Some(list[i].1)
    }
}

/// What belongs to some builds, of lists that ascend by build.
fn inside<T: Copy>(lists: &[Vec<(u32, T)>], builds: &Range<usize>) -> Vec<Vec<(u32, T)>> {
    let part = |list: &Vec<(u32, T)>| {
        let at = |build: usize| list.partition_point(|(b, _)| (*b as usize) < build);
        list[at(builds.start)..at(builds.end)].to_vec()
    };
    lists.iter().map(part).collect()
}
