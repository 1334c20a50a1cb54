//! Where invalidations begin: which step made which others run, over all builds.
//!
//! Goes in: the builds. Comes out: for every step, the steps at which the chain begins and in how many builds. Linear in the causes.

use super::super::detail::{Detail, DetailBuild, State};
use super::super::model::TargetReport;
use super::super::number::count;
use super::super::wording::stage_and_instruction;
use super::safe;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// For every step: the step where it began, and builds; most often first.
pub fn roots(d: &Detail) -> Vec<Vec<(usize, usize)>> {
    let mut sums: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new(); d.steps.len()];
    for build in d.builds.iter().filter(|b| b.state == State::Counted) {
        for (step, root) in of_build(build) {
            *sums[step].entry(root).or_default() += 1;
        }
    }
    let sorted = |m: BTreeMap<usize, usize>| {
        let mut list: Vec<(usize, usize)> = m.into_iter().collect();
        list.sort_by_key(|(step, n)| (std::cmp::Reverse(*n), *step));
        list
    };
    sums.into_iter().map(sorted).collect()
}

/// Steps that are not cached, each with the step at which the chain of causes begins.
pub fn of_build(build: &DetailBuild) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = Vec::with_capacity(build.causes.len());
    for cause in &build.causes {
        // Causes stand in the order of steps, so what it follows from is in the list.
        let root = match cause.because_of {
            Some(before) => {
                let found = out.iter().find(|(step, _)| *step == before);
                found.map_or(before, |(_, root)| *root)
            }
            None => cause.step,
        };
        out.push((cause.step, root));
    }
    out
}

/// `COPY . .` of a step, with a link to its line.
pub fn link(t: &TargetReport, prefix: &str, step: usize) -> Markup {
    let row = &t.steps[step];
    let (_, instruction) = stage_and_instruction(&row.name);
    html! {
        a href={ "#" (prefix) "L" (row.line) } { "line " (row.line) } " "
        code { (safe::short(&brief(instruction), 60)) }
    }
}

/// An instruction without the flags that say little about it.
pub fn brief(instruction: &str) -> String {
    let flag = |w: &&str| w.starts_with("--") && !w.starts_with("--from=");
    let mut words = instruction.split_ascii_whitespace();
    let keyword = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    let flags = rest.iter().take_while(|w| w.starts_with("--")).count();
    let kept = rest[..flags].iter().filter(|w| !flag(w));
    let words = std::iter::once(&keyword).chain(kept).chain(&rest[flags..]);
    words.copied().collect::<Vec<&str>>().join(" ")
}

/// Mean seconds when a step runs, with their range.
pub fn when_it_runs(t: &TargetReport, step: usize) -> (f64, [f64; 2]) {
    let s = &t.steps[step];
    // In proportion: nothing is known of the range with a filled mount.
    let scale = match s.cost_s > 0.0 {
        true => s.run_s / s.cost_s,
        false => 1.0,
    };
    (s.run_s, s.cost_interval.map(|n| n * scale))
}

/// `src/ (150 builds)` for what changes most.
pub fn hot_paths(t: &TargetReport, step: usize, most: usize) -> Markup {
    let paths = &t.steps[step].hot_paths;
    html! {
        @for (i, p) in paths.iter().take(most).enumerate() {
            @if i > 0 { ", " }
            code { (safe::short(&p.path, 60)) } " (" (count(p.builds, "build")) ")"
        }
    }
}
