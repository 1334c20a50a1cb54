//! The plot: one rising line a variant.
//!
//! Goes in: seconds added up, one list a variant. Comes out: an SVG element. Linear in the points, of which there are at
//! most [`POINTS`] a line. Invariant: nothing but numbers is in it; which line is whose is told beside it, by colour and
//! by dashes.

use crate::report::comparison::plot;
use maud::{Markup, html};
use plotters::prelude::*;
use std::error::Error;

/// Points of a line.
const POINTS: usize = 600;
const SIZE: (u32, u32) = (860, 400);

/// Colours that stand out on white and on black, and dashes for those who cannot tell them apart.
const LINES: [(RGBColor, &str); 8] = [
    (RGBColor(0x00, 0x72, 0xb2), ""),
    (RGBColor(0xd5, 0x5e, 0x00), "8 4"),
    (RGBColor(0x00, 0x93, 0x6b), "2 3"),
    (RGBColor(0xb5, 0x55, 0x8c), "12 4 2 4"),
    (RGBColor(0x7a, 0x5a, 0xc8), "5 2"),
    (RGBColor(0x94, 0x74, 0x21), "1 5"),
    (RGBColor(0x6b, 0x72, 0x80), "14 4"),
    (RGBColor(0xc0, 0x39, 0x2b), "6 2 1 2"),
];

fn hex(color: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2)
}

/// A piece of a variant's line, to stand beside its name.
pub fn swatch(i: usize) -> Markup {
    let (color, dashes) = LINES[i % LINES.len()];
    html! {
        svg.swatch width="28" height="8" viewBox="0 0 28 8" aria-hidden="true" {
            path d="M1 4H27" fill="none" stroke=(hex(color)) stroke-width="3" stroke-dasharray=(dashes) {}
        }
    }
}

/// The unit in which the longest line is best read, and what a second is in it.
fn unit(most: f64) -> (&'static str, f64) {
    match most {
        s if s >= 3.0 * 3600.0 => ("hours", 1.0 / 3600.0),
        s if s >= 180.0 => ("minutes", 1.0 / 60.0),
        _ => ("seconds", 1.0),
    }
}

/// The plot; none where there is nothing to see.
pub fn draw(lines: &[Vec<f64>]) -> Option<String> {
    let ends = lines.iter().filter_map(|l| l.last().copied());
    let most = ends.fold(0.0, f64::max);
    let builds = lines.first()?.len();
    if most <= 0.0 || builds < 2 {
        return None;
    }
    let mut svg = String::new();
    plotted(&mut svg, lines, most, builds).ok()?;
    // The backend knows neither roles nor dashes.
    let mut svg = svg.replacen(
        "<svg ",
        "<svg role=\"img\" aria-labelledby=\"plot-title\" ",
        1,
    );
    for (color, dashes) in LINES.iter().filter(|(_, dashes)| !dashes.is_empty()) {
        let stroke = format!("stroke=\"{}\"", hex(*color));
        svg = svg.replace(&stroke, &format!("{stroke} stroke-dasharray=\"{dashes}\""));
    }
    Some(svg)
}

fn plotted(
    svg: &mut String,
    lines: &[Vec<f64>],
    most: f64,
    builds: usize,
) -> Result<(), Box<dyn Error>> {
    let (name, scale) = unit(most);
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..builds as f64, 0.0..most * scale * 1.03)?;
    let digits = if most * scale >= 20.0 { 0 } else { 1 };
    chart
        .configure_mesh()
        .x_desc("builds")
        .y_desc(format!("{name} of work"))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.digits$}"))
        .label_style(("sans-serif", 14))
        .x_labels(8.min(builds + 1))
        .y_labels(6)
        .max_light_lines(0)
        .bold_line_style(BLACK.mix(0.15))
        .draw()?;
    let places = plot::places(builds, POINTS);
    for (i, line) in lines.iter().enumerate() {
        let (color, _) = LINES[i % LINES.len()];
        let points = places.iter().map(|at| ((at + 1) as f64, line[*at] * scale));
        let points = std::iter::once((0.0, 0.0)).chain(points);
        chart.draw_series(LineSeries::new(points, color.stroke_width(2)))?;
    }
    root.present()?;
    Ok(())
}
