//! A RUN that gives an owner or a mode to what was just copied: the COPY brings it like that.
//!
//! ```text
//! COPY entrypoint.sh /                    COPY --chmod=755 entrypoint.sh /
//! RUN chmod +x /entrypoint.sh       ->    COPY --from=build --chown=app:app /out /srv/out
//! COPY --from=build /out /srv/out
//! RUN chown -R app:app /srv/out
//! ```
//!
//! The RUN is a step less, and the files are no longer in two layers. Precondition: the RUN is a plain `&&` chain; what it changes
//! is all that the COPY brings and nothing else, every folder on the way is there before, and nothing looks at it in between.
//! Folders that the builder makes for a COPY get its flags, those that it finds keep what they have. Safety: assumed. Source of
//! the rules: builds on BuildKit 0.25, docs/rewrites/merge-run.md. It is reported as `merge-run`: a RUN becomes a part of the COPY above it.

mod attributes;

use super::cache_mount::knows;
use super::layout::brought_by;
use super::link::is_of_system;
use super::reorder::block;
use super::{Bottom, EditNote, Line, Rewrite, Safety, StageView, View, chain};
use crate::dockerfile::{CommandForm, Instruction, Kind, parse};
use crate::footprint::{self, PathClaim, PathSet, RunState, is_below};
use crate::plan::{Base, Input, Step, StepKind, is_posix_shell};
use crate::shell::{self, Command, CommandKind, ListOperator};
use crate::source::{Edit, SourceFile, Span, apply_edits};
use attributes::{
    Change, Mode, Wish, applied, is_file_name, is_number, is_program, touches_accounts,
};
use std::collections::{BTreeMap, BTreeSet};

/// Frontends without `--chmod`.
const TOO_OLD: [&str; 2] = ["1.0", "1.1"];

/// One rewrite for every stage with such RUNs.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    let builder = view.plan.builder;
    if !knows(builder, &view.file.directives, &TOO_OLD) {
        return Vec::new();
    }
    let one = |stage| Folding::of(view, stage).rewrite();
    view.stages.iter().filter_map(one).collect()
}

/// A rewrite of [`find`] with what [`super::merge_run`] finds in the file that it makes, in the stages that it changes: where RUNs
/// have gone, those that are left may stand closer together. `None` where that is nothing.
#[must_use]
pub fn with_merges(view: &View<'_>, fold: &Rewrite, folded: &View<'_>) -> Option<Rewrite> {
    let inside = |edits: &[Edit], view: &View<'_>, stage: &StageView<'_>| {
        let span = |l: &Line<'_>| block(view.source.bytes(), &view.file.instructions[l.at]);
        let first = stage.lines.first().map_or(0, |l| span(l).start);
        let last = stage.lines.last().map_or(0, |l| span(l).end);
        edits
            .iter()
            .all(|e| first <= e.span.start && e.span.end <= last)
    };
    let mut own = view.stages.iter();
    let own = own.find(|s| inside(&fold.edits, view, s))?.stage;
    let stage = folded.stages.iter().find(|s| s.stage == own)?;
    let mut merges = super::merge_run::find(folded);
    merges.retain(|m| inside(&m.edits, folded, stage));
    let mut after: Vec<Edit> = merges.iter().flat_map(|m| m.edits.clone()).collect();
    if after.is_empty() {
        return None;
    }
    let there = apply_edits(folded.source.bytes(), &after).ok()?;
    // From the end, so that places before an edit stay where they are.
    after.sort_by_key(|e| std::cmp::Reverse((e.span.start, e.span.end)));
    let mut all = fold.clone();
    for edit in &after {
        compose(&mut all.edits, edit)?;
    }
    let here = apply_edits(view.source.bytes(), &all.edits).ok()?;
    let assumptions = merges.iter().flat_map(|m| m.note.assumptions.clone());
    all.note.assumptions.extend(assumptions);
    all.note.assumptions.sort();
    all.note.assumptions.dedup();
    all.note.why.push_str("; small RUNs that are left are one");
    (there == here).then_some(all)
}

/// Adds an edit of the text that others have made to those; `None` where it covers a part of theirs.
fn compose(made: &mut Vec<Edit>, edit: &Edit) -> Option<()> {
    made.sort_by_key(|e| (e.span.start, e.span.end));
    let (start, end) = (i64::from(edit.span.start), i64::from(edit.span.end));
    let mut shift = 0;
    // How far the two places have moved, and the edits between them.
    let (mut from, mut to) = (0, 0);
    let mut covered = Vec::new();
    for (n, e) in made.iter_mut().enumerate() {
        let first = i64::from(e.span.start) + shift;
        let last = first + i64::try_from(e.text.len()).ok()?;
        shift += last - first - (i64::from(e.span.end) - i64::from(e.span.start));
        let touches =
            first < last && first <= start && end <= last && (start < last || start < end);
        if touches {
            let inside = usize::try_from(start - first).ok()?..usize::try_from(end - first).ok()?;
            e.text.splice(inside, edit.text.iter().copied());
            return Some(());
        }
        if last <= start {
            from = shift;
            to = shift;
        } else if start <= first && last <= end {
            covered.push(n);
            to = shift;
        } else if first < end {
            return None;
        }
    }
    for n in covered.into_iter().rev() {
        made.remove(n);
    }
    made.push(Edit {
        span: Span {
            start: u32::try_from(start - from).ok()?,
            end: u32::try_from(end - to).ok()?,
        },
        text: edit.text.clone(),
    });
    Some(())
}

/// Owner and mode of what a COPY brings, as its flags say or will say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Flags {
    owner: Option<String>,
    mode: Option<String>,
}

/// What becomes of a path that a RUN names.
enum Fate {
    /// A COPY brings it like that.
    Copied { copy: usize, flags: Flags },
    /// The same, but its folder is there before and keeps what it has.
    CopiedBelow { copy: usize, flags: Flags },
    /// It is like that.
    Already,
}

/// A RUN without what its COPYs do for it.
struct Rest {
    run: usize,
    /// The commands that are left.
    commands: Vec<Kept>,
    /// It goes before this line instead.
    before: Option<usize>,
}

/// A block with the blank line behind it where there is one before it too.
fn with_blank_line(bytes: &[u8], block: Span) -> Span {
    let (before, behind) = bytes.split_at(block.end as usize);
    let before = &before[..block.start as usize];
    let blank = [b"\n".as_slice(), b"\r\n"]
        .into_iter()
        .find(|b| behind.starts_with(b));
    let alone = before.ends_with(b"\n\n") || before.ends_with(b"\n\r\n");
    match blank.filter(|_| alone) {
        Some(line) => Span::new(block.start as usize, block.end as usize + line.len()),
        None => block,
    }
}

/// A command that stays.
#[derive(Clone)]
struct Kept {
    /// As its shell is given it.
    text: String,
    /// As the file has it, in as many lines.
    written: String,
}

/// Whether a command asks of folders whether they are there, and not what is in them.
fn looks_in_no_folder(command: &Kept) -> bool {
    const NAMES: &[&str] = &[
        "addgroup", "adduser", "chmod", "chown", "groupadd", "groupmod", "mkdir", "useradd",
        "usermod",
    ];
    let name = command.text.split_whitespace().next();
    let deep = |w: &str| w.starts_with('-') && !w.starts_with("--") && w.contains('R');
    let changes_tree = matches!(name, Some("chown" | "chmod"))
        && command
            .text
            .split_whitespace()
            .any(|w| deep(w) || w == "--recursive");
    name.is_some_and(|n| NAMES.contains(&n)) && !changes_tree
}

fn chained(commands: &[Kept]) -> String {
    let texts: Vec<&str> = commands.iter().map(|c| c.text.as_str()).collect();
    texts.join(" && ")
}

struct Folding<'v, 'a> {
    view: &'v View<'a>,
    stage: &'v StageView<'a>,
    flags: BTreeMap<usize, Flags>,
    rests: Vec<Rest>,
    assumptions: BTreeSet<String>,
}

impl<'v, 'a> Folding<'v, 'a> {
    fn of(view: &'v View<'a>, stage: &'v StageView<'a>) -> Self {
        let mut all = Self {
            view,
            stage,
            flags: BTreeMap::new(),
            rests: Vec::new(),
            assumptions: BTreeSet::new(),
        };
        if all.goes_through_links() {
            return all;
        }
        for run in 0..stage.lines.len() {
            if let Some(found) = Run::of(view, stage, run) {
                all.fold(&found);
            }
        }
        all
    }

    fn instruction(&self, line: usize) -> &'a Instruction {
        &self.view.file.instructions[self.stage.lines[line].at]
    }

    /// Takes out of a RUN what its COPYs can do.
    fn fold(&mut self, run: &Run<'a>) {
        let saved = (self.flags.clone(), self.assumptions.clone());
        let mut commands: Vec<Kept> = Vec::new();
        // What is left has to stand before this COPY: its folder is changed there, or its owner made.
        let mut before: Option<usize> = None;
        let mut copies = Vec::new();
        let mut changed = false;
        for part in &run.parts {
            let as_it_is = || Kept {
                text: run.text(part.span).to_owned(),
                written: run.written(self.view, part.span),
            };
            let wish = Wish::of(part, &run.state);
            let Some(wish) = wish.filter(|_| chain::looks_at_no_shell(part)) else {
                commands.push(as_it_is());
                continue;
            };
            let kept = commands.clone();
            let mut stay = Vec::new();
            let mut folders = Vec::new();
            for (word, path) in &wish.paths {
                let word = run.text(*word);
                let Some(behind) = run.behind(&kept, &wish, path) else {
                    stay.push(word);
                    continue;
                };
                let (copy, flags, below) = match self.fate(run, &wish, path) {
                    Some(Fate::Copied { copy, flags }) if behind != Behind::ItsFolder => {
                        (copy, flags, false)
                    }
                    Some(Fate::CopiedBelow { copy, flags }) => (copy, flags, true),
                    Some(Fate::Already) => {
                        changed = true;
                        continue;
                    }
                    _ => {
                        stay.push(word);
                        continue;
                    }
                };
                changed = true;
                copies.push(copy);
                self.flags.insert(copy, flags);
                if below {
                    folders.push(word);
                }
                if below || behind == Behind::NewOwner {
                    before = Some(before.map_or(copy, |b: usize| b.min(copy)));
                }
            }
            let new = |text: String| Kept {
                written: text.clone(),
                text,
            };
            if stay.len() == wish.paths.len() {
                commands.push(as_it_is());
            } else if !stay.is_empty() {
                commands.push(new(wish.written(&stay, wish.recursive)));
            }
            if !folders.is_empty() {
                commands.push(new(wish.written(&folders, false)));
            }
        }
        // What is left is worth something where it may go its own way.
        let apart = commands.is_empty()
            || match before {
                Some(copy) => self.passes_all(run, copy) && self.passes(run, &commands, copy),
                None => copies.iter().all(|copy| self.spares(run, &commands, *copy)),
            };
        let clear = commands.is_empty() || !run.instruction.original.contains('#');
        if changed && apart && clear {
            self.rests.push(Rest {
                run: run.line,
                commands,
                before,
            });
        } else {
            (self.flags, self.assumptions) = saved;
        }
    }

    /// Whether a line may write at a place; what lies in a folder of that name counts as a file by its name.
    fn writes(&mut self, line: usize, touched: &PathSet) -> Option<bool> {
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

    /// What becomes of one path that a RUN changes.
    fn fate(&mut self, run: &Run<'a>, wish: &Wish, path: &str) -> Option<Fate> {
        let place = match wish.recursive {
            true => PathClaim::subtree(path),
            false => PathClaim::exact(path),
        };
        let touched = PathSet::new(vec![place.clone()]);
        for at in (0..run.line).rev() {
            let line = &self.stage.lines[at];
            let mut rests = self.rests.iter();
            let gone = rests.any(|r| r.run == at && r.commands.is_empty());
            let Some(step) = line.step.filter(|_| !gone) else {
                continue;
            };
            let leaves = line.leaves.as_ref()?;
            let writes = self.writes(at, &touched)?;
            if writes && step.kind == StepKind::Copy {
                return self.copied(at, step, wish, path);
            }
            let looks = step.footprint.as_ref().is_some_and(|f| {
                // Nor do packages look into such folders.
                let packages = f.beside_packages.is_some() && !writes;
                f.opaque.is_some()
                    || !packages && f.reads.overlaps(&touched).is_some()
                    || !packages && f.programs.overlaps(&touched).is_some()
            });
            let mut makes = leaves.makes.iter();
            let makes = makes.any(|(made, _)| place.covers(&PathClaim::exact(*made)));
            if line.barrier || looks || makes || writes || !wish.owner_stays(leaves.writes) {
                return None;
            }
        }
        None
    }

    /// The same for the COPY that last wrote there.
    fn copied(&mut self, copy: usize, step: &'a Step, wish: &Wish, path: &str) -> Option<Fate> {
        let instruction = self.instruction(copy);
        let known = |f: &str| matches!(f, "from" | "chown" | "chmod");
        let plain = instruction.flags.iter().all(|f| known(f.name()));
        if !matches!(instruction.kind, Kind::Copy(_)) || !plain {
            return None;
        }
        let dest = step.dest.as_ref()?;
        let digits = |m: &String| match m.strip_prefix('0') {
            Some(rest) if m.len() == 4 => rest.to_owned(),
            _ => m.clone(),
        };
        let own = Flags {
            owner: dest.owner.clone(),
            mode: dest.mode.as_ref().map(digits),
        };
        let before = self.flags.get(&copy).cloned().unwrap_or(own);
        let brings = Brings::of(self.view, step)?;
        if let Some(from) = brings.is_executable(self.view, &before, wish, path) {
            self.assumptions.insert(format!(
                "{from} is executable in the repository, and stays so"
            ));
            return Some(Fate::Already);
        }
        if !brings.is_all_of(wish, path) {
            return None;
        }
        let flags = before.with(&wish.change, &brings)?;
        let tree = matches!(brings.what, What::Tree);
        if !tree && !dest.is_dir && !self.is_no_folder(copy, path) {
            return None;
        }
        let below = tree && !self.is_missing(copy, path, &flags);
        if below && !self.is_empty_folder(copy, path) {
            return None;
        }
        // Folders on the way get the flags too, as far as the builder has to make them.
        let usual = flags.owner.is_none() && flags.mode.as_deref() == Some("755");
        let leaves = self.stage.lines[copy].leaves.as_ref()?;
        let mut made = leaves.makes.iter().map(|(made, _)| *made);
        if !usual && !made.all(|m| tree && m == path || self.is_there(copy, m)) {
            return None;
        }
        self.rests_on(&brings, wish, instruction.line);
        Some(match below {
            true => Fate::CopiedBelow { copy, flags },
            false => Fate::Copied { copy, flags },
        })
    }

    fn rests_on(&mut self, brings: &Brings, wish: &Wish, line: u32) {
        let mut assume = |sentence: String| {
            self.assumptions.insert(sentence);
        };
        assume("no command takes away a folder that an earlier line made".to_owned());
        if let Change::Mode(Mode::Symbolic(_)) = wish.change {
            assume(
                "files of the work tree have the mode that git gives them under the usual umask: 644, or 755 where they are executable"
                    .to_owned(),
            );
        }
        match &brings.what {
            What::Named(name) => assume(format!("what line {line} copies as {name} is a file")),
            What::Tree if brings.files.is_none() => assume(format!(
                "nothing that line {line} copies has a set-ID bit or capabilities, and where it is copied to is no link"
            )),
            _ => {}
        }
    }

    /// The stage and those that it stands on, each with how many of its lines stand before one.
    fn chain(&self, line: usize) -> Option<Vec<(&'v StageView<'a>, usize)>> {
        let graph = &self.view.plan.graph;
        // What the triggers of a base image leave is not looked into.
        let plain = |stage: usize| {
            let mut steps = self.view.plan.stages[stage].steps.iter();
            steps.all(|n| graph[*n].id.trigger == 0)
        };
        let mut all = vec![(self.stage, line)];
        let mut own = self.stage.stage;
        while let Base::Stage(below) = self.view.plan.stages[own].base {
            let stage = self.view.stages.iter().find(|s| s.stage == below)?;
            all.push((stage, stage.lines.len()));
            own = below;
        }
        all.iter().all(|(s, _)| plain(s.stage)).then_some(all)
    }

    /// Lines of the stages that stand before one, nearest first.
    fn before(&self, line: usize) -> Option<Vec<&'v Line<'a>>> {
        let chain = self.chain(line)?;
        let lines = chain
            .into_iter()
            .flat_map(|(s, n)| s.lines[..n].iter().rev());
        Some(lines.collect())
    }

    /// Whether an earlier line surely made a folder.
    fn is_there(&self, line: usize, folder: &str) -> bool {
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
    fn goes_through_links(&self) -> bool {
        let Some(before) = self.before(self.stage.lines.len()) else {
            return true;
        };
        let links = |l: &Line<'_>| -> Vec<String> {
            let links = l.leaves.as_ref().map(|l| l.links.as_slice());
            let exact = links.unwrap_or_default().iter();
            let exact = exact.filter(|c| c.extent == crate::footprint::Extent::Exact);
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
    fn is_no_folder(&mut self, line: usize, path: &str) -> bool {
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
    fn is_missing(&mut self, line: usize, path: &str, flags: &Flags) -> bool {
        let place = PathClaim::subtree(path);
        let given = self.uniform(line, path);
        let same =
            |asked: &Option<String>, given: &Option<String>| asked.is_none() || asked == given;
        let alike = same(&flags.mode, &given.mode) && same(&flags.owner, &given.owner);
        let makes = |l: &Line<'_>| {
            let leaves = l.leaves.as_ref();
            leaves.is_none_or(|l| {
                l.makes
                    .iter()
                    .any(|(made, _)| place.covers(&PathClaim::exact(*made)))
            })
        };
        alike || self.is_untouched(line, path, &makes)
    }

    /// Whether an earlier line made this folder and there is nothing in it.
    fn is_empty_folder(&mut self, line: usize, path: &str) -> bool {
        let inside = |made: &str| made != path && is_below(made, path);
        let makes = |l: &Line<'_>| {
            let leaves = l.leaves.as_ref();
            leaves.is_none_or(|l| l.makes.iter().any(|(made, _)| inside(made)))
        };
        self.is_there(line, path) && self.is_untouched(line, path, &makes)
    }

    /// Whether nothing below a line writes at a place, or makes folders there, and the image has nothing there.
    fn is_untouched(&mut self, line: usize, path: &str, makes: &dyn Fn(&Line<'_>) -> bool) -> bool {
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
    fn uniform(&mut self, line: usize, path: &str) -> Flags {
        let touched = PathSet::new(vec![PathClaim::subtree(path)]);
        let mut flags = Flags::default();
        let mut accounts = false;
        for at in (0..line).rev() {
            let own = &self.stage.lines[at];
            let Some(step) = own.step else { continue };
            let leaves = own.leaves.as_ref();
            accounts |= leaves.is_none_or(|l| touches_accounts(l.writes));
            let makes = own.leaves.as_ref().is_none_or(|l| {
                let made = l.makes.iter().map(|(made, _)| *made);
                made.into_iter().any(|made| is_below(made, path))
            });
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

    /// Whether a RUN may pass all lines between a COPY and it, those that make no step too: what is left of it touches no more,
    /// and sees the same variables, as the same user.
    fn passes_all(&mut self, run: &Run<'a>, copy: usize) -> bool {
        for between in copy + 1..run.line {
            let Some(rests_on) = (self.view.commute)(self.stage.stage, between, run.line) else {
                return false;
            };
            self.assumptions.extend(rests_on);
        }
        true
    }

    /// Whether what is left of a RUN touches nothing that a COPY brings.
    fn spares(&self, run: &Run<'a>, commands: &[Kept], copy: usize) -> bool {
        let left = footprint::of_script(&chained(commands), &run.state);
        let all = left.reads.union(&left.changes());
        let leaves = self.stage.lines[copy].leaves.as_ref();
        left.opaque.is_none() && leaves.is_some_and(|l| all.overlaps(l.writes).is_none())
    }

    /// Whether what is left of a RUN may stand before a COPY, whose folder it may change.
    fn passes(&self, run: &Run<'a>, commands: &[Kept], copy: usize) -> bool {
        let line = &self.stage.lines[copy];
        let Some((leaves, dest)) = line
            .leaves
            .as_ref()
            .zip(line.step.and_then(|s| s.dest.as_ref()))
        else {
            return false;
        };
        let Some(found) = run.touched(commands, dest.path.as_deref().unwrap_or("/")) else {
            return false;
        };
        let named = dest.owner.as_deref().is_some_and(|o| !is_number(o));
        found.beside.overlaps(leaves.writes).is_none()
            && !(named && touches_accounts(&found.changes))
    }

    fn rewrite(self) -> Option<Rewrite> {
        let first = self.rests.first()?;
        let source = self.view.source;
        let end = source.line_end();
        let mut edits = Vec::new();
        let mut comments: BTreeMap<usize, String> = BTreeMap::new();
        for rest in &self.rests {
            let run = self.instruction(rest.run);
            let whole = rest.commands.is_empty() || rest.before.is_some();
            let escape = self.view.file.directives.escape;
            let written: Vec<&str> = rest.commands.iter().map(|c| c.written.as_str()).collect();
            let text = written.join(&format!(" {escape}{end}    && "));
            if !whole {
                edits.push(Edit {
                    span: run.arguments.span(),
                    text: text.into_bytes(),
                });
                continue;
            }
            edits.push(Edit {
                span: with_blank_line(source.bytes(), block(source.bytes(), run)),
                text: Vec::new(),
            });
            // A comment goes with what is left of the RUN, or with the COPY that does its work.
            let mut above = source.text(run.leading_comments).into_owned();
            if rest.before.is_some() {
                let keyword = source.text(run.keyword_span()).into_owned();
                above.push_str(&format!("{keyword} {text}{end}"));
            }
            let last = (0..rest.run).rev().find(|l| self.flags.contains_key(l));
            let to = rest.before.or(last);
            if let Some(to) = to {
                comments.entry(to).or_default().push_str(&above);
            } else if !above.is_empty() {
                return None;
            }
        }
        for (copy, text) in comments.into_iter().filter(|(_, t)| !t.is_empty()) {
            let instruction = self.instruction(copy);
            let start = instruction.span.start;
            edits.push(Edit {
                span: Span { start, end: start },
                text: text.into_bytes(),
            });
        }
        for (copy, flags) in &self.flags {
            let instruction = self.instruction(*copy);
            let has = |name: &str| instruction.flags.iter().any(|f| f.name() == name);
            let mut text = String::new();
            if let Some(owner) = flags.owner.as_ref().filter(|_| !has("chown")) {
                text.push_str(&format!(" --chown={owner}"));
            }
            if let Some(mode) = flags.mode.as_ref().filter(|_| !has("chmod")) {
                text.push_str(&format!(" --chmod={mode}"));
            }
            let last = instruction.flags.last().map(|f| f.span());
            let end = last.unwrap_or_else(|| instruction.keyword_span()).end;
            edits.push(Edit {
                span: Span { start: end, end },
                text: text.into_bytes(),
            });
        }
        self.reads_as_meant(&edits)?;
        let run = self.instruction(first.run);
        Some(Rewrite {
            safety: Safety::Assumed,
            edits,
            ignore: Vec::new(),
            caches: Vec::new(),
            note: EditNote {
                rewrite: "merge-run",
                safety: Safety::Assumed,
                line: run.line,
                end_line: self
                    .rests
                    .last()
                    .map_or(run.end_line, |r| self.instruction(r.run).end_line),
                why: self.why(),
                assumptions: self.assumptions.into_iter().collect(),
            },
        })
    }

    fn why(&self) -> String {
        let gone = self.rests.iter().filter(|r| r.commands.is_empty()).count();
        let copies = self.flags.len();
        let what = match (gone, self.rests.len() - gone) {
            (1, 0) => "a RUN that changes files goes".to_owned(),
            (n, 0) => format!("{n} RUNs that change files go"),
            (0, _) => "a RUN that changes files does less".to_owned(),
            (n, _) => format!("{n} RUNs that change files go, others do less"),
        };
        match copies {
            0 => format!("{what}: the files are copied with that owner and mode"),
            1 => format!(
                "{what}: the COPY brings them with their owner and mode, and they are in one layer, not in two"
            ),
            _ => format!(
                "{what}: {copies} COPYs bring them with their owner and mode, and they are in one layer, not in two"
            ),
        }
    }

    /// Whether the parser finds the flags and the commands where they were put.
    fn reads_as_meant(&self, edits: &[Edit]) -> Option<()> {
        let bytes = apply_edits(self.view.source.bytes(), edits).ok()?;
        let new = SourceFile::new(self.view.source.name().to_owned(), bytes);
        let after = parse(&new).tree;
        let gone = self.rests.iter().filter(|r| r.commands.is_empty()).count();
        let runs = |file: &crate::dockerfile::Dockerfile| {
            let runs = file.instructions.iter();
            runs.filter(|i| matches!(i.kind, Kind::Run(_))).count()
        };
        let all = after.instructions.len() + gone == self.view.file.instructions.len();
        let found = |commands: &[Kept]| {
            let wanted = chained(commands);
            after.instructions.iter().any(|i| match &i.kind {
                Kind::Run(CommandForm::Shell(text)) => {
                    text.split_whitespace().eq(wanted.split_whitespace())
                }
                _ => false,
            })
        };
        let kept = self.rests.iter().filter(|r| !r.commands.is_empty());
        let meant = all
            && runs(&after) + gone == runs(self.view.file)
            && kept.into_iter().all(|r| found(&r.commands));
        meant.then_some(())
    }
}

impl Flags {
    /// These flags with one more wish; `None` where they say something else, or where what that comes to is not known.
    fn with(&self, change: &Change, brings: &Brings) -> Option<Self> {
        let mut new = self.clone();
        match change {
            Change::Owner(owner) => {
                let named = owner.contains(':');
                let owner = match named {
                    true => owner.clone(),
                    false => format!("{owner}:0"),
                };
                // Without a name the group stays; files of the context are of root's.
                let of_context = brings.files.is_some() || matches!(brings.what, What::Text(_));
                if !named && !of_context {
                    return None;
                }
                let same = self.owner.as_ref().is_none_or(|o| *o == owner);
                // Set-ID bits go with the old owner.
                let bits = self.mode.as_ref().is_some_and(|m| m.len() > 3);
                if !same || bits {
                    return None;
                }
                new.owner = Some(owner);
            }
            Change::Mode(mode) => {
                let mode = match mode {
                    Mode::Octal(mode) => mode.clone(),
                    Mode::Symbolic(text) => brings.after(text)?,
                };
                if self.mode.as_ref().is_some_and(|m| *m != mode) {
                    return None;
                }
                new.mode = Some(mode);
            }
        }
        Some(new)
    }
}

/// What a COPY brings, and to where.
struct Brings {
    what: What,
    /// Its files, by place and path in the context, where they come from there.
    files: Option<Vec<(String, String)>>,
    /// Where it puts them.
    at: String,
}

enum What {
    /// Files of the context, one by one.
    Files,
    /// A text in the Dockerfile.
    Text(String),
    /// One file of another stage, as its name says.
    Named(String),
    /// A tree that becomes the folder which the COPY names.
    Tree,
}

impl Brings {
    fn of(view: &View<'_>, step: &Step) -> Option<Self> {
        let dest = step.dest.as_ref()?;
        let at = dest.path.clone()?;
        let inside = |name: &str| match dest.is_dir {
            true => format!("{}/{name}", at.trim_end_matches('/')),
            false => at.clone(),
        };
        let plain = |s: &String| !s.contains(['*', '?', '[', '\\']);
        let mut files = None;
        let what = match (step.inputs.as_slice(), step.inline.as_slice()) {
            ([], [(name, _)]) => What::Text(inside(name)),
            ([Input::Context(input)], []) => {
                let found = brought_by(step, &PathClaim::subtree("/"), view.files)?;
                let link = found.iter().any(|(_, from)| view.files.is_link(from));
                if !input.excludes.is_empty() || !input.sources.iter().all(plain) {
                    return None;
                }
                let is_file = |s: &String| {
                    view.files
                        .is_file(crate::pattern::clean(s).trim_start_matches('/'))
                };
                files = Some(found);
                match input.sources.as_slice() {
                    all if all.iter().all(is_file) && !link => What::Files,
                    [one] if !is_file(one) => What::Tree,
                    _ => return None,
                }
            }
            ([Input::Stage { sources, .. }], []) => match sources.as_slice() {
                [source] if plain(source) => {
                    let name = source.trim_end_matches('/').rsplit('/').next()?;
                    let place = inside(name);
                    let file = is_program(&place) || is_file_name(&place) && is_file_name(name);
                    match file && !source.ends_with('/') {
                        true => What::Named(place),
                        false => What::Tree,
                    }
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(Self { what, files, at })
    }

    /// Whether a wish is about all that the COPY brings and nothing else.
    fn is_all_of(&self, wish: &Wish, path: &str) -> bool {
        let named = |place: &String| wish.paths.iter().any(|(_, p)| p == place);
        match &self.what {
            What::Files => {
                let files = self.files.as_deref().unwrap_or_default();
                let mut places = files.iter().map(|(place, _)| place);
                places.clone().any(|p| p == path) && places.all(named)
            }
            What::Text(place) | What::Named(place) => place == path,
            What::Tree => wish.recursive && path == self.at,
        }
    }

    /// The file that a wish makes executable, where it is that already.
    fn is_executable(
        &self,
        view: &View<'_>,
        flags: &Flags,
        wish: &Wish,
        path: &str,
    ) -> Option<&str> {
        let Change::Mode(Mode::Symbolic(text)) = &wish.change else {
            return None;
        };
        let mut files = self.files.as_ref()?.iter();
        let (_, from) = files.find(|(place, _)| place == path)?;
        let is = flags.mode.is_none()
            && !view.files.is_link(from)
            && view.files.is_executable(from) == Some(true)
            && applied(text, 0o755) == Some(0o755);
        is.then_some(from)
    }

    /// The mode that a symbolic one gives to every file, in octal: whether git says that one is executable may change.
    fn after(&self, text: &str) -> Option<String> {
        let (plain, executable) = (applied(text, 0o644)?, applied(text, 0o755)?);
        let mode = match self.what {
            What::Text(_) => Some(plain),
            What::Files => (plain == executable).then_some(plain),
            _ => None,
        };
        mode.map(|m| format!("{m:o}"))
    }
}

/// What commands touch, and a folder.
struct Touched {
    /// Places that they look at or change, the folder itself left out.
    beside: PathSet,
    /// The folder itself is among them.
    folder: bool,
    changes: PathSet,
}

/// What commands before a wish mean to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// They may make the owner that it names.
    NewOwner,
    /// They look at, or change, the folder that it names, and nothing in it.
    ItsFolder,
}

/// A RUN that is a chain of commands.
struct Run<'a> {
    line: usize,
    step: &'a Step,
    instruction: &'a Instruction,
    parts: Vec<Command>,
    state: RunState,
}

impl<'a> Run<'a> {
    fn of(view: &View<'a>, stage: &StageView<'a>, line: usize) -> Option<Self> {
        let own = &stage.lines[line];
        let step = own.step.filter(|s| s.kind == StepKind::Run)?;
        let instruction: &'a Instruction = &view.file.instructions[own.at];
        let Kind::Run(CommandForm::Shell(_)) = &instruction.kind else {
            return None;
        };
        if instruction.reproducible
            || !instruction.flags.is_empty()
            || !instruction.heredocs.is_empty()
            || step.volatile
        {
            return None;
        }
        let mut fields = step.written.fields.iter();
        let (_, shell) = fields.find(|(name, _)| *name == "shell")?;
        let shell: Vec<String> = shell.split(' ').map(str::to_owned).collect();
        if !is_posix_shell(&shell) {
            return None;
        }
        let script = shell::parse(&step.text);
        let [command] = script.commands.as_slice() else {
            return None;
        };
        let parts: Vec<Command> = match &command.kind {
            CommandKind::List { first, rest } => {
                if !rest.iter().all(|(o, _)| *o == ListOperator::And) || command.background {
                    return None;
                }
                std::iter::once(&**first)
                    .chain(rest.iter().map(|(_, c)| c))
                    .cloned()
                    .collect()
            }
            _ => vec![command.clone()],
        };
        if !parts.iter().all(chain::leaves_nothing) {
            return None;
        }
        let stated = view.plan.states.get(own.at)?.as_ref()?;
        let known = |v: &crate::plan::WrittenVar| Some((v.name.clone(), v.value.clone()?));
        Some(Self {
            line,
            step,
            instruction,
            parts,
            state: RunState {
                cwd: stated.cwd.clone(),
                user: stated.user.clone(),
                vars: step.written.vars.iter().filter_map(known).collect(),
                homes: stated.homes.clone(),
            },
        })
    }

    /// Notes what it gives to everything at a place, last command first; whether it does nothing else there.
    fn gives(&self, path: &str, flags: &mut Flags) -> bool {
        let touched = PathSet::new(vec![PathClaim::subtree(path)]);
        for part in self.parts.iter().rev() {
            let wish = Wish::of(part, &self.state);
            let over = |w: &Wish| w.recursive && w.paths.iter().any(|(_, p)| is_below(path, p));
            let Some(wish) = wish.filter(over) else {
                let own = footprint::of_script(self.text(part.span), &self.state);
                let meets = own.opaque.is_some() || own.changes().overlaps(&touched).is_some();
                if meets {
                    return false;
                }
                continue;
            };
            match wish.change {
                Change::Mode(Mode::Octal(mode)) => {
                    flags.mode.get_or_insert(mode);
                }
                // What it makes of modes depends on them.
                Change::Mode(Mode::Symbolic(_)) if flags.mode.is_none() => return false,
                Change::Mode(Mode::Symbolic(_)) => {}
                Change::Owner(owner) => {
                    flags.owner.get_or_insert(owner);
                }
            }
        }
        true
    }

    /// A part of it with its line ends.
    fn written(&self, view: &View<'_>, span: Span) -> String {
        let Kind::Run(CommandForm::Shell(line)) = &self.instruction.kind else {
            return self.text(span).to_owned();
        };
        view.source.text(line.span_of(span.range())).into_owned()
    }

    fn text(&self, span: Span) -> &'a str {
        self.step.text.get(span.range()).unwrap_or_default()
    }

    /// How a path that a wish names stands behind commands that are kept; `None` where those touch it.
    fn behind(&self, kept: &[Kept], wish: &Wish, path: &str) -> Option<Behind> {
        if kept.is_empty() {
            return Some(Behind::Nothing);
        }
        let before = self.touched(kept, path)?;
        let touched = PathSet::new(vec![PathClaim::subtree(path)]);
        if before.beside.overlaps(&touched).is_some() {
            return None;
        }
        Some(match (before.folder, wish.owner_stays(&before.changes)) {
            (true, _) => Behind::ItsFolder,
            (false, true) => Behind::Nothing,
            (false, false) => Behind::NewOwner,
        })
    }

    /// What commands of it touch beside a folder; `None` where that is not known, or where they may look into the folder.
    fn touched(&self, commands: &[Kept], folder: &str) -> Option<Touched> {
        let of = |script: &str| footprint::of_script(script, &self.state);
        // A home directory that is there is left as it is by those who make accounts.
        let folder = [PathClaim::exact(folder), PathClaim::subtree(folder)];
        let whole = of(&chained(commands));
        if whole.opaque.is_some() || !whole.uses.is_empty() {
            return None;
        }
        let changes = whole.changes();
        let all = whole.reads.union(&changes);
        let meets = |set: &PathSet| folder.iter().any(|f| set.claims.contains(f));
        let at = meets(&all);
        let asks_little = |c: &Kept| {
            let own = of(&c.text);
            looks_in_no_folder(c) || !meets(&own.reads.union(&own.changes()))
        };
        if at && !commands.iter().all(asks_little) {
            return None;
        }
        let rest = all.claims.into_iter().filter(|c| !folder.contains(c));
        Some(Touched {
            beside: PathSet::new(rest.collect()),
            folder: at,
            changes,
        })
    }
}
