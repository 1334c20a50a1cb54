//! The packages of a cargo workspace, as its manifests name them.
//!
//! Goes in: the folder that cargo starts in. Comes out: all packages that cargo loads before it does anything, and which
//! files have to exist for that. Invariant: a package that is named and not there is a reason.

use crate::pattern::wild;
use crate::rewrite::needs::shared::{is_in, name, parent, upwards};
use crate::rewrite::needs::{Project, join, text};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// Most packages of a workspace.
const MOST: usize = 1024;

/// A package of the project.
pub(super) struct Package {
    /// Its folder.
    pub dir: String,
    /// Its name.
    pub name: String,
    /// Its manifest.
    pub manifest: Table,
    /// Folders of the packages that it depends on by path.
    pub paths: Vec<String>,
}

/// Everything cargo loads.
pub(super) struct Workspace {
    /// The folder of the lock file.
    pub root: String,
    /// Its packages: members and what they depend on by path.
    pub packages: Vec<Package>,
    /// Folders of packages that stand for others.
    pub patches: Vec<String>,
    /// What a command without `-p` in the root folder means; `None` for all.
    pub default: Option<Vec<String>>,
    /// The folder of the manifest that the command starts with.
    pub start: String,
}

fn manifest(dir: &str, project: &dyn Project) -> Result<Table, String> {
    let path = join(dir, "Cargo.toml");
    let table = text(project, &path)?.parse::<Table>();
    table.map_err(|e| format!("{path}: {}", e.message()))
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array);
    let all = list.into_iter().flatten().filter_map(Value::as_str);
    all.map(str::to_owned).collect()
}

impl Workspace {
    /// Finds it, from a folder or the path of a manifest.
    pub(super) fn of(from: &str, project: &dyn Project) -> Result<Self, String> {
        let there = |d: &&&str| project.is_file(&join(d, "Cargo.toml"));
        let folders = upwards(from);
        let start = folders.iter().find(there);
        let start = *start.ok_or_else(|| format!("there is no Cargo.toml in {from} or above"))?;
        let own = manifest(start, project)?;
        if own
            .get("package")
            .and_then(|p| p.get("workspace"))
            .is_some()
        {
            return Err(format!("{start}/Cargo.toml names its workspace"));
        }
        let mut root = (start.to_owned(), own);
        if !root.1.contains_key("workspace") {
            for above in upwards(start).into_iter().skip(1).filter(|d| there(&d)) {
                let table = manifest(above, project)?;
                if table.contains_key("workspace") && !excludes(&table, above, start) {
                    root = (above.to_owned(), table);
                    break;
                }
            }
        }
        Self::load(root, start, project)
    }

    fn load(root: (String, Table), start: &str, project: &dyn Project) -> Result<Self, String> {
        let (dir, table) = root;
        let workspace = table.get("workspace");
        let mut out = Self {
            packages: Vec::new(),
            patches: Vec::new(),
            default: workspace
                .and_then(|w| w.get("default-members"))
                .map(|d| strings(Some(d)).iter().map(|m| join(&dir, m)).collect()),
            start: start.to_owned(),
            root: dir.clone(),
        };
        if out.default.is_none() && table.contains_key("package") {
            out.default = Some(vec![dir.clone()]);
        }
        let globs = out
            .default
            .iter()
            .flatten()
            .any(|d| d.contains(['*', '?', '[']));
        if globs {
            out.default = None;
        }
        let mut queue = vec![start.to_owned()];
        if table.contains_key("package") {
            queue.push(dir.clone());
        }
        for member in strings(workspace.and_then(|w| w.get("members"))) {
            queue.extend(matching(&dir, &member, &table, project)?);
        }
        for group in ["patch", "replace"] {
            out.patches.extend(patched(table.get(group), &dir));
        }
        queue.extend(out.patches.iter().cloned());
        let shared = workspace.and_then(|w| w.get("dependencies"));
        let mut seen = BTreeSet::new();
        while let Some(dir) = queue.pop() {
            if !seen.insert(dir.clone()) || (dir == out.root && !table.contains_key("package")) {
                continue;
            }
            if seen.len() > MOST {
                return Err("there are too many packages".to_owned());
            }
            let package = Package::of(dir, shared, &out.root, project)?;
            queue.extend(package.paths.iter().cloned());
            out.packages.push(package);
        }
        out.packages.sort_by(|a, b| a.dir.cmp(&b.dir));
        Ok(out)
    }

    /// The package of a folder.
    pub(super) fn at(&self, dir: &str) -> Option<&Package> {
        self.packages.iter().find(|p| p.dir == dir)
    }
}

fn excludes(table: &Table, root: &str, dir: &str) -> bool {
    let list = strings(table.get("workspace").and_then(|w| w.get("exclude")));
    list.iter().any(|e| is_in(dir, &join(root, e)))
}

/// Folders that a member pattern means.
fn matching(
    root: &str,
    pattern: &str,
    table: &Table,
    project: &dyn Project,
) -> Result<Vec<String>, String> {
    if !pattern.contains(['*', '?', '[']) {
        return Ok(vec![join(root, pattern)]);
    }
    if pattern.contains("**") || pattern.contains('[') || pattern.contains("..") {
        return Err(format!("the members {pattern} are not understood"));
    }
    let pattern = join(root, pattern);
    let parts: Vec<&str> = pattern.split('/').collect();
    let fits = |dir: &&str| {
        let own: Vec<&str> = dir.split('/').collect();
        own.len() == parts.len()
            && own
                .iter()
                .zip(&parts)
                .all(|(n, p)| wild(p.as_bytes(), n.as_bytes()))
    };
    let files = project.below(root);
    let manifests = files.iter().filter(|f| name(f) == "Cargo.toml");
    let dirs = manifests.map(|f| parent(f)).filter(fits);
    Ok(dirs
        .filter(|d| !excludes(table, root, d))
        .map(str::to_owned)
        .collect())
}

/// Paths in `[patch]` or `[replace]`.
fn patched(value: Option<&Value>, dir: &str) -> Vec<String> {
    let Some(table) = value.and_then(Value::as_table) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (key, value) in table {
        match value.get("path").and_then(Value::as_str) {
            Some(path) => out.push(join(dir, path)),
            None if key != "path" => out.extend(patched(Some(value), dir)),
            None => {}
        }
    }
    out
}

impl Package {
    fn of(
        dir: String,
        shared: Option<&Value>,
        root: &str,
        project: &dyn Project,
    ) -> Result<Self, String> {
        let manifest = manifest(&dir, project)?;
        let name = manifest
            .get("package")
            .and_then(|p| p.get("name"))
            .and_then(Value::as_str);
        let name = name
            .ok_or_else(|| format!("{dir}/Cargo.toml is no package"))?
            .to_owned();
        let mut paths = Vec::new();
        for list in dependencies(&manifest) {
            for (key, value) in list {
                let inherits = value.get("workspace").and_then(Value::as_bool) == Some(true);
                let (value, base) = match inherits {
                    true => (shared.and_then(|s| s.get(key)), root),
                    false => (Some(value), dir.as_str()),
                };
                // A package outside of the workspace inherits from another; what that says is not looked up.
                if inherits && value.is_none() {
                    return Err(format!(
                        "{dir}/Cargo.toml takes {key} from a workspace that lacks it"
                    ));
                }
                if let Some(path) = value.and_then(|v| v.get("path")).and_then(Value::as_str) {
                    paths.push(join(base, path));
                }
            }
        }
        Ok(Self {
            dir,
            name,
            manifest,
            paths,
        })
    }

    /// Files that have to exist when cargo loads the package: it looks for targets that are named without a path, and
    /// wants one target at least.
    pub(super) fn required(&self, project: &dyn Project) -> Result<BTreeSet<String>, String> {
        let mut out = BTreeSet::new();
        let at = |file: &str| join(&self.dir, file);
        for file in ["src/lib.rs", "src/main.rs"] {
            out.extend(Some(at(file)).filter(|f| project.is_file(f)));
        }
        for (kind, folder) in [
            ("bin", "src/bin"),
            ("example", "examples"),
            ("test", "tests"),
            ("bench", "benches"),
        ] {
            for target in self.targets(kind) {
                if target.get("path").is_some() {
                    continue;
                }
                let name = target.get("name").and_then(Value::as_str);
                let name = name.ok_or_else(|| format!("a target of {} has no name", self.dir))?;
                let places = [
                    format!("{folder}/{name}.rs"),
                    format!("{folder}/{name}/main.rs"),
                ];
                let found = places.iter().map(|p| at(p)).find(|p| project.is_file(p));
                // A program of the package's own name is `src/main.rs`, which is there or not.
                let main = kind == "bin" && project.is_file(&at("src/main.rs"));
                match found {
                    Some(file) => out.extend([file]),
                    None if main => {}
                    None => return Err(format!("{} has no file for {name}", self.dir)),
                }
            }
        }
        let lib = self.manifest.get("lib");
        if lib.is_some_and(|l| l.get("path").is_none()) && !project.is_file(&at("src/lib.rs")) {
            return Err(format!("{} has no src/lib.rs", self.dir));
        }
        if out.is_empty() && lib.is_none() && self.targets("bin").is_empty() {
            let files = project.below(&at("src/bin"));
            let first = files.into_iter().find(|f| f.ends_with(".rs"));
            out.insert(first.ok_or_else(|| format!("{} has no target", self.dir))?);
        }
        Ok(out)
    }

    fn targets(&self, kind: &str) -> Vec<&Table> {
        let list = self.manifest.get(kind).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_table)
            .collect()
    }

    /// The paths that its manifest names for targets and the build script.
    pub(super) fn named_files(&self) -> Vec<String> {
        let mut paths: Vec<&str> = Vec::new();
        for kind in ["bin", "example", "test", "bench"] {
            paths.extend(
                self.targets(kind)
                    .iter()
                    .filter_map(|t| t.get("path"))
                    .filter_map(Value::as_str),
            );
        }
        paths.extend(
            self.manifest
                .get("lib")
                .and_then(|l| l.get("path"))
                .and_then(Value::as_str),
        );
        paths.push(self.build_script());
        paths.into_iter().map(|p| join(&self.dir, p)).collect()
    }

    /// The file of its build script, whether it is there or not.
    pub(super) fn build_script(&self) -> &str {
        let build = self.manifest.get("package").and_then(|p| p.get("build"));
        build.and_then(Value::as_str).unwrap_or("build.rs")
    }

    /// The names of all packages it depends on.
    pub(super) fn dependency_names(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (key, value) in dependencies(&self.manifest).into_iter().flatten() {
            out.push(key.clone());
            out.extend(
                value
                    .get("package")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
        }
        out
    }
}

/// All tables of dependencies.
fn dependencies(manifest: &Table) -> Vec<&Table> {
    const KINDS: [&str; 5] = [
        "dependencies",
        "dev-dependencies",
        "build-dependencies",
        "dev_dependencies",
        "build_dependencies",
    ];
    let mut tables: Vec<&Table> = vec![manifest];
    let targets = manifest.get("target").and_then(Value::as_table);
    tables.extend(
        targets
            .into_iter()
            .flat_map(|t| t.values())
            .filter_map(Value::as_table),
    );
    let lists = tables
        .iter()
        .flat_map(|t| KINDS.iter().filter_map(|k| t.get(*k)));
    lists.filter_map(Value::as_table).collect()
}
