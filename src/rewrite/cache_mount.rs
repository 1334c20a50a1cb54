//! Folders that tools keep between builds, as cache mounts.
//!
//! ```text
//! RUN npm ci        ->     RUN --mount=type=cache,target=/root/.npm npm ci
//! ```
//!
//! Precondition: where the tool keeps its cache is known ([`super::caches`]), and nothing else looks there: no other step of the
//! stage or of those built on it, no COPY, no other command of the RUN. Safety: assumed; review where the image has the folder
//! today. Source of the rules: cache keys section 10, and docs/rewrites/cache-mount.md for what the builder leaves of a mount.

mod around;

use self::around::{around, helpers};
use super::caches::cleaning::{Cleaning, Look, cleaning};
use super::caches::{
    Caller, Folder, Kept, Runner, image_of, is_slight, kept, reference_of, runner,
};
use super::flow::{bottom, reaches_image};
use super::layout::Laid;
use super::{EditNote, Line, Rewrite, Safety, StageView, View};
use crate::dockerfile::{CommandForm, Directives, Instruction, Kind};
use crate::footprint::{PathClaim, Use, is_below};
use crate::plan::{Builder, Plan, Step};
use crate::source::{Edit, Span, apply_edits};
use std::collections::{BTreeMap, BTreeSet};

/// Commands behind which another user, or another environment, may run what follows.
const STRANGERS: &[&str] = &[
    ".", "source", "eval", "trap", "su", "sudo", "gosu", "su-exec", "runuser", "chroot", "doas",
    "setpriv",
];

/// The uses of one tool in a RUN, or why what they keep is not known.
type Found<'a> = Result<Vec<(&'a Use, Kept)>, String>;

/// One RUN that a tool is used in.
struct Run<'a> {
    stage: &'a StageView<'a>,
    step: &'a Step,
    instruction: Instruction<'a>,
    runner: Runner,
    image: String,
    uses: Vec<(&'a Use, Kept)>,
}

/// What a mount over some of its folders would be.
struct Mounted<'a, 'r> {
    run: &'r Run<'a>,
    cleaning: Cleaning,
    folders: Vec<Folder>,
}

/// A rewrite for every RUN whose tools keep something, or for all RUNs that share it.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    if !knows(view.plan.builder, &view.file.directives, &["1.0", "1.1"]) {
        return Vec::new();
    }
    // By the stage they all stand on, and the tool.
    let mut groups: BTreeMap<(usize, &'static str), Vec<Result<Run<'_>, String>>> = BTreeMap::new();
    for stage in &view.stages {
        for line in &stage.lines {
            for (tool, run) in runs(view, stage, line) {
                let root = bottom(view.plan, stage.stage);
                groups.entry((root, tool)).or_default().push(run);
            }
        }
    }
    let mut out = Vec::new();
    for ((root, _), runs) in &groups {
        let slight = |r: &Run<'_>| r.uses.iter().all(|(u, _)| is_slight(u));
        if runs.iter().flatten().all(slight) {
            continue;
        }
        let later = |r: &Run<'_>| r.uses.iter().any(|(_, k)| k.later);
        if !runs.iter().flatten().any(later) {
            for run in runs.iter().flatten().filter(|r| !slight(r)) {
                out.extend(together(view, *root, &[run]));
            }
            continue;
        }
        let all: Result<Vec<&Run<'_>>, &String> = runs.iter().map(Result::as_ref).collect();
        if let Ok(all) = all {
            out.extend(together(view, *root, &all));
        }
    }
    out.sort_by_key(|(r, _)| r.note.line);
    joined(view, out)
}

/// Those that concern one RUN and promise the same become one: what a RUN costs depends on all that it fetches.
fn joined(view: &View<'_>, found: Vec<(Rewrite, BTreeSet<usize>)>) -> Vec<Rewrite> {
    let mut out: Vec<(Rewrite, BTreeSet<usize>)> = Vec::new();
    for (rewrite, lines) in found {
        let meets = |(r, known): &&mut (Rewrite, BTreeSet<usize>)| {
            r.safety == rewrite.safety && !known.is_disjoint(&lines)
        };
        let Some((other, known)) = out.iter_mut().find(meets) else {
            out.push((rewrite, lines));
            continue;
        };
        let mut edits = other.edits.clone();
        edits.extend(
            rewrite
                .edits
                .iter()
                .filter(|e| !other.edits.contains(e))
                .cloned(),
        );
        if apply_edits(view.source.bytes(), &edits).is_err() {
            out.push((rewrite, lines));
            continue;
        }
        other.edits = edits;
        other.caches.extend(rewrite.caches);
        other.note.why = format!("{}; {}", other.note.why, rewrite.note.why);
        other.note.assumptions.extend(rewrite.note.assumptions);
        other.note.assumptions.sort();
        other.note.assumptions.dedup();
        known.extend(lines);
    }
    out.into_iter().map(|(r, _)| r).collect()
}

/// Whether the builder, and the frontend that the file asks for, have what releases of it before some do not.
pub(super) fn knows(builder: Builder, directives: &Directives, old: &[&str]) -> bool {
    let Some((syntax, _)) = &directives.syntax else {
        return !builder.chained;
    };
    let name = syntax.split('@').next().unwrap_or_default();
    let (name, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
    let is_old = old.iter().any(|o| {
        tag.strip_prefix(o)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    !builder.chained
        && !is_old
        && name
            .trim_start_matches("docker.io/")
            .starts_with("docker/dockerfile")
}

/// The tools that a RUN uses and that keep something, or why that is not known.
fn runs<'a>(
    view: &'a View<'_>,
    stage: &'a StageView<'a>,
    line: &'a Line<'a>,
) -> Vec<(&'static str, Result<Run<'a>, String>)> {
    let Some((step, footprint)) = line.step.and_then(|s| Some((s, s.footprint.as_ref()?))) else {
        return Vec::new();
    };
    let below = stage.layout.first(line.layers);
    let laid = Laid {
        layout: &below,
        files: view.files,
    };
    let mut tools: BTreeMap<&'static str, Found<'_>> = BTreeMap::new();
    let base = image_of(view.plan, stage.stage)
        .and_then(|image| runner(view.plan, step, &image).map(|r| (image, r)));
    for used in &footprint.uses {
        let Some(name) = super::caches::name_of(used) else {
            continue;
        };
        let found = match (&base, used.arguments.as_deref()) {
            (Err(why), _) => Some(Err(why.clone())),
            (_, None) => Some(Err("an argument is not known".to_owned())),
            (Ok((image, runner)), Some(arguments)) => kept(&Caller {
                used,
                arguments,
                script: &step.text,
                image,
                runner,
                project: Some(&laid),
            }),
        };
        let Some(found) = found else {
            continue;
        };
        let list = tools.entry(name).or_insert_with(|| Ok(Vec::new()));
        match (list.as_mut(), found) {
            (Ok(list), Ok(kept)) => list.push((used, kept)),
            (_, Err(why)) => *list = Err(why),
            (Err(_), _) => {}
        }
    }
    let strange = footprint
        .commands
        .iter()
        .find(|c| STRANGERS.contains(&c.as_str()));
    let finish = |uses: Found<'a>| {
        let (image, runner) = base.clone()?;
        if let Some(command) = strange {
            return Err(format!("what runs behind {command} is not known"));
        }
        Ok(Run {
            stage,
            step,
            instruction: view.file.instructions().at(line.at),
            runner,
            image,
            uses: uses?,
        })
    };
    tools.into_iter().map(|(t, u)| (t, finish(u))).collect()
}

/// The rewrite that puts mounts over the folders of these RUNs, all of one tool; `None` where one of them cannot have one.
fn together(view: &View<'_>, root: usize, runs: &[&Run<'_>]) -> Option<(Rewrite, BTreeSet<usize>)> {
    let first = runs.first()?;
    let tool = first.uses.first()?.1.tool;
    let later = first.uses.iter().any(|(_, k)| k.later);
    let mut mounted = Vec::new();
    for run in runs {
        mounted.push(mount(run).ok()?);
    }
    let cleans = mounted.iter().any(|m| m.cleaning.sweeps);
    if (later && cleans && runs.len() > 1) || runs.iter().any(|r| r.runner.ids != first.runner.ids)
    {
        return None;
    }
    let folders = union(&mounted)?;
    let helpers = helpers(view, root, runs, later).ok()?;
    let own: Vec<usize> = runs
        .iter()
        .map(|r| r.step.instruction)
        .chain(helpers.iter().map(|s| s.instruction))
        .collect();
    for m in &mounted {
        around(view, root, m, &folders, &own).ok()?;
    }
    // What they have today already is no advice.
    mounted.retain(|m| !m.folders.is_empty());
    let first = mounted.first()?.run;
    let mut edits = Vec::new();
    for m in &mounted {
        edits.push(insertion(view, m.run.instruction, &m.folders, m.run)?);
        edits.extend(cuts(m.run, &m.cleaning)?);
    }
    for step in &helpers {
        let instruction = view.file.instructions().get(step.instruction)?;
        let mut missing = folders.clone();
        missing.retain(|f| !is_mounted(step, f));
        overlapping(step, &missing).ok()?;
        if !missing.is_empty() {
            edits.push(insertion(view, instruction, &missing, first)?);
        }
    }
    let shows = |m: &&Mounted<'_, '_>| {
        let shown =
            |f: &Folder| reaches_image(view.plan, m.run.stage.stage, &PathClaim::subtree(&*f.path));
        !m.cleaning.cleaned && m.folders.iter().any(shown)
    };
    let safety = match mounted.iter().any(|m| shows(&m)) {
        true => Safety::Review,
        false => Safety::Assumed,
    };
    let names: Vec<&str> = folders.iter().map(|f| f.path.as_str()).collect();
    let names = names.join(" and ");
    let mut why = format!("{tool} finds in {names} what it kept there in the builds before");
    if mounted.iter().any(|m| !m.cleaning.cuts.is_empty()) {
        why.push_str("; nothing has to be cleaned up, since a mount is no part of the image");
    }
    if safety == Safety::Review {
        why.push_str(&format!("; the image no longer holds {names}"));
    }
    let mut caches: Vec<(usize, String)> = Vec::new();
    let stages = mounted.iter().map(|m| m.run.stage.stage);
    caches.extend(stages.map(|s| (s, tool.to_owned())));
    caches.dedup();
    let rewrite = Rewrite {
        safety,
        edits,
        ignore: Vec::new(),
        caches,
        note: EditNote {
            rewrite: "cache-mount",
            safety,
            line: first.instruction.line,
            end_line: first.instruction.end_line,
            why,
            assumptions: assumptions(&mounted, &names),
        },
    };
    Some((rewrite, own.into_iter().collect()))
}

fn assumptions(mounted: &[Mounted<'_, '_>], names: &str) -> Vec<String> {
    let mut out = BTreeSet::new();
    for m in mounted {
        let tool = m.run.uses.first().map_or("", |(_, k)| k.tool);
        out.extend(m.run.uses.iter().flat_map(|(_, k)| k.assumptions.clone()));
        out.extend(m.run.runner.assumption.clone());
        out.insert(format!(
            "{tool} does the same with what it kept as without, and fetches what a mount has lost"
        ));
        out.insert(format!(
            "{} holds nothing in {names} that a step or the image needs",
            m.run.image
        ));
        out.insert(format!("nothing but {tool} looks into {names}"));
        if m.cleaning.sweeps {
            out.insert(format!(
                "nobody needs what the clean-up of line {} would have left of {names}",
                m.run.instruction.line
            ));
            out.insert(format!(
                "nobody looks whether the folders around {names} are there, or at their mode: the builder makes them \
                 for the mount, and takes away those that are empty"
            ));
        }
    }
    out.into_iter().collect()
}

/// All folders of some RUNs; `None` where two of them keep the same things in different places.
fn union(mounted: &[Mounted<'_, '_>]) -> Option<Vec<Folder>> {
    let mut all: Vec<Folder> = Vec::new();
    for folder in mounted.iter().flat_map(|m| &m.folders) {
        if !all.iter().any(|f| f.path == folder.path) {
            all.push(folder.clone());
        }
    }
    let most = mounted.iter().map(|m| m.folders.len()).max()?;
    (all.len() == most || mounted.len() == 1).then_some(all)
}

/// What a mount over the folders of one RUN would be.
///
/// # Errors
/// It cannot have one.
fn mount<'a, 'r>(run: &'r Run<'a>) -> Result<Mounted<'a, 'r>, String> {
    if run.step.id.trigger > 0 {
        return Err("it is a trigger of the base image".to_owned());
    }
    if run.instruction.flag("network").is_some_and(|n| n == "none") {
        return Err("it has no network to fill a cache from".to_owned());
    }
    if run.step.footprint.as_ref().is_some_and(|f| {
        let opaque = f.opaque.as_deref().unwrap_or_default();
        opaque.starts_with("the shell")
    }) {
        return Err("its shell is not known".to_owned());
    }
    let Kind::Run(CommandForm::Shell(_)) = run.instruction.kind() else {
        return Err("no shell reads its command".to_owned());
    };
    let look = look(run);
    let uses: Vec<(&Use, &Kept)> = run.uses.iter().map(|(u, k)| (*u, k)).collect();
    let cleaning = cleaning(&run.step.text, &uses, &look)?;
    let mut folders: Vec<Folder> = Vec::new();
    for folder in run.uses.iter().flat_map(|(_, k)| &k.folders) {
        let mut folder = folder.clone();
        if let Some(whole) = &cleaning.whole {
            folder.path.clone_from(whole);
        }
        if !folders.iter().any(|f| f.path == folder.path) {
            folders.push(folder);
        }
    }
    for folder in &folders {
        plain(folder, run)?;
    }
    let later = run.uses.iter().any(|(_, k)| k.later);
    let mut there = run.step.cache_mounts.iter().zip(&run.step.cache_targets);
    let other = there.any(|(id, target)| {
        let target = target.as_deref().unwrap_or_default();
        let covers = |f: &Folder| is_below(&f.path, target);
        // What one step fetches another has to find: both need the mount that has the folder's own name.
        later && folders.iter().any(covers) && !folders.iter().any(|f| f.path == *id)
    });
    if other {
        return Err("a mount of another name is there".to_owned());
    }
    folders.retain(|f| !is_mounted(run.step, f));
    overlapping(run.step, &folders)?;
    Ok(Mounted {
        run,
        cleaning,
        folders,
    })
}

/// Whether a step has a cache mount over a folder.
fn is_mounted(step: &Step, folder: &Folder) -> bool {
    let mut targets = step.cache_targets.iter().flatten();
    targets.any(|t| is_below(&folder.path, t))
}

/// Whether a folder may be the target of a mount for who runs the RUN.
fn plain(folder: &Folder, run: &Run<'_>) -> Result<(), String> {
    let path = &folder.path;
    let sign = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    if !path.bytes().all(sign) || path.matches('/').count() < 2 {
        return Err(format!("{path} is no place for a mount"));
    }
    if let Some((used, _)) = run
        .uses
        .iter()
        .find(|(u, _)| u.dir.as_deref().is_some_and(|d| is_below(d, path)))
    {
        return Err(format!("{} runs in {path}", used.tool));
    }
    // The builder makes missing folders above a mount, for root alone: another user could write nothing else there.
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    let there = ["/tmp", "/var/tmp"].contains(&above) || look(run).home.is_some_and(|h| h == above);
    match run.runner.ids.is_none() || there {
        true => Ok(()),
        false => Err(format!("{above} may not be there for the user")),
    }
}

/// Refuses mounts that lie in or around the folders.
fn overlapping(step: &Step, folders: &[Folder]) -> Result<(), String> {
    for target in &step.mount_targets {
        let target = target.as_deref().ok_or("where a mount is, is not known")?;
        let meets = |f: &&Folder| is_below(&f.path, target) || is_below(target, &f.path);
        if let Some(folder) = folders.iter().find(meets) {
            return Err(format!("a mount at {target} meets {}", folder.path));
        }
    }
    Ok(())
}

fn look(run: &Run<'_>) -> Look {
    let variables = run.uses.first().map(|(u, _)| {
        let known = u.variables.iter();
        known.filter_map(|(n, v)| Some((n.clone(), v.clone()?)))
    });
    let variables: BTreeMap<String, String> = variables.into_iter().flatten().collect();
    let home = variables.get("HOME").cloned();
    Look {
        home: home.or(run.runner.home.clone().ok()),
        variables,
    }
}

/// The flags for the folders, behind the keyword: one to a line where there are several.
fn insertion(
    view: &View<'_>,
    instruction: Instruction<'_>,
    folders: &[Folder],
    run: &Run<'_>,
) -> Option<Edit> {
    let kept = run.uses.first().map(|(_, k)| k)?;
    let flag = |folder: &Folder| {
        let id = match kept.compiled {
            true => id_of_image(kept.tool, &folder.path, view.plan, run.stage.stage),
            false => id(kept.tool, &folder.path),
        };
        let mut text = format!("--mount=type=cache{id}");
        text.push_str(&format!(",target={}", folder.path));
        if let Some((user, group)) = run.runner.ids {
            text.push_str(&format!(",uid={user},gid={group}"));
        }
        if kept.locked {
            text.push_str(",sharing=locked");
        }
        text
    };
    let flags: Vec<String> = folders.iter().map(flag).collect();
    let text = match flags.as_slice() {
        [only] => format!(" {only}"),
        _ => {
            let (escape, end) = (view.file.directives.escape, view.source.line_end());
            let lines = flags.iter().map(|f| format!(" {f} {escape}{end}   "));
            lines.collect()
        }
    };
    let at = instruction.keyword_span().end;
    Some(Edit {
        span: Span { start: at, end: at },
        text: text.into_bytes(),
    })
}

/// A name for a mount whose place does not tell whose it is: mounts of one name are one on the whole builder.
fn id(tool: &str, path: &str) -> String {
    let signs: &[&str] = match tool {
        "mvn" => &[".m2", "maven", "mvn"],
        "sbt" => &["coursier", "ivy2"],
        "dotnet" => &["nuget"],
        "mix" => &["hex"],
        other => &[other],
    };
    let tells = path
        .split('/')
        .any(|part| signs.iter().any(|s| part.contains(s)))
        || path == "/root/.cache";
    let last = path.rsplit('/').next().unwrap_or_default();
    match tells {
        true => String::new(),
        false => format!(",id={tool}-{last}"),
    }
}

/// A name for a mount that holds what was compiled: another image has another one.
fn id_of_image(tool: &str, path: &str, plan: &Plan, stage: usize) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    // One tool may have several folders.
    let folder = match path.contains(tool) && last.contains(tool) {
        true => String::new(),
        false => format!("-{}", last.trim_start_matches('.')),
    };
    let name = reference_of(plan, stage).unwrap_or_default();
    let short = name.trim_start_matches("docker.io/library/");
    let sign = |c: char| match c {
        c if c.is_ascii_alphanumeric() || ".-".contains(c) => c,
        _ => '-',
    };
    let short: String = short.chars().map(sign).collect();
    format!(",id={tool}{folder}-{short}")
}

/// The edits for what has to go; `None` where its place in the file is not plain.
fn cuts(run: &Run<'_>, cleaning: &Cleaning) -> Option<Vec<Edit>> {
    if cleaning.cuts.is_empty() {
        return Some(Vec::new());
    }
    let Kind::Run(CommandForm::Shell(line)) = run.instruction.kind() else {
        return None;
    };
    // The script is the line itself then, byte by byte.
    if !run.instruction.heredocs().is_empty() || line.as_str() != run.step.text {
        return None;
    }
    let one = |range: &std::ops::Range<usize>| Edit {
        span: line.span_of(range.clone()),
        text: Vec::new(),
    };
    Some(cleaning.cuts.iter().map(one).collect())
}
