//! Language package managers: npm and pip, when they install from manifests.

use super::system::SYSTEM;
use super::{Known, TOOLS};
use crate::footprint::walk::{Argument, Walk};
use crate::footprint::{Install, InstallTool, PathClaim};

/// `None`: not one of these.
pub fn effect(name: &str, args: &[Argument], walk: &Walk) -> Option<Result<Known, String>> {
    let texts: Option<Vec<&str>> = args
        .iter()
        .map(|a| match a {
            Argument::Text(t) => Some(t.as_str()),
            _ => None,
        })
        .collect();
    let unknown = || Some(Err(format!("an argument of {name} is not known")));
    match name {
        "npm" => texts.map_or_else(unknown, |t| Some(npm(&t, walk))),
        "pip" | "pip3" => texts.map_or_else(unknown, |t| Some(pip(&t, walk))),
        n if n.starts_with("python") => match texts.as_deref() {
            Some(["-m", "pip", rest @ ..]) => Some(pip(rest, walk)),
            _ => None,
        },
        _ => None,
    }
}

fn npm(args: &[&str], walk: &Walk) -> Result<Known, String> {
    let dir = walk.cwd.clone().ok_or("the directory npm runs in is not known")?;
    let mut verb = None;
    for a in args {
        match *a {
            flag if flag.starts_with('-') => {
                let fine = [
                    "--omit", "--include", "--production", "--only", "--no-audit", "--no-fund", "--ignore-scripts", "--legacy-peer-deps",
                    "--force", "--prefer-offline", "--no-optional", "--loglevel", "--silent", "--quiet", "--verbose", "--no-progress",
                    "--audit", "--fund", "--no-save", "--no-package-lock", "-s", "-q", "-d", "-f", "--progress", "--unsafe-perm",
                    "--fetch-timeout", "--fetch-retries", "--network-timeout", "--strict-peer-deps", "--no-update-notifier", "--frozen-lockfile",
                ];
                if !fine.contains(&flag.split('=').next().unwrap_or(flag)) {
                    return Err(format!("npm {flag} is not known"));
                }
            }
            word if verb.is_none() => verb = Some(word),
            "clean" | "verify" if verb == Some("cache") => {}
            "dev" | "production" | "prod" | "optional" if args.iter().any(|a| matches!(*a, "--omit" | "--only" | "--include")) => {}
            "error" | "warn" | "info" | "verbose" | "silent" if args.contains(&"--loglevel") => {}
            word => return Err(format!("npm {} {word} is not known", verb.unwrap_or_default())),
        }
    }
    let mut known = Known::tool();
    for folder in ["/root", "/tmp", "/home/node/.npm"] {
        known.writes.push(PathClaim::subtree(folder));
    }
    let verb = verb.unwrap_or_default();
    if verb == "cache" {
        known.assumption = Some("npm cache touches only npm's own cache".to_owned());
        return Ok(known);
    }
    let may_write_lock = matches!(verb, "install" | "i");
    if !may_write_lock && !matches!(verb, "ci" | "clean-install") {
        return Err(format!("what npm {verb} touches is not known"));
    }
    let at = |file: &str| format!("{}/{file}", dir.trim_end_matches('/'));
    for file in ["package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc", "binding.gyp"] {
        known.reads.push(PathClaim::exact(at(file)));
    }
    known.reads.push(PathClaim::exact("/root/.npmrc"));
    known.reads.push(PathClaim::subtree(at("node_modules")));
    known.writes.push(PathClaim::subtree(at("node_modules")));
    if may_write_lock {
        known.writes.push(PathClaim::exact(at("package-lock.json")));
    }
    known.network = true;
    known.assumption = Some("npm writes only node_modules and its own cache, and the packages' scripts stay inside them".to_owned());
    known.install = Some(Install {
        tool: InstallTool::Npm,
        dir,
        named_files: Vec::new(),
        scripts_ignored: args.contains(&"--ignore-scripts"),
        may_write_lock: may_write_lock && !args.contains(&"--no-save") && !args.contains(&"--no-package-lock"),
    });
    Ok(known)
}

fn pip(args: &[&str], walk: &Walk) -> Result<Known, String> {
    let mut words = args.iter();
    let mut verb = None;
    let mut files = Vec::new();
    while let Some(a) = words.next() {
        match *a {
            "-r" | "--requirement" | "-c" | "--constraint" => {
                files.push((*words.next().ok_or("pip lacks the name of a file")?).to_owned());
            }
            "--index-url" | "-i" | "--extra-index-url" | "--trusted-host" | "--timeout" | "--retries" | "--default-timeout" => {
                words.next();
            }
            flag if flag.starts_with("-r") || flag.starts_with("-c") => files.push(flag[2..].trim_start_matches('=').to_owned()),
            flag if flag.starts_with("--requirement=") || flag.starts_with("--constraint=") => {
                files.push(flag.split_once('=').map_or("", |(_, v)| v).to_owned());
            }
            flag if flag.starts_with('-') => {
                let fine = [
                    "--no-cache-dir", "--upgrade", "-U", "--no-deps", "--prefer-binary", "--disable-pip-version-check", "--quiet", "-q", "-v",
                    "--no-compile", "--compile", "--index-url", "--extra-index-url", "--trusted-host", "--timeout", "--default-timeout",
                    "--require-hashes", "--no-input", "--pre", "--only-binary", "--no-binary", "--break-system-packages",
                    "--root-user-action", "--no-build-isolation", "--progress-bar", "--no-warn-script-location", "--force-reinstall", "--retries",
                ];
                if !fine.contains(&flag.split('=').next().unwrap_or(flag)) {
                    return Err(format!("pip {flag} is not known"));
                }
                if matches!(flag, "--only-binary" | "--no-binary" | "--root-user-action" | "--progress-bar") {
                    words.next();
                }
            }
            word if verb.is_none() => verb = Some(word),
            word if word.contains('/') || word.starts_with('.') || word.ends_with(".whl") || word.ends_with(".gz") || word.ends_with(".zip") => {
                return Err("pip installs from a path of the project".to_owned());
            }
            _ => {}
        }
    }
    match verb {
        Some("install") => {}
        Some("cache" | "list" | "freeze" | "--version") => {
            let mut known = Known::tool();
            known.writes.push(PathClaim::subtree("/root/.cache"));
            known.assumption = Some("pip's own cache is in /root/.cache".to_owned());
            return Ok(known);
        }
        other => return Err(format!("what pip {} touches is not known", other.unwrap_or_default())),
    }
    let mut known = Known::tool();
    for folder in TOOLS.iter().chain(&SYSTEM) {
        known.reads.push(PathClaim::subtree(*folder));
        known.writes.push(PathClaim::subtree(*folder));
    }
    for file in &files {
        let path = walk.absolute(file).ok_or("the directory pip runs in is not known")?;
        known.reads.push(PathClaim::exact(path));
    }
    // An active virtual environment elsewhere shows in PATH, which the base image sets: assumed not.
    known.assumption = Some("pip installs into the system folders or /opt, and the packages' build scripts stay inside them and /tmp".to_owned());
    known.network = true;
    if !files.is_empty() {
        known.install = Some(Install {
            tool: InstallTool::Pip,
            dir: walk.cwd.clone().ok_or("the directory pip runs in is not known")?,
            named_files: files,
            scripts_ignored: false,
            may_write_lock: false,
        });
    }
    Ok(known)
}
