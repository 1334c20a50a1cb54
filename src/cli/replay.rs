//! `cacheplan replay`: every build, step by step.

use super::args::{Cli, DockerfileFrom, HistoryFlags, ReplayArgs, ReplayFormat, WalkArg};
use super::progress::phase;
use super::subject::{Place, load_replayed, only};
use super::timeline::{Builds, Ground, Replays, beside_commits, epochs, read_builds_of};
use super::{Done, analyze, history_notes, output, worktree};
use crate::cost::CostTable;
use crate::history::PathId;
use crate::plan::Plan;
use crate::report::escape;
use crate::simulate::{BuildCost, BuildOutcome, Cause, Costing, Outcome, Policy, Verdict};
use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::mpsc::sync_channel;

/// Most paths listed per cause.
const PATHS: usize = 20;

/// Bytes of text that are written at once.
const PIECE: usize = 1 << 18;

/// Builds that are handed over at once, to be written while the next ones are replayed.
const BATCH: usize = 64;

pub fn run(cli: &Cli, args: &ReplayArgs) -> Result<Done> {
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    place.repository()?;
    let costs = analyze::costs(&place, &args.history)?;
    let load = || load_replayed(&place, &args.place.build, &args.history);
    let (found, commits) = beside_commits(&place, &args.history, load)?;
    let subject = only(found?)?;
    output::diagnostics(cli, &subject.diagnostics);
    // With `each` a broken file of today is one refused build, no more.
    if subject.failed() && args.history.dockerfile_from == DockerfileFrom::Frozen {
        return Ok(Done::WrongInput);
    }
    let history = HistoryFlags {
        worktree: args.worktree,
        ..args.history.clone()
    };
    let builds = read_builds_of(cli, &place, &history, &[&subject], commits?)?;
    output::diagnostics(cli, &history_notes::about(&builds, &[&subject]));
    let busy = phase(cli, "replaying");
    let epochs = epochs(&place, &history, &builds, &subject)?;
    let timeline = epochs.timeline.clone();
    let setting = (&place, &history, &builds, &subject, &costs);
    let (replays, ground) = Replays::open(setting, epochs, Some(&timeline))?;
    let printer = Printer::new(args, &builds, &replays, &costs, &timeline);
    let to = output::open(args.output.as_deref())?;
    let outcome = printed((&replays, &ground), timeline, printer, to)?;
    drop(busy);
    let frozen = args.history.dockerfile_from == DockerfileFrom::Frozen;
    if let Some(refused) = history_notes::of_refusals(&outcome, frozen) {
        output::diagnostics(cli, &[(subject.source.clone(), refused)]);
    }
    // The process ends: taking long histories apart is time that nobody gains by.
    std::mem::forget((outcome, replays, builds));
    Ok(Done::Fine)
}

/// Replays on this core, and writes on another.
fn printed(
    (replays, ground): (&Replays, &Ground<'_>),
    timeline: Vec<Option<usize>>,
    mut printer: Printer<'_>,
    mut to: output::Pieces<'_>,
) -> Result<Outcome> {
    let (send, receive) = sync_channel::<Vec<BuildOutcome>>(16);
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || -> Result<()> {
            let mut text = Vec::with_capacity(PIECE * 2);
            printer.head(&mut text)?;
            for build in receive.iter().flatten() {
                printer.build(&mut text, &build)?;
                if text.len() >= PIECE {
                    to.write(&text)?;
                    text.clear();
                }
            }
            to.write(&text)
        });
        let mut batch = Vec::with_capacity(BATCH);
        let outcome = replays.growing(ground, timeline, |build| {
            batch.push(build.clone());
            if batch.len() == BATCH {
                // Nobody takes it once writing has failed, which is told below.
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                let _ = send.send(full);
            }
        });
        let _ = send.send(batch);
        drop(send);
        let written = writing.join();
        written.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(outcome)
    })
}

fn steps(plan: &Plan, costs: &CostTable) -> Vec<Value> {
    let one = |n: &petgraph::graph::NodeIndex| {
        let s = &plan.graph[*n];
        let cost = costs.of(s);
        json!({
            "id": s.id.to_string(), "name": s.name, "stage": s.id.stage, "instruction": s.kind.keyword(), "line": s.line,
            "cost_s": cost.seconds, "cost_source": cost.source.as_str(),
        })
    };
    plan.order.iter().map(one).collect()
}

/// Writes builds one after another, from the oldest on.
struct Printer<'a> {
    format: ReplayFormat,
    walk: WalkArg,
    policy: Policy,
    builds: &'a Builds,
    plans: &'a [Plan],
    files: Vec<Written<'a>>,
    costs: &'a CostTable,
    costing: Costing<'a>,
    /// How many builds were written.
    next: usize,
    /// The plan whose steps were listed last.
    shown: usize,
}

impl<'a> Printer<'a> {
    fn new(
        args: &ReplayArgs,
        builds: &'a Builds,
        replays: &'a Replays,
        costs: &'a CostTable,
        timeline: &[Option<usize>],
    ) -> Self {
        let plans = replays.plans();
        Self {
            format: args.format,
            walk: args.history.walk,
            policy: args.history.cache_policy,
            builds,
            plans,
            files: plans.iter().map(Written::new).collect(),
            costs,
            costing: replays.costing(),
            next: 0,
            shown: timeline.iter().flatten().next().copied().unwrap_or(0),
        }
    }

    fn head(&self, out: &mut Vec<u8>) -> Result<()> {
        if self.format == ReplayFormat::Text {
            out.extend_from_slice(
                b"# executed, . cached, ? maybe; one mark a step in build order\n",
            );
            return Ok(());
        }
        let walk = match self.walk {
            WalkArg::FirstParent => "first-parent",
            WalkArg::All => "all",
        };
        let head = json!({
            "schema": "cacheplan.replay/1", "steps": steps(&self.plans[self.shown], self.costs),
            "policy": self.policy.to_string(), "walk": walk,
        });
        writeln!(out, "{head}")?;
        Ok(())
    }

    fn build(&mut self, out: &mut Vec<u8>, build: &BuildOutcome) -> Result<()> {
        let commit = &self.builds.log.commits[self.next];
        self.next += 1;
        let name = worktree::name(commit.id);
        let cost = self.costing.of(build);
        if self.format == ReplayFormat::Text {
            return row(out, build, &name, cost, &commit.summary);
        }
        let Some(plan) = build.plan else {
            let line = json!({"commit": name, "skipped": "no Dockerfile"});
            return Ok(writeln!(out, "{line}")?);
        };
        if plan != self.shown {
            let line = json!({"steps": steps(&self.plans[plan], self.costs)});
            writeln!(out, "{line}")?;
            self.shown = plan;
        }
        let line = Line::new(build, &name, &self.files[plan], cost, self.builds);
        line.write(out)
    }
}

/// What the lines of a plan's builds have in common.
struct Written<'a> {
    /// Names of the steps by position.
    ids: Vec<String>,
    /// The same in quotes, and a comma behind each.
    quoted: Vec<String>,
    /// Why the builder refuses the file.
    refused: Option<&'a str>,
}

impl<'a> Written<'a> {
    fn new(plan: &'a Plan) -> Self {
        let ids = plan.order.iter().map(|n| plan.graph[*n].id.to_string());
        let ids: Vec<String> = ids.collect();
        let refused = plan.diagnostics.iter().find(|d| d.is_error());
        Self {
            quoted: ids.iter().map(|id| format!("\"{id}\",")).collect(),
            ids,
            refused: refused.map(|d| d.message.as_str()),
        }
    }
}

/// One build.
struct Line<'a> {
    verdicts: &'a [Verdict],
    causes: Vec<CauseRow<'a>>,
    commit: &'a str,
    cost: Option<BuildCost>,
    fails: Option<Fails<'a>>,
    file: &'a Written<'a>,
}

#[derive(Serialize)]
struct CauseRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    because_of: Option<&'a str>,
    kind: &'a str,
    more: usize,
    paths: Vec<String>,
    step: &'a str,
}

#[derive(Serialize)]
struct Fails<'a> {
    message: &'a str,
    step: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn new(
        build: &'a BuildOutcome,
        commit: &'a str,
        file: &'a Written<'a>,
        cost: BuildCost,
        builds: &Builds,
    ) -> Self {
        let id = |position: usize| file.ids[position].as_str();
        let cause = |c: &Cause| {
            let (paths, more) = paths(c, builds);
            CauseRow {
                because_of: c.because_of.map(id),
                kind: c.kind.as_str(),
                more,
                paths,
                step: id(c.step),
            }
        };
        let refused = |message| Fails {
            message,
            step: None,
        };
        let fails = build.fails.as_ref().map(|f| Fails {
            message: &f.message,
            step: file.ids.get(f.step).map(String::as_str),
        });
        Self {
            verdicts: &build.verdicts,
            causes: build.causes.iter().map(cause).collect(),
            commit,
            cost: Some(cost).filter(|_| file.refused.is_none()),
            fails: file.refused.map(refused).or(fails),
            file,
        }
    }

    /// Fields stand in the order of their names, as everywhere in this output. Lists of steps are most of the text, and
    /// are put together from what is quoted already.
    fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(b"{\"cached\":");
        self.list(out, Verdict::Cached);
        field(out, "causes", &self.causes)?;
        field(out, "commit", self.commit)?;
        if let Some(cost) = &self.cost {
            field(out, "critical_path_s", &cost.critical_path_s)?;
            field(out, "critical_path_s_min", &cost.critical_path_s_min)?;
        }
        out.extend_from_slice(b",\"executed\":");
        self.list(out, Verdict::Executed);
        if let Some(fails) = &self.fails {
            field(out, "fails", fails)?;
        }
        out.extend_from_slice(b",\"maybe\":");
        self.list(out, Verdict::Maybe);
        if let Some(cost) = &self.cost {
            field(out, "work_s", &cost.work_s)?;
            field(out, "work_s_min", &cost.work_s_min)?;
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    fn list(&self, out: &mut Vec<u8>, of: Verdict) {
        out.push(b'[');
        let first = out.len();
        for (verdict, quoted) in self.verdicts.iter().zip(&self.file.quoted) {
            if *verdict == of {
                out.extend_from_slice(quoted.as_bytes());
            }
        }
        // Each has a comma behind it.
        if out.len() > first {
            out.pop();
        }
        out.push(b']');
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
    write!(out, ",\"{name}\":")?;
    Ok(serde_json::to_writer(out, value)?)
}

/// The first changed paths behind a cause, sorted as they are shown, and how many more there are.
fn paths(cause: &Cause, builds: &Builds) -> (Vec<String>, usize) {
    let shown = |p: &PathId| crate::pattern::display(&builds.log.paths.bytes(*p));
    let mut paths: Vec<String> = cause.paths.iter().map(shown).collect();
    if cause.git {
        paths.push(".git".to_owned());
    }
    let more = paths.len().saturating_sub(PATHS);
    if more > 0 {
        paths.select_nth_unstable(PATHS);
        paths.truncate(PATHS);
    }
    paths.sort_unstable();
    (paths, more)
}

/// One line of a table: commit, a mark per step, seconds, subject.
fn row(
    out: &mut Vec<u8>,
    build: &BuildOutcome,
    commit: &str,
    cost: BuildCost,
    subject: &str,
) -> Result<()> {
    let mark = |v: &Verdict| match v {
        Verdict::Executed => '#',
        Verdict::Cached => '.',
        Verdict::Maybe => '?',
    };
    let marks: String = build.verdicts.iter().map(mark).collect();
    let what = match (&build.fails, build.plan) {
        (_, None) => "skipped: no Dockerfile".to_owned(),
        (Some(f), _) => format!("refused: {}", f.message),
        _ => format!("{:8.1} s", cost.work_s),
    };
    writeln!(
        out,
        "{} {marks} {}  {}",
        commit.get(..10).unwrap_or(commit),
        escape::terminal(&what),
        escape::terminal(subject)
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines read as maps and written again are the same: fields stand in the order of their names.
    #[test]
    fn lines_are_as_maps_would_be_written() {
        let file = Written {
            ids: vec!["0.0".to_owned(), "1.0".to_owned()],
            quoted: vec!["\"0.0\",".to_owned(), "\"1.0\",".to_owned()],
            refused: None,
        };
        let cost = BuildCost {
            work_s: 1.5,
            work_s_min: 0.1,
            critical_path_s: 1e-7,
            critical_path_s_min: 3.0,
        };
        let (cached, executed) = (Verdict::Cached, Verdict::Executed);
        for (verdicts, cost, fails) in [
            (vec![cached, executed], Some(cost), None),
            (vec![executed, Verdict::Maybe], Some(cost), Some("no")),
            (Vec::new(), None, Some("\u{1b}[1m \"q\"")),
        ] {
            let line = Line {
                verdicts: &verdicts,
                causes: vec![CauseRow {
                    because_of: Some("0.1"),
                    kind: "parent",
                    more: 0,
                    paths: vec!["é \"q\"\n".to_owned()],
                    step: "1.0",
                }],
                commit: "c",
                cost,
                fails: fails.map(|message| Fails {
                    message,
                    step: None,
                }),
                file: &file,
            };
            let mut text = Vec::new();
            line.write(&mut text).expect("writes");
            let text = String::from_utf8(text).expect("text");
            let value: Value = serde_json::from_str(&text).expect("reads");
            assert_eq!(format!("{value}\n"), text);
        }
    }
}
