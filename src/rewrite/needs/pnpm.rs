//! pnpm: the manifests of a workspace, `pnpm-workspace.yaml`, `.npmrc`, the lock file, patches and hooks.
//!
//! Goes in: a command line. Comes out: what an install needs. Invariant: settings that are not listed are reasons, and
//! so are hooks that load other files.

use super::berry::all_remote;
use super::globs::Globs;
use super::node::{Package, yaml};
use super::node_settings::{self, harmless};
use super::node_tree::{Folder, Manager, Tree};
use super::words::{Options, Words};
use super::{Command, Found, Needs, Project, above, inside, join, text};
use serde_json::Value;

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

/// Hooks, and other spellings of manifests.
const HOOKS: [&str; 3] = [".pnpmfile.cjs", ".pnpmfile.mjs", "pnpmfile.js"];

/// Settings that say which packages and versions count.
#[rustfmt::skip]
const LISTS: &[&str] = &[
    "packages", "onlyBuiltDependencies", "neverBuiltDependencies", "ignoredBuiltDependencies", "allowBuilds",
    "peerDependencyRules", "allowedDeprecatedVersions", "auditConfig", "updateConfig", "supportedArchitectures",
    "ignoredOptionalDependencies", "allowUnusedPatches", "minimumReleaseAgeExclude", "trustPolicyExclude",
    "publicHoistPattern", "hoistPattern", "requiredScripts", "allowNonAppliedPatches", "namedRegistries",
];

/// What pnpm needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::parse(command.arguments, &OPTIONS)?;
    node_settings::variables(command)?;
    let odd = |n: &&String| n.to_ascii_uppercase().starts_with("PNPM_");
    let plain = ["PNPM_HOME", "PNPM_VERSION"];
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

struct Scene<'a> {
    command: &'a Command<'a>,
    words: &'a Words<'a>,
    project: &'a dyn Project,
    needs: &'a mut Needs,
    /// The top of the workspace.
    top: String,
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
        for package in tree.install(self.needs)? {
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

    /// What the settings say: the members, and whether scripts are off.
    fn settings(&mut self) -> Result<(Globs, bool), String> {
        let top = self.top.clone();
        let npmrc = node_settings::npmrc(self.command, &top, self.project, self.needs)?;
        let mut silent = npmrc.get("ignore-scripts").is_some_and(|v| v == "true");
        if npmrc.get("node-linker").is_some_and(|v| v == "pnp") {
            return Err("what the node-linker pnp leaves is not known".to_owned());
        }
        self.needs.read_all(
            &top,
            &[
                "package.json",
                "pnpm-lock.yaml",
                ".node-version",
                ".nvmrc",
                ".corepack.env",
            ],
        );
        self.needs.read_all(&top, &HOOKS);
        let patches = join(&top, "patches");
        if self.project.has_below(&patches) {
            self.needs.read_tree(patches);
        }
        for name in HOOKS {
            self.hooks(&join(&top, name))?;
        }
        if self.project.is_file(&join(&top, "package.json")) {
            let package = Package::read(self.project, &top)?;
            if let Some(own) = package.json.get("pnpm") {
                self.section(own, &package.path())?;
            }
        }
        let file = join(&top, "pnpm-workspace.yaml");
        let mut globs = Globs::default();
        if self.project.is_file(&file) && !self.words.has(&["--ignore-workspace"]) {
            let tree = yaml(self.project, &file)?;
            silent |= self.section(&tree, &file)?;
            let list = tree.get("packages").and_then(Value::as_array);
            let odd = || format!("packages of {file} is not understood");
            let list = list
                .into_iter()
                .flatten()
                .map(|p| p.as_str().ok_or_else(odd));
            let list: Vec<&str> = list.collect::<Result<_, _>>()?;
            // The order counts for nothing here: those with ! always take away.
            let (no, yes): (Vec<&str>, Vec<&str>) = list.iter().partition(|p| p.starts_with('!'));
            globs = Globs::new(&[yes, no].concat())?;
        }
        Ok((globs, silent))
    }

    /// Settings of a manifest or of `pnpm-workspace.yaml`; whether scripts are off.
    fn section(&mut self, tree: &Value, path: &str) -> Result<bool, String> {
        let mut silent = false;
        let Some(map) = tree.as_object() else {
            return match tree.is_null() {
                true => Ok(false),
                false => Err(format!("{path} is not understood")),
            };
        };
        for (key, value) in map {
            let odd = || format!("{path}: the setting {key} is not known");
            match key.as_str() {
                "patchedDependencies" => {
                    for patch in value.as_object().ok_or_else(odd)?.values() {
                        let file = join(&self.top, patch.as_str().ok_or_else(odd)?);
                        if !self.project.is_file(&file) {
                            return Err(format!("the patch {file} is not in the build context"));
                        }
                        self.needs.read(file);
                    }
                }
                // Of the manifest they are looked at with its dependencies.
                "overrides" | "catalog" | "catalogs" | "packageExtensions" => {
                    let local = value.to_string().contains("workspace:");
                    if !all_remote_or_catalog(value) || (local && key == "packageExtensions") {
                        return Err(format!("{path}: {key} names a local package"));
                    }
                }
                name if LISTS.contains(&name) => {}
                name => {
                    let value = match value {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    let name = kebab(name);
                    harmless(&name, &value).map_err(|why| format!("{path}: {why}"))?;
                    silent |= name == "ignore-scripts" && value == "true";
                    if name == "node-linker" && value == "pnp" {
                        return Err(odd());
                    }
                }
            }
        }
        Ok(silent)
    }

    /// Hooks are read; those that load files or name local packages are not understood.
    fn hooks(&mut self, path: &str) -> Result<(), String> {
        if !self.project.is_file(path) {
            return Ok(());
        }
        let text = text(self.project, path)?;
        let loads = [
            "require",
            "import",
            "process",
            "file:",
            "link:",
            "__dirname",
            "eval",
            "fetch",
        ];
        match loads.iter().find(|w| text.contains(*w)) {
            Some(word) => Err(format!("{path} has the word {word}")),
            None => Ok(()),
        }
    }
}

fn all_remote_or_catalog(value: &Value) -> bool {
    let text = value.to_string().replace("\"catalog:", "\"");
    serde_json::from_str(&text).is_ok_and(|v| all_remote(&v))
}

/// `nodeLinker` is `node-linker` elsewhere.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{shown, shown_with};

    const LOCK: (&str, &str) = ("/app/pnpm-lock.yaml", "");
    const YAML: &str = "packages:\n  - '!**/test/**'\n  - packages/*\n  - apps/**\ncatalog:\n  x: ^1\nnodeLinker: hoisted\n\
                        patchedDependencies:\n  y@1.0.0: patches/y.patch\noverrides:\n  z: 'catalog:'\n";

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
                        /app/packages/a/package.json /app/patches/** /app/patches/y.patch /app/pnpm-lock.yaml \
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
