//! yarn 2 and later: the manifests of a workspace, `.yarnrc.yml` and what it names, `.yarn`, the lock file.
//!
//! Goes in: a command line and the top of the project. Comes out: what an install needs. Invariant: settings and
//! plugins that are not listed are reasons.

use super::globs::Globs;
use super::node::{Package, Source, leaves, source, yaml};
use super::node_tree::{Folder, Manager, Tree};
use super::words::Words;
use super::{Command, Found, Needs, Project, above, inside, join};
use serde_json::Value;

const BERRY: Manager = Manager {
    name: "yarn",
    top_scripts: &["preinstall", "install", "postinstall"],
    member_scripts: &["preinstall", "install", "postinstall"],
    links_top: true,
    compiles: true,
    folder: |kind| match kind {
        "" | "file:" => Folder::Copy,
        "portal:" | "link:" => Folder::Link,
        _ => Folder::Odd,
    },
    member_files: &[],
    catalogs: true,
};

/// Settings that move nothing.
#[rustfmt::skip]
const SETTINGS: &[&str] = &[
    "nodeLinker", "npmRegistryServer", "npmScopes", "npmRegistries", "npmAlwaysAuth", "npmAuthToken",
    "npmAuthIdent", "npmPublishAccess", "npmPublishRegistry", "npmAuditRegistry", "npmMinimalAgeGate",
    "npmPreapprovedPackages", "enableTelemetry", "enableGlobalCache", "enableScripts",
    "enableImmutableInstalls", "enableImmutableCache", "enableInlineBuilds", "enableProgressBars", "enableColors",
    "enableStrictSsl", "enableNetwork", "enableHardenedMode", "enableMessageNames", "enableMirror",
    "enableTimers", "enableHyperlinks", "enableTransparentWorkspaces", "compressionLevel", "checksumBehavior",
    "cacheMigrationMode", "defaultSemverRangePrefix", "defaultProtocol", "httpTimeout", "httpRetry",
    "httpProxy", "httpsProxy", "networkConcurrency", "nmHoistingLimits", "nmMode", "nmSelfReferences",
    "pnpMode", "pnpFallbackMode", "pnpEnableEsmLoader", "pnpEnableInlining", "pnpIgnorePatterns",
    "pnpShebang", "logFilters", "supportedArchitectures", "preferInteractive", "preferDeferredVersions",
    "preferReuse", "preferTruncatedLines", "progressBarStyle", "telemetryInterval", "telemetryUserId",
    "unsafeHttpWhitelist", "winLinkType", "changesetBaseRefs", "changesetIgnorePatterns", "initScope",
    "initFields", "initVersion", "tsEnableAutoTypes", "approvedGitRepositories", "cloneConcurrency",
    "taskPoolConcurrency", "taskPoolMode", "immutablePatterns", "ignoreCwd", "npmAuditExcludePackages",
    "npmAuditIgnoreAdvisories", "dynamicPackageExtensions",
];

/// Variables that move nothing.
#[rustfmt::skip]
const VARIABLES: &[&str] = &[
    "YARN_VERSION", "YARN_ENABLE_TELEMETRY", "YARN_ENABLE_COLORS", "YARN_ENABLE_PROGRESS_BARS",
    "YARN_ENABLE_IMMUTABLE_INSTALLS", "YARN_ENABLE_INLINE_BUILDS", "YARN_ENABLE_SCRIPTS",
    "YARN_ENABLE_GLOBAL_CACHE", "YARN_ENABLE_NETWORK", "YARN_ENABLE_HARDENED_MODE",
    "YARN_ENABLE_STRICT_SSL", "YARN_CHECKSUM_BEHAVIOR", "YARN_COMPRESSION_LEVEL", "YARN_HTTP_TIMEOUT",
    "YARN_HTTP_RETRY", "YARN_IGNORE_NODE", "YARN_NETWORK_CONCURRENCY", "YARN_NETWORK_TIMEOUT",
    "YARN_NODE_LINKER", "YARN_NPM_AUTH_TOKEN", "YARN_NPM_REGISTRY_SERVER", "YARN_REGISTRY",
    "YARN_CACHE_FOLDER", "YARN_GLOBAL_FOLDER", "YARN_PRODUCTION",
];

/// Parts of `.yarn` that people put under version control and yarn leaves alone.
const KEPT: [&str; 7] = [
    "releases/",
    "plugins/",
    "patches/",
    "cache/",
    "versions/",
    "sdks/",
    ".gitignore",
];

/// What an install needs; `needs` has what was read to find the top.
pub(super) fn install(
    command: &Command<'_>,
    words: &Words<'_>,
    dir: &str,
    top: String,
    project: &dyn Project,
    mut needs: Needs,
) -> Found {
    if let Some(mode) = words.value(&["--mode"]).filter(|m| *m != "skip-build") {
        return Err(format!("what --mode={mode} does is not known"));
    }
    settings(command, dir, &top, project, &mut needs)?;
    let package = Package::read(project, &top)?;
    let globs = Globs::new(&package.workspaces()?.unwrap_or_default())?;
    let relative = inside(dir, &top).unwrap_or_default();
    if !relative.is_empty() && !globs.matches(relative) {
        return Err(format!("{dir} is no member of the workspace of {top}"));
    }
    let keeps = words.has(&["--immutable", "--frozen-lockfile"]);
    if keeps && !project.is_file(&join(&top, "yarn.lock")) {
        return Err("there is no lock file".to_owned());
    }
    let tree = Tree {
        manager: BERRY,
        top: top.clone(),
        globs,
        runs_scripts: words.value(&["--mode"]).is_none(),
        project,
    };
    let packages = tree.install(&mut needs)?;
    let nested = |p: &&Package| p.dir != top && p.json.get("workspaces").is_some();
    if let Some(package) = packages.iter().find(nested) {
        return Err(format!("{} has workspaces of its own", package.path()));
    }
    places(&top, project, &mut needs)?;
    needs.read_all(
        &top,
        &[
            "yarn.lock",
            ".npmrc",
            ".yarnrc",
            "package-lock.json",
            "npm-shrinkwrap.json",
        ],
    );
    if project.has_below(&join(&top, "patches")) {
        needs.read_tree(join(&top, "patches"));
    }
    if !keeps {
        needs.assume("yarn install leaves yarn.lock as it is: it is up to date");
    }
    Ok(needs)
}

/// `.yarn` and the files of Plug'n'Play.
fn places(top: &str, project: &dyn Project, needs: &mut Needs) -> Result<(), String> {
    let own = join(top, ".yarn");
    let mut has_cache = false;
    for file in project.below(&own) {
        let rest = inside(&file, &own).unwrap_or_default();
        if !KEPT.iter().any(|k| rest.starts_with(k)) {
            return Err(format!("{file} is in the build context"));
        }
        has_cache |= rest.starts_with("cache/");
    }
    if project.has_below(&own) {
        needs.read_tree(own.clone());
    }
    if has_cache {
        needs.assume(".yarn/cache holds all packages: yarn adds none to it and removes none");
    } else {
        needs.write_tree(join(&own, "cache"));
    }
    for name in ["unplugged", "__virtual__"] {
        needs.write_tree(join(&own, name));
    }
    for name in ["install-state.gz", "build-state.yml"] {
        needs.write(join(&own, name));
    }
    for name in [".pnp.cjs", ".pnp.js", ".pnp.loader.mjs", ".pnp.data.json"] {
        let path = join(top, name);
        if project.is_file(&path) {
            // yarn makes it executable.
            return Err(format!("{path} is in the build context"));
        }
        needs.write(path);
    }
    Ok(())
}

/// `.yarnrc.yml` of the folder, those above it and that of the home directory.
///
/// # Errors
/// One of them is not understood.
pub(super) fn settings(
    command: &Command<'_>,
    dir: &str,
    top: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    variables(command)?;
    let home = command.variables.get("HOME").cloned().flatten();
    let home = home.unwrap_or_else(|| "/root".to_owned());
    let places = std::iter::once(dir).chain(above(dir));
    for place in places.chain([top, home.as_str()]) {
        let path = join(place, ".yarnrc.yml");
        let is_there = project.is_file(&path);
        if is_there || place != home {
            needs.read(path.clone());
        }
        if is_there {
            one_file(&path, place, project, needs)?;
        }
    }
    // It loads variables from there.
    let variables = join(top, ".env.yarn");
    if project.is_file(&variables) {
        return Err(format!("{variables} sets variables"));
    }
    needs.read(variables);
    Ok(())
}

/// Refuses variables that may move what yarn touches.
///
/// # Errors
/// One is set.
pub(super) fn variables(command: &Command<'_>) -> Result<(), String> {
    let odd = |name: &&String| {
        let upper = name.to_ascii_uppercase();
        upper.starts_with("YARN_") && !VARIABLES.contains(&upper.as_str())
    };
    match command.variables.keys().find(odd) {
        Some(name) => Err(format!("{name} is set")),
        None => Ok(()),
    }
}

fn one_file(path: &str, dir: &str, project: &dyn Project, needs: &mut Needs) -> Result<(), String> {
    let tree = yaml(project, path)?;
    if tree.is_null() {
        return Ok(());
    }
    let odd = |key: &str| format!("{path}: the setting {key} is not known");
    for (key, value) in tree
        .as_object()
        .ok_or_else(|| format!("{path} is no mapping"))?
    {
        match key.as_str() {
            "yarnPath" => {
                let file = join(dir, value.as_str().ok_or_else(|| odd(key))?);
                if !project.is_file(&file) {
                    return Err(format!("{file} is not in the build context"));
                }
                needs.read(file);
            }
            "plugins" => plugins(value, dir, needs).ok_or_else(|| odd(key))?,
            "catalog" | "catalogs" | "packageExtensions" => {
                if !all_remote(value) {
                    return Err(format!("{path}: {key} names a local package"));
                }
            }
            "cacheFolder" => {
                let folder = value.as_str().map(|f| join(dir, f));
                if folder != Some(join(dir, ".yarn/cache")) {
                    return Err(odd(key));
                }
            }
            "networkSettings" if value.to_string().contains("FilePath") => return Err(odd(key)),
            "networkSettings" => {}
            "enableConstraintsChecks" if value == &Value::Bool(false) => {}
            name if SETTINGS.contains(&name) => {}
            _ => return Err(odd(key)),
        }
    }
    Ok(())
}

/// The plugins of yarn itself.
fn plugins(value: &Value, dir: &str, needs: &mut Needs) -> Option<()> {
    for plugin in value.as_array()? {
        let path = match plugin {
            Value::String(path) => path,
            other => other.get("path")?.as_str()?,
        };
        let own = path.contains("@yarnpkg/plugin-") && path.starts_with(".yarn/plugins/");
        if !own {
            return None;
        }
        needs.read(join(dir, path));
    }
    Some(())
}

/// Whether all versions in a tree come from elsewhere.
pub(super) fn all_remote(value: &Value) -> bool {
    let mut texts = Vec::new();
    leaves(value, &mut texts);
    texts
        .iter()
        .all(|t| matches!(source(t), Source::Remote | Source::Member))
}

#[cfg(test)]
mod tests {
    use super::super::{shown, shown_with};

    const LOCK: (&str, &str) = ("/app/yarn.lock", "# x\n\n__metadata:\n  version: 8\n");

    #[test]
    fn berry_reads_its_manifests() {
        let rc = "nodeLinker: node-modules\nyarnPath: .yarn/releases/yarn-4.cjs\nplugins:\n  - path: \
                  .yarn/plugins/@yarnpkg/plugin-typescript.cjs\n    spec: x\n";
        let files = [
            (
                "/app/package.json",
                r#"{"workspaces":["packages/*"],"dependencies":{"a":"workspace:*"},
                    "resolutions":{"x":"patch:x@npm%3A1#~/.yarn/patches/x.patch"}}"#,
            ),
            LOCK,
            ("/app/.yarnrc.yml", rc),
            ("/app/.yarn/releases/yarn-4.cjs", ""),
            ("/app/.yarn/patches/x.patch", ""),
            ("/app/.yarn/plugins/@yarnpkg/plugin-typescript.cjs", ""),
            (
                "/app/packages/a/package.json",
                r#"{"scripts":{"prepare":"husky"}}"#,
            ),
            ("/app/src/a.js", ""),
        ];
        let found = shown("yarn install --immutable", "/app", &files);
        for part in [
            "/app/.yarn/** ",
            "/app/.yarnrc.yml",
            "/app/packages/a/package.json",
            "/app/yarn.lock",
            "| /app/.pnp.cjs",
            "/app/.yarn/cache/**",
            "/app/packages/a/node_modules/**",
        ] {
            assert!(found.contains(part), "{part}: {found}");
        }
        assert!(!found.contains("src"), "{found}");
        assert_eq!(
            found,
            shown("yarn workspaces focus a --production", "/app", &files[..])
        );
        assert_eq!(
            found.split(" | ").nth(1),
            shown("yarn", "/app/packages/a", &files).split(" | ").nth(1)
        );
        let mut zero = files.to_vec();
        zero.push(("/app/.yarn/cache/a.zip", ""));
        assert!(!shown("yarn", "/app", &zero).contains("/app/.yarn/cache"));
        for (path, text) in [
            ("/app/.pnp.cjs", ""),
            ("/app/.yarn/install-state.gz", ""),
            ("/app/.env.yarn", ""),
            ("/app/packages/a/node_modules/x", ""),
            ("/app/packages/b/package.json", r#"{"workspaces":["x"]}"#),
        ] {
            let mut more = files.to_vec();
            more.push((path, text));
            assert!(shown("yarn", "/app", &more).starts_with('('), "{path}");
        }
    }

    #[test]
    fn settings_that_are_not_known_are_reasons() {
        for rc in [
            "plugins:\n  - ./x.js\n",
            "pnpUnpluggedFolder: x\n",
            "yarnPath: .yarn/releases/gone.cjs\n",
            "enableConstraintsChecks: true\n",
            "catalog:\n  x: file:./x\n",
            "cacheFolder: ../x\n",
        ] {
            let files = [("/app/package.json", "{}"), LOCK, ("/app/.yarnrc.yml", rc)];
            assert!(shown("yarn", "/app", &files).starts_with('('), "{rc}");
        }
        let files = [("/app/package.json", "{}"), LOCK];
        assert!(shown("yarn", "/app", &files).starts_with('/'));
        let set = [("YARN_RC_FILENAME", "x")];
        assert!(shown_with("yarn", "/app", &files, &set).starts_with('('));
        assert!(shown("yarn install --mode=update-lockfile", "/app", &files).starts_with('('));
    }
}
