//! A service and its build, and how one file's is laid over another's.
//!
//! Goes in: two of them. Comes out: the merged one. Costs nothing to speak of. Invariant: the rules are the
//! compose command's: later texts win, mappings are joined, lists grow, and what is tagged goes first.

use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default)]
pub(super) struct Service {
    pub(super) file: String,
    pub(super) span: Span,
    pub(super) build: Option<BuildMap>,
    pub(super) platform: Option<String>,
    pub(super) profiles: Vec<String>,
    pub(super) extends: Option<Extends>,
    /// Variables that have no value.
    pub(super) unset: BTreeSet<String>,
    /// What makes it impossible to say what is built.
    pub(super) broken: Option<String>,
    /// Keys below the service that `!reset` and `!override` take away from what it is laid over.
    pub(super) cleared: Vec<Vec<String>>,
}

#[derive(Clone, Debug)]
pub(super) struct Extends {
    pub(super) file: Option<String>,
    pub(super) service: String,
}

/// `build:`, with directories relative to PATH, not normalised.
#[derive(Clone, Debug, Default)]
pub(super) struct BuildMap {
    pub(super) context: Option<String>,
    pub(super) dockerfile: Option<String>,
    pub(super) inline: Option<String>,
    pub(super) target: Option<String>,
    /// Without a value it comes from the environment.
    pub(super) args: BTreeMap<String, Option<String>>,
    pub(super) contexts: BTreeMap<String, String>,
    pub(super) platforms: Vec<String>,
}

pub(super) type Services = BTreeMap<String, Service>;

impl Service {
    /// The other service wins; lists grow (`mergeSpecials` in compose-go's `override`).
    pub(super) fn merge(&mut self, over: Self) {
        for path in &over.cleared {
            self.clear(path);
        }
        match (&mut self.build, over.build) {
            (Some(build), Some(other)) => build.merge(other),
            (build @ None, other) => *build = other,
            (Some(_), None) => {}
        }
        self.file = over.file;
        self.span = over.span;
        self.platform = over.platform.or(self.platform.take());
        extend_once(&mut self.profiles, over.profiles);
        self.unset.extend(over.unset);
        self.broken = self.broken.take().or(over.broken);
        self.extends = over.extends;
    }

    /// Takes away what stands at a path of keys (`ResetProcessor.Apply` in compose-go).
    fn clear(&mut self, path: &[String]) {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        match keys.as_slice() {
            [] => {
                self.build = None;
                self.platform = None;
                self.profiles.clear();
                self.broken = None;
            }
            ["platform"] => self.platform = None,
            ["profiles"] => self.profiles.clear(),
            ["build"] => self.build = None,
            ["build", below @ ..] => {
                if let Some(build) = &mut self.build {
                    build.clear(below);
                }
            }
            _ => {}
        }
    }
}

impl BuildMap {
    fn clear(&mut self, keys: &[&str]) {
        match keys {
            ["context"] => self.context = None,
            ["dockerfile"] => self.dockerfile = None,
            ["dockerfile_inline"] => self.inline = None,
            ["target"] => self.target = None,
            ["args"] => self.args.clear(),
            ["args", name] => drop(self.args.remove(*name)),
            ["additional_contexts"] => self.contexts.clear(),
            ["additional_contexts", name] => drop(self.contexts.remove(*name)),
            ["platforms"] => self.platforms.clear(),
            _ => {}
        }
    }

    fn merge(&mut self, over: Self) {
        self.context = over.context.or(self.context.take());
        self.dockerfile = over.dockerfile.or(self.dockerfile.take());
        self.inline = over.inline.or(self.inline.take());
        self.target = over.target.or(self.target.take());
        self.args.extend(over.args);
        self.contexts.extend(over.contexts);
        extend_once(&mut self.platforms, over.platforms);
    }
}

fn extend_once(list: &mut Vec<String>, more: Vec<String>) {
    for item in more {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}
