//! A service and its build, and how one file's is laid over another's.
//!
//! Goes in: two of them. Comes out: the merged one. Costs nothing to speak of. Invariant: the rules are the
//! compose command's: later texts win, mappings are joined, lists grow, and what is tagged goes first.

use crate::plan::RunFlags;
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
    pub(super) network: Option<String>,
    pub(super) hosts: Hosts,
    pub(super) shm_size: Option<String>,
    pub(super) ulimits: BTreeMap<String, Limit>,
    pub(super) no_cache: Option<bool>,
    pub(super) no_cache_filter: Vec<String>,
}

/// `extra_hosts:`, `NAME=IP` or `NAME:IP` as written.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    pub(super) items: Vec<String>,
    /// One mapping, not laid over others yet: its keys can be taken away one by one.
    pub(super) mapping: bool,
}

/// One of `ulimits:`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// A number for both.
    Single(i64),
    /// The soft one and the hard one.
    Both(Option<i64>, Option<i64>),
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
            ["network"] => self.network = None,
            ["extra_hosts"] => self.hosts = Hosts::default(),
            ["extra_hosts", name] if self.hosts.mapping => {
                let of = |item: &String| item.split('=').next() == Some(name);
                self.hosts.items.retain(|item| !of(item));
            }
            ["shm_size"] => self.shm_size = None,
            ["ulimits"] => self.ulimits.clear(),
            ["ulimits", name] => drop(self.ulimits.remove(*name)),
            ["no_cache"] => self.no_cache = None,
            ["no_cache_filter"] => self.no_cache_filter.clear(),
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
        self.network = over.network.or(self.network.take());
        self.hosts.merge(over.hosts);
        self.shm_size = over.shm_size.or(self.shm_size.take());
        for (name, limit) in over.ulimits {
            let below = self.ulimits.get(&name).copied();
            self.ulimits.insert(name, limit.over(below));
        }
        self.no_cache = over.no_cache.or(self.no_cache);
        extend_once(&mut self.no_cache_filter, over.no_cache_filter);
    }

    /// What the builder is told. Hosts come by name, as buildx sorts them from 0.34 on, with their
    /// addresses in the order of the files (`HostsList` of compose-go, `toBakeExtraHosts` of compose).
    pub(super) fn run_flags(&self) -> RunFlags {
        let mut hosts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for item in &self.hosts.items {
            let parts = item.split_once('=').or_else(|| item.split_once(':'));
            let (name, addresses) = parts.unwrap_or((item, ""));
            let one = |address: &str| match parts {
                Some(_) => format!("{name}={address}"),
                None => item.clone(),
            };
            let list = hosts.entry(name).or_default();
            list.extend(addresses.split(',').map(one));
        }
        let ulimits = self.ulimits.iter();
        RunFlags {
            network: self.network.clone().unwrap_or_default(),
            hosts: hosts.into_values().flatten().collect(),
            shm_size: self.shm_size.clone(),
            ulimits: ulimits.map(|(n, limit)| limit.text(n)).collect(),
        }
    }

    /// Stages that run whatever is stored; without names all of them, which wins (buildx).
    pub(super) fn stages_without_cache(&self) -> Option<Vec<String>> {
        if self.no_cache == Some(true) {
            return Some(Vec::new());
        }
        let names = self.no_cache_filter.clone();
        (!names.is_empty()).then_some(names)
    }
}

impl Hosts {
    /// Lists grow (`mergeExtraHosts` of compose-go): one name may have several addresses.
    fn merge(&mut self, over: Self) {
        self.mapping = match (self.items.is_empty(), over.items.is_empty()) {
            (true, _) => over.mapping,
            (false, true) => self.mapping,
            (false, false) => false,
        };
        extend_once(&mut self.items, over.items);
    }
}

impl Limit {
    /// This one laid over another: mappings are joined.
    fn over(self, below: Option<Self>) -> Self {
        match (self, below) {
            (Self::Both(soft, hard), Some(Self::Both(below_soft, below_hard))) => {
                Self::Both(soft.or(below_soft), hard.or(below_hard))
            }
            _ => self,
        }
    }

    /// As the compose command hands it on: a lone number that is not above 0 becomes 0
    /// (`toBakeUlimits`; tried with compose 2.40).
    fn text(self, name: &str) -> String {
        match self {
            Self::Single(n) => format!("{name}={}", n.max(0)),
            Self::Both(soft, hard) => {
                format!("{name}={}:{}", soft.unwrap_or(0), hard.unwrap_or(0))
            }
        }
    }
}

fn extend_once(list: &mut Vec<String>, more: Vec<String>) {
    for item in more {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}
