//! yarn, classic and berry: which one runs is often the project's choice, so both are claimed.

use super::super::Extent;
use super::super::options::{Spec, parse};
use super::node::{self, Project};
use super::{Call, Described, common};

#[rustfmt::skip]
const YARN: Spec = Spec {
    letters: "sDWEPOTA",
    letters_with_value: "",
    names: &[
        "frozen-lockfile", "immutable", "immutable-cache", "no-immutable", "check-cache",
        "check-files", "inline-builds", "production", "prod", "ignore-scripts", "ignore-optional",
        "ignore-engines", "ignore-platform", "non-interactive", "no-progress", "silent",
        "pure-lockfile", "prefer-offline", "offline", "verbose", "force", "no-lockfile",
        "no-bin-links", "flat", "har", "update-checksums", "skip-integrity-check",
        "link-duplicates", "no-default-rc", "no-node-version-check", "ignore-workspace-root-check",
        "dev", "exact", "json", "all", "mirror",
    ],
    names_with_value: &[
        "network-timeout", "network-concurrency", "mutex", "registry", "cwd", "cache-folder",
        "modules-folder", "global-folder", "prefix", "mode", "loglevel",
    ],
};

/// Settings that change nothing that counts.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "YARN_VERSION", "YARN_ENABLE_TELEMETRY", "YARN_ENABLE_COLORS", "YARN_ENABLE_PROGRESS_BARS",
    "YARN_ENABLE_IMMUTABLE_INSTALLS", "YARN_ENABLE_INLINE_BUILDS", "YARN_ENABLE_SCRIPTS",
    "YARN_ENABLE_GLOBAL_CACHE", "YARN_ENABLE_NETWORK", "YARN_ENABLE_HARDENED_MODE",
    "YARN_ENABLE_STRICT_SSL", "YARN_CHECKSUM_BEHAVIOR", "YARN_COMPRESSION_LEVEL",
    "YARN_HTTP_TIMEOUT", "YARN_HTTP_RETRY", "YARN_IGNORE_NODE", "YARN_NETWORK_CONCURRENCY",
    "YARN_NETWORK_TIMEOUT", "YARN_NODE_LINKER", "YARN_NPM_AUTH_TOKEN", "YARN_NPM_REGISTRY_SERVER",
    "YARN_PRODUCTION", "YARN_REGISTRY",
];

const PLACES: &[&str] = &["YARN_CACHE_FOLDER", "YARN_GLOBAL_FOLDER"];

#[rustfmt::skip]
const FILES: &[&str] = &[
    "yarn.lock", ".yarnrc", ".yarnrc.yml", "npm-shrinkwrap.json", "package-lock.json",
];

#[rustfmt::skip]
const OWN: &[&str] = &[
    "node_modules", ".yarn", ".pnp.cjs", ".pnp.js", ".pnp.loader.mjs",
];

/// Its own commands; any other name is a script of the project.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "access", "add", "audit", "autoclean", "bin", "cache", "check", "config", "constraints", "create", "dedupe",
    "dlx", "explain", "generate-lock-entry", "global", "help", "import", "info", "init", "install", "licenses",
    "link", "list", "login", "logout", "node", "npm", "outdated", "owner", "pack", "patch", "patch-commit", "plugin",
    "policies", "prune", "publish", "rebuild", "remove", "run", "search", "set", "stage", "tag", "team", "unlink",
    "unplug", "up", "upgrade", "upgrade-interactive", "version", "versions", "why", "workspace", "workspaces",
];

/// Describes yarn.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let upper = |n: &str| n.to_ascii_uppercase();
    call.refuse(|n| {
        let name = upper(n);
        name.starts_with("YARN_") && !HARMLESS.contains(&name.as_str()) && !PLACES.contains(&n)
    })?;
    if call.asks() {
        // Corepack looks for the version to run.
        let directory = call.directory()?.to_string();
        return project(call, &directory, false);
    }
    let script = match node::operands(call, &["--cwd"])[..] {
        ["run", name, ..] | ["workspace", _, name] if !OTHERS.contains(&name) => Some(name),
        ["workspaces", name @ ("run" | "foreach"), ..] => Some(name),
        [name, ..] if !OTHERS.contains(&name) => Some(name),
        _ => None,
    };
    if let Some(name) = script {
        return node::runs_script(call, name, &["--cwd"]);
    }
    let parsed = parse(call.arguments, &YARN)?;
    let values = ["production", "prod", "inline-builds", "immutable"];
    let flags: Vec<&str> = YARN
        .names
        .iter()
        .copied()
        .filter(|n| !values.contains(n))
        .collect();
    common::no_values(&parsed, &flags)?;
    let directory = call.directory_of(&parsed, &["cwd"])?;
    call.keep_in_values(
        &parsed,
        &["cache-folder", "modules-folder", "global-folder"],
    )?;
    let keeps = parsed.has(&[
        "frozen-lockfile",
        "immutable",
        "pure-lockfile",
        "no-lockfile",
    ]);
    let texts = common::texts(&parsed.operands)?;
    match texts.as_slice() {
        [] | ["install"] => project(call, &directory, !keeps),
        ["add" | "remove" | "up" | "upgrade", packages @ ..] => {
            node::only_remote(packages)?;
            project(call, &directory, true)?;
            call.write_upwards(&directory, &["package.json"], Extent::Exact);
            Ok(())
        }
        ["workspaces", "focus", ..] => project(call, &directory, true),
        ["global", "add", packages @ ..] if !packages.is_empty() => {
            node::only_remote(packages)?;
            call.moved(PLACES)?;
            call.keep_in_values(&parsed, &["prefix"])?;
            node::installs_globally(call)
        }
        ["set", "version", version] => {
            node::only_remote(&[version])?;
            project(call, &directory, true)?;
            call.write_upwards(
                &directory,
                &["package.json", ".yarnrc", ".yarnrc.yml"],
                Extent::Exact,
            );
            Ok(())
        }
        ["config", "set", key, ..] if is_plain_setting(key) => {
            project(call, &directory, false)?;
            call.write_upwards(&directory, &[".yarnrc", ".yarnrc.yml"], Extent::Exact);
            Ok(())
        }
        ["cache", "clean", ..] => {
            project(call, &directory, false)?;
            Ok(())
        }
        [sub, ..] => Err(format!("what `{sub}` does is not known")),
    }
}

/// Settings that move nothing.
fn is_plain_setting(key: &str) -> bool {
    let keys = [
        "registry",
        "npmRegistryServer",
        "network-timeout",
        "httpTimeout",
        "nodeLinker",
        "enableTelemetry",
        "enableGlobalCache",
        "enableImmutableInstalls",
        "enableProgressBars",
        "strict-ssl",
        "version-git-tag",
        "unsafe-perm",
    ];
    keys.contains(&key)
}

fn project(call: &mut Call<'_>, directory: &str, changes: bool) -> Described {
    call.moved(PLACES)?;
    let project = Project {
        files: FILES,
        own: OWN,
        locks: if changes { &["yarn.lock"] } else { &[] },
        manifests: true,
    };
    node::installs(call, directory, &project)
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    const OWN: &str = "/app/** /root/** tmp";

    #[rustfmt::skip]
    const LINES: &[(&str, &str, &str)] = &[
        ("yarn install --frozen-lockfile --network-timeout 100000", "net /app/package.json /app/yarn.lock /app/.yarnrc.yml /app/.npmrc /root/** /package.json", ""),
        ("yarn --frozen-lockfile --production=true", "net /app/yarn.lock", ""),
        ("yarn install --immutable --inline-builds", "net /app/.yarn/**", ""),
        ("yarn", "net", " /app/yarn.lock"),
        ("yarn add typescript@5 @types/node", "net", " /app/yarn.lock /app/package.json"),
        ("yarn install --frozen-lockfile --cache-folder /c", "net /c/**", " /c/**"),
        ("yarn cache clean --all", "net", ""),
        ("YARN_CACHE_FOLDER=/c yarn --immutable", "net", " /c/**"),
        ("yarn set version berry", "net", " /app/yarn.lock /app/package.json /app/.yarnrc /app/.yarnrc.yml"),
        ("yarn config set registry https://r.example", "net", " /app/.yarnrc /app/.yarnrc.yml"),
        ("yarn --version", "net /app/package.json", ""),
    ];

    #[rustfmt::skip]
    const OTHERS: &[Line] = &[
        ("yarn workspaces focus --production web", "", "net /app/**", "/app/** /root/** tmp"),
        ("yarn global add serve", "", "net", "/opt/** /root/** /usr/bin/** /usr/lib/** /usr/local/** /usr/share/** tmp"),
        ("yarn build", "`build`", "", ""),
        ("yarn run build", "`build`", "", ""),
        ("yarn add file:../x", "local package", "", ""),
        ("yarn install --frob", "option --frob", "", ""),
        ("yarn install --modules-folder $X", "a directory is not known", "", ""),
        ("YARN_RC_FILENAME=x yarn", "YARN_RC_FILENAME is set", "", ""),
        ("npm_config_prefix=/x yarn", "npm_config_prefix is set", "", ""),
        ("NODE_OPTIONS='--require /x' yarn", "NODE_OPTIONS", "", ""),
        ("yarn config set modules-folder /x", "`config`", "", ""),
    ];

    #[test]
    fn yarn_has_its_footprints() {
        for (script, reads, more) in LINES {
            let writes: &'static str = format!("{OWN}{more}").leak();
            check(&[(script, "", reads, writes)]);
        }
        check(OTHERS);
    }
}
