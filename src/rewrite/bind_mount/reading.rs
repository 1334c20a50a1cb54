//! Which uses of a tool only read the project's files.
//!
//! Goes in: a use. Comes out: what that rests on; `None` for one that may write to a manifest or a lock file, or of which
//! nobody knows. Invariant: a use is on this list because its tool says that it changes neither; that its needs name no
//! such write is not enough, since those take it that a lock file is up to date, and a tool may write the same bytes again.

use crate::footprint::Use;

/// What it rests on that a use writes to none of the files it reads; `holds` says whether a file has a text in it.
pub(super) fn only_reads(used: &Use, holds: &dyn Fn(&str, &str) -> bool) -> Option<Vec<String>> {
    let arguments = used.arguments.as_deref()?;
    let has = |words: &[&str]| arguments.iter().any(|a| words.contains(&a.as_str()));
    let set = |name: &str| {
        let value = used.variables.get(name).cloned().flatten();
        value.is_some_and(|v| matches!(v.as_str(), "1" | "true"))
    };
    let mut operands = arguments
        .iter()
        .map(String::as_str)
        .filter(|a| !a.starts_with('-'));
    let first = operands.next().unwrap_or_default();
    let second = operands.next().unwrap_or_default();
    let dir = used.dir.as_deref()?;
    let beside = |name: &str| format!("{}/{name}", dir.trim_end_matches('/'));
    let tool = used.tool.as_str();
    let python =
        tool.starts_with("python") && arguments.starts_with(&["-m".to_owned(), "pip".to_owned()]);
    let none = Some(Vec::new());
    match tool {
        // npm-ci: "It will never write to package.json or any of the package-locks: installs are essentially frozen."
        "npm" => match first {
            "ci" | "clean-install" | "install-clean" | "ic" => none,
            "cache" if matches!(second, "clean" | "verify") => none,
            _ => None,
        },
        // Behind corepack both write their version to a manifest that has none.
        "yarn" | "yarnpkg" => {
            let install = matches!(first, "" | "install");
            let frozen = has(&["--frozen-lockfile", "--immutable"]);
            (install && frozen && holds(&beside("package.json"), "\"packageManager\""))
                .then(Vec::new)
        }
        "pnpm" => {
            let frozen =
                first == "fetch" || matches!(first, "install" | "i") && has(&["--frozen-lockfile"]);
            (frozen && holds(&beside("package.json"), "\"packageManager\"")).then(Vec::new)
        }
        "bun" => (matches!(first, "install" | "i") && has(&["--frozen-lockfile"])).then(Vec::new),
        // What is installed as it lies there may be built there.
        "pip" | "pip3" | "uv" if has(&["-e", "--editable"]) => None,
        "pip" | "pip3" => matches!(first, "install" | "download" | "wheel").then(Vec::new),
        _ if python && !has(&["-e", "--editable"]) => {
            matches!(second, "install" | "download" | "wheel").then(Vec::new)
        }
        "poetry" => {
            let locked = holds(&beside("poetry.lock"), "");
            (matches!(first, "install" | "sync" | "export") && locked).then(Vec::new)
        }
        "uv" => {
            let frozen = has(&["--frozen", "--locked"]) || set("UV_FROZEN") || set("UV_LOCKED");
            let pip = first == "pip" && matches!(second, "install" | "sync");
            (pip || first == "sync" && frozen).then(Vec::new)
        }
        "pipenv" => {
            let kept = has(&["--deploy", "--ignore-pipfile"]);
            (first == "sync" || first == "install" && kept).then(Vec::new)
        }
        "go" => match (first, second) {
            ("mod", "download" | "verify" | "graph") => none,
            ("build" | "install", _) => none,
            _ => None,
        },
        "cargo" => {
            let locked = has(&["--locked", "--frozen"]);
            (matches!(first, "fetch" | "build" | "install") && locked).then(Vec::new)
        }
        "mvn" => {
            let goals = arguments.iter().filter(|a| !a.starts_with('-'));
            let mut reads = goals.map(|g| g.starts_with("dependency:"));
            reads.all(|r| r).then(Vec::new)
        }
        "dotnet" => (first == "restore").then(Vec::new),
        _ => None,
    }
}
