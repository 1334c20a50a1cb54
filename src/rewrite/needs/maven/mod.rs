//! Maven: the poms of all modules, their parents and `.mvn`; for a build the folders of the modules it takes in.
//!
//! Goes in: goals that fetch, or phases of a build. Comes out: every pom that the root reaches, and for a build the
//! folders of the modules that are built. Invariant: a place that a pom names by a property outside of its module is a
//! reason, as is a plugin that runs anything or asks git.

mod poms;

use super::shared::{
    self, Known, Words, assume, exact, is_in, is_paper, parent, pieces, subtree, variable,
};
use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;
use poms::{Pom, Reactor};
use std::collections::BTreeSet;

pub(super) const OPTIONS: Known = Known {
    valued: &[
        "-P",
        "-T",
        "-f",
        "-s",
        "-gs",
        "-pl",
        "--define",
        "--activate-profiles",
        "--threads",
        "--file",
        "--settings",
        "--global-settings",
        "--projects",
        "--color",
    ],
    flags: &[
        "-B",
        "-q",
        "-o",
        "-U",
        "-e",
        "-X",
        "-N",
        "-V",
        "-C",
        "-c",
        "--batch-mode",
        "--quiet",
        "--offline",
        "--update-snapshots",
        "--errors",
        "--no-transfer-progress",
        "--also-make",
        "--fail-never",
        "--fail-fast",
        "--fail-at-end",
        "--show-version",
        "--non-recursive",
        "--strict-checksums",
        "-ntp",
        "-am",
        "-fae",
        "-fn",
        "-ff",
    ],
    starts: &["-D"],
};

/// Extensions of Maven that change nothing of a build.
const EXTENSIONS: [&str; 4] = [
    "os-maven-plugin",
    "develocity-maven-extension",
    "gradle-enterprise-maven-extension",
    "common-custom-user-data-maven-extension",
];

/// What Maven needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let arguments = with_config(command, project)?;
    let words = Words::of(&arguments, &OPTIONS)?;
    let (start, file) = root(command, &words, project);
    let job = job(&words)?;
    let reactor = Reactor::of(&file, &profiles(&words), project)?;
    let mut needs = Needs::default();
    read(&reactor, &words, command.dir, &start, project, &mut needs)?;
    match job {
        Job::Fetch { copies } => {
            for pom in reactor.modules().filter(|_| copies) {
                needs.writes.insert(subtree(&pom.dir, "target"));
            }
        }
        Job::Build => build(&reactor, &words, &start, project, &mut needs)?,
    }
    assume(
        &mut needs,
        "modules that are added later are copied as well",
    );
    shared::prune(&mut needs.reads);
    Ok(needs)
}

/// Whether there is more than one module.
pub(super) fn has_modules(command: &Command<'_>, project: &dyn Project) -> Result<bool, String> {
    let arguments = with_config(command, project)?;
    let words = Words::of(&arguments, &OPTIONS)?;
    let (_, file) = root(command, &words, project);
    Ok(Reactor::of(&file, &profiles(&words), project)?
        .modules()
        .count()
        > 1)
}

/// The options, those of `.mvn/maven.config` in front.
fn with_config(command: &Command<'_>, project: &dyn Project) -> Result<Vec<String>, String> {
    if variable(command, "MAVEN_ARGS")?.is_some() {
        return Err("MAVEN_ARGS is set".to_owned());
    }
    let mut out = Vec::new();
    for above in shared::upwards(command.dir) {
        let path = join(above, ".mvn/maven.config");
        if project.is_file(&path) {
            out.extend(text(project, &path)?.split_whitespace().map(str::to_owned));
            break;
        }
    }
    out.extend(command.arguments.iter().cloned());
    Ok(out)
}

/// Profiles that are switched on by name, a star for all: a settings file may switch on any.
fn profiles<'a>(words: &Words<'a>) -> Vec<&'a str> {
    let lists = words.values(&["-P", "--activate-profiles"]);
    let names = lists.into_iter().flat_map(|l| l.split(','));
    let mut out: Vec<&str> = names
        .map(|n| n.trim().trim_start_matches(['+', '?']))
        .collect();
    let settings = ["-s", "--settings", "-gs", "--global-settings"];
    out.extend(words.value(&settings).map(|_| "*"));
    out
}

/// The folder of the root pom and its file.
fn root(command: &Command<'_>, words: &Words<'_>, project: &dyn Project) -> (String, String) {
    let named = words.value(&["-f", "--file"]).map(|f| join(command.dir, f));
    match named {
        Some(path) if project.is_file(&path) => (parent(&path).to_owned(), path),
        Some(dir) => (dir.clone(), join(&dir, "pom.xml")),
        None => (command.dir.to_owned(), join(command.dir, "pom.xml")),
    }
}

enum Job {
    /// Only downloads; `copies` what it gets below `target`.
    Fetch {
        copies: bool,
    },
    Build,
}

fn job(words: &Words<'_>) -> Result<Job, String> {
    let fetched = |goal: &str| -> Option<bool> {
        let (plugin, goal) = goal.rsplit_once(':')?;
        let known =
            plugin.contains("dependency") || plugin == "de.qaware.maven:go-offline-maven-plugin";
        match goal {
            "go-offline"
            | "resolve"
            | "resolve-plugins"
            | "resolve-dependencies"
            | "tree"
            | "get" => known.then_some(false),
            "copy-dependencies" => known.then_some(true),
            _ => None,
        }
    };
    let goals = &words.operands;
    if goals.is_empty() {
        return Err("the goal is not known".to_owned());
    }
    let all: Vec<Option<bool>> = goals.iter().map(|g| fetched(g)).collect();
    if all.iter().all(Option::is_some) {
        return Ok(Job::Fetch {
            copies: all.contains(&Some(true)),
        });
    }
    let untested = words.values(&["-D", "--define"]).iter().any(|d| {
        let (name, value) = d.split_once('=').unwrap_or((d, "true"));
        matches!(name, "skipTests" | "maven.test.skip") && value != "false"
    });
    let early = [
        "clean",
        "validate",
        "generate-sources",
        "process-resources",
        "compile",
        "process-classes",
        "test-compile",
    ];
    let late = ["package", "prepare-package", "verify", "install"];
    match goals
        .iter()
        .find(|g| !early.contains(g) && (!untested || !late.contains(g)))
    {
        Some(goal) if late.contains(goal) => Err("it runs the project's tests".to_owned()),
        Some(goal) => Err(format!("what `mvn {goal}` reads is not known")),
        None => Ok(Job::Build),
    }
}

/// Poms and settings, which every goal reads.
fn read(
    reactor: &Reactor,
    words: &Words<'_>,
    dir: &str,
    start: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let dirs: Vec<&str> = reactor.poms.iter().map(|p| p.dir.as_str()).collect();
    for pom in &reactor.poms {
        needs.reads.insert(PathClaim::exact(&*pom.path));
        // Maven warns of one from its second release.
        needs.reads.insert(exact(&pom.dir, "profiles.xml"));
        pom.claim_looks(&dirs, project, needs)?;
    }
    needs
        .reads
        .extend(reactor.looked_for.iter().map(|p| PathClaim::exact(&**p)));
    for above in shared::upwards(start)
        .into_iter()
        .chain(shared::upwards(dir))
    {
        needs.reads.insert(subtree(above, ".mvn"));
        let path = join(above, ".mvn/extensions.xml");
        if project.is_file(&path) {
            let text = text(project, &path)?;
            let document = poms::parse(&path, &text)?;
            for node in document
                .descendants()
                .filter(|n| n.has_tag_name("artifactId"))
            {
                let name = node.text().unwrap_or("").trim();
                if !EXTENSIONS.contains(&name) {
                    return Err(format!("the extension {name} is not known"));
                }
            }
        }
    }
    for file in words.values(&["-s", "--settings", "-gs", "--global-settings"]) {
        needs.reads.insert(exact(dir, file));
    }
    for define in words.values(&["-D", "--define"]) {
        let (name, value) = define.split_once('=').unwrap_or((define, ""));
        if name == "maven.repo.local" {
            needs.writes.insert(subtree(dir, value));
        } else if value.contains('/') && !value.contains("://") {
            return Err(format!("the property {define} is not followed"));
        }
    }
    Ok(())
}

fn build(
    reactor: &Reactor,
    words: &Words<'_>,
    start: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let selected: Vec<&Pom> = match words.values(&["-pl", "--projects"]).last() {
        None => reactor.modules().collect(),
        Some(list) => {
            let find = |name: &str| {
                let name = name.trim();
                let id = name.rsplit_once(':').map(|(_, id)| id);
                let found = reactor.modules().find(|p| match id {
                    Some(id) => p.id == id,
                    None => p.dir == join(start, name) || p.path == join(start, name),
                });
                found.ok_or_else(|| format!("the module {name} is not understood"))
            };
            list.split(',').map(find).collect::<Result<_, _>>()?
        }
    };
    let closure = reactor.closure(&selected)?;
    let mut mentioned = String::new();
    for pom in &reactor.poms {
        mentioned.push_str(&text(project, &pom.path)?);
    }
    let dirs: BTreeSet<&str> = reactor.poms.iter().map(|p| p.dir.as_str()).collect();
    let idle = |name: &str, folder: bool| {
        (is_paper(name, folder) && !mentioned.contains(name)) || (folder && name == "target")
    };
    // What plugins are told to read lies in a module or at the top.
    let tops = closure.iter().map(|p| p.dir.as_str()).chain([start]);
    for dir in tops.collect::<BTreeSet<_>>() {
        let files = project.below(dir);
        let holds = |d: &&&str| **d != dir && is_in(d, dir);
        if dir == start || dirs.iter().any(|d| holds(&d)) {
            pieces(dir, &files, &|d| dirs.contains(d), &idle, &mut needs.reads);
            assume(
                needs,
                format!("no file or folder is added to {dir} itself that the build needs"),
            );
        } else {
            needs.reads.insert(PathClaim::subtree(dir));
        }
        needs.writes.insert(subtree(dir, "target"));
        for made in ["dependency-reduced-pom.xml", ".flattened-pom.xml"] {
            needs.writes.insert(exact(dir, made));
        }
    }
    let modules: Vec<&str> = closure.iter().map(|p| p.dir.as_str()).collect();
    for pom in &closure {
        pom.no_other_files()?;
        pom.claim_above(&modules, project, needs)?;
    }
    assume(
        needs,
        "plugins of Maven read only the modules that are built and the folder of the root, and write below target",
    );
    Ok(())
}

#[cfg(test)]
mod tests;
