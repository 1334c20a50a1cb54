//! `cargo fetch` on manifests alone.
//!
//! Goes in: a build by cargo. Comes out: a fetch, with empty files in the place of sources as long as it runs, because
//! cargo wants every package to have a target. Invariant: what the script makes it takes away again, and nothing else.

use super::{Beside, Prefetch, kept, line, quoted};
use crate::footprint::Extent;
use crate::rewrite::needs::shared::{assume, parent, upwards};
use crate::rewrite::needs::{Command, Needs, Project, cargo};
use std::collections::BTreeSet;

/// The fetch.
pub(super) fn fetch(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    let (mut needs, files) = cargo::fetch(command, project)?;
    let mut words = vec!["fetch".to_owned()];
    words.extend(kept(
        command.arguments,
        &["--target", "--manifest-path"],
        &["--locked", "--frozen", "--offline"],
    ));
    if words
        .iter()
        .any(|w| matches!(w.as_str(), "--frozen" | "--offline"))
    {
        return Err("the build downloads nothing".to_owned());
    }
    if words.iter().any(|w| w.ends_with(".json")) {
        return Err("the target is a file".to_owned());
    }
    if !words.iter().any(|w| w.starts_with("--manifest-path")) {
        let path = kept(command.arguments, &["--path"], &[]);
        let value = path.last().map(|p| p.strip_prefix("--path=").unwrap_or(p));
        if let Some(folder) = value {
            words.extend([
                "--manifest-path".to_owned(),
                format!("{}/Cargo.toml", folder.trim_end_matches('/')),
            ]);
        }
    }
    let mut tool = String::from("cargo");
    if let Some(toolchain) = command.arguments.first().filter(|t| t.starts_with('+')) {
        tool.push(' ');
        tool.push_str(&quoted(toolchain)?);
    }
    let fetch = line(&tool, &words)?;
    let script = match files.is_empty() {
        true => fetch.clone(),
        false => with_files(&fetch, command.dir, &files, &needs, project)?,
    };
    let sentence = "cargo fetch fetches crates of other platforms and of tests as well: they stay in CARGO_HOME";
    assume(&mut needs, sentence);
    Ok(Prefetch {
        script,
        needs,
        why: "downloads the crates first",
        beside: (!files.is_empty()).then_some(Beside {
            script: fetch,
            files,
        }),
    })
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
        let missing: Vec<&str> = upwards(parent(file))
            .into_iter()
            .take_while(|d| !there.contains(d))
            .collect();
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
    parts.push(format!(
        "touch {}",
        list(&mut files.iter().map(String::as_str))?
    ));
    parts.push(inner.to_owned());
    parts.push(format!("rm -r {}", list(&mut gone.into_iter())?));
    Ok(parts.join(" && "))
}

fn relative<'p>(path: &'p str, dir: &str) -> &'p str {
    let below = path.strip_prefix(dir.trim_end_matches('/'));
    below.and_then(|r| r.strip_prefix('/')).unwrap_or(path)
}
