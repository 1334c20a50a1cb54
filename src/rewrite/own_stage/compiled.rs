//! A RUN that writes over files which a COPY brings: it gets a stage of its own, with what it looks at.
//!
//! ```text
//!                                   FROM python AS app-base
//!                                   RUN pip install babel
//! FROM python                       FROM app-base AS app-po
//! RUN pip install babel             COPY src/po /app/po/
//! COPY src /app               ->    RUN pybabel compile -d /app/po
//! RUN pybabel compile -d /app/po    FROM app-base
//!                                   COPY src /app
//!                                   COPY --from=app-po /app/po /app/po
//! ```
//!
//! Goes in: a RUN behind the COPY of a project that holds what the RUN makes as well. Comes out: the edits. Before the COPY the RUN
//! cannot stand, whose files would come over its own; what it made is copied over them instead. Invariant: all that the RUN writes
//! and somebody wants lies in one folder, of which the COPY brings everything.

use super::super::flow::{free_name, gap};
use super::super::reorder::block;
use super::super::split_copy::{lines, wanted};
use super::super::{EditNote, Line, Rewrite, Safety, StageView, View};
use super::{leaves_only, may_stand_below, plain};
use crate::dockerfile::Kind;
use crate::footprint::Extent;
use crate::plan::{Base, StepKind};
use crate::source::Edit;

/// Tools that leave what they make beside what they make it of, and nothing else that anybody wants.
const TOOLS: [&str; 1] = ["pybabel"];

/// The rewrite for one RUN.
pub(super) fn one(view: &View<'_>, stage: &StageView<'_>, at: usize) -> Option<Rewrite> {
    let run = &stage.lines[at];
    let step = run.step.filter(|s| s.kind == StepKind::Run)?;
    let needs = run.needs?.as_ref().ok()?;
    let footprint = step.footprint.as_ref()?;
    let [used] = footprint.uses.as_slice() else {
        return None;
    };
    let mut commands = footprint.commands.iter();
    let alone = TOOLS.contains(&used.tool.as_str()) && commands.all(|c| *c == used.tool);
    let bare = step.inputs.is_empty() && step.mount_targets.is_empty();
    let folder = match needs.adds.iter().collect::<Vec<_>>()[..] {
        [one] if one.extent == Extent::Subtree && one.path.bytes().all(plain) => one,
        _ => return None,
    };
    let over = needs.writes.iter().all(|w| folder.covers(w)) && !needs.writes.is_empty();
    let lost = !leaves_only(footprint, folder);
    if !alone || !bare || !over || lost || !needs.names.is_empty() {
        return None;
    }
    // The COPY that brings the folder; what stands between the two is no matter to the RUN, or sets its shell up.
    let (mut between, mut rests_on) = (Vec::new(), Vec::new());
    let mut found = None;
    for (index, line) in stage.lines[..at].iter().enumerate().rev() {
        let kind = view.file.instructions().at(line.at).kind();
        match ((view.commute)(stage.stage, index, at), kind) {
            _ if line.barrier => return None,
            (
                _,
                Kind::Env(_) | Kind::Arg(_) | Kind::Workdir(_) | Kind::User(_) | Kind::Shell(_),
            ) => {
                between.push(line);
            }
            (Some(more), _) => rests_on.extend(more),
            (None, Kind::Copy(_)) => {
                found = Some(index);
                break;
            }
            (None, _) => return None,
        }
    }
    between.reverse();
    let ground = found.filter(|g| *g > 0)?;
    let copy = &stage.lines[ground];
    if !may_stand_below(view, stage, ground) {
        return None;
    }
    if !matches!(
        view.plan.stages[stage.stage].base,
        Base::Image(_) | Base::Stage(_)
    ) {
        return None;
    }
    let taken = wanted(view, stage.layout, copy, &needs.reads)?;
    let brings_all = taken.folders.contains_key(&folder.path);
    let copies = lines(view, copy, &taken.files, &taken.folders).filter(|_| brings_all)?;
    let from = view
        .file
        .instructions()
        .at(view.plan.stages[stage.stage].from);
    let Kind::From { image, alias } = from.kind() else {
        return None;
    };
    let end = view.source.line_end();
    let block_of =
        |line: &Line<'_>| block(view.source.bytes(), view.file.instructions().at(line.at));
    let text = |line: &Line<'_>| view.source.text(block_of(line)).into_owned();
    let own = alias.as_ref().map_or("final", |a| &**a);
    let base = free_name(view, &format!("{own}-base"))?;
    let what = folder.path.rsplit('/').next()?;
    let name = free_name(view, &format!("{own}-{what}"))?;
    if !name.bytes().all(plain) || name.contains(['/', '@']) || name != name.to_lowercase() {
        return None;
    }
    let copies: String = copies.iter().map(|l| format!("{l}{end}")).collect();
    let settings: String = between.iter().map(|l| text(l)).collect();
    let back = match alias {
        Some(alias) => format!("FROM {base} AS {}", alias),
        None => format!("FROM {base}"),
    };
    let image_end = image.span().end;
    let alias_edit = match alias {
        Some(alias) => Edit {
            span: alias.span(),
            text: base.clone().into_bytes(),
        },
        None => Edit::insert(image_end, format!(" AS {base}")),
    };
    let place = &folder.path;
    let edits = vec![
        alias_edit,
        Edit::insert(
            block_of(copy).start,
            format!(
                "{}FROM {base} AS {name}{end}{copies}{settings}{}{end}{back}{end}",
                gap(view, block_of(copy).start),
                text(run)
            ),
        ),
        Edit {
            span: block_of(run),
            text: format!("COPY --from={name} {place} {place}{end}").into_bytes(),
        },
    ];
    let instruction = view.file.instructions().at(run.at);
    rests_on.extend(needs.assumptions.iter().cloned());
    rests_on.push(format!(
        "{} leaves in {place} all that anybody wants of it: bytecode of its own modules, which it may leave beside them, is not",
        used.tool
    ));
    rests_on.sort();
    rests_on.dedup();
    Some(Rewrite {
        safety: Safety::Assumed,
        edits,
        ignore: Vec::new(),
        caches: Vec::new(),
        note: EditNote {
            rewrite: "move-to-stage",
            safety: Safety::Assumed,
            line: instruction.line,
            end_line: instruction.end_line,
            why: format!(
                "{} gets a stage of its own, {name}, and what it made is copied over the files of the project: an edit of the rest of line {} no longer runs it again",
                used.tool,
                view.file.instructions().at(copy.at).line
            ),
            assumptions: rests_on,
        },
    })
}
