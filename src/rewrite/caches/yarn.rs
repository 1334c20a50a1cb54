//! yarn, classic and berry. Berry's cache is for a mount only where it lies outside the project and nothing runs from it.

use super::{Caller, Kept, downloads, join};

/// The cache of the yarn that the project uses (`yarn cache dir`, `yarn config get cacheFolder`).
pub(super) fn yarn(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    const OTHERS: &[&str] = &["install", "add", "up", "upgrade", "workspaces", "global"];
    let asks = call.has(&["--version", "-v", "--help", "-h"]);
    // Without a command it installs.
    let fetches = call.command().is_empty() || OTHERS.contains(&call.command());
    (fetches && !asks).then(|| {
        call.online(&["--offline"])?;
        let mut kept = Kept {
            tool: "yarn",
            assumptions: call.assume_plain("yarn"),
            ..Kept::default()
        };
        let (is_classic, is_berry) = match call.project {
            None => (true, true),
            Some(_) => {
                let berry = is_berry(call);
                (!berry, berry)
            }
        };
        if is_classic {
            // It has no lock: of two at a time both fail (yarn 1.22).
            kept.locked = true;
            kept.folders.push(downloads(classic(call)?));
        }
        if is_berry {
            kept.folders.push(downloads(berry(call)?));
        }
        Ok(kept)
    })
}

fn is_berry(call: &Caller<'_>) -> bool {
    let named = call.nearest("package.json").and_then(|text| version(&text));
    match named {
        Some(major) => major > 1,
        None => {
            call.nearest(".yarnrc.yml").is_some()
                || call
                    .nearest("yarn.lock")
                    .is_some_and(|t| t.contains("__metadata:"))
        }
    }
}

/// The major version that `packageManager` names.
fn version(manifest: &str) -> Option<u32> {
    let value: serde_json::Value = serde_json::from_str(manifest).ok()?;
    let named = value.get("packageManager")?.as_str()?;
    named.strip_prefix("yarn@")?.split('.').next()?.parse().ok()
}

/// Root's is in `/usr/local/share`, whatever `HOME` says.
fn classic(call: &Caller<'_>) -> Result<String, String> {
    call.says_nothing_of(".yarnrc", &["cache-folder", "offline"])?;
    if let Some(folder) = call.option(&["--cache-folder"])? {
        return call.place(&folder);
    }
    if let Some(folder) = call.folder_of(&["YARN_CACHE_FOLDER"])? {
        return Ok(folder);
    }
    if let Some(cache) = call.folder_of(&["XDG_CACHE_HOME"])? {
        return Ok(join(&cache, "yarn"));
    }
    Ok(match call.runner.ids {
        None => "/usr/local/share/.cache/yarn".to_owned(),
        Some(_) => join(&call.home()?, ".cache/yarn"),
    })
}

fn berry(call: &Caller<'_>) -> Result<String, String> {
    call.unset(&[
        "YARN_ENABLE_GLOBAL_CACHE",
        "YARN_NODE_LINKER",
        "YARN_CACHE_FOLDER",
        "YARN_ENABLE_NETWORK",
    ])?;
    if call.project.is_some() {
        let settings = call.nearest(".yarnrc.yml").unwrap_or_default();
        let value = |key: &str| {
            let mut lines = settings.lines();
            lines.find_map(|l| l.strip_prefix(key)?.strip_prefix(':').map(str::trim))
        };
        let plain = |v: Option<&str>| v.map(|v| v.trim_matches(['"', '\'']).to_owned());
        match plain(value("nodeLinker")).as_deref() {
            Some("node-modules") => {}
            _ => return Err("the project runs from yarn's cache (nodeLinker)".to_owned()),
        }
        for key in ["cacheFolder", "globalFolder", "enableNetwork", "nmMode"] {
            if value(key).is_some() {
                return Err(format!(".yarnrc.yml says something of {key}"));
            }
        }
        let global = plain(value("enableGlobalCache"));
        let manifest = call.nearest("package.json");
        let major = manifest.and_then(|text| version(&text));
        match (global.as_deref(), major) {
            (Some("true"), _) | (None, Some(4..)) => {}
            _ => return Err("yarn's cache is in the project".to_owned()),
        }
    }
    let global = match call.folder_of(&["YARN_GLOBAL_FOLDER"])? {
        Some(folder) => folder,
        None => join(&call.home()?, ".yarn/berry"),
    };
    Ok(join(&global, "cache"))
}
