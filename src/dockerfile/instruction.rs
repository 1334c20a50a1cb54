//! One logical line to one [`Instruction`]: keyword, flags, arguments, and what they mean.
//!
//! Goes in: one line of the joined text and its heredocs. Comes out: the instruction, and objections as
//! diagnostics. Costs one pass per argument form. Invariant: an objection of severity error and
//! [`Kind::Invalid`] come together; ONBUILD nests once and no deeper.

use super::keyword::Keyword;
use super::text::{Joined, Text, trim};
use super::{Flag, Heredoc, Instruction, Kind};
use super::{flags, heredoc, json, words};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Span;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The physical place of an instruction.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) span: Span,
    pub(super) line: u32,
    pub(super) end_line: u32,
    pub(super) leading_comments: Span,
    pub(super) reproducible: bool,
    pub(super) plain_base: bool,
}

/// An instruction before it is read.
pub(super) struct Draft {
    /// Its logical line in the joined text, trimmed.
    pub(super) line: Range<usize>,
    pub(super) frame: Frame,
    pub(super) heredocs: Vec<Heredoc>,
}

/// A logical line cut into keyword, flags and arguments; all offsets count in the joined text.
pub(super) struct Head {
    pub(super) whole: Range<usize>,
    pub(super) keyword: Range<usize>,
    pub(super) known: Option<Keyword>,
    pub(super) flags: Vec<Flag>,
    pub(super) arguments: Range<usize>,
}

/// The keyword of a logical line, or of the trigger in it, and what follows. No white space is around
/// the line.
fn keyword(text: &str, whole: Range<usize>) -> (&str, Range<usize>) {
    let Range { start, end } = whole;
    let (keyword, rest) = words::first(&text[whole]);
    (keyword, rest.map_or(end, |n| start + n)..end)
}

/// Keyword and arguments of a logical line.
fn without_flags(text: &str, whole: Range<usize>, escape: char) -> (Option<Keyword>, Range<usize>) {
    let (keyword, rest) = keyword(text, whole);
    let end = rest.end;
    let start = flags::split(text, rest, escape, |_| {});
    (Keyword::read(keyword), trim(text, start..end))
}

/// The heredoc words of a logical line: RUN, COPY and ADD have them, also inside ONBUILD, unless
/// their arguments are JSON.
pub(super) fn heredoc_words(text: &str, line: Range<usize>, escape: char) -> Vec<heredoc::Word> {
    let whole = &text[line.clone()];
    if !whole.as_bytes().windows(2).any(|pair| pair == b"<<") {
        return Vec::new();
    }
    let (mut known, mut arguments) = without_flags(text, line, escape);
    if known == Some(Keyword::Onbuild) {
        (known, arguments) = without_flags(text, arguments, escape);
    }
    match known {
        Some(Keyword::Run | Keyword::Copy | Keyword::Add) => {}
        _ => return Vec::new(),
    }
    match json::array(&text[arguments], |_, _| {}) {
        json::Array::None => heredoc::words(whole),
        json::Array::Strings | json::Array::Mixed => Vec::new(),
    }
}

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) joined: &'a Arc<Joined>,
    pub(super) escape: char,
    pub(super) frame: Frame,
    pub(super) diagnostics: &'a mut Vec<Diagnostic>,
    /// Inside ONBUILD. The builder only checks the syntax of triggers when it stores them; the rest
    /// fails in the build of the child image, so it is a warning here.
    pub(super) trigger: bool,
}

impl Head {
    /// The keyword as messages print it.
    pub(super) fn name(&self) -> &'static str {
        self.known.map_or("the instruction", Keyword::as_str)
    }

    pub(super) fn example(&self) -> &'static str {
        self.known.map_or("", Keyword::example)
    }
}

impl<'a> Reader<'a> {
    /// For the instructions of a file; what is wrong with them goes to `diagnostics`.
    pub(super) fn new(
        joined: &'a Arc<Joined>,
        escape: char,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            text: joined.text(),
            joined,
            escape,
            frame: Frame::default(),
            diagnostics,
            trigger: false,
        }
    }

    pub(super) fn instruction(&mut self, draft: Draft) -> Instruction {
        self.frame = draft.frame;
        let head = self.head(draft.line);
        self.read(head, draft.heredocs)
    }

    /// Cuts a logical line, or the trigger in it.
    pub(super) fn head(&self, whole: Range<usize>) -> Head {
        let (keyword, rest) = keyword(self.text, whole.clone());
        let mut flags = Vec::new();
        let each = |word| {
            // Of those with any, most have one.
            if flags.is_empty() {
                flags.reserve_exact(1);
            }
            flags.push(self.flag(word));
        };
        let end = flags::split(self.text, rest, self.escape, each);
        Head {
            arguments: trim(self.text, end..whole.end),
            known: Keyword::read(keyword),
            keyword: whole.start..whole.start + keyword.len(),
            whole,
            flags,
        }
    }

    pub(super) fn read(&mut self, head: Head, mut heredocs: Vec<Heredoc>) -> Instruction {
        let before = self.diagnostics.len();
        let kind = self.kind(&head, &mut heredocs);
        // A trigger's objections are warnings, and still make it invalid.
        let refused = self.diagnostics[before..].iter().any(Diagnostic::is_error)
            || (self.trigger && self.diagnostics.len() > before);
        let keyword = || Cow::Owned(self.text[head.keyword.clone()].to_uppercase());
        Instruction {
            keyword: head
                .known
                .map_or_else(keyword, |k| Cow::Borrowed(k.as_str())),
            span: self.frame.span,
            line: self.frame.line,
            end_line: self.frame.end_line,
            leading_comments: self.frame.leading_comments,
            reproducible: self.frame.reproducible,
            plain_base: self.frame.plain_base,
            original: self.piece(head.whole),
            flags: head.flags,
            arguments: self.piece(head.arguments),
            heredocs,
            kind: match kind {
                Some(kind) if !refused => kind,
                _ => Kind::Invalid,
            },
            keyword_len: head.keyword.len(),
        }
    }

    pub(super) fn piece(&self, range: Range<usize>) -> Text {
        Text::piece(self.joined, range)
    }

    /// A range that counts from the start of the arguments or another part of the line.
    pub(super) fn part(&self, start: usize, range: &Range<usize>) -> Text {
        self.piece(start + range.start..start + range.end)
    }

    fn flag(&self, word: flags::Word) -> Flag {
        let span = || self.joined.span(word.range.clone());
        Flag {
            // It may end inside a character, since the builder splits flags by bytes.
            raw: match self.text.get(word.range.clone()) {
                Some(_) => self.piece(word.range.clone()),
                None => {
                    let bytes = &self.text.as_bytes()[word.range.clone()];
                    Text::derived(String::from_utf8_lossy(bytes).into_owned(), span())
                }
            },
            equals: word.equals,
            cooked: word.cooked.map(String::into_boxed_str),
        }
    }

    /// Words between blanks; `arguments` start at `start`.
    pub(super) fn blanks(&self, start: usize, arguments: &str) -> Vec<Text> {
        let words = words::blanks(arguments);
        words.map(|w| self.part(start, &w)).collect()
    }

    /// Text that starts at `start` as a JSON array.
    pub(super) fn json(&self, start: usize, text: &str) -> (json::Array, Vec<Text>) {
        let mut out = Vec::new();
        let found = json::array(text, |range, cooked| {
            let piece = self.part(start, &range);
            out.push(match cooked {
                None => piece,
                Some(text) => Text::derived(text, piece.span()),
            });
        });
        (found, out)
    }

    pub(super) fn object(&mut self, code: &'static str, message: String, at: Span, help: String) {
        let severity = if self.trigger && code.starts_with("build/") {
            Severity::Warning
        } else {
            Severity::Error
        };
        let d = Diagnostic::new(severity, code, message, at);
        self.diagnostics.push(d.with_help(help));
    }

    /// Objects to the arguments, or to the keyword when there are none.
    pub(super) fn refuse(
        &mut self,
        head: &Head,
        code: &'static str,
        message: String,
        help: &str,
    ) -> Option<Kind> {
        let at = if head.arguments.is_empty() {
            head.keyword.clone()
        } else {
            head.arguments.clone()
        };
        self.object(code, message, self.joined.span(at), help.to_owned());
        None
    }

    fn kind(&mut self, head: &Head, heredocs: &mut Vec<Heredoc>) -> Option<Kind> {
        let Some(keyword) = head.known else {
            return self.unknown(head);
        };
        let text = self.text;
        let (start, arguments) = (head.arguments.start, &text[head.arguments.clone()]);
        let none = keyword == Keyword::Healthcheck && {
            let (kind, _) = words::split(arguments);
            kind.eq_ignore_ascii_case("NONE")
        };
        if !none && !head.flags.is_empty() {
            for objection in flags::check(keyword, &head.flags) {
                let at = head.flags[objection.index].span();
                self.object(objection.code, objection.message, at, objection.help);
            }
        }
        match keyword {
            Keyword::From => self.from(head, arguments),
            Keyword::Run => self.run(head, arguments),
            Keyword::Cmd => self.command(head, start, arguments).map(Kind::Cmd),
            Keyword::Entrypoint => self.command(head, start, arguments).map(Kind::Entrypoint),
            Keyword::Shell => self.shell(head, arguments),
            Keyword::Copy => self.transfer(head, arguments, heredocs).map(Kind::Copy),
            Keyword::Add => self.transfer(head, arguments, heredocs).map(Kind::Add),
            Keyword::Workdir => self.single(head, arguments).map(Kind::Workdir),
            Keyword::User => self.single(head, arguments).map(Kind::User),
            Keyword::Stopsignal => self.single(head, arguments).map(Kind::Stopsignal),
            Keyword::Maintainer => self.single(head, arguments).map(Kind::Maintainer),
            Keyword::Env => self.pairs(head, arguments).map(Kind::Env),
            Keyword::Label => self.pairs(head, arguments).map(Kind::Label),
            Keyword::Arg => self.arg(head, arguments),
            Keyword::Expose => {
                let ports = self.blanks(start, arguments);
                self.at_least_one(head, ports).map(Kind::Expose)
            }
            Keyword::Volume => self.volume(head, arguments),
            Keyword::Healthcheck => self.healthcheck(head, arguments),
            Keyword::Onbuild => self.onbuild(head, heredocs),
        }
    }
}

#[cfg(test)]
#[path = "instruction_tests.rs"]
mod tests;
