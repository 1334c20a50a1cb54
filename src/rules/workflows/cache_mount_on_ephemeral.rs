//! Cache mounts of a Dockerfile that is built on fresh machines only.

use super::facts::Runner;
use super::{ci, plan};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Project, Rule};

/// `cache-mount-on-ephemeral`.
pub static RULE: Rule = Rule {
    name: "cache-mount-on-ephemeral",
    severity: Severity::Note,
    summary: "a cache mount is empty in every build, because the workflows build on machines that start anew",
    also: &[],
    check: Check::Project(check),
};

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let ci = ci(project);
    for file in &project.dockerfiles {
        let builds = ci
            .builds
            .iter()
            .filter(|b| b.dockerfiles.iter().any(|d| d == file.path));
        let jobs: Vec<_> = builds.map(|b| ci.job(b)).collect();
        if jobs.is_empty() || jobs.iter().any(|j| j.carries || j.runner != Runner::Fresh) {
            continue;
        }
        let plan = plan(file, None);
        let mounts: Vec<_> = plan
            .order
            .iter()
            .map(|n| &plan.graph[*n])
            .filter(|s| !s.cache_mounts.is_empty())
            .collect();
        let Some(first) = mounts.first() else {
            continue;
        };
        let Some(ins) = file.tree.instructions().get(first.instruction) else {
            continue;
        };
        let flag = ins
            .flags()
            .iter()
            .find(|f| f.name() == "mount" && f.value().is_some_and(|v| v.contains("cache")));
        let span = flag.map_or(ins.keyword_span(), |f| f.raw.span());
        let others = match mounts.len() {
            1 => String::new(),
            2 => ", as is that of 1 other RUN".to_owned(),
            n => format!(", as are those of {} other RUNs", n - 1),
        };
        let message = format!(
            "{} builds this on machines that start anew each time, and no cache export carries a mount: this one is empty there in every build{others}",
            jobs[0].file
        );
        out.at(span, message).in_file(file.path).help(
            "on such machines only layers are cached; to fill mounts too, bring their files along with buildkit-cache-dance, or build on a builder that keeps its disk",
        );
    }
}
