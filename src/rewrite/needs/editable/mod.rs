//! A project that is installed as a link to its own folder: `pip install -e .`, and `poetry install` of the project itself.
//!
//! Goes in: the folder. Comes out: the files whose content goes into what is installed (metadata, licences, version), and
//! the folder whose files count by their names alone: backends find packages by looking which files there are. Invariant: a
//! backend, a table or a script that may run code of the project is a reason. Sources: PEP 660 and the backends' own
//! documentation; what each of them opens was traced (setuptools 64 to 80, hatchling 1.27, flit-core 3.12, poetry-core 2.1).

mod setuptools;

use super::python::{get, names_file, only_remote, paths, table};
use super::shared::{direct, name};
use super::{Needs, Project, inside, join};
use toml::{Table, Value};

/// Backends, by how they call themselves.
const BACKENDS: [(&str, Backend); 4] = [
    ("setuptools.build_meta", Backend::Setuptools),
    ("hatchling.build", Backend::Hatchling),
    ("flit_core.buildapi", Backend::Flit),
    ("poetry.core.masonry.api", Backend::Poetry),
];

/// What may be asked for to build with, beside the backend: other packages are plug-ins.
const REQUIRES: [&str; 5] = [
    "setuptools",
    "wheel",
    "hatchling",
    "flit-core",
    "poetry-core",
];

/// How files that backends take for licences begin.
const LEGAL: [&str; 4] = ["LICEN", "COPYING", "NOTICE", "AUTHORS"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Backend {
    Setuptools,
    Hatchling,
    Flit,
    Poetry,
}

/// `pip install -e` of a folder; `isolated` is a build with an environment of its own.
///
/// # Errors
/// Building it may run code of the project, or look at more.
pub(super) fn by_pip(
    place: &str,
    isolated: bool,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let manifest = join(place, "pyproject.toml");
    let tree = table(project, &manifest)?;
    let own = get(&tree, &["build-system", "build-backend"]).and_then(Value::as_str);
    let known = BACKENDS.iter().find(|(name, _)| Some(*name) == own);
    let Some((_, backend)) = known else {
        return Err(format!("how {place} is built is not known"));
    };
    if get(&tree, &["build-system", "backend-path"]).is_some() {
        return Err(format!("{manifest} brings its own backend"));
    }
    let requires = get(&tree, &["build-system", "requires"]).and_then(Value::as_array);
    for package in requires.into_iter().flatten() {
        let text = package.as_str().unwrap_or_default();
        let end = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
        let name = text.split(end).next().unwrap_or_default().to_lowercase();
        let remote = !text.contains(['@', '/']) && !text.contains("file:");
        if !remote || !REQUIRES.contains(&name.replace('_', "-").as_str()) {
            return Err(format!("{manifest} builds with {text}"));
        }
    }
    let scene = Scene {
        place,
        manifest: &manifest,
        tree: &tree,
        project,
    };
    scene.metadata(needs)?;
    match backend {
        Backend::Setuptools => scene.setuptools(isolated, needs)?,
        Backend::Hatchling => scene.hatchling(needs)?,
        Backend::Flit => {
            scene.refuse_dynamic()?;
            scene.refuse(&[&["tool", "flit", "external-data"]])?;
        }
        Backend::Poetry => {
            scene.poetry()?;
            scene.only_remote_packages()?;
        }
    }
    needs
        .names
        .insert(crate::footprint::PathClaim::subtree(place));
    needs.assume(format!(
        "a link to {place} is installed by what its metadata say (pyproject.toml, licences, README) and by which files there are: \
         nothing else is looked into"
    ));
    if !isolated {
        needs.assume("no plug-in of the backend that was installed before looks into the project");
    }
    needs.assume(format!(
        "{place} keeps its metadata in the files that it does at the newest commit: another one needs a new plan"
    ));
    Ok(())
}

/// `poetry install` of the project itself.
///
/// # Errors
/// It may run code of the project, or its package is not found.
pub(super) fn by_poetry(
    place: &str,
    tree: &Table,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let manifest = join(place, "pyproject.toml");
    let scene = Scene {
        place,
        manifest: &manifest,
        tree,
        project,
    };
    scene.metadata(needs)?;
    scene.poetry()?;
    for package in scene.packages()? {
        scene.package(&package, needs)?;
    }
    needs.assume(format!(
        "poetry (1.1 or newer) installs a link to {place} by its metadata, and asks only whether its packages are there"
    ));
    Ok(())
}

/// One project.
struct Scene<'a> {
    place: &'a str,
    manifest: &'a str,
    tree: &'a Table,
    project: &'a dyn Project,
}

impl Scene<'_> {
    fn get(&self, keys: &[&str]) -> Option<&Value> {
        get(self.tree, keys)
    }

    /// A file of the project, by its path there.
    ///
    /// # Errors
    /// It lies outside.
    fn file(&self, path: &str, needs: &mut Needs) -> Result<(), String> {
        let place = join(self.place, path);
        if inside(&place, self.place).is_none_or(str::is_empty) || path.contains(['*', '?', '[']) {
            return Err(format!("{} names {path}", self.manifest));
        }
        needs.read(place);
        Ok(())
    }

    /// Files that a value names: a text, or a list of them.
    fn files(&self, value: &Value, needs: &mut Needs) -> Result<(), String> {
        match value {
            Value::String(path) => self.file(path, needs),
            Value::Array(list) => list.iter().try_for_each(|v| self.files(v, needs)),
            _ => Err(format!(
                "{} names files in a way that is not known",
                self.manifest
            )),
        }
    }

    /// What all backends look at.
    fn metadata(&self, needs: &mut Needs) -> Result<(), String> {
        only_remote(self.tree, self.manifest)?;
        needs.read_all(
            self.place,
            &[
                "pyproject.toml",
                "setup.py",
                "setup.cfg",
                "MANIFEST.in",
                "LICENSES",
            ],
        );
        for file in direct(self.project, self.place) {
            let upper = name(&file).to_uppercase();
            if LEGAL.iter().any(|l| upper.starts_with(l)) {
                needs.read(file);
            }
        }
        if self.project.has_below(&join(self.place, "LICENSES")) {
            needs.read_tree(join(self.place, "LICENSES"));
        }
        for keys in [["project", "readme"], ["project", "license"]] {
            match self.get(&keys) {
                Some(Value::String(path)) if keys[1] == "readme" => self.file(path, needs)?,
                Some(Value::Table(table)) => {
                    if let Some(value) = table.get("file") {
                        self.files(value, needs)?;
                    }
                }
                _ => {}
            }
        }
        for keys in [
            &["project", "license-files"][..],
            &["tool", "poetry", "readme"],
        ] {
            if let Some(value) = self.get(keys) {
                self.files(value, needs)?;
            }
        }
        Ok(())
    }

    fn refuse(&self, tables: &[&[&str]]) -> Result<(), String> {
        match tables.iter().find(|t| self.get(t).is_some()) {
            Some(keys) => Err(format!("{} has {}", self.manifest, keys.join("."))),
            None => Ok(()),
        }
    }

    fn refuse_dynamic(&self) -> Result<(), String> {
        let dynamic = self.get(&["project", "dynamic"]).and_then(Value::as_array);
        match dynamic.is_some_and(|d| !d.is_empty()) || self.get(&["project"]).is_none() {
            true => Err(format!(
                "what {} leaves open comes from the code",
                self.manifest
            )),
            false => Ok(()),
        }
    }

    fn hatchling(&self, needs: &mut Needs) -> Result<(), String> {
        let targets = self.get(&["tool", "hatch", "build", "targets", "wheel"]);
        const MORE: [&str; 8] = [
            "force-include",
            "force_include_editable",
            "hooks",
            "shared-data",
            "shared-scripts",
            "extra-metadata",
            "sbom-files",
            "macos-max-compat",
        ];
        if let Some(key) = MORE
            .iter()
            .find(|k| targets.is_some_and(|t| t.get(**k).is_some()))
        {
            return Err(format!("{} has {key} of a wheel", self.manifest));
        }
        self.refuse(&[
            &["tool", "hatch", "build", "hooks"],
            &["tool", "hatch", "build", "force-include"],
            &["tool", "hatch", "build", "targets", "custom"],
            &["tool", "hatch", "metadata"],
            &["tool", "hatch", "version", "source"],
            &["tool", "hatch", "version", "scheme"],
            &["tool", "hatch", "version", "expression"],
        ])?;
        match self.get(&["tool", "hatch", "version", "path"]) {
            Some(path) => self.files(path, needs)?,
            None => self.refuse_dynamic()?,
        }
        needs.read_all(
            self.place,
            &[".gitignore", ".hgignore", "hatch.toml", "hatch_build.py"],
        );
        for folder in super::above(self.place) {
            needs.read_all(folder, &[".gitignore", ".hgignore"]);
        }
        match ["hatch.toml", "hatch_build.py"]
            .iter()
            .find(|f| self.project.is_file(&join(self.place, f)))
        {
            Some(file) => Err(format!("{file} of {} may say more", self.place)),
            None => Ok(()),
        }
    }

    fn poetry(&self) -> Result<(), String> {
        self.refuse(&[
            &["tool", "poetry", "build"],
            &["tool", "poetry-dynamic-versioning"],
        ])?;
        let scripts = self
            .get(&["tool", "poetry", "scripts"])
            .and_then(Value::as_table);
        let file = |v: &Value| v.get("type").and_then(Value::as_str) == Some("file");
        match scripts.is_some_and(|s| s.values().any(file)) {
            true => Err(format!("{} installs scripts of the project", self.manifest)),
            false => Ok(()),
        }
    }

    /// Dependencies of poetry's own table are no folders or files, which pip would build.
    fn only_remote_packages(&self) -> Result<(), String> {
        let own = self.get(&["tool", "poetry"]);
        let mut found = Vec::new();
        for key in ["dependencies", "dev-dependencies", "group"] {
            let Some(list) = own.and_then(|p| p.get(key)) else {
                continue;
            };
            paths(list, &mut found);
            if names_file(list) {
                return Err(format!("a dependency of {} is a file", self.manifest));
            }
        }
        match found.first() {
            Some(path) => Err(format!("{} depends on {path}", self.manifest)),
            None => Ok(()),
        }
    }

    /// Packages and modules as poetry finds them, by their paths in the project.
    fn packages(&self) -> Result<Vec<String>, String> {
        let list = self
            .get(&["tool", "poetry", "packages"])
            .and_then(Value::as_array);
        if let Some(list) = list {
            let one = |v: &Value| {
                let include = v.get("include")?.as_str()?;
                let from = v.get("from").map_or(Some("."), Value::as_str)?;
                (!include.contains(['*', '?', '['])).then(|| format!("{from}/{include}"))
            };
            let all: Option<Vec<String>> = list.iter().map(one).collect();
            return all.ok_or_else(|| format!("the packages of {} are not known", self.manifest));
        }
        let name = self
            .get(&["tool", "poetry", "name"])
            .or(self.get(&["project", "name"]));
        let name = name.and_then(Value::as_str);
        let name = name.ok_or_else(|| format!("{} gives no name", self.manifest))?;
        let module = normal(name);
        let candidates = [
            format!("{module}.py"),
            module.clone(),
            format!("src/{module}.py"),
            format!("src/{module}"),
        ];
        let is_there = |c: &&String| {
            let place = join(self.place, c);
            self.project.is_file(&place) || self.project.has_below(&place)
        };
        let found: Vec<&String> = candidates.iter().filter(is_there).collect();
        match found.as_slice() {
            [one] => Ok(vec![(*one).clone()]),
            _ => Err(format!(
                "which package {} stands for is not known",
                self.manifest
            )),
        }
    }

    /// One of them: poetry asks for the folder and for one file of Python in it.
    fn package(&self, package: &str, needs: &mut Needs) -> Result<(), String> {
        let place = join(self.place, package);
        if inside(&place, self.place).is_none_or(str::is_empty) {
            return Err(format!("{} names {package}", self.manifest));
        }
        let is_module = self.project.is_file(&place);
        // Both a folder and a file of one name would be refused.
        match place.strip_suffix(".py") {
            Some(folder) => needs.read(folder),
            None => needs.read(format!("{place}.py")),
        }
        needs.read(place.clone());
        if is_module {
            return Ok(());
        }
        let mut files = self.project.below(&place);
        files.retain(|f| f.ends_with(".py"));
        let first = join(&place, "__init__.py");
        let witness = files.iter().find(|f| **f == first).or(files.first());
        let witness = witness.ok_or_else(|| format!("{place} is not in the build context"))?;
        needs.read(witness.clone());
        Ok(())
    }
}

/// The name of a project as a module may have it: lower case, one line where it has any number of `-`, `_` and `.`.
fn normal(name: &str) -> String {
    let parts = name.split(['-', '_', '.', ' ']).filter(|p| !p.is_empty());
    parts.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests;
