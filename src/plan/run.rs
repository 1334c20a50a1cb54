//! RUN: its command, its mounts and what of both is in the key (cache keys 3.1, grammar sections 4
//! and 8).

use super::footprints::Command;
use super::key::Key;
use super::lower::{Lowering, Place};
use super::mount::{self, Mount, MountType};
use super::stages::{MOUNT_HELP, Named, Record};
use super::state::{Origin, State, VOLATILE};
use super::{ContextInput, Input, NamedInput, Parts, RunFlags, StepKind, Written, image, title};
use crate::diagnostic::Diagnostic;
use crate::dockerfile::{CommandForm, Heredoc, Instruction, expand_word};
use crate::footprint::RunState;
use crate::pattern::clean;
use crate::source::Span;

/// The network that a RUN asks for; `default` is the build's (`dispatchRunNetwork`, and tried).
fn own_network(ins: Instruction<'_>) -> Option<&str> {
    ins.flag("network").filter(|network| *network != "default")
}

/// Content inputs of a step, and the stages they come from.
#[derive(Default)]
pub struct Inputs {
    pub list: Vec<Input>,
    pub stages: Vec<usize>,
}

impl Lowering<'_> {
    /// Flags that the builder knows and takes from its `labs` frontends only, and only complains about in
    /// stages that it builds.
    fn labs_only(&mut self, ins: Instruction<'_>, flag: &str) {
        let syntax = self.file.directives.syntax.as_ref();
        let labs = syntax.is_some_and(|(value, _)| value.contains("labs"));
        if let Some(found) = ins.flags().iter().find(|f| f.name() == flag)
            && !labs
        {
            self.report(
                "build/labs-only",
                format!("`--{flag}` is only known to the labs versions of the frontend"),
                found.span(),
                "put `# syntax=docker/dockerfile:1-labs` into the first line",
            );
        }
    }

    pub fn run(&mut self, place: &Place, ins: Instruction<'_>, form: &CommandForm, state: &State) {
        let shell = state
            .shell
            .clone()
            .unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()]);
        let mut lone = None;
        let (argv, script) = match form {
            CommandForm::Exec(argv) => (argv.iter().map(String::from).collect(), None),
            CommandForm::Shell(line) => {
                lone = lone_heredoc(ins, line);
                let text = heredoc_script(ins, line);
                let mut argv = shell.clone();
                argv.push(text.clone());
                (argv, Some(text))
            }
        };
        if argv.is_empty() {
            self.report(
                "build/empty-run",
                "arguments are required",
                ins.keyword_span(),
                "write a command, or leave the RUN out",
            );
        }
        let mut key = Key::new("run");
        match self.options.builder.unexpanded {
            // Everything behind the keyword as it is written.
            true => key.text(ins.original().get(4..).unwrap_or_default()),
            false => key.list(&argv),
        };
        if let Some(doc) = lone.filter(|doc| doc.content().starts_with("#!")) {
            // It is run from a file of that name (experiments row 42).
            key.text(&doc.name);
        }
        key.text(self.platform_of(place.stage));
        self.run_flags(ins, &mut key);
        self.labs_only(ins, "device");
        let devices: Vec<String> = ins.flag_values("device").map(str::to_owned).collect();
        key.list(&devices);
        let mut inputs = Inputs::default();
        let mut mounts = Vec::new();
        let mut secrets = Vec::new();
        let mut cache_mounts = Vec::new();
        let mut cache_targets = Vec::new();
        let mut targets = Vec::new();
        let mut sends_context = false;
        let flags: Vec<(&str, Span)> = ins
            .flags()
            .iter()
            .filter(|f| f.name() == "mount")
            .map(|f| (f.value().unwrap_or(""), f.span()))
            .collect();
        for (n, (value, span)) in flags.into_iter().enumerate() {
            let mut certain = true;
            let mut expand = |text: &str| {
                certain &= self.known(text, state);
                expand_word(text, self.escape, &|name| state.lookup(name))
                    .map_err(|e| e.to_string())
            };
            match mount::parse(value, &mut expand) {
                Ok(m) => {
                    if m.kind == MountType::Cache {
                        let given = (!m.id.is_empty()).then(|| m.id.clone());
                        cache_mounts.push(given.unwrap_or_else(|| clean(&m.target)));
                        cache_targets.push(state.absolute(&m.target));
                    }
                    sends_context |= m.kind == MountType::Tmpfs && m.from.is_empty();
                    secrets.extend(m.env.clone().filter(|_| m.kind == MountType::Secret));
                    self.mount_target(&m, state, span);
                    targets.push(match m.target.as_str() {
                        "" => Some("/run".to_owned()),
                        target => state.absolute(target),
                    });
                    mounts.push(self.mount_key(&m, state));
                    let source = place.sources.get(n).and_then(Option::as_ref);
                    self.mount_input(place, &m, source, span, &mut inputs);
                }
                // Said already where the sources were looked up.
                Err(_) if mount::from(value).is_err() => {}
                // A base image may set what makes it right.
                Err(_) if !certain => {}
                Err(why) => {
                    let message = format!("`--mount={value}` cannot be read: {why}");
                    self.report("build/mount", message, span, MOUNT_HELP);
                }
            }
        }
        // The builder sorts them by target.
        mounts.sort_by(|a, b| a.0.cmp(&b.0));
        for (target, mount) in mounts {
            key.text(&target).number(mount.finish());
            key.volatile |= mount.volatile || target.contains(VOLATILE);
        }
        let title = title::run(ins, lone, self.escape, state, &secrets);
        let mut step = self.step(place, ins, StepKind::Run, &title);
        step.written = match &script {
            Some(text) => Written::default()
                .with("shell", &shell.join(" "))
                .with("command", text),
            None => Written::default().with("command", &argv.join(" ")),
        };
        step.written = std::mem::take(&mut step.written)
            .with("platform", self.platform_of(place.stage))
            .with_flags(ins);
        step.written = self
            .written_flags(ins, std::mem::take(&mut step.written))
            .with_state(state);
        let (mut args, mut env) = (Key::new("args"), Key::new("env"));
        let chained = self.options.builder.chained;
        let mut all = state.chain_key("vars");
        if chained {
            // Everything else is in the chain.
            let given = self.run_arguments(state);
            all.list(&given);
            args.list(&given);
            env.number(state.chain);
        }
        for v in state.vars.iter().filter(|_| !chained) {
            all.text(&v.name).text(&v.value);
            let part = if v.origin == Origin::Arg {
                &mut args
            } else {
                &mut env
            };
            part.text(&v.name).text(&v.value);
        }
        if state.ahead > 0 && !chained {
            all.number(state.ahead as u128);
            args.number(state.ahead as u128);
        }
        let (cwd, user) = match chained {
            true => ("", ""),
            false => (state.cwd.as_str(), state.user.as_deref().unwrap_or("")),
        };
        env.text(cwd).text(user);
        step.parts = Parts {
            instruction: key.finish(),
            args: args.finish(),
            env: env.finish(),
        };
        all.text(cwd).text(user).number(step.parts.instruction);
        step.volatile = all.volatile || key.volatile;
        step.definition = all.finish();
        step.variable_places = state.places().filter(|_| !chained);
        step.own_base = self.mounts_own_base(place, &inputs);
        step.keyed_by_parent = !step.own_base;
        step.inputs = joined(inputs.list, step.own_base);
        step.cache_mounts = cache_mounts;
        step.cache_targets = cache_targets;
        step.mount_targets = targets;
        step.sends_context = sends_context;
        step.text = match form {
            CommandForm::Shell(_) => script.clone().unwrap_or_default(),
            CommandForm::Exec(_) => ins.arguments().to_string(),
        };
        let view = RunState {
            cwd: state.known_cwd(),
            user: state.user.clone(),
            vars: state
                .vars
                .iter()
                .map(|v| (v.name.clone(), v.value.clone()))
                .collect(),
            homes: state.homes.clone(),
        };
        let command = Command {
            script,
            shell,
            argv,
            state: view,
            likely: state.likely(&state.resolve(".")),
        };
        let node = self.push(place, step, &inputs.stages);
        self.commands.push((node, command));
    }

    /// Whether a mount takes the files of the very step that the RUN stands on.
    fn mounts_own_base(&self, place: &Place, inputs: &Inputs) -> bool {
        let last = self.plan.stages[place.stage].last;
        let mut stages = inputs.stages.iter();
        last.is_some() && stages.any(|s| self.plan.stages[*s].last == last)
    }

    /// Network, security and what the build's own flags add (experiments rows 101, 102). Builders
    /// whose keys are the instructions as written take nothing of the build's flags into them (tried
    /// with `DOCKER_BUILDKIT=0`).
    fn run_flags(&self, ins: Instruction<'_>, key: &mut Key) {
        let run = self.build_flags();
        let network = own_network(ins).unwrap_or(run.map_or("", RunFlags::network));
        for (value, default) in [
            (network, "default"),
            (ins.flag("security").unwrap_or(""), "sandbox"),
        ] {
            key.text(if value == default { "" } else { value });
        }
        if let Some(name) = self.arg("BUILDKIT_SANDBOX_HOSTNAME") {
            key.text("hostname").text(&name);
        }
        if let Some(run) = run {
            run.add_to(key);
        }
    }

    fn build_flags(&self) -> Option<&RunFlags> {
        Some(&self.options.run).filter(|_| !self.options.builder.chained)
    }

    /// The build's flags in words.
    fn written_flags(&self, ins: Instruction<'_>, written: Written) -> Written {
        let Some(run) = self.build_flags() else {
            return written;
        };
        let network = match own_network(ins) {
            Some(_) => "",
            None => run.network(),
        };
        written
            .with("the build's network", network)
            .with_all("extra host", &run.host_names())
            .with(
                "the build's shared memory",
                &run.shared_memory().unwrap_or_default(),
            )
            .with_all("ulimit", &run.limits())
    }

    /// A mount cannot cover the whole file system.
    fn mount_target(&mut self, m: &Mount, state: &State, span: Span) {
        let placed = matches!(
            m.kind,
            MountType::Bind | MountType::Cache | MountType::Tmpfs
        );
        let help = "give the mount a target below /";
        match state.resolve(&m.target).as_str() {
            "/" if placed => {
                self.report(
                    "build/mount",
                    "the target of a mount cannot be /",
                    span,
                    help,
                );
            }
            "?/" if placed => {
                let message = "this mount covers the base image's working directory, and is refused where that is /";
                let d = Diagnostic::warning("build/mount-target", message, span).with_help(help);
                self.plan.diagnostics.push(d);
            }
            _ => {}
        }
    }

    fn mount_input(
        &mut self,
        place: &Place,
        m: &Mount,
        source: Option<&Record>,
        span: Span,
        inputs: &mut Inputs,
    ) {
        let from_nothing = m.from.is_empty() && m.kind == MountType::Cache;
        if from_nothing || !matches!(m.kind, MountType::Bind | MountType::Cache) {
            return;
        }
        let path = if m.source.is_empty() { "/" } else { &m.source };
        let paths = vec![path.to_owned()];
        if m.from.is_empty() {
            inputs.list.push(Input::Context(ContextInput {
                sources: paths,
                excludes: Vec::new(),
                literal: true,
                rule: self.options.builder.content,
                ..ContextInput::default()
            }));
        } else if let Some(record) = source {
            self.take(place, record, paths, Vec::new(), ("mount", span), inputs);
        }
    }

    /// Adds the input that files of a record are.
    pub fn take(
        &mut self,
        place: &Place,
        record: &Record,
        sources: Vec<String>,
        excludes: Vec<String>,
        (what, span): (&str, Span),
        inputs: &mut Inputs,
    ) {
        let name = match record {
            Record::Scratch => return,
            Record::Stage(stage) => {
                let Some(stage) = self.earlier(*stage, place, what, span) else {
                    return;
                };
                let found = &self.plan.stages[stage];
                if !found.replaced {
                    inputs.stages.push(stage);
                    inputs.list.push(Input::Stage {
                        stage,
                        sources,
                        excludes,
                        rule: self.options.builder.content,
                    });
                    return;
                }
                found.name.clone().unwrap_or_default()
            }
            Record::Image(name) => name.clone(),
        };
        inputs.list.push(match self.named(&name) {
            None => Input::Image(image::normalize_reference(&name)),
            Some(Named::Image(reference)) => Input::Image(image::normalize_reference(&reference)),
            Some(Named::Other) => Input::Named(NamedInput {
                context: image::context_name(&name).unwrap_or(name),
                files: ContextInput {
                    sources,
                    excludes,
                    literal: what == "mount",
                    rule: self.options.builder.content,
                    ..ContextInput::default()
                },
            }),
        });
    }

    /// The target as it is in the key, and everything else that is.
    fn mount_key(&self, m: &Mount, state: &State) -> (String, Key) {
        let mut key = Key::new("mount");
        // A relative target is joined to the working directory, others stay as written.
        let placed = |target: &str| match target.starts_with('/') {
            true => target.to_owned(),
            false => state.resolve(target),
        };
        let named = [&m.source, &m.id].into_iter().find(|n| !n.is_empty());
        let target = match m.kind {
            MountType::Bind | MountType::Cache | MountType::Tmpfs => placed(&m.target),
            MountType::Secret if m.target.is_empty() && m.env.is_none() => {
                let name = named.map_or("", |n| n.rsplit('/').next().unwrap_or(n));
                format!("/run/secrets/{name}")
            }
            MountType::Secret | MountType::Ssh => m.target.clone(),
        };
        key.text(&format!("{:?}", m.kind));
        key.text(if m.read_only { "ro" } else { "rw" });
        match m.kind {
            MountType::Cache => {
                // Only the default form keeps its id in the key (cache keys 3.1, experiments row 90).
                let default_id = clean(&m.target);
                let plain = (m.id.is_empty() || m.id == default_id)
                    && m.sharing.as_deref().is_none_or(|s| s == "shared");
                key.text(if plain { &default_id } else { "" });
                if let Some(space) = self.arg("BUILDKIT_CACHE_MOUNT_NS").filter(|_| plain) {
                    key.text(&space);
                }
            }
            MountType::Secret => {
                key.text(named.unwrap_or(&m.target));
            }
            MountType::Ssh => {
                key.text(&m.id);
            }
            MountType::Bind | MountType::Tmpfs => {}
        }
        // Of a cache, owner and mode make a step of its own, whose folder is an input.
        let (mode, counts) = match m.kind {
            MountType::Secret => (0o400, true),
            MountType::Ssh => (0o600, true),
            _ => (0o755, m.has_owner()),
        };
        if counts {
            for n in [
                m.mode.unwrap_or(mode),
                m.uid.unwrap_or(0),
                m.gid.unwrap_or(0),
            ] {
                key.number(u128::from(n));
            }
        }
        key.number(u128::from(m.size))
            .text(if m.required { "required" } else { "" })
            .text(m.env.as_deref().unwrap_or(""));
        (target, key)
    }
}

/// The mounts that take files from one place are one input: the builder digests their paths together,
/// sorted and each once, so which of them goes where is told by nothing (cache keys 3.2).
fn joined(list: Vec<Input>, own_base: bool) -> Vec<Input> {
    let mut out: Vec<Input> = Vec::new();
    for input in list {
        let same = out.iter_mut().find_map(|known| match (known, &input) {
            (Input::Context(a), Input::Context(b)) => Some((&mut a.sources, &b.sources)),
            (
                Input::Stage { stage, sources, .. },
                Input::Stage {
                    stage: other,
                    sources: more,
                    ..
                },
            ) if stage == other => Some((sources, more)),
            (Input::Named(a), Input::Named(b)) if a.context == b.context => {
                Some((&mut a.files.sources, &b.files.sources))
            }
            _ => None,
        });
        match same {
            Some((sources, more)) => sources.extend(more.iter().cloned()),
            None => out.push(input),
        }
    }
    for input in &mut out {
        let sources = match input {
            Input::Context(c) => &mut c.sources,
            Input::Named(n) => &mut n.files.sources,
            Input::Stage { sources, .. } => sources,
            Input::Image(_) | Input::Remote(_) => continue,
        };
        for source in sources.iter_mut() {
            *source = clean(&format!("/{source}"));
        }
        if own_base {
            sources.push("/".to_owned());
        }
        sources.sort_by(|a, b| b.cmp(a));
        sources.dedup();
    }
    out
}

/// The heredoc that is the whole command.
fn lone_heredoc<'a>(ins: Instruction<'a>, line: &str) -> Option<&'a Heredoc> {
    match ins.heredocs() {
        [only] if line.trim() == only.word => Some(only),
        _ => None,
    }
}

/// What the shell gets: a lone heredoc is the script itself; else the line with bodies and
/// terminators below it (grammar section 4). A `#!` body runs from a file: its text is in the key
/// all the same, and so is its name.
fn heredoc_script(ins: Instruction<'_>, line: &str) -> String {
    if let Some(only) = lone_heredoc(ins, line) {
        return only.content();
    }
    let mut text = line.to_owned();
    for doc in ins.heredocs() {
        text.push('\n');
        text.push_str(&doc.body);
        text.push_str(&doc.name);
    }
    text
}
