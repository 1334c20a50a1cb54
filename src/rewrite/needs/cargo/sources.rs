//! The files that a build of cargo takes in.
//!
//! Goes in: the packages that are built. Comes out: claims on their folders. Cost: every Rust file of them is read once.
//! Invariant: a package's folder is taken whole; only one that holds other packages, or is the project itself, goes
//! without files that no build looks at, and not without those that a source file names.

use super::workspace::{Package, Workspace};
use crate::footprint::PathClaim;
use crate::rewrite::needs::shared::{assume, is_in, is_paper, parent, pieces};
use crate::rewrite::needs::{Needs, Project, join, text};
use std::collections::BTreeSet;

/// Crates that look at the repository.
const ASKS_GIT: [&str; 8] = [
    "vergen",
    "shadow-rs",
    "built",
    "git-version",
    "git-testament",
    "build-info-build",
    "git2",
    "gix",
];

/// What a build script says that looks at the repository.
const GIT: [&str; 7] = [
    "\"git\"",
    ".git\"",
    ".git/",
    "git2::",
    "gix::",
    "vergen",
    "git_version",
];

/// Settings of tools beside cargo.
const IDLE_FILES: [&str; 6] = [
    ".editorconfig",
    ".gitattributes",
    "rustfmt.toml",
    ".rustfmt.toml",
    "clippy.toml",
    "deny.toml",
];

/// The packages that take part and what is asked of them.
pub(super) struct Sources<'a> {
    pub workspace: &'a Workspace,
    pub project: &'a dyn Project,
    /// Tests, examples and benchmarks are built too.
    pub all_targets: bool,
}

impl Sources<'_> {
    /// Claims everything that a build of these packages looks at.
    pub(super) fn claim(&self, selected: &[&Package], needs: &mut Needs) -> Result<(), String> {
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        let mut queue: Vec<&str> = selected.iter().map(|p| p.dir.as_str()).collect();
        queue.extend(self.workspace.patches.iter().map(String::as_str));
        while let Some(dir) = queue.pop() {
            let package = self
                .workspace
                .at(dir)
                .ok_or_else(|| format!("{dir} is no package"))?;
            if taken.insert(dir) {
                queue.extend(package.paths.iter().map(String::as_str));
            }
        }
        for package in &self.workspace.packages {
            if taken.contains(package.dir.as_str()) {
                self.package(package, needs)?;
            } else {
                needs.reads.extend(
                    package
                        .required(self.project)?
                        .into_iter()
                        .map(PathClaim::exact),
                );
            }
        }
        // sqlx looks for these in the folder of the workspace as well.
        for (folder, file) in [(".sqlx", ".env"), (".sqlx", "sqlx-data.json")] {
            needs
                .reads
                .insert(PathClaim::subtree(join(&self.workspace.root, folder)));
            needs
                .reads
                .insert(PathClaim::exact(join(&self.workspace.root, file)));
        }
        assume(
            needs,
            "macros and build scripts of the packages built read only files of their packages",
        );
        Ok(())
    }

    fn package(&self, package: &Package, needs: &mut Needs) -> Result<(), String> {
        let asks = |n: &String| {
            ASKS_GIT
                .iter()
                .any(|a| n == a || (*a == "vergen" && n.starts_with("vergen-")))
        };
        if let Some(name) = package.dependency_names().iter().find(|n| asks(n)) {
            return Err(format!(
                "{} uses {name}, which may look at .git",
                package.dir
            ));
        }
        let dir = package.dir.as_str();
        let script = join(dir, package.build_script());
        if self.project.is_file(&script) {
            let text = text(self.project, &script)?;
            if text.contains("..") && text.contains("../") || GIT.iter().any(|g| text.contains(g)) {
                return Err(format!("{script} may look at files outside of its package"));
            }
        }
        let files = self.project.below(dir);
        let mut mentioned = String::new();
        // What is not built is not looked into, unless what is built takes it in.
        let aside = |f: &str| {
            let rest = f.strip_prefix(dir).unwrap_or(f).trim_start_matches('/');
            let first = rest.split('/').next();
            !self.all_targets && matches!(first, Some("tests" | "benches" | "examples"))
        };
        let own = |f: &&String| f.ends_with(".rs") && self.owner(f) == Some(dir);
        let (later, first): (Vec<&String>, Vec<&String>) =
            files.iter().filter(own).partition(|f| aside(f));
        for file in first.into_iter().chain(later) {
            let folder = file
                .strip_prefix(dir)
                .unwrap_or(file)
                .trim_start_matches('/');
            let folder = folder.split_once('/').map_or("", |(f, _)| f);
            if aside(file) && !mentioned.contains(&format!("{folder}/")) {
                continue;
            }
            let text = text(self.project, file)?;
            self.elsewhere(package, file, &text, needs)?;
            mentioned.push_str(&text);
        }
        for file in package.named_files() {
            // Its modules lie beside it.
            let folder = parent(&file);
            needs.reads.insert(match is_in(dir, folder) {
                true => PathClaim::exact(file),
                false => PathClaim::subtree(folder),
            });
        }
        let holds_others = self
            .workspace
            .packages
            .iter()
            .any(|p| p.dir != dir && is_in(&p.dir, dir));
        if is_in(&self.workspace.root, dir) || holds_others {
            needs.reads.extend(
                package
                    .required(self.project)?
                    .into_iter()
                    .map(PathClaim::exact),
            );
            let idle = |name: &str, folder: bool| self.idle(name, folder, &mentioned);
            let apart = |d: &str| self.workspace.packages.iter().any(|p| p.dir == d);
            pieces(dir, &files, &apart, &idle, &mut needs.reads);
            assume(
                needs,
                format!("no file or folder is added to {dir} itself that the build needs"),
            );
        } else {
            needs.reads.insert(PathClaim::subtree(dir));
        }
        Ok(())
    }

    /// The folder of the innermost package around a file.
    fn owner(&self, file: &str) -> Option<&str> {
        let around = self
            .workspace
            .packages
            .iter()
            .filter(|p| is_in(file, &p.dir));
        around.map(|p| p.dir.as_str()).max_by_key(|d| d.len())
    }

    /// Whether a name in the package's folder is no part of a build, and no source names it.
    fn idle(&self, name: &str, folder: bool, mentioned: &str) -> bool {
        if mentioned.contains(name) && (!folder || mentioned.contains(&format!("{name}/"))) {
            return false;
        }
        if name.starts_with("README") && mentioned.contains("CARGO_PKG_README") {
            // Cargo says by a variable whether there is one.
            return false;
        }
        match (folder, name) {
            (true, "tests" | "benches" | "examples") => !self.all_targets,
            (true, "target") => true,
            _ => is_paper(name, folder) || IDLE_FILES.contains(&name),
        }
    }

    /// Files outside of the package that a source file names by a path with `..`.
    fn elsewhere(
        &self,
        package: &Package,
        file: &str,
        text: &str,
        needs: &mut Needs,
    ) -> Result<(), String> {
        for literal in text
            .split('"')
            .filter(|l| l.contains("../") && !l.contains(char::is_whitespace))
        {
            let literal = literal.rsplit_once('}').map_or(literal, |(_, rest)| rest);
            let literal = literal
                .strip_prefix("$CARGO_MANIFEST_DIR")
                .unwrap_or(literal);
            for base in [package.dir.as_str(), parent(file)] {
                let place = join(base, &format!("./{literal}"));
                if is_in(&place, &package.dir) {
                    continue;
                }
                if self.project.is_file(&place) {
                    needs.reads.insert(PathClaim::exact(place));
                } else if self.project.has_below(&place) && !is_in(&package.dir, &place) {
                    needs.reads.insert(PathClaim::subtree(place));
                }
            }
        }
        let above = |l: &str| {
            let climbs = l.contains("\"..\"")
                || l.contains("\"../\"")
                || l.contains("../..\"")
                || l.contains("/..\"");
            climbs && (l.contains("CARGO_MANIFEST_DIR") || l.contains("include"))
        };
        match text.lines().any(above) {
            true => Err(format!("{file} looks above its package")),
            false => Ok(()),
        }
    }
}
