//! Variants on the same builds, and every pair of them.

use super::super::model::Comparison;
use super::super::number::grouped;
use super::super::wording;
use super::safe::{percent, seconds};
use super::{safe, summary};
use maud::{Markup, html};

/// Both tables.
pub fn tables(c: &Comparison) -> Markup {
    let all = c.variants.iter().map(|v| v.figures.work_s_per_build);
    let dearest = all.fold(0.0, f64::max).max(1e-9);
    html! {
        section aria-labelledby="variants" {
            h2 #variants { "Variants" }
            div.scroll tabindex="0" role="group" aria-label="Table of variants" {
                table {
                    caption { "Mean seconds of work a build, of the longest chain of steps, and of a build with an empty cache; share of steps that come from the cache" }
                    thead { tr {
                        th scope="col" { "variant" } th.num scope="col" { "per build" } th.num scope="col" { "longest chain" }
                        th.num scope="col" { "empty cache" } th.num scope="col" { "cached" }
                    } }
                    tbody { @for v in &c.variants {
                        tr {
                            th scope="row" { code { (safe::short(&v.name, 120)) } }
                            td.num { (seconds(v.figures.work_s_per_build)) (summary::bar(v.figures.work_s_per_build / dearest, "work")) }
                            td.num { (seconds(v.figures.critical_path_s_per_build)) }
                            td.num { (seconds(v.figures.cold_s)) } td.num { (percent(v.figures.hit_rate)) }
                        }
                    } }
                }
            }
        }
        @if !c.pairs.is_empty() {
            section aria-labelledby="pairs" {
                h2 #pairs { "Pairs" }
                div.scroll tabindex="0" role="group" aria-label="Table of pairs" {
                    table {
                        caption { "What the second saves against the first, and in how many builds it is cheaper, dearer, the same" }
                        thead { tr {
                            th scope="col" { "from" } th scope="col" { "to" } th.num scope="col" { "saving" } th.num scope="col" { "95 % interval" }
                            th.num scope="col" { "cheaper" } th.num scope="col" { "dearer" } th.num scope="col" { "same" }
                        } }
                        tbody { @for p in &c.pairs {
                            tr {
                                td { code { (safe::short(&p.a, 80)) } } td { code { (safe::short(&p.b, 80)) } }
                                td.num { (percent(p.saving)) }
                                td.num { (wording::range(p.interval).trim_start_matches("95 % interval ")) }
                                td.num { (grouped(p.wins)) } td.num { (grouped(p.losses)) } td.num { (grouped(p.ties)) }
                            }
                        } }
                    }
                }
            }
        }
    }
}
