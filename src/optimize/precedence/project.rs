//! RUNs that work on a project, with the project's files at hand.
//!
//! Goes in: a footprint, what its commands need of the project, and what lies in the image below them. Comes out: a
//! narrower effect, and whether a COPY may come behind a RUN because it brings nothing that the RUN looks at, or only
//! what is there already. Cost: O(claims · files of the COPY). Invariant: narrower only where the needs are known.

use super::super::effect::{self, Effect, Standing};
use super::{Item, Relation, Scene};
use crate::dockerfile::Kind;
use crate::footprint::{Certainty, Extent, Footprint, Link, PathClaim, PathSet, Use};
use crate::plan::{Input, Step, StepKind};
use crate::rewrite::ContextFiles;
use crate::rewrite::layout::{Laid, Layout, Snapshot};
use crate::rewrite::needs::{self, Needs};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Why a COPY and a RUN commute, where it is for the needs of the RUN.
pub(in crate::optimize) const NEEDS_LITTLE: &str =
    "the RUN looks only at files that were copied before";

/// What the uses of a RUN need, together: nothing where it has none.
pub(super) fn needs_of(
    footprint: &Footprint,
    layout: &Layout,
    files: Option<&dyn ContextFiles>,
) -> Option<Result<Needs, String>> {
    let open = footprint.opaque.is_none() || footprint.builds;
    if footprint.uses.is_empty() || !open {
        return None;
    }
    let shell = |c: &String| matches!(c.as_str(), "sh" | "ash" | "dash" | "bash");
    if footprint.commands.iter().any(shell) {
        return Some(Err(
            "a script inside the script is not looked into".to_owned()
        ));
    }
    let Some(files) = files else {
        return Some(Err("the build context is not known".to_owned()));
    };
    let laid = Laid { layout, files };
    let mut all = Needs::default();
    for used in &footprint.uses {
        // Workspaces have many manifests, and most files that are asked for are not there.
        let node = matches!(used.tool.as_str(), "npm" | "yarn" | "yarnpkg" | "pnpm");
        let found = match footprint.builds || node {
            true => remembered(used, &laid),
            false => needs::of_use(used, &laid),
        };
        match found {
            Ok(more) => {
                all.reads.extend(more.reads);
                all.names.extend(more.names);
                all.writes.extend(more.writes);
                all.adds.extend(more.adds);
                all.assumptions.extend(more.assumptions);
                all.afterwards = all.afterwards.or(more.afterwards);
            }
            Err(why) => {
                return Some(Err(why));
            }
        }
    }
    // Other commands of the RUN may look into what one asks for by its names.
    let looks_into = |c: &PathClaim| {
        let inside = |n: &PathClaim| {
            (n.covers(c) && n.path != c.path) || (c.extent == Extent::Subtree && c.covers(n))
        };
        all.names.iter().any(inside)
    };
    let mut others = footprint
        .beside_uses()
        .flat_map(|e| e.reads.iter().chain(&e.writes));
    if others.any(looks_into) {
        all.reads.append(&mut all.names);
    }
    all.assumptions.sort();
    all.assumptions.dedup();
    Some(Ok(all))
}

/// The same for one use whose needs take long to find: once for all files that lie alike.
fn remembered(used: &Use, laid: &Laid<'_>) -> Result<Needs, String> {
    let snapshot = Snapshot::of(laid.layout, laid.files);
    let Some(memo) = laid.files.memo() else {
        return needs::of_use(used, &snapshot);
    };
    let mut hash = blake3::Hasher::new();
    hash.update(&snapshot.digest());
    let how = (
        &used.tool,
        &used.arguments,
        &used.dir,
        &used.variables,
        &used.wrapper,
    );
    hash.update(format!("{how:?}").as_bytes());
    memo.found(hash.finalize().into(), || needs::of_use(used, &snapshot))
}

/// Whether the footprint of a use holds only where its needs are known: it names manifests alone.
pub(super) fn trusts_manifests(used: &Use) -> bool {
    let pip = matches!(used.tool.as_str(), "npm" | "go" | "pip" | "pip3")
        || used.tool.starts_with("python");
    let asks = |a: &String| {
        a == "-r" || a == "-c" || a.starts_with("--requirement") || a.starts_with("--constraint")
    };
    if used.wrapper.is_some() {
        return true;
    }
    let arguments = used.arguments.as_deref().unwrap_or_default();
    match used.tool.as_str() {
        "npm" => !arguments
            .iter()
            .any(|a| a == "-g" || a == "--global" || a == "cache"),
        "go" => true,
        _ => pip && arguments.iter().any(asks),
    }
}

/// Puts the needs in the place of claims on the whole tree of the project.
pub(super) fn narrow(effect: &mut Effect, footprint: &Footprint, needs: &Needs) {
    let others = || footprint.beside_uses();
    let tree = |claims: &[PathClaim], dir: &str| -> Vec<PathClaim> {
        let top = |c: &&PathClaim| c.extent == Extent::Subtree && c.covers(&PathClaim::exact(dir));
        claims.iter().filter(top).cloned().collect()
    };
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for used in &footprint.uses {
        let dir = used.dir.as_deref().unwrap_or("/");
        reads.extend(tree(&used.reads, dir));
        writes.extend(tree(&used.writes, dir));
    }
    let others_read: Vec<&PathClaim> = others().flat_map(|e| &e.reads).collect();
    let others_write: Vec<&PathClaim> = others().flat_map(|e| &e.writes).collect();
    reads.retain(|c| !others_read.contains(&c));
    writes.retain(|c| !others_write.contains(&c));
    let without =
        |set: &PathSet, gone: &[PathClaim], back: &[&PathClaim], own: &BTreeSet<PathClaim>| {
            let kept = set.claims.iter().filter(|c| !gone.contains(c));
            let all = kept.chain(back.iter().copied()).chain(own);
            PathSet::new(all.cloned().collect())
        };
    let seen = needs.sees().cloned().collect();
    effect.reads = without(&effect.reads, &reads, &others_read, &seen);
    let changed = needs.writes.union(&needs.adds).cloned().collect();
    effect.writes = without(&effect.writes, &writes, &others_write, &changed);
    effect.links.retain(|l| !writes.contains(&l.at));
    let unknown = |at: &PathClaim| Link {
        at: at.clone(),
        to: None,
        hard: false,
        instead: false,
    };
    effect.links.extend(changed.iter().map(unknown));
    let etc = PathClaim::exact("/etc");
    let on_the_way = |c: &PathClaim| c.covers(&etc) || PathClaim::subtree("/etc").covers(c);
    let beside = others().all(|e| e.writes.is_empty() && !e.reads.iter().any(on_the_way));
    if footprint.uses.iter().all(downloads_modules) && beside {
        look_at_little_of_etc(effect);
    }
    rest_on(effect, needs);
}

/// What a RUN does that builds the project with its own scripts. Other commands keep their order with it wherever they
/// touch the project: only of the files of the context is it known which of them it looks at.
pub(super) fn of_build(
    step: &Step,
    footprint: &Footprint,
    standing: Standing<'_>,
    needs: &Result<Needs, String>,
) -> Result<Effect, String> {
    let needs = needs
        .as_ref()
        .map_err(|why| format!("line {}: {why}", step.line))?;
    let known = Footprint {
        opaque: None,
        ..footprint.clone()
    };
    let mut out = effect::run(step, &known, standing)?;
    rest_on(&mut out, needs);
    Ok(out)
}

/// The places at which such a RUN may leave other files than those of the context: what it builds lies beside them.
pub(super) fn left_by_build(
    effect: Option<&Effect>,
    footprint: &Footprint,
    needs: &Result<Needs, String>,
) -> Option<PathSet> {
    let (effect, needs) = (effect?, needs.as_ref().ok()?);
    let without = Needs {
        adds: BTreeSet::new(),
        ..needs.clone()
    };
    let mut narrow_effect = effect.clone();
    narrow(&mut narrow_effect, footprint, &without);
    Some(narrow_effect.writes)
}

fn rest_on(effect: &mut Effect, needs: &Needs) {
    effect.certainty = Some(Certainty::Assumed);
    effect.assumptions.extend(needs.assumptions.iter().cloned());
    effect.assumptions.sort();
    effect.assumptions.dedup();
}

/// `go mod download`: one program, and git where a module has no archive.
fn downloads_modules(used: &Use) -> bool {
    let words = used.arguments.as_deref().unwrap_or_default();
    used.tool == "go" && words.ends_with(&["mod".to_owned(), "download".to_owned()])
}

/// Of the system's settings a download takes those of the network, of accounts, of certificates and of git.
fn look_at_little_of_etc(effect: &mut Effect) {
    const FILES: [&str; 10] = [
        "/etc/gitconfig",
        "/etc/group",
        "/etc/hosts",
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/localtime",
        "/etc/netrc",
        "/etc/nsswitch.conf",
        "/etc/passwd",
        "/etc/resolv.conf",
    ];
    const FOLDERS: [&str; 5] = [
        "/etc/ca-certificates",
        "/etc/pki",
        "/etc/ssh",
        "/etc/ssl/certs",
        "/etc/ld.so.conf.d",
    ];
    let all = PathClaim::subtree("/etc");
    if !effect.reads.claims.contains(&all) {
        return;
    }
    let kept = effect.reads.claims.iter().filter(|c| **c != all).cloned();
    let files = FILES.iter().map(|f| PathClaim::exact(*f));
    let folders = FOLDERS.iter().map(|f| PathClaim::subtree(*f));
    effect.reads = PathSet::new(kept.chain(files).chain(folders).collect());
    effect.assumptions.push(
        "of /etc a download of modules looks at hosts, accounts, certificates and git's settings only".to_owned(),
    );
}

impl Scene<'_> {
    /// A COPY of the context and a RUN behind it whose needs are known: they commute where nothing that the COPY
    /// brings meets the RUN, files aside that an earlier COPY brought as well.
    pub(super) fn needs_little(
        &self,
        stage: usize,
        first: usize,
        second: usize,
    ) -> Option<Relation> {
        let (copy, run) = (&self.stages[stage][first], &self.stages[stage][second]);
        if !matches!(copy.instruction.kind(), Kind::Copy(_) | Kind::Add(_)) {
            return None;
        }
        let Some(Ok(needs)) = &run.needs else {
            return None;
        };
        self.looks_little(stage, (first, second), needs)
    }

    /// The same for a RUN of plain commands, of which the effect says all.
    pub(super) fn reads_little(
        &self,
        stage: usize,
        first: usize,
        second: usize,
    ) -> Option<Relation> {
        let (copy, run) = (&self.stages[stage][first], &self.stages[stage][second]);
        let takes = |s: &Step| s.inputs.iter().any(|i| matches!(i, Input::Context(_)));
        let plain = run.needs.is_none()
            && run.step.is_some_and(|(_, s)| s.kind == StepKind::Run)
            && matches!(copy.instruction.kind(), Kind::Copy(_))
            && copy.step.is_some_and(|(_, s)| takes(s));
        plain.then(|| self.looks_little(stage, (first, second), &Needs::default()))?
    }

    fn looks_little(
        &self,
        stage: usize,
        (first, second): (usize, usize),
        needs: &Needs,
    ) -> Option<Relation> {
        let (copy, run) = (&self.stages[stage][first], &self.stages[stage][second]);
        let files = self.files?;
        let (Some(Ok(brings)), Some(Ok(effect))) = (&copy.effect, &run.effect) else {
            return None;
        };
        let mut narrowed = Cow::Borrowed(effect);
        if let Some(footprint) = run.step.and_then(|(_, s)| s.footprint.as_ref())
            && footprint.builds
        {
            narrow(narrowed.to_mut(), footprint, needs);
        }
        let effect = narrowed.as_ref();
        let arrivals = self.arrivals(stage, first, files);
        let below = self.below(stage, first, files);
        let changes = brings.changes();
        let plain = run.needs.is_none();
        let more = match plain {
            true => self.sees_the_same(stage, (first, second), arrivals.as_ref()?)?,
            false => Vec::new(),
        };
        // A folder below the one that is copied to gets its owner and mode by the COPY, and others than root start there as
        // these let them.
        let top = copy.step.and_then(|(_, s)| s.dest.as_ref()?.best());
        let starts = effect.cwd.as_deref().zip(top).filter(|(cwd, top)| {
            !effect.as_root && cwd != top && crate::footprint::is_below(cwd, top)
        });
        if let Some((cwd, _)) = starts
            && arrivals
                .as_ref()?
                .at(&PathClaim::subtree(cwd))
                .next()
                .is_some()
        {
            return None;
        }
        // Other commands of the RUN may do more to files that one leaves as they are.
        if let Some(footprint) = run.step.and_then(|(_, s)| s.footprint.as_ref()) {
            let adds = PathSet::new(needs.adds.iter().cloned().collect());
            let mut others = footprint.beside_uses().flat_map(|e| &e.writes);
            if others.any(|w| adds.overlaps(&PathSet::new(vec![w.clone()])).is_some()) {
                return None;
            }
        }
        // A file is there where it has the same owner and mode too.
        let others = self.with_other_flags(stage, first);
        let alike = |place: &str| {
            let place = PathClaim::exact(place);
            !others
                .iter()
                .any(|s| s.claims.iter().any(|c| c.covers(&place)))
        };
        // Whom files belong to is looked up where the COPY stands.
        if effect.writes.overlaps(&brings.reads).is_some() {
            return None;
        }
        let meets = |claim: &PathClaim| {
            changes
                .overlaps(&PathSet::new(vec![claim.clone()]))
                .is_some()
        };
        // A file or a link where the RUN's path has a folder would lead it elsewhere.
        let on_the_way = |claim: &PathClaim| {
            let mut above = PathSet::new(vec![claim.clone()]).ancestors().claims;
            above.retain(|a| meets(a));
            let brings = |a: &PathClaim| arrivals.as_ref().is_none_or(|b| b.at(a).next().is_some());
            above.iter().any(brings)
        };
        // A folder that is looked at, or changed to, may be there only because the COPY brings files in it.
        let started = effect.cwd.as_deref().map(PathClaim::exact);
        let stands = |claim: &PathClaim| {
            let all = PathClaim::subtree(&*claim.path);
            started.as_ref().is_some_and(|c| all.covers(c)) || below.has_below(&claim.path)
        };
        // What is looked at in a folder of which otherwise the names count.
        let inner = needs.reads.iter().filter(|_| !needs.names.is_empty());
        let own = effect.reads.claims.iter().chain(&effect.programs.claims);
        for claim in own.chain(inner) {
            if !meets(claim) {
                continue;
            }
            let inside = PathClaim::subtree(&*claim.path);
            if claim.extent == Extent::Exact
                && !stands(claim)
                && arrivals.as_ref()?.at(&inside).next().is_some()
                && arrivals.as_ref()?.at(claim).next().is_none()
            {
                return None;
            }
            // Later commands would take them for newer than what the RUN made of them.
            let again = needs.afterwards.is_some() && needs.reads.contains(claim);
            if again && arrivals.as_ref()?.at(claim).next().is_some() {
                return None;
            }
            let mut brought = arrivals.as_ref()?.at(claim);
            let by_name = needs.names.contains(claim) && !needs.reads.contains(claim);
            let there = |(place, from): &(String, String)| {
                let found = match by_name {
                    true => below.named(place),
                    false => below.from(place),
                };
                found == Some(from) && alike(place)
            };
            if !brought.all(there) || on_the_way(claim) {
                return None;
            }
        }
        // Of files that it writes over in a folder to which otherwise it only adds, another COPY must not come behind it.
        let inner = needs.writes.iter().filter(|_| !needs.adds.is_empty());
        let own = effect.writes.claims.iter();
        for claim in own.chain(inner).filter(|c| meets(c)) {
            // A lock file that the RUN leaves as it is.
            let kept = claim.extent == Extent::Exact && needs.reads.contains(claim);
            // A build leaves the files of the project as they are, which the COPY writes again.
            let spared = |(place, from): &(String, String)| {
                needs.adds.contains(claim) && below.from(place) == Some(from)
            };
            let mut brought = arrivals.as_ref()?.at(claim);
            if !kept && (!brought.all(spared) || on_the_way(claim)) {
                return None;
            }
        }
        let earlier = &self.stages[stage][..first];
        let is_made = |folder: &str| {
            // `COPY --link` lays its own over it.
            let laid = copy.step.is_some_and(|(_, s)| !s.keyed_by_parent);
            let mut effects = earlier
                .iter()
                .filter_map(|i| i.effect.as_ref()?.as_ref().ok());
            // Of those below that one the COPY sets owner and mode.
            !laid
                && top == Some(folder)
                && effects.any(|e| e.makes.iter().any(|m| m.path == folder))
        };
        // All else is for the rules of any two steps: what of the RUN's places the COPY meets was looked at file by file.
        let apart = |set: &PathSet| {
            let rest = set.claims.iter().filter(|c| !meets(c));
            PathSet::new(rest.cloned().collect())
        };
        let rest = Effect {
            reads: apart(&effect.reads),
            programs: apart(&effect.programs),
            writes: apart(&effect.writes),
            links: effect
                .links
                .iter()
                .filter(|l| !meets(&l.at))
                .cloned()
                .collect(),
            // Its folder is there, or the files in it would not be; and one that is there keeps its owner and mode whatever
            // is copied into it (experiments on BuildKit 0.25, docs/rewrites/merge-run.md).
            cwd: effect
                .cwd
                .clone()
                .filter(|c| run.needs.is_none() && !is_made(c)),
            certainty: Some(Certainty::Assumed),
            ..effect.clone()
        };
        let found = self.steps(stage, (first, brings), (second, &rest));
        let rests_on = effect.assumptions.iter().cloned().chain(more);
        found.resting_on(rests_on, NEEDS_LITTLE)
    }
}

impl Item<'_> {
    /// Why it stays where it is, though its footprint would let it move: that holds for projects whose manifests say
    /// nothing else, and these may.
    #[must_use]
    pub fn reads_more(&self) -> Option<String> {
        let footprint = self.step?.1.footprint.as_ref()?;
        let trusting = footprint.uses.iter().any(trusts_manifests);
        match &self.needs {
            Some(Err(why)) if trusting => Some(why.clone()),
            _ => None,
        }
    }
}
