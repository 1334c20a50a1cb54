//! tree-sitter's nodes to commands and words.
//!
//! Goes in: the script and its syntax tree. Comes out: the typed tree. `Err(Unsupported)` climbs to
//! the nearest statement, which becomes `Unknown`. Blanks that the grammar skips are checked against
//! what a shell skips, since the grammar is more generous. Invariant: recursion is bounded by
//! [`MAX_DEPTH`]; long flat input is walked with a stack.

use tree_sitter::{Node, ParseOptions, ParseState, Parser};

use super::flatten;
use super::{
    Assignment, Branch, CaseArm, Command, CommandKind, MAX_DEPTH, Part, Redirect, RedirectOperator,
    Script, Simple, Word,
};
use crate::source::Span;

/// The construct has no place in the typed tree.
pub(super) struct Unsupported;

/// Result of lowering one construct.
pub(super) type Lowered<T> = Result<T, Unsupported>;

/// Words that cannot name a command.
const RESERVED: &[&str] = &[
    "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "{",
    "}", "!", "function",
];

/// Parses and lowers; `None` when the whole script has to be taken as unknown.
pub(super) fn script(text: &str) -> Option<Script> {
    // The grammar's C scanner indexes the C library's character tables with any code point, which
    // reads out of bounds beyond ASCII. It is shown a text of the same length instead, whose other
    // characters are `%`: part of a word and of no name, as they are to a shell.
    if text.contains('\0') {
        return None;
    }
    let shown: Vec<u8> = text
        .bytes()
        .map(|b| if b.is_ascii() { b } else { b'%' })
        .collect();
    let found = read(text, &shown);
    if found.as_ref().is_some_and(|s| !s.has_unknown()) {
        return found;
    }
    // A shell takes `(a) else` without a separator, the grammar does not.
    let again = with_separators(shown).and_then(|shown| read(text, &shown));
    again.filter(|s| !s.has_unknown()).or(found)
}

/// The text with a `;` in place of a blank between a closing bracket and a word that ends or splits a block; `None` where
/// there is no such place.
fn with_separators(mut shown: Vec<u8>) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 6] = [b"else", b"elif", b"fi", b"then", b"do", b"done"];
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let mut places = Vec::new();
    for (at, _) in shown.iter().enumerate().filter(|(_, b)| **b == b')') {
        let rest = &shown[at + 1..];
        let word = rest.iter().take_while(|b| blank(b)).count();
        let end = |b: &u8| !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'-' | b'.' | b'/');
        let follows = WORDS.iter().any(|w| {
            let behind = rest[word..].strip_prefix(*w);
            behind.is_some_and(|b| b.first().is_none_or(end))
        });
        if word > 0 && follows {
            places.push(at + 1);
        }
    }
    for place in &places {
        shown[*place] = b';';
    }
    (!places.is_empty()).then_some(shown)
}

/// Parses what the grammar is shown, and takes the texts from the script itself.
fn read(text: &str, shown: &[u8]) -> Option<Script> {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_bash::LANGUAGE.into())
        .ok()?;
    // The parser calls back after a fixed number of steps, so this bound is the same on every machine.
    let mut budget = 1000 + text.len() / 8;
    let mut spend = |_: &ParseState| {
        budget = budget.saturating_sub(1);
        budget == 0
    };
    let mut read = |at: usize, _| shown.get(at..).unwrap_or_default();
    let options = ParseOptions::new().progress_callback(&mut spend);
    let tree = parser.parse_with_options(&mut read, None, Some(options))?;
    let root = tree.root_node();
    let lower = Lower { text };
    if !lower.blanks_agree(root) {
        return None;
    }
    if root.kind() != "program" {
        return None;
    }
    Some(Script {
        commands: lower.statements(root, &[], 0),
        span: Span::new(0, text.len()),
    })
}

/// The script being lowered.
pub(super) struct Lower<'a> {
    /// Its text.
    pub(super) text: &'a str,
}

/// Named and anonymous children without comments.
pub(super) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.children(&mut cursor)
        .filter(|c| c.kind() != "comment")
        .collect()
}

/// Span of a node.
pub(super) fn span(node: Node<'_>) -> Span {
    Span::new(node.start_byte(), node.end_byte())
}

/// A command of a kind at a place.
pub(super) fn command(kind: CommandKind, span: Span) -> Command {
    Command {
        kind,
        redirects: Vec::new(),
        background: false,
        span,
    }
}

impl<'a> Lower<'a> {
    /// Text of a node.
    pub(super) fn of(&self, node: Node<'_>) -> &'a str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Whether the bytes between the tokens are what a shell skips too. The grammar also skips a
    /// backslash before a blank, carriage returns and other white space, which shells take as text,
    /// and it may see a comment in the middle of a word.
    fn blanks_agree(&self, root: Node<'_>) -> bool {
        let bytes = self.text.as_bytes();
        let mut at = 0usize;
        let mut cursor = root.walk();
        loop {
            let node = cursor.node();
            let leaf = node.child_count() == 0
                || matches!(node.kind(), "string" | "heredoc_body" | "regex");
            if leaf {
                if !skippable(bytes.get(at..node.start_byte()).unwrap_or_default()) {
                    return false;
                }
                if node.kind() == "comment" {
                    let before = node.start_byte().checked_sub(1).map(|i| bytes[i]);
                    if !matches!(
                        before,
                        None | Some(b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'`')
                    ) {
                        return false;
                    }
                }
                at = at.max(node.end_byte());
            }
            if !leaf && cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return skippable(bytes.get(at..).unwrap_or_default());
                }
            }
        }
    }

    /// The statements among a node's children; tokens named in `skip` are the node's own.
    pub(super) fn statements(&self, node: Node<'_>, skip: &[&str], depth: usize) -> Vec<Command> {
        self.sequence(&children(node), skip, depth)
    }

    /// The statements among some nodes, with their separators.
    pub(super) fn sequence(&self, nodes: &[Node<'_>], skip: &[&str], depth: usize) -> Vec<Command> {
        let mut out: Vec<Command> = Vec::new();
        for node in nodes {
            match node.kind() {
                ";" | "\n" if !node.is_missing() => {}
                "&" => {
                    if let Some(last) = out.last_mut() {
                        last.background = true;
                    }
                }
                kind if skip.contains(&kind) && !node.is_missing() => {}
                _ => out.push(self.statement(*node, depth)),
            }
        }
        out
    }

    /// One statement; never fails.
    pub(super) fn statement(&self, node: Node<'_>, depth: usize) -> Command {
        flatten::statement(self, node, depth)
            .unwrap_or_else(|Unsupported| command(CommandKind::Unknown, span(node)))
    }

    /// A statement that is neither list, pipeline nor redirected.
    pub(super) fn plain(&self, node: Node<'_>, depth: usize) -> Lowered<Command> {
        if depth > MAX_DEPTH || node.is_error() || node.is_missing() {
            return Err(Unsupported);
        }
        if children(node)
            .iter()
            .any(|c| c.is_error() || c.is_missing())
        {
            return Err(Unsupported);
        }
        let inner = depth + 1;
        let kind = match node.kind() {
            "command"
            | "test_command"
            | "declaration_command"
            | "unset_command"
            | "variable_assignment"
            | "variable_assignments" => return self.simple(node, inner),
            "negated_command" => {
                let body = children(node).into_iter().nth(1).ok_or(Unsupported)?;
                CommandKind::Pipeline {
                    negated: true,
                    commands: vec![self.statement(body, inner)],
                }
            }
            "subshell" => CommandKind::Subshell(self.statements(node, &["(", ")"], inner)),
            "compound_statement" if self.of(node).starts_with("((") => {
                CommandKind::Arithmetic(self.substitutions(node, inner)?)
            }
            "compound_statement" => CommandKind::Group(self.statements(node, &["{", "}"], inner)),
            "if_statement" => self.conditional(node, inner)?,
            "for_statement" => self.iteration(node, inner)?,
            "c_style_for_statement" => {
                let body = node.child_by_field_name("body").ok_or(Unsupported)?;
                // The head may hold substitutions; they are rare enough to give up on.
                if !self.substitutions(node, inner)?.is_empty() {
                    return Err(Unsupported);
                }
                CommandKind::For {
                    variable: None,
                    words: None,
                    body: self.statements(body, &["do", "done", "{", "}"], inner),
                }
            }
            "while_statement" => {
                let body = node.child_by_field_name("body").ok_or(Unsupported)?;
                let all = children(node);
                let end = all.iter().position(|c| *c == body).ok_or(Unsupported)?;
                CommandKind::While {
                    condition: self.sequence(&all[1..end], &[], inner),
                    body: self.statements(body, &["do", "done"], inner),
                }
            }
            "case_statement" => self.case(node, inner)?,
            "function_definition" => {
                let name = node.child_by_field_name("name").ok_or(Unsupported)?;
                let body = node.child_by_field_name("body").ok_or(Unsupported)?;
                let mut body = self.statement(body, inner);
                if let Some(redirect) = node.child_by_field_name("redirect") {
                    body.redirects.push(self.redirect(redirect, inner)?.0);
                }
                CommandKind::Function {
                    name: self.of(name).to_string(),
                    body: Box::new(body),
                }
            }
            _ => return Err(Unsupported),
        };
        Ok(command(kind, span(node)))
    }

    fn conditional(&self, node: Node<'_>, depth: usize) -> Lowered<CommandKind> {
        let all = children(node);
        let mut branches = vec![self.branch(&all, depth)?];
        let mut otherwise = Vec::new();
        for child in all {
            match child.kind() {
                "elif_clause" => branches.push(self.branch(&children(child), depth)?),
                "else_clause" => otherwise = self.statements(child, &["else"], depth),
                _ => {}
            }
        }
        Ok(CommandKind::If {
            branches,
            otherwise,
        })
    }

    /// `if|elif condition then body` among the children of either.
    fn branch(&self, all: &[Node<'_>], depth: usize) -> Lowered<Branch> {
        let then = all
            .iter()
            .position(|c| c.kind() == "then")
            .ok_or(Unsupported)?;
        let end = all
            .iter()
            .position(|c| matches!(c.kind(), "elif_clause" | "else_clause" | "fi"))
            .unwrap_or(all.len());
        if then < 1 || end < then {
            return Err(Unsupported);
        }
        Ok(Branch {
            condition: self.sequence(&all[1..then], &[], depth),
            body: self.sequence(&all[then + 1..end], &[], depth),
        })
    }

    fn iteration(&self, node: Node<'_>, depth: usize) -> Lowered<CommandKind> {
        let body = node.child_by_field_name("body").ok_or(Unsupported)?;
        let variable = node.child_by_field_name("variable").ok_or(Unsupported)?;
        let mut words = None;
        let mut cursor = node.walk();
        if cursor.goto_first_child() {
            loop {
                if cursor.node().kind() == "in" {
                    words.get_or_insert_with(Vec::new);
                }
                if cursor.field_name() == Some("value") {
                    let word = self.word(cursor.node(), depth)?;
                    self.push_word(words.get_or_insert_with(Vec::new), word);
                }
                if !cursor.goto_next_sibling() {
                    break;
                }
            }
        }
        Ok(CommandKind::For {
            variable: Some(self.of(variable).to_string()),
            words,
            body: self.statements(body, &["do", "done"], depth),
        })
    }

    fn case(&self, node: Node<'_>, depth: usize) -> Lowered<CommandKind> {
        let value = node.child_by_field_name("value").ok_or(Unsupported)?;
        let mut arms = Vec::new();
        for item in children(node) {
            if item.kind() != "case_item" {
                continue;
            }
            let all = children(item);
            if all.iter().any(|c| c.is_error() || c.is_missing()) {
                return Err(Unsupported);
            }
            let close = all
                .iter()
                .position(|c| c.kind() == ")")
                .ok_or(Unsupported)?;
            let mut patterns = Vec::new();
            for pattern in &all[..close] {
                if pattern.is_named() {
                    patterns.push(self.word(*pattern, depth)?);
                }
            }
            arms.push(CaseArm {
                patterns,
                body: self.sequence(&all[close + 1..], &[";;", ";&", ";;&"], depth),
            });
        }
        Ok(CommandKind::Case {
            subject: self.word(value, depth)?,
            arms,
        })
    }

    /// Commands, tests, declarations and bare assignments.
    fn simple(&self, node: Node<'_>, depth: usize) -> Lowered<Command> {
        let mut simple = Simple::default();
        let mut redirects = Vec::new();
        match node.kind() {
            "variable_assignment" => simple.assignments.push(self.assignment(node, depth)?),
            "variable_assignments" => {
                for child in children(node) {
                    simple.assignments.push(self.assignment(child, depth)?);
                }
            }
            "test_command" => self.test_words(node, &mut simple.words, depth)?,
            kind => {
                let declares = kind != "command";
                for child in children(node) {
                    match child.kind() {
                        "variable_assignment" if !declares => {
                            simple.assignments.push(self.assignment(child, depth)?);
                        }
                        // `export A=1`: kept as one word, `A=` and the value's parts.
                        "variable_assignment" => {
                            let a = self.assignment(child, depth)?;
                            let sign = if a.append { "+=" } else { "=" };
                            let mut parts = vec![Part::Literal(format!("{}{sign}", a.name))];
                            parts.extend(a.value.parts);
                            let span = span(child);
                            self.push_word(&mut simple.words, Word { parts, span });
                        }
                        "file_redirect" | "herestring_redirect" => {
                            let (redirect, more) = self.redirect(child, depth)?;
                            redirects.push(redirect);
                            for word in more {
                                self.push_word(&mut simple.words, word);
                            }
                        }
                        "subshell" => return Err(Unsupported),
                        _ => {
                            let word = self.word(child, depth)?;
                            self.push_word(&mut simple.words, word);
                        }
                    }
                }
            }
        }
        // The grammar takes a stray `fi` for a command of that name.
        if let Some(first) = simple.words.first()
            && RESERVED.contains(&self.text.get(first.span.range()).unwrap_or_default())
        {
            return Err(Unsupported);
        }
        let mut out = command(CommandKind::Simple(simple), span(node));
        out.redirects = redirects;
        Ok(out)
    }

    /// The words of `[ … ]` and `[[ … ]]`: expressions are flattened to their leaves.
    fn test_words(&self, node: Node<'_>, out: &mut Vec<Word>, depth: usize) -> Lowered<()> {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            match node.kind() {
                "test_command"
                | "binary_expression"
                | "unary_expression"
                | "parenthesized_expression"
                | "ternary_expression"
                | "postfix_expression" => {
                    open.extend(children(node).into_iter().rev());
                }
                // `[ a < b ]` is a redirection to the grammar; leave it.
                "redirected_statement" => return Err(Unsupported),
                _ => {
                    let word = self.word(node, depth)?;
                    self.push_word(out, word);
                }
            }
        }
        Ok(())
    }

    fn assignment(&self, node: Node<'_>, depth: usize) -> Lowered<Assignment> {
        if node.kind() != "variable_assignment" {
            return Err(Unsupported);
        }
        let name = node.child_by_field_name("name").ok_or(Unsupported)?;
        let append = children(node).iter().any(|c| c.kind() == "+=");
        let empty = Word {
            parts: Vec::new(),
            span: Span::new(node.end_byte(), node.end_byte()),
        };
        let mut value = match node.child_by_field_name("value") {
            Some(v) => self.word(v, depth)?,
            None => empty,
        };
        let mut base = self.of(name);
        if name.kind() == "subscript" {
            base = base.split('[').next().unwrap_or_default();
            let mut inside = self.substitutions(name, depth)?;
            inside.extend(value.substitutions().into_iter().cloned());
            value.parts = vec![Part::Opaque(inside)];
        }
        Ok(Assignment {
            name: base.to_string(),
            value,
            append,
        })
    }

    /// A redirection, and the words behind its target, which belong to the command.
    pub(super) fn redirect(&self, node: Node<'_>, depth: usize) -> Lowered<(Redirect, Vec<Word>)> {
        let mut descriptor = None;
        let mut operator = None;
        let mut words: Vec<Word> = Vec::new();
        for child in children(node) {
            if child.is_error() || child.is_missing() {
                return Err(Unsupported);
            }
            if child.kind() == "file_descriptor" {
                descriptor = Some(self.of(child).to_string());
                continue;
            }
            let found = match child.kind() {
                "<" => RedirectOperator::Read,
                ">" | ">|" => RedirectOperator::Write,
                ">>" => RedirectOperator::Append,
                "&>" => RedirectOperator::WriteBoth,
                "&>>" => RedirectOperator::AppendBoth,
                "<&" | "<&-" => RedirectOperator::DuplicateInput,
                ">&" | ">&-" => RedirectOperator::DuplicateOutput,
                "<<<" => RedirectOperator::HereString,
                _ => {
                    let word = self.word(child, depth)?;
                    self.push_word(&mut words, word);
                    continue;
                }
            };
            operator = Some(found);
        }
        let mut words = words.into_iter();
        let redirect = Redirect {
            descriptor,
            operator: operator.ok_or(Unsupported)?,
            target: words.next().unwrap_or_default(),
            span: span(node),
        };
        Ok((redirect, words.collect()))
    }
}

/// Only blanks, line feeds and continued lines.
fn skippable(mut gap: &[u8]) -> bool {
    while let Some(first) = gap.first() {
        match first {
            b' ' | b'\t' | b'\n' => gap = &gap[1..],
            b'\\' if gap.get(1) == Some(&b'\n') => gap = &gap[2..],
            _ => return false,
        }
    }
    true
}
