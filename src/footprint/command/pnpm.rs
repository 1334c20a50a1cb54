//! pnpm: a store shared by all projects, and links into it.

use super::super::Extent;
use super::super::options::{Spec, parse};
use super::node::{self, Project};
use super::{Call, Described, common};

#[rustfmt::skip]
const PNPM: Spec = Spec {
    letters: "PDrgwOEs",
    letters_with_value: "CF",
    names: &[
        "frozen-lockfile", "no-frozen-lockfile", "prod", "production", "dev", "no-optional",
        "offline", "prefer-offline", "prefer-frozen-lockfile", "ignore-scripts",
        "shamefully-hoist", "strict-peer-dependencies", "no-strict-peer-dependencies",
        "unsafe-perm", "force", "recursive", "workspace-root", "global", "silent",
        "no-verify-store-integrity", "ignore-workspace", "include-workspace-root", "lockfile-only",
        "fix-lockfile", "no-lockfile", "no-color", "color", "aggregate-output", "stream",
        "save-dev", "save-exact", "side-effects-cache",
    ],
    names_with_value: &[
        "filter", "filter-prod", "store-dir", "dir", "reporter", "loglevel", "registry",
        "network-concurrency", "fetch-timeout", "fetch-retries", "child-concurrency",
        "workspace-concurrency", "package-import-method", "node-linker", "cache-dir", "state-dir",
        "virtual-store-dir", "modules-dir", "global-dir", "global-bin-dir",
    ],
};

#[rustfmt::skip]
const FILES: &[&str] = &[
    "pnpm-lock.yaml", "pnpm-workspace.yaml", ".pnpmfile.cjs", ".pnpmfile.mjs", "pnpmfile.js",
    ".node-version", ".nvmrc",
];

/// Options that name directories to keep things in.
#[rustfmt::skip]
const KEEPS: &[&str] = &[
    "store-dir", "cache-dir", "state-dir", "virtual-store-dir", "modules-dir", "global-dir",
    "global-bin-dir",
];

/// Its own commands; any other name is a script of the project or a program of a package.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "add", "approve-builds", "audit", "bin", "cache", "cat-file", "cat-index", "ci", "clean-install", "completion",
    "config", "create", "dedupe", "deploy", "dlx", "doctor", "env", "exec", "fetch", "find-hash", "help", "i",
    "ignored-builds", "import", "info", "init", "install", "install-test", "it", "licenses", "link", "list", "ll",
    "ln", "login", "logout", "ls", "m", "multi", "outdated", "pack", "patch", "patch-commit", "patch-remove",
    "prune", "publish", "rb", "rebuild", "recursive", "remove", "restart", "rm", "root", "run", "run-script",
    "self-update", "server", "set", "setup", "start", "store", "t", "test", "tst", "un", "uninstall", "unlink", "up",
    "update", "upgrade", "view", "why",
];

/// Describes pnpm.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    call.refuse(|n| {
        n.to_ascii_uppercase().starts_with("PNPM_")
            && !matches!(
                n,
                "PNPM_HOME" | "PNPM_VERSION" | "pnpm_config_verify_deps_before_run"
            )
    })?;
    if call.asks() {
        // Corepack looks for the version to run.
        let directory = call.directory()?.to_string();
        return project(call, &directory, false, false);
    }
    let valued = [
        "-F",
        "--filter",
        "--filter-prod",
        "-C",
        "--dir",
        "--reporter",
        "--loglevel",
        "--workspace-concurrency",
        "--store-dir",
        "--network-concurrency",
        "--child-concurrency",
        "--registry",
        "--node-linker",
    ];
    let script = match node::operands(call, &valued)[..] {
        ["run" | "run-script" | "exec", name, ..] => Some(name),
        [name, ..] if !OTHERS.contains(&name) => Some(name),
        _ => None,
    };
    if let Some(name) = script {
        assume_store(call)?;
        call.claims.write(Extent::Subtree, "/.pnpm-store");
        return node::runs_script(call, name, &["-C", "--dir", "--store-dir"]);
    }
    let parsed = parse(call.arguments, &PNPM)?;
    // Corepack fetches pnpm itself.
    call.claims.network = true;
    let flags: Vec<&str> = PNPM
        .names
        .iter()
        .copied()
        .filter(|n| *n != "prod")
        .collect();
    common::no_values(&parsed, &flags)?;
    let directory = call.directory_of(&parsed, &["C", "dir"])?;
    call.keep_in_values(&parsed, KEEPS)?;
    let keeps = parsed.has(&["frozen-lockfile", "no-lockfile"]);
    let texts = common::texts(&parsed.operands)?;
    match texts.as_slice() {
        ["add" | "install" | "i", packages @ ..]
            if parsed.has(&["g", "global"]) && !packages.is_empty() =>
        {
            node::only_remote(packages)?;
            node::installs_globally(call)
        }
        _ if parsed.has(&["g", "global"]) && texts.first() != Some(&"config") => {
            Err("what it does globally is not known".to_string())
        }
        ["install" | "i"] => project(call, &directory, true, !keeps),
        // It is documented to look at no manifest.
        ["fetch"] => project(call, &directory, false, false),
        ["prune"] => project(call, &directory, true, false),
        ["add" | "install" | "i", packages @ ..] => {
            node::only_remote(packages)?;
            project(call, &directory, true, true)?;
            call.write_upwards(&directory, &["package.json"], Extent::Exact);
            Ok(())
        }
        ["store", "prune" | "path"] => {
            node::own_files(call)?;
            call.read_upwards(
                &directory,
                &["package.json", ".npmrc", "pnpm-workspace.yaml"],
            );
            call.read_upwards(&directory, &[".pnpm-store"]);
            call.claims.write(Extent::Subtree, "/.pnpm-store");
            assume_store(call)
        }
        ["config", "set", ..] => configures(call, &texts, &directory),
        ["setup"] => node::installs_globally(call),
        [sub, ..] => Err(format!("what `{sub}` does is not known")),
        [] => Err("the subcommand is not known".to_string()),
    }
}

fn assume_store(call: &mut Call<'_>) -> Described {
    call.claims.assume(
        "pnpm's store is below the home directory, PNPM_HOME or in .pnpm-store of the root, and no \
         setting of a file moves it",
    );
    Ok(())
}

fn project(call: &mut Call<'_>, directory: &str, manifests: bool, changes: bool) -> Described {
    assume_store(call)?;
    call.claims.read(Extent::Subtree, "/.pnpm-store");
    call.claims.write(Extent::Subtree, "/.pnpm-store");
    let project = Project {
        files: FILES,
        own: &["node_modules", ".pnpm-store"],
        locks: if changes {
            &["pnpm-lock.yaml", "pnpm-workspace.yaml"]
        } else {
            &[]
        },
        manifests,
    };
    node::installs(call, directory, &project)
}

/// Settings that move nothing.
fn configures(call: &mut Call<'_>, texts: &[&str], directory: &str) -> Described {
    let plain = [
        "registry",
        "auto-install-peers",
        "strict-peer-dependencies",
        "network-timeout",
        "fetch-timeout",
        "fetch-retries",
        "dangerouslyAllowAllBuilds",
    ];
    if !texts.get(2).is_some_and(|key| plain.contains(key)) {
        return Err("the setting is not known".to_string());
    }
    node::own_files(call)?;
    call.read_upwards(
        directory,
        &["package.json", ".npmrc", "pnpm-workspace.yaml"],
    );
    call.write_upwards(directory, &[".npmrc", "pnpm-workspace.yaml"], Extent::Exact);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("pnpm install --frozen-lockfile --prod", "", "net /app/package.json /app/pnpm-lock.yaml /app/.npmrc /app/pnpm-workspace.yaml /app/.pnpmfile.cjs /root/**", "/.pnpm-store/** /app/** /root/** tmp"),
        ("pnpm i", "", "net", "/.pnpm-store/** /app/** /root/** tmp"),
        ("pnpm fetch --prod", "", "net /app/pnpm-lock.yaml", "/.pnpm-store/** /app/.pnpm-store/** /app/node_modules/** /root/** tmp"),
        ("pnpm install -r --offline --prod", "", "net /app/**", "/.pnpm-store/** /app/** /root/** tmp"),
        ("pnpm --filter web... install --frozen-lockfile", "", "net /app/**", "/.pnpm-store/** /app/** /root/** tmp"),
        ("pnpm install --frozen-lockfile --store-dir /s", "", "net /s/**", "/.pnpm-store/** /app/** /root/** /s/** tmp"),
        ("pnpm add -g turbo@1 @x/y", "", "net", "/opt/** /root/** /usr/bin/** /usr/lib/** /usr/local/** /usr/share/** tmp"),
        ("PNPM_HOME=/pnpm pnpm fetch", "", "net /pnpm/**", "/.pnpm-store/** /app/.pnpm-store/** /app/node_modules/** /pnpm/** /root/** tmp"),
        ("pnpm store prune", "", "net", "/.pnpm-store/** /root/** tmp"),
        ("pnpm config set registry https://r", "", "net /app/.npmrc", "/app/.npmrc /app/pnpm-workspace.yaml /root/** tmp"),
        ("pnpm config set store-dir /x", "setting", "", ""),
        ("pnpm config set registry", "", "net", "/app/.npmrc /app/pnpm-workspace.yaml /root/** tmp"),
        ("pnpm build", "`build`", "", ""),
        ("pnpm deploy --filter web out", "`deploy`", "", ""),
        ("pnpm dlx x", "`dlx`", "", ""),
        ("pnpm add ./x", "local package", "", ""),
        ("pnpm install --config.store-dir=/x", "option --config.store-dir", "", ""),
        ("PNPM_OTHER=x pnpm i", "PNPM_OTHER is set", "", ""),
        ("NPM_CONFIG_STORE_DIR=x pnpm i", "NPM_CONFIG_STORE_DIR is set", "", ""),
    ];

    #[test]
    fn pnpm_has_its_footprints() {
        check(LINES);
    }
}
