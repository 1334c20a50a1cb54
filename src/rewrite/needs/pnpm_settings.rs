//! What a workspace tells pnpm: `pnpm-workspace.yaml`, `pnpm` in the manifest, `.npmrc`, hooks and patches.
//!
//! Goes in: the top of the workspace. Comes out: its members and whether scripts are off; files in
//! [`super::Needs`]. Invariant: a setting that is not listed is a reason.

use super::berry::all_remote;
use super::globs::Globs;
use super::node::{Package, yaml};
use super::node_settings::{self, harmless};
use super::pnpm::Scene;
use super::{join, text};
use serde_json::Value;

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

impl Scene<'_> {
    /// What the settings say: the members, and whether scripts are off.
    ///
    /// # Errors
    /// A setting is not understood.
    pub(super) fn settings(&mut self) -> Result<(Globs, bool), String> {
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
