//! What a real builder took, beside what the model says of the same builds.

use super::{NAME, own, scrolled};
use crate::report::comparison;
use crate::report::escape::line;
use crate::report::model::{Comparison, Variant};
use crate::report::number::seconds;
use maud::{Markup, html};

/// The section; nothing where nothing was measured.
pub fn section(c: &Comparison) -> Markup {
    let Some(how) = comparison::measured_how(c) else {
        return html! {};
    };
    let table = html! {
        table {
            caption { "Seconds of a build: measured, and modelled for the same commits" }
            thead { tr {
                th scope="col" { "variant" }
                th.n scope="col" { "steps, measured" }
                th.n scope="col" { "steps, modelled" }
                th.n scope="col" { "clock, measured" }
                th.n scope="col" { "from empty: steps, measured" }
                th.n scope="col" { "steps, modelled" }
                th.n scope="col" { "clock, measured" }
            } }
            tbody { @for v in &c.variants { (row(v)) } }
        }
    };
    let (pairs, _) = comparison::worth_showing(c);
    html! { section {
        h2 { "Measured beside modelled" }
        p { (line(&how)) }
        (scrolled("Measured beside modelled", &table))
        ul {
            @for p in pairs { @if let Some(text) = comparison::measured_change(p) {
                li { (own(&p.b, NAME)) " instead of " (own(&p.a, NAME)) ": " (text) }
            } }
            @for v in &c.variants { @for note in comparison::measured_notes(v) {
                li { (own(&v.name, NAME)) ": " (own(&note, 600)) }
            } }
        }
    } }
}

fn row(v: &Variant) -> Markup {
    let cold = |s: Option<f64>| s.map_or_else(|| "–".to_owned(), seconds);
    let modelled = v.modelled_beside.as_ref();
    html! { tr {
        th scope="row" { (own(&v.name, NAME)) }
        @if let Some(m) = &v.measured {
            td.n { (comparison::spread(&m.work_s)) }
            td.n { (modelled.map_or_else(String::new, |d| comparison::spread(&d.work_s))) }
            td.n { (comparison::spread(&m.wall_s)) }
            td.n { (cold(m.cold_s)) }
            td.n { (cold(modelled.and_then(|d| d.cold_s))) }
            td.n { (cold(m.cold_wall_s)) }
        } @else {
            td colspan="6" { "not measured" }
        }
    } }
}
