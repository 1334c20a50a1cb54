//! `cacheplan replay`: every build, step by step.

use super::answers::{Answers, NewAnswer, Question};
use super::args::{Cli, DockerfileFrom, HistoryFlags, ReplayArgs, ReplayFormat, WalkArg};
use super::commits::{Commits, beside_commits};
use super::history_notes::{self, Refusals};
use super::progress::phase;
use super::subject::{Place, Subject, load_one_replayed};
use super::timeline::{Builds, Ground, Replays, epochs, prepare, read_builds_of};
use super::{Done, analyze, output, worktree};
use crate::cost::CostTable;
use crate::history::{PathId, PathTable};
use crate::plan::Plan;
use crate::report::escape;
use crate::simulate::{BuildCost, BuildOutcome, Cause, Costing, Policy, Verdict};
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
    let load = || -> Result<Subject> {
        let (mut subject, _) = load_one_replayed(&place, &args.place.build, &args.history)?;
        prepare(cli, &place, &args.history, &mut subject);
        Ok(subject)
    };
    let (found, commits) = beside_commits(cli, &place, &args.history, load, good)?;
    let subject = found?;
    output::diagnostics(cli, &subject.diagnostics);
    // With `each` a broken file of today is one refused build, no more.
    if subject.failed() && args.history.dockerfile_from == DockerfileFrom::Frozen {
        return Ok(Done::WrongInput);
    }
    let history = HistoryFlags {
        worktree: args.worktree,
        ..args.history.clone()
    };
    let commits = commits?;
    let answers = answers(cli, args, (&place, &subject, &costs, &commits))?;
    if let Some(answer) = answers.as_ref().and_then(Answers::known) {
        answer.give(cli, &subject.source, output::open(args.output.as_deref())?)?;
        return Ok(Done::Fine);
    }
    let mut builds = read_builds_of(cli, &place, &history, &[&subject], commits)?;
    let notes = history_notes::about(&builds, &[&subject]);
    output::diagnostics(cli, &notes);
    let busy = phase(cli, "replaying");
    let epochs = epochs(&place, &history, &builds, &subject)?;
    let timeline = epochs.timeline.clone();
    let setting = (&place, &history, &builds, &subject, &costs);
    let (replays, ground) = Replays::open(setting, epochs, Some(&timeline))?;
    let printer = Printer::new(args, &builds, &replays, &costs, &timeline);
    let mut answer = answers.as_ref().and_then(Answers::begin);
    let to = output::open(args.output.as_deref())?;
    let to = (to, answer.as_mut());
    let refusals = printed((&replays, &ground), timeline, printer, to)?;
    drop(busy);
    let frozen = args.history.dockerfile_from == DockerfileFrom::Frozen;
    let refused = history_notes::of_refusals(&refusals, frozen);
    let refused = refused.map(|d| (subject.source.clone(), d));
    let refused = refused.as_slice();
    output::diagnostics(cli, refused);
    if let Some(answer) = answer {
        answer.finish(&notes, refused);
    }
    // The process ends: taking long histories apart is time that nobody gains by.
    builds.log.kept();
    std::mem::forget((replays, builds));
    Ok(Done::Fine)
}

fn good(found: &Result<Subject>) -> Vec<&Subject> {
    found.iter().filter(|s| !s.failed()).collect()
}

/// Where the answer is kept; nowhere if it is made from more than commits.
fn answers(
    cli: &Cli,
    args: &ReplayArgs,
    (place, subject, costs, commits): (&Place, &Subject, &CostTable, &Commits),
) -> Result<Option<Answers>> {
    let question = Question::new("replay");
    // Which commit a name in --base-change stands for is found out later.
    let whole = !args.worktree && args.history.base_changes.is_empty();
    let Some(mut question) = question.filter(|_| whole) else {
        return Ok(None);
    };
    question.about(&(&args.place.build, &args.history, args.format));
    question.replay(place, subject, costs, commits)?;
    question.answers(cli, place)
}

/// Replays on this core, and writes on another; what is refused.
fn printed(
    (replays, ground): (&Replays, &Ground<'_>),
    timeline: Vec<Option<usize>>,
    mut printer: Printer<'_>,
    (mut to, mut answer): (output::Pieces<'_>, Option<&mut NewAnswer<'_>>),
) -> Result<Refusals> {
    let (send, receive) = sync_channel::<Vec<BuildOutcome>>(16);
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || -> Result<()> {
            let mut write = |text: &[u8]| {
                answer.iter_mut().for_each(|a| a.add(text));
                to.write(text)
            };
            let mut text = Vec::with_capacity(PIECE * 2);
            printer.head(&mut text)?;
            for build in receive.iter().flatten() {
                printer.build(&mut text, &build)?;
                if text.len() >= PIECE {
                    write(&text)?;
                    text.clear();
                }
            }
            write(&text)
        });
        let mut refusals = Refusals::default();
        let mut batch = Vec::with_capacity(BATCH);
        replays.growing(ground, timeline, |build| {
            refusals.count(&build);
            batch.push(build);
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
        Ok(refusals)
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
    paths: ShownPaths<'a>,
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
            paths: ShownPaths::new(&builds.log.paths),
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
        let line = Line::new(build, &name, &self.files[plan], cost);
        line.write(out, &mut self.paths)
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

/// Paths as they are shown, each worked out when it is first asked for.
struct ShownPaths<'a> {
    table: &'a PathTable,
    texts: Vec<Option<Box<str>>>,
    /// Those of one cause, for a moment.
    some: Vec<usize>,
    name: Vec<u8>,
}

impl<'a> ShownPaths<'a> {
    /// Behind all others.
    const GIT: &'static str = ".git";

    fn new(table: &'a PathTable) -> Self {
        let mut texts = vec![None; table.len()];
        texts.push(Some(Self::GIT.into()));
        Self {
            table,
            texts,
            some: Vec::new(),
            name: Vec::new(),
        }
    }

    /// Writes the first changed paths behind a cause, sorted as they are shown.
    fn write(&mut self, out: &mut Vec<u8>, cause: &Cause) -> Result<()> {
        let mut some = std::mem::take(&mut self.some);
        some.clear();
        some.extend(cause.paths.iter().map(|p| p.index()));
        for at in &some {
            if self.texts[*at].is_none() {
                let id = PathId(u32::try_from(*at)?);
                self.table.write(id, &mut self.name);
                self.texts[*at] = Some(crate::pattern::display(&self.name).into());
            }
        }
        if cause.git {
            some.push(self.texts.len() - 1);
        }
        let text = |at: &usize| self.texts[*at].as_deref().unwrap_or_default();
        let by_text = |a: &usize, b: &usize| text(a).cmp(text(b));
        if some.len() > PATHS {
            some.select_nth_unstable_by(PATHS, by_text);
            some.truncate(PATHS);
        }
        some.sort_unstable_by(by_text);
        for (i, at) in some.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            quote(out, text(at))?;
        }
        self.some = some;
        Ok(())
    }
}

/// A text in quotes; most need nothing else.
fn quote(out: &mut Vec<u8>, text: &str) -> Result<()> {
    let plain = |b: u8| b >= b' ' && b != b'"' && b != b'\\';
    if !text.bytes().all(plain) {
        return Ok(serde_json::to_writer(out, text)?);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

/// One build.
struct Line<'a> {
    verdicts: &'a [Verdict],
    causes: &'a [Cause],
    commit: &'a str,
    cost: Option<BuildCost>,
    fails: Option<Fails<'a>>,
    file: &'a Written<'a>,
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
    ) -> Self {
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
            causes: &build.causes,
            commit,
            cost: Some(cost).filter(|_| file.refused.is_none()),
            fails: file.refused.map(refused).or(fails),
            file,
        }
    }

    /// Fields stand in the order of their names, as everywhere in this output. Lists of steps and causes are most of the
    /// text, and are put together from what is quoted already.
    fn write(&self, out: &mut Vec<u8>, paths: &mut ShownPaths<'_>) -> Result<()> {
        out.extend_from_slice(b"{\"cached\":");
        self.list(out, Verdict::Cached);
        out.extend_from_slice(b",\"causes\":[");
        for (i, cause) in self.causes.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            self.cause(out, cause, paths)?;
        }
        out.push(b']');
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

    fn cause(&self, out: &mut Vec<u8>, cause: &Cause, paths: &mut ShownPaths<'_>) -> Result<()> {
        out.push(b'{');
        if let Some(position) = cause.because_of {
            out.extend_from_slice(b"\"because_of\":");
            out.extend_from_slice(self.file.quoted[position].as_bytes());
        }
        out.extend_from_slice(b"\"kind\":\"");
        out.extend_from_slice(cause.kind.as_str().as_bytes());
        let more = (cause.paths.len() + usize::from(cause.git)).saturating_sub(PATHS);
        write!(out, "\",\"more\":{more},\"paths\":[")?;
        paths.write(out, cause)?;
        out.extend_from_slice(b"],\"step\":");
        out.extend_from_slice(self.file.quoted[cause.step].as_bytes());
        // Each has a comma behind it.
        out.pop();
        out.push(b'}');
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
    use crate::simulate::CauseKind;

    /// Lines read as maps and written again are the same: fields stand in the order of their names.
    #[test]
    fn lines_are_as_maps_would_be_written() {
        let file = Written {
            ids: vec!["0.0".to_owned(), "1.0".to_owned()],
            quoted: vec!["\"0.0\",".to_owned(), "\"1.0\",".to_owned()],
            refused: None,
        };
        let table = PathTable::default();
        let mut paths = ShownPaths::new(&table);
        let causes = [Cause {
            step: 1,
            kind: CauseKind::Parent,
            paths: Vec::new(),
            git: true,
            because_of: Some(0),
        }];
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
                causes: &causes,
                commit: "c",
                cost,
                fails: fails.map(|message| Fails {
                    message,
                    step: None,
                }),
                file: &file,
            };
            let mut text = Vec::new();
            line.write(&mut text, &mut paths).expect("writes");
            let text = String::from_utf8(text).expect("text");
            let value: Value = serde_json::from_str(&text).expect("reads");
            assert_eq!(format!("{value}\n"), text);
        }
    }

    #[test]
    fn texts_are_quoted_as_json_has_them() {
        for text in ["", "a/b.rs", "é", "a\"b", "a\\b", "\u{7f}", "\n\u{1}"] {
            let mut out = Vec::new();
            quote(&mut out, text).expect("writes");
            assert_eq!(out, serde_json::to_vec(text).expect("writes"), "{text:?}");
        }
    }
}
