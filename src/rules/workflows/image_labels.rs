//! A published image that does not say where it comes from.

use super::facts::{Build, Ci};
use super::{bake, ci};
use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::rules::{Check, Findings, Project, ProjectFile, Rule};

/// `image-labels`.
pub static RULE: Rule = Rule {
    name: "image-labels",
    severity: Severity::Note,
    summary: "an image is published without labels that say which source it was built from",
    also: &[],
    check: Check::Project(check),
};

const PREFIX: &str = "org.opencontainers.image.";
/// What is asked for where nothing is set.
const REQUIRED: &str = "org.opencontainers.image.source";

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let ci = ci(project);
    let required = project.settings.list(&RULE, "required");
    for file in project.dockerfiles.iter().filter(|f| !is_for_tests(f.path)) {
        let builds: Vec<&Build> = publishing(ci, file).collect();
        let Some(first) = builds.first() else {
            continue;
        };
        // Whoever labels in the workflow labels there.
        if builds.iter().any(|b| b.labelled || b.opaque) || labelled_by_bake(project) {
            continue;
        }
        let labels = labels(file);
        let missing: Vec<&str> = match required {
            Some(list) => list
                .iter()
                .map(String::as_str)
                .filter(|r| !labels.contains(&(*r).to_owned()))
                .collect(),
            None if labels
                .iter()
                .any(|l| l.starts_with(PREFIX) || l.starts_with("org.label-schema.")) =>
            {
                Vec::new()
            }
            None => vec![REQUIRED],
        };
        if missing.is_empty() {
            continue;
        }
        let from = file
            .tree
            .instructions()
            .iter()
            .rev()
            .find(|i| matches!(i.kind(), Kind::From { .. }));
        let Some(from) = from else { continue };
        let message = format!(
            "{} publishes this image, and it has no label `{}`",
            ci.job(first).file,
            missing.join("`, `")
        );
        out.at(from.keyword_span(), message).in_file(file.path).help(
            "add a LABEL as the last instruction, or give the build the labels of docker/metadata-action: neither makes a step, so no cache is lost",
        );
    }
}

/// Images that are pushed for other jobs to start from.
fn is_for_tests(path: &str) -> bool {
    let lower = path.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|w| {
        matches!(
            w,
            "test" | "tests" | "testing" | "ci" | "dev" | "devcontainer" | "e2e"
        )
    })
}

fn publishing<'c>(ci: &'c Ci, file: &ProjectFile<'_>) -> impl Iterator<Item = &'c Build> {
    let path = file.path.to_owned();
    ci.builds
        .iter()
        .filter(move |b| b.pushes && b.dockerfiles.contains(&path))
}

fn labelled_by_bake(project: &Project<'_>) -> bool {
    let text = project
        .files
        .read("docker-bake.hcl")
        .and_then(|b| String::from_utf8(b).ok());
    text.is_some_and(|t| bake::targets(&t).iter().any(|t| t.labelled))
}

fn labels(file: &ProjectFile<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for ins in file.tree.instructions() {
        if let Kind::Label(pairs) = ins.kind() {
            out.extend(
                pairs
                    .iter()
                    .map(|(k, _)| k.trim_matches(['"', '\'']).to_owned()),
            );
        }
    }
    out
}
