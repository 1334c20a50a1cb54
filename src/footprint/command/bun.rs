//! bun's package manager, and corepack, which brings yarn and pnpm. What bun runs is a program.

use super::super::Extent;
use super::super::options::{Spec, parse};
use super::node::{self, Project};
use super::{Call, Described, common};

#[rustfmt::skip]
const BUN: Spec = Spec {
    letters: "pydgDE",
    letters_with_value: "",
    names: &[
        "frozen-lockfile", "production", "no-save", "ignore-scripts", "no-progress", "no-summary",
        "no-verify", "no-cache", "silent", "quiet", "verbose", "force", "dev", "global", "exact",
        "trust", "save-text-lockfile", "lockfile-only",
    ],
    names_with_value: &[
        "backend", "registry", "cwd", "cache-dir", "omit", "concurrent-scripts",
        "network-concurrency", "linker", "filter",
    ],
};

const COREPACK: Spec = Spec {
    letters: "g",
    letters_with_value: "",
    names: &["activate", "global", "all", "cache-only"],
    names_with_value: &["install-directory"],
};

#[rustfmt::skip]
const FILES: &[&str] = &[
    "bun.lock", "bun.lockb", "bunfig.toml", "package-lock.json", "pnpm-lock.yaml",
    "pnpm-workspace.yaml", "yarn.lock", ".env",
];

const PLACES: &[&str] = &[
    "BUN_INSTALL",
    "BUN_INSTALL_BIN",
    "BUN_INSTALL_CACHE_DIR",
    "BUN_INSTALL_GLOBAL_DIR",
];

/// Describes bun.
pub(super) fn bun(call: &mut Call<'_>) -> Described {
    call.refuse(|n| {
        let tunes = ["BUN_RUNTIME_TRANSPILER_CACHE_PATH", "BUN_VERSION"];
        n.starts_with("BUN_") && !PLACES.contains(&n) && !tunes.contains(&n)
    })?;
    if call.asks() {
        return Ok(());
    }
    let parsed = parse(call.arguments, &BUN)?;
    common::no_values(&parsed, BUN.names)?;
    call.moved(PLACES)?;
    call.keep_in_values(&parsed, &["cache-dir"])?;
    let directory = call.directory_of(&parsed, &["cwd"])?;
    let global = parsed.has(&["g", "global"]);
    let keeps = parsed.has(&["frozen-lockfile", "no-save"]);
    let project = |changes: bool| Project {
        files: FILES,
        own: &["node_modules"],
        locks: if changes {
            &["bun.lock", "bun.lockb"]
        } else {
            &[]
        },
        manifests: true,
    };
    let texts = common::texts(&parsed.operands)?;
    match texts.as_slice() {
        ["add" | "install" | "i" | "a", packages @ ..] if global && !packages.is_empty() => {
            node::only_remote(packages)?;
            node::installs_globally(call)
        }
        _ if global => Err("what it does globally is not known".to_string()),
        ["install" | "i"] => node::installs(call, &directory, &project(!keeps)),
        ["ci"] => node::installs(call, &directory, &project(false)),
        ["add" | "a" | "install" | "i" | "remove", packages @ ..] => {
            node::only_remote(packages)?;
            node::installs(call, &directory, &project(true))?;
            call.write_upwards(&directory, &["package.json"], Extent::Exact);
            Ok(())
        }
        ["pm", "cache", "rm"] => {
            node::own_files(call)?;
            call.read_upwards(&directory, &["package.json", "bunfig.toml"]);
            Ok(())
        }
        [sub, ..] => Err(format!("what `{sub}` does is not known")),
        [] => Err("the subcommand is not known".to_string()),
    }
}

/// Describes corepack.
pub(super) fn corepack(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let parsed = parse(call.arguments, &COREPACK)?;
    common::no_values(&parsed, COREPACK.names)?;
    let texts = common::texts(&parsed.operands)?;
    let manager = |name: &&str| {
        let bare = name.split('@').next().unwrap_or(name);
        matches!(bare, "npm" | "npx" | "pnpm" | "pnpx" | "yarn" | "yarnpkg")
    };
    match texts.as_slice() {
        ["enable" | "disable", names @ ..] if names.iter().all(manager) => {
            node::own_files(call)?;
            call.keep_in_values(&parsed, &["install-directory"])?;
            if !parsed.has(&["install-directory"]) {
                call.claims.write_all(&["/usr/bin", "/usr/local/bin"]);
                for root in call.roots()? {
                    call.claims.write(Extent::Subtree, format!("{root}/bin"));
                }
            }
            call.claims
                .assume("corepack is in /usr/bin, /usr/local/bin or a directory of PATH");
            Ok(())
        }
        ["prepare" | "install", names @ ..] if names.iter().all(manager) => {
            node::own_files(call)?;
            call.claims.network = true;
            let directory = call.directory()?.to_string();
            call.read_upwards(&directory, &["package.json"]);
            call.claims
                .assume("corepack writes only below the home directory, COREPACK_HOME and /tmp");
            Ok(())
        }
        _ => Err(format!("what `{}` does is not known", texts.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("bun install --frozen-lockfile --production", "", "net /app/package.json /app/bun.lock /app/bun.lockb /app/bunfig.toml /app/.npmrc", "/app/** /root/** tmp"),
        ("bun i", "", "net", "/app/** /root/** tmp"),
        ("bun ci --ignore-scripts", "", "net", "/app/** /root/** tmp"),
        ("bun add hono", "", "net", "/app/** /root/** tmp"),
        ("bun add -g turbo", "", "net", "/opt/** /root/** /usr/bin/** /usr/lib/** /usr/local/** /usr/share/** tmp"),
        ("BUN_INSTALL_CACHE_DIR=/c bun ci", "", "net /c/**", "/app/** /c/** /root/** tmp"),
        ("bun install --cwd web --frozen-lockfile", "", "net /app/web/package.json /app/package.json", "/app/** /root/** tmp"),
        ("bun add ./x", "local package", "", ""),
        ("bun run build", "`run`", "", ""),
        ("bun build ./x.ts", "`build`", "", ""),
        ("bun install --frob", "option --frob", "", ""),
        ("BUN_CONFIG_X=1 bun i", "BUN_CONFIG_X is set", "", ""),
        ("corepack enable", "", "", "/root/** /usr/bin/** /usr/local/bin/** tmp"),
        ("corepack enable --install-directory /b pnpm", "", "", "/b/** /root/** tmp"),
        ("corepack prepare pnpm@9.1.0 --activate", "", "net /app/package.json", "/root/** tmp"),
        ("COREPACK_HOME=/c corepack install", "", "net /c/**", "/c/** /root/** tmp"),
        ("corepack yarn install", "`yarn install`", "", ""),
        ("corepack prepare ./x.tgz", "`prepare ./x.tgz`", "", ""),
    ];

    #[test]
    fn bun_and_corepack_have_their_footprints() {
        check(LINES);
    }
}
