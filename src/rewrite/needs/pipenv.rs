//! Pipenv: `Pipfile` and `Pipfile.lock`.
//!
//! Goes in: a command line. Comes out: what it reads. Invariant: packages that come from a path of the project are
//! reasons, archives aside.

use super::python::{environment, get, table};
use super::words::{Options, Words};
use super::{Command, Found, Needs, Project, above, join};
use toml::Value;

#[rustfmt::skip]
const OPTIONS: Options = Options {
    flags: &[
        "-d", "--dev", "--deploy", "--system", "--ignore-pipfile", "--clear", "-v", "--verbose", "-q", "--quiet",
        "--keep-outdated", "--pre", "--site-packages", "--sequential", "--dev-only",
    ],
    valued: &["--python", "--categories", "--extra-pip-args", "--pypi-mirror", "-i", "--index"],
};

/// Variables that move nothing.
#[rustfmt::skip]
const VARIABLES: &[&str] = &[
    "PIPENV_VENV_IN_PROJECT", "PIPENV_NOSPIN", "PIPENV_YES", "PIPENV_IGNORE_VIRTUALENVS", "PIPENV_TIMEOUT",
    "PIPENV_INSTALL_TIMEOUT", "PIPENV_VERBOSITY", "PIPENV_HIDE_EMOJIS", "PIPENV_MAX_RETRIES",
    "PIPENV_CACHE_DIR", "PIPENV_COLORBLIND", "PIPENV_PYPI_MIRROR", "PIPENV_VERSION", "PIPENV_QUIET",
    "PIPENV_DEFAULT_PYTHON_VERSION", "PIPENV_DONT_LOAD_ENV",
];

/// How far up it looks for a Pipfile.
const DEPTH: usize = 3;

/// What Pipenv needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::parse(command.arguments, &OPTIONS)?;
    let odd = |n: &&String| n.starts_with("PIPENV_") && !VARIABLES.contains(&n.as_str());
    if let Some(name) = command.variables.keys().find(odd) {
        return Err(format!("{name} is set"));
    }
    let mut needs = Needs::default();
    let installs = match words.operands.as_slice() {
        ["install" | "sync"] => true,
        ["requirements"] => false,
        ["--version"] => return Ok(needs),
        _ => return Err("only an install of the project's own dependencies is known".to_owned()),
    };
    let places = std::iter::once(command.dir).chain(above(command.dir));
    let mut top = None;
    for place in places.take(DEPTH) {
        needs.read_all(place, &["Pipfile", "Pipfile.lock"]);
        if project.is_file(&join(place, "Pipfile")) {
            top = Some(place);
            break;
        }
    }
    let top = top.ok_or("there is no Pipfile in the build context")?;
    if !project.is_file(&join(top, "Pipfile.lock")) {
        return Err("there is no Pipfile.lock".to_owned());
    }
    let manifest = join(top, "Pipfile");
    let tree = table(project, &manifest)?;
    if let Some(Value::Array(sources)) = get(&tree, &["source"]) {
        let url = |s: &Value| s.get("url").and_then(Value::as_str).map(str::to_owned);
        if sources
            .iter()
            .any(|s| !url(s).is_some_and(|u| u.contains("://") && !u.starts_with("file:")))
        {
            return Err(format!("a source of {manifest} is a folder"));
        }
    }
    for (group, list) in &tree {
        if matches!(group.as_str(), "source" | "requires" | "scripts" | "pipenv") {
            continue;
        }
        for (name, entry) in list.as_table().into_iter().flatten() {
            package(entry, top, project, &mut needs)
                .map_err(|()| format!("{manifest} names the local package {name}"))?;
        }
    }
    if installs {
        environment(&join(top, ".venv"), project, &mut needs)?;
        needs.assume("pipenv reads only Pipfile and Pipfile.lock of the project");
    }
    let keeps = ["--deploy", "--ignore-pipfile"];
    if words.operands == ["install"] && !words.has(&keeps) {
        needs.assume("pipenv install leaves Pipfile.lock as it is: it is up to date");
    }
    Ok(needs)
}

fn package(entry: &Value, top: &str, project: &dyn Project, needs: &mut Needs) -> Result<(), ()> {
    let Value::Table(entry) = entry else {
        return entry
            .as_str()
            .filter(|t| !t.contains("file:"))
            .map(|_| ())
            .ok_or(());
    };
    let remote = ["git", "hg", "svn", "bzr"]
        .iter()
        .any(|k| entry.contains_key(*k));
    if entry.contains_key("editable") {
        // Repositories are cloned into a folder src, which may be that of the project.
        return Err(());
    }
    for key in ["path", "file"] {
        let Some(value) = entry.get(key) else {
            continue;
        };
        let text = value.as_str().ok_or(())?;
        if text.contains("://") && !text.starts_with("file:") {
            continue;
        }
        let place = join(top, text);
        match project.is_file(&place) && !remote {
            true => needs.read(place),
            false => return Err(()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{shown, shown_with};

    const LOCK: (&str, &str) = ("/app/Pipfile.lock", "{}");

    #[test]
    fn pipenv_reads_its_manifests() {
        let pipfile = "[[source]]\nurl = \"https://pypi.org/simple\"\n[packages]\nflask = \"*\"\nx = {file = \"x.whl\"}\n\
                       y = {git = \"https://e.org/y\", ref = \"1\"}\n[scripts]\na = \"file:x\"\n";
        let files = [
            ("/app/Pipfile", pipfile),
            LOCK,
            ("/app/x.whl", ""),
            ("/app/a.py", ""),
        ];
        for line in [
            "pipenv install --system --deploy --ignore-pipfile",
            "pipenv sync --categories prod",
            "pipenv install --dev",
        ] {
            let expected = "/app/Pipfile /app/Pipfile.lock /app/x.whl | /app/.venv/**";
            assert_eq!(shown(line, "/app", &files), expected, "{line}");
        }
    }

    #[test]
    fn local_packages_are_left_alone() {
        for pipfile in [
            "[packages]\nx = {path = \".\"}\n",
            "[packages]\nx = {path = \".\", editable = true}\n",
            "[packages]\nx = {git = \"https://e.org/x\", editable = true}\n",
            "[web]\nx = {file = \"gone.whl\"}\n",
            "[[source]]\nurl = \"/x\"\n",
            "x",
        ] {
            let files = [("/app/Pipfile", pipfile), LOCK];
            assert!(
                shown("pipenv sync", "/app", &files).starts_with('('),
                "{pipfile}"
            );
        }
        let plain = ("/app/Pipfile", "");
        assert!(shown("pipenv install", "/app", &[plain]).starts_with('('));
        for line in [
            "pipenv install x",
            "pipenv lock",
            "pipenv run x",
            "pipenv install -r x",
        ] {
            assert!(
                shown(line, "/app", &[plain, LOCK]).starts_with('('),
                "{line}"
            );
        }
        let set = [("PIPENV_PIPFILE", "x")];
        assert!(shown_with("pipenv sync", "/app", &[plain, LOCK], &set).starts_with('('));
    }
}
