//! Babel: message catalogues of Python projects.
//!
//! Goes in: `pybabel compile -d po`. Comes out: the folder of catalogues. Invariant: compiled catalogues that the project
//! brings are written over, so that no COPY of them comes behind the command.

use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;

/// What `pybabel` needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let Some(("compile", rest)) = command
        .arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    else {
        return Err("what pybabel looks at is not known".to_owned());
    };
    let mut words = rest.iter();
    let mut directory = None;
    while let Some(word) = words.next() {
        directory = match word.as_str() {
            "-d" | "--directory" => words.next().map(String::as_str),
            other => match other.strip_prefix("--directory=") {
                Some(value) => Some(value),
                None => directory.or(other.strip_prefix("-d")),
            },
        };
    }
    let directory = directory.ok_or("which catalogues pybabel compiles is not known")?;
    let place = join(command.dir, directory);
    // Since 2.19 the folder that it starts in may say more, and where to.
    let manifest = join(command.dir, "pyproject.toml");
    if project.is_file(&manifest) && text(project, &manifest)?.contains("tool.babel") {
        return Err(format!("{manifest} has settings for pybabel"));
    }
    let mut needs = Needs::default();
    needs.read(manifest);
    let compiled = project
        .below(&place)
        .into_iter()
        .filter(|f| f.ends_with(".mo"));
    needs.writes.extend(compiled.map(PathClaim::exact));
    needs.read_tree(place.clone());
    needs.adds.insert(PathClaim::subtree(place));
    needs.assume(
        "pybabel leaves catalogues as they are, and no other compiled one is added to the project",
    );
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use super::super::shown;

    #[test]
    fn catalogues_are_what_it_needs() {
        let files = [
            ("/app/po/de/LC_MESSAGES/messages.po", ""),
            ("/app/a.py", ""),
        ];
        let settings = [("/app/pyproject.toml", "[tool.babel.compile_catalog]\n")];
        let compiled = [("/app/po/de/LC_MESSAGES/messages.mo", "")];
        for (line, files, needs) in [
            (
                "pybabel compile -d po",
                &files[..],
                "/app/po/** /app/pyproject.toml | ",
            ),
            (
                "pybabel compile -f --directory=/app/po -D x",
                &files[..],
                "/app/po/** /app/pyproject.toml | ",
            ),
            (
                "pybabel compile -dpo",
                &files[..],
                "/app/po/** /app/pyproject.toml | ",
            ),
            (
                "pybabel compile",
                &files[..],
                "(which catalogues pybabel compiles is not known)",
            ),
            (
                "pybabel extract .",
                &files[..],
                "(what pybabel looks at is not known)",
            ),
            (
                "pybabel compile -d po",
                &settings[..],
                "(/app/pyproject.toml has settings for pybabel)",
            ),
            (
                "pybabel compile -d po",
                &compiled[..],
                "/app/po/** /app/pyproject.toml | /app/po/de/LC_MESSAGES/messages.mo",
            ),
        ] {
            assert_eq!(shown(line, "/app", files), needs, "{line}");
        }
    }
}
