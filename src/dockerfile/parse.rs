//! A whole file: physical lines to directives, comments and instructions.
//!
//! Goes in: a [`SourceFile`]. Comes out: the tree and diagnostics, always. Costs one pass.
//! Invariant: pieces follow each other without gaps from the first byte to the last.

use super::directive::{self, Name};
use super::heredoc;
use super::instruction::{self, Draft, Frame};
use super::keyword::Keyword;
use super::lines::{self, Line, LineKind, Logical};
use super::text::Joined;
use super::{Dockerfile, Heredoc, Instruction, Parsed, Piece, PieceKind};
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::source::{SourceFile, Span};
use std::sync::Arc;

/// The builder's line buffer: this many bytes, the line feed not counted.
const LONGEST_LINE: usize = 65535;

/// Parses a Dockerfile with the newest grammar. Every input gives a tree; codes `parse/…` are what
/// the builder's parser refuses, `build/…` what it refuses when it looks at instructions. Objections
/// inside ONBUILD that only concern the child build are warnings.
#[must_use]
pub fn parse(source: &SourceFile) -> Parsed<Dockerfile> {
    let bytes = source.bytes();
    let text = std::str::from_utf8(bytes).ok();
    let lines = lines::physical(bytes);
    let mut joined = Joined::for_file(bytes.len(), lines.len());
    let mut drafts = Vec::with_capacity(lines.len() / 2 + 1);
    let mut tree = Dockerfile {
        pieces: Vec::with_capacity(lines.len()),
        ..Dockerfile::default()
    };
    let mut diagnostics = Vec::new();
    too_long(bytes, &lines, &mut diagnostics);

    let mut header = Header::default();
    let mut comments: Option<usize> = None;
    let mut at = 0;
    while let Some(line) = lines.get(at).copied() {
        let kind = line.kind;
        if kind == LineKind::Text {
            header.close();
            let escape = tree.directives.escape;
            let line = lines::logical((bytes, text), &lines, at, escape, &mut joined);
            let draft = draft(
                bytes,
                &lines,
                (at, line),
                escape,
                comments.take(),
                &joined,
                &mut diagnostics,
            );
            at = draft.frame.end_line as usize;
            let kind = PieceKind::Instruction(drafts.len());
            push(&mut tree, kind, draft.frame.span.range().end);
            drafts.push(draft);
            continue;
        }
        let directive = header.read(bytes, line, at, &mut tree, &mut diagnostics);
        let kind = match kind {
            _ if directive => PieceKind::Directive,
            LineKind::Comment => PieceKind::Comment,
            _ => PieceKind::Blank,
        };
        if kind == PieceKind::Comment {
            comments.get_or_insert(line.start);
        } else {
            comments = None;
        }
        push(&mut tree, kind, line.end);
        at += 1;
    }
    if tree.pieces.is_empty() && !bytes.is_empty() {
        // Nothing but a byte order mark.
        push(&mut tree, PieceKind::Blank, bytes.len());
    }
    if tree.directives.syntax.is_none() {
        tree.directives.syntax = directive::foreign_syntax(bytes);
    }
    let joined = Arc::new(joined);
    tree.instructions.reserve_exact(drafts.len());
    let escape = tree.directives.escape;
    for draft in drafts {
        let found = instruction::instruction(&joined, draft, escape, &mut diagnostics);
        tree.instructions.push(found);
    }
    whole_file(bytes, &tree, &mut diagnostics);
    diagnostic::sort(&mut diagnostics);
    Parsed { tree, diagnostics }
}

/// Adds the piece that ends at `end` and starts where the last one ended.
fn push(tree: &mut Dockerfile, kind: PieceKind, end: usize) {
    let start = tree.pieces.last().map_or(0, |p| p.span.range().end);
    tree.pieces.push(Piece {
        kind,
        span: Span::new(start, end),
    });
}

fn too_long(bytes: &[u8], lines: &[Line], diagnostics: &mut Vec<Diagnostic>) {
    for (i, line) in lines.iter().enumerate() {
        // The mark counts as part of the first line here.
        let start = if i == 0 { 0 } else { line.start };
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
    seen: Vec<Name>,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            parser: true,
            search: true,
            seen: Vec::new(),
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
        bytes: &[u8],
        line: Line,
        index: usize,
        tree: &mut Dockerfile,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> bool {
        if !self.parser && !self.search {
            return false;
        }
        let start = line.indented;
        let text = String::from_utf8_lossy(&bytes[start..line.content]);
        let Some(found) = directive::read(&text) else {
            self.parser = false;
            self.search &= index == 0 && text.starts_with("#!") && start == line.start;
            return false;
        };
        self.search &= start == line.start;
        // Offsets of a lossy text are off only in a directive that is broken anyway.
        let span = Span::new(
            (start + found.at.start).min(line.content),
            (start + found.at.end).min(line.content),
        );
        if self.seen.contains(&found.name) {
            let message = format!("the {} directive is given twice", found.name.as_str());
            let span = Span::new(start, line.content);
            diagnostics.push(
                Diagnostic::error("parse/duplicate-directive", message, span)
                    .with_help("leave one of them out"),
            );
            return self.parser;
        }
        self.seen.push(found.name);
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

/// Puts the instruction that starts at line `first` together: its line, its heredocs, its place.
fn draft(
    bytes: &[u8],
    lines: &[Line],
    (first, logical): (usize, Logical),
    escape: char,
    comments: Option<usize>,
    joined: &Joined,
    diagnostics: &mut Vec<Diagnostic>,
) -> Draft {
    let mut next = logical.next;
    let mut heredocs = Vec::new();
    let head = instruction::head(joined.text(), logical.range.clone(), escape);
    for word in instruction::heredoc_words(joined.text(), &head, escape) {
        let text = &joined.text()[logical.range.clone()];
        let at = text.find(&word.word);
        let at = at.map_or(0..text.len(), |n| n..n + word.word.len());
        let (heredoc, after, terminated) = heredoc::body(bytes, lines, next, word);
        next = after;
        if !terminated {
            let start = logical.range.start;
            diagnostics.push(
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
    let start = lines[first].start;
    let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
    let frame = Frame {
        span: Span::new(start, lines[next - 1].end),
        line: number(first + 1),
        end_line: number(next),
        leading_comments: Span::new(comments.unwrap_or(start), start),
        reproducible: comments.is_some_and(|from| says(&bytes[from..start], "reproducible")),
        plain_base: comments.is_some_and(|from| says(&bytes[from..start], "plain-base")),
    };
    Draft {
        head,
        frame,
        heredocs,
    }
}

/// Whether a comment of these lines is `# cacheplan: word`.
fn says(comments: &[u8], word: &str) -> bool {
    let mut lines = comments.split(|b| *b == b'\n');
    lines.any(|line| {
        let text = line.trim_ascii().strip_prefix(b"#").unwrap_or_default();
        let rest = text.trim_ascii_start().strip_prefix(b"cacheplan:");
        rest.is_some_and(|rest| rest.trim_ascii() == word.as_bytes())
    })
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
    let first_stage = tree.instructions.iter().position(|i| i.keyword == "FROM");
    let before = &tree.instructions[..first_stage.unwrap_or(tree.instructions.len())];
    // A misspelt keyword may well be the missing FROM; one message is enough then.
    let unknown = |i: &Instruction| Keyword::read(&i.keyword).is_none();
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
