//! What the steps of a stage do to its files, as a list of operations that can be evaluated.
//!
//! Goes in: a plan and a stage. Comes out: [`Op`]s from the bottom up, the base stage's first. Costs
//! one pass over the chain. Invariant: equal programs over equal inputs make equal files; what can't
//! be told (a RUN beyond its footprint, a URL, an archive) is an operation that says so.

use super::inputs::Selection;
use super::members::hash;
use crate::footprint::{Certainty, Derived, Outcome, PathClaim, Pruning};
use crate::plan::{Base, ContentRule, Dest, Input, Plan, Step, StepKind, VOLATILE};
use std::sync::Arc;

/// Longer programs are not followed: stages that copy from one another twice double theirs each time.
const MAX_OPERATIONS: usize = 5000;

/// The files of a stage that one source list of COPY or a mount takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// What made the stage's files.
    pub(super) program: Arc<Vec<Op>>,
    /// Expanded source paths in order.
    pub(super) sources: Vec<String>,
    /// `--exclude` patterns.
    pub(super) excludes: Vec<String>,
    /// Sources are names, wildcard characters and all: those of a mount.
    pub(super) literal: bool,
    /// How the builder digests them.
    pub(super) rule: ContentRule,
}

/// One change of a file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    /// Starts from an image whose files nobody here knows.
    Image(String),
    /// Something that can do anything.
    Anything,
    /// Something that changes these paths only.
    Changes(Vec<PathClaim>),
    /// Something that takes files away: which ones, and where at most.
    Prune(Vec<Pruning>, Vec<PathClaim>),
    /// Something that writes a file which depends on some of the others.
    Derive(Box<Derive>),
    /// COPY or ADD.
    Copy(Copy),
    /// WORKDIR.
    Mkdir {
        /// Absolute and clean.
        path: String,
        /// USER.
        owner: Option<String>,
    },
}

/// A RUN that writes a file which depends on some of the files before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Derive {
    /// Of the RUN and of every step that it stands on.
    pub id: u128,
    /// What it writes, and what of.
    pub derived: Derived,
    /// What steps have taken from the context whose files nobody can follow: that, too, may be in what the RUN finds.
    pub below: Vec<Selection>,
    /// The images that it stands on.
    pub images: Vec<String>,
}

/// COPY or ADD.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Copy {
    pub from: From,
    pub excludes: bool,
    /// Text files among the sources, `(name, content)`.
    pub inline: Vec<(String, String)>,
    /// Absolute and clean.
    pub dest: String,
    pub is_dir: bool,
    pub owner: Option<String>,
    pub mode: Option<String>,
    /// A file that is an archive is unpacked.
    pub unpacks: bool,
}

/// Where a COPY takes its files from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum From {
    /// Only text files.
    Nothing,
    Context(Selection),
    Stage(View),
}

impl View {
    /// The view behind an input of a step, if it is one of a stage's files.
    #[must_use]
    pub fn of(plan: &Plan, rules: usize, step: &Step, input: &Input) -> Option<Self> {
        let Input::Stage {
            stage,
            sources,
            excludes,
            rule,
        } = input
        else {
            return None;
        };
        if plan.builder.chained {
            // Builders that walk what they copy have rules of their own.
            return None;
        }
        Some(Self {
            program: Arc::new(match operations(plan, *stage) > MAX_OPERATIONS {
                true => vec![Op::Anything],
                false => program(plan, rules, *stage),
            }),
            sources: sources.clone(),
            excludes: excludes.clone(),
            literal: step.kind == StepKind::Run,
            rule: *rule,
        })
    }

    /// A source, as written after expansion.
    #[must_use]
    pub fn source(&self, index: usize) -> Option<&str> {
        self.sources.get(index).map(String::as_str)
    }

    /// Normalised references of the images whose files may be among those taken.
    #[must_use]
    pub fn images(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect_images(&mut out);
        out.sort();
        out.dedup();
        out
    }

    fn collect_images(&self, out: &mut Vec<String>) {
        for op in self.program.iter() {
            match op {
                Op::Image(name) => out.push(name.clone()),
                Op::Derive(derive) => out.extend(derive.images.iter().cloned()),
                Op::Copy(Copy {
                    from: From::Stage(view),
                    ..
                }) => view.collect_images(out),
                _ => {}
            }
        }
    }

    /// Every selection of the context that may be among the files.
    pub fn selections(&self, out: &mut Vec<Selection>) {
        for op in self.program.iter() {
            match op {
                Op::Copy(Copy {
                    from: From::Context(s),
                    ..
                }) => out.push(s.clone()),
                Op::Derive(derive) => out.extend(derive.below.iter().cloned()),
                Op::Copy(Copy {
                    from: From::Stage(view),
                    ..
                }) => view.selections(out),
                _ => {}
            }
        }
    }
}

/// What the steps of a stage so far depend on.
#[derive(Default)]
struct Chain {
    /// Digest of their definitions.
    id: u128,
    /// What they take from the context.
    taken: Vec<Selection>,
    /// Images whose files they have.
    images: Vec<String>,
    /// They depend on something else as well.
    open: bool,
    /// The same of the steps up to the last whose files can't be followed.
    below: Option<Vec<Selection>>,
}

impl Chain {
    fn add(&mut self, step: &Step, rules: usize) {
        let parts = [self.id.to_le_bytes(), step.definition.to_le_bytes()];
        self.id = hash(&parts.each_ref().map(|p| &p[..]));
        self.open |= step.volatile || step.forced;
        for input in &step.inputs {
            match input {
                Input::Context(c) => self.taken.push(Selection {
                    input: c.clone(),
                    rules,
                }),
                Input::Image(reference) => {
                    self.id = hash(&[&self.id.to_le_bytes(), reference.as_bytes()]);
                    self.images.push(reference.clone());
                }
                Input::Stage { .. } | Input::Named(_) | Input::Remote(_) => self.open = true,
            }
        }
    }

    /// The step last added leaves what can't be followed.
    fn lose(&mut self) {
        // What the files behind it depend on is told by themselves.
        self.below = (!self.open).then(|| self.taken.clone());
    }
}

/// Operations in the program of a stage, those of the stages that it copies from among them.
fn operations(plan: &Plan, index: usize) -> usize {
    let mut all: Vec<usize> = Vec::with_capacity(index + 1);
    for stage in plan.stages.iter().take(index + 1) {
        let of = |below: usize| all.get(below).copied().unwrap_or(0);
        let mut sum = match stage.base {
            Base::Stage(below) => of(below),
            _ => 1,
        };
        for step in stage.steps.iter().map(|n| &plan.graph[*n]) {
            sum = sum.saturating_add(1);
            for input in &step.inputs {
                if let Input::Stage { stage, .. } = input {
                    sum = sum.saturating_add(of(*stage));
                }
            }
        }
        all.push(sum);
    }
    all.last().copied().unwrap_or(0)
}

fn program(plan: &Plan, rules: usize, index: usize) -> Vec<Op> {
    let mut chain = Chain::default();
    follow(plan, rules, index, &mut chain)
}

fn follow(plan: &Plan, rules: usize, index: usize, chain: &mut Chain) -> Vec<Op> {
    let stage = &plan.stages[index];
    let root = stage.root.map(|n| &plan.graph[n]);
    let mut ops = match &stage.base {
        Base::Stage(base) => follow(plan, rules, *base, chain),
        Base::Scratch => Vec::new(),
        Base::Image(_) | Base::Context(_) => {
            let image = root.and_then(|s| s.inputs.first());
            chain.open |= !matches!(image, Some(Input::Image(_)));
            vec![match image {
                Some(Input::Image(reference)) => Op::Image(reference.clone()),
                _ => Op::Anything,
            }]
        }
    };
    if let Some(root) = root {
        chain.add(root, rules);
        if !matches!(stage.base, Base::Stage(_)) {
            chain.lose();
        }
    }
    if stage.replaced {
        (chain.open, chain.below) = (true, None);
        return vec![Op::Anything];
    }
    for node in &stage.steps {
        let step = &plan.graph[*node];
        if step.kind == StepKind::From {
            continue;
        }
        chain.add(step, rules);
        let op = match step.kind {
            StepKind::From => continue,
            StepKind::Run => run(step, chain),
            StepKind::Workdir => workdir(step),
            StepKind::Copy | StepKind::Add => copy(plan, rules, step),
        };
        if op.is_lost() {
            chain.lose();
        }
        if op == Op::Anything {
            // Nothing before it can be told apart any more.
            ops.clear();
        }
        ops.push(op);
    }
    ops
}

impl Op {
    /// Whether files behind it are not known any more that may have been before.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Image(_) | Self::Anything | Self::Changes(_) | Self::Derive(_) => true,
            Self::Prune(..) | Self::Copy(_) | Self::Mkdir { .. } => false,
        }
    }
}

fn run(step: &Step, chain: &Chain) -> Op {
    let Some(footprint) = step.footprint.as_ref().filter(|f| f.opaque.is_none()) else {
        return Op::Anything;
    };
    let changes = || footprint.changes().claims;
    // What a mount shows is none of the stage's files.
    let plain = step.inputs.is_empty() && step.mount_targets.is_empty() && !step.volatile;
    match &footprint.outcome {
        Some(Outcome::Less(prunings)) if plain => Op::Prune(prunings.clone(), changes()),
        Some(Outcome::File(derived)) if is_apart(step, derived) => match &chain.below {
            Some(below) => Op::Derive(Box::new(Derive {
                id: chain.id,
                derived: derived.clone(),
                below: below.clone(),
                images: chain.images.clone(),
            })),
            None => Op::Anything,
        },
        _ if footprint.certainty == Certainty::Exact => Op::Changes(changes()),
        _ => Op::Anything,
    }
}

/// Whether nothing but the stage's own files is where a RUN looks and writes: mounts are for what it fetches.
fn is_apart(step: &Step, derived: &Derived) -> bool {
    let own = derived.requires.iter().chain([&derived.output]);
    let folders: Vec<PathClaim> = own
        .filter_map(|p| match p.rsplit_once('/')?.0 {
            "" => Some(PathClaim::subtree("/")),
            folder => Some(PathClaim::subtree(folder)),
        })
        .collect();
    let meets = |t: &Option<String>| {
        t.as_ref().is_none_or(|t| {
            let mount = PathClaim::subtree(t.trim_end_matches('/'));
            let over = |f: &PathClaim| f.covers(&mount) || mount.covers(f);
            folders.iter().any(over)
        })
    };
    step.inputs.is_empty() && !step.volatile && !step.mount_targets.iter().any(meets)
}

fn workdir(step: &Step) -> Op {
    match &step.dest {
        Some(Dest {
            path: Some(path),
            owner,
            ..
        }) if !varies(path) && !owner.as_deref().is_some_and(varies) => Op::Mkdir {
            path: path.clone(),
            owner: owner.clone(),
        },
        _ => Op::Anything,
    }
}

/// Whether a text holds an argument that differs in every build.
fn varies(text: &str) -> bool {
    text.contains(VOLATILE)
}

fn copy(plan: &Plan, rules: usize, step: &Step) -> Op {
    let Some(Dest {
        path: Some(path),
        is_dir,
        owner,
        mode,
        ..
    }) = &step.dest
    else {
        return Op::Anything;
    };
    let below = || Op::Changes(vec![PathClaim::subtree(path.clone())]);
    let flags = [owner, mode].into_iter().flatten();
    let texts = flags.chain(step.inline.iter().flat_map(|(name, text)| [name, text]));
    if varies(path) {
        return Op::Anything;
    }
    if texts.into_iter().any(|t| varies(t)) || step.inputs.len() > 1 || step.parents {
        return below();
    }
    let (from, excludes) = match step.inputs.first() {
        None => (From::Nothing, false),
        Some(Input::Context(input)) => {
            let excludes = !input.excludes.is_empty();
            let input = input.clone();
            (From::Context(Selection { input, rules }), excludes)
        }
        Some(stage @ Input::Stage { excludes, .. }) => match View::of(plan, rules, step, stage) {
            Some(view) => (From::Stage(view), !excludes.is_empty()),
            None => return below(),
        },
        Some(Input::Image(_) | Input::Named(_) | Input::Remote(_)) => return below(),
    };
    Op::Copy(Copy {
        from,
        excludes,
        inline: step.inline.clone(),
        dest: path.clone(),
        is_dir: *is_dir,
        owner: owner.clone(),
        mode: mode.clone(),
        unpacks: step.kind == StepKind::Add,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;
    use crate::plan::{BuildOptions, lower};
    use crate::source::SourceFile;

    #[test]
    fn what_doubles_for_ever_is_not_followed() {
        let mut text = "FROM scratch AS s0\nCOPY a /d/\n".to_owned();
        for n in 1..60 {
            let copy = |to: u8| format!("COPY --from=s{} /d /d/{to}\n", n - 1);
            text.push_str(&format!("FROM scratch AS s{n}\n{}{}", copy(1), copy(2)));
        }
        let tree = parse(&SourceFile::new("Dockerfile", text)).tree;
        let plan = lower(&tree, &BuildOptions::default());
        let view = |stage: usize| {
            let step = &plan.graph[*plan.stages[stage].steps.last()?];
            View::of(&plan, 0, step, step.inputs.first()?)
        };
        assert_eq!(view(5).map(|v| v.program.len()), Some(2));
        assert_eq!(
            view(59).map(|v| v.program),
            Some(Arc::new(vec![Op::Anything]))
        );
    }
}
