//! What a project tells uv: settings, members of its workspace, whether it is a package.
//!
//! Goes in: `[tool.uv]`, `uv.toml`, variables. Comes out: answers, or the setting that is not known. Invariant: a
//! setting that may name a place is looked into or a reason.

use super::Command;
use super::globs::Globs;
use super::python::{get, leaves, names_file};
use super::words::Options;
use toml::{Table, Value};

/// Options of all its commands.
#[rustfmt::skip]
pub(super) const OPTIONS: Options = Options {
    flags: &[
        "-q", "-v", "-n", "-U", "--quiet", "--verbose", "--no-progress", "--no-cache", "--no-cache-dir", "--offline",
        "--native-tls", "--system-certs", "--frozen", "--locked", "--dev", "--no-dev", "--only-dev",
        "--no-default-groups", "--all-groups", "--all-extras", "--all-packages", "--no-install-project",
        "--no-install-workspace", "--no-install-local", "--no-editable", "--inexact", "--exact", "--active",
        "--compile-bytecode", "--no-build-isolation", "--reinstall", "--refresh", "--upgrade", "--system",
        "--break-system-packages", "--no-deps", "--require-hashes", "--no-verify-hashes", "--no-index", "--pre",
        "--strict", "--seed", "--relocatable", "--clear", "--system-site-packages", "--no-python-downloads",
        "--no-managed-python", "--managed-python", "--no-hashes", "--no-emit-project", "--no-emit-workspace",
        "--no-emit-local", "--no-header", "--no-annotate", "--force", "--no-build", "--default", "--version",
    ],
    valued: &[
        "-p", "-r", "-c", "-e", "-o", "-f", "-P", "--python", "--group", "--no-group", "--only-group", "--extra",
        "--no-extra", "--package", "--no-install-package", "--directory", "--project", "--link-mode", "--index",
        "--default-index", "--index-url", "-i", "--extra-index-url", "--index-strategy", "--keyring-provider",
        "--resolution", "--prerelease", "--exclude-newer", "--requirement", "--requirements", "--constraint",
        "--constraints", "--editable", "--target", "--prefix", "--cache-dir", "--find-links", "--no-binary",
        "--only-binary", "--no-build-package", "--color", "--prompt", "--format", "--output-file",
        "--python-version", "--python-platform", "--python-preference", "--allow-insecure-host", "--trusted-host",
        "--torch-backend", "--no-emit-package", "--prune",
    ],
};

/// Settings that move nothing; those with places are looked into.
#[rustfmt::skip]
const SETTINGS: &[&str] = &[
    "package", "dev-dependencies", "constraint-dependencies", "override-dependencies",
    "build-constraint-dependencies", "exclude-dependencies", "conflicts", "default-groups", "managed",
    "python-preference", "python-downloads", "link-mode", "compile-bytecode", "required-version", "no-build",
    "no-build-package", "no-binary", "no-binary-package", "no-build-isolation", "no-build-isolation-package",
    "prerelease", "resolution", "fork-strategy", "index-strategy", "keyring-provider", "native-tls",
    "exclude-newer", "exclude-newer-package", "extra-build-dependencies", "dependency-metadata",
    "build-backend", "cache-keys", "environments", "required-environments", "dependency-groups",
    "torch-backend", "offline", "no-cache", "preview", "concurrent-builds", "concurrent-downloads",
    "concurrent-installs", "publish-url", "check-url", "trusted-publishing", "allow-insecure-host",
    "python-install-mirror", "pypy-install-mirror", "index", "index-url", "extra-index-url", "sources",
    "workspace", "pip", "reinstall", "no-index", "no-sources",
];

/// Variables that move nothing in the project, or only what is claimed anyway.
#[rustfmt::skip]
const VARIABLES: &[&str] = &[
    "UV_BREAK_SYSTEM_PACKAGES", "UV_COMPILE_BYTECODE", "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FROZEN", "UV_HTTP_TIMEOUT",
    "UV_INDEX", "UV_INDEX_STRATEGY", "UV_INDEX_URL", "UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_LINK_MODE",
    "UV_LOCKED", "UV_MANAGED_PYTHON", "UV_NATIVE_TLS", "UV_NO_CACHE", "UV_NO_DEV", "UV_NO_MANAGED_PYTHON",
    "UV_NO_PROGRESS", "UV_OFFLINE", "UV_PRERELEASE", "UV_PYTHON", "UV_PYTHON_DOWNLOADS",
    "UV_PYTHON_PREFERENCE", "UV_REQUEST_TIMEOUT", "UV_RESOLUTION", "UV_SYSTEM_PYTHON", "UV_VERSION",
    "UV_CACHE_DIR", "UV_INSTALL_DIR", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON_BIN_DIR", "UV_PYTHON_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR", "UV_TOOL_BIN_DIR", "UV_TOOL_DIR",
];

/// Refuses variables that may move what uv touches.
///
/// # Errors
/// One is set.
pub(super) fn variables(command: &Command<'_>) -> Result<(), String> {
    let odd = |n: &&String| {
        n.starts_with("UV_") && !n.starts_with("UV_INDEX_") && !VARIABLES.contains(&n.as_str())
    };
    match command.variables.keys().find(odd) {
        Some(name) => Err(format!("{name} is set")),
        None => Ok(()),
    }
}

/// Whether uv takes a project for a package.
pub(super) fn is_built(tree: &Table) -> bool {
    match get(tree, &["tool", "uv", "package"]) {
        Some(Value::Boolean(says)) => *says,
        Some(_) => true,
        None => tree.contains_key("build-system"),
    }
}

/// Patterns of the members of a workspace.
///
/// # Errors
/// They are not understood.
pub(super) fn globs(tree: &Table, place: &str) -> Result<Globs, String> {
    let Some(workspace) = get(tree, &["tool", "uv", "workspace"]) else {
        return Ok(Globs::default());
    };
    let odd = || format!("the workspace of {place} is not understood");
    let mut all = Vec::new();
    for (key, mark) in [("members", ""), ("exclude", "!")] {
        let Some(list) = workspace.get(key) else {
            continue;
        };
        for pattern in list.as_array().ok_or_else(odd)? {
            all.push(format!("{mark}{}", pattern.as_str().ok_or_else(odd)?));
        }
    }
    Globs::new(&all)
}

/// Settings of `[tool.uv]` or `uv.toml`.
///
/// # Errors
/// One is not known to move nothing.
pub(super) fn harmless(tree: &Value, path: &str) -> Result<(), String> {
    let Some(table) = tree.as_table() else {
        return Err(format!("{path} is not understood"));
    };
    for (key, value) in table {
        let odd = || format!("{path}: the setting {key} is not known");
        let has = |key: &str| value.get(key).is_some();
        let place = |t: &str| t.starts_with(['.', '/', '~']) || t.contains("file:");
        match key.as_str() {
            "index" | "index-url" | "extra-index-url" => {
                let mut texts = Vec::new();
                leaves(value, &mut texts);
                if texts.iter().any(|t| place(t)) {
                    return Err(format!("{path}: an index is a folder"));
                }
            }
            "pip" if ["find-links", "target", "prefix"].iter().any(|k| has(k)) => return Err(odd()),
            "dev-dependencies" | "constraint-dependencies" | "override-dependencies"
                if names_file(value) =>
            {
                return Err(odd());
            }
            name if SETTINGS.contains(&name) => {}
            _ => return Err(odd()),
        }
    }
    Ok(())
}
