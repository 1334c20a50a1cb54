//! One logical line to one instruction: keyword, flags, arguments, and what they mean.
//!
//! Goes in: one line of the joined text and its heredocs. Comes out: the instruction, its words and flags at
//! the end of the file's lists, and objections as diagnostics. Costs one pass per argument form. Invariant: an
//! objection of severity error and [`Kind::Invalid`](super::Kind::Invalid) come together; ONBUILD nests once
//! and no deeper.

use super::keyword::Keyword;
use super::lists::{FlagParts, Lists};
use super::text::{Joined, Part, trim};
use super::{Extra, Form, InstructionParts, Meaning};
use super::{flags, heredoc, json, words};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Span;
use std::borrow::Cow;
use std::ops::Range;

/// The physical place of an instruction.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) span: Span,
    pub(super) line: u32,
    pub(super) end_line: u32,
    pub(super) leading_comments: Span,
    pub(super) reproducible: bool,
    pub(super) plain_base: bool,
    /// A `<` is in it before its heredocs.
    pub(super) signed: bool,
}

/// A logical line cut into keyword, flags and arguments; all offsets count in the joined text.
pub(super) struct Head {
    pub(super) whole: Range<usize>,
    pub(super) keyword: Range<usize>,
    pub(super) known: Option<Keyword>,
    /// Where their parts are among the words of the file.
    pub(super) flags: Range<usize>,
    pub(super) arguments: Range<usize>,
}

/// What the instructions read so far are made of.
#[derive(Default)]
pub(super) struct Found {
    /// Words, and before those of an instruction three parts for each of its flags (see [`FlagParts`]).
    pub(super) words: Vec<Part>,
    /// Those of them that read otherwise than the file.
    derived: Vec<Derived>,
}

/// Text that does not stand in the file as it reads, made from the bytes at `span`. Few are, so that they
/// are kept apart until the joined text is complete, in the order of the words.
struct Derived {
    /// Which of the words it is.
    of: usize,
    text: String,
    /// What of it counts.
    within: Range<usize>,
    span: Span,
}

impl Derived {
    fn new(of: usize, text: String, span: Span) -> Self {
        let within = 0..text.len();
        Self {
            of,
            text,
            within,
            span,
        }
    }

    fn add_to(&self, joined: &mut Joined) -> Part {
        let start = joined.derive(&self.text, self.span).range().start;
        Part::new(start + self.within.start..start + self.within.end)
    }
}

impl Found {
    pub(super) fn for_file(lines: usize) -> Self {
        Self {
            words: Vec::with_capacity(3 * lines),
            derived: Vec::new(),
        }
    }

    /// Whether anything reads otherwise than the file, so far.
    pub(super) fn has_derived(&self) -> bool {
        !self.derived.is_empty()
    }

    fn derived(&self, of: usize) -> Option<&Derived> {
        let at = self.derived.binary_search_by_key(&of, |d| d.of).ok()?;
        Some(&self.derived[at])
    }

    /// The lists of the file, whose joined text is complete.
    pub(super) fn finish(mut self, mut joined: Joined) -> Lists {
        for derived in &self.derived {
            self.words[derived.of] = derived.add_to(&mut joined);
        }
        Lists {
            joined,
            words: self.words,
        }
    }
}

/// What the keyword of a logical line, or of the trigger in it, is; where it ends; and what follows. No
/// white space is around the line.
#[inline(always)]
fn keyword(text: &str, whole: Range<usize>) -> (Option<Keyword>, usize, Range<usize>) {
    let Range { start, end } = whole;
    // The text goes on behind the line, which ends with no blank.
    match Keyword::at_start(&text.as_bytes()[start..]) {
        Some((keyword, rest)) if start + rest < end => {
            (Some(keyword), start + rest - 1, start + rest..end)
        }
        _ => keyword_slowly(text, whole),
    }
}

#[inline(never)]
fn keyword_slowly(text: &str, whole: Range<usize>) -> (Option<Keyword>, usize, Range<usize>) {
    let Range { start, end } = whole;
    let (keyword, rest) = words::first(&text[whole]);
    let rest = rest.map_or(end, |n| start + n)..end;
    (Keyword::read(keyword), start + keyword.len(), rest)
}

/// Keyword and arguments of a logical line.
fn without_flags(text: &str, whole: Range<usize>, escape: char) -> (Option<Keyword>, Range<usize>) {
    let (known, _, rest) = keyword(text, whole);
    let end = rest.end;
    let start = flags::split(text, rest, escape, |_| {});
    (known, trim(text, start..end))
}

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) joined: &'a Joined,
    pub(super) escape: char,
    pub(super) frame: Frame,
    pub(super) found: &'a mut Found,
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
    /// Cuts a logical line, or the trigger in it.
    #[inline(always)]
    pub(super) fn head(&mut self, whole: Range<usize>) -> Head {
        let (known, keyword_end, rest) = keyword(self.text, whole.clone());
        let first = self.found.words.len();
        let (text, escape) = (self.text, self.escape);
        let end = flags::split(text, rest, escape, |word| self.flag(word));
        Head {
            arguments: trim(self.text, end..whole.end),
            known,
            keyword: whole.start..keyword_end,
            whole,
            flags: first..self.found.words.len(),
        }
    }

    /// The heredoc words of a logical line: RUN, COPY and ADD have them, also inside ONBUILD, unless
    /// their arguments are JSON.
    pub(super) fn heredoc_words(&self, head: &Head) -> Vec<heredoc::Word> {
        let whole = &self.text[head.whole.clone()];
        if heredoc::next(whole.as_bytes(), 0).is_none() {
            return Vec::new();
        }
        let (mut known, mut arguments) = (head.known, head.arguments.clone());
        if known == Some(Keyword::Onbuild) {
            (known, arguments) = without_flags(self.text, arguments, self.escape);
        }
        match known {
            Some(Keyword::Run | Keyword::Copy | Keyword::Add) => {}
            _ => return Vec::new(),
        }
        match json::array(&self.text[arguments], |_, _| {}) {
            json::Array::None => heredoc::words(whole),
            json::Array::Strings | json::Array::Mixed => Vec::new(),
        }
    }

    // Written where it is to stay: what is moved in larger pieces than it was written in waits for them.
    #[inline(always)]
    pub(super) fn read(&mut self, head: &Head, mut extra: Option<Box<Extra>>) -> InstructionParts {
        let before = self.diagnostics.len();
        let first = self.found.words.len();
        let form = self.form(head, &mut extra);
        // A trigger's objections are warnings, and still make it invalid.
        let refused = self.diagnostics.len() > before
            && (self.trigger || self.diagnostics[before..].iter().any(Diagnostic::is_error));
        let keyword = || Cow::Owned(self.text[head.keyword.clone()].to_uppercase());
        InstructionParts {
            keyword: head
                .known
                .map_or_else(keyword, |k| Cow::Borrowed(k.as_str())),
            span: self.frame.span,
            line: self.frame.line,
            end_line: self.frame.end_line,
            leading_comments: self.frame.leading_comments,
            reproducible: self.frame.reproducible,
            plain_base: self.frame.plain_base,
            keyword_len: Part::new(head.keyword.clone()).len(),
            original: Part::new(head.whole.clone()),
            arguments: Part::new(head.arguments.clone()),
            flags: Part::new(head.flags.clone()),
            meaning: Meaning {
                keyword: head.known.filter(|_| form.is_some() && !refused),
                form: form.unwrap_or(Form::Plain),
                words: Part::new(first..self.found.words.len()),
            },
            extra,
        }
    }

    /// A word that is a range of the joined text.
    pub(super) fn push(&mut self, range: Range<usize>) {
        self.found.words.push(Part::new(range));
    }

    /// A word whose range counts from the start of the arguments or another part of the line.
    pub(super) fn push_part(&mut self, start: usize, range: &Range<usize>) {
        self.push(start + range.start..start + range.end);
    }

    /// Says that the last word reads otherwise than the text it was pushed for.
    pub(super) fn derive_last(&mut self, text: String) {
        let n = self.found.words.len() - 1;
        let span = self.joined.span(self.found.words[n].range());
        self.found.derived.push(Derived::new(n, text, span));
    }

    /// The text of a word that was pushed.
    pub(super) fn word(&self, n: usize) -> &str {
        match self.found.derived(n) {
            Some(derived) => &derived.text[derived.within.clone()],
            None => &self.text[self.found.words[n].range()],
        }
    }

    /// Drops white space around a word.
    pub(super) fn trim_word(&mut self, n: usize) {
        let list = &mut self.found.derived;
        if let Ok(at) = list.binary_search_by_key(&n, |d| d.of) {
            list[at].within = trim(&list[at].text, list[at].within.clone());
        } else {
            let range = trim(self.text, self.found.words[n].range());
            self.found.words[n] = Part::new(range);
        }
    }

    /// Keeps of the words from `first` on those whose numbers are given, in order.
    pub(super) fn keep_words(&mut self, first: usize, kept: &[usize]) {
        for (to, from) in (first..).zip(kept) {
            self.found.words[to] = self.found.words[*from];
        }
        self.found.words.truncate(first + kept.len());
        let list = &mut self.found.derived;
        let own = list.split_off(list.partition_point(|d| d.of < first));
        list.extend(own.into_iter().filter_map(|derived| {
            let of = first + kept.binary_search(&derived.of).ok()?;
            Some(Derived { of, ..derived })
        }));
    }

    fn flag(&mut self, word: flags::Word) {
        let n = self.found.words.len();
        let mut cooked = Part::NONE;
        let span = || self.joined.span(word.range.clone());
        // It may end inside a character, since the builder splits flags by bytes.
        if self.text.get(word.range.clone()).is_none() {
            let bytes = &self.text.as_bytes()[word.range.clone()];
            let raw = String::from_utf8_lossy(bytes).into_owned();
            self.found
                .derived
                .push(Derived::new(n + FlagParts::RAW, raw, span()));
        }
        if let Some(text) = word.cooked {
            cooked = Part::default();
            let at = n + FlagParts::COOKED;
            self.found.derived.push(Derived::new(at, text, span()));
        }
        let parts = FlagParts {
            raw: Part::new(word.range),
            cooked,
            equals: word.equals.and_then(|n| u32::try_from(n).ok()),
        };
        self.found.words.extend_from_slice(&parts.stored());
    }

    /// The n-th of the flags that start there.
    fn flag_parts(&self, n: usize) -> FlagParts {
        let parts = self.found.words[n..].first_chunk();
        FlagParts::of(parts.unwrap_or(&[Part::NONE; FlagParts::COUNT]))
    }

    /// Name and value of a flag.
    pub(super) fn name_and_value(&self, n: usize) -> (&str, Option<&str>) {
        let parts = self.flag_parts(n);
        let whole = match parts.cooked {
            Part::NONE => &self.text[parts.raw.range()],
            _ => self.word(n + FlagParts::COOKED),
        };
        flags::cut(whole, parts.equals)
    }

    /// Whether a flag may have this name.
    pub(super) fn may_be_flag(&self, n: usize, name: &str) -> bool {
        let parts = self.flag_parts(n);
        let raw = &self.text.as_bytes()[parts.raw.range()];
        let rest = raw
            .strip_prefix(b"--")
            .and_then(|r| r.strip_prefix(name.as_bytes()));
        parts.cooked != Part::NONE || rest.is_some_and(|r| matches!(r.first(), None | Some(b'=')))
    }

    /// Where a flag stands.
    pub(super) fn flag_span(&self, n: usize) -> Span {
        self.joined
            .span(self.found.words[n + FlagParts::RAW].range())
    }

    /// Words between blanks; `arguments` start at `start`.
    pub(super) fn blanks(&mut self, start: usize, arguments: &str) {
        for word in words::blanks(arguments) {
            self.push_part(start, &word);
        }
    }

    /// Text that starts at `start` as a JSON array; its strings are words if it is one of strings.
    #[inline]
    pub(super) fn json(&mut self, start: usize, text: &str) -> json::Array {
        match json::is_none(text) {
            true => json::Array::None,
            false => self.json_array(start, text),
        }
    }

    fn json_array(&mut self, start: usize, text: &str) -> json::Array {
        let first = self.found.words.len();
        let found = json::array(text, |range, cooked| {
            self.push_part(start, &range);
            if let Some(text) = cooked {
                self.derive_last(text);
            }
        });
        if found != json::Array::Strings && self.found.words.len() > first {
            self.keep_words(first, &[]);
        }
        found
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
    pub(super) fn refuse<T>(
        &mut self,
        head: &Head,
        code: &'static str,
        message: String,
        help: &str,
    ) -> Option<T> {
        let at = if head.arguments.is_empty() {
            head.keyword.clone()
        } else {
            head.arguments.clone()
        };
        self.object(code, message, self.joined.span(at), help.to_owned());
        None
    }

    /// Reads the arguments; `None` where they, or the keyword, are objected to.
    fn form(&mut self, head: &Head, extra: &mut Option<Box<Extra>>) -> Option<Form> {
        let Some(keyword) = head.known else {
            return self.unknown(head);
        };
        let text = self.text;
        let (start, arguments) = (head.arguments.start, &text[head.arguments.clone()]);
        if !head.flags.is_empty() {
            self.check_flags(keyword, head, arguments);
        }
        match keyword {
            Keyword::From => self.from(head, arguments),
            Keyword::Run => self.run(head, arguments),
            Keyword::Cmd | Keyword::Entrypoint => self.command(head, start, arguments),
            Keyword::Shell => self.shell(head, arguments),
            Keyword::Copy | Keyword::Add => self.transfer(head, arguments, extra),
            Keyword::Workdir | Keyword::User | Keyword::Stopsignal | Keyword::Maintainer => {
                self.single(head, arguments)
            }
            Keyword::Env | Keyword::Label => self.pairs(head, arguments),
            Keyword::Arg => self.arg(head, arguments),
            Keyword::Expose => {
                let first = self.found.words.len();
                self.blanks(start, arguments);
                self.at_least_one(head, first)
            }
            Keyword::Volume => self.volume(head, arguments),
            Keyword::Healthcheck => self.healthcheck(head, arguments),
            Keyword::Onbuild => self.onbuild(head, extra),
        }
    }

    /// Whether nothing is to be said of flags, as of most.
    fn flags_fit(&self, keyword: Keyword, list: Range<usize>) -> bool {
        let (list, _) = self.found.words[list].as_chunks();
        let mut seen = 0;
        list.iter().all(|parts| {
            let flag = FlagParts::of(parts);
            let (name, value) =
                flags::cut_bytes(&self.text.as_bytes()[flag.raw.range()], flag.equals);
            flags::fits(keyword, name, value).is_some_and(|bit| {
                let again = seen & bit != 0;
                seen |= bit;
                flag.cooked == Part::NONE && !again
            })
        })
    }

    fn check_flags(&mut self, keyword: Keyword, head: &Head, arguments: &str) {
        if keyword == Keyword::Healthcheck && {
            let (kind, _) = words::split(arguments);
            kind.eq_ignore_ascii_case("NONE")
        } {
            return;
        }
        if self.flags_fit(keyword, head.flags.clone()) {
            return;
        }
        let place = |n: usize| head.flags.start + n * FlagParts::COUNT;
        let flag = |n: usize| self.name_and_value(place(n));
        for objection in flags::check(keyword, head.flags.len() / FlagParts::COUNT, flag) {
            let at = self.flag_span(place(objection.index));
            self.object(objection.code, objection.message, at, objection.help);
        }
    }
}

#[cfg(test)]
#[path = "instruction_tests.rs"]
mod tests;
