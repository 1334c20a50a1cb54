//! `compare` as one page for a browser.
//!
//! Goes in: the document. Comes out: a whole HTML page that loads nothing and runs nothing: tables with captions, the
//! plot as SVG with a table that says the same, light and dark by the reader's setting, fit for paper. Linear in the
//! document. Invariant: everything from the repository is escaped by maud, shown with its hidden characters spelled
//! out, and isolated from the reading order around it.

mod chart;
mod measured;

use super::comparison::{self, DifferenceRow, plot};
use super::escape::{line, shortened, without_commands};
use super::model::{Comparison, Pair};
use super::number::{count, percent, seconds};
use super::wording::{self, short_commit};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Groups of builds shown for a pair.
const MOST_GROUPS: usize = 12;
/// Steps shown of a group.
const MOST_STEPS: usize = 8;
/// Rows of the table that says what the plot shows.
const PLACES: usize = 12;
/// Characters of a name.
const NAME: usize = 160;

const STYLE: &str = include_str!("compare_html/style.css");
/// Nothing is loaded, from nowhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Variants on the same builds, and every pair of them.
#[must_use]
pub fn comparison(c: &Comparison) -> String {
    let title = comparison::title(c);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { "cacheplan: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    p { (comparison::source(c)) }
                    @if let Some(doubt) = comparison::doubt(c) { p { (doubt) } }
                    (variants(c))
                    (pairs(c))
                    (drawn(c))
                    (measured::section(c))
                    (differing(c))
                }
            }
        }
    };
    // Whoever prints it to the log of a job gets no commands either.
    without_commands(&(page.into_string() + "\n")).into_owned()
}

/// Text of the repository's, inert, with a reading order of its own.
fn own(text: &str, most: usize) -> Markup {
    html! { bdi { (shortened(text, most)) } }
}

/// A wide table that scrolls by itself, by keyboard too.
fn scrolled(label: &str, table: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(label) tabindex="0" { (table) } }
}

/// A letter for the plot: A to Z, then numbers.
fn letter(i: usize) -> String {
    match u8::try_from(i) {
        Ok(n) if n < 26 => char::from(b'A' + n).to_string(),
        _ => (i + 1).to_string(),
    }
}

fn variants(c: &Comparison) -> Markup {
    let table = html! {
        table {
            caption { "What a build costs with each variant (modelled)" }
            thead { tr {
                th scope="col" { "line" }
                th scope="col" { "variant" }
                th.n scope="col" { "work per build" }
                th.n scope="col" { "longest chain" }
                th.n scope="col" { "empty cache" }
                th.n scope="col" { "cached" }
            } }
            tbody { @for (i, v) in c.variants.iter().enumerate() { tr {
                td { (chart::swatch(i)) " " (letter(i)) }
                th scope="row" { (own(&v.name, NAME)) }
                td.n { (seconds(v.figures.work_s_per_build)) }
                td.n { (seconds(v.figures.critical_path_s_per_build)) }
                td.n { (seconds(v.figures.cold_s)) }
                td.n { (percent(v.figures.hit_rate)) }
            } } }
        }
    };
    scrolled("Variants", &table)
}

fn pairs(c: &Comparison) -> Markup {
    let (shown, more) = comparison::worth_showing(c);
    let table = html! {
        table {
            caption { "Pairs on the same builds (modelled); the interval is a bootstrap over builds" }
            thead { tr {
                th scope="col" { "instead of" }
                th scope="col" { "this one" }
                th.n scope="col" { "saves" }
                th.n scope="col" { "95 % interval" }
                th.n scope="col" { "cheaper in" }
                th.n scope="col" { "dearer in" }
                th.n scope="col" { "same in" }
            } }
            tbody { @for p in &shown { tr {
                th scope="row" { (own(&p.a, NAME)) }
                td { (own(&p.b, NAME)) }
                td.n { (percent(p.saving)) }
                td.n { (interval(p.interval)) }
                td.n { (p.wins) }
                td.n { (p.losses) }
                td.n { (p.ties) }
            } } }
        }
    };
    html! {
        @if !shown.is_empty() { (scrolled("Pairs", &table)) }
        @if more > 0 { p.note {
            (count(more, "more pair")) " that differ in Dockerfile and policy are in the JSON report."
        } }
    }
}

fn interval(range: [f64; 2]) -> String {
    let text = wording::range(range);
    text.trim_start_matches("95 % interval ").to_owned()
}

fn drawn(c: &Comparison) -> Markup {
    let lines = plot::cumulative(c);
    let Some(svg) = chart::draw(&lines) else {
        return html! {};
    };
    let places = plot::places(c.per_build.len(), PLACES);
    let table = html! {
        table {
            caption { "The plot in figures: modelled seconds up to and with each build" }
            thead { tr {
                th scope="col" { "build" }
                th scope="col" { "commit" }
                @for (i, v) in c.variants.iter().enumerate() {
                    th.n scope="col" { (letter(i)) " " (own(&v.name, 40)) }
                }
            } }
            tbody { @for at in places { tr {
                th scope="row" { (at + 1) }
                td { code { (line(short_commit(&c.per_build[at].commit))) } }
                @for l in &lines { td.n { (seconds(l[at])) } }
            } } }
        }
    };
    html! {
        section {
            h2 #plot-title { "Seconds added up from build to build" }
            figure {
                (PreEscaped(svg))
                figcaption {
                    "Modelled work of " (count(c.per_build.len(), "build")) ", oldest on the left; the lower a line ends, the less was run. "
                    @for (i, v) in c.variants.iter().enumerate() {
                        span.key { (chart::swatch(i)) " " (letter(i)) " " (own(&v.name, 60)) } " "
                    }
                }
            }
            details {
                summary { "The same as a table" }
                (scrolled("The plot in figures", &table))
            }
        }
    }
}

fn differing(c: &Comparison) -> Markup {
    let (shown, _) = comparison::worth_showing(c);
    let with: Vec<&&Pair> = shown.iter().filter(|p| !p.differing.is_empty()).collect();
    html! {
        @if !with.is_empty() { section {
            h2 { "Where they differ" }
            p { "Builds that differ by the same steps are one row; what makes the largest difference in all of its builds comes first." }
            @for (i, p) in with.iter().enumerate() {
                details open[i == 0] {
                    summary { (own(&p.b, NAME)) " instead of " (own(&p.a, NAME)) ": " (comparison::tally(p)) }
                    (groups(p))
                }
            }
        } }
    }
}

fn groups(p: &Pair) -> Markup {
    let rows = comparison::chosen(p, MOST_GROUPS);
    let told: usize = rows.iter().map(|d| d.builds).sum();
    let more = (p.wins + p.losses).saturating_sub(told);
    let table = html! {
        table {
            caption { "Builds and the steps that make the difference (modelled)" }
            thead { tr {
                th scope="col" { "build" }
                th.n scope="col" { "builds like it" }
                th.n scope="col" { "before" }
                th.n scope="col" { "after" }
                th scope="col" { "steps" }
            } }
            tbody { @for d in rows { (group(d)) } }
        }
    };
    html! {
        (scrolled("Builds that differ", &table))
        @if more > 0 { p.note { "… and " (count(more, "more build")) " by other steps." } }
    }
}

fn group(d: &DifferenceRow) -> Markup {
    let more = d.steps.len().saturating_sub(MOST_STEPS);
    html! { tr {
        th scope="row" { code { (line(short_commit(&d.commit))) } " " (own(&d.summary, 80)) }
        td.n { (d.builds - 1) }
        td.n { (seconds(d.a_s)) }
        td.n { (seconds(d.b_s)) }
        td { ul {
            @for s in d.steps.iter().take(MOST_STEPS) {
                li { code { (own(&s.text, 120)) } " " (comparison::step_change(s)) }
            }
            @if more > 0 { li { "… " (count(more, "more step")) } }
        } }
    } }
}

#[cfg(test)]
#[path = "compare_html/tests.rs"]
mod tests;
