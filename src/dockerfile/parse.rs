//! A whole file: physical lines to directives, comments and instructions.
//!
//! Goes in: a [`SourceFile`]. Comes out: the tree and diagnostics, always. Costs one pass.
//! Invariant: pieces follow each other without gaps from the first byte to the last.

use super::directive::{self, Name};
use super::heredoc;
use super::instruction::{Found, Frame, Head, Reader};
use super::keyword::Keyword;
use super::lines::{self, Line, LineKind, Lines};
use super::text::Joined;
use super::{Dockerfile, Extra, Heredoc, Instruction, Mark, Parsed, PieceEnd};
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::source::{SourceFile, Span};
use std::ops::Range;

/// The builder's line buffer: this many bytes, the line feed not counted.
const LONGEST_LINE: usize = 65535;

/// Parses a Dockerfile with the newest grammar. Every input gives a tree; codes `parse/…` are what
/// the builder's parser refuses, `build/…` what it refuses when it looks at instructions. Objections
/// inside ONBUILD that only concern the child build are warnings.
#[must_use]
pub fn parse(source: &SourceFile) -> Parsed<Dockerfile> {
    let bytes = source.bytes();
    // About as long as lines are; growing the lists costs more than what is left over.
    let count = bytes.len() / 24 + 4;
    let mut joined = Joined::for_file(std::str::from_utf8(bytes).ok());
    let mut found = Found::for_file(count);
    let mut tree = Dockerfile {
        pieces: Vec::with_capacity(count),
        instructions: Vec::with_capacity(count * 3 / 5),
        ..Dockerfile::default()
    };
    let mut diagnostics = Vec::new();
    too_long(bytes, &mut diagnostics);

    let mut header = Header::default();
    let mut comments: Option<Comments> = None;
    let mut lines = Lines::new(bytes);
    let mut signs = Signs::new(bytes);
    while let Some(line) = lines.next() {
        let (indented, kind) = line.kind(bytes);
        if kind == LineKind::Text {
            header.close();
            let escape = tree.directives.escape;
            let number = lines.taken;
            let logical = lines::logical((line, indented), &mut lines, escape, &mut joined);
            let mut reader = Reader {
                text: joined.text(),
                joined: &joined,
                escape,
                frame: Frame::new(line.start, number, comments.take()),
                found: &mut found,
                diagnostics: &mut diagnostics,
                trigger: false,
            };
            let head = reader.head(logical);
            reader.frame.signed = signs.within(line.start..lines.start());
            let heredocs = match reader.frame.signed {
                true => heredocs(&mut reader, &head, &mut lines),
                false => Vec::new(),
            };
            reader.frame.end(&lines);
            let extra = (!heredocs.is_empty()).then(|| Extra::of(heredocs));
            tree.instructions.push(reader.read(&head, extra));
            push(&mut tree, Mark::Instruction, lines.start());
            continue;
        }
        let directive = header.read(
            (bytes, &lines),
            (line, indented),
            &mut tree,
            &mut diagnostics,
        );
        let kind = match kind {
            _ if directive => Mark::Directive,
            LineKind::Comment => Mark::Comment,
            _ => Mark::Blank,
        };
        if kind == Mark::Comment {
            let text = &bytes[line.start..line.content];
            comments.get_or_insert(Comments::at(line.start)).add(text);
        } else {
            comments = None;
        }
        push(&mut tree, kind, line.end);
    }
    if tree.pieces.is_empty() && !bytes.is_empty() {
        // Nothing but a byte order mark.
        push(&mut tree, Mark::Blank, bytes.len());
    }
    if tree.directives.syntax.is_none() {
        tree.directives.syntax = directive::foreign_syntax(bytes);
    }
    tree.lists = found.finish(joined);
    whole_file(bytes, &tree, &mut diagnostics);
    diagnostic::sort(&mut diagnostics);
    Parsed { tree, diagnostics }
}

/// Adds the piece that ends there.
fn push(tree: &mut Dockerfile, kind: Mark, end: usize) {
    let end = Span::new(end, end).end;
    tree.pieces.push(PieceEnd { end, kind });
}

fn too_long(bytes: &[u8], diagnostics: &mut Vec<Diagnostic>) {
    if bytes.len() <= LONGEST_LINE {
        return;
    }
    let mut lines = Lines::new(bytes);
    while let Some(line) = lines.next() {
        // The mark counts as part of the first line here.
        let start = if lines.taken == 1 { 0 } else { line.start };
        let feed = usize::from(bytes[..line.end].ends_with(b"\n"));
        let len = line.end - start - feed;
        if len > LONGEST_LINE {
            diagnostics.push(
                Diagnostic::error(
                    "parse/line-too-long",
                    format!("this line has {len} bytes; the builder reads at most {LONGEST_LINE}"),
                    Span::new(line.start, line.content),
                )
                .with_help("break the line, or copy the data from a file"),
            );
        }
    }
}

/// Which directives may still come. The builder reads the top of a file twice: its parser takes
/// indented directives, and its search for `syntax` and `check` does not, but passes over `#!`.
struct Header {
    parser: bool,
    search: bool,
    /// By [`Name`].
    seen: [bool; 3],
}

impl Default for Header {
    fn default() -> Self {
        Self {
            parser: true,
            search: true,
            seen: [false; 3],
        }
    }
}

impl Header {
    fn close(&mut self) {
        self.parser = false;
        self.search = false;
    }

    /// Takes a blank or comment line; says whether it is a directive.
    fn read(
        &mut self,
        (bytes, lines): (&[u8], &Lines),
        (line, start): (Line, usize),
        tree: &mut Dockerfile,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> bool {
        if !self.parser && !self.search {
            return false;
        }
        let text = &bytes[start..line.content];
        let found = match text.contains(&b'=') {
            true => match std::str::from_utf8(text) {
                Ok(text) => directive::read(text),
                Err(_) => directive::read(&String::from_utf8_lossy(text)),
            },
            false => None,
        };
        let Some(found) = found else {
            self.parser = false;
            self.search &= lines.taken == 1 && text.starts_with(b"#!") && start == line.start;
            return false;
        };
        self.search &= start == line.start;
        // Offsets of a lossy text are off only in a directive that is broken anyway.
        let span = Span::new(
            (start + found.at.start).min(line.content),
            (start + found.at.end).min(line.content),
        );
        if std::mem::replace(&mut self.seen[found.name as usize], true) {
            let message = format!("the {} directive is given twice", found.name.as_str());
            let span = Span::new(start, line.content);
            diagnostics.push(
                Diagnostic::error("parse/duplicate-directive", message, span)
                    .with_help("leave one of them out"),
            );
            return self.parser;
        }
        let takes = match found.name {
            Name::Escape => self.parser,
            Name::Syntax | Name::Check => self.search,
        };
        if takes {
            match directive::objection(&found, span) {
                Some(objection) => diagnostics.push(objection),
                None if found.name == Name::Escape => {
                    tree.directives.escape = found.value.chars().next().unwrap_or('\\');
                }
                None => {}
            }
            match found.name {
                Name::Escape => {}
                Name::Syntax => tree.directives.syntax = Some((found.value, span)),
                Name::Check => tree.directives.check = Some((found.value, span)),
            }
        }
        self.parser
    }
}

/// Every `<` of the file. Lines without one, which are most, need no look for heredocs.
struct Signs<'a> {
    rest: memchr::Memchr<'a>,
    next: Option<usize>,
}

impl<'a> Signs<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut rest = memchr::memchr_iter(b'<', bytes);
        let next = rest.next();
        Self { rest, next }
    }

    /// Whether there is one in this range; ranges come in order.
    fn within(&mut self, range: Range<usize>) -> bool {
        while self.next.is_some_and(|at| at < range.start) {
            self.next = self.rest.next();
        }
        self.next.is_some_and(|at| at < range.end)
    }
}

/// Comment lines directly above each other.
struct Comments {
    start: usize,
    reproducible: bool,
    plain_base: bool,
}

impl Comments {
    fn at(start: usize) -> Self {
        Self {
            start,
            reproducible: false,
            plain_base: false,
        }
    }

    /// Takes one of the lines; `# cacheplan: word` says something of the instruction below.
    fn add(&mut self, line: &[u8]) {
        let text = line.trim_ascii_start().strip_prefix(b"#");
        let text = text.unwrap_or_default().trim_ascii_start();
        match text.strip_prefix(b"cacheplan:").map(<[u8]>::trim_ascii) {
            Some(b"reproducible") => self.reproducible = true,
            Some(b"plain-base") => self.plain_base = true,
            _ => {}
        }
    }
}

impl Frame {
    fn new(start: usize, line: u32, comments: Option<Comments>) -> Self {
        let comments = comments.unwrap_or(Comments::at(start));
        Self {
            span: Span::new(start, start),
            line,
            end_line: line,
            leading_comments: Span::new(comments.start, start),
            reproducible: comments.reproducible,
            plain_base: comments.plain_base,
            signed: false,
        }
    }

    /// It ends with the last line that was taken.
    fn end(&mut self, lines: &Lines) {
        self.span = Span::new(self.span.range().start, lines.start());
        self.end_line = lines.taken;
    }
}

/// The heredocs of an instruction, whose bodies are the next lines.
fn heredocs(reader: &mut Reader, head: &Head, lines: &mut Lines) -> Vec<Heredoc> {
    let joined = reader.joined;
    let mut heredocs = Vec::new();
    for word in reader.heredoc_words(head) {
        let (heredoc, terminated) = heredoc::body(joined, lines, word);
        if !terminated {
            let text = &reader.text[head.whole.clone()];
            let at = text.find(&heredoc.word);
            let at = at.map_or(0..text.len(), |n| n..n + heredoc.word.len());
            let start = head.whole.start;
            reader.diagnostics.push(
                Diagnostic::error(
                    "parse/unterminated-heredoc",
                    "this heredoc does not end before the file does",
                    joined.span(start + at.start..start + at.end),
                )
                .with_help(unterminated_help(&heredoc)),
            );
        }
        heredocs.push(heredoc);
        if !terminated {
            break;
        }
    }
    heredocs
}

fn unterminated_help(heredoc: &Heredoc) -> String {
    let end = format!(
        "end it with a line that holds nothing but `{}`",
        heredoc.name
    );
    // `$((1 << 4))` is the usual way to get here without wanting a heredoc.
    if heredoc.word.contains("<< ") {
        format!("{end}; if it is a shift, write it without blanks")
    } else {
        end
    }
}

const START: &str = "start a stage with `FROM image`";

/// What can only be said about the file as a whole.
fn whole_file(bytes: &[u8], tree: &Dockerfile, diagnostics: &mut Vec<Diagnostic>) {
    let mut whole = |code, message: &str, help: &str| {
        diagnostics.push(Diagnostic::whole(Severity::Error, code, message).with_help(help));
    };
    if bytes.is_empty() {
        return whole("parse/empty-file", "the file is empty", START);
    }
    if tree.instructions.is_empty() {
        return whole(
            "parse/no-instructions",
            "the file has no instructions",
            START,
        );
    }
    let all = tree.instructions();
    let first_stage = all.iter().position(|i| i.keyword == "FROM");
    let before = all.slice(..first_stage.unwrap_or(all.len()));
    // A misspelt keyword may well be the missing FROM; one message is enough then.
    let unknown = |i: Instruction<'_>| Keyword::read(&i.keyword).is_none();
    if before.iter().any(unknown) {
        return;
    }
    match before.iter().find(|i| i.keyword != "ARG") {
        Some(early) => diagnostics.push(
            Diagnostic::error(
                "build/no-build-stage",
                format!("{} stands before the first FROM", early.keyword),
                early.keyword_span(),
            )
            .with_help("only ARG may come before the first FROM"),
        ),
        None if first_stage.is_none() => whole("build/no-stages", "the file has no FROM", START),
        None => {}
    }
}
