//! go: modules and what was compiled.

use super::{Caller, Kept, downloads, join, objects};

/// Images of distributions, which set no variable of go.
const PLAIN: &[&str] = &[
    "alpine",
    "debian",
    "ubuntu",
    "fedora",
    "buildpack-deps",
    "rockylinux",
    "almalinux",
];

/// Modules below GOMODCACHE or GOPATH, objects in GOCACHE (`go help environment`).
pub(super) fn go(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let compiles = matches!(
        call.command(),
        "build" | "install" | "test" | "generate" | "vet" | "run"
    );
    let fetches = match call.command() {
        "mod" => call.operands().nth(1) == Some("download"),
        "get" => true,
        _ => false,
    };
    (compiles || fetches).then(|| find(call, compiles))
}

fn find(call: &Caller<'_>, compiles: bool) -> Result<Kept, String> {
    let flags = call.setting("GOFLAGS")?.unwrap_or_default();
    let vendored = call.has(&["-mod=vendor"]) || flags.contains("-mod=vendor");
    if call.setting("GOPROXY")?.is_some_and(|p| p == "off") {
        return Err("GOPROXY=off needs a filled cache, and a cache mount may be empty".to_owned());
    }
    let modules = match call.folder_of(&["GOMODCACHE"])? {
        Some(folder) => folder,
        None => join(&path(call)?, "pkg/mod"),
    };
    let cache = match call.setting("GOCACHE")? {
        Some(off) if off == "off" => return Err("GOCACHE=off".to_owned()),
        Some(folder) => call.place(&folder)?,
        None => join(&call.cache_home()?, "go-build"),
    };
    let mut kept = Kept {
        tool: "go",
        later: true,
        ..Kept::default()
    };
    if !vendored {
        kept.folders.push(downloads(modules));
    }
    if compiles {
        kept.folders.push(objects(cache));
        kept.assumptions
            .push("go's build cache need not notice a C library that changed".to_owned());
    }
    Ok(kept)
}

fn path(call: &Caller<'_>) -> Result<String, String> {
    if let Some(path) = call.setting("GOPATH")? {
        return call.place(path.split(':').next().unwrap_or_default());
    }
    if call.image.ends_with("/golang") {
        return Ok("/go".to_owned());
    }
    let distribution = call.image.strip_prefix("docker.io/library/");
    match distribution.is_some_and(|d| PLAIN.contains(&d)) {
        true => Ok(join(&call.home()?, "go")),
        false => Err(format!("GOPATH of {} is not known", call.image)),
    }
}
