//! Diagnostics with the lines they mean, in the look of rustc.
//!
//! Goes in: a file and what was found in it. Comes out: a title, `file:line:column`, the lines with
//! the places underlined, and the help. Costs the lines between a diagnostic's first and last
//! place. Invariant: control characters show as one character each, so columns stay true.

use super::escape::line;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::SourceFile;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// All diagnostics in the order given, a blank line between two; empty when there are none.
#[must_use]
pub fn diagnostics(source: &SourceFile, diagnostics: &[Diagnostic], color: bool) -> String {
    const USUAL: usize = 140;
    diagnostics_at(source, diagnostics, color, USUAL)
}

/// The same where lines of the file are cut to fit so many columns.
#[must_use]
pub fn diagnostics_at(
    source: &SourceFile,
    diagnostics: &[Diagnostic],
    color: bool,
    width: usize,
) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.term_width(width);
    let mut out = String::new();
    for d in diagnostics {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&one(source, d, &renderer));
        out.push('\n');
    }
    super::escape::without_commands(&out).into_owned()
}

fn one(source: &SourceFile, d: &Diagnostic, renderer: &Renderer) -> String {
    let level = match d.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let name = line(source.name());
    let title = level.primary_title(line(&d.message)).id(d.code);
    let mut group = Group::with_title(title);
    group = match Window::new(source, d) {
        None => group.element(Origin::path(name)),
        Some(window) => {
            let annotations = d.labels.iter().enumerate().map(|(i, label)| {
                let kind = if i == 0 {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                let text = Some(line(&label.text)).filter(|t| !t.is_empty());
                kind.span(window.place(label.span.range())).label(text)
            });
            group.element(
                Snippet::source(window.text.clone())
                    .line_start(window.first_line)
                    .path(name)
                    .annotations(annotations),
            )
        }
    };
    if let Some(help) = &d.help {
        group = group.element(Level::HELP.message(line(help)));
    }
    renderer.render(&[group])
}

/// The lines of a diagnostic's places, safe to print, and how offsets of the file map into them.
struct Window {
    first_line: usize,
    text: String,
    /// Start of each shown character: offset in the file, offset in `text`. Ascending.
    starts: Vec<(usize, usize)>,
}

impl Window {
    fn new(source: &SourceFile, d: &Diagnostic) -> Option<Self> {
        let from = d.labels.iter().map(|l| l.span.start).min()?;
        let to = d.labels.iter().map(|l| l.span.end).max()?;
        let size = u32::try_from(source.bytes().len()).unwrap_or(u32::MAX);
        let first_line = source.line(from.min(size));
        let start = source.line_span(first_line)?.range().start;
        let end = source.line_span(source.line(to.min(size)))?.range().end;
        let mut window = Self {
            first_line: first_line as usize,
            text: String::new(),
            starts: Vec::new(),
        };
        let mut at = start;
        for chunk in source.bytes().get(start..end)?.utf8_chunks() {
            let mut chars = chunk.valid().chars().peekable();
            while let Some(c) = chars.next() {
                window.starts.push((at, window.text.len()));
                at += c.len_utf8();
                if c != '\r' || chars.peek() != Some(&'\n') {
                    window.text.push(visible(c));
                }
            }
            if !chunk.invalid().is_empty() {
                window.starts.push((at, window.text.len()));
                at += chunk.invalid().len();
                window.text.push('\u{fffd}');
            }
        }
        Some(window)
    }

    /// A range of the file as a range of the text, on character borders.
    fn place(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let map = |offset: usize| {
            let i = self.starts.partition_point(|(at, _)| *at < offset);
            self.starts.get(i).map_or(self.text.len(), |(_, out)| *out)
        };
        let start = map(range.start);
        start..map(range.end).max(start)
    }
}

/// One character for one character: control pictures for the controls, U+FFFD for what hides.
fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        _ if super::escape::is_hidden(c) => '\u{fffd}',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Label;
    use crate::source::Span;
    use proptest::prelude::*;

    #[test]
    fn places_are_underlined() {
        let source = SourceFile::new("Dockerfile", "FROM a\r\nCOPY é\x1b x /y\r\nRUN z\n");
        let mut d = Diagnostic::error("parse/bad", "this is\nbad\x07", Span::new(17, 18))
            .with_help("write it otherwise");
        d.labels.push(Label {
            span: Span::new(0, 4),
            text: "begins here".to_owned(),
        });
        insta::assert_snapshot!(diagnostics(&source, &[d], false), @r"
        error[parse/bad]: this is bad\x07
         --> Dockerfile:2:9
          |
        1 | FROM a
          | ---- begins here
        2 | COPY é␛ x /y
          |         ^
          |
          = help: write it otherwise
        ");
    }

    #[test]
    fn a_file_as_a_whole_has_no_lines() {
        let source = SourceFile::new("Dockerfile", "");
        let d = Diagnostic::whole(Severity::Warning, "parse/empty", "no instruction");
        insta::assert_snapshot!(diagnostics(&source, &[d], false), @r"
        warning[parse/empty]: no instruction
        --> Dockerfile
        ");
    }

    proptest! {
        #[test]
        fn any_bytes_and_spans_render(bytes in prop::collection::vec(prop::sample::select(b"ab\n\r\t\x1b\xc3\xa9\xff ".to_vec()), 0..30), a in 0usize..40, n in 0usize..40) {
            let source = SourceFile::new("f\x1b", bytes);
            let d = Diagnostic::error("x/y", "m", Span::new(a, a + n));
            let out = diagnostics(&source, &[d], false);
            prop_assert!(out.starts_with("error[x/y]: m"));
            prop_assert!(!out.contains(['\x1b', '\r']));
        }
    }
}
