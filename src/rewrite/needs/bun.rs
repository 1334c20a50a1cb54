//! bun: the manifests of a workspace, `bunfig.toml`, `.npmrc`, lock files and patches.
//!
//! Goes in: a command line. Comes out: what an install needs. Invariant: settings that are not listed are reasons.

use super::berry::all_remote;
use super::globs::Globs;
use super::node::Package;
use super::node_tree::{Folder, Manager, Tree, top_of};
use super::python::table;
use super::words::{Options, Words};
use super::{Command, Found, Needs, Project, join, node_settings};
use serde_json::Value;

#[rustfmt::skip]
const OPTIONS: Options = Options {
    flags: &[
        "-p", "-y", "-d", "-g", "-D", "-E", "--frozen-lockfile", "--production", "--no-save",
        "--ignore-scripts", "--no-progress", "--no-summary", "--no-verify", "--no-cache", "--silent", "--quiet",
        "--verbose", "--force", "--dev", "--global", "--exact", "--save-text-lockfile",
    ],
    valued: &[
        "--backend", "--registry", "--cwd", "--cache-dir", "--omit", "--concurrent-scripts",
        "--network-concurrency", "--linker", "--filter",
    ],
};

const LIFECYCLE: &[&str] = &[
    "preinstall",
    "install",
    "postinstall",
    "preprepare",
    "prepare",
    "postprepare",
];

const BUN: Manager = Manager {
    name: "bun",
    top_scripts: LIFECYCLE,
    member_scripts: LIFECYCLE,
    links_top: false,
    compiles: true,
    folder: |_| Folder::Odd,
    member_files: &[],
    catalogs: true,
};

const LOCKS: [&str; 2] = ["bun.lock", "bun.lockb"];

/// Lock files of others, which it takes over where it has none, and files with variables.
#[rustfmt::skip]
const OTHERS: [&str; 11] = [
    "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "pnpm-workspace.yaml", "bunfig.toml", ".env",
    ".env.local", ".env.development", ".env.production", ".env.development.local", ".env.production.local",
];

/// Settings of `[install]` that move nothing.
#[rustfmt::skip]
const SETTINGS: &[&str] = &[
    "registry", "scopes", "frozenLockfile", "exact", "production", "optional", "dev", "peer", "auto",
    "saveTextLockfile", "linker", "dryRun", "ca", "concurrentScripts", "minimumReleaseAge",
    "minimumReleaseAgeExcludes", "linkWorkspacePackages", "logLevel", "ignoreScripts",
];

/// What bun needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::parse(command.arguments, &OPTIONS)?;
    node_settings::variables(command)?;
    let moves =
        |n: &&String| n.starts_with("BUN_") && !n.starts_with("BUN_INSTALL") && *n != "BUN_VERSION";
    if let Some(name) = command.variables.keys().find(moves) {
        return Err(format!("{name} is set"));
    }
    let mut needs = Needs::default();
    let global = words.has(&["-g", "--global"]);
    let keeps = match words.operands.as_slice() {
        ["add" | "a" | "install" | "i", packages @ ..] if global => {
            let local = |p: &&str| {
                p.contains([':', '~'])
                    || p.starts_with('.')
                    || (p.contains('/') && !p.starts_with('@'))
            };
            return match packages.is_empty() || packages.iter().any(local) {
                true => Err("it may install a local package".to_owned()),
                false => Ok(needs),
            };
        }
        ["install" | "i"] if !global => words.has(&["--frozen-lockfile", "--production", "-p"]),
        ["ci"] => true,
        ["pm", "cache", "rm"] => return Ok(needs),
        _ => return Err("only an install of the project's own dependencies is known".to_owned()),
    };
    let dir = words.value(&["--cwd"]);
    let dir = dir.map_or(command.dir.to_owned(), |d| join(command.dir, d));
    let top = top_of(&dir, project, &mut needs)?;
    let mut silent = words.has(&["--ignore-scripts"]);
    for place in [&top, &dir] {
        let npmrc = node_settings::npmrc(command, place, project, &mut needs)?;
        silent |= npmrc.get("ignore-scripts").is_some_and(|v| v == "true");
        settings(&join(place, "bunfig.toml"), project)?;
        needs.read_all(place, &OTHERS);
    }
    locks(&top, keeps, project)?;
    needs.read_all(&top, &LOCKS);
    let package = Package::read(project, &top)?;
    let globs = Globs::new(&package.workspaces()?.unwrap_or_default())?;
    if globs.takes_away() {
        return Err(format!(
            "workspaces of {} has a pattern with !",
            package.path()
        ));
    }
    catalogs(&package)?;
    patches(&package, project, &mut needs)?;
    let tree = Tree {
        manager: BUN,
        top: top.clone(),
        globs,
        runs_scripts: !silent,
        project,
    };
    tree.install(&mut needs)?;
    if !keeps && !words.has(&["--no-save"]) {
        needs.assume("bun install leaves bun.lock as it is: it is up to date");
    }
    Ok(needs)
}

fn locks(top: &str, keeps: bool, project: &dyn Project) -> Result<(), String> {
    if LOCKS.iter().any(|l| project.is_file(&join(top, l))) {
        return Ok(());
    }
    if keeps {
        return Err("there is no lock file".to_owned());
    }
    let other = join(top, "pnpm-lock.yaml");
    match project.is_file(&other) {
        // It writes what pnpm-workspace.yaml says into the manifest.
        true => Err(format!("bun takes {other} over")),
        false => Ok(()),
    }
}

fn catalogs(package: &Package) -> Result<(), String> {
    let inside = package.json.get("workspaces");
    for key in ["catalog", "catalogs"] {
        let lists = [package.json.get(key), inside.and_then(|w| w.get(key))];
        if !lists.iter().flatten().all(|l| all_remote(l)) {
            return Err(format!("{key} of {} names a local package", package.path()));
        }
    }
    Ok(())
}

fn patches(package: &Package, project: &dyn Project, needs: &mut Needs) -> Result<(), String> {
    let folder = join(&package.dir, "patches");
    if project.has_below(&folder) {
        needs.read_tree(folder);
    }
    let list = package.json.get("patchedDependencies");
    let list = list.and_then(Value::as_object).into_iter().flatten();
    for (_, patch) in list {
        let file = patch
            .as_str()
            .map(|p| join(&package.dir, p))
            .unwrap_or_default();
        if !project.is_file(&file) {
            return Err(format!("the patch {file} is not in the build context"));
        }
        needs.read(file);
    }
    Ok(())
}

/// `bunfig.toml`; only `[install]` counts.
fn settings(path: &str, project: &dyn Project) -> Result<(), String> {
    if !project.is_file(path) {
        return Ok(());
    }
    let tree = table(project, path)?;
    let Some(install) = tree.get("install") else {
        return Ok(());
    };
    let odd = |key: &str| format!("{path}: the setting install.{key} is not known");
    let table = install.as_table().ok_or_else(|| odd(""))?;
    let unknown = |key: &&String| {
        let empty = table.get(*key).and_then(toml::Value::as_table);
        let saves = *key == "lockfile" && empty.is_some_and(|t| t.keys().all(|k| k == "save"));
        !SETTINGS.contains(&key.as_str()) && !saves
    };
    match table.keys().find(unknown) {
        Some(key) => Err(odd(key)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{shown, shown_with};

    const LOCK: (&str, &str) = ("/app/bun.lock", "{}");

    #[test]
    fn bun_reads_its_manifests() {
        let files = [
            (
                "/app/package.json",
                r#"{"workspaces":{"packages":["packages/*"],"catalog":{"x":"1"}},"patchedDependencies":{"y@1":"patches/y.patch"}}"#,
            ),
            LOCK,
            (
                "/app/bunfig.toml",
                "[install]\nexact = true\n[test]\npreload = \"./x.ts\"\n",
            ),
            ("/app/patches/y.patch", ""),
            (
                "/app/packages/a/package.json",
                r#"{"dependencies":{"x":"catalog:"}}"#,
            ),
            (
                "/app/packages/b/package.json",
                r#"{"dependencies":{"a":"workspace:*"}}"#,
            ),
            ("/app/src/a.ts", ""),
        ];
        let found = shown("bun install --frozen-lockfile", "/app", &files);
        for part in [
            "/app/bun.lock /app/bun.lockb /app/bunfig.toml",
            "/app/packages/a/package.json",
            "/app/patches/**",
            "| /app/node_modules/** /app/packages/a/node_modules/** /app/packages/b/node_modules/**",
        ] {
            assert!(found.contains(part), "{part}: {found}");
        }
        assert!(!found.contains("src"), "{found}");
        for line in [
            "bun i",
            "bun ci --ignore-scripts",
            "bun install --cwd /app -p",
        ] {
            assert!(shown(line, "/app", &files).starts_with('/'), "{line}");
        }
        assert_eq!(shown("bun add -g turbo", "/app", &files), " | ");
    }

    #[test]
    fn what_is_not_understood_is_a_reason() {
        let plain = ("/app/package.json", "{}");
        for (path, text) in [
            (
                "/app/package.json",
                r#"{"scripts":{"prepare":"node x.js"}}"#,
            ),
            ("/app/package.json", r#"{"dependencies":{"a":"file:./a"}}"#),
            ("/app/package.json", r#"{"catalog":{"a":"file:./a"}}"#),
            (
                "/app/package.json",
                r#"{"patchedDependencies":{"a":"gone"}}"#,
            ),
            ("/app/package.json", r#"{"workspaces":["a/*","!a/b"]}"#),
            ("/app/bunfig.toml", "[install.cache]\ndir = \"x\"\n"),
            ("/app/bunfig.toml", "[install.lockfile]\nprint = \"yarn\"\n"),
            ("/app/bunfig.toml", "x"),
        ] {
            let files = [plain, LOCK, (path, text)];
            assert!(
                shown("bun i", "/app", &files).starts_with('('),
                "{path} {text}"
            );
        }
        assert!(shown("bun ci", "/app", &[plain]).starts_with('('));
        let pnpm = ("/app/pnpm-lock.yaml", "");
        assert!(shown("bun i", "/app", &[plain, pnpm]).starts_with('('));
        for line in [
            "bun add x",
            "bun run x",
            "bun add -g ./x",
            "bun build ./x.ts",
            "bun i --frob",
        ] {
            assert!(
                shown(line, "/app", &[plain, LOCK]).starts_with('('),
                "{line}"
            );
        }
        assert!(
            shown_with("bun i", "/app", &[plain, LOCK], &[("BUN_CONFIG_X", "1")]).starts_with('(')
        );
    }
}
