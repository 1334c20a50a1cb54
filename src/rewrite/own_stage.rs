//! An install that stands in one stage with work that has nothing to do with it: it gets a stage of its own.
//!
//! ```text
//!                                 FROM elixir AS build-base
//!                                 RUN apt-get install -y npm
//! FROM elixir AS build            FROM build-base AS build-assets
//! RUN apt-get install -y npm      COPY package.json package-lock.json ./
//! COPY mix.exs ./                 RUN npm ci
//! RUN mix deps.get          ->    FROM build-base AS build
//! COPY package.json … ./          COPY mix.exs ./
//! RUN npm ci                      RUN mix deps.get
//! COPY . .                        COPY package.json … ./
//!                                 COPY --from=build-assets /node_modules /node_modules
//!                                 COPY . .
//! ```
//!
//! Precondition: what the install needs of the project is known, and it leaves one folder of packages; it commutes with some
//! other work of the stage; the stage is no part of the image, and nothing takes the tool's own folders from it. Safety: assumed. In
//! whatever order, one of the two would run again for what only the other reads.

mod compiled;

use super::caches::{image_of, runner};
use super::flow::{
    flags_of, free_name, gap, leaves_triggers, loses_command, names_stages_by_number, shows_caches,
};
use super::layout::Laid;
use super::reorder::block;
use super::{EditNote, Line, Rewrite, Safety, StageView, View};
use crate::dockerfile::Kind;
use crate::footprint::{Class, Extent, Footprint, PathClaim, Use};
use crate::plan::{Base, Input, StepKind};
use crate::source::{Edit, Span};

/// Tools that leave what they install in one folder of the project, and nothing else of it anywhere.
const TOOLS: [&str; 3] = ["npm", "yarn", "yarnpkg"];

/// One rewrite for every such install.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    if names_stages_by_number(view) {
        return Vec::new();
    }
    let mut found = view.at_every_line(|stage, at| one(view, stage, at));
    found.extend(view.at_every_line(|stage, at| compiled::one(view, stage, at)));
    found
}

/// What becomes of the lines above an install.
struct Above<'v, 'a> {
    /// How many stay the ground of both stages.
    ground: usize,
    /// Those that the install needs: variables, folders, manifests.
    needed: Vec<&'v Line<'a>>,
    /// What they and the rest rest on.
    rests_on: Vec<String>,
}

fn one(view: &View<'_>, stage: &StageView<'_>, at: usize) -> Option<Rewrite> {
    let run = &stage.lines[at];
    let step = run.step.filter(|s| s.kind == StepKind::Run)?;
    let needs = run.needs?.as_ref().ok()?;
    let footprint = step.footprint.as_ref()?;
    let [used] = footprint.uses.as_slice() else {
        return None;
    };
    let alone = footprint
        .commands
        .iter()
        .all(|c| *c == used.tool || c == "cd");
    let installs = TOOLS.contains(&used.tool.as_str()) && step.classes == [Class::Install];
    // What a mount shows is for it alone.
    let plain = step.inputs.is_empty() && step.mount_targets.is_empty();
    if !alone || !installs || !plain || needs.afterwards.is_some() {
        return None;
    }
    let folder = packages(view, stage, run, used)?;
    if !leaves_only(footprint, &PathClaim::subtree(&*folder)) {
        return None;
    }
    // A COPY makes the folder root's, and another user could write nothing into it.
    let runner = runner(view.plan, step, &image_of(view.plan, stage.stage).ok()?).ok()?;
    if runner.ids.is_some() {
        return None;
    }
    if shows_caches(view.plan, stage.stage) {
        return None;
    }
    let Above {
        ground,
        needed,
        mut rests_on,
    } = above(view, stage, at)?;
    let from = view
        .file
        .instructions()
        .at(view.plan.stages[stage.stage].from);
    let Kind::From {
        image,
        alias: Some(alias),
    } = from.kind()
    else {
        return None;
    };
    let end = view.source.line_end();
    let text = |line: &Line<'_>| {
        let span = block(view.source.bytes(), view.file.instructions().at(line.at));
        view.source.text(span).into_owned()
    };
    let name = free_name(view, &format!("{}-packages", alias))?;
    let body: String = needed.iter().map(|l| text(l)).chain([text(run)]).collect();
    let mut edits = Vec::new();
    let first = stage.lines.get(ground)?;
    if ground == 0 {
        // The whole stage has nothing in common with it but the image.
        let flags = flags_of(from);
        let written = view.source.text(image.span());
        let start = from.leading_comments.start.min(from.span.start);
        edits.push(Edit {
            span: Span { start, end: start },
            text: format!("FROM {flags}{written} AS {name}{end}{body}{end}").into_bytes(),
        });
    } else {
        if !may_stand_below(view, stage, ground) {
            return None;
        }
        let base = free_name(view, &format!("{}-base", alias))?;
        let start = block(view.source.bytes(), view.file.instructions().at(first.at)).start;
        edits.push(Edit {
            span: alias.span(),
            text: base.clone().into_bytes(),
        });
        edits.push(Edit {
            span: Span { start, end: start },
            text: format!(
                "{}FROM {base} AS {name}{end}{body}{end}FROM {base} AS {}{end}",
                gap(view, start),
                alias
            )
            .into_bytes(),
        });
    }
    edits.push(Edit {
        span: block(view.source.bytes(), view.file.instructions().at(run.at)),
        text: format!("COPY --from={name} {folder} {folder}{end}").into_bytes(),
    });
    let instruction = view.file.instructions().at(run.at);
    rests_on.extend(needs.assumptions.iter().cloned());
    rests_on.extend(runner.assumption);
    rests_on.push(format!(
        "{} leaves in {folder} all that later commands want of it, and they find it there just as well when it was copied",
        used.tool
    ));
    rests_on.sort();
    rests_on.dedup();
    Some(Rewrite {
        safety: Safety::Assumed,
        edits,
        ignore: Vec::new(),
        caches: vec![(stage.stage, used.tool.clone())],
        note: EditNote {
            rewrite: "move-to-stage",
            safety: Safety::Assumed,
            line: instruction.line,
            end_line: instruction.end_line,
            why: format!(
                "{} gets a stage of its own, {name}: what the rest of {} needs no longer runs it again",
                used.tool, alias
            ),
            assumptions: rests_on,
        },
    })
}

/// The one folder that an install leaves in the project, where there is something to install.
fn packages(view: &View<'_>, stage: &StageView<'_>, run: &Line<'_>, used: &Use) -> Option<String> {
    let needs = run.needs?.as_ref().ok()?;
    let writes: Vec<&PathClaim> = needs.writes.union(&needs.adds).collect();
    let [only] = writes.as_slice() else {
        return None;
    };
    let top = only.path.strip_suffix("/node_modules")?;
    if only.extent != Extent::Subtree || !only.path.bytes().all(plain) {
        return None;
    }
    let below = stage.layout.first(run.layers);
    let laid = Laid {
        layout: &below,
        files: view.files,
    };
    let manifest = laid.context_path(&format!("{top}/package.json"))?;
    let bytes = view.files.read(&manifest)?;
    let json: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let some = |group: &str| {
        let list = json.get(group).and_then(serde_json::Value::as_object);
        list.is_some_and(|l| !l.is_empty())
    };
    let leaves_out = |a: &String| a.contains("omit") || a.contains("prod") || a.contains("only");
    let arguments = used.arguments.as_deref()?;
    let whole = !arguments.iter().any(leaves_out) && !used.variables.contains_key("NODE_ENV");
    (some("dependencies") || (whole && some("devDependencies"))).then(|| only.path.clone())
}

/// Whether the first lines of a stage may become one that others stand on: build arguments end with the stage that declares them,
/// triggers would run in all of them.
fn may_stand_below(view: &View<'_>, stage: &StageView<'_>, ground: usize) -> bool {
    let grounded = &stage.lines[..ground];
    let is_arg = |l: &Line<'_>| matches!(view.file.instructions().at(l.at).kind(), Kind::Arg(_));
    !grounded.iter().any(is_arg)
        && !leaves_triggers(view, grounded)
        && !loses_command(view, &stage.lines, ground)
}

/// Whether nothing beside the uses of the tools of a RUN writes outside of a folder: redirections do.
fn leaves_only(footprint: &Footprint, folder: &PathClaim) -> bool {
    let mut writes = footprint.beside_uses().flat_map(|e| &e.writes);
    writes.all(|w| folder.covers(w))
}

fn plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"._-/@".contains(&b)
}

/// Which lines above an install it needs and which are no matter to it; `None` where no other work of the stage is.
fn above<'v, 'a>(view: &View<'_>, stage: &'v StageView<'a>, at: usize) -> Option<Above<'v, 'a>> {
    let works = |line: &Line<'_>| {
        let heavy = |c: &Class| matches!(c, Class::Install | Class::Build | Class::SystemPackages);
        line.step
            .is_some_and(|s| s.kind == StepKind::Run && s.classes.iter().any(heavy))
    };
    let mut found = Above {
        ground: 0,
        needed: Vec::new(),
        rests_on: Vec::new(),
    };
    let mut beside = false;
    for (index, line) in stage.lines[..at].iter().enumerate().rev() {
        let kind = view.file.instructions().at(line.at).kind();
        let apart = (view.commute)(stage.stage, index, at);
        let of_context = || {
            let inputs = line.step.map_or(&[][..], |s| &s.inputs);
            inputs.iter().all(|i| matches!(i, Input::Context(_)))
        };
        match (kind, apart) {
            _ if line.barrier => {
                found.ground = index + 1;
                break;
            }
            (
                Kind::Env(_) | Kind::Arg(_) | Kind::Workdir(_) | Kind::User(_) | Kind::Shell(_),
                _,
            ) => {
                found.needed.push(line);
            }
            (Kind::Copy(_) | Kind::Run(_), Some(rests_on)) => {
                beside |= works(line);
                found.rests_on.extend(rests_on);
            }
            (Kind::Copy(_), None) if of_context() => found.needed.push(line),
            (Kind::Label(_) | Kind::Expose(_), _) => {}
            _ => {
                found.ground = index + 1;
                break;
            }
        }
    }
    for (index, line) in stage.lines.iter().enumerate().skip(at + 1) {
        if line.barrier || beside {
            break;
        }
        beside |= works(line) && (view.commute)(stage.stage, at, index).is_some();
    }
    // A line of the ground that only sets variables belongs to neither.
    found.needed.reverse();
    let image = matches!(
        view.plan.stages[stage.stage].base,
        Base::Image(_) | Base::Stage(_)
    );
    (beside && image).then_some(found)
}
