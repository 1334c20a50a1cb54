//! What earlier lines have left at a place.
//!
//! Goes in: a line and a path. Comes out: whether something is there, may be there, or surely is not, and whose it is. Linear in the
//! lines of the stages. Invariant: what is not known counts as there, under another owner and mode; what that leaves to assume is
//! noted.

use super::attributes::{is_number, touches_accounts};
use super::{Brings, Flags, Folding, Run, What};
use crate::footprint::{Extent, PathClaim, PathSet, is_below};
use crate::plan::StepKind;
use crate::rewrite::flow::chain;
use crate::rewrite::layout::brought_by;
use crate::rewrite::link::is_of_system;
use crate::rewrite::{Bottom, Line, StageView};

/// Whether a line may make such a folder.
fn makes_folder(line: &Line<'_>, is_such: &dyn Fn(&str) -> bool) -> bool {
    let leaves = line.leaves.as_ref();
    leaves.is_none_or(|l| l.makes.iter().any(|(made, _)| is_such(made)))
}

impl<'v, 'a> Folding<'v, 'a> {
    /// Whether a line may write at a place; what lies in a folder of that name counts as a file by its name.
    pub(super) fn writes(&mut self, line: usize, touched: &PathSet) -> Option<bool> {
        let own = &self.stage.lines[line];
        let leaves = own.leaves.as_ref()?;
        if leaves.writes.overlaps(touched).is_none() {
            return Some(false);
        }
        let Some(step) = own.step else {
            return Some(true);
        };
        // Packages leave folders of projects alone.
        if let Some(beside) = step
            .footprint
            .as_ref()
            .and_then(|f| f.beside_packages.as_ref())
        {
            let project = touched.claims.iter().all(|c| !is_of_system(&c.path));
            if project && beside.overlaps(touched).is_none() {
                let places: Vec<&str> = touched.claims.iter().map(|c| c.path.as_str()).collect();
                self.assumptions
                    .insert(format!("no package has files at {}", places.join(" and ")));
                return Some(false);
            }
        }
        if step.kind == StepKind::Copy
            && let Some(Brings {
                what: What::Named(place),
                ..
            }) = Brings::of(self.view, step)
            && PathSet::new(vec![PathClaim::subtree(&*place)])
                .overlaps(touched)
                .is_none()
        {
            let line = self.instruction(line).line;
            self.assumptions
                .insert(format!("what line {line} copies as {place} is a file"));
            return Some(false);
        }
        Some(true)
    }

    /// The stage and those that it stands on, each with how many of its lines stand before one.
    pub(super) fn chain(&self, line: usize) -> Option<Vec<(&'v StageView<'a>, usize)>> {
        let graph = &self.view.plan.graph;
        // What the triggers of a base image leave is not looked into.
        let plain = |stage: usize| {
            let mut steps = self.view.plan.stages[stage].steps.iter();
            steps.all(|n| graph[*n].id.trigger == 0)
        };
        let mut all = vec![(self.stage, line)];
        for below in chain(self.view.plan, self.stage.stage).skip(1) {
            let stage = self.view.stages.iter().find(|s| s.stage == below)?;
            all.push((stage, stage.lines.len()));
        }
        all.iter().all(|(s, _)| plain(s.stage)).then_some(all)
    }

    /// Lines of the stages that stand before one, nearest first.
    pub(super) fn before(&self, line: usize) -> Option<Vec<&'v Line<'a>>> {
        let chain = self.chain(line)?;
        let lines = chain
            .into_iter()
            .flat_map(|(s, n)| s.lines[..n].iter().rev());
        Some(lines.collect())
    }

    /// Whether an earlier line surely made a folder.
    pub(super) fn is_there(&self, line: usize, folder: &str) -> bool {
        let makes = |stage: &'v StageView<'a>, at: usize| {
            let own = &stage.lines[at];
            let Some(step) = own.step else { return false };
            let Some(footprint) = &step.footprint else {
                let leaves = own.leaves.as_ref();
                return leaves.is_some_and(|l| l.makes.iter().any(|(made, _)| *made == folder));
            };
            // A substitution may fail, and what is in a mount is gone.
            let fails = !step.text.contains(['`', '$']) && Run::of(self.view, stage, at).is_some();
            fails && footprint.requires.iter().any(|r| is_below(r, folder))
        };
        let Some(chain) = self.chain(line) else {
            return false;
        };
        let mut lines = chain
            .into_iter()
            .flat_map(|(s, n)| (0..n).map(move |at| (s, at)));
        lines.any(|(stage, at)| makes(stage, at))
    }

    /// Whether a line goes through a link that the file makes: what its paths say is not where it touches something.
    pub(super) fn goes_through_links(&self) -> bool {
        let Some(before) = self.before(self.stage.lines.len()) else {
            return true;
        };
        let links = |l: &Line<'_>| -> Vec<String> {
            let links = l.leaves.as_ref().map(|l| l.links.as_slice());
            let exact = links.unwrap_or_default().iter();
            let exact = exact.filter(|c| c.extent == Extent::Exact);
            exact.map(|c| c.path.clone()).collect()
        };
        let made: Vec<(usize, Vec<String>)> = before
            .iter()
            .map(|l| links(l))
            .enumerate()
            .filter(|(_, l)| !l.is_empty())
            .collect();
        if made.is_empty() {
            return false;
        }
        let meets = |n: usize, path: &str| {
            let mut made = made.iter();
            made.any(|(by, links)| {
                let own = *by == n;
                links
                    .iter()
                    .any(|l| is_below(path, l) && !(own && path == l))
            })
        };
        before.iter().enumerate().any(|(n, l)| {
            let mut claims: Vec<&str> = Vec::new();
            if let Some(leaves) = &l.leaves {
                claims.extend(leaves.writes.claims.iter().map(|c| c.path.as_str()));
                claims.extend(leaves.makes.iter().map(|(m, _)| *m));
            }
            if let Some(f) = l.step.and_then(|s| s.footprint.as_ref()) {
                claims.extend(f.reads.claims.iter().map(|c| c.path.as_str()));
            }
            claims.iter().any(|c| meets(n, c))
        })
    }

    /// Whether a file that is copied under this name does not come to lie in a folder of the name.
    pub(super) fn is_no_folder(&mut self, line: usize, path: &str) -> bool {
        let Some(before) = self.before(line) else {
            return false;
        };
        let mut sure = true;
        for own in before.iter().filter(|l| l.step.is_some()) {
            let Some(leaves) = &own.leaves else {
                sure = false;
                continue;
            };
            let inside = |p: &str| is_below(p, path);
            if leaves.makes.iter().any(|(made, _)| inside(made)) {
                return false;
            }
            for claim in &leaves.writes.claims {
                if claim.path != path && inside(&claim.path) {
                    return false;
                }
                let at = *claim == PathClaim::exact(path);
                if !at && claim.covers(&PathClaim::exact(path)) {
                    let named = claim.path == path;
                    let brought = own
                        .step
                        .and_then(|s| brought_by(s, &PathClaim::subtree(path), self.view.files));
                    match brought {
                        Some(files) if files.iter().any(|(place, _)| place != path) => {
                            return false;
                        }
                        Some(_) => {}
                        None if named => return false,
                        None => sure = false,
                    }
                }
            }
        }
        if !sure {
            self.assumptions
                .insert(format!("there is no folder {path} yet"));
        }
        true
    }

    /// Whether there is surely nothing at a place yet, or all there is as the flags say.
    pub(super) fn is_missing(&mut self, line: usize, path: &str, flags: &Flags) -> bool {
        let given = self.uniform(line, path);
        let same =
            |asked: &Option<String>, given: &Option<String>| asked.is_none() || asked == given;
        let alike = same(&flags.mode, &given.mode) && same(&flags.owner, &given.owner);
        let makes = |l: &Line<'_>| makes_folder(l, &|made| is_below(made, path));
        alike || self.is_untouched(line, path, &makes)
    }

    /// Whether an earlier line made this folder and there is nothing in it.
    pub(super) fn is_empty_folder(&mut self, line: usize, path: &str) -> bool {
        let inside = |made: &str| made != path && is_below(made, path);
        let makes = |l: &Line<'_>| makes_folder(l, &inside);
        self.is_there(line, path) && self.is_untouched(line, path, &makes)
    }

    /// Whether nothing below a line writes at a place, or makes folders there, and the image has nothing there.
    pub(super) fn is_untouched(
        &mut self,
        line: usize,
        path: &str,
        makes: &dyn Fn(&Line<'_>) -> bool,
    ) -> bool {
        let touched = PathSet::new(vec![PathClaim::subtree(path)]);
        for at in 0..line {
            let own = &self.stage.lines[at];
            let spares =
                own.step.is_none() || !makes(own) && self.writes(at, &touched) == Some(false);
            if !spares {
                return false;
            }
        }
        let spares = |l: &&Line<'_>| {
            let leaves = l.leaves.as_ref();
            let writes = leaves.is_none_or(|l| l.writes.overlaps(&touched).is_some());
            l.step.is_none() || !writes && !makes(l)
        };
        let Some(before) = self.before(line) else {
            return false;
        };
        if !before[line..].iter().all(spares) {
            return false;
        }
        let image = match self.stage.bottom {
            Bottom::Empty => return true,
            _ if is_of_system(path) => return false,
            Bottom::Plain => "the base image",
            Bottom::Unknown(name) => name,
        };
        self.assumptions
            .insert(format!("{image} has nothing at {path}"));
        true
    }

    /// Owner and mode that earlier RUNs gave to everything at a place, as far as no line behind them touched it.
    pub(super) fn uniform(&mut self, line: usize, path: &str) -> Flags {
        let touched = PathSet::new(vec![PathClaim::subtree(path)]);
        let mut flags = Flags::default();
        let mut accounts = false;
        for at in (0..line).rev() {
            let own = &self.stage.lines[at];
            let Some(step) = own.step else { continue };
            let leaves = own.leaves.as_ref();
            accounts |= leaves.is_none_or(|l| touches_accounts(l.writes));
            let makes = makes_folder(own, &|made| is_below(made, path));
            if !makes && self.writes(at, &touched) == Some(false) {
                continue;
            }
            let Some(run) =
                Run::of(self.view, self.stage, at).filter(|_| step.kind == StepKind::Run)
            else {
                break;
            };
            let known = flags.owner.is_some();
            let goes_on = run.gives(path, &mut flags);
            // A name may be another account's by now.
            if !known && accounts && flags.owner.as_ref().is_some_and(|o| !is_number(o)) {
                flags.owner = Some(String::new());
            }
            if !goes_on {
                break;
            }
        }
        flags
    }
}
