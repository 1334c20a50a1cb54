//! MSBuild files: which others they import and refer to, conditions left aside.
//!
//! Goes in: projects and solutions. Comes out: every MSBuild file of the project that takes part in a restore, and the
//! files elsewhere that a build looks at. Invariant: a path with a property that is not known is a reason.

use super::paths::{Place, above, is_safe};
use crate::footprint::PathClaim;
use crate::rewrite::needs::shared::{exact, is_in, parent, read_upwards, upwards};
use crate::rewrite::needs::{Needs, Project, join, text};
use roxmltree::{Document, Node};
use std::collections::BTreeSet;

/// Most files.
const MOST: usize = 2048;

/// Files that are looked for beside a project and in all folders above it.
const IMPLICIT: [&str; 3] = [
    "Directory.Build.props",
    "Directory.Build.targets",
    "Directory.Packages.props",
];

/// The same, which only have settings.
const SETTINGS: [&str; 6] = [
    "nuget.config",
    "NuGet.config",
    "NuGet.Config",
    "global.json",
    "Directory.Build.rsp",
    "MSBuild.rsp",
];

/// Properties that name a folder in which a restore or a build puts its files.
const FOLDERS: [&str; 10] = [
    "BaseIntermediateOutputPath",
    "MSBuildProjectExtensionsPath",
    "IntermediateOutputPath",
    "ArtifactsPath",
    "RestorePackagesPath",
    "RestoreOutputPath",
    "BaseOutputPath",
    "OutputPath",
    "OutDir",
    "PublishDir",
];

/// Properties that name files a restore reads.
const MOVES: [&str; 3] = [
    "NuGetLockFilePath",
    "RestoreConfigFile",
    "RestoreRootConfigDirectory",
];

/// Packages that take a version from the repository, or run it.
const ASKS_GIT: [&str; 7] = [
    "nerdbank.gitversioning",
    "minver",
    "gitversion",
    "gitinfo",
    "microsoft.sourcelink",
    "dotnet.reproduciblebuilds",
    "versionize",
];

/// What is found.
pub(super) struct Graph<'a> {
    pub project: &'a dyn Project,
    /// It is a build: files elsewhere count.
    pub builds: bool,
    /// All projects.
    pub projects: BTreeSet<String>,
    seen: BTreeSet<(String, String)>,
    pub(super) queue: Vec<String>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(project: &'a dyn Project, builds: bool) -> Self {
        Self {
            project,
            builds,
            projects: BTreeSet::new(),
            seen: BTreeSet::new(),
            queue: Vec::new(),
        }
    }

    /// Follows a project or solution.
    pub(super) fn follow(&mut self, path: &str, needs: &mut Needs) -> Result<(), String> {
        if ends_with(path, ".sln") || ends_with(path, ".slnx") || ends_with(path, ".slnf") {
            self.solution(path, needs)?;
        } else {
            self.queue.push(path.to_owned());
        }
        while let Some(path) = self.queue.pop() {
            if self.projects.insert(path.clone()) {
                self.one(&path, needs)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, path: &str, needs: &mut Needs) -> Result<(), String> {
        if self.projects.len() > MOST {
            return Err("there are too many projects".to_owned());
        }
        if !path.ends_with("proj") {
            return Err(format!("{path} is no project"));
        }
        let dir = parent(path).to_owned();
        settings(&dir, needs);
        for file in ["packages.lock.json", "packages.config"] {
            needs.reads.insert(exact(&dir, file));
        }
        needs.reads.insert(PathClaim::exact(format!("{path}.user")));
        needs.writes.insert(exact(&dir, "packages.lock.json"));
        needs.writes.insert(PathClaim::subtree(join(&dir, "obj")));
        if self.project.has_below(&join(&dir, "obj")) {
            return Err(format!("{dir}/obj is in the build context"));
        }
        let user = format!("{path}.user");
        let mut files = vec![path.to_owned()];
        files.extend(Some(user).filter(|u| self.project.is_file(u)));
        for file in IMPLICIT {
            files.extend(self.nearest(&dir, file));
        }
        for file in files {
            self.file(&file, &dir, needs)?;
        }
        Ok(())
    }

    fn nearest(&self, dir: &str, file: &str) -> Option<String> {
        let mut all = upwards(dir).into_iter().map(|d| join(d, file));
        all.find(|f| self.project.is_file(f))
    }

    /// A file as it counts for a project.
    fn file(&mut self, path: &str, dir: &str, needs: &mut Needs) -> Result<(), String> {
        needs.reads.insert(PathClaim::exact(path));
        if !self.seen.insert((path.to_owned(), dir.to_owned())) {
            return Ok(());
        }
        if self.seen.len() > MOST {
            return Err("there are too many MSBuild files".to_owned());
        }
        let text = text(self.project, path)?;
        let document = parse(path, &text)?;
        let at = Place { file: path, dir };
        for node in document.descendants().filter(Node::is_element) {
            self.element(&node, &at, needs)
                .map_err(|why| format!("{path}: {why}"))?;
        }
        Ok(())
    }

    fn element(
        &mut self,
        node: &Node<'_, '_>,
        at: &Place<'_>,
        needs: &mut Needs,
    ) -> Result<(), String> {
        let tag = node.tag_name().name();
        let own = node.text().unwrap_or("").trim();
        let runs_early = |a: &str| {
            node.attribute(a)
                .is_some_and(|v| v.contains("Restore") || v.contains("CollectPackage"))
        };
        match tag {
            "Import" if node.attribute("Sdk").is_none() => {
                let target = node.attribute("Project").ok_or("an import names nothing")?;
                self.import(target, at, needs)?;
            }
            "ProjectReference" => {
                for one in node
                    .attribute("Include")
                    .unwrap_or("")
                    .split(';')
                    .filter(|o| !o.trim().is_empty())
                {
                    let place = at
                        .resolve(one.trim(), at.dir)
                        .ok_or_else(|| format!("{one} is not understood"))?;
                    if place.contains('*') || !self.project.is_file(&place) {
                        return Err(format!("{place} is not in the build context"));
                    }
                    self.queue.push(place);
                }
            }
            "Target" if runs_early("BeforeTargets") || runs_early("AfterTargets") => {
                return Err("a target of its own takes part in a restore".to_owned());
            }
            "Exec" if self.builds => return Err("a build runs other programs".to_owned()),
            "PackageReference" | "GlobalPackageReference" if self.builds => {
                let package = node.attribute("Include").unwrap_or("").to_ascii_lowercase();
                if ASKS_GIT.iter().any(|a| package.starts_with(a)) {
                    return Err(format!("{package} may look at .git"));
                }
            }
            "RestoreSources" | "RestoreAdditionalProjectSources" | "RestoreFallbackFolders"
                if own.split(';').any(is_folder) =>
            {
                return Err(format!("{tag} names a folder"));
            }
            "UseArtifactsOutput" => {
                needs
                    .writes
                    .insert(PathClaim::subtree(join(parent(at.file), "artifacts")));
            }
            tag if FOLDERS.contains(&tag) => {
                // Up to the first property that is not known.
                let start = at.start(own).ok_or_else(|| format!("{tag} is {own}"))?;
                needs.writes.insert(PathClaim::subtree(start));
            }
            tag if MOVES.contains(&tag) => return Err(format!("it sets {tag}")),
            _ => {}
        }
        for attribute in node.attributes() {
            self.value(attribute.value(), at, needs)?;
            if self.builds && attribute.name() != "Condition" {
                self.elsewhere(attribute.value(), at, needs)?;
            }
        }
        self.value(own, at, needs)?;
        match self.builds && !FOLDERS.contains(&tag) {
            true => self.elsewhere(own, at, needs),
            false => Ok(()),
        }
    }

    fn import(&mut self, target: &str, at: &Place<'_>, needs: &mut Needs) -> Result<(), String> {
        if let Some(file) = above(target)? {
            read_upwards(&mut needs.reads, parent(at.file), &[&file]);
            let folders: Vec<String> = upwards(parent(at.file))
                .iter()
                .map(|d| join(d, &file))
                .collect();
            for place in folders.iter().filter(|p| self.project.is_file(p)) {
                self.file(place, at.dir, needs)?;
            }
            return Ok(());
        }
        match at.resolve(target, parent(at.file)) {
            Some(place) if !place.contains(['*', '?']) => {
                needs.reads.insert(PathClaim::exact(&*place));
                match self.project.is_file(&place) {
                    true => self.file(&place, at.dir, needs),
                    // Its condition looks whether it is there.
                    false => Ok(()),
                }
            }
            None if is_safe(target) => Ok(()),
            _ => Err(format!("the import of {target} is not understood")),
        }
    }

    /// Files that a condition or function looks for.
    fn value(&self, text: &str, at: &Place<'_>, needs: &mut Needs) -> Result<(), String> {
        if text.contains("System.IO.") && !text.contains("Path]::Combine") {
            return Err("a function looks at files".to_owned());
        }
        if let Some(file) = above(text)? {
            read_upwards(&mut needs.reads, parent(at.file), &[&file]);
        }
        let lower = text.to_ascii_lowercase();
        for (start, found) in lower.match_indices("exists(") {
            let rest = text.get(start + found.len()..).unwrap_or("").trim_start();
            let quoted = rest
                .strip_prefix('\'')
                .and_then(|r| r.split_once('\''))
                .map(|(q, _)| q);
            let path = quoted.unwrap_or_else(|| rest.split(')').next().unwrap_or(""));
            match at.resolve(path, at.dir) {
                Some(place) => {
                    let folder = self.project.has_below(&place) && !is_in(at.dir, &place);
                    needs.reads.insert(if folder {
                        PathClaim::subtree(place)
                    } else {
                        PathClaim::exact(place)
                    });
                }
                None if is_safe(path) || above(path)?.is_some() => {}
                None => return Err(format!("whether {path} exists is not known")),
            }
        }
        Ok(())
    }

    /// Files outside of the project's folder that a build takes in.
    fn elsewhere(&self, text: &str, at: &Place<'_>, needs: &mut Needs) -> Result<(), String> {
        for one in text
            .split(';')
            .map(str::trim)
            .filter(|o| o.contains("..") || o.contains("$("))
        {
            let Some(place) = at.resolve(one, at.dir) else {
                if one.contains(['/', '\\'])
                    && !is_safe(one)
                    && above(one)?.is_none()
                    && !one.contains("://")
                {
                    return Err(format!("{one} is not understood"));
                }
                continue;
            };
            let fixed: Vec<&str> = place
                .split('/')
                .take_while(|p| !p.contains(['*', '?']))
                .collect();
            let base = join("/", &fixed.join("/"));
            if self.project.is_file(&base) {
                needs.reads.insert(PathClaim::exact(base));
            } else if is_in(at.dir, &base) && base != at.dir {
                return Err(format!("{one} is a folder above the project"));
            } else if self.project.has_below(&base) {
                needs.reads.insert(PathClaim::subtree(base));
            }
        }
        Ok(())
    }
}

/// A source of packages that is no server.
fn is_folder(source: &str) -> bool {
    !source.trim().is_empty() && !source.contains("://") && !source.contains("$(Restore")
}

/// Files that are looked for above a project.
pub(super) fn settings(dir: &str, needs: &mut Needs) {
    read_upwards(&mut needs.reads, dir, &IMPLICIT);
    read_upwards(&mut needs.reads, dir, &SETTINGS);
}

pub(super) fn parse<'t>(path: &str, text: &'t str) -> Result<Document<'t>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Document::parse(text).map_err(|e| format!("{path}: {e}"))
}

pub(super) fn ends_with(path: &str, end: &str) -> bool {
    path.to_ascii_lowercase().ends_with(end)
}
