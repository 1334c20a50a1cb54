//! pip, poetry, uv and pipenv.

use super::{Caller, Kept, downloads, join};

/// A wheel that was compiled is kept too, and told from others by the Python alone, not by the C library: a mount that
/// images of two C libraries share gives one the programs of the other (tried with pip 23.2).
fn assumptions(call: &Caller<'_>, tool: &str) -> Vec<String> {
    let mut out = call.assume_plain(tool);
    out.push(format!(
        "what {tool} compiled on this builder, with the same cache, fits the image: images of one name and tag are built alike"
    ));
    out
}

/// PIP_CACHE_DIR, `--cache-dir`, or `pip` of the home directory's caches (`pip cache dir`).
pub(super) fn pip(call: &Caller<'_>, arguments: &[String]) -> Option<Result<Kept, String>> {
    let first = arguments.iter().find(|a| !a.starts_with('-'))?;
    matches!(first.as_str(), "install" | "wheel" | "download").then(|| {
        // Whatever its value: pip takes 0 for a no as well.
        call.unset(&["PIP_NO_CACHE_DIR"])?;
        call.online(&["--no-index"])?;
        let folder = match call.option(&["--cache-dir"])? {
            Some(folder) => call.place(&folder)?,
            None => match call.folder_of(&["PIP_CACHE_DIR"])? {
                Some(folder) => folder,
                None => join(&call.cache_home()?, "pip"),
            },
        };
        Ok(Kept {
            tool: "pip",
            folders: vec![downloads(folder)],
            off: call.off(&["--no-cache-dir", "--no-cache"]),
            compiled: true,
            assumptions: assumptions(call, "pip"),
            ..Kept::default()
        })
    })
}

/// Below POETRY_CACHE_DIR, which may hold environments too: only what was fetched.
pub(super) fn poetry(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let fetches = matches!(
        call.command(),
        "install" | "sync" | "update" | "add" | "lock" | "self"
    );
    fetches.then(|| {
        call.says_nothing_of("poetry.toml", &["cache-dir"])?;
        let folder = match call.folder_of(&["POETRY_CACHE_DIR"])? {
            Some(folder) => folder,
            None => join(&call.cache_home()?, "pypoetry"),
        };
        Ok(Kept {
            tool: "poetry",
            folders: vec![
                downloads(join(&folder, "artifacts")),
                downloads(join(&folder, "cache")),
            ],
            off: call.off(&["--no-cache"]),
            whole: Some(folder),
            compiled: true,
            assumptions: assumptions(call, "poetry"),
            ..Kept::default()
        })
    })
}

/// UV_CACHE_DIR, `--cache-dir`, or `uv` of the home directory's caches (`uv cache dir`).
pub(super) fn uv(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let second = call.operands().nth(1).unwrap_or_default();
    let fetches = match call.command() {
        "sync" | "add" | "lock" | "run" | "build" => true,
        "pip" => matches!(second, "install" | "sync" | "compile"),
        "tool" => second == "install",
        _ => false,
    };
    fetches.then(|| {
        call.unset(&["UV_NO_CACHE", "UV_OFFLINE"])?;
        call.online(&["--offline"])?;
        // Links into the cache would lead nowhere in the image.
        let links = call
            .option(&["--link-mode"])?
            .or(call.setting("UV_LINK_MODE")?);
        if links.is_some_and(|mode| mode == "symlink") {
            return Err("uv is told to link into its cache".to_owned());
        }
        for name in ["uv.toml", "pyproject.toml"] {
            call.says_nothing_of(name, &["cache-dir", "link-mode", "no-cache"])?;
        }
        let folder = match call.option(&["--cache-dir"])? {
            Some(folder) => call.place(&folder)?,
            None => match call.folder_of(&["UV_CACHE_DIR"])? {
                Some(folder) => folder,
                None => join(&call.cache_home()?, "uv"),
            },
        };
        Ok(Kept {
            tool: "uv",
            folders: vec![downloads(folder)],
            off: call.off(&["--no-cache", "--no-cache-dir", "-n"]),
            compiled: true,
            assumptions: assumptions(call, "uv"),
            ..Kept::default()
        })
    })
}

/// PIPENV_CACHE_DIR, which its pip uses as well.
pub(super) fn pipenv(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let fetches = matches!(call.command(), "install" | "sync" | "update" | "lock");
    fetches.then(|| {
        call.unset(&["PIP_NO_CACHE_DIR"])?;
        let folder = match call.folder_of(&["PIPENV_CACHE_DIR"])? {
            Some(folder) => folder,
            None => join(&call.cache_home()?, "pipenv"),
        };
        Ok(Kept {
            tool: "pipenv",
            folders: vec![downloads(folder)],
            compiled: true,
            assumptions: assumptions(call, "pipenv"),
            ..Kept::default()
        })
    })
}
