//! pip: installs into the system's Python, or where an option says.
//!
//! A requirements file is read as one file: what it names in turn is the caller's to look at, which
//! the assumption says. A local project is built by its own code, taken to stay in its directory.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described};

const PIP: Spec = Spec {
    letters: "UqvI",
    letters_with_value: "rcitef",
    names: &[
        "no-cache-dir",
        "upgrade",
        "no-deps",
        "pre",
        "quiet",
        "user",
        "no-input",
        "no-index",
        "disable-pip-version-check",
        "require-hashes",
        "break-system-packages",
        "no-build-isolation",
        "force-reinstall",
        "prefer-binary",
        "no-compile",
        "compile",
        "ignore-installed",
        "no-warn-script-location",
        "isolated",
        "verbose",
        "no-dependencies",
        "yes",
        "use-pep517",
        "no-color",
        "no-python-version-warning",
    ],
    names_with_value: &[
        "requirement",
        "constraint",
        "index-url",
        "extra-index-url",
        "trusted-host",
        "target",
        "prefix",
        "root-user-action",
        "timeout",
        "default-timeout",
        "retries",
        "progress-bar",
        "only-binary",
        "no-binary",
        "platform",
        "python-version",
        "find-links",
        "upgrade-strategy",
        "proxy",
        "cache-dir",
        "editable",
        "use-feature",
        "implementation",
        "abi",
    ],
};

/// Where an install into the system's Python may write.
pub(super) const WRITES: &[&str] = &[
    "/etc",
    "/opt",
    "/tmp",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/local",
    "/usr/share",
    "/var/cache",
    "/var/lib",
    "/var/tmp",
];

/// Settings by environment that change nothing that counts.
const HARMLESS: &[&str] = &[
    "PIP_NO_CACHE_DIR",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_TIMEOUT",
    "PIP_ROOT_USER_ACTION",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_BREAK_SYSTEM_PACKAGES",
    "PIP_PROGRESS_BAR",
    "PIP_TRUSTED_HOST",
    "PIP_NO_INPUT",
    "PIP_PREFER_BINARY",
    "PIP_RETRIES",
    "PIP_NO_COMPILE",
    "PIP_NO_COLOR",
    "PIP_VERSION",
    "PIP_ONLY_BINARY",
    "PIP_NO_BINARY",
];

/// Whether a variable is a setting of pip that may change what it touches.
pub(super) fn is_setting(name: &str) -> bool {
    let pip = name.starts_with("PIP_") && !HARMLESS.contains(&name);
    pip || name.starts_with("PYTHONUSERBASE") || name == "PYTHONHOME"
}

/// Describes pip with these arguments.
pub(super) fn run(call: &mut Call<'_>, arguments: &[Argument]) -> Described {
    if matches!(arguments, [a] if matches!(a.known(), Some("--version" | "-V"))) {
        return Ok(());
    }
    let parsed = parse(arguments, &PIP)?;
    if let Some(name) = call.shell.variables.keys().find(|n| is_setting(n)) {
        return Err(format!("{name} is set"));
    }
    if call.shell.variables.contains_key("PYTHONPATH") {
        call.claims
            .assume("no file below PYTHONPATH shadows a Python module");
    }
    let Some((sub, operands)) = parsed.operands.split_first() else {
        return Err("the subcommand is not known".to_string());
    };
    match sub.known() {
        Some("list" | "show" | "freeze" | "check") => Ok(()),
        Some("cache") => {
            let cache = call.home_entry(".cache")?;
            call.claims.write(cache.extent, cache.path);
            call.claims
                .assume("pip's cache is in .cache of the home directory");
            Ok(())
        }
        Some("uninstall") => destination(call, &parsed),
        Some("install") => install(call, &parsed, operands),
        _ => Err(format!("what `{}` does is not known", sub.shown())),
    }
}

fn install(call: &mut Call<'_>, parsed: &Parsed, operands: &[Argument]) -> Described {
    call.claims.network = true;
    let mut named = false;
    for file in parsed.values(&["r", "requirement", "c", "constraint"]) {
        if file.start().contains("://") {
            continue;
        }
        call.read(file, Extent::Exact)?;
        match file {
            Argument::Known(_) | Argument::Pattern { one: true, .. } => {}
            _ => return Err("a requirements file is not known".to_string()),
        }
        named = true;
    }
    for place in parsed.values(&["f", "find-links"]) {
        if !place.start().contains("://") {
            call.read(place, Extent::Subtree)?;
        }
    }
    for operand in operands.iter().chain(parsed.values(&["e", "editable"])) {
        requirement(call, operand)?;
    }
    destination(call, parsed)?;
    if named {
        call.claims
            .assume("the requirements files name no other local file or directory");
    }
    Ok(())
}

/// One thing to install.
fn requirement(call: &mut Call<'_>, operand: &Argument) -> Described {
    let text = operand.start();
    if text.is_empty() {
        return Err("what is installed is not known".to_string());
    }
    let bare = text.split('[').next().unwrap_or(text);
    let remote = text.contains("://") && !text.contains("file:");
    let archive = [".whl", ".tar.gz", ".zip", ".tar.bz2"]
        .iter()
        .any(|end| text.ends_with(end));
    let local =
        bare.starts_with(['.', '/']) || (bare.contains('/') && !bare.contains('@')) || archive;
    if remote || !local {
        return match text.contains("file:") {
            true => Err("it installs a local file".to_string()),
            false => Ok(()),
        };
    }
    let path = match operand {
        // `.[extra]` is a pattern to the shell and a directory to pip.
        Argument::Unknown { .. } => return Err("a path is not known".to_string()),
        _ if archive && matches!(operand, Argument::Pattern { .. }) => operand.clone(),
        _ => Argument::Known(bare.to_string()),
    };
    if archive {
        call.read(&path, Extent::Exact)?;
        return Ok(());
    }
    call.read(&path, Extent::Subtree)?;
    call.write(&path, Extent::Subtree)?;
    call.claims.assume(format!(
        "building the project in {bare} reads and writes only that directory and the Python installation"
    ));
    Ok(())
}

/// Where it writes.
fn destination(call: &mut Call<'_>, parsed: &Parsed) -> Described {
    let home = call.home()?;
    let mut elsewhere = parsed.has(&["user"]);
    for target in parsed.values(&["t", "target", "prefix", "cache-dir"]) {
        call.write(target, Extent::Subtree)?;
    }
    elsewhere |= parsed.has(&["t", "target", "prefix"]);
    call.claims.write_all(&[&home, "/tmp"]);
    if !elsewhere {
        call.claims.write_all(WRITES);
        // A virtual environment comes first in PATH.
        let variables = &call.shell.variables;
        let mut roots = Vec::new();
        if let Some(Some(root)) = variables.get("VIRTUAL_ENV") {
            roots.push(root.clone());
        }
        if let Some(Some(path)) = variables.get("PATH") {
            roots.extend(
                path.split(':')
                    .filter_map(|e| e.strip_suffix("/bin"))
                    .map(str::to_string),
            );
        }
        for root in roots.iter().filter(|r| r.starts_with('/')) {
            let root = call.resolve(root)?;
            call.claims.write(Extent::Subtree, root);
        }
    }
    call.claims.assume(format!(
        "pip and the packages it builds write only to {}, the environments in PATH and the directory \
         they are given",
        [&[home.as_str()], WRITES].concat().join(", ")
    ));
    Ok(())
}
