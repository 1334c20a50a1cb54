//! pnpm: the manifests of a workspace, `pnpm-workspace.yaml`, `.npmrc`, the lock file, patches and hooks.
//!
//! Goes in: a command line. Comes out: what an install needs. Invariant: settings that are not listed are reasons, and
//! so are hooks that load other files.

use super::globs::Globs;
use super::node::{Package, yaml};
use super::node_settings::{self, harmless};
use super::node_tree::{Folder, Manager, Tree};
use super::words::{Options, Words};
use super::{Command, Found, Needs, Project, above, inside, join};

#[rustfmt::skip]
const OPTIONS: Options = Options {
    flags: &[
        "-P", "-D", "-r", "-g", "-w", "-O", "-E", "-s", "--frozen-lockfile", "--no-frozen-lockfile", "--prod",
        "--production", "--dev", "--no-optional", "--offline", "--prefer-offline", "--prefer-frozen-lockfile",
        "--ignore-scripts", "--shamefully-hoist", "--strict-peer-dependencies", "--no-strict-peer-dependencies",
        "--unsafe-perm", "--force", "--recursive", "--workspace-root", "--global", "--silent", "--no-color",
        "--no-verify-store-integrity", "--ignore-workspace", "--include-workspace-root", "--fix-lockfile",
        "--color", "--aggregate-output", "--stream", "--side-effects-cache", "--no-lockfile", "--no-hoist",
        "--verify-store-integrity", "--optional", "--use-stderr", "--yes",
    ],
    valued: &[
        "-C", "-F", "--filter", "--filter-prod", "--store-dir", "--dir", "--reporter", "--loglevel", "--registry",
        "--network-concurrency", "--fetch-timeout", "--fetch-retries", "--child-concurrency",
        "--workspace-concurrency", "--package-import-method", "--node-linker", "--cache-dir", "--state-dir",
        "--global-dir", "--global-bin-dir", "--cpu", "--os", "--libc",
    ],
};

const LIFECYCLE: &[&str] = &[
    "pnpm:devPreinstall",
    "preinstall",
    "install",
    "postinstall",
    "preprepare",
    "prepare",
    "postprepare",
    "prepublish",
];

const PNPM: Manager = Manager {
    name: "pnpm",
    top_scripts: LIFECYCLE,
    member_scripts: LIFECYCLE,
    links_top: false,
    compiles: true,
    folder: |kind| match kind {
        "link:" => Folder::Link,
        // `file:` may leave hard links to the sources.
        _ => Folder::Odd,
    },
    member_files: &[".npmrc"],
    catalogs: true,
};

/// What pnpm needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::parse(command.arguments, &OPTIONS)?;
    node_settings::variables(command)?;
    let odd = |n: &&String| n.to_ascii_uppercase().starts_with("PNPM_");
    let plain = [
        "PNPM_HOME",
        "PNPM_VERSION",
        "pnpm_config_verify_deps_before_run",
    ];
    if let Some(name) = command
        .variables
        .keys()
        .filter(odd)
        .find(|n| !plain.contains(&n.as_str()))
    {
        return Err(format!("{name} is set"));
    }
    let dir = words.value(&["-C", "--dir"]);
    let dir = dir.map_or(command.dir.to_owned(), |d| join(command.dir, d));
    let mut needs = Needs::default();
    let mut scene = Scene {
        command,
        words: &words,
        project,
        needs: &mut needs,
        top: String::new(),
    };
    match words.operands.as_slice() {
        ["add" | "install" | "i", packages @ ..] if words.has(&["-g", "--global"]) => {
            let plain = |p: &&str| {
                !p.contains([':', '~'])
                    && !p.starts_with('.')
                    && (!p.contains('/') || p.starts_with('@'))
            };
            if packages.is_empty() || !packages.iter().all(plain) {
                return Err("it may install a local package".to_owned());
            }
        }
        _ if words.has(&["-g", "--global"]) => {
            return Err("what it does globally is not known".to_owned());
        }
        ["install" | "i"] => scene.install(&dir)?,
        ["ci" | "clean-install"] => {
            return Err("what pnpm ci does depends on its version".to_owned());
        }
        ["fetch"] => scene.fetch(&dir)?,
        ["store", "prune" | "path"] => {
            scene.find(&dir);
            scene.settings()?;
        }
        ["config", "set", key, value] => harmless(&key.to_ascii_lowercase(), value)?,
        _ => return Err("only an install of the project's own dependencies is known".to_owned()),
    }
    Ok(needs)
}

/// One command at work.
pub(super) struct Scene<'a> {
    /// The command.
    pub(super) command: &'a Command<'a>,
    /// Its words.
    pub(super) words: &'a Words<'a>,
    /// The files.
    pub(super) project: &'a dyn Project,
    /// What it needs so far.
    pub(super) needs: &'a mut Needs,
    /// The top of the workspace.
    pub(super) top: String,
}

impl Scene<'_> {
    /// The top of the workspace that a folder belongs to.
    fn find(&mut self, dir: &str) {
        self.top = dir.to_owned();
        if self.words.has(&["--ignore-workspace"]) {
            return;
        }
        for place in std::iter::once(dir).chain(above(dir)) {
            let file = join(place, "pnpm-workspace.yaml");
            self.needs.read(file.clone());
            if self.project.is_file(&file) {
                self.top = place.to_owned();
                return;
            }
        }
    }

    fn fetch(&mut self, dir: &str) -> Result<(), String> {
        self.find(dir);
        if !self.project.is_file(&join(&self.top, "pnpm-lock.yaml")) {
            return Err("there is no lock file".to_owned());
        }
        self.settings()?;
        let modules = join(&self.top, "node_modules");
        if self.project.has_below(&modules) {
            return Err(format!("{modules} is in the build context"));
        }
        self.needs.write_tree(modules);
        self.needs
            .assume("pnpm fetch reads only the lock file and the settings of the project");
        self.needs
            .assume("the build context holds no node_modules (none is in git)");
        Ok(())
    }

    fn install(&mut self, dir: &str) -> Result<(), String> {
        self.find(dir);
        let (globs, silent) = self.settings()?;
        let relative = inside(dir, &self.top).unwrap_or_default();
        if !relative.is_empty() && !globs.matches(relative) {
            return Err(format!(
                "{dir} is no member of the workspace of {}",
                self.top
            ));
        }
        self.other_manifests(&globs)?;
        let keeps = self.words.has(&["--frozen-lockfile"]);
        if keeps && !self.project.is_file(&join(&self.top, "pnpm-lock.yaml")) {
            return Err("there is no lock file".to_owned());
        }
        let tree = Tree {
            manager: PNPM,
            top: self.top.clone(),
            globs,
            runs_scripts: !self.words.has(&["--ignore-scripts"]) && !silent,
            project: self.project,
        };
        let packages = tree.install(self.needs)?;
        let told = self
            .command
            .variables
            .get("pnpm_config_verify_deps_before_run");
        let is_off = told.is_some_and(|v| v.as_deref() == Some("false"));
        if !is_off && self.looks_at_times() && self.overrides_a_dependency(&packages)? {
            self.needs.afterwards = Some("pnpm_config_verify_deps_before_run=false");
        }
        for package in packages {
            let meta = package.json.get("dependenciesMeta");
            if meta.is_some_and(|m| m.to_string().contains("injected")) {
                return Err(format!("{} injects other members", package.path()));
            }
            if package.dir != self.top && self.project.is_file(&join(&package.dir, ".npmrc")) {
                node_settings::npmrc(self.command, &package.dir, self.project, self.needs)?;
            }
        }
        if self.words.value(&["--node-linker"]) == Some("pnp") {
            return Err("what --node-linker=pnp leaves is not known".to_owned());
        }
        if !keeps && !self.words.has(&["--no-lockfile"]) {
            self.needs
                .assume("pnpm install leaves pnpm-lock.yaml as it is: it is up to date");
        }
        Ok(())
    }

    /// Whether this may be a pnpm that installs again before it runs a script, where a manifest is younger than the last
    /// install and seems not to fit the lock file: 11.7 and 11.22 do, 10 and 11.28 do not.
    fn looks_at_times(&self) -> bool {
        let manifest = Package::read(self.project, &self.top).ok();
        let named = manifest.as_ref().and_then(|p| p.json.get("packageManager"));
        let version = named.and_then(|n| n.as_str()?.strip_prefix("pnpm@"));
        let number = |n: usize| {
            let part = version?.split(['.', '+', '-']).nth(n)?;
            part.parse::<u32>().ok()
        };
        match (number(0), number(1)) {
            (Some(11), Some(minor)) => minor < 28,
            (Some(11), None) | (None, _) => true,
            (Some(_), _) => false,
        }
    }

    /// Whether `overrides` may change a dependency that a manifest of the workspace names: that never seems to fit.
    fn overrides_a_dependency(&self, packages: &[Package]) -> Result<bool, String> {
        let file = join(&self.top, "pnpm-workspace.yaml");
        let tree = match self.project.is_file(&file) {
            true => Some(yaml(self.project, &file)?),
            false => None,
        };
        let top = Package::read(self.project, &self.top).ok();
        let lists = [
            tree.as_ref().and_then(|t| t.get("overrides")),
            top.as_ref()
                .and_then(|p| p.json.get("pnpm")?.get("overrides")),
        ];
        let names = lists.into_iter().flatten().filter_map(|l| l.as_object());
        let names: Vec<&str> = names
            .flat_map(|o| o.keys())
            // `a>b@1` is about b.
            .map(|k| k.rsplit('>').next().unwrap_or(k))
            .map(|k| match k.get(1..).and_then(|rest| rest.find('@')) {
                Some(at) => &k[..=at],
                None => k,
            })
            .collect();
        let groups = ["dependencies", "devDependencies", "optionalDependencies"];
        Ok(packages.iter().any(|p| {
            let listed = groups.iter().filter_map(|g| p.json.get(*g)?.as_object());
            listed
                .flat_map(|o| o.keys())
                .any(|k| names.contains(&k.as_str()))
        }))
    }

    /// `package.yaml` and `package.json5` are manifests too.
    fn other_manifests(&self, globs: &Globs) -> Result<(), String> {
        let is_one = |f: &&String| {
            let (folder, name) = f.rsplit_once('/').unwrap_or(("", f));
            let relative = inside(folder, &self.top).unwrap_or_default();
            matches!(name, "package.yaml" | "package.json5")
                && (relative.is_empty() || globs.matches(relative))
        };
        match self.project.below(&self.top).iter().find(is_one) {
            Some(file) => Err(format!("{file} is not understood")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{shown, shown_with};

    const LOCK: (&str, &str) = ("/app/pnpm-lock.yaml", "");
    const YAML: &str = "packages:\n  - '!**/test/**'\n  - packages/*\n  - apps/**\ncatalog:\n  x: ^1\nnodeLinker: hoisted\n\
                        patchedDependencies:\n  y@1.0.0: patches/y.patch\noverrides:\n  z: 'catalog:'\n";

    #[test]
    fn some_pnpm_look_at_times() {
        use crate::rewrite::needs::{Command, of};
        let told = |manager: &str, overrides: &str, variable: Option<&str>| {
            let top = format!(r#"{{"packageManager":"{manager}","dependencies":{{"x":"^1"}}}}"#);
            let yaml = format!("overrides:\n  {overrides}\n");
            let files = [
                ("/app/package.json", top.as_str()),
                LOCK,
                ("/app/pnpm-workspace.yaml", &yaml),
            ];
            let memory = super::super::Memory::of(&files);
            let mut variables = std::collections::BTreeMap::new();
            if let Some(value) = variable {
                let name = "pnpm_config_verify_deps_before_run".to_owned();
                variables.insert(name, Some(value.to_owned()));
            }
            let command = Command {
                tool: "pnpm",
                arguments: &["install".to_owned()],
                dir: "/app",
                variables: &variables,
            };
            of(&command, &memory).expect("known").afterwards.is_some()
        };
        for (manager, overrides, variable, expected) in [
            ("pnpm@11.7.0", "x: 1.0.0", None, true),
            ("pnpm@11.22.0+sha512.ab", "'a>x@1': 1.0.0", None, true),
            ("pnpm@11.7.0", "x: 1.0.0", Some("false"), false),
            ("pnpm@11.7.0", "y: 1.0.0", None, false),
            ("pnpm@11.28.0", "x: 1.0.0", None, false),
            ("pnpm@10.1.0", "x: 1.0.0", None, false),
            ("pnpm@12.0.0", "x: 1.0.0", None, false),
            ("yarn@1.22.0", "x: 1.0.0", None, true),
        ] {
            assert_eq!(
                told(manager, overrides, variable),
                expected,
                "{manager} {overrides}"
            );
        }
    }

    #[test]
    fn pnpm_reads_its_manifests() {
        let files = [
            (
                "/app/package.json",
                r#"{"packageManager":"pnpm@9.1.0","pnpm":{"onlyBuiltDependencies":["x"]}}"#,
            ),
            LOCK,
            ("/app/pnpm-workspace.yaml", YAML),
            ("/app/patches/y.patch", ""),
            ("/app/.npmrc", "shamefully-hoist=true\n# x\n"),
            (
                "/app/packages/a/package.json",
                r#"{"name":"a","dependencies":{"x":"catalog:"}}"#,
            ),
            (
                "/app/apps/x/web/package.json",
                r#"{"dependencies":{"a":"workspace:*"}}"#,
            ),
            ("/app/apps/test/b/package.json", "no json"),
            ("/app/src/a.js", ""),
        ];
        let found = shown("pnpm install --frozen-lockfile --prod", "/app", &files);
        let expected = "/app/.corepack.env /app/.node-version /app/.npmrc /app/.nvmrc /app/.pnpmfile.cjs /app/.pnpmfile.mjs \
                        /app/apps/x/web/.npmrc /app/apps/x/web/binding.gyp /app/apps/x/web/package.json \
                        /app/binding.gyp /app/package.json /app/packages/a/.npmrc /app/packages/a/binding.gyp \
                        /app/packages/a/package.json /app/patches/** /app/pnpm-lock.yaml \
                        /app/pnpm-workspace.yaml /app/pnpmfile.js | /app/apps/x/web/node_modules/** \
                        /app/node_modules/** /app/packages/a/node_modules/**";
        assert_eq!(found, expected);
        for line in [
            "pnpm i",
            "pnpm --filter web... install --offline",
            "pnpm -r -C /app install",
        ] {
            assert_eq!(shown(line, "/app", &files), expected, "{line}");
        }
        let within = shown("pnpm i", "/app/packages/a", &files);
        assert!(within.starts_with("/app/.corepack"), "{within}");
        assert!(shown("pnpm i", "/app/src", &files).starts_with('('));
        let fetched = shown("pnpm fetch --prod", "/app", &files);
        assert!(
            fetched.ends_with("| /app/node_modules/**") && !fetched.contains("packages/a"),
            "{fetched}"
        );
        assert_eq!(shown("pnpm add -g turbo @x/y", "/app", &files), " | ");
        assert_eq!(
            shown("pnpm config set store-dir /x", "/app", &files),
            "(the setting store-dir=/x is not known)"
        );
    }

    #[test]
    fn what_is_not_understood_is_a_reason() {
        let plain = ("/app/package.json", "{}");
        for (path, text) in [
            (
                "/app/package.json",
                r#"{"scripts":{"pnpm:devPreinstall":"node x.js"}}"#,
            ),
            ("/app/package.json", r#"{"dependencies":{"a":"file:./a"}}"#),
            (
                "/app/package.json",
                r#"{"pnpm":{"overrides":{"a":"file:./a"}}}"#,
            ),
            (
                "/app/package.json",
                r#"{"dependenciesMeta":{"a":{"injected":true}}}"#,
            ),
            ("/app/pnpm-workspace.yaml", "configDependencies:\n  x: 1\n"),
            ("/app/pnpm-workspace.yaml", "overrides:\n  x: link:./x\n"),
            (
                "/app/pnpm-workspace.yaml",
                "patchedDependencies:\n  x: patches/gone.patch\n",
            ),
            (
                "/app/pnpm-workspace.yaml",
                "sharedWorkspaceLockfile: false\n",
            ),
            ("/app/pnpm-workspace.yaml", "- x\n"),
            ("/app/.pnpmfile.cjs", "const x = require('./x')\n"),
            ("/app/.npmrc", "modules-dir=/x\n"),
            ("/app/package.yaml", ""),
        ] {
            let files = [plain, LOCK, (path, text)];
            assert!(
                shown("pnpm i", "/app", &files).starts_with('('),
                "{path} {text}"
            );
        }
        let files = [plain, LOCK];
        for line in [
            "pnpm add x",
            "pnpm run x",
            "pnpm deploy out",
            "pnpm i --modules-dir x",
            "pnpm add -g ./x",
        ] {
            assert!(shown(line, "/app", &files).starts_with('('), "{line}");
        }
        assert!(shown("pnpm i --frozen-lockfile", "/app", &[plain]).starts_with('('));
        assert!(shown_with("pnpm i", "/app", &files, &[("PNPM_X", "1")]).starts_with('('));
        let hook = ("/app/.pnpmfile.cjs", "module.exports = {hooks: {}}\n");
        assert!(shown("pnpm i", "/app", &[plain, LOCK, hook]).starts_with('/'));
    }
}
