//! One RUN in two steps, so that one half is kept while the other runs again.
//!
//! ```text
//! COPY . .                                COPY requirements.txt ./
//! RUN pip install -r requirements.txt \   RUN pip install -r requirements.txt
//!     && chmod 775 /*.sh              ->  COPY . .
//!                                         RUN chmod 775 /*.sh
//! ```
//!
//! Precondition: the shell form with one chain of `&&`; the commands of the first half are known and leave nothing in their
//! shell but what a beginning such as `cd x &&` has set, which both halves get, nor in a mount that the second half looks into; in a stage that the image stands on, the second half does not take
//! away what the first has written, which the layer of the first would keep. What the first half needs of the project is
//! copied before it, as [`super::split_copy`] does. Safety: assumed. Where the halves go is for `optimize` to find.

use super::chain::{leaves_nothing, looks_at_no_shell, sets_up, stays_in_place, takes_away};
use super::needs;
use super::projection;
use super::split_copy::{First, manifests_first};
use super::{EditNote, Line, Rewrite, Safety, StageView, View, run_state, runs_in_posix_shell};
use crate::dockerfile::{CommandForm, Instruction, Kind, parse};
use crate::footprint::{self, Class, Footprint, PathClaim, PathSet, RunState};
use crate::plan::{Base, Plan, Step, StepKind};
use crate::rewrite::layout::Laid;
use crate::shell::{Command, CommandKind, ListOperator};
use crate::source::{Edit, SourceFile, Span, apply_edits};

/// Most places of one RUN that are looked at.
const MOST_CUTS: usize = 4;

/// One rewrite for every place where a RUN goes on to work of another class.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    find_with(view, false)
}

/// Those whose first half asks for most files of the project only whether they are there: these come by way of a stage
/// ([`super::projection`]).
pub(super) fn find_by_stage(view: &View<'_>) -> Vec<Rewrite> {
    find_with(view, true)
}

fn find_with(view: &View<'_>, by_stage: bool) -> Vec<Rewrite> {
    let mut out = Vec::new();
    for stage in &view.stages {
        for (at, line) in stage.lines.iter().enumerate() {
            let Some(run) = Run::of(view, stage, at, line) else {
                continue;
            };
            let cuts = run.cuts().into_iter().take(MOST_CUTS);
            out.extend(cuts.filter_map(|cut| run.split(cut, by_stage)));
        }
    }
    out
}

/// A RUN that may be split.
struct Run<'v, 'a> {
    view: &'v View<'a>,
    stage: &'v StageView<'a>,
    at: usize,
    step: &'a Step,
    instruction: Instruction<'a>,
    /// The parts of its chain.
    parts: Vec<Command>,
    /// So many of them, the first ones, only set the shell up: both halves begin with them.
    setup: usize,
    /// What its shell sees.
    state: RunState,
}

/// The kind of work that a part does, as far as it is a reason to run apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    System,
    Install,
    Build,
    Rest,
}

impl<'v, 'a> Run<'v, 'a> {
    fn of(
        view: &'v View<'a>,
        stage: &'v StageView<'a>,
        at: usize,
        line: &Line<'a>,
    ) -> Option<Self> {
        let step = line.step.filter(|s| s.kind == StepKind::Run)?;
        let instruction: Instruction<'a> = view.file.instructions().at(line.at);
        let shell_form = matches!(instruction.kind(), Kind::Run(CommandForm::Shell(_)));
        if !shell_form || !instruction.heredocs().is_empty() || !may_pass(stage, at, step) {
            return None;
        }
        if !runs_in_posix_shell(step) {
            return None;
        }
        // A file system that is gone after each command, and one whose changes are.
        let fleeting = |f: &str| {
            f.split([',', '='])
                .any(|o| matches!(o, "tmpfs" | "rw" | "readwrite"))
        };
        if instruction.flag_values("mount").any(fleeting) {
            return None;
        }
        let script = crate::shell::parse(&step.text);
        let [command] = script.commands.as_slice() else {
            return None;
        };
        let CommandKind::List { first, rest } = &command.kind else {
            return None;
        };
        let chain = rest
            .iter()
            .all(|(o, c)| *o == ListOperator::And && !c.background);
        if !chain || command.background || first.background || !command.redirects.is_empty() {
            return None;
        }
        let parts = std::iter::once(&**first).chain(rest.iter().map(|(_, c)| c));
        let parts: Vec<Command> = parts.cloned().collect();
        let setup = parts.iter().take_while(|p| sets_up(p)).count();
        let state = run_state(view.plan, line.at, step)?;
        Some(Self {
            view,
            stage,
            at,
            step,
            instruction,
            parts,
            setup,
            state,
        })
    }

    fn text(&self, span: Span) -> &'a str {
        self.step.text.get(span.range()).unwrap_or_default()
    }

    /// Some parts as they stand.
    fn half(&self, parts: &[Command]) -> String {
        let start = parts.first().map_or(0, |p| p.span.start);
        let end = parts.last().map_or(start, |p| p.span.end);
        self.text(Span { start, end }).to_owned()
    }

    /// What sets the shell up, for the second half.
    fn again(&self) -> String {
        let setup = self.parts[..self.setup].iter();
        setup
            .map(|p| format!("{} && ", self.text(p.span)))
            .collect()
    }

    fn second(&self, parts: &[Command]) -> String {
        self.again() + &self.half(parts)
    }

    fn work(&self, part: &Command) -> Work {
        let classes = footprint::of_script(self.text(part.span), &self.state).classes;
        let has = |wanted: &[Class]| classes.iter().any(|c| wanted.contains(c));
        if has(&[Class::SystemPackages]) {
            Work::System
        } else if has(&[Class::Install]) {
            Work::Install
        } else if has(&[Class::Build, Class::LightBuild]) {
            Work::Build
        } else {
            Work::Rest
        }
    }

    /// Numbers of parts that begin work of another class than the part before them.
    fn cuts(&self) -> Vec<usize> {
        let work: Vec<Work> = self.parts.iter().map(|p| self.work(p)).collect();
        (1..work.len())
            .filter(|n| work[*n] != work[n - 1])
            .collect()
    }

    /// The rewrite that begins a RUN with a part.
    fn split(&self, cut: usize, by_stage: bool) -> Option<Rewrite> {
        let (before, after) = self.parts.split_at(cut);
        let own = before.get(self.setup..)?;
        if !own.iter().all(leaves_nothing) || !after.iter().all(looks_at_no_shell) {
            return None;
        }
        let first = footprint::of_script(&self.half(before), &self.state);
        let second = footprint::of_script(&self.second(after), &self.state);
        if first.opaque.is_some() || loses_in_between(&first) {
            return None;
        }
        self.mounts_stay(&first, &second)?;
        let mut assumptions = vec![format!(
            "the first half of line {} leaves no process that the second half needs",
            self.instruction.line
        )];
        if is_below_image(self.view.plan, self.stage.stage) {
            let known = second.opaque.is_none();
            let both = !known || first.changes().overlaps(&second.changes()).is_some();
            if both && self.takes_away(&first, after) {
                return None;
            }
            if both {
                assumptions.push(format!(
                    "what both halves of line {} write may lie in two layers of the image",
                    self.instruction.line
                ));
            }
        }
        let needs = self.needs(&first);
        if by_stage != needs.as_ref().is_some_and(|n| !n.names.is_empty()) {
            return None;
        }
        let mut edits = vec![self.cut(cut)?];
        let copied = match &needs {
            Some(needs) if by_stage => {
                let found = projection::first(self.view, self.stage, self.at, needs)?;
                let told = found.told_first();
                assumptions.extend(found.assumptions);
                edits.splice(0..0, [found.stage, found.copied]);
                format!("; {told}")
            }
            Some(needs) => {
                match manifests_first(self.view, self.stage, self.at, &needs.reads, false) {
                    Some(First {
                        edits: copies,
                        names,
                        ..
                    }) => {
                        edits.splice(0..0, copies);
                        told_of(names.len())
                    }
                    None => String::new(),
                }
            }
            None => String::new(),
        };
        assumptions.extend(needs.into_iter().flat_map(|n| n.assumptions));
        Some(Rewrite {
            safety: Safety::Assumed,
            edits,
            ignore: Vec::new(),
            caches: Vec::new(),
            note: EditNote {
                rewrite: if by_stage { "projection" } else { "split-run" },
                safety: Safety::Assumed,
                line: self.instruction.line,
                end_line: self.instruction.end_line,
                why: self.why(cut, &copied),
                assumptions,
            },
        })
    }

    /// Whether the second half may take away, or write once more, what the first has written.
    fn takes_away(&self, first: &Footprint, second: &[Command]) -> bool {
        second.iter().enumerate().any(|(n, part)| {
            if !takes_away(self.text(part.span)) {
                return false;
            }
            // In a shell that stands where it stood, a part without variables touches what it touches alone.
            let text = self.text(part.span);
            let alone = n == 0 || !text.contains(['$', '`']);
            let alone = alone && second[..n].iter().all(stays_in_place);
            let own = footprint::of_script(&self.second(&second[n..=n]), &self.state);
            !alone || own.opaque.is_some() || first.changes().overlaps(&own.changes()).is_some()
        })
    }

    fn why(&self, cut: usize, copied: &str) -> String {
        const WIDTH: usize = 40;
        let text = self.text(self.parts[cut].span);
        let short: String = text.chars().take(WIDTH).collect();
        let more = if short.len() < text.len() { "…" } else { "" };
        format!(
            "`{short}{more}` begins a step of its own, so that what changes one half no longer runs the other{copied}"
        )
    }

    /// What the first half needs of the project, where that is known and anything.
    fn needs(&self, first: &Footprint) -> Option<needs::Needs> {
        let line = &self.stage.lines[self.at];
        let below = self.stage.layout.first(line.layers);
        let laid = Laid {
            layout: &below,
            files: self.view.files,
        };
        let mut all = needs::Needs::default();
        for used in &first.uses {
            let more = needs::of_use(used, &laid).ok()?;
            if more.afterwards.is_some() {
                return None;
            }
            all.reads.extend(more.reads);
            all.names.extend(more.names);
            all.assumptions.extend(more.assumptions);
        }
        (!all.reads.is_empty()).then_some(all)
    }

    /// The edit that ends the RUN before a part and begins another with it; comments between them stay above the latter.
    fn cut(&self, cut: usize) -> Option<Edit> {
        let Kind::Run(CommandForm::Shell(line)) = self.instruction.kind() else {
            return None;
        };
        let source = self.view.source;
        let place = |part: &Command| line.span_of(part.span.range());
        let span = Span {
            start: place(&self.parts[cut - 1]).end,
            end: place(&self.parts[cut]).start,
        };
        let end = source.line_end();
        let between = source.text(span).into_owned();
        let comments = between.lines().map(str::trim);
        let comments = comments.filter(|l| l.starts_with('#'));
        let comments: String = comments.map(|l| format!("{l}{end}")).collect();
        let keyword = source.text(self.instruction.keyword_span()).into_owned();
        let flags = self.instruction.flags().iter().map(|f| f.raw.as_str());
        let start = std::iter::once(keyword.as_str()).chain(flags);
        let start = start.collect::<Vec<_>>().join(" ");
        let edit = Edit {
            span,
            text: format!("{end}{comments}{start} {}", self.again()).into_bytes(),
        };
        self.reads_as_meant(&edit, cut).then_some(edit)
    }

    /// Whether the parser finds both halves where they were put, and nothing else.
    fn reads_as_meant(&self, edit: &Edit, cut: usize) -> bool {
        let one = std::slice::from_ref(edit);
        let Ok(bytes) = apply_edits(self.view.source.bytes(), one) else {
            return false;
        };
        let new = SourceFile::new(self.view.source.name().to_owned(), bytes);
        let after = parse(&new).tree;
        let at = self.stage.lines[self.at].at;
        let found = |at: usize| {
            let i = after.instructions().get(at)?;
            let shell = matches!(i.kind(), Kind::Run(CommandForm::Shell(_)));
            let flags = i.flags().iter().map(|f| f.raw.as_str());
            let same = flags.eq(self.instruction.flags().iter().map(|f| f.raw.as_str()));
            (shell && same).then(|| i.arguments().trim().to_owned())
        };
        let (before, behind) = self.parts.split_at(cut);
        after.instructions().len() == self.view.file.instructions().len() + 1
            && found(at).as_ref() == Some(&self.half(before))
            && found(at + 1).as_ref() == Some(&self.second(behind))
    }

    /// A cache may be empty in any build: the second half must not count on what the first has put there.
    fn mounts_stay(&self, first: &Footprint, second: &Footprint) -> Option<()> {
        if self.step.cache_mounts.is_empty() {
            return Some(());
        }
        for target in &self.step.mount_targets {
            let place = PathSet::new(vec![PathClaim::subtree(target.as_deref()?)]);
            let touches = |f: &Footprint| {
                f.opaque.is_some()
                    || place.overlaps(&f.changes()).is_some()
                    || place.overlaps(&f.reads).is_some()
            };
            if touches(first) && touches(second) {
                return None;
            }
        }
        Some(())
    }
}

/// That files come before the first half, for people.
fn told_of(copied: usize) -> String {
    let told = match copied {
        0 => "",
        1 => ", and the file that the first half needs comes before it",
        _ => ", and the files that the first half needs come before it",
    };
    told.to_owned()
}

/// Whether anything above a RUN makes it run again, that one half of it might pass.
fn may_pass(stage: &StageView<'_>, at: usize, step: &Step) -> bool {
    let above = stage.lines[..at].iter().rev().take_while(|l| !l.barrier);
    let copies = |l: &Line<'_>| {
        l.step
            .is_some_and(|s| matches!(s.kind, StepKind::Copy | StepKind::Add))
    };
    step.volatile || above.into_iter().any(copies)
}

/// Whether the image stands on a stage.
fn is_below_image(plan: &Plan, stage: usize) -> bool {
    let mut at = plan.target;
    for _ in 0..=plan.stages.len() {
        if at == stage {
            return true;
        }
        match plan.stages[at].base {
            Base::Stage(b) => at = b,
            _ => return false,
        }
    }
    true
}

/// Whether a half writes what is new in every container: files that the builder mounts, devices, processes.
fn loses_in_between(first: &Footprint) -> bool {
    const FRESH: &[&str] = &["/etc/hosts", "/etc/resolv.conf", "/etc/hostname"];
    const BELOW: &[&str] = &["/dev/", "/proc/", "/sys/"];
    first
        .changes()
        .claims
        .iter()
        .any(|c| FRESH.contains(&c.path.as_str()) || BELOW.iter().any(|b| c.path.starts_with(b)))
}
