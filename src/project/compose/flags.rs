//! Keys of `build:` that are flags of the builder: hosts, limits and what is no cache.
//!
//! Goes in: their values as written. Comes out: what a service keeps of them. Costs nothing to speak of.
//! Invariant: what the compose command refuses makes the service at hand unknown, and no other.

use super::model::Reader;
use super::service::{Hosts, Limit};
use super::yaml::Node;
use std::collections::BTreeMap;

impl Reader<'_> {
    /// A list of `NAME=IP` or `NAME:IP`, or a mapping to an address or several (`HostsList` of
    /// compose-go). Keys of mappings are not interpolated.
    pub(super) fn hosts(&mut self, node: Option<&Node>) -> Hosts {
        let Some(Node::Map(entries)) = node else {
            return Hosts {
                items: self.texts(node, "extra_hosts"),
                mapping: false,
            };
        };
        let mut items = Vec::new();
        for entry in entries {
            let addresses = self.texts(Some(&entry.value), "extra_hosts");
            items.extend(addresses.iter().map(|a| format!("{}={a}", entry.key)));
        }
        items.sort_by(|a, b| a.split('=').next().cmp(&b.split('=').next()));
        Hosts {
            items,
            mapping: true,
        }
    }

    /// Limits by type, each a number or a soft and a hard one.
    pub(super) fn limits(&mut self, node: Option<&Node>) -> BTreeMap<String, Limit> {
        match node {
            None | Some(Node::Map(_)) => {}
            Some(_) => self.refuse("its ulimits are not a mapping"),
        }
        let entries = node.map_or(&[][..], Node::entries);
        let mut out = BTreeMap::new();
        for entry in entries {
            let limit = match &entry.value {
                value @ Node::Map(_) => Some(Limit::Both(
                    self.number(value.get("soft")),
                    self.number(value.get("hard")),
                )),
                value => self.number(Some(value)).map(Limit::Single),
            };
            if let Some(limit) = limit {
                out.insert(entry.key.clone(), limit);
            }
        }
        out
    }

    fn number(&mut self, node: Option<&Node>) -> Option<i64> {
        // Empty where nothing here sets the variable.
        let text = self.text(node, "ulimits").filter(|text| !text.is_empty())?;
        let number = text.parse().ok();
        if number.is_none() {
            self.refuse("its ulimits hold something else than whole numbers");
        }
        number
    }

    /// Words as `toBoolean` of compose-go takes them.
    pub(super) fn truth(&mut self, node: Option<&Node>, what: &str) -> Option<bool> {
        let text = self.text(node, what)?;
        match text.to_lowercase().as_str() {
            "true" | "1" | "t" | "y" | "yes" | "on" => Some(true),
            "false" | "0" | "f" | "n" | "no" | "off" => Some(false),
            // A variable that nothing here sets.
            "" => None,
            _ => {
                self.refuse(&format!("its {what} is neither true nor false"));
                None
            }
        }
    }
}
