//! The packages of a workspace and who asks for whom.
//!
//! Goes in: the folder that a command starts in. Comes out: [`Workspace`], its top first. Invariant: every member's
//! manifest is read; one that is not understood is a reason.

use super::super::globs::Globs;
use super::super::node::{Package, Source, members, source, yaml};
use super::super::node_tree::top_of;
use super::super::{Needs, Project, above, join};
use std::collections::{BTreeMap, BTreeSet};

/// Most packages of one workspace.
const MOST: usize = 2_000;

/// A workspace, or a package by itself.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Its packages, the top first.
    pub packages: Vec<Package>,
    /// The manager that its lock file is for.
    pub manager: &'static str,
    by_name: BTreeMap<String, usize>,
    by_dir: BTreeMap<String, usize>,
}

impl Workspace {
    /// The workspace that a folder belongs to.
    ///
    /// # Errors
    /// There is none, or a manifest is not understood.
    pub(super) fn find(dir: &str, project: &dyn Project) -> Result<Self, String> {
        let has_list = |d: &&str| project.is_file(&join(d, "pnpm-workspace.yaml"));
        let listed = std::iter::once(dir).chain(above(dir)).find(has_list);
        let top = match listed {
            Some(top) => top.to_owned(),
            None => top_of(dir, project, &mut Needs::default())?,
        };
        let manager = match () {
            () if listed.is_some() || project.is_file(&join(&top, "pnpm-lock.yaml")) => "pnpm",
            () if project.is_file(&join(&top, "yarn.lock")) => "yarn",
            () => "npm",
        };
        let package = Package::read(project, &top)?;
        let list = match listed {
            Some(_) => yaml(project, &join(&top, "pnpm-workspace.yaml"))?,
            None => serde_json::Value::Null,
        };
        let patterns: Vec<&str> = match list.get("packages").and_then(|p| p.as_array()) {
            Some(list) => list.iter().filter_map(|p| p.as_str()).collect(),
            None => package.workspaces()?.unwrap_or_default(),
        };
        let folders = members(project, &top, &Globs::new(&patterns)?, "package.json");
        let mut out = Self {
            packages: Vec::new(),
            manager,
            by_name: BTreeMap::new(),
            by_dir: BTreeMap::new(),
        };
        out.add(package)?;
        for folder in folders {
            out.add(Package::read(project, &folder)?)?;
        }
        out.local(project)?;
        Ok(out)
    }

    /// Packages of other folders that are named by their path.
    fn local(&mut self, project: &dyn Project) -> Result<(), String> {
        let mut at = 0;
        while let Some(package) = self.packages.get(at) {
            let paths = paths(package)?;
            for dir in paths
                .into_iter()
                .filter(|d| !self.by_dir.contains_key(d))
                .collect::<Vec<_>>()
            {
                if project.is_file(&join(&dir, "package.json")) {
                    self.add(Package::read(project, &dir)?)?;
                }
            }
            at += 1;
        }
        Ok(())
    }

    fn add(&mut self, package: Package) -> Result<(), String> {
        let at = self.packages.len();
        if at >= MOST {
            return Err("the workspace has too many packages".to_owned());
        }
        if self.by_dir.insert(package.dir.clone(), at).is_none() {
            if let Some(name) = package.json.get("name").and_then(|n| n.as_str()) {
                self.by_name.entry(name.to_owned()).or_insert(at);
            }
            self.packages.push(package);
        }
        Ok(())
    }

    /// The folder of the whole.
    pub(super) fn top(&self) -> &str {
        self.packages.first().map_or("/", |p| p.dir.as_str())
    }

    /// A package by its name.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The package whose folder this is.
    pub(super) fn at(&self, dir: &str) -> Option<usize> {
        self.by_dir.get(dir).copied()
    }

    /// The package that a folder belongs to.
    pub(super) fn around(&self, dir: &str) -> Option<usize> {
        std::iter::once(dir)
            .chain(above(dir))
            .find_map(|d| self.at(d))
    }

    /// The package that brings a program.
    pub(super) fn with_program(&self, program: &str) -> Option<usize> {
        let brings = |p: &Package| match p.json.get("bin") {
            Some(serde_json::Value::Object(list)) => list.contains_key(program),
            Some(serde_json::Value::String(_)) => {
                let name = p
                    .json
                    .get("name")
                    .and_then(|n| n.as_str())
                    .unwrap_or_default();
                name.rsplit('/').next() == Some(program)
            }
            _ => false,
        };
        self.packages.iter().position(brings)
    }

    /// The packages of the workspace that one asks for.
    ///
    /// # Errors
    /// Its dependencies are not understood.
    pub(super) fn asked(&self, of: usize) -> Result<BTreeSet<usize>, String> {
        let Some(package) = self.packages.get(of) else {
            return Ok(BTreeSet::new());
        };
        let mut out: BTreeSet<usize> = BTreeSet::new();
        // `workspace:commons` names a folder, the name is that of the member all the same.
        out.extend(
            package
                .dependencies()?
                .iter()
                .filter_map(|(name, _)| self.named(name)),
        );
        out.extend(paths(package)?.iter().filter_map(|d| self.at(d)));
        // A package may be asked for by another name: `workspace:real-name@*`.
        let other = |(_, v): &(&str, &str)| {
            let (name, _) = v.strip_prefix("workspace:")?.rsplit_once('@')?;
            self.named(name)
        };
        out.extend(package.dependencies()?.iter().filter_map(other));
        Ok(out)
    }

    /// These packages with all that they ask for, however far.
    ///
    /// # Errors
    /// As above.
    pub(super) fn closure(
        &self,
        of: impl IntoIterator<Item = usize>,
    ) -> Result<BTreeSet<usize>, String> {
        let mut queue: Vec<usize> = of.into_iter().collect();
        let mut out = BTreeSet::new();
        while let Some(at) = queue.pop() {
            if out.insert(at) {
                queue.extend(self.asked(at)?);
            }
        }
        Ok(out)
    }
}

/// Folders that dependencies name.
fn paths(package: &Package) -> Result<Vec<String>, String> {
    let one = |(_, version): &(&str, &str)| match source(version) {
        Source::Path(_, path) => Some(join(&package.dir, &path)),
        Source::Member => {
            let path = version.strip_prefix("workspace:")?;
            path.starts_with('.').then(|| join(&package.dir, path))
        }
        _ => None,
    };
    Ok(package.dependencies()?.iter().filter_map(one).collect())
}
