//! What yarn, pnpm, bun and corepack have in common: Node's settings, and packages with scripts.

use super::super::Extent;
use super::super::argument::Argument;
use super::{Call, Described, npm};

/// Entries of the home directory that belong to them.
#[rustfmt::skip]
pub(super) const HOME: &[&str] = &[
    ".bun", ".bunfig.toml", ".node-gyp", ".npm", ".npmrc", ".pnpm-state", ".pnpm-store", ".yarn",
    ".yarnrc", ".yarnrc.yml",
];

#[rustfmt::skip]
const COREPACK: &[&str] = &[
    "COREPACK_DEFAULT_TO_LATEST", "COREPACK_ENABLE_AUTO_PIN", "COREPACK_ENABLE_DOWNLOAD_PROMPT",
    "COREPACK_ENABLE_NETWORK", "COREPACK_ENABLE_PROJECT_SPEC", "COREPACK_ENABLE_STRICT",
    "COREPACK_HOME", "COREPACK_INTEGRITY_KEYS", "COREPACK_NPM_REGISTRY", "COREPACK_VERSION",
];

/// Whether options for Node only tune it.
fn only_tunes(options: &str) -> bool {
    let tunes = [
        "--max-old-space-size",
        "--max_old_space_size",
        "--openssl-legacy-provider",
        "--no-warnings",
        "--dns-result-order",
        "--no-deprecation",
        "--max-semi-space-size",
        "--max-http-header-size",
        "--enable-source-maps",
    ];
    options
        .split_whitespace()
        .all(|o| tunes.iter().any(|t| o.starts_with(t)))
}

/// What any of them touches beside a project.
pub(super) fn own_files(call: &mut Call<'_>) -> Described {
    call.refuse(npm::is_setting)?;
    call.refuse(|n| n.starts_with("COREPACK_") && !COREPACK.contains(&n))?;
    call.refuse(|n| matches!(n, "NODE_PATH" | "NODE_REPL_EXTERNAL_MODULE"))?;
    if let Some(options) = call.setting("NODE_OPTIONS")?
        && !only_tunes(&options)
    {
        return Err("NODE_OPTIONS is set".to_string());
    }
    call.tool(HOME)?;
    let name = call.name;
    call.claims.assume(format!(
        "{name} keeps its own files below the home directory or where its variables say"
    ));
    call.moved(&["COREPACK_HOME", "PNPM_HOME", "BUN_INSTALL", "NVM_DIR"])
}

/// Global installs: beside Node, or below the tool's own directory.
pub(super) fn installs_globally(call: &mut Call<'_>) -> Described {
    own_files(call)?;
    call.claims.network = true;
    call.claims
        .write_all(&["/opt", "/usr/bin", "/usr/lib", "/usr/local", "/usr/share"]);
    for root in call.roots()? {
        call.claims.write(Extent::Subtree, root);
    }
    let name = call.name;
    call.claims.assume(format!(
        "{name}'s global packages and their scripts write only to /usr, /opt, /tmp, the home directory \
         and the directories of PATH"
    ));
    Ok(())
}

/// A script of the project, or a program of one of its packages, that builds it: it may look at anything of the project,
/// and which part that is the project says.
pub(super) fn builds(call: &mut Call<'_>, directory: &str, reason: &str) -> Described {
    own_files(call)?;
    call.claims.network = true;
    call.claims.any_variable = true;
    call.keep_in_tree(directory);
    let name = call.name;
    call.claims.assume(format!(
        "what {name} runs touches only the project, /tmp and the tools' own directories"
    ));
    call.claims
        .builds
        .get_or_insert_with(|| format!("{name}: {reason}"));
    Ok(())
}

/// The first words of a command line that are no options, where `valued` are the options with a value of their own.
pub(super) fn operands<'a>(call: &Call<'a>, valued: &[&str]) -> Vec<&'a str> {
    const MOST: usize = 3;
    let mut out = Vec::new();
    let mut words = call.arguments.iter().map(Argument::start);
    while let Some(word) = words.next().filter(|_| out.len() < MOST) {
        match word {
            _ if valued.contains(&word) => drop(words.next()),
            _ if word.starts_with('-') => {}
            _ => out.push(word),
        }
    }
    out
}

/// A script of the project by its name, with the options of a package manager that name a folder.
pub(super) fn runs_script(call: &mut Call<'_>, name: &str, folders: &[&str]) -> Described {
    let directory = call.directory()?.to_string();
    let mut words = call.arguments.iter();
    while let Some(word) = words.next() {
        let text = word.start();
        let value = match text.split_once('=') {
            Some((option, value)) if folders.contains(&option) => Some(value),
            None if folders.contains(&text) => words.next().map(Argument::start),
            _ => None,
        };
        if let Some(value) = value {
            let place = call.resolve(value)?;
            call.keep_in_tree(&place);
        }
    }
    builds(
        call,
        &directory,
        &format!("what `{name}` does is not known"),
    )
}

/// What a package manager's install says and looks at.
pub(super) struct Project<'a> {
    /// Files it reads in its directory and in those above it.
    pub(super) files: &'a [&'a str],
    /// Directories it reads and writes in its directory and in those above it.
    pub(super) own: &'a [&'a str],
    /// Files it may write.
    pub(super) locks: &'a [&'a str],
    /// Manifests are looked at: they may name workspaces and local packages, and have scripts.
    pub(super) manifests: bool,
}

/// An install into the project.
pub(super) fn installs(call: &mut Call<'_>, directory: &str, project: &Project<'_>) -> Described {
    own_files(call)?;
    call.claims.network = true;
    call.read_upwards(directory, &["package.json", ".npmrc"]);
    call.read_upwards(directory, project.files);
    for name in project.own.iter().chain(&["patches"]) {
        // Those below the root are written.
        call.claims.read(Extent::Subtree, format!("/{name}"));
        let top = directory.trim_end_matches('/');
        call.claims.read(Extent::Subtree, format!("{top}/{name}"));
    }
    call.write_upwards(directory, project.own, Extent::Subtree);
    call.write_upwards(directory, project.locks, Extent::Exact);
    let name = call.name;
    if project.manifests {
        call.keep_in_tree(directory);
        call.claims.assume(format!(
            "{name} and the scripts of the project and its dependencies touch only the project, /tmp and \
             {name}'s own directories"
        ));
    } else {
        call.claims.assume(format!(
            "{name} reads only {} of {directory} and the directories above it",
            project.files.join(", ")
        ));
    }
    Ok(())
}

/// Refuses packages that may be local.
pub(super) fn only_remote(packages: &[&str]) -> Described {
    let local = |package: &&&str| {
        let scoped = package.starts_with('@');
        package.is_empty()
            || package.starts_with(['.', '/', '~'])
            || (package.contains('/') && !scoped && !package.contains("://"))
            || ["file:", "link:", "portal:", "workspace:"]
                .iter()
                .any(|p| package.contains(p))
            || package.ends_with(".tgz")
            || package.contains(".tar")
    };
    match packages.iter().find(local) {
        Some(package) => Err(format!("it may install the local package {package}")),
        None => Ok(()),
    }
}
