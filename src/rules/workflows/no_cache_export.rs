//! A build on a fresh machine that neither reads nor writes a cache.

use super::facts::{Build, Ci, Runner, Tool};
use super::{ci, dear_steps, dockerfiles_of, plan, shown};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Project, Rule};

/// `no-cache-export`.
pub static RULE: Rule = Rule {
    name: "no-cache-export",
    severity: Severity::Warning,
    summary: "a build on a machine that starts anew has no cache to read from or to write to, so that every step runs in every build",
    also: &[],
    check: Check::Project(check),
};

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let ci = ci(project);
    for (at, build) in ci.builds.iter().enumerate() {
        let job = ci.job(build);
        let cached = !build.cache_from.is_empty() || !build.cache_to.is_empty();
        let on_purpose = build.opaque || build.cold_by_choice || build.tool == Tool::Docker;
        // Releases are often built from nothing so that they hold no old layers.
        let often = job.triggers.branch || job.triggers.pull_request;
        if cached || on_purpose || !often || job.carries || job.runner != Runner::Fresh {
            continue;
        }
        // On one builder a second build of a file finds what the first one has left.
        let beside = |(i, b): (usize, &Build)| {
            let cached = !b.cache_from.is_empty() || !b.cache_to.is_empty();
            i != at
                && b.job == build.job
                && b.dockerfiles == build.dockerfiles
                && (i < at || cached)
        };
        if ci.builds.iter().enumerate().any(beside) {
            continue;
        }
        let dear = dockerfiles_of(project, build).into_iter().find_map(|file| {
            let target = build
                .target
                .as_deref()
                .filter(|t| !super::facts::is_open(t));
            let plan = plan(file, target);
            let dear = dear_steps(&plan);
            let (longest, _) = dear.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
            let seconds: f64 = dear.iter().map(|(_, s)| s).sum();
            Some((file.path.to_owned(), shown(longest), dear.len(), seconds))
        });
        let Some((path, step, count, seconds)) = dear else {
            continue;
        };
        // Not worth the traffic.
        if seconds < 10.0 {
            continue;
        }
        let others = match count {
            1 => String::new(),
            2 => " and 1 other step".to_owned(),
            n => format!(" and {} other steps", n - 1),
        };
        let runs = if count == 1 { "runs" } else { "run" };
        let message = format!(
            "this build of `{path}` starts on an empty machine without `cache-from`: `{step}`{others} {runs} every time, some {seconds:.0} s as steps of their kinds go"
        );
        let found = out.at(build.span, message).in_file(&job.file);
        found.help(
            "give it `cache-from` and `cache-to` with `mode=max`, of type `gha` or `registry`",
        );
        if let Some((edit, text)) = fix(project, ci, build) {
            found.fix(Safety::Review, vec![FileEdit::insert(edit, text)]);
        }
    }
}

/// The two inputs, in front of the first one.
fn fix(project: &Project<'_>, ci: &Ci, build: &Build) -> Option<(u32, String)> {
    let job = ci.job(build);
    let at = build.inputs?;
    let alone = ci.builds.iter().filter(|b| b.job == build.job).count() == 1;
    let twice = ci.jobs.iter().filter(|j| j.id == job.id).count() > 1;
    // The builder that comes with the machine writes no cache.
    if !alone
        || twice
        || !build.plain
        || !job.uses.iter().any(|u| u == "docker/setup-buildx-action")
    {
        return None;
    }
    let text = project.files.read(&job.file)?;
    let before = text.get(..at as usize)?;
    let indent = before.len() - memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
    let end = if before.ends_with(b"\r\n") || memchr::memmem::find(before, b"\r\n").is_some() {
        "\r\n"
    } else {
        "\n"
    };
    let mut name = job.id.clone();
    for key in &build.chosen_by {
        name.push_str(&format!("-${{{{ matrix.{key} }}}}"));
    }
    let indent = " ".repeat(indent);
    Some((
        at,
        format!(
            "cache-from: type=gha,scope={name}{end}{indent}cache-to: type=gha,mode=max,scope={name}{end}{indent}"
        ),
    ))
}
