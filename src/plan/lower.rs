//! Lowers a parsed Dockerfile to the step graph.
//!
//! Stages first (names, bases, who needs whom), then every instruction in file order with the state
//! before it. Rules: grammar section 9, cache keys sections 1-3.

use super::mount::{self, Mount, MountType};
use super::state::{Globals, Origin, State, VOLATILE, platform_args};
use super::{
    Base, BuildOptions, ContextInput, Depends, Dest, Input, Parts, Plan, Stage, StateView, Step,
    StepId, StepKind, image, title,
};
use crate::diagnostic::{self, Diagnostic};
use crate::dockerfile::check::{self, Objection};
use crate::dockerfile::{
    CommandForm, Dockerfile, Instruction, Kind, Transfer, expand_heredoc, expand_word,
    expand_words, variables,
};
use crate::footprint::{self, Class, RunState};
use crate::pattern::{ExcludeRules, SourcePattern, clean};
use crate::source::Span;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Dfs;

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
            states: vec![None; file.instructions.len()],
            diagnostics: Vec::new(),
        },
        globals: Globals::default(),
        ends: Vec::new(),
    };
    low.stages();
    if !low.plan.stages.is_empty() {
        low.target();
        low.reach();
        for index in 0..low.plan.stages.len() {
            low.stage(index);
        }
        low.order();
    }
    diagnostic::sort(&mut low.plan.diagnostics);
    low.plan
}

struct Lowering<'a> {
    file: &'a Dockerfile,
    options: &'a BuildOptions,
    plan: Plan,
    globals: Globals,
    /// State each lowered stage ended with.
    ends: Vec<State>,
}

/// Where `--from` leads.
enum FromTarget {
    Stage(usize),
    Image(String),
}

impl Lowering<'_> {
    fn escape(&self) -> char {
        self.file.directives.escape
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>, at: &Instruction) {
        let d = Diagnostic::error(code, message, at.keyword_span);
        self.plan.diagnostics.push(d);
    }

    fn arg(&self, name: &str) -> Option<String> {
        if self.options.volatile_args.iter().any(|v| v == name) {
            return Some(VOLATILE.to_string());
        }
        let args = &self.options.args;
        args.iter()
            .rev()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.clone())
    }

    fn expand(&mut self, word: &str, state: &State, at: &Instruction) -> String {
        match expand_word(word, self.escape(), &|n| state.lookup(n)) {
            Ok(text) => text,
            Err(e) => {
                let message = format!("failed to process \"{word}\": {e}");
                self.error("build/expansion", message, at);
                word.to_owned()
            }
        }
    }

    /// The value of a word, unless it depends on what the base image may set or varies.
    fn certain(&mut self, word: &str, state: &State, at: &Instruction) -> Option<String> {
        let value = self.expand(word, state, at);
        let names = variables(word, self.escape());
        let known = names.iter().all(|name| state.lookup(name).is_some());
        (known && !value.contains(VOLATILE)).then_some(value)
    }

    fn objection(&mut self, code: &'static str, found: Option<Objection>, span: Span) {
        if let Some(found) = found {
            let d = Diagnostic::error(code, found.message, span);
            self.plan.diagnostics.push(d.with_help(found.help));
        }
    }

    /// Values of instructions that make no step, which the builder looks at all the same.
    fn metadata(&mut self, ins: &Instruction, state: &State) {
        let whole = ins.arguments_span(0..ins.arguments.len());
        match &ins.kind {
            Kind::Label(list) => {
                for (name, value) in list {
                    self.expand(name, state, ins);
                    self.expand(value, state, ins);
                }
            }
            Kind::Volume(list) => {
                for path in list {
                    if self.certain(path, state, ins).is_some_and(|p| p.is_empty()) {
                        let m = format!("the path `{path}` of VOLUME is empty");
                        self.error("build/empty-volume", m, ins);
                    }
                }
            }
            Kind::Stopsignal(text) => {
                let found = self.certain(text, state, ins);
                self.objection(
                    "build/bad-signal",
                    found.and_then(|v| check::signal(&v)),
                    whole,
                );
            }
            Kind::Expose(list) => {
                for word in list {
                    if self.certain(word, state, ins).is_none() {
                        continue;
                    }
                    let ports = expand_words(word, self.escape(), &|n| state.lookup(n));
                    for port in ports.unwrap_or_default() {
                        self.objection("build/bad-port", check::port(&port), whole);
                    }
                }
            }
            _ => {}
        }
    }

    /// Names, bases and global arguments.
    fn stages(&mut self) {
        let file = self.file;
        let requested = self.options.target.clone();
        let last_alias = file.instructions.iter().rev().find_map(|i| match &i.kind {
            Kind::From { alias, .. } => Some(alias.clone()),
            _ => None,
        });
        let stage_name = requested
            .or(last_alias.flatten())
            .unwrap_or_else(|| "default".to_owned());
        self.globals.platform = platform_args(&self.options.platform, &stage_name);
        for name in self.globals.platform.clone().keys() {
            if let Some(v) = self.arg(name) {
                self.globals.platform.insert(name.clone(), v);
            }
        }
        for (i, ins) in file.instructions.iter().enumerate() {
            match &ins.kind {
                Kind::From { image, alias } => self.from(i, ins, image, alias.clone()),
                Kind::Arg(list) if self.plan.stages.is_empty() => self.global_arg(ins, list),
                _ => {}
            }
        }
        let count = file.instructions.len();
        let starts: Vec<usize> = self.plan.stages.iter().map(|s| s.from).collect();
        for (i, stage) in self.plan.stages.iter_mut().enumerate() {
            stage.end = starts.get(i + 1).copied().unwrap_or(count);
        }
    }

    fn global_arg(&mut self, ins: &Instruction, list: &[(String, Option<String>)]) {
        for (name, default) in list {
            let value = self.arg(name).or_else(|| {
                let default = default.as_ref()?;
                let globals = self.globals.clone();
                match expand_word(default, self.escape(), &|n| globals.lookup(n)) {
                    Ok(v) => Some(v),
                    Err(e) => {
                        self.error(
                            "build/expansion",
                            format!("failed to process \"{default}\": {e}"),
                            ins,
                        );
                        None
                    }
                }
            });
            match value {
                Some(v) => self.globals.args.insert(name.clone(), v),
                None => self.globals.args.remove(name),
            };
        }
    }

    fn from(&mut self, at: usize, ins: &Instruction, image: &str, alias: Option<String>) {
        let globals = self.globals.clone();
        let mut expand = |text: &str| match expand_word(text, self.escape(), &|n| globals.lookup(n))
        {
            Ok(v) => v,
            Err(e) => {
                self.error(
                    "build/expansion",
                    format!("failed to process \"{text}\": {e}"),
                    ins,
                );
                text.to_owned()
            }
        };
        let name = expand(image);
        let platform = ins.flag("platform").map(&mut expand);
        if let Some(value) = platform.as_deref().filter(|p| !p.contains(VOLATILE)) {
            let given = ins.flag("platform").is_some_and(|flag| !flag.is_empty());
            let found = check::platform(value).filter(|_| given);
            self.objection("build/bad-platform", found, ins.span);
        }
        let platform = platform.filter(|p| !p.is_empty());
        if name.is_empty() {
            let d = Diagnostic::error(
                "build/blank-base",
                format!("base name ({image}) should not be blank"),
                ins.keyword_span,
            );
            let help = "give the ARG a default value before the first FROM, or pass --build-arg";
            self.plan.diagnostics.push(d.with_help(help));
        }
        // The name table is searched case-sensitively among lower-cased names (grammar section 9).
        let known = self
            .plan
            .stages
            .iter()
            .rposition(|s| s.name.as_deref() == Some(&name));
        let base = match known {
            Some(stage) => Base::Stage(stage),
            None if name == "scratch" => Base::Scratch,
            None => {
                let found = check::image(&name);
                let found = found.filter(|_| !name.is_empty() && !name.contains(VOLATILE));
                let span = ins.arguments_span(0..ins.arguments.len());
                self.objection("build/bad-image", found, span);
                Base::Image(name)
            }
        };
        self.plan.stages.push(Stage {
            name: alias,
            base,
            platform,
            from: at,
            end: at + 1,
            reachable: false,
            steps: Vec::new(),
            last: None,
            root: None,
        });
    }

    fn target(&mut self) {
        let stages = &self.plan.stages;
        self.plan.target = stages.len() - 1;
        let Some(wanted) = &self.options.target else {
            return;
        };
        let lower = wanted.to_lowercase();
        let found = stages
            .iter()
            .rposition(|s| s.name.as_deref() == Some(&lower));
        match found {
            Some(i) => self.plan.target = i,
            None => {
                let span = self.file.instructions[stages[0].from].keyword_span;
                let message = format!("target stage \"{wanted}\" could not be found");
                self.plan.diagnostics.push(Diagnostic::error(
                    "build/unknown-target",
                    message,
                    span,
                ));
            }
        }
    }

    /// `--from` of COPY looks through all stages, case-insensitively, the last of a name first.
    fn copy_from(&mut self, name: &str, current: usize, ins: &Instruction) -> Option<FromTarget> {
        if let Ok(i) = name.parse::<i64>() {
            return match usize::try_from(i)
                .ok()
                .filter(|i| *i < self.plan.stages.len())
            {
                Some(i) if i < current => Some(FromTarget::Stage(i)),
                Some(i) if i == current => {
                    let m = format!("circular dependency detected on stage: {name}");
                    self.error("build/circular-stage", m, ins);
                    None
                }
                Some(_) => {
                    let m = format!(
                        "cannot copy from stage \"{name}\", it needs to be defined before current stage"
                    );
                    self.error("build/stage-order", m, ins);
                    None
                }
                None => {
                    self.error(
                        "build/stage-index",
                        format!("invalid stage index {name}"),
                        ins,
                    );
                    None
                }
            };
        }
        self.mount_from(name, current, ins)
    }

    /// `from=` of a mount knows names only.
    fn mount_from(&mut self, name: &str, current: usize, ins: &Instruction) -> Option<FromTarget> {
        let lower = name.to_lowercase();
        match self
            .plan
            .stages
            .iter()
            .rposition(|s| s.name.as_deref() == Some(&lower))
        {
            Some(i) if i < current => Some(FromTarget::Stage(i)),
            Some(i) if i == current => {
                let m = format!("circular dependency detected on stage: {name}");
                self.error("build/circular-stage", m, ins);
                None
            }
            Some(_) => {
                let m = format!(
                    "cannot copy from stage \"{name}\", it needs to be defined before current stage"
                );
                self.error("build/stage-order", m, ins);
                None
            }
            None => {
                let found = check::image(name).filter(|_| !name.is_empty());
                let flag = ins
                    .flags
                    .iter()
                    .find(|f| matches!(f.name.as_str(), "from" | "mount"));
                let span = flag.map_or(ins.keyword_span, |f| f.span);
                self.objection("build/bad-image", found, span);
                Some(FromTarget::Image(name.to_owned()))
            }
        }
    }

    /// Marks what the target needs: bases, `COPY --from`, `--mount from=`.
    fn reach(&mut self) {
        let mut graph: DiGraph<usize, ()> = DiGraph::new();
        let nodes: Vec<NodeIndex> = (0..self.plan.stages.len())
            .map(|i| graph.add_node(i))
            .collect();
        for index in 0..nodes.len() {
            if let Base::Stage(b) = self.plan.stages[index].base {
                graph.add_edge(nodes[index], nodes[b], ());
            }
            let (from, end) = (self.plan.stages[index].from, self.plan.stages[index].end);
            for at in from + 1..end {
                let ins = &self.file.instructions[at];
                let mut names: Vec<String> = Vec::new();
                if matches!(ins.kind, Kind::Copy(_)) {
                    names.extend(ins.flag("from").map(str::to_owned));
                }
                let mounts = ins
                    .flag_values("mount")
                    .filter_map(|m| mount::parse(m).ok());
                names.extend(mounts.filter_map(|m| m.from));
                for name in names {
                    let found = match name.parse::<usize>() {
                        Ok(i) if matches!(ins.kind, Kind::Copy(_)) => Some(i),
                        _ => {
                            let lower = name.to_lowercase();
                            self.plan
                                .stages
                                .iter()
                                .rposition(|s| s.name.as_deref() == Some(&lower))
                        }
                    };
                    if let Some(i) = found.filter(|i| *i < index) {
                        graph.add_edge(nodes[index], nodes[i], ());
                    }
                }
            }
        }
        let mut dfs = Dfs::new(&graph, nodes[self.plan.target]);
        while let Some(n) = dfs.next(&graph) {
            self.plan.stages[graph[n]].reachable = true;
        }
    }

    /// One stage record: the builder leaves the stage's name out of titles (cache keys section 2).
    fn single_record(&self) -> bool {
        self.plan.stages.len() == 1
            && self.file.instructions.iter().all(|i| {
                i.flags
                    .iter()
                    .all(|f| f.name != "mount" && !(f.name == "from" && i.keyword == "COPY"))
            })
    }

    fn stage(&mut self, index: usize) {
        let (from, end) = (self.plan.stages[index].from, self.plan.stages[index].end);
        let errors_before = self.plan.diagnostics.len();
        let label = if self.single_record() {
            String::new()
        } else {
            let name = self.plan.stages[index].name.clone();
            name.unwrap_or_else(|| format!("stage-{index}"))
        };
        let is_image = matches!(self.plan.stages[index].base, Base::Image(_));
        let counted =
            |i: &Instruction| matches!(i.keyword.as_str(), "RUN" | "COPY" | "ADD" | "WORKDIR");
        let total = usize::from(is_image)
            + self.file.instructions[from + 1..end]
                .iter()
                .filter(|i| counted(i))
                .count();
        let mut number = 0;
        let mut state = match self.plan.stages[index].base.clone() {
            Base::Stage(b) => {
                self.plan.stages[index].root = self.plan.stages[b].last;
                self.plan.stages[index].last = self.plan.stages[b].last;
                if self.plan.stages[b].has_onbuild(self.file) {
                    let at = &self.file.instructions[from];
                    self.error(
                        "build/onbuild-stage",
                        "ONBUILD triggers of a base stage are not simulated yet",
                        at,
                    );
                }
                self.ends[b].child()
            }
            Base::Scratch => State::new(true),
            Base::Image(name) => {
                number += 1;
                self.image_step(index, &name, &label, total);
                State::new(false)
            }
        };
        for at in from..end {
            self.plan.states[at] = Some(StateView {
                cwd: state.known_cwd(),
                user: state.user.clone(),
            });
            if at == from {
                continue;
            }
            let ins = &self.file.instructions[at];
            if counted(ins) {
                number += 1;
            }
            let instruction = u16::try_from(at - from).unwrap_or(u16::MAX);
            let place = Place {
                stage: index,
                id: StepId {
                    stage: u16::try_from(index).unwrap_or(u16::MAX),
                    instruction,
                },
                at,
                label: &label,
                number,
                total,
            };
            let before = self.plan.stages[index].steps.len();
            self.instruction(&place, ins, &mut state);
            if counted(ins) && self.plan.stages[index].steps.len() == before {
                // `WORKDIR /` is in the total, but takes no number of its own.
                number -= 1;
            }
        }
        self.ends.push(state);
        if !self.plan.stages[index].reachable {
            // Of stages the target does not need, the builder checks the syntax and what they refer to.
            let added = self.plan.diagnostics.split_off(errors_before);
            let kept = added
                .into_iter()
                .filter(|d| matches!(d.code, "build/stage-index" | "build/circular-stage"));
            self.plan.diagnostics.extend(kept);
        }
    }

    fn image_step(&mut self, index: usize, name: &str, label: &str, total: usize) {
        let stage = &self.plan.stages[index];
        let ins = &self.file.instructions[stage.from];
        let reference = image::normalize_reference(name);
        let platform = stage
            .platform
            .clone()
            .unwrap_or_else(|| self.options.platform.clone());
        let mut key = Key::new("image");
        key.text(&reference).text(&platform);
        let definition = key.finish();
        let node = self.plan.graph.add_node(Step {
            id: StepId {
                stage: u16::try_from(index).unwrap_or(u16::MAX),
                instruction: 0,
            },
            kind: StepKind::From,
            name: title::compose(label, 1, total, &format!("FROM {reference}")),
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
            volatile: reference.contains(VOLATILE),
            keyed_by_parent: true,
            inputs: vec![Input::Image(reference.clone())],
            text: reference,
            footprint: None,
            classes: Vec::new(),
            dest: None,
        });
        let stage = &mut self.plan.stages[index];
        stage.steps.push(node);
        stage.root = Some(node);
        stage.last = Some(node);
    }

    fn instruction(&mut self, place: &Place, ins: &Instruction, state: &mut State) {
        match &ins.kind {
            Kind::Env(list) => {
                // All words of one ENV see the environment before it.
                let before = state.clone();
                for (name, value) in list {
                    let name = self.expand(name, &before, ins);
                    let value = self.expand(value, &before, ins);
                    state.set_env(&name, value);
                }
            }
            Kind::Arg(list) => self.stage_arg(ins, list, state),
            Kind::User(user) => state.user = Some(self.expand(user, state, ins)),
            Kind::Shell(argv) => state.shell = Some(argv.clone()),
            Kind::Workdir(path) => self.workdir(place, ins, path, state),
            Kind::Run(form) => self.run(place, ins, form, state),
            Kind::Copy(t) | Kind::Add(t) => self.transfer(place, ins, t, state),
            _ => self.metadata(ins, state),
        }
    }

    fn stage_arg(
        &mut self,
        ins: &Instruction,
        list: &[(String, Option<String>)],
        state: &mut State,
    ) {
        for (name, default) in list {
            let value = match (self.arg(name), default) {
                (Some(v), _) => Some(v),
                (None, Some(d)) => Some(self.expand(d, state, ins)),
                (None, None) => self.globals.lookup(name),
            };
            if let Some(v) = value {
                state.set_arg(name, v);
            }
        }
    }

    fn push(&mut self, place: &Place, step: Step, stages: &[usize]) {
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
    }

    fn step(&self, place: &Place, ins: &Instruction, kind: StepKind, title: &str) -> Step {
        Step {
            id: place.id,
            kind,
            name: title::compose(place.label, place.number, place.total, title),
            instruction: place.at,
            line: ins.line,
            end_line: ins.end_line,
            span: ins.span,
            definition: 0,
            parts: Parts::default(),
            volatile: false,
            keyed_by_parent: true,
            inputs: Vec::new(),
            text: ins.arguments.clone(),
            footprint: None,
            classes: Vec::new(),
            dest: None,
        }
    }

    fn workdir(&mut self, place: &Place, ins: &Instruction, path: &str, state: &mut State) {
        let text = self.expand(path, state, ins);
        let resolved = state.resolve(&text);
        state.cwd = if text.starts_with('/') {
            text.clone()
        } else {
            resolved.clone()
        };
        if resolved == "/" {
            return;
        }
        // `root` is resolved to 0 (experiments row 49).
        let owner = state.user.clone();
        let id = owner
            .as_deref()
            .map_or("", |u| if u == "root" { "0" } else { u });
        let mut key = Key::new("mkdir");
        key.text(&resolved)
            .text(id)
            .text(&self.arg("SOURCE_DATE_EPOCH").unwrap_or_default());
        let mut step = self.step(
            place,
            ins,
            StepKind::Workdir,
            &format!("WORKDIR {}", visible(&text)),
        );
        step.volatile = key.volatile;
        step.definition = key.finish();
        step.parts.instruction = step.definition;
        step.classes = vec![Class::Workdir];
        step.dest = Some(Dest {
            path: Some(resolved).filter(|p| p.starts_with('/')),
            is_dir: true,
            owner,
            mode: None,
        });
        self.push(place, step, &[]);
    }

    fn run(&mut self, place: &Place, ins: &Instruction, form: &CommandForm, state: &State) {
        let shell = state
            .shell
            .clone()
            .unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()]);
        let (argv, script) = match form {
            CommandForm::Exec(argv) => (argv.clone(), None),
            CommandForm::Shell(line) => {
                let text = heredoc_script(ins, line);
                let mut argv = shell.clone();
                argv.push(text.clone());
                (argv, Some(text))
            }
        };
        if argv.is_empty() {
            self.error("build/empty-run", "arguments are required", ins);
        }
        let platform = self.plan.stages[place.stage].platform.clone();
        let mut key = Key::new("run");
        key.list(&argv);
        key.text(platform.as_deref().unwrap_or(&self.options.platform));
        key.text(
            ins.flag("network")
                .filter(|n| *n != "default")
                .unwrap_or(""),
        );
        key.text(
            ins.flag("security")
                .filter(|n| *n != "sandbox")
                .unwrap_or(""),
        );
        key.list(
            &ins.flag_values("device")
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        );
        let mut inputs = Vec::new();
        let mut stages = Vec::new();
        let mut mount_texts = Vec::new();
        for value in ins.flag_values("mount") {
            let value = self.expand_mount(value, state, ins);
            match mount::parse(&value) {
                Ok(m) => {
                    self.mount_key(&m, state, &mut key);
                    mount_texts.push(value);
                    self.mount_input(place, &m, ins, &mut inputs, &mut stages);
                }
                Err(e) => self.error("build/mount", format!("invalid --mount: {e}"), ins),
            }
        }
        let mut step = self.step(place, ins, StepKind::Run, &run_title(ins, state));
        let (mut args, mut env) = (Key::new("args"), Key::new("env"));
        let mut all = Key::new("vars");
        for v in &state.vars {
            all.text(&v.name).text(&v.value);
            let part = if v.origin == Origin::Arg {
                &mut args
            } else {
                &mut env
            };
            part.text(&v.name).text(&v.value);
        }
        let user = state.user.as_deref().unwrap_or("");
        env.text(&state.cwd).text(user);
        step.parts = Parts {
            instruction: key.finish(),
            args: args.finish(),
            env: env.finish(),
        };
        all.text(&state.cwd)
            .text(user)
            .number(step.parts.instruction);
        step.volatile = all.volatile || key.volatile;
        step.definition = all.finish();
        step.inputs = inputs;
        step.text = match form {
            CommandForm::Shell(_) => script.clone().unwrap_or_default(),
            CommandForm::Exec(_) => ins.arguments.clone(),
        };
        let view = RunState {
            cwd: state.known_cwd(),
            user: state.user.clone(),
            vars: state
                .vars
                .iter()
                .map(|v| (v.name.clone(), v.value.clone()))
                .collect(),
        };
        let footprint = match &script {
            Some(text) if is_posix_shell(&shell) => footprint::of_script(text, &view),
            Some(text) => {
                let mut f = footprint::of_script(text, &view);
                f.opaque = Some(format!("the shell {} is not known", shell.join(" ")));
                f
            }
            None => footprint::of_exec(&argv, &view),
        };
        step.classes.clone_from(&footprint.classes);
        step.footprint = Some(footprint);
        self.push(place, step, &stages);
    }

    /// Variables in mount values are expanded, `from` is not (grammar section 8).
    fn expand_mount(&mut self, value: &str, state: &State, ins: &Instruction) -> String {
        if !value.contains('$') {
            return value.to_owned();
        }
        let parts = value.split(',').map(|field| match field.split_once('=') {
            Some((k, v)) if !k.eq_ignore_ascii_case("from") => {
                format!("{k}={}", self.expand(v, state, ins))
            }
            _ => field.to_owned(),
        });
        parts.collect::<Vec<_>>().join(",")
    }

    fn mount_key(&self, m: &Mount, state: &State, key: &mut Key) {
        let target = m.target.as_deref().map(|t| state.resolve(t));
        key.text(&format!("{:?}", m.kind))
            .text(target.as_deref().unwrap_or(""));
        let writable = matches!(m.kind, MountType::Cache | MountType::Tmpfs);
        key.text(if m.read_only.unwrap_or(!writable) {
            "ro"
        } else {
            "rw"
        });
        match m.kind {
            MountType::Cache => {
                // Only the default form keeps its id in the key (cache keys 3.1, experiments row 90).
                let default_id = m.target.as_deref().map(clean).unwrap_or_default();
                let plain = m.id.as_deref().is_none_or(|id| id == default_id)
                    && m.sharing.as_deref().is_none_or(|s| s == "shared");
                key.text(if plain { &default_id } else { "" });
            }
            MountType::Secret => {
                let id = m.id.as_deref().or(m.source.as_deref());
                key.text(id.or(m.target.as_deref()).unwrap_or(""));
            }
            MountType::Ssh => {
                key.text(m.id.as_deref().unwrap_or("default"));
            }
            MountType::Bind | MountType::Tmpfs => {}
        }
        for extra in &m.extra {
            key.text(extra.as_deref().unwrap_or(""));
        }
    }

    fn mount_input(
        &mut self,
        place: &Place,
        m: &Mount,
        ins: &Instruction,
        inputs: &mut Vec<Input>,
        stages: &mut Vec<usize>,
    ) {
        let cache_without_source = m.kind == MountType::Cache && m.from.is_none();
        if cache_without_source || !matches!(m.kind, MountType::Bind | MountType::Cache) {
            return;
        }
        let source = m.source.clone().unwrap_or_else(|| "/".to_owned());
        match m.from.as_deref() {
            None => inputs.push(Input::Context(ContextInput {
                sources: vec![source],
                excludes: Vec::new(),
            })),
            Some(name) => match self.mount_from(name, place.stage, ins) {
                Some(FromTarget::Stage(s)) => {
                    stages.push(s);
                    inputs.push(Input::Stage {
                        stage: s,
                        sources: vec![source],
                    });
                }
                Some(FromTarget::Image(i)) => {
                    inputs.push(Input::Image(image::normalize_reference(&i)))
                }
                None => {}
            },
        }
    }

    /// `--chmod`, `--checksum`, and sources that only ADD has.
    fn transfer_values(&mut self, ins: &Instruction, sources: &[String], state: &State) {
        for flag in &ins.flags {
            let value = flag.value.as_deref().unwrap_or_default();
            let found = match flag.name.as_str() {
                "chmod" => self
                    .certain(value, state, ins)
                    .and_then(|v| check::chmod(&v)),
                "checksum" => self
                    .certain(value, state, ins)
                    .filter(|v| !v.is_empty())
                    .and_then(|v| check::checksum(&v, sources)),
                _ => None,
            };
            self.objection("build/bad-flag-value", found, flag.span);
        }
        if !matches!(ins.kind, Kind::Copy(_)) {
            return;
        }
        for source in sources {
            if check::remote(source).is_some() {
                let span = ins.arguments_span(0..ins.arguments.len());
                let m = format!("COPY has no remote sources, and `{source}` is one");
                let d = Diagnostic::error("build/copy-remote", m, span);
                self.plan.diagnostics.push(d.with_help("use ADD for it"));
            }
        }
    }

    fn transfer(&mut self, place: &Place, ins: &Instruction, t: &Transfer, state: &State) {
        let add = matches!(ins.kind, Kind::Add(_));
        let keyword = if add { "ADD" } else { "COPY" };
        let sources: Vec<String> = t
            .sources
            .iter()
            .map(|s| self.expand(s, state, ins))
            .collect();
        let dest = self.expand(&t.dest, state, ins);
        let owner = ins.flag("chown").map(|v| self.expand(v, state, ins));
        let mode = ins.flag("chmod").map(|v| self.expand(v, state, ins));
        self.transfer_values(ins, &sources, state);
        let excludes: Vec<String> = ins.flag_values("exclude").map(str::to_owned).collect();
        let is_dir =
            matches!(dest.as_str(), "" | ".") || dest.ends_with('/') || dest.ends_with("/.");
        let resolved = state.resolve(&dest);
        // `--chmod` makes the frontend fall back to a plain COPY (experiments row 85).
        let link = ins.has_flag("link") && mode.is_none();
        let mut key = Key::new("file");
        key.text(keyword)
            .text(&resolved)
            .text(if is_dir { "/" } else { "" });
        key.text(owner.as_deref().unwrap_or(""))
            .text(mode.as_deref().unwrap_or(""));
        key.text(if link { "link" } else { "" }).list(&excludes);
        for flag in ["parents", "keep-git-dir", "unpack", "checksum"] {
            let value = ins.flags.iter().find(|f| f.name == flag);
            key.text(value.map_or("", |f| f.raw.as_str()));
        }
        if let Err(e) = ExcludeRules::new(&excludes) {
            self.error("build/source-pattern", e.to_string(), ins);
        }
        let mut inputs = Vec::new();
        let mut paths = Vec::new();
        let mut stages = Vec::new();
        for source in &sources {
            if add && is_remote(source) {
                key.text(source);
                inputs.push(Input::Remote(source.clone()));
                continue;
            }
            if SourcePattern::new(source).is_err() && ins.flag("from").is_none() {
                self.error(
                    "build/source-pattern",
                    format!("syntax error in pattern: \"{source}\""),
                    ins,
                );
            }
            if ins.has_flag("parents") {
                key.text(&clean(source));
            } else {
                key.text(SourcePattern::lenient(source).base_name());
            }
            paths.push(source.clone());
        }
        for i in &t.inline {
            let Some(doc) = ins.heredocs.get(*i) else {
                continue;
            };
            let body = if doc.expand {
                match expand_heredoc(&doc.content(), &|n| state.lookup(n)) {
                    Ok(text) => text,
                    Err(e) => {
                        self.error(
                            "build/expansion",
                            format!("failed to process heredoc {}: {e}", doc.name),
                            ins,
                        );
                        doc.content()
                    }
                }
            } else {
                doc.content()
            };
            key.text("inline").text(&doc.name).text(&body);
        }
        if !paths.is_empty() {
            match ins.flag("from").map(str::to_owned) {
                None => inputs.push(Input::Context(ContextInput {
                    sources: paths,
                    excludes,
                })),
                Some(name) => match self.copy_from(&name, place.stage, ins) {
                    Some(FromTarget::Stage(s)) => {
                        stages.push(s);
                        inputs.push(Input::Stage {
                            stage: s,
                            sources: paths,
                        });
                    }
                    Some(FromTarget::Image(i)) => {
                        // Sources of an image are files we cannot see: their paths stand for them.
                        key.list(&paths);
                        inputs.push(Input::Image(image::normalize_reference(&i)));
                    }
                    None => {}
                },
            }
        }
        let kind = if add { StepKind::Add } else { StepKind::Copy };
        let mut step = self.step(
            place,
            ins,
            kind,
            &transfer_title(ins, keyword, &sources, t, &dest),
        );
        step.volatile = key.volatile;
        step.definition = key.finish();
        step.parts.instruction = step.definition;
        step.keyed_by_parent = !link;
        step.inputs = inputs;
        step.classes = vec![Class::Copy];
        step.dest = Some(Dest {
            path: Some(resolved).filter(|p| p.starts_with('/')),
            is_dir,
            owner,
            mode,
        });
        self.push(place, step, &stages);
    }

    /// Reachable steps in file order, which is the order of conversion.
    fn order(&mut self) {
        let plan = &mut self.plan;
        for stage in plan.stages.iter().filter(|s| s.reachable) {
            plan.order.extend(stage.steps.iter().copied());
        }
    }
}

impl Stage {
    fn has_onbuild(&self, file: &Dockerfile) -> bool {
        file.instructions[self.from..self.end]
            .iter()
            .any(|i| matches!(i.kind, Kind::Onbuild(_)))
    }
}

struct Place<'a> {
    stage: usize,
    id: StepId,
    at: usize,
    label: &'a str,
    number: usize,
    total: usize,
}

/// What the shell gets: a lone heredoc is the script itself; else the line with bodies and
/// terminators below it (grammar section 4). A `#!` body runs from a file: its text is in the key
/// all the same.
fn heredoc_script(ins: &Instruction, line: &str) -> String {
    match ins.heredocs.as_slice() {
        [] => line.to_owned(),
        [only] if line.trim() == only.word => only.content(),
        docs => {
            let mut text = line.to_owned();
            for doc in docs {
                text.push('\n');
                text.push_str(&doc.body);
                text.push_str(&doc.name);
            }
            text
        }
    }
}

fn is_posix_shell(shell: &[String]) -> bool {
    let name = shell
        .first()
        .map_or("", |s| s.rsplit('/').next().unwrap_or(""));
    matches!(name, "sh" | "bash" | "dash" | "ash") && shell.last().is_some_and(|s| s.ends_with('c'))
}

fn is_remote(source: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"]
        .iter()
        .any(|p| source.starts_with(p))
}

/// NUL marks a per-build value; people see a star.
fn visible(text: &str) -> String {
    text.replace(VOLATILE, "*")
}

fn run_title(ins: &Instruction, state: &State) -> String {
    let keyword_len = ins.keyword_span.len().min(ins.original.len());
    let rest = ins.original[keyword_len..].trim_start();
    let mut text = format!("RUN {}", title::expand_raw(rest, state));
    if matches!(ins.kind, Kind::Run(CommandForm::Exec(_))) {
        text = text.replace("\\\"", "\"");
    }
    if let [doc] = ins.heredocs.as_slice() {
        let body = doc.content();
        let mut lines = body.lines();
        if let Some(first) = lines.next() {
            let more = if lines.next().is_some() { "..." } else { "" };
            text.push_str(&format!(" ({first}{more})"));
        }
    }
    text
}

fn transfer_title(
    ins: &Instruction,
    keyword: &str,
    sources: &[String],
    t: &Transfer,
    dest: &str,
) -> String {
    let mut words: Vec<String> = vec![keyword.to_owned()];
    words.extend(ins.flags.iter().map(|f| f.raw.clone()));
    let json = ins.arguments.trim_start().starts_with('[');
    if json {
        let mut all: Vec<&str> = sources.iter().map(String::as_str).collect();
        all.push(dest);
        words.push(format!("[{}]", all.join(", ")));
    } else {
        words.extend(sources.iter().cloned());
        words.extend(
            t.inline
                .iter()
                .filter_map(|i| ins.heredocs.get(*i))
                .map(|h| h.word.clone()),
        );
        words.push(dest.to_owned());
    }
    visible(&words.join(" "))
}

/// A digest of length-prefixed fields, so that no two lists of fields collide.
struct Key {
    hasher: blake3::Hasher,
    volatile: bool,
}

impl Key {
    fn new(kind: &str) -> Self {
        let mut key = Self {
            hasher: blake3::Hasher::new(),
            volatile: false,
        };
        key.text(kind);
        key
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.volatile |= text.contains(VOLATILE);
        self.hasher.update(&(text.len() as u64).to_le_bytes());
        self.hasher.update(text.as_bytes());
        self
    }

    fn list(&mut self, items: &[String]) -> &mut Self {
        self.hasher.update(&(items.len() as u64).to_le_bytes());
        for item in items {
            self.text(item);
        }
        self
    }

    fn number(&mut self, n: u128) -> &mut Self {
        self.hasher.update(&n.to_le_bytes());
        self
    }

    fn finish(&self) -> u128 {
        let bytes = self.hasher.finalize();
        let mut half = [0u8; 16];
        half.copy_from_slice(&bytes.as_bytes()[..16]);
        u128::from_le_bytes(half)
    }
}
