//! Lowers a parsed Dockerfile to the step graph.
//!
//! Stages first (`stages.rs`), then every instruction of the stages in file order with the state before
//! it; COPY and ADD are in `transfer.rs`, RUN in `run.rs`. Rules: grammar section 9, cache keys 1-3.

use super::Between;
use super::builder;
use super::footprints::Command;
use super::key::{Key, owner_key};
use super::stages::{Named, Record};
use super::state::{Globals, State};
use super::title::{self, Position};
use super::{
    Base, BuildOptions, Depends, Dest, Input, Parts, Plan, StateView, Step, StepId, StepKind,
    Written, image, platform, written,
};
use crate::diagnostic::{self, Diagnostic};
use crate::dockerfile::check;
use crate::dockerfile::{self, Declared, Dockerfile, Instruction, Kind, Text, Texts, expand_words};
use crate::footprint::Class;
use crate::source::SourceFile;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::BTreeMap;

/// Lowers a Dockerfile. Diagnostics of the plan are those the builder gives after parsing; with an
/// error among them the graph holds what could be understood.
#[must_use]
pub fn lower(file: &Dockerfile, options: &BuildOptions) -> Plan {
    let mut low = Lowering {
        file,
        options,
        plan: Plan {
            graph: DiGraph::new(),
            stages: Vec::new(),
            target: 0,
            order: Vec::new(),
            states: vec![None; file.instructions().len()],
            diagnostics: Vec::new(),
            builder: options.builder,
        },
        globals: Globals::default(),
        ends: Vec::new(),
        platforms: Vec::new(),
        by_name: BTreeMap::new(),
        records: Vec::new(),
        sources: Vec::new(),
        triggers: BTreeMap::new(),
        passes: Vec::new(),
        single: false,
        circular: false,
        commands: Vec::new(),
        escape: file.directives.escape,
    };
    low.stages();
    if !low.plan.stages.is_empty() {
        low.sources();
        low.target();
        low.reach();
        for index in 0..low.plan.stages.len() {
            low.stage(index);
        }
        low.order();
        super::sent::note(&mut low.plan);
        super::footprints::fill(&mut low.plan, &low.commands);
        super::note_neighbours(&mut low.plan);
    }
    diagnostic::sort(&mut low.plan.diagnostics);
    low.plan.diagnostics.dedup();
    low.plan
}

/// Everything known while a file is lowered.
pub struct Lowering<'a> {
    pub file: &'a Dockerfile,
    pub options: &'a BuildOptions,
    pub plan: Plan,
    pub globals: Globals,
    /// State each lowered stage ended with.
    ends: Vec<State>,
    /// Platform each lowered stage runs on.
    platforms: Vec<String>,
    /// The last stage of each name.
    pub by_name: BTreeMap<String, usize>,
    /// What `--from=N` counts in.
    pub records: Vec<Record>,
    /// What each instruction copies or mounts from.
    pub sources: Vec<Vec<Option<Record>>>,
    /// The ONBUILD triggers that the base of a stage brings along.
    pub triggers: BTreeMap<usize, Vec<Trigger>>,
    /// The pass in which each stage was found to be needed, from 1.
    pub passes: Vec<usize>,
    /// The build has one stage record.
    pub single: bool,
    /// Stages copy from each other: what follows from that is not said again.
    pub circular: bool,
    /// What the RUNs are to be understood by.
    pub commands: Vec<(NodeIndex, Command)>,
    /// The escape character in force: the file's, but always a backslash in ONBUILD triggers.
    pub escape: char,
}

/// An ONBUILD trigger that a FROM brings along.
pub struct Trigger {
    /// Index of the ONBUILD in the file.
    pub at: usize,
    /// What it copies or mounts from.
    pub sources: Vec<Option<Record>>,
}

/// Where an instruction stands when it is lowered.
pub struct Place<'a> {
    pub stage: usize,
    pub id: StepId,
    /// Index into the file's instructions.
    pub at: usize,
    /// What it copies or mounts from.
    pub sources: &'a [Option<Record>],
    /// How titles name the stage.
    pub label: &'a str,
    /// Steps that the builder counts in the stage.
    pub total: usize,
    pub onbuild: bool,
}

impl Lowering<'_> {
    fn stage(&mut self, index: usize) {
        let stage = &self.plan.stages[index];
        let (from, end) = (stage.from, stage.end);
        let errors_before = self.plan.diagnostics.len();
        let label = match &stage.name {
            _ if self.single => String::new(),
            Some(name) => name.clone(),
            None => format!("stage-{index}"),
        };
        let triggers = self.triggers.remove(&index).unwrap_or_default();
        let file = self.file;
        let counted =
            |i: &Instruction<'_>| matches!(&*i.keyword, "RUN" | "COPY" | "ADD" | "WORKDIR");
        let counts = file
            .instructions()
            .slice(from + 1..end)
            .iter()
            .filter(counted);
        let from_image = match &stage.base {
            Base::Image(_) => 1,
            Base::Context(_) => usize::from(!stage.replaced),
            Base::Stage(_) | Base::Scratch => 0,
        };
        let total = from_image + counts.count() + triggers.len();
        let mut state = self.base(index, &label, total);
        self.plan.states[from] = Some(view(&state));
        let replaced = self.plan.stages[index].replaced;
        let small = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        self.escape = '\\';
        for (n, Trigger { at, sources }) in triggers.iter().enumerate() {
            let Kind::Onbuild(trigger) = file.instructions().at(*at).kind() else {
                continue;
            };
            let id = StepId {
                stage: small(index),
                instruction: 0,
                trigger: small(n + 1),
            };
            let place = Place {
                stage: index,
                id,
                at: *at,
                sources,
                label: &label,
                total,
                onbuild: true,
            };
            if trigger.kind() == Kind::Invalid {
                self.bad_trigger(trigger, from);
            }
            self.instruction(&place, trigger, &mut state);
        }
        self.escape = file.directives.escape;
        for at in from + 1..end {
            self.plan.states[at] = Some(view(&state));
            if replaced {
                continue;
            }
            let sources = std::mem::take(&mut self.sources[at]);
            let place = Place {
                stage: index,
                id: StepId {
                    stage: small(index),
                    instruction: small(at - from),
                    trigger: 0,
                },
                at,
                sources: &sources,
                label: &label,
                total,
                onbuild: false,
            };
            self.instruction(&place, file.instructions().at(at), &mut state);
        }
        self.ends.push(state);
        if !self.plan.stages[index].reachable {
            // Of stages the target does not need, the builder checks what `stages.rs` checks.
            self.plan.diagnostics.truncate(errors_before);
        }
    }

    /// A trigger is read when a stage is built on it, and not before.
    fn bad_trigger(&mut self, trigger: Instruction<'_>, from: usize) {
        let text = SourceFile::new("trigger", trigger.original().as_str());
        let why = dockerfile::parse(&text)
            .diagnostics
            .into_iter()
            .find(Diagnostic::is_error);
        let why = why.map_or_else(|| "it is not understood".to_owned(), |d| d.message);
        let line = self.file.instructions().at(from).line;
        self.report(
            "build/bad-onbuild",
            format!("this trigger, which FROM in line {line} runs, is refused: {why}"),
            trigger.span,
            "correct the trigger, or take it out",
        );
    }

    /// The state a stage starts with; FROM of an image makes a step.
    fn base(&mut self, index: usize, label: &str, total: usize) -> State {
        let stage = &self.plan.stages[index];
        let own = stage.platform.as_deref();
        let asked = platform::normal(own.unwrap_or(&self.options.platform));
        let target = || platform::normal(&self.options.platform);
        let (state, runs_on) = match stage.base.clone() {
            Base::Stage(b) => {
                self.plan.stages[index].root = self.plan.stages[b].last;
                self.plan.stages[index].last = self.plan.stages[b].last;
                // The base stage's platform wins over a flag (grammar section 9).
                let mut state = self.ends[b].child();
                if !self.options.builder.args_inherited {
                    builder::fresh_scope(&mut state);
                }
                (state, self.platforms[b].clone())
            }
            Base::Scratch => (State::new(true), target()),
            Base::Image(name) => {
                let position = Position {
                    stage: label,
                    index: self.passes[index],
                    total,
                    onbuild: false,
                };
                let reference = image::normalize_reference(&name);
                let title = title::compose(position, &format!("FROM {reference}"));
                let state = State::of_image(&reference);
                self.image_step(index, reference, title, &asked);
                (state, asked)
            }
            Base::Context(name) => match self.named(&name) {
                Some(Named::Image(written)) if written != "scratch" => {
                    let short = image::context_name(&name).unwrap_or(name);
                    let title = format!("[context {short}] {written}");
                    self.image_step(index, image::normalize_reference(&written), title, &asked);
                    (State::new(false), asked)
                }
                // A folder or another build's result: its files are no step of this build.
                _ => (State::new(true), asked),
            },
        };
        self.platforms.push(runs_on);
        state
    }

    fn image_step(&mut self, index: usize, reference: String, name: String, platform: &str) {
        let stage = &self.plan.stages[index];
        let ins = self.file.instructions().at(stage.from);
        let mut key = Key::new("image");
        key.text(&reference).text(platform);
        let definition = key.finish();
        let node = self.plan.graph.add_node(Step {
            id: StepId {
                stage: u16::try_from(index).unwrap_or(u16::MAX),
                instruction: 0,
                trigger: 0,
            },
            kind: StepKind::From,
            name,
            instruction: stage.from,
            line: ins.line,
            end_line: ins.end_line,
            span: ins.span,
            definition,
            parts: Parts {
                instruction: definition,
                args: 0,
                env: 0,
            },
            reproducible: true,
            written: Written::default()
                .with("image", &reference)
                .with("platform", platform),
            variable_places: None,
            volatile: reference.contains(super::VOLATILE),
            forced: false,
            keyed_by_parent: true,
            cache_mounts: Vec::new(),
            cache_targets: Vec::new(),
            own_base: false,
            mount_targets: Vec::new(),
            sends_context: false,
            inputs: vec![Input::Image(reference.clone())],
            text: reference,
            footprint: None,
            classes: Vec::new(),
            dest: None,
            inline: Vec::new(),
            parents: false,
            fails: None,
            between: Between::default(),
        });
        let stage = &mut self.plan.stages[index];
        stage.steps.push(node);
        stage.root = Some(node);
        stage.last = Some(node);
    }

    fn instruction(&mut self, place: &Place, ins: Instruction<'_>, state: &mut State) {
        if let Some(text) = written::configuration(ins, self.escape, state) {
            self.plan.stages[place.stage].configuration.push(text);
        }
        self.lacking(ins);
        let steps = self.plan.graph.node_count();
        let before = state.clone();
        self.understand(place, ins, state);
        if self.plan.graph.node_count() > steps {
            (state.chain, state.volatile_chain) = (0, false);
        } else {
            self.link_in_chain(ins, &before, state);
        }
    }

    fn understand(&mut self, place: &Place, ins: Instruction<'_>, state: &mut State) {
        match ins.kind() {
            Kind::Env(list) => {
                // All words of one ENV see the environment before it.
                let before = state.clone();
                for (name, value) in list {
                    let name = self.expand(&name, &before);
                    let value = self.expand(&value, &before);
                    state.set_env(&name, value);
                }
            }
            Kind::Label(list) => {
                for (name, value) in list {
                    self.expand(&name, state);
                    self.expand(&value, state);
                }
            }
            Kind::Arg(list) => self.stage_arg(list, state),
            Kind::User(user) => state.user = Some(self.expand(&user, state)),
            Kind::Shell(argv) => state.shell = Some(argv.iter().map(String::from).collect()),
            Kind::Workdir(path) => self.workdir(place, ins, &path, state),
            Kind::Run(form) => {
                self.run(place, ins, &form, state);
                let made = self.commands.last().map(|(_, c)| c.accounts_made());
                state.homes.extend(made.into_iter().flatten());
            }
            Kind::Copy(t) | Kind::Add(t) => self.transfer(place, ins, &t, state),
            Kind::Expose(words) => self.expose(words, state),
            Kind::Stopsignal(signal) => {
                let found = self.certain(&signal, state, signal.span());
                let found = found.and_then(|value| check::signal(&value));
                self.objection("build/bad-signal", found, signal.span());
            }
            Kind::Volume(paths) => {
                for path in paths {
                    if self
                        .certain(&path, state, path.span())
                        .is_some_and(|p| p.is_empty())
                    {
                        self.report(
                            "build/empty-volume",
                            "a path of VOLUME is empty",
                            path.span(),
                            "give the variable a value or leave the path out",
                        );
                    }
                }
            }
            Kind::From { .. }
            | Kind::Cmd(_)
            | Kind::Entrypoint(_)
            | Kind::Healthcheck(_)
            | Kind::Maintainer(_)
            | Kind::Onbuild(_)
            | Kind::Invalid => {}
        }
    }

    fn expose(&mut self, words: Texts<'_>, state: &State) {
        for word in words {
            if self.certain(&word, state, word.span()).is_none() {
                continue;
            }
            // Blanks that come out of a variable part words here.
            let ports = expand_words(&word, self.escape, &|n| state.lookup(n));
            for port in ports.unwrap_or_default() {
                self.objection("build/bad-port", check::port(&port), word.span());
            }
        }
    }

    fn stage_arg(&mut self, list: Declared<'_>, state: &mut State) {
        for (name, default) in list {
            let value = match (self.arg(&name), default) {
                (Some(v), _) => Some(v),
                (None, Some(d)) => Some(self.expand(&d, state)),
                (None, None) => self.globals.lookup(&name),
            };
            if let Some(v) = value
                && !NOT_IN_ENVIRONMENT.contains(&name.as_str())
            {
                match self.options.builder.chained {
                    true => state.set_hidden_arg(&name, v),
                    false => state.set_arg(&name, v),
                }
            }
        }
    }

    pub fn push(&mut self, place: &Place, mut step: Step, stages: &[usize]) -> NodeIndex {
        self.owner_without_names(place, &mut step);
        let node = self.plan.graph.add_node(step);
        if let Some(last) = self.plan.stages[place.stage].last {
            self.plan.graph.add_edge(last, node, Depends::Key);
        }
        for s in stages {
            if let Some(last) = self.plan.stages[*s].last {
                self.plan.graph.add_edge(last, node, Depends::Content);
            }
        }
        let stage = &mut self.plan.stages[place.stage];
        stage.steps.push(node);
        stage.last = Some(node);
        node
    }

    /// An owner is looked up in the files that a step stands on. Where there are none, on scratch and with
    /// `--link`, a name other than root is refused, though not before the step is executed (seen on
    /// BuildKit 0.25).
    fn owner_without_names(&mut self, place: &Place, step: &mut Step) {
        let owner = step.dest.as_ref().and_then(|d| d.owner.clone());
        let number = |part: &str| part == "root" || part.bytes().all(|b| b.is_ascii_digit());
        let Some(owner) = owner.filter(|o| !o.split(':').all(number)) else {
            return;
        };
        if step.keyed_by_parent && self.plan.stages[place.stage].last.is_some() {
            return;
        }
        step.fails = Some("invalid user index: -1");
        let message = format!(
            "the owner {owner} cannot be looked up: this step has no /etc/passwd to look into"
        );
        let d = Diagnostic::warning("build/owner-name", message, step.span);
        let help = "write numbers, as in `--chown=1000:1000`";
        self.plan.diagnostics.push(d.with_help(help));
    }

    pub fn step(&self, place: &Place, ins: Instruction<'_>, kind: StepKind, title: &str) -> Step {
        // The builder numbers the vertices it makes, one after another: `WORKDIR /` is in the total, but
        // takes no number, nor does a FROM that a named context stands in for.
        let stage = &self.plan.stages[place.stage];
        let context = matches!(stage.base, Base::Context(_)) && stage.root.is_some();
        let passes = match stage.base {
            Base::Image(_) | Base::Context(_) => self.passes[place.stage] - 1,
            Base::Stage(_) | Base::Scratch => 0,
        };
        let position = Position {
            stage: place.label,
            index: stage.steps.len() + 1 + passes - usize::from(context),
            total: place.total,
            onbuild: place.onbuild,
        };
        Step {
            id: place.id,
            kind,
            name: title::compose(position, title),
            instruction: place.at,
            line: ins.line,
            end_line: ins.end_line,
            span: ins.span,
            definition: 0,
            parts: Parts::default(),
            reproducible: ins.reproducible,
            written: Written::default(),
            variable_places: None,
            volatile: false,
            forced: kind != StepKind::Workdir && self.is_forced(place.stage),
            keyed_by_parent: true,
            cache_mounts: Vec::new(),
            cache_targets: Vec::new(),
            own_base: false,
            mount_targets: Vec::new(),
            sends_context: false,
            inputs: Vec::new(),
            text: ins.arguments().to_string(),
            footprint: None,
            classes: Vec::new(),
            dest: None,
            inline: Vec::new(),
            parents: false,
            fails: None,
            between: Between::default(),
        }
    }

    fn workdir(&mut self, place: &Place, ins: Instruction<'_>, path: &Text, state: &mut State) {
        let text = self.expand(path, state);
        let resolved = state.resolve(&text);
        let unsure = self.is_unsure(path, &text, state);
        state.unsure_cwd = unsure;
        state.cwd = if text.starts_with('/') {
            text.clone()
        } else {
            resolved.clone()
        };
        if resolved == "/" {
            return;
        }
        let owner = state.user.clone();
        let id = owner_key(owner.as_deref().unwrap_or(""));
        let mut key = Key::new("mkdir");
        key.text(&resolved)
            .text(&id)
            .text(&self.arg("SOURCE_DATE_EPOCH").unwrap_or_default());
        if self.options.builder.chained {
            key = self.chained_workdir(ins, &resolved, state);
        }
        let title = title::plain(ins, self.escape, state);
        let mut step = self.step(place, ins, StepKind::Workdir, &title);
        step.written = Written::default()
            .with("path", &resolved)
            .with("owner", &id);
        step.volatile = key.volatile;
        step.definition = key.finish();
        step.parts.instruction = step.definition;
        step.classes = vec![Class::Workdir];
        step.dest = Some(Dest {
            likely: state.likely(&resolved),
            path: Some(resolved).filter(|p| p.starts_with('/')),
            is_dir: true,
            is_relative: !text.starts_with('/') || unsure,
            unsure,
            owner,
            mode: None,
        });
        self.push(place, step, &[]);
    }

    /// The platform that RUNs of a stage run on.
    pub fn platform_of(&self, stage: usize) -> &str {
        self.platforms.get(stage).map_or("", String::as_str)
    }
}

/// Arguments that the builder keeps out of the environment.
const NOT_IN_ENVIRONMENT: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

fn view(state: &State) -> StateView {
    StateView {
        cwd: state.known_cwd(),
        user: state.user.clone(),
        homes: state.homes.clone(),
    }
}
