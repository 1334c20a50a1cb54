//! Python: `python -m pip` and `-m venv`, and what Poetry, uv and Pipenv have in common: TOML manifests, local packages.
//!
//! Goes in: a command line, or a manifest. Comes out: what is read. Invariant: a local package is taken only where its
//! build backend is one that leaves nothing in the sources and looks at nothing outside of them.

use super::{Command, Found, Needs, Project, above, join, pip, text};
use toml::{Table, Value};

/// Backends that only read, and only the folder of the package.
const BACKENDS: [&str; 7] = [
    "poetry.core.masonry.api",
    "poetry.masonry.api",
    "hatchling.build",
    "flit_core.buildapi",
    "pdm.backend",
    "uv_build",
    "flit.buildapi",
];

/// What an interpreter needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let mut arguments = command.arguments;
    while let [flag, rest @ ..] = arguments
        && matches!(flag.as_str(), "-u" | "-B" | "-s" | "-I" | "-E")
    {
        arguments = rest;
    }
    match arguments {
        [m, module, rest @ ..] if m == "-m" && module == "pip" => {
            let inner = Command {
                arguments: rest,
                ..*command
            };
            pip::needs(&inner, project)
        }
        [m, module, rest @ ..] if m == "-m" && matches!(module.as_str(), "venv" | "virtualenv") => {
            let flags = [
                "--system-site-packages",
                "--copies",
                "--symlinks",
                "--clear",
                "--upgrade-deps",
                "--without-pip",
            ];
            let places: Vec<&String> = rest
                .iter()
                .filter(|a| !flags.contains(&a.as_str()))
                .collect();
            let mut needs = Needs::default();
            match places.as_slice() {
                [place] if !place.starts_with('-') => {
                    environment(&join(command.dir, place), project, &mut needs)?;
                    Ok(needs)
                }
                _ => Err("where the environment goes is not known".to_owned()),
            }
        }
        [version] if matches!(version.as_str(), "--version" | "-V") => Ok(Needs::default()),
        _ => Err("it runs a program that may look at anything".to_owned()),
    }
}

/// Writes a virtual environment.
///
/// # Errors
/// The context has something there.
pub(super) fn environment(
    place: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    if project.has_below(place) {
        return Err(format!("{place} is in the build context"));
    }
    needs.write_tree(place);
    Ok(())
}

/// A TOML file.
///
/// # Errors
/// It is not there or not understood.
pub(super) fn table(project: &dyn Project, path: &str) -> Result<Table, String> {
    text(project, path)?
        .parse()
        .map_err(|e: toml::de::Error| format!("{path}: {}", e.message()))
}

/// The value at a path of keys.
pub(super) fn get<'t>(table: &'t Table, keys: &[&str]) -> Option<&'t Value> {
    let (first, rest) = keys.split_first()?;
    let start = table.get(*first)?;
    rest.iter().try_fold(start, |value, key| value.get(*key))
}

/// All texts of a tree.
pub(super) fn leaves<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Array(list) => list.iter().for_each(|v| leaves(v, out)),
        Value::Table(map) => map.values().for_each(|v| leaves(v, out)),
        _ => {}
    }
}

/// Whether some text of a tree is the address of a file.
pub(super) fn names_file(value: &Value) -> bool {
    let mut texts = Vec::new();
    leaves(value, &mut texts);
    texts.iter().any(|t| t.contains("file:"))
}

/// All values of the key `path`, at any depth.
pub(super) fn paths<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|v| paths(v, out)),
        Value::Table(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "path" => out.push(text),
                    _ => paths(value, out),
                }
            }
        }
        _ => {}
    }
}

/// Requirements of `[project]` and of groups name no file.
///
/// # Errors
/// One does.
pub(super) fn only_remote(manifest: &Table, path: &str) -> Result<(), String> {
    let mut texts = Vec::new();
    let project = manifest.get("project");
    for key in ["dependencies", "optional-dependencies"] {
        if let Some(list) = project.and_then(|p| p.get(key)) {
            leaves(list, &mut texts);
        }
    }
    if let Some(groups) = manifest.get("dependency-groups") {
        leaves(groups, &mut texts);
    }
    match texts
        .iter()
        .find(|t| t.contains("file:") || t.contains("{root"))
    {
        Some(text) => Err(format!("{path} asks for {text}")),
        None => Ok(()),
    }
}

/// A local package that a manifest names by its path: a file, or a folder that is built.
///
/// # Errors
/// It is not there, or what building it does is not known.
pub(super) fn local(place: &str, project: &dyn Project, needs: &mut Needs) -> Result<(), String> {
    if project.is_file(place) {
        needs.read(place);
        return Ok(());
    }
    if ["setup.py", "setup.cfg"]
        .iter()
        .any(|f| project.is_file(&join(place, f)))
    {
        return Err(format!("building {place} may write into it"));
    }
    let manifest = join(place, "pyproject.toml");
    let tree = table(project, &manifest)?;
    let backend = get(&tree, &["build-system", "build-backend"]).and_then(Value::as_str);
    if !backend.is_some_and(|b| BACKENDS.contains(&b)) {
        return Err(format!("building {place} may write into it"));
    }
    let hooks = [
        &["tool", "poetry", "build"][..],
        &["tool", "poetry", "requires-plugins"],
        &["tool", "hatch", "build", "hooks"],
        &["tool", "hatch", "metadata"],
        &["tool", "hatch", "version", "source"],
        &["tool", "pdm", "build"],
        &["tool", "pdm", "version"],
        &["build-system", "backend-path"],
    ];
    if hooks.iter().any(|keys| get(&tree, keys).is_some()) {
        return Err(format!("building {place} runs hooks"));
    }
    for key in ["project", "tool"] {
        if let Some(value) = tree.get(key)
            && looks_outside(value)
        {
            return Err(format!("{manifest} names files outside of its folder"));
        }
    }
    only_remote(&tree, &manifest)?;
    needs.read_tree(place);
    for folder in above(place) {
        // Some backends leave out what git ignores.
        needs.read_all(folder, &[".gitignore", ".hgignore"]);
    }
    needs.assume(format!(
        "building {place} looks at nothing outside of it and leaves nothing in it"
    ));
    Ok(())
}

/// Whether a value that is no path of a dependency starts with `..`.
fn looks_outside(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(".."),
        Value::Array(list) => list.iter().any(looks_outside),
        Value::Table(map) => map.iter().any(|(k, v)| k != "path" && looks_outside(v)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown;

    #[test]
    fn modules_of_an_interpreter_are_known() {
        let files = [
            ("/app/r.txt", "x\n"),
            ("/app/a.py", ""),
            ("/app/.venv/x", ""),
        ];
        for (line, expected) in [
            ("python -m pip install -r r.txt", "/app/r.txt | "),
            ("python3.12 -u -m pip install x", " | "),
            ("python3 -m venv --copies /venv", " | /venv/**"),
            (
                "python -m venv .venv",
                "(/app/.venv is in the build context)",
            ),
            ("python3 --version", " | "),
            (
                "python a.py",
                "(it runs a program that may look at anything)",
            ),
            (
                "python -m compileall .",
                "(it runs a program that may look at anything)",
            ),
            (
                "python -m venv --prompt x /y",
                "(where the environment goes is not known)",
            ),
        ] {
            assert_eq!(shown(line, "/app", &files), expected, "{line}");
        }
    }
}
