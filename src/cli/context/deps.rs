//! `--format make-deps`: what a target depends on, as make and ninja read it.
//!
//! Goes in: the files that steps read. Comes out: one rule without a recipe, and an empty rule for
//! each file, so that a file which is gone is a change and not an error. Invariant: make reads back
//! the very names; what its syntax cannot say is refused.

use super::View;
use crate::context::EntryKind;
use crate::pattern::display;
use anyhow::{Result, bail};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

pub fn make_deps(view: &View<'_>, target: Option<&str>) -> Result<Vec<u8>> {
    let subject = view.subject;
    if view.place.at.is_some() {
        bail!("--format make-deps names files of a work tree: there is none at a revision");
    }
    let stage = subject.plan.stages.get(subject.plan.target);
    let stage = stage.and_then(|s| s.name.as_deref());
    let target = target.or(stage).unwrap_or("image");
    let beside = |file: &str| view.place.path.join(file);
    let mut paths = vec![beside(&subject.target.file)];
    paths.extend(subject.ignore_file.as_deref().map(beside));
    let root = beside(&subject.context);
    for (i, entry) in view.shown() {
        if entry.kind != EntryKind::Directory && !view.reads.steps[i].is_empty() {
            paths.push(root.join(OsStr::from_bytes(&entry.path)));
        }
    }
    let mut names: Vec<Vec<u8>> = Vec::new();
    for path in paths {
        let name = escaped(plain(&path).as_os_str().as_bytes())?;
        if !names.contains(&name) || names.len() > 2 {
            names.push(name);
        }
    }
    // The Dockerfile stays in front; a file named twice (the Dockerfile is read too) is no harm.
    let mut out = escaped(target.as_bytes())?;
    out.push(b':');
    for name in &names {
        out.extend_from_slice(b" \\\n  ");
        out.extend_from_slice(name);
    }
    out.push(b'\n');
    for name in &names {
        out.push(b'\n');
        out.extend_from_slice(name);
        out.extend_from_slice(b":\n");
    }
    Ok(out)
}

/// Without `.` elements, as make compares names by their letters.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|c| !matches!(c, Component::CurDir))
        .collect()
}

/// A name as make reads it. A backslash only needs another one where it stands before something
/// that a backslash makes plain, or at the end.
fn escaped(name: &[u8]) -> Result<Vec<u8>> {
    let shown = || display(name);
    if name.is_empty() {
        bail!("an empty name cannot be written in make's syntax");
    }
    let mut out = Vec::with_capacity(name.len() + 8);
    // `~user` at the front is a home folder.
    if name.starts_with(b"~") {
        out.extend_from_slice(b"./");
    }
    let mut backslashes = 0;
    for b in name {
        match b {
            b'\\' => backslashes += 1,
            b'\n' | b'\r' | 0 => bail!(
                "{}: a line end in a name cannot be written in make's syntax",
                shown()
            ),
            b' ' | b'\t' | b'#' | b':' | b';' | b'*' | b'?' | b'[' | b']' | b'=' | b'%' | b'|' | b'&' => {
                let quoted = matches!(b, b' ' | b'\t' | b'#' | b':');
                if quoted {
                    out.extend(std::iter::repeat_n(b'\\', backslashes));
                    out.push(b'\\');
                }
                backslashes = 0;
            }
            b'$' => {
                out.push(b'$');
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        out.push(*b);
    }
    out.extend(std::iter::repeat_n(b'\\', backslashes));
    Ok(out)
}
