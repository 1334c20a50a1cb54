//! What a RUN may see of a COPY that brings once more what is there, beside the bytes of its files: owners, modes, folders,
//! links.
//!
//! Goes in: a COPY of the context and a RUN behind it. Comes out: whether the RUN sees the same without the COPY. Linear in claims
//! and earlier lines. Invariant: folders that a COPY brings with its tree get its owner and mode again, only the one that it copies
//! to keeps its own (builds on BuildKit 0.25, docs/rewrites/merge-run.md).

use super::super::effect::Effect;
use super::Scene;
use crate::footprint::{Extent, PathClaim, PathSet, is_below};
use crate::plan::{Base, Dest, Input, Step, StepKind};
use crate::rewrite::layout::{Arrivals, comes_through};

/// Owner and mode of what a COPY brings.
fn flags(step: &Step) -> Option<(Option<&str>, Option<&str>)> {
    let dest: &Dest = step.dest.as_ref()?;
    let mode = dest.mode.as_deref().map(|m| m.trim_start_matches('0'));
    Some((dest.owner.as_deref(), mode))
}

impl Scene<'_> {
    /// The places at which earlier lines brought files with another owner or mode than a COPY does.
    pub(super) fn with_other_flags(&self, stage: usize, copy: usize) -> Vec<&PathSet> {
        let Some((_, step)) = self.stages[stage][copy].step else {
            return Vec::new();
        };
        let own = flags(step);
        let mut lines = vec![&self.stages[stage][..copy]];
        let mut at = stage;
        while let Base::Stage(below) = self.plan.stages[at].base {
            lines.push(&self.stages[below]);
            at = below;
        }
        let mut out = Vec::new();
        for item in lines.into_iter().flatten() {
            let (Some((_, step)), Some(Ok(effect))) = (item.step, &item.effect) else {
                continue;
            };
            // What others bring is not there as far as the layout goes.
            let brings = matches!(step.kind, StepKind::Copy | StepKind::Add)
                && (step.inputs.iter().any(|i| matches!(i, Input::Context(_)))
                    || comes_through(self.plan, step));
            if brings && (step.kind == StepKind::Add || flags(step) != own) {
                out.push(&effect.writes);
            }
        }
        out
    }

    /// Whether a RUN of plain commands sees the same files, folders and links without a COPY before it, as far as its paths go; and
    /// what that rests on. That the bytes of the files are there is for others to say.
    pub(super) fn sees_the_same(
        &self,
        stage: usize,
        (copy, run): (usize, usize),
        arrivals: &Arrivals,
    ) -> Option<Vec<String>> {
        let items = &self.stages[stage];
        let (Some(Ok(brings)), Some(Ok(effect))) = (&items[copy].effect, &items[run].effect) else {
            return None;
        };
        if self.is_led_elsewhere(stage, effect) {
            return None;
        }
        let (_, step) = items[copy].step?;
        let top = step.dest.as_ref()?.best()?;
        let changes = brings.changes();
        let meets = |claim: &PathClaim| {
            let one = PathSet::new(vec![claim.clone()]);
            changes.overlaps(&one).is_some()
        };
        let own = |set: &PathSet| -> Vec<PathClaim> {
            let all = set.claims.iter().filter(|c| meets(c));
            all.cloned().collect()
        };
        let (reads, writes) = (own(&effect.reads), own(&effect.writes));
        let files_in = |folder: &str| arrivals.at(&PathClaim::subtree(folder)).next().is_some();
        let is_file = |path: &str| arrivals.at(&PathClaim::exact(path)).next().is_some();
        // A folder that the COPY brings with what is in it.
        let is_folder =
            |path: &str| path != top && is_below(path, top) && files_in(path) && !is_file(path);
        let all: Vec<&PathClaim> = effect
            .reads
            .claims
            .iter()
            .chain(&effect.writes.claims)
            .collect();
        let is_on_the_way = |path: &str| {
            all.iter()
                .any(|c| c.path != path && is_below(&c.path, path))
        };
        if writes.iter().any(|c| is_folder(&c.path)) {
            return None;
        }
        let looked_at = |c: &&PathClaim| c.extent == Extent::Exact && is_folder(&c.path);
        if reads
            .iter()
            .filter(looked_at)
            .any(|c| !is_on_the_way(&c.path))
        {
            return None;
        }
        // Those who look at folders see whose they are.
        const LOOKERS: &[&str] = &[
            "cp", "du", "find", "install", "ls", "mv", "rsync", "stat", "tar", "test", "[", "zip",
        ];
        let run_step = items[run].step?.1;
        let looks = run_step.footprint.as_ref().is_some_and(|f| {
            let mut names = f.commands.iter();
            names.any(|c| LOOKERS.contains(&c.as_str()))
        });
        if looks
            && reads
                .iter()
                .any(|c| c.extent == Extent::Subtree && is_folder(&c.path))
        {
            return None;
        }
        // Others than root go through folders that let them.
        if !effect.as_root {
            let through = |c: &PathClaim| {
                let mut above = c.path.as_str();
                let mut closed = false;
                while let Some((folder, _)) = above.rsplit_once('/') {
                    closed |= is_folder(folder);
                    above = folder;
                }
                closed
            };
            if reads.iter().chain(&writes).any(through) {
                return None;
            }
        }
        // What a RUN did there before the COPY is undone by it.
        let touched = PathSet::new(reads.iter().chain(&writes).cloned().collect());
        let undone = items[..copy].iter().any(|i| {
            let runs = i.step.is_some_and(|(_, s)| s.kind == StepKind::Run);
            let Some(Ok(e)) = &i.effect else { return false };
            let inside = PathSet::new(
                e.writes
                    .claims
                    .iter()
                    .filter(|c| meets(c))
                    .cloned()
                    .collect(),
            );
            runs && e.beside_packages.is_none() && inside.overlaps(&touched).is_some()
        });
        if undone {
            return None;
        }
        // One whose files are all ignored is brought all the same.
        let asked = reads.iter().chain(&writes);
        let asked =
            asked.filter(|c| c.extent == Extent::Exact && c.path != top && is_below(&c.path, top));
        let empty = asked.filter(|c| !is_file(&c.path) && !files_in(&c.path));
        let sentence =
            |c: &PathClaim| format!("the build context has no empty folder for {}", c.path);
        Some(empty.map(sentence).collect())
    }

    /// Whether a path of a step goes through a link that the file makes under a name that is known.
    fn is_led_elsewhere(&self, stage: usize, effect: &Effect) -> bool {
        let links = self.left[stage].links.iter().map(|(_, l)| &l.at);
        let links: Vec<&PathClaim> = links.filter(|at| at.extent == Extent::Exact).collect();
        let mut all = effect.reads.claims.iter().chain(&effect.writes.claims);
        all.any(|c| links.iter().any(|l| is_below(&c.path, &l.path)))
    }
}
