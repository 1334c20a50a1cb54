//! Which steps another version of a Dockerfile makes dearer or cheaper, and why.
//!
//! Goes in: the steps of both versions over the same builds, and which was which. Comes out: those whose seconds differ, the largest difference first,
//! each with a sentence. Linear but for the sort. Invariant: a sentence says what the rows hold; the caller escapes it.

use super::model::{HotPath, StepChange, StepRow};
use super::number::{count, seconds};
use super::wording::stage_and_instruction;

/// A difference that is less is rounding, in seconds a build.
const LEAST_S: f64 = 0.005;

/// The differences; `was[i]` is the position in `before` of what step `i` of `after` was.
#[must_use]
pub fn of(before: &[StepRow], after: &[StepRow], was: &[Option<usize>]) -> Vec<StepChange> {
    let mut out = Vec::new();
    for (step, old) in after.iter().zip(was) {
        let old = old.and_then(|i| before.get(i));
        let from = old.map_or(0.0, |o| o.work_s_per_build);
        let why = match old {
            None => appeared(step, after),
            Some(o) => changed((o, before), (step, after)),
        };
        out.push(StepChange {
            step: Some(step.id.clone()),
            base_step: old.map(|o| o.id.clone()),
            name: step.name.clone(),
            line: Some(step.line),
            before_s_per_build: from,
            after_s_per_build: step.work_s_per_build,
            why,
        });
    }
    for (i, old) in before.iter().enumerate() {
        if was.contains(&Some(i)) {
            continue;
        }
        out.push(StepChange {
            step: None,
            base_step: Some(old.id.clone()),
            name: old.name.clone(),
            line: None,
            before_s_per_build: old.work_s_per_build,
            after_s_per_build: 0.0,
            why: format!("gone (it was line {})", old.line),
        });
    }
    let size = |c: &StepChange| (c.after_s_per_build - c.before_s_per_build).abs();
    out.retain(|c| size(c) >= LEAST_S);
    out.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.line.cmp(&b.line)));
    out
}

/// The step that makes another one run most often.
fn root<'a>(step: &StepRow, all: &'a [StepRow]) -> Option<(&'a StepRow, usize)> {
    let most = step.roots.first()?;
    let row = all.iter().find(|s| s.id == most.step)?;
    Some((row, most.builds))
}

fn paths(list: &[HotPath]) -> String {
    let shown: Vec<&str> = list.iter().take(3).map(|p| p.path.as_str()).collect();
    shown.join(", ")
}

/// Why a step of which there was none before runs.
fn appeared(step: &StepRow, all: &[StepRow]) -> String {
    let runs = step.executed + step.maybe;
    let mut out = format!("new: runs in {}", count(runs, "build"));
    if step.direct >= step.inherited && !step.hot_paths.is_empty() {
        out.push_str(&format!(" because of {}", paths(&step.hot_paths)));
    } else if let Some((root, _)) = root(step, all) {
        out.push_str(&format!(" behind line {}", root.line));
    }
    out
}

/// What is otherwise with a step that was there before.
fn changed((old, before): (&StepRow, &[StepRow]), (new, after): (&StepRow, &[StepRow])) -> String {
    let mut parts = Vec::new();
    let (was, is) = (old.executed + old.maybe, new.executed + new.maybe);
    if was != is {
        parts.push(format!("runs in {} instead of {was}", count(is, "build")));
    }
    if new.direct > old.direct {
        let of = |p: &&HotPath| {
            let same = old.hot_paths.iter().find(|o| o.path == p.path);
            same.is_none_or(|o| p.builds > o.builds)
        };
        let more: Vec<HotPath> = new.hot_paths.iter().filter(of).cloned().collect();
        if !more.is_empty() {
            parts.push(format!("its own changes count more: {}", paths(&more)));
        }
    } else if new.direct < old.direct {
        parts.push(format!(
            "its own inputs change in {} instead of {}",
            count(new.direct, "build"),
            old.direct
        ));
    }
    match (root(old, before), root(new, after)) {
        (Some((o, _)), Some((n, builds))) if new.inherited > old.inherited => {
            let moved = stage_and_instruction(&o.name).1 != stage_and_instruction(&n.name).1;
            let behind = format!("behind line {} in {}", n.line, count(builds, "build"));
            parts.push(match moved {
                true => format!(
                    "{behind}, no longer behind {}",
                    stage_and_instruction(&o.name).1
                ),
                false => behind,
            });
        }
        (None, Some((n, builds))) => {
            parts.push(format!(
                "now behind line {} in {}",
                n.line,
                count(builds, "build")
            ));
        }
        (Some((o, _)), _) if new.inherited < old.inherited => {
            let behind = stage_and_instruction(&o.name).1;
            parts.push(format!(
                "behind `{behind}` and others in {} instead of {}",
                count(new.inherited, "build"),
                old.inherited
            ));
        }
        _ => {}
    }
    if seconds(old.cost_s) != seconds(new.cost_s) {
        parts.push(format!(
            "takes {} instead of {} when it runs",
            seconds(new.cost_s),
            seconds(old.cost_s)
        ));
    }
    if parts.is_empty() {
        parts
            .push("what cache mounts keep, or sharing with another stage, is otherwise".to_owned());
    }
    parts.join("; ")
}
