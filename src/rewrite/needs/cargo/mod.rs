//! cargo and cargo-chef: manifests for what is fetched, the folders of the packages for what is built.
//!
//! Goes in: a command of cargo. Comes out: the manifests of the whole workspace, which cargo loads whatever it is asked
//! for, and for a build the folders of the packages it builds and of those that they depend on. Invariant: packages that
//! are not built still have the files that make cargo see a target.

mod sources;
mod workspace;

use super::shared::{self, Known, Words, assume, exact, read_upwards, subtree, variable};
use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;
use sources::Sources;
use std::collections::BTreeSet;
use toml::{Table, Value};
use workspace::{Package, Workspace};

const OPTIONS: Known = Known {
    valued: &[
        "-p",
        "--package",
        "-F",
        "--features",
        "-j",
        "--jobs",
        "--manifest-path",
        "--target",
        "--target-dir",
        "--profile",
        "--bin",
        "--example",
        "--test",
        "--bench",
        "--exclude",
        "--color",
        "--message-format",
        "--path",
        "--root",
        "--recipe-path",
        "--artifact-dir",
        "--out-dir",
        "--registry",
        "--index",
    ],
    flags: &[
        "-r",
        "--release",
        "--locked",
        "--frozen",
        "--offline",
        "-v",
        "-vv",
        "-q",
        "--verbose",
        "--quiet",
        "--workspace",
        "--all",
        "--bins",
        "--lib",
        "--examples",
        "--tests",
        "--benches",
        "--all-targets",
        "--all-features",
        "--no-default-features",
        "--keep-going",
        "--ignore-rust-version",
        "-f",
        "--force",
        "--debug",
        "--no-track",
        "--no-deps",
        "--future-incompat-report",
        "--timings",
        "--check",
        "--no-build",
    ],
    starts: &[],
};

/// Files in all folders above that choose the toolchain.
const TOOLCHAIN: [&str; 2] = ["rust-toolchain", "rust-toolchain.toml"];

/// What cargo needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let job = Job::of(command)?;
    if matches!(job.operands.as_slice(), ["chef", "cook"]) {
        return cook(&job, project);
    }
    let installs_others =
        job.operands.first() == Some(&"install") && job.words.value(&["--path"]).is_none();
    if installs_others && job.operands.len() > 1 {
        let mut needs = Needs::default();
        job.settings(job.dir, project, &mut needs)?;
        return Ok(needs);
    }
    let workspace = job.workspace(project)?;
    let mut needs = job.manifests(&workspace, project)?;
    match job.operands.as_slice() {
        ["fetch"] => {
            for package in &workspace.packages {
                needs
                    .reads
                    .extend(package.required(project)?.into_iter().map(PathClaim::exact));
            }
        }
        ["build" | "b" | "check" | "c" | "clippy" | "rustc" | "doc" | "install"] => {
            job.build(&workspace, project, &mut needs)?;
        }
        other => {
            return Err(format!(
                "what `cargo {}` reads is not known",
                other.join(" ")
            ));
        }
    }
    shared::prune(&mut needs.reads);
    Ok(needs)
}

/// What fetching the dependencies of a build needs, and the files that have to exist for it, empty or not.
pub(super) fn fetch(
    command: &Command<'_>,
    project: &dyn Project,
) -> Result<(Needs, BTreeSet<String>), String> {
    let job = Job::of(command)?;
    if !matches!(
        job.operands.as_slice(),
        ["build" | "b" | "check" | "c" | "clippy" | "doc" | "rustc" | "install"]
    ) || (job.operands[0] == "install" && job.words.value(&["--path"]).is_none())
    {
        return Err(format!(
            "`cargo {}` is no build of the project",
            job.operands.join(" ")
        ));
    }
    let workspace = job.workspace(project)?;
    let needs = job.manifests(&workspace, project)?;
    if !project.is_file(&join(&workspace.root, "Cargo.lock")) {
        return Err("there is no Cargo.lock".to_owned());
    }
    let mut files = BTreeSet::new();
    for package in &workspace.packages {
        files.extend(package.required(project)?);
    }
    Ok((needs, files))
}

/// A command line of cargo.
struct Job<'a> {
    dir: &'a str,
    words: Words<'a>,
    operands: Vec<&'a str>,
    target_dir: Option<&'a str>,
}

impl<'a> Job<'a> {
    fn of(command: &Command<'a>) -> Result<Self, String> {
        let arguments = match command.arguments {
            [toolchain, rest @ ..] if toolchain.starts_with('+') => rest,
            all => all,
        };
        // What follows is for rustc or the program.
        let end = arguments
            .iter()
            .position(|a| a == "--")
            .unwrap_or(arguments.len());
        if end < arguments.len() && !matches!(arguments.first().map(String::as_str), Some("clippy"))
        {
            return Err("options for rustc are not looked at".to_owned());
        }
        let mut words = Words::of(&arguments[..end], &OPTIONS)?;
        let operands = std::mem::take(&mut words.operands);
        let mut target_dir = words.value(&["--target-dir"]);
        for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
            target_dir = target_dir.or(variable(command, name)?);
        }
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
        ] {
            if variable(command, name)?.is_some_and(|v| v.contains(['/', '@'])) {
                return Err(format!("{name} names a file"));
            }
        }
        Ok(Self {
            dir: command.dir,
            words,
            operands,
            target_dir,
        })
    }

    fn workspace(&self, project: &dyn Project) -> Result<Workspace, String> {
        let from = match (
            self.words.value(&["--manifest-path"]),
            self.words.value(&["--path"]),
        ) {
            (Some(path), _) => shared::parent(&join(self.dir, path)).to_owned(),
            (None, Some(path)) => join(self.dir, path),
            (None, None) => self.dir.to_owned(),
        };
        Workspace::of(&from, project)
    }

    /// Settings and toolchains of a folder and all above it.
    fn settings(
        &self,
        dir: &str,
        project: &dyn Project,
        needs: &mut Needs,
    ) -> Result<Option<String>, String> {
        let mut target = None;
        read_upwards(&mut needs.reads, dir, &TOOLCHAIN);
        for above in shared::upwards(dir) {
            needs.reads.insert(subtree(above, ".cargo"));
            for file in [".cargo/config.toml", ".cargo/config"] {
                let path = join(above, file);
                if !project.is_file(&path) {
                    continue;
                }
                let table = text(project, &path)?.parse::<Table>();
                let table = Value::Table(table.map_err(|e| format!("{path}: {}", e.message()))?);
                if table.get("include").is_some()
                    || table.get("paths").is_some()
                    || table.get("alias").is_some_and(|a| self.is_alias(a))
                {
                    return Err(format!("{path} is not understood"));
                }
                files_of(&table, above, project, needs);
                let own = table
                    .get("build")
                    .and_then(|b| b.get("target-dir"))
                    .and_then(Value::as_str);
                target = target.or_else(|| own.map(|t| join(above, t)));
            }
        }
        Ok(target)
    }

    fn is_alias(&self, list: &Value) -> bool {
        self.operands
            .first()
            .is_some_and(|sub| list.get(sub).is_some())
    }

    /// What every command loads.
    fn manifests(&self, workspace: &Workspace, project: &dyn Project) -> Result<Needs, String> {
        let mut needs = Needs::default();
        self.settings(self.dir, project, &mut needs)?;
        for package in &workspace.packages {
            read_upwards(&mut needs.reads, &package.dir, &["Cargo.toml"]);
        }
        read_upwards(&mut needs.reads, &workspace.start, &["Cargo.toml"]);
        let lock = exact(&workspace.root, "Cargo.lock");
        if !self.words.has(&["--locked", "--frozen"]) {
            needs.writes.insert(lock.clone());
            assume(
                &mut needs,
                "cargo leaves Cargo.lock as it is: it is up to date",
            );
        }
        needs.reads.insert(lock);
        assume(
            &mut needs,
            "packages that are added to the workspace later are copied as well",
        );
        Ok(needs)
    }

    fn build(
        &self,
        workspace: &Workspace,
        project: &dyn Project,
        needs: &mut Needs,
    ) -> Result<(), String> {
        let tests = [
            "--all-targets",
            "--tests",
            "--test",
            "--benches",
            "--bench",
            "--examples",
            "--example",
        ];
        let sources = Sources {
            workspace,
            project,
            all_targets: self.words.has(&tests),
        };
        sources.claim(&self.selected(workspace)?, needs)?;
        if self.operands.first() == Some(&"clippy") {
            read_upwards(
                &mut needs.reads,
                &workspace.root,
                &["clippy.toml", ".clippy.toml"],
            );
        }
        if let Some(target) = self
            .words
            .value(&["--target"])
            .filter(|t| t.ends_with(".json"))
        {
            needs.reads.insert(exact(self.dir, target));
        }
        let configured = self.settings(self.dir, project, needs)?;
        let target = match self.target_dir {
            Some(dir) => join(self.dir, dir),
            None => configured.unwrap_or_else(|| join(&workspace.root, "target")),
        };
        needs.writes.insert(PathClaim::subtree(target));
        for output in self
            .words
            .values(&["--artifact-dir", "--out-dir", "--root"])
        {
            needs.writes.insert(subtree(self.dir, output));
        }
        Ok(())
    }

    /// The packages that the command asks for.
    fn selected<'w>(&self, workspace: &'w Workspace) -> Result<Vec<&'w Package>, String> {
        let named = self.words.values(&["-p", "--package"]);
        if self.words.has(&["--workspace", "--all"]) || named.iter().any(|n| n.contains('*')) {
            return Ok(workspace.packages.iter().collect());
        }
        if !named.is_empty() {
            let find = |n: &&str| {
                let bare = n.split('@').next().unwrap_or(n);
                let found = workspace.packages.iter().find(|p| p.name == bare);
                found.ok_or_else(|| format!("{n} is no package of the workspace"))
            };
            return named.iter().map(find).collect();
        }
        if workspace.start != workspace.root {
            let own = workspace.at(&workspace.start);
            return Ok(own.into_iter().collect());
        }
        match &workspace.default {
            None => Ok(workspace.packages.iter().collect()),
            Some(list) => {
                let find = |d: &String| workspace.at(d).ok_or_else(|| format!("{d} is no package"));
                list.iter().map(find).collect()
            }
        }
    }
}

/// Files that a configuration names, whatever for.
fn files_of(value: &Value, dir: &str, project: &dyn Project, needs: &mut Needs) {
    match value {
        Value::String(text) => {
            for word in text
                .split([' ', '=', ','])
                .map(|w| w.trim_start_matches("-T"))
                .filter(|w| !w.is_empty())
            {
                let place = join(dir, word);
                if project.is_file(&place) {
                    needs.reads.insert(PathClaim::exact(place));
                } else if word.len() > 1 && !shared::is_in(dir, &place) && project.has_below(&place)
                {
                    needs.reads.insert(PathClaim::subtree(place));
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|v| files_of(v, dir, project, needs)),
        Value::Table(table) => table
            .values()
            .for_each(|v| files_of(v, dir, project, needs)),
        _ => {}
    }
}

/// cargo-chef makes a skeleton of the project in the folder it starts in.
fn cook(job: &Job<'_>, project: &dyn Project) -> Found {
    let mut needs = Needs::default();
    job.settings(job.dir, project, &mut needs)?;
    let recipe = job.words.value(&["--recipe-path"]).unwrap_or("recipe.json");
    needs.reads.insert(exact(job.dir, recipe));
    for above in shared::upwards(job.dir).into_iter().skip(1) {
        needs.reads.insert(exact(above, "Cargo.toml"));
    }
    needs.writes.insert(PathClaim::subtree(job.dir));
    assume(
        &mut needs,
        "cargo chef cook reads only the recipe, the settings of cargo and the toolchain file",
    );
    Ok(needs)
}

#[cfg(test)]
mod tests;
