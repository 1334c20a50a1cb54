//! `check --write`: fixes applied to the files.

use super::Looked;
use crate::cli::advice::Advisor;
use crate::cli::output;
use crate::report::number::count;
use crate::rewrite::Safety;
use crate::rules::{Finding, Fix, apply, choose};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
            if names.iter().any(|n| new.contains_key(&place(*n))) {
                continue;
            }
            for name in names {
                let path = place(name);
                let before = match name {
                    None => piece.source.bytes().to_vec(),
                    Some(_) => std::fs::read(&path).unwrap_or_default(),
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
        let now = std::fs::read(path).unwrap_or_default();
        if now != *before {
            bail!("{} changed meanwhile", path.display());
        }
        // A link is written through.
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        ready.push((output::beside(&real, after)?, real));
    }
    let files = ready.len();
    for (file, path) in ready {
        output::put(file, &path)?;
    }
    Ok(match applied {
        0 => "nothing to fix".to_owned(),
        1 => "1 fix applied".to_owned(),
        n => format!("{n} fixes applied in {}", count(files, "file")),
    })
}
