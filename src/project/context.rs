//! The build context of a Dockerfile for which nobody names one.
//!
//! Goes in: the Dockerfile's path and its literal COPY sources. Comes out: a directory, and a note
//! where it is not the obvious one. Cost: two look-ups per source. Invariant: the Dockerfile's own
//! folder unless everything that exists at all exists at the root and something only there.

use super::files::{Files, join, normalize};

/// The chosen context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextChoice {
    /// Relative to PATH with `/`; `.` for PATH itself.
    pub dir: String,
    /// Why, where it is not the Dockerfile's folder.
    pub note: Option<String>,
}

/// Chooses between the Dockerfile's folder and the root. `sources` are COPY and ADD sources without
/// variables, taken from the context; wildcards are judged by the text before the first of them.
#[must_use]
pub fn choose_context(files: &dyn Files, dockerfile: &str, sources: &[String]) -> ContextChoice {
    let own = |dir: String| ContextChoice { dir, note: None };
    let folder = dockerfile.rsplit_once('/').map_or(".", |(dir, _)| dir);
    let Some(folder) = normalize(folder) else {
        return own(folder.to_owned());
    };
    if folder == "." {
        return own(folder);
    }
    let mut only_at_root: Option<&str> = None;
    for source in sources {
        match (has(files, &folder, source), has(files, ".", source)) {
            (true, false) => return own(folder),
            (false, true) => only_at_root = only_at_root.or(Some(source)),
            (true, true) | (false, false) => {}
        }
    }
    match only_at_root {
        None => own(folder),
        Some(source) => ContextChoice {
            dir: ".".to_owned(),
            note: Some(format!(
                "the build context of {dockerfile} is taken to be the root, because {source} exists there and not in {folder}"
            )),
        },
    }
}

/// Whether a source exists in a context. The builder takes sources for absolute paths inside the
/// context, so `..` stops at its root.
fn has(files: &dyn Files, context: &str, source: &str) -> bool {
    let mut parts: Vec<&str> = Vec::new();
    for part in source.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let source = parts.join("/");
    match source.find(['*', '?', '[', '\\']) {
        None => join(context, &source).is_some_and(|path| files.exists(&path)),
        Some(wildcard) => {
            let literal = &source[..wildcard];
            let (dir, start) = literal.rsplit_once('/').unwrap_or(("", literal));
            match join(context, dir).as_deref() {
                None => false,
                Some(".") => files.any_starts_with(start),
                Some(dir) => files.any_starts_with(&format!("{dir}/{start}")),
            }
        }
    }
}
