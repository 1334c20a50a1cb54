//! Files that one RUN reads and nobody needs afterwards: shown to it in a mount, in place of a COPY.
//!
//! ```text
//! COPY package.json package-lock.json ./        RUN --mount=type=bind,source=package.json,target=package.json \
//! RUN npm ci                               ->       --mount=type=bind,source=package-lock.json,target=package-lock.json \
//! COPY . .                                          npm ci
//!                                               COPY . .
//! ```
//!
//! Precondition: of the lines behind the COPY one RUN has a use for its files, until a later COPY brings the very same ones or,
//! in a stage that is not the image, to its end; that RUN only reads them, since a mount cannot be written to. Safety: assumed.
//! It is looked for once lines are in their best order. Source of the rules: cache keys 3.1 and 4.4 for what such a mount adds to a
//! key, docs/rewrites/bind-mount.md for what the builder leaves of one.

mod reading;

use self::reading::only_reads;
use super::cache_mount::knows;
use super::flow::any_taken;
use super::layout::{brought_by, claim_of};
use super::split_copy::is_plain;
use super::{Bottom, EditNote, Line, Rewrite, Safety, StageView, View};
use crate::dockerfile::{Instruction, Kind};
use crate::footprint::{Extent, PathClaim, PathSet, is_below};
use crate::pattern::{SourceKind, SourcePattern};
use crate::plan::{Base, Dest, Input, StepKind};
use crate::source::{Edit, Span};
use std::collections::BTreeSet;

/// Most mounts of a RUN that a reader still takes in.
const MOST_MOUNTS: usize = 4;

/// Longest line with one mount that is not broken.
const LINE: usize = 100;

/// Frontends that have no such mounts.
const TOO_OLD: [&str; 2] = ["1.0", "1.1"];

/// Folders that are a system's own, and the root.
const SYSTEM: [&str; 18] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/proc",
    "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var",
];

/// One mount that stands for what a COPY brings.
struct Mount {
    /// The stage, where it is not the context.
    from: Option<String>,
    /// Empty for the whole context.
    source: String,
    /// Absolute.
    target: String,
    /// It may be a folder.
    folder: bool,
}

/// What a COPY brings, as mounts.
struct Taken {
    mounts: Vec<Mount>,
    /// Path in the image and in the context; empty where it comes from a stage.
    files: Vec<(String, String)>,
    /// Places of all that.
    places: Vec<PathClaim>,
}

/// One rewrite for every COPY that a mount can stand for.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    view.at_every_line(|stage, at| one(view, stage, at))
}

/// Whether a mount may stand for a COPY in some order of the lines: for what bounds all plans.
#[must_use]
pub fn may_replace(view: &View<'_>, stage: &StageView<'_>, at: usize) -> bool {
    let Some(taken) = taken(view, &stage.lines[at]) else {
        return false;
    };
    let passes = |i: usize, j: usize| (view.commute)(stage.stage, i, j).is_some();
    let covered = |j: &usize| covers(view, stage, (at, *j), &taken);
    let behind = at + 1..stage.lines.len();
    let uses = |j: &usize| stage.lines[*j].step.is_some() && !passes(at, *j);
    let (later, users): (Vec<usize>, Vec<usize>) = behind.filter(uses).partition(covered);
    users.iter().any(|run| {
        let others = || users.iter().filter(|j| *j != run);
        let alone = || others().next().is_none() && is_left_alone(view, stage, &taken);
        // The RUN comes before the other COPY, all else that has a use for the files behind it.
        let between = |k: &usize| {
            let first = run < k || passes(*k, *run);
            first && others().all(|j| k < j || passes(*j, *k))
        };
        let fits = alone() || later.iter().any(between);
        fits && suits(view, stage, (at, *run), &taken).is_some()
    })
}

fn one(view: &View<'_>, stage: &StageView<'_>, at: usize) -> Option<Rewrite> {
    let taken = taken(view, &stage.lines[at])?;
    let mut assumptions = BTreeSet::new();
    let (mut run, mut cover) = (None, None);
    for j in at + 1..stage.lines.len() {
        if let Some(rests_on) = (view.commute)(stage.stage, at, j) {
            assumptions.extend(rests_on);
            continue;
        }
        let is_run = stage.lines[j].step.is_some_and(|s| s.kind == StepKind::Run);
        if run.is_none() && is_run {
            run = Some(j);
        } else if run.is_some() && covers(view, stage, (at, j), &taken) {
            cover = Some(j);
            break;
        } else {
            return None;
        }
    }
    let run = run?;
    assumptions.extend(suits(view, stage, (at, run), &taken)?);
    if cover.is_none() {
        if !is_left_alone(view, stage, &taken) {
            return None;
        }
        assumptions.insert(
            "no link of the stage leads to what only this line brings, and nothing of it comes to lie in what other stages take"
                .to_owned(),
        );
    }
    let (copy, user) = (
        view.file.instructions().at(stage.lines[at].at),
        view.file.instructions().at(stage.lines[run].at),
    );
    let cwd = view.plan.states.get(stage.lines[run].at)?.as_ref()?;
    let cwd = cwd.cwd.as_deref();
    let names: Vec<&str> = taken.mounts.iter().map(shown_source).collect();
    let names = names.join(", ");
    let kept = match cover {
        Some(j) => format!(
            "line {} brings it again, to stay",
            view.file.instructions().at(stage.lines[j].at).line
        ),
        None => "nobody takes it from this stage".to_owned(),
    };
    Some(Rewrite {
        safety: Safety::Assumed,
        edits: vec![
            Edit {
                span: copy.span,
                text: Vec::new(),
            },
            insertion(view, user, &taken.mounts, cwd),
        ],
        ignore: Vec::new(),
        caches: Vec::new(),
        note: EditNote {
            rewrite: "bind-mount",
            safety: Safety::Assumed,
            line: user.line,
            end_line: user.end_line,
            why: format!(
                "{names}: mounted where it is read, which saves a step and a layer; {kept}"
            ),
            assumptions: assumptions.into_iter().collect(),
        },
    })
}

/// The mounts that show what a COPY brings; `None` where there are none, or too many.
fn taken(view: &View<'_>, line: &Line<'_>) -> Option<Taken> {
    let instruction = view.file.instructions().at(line.at);
    let step = line.step?;
    let plain = instruction.flags().iter().all(|f| f.name() == "from");
    if !matches!(instruction.kind(), Kind::Copy(_))
        || !plain
        || !step.inline.is_empty()
        || !knows(view.plan.builder, &view.file.directives, &TOO_OLD)
    {
        return None;
    }
    let dest = step.dest.as_ref()?;
    let place = dest.sure()?;
    let taken = match step.inputs.as_slice() {
        [Input::Context(input)] => {
            let files = brought_by(step, &PathClaim::subtree("/"), view.files)?;
            let mounts = of_context(view, &input.sources, place, &files)?;
            let places = files.iter().map(claim_of).collect();
            Taken {
                mounts,
                files,
                places,
            }
        }
        [
            Input::Stage {
                sources, excludes, ..
            },
        ] if excludes.is_empty() => {
            let from = instruction.flag("from")?;
            let mount = of_stage(from, sources, dest)?;
            Taken {
                places: vec![PathClaim::subtree(&*mount.target)],
                mounts: vec![mount],
                files: Vec::new(),
            }
        }
        _ => return None,
    };
    let plain = |m: &Mount| is_plain(&m.source) && is_plain(&m.target);
    let plain = taken.mounts.iter().all(plain);
    let few = !taken.mounts.is_empty() && taken.mounts.len() <= MOST_MOUNTS;
    (few && plain && !taken.places.is_empty()).then_some(taken)
}

/// Files one by one, or one folder.
fn of_context(
    view: &View<'_>,
    sources: &[String],
    place: &str,
    files: &[(String, String)],
) -> Option<Vec<Mount>> {
    let patterns: Vec<SourcePattern> = sources.iter().map(|s| SourcePattern::lenient(s)).collect();
    let folder = |p: &&SourcePattern| match p.kind() {
        SourceKind::Root => true,
        SourceKind::Plain(path) => !view.files.is_file(path),
        SourceKind::Wildcard { .. } => false,
    };
    if let Some(folder) = patterns.iter().find(folder) {
        let system = SYSTEM.contains(&place);
        let source = match folder.kind() {
            SourceKind::Plain(path) => (*path).to_owned(),
            _ => String::new(),
        };
        return (patterns.len() == 1 && !system).then(|| {
            vec![Mount {
                from: None,
                source,
                target: place.to_owned(),
                folder: true,
            }]
        });
    }
    // A mount shows what a link leads to, as COPY brings it; which link that is may change.
    if files.iter().any(|(_, from)| view.files.is_link(from)) {
        return None;
    }
    let one = |(target, from): &(String, String)| Mount {
        from: None,
        source: from.clone(),
        target: target.clone(),
        folder: false,
    };
    Some(files.iter().map(one).collect())
}

/// One path of a stage under its own name: whether that is a file or a folder is not known.
fn of_stage(from: &str, sources: &[String], dest: &Dest) -> Option<Mount> {
    let [source] = sources else {
        return None;
    };
    let name = |p: &str| p.rsplit('/').next().unwrap_or_default().to_owned();
    let place = dest.sure()?;
    let whole = source.contains(['*', '?', '[', '\\']) || from.contains('$');
    let source = crate::pattern::clean(&format!("/{}", source.trim_start_matches('/')));
    if whole || dest.is_dir || name(&source).is_empty() || name(&source) != name(place) {
        return None;
    }
    (!SYSTEM.contains(&place)).then(|| Mount {
        from: Some(from.to_owned()),
        source,
        target: place.to_owned(),
        folder: true,
    })
}

/// Whether nobody looks at the files once the stage is done.
fn is_left_alone(view: &View<'_>, stage: &StageView<'_>, taken: &Taken) -> bool {
    stage.stage != view.plan.target && !any_taken(view.plan, stage.stage, &taken.places)
}

/// Whether a later COPY brings the same files to the same places.
fn covers(view: &View<'_>, stage: &StageView<'_>, (at, j): (usize, usize), taken: &Taken) -> bool {
    let line = &stage.lines[j];
    let copies = matches!(view.file.instructions().at(line.at).kind(), Kind::Copy(_));
    let Some(step) = line.step.filter(|_| copies && !taken.files.is_empty()) else {
        return false;
    };
    let Some(dest) = &step.dest else {
        return false;
    };
    let Some(brought) = brought_by(step, &PathClaim::subtree("/"), view.files) else {
        return false;
    };
    let brought: BTreeSet<&(String, String)> = brought.iter().collect();
    // Folders that the first one would have made are made by whoever comes next, who may be another.
    let plain = dest.owner.is_none() && dest.mode.is_none();
    let made = |path: &str| {
        stage.lines[..at].iter().any(|l| {
            let workdir = l.step.filter(|s| s.kind == StepKind::Workdir);
            let place = workdir.and_then(|s| s.dest.as_ref()?.sure());
            place.is_some_and(|p| is_below(p, path))
        })
    };
    let top = dest.sure();
    taken.files.iter().all(|f| brought.contains(f)) && (plain || top.is_some_and(made))
}

/// What it rests on that a RUN does the same where a mount shows it the files; `None` where it may not.
fn suits(
    view: &View<'_>,
    stage: &StageView<'_>,
    (at, j): (usize, usize),
    taken: &Taken,
) -> Option<Vec<String>> {
    let line = &stage.lines[j];
    let step = line.step.filter(|s| s.kind == StepKind::Run)?;
    let (footprint, leaves) = (step.footprint.as_ref()?, line.leaves.as_ref()?);
    if footprint.opaque.is_some() || footprint.builds || line.barrier {
        return None;
    }
    let mut rests_on = match line.needs {
        None => Vec::new(),
        Some(Ok(needs)) => needs.assumptions.clone(),
        Some(Err(_)) => return None,
    };
    let below = stage.layout.first(line.layers);
    for used in &footprint.uses {
        let holds = |place: &str, text: &str| {
            let laid = super::layout::Laid {
                layout: &below,
                files: view.files,
            };
            let from = laid.context_path(place).and_then(|p| view.files.read(&p));
            from.is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
        };
        rests_on.extend(only_reads(used, &holds)?);
    }
    let shown: Vec<PathClaim> = taken
        .mounts
        .iter()
        .map(|m| match m.folder {
            true => PathClaim::subtree(&*m.target),
            false => PathClaim::exact(&*m.target),
        })
        .collect();
    let shown = PathSet::new(shown);
    let meets = |c: &PathClaim| shown.overlaps(&PathSet::new(vec![c.clone()])).is_some();
    // Tools have files of their own in folders for temporary ones, and touch no other there.
    let temporary = |c: &PathClaim| {
        let own = matches!(c.path.as_str(), "/tmp" | "/var/tmp") && c.extent == Extent::Subtree;
        own && !footprint.beside_uses().any(|e| e.writes.iter().any(meets))
    };
    let writes = leaves.writes.claims.iter();
    let writes = writes.filter(|c| !leaves_as_it_is(line, c));
    let second = footprint.links.iter().filter(|l| l.hard);
    let linked = |to: &String| meets(&PathClaim::exact(&**to));
    if writes.filter(|c| !temporary(c)).any(meets)
        || second.map(|l| &l.to).any(|t| t.as_ref().is_none_or(linked))
    {
        return None;
    }
    let targets: Option<Vec<&str>> = step.mount_targets.iter().map(Option::as_deref).collect();
    let near = |a: &str, b: &str| is_below(a, b) || is_below(b, a);
    let instruction = view.file.instructions().at(line.at);
    let of_bind = |m: &&str| {
        let kind = m.split(',').find_map(|f| f.trim().strip_prefix("type="));
        kind.is_none_or(|k| k == "bind")
    };
    let own = instruction.flag_values("mount").filter(of_bind).count();
    let crowded = taken.mounts.iter().any(|m| {
        targets
            .as_ref()
            .is_none_or(|t| t.iter().any(|t| near(t, &m.target)))
    });
    if crowded || own + taken.mounts.len() > MOST_MOUNTS {
        return None;
    }
    for mount in taken.mounts.iter().filter(|m| m.folder) {
        rests_on.extend(hides_nothing(view, stage, (at, j), (mount, taken))?);
    }
    Some(rests_on)
}

/// What it rests on that a folder holds nothing but what a COPY brings, and that a RUN makes nothing in it.
fn hides_nothing(
    view: &View<'_>,
    stage: &StageView<'_>,
    (at, j): (usize, usize),
    (mount, taken): (&Mount, &Taken),
) -> Option<Vec<String>> {
    let inside = |path: &str| path != mount.target && is_below(path, &mount.target);
    let run = &stage.lines[j];
    let makes = run.leaves.as_ref()?.makes.iter();
    // The places of its own mounts are among them.
    if makes.clone().any(|(path, _)| inside(path)) {
        return None;
    }
    let cwd = view.plan.states.get(run.at)?.as_ref()?.cwd.as_deref();
    let brought = |path: &str| taken.files.iter().any(|(p, _)| is_below(p, path));
    if cwd.is_none_or(|c| inside(c) && !brought(c)) {
        return None;
    }
    let known: BTreeSet<&(String, String)> = taken.files.iter().collect();
    let whole = PathSet::new(vec![PathClaim::subtree(&*mount.target)]);
    let mut own = stage;
    let mut until = at;
    loop {
        for line in &own.lines[..until] {
            let Some(step) = line.step else {
                continue;
            };
            let leaves = line.leaves.as_ref()?;
            if leaves
                .makes
                .iter()
                .any(|(path, _)| inside(path) && !brought(path))
            {
                return None;
            }
            if leaves.writes.overlaps(&whole).is_none() {
                continue;
            }
            let again = |p: &PathClaim| taken.places.contains(p);
            let copied = brought_by(step, &whole.claims[0], view.files);
            let same = match copied {
                Some(list) => list.iter().all(|f| known.contains(f)),
                // A file that is brought again hides what a command made of it.
                None => {
                    let met = leaves
                        .writes
                        .claims
                        .iter()
                        .filter(|c| !leaves_as_it_is(line, c));
                    let mut met =
                        met.filter(|c| whole.overlaps(&PathSet::new(vec![(*c).clone()])).is_some());
                    met.all(again)
                }
            };
            if !same {
                return None;
            }
        }
        let Base::Stage(below) = view.plan.stages[own.stage].base else {
            break;
        };
        own = view.stages.iter().find(|s| s.stage == below)?;
        until = own.lines.len();
    }
    let reader = view.file.instructions().at(run.at).line;
    let mut rests_on = Vec::new();
    // A COPY makes the folder itself root's, with that mode; the root of the context is so anyway.
    match &mount.from {
        Some(from) => rests_on.push(format!(
            "{} of {from} is no folder, or one of root's with mode 0755, or line {reader} does not look at that",
            mount.source
        )),
        None if mount.source.is_empty() => {}
        None => rests_on.push(format!(
            "the folder {} has mode 0755, as a checkout gives it, or line {reader} does not look at that",
            mount.source
        )),
    }
    let image = match stage.bottom {
        Bottom::Empty => return Some(rests_on),
        Bottom::Plain => "the base image",
        Bottom::Unknown(name) => name,
    };
    rests_on.push(format!(
        "{image} holds nothing in {} that line {reader} reads",
        mount.target
    ));
    Some(rests_on)
}

/// Whether a claim is go's on a file of its own that it leaves as it is: manifests it changes only where it is told to, and
/// lists of sums only where something is missing there, of which the needs say that nothing is.
fn leaves_as_it_is(line: &Line<'_>, claim: &PathClaim) -> bool {
    let Some(Ok(needs)) = line.needs else {
        return false;
    };
    let named = |names: [&str; 2]| names.iter().any(|n| claim.path.ends_with(n));
    let manifest = named(["/go.mod", "/go.work"]) && !needs.writes.contains(claim);
    let known = manifest || named(["/go.sum", "/go.work.sum"]);
    known && needs.reads.contains(claim) && claim.extent == Extent::Exact
}

fn shown_source(mount: &Mount) -> &str {
    match mount.source.as_str() {
        "" => "the build context",
        source => source,
    }
}

/// A path as it is written in a working directory.
fn relative<'p>(path: &'p str, cwd: Option<&str>) -> &'p str {
    match cwd {
        Some(cwd) if cwd == path => ".",
        Some(cwd) if cwd != "/" && is_below(path, cwd) => path[cwd.len()..].trim_start_matches('/'),
        _ => path,
    }
}

/// The flags, behind the keyword.
fn insertion(
    view: &View<'_>,
    instruction: Instruction<'_>,
    mounts: &[Mount],
    cwd: Option<&str>,
) -> Edit {
    let flag = |m: &Mount| {
        let mut text = "--mount=type=bind".to_owned();
        if let Some(from) = &m.from {
            text.push_str(&format!(",from={from}"));
        }
        if !m.source.is_empty() {
            text.push_str(&format!(",source={}", m.source));
        }
        text.push_str(&format!(",target={}", relative(&m.target, cwd)));
        text
    };
    let flags: Vec<String> = mounts.iter().map(flag).collect();
    let command = view.source.text(instruction.original().span());
    let first = command.lines().next().unwrap_or_default().len();
    let text = match flags.as_slice() {
        [only] if only.len() + first < LINE => format!(" {only}"),
        _ => {
            let (escape, end) = (view.file.directives.escape, view.source.line_end());
            let lines = flags.iter().map(|f| format!(" {f} {escape}{end}   "));
            lines.collect()
        }
    };
    let at = instruction.keyword_span().end;
    Edit {
        span: Span { start: at, end: at },
        text: text.into_bytes(),
    }
}
