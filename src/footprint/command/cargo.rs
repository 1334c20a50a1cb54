//! cargo, cargo-chef and rustup. Build scripts and macros run code of the project and its dependencies;
//! the sentence that they stay in their places is an assumption. `cargo run` and `cargo test` run more
//! than that and are not described.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common};

#[rustfmt::skip]
const CARGO: Spec = Spec {
    letters: "vqrhfn",
    letters_with_value: "pFj",
    names: &[
        "all", "all-features", "all-targets", "benches", "bins", "bin", "debug", "examples",
        "force", "frozen", "future-incompat-report", "ignore-rust-version", "keep-going", "lib",
        "locked", "no-default-features", "no-deps", "no-track", "offline", "quiet", "release",
        "tests", "timings", "verbose", "workspace", "aggressive", "respect-source-config",
        "versioned-dirs", "no-build", "check", "recompile",
    ],
    names_with_value: &[
        "artifact-dir", "branch", "color", "edition", "example", "exclude", "features", "git",
        "index", "jobs", "manifest-path", "message-format", "name", "out-dir", "package", "path",
        "profile", "recipe-path", "registry", "rev", "root", "tag", "target", "target-dir", "vcs",
        "version", "precise",
    ],
};

#[rustfmt::skip]
const RUSTUP: Spec = Spec {
    letters: "yqv",
    letters_with_value: "tcp",
    names: &[
        "no-self-update", "force", "allow-downgrade", "quiet", "verbose", "installed",
    ],
    names_with_value: &["toolchain", "component", "target", "profile"],
};

/// Settings that name directories.
#[rustfmt::skip]
const PLACES: &[&str] = &[
    "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR",
    "CARGO_INSTALL_ROOT", "RUSTUP_HOME",
];

/// What cargo writes of a workspace.
const LOCK: &[&str] = &["Cargo.lock"];

fn is_unclear(name: &str) -> bool {
    let harmless = [
        "CARGO_BUILD_JOBS",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_INCREMENTAL",
        "CARGO_CACHE_",
        "CARGO_CHEF_VERSION",
        "CARGO_HTTP_",
        "CARGO_INCREMENTAL",
        "CARGO_NET_",
        "CARGO_PROFILE_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_TERM_",
        "CARGO_UNSTABLE_",
        "CARGO_VERSION",
    ];
    let linker = name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER");
    let cargo = name.starts_with("CARGO_")
        && !PLACES.contains(&name)
        && !linker
        && !harmless.iter().any(|h| name.starts_with(h));
    cargo
        || matches!(
            name,
            "RUSTC"
                | "RUSTC_WRAPPER"
                | "RUSTC_WORKSPACE_WRAPPER"
                | "RUSTDOC"
                | "OUT_DIR"
                | "RUSTUP_TOOLCHAIN_PATH"
                | "RUSTC_LOG"
                | "RUSTC_BOOTSTRAP_PATH"
                | "SCCACHE_DIR"
        )
}

/// Describes cargo.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let mut arguments = call.arguments;
    if let [toolchain, rest @ ..] = arguments
        && toolchain
            .known()
            .is_some_and(|t| t.starts_with('+') && !t.contains('/'))
    {
        arguments = rest;
    }
    if matches!(arguments, [a] if matches!(a.known(), Some("--version" | "-V" | "--help" | "-h"))) {
        // rustup's stand-in may fetch the toolchain that the project names.
        settings(call)?;
        return own_files(call);
    }
    let parsed = parse(arguments, &CARGO)?;
    let listed = ["bin", "timings"];
    let flags: Vec<&str> = CARGO
        .names
        .iter()
        .copied()
        .filter(|n| !listed.contains(n))
        .collect();
    common::no_values(&parsed, &flags)?;
    settings(call)?;
    let texts = common::texts(&parsed.operands)?;
    // `--bin name` takes a value, `--bin` of `cargo new` takes none.
    let operands = texts.get(1..).unwrap_or_default();
    let bins = parsed
        .options
        .iter()
        .filter(|(n, v)| n == "bin" && v.is_none())
        .count();
    let none = operands.len() == bins;
    match texts.first().copied() {
        Some("build" | "b" | "check" | "c" | "clippy" | "doc" | "rustc") if none => {
            build(call, &parsed)
        }
        Some("fetch") if none => {
            project(call, &parsed)?;
            sources(call, &parsed)
        }
        Some("generate-lockfile" | "update") => {
            project(call, &parsed)?;
            sources(call, &parsed)?;
            let directory = manifest_directory(call, &parsed)?;
            call.write_upwards(&directory, LOCK, Extent::Exact);
            Ok(())
        }
        Some("vendor") if operands.len() < 2 => {
            project(call, &parsed)?;
            sources(call, &parsed)?;
            call.keep_in(operands.first().unwrap_or(&"vendor"))
        }
        Some("install") => install(call, &parsed, operands),
        Some("chef") => chef(call, &parsed, operands),
        Some("new" | "init") if operands.len() < 2 => {
            project(call, &parsed)?;
            let directory = call.directory()?.to_string();
            call.keep_in(operands.first().unwrap_or(&"."))?;
            // A new member of a workspace is noted in it.
            call.write_upwards(&directory, &["Cargo.toml"], Extent::Exact);
            Ok(())
        }
        Some("clean") if none => {
            let directory = project(call, &parsed)?;
            call.write_upwards(&directory, &["target"], Extent::Subtree);
            call.keep_in_values(&parsed, &["target-dir"])
        }
        Some(sub) => Err(format!("what `{sub}` does is not known")),
        None => Err("the subcommand is not known".to_string()),
    }
}

fn settings(call: &mut Call<'_>) -> Described {
    call.refuse(is_unclear)?;
    let flags = |n: &str| n == "RUSTFLAGS" || n == "RUSTDOCFLAGS" || n.starts_with("CARGO_TARGET_");
    let names: Vec<String> = call
        .shell
        .variables
        .keys()
        .filter(|n| flags(n))
        .cloned()
        .collect();
    for name in names.iter().filter(|n| *n != "CARGO_TARGET_DIR") {
        // Flags and linkers by name alone.
        if call
            .setting(name)?
            .is_some_and(|v| v.contains('/') || v.contains('@'))
        {
            return Err(format!("{name} names a file"));
        }
    }
    Ok(())
}

/// Toolchains, registries and settings.
fn own_files(call: &mut Call<'_>) -> Described {
    call.claims.network = true;
    call.tool(&[".cargo", ".rustup"])?;
    call.moved(PLACES)?;
    call.keep_in("/usr/local/cargo")?;
    call.keep_in("/usr/local/rustup")?;
    let directory = call.directory()?.to_string();
    call.read_upwards(
        &directory,
        &[
            "rust-toolchain",
            "rust-toolchain.toml",
            ".cargo/config",
            ".cargo/config.toml",
        ],
    );
    call.claims.assume(
        "cargo and rustup keep their files in CARGO_HOME, RUSTUP_HOME, the home directory, /usr/local/cargo \
         or /usr/local/rustup, and no configuration file moves them or the target directory",
    );
    Ok(())
}

fn manifest_directory(call: &Call<'_>, parsed: &Parsed) -> Result<String, String> {
    match parsed.values(&["manifest-path"]).last() {
        None => Ok(call.directory()?.to_string()),
        Some(path) => {
            let text = path.known().ok_or("the manifest is not known")?;
            let manifest = call.resolve(text)?;
            let above = manifest.rsplit_once('/').map_or("", |(d, _)| d);
            Ok(if above.is_empty() { "/" } else { above }.to_string())
        }
    }
}

/// What every command that looks at the project reads.
fn project(call: &mut Call<'_>, parsed: &Parsed) -> Result<String, String> {
    own_files(call)?;
    let directory = manifest_directory(call, parsed)?;
    call.read_upwards(&directory, &["Cargo.toml", "Cargo.lock"]);
    Ok(directory)
}

/// All members of the workspace: manifests say which targets there are by the files that are there.
fn sources(call: &mut Call<'_>, parsed: &Parsed) -> Described {
    let directory = manifest_directory(call, parsed)?;
    call.read_tree(&directory);
    if !parsed.has(&["locked", "frozen"]) {
        call.write_upwards(&directory, LOCK, Extent::Exact);
    }
    call.claims.assume(format!(
        "no manifest of cargo names a directory outside {}",
        common::top_of(&directory)
    ));
    Ok(())
}

fn assume_build_scripts(call: &mut Call<'_>) {
    call.claims.assume(
        "build scripts and macros of the project and its dependencies read only the system, the project and \
         CARGO_HOME, and write only to the target directory, CARGO_HOME and /tmp",
    );
}

fn build(call: &mut Call<'_>, parsed: &Parsed) -> Described {
    let directory = project(call, parsed)?;
    sources(call, parsed)?;
    // The target directory is at the top of the workspace.
    call.write_upwards(&directory, &["target"], Extent::Subtree);
    call.keep_in_values(parsed, &["target-dir", "out-dir", "artifact-dir"])?;
    assume_build_scripts(call);
    Ok(())
}

fn install(call: &mut Call<'_>, parsed: &Parsed, crates: &[&str]) -> Described {
    own_files(call)?;
    for path in parsed.values(&["path"]).cloned().collect::<Vec<Argument>>() {
        let text = path.known().ok_or("a path is not known")?.to_string();
        let directory = call.resolve(&text)?;
        call.read_tree(&directory);
        call.read_upwards(
            &directory,
            &["Cargo.toml", "Cargo.lock", ".cargo/config.toml"],
        );
        call.write_upwards(&directory, &["target"], Extent::Subtree);
        call.write_upwards(&directory, LOCK, Extent::Exact);
    }
    let local = |c: &&str| c.starts_with(['.', '/']);
    if crates.iter().any(local) || (crates.is_empty() && !parsed.has(&["path", "git"])) {
        return Err("what it installs is not known".to_string());
    }
    for url in parsed.values(&["git"]) {
        if !url.start().contains("://") || url.start().starts_with("file:") {
            return Err("it may install from a local repository".to_string());
        }
    }
    call.keep_in_values(parsed, &["root", "target-dir"])?;
    assume_build_scripts(call);
    Ok(())
}

fn chef(call: &mut Call<'_>, parsed: &Parsed, operands: &[&str]) -> Described {
    let recipe = parsed.values(&["recipe-path"]).last().cloned();
    let recipe = recipe.unwrap_or_else(|| Argument::Known("recipe.json".to_string()));
    match operands.first() {
        Some(&"prepare") => {
            project(call, parsed)?;
            sources(call, parsed)?;
            call.write(&recipe, Extent::Exact)
        }
        Some(&"cook") => {
            call.read(&recipe, Extent::Exact)?;
            let directory = project(call, parsed)?;
            // It lays out manifests and empty sources, and builds what they depend on.
            call.claims.read(Extent::Subtree, directory.clone());
            call.claims.write(Extent::Subtree, directory.clone());
            call.write_upwards(&directory, &["target"], Extent::Subtree);
            call.keep_in_values(parsed, &["target-dir"])?;
            assume_build_scripts(call);
            Ok(())
        }
        _ => Err("what `chef` does is not known".to_string()),
    }
}

/// Describes rustup.
pub(super) fn rustup(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let parsed = parse(call.arguments, &RUSTUP)?;
    let texts = common::texts(&parsed.operands)?;
    let remote = texts.iter().all(|t| !t.contains('/'));
    match texts.as_slice() {
        ["target" | "component", "add" | "remove" | "list", ..]
        | ["toolchain", "install" | "add" | "uninstall" | "list", ..]
        | ["default" | "update" | "show" | "install", ..]
        | ["set", "profile" | "auto-self-update", _]
            if remote =>
        {
            settings(call)?;
            own_files(call)
        }
        _ => Err(format!("what `{}` does is not known", texts.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    const OWN: &str = "/root/** /usr/local/cargo/** /usr/local/rustup/** tmp";

    #[rustfmt::skip]
    const LINES: &[(&str, &str, &str)] = &[
        ("cargo build --release --locked", "net /app/** /Cargo.toml /root/** /.cargo/config.toml", " /app/target/**"),
        ("cargo +nightly build --release --bin server --features x,y -p web", "net /app/**", " /app/Cargo.lock /app/target/**"),
        ("cargo build --release --target x86_64-unknown-linux-musl --target-dir /t", "net /app/** /t/**", " /app/Cargo.lock /app/target/** /t/**"),
        ("cd a && cargo build --frozen", "net /app/**", " /app/a/target/** /app/target/**"),
        ("cargo build --locked --manifest-path /src/x/Cargo.toml", "net /src/**", " /src/target/** /src/x/target/**"),
        ("CARGO_HOME=/c CARGO_TARGET_DIR=/t cargo build --locked", "net /c/** /t/**", " /app/target/** /c/** /t/**"),
        ("cargo fetch --locked", "net /app/**", ""),
        ("cargo vendor", "net /app/**", " /app/Cargo.lock /app/vendor/**"),
        ("cargo install cargo-chef --locked --version ^0.1", "net", ""),
        ("cargo install --path . --root /out", "net /app/**", " /app/Cargo.lock /app/target/** /out/**"),
        ("cargo install --git https://e.org/x --tag v1 x", "net", ""),
        ("cargo chef prepare --recipe-path recipe.json", "net /app/**", " /app/Cargo.lock /app/recipe.json"),
        ("cargo chef cook --release --recipe-path /r.json", "net /r.json /app/Cargo.toml", " /app/**"),
        ("USER=root cargo new --bin dummy", "net", " /app/Cargo.toml /app/dummy/**"),
        ("cargo clean", "net /app/Cargo.toml", " /app/target/**"),
        ("rustup target add x86_64-unknown-linux-musl", "net /app/rust-toolchain.toml", ""),
        ("rustup toolchain install nightly --profile minimal -c clippy", "net", ""),
        ("rustup default stable", "net", ""),
    ];

    #[rustfmt::skip]
    const OTHERS: &[Line] = &[
        ("cargo --version", "", "net /app/rust-toolchain.toml", "/root/** /usr/local/cargo/** /usr/local/rustup/** tmp"),
        ("cargo test", "`test`", "", ""),
        ("cargo run --release", "`run`", "", ""),
        ("cargo build --config x", "option --config", "", ""),
        ("cargo build -Z build-std", "option -Z", "", ""),
        ("cargo build $FLAGS", "argument $", "", ""),
        ("cargo build --target-dir $X", "a directory is not known", "", ""),
        ("cargo install ./x", "what it installs", "", ""),
        ("cargo install --git ../x y", "local repository", "", ""),
        ("cargo rustc -- -C linker=/x", "`rustc`", "", ""),
        ("RUSTC_WRAPPER=sccache cargo build", "RUSTC_WRAPPER is set", "", ""),
        ("RUSTFLAGS='-C linker=/x/ld' cargo build", "RUSTFLAGS names a file", "", ""),
        ("CARGO_BUILD_RUSTC=/x cargo build", "CARGO_BUILD_RUSTC is set", "", ""),
        ("CARGO_HOME=$NOPE cargo build", "CARGO_HOME is not known", "", ""),
        ("rustup self update", "`self update`", "", ""),
        ("rustup toolchain link x /y", "`toolchain link", "", ""),
    ];

    #[test]
    fn cargo_has_its_footprints() {
        for (script, reads, more) in LINES {
            let writes: &'static str = format!("{OWN}{more}").leak();
            check(&[(script, "", reads, writes)]);
        }
        check(OTHERS);
    }
}
