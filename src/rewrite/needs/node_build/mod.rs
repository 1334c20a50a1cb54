//! A build of a JavaScript project: a script of its own, in one package or in many.
//!
//! Goes in: a command line that runs a script or a program of a package. Comes out: the folders of the packages whose
//! scripts run and of those they ask for, what lies beside and above them, and everything that is named in them and lies
//! elsewhere. Invariant: a program, an option or a file that is not understood is a reason; a folder is read as a whole.

mod calls;
mod facts;
mod names;
mod places;
mod programs;
mod scan;
mod tasks;
mod turbo;
mod workspace;
mod wrapper;

pub use facts::Facts;
pub(super) use wrapper::wrapper;

use super::{Command, Found, Needs, Project, above, join, npm, pnpm, shared, yarn};
use crate::footprint::PathClaim;
use scan::Scan;
use tasks::Tasks;
use workspace::Workspace;

/// Whether a command line runs a script or a program of a package.
pub(super) fn is_build(command: &Command<'_>) -> bool {
    match command.tool {
        "npx" | "turbo" => true,
        tool => calls::of(tool, command.arguments, command.dir).map_or(true, |c| c.is_some()),
    }
}

/// What a build needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let call = calls::of(command.tool, command.arguments, command.dir)?;
    let dir = call.as_ref().map_or(command.dir, |c| c.dir.as_str());
    let ws = Workspace::find(dir, project)?;
    let mut tasks = Tasks::new(&ws, project);
    match &call {
        Some(call) => tasks.call(call, 0)?,
        None => {
            let mut argv = vec![command.tool.to_owned()];
            argv.extend(command.arguments.iter().cloned());
            let own = ws
                .around(dir)
                .ok_or_else(|| format!("{dir} belongs to no package"))?;
            tasks.program(own, &argv, dir, 0)?;
        }
    }
    let mut needs = installed(command, &ws, project)?;
    let mut scan = Scan::new(&ws, project);
    scan.git = tasks.git;
    let alone = ws.packages.len() == 1;
    let own = tasks
        .running
        .iter()
        .copied()
        .filter(|at| *at != 0 || alone || tasks.working.contains(&0));
    scan.take(own.collect::<Vec<_>>())?;
    for path in scan.beside()? {
        scan.file(&path);
    }
    scan.run(&tasks.texts, &tasks.files)?;
    for path in scan.beside()? {
        scan.file(&path);
    }
    scan.whole_folders();
    needs.reads.extend(scan.claims());
    let top = ws.top();
    for name in ["node_modules", ".yarn", ".turbo"] {
        needs.read_tree(join(top, name));
    }
    needs.read_all(top, &[".pnp.cjs", ".pnp.loader.mjs"]);
    for folder in above(top) {
        needs.read_tree(join(folder, "node_modules"));
    }
    if scan.git {
        for place in shared::upwards(top) {
            needs.read_tree(join(place, ".git"));
        }
    }
    // What it makes lies beside what it reads.
    needs.adds = scan.units.iter().map(PathClaim::subtree).collect();
    for name in ["node_modules", ".turbo", ".nx"] {
        needs.adds.insert(PathClaim::subtree(join(top, name)));
    }
    let folders: Vec<&str> = scan
        .units
        .iter()
        .map(|u| u.strip_prefix(top).unwrap_or(u).trim_start_matches('/'))
        .collect();
    needs.assume(format!(
        "the build reads only {} and the files that lie in the folders above, and what those name: one that reaches \
         elsewhere in a later commit fails, it does not go unnoticed",
        match folders.as_slice() {
            [] | [""] => top.to_owned(),
            [one] => format!("the folder {one}"),
            many => format!("the folders {}", many.join(", ")),
        }
    ));
    needs.assume("scripts of package.json that the build does not start are no part of it");
    needs.assume("the build changes and removes no file that is in the repository");
    if !tasks.programs.is_empty() {
        let list: Vec<&str> = tasks.programs.iter().map(String::as_str).collect();
        needs.assume(format!(
            "{} and their plugins look at nothing of the project beyond what they are told",
            list.join(", ")
        ));
    }
    Ok(needs)
}

/// What an install would look at, which a build looks at too: every manifest, the lock file and the settings.
fn installed(command: &Command<'_>, ws: &Workspace, project: &dyn Project) -> Found {
    let arguments: Vec<String> = match ws.manager {
        "yarn" => ["install", "--ignore-scripts", "--mode=skip-build"]
            .map(str::to_owned)
            .to_vec(),
        _ => ["install", "--ignore-scripts"].map(str::to_owned).to_vec(),
    };
    let inner = Command {
        tool: ws.manager,
        arguments: &arguments,
        dir: ws.top(),
        ..*command
    };
    let found = match ws.manager {
        "pnpm" => pnpm::needs(&inner, project)?,
        "yarn" => yarn::needs(&inner, project)?,
        _ => npm::found(&inner, project, false)?,
    };
    let about = |s: &String| !s.contains(" install leaves ");
    Ok(Needs {
        writes: Default::default(),
        assumptions: found.assumptions.into_iter().filter(about).collect(),
        afterwards: None,
        ..found
    })
}

#[cfg(test)]
mod tests;
