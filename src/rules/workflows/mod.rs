//! Cache and output settings in workflows, compose and bake files.

mod bake;
mod cache_mode_min;
mod cache_mount_on_ephemeral;
mod cache_one_sided;
mod cache_scope_clash;
mod command;
mod facts;
mod github;
mod gitlab;
mod image_labels;
mod input;
mod matrix;
mod no_cache_export;
mod output_tag;
mod own;
mod yaml;

use super::{Project, ProjectFile, Rule};
use crate::cost::CostTable;
use crate::footprint::Class;
use crate::plan::{BuildOptions, Plan, Step, lower};
use facts::{Build, Job};

pub(crate) use facts::Ci;
pub(super) use own::is_own_image;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[
    &cache_mode_min::RULE,
    &cache_scope_clash::RULE,
    &cache_mount_on_ephemeral::RULE,
    &no_cache_export::RULE,
    &cache_one_sided::RULE,
    &output_tag::RULE,
    &image_labels::RULE,
];

/// More files than this are not read.
const MAX_FILES: usize = 500;

/// Workflows with more builds than that were written by a program, and nothing is said of them.
const MAX_BUILDS: usize = 1_000;

/// What the workflows of a project say, read once.
fn ci<'p>(project: &'p Project<'_>) -> &'p Ci {
    project.ci.get_or_init(|| {
        let mut out = Ci::default();
        let mut files = project.files.below("");
        files.extend(project.files.below(".github"));
        files.retain(|f| is_workflow(f));
        files.sort_unstable();
        for file in files.iter().take(MAX_FILES) {
            let Some(text) = text_of(project, file) else {
                continue;
            };
            match file.ends_with(".gitlab-ci.yml") {
                true => gitlab::read(project.files, file, &text, &mut out),
                false => github::read(project.files, file, &text, &mut out),
            }
            out.texts.push(text);
            // Rules hold builds against each other.
            if out.builds.len() > MAX_BUILDS {
                return Ci::default();
            }
        }
        out
    })
}

/// The text of a file that says something of docker.
fn text_of(project: &Project<'_>, file: &str) -> Option<String> {
    let text = String::from_utf8(project.files.read(file)?).ok()?;
    text.contains("docker").then_some(text)
}

fn is_workflow(file: &str) -> bool {
    let yaml = file.ends_with(".yml") || file.ends_with(".yaml");
    let direct = |rest: &str| !rest.contains('/');
    let workflow = file.strip_prefix(".github/workflows/").is_some_and(direct);
    let action = file.starts_with(".github/")
        && (file.ends_with("/action.yml") || file.ends_with("/action.yaml"));
    yaml && (workflow || action || matches!(file, "action.yml" | "action.yaml" | ".gitlab-ci.yml"))
}

impl Ci {
    fn job(&self, build: &Build) -> &Job {
        &self.jobs[build.job]
    }
}

/// The Dockerfiles of a project that a build is of.
fn dockerfiles_of<'p, 'a>(project: &'p Project<'a>, build: &Build) -> Vec<&'p ProjectFile<'a>> {
    let named = |f: &&ProjectFile<'_>| build.dockerfiles.iter().any(|d| d == f.path);
    project.dockerfiles.iter().filter(named).collect()
}

/// The steps of a Dockerfile, built for a stage.
fn plan(file: &ProjectFile<'_>, target: Option<&str>) -> Plan {
    let options = BuildOptions {
        target: target.map(str::to_owned),
        ..BuildOptions::default()
    };
    lower(file.tree, &options)
}

/// Whether a step is one that a cache is for.
fn is_dear(step: &Step) -> bool {
    let dear = |c: &Class| matches!(c, Class::SystemPackages | Class::Install | Class::Build);
    step.classes.iter().any(dear)
}

/// The dear steps that a target needs, with the seconds that steps like them take.
fn dear_steps(plan: &Plan) -> Vec<(&Step, f64)> {
    let costs = CostTable::priors();
    let steps = plan.order.iter().map(|n| &plan.graph[*n]);
    let dear = steps.filter(|s| is_dear(s));
    dear.map(|s| (s, costs.of(s).seconds)).collect()
}

/// A step as messages name it: its first words.
fn shown(step: &Step) -> String {
    let text = step
        .name
        .split_once("] ")
        .map_or(step.name.as_str(), |(_, t)| t);
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(50) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}
