//! What one step does to the file system it stands on, whatever kind of step it is.
//!
//! Goes in: a step of the plan, and the context where it is known. Comes out: an [`Effect`]. Linear in the
//! step's claims. Invariant: an effect never leaves out a place that the builder or a command may look at
//! or change; what is not known is an `Err` with the reason.

use crate::footprint::{Certainty, Footprint, Link, PathClaim, PathSet, account, group};
use crate::pattern::{SourceKind, SourcePattern};
use crate::plan::{ContextInput, Dest, Input, Step, StepKind};
use crate::rewrite::ContextFiles;
use std::collections::BTreeSet;

/// A folder that a step creates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Absolute and clean.
    pub path: String,
    /// As whom: a user and group as written, root for none.
    pub owner: String,
    /// It gets owner and mode also where it was there before (`COPY --link` brings its own folders).
    pub always: bool,
}

impl Made {
    /// Whether it is root's, with the mode that folders have which nobody gives another.
    #[must_use]
    pub fn is_roots(&self) -> bool {
        self.owner == ROOT || self.owner == NAMED_ROOT
    }
}

/// What a step does.
#[derive(Clone, Debug, Default)]
pub struct Effect {
    /// Places it looks at.
    pub reads: PathSet,
    /// The program files and settings it needs to run at all.
    pub programs: PathSet,
    /// Places it creates, changes or deletes.
    pub writes: PathSet,
    /// Folders it creates where they are missing.
    pub makes: Vec<Made>,
    /// Links it may leave.
    pub links: Vec<Link>,
    /// Copies and moves that take links along.
    pub carries: Vec<(PathClaim, PathClaim)>,
    /// Places whose times or order may show in what it leaves.
    pub observes: PathSet,
    /// Places that its paths climb out of.
    pub climbs: PathSet,
    /// Paths that are there before or since it, as it fails otherwise.
    pub requires: BTreeSet<String>,
    /// What its commands touch, those that install packages left out, where there are such.
    pub beside_packages: Option<PathSet>,
    /// Cache mounts, which outlive the build.
    pub caches: Vec<String>,
    /// Where its command starts, if a WORKDIR says so.
    pub cwd: Option<String>,
    /// Its command may look everywhere.
    pub as_root: bool,
    /// Whom its command runs as is the base image's to say.
    pub user_of_base: bool,
    /// It does not go through the links that it brings itself: those of one tree.
    pub beside_links: bool,
    /// Of the user database it changes the entries it names alone.
    pub keeps_entries: bool,
    /// How sure all this is.
    pub certainty: Option<Certainty>,
    /// What it rests on where it is not exact.
    pub assumptions: Vec<String>,
    /// A command runs.
    pub run: bool,
}

impl Effect {
    /// How sure it is.
    #[must_use]
    pub fn certainty(&self) -> Certainty {
        self.certainty.unwrap_or(Certainty::Exact)
    }

    /// Everything that may be another than before.
    #[must_use]
    pub fn changes(&self) -> PathSet {
        let makes = self.makes.iter().map(|m| PathClaim::exact(&*m.path));
        self.writes.union(&PathSet::new(makes.collect()))
    }
}

/// Where a step stands.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    /// Working directory, where a WORKDIR sets it.
    pub cwd: Option<&'a str>,
    /// USER, where the Dockerfile sets it.
    pub user: Option<&'a str>,
}

/// The links below some paths of a stage's result.
pub type LinksIn<'a> = dyn Fn(usize, &[String]) -> Option<Vec<String>> + 'a;

/// Where files come from.
pub struct Around<'a> {
    /// The build context, where there is one to look at.
    pub files: Option<&'a dyn ContextFiles>,
    /// Whether the image below surely has a folder.
    pub given: &'a dyn Fn(&str) -> bool,
    /// The links at or below some paths of a stage's result, relative to the path; `None` where there may be any.
    pub links_in: &'a LinksIn<'a>,
}

/// The effect of a step.
///
/// # Errors
/// The reason why it is not known, one sentence without a full stop.
pub fn of(step: &Step, standing: Standing<'_>, around: &Around<'_>) -> Result<Effect, String> {
    let mut effect = match (&step.footprint, &step.dest) {
        (Some(footprint), _) => run(step, footprint, standing)?,
        (None, Some(dest)) => {
            let path = dest
                .best()
                .ok_or("the base image decides where it writes")?;
            let mut effect = match step.kind {
                StepKind::Workdir => workdir(dest, path),
                _ => copy(step, dest, path, around),
            };
            if let Some(likely) = dest.likely.as_ref().filter(|_| dest.path.is_none()) {
                effect.certainty = Some(Certainty::Assumed);
                effect.assumptions.push(likely.because.clone());
            }
            effect
        }
        (None, None) => return Err("it writes to an unknown place".to_owned()),
    };
    // What is there already is not made, but what is made in it may take after it.
    let there = |m: &Made| !m.always && (around.given)(&m.path);
    let given = effect.makes.iter().filter(|m| there(m));
    let given = PathSet::new(given.map(|m| PathClaim::exact(&*m.path)).collect());
    effect.reads = effect.reads.union(&given);
    effect.makes.retain(|m| !there(m));
    // Whoever writes the user database itself may write any entry.
    let entries = effect
        .writes
        .claims
        .iter()
        .any(|c| c.path.starts_with("/etc/passwd/") || c.path.starts_with("/etc/group/"));
    effect.keeps_entries = entries;
    Ok(effect)
}

/// The effect of a RUN with this footprint.
///
/// # Errors
/// As above.
pub fn run(step: &Step, footprint: &Footprint, standing: Standing<'_>) -> Result<Effect, String> {
    if let Some(why) = &footprint.opaque {
        return Err(format!("line {}: {why}", step.line));
    }
    if step.own_base {
        return Err(format!(
            "line {}: a mount takes the files below it",
            step.line
        ));
    }
    let owner = runner(standing);
    let one = |c: &PathClaim| Made {
        path: c.path.clone(),
        owner: owner.clone(),
        always: false,
    };
    let mut makes: Vec<Made> = footprint.makes.claims.iter().map(one).collect();
    for target in &step.mount_targets {
        let path = target
            .as_deref()
            .ok_or("the base image's working directory decides where a mount is")?;
        // The builder makes the place of a mount, as root.
        makes.extend(folders(path, ROOT, true, false));
    }
    Ok(Effect {
        reads: footprint.reads.clone(),
        programs: footprint.programs.clone(),
        writes: footprint.writes.clone(),
        makes,
        links: footprint.links.clone(),
        carries: footprint.carries.clone(),
        observes: footprint.observes.clone(),
        climbs: footprint.climbs.clone(),
        requires: footprint.requires.clone(),
        beside_packages: footprint.beside_packages.clone(),
        caches: step.cache_mounts.clone(),
        cwd: standing.cwd.map(str::to_owned),
        as_root: owner == ROOT,
        user_of_base: standing.user.is_none(),
        beside_links: false,
        keeps_entries: false,
        certainty: Some(footprint.certainty),
        assumptions: footprint.assumptions.clone(),
        run: true,
    })
}

/// Whom folders belong to that nobody is named for.
pub const ROOT: &str = "root";

/// The same where the Dockerfile names it.
const NAMED_ROOT: &str = "root by name";

/// An owner in one spelling.
fn owner(text: Option<&str>) -> String {
    match text {
        None | Some("") => ROOT,
        // Said aloud, it is set; else a folder may take the group of the one it is made in.
        Some("0" | "0:0" | "root" | "root:root" | "root:0" | "0:root") => NAMED_ROOT,
        Some(other) => other,
    }
    .to_owned()
}

/// Whom the folders belong to that a command makes: without a USER, root.
fn runner(standing: Standing<'_>) -> String {
    let owner = match owner(standing.user) {
        named if named == NAMED_ROOT => ROOT.to_owned(),
        other => other,
    };
    let number = owner.split(':').next().unwrap_or_default();
    // The group of a mere number is looked up for a command, and is that number for COPY.
    if owner != ROOT && number.bytes().all(|b| b.is_ascii_digit()) {
        return format!("a command of {owner}");
    }
    owner
}

/// A folder and those above it.
fn folders(path: &str, owner: &str, itself: bool, always: bool) -> Vec<Made> {
    let mut out = Vec::new();
    let mut at = path;
    let mut push = |path: &str| {
        out.push(Made {
            path: path.to_owned(),
            owner: owner.to_owned(),
            always,
        });
    };
    if itself && path != "/" {
        push(path);
    }
    while let Some((above, _)) = at.rsplit_once('/') {
        if above.is_empty() {
            break;
        }
        push(above);
        at = above;
    }
    out
}

/// The entries of the user database behind an owner as written.
fn looked_up(owner: &str) -> Vec<PathClaim> {
    let number = |t: &str| t.is_empty() || t.bytes().all(|b| b.is_ascii_digit());
    let (user, of_group) = owner.split_once(':').unwrap_or((owner, ""));
    let mut out = Vec::new();
    if !number(user) {
        out.push(PathClaim::exact(account(user)));
    }
    if !number(of_group) {
        out.push(PathClaim::exact(group(of_group)));
    }
    out
}

fn workdir(dest: &Dest, path: &str) -> Effect {
    let written = dest.owner.as_deref();
    Effect {
        reads: PathSet::new(written.map(looked_up).unwrap_or_default()),
        makes: folders(path, &owner(written), true, false),
        ..Effect::default()
    }
}

fn copy(step: &Step, dest: &Dest, path: &str, around: &Around<'_>) -> Effect {
    let written = dest.owner.as_deref();
    let single = single_files(step, around.files);
    let mut writes: Vec<PathClaim> = Vec::new();
    let inline = step.inline.iter().map(|(name, _)| name.clone());
    match single {
        Some(names) if dest.is_dir && step.kind == StepKind::Copy && !step.parents => {
            for name in names.into_iter().chain(inline) {
                let place = format!("{}/{name}", path.trim_end_matches('/'));
                writes.push(PathClaim::exact(place));
            }
        }
        _ => writes.push(PathClaim::subtree(path)),
    }
    let unknown = |at| Link {
        at,
        to: None,
        hard: false,
        instead: false,
    };
    let links = match links_brought(step, around) {
        None => vec![unknown(PathClaim::subtree(path))],
        Some(found) => {
            let top = path.trim_end_matches('/');
            let at = |(name, text): &(String, Option<String>)| {
                let place = format!("{top}/{name}");
                let folder = place.rsplit_once('/').map_or("", |(folder, _)| folder);
                let to = text.as_ref().map(|text| match text.starts_with('/') {
                    true => crate::pattern::clean(text),
                    false => crate::pattern::clean(&format!("{folder}/{text}")),
                });
                // Another commit may have it lead elsewhere.
                let any = unknown(PathClaim::exact(place));
                let own = to.map(|to| Link {
                    to: Some(to),
                    ..any.clone()
                });
                own.into_iter().chain([any])
            };
            found.iter().flat_map(at).collect()
        }
    };
    // `COPY --link` lays its own folders over those that are there.
    let lays = !step.keyed_by_parent;
    // `--chmod` is for the folders it creates too.
    let mode = dest.mode.as_deref().map(|m| m.trim_start_matches('0'));
    let maker = match mode.filter(|m| *m != "755") {
        Some(mode) => format!("{} with mode {mode}", owner(written)),
        None => owner(written),
    };
    Effect {
        reads: PathSet::new(written.map(looked_up).unwrap_or_default()),
        writes: PathSet::new(writes),
        makes: folders(path, &maker, dest.is_dir, lays),
        links,
        beside_links: step.kind == StepKind::Copy && is_one_tree(step),
        ..Effect::default()
    }
}

/// Whether all that a COPY brings comes from one path, so that none of it lies behind a link of the rest.
fn is_one_tree(step: &Step) -> bool {
    let sources = match step.inputs.as_slice() {
        [Input::Context(input)] => &input.sources,
        [Input::Stage { sources, .. }] => sources,
        _ => return false,
    };
    let one = |source: &String| !source.contains(['*', '?', '[', '\\']);
    step.inline.is_empty() && sources.len() == 1 && sources.iter().all(one)
}

/// The names of the sources where each is one plain file of the context today.
fn single_files(step: &Step, files: Option<&dyn ContextFiles>) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for input in &step.inputs {
        let Input::Context(ContextInput { sources, .. }) = input else {
            return None;
        };
        for source in sources {
            let pattern = SourcePattern::lenient(source);
            let SourceKind::Plain(_) = pattern.kind() else {
                return None;
            };
            let files = files?;
            let path = pattern.cleaned();
            if !files.is_file(path) || files.is_link(path) {
                return None;
            }
            names.push(pattern.base_name().to_owned());
        }
    }
    Some(names)
}

/// Links of a folder of the context that are read; where there are more, each may lead anywhere.
const MOST_LINKS: usize = 64;

/// The symbolic links that a COPY or ADD may put below its destination, each with its text where that is known; `None` where they
/// are not known.
fn links_brought(step: &Step, around: &Around<'_>) -> Option<Vec<(String, Option<String>)>> {
    if step.kind == StepKind::Add || step.parents {
        // An archive may hold any; a URL is one file, a repository is not.
        return None;
    }
    let mut out = Vec::new();
    for input in &step.inputs {
        match input {
            Input::Context(input) => {
                for source in &input.sources {
                    let files = around.files?;
                    let pattern = SourcePattern::lenient(source);
                    match pattern.kind() {
                        SourceKind::Plain(_) if files.is_link(pattern.cleaned()) => return None,
                        SourceKind::Plain(_) => {
                            let folder = pattern.cleaned().to_owned();
                            let names = files.links_in(&folder)?;
                            let few = names.len() <= MOST_LINKS;
                            let text = |name: String| {
                                let path = format!("{folder}/{name}");
                                let text = few.then(|| files.link_text(&path)).flatten();
                                (name, text)
                            };
                            out.extend(names.into_iter().map(text));
                        }
                        _ if !files.links_in("")?.is_empty() => return None,
                        _ => {}
                    }
                }
            }
            Input::Stage { stage, sources, .. } => {
                let found = (around.links_in)(*stage, sources)?.into_iter();
                out.extend(found.map(|name| (name, None)));
            }
            Input::Image(_) | Input::Named(_) | Input::Remote(_) => return None,
        }
    }
    Some(out)
}
