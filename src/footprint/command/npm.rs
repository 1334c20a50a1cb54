//! npm: installs into `node_modules` of one directory, or globally.
//!
//! Lifecycle scripts of the project are the caller's to look at: it sees `package.json`.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, node};

const NPM: Spec = Spec {
    letters: "gfsqdDSEP",
    letters_with_value: "C",
    names: &[
        "production",
        "no-audit",
        "no-fund",
        "legacy-peer-deps",
        "ignore-scripts",
        "force",
        "silent",
        "prefer-offline",
        "offline",
        "no-optional",
        "no-save",
        "no-package-lock",
        "verbose",
        "unsafe-perm",
        "no-progress",
        "quiet",
        "save-exact",
        "save",
        "save-dev",
        "global",
        "no-update-notifier",
        "no-bin-links",
        "audit",
        "fund",
        "progress",
        "strict-peer-deps",
        "install-links",
        "prefer-online",
        "foreground-scripts",
        "yes",
    ],
    names_with_value: &[
        "omit",
        "only",
        "include",
        "loglevel",
        "cache",
        "registry",
        "prefix",
        "maxsockets",
        "fetch-retries",
        "fetch-timeout",
        "fetch-retry-mintimeout",
        "fetch-retry-maxtimeout",
        "network-timeout",
        "location",
    ],
};

/// Settings by environment that change nothing that counts.
const HARMLESS: &[&str] = &[
    "LOGLEVEL",
    "UPDATE_NOTIFIER",
    "FUND",
    "AUDIT",
    "PROGRESS",
    "PRODUCTION",
    "REGISTRY",
    "OMIT",
    "VERSION",
    "FETCH_RETRIES",
    "FETCH_TIMEOUT",
    "MAXSOCKETS",
    "COLOR",
];

/// Whether a variable is a setting of npm that may change what it touches.
pub(super) fn is_setting(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let setting = upper.strip_prefix("NPM_CONFIG_");
    setting.is_some_and(|s| !HARMLESS.contains(&s))
}

/// Describes npm.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    if matches!(call.arguments, [a] if matches!(a.known(), Some("--version" | "-v"))) {
        return Ok(());
    }
    let valued = [
        "-w",
        "--workspace",
        "-C",
        "--prefix",
        "--loglevel",
        "--cache",
    ];
    if let ["run" | "run-script", name, ..] = node::operands(call, &valued)[..] {
        return node::runs_script(call, name, &["-C", "--prefix", "--cache"]);
    }
    let parsed = parse(call.arguments, &NPM)?;
    // `--omit=dev` and the like may say `=false`; what flips a flag is left alone.
    if parsed
        .options
        .iter()
        .any(|(n, v)| NPM.names.contains(&n.as_str()) && v.is_some())
    {
        return Err("an option has a value".to_string());
    }
    if let Some(name) = call.shell.variables.keys().find(|n| is_setting(n)) {
        return Err(format!("{name} is set"));
    }
    let Some((sub, packages)) = parsed.operands.split_first() else {
        return Err("the subcommand is not known".to_string());
    };
    let global = parsed.has(&["g", "global", "location"]);
    match (sub.known(), packages) {
        (Some("install" | "i" | "add"), [_, ..]) if global => installs_globally(call, packages),
        (Some("cache"), [c]) if c.known() == Some("clean") => {
            let home = call.home()?;
            call.claims.write(Extent::Subtree, cache(&home));
            call.claims
                .assume("npm's cache is .npm in the home directory");
            Ok(())
        }
        (Some("ci" | "clean-install" | "install-clean"), []) if !global => {
            installs(call, &parsed, packages, false)
        }
        (Some("install" | "i" | "add"), _) if !global => installs(call, &parsed, packages, true),
        _ => Err(format!("what `{}` does is not known", sub.shown())),
    }
}

/// npm's own cache; all home directories where the user's is not known exactly.
fn cache(home: &str) -> String {
    if home == "/home" {
        home.to_string()
    } else {
        format!("{home}/.npm")
    }
}

/// Entries of the home directory in which git and ssh keep settings and keys.
const GIT: [&str; 5] = [
    ".config",
    ".git-credentials",
    ".gitconfig",
    ".netrc",
    ".ssh",
];

/// What every npm command reads and writes beside its work.
fn own_files(call: &mut Call<'_>) -> Described {
    let home = call.home()?;
    call.claims.network = true;
    // It fetches from repositories through git, and compiles with node-gyp.
    for entry in GIT.iter().chain(&[".npmrc"]) {
        let own = call.home_entry(entry)?;
        call.claims.read(own.extent, own.path);
    }
    call.claims.write(Extent::Subtree, cache(&home));
    if home != "/home" {
        call.claims.write(Extent::Subtree, format!("{home}/.cache"));
    }
    call.claims.write(Extent::Subtree, "/tmp");
    Ok(())
}

fn check_names(packages: &[Argument]) -> Described {
    for package in packages {
        let text = package.start();
        let scoped = text.starts_with('@');
        if text.is_empty()
            || (text.contains('/') && !scoped && !text.contains("://"))
            || text.starts_with('.')
            || text.contains("file:")
            || text.ends_with(".tgz")
        {
            return Err("it may install a local package".to_string());
        }
    }
    Ok(())
}

fn installs_globally(call: &mut Call<'_>, packages: &[Argument]) -> Described {
    check_names(packages)?;
    own_files(call)?;
    call.claims
        .write_all(&["/opt", "/usr/bin", "/usr/lib", "/usr/local"]);
    call.claims.assume(
        "npm install --global and the packages' scripts write only to /usr, /opt, /tmp and the home \
         directory",
    );
    Ok(())
}

fn installs(
    call: &mut Call<'_>,
    parsed: &Parsed,
    packages: &[Argument],
    may_write_lock: bool,
) -> Described {
    check_names(packages)?;
    let prefix = parsed.values(&["prefix", "C"]).last();
    let dir = match prefix {
        None => call.directory()?.to_string(),
        Some(prefix) => call.path(prefix, Extent::Exact)?.path,
    };
    if matches!(prefix, Some(Argument::Pattern { .. })) {
        return Err("the directory is not known".to_string());
    }
    for place in parsed.values(&["cache"]) {
        call.write(place, Extent::Subtree)?;
    }
    own_files(call)?;
    let top = dir.trim_end_matches('/');
    for file in [
        "package.json",
        "package-lock.json",
        "npm-shrinkwrap.json",
        ".npmrc",
    ] {
        call.claims.read(Extent::Exact, format!("{top}/{file}"));
    }
    call.claims
        .write(Extent::Subtree, format!("{top}/node_modules"));
    if may_write_lock {
        call.claims
            .write(Extent::Exact, format!("{top}/package-lock.json"));
    }
    if !packages.is_empty() {
        call.claims
            .write(Extent::Exact, format!("{top}/package.json"));
    }
    call.claims.assume(format!(
        "npm reads only package.json, package-lock.json, npm-shrinkwrap.json and .npmrc of {dir}, and \
         lifecycle scripts of the project and its dependencies touch only node_modules, /tmp and npm's \
         own directories"
    ));
    Ok(())
}
