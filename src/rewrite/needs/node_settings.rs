//! Settings of npm and pnpm: `.npmrc`, and variables.
//!
//! Goes in: a file. Comes out: its settings by name, files that they name in [`Needs`]. Invariant: a setting that may
//! move what is touched, or that nobody listed, is a reason.

use super::{Command, Needs, Project, join, text};
use std::collections::BTreeMap;

/// Settings that move nothing.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "access", "always-auth", "arch", "audit", "audit-level", "auth-type", "auto-install-peers", "before",
    "bin-links", "ca", "cert", "child-concurrency", "color", "dedupe-direct-deps", "dedupe-injected-deps",
    "dedupe-peer-dependents", "disturl", "dangerously-allow-all-builds", "email", "enable-pre-post-scripts",
    "engine-strict", "ensure", "extend-node-path", "fetch-retries", "fetch-retry-factor",
    "fetch-retry-maxtimeout", "fetch-retry-mintimeout", "fetch-timeout", "force", "foreground-scripts",
    "format-package-lock", "frozen-lockfile", "fund", "git-checks", "heading", "hoist", "hoist-pattern",
    "hoist-workspace-packages", "https-proxy", "ignore-dep-scripts",
    "ignore-workspace-root-check", "include", "init-author-name", "init-license", "init-version",
    "install-strategy", "key", "legacy-peer-deps", "link-workspace-packages", "local-address", "lockfile",
    "lockfile-version", "loglevel", "manage-package-manager-versions", "maxsockets", "message",
    "minimum-release-age", "network-concurrency", "network-timeout", "node-linker", "noproxy", "omit", "only",
    "only-built-dependencies", "optional", "package-import-method",
    "package-lock", "package-manager-strict", "package-manager-strict-version", "peers-suffix-max-length",
    "prefer-dedupe", "prefer-frozen-lockfile", "prefer-offline", "prefer-online", "prefer-workspace-packages",
    "production", "progress", "proxy", "public-hoist-pattern", "registry",
    "replace-registry-host", "resolution-mode", "resolve-peers-from-workspace-root", "runtime", "save",
    "save-catalog-name", "save-exact", "save-prefix", "save-workspace-protocol", "scope",
    "shamefully-hoist", "side-effects-cache", "sign-git-tag", "strict-dep-builds", "strict-peer-dependencies",
    "strict-peer-deps", "strict-ssl", "symlink", "tag", "tag-version-prefix", "target", "target_arch",
    "target_platform", "timing", "unicode", "unsafe-perm", "update-notifier", "user-agent", "username",
    "verify-deps-before-run", "verify-store-integrity", "workspace-concurrency", "_auth", "_authtoken",
    "_password", "include-workspace-root", "hoisting-limits", "supported-architectures", "dev",
    "confirm-modules-purge", "disallow-workspace-cycles", "ignore-workspace-cycles", "node-version",
    "shell-emulator", "virtual-store-dir-max-length", "trust-policy", "trust-lockfile", "min-release-age", "block-exotic-subdeps", "catalog-mode", "cleanup-unused-catalogs",
];

/// Settings with a value that is the usual one.
const USUAL: &[(&str, &str)] = &[
    ("shared-workspace-lockfile", "true"),
    ("recursive-install", "true"),
    ("install-links", "false"),
    ("inject-workspace-packages", "false"),
    ("global", "false"),
    ("workspaces", "true"),
    ("ignore-scripts", "true"),
    ("ignore-scripts", "false"),
    ("ignore-pnpmfile", "false"),
    ("modules-dir", "node_modules"),
];

/// Endings of settings that packages look at to fetch their binaries.
const FETCHES: [&str; 7] = [
    "_mirror",
    "-mirror",
    "_binary_site",
    "_binary_host",
    "_skip_download",
    "_download_url",
    "_cdnurl",
];

/// Variables that move nothing.
#[rustfmt::skip]
const VARIABLES: &[&str] = &[
    "AUDIT", "CACHE", "COLOR", "FETCH_RETRIES", "FETCH_TIMEOUT", "FUND", "LOGLEVEL", "MAXSOCKETS", "OMIT",
    "PRODUCTION", "PROGRESS", "REGISTRY", "UPDATE_NOTIFIER", "VERSION",
];

/// Settings that a project's `.npmrc` has, those of the home directory with them where they come from the context.
///
/// # Errors
/// One is not understood.
pub(super) fn npmrc(
    command: &Command<'_>,
    dir: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<BTreeMap<String, String>, String> {
    let home = command.variables.get("HOME").cloned().flatten();
    let home = join(home.as_deref().unwrap_or("/root"), ".npmrc");
    let mut all = BTreeMap::new();
    let own = join(dir, ".npmrc");
    needs.read(own.clone());
    for path in [home, own] {
        if project.is_file(&path) {
            all.extend(one(&path, dir, project, needs)?);
            needs.read(path);
        }
    }
    Ok(all)
}

/// Settings of one file.
fn one(
    path: &str,
    dir: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<BTreeMap<String, String>, String> {
    let mut out = BTreeMap::new();
    for line in text(project, path)?.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        let value = value.trim_matches(['"', '\'']);
        if key == "cafile" && !value.contains(['$', '~']) {
            needs.read(join(dir, value));
            continue;
        }
        harmless(&key, value).map_err(|why| format!("{path}: {why}"))?;
        out.insert(key, value.to_owned());
    }
    Ok(out)
}

/// Whether a setting is known to move nothing.
///
/// # Errors
/// It is not.
pub(super) fn harmless(key: &str, value: &str) -> Result<(), String> {
    // `key[]=value` adds to a list.
    let key = key.strip_suffix("[]").unwrap_or(key);
    let registry = key.starts_with("//") || (key.starts_with('@') && key.ends_with(":registry"));
    let files = key.ends_with("certfile") || key.ends_with("keyfile") || key.ends_with("cafile");
    let fetches = FETCHES.iter().any(|e| key.ends_with(e));
    let known = HARMLESS.contains(&key) || USUAL.contains(&(key, value)) || fetches || registry;
    match known && !files {
        true => Ok(()),
        false => Err(format!("the setting {key}={value} is not known")),
    }
}

/// Refuses variables that may move what a manager touches.
///
/// # Errors
/// One is set.
pub(super) fn variables(command: &Command<'_>) -> Result<(), String> {
    let moves = |name: &str| {
        let upper = name.to_ascii_uppercase();
        let setting = upper.strip_prefix("NPM_CONFIG_");
        let npm = setting.is_some_and(|s| !VARIABLES.contains(&s) && !s.contains("MIRROR"));
        npm || matches!(
            upper.as_str(),
            "INIT_CWD" | "NODE_PATH" | "PRISMA_SCHEMA_PATH"
        )
    };
    match command.variables.keys().find(|n| moves(n)) {
        Some(name) => Err(format!("{name} is set")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn settings_that_move_nothing_are_known() {
        for (key, value) in [
            ("registry", "https://e.org"),
            ("@x:registry", "https://e.org"),
            ("//e.org/:_authtoken", "${TOKEN}"),
            ("omit[]", "dev"),
            ("electron_mirror", "https://e.org"),
            ("shared-workspace-lockfile", "true"),
        ] {
            assert_eq!(harmless(key, value), Ok(()), "{key}");
        }
        for (key, value) in [
            ("shared-workspace-lockfile", "false"),
            ("prefix", "/x"),
            ("node-options", "--require ./x.js"),
            ("//e.org/:certfile", "x"),
            ("install-links", "true"),
        ] {
            assert!(harmless(key, value).is_err(), "{key}");
        }
    }
}
