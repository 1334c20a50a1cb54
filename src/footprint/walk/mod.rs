//! Follows a script the way a shell would, on every branch at once.
//!
//! Goes in: the script and the state. Comes out: the footprint. Branches are followed from copies of
//! the state that are merged behind them; a loop starts from a state without anything it changes.
//! Costs O(commands · variables), bounded by [`MAX_STEPS`]. Invariant: claims of every command that
//! may run are in the result, or it is opaque.

mod simple;
mod verdict;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::aftermath::{cannot_fail, forget, leaves};
use super::argument::Argument;
use super::claims::Claims;
use super::environment;
use super::shell_state::Shell;
use super::{Class, Extent, Footprint, PathClaim, RunState, class};
use crate::shell::{self, Command, CommandKind, ListOperator, Word};
use crate::source::Span;

/// Commands followed, those of repeated loop bodies and nested scripts counted again.
const MAX_STEPS: usize = 4000;

/// Scripts inside scripts (`sh -c`) and blocks inside blocks.
const MAX_NESTING: usize = 100;

/// Variables that change what commands are or how words are split.
const STEERING: &[&str] = &[
    "PATH",
    "IFS",
    "CDPATH",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "GLOBIGNORE",
    "TMPDIR",
];

/// The walk over one RUN.
pub(super) struct Walk {
    pub(super) claims: Claims,
    classes: BTreeSet<Class>,
    /// Stretches that could not be parsed, looked at already.
    unread: BTreeSet<Span>,
    commands: Vec<String>,
    /// The environment every program starts with.
    pub(super) environment: Shell,
    text: String,
    steps: usize,
    nesting: usize,
    /// Where the command with the inline script stands, while inside it.
    outer: Option<Span>,
    /// Commands may follow in the same shell after the one looked at has failed.
    pub(super) goes_on: bool,
    /// `set -e` holds.
    pub(super) ends_early: bool,
    /// Levels of tests around, in which it does not count.
    tested: usize,
    /// Levels of branches around that this RUN never takes: what they do is claimed all the same, as another value of a
    /// build argument would take them, but it is no work of this one.
    pub(super) dead: usize,
}

/// Footprint of a shell-form RUN.
pub(super) fn script(text: &str, state: &RunState) -> Footprint {
    let mut walk = Walk::new(state);
    let mut shell = walk.environment.clone();
    // A here-document of RUN may be written for any interpreter.
    let first = text.lines().next().and_then(|l| l.strip_prefix("#!"));
    let shells = ["/sh", "/ash", "/dash", "/bash", " sh", " bash"];
    let interpreter = first.map(|l| l.split(" -").next().unwrap_or(l).trim());
    let flags = first
        .and_then(|l| l.split_once(" -"))
        .map_or("", |(_, f)| f.trim());
    if !flags.bytes().all(|b| b"eux".contains(&b)) {
        walk.claims
            .give_up(format!("the shell is started with -{flags}"));
    }
    if interpreter.is_some_and(|i| !shells.iter().any(|s| i.ends_with(s))) {
        walk.claims
            .give_up("the script is written for another interpreter");
    } else {
        walk.claims.read_program("sh");
        walk.nested(text, &mut shell);
    }
    walk.finish()
}

/// Whether all commands run one after the other, and none where one before it has failed.
fn is_chain(script: &shell::Script) -> bool {
    let simple = |c: &Command| matches!(c.kind, CommandKind::Simple(_)) && !c.background;
    match script.commands.as_slice() {
        [one] if !one.background => match &one.kind {
            CommandKind::List { first, rest } => {
                let and = |(o, c): &(ListOperator, Command)| *o == ListOperator::And && simple(c);
                simple(first) && rest.iter().all(and)
            }
            _ => simple(one),
        },
        _ => false,
    }
}

/// Footprint of an exec-form RUN.
pub(super) fn exec(argv: &[String], state: &RunState) -> Footprint {
    let mut walk = Walk::new(state);
    let shell = walk.environment.clone();
    let arguments: Vec<Argument> = argv.iter().cloned().map(Argument::Known).collect();
    walk.note_classes(&arguments);
    match argv.first() {
        None => walk.claims.give_up("there is no command"),
        // Without a shell nothing is built in.
        Some(_) => walk.program(&arguments, &shell, Span::default()),
    }
    walk.finish()
}

/// Whether the assignment of this variable changes more than a value.
pub(super) fn is_steering(name: &str) -> bool {
    STEERING.contains(&name) || is_of_loader(name)
}

/// Whether the dynamic loader looks at a variable. `LD_FLAGS` is what people call flags of their linker.
fn is_of_loader(name: &str) -> bool {
    name.starts_with("LD_") && name != "LD_FLAGS"
}

impl Walk {
    fn new(state: &RunState) -> Self {
        let environment = Shell::new(state);
        let mut claims = Claims::default();
        running_as(&mut claims, &environment);
        let steered = |name: &&String| {
            is_of_loader(name)
                || matches!(name.as_str(), "BASH_ENV" | "ENV" | "SHELLOPTS" | "BASHOPTS")
        };
        for name in environment.variables.keys().filter(steered) {
            let value = environment.lookup(name);
            match value.filter(|_| name == "LD_LIBRARY_PATH") {
                Some(value) if value.split(':').all(|e| e.starts_with('/')) => {
                    for entry in value.split(':') {
                        claims.read(Extent::Subtree, entry.trim_end_matches('/').to_string());
                    }
                }
                _ => claims.give_up(format!("{name} is set")),
            }
        }
        Self {
            claims,
            classes: BTreeSet::new(),
            unread: BTreeSet::new(),
            commands: Vec::new(),
            environment,
            text: String::new(),
            steps: 0,
            nesting: 0,
            outer: None,
            goes_on: false,
            ends_early: false,
            tested: 0,
            dead: 0,
        }
    }

    fn finish(mut self) -> Footprint {
        if self.classes.is_empty() {
            self.classes.insert(Class::Other);
        }
        self.claims
            .finish(self.classes.into_iter().collect(), self.commands)
    }

    /// Follows the text of a script in the given state.
    pub(super) fn nested(&mut self, text: &str, shell: &mut Shell) {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            self.claims.give_up("scripts are nested too deeply");
        } else {
            let tree = Arc::new(shell::parse(text));
            if self.nesting == 1 {
                self.claims.script = Some(Arc::clone(&tree));
            }
            environment::expanded(&tree, &mut self.claims.names);
            self.claims.any_variable |= environment::hides_names(&tree);
            let (names, any) = environment::assigned(&tree);
            shell.unsure.extend(names);
            shell.blind |= any;
            let outer = std::mem::replace(&mut self.text, text.to_string());
            let unread = std::mem::take(&mut self.unread);
            let chained = self.nesting == 1 && is_chain(&tree);
            let around = std::mem::replace(&mut self.claims.chained, chained);
            self.sequence(&tree.commands, shell);
            self.claims.chained = around;
            self.text = outer;
            self.unread = unread;
        }
        self.nesting -= 1;
    }

    fn sequence(&mut self, commands: &[Command], shell: &mut Shell) {
        let outer = self.goes_on;
        for (at, command) in commands.iter().enumerate() {
            if command.background {
                self.claims.give_up("a command runs in the background");
            }
            let ends = self.ends_early
                && self.tested == 0
                && matches!(command.kind, CommandKind::Simple(_));
            self.goes_on = !ends && (outer || at + 1 < commands.len());
            self.command(command, shell);
        }
        self.goes_on = outer;
    }

    /// Follows a branch that may be one this RUN never takes.
    fn idle_if<T>(&mut self, dead: bool, follow: impl FnOnce(&mut Self) -> T) -> T {
        self.dead += usize::from(dead);
        let out = follow(self);
        self.dead -= usize::from(dead);
        out
    }

    /// Follows commands in a shell of their own.
    fn child(&mut self, commands: &[Command], shell: &Shell, tested: usize) -> Shell {
        let before = std::mem::replace(&mut self.goes_on, false);
        self.tested += tested;
        let after = self.aside(commands, shell);
        self.tested -= tested;
        self.goes_on = before;
        after
    }

    /// Follows commands whose failure is no end, as it is looked at or there is another round.
    fn test_of(&mut self, commands: &[Command], shell: &mut Shell) {
        let before = std::mem::replace(&mut self.goes_on, true);
        self.tested += 1;
        self.sequence(commands, shell);
        self.tested -= 1;
        self.goes_on = before;
    }

    /// Follows what runs again and again.
    fn round(&mut self, commands: &[Command], shell: &mut Shell) {
        let before = (self.goes_on, self.ends_early);
        self.goes_on = true;
        self.sequence(commands, shell);
        self.goes_on = before.0;
        self.ends_early &= before.1;
    }

    /// Whether a RUN of this stage surely starts there or below.
    pub(super) fn is_start(&self, path: &str) -> bool {
        let cwd = self.environment.cwd.as_deref();
        path == "/" || cwd.is_some_and(|c| PathClaim::subtree(path).covers(&PathClaim::exact(c)))
    }

    /// Follows commands in a copy of the state.
    fn aside(&mut self, commands: &[Command], shell: &Shell) -> Shell {
        let mut copy = shell.clone();
        let before = self.ends_early;
        self.sequence(commands, &mut copy);
        self.ends_early &= before;
        copy
    }

    fn command(&mut self, command: &Command, shell: &mut Shell) {
        self.steps += 1;
        self.nesting += 1;
        if self.steps > MAX_STEPS || self.nesting > MAX_NESTING {
            self.claims.give_up("the script is too long to follow");
        } else {
            for redirect in &command.redirects {
                self.redirect(redirect, shell);
            }
            self.kind(command, shell);
        }
        self.nesting -= 1;
    }

    fn kind(&mut self, command: &Command, shell: &mut Shell) {
        match &command.kind {
            CommandKind::Simple(simple) => self.simple(simple, shell, command.span),
            CommandKind::List { first, rest } => self.list(first, rest, shell),
            CommandKind::Pipeline { commands, .. } => {
                // Whether the last one runs in the shell itself differs between shells.
                let before = shell.clone();
                for command in commands {
                    let after = self.child(std::slice::from_ref(command), &before, 1);
                    shell.merge(&after);
                }
            }
            CommandKind::Subshell(commands) => {
                self.child(commands, shell, 0);
            }
            CommandKind::Group(commands) => self.sequence(commands, shell),
            CommandKind::If {
                branches,
                otherwise,
            } => {
                let mut ends: Vec<Shell> = Vec::new();
                // One of the branches so far is taken whatever happens.
                let mut taken = false;
                for branch in branches {
                    let holds = match taken {
                        true => Some(false),
                        false => verdict::of_all(&branch.condition, shell),
                    };
                    self.idle_if(taken, |w| w.test_of(&branch.condition, shell));
                    let dead = holds == Some(false);
                    ends.push(self.idle_if(dead, |w| w.aside(&branch.body, shell)));
                    taken |= holds == Some(true);
                }
                let before = self.ends_early;
                self.idle_if(taken, |w| w.sequence(otherwise, shell));
                self.ends_early &= before;
                for end in ends {
                    shell.merge(&end);
                }
            }
            CommandKind::For {
                variable,
                words,
                body,
            } => self.iteration(variable.as_deref(), words.as_deref(), body, shell),
            CommandKind::While { condition, body } => {
                forget(&[condition, body], shell);
                self.test_of(condition, shell);
                // Once more, as what a round leaves may be in the way of the next.
                self.round(body, shell);
                forget(&[condition, body], shell);
                self.round(body, shell);
                forget(&[condition, body], shell);
            }
            CommandKind::Case { subject, arms } => {
                let text = self.text.get(command.span.range()).unwrap_or_default();
                if text.contains(";&") {
                    self.claims.give_up("an arm of a case falls through");
                }
                self.substitutions(subject, shell);
                let before = shell.clone();
                for arm in arms {
                    for pattern in &arm.patterns {
                        self.substitutions(pattern, shell);
                    }
                    let after = self.aside(&arm.body, &before);
                    shell.merge(&after);
                }
            }
            CommandKind::Function { name, body } => {
                self.claims
                    .give_up(format!("it defines the function {name}"));
                self.aside(std::slice::from_ref(body), shell);
            }
            CommandKind::Arithmetic(scripts) => {
                // A plain POSIX shell reads two subshells here.
                self.claims.give_up("it has an arithmetic command");
                for script in scripts {
                    self.aside(&script.commands, shell);
                }
            }
            CommandKind::Unknown => {
                self.claims.give_up("a command could not be read");
                // Rounds of loops come by again and again; a text that was read is read.
                if !self.unread.insert(command.span) {
                    return;
                }
                let text = self.text.get(command.span.range()).unwrap_or_default();
                for argv in class::words_of_commands(text) {
                    self.classes.extend(class::classify(&argv));
                }
            }
        }
    }

    /// `a && b || c`. Behind it the state is that of any way through that goes on.
    fn list(&mut self, first: &Command, rest: &[(ListOperator, Command)], shell: &mut Shell) {
        let mut left: Option<Shell> = None;
        let mut previous = first;
        let outer = self.goes_on;
        // Whether a command behind the first `n` may run because one of them failed.
        let otherwise = |n: usize| {
            let mut behind = rest[n..].iter();
            behind.any(|(o, c)| *o == ListOperator::Or && !leaves(c))
        };
        self.goes_on = outer || otherwise(0);
        self.tested += 1;
        self.command(first, shell);
        self.tested -= 1;
        let mut holds = verdict::of(first, shell);
        for (n, (operator, command)) in rest.iter().enumerate() {
            let skipped = holds == Some(*operator == ListOperator::Or);
            holds = verdict::joined(holds, *operator, || verdict::of(command, shell));
            self.dead += usize::from(skipped);
            self.goes_on = outer || otherwise(n + 1);
            let (last, early) = (n + 1 == rest.len(), self.ends_early);
            self.tested += usize::from(!last);
            match operator {
                ListOperator::And => {
                    if !cannot_fail(previous) {
                        match &mut left {
                            Some(state) => state.merge(shell),
                            None => left = Some(shell.clone()),
                        }
                    }
                    self.command(command, shell);
                }
                ListOperator::Or => {
                    let mut failed = shell.clone();
                    if let Some(state) = left.take() {
                        failed.merge(&state);
                    }
                    self.command(command, &mut failed);
                    if !leaves(command) {
                        shell.merge(&failed);
                    }
                }
            }
            previous = command;
            self.dead -= usize::from(skipped);
            self.tested -= usize::from(!last);
            self.ends_early &= early;
        }
        self.goes_on = outer;
        if let Some(state) = left {
            shell.merge(&state);
        }
    }

    fn iteration(
        &mut self,
        variable: Option<&str>,
        words: Option<&[Word]>,
        body: &[Command],
        shell: &mut Shell,
    ) {
        let mut values: Vec<Option<String>> = Vec::new();
        let mut patterns: Vec<String> = Vec::new();
        for word in words.unwrap_or_default() {
            self.substitutions(word, shell);
            for argument in self.fields(word, shell) {
                values.push(argument.known().map(str::to_string));
                if let Argument::Pattern { text, .. } = argument {
                    patterns.push(text);
                }
            }
        }
        // With one unknown value there may be any.
        if words.is_none() || values.iter().any(Option::is_none) || values.len() > 100 {
            values = vec![None];
        }
        let around = shell.elements.clone();
        if let (Some(name), [pattern], 1) = (variable, patterns.as_slice(), values.len())
            && !assigns(body, name, shell)
        {
            shell.elements.insert(name.to_string(), pattern.clone());
        }
        for value in values {
            forget(&[body], shell);
            if let Some(name) = variable {
                self.assign(name, value, shell);
            }
            self.round(body, shell);
        }
        shell.elements = around;
        forget(&[body], shell);
        if let Some(name) = variable {
            shell.variables.insert(name.to_string(), None);
        }
    }
}

/// Whether commands may give a variable another value.
fn assigns(body: &[Command], name: &str, shell: &Shell) -> bool {
    let mut probe = shell.clone();
    probe
        .variables
        .insert(name.to_string(), Some(String::new()));
    forget(&[body], &mut probe);
    probe.lookup(name).is_none()
}

/// What is looked up for the user a RUN starts as.
fn running_as(claims: &mut Claims, shell: &Shell) {
    match shell.user.as_deref() {
        None | Some("" | "root" | "0") => {
            claims.read_program_at(super::account("root"));
            claims.read_program_at(super::group("root"));
        }
        // Its groups may be named in any line.
        Some(user) if !user.bytes().all(|b| b.is_ascii_digit()) && !user.contains('$') => {
            claims.read_account(user);
            claims.read(Extent::Exact, "/etc/group");
        }
        Some(_) => {
            claims.read(Extent::Exact, "/etc/passwd");
            claims.read(Extent::Exact, "/etc/group");
        }
    }
}
