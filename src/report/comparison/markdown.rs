//! `compare` as a comment on a pull request.
//!
//! Goes in: the document. Comes out: tables, and in a fold for each pair the builds that make its difference. Linear in
//! the document. Invariant: as in [`crate::report::markdown`].

use super::{DifferenceRow, chosen};
use crate::report::escape::{line, markdown_text, shortened};
use crate::report::markdown::{COMPARISON_MARKER, Piece, Rank, assemble, name, sentence};
use crate::report::model::{Comparison, Pair, Variant};
use crate::report::number::{count, percent, seconds};
use crate::report::wording::{self, short_commit};

/// Groups of builds in a fold.
const MOST_GROUPS: usize = 10;
/// Steps shown of a group.
const MOST_STEPS: usize = 5;

/// Variants on the same builds, and every pair of them.
#[must_use]
pub fn comparison(c: &Comparison) -> String {
    let mut pieces = vec![(
        Rank::Head,
        format!(
            "{COMPARISON_MARKER}\n### {}\n\n| variant | per build | longest chain | empty cache | cached |\n|---|--:|--:|--:|--:|\n",
            super::title(c)
        ),
    )];
    for v in &c.variants {
        let f = &v.figures;
        let row = format!(
            "| {} | {} | {} | {} | {} |\n",
            name(&v.name),
            seconds(f.work_s_per_build),
            seconds(f.critical_path_s_per_build),
            seconds(f.cold_s),
            percent(f.hit_rate),
        );
        pieces.push((Rank::Row, row));
    }
    let doubt = super::doubt(c).map_or_else(String::new, |d| format!(" {d}"));
    let said = format!("\n{}{doubt}\n", markdown_text(&super::source(c)));
    pieces.push((Rank::Message, said));
    pairs(&mut pieces, c);
    measured(&mut pieces, c);
    assemble(pieces)
}

fn pairs(pieces: &mut Vec<Piece>, c: &Comparison) {
    let (shown, more) = super::worth_showing(c);
    if !shown.is_empty() {
        let head = "\n| from | to | saving | 95 % interval | cheaper in | dearer in | same in |\n|---|---|--:|--:|--:|--:|--:|\n";
        pieces.push((Rank::Head, head.to_owned()));
    }
    for p in &shown {
        let row = format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            name(&p.a),
            name(&p.b),
            percent(p.saving),
            interval(p.interval),
            p.wins,
            p.losses,
            p.ties,
        );
        // Pairs grow with the square of the variants.
        pieces.push((Rank::Steps, row));
    }
    if more > 0 {
        let text = format!(
            "\n{} that differ in Dockerfile and policy are in the JSON report.\n",
            count(more, "more pair")
        );
        pieces.push((Rank::Message, text));
    }
    for (i, p) in shown.iter().enumerate() {
        if !p.differing.is_empty() {
            pieces.push((Rank::Diff, fold(p, i)));
        }
    }
}

fn interval(range: [f64; 2]) -> String {
    let text = wording::range(range);
    text.trim_start_matches("95 % interval ").to_owned()
}

fn fold(p: &Pair, at: usize) -> String {
    // Names stand below: in a summary Markdown's escapes would be shown as they are.
    let mut out = format!(
        "\n<details><summary>Builds in which pair {} differs, and the steps that make the difference</summary>\n\n{} instead of {}:\n\n| build | like it | before | after | steps |\n|---|--:|--:|--:|---|\n",
        at + 1,
        name(&p.b),
        name(&p.a)
    );
    let rows = chosen(p, MOST_GROUPS);
    for d in &rows {
        out.push_str(&row(d));
    }
    let (told, differ) = (rows.iter().map(|d| d.builds).sum(), p.wins + p.losses);
    if differ > told {
        out.push_str(&format!(
            "\n… and {} by other steps.\n",
            count(differ - told, "more build")
        ));
    }
    out.push_str("\n</details>\n");
    out
}

fn row(d: &DifferenceRow) -> String {
    let steps = d.steps.iter().take(MOST_STEPS).map(|s| {
        let change = markdown_text(&super::step_change(s));
        format!("{} {change}", name(&shortened(&s.text, 80)))
    });
    let mut steps: Vec<String> = steps.collect();
    if d.steps.len() > MOST_STEPS {
        steps.push(format!("… {} more", d.steps.len() - MOST_STEPS));
    }
    format!(
        "| {} {} | {} | {} | {} | {} |\n",
        name(&line(short_commit(&d.commit))),
        markdown_text(&shortened(&d.summary, 60)),
        d.builds - 1,
        seconds(d.a_s),
        seconds(d.b_s),
        steps.join("<br>")
    )
}

fn measured(pieces: &mut Vec<Piece>, c: &Comparison) {
    let Some(how) = super::measured_how(c) else {
        return;
    };
    let head = format!(
        "\n**Measured beside modelled.** {}\n\n| variant | steps, measured | steps, modelled | clock, measured | from empty: steps, measured | modelled | clock |\n|---|--:|--:|--:|--:|--:|--:|\n",
        sentence(&how)
    );
    pieces.push((Rank::Head, head));
    for v in &c.variants {
        pieces.push((Rank::Row, measured_row(v)));
    }
    for v in &c.variants {
        for note in super::measured_notes(v) {
            let text = format!("\n{}: {}\n", name(&v.name), sentence(&note));
            pieces.push((Rank::Message, text));
        }
    }
    let (shown, _) = super::worth_showing(c);
    for p in shown {
        if let Some(text) = super::measured_change(p) {
            let text = format!(
                "\n{} instead of {}: {}\n",
                name(&p.b),
                name(&p.a),
                markdown_text(&text)
            );
            pieces.push((Rank::Plan, text));
        }
    }
}

fn measured_row(v: &Variant) -> String {
    let Some(m) = &v.measured else {
        return format!("| {} | not measured | | | | | |\n", name(&v.name));
    };
    let modelled = v.modelled_beside.as_ref();
    let cold = |s: Option<f64>| s.map_or_else(|| "–".to_owned(), seconds);
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        name(&v.name),
        super::spread(&m.work_s),
        modelled.map_or_else(String::new, |d| super::spread(&d.work_s)),
        super::spread(&m.wall_s),
        cold(m.cold_s),
        cold(modelled.and_then(|d| d.cold_s)),
        cold(m.cold_wall_s),
    )
}
