//! The whole file: directives, comments, instructions, and the pieces they leave.

use super::heredoc::{bodies, openings};
use super::instruction::{Refusal, check_flags, is_ws1, kind, take_flags};
use super::lines::{Line, logical, physical, trim_start};
use super::{Dockerfile, Heredoc, Instruction, Kind, Parsed, Piece, PieceKind};
use crate::diagnostic::{self, Diagnostic};
use crate::source::{SourceFile, Span};

/// Longest physical line the builder's scanner takes, bytes with the line end (grammar section 1).
const MAX_LINE: usize = 65_536;
/// Largest file looked at; the builder's own limit on a Dockerfile's transfer is far below.
const MAX_FILE: usize = 16 << 20;

/// Parses a Dockerfile. Any bytes give a tree and diagnostics.
#[must_use]
pub fn parse(source: &SourceFile) -> Parsed<Dockerfile> {
    let mut parser = Parser {
        source,
        lines: physical(source),
        tree: Dockerfile::default(),
        diagnostics: Vec::new(),
    };
    if source.bytes().len() > MAX_FILE {
        let whole = Span::new(0, source.bytes().len());
        parser.error("parse/too-large", format!("a Dockerfile over {MAX_FILE} bytes is not read"), Span::new(0, 0));
        parser.tree.pieces.push(Piece { kind: PieceKind::Comment, span: whole });
    } else {
        parser.file();
        parser.structure();
    }
    diagnostic::sort(&mut parser.diagnostics);
    Parsed { tree: parser.tree, diagnostics: parser.diagnostics }
}

struct Parser<'a> {
    source: &'a SourceFile,
    lines: Vec<Line>,
    tree: Dockerfile,
    diagnostics: Vec<Diagnostic>,
}

impl Parser<'_> {
    fn error(&mut self, code: &'static str, message: impl Into<String>, span: Span) {
        self.diagnostics.push(Diagnostic::error(code, message, span));
    }

    fn refusal(&mut self, (code, message, help): Refusal, span: Span) {
        let mut d = Diagnostic::error(code, message, span);
        d.help = help;
        self.diagnostics.push(d);
    }

    fn file(&mut self) {
        let bytes = self.source.bytes();
        let mut directives = true;
        let mut comments: Option<u32> = None;
        let mut at = 0;
        if let Some(long) = self.lines.iter().find(|l| l.span.len() > MAX_LINE) {
            let span = Span { start: long.span.start, end: long.span.start };
            self.error("parse/line-too-long", "dockerfile line greater than max allowed size of 65535", span);
        }
        while at < self.lines.len() {
            let line = self.lines[at];
            let content = trim_start(&bytes[line.content.range()]);
            if content.is_empty() {
                (directives, comments) = (false, None);
                self.tree.pieces.push(Piece { kind: PieceKind::Blank, span: line.span });
                at += 1;
            } else if content[0] == b'#' {
                let is_directive = directives && self.directive(content, line);
                directives = is_directive;
                let kind = if is_directive { PieceKind::Directive } else { PieceKind::Comment };
                if !is_directive {
                    comments.get_or_insert(line.span.start);
                }
                self.tree.pieces.push(Piece { kind, span: line.span });
                at += 1;
            } else {
                directives = false;
                at = self.instruction(at, comments.take());
            }
        }
    }

    /// Reads `# name = value`; false when it is an ordinary comment.
    fn directive(&mut self, content: &[u8], line: Line) -> bool {
        let text = String::from_utf8_lossy(&content[1..]);
        let Some((name, value)) = text.split_once('=') else { return false };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        let seen = match name.as_str() {
            "syntax" => self.tree.directives.syntax.is_some(),
            "check" => self.tree.directives.check.is_some(),
            "escape" => self.tree.pieces.iter().any(|p| {
                p.kind == PieceKind::Directive
                    && self.source.text(p.span).to_ascii_lowercase().trim_start_matches(['#', ' ', '\t', '\u{feff}']).starts_with("escape")
            }),
            _ => return false,
        };
        if seen {
            self.error("parse/duplicate-directive", format!("only one {name} parser directive can be used"), line.content);
            return true;
        }
        match name.as_str() {
            "syntax" => self.tree.directives.syntax = Some((value, line.content)),
            "check" => self.tree.directives.check = Some((value, line.content)),
            _ if value == "\\" => {}
            _ if value == "`" => self.tree.directives.escape = '`',
            _ => {
                let m = format!("invalid ESCAPE '{value}'. Must be ` or \\");
                self.error("parse/escape-directive", m, line.content);
            }
        }
        true
    }

    /// Reads the instruction at physical line `first`; gives the line after it.
    fn instruction(&mut self, first: usize, comments: Option<u32>) -> usize {
        let bytes = self.source.bytes();
        let escape = self.tree.directives.escape;
        let joined = logical(bytes, &self.lines, first, escape as u8);
        if let Some(blank) = joined.blank_inside {
            let d = Diagnostic::warning(
                "build/no-empty-continuation",
                "empty continuation line",
                self.lines[blank].content,
            );
            self.diagnostics.push(d.with_help("remove the blank line: the builder will refuse it one day"));
        }
        let text = String::from_utf8_lossy(&joined.text).trim().to_owned();
        let (word, rest) = match text.find(is_ws1) {
            Some(i) => (&text[..i], text[i..].trim_matches(is_ws1)),
            None => (text.as_str(), ""),
        };
        let keyword = word.to_uppercase();
        let start = self.lines[first].content.start as usize;
        let indent = self.lines[first].content.len() - trim_start(&bytes[self.lines[first].content.range()]).len();
        let on_first_line = self.lines[first].content.len() - indent;
        let keyword_span = Span::new(start + indent, start + indent + word.len().min(on_first_line));
        let (flags, arguments) = take_flags(rest, escape);
        let mut next = joined.next;
        let (mut heredocs, mut unterminated) = (Vec::new(), None);
        let holder = match keyword.as_str() {
            "ONBUILD" => arguments.split(is_ws1).next().unwrap_or("").to_uppercase(),
            _ => keyword.clone(),
        };
        let takes_heredocs = matches!(holder.as_str(), "RUN" | "COPY" | "ADD");
        if takes_heredocs && text.contains("<<") && !is_json_array(arguments) {
            (heredocs, next, unterminated) = bodies(bytes, &self.lines, next, openings(&text));
        }
        let end = self.lines[next - 1].span.end as usize;
        // A byte order mark belongs to the first piece.
        let span = Span::new(self.lines[first].span.start as usize, end);
        if let Some(name) = unterminated {
            let d = Diagnostic::error("parse/unterminated-heredoc", "unterminated heredoc", keyword_span);
            self.diagnostics.push(d.with_help(format!("no line consists of {name} alone")));
        }
        for refusal in check_flags(&keyword, &flags) {
            self.refusal(refusal, keyword_span);
        }
        let mut instruction = Instruction {
            keyword,
            keyword_span,
            span,
            line: u32::try_from(first + 1).unwrap_or(u32::MAX),
            end_line: u32::try_from(next).unwrap_or(u32::MAX),
            leading_comments: Span { start: comments.unwrap_or(span.start), end: span.start },
            original: text.clone(),
            flags,
            arguments: arguments.to_owned(),
            heredocs,
            kind: Kind::Invalid,
        };
        instruction.kind = self.kind(&instruction);
        let index = self.tree.instructions.len();
        self.tree.pieces.push(Piece { kind: PieceKind::Instruction(index), span });
        self.tree.instructions.push(instruction);
        next
    }

    fn kind(&mut self, i: &Instruction) -> Kind {
        let escape = self.tree.directives.escape;
        if i.keyword == "ONBUILD" {
            return self.onbuild(i);
        }
        match kind(&i.keyword, &i.arguments, &i.heredocs, escape) {
            Ok(kind) => kind,
            Err(refusal) => {
                self.refusal(refusal, i.keyword_span);
                Kind::Invalid
            }
        }
    }

    fn onbuild(&mut self, outer: &Instruction) -> Kind {
        let text = outer.arguments.as_str();
        let (word, rest) = match text.find(is_ws1) {
            Some(i) => (&text[..i], text[i..].trim_matches(is_ws1)),
            None => (text, ""),
        };
        let keyword = word.to_uppercase();
        let refused = match keyword.as_str() {
            "" => Some("ONBUILD requires at least one argument".to_owned()),
            "ONBUILD" => Some("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".to_owned()),
            "FROM" | "MAINTAINER" => Some(format!("{keyword} isn't allowed as an ONBUILD trigger")),
            _ => None,
        };
        if let Some(message) = refused {
            self.error("build/onbuild", message, outer.keyword_span);
            return Kind::Invalid;
        }
        let escape = self.tree.directives.escape;
        let (flags, arguments) = take_flags(rest, escape);
        for refusal in check_flags(&keyword, &flags) {
            self.refusal(refusal, outer.keyword_span);
        }
        let heredocs: Vec<Heredoc> = outer.heredocs.clone();
        match kind(&keyword, arguments, &heredocs, escape) {
            Ok(kind) => Kind::Onbuild(Box::new(Instruction {
                keyword,
                original: text.to_owned(),
                flags,
                arguments: arguments.to_owned(),
                heredocs,
                kind,
                ..outer.clone()
            })),
            Err(refusal) => {
                self.refusal(refusal, outer.keyword_span);
                Kind::Invalid
            }
        }
    }

    /// What the builder refuses about the file as a whole.
    fn structure(&mut self) {
        let start = Span::new(0, 0);
        if self.source.bytes().is_empty() {
            self.error("parse/empty", "the Dockerfile cannot be empty", start);
            return;
        }
        if self.tree.instructions.is_empty() {
            self.error("parse/no-instructions", "file with no instructions", start);
            return;
        }
        let mut staged = false;
        for i in 0..self.tree.instructions.len() {
            let ins = &self.tree.instructions[i];
            let (keyword, span) = (ins.keyword.clone(), ins.keyword_span);
            if keyword == "FROM" {
                staged = true;
            } else if !staged && keyword != "ARG" && !matches!(ins.kind, Kind::Invalid) {
                let d = Diagnostic::error("build/no-build-stage", "no build stage in current context", span);
                self.diagnostics.push(d.with_help(format!("only ARG may stand before the first FROM; this is {keyword}")));
                staged = true;
            }
        }
        if !self.tree.instructions.iter().any(|i| i.keyword == "FROM") {
            self.error("build/no-stages", "dockerfile contains no stages to build", start);
        }
    }
}

fn is_json_array(text: &str) -> bool {
    text.starts_with('[') && serde_json::from_str::<Vec<serde_json::Value>>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::CommandForm;
    use proptest::prelude::*;

    fn codes(text: &str) -> Vec<&'static str> {
        parse(&SourceFile::new("f", text)).diagnostics.iter().map(|d| d.code).collect()
    }

    fn first(text: &str) -> Instruction {
        parse(&SourceFile::new("f", text)).tree.instructions.remove(0)
    }

    #[test]
    fn refusals() {
        for (text, code) in [
            ("", "parse/empty"),
            ("# x\n", "parse/no-instructions"),
            ("ARG a\n", "build/no-stages"),
            ("FROM a\nENV\n", "parse/missing-arguments"),
            ("FROM a\nENV x\n", "parse/two-arguments"),
            ("FROM a\nENV a=1 b\n", "parse/missing-equals"),
            ("FROM a\nCMD [[\"a\"]]\n", "parse/json-strings"),
            ("FROM a\nRUN <<E\nx\n", "parse/unterminated-heredoc"),
            ("# escape=x\nFROM a\n", "parse/escape-directive"),
            ("FROM a\nRUNN x\n", "build/unknown-instruction"),
            ("FROM a b\n", "build/arity"),
            ("FROM a AS 1x\n", "build/stage-name"),
            ("FROM a\nCOPY x\n", "build/arity"),
            ("FROM a\nCOPY --from x y z\n", "build/flag-value"),
            ("FROM a\nCOPY --link=x y z\n", "build/flag-value"),
            ("FROM a\nCOPY --nope y z\n", "build/unknown-flag"),
            ("FROM a\nCOPY --from=x --from=x y z\n", "build/duplicate-flag"),
            ("FROM a\nSHELL sh\n", "build/shell-json"),
            ("FROM a\nONBUILD FROM b\n", "build/onbuild"),
            ("FROM a\nHEALTHCHECK x\n", "build/healthcheck"),
            ("FROM a\nWORKDIR\n", "build/arity"),
        ] {
            assert_eq!(codes(text), [code], "{text}");
        }
        assert!(codes("RUN x\nFROM a\n").contains(&"build/no-build-stage"));
    }

    #[test]
    fn legal_oddities() {
        for text in [
            "FROM a\nENTRYPOINT []\nCMD []\n",
            "FROM a\nRUN\n",
            "\u{feff}FROM a\r\nRUN x \\\r\n  y\r\n",
            "# escape=`\nFROM a\nRUN a `\n  b\nCOPY c:\\x d\\\n",
            "FROM a\nRUN [ 'a' ]\n",
            "FROM a\nARG --x y\nARG a=1 b=2\n",
            "ARG V=1\nFROM a:$V AS x\nCOPY --from=x <<A <<-'B' /d/\n1\nA\n\tB\n",
            "from a as b\nrun <<EOF cat > /x\nEOF not\nEOF\nhealthcheck --interval=1s cmd x\n",
        ] {
            assert_eq!(codes(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn forms() {
        assert_eq!(first("RUN [\"a\", \"b\"]").kind, Kind::Run(CommandForm::Exec(vec!["a".into(), "b".into()])));
        assert_eq!(first("RUN [\"a\" \"b\"]").kind, Kind::Run(CommandForm::Shell("[\"a\" \"b\"]".into())));
        let run = first("RUN --mount=type=cache,target=/c --network=none  make \\\n # c\n  all");
        assert_eq!(run.flags.len(), 2);
        assert_eq!(run.kind, Kind::Run(CommandForm::Shell("make   all".into())));
        assert_eq!((run.line, run.end_line), (1, 3));
        let env = first("ENV a=1 b=\"x y\" c=x\\ y");
        assert_eq!(env.kind, Kind::Env(vec![("a".into(), "1".into()), ("b".into(), "\"x y\"".into()), ("c".into(), "x\\ y".into())]));
        assert_eq!(first("ENV a  b c").kind, Kind::Env(vec![("a".into(), "b c".into())]));
        let copy = first("COPY << EOF a /d/\nhi\nEOF\n");
        let Kind::Copy(t) = &copy.kind else { panic!("{copy:?}") };
        assert_eq!((t.sources.as_slice(), t.dest.as_str(), t.inline.as_slice()), (&["a".to_owned()][..], "/d/", &[0][..]));
        assert_eq!(copy.heredocs[0].body, "hi\n");
    }

    #[test]
    fn comments_stick_to_the_instruction_below() {
        let text = "# a\n\n# b\n# c\nFROM x\n";
        let source = SourceFile::new("f", text);
        let from = parse(&source).tree.instructions.remove(0);
        assert_eq!(source.text(from.leading_comments), "# b\n# c\n");
    }

    #[test]
    fn directives_stop_at_the_first_other_line() {
        let tree = parse(&SourceFile::new("f", "# syntax=docker/dockerfile:1\n# check=skip=all\n# x\n# escape=`\nFROM a\n")).tree;
        assert_eq!(tree.directives.escape, '\\');
        assert_eq!(tree.directives.syntax.map(|s| s.0).as_deref(), Some("docker/dockerfile:1"));
        assert!(tree.directives.check.is_some());
    }

    fn dockerfileish() -> impl Strategy<Value = Vec<u8>> {
        let bits = prop::sample::select(vec![
            "FROM a\n", "RUN ", "COPY ", "<<EOF", "EOF\n", "\\\n", "\n", "# x\n", "\r\n", "--from=x ", "[\"a\"]", "$x", "${x",
            "'", "\"", "`", "# escape=`\n", "ONBUILD ", "ENV a=b ", "\u{feff}", " ", "\t", "é", "HEALTHCHECK CMD ", "<<-",
        ]);
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(bits, 0..40).prop_map(|v| v.concat().into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn any_bytes_give_pieces_that_tile_the_file(bytes in dockerfileish()) {
            let source = SourceFile::new("f", bytes.clone());
            let parsed = parse(&source);
            let mut printed = Vec::new();
            for piece in &parsed.tree.pieces {
                prop_assert_eq!(piece.span.start as usize, printed.len());
                printed.extend_from_slice(&bytes[piece.span.range()]);
            }
            prop_assert_eq!(printed, bytes.clone());
            for d in &parsed.diagnostics {
                prop_assert!(d.span().is_none_or(|s| s.start <= s.end && s.end as usize <= bytes.len()));
            }
            for i in &parsed.tree.instructions {
                prop_assert!(i.keyword_span.end as usize <= bytes.len() && i.line <= i.end_line);
            }
            let plan = crate::plan::lower(&parsed.tree, &crate::plan::BuildOptions::default());
            prop_assert!(plan.order.len() <= parsed.tree.instructions.len());
        }
    }
}
