//! Images that are named `latest` and nothing else.

use super::facts::{Build, Item, Tool};
use super::{bake, ci, yaml};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Project, Rule};

/// `output-tag`.
pub static RULE: Rule = Rule {
    name: "output-tag",
    severity: Severity::Warning,
    summary: "an image is published as `latest` alone, so that nobody can name this build of it later",
    also: &[],
    check: Check::Project(check),
};

const HELP: &str = "add a tag that stays, such as the version or the commit's id";

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let ci = ci(project);
    for build in ci.builds.iter().filter(|b| b.pushes && !b.opaque) {
        let job = ci.job(build);
        if !job.renames && only_latest(&build.tags) && !elsewhere(ci.builds.iter(), build) {
            tell(&job.file, &build.tags[0], "is pushed", out);
        }
    }
    if let Some(text) = text_of_bake(project) {
        for target in bake::targets(&text) {
            let tags = target.tags.unwrap_or_default();
            if only_latest(&tags) && !ci.bakes {
                tell("docker-bake.hcl", &tags[0], "is built", out);
            }
        }
    }
    compose(project, out);
}

fn text_of_bake(project: &Project<'_>) -> Option<String> {
    String::from_utf8(project.files.read("docker-bake.hcl")?).ok()
}

fn tell(file: &str, tag: &Item, what: &str, out: &mut Findings<'_>) {
    let message = format!(
        "`{}` {what} under no other tag: the next build takes its name, and nobody can go back to this one",
        tag.text
    );
    out.at(tag.span, message).in_file(file).help(HELP);
}

/// Whether another build of the same job gives the same image another name.
fn elsewhere<'b>(mut all: impl Iterator<Item = &'b Build>, build: &Build) -> bool {
    all.any(|b| {
        b.job == build.job
            && b.what == build.what
            && !only_latest(&b.tags)
            && b.tool != Tool::Docker
    })
}

fn only_latest(tags: &[Item]) -> bool {
    !tags.is_empty() && tags.iter().all(is_latest)
}

/// The tag is `latest`, or there is none; the name before it may be anything.
fn is_latest(item: &Item) -> bool {
    let value = item.value.as_str();
    if value.contains('\n') || value.contains('@') || value.starts_with("type=") {
        return false;
    }
    if let Some(name) = value.strip_suffix(":latest") {
        return !name.is_empty();
    }
    // Without a tag only where all of it is written.
    let last = value.rsplit('/').next().unwrap_or_default();
    !item.is_open() && !last.contains([':', ',']) && !last.is_empty()
}

const COMPOSE: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

fn compose(project: &Project<'_>, out: &mut Findings<'_>) {
    let Some(file) = COMPOSE.into_iter().find(|f| project.files.is_file(f)) else {
        return;
    };
    let Some(text) = project
        .files
        .read(file)
        .and_then(|b| String::from_utf8(b).ok())
    else {
        return;
    };
    let Some(tree) = yaml::parse(&text) else {
        return;
    };
    let mut told: Vec<String> = Vec::new();
    for service in tree.get("services").map_or(&[][..], yaml::Yaml::entries) {
        let (Some(_), Some(image)) = (service.value.get("build"), service.value.get("image"))
        else {
            continue;
        };
        let Some(name) = image.text() else { continue };
        let item = Item {
            text: name.to_owned(),
            value: name.to_owned(),
            span: image.span,
        };
        // One that is never pulled is for this machine alone.
        let policy = service.value.text_of("pull_policy");
        let own = policy.is_some_and(|p| p == "never" || p == "build");
        if own || item.is_open() || !is_latest(&item) || told.contains(&item.text) {
            continue;
        }
        told.push(item.text.clone());
        let message = format!(
            "service `{}` builds `{name}` under no other tag than `latest`: the next build takes its name",
            service.key
        );
        out.at(image.span, message)
            .in_file(file)
            .severity(Severity::Note)
            .help("give it a tag that can be set, such as `${TAG:-dev}`");
    }
}
