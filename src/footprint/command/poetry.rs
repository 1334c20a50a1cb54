//! Poetry: installs a lock file's packages into an environment.
//!
//! `virtualenvs.create` may have been switched off in a step before, so the system's Python is written
//! as well as the places of environments.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common, python};

#[rustfmt::skip]
const POETRY: Spec = Spec {
    letters: "nqvVh",
    letters_with_value: "ECPGfo",
    names: &[
        "no-interaction", "no-ansi", "ansi", "no-plugins", "no-cache", "quiet", "verbose",
        "no-root", "no-dev", "dev", "dev-only", "only-root", "sync", "all-extras", "all-groups",
        "no-directory", "compile", "remove-untracked", "no-update", "regenerate", "check", "lock",
        "unset", "local", "all", "without-hashes", "with-credentials", "all-versions",
    ],
    names_with_value: &[
        "only", "with", "without", "extras", "directory", "project", "group", "format", "output",
        "python",
    ],
};

/// Settings that change nothing that counts.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "POETRY_VERSION", "POETRY_NO_INTERACTION", "POETRY_NO_ANSI", "POETRY_VIRTUALENVS_CREATE",
    "POETRY_VIRTUALENVS_IN_PROJECT", "POETRY_VIRTUALENVS_PREFER_ACTIVE_PYTHON",
    "POETRY_REQUESTS_TIMEOUT", "POETRY_WARNINGS_EXPORT", "POETRY_CERTIFICATES",
];

/// Settings that name directories.
const PLACES: &[&str] = &[
    "POETRY_HOME",
    "POETRY_CACHE_DIR",
    "POETRY_CONFIG_DIR",
    "POETRY_DATA_DIR",
    "POETRY_VIRTUALENVS_PATH",
];

fn is_unclear(name: &str) -> bool {
    let kinds = [
        "POETRY_INSTALLER_",
        "POETRY_REPOSITORIES_",
        "POETRY_HTTP_BASIC_",
        "POETRY_PYPI_TOKEN_",
        "POETRY_VIRTUALENVS_OPTIONS_",
        "POETRY_SOLVER_",
    ];
    let known = HARMLESS.contains(&name)
        || PLACES.contains(&name)
        || kinds.iter().any(|k| name.starts_with(k));
    name.starts_with("POETRY_") && !known
}

/// Describes poetry.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let parsed = parse(call.arguments, &POETRY)?;
    common::no_values(&parsed, POETRY.names)?;
    call.refuse(is_unclear)?;
    python::refuse_settings(call)?;
    let operands = common::texts(&parsed.operands)?;
    let Some((sub, rest)) = operands.split_first() else {
        return Err("the subcommand is not known".to_string());
    };
    match (*sub, rest) {
        ("install" | "sync" | "update", []) => install(call, &parsed, *sub == "update"),
        ("add" | "remove", [_, ..]) if !rest.iter().any(|p| is_local(p)) => {
            install(call, &parsed, true)
        }
        ("lock", []) => {
            project(call, &parsed, true)?;
            call.claims.network = true;
            Ok(())
        }
        ("check", []) => project(call, &parsed, false),
        ("export", []) => {
            project(call, &parsed, true)?;
            call.claims.network = true;
            for output in parsed.values(&["o", "output"]) {
                call.write(output, Extent::Exact)?;
            }
            Ok(())
        }
        ("config", [key, ..]) if is_plain_setting(key) => {
            let directory = call.directory_of(&parsed, &["C", "directory", "P", "project"])?;
            call.write(
                &Argument::Known(format!("{directory}/poetry.toml")),
                Extent::Exact,
            )?;
            project(call, &parsed, false)
        }
        ("cache", ["clear", ..]) => project(call, &parsed, false),
        ("self", ["add", packages @ ..]) if !packages.iter().any(|p| is_local(p)) => {
            project(call, &parsed, false)?;
            call.claims.network = true;
            python::installs(call)
        }
        _ => Err(format!("what `{sub}` does is not known")),
    }
}

fn is_local(package: &str) -> bool {
    package.starts_with(['.', '/', '~'])
        || package.contains("file:")
        || (package.contains('/') && !package.contains("://"))
        || [".whl", ".gz", ".zip"].iter().any(|e| package.ends_with(e))
}

/// Settings that move nothing; `virtualenvs.path` and `cache-dir` would.
fn is_plain_setting(key: &str) -> bool {
    let kinds = ["http-basic.", "repositories.", "pypi-token.", "installer."];
    kinds.iter().any(|k| key.starts_with(k))
        || matches!(
            key,
            "virtualenvs.create" | "virtualenvs.in-project" | "experimental.new-installer"
        )
}

/// The manifest, the lock file and Poetry's own files.
fn project(call: &mut Call<'_>, parsed: &Parsed, locks: bool) -> Described {
    let directory = call.directory_of(parsed, &["C", "directory", "P", "project"])?;
    call.read_upwards(&directory, &["pyproject.toml", "poetry.toml"]);
    call.read_files(&directory, &["poetry.lock", ".venv", ".python-version"]);
    if locks {
        // What a lock file says of local packages comes from their manifests.
        call.read_tree(&directory);
        let top = directory.trim_end_matches('/');
        call.claims
            .write(Extent::Exact, format!("{top}/poetry.lock"));
    }
    call.tool(&[])?;
    call.moved(PLACES)?;
    call.claims
        .assume("poetry writes only to the project, the environment, the home directory and /tmp");
    Ok(())
}

fn install(call: &mut Call<'_>, parsed: &Parsed, changes: bool) -> Described {
    project(call, parsed, changes)?;
    call.claims.network = true;
    let directory = call.directory_of(parsed, &["C", "directory", "P", "project"])?;
    let top = directory.trim_end_matches('/').to_string();
    if changes {
        call.claims
            .write(Extent::Exact, format!("{top}/pyproject.toml"));
    }
    call.read_files(&directory, &["README.md"]);
    call.claims.write(Extent::Subtree, format!("{top}/.venv"));
    python::installs(call)?;
    if parsed.has(&["no-root"]) && parsed.has(&["no-directory"]) {
        call.claims.assume(format!(
            "poetry reads only pyproject.toml, poetry.toml and poetry.lock of {directory}, which name no \
             local archive"
        ));
    } else {
        // The project itself and local packages are built and linked to.
        call.keep_in_tree(&directory);
    }
    call.claims.assume(
        "packages that poetry builds write only to their environment, the home directory and /tmp",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("poetry install --no-root --no-directory --only main --no-interaction --no-ansi", "", "net /app/pyproject.toml /app/poetry.lock /pyproject.toml /opt/** /root/**", "/app/.venv/** /etc/** /opt/** /root/** /usr/bin/** /usr/include/** /usr/lib/** /usr/local/** /usr/share/** /var/cache/** /var/lib/** tmp"),
        ("poetry install --no-dev --no-root", "", "net /app/**", "/app/** /etc/** /opt/** /root/** /usr/bin/** /usr/include/** /usr/lib/** /usr/local/** /usr/share/** /var/cache/** /var/lib/** tmp"),
        ("poetry config virtualenvs.create false", "", "/app/pyproject.toml", "/app/poetry.toml /root/** tmp"),
        ("poetry config virtualenvs.path /x", "`config`", "", ""),
        ("poetry config cache-dir /x", "`config`", "", ""),
        ("POETRY_CACHE_DIR=/c poetry lock --no-update", "", "net /app/** /c/**", "/app/poetry.lock /c/** /root/** tmp"),
        ("POETRY_VIRTUALENVS_PATH='{cache-dir}/v' poetry lock", "stands for", "", ""),
        ("POETRY_OTHER=/c poetry lock", "POETRY_OTHER is set", "", ""),
        ("POETRY_HOME=$NOPE poetry lock", "POETRY_HOME is not known", "", ""),
        ("poetry export -f requirements.txt -o r.txt --without-hashes", "", "net /app/poetry.lock", "/app/poetry.lock /app/r.txt /root/** tmp"),
        ("poetry add ../lib", "`add`", "", ""),
        ("poetry install --frob", "option --frob", "", ""),
        ("poetry install $ARGS", "argument $", "", ""),
        ("poetry run python x.py", "`run`", "", ""),
        ("poetry build", "`build`", "", ""),
        ("poetry --version", "", "", ""),
    ];

    #[test]
    fn poetry_has_its_footprints() {
        check(LINES);
    }
}
