//! find: trees that are read, and what is done to what is found.
//!
//! It runs programs, so it works on the walk. What is found is anywhere below a start, so a command that
//! is given it is followed with a pattern of everything there.

use super::super::argument::Argument;
use super::super::shell_state::Shell;
use super::super::walk::Walk;
use super::super::{Extent, PathClaim};
use super::{Call, Described};
use crate::source::Span;

/// Tests and actions without a value.
const PLAIN: &[&str] = &[
    "!",
    "(",
    ")",
    ",",
    "-a",
    "-and",
    "-o",
    "-or",
    "-not",
    "-daystart",
    "-depth",
    "-d",
    "-empty",
    "-executable",
    "-false",
    "-follow",
    "-mount",
    "-noleaf",
    "-nogroup",
    "-nouser",
    "-print",
    "-print0",
    "-prune",
    "-quit",
    "-readable",
    "-true",
    "-writable",
    "-xdev",
];

/// Tests with a value that is no path.
const VALUED: &[&str] = &[
    "-gid",
    "-group",
    "-iname",
    "-inum",
    "-ipath",
    "-iregex",
    "-iwholename",
    "-links",
    "-lname",
    "-maxdepth",
    "-mindepth",
    "-name",
    "-path",
    "-perm",
    "-regex",
    "-regextype",
    "-size",
    "-type",
    "-uid",
    "-user",
    "-wholename",
    "-xtype",
    "-printf",
    "-context",
];

/// Tests with a value that look at times, of which the clock is one side.
const TIMED: &[&str] = &[
    "-amin", "-atime", "-cmin", "-ctime", "-mmin", "-mtime", "-used",
];

/// Commands for which it does not show in which order they are given files.
const ORDERLESS: &[&str] = &["chgrp", "chmod", "chown", "rm", "rmdir", "touch", "strip"];

/// `find` has no options in the usual sense; those before its starts are these.
const LEADING: &str = "HLP";

impl Walk {
    /// Runs `find`.
    ///
    /// # Errors
    /// The reason why nothing is known about it.
    pub(in super::super) fn find(
        &mut self,
        arguments: &[Argument],
        shell: &Shell,
        place: Span,
    ) -> Described {
        let leading = |a: &Argument| {
            let letters = a.known().and_then(|t| t.strip_prefix('-'));
            letters.is_some_and(|l| l.len() == 1 && LEADING.contains(l))
        };
        let skip = arguments.iter().take_while(|a| leading(a)).count();
        let starts: Vec<Argument> = arguments[skip..]
            .iter()
            .take_while(|a| !a.start().starts_with(['-', '(', '!']))
            .cloned()
            .collect();
        let expression = &arguments[skip + starts.len()..];
        let here = vec![Argument::Known(".".to_string())];
        let starts = if starts.is_empty() { here } else { starts };
        let tops = self.tops(&starts, shell)?;
        for top in &tops {
            self.claims.read(Extent::Subtree, top.path.clone());
        }
        let ordered = self.expression(expression, &tops, shell, place)?;
        for top in tops.iter().filter(|_| ordered) {
            self.claims.observe(Extent::Subtree, top.path.clone());
        }
        Ok(())
    }

    fn tops(&mut self, starts: &[Argument], shell: &Shell) -> Result<Vec<PathClaim>, String> {
        let mut call = Call {
            name: "find",
            arguments: &[],
            shell,
            claims: &mut self.claims,
        };
        starts
            .iter()
            .map(|s| call.path(s, Extent::Subtree))
            .collect()
    }

    /// Whether the order of what is found may show.
    fn expression(
        &mut self,
        expression: &[Argument],
        tops: &[PathClaim],
        shell: &Shell,
        place: Span,
    ) -> Result<bool, String> {
        let mut rest = expression.iter();
        // Without an action it prints.
        let (mut acts, mut ordered) = (false, false);
        while let Some(argument) = rest.next() {
            let Some(test) = argument.known() else {
                return Err("a test is not known".to_string());
            };
            let mut value = || rest.next().ok_or("a test lacks its value");
            match test {
                "-delete" => {
                    acts = true;
                    for top in tops {
                        self.claims.write(Extent::Subtree, top.path.clone());
                    }
                }
                "-exec" | "-ok" => {
                    acts = true;
                    let command: Vec<Argument> = rest
                        .by_ref()
                        .take_while(|a| !matches!(a.known(), Some(";" | "+")))
                        .cloned()
                        .collect();
                    let name = command.first().and_then(Argument::known);
                    let plain = name.is_some_and(|n| ORDERLESS.contains(&n));
                    ordered |= !plain;
                    for top in tops {
                        let given: Vec<Argument> = command
                            .iter()
                            .map(|a| found(a, &top.path, !plain))
                            .collect();
                        self.program(&given, shell, place);
                    }
                }
                "-newer" | "-anewer" | "-cnewer" | "-samefile" => {
                    let file = value()?.clone();
                    let one = self.tops(std::slice::from_ref(&file), shell)?;
                    for top in one.iter().chain(tops) {
                        self.claims.observe(Extent::Subtree, top.path.clone());
                    }
                    for top in one {
                        self.claims.read(Extent::Exact, top.path);
                    }
                }
                _ if TIMED.contains(&test) => {
                    value()?;
                    self.claims.varies = true;
                    for top in tops {
                        self.claims.observe(Extent::Subtree, top.path.clone());
                    }
                }
                "-user" | "-group" => {
                    value()?;
                    self.claims.read(Extent::Exact, "/etc/passwd");
                    self.claims.read(Extent::Exact, "/etc/group");
                }
                "-ls" | "-print" | "-print0" | "-quit" => ordered = true,
                "-printf" => {
                    value()?;
                    ordered = true;
                }
                _ if VALUED.contains(&test) => {
                    value()?;
                }
                _ if PLAIN.contains(&test) => {}
                _ => return Err(format!("`{test}` is not known")),
            }
        }
        Ok(ordered || !acts)
    }
}

/// An argument of a command that is given what is found at or below `top`: anything there, or in the
/// folder around it for commands that leave files beside those they are given.
fn found(argument: &Argument, top: &str, beside: bool) -> Argument {
    match argument.known() {
        Some("{}") => {
            let around = top.rsplit_once('/').map_or("", |(folder, _)| folder);
            let folder = if beside {
                around
            } else {
                top.trim_end_matches('/')
            };
            let prefix = format!("{folder}/");
            let text = format!("{prefix}*");
            Argument::Pattern {
                prefix,
                text,
                one: false,
            }
        }
        Some(text) if text.contains("{}") => Argument::Unknown {
            prefix: String::new(),
        },
        _ => argument.clone(),
    }
}
