//! What a command needs of the project it works on: one file per tool.
//!
//! Goes in: a command of a RUN as it is called ([`crate::footprint::Use`]) and the project's files as they lie in
//! the image. Comes out: [`Needs`], the files it looks at and the places it writes, with what that rests on; or the
//! reason why nothing narrower than the footprint is known. Invariant: what a manifest says that is not understood
//! is a reason, never a guess; a manifest is read as the newest commit has it, and the sentences say so where a later
//! one could break the plan.

mod berry;
mod bun;
mod bundler;
mod cargo;
mod composer;
mod dotnet;
mod editable;
mod globs;
mod go;
mod gradle;
mod maven;
mod mix;
mod node;
mod node_build;
mod node_hooks;
mod node_scripts;
mod node_settings;
mod node_tree;
mod npm;
mod npm_lock;
mod pip;
mod pipenv;
mod pnpm;
mod pnpm_settings;
mod poetry;
pub mod prefetch;
mod prisma;
mod pybabel;
mod python;
mod sbt;
mod shared;
mod uv;
mod uv_settings;
mod words;
mod yarn;

use crate::footprint::{self, PathClaim, Use};
pub use node_build::Facts;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The project's files as a command finds them in the image, brought there by COPY from the build context. Paths are
/// absolute and clean.
pub trait Project {
    /// Whether this is a file.
    fn is_file(&self, path: &str) -> bool;
    /// Its bytes; `None` where it is not there or cannot be read.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// All files below a folder, sorted.
    fn below(&self, dir: &str) -> Vec<String>;
    /// Whether this is a symbolic link; its bytes are where it leads.
    fn is_link(&self, _path: &str) -> bool {
        false
    }
    /// Whether there is any.
    fn has_below(&self, dir: &str) -> bool {
        !self.below(dir).is_empty()
    }
    /// What its text names; `None` where it is not there, or is too large to be looked into.
    fn facts(&self, path: &str) -> Option<Rc<Facts>> {
        Facts::of(&self.read(path)?).map(Rc::new)
    }
    /// Whether its owner may run it as a program; `None` where that is not known.
    fn is_executable(&self, _path: &str) -> Option<bool> {
        None
    }
}

/// One command line.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// The program's name without a directory.
    pub tool: &'a str,
    /// Its arguments.
    pub arguments: &'a [String],
    /// Where it starts: absolute, clean, without a slash at the end unless it is `/`.
    pub dir: &'a str,
    /// The environment it sees, as far as the Dockerfile sets it; `None` for a value that is not known.
    pub variables: &'a BTreeMap<String, Option<String>>,
}

/// What a command needs of the project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files and folders that it looks at; those that are not there are looked for.
    pub reads: BTreeSet<PathClaim>,
    /// Files and folders of which it counts only that they are there, beside those that it looks at.
    pub names: BTreeSet<PathClaim>,
    /// Places in the project that it writes.
    pub writes: BTreeSet<PathClaim>,
    /// Folders in which it makes files, and leaves those of the build context as they are.
    pub adds: BTreeSet<PathClaim>,
    /// What that rests on, one sentence each without a full stop.
    pub assumptions: Vec<String>,
    /// What later commands have to see in their environment where files that this one needs are copied anew behind it,
    /// `NAME=value`.
    pub afterwards: Option<&'static str>,
}

impl Needs {
    /// All that it sees of the project: what it looks at, and where it counts which files there are.
    pub fn sees(&self) -> impl Iterator<Item = &PathClaim> {
        self.reads.iter().chain(&self.names)
    }

    /// Looks at one file.
    fn read(&mut self, path: impl Into<String>) {
        self.reads.insert(PathClaim::exact(path));
    }

    /// Looks at files of these names in a folder.
    fn read_all(&mut self, dir: &str, names: &[&str]) {
        for name in names {
            self.read(join(dir, name));
        }
    }

    /// Looks at a folder and all below it.
    fn read_tree(&mut self, path: impl Into<String>) {
        self.reads.insert(PathClaim::subtree(path));
    }

    /// Writes one file.
    fn write(&mut self, path: impl Into<String>) {
        self.writes.insert(PathClaim::exact(path));
    }

    /// Writes a folder and what is below it.
    fn write_tree(&mut self, path: impl Into<String>) {
        self.writes.insert(PathClaim::subtree(path));
    }

    /// Rests on this.
    fn assume(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.assumptions.contains(&sentence) {
            self.assumptions.push(sentence);
        }
    }
}

/// The needs, or the reason why they are not known: one sentence without a full stop.
pub type Found = Result<Needs, String>;

/// What was found before in a context whose files do not change.
#[derive(Debug, Default)]
pub struct Memo {
    found: RefCell<BTreeMap<[u8; 32], Found>>,
    facts: RefCell<BTreeMap<String, Option<Rc<Facts>>>>,
}

impl Memo {
    /// The needs that depend on this alone.
    pub fn found(&self, key: [u8; 32], find: impl FnOnce() -> Found) -> Found {
        if let Some(known) = self.found.borrow().get(&key) {
            return known.clone();
        }
        let found = find();
        self.found.borrow_mut().insert(key, found.clone());
        found
    }

    /// What the text of a file names.
    pub fn facts(&self, path: &str, read: impl FnOnce() -> Option<Rc<Facts>>) -> Option<Rc<Facts>> {
        if let Some(known) = self.facts.borrow().get(path) {
            return known.clone();
        }
        let facts = read();
        self.facts
            .borrow_mut()
            .insert(path.to_owned(), facts.clone());
        facts
    }
}

/// Stands for a folder that is not known.
const NOWHERE: &str = "/?";

/// Largest manifest that is read, bytes.
const MAX_MANIFEST: usize = 4 << 20;

/// What a command needs of the project.
///
/// # Errors
/// The reason why nothing narrower than its footprint is known.
pub fn of(command: &Command<'_>, project: &dyn Project) -> Found {
    let mut needs = by_tool(command, project)?;
    by_variables(command, project, &mut needs)?;
    no_links_away(&needs, project)?;
    shared::keep_places(command.dir, &mut needs);
    // What lies in a folder that is read anyway is not named twice.
    let all: Vec<PathClaim> = needs.reads.iter().cloned().collect();
    let covered = |c: &PathClaim| all.iter().any(|other| other != c && other.covers(c));
    needs.reads.retain(|c| !covered(c));
    Ok(needs)
}

/// Files of the project that variables name: certificates and settings are looked at, code may load more than itself.
fn by_variables(
    command: &Command<'_>,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    for named in footprint::named(command.variables, Some(command.dir)) {
        let name = named.variable;
        let path = named.path.ok_or_else(|| format!("{name} is not known"))?;
        let folder = project.has_below(&path);
        if named.code && (folder || project.is_file(&path)) {
            return Err(format!("{name} loads {path}"));
        }
        match folder {
            true => needs.read_tree(path),
            false => needs.read(path),
        }
    }
    Ok(())
}

/// A link among the files read leads to others, which have to be among them as well.
fn no_links_away(needs: &Needs, project: &dyn Project) -> Result<(), String> {
    for claim in &needs.reads {
        let mut files = vec![claim.path.clone()];
        if claim.extent == crate::footprint::Extent::Subtree {
            files.extend(project.below(&claim.path));
        }
        for link in files.iter().filter(|f| project.is_link(f)) {
            let target = text(project, link)?;
            let place = PathClaim::exact(join(shared::parent(link), &target));
            let whole = project.is_file(&place.path) && !project.is_link(&place.path);
            if !whole || !needs.reads.iter().any(|c| c.covers(&place)) {
                return Err(format!("{link} is a link to {target}"));
            }
        }
    }
    Ok(())
}

fn by_tool(command: &Command<'_>, project: &dyn Project) -> Found {
    if let [one] = command.arguments
        && matches!(one.as_str(), "--version" | "-v" | "-V" | "--help" | "-h")
    {
        return asks(command, project);
    }
    match command.tool {
        "bundle" | "bundler" => bundler::needs(command, project),
        "gem" => bundler::gem(command),
        "composer" => composer::needs(command, project),
        "gradle" => gradle::needs(command, project),
        "mix" => mix::needs(command, project),
        "mvn" => maven::needs(command, project),
        "sbt" => sbt::needs(command, project),
        "cargo" => cargo::needs(command, project),
        "dotnet" => dotnet::needs(command, project),
        "go" => go::needs(command, project),
        _ if node_build::is_build(command) => node_build::needs(command, project),
        "npm" => npm::needs(command, project),
        "yarn" | "yarnpkg" => yarn::needs(command, project),
        "pnpm" => pnpm::needs(command, project),
        "bun" => bun::needs(command, project),
        name if name == "pip" || name.starts_with("pip3") => pip::needs(command, project),
        "poetry" => poetry::needs(command, project),
        "uv" => uv::needs(command, project),
        "pipenv" => pipenv::needs(command, project),
        "pybabel" => pybabel::needs(command, project),
        name if name.starts_with("python") => python::needs(command, project),
        name => Err(format!("what {name} needs of a project is not known")),
    }
}

/// What a question for the version needs: of tools that a project may bring itself, all that an install looks at.
fn asks(command: &Command<'_>, project: &dyn Project) -> Found {
    let install = ["install".to_owned()];
    let inner = Command {
        arguments: &install,
        ..*command
    };
    let found = match command.tool {
        "yarn" | "yarnpkg" => yarn::needs(&inner, project)?,
        "pnpm" => pnpm::needs(&inner, project)?,
        "npm" | "bun" | "poetry" | "uv" | "pipenv" => Needs::default(),
        name if name.starts_with("pip") || name.starts_with("python") => Needs::default(),
        name => return Err(format!("what {name} needs of a project is not known")),
    };
    Ok(Needs {
        writes: BTreeSet::new(),
        ..found
    })
}

/// The same for a use of a footprint.
///
/// # Errors
/// As above, or an argument or the directory is not known.
pub fn of_use(used: &Use, project: &dyn Project) -> Found {
    let arguments = used
        .arguments
        .as_deref()
        .ok_or("an argument is not known")?;
    // What touches nothing of a project does so anywhere.
    let dir = used.dir.as_deref().unwrap_or(NOWHERE);
    let command = Command {
        tool: &used.tool,
        arguments,
        dir,
        variables: &used.variables,
    };
    let found = of(&command, project).and_then(|mut needs| {
        if let Some(script) = &used.wrapper {
            match node_build::is_build(&command) {
                true => node_build::wrapper(script, project, &mut needs)?,
                false => wrapper(script, project, &mut needs)?,
            }
        }
        Ok(needs)
    });
    let nothing = |n: &Needs| n.reads.is_empty() && n.writes.is_empty();
    match used.dir {
        None if !found.as_ref().is_ok_and(nothing) => {
            Err("the working directory is not known".to_owned())
        }
        _ => found,
    }
}

/// The files of a wrapper script that a project brings.
fn wrapper(script: &str, project: &dyn Project, needs: &mut Needs) -> Result<(), String> {
    const MARKS: [&str; 3] = [
        "Maven Wrapper",
        "Maven Start Up Batch",
        "Gradle start up script",
    ];
    let own = text(project, script)?;
    if !MARKS.iter().any(|m| own.contains(m)) {
        return Err(format!("{script} is not the wrapper that its tool makes"));
    }
    needs.read(script.to_owned());
    let folder = crate::footprint::wrapper_folder(script);
    needs.read_tree(join(shared::parent(script), folder));
    Ok(())
}

/// The text of a file of the project.
///
/// # Errors
/// It is not there, too large, or no text.
fn text(project: &dyn Project, path: &str) -> Result<String, String> {
    let bytes = project
        .read(path)
        .ok_or_else(|| format!("{path} is not in the build context"))?;
    if bytes.len() > MAX_MANIFEST {
        return Err(format!("{path} is larger than {MAX_MANIFEST} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8"))
}

/// A path relative to a folder, cleaned; `/` is as high as it goes.
pub(super) fn join(dir: &str, path: &str) -> String {
    let clean = match path.starts_with('/') {
        true => crate::pattern::clean(path),
        false => crate::pattern::clean(&format!("{dir}/{path}")),
    };
    match clean.as_str() {
        "." | "" => "/".to_owned(),
        _ => clean,
    }
}

/// The folders above a folder, nearest first; `/` is the last.
fn above(dir: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(dir), |d| parent(d))
}

fn parent(dir: &str) -> Option<&str> {
    match dir.trim_end_matches('/').rsplit_once('/')? {
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

/// The part of a path below a folder; `None` outside of it, empty at itself.
fn inside<'p>(path: &'p str, dir: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(dir.trim_end_matches('/'))?;
    match rest {
        "" => Some(""),
        _ => rest.strip_prefix('/'),
    }
}

/// Files in memory, for tests.
#[cfg(test)]
pub(super) struct Memory(pub BTreeMap<String, String>);

#[cfg(test)]
impl Memory {
    /// Files by path.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self(files.iter().map(owned).collect())
    }
}

#[cfg(test)]
impl Project for Memory {
    fn is_file(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).map(|t| t.as_bytes().to_vec())
    }

    fn is_executable(&self, path: &str) -> Option<bool> {
        self.0.get(path).map(|t| t.starts_with("#!"))
    }

    fn below(&self, dir: &str) -> Vec<String> {
        let start = format!("{}/", dir.trim_end_matches('/'));
        let below = self.0.keys().filter(|k| k.starts_with(&start));
        below.cloned().collect()
    }
}

/// What a command line needs, in a few words: `reads | writes`, or the reason in brackets.
#[cfg(test)]
pub(super) fn shown(line: &str, dir: &str, files: &[(&str, &str)]) -> String {
    shown_with(line, dir, files, &[])
}

/// The same with variables.
#[cfg(test)]
pub(super) fn shown_with(
    line: &str,
    dir: &str,
    files: &[(&str, &str)],
    variables: &[(&str, &str)],
) -> String {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let owned = |(n, v): &(&str, &str)| ((*n).to_owned(), Some((*v).to_owned()));
    let command = Command {
        tool: &words[0],
        arguments: &words[1..],
        dir,
        variables: &variables.iter().map(owned).collect(),
    };
    let list = |set: &BTreeSet<PathClaim>| {
        let one = |c: &PathClaim| match c.extent {
            crate::footprint::Extent::Exact => c.path.clone(),
            crate::footprint::Extent::Subtree => format!("{}/**", c.path.trim_end_matches('/')),
        };
        set.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    match of(&command, &Memory::of(files)) {
        Ok(needs) if needs.names.is_empty() => {
            format!("{} | {}", list(&needs.reads), list(&needs.writes))
        }
        Ok(needs) => format!(
            "{} | {}; names {}",
            list(&needs.reads),
            list(&needs.writes),
            list(&needs.names)
        ),
        Err(why) => format!("({why})"),
    }
}

#[cfg(test)]
mod tests;
