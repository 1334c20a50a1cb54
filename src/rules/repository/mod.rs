//! The Dockerfile as a file of its repository, and Dockerfiles that repeat each other.

mod generated;
mod ignored;
mod repeated_prefix;
mod untracked;

use super::{ProjectFile, Rule};

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[
    &untracked::RULE,
    &ignored::RULE,
    &generated::RULE,
    &repeated_prefix::RULE,
];

/// Whether the text is a file of its own, and not part of a compose or bake file.
fn is_own_file(path: &str) -> bool {
    let others = [".yml", ".yaml", ".hcl", ".json"];
    !others.iter().any(|e| path.ends_with(e)) && !path.starts_with(['/', '.'])
}

/// The keyword of the first instruction, as the place of findings about the file: comments above it can silence them.
fn first_line(file: &ProjectFile<'_>) -> crate::source::Span {
    let first = file.tree.instructions().first();
    first.map_or_else(Default::default, |i| i.keyword_span())
}
