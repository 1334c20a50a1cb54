//! One simple command of a script: its words, redirections, and the program it starts.
//!
//! Goes in: a command and the state of the shell around it. Comes out: claims, and what the command does to that state.
//! Linear in words. Invariant: a word whose value is not known is never taken for a known path.

use super::super::argument::{Argument, uses_home};
use super::super::claims::Mark;
use super::super::command::{self, Call};
use super::super::environment;
use super::super::path_set::resolve;
use super::super::shell_state::Shell;
use super::super::{Extent, PathClaim, Use, class};
use super::{MAX_NESTING, Walk, is_steering};
use crate::shell::{Command, CommandKind, Part, Redirect, RedirectOperator, Simple, Word};
use crate::source::Span;

/// What tools start by name, wherever PATH has it first.
#[rustfmt::skip]
const HELPERS: &[&str] = &[
    "ar", "awk", "bash", "bzip2", "c++", "cat", "cc", "chmod", "chown", "cmake", "cp", "dpkg", "dpkg-deb", "env", "find", "g++",
    "gcc", "git", "grep", "gunzip", "gzip", "ld", "ldconfig", "ln", "ls", "make", "mkdir", "mv", "node", "node-gyp", "perl",
    "pkg-config", "python", "python3", "rm", "ruby", "rustc", "sed", "sh", "sort", "ssh", "strip", "tar", "uname", "unzip",
    "update-alternatives", "which", "xz", "zstd",
];

impl Walk {
    /// What a word becomes. Where it may be a pattern of file names the shell looks into folders for it.
    pub(super) fn fields(&mut self, word: &Word, shell: &Shell) -> Vec<Argument> {
        let fields = Argument::of_word(word, shell);
        let globs = word.parts.iter().any(|p| matches!(p, Part::Glob(_)));
        self.claims.established.clone_from(&shell.made);
        for field in &fields {
            let text = field.start();
            self.claims.climb(shell.cwd.as_deref(), text);
            if let Some((_, value)) = text.split_once('=') {
                self.claims.climb(shell.cwd.as_deref(), value);
            }
            match field {
                Argument::Pattern { prefix, .. } if globs => {
                    let folder = prefix.rsplit_once('/').map_or(".", |(d, _)| d);
                    let folder = if folder.is_empty() { "/" } else { folder };
                    match resolve(shell.cwd.as_deref(), folder) {
                        Some(path) => self.claims.read(Extent::Subtree, path),
                        None => self.claims.give_up("the working directory is not known"),
                    }
                }
                Argument::Unknown { .. } if globs => {
                    self.claims.give_up("a pattern of file names is not known");
                }
                Argument::Pattern { .. } if splits(word) => self
                    .claims
                    .assume("no name of a file that a loop finds holds blanks"),
                Argument::Unknown { .. } if splits(word) => self
                    .claims
                    .assume("no value that stands without quotes holds a pattern of file names"),
                _ => {}
            }
        }
        fields
    }

    pub(super) fn simple(&mut self, simple: &Simple, shell: &mut Shell, place: Span) {
        let mut values = Vec::new();
        for a in &simple.assignments {
            self.substitutions(&a.value, shell);
            let value = a.value.value(&|name: &str| shell.lookup(name));
            values.push((a.name.as_str(), value.filter(|_| !a.append)));
        }
        let mut arguments = Vec::new();
        for word in &simple.words {
            self.substitutions(word, shell);
            arguments.extend(self.fields(word, shell));
        }
        if arguments.is_empty() {
            for (name, value) in values {
                self.assign(name, value, shell);
            }
            return;
        }
        self.note_classes(&arguments);
        // Assignments before a command hold for that command.
        let mut saved = Vec::new();
        for (name, value) in values {
            saved.push((name.to_string(), shell.variables.get(name).cloned()));
            self.assign(name, value, shell);
        }
        let mark = self.claims.mark();
        self.claims.established.clone_from(&shell.made);
        self.run(&arguments, shell, place);
        self.note(&arguments, mark, shell);
        // Some shells keep what stands before a special command.
        const SPECIAL: &[&str] = &[
            ":", ".", "export", "readonly", "set", "unset", "exec", "eval", "shift", "exit",
            "return", "break", "continue", "times", "trap",
        ];
        let name = arguments.first().and_then(Argument::known);
        let special = name.is_some_and(|n| SPECIAL.contains(&n));
        for (name, value) in saved {
            match value.filter(|_| !special) {
                None if special => {
                    shell.variables.insert(name, None);
                    continue;
                }
                None => {
                    shell.variables.remove(&name);
                    continue;
                }
                Some(value) => shell.variables.insert(name, value),
            };
        }
    }

    /// Takes note of folders that are there from now on. What a wrapper or an inner script makes is left
    /// out: it may have been made on one way through it only.
    fn note(&self, arguments: &[Argument], mark: Mark, shell: &mut Shell) {
        let (made, written) = self.claims.since(mark);
        let mut made = made.to_vec();
        match arguments.first().and_then(Argument::known) {
            Some("mkdir") => {
                let exact = |c: &&PathClaim| c.extent == Extent::Exact;
                made.extend(written.iter().filter(exact).cloned());
            }
            Some("install") => {}
            _ => made.clear(),
        }
        shell.note(&made, written);
    }

    /// Runs a command that a shell looks up: built in or a program.
    pub(in crate::footprint) fn run(
        &mut self,
        arguments: &[Argument],
        shell: &mut Shell,
        place: Span,
    ) {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            self.claims.give_up("commands are nested too deeply");
        } else {
            self.look_up(arguments, shell, place);
        }
        self.nesting -= 1;
    }

    fn look_up(&mut self, arguments: &[Argument], shell: &mut Shell, place: Span) {
        let Some(name) = arguments.first().and_then(Argument::known) else {
            self.claims.give_up("a command's name is not known");
            return;
        };
        if command::builtin::is_builtin(name) {
            self.started(name);
            let before = self.claims.mark();
            if let Err(reason) = self.builtin(name, &arguments[1..], shell, place) {
                self.claims.give_up(format!("{name}: {reason}"));
            }
            if self.claims.grew(before) {
                self.evidence(place, before);
            }
        } else {
            self.program(arguments, shell, place);
        }
    }

    /// Runs a program.
    pub(in crate::footprint) fn program(
        &mut self,
        arguments: &[Argument],
        shell: &Shell,
        place: Span,
    ) {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            self.claims.give_up("commands are nested too deeply");
        } else {
            self.start(arguments, shell, place);
        }
        self.nesting -= 1;
    }

    /// Notes a command for reports.
    fn started(&mut self, name: &str) {
        if self.dead == 0 {
            self.commands.push(name.to_string());
        }
    }

    fn start(&mut self, arguments: &[Argument], shell: &Shell, place: Span) {
        let Some(path) = arguments.first().and_then(Argument::known) else {
            self.claims.give_up("a command's name is not known");
            return;
        };
        let before = self.claims.mark();
        let wrapper = command::java::wrapper(path, shell.cwd.as_deref());
        let name = match path.rsplit_once('/') {
            None => path,
            Some((directory, name)) if command::is_program_directory(directory) => name,
            Some(_) if wrapper.is_some() => command::java::wrapped(path),
            Some(_) => {
                self.started(path);
                self.starts_script(path, &arguments[1..], shell, place);
                return;
            }
        };
        if command::is_everyday(name) {
            self.claims.read_program(name);
        } else {
            self.claims.read_system();
            self.claims.tools = true;
            self.named(shell);
        }
        self.started(name);
        if let Err(reason) = self.search_path(name, shell) {
            self.claims.give_up(reason);
        }
        let mark = self.claims.mark();
        if let Some(script) = &wrapper {
            command::java::read_wrapper(&mut self.claims, script);
        }
        let result = match command::wrapper::inner(arguments, shell) {
            command::wrapper::Inner::None => {
                let mut call = Call {
                    name,
                    arguments: &arguments[1..],
                    shell,
                    claims: &mut self.claims,
                };
                match name {
                    "sh" | "ash" | "dash" | "bash" => {
                        self.shell_program(&arguments[1..], shell, place)
                    }
                    "find" => self.find(&arguments[1..], shell, place),
                    _ => command::run(&mut call),
                }
            }
            command::wrapper::Inner::At(at) => {
                // What a program starts is a program: nothing is built in. It may have other variables.
                let mut inner = shell.clone();
                for argument in &arguments[1..at] {
                    if let Some((name, _)) = argument.start().split_once('=') {
                        inner.unsure.insert(name.to_string());
                    }
                }
                inner.blind |= name == "sudo";
                self.program(&arguments[at..], &inner, place);
                Ok(())
            }
            command::wrapper::Inner::Unclear(reason) => Err(reason),
        };
        if command::works_on_projects(name) && self.dead == 0 {
            let (reads, writes) = self.claims.touched(mark);
            // A file name pattern that no file matches is passed on as it is (`.[extra]`).
            let known = arguments[1..].iter().map(|a| match a {
                Argument::Known(text) | Argument::Pattern { text, .. } => Some(text.as_str()),
                Argument::Unknown { .. } => None,
            });
            self.claims.uses.push(Use {
                tool: name.to_string(),
                wrapper: wrapper.clone(),
                arguments: known.map(|a| a.map(str::to_string)).collect(),
                dir: shell.cwd.clone(),
                variables: shell.variables.clone(),
                reads,
                writes,
                described: result.is_ok(),
                span: self.outer.unwrap_or(place),
            });
        }
        if let Err(reason) = result {
            self.claims.give_up(format!("{name}: {reason}"));
        }
        if !command::is_everyday(name) && !command::is_plain(name) {
            self.claims.unplain(before);
        }
        self.evidence(place, before);
    }

    /// Files that variables name are read by any program that is more than plain.
    fn named(&mut self, shell: &Shell) {
        for named in environment::named(&shell.variables, shell.cwd.as_deref()) {
            match named.path {
                Some(path) => self.claims.read(Extent::Subtree, path),
                None => self
                    .claims
                    .give_up(format!("{} is not known", named.variable)),
            }
        }
    }

    /// A script by its path: nothing is known of it, save where it is to start a build of the project and may do nothing
    /// more. Whether it does is for those to say who see it.
    fn starts_script(&mut self, path: &str, arguments: &[Argument], shell: &Shell, place: Span) {
        let tool = arguments
            .first()
            .and_then(Argument::known)
            .unwrap_or_default();
        let script = resolve(shell.cwd.as_deref(), path).filter(|_| command::builds_projects(tool));
        let (opaque, uses) = (self.claims.opaque.is_none(), self.claims.uses.len());
        let Some(script) = script.filter(|_| opaque) else {
            self.claims.give_up(format!("it runs {path}"));
            return;
        };
        self.claims.read(Extent::Exact, script.clone());
        self.program(arguments, shell, place);
        match self.claims.uses.get_mut(uses..) {
            Some([one]) if one.described && self.claims.builds.is_some() => {
                one.wrapper = Some(script);
            }
            _ => self.claims.give_up(format!("it runs {path}")),
        }
    }

    /// Looking a program up reads its name in every directory of `PATH`.
    fn search_path(&mut self, name: &str, shell: &Shell) -> Result<(), String> {
        let Some(Some(path)) = shell.variables.get("PATH") else {
            return Ok(());
        };
        for entry in path.split(':') {
            if entry.contains('$') {
                continue;
            }
            if !entry.starts_with('/') {
                return Err("PATH has a relative entry".to_string());
            }
            let everyday = command::is_everyday(name) || command::is_program_directory(entry);
            let helpers: &[&str] = if everyday { &[] } else { HELPERS };
            for name in std::iter::once(&name).chain(helpers) {
                if let Some(place) = resolve(Some(entry), name) {
                    self.claims.read_program_at(place);
                }
            }
        }
        Ok(())
    }

    /// `sh -c 'script'`
    fn shell_program(
        &mut self,
        arguments: &[Argument],
        shell: &Shell,
        place: Span,
    ) -> Result<(), String> {
        let script = class::inline_script(arguments).ok_or("it runs a script that is not known")?;
        // The child sees only exported variables; of ours those of the environment surely are.
        let mut child = self.environment.clone();
        child.merge(shell);
        child.cwd.clone_from(&shell.cwd);
        let outer = self.outer.or(Some(place));
        let before = (self.outer, self.goes_on, self.ends_early, self.tested);
        (self.outer, self.goes_on, self.ends_early, self.tested) = (outer, false, false, 0);
        self.nested(&script, &mut child);
        (self.outer, self.goes_on, self.ends_early, self.tested) = before;
        Ok(())
    }

    /// Notes where the claims since the mark come from; exec form has no text.
    fn evidence(&mut self, place: Span, mark: Mark) {
        let idle = self.dead > 0;
        self.claims.explain(self.outer.unwrap_or(place), mark, idle);
    }

    /// Finds the classes of a command.
    pub(in crate::footprint) fn note_classes(&mut self, arguments: &[Argument]) {
        if self.dead > 0 {
            return;
        }
        let argv: Vec<String> = arguments.iter().map(Argument::shown).collect();
        self.classes.extend(class::classify(&argv));
    }

    /// Sets a variable.
    pub(in crate::footprint) fn assign(
        &mut self,
        name: &str,
        value: Option<String>,
        shell: &mut Shell,
    ) {
        if is_steering(name) {
            self.claims.give_up(format!("it sets {name}"));
        }
        shell.variables.insert(name.to_string(), value);
    }

    /// Follows the command substitutions of a word.
    pub(super) fn substitutions(&mut self, word: &Word, shell: &Shell) {
        for script in word.substitutions() {
            self.child(&script.commands, shell, 1);
        }
        let root = !shell.variables.contains_key("HOME") && shell.is_root();
        if root && uses_home(word) {
            self.claims
                .assume("the user is root, whose home directory is /root");
        }
    }

    pub(super) fn redirect(&mut self, redirect: &Redirect, shell: &Shell) {
        self.substitutions(&redirect.target, shell);
        self.claims.established.clone_from(&shell.made);
        let mark = self.claims.mark();
        let (reads, writes) = match redirect.operator {
            RedirectOperator::Read => (true, false),
            RedirectOperator::Write | RedirectOperator::Append => (false, true),
            RedirectOperator::WriteBoth | RedirectOperator::AppendBoth => {
                self.claims
                    .give_up("&> means one thing to bash and another to other shells");
                (false, true)
            }
            RedirectOperator::DuplicateInput | RedirectOperator::DuplicateOutput => {
                let Some(target) = redirect.target.literal() else {
                    self.claims
                        .give_up("it redirects to or from a path that is not known");
                    return;
                };
                let descriptor = target.trim_end_matches('-');
                if descriptor.bytes().all(|b| b.is_ascii_digit())
                    && !redirect.target.parts.is_empty()
                    || target.is_empty() && redirect.target.parts.is_empty()
                {
                    return;
                }
                (false, true)
            }
            RedirectOperator::HereDocument | RedirectOperator::HereString => return,
        };
        let target = redirect.target.expand(&|name: &str| shell.lookup(name));
        if let Some(text) = &target {
            self.claims.climb(shell.cwd.as_deref(), text);
        }
        let path = redirect
            .target
            .expand(&|name: &str| shell.lookup(name))
            .and_then(|text| resolve(shell.cwd.as_deref(), &text));
        let Some(path) = path else {
            self.claims
                .give_up("it redirects to or from a path that is not known");
            return;
        };
        if command::is_device(&path) {
            return;
        }
        let text = redirect.target.expand(&|name: &str| shell.lookup(name));
        self.claims
            .climb(shell.cwd.as_deref(), text.as_deref().unwrap_or_default());
        if reads {
            self.claims.read(Extent::Exact, path);
        } else if writes {
            self.claims.write(Extent::Exact, path);
        }
        self.evidence(redirect.span, mark);
    }
}

/// Whether a word holds a value without quotes that could be a pattern.
fn splits(word: &Word) -> bool {
    word.parts.iter().any(|part| match part {
        Part::Variable(v) => !matches!(v.name.as_str(), "?" | "#" | "$" | "!"),
        Part::Substitution(script) => !script.commands.iter().all(prints_words),
        _ => false,
    })
}

/// Commands whose output is numbers and names.
fn prints_words(command: &Command) -> bool {
    const PLAIN: &[&str] = &[
        "arch", "date", "expr", "getconf", "id", "nproc", "seq", "uname", "wc", "whoami",
    ];
    let CommandKind::Simple(simple) = &command.kind else {
        return false;
    };
    let name = simple.words.first().and_then(Word::literal);
    name.is_some_and(|n| PLAIN.contains(&n.as_str()))
}
