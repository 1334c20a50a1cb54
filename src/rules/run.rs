//! One RUN as rules look at it: its script, its commands, and where its text stands in the file.

use super::View;
use super::call::{Argument, Call, Reader, calls};
use crate::dockerfile::{CommandForm, Heredoc, Instruction, Kind, Text, Texts};
use crate::plan::{Base, Step, is_posix_shell};
use crate::shell::{self, Script};
use crate::source::Span;
use std::cell::OnceCell;
use std::sync::Arc;

/// One RUN.
pub struct Run<'a> {
    /// Index of the instruction; for a trigger that of the ONBUILD.
    pub instruction: usize,
    /// Index of its stage; `None` before the first FROM.
    pub stage: Option<usize>,
    /// The RUN itself, also inside ONBUILD.
    pub ins: Instruction<'a>,
    /// Its step; `None` for a trigger and in a file with errors.
    pub step: Option<&'a Step>,
    /// The text that its shell is given; empty for the exec form and for shells that are no POSIX shells.
    pub text: String,
    /// That text, parsed.
    pub script: Arc<Script>,
    /// Its commands; for the exec form the one.
    pub calls: Vec<Call>,
    places: Vec<Place<'a>>,
    /// The commands of a plain chain, looked for when first asked for.
    pub(super) links: OnceCell<Option<Vec<Span>>>,
}

/// A stretch of the script and where that stands in the file.
enum Place<'a> {
    /// Joined lines.
    Line { start: usize, text: Text<'a> },
    /// Bytes as they stand in the file.
    Raw { start: usize, len: usize, file: u32 },
}

impl Place<'_> {
    fn start(&self) -> usize {
        match self {
            Self::Line { start, .. } | Self::Raw { start, .. } => *start,
        }
    }

    /// Where the byte at `at` stands; one past the end is allowed.
    fn at(&self, at: usize, end: bool) -> u32 {
        match self {
            Self::Line { start, text } => {
                let at = at.saturating_sub(*start).min(text.len());
                match end && at > 0 {
                    // The last byte before it, so that the end of a line is not the start of the next.
                    true => text.span_of(char_start(text, at - 1)..at).end,
                    false => text.span_of(at..at).start,
                }
            }
            Self::Raw { start, len, file } => {
                let at = at.saturating_sub(*start).min(*len);
                file.saturating_add(u32::try_from(at).unwrap_or(u32::MAX))
            }
        }
    }
}

fn char_start(text: &str, mut at: usize) -> usize {
    while at > 0 && !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl<'a> Run<'a> {
    pub(super) fn new(
        view: &View<'a>,
        at: usize,
        ins: Instruction<'a>,
        form: CommandForm<'a>,
    ) -> Self {
        let step = view
            .step(at)
            .filter(|_| view.tree.instructions().at(at).keyword == "RUN");
        let mut out = Self {
            instruction: at,
            stage: view.stage_of(at),
            ins,
            step,
            text: String::new(),
            script: Arc::default(),
            calls: Vec::new(),
            places: Vec::new(),
            links: OnceCell::new(),
        };
        let vars = step.map(|s| s.written.vars.as_slice()).unwrap_or_default();
        let lookup = |name: &str| {
            let found = vars.iter().rev().find(|v| v.name == name);
            found.and_then(|v| v.value.clone())
        };
        match form {
            CommandForm::Exec(argv) => out.calls.extend(exec(argv)),
            CommandForm::Shell(line) if in_posix_shell(view, at) => {
                (out.text, out.places) = script(ins, line);
                // The footprint's own, where it is of the same text.
                let parsed = step.filter(|s| s.text == out.text);
                let parsed = parsed.and_then(|s| s.footprint.as_ref()?.script.clone());
                out.script = parsed.unwrap_or_else(|| Arc::new(shell::parse(&out.text)));
                let reader = Reader {
                    place: &|span| out.place(span),
                    lookup: &lookup,
                    text: &out.text,
                };
                out.calls = calls(&out.script, &reader);
            }
            CommandForm::Shell(_) => {}
        }
        out
    }

    /// Where a span of its script stands in the file.
    #[must_use]
    pub fn place(&self, span: Span) -> Span {
        let (from, to) = (span.start as usize, span.end as usize);
        let of = |at: usize| {
            let n = self.places.partition_point(|p| p.start() <= at);
            self.places.get(n.saturating_sub(1))
        };
        let start = of(from).map_or(0, |p| p.at(from, false));
        let end = match to > from {
            true => of(to - 1).map_or(start, |p| p.at(to, true)),
            false => start,
        };
        Span {
            start,
            end: end.max(start),
        }
    }

    /// The commands that run whenever the RUN goes well.
    pub fn always(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|c| c.always)
    }

    /// Whether something is mounted at a path, or at a folder around it, that is not part of the image.
    #[must_use]
    pub fn is_mounted(&self, path: &str) -> bool {
        let targets = self.step.map(|s| s.mount_targets.as_slice());
        let mut targets = targets.unwrap_or_default().iter().flatten();
        targets.any(|t| crate::footprint::is_below(path, t) || path == t)
    }

    /// Whether a cache mount is at a path, or at a folder around it.
    #[must_use]
    pub fn is_cached(&self, path: &str) -> bool {
        let targets = self.step.map(|s| s.cache_targets.as_slice());
        let mut targets = targets.unwrap_or_default().iter().flatten();
        targets.any(|t| crate::footprint::is_below(path, t) || path == t)
    }

    /// It is written in a heredoc.
    #[must_use]
    pub fn is_heredoc(&self) -> bool {
        !self.ins.heredocs().is_empty()
    }
}

/// The one command of an exec form.
fn exec(argv: Texts<'_>) -> Option<Call> {
    let program = argv.first()?;
    let name = program.rsplit('/').next().unwrap_or_default();
    let arguments = argv.iter().skip(1).map(|a| Argument {
        value: Some(a.to_string()),
        text: a.to_string(),
        span: a.span(),
        pattern: false,
    });
    let end = argv.last().map_or(program.span().end, |l| l.span().end);
    Some(Call {
        program: name.to_owned(),
        program_span: program.span(),
        through: Vec::new(),
        arguments: arguments.collect(),
        redirects: Vec::new(),
        assigns: Vec::new(),
        span: Span {
            start: program.span().start,
            end,
        },
        part: 0,
        always: true,
        pipes_into: 0,
        piped_from: 0,
        background: false,
        guarded: false,
        captured: false,
    })
}

/// The shell of a stage before an instruction is one whose scripts are read here: none is set, or a POSIX one.
fn in_posix_shell(view: &View<'_>, at: usize) -> bool {
    let mut stage = view.stage_of(at);
    let mut before = at;
    let mut seen = 0;
    while let Some(i) = stage.filter(|_| seen <= view.plan.stages.len()) {
        let from = view.plan.stages[i].from;
        for ins in view.tree.instructions().slice(from..before).iter().rev() {
            if let Kind::Shell(argv) = ins.kind() {
                let argv: Vec<String> = argv.iter().map(String::from).collect();
                return is_posix_shell(&argv);
            }
        }
        seen += 1;
        match view.plan.stages[i].base {
            Base::Stage(below) if below < i => {
                stage = Some(below);
                before = view.plan.stages[below].end;
            }
            _ => return true,
        }
    }
    true
}

/// The script of a shell form, as the builder hands it to the shell, and where its parts stand.
fn script<'a>(ins: Instruction<'_>, line: Text<'a>) -> (String, Vec<Place<'a>>) {
    if let [only] = ins.heredocs()
        && line.trim() == only.word
    {
        return body(only);
    }
    let mut text = line.to_string();
    let mut places = vec![Place::Line {
        start: 0,
        text: line,
    }];
    for doc in ins.heredocs() {
        text.push('\n');
        places.push(Place::Raw {
            start: text.len(),
            len: doc.body.len() + doc.name.len(),
            file: doc.body_span.start,
        });
        text.push_str(&doc.body);
        text.push_str(&doc.name);
    }
    (text, places)
}

fn body(doc: &Heredoc) -> (String, Vec<Place<'static>>) {
    let mut text = String::new();
    let mut places = Vec::new();
    let mut file = doc.body_span.start;
    for line in doc.body.split_inclusive('\n') {
        let kept = match doc.strip_tabs {
            true => line.trim_start_matches('\t'),
            false => line,
        };
        let cut = u32::try_from(line.len() - kept.len()).unwrap_or(0);
        places.push(Place::Raw {
            start: text.len(),
            len: kept.len(),
            file: file.saturating_add(cut),
        });
        text.push_str(kept);
        file = file.saturating_add(u32::try_from(line.len()).unwrap_or(u32::MAX));
    }
    (text, places)
}
