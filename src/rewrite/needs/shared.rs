//! What the tools have in common: folders above a folder, options of a command line, claims put in order.
//!
//! Goes in: paths of the image and words of a command. Comes out: the same, taken apart. Invariant: an option that is
//! in no list is a reason, never skipped.

use super::{Command, Needs, Project, join};
use crate::footprint::{Extent, PathClaim};
use std::collections::BTreeSet;

/// The folder of a path; `/` for what lies there.
pub(super) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((above, _)) => above,
    }
}

/// The last name of a path.
pub(super) fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A folder and all above it, the nearest first.
pub(super) fn upwards(dir: &str) -> Vec<&str> {
    let mut out = vec![dir];
    let mut at = dir;
    while at != "/" {
        at = parent(at);
        out.push(at);
    }
    out
}

/// Whether a path is a folder or lies below it.
pub(super) fn is_in(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|r| r.is_empty() || r.starts_with('/'))
}

/// Files that lie directly in a folder.
pub(super) fn direct(project: &dyn Project, dir: &str) -> Vec<String> {
    let mut files = project.below(dir);
    files.retain(|f| parent(f) == dir);
    files
}

/// An exact claim on a file of a folder.
pub(super) fn exact(dir: &str, file: &str) -> PathClaim {
    PathClaim::exact(join(dir, file))
}

/// A claim on a folder of a folder and all in it.
pub(super) fn subtree(dir: &str, folder: &str) -> PathClaim {
    PathClaim::subtree(join(dir, folder))
}

/// Files of these names in a folder and all above it.
pub(super) fn read_upwards(reads: &mut BTreeSet<PathClaim>, dir: &str, names: &[&str]) {
    for above in upwards(dir) {
        reads.extend(names.iter().map(|n| exact(above, n)));
    }
}

/// Leaves out what another claim covers.
pub(super) fn prune(claims: &mut BTreeSet<PathClaim>) {
    let wide: Vec<PathClaim> = claims
        .iter()
        .filter(|c| c.extent == Extent::Subtree)
        .cloned()
        .collect();
    claims.retain(|c| !wide.iter().any(|w| w != c && w.covers(c)));
}

/// What tools keep in a home directory.
const HOME: [&str; 26] = [
    ".aspnet",
    ".bundle",
    ".bundler",
    ".cache",
    ".cargo",
    ".config",
    ".composer",
    ".coursier",
    ".dotnet",
    ".gem",
    ".gradle",
    ".hex",
    ".ivy2",
    ".java",
    ".konan",
    ".local",
    ".m2",
    ".mix",
    ".npm",
    ".npmrc",
    ".nuget",
    ".rustup",
    ".sbt",
    ".templateengine",
    ".yarn",
    "go",
];

/// What they keep in `/usr/local`.
const LOCAL: [&str; 12] = [
    "bin", "bundle", "cargo", "etc", "go", "include", "lib", "libexec", "rustup", "sbin", "share",
    "var",
];

/// What distributions and images of languages keep in `/opt`.
const OPT: [&str; 10] = [
    "bundle", "cargo", "dotnet", "go", "gradle", "maven", "rbenv", "ruby", "rubies", "rvm",
];

/// A project in such a place has the tool's own files beside it: they are claimed where the whole place no longer is.
pub(super) fn keep_places(dir: &str, needs: &mut Needs) {
    let parts: Vec<&str> = dir.split('/').skip(1).take(2).collect();
    let (top, own): (String, &[&str]) = match parts.as_slice() {
        ["root", ..] => ("/root".to_owned(), &HOME),
        ["home", user] => (format!("/home/{user}"), &HOME),
        ["usr", "local"] => ("/usr/local".to_owned(), &LOCAL),
        ["opt", ..] => ("/opt".to_owned(), &OPT),
        _ => return,
    };
    for place in own.iter().filter(|o| !is_in(dir, &join(&top, o))) {
        needs.reads.insert(subtree(&top, place));
        needs.writes.insert(subtree(&top, place));
    }
}

/// Adds a sentence once.
pub(super) fn assume(needs: &mut Needs, sentence: impl Into<String>) {
    let sentence = sentence.into();
    if !needs.assumptions.contains(&sentence) {
        needs.assumptions.push(sentence);
    }
}

/// The repository beside a project, which a build may look at. Whether a COPY brings one is known where the reads are
/// held against what is copied, so nothing is assumed.
pub(super) fn look_at_git(needs: &mut Needs, dir: &str) {
    for above in upwards(dir) {
        needs.reads.insert(subtree(above, ".git"));
    }
}

/// The value of a variable; `None` where it is not set or empty.
///
/// # Errors
/// It is not known.
pub(super) fn variable<'a>(command: &Command<'a>, name: &str) -> Result<Option<&'a str>, String> {
    match command.variables.get(name) {
        None => Ok(None),
        Some(None) => Err(format!("{name} is not known")),
        Some(Some(value)) => Ok(Some(value.as_str()).filter(|v| !v.is_empty())),
    }
}

/// A command line taken apart.
#[derive(Debug, Default)]
pub(super) struct Words<'a> {
    /// Words that are neither options nor their values.
    pub operands: Vec<&'a str>,
    /// Options with their dashes, and their values.
    pub options: Vec<(&'a str, Option<&'a str>)>,
}

/// The options of a tool, with their dashes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// With a value.
    pub valued: &'static [&'static str],
    /// Without one; `--flag=true` is taken as well.
    pub flags: &'static [&'static str],
    /// Starts of words that are an option as a whole.
    pub starts: &'static [&'static str],
}

impl<'a> Words<'a> {
    /// Takes the words apart.
    ///
    /// # Errors
    /// An option is not known, or lacks its value.
    pub(super) fn of(arguments: &'a [String], known: &Known) -> Result<Self, String> {
        let mut out = Self::default();
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if !word.starts_with('-') || word == "-" {
                out.operands.push(word);
                continue;
            }
            if let Some(start) = known.starts.iter().find(|s| word.starts_with(**s)) {
                out.options
                    .push((&word[..start.len()], Some(&word[start.len()..])));
                continue;
            }
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (word, None),
            };
            if known.valued.contains(&flag) {
                let value = value.or_else(|| words.next());
                let value = value.ok_or_else(|| format!("{flag} has no value"))?;
                out.options.push((flag, Some(value)));
            } else if known.flags.contains(&flag) {
                out.options.push((flag, value));
            } else {
                let attached = |v: &&&str| v.len() == 2 && word.starts_with(**v);
                let start = known.valued.iter().find(attached);
                let start = start.ok_or_else(|| format!("option {flag} is not known"))?;
                out.options
                    .push((&word[..start.len()], Some(&word[start.len()..])));
            }
        }
        Ok(out)
    }

    /// Whether one of these is given and not switched off.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        let on = |(n, v): &(&str, Option<&str>)| names.contains(n) && *v != Some("false");
        self.options.iter().any(on)
    }

    /// The last value of one of these.
    pub(super) fn value(&self, names: &[&str]) -> Option<&'a str> {
        self.values(names).last().copied()
    }

    /// All values of these.
    pub(super) fn values(&self, names: &[&str]) -> Vec<&'a str> {
        let of = |(n, v): &(&str, Option<&'a str>)| v.filter(|_| names.contains(n));
        self.options.iter().filter_map(of).collect()
    }
}

/// What stands in double or single quotes right behind one of these texts, which end with the quote.
pub(super) fn quoted_behind<'t>(text: &'t str, starts: &[&str]) -> Vec<&'t str> {
    let mut out = Vec::new();
    for start in starts {
        let quote = if start.ends_with('"') { '"' } else { '\'' };
        for (at, found) in text.match_indices(start) {
            let rest = &text[at + found.len()..];
            out.extend(rest.split_once(quote).map(|(inner, _)| inner));
        }
    }
    out
}

/// Claims a folder piece by piece: without folders that are `apart`, and in itself without what is idle.
pub(super) fn pieces(
    dir: &str,
    files: &[String],
    apart: &dyn Fn(&str) -> bool,
    idle: &dyn Fn(&str, bool) -> bool,
    reads: &mut BTreeSet<PathClaim>,
) {
    let mut folders: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        let mut at = file.as_str();
        while parent(at) != dir && at != "/" {
            at = parent(at);
        }
        if at == "/" {
            continue;
        }
        if at == file {
            if !idle(name(file), false) {
                reads.insert(PathClaim::exact(&**file));
            }
        } else if !idle(name(at), true) {
            folders.insert(at);
        }
    }
    for folder in folders.into_iter().filter(|f| !apart(f)) {
        let inside: Vec<String> = files.iter().filter(|f| is_in(f, folder)).cloned().collect();
        let mixed = inside
            .iter()
            .flat_map(|f| upwards(parent(f)))
            .any(|d| is_in(d, folder) && apart(d));
        match mixed {
            true => pieces(folder, &inside, apart, &|_, _| false, reads),
            false => {
                reads.insert(PathClaim::subtree(folder));
            }
        }
    }
}

/// Whether a name at the top of a project is no part of any build: papers, and settings of other tools.
pub(super) fn is_paper(name: &str, folder: bool) -> bool {
    const FOLDERS: [&str; 6] = ["docs", "doc", ".github", ".gitlab", ".vscode", ".idea"];
    const FILES: [&str; 6] = [
        ".dockerignore",
        ".gitignore",
        ".gitlab-ci.yml",
        ".travis.yml",
        "renovate.json",
        "codecov.yml",
    ];
    const STARTS: [&str; 6] = [
        "LICENSE",
        "LICENCE",
        "COPYING",
        "Dockerfile",
        "docker-compose",
        "compose.y",
    ];
    match folder {
        true => FOLDERS.contains(&name),
        false => {
            name.ends_with(".md")
                || FILES.contains(&name)
                || STARTS.iter().any(|s| name.starts_with(s))
        }
    }
}
