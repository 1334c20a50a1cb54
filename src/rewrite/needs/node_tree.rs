//! A project of Node's package managers: its manifest, the members of its workspace, the local packages they name.
//!
//! Goes in: where the project is, and what one manager does with it. Comes out: reads and writes in [`Needs`].
//! Invariant: every manifest that the manager looks at is read here too, and all that it says of the project's own
//! files is either understood or a reason.

use super::globs::Globs;
use super::node::{Package, Source, members, source};
use super::{Needs, Project, above, inside, join, node_hooks, node_scripts};
use std::collections::{BTreeSet, VecDeque};

/// Most packages of one project.
const MOST: usize = 2_000;

/// What a manager does with a folder that a dependency names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// Links to it, and takes it for a package of the project.
    Link,
    /// Copies what is in it.
    Copy,
    /// It is not known.
    Odd,
}

/// What one package manager does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manager {
    /// Its name, for sentences.
    pub name: &'static str,
    /// Scripts of the top that it runs by itself.
    pub top_scripts: &'static [&'static str],
    /// Scripts of members that it runs by itself.
    pub member_scripts: &'static [&'static str],
    /// It links programs of the top too.
    pub links_top: bool,
    /// It compiles a project with `binding.gyp`.
    pub compiles: bool,
    /// By the prefix of the dependency.
    pub folder: fn(&str) -> Folder,
    /// Settings of each member.
    pub member_files: &'static [&'static str],
    /// Versions may stand in a catalog.
    pub catalogs: bool,
}

/// One project.
pub(super) struct Tree<'a> {
    /// Its manager.
    pub manager: Manager,
    /// Its top folder.
    pub top: String,
    /// Its members.
    pub globs: Globs,
    /// Scripts are run.
    pub runs_scripts: bool,
    /// Its files.
    pub project: &'a dyn Project,
}

impl Tree<'_> {
    /// What an install reads and writes beside lock files and settings; the packages of the project, its top first.
    ///
    /// # Errors
    /// What is not understood.
    pub(super) fn install(&self, needs: &mut Needs) -> Result<Vec<Package>, String> {
        let folders = members(self.project, &self.top, &self.globs, "package.json");
        if !folders.is_empty() {
            needs.assume(
                "the workspace has the members that it has at the newest commit: a new one needs a new plan",
            );
        }
        let mut queue = VecDeque::from([self.top.clone()]);
        queue.extend(folders);
        let mut seen = BTreeSet::new();
        let mut packages = Vec::new();
        while let Some(folder) = queue.pop_front() {
            if !seen.insert(folder.clone()) {
                continue;
            }
            if seen.len() > MOST {
                return Err("the project has too many packages".to_owned());
            }
            let package = Package::read(self.project, &folder)?;
            self.places(&package, needs)?;
            packages.push(package);
            if let Some(package) = packages.last() {
                queue.extend(self.dependencies(package, needs)?);
            }
        }
        // What scripts leave in node_modules needs all places to be known.
        for package in &packages {
            self.scripts(package, needs)?;
        }
        if self.runs_scripts {
            node_hooks::check(&packages, self.project, needs)?;
        }
        self.assume(needs);
        Ok(packages)
    }

    fn assume(&self, needs: &mut Needs) {
        let name = self.manager.name;
        needs.assume(format!(
            "{name} reads only the manifests, the lock file and the settings of the project: no script that it runs \
             looks at other files"
        ));
        needs.assume("the build context holds no node_modules (none is in git)");
    }

    /// Its manifest, where its packages go, and its programs.
    fn places(&self, package: &Package, needs: &mut Needs) -> Result<(), String> {
        needs.read(package.path());
        needs.read_all(&package.dir, self.manager.member_files);
        let modules = join(&package.dir, "node_modules");
        if self.project.has_below(&modules) {
            return Err(format!("{modules} is in the build context"));
        }
        needs.write_tree(modules);
        if package.dir != self.top || self.manager.links_top {
            self.programs(package, needs)?;
        }
        Ok(())
    }

    /// Managers link to programs that are there, and make them executable.
    fn programs(&self, package: &Package, needs: &mut Needs) -> Result<(), String> {
        for program in package.programs()? {
            let path = join(&package.dir, program);
            needs.read(path.clone());
            if !self.project.is_file(&path) {
                continue;
            }
            let name = self.manager.name;
            match self.project.is_executable(&path) {
                Some(true) => {}
                Some(false) => return Err(format!("{name} makes {path} executable")),
                None => return Err(format!("{name} makes {path} executable, if it is not")),
            }
            let bytes = self.project.read(&path).unwrap_or_default();
            let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
            if line.starts_with(b"#!") && line.ends_with(b"\r") {
                return Err(format!("{name} changes the line ends of {path}"));
            }
            needs.assume("programs that the project's own packages bring stay executable in git");
        }
        Ok(())
    }

    fn scripts(&self, package: &Package, needs: &mut Needs) -> Result<(), String> {
        if !self.runs_scripts {
            return Ok(());
        }
        let events = match package.dir == self.top {
            true => self.manager.top_scripts,
            false => self.manager.member_scripts,
        };
        node_scripts::check(package, events, self.project, needs)?;
        if self.manager.compiles {
            let recipe = join(&package.dir, "binding.gyp");
            if self.project.is_file(&recipe) {
                return Err(format!("{recipe} is compiled with an install"));
            }
            needs.read(recipe);
        }
        Ok(())
    }

    /// Folders of local packages that belong to the project.
    fn dependencies(&self, package: &Package, needs: &mut Needs) -> Result<Vec<String>, String> {
        let own = package.dependencies()?;
        let versions = own.iter().map(|(_, version)| *version);
        let mut out = Vec::new();
        for version in versions.chain(package.replacements()) {
            let odd = || format!("{} asks for {version}", package.path());
            match source(version) {
                Source::Remote | Source::Member => {}
                Source::Catalog if self.manager.catalogs => {}
                Source::Catalog | Source::Odd => return Err(odd()),
                Source::Path(kind, path) => out.extend(self.local(package, kind, &path, needs)?),
                Source::Patch(files) => {
                    for file in files {
                        self.patch(package, &file, needs)?;
                    }
                }
            }
        }
        Ok(out)
    }

    fn patch(&self, package: &Package, file: &str, needs: &mut Needs) -> Result<(), String> {
        let path = match file.strip_prefix("~/") {
            Some(rest) => join(&self.top, rest),
            None => join(&package.dir, file),
        };
        if !self.project.is_file(&path) {
            return Err(format!("the patch {path} is not in the build context"));
        }
        needs.read(path);
        Ok(())
    }

    /// A dependency that is a path.
    fn local(
        &self,
        package: &Package,
        kind: &'static str,
        path: &str,
        needs: &mut Needs,
    ) -> Result<Option<String>, String> {
        let odd = || format!("{} names the local package {path}", package.path());
        if path.starts_with('~') || path.contains(['%', '#', '?', '\\', ':']) || path.is_empty() {
            return Err(odd());
        }
        let place = join(&package.dir, path);
        if self.project.is_file(&place) {
            needs.read(place);
            return match kind {
                "" | "file:" => Ok(None),
                _ => Err(odd()),
            };
        }
        match (self.manager.folder)(kind) {
            Folder::Link if self.project.is_file(&join(&place, "package.json")) => Ok(Some(place)),
            Folder::Copy if self.project.is_file(&join(&place, "package.json")) => {
                let copied = Package::read(self.project, &place)?;
                let plain = |(_, v): &(&str, &str)| source(v) == Source::Remote;
                if !copied.dependencies()?.iter().all(plain) {
                    return Err(odd());
                }
                if self.runs_scripts {
                    let events = self.manager.member_scripts;
                    node_scripts::check(&copied, events, self.project, needs)?;
                }
                needs.read_tree(place);
                Ok(None)
            }
            _ => Err(odd()),
        }
    }
}

/// Where the project is that a folder belongs to: the nearest manifest, or the workspace it is a member of.
///
/// # Errors
/// There is none, or one above it is not understood.
pub(super) fn top_of(
    dir: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<String, String> {
    let mut own = None;
    for place in std::iter::once(dir).chain(above(dir)) {
        let manifest = join(place, "package.json");
        needs.read(manifest.clone());
        if !project.is_file(&manifest) {
            continue;
        }
        let Some(own) = &own else {
            own = Some(place.to_owned());
            continue;
        };
        let package = Package::read(project, place)?;
        let patterns = package.workspaces()?.unwrap_or_default();
        let relative = inside(own, place).unwrap_or_default();
        if Globs::new(&patterns)?.matches(relative) {
            return Ok(place.to_owned());
        }
    }
    own.ok_or_else(|| format!("{} is not in the build context", join(dir, "package.json")))
}
