//! RUN scripts to a tree of commands, words and redirections.
//!
//! Goes in: the text a shell would be given. Comes out: a [`Script`] whose spans are byte offsets into
//! that text. Parsing is total: what the grammar or this lowering does not understand, or what is too
//! deep or too long, becomes a [`CommandKind::Unknown`] with its span. Costs one tree-sitter parse and
//! one walk. Invariant: no command of the text is left out without an `Unknown` in its place.

mod flatten;
mod lower;
mod lower_word;
mod word;

use crate::source::Span;

/// Scripts longer than this many bytes are one `Unknown` command.
pub const MAX_BYTES: usize = 256 * 1024;

/// Commands and expansions nested deeper than this are `Unknown`.
pub const MAX_DEPTH: usize = 48;

/// A whole script, or the inside of a command substitution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Its statements in order.
    pub commands: Vec<Command>,
    /// Where it stands in the text.
    pub span: Span,
}

/// One command with the redirections that apply to it as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it is.
    pub kind: CommandKind,
    /// Redirections and here-documents, in order.
    pub redirects: Vec<Redirect>,
    /// It is followed by `&`.
    pub background: bool,
    /// Where it stands in the text.
    pub span: Span,
}

/// The kinds of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// `A=1 name argument`, also `[ … ]`, `[[ … ]]`, `export …`; every part may be empty.
    Simple(Simple),
    /// `first && second || third`: the operators bind equally, to the left.
    List {
        /// The first command.
        first: Box<Command>,
        /// The others, each with the operator before it.
        rest: Vec<(ListOperator, Command)>,
    },
    /// `a | b`, `! a`; at least one command.
    Pipeline {
        /// It starts with `!`.
        negated: bool,
        /// The commands, first to last.
        commands: Vec<Command>,
    },
    /// `( … )`
    Subshell(Vec<Command>),
    /// `{ …; }`
    Group(Vec<Command>),
    /// `if …; then …; elif …; else …; fi`
    If {
        /// Condition and body of `if` and of each `elif`.
        branches: Vec<Branch>,
        /// The `else` part.
        otherwise: Vec<Command>,
    },
    /// `for`, `select` and the arithmetic `for`.
    For {
        /// The variable; `None` for the arithmetic form.
        variable: Option<String>,
        /// The words after `in`; `None` where there is no `in`.
        words: Option<Vec<Word>>,
        /// What is repeated.
        body: Vec<Command>,
    },
    /// `while` and `until`.
    While {
        /// Runs before each round.
        condition: Vec<Command>,
        /// What is repeated.
        body: Vec<Command>,
    },
    /// `case … in …) …;; esac`
    Case {
        /// The word that is matched.
        subject: Word,
        /// The arms in order.
        arms: Vec<CaseArm>,
    },
    /// `name() …`
    Function {
        /// Its name.
        name: String,
        /// Its body.
        body: Box<Command>,
    },
    /// `(( … ))`, with the command substitutions inside.
    Arithmetic(Vec<Script>),
    /// Not understood, too deep, or not a command at all.
    Unknown,
}

/// `&&` or `||`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOperator {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// One `if` or `elif`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Between `if` and `then`.
    pub condition: Vec<Command>,
    /// After `then`.
    pub body: Vec<Command>,
}

/// One arm of a `case`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseArm {
    /// The patterns before `)`.
    pub patterns: Vec<Word>,
    /// What follows.
    pub body: Vec<Command>,
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    /// Assignments before the name.
    pub assignments: Vec<Assignment>,
    /// Name and arguments.
    pub words: Vec<Word>,
}

/// `name=value`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// The value; an array or an element of one is a [`Part::Opaque`] word.
    pub value: Word,
    /// `+=`
    pub append: bool,
}

/// One redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The descriptor in front, if written.
    pub descriptor: Option<String>,
    /// The operator.
    pub operator: RedirectOperator,
    /// The word behind it; the body for a here-document; empty for a bare close.
    pub target: Word,
    /// Where it stands in the text.
    pub span: Span,
}

/// The redirection operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectOperator {
    /// `<`
    Read,
    /// `>` and `>|`
    Write,
    /// `>>`
    Append,
    /// `&>`; in a plain POSIX shell that is `&` and then `>`
    WriteBoth,
    /// `&>>`
    AppendBoth,
    /// `<&`, `<&-`
    DuplicateInput,
    /// `>&`, `>&-`
    DuplicateOutput,
    /// `<<` and `<<-`
    HereDocument,
    /// `<<<`
    HereString,
}

/// One word before expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Its pieces from left to right.
    pub parts: Vec<Part>,
    /// Where it stands in the text.
    pub span: Span,
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Plain characters, backslashes removed.
    Literal(String),
    /// `'…'`, the text inside.
    SingleQuoted(String),
    /// `"…"`, the pieces inside.
    DoubleQuoted(Vec<Part>),
    /// `$name`, `${name…}`
    Variable(Variable),
    /// `$(…)`, `` `…` ``, `<(…)`, `>(…)`
    Substitution(Script),
    /// An unquoted `*`, `?` or `[`.
    Glob(char),
    /// An unquoted `{` of a word that some shells expand, such as `{a,b}`.
    Brace,
    /// `~` where it stands for the home directory.
    Tilde,
    /// `$((…))`, with the command substitutions inside.
    Arithmetic(Vec<Script>),
    /// Something whose value is not worked out, with the command substitutions inside.
    Opaque(Vec<Script>),
}

/// `$name` or `${name…}`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name: an identifier, a number or a special character.
    pub name: String,
    /// What follows the name in braces.
    pub operation: Operation,
}

/// What `${name…}` does with the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The value itself.
    Value,
    /// `${name:-word}` and the like: `-`, `=`, `?` or `+`.
    Default {
        /// One of `-`, `=`, `?`, `+`.
        operator: char,
        /// There is a `:` in front, so an empty value counts as unset.
        colon: bool,
        /// The word.
        word: Word,
    },
    /// Everything else, with the command substitutions inside.
    Other(Vec<Script>),
}

impl Script {
    /// Whether any command at any depth is [`CommandKind::Unknown`].
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        let mut found = false;
        self.visit(&mut |c| found |= c.kind == CommandKind::Unknown);
        found
    }

    /// Calls `f` on every command at any depth, those in substitutions too, parents first.
    pub fn visit<'a>(&'a self, f: &mut impl FnMut(&'a Command)) {
        let mut scripts: Vec<&[Command]> = vec![&self.commands];
        while let Some(commands) = scripts.pop() {
            for command in commands {
                f(command);
                command.children(&mut scripts);
            }
        }
    }
}

impl Command {
    /// Pushes every command list directly below this command.
    fn children<'a>(&'a self, out: &mut Vec<&'a [Command]>) {
        let mut words: Vec<&Word> = self.redirects.iter().map(|r| &r.target).collect();
        match &self.kind {
            CommandKind::Simple(simple) => {
                words.extend(simple.assignments.iter().map(|a| &a.value));
                words.extend(&simple.words);
            }
            CommandKind::List { first, rest } => {
                out.push(std::slice::from_ref(first));
                out.extend(rest.iter().map(|(_, c)| std::slice::from_ref(c)));
            }
            CommandKind::Pipeline { commands, .. }
            | CommandKind::Subshell(commands)
            | CommandKind::Group(commands) => out.push(commands),
            CommandKind::If {
                branches,
                otherwise,
            } => {
                for b in branches {
                    out.push(&b.condition);
                    out.push(&b.body);
                }
                out.push(otherwise);
            }
            CommandKind::For {
                words: values,
                body,
                ..
            } => {
                words.extend(values.iter().flatten());
                out.push(body);
            }
            CommandKind::While { condition, body } => {
                out.push(condition);
                out.push(body);
            }
            CommandKind::Case { subject, arms } => {
                words.push(subject);
                for arm in arms {
                    words.extend(&arm.patterns);
                    out.push(&arm.body);
                }
            }
            CommandKind::Function { body, .. } => out.push(std::slice::from_ref(body)),
            CommandKind::Arithmetic(scripts) => {
                out.extend(scripts.iter().map(|s| s.commands.as_slice()));
            }
            CommandKind::Unknown => {}
        }
        for word in words {
            out.extend(word.substitutions().iter().map(|s| s.commands.as_slice()));
        }
    }
}

/// Parses a script. Never fails: see [`CommandKind::Unknown`].
#[must_use]
pub fn parse(script: &str) -> Script {
    let span = Span::new(0, script.len());
    let known = match script.len() > MAX_BYTES {
        true => None,
        false => lower::script(script),
    };
    known.unwrap_or_else(|| Script {
        commands: vec![Command {
            kind: CommandKind::Unknown,
            redirects: Vec::new(),
            background: false,
            span,
        }],
        span,
    })
}

#[cfg(test)]
mod tests;
