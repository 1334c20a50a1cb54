//! `--format make-deps`: what a target depends on, as make and ninja read it.
//!
//! Goes in: the files that steps read. Comes out: one rule without a recipe, and an empty rule for
//! each file, so that a file which is gone is a change and not an error. Invariant: make reads back
//! the very names; what its syntax cannot say is refused.

use super::View;
use crate::cli::args::Cli;
use crate::cli::output;
use crate::context::EntryKind;
use crate::pattern::display;
use anyhow::{Result, bail};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

pub fn make_deps(cli: &Cli, view: &View<'_>, target: Option<&str>) -> Result<Vec<u8>> {
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
    let mut seen = HashSet::new();
    let (mut names, mut foreign) = (Vec::new(), 0);
    for path in paths {
        let path = plain(&path);
        let name = path.as_os_str().as_bytes();
        if seen.insert(name.to_vec()) {
            foreign += usize::from(ninja_differs(name));
            names.push((escaped(name)?, has_rule(name)));
        }
    }
    if foreign > 0 {
        output::note(
            cli,
            &format!(
                "note: make reads all names right, ninja {foreign} of them wrong (quotes, wildcards or backslashes)"
            ),
        );
    }
    let mut out = escaped(target.as_bytes())?;
    out.push(b':');
    // The Dockerfile stands in front: behind it `=` and words such as `export` are plain names.
    for (name, _) in &names {
        out.extend_from_slice(b" \\\n  ");
        out.extend_from_slice(name);
    }
    out.push(b'\n');
    for (name, _) in names.iter().filter(|(_, has_rule)| *has_rule) {
        out.push(b'\n');
        out.extend_from_slice(name);
        out.extend_from_slice(b":\n");
    }
    Ok(out)
}

/// Whether a name can stand in front of a colon: these would make a pattern rule or a variable.
fn has_rule(name: &[u8]) -> bool {
    !name.iter().any(|b| matches!(b, b'%' | b'=' | b'\t'))
}

/// Names that ninja's reader of dependency files does not take as make does (tried with 1.11).
fn ninja_differs(name: &[u8]) -> bool {
    name.iter().any(|b| b"*?[]'\"<>`^&\\\t".contains(b))
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
    if let Some(what) = inexpressible(name) {
        bail!("{}: {what} cannot be written in make's syntax", shown());
    }
    let mut backslashes = 0;
    for b in name {
        match b {
            b'\\' => backslashes += 1,
            b' ' | b'\t' | b'#' | b':' | b'*' | b'?' | b'[' => {
                out.extend(std::iter::repeat_n(b'\\', backslashes + 1));
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

/// What no quoting helps against; each was tried with GNU make 4.4.
fn inexpressible(name: &[u8]) -> Option<&'static str> {
    let has = |what: &[u8]| name.windows(what.len()).any(|w| w == what);
    match name {
        n if n.iter().any(|b| matches!(b, b'\n' | b'\r' | 0)) => Some("a line end in a name"),
        n if n.contains(&b';') => Some("a semicolon in a name"),
        n if n.contains(&b'|') => Some("a bar in a name"),
        n if n.ends_with(b" ") || n.ends_with(b"\t") => Some("a blank at the end of a name"),
        n if n.contains(&b'(') && n.ends_with(b")") => Some("a name that ends in parentheses"),
        _ if has(b"\\=") => Some("a backslash before `=`"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_make_reads_them() {
        for (name, want) in [
            ("a/b.c", "a/b.c"),
            ("a b", "a\\ b"),
            ("a\\ b", "a\\\\\\ b"),
            ("a\\b", "a\\b"),
            ("a\\", "a\\\\"),
            ("$x#y:z", "$$x\\#y\\:z"),
            ("[ab]*?", "\\[ab]\\*\\?"),
            ("~x", "./~x"),
            ("app/(g)/p", "app/(g)/p"),
        ] {
            let written = escaped(name.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), want);
        }
        for name in ["", "a\nb", "a;b", "a|b", "a ", "a(b)", "a\\=b"] {
            assert!(escaped(name.as_bytes()).is_err(), "{name:?}");
        }
    }
}
