//! Poms: modules, parents and which module depends on which.
//!
//! Goes in: the root pom. Comes out: every pom of the project that it reaches. Invariant: profiles are left aside, so
//! that every one of them is covered; a module or parent that a property names is a reason.

use crate::footprint::PathClaim;
use crate::rewrite::needs::shared::{is_in, parent};
use crate::rewrite::needs::{Needs, Project, join, text};
use roxmltree::{Document, Node};
use std::collections::BTreeSet;

/// Most poms.
const MOST: usize = 1024;

/// Plugins that run other programs, or ask the repository for a version, or look at all files.
const RUNS: [&str; 14] = [
    "git-commit-id-maven-plugin",
    "git-commit-id-plugin",
    "buildnumber-maven-plugin",
    "jgitver-maven-plugin",
    "maven-jgit-buildnumber-plugin",
    "git-changelog-maven-plugin",
    "exec-maven-plugin",
    "maven-antrun-plugin",
    "groovy-maven-plugin",
    "gmavenplus-plugin",
    "gmaven-plugin",
    "apache-rat-plugin",
    "maven-scm-plugin",
    "maven-git-versioning-extension",
];

/// A pom of the project.
pub(super) struct Pom {
    /// The file.
    pub path: String,
    /// Its folder.
    pub dir: String,
    /// The name of what it makes, its group left aside.
    pub id: String,
    /// It is a module, not only a parent.
    module: bool,
    parent: Option<String>,
    modules: Vec<String>,
    /// Names of all it may depend on.
    uses: BTreeSet<String>,
    /// Texts that look for files when the pom is loaded.
    looks: Vec<String>,
    /// Texts of a path that leads out of the module.
    above: Vec<String>,
    /// Why a build may look at other files.
    wide: Option<String>,
}

/// Whether a node stands in a profile that nothing switches on.
fn sleeps(node: Node<'_, '_>, profiles: &[&str]) -> bool {
    let profile = node.ancestors().find(|a| a.tag_name().name() == "profile");
    profile.is_some_and(|p| {
        let id = child(p, "id").map_or("", words);
        child(p, "activation").is_none() && !profiles.contains(&id) && !profiles.contains(&"*")
    })
}

/// All poms that the root reaches.
pub(super) struct Reactor {
    pub poms: Vec<Pom>,
    /// Parents that are looked for and come from elsewhere.
    pub looked_for: Vec<String>,
}

pub(super) fn parse<'t>(path: &str, text: &'t str) -> Result<Document<'t>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Document::parse(text).map_err(|e| format!("{path}: {e}"))
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|c| c.tag_name().name() == name)
}

fn words<'a>(node: Node<'a, '_>) -> &'a str {
    node.text().unwrap_or("").trim()
}

impl Reactor {
    pub(super) fn of(root: &str, profiles: &[&str], project: &dyn Project) -> Result<Self, String> {
        let mut out = Self {
            poms: Vec::new(),
            looked_for: Vec::new(),
        };
        let mut queue = vec![(root.to_owned(), true)];
        while let Some((path, module)) = queue.pop() {
            if let Some(known) = out.poms.iter_mut().find(|p| p.path == path) {
                // A parent that is a module too brings its modules.
                if module && !known.module {
                    known.module = true;
                    queue.extend(known.modules.iter().map(|m| (m.clone(), true)));
                }
                continue;
            }
            if out.poms.len() > MOST {
                return Err("there are too many modules".to_owned());
            }
            let pom = Pom::of(&path, module, profiles, project)?;
            if let Some(parent) = &pom.parent {
                match project.is_file(parent) {
                    true => queue.push((parent.clone(), false)),
                    false => out.looked_for.push(parent.clone()),
                }
            }
            queue.extend(
                pom.modules
                    .iter()
                    .filter(|_| module)
                    .map(|m| (m.clone(), true)),
            );
            out.poms.push(pom);
        }
        out.poms.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(out)
    }

    /// The modules, without those that are parents alone.
    pub(super) fn modules(&self) -> impl Iterator<Item = &Pom> {
        self.poms.iter().filter(|p| p.module)
    }

    /// These poms and all they rest on.
    pub(super) fn closure<'a>(&'a self, selected: &[&'a Pom]) -> Result<Vec<&'a Pom>, String> {
        let mut out: Vec<&Pom> = Vec::new();
        let mut queue: Vec<&Pom> = selected.to_vec();
        while let Some(pom) = queue.pop() {
            if out.iter().any(|p| p.path == pom.path) {
                continue;
            }
            if let Some(name) = pom.uses.iter().find(|u| u.contains("${")) {
                return Err(format!("{} depends on {name}", pom.path));
            }
            let rests = |p: &&Pom| pom.uses.contains(&p.id) || pom.parent.as_ref() == Some(&p.path);
            queue.extend(self.poms.iter().filter(rests));
            out.push(pom);
        }
        Ok(out)
    }
}

impl Pom {
    fn of(
        path: &str,
        module: bool,
        profiles: &[&str],
        project: &dyn Project,
    ) -> Result<Self, String> {
        let text = text(project, path)?;
        let document = parse(path, &text)?;
        let root = document.root_element();
        let dir = parent(path).to_owned();
        let id = child(root, "artifactId")
            .map(words)
            .unwrap_or("")
            .to_owned();
        let mut pom = Self {
            path: path.to_owned(),
            id,
            module,
            parent: None,
            modules: Vec::new(),
            uses: BTreeSet::new(),
            looks: Vec::new(),
            above: Vec::new(),
            wide: None,
            dir,
        };
        if let Some(above) = child(root, "parent") {
            let relative = child(above, "relativePath").map_or("../pom.xml", words);
            if relative.contains("${") {
                return Err(format!("the parent of {path} is not known"));
            }
            let place = join(&pom.dir, relative);
            let is_dir = !relative.ends_with(".xml") && !project.is_file(&place);
            pom.parent = (!relative.is_empty()).then(|| {
                if is_dir {
                    join(&place, "pom.xml")
                } else {
                    place
                }
            });
        }
        for node in document.descendants().filter(Node::is_element) {
            pom.node(node, sleeps(node, profiles), project)?;
        }
        Ok(pom)
    }

    fn node(
        &mut self,
        node: Node<'_, '_>,
        sleeps: bool,
        project: &dyn Project,
    ) -> Result<(), String> {
        let own = words(node);
        let above = node.parent().map_or("", |p| p.tag_name().name());
        match node.tag_name().name() {
            "module" | "subproject" if matches!(above, "modules" | "subprojects") => {
                let place = join(&self.dir, own);
                if own.contains("${") {
                    return Err(format!("the module {own} of {} is not known", self.path));
                }
                let file = if project.is_file(&place) {
                    place
                } else {
                    join(&place, "pom.xml")
                };
                if !project.is_file(&file) {
                    return Err(format!("{file} is not in the build context"));
                }
                self.modules.push(file);
            }
            "artifactId" => self.uses_one(node, own, above, sleeps),
            "exists" | "missing" | "systemPath" => self.looks.push(own.to_owned()),
            "url" if own.contains("file:") || own.contains("basedir") => {
                self.looks.push(own.to_owned())
            }
            "relativePath" | "module" => {}
            _ if sleeps => {}
            _ => {
                let attributes = node.attributes().map(|a| a.value());
                let texts = attributes.chain([own]);
                let all = texts.flat_map(|t| t.split([',', ';', ' ', '\n']));
                let upward = |t: &&str| t.contains("../") || t.contains("project.parent.basedir");
                self.above.extend(all.filter(upward).map(str::to_owned));
            }
        }
        Ok(())
    }

    fn uses_one(&mut self, node: Node<'_, '_>, own: &str, above: &str, sleeps: bool) {
        let inside = |n: &str| node.ancestors().any(|a| a.tag_name().name() == n);
        if RUNS.contains(&own) && !sleeps && !inside("pluginManagement") {
            self.wide = Some(format!("{} uses {own}", self.path));
        }
        let managed = inside("dependencyManagement");
        let imported = node
            .parent()
            .and_then(|p| child(p, "scope"))
            .is_some_and(|s| words(s) == "import");
        if above != "project" && above != "exclusion" && (!managed || imported) {
            self.uses.insert(own.to_owned());
        }
    }

    /// Files that profiles, libraries and repositories of the project look for, in each module that may inherit them.
    pub(super) fn claim_looks(
        &self,
        dirs: &[&str],
        project: &dyn Project,
        needs: &mut Needs,
    ) -> Result<(), String> {
        self.claim_each(&self.looks, dirs, project, needs)
    }

    /// Files above the module that a build names, for each module that may inherit them.
    pub(super) fn claim_above(
        &self,
        dirs: &[&str],
        project: &dyn Project,
        needs: &mut Needs,
    ) -> Result<(), String> {
        self.claim_each(&self.above, dirs, project, needs)
    }

    fn claim_each<'t>(
        &self,
        texts: impl IntoIterator<Item = &'t String>,
        dirs: &[&str],
        project: &dyn Project,
        needs: &mut Needs,
    ) -> Result<(), String> {
        for text in texts {
            for dir in dirs {
                self.claim(text, dir, project, needs)?;
            }
        }
        Ok(())
    }

    fn claim(
        &self,
        text: &str,
        dir: &str,
        project: &dyn Project,
        needs: &mut Needs,
    ) -> Result<(), String> {
        let bare = text
            .trim_start_matches("file://")
            .trim_start_matches("file:");
        let mut path = bare.to_owned();
        for own in ["${project.basedir}", "${basedir}", "${pom.basedir}"] {
            path = path.replace(own, dir);
        }
        let place = join(dir, &path);
        let folder = project.has_below(&place);
        if path.contains("${") || (folder && is_in(dir, &place)) {
            return Err(format!("{} looks for {text}", self.path));
        }
        needs.reads.insert(match folder {
            true => PathClaim::subtree(place),
            false => PathClaim::exact(place),
        });
        Ok(())
    }

    /// A build of it reads its own folder alone.
    pub(super) fn no_other_files(&self) -> Result<(), String> {
        self.wide.clone().map_or(Ok(()), Err)
    }
}
