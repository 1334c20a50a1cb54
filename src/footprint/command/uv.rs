//! uv: environments from a lock file, and pip's work.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common, python};

#[rustfmt::skip]
const UV: Spec = Spec {
    letters: "qvnUV",
    letters_with_value: "prceofP",
    names: &[
        "quiet", "verbose", "no-progress", "no-cache", "no-cache-dir", "offline", "native-tls",
        "system-certs", "frozen", "locked", "dev", "no-dev", "only-dev", "no-default-groups",
        "all-groups", "all-extras", "all-packages", "no-install-project", "no-install-workspace",
        "no-install-local", "no-editable", "no-sources", "inexact", "exact", "active",
        "compile-bytecode", "no-build", "no-build-isolation", "reinstall", "refresh", "upgrade",
        "system", "break-system-packages", "no-deps", "require-hashes", "no-verify-hashes",
        "no-index", "pre", "strict", "seed", "relocatable", "clear", "system-site-packages",
        "no-python-downloads", "no-managed-python", "managed-python", "no-config", "no-hashes",
        "no-emit-project", "no-emit-workspace", "no-header", "no-annotate", "force", "default",
        "all",
    ],
    names_with_value: &[
        "python", "group", "no-group", "only-group", "extra", "no-extra", "package",
        "no-install-package", "directory", "project", "link-mode", "index", "default-index",
        "index-url", "extra-index-url", "index-strategy", "keyring-provider", "resolution",
        "prerelease", "exclude-newer", "requirement", "requirements", "constraint", "constraints",
        "editable", "target", "prefix", "cache-dir", "find-links", "no-binary", "only-binary",
        "no-build-package", "color", "prompt", "format", "output-file", "upgrade-package",
        "refresh-package", "reinstall-package", "python-version", "python-platform",
        "python-preference", "allow-insecure-host", "trusted-host", "with", "torch-backend",
    ],
};

/// Settings that change nothing that counts.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "UV_BREAK_SYSTEM_PACKAGES", "UV_COMPILE_BYTECODE", "UV_CONCURRENT_BUILDS",
    "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_INSTALLS", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL",
    "UV_FROZEN", "UV_HTTP_TIMEOUT", "UV_INDEX", "UV_INDEX_STRATEGY", "UV_INDEX_URL",
    "UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_LINK_MODE", "UV_LOCKED", "UV_MANAGED_PYTHON",
    "UV_NATIVE_TLS", "UV_NO_CACHE", "UV_NO_DEV", "UV_NO_MANAGED_PYTHON", "UV_NO_PROGRESS",
    "UV_NO_SYNC", "UV_OFFLINE", "UV_PRERELEASE", "UV_PYTHON", "UV_PYTHON_DOWNLOADS",
    "UV_PYTHON_PREFERENCE", "UV_REQUEST_TIMEOUT", "UV_RESOLUTION", "UV_SYSTEM_PYTHON",
    "UV_VERSION",
];

/// Settings that name directories.
#[rustfmt::skip]
const PLACES: &[&str] = &[
    "UV_CACHE_DIR", "UV_INSTALL_DIR", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON_BIN_DIR",
    "UV_PYTHON_CACHE_DIR", "UV_PYTHON_INSTALL_DIR", "UV_TOOL_BIN_DIR", "UV_TOOL_DIR",
];

fn is_unclear(name: &str) -> bool {
    name.starts_with("UV_")
        && !name.starts_with("UV_INDEX_")
        && !HARMLESS.contains(&name)
        && !PLACES.contains(&name)
}

/// Describes uv.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let parsed = parse(call.arguments, &UV)?;
    common::no_values(&parsed, UV.names)?;
    call.refuse(is_unclear)?;
    python::refuse_settings(call)?;
    only_remote_indexes(call, &parsed)?;
    let online = call.claims.network;
    let texts = common::texts(&parsed.operands)?;
    match texts.as_slice() {
        ["sync"] => sync(call, &parsed),
        ["lock"] => {
            own_files(call, &parsed)?;
            let directory = project(call, &parsed)?;
            call.read_tree(&directory);
            call.write_upwards(&directory, &["uv.lock"], Extent::Exact);
            Ok(())
        }
        ["export"] => {
            own_files(call, &parsed)?;
            let directory = project(call, &parsed)?;
            call.read_tree(&directory);
            call.write_upwards(&directory, &["uv.lock"], Extent::Exact);
            for output in parsed.values(&["o", "output-file"]) {
                call.write(output, Extent::Exact)?;
            }
            Ok(())
        }
        ["venv", places @ ..] if places.len() < 2 => {
            let place = places.first().copied().unwrap_or(".venv").to_string();
            own_files(call, &parsed)?;
            project(call, &parsed)?;
            call.create_directories(&Argument::Known(place.clone()))?;
            call.keep_in(&place)
        }
        ["pip", "install", packages @ ..] => pip(call, &parsed, packages, &[]),
        ["pip", "sync", files @ ..] => pip(call, &parsed, &[], files),
        ["pip", "uninstall", ..] => pip(call, &parsed, &[], &[]),
        ["pip", "list" | "freeze" | "show" | "check", ..] => own_files(call, &parsed),
        ["python", "install", ..] => {
            project(call, &parsed)?;
            own_files(call, &parsed)
        }
        ["tool", "install", package] if !is_local(package) => {
            let from_files = parsed.has(&["with", "e", "editable"]);
            if from_files {
                return Err("it may install a local package".to_string());
            }
            own_files(call, &parsed)
        }
        ["cache", "clean" | "prune", ..] => {
            own_files(call, &parsed)?;
            call.claims.network = online;
            Ok(())
        }
        [sub, ..] => Err(format!("what `{sub}` does is not known")),
        [] => Err("the subcommand is not known".to_string()),
    }
}

/// An index may be a directory.
fn only_remote_indexes(call: &Call<'_>, parsed: &Parsed) -> Described {
    let options = ["index", "default-index", "index-url", "extra-index-url"];
    let mut values: Vec<String> = Vec::new();
    for value in parsed.values(&options) {
        values.push(value.start().to_string());
    }
    for name in [
        "UV_INDEX",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "UV_EXTRA_INDEX_URL",
    ] {
        if let Some(Some(value)) = call.shell.variables.get(name) {
            values.extend(value.split_whitespace().map(str::to_string));
        }
    }
    let local = |v: &&String| {
        let place = v.split_once('=').map_or(v.as_str(), |(_, place)| place);
        place.starts_with(['.', '/', '~']) || v.contains("file:")
    };
    match values.iter().find(local) {
        Some(index) => Err(format!("the index {index} is a directory")),
        None => Ok(()),
    }
}

fn is_local(package: &str) -> bool {
    package.starts_with(['.', '/', '~'])
        || package.contains("file:")
        || (package.contains('/') && !package.contains("://"))
        || [".whl", ".gz", ".zip"].iter().any(|e| package.ends_with(e))
}

/// Caches, interpreters and tools that uv keeps.
fn own_files(call: &mut Call<'_>, parsed: &Parsed) -> Described {
    call.claims.network = true;
    call.tool(&[".python-version"])?;
    call.moved(PLACES)?;
    call.keep_in_values(parsed, &["cache-dir"])?;
    call.claims.assume(
        "uv and packages that it builds write only to the environment, the home directory and /tmp",
    );
    Ok(())
}

/// What uv looks at to know the project.
fn project(call: &mut Call<'_>, parsed: &Parsed) -> Result<String, String> {
    let directory = call.directory_of(parsed, &["directory", "project"])?;
    let files = [
        "pyproject.toml",
        "uv.toml",
        "uv.lock",
        ".python-version",
        ".python-versions",
    ];
    call.read_upwards(&directory, &files);
    Ok(directory)
}

fn sync(call: &mut Call<'_>, parsed: &Parsed) -> Described {
    own_files(call, parsed)?;
    let directory = project(call, parsed)?;
    // A member's environment is at the top of its workspace.
    for place in ["VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"] {
        if let Some(value) = call.setting(place)? {
            call.keep_in(&value)?;
        }
    }
    call.read_upwards(&directory, &[".venv"]);
    call.write_upwards(&directory, &[".venv"], Extent::Subtree);
    if !parsed.has(&["frozen", "locked"]) {
        call.write_upwards(&directory, &["uv.lock"], Extent::Exact);
    }
    if parsed.has(&["frozen"]) && parsed.has(&["no-install-local"]) {
        call.claims.assume(format!(
            "uv sync --frozen reads only pyproject.toml, uv.toml, uv.lock and .python-version of {directory} \
             and the directories above it"
        ));
    } else {
        // Members of a workspace and local packages are built.
        call.keep_in_tree(&directory);
        call.claims
            .assume("building the project's packages writes only into the project");
    }
    Ok(())
}

fn pip(call: &mut Call<'_>, parsed: &Parsed, packages: &[&str], files: &[&str]) -> Described {
    let options = [
        "r",
        "requirement",
        "requirements",
        "c",
        "constraint",
        "constraints",
    ];
    let mut listed = false;
    let values: Vec<Argument> = parsed.values(&options).cloned().collect();
    let operands = files.iter().map(|f| Argument::Known((*f).to_string()));
    for file in values.into_iter().chain(operands) {
        if file.start().contains("://") {
            continue;
        }
        call.read(&file, Extent::Exact)?;
        listed = true;
    }
    for place in parsed.values(&["f", "find-links"]) {
        if !place.start().contains("://") {
            call.read(place, Extent::Subtree)?;
        }
    }
    let editable: Vec<&Argument> = parsed.values(&["e", "editable"]).collect();
    let mut locals: Vec<String> = Vec::new();
    for package in &editable {
        locals.extend(
            common::texts(std::slice::from_ref(*package))?
                .iter()
                .map(|t| (*t).to_string()),
        );
    }
    locals.extend(
        packages
            .iter()
            .filter(|p| is_local(p))
            .map(|p| (*p).to_string()),
    );
    for local in &locals {
        let bare = local.split('[').next().unwrap_or(local);
        if bare.contains("://") || bare.contains("file:") {
            return Err("it installs a local file".to_string());
        }
        call.keep_in(bare)?;
        call.claims.assume(format!(
            "building the project in {bare} reads and writes only that directory and the environment"
        ));
    }
    if listed {
        // The files may name others, and local packages.
        let directory = call.directory()?.to_string();
        call.keep_in_tree(&directory);
        call.claims
            .assume("the requirements files name nothing outside of the project");
    }
    own_files(call, parsed)?;
    let directory = project(call, parsed)?;
    call.keep_in_values(parsed, &["target", "prefix"])?;
    if !parsed.has(&["target", "prefix"]) {
        // The environment found may be any above the working directory, or the system's.
        call.write_upwards(&directory, &[".venv"], Extent::Subtree);
        python::installs(call)?;
    }
    for python in parsed.values(&["p", "python"]) {
        let text = python.known().ok_or("the interpreter is not known")?;
        if text.contains('/') {
            let root = text.split("/bin/").next().unwrap_or(text).to_string();
            call.keep_in(&root)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("uv sync --frozen --no-dev --no-install-local", "", "net /app/pyproject.toml /app/uv.lock /pyproject.toml", "/app/.venv/** /root/** tmp"),
        ("uv sync --frozen --no-install-project", "", "net /app/**", "/app/** /root/** tmp"),
        ("uv sync --locked --extra x", "", "net /app/**", "/app/** /root/** tmp"),
        ("UV_PROJECT_ENVIRONMENT=/venv UV_LINK_MODE=copy uv sync --frozen --no-install-local", "", "net /venv/**", "/app/.venv/** /root/** /venv/** tmp"),
        ("UV_CACHE_DIR=$X uv sync", "UV_CACHE_DIR is not known", "", ""),
        ("UV_CONFIG_FILE=/x uv sync", "UV_CONFIG_FILE is set", "", ""),
        ("uv sync --index x=./i", "is a directory", "", ""),
        ("uv sync --script x.py", "option --script", "", ""),
        ("uv pip install --system -r requirements.txt", "", "net /app/requirements.txt /app/uv.toml", "/app/** /etc/** /opt/** /root/** /usr/bin/** /usr/include/** /usr/lib/** /usr/local/** /usr/share/** /var/cache/** /var/lib/** tmp"),
        ("uv pip install --target /deps -c c.txt flask", "", "net /app/c.txt", "/app/** /deps/** /root/** tmp"),
        ("uv pip sync --target /deps r.txt", "", "net /app/r.txt", "/app/** /deps/** /root/** tmp"),
        ("uv pip install --prefix /p -e ./lib[dev]", "", "net /app/lib/**", "/app/lib/** /p/** /root/** tmp"),
        ("uv venv /venv", "", "net /app/.python-version", "/root/** /venv/** tmp"),
        ("uv venv", "", "net", "/app /app/.venv/** /root/** tmp"),
        ("uv lock", "", "net /app/**", "/app/uv.lock /root/** tmp"),
        ("uv export -o r.txt --no-dev", "", "net /app/**", "/app/r.txt /app/uv.lock /root/** tmp"),
        ("uv python install 3.12", "", "net", "/root/** tmp"),
        ("uv tool install ruff@0.4", "", "net", "/root/** tmp"),
        ("uv tool install ./x", "`tool`", "", ""),
        ("uv cache clean", "", "", "/root/** tmp"),
        ("uv run python x.py", "`run`", "", ""),
        ("uv build", "`build`", "", ""),
        ("uv pip install $PKGS", "argument $", "", ""),
    ];

    #[test]
    fn uv_has_its_footprints() {
        check(LINES);
    }
}
