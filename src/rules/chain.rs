//! The shape of a RUN's script, and how a command is added to it or taken out.
//!
//! Goes in: a RUN. Comes out: edits, or nothing where the shape is not plain. Linear. Invariant: an added command runs only where all of the RUN went
//! well, and the RUN fails where it failed before; line ends and the escape character are those of the file.

use super::{FileEdit, Run, View};
use crate::shell::{CommandKind, ListOperator};
use crate::source::Span;

/// Where the RUN's last command ends, given that nothing follows.
fn end(view: &View<'_>, run: &Run<'_>) -> Option<u32> {
    let last = run.script.commands.last()?;
    let end = run.place(last.span).end;
    let rest = run.text.get(last.span.end as usize..)?;
    let behind = Span {
        start: end,
        end: run.ins.span.end,
    };
    let plain = rest.trim().is_empty() && !last.background;
    (plain && view.source.text(behind).trim().is_empty()).then_some(end)
}

/// Whether the script stops at the first command that fails.
pub fn stops(run: &Run<'_>) -> bool {
    let first = run.calls.first();
    first.is_some_and(|c| c.program == "set" && (c.has_letter('e') || c.has("errexit")))
}

/// Whether it always ends with `exit`, or with another program in the shell's place: nothing that is written behind would run.
fn leaves(run: &Run<'_>) -> bool {
    let replaced =
        |c: &super::call::Call| c.program == "exit" || c.through.iter().any(|t| t == "exec");
    run.calls.iter().any(|c| c.always && replaced(c))
}

/// Edits that add a command behind the last one of a RUN; `None` where its shape is not plain.
pub fn append(view: &View<'_>, run: &Run<'_>, command: &str) -> Option<Vec<FileEdit>> {
    let foreign = run.script.has_unknown() || run.ins.keyword != "RUN";
    if foreign || run.text.is_empty() || leaves(run) {
        return None;
    }
    if run.is_heredoc() {
        return append_line(view, run, command);
    }
    let at = end(view, run)?;
    let (escape, eol) = (view.tree.directives.escape, view.source.line_end());
    let source = view.source.text(run.ins.span);
    let lines: Vec<&str> = source.lines().skip(1).collect();
    let code = |l: &&&str| !l.trim().is_empty() && !l.trim_start().starts_with('#');
    let indent = |l: &str| l[..l.len() - l.trim_start().len()].to_owned();
    let leading = lines.iter().find(|l| l.trim_start().starts_with("&&"));
    let deep = lines
        .iter()
        .filter(code)
        .map(|l| indent(l))
        .min_by_key(String::len);
    let several = run.script.commands.len() > 1;
    let text = match (leading, deep) {
        (Some(line), _) => format!(" {escape}{eol}{}&& {command}", indent(line)),
        (None, Some(deep)) if several && stops(run) => {
            format!("; {escape}{eol}{deep}{command}")
        }
        (None, Some(deep)) => format!(" && {escape}{eol}{deep}{command}"),
        (None, None) if several && stops(run) => format!("; {command}"),
        (None, None) => format!(" && {command}"),
    };
    Some(vec![FileEdit::insert(at, text)])
}

/// As [`append`], for a script in a heredoc.
fn append_line(view: &View<'_>, run: &Run<'_>, command: &str) -> Option<Vec<FileEdit>> {
    let [doc] = run.ins.heredocs() else {
        return None;
    };
    // The heredoc is the whole script, not what a command reads.
    let whole = run.ins.arguments().trim() == doc.word && stops(run);
    if !whole || doc.body.trim_end().ends_with(['\\', '&', '|']) || !doc.body.ends_with('\n') {
        return None;
    }
    let last = doc.body.lines().rev().find(|l| !l.trim().is_empty())?;
    let inside = last.trim_start();
    // A shell that is named in a first line may be another one.
    if inside.starts_with('#') || doc.body.starts_with("#!") || doc.body.contains("<<") {
        return None;
    }
    let least = doc.body.lines().filter(|l| !l.trim().is_empty());
    let indent = least
        .map(|l| &l[..l.len() - l.trim_start().len()])
        .min_by_key(|i| i.len())?;
    let text = format!("{indent}{command}{}", view.source.line_end());
    Some(vec![FileEdit::insert(doc.body_span.end, text)])
}

/// Edits that take a command out of a plain `&&` chain, with the `&&` before it; `None` for another shape, or where a comment would go too.
pub fn cut(view: &View<'_>, run: &Run<'_>, part: Span) -> Option<Vec<FileEdit>> {
    let chain = links(run)?;
    let at = chain.iter().position(|s| *s == part)?;
    let before = chain.get(at.checked_sub(1)?)?;
    let gone = Span {
        start: before.end,
        end: part.end,
    };
    let plain = !view
        .source
        .text(gone)
        .lines()
        .skip(1)
        .any(|l| l.trim_start().starts_with('#'));
    plain.then(|| vec![FileEdit::here(gone, "")])
}

/// The commands of a RUN that is one plain `&&` chain, as they stand in the file.
pub fn links<'r>(run: &'r Run<'_>) -> Option<&'r [Span]> {
    run.links.get_or_init(|| links_of(run)).as_deref()
}

fn links_of(run: &Run<'_>) -> Option<Vec<Span>> {
    let [only] = run.script.commands.as_slice() else {
        return None;
    };
    if only.background || !only.redirects.is_empty() || run.is_heredoc() {
        return None;
    }
    match &only.kind {
        CommandKind::List { first, rest } => {
            let plain = rest
                .iter()
                .all(|(o, c)| *o == ListOperator::And && !c.background);
            let all = std::iter::once(first.as_ref()).chain(rest.iter().map(|(_, c)| c));
            plain.then(|| all.map(|c| run.place(c.span)).collect())
        }
        CommandKind::Simple(_) => Some(vec![run.place(only.span)]),
        _ => None,
    }
}
