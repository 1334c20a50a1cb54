//! What selections and views are in each build, in rows.

use crate::history::PathId;
use crate::plan::ContextInput;
use crate::simulate::stage_tree::Content;
use crate::simulate::views::ViewRequest;

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
#[derive(Clone, Debug, Default)]
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
