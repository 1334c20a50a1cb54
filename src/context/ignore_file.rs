//! Which ignore file applies to a build from a local context.
//!
//! Goes in: the Dockerfile's path and the context root. Comes out: a path, if there is one. Costs
//! two look-ups. Invariant: the file next to the Dockerfile wins completely, even when it is empty
//! (experiments row 20).

use std::path::{Path, PathBuf};

/// `<dockerfile>.dockerignore` next to the Dockerfile, else `.dockerignore` at the context root.
#[must_use]
pub fn ignore_file_for(dockerfile: &Path, context_root: &Path) -> Option<PathBuf> {
    let beside = dockerfile.file_name().map(|name| {
        let mut name = name.to_owned();
        name.push(".dockerignore");
        dockerfile.with_file_name(name)
    });
    beside
        .into_iter()
        .chain([context_root.join(".dockerignore")])
        .find(|path| path.is_file())
}
