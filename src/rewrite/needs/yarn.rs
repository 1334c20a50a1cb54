//! yarn: tells classic from berry by the lock file, and what classic needs.
//!
//! Goes in: a command line. Comes out: what an install needs. Invariant: where the lock file and the manifest name
//! different yarns, that is a reason.

use super::globs::Globs;
use super::node::{Package, yaml};
use super::node_tree::{Folder, Manager, Tree, top_of};
use super::words::{Options, Words};
use super::{Command, Found, Needs, Project, above, berry, join, node_settings, text};
use serde_json::Value;

#[rustfmt::skip]
const OPTIONS: Options = Options {
    flags: &[
        "--frozen-lockfile", "--immutable", "--immutable-cache", "--check-cache", "--inline-builds",
        "--production", "--prod", "--ignore-scripts", "--ignore-optional", "--ignore-engines",
        "--ignore-platform", "--non-interactive", "--no-progress", "--silent", "-s", "--pure-lockfile",
        "--prefer-offline", "--offline", "--verbose", "--force", "--no-bin-links", "--check-files",
        "--update-checksums", "--skip-integrity-check", "--no-node-version-check", "--json", "--all",
        "--no-immutable", "-A", "--no-lockfile", "--focus",
    ],
    valued: &[
        "--network-timeout", "--network-concurrency", "--mutex", "--registry", "--cwd", "--cache-folder",
        "--mode", "--loglevel", "--prefix",
    ],
};

const CLASSIC: Manager = Manager {
    name: "yarn",
    top_scripts: &[
        "preinstall",
        "install",
        "postinstall",
        "prepublish",
        "prepare",
    ],
    member_scripts: &["preinstall", "install", "postinstall"],
    links_top: false,
    compiles: true,
    folder: |kind| match kind {
        "" | "file:" => Folder::Copy,
        "link:" => Folder::Link,
        _ => Folder::Odd,
    },
    member_files: &[],
    catalogs: false,
};

/// Settings that move nothing.
#[rustfmt::skip]
const SETTINGS: &[&str] = &[
    "registry", "network-timeout", "network-concurrency", "child-concurrency", "save-prefix", "save-exact",
    "lastupdatecheck", "strict-ssl", "ignore-engines", "ignore-scripts", "ignore-optional", "always-auth",
    "email", "username", "version-tag-prefix", "version-git-message", "version-git-tag", "init-license",
    "init-version", "disable-self-update-check", "workspaces-experimental", "unsafe-disable-integrity-migration",
    "frozen-lockfile", "pure-lockfile", "prefer-offline", "non-interactive", "exact", "no-progress", "proxy",
    "https-proxy", "http-proxy", "user-agent", "ignore-platform", "silent", "production", "check-files",
];

/// What yarn needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::parse(command.arguments, &OPTIONS)?;
    node_settings::variables(command)?;
    berry::variables(command)?;
    let dir = words.value(&["--cwd"]);
    let dir = dir.map_or(command.dir.to_owned(), |d| join(command.dir, d));
    let mut needs = Needs::default();
    if let ["global", "add", packages @ ..] = words.operands.as_slice() {
        let plain = |p: &&str| {
            !p.contains([':', '~'])
                && !p.starts_with('.')
                && (!p.contains('/') || p.starts_with('@'))
        };
        return match !packages.is_empty() && packages.iter().all(plain) {
            true => Ok(needs),
            false => Err("it may install a local package".to_owned()),
        };
    }
    if words.has(&["--focus"]) {
        return Err("what --focus does is not known".to_owned());
    }
    let top = lock_folder(&dir, project, &mut needs)?;
    let is_berry = is_berry(&top, project, &mut needs)?;
    match (words.operands.as_slice(), is_berry) {
        ([] | ["install"], true) | (["workspaces", "focus", ..], true) => {
            berry::install(command, &words, &dir, top, project, needs)
        }
        ([] | ["install"], false) => classic(command, &words, &dir, project, needs),
        (["cache", "clean"], false) => {
            rc_files(&dir, project, &mut needs)?;
            Ok(needs)
        }
        (["cache", "clean"], true) => {
            berry::settings(command, &dir, &top, project, &mut needs)?;
            Ok(needs)
        }
        (["config", "set", key, _], false) if is_harmless(key) => Ok(needs),
        _ => Err("only an install of the project's own dependencies is known".to_owned()),
    }
}

/// The nearest folder with a lock file, or the highest with a manifest.
fn lock_folder(dir: &str, project: &dyn Project, needs: &mut Needs) -> Result<String, String> {
    let mut found = None;
    for place in std::iter::once(dir).chain(above(dir)) {
        needs.read_all(place, &["package.json", "yarn.lock", ".corepack.env"]);
        if project.is_file(&join(place, "package.json")) {
            found = Some(place.to_owned());
        }
        if project.is_file(&join(place, "yarn.lock")) {
            return Ok(place.to_owned());
        }
    }
    found.ok_or_else(|| format!("{} is not in the build context", join(dir, "package.json")))
}

/// Which yarn the project is made for.
fn is_berry(top: &str, project: &dyn Project, needs: &mut Needs) -> Result<bool, String> {
    let package = Package::read(project, top)?;
    let manager = package.json.get("packageManager").and_then(Value::as_str);
    let version = manager.and_then(|m| m.strip_prefix("yarn@"));
    if manager.is_some() && version.is_none() {
        return Err(format!("{} is for another package manager", package.path()));
    }
    let modern = join(top, ".yarnrc.yml");
    let rc = project.is_file(&modern);
    let has_path = rc && yaml(project, &modern)?.get("yarnPath").is_some();
    let said = match version {
        Some(v) => Some(!v.starts_with("1.")),
        None if has_path => Some(true),
        None => None,
    };
    let lock = join(top, "yarn.lock");
    let lock = match project.is_file(&lock) {
        true => text(project, &lock)?,
        false => String::new(),
    };
    let made_by = match lock.contains("\n__metadata:") || lock.starts_with("__metadata:") {
        true => Some(true),
        false if lock.contains("yarn lockfile v1") => Some(false),
        false => None,
    };
    match (said, made_by) {
        (Some(a), Some(b)) if a != b => {
            Err("the lock file is that of another yarn than the project asks for".to_owned())
        }
        (Some(known), _) => Ok(known),
        (None, made_by) => {
            let known = made_by.unwrap_or(rc);
            needs.assume(match known {
                true => {
                    "the yarn of the image is a modern one (2 or later), as the project expects"
                }
                false => "the yarn of the image is a classic one (1.x), as the project expects",
            });
            Ok(known)
        }
    }
}

fn classic(
    command: &Command<'_>,
    words: &Words<'_>,
    dir: &str,
    project: &dyn Project,
    mut needs: Needs,
) -> Found {
    let top = top_of(dir, project, &mut needs)?;
    let mut silent = words.has(&["--ignore-scripts"]);
    silent |= rc_files(dir, project, &mut needs)?;
    let npmrc = node_settings::npmrc(command, &top, project, &mut needs)?;
    silent |= npmrc.get("ignore-scripts").is_some_and(|v| v == "true");
    if dir != top {
        node_settings::npmrc(command, dir, project, &mut needs)?;
    }
    let package = Package::read(project, &top)?;
    for key in ["installConfig", "flat"] {
        if package.json.get(key).is_some() {
            return Err(format!("{key} of {} is not understood", package.path()));
        }
    }
    let keeps = words.has(&["--frozen-lockfile", "--immutable"]);
    if keeps && !project.is_file(&join(&top, "yarn.lock")) {
        return Err("there is no lock file".to_owned());
    }
    let globs = Globs::new(&package.workspaces()?.unwrap_or_default())?;
    if globs.takes_away() {
        return Err(format!(
            "workspaces of {} has a pattern with !",
            package.path()
        ));
    }
    let tree = Tree {
        manager: CLASSIC,
        top: top.clone(),
        globs,
        runs_scripts: !silent,
        project,
    };
    tree.install(&mut needs)?;
    needs.read_all(
        &top,
        &[
            "yarn.lock",
            ".yarnclean",
            "package-lock.json",
            "npm-shrinkwrap.json",
        ],
    );
    if project.has_below(&join(&top, "patches")) {
        needs.read_tree(join(&top, "patches"));
    }
    if !keeps && !words.has(&["--pure-lockfile", "--no-lockfile"]) {
        needs.assume("yarn install leaves yarn.lock as it is: it is up to date");
    }
    Ok(needs)
}

/// `.yarnrc` of a folder and those above it; whether they switch scripts off.
fn rc_files(dir: &str, project: &dyn Project, needs: &mut Needs) -> Result<bool, String> {
    let mut silent = false;
    for place in std::iter::once(dir).chain(above(dir)) {
        needs.read_all(place, &[".yarnrc", ".yarnrc.yml"]);
        let path = join(place, ".yarnrc");
        if project.is_file(&path) {
            silent |= rc_file(&path, place, project, needs)?;
        }
    }
    Ok(silent)
}

fn rc_file(
    path: &str,
    dir: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<bool, String> {
    let mut silent = false;
    for line in text(project, path)?.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, "true"));
        let bare = |t: &str| t.trim().trim_matches('"').to_owned();
        let (key, value) = (
            bare(key.trim_end_matches(':')).to_ascii_lowercase(),
            bare(value),
        );
        let plain = key.trim_start_matches("--");
        let plain = plain.strip_prefix("install.").unwrap_or(plain);
        match plain {
            "yarn-path" => needs.read(join(dir, &value)),
            "yarn-offline-mirror" => {
                needs.read_tree(join(dir, &value));
                needs.assume("the offline mirror holds all packages: yarn adds none to it");
            }
            name if is_harmless(name) => silent |= name == "ignore-scripts" && value == "true",
            _ => return Err(format!("{path}: the setting {key} is not known")),
        }
    }
    Ok(silent)
}

fn is_harmless(key: &str) -> bool {
    let registry = key.starts_with("//") || (key.starts_with('@') && key.ends_with(":registry"));
    registry || SETTINGS.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::super::shown;

    const LOCK: (&str, &str) = ("/app/yarn.lock", "# yarn lockfile v1\n");

    #[test]
    fn classic_reads_its_manifests() {
        let files = [
            (
                "/app/package.json",
                r#"{"workspaces":{"packages":["packages/*"]},"dependencies":{"c":"file:c"}}"#,
            ),
            LOCK,
            (
                "/app/.yarnrc",
                "registry \"https://e.org\"\nyarn-path \".yarn/releases/yarn.cjs\"\n",
            ),
            (
                "/app/packages/a/package.json",
                r#"{"dependencies":{"b":"1"},"scripts":{"prepare":"x"}}"#,
            ),
            ("/app/packages/b/package.json", "{}"),
            ("/app/c/package.json", "{}"),
            ("/app/src/a.js", ""),
        ];
        let expected = "/.yarnrc /.yarnrc.yml /app/.corepack.env /app/.npmrc /app/.yarn/releases/yarn.cjs /app/.yarnclean /app/.yarnrc \
                        /app/.yarnrc.yml /app/binding.gyp /app/c/** /app/npm-shrinkwrap.json /app/package-lock.json \
                        /app/package.json /app/packages/a/binding.gyp /app/packages/a/package.json \
                        /app/packages/b/binding.gyp /app/packages/b/package.json /app/yarn.lock /package.json | \
                        /app/node_modules/** /app/packages/a/node_modules/** /app/packages/b/node_modules/**";
        for line in [
            "yarn install --frozen-lockfile --network-timeout 100000",
            "yarn",
            "yarnpkg --cwd /app install --production=true",
        ] {
            assert_eq!(shown(line, "/app", &files), expected, "{line}");
        }
        assert_eq!(
            shown("yarn global add serve@14 @x/y", "/app", &files),
            " | "
        );
    }

    #[test]
    fn classic_projects_that_look_at_their_sources_are_left_alone() {
        for manifest in [
            r#"{"scripts":{"prepublish":"node x.js"}}"#,
            r#"{"dependencies":{"a":"file:../a"}}"#,
            r#"{"workspaces":["a/*","!a/b"]}"#,
            r#"{"packageManager":"yarn@4.1.0"}"#,
            r#"{"packageManager":"pnpm@9.0.0"}"#,
            r#"{"flat":true}"#,
        ] {
            let files = [("/app/package.json", manifest), LOCK];
            assert!(shown("yarn", "/app", &files).starts_with('('), "{manifest}");
        }
        let plain = ("/app/package.json", "{}");
        for line in [
            "yarn add x",
            "yarn install --modules-folder /x",
            "yarn run build",
            "yarn global add ./x",
            "yarn workspaces focus",
        ] {
            assert!(
                shown(line, "/app", &[plain, LOCK]).starts_with('('),
                "{line}"
            );
        }
        let odd = ("/app/.yarnrc", "--modules-folder /x\n");
        assert!(shown("yarn", "/app", &[plain, LOCK, odd]).starts_with('('));
        assert!(shown("yarn --frozen-lockfile", "/app", &[plain]).starts_with('('));
        assert!(shown("yarn", "/app", &[plain]).starts_with('/'));
    }
}
