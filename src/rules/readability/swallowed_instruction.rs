//! A line that was meant as an instruction and is part of the one above, whose last line ends in a continuation.

use crate::diagnostic::Severity;
use crate::dockerfile::{Instruction, Kind};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};
use crate::source::Span;

/// `swallowed-instruction`.
pub static RULE: Rule = Rule {
    name: "swallowed-instruction",
    severity: Severity::Error,
    summary: "a continued line swallows the instruction below it",
    also: &[],
    check: Check::Dockerfile(check),
};

const KEYWORDS: &[&str] = &[
    "FROM",
    "RUN",
    "CMD",
    "LABEL",
    "EXPOSE",
    "ENV",
    "ADD",
    "COPY",
    "ENTRYPOINT",
    "VOLUME",
    "USER",
    "WORKDIR",
    "ARG",
    "ONBUILD",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "SHELL",
    "MAINTAINER",
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for ins in view.tree.instructions() {
        if ins.end_line > ins.line {
            of_instruction(view, ins, out);
        }
    }
}

fn of_instruction(view: &View<'_>, ins: Instruction<'_>, out: &mut Findings<'_>) {
    // Bodies of heredocs are behind the lines of the instruction itself.
    let body = ins.heredocs().iter().map(|h| h.body_span.start).min();
    let end = body.unwrap_or(ins.span.end);
    let escape = view.tree.directives.escape;
    let mut quotes = Quotes::default();
    let mut before: Option<(u32, String)> = None;
    for line in ins.line..=ins.end_line {
        let Some(span) = view.source.line_span(line).filter(|s| s.start < end) else {
            return;
        };
        let text = view.source.text(span).into_owned();
        let shown = text.trim();
        if shown.is_empty() || (line > ins.line && shown.starts_with('#')) {
            continue;
        }
        if let Some((above, code)) = &before
            && !quotes.open()
            && let Some(keyword) = keyword(shown)
            && !is_meant(ins, *above, keyword, code)
        {
            found(view, ins, (span, keyword), (*above, code), out);
        }
        quotes.read(shown.strip_suffix(escape).unwrap_or(shown));
        before = Some((line, text));
    }
}

/// The keyword that a line starts with, written in capitals and with something behind it.
fn keyword(line: &str) -> Option<&'static str> {
    let (word, rest) = line.split_once([' ', '\t'])?;
    let found = KEYWORDS.iter().find(|k| **k == word)?;
    let rest = rest.trim_start();
    // `ADD = x`, `USER) echo`: no instruction goes on like that.
    let odd = rest.is_empty() || rest.starts_with(['=', ')', '|', '&', ';', ',', '<', '>']);
    // A line of SQL, or a sentence.
    let sql = *found == "FROM"
        && rest
            .split_whitespace()
            .nth(1)
            .is_some_and(|w| !w.eq_ignore_ascii_case("as"));
    (!odd && !sql).then_some(found)
}

/// `HEALTHCHECK --interval=1m \` and `ONBUILD \` go on with a keyword.
fn is_meant(ins: Instruction<'_>, above: u32, keyword: &str, code: &str) -> bool {
    let keywords = matches!(
        (ins.keyword.as_ref(), keyword),
        ("HEALTHCHECK", "CMD") | ("ONBUILD", _)
    );
    let first = above == ins.line && ins.keyword == "ONBUILD";
    let health = ins.keyword == "HEALTHCHECK" && !code.contains("CMD");
    keywords && (first || health || ins.keyword == "ONBUILD")
}

fn found(
    view: &View<'_>,
    ins: Instruction<'_>,
    (line, keyword): (Span, &str),
    (above, code): (u32, &str),
    out: &mut Findings<'_>,
) {
    // By bytes: text that is not UTF-8 has other places than the file.
    let bytes = &view.source.bytes()[line.range()];
    let lead = bytes.len() - bytes.trim_ascii_start().len();
    let start = line.start.saturating_add(u32::try_from(lead).unwrap_or(0));
    let end = start.saturating_add(u32::try_from(bytes.trim_ascii().len()).unwrap_or(0));
    let inside = match ins.kind() {
        Kind::Run(_) => "is read as part of its command",
        Kind::Copy(_) | Kind::Add(_) => "is read as more files to copy",
        _ => "is read as part of it",
    };
    let message = format!(
        "line {above} of this `{}` goes on here, so `{keyword}` {inside} and is no instruction",
        ins.keyword
    );
    let finding = out.at(Span { start, end }, message);
    finding.help(match view.tree.directives.escape {
        '`' => format!("end line {above} without its backtick"),
        escape => format!("end line {above} without its `{escape}`"),
    });
    if let Some(edit) = ended(view, above, code) {
        finding.fix(Safety::Review, vec![edit]);
    }
}

/// Takes the continuation off a line, unless its command is not whole then.
fn ended(view: &View<'_>, above: u32, code: &str) -> Option<FileEdit> {
    let span = view.source.line_span(above)?;
    let shown = code.trim_end();
    let kept = shown.strip_suffix(view.tree.directives.escape)?.trim_end();
    if kept.ends_with(['&', '|', ';', '(', '{', ',', '=']) || kept.trim().is_empty() {
        return None;
    }
    let at = |len: usize| span.start.saturating_add(u32::try_from(len).unwrap_or(0));
    let gone = Span {
        start: at(kept.len()),
        end: at(shown.len()),
    };
    Some(FileEdit::here(gone, ""))
}

/// Quotes that are open at the end of what was read.
#[derive(Default)]
struct Quotes {
    inside: Option<char>,
}

impl Quotes {
    fn open(&self) -> bool {
        self.inside.is_some()
    }

    fn read(&mut self, text: &str) {
        let mut escaped = false;
        for c in text.chars() {
            let skipped = std::mem::take(&mut escaped);
            match (self.inside, c) {
                (Some('\''), '\'') => self.inside = None,
                (Some('\''), _) => {}
                (_, '\\') if !skipped => escaped = true,
                _ if skipped => {}
                (Some(open), c) if open == c => self.inside = None,
                (None, '"' | '\'') => self.inside = Some(c),
                _ => {}
            }
        }
    }
}
