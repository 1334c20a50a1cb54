//! All rules, family by family.

use super::{
    Rule, base, buildkit, contexts, downloads, layers, order, packages, readability, repository,
    services, toolchain, workflows,
};

/// Families in the order of `docs/rules/README.md`: a name, and the rules.
pub static FAMILIES: &[(&str, &[&Rule])] = &[
    ("base image", base::RULES),
    ("package managers", packages::RULES),
    ("layers", layers::RULES),
    ("downloads and runtime data", downloads::RULES),
    ("build context", contexts::RULES),
    ("services", services::RULES),
    ("repository", repository::RULES),
    ("readability", readability::RULES),
    ("build tools", toolchain::RULES),
    ("order and volatility", order::RULES),
    ("cache settings in workflows", workflows::RULES),
    ("the builder's own checks", buildkit::RULES),
];

/// Every rule.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|(_, rules)| rules.iter().copied())
}

/// The rule of this name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    all().find(|r| r.name == name)
}

/// The rules that another tool's code stands for, or the one of this name.
pub fn known_as(name: &str) -> impl Iterator<Item = &'static Rule> {
    all().filter(move |r| r.name == name || r.also.contains(&name))
}
