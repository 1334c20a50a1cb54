//! RUN: its command, its mounts and what of both is in the key (cache keys 3.1, grammar sections 4
//! and 8).

use super::key::Key;
use super::lower::{Lowering, Place};
use super::mount::{self, Mount, MountType};
use super::stages::{MOUNT_HELP, Named, Record};
use super::state::{Origin, State};
use super::{ContextInput, Input, NamedInput, Parts, StepKind, Written, image, title};
use crate::diagnostic::Diagnostic;
use crate::dockerfile::{CommandForm, Heredoc, Instruction, Text, expand_word};
use crate::footprint::{self, RunState};
use crate::pattern::clean;
use crate::source::Span;

/// Content inputs of a step, and the stages they come from.
#[derive(Default)]
pub struct Inputs {
    pub list: Vec<Input>,
    pub stages: Vec<usize>,
}

impl Lowering<'_> {
    /// Flags that the builder knows and takes from its `labs` frontends only, and only complains about in
    /// stages that it builds.
    fn labs_only(&mut self, ins: &Instruction, flag: &str) {
        let syntax = self.file.directives.syntax.as_ref();
        let labs = syntax.is_some_and(|(value, _)| value.contains("labs"));
        if let Some(found) = ins.flags.iter().find(|f| f.name() == flag)
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

    pub fn run(&mut self, place: &Place, ins: &Instruction, form: &CommandForm, state: &State) {
        let shell = state
            .shell
            .clone()
            .unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()]);
        let mut lone = None;
        let (argv, script) = match form {
            CommandForm::Exec(argv) => (argv.iter().map(Text::to_string).collect(), None),
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
        key.list(&argv);
        key.text(self.platform_of(place.stage));
        for (flag, default) in [("network", "default"), ("security", "sandbox")] {
            key.text(ins.flag(flag).filter(|v| *v != default).unwrap_or(""));
        }
        self.labs_only(ins, "device");
        let devices: Vec<String> = ins.flag_values("device").map(str::to_owned).collect();
        key.list(&devices);
        let mut inputs = Inputs::default();
        let mut secrets = Vec::new();
        let flags: Vec<(&str, Span)> = ins
            .flags
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
                    secrets.extend(m.env.clone().filter(|_| m.kind == MountType::Secret));
                    self.mount_target(&m, state, span);
                    mount_key(&m, state, &mut key);
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
            .with_flags(ins)
            .with_state(state);
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
        step.inputs = inputs.list;
        step.text = match form {
            CommandForm::Shell(_) => script.clone().unwrap_or_default(),
            CommandForm::Exec(_) => ins.arguments.to_string(),
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
        self.push(place, step, &inputs.stages);
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
                    inputs.list.push(Input::Stage { stage, sources });
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
                files: ContextInput { sources, excludes },
            }),
        });
    }
}

fn mount_key(m: &Mount, state: &State, key: &mut Key) {
    let target = match m.kind {
        MountType::Bind | MountType::Cache | MountType::Tmpfs => state.resolve(&m.target),
        MountType::Secret | MountType::Ssh => m.target.clone(),
    };
    key.text(&format!("{:?}", m.kind)).text(&target);
    key.text(if m.read_only { "ro" } else { "rw" });
    match m.kind {
        MountType::Cache => {
            // Only the default form keeps its id in the key (cache keys 3.1, experiments row 90).
            let default_id = clean(&m.target);
            let plain = (m.id.is_empty() || m.id == default_id)
                && m.sharing.as_deref().is_none_or(|s| s == "shared");
            key.text(if plain { &default_id } else { "" });
        }
        MountType::Secret => {
            let named = [&m.source, &m.id].into_iter().find(|n| !n.is_empty());
            key.text(named.unwrap_or(&m.target));
        }
        MountType::Ssh => {
            key.text(&m.id);
        }
        MountType::Bind | MountType::Tmpfs => {}
    }
    if m.has_owner() {
        let mode = match m.kind {
            MountType::Secret => 0o400,
            MountType::Ssh => 0o600,
            _ => 0o755,
        };
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
}

/// The heredoc that is the whole command.
fn lone_heredoc<'a>(ins: &'a Instruction, line: &str) -> Option<&'a Heredoc> {
    match ins.heredocs.as_slice() {
        [only] if line.trim() == only.word => Some(only),
        _ => None,
    }
}

/// What the shell gets: a lone heredoc is the script itself; else the line with bodies and
/// terminators below it (grammar section 4). A `#!` body runs from a file: its text is in the key
/// all the same.
fn heredoc_script(ins: &Instruction, line: &str) -> String {
    if let Some(only) = lone_heredoc(ins, line) {
        return only.content();
    }
    let mut text = line.to_owned();
    for doc in &ins.heredocs {
        text.push('\n');
        text.push_str(&doc.body);
        text.push_str(&doc.name);
    }
    text
}

fn is_posix_shell(shell: &[String]) -> bool {
    let name = shell
        .first()
        .map_or("", |s| s.rsplit('/').next().unwrap_or(""));
    matches!(name, "sh" | "bash" | "dash" | "ash") && shell.last().is_some_and(|s| s.ends_with('c'))
}
