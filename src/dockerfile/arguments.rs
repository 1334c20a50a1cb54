//! The arguments of each instruction: what they mean, and what is wrong with them.
//!
//! Goes in: the text after keyword and flags. Comes out: the words of a [`Kind`](super::Kind) and their
//! [`Form`], or an objection. Costs one pass per argument form. Invariant: words are pieces of the file's own
//! text, but where escapes had to go.

use super::instruction::{Head, Reader};
use super::keyword::Keyword;
use super::lists::FlagParts;
use super::text::Part;
use super::{Extra, Form, Heredoc};
use super::{expand, heredoc, json, suggest, words};
use crate::diagnostic::shorten;
use crate::source::Span;
use std::collections::BTreeMap;
use std::ops::Range;

impl Reader<'_> {
    pub(super) fn unknown(&mut self, head: &Head) -> Option<Form> {
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
            self.joined.span(head.keyword.clone()),
            help,
        );
        None
    }

    pub(super) fn from(&mut self, head: &Head, arguments: &str) -> Option<Form> {
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
        self.push_part(start, &image);
        if let Some(alias) = alias {
            self.push_part(start, &alias);
            if !is_stage_name(&arguments[alias.clone()]) {
                let name = arguments[alias].to_lowercase();
                if !is_stage_name(&name) {
                    return self.refuse(
                        head,
                        "build/bad-stage-name",
                        format!("`{}` is no valid stage name", shorten(&name)),
                        "a stage name starts with a letter and goes on with letters, digits, `_`, `-` or `.`",
                    );
                }
                self.derive_last(name);
            }
        }
        Some(Form::Plain)
    }

    pub(super) fn run(&mut self, head: &Head, arguments: &str) -> Option<Form> {
        let first = self.found.words.len();
        let form = self.command(head, head.arguments.start, arguments)?;
        if self.found.words.len() == first {
            return self.refuse(
                head,
                "build/empty-command",
                "RUN has an empty argument list".to_owned(),
                "name the program as the first string, or leave the line out",
            );
        }
        Some(form)
    }

    /// Text that starts at `start` as a command.
    pub(super) fn command(&mut self, head: &Head, start: usize, text: &str) -> Option<Form> {
        match self.json(start, text) {
            json::Array::Strings => Some(Form::Exec),
            json::Array::None => {
                self.push(start..start + text.len());
                Some(Form::Plain)
            }
            json::Array::Mixed => self.mixed(head),
        }
    }

    /// Words of COPY, ADD and VOLUME.
    fn list(&mut self, head: &Head, arguments: &str) -> Option<()> {
        let start = head.arguments.start;
        match self.json(start, arguments) {
            json::Array::Strings => {}
            json::Array::None => self.blanks(start, arguments),
            json::Array::Mixed => return self.mixed(head),
        }
        Some(())
    }

    pub(super) fn mixed<T>(&mut self, head: &Head) -> Option<T> {
        self.refuse(
            head,
            "parse/json-not-strings",
            "a JSON array here may hold nothing but strings".to_owned(),
            "put every element in double quotes",
        )
    }

    pub(super) fn shell(&mut self, head: &Head, arguments: &str) -> Option<Form> {
        let first = self.found.words.len();
        match self.json(head.arguments.start, arguments) {
            json::Array::Strings => self.at_least_one(head, first),
            json::Array::Mixed => self.mixed(head),
            json::Array::None if arguments.is_empty() => self.at_least_one(head, first),
            json::Array::None => self.refuse(
                head,
                "build/shell-not-json",
                "SHELL takes a JSON array".to_owned(),
                "write `SHELL [\"/bin/sh\", \"-c\"]`",
            ),
        }
    }

    /// Objects if there are no words from `first` on.
    pub(super) fn at_least_one(&mut self, head: &Head, first: usize) -> Option<Form> {
        if self.found.words.len() == first {
            let message = format!("{} needs at least one argument", head.name());
            return self.refuse(head, "build/missing-arguments", message, head.example());
        }
        Some(Form::Plain)
    }

    pub(super) fn single(&mut self, head: &Head, arguments: &str) -> Option<Form> {
        if arguments.is_empty() {
            let message = format!("{} needs an argument", head.name());
            return self.refuse(head, "build/missing-arguments", message, head.example());
        }
        self.push(head.arguments.clone());
        Some(Form::Plain)
    }

    pub(super) fn transfer(
        &mut self,
        head: &Head,
        arguments: &str,
        extra: &mut Option<Box<Extra>>,
    ) -> Option<Form> {
        let first = self.found.words.len();
        self.list(head, arguments)?;
        if head.known == Some(Keyword::Copy) {
            let flags = head.flags.clone().step_by(FlagParts::COUNT);
            flags.for_each(|n| self.check_from(n));
        }
        let dest = self.found.words.len().saturating_sub(1);
        if dest <= first {
            let message = format!("{} needs a source and a destination", head.name());
            return self.refuse(head, "build/missing-arguments", message, head.example());
        }
        // Without escapes, what is no `<` of the line is none of a word.
        if !self.frame.signed && !self.found.has_derived() {
            return Some(Form::Plain);
        }
        if heredoc::word(self.word(dest)).is_some() {
            let message = format!("a heredoc cannot be the destination of {}", head.name());
            let help = "write the path last: `COPY <<EOF /path`";
            return self.refuse(head, "build/heredoc-destination", message, help);
        }
        if (first..dest).any(|n| self.word(n).as_bytes().contains(&b'<')) {
            self.inline(first..dest, extra.get_or_insert_default());
        }
        Some(Form::Plain)
    }

    /// Objects to a `--from` with variables or quotes in it.
    fn check_from(&mut self, flag: usize) {
        if !self.may_be_flag(flag, "from") {
            return;
        }
        let escape = self.escape;
        let special = |b: u8| matches!(b, b'$' | b'\'' | b'"') || char::from(b) == escape;
        let (name, value) = self.name_and_value(flag);
        let value = value.unwrap_or_default();
        if name != "from" || !value.bytes().any(special) {
            return;
        }
        if expand::expand_word(value, escape, &|_| None).as_deref() != Ok(value) {
            self.object(
                "build/copy-from-variable",
                "`--from` cannot use variables or quotes".to_owned(),
                self.flag_span(flag),
                "name a stage with `FROM image-with-variables AS name` and copy from it".to_owned(),
            );
        }
    }

    /// Takes those sources out of the words that stand for inline files; the destination follows them.
    fn inline(&mut self, sources: Range<usize>, extra: &mut Extra) {
        // Of equal names the builder takes the last.
        let mut bodies: BTreeMap<String, usize> = BTreeMap::new();
        for (index, heredoc) in extra.heredocs.iter().enumerate() {
            bodies.insert(heredoc.name.clone(), index);
        }
        let mut kept = Vec::new();
        for source in sources.clone() {
            match heredoc::word(self.word(source)) {
                None => kept.push(source),
                Some(word) => {
                    let index = *bodies.entry(word.name.clone()).or_insert_with(|| {
                        extra.heredocs.push(self.empty_heredoc(word));
                        extra.heredocs.len() - 1
                    });
                    extra.inline.push(index);
                }
            }
        }
        kept.push(sources.end);
        self.keep_words(sources.start, &kept);
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

    pub(super) fn pairs(&mut self, head: &Head, arguments: &str) -> Option<Form> {
        let start = head.arguments.start;
        let first = self.found.words.len();
        for (word, equals) in words::quoted(arguments, self.escape) {
            match equals {
                None if self.found.words.len() == first => {
                    let (key, rest) = words::first(arguments);
                    let Some(rest) = rest else {
                        let message = format!("{} `{}` has no value", head.name(), shorten(key));
                        let help = "write `name=value`";
                        return self.refuse(head, "parse/missing-value", message, help);
                    };
                    self.push_part(start, &(0..key.len()));
                    self.push_part(start, &(rest..arguments.len()));
                    return Some(Form::Plain);
                }
                None => {
                    let text = shorten(&arguments[word]);
                    let message = format!("`{text}` is not of the form name=value");
                    let help = "put the value in quotes if it has blanks";
                    return self.refuse(head, "parse/missing-equals", message, help);
                }
                Some(0) => return self.blank_name(head),
                Some(n) => self.push_pair(start, &word, n),
            }
        }
        self.at_least_one(head, first)
    }

    /// A word cut at the `=` that is its n-th byte.
    fn push_pair(&mut self, start: usize, word: &Range<usize>, n: usize) {
        let equals = word.start + n;
        self.push_part(start, &(word.start..equals));
        self.push_part(start, &(equals + 1..word.end));
    }

    fn blank_name<T>(&mut self, head: &Head) -> Option<T> {
        let message = format!("a name of {} is blank", head.name());
        self.refuse(head, "build/blank-name", message, "write `name=value`")
    }

    pub(super) fn arg(&mut self, head: &Head, arguments: &str) -> Option<Form> {
        let start = head.arguments.start;
        let first = self.found.words.len();
        for (word, equals) in words::quoted(arguments, self.escape) {
            match equals {
                None => {
                    self.push_part(start, &word);
                    self.found.words.push(Part::NONE);
                }
                Some(0) => return self.blank_name(head),
                Some(n) => self.push_pair(start, &word, n),
            }
        }
        self.at_least_one(head, first)
    }

    pub(super) fn volume(&mut self, head: &Head, arguments: &str) -> Option<Form> {
        let first = self.found.words.len();
        self.list(head, arguments)?;
        self.at_least_one(head, first)?;
        let paths = first..self.found.words.len();
        paths.clone().for_each(|n| self.trim_word(n));
        if paths.into_iter().any(|n| self.word(n).is_empty()) {
            let message = "a path of VOLUME is empty".to_owned();
            let help = "leave the empty path out";
            return self.refuse(head, "build/empty-volume", message, help);
        }
        Some(Form::Plain)
    }

    pub(super) fn healthcheck(&mut self, head: &Head, arguments: &str) -> Option<Form> {
        let (kind, rest) = words::split(arguments);
        let start = head.arguments.end - rest.len();
        let first = self.found.words.len();
        let form = self.command(head, start, rest)?;
        let is = |word: &str| kind.eq_ignore_ascii_case(word);
        let (code, message, help) = match rest {
            _ if kind.is_empty() => (
                "build/missing-arguments",
                "HEALTHCHECK needs `NONE` or `CMD` and a command".to_owned(),
                head.example(),
            ),
            "" if is("NONE") => return Some(Form::Nothing),
            _ if is("NONE") => (
                "build/bad-healthcheck",
                "HEALTHCHECK NONE takes no arguments".to_owned(),
                "leave the arguments out, or write `CMD` for `NONE`",
            ),
            _ if is("CMD") && (rest.is_empty() || self.found.words.len() == first) => (
                "build/bad-healthcheck",
                "HEALTHCHECK CMD has no command".to_owned(),
                "write the command, or `HEALTHCHECK NONE`",
            ),
            _ if is("CMD") => return Some(form),
            _ => (
                "build/bad-healthcheck",
                format!("HEALTHCHECK has no form `{}`", shorten(kind)),
                "write `HEALTHCHECK CMD command`",
            ),
        };
        self.refuse(head, code, message, help)
    }

    pub(super) fn onbuild(&mut self, head: &Head, extra: &mut Option<Box<Extra>>) -> Option<Form> {
        if head.arguments.is_empty() {
            let message = "ONBUILD needs an instruction".to_owned();
            return self.refuse(head, "build/missing-arguments", message, head.example());
        }
        let inner = self.head(head.arguments.clone());
        if let Some(known @ (Keyword::Onbuild | Keyword::From | Keyword::Maintainer)) = inner.known
        {
            let message = format!("{known} cannot be an ONBUILD trigger");
            let help = "triggers are instructions other than FROM, MAINTAINER and ONBUILD";
            return self.refuse(head, "build/bad-onbuild", message, help);
        }
        self.trigger = true;
        let trigger = self.read(&inner, extra.clone());
        extra.get_or_insert_default().trigger = Some(Box::new(trigger));
        self.trigger = false;
        Some(Form::Plain)
    }
}

fn is_stage_name(name: &str) -> bool {
    let sign = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    name.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && name.bytes().all(sign)
}
