//! setuptools: what `pyproject.toml`, `setup.py` and `setup.cfg` may say, and the version that a module holds.
//!
//! Goes in: a project. Comes out: what of it is read and written, or why that is not known. Invariant: a module is read only where
//! setuptools finds the value without running it (`setuptools.config.expand`).

use super::super::python::{get, leaves};
use super::super::{Needs, inside, join, text};
use super::{Scene, normal};
use toml::{Table, Value};

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
const TRIVIAL: [&str; 8] = [
    "from setuptools import setup",
    "import setuptools",
    "setup()",
    "setuptools.setup()",
    "if __name__ == \"__main__\":",
    "if __name__ == '__main__':",
    "\"\"\"\"\"\"",
    "",
];

impl Scene<'_> {
    pub(super) fn setuptools(&self, isolated: bool, needs: &mut Needs) -> Result<(), String> {
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
            // Old versions look into the modules for the declaration.
            &["tool", "setuptools", "namespace-packages"],
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
        if roots.iter().any(|r| inside(r, self.place).is_none()) {
            return Err(format!(
                "{} names folders outside of its own",
                self.manifest
            ));
        }
        let dynamic = own.and_then(|o| o.get("dynamic")?.as_table());
        for (key, value) in dynamic.into_iter().flatten() {
            if key.contains("dependencies") {
                self.only_remote_lists(value)?;
            }
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

    /// Files that list dependencies name none of the project.
    fn only_remote_lists(&self, value: &Value) -> Result<(), String> {
        let mut names = Vec::new();
        leaves(value, &mut names);
        for name in names {
            let path = join(self.place, name);
            if self.project.is_file(&path) && text(self.project, &path)?.contains("file:") {
                return Err(format!("{path} asks for a folder"));
            }
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
        let names = [
            own.to_owned(),
            own.replace('-', "_"),
            own.replace(['-', '.'], "_"),
            normal(own),
        ];
        for root in roots {
            let left = |f: &&String| {
                let inside = inside(f, root).unwrap_or_default();
                let first = inside.split('/').next().unwrap_or_default();
                first.ends_with(".egg-info")
            };
            // Whichever way the name is written there.
            if let Some(file) = self.project.below(root).iter().find(left) {
                return Err(format!("{file} is in the build context"));
            }
            for name in &names {
                needs.write_tree(join(root, &format!("{name}.egg-info")));
            }
        }
        Ok(())
    }
}

/// Whether the first line that sets a name at the top of a module gives it a text, so that nobody has to run it.
pub(super) fn says_plainly(module: &str, name: &str) -> bool {
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
