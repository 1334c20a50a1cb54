//! An archive of the context that is copied in and then unpacked by a RUN.

use super::fetch::{MOST, base, is_archive, same, takes_away, unpacks};
use crate::diagnostic::Severity;
use crate::dockerfile::{Instruction, Kind, Text};
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};
use crate::source::Span;

/// `archive-copied`.
pub static RULE: Rule = Rule {
    name: "archive-copied",
    severity: Severity::Warning,
    summary: "an archive is copied into the image and unpacked there, so the image holds its bytes twice",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let mut seen = 0;
    for stage in view.image_stages() {
        for (at, ins) in view.instructions(stage) {
            let Kind::Copy(transfer) = ins.kind() else {
                continue;
            };
            let Some(source) = transfer.sources.only() else {
                continue;
            };
            if is_archive(&source)
                && !source.contains(['*', '?', '['])
                && transfer.inline.is_empty()
            {
                seen += 1;
                if seen > MOST {
                    return;
                }
                judge(view, stage, at, (ins, source), out);
            }
        }
    }
}

fn judge(
    view: &View<'_>,
    stage: usize,
    at: usize,
    (ins, source): (Instruction<'_>, Text<'_>),
    out: &mut Findings<'_>,
) {
    let shown = base(&source);
    let Some(dest) = view.step(at).and_then(|s| s.dest.as_ref()) else {
        return;
    };
    let Some(path) = dest.best() else { return };
    let file = match dest.is_dir {
        true => format!("{}/{shown}", path.trim_end_matches('/')),
        false => path.to_owned(),
    };
    let later = view
        .runs
        .iter()
        .filter(|r| r.stage == Some(stage) && r.instruction > at);
    let found = later.into_iter().find_map(|r| {
        let call = r.calls.iter().find(|c| unpacks(c, &file).is_some())?;
        Some((r, call))
    });
    let Some((run, call)) = found else { return };
    let gone = run.calls.iter().any(|c| takes_away(c, &file));
    let end = match gone {
        true => "removing it there does not make this layer smaller",
        false => "the image holds it twice",
    };
    let line = view.source.line(call.span.start);
    let message =
        format!("`{shown}` is copied into a layer of its own and unpacked in line {line}: {end}");
    let finding = out.at(ins.keyword_span(), message);
    let remote = ins.flag("from").is_some();
    let tar = call.program == "tar" && !remote;
    finding.help(match tar {
        true => {
            "let ADD unpack it, or mount it into the RUN: `RUN --mount=type=bind,source=…,target=…`"
        }
        false => "mount it into the RUN that unpacks it: `RUN --mount=type=bind,source=…,target=…`",
    });
    if !gone && let Some(edits) = mounted(view, at, run, &source, &file) {
        finding.fix(Safety::Assumed, edits);
    }
}

/// The COPY taken out, the mount put into the RUN behind it.
fn mounted(
    view: &View<'_>,
    at: usize,
    run: &Run<'_>,
    source: &str,
    file: &str,
) -> Option<Vec<FileEdit>> {
    let ins = view.tree.instructions().get(at)?;
    let plain = |w: &str| !w.contains([',', ' ', '"', '\'', '$', '\\']);
    let others = view.tree.instructions().iter().enumerate();
    let named = others
        .filter(|(i, _)| *i != at && *i != run.instruction)
        .any(|(_, i)| i.original().contains(base(file)));
    // Anything that writes to the file would fail on a mount.
    let reads = run.calls.iter().all(|c| {
        let names = c.arguments.iter().any(|a| same(a.shown(), file));
        !names || unpacks(c, file).is_some()
    });
    let ok = run.instruction == at + 1
        && ins.flags().is_empty()
        && !run.is_heredoc()
        && !run.text.is_empty()
        && plain(source)
        && plain(file)
        && !named
        && reads
        && !view.source.text(ins.span).contains('#');
    if !ok {
        return None;
    }
    let keyword = run.ins.keyword_span();
    let source = source.trim_start_matches("./").trim_start_matches('/');
    let text = format!(" --mount=type=bind,source={source},target={file}");
    // Comments above the COPY go with what they are about: they stay.
    let span = Span {
        start: ins.span.start,
        end: ins.span.end,
    };
    Some(vec![
        FileEdit::here(span, ""),
        FileEdit::insert(keyword.end, text),
    ])
}
