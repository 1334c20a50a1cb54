//! What the cache mounts of a step are good for.
//!
//! Goes in: a step. Comes out: the classes of work that find what they kept in its mounts. Costs one look per use of a tool and
//! mount. Invariant: a mount counts for a class only where a tool of that class keeps something there.

use super::{Caller, Holds, Kept, Runner, image_of, join, kept, runner};
use crate::footprint::{Class, Use, is_below};
use crate::plan::{Plan, Step};
use crate::rewrite::caches::{downloads, objects};

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
    let mut out = Vec::new();
    for used in &footprint.uses {
        let Some(arguments) = used.arguments.as_deref() else {
            usual(used, &targets, &mut out);
            continue;
        };
        let caller = Caller {
            used,
            arguments,
            script: &step.text,
            image: &image,
            runner: &runner,
            project: None,
        };
        let covers = |path: &str| targets.iter().any(|t| is_below(path, t));
        let mut folders = working_folders(used, arguments);
        match kept(&caller) {
            Some(Ok(Kept {
                folders: own, off, ..
            })) if off.is_empty() => folders.extend(own),
            Some(Err(_)) => usual(used, &targets, &mut out),
            _ => {}
        }
        for folder in folders.iter().filter(|f| covers(&f.path)) {
            out.push(match folder.holds {
                Holds::Downloads => Class::Install,
                Holds::Objects => Class::Build,
            });
        }
    }
    out.sort();
    out.dedup();
    out
}

/// Folders of the project that builds keep things in: nothing that a rewrite would hide, but an author may.
fn working_folders(used: &Use, arguments: &[String]) -> Vec<super::Folder> {
    let Some(dir) = used.dir.as_deref() else {
        return Vec::new();
    };
    match used.tool.as_str() {
        "cargo" => {
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
        "npm" | "yarn" | "pnpm" | "bun" | "npx" | "turbo" => [
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
        "gradle" => vec![objects(join(dir, ".gradle"))],
        "bundle" => vec![downloads("/usr/local/bundle".to_owned())],
        _ => Vec::new(),
    }
}

/// By how the targets end.
fn usual(used: &Use, targets: &[&str], out: &mut Vec<Class>) {
    let known = USUAL.iter().filter(|(tool, ..)| *tool == used.tool);
    for (_, fetched, made) in known {
        let ends = |list: &[&str]| list.iter().any(|e| targets.iter().any(|t| t.ends_with(e)));
        out.extend(ends(fetched).then_some(Class::Install));
        out.extend(ends(made).then_some(Class::Build));
    }
}
