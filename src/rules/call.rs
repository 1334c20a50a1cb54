//! The commands of a script one by one, as rules ask for them.
//!
//! Goes in: a parsed script, where its text stands in the file, and the variables it sees. Comes out: [`Call`]s in the order of the text,
//! with programs such as `sudo`, `env` and `exec` looked through. Linear. Invariant: a value is known only where no shell could read it
//! otherwise.

use crate::shell::{Command, CommandKind, ListOperator, RedirectOperator, Script, Word};
use crate::source::Span;

/// One simple command.
#[derive(Clone, Debug)]
pub struct Call {
    /// The program's name without a directory; `sudo`, `env`, `exec`, `command`, `time`, `nice`, `nohup`, `eatmydata` and assignments before it
    /// are looked through. Empty where it is not known, or where there are assignments or redirections alone.
    pub program: String,
    /// Where the program's name stands.
    pub program_span: Span,
    /// What it was started through: `sudo`, `exec` and the like.
    pub through: Vec<String>,
    /// What it is given.
    pub arguments: Vec<Argument>,
    /// Redirections of the command itself.
    pub redirects: Vec<Redirection>,
    /// Variables assigned in front of it, or alone.
    pub assigns: Vec<(String, Option<String>)>,
    /// All of it, with its redirections.
    pub span: Span,
    /// Number of the part of the outermost chain that it stands in: commands joined by `&&` or apart by `;` or line ends count from 0.
    pub part: usize,
    /// It runs whenever all of the script runs: in no branch, loop, function or substitution, and not behind `||`.
    pub always: bool,
    /// It stands in a pipeline, with this many commands behind it.
    pub pipes_into: usize,
    /// Commands before it in its pipeline.
    pub piped_from: usize,
    /// It, or something around it, is sent to the background.
    pub background: bool,
    /// It is negated, or what it returns decides about another: it may fail without the script failing.
    pub guarded: bool,
    /// What it prints goes to a file by a redirection of something around it: `{ echo a; echo b; } > f`.
    pub captured: bool,
}

/// One word of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What the program receives, where it is known. A file name pattern is known as its text.
    pub value: Option<String>,
    /// The word as written, quotes and variables included.
    pub text: String,
    /// Where it stands in the file.
    pub span: Span,
    /// It is a pattern for file names.
    pub pattern: bool,
}

impl Argument {
    /// The value, or the text as written where that is not known.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.value.as_deref().unwrap_or(&self.text)
    }
}

/// One redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// Which.
    pub operator: RedirectOperator,
    /// The file, where its name is known.
    pub target: Option<String>,
    /// Where it stands in the file.
    pub span: Span,
}

impl Call {
    /// Arguments whose value is known.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().filter_map(|a| a.value.as_deref())
    }

    /// Whether an argument is exactly this.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.known().any(|a| a == word)
    }

    /// Whether a long option is given, with `=value` behind it or not.
    #[must_use]
    pub fn has_option(&self, name: &str) -> bool {
        self.known().any(|a| {
            a.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }

    /// Whether a letter stands among the short options, alone or together with others (`-yq`).
    #[must_use]
    pub fn has_letter(&self, letter: char) -> bool {
        self.known().any(|a| {
            let letters = a.strip_prefix('-').unwrap_or_default();
            !letters.starts_with('-') && letters.contains(letter)
        })
    }

    /// Arguments that are no options. What an option takes as a word of its own is among them.
    pub fn operands(&self) -> impl Iterator<Item = &Argument> {
        self.arguments
            .iter()
            .filter(|a| !a.shown().starts_with('-'))
    }

    /// The first operand: what `apt-get install`, `npm ci` and the like are asked to do.
    #[must_use]
    pub fn verb(&self) -> Option<&Argument> {
        self.operands().next()
    }

    /// Whether the first operand is one of these.
    #[must_use]
    pub fn does(&self, verbs: &[&str]) -> bool {
        self.verb()
            .and_then(|a| a.value.as_deref())
            .is_some_and(|v| verbs.contains(&v))
    }

    /// Operands behind the first one.
    pub fn operands_behind_verb(&self) -> impl Iterator<Item = &Argument> {
        self.operands().skip(1)
    }
}

/// Programs that run the rest of their words as a command, and their options that take a word.
const LOOKED_THROUGH: &[(&str, &[&str])] = &[
    ("sudo", &["-u", "-g", "-h", "-p", "-C", "--user", "--group"]),
    ("env", &["-u", "-C", "--unset", "--chdir"]),
    ("exec", &["-a"]),
    ("command", &[]),
    ("time", &["-f", "-o"]),
    ("nice", &["-n"]),
    ("nohup", &[]),
    ("eatmydata", &[]),
    ("ionice", &["-c", "-n"]),
    ("doas", &["-u"]),
];

/// How a script's text and variables are read.
pub struct Reader<'a> {
    /// Where a place in the text stands in the file.
    pub place: &'a dyn Fn(Span) -> Span,
    /// Variables.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
    /// The text.
    pub text: &'a str,
}

/// What stands around a command.
#[derive(Clone, Copy)]
struct Around {
    part: usize,
    always: bool,
    background: bool,
    guarded: bool,
    captured: bool,
    pipes_into: usize,
    piped_from: usize,
}

/// The calls of a script.
#[must_use]
pub fn calls(script: &Script, reader: &Reader<'_>) -> Vec<Call> {
    let mut walk = Walk {
        reader,
        out: Vec::new(),
        set: Vec::new(),
    };
    let mut part = 0;
    for command in &script.commands {
        part = walk.outermost(command, part);
    }
    walk.out
}

struct Walk<'a> {
    reader: &'a Reader<'a>,
    out: Vec<Call>,
    /// Variables that the script itself has set, `None` where nobody knows to what.
    set: Vec<(String, Option<String>)>,
}

impl Walk<'_> {
    /// A statement of the outermost level; gives the number of the next part.
    fn outermost(&mut self, command: &Command, part: usize) -> usize {
        let around = |part| Around {
            part,
            always: true,
            background: command.background,
            guarded: false,
            captured: false,
            pipes_into: 0,
            piped_from: 0,
        };
        let CommandKind::List { first, rest } = &command.kind else {
            self.command(command, around(part));
            return part + 1;
        };
        // What stands before `||` may fail; what stands behind it may not run.
        let mut part = part;
        let mut always = true;
        let alone = |i: usize| rest.get(i).is_none_or(|(o, _)| *o == ListOperator::And);
        self.command(
            first,
            Around {
                guarded: !alone(0),
                background: command.background || first.background,
                ..around(part)
            },
        );
        for (i, (operator, next)) in rest.iter().enumerate() {
            match operator {
                ListOperator::And => part += 1,
                ListOperator::Or => always = false,
            }
            // `a || b && c`: c runs whichever of the two went well.
            let runs = match operator {
                ListOperator::Or => false,
                ListOperator::And => {
                    always || rest[..i].iter().any(|(o, _)| *o == ListOperator::Or)
                }
            };
            self.command(
                next,
                Around {
                    always: runs,
                    guarded: !alone(i + 1),
                    background: command.background || next.background,
                    ..around(part)
                },
            );
            always = runs;
        }
        part + 1
    }

    fn all(&mut self, commands: &[Command], around: Around) {
        for command in commands {
            self.command(command, around);
        }
    }

    fn command(&mut self, command: &Command, around: Around) {
        let around = Around {
            background: around.background || command.background,
            captured: around.captured
                || !matches!(command.kind, CommandKind::Simple(_)) && !command.redirects.is_empty(),
            ..around
        };
        let inside = Around {
            always: false,
            pipes_into: 0,
            piped_from: 0,
            ..around
        };
        let condition = Around {
            guarded: true,
            ..inside
        };
        match &command.kind {
            CommandKind::Simple(simple) => {
                let assigns = simple.assignments.iter().map(|a| {
                    let value = a.value.value(&|n| self.variable(n));
                    (a.name.clone(), value.filter(|_| !a.append))
                });
                let assigns: Vec<(String, Option<String>)> = assigns.collect();
                self.substitutions(simple.words.iter(), inside);
                let values = simple.assignments.iter().map(|a| &a.value);
                self.substitutions(values, inside);
                if simple.words.is_empty() {
                    // In a branch it may be set or not.
                    let known = |v: Option<String>| v.filter(|_| around.always);
                    let set = assigns.iter().map(|(n, v)| (n.clone(), known(v.clone())));
                    self.set.extend(set.collect::<Vec<_>>());
                }
                self.simple(command, &simple.words, assigns, around);
            }
            CommandKind::List { first, rest } => {
                let decides = rest.iter().any(|(o, _)| *o == ListOperator::Or);
                let first_around = Around {
                    guarded: around.guarded || decides,
                    ..around
                };
                self.command(first, first_around);
                let mut always = around.always;
                for (operator, next) in rest {
                    always &= *operator == ListOperator::And;
                    self.command(
                        next,
                        Around {
                            always,
                            guarded: around.guarded || decides,
                            ..around
                        },
                    );
                }
            }
            CommandKind::Pipeline { negated, commands } => {
                for (i, one) in commands.iter().enumerate() {
                    let behind = commands.len() - 1 - i;
                    let around = Around {
                        pipes_into: behind,
                        piped_from: i,
                        guarded: around.guarded || *negated,
                        ..around
                    };
                    self.command(one, around);
                }
            }
            CommandKind::Subshell(list) | CommandKind::Group(list) => {
                let set = self.set.clone();
                self.all(list, around);
                if matches!(command.kind, CommandKind::Subshell(_)) {
                    self.set = set;
                }
            }
            CommandKind::If {
                branches,
                otherwise,
            } => {
                for branch in branches {
                    self.all(&branch.condition, condition);
                    self.all(&branch.body, inside);
                }
                self.all(otherwise, inside);
            }
            CommandKind::For {
                variable,
                words,
                body,
            } => {
                self.substitutions(words.iter().flatten(), inside);
                let name = variable.iter().map(|v| (v.clone(), None));
                self.set.extend(name.collect::<Vec<_>>());
                self.all(body, inside);
            }
            CommandKind::While {
                condition: test,
                body,
            } => {
                self.all(test, condition);
                self.all(body, inside);
            }
            CommandKind::Case { arms, .. } => {
                for arm in arms {
                    self.all(&arm.body, inside);
                }
            }
            CommandKind::Function { body, .. } => self.command(body, inside),
            CommandKind::Arithmetic(scripts) => {
                for script in scripts {
                    self.all(&script.commands, inside);
                }
            }
            CommandKind::Unknown => {}
        }
    }

    fn substitutions<'w>(&mut self, words: impl Iterator<Item = &'w Word>, around: Around) {
        let around = Around {
            guarded: true,
            ..around
        };
        for script in words.flat_map(Word::substitutions) {
            self.all(&script.commands, around);
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        match self.set.iter().rev().find(|(n, _)| n == name) {
            Some((_, value)) => value.clone(),
            None => (self.reader.lookup)(name),
        }
    }

    fn argument(&self, word: &Word) -> Argument {
        let lookup = |n: &str| self.variable(n);
        let whole = word.expand(&lookup);
        let pattern = whole.is_none() && word.pattern_prefix(&lookup).is_some();
        let value = match pattern {
            true => word.value(&lookup),
            false => whole,
        };
        Argument {
            value,
            text: self
                .reader
                .text
                .get(word.span.range())
                .unwrap_or_default()
                .to_owned(),
            span: (self.reader.place)(word.span),
            pattern,
        }
    }

    fn simple(
        &mut self,
        command: &Command,
        words: &[Word],
        mut assigns: Vec<(String, Option<String>)>,
        around: Around,
    ) {
        let mut words: Vec<Argument> = words.iter().map(|w| self.argument(w)).collect();
        let mut through = Vec::new();
        let base = |a: &Argument| {
            let name = a.value.as_deref().unwrap_or_default();
            name.rsplit('/').next().unwrap_or_default().to_owned()
        };
        while let Some(first) = words.first() {
            let name = base(first);
            let Some((_, takes)) = LOOKED_THROUGH.iter().find(|(n, _)| *n == name) else {
                break;
            };
            let mut at = 1;
            while let Some(word) = words.get(at) {
                let text = word.shown();
                match text.split_once('=') {
                    Some((key, value)) if !text.starts_with('-') && name != "exec" => {
                        assigns.push((
                            key.to_owned(),
                            word.value.is_some().then(|| value.to_owned()),
                        ));
                        at += 1;
                    }
                    _ if text.starts_with('-') => at += 1 + usize::from(takes.contains(&text)),
                    _ => break,
                }
            }
            if at >= words.len() {
                break;
            }
            words.drain(..at);
            through.push(name);
        }
        let redirects = command.redirects.iter().map(|r| Redirection {
            operator: r.operator,
            target: r.target.expand(&|n: &str| self.variable(n)),
            span: (self.reader.place)(r.span),
        });
        let span = (self.reader.place)(command.span);
        let redirects = redirects.collect();
        let mut words = words.into_iter();
        let program = words.next();
        self.out.push(Call {
            program: program.as_ref().map(base).unwrap_or_default(),
            program_span: program.map_or(span, |p| p.span),
            through,
            arguments: words.collect(),
            redirects,
            assigns,
            span,
            part: around.part,
            always: around.always,
            pipes_into: around.pipes_into,
            piped_from: around.piped_from,
            background: around.background,
            guarded: around.guarded,
            captured: around.captured,
        });
    }
}
