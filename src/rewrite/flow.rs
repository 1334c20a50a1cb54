//! Which files of a stage come to the image, and what stages are called.
//!
//! Goes in: a plan, a stage and a path in it. Comes out: whether the file may be part of what the target is. Costs one
//! visit per stage and COPY behind it. Invariant: where it is not clear, it is.

use super::{Line, View};
use crate::dockerfile::{Instruction, Kind};
use crate::footprint::{Extent, PathClaim};
use crate::plan::{Base, Dest, Input, Plan, Stage, Step, StepKind};

/// Stages that files are followed through.
const MAX_DEPTH: usize = 64;

/// Whether what a stage holds at a path may be in the image, or be read through a mount of another stage.
#[must_use]
pub fn reaches_image(plan: &Plan, stage: usize, claim: &PathClaim) -> bool {
    follow(plan, stage, claim, 0, &mut MOST_VISITS.clone())
}

/// Whether any step takes what a stage holds at a path, wherever it brings it.
#[must_use]
pub fn is_taken(plan: &Plan, stage: usize, claim: &PathClaim) -> bool {
    let from_it = |step: &Step| {
        step.inputs.iter().any(|input| match input {
            Input::Stage {
                stage: from,
                sources,
                ..
            } if *from == stage => sources.iter().any(|s| taken(step, s, claim).is_some()),
            _ => false,
        })
    };
    plan.graph.node_weights().any(from_it)
}

/// Stages looked at: a file of many stages that copy from each other has more ways than anybody walks.
const MOST_VISITS: usize = 5000;

fn follow(plan: &Plan, stage: usize, claim: &PathClaim, depth: usize, left: &mut usize) -> bool {
    if stage == plan.target || depth > MAX_DEPTH || *left == 0 {
        return true;
    }
    *left -= 1;
    for (index, other) in plan.stages.iter().enumerate() {
        if index == stage {
            continue;
        }
        if matches!(other.base, Base::Stage(b) if b == stage) {
            // A stage that this target does not need may be another's image.
            if !other.reachable || follow(plan, index, claim, depth + 1, left) {
                return true;
            }
        }
        for node in &other.steps {
            let step = &plan.graph[*node];
            for input in &step.inputs {
                let Input::Stage {
                    stage: from,
                    sources,
                    ..
                } = input
                else {
                    continue;
                };
                if *from != stage {
                    continue;
                }
                let taken = sources.iter().filter_map(|s| taken(step, s, claim));
                for place in taken {
                    let copies = matches!(step.kind, StepKind::Copy | StepKind::Add);
                    if !copies || !other.reachable || follow(plan, index, &place, depth + 1, left) {
                        return true;
                    }
                }
            }
        }
    }
    false
}

/// Whether another stage takes one of these places from a stage, stands on it, or shows it to a command.
#[must_use]
pub fn any_taken(plan: &Plan, stage: usize, places: &[PathClaim]) -> bool {
    let on_it = |s: &crate::plan::Stage| matches!(s.base, Base::Stage(b) if b == stage);
    if plan.stages.iter().any(on_it) {
        return true;
    }
    let mut inputs = plan
        .graph
        .node_weights()
        .flat_map(|s| s.inputs.iter().map(move |i| (s, i)));
    inputs.any(|(step, input)| {
        let Input::Stage {
            stage: from,
            sources,
            ..
        } = input
        else {
            return false;
        };
        let takes = |source: &String| {
            let (claim, _) = place_of(source);
            places.iter().any(|p| {
                claim.covers(p)
                    || (p.extent == Extent::Subtree && p.covers(&claim))
                    || p.path == claim.path
            })
        };
        let copies = matches!(step.kind, StepKind::Copy | StepKind::Add);
        *from == stage && (!copies || sources.iter().any(takes))
    })
}

/// What a source of a COPY from a stage may take, and whether it is a plain path. A wildcard stands for everything in the
/// folder it is in.
#[must_use]
pub fn place_of(source: &str) -> (PathClaim, bool) {
    let fixed = source
        .split(['*', '?', '[', '\\'])
        .next()
        .unwrap_or_default();
    let plain = fixed.len() == source.len();
    let path = match plain {
        true => source,
        false => fixed.rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    let path = crate::pattern::clean(&format!("/{}", path.trim_start_matches('/')));
    (PathClaim::subtree(path), plain)
}

/// Where a source of a COPY from a stage puts what is at a path there; `None` where it does not take it.
fn taken(step: &Step, source: &str, claim: &PathClaim) -> Option<PathClaim> {
    let everywhere = || Some(PathClaim::subtree("/"));
    let (own, whole) = place_of(source);
    let path = own.path.as_str();
    let inside = own.covers(&PathClaim::exact(&*claim.path));
    let around = claim.covers(&PathClaim::exact(path));
    if !inside && !around {
        return None;
    }
    let Some(dest) = step.dest.as_ref().and_then(Dest::best) else {
        return everywhere();
    };
    if !whole || !inside {
        return Some(PathClaim::subtree(dest));
    }
    let rest = claim.path.strip_prefix(path.trim_end_matches('/'))?;
    let place = format!("{}{rest}", dest.trim_end_matches('/'));
    let place = if place.is_empty() {
        "/".to_owned()
    } else {
        place
    };
    Some(match claim.extent {
        // A file by its own name may land in a folder.
        Extent::Exact if !rest.is_empty() => PathClaim::exact(place),
        _ => PathClaim::subtree(dest),
    })
}

/// A name for a new stage that neither a stage nor an image of the file has: this one, or one with a number.
#[must_use]
pub fn free_name(view: &View<'_>, wanted: &str) -> Option<String> {
    let taken = |name: &str| {
        let same = |t: &str| t.trim_matches(['"', '\'']).eq_ignore_ascii_case(name);
        let stage = |s: &Stage| {
            let image = matches!(&s.base, Base::Image(i) if short(i).eq_ignore_ascii_case(name));
            image || s.name.as_deref().is_some_and(same)
        };
        let image = |i: &Input| matches!(i, Input::Image(i) if short(i).eq_ignore_ascii_case(name));
        let written = |i: Instruction<'_>| {
            let from = matches!(i.kind(), Kind::From { image, .. } if same(&image));
            let mount = i.flag_values("mount").any(|m| {
                let mut parts = m.split(',');
                parts.any(|p| p.strip_prefix("from=").is_some_and(same))
            });
            from || mount || i.flag("from").is_some_and(same)
        };
        view.plan.stages.iter().any(stage)
            || view
                .plan
                .graph
                .node_weights()
                .any(|s| s.inputs.iter().any(image))
            || view.file.instructions().iter().any(written)
    };
    let more = (2..9).map(|n| format!("{wanted}-{n}"));
    std::iter::once(wanted.to_owned())
        .chain(more)
        .find(|n| !taken(n))
}

/// An image's name as it may be written, where it has no tag.
fn short(reference: &str) -> &str {
    let name = reference.trim_start_matches("docker.io/library/");
    name.strip_suffix(":latest").unwrap_or(name)
}

/// Whether any of these lines leaves something to be done by whoever stands on them: a stage that is cut there would do it
/// by itself.
#[must_use]
pub fn leaves_triggers(view: &View<'_>, lines: &[Line<'_>]) -> bool {
    let is_trigger =
        |l: &Line<'_>| matches!(view.file.instructions().at(l.at).kind(), Kind::Onbuild(_));
    lines.iter().any(is_trigger)
}

/// Whether a stage that is cut in two before a line loses its CMD: an ENTRYPOINT takes away the one of the image that it stands
/// on, but not that of its own stage (built on BuildKit 0.25).
#[must_use]
pub fn loses_command(view: &View<'_>, lines: &[Line<'_>], cut: usize) -> bool {
    let is = |line: &Line<'_>, kind: fn(&Kind) -> bool| {
        kind(&view.file.instructions().at(line.at).kind())
    };
    let (before, behind) = lines.split_at(cut.min(lines.len()));
    before.iter().any(|l| is(l, |k| matches!(k, Kind::Cmd(_))))
        && behind
            .iter()
            .any(|l| is(l, |k| matches!(k, Kind::Entrypoint(_))))
}

/// Whether a line names a stage by its number, which another stage before it would change.
#[must_use]
pub fn names_stages_by_number(view: &View<'_>) -> bool {
    let number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    view.file.instructions().iter().any(|i| {
        let image = matches!(i.kind(), Kind::From { image, .. } if number(&image));
        let from = i.flag("from").is_some_and(number);
        let mount = i.flag_values("mount").any(|m| {
            let mut parts = m.split(',');
            parts.any(|p| p.strip_prefix("from=").is_some_and(number))
        });
        image || from || mount
    })
}

/// Whether anybody takes folders that tools keep their caches in from a stage: then what is fetched in it shows.
#[must_use]
pub fn shows_caches(plan: &Plan, stage: usize) -> bool {
    const FOLDERS: [&str; 6] = ["/root", "/home", "/go", "/usr/local", "/opt", "/tmp"];
    FOLDERS.iter().any(|top| {
        let inside = PathClaim::exact(format!("{top}/.cacheplan/x"));
        reaches_image(plan, stage, &inside)
    })
}

/// The stage at the bottom of one: itself, or the one that it stands on in the end.
#[must_use]
pub fn bottom(plan: &Plan, stage: usize) -> usize {
    chain(plan, stage).last().unwrap_or(stage)
}

/// A stage, and those that it stands on, from the top down.
pub fn chain(plan: &Plan, stage: usize) -> impl Iterator<Item = usize> + '_ {
    std::iter::successors(Some(stage), |at| match plan.stages[*at].base {
        Base::Stage(below) if below < *at => Some(below),
        _ => None,
    })
}

/// What parts a new stage from the lines before a place: an empty line, where there is none.
#[must_use]
pub fn gap(view: &View<'_>, place: u32) -> &'static str {
    let end = view.source.line_end();
    let before = &view.source.bytes()[..place as usize];
    match before.is_empty() || before.ends_with(format!("{end}{end}").as_bytes()) {
        true => "",
        false => end,
    }
}

/// The flags of an instruction as they are written, each with a blank behind it.
#[must_use]
pub fn flags_of(instruction: Instruction<'_>) -> String {
    let flags = instruction.flags().iter();
    flags.map(|f| format!("{} ", f.raw.as_str())).collect()
}

/// Whether a shell and a Dockerfile take a word as it is.
#[must_use]
pub fn is_plain(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    word.bytes().all(plain)
}
