//! A Dockerfile that git does not have.

use super::{first_line, generated, is_own_file};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Project, Rule};

/// `dockerfile-untracked`.
pub static RULE: Rule = Rule {
    name: "dockerfile-untracked",
    severity: Severity::Warning,
    summary: "a Dockerfile that is not in the repository: no clone has it",
    also: &[],
    check: Check::Project(check),
};

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let Some(git) = project.git else { return };
    for file in project.dockerfiles.iter().filter(|f| is_own_file(f.path)) {
        let made = generated::made_from(project.files, file.path, file.source, file.tree).is_some();
        if git.is_tracked(file.path) || git.is_ignored(file.path) || made {
            continue;
        }
        let message = format!(
            "`{}` is not in the git repository: no clone and no workflow has it, and its changes are kept nowhere",
            file.path
        );
        out.at(first_line(file), message)
            .in_file(file.path)
            .help(format!("`git add {}`", file.path));
    }
}
