//! The arguments of each instruction: what they mean, and what is wrong with them.
//!
//! Goes in: the text after keyword and flags. Comes out: a [`Kind`], or an objection. Costs one pass per
//! argument form. Invariant: texts are pieces of the file's own, but where escapes had to go.

use super::instruction::{Head, Reader};
use super::keyword::Keyword;
use super::text::Text;
use super::{CommandForm, Heredoc, Kind, Transfer};
use super::{expand, heredoc, json, suggest, words};
use crate::diagnostic::shorten;
use crate::source::Span;
use std::collections::BTreeMap;
use std::ops::Range;

impl Reader<'_> {
    pub(super) fn unknown(&mut self, head: &Head) -> Option<Kind> {
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

    pub(super) fn from(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
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
        let alias = alias.map(|a| lower(self.part(start, &a)));
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

    pub(super) fn run(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
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
    pub(super) fn command(&mut self, head: &Head, start: usize, text: &str) -> Option<CommandForm> {
        match self.json(start, text) {
            (json::Array::Strings, list) => Some(CommandForm::Exec(list)),
            (json::Array::None, _) => Some(CommandForm::Shell(self.part(start, &(0..text.len())))),
            (json::Array::Mixed, _) => self.mixed(head),
        }
    }

    /// Words of COPY, ADD and VOLUME.
    pub(super) fn list(&mut self, head: &Head, arguments: &str) -> Option<Vec<Text>> {
        let start = head.arguments.start;
        match self.json(start, arguments) {
            (json::Array::Strings, list) => Some(list),
            (json::Array::None, _) => Some(self.blanks(start, arguments)),
            (json::Array::Mixed, _) => self.mixed(head),
        }
    }

    pub(super) fn mixed<T>(&mut self, head: &Head) -> Option<T> {
        self.refuse(
            head,
            "parse/json-not-strings",
            "a JSON array here may hold nothing but strings".to_owned(),
            "put every element in double quotes",
        );
        None
    }

    pub(super) fn shell(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
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

    pub(super) fn at_least_one<T>(&mut self, head: &Head, list: Vec<T>) -> Option<Vec<T>> {
        if list.is_empty() {
            let message = format!("{} needs at least one argument", head.name());
            self.refuse(head, "build/missing-arguments", message, head.example());
            return None;
        }
        Some(list)
    }

    pub(super) fn single(&mut self, head: &Head, arguments: &str) -> Option<Text> {
        if arguments.is_empty() {
            let message = format!("{} needs an argument", head.name());
            self.refuse(head, "build/missing-arguments", message, head.example());
            return None;
        }
        Some(self.piece(head.arguments.clone()))
    }

    pub(super) fn transfer(
        &mut self,
        head: &Head,
        arguments: &str,
        heredocs: &mut Vec<Heredoc>,
    ) -> Option<Transfer> {
        let mut list = self.list(head, arguments)?;
        for flag in head
            .flags
            .iter()
            .filter(|f| head.known == Some(Keyword::Copy) && f.name() == "from")
        {
            let value = flag.value().unwrap_or_default();
            let escape = self.escape;
            let special = |b: u8| matches!(b, b'$' | b'\'' | b'"') || char::from(b) == escape;
            if !value.bytes().any(special) {
                continue;
            }
            if expand::expand_word(value, self.escape, &|_| None).as_deref() != Ok(value) {
                self.object(
                    "build/copy-from-variable",
                    "`--from` cannot use variables or quotes".to_owned(),
                    flag.span(),
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
        if !list.iter().any(|source| source.as_bytes().contains(&b'<')) {
            transfer.sources = list;
            return Some(transfer);
        }
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

    pub(super) fn pairs(&mut self, head: &Head, arguments: &str) -> Option<Vec<(Text, Text)>> {
        let start = head.arguments.start;
        // Most have one.
        let mut out = Vec::with_capacity(1);
        for word in words::quoted(arguments, self.escape) {
            let text = &arguments[word.clone()];
            match equals(text) {
                None if out.is_empty() => {
                    let (key, rest) = words::first(arguments);
                    let Some(rest) = rest else {
                        let message = format!("{} `{}` has no value", head.name(), shorten(key));
                        let help = "write `name=value`";
                        self.refuse(head, "parse/missing-value", message, help);
                        return None;
                    };
                    let key = self.part(start, &(0..key.len()));
                    return Some(vec![(key, self.part(start, &(rest..arguments.len())))]);
                }
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

    pub(super) fn arg(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let start = head.arguments.start;
        // Most have one.
        let mut out = Vec::with_capacity(1);
        for word in words::quoted(arguments, self.escape) {
            match equals(&arguments[word.clone()]) {
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

    pub(super) fn volume(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
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

    pub(super) fn healthcheck(&mut self, head: &Head, arguments: &str) -> Option<Kind> {
        let (kind, rest) = words::split(arguments);
        let start = head.arguments.end - rest.len();
        let form = self.command(head, start, rest)?;
        let is = |word: &str| kind.eq_ignore_ascii_case(word);
        let (code, message, help) = match rest {
            _ if kind.is_empty() => (
                "build/missing-arguments",
                "HEALTHCHECK needs `NONE` or `CMD` and a command".to_owned(),
                head.example(),
            ),
            "" if is("NONE") => return Some(Kind::Healthcheck(None)),
            _ if is("NONE") => (
                "build/bad-healthcheck",
                "HEALTHCHECK NONE takes no arguments".to_owned(),
                "leave the arguments out, or write `CMD` for `NONE`",
            ),
            _ if is("CMD") && (rest.is_empty() || form == CommandForm::Exec(Vec::new())) => (
                "build/bad-healthcheck",
                "HEALTHCHECK CMD has no command".to_owned(),
                "write the command, or `HEALTHCHECK NONE`",
            ),
            _ if is("CMD") => return Some(Kind::Healthcheck(Some(form))),
            _ => (
                "build/bad-healthcheck",
                format!("HEALTHCHECK has no form `{}`", shorten(kind)),
                "write `HEALTHCHECK CMD command`",
            ),
        };
        self.refuse(head, code, message, help)
    }

    pub(super) fn onbuild(&mut self, head: &Head, heredocs: &[Heredoc]) -> Option<Kind> {
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
        let trigger = self.read(inner, heredocs.to_vec());
        self.trigger = false;
        Some(Kind::Onbuild(Box::new(trigger)))
    }
}

/// Where the first `=` of a word is. Names are too short for a search that has to be set up.
fn equals(word: &str) -> Option<usize> {
    word.bytes().position(|b| b == b'=')
}

fn lower(text: Text) -> Text {
    let changes = |b: u8| !b.is_ascii() || b.is_ascii_uppercase();
    if text.bytes().any(changes) {
        Text::derived(text.to_lowercase(), text.span())
    } else {
        text
    }
}

fn is_stage_name(name: &str) -> bool {
    let sign = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    name.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && name.bytes().all(sign)
}
