//! The report as one HTML file that loads nothing: for people who were handed it and have nothing else.
//!
//! Goes in: the document with its [`super::detail::Detail`]. Comes out: HTML 5 with its style, its script and its data inside. Linear in
//! builds times steps. Invariant: without script everything is there to read; nothing from the repository is markup, and the policy in the
//! head lets only this style and this script work, and nothing be fetched.

mod advice;
mod builds;
mod causes;
mod context;
mod course;
mod dockerfile;
mod heat;
mod plan;
mod safe;
mod stages;
mod summary;
#[cfg(test)]
mod tests;

use super::findings::{self, Checked};
use super::model::{Analysis, FailedTarget, TargetReport};
use super::number::count;
use super::wording;
use base64::Engine as _;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use safe::{percent, seconds};
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// The whole analysis.
#[must_use]
pub fn analysis(a: &Analysis) -> String {
    let (done, failed) = wording::split(a);
    let done = wording::dearest(&done);
    let title = match done.as_slice() {
        [one] => format!("Build cache report: {}", one.file),
        _ => "Build cache report".to_owned(),
    };
    let body = html! {
        header.page {
            p.brand { "cacheplan" }
            h1 { (safe::text(&title)) }
            p.lead {
                "A container image is built step by step, and a step whose inputs did not change is taken from the cache. The first step "
                "that did change runs again, and so does every step behind it in its stage. This report went through the commits of this "
                "repository as if each had been built, and counts which steps ran again, why, and what that costs."
            }
        }
        main #main {
            @if done.len() + failed.len() > 1 { (targets(&done, &failed)) }
            @for i in 0..done.len() { (target(&done, i)) }
            @for f in &failed { (failure(f)) }
            @if a.targets.is_empty() { p { "No Dockerfile found." } }
            @if !a.not_analysed.is_empty() { (not_analysed(&a.not_analysed)) }
            (reading())
        }
        footer.page { p { "Made by cacheplan " (env!("CARGO_PKG_VERSION")) " from the repository alone. This file loads nothing and sends nothing." } }
    };
    page(&title, &body)
}

/// The findings of `check`.
#[must_use]
pub fn check(checked: &Checked) -> String {
    let all: usize = checked.files.iter().map(|f| f.findings.len()).sum();
    let files = checked.files.len();
    let title = format!("{} in {}", count(all, "finding"), count(files, "file"));
    let shown = checked
        .files
        .iter()
        .filter(|f| !f.findings.is_empty() || !f.diagnostics.is_empty());
    let body = html! {
        header.page {
            p.brand { "cacheplan check" }
            h1 { (title) }
            p.lead { "What the rules say about these Dockerfiles, without looking at the history: faults, waste, and how to do away with them." }
        }
        main #main {
            @for f in shown {
                @let rows: Vec<_> = findings::dearest(&f.findings, usize::MAX).0;
                section {
                    h2 { (safe::text(&f.file)) }
                    @if !f.diagnostics.is_empty() { ul { @for d in &f.diagnostics { li { (advice::diagnostic(d, &f.file)) } } } }
                    @if !rows.is_empty() { (advice::table(&rows, &f.file, None)) }
                }
            }
        }
    };
    page(&title, &body)
}

/// A page of this look around a body.
pub fn page(title: &str, body: &Markup) -> String {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let out = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (safe::text(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut out = out.into_string();
    out.push('\n');
    out
}

/// The source expression of the policy for an inline element.
fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let encoded = base64::engine::general_purpose::STANDARD.encode(digest);
    format!("sha256-{encoded}")
}

fn name_of(t: &TargetReport) -> Markup {
    html! {
        (safe::text(&t.file))
        @if let Some(stage) = &t.target { " " span.muted { "target " (safe::text(stage)) } }
    }
}

/// One row a target.
fn targets(done: &[&TargetReport], failed: &[&FailedTarget]) -> Markup {
    let work = |i: &usize| done[*i].baseline.work_s_per_build;
    let mut order: Vec<usize> = (0..done.len()).collect();
    order.sort_by(|a, b| work(b).total_cmp(&work(a)).then(a.cmp(b)));
    html! {
        section aria-labelledby="targets" {
            h2 #targets { "What was looked at" }
            div.scroll tabindex="0" role="group" aria-label="Table of Dockerfiles" {
                table {
                    caption { "Mean seconds of work a build, the dearest first. Each name leads to its part of this report." }
                    thead { tr {
                        th scope="col" { "Dockerfile" } th.num scope="col" { "builds" } th.num scope="col" { "now" }
                        th.num scope="col" { "with the plan" } th.num scope="col" { "saved" }
                    } }
                    tbody {
                        @for i in order {
                            @let t = done[i];
                            @let best = wording::best(&t.plans).filter(|p| !p.edits.is_empty());
                            tr {
                                th scope="row" { a href={ "#t" (i) } { (name_of(t)) } @if t.origin != "discovered" { " " span.muted { (safe::text(&t.origin)) } } }
                                td.num { (t.history.builds) }
                                td.num { (seconds(t.baseline.work_s_per_build)) }
                                @match best {
                                    Some(p) => { td.num { (seconds(p.work_s_per_build)) } td.num { (percent(p.saving)) } }
                                    None => { td.num { "no better one" } td.num { "–" } }
                                }
                            }
                        }
                        @for f in failed {
                            tr { th scope="row" { (safe::text(&f.file)) } td colspan="4" { "could not be analysed, see below" } }
                        }
                    }
                }
            }
        }
    }
}

fn target(done: &[&TargetReport], index: usize) -> Markup {
    let t = done[index];
    let several = done.len() > 1;
    let first = done
        .first()
        .filter(|_| index > 0)
        .and_then(|t| t.detail.as_deref());
    let prefix = format!("t{index}-");
    let prefix = prefix.as_str();
    let detail = t.detail.as_deref();
    html! {
        article #{ "t" (index) } .target data-target=(index) {
            @if several { h2.name id={ (prefix) "name" } { (name_of(t)) " " span.muted.of { (safe::text(&t.origin)) ", " (index + 1) " of " (done.len()) } } } @else { span id={ (prefix) "name" } hidden { (name_of(t)) } }
            (summary::section(t, prefix))
            (dockerfile::section(t, detail, prefix))
            (plan::section(t, prefix))
            @if let Some(d) = detail.filter(|d| !d.builds.is_empty()) {
                (builds::section(t, d, first, prefix))
                (course::section(t, d, prefix))
                (stages::section(t, d, prefix))
                (context::section(done, index, d, prefix))
            }
            (advice::section(t, prefix))
        }
    }
}

fn failure(f: &FailedTarget) -> Markup {
    html! {
        section {
            h2 { (safe::text(&f.file)) " could not be analysed" }
            ul { @for d in &f.diagnostics { li { (advice::diagnostic(d, &f.file)) } } }
        }
    }
}

fn not_analysed(names: &[String]) -> Markup {
    html! {
        p.muted {
            "Other files that look like Dockerfiles and were not analysed: "
            @for (i, n) in names.iter().take(10).enumerate() { @if i > 0 { ", " } code { (safe::short(n, 80)) } }
            @if names.len() > 10 { " and " (names.len() - 10) " more" }
            "."
        }
    }
}

/// What the words and figures mean.
fn reading() -> Markup {
    html! {
        section.reading aria-labelledby="reading" {
            h2 #reading { "How to read the figures" }
            dl {
                dt { "Build" }
                dd { "One commit, built right after the one before it, with the cache that those before it left. The oldest meets an empty cache and is in no count and no mean." }
                dt { "Runs again" }
                dd { "The builder would execute the step instead of taking its result from the cache. That follows from the builder's own rules for cache keys and from what each commit changed; nothing was built." }
                dt { "In doubt" }
                dd { "Only running an earlier step can tell whether its output is the same as before. Counted as running, except where a figure says otherwise." }
                dt { "Seconds" }
                dd { b { "prior" } ": from a table of what such steps take elsewhere; " b { "learned" } ": from logs of other versions of the step; " b { "measured" } ": from logs of this very step. All sums over builds are modelled from these, whatever their source." }
                dt { "Work" }
                dd { "Seconds of all steps that run, added up. On the clock a build takes less where stages run side by side." }
                dt { "Proven, assumed, review" }
                dd { "A proven change gives the same image always; an assumed one gives the same image if what is listed with it is true; one for review has to be read by somebody who knows the project." }
                dt { "Bound" }
                dd { "No plan with the changes that the tool knows can cost less than this." }
            }
        }
    }
}
