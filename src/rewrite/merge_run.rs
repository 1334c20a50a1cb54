//! Small RUNs that could stand together: one RUN in their place.
//!
//! ```text
//! COPY --from=build /app/a a        COPY --from=build /app/a a
//! RUN chmod 755 a                   COPY --from=build /app/b b
//! COPY --from=build /app/b b   ->   RUN chmod 755 a && \
//! RUN chown 7:7 b                       chown 7:7 b
//! ```
//!
//! Precondition: each is a plain `&&` chain of commands that take no time and leave the shell as it was, has no flags, and
//! passes every line down to the last of them. Safety: assumed, as the moves are. Costs one look per pair of lines.

use super::{EditNote, Rewrite, Safety, StageView, View, chain};
use crate::dockerfile::{CommandForm, Instruction, Kind};
use crate::footprint::{Class, Footprint, PathClaim};
use crate::shell::{self, CommandKind, ListOperator, Part, RedirectOperator};
use crate::source::{Edit, Span};
use std::collections::BTreeSet;

/// Commands that are over at once, whatever the project is, and leave the shell that runs them as it was. A RUN of
/// anything else may be worth a cache entry of its own.
#[rustfmt::skip]
const QUICK: &[&str] = &[
    "chmod", "chown", "chgrp", "mkdir", "rmdir", "ln", "touch", "echo", "printf", "true", "test", "[", "rm", "install", "mktemp",
    "cp", "mv", "cat",
    "useradd", "adduser", "groupadd", "addgroup", "usermod", "groupmod", "passwd", "chsh", "setcap", "truncate",
];

/// One rewrite for every group of RUNs that can stand together.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    view.stages
        .iter()
        .flat_map(|stage| in_stage(view, stage))
        .collect()
}

fn in_stage(view: &View<'_>, stage: &StageView<'_>) -> Vec<Rewrite> {
    let quick: Vec<bool> = stage
        .lines
        .iter()
        .map(|l| {
            // Not understood is also what another shell than a POSIX one is given.
            let small = l.step.is_some_and(|s| {
                let cwd = view
                    .plan
                    .states
                    .get(l.at)
                    .and_then(|s| s.as_ref()?.cwd.as_deref());
                // Another shell starts in the folder that is there then.
                let stays = |f: &Footprint| {
                    let mut words = s.text.split_whitespace();
                    let moves = words.any(|w| matches!(w, "rm" | "rmdir" | "mv"));
                    let changes = f.changes();
                    let mut claims = changes.claims.iter();
                    let own = cwd.map(PathClaim::exact);
                    !(moves && own.is_none_or(|own| claims.any(|c| c.covers(&own))))
                };
                let known = |f: &Footprint| f.opaque.is_none() && stays(f);
                s.footprint.as_ref().is_some_and(known) && s.classes == [Class::Other]
            });
            small && is_quick(view.file.instructions().at(l.at))
        })
        .collect();
    let mut taken = vec![false; quick.len()];
    let mut out = Vec::new();
    for last in (0..quick.len()).rev() {
        if !quick[last] || taken[last] {
            continue;
        }
        let mut assumptions = BTreeSet::new();
        let mut stay: Vec<usize> = Vec::new();
        let mut group = vec![last];
        for at in (0..last).rev() {
            let passes = (quick[at] && !taken[at]).then(|| {
                let mut rests_on = Vec::new();
                for other in &stay {
                    rests_on.extend((view.commute)(stage.stage, at, *other)?);
                }
                Some(rests_on)
            });
            match passes.flatten() {
                Some(rests_on) => {
                    assumptions.extend(rests_on);
                    group.push(at);
                }
                None => stay.push(at),
            }
        }
        if group.len() < 2 {
            continue;
        }
        group.reverse();
        group.iter().for_each(|g| taken[*g] = true);
        out.push(merged(view, stage, &group, assumptions));
    }
    out
}

/// Whether a RUN is a chain of commands that may be put behind or before another one.
fn is_quick(instruction: Instruction<'_>) -> bool {
    let Kind::Run(CommandForm::Shell(text)) = instruction.kind() else {
        return false;
    };
    // What is said of one of them would be said of all.
    if instruction.reproducible
        || !instruction.flags().is_empty()
        || !instruction.heredocs().is_empty()
        || text.contains('#')
    {
        return false;
    }
    let script = shell::parse(&text);
    let [command] = script.commands.as_slice() else {
        return false;
    };
    match &command.kind {
        CommandKind::List { first, rest } => {
            let chain = rest.iter().all(|(o, _)| *o == ListOperator::And);
            chain
                && !command.background
                && std::iter::once(&**first)
                    .chain(rest.iter().map(|(_, c)| c))
                    .all(is_plain)
        }
        _ => is_plain(command),
    }
}

fn is_plain(command: &shell::Command) -> bool {
    let CommandKind::Simple(simple) = &command.kind else {
        return false;
    };
    let name = simple.words.first().map(|w| w.parts.as_slice());
    let known = matches!(name, Some([Part::Literal(n)]) if QUICK.contains(&n.as_str()));
    let redirects = command.redirects.iter().all(|r| {
        matches!(
            r.operator,
            RedirectOperator::Write | RedirectOperator::Append
        )
    });
    let computed = simple.words.iter().any(|w| !w.substitutions().is_empty());
    let apart = chain::leaves_nothing(command) && chain::looks_at_no_shell(command);
    known && redirects && !computed && apart && simple.assignments.is_empty()
}

/// The last RUN of a group with the commands of the others before its own.
fn merged(
    view: &View<'_>,
    stage: &StageView<'_>,
    group: &[usize],
    assumptions: BTreeSet<String>,
) -> Rewrite {
    let instruction = |n: &usize| view.file.instructions().at(stage.lines[*n].at);
    let (last, others) = group.split_last().unwrap_or((&0, &[]));
    let anchor = instruction(last);
    let end = view.source.line_end();
    let mut text = String::new();
    let mut edits = Vec::new();
    for other in others {
        let gone = instruction(other);
        // A comment stays with its command; the builder drops comment lines between continued ones.
        for comment in view.source.text(gone.leading_comments).lines() {
            if !text.is_empty() {
                text.push_str(&format!("    {}{end}", comment.trim()));
            }
        }
        let body = view.source.text(gone.arguments().span());
        if text.is_empty() {
            text.push_str(body.trim());
        } else {
            text.push_str(&format!("    {}", body.trim()));
        }
        text.push_str(&format!(" && {}{end}", view.file.directives.escape));
        let start = gone.leading_comments.start.min(gone.span.start);
        edits.push(Edit {
            span: Span {
                start,
                end: gone.span.end,
            },
            text: Vec::new(),
        });
    }
    // Its own comment is about its own command too.
    let own = anchor.leading_comments;
    for comment in view.source.text(own).lines() {
        text.push_str(&format!("    {}{end}", comment.trim()));
    }
    // What was said of the first one stands above all.
    let above = others.first().map(|o| instruction(o).leading_comments);
    let above = above.map(|span| view.source.text(span).into_owned());
    edits.push(Edit {
        span: Span {
            start: own.start.min(anchor.span.start),
            end: anchor.span.start,
        },
        text: above.unwrap_or_default().into_bytes(),
    });
    text.push_str("    ");
    let start = anchor.arguments().span().start;
    edits.push(Edit {
        span: Span { start, end: start },
        text: text.into_bytes(),
    });
    let lines: Vec<String> = others
        .iter()
        .map(|o| instruction(o).line.to_string())
        .collect();
    let first = others.first().map_or(anchor.line, |o| instruction(o).line);
    Rewrite {
        safety: Safety::Assumed,
        edits,
        ignore: Vec::new(),
        caches: Vec::new(),
        note: EditNote {
            rewrite: "merge-run",
            safety: Safety::Assumed,
            line: first,
            end_line: anchor.end_line,
            why: format!(
                "line{} {} {} part of the RUN of line {}: one step and one layer in place of {}",
                if lines.len() == 1 { "" } else { "s" },
                lines.join(", "),
                if lines.len() == 1 {
                    "becomes"
                } else {
                    "become"
                },
                anchor.line,
                group.len(),
            ),
            assumptions: assumptions.into_iter().collect(),
        },
    }
}
