//! `check --write`: fixes applied to the files.

use super::Looked;
use crate::cli::advice::Advisor;
use crate::cli::output;
use crate::project::WorkTree;
use crate::report::number::count;
use crate::rewrite::Safety;
use crate::rules::{Finding, Fix, apply, choose};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The file itself: a link is written through, but not out of the work tree or folder that is looked at.
fn real(path: &Path, top: &Path) -> Result<PathBuf> {
    // A file outside that the user has named is meant.
    let below = path.strip_prefix(top);
    let named = below.map_or(true, |b| b.components().any(|c| c == Component::ParentDir));
    let top = top.canonicalize()?;
    let inside = top.ancestors().find(|d| d.join(".git").exists());
    let inside = inside.unwrap_or(&top);
    let found = match path.symlink_metadata() {
        Ok(_) => path
            .canonicalize()
            .with_context(|| format!("cannot find {}", path.display()))?,
        // One that is to be made.
        Err(_) => {
            let folder = path.parent().unwrap_or(&top).canonicalize()?;
            folder.join(path.file_name().unwrap_or_default())
        }
    };
    if !named && !found.starts_with(inside) {
        bail!("{} leads out of {}", path.display(), inside.display());
    }
    Ok(found)
}

/// What stands in a file; nothing where there is none.
fn now(path: &Path) -> Result<Vec<u8>> {
    match path.symlink_metadata() {
        Err(_) => Ok(Vec::new()),
        Ok(_) => WorkTree::read_below(path.to_owned())
            .with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Applies what can be applied at once, and says what was done. Files are replaced whole, those that changed meanwhile are left alone.
///
/// # Errors
/// When a file can't be written, or is not what it was.
pub fn fixes(looked: &[Looked], advisor: &mut Advisor, weakest: Safety) -> Result<String> {
    let mut new: BTreeMap<PathBuf, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    let mut applied = 0;
    for group in looked {
        for piece in &group.pieces {
            let found = advisor.sift(
                &piece.shown,
                piece.source.clone(),
                piece.tree.as_ref(),
                &group.settings,
                piece.findings.clone(),
            );
            let Some(disk) = &piece.disk else { continue };
            let mut list: Vec<Finding> = found.findings.into_iter().map(|(f, _)| f).collect();
            // Whatever makes the file would undo what is changed in it.
            if list.iter().any(|f| f.rule.name == "dockerfile-generated") {
                let beside = |x: &Fix| x.edits.iter().all(|e| e.file.is_some());
                list.retain(|f| f.fix.as_ref().is_some_and(beside));
            }
            let chosen = choose(&list, weakest);
            let others = chosen
                .iter()
                .flat_map(|f| f.fix.iter().flat_map(|x| &x.edits));
            let mut names: Vec<Option<&str>> = others.map(|e| e.file.as_deref()).collect();
            names.sort_unstable();
            names.dedup();
            // Two pieces may edit one file beside them; the second is for the next run.
            let place =
                |name: Option<&str>| name.map_or_else(|| disk.clone(), |n| group.top.join(n));
            let mut paths = Vec::with_capacity(names.len());
            for name in &names {
                paths.push(real(&place(*name), &group.top)?);
            }
            if paths.iter().any(|p| new.contains_key(p)) {
                continue;
            }
            for (name, path) in names.into_iter().zip(paths) {
                let before = match name {
                    None => piece.source.bytes().to_vec(),
                    Some(_) => now(&path)?,
                };
                let after = apply(&before, &chosen, name)
                    .with_context(|| format!("fixes of {}", path.display()))?;
                new.insert(path, (before, after));
            }
            applied += chosen.len();
        }
    }
    let mut ready = Vec::new();
    for (path, (before, after)) in &new {
        if now(path)? != *before {
            bail!("{} changed meanwhile", path.display());
        }
        ready.push((output::beside(path, after)?, path));
    }
    let files = ready.len();
    for (file, path) in ready {
        output::put(file, path)?;
    }
    Ok(match applied {
        0 => "nothing to fix".to_owned(),
        1 => "1 fix applied".to_owned(),
        n => format!("{n} fixes applied in {}", count(files, "file")),
    })
}
