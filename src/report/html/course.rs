//! Seconds over time: with today's Dockerfile, with the plan, with the Dockerfile of the time; and the commits that changed them.
//!
//! Goes in: the trend and the builds. Comes out: a chart and the same as tables. Linear in both. Invariant: colours in the drawing are names
//! that the style gives a colour to, so that it follows light and dark.

use super::super::detail::{Detail, DetailBuild, State};
use super::super::model::{TargetReport, TrendChange};
use super::super::number::count;
use super::super::wording::short_commit;
use super::safe;
use super::safe::seconds;
use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;

const SIZE: (u32, u32) = (960, 280);
/// Points of a chart where months are too few.
const POINTS: usize = 24;
/// Months from which on they are the points.
const MONTHS: usize = 4;
/// Changes listed.
const MOST_CHANGES: usize = 20;

/// Stand for colours of the style sheet.
const NOW: RGBColor = RGBColor(1, 0, 161);
const PLAN: RGBColor = RGBColor(1, 0, 162);
const OWN: RGBColor = RGBColor(1, 0, 163);
const GRID: RGBColor = RGBColor(1, 0, 164);
const TEXT: RGBColor = RGBColor(1, 0, 165);

/// Mean seconds of some builds.
struct Point {
    label: String,
    builds: usize,
    now: Option<f64>,
    plan: Option<f64>,
    own: Option<f64>,
}

/// The section.
pub fn section(t: &TargetReport, d: &Detail, prefix: &str) -> Markup {
    let (points, monthly) = points(t, d);
    if points.len() < 2 {
        return html! {};
    }
    let heading = format!("{prefix}course");
    let plan = points.iter().any(|p| p.plan.is_some());
    let own = points.iter().any(|p| p.own.is_some());
    let changes = t.trend.as_ref().map_or(&[][..], |t| t.changes.as_slice());
    html! {
        section aria-labelledby={ (prefix) "name " (heading) } {
            h2 id=(heading) { "Cost per build over time" }
            p.legend {
                span { (key("now", "")) " today's Dockerfile on the commits of the time" }
                @if plan { span { (key("plan", "7 4")) " the plan on the same commits" } }
                @if own { span { (key("own", "2 4")) " the Dockerfile that each commit had" } }
            }
            div.scroll tabindex="0" role="group" aria-label="Chart of seconds over time" {
                @match chart(&points) {
                    Ok(svg) => { (named(&svg, monthly)) }
                    Err(_) => { p.muted { "The chart could not be drawn; the table below has its figures." } }
                }
            }
            details { summary { "As a table" } (table(&points, monthly, plan, own)) }
            @if !changes.is_empty() { (changed(changes)) }
        }
    }
}

fn key(class: &str, dashes: &str) -> Markup {
    html! { svg.key.wide viewBox="0 0 30 10" aria-hidden="true" focusable="false" { line.(class) x1="0" y1="5" x2="30" y2="5" stroke-dasharray=[Some(dashes).filter(|d| !d.is_empty())] {} } }
}

fn points(t: &TargetReport, d: &Detail) -> (Vec<Point>, bool) {
    let months = t.trend.as_ref().map_or(&[][..], |t| t.months.as_slice());
    if months.len() >= MONTHS {
        let of = |m: &super::super::model::TrendMonth| Point {
            label: m.month.clone(),
            builds: m.builds,
            now: m.work_s_per_build,
            plan: m.plan_work_s_per_build,
            own: m.own_work_s_per_build,
        };
        return (months.iter().map(of).collect(), true);
    }
    let counted: Vec<&DetailBuild> = d
        .builds
        .iter()
        .filter(|b| b.state == State::Counted)
        .collect();
    let n = counted.len().min(POINTS);
    let of = |i: usize| {
        let some = &counted[super::heat::column(i, n, counted.len())];
        let mean = |list: Vec<f64>| {
            (!list.is_empty()).then(|| list.iter().sum::<f64>() / list.len() as f64)
        };
        Point {
            label: some.first().map_or_else(String::new, |b| b.date.clone()),
            builds: some.len(),
            now: mean(some.iter().map(|b| b.work_s).collect()),
            plan: mean(some.iter().filter_map(|b| b.plan_s).collect()),
            own: None,
        }
    };
    ((0..n).map(of).collect(), false)
}

/// A figure of a point, its colour, dash and gap.
type Line = (fn(&Point) -> Option<f64>, RGBColor, (i32, i32));
type Drawn = Result<String, Box<dyn std::error::Error>>;

fn chart(points: &[Point]) -> Drawn {
    let mut svg = String::new();
    let all = points.iter().flat_map(|p| [p.now, p.plan, p.own]).flatten();
    let top = all.fold(0.0, f64::max).max(1.0) * 1.08;
    let last = (points.len() - 1) as f64;
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(40)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..last, 0.0..top)?;
        let style = ("sans-serif", 13).into_font().color(&TEXT);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(style)
            .x_labels(points.len().min(9))
            .y_labels(6)
            .x_label_formatter(&|x| {
                let at = x.round();
                let is_point = (x - at).abs() < 1e-6 && at >= 0.0;
                let label = points.get(at as usize).filter(|_| is_point);
                label.map_or_else(String::new, |p| p.label.clone())
            })
            .y_label_formatter(&|y| seconds(*y))
            .draw()?;
        let lines: [Line; 3] = [
            (|p| p.own, OWN, (2, 4)),
            (|p| p.now, NOW, (0, 0)),
            (|p| p.plan, PLAN, (7, 4)),
        ];
        for (value, color, (dash, gap)) in lines {
            let places = points
                .iter()
                .enumerate()
                .filter_map(|(i, p)| Some((i as f64, value(p)?)));
            let style = color.stroke_width(2);
            match dash {
                0 => drop(chart.draw_series(LineSeries::new(places.clone(), style))?),
                _ => drop(chart.draw_series(DashedLineSeries::new(
                    places.clone(),
                    dash,
                    gap,
                    style,
                ))?),
            }
            if points.len() <= 40 {
                chart.draw_series(places.map(|p| Circle::new(p, 3, color.filled())))?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}

/// The drawing with a name for those who can't see it. Its texts are months, dates and seconds.
fn named(svg: &str, monthly: bool) -> Markup {
    let what = if monthly { "month" } else { "group of builds" };
    let head = format!(
        "<svg class=\"chart\" role=\"img\" aria-label=\"Mean seconds of work a build, by {what}; the table below has the figures\" "
    );
    PreEscaped(svg.replacen("<svg ", &head, 1).replace('\n', ""))
}

fn table(points: &[Point], monthly: bool, plan: bool, own: bool) -> Markup {
    let shown = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), seconds);
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table of seconds over time" {
            table {
                caption { "Mean seconds of work a build" }
                thead { tr {
                    th scope="col" { @if monthly { "month" } @else { "from" } } th.num scope="col" { "builds" }
                    @if own { th.num scope="col" { "own Dockerfile" } }
                    th.num scope="col" { "today's" }
                    @if plan { th.num scope="col" { "plan" } }
                } }
                tbody { @for p in points {
                    tr {
                        th scope="row" { (p.label) } td.num { (p.builds) }
                        @if own { td.num { (shown(p.own)) } }
                        td.num { (shown(p.now)) }
                        @if plan { td.num { (shown(p.plan)) } }
                    }
                } }
            }
        }
    }
}

/// Commits that changed the files, those that changed most.
fn changed(changes: &[TrendChange]) -> Markup {
    let more = |c: &TrendChange| c.after_s_per_build - c.before_s_per_build;
    let mut shown: Vec<&TrendChange> = changes.iter().filter(|c| more(c).abs() >= 0.1).collect();
    shown.sort_by(|a, b| {
        more(b)
            .abs()
            .total_cmp(&more(a).abs())
            .then(a.date.cmp(&b.date))
    });
    shown.truncate(MOST_CHANGES);
    shown.sort_by(|a, b| b.date.cmp(&a.date));
    html! {
        h3 { "Commits that changed the Dockerfile" }
        @if shown.is_empty() {
            p { (count(changes.len(), "commit")) " changed it or its ignore file, none with a noticeable difference." }
        } @else {
            div.scroll tabindex="0" role="group" aria-label="Table of commits that changed the Dockerfile" {
                table {
                    caption { "Mean seconds of work a build with the files before the commit and those behind it, on the same commits around it" }
                    thead { tr { th scope="col" { "date" } th scope="col" { "commit" } th.num scope="col" { "before" } th.num scope="col" { "after" } th.num scope="col" { "on builds" } } }
                    tbody { @for c in &shown {
                        tr {
                            td.nowrap { (c.date) } td { code { (safe::text(short_commit(&c.commit))) } " " (safe::short(&c.summary, 100)) }
                            td.num { (seconds(c.before_s_per_build)) }
                            td.num { (seconds(c.after_s_per_build)) " " span.(if more(c) > 0.0 { "worse" } else { "better" }) { @if more(c) > 0.0 { "▲" } @else { "▼" } } }
                            td.num { (c.builds) }
                        }
                    } }
                }
            }
            @if changes.len() > shown.len() { p.muted { "and " (count(changes.len() - shown.len(), "other commit")) " that changed less" } }
        }
    }
}
