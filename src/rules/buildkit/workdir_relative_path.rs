//! A relative WORKDIR that starts from wherever the base image is.

use super::on_first_line;
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::Kind;
use crate::plan::Base;
use crate::rules::{Check, Findings, Rule, View};

/// `WorkdirRelativePath`.
pub static RULE: Rule = Rule {
    name: "WorkdirRelativePath",
    severity: Severity::Warning,
    summary: "the first WORKDIR of a stage is relative, so that it depends on the base image where it leads",
    also: &["DL3000"],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for command in view.commands() {
        let (Kind::Workdir(_), [(_, path)]) = (command.ins.kind(), command.words.as_slice()) else {
            continue;
        };
        if command.has_workdir || is_absolute(path) || command.is_unsure {
            continue;
        }
        let image = match view.plan.stages.get(command.stage).map(|s| &s.base) {
            Some(Base::Image(name)) => format!("`{}`", shorten(name)),
            _ => "the base image".to_owned(),
        };
        let message = format!(
            "`{}` is below the directory that {image} starts in",
            shorten(path)
        );
        let span = on_first_line(view, command.place, command.place.keyword_span());
        out.at(span, message)
            .help("write the whole path, from `/` on");
    }
}

/// Also as Windows writes them: whether a stage is for Windows is only known to its image.
fn is_absolute(path: &str) -> bool {
    let drive = path.as_bytes().get(..2);
    path.starts_with(['/', '\\'])
        || drive.is_some_and(|d| d[0].is_ascii_alphabetic() && d[1] == b':')
}
