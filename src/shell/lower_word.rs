//! tree-sitter's nodes to words and their parts.
//!
//! Goes in: a node where a word may stand. Comes out: a [`Word`] with quotes and backslashes taken
//! off. Linear in the text. Invariant: every command substitution below the node is in the result.

use tree_sitter::Node;

use super::lower::{Lower, Lowered, Unsupported, children, command, span};
use super::{CommandKind, MAX_DEPTH, Operation, Part, Script, Simple, Variable, Word};
use crate::source::Span;

impl Lower<'_> {
    /// Appends a word, or glues it to the one before when only a continued line is between them.
    pub(super) fn push_word(&self, words: &mut Vec<Word>, word: Word) {
        if let Some(last) = words.last_mut() {
            let gap = self
                .text
                .get(last.span.end as usize..word.span.start as usize);
            if gap.is_some_and(|g| g.replace("\\\n", "").is_empty()) {
                last.span.end = word.span.end;
                last.parts.extend(word.parts);
                return;
            }
        }
        words.push(word);
    }

    /// One word from any node that may stand where a word may.
    pub(super) fn word(&self, node: Node<'_>, depth: usize) -> Lowered<Word> {
        Ok(Word {
            parts: self.parts(node, depth)?,
            span: span(node),
        })
    }

    fn parts(&self, node: Node<'_>, depth: usize) -> Lowered<Vec<Part>> {
        if depth > MAX_DEPTH || node.is_error() || node.is_missing() {
            return Err(Unsupported);
        }
        let text = self.of(node);
        let inner = depth + 1;
        Ok(match node.kind() {
            "command_name" => {
                let child = children(node).into_iter().next().ok_or(Unsupported)?;
                return self.parts(child, depth);
            }
            "concatenation" => {
                let mut out = Vec::new();
                for child in children(node) {
                    out.extend(self.parts(child, inner)?);
                }
                // `{a,b}` comes as three words; look at them together.
                mark_braces(text, &mut out);
                out
            }
            "string" => vec![Part::DoubleQuoted(self.inside(
                node,
                node.start_byte() + 1,
                node.end_byte().saturating_sub(1),
                inner,
            )?)],
            "raw_string" => {
                let body = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
                vec![Part::SingleQuoted(body.ok_or(Unsupported)?.to_string())]
            }
            // The text starts with `$` once; `$$` is the variable `$`.
            "simple_expansion" => vec![Part::Variable(Variable {
                name: text
                    .trim_start()
                    .get(1..)
                    .ok_or(Unsupported)?
                    .replace("\\\n", ""),
                operation: Operation::Value,
            })],
            "expansion" => vec![Part::Variable(self.expansion(node, inner)?)],
            "command_substitution" | "process_substitution" => {
                vec![Part::Substitution(self.substitution(node, inner)?)]
            }
            "arithmetic_expansion" => vec![Part::Arithmetic(self.substitutions(node, inner)?)],
            "ansi_c_string" | "translated_string" | "array" | "brace_expression" => {
                vec![Part::Opaque(self.substitutions(node, inner)?)]
            }
            "regex" | "extglob_pattern" if node.child_count() > 0 => {
                vec![Part::Opaque(self.substitutions(node, inner)?)]
            }
            "number" if node.child_count() > 0 => {
                vec![Part::Opaque(self.substitutions(node, inner)?)]
            }
            "``" => return Err(Unsupported),
            "word"
            | "number"
            | "regex"
            | "extglob_pattern"
            | "test_operator"
            | "variable_name"
            | "special_variable_name"
            | "heredoc_start" => unquoted(text),
            _ if !node.is_named() => vec![Part::Literal(text.to_string())],
            _ => return Err(Unsupported),
        })
    }

    /// The pieces of a double-quoted text or here-document body. What is between the expansions is
    /// taken from the text, because the grammar may skip blanks there.
    pub(super) fn inside(
        &self,
        node: Node<'_>,
        start: usize,
        end: usize,
        depth: usize,
    ) -> Lowered<Vec<Part>> {
        let mut out = Vec::new();
        let mut at = start;
        for child in children(node) {
            if child.is_error() || child.is_missing() {
                return Err(Unsupported);
            }
            if !matches!(
                child.kind(),
                "expansion" | "simple_expansion" | "command_substitution" | "arithmetic_expansion"
            ) {
                continue;
            }
            // Inside quotes the `$` token takes the blanks before it along.
            let text = self.of(child);
            let start = child.start_byte() + text.len() - text.trim_start().len();
            let before = self.text.get(at..start).ok_or(Unsupported)?;
            out.extend(quoted_text(before)?);
            out.extend(self.parts(child, depth)?);
            at = child.end_byte();
        }
        out.extend(quoted_text(
            self.text.get(at..end.max(at)).ok_or(Unsupported)?,
        )?);
        Ok(out)
    }

    /// `${…}`
    fn expansion(&self, node: Node<'_>, depth: usize) -> Lowered<Variable> {
        let text = self.of(node).trim_start();
        let start = node.end_byte() - text.len();
        let body = text.strip_prefix("${").and_then(|t| t.strip_suffix('}'));
        let body = body.ok_or(Unsupported)?;
        let length = body
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(body.len());
        let (name, rest) = body.split_at(length);
        if !name.is_empty() && rest.is_empty() {
            return Ok(Variable {
                name: name.to_string(),
                operation: Operation::Value,
            });
        }
        let bare = rest.strip_prefix(':').unwrap_or(rest);
        let colon = bare.len() < rest.len();
        if let Some(operator) = bare.chars().next()
            && !name.is_empty()
            && matches!(operator, '-' | '=' | '?' | '+')
        {
            let start = start + 2 + length + usize::from(colon) + 1;
            let end = node.end_byte() - 1;
            let operand = children(node)
                .into_iter()
                .find(|c| c.start_byte() == start && c.end_byte() == end);
            let parts = match operand {
                _ if start == end => Some(Vec::new()),
                Some(c) => Some(self.parts(c, depth)?),
                None => None,
            };
            if let Some(parts) = parts {
                return Ok(Variable {
                    name: name.to_string(),
                    operation: Operation::Default {
                        operator,
                        colon,
                        word: Word {
                            parts,
                            span: Span::new(start, end),
                        },
                    },
                });
            }
        }
        Ok(Variable {
            name: name.to_string(),
            operation: Operation::Other(self.substitutions(node, depth)?),
        })
    }

    /// The inside of `$(…)`, `` `…` `` or `<(…)`.
    fn substitution(&self, node: Node<'_>, depth: usize) -> Lowered<Script> {
        if depth > MAX_DEPTH {
            return Err(Unsupported);
        }
        let text = self.of(node);
        // Backslashes are taken off once more inside backquotes, which the grammar does not do.
        if text.contains('`') && text.contains('\\') {
            return Err(Unsupported);
        }
        let all = children(node);
        if all.iter().any(|c| c.is_error() || c.is_missing()) {
            return Err(Unsupported);
        }
        let mut commands = Vec::new();
        if let Some(redirect) = node.child_by_field_name("redirect") {
            let mut c = command(CommandKind::Simple(Simple::default()), span(redirect));
            c.redirects.push(self.redirect(redirect, depth)?.0);
            commands.push(c);
        } else {
            commands.extend(self.sequence(&all, &["$(", "`", ")", "<(", ">(", "$`"], depth));
        }
        Ok(Script {
            commands,
            span: span(node),
        })
    }

    /// All outermost substitutions anywhere below a node.
    pub(super) fn substitutions(&self, node: Node<'_>, depth: usize) -> Lowered<Vec<Script>> {
        let mut out = Vec::new();
        let mut open: Vec<Node<'_>> = children(node).into_iter().rev().collect();
        while let Some(node) = open.pop() {
            match node.kind() {
                "command_substitution" | "process_substitution" => {
                    out.push(self.substitution(node, depth)?);
                }
                "do_group" | "compound_statement" => {}
                _ if node.is_error() || node.is_missing() => return Err(Unsupported),
                _ => open.extend(children(node).into_iter().rev()),
            }
        }
        Ok(out)
    }
}

/// Plain characters: backslashes taken off, pattern characters, braces and tildes told apart.
fn unquoted(text: &str) -> Vec<Part> {
    let mut out = Vec::new();
    let mut literal = String::new();
    let braces = text.contains('{') && (text.contains(',') || text.contains(".."));
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let part = match c {
            '\\' => {
                match chars.next() {
                    Some('\n') | None => {}
                    Some(next) => literal.push(next),
                }
                before = Some('\\');
                continue;
            }
            '*' | '?' | '[' => Part::Glob(c),
            '{' if braces => Part::Brace,
            // `~name` and `~+` are some other directory: opaque.
            '~' if matches!(before, None | Some(':' | '=')) => match chars.peek() {
                None | Some('/' | ':') => Part::Tilde,
                Some(_) => Part::Opaque(Vec::new()),
            },
            _ => {
                literal.push(c);
                before = Some(c);
                continue;
            }
        };
        before = Some(c);
        if !literal.is_empty() {
            out.push(Part::Literal(std::mem::take(&mut literal)));
        }
        out.push(part);
    }
    if !literal.is_empty() {
        out.push(Part::Literal(literal));
    }
    out
}

/// Turns a literal `{` of a word that also holds a comma or two dots into a brace part.
fn mark_braces(text: &str, parts: &mut [Part]) {
    if !(text.contains(',') || text.contains("..")) {
        return;
    }
    for part in parts {
        if matches!(part, Part::Literal(t) if t.starts_with('{')) {
            *part = Part::Brace;
        }
    }
}

/// Text inside double quotes; an open backquote or `$(` in it was missed by the grammar.
fn quoted_text(text: &str) -> Lowered<Option<Part>> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\n')) => {
                chars.next();
            }
            ('\\', Some(next @ ('$' | '`' | '"' | '\\'))) => {
                out.push(*next);
                chars.next();
            }
            ('`', _) | ('$', Some('(' | '{')) => return Err(Unsupported),
            _ => out.push(c),
        }
    }
    Ok((!out.is_empty()).then_some(Part::Literal(out)))
}
