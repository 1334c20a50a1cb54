//! What the cache mounts of a step are good for.
//!
//! Goes in: a step. Comes out: the classes of work that find what they kept in its mounts. Costs one look per use of a tool and
//! mount. Invariant: a mount counts for a class only where a tool of that class keeps something there; and only where
//! all that fetch, or all that compile, find theirs.

use super::{Caller, Folder, Holds, Runner, image_of, is_slight, join, kept, objects, runner};
use crate::footprint::{Class, Use, is_below};
use crate::plan::{Plan, Step};

/// How folders of caches end, for uses of which nobody knows where they keep theirs: an author who mounts one there does.
const USUAL: &[(&str, &[&str], &[&str])] = &[
    ("npm", &["/.npm", "/_cacache"], &[]),
    ("yarn", &["/yarn", "/berry/cache", "/.yarn"], &[]),
    ("pnpm", &["/store", "/.pnpm-store", "/pnpm"], &[]),
    ("bun", &["/install/cache", "/.bun"], &[]),
    ("pip", &["/pip", "/.cache"], &[]),
    ("pip3", &["/pip", "/.cache"], &[]),
    ("poetry", &["/pypoetry", "/.cache"], &[]),
    ("uv", &["/uv", "/.cache"], &[]),
    (
        "go",
        &["/pkg/mod", "/pkg", "/go"],
        &["/go-build", "/.cache"],
    ),
    ("cargo", &["/registry", "/.cargo", "/cargo"], &["/target"]),
    ("mvn", &["/.m2", "/repository"], &[]),
    ("gradle", &["/.gradle", "/caches"], &[]),
    ("sbt", &["/.ivy2", "/coursier"], &[]),
    ("dotnet", &["/packages", "/.nuget"], &[]),
    ("composer", &["/composer", "/.composer", "/cache"], &[]),
];

/// The classes of a step whose caches its mounts hold, sorted.
#[must_use]
pub fn filled(plan: &Plan, step: &Step) -> Vec<Class> {
    let targets: Vec<&str> = step
        .cache_targets
        .iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let Some(footprint) = step.footprint.as_ref().filter(|_| !targets.is_empty()) else {
        return Vec::new();
    };
    let image = image_of(plan, step.id.stage as usize).unwrap_or_default();
    let unknown = |why| Runner {
        home: Err(why),
        ids: None,
        assumption: None,
    };
    let runner = runner(plan, step, &image).unwrap_or_else(unknown);
    // Whether each use that fetches, or compiles, finds what it kept.
    let (mut fetched, mut made) = (Vec::new(), Vec::new());
    for used in footprint.uses.iter().filter(|u| !is_slight(u)) {
        let arguments = used.arguments.as_deref().unwrap_or_default();
        let caller = Caller {
            used,
            arguments,
            script: &step.text,
            image: &image,
            runner: &runner,
            project: None,
        };
        let covers = |f: &&Folder| targets.iter().any(|t| is_below(&f.path, t));
        let found = kept(&caller);
        let own = working_folders(used, arguments, found.is_some());
        if !own.is_empty() {
            made.push(own.iter().any(|f| covers(&f)));
        }
        match found {
            Some(Ok(kept)) => {
                let on = kept.off.is_empty();
                for (holds, list) in [
                    (Holds::Downloads, &mut fetched),
                    (Holds::Objects, &mut made),
                ] {
                    let of = |f: &&Folder| f.holds == holds;
                    if kept.folders.iter().any(|f| of(&f)) {
                        list.push(on && kept.folders.iter().filter(of).any(|f| covers(&f)));
                    }
                }
            }
            Some(Err(_)) => {
                let (fetches, makes) = usual(used, &targets);
                fetched.push(fetches);
                made.extend(makes.then_some(true));
            }
            None => {}
        }
    }
    let mut out = Vec::new();
    let all = |list: &[bool]| !list.is_empty() && list.iter().all(|b| *b);
    out.extend(all(&fetched).then_some(Class::Install));
    out.extend(all(&made).then_some(Class::Build));
    out
}

/// Folders of the project that builds keep things in: nothing that a rewrite would hide, but an author may.
fn working_folders(used: &Use, arguments: &[String], fetches: bool) -> Vec<Folder> {
    let Some(dir) = used.dir.as_deref() else {
        return Vec::new();
    };
    match used.tool.as_str() {
        "cargo" if fetches && arguments.first().is_none_or(|a| a != "fetch") => {
            let mut words = arguments.iter();
            let said = words.find(|a| *a == "--target-dir").and(words.next());
            let variable = used.variables.get("CARGO_TARGET_DIR").cloned().flatten();
            let folder = said.cloned().or(variable);
            let folder = folder.unwrap_or_else(|| "target".to_owned());
            vec![objects(match folder.starts_with('/') {
                true => join("/", &folder),
                false => join(dir, &folder),
            })]
        }
        // What is no install is taken for a build.
        "npm" | "yarn" | "pnpm" | "bun" | "npx" | "turbo" if !fetches => [
            "node_modules/.cache",
            ".next/cache",
            ".turbo",
            ".nx/cache",
            ".angular/cache",
        ]
        .iter()
        .map(|f| objects(join(dir, f)))
        .collect(),
        "sbt" => vec![objects(join(dir, "target"))],
        _ => Vec::new(),
    }
}

/// Whether what it fetched and what it compiled is in a mount, by how the targets end.
fn usual(used: &Use, targets: &[&str]) -> (bool, bool) {
    let ends = |list: &[&str]| list.iter().any(|e| targets.iter().any(|t| t.ends_with(e)));
    let known = USUAL.iter().find(|(tool, ..)| *tool == used.tool);
    known.map_or((false, false), |(_, fetched, made)| {
        (ends(fetched), ends(made))
    })
}
