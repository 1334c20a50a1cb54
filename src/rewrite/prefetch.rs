//! Downloads before builds: a RUN that fetches what the manifests name, so that an edit of the sources builds only.
//!
//! ```text
//! COPY . .                 COPY go.mod go.sum ./
//! RUN go build .    ->     RUN go mod download
//!                          COPY . .
//!                          RUN go build .
//! ```
//!
//! Precondition: the build is of a tool that keeps what it fetched in a cache of its own ([`super::needs::prefetch`]), the stage is not
//! part of the image, so that the cache may hold more, and nothing between sets the tool up. Safety: assumed.

use super::needs::{self, Command, prefetch};
use super::projection;
use super::split_copy::{First, manifests_first};
use super::{EditNote, Line, Rewrite, Safety, StageView, View};
use crate::dockerfile::Kind;
use crate::footprint::{PathClaim, PathSet, Use};
use crate::plan::{Base, Step, StepKind};
use crate::rewrite::flow::{flags_of, is_plain, shows_caches};
use crate::rewrite::layout::Laid;
use crate::rewrite::reorder::block;
use crate::source::{Edit, Span};
use std::collections::BTreeSet;

/// What may stand before the build in its own RUN: it sets nothing up that a download needs.
const BEFORE: &[&str] = &["cd", "set", "true", ":", "ls", "pwd", "[", "test"];

/// Variables that a RUN may give its tool on the way, and that the download has to have as well.
const HANDED_ON: &[&str] = &[
    "COMPOSER_ALLOW_SUPERUSER",
    "COMPOSER_CACHE_DIR",
    "COMPOSER_MEMORY_LIMIT",
    "COMPOSER_NO_INTERACTION",
];

/// One rewrite for every RUN that fetches and builds.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    view.at_every_line(|stage, at| one(view, stage, at, Way::Lines))
}

/// How the manifests come before the download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By lines that name them.
    Lines,
    /// By way of a stage that holds nothing else ([`super::projection`]).
    Stage,
}

/// The download before one RUN.
pub(super) fn one(view: &View<'_>, stage: &StageView<'_>, at: usize, way: Way) -> Option<Rewrite> {
    let line = &stage.lines[at];
    let step = line.step?;
    let footprint = step.footprint.as_ref()?;
    let instruction = view.file.instructions().at(line.at);
    if !matches!(instruction.kind(), Kind::Run(_)) || !instruction.heredocs().is_empty() {
        return None;
    }
    // It is for the one that fetches: the first of its tool, with nothing before it that installs.
    let builds = |u: &&Use| u.fetches().is_some_and(|(_, builds)| builds);
    let by_name = footprint.uses.iter().find(builds);
    // What a Makefile runs is as near as its text says: enough for a download that the build can do without.
    let of_recipes = || {
        let tool = |u: &&Use| matches!(u.tool.as_str(), "go" | "cargo") && builds(u);
        let make = footprint.uses.iter().find(|u| u.tool == "make");
        footprint.recipes.iter().find(tool).zip(make)
    };
    let (used, stands) = match by_name {
        Some(used) => (used, used),
        None => of_recipes()?,
    };
    if !step.classes.contains(&crate::footprint::Class::Install) {
        return None;
    }
    let first = footprint.uses.first()?;
    let writes_before = footprint
        .evidence
        .iter()
        .filter(|e| e.span.start < stands.span.start && e.span != stands.span)
        .any(|e| !e.idle && !e.writes.is_empty());
    // A download without the network, or without a file that a mount shows, is another.
    let other_inputs = instruction.flags().iter().any(|f| {
        f.raw.starts_with("--network")
            || f.raw.contains("type=bind")
            || (f.raw.starts_with("--mount") && !f.raw.contains("type="))
    });
    if first != stands || writes_before || other_inputs {
        return None;
    }
    let before = footprint.commands.iter().take_while(|c| **c != stands.tool);
    if !before.into_iter().all(|c| BEFORE.contains(&c.as_str()))
        || sets_tool_up(view, used, &step.text)
    {
        return None;
    }
    // What the cache holds beyond what the build uses must not come to the image, so it does not stand on this stage either.
    // These keep what they would have kept.
    let same = used.installs().is_some();
    if !same && shows_caches(view.plan, stage.stage) {
        return None;
    }
    let below = stage.layout.first(line.layers);
    let laid = Laid {
        layout: &below,
        files: view.files,
    };
    let command = Command {
        tool: &used.tool,
        arguments: used.arguments.as_deref()?,
        dir: used.dir.as_deref()?,
        variables: &used.variables,
    };
    let mut found = prefetch::prefetch(&command, &laid).ok()?;
    let first = match way {
        Way::Lines => manifests_first(view, stage, at, &found.needs.reads, false),
        Way::Stage => None,
    };
    let cut = match way {
        Way::Lines => None,
        Way::Stage => {
            let beside = found.beside.as_ref().map(|b| &b.files);
            let cut = projection::manifests(view, stage, at, &found.needs.reads, beside)?;
            if let Some(beside) = found.beside {
                found.script = beside.script;
            }
            Some(cut)
        }
    };
    let broad = (0..at).find(|i| brings_more(view, &stage.lines[*i], &found.needs))?;
    let (mut edits, line_of, names) = match (first, &cut) {
        (Some(First { edits, copy, names }), _) => {
            (edits, view.file.instructions().at(copy).line, names)
        }
        (None, Some(cut)) => (
            vec![cut.copied.clone()],
            view.file.instructions().at(cut.copy).line,
            cut.names.clone(),
        ),
        (None, None) => (Vec::new(), instruction.line, BTreeSet::new()),
    };
    // A script that makes files for a moment and takes them away again must not meet real ones, and empty files must not
    // come over real ones: it comes before all that is copied, and the manifests with it.
    let mut place = instruction;
    let mut carried = Vec::new();
    if cut.is_some() || found.script.contains("rm ") {
        carried = variables_between(view, stage, broad..at)?;
        let alone = stands_alone(view, stage, broad, command.dir)
            && brings_all(&laid, &found.needs, &names);
        if !alone {
            return None;
        }
        place = view.file.instructions().at(stage.lines[broad].at);
        let start = place.leading_comments.start.min(place.span.start);
        edits
            .iter_mut()
            .for_each(|e| e.span = Span { start, end: start });
        // The variables that the build sees come first, for the download to see them as well.
        for line in &carried {
            let taken = block(view.source.bytes(), view.file.instructions().at(line.at));
            edits.push(Edit {
                span: Span { start, end: start },
                text: view.source.bytes()[taken.start as usize..taken.end as usize].to_vec(),
            });
        }
    }
    let at_place = stage
        .lines
        .iter()
        .find(|l| view.file.instructions().at(l.at).span == place.span)?;
    let cwd = view.plan.states.get(at_place.at)?.as_ref()?.cwd.clone();
    let dir = folder_with_manifests(&command, &found.needs, &laid, cwd.as_deref())?;
    if !is_plain(dir) {
        return None;
    }
    let cd = match cwd.as_deref() == Some(dir) {
        true => String::new(),
        false => format!("cd {dir} && "),
    };
    let flags = flags_of(instruction);
    let keyword = view.source.text(instruction.keyword_span());
    let end = view.source.line_end();
    let settings = handed_on(view, used, &step.text)?;
    let text = format!("{keyword} {flags}{cd}{settings}{}{end}", found.script);
    let start = place.leading_comments.start.min(place.span.start);
    edits.push(Edit {
        span: Span { start, end: start },
        text: text.into_bytes(),
    });
    for line in &carried {
        edits.push(Edit {
            span: block(view.source.bytes(), view.file.instructions().at(line.at)),
            text: Vec::new(),
        });
    }
    let mut assumptions = found.needs.assumptions.clone();
    if let Some(cut) = &cut {
        edits.insert(0, cut.stage.clone());
        assumptions.extend(cut.assumptions.iter().cloned());
    }
    if !std::ptr::eq(used, stands) {
        assumptions.push(format!(
            "{} runs `{} {}` in {}, as the Makefile says",
            stands.tool,
            used.tool,
            used.arguments.as_deref().and_then(|a| a.first())?,
            command.dir
        ));
    }
    assumptions.push(match same {
        true => format!(
            "{} leaves what the step before installed as it is, and adds the project",
            used.tool
        ),
        false => format!(
            "{} finds in its cache what the step before fetched, and fetches the same where it does not",
            used.tool
        ),
    });
    Some(Rewrite {
        safety: Safety::Assumed,
        edits,
        ignore: Vec::new(),
        caches: vec![(stage.stage, used.tool.clone())],
        note: EditNote {
            rewrite: match way {
                Way::Lines => "prefetch",
                Way::Stage => "projection",
            },
            safety: Safety::Assumed,
            line: instruction.line,
            end_line: instruction.end_line,
            why: match &cut {
                None => format!(
                    "{}: an edit of the sources that line {line_of} brings no longer fetches everything again",
                    found.why
                ),
                Some(cut) => format!(
                    "{}; {} come by way of a stage that keeps nothing else: an edit of the sources that line {line_of} brings no longer fetches everything again",
                    found.why,
                    cut.told()
                ),
            },
            assumptions,
        },
    })
}

/// The lines that set variables, where nothing but those and files comes between: no RUN that sets a tool up, no other
/// user or shell. All of them may stand before the files.
fn variables_between<'v, 'a>(
    view: &View<'_>,
    stage: &'v StageView<'a>,
    lines: std::ops::Range<usize>,
) -> Option<Vec<&'v Line<'a>>> {
    let mut out = Vec::new();
    for at in lines.clone() {
        let line = &stage.lines[at];
        match view.file.instructions().at(line.at).kind() {
            Kind::Copy(_) | Kind::Label(_) | Kind::Expose(_) => {}
            Kind::Env(_) | Kind::Arg(_) => {
                for before in lines.start..at {
                    let copies = stage.lines[before].step.is_some();
                    if copies {
                        (view.commute)(stage.stage, before, at)?;
                    }
                }
                out.push(line);
            }
            _ => return None,
        }
    }
    Some(out)
}

/// Whether nothing before a line has put anything into the project's folder: no COPY at all, and only RUNs that are
/// understood and write elsewhere.
fn stands_alone(view: &View<'_>, stage: &StageView<'_>, at: usize, dir: &str) -> bool {
    let project = PathSet::new(vec![PathClaim::subtree(dir)]);
    let apart = |step: &Step| match step.kind {
        StepKind::From | StepKind::Workdir => true,
        StepKind::Run => step
            .footprint
            .as_ref()
            .is_some_and(|f| f.opaque.is_none() && f.changes().overlaps(&project).is_none()),
        StepKind::Copy | StepKind::Add => false,
    };
    let mut below = match view.plan.stages[stage.stage].base {
        Base::Stage(b) => Some(b),
        _ => None,
    };
    while let Some(index) = below {
        let steps = &view.plan.stages[index].steps;
        if !steps.iter().all(|n| apart(&view.plan.graph[*n])) {
            return false;
        }
        below = match view.plan.stages[index].base {
            Base::Stage(b) => Some(b),
            _ => None,
        };
    }
    stage.lines[..at].iter().filter_map(|l| l.step).all(apart)
}

/// Whether the lines for the manifests bring every file that the download needs.
fn brings_all(laid: &Laid<'_>, needs: &needs::Needs, names: &BTreeSet<String>) -> bool {
    let brought = |from: &String| {
        let folder = |n: &String| n.ends_with('/') && from.starts_with(n.as_str());
        names.contains(from) || names.iter().any(folder)
    };
    needs
        .reads
        .iter()
        .flat_map(|c| laid.files_at(c))
        .all(|(_, from)| brought(&from))
}

/// Whether a COPY brings anything that the download does not need.
fn brings_more(view: &View<'_>, line: &Line<'_>, needs: &needs::Needs) -> bool {
    let all = PathClaim::subtree("/");
    let Some(step) = line.step else {
        return false;
    };
    if !matches!(step.kind, StepKind::Copy | StepKind::Add) {
        return false;
    }
    // What is not known may be anything.
    let Some(brought) = super::layout::brought_by(step, &all, view.files) else {
        return true;
    };
    let needed = |(place, _): &(String, String)| {
        let place = PathClaim::exact(&**place);
        needs.reads.iter().any(|c| c.covers(&place))
    };
    !brought.iter().all(needed)
}

/// Where the download starts: where the build does, if that folder is there by then; for go, which looks for its module
/// in the folders above, the first of them that is.
fn folder_with_manifests<'c>(
    command: &Command<'c>,
    needs: &needs::Needs,
    laid: &Laid<'_>,
    cwd: Option<&str>,
) -> Option<&'c str> {
    let there = |dir: &&str| {
        let inside = PathClaim::subtree(*dir);
        let brought = |c: &&PathClaim| inside.covers(c) && !laid.files_at(c).is_empty();
        cwd.is_some_and(|c| inside.covers(&PathClaim::exact(c)))
            || needs.reads.iter().any(|c| brought(&c))
    };
    let mut above = std::iter::successors(Some(command.dir), |d| match d.rsplit_once('/')? {
        ("", _) => None,
        (parent, _) => Some(parent),
    });
    match command.tool {
        "go" => above.find(there),
        _ => Some(command.dir).filter(there),
    }
}

/// The assignments that stand before the tool in its RUN, for the download; `None` where one has no plain value.
fn handed_on(view: &View<'_>, used: &Use, text: &str) -> Option<String> {
    let mut out = String::new();
    for (name, value) in &used.variables {
        if !HANDED_ON.contains(&name.as_str()) || !is_set_by(name, text) {
            continue;
        }
        let value = value.as_deref()?;
        if declares(view, name) || value.is_empty() || !is_plain(value) {
            return None;
        }
        out.push_str(&format!("{name}={value} "));
    }
    Some(out)
}

/// Whether an ENV or ARG of the file has this name.
fn declares(view: &View<'_>, name: &str) -> bool {
    view.file.instructions().iter().any(|i| match i.kind() {
        Kind::Env(list) => list.iter().any(|(n, _)| *n == *name),
        Kind::Arg(list) => list.iter().any(|(n, _)| *n == *name),
        _ => false,
    })
}

/// Whether a RUN gives a variable a value on the way.
fn is_set_by(name: &str, text: &str) -> bool {
    let set = format!("{name}=");
    text.split(|c: char| c.is_whitespace() || c == ';' || c == '&')
        .any(|w| w.starts_with(&set))
}

/// Whether the RUN sets variables of its tool that the Dockerfile does not.
fn sets_tool_up(view: &View<'_>, used: &Use, text: &str) -> bool {
    const HARMLESS: &[&str] = &[
        "GOOS",
        "GOARCH",
        "GOARM",
        "GOAMD64",
        "CGO_ENABLED",
        "GO111MODULE",
        "RUSTFLAGS",
        "CARGO_TERM_COLOR",
        "CARGO_INCREMENTAL",
        "CARGO_BUILD_JOBS",
    ];
    let prefixes: &[&str] = match used.tool.as_str() {
        "go" => &["GO", "CGO_"],
        "cargo" => &["CARGO", "RUST"],
        "mvn" => &["MAVEN", "M2_", "JAVA_"],
        "gradle" => &["GRADLE", "JAVA_"],
        "dotnet" => &["DOTNET", "NUGET", "MSBUILD"],
        _ => &["UV_", "POETRY_", "PIP_", "COMPOSER", "SBT_", "JAVA_"],
    };
    // What any program takes its places and its network from.
    const COMMON: &[&str] = &[
        "PATH",
        "HOME",
        "XDG_",
        "SSL_",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
    ];
    let of_tool = |name: &str| prefixes.iter().any(|p| name.starts_with(p));
    let common = |name: &str| {
        let proxy = name.to_ascii_lowercase().ends_with("_proxy");
        proxy || COMMON.iter().any(|p| name.starts_with(p))
    };
    used.variables.keys().any(|name| {
        let counts = (of_tool(name) || common(name))
            && !HARMLESS.contains(&name.as_str())
            && !HANDED_ON.contains(&name.as_str());
        // Set on the way, whatever the Dockerfile says.
        counts && (is_set_by(name, text) || (of_tool(name) && !declares(view, name)))
    })
}
