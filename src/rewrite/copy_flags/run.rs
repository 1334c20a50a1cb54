//! A RUN that is a chain of commands, and what some of them touch.
//!
//! Goes in: a line. Comes out: its commands with their texts. One look at the script per question. Invariant: a RUN with flags, or
//! one whose commands leave something in their shell, is none.

use super::Flags;
use super::attributes::{Change, Mode, Wish};
use crate::dockerfile::{CommandForm, Instruction, Kind};
use crate::footprint::{self, PathClaim, PathSet, RunState, is_below};
use crate::plan::{Step, StepKind};
use crate::rewrite::{StageView, View, chain, run_state, runs_in_posix_shell};
use crate::shell::{self, Command, CommandKind, ListOperator};
use crate::source::Span;

/// A command that stays.
#[derive(Clone)]
pub(super) struct Kept {
    /// As its shell is given it.
    pub(super) text: String,
    /// As the file has it, in as many lines.
    pub(super) written: String,
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

pub(super) fn chained(commands: &[Kept]) -> String {
    let texts: Vec<&str> = commands.iter().map(|c| c.text.as_str()).collect();
    texts.join(" && ")
}

/// What commands touch, and a folder.
pub(super) struct Touched {
    /// Places that they look at or change, the folder itself left out.
    pub(super) beside: PathSet,
    /// The folder itself is among them.
    pub(super) folder: bool,
    pub(super) changes: PathSet,
}

/// What commands before a wish mean to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    Nothing,
    /// They may make the owner that it names.
    NewOwner,
    /// They look at, or change, the folder that it names, and nothing in it.
    ItsFolder,
}

/// A RUN that is a chain of commands.
pub(super) struct Run<'a> {
    pub(super) line: usize,
    pub(super) step: &'a Step,
    pub(super) instruction: Instruction<'a>,
    pub(super) parts: Vec<Command>,
    pub(super) state: RunState,
}

impl<'a> Run<'a> {
    pub(super) fn of(view: &View<'a>, stage: &StageView<'a>, line: usize) -> Option<Self> {
        let own = &stage.lines[line];
        let step = own.step.filter(|s| s.kind == StepKind::Run)?;
        let instruction: Instruction<'a> = view.file.instructions().at(own.at);
        let Kind::Run(CommandForm::Shell(_)) = instruction.kind() else {
            return None;
        };
        if instruction.reproducible
            || !instruction.flags().is_empty()
            || !instruction.heredocs().is_empty()
            || step.volatile
        {
            return None;
        }
        if !runs_in_posix_shell(step) {
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
        let state = run_state(view.plan, own.at, step)?;
        Some(Self {
            line,
            step,
            instruction,
            parts,
            state,
        })
    }

    /// Notes what it gives to everything at a place, last command first; whether it does nothing else there.
    pub(super) fn gives(&self, path: &str, flags: &mut Flags) -> bool {
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
    pub(super) fn written(&self, view: &View<'_>, span: Span) -> String {
        let Kind::Run(CommandForm::Shell(line)) = self.instruction.kind() else {
            return self.text(span).to_owned();
        };
        view.source.text(line.span_of(span.range())).into_owned()
    }

    pub(super) fn text(&self, span: Span) -> &'a str {
        self.step.text.get(span.range()).unwrap_or_default()
    }

    /// How a path that a wish names stands behind commands that are kept; `None` where those touch it.
    pub(super) fn behind(&self, kept: &[Kept], wish: &Wish, path: &str) -> Option<Behind> {
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
    pub(super) fn touched(&self, commands: &[Kept], folder: &str) -> Option<Touched> {
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
