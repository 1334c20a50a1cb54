//! What a shell knows at one point of a script: variables, directory, user.
//!
//! Goes in: a [`RunState`] and the commands in order. Comes out: look-ups. Invariant: a value is
//! `Some` only if the variable has it on every way to this point.

use std::collections::BTreeMap;

use super::RunState;

/// State at one point.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    /// Values; `None`, like a missing name, is not known.
    pub(super) variables: BTreeMap<String, Option<String>>,
    /// Directory, absolute and clean, if known.
    pub(super) cwd: Option<String>,
    /// USER without its group, if the Dockerfile sets it.
    pub(super) user: Option<String>,
}

impl Shell {
    /// The state a RUN starts in.
    pub(super) fn new(state: &RunState) -> Self {
        let user = state
            .user
            .as_deref()
            .map(|u| u.split(':').next().unwrap_or(u));
        Self {
            variables: state
                .vars
                .iter()
                .map(|(name, value)| (name.clone(), Some(value.clone())))
                .collect(),
            cwd: state
                .cwd
                .as_deref()
                .and_then(|cwd| super::path_set::resolve(None, cwd)),
            user: user.map(str::to_string),
        }
    }

    /// Value of a variable.
    pub(super) fn lookup(&self, name: &str) -> Option<String> {
        match self.variables.get(name) {
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
    }
}
