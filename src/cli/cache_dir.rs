//! Where the tool keeps its own store.
//!
//! Goes in: `--cache-dir` (or its variable), the user's folders, what is analysed. Comes out: a
//! folder or nothing. Invariant: never a folder inside of what is analysed.

use super::args::Cli;
use super::subject::Place;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// The folder, which may not exist yet; `None` when nothing is to be kept.
///
/// # Errors
/// When the folder that was asked for lies in the analysed repository or folder.
pub fn cache_dir(cli: &Cli, place: &Place) -> Result<Option<PathBuf>> {
    let asked = match &cli.cache_dir {
        Some(dir) if dir.as_os_str() == "none" || dir.as_os_str().is_empty() => return Ok(None),
        asked => asked.clone(),
    };
    let Some(dir) = asked.clone().or_else(users) else {
        return Ok(None);
    };
    let dir = resolved(&dir);
    let mut analysed = vec![resolved(&place.path)];
    if let Some(repository) = &place.repository {
        analysed.extend(repository.work_tree().map(Path::to_owned));
        analysed.push(repository.git_dir().to_owned());
    }
    match analysed.iter().any(|a| dir.starts_with(a)) {
        false => Ok(Some(dir)),
        true if asked.is_none() => Ok(None),
        true => bail!(
            "--cache-dir {}: that is inside of what is analysed, where nothing is written",
            dir.display()
        ),
    }
}

/// `cacheplan` in the user's cache folder.
fn users() -> Option<PathBuf> {
    let folder = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|v| v.is_absolute())
    };
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("cacheplan"))
}

/// The path without links and dots, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = absolute.ancestors().find_map(|a| {
        let real = a.canonicalize().ok()?;
        let rest = absolute.strip_prefix(a).ok()?;
        Some(if rest.as_os_str().is_empty() {
            real
        } else {
            real.join(rest)
        })
    });
    known.unwrap_or(absolute)
}
