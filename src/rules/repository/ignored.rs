//! A Dockerfile that an ignore file of git leaves out.

use super::{first_line, generated, is_own_file};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Project, Rule};

/// `dockerfile-ignored`.
pub static RULE: Rule = Rule {
    name: "dockerfile-ignored",
    severity: Severity::Warning,
    summary: "a Dockerfile that a .gitignore leaves out of the repository",
    also: &[],
    check: Check::Project(check),
};

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let Some(git) = project.git else { return };
    for file in project.dockerfiles.iter().filter(|f| is_own_file(f.path)) {
        // What is in the index is in the repository, whatever is ignored.
        let made = generated::made_from(project.files, file.path, file.source, file.tree).is_some();
        if git.is_tracked(file.path) || !git.is_ignored(file.path) || made {
            continue;
        }
        let message = format!(
            "git ignores `{}`: no clone has it, and `git add` passes over it",
            file.path
        );
        out.at(first_line(file), message).in_file(file.path).help(format!(
            "add a line `!{}` behind the one that leaves it out, or ignore it knowingly where a program writes it",
            file.path.rsplit('/').next().unwrap_or(file.path)
        ));
    }
}
