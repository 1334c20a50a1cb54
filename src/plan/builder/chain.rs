//! The chain of instructions: for builders to which every instruction is a step.
//!
//! Goes in: an instruction without a step of ours and the state it leaves. Comes out: a digest in
//! that state which the next step takes into its key. Invariant: two chains have equal digests where
//! the builder would say "Using cache" for all of their instructions (experiments rows 44-54, 61, 62).

use super::super::key::Key;
use super::super::lower::Lowering;
use super::super::state::{Origin, State};
use crate::dockerfile::{CommandForm, Instruction, Kind, Text};

impl Lowering<'_> {
    /// Takes an instruction that makes no step into the chain.
    pub fn link_in_chain(&mut self, ins: &Instruction, state: &mut State) {
        if !self.options.builder.chained {
            return;
        }
        let mut key = Key::new(&ins.keyword.to_uppercase());
        key.number(state.chain);
        if self.options.builder.unexpanded {
            for flag in &ins.flags {
                key.text(&flag.raw);
            }
            key.text(&ins.arguments);
        } else {
            self.meaning(ins, state, &mut key);
        }
        state.volatile_chain |= key.volatile;
        state.chain = key.finish();
    }

    /// What an instruction says, however it is spelled.
    fn meaning(&mut self, ins: &Instruction, state: &State, key: &mut Key) {
        let before = state.clone();
        let mut expand = |word: &Text| self.expand(word, &before);
        match &ins.kind {
            Kind::Env(list) | Kind::Label(list) => {
                for (name, value) in list {
                    key.text(&expand(name)).text(&expand(value));
                }
            }
            Kind::Arg(list) => {
                // The value that a build gives is not in it, only the default (row 61).
                for (name, default) in list {
                    let default = default.as_ref().map(&mut expand);
                    key.text(name);
                    key.list(default.as_slice());
                }
            }
            Kind::Expose(words) => {
                let mut ports: Vec<String> = words.iter().map(expand).collect();
                ports.sort();
                key.list(&ports);
            }
            Kind::Volume(words) => {
                let paths: Vec<String> = words.iter().map(expand).collect();
                key.list(&paths);
            }
            Kind::User(word) | Kind::Stopsignal(word) => {
                key.text(&expand(word));
            }
            Kind::Shell(argv) => command(&CommandForm::Exec(argv.clone()), key),
            Kind::Cmd(form) | Kind::Entrypoint(form) => command(form, key),
            Kind::Healthcheck(form) => {
                for flag in &ins.flags {
                    key.text(&flag.raw);
                }
                match form {
                    Some(form) => command(form, key),
                    None => {
                        key.text("none");
                    }
                }
            }
            Kind::Workdir(_) => {
                key.text(&state.cwd);
            }
            _ => {
                key.text(&ins.arguments);
            }
        }
    }

    /// Build arguments in the key of a RUN: those in force, and the proxies that were given. An ENV of
    /// the same name hides an ARG wherever it stands (experiments rows 55, 60, 65).
    pub fn run_arguments(&self, state: &State) -> Vec<String> {
        let vars = state.vars.iter();
        let mut out: Vec<String> = vars
            .filter(|v| v.origin == Origin::Arg)
            .map(|v| format!("{}={}", v.name, v.value))
            .collect();
        if self.options.builder.proxies {
            let known = |name: &str| {
                let upper = name.to_uppercase();
                let proxy = ["HTTP", "HTTPS", "FTP", "NO", "ALL"];
                let proxy = proxy.iter().any(|p| upper == format!("{p}_PROXY"));
                proxy && (name == upper || name == upper.to_lowercase())
            };
            // One that the file declares counts from there on, as any other.
            let declared = |name: &str| {
                let mut instructions = self.file.instructions.iter();
                instructions.any(|i| match &i.kind {
                    Kind::Arg(list) => list.iter().any(|(n, _)| *n == *name),
                    _ => false,
                })
            };
            let given = self.options.args.iter();
            out.extend(
                given
                    .filter(|(name, _)| known(name) && !declared(name))
                    .map(|(name, value)| format!("{name}={value}")),
            );
        }
        out.sort();
        out.dedup();
        out
    }
}

fn command(form: &CommandForm, key: &mut Key) {
    match form {
        CommandForm::Shell(text) => key.text("shell").text(text),
        CommandForm::Exec(argv) => {
            let argv: Vec<String> = argv.iter().map(Text::to_string).collect();
            key.text("exec").list(&argv)
        }
    };
}

/// What a stage built on this one starts with where arguments are not inherited.
pub fn fresh_scope(state: &mut State) {
    state.vars.retain(|v| v.origin == Origin::Env);
}
