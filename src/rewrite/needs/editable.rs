//! A project that is installed as a link to its own folder: `pip install -e .`, and `poetry install` of the project itself.
//!
//! Goes in: the folder. Comes out: the files whose content goes into what is installed (metadata, licences, version), and
//! the folder whose files count by their names alone: backends find packages by looking which files there are. Invariant: a
//! backend, a table or a script that may run code of the project is a reason. Sources: PEP 660 and the backends' own
//! documentation; what each of them opens was traced (setuptools 64 to 80, hatchling 1.27, flit-core 3.12, poetry-core 2.1).

use super::python::{get, only_remote, table};
use super::shared::{direct, name};
use super::{Needs, Project, join, text};
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

/// Tables of `setup.cfg` that other tools look at.
const FOREIGN: [&str; 12] = [
    "coverage",
    "darglint",
    "flake8",
    "isort",
    "mypy",
    "pep8",
    "pycodestyle",
    "pydocstyle",
    "pylint",
    "tool:",
    "tox",
    "yapf",
];

/// Lines of a `setup.py` that leaves everything to `pyproject.toml`.
const TRIVIAL: [&str; 9] = [
    "from setuptools import setup",
    "import setuptools",
    "setup()",
    "setuptools.setup()",
    "if __name__ == \"__main__\":",
    "if __name__ == '__main__':",
    "\"\"\"\"\"\"",
    "# -*- coding: utf-8 -*-",
    "",
];

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
        if !REQUIRES.contains(&name.replace('_', "-").as_str()) {
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
        Backend::Flit => scene.refuse_dynamic()?,
        Backend::Poetry => scene.poetry()?,
    }
    needs
        .names
        .insert(crate::footprint::PathClaim::subtree(place));
    needs.assume(format!(
        "a link to {place} is installed by what its metadata say (pyproject.toml, licences, README) and by which files there are: \
         nothing else is looked into"
    ));
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
        if super::inside(&place, self.place).is_none_or(str::is_empty)
            || path.contains(['*', '?', '['])
        {
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

    fn setuptools(&self, isolated: bool, needs: &mut Needs) -> Result<(), String> {
        self.script()?;
        self.settings()?;
        self.refuse(&[
            &["tool", "distutils"],
            &["tool", "setuptools_scm"],
            &["tool", "setuptools", "ext-modules"],
            &["tool", "setuptools", "cmdclass"],
            &["tool", "setuptools", "script-files"],
            &["tool", "setuptools", "data-files"],
            &["tool", "setuptools", "license-files"],
        ])?;
        let mut roots = vec![self.place.to_owned(), join(self.place, "src")];
        let own = self.get(&["tool", "setuptools"]);
        let found = own.and_then(|o| get(o.as_table()?, &["packages", "find", "where"]));
        for value in found.and_then(Value::as_array).into_iter().flatten() {
            roots.push(join(self.place, value.as_str().unwrap_or_default()));
        }
        let folders = own.and_then(|o| o.get("package-dir")?.as_table());
        for value in folders.into_iter().flat_map(Table::values) {
            roots.push(join(self.place, value.as_str().unwrap_or_default()));
        }
        roots.sort();
        roots.dedup();
        if roots.iter().any(|r| super::inside(r, self.place).is_none()) {
            return Err(format!(
                "{} names folders outside of its own",
                self.manifest
            ));
        }
        let dynamic = own.and_then(|o| o.get("dynamic")?.as_table());
        for value in dynamic.into_iter().flat_map(Table::values) {
            match (value.get("attr").and_then(Value::as_str), value.get("file")) {
                (Some(attribute), None) => self.attribute(attribute, &roots, needs)?,
                (None, Some(files)) => self.files(files, needs)?,
                _ => return Err(format!("{} asks for what is not known", self.manifest)),
            }
        }
        if isolated {
            self.leaves_information(&roots, needs)?;
        }
        Ok(())
    }

    /// `setup.py` that does nothing by itself.
    fn script(&self) -> Result<(), String> {
        let path = join(self.place, "setup.py");
        if !self.project.is_file(&path) {
            return Ok(());
        }
        let text = text(self.project, &path)?;
        let odd = |l: &&str| !l.starts_with('#') && !TRIVIAL.contains(l);
        match text.lines().map(str::trim).find(odd) {
            Some(_) => Err(format!("{path} may look at anything")),
            None => Ok(()),
        }
    }

    /// `setup.cfg` that says nothing of the build.
    fn settings(&self) -> Result<(), String> {
        let path = join(self.place, "setup.cfg");
        if !self.project.is_file(&path) {
            return Ok(());
        }
        let text = text(self.project, &path)?;
        let own = |l: &&str| {
            let table = l.strip_prefix('[');
            table.is_some_and(|t| !FOREIGN.iter().any(|f| t.starts_with(f)))
        };
        match text.lines().map(str::trim).find(own) {
            Some(table) => Err(format!("{path} has {table}")),
            None => Ok(()),
        }
    }

    /// `attr = "package.module.NAME"`: read without running it where the module says it plainly.
    fn attribute(
        &self,
        attribute: &str,
        roots: &[String],
        needs: &mut Needs,
    ) -> Result<(), String> {
        let (module, name) = attribute
            .rsplit_once('.')
            .ok_or_else(|| format!("{attribute} of {} is not known", self.manifest))?;
        let module = module.replace('.', "/");
        let mut found = Vec::new();
        for root in roots {
            for file in [format!("{module}.py"), format!("{module}/__init__.py")] {
                let place = join(root, &file);
                if self.project.is_file(&place) {
                    found.push(place);
                }
            }
        }
        let [file] = found.as_slice() else {
            return Err(format!(
                "where {attribute} of {} is, is not known",
                self.manifest
            ));
        };
        if !says_plainly(&text(self.project, file)?, name) {
            return Err(format!("{file} is run to find {name}"));
        }
        needs.read(file.clone());
        Ok(())
    }

    /// Building in an environment of its own leaves a folder beside the packages that lists all files.
    fn leaves_information(&self, roots: &[String], needs: &mut Needs) -> Result<(), String> {
        let own = self.get(&["project", "name"]).and_then(Value::as_str);
        let own = own.ok_or_else(|| format!("{} gives no name", self.manifest))?;
        for name in [
            own.to_owned(),
            own.replace('-', "_"),
            own.replace(['-', '.'], "_"),
        ] {
            for root in roots {
                let folder = join(root, &format!("{name}.egg-info"));
                if self.project.has_below(&folder) {
                    return Err(format!("{folder} is in the build context"));
                }
                needs.write_tree(folder);
            }
        }
        Ok(())
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
        let module = name.to_lowercase().replace(['-', '.', ' '], "_");
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
        if super::inside(&place, self.place).is_none_or(str::is_empty) {
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

/// Whether the first line that sets a name at the top of a module gives it a text, so that nobody has to run it.
fn says_plainly(module: &str, name: &str) -> bool {
    let mut before = 0;
    for line in module.lines() {
        let rest = line.strip_prefix(name).map(str::trim_start);
        let value = rest
            .and_then(|r| r.strip_prefix('='))
            .filter(|v| !v.starts_with('='));
        if let Some(value) = value {
            // Inside a text of several lines it sets nothing.
            let inside = before % 2 == 1;
            return !inside && is_text(value.trim());
        }
        if rest.is_some_and(|r| r.starts_with([':', ',', '+'])) {
            return false;
        }
        before += line.matches("\"\"\"").count() + line.matches("'''").count();
    }
    false
}

/// Whether this is one plain text in quotes, a comment behind it or not.
fn is_text(value: &str) -> bool {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return false;
    };
    let Some((inner, after)) = value[1..].split_once(quote) else {
        return false;
    };
    let after = after.trim_start();
    !inner.contains('\\') && !inner.is_empty() && (after.is_empty() || after.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::says_plainly;

    const BUILD: &str = "[build-system]\nrequires = [\"setuptools>=64\", \"wheel\"]\nbuild-backend = \"setuptools.build_meta\"\n";

    fn of(manifest: &str, more: &[(&str, &str)]) -> String {
        let mut files = vec![
            ("/app/pyproject.toml", manifest),
            ("/app/LICENSE", ""),
            ("/app/README.md", ""),
            ("/app/pkg/__init__.py", "import os\n__version__ = \"1\"\n"),
            ("/app/pkg/a.py", ""),
        ];
        files.extend(more);
        shown("pip install --no-build-isolation -e .[dev]", "/app", &files)
    }

    #[test]
    fn metadata_are_read_and_the_rest_counts_by_name() {
        let manifest = format!(
            "{BUILD}[project]\nname = \"pkg\"\nreadme = \"README.md\"\ndynamic = [\"version\"]\n[tool.setuptools.dynamic]\nversion = \
             {{attr = \"pkg.__version__\"}}\n[tool.setuptools.packages.find]\nwhere = [\".\"]\n"
        );
        let reads = "/app/LICENSE /app/LICENSES /app/MANIFEST.in /app/README.md /app/pkg/__init__.py /app/pyproject.toml \
                     /app/setup.cfg /app/setup.py | ; names /app/**";
        assert_eq!(of(&manifest, &[]), reads);
        let trivial = "#!/usr/bin/env python\nfrom setuptools import setup\n\nif __name__ == \"__main__\":\n    setup()\n";
        let lint = "[flake8]\nmax = 1\n[tool:pytest]\nx = 1\n";
        assert_eq!(
            of(
                &manifest,
                &[("/app/setup.py", trivial), ("/app/setup.cfg", lint)]
            ),
            reads
        );
        let files = [
            ("/app/pyproject.toml", manifest.as_str()),
            ("/app/pkg/__init__.py", "__version__='1' # x\n"),
        ];
        let found = shown("pip install --editable=.", "/app", &files);
        assert!(
            found.contains("| /app/pkg.egg-info/** /app/src/pkg.egg-info/**;"),
            "{found}"
        );
    }

    #[test]
    fn what_may_run_code_is_a_reason() {
        let plain = format!("{BUILD}[project]\nname = \"pkg\"\nversion = \"1\"\n");
        assert!(of(&plain, &[]).starts_with('/'));
        for (manifest, path, text) in [
            (plain.clone(), "/app/setup.py", "import setup_it\n"),
            (
                plain.clone(),
                "/app/setup.cfg",
                "[metadata]\nversion = file: V\n",
            ),
            (
                BUILD.replace("setuptools>=64", "setuptools_scm"),
                "/app/x",
                "",
            ),
            (BUILD.replace("setuptools.build_meta", "own"), "/app/x", ""),
            (
                format!("{plain}[tool.setuptools]\ndata-files = {{}}\n"),
                "/app/x",
                "",
            ),
            (
                format!("{plain}[tool.setuptools.dynamic]\nversion = {{attr = \"pkg.a.v\"}}\n"),
                "/app/x",
                "",
            ),
            (
                format!("{plain}[tool.setuptools.dynamic]\nreadme = {{file = [\"../R\"]}}\n"),
                "/app/x",
                "",
            ),
            ("[project]\nname = \"pkg\"\n".to_owned(), "/app/x", ""),
        ] {
            assert!(
                of(&manifest, &[(path, text)]).starts_with('('),
                "{manifest} {path}"
            );
        }
        let hatch = plain.replace("setuptools.build_meta", "hatchling.build");
        assert!(of(&hatch, &[]).starts_with('/'));
        assert!(of(&hatch, &[("/app/hatch_build.py", "")]).starts_with('('));
        let flit = plain.replace("setuptools.build_meta", "flit_core.buildapi");
        assert!(of(&flit, &[]).starts_with('/'));
        assert!(
            of(
                &flit.replace("version = \"1\"", "dynamic = [\"version\"]"),
                &[]
            )
            .starts_with('(')
        );
        assert!(shown("pip install -e git+https://e.org/x", "/app", &[]).starts_with('('));
    }

    #[test]
    fn a_version_is_plain_where_a_module_gives_it_a_text() {
        for (module, plain) in [
            ("__version__ = '1.2'\n", true),
            (
                "import x\n__version__ = \"1.2\"  # now\nif True:\n    __version__ = x\n",
                true,
            ),
            ("__version__ = f()\n", false),
            ("__version__: str = '1'\n", false),
            ("__version__ = f'1'\n", false),
            ("__version__ = '1' + x\n", false),
            ("__version__ += '1'\n", false),
            ("__version__ = '''1\n'''\n", false),
            ("__version__, x = '1', 2\n", false),
            (
                "\"\"\"Text\n__version__ = '1'\n\"\"\"\n__version__ = x\n",
                false,
            ),
            ("    __version__ = '1'\n", false),
            ("__version__ == '1'\n", false),
        ] {
            assert_eq!(says_plainly(module, "__version__"), plain, "{module}");
        }
    }

    #[test]
    fn poetry_asks_whether_the_package_is_there() {
        let lock = ("/app/poetry.lock", "");
        let manifest = "[tool.poetry]\nname = \"My-pkg\"\n[build-system]\nbuild-backend = \"poetry.core.masonry.api\"\n";
        let of = |manifest: &str, more: &[(&str, &str)]| {
            let mut files = vec![("/app/pyproject.toml", manifest), lock];
            files.extend(more);
            shown("poetry install --only main", "/app", &files)
        };
        let found = of(
            manifest,
            &[("/app/my_pkg/__init__.py", ""), ("/app/my_pkg/b.py", "")],
        );
        for part in [
            "/app/my_pkg ",
            "/app/my_pkg.py ",
            "/app/my_pkg/__init__.py ",
            "| /app/.venv/**",
        ] {
            assert!(found.contains(part), "{found}");
        }
        assert!(
            !found.contains("names") && !found.contains("b.py"),
            "{found}"
        );
        assert!(of(manifest, &[]).starts_with('('));
        assert!(
            of(
                manifest,
                &[("/app/my_pkg.py", ""), ("/app/my_pkg/a.py", "")]
            )
            .starts_with('(')
        );
        let lib = manifest.replace(
            "name = \"My-pkg\"",
            "packages = [{include = \"x\", from = \"lib\"}]",
        );
        let found = of(&lib, &[("/app/lib/x/a.py", "")]);
        assert!(found.contains("/app/lib/x/a.py "), "{found}");
        for odd in [
            manifest.replace("[build", "[tool.poetry.build]\nscript = \"b.py\"\n[build"),
            lib.replace("\"x\"", "\"x*\""),
            lib.replace("\"lib\"", "\"../lib\""),
        ] {
            assert!(
                of(&odd, &[("/app/lib/x/a.py", ""), ("/app/my_pkg/a.py", "")]).starts_with('('),
                "{odd}"
            );
        }
    }
}
