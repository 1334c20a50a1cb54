//! What the layer of a RUN adds, and what it hides of those below.
//!
//! Goes in: a step and what lies below it. Comes out: bytes and their source; what it writes is noted. Linear in its commands and in the files
//! they touch. Invariants: commands that only take away, or give files another owner or mode, are counted from the files; a rule for the very text
//! stands above what only part of the files could tell; what is downloaded and deleted in one RUN is in no layer.

use super::attributes::{Attributes, Changed};
use super::commands::{Act, Command, commands};
use super::draft::Draft;
use super::ground::Written;
use super::taken::Brought;
use super::{BytesSource, Pile};
use crate::cost::{CostSource, StepCost};
use crate::footprint::{self, Class, Extent, PathClaim, RunState};
use crate::image::{Amount, Disk, LossKind, Store};
use crate::plan::Step;

impl Pile<'_> {
    /// Bytes, their source and what is known to be in it.
    pub(super) fn run(&mut self, step: &Step, number: usize) -> (Option<u64>, BytesSource, Amount) {
        let store = self.model.store;
        let commands = commands(step);
        let opaque = step.footprint.as_ref().is_none_or(|f| f.opaque.is_some());
        let cost = self.model.costs.of(step);
        let Touched {
            amount: added,
            known: exact,
            surely: surely_changed,
            doubled,
        } = self.touch(&commands, number);
        let known = store.bytes(&added).saturating_add(doubled);
        let writes: Vec<(&Command, bool)> = writes(&commands);
        if writes.is_empty() && !opaque {
            let measured = cost
                .bytes
                .filter(|_| cost.bytes_source == CostSource::Measured);
            return match measured {
                Some(bytes) if !exact => (Some(bytes), measured_source(), added),
                // Files that had the mode already stay below.
                Some(bytes) if !surely_changed && bytes < known / 2 => {
                    (Some(bytes), measured_source(), added)
                }
                _ if exact && surely_changed => (Some(known), BytesSource::Context, added),
                _ => (Some(known), BytesSource::Derived, added),
            };
        }
        let (own, source) = self.written(step, &cost, &writes, opaque, known, number);
        (own, source, added)
    }

    /// Bytes of a RUN that brings some, and where they lie.
    fn written(
        &mut self,
        step: &Step,
        cost: &StepCost,
        writes: &[(&Command, bool)],
        opaque: bool,
        known: u64,
        number: usize,
    ) -> (Option<u64>, BytesSource) {
        let stated = |c: &Command| self.model.costs.bytes_of_text("RUN", &c.text);
        let apart = !opaque && writes.iter().any(|(c, gone)| *gone || stated(c).is_some());
        let whole = cost.bytes_source == CostSource::Measured || !apart;
        let (bytes, source, parcels) = if whole {
            let claims = match opaque {
                true => vec![PathClaim::subtree("/")],
                false => {
                    let stay = writes.iter().filter(|(_, gone)| !gone);
                    stay.flat_map(|(c, _)| c.claims.clone()).collect()
                }
            };
            let own = cost.bytes.unwrap_or(0);
            // A prior says nothing of files that are there once more; a rule has seen them.
            let (all, inside) = match cost.bytes_source {
                CostSource::Prior => (own.saturating_add(known), own),
                _ => (own, own.saturating_sub(known)),
            };
            (all, cost.bytes_source, vec![(inside, claims)])
        } else {
            self.command_by_command(step, writes, known)
        };
        for (bytes, claims) in parcels {
            self.ground.written.push(Written {
                layer: number,
                bytes,
                claims,
            });
        }
        (Some(bytes), BytesSource::Costs(source))
    }

    /// The same where rules state bytes of single commands, or the RUN deletes itself what it fetched.
    fn command_by_command(
        &self,
        step: &Step,
        writes: &[(&Command, bool)],
        known: u64,
    ) -> (u64, CostSource, Vec<(u64, Vec<PathClaim>)>) {
        let (mut total, mut source) = (known, CostSource::Measured);
        let mut parcels = Vec::new();
        let mut classes: Vec<Class> = Vec::new();
        let mut others = Vec::new();
        for (command, _) in writes.iter().filter(|(_, gone)| !gone) {
            if let Some(bytes) = self.model.costs.bytes_of_text("RUN", &command.text) {
                total = total.saturating_add(bytes);
                parcels.push((bytes, command.claims.clone()));
                continue;
            }
            let found = footprint::of_script(&command.text, &RunState::default());
            classes.extend(found.classes.iter().filter(|c| step.classes.contains(c)));
            others.extend(command.claims.clone());
        }
        if !classes.is_empty() {
            let cost = self.model.costs.step("RUN", "", &classes);
            let bytes = cost.bytes.unwrap_or(0);
            total = total.saturating_add(bytes);
            source = source.min(cost.bytes_source);
            parcels.push((bytes, others));
        }
        // By way of rules for its parts it is learned, not measured.
        (total, source.min(CostSource::Learned), parcels)
    }

    /// Follows commands that work on files which are there.
    fn touch(&mut self, commands: &[Command], number: usize) -> Touched {
        let store = self.model.store;
        let ext4 = store == Store::Containerd(Disk::Ext4);
        let (mut draft, mut exact, mut doubled) = (Draft::default(), true, 0u64);
        let mut surely = true;
        for command in commands {
            for (i, claim) in command.claims.iter().enumerate() {
                let known = self.ground.knows(claim);
                match &command.act {
                    Act::Write => self.overwrite(claim, number),
                    Act::Shape => {
                        let made = Attributes::brought(None, Some(0o755));
                        let path = claim.path.trim_end_matches('/');
                        if self.ground.add_folder(path, &made) {
                            draft.folder(&claim.path);
                        }
                        exact &= !ext4;
                    }
                    Act::Delete => {
                        exact &= known || !ext4;
                        if known {
                            draft.name(&claim.path);
                        }
                        for old in self.ground.take_away(claim) {
                            self.lose(&old, number, LossKind::Deleted);
                        }
                        self.take_written(claim, number);
                    }
                    act @ (Act::Owner(..) | Act::Mode(_) | Act::HardLink) => {
                        // Of a hard link the first is what it leads to.
                        exact &= known || *act == Act::HardLink && i > 0;
                        surely &= self.change(act, claim, number, &mut draft);
                        doubled = doubled.saturating_add(self.double_written(claim, number));
                    }
                }
            }
        }
        Touched {
            amount: draft.finish(),
            known: exact,
            surely,
            doubled,
        }
    }

    /// Gives what lies at a claim another owner or mode; gives whether it is sure for all of it what becomes of it.
    fn change(&mut self, act: &Act, claim: &PathClaim, number: usize, draft: &mut Draft) -> bool {
        // The graph driver holds what was touched, the same or not.
        let all = self.model.store == Store::Overlay2;
        let apply = |attributes: &mut Attributes, folder: bool| match act {
            Act::Owner(who, group) => attributes.own(who, *group),
            Act::Mode(mode) => attributes.change_mode(mode, folder),
            _ => Changed::Yes,
        };
        let mut surely = true;
        for folder in self.ground.folders_in(claim) {
            if let Some(own) = self.ground.folders.get_mut(&folder)
                && (apply(own, true) != Changed::No || all)
            {
                draft.folder(&folder);
            }
        }
        for place in self.ground.covered(claim) {
            let Some(held) = self.ground.files.get_mut(&place) else {
                continue;
            };
            let old = held.clone();
            let changed = match held.brought {
                // A link's own mode is not changed.
                Brought::Link { .. } if matches!(act, Act::Mode(_)) => Changed::No,
                _ => apply(&mut held.attributes, false),
            };
            surely &= changed != Changed::Perhaps || all;
            if old.layer != number && (changed != Changed::No || all) {
                // Each name of a file gets a file of its own there.
                if let Brought::File { again, .. } = &mut held.brought {
                    *again = false;
                }
                draft.put(&place, &held.brought);
                held.layer = number;
                self.lose(&old, number, LossKind::Attributes);
            }
        }
        surely
    }

    /// Notes that a command may have written over what lies at a claim.
    fn overwrite(&mut self, claim: &PathClaim, number: usize) {
        for place in self.ground.covered(claim) {
            let Some(held) = self.ground.files.get_mut(&place) else {
                continue;
            };
            let old = held.clone();
            held.changed = true;
            // This very file, not something in its folder.
            if claim.extent == Extent::Exact && old.layer != number {
                held.layer = number;
                held.brought = Brought::Other;
                self.lose(&old, number, LossKind::Overwritten);
            }
        }
    }

    /// Takes away what lower RUNs wrote below a claim.
    fn take_written(&mut self, claim: &PathClaim, number: usize) {
        let mut hidden = Vec::new();
        self.ground.written.retain_mut(|written| {
            let inside = |c: &PathClaim| claim.covers(c);
            if written.claims.iter().all(inside) && !written.claims.is_empty() {
                hidden.push((written.layer, written.bytes, false));
                return false;
            }
            let part = |c: &PathClaim| inside(c) || c.covers(&PathClaim::exact(&*claim.path));
            if written.claims.iter().any(part) {
                hidden.push((written.layer, written.bytes, true));
                written.claims.retain(|c| !inside(c));
            }
            true
        });
        for (layer, bytes, at_most) in hidden {
            self.lose_bytes(layer, number, LossKind::Deleted, bytes, at_most);
        }
    }

    /// Bytes that lower RUNs wrote below a claim, which are in this layer once more: all of a RUN's where it wrote anything there but caches, since
    /// that is mostly where they are.
    fn double_written(&mut self, claim: &PathClaim, number: usize) -> u64 {
        let mut doubled = Vec::new();
        for written in &mut self.ground.written {
            let inside = |c: &&PathClaim| claim.covers(c);
            let covered = written.claims.iter().filter(inside).count();
            let real = |c: &PathClaim| inside(&c) && !is_cache(c);
            let some = covered == written.claims.len() || written.claims.iter().any(real);
            if some && covered > 0 && written.layer != number {
                let at_most = covered < written.claims.len();
                doubled.push((written.layer, written.bytes, at_most));
                written.layer = number;
            }
        }
        for (layer, bytes, at_most) in &doubled {
            self.lose_bytes(*layer, number, LossKind::Attributes, *bytes, *at_most);
        }
        doubled.iter().map(|d| d.1).fold(0, u64::saturating_add)
    }
}

/// Whether a claim is on what tools keep beside their work.
fn is_cache(claim: &PathClaim) -> bool {
    let path = claim.path.as_str();
    path.starts_with("/tmp") || path.starts_with("/var/cache") || path.contains("/.")
}

/// What commands make of files that are there.
struct Touched {
    /// What the layer holds for it.
    amount: Amount,
    /// All of these files are known.
    known: bool,
    /// None of them may have been as it is wanted.
    surely: bool,
    /// Bytes of lower RUNs that are in the layer once more.
    doubled: u64,
}

fn measured_source() -> BytesSource {
    BytesSource::Costs(CostSource::Measured)
}

/// The commands that bring bytes, and whether a later one of the same RUN takes all of it away again.
fn writes(commands: &[Command]) -> Vec<(&Command, bool)> {
    let mut out = Vec::new();
    for (i, command) in commands.iter().enumerate() {
        if command.act != Act::Write {
            continue;
        }
        let later = commands[i + 1..].iter();
        let taken: Vec<&PathClaim> = later
            .filter(|c| c.act == Act::Delete)
            .flat_map(|c| &c.claims)
            .collect();
        let gone = |c: &PathClaim| taken.iter().any(|t| t.covers(c));
        let all = !command.claims.is_empty() && command.claims.iter().all(gone);
        out.push((command, all));
    }
    out
}
