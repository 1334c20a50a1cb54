//! Which instructions of a stage may change places, and why.
//!
//! Goes in: a file, its plan, the context. Comes out: for every pair of instructions of a stage either a
//! reason to keep their order or why they commute. Cost: O(pairs · claims). Invariant: what is not
//! understood keeps its place; a pair that commutes says what that rests on. docs/proofs.md has the theorem.

use super::effect::{self, Around, Effect, Standing};
use super::ground::{BaseImage, Ground, Reach, on_the_way};
use super::traces::{Left, observed};
use crate::dockerfile::{Dockerfile, Flag, Instruction, Kind, variables};
use crate::footprint::{Certainty, Extent, Link, PathClaim, PathSet, steers};
use crate::plan::{Base, Plan, Stage, Step, StepKind};
use crate::rewrite::ContextFiles;
use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;

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
        /// Why: which sets have nothing in common.
        because: String,
    },
}

impl Relation {
    fn keep(why: impl Into<String>) -> Self {
        Self::Keep(why.into())
    }

    fn free(because: impl Into<String>) -> Self {
        Self::Commute {
            certainty: Certainty::Exact,
            assumptions: Vec::new(),
            because: because.into(),
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
    /// What the step does, or why that is not known.
    pub effect: Option<Result<Effect, String>>,
}

impl Item<'_> {
    fn is_opaque(&self) -> bool {
        matches!(self.effect, Some(Err(_)))
    }
}

/// The stages of a file with what their steps do.
pub struct Scene<'a> {
    plan: &'a Plan,
    escape: char,
    bases: Vec<BaseImage>,
    stages: Vec<Vec<Item<'a>>>,
    left: Vec<Left>,
    /// For each stage, the places whose times or order may show.
    observed: Vec<PathSet>,
}

impl<'a> Scene<'a> {
    /// Looks at every stage.
    #[must_use]
    pub fn new(file: &'a Dockerfile, plan: &'a Plan, files: Option<&'a dyn ContextFiles>) -> Self {
        let mut scene = Self {
            plan,
            escape: file.directives.escape,
            bases: Vec::new(),
            stages: Vec::new(),
            left: Vec::new(),
            observed: Vec::new(),
        };
        for stage in &plan.stages {
            let base = match &stage.base {
                Base::Stage(b) => scene.bases[*b].clone(),
                Base::Scratch => BaseImage::Empty,
                Base::Image(name) => {
                    let from = file.instructions.get(stage.from);
                    BaseImage::of(name, from.is_some_and(|f| f.plain_base))
                }
                Base::Context(name) => BaseImage::Unknown(name.clone()),
            };
            let items = scene.items(file, stage, &base, files);
            let left = scene.links_left(stage, &items, &base);
            scene.bases.push(base);
            scene.stages.push(items);
            scene.left.push(left);
        }
        scene.observed = observed(plan, &scene.stages);
        scene
    }

    /// The instructions of a stage in order.
    #[must_use]
    pub fn stage(&self, stage: usize) -> &[Item<'a>] {
        &self.stages[stage]
    }

    fn items(
        &self,
        file: &'a Dockerfile,
        stage: &Stage,
        base: &BaseImage,
        files: Option<&'a dyn ContextFiles>,
    ) -> Vec<Item<'a>> {
        let plan = self.plan;
        let default_user = match base {
            BaseImage::Unknown(name) => format!("the user of {name}"),
            BaseImage::Empty | BaseImage::Plain { .. } => effect::ROOT.to_owned(),
        };
        let links_in = |from: usize, sources: &[String]| self.links_held(from, sources);
        let given = |folder: &str| base.has(folder);
        let around = Around {
            files,
            given: &given,
            links_in: &links_in,
        };
        let one = |at: usize| {
            let mut steps = stage.steps.iter().copied();
            let own = steps.find(|n| {
                plan.graph[*n].instruction == at && plan.graph[*n].kind != StepKind::From
            });
            let step = own.map(|n| (n, &plan.graph[n]));
            let view = plan.states.get(at).and_then(Option::as_ref);
            let standing = Standing {
                cwd: view.and_then(|s| s.cwd.as_deref()),
                user: view.and_then(|s| s.user.as_deref()),
                default_user: &default_user,
            };
            Item {
                at,
                instruction: &file.instructions[at],
                step,
                effect: step.map(|(_, s)| effect::of(s, standing, &around)),
            }
        };
        (stage.from + 1..stage.end).map(one).collect()
    }

    /// The links that steps of a stage, and of those it starts from, may leave.
    fn links_left(&self, stage: &Stage, items: &[Item<'_>], base: &BaseImage) -> Left {
        let mut left = match stage.base {
            Base::Stage(b) => {
                let below = &self.left[b];
                Left {
                    links: below.links.clone(),
                    anywhere_below: below.anywhere_below || below.unknown_from.is_some(),
                    unknown_from: None,
                }
            }
            _ => Left::default(),
        };
        let mut steps = stage.steps.iter();
        left.anywhere_below |= steps.any(|n| self.plan.graph[*n].id.trigger > 0);
        left.unknown_from = items.iter().position(Item::is_opaque);
        let mut carries: Vec<&(PathClaim, PathClaim)> = Vec::new();
        for effect in items.iter().filter_map(|i| i.effect.as_ref()).flatten() {
            left.links.extend(effect.links.iter().cloned());
            carries.extend(&effect.carries);
        }
        // Copies and moves take links along, also those of an unknown step.
        let unknown = left.anywhere_below || left.unknown_from.is_some();
        while !carries.is_empty() {
            let links = &left.links;
            let meets = |from: &PathClaim| {
                let ground = Ground {
                    base,
                    links: Vec::new(),
                };
                let set = PathSet::new(vec![from.clone()]);
                let touched = |l: &Link| {
                    let place = PathSet::new(vec![PathClaim::subtree(&*l.at.path)]);
                    place.overlaps(&set).is_some()
                };
                unknown || ground.reach(from) != Reach::Plain || links.iter().any(touched)
            };
            let (taken, rest): (Vec<_>, Vec<_>) =
                carries.iter().copied().partition(|c| meets(&c.0));
            if taken.is_empty() {
                break;
            }
            let more = taken.iter().map(|(_, to)| Link {
                at: to.clone(),
                to: None,
                hard: false,
                instead: false,
            });
            let more: Vec<Link> = more.collect();
            left.links.extend(more);
            carries = rest;
        }
        left.places_of_links();
        left
    }

    /// The links at or below some paths of a stage that has been looked at, relative to the path.
    fn links_held(&self, stage: usize, sources: &[String]) -> Option<Vec<String>> {
        if stage >= self.stages.len() || self.plan.stages[stage].replaced {
            return None;
        }
        let left = &self.left[stage];
        if left.anywhere_below || left.unknown_from.is_some() {
            return None;
        }
        let ground = Ground {
            base: &self.bases[stage],
            links: left.links.iter().collect(),
        };
        let mut out = Vec::new();
        for source in sources {
            // A wildcard stands for everything in the folder it is in.
            let fixed = source
                .split(['*', '?', '[', '\\'])
                .next()
                .unwrap_or_default();
            let plain = fixed.len() == source.len();
            let path = match plain {
                true => source.as_str(),
                false => fixed.rsplit_once('/').map_or("", |(folder, _)| folder),
            };
            let claim = PathClaim::subtree(crate::pattern::clean(&format!("/{path}")));
            if ground.reach(&claim) != Reach::Plain {
                return None;
            }
            for link in &ground.links {
                if !on_the_way(link, &claim) {
                    continue;
                }
                // One at the path itself, or above it, leads elsewhere.
                let rest = link.at.path.strip_prefix(&*claim.path)?;
                let rest = rest.strip_prefix('/').filter(|r| !r.is_empty())?;
                if !plain || link.at.extent == Extent::Subtree {
                    return None;
                }
                out.push(rest.to_owned());
            }
        }
        Some(out)
    }

    /// How two instructions of a stage stand to each other; `first` stands first.
    #[must_use]
    pub fn relation(&self, stage: usize, first: usize, second: usize) -> Relation {
        use Kind::{Add, Arg, Copy, Env, Run, Shell, User, Volume, Workdir};
        let items = &self.stages[stage];
        let (a, b) = (&items[first], &items[second]);
        match (&a.instruction.kind, &b.instruction.kind) {
            (Kind::Invalid, _) | (_, Kind::Invalid) => {
                Relation::keep("an instruction is not understood")
            }
            (Run(_), Env(_) | Arg(_)) => self.sees_variables(b, a),
            (Env(_) | Arg(_), Run(_)) => self.sees_variables(a, b),
            (Run(_), User(_) | Shell(_) | Workdir(_))
            | (User(_) | Shell(_) | Workdir(_), Run(_)) => {
                Relation::keep("a RUN sees the user, the shell and the working directory")
            }
            (Copy(_) | Add(_) | Workdir(_), Env(_) | Arg(_)) => self.expands(b, a),
            (Env(_) | Arg(_), Copy(_) | Add(_) | Workdir(_)) => self.expands(a, b),
            (Workdir(_), User(_)) | (User(_), Workdir(_)) => {
                Relation::keep("WORKDIR creates its folder as the current user")
            }
            (Workdir(_), Workdir(_)) => Relation::keep("each WORKDIR sets the working directory"),
            (Workdir(_), Copy(t) | Add(t)) | (Copy(t) | Add(t), Workdir(_))
                if !t.dest.starts_with('/') =>
            {
                Relation::keep("the destination is relative to the working directory")
            }
            (Run(_) | Copy(_) | Add(_) | Workdir(_), Volume(_))
            | (Volume(_), Run(_) | Copy(_) | Add(_) | Workdir(_))
                if self.plan.builder.chained =>
            {
                Relation::keep(
                    "this builder drops what is written to a volume after it is declared",
                )
            }
            (Copy(_) | Add(_) | Run(_) | Workdir(_), Copy(_) | Add(_) | Run(_) | Workdir(_)) => {
                match (&a.effect, &b.effect) {
                    (Some(Err(why)), _) | (_, Some(Err(why))) => Relation::keep(why),
                    (Some(Ok(x)), Some(Ok(y))) => self.steps(stage, (first, x), (second, y)),
                    _ => Relation::free("`WORKDIR /` makes no step and touches nothing"),
                }
            }
            // Metadata makes no vertex and is in no key (experiments row 44).
            (Copy(_) | Add(_) | Run(_) | Workdir(_), _)
            | (_, Copy(_) | Add(_) | Run(_) | Workdir(_)) => Relation::free(
                "one only changes the image's configuration, the other only its files",
            ),
            _ => Relation::keep("image configuration keeps its order"),
        }
    }

    /// A variable and a RUN that may look at it.
    fn sees_variables(&self, setter: &Item<'_>, run: &Item<'_>) -> Relation {
        if let keep @ Relation::Keep(_) = self.expands(setter, run) {
            return keep;
        }
        let footprint = run.step.and_then(|(_, s)| s.footprint.as_ref());
        let known = footprint
            .filter(|f| f.opaque.is_none())
            .and_then(|f| f.variables.as_ref());
        let Some(known) = known else {
            return Relation::keep("a command may look at any variable");
        };
        for name in names_set(setter.instruction) {
            if steers(name) || name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH" {
                return Relation::keep(format!("{name} counts for every command"));
            }
            if known.contains(name) {
                return Relation::keep(format!("the command looks at {name}"));
            }
        }
        Relation::free("no command of the RUN looks at the variable")
    }

    /// An ENV or ARG and an instruction that may expand one of its names.
    fn expands(&self, setter: &Item<'_>, user: &Item<'_>) -> Relation {
        let names = names_set(setter.instruction);
        let is_run = matches!(user.instruction.kind, Kind::Run(_));
        let mut texts: Vec<&str> = Vec::new();
        if !is_run {
            texts.push(&user.instruction.arguments);
        }
        texts.extend(user.instruction.flags.iter().filter_map(Flag::value));
        // The heredocs of a RUN are read by its shell.
        let heredoc = !is_run && user.instruction.heredocs.iter().any(|h| h.expand);
        let mut used = texts.iter().flat_map(|t| variables(t, self.escape));
        if heredoc || used.any(|v| names.contains(&v.as_str())) {
            Relation::keep("it expands a variable set there")
        } else if names.contains(&"SOURCE_DATE_EPOCH") {
            Relation::keep("the builder gives files that time")
        } else {
            Relation::free("it does not expand the variable")
        }
    }

    fn steps(&self, stage: usize, a: (usize, &Effect), b: (usize, &Effect)) -> Relation {
        let (x, y) = (a.1, b.1);
        let mut case = Case {
            certainty: x.certainty().max(y.certainty()),
            assumptions: BTreeSet::new(),
        };
        for e in [x, y] {
            case.assumptions.extend(e.assumptions.iter().cloned());
        }
        let left = &self.left[stage];
        let ground = Ground {
            base: &self.bases[stage],
            links: left.links.iter().collect(),
        };
        // What an unknown step behind both leaves is not there yet: it stays behind them.
        let unknown = left.unknown_from.is_some_and(|k| k < a.0.max(b.0));
        let mut known = !left.anywhere_below && !unknown;
        let (x_ground, y_ground) = (ground.without_own(x), ground.without_own(y));
        let mut follow = |ground: &Ground<'_>, set: &PathSet| {
            let (places, all) = ground.follow(set);
            known &= all;
            places
        };
        let mut sets = |e: &Effect, ground: &Ground<'_>| {
            [&e.changes(), &e.writes, &e.reads, &e.programs].map(|set| follow(ground, set))
        };
        let [x_changes, x_writes, x_reads, x_programs] = sets(x, &x_ground);
        let [y_changes, y_writes, y_reads, y_programs] = sets(y, &y_ground);
        for (w, other) in [
            (&x_writes, &y_changes),
            (&x_changes, &y_writes),
            (&x_changes, &y_reads),
            (&x_reads, &y_changes),
        ] {
            if let Some((p, q)) = w.overlaps(other) {
                let place = if p.path.len() > q.path.len() { p } else { q };
                return Relation::keep(format!("both touch {}", place.path));
            }
        }
        for climb in x.climbs.claims.iter().chain(&y.climbs.claims) {
            known &= ground.reach(climb) == Reach::Plain;
            known &= !ground.links.iter().any(|l| on_the_way(l, climb));
        }
        if let Some(path) = folders_clash(x, y) {
            return Relation::keep(format!("which of them creates {path} could show"));
        }
        for (e, programs, changes, other) in [
            (x, &x_programs, &y_changes, y),
            (y, &y_programs, &x_changes, x),
        ] {
            if let Some(path) = leaves_cwd(e, other) {
                return Relation::keep(format!("one runs in {path}, which the other changes"));
            }
            let Some((place, _)) = programs.overlaps(changes) else {
                continue;
            };
            // A package manager may write all of the system.
            if other.certainty() == Certainty::Exact || !other.run {
                return Relation::keep(format!(
                    "one is run with {}, which the other changes",
                    place.path
                ));
            }
            case.assume("installing packages leaves the shell and the basic tools as they are");
        }
        if let Some(id) = x.caches.iter().find(|c| y.caches.contains(c)) {
            return Relation::keep(format!("both use the cache mount {id}"));
        }
        self.places(
            stage,
            &mut case,
            &ground,
            [
                (&x_changes, &y_changes.union(&y_reads).union(&y_programs)),
                (&y_changes, &x_changes.union(&x_reads).union(&x_programs)),
            ],
            known,
        );
        self.watched(stage, &mut case, (a.0, &x_changes), (b.0, &y_changes));
        let because = reason(x, y);
        Relation::Commute {
            certainty: case.certainty,
            assumptions: match case.certainty {
                Certainty::Exact => Vec::new(),
                Certainty::Assumed => case.assumptions.into_iter().collect(),
            },
            because,
        }
    }

    /// Whether names that are apart are places that are apart.
    fn places(
        &self,
        stage: usize,
        case: &mut Case,
        ground: &Ground<'_>,
        sides: [(&PathSet, &PathSet); 2],
        known: bool,
    ) {
        // Where nothing is changed on either side, nothing can meet.
        if sides.iter().all(|(changes, _)| changes.is_empty()) {
            return;
        }
        let base = &self.bases[stage];
        let reach = |set: &PathSet| {
            let all: Vec<Reach> = set.claims.iter().map(|c| ground.reach(c)).collect();
            let any = |r: Reach| all.contains(&r);
            (any(Reach::Anywhere), any(Reach::System))
        };
        let mut open = !known;
        for (changes, other) in sides.iter().filter(|(c, _)| !c.is_empty()) {
            let (anywhere, system) = reach(changes);
            let (other_anywhere, other_system) = reach(other);
            open |= anywhere || other_anywhere || (system && other_system);
        }
        if open {
            let of = match base {
                BaseImage::Unknown(name) => {
                    format!("{name} has the usual folders, and no symbolic link of it")
                }
                BaseImage::Empty | BaseImage::Plain { .. } => "no symbolic link".to_owned(),
            };
            case.assume(&format!(
                "{of} makes one place of two that these steps name"
            ));
        }
    }

    /// Whether a later step may see in which of two orders files were made.
    fn watched(&self, stage: usize, case: &mut Case, a: (usize, &PathSet), b: (usize, &PathSet)) {
        if a.1.is_empty() || b.1.is_empty() {
            return;
        }
        let sees = |set: &PathSet| set.overlaps(a.1).is_some() && set.overlaps(b.1).is_some();
        let unknown = |(k, item): (usize, &Item<'_>)| item.is_opaque() && k > a.0.min(b.0);
        let own = self.stages[stage].iter().enumerate().any(unknown);
        if own || sees(&self.observed[stage]) {
            case.assume(
                "no later command looks at the times of files or at their order in a folder",
            );
        }
    }
}

/// What a pair rests on while it is looked at.
struct Case {
    certainty: Certainty,
    assumptions: BTreeSet<String>,
}

impl Case {
    fn assume(&mut self, sentence: &str) {
        self.certainty = Certainty::Assumed;
        self.assumptions.insert(sentence.to_owned());
    }
}

/// The variables an ENV or ARG sets.
fn names_set(instruction: &Instruction) -> Vec<&str> {
    match &instruction.kind {
        Kind::Env(list) => list.iter().map(|(n, _)| &**n).collect(),
        Kind::Arg(list) => list.iter().map(|(n, _)| &**n).collect(),
        _ => Vec::new(),
    }
}

/// A folder whose owner or mode depends on which of two steps comes first.
fn folders_clash(x: &Effect, y: &Effect) -> Option<String> {
    for m in &x.makes {
        for o in y.makes.iter().filter(|o| o.path == m.path) {
            // What is laid over in any case wins in both orders.
            let decided = m.always != o.always;
            if m.owner != o.owner && !decided {
                return Some(m.path.clone());
            }
        }
    }
    None
}

/// The working directory of `x`, or a folder above it, where `y` changes that.
fn leaves_cwd(x: &Effect, y: &Effect) -> Option<String> {
    let cwd = x.cwd.as_deref()?;
    // Files put there by the builder never take the folder away, and root may enter any.
    if !y.run && x.as_root {
        return None;
    }
    let mut at = cwd;
    loop {
        let folder = PathSet::new(vec![PathClaim::exact(at)]);
        if y.writes.overlaps(&folder).is_some() {
            return Some(at.to_owned());
        }
        at = match at.rsplit_once('/') {
            Some((above, _)) if !above.is_empty() => above,
            _ => return None,
        };
    }
}

/// Claims of a set in a line, the first ones.
fn shown(set: &PathSet) -> String {
    const MOST: usize = 4;
    let one = |c: &PathClaim| match c.extent {
        Extent::Exact => c.path.clone(),
        Extent::Subtree => format!("{}/**", c.path.trim_end_matches('/')),
    };
    let first: Vec<String> = set.claims.iter().take(MOST).map(one).collect();
    let more = set.claims.len().saturating_sub(MOST);
    match (first.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (_, 0) => first.join(" "),
        (_, n) => format!("{} and {n} more", first.join(" ")),
    }
}

/// Which sets have nothing in common.
fn reason(x: &Effect, y: &Effect) -> String {
    let side = |e: &Effect| {
        let reads = match (e.reads.is_empty(), e.run) {
            (true, _) => String::new(),
            (false, _) => format!(", reads {}", shown(&e.reads)),
        };
        format!("changes {}{reads}", shown(&e.changes()))
    };
    format!(
        "one {}; the other {}; nothing that either changes is touched by both",
        side(x),
        side(y)
    )
}
