//! cargo: its registry and what it took from git. Folders of objects are left alone: cargo tells by times what is new.

use super::{Caller, Kept, downloads, join};

/// Images with `CARGO_HOME=/usr/local/cargo`.
const RUST: &[&str] = &[
    "docker.io/library/rust",
    "docker.io/rustlang/rust",
    "docker.io/lukemathwalker/cargo-chef",
];

/// Images of distributions, which set no variable of cargo.
const PLAIN: &[&str] = &["alpine", "debian", "ubuntu", "fedora", "buildpack-deps"];

/// `registry` and `git` of CARGO_HOME; programs that it installs are beside them.
pub(super) fn cargo(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let fetches = match call.command() {
        "build" | "b" | "test" | "check" | "run" | "rustc" | "fetch" | "install" | "clippy"
        | "doc" => true,
        "chef" => call.operands().any(|o| o == "cook"),
        _ => false,
    };
    fetches.then(|| find(call))
}

fn find(call: &Caller<'_>) -> Result<Kept, String> {
    call.online(&["--offline", "--frozen"])?;
    call.unset(&["CARGO_NET_OFFLINE"])?;
    let home = match call.folder_of(&["CARGO_HOME"])? {
        Some(home) => home,
        None if RUST.contains(&call.image) => "/usr/local/cargo".to_owned(),
        None => {
            let distribution = call.image.strip_prefix("docker.io/library/");
            if !distribution.is_some_and(|d| PLAIN.contains(&d)) {
                return Err(format!("CARGO_HOME of {} is not known", call.image));
            }
            join(&call.home()?, ".cargo")
        }
    };
    Ok(Kept {
        tool: "cargo",
        folders: vec![
            downloads(join(&home, "registry")),
            downloads(join(&home, "git")),
        ],
        // Its lock lies in CARGO_HOME itself: of two at a time one fails (cargo 1.95).
        locked: true,
        later: true,
        ..Kept::default()
    })
}
