//! Dockerfiles: logical lines, directives, flags, heredocs, instructions, variable expansion.
//!
//! Goes in: the bytes of one file. Comes out: a [`Dockerfile`] and diagnostics, always. Costs one
//! pass. Invariants: the [`Piece`]s tile the file, so printing them gives the bytes back; every span
//! indexes the original bytes, also inside continued lines and heredocs.

mod directive;
mod expand;
mod flags;
mod glob;
mod heredoc;
mod instruction;
mod json;
mod lines;
mod parse;
mod suggest;
mod words;

pub use expand::{
    ExpandError, expand_heredoc, expand_title, expand_word, expand_words, heredoc_variables,
    variables,
};
pub use parse::parse;
pub use suggest::nearest;

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::ops::Range;

/// A tree and what is to be said about it. Parsing never fails.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The tree; instructions with errors are in it as [`Kind::Invalid`].
    pub tree: T,
    /// Sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// One parsed Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// `# syntax=`, `# escape=`, `# check=`.
    pub directives: Directives,
    /// Every instruction in file order, those before the first FROM included.
    pub instructions: Vec<Instruction>,
    /// What the file consists of, in order and without gaps.
    pub pieces: Vec<Piece>,
}

/// Parser directives at the top of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// The escape character: `\` unless the file says `` ` ``.
    pub escape: char,
    /// The whole value of `# syntax=`.
    pub syntax: Option<(String, Span)>,
    /// The whole value of `# check=`.
    pub check: Option<(String, Span)>,
}

impl Default for Directives {
    fn default() -> Self {
        Self {
            escape: '\\',
            syntax: None,
            check: None,
        }
    }
}

/// A run of bytes of the file; together the pieces are the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: PieceKind,
    /// Whole physical lines, with their line ends (a byte order mark belongs to the first piece).
    pub span: Span,
}

/// What a piece of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceKind {
    /// One blank line between instructions.
    Blank,
    /// One comment line between instructions.
    Comment,
    /// One parser directive line.
    Directive,
    /// All lines of `instructions[i]`, heredoc bodies and terminators included.
    Instruction(usize),
}

/// One instruction.
///
/// ```text
/// # a comment          <- leading_comments (whole lines, directly above)
/// RUN --network=none \ <- span: from the first byte of this line ...
///   make               <- ... to the line feed of this one (heredocs included)
/// ^^^ keyword_span     `--network=none` is in flags, `make` in kind
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Upper-cased keyword, `RUN`; unknown ones too.
    pub keyword: String,
    /// The keyword as written.
    pub keyword_span: Span,
    /// All physical lines of the instruction with their line ends, heredocs included.
    pub span: Span,
    /// First and last physical line, 1-based, heredoc terminators included.
    pub line: u32,
    /// Last physical line, 1-based.
    pub end_line: u32,
    /// Comment lines directly above (no blank line between), or an empty span at `span.start`.
    pub leading_comments: Span,
    /// The logical line: continuations joined, comments inside them dropped, trimmed; keyword as
    /// written, heredoc bodies not included.
    pub original: String,
    /// Flags in order, as written.
    pub flags: Vec<Flag>,
    /// The rest of the logical line after keyword and flags, trimmed.
    pub arguments: String,
    /// Heredocs in order of appearance; ONBUILD and its trigger both have them.
    pub heredocs: Vec<Heredoc>,
    /// What it means.
    pub kind: Kind,
    /// Where the logical line stands in the file.
    map: lines::TextMap,
    /// Where `original` starts in the mapped text; not 0 for an ONBUILD trigger.
    original_at: usize,
    /// Where `arguments` starts in the mapped text.
    arguments_at: usize,
}

/// `--name=value` or `--name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Without the dashes, as written (names are case-sensitive).
    pub name: String,
    /// Quotes and escapes removed; `None` without `=`.
    pub value: Option<String>,
    /// As written, `--mount=type=cache,target=/root`.
    pub raw: String,
    /// Where it stands, from the dashes to the end of the value.
    pub span: Span,
}

/// One heredoc of a RUN, COPY or ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The terminator, unquoted.
    pub name: String,
    /// The word as written, `<<-"EOF"`.
    pub word: String,
    /// File descriptor digits before `<<`, as written; empty mostly.
    pub fd: String,
    /// `<<-`: leading tabs are removed.
    pub strip_tabs: bool,
    /// The terminator was not quoted, so COPY and ADD expand variables in the body.
    pub expand: bool,
    /// Body bytes (lossy text), raw: tabs not stripped, line ends as they are, terminator not included.
    pub body: String,
    /// Where the body is.
    pub body_span: Span,
}

impl Heredoc {
    /// The body as the builder hands it on: leading tabs of every line removed for `<<-`.
    #[must_use]
    pub fn content(&self) -> String {
        if !self.strip_tabs {
            return self.body.clone();
        }
        self.body
            .split_inclusive('\n')
            .map(|l| l.trim_start_matches('\t'))
            .collect()
    }
}

/// A command in shell or exec (JSON) form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandForm {
    /// Text for the shell.
    Shell(String),
    /// `["a", "b"]`.
    Exec(Vec<String>),
}

/// What an instruction means. Values are as written: quotes, escapes and variables are still in
/// them unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `FROM [--platform=P] image [AS name]`.
    From {
        /// Image, stage or `scratch`, before expansion.
        image: String,
        /// Stage name, lower-cased.
        alias: Option<String>,
    },
    /// `RUN`; the text is the command line only, heredoc bodies are in [`Instruction::heredocs`].
    Run(CommandForm),
    /// `CMD`.
    Cmd(CommandForm),
    /// `ENTRYPOINT`.
    Entrypoint(CommandForm),
    /// `SHELL ["a", "b"]`.
    Shell(Vec<String>),
    /// `COPY`.
    Copy(Transfer),
    /// `ADD`.
    Add(Transfer),
    /// `WORKDIR`.
    Workdir(String),
    /// `USER`.
    User(String),
    /// `STOPSIGNAL`.
    Stopsignal(String),
    /// `MAINTAINER`.
    Maintainer(String),
    /// `ENV`: keys and values, unexpanded, with quotes.
    Env(Vec<(String, String)>),
    /// `LABEL`: keys and values, unexpanded, with quotes.
    Label(Vec<(String, String)>),
    /// `ARG`: names and default values, unexpanded, with quotes; the builder removes no quotes from
    /// names at all, `ARG "a"` declares a variable no one can refer to.
    Arg(Vec<(String, Option<String>)>),
    /// `EXPOSE`.
    Expose(Vec<String>),
    /// `VOLUME`.
    Volume(Vec<String>),
    /// `HEALTHCHECK NONE` is `None`.
    Healthcheck(Option<CommandForm>),
    /// `ONBUILD`.
    Onbuild(Box<Instruction>),
    /// Unknown keyword, or an instruction the builder refuses; a diagnostic says why.
    Invalid,
}

/// Sources and destination of COPY and ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Path sources in order, without heredocs.
    pub sources: Vec<String>,
    /// Destination.
    pub dest: String,
    /// Indices into [`Instruction::heredocs`] of inline files, in order.
    pub inline: Vec<usize>,
}

impl Instruction {
    /// Where a byte range of [`Instruction::original`] stands in the file. A range that crosses a
    /// continuation gives the span from its first byte to its last, line ends between included.
    #[must_use]
    pub fn original_span(&self, range: Range<usize>) -> Span {
        self.place(self.original_at, &self.original, range)
    }

    /// Where a byte range of [`Instruction::arguments`] stands in the file, as
    /// [`Instruction::original_span`].
    #[must_use]
    pub fn arguments_span(&self, range: Range<usize>) -> Span {
        self.place(self.arguments_at, &self.arguments, range)
    }

    fn place(&self, at: usize, text: &str, range: Range<usize>) -> Span {
        let end = range.end.min(text.len());
        self.map.span(at + range.start.min(end)..at + end)
    }

    /// The value of the last flag of this name, if it has one.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags
            .iter()
            .rev()
            .find(|f| f.name == name)
            .and_then(|f| f.value.as_deref())
    }

    /// Whether a boolean flag is given and not `=false`.
    #[must_use]
    pub fn has_flag(&self, name: &str) -> bool {
        self.flags
            .iter()
            .rev()
            .find(|f| f.name == name)
            .is_some_and(|f| {
                !f.value
                    .as_deref()
                    .is_some_and(|v| v.eq_ignore_ascii_case("false"))
            })
    }

    /// Every value of a repeatable flag, in order.
    pub fn flag_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.flags
            .iter()
            .filter(move |f| f.name == name)
            .filter_map(|f| f.value.as_deref())
    }
}
