//! Poetry: `pyproject.toml`, `poetry.lock`, `poetry.toml`, and the folders of local packages.
//!
//! Goes in: a command line. Comes out: what it reads. Invariant: the project itself is installed as a link
//! ([`super::editable`]), or not at all.

use super::python::{environment, get, local, names_file, only_remote, paths, table};
use super::words::{Options, Words};
use super::{Command, Found, Needs, Project, above, editable, join};
use std::collections::BTreeSet;
use toml::Value;

#[rustfmt::skip]
const OPTIONS: Options = Options {
    flags: &[
        "-n", "-q", "-v", "-V", "--no-interaction", "--no-ansi", "--ansi", "--no-plugins", "--no-cache", "--quiet",
        "--verbose", "--no-root", "--no-dev", "--dev", "--dev-only", "--sync", "--all-extras", "--all-groups",
        "--no-directory", "--compile", "--remove-untracked", "--without-hashes", "--with-credentials", "--all",
        "--version",
    ],
    valued: &[
        "-E", "-C", "-P", "-f", "-o", "--only", "--with", "--without", "--extras", "--directory", "--project",
        "--format", "--output",
    ],
};

/// Beginnings and names of settings that move nothing.
#[rustfmt::skip]
const SETTINGS: &[&str] = &[
    "virtualenvs.create", "virtualenvs.in-project", "virtualenvs.options.", "virtualenvs.prompt",
    "virtualenvs.prefer-active-python", "virtualenvs.use-poetry-python", "installer.", "http-basic.",
    "pypi-token.", "repositories.", "solver.", "requests.", "keyring.", "warnings.", "experimental.",
    "system-git-client",
];

/// Variables that move nothing in the project, or only what the footprint knows.
#[rustfmt::skip]
const VARIABLES: &[&str] = &[
    "POETRY_VERSION", "POETRY_NO_INTERACTION", "POETRY_NO_ANSI", "POETRY_VIRTUALENVS_CREATE",
    "POETRY_VIRTUALENVS_IN_PROJECT", "POETRY_VIRTUALENVS_PREFER_ACTIVE_PYTHON", "POETRY_REQUESTS_TIMEOUT",
    "POETRY_WARNINGS_EXPORT", "POETRY_HOME", "POETRY_CACHE_DIR", "POETRY_CONFIG_DIR", "POETRY_DATA_DIR",
    "POETRY_VIRTUALENVS_PATH",
];

const KINDS: [&str; 6] = [
    "POETRY_INSTALLER_",
    "POETRY_REPOSITORIES_",
    "POETRY_HTTP_BASIC_",
    "POETRY_PYPI_TOKEN_",
    "POETRY_VIRTUALENVS_OPTIONS_",
    "POETRY_SOLVER_",
];

/// What Poetry needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::parse(command.arguments, &OPTIONS)?;
    let odd = |n: &&String| {
        let known = VARIABLES.contains(&n.as_str()) || KINDS.iter().any(|k| n.starts_with(k));
        n.starts_with("POETRY_") && !known
    };
    if let Some(name) = command.variables.keys().find(odd) {
        return Err(format!("{name} is set"));
    }
    let start = words.value(&["-C", "--directory"]);
    let start = start.map_or(command.dir.to_owned(), |d| join(command.dir, d));
    let start = words
        .value(&["-P", "--project"])
        .map_or(start.clone(), |d| join(&start, d));
    let mut needs = Needs::default();
    let top = top_of(&start, project, &mut needs);
    settings(&top, project, &mut needs)?;
    match words.operands.as_slice() {
        ["install" | "sync"] => install(&words, &top, project, &mut needs)?,
        ["export"] => export(&words, command.dir, &top, project, &mut needs)?,
        ["config", key, ..] if is_harmless(key) => {}
        ["cache", "clear", ..] => {}
        ["self", "add", packages @ ..] if packages.iter().all(|p| is_remote(p)) => {}
        [] if words.has(&["--version", "-V"]) => {}
        _ => return Err("only an install of the project's own dependencies is known".to_owned()),
    }
    Ok(needs)
}

fn is_remote(package: &str) -> bool {
    !package.contains(['/', ':']) && !package.starts_with(['.', '~'])
}

fn is_harmless(key: &str) -> bool {
    SETTINGS
        .iter()
        .any(|s| key == *s || (s.ends_with('.') && key.starts_with(s)))
}

/// The nearest folder with a manifest.
fn top_of(start: &str, project: &dyn Project, needs: &mut Needs) -> String {
    for place in std::iter::once(start).chain(above(start)) {
        needs.read_all(place, &["pyproject.toml", "poetry.toml"]);
        if project.is_file(&join(place, "pyproject.toml")) {
            return place.to_owned();
        }
    }
    start.to_owned()
}

/// `poetry.toml`.
fn settings(top: &str, project: &dyn Project, needs: &mut Needs) -> Result<(), String> {
    let path = join(top, "poetry.toml");
    if !project.is_file(&path) {
        return Ok(());
    }
    needs.read(path.clone());
    for (group, value) in table(project, &path)? {
        let names: Vec<String> = match &value {
            Value::Table(map) => map.keys().map(|k| format!("{group}.{k}")).collect(),
            _ => vec![group.clone()],
        };
        let nested = |n: &&String| {
            let longer = format!("{n}.");
            !is_harmless(n) && !SETTINGS.contains(&longer.as_str())
        };
        if let Some(name) = names.iter().find(nested) {
            return Err(format!("{path}: the setting {name} is not known"));
        }
    }
    Ok(())
}

fn install(
    words: &Words<'_>,
    top: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let manifest = join(top, "pyproject.toml");
    let tree = table(project, &manifest)?;
    let package = get(&tree, &["tool", "poetry", "package-mode"]);
    // `--only main` installs it as well.
    if !words.has(&["--no-root"]) && package != Some(&Value::Boolean(false)) {
        editable::by_poetry(top, &tree, project, needs)?;
    }
    lock(top, project, needs)?;
    packages(top, words.has(&["--no-directory"]), project, needs)?;
    environment(&join(top, ".venv"), project, needs)?;
    needs.assume(
        "poetry reads only pyproject.toml, poetry.toml and poetry.lock of the project and the local packages they name",
    );
    Ok(())
}

fn lock(top: &str, project: &dyn Project, needs: &mut Needs) -> Result<(), String> {
    let lock = join(top, "poetry.lock");
    if !project.is_file(&lock) {
        return Err("there is no lock file".to_owned());
    }
    needs.read(lock);
    Ok(())
}

/// Local packages of the manifest, and those that they name.
fn packages(
    top: &str,
    skips_folders: bool,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let mut queue = vec![top.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(folder) = queue.pop() {
        if !seen.insert(folder.clone()) || project.is_file(&folder) {
            continue;
        }
        let manifest = join(&folder, "pyproject.toml");
        let tree = table(project, &manifest)?;
        only_remote(&tree, &manifest)?;
        let own = get(&tree, &["tool", "poetry"]);
        if own.is_some_and(|p| p.get("requires-plugins").is_some()) {
            return Err(format!("{manifest} asks for plugins"));
        }
        if get(&tree, &["tool", "poetry-dynamic-versioning"]).is_some() {
            return Err(format!("{manifest} asks git for the version"));
        }
        if let Some(sources) = own.and_then(|p| p.get("source"))
            && names_file(sources)
        {
            return Err(format!("a source of {manifest} is a folder"));
        }
        let mut found = Vec::new();
        for key in ["dependencies", "dev-dependencies", "group"] {
            if let Some(list) = own.and_then(|p| p.get(key)) {
                paths(list, &mut found);
            }
        }
        for path in found {
            let place = join(&folder, path);
            if place == top {
                return Err(format!("{manifest} names the project itself"));
            }
            if skips_folders && !project.is_file(&place) {
                needs.read(join(&place, "pyproject.toml"));
                continue;
            }
            local(&place, project, needs)?;
            queue.push(place);
        }
    }
    Ok(())
}

fn export(
    words: &Words<'_>,
    dir: &str,
    top: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    lock(top, project, needs)?;
    packages(top, true, project, needs)?;
    for output in words.values(&["-o", "--output"]) {
        let place = join(dir, output);
        if project.is_file(&place) {
            return Err(format!("{place} is in the build context"));
        }
        needs.write(place);
    }
    needs.assume(
        "poetry export reads only pyproject.toml, poetry.toml and poetry.lock of the project",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{shown, shown_with};

    const LOCK: (&str, &str) = ("/app/poetry.lock", "");
    const PLAIN: (&str, &str) = (
        "/app/pyproject.toml",
        "[tool.poetry]\nname = \"x\"\nreadme = \"README.md\"\n[tool.poetry.dependencies]\npython = \"^3.11\"\nrich = \"*\"\n",
    );

    #[test]
    fn poetry_reads_its_manifests() {
        let settings = (
            "/app/poetry.toml",
            "[virtualenvs]\nin-project = true\n[virtualenvs.options]\nno-pip = true\n",
        );
        let files = [
            PLAIN,
            LOCK,
            settings,
            ("/app/README.md", ""),
            ("/app/x/a.py", ""),
        ];
        let expected = "/app/poetry.lock /app/poetry.toml /app/pyproject.toml | /app/.venv/**";
        for line in [
            "poetry install --no-root --only main --no-interaction --no-ansi",
            "poetry install --no-root --only=main",
            "poetry sync --no-root -C /app -E x",
        ] {
            assert_eq!(shown(line, "/app", &files), expected, "{line}");
        }
        let found = shown(
            "poetry export -f requirements.txt -o r.txt --without-hashes",
            "/app",
            &files,
        );
        assert_eq!(found, expected.replace(".venv/**", "r.txt"));
        let reads = expected
            .split(" | ")
            .next()
            .unwrap()
            .replace("/app/poetry.lock ", "");
        assert_eq!(
            shown("poetry config virtualenvs.create false", "/app", &files),
            format!("{reads} | ")
        );
        let tool = (
            "/app/pyproject.toml",
            "[tool.poetry]\npackage-mode = false\n",
        );
        assert!(shown("poetry install", "/app", &[tool, LOCK]).starts_with('/'));
    }

    #[test]
    fn folders_of_local_packages_are_read() {
        let manifest = "[tool.poetry.dependencies]\na = {path = \"libs/a\", develop = true}\nw = [{path = \"w.whl\"}]\n";
        let a = "[tool.poetry.group.dev.dependencies]\nb = {path = \"../b\"}\n[build-system]\nbuild-backend = \
                 \"poetry.core.masonry.api\"\n";
        let b = "[build-system]\nbuild-backend = \"hatchling.build\"\n";
        let files = [
            ("/app/pyproject.toml", manifest),
            LOCK,
            ("/app/libs/a/pyproject.toml", a),
            ("/app/libs/b/pyproject.toml", b),
            ("/app/w.whl", ""),
        ];
        let found = shown("poetry install --no-root", "/app", &files);
        for part in [
            "/app/libs/a/** /app/libs/b/**",
            "/app/w.whl",
            "/app/.gitignore",
        ] {
            assert!(found.contains(part), "{part}: {found}");
        }
        let line = "poetry install --no-root --no-directory";
        let found = shown(line, "/app", &files);
        assert!(
            !found.contains("/app/libs/a/**") && found.contains("/app/libs/a/pyproject.toml"),
            "{found}"
        );
        for text in [
            "[build-system]\nbuild-backend = \"setuptools.build_meta\"\n",
            "[tool.poetry.build]\nscript = \"x.py\"\n[build-system]\nbuild-backend = \"poetry.core.masonry.api\"\n",
            "[project]\nreadme = \"../README.md\"\n[build-system]\nbuild-backend = \"hatchling.build\"\n",
            "[tool.poetry.dependencies]\nx = {path = \"../..\"}\n[build-system]\nbuild-backend = \"poetry.core.masonry.api\"\n",
        ] {
            let mut odd = files;
            odd[2].1 = text;
            assert!(
                shown("poetry install --no-root", "/app", &odd).starts_with('('),
                "{text}"
            );
        }
    }

    #[test]
    fn projects_that_are_installed_are_left_alone() {
        for line in [
            "poetry install",
            "poetry install --only-root",
            "poetry install --only main",
            "poetry add x",
            "poetry lock",
            "poetry config virtualenvs.path /x",
            "poetry run x",
        ] {
            assert!(
                shown(line, "/app", &[PLAIN, LOCK]).starts_with('('),
                "{line}"
            );
        }
        let line = "poetry install --no-root";
        assert!(shown(line, "/app", &[PLAIN]).starts_with('('));
        for (path, text) in [
            ("/app/.venv/x", ""),
            ("/app/poetry.toml", "cache-dir = \"x\"\n"),
            ("/app/poetry.toml", "[virtualenvs]\npath = \"x\"\n"),
            (
                "/app/pyproject.toml",
                "[project]\ndependencies = [\"x @ file:///x\"]\n",
            ),
            (
                "/app/pyproject.toml",
                "[tool.poetry.requires-plugins]\nx = \"*\"\n",
            ),
        ] {
            assert!(
                shown(line, "/app", &[PLAIN, LOCK, (path, text)]).starts_with('('),
                "{path} {text}"
            );
        }
        assert!(shown_with(line, "/app", &[PLAIN, LOCK], &[("POETRY_X", "1")]).starts_with('('));
    }
}
