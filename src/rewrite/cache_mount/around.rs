//! What lies around a RUN that is to get a cache mount: the other steps of its stage, and of those that stand on the same.
//!
//! Goes in: RUNs, and the folders that mounts would cover. Comes out: a reason against it, or the RUNs that need the mounts too.
//! Costs one look at every step and RUN. Invariant: a step that is not understood is a reason, or gets the mounts.

use super::{Mounted, Run, look, mount, runs};
use crate::dockerfile::{Instruction, Kind};
use crate::footprint::{Footprint, PathClaim, is_below};
use crate::plan::{Base, Plan, Step, StepKind};
use crate::rewrite::View;
use crate::rewrite::caches::cleaning::named;
use crate::rewrite::caches::{Folder, image_of, name_of, runner};
use crate::rewrite::flow::bottom;
use crate::rewrite::flow::is_taken;
use crate::rewrite::layout::brought_by;

/// Commands that start no tool of the project, whatever else is not known of their RUN.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "[", "add-apt-repository", "addgroup", "adduser", "apk", "apt", "apt-get", "apt-key", "awk", "base64", "basename", "bundle",
    "cat", "cd", "chmod", "chown", "composer", "corepack", "cp", "curl", "cut", "date", "dirname", "dpkg", "echo", "env", "exit", "export",
    "false", "find", "gem", "git", "gpg", "grep", "groupadd", "head", "id", "install", "ldconfig", "ln", "locale-gen", "ls", "mkdir", "mktemp", "mv",
    "node", "npm", "npx", "pip", "pip3", "pnpm", "printf", "pwd", "rm", "rmdir", "rustup", "sed", "set", "sha256sum", "sort", "tail",
    "tar", "tee", "test", "touch", "tr", "true", "uname", "unzip", "update-ca-certificates", "useradd", "usermod", "wget", "which", "xargs", "yarn", ":",
];

/// Words of commands that move a cache for the steps that follow.
const MOVES: &[&str] = &[
    "config set cache",
    "npm set cache",
    "config set store",
    "config set global.cache",
    "config set install.cache",
    "config cache-dir",
    "config --global cache-dir",
    "config -g cache-dir",
    "set cacheFolder",
    "set enableGlobalCache",
    "set globalFolder",
    "set nodeLinker",
    "go env -w",
];

/// Variables that a later ENV or ARG could move a cache by.
const MOVERS: &[&str] = &[
    "GO",
    "CARGO_",
    "GRADLE_",
    "MAVEN_",
    "JAVA_",
    "NUGET_",
    "DOTNET_",
    "COURSIER_",
    "SBT_",
    "HOME",
    "XDG_",
    "PNPM_",
    "NPM_CONFIG_",
    "npm_config_",
];

/// Whether a stage stands on another, or is it.
fn stands_on(plan: &Plan, stage: usize, below: usize) -> bool {
    let mut at = stage;
    loop {
        if at == below {
            return true;
        }
        match plan.stages[at].base {
            Base::Stage(next) if next < at => at = next,
            _ => return false,
        }
    }
}

/// Refuses what lies around a RUN: files that a mount would hide, steps that look for what it would not leave.
pub(super) fn around(
    view: &View<'_>,
    root: usize,
    mounted: &Mounted<'_, '_>,
    folders: &[Folder],
    own: &[usize],
) -> Result<(), String> {
    let (plan, run) = (view.plan, mounted.run);
    let look = look(run);
    for (index, stage) in plan.stages.iter().enumerate() {
        if bottom(plan, index) != root {
            continue;
        }
        let taken = |f: &&Folder| is_taken(plan, index, &PathClaim::subtree(&*f.path));
        if stands_on(plan, index, run.stage.stage)
            && let Some(folder) = folders.iter().find(taken)
        {
            return Err(format!("{} is copied from the stage", folder.path));
        }
        for step in stage.steps.iter().map(|n| &plan.graph[*n]) {
            if step.id.trigger > 0 {
                return Err("the base image brings triggers along".to_owned());
            }
            match step.kind {
                StepKind::Run => {
                    if let Some(words) = MOVES.iter().find(|m| step.text.contains(**m)) {
                        return Err(format!("line {} has `{words}`", step.line));
                    }
                    let other = !own.contains(&step.instruction);
                    if other && let Some(place) = named(&step.text, folders, &look) {
                        return Err(format!("line {} names {place}", step.line));
                    }
                }
                StepKind::Copy | StepKind::Add => brings(view, step, folders)?,
                StepKind::Workdir | StepKind::From => {}
            }
        }
    }
    match mounted.cleaning.sweeps {
        true => sweeps_alone(view, mounted),
        false => Ok(()),
    }
}

/// Refuses a COPY that puts something into a folder.
fn brings(view: &View<'_>, step: &Step, folders: &[Folder]) -> Result<(), String> {
    let dest = step.dest.as_ref().and_then(|d| d.best());
    for folder in folders {
        let inside = dest.is_none_or(|d| is_below(d, &folder.path));
        let around = dest.is_some_and(|d| is_below(&folder.path, d));
        let claim = PathClaim::subtree(&*folder.path);
        let brought = || brought_by(step, &claim, view.files).is_none_or(|b| !b.is_empty());
        if inside || (around && brought()) {
            return Err(format!(
                "line {} may bring files of {}",
                step.line, folder.path
            ));
        }
    }
    Ok(())
}

/// A clean-up takes away what earlier steps left as well: refuses one behind other uses that leave something.
fn sweeps_alone(view: &View<'_>, mounted: &Mounted<'_, '_>) -> Result<(), String> {
    let run = mounted.run;
    for stage in &view.stages {
        if !stands_on(view.plan, run.stage.stage, stage.stage) {
            continue;
        }
        for line in &stage.lines {
            let earlier = stage.stage != run.stage.stage || line.at < run.step.instruction;
            for (_, other) in runs(view, stage, line).into_iter().filter(|_| earlier) {
                let other = other?;
                let inside =
                    |f: &Folder| mounted.folders.iter().any(|m| is_below(&f.path, &m.path));
                let meets = other.uses.iter().flat_map(|(_, k)| &k.folders).any(inside);
                if meets && !mount(&other)?.cleaning.cleaned {
                    return Err(format!(
                        "the clean-up takes away what line {} left",
                        line.step.map_or(0, |s| s.line)
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Other RUNs that may call the tool in a way that is not seen, behind the first that is: they get the mounts too.
///
/// # Errors
/// One of them may look for the cache in another place.
pub(super) fn helpers<'a>(
    view: &View<'a>,
    root: usize,
    runs: &[&Run<'_>],
    later: bool,
) -> Result<Vec<&'a Step>, String> {
    let mut out = Vec::new();
    if !later {
        return Ok(out);
    }
    let plan = view.plan;
    let tool = runs
        .first()
        .and_then(|r| r.uses.first())
        .map_or("", |(_, k)| k.tool);
    for (index, stage) in plan.stages.iter().enumerate() {
        if bottom(plan, index) != root {
            continue;
        }
        for step in stage.steps.iter().map(|n| &plan.graph[*n]) {
            let behind = |r: &&&Run<'_>| {
                step.instruction > r.step.instruction && stands_on(plan, index, r.stage.stage)
            };
            let (Some(footprint), Some(run)) = (&step.footprint, runs.iter().find(behind)) else {
                continue;
            };
            if runs.iter().any(|r| r.step.instruction == step.instruction) {
                continue;
            }
            if !stage.reachable {
                let uses = footprint.uses.iter().any(|u| name_of(u) == Some(tool));
                if uses {
                    return Err("a stage that is not built uses it too".to_owned());
                }
                continue;
            }
            let silent = footprint.opaque.is_some()
                && !footprint.commands.iter().all(|c| {
                    HARMLESS.contains(&c.as_str()) || is_tool_elsewhere(footprint, c, tool)
                });
            if silent {
                same_place(view, step, run)?;
                out.push(step);
            }
        }
    }
    Ok(out)
}

/// Whether a command is another tool that is known, whose uses are seen.
fn is_tool_elsewhere(footprint: &Footprint, name: &str, tool: &str) -> bool {
    footprint.uses.iter().any(|u| u.tool == name)
        && name != tool
        && !matches!(name, "make" | "turbo" | "bun")
}

/// Whether a RUN runs as the first does: the same user, no variable between that moves a cache.
fn same_place(view: &View<'_>, step: &Step, run: &Run<'_>) -> Result<(), String> {
    let (plan, first) = (view.plan, run.step.instruction);
    let sets = |i: Instruction<'_>| {
        let moves = |n: &str| MOVERS.iter().any(|m| n.starts_with(m));
        match i.kind() {
            Kind::Env(list) => list.iter().any(|(n, _)| moves(&n)),
            Kind::Arg(list) => list.iter().any(|(n, _)| moves(&n)),
            _ => false,
        }
    };
    let before = view.file.instructions().iter().take(step.instruction);
    if before.skip(first).any(sets) {
        return Err(format!("line {} may look elsewhere", step.line));
    }
    let image = image_of(plan, step.id.stage as usize)?;
    match runner(plan, step, &image)? == run.runner {
        true => Ok(()),
        false => Err(format!("line {} runs as another user", step.line)),
    }
}
