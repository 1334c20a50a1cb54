//! The images that stages start from.

mod digest;
mod tag;
mod variant;

use super::Rule;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[&tag::RULE, &digest::RULE, &variant::RULE];

/// Whether an image comes from a registry on this very machine: the build before it put it there.
fn is_local(reference: &str) -> bool {
    let host = reference.split(['/', ':']).next().unwrap_or(reference);
    matches!(host, "localhost" | "127.0.0.1") && reference.contains('/')
}
