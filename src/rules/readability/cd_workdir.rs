//! RUNs that start with `cd`, where a WORKDIR says the same once.

use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::pattern::clean;
use crate::rewrite::Safety;
use crate::rules::chain::links;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};
use crate::source::Span;

/// `cd-workdir`.
pub static RULE: Rule = Rule {
    name: "cd-workdir",
    severity: Severity::Note,
    summary: "a `cd` at the start of RUNs stands for a WORKDIR",
    also: &["DL3003"],
    check: Check::Dockerfile(check),
};

/// A RUN that starts with `cd` to a folder that is known, and stays there.
struct Moves<'v, 'a> {
    run: &'v Run<'a>,
    folder: String,
    /// Where the RUN starts.
    from: Option<String>,
    cd: Span,
}

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let moves: Vec<Moves<'_, '_>> = view.runs.iter().filter_map(|r| moves(view, r)).collect();
    let mut seen = 0;
    for (i, one) in moves.iter().enumerate() {
        if one.from.as_deref() == Some(&one.folder) {
            already(view, one, out);
            continue;
        }
        if i < seen {
            continue;
        }
        // RUNs in a row that all go to the same folder.
        let mut last = i;
        while let Some(next) = moves.get(last + 1) {
            if next.folder != one.folder || !is_next(view, moves[last].run, next.run) {
                break;
            }
            last += 1;
        }
        seen = last + 1;
        let group = &moves[i..=last];
        if let Some(ahead) = is_workdir_next(view, moves[last].run, &one.folder) {
            moved_up(group, ahead, out);
        } else if group.len() > 1 {
            several(view, group, out);
        } else if is_last(view, one.run) {
            ends(one, out);
        }
    }
}

fn moves<'v, 'a>(view: &View<'a>, run: &'v Run<'a>) -> Option<Moves<'v, 'a>> {
    let first = run.calls.first()?;
    let plain = first.program == "cd"
        && first.always
        && !first.guarded
        && first.pipes_into == 0
        && first.redirects.is_empty()
        && first.assigns.is_empty()
        && first.through.is_empty();
    let others = run.calls.iter().skip(1);
    let stays = others.clone().count() > 0
        && !others
            .clone()
            .any(|c| matches!(c.program.as_str(), "cd" | "pushd" | "popd"));
    let [only] = first.arguments.as_slice() else {
        return None;
    };
    // `(cd x && …); …` leaves the folder again.
    let top = run.script.commands.first()?;
    let open = matches!(
        top.kind,
        crate::shell::CommandKind::List { .. } | crate::shell::CommandKind::Simple(_)
    );
    if !plain || !stays || !open || run.step.is_none() || run.ins.keyword != "RUN" {
        return None;
    }
    let state = view.plan.states.get(run.instruction)?.as_ref()?;
    let target = only
        .value
        .as_deref()
        .filter(|v| !v.is_empty() && *v != "-" && !v.starts_with('~'))?;
    let folder = match (target.starts_with('/'), &state.cwd) {
        (true, _) => clean(target),
        (false, Some(cwd)) => clean(&format!("{cwd}/{target}")),
        (false, None) => return None,
    };
    // A folder that is gone afterwards, or is there for this RUN only.
    let thrown = others.clone().any(|c| {
        c.program == "rm"
            && c.known()
                .any(|w| clean(w) == folder || w.ends_with(target) || w == "../*")
    });
    (!thrown && !run.is_mounted(&folder)).then_some(Moves {
        run,
        folder,
        from: state.cwd.clone(),
        cd: first.span,
    })
}

/// One RUN stands right behind another, comments aside.
fn is_next(view: &View<'_>, one: &Run<'_>, next: &Run<'_>) -> bool {
    next.instruction == one.instruction + 1
        && one.stage == next.stage
        && view.plan.states.get(next.instruction).is_some()
}

/// The line of a WORKDIR of that folder right behind a RUN.
fn is_workdir_next(view: &View<'_>, run: &Run<'_>, folder: &str) -> Option<u32> {
    let next = view.tree.instructions().get(run.instruction + 1)?;
    let Kind::Workdir(_) = next.kind() else {
        return None;
    };
    let step = view.step(run.instruction + 1)?;
    let dest = step.dest.as_ref()?.sure()?;
    (dest == folder && view.stage_of(run.instruction + 1) == run.stage).then_some(next.line)
}

/// Nothing behind the RUN depends on where its stage ends: no step follows, no stage starts from it, it is no image.
fn is_last(view: &View<'_>, run: &Run<'_>) -> bool {
    let Some(stage) = run.stage.filter(|s| !view.is_of_image(*s)) else {
        return false;
    };
    let follows = view.instructions(stage).any(|(at, ins)| {
        at > run.instruction && !matches!(ins.kind(), Kind::Env(_) | Kind::Label(_) | Kind::Arg(_))
    });
    let base = |s: &crate::plan::Stage| s.base == crate::plan::Base::Stage(stage);
    !follows && !view.plan.stages.iter().any(base)
}

fn ends(one: &Moves<'_, '_>, out: &mut Findings<'_>) {
    let message = format!(
        "the last step of this stage starts with `cd {}`",
        one.folder
    );
    out.at(one.cd, message).help(format!(
        "write `WORKDIR {}` above it and no `cd`: nothing behind it depends on the working directory",
        one.folder
    ));
}

fn already(view: &View<'_>, one: &Moves<'_, '_>, out: &mut Findings<'_>) {
    let message = format!(
        "`{}` is the working directory already, this `cd` changes nothing",
        one.folder
    );
    let finding = out.at(one.cd, message);
    finding.help("drop the `cd`");
    let Some(links) = links(one.run) else {
        return;
    };
    let [first, second, ..] = links else {
        return;
    };
    let gone = Span {
        start: first.start,
        end: second.start,
    };
    if *first == one.cd && !view.source.text(gone).contains('#') {
        finding.fix(Safety::Assumed, vec![FileEdit::here(gone, "")]);
    }
}

fn several(view: &View<'_>, group: &[Moves<'_, '_>], out: &mut Findings<'_>) {
    let one = &group[0];
    let lines: Vec<String> = group
        .iter()
        .map(|m| view.source.line(m.cd.start).to_string())
        .collect();
    let message = format!(
        "{} RUNs in a row start with `cd {}` (lines {})",
        group.len(),
        one.folder,
        lines.join(", ")
    );
    out.at(one.cd, message).help(format!(
        "write `WORKDIR {}` above the first of them: it also makes the folder, and holds for what follows until the next WORKDIR",
        one.folder
    ));
}

fn moved_up(group: &[Moves<'_, '_>], ahead: u32, out: &mut Findings<'_>) {
    let one = &group[0];
    let message = format!(
        "this RUN starts with `cd {}`, which is the WORKDIR of line {ahead} right behind it",
        one.folder
    );
    out.at(one.cd, message).help(format!(
        "write `WORKDIR {}` above this RUN, and no `cd`; it also makes the folder if it is not there",
        one.folder
    ));
}
