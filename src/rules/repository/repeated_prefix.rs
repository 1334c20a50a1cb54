//! Dockerfiles that begin with the same dear steps.

use super::{generated, is_own_file};
use crate::cost::CostTable;
use crate::diagnostic::Severity;
use crate::dockerfile::{Instruction, Kind};
use crate::footprint::Class;
use crate::plan::{Base, BuildOptions, Plan, lower};
use crate::rules::{Check, Findings, Project, ProjectFile, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};

/// `repeated-prefix`.
pub static RULE: Rule = Rule {
    name: "repeated-prefix",
    severity: Severity::Note,
    summary: "Dockerfiles begin with the same steps, which builders that share no store run once for each",
    also: &[],
    check: Check::Project(check),
};

/// Instructions that have to be the same, FROM included.
const LEAST: usize = 3;
/// Seconds that steps like them have to take.
const LEAST_SECONDS: f64 = 10.0;

/// One beginning of one stage.
struct Start {
    file: usize,
    stage: usize,
    /// Instructions, FROM included.
    length: usize,
    seconds: f64,
}

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let mut groups: BTreeMap<u64, Vec<Start>> = BTreeMap::new();
    for (at, file) in project.dockerfiles.iter().enumerate() {
        let made = generated::made_from(project.files, file.path, file.source, file.tree).is_some();
        if !is_own_file(file.path) || made {
            continue;
        }
        let plan = lower(file.tree, &BuildOptions::default());
        for stage in 0..plan.stages.len() {
            starts(file, &plan, at, stage, &mut groups);
        }
    }
    let mut groups: Vec<Vec<Start>> = groups.into_values().collect();
    // One Dockerfile may be there once for each target that is built from it.
    let path = |s: &Start| project.dockerfiles[s.file].path;
    groups.retain(|g| g.iter().map(path).collect::<BTreeSet<_>>().len() > 1);
    groups.sort_by_key(|g| (std::cmp::Reverse(g[0].length), g[0].file, g[0].stage));
    let mut told: BTreeSet<(usize, usize)> = BTreeSet::new();
    for group in groups {
        let members: BTreeSet<(usize, usize)> = group.iter().map(|s| (s.file, s.stage)).collect();
        if members.iter().any(|m| told.contains(m)) {
            continue;
        }
        told.extend(members);
        tell(project, &group, out);
    }
}

/// Every beginning of a stage that ends with a dear step; that of the stages that it starts from is part of it.
fn starts(
    file: &ProjectFile<'_>,
    plan: &Plan,
    at: usize,
    stage: usize,
    groups: &mut BTreeMap<u64, Vec<Start>>,
) {
    let chain = chain(plan, stage);
    let Some(bottom) = chain.last().map(|s| &plan.stages[*s]) else {
        return;
    };
    let Base::Image(image) = &bottom.base else {
        return;
    };
    if image.is_empty() || image.contains('$') {
        return;
    }
    let mut hasher = rustc_hash::FxHasher::default();
    (image, &bottom.platform).hash(&mut hasher);
    let costs = CostTable::priors();
    let (mut seconds, mut length) = (0.0, 1);
    for facts in chain.iter().rev().map(|s| &plan.stages[*s]) {
        for index in facts.from + 1..facts.end {
            let ins = file.tree.instructions().at(index);
            // Files of two contexts may differ, and nobody looks.
            let takes = matches!(ins.kind(), Kind::Copy(_) | Kind::Add(_) | Kind::Invalid);
            if takes || mounts_files(ins) {
                return;
            }
            length += 1;
            ins.original().to_string().hash(&mut hasher);
            ins.heredocs().iter().for_each(|d| d.body.hash(&mut hasher));
            let mut steps = facts.steps.iter().map(|s| &plan.graph[*s]);
            let Some(step) = steps.find(|s| s.instruction == index) else {
                continue;
            };
            seconds += costs.of(step).seconds;
            let dear =
                |c: &Class| matches!(c, Class::SystemPackages | Class::Install | Class::Build);
            if step.classes.iter().any(dear) && length >= LEAST && seconds >= LEAST_SECONDS {
                groups.entry(hasher.finish()).or_default().push(Start {
                    file: at,
                    stage,
                    length,
                    seconds,
                });
            }
        }
    }
}

/// A stage and the stages that it starts from, itself first.
fn chain(plan: &Plan, stage: usize) -> Vec<usize> {
    let mut out = vec![stage];
    while let Some(Base::Stage(below)) = out
        .last()
        .and_then(|s| plan.stages.get(*s))
        .map(|s| &s.base)
    {
        if out.contains(below) {
            break;
        }
        out.push(*below);
    }
    out
}

/// Whether a RUN sees files of the context or of a stage.
fn mounts_files(ins: Instruction<'_>) -> bool {
    let mounts = ins.flags().iter().filter(|f| f.name() == "mount");
    mounts.into_iter().any(|f| {
        let value = f.value().unwrap_or_default();
        !["type=cache", "type=secret", "type=ssh", "type=tmpfs"]
            .iter()
            .any(|t| value.contains(t))
    })
}

fn tell(project: &Project<'_>, group: &[Start], out: &mut Findings<'_>) {
    let paths: BTreeSet<&str> = group
        .iter()
        .map(|s| project.dockerfiles[s.file].path)
        .collect();
    let first = &group[0];
    let file = &project.dockerfiles[first.file];
    let others: Vec<&str> = paths.iter().copied().filter(|p| *p != file.path).collect();
    let named: Vec<String> = others.iter().take(3).map(|p| format!("`{p}`")).collect();
    let more = match others.len().saturating_sub(3) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let plan = lower(file.tree, &BuildOptions::default());
    let Some(from) = plan
        .stages
        .get(first.stage)
        .and_then(|s| file.tree.instructions().get(s.from))
    else {
        return;
    };
    let message = format!(
        "the first {} instructions that this stage is made of, some {:.0} s as steps of their kinds go, are those of {}{more} too: builders that share no store run them once for each",
        first.length,
        first.seconds,
        named.join(", ")
    );
    out.at(from.keyword_span(), message).in_file(file.path).help(
        "make them one stage of one Dockerfile with a target for each image, or an image of its own; a single builder with one store shares equal steps already",
    );
}
