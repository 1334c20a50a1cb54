//! dotnet: MSBuild files and NuGet's settings for a restore, the folders of the projects for a build.
//!
//! Goes in: a command of dotnet. Comes out: the solution, the projects it reaches by reference, what they import, and
//! the files looked for in the folders above. Invariant: conditions are left aside, so that every configuration is
//! covered; what a property decides is a reason.

mod msbuild;
mod paths;
mod solution;

use super::shared::{self, Known, Words, assume, exact, name, read_upwards, subtree};
use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;
use msbuild::{Graph, ends_with, parse};
use std::collections::BTreeSet;

pub(super) const OPTIONS: Known = Known {
    valued: &[
        "-c",
        "--configuration",
        "-r",
        "--runtime",
        "-o",
        "--output",
        "-v",
        "--verbosity",
        "-f",
        "--framework",
        "-a",
        "--arch",
        "--os",
        "-s",
        "--source",
        "--packages",
        "--configfile",
        "--version-suffix",
        "--version",
        "--tool-path",
        "--artifacts-path",
        "--add-source",
        "--tl",
        "--lock-file-path",
    ],
    flags: &[
        "--no-restore",
        "--no-build",
        "--no-cache",
        "--no-dependencies",
        "--no-incremental",
        "--no-self-contained",
        "--disable-parallel",
        "--ignore-failed-sources",
        "--force",
        "--locked-mode",
        "--nologo",
        "-nologo",
        "--interactive",
        "--self-contained",
        "--sc",
        "-g",
        "--global",
        "--use-current-runtime",
        "--ucr",
        "-m",
        "-maxcpucount",
        "--info",
        "--list-sdks",
        "--list-runtimes",
        "--force-evaluate",
        "--disable-build-servers",
    ],
    starts: &[
        "-p:",
        "--p:",
        "-property:",
        "--property:",
        "-v:",
        "-verbosity:",
        "-m:",
        "-maxcpucount:",
    ],
};

/// What dotnet needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let arguments = with_dashes(command.arguments);
    if arguments == ["--version"] {
        let mut needs = Needs::default();
        read_upwards(&mut needs.reads, command.dir, &["global.json"]);
        return Ok(needs);
    }
    let mut words = Words::of(&arguments, &OPTIONS)?;
    let mut operands = std::mem::take(&mut words.operands);
    operands.retain(|o| !matches!(*o, "true" | "false"));
    plain_properties(&words)?;
    let mut needs = Needs::default();
    read_upwards(&mut needs.reads, command.dir, &["global.json"]);
    match operands.as_slice() {
        [] if words.has(&["--info", "--list-sdks", "--list-runtimes"]) => {}
        ["restore", rest @ ..] if rest.len() < 2 => {
            graph(command, rest, false, &words, project, &mut needs)?
        }
        ["build" | "publish" | "pack", rest @ ..] if rest.len() < 2 => {
            graph(command, rest, true, &words, project, &mut needs)?;
        }
        ["tool", "restore"] => tools(command, &mut needs),
        ["tool", "install" | "update", _] if words.has(&["-g", "--global", "--tool-path"]) => {
            tools(command, &mut needs);
        }
        _ => {
            return Err(format!(
                "what `dotnet {}` reads is not known",
                operands.join(" ")
            ));
        }
    }
    sources(command, &words, &mut needs);
    configured(project, &mut needs)?;
    shared::prune(&mut needs.reads);
    Ok(needs)
}

/// MSBuild takes a slash for a dash.
pub(super) fn with_dashes(arguments: &[String]) -> Vec<String> {
    let switch = |a: &String| {
        ["/p:", "/property:", "/v:", "/m", "/nologo"]
            .iter()
            .any(|s| a.starts_with(s))
    };
    let one = |a: &String| match switch(a) {
        true => format!("-{}", &a[1..]),
        false => a.clone(),
    };
    arguments.iter().map(one).collect()
}

/// Properties that move files are not followed.
fn plain_properties(words: &Words<'_>) -> Result<(), String> {
    for text in words.values(&["-p:", "--p:", "-property:", "--property:"]) {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let lower = name.to_ascii_lowercase();
        let moves = lower.contains("path") || lower.contains("dir") || lower.contains("file");
        if value.contains(['/', '\\', ';']) || moves || lower.contains("artifacts") {
            return Err(format!("the property {text} is not followed"));
        }
    }
    Ok(())
}

/// The project or solution that is meant.
fn target(
    command: &Command<'_>,
    named: &[&str],
    project: &dyn Project,
) -> Result<Vec<String>, String> {
    let place = named
        .first()
        .map_or_else(|| command.dir.to_owned(), |n| join(command.dir, n));
    if project.is_file(&place) {
        return Ok(vec![place]);
    }
    let files = shared::direct(project, &place);
    let solution = |f: &&String| ends_with(f, ".sln") || ends_with(f, ".slnx");
    let solutions: Vec<&String> = files.iter().filter(solution).collect();
    let projects: Vec<&String> = files.iter().filter(|f| ends_with(f, "proj")).collect();
    match (solutions.len(), projects.len()) {
        (0, 1) | (1, 0 | 1) => Ok(solutions.into_iter().chain(projects).cloned().collect()),
        _ => Err(format!("which project of {place} is meant is not known")),
    }
}

fn graph(
    command: &Command<'_>,
    named: &[&str],
    builds: bool,
    words: &Words<'_>,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let mut graph = Graph::new(project, builds);
    for path in target(command, named, project)? {
        graph.follow(&path, needs)?;
    }
    assume(
        needs,
        "packages.lock.json is left as it is, and no package that is restored looks at the sources",
    );
    assume(
        needs,
        "projects that are referred to later are copied as well",
    );
    if !builds {
        return Ok(());
    }
    for path in &graph.projects {
        let dir = shared::parent(path);
        needs.reads.insert(PathClaim::subtree(dir));
        needs.writes.insert(subtree(dir, "bin"));
        read_upwards(&mut needs.reads, dir, &[".editorconfig", ".globalconfig"]);
        shared::look_at_git(needs, dir);
    }
    for output in words.values(&["-o", "--output", "--artifacts-path"]) {
        let place = join(command.dir, output);
        if graph.projects.iter().any(|p| shared::is_in(p, &place)) {
            return Err(format!("{output} holds a project"));
        }
        needs.writes.insert(PathClaim::subtree(place));
    }
    assume(
        needs,
        "analyzers and build targets of packages read only the projects and what is looked for above them",
    );
    Ok(())
}

/// The manifests of tools.
fn tools(command: &Command<'_>, needs: &mut Needs) {
    for above in shared::upwards(command.dir) {
        for file in [".config/dotnet-tools.json", "dotnet-tools.json"] {
            needs.reads.insert(exact(above, file));
        }
    }
    read_upwards(
        &mut needs.reads,
        command.dir,
        &["nuget.config", "NuGet.config", "NuGet.Config"],
    );
}

/// Sources and settings that options name.
fn sources(command: &Command<'_>, words: &Words<'_>, needs: &mut Needs) {
    for file in words.values(&["--configfile", "--lock-file-path"]) {
        needs.reads.insert(exact(command.dir, file));
    }
    for source in words.values(&["-s", "--source", "--add-source"]) {
        if !source.contains("://") {
            needs.reads.insert(subtree(command.dir, source));
        }
    }
    for packages in words.values(&["--packages"]) {
        needs.writes.insert(subtree(command.dir, packages));
    }
}

/// Folders that NuGet's settings name.
fn configured(project: &dyn Project, needs: &mut Needs) -> Result<(), String> {
    let is_config =
        |c: &&PathClaim| ends_with(name(&c.path), "nuget.config") || ends_with(&c.path, ".config");
    let files: BTreeSet<String> = needs
        .reads
        .iter()
        .filter(is_config)
        .map(|c| c.path.clone())
        .collect();
    for file in files
        .iter()
        .filter(|f| project.is_file(f) && !f.ends_with("packages.config"))
    {
        let text = text(project, file)?;
        let document = parse(file, &text)?;
        for node in document.descendants().filter(|n| n.has_tag_name("add")) {
            let group = node.parent().map_or("", |p| p.tag_name().name());
            let key = node.attribute("key").unwrap_or("").to_ascii_lowercase();
            let value = node.attribute("value").unwrap_or("").replace('\\', "/");
            let folder = matches!(group, "packageSources" | "fallbackPackageFolders")
                && !value.contains("://");
            let kept = matches!(key.as_str(), "globalpackagesfolder" | "repositorypath");
            if (folder || kept) && value.contains('%') {
                return Err(format!("{file} names a folder by a variable"));
            }
            let place = subtree(shared::parent(file), &value);
            if folder {
                needs.reads.insert(place);
            } else if kept {
                needs.writes.insert(place);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
