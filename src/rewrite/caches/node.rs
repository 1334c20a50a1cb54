//! npm, pnpm and bun.

use super::{Caller, Kept, downloads, join};

/// The value of a setting of `.npmrc` files, the project's before the user's.
fn npmrc(call: &Caller<'_>, keys: &[&str]) -> Result<Option<String>, String> {
    let mut files: Vec<String> = call.nearest(".npmrc").into_iter().collect();
    if let (Some(project), Ok(home)) = (call.project, call.home()) {
        let own = project.read(&join(&home, ".npmrc"));
        files.extend(own.and_then(|b| String::from_utf8(b).ok()));
    }
    for text in files {
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            if keys.contains(&key.trim()) {
                return Ok(Some(value.trim().trim_matches(['"', '\'']).to_owned()));
            }
        }
    }
    Ok(None)
}

/// `~/.npm`, or what `--cache`, the variable or `.npmrc` say (`npm config get cache`).
pub(super) fn npm(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let fetches = matches!(
        call.command(),
        "ci" | "install" | "i" | "add" | "clean-install" | "install-clean" | "update" | "rebuild"
    );
    fetches.then(|| {
        call.online(&["--offline"])?;
        call.unset(&["npm_config_offline"])?;
        let said = match call.option(&["--cache"])? {
            Some(folder) => Some(folder),
            None => match call.setting("npm_config_cache")? {
                Some(folder) => Some(folder),
                None => npmrc(call, &["cache"])?,
            },
        };
        let folder = match said {
            Some(folder) => call.place(&folder)?,
            None => join(&call.home()?, ".npm"),
        };
        Ok(Kept {
            tool: "npm",
            folders: vec![downloads(folder)],
            assumptions: call.assume_plain("npm"),
            ..Kept::default()
        })
    })
}

/// The store: `--store-dir`, settings, else below PNPM_HOME or the home directory (`pnpm store path`). Packages are copied from
/// it where links are not possible.
pub(super) fn pnpm(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let fetches = matches!(
        call.command(),
        "install" | "i" | "fetch" | "add" | "deploy" | "update" | "prune"
    );
    fetches.then(|| {
        call.online(&["--offline"])?;
        call.unset(&["npm_config_offline"])?;
        if call.has(&["-g", "--global"]) {
            return Err("global packages may be links into the store".to_owned());
        }
        call.says_nothing_of(
            "pnpm-workspace.yaml",
            &["storeDir", "enableGlobalVirtualStore", "virtualStoreDir"],
        )?;
        call.says_nothing_of(".npmrc", &["global-virtual-store", "virtual-store-dir"])?;
        let said = match call.option(&["--store-dir", "--store"])? {
            Some(folder) => Some(folder),
            None => match call.setting("npm_config_store_dir")? {
                Some(folder) => Some(folder),
                None => npmrc(call, &["store-dir", "store"])?,
            },
        };
        let folder = match said {
            Some(folder) => call.place(&folder)?,
            None => match call.folder_of(&["PNPM_HOME"])? {
                Some(home) => join(&home, "store"),
                None => match call.folder_of(&["XDG_DATA_HOME"])? {
                    Some(data) => join(&data, "pnpm/store"),
                    None => join(&call.home()?, ".local/share/pnpm/store"),
                },
            },
        };
        let mut assumptions = call.assume_plain("pnpm");
        assumptions.push(
            "pnpm copies from its store where it cannot link, with the same files".to_owned(),
        );
        Ok(Kept {
            tool: "pnpm",
            folders: vec![downloads(folder)],
            // What was installed needs the store no more.
            later: call.command() == "fetch",
            assumptions,
            ..Kept::default()
        })
    })
}

/// `install/cache` (`bun pm cache`).
pub(super) fn bun(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let fetches = matches!(
        call.command(),
        "install" | "i" | "add" | "a" | "ci" | "update"
    );
    fetches.then(|| {
        call.says_nothing_of("bunfig.toml", &["cache", "symlink"])?;
        if call.has(&["--no-cache", "--backend=symlink", "--global-store"]) {
            return Err("an option changes what bun's cache is for".to_owned());
        }
        let said = call.option(&["--cache-dir"])?;
        let folder = match said {
            Some(folder) => call.place(&folder)?,
            None => match call.folder_of(&["BUN_INSTALL_CACHE_DIR"])? {
                Some(folder) => folder,
                None => match call.folder_of(&["BUN_INSTALL"])? {
                    Some(home) => join(&home, "install/cache"),
                    None => match call.folder_of(&["XDG_CACHE_HOME"])? {
                        Some(cache) => join(&cache, ".bun/install/cache"),
                        None => join(&call.home()?, ".bun/install/cache"),
                    },
                },
            },
        };
        Ok(Kept {
            tool: "bun",
            folders: vec![downloads(folder)],
            assumptions: call.assume_plain("bun"),
            ..Kept::default()
        })
    })
}
