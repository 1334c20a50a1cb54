//! One logical line to one [`Instruction`]: keyword, flags, arguments, and what they mean.
//!
//! Goes in: one line of the joined text and its heredocs. Comes out: the instruction, and objections as
//! diagnostics. Costs one pass per argument form. Invariant: an objection of severity error and
//! [`Kind::Invalid`] come together; ONBUILD nests once and no deeper.

use super::keyword::Keyword;
use super::text::{Joined, Text};
use super::{CommandForm, Flag, Heredoc, Instruction, Kind, Transfer};
use super::{expand, flags, heredoc, json, suggest, words};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Span;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The physical place of an instruction.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) span: Span,
    pub(super) line: u32,
    pub(super) end_line: u32,
    pub(super) leading_comments: Span,
}

/// An instruction before it is read.
pub(super) struct Draft {
    pub(super) head: Head,
    pub(super) frame: Frame,
    pub(super) heredocs: Vec<Heredoc>,
}

/// A logical line cut into keyword, flags and arguments; all offsets count in the joined text.
pub(super) struct Head {
    whole: Range<usize>,
    keyword: Range<usize>,
    known: Option<Keyword>,
    flags: Vec<flags::Word>,
    arguments: Range<usize>,
}

/// Cuts the given part of a logical line.
pub(super) fn head(text: &str, part: Range<usize>, escape: char) -> Head {
    let whole = trim(text, part);
    let line = &text[whole.clone()];
    let (keyword, rest) = words::first(line);
    let known = Keyword::read(keyword);
    let keyword = whole.start..whole.start + keyword.len();
    let rest = rest.map_or(whole.end, |n| whole.start + n);
    let (found, end) = flags::split(text, rest..whole.end, escape);
    Head {
        arguments: trim(text, end..whole.end),
        whole,
        keyword,
        known,
        flags: found,
    }
}

fn trim(text: &str, part: Range<usize>) -> Range<usize> {
    let body = &text[part.clone()];
    let plain = |b: Option<&u8>| b.is_some_and(u8::is_ascii_graphic);
    if plain(body.as_bytes().first()) && plain(body.as_bytes().last()) {
        return part;
    }
    let start = part.start + (body.len() - body.trim_start().len());
    start..start + body.trim().len()
}

/// The heredoc words of a logical line: RUN, COPY and ADD have them, also inside ONBUILD, unless
/// their arguments are JSON.
pub(super) fn heredoc_words(text: &str, head: &Head, escape: char) -> Vec<heredoc::Word> {
    let line = &text[head.whole.clone()];
    let (known, arguments) = match head.known {
        Some(Keyword::Onbuild) => {
            let inner = self::head(text, head.arguments.clone(), escape);
            (inner.known, inner.arguments)
        }
        known => (known, head.arguments.clone()),
    };
    let takes = matches!(known, Some(Keyword::Run | Keyword::Copy | Keyword::Add));
    if !takes || memchr::memchr(b'<', line.as_bytes()).is_none() || !line.contains("<<") {
        return Vec::new();
    }
    match json::array(&text[arguments], |_, _| {}) {
        json::Array::None => heredoc::words(line),
        json::Array::Strings | json::Array::Mixed => Vec::new(),
    }
}

/// Reads the instruction; what is wrong with it goes to `diagnostics`.
pub(super) fn instruction(
    joined: &Arc<Joined>,
    draft: Draft,
    escape: char,
    diagnostics: &mut Vec<Diagnostic>,
) -> Instruction {
    let mut reader = Reader {
        text: joined.text(),
        joined,
        escape,
        frame: draft.frame,
        diagnostics,
        trigger: false,
    };
    reader.read(draft.head, draft.heredocs)
}

struct Reader<'a> {
    text: &'a str,
    joined: &'a Arc<Joined>,
    escape: char,
    frame: Frame,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// Inside ONBUILD. The builder only checks the syntax of triggers when it stores them; the rest
    /// fails in the build of the child image, so it is a warning here.
    trigger: bool,
}

impl Head {
    /// The keyword as messages print it.
    fn name(&self) -> &'static str {
        self.known.map_or("the instruction", Keyword::as_str)
    }

    fn example(&self) -> &'static str {
        self.known.map_or("", Keyword::example)
    }
}

impl Reader<'_> {
    fn read(&mut self, head: Head, mut heredocs: Vec<Heredoc>) -> Instruction {
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
            original: self.piece(head.whole),
            flags: match head.flags {
                none if none.is_empty() => Vec::new(),
                words => words.into_iter().map(|word| self.flag(word)).collect(),
            },
            arguments: self.piece(head.arguments),
            heredocs,
            kind: match kind {
                Some(kind) if !refused => kind,
                _ => Kind::Invalid,
            },
            keyword_len: head.keyword.len(),
        }
    }

    fn piece(&self, range: Range<usize>) -> Text {
        Text::piece(self.joined, range)
    }

    /// A range that counts from the start of the arguments or another part of the line.
    fn part(&self, start: usize, range: &Range<usize>) -> Text {
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
    fn blanks(&self, start: usize, arguments: &str) -> Vec<Text> {
        let words = words::blanks(arguments);
        words.map(|w| self.part(start, &w)).collect()
    }

    /// Text that starts at `start` as a JSON array.
    fn json(&self, start: usize, text: &str) -> (json::Array, Vec<Text>) {
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

    fn object(&mut self, code: &'static str, message: String, at: Range<usize>, help: String) {
        let severity = if self.trigger && code.starts_with("build/") {
            Severity::Warning
        } else {
            Severity::Error
        };
        let d = Diagnostic::new(severity, code, message, self.joined.span(at));
        self.diagnostics.push(d.with_help(help));
    }

    /// Objects to the arguments, or to the keyword when there are none.
    fn refuse(
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
        self.object(code, message, at, help.to_owned());
        None
    }

    fn kind(&mut self, head: &Head, heredocs: &mut Vec<Heredoc>) -> Option<Kind> {
        let Some(keyword) = head.known else {
            return self.unknown(head);
        };
        let text = self.text;
        let (start, arguments) = (head.arguments.start, &text[head.arguments.clone()]);
        let none = keyword == Keyword::Healthcheck && {
            let (kind, _) = split_word(arguments);
            kind.eq_ignore_ascii_case("NONE")
        };
        if !none && !head.flags.is_empty() {
            for objection in flags::check(keyword, text, &head.flags) {
                let at = head.flags[objection.index].range.clone();
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

    fn unknown(&mut self, head: &Head) -> Option<Kind> {
        let keyword = self.text[head.keyword.clone()].to_owned();
        let all = Keyword::ALL.map(Keyword::as_str);
        let help = suggest::nearest(&keyword, all.into_iter()).map_or_else(
            || format!("instructions are {}", all.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let message = if keyword.is_empty() {
            "this instruction has no keyword".to_owned()
        } else {
            format!("unknown instruction `{}`", shorten(&keyword))
        };
        self.object(
            "build/unknown-instruction",
            message,
            head.keyword.clone(),
            help,
        );
        None
    }

    fn from(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let mut words = words::blanks(arguments);
        let is_as = |w: &Range<usize>| arguments[w.clone()].eq_ignore_ascii_case("as");
        let (image, alias) = match (words.next(), words.next(), words.next(), words.next()) {
            (Some(image), None, ..) => (image, None),
            (Some(image), Some(middle), Some(alias), None) if is_as(&middle) => {
                (image, Some(alias))
            }
            _ => {
                return self.refuse(
                    head,
                    "build/bad-from",
                    "FROM takes an image, or an image, `AS` and a stage name".to_owned(),
                    "write `FROM image` or `FROM image AS name`",
                );
            }
        };
        let start = head.arguments.start;
        let alias = alias.map(|a| self.lower(self.part(start, &a)));
        if let Some(alias) = alias.as_deref().filter(|a| !is_stage_name(a)) {
            return self.refuse(
                head,
                "build/bad-stage-name",
                format!("`{}` is no valid stage name", shorten(alias)),
                "a stage name starts with a letter and goes on with letters, digits, `_`, `-` or `.`",
            );
        }
        Some(Kind::From {
            image: self.part(start, &image),
            alias,
        })
    }

    fn lower(&self, text: Text) -> Text {
        let changes = |c: char| !c.is_ascii() || c.is_ascii_uppercase();
        if text.contains(changes) {
            Text::derived(text.to_lowercase(), text.span())
        } else {
            text
        }
    }

    fn run(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let form = self.command(head, head.arguments.start, arguments)?;
        if form == CommandForm::Exec(Vec::new()) {
            return self.refuse(
                head,
                "build/empty-command",
                "RUN has an empty argument list".to_owned(),
                "name the program as the first string, or leave the line out",
            );
        }
        Some(Kind::Run(form))
    }

    /// Text that starts at `start` as a command.
    fn command(&mut self, head: &Head, start: usize, text: &str) -> Option<CommandForm> {
        match self.json(start, text) {
            (json::Array::Strings, list) => Some(CommandForm::Exec(list)),
            (json::Array::None, _) => Some(CommandForm::Shell(self.part(start, &(0..text.len())))),
            (json::Array::Mixed, _) => self.mixed(head),
        }
    }

    /// Words of COPY, ADD and VOLUME.
    fn list(&mut self, head: &Head, arguments: &str) -> Option<Vec<Text>> {
        let start = head.arguments.start;
        match self.json(start, arguments) {
            (json::Array::Strings, list) => Some(list),
            (json::Array::None, _) => Some(self.blanks(start, arguments)),
            (json::Array::Mixed, _) => self.mixed(head),
        }
    }

    fn mixed<T>(&mut self, head: &Head) -> Option<T> {
        self.refuse(
            head,
            "parse/json-not-strings",
            "a JSON array here may hold nothing but strings".to_owned(),
            "put every element in double quotes",
        );
        None
    }

    fn shell(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        match self.json(head.arguments.start, arguments) {
            (json::Array::Strings, list) => self.at_least_one(head, list).map(Kind::Shell),
            (json::Array::Mixed, _) => self.mixed(head),
            (json::Array::None, _) if arguments.is_empty() => {
                self.at_least_one(head, Vec::new()).map(Kind::Shell)
            }
            (json::Array::None, _) => self.refuse(
                head,
                "build/shell-not-json",
                "SHELL takes a JSON array".to_owned(),
                "write `SHELL [\"/bin/sh\", \"-c\"]`",
            ),
        }
    }

    fn at_least_one<T>(&mut self, head: &Head, list: Vec<T>) -> Option<Vec<T>> {
        if list.is_empty() {
            let message = format!("{} needs at least one argument", head.name());
            self.refuse(head, "build/missing-arguments", message, head.example());
            return None;
        }
        Some(list)
    }

    fn single(&mut self, head: &Head, arguments: &str) -> Option<Text> {
        if arguments.is_empty() {
            let message = format!("{} needs an argument", head.name());
            self.refuse(head, "build/missing-arguments", message, head.example());
            return None;
        }
        Some(self.piece(head.arguments.clone()))
    }

    fn transfer(
        &mut self,
        head: &Head,
        arguments: &str,
        heredocs: &mut Vec<Heredoc>,
    ) -> Option<Transfer> {
        let mut list = self.list(head, arguments)?;
        for flag in head
            .flags
            .iter()
            .filter(|f| head.known == Some(Keyword::Copy) && f.name(self.text) == "from")
        {
            let value = flag.value(self.text).unwrap_or_default();
            if !value.contains(['$', '\'', '"', self.escape]) {
                continue;
            }
            if expand::expand_word(value, self.escape, &|_| None).as_deref() != Ok(value) {
                self.object(
                    "build/copy-from-variable",
                    "`--from` cannot use variables or quotes".to_owned(),
                    flag.range.clone(),
                    "name a stage with `FROM image-with-variables AS name` and copy from it"
                        .to_owned(),
                );
            }
        }
        let dest = list.pop().filter(|_| !list.is_empty());
        let Some(dest) = dest else {
            let message = format!("{} needs a source and a destination", head.name());
            self.refuse(head, "build/missing-arguments", message, head.example());
            return None;
        };
        if heredoc::word(&dest).is_some() {
            let message = format!("a heredoc cannot be the destination of {}", head.name());
            let help = "write the path last: `COPY <<EOF /path`";
            self.refuse(head, "build/heredoc-destination", message, help);
            return None;
        }
        let mut transfer = Transfer {
            sources: Vec::new(),
            dest,
            inline: Vec::new(),
        };
        // Of equal names the builder takes the last.
        let mut bodies: BTreeMap<String, usize> = BTreeMap::new();
        for (index, heredoc) in heredocs.iter().enumerate() {
            bodies.insert(heredoc.name.clone(), index);
        }
        if !list.iter().any(|source| source.contains('<')) {
            transfer.sources = list;
            return Some(transfer);
        }
        for source in list {
            match heredoc::word(&source) {
                None => transfer.sources.push(source),
                Some(word) => {
                    let index = *bodies.entry(word.name.clone()).or_insert_with(|| {
                        heredocs.push(self.empty_heredoc(word));
                        heredocs.len() - 1
                    });
                    transfer.inline.push(index);
                }
            }
        }
        Some(transfer)
    }

    /// What the builder makes of a heredoc word in the JSON form, where no body is read.
    fn empty_heredoc(&self, word: heredoc::Word) -> Heredoc {
        let end = self.frame.span.end;
        Heredoc {
            name: word.name,
            word: word.word,
            fd: word.fd,
            strip_tabs: word.strip_tabs,
            expand: word.expand,
            body: String::new(),
            body_span: Span { start: end, end },
        }
    }

    fn pairs(&mut self, head: &Head, arguments: &str) -> Option<Vec<(Text, Text)>> {
        let start = head.arguments.start;
        let mut words = words::quoted(arguments, self.escape).peekable();
        if let Some(first) = words.peek()
            && !arguments[first.clone()].contains('=')
        {
            let (key, rest) = words::first(arguments);
            let Some(rest) = rest else {
                let message = format!("{} `{}` has no value", head.name(), shorten(key));
                self.refuse(head, "parse/missing-value", message, "write `name=value`");
                return None;
            };
            let key = self.part(start, &(0..key.len()));
            return Some(vec![(key, self.part(start, &(rest..arguments.len())))]);
        }
        let mut out = Vec::new();
        for word in words {
            let text = &arguments[word.clone()];
            match text.find('=') {
                None => {
                    let message = format!("`{}` is not of the form name=value", shorten(text));
                    let help = "put the value in quotes if it has blanks";
                    self.refuse(head, "parse/missing-equals", message, help);
                    return None;
                }
                Some(0) => return self.blank_name(head),
                Some(n) => out.push(self.pair(start, &word, n)),
            }
        }
        self.at_least_one(head, out)
    }

    /// A word cut at the `=` that is its n-th byte.
    fn pair(&self, start: usize, word: &Range<usize>, n: usize) -> (Text, Text) {
        let equals = word.start + n;
        (
            self.part(start, &(word.start..equals)),
            self.part(start, &(equals + 1..word.end)),
        )
    }

    fn blank_name<T>(&mut self, head: &Head) -> Option<T> {
        let message = format!("a name of {} is blank", head.name());
        self.refuse(head, "build/blank-name", message, "write `name=value`");
        None
    }

    fn arg(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let start = head.arguments.start;
        let mut out = Vec::new();
        for word in words::quoted(arguments, self.escape) {
            match arguments[word.clone()].find('=') {
                None => out.push((self.part(start, &word), None)),
                Some(0) => return self.blank_name(head),
                Some(n) => {
                    let (name, default) = self.pair(start, &word, n);
                    out.push((name, Some(default)));
                }
            }
        }
        self.at_least_one(head, out).map(Kind::Arg)
    }

    fn volume(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let list = self.list(head, arguments)?;
        let list = self.at_least_one(head, list)?;
        let trim = |path: Text| {
            let end = path.trim_end().len();
            path.slice(end - path.trim().len()..end)
        };
        let list: Vec<Text> = list.into_iter().map(trim).collect();
        if list.iter().any(|path| path.is_empty()) {
            let message = "a path of VOLUME is empty".to_owned();
            let help = "leave the empty path out";
            return self.refuse(head, "build/empty-volume", message, help);
        }
        Some(Kind::Volume(list))
    }

    fn healthcheck(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let (kind, rest) = split_word(arguments);
        let start = head.arguments.end - rest.len();
        let form = self.command(head, start, rest)?;
        let (code, message, help) = match kind.to_uppercase().as_str() {
            "" => (
                "build/missing-arguments",
                "HEALTHCHECK needs `NONE` or `CMD` and a command".to_owned(),
                head.example(),
            ),
            "NONE" if rest.is_empty() => return Some(Kind::Healthcheck(None)),
            "NONE" => (
                "build/bad-healthcheck",
                "HEALTHCHECK NONE takes no arguments".to_owned(),
                "leave the arguments out, or write `CMD` for `NONE`",
            ),
            "CMD" if rest.is_empty() || form == CommandForm::Exec(Vec::new()) => (
                "build/bad-healthcheck",
                "HEALTHCHECK CMD has no command".to_owned(),
                "write the command, or `HEALTHCHECK NONE`",
            ),
            "CMD" => return Some(Kind::Healthcheck(Some(form))),
            _ => (
                "build/bad-healthcheck",
                format!("HEALTHCHECK has no form `{}`", shorten(kind)),
                "write `HEALTHCHECK CMD command`",
            ),
        };
        self.refuse(head, code, message, help)
    }

    fn onbuild(&mut self, head: &Head, heredocs: &[Heredoc]) -> Option<Kind> {
        if head.arguments.is_empty() {
            let message = "ONBUILD needs an instruction".to_owned();
            return self.refuse(head, "build/missing-arguments", message, head.example());
        }
        let inner = self::head(self.text, head.arguments.clone(), self.escape);
        if let Some(known @ (Keyword::Onbuild | Keyword::From | Keyword::Maintainer)) = inner.known
        {
            let message = format!("{known} cannot be an ONBUILD trigger");
            let help = "triggers are instructions other than FROM, MAINTAINER and ONBUILD";
            return self.refuse(head, "build/bad-onbuild", message, help);
        }
        self.trigger = true;
        let trigger = self.read(inner, heredocs.to_vec());
        self.trigger = false;
        Some(Kind::Onbuild(Box::new(trigger)))
    }
}

/// The first word and the rest without the white space between them.
fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn is_stage_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c))
}

/// A word for a message; a minified file must not fill the screen.
fn shorten(word: &str) -> String {
    const MOST: usize = 60;
    if word.chars().count() <= MOST {
        return word.to_owned();
    }
    word.chars().take(MOST).chain("...".chars()).collect()
}

#[cfg(test)]
#[path = "instruction_tests.rs"]
mod tests;
