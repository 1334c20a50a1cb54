//! Every build: the heat map of steps, the filters for it, and a table.
//!
//! Goes in: the builds. Comes out: a table of strips that stands by itself, and the same as data for the script, which adds hover, filters and
//! the keyboard. Linear in builds times steps. Invariant: what is equal in many builds is in the data once.

use super::super::detail::{Detail, DetailBuild, DetailCause, State};
use super::super::model::TargetReport;
use super::super::number::{count, grouped};
use super::super::wording::{short_commit, stage_and_instruction};
use super::heat::{self, Cell};
use super::safe::{percent, seconds};
use super::{causes, safe};
use maud::{Markup, html};
use rustc_hash::FxHashMap;
use serde::Serialize;

/// Builds listed where there is no script.
const LISTED: usize = 15;
/// Characters of a commit's subject, and of a path.
const SUBJECT: usize = 90;
const PATH: usize = 120;

/// The section.
pub fn section(t: &TargetReport, d: &Detail, first: Option<&Detail>, prefix: &str) -> Markup {
    let cells: Vec<Vec<Cell>> = d.builds.iter().map(heat::cells).collect();
    let (columns, strips) = heat::strips(d, &cells);
    let rows: Vec<usize> = (0..d.steps.len())
        .filter(|i| t.steps[*i].executed + t.steps[*i].maybe > 0)
        .collect();
    let heading = format!("{prefix}builds");
    let quiet = d.steps.len() - rows.len();
    html! {
        section.builds aria-labelledby={ (prefix) "name " (heading) } {
            h2 id=(heading) { "Build by build" }
            @if rows.is_empty() {
                p { "In none of these builds a step runs again." }
            } @else {
                (legend(columns, d.builds.len()))
                (filters(t, d, &rows, prefix))
                div.heat {
                    div.scroll {
                        table {
                            caption { "Steps from top to bottom in the order of the Dockerfile, builds from left to right, oldest first." }
                            thead { tr {
                                th scope="col" { "step" } th.num scope="col" { "runs again" }
                                th.axis scope="col" { (axis(&d.builds)) }
                            } }
                            tbody {
                                @for (k, i) in rows.iter().enumerate() {
                                    @let s = &t.steps[*i];
                                    tr data-row=(k) {
                                        th scope="row" { span.lineno { (s.line) } " " (label(&s.name)) }
                                        td.num { (percent(s.rate)) }
                                        td.cells { div.strip {
                                            svg viewBox={ "0 0 " (columns) " " (heat::HEIGHT) } preserveAspectRatio="none" role="img"
                                                aria-label={ "runs again in " (s.executed + s.maybe) " of " (count(t.history.builds, "build")) } {
                                                path.itself d=(strips[*i].itself) {}
                                                path.behind d=(strips[*i].behind) {}
                                                path.doubt d=(strips[*i].doubt) {}
                                            }
                                        } }
                                    }
                                }
                            }
                        }
                    }
                }
                @if !d.builds.iter().all(|b| b.state == State::Counted) { (blank(d)) }
                @if quiet > 0 { p.muted { (count(quiet, "step")) @if quiet == 1 { " is" } @else { " are" } " always cached and not shown." } }
                @if d.other_files > 0 {
                    p.muted { "In " (count(d.other_files, "build")) " the Dockerfile of the time had steps that today's has no more; those are not shown." }
                }
                div.chosen hidden aria-live="polite" {}
            }
            (list(t, d, prefix))
            script.data type="application/json" { (safe::json(&Data::of(t, d, first, &cells, &rows))) }
        }
    }
}

/// Why columns are blank.
fn blank(d: &Detail) -> Markup {
    let of = |what: fn(&State) -> bool| d.builds.iter().filter(|b| what(&b.state)).count();
    let refused = of(|s| matches!(s, State::Refused(_)));
    let skipped = of(|s| *s == State::Skipped);
    html! {
        p.muted {
            "Blank all the way down: the oldest build, which meets an empty cache and is in no count"
            @if refused > 0 { "; " (count(refused, "build")) " that the builder would refuse" }
            @if skipped > 0 { "; " (count(skipped, "commit")) " without the Dockerfile" }
            "."
        }
    }
}

/// `RUN npm ci` with its stage before it.
fn label(name: &str) -> Markup {
    let (stage, text) = stage_and_instruction(name);
    html! {
        @if !stage.is_empty() { span.muted { (safe::short(stage, 18)) } " " }
        code { (safe::short(&causes::brief(text), 44)) }
    }
}

fn legend(columns: usize, builds: usize) -> Markup {
    let sample = |class: &str, height: usize| {
        html! { svg.key viewBox="0 0 10 20" aria-hidden="true" focusable="false" { path.(class) d={ "M1 " (heat::HEIGHT - height) "h8v" (height) "h-8z" } {} } }
    };
    html! {
        p.legend {
            span { (sample("itself", 20)) " runs because of what it reads itself (tall)" }
            span { (sample("behind", 11)) " runs because a step before it ran (half)" }
            span { (sample("doubt", 5)) " in doubt (low)" }
            span { "no bar: cached" }
        }
        @if builds > columns {
            p.muted { "There are more builds than columns: a bar is as tall as the share of its builds, those in which the step runs by itself at the bottom, those in doubt on top. Filters show fewer builds at a time." }
        }
    }
}

fn axis(builds: &[DetailBuild]) -> Markup {
    let date = |i: usize| builds.get(i).map_or("", |b| b.date.as_str());
    let last = builds.len().saturating_sub(1);
    html! {
        span.dates { span { (date(0)) } span { (date(last / 2)) } span { (date(last)) } }
    }
}

/// Shown by the script.
fn filters(t: &TargetReport, d: &Detail, rows: &[usize], prefix: &str) -> Markup {
    html! {
        form.filters hidden aria-labelledby={ (prefix) "name " (prefix) "filters" } {
            span id={ (prefix) "filters" } hidden { "filter builds" }
            div { label for={ (prefix) "f-step" } { "Step" }
                select id={ (prefix) "f-step" } name="step" {
                    option value="" { "any" }
                    @for (k, i) in rows.iter().enumerate() {
                        option value=(k) { (t.steps[*i].line) ": " (safe::short(&causes::brief(stage_and_instruction(&t.steps[*i].name).1), 50)) }
                    }
                }
            }
            div { label for={ (prefix) "f-did" } { "What it did" }
                select id={ (prefix) "f-did" } name="did" {
                    option value="" { "any" }
                    option value="DIM" { "ran again" } option value="D" { "ran by itself" } option value="I" { "ran because of another" }
                    option value="M" { "was in doubt" } option value="." { "was cached" }
                }
            }
            div { label for={ (prefix) "f-path" } { "Changed path" } input id={ (prefix) "f-path" } name="path" type="search" autocomplete="off" spellcheck="false"; }
            div { label for={ (prefix) "f-last" } { "Builds" }
                select id={ (prefix) "f-last" } name="last" {
                    option value="0" { "all " (grouped(d.builds.len())) " builds" }
                    @for n in [2000, 1000, 500, 200, 100, 50] { @if n < d.builds.len() { option value=(n) { "the newest " (grouped(n)) } } }
                }
            }
            div { button type="reset" { "Clear" } }
            output role="status" {}
        }
        p.keys hidden id={ (prefix) "keys" } {
            "Point at a bar to see the commit and the files; click to keep it and to see only builds in which that step ran. With the keyboard: "
            kbd { "←" } " " kbd { "→" } " build, " kbd { "↑" } " " kbd { "↓" } " step, " kbd { "Home" } " " kbd { "End" } " oldest and newest, "
            kbd { "Enter" } " as a click, " kbd { "Esc" } " clears the filters."
        }
    }
}

/// Words for a kind of cause.
fn kind(name: &str) -> &'static str {
    match name {
        "content" => "files it reads changed",
        "instruction" => "its own text changed",
        "arg" => "a build argument changed",
        "env" => "its environment changed",
        "base-image" => "its base image changed",
        "parent" => "a step before it ran",
        "evicted" => "its result was no longer in the cache",
        "no-cache" => "it is never cached",
        _ => "the cache was empty",
    }
}

/// The dearest builds; the script puts those in their place that the filters let through.
fn list(t: &TargetReport, d: &Detail, prefix: &str) -> Markup {
    let mut order: Vec<&DetailBuild> = d
        .builds
        .iter()
        .filter(|b| b.state == State::Counted)
        .collect();
    order.sort_by(|a, b| b.work_s.total_cmp(&a.work_s).then(b.date.cmp(&a.date)));
    let with_plan = order.iter().any(|b| b.plan_s.is_some());
    html! {
        div.scroll.list tabindex="0" role="group" aria-label="Table of builds" {
            table {
                caption { "The " (count(order.len().min(LISTED), "dearest build")) }
                thead { tr {
                    th scope="col" { "date" } th scope="col" { "commit" } th.num scope="col" { "work" }
                    @if with_plan { th.num scope="col" { "with the plan" } }
                    th scope="col" { "because of" }
                } }
                tbody {
                    @for b in order.iter().take(LISTED) {
                        tr {
                            td.nowrap { (b.date) }
                            td { code { (safe::text(short_commit(&b.commit))) } " " (safe::short(&b.summary, SUBJECT)) }
                            td.num { (seconds(b.work_s)) }
                            @if with_plan { td.num { (b.plan_s.map_or_else(|| "–".to_owned(), seconds)) } }
                            td { (because(t, b, prefix)) }
                        }
                    }
                }
            }
        }
        div.pages hidden { button type="button" data-page="-1" { "Newer" } " " span {} " " button type="button" data-page="1" { "Older" } }
    }
}

fn because(t: &TargetReport, b: &DetailBuild, prefix: &str) -> Markup {
    let direct: Vec<&DetailCause> = b.causes.iter().filter(|c| c.because_of.is_none()).collect();
    html! {
        @for (i, c) in direct.iter().take(3).enumerate() {
            @if i > 0 { "; " }
            a href={ "#" (prefix) "L" (t.steps[c.step].line) } { "line " (t.steps[c.step].line) } ": "
            @if c.paths.is_empty() { (kind(c.kind)) }
            @for (k, p) in c.paths.iter().take(3).enumerate() { @if k > 0 { ", " } code { (safe::short(p, 60)) } }
            @let more = c.more + c.paths.len().saturating_sub(3);
            @if more > 0 && !c.paths.is_empty() { " and " (grouped(more)) " more" }
        }
        @if direct.len() > 3 { "; and " (count(direct.len() - 3, "more step")) }
    }
}

/// What the script is given. Names are short since there may be many builds.
#[derive(Serialize)]
struct Data {
    /// Line and text of each row.
    rows: Vec<(u32, String)>,
    /// Commits, dates and subjects are empty where they are those of the first target.
    commits: Vec<String>,
    dates: Vec<String>,
    subjects: Vec<String>,
    /// A letter a build: counted, first, refused, skipped.
    states: String,
    /// Messages of refused builds, by build.
    refused: Vec<(usize, String)>,
    /// Cells of the rows, and for each that runs because of another the row where that began.
    patterns: Vec<(String, Vec<i32>)>,
    /// The pattern of each build.
    pattern: Vec<usize>,
    kinds: Vec<&'static str>,
    paths: Vec<String>,
    lists: Vec<Vec<usize>>,
    /// For each build row, kind, list of paths, how many more, of steps that run by themselves.
    causes: Vec<Vec<usize>>,
    /// Tenths of a second.
    work: Vec<i64>,
    plan: Vec<Option<i64>>,
}

/// Values by the order in which they were first met.
struct Table<T> {
    list: Vec<T>,
    known: FxHashMap<T, usize>,
}

impl<T: Clone + Eq + std::hash::Hash> Table<T> {
    fn new() -> Self {
        Self {
            list: Vec::new(),
            known: FxHashMap::default(),
        }
    }

    fn at(&mut self, value: T) -> usize {
        if let Some(at) = self.known.get(&value) {
            return *at;
        }
        self.list.push(value.clone());
        self.known.insert(value, self.list.len() - 1);
        self.list.len() - 1
    }
}

impl Data {
    fn of(
        t: &TargetReport,
        d: &Detail,
        first: Option<&Detail>,
        cells: &[Vec<Cell>],
        rows: &[usize],
    ) -> Self {
        // Targets of one report mostly share their commits.
        let same = |f: &&Detail| {
            let both = f.builds.iter().zip(&d.builds);
            f.builds.len() == d.builds.len() && both.into_iter().all(|(a, b)| a.commit == b.commit)
        };
        let known = first.filter(same).is_some();
        let named = || d.builds.iter().filter(|_| !known);
        let row_of: FxHashMap<usize, usize> =
            rows.iter().enumerate().map(|(k, i)| (*i, k)).collect();
        let (mut patterns, mut kinds, mut paths, mut lists) =
            (Table::new(), Table::new(), Table::new(), Table::new());
        let (mut pattern, mut causes) = (Vec::new(), Vec::new());
        for (b, cells) in d.builds.iter().zip(cells) {
            let letters: String = rows.iter().map(|i| cells[*i].letter()).collect();
            let roots: FxHashMap<usize, usize> = causes::of_build(b).into_iter().collect();
            let behind = rows.iter().filter(|i| cells[**i] == Cell::Behind);
            let root = |i: &usize| {
                roots
                    .get(i)
                    .and_then(|r| row_of.get(r))
                    .map_or(-1, |r| i32::try_from(*r).unwrap_or(-1))
            };
            pattern.push(patterns.at((letters, behind.map(root).collect::<Vec<i32>>())));
            let mut flat = Vec::new();
            for c in b.causes.iter().filter(|c| c.because_of.is_none()) {
                let Some(row) = row_of.get(&c.step) else {
                    continue;
                };
                let list: Vec<usize> = c
                    .paths
                    .iter()
                    .map(|p| paths.at(safe::plain(p, PATH)))
                    .collect();
                flat.extend([*row, kinds.at(kind(c.kind)), lists.at(list), c.more]);
            }
            causes.push(flat);
        }
        let builds = || d.builds.iter();
        let refused = |(i, b): (usize, &DetailBuild)| match &b.state {
            State::Refused(m) => Some((i, safe::plain(m, 200))),
            _ => None,
        };
        let tenths = |s: f64| (s * 10.0).round() as i64;
        Self {
            rows: rows
                .iter()
                .map(|i| {
                    let s = &t.steps[*i];
                    (
                        s.line,
                        safe::plain(&causes::brief(stage_and_instruction(&s.name).1), 60),
                    )
                })
                .collect(),
            commits: named()
                .map(|b| safe::plain(&b.commit, 40).chars().take(12).collect())
                .collect(),
            dates: named().map(|b| b.date.clone()).collect(),
            subjects: named().map(|b| safe::plain(&b.summary, SUBJECT)).collect(),
            states: builds().map(|b| state(&b.state)).collect(),
            refused: builds().enumerate().filter_map(refused).collect(),
            patterns: patterns.list,
            pattern,
            kinds: kinds.list,
            paths: paths.list,
            lists: lists.list,
            causes,
            work: builds().map(|b| tenths(b.work_s)).collect(),
            plan: builds().map(|b| b.plan_s.map(tenths)).collect(),
        }
    }
}

fn state(s: &State) -> char {
    match s {
        State::Counted => 'c',
        State::Cold => 'f',
        State::Refused(_) => 'r',
        State::Skipped => 's',
    }
}
