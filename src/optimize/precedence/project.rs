//! RUNs that work on a project, with the project's files at hand.
//!
//! Goes in: a footprint, what its commands need of the project, and what lies in the image below them. Comes out: a
//! narrower effect, and whether a COPY may come behind a RUN because it brings nothing that the RUN looks at, or only
//! what is there already. Cost: O(claims · files of the COPY). Invariant: narrower only where the needs are known.

use super::super::effect::Effect;
use super::{Item, Relation, Scene};
use crate::dockerfile::Kind;
use crate::footprint::{Certainty, Extent, Footprint, Link, PathClaim, PathSet, Use};
use crate::rewrite::ContextFiles;
use crate::rewrite::layout::{Laid, Layout, brought_by};
use crate::rewrite::needs::{self, Needs, Project};
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
    if footprint.uses.is_empty() || footprint.opaque.is_some() {
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
        match needs::of_use(used, &laid) {
            Ok(more) => {
                all.reads.extend(more.reads);
                all.writes.extend(more.writes);
                all.assumptions.extend(more.assumptions);
            }
            Err(why) => {
                return Some(Err(why));
            }
        }
    }
    all.assumptions.sort();
    all.assumptions.dedup();
    Some(Ok(all))
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
    effect.reads = without(&effect.reads, &reads, &others_read, &needs.reads);
    effect.writes = without(&effect.writes, &writes, &others_write, &needs.writes);
    effect.links.retain(|l| !writes.contains(&l.at));
    let unknown = |at: &PathClaim| Link {
        at: at.clone(),
        to: None,
        hard: false,
        instead: false,
    };
    effect.links.extend(needs.writes.iter().map(unknown));
    effect.certainty = Some(Certainty::Assumed);
    effect.assumptions.extend(needs.assumptions.iter().cloned());
    let etc = PathClaim::exact("/etc");
    let on_the_way = |c: &PathClaim| c.covers(&etc) || PathClaim::subtree("/etc").covers(c);
    let beside = others().all(|e| e.writes.is_empty() && !e.reads.iter().any(on_the_way));
    if footprint.uses.iter().all(downloads_modules) && beside {
        look_at_little_of_etc(effect);
    }
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
        let files = self.files?;
        if !matches!(copy.instruction.kind, Kind::Copy(_) | Kind::Add(_)) {
            return None;
        }
        let Some(Ok(needs)) = &run.needs else {
            return None;
        };
        let (Some(Ok(brings)), Some(Ok(effect))) = (&copy.effect, &run.effect) else {
            return None;
        };
        let (_, step) = copy.step?;
        let below = self.layouts[stage].first(copy.layers);
        let laid = Laid {
            layout: &below,
            files,
        };
        let changes = brings.changes();
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
            above
                .iter()
                .any(|a| brought_by(step, a, files).is_none_or(|b| !b.is_empty()))
        };
        // A folder that is looked at, or changed to, may be there only because the COPY brings files in it.
        let started = effect.cwd.as_deref().map(PathClaim::exact);
        let stands = |claim: &PathClaim| {
            let all = PathClaim::subtree(&*claim.path);
            started.as_ref().is_some_and(|c| all.covers(c)) || laid.has_below(&claim.path)
        };
        for claim in effect.reads.claims.iter().chain(&effect.programs.claims) {
            if claim.extent == Extent::Exact
                && !stands(claim)
                && !brought_by(step, &PathClaim::subtree(&*claim.path), files)?.is_empty()
                && brought_by(step, claim, files)?.is_empty()
            {
                return None;
            }
            if !meets(claim) {
                continue;
            }
            let brought = brought_by(step, claim, files)?;
            let there = |(place, from): &(String, String)| {
                laid.context_path(place).as_deref() == Some(from)
            };
            if !brought.iter().all(there) || on_the_way(claim) {
                return None;
            }
        }
        for claim in effect.writes.claims.iter().filter(|c| meets(c)) {
            // A lock file that the RUN leaves as it is.
            let kept = claim.extent == Extent::Exact && needs.reads.contains(claim);
            if !kept && (!brought_by(step, claim, files)?.is_empty() || on_the_way(claim)) {
                return None;
            }
        }
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
            // Its folder is there, or the files in it would not be.
            cwd: None,
            certainty: Some(Certainty::Assumed),
            ..effect.clone()
        };
        match self.steps(stage, (first, brings), (second, &rest)) {
            Relation::Commute {
                mut assumptions, ..
            } => {
                assumptions.extend(effect.assumptions.iter().cloned());
                assumptions.sort();
                assumptions.dedup();
                Some(Relation::Commute {
                    certainty: Certainty::Assumed,
                    assumptions,
                    because: NEEDS_LITTLE.to_owned(),
                })
            }
            Relation::Keep(_) => None,
        }
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
