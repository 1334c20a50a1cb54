//! Dockerfiles: logical lines, directives, flags, heredocs, instructions, variable expansion.
//!
//! Goes in: the bytes of one file. Comes out: a [`Dockerfile`] and diagnostics, always. Costs one
//! pass. Invariants: the [`Piece`]s tile the file, so printing them gives the bytes back; every span
//! indexes the original bytes, also inside continued lines and heredocs.

mod arguments;
pub mod check;
mod directive;
mod expand;
mod expand_error;
mod flags;
mod glob;
mod heredoc;
mod instruction;
mod json;
mod keyword;
mod lines;
mod parse;
mod suggest;
mod text;
mod words;

pub use expand::{
    expand_heredoc, expand_title, expand_word, expand_words, heredoc_variables, variables,
};
pub use expand_error::ExpandError;
pub use parse::parse;
pub use suggest::nearest;
pub use text::Text;

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::borrow::Cow;

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
    /// The whole value of `# syntax=`; also of `// syntax=` and of the key of a JSON object, which make
    /// the file one for another frontend.
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
/// ^^^ keyword_span()   `--network=none` is in flags, `make` in kind
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Upper-cased keyword, `RUN`; unknown ones too.
    pub keyword: Cow<'static, str>,
    /// All physical lines of the instruction with their line ends, heredocs included.
    pub span: Span,
    /// First and last physical line, 1-based, heredoc terminators included.
    pub line: u32,
    /// Last physical line, 1-based.
    pub end_line: u32,
    /// Comment lines directly above (no blank line between), or an empty span at `span.start`.
    pub leading_comments: Span,
    /// One of them is `# cacheplan: reproducible`: equal inputs give equal output.
    pub reproducible: bool,
    /// One of them, above a FROM, is `# cacheplan: plain-base`: the image has symbolic links in its system
    /// folders alone, and they lead to system folders; and it has `/bin`, `/dev`, `/etc`, `/tmp` and `/usr`.
    pub plain_base: bool,
    /// The logical line: continuations joined, comments inside them dropped, trimmed; keyword as
    /// written, heredoc bodies not included.
    pub original: Text,
    /// Flags in order, as written.
    pub flags: Vec<Flag>,
    /// The rest of the logical line after keyword and flags, trimmed.
    pub arguments: Text,
    /// Heredocs in order of appearance; ONBUILD and its trigger both have them.
    pub heredocs: Vec<Heredoc>,
    /// What it means.
    pub kind: Kind,
    /// Of the keyword as written, at the start of `original`.
    keyword_len: usize,
}

/// `--name=value` or `--name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// As written, `--mount=type=cache,target=/root`.
    pub raw: Text,
    /// Where the `=` is, in `cooked` if there is one.
    equals: Option<usize>,
    /// `raw` without quotes and escapes, where that is another text.
    cooked: Option<Box<str>>,
}

impl Flag {
    /// Without the dashes, as written (names are case-sensitive).
    #[must_use]
    pub fn name(&self) -> &str {
        flags::cut(self.whole(), self.equals).0
    }

    /// Quotes and escapes removed; `None` without `=`.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        flags::cut(self.whole(), self.equals).1
    }

    /// Where it stands, from the dashes to the end of the value.
    #[must_use]
    pub fn span(&self) -> Span {
        self.raw.span()
    }

    fn whole(&self) -> &str {
        self.cooked.as_deref().unwrap_or(&self.raw)
    }
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
    Shell(Text),
    /// `["a", "b"]`.
    Exec(Vec<Text>),
}

/// What an instruction means. Values are as written: quotes, escapes and variables are still in
/// them unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `FROM [--platform=P] image [AS name]`.
    From {
        /// Image, stage or `scratch`, before expansion.
        image: Text,
        /// Stage name, lower-cased.
        alias: Option<Text>,
    },
    /// `RUN`; the text is the command line only, heredoc bodies are in [`Instruction::heredocs`].
    Run(CommandForm),
    /// `CMD`.
    Cmd(CommandForm),
    /// `ENTRYPOINT`.
    Entrypoint(CommandForm),
    /// `SHELL ["a", "b"]`.
    Shell(Vec<Text>),
    /// `COPY`.
    Copy(Transfer),
    /// `ADD`.
    Add(Transfer),
    /// `WORKDIR`.
    Workdir(Text),
    /// `USER`.
    User(Text),
    /// `STOPSIGNAL`.
    Stopsignal(Text),
    /// `MAINTAINER`.
    Maintainer(Text),
    /// `ENV`: keys and values, unexpanded, with quotes.
    Env(Vec<(Text, Text)>),
    /// `LABEL`: keys and values, unexpanded, with quotes.
    Label(Vec<(Text, Text)>),
    /// `ARG`: names and default values, unexpanded, with quotes; the builder removes no quotes from
    /// names at all, `ARG "a"` declares a variable no one can refer to.
    Arg(Vec<(Text, Option<Text>)>),
    /// `EXPOSE`.
    Expose(Vec<Text>),
    /// `VOLUME`.
    Volume(Vec<Text>),
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
    pub sources: Vec<Text>,
    /// Destination.
    pub dest: Text,
    /// Indices into [`Instruction::heredocs`] of inline files, in order.
    pub inline: Vec<usize>,
}

impl Instruction {
    /// Where the keyword stands.
    #[must_use]
    pub fn keyword_span(&self) -> Span {
        self.original.span_of(0..self.keyword_len)
    }

    /// The value of the last flag of this name, if it has one.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags
            .iter()
            .rev()
            .find(|f| f.name() == name)
            .and_then(Flag::value)
    }

    /// Whether a boolean flag is given and not `=false`.
    #[must_use]
    pub fn has_flag(&self, name: &str) -> bool {
        self.flags
            .iter()
            .rev()
            .find(|f| f.name() == name)
            .is_some_and(|f| !f.value().is_some_and(|v| v.eq_ignore_ascii_case("false")))
    }

    /// Every value of a repeatable flag, in order.
    pub fn flag_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.flags
            .iter()
            .filter(move |f| f.name() == name)
            .filter_map(Flag::value)
    }
}
