//! Dockerfiles: logical lines, directives, flags, heredocs, instructions, variable expansion.
//!
//! Goes in: the bytes of one file. Comes out: a [`Dockerfile`] and diagnostics, always. Costs one
//! pass. Invariants: the [`Piece`]s tile the file, so printing them gives the bytes back; every span
//! indexes the original bytes, also inside continued lines and heredocs.

mod arguments;
mod bytes;
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
mod lists;
mod parse;
mod suggest;
mod text;
mod words;

pub use expand::{
    expand_heredoc, expand_title, expand_word, expand_words, heredoc_variables, variables,
};
pub use expand_error::ExpandError;
pub use lists::{Declared, Flag, Flags, Instructions, List, Pairs, Texts};
pub use parse::parse;
pub use suggest::nearest;
pub use text::Text;

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use keyword::Keyword;
use lists::Lists;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use text::Part;

/// A tree and what is to be said about it. Parsing never fails.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The tree; instructions with errors are in it as [`Kind::Invalid`].
    pub tree: T,
    /// Sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// One parsed Dockerfile.
#[derive(Clone, Debug, Default)]
pub struct Dockerfile {
    /// `# syntax=`, `# escape=`, `# check=`.
    pub directives: Directives,
    pieces: Vec<PieceEnd>,
    instructions: Vec<InstructionParts>,
    /// What all instructions have their texts from.
    lists: Lists,
}

impl Dockerfile {
    /// Every instruction in file order, those before the first FROM included.
    #[must_use]
    pub fn instructions(&self) -> Instructions<'_> {
        List::new(&self.lists, &self.instructions)
    }

    /// What the file consists of, in order and without gaps.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> {
        let (mut start, mut numbers) = (0, 0..);
        self.pieces.iter().map(move |piece| {
            let span = Span {
                start: std::mem::replace(&mut start, piece.end),
                end: piece.end,
            };
            let kind = match piece.kind {
                Mark::Blank => PieceKind::Blank,
                Mark::Comment => PieceKind::Comment,
                Mark::Directive => PieceKind::Directive,
                Mark::Instruction => PieceKind::Instruction(numbers.next().unwrap_or(usize::MAX)),
            };
            Piece { kind, span }
        })
    }
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

/// A piece as it is kept: it starts where the one before ends, and instructions are numbered in order.
#[derive(Clone, Copy, Debug)]
struct PieceEnd {
    end: u32,
    kind: Mark,
}

/// [`PieceKind`] without numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Blank,
    Comment,
    Directive,
    Instruction,
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
    /// All lines of `instructions().at(i)`, heredoc bodies and terminators included.
    Instruction(usize),
}

/// One instruction, as a view into its file. Its fields are those of [`InstructionParts`].
///
/// ```text
/// # a comment          <- leading_comments (whole lines, directly above)
/// RUN --network=none \ <- span: from the first byte of this line ...
///   make               <- ... to the line feed of this one (heredocs included)
/// ^^^ keyword_span()   `--network=none` is in flags(), `make` in kind()
/// ```
#[derive(Clone, Copy)]
pub struct Instruction<'a> {
    lists: &'a Lists,
    parts: &'a InstructionParts,
}

/// What a file keeps of an instruction; the texts are the file's.
#[derive(Clone, Debug)]
pub struct InstructionParts {
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
    /// Of the keyword as written, at the start of the logical line.
    keyword_len: u32,
    original: Part,
    arguments: Part,
    /// Where its flags stand among those of the file.
    flags: Part,
    meaning: Meaning,
    extra: Option<Box<Extra>>,
}

/// What an instruction means: a form, and where its words stand among those of the file.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    /// `None` of an instruction that is invalid.
    keyword: Option<Keyword>,
    form: Form,
    words: Part,
}

/// How to read the words of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As they are; a command is one, for the shell.
    Plain,
    /// A command in JSON.
    Exec,
    /// `HEALTHCHECK NONE`.
    Nothing,
}

/// What few instructions have.
#[derive(Clone, Debug, Default)]
struct Extra {
    heredocs: Vec<Heredoc>,
    /// [`Transfer::inline`].
    inline: Vec<usize>,
    /// What ONBUILD has.
    trigger: Option<Box<InstructionParts>>,
}

impl Extra {
    fn of(heredocs: Vec<Heredoc>) -> Box<Self> {
        Box::new(Self {
            heredocs,
            ..Self::default()
        })
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandForm<'a> {
    /// Text for the shell.
    Shell(Text<'a>),
    /// `["a", "b"]`.
    Exec(Texts<'a>),
}

/// What an instruction means. Values are as written: quotes, escapes and variables are still in
/// them unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind<'a> {
    /// `FROM [--platform=P] image [AS name]`.
    From {
        /// Image, stage or `scratch`, before expansion.
        image: Text<'a>,
        /// Stage name, lower-cased.
        alias: Option<Text<'a>>,
    },
    /// `RUN`; the text is the command line only, heredoc bodies are in [`Instruction::heredocs`].
    Run(CommandForm<'a>),
    /// `CMD`.
    Cmd(CommandForm<'a>),
    /// `ENTRYPOINT`.
    Entrypoint(CommandForm<'a>),
    /// `SHELL ["a", "b"]`.
    Shell(Texts<'a>),
    /// `COPY`.
    Copy(Transfer<'a>),
    /// `ADD`.
    Add(Transfer<'a>),
    /// `WORKDIR`.
    Workdir(Text<'a>),
    /// `USER`.
    User(Text<'a>),
    /// `STOPSIGNAL`.
    Stopsignal(Text<'a>),
    /// `MAINTAINER`.
    Maintainer(Text<'a>),
    /// `ENV`: keys and values, unexpanded, with quotes.
    Env(Pairs<'a>),
    /// `LABEL`: keys and values, unexpanded, with quotes.
    Label(Pairs<'a>),
    /// `ARG`: names and default values, unexpanded, with quotes; the builder removes no quotes from
    /// names at all, `ARG "a"` declares a variable no one can refer to.
    Arg(Declared<'a>),
    /// `EXPOSE`.
    Expose(Texts<'a>),
    /// `VOLUME`.
    Volume(Texts<'a>),
    /// `HEALTHCHECK NONE` is `None`.
    Healthcheck(Option<CommandForm<'a>>),
    /// `ONBUILD`.
    Onbuild(Instruction<'a>),
    /// Unknown keyword, or an instruction the builder refuses; a diagnostic says why.
    Invalid,
}

/// Sources and destination of COPY and ADD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer<'a> {
    /// Path sources in order, without heredocs.
    pub sources: Texts<'a>,
    /// Destination.
    pub dest: Text<'a>,
    /// Indices into [`Instruction::heredocs`] of inline files, in order.
    pub inline: &'a [usize],
}

/// By what they say and where they stand.
impl PartialEq for Instruction<'_> {
    fn eq(&self, other: &Self) -> bool {
        let place = |i: &Self| (i.span, i.line, i.end_line, i.leading_comments);
        let words = |i: &Self| (i.reproducible, i.plain_base, i.keyword_len);
        self.keyword == other.keyword
            && place(self) == place(other)
            && words(self) == words(other)
            && self.original() == other.original()
            && self.arguments() == other.arguments()
            && self.flags() == other.flags()
            && self.heredocs() == other.heredocs()
            && self.kind() == other.kind()
    }
}

impl fmt::Debug for Instruction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instruction")
            .field("span", &self.span)
            .field("leading_comments", &self.leading_comments)
            .field("original", &self.original())
            .field("heredocs", &self.heredocs())
            .field("kind", &self.kind())
            .finish()
    }
}

impl Deref for Instruction<'_> {
    type Target = InstructionParts;

    fn deref(&self) -> &InstructionParts {
        self.parts
    }
}

impl<'a> Instruction<'a> {
    /// What it means.
    #[must_use]
    pub fn kind(self) -> Kind<'a> {
        let Some(keyword) = self.meaning.keyword else {
            return Kind::Invalid;
        };
        let words = self.lists.words(self.meaning.words);
        match keyword {
            Keyword::From => Kind::From {
                image: words.at(0),
                alias: words.get(1),
            },
            Keyword::Run => Kind::Run(self.command(words)),
            Keyword::Cmd => Kind::Cmd(self.command(words)),
            Keyword::Entrypoint => Kind::Entrypoint(self.command(words)),
            Keyword::Shell => Kind::Shell(words),
            Keyword::Copy => Kind::Copy(self.transfer(words)),
            Keyword::Add => Kind::Add(self.transfer(words)),
            Keyword::Workdir => Kind::Workdir(words.at(0)),
            Keyword::User => Kind::User(words.at(0)),
            Keyword::Stopsignal => Kind::Stopsignal(words.at(0)),
            Keyword::Maintainer => Kind::Maintainer(words.at(0)),
            Keyword::Env => Kind::Env(words.in_pairs()),
            Keyword::Label => Kind::Label(words.in_pairs()),
            Keyword::Arg => Kind::Arg(words.in_pairs()),
            Keyword::Expose => Kind::Expose(words),
            Keyword::Volume => Kind::Volume(words),
            Keyword::Healthcheck if self.meaning.form == Form::Nothing => Kind::Healthcheck(None),
            Keyword::Healthcheck => Kind::Healthcheck(Some(self.command(words))),
            Keyword::Onbuild => {
                let trigger = self.extra().and_then(|e| e.trigger.as_deref());
                trigger.map_or(Kind::Invalid, |parts| Kind::Onbuild(Self { parts, ..self }))
            }
        }
    }

    fn extra(self) -> Option<&'a Extra> {
        self.parts.extra.as_deref()
    }

    fn command(self, words: Texts<'a>) -> CommandForm<'a> {
        match self.meaning.form {
            Form::Exec => CommandForm::Exec(words),
            Form::Plain | Form::Nothing => CommandForm::Shell(words.at(0)),
        }
    }

    fn transfer(self, words: Texts<'a>) -> Transfer<'a> {
        let (sources, dest) = words.and_last();
        Transfer {
            sources,
            dest,
            inline: self.extra().map_or(&[], |e| &e.inline),
        }
    }

    /// The logical line: continuations joined, comments inside them dropped, trimmed; keyword as
    /// written, heredoc bodies not included.
    #[must_use]
    pub fn original(self) -> Text<'a> {
        self.lists.text(self.original)
    }

    /// The rest of the logical line after keyword and flags, trimmed.
    #[must_use]
    pub fn arguments(self) -> Text<'a> {
        self.lists.text(self.arguments)
    }

    /// Flags in order, as written.
    #[must_use]
    pub fn flags(self) -> Flags<'a> {
        self.lists.flags(self.flags)
    }

    /// Heredocs in order of appearance; ONBUILD and its trigger both have them.
    #[must_use]
    pub fn heredocs(self) -> &'a [Heredoc] {
        self.extra().map_or(&[], |e| &e.heredocs)
    }

    /// Where the keyword stands.
    #[must_use]
    pub fn keyword_span(self) -> Span {
        self.original().span_of(0..self.keyword_len as usize)
    }

    /// The value of the last flag of this name, if it has one.
    #[must_use]
    pub fn flag(self, name: &str) -> Option<&'a str> {
        self.flags()
            .iter()
            .rev()
            .find(|f| f.name() == name)
            .and_then(Flag::value)
    }

    /// Whether a boolean flag is given and not `=false`.
    #[must_use]
    pub fn has_flag(self, name: &str) -> bool {
        self.flags()
            .iter()
            .rev()
            .find(|f| f.name() == name)
            .is_some_and(|f| !f.value().is_some_and(|v| v.eq_ignore_ascii_case("false")))
    }

    /// Every value of a repeatable flag, in order.
    pub fn flag_values(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.flags()
            .iter()
            .filter(move |f| f.name() == name)
            .filter_map(Flag::value)
    }
}
