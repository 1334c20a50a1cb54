//! What a build can download before it sees the sources.
//!
//! Goes in: a command that builds, and the project's files. Comes out: a script that fills the tool's cache from the
//! manifests alone, and what that needs. Invariant: the build that follows does what it did before; it finds what it
//! would have fetched, and fetches what it does not find.

use super::shared::{parent, upwards};
use super::{Command, Needs, Project, cargo};
use crate::footprint::Extent;
use std::collections::BTreeSet;

/// A download that stands alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefetch {
    /// Shell text of a RUN that only downloads.
    pub script: String,
    /// What that RUN needs of the project.
    pub needs: Needs,
    /// Why, for reports.
    pub why: &'static str,
}

/// The download that can come before a build.
///
/// # Errors
/// The reason why there is none, or why it would not leave the build as it was.
pub fn prefetch(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    match command.tool {
        "cargo" => cargo_fetch(command, project),
        "go" => go_download(command, project),
        "dotnet" => dotnet_restore(command, project),
        "gradle" => gradle_dependencies(command, project),
        "sbt" => sbt_update(command, project),
        "mvn" => maven_offline(command, project),
        "composer" => composer_packages(command, project),
        "poetry" => poetry_dependencies(command, project),
        "uv" => uv_dependencies(command, project),
        name => Err(format!("nothing of what {name} does is a download alone")),
    }
}

/// The same tool with other words, in front of the command as it is.
fn other(
    command: &Command<'_>,
    arguments: Vec<String>,
    project: &dyn Project,
    why: &'static str,
) -> Result<Prefetch, String> {
    let changed = Command {
        arguments: &arguments,
        ..*command
    };
    let needs = super::of(&changed, project)?;
    let script = line(command.tool, &arguments)?;
    Ok(Prefetch { script, needs, why })
}

fn line(tool: &str, arguments: &[String]) -> Result<String, String> {
    let mut out = tool.to_owned();
    for word in arguments {
        out.push(' ');
        out.push_str(&quoted(word)?);
    }
    Ok(out)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/@+=:,%".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return Ok(word.to_owned());
    }
    match word.bytes().any(|b| b == b'\'' || b == b'\\' || b.is_ascii_control()) {
        true => Err(format!("{word:?} is no plain word")),
        false => Ok(format!("'{word}'")),
    }
}

/// The words of a command that are these options, with their values.
fn kept(arguments: &[String], valued: &[&str], flags: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or(word);
        let attached = |v: &&&str| v.len() == 2 && !word.starts_with("--") && word.starts_with(**v);
        if valued.contains(&word.as_str()) {
            out.push(word.clone());
            out.extend(words.next().cloned());
        } else if valued.contains(&name) || flags.contains(&name) || valued.iter().any(|v| attached(&v)) {
            out.push(word.clone());
        }
    }
    out
}

fn cargo_fetch(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    let (needs, files) = cargo::fetch(command, project)?;
    let mut words = vec!["fetch".to_owned()];
    words.extend(kept(
        command.arguments,
        &["--target", "--manifest-path"],
        &["--locked", "--frozen", "--offline"],
    ));
    if words.iter().any(|w| matches!(w.as_str(), "--frozen" | "--offline")) {
        return Err("the build downloads nothing".to_owned());
    }
    if words.iter().any(|w| w.ends_with(".json")) {
        return Err("the target is a file".to_owned());
    }
    if !words.iter().any(|w| w.starts_with("--manifest-path")) {
        let path = kept(command.arguments, &["--path"], &[]);
        let value = path.last().map(|p| p.strip_prefix("--path=").unwrap_or(p));
        if let Some(folder) = value {
            words.extend(["--manifest-path".to_owned(), format!("{}/Cargo.toml", folder.trim_end_matches('/'))]);
        }
    }
    let mut tool = String::from("cargo");
    if let Some(toolchain) = command.arguments.first().filter(|t| t.starts_with('+')) {
        tool.push(' ');
        tool.push_str(&quoted(toolchain)?);
    }
    let fetch = line(&tool, &words)?;
    let script = match files.is_empty() {
        true => fetch,
        false => with_files(&fetch, command.dir, &files, &needs, project)?,
    };
    Ok(Prefetch { script, needs, why: "downloads the crates first" })
}

/// A command with empty files in the place of sources that have to be there, and without them again.
fn with_files(
    inner: &str,
    dir: &str,
    files: &BTreeSet<String>,
    needs: &Needs,
    project: &dyn Project,
) -> Result<String, String> {
    let there: BTreeSet<&str> = needs
        .reads
        .iter()
        .filter(|c| c.extent == Extent::Exact && project.is_file(&c.path))
        .flat_map(|c| upwards(parent(&c.path)))
        .chain(upwards(dir))
        .collect();
    let mut folders = BTreeSet::new();
    let mut gone = BTreeSet::new();
    for file in files {
        let missing: Vec<&str> = upwards(parent(file)).into_iter().take_while(|d| !there.contains(d)).collect();
        folders.extend(missing.first().copied());
        gone.insert(missing.last().copied().unwrap_or(file));
    }
    let list = |paths: &mut dyn Iterator<Item = &str>| -> Result<String, String> {
        let words: Result<Vec<String>, String> = paths.map(|p| quoted(relative(p, dir))).collect();
        Ok(words?.join(" "))
    };
    let mut parts = Vec::new();
    if !folders.is_empty() {
        parts.push(format!("mkdir -p {}", list(&mut folders.into_iter())?));
    }
    parts.push(format!("touch {}", list(&mut files.iter().map(String::as_str))?));
    parts.push(inner.to_owned());
    parts.push(format!("rm -r {}", list(&mut gone.into_iter())?));
    Ok(parts.join(" && "))
}

fn relative<'p>(path: &'p str, dir: &str) -> &'p str {
    let below = path.strip_prefix(dir.trim_end_matches('/'));
    below.and_then(|r| r.strip_prefix('/')).unwrap_or(path)
}
