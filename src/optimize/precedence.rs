//! Which instructions of a stage may change places, and why.
//!
//! Goes in: the plan and footprints. Comes out: for every pair of instructions either a reason to
//! keep their order or what makes them commute. Cost: O(pairs · claims). Invariant: what is not
//! understood keeps its place; a pair that commutes names what that rests on.

use crate::dockerfile::{Dockerfile, Flag, Instruction, Kind, variables};
use crate::footprint::{Certainty, Extent, PathClaim, PathSet};
use crate::pattern::{SourceKind, SourcePattern};
use crate::plan::{Input, Plan, Stage, Step, StepKind};
use petgraph::graph::NodeIndex;

/// How two instructions of a stage stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The first must stay first.
    Keep(String),
    /// They may change places.
    Commute {
        /// How sure that is.
        certainty: Certainty,
        /// What it rests on, when not exact.
        assumptions: Vec<String>,
    },
}

impl Relation {
    fn keep(why: impl Into<String>) -> Self {
        Self::Keep(why.into())
    }

    fn free() -> Self {
        Self::Commute {
            certainty: Certainty::Exact,
            assumptions: Vec::new(),
        }
    }
}

/// One instruction of a stage, FROM left out.
pub struct Item<'a> {
    /// Index into the file's instructions.
    pub at: usize,
    /// The instruction.
    pub instruction: &'a Instruction,
    /// Its step, where it makes one.
    pub step: Option<(NodeIndex, &'a Step)>,
    /// Working directory it runs in, where known: a WORKDIR before it made it.
    pub cwd: Option<&'a str>,
}

/// The instructions of a stage in order.
#[must_use]
pub fn items<'a>(file: &'a Dockerfile, plan: &'a Plan, stage: &Stage) -> Vec<Item<'a>> {
    let step_at = |at: usize| {
        let mut steps = stage.steps.iter().copied();
        steps.find(|n| plan.graph[*n].instruction == at && plan.graph[*n].kind != StepKind::From)
    };
    (stage.from + 1..stage.end)
        .map(|at| Item {
            at,
            instruction: &file.instructions[at],
            step: step_at(at).map(|n| (n, &plan.graph[n])),
            cwd: plan
                .states
                .get(at)
                .and_then(Option::as_ref)
                .and_then(|s| s.cwd.as_deref()),
        })
        .collect()
}

/// Whether a context path is a plain file today; `None` when that can't be told.
pub type IsFile<'a> = &'a dyn Fn(&str) -> Option<bool>;

/// How `a`, which stands first, and `b` stand to each other.
#[must_use]
pub fn relation(a: &Item<'_>, b: &Item<'_>, escape: char, is_file: IsFile<'_>) -> Relation {
    use Kind::{Add, Arg, Copy, Env, Run, Shell, User, Workdir};
    let (first, second) = (&a.instruction.kind, &b.instruction.kind);
    match (first, second) {
        (Kind::Invalid, _) | (_, Kind::Invalid) => {
            Relation::keep("an instruction is not understood")
        }
        (Run(_), Env(_) | Arg(_) | User(_) | Shell(_) | Workdir(_))
        | (Env(_) | Arg(_) | User(_) | Shell(_) | Workdir(_), Run(_)) => {
            Relation::keep("a RUN sees variables, user, shell and working directory")
        }
        (Copy(_) | Add(_) | Workdir(_), Env(_) | Arg(_)) => uses_variables(b, a, escape),
        (Env(_) | Arg(_), Copy(_) | Add(_) | Workdir(_)) => uses_variables(a, b, escape),
        (Workdir(_), User(_)) | (User(_), Workdir(_)) => {
            Relation::keep("WORKDIR creates its folder as the current user")
        }
        (Workdir(_), Workdir(_)) => Relation::keep("each WORKDIR sets the working directory"),
        (Workdir(_), Copy(t) | Add(t)) if !t.dest.starts_with('/') => {
            Relation::keep("the destination is relative to the working directory")
        }
        (Copy(t) | Add(t), Workdir(_)) if !t.dest.starts_with('/') => {
            Relation::keep("the destination is relative to the working directory")
        }
        (Copy(_) | Add(_) | Run(_) | Workdir(_), Copy(_) | Add(_) | Run(_) | Workdir(_)) => {
            match (a.step, b.step) {
                (Some((_, x)), Some((_, y))) => steps_commute((x, a.cwd), (y, b.cwd), is_file),
                // WORKDIR / makes no step and touches no path.
                _ => Relation::free(),
            }
        }
        // Metadata makes no vertex and is in no key (experiments row 44).
        (Copy(_) | Add(_) | Run(_) | Workdir(_), _)
        | (_, Copy(_) | Add(_) | Run(_) | Workdir(_)) => Relation::free(),
        _ => Relation::keep("image configuration keeps its order"),
    }
}

/// An ENV or ARG and an instruction that may expand one of its names.
fn uses_variables(setter: &Item<'_>, user: &Item<'_>, escape: char) -> Relation {
    let names: Vec<&str> = match &setter.instruction.kind {
        Kind::Env(list) => list.iter().map(|(n, _)| n.as_str()).collect(),
        Kind::Arg(list) => list.iter().map(|(n, _)| n.as_str()).collect(),
        _ => Vec::new(),
    };
    let mut texts: Vec<&str> = vec![&user.instruction.arguments];
    texts.extend(user.instruction.flags.iter().filter_map(Flag::value));
    let heredoc = user.instruction.heredocs.iter().any(|h| h.expand);
    let used = texts
        .iter()
        .flat_map(|t| variables(t, escape))
        .any(|v| names.contains(&v.as_str()));
    if used || heredoc {
        Relation::keep("it expands a variable set there")
    } else {
        Relation::free()
    }
}

/// What a step does to the file system.
struct Effect {
    reads: PathSet,
    writes: PathSet,
    /// Folders it creates where they are missing, and as whom.
    creates: Vec<(String, String)>,
    certainty: Certainty,
    assumptions: Vec<String>,
    run: bool,
}

/// Folders every image has.
const GIVEN: [&str; 12] = [
    "/",
    "/bin",
    "/dev",
    "/etc",
    "/home",
    "/opt",
    "/root",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/local",
    "/var",
];

fn ancestors(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut at = path;
    while let Some((dir, _)) = at.rsplit_once('/') {
        if dir.is_empty() {
            break;
        }
        if !GIVEN.contains(&dir) {
            out.push(dir.to_owned());
        }
        at = dir;
    }
    out
}

fn effect(step: &Step, cwd: Option<&str>, is_file: IsFile<'_>) -> Result<Effect, String> {
    if let Some(footprint) = &step.footprint {
        if let Some(why) = &footprint.opaque {
            return Err(format!("line {}: {why}", step.line));
        }
        // That its working directory exists is certain: WORKDIR made it, and RUN never passes a WORKDIR.
        let given = |c: &PathClaim| {
            c.extent == Extent::Exact
                && cwd.is_some_and(|d| {
                    d == c.path || d.strip_prefix(&c.path).is_some_and(|r| r.starts_with('/'))
                })
        };
        let reads = footprint
            .reads
            .claims
            .iter()
            .filter(|c| !given(c))
            .cloned()
            .collect();
        return Ok(Effect {
            reads: PathSet { claims: reads },
            writes: footprint.writes.clone(),
            creates: Vec::new(),
            certainty: footprint.certainty,
            assumptions: footprint.assumptions.clone(),
            run: true,
        });
    }
    let dest = step.dest.as_ref().ok_or("it writes to an unknown place")?;
    let path = dest
        .path
        .as_deref()
        .ok_or("the base image's working directory decides where it writes")?;
    let mut claims = Vec::new();
    let whole = |p: &str| PathClaim {
        path: p.to_owned(),
        extent: Extent::Subtree,
    };
    if step.kind == StepKind::Workdir {
        claims.push(PathClaim {
            path: path.to_owned(),
            extent: Extent::Exact,
        });
    } else {
        let single_files = step.inputs.iter().all(|i| match i {
            Input::Context(c) => c.sources.iter().all(|s| {
                let p = SourcePattern::lenient(s);
                matches!(p.kind(), SourceKind::Plain(_)) && is_file(p.cleaned()) == Some(true)
            }),
            _ => false,
        });
        match step.inputs.as_slice() {
            [Input::Context(c)] if single_files && dest.is_dir && step.kind == StepKind::Copy => {
                for source in &c.sources {
                    let pattern = SourcePattern::lenient(source);
                    let file = format!("{}/{}", path.trim_end_matches('/'), pattern.base_name());
                    claims.push(PathClaim {
                        path: file,
                        extent: Extent::Exact,
                    });
                }
            }
            _ => claims.push(whole(path)),
        }
    }
    let owner = dest.owner.clone().unwrap_or_else(|| "root".to_owned());
    let mut creates: Vec<String> = ancestors(path);
    if dest.is_dir {
        creates.push(path.to_owned());
    }
    Ok(Effect {
        reads: PathSet::default(),
        writes: PathSet { claims },
        creates: creates.into_iter().map(|p| (p, owner.clone())).collect(),
        certainty: Certainty::Exact,
        assumptions: Vec::new(),
        run: false,
    })
}

fn steps_commute(
    a: (&Step, Option<&str>),
    b: (&Step, Option<&str>),
    is_file: IsFile<'_>,
) -> Relation {
    let (x, y) = match (effect(a.0, a.1, is_file), effect(b.0, b.1, is_file)) {
        (Ok(x), Ok(y)) => (x, y),
        (Err(why), _) | (_, Err(why)) => return Relation::Keep(why),
    };
    for (w, other) in [
        (&x.writes, &y.writes),
        (&x.writes, &y.reads),
        (&x.reads, &y.writes),
    ] {
        if let Some((p, _)) = w.overlaps(other) {
            return Relation::keep(format!("both touch {}", p.path));
        }
    }
    if let Some(path) = creation_conflict(&x, &y).or_else(|| creation_conflict(&y, &x)) {
        return Relation::keep(format!("which of them creates {path} could show"));
    }
    let mut certainty = x.certainty.max(y.certainty);
    let mut assumptions = [x.assumptions.clone(), y.assumptions.clone()].concat();
    let idle = |e: &Effect| e.writes.claims.is_empty();
    if !idle(&x) && !idle(&y) {
        // The base image's links are unknown: two names may be one place.
        certainty = Certainty::Assumed;
        let place = |e: &Effect| {
            e.writes
                .claims
                .first()
                .map_or("/", |c| c.path.as_str())
                .to_owned()
        };
        let name = if x.run { place(&y) } else { place(&x) };
        assumptions.push(format!(
            "no symbolic link in the image leads into or out of {name}"
        ));
    }
    if certainty == Certainty::Exact {
        assumptions.clear();
    }
    assumptions.sort();
    assumptions.dedup();
    Relation::Commute {
        certainty,
        assumptions,
    }
}

/// A folder that `x` creates when missing, as somebody, and that `y` creates otherwise or needs.
fn creation_conflict(x: &Effect, y: &Effect) -> Option<String> {
    for (path, owner) in &x.creates {
        if y.creates.iter().any(|(p, o)| p == path && o != owner) {
            return Some(path.clone());
        }
        let claim = PathSet {
            claims: vec![PathClaim {
                path: path.clone(),
                extent: Extent::Exact,
            }],
        };
        if y.run && (claim.overlaps(&y.writes).is_some() || claim.overlaps(&y.reads).is_some()) {
            return Some(path.clone());
        }
    }
    None
}
