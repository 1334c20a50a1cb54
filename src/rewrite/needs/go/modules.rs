//! `go.mod` and `go.work`: which modules lie in the project.
//!
//! Goes in: the folder that go starts in. Comes out: the folders of its module, of those that a workspace uses and of
//! those that replace others, each with its name. Invariant: a module that is named and not there is a reason.

use super::Settings;
use crate::rewrite::needs::shared::{exact, parent, subtree, upwards};
use crate::rewrite::needs::{Needs, Project, join, text};
use std::collections::BTreeMap;

/// Most modules of a project.
const MOST: usize = 256;

/// A module of the project.
pub(super) struct Module {
    /// Its folder.
    pub dir: String,
    /// What its packages' names start with; more than one where it replaces others.
    pub names: Vec<String>,
    /// It stands for another: its own sums and replacements don't count.
    replaces: bool,
}

/// All modules, the one of the starting folder first.
pub(super) struct Modules {
    pub all: Vec<Module>,
    /// The folder of `go.work`.
    workspace: Option<String>,
}

/// Lines of a manifest: a verb and its words, blocks taken apart.
fn directives(text: &str) -> Vec<(String, Vec<String>)> {
    let mut out = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or("");
        let mut words: Vec<String> = line
            .split_whitespace()
            .map(|w| w.trim_matches(['"', '`']).to_owned())
            .collect();
        if words.is_empty() {
            continue;
        }
        if block.is_some() && words[0] == ")" {
            block = None;
        } else if let Some(verb) = &block {
            out.push((verb.clone(), words));
        } else {
            let verb = words.remove(0);
            match verb.strip_suffix('(') {
                Some(verb) => block = Some(verb.to_owned()),
                None if words.first().is_some_and(|w| w == "(") => block = Some(verb),
                None => out.push((verb, words)),
            }
        }
    }
    out
}

/// A URL's slashes are no comment, but none stands in a manifest; a folder's name may be in quotes with blanks.
fn plain(text: &str, path: &str) -> Result<(), String> {
    let odd = |l: &str| {
        l.contains("/*")
            || (l.contains('"') && l.split('"').nth(1).is_some_and(|w| w.contains(' ')))
    };
    match text.lines().any(odd) {
        true => Err(format!("{path} is not understood")),
        false => Ok(()),
    }
}

fn is_local(target: &str) -> bool {
    matches!(target, "." | "..") || ["./", "../", "/"].iter().any(|s| target.starts_with(s))
}

/// What `replace` names in the project: the name and the folder.
fn replaced(words: &[String]) -> Option<(String, String)> {
    let arrow = words.iter().position(|w| w == "=>")?;
    let target = words.get(arrow + 1)?;
    is_local(target).then(|| (words[0].clone(), target.clone()))
}

impl Modules {
    /// Finds them.
    pub(super) fn of(
        dir: &str,
        settings: &Settings,
        project: &dyn Project,
    ) -> Result<Self, String> {
        let nearest = |file: &str| {
            let there = |d: &&&str| project.is_file(&join(d, file));
            upwards(dir).iter().find(there).map(|d| (*d).to_owned())
        };
        let own = nearest("go.mod");
        let workspace = nearest("go.work").filter(|_| !settings.no_workspace);
        let mut modules = Self {
            all: Vec::new(),
            workspace,
        };
        if own.is_none() && modules.workspace.is_none() {
            return Err(format!("there is no go.mod in {dir} or above"));
        }
        let mut replacing: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut used: Vec<String> = own.into_iter().collect();
        if let Some(top) = modules.workspace.clone() {
            for (verb, words) in read(&join(&top, "go.work"), project)? {
                match (verb.as_str(), words.first()) {
                    ("use", Some(folder)) => used.push(join(&top, folder)),
                    ("replace", _) => note(&words, &top, &mut replacing),
                    _ => {}
                }
            }
        }
        for dir in used {
            if modules.all.iter().any(|m| m.dir == dir) {
                continue;
            }
            let mut names = Vec::new();
            for (verb, words) in read(&join(&dir, "go.mod"), project)? {
                match verb.as_str() {
                    "module" => names.extend(words.first().cloned()),
                    "replace" => note(&words, &dir, &mut replacing),
                    _ => {}
                }
            }
            modules.push(dir, names, false)?;
        }
        for (dir, names) in replacing {
            match modules.all.iter_mut().find(|m| m.dir == dir) {
                Some(module) => module.names.extend(names),
                None => {
                    text(project, &join(&dir, "go.mod"))?;
                    modules.push(dir, names, true)?;
                }
            }
        }
        Ok(modules)
    }

    fn push(&mut self, dir: String, names: Vec<String>, replaces: bool) -> Result<(), String> {
        if names.is_empty() {
            return Err(format!("the module of {dir} has no name"));
        }
        self.all.push(Module {
            dir,
            names,
            replaces,
        });
        match self.all.len() > MOST {
            true => Err("there are too many modules".to_owned()),
            false => Ok(()),
        }
    }

    /// Reads their manifests.
    pub(super) fn claim(&self, needs: &mut Needs) {
        for module in &self.all {
            needs.reads.insert(exact(&module.dir, "go.mod"));
            if !module.replaces {
                needs.reads.insert(exact(&module.dir, "go.sum"));
            }
        }
    }

    /// Where packages of others may lie.
    pub(super) fn claim_vendored(&self, needs: &mut Needs) {
        let tops = self
            .all
            .iter()
            .filter(|m| !m.replaces)
            .map(|m| m.dir.as_str());
        for top in tops.chain(self.workspace.as_deref()) {
            needs.reads.insert(subtree(top, "vendor"));
        }
    }

    /// The folder of a package by its name, if it lies in the project.
    pub(super) fn folder(&self, package: &str) -> Option<String> {
        let mut best: Option<(usize, String)> = None;
        for module in &self.all {
            for name in &module.names {
                let Some(rest) = package.strip_prefix(name.as_str()) else {
                    continue;
                };
                if !(rest.is_empty() || rest.starts_with('/'))
                    || best.as_ref().is_some_and(|(l, _)| *l > name.len())
                {
                    continue;
                }
                best = Some((name.len(), join(&module.dir, rest.trim_start_matches('/'))));
            }
        }
        best.map(|(_, dir)| dir)
    }

    /// The module that a folder belongs to.
    pub(super) fn around(&self, dir: &str) -> Option<&Module> {
        let mut at = dir;
        loop {
            if let Some(module) = self.all.iter().find(|m| m.dir == at) {
                return Some(module);
            }
            if at == "/" {
                return None;
            }
            at = parent(at);
        }
    }
}

fn read(path: &str, project: &dyn Project) -> Result<Vec<(String, Vec<String>)>, String> {
    let text = text(project, path)?;
    plain(&text, path)?;
    Ok(directives(&text))
}

fn note(words: &[String], dir: &str, replacing: &mut BTreeMap<String, Vec<String>>) {
    if let Some((name, target)) = replaced(words) {
        replacing.entry(join(dir, &target)).or_default().push(name);
    }
}
