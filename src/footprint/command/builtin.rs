//! Commands that a shell runs itself.
//!
//! Goes in: name, arguments, the shell's state. Comes out: claims and the new state. Only commands
//! that are built into every usual shell (dash, bash, busybox) are here; they read no program.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::path_set::resolve;
use super::super::shell_state::Shell;
use super::super::walk::Walk;
use super::{Described, is_device, wrapper};
use crate::source::Span;

/// Names of built-in commands known here, those that make a script opaque included.
const BUILTINS: &[&str] = &[
    ".",
    ":",
    "[",
    "[[",
    "alias",
    "break",
    "builtin",
    "cd",
    "command",
    "continue",
    "declare",
    "echo",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "getopts",
    "hash",
    "let",
    "local",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "test",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "wait",
];

/// Tests that look at the path behind them.
const FILE_TESTS: &[&str] = &[
    "-b", "-c", "-d", "-e", "-f", "-g", "-G", "-h", "-k", "-L", "-N", "-O", "-p", "-r", "-s", "-S",
    "-u", "-w", "-x",
];

/// The virtual environment that a script of this name belongs to.
fn environment_of(script: &str) -> Option<&str> {
    let root = script.strip_suffix("/bin/activate")?;
    // A folder of programs that every system has is none.
    (!matches!(root, "" | "/usr" | "/usr/local") && root.starts_with('/')).then_some(root)
}

/// Whether a shell runs this itself.
pub(in super::super) fn is_builtin(name: &str) -> bool {
    BUILTINS.contains(&name)
}

impl Walk {
    /// Runs a built-in command.
    ///
    /// # Errors
    /// The reason why the rest of the script is not known.
    pub(in super::super) fn builtin(
        &mut self,
        name: &str,
        arguments: &[Argument],
        shell: &mut Shell,
        place: Span,
    ) -> Described {
        match name {
            ":" | "break" | "continue" | "echo" | "exit" | "false" | "pwd" | "return" | "shift"
            | "times" | "true" | "ulimit" | "wait" => Ok(()),
            "set" => {
                // Without options it prints every variable.
                self.claims.any_variable |= arguments.is_empty();
                for argument in arguments {
                    let text = argument.known().unwrap_or("+e");
                    match text.strip_prefix('-') {
                        Some(letters) if letters.contains('e') => self.ends_early = true,
                        _ if text == "errexit" => self.ends_early = true,
                        _ => {}
                    }
                }
                // Whatever is switched off may be that.
                let off = |a: &Argument| a.known().is_none_or(|t| t.starts_with('+'));
                self.ends_early &= !arguments.iter().any(off);
                Ok(())
            }
            "umask" => {
                let plain = |a: &Argument| matches!(a.known(), Some("022" | "0022" | "-S"));
                self.claims.masked |= !arguments.iter().all(plain);
                Ok(())
            }
            "printf" => match arguments {
                [v, variable, ..] if v.known() == Some("-v") => self.forget(variable, shell),
                _ => Ok(()),
            },
            "test" | "[" | "[[" => {
                // In brackets of two, numbers may be names of variables.
                const NAMES: &[&str] = &["-v", "-R", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"];
                let named = |a: &Argument| a.known().is_some_and(|t| NAMES.contains(&t));
                let by_name = |a: &Argument| matches!(a.known(), Some("-v" | "-R"));
                self.claims.any_variable |= match name {
                    "[[" => arguments.iter().any(named),
                    _ => arguments.iter().any(by_name),
                };
                self.test(arguments, shell)
            }
            "cd" => self.change_directory(arguments, shell),
            "export" | "readonly" | "local" | "declare" | "typeset" => {
                // `export` alone prints every variable.
                let option = |a: &Argument| a.start().starts_with('-');
                let prints = |a: &Argument| a.known().is_some_and(|t| t.starts_with("-p"));
                self.claims.any_variable |= arguments.iter().all(option)
                    || arguments.iter().any(prints)
                    || (name != "export" && arguments.iter().any(option));
                // A number or a second name takes its value from elsewhere.
                shell.blind |= name != "export" && arguments.iter().any(option);
                self.declare(arguments, shell)
            }
            "unset" | "read" | "getopts" => {
                for argument in arguments {
                    self.forget(argument, shell)?;
                }
                Ok(())
            }
            "type" | "hash" => self.look_for(arguments, shell),
            "command"
                if arguments
                    .iter()
                    .any(|a| matches!(a.known(), Some("-v" | "-V"))) =>
            {
                self.look_for(arguments, shell)
            }
            "command" | "exec" => {
                // `exec` with redirections alone has made its claims already.
                let mut all = vec![Argument::Known(name.to_string())];
                all.extend_from_slice(arguments);
                match wrapper::inner(&all, shell) {
                    wrapper::Inner::At(at) if name == "exec" => {
                        self.program(&all[at..], shell, place);
                        Ok(())
                    }
                    wrapper::Inner::At(at) => {
                        self.run(&all[at..], shell, place);
                        Ok(())
                    }
                    wrapper::Inner::None => Ok(()),
                    wrapper::Inner::Unclear(reason) => Err(reason),
                }
            }
            "." | "source" => {
                let named = arguments.first().and_then(Argument::known);
                let path = named.and_then(|p| resolve(shell.cwd.as_deref(), p));
                if let Some(path) = &path {
                    self.claims.read(Extent::Exact, path.clone());
                }
                // A name without a slash is looked for in PATH.
                let found = path.filter(|_| named.is_some_and(|n| n.contains('/')));
                match found.as_deref().and_then(environment_of) {
                    Some(root) if arguments.len() == 1 => {
                        self.activate(root, shell);
                        Ok(())
                    }
                    _ => Err("it runs a file in the shell itself".to_string()),
                }
            }
            _ => Err("what it does to the shell is not followed".to_string()),
        }
    }

    /// Goes on in a virtual environment of Python, as its own script does (`venv/scripts/common/activate` of CPython).
    fn activate(&mut self, root: &str, shell: &mut Shell) {
        let path = shell.variables.get("PATH").cloned().flatten();
        let path = path.unwrap_or_else(|| "$PATH".to_string());
        let values = [
            ("VIRTUAL_ENV", Some(root.to_string())),
            ("PATH", Some(format!("{root}/bin:{path}"))),
            ("VIRTUAL_ENV_PROMPT", None),
            ("PS1", None),
        ];
        for (name, value) in values {
            shell.variables.insert(name.to_string(), value);
        }
        shell.variables.remove("PYTHONHOME");
        self.claims.assume(format!(
            "{root}/bin/activate is the script that a virtual environment at {root} is made with"
        ));
    }

    /// Looks whether there are programs.
    fn look_for(&mut self, names: &[Argument], shell: &Shell) -> Described {
        for name in names.iter().filter(|n| !n.start().starts_with('-')) {
            let Some(name) = name.known() else {
                self.claims.read_system();
                continue;
            };
            self.claims.look_for_program(name);
            let path = shell.variables.get("PATH").cloned().flatten();
            for entry in path.iter().flat_map(|p| p.split(':')) {
                if let Some(place) = resolve(Some(entry), name).filter(|_| entry.starts_with('/')) {
                    self.claims.read(Extent::Exact, place);
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, argument: &Argument, shell: &mut Shell) -> Described {
        let Some(name) = argument.known() else {
            return Err("a variable's name is not known".to_string());
        };
        if name.starts_with('-') {
            return Ok(());
        }
        self.assign(name, None, shell);
        Ok(())
    }

    fn declare(&mut self, arguments: &[Argument], shell: &mut Shell) -> Described {
        for argument in arguments {
            let start = argument.start();
            if start.starts_with('-') {
                continue;
            }
            match (start.split_once('='), argument.known()) {
                (Some((name, _)), None) => {
                    let name = name.trim_end_matches('+').to_string();
                    self.assign(&name, None, shell);
                }
                (Some((name, value)), Some(_)) => match name.strip_suffix('+') {
                    Some(name) => self.assign(name, None, shell),
                    None => self.assign(name, Some(value.to_string()), shell),
                },
                // `export PATH` alone changes no value.
                (None, Some(_)) => {}
                (None, None) => return Err("a variable's name is not known".to_string()),
            }
        }
        Ok(())
    }

    fn change_directory(&mut self, arguments: &[Argument], shell: &mut Shell) -> Described {
        let steps = |a: &&Argument| !matches!(a.known(), Some("-P" | "-L" | "-e" | "--"));
        let target = match arguments.iter().find(steps) {
            None => {
                self.claims
                    .assume("the user is root, whose home directory is /root");
                shell.lookup("HOME")
            }
            Some(argument) => argument.known().map(str::to_string),
        };
        // CDPATH would make other directories candidates.
        let searched = shell.variables.contains_key("CDPATH");
        // A shell that starts behind a link knows itself where the link leads.
        self.claims
            .climb(shell.cwd.as_deref(), target.as_deref().unwrap_or_default());
        shell.cwd = target
            .filter(|t| t != "-" && (t.starts_with(['/', '.']) || !searched))
            .and_then(|t| resolve(shell.cwd.as_deref(), &t));
        if let Some(cwd) = &shell.cwd {
            self.claims.read(Extent::Exact, cwd.clone());
            // Where it fails and the script goes on, that is in another folder.
            let there = shell.made.contains(cwd) || self.is_start(cwd);
            if self.goes_on && !there {
                self.claims
                    .assume(format!("{cwd} is there when the script changes to it"));
            }
        }
        Ok(())
    }

    fn test(&mut self, arguments: &[Argument], shell: &Shell) -> Described {
        for (at, argument) in arguments.iter().enumerate() {
            let next = arguments.get(at + 1);
            let mut times = false;
            if matches!(argument.known(), Some("-v" | "-R"))
                && let Some(name) = next.and_then(Argument::known)
            {
                self.claims.names.insert(name.to_string());
            }
            let operands = match argument.known() {
                Some(op) if FILE_TESTS.contains(&op) => vec![next],
                Some("-nt" | "-ot" | "-ef") => {
                    times = true;
                    vec![at.checked_sub(1).and_then(|i| arguments.get(i)), next]
                }
                _ => continue,
            };
            for operand in operands.into_iter().flatten() {
                // `[ -f ]` and `[ x = -f ]` test texts.
                if matches!(
                    operand.known(),
                    Some("]" | "]]" | "=" | "-a" | "-o" | "&&" | "||")
                ) {
                    continue;
                }
                match operand {
                    Argument::Known(text) if text.is_empty() => {}
                    Argument::Known(text) => {
                        let path = resolve(shell.cwd.as_deref(), text)
                            .ok_or("the working directory is not known")?;
                        self.claims.climb(shell.cwd.as_deref(), text);
                        // The size of a folder is what is in it.
                        if times || matches!(argument.known(), Some("-N" | "-s")) {
                            self.claims.observe(Extent::Exact, path.clone());
                            self.claims.read(Extent::Subtree, path);
                        } else if !is_device(&path) {
                            self.claims.read(Extent::Exact, path);
                        }
                    }
                    Argument::Pattern { prefix, .. } => {
                        let directory = prefix.rsplit_once('/').map_or(".", |(d, _)| d);
                        let directory = if directory.is_empty() { "/" } else { directory };
                        let path = resolve(shell.cwd.as_deref(), directory)
                            .ok_or("the working directory is not known")?;
                        self.claims.climb(shell.cwd.as_deref(), prefix);
                        if times {
                            self.claims.observe(Extent::Subtree, path.clone());
                        }
                        self.claims.read(Extent::Subtree, path);
                    }
                    Argument::Unknown { .. } => return Err("a path is not known".to_string()),
                }
            }
        }
        Ok(())
    }
}
