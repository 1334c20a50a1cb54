//! npm: the manifests of a project and its members, the lock file and `.npmrc`.
//!
//! Goes in: a command line. Comes out: what an install of the project's own dependencies needs. Invariant: as for all
//! tools; scripts that npm runs by itself are looked into, unless `--ignore-scripts` is given.

use super::globs::Globs;
use super::node::Package;
use super::node_tree::{Folder, Manager, Tree, top_of};
use super::words::{Options, Words};
use super::{Command, Found, Needs, Project, join, node_settings, npm_lock};

#[rustfmt::skip]
const OPTIONS: Options = Options {
    flags: &[
        "--production", "--no-audit", "--no-fund", "--legacy-peer-deps", "--ignore-scripts", "--force", "-f",
        "--silent", "-s", "--prefer-offline", "--offline", "--no-optional", "--no-save", "--no-package-lock",
        "--verbose", "-d", "-dd", "-ddd", "-q", "--quiet", "--unsafe-perm", "--no-progress", "--save-exact",
        "--save", "-S", "--save-dev", "-D", "-E", "-P", "-O", "-g", "--global", "--no-update-notifier",
        "--no-bin-links", "--audit", "--fund", "--progress", "--strict-peer-deps", "--prefer-online",
        "--foreground-scripts", "--yes", "-y", "--workspaces", "-ws", "--include-workspace-root", "--no-color",
        "--only-production", "--optional", "--dev", "--package-lock", "--prefer-dedupe", "--no-shrinkwrap",
    ],
    valued: &[
        "--omit", "--only", "--include", "--loglevel", "--cache", "--registry", "--prefix", "-C", "--maxsockets",
        "--fetch-retries", "--fetch-timeout", "--fetch-retry-mintimeout", "--fetch-retry-maxtimeout",
        "--fetch-retry-factor", "--network-timeout", "--location", "--workspace", "-w", "--install-strategy",
        "--cpu", "--os", "--libc", "--before", "--audit-level", "--lockfile-version",
    ],
};

const NPM: Manager = Manager {
    name: "npm",
    top_scripts: &[
        "preinstall",
        "install",
        "postinstall",
        "prepublish",
        "preprepare",
        "prepare",
        "postprepare",
        "predependencies",
        "dependencies",
        "postdependencies",
    ],
    member_scripts: &[
        "preinstall",
        "install",
        "postinstall",
        "prepublish",
        "prepare",
    ],
    links_top: false,
    compiles: true,
    folder: |kind| match kind {
        "" | "file:" => Folder::Link,
        _ => Folder::Odd,
    },
    member_files: &[],
    catalogs: false,
};

const LOCKS: [&str; 2] = ["package-lock.json", "npm-shrinkwrap.json"];

/// What npm needs, where it leaves its lock file as it is.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    found(command, project, true)
}

/// What npm needs; `writes`: it may write its lock file.
pub(super) fn found(command: &Command<'_>, project: &dyn Project, writes: bool) -> Found {
    let words = Words::parse(command.arguments, &OPTIONS)?;
    if words.has(&["-g", "--global"]) || words.value(&["--location"]) == Some("global") {
        return globally(&words);
    }
    let keeps_lock = match words.operands.as_slice() {
        ["cache", "clean" | "verify"] => return others(command, project),
        ["config", "set", setting] => return configures(setting.split_once('=')),
        ["config", "set", key, value] => return configures(Some((key, value))),
        ["ci" | "clean-install" | "install-clean" | "ic"] => true,
        ["install" | "i" | "add"] => false,
        _ => return Err("only an install of the project's own dependencies is known".to_owned()),
    };
    node_settings::variables(command)?;
    let mut needs = Needs::default();
    let dir = match words.value(&["--prefix", "-C"]) {
        Some(prefix) => join(command.dir, prefix),
        None => top_of(command.dir, project, &mut needs)?,
    };
    let settings = node_settings::npmrc(command, &dir, project, &mut needs)?;
    let has_lock = LOCKS.iter().any(|l| project.is_file(&join(&dir, l)));
    if keeps_lock && !has_lock {
        // npm ci refuses to work without one.
        return Err("there is no lock file".to_owned());
    }
    let other = join(&dir, "yarn.lock");
    if project.is_file(&other) && !keeps_lock {
        return Err(format!("npm install may write {other}"));
    }
    needs.read(other);
    let package = Package::read(project, &dir)?;
    let tree = Tree {
        manager: NPM,
        globs: Globs::new(&package.workspaces()?.unwrap_or_default())?,
        runs_scripts: !words.has(&["--ignore-scripts"])
            && settings.get("ignore-scripts").is_none_or(|v| v != "true"),
        top: dir.clone(),
        project,
    };
    let packages = tree.install(&mut needs)?;
    needs.read_all(&dir, &LOCKS);
    if !keeps_lock {
        if writes {
            npm_lock::is_up_to_date(&dir, &packages, project)?;
        }
        needs.assume("npm install leaves package-lock.json as it is: it is up to date");
    }
    Ok(needs)
}

/// What looks at no manifest.
fn others(command: &Command<'_>, project: &dyn Project) -> Found {
    let mut needs = Needs::default();
    node_settings::npmrc(command, command.dir, project, &mut needs)?;
    Ok(needs)
}

/// A setting of the home directory.
fn configures(setting: Option<(&str, &str)>) -> Found {
    let (key, value) = setting.ok_or("the setting is not known")?;
    node_settings::harmless(&key.to_ascii_lowercase(), value)?;
    Ok(Needs::default())
}

fn globally(words: &Words<'_>) -> Found {
    let ["install" | "i" | "add", packages @ ..] = words.operands.as_slice() else {
        return Err("what it does globally is not known".to_owned());
    };
    let local = |p: &&&str| {
        let path = p.contains('/') && !p.starts_with('@') && !p.contains("://");
        path || p.starts_with(['.', '~'])
            || p.contains("file:")
            || p.ends_with("gz")
            || p.ends_with(".tar")
    };
    match packages.iter().find(local) {
        Some(_) => Err("it may install a local package".to_owned()),
        None if packages.is_empty() => Err("it installs the project globally".to_owned()),
        None => Ok(Needs::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{shown, shown_with};

    const LOCK: (&str, &str) = ("/app/package-lock.json", "{}");

    #[test]
    fn npm_reads_its_manifests() {
        let files = [
            ("/app/package.json", r#"{"dependencies":{"a":"~1.2"}}"#),
            (
                "/app/package-lock.json",
                r#"{"name":"app","lockfileVersion":3,"packages":{"":{"dependencies":{"a":"~1.2"}}}}"#,
            ),
            ("/app/src/a.js", ""),
        ];
        let all = "/app/.npmrc /app/binding.gyp /app/npm-shrinkwrap.json /app/package-lock.json /app/package.json \
                   /app/yarn.lock /package.json | /app/node_modules/**";
        assert_eq!(shown("npm ci", "/app", &files), all);
        assert_eq!(shown("npm install --omit=dev", "/app", &files), all);
        assert_eq!(shown("npm i --omit dev -w a", "/app", &files), all);
        assert_eq!(
            shown("npm --prefix app ci", "/", &files),
            all.replace(" /package.json", "")
        );
        assert_eq!(shown("npm i -g npm@11 @x/y", "/app", &files), " | ");
    }

    #[test]
    fn npm_install_may_write_its_lock_file() {
        let own =
            r#"{"version":"1.0.0","license":"MIT","dependencies":{"a":"^1"},"workspaces":["w"]}"#;
        let member = r#"{"name":"w","devDependencies":{"b":"2"}}"#;
        let lock = r#"{"name":"app","version":"1.0.0","lockfileVersion":3,"packages":{
            "":{"version":"1.0.0","license":"MIT","dependencies":{"a":"^1"},"workspaces":["w"]},
            "w":{"devDependencies":{"b":"2"}},"node_modules/a":{"version":"1.0.1"}}}"#;
        let with = |line: &str, lock: &str| {
            let files = [
                ("/app/package.json", own),
                ("/app/w/package.json", member),
                ("/app/package-lock.json", lock),
            ];
            shown(line, "/app", &files)
        };
        assert!(with("npm install", lock).contains("/app/package-lock.json"));
        for (from, to, why) in [
            (
                r#""name":"app""#,
                r#""name":"huginn""#,
                "the name of /app/package.json",
            ),
            (
                r#","version":"1.0.0","lock"#,
                r#","version":"1.0.1","lock"#,
                "the version",
            ),
            (r#"{"a":"^1"}"#, r#"{"a":"^2"}"#, "the dependencies"),
            ("MIT", "GPL", "the license"),
            (
                r#"{"b":"2"}"#,
                r#"{"b":"3"}"#,
                "the devDependencies of /app/w/package.json",
            ),
            (r#""w":{"#, r#""x":{"#, "/app/w/package.json is not in it"),
            (r#"Version":3"#, r#"Version":1"#, "newer form"),
            (r#","workspaces":["w"]"#, "", "the workspaces"),
            (r#""":{"#, r#""":{"bin":{"x":"x.js"},"#, "the bin"),
            (r#""w":{"#, r#""w":{"name":"w","#, "the name of /app/w"),
        ] {
            let other = lock.replace(from, to);
            assert_ne!(other, lock, "{from}");
            let found = with("npm install", &other);
            assert!(
                found.starts_with('(') && found.contains(why),
                "{why}: {found}"
            );
            assert!(!with("npm ci", &other).starts_with('('), "{why}");
        }
    }

    /// As npm 11.19 has written them.
    #[test]
    fn fields_of_a_lock_file_are_those_of_the_manifest() {
        for (own, entry) in [
            (r#""bin":"./x.js""#, r#""bin":{"app":"x.js"}"#),
            (r#""bin":{"a":"./b/a.js"}"#, r#""bin":{"a":"b/a.js"}"#),
            (r#""funding":"http://x""#, r#""funding":{"url":"http://x"}"#),
            (r#""funding":["http://x"]"#, r#""funding":["http://x"]"#),
            (r#""os":"linux""#, r#""os":"linux""#),
            (
                r#""bundledDependencies":["a"]"#,
                r#""bundleDependencies":["a"]"#,
            ),
            (
                r#""license":{"type":"MIT","url":"x"}"#,
                r#""license":"MIT""#,
            ),
            (r#""devDependencies":{}"#, r#""devDependencies":{}"#),
            (r#""engines":["node"]"#, r#""engines":["node"]"#),
            (
                r#""dependencies":{"a":"1"},"optionalDependencies":{"a":"1"}"#,
                r#""optionalDependencies":{"a":"1"}"#,
            ),
            (
                r#""peerDependenciesMeta":{"a":{"optional":true}}"#,
                r#""peerDependenciesMeta":{"a":{"optional":true}}"#,
            ),
            (r#""workspaces":[],"bin":{}"#, ""),
        ] {
            let files = |entry: &str| {
                let entry = match entry {
                    "" => String::new(),
                    entry => format!(",{entry}"),
                };
                let own = format!(r#"{{"name":"@s/app",{own}}}"#);
                let lock = format!(
                    r#"{{"name":"@s/app","lockfileVersion":3,"packages":{{"":{{"name":"@s/app"{entry}}}}}}}"#
                );
                let files = [
                    ("/app/package.json", own.as_str()),
                    ("/app/package-lock.json", lock.as_str()),
                    ("/app/x.js", ""),
                ];
                shown("npm install", "/app", &files)
            };
            assert!(!files(entry).starts_with('('), "{own}: {}", files(entry));
            if !entry.is_empty() {
                let without = files("");
                assert!(without.contains("is another there"), "{own}: {without}");
            }
        }
    }

    #[test]
    fn members_of_a_workspace_are_read() {
        let top =
            r#"{"workspaces":["packages/*","!packages/old"],"dependencies":{"l":"file:lib"}}"#;
        let a = r#"{"name":"a","bin":{"a":"bin/a.js","late":"dist/x.js"},"scripts":{"prepublishOnly":"x"}}"#;
        let files = [
            ("/app/package.json", top),
            LOCK,
            ("/app/packages/a/package.json", a),
            ("/app/packages/a/bin/a.js", "#!/usr/bin/env node"),
            (
                "/app/packages/b/package.json",
                r#"{"dependencies":{"a":"*"}}"#,
            ),
            ("/app/packages/old/package.json", "no json"),
            ("/app/lib/package.json", r#"{"name":"l"}"#),
            ("/app/lib/index.js", ""),
        ];
        let expected = "/app/.npmrc /app/binding.gyp /app/lib/binding.gyp /app/lib/package.json \
                        /app/npm-shrinkwrap.json /app/package-lock.json /app/package.json \
                        /app/packages/a/bin/a.js /app/packages/a/binding.gyp /app/packages/a/dist/x.js \
                        /app/packages/a/package.json /app/packages/b/binding.gyp \
                        /app/packages/b/package.json /app/yarn.lock /package.json | /app/lib/node_modules/** \
                        /app/node_modules/** /app/packages/a/node_modules/** /app/packages/b/node_modules/**";
        assert_eq!(shown("npm ci", "/app", &files), expected);
        // The top of a workspace is found from its members.
        let found = shown("npm ci", "/app/packages/b", &files);
        assert!(
            found.ends_with(expected.split(" | ").nth(1).unwrap()),
            "{found}"
        );
        let mut plain = files;
        plain[3].1 = "console.log(1)";
        assert!(
            shown("npm ci", "/app", &plain).contains("makes /app/packages/a/bin/a.js executable")
        );
        plain[3].1 = "#!/usr/bin/env node\r\n";
        assert!(shown("npm ci", "/app", &plain).contains("line ends"));
    }

    #[test]
    fn scripts_are_looked_into() {
        for (manifest, expected) in [
            (r#"{"scripts":{"prepare":"husky"}}"#, ""),
            (
                r#"{"scripts":{"postinstall":"patch-package"}}"#,
                "/app/patches/**",
            ),
            (
                r#"{"scripts":{"postinstall":"prisma generate"}}"#,
                "/app/prisma/schema.prisma",
            ),
            (
                r#"{"dependencies":{"@prisma/client":"6"}}"#,
                "/app/prisma/schema.prisma",
            ),
            (r#"{"devDependencies":{"husky":"^4"}}"#, ""),
        ] {
            let files = [
                ("/app/package.json", manifest),
                LOCK,
                ("/app/prisma/schema.prisma", "model A {}"),
            ];
            let found = shown("npm ci", "/app", &files);
            assert!(
                !found.starts_with('(') && found.contains(expected),
                "{manifest} {found}"
            );
            let found = shown("npm ci --ignore-scripts", "/app", &files);
            assert!(
                !found.contains("patches") && !found.contains("prisma"),
                "{found}"
            );
        }
    }

    #[test]
    fn projects_that_look_at_their_sources_are_left_alone() {
        for manifest in [
            r#"{"scripts":{"postinstall":"node x.js"}}"#,
            r#"{"scripts":{"dependencies":"./x"}}"#,
            r#"{"dependencies":{"a":"file:../a"}}"#,
            r#"{"dependencies":{"a":"./a"}}"#,
            r#"{"overrides":{"a":{"b":"link:x"}}}"#,
            r#"{"workspaces":"packages/*"}"#,
            r#"{"dependencies":{"nx":"20"}}"#,
            r#"{"dependencies":{"puppeteer":"20"}}"#,
            "not json",
            "[]",
        ] {
            let files = [
                ("/app/package.json", manifest),
                LOCK,
                ("/app/nx.json", "{}"),
                ("/app/.puppeteerrc.cjs", ""),
            ];
            assert!(
                shown("npm ci", "/app", &files).starts_with('('),
                "{manifest}"
            );
        }
        let plain = ("/app/package.json", "{}");
        assert!(
            shown("npm ci", "/app", &[plain]).starts_with('('),
            "no lock"
        );
        assert!(shown("npm i", "/app", &[plain]).starts_with('/'), "no lock");
        for (path, text) in [
            ("/app/node_modules/a/b", ""),
            ("/app/binding.gyp", ""),
            ("/app/.npmrc", "prefix=/x\n"),
            ("/root/.npmrc", "script-shell=/x\n"),
        ] {
            assert!(
                shown("npm ci", "/app", &[plain, LOCK, (path, text)]).starts_with('('),
                "{path}"
            );
        }
        let git = ("/app/.git/HEAD", "");
        let husky = ("/app/package.json", r#"{"scripts":{"prepare":"husky"}}"#);
        assert!(shown("npm ci", "/app", &[husky, LOCK, git]).starts_with('('));
        for line in [
            "npm install x",
            "npm i -g ./x",
            "npm i -g x.tgz",
            "npm i -g",
            "npm run x",
            "npm ci --script-shell=x",
            "npm ci --install-links",
        ] {
            assert!(
                shown(line, "/app", &[plain, LOCK]).starts_with('('),
                "{line}"
            );
        }
        let set = [("npm_config_modules", "x")];
        assert!(shown_with("npm ci", "/app", &[plain, LOCK], &set).starts_with('('));
    }
}
