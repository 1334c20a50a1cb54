//! Attributes of a target that are flags of the builder: hosts, limits and what is no cache.
//!
//! Goes in: a block, or two targets of which one is laid over the other. Comes out: what they say
//! together. Cost: one bounded evaluation an attribute. Invariant: the rules are those of
//! `Target.Merge` in buildx: hosts are joined by name, lists grow, a null says nothing.

use super::evaluate::{Evaluator, Layer, Value, truth};
use super::pairs;
use crate::plan::RunFlags;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    hosts: BTreeMap<String, String>,
    ulimits: Vec<String>,
    no_cache: Option<bool>,
    no_cache_filter: Vec<String>,
}

impl Flags {
    /// What one block says, or what makes the target unknown.
    pub(super) fn of(layer: &Layer, evaluator: &mut Evaluator<'_>) -> Result<Self, String> {
        let attribute = |name: &str| layer.attributes.get(name);
        let mut out = Self::default();
        if let Some(hosts) = attribute("extra-hosts") {
            let depends = |reason| format!("its extra-hosts depend on {reason}");
            for (name, value) in pairs(hosts, &layer.scope, evaluator).map_err(depends)? {
                out.hosts.insert(name, value.map_err(depends)?);
            }
        }
        for (name, list) in [
            ("ulimits", &mut out.ulimits),
            ("no-cache-filter", &mut out.no_cache_filter),
        ] {
            if let Some(items) = attribute(name) {
                let items = evaluator.texts(&layer.scope, items);
                *list = items.map_err(|reason| format!("its {name} depends on {reason}"))?;
            }
        }
        if let Some(expression) = attribute("no-cache") {
            let depends = |reason| format!("its no-cache depends on {reason}");
            let value = evaluator.value_in(&layer.scope, expression);
            out.no_cache = match value.map_err(depends)? {
                Value::Null => None,
                value => Some(truth(&value).ok_or("its no-cache is neither true nor false")?),
            };
        }
        Ok(out)
    }

    pub(super) fn merge(&mut self, over: Self) {
        self.hosts.extend(over.hosts);
        self.ulimits.extend(over.ulimits);
        self.no_cache = over.no_cache.or(self.no_cache);
        self.no_cache_filter.extend(over.no_cache_filter);
    }

    /// All texts, for a budget.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        let lists = self.ulimits.iter().chain(&self.no_cache_filter);
        self.hosts.keys().chain(self.hosts.values()).chain(lists)
    }

    /// What the builder is told: hosts by name, with one entry an address (`toBuildkitExtraHosts`);
    /// of equal limits the first one stays (`removeDupesStr`), which decides where limits of one type
    /// differ.
    pub(super) fn run(&self, network: Option<String>, shm_size: Option<String>) -> RunFlags {
        let mut ulimits: Vec<String> = Vec::new();
        for limit in &self.ulimits {
            if !ulimits.contains(limit) {
                ulimits.push(limit.clone());
            }
        }
        let hosts = self.hosts.iter().flat_map(|(name, addresses)| {
            let one = move |address| format!("{name}={address}");
            addresses.split(',').map(one)
        });
        RunFlags {
            network: network.unwrap_or_default(),
            hosts: hosts.collect(),
            shm_size,
            ulimits,
        }
    }

    /// Stages that run whatever is stored; `no-cache` is all of them, and wins.
    pub(super) fn stages_without_cache(&self) -> Option<Vec<String>> {
        if self.no_cache == Some(true) {
            return Some(Vec::new());
        }
        // The builder is handed them with commas between them.
        let names = self.no_cache_filter.iter().flat_map(|n| n.split(','));
        let mut out: Vec<String> = Vec::new();
        for name in names {
            if !out.iter().any(|n| n == name) {
                out.push(name.to_owned());
            }
        }
        (!out.is_empty()).then_some(out)
    }
}
