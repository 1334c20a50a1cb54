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
mod brings;
mod compose;
mod ground;
mod run;

use super::cache_mount::knows;
use super::reorder::block;
use super::{EditNote, Rewrite, Safety, StageView, View, chain};
use crate::dockerfile::{CommandForm, Instruction, Kind, parse};
use crate::footprint::{self, PathClaim, PathSet};
use crate::plan::{Step, StepKind};
use crate::source::{Edit, SourceFile, Span, apply_edits};
use attributes::{Change, Mode, Wish, is_number, touches_accounts};
use brings::{Brings, Flags, What};
pub use compose::with_merges;
use run::{Behind, Kept, Run, chained};
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

    fn instruction(&self, line: usize) -> Instruction<'a> {
        self.view.file.instructions().at(self.stage.lines[line].at)
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
            let mut stay = Vec::new();
            let mut folders = Vec::new();
            for (word, path) in &wish.paths {
                let word = run.text(*word);
                let Some(behind) = run.behind(&commands, &wish, path) else {
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
        let clear = commands.is_empty() || !run.instruction.original().contains('#');
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
        let plain = instruction.flags().iter().all(|f| known(f.name()));
        if !matches!(instruction.kind(), Kind::Copy(_)) || !plain {
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
        let Some(found) = run.touched(commands, dest.sure().unwrap_or("/")) else {
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
                    span: run.arguments().span(),
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
            let has = |name: &str| instruction.flags().iter().any(|f| f.name() == name);
            let mut text = String::new();
            if let Some(owner) = flags.owner.as_ref().filter(|_| !has("chown")) {
                text.push_str(&format!(" --chown={owner}"));
            }
            if let Some(mode) = flags.mode.as_ref().filter(|_| !has("chmod")) {
                text.push_str(&format!(" --chmod={mode}"));
            }
            let last = instruction.flags().last().map(|f| f.span());
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
            let runs = file.instructions().iter();
            runs.filter(|i| matches!(i.kind(), Kind::Run(_))).count()
        };
        let all = after.instructions().len() + gone == self.view.file.instructions().len();
        let found = |commands: &[Kept]| {
            let wanted = chained(commands);
            after.instructions().iter().any(|i| match i.kind() {
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
