//! `compare` for a terminal.
//!
//! Goes in: the document and a style. Comes out: a table of variants, every pair with the builds that make its
//! difference, a small plot, and what was measured. Linear in the document. Invariant: as in [`crate::report::text`].

use super::{Spread, chosen, middle, plot};
use crate::report::escape::{line, shortened};
use crate::report::model::{Comparison, Pair};
use crate::report::number::{bar, count, percent, seconds};
use crate::report::page::{BOLD, DIM, Page, Style};
use crate::report::wording::{self, short_commit};

/// Groups of builds shown for a pair.
const MOST_GROUPS: usize = 3;
/// Steps shown of a group.
const MOST_STEPS: usize = 4;
/// Pairs whose builds are shown; the others have their line alone.
const MOST_PAIRS: usize = 6;
const BAR: usize = 10;
const PLAIN: anstyle::Style = anstyle::Style::new();

/// Variants on the same builds, and every pair of them.
#[must_use]
pub fn comparison(c: &Comparison, style: Style) -> String {
    let mut page = Page::new(style);
    page.painted(BOLD, &super::title(c));
    page.line("");
    variants(&mut page, c);
    page.wrapped(DIM, "  ", "  ", &super::source(c));
    if let Some(text) = super::doubt(c) {
        page.wrapped(DIM, "  ", "  ", &text);
    }
    pairs(&mut page, c);
    drawn(&mut page, c);
    measured(&mut page, c);
    page.done()
}

fn longest_name(c: &Comparison) -> usize {
    let lengths = c.variants.iter().map(|v| line(&v.name).chars().count());
    lengths.max().unwrap_or(0)
}

fn variants(page: &mut Page, c: &Comparison) {
    let width = page.style.width;
    let name_width = longest_name(c).clamp(7, width - 49);
    page.painted(
        DIM,
        &format!(
            "  {:name_width$}  {:>9}  {:>13}  {:>11}  {:>6}",
            "variant", "per build", "longest chain", "empty cache", "cached"
        ),
    );
    let all = c.variants.iter().map(|v| v.figures.work_s_per_build);
    let dearest = all.fold(0.0, f64::max);
    for v in &c.variants {
        let f = &v.figures;
        let share = match dearest > 0.0 {
            true => f.work_s_per_build / dearest,
            false => 0.0,
        };
        let row = format!(
            "  {:name_width$}  {:>9}  {:>13}  {:>11}  {:>6}  {}",
            middle(&v.name, name_width),
            seconds(f.work_s_per_build),
            seconds(f.critical_path_s_per_build),
            seconds(f.cold_s),
            percent(f.hit_rate),
            match width >= name_width + 60 {
                true => bar(share, BAR),
                false => String::new(),
            },
        );
        page.line(&row);
    }
}

fn pairs(page: &mut Page, c: &Comparison) {
    let (shown, more) = super::worth_showing(c);
    for (i, p) in shown.iter().enumerate() {
        if i <= MOST_PAIRS {
            page.line("");
        }
        let text = format!(
            "{} instead of {}: {}; {}",
            middle(&p.b, 40),
            middle(&p.a, 40),
            wording::change(p.saving, p.interval),
            super::tally(p)
        );
        page.wrapped(PLAIN, "  ", "    ", &text);
        if i < MOST_PAIRS {
            groups(page, p);
        }
    }
    if more > 0 {
        page.line("");
        let text = format!(
            "  {} that differ in Dockerfile and policy are in the JSON report",
            count(more, "more pair")
        );
        page.painted(DIM, &text);
    }
}

fn groups(page: &mut Page, p: &Pair) {
    let width = page.style.width;
    let shown = chosen(p, MOST_GROUPS);
    let builds: usize = shown.iter().map(|d| d.builds).sum();
    for d in shown {
        let like = match d.builds {
            1 => String::new(),
            n => format!(" and {} like it", count(n - 1, "build")),
        };
        let text = format!(
            "{} “{}”{like}: {} -> {}",
            line(short_commit(&d.commit)),
            shortened(&d.summary, 40),
            seconds(d.a_s),
            seconds(d.b_s),
        );
        page.wrapped(DIM, "    ", "      ", &text);
        for s in d.steps.iter().take(MOST_STEPS) {
            let change = super::step_change(s);
            let room = width.saturating_sub(10 + change.chars().count()).max(20);
            let text = format!("{}  {change}", shortened(&s.text, room));
            page.painted(DIM, &format!("        {text}"));
        }
        if d.steps.len() > MOST_STEPS {
            let more = count(d.steps.len() - MOST_STEPS, "more step");
            page.painted(DIM, &format!("        … {more}"));
        }
    }
    let differ = p.wins + p.losses;
    if differ > builds {
        let text = format!(
            "    … {} that differ{} by other steps",
            count(differ - builds, "more build"),
            if differ - builds == 1 { "s" } else { "" }
        );
        page.painted(DIM, &text);
    }
}

fn drawn(page: &mut Page, c: &Comparison) {
    let lines = plot::cumulative(c);
    let ends = || lines.iter().filter_map(|l| l.last().copied());
    let most = ends().fold(0.0, f64::max);
    if most <= 0.0 || c.per_build.len() < 2 {
        return;
    }
    let width = page.style.width;
    let name_width = longest_name(c).clamp(7, width / 3);
    let places = plot::places(c.per_build.len(), width - name_width - 15);
    page.line("");
    let text = format!(
        "Modelled seconds added up from build to build, oldest on the left ({} in {})",
        count(c.per_build.len(), "build"),
        count(places.len(), "column")
    );
    page.wrapped(BOLD, "", "  ", &text);
    for (v, l) in c.variants.iter().zip(&lines) {
        let values: Vec<f64> = places.iter().map(|i| l[*i]).collect();
        let text = format!(
            "  {:name_width$}  {}  {:>9}",
            middle(&v.name, name_width),
            plot::sparkline(&values, most),
            seconds(l.last().copied().unwrap_or(0.0)),
        );
        page.line(&text);
    }
}

fn measured(page: &mut Page, c: &Comparison) {
    let Some(how) = super::measured_how(c) else {
        return;
    };
    page.line("");
    page.wrapped(BOLD, "", "  ", &line(&how));
    let cold = |s: Option<f64>| s.map_or_else(|| "–".to_owned(), seconds);
    let head = ["steps, measured", "steps, modelled", "clock, measured"];
    let mut rows: Vec<[String; 3]> = vec![head.map(str::to_owned)];
    for v in &c.variants {
        let (measured, modelled) = (v.measured.as_ref(), v.modelled_beside.as_ref());
        for of in [|s: &Spread| seconds(s.median), super::range] {
            rows.push([
                measured.map_or_else(|| "not measured".to_owned(), |m| of(&m.work_s)),
                modelled.map_or_else(String::new, |d| of(&d.work_s)),
                measured.map_or_else(String::new, |m| of(&m.wall_s)),
            ]);
        }
        rows.push([
            cold(measured.and_then(|m| m.cold_s)),
            cold(modelled.and_then(|d| d.cold_s)),
            cold(measured.and_then(|m| m.cold_wall_s)),
        ]);
    }
    let wide = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths = [wide(0), wide(1), wide(2)];
    let taken: usize = widths.iter().map(|w| w + 2).sum();
    let room = page.style.width.saturating_sub(taken + 2);
    let name_width = longest_name(c).clamp(12, room.max(12));
    let cells = |name: &str, row: &[String; 3]| {
        let [a, b, d] = row;
        let [x, y, z] = widths;
        format!("  {name:name_width$}  {a:>x$}  {b:>y$}  {d:>z$}")
    };
    page.painted(DIM, &cells("variant", &rows[0]));
    for (v, row) in c.variants.iter().zip(rows[1..].chunks(3)) {
        page.line(&cells(&middle(&v.name, name_width), &row[0]));
        if v.measured.is_some() {
            page.painted(DIM, &cells("  10 .. 90 %", &row[1]));
            page.painted(DIM, &cells("  from empty", &row[2]));
        }
        for note in super::measured_notes(v) {
            page.wrapped(PLAIN, "    note: ", "      ", &line(&note));
        }
    }
    let (shown, _) = super::worth_showing(c);
    for p in shown {
        if let Some(text) = super::measured_change(p) {
            let text = format!(
                "{} instead of {}: {text}",
                middle(&p.b, 40),
                middle(&p.a, 40)
            );
            page.wrapped(PLAIN, "  ", "    ", &text);
        }
    }
}
