//! RUNs of which it can be told what they leave from the files they start with, without running them.
//!
//! Goes in: a script and what is known of its commands. Comes out: an [`Outcome`]. Invariant: nothing is said of a RUN that
//! does anything beside; and of tools only what their own documentation says they depend on (`docs/model.md`).

mod finds;

use super::{Footprint, RunState, Use};

pub use finds::{Action, Pruning, Test, What};

/// What a RUN leaves, where that follows from files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It only takes files away or empties them, and by rules that are known.
    Less(Vec<Pruning>),
    /// It writes one file, and beside that nothing that matters.
    File(Derived),
}

/// A file that depends on the content of some files and the names of some others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Derived {
    /// The command, for people.
    pub tool: &'static str,
    /// The file, absolute.
    pub output: String,
    /// The last parts of the paths of the files, in whatever folder, whose content counts.
    pub content: &'static [&'static str],
    /// Ends of the names of files of which only the place counts.
    pub names: &'static [&'static str],
    /// Files that have to be there: without them it asks somebody else, absolute.
    pub requires: Vec<String>,
}

impl Derived {
    /// Whether the last part of a path is that of a file that counts, or of a folder with such files.
    #[must_use]
    pub fn may_be(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
        let part = |c: &&str| c.split('/').any(|part| part.as_bytes() == name);
        let end = |end: &&str| name.ends_with(end.as_bytes());
        self.content.iter().any(part) || self.names.iter().any(end)
    }
}

/// What a shell-form RUN leaves; the footprint is that of the script.
#[must_use]
pub(super) fn of_script(script: &str, state: &RunState, footprint: &Footprint) -> Option<Outcome> {
    if footprint.opaque.is_some() || footprint.varies {
        return None;
    }
    let known = |c: &String| matches!(c.as_str(), "find" | "rm" | "rmdir" | "truncate");
    if footprint.commands.iter().all(known) {
        return less(finds::prunings(script, state.cwd.as_deref()?)?, state);
    }
    of_program(footprint)
}

/// What an exec-form RUN leaves; the footprint is that of its program.
#[must_use]
pub(super) fn of_exec(argv: &[String], state: &RunState, footprint: &Footprint) -> Option<Outcome> {
    if footprint.opaque.is_none() && argv.first().is_some_and(|p| p == "find") {
        return less(finds::pruning(argv, state.cwd.as_deref()?)?, state);
    }
    of_program(footprint)
}

fn less(prunings: Vec<Pruning>, state: &RunState) -> Option<Outcome> {
    // The base image's user is taken for root.
    let user = state.user.as_deref().and_then(|u| u.split(':').next());
    let is_root = user.is_none_or(|u| matches!(u, "" | "root" | "0"));
    (is_root || finds::suit_any_user(&prunings)).then_some(Outcome::Less(prunings))
}

/// What a RUN of one program leaves.
fn of_program(footprint: &Footprint) -> Option<Outcome> {
    let ([_], [only]) = (footprint.commands.as_slice(), footprint.uses.as_slice()) else {
        return None;
    };
    if footprint.opaque.is_some() || footprint.varies {
        return None;
    }
    recipe(only).map(Outcome::File)
}

/// `cargo chef prepare`: all manifests, the lock file, the settings, and which sources there are, but not what they
/// say (cargo-chef 0.1, its `skeleton` module). Without a lock file cargo asks the registry.
fn recipe(used: &Use) -> Option<Derived> {
    let arguments: Vec<&str> = used
        .arguments
        .as_ref()?
        .iter()
        .map(String::as_str)
        .collect();
    let dir = used.dir.as_deref()?;
    let output = match (used.tool.as_str(), arguments.as_slice()) {
        ("cargo", ["chef", "prepare"]) => "recipe.json",
        ("cargo", ["chef", "prepare", "--recipe-path", path]) => path,
        ("cargo", ["chef", "prepare", option]) => option.strip_prefix("--recipe-path=")?,
        _ => return None,
    };
    let at = |name: &str| match name.strip_prefix('/') {
        Some(rest) => crate::pattern::clean(&format!("/{rest}")),
        None => crate::pattern::clean(&format!("{dir}/{name}")),
    };
    Some(Derived {
        tool: "cargo chef prepare",
        output: at(output),
        content: &[
            "Cargo.toml",
            "Cargo.lock",
            ".cargo/config",
            ".cargo/config.toml",
            "rust-toolchain",
            "rust-toolchain.toml",
        ],
        names: &[".rs"],
        requires: vec![at("Cargo.toml"), at("Cargo.lock")],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::footprint::{RunState, of_script};

    fn outcome(script: &str) -> Option<Outcome> {
        let state = RunState {
            cwd: Some("/app".to_owned()),
            ..RunState::default()
        };
        of_script(script, &state).outcome
    }

    #[test]
    fn a_recipe_is_made_of_manifests() {
        let of = |script: &str| match outcome(script) {
            Some(Outcome::File(d)) => d.output,
            _ => String::new(),
        };
        assert_eq!(of("cargo chef prepare"), "/app/recipe.json");
        assert_eq!(of("cargo chef prepare --recipe-path r.json"), "/app/r.json");
        assert_eq!(
            of("cargo chef prepare --recipe-path=/tmp/r.json"),
            "/tmp/r.json"
        );
        for other in [
            "cargo chef prepare --bin x",
            "cargo chef prepare && echo a > Cargo.toml",
            "cargo +nightly chef prepare",
            "cargo chef cook",
            "cargo chef prepare --recipe-path $X",
            "cd sub && cargo chef prepare; date > recipe.json",
        ] {
            assert_eq!(of(other), "", "{other}");
        }
    }
}
