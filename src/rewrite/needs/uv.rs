//! uv: `pyproject.toml` of a project and the members of its workspace, `uv.lock`, `uv.toml`, and local packages.
//!
//! Goes in: a command line. Comes out: what it reads. Invariant: the project itself is never built; that would need
//! all of it.

use super::node::members;
use super::python::{environment, get, local, only_remote, paths, table};
use super::uv_settings::{OPTIONS, globs, harmless, is_built, variables};
use super::words::Words;
use super::{Command, Found, Needs, Project, above, inside, join, pip};
use toml::Value;

/// What uv needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::parse(command.arguments, &OPTIONS)?;
    variables(command)?;
    let dir = words.value(&["--directory"]);
    let dir = dir.map_or(command.dir.to_owned(), |d| join(command.dir, d));
    let start = words
        .value(&["--project"])
        .map_or(dir.clone(), |d| join(&dir, d));
    let scene = Scene {
        command,
        words: &words,
        dir,
        project,
    };
    let mut needs = Needs::default();
    scene.settings(&start, &mut needs)?;
    match words.operands.as_slice() {
        ["sync"] => scene.sync(&start, &mut needs, true)?,
        ["export"] => {
            scene.sync(&start, &mut needs, false)?;
            scene.outputs(&mut needs)?;
        }
        ["pip", "install", packages @ ..] => scene.pip(packages, &mut needs)?,
        ["pip", "sync", files @ ..] => {
            let files: Vec<String> = files.iter().map(|f| format!("-r{f}")).collect();
            let more = Words::parse(&files, &OPTIONS)?;
            let found = pip::install(&scene.dir, &more, &[], project)?;
            needs.reads.extend(found.reads);
            needs.assumptions.extend(found.assumptions);
            scene.pip(&[], &mut needs)?;
        }
        ["venv", places @ ..] if places.len() < 2 => {
            let place = places.first().copied().unwrap_or(".venv");
            environment(&join(&scene.dir, place), project, &mut needs)?;
        }
        [
            "pip",
            "uninstall" | "list" | "freeze" | "show" | "check",
            ..,
        ]
        | ["python", "install", ..]
        | ["cache", "clean" | "prune", ..] => {}
        ["tool", "install", package]
            if !package.contains(['/', ':'])
                && !package.starts_with(['.', '~'])
                && !package.ends_with(".whl") => {}
        [] if words.has(&["--version"]) => {}
        _ => return Err("only an install of the project's own dependencies is known".to_owned()),
    }
    Ok(needs)
}

struct Scene<'a> {
    command: &'a Command<'a>,
    words: &'a Words<'a>,
    dir: String,
    project: &'a dyn Project,
}

impl Scene<'_> {
    fn is_set(&self, option: &str, variable: &str) -> bool {
        let value = self.command.variables.get(variable).cloned().flatten();
        let set = value.is_some_and(|v| !matches!(v.as_str(), "" | "0" | "false"));
        self.words.has(&[option]) || set
    }

    /// Settings of the folder and of those above it.
    fn settings(&self, start: &str, needs: &mut Needs) -> Result<(), String> {
        for place in std::iter::once(start).chain(above(start)) {
            let files = [
                "pyproject.toml",
                "uv.toml",
                "uv.lock",
                ".python-version",
                ".python-versions",
            ];
            needs.read_all(place, &files);
            let manifest = join(place, "pyproject.toml");
            if self.project.is_file(&manifest) {
                let tree = table(self.project, &manifest)?;
                if let Some(own) = get(&tree, &["tool", "uv"]) {
                    harmless(own, &manifest)?;
                }
            }
            let file = join(place, "uv.toml");
            if self.project.is_file(&file) {
                harmless(&Value::Table(table(self.project, &file)?), &file)?;
            }
        }
        Ok(())
    }

    /// The folder of the project, and that of its workspace.
    fn tops(&self, start: &str) -> Result<(String, String), String> {
        let has = |d: &&str| self.project.is_file(&join(d, "pyproject.toml"));
        let own = std::iter::once(start).chain(above(start)).find(has);
        let own = own.ok_or_else(|| {
            format!(
                "{} is not in the build context",
                join(start, "pyproject.toml")
            )
        })?;
        for place in std::iter::once(own).chain(above(own)).filter(has) {
            let tree = table(self.project, &join(place, "pyproject.toml"))?;
            if get(&tree, &["tool", "uv", "workspace"]).is_none() {
                continue;
            }
            let relative = inside(own, place).unwrap_or_default();
            if relative.is_empty() || globs(&tree, place)?.matches(relative) {
                return Ok((own.to_owned(), place.to_owned()));
            }
        }
        Ok((own.to_owned(), own.to_owned()))
    }

    /// A project and the members of its workspace; `builds` tells whether they are installed.
    fn sync(&self, start: &str, needs: &mut Needs, builds: bool) -> Result<(), String> {
        let (own, top) = self.tops(start)?;
        let frozen = self.is_set("--frozen", "UV_FROZEN");
        let locked = self.is_set("--locked", "UV_LOCKED");
        if (frozen || locked) && !self.project.is_file(&join(&top, "uv.lock")) {
            return Err("there is no lock file".to_owned());
        }
        let tree = table(self.project, &join(&top, "pyproject.toml"))?;
        let mut folders = vec![top.clone()];
        let all = members(self.project, &top, &globs(&tree, &top)?, "pyproject.toml");
        if !all.is_empty() {
            needs.assume(
                "the workspace has the members that it has at the newest commit: a new one needs a new plan",
            );
        }
        folders.extend(all);
        for folder in &folders {
            self.package(folder, &own, frozen, builds, needs)?;
        }
        needs.read(join(&top, "uv.lock"));
        if builds {
            environment(&join(&top, ".venv"), self.project, needs)?;
            if let Some(place) = self.command.variables.get("UV_PROJECT_ENVIRONMENT") {
                let place = place
                    .as_deref()
                    .ok_or("UV_PROJECT_ENVIRONMENT is not known")?;
                match place.starts_with('/') {
                    // The system's own environment may hold files of the project.
                    true => needs.write_tree(join(&top, place)),
                    false => environment(&join(&top, place), self.project, needs)?,
                }
            }
        }
        needs.assume(
            "uv reads only pyproject.toml, uv.toml, uv.lock and .python-version of the project, and the local packages \
             that it builds",
        );
        if !frozen && !locked {
            needs.assume("uv leaves uv.lock as it is: it is up to date");
        }
        Ok(())
    }

    /// One package of the project.
    fn package(
        &self,
        folder: &str,
        own: &str,
        frozen: bool,
        builds: bool,
        needs: &mut Needs,
    ) -> Result<(), String> {
        let manifest = join(folder, "pyproject.toml");
        let tree = table(self.project, &manifest)?;
        needs.read(manifest.clone());
        only_remote(&tree, &manifest)?;
        let dynamic = get(&tree, &["project", "dynamic"]).and_then(Value::as_array);
        if !frozen && dynamic.is_some_and(|d| !d.is_empty()) {
            return Err(format!(
                "what {manifest} leaves open is found by building it"
            ));
        }
        let no_local = self.words.has(&["--no-install-local"]);
        let no_member = no_local || self.words.has(&["--no-install-workspace"]);
        let skipped = no_member || (folder == own && self.words.has(&["--no-install-project"]));
        if builds && !skipped && is_built(&tree) {
            if folder == own {
                return Err("it installs the project itself".to_owned());
            }
            local(folder, self.project, needs)?;
        }
        let sources = get(&tree, &["tool", "uv", "sources"]).and_then(Value::as_table);
        for (_, source) in sources.into_iter().flatten() {
            self.source(source, folder, frozen && (no_local || !builds), needs)?;
        }
        Ok(())
    }

    /// Where a dependency comes from.
    fn source(
        &self,
        source: &Value,
        folder: &str,
        skipped: bool,
        needs: &mut Needs,
    ) -> Result<(), String> {
        if let Value::Array(list) = source {
            return list
                .iter()
                .try_for_each(|s| self.source(s, folder, skipped, needs));
        }
        let Some(path) = source.get("path") else {
            return Ok(());
        };
        let path = path
            .as_str()
            .ok_or("a path of tool.uv.sources is no text")?;
        let place = join(folder, path);
        if skipped && !self.project.is_file(&place) {
            needs.read(join(&place, "pyproject.toml"));
            return Ok(());
        }
        local(&place, self.project, needs)?;
        let manifest = join(&place, "pyproject.toml");
        if self.project.is_file(&manifest) {
            let tree = table(self.project, &manifest)?;
            let more = get(&tree, &["tool", "uv", "sources"]);
            let mut found = Vec::new();
            more.into_iter().for_each(|m| paths(m, &mut found));
            if !found.is_empty() {
                return Err(format!("{manifest} names local packages itself"));
            }
        }
        Ok(())
    }

    fn pip(&self, packages: &[&str], needs: &mut Needs) -> Result<(), String> {
        let found = pip::install(&self.dir, self.words, packages, self.project)?;
        for linked in &found.names {
            let manifest = join(&linked.path, "pyproject.toml");
            let tree = table(self.project, &manifest)?;
            // Sources, workspaces and cache keys are paths.
            if get(&tree, &["tool", "uv"]).is_some() {
                return Err(format!("{manifest} says more to uv"));
            }
        }
        needs.reads.extend(found.reads);
        needs.names.extend(found.names);
        needs.writes.extend(found.writes);
        needs.assumptions.extend(found.assumptions);
        environment(&join(&self.dir, ".venv"), self.project, needs)
    }

    fn outputs(&self, needs: &mut Needs) -> Result<(), String> {
        for output in self.words.values(&["-o", "--output-file"]) {
            let place = join(&self.dir, output);
            if self.project.is_file(&place) {
                return Err(format!("{place} is in the build context"));
            }
            needs.write(place);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{shown, shown_with};

    const LOCK: (&str, &str) = ("/app/uv.lock", "");
    const PACKAGE: (&str, &str) = (
        "/app/pyproject.toml",
        "[project]\nname = \"x\"\ndependencies = [\"rich\"]\n[build-system]\nbuild-backend = \"hatchling.build\"\n",
    );
    const OWN: &str = "/.python-version /.python-versions /app/.python-version /app/.python-versions \
                       /app/pyproject.toml /app/uv.lock /app/uv.toml /pyproject.toml /uv.lock /uv.toml";

    #[test]
    fn uv_reads_its_manifests() {
        let files = [PACKAGE, LOCK, ("/app/README.md", ""), ("/app/src/x.py", "")];
        for line in [
            "uv sync --frozen --no-install-project --no-dev",
            "uv sync --locked --no-install-workspace",
        ] {
            assert_eq!(
                shown(line, "/app", &files),
                format!("{OWN} | /app/.venv/**"),
                "{line}"
            );
        }
        let found = shown("uv export --frozen -o r.txt", "/app", &files);
        assert_eq!(found, format!("{OWN} | /app/r.txt"));
        let set = [("UV_PROJECT_ENVIRONMENT", "/venv")];
        let found = shown_with(
            "uv sync --locked --no-install-project",
            "/app",
            &files,
            &set,
        );
        assert_eq!(found, format!("{OWN} | /app/.venv/** /venv/**"));
        let plain = ("/app/pyproject.toml", "[project]\nname = \"x\"\n");
        assert_eq!(
            shown("uv sync", "/app", &[plain, LOCK]),
            format!("{OWN} | /app/.venv/**")
        );
        assert_eq!(
            shown("uv venv /v", "/app", &[plain, LOCK]),
            format!("{OWN} | /v/**")
        );
        let listed = [("/app/r.txt", "x\n")];
        let found = shown("uv pip install --system -r r.txt", "/app", &listed);
        assert!(
            found.contains("/app/r.txt") && found.ends_with("| /app/.venv/**"),
            "{found}"
        );
        assert_eq!(found, shown("uv pip sync r.txt", "/app", &listed));
    }

    #[test]
    fn members_and_local_packages_are_read() {
        let top = "[project]\nname = \"x\"\n[tool.uv.workspace]\nmembers = [\"libs/*\"]\nexclude = [\"libs/old\"]\n\
                   [tool.uv.sources]\na = {workspace = true}\np = {path = \"p\"}\n";
        let built = "[build-system]\nbuild-backend = \"uv_build\"\n";
        let files = [
            ("/app/pyproject.toml", top),
            LOCK,
            ("/app/libs/a/pyproject.toml", built),
            ("/app/libs/b/pyproject.toml", "[project]\nname = \"b\"\n"),
            ("/app/libs/old/pyproject.toml", "x"),
            ("/app/p/pyproject.toml", built),
        ];
        let found = shown("uv sync --frozen", "/app", &files);
        for part in ["/app/libs/a/**", "/app/libs/b/pyproject.toml", "/app/p/**"] {
            assert!(found.contains(part), "{part}: {found}");
        }
        let found = shown("uv sync --frozen --no-install-workspace", "/app", &files);
        assert!(
            !found.contains("/app/libs/a/**") && found.contains("/app/p/**"),
            "{found}"
        );
        let found = shown("uv sync --frozen --no-install-local", "/app/libs/b", &files);
        assert!(
            !found.contains("**/app") && found.contains("/app/p/pyproject.toml"),
            "{found}"
        );
        let mut odd = files;
        odd[5].1 = "[build-system]\nbuild-backend = \"setuptools.build_meta\"\n";
        assert!(shown("uv sync --frozen", "/app", &odd).starts_with('('));
    }

    #[test]
    fn projects_that_are_built_are_left_alone() {
        for line in [
            "uv sync --frozen",
            "uv sync --script x.py",
            "uv run x",
            "uv pip install .",
            "uv pip install -r pyproject.toml",
            "uv tool install ./x",
            "uv build",
        ] {
            assert!(
                shown(line, "/app", &[PACKAGE, LOCK]).starts_with('('),
                "{line}"
            );
        }
        let link = "uv pip install --system -e .";
        let plain = (
            "/app/pyproject.toml",
            "[project]\nname = \"x\"\nversion = \"1\"\n[build-system]\nbuild-backend = \"hatchling.build\"\n",
        );
        let sources = (
            "/app/pyproject.toml",
            "[project]\nname = \"x\"\nversion = \"1\"\n[build-system]\nbuild-backend = \"hatchling.build\"\n[tool.uv.sources]\n",
        );
        assert!(shown(link, "/app", &[plain]).ends_with("; names /app/**"));
        assert!(shown(link, "/app", &[sources]).starts_with('('));
        let line = "uv sync --locked --no-install-project";
        assert!(shown(line, "/app", &[PACKAGE]).starts_with('('));
        for (path, text) in [
            ("/app/.venv/x", ""),
            ("/app/uv.toml", "cache-dir = \"x\"\n"),
            ("/app/uv.toml", "[[index]]\nurl = \"./x\"\n"),
            (
                "/app/pyproject.toml",
                "[project]\ndependencies = [\"x @ file:///x\"]\n",
            ),
            (
                "/app/pyproject.toml",
                "[project]\ndynamic = [\"version\"]\n",
            ),
            (
                "/app/pyproject.toml",
                "[tool.uv.sources]\nx = {path = \"gone\"}\n",
            ),
        ] {
            assert!(
                shown(line, "/app", &[PACKAGE, LOCK, (path, text)]).starts_with('('),
                "{path} {text}"
            );
        }
        assert!(
            shown_with(line, "/app", &[PACKAGE, LOCK], &[("UV_PROJECT", "x")]).starts_with('(')
        );
    }
}
