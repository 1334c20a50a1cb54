//! Base images named by a tag alone: on the day it moves, everything that stands on them runs again.

use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::footprint::Class;
use crate::plan::{Base, StepKind};
use crate::rules::workflows::is_own_image;
use crate::rules::{Check, Findings, Rule, View};

/// `base-digest`.
pub static RULE: Rule = Rule {
    name: "base-digest",
    severity: Severity::Note,
    summary: "base images are named by tags alone: when one moves, all steps on it run again, and no commit says so",
    also: &[],
    check: Check::Dockerfile(check),
};

/// What names the images of Docker's official library: its builder wants tags there, and builds again by itself when one moves.
const LIBRARY: &str = "generate-stackbrew-library.sh";

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    if view.project.files.is_file(LIBRARY) {
        return;
    }
    let mut place = None;
    let mut names: Vec<&str> = Vec::new();
    // Stages that stand on one of them.
    let mut moving = vec![false; view.plan.stages.len()];
    let mut steps = 0;
    let mut heavy = false;
    for (index, stage) in view.plan.stages.iter().enumerate() {
        let Base::Image(reference) = &stage.base else {
            continue;
        };
        let Some(Kind::From { image, .. }) =
            view.tree.instructions().get(stage.from).map(|i| i.kind())
        else {
            continue;
        };
        // One without a tag, or with `latest`, has a rule of its own.
        let name = reference.rsplit('/').next().unwrap_or(reference);
        let tagged = name.split_once(':').is_some_and(|(_, tag)| tag != "latest");
        // Whoever gives the parts of the name decides about the digest too.
        let composed = image.contains('$') || super::is_local(reference);
        if !stage.reachable || reference.contains('@') || !tagged || composed {
            continue;
        }
        // Its digest is known only once the commit is built, and following it is what such a file is for.
        if is_own_image(view.project, reference) {
            continue;
        }
        place.get_or_insert(image.span());
        if !names.contains(&reference.as_str()) {
            names.push(reference);
        }
        moving[index] = true;
    }
    // A stage starts from one before it, so what that stands on is known.
    for (index, stage) in view.plan.stages.iter().enumerate() {
        if let Base::Stage(below) = stage.base {
            moving[index] = moving.get(below) == Some(&true);
        }
        if !moving[index] || !stage.reachable {
            continue;
        }
        let all = stage.steps.iter().map(|n| &view.plan.graph[*n]);
        for step in all.filter(|s| s.kind != StepKind::From) {
            steps += 1;
            let much =
                |c: &Class| matches!(c, Class::Install | Class::SystemPackages | Class::Build);
            heavy |= step.classes.iter().any(much);
        }
    }
    let Some(place) = place.filter(|_| heavy) else {
        return;
    };
    let shown: Vec<String> = names.iter().take(3).map(|n| format!("`{n}`")).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let (verb, it, a) = match names.len() {
        1 => ("is", "it", "the"),
        _ => ("are", "one of them", "a"),
    };
    let many = if steps == 1 {
        "step that stands on it runs"
    } else if names.len() == 1 {
        "steps that stand on it run"
    } else {
        "steps that stand on them run"
    };
    let upto = if names.len() == 1 { "" } else { "up to " };
    let message = format!(
        "{}{more} {verb} named by tag alone: when {a} tag moves, {upto}{steps} {many} again, and two builds of one commit may differ",
        shown.join(", ")
    );
    out.at(place, message).help(format!(
        "add the digest behind the tag (`image:tag@sha256:…`) and let a bot raise it: then {it} changes in a commit, and the cache holds in between"
    ));
}
