//! One logical line to one [`Instruction`]: keyword, flags, arguments, and what they mean.
//!
//! Goes in: the joined text and its heredocs. Comes out: the instruction, and objections as
//! diagnostics. Costs one pass per argument form. Invariant: an objection of severity error and
//! [`Kind::Invalid`] come together; ONBUILD nests once and no deeper.

use super::lines::TextMap;
use super::{CommandForm, Flag, Heredoc, Instruction, Kind, Transfer};
use super::{expand, flags, heredoc, json, suggest, words};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Span;
use std::collections::BTreeMap;
use std::ops::Range;

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// The physical place of an instruction.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) span: Span,
    pub(super) line: u32,
    pub(super) end_line: u32,
    pub(super) leading_comments: Span,
}

/// A logical line cut into keyword, flags and arguments; all offsets count in its text.
pub(super) struct Head {
    whole: Range<usize>,
    keyword: Range<usize>,
    /// The known keyword in upper case.
    known: Option<&'static str>,
    flags: Vec<flags::Word>,
    arguments: Range<usize>,
}

/// Whether an upper-case keyword is one of the grammar.
pub(super) fn is_known(keyword: &str) -> bool {
    KEYWORDS.contains(&keyword)
}

/// Cuts the given part of a logical line.
pub(super) fn head(text: &str, part: Range<usize>, escape: char) -> Head {
    let whole = trim(text, part);
    let line = &text[whole.clone()];
    let (keyword, rest) = words::first(line);
    let known = known(keyword);
    let keyword = whole.start..whole.start + keyword.len();
    let rest = rest.map_or(whole.end, |n| whole.start + n);
    let (mut found, end) = flags::split(&text[rest..whole.end], escape);
    for flag in &mut found {
        flag.range = flag.range.start + rest..flag.range.end + rest;
    }
    Head {
        arguments: trim(text, rest + end..whole.end),
        whole,
        keyword,
        known,
        flags: found,
    }
}

/// The keyword that a word is, in any case.
fn known(word: &str) -> Option<&'static str> {
    if word.is_ascii() {
        return KEYWORDS.into_iter().find(|k| word.eq_ignore_ascii_case(k));
    }
    // Beyond ASCII too: the Kelvin sign is a `k` in lower case.
    let lower = word.to_lowercase();
    KEYWORDS
        .into_iter()
        .find(|k| lower == k.to_ascii_lowercase())
}

fn trim(text: &str, part: Range<usize>) -> Range<usize> {
    let body = &text[part.clone()];
    let start = part.start + (body.len() - body.trim_start().len());
    start..start + body.trim().len()
}

/// The heredoc words of a logical line: RUN, COPY and ADD have them, also inside ONBUILD, unless
/// their arguments are JSON.
pub(super) fn heredoc_words(text: &str, escape: char) -> Vec<heredoc::Word> {
    if !text.contains('<') || !text.contains("<<") {
        return Vec::new();
    }
    let mut head = head(text, 0..text.len(), escape);
    if head.known == Some("ONBUILD") {
        head = self::head(text, head.arguments, escape);
    }
    let takes = matches!(head.known, Some("RUN" | "COPY" | "ADD"));
    if takes && json::array(&text[head.arguments]) == json::Array::None {
        heredoc::words(text)
    } else {
        Vec::new()
    }
}

/// Reads the instruction; what is wrong with it goes to `diagnostics`.
pub(super) fn instruction(
    text: String,
    map: TextMap,
    escape: char,
    frame: Frame,
    heredocs: Vec<Heredoc>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Instruction {
    let mut reader = Reader {
        text: &text,
        map: &map,
        escape,
        frame,
        diagnostics,
        trigger: false,
    };
    let head = head(&text, 0..text.len(), escape);
    let mut found = reader.read(head, heredocs);
    // The joined line comes trimmed, so it is the original as it stands.
    found.original = text;
    found.map = map;
    found
}

struct Reader<'a> {
    text: &'a str,
    map: &'a TextMap,
    escape: char,
    frame: Frame,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// Inside ONBUILD. The builder only checks the syntax of triggers when it stores them; the rest
    /// fails in the build of the child image, so it is a warning here.
    trigger: bool,
}

impl Reader<'_> {
    /// Text and map of the line are filled in by the caller, but for a trigger, which has a part of
    /// them.
    fn read(&mut self, head: Head, mut heredocs: Vec<Heredoc>) -> Instruction {
        let before = self.diagnostics.len();
        let kind = self.kind(&head, &mut heredocs);
        // A trigger's objections are warnings, and still make it invalid.
        let refused = self.diagnostics[before..].iter().any(Diagnostic::is_error)
            || (self.trigger && self.diagnostics.len() > before);
        let keyword = &self.text[head.keyword.clone()];
        let flags = head.flags.into_iter().map(|f| Flag {
            raw: self.slice(&f.range),
            span: self.map.span(f.range),
            name: f.name,
            value: f.value,
        });
        Instruction {
            keyword: head
                .known
                .map_or_else(|| keyword.to_uppercase(), str::to_owned),
            keyword_span: self.map.span(head.keyword),
            span: self.frame.span,
            line: self.frame.line,
            end_line: self.frame.end_line,
            leading_comments: self.frame.leading_comments,
            original: if self.trigger {
                self.text[head.whole.clone()].to_owned()
            } else {
                String::new()
            },
            flags: flags.collect(),
            arguments: self.text[head.arguments.clone()].to_owned(),
            heredocs,
            kind: match kind {
                Some(kind) if !refused => kind,
                _ => Kind::Invalid,
            },
            map: if self.trigger {
                self.map.clone()
            } else {
                TextMap::default()
            },
            original_at: head.whole.start,
            arguments_at: head.arguments.start,
        }
    }

    /// Flag text; a flag may end inside a character, since the builder splits flags by bytes.
    fn slice(&self, range: &Range<usize>) -> String {
        String::from_utf8_lossy(&self.text.as_bytes()[range.clone()]).into_owned()
    }

    fn object(&mut self, code: &'static str, message: String, at: Range<usize>, help: String) {
        let severity = if self.trigger && code.starts_with("build/") {
            Severity::Warning
        } else {
            Severity::Error
        };
        let d = Diagnostic::new(severity, code, message, self.map.span(at));
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
        let arguments = &text[head.arguments.clone()];
        let none = keyword == "HEALTHCHECK" && {
            let (kind, _) = split_word(arguments);
            kind.eq_ignore_ascii_case("NONE")
        };
        if !none {
            for objection in flags::check(keyword, &head.flags) {
                let at = head.flags[objection.index].range.clone();
                self.object(objection.code, objection.message, at, objection.help);
            }
        }
        match keyword {
            "FROM" => self.from(head, arguments),
            "RUN" => self.run(head, arguments),
            "CMD" => self.command(head, arguments).map(Kind::Cmd),
            "ENTRYPOINT" => self.command(head, arguments).map(Kind::Entrypoint),
            "SHELL" => self.shell(head, arguments),
            "COPY" => self.transfer(head, arguments, heredocs).map(Kind::Copy),
            "ADD" => self.transfer(head, arguments, heredocs).map(Kind::Add),
            "WORKDIR" => self.single(head, arguments).map(Kind::Workdir),
            "USER" => self.single(head, arguments).map(Kind::User),
            "STOPSIGNAL" => self.single(head, arguments).map(Kind::Stopsignal),
            "MAINTAINER" => self.single(head, arguments).map(Kind::Maintainer),
            "ENV" => self.pairs(head, arguments).map(Kind::Env),
            "LABEL" => self.pairs(head, arguments).map(Kind::Label),
            "ARG" => self.arg(head, arguments),
            "EXPOSE" => {
                let ports = words::blanks(arguments);
                self.at_least_one(head, ports).map(Kind::Expose)
            }
            "VOLUME" => self.volume(head, arguments),
            "HEALTHCHECK" => self.healthcheck(head, arguments),
            "ONBUILD" => self.onbuild(head, heredocs),
            other => unreachable!("`{other}` is in KEYWORDS and has an arm"),
        }
    }

    fn unknown(&mut self, head: &Head) -> Option<Kind> {
        let keyword = self.text[head.keyword.clone()].to_owned();
        let help = suggest::nearest(&keyword, KEYWORDS.into_iter()).map_or_else(
            || format!("instructions are {}", KEYWORDS.join(", ")),
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
        let words = words::blanks(arguments);
        let (image, alias) = match words.as_slice() {
            [image] => (image, None),
            [image, middle, alias] if middle.to_lowercase() == "as" => (image, Some(alias)),
            _ => {
                return self.refuse(
                    head,
                    "build/bad-from",
                    "FROM takes an image, or an image, `AS` and a stage name".to_owned(),
                    "write `FROM image` or `FROM image AS name`",
                );
            }
        };
        let alias = alias.map(|a| a.to_lowercase());
        if let Some(alias) = alias.as_deref().filter(|a| !is_stage_name(a)) {
            return self.refuse(
                head,
                "build/bad-stage-name",
                format!("`{}` is no valid stage name", shorten(alias)),
                "a stage name starts with a letter and goes on with letters, digits, `_`, `-` or `.`",
            );
        }
        Some(Kind::From {
            image: image.clone(),
            alias,
        })
    }

    fn run(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let form = self.command(head, arguments)?;
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

    fn command(&mut self, head: &Head, arguments: &str) -> Option<CommandForm> {
        match json::array(arguments) {
            json::Array::Strings(list) => Some(CommandForm::Exec(list)),
            json::Array::None => Some(CommandForm::Shell(arguments.to_owned())),
            json::Array::Mixed => self.mixed(head),
        }
    }

    /// Words of COPY, ADD and VOLUME.
    fn list(&mut self, head: &Head, arguments: &str) -> Option<Vec<String>> {
        match json::array(arguments) {
            json::Array::Strings(list) => Some(list),
            json::Array::None => Some(words::blanks(arguments)),
            json::Array::Mixed => self.mixed(head),
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
        match json::array(arguments) {
            json::Array::Strings(list) => self.at_least_one(head, list).map(Kind::Shell),
            json::Array::Mixed => self.mixed(head),
            json::Array::None if arguments.is_empty() => {
                self.at_least_one(head, Vec::new()).map(Kind::Shell)
            }
            json::Array::None => self.refuse(
                head,
                "build/shell-not-json",
                "SHELL takes a JSON array".to_owned(),
                "write `SHELL [\"/bin/sh\", \"-c\"]`",
            ),
        }
    }

    fn at_least_one<T>(&mut self, head: &Head, list: Vec<T>) -> Option<Vec<T>> {
        if list.is_empty() {
            let keyword = head.known.unwrap_or_default();
            let message = format!("{keyword} needs at least one argument");
            self.refuse(head, "build/missing-arguments", message, example(keyword));
            return None;
        }
        Some(list)
    }

    fn single(&mut self, head: &Head, arguments: &str) -> Option<String> {
        if arguments.is_empty() {
            let keyword = head.known.unwrap_or_default();
            let message = format!("{keyword} needs an argument");
            self.refuse(head, "build/missing-arguments", message, example(keyword));
            return None;
        }
        Some(arguments.to_owned())
    }

    fn transfer(
        &mut self,
        head: &Head,
        arguments: &str,
        heredocs: &mut Vec<Heredoc>,
    ) -> Option<Transfer> {
        let keyword = head.known.unwrap_or_default();
        let mut list = self.list(head, arguments)?;
        for flag in head
            .flags
            .iter()
            .filter(|f| keyword == "COPY" && f.name == "from")
        {
            let value = flag.value.as_deref().unwrap_or_default();
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
            let message = format!("{keyword} needs a source and a destination");
            self.refuse(head, "build/missing-arguments", message, example(keyword));
            return None;
        };
        if heredoc::word(&dest).is_some() {
            let message = format!("a heredoc cannot be the destination of {keyword}");
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

    fn pairs(&mut self, head: &Head, arguments: &str) -> Option<Vec<(String, String)>> {
        let keyword = head.known.unwrap_or_default();
        let words = words::quoted(arguments, self.escape);
        let words = self.at_least_one(head, words)?;
        if !words[0].contains('=') {
            let (key, rest) = words::first(arguments);
            let Some(rest) = rest else {
                let message = format!("{keyword} `{}` has no value", shorten(key));
                self.refuse(head, "parse/missing-value", message, "write `name=value`");
                return None;
            };
            return Some(vec![(key.to_owned(), arguments[rest..].to_owned())]);
        }
        let mut out = Vec::with_capacity(words.len());
        for word in &words {
            match word.split_once('=') {
                None => {
                    let message = format!("`{}` is not of the form name=value", shorten(word));
                    let help = "put the value in quotes if it has blanks";
                    self.refuse(head, "parse/missing-equals", message, help);
                    return None;
                }
                Some(("", _)) => return self.blank_name(head),
                Some((key, value)) => out.push((key.to_owned(), value.to_owned())),
            }
        }
        Some(out)
    }

    fn blank_name<T>(&mut self, head: &Head) -> Option<T> {
        let keyword = head.known.unwrap_or_default();
        let message = format!("a name of {keyword} is blank");
        self.refuse(head, "build/blank-name", message, "write `name=value`");
        None
    }

    fn arg(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let words = words::quoted(arguments, self.escape);
        let words = self.at_least_one(head, words)?;
        let mut out = Vec::with_capacity(words.len());
        for word in words {
            match word.split_once('=') {
                None => out.push((word, None)),
                Some(("", _)) => return self.blank_name(head),
                Some((name, default)) => out.push((name.to_owned(), Some(default.to_owned()))),
            }
        }
        Some(Kind::Arg(out))
    }

    fn volume(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let list = self.list(head, arguments)?;
        let list = self.at_least_one(head, list)?;
        let list: Vec<String> = list.iter().map(|v| v.trim().to_owned()).collect();
        if list.iter().any(String::is_empty) {
            let message = "a path of VOLUME is empty".to_owned();
            let help = "leave the empty path out";
            return self.refuse(head, "build/empty-volume", message, help);
        }
        Some(Kind::Volume(list))
    }

    fn healthcheck(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let (kind, rest) = split_word(arguments);
        let form = self.command(head, rest)?;
        let (code, message, help) = match kind.to_uppercase().as_str() {
            "" => (
                "build/missing-arguments",
                "HEALTHCHECK needs `NONE` or `CMD` and a command".to_owned(),
                example("HEALTHCHECK"),
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
            return self.refuse(head, "build/missing-arguments", message, example("ONBUILD"));
        }
        let inner = self::head(self.text, head.arguments.clone(), self.escape);
        if let Some(known @ ("ONBUILD" | "FROM" | "MAINTAINER")) = inner.known {
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

/// What an instruction without the arguments it needs could look like.
fn example(keyword: &str) -> &'static str {
    match keyword {
        "ADD" => "write `ADD source destination`",
        "ARG" => "write `ARG name` or `ARG name=default`",
        "COPY" => "write `COPY source destination`",
        "EXPOSE" => "write `EXPOSE 8080` or `EXPOSE 53/udp`",
        "HEALTHCHECK" => "write `HEALTHCHECK CMD command` or `HEALTHCHECK NONE`",
        "MAINTAINER" => "write `MAINTAINER name`, or better a LABEL",
        "ONBUILD" => "write `ONBUILD RUN command`",
        "SHELL" => "write `SHELL [\"/bin/sh\", \"-c\"]`",
        "STOPSIGNAL" => "write `STOPSIGNAL SIGTERM`",
        "USER" => "write `USER name`",
        "VOLUME" => "write `VOLUME /path`",
        "WORKDIR" => "write `WORKDIR /path`",
        _ => "write `name=value`",
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
