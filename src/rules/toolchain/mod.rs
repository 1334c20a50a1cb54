//! Compilers and build tools in the image that is shipped.

mod build_tools;
mod compiler_base;
mod jdk_base;

use super::{Rule, View};
use crate::dockerfile::Kind;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[&compiler_base::RULE, &build_tools::RULE, &jdk_base::RULE];

/// Whether the image is one that starts a program: some stage of it has a CMD or an ENTRYPOINT, and nothing says that people work in it.
fn is_shipped(view: &View<'_>) -> bool {
    let stages = view.image_stages();
    let starts = stages.iter().flat_map(|s| view.instructions(*s));
    let starts = starts
        .into_iter()
        .any(|(_, i)| matches!(i.kind(), Kind::Cmd(_) | Kind::Entrypoint(_)));
    let name = stages
        .first()
        .and_then(|s| view.plan.stages[*s].name.clone());
    starts && !at_work(view.path) && !name.is_some_and(|n| at_work(&n))
}

/// Whether a name is that of an image for work on the project: for development, tests, CI.
fn at_work(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "dev",
        "devel",
        "devcontainer",
        "development",
        "test",
        "tests",
        "testing",
        "e2e",
        "ci",
        "build",
        "builder",
        "lint",
        "tools",
        "toolchain",
        "debug",
        "sdk",
        "bench",
        "benchmark",
        "fuzz",
        "cypress",
        "playwright",
        "gitpod",
        "example",
        "examples",
        "docs",
        "hack",
        "script",
        "scripts",
    ];
    let lower = name.to_lowercase();
    lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|w| WORDS.contains(&w))
}
