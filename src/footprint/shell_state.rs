//! What a shell knows at one point of a script: variables, directory, user.
//!
//! Goes in: a [`RunState`] and the commands in order. Comes out: look-ups. Invariant: a value is
//! `Some` only if the variable has it on every way to this point.

use std::collections::{BTreeMap, BTreeSet};

use super::path_set::{ancestors, resolve};
use super::{PathClaim, RunState};

/// State at one point.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    /// Values; `None`, like a missing name, is not known.
    pub(super) variables: BTreeMap<String, Option<String>>,
    /// Directory, absolute and clean, if known.
    pub(super) cwd: Option<String>,
    /// USER without its group, if the Dockerfile sets it.
    pub(super) user: Option<String>,
    /// Accounts that were made before, and their home directories.
    pub(super) homes: Vec<(String, String)>,
    /// Folders that the script has made, or has found to be no folder.
    pub(super) made: BTreeSet<String>,
    /// Names whose value is never known here.
    pub(super) unsure: BTreeSet<String>,
    /// No value is.
    pub(super) blind: bool,
    /// Variables of loops over the files of a pattern, and the pattern: each round has one of them, or the pattern's own
    /// text where there is none.
    pub(super) elements: BTreeMap<String, String>,
}

impl Shell {
    /// The state a RUN starts in.
    pub(super) fn new(state: &RunState) -> Self {
        let user = state
            .user
            .as_deref()
            .map(|u| u.split(':').next().unwrap_or(u));
        let cwd = state.cwd.as_deref().and_then(|cwd| resolve(None, cwd));
        Self {
            variables: state
                .vars
                .iter()
                .map(|(name, value)| (name.clone(), Some(value.clone())))
                .collect(),
            user: user.map(str::to_string),
            homes: state.homes.clone(),
            // A WORKDIR made it, and those above it.
            made: cwd
                .iter()
                .flat_map(|c| std::iter::once(c.as_str()).chain(ancestors(c)))
                .map(str::to_string)
                .collect(),
            unsure: BTreeSet::new(),
            blind: false,
            elements: BTreeMap::new(),
            cwd,
        }
    }

    /// Value of a variable.
    pub(super) fn lookup(&self, name: &str) -> Option<String> {
        match self.variables.get(name) {
            _ if self.blind || self.unsure.contains(name) => None,
            Some(value) => value.clone(),
            None if name == "HOME" && self.is_root() => Some("/root".to_string()),
            None if name == "PWD" => self.cwd.clone(),
            None => None,
        }
    }

    /// Whether the user is root, or the base image's, which is taken for root.
    pub(super) fn is_root(&self) -> bool {
        matches!(self.user.as_deref(), None | Some("" | "root" | "0"))
    }

    /// Takes note of folders made, and of places written, where a folder may be gone.
    pub(super) fn note(&mut self, made: &[PathClaim], written: &[PathClaim]) {
        self.made.retain(|m| {
            let folder = PathClaim::exact(m.as_str());
            !written.iter().any(|w| w.covers(&folder))
        });
        self.made.extend(made.iter().map(|m| m.path.clone()));
    }

    /// Keeps what holds in both states.
    pub(super) fn merge(&mut self, other: &Self) {
        for (name, value) in &mut self.variables {
            if other.variables.get(name) != Some(value) {
                *value = None;
            }
        }
        for name in other.variables.keys() {
            self.variables.entry(name.clone()).or_insert(None);
        }
        if self.cwd != other.cwd {
            self.cwd = None;
        }
        self.made.retain(|m| other.made.contains(m));
        self.elements
            .retain(|name, p| other.elements.get(name) == Some(p));
    }
}
