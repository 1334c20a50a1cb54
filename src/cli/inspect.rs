//! `cacheplan inspect`: the parsed Dockerfile and its step graph.

use super::args::{Cli, InspectArgs, InspectFormat};
use super::subject::{Place, Subject, load_one};
use super::{Done, output};
use crate::dockerfile::{CommandForm, Dockerfile, Instruction, Kind, Text, Texts};
use crate::footprint::{Evidence, Extent, Footprint, Link, PathClaim, PathSet, Variables};
use crate::optimize::precedence::Scene;
use crate::plan::{Base, Depends, Input, Plan, Step, StepId, StepKind};
use crate::report::{escape, number};
use anyhow::Result;
use petgraph::Direction;
use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, EdgeReference, NodeIndex};
use petgraph::visit::EdgeRef;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub fn run(cli: &Cli, args: &InspectArgs) -> Result<Done> {
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    let subject = load_one(&place, &args.place.build, &[])?;
    output::diagnostics(cli, &subject.diagnostics);
    let text = match args.format {
        InspectFormat::Json => output::json(&document(&subject, args.footprints))?,
        InspectFormat::Dot => dot(&subject.plan).into_bytes(),
        InspectFormat::Text => listing(&subject, args.footprints).into_bytes(),
    };
    output::write(args.output.as_deref(), &text)?;
    Ok(if subject.failed() {
        Done::WrongInput
    } else {
        Done::Fine
    })
}

fn document(subject: &Subject, footprints: bool) -> Value {
    let (file, plan) = (&subject.parsed.tree, &subject.plan);
    let first = plan
        .stages
        .first()
        .map_or(file.instructions().len(), |s| s.from);
    let global: Vec<Value> = file
        .instructions()
        .slice(..first)
        .iter()
        .enumerate()
        .map(|(i, ins)| instruction(ins, format!("g.{i}"), None, footprints))
        .collect();
    let scene = footprints.then(|| Scene::new(file, plan, None));
    let stages = plan.stages.iter().enumerate().map(|(index, stage)| {
        let (kind, reference) = match &stage.base {
            Base::Image(name) => ("image", name.clone()),
            Base::Stage(i) => ("stage", plan.stages[*i].name.clone().unwrap_or_else(|| i.to_string())),
            Base::Context(name) => ("context", name.clone()),
            Base::Scratch => ("scratch", "scratch".to_owned()),
        };
        let small = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let mut rows = Vec::new();
        for at in stage.from..stage.end {
            let id = StepId { stage: small(index), instruction: small(at - stage.from), trigger: 0 };
            let mut row = instruction(file.instructions().at(at), id.to_string(), Some((plan, id)), footprints);
            if let Some(scene) = &scene
                && at > stage.from
            {
                let one = |(before, why): (usize, String)| {
                    let id = StepId { stage: small(index), instruction: small(before + 1), trigger: 0 };
                    json!({"id": id.to_string(), "why": why})
                };
                let place = at - stage.from - 1;
                row["stays_behind"] = scene.stays_behind(index, place).into_iter().map(one).collect();
            }
            rows.push(row);
            if at == stage.from {
                rows.extend(triggers(file, plan, id, footprints));
            }
        }
        json!({
            "index": index, "name": stage.name, "base": {"kind": kind, "ref": reference}, "platform": stage.platform,
            "reachable": stage.reachable, "instructions": rows,
        })
    });
    json!({
        "schema": "cacheplan.inspect/1", "file": subject.file, "escape": file.directives.escape.to_string(),
        "syntax": file.directives.syntax.as_ref().map(|s| &s.0), "global": global, "stages": stages.collect::<Vec<_>>(),
        "diagnostics": output::rows(&subject.file, &subject.diagnostics),
    })
}

/// The ONBUILD triggers that make steps of a stage, right behind its FROM; `onbuild` is the id of the
/// ONBUILD in the base stage.
fn triggers(file: &Dockerfile, plan: &Plan, from: StepId, footprints: bool) -> Vec<Value> {
    let Base::Stage(base) = plan.stages[usize::from(from.stage)].base else {
        return Vec::new();
    };
    let base_from = plan.stages[base].from;
    let nodes = plan.stages[usize::from(from.stage)].steps.iter();
    let mut rows = Vec::new();
    for step in nodes.map(|n| &plan.graph[*n]).filter(|s| s.id.trigger > 0) {
        let Kind::Onbuild(trigger) = file.instructions().at(step.instruction).kind() else {
            continue;
        };
        let place = Some((plan, step.id));
        let mut row = instruction(trigger, step.id.to_string(), place, footprints);
        row["onbuild"] = json!(format!("{base}.{}", step.instruction - base_from));
        rows.push(row);
    }
    rows
}

fn instruction(
    ins: Instruction<'_>,
    id: String,
    place: Option<(&Plan, StepId)>,
    footprints: bool,
) -> Value {
    let node = place.and_then(|(plan, id)| Some((plan, plan.find(id)?)));
    let (form, arguments) = arguments(ins.kind());
    let heredocs: Vec<Value> = ins
        .heredocs()
        .iter()
        .map(|h| json!({"name": h.name, "expand": h.expand, "content": h.content()}))
        .collect();
    let mut value = json!({
        "id": id, "keyword": ins.keyword, "line": ins.line, "end_line": ins.end_line, "original": ins.original().as_str(),
        "flags": ins.flags().iter().map(|f| f.raw.as_str()).collect::<Vec<_>>(), "form": form,
        "arguments": arguments.unwrap_or_else(|| vec![ins.arguments().to_string()]), "heredocs": heredocs, "step": node.is_some(),
    });
    if let Some((plan, n)) = node {
        let step = &plan.graph[n];
        let mut needs: Vec<String> = plan
            .graph
            .edges_directed(n, Direction::Incoming)
            .map(|e| plan.graph[e.source()].id.to_string())
            .collect();
        needs.sort();
        needs.dedup();
        value["name"] = json!(step.name);
        value["depends_on"] = json!(needs);
        if footprints {
            value["footprint"] = step.footprint.as_ref().map_or(Value::Null, footprint);
            value["classes"] = json!(step.classes.iter().map(|c| c.as_str()).collect::<Vec<_>>());
        }
    }
    value
}

/// Form and arguments of instructions that have either.
fn arguments(kind: Kind<'_>) -> (Option<&'static str>, Option<Vec<String>>) {
    let texts = |list: Texts<'_>| Some(list.iter().map(String::from).collect());
    let command = |c: CommandForm<'_>| match c {
        CommandForm::Shell(text) => (Some("shell"), Some(vec![text.to_string()])),
        CommandForm::Exec(argv) => (Some("exec"), texts(argv)),
    };
    match kind {
        Kind::Run(c) | Kind::Cmd(c) | Kind::Entrypoint(c) | Kind::Healthcheck(Some(c)) => {
            command(c)
        }
        Kind::Shell(argv) => (Some("exec"), texts(argv)),
        Kind::Copy(t) | Kind::Add(t) => {
            let all = t.sources.iter().chain([t.dest]);
            (None, Some(all.map(String::from).collect()))
        }
        Kind::Env(list) | Kind::Label(list) => (
            None,
            Some(list.iter().map(|(k, v)| format!("{k}={v}")).collect()),
        ),
        Kind::Arg(list) => {
            let one = |(n, v): (Text<'_>, Option<Text<'_>>)| {
                v.map_or_else(|| n.to_string(), |v| format!("{n}={v}"))
            };
            (None, Some(list.iter().map(one).collect()))
        }
        Kind::Expose(words) | Kind::Volume(words) => (None, texts(words)),
        _ => (None, None),
    }
}

fn paths(set: &PathSet) -> Vec<String> {
    set.claims.iter().map(claim).collect()
}

fn claim(c: &PathClaim) -> String {
    match c.extent {
        Extent::Exact => c.path.clone(),
        Extent::Subtree => format!("{}/**", c.path.trim_end_matches('/')),
    }
}

fn variables(v: &Variables) -> Value {
    match v {
        Variables::Only(names) => json!({"names": names, "others": "none"}),
        Variables::AndThoseOfTools(names) => {
            json!({"names": names, "others": "those of its programs"})
        }
        Variables::Any => json!({"names": [], "others": "any"}),
    }
}

fn footprint(f: &Footprint) -> Value {
    let set = |claims: &[PathClaim]| paths(&PathSet::new(claims.to_vec()));
    let evidence = |e: &Evidence| json!({"start": e.span.start, "end": e.span.end, "reads": set(&e.reads), "writes": set(&e.writes)});
    let link = |l: &Link| json!({"at": claim(&l.at), "to": l.to});
    json!({
        "opaque": f.opaque, "reads": paths(&f.reads), "writes": paths(&f.writes), "makes": paths(&f.makes),
        "programs": paths(&f.programs), "observes": paths(&f.observes),
        "links": f.links.iter().map(link).collect::<Vec<_>>(),
        "variables": variables(&f.variables), "network": f.network, "varies": f.varies,
        "certainty": format!("{:?}", f.certainty).to_lowercase(), "assumptions": f.assumptions, "commands": f.commands,
        "evidence": f.evidence.iter().map(evidence).collect::<Vec<_>>(),
    })
}

/// The steps the target needs, as Graphviz reads them.
fn dot(plan: &Plan) -> String {
    let needed: std::collections::HashSet<_> = plan.order.iter().copied().collect();
    let graph = plan.graph.filter_map(
        |n, step| needed.contains(&n).then_some(step),
        |_, why| Some(*why),
    );
    let quoted = |text: &str| {
        escape::terminal(text)
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
    };
    let edges = |_: &DiGraph<&Step, Depends>, e: EdgeReference<'_, Depends>| match e.weight() {
        Depends::Key => String::new(),
        Depends::Content => "style=dashed label=\"content\"".to_owned(),
    };
    let nodes = |_: &DiGraph<&Step, Depends>, (_, s): (NodeIndex, &&Step)| {
        format!("shape=box label=\"{}\"", quoted(&shortened(&s.name, WIDE)))
    };
    let dot = Dot::with_attr_getters(
        &graph,
        &[Config::EdgeNoLabel, Config::NodeNoLabel],
        &edges,
        &nodes,
    );
    format!("{dot:?}")
}

/// Characters of a step's name in a listing, and in a graph.
const NARROW: usize = 110;
const WIDE: usize = 160;

/// One blank for many, and not more than a line: the whole name is in the JSON.
fn shortened(name: &str, most: usize) -> String {
    let mut out = String::with_capacity(name.len().min(most));
    for (n, word) in name.split_ascii_whitespace().enumerate() {
        if n > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
    match out.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &out[..end]),
        None => out,
    }
}

/// Stage by stage what is built, and where each step's files come from.
fn listing(subject: &Subject, footprints: bool) -> String {
    let plan = &subject.plan;
    let mut out = String::new();
    let needed = plan.stages.iter().filter(|s| s.reachable).count();
    let name = |index: usize| match plan.stages.get(index).and_then(|s| s.name.as_deref()) {
        Some(name) => format!("`{}`", escape::terminal(name)),
        None => format!("stage {index}"),
    };
    if plan.stages.is_empty() {
        return out;
    }
    let scene = footprints.then(|| Scene::new(&subject.parsed.tree, plan, None));
    let _ = writeln!(
        out,
        "{}: target {}, {} in {needed} of {}",
        escape::terminal(&subject.file),
        name(plan.target),
        number::count(plan.order.len(), "step"),
        number::count(plan.stages.len(), "stage"),
    );
    for (index, stage) in plan.stages.iter().enumerate().filter(|(_, s)| s.reachable) {
        let base = match &stage.base {
            Base::Image(image) => format!("the image {image}"),
            Base::Stage(base) => name(*base),
            Base::Context(context) => format!("the named context {context}"),
            Base::Scratch => "nothing".to_owned(),
        };
        let label = if stage.name.is_some() {
            format!("stage {index} {}", name(index))
        } else {
            name(index)
        };
        let _ = writeln!(out, "\n{label}, from {}", escape::terminal(&base));
        for step in stage.steps.iter().map(|n| &plan.graph[*n]) {
            let _ = writeln!(
                out,
                "  {:>7}  line {:<4} {}",
                step.id.to_string(),
                step.line,
                escape::terminal(&shortened(&step.name, NARROW)),
            );
            let mut from: Vec<String> = step
                .inputs
                .iter()
                .filter_map(|i| source(i, &name))
                .collect();
            from.dedup();
            if step.kind != StepKind::From && !from.is_empty() {
                let _ = writeln!(
                    out,
                    "           takes {}",
                    escape::terminal(&from.join("; "))
                );
            }
            if let Some(f) = step.footprint.as_ref().filter(|_| footprints) {
                touched(&mut out, step, f);
            }
            if let (Some(scene), Some(place)) =
                (&scene, step.instruction.checked_sub(stage.from + 1))
                && step.id.trigger == 0
            {
                behind(&mut out, scene, index, place);
            }
        }
    }
    out
}

/// Which instructions a step stays behind, and why; those with one reason on one line.
fn behind(out: &mut String, scene: &Scene<'_>, stage: usize, place: usize) {
    let mut by_reason: Vec<(String, Vec<String>)> = Vec::new();
    for (before, why) in scene.stays_behind(stage, place) {
        let line = scene.stage(stage)[before].instruction.line.to_string();
        match by_reason.iter_mut().find(|(w, _)| *w == why) {
            Some((_, lines)) => lines.push(line),
            None => by_reason.push((why, vec![line])),
        }
    }
    for (why, lines) in by_reason {
        let many = if lines.len() == 1 { "line" } else { "lines" };
        let _ = writeln!(
            out,
            "           behind {many} {}: {}",
            lines.join(", "),
            escape::terminal(&why)
        );
    }
}

/// Where a step's input comes from, for people.
fn source(input: &Input, stage: &dyn Fn(usize) -> String) -> Option<String> {
    let list = |paths: &[String]| shortened(&paths.join(" "), NARROW);
    Some(match input {
        Input::Context(c) => format!("{} from the build context", list(&c.sources)),
        Input::Stage {
            stage: s, sources, ..
        } => format!("{} from {}", list(sources), stage(*s)),
        Input::Image(image) => format!("files of the image {image}"),
        Input::Named(n) => format!(
            "{} from the named context {}",
            list(&n.files.sources),
            n.context
        ),
        // Its name is the step's own text.
        Input::Remote(_) => return None,
    })
}

fn touched(out: &mut String, step: &Step, f: &Footprint) {
    let classes: Vec<&str> = step.classes.iter().map(|c| c.as_str()).collect();
    let mut line = |what: &str, text: String| {
        if !text.is_empty() {
            let _ = writeln!(out, "           {what} {}", escape::terminal(&text));
        }
    };
    line("work:", classes.join(" "));
    match &f.opaque {
        Some(why) => line("opaque:", why.clone()),
        None => {
            line("reads", paths(&f.reads).join(" "));
            line("writes", paths(&f.writes).join(" "));
            line("makes", paths(&f.makes).join(" "));
        }
    }
}
