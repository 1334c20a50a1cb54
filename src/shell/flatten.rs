//! Lists, pipelines and redirected statements, put in the order a shell reads them.
//!
//! The grammar nests these freely: `a && b > f` is a redirection of the whole list, and `a && b | c`
//! may be a pipeline of a list. Here they are taken apart to commands and operators from left to
//! right and put together by the shell's precedence. Linear, with a stack instead of recursion.

use tree_sitter::Node;

use super::lower::{Lower, Lowered, Unsupported, children, command, span};
use super::{Command, CommandKind, ListOperator, Part, Redirect, RedirectOperator, Simple, Word};
use crate::source::Span;

/// What joins two commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    List(ListOperator),
    Pipe,
}

enum Item {
    Command(Command),
    Joint(Joint),
}

/// One statement of any kind.
pub(super) fn statement(lower: &Lower<'_>, node: Node<'_>, depth: usize) -> Lowered<Command> {
    let mut items = Vec::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if node.is_error() || node.is_missing() {
            return Err(Unsupported);
        }
        match node.kind() {
            "list" | "pipeline" | "redirected_statement" => {
                open.extend(children(node).into_iter().rev());
            }
            "&&" => items.push(Item::Joint(Joint::List(ListOperator::And))),
            "||" => items.push(Item::Joint(Joint::List(ListOperator::Or))),
            "|" | "|&" => items.push(Item::Joint(Joint::Pipe)),
            "file_redirect" | "herestring_redirect" => {
                let (redirect, words) = lower.redirect(node, depth)?;
                let target = last(&mut items, node);
                target.span.end = target.span.end.max(redirect.span.end);
                target.redirects.push(redirect);
                append(lower, target, words)?;
            }
            "heredoc_redirect" => {
                let redirect = here_document(lower, node, depth)?;
                let end = redirect.span.end;
                let target = last(&mut items, node);
                target.redirects.push(redirect);
                target.span.end = target.span.end.max(end);
                let mut behind = Vec::new();
                let mut cursor = node.walk();
                let mut more = cursor.goto_first_child();
                while more {
                    let child = cursor.node();
                    match (child.kind(), cursor.field_name()) {
                        ("comment", _) | (_, Some("descriptor")) => {}
                        (_, Some("argument")) => {
                            let word = lower.word(child, depth)?;
                            let target = last(&mut items, node);
                            append(lower, target, vec![word])?;
                        }
                        (_, Some("redirect" | "operator" | "right")) | ("pipeline", _) => {
                            behind.push(child);
                        }
                        ("<<" | "<<-" | "\n" | "heredoc_start", _) => {}
                        ("heredoc_body" | "heredoc_end", _) => {}
                        _ => return Err(Unsupported),
                    }
                    more = cursor.goto_next_sibling();
                }
                open.extend(behind.into_iter().rev());
            }
            _ => items.push(Item::Command(lower.plain(node, depth)?)),
        }
    }
    join(items, span(node))
}

/// The command a redirection belongs to; a redirection alone is an empty simple command.
fn last<'a>(items: &'a mut Vec<Item>, node: Node<'_>) -> &'a mut Command {
    if !matches!(items.last(), Some(Item::Command(_))) {
        let place = Span::new(node.start_byte(), node.start_byte());
        let kind = CommandKind::Simple(Simple::default());
        items.push(Item::Command(command(kind, place)));
    }
    match items.last_mut() {
        Some(Item::Command(c)) => c,
        _ => unreachable!("a command was pushed just above"),
    }
}

/// Words that follow a redirection are arguments: `echo > f a b`.
fn append(lower: &Lower<'_>, to: &mut Command, words: Vec<Word>) -> Lowered<()> {
    if words.is_empty() {
        return Ok(());
    }
    let CommandKind::Simple(simple) = &mut to.kind else {
        return Err(Unsupported);
    };
    for word in words {
        to.span.end = to.span.end.max(word.span.end);
        lower.push_word(&mut simple.words, word);
    }
    Ok(())
}

fn here_document(lower: &Lower<'_>, node: Node<'_>, depth: usize) -> Lowered<Redirect> {
    let all = children(node);
    if all.iter().any(|c| c.is_error() || c.is_missing()) {
        return Err(Unsupported);
    }
    let find = |kind: &str| all.iter().find(|c| c.kind() == kind).copied();
    let start = find("heredoc_start").ok_or(Unsupported)?;
    // The parser sees all characters beyond ASCII as equal, which would end the body too early.
    if !lower.of(start).is_ascii() {
        return Err(Unsupported);
    }
    let quoted = lower.of(start).contains(['\'', '"', '\\']);
    // An empty body has no node.
    let (parts, place) = match find("heredoc_body") {
        None => (Vec::new(), Span::new(node.end_byte(), node.end_byte())),
        Some(body) if quoted => (
            vec![Part::SingleQuoted(lower.of(body).to_string())],
            span(body),
        ),
        Some(body) => {
            let parts = lower.inside(body, body.start_byte(), body.end_byte(), depth + 1);
            // A body that uses a form the grammar misses has a value nobody knows; what it would run
            // is not known either, so the statement as a whole is given up.
            (vec![Part::DoubleQuoted(parts?)], span(body))
        }
    };
    Ok(Redirect {
        descriptor: find("file_descriptor").map(|d| lower.of(d).to_string()),
        operator: RedirectOperator::HereDocument,
        target: Word { parts, span: place },
        span: Span::new(node.start_byte(), start.end_byte()),
    })
}

/// Commands and operators to pipelines, pipelines to a list.
fn join(items: Vec<Item>, whole: Span) -> Lowered<Command> {
    let mut lists: Vec<(ListOperator, Vec<Command>)> = vec![(ListOperator::And, Vec::new())];
    let mut want = true;
    for item in items {
        match item {
            Item::Command(c) if want => {
                lists.last_mut().ok_or(Unsupported)?.1.push(c);
                want = false;
            }
            Item::Joint(joint) if !want => {
                if let Joint::List(operator) = joint {
                    lists.push((operator, Vec::new()));
                }
                want = true;
            }
            _ => return Err(Unsupported),
        }
    }
    if want {
        return Err(Unsupported);
    }
    let mut rest = lists
        .into_iter()
        .map(|(operator, commands)| (operator, pipeline(commands)));
    let (_, first) = rest.next().ok_or(Unsupported)?;
    let rest: Vec<_> = rest.collect();
    if rest.is_empty() {
        return Ok(first);
    }
    let kind = CommandKind::List {
        first: Box::new(first),
        rest,
    };
    Ok(command(kind, whole))
}

/// One command stays itself; several become a pipeline, and a leading `!` becomes the pipeline's.
fn pipeline(mut commands: Vec<Command>) -> Command {
    if commands.len() == 1 {
        return commands.remove(0);
    }
    let place = Span {
        start: commands.first().map_or(0, |c| c.span.start),
        end: commands.last().map_or(0, |c| c.span.end),
    };
    let mut negated = false;
    if let Some(first) = commands.first_mut()
        && first.redirects.is_empty()
        && let CommandKind::Pipeline {
            negated: true,
            commands: inner,
        } = &mut first.kind
        && inner.len() == 1
    {
        *first = inner.remove(0);
        negated = true;
    }
    command(CommandKind::Pipeline { negated, commands }, place)
}
