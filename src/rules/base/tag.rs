//! A base image without a tag, or with `latest`: each build may start from another one.

use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::plan::Base;
use crate::rules::workflows::is_own_image;
use crate::rules::{Check, Findings, Rule, View};

/// `base-tag`.
pub static RULE: Rule = Rule {
    name: "base-tag",
    severity: Severity::Warning,
    summary: "a base image without a tag, or with the tag `latest`, is another one whenever its makers publish",
    also: &["DL3006", "DL3007"],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let image_stages = view.image_stages();
    for (index, stage) in view.plan.stages.iter().enumerate() {
        let Base::Image(reference) = &stage.base else {
            continue;
        };
        let Some(ins) = view.tree.instructions().get(stage.from) else {
            continue;
        };
        let Kind::From { image, .. } = ins.kind() else {
            continue;
        };
        // A digest says which image it is, whatever the tag says.
        if reference.is_empty()
            || reference.contains('@')
            || image.contains('$')
            || super::is_local(reference)
        {
            continue;
        }
        // The project's own: whoever builds it decides what `latest` is.
        if is_own_image(view.project, reference) {
            continue;
        }
        let name = reference.rsplit('/').next().unwrap_or(reference);
        let message = match name.split_once(':') {
            None => format!("`{reference}` has no tag, so it means `{reference}:latest`"),
            Some((_, "latest")) => {
                format!("`{reference}` is another image whenever its makers publish one")
            }
            Some(_) => continue,
        };
        let own = image_stages.contains(&index);
        let severity = if own { RULE.severity } else { Severity::Note };
        out.at(image.span(), message)
            .severity(severity)
            .help("name a version, such as the one that the image has today");
    }
}
