//! The chain of instructions: for builders to which every instruction is a step.
//!
//! Goes in: an instruction without a step of ours and the state it leaves. Comes out: a digest in
//! that state which the next step takes into its key. Invariant: two chains have equal digests where
//! the builder would say "Using cache" for all of their instructions (experiments rows 44-54, 61, 62).

use super::super::key::Key;
use super::super::lower::Lowering;
use super::super::state::{Origin, State};
use super::Lacks;
use crate::dockerfile::{CommandForm, Instruction, Kind, Text};

impl Lowering<'_> {
    /// Takes an instruction that makes no step into the chain.
    pub fn link_in_chain(&mut self, ins: Instruction<'_>, before: &State, state: &mut State) {
        if !self.options.builder.chained {
            return;
        }
        let mut key = Key::new(&ins.keyword.to_uppercase());
        key.number(state.chain);
        match (self.options.builder.unexpanded, ins.kind()) {
            // Names of all arguments in force, and of proxies that were given.
            (true, Kind::Arg(_)) => {
                let given = self.options.args.iter().map(|(name, _)| name.as_str());
                let vars = state.vars.iter().filter(|v| v.origin == Origin::Arg);
                let mut names: Vec<String> = vars.map(|v| v.name.clone()).collect();
                names.extend(given.filter(|n| is_proxy(n)).map(str::to_owned));
                names.sort();
                names.dedup();
                key.list(&names);
            }
            (true, _) => {
                key.text(&ins.original());
            }
            // Words of an ENV see the environment before it, a WORKDIR what it comes to.
            (false, Kind::Workdir(_)) => {
                key.text(&state.cwd);
            }
            (false, _) => self.meaning(ins, before, &mut key),
        }
        state.volatile_chain |= key.volatile;
        state.chain = key.finish();
    }

    /// What this builder does not know.
    pub fn lacking(&mut self, ins: Instruction<'_>) {
        for lack in self.options.builder.lacks {
            let (what, span) = match lack {
                Lacks::Flag(keyword, name) if *ins.keyword == **keyword => {
                    match ins.flags().iter().find(|f| f.name() == *name) {
                        Some(flag) => (format!("{keyword} --{name}"), flag.span()),
                        None => continue,
                    }
                }
                Lacks::Heredocs if !ins.heredocs().is_empty() => {
                    ("heredocs".to_owned(), ins.keyword_span())
                }
                _ => continue,
            };
            let name = self.options.builder.name;
            self.report(
                "build/builder-lacks",
                format!("the {name} builder does not know {what}"),
                span,
                "build with BuildKit, or write it another way",
            );
        }
    }

    /// `--no-cache` speaks of RUN, COPY and ADD of every stage, `--no-cache-filter` of the stages of
    /// its names, in any case (experiments row 99).
    pub fn is_forced(&self, stage: usize) -> bool {
        let name = self.plan.stages[stage].name.as_deref();
        self.options.no_cache.as_ref().is_some_and(|names| {
            names.is_empty()
                || names
                    .iter()
                    .any(|n| name.is_some_and(|own| own.eq_ignore_ascii_case(n)))
        })
    }

    /// The user is in the chain, and times are in no key.
    pub fn chained_workdir(&self, ins: Instruction<'_>, resolved: &str, state: &State) -> Key {
        let mut key = state.chain_key("mkdir");
        match self.options.builder.unexpanded {
            true => key.text(&ins.original()),
            false => key.text(resolved),
        };
        key
    }

    /// What an instruction says, however it is spelled.
    fn meaning(&mut self, ins: Instruction<'_>, state: &State, key: &mut Key) {
        let before = state.clone();
        let mut expand = |word: Text<'_>| self.expand(&word, &before);
        match ins.kind() {
            Kind::Env(list) | Kind::Label(list) => {
                for (name, value) in list {
                    key.text(&expand(name)).text(&expand(value));
                }
            }
            Kind::Arg(list) => {
                // The value that a build gives is not in it, only the default (row 61).
                for (name, default) in list {
                    let default = default.map(&mut expand);
                    key.text(&name);
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
            Kind::Shell(argv) => command(CommandForm::Exec(argv), key),
            Kind::Cmd(form) | Kind::Entrypoint(form) => command(form, key),
            Kind::Healthcheck(form) => {
                for flag in ins.flags() {
                    key.text(&flag.raw);
                }
                match form {
                    Some(form) => command(form, key),
                    None => {
                        key.text("none");
                    }
                }
            }
            _ => {
                key.text(&ins.arguments());
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
            // One that the file declares counts from there on, as any other.
            let declared = |name: &str| {
                let mut instructions = self.file.instructions().iter();
                instructions.any(|i| match i.kind() {
                    Kind::Arg(list) => list.iter().any(|(n, _)| *n == *name),
                    _ => false,
                })
            };
            let given = self.options.args.iter();
            out.extend(
                given
                    .filter(|(name, _)| is_proxy(name) && !declared(name))
                    .map(|(name, value)| format!("{name}={value}")),
            );
        }
        out.sort();
        out.dedup();
        out
    }
}

/// Arguments that every builder knows undeclared.
fn is_proxy(name: &str) -> bool {
    let upper = name.to_uppercase();
    let proxy = ["HTTP", "HTTPS", "FTP", "NO", "ALL"];
    let proxy = proxy.iter().any(|p| upper == format!("{p}_PROXY"));
    proxy && (name == upper || name == upper.to_lowercase())
}

fn command(form: CommandForm<'_>, key: &mut Key) {
    match form {
        CommandForm::Shell(text) => key.text("shell").text(&text),
        CommandForm::Exec(argv) => {
            let argv: Vec<String> = argv.iter().map(String::from).collect();
            key.text("exec").list(&argv)
        }
    };
}

/// What a stage built on this one starts with where arguments are not inherited.
pub fn fresh_scope(state: &mut State) {
    state.vars.retain(|v| v.origin == Origin::Env);
    state.ahead = 0;
}
